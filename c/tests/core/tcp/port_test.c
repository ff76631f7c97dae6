/* covers: 65-02, A38 */
#include "peer.h"

static uint16_t open_one(struct peer *p, struct iip_tcp_conn **conn, uint16_t peer_port)
{
    struct iip_endpoint peer;
    memset(&peer, 0, sizeof(peer));
    peer.ip = p->theirs;
    peer.port = peer_port;
    if (iip_tcp_connect(p->stk, NULL, &peer, NULL, conn))
        return 0;
    peer_settle(p);
    return p->last.sport;
}

/* Source ports are spread over the whole range, and tell nothing of the one before. */
static void ports_are_spread(void)
{
    enum { N = 16384, BINS = 64 };
    static struct peer p;
    uint32_t bins[BINS] = {0}, i, near = 0, low = 65535, high = 0;
    uint16_t port, last = 0;
    double chi = 0;
    peer_init(&p);
    REQUIRE(peer_new(&p, "ports") == 0);
    for (i = 0; i < N; i++) {
        struct iip_tcp_conn *conn = NULL;
        port = open_one(&p, &conn, 5000);
        REQUIRE(conn != NULL && port != 0);
        iip_tcp_abort(p.stk, conn);
        peer_settle(&p);
        low = port < low ? port : low;
        high = port > high ? port : high;
        near += i && (uint16_t)(port - last + 8) <= 16;
        last = port;
        bins[(port - 1024u) * BINS / 64512]++;
    }
    CHECK(low >= 1024);
    CHECK(high > 60000);
    CHECK(near < N / 500);
    for (i = 0; i < BINS; i++)
        if (bins[i])
            chi += ((double)bins[i] - N / BINS) * ((double)bins[i] - N / BINS) / (N / BINS);
    if (low < 4096)
        CHECK(chi < 140); /* 63 degrees of freedom: beyond 1 in a million */
    CHECK_EQ(peer_free(&p), 0);
}

/* Two connections to the same peer never share a port, however many there are. */
static void no_port_is_taken_twice(void)
{
    enum { N = 5000 };
    static struct peer p;
    static uint8_t used[65536];
    struct iip_tcp_conn *conn = NULL;
    uint32_t i, twice = 0;
    uint16_t port;
    peer_init(&p);
    REQUIRE(peer_new(&p, "ports") == 0);
    for (i = 0; i < N; i++) {
        port = open_one(&p, &conn, 5000);
        REQUIRE(port != 0);
        twice += used[port]++ != 0;
    }
    CHECK_EQ(twice, 0);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(ports_are_spread);
    RUN(no_port_is_taken_twice);
    return check_done();
}

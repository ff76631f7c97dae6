/* covers: MUST-8, MUST-9, SHLD-1, 65-01, A38 */
#include "peer.h"

static uint32_t isn_of(struct peer *p, uint16_t local_port, uint16_t peer_port)
{
    struct iip_endpoint local, peer;
    struct iip_tcp_conn *conn = NULL;
    memset(&local, 0, sizeof(local));
    memset(&peer, 0, sizeof(peer));
    local.ip = p->ours;
    local.port = local_port;
    peer.ip = p->theirs;
    peer.port = peer_port;
    if (iip_tcp_connect(p->stk, &local, &peer, NULL, &conn))
        return 0;
    peer_settle(p);
    CHECK_EQ(p->last.flags, FL_SYN);
    iip_tcp_abort(p->stk, conn);
    {
        uint32_t isn = p->last.seq;
        peer_settle(p);
        return isn;
    }
}

/* The same tuple 10 ms later: 2,500 ticks of 4 us. */
static void the_clock_ticks_every_four_microseconds(void)
{
    static struct peer p;
    uint32_t first, later;
    peer_init(&p);
    REQUIRE(peer_new(&p, "isn") == 0);
    first = isn_of(&p, 4000, 5000);
    peer_wait(&p, 10000);
    later = isn_of(&p, 4000, 5000);
    CHECK_EQ(later - first, 2500);
    peer_wait(&p, 4 * 1000 * 1000);
    CHECK_EQ(isn_of(&p, 4000, 5000) - later, 1000000);
    CHECK_EQ(peer_free(&p), 0);
}

static void another_key_gives_another_number(void)
{
    static struct peer a, b, c;
    uint32_t x, y, z;
    peer_init(&a);
    peer_init(&b);
    peer_init(&c);
    REQUIRE(peer_new(&a, "key one") == 0 && peer_new(&b, "key two") == 0 && peer_new(&c, "key one") == 0);
    x = isn_of(&a, 4000, 5000);
    y = isn_of(&b, 4000, 5000);
    z = isn_of(&c, 4000, 5000);
    CHECK(x != y);
    CHECK_EQ(x, z);
    CHECK_EQ(peer_free(&a), 0);
    CHECK_EQ(peer_free(&b), 0);
    CHECK_EQ(peer_free(&c), 0);
}

/* Numbers of neighbouring tuples tell nothing of each other: every bit is set in about half, and differences do not repeat. */
static void neighbouring_tuples_look_independent(void)
{
    enum { N = 4096 };
    static struct peer p;
    static uint32_t isn[N];
    uint32_t ones[32] = {0}, i, k, same = 0;
    peer_init(&p);
    REQUIRE(peer_new(&p, "isn") == 0);
    for (i = 0; i < N; i++) {
        isn[i] = isn_of(&p, 4000, (uint16_t)(5000 + i));
        for (k = 0; k < 32; k++)
            ones[k] += isn[i] >> k & 1;
    }
    for (k = 0; k < 32; k++)
        CHECK(ones[k] > N / 2 - 200 && ones[k] < N / 2 + 200);
    for (i = 2; i < N; i++)
        same += isn[i] - isn[i - 1] == isn[i - 1] - isn[i - 2];
    CHECK_EQ(same, 0);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(the_clock_ticks_every_four_microseconds);
    RUN(another_key_gives_another_number);
    RUN(neighbouring_tuples_look_independent);
    return check_done();
}

/* covers: A25, A26, A28, A32, SF-01 */
#include "peer.h"

static int one_life(struct peer *p)
{
    p->conn = NULL;
    p->their_port++;
    if (!peer_accepted(p))
        return 0;
    iip_tcp_shutdown(p->stk, p->conn);
    peer_settle(p);
    p->ack++;
    peer_send(p, FL_ACK | FL_FIN, 0, 0);
    p->seq++;
    return 1;
}

/* Connections that come, go and wait out TIME-WAIT leave no memory behind: the next ones live in what they had. */
static void memory_is_used_again(void)
{
    static struct peer p;
    uint64_t early = 0;
    int i;
    peer_init(&p);
    REQUIRE(peer_new(&p, "memory") == 0);
    iip_stack_set(p.stk, "tcp.msl_us", 10000);
    for (i = 0; i < 20000; i++) {
        REQUIRE(one_life(&p));
        peer_wait(&p, 1000);
        if (i == 1000)
            early = iip_stack_mem_used(p.stk);
    }
    CHECK(iip_stack_mem_used(p.stk) <= early + early / 10);
    CHECK_EQ(p.closed, 20000);
    CHECK_EQ(peer_free(&p), 0);
}

/* A flood of SYNs from everywhere: memory stays bounded, and one who means it gets in. */
static void a_flood_of_syns(void)
{
    static struct peer p;
    uint64_t before;
    uint32_t i;
    peer_init(&p);
    REQUIRE(peer_new(&p, "memory") == 0);
    iip_stack_set(p.stk, "tcp.half_open_max", 256);
    p.seq = 1;
    before = iip_stack_mem_used(p.stk);
    for (i = 0; i < 20000; i++) {
        p.theirs.b[15] = (uint8_t)(2 + i % 250);
        p.their_port = (uint16_t)(1024 + i / 250 * 7 + i % 7);
        p.seq = i * 77777;
        peer_send(&p, FL_SYN, 0, 0);
    }
    CHECK(iip_stack_mem_used(p.stk) < before + 256 * 1024);
    CHECK(testhost_counter(p.stk, "tcp_cookies_sent") > 0);
    iip_ip_v4(&p.theirs, 192, 0, 2, 252);
    p.their_port = 60000;
    CHECK(peer_accepted(&p));
    CHECK_EQ(peer_state(&p), IIP_TCP_ESTABLISHED);
    peer_send(&p, FL_ACK | FL_PSH, 100, 0);
    CHECK_EQ(p.bytes_in, 100);
    CHECK_EQ(peer_free(&p), 0);
}

/* Connections that stay for ever reach the ceiling, not the end of memory. */
static void a_ceiling_holds(void)
{
    static struct peer p;
    uint32_t i;
    peer_init(&p);
    p.mem_limit = 512 * 1024;
    REQUIRE(peer_new(&p, "memory") == 0);
    for (i = 0; i < 5000; i++) {
        p.conn = NULL;
        p.their_port++;
        if (!peer_accepted(&p))
            break;
    }
    CHECK(i > 100 && i < 5000);
    CHECK(iip_stack_mem_used(p.stk) <= p.mem_limit);
    CHECK(testhost_counter(p.stk, "no_mem") > 0);
    peer_free(&p);
}

/* Guessed cookies open nothing. */
static void forged_cookies(void)
{
    static struct peer p;
    uint32_t i;
    peer_init(&p);
    REQUIRE(peer_new(&p, "memory") == 0);
    iip_stack_set(p.stk, "tcp.half_open_max", 1);
    p.seq = 5;
    for (i = 0; i < 3; i++) { /* so that cookies are in use */
        p.their_port = (uint16_t)(2000 + i);
        peer_send(&p, FL_SYN, 0, 0);
    }
    p.their_port = 3000;
    for (i = 0; i < 50000; i++) {
        p.ack = i * 2654435761u;
        peer_send(&p, FL_ACK, 0, 0);
    }
    CHECK_EQ(p.accepted, 0);
    CHECK_EQ(peer_free(&p), 0);
}

/* A cookie is for its tuple, its number and its time. */
static void cookies_are_bound(void)
{
    static struct peer p;
    uint32_t seq, ack;
    peer_init(&p);
    REQUIRE(peer_new(&p, "memory") == 0);
    iip_stack_set(p.stk, "tcp.half_open_max", 1);
    p.seq = 5;
    p.their_port = 2000;
    peer_send(&p, FL_SYN, 0, 0);
    p.their_port = 2001;
    p.seq = 1000;
    peer_send(&p, FL_SYN, 0, 0);
    REQUIRE(p.last.flags == (FL_SYN | FL_ACK));
    CHECK(testhost_counter(p.stk, "tcp_cookies_sent") >= 1);
    seq = p.seq + 1;
    ack = p.last.seq + 1;
    p.seq = seq;
    p.ack = ack;
    p.their_port = 2002; /* another port */
    peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(p.accepted, 0);
    p.their_port = 2001;
    iip_ip_v4(&p.theirs, 192, 0, 2, 77); /* another address */
    peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(p.accepted, 0);
    iip_ip_v4(&p.theirs, 192, 0, 2, 2);
    p.seq = seq + 1; /* another number */
    peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(p.accepted, 0);
    p.seq = seq;
    peer_send(&p, FL_ACK, 0, 0); /* the right one */
    CHECK_EQ(p.accepted, 1);
    CHECK_EQ(testhost_counter(p.stk, "tcp_cookies_good"), 1);
    iip_tcp_abort(p.stk, p.conn);
    peer_settle(&p);
    p.their_port = 2003; /* one that nobody used yet, but too late */
    p.seq = 3000;
    peer_send(&p, FL_SYN, 0, 0);
    p.seq++;
    p.ack = p.last.seq + 1;
    peer_wait(&p, 600 * 1000000u);
    peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(p.accepted, 1);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(memory_is_used_again);
    RUN(a_flood_of_syns);
    RUN(a_ceiling_holds);
    RUN(forged_cookies);
    RUN(cookies_are_bound);
    return check_done();
}

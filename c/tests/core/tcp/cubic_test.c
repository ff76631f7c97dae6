/* covers: CU-01, MAY-18 */
#include <math.h>

#include "peer.h"

enum { MSS = 200, RTT_US = 100000 };

static struct iip_tcp_info info_of(struct peer *p)
{
    struct iip_tcp_info info;
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(p->stk, p->conn, &info);
    return info;
}

static void fill(struct peer *p)
{
    static uint8_t bytes[65536];
    while (iip_tcp_write(p->stk, p->conn, bytes, sizeof(bytes)) == (int)sizeof(bytes))
        ;
    peer_settle(p);
}

/* One round trip: all that was sent is acknowledged at once. */
static void round_trip(struct peer *p)
{
    peer_wait(p, RTT_US);
    p->ack = info_of(p).snd_nxt;
    peer_send(p, FL_ACK, 0, 0);
    fill(p);
}

/* A connection whose window has grown to `segments`, and which then loses one segment. */
static int lose_at(struct peer *p, uint32_t segments, const char *cc)
{
    int i;
    peer_init(p);
    if (peer_new(p, "cubic"))
        return 0;
    p->mss = MSS;
    p->any_payload = 1;
    iip_stack_set(p->stk, "tcp.congestion_control", cc[0] == 'c');
    iip_stack_set(p->stk, "tcp.initial_window", 10);
    iip_stack_set(p->stk, "tcp.rto_min_us", 1000000); /* retransmission by time is not what this is about */
    p->seq = 1000;
    peer_send(p, FL_SYN, 0, 0);
    peer_wait(p, RTT_US);
    p->seq++;
    p->ack = p->last.seq + 1;
    peer_send(p, FL_ACK, 0, 0);
    if (!p->conn)
        return 0;
    fill(p);
    while (info_of(p).cwnd < segments * MSS)
        round_trip(p);
    peer_wait(p, RTT_US);
    for (i = 0; i < 3; i++)
        peer_send(p, FL_ACK, 0, 0);
    return 1;
}

/* From the end of recovery on, W(t) = 0.4 (t - K)^3 + W_max, to within a segment and a half. */
static uint32_t strays(struct peer *p, double w_max, uint32_t rounds)
{
    double start, k, t, want, have;
    uint32_t wrong = 0;
    round_trip(p);
    k = cbrt((w_max - (double)info_of(p).cwnd / MSS) / 0.4);
    round_trip(p);
    start = (double)p->now;
    while (rounds--) {
        round_trip(p);
        t = ((double)p->now - start + RTT_US) / 1e6;
        want = 0.4 * (t - k) * (t - k) * (t - k) + w_max;
        have = (double)info_of(p).cwnd / MSS;
        if (fabs(have - want) > 1.5 && wrong++ < 5)
            printf("    after %.1f s: %.1f segments, not %.1f\n", t, have, want);
    }
    return wrong;
}

static void the_window_follows_the_cubic(void)
{
    static struct peer p;
    uint32_t before;
    REQUIRE(lose_at(&p, 200, "cubic"));
    before = info_of(&p).ssthresh;
    CHECK_EQ(strays(&p, before / 0.7 / MSS, 75), 0);
    CHECK_EQ(peer_free(&p), 0);
}

/* A second loss below the last maximum: W_max becomes (1 + beta) / 2 of the window, to leave room for others (RFC 9438 4.7). */
static void a_second_loss_converges_fast(void)
{
    static struct peer p;
    double window;
    int i;
    REQUIRE(lose_at(&p, 200, "cubic"));
    CHECK_EQ(strays(&p, info_of(&p).ssthresh / 0.7 / MSS, 10), 0);
    window = (double)info_of(&p).cwnd / MSS;
    peer_wait(&p, RTT_US);
    for (i = 0; i < 3; i++)
        peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(testhost_counter(p.stk, "tcp_fast_retrans"), 2);
    CHECK_EQ(strays(&p, window * 0.85, 50), 0);
    CHECK_EQ(peer_free(&p), 0);
}

static double grown_in(struct peer *p, uint32_t rounds)
{
    uint32_t first = info_of(p).cwnd;
    while (rounds--)
        round_trip(p);
    return ((double)info_of(p).cwnd - first) / MSS;
}

/* A small window grows as Reno would: 0.53 segments a round trip, and one once it is where it was (RFC 9438 4.3). */
static void a_small_window_grows_like_reno(void)
{
    static struct peer p;
    uint32_t prior, rounds;
    double grown;
    REQUIRE(lose_at(&p, 20, "cubic"));
    prior = (uint32_t)(info_of(&p).ssthresh / 0.7);
    round_trip(&p);
    round_trip(&p);
    grown = grown_in(&p, 8);
    if (!CHECK(grown > 3.5 && grown < 5))
        printf("    grown by %.1f segments in 8 round trips\n", grown);
    for (rounds = 0; rounds < 20 && info_of(&p).cwnd < prior + MSS; rounds++)
        round_trip(&p);
    grown = grown_in(&p, 10);
    if (!CHECK(grown > 8.5 && grown < 11.5))
        printf("    grown by %.1f segments in 10 round trips\n", grown);
    CHECK_EQ(peer_free(&p), 0);
}

/* After a timeout the curve begins where slow start ends: K = 0 (RFC 9438 4.8). */
static void a_timeout_begins_a_new_curve(void)
{
    static struct peer p;
    double begin, start, t, cubic, reno, have;
    uint32_t rounds, wrong = 0;
    REQUIRE(lose_at(&p, 200, "cubic"));
    peer_wait(&p, 3000000);
    CHECK(testhost_counter(p.stk, "tcp_rto") >= 1);
    for (rounds = 0; rounds < 200 && info_of(&p).cwnd < info_of(&p).ssthresh; rounds++)
        round_trip(&p);
    start = (double)p.now;
    round_trip(&p);
    begin = (double)info_of(&p).cwnd / MSS;
    for (rounds = 0; rounds < 50; rounds++) {
        round_trip(&p);
        t = ((double)p.now - start) / 1e6;
        cubic = begin + 0.4 * t * t * t;
        reno = begin + 5.3 * t;
        have = (double)info_of(&p).cwnd / MSS;
        if (fabs(have - (cubic > reno ? cubic : reno)) > 4 && wrong++ < 5)
            printf("    after %.1f s: %.1f segments, not %.1f\n", t, have, cubic > reno ? cubic : reno);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(peer_free(&p), 0);
}

/* Time in which the application sends little is no time of the curve (RFC 9438 4.2, 5.8). */
static void a_quiet_application_gains_nothing(void)
{
    static struct peer p;
    static uint8_t bytes[MSS];
    double grown;
    int i;
    REQUIRE(lose_at(&p, 200, "cubic"));
    CHECK_EQ(strays(&p, info_of(&p).ssthresh / 0.7 / MSS, 20), 0);
    while (info_of(&p).unacked) { /* the queue is sent, and not filled again */
        peer_wait(&p, RTT_US);
        p.ack = info_of(&p).snd_nxt;
        peer_send(&p, FL_ACK, 0, 0);
    }
    for (i = 0; i < 300; i++) {
        iip_tcp_write(p.stk, p.conn, bytes, sizeof(bytes));
        peer_settle(&p);
        peer_wait(&p, RTT_US);
        p.ack = info_of(&p).snd_nxt;
        peer_send(&p, FL_ACK, 0, 0);
    }
    fill(&p);
    grown = grown_in(&p, 5);
    if (!CHECK(grown < 10))
        printf("    grown by %.1f segments in 5 round trips\n", grown);
    CHECK_EQ(peer_free(&p), 0);
}

static void beta_is_seven_tenths(void)
{
    static struct peer p;
    uint32_t flight;
    REQUIRE(lose_at(&p, 100, "cubic"));
    flight = info_of(&p).unacked;
    CHECK(info_of(&p).ssthresh * 10 > flight * 6);
    CHECK(info_of(&p).ssthresh * 10 <= flight * 7);
    CHECK_EQ(peer_free(&p), 0);
}

/* NewReno beside it: half, then one segment a round trip (RFC 5681 3.1). */
static void new_reno_halves_and_adds_one(void)
{
    static struct peer p;
    uint32_t flight, first, rounds;
    REQUIRE(lose_at(&p, 100, "newreno"));
    flight = info_of(&p).unacked;
    CHECK(info_of(&p).ssthresh * 10 > flight * 4);
    CHECK(info_of(&p).ssthresh * 10 <= flight * 5);
    round_trip(&p);
    round_trip(&p);
    first = info_of(&p).cwnd;
    for (rounds = 0; rounds < 20; rounds++)
        round_trip(&p);
    CHECK(info_of(&p).cwnd >= first + 19 * MSS);
    CHECK(info_of(&p).cwnd <= first + 21 * MSS);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(the_window_follows_the_cubic);
    RUN(a_second_loss_converges_fast);
    RUN(a_small_window_grows_like_reno);
    RUN(a_timeout_begins_a_new_curve);
    RUN(a_quiet_application_gains_nothing);
    RUN(beta_is_seven_tenths);
    RUN(new_reno_halves_and_adds_one);
    return check_done();
}

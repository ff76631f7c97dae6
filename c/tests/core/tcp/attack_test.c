/* covers: A07, A10, A20, A21, A43, A46, 59-05 */
#include "peer.h"

/* SegmentSmack: thousands of one-byte pieces, every other byte. What is held is bounded, and what is in order gets in. */
static void one_byte_pieces(void)
{
    static struct peer p;
    uint64_t before, held;
    uint32_t i, start;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    iip_stack_set(p.stk, "tcp.rcvbuf", 65536);
    REQUIRE(peer_accepted(&p));
    before = iip_stack_mem_used(p.stk);
    start = p.seq;
    for (i = 1; i < 60000; i += 2) {
        p.seq = start + i;
        peer_send(&p, FL_ACK, 1, i);
    }
    held = iip_stack_mem_used(p.stk) - before;
    CHECK(held < 8 * 1024 * 1024);
    CHECK(p.th.frames_live < 4096);
    CHECK_EQ(p.bytes_in, 0);
    for (i = 0; i < 1000; i++) { /* the holes are filled from the left */
        p.seq = start + 2 * i;
        peer_send(&p, FL_ACK, 1, 2 * i);
    }
    CHECK(p.bytes_in >= 1000);
    CHECK_EQ(peer_free(&p), 0);
}

/* The same from the right end to the left. */
static void one_byte_pieces_backwards(void)
{
    static struct peer p;
    uint32_t i, start;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    REQUIRE(peer_accepted(&p));
    start = p.seq;
    for (i = 8000; i >= 1; i--) {
        p.seq = start + i;
        peer_send(&p, FL_ACK, 1, i);
    }
    p.seq = start;
    peer_send(&p, FL_ACK, 1, 0);
    CHECK(p.bytes_in >= 1);
    CHECK_EQ(peer_free(&p), 0);
}

static void swap_ends(uint8_t *ip)
{
    uint8_t t[4];
    memcpy(t, ip + 12, 4);
    memcpy(ip + 12, ip + 16, 4);
    memcpy(ip + 16, t, 4);
    memcpy(t, ip + 20, 2);
    memcpy(ip + 20, ip + 22, 2);
    memcpy(ip + 22, t, 2);
}

/* Whatever we send comes back to us with its ends exchanged: how often that goes on without time passing. */
static uint32_t mirrored(struct peer *p)
{
    uint8_t packet[2048];
    uint32_t i, before;
    for (i = 0; i < 10000; i++) {
        before = p->sent;
        memcpy(packet, p->last_bytes, sizeof(packet));
        swap_ends(packet);
        peer_raw(p, packet, get16(packet + 2));
        if (p->sent == before)
            break;
    }
    return i;
}

/* It must die down. */
static void against_a_mirror(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    REQUIRE(peer_accepted(&p));
    p.ack += 5000; /* out of step: every answer is wrong for the other side */
    peer_send(&p, FL_ACK, 0, 0);
    CHECK(mirrored(&p) < 100);
    CHECK_EQ(peer_free(&p), 0);
}

/* The SYN-ACK comes back, as it would between two that were both told to connect by someone else. */
static void half_open_against_a_mirror(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    p.seq = 1000;
    peer_send(&p, FL_SYN, 0, 0);
    CHECK_EQ(p.last.flags, FL_SYN | FL_ACK);
    CHECK(mirrored(&p) < 100);
    p.seq++; /* and the peer can still connect */
    p.ack = p.last.seq;
    peer_send(&p, FL_ACK, 0, 0);
    CHECK(p.conn != NULL);
    CHECK_EQ(peer_free(&p), 0);
}

static void time_wait_against_a_mirror(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    REQUIRE(peer_accepted(&p));
    iip_tcp_shutdown(p.stk, p.conn);
    peer_settle(&p);
    p.ack++;
    peer_send(&p, FL_FIN | FL_ACK, 0, 0);
    CHECK_EQ(p.closed, 1);
    p.seq -= 5000;
    peer_send(&p, FL_ACK, 0, 0);
    CHECK(mirrored(&p) < 100);
    peer_wait(&p, 2000000);
    peer_send(&p, FL_ACK, 0, 0);
    CHECK(mirrored(&p) < 100);
    CHECK_EQ(peer_free(&p), 0);
}

/* One packet from a stranger brings one packet at most, and not three times its bytes; retries of a SYN-ACK are counted. */
static void no_amplifier(void)
{
    static const uint8_t flags[] = {0, FL_SYN, FL_ACK, FL_RST, FL_FIN, FL_SYN | FL_ACK, FL_FIN | FL_PSH | FL_URG};
    static struct peer p;
    uint32_t i, before;
    for (i = 0; i < sizeof(flags); i++) {
        peer_init(&p);
        REQUIRE(peer_new(&p, "attack") == 0);
        p.seq = 7;
        peer_send(&p, flags[i], 0, 0);
        CHECK(p.sent <= 1);
        CHECK(get16(p.last_bytes + 2) <= 3 * 40);
        before = p.sent;
        peer_wait(&p, 3600 * 1000000u);
        CHECK(p.sent - before <= (flags[i] == FL_SYN ? 5 : 0));
        CHECK_EQ(peer_free(&p), 0);
    }
}

/* The clock stands, jumps a day, runs backwards: timers fire once, and the connection lives. */
static void strange_clocks(void)
{
    static struct peer p;
    uint32_t before;
    uint64_t then;
    peer_init(&p);
    p.now = 0xffffffffu - 1000000; /* a clock of 32 bits would wrap soon */
    REQUIRE(peer_new(&p, "attack") == 0);
    REQUIRE(peer_accepted(&p));
    iip_tcp_write(p.stk, p.conn, "x", 1);
    peer_settle(&p);
    before = p.sent;
    then = p.now;
    p.now -= 1000000; /* backwards: as if it stood */
    iip_stack_output(p.stk, p.now);
    CHECK_EQ(p.sent, before);
    p.now = then;
    p.now += 86400 * (uint64_t)1000000; /* a day at once: one retransmission, not a storm */
    peer_settle(&p);
    CHECK(p.sent - before <= 2);
    CHECK(p.conn != NULL);
    p.ack++;
    peer_send(&p, FL_ACK, 0, 0);
    peer_wait(&p, 10 * 1000000);
    CHECK_EQ(peer_state(&p), IIP_TCP_ESTABLISHED);
    CHECK_EQ(peer_free(&p), 0);
}

/* An ACK that arrives before its segment was sent, by a clock that ran back, is no round trip of an hour. */
static void a_clock_that_ran_back_measures_nothing(void)
{
    static struct peer p;
    struct iip_tcp_info info;
    peer_init(&p);
    REQUIRE(peer_new(&p, "attack") == 0);
    REQUIRE(peer_accepted(&p));
    iip_tcp_write(p.stk, p.conn, "x", 1);
    peer_settle(&p);
    p.now -= 500000;
    p.ack++;
    peer_send(&p, FL_ACK, 0, 0);
    iip_tcp_info(p.stk, p.conn, &info);
    CHECK(info.rto_us <= 1000000);
    CHECK_EQ(peer_free(&p), 0);
}

/* SACK Panic and Slowness: a small MSS, and blocks that cut the queue into crumbs. */
static void crumbs_of_sack(void)
{
    static struct peer p;
    static uint8_t bytes[60000];
    struct segment s;
    uint8_t packet[128];
    uint32_t round, i;
    peer_init(&p);
    p.mss = 48;
    REQUIRE(peer_new(&p, "attack") == 0);
    iip_stack_set(p.stk, "tcp.sack", 1);
    iip_stack_set(p.stk, "tcp.initial_window", 1000);
    p.seq = 1000;
    segment_init(&s, 4);
    memcpy(s.src, p.theirs.b, 16);
    memcpy(s.dst, p.ours.b, 16);
    s.sport = p.their_port;
    s.dport = p.our_port;
    s.seq = 1000;
    s.win = 65535;
    s.flags = FL_SYN;
    memcpy(s.opts, "\002\004\000\060\004\002", 6);
    s.opt_len = 6;
    peer_raw(&p, packet, segment_encode(&s, packet, sizeof(packet)));
    p.seq = 1001;
    p.ack = p.last.seq + 1;
    peer_send(&p, FL_ACK, 0, 0);
    REQUIRE(p.conn != NULL);
    p.any_payload = 1;
    iip_tcp_write(p.stk, p.conn, bytes, sizeof(bytes));
    peer_settle(&p);
    s.flags = FL_ACK;
    s.seq = 1001;
    s.ack = p.ack;
    s.opts[0] = s.opts[1] = OPT_NOP;
    s.opts[2] = OPT_SACK;
    s.opts[3] = 34;
    s.opt_len = 36;
    for (round = 0; round < 2000; round++) {
        for (i = 0; i < 4; i++) {
            put32(s.opts + 4 + 8 * i, p.ack + 1 + (round * 4 + i) * 7);
            put32(s.opts + 8 + 8 * i, p.ack + 2 + (round * 4 + i) * 7);
        }
        peer_raw(&p, packet, segment_encode(&s, packet, sizeof(packet)));
    }
    CHECK_EQ(peer_state(&p), IIP_TCP_ESTABLISHED);
    CHECK(iip_stack_mem_used(p.stk) < 8 * 1024 * 1024);
    CHECK_EQ(peer_free(&p), 0);
}

/* [A21] Every second byte, each in a frame of 2 KB: the frames are what counts, and the hole can still be filled. */
static void crumbs_do_not_pin_memory(void)
{
    static struct peer c;
    uint32_t i, seq;
    int64_t most = 0;
    peer_init(&c);
    REQUIRE(peer_new(&c, "crumbs") == 0);
    CHECK_EQ(iip_stack_set(c.stk, "tcp.rcvbuf", 20480), IIP_OK);
    REQUIRE(peer_accepted(&c));
    c.th.rx_frame_min = 2048;
    seq = c.seq;
    for (i = 1; i <= 300; i++) {
        c.seq = seq + 2 * i;
        peer_send(&c, FL_ACK, 1, 2 * i);
        most = c.th.frames_live > most ? c.th.frames_live : most;
    }
    CHECK(most * 2048 <= 4 * 20480);
    CHECK(testhost_counter(c.stk, "drop_tcp_memory") > 250);
    c.seq = seq;
    peer_send(&c, FL_ACK, 3, 0);
    CHECK(c.bytes_in >= 3);
    CHECK_EQ(peer_free(&c), 0);
}

/* The numbers of the connection that was heard last, from another port or another address: it is not that connection. */
static void numbers_of_another(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "another") == 0);
    REQUIRE(peer_accepted(&p));
    peer_send(&p, FL_ACK | FL_PSH, 10, 0);
    CHECK_EQ(p.bytes_in, 10);
    p.seq += 10;
    p.their_port++;
    peer_send(&p, FL_ACK | FL_PSH, 10, 10);
    CHECK_EQ(p.bytes_in, 10);
    CHECK_EQ(p.last.flags & FL_RST, FL_RST);
    p.their_port--;
    p.theirs.b[15]++;
    peer_send(&p, FL_ACK | FL_PSH, 10, 10);
    CHECK_EQ(p.bytes_in, 10);
    p.theirs.b[15]--;
    peer_send(&p, FL_ACK | FL_PSH, 10, 10);
    CHECK_EQ(p.bytes_in, 20);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(crumbs_do_not_pin_memory);
    RUN(numbers_of_another);
    RUN(one_byte_pieces);
    RUN(one_byte_pieces_backwards);
    RUN(against_a_mirror);
    RUN(half_open_against_a_mirror);
    RUN(time_wait_against_a_mirror);
    RUN(no_amplifier);
    RUN(strange_clocks);
    RUN(a_clock_that_ran_back_measures_nothing);
    RUN(crumbs_of_sack);
    return check_done();
}

/* option_test.c - options of a connection, tunables of a stack, and what the calls answer to wrong arguments. */
#include "peer.h"

static struct peer p;

static const struct {
    iip_u32 option;
    iip_u64 usual, low, high, wrong; /* the default, the ends of the range, and a value outside */
} options[] = {
    {IIP_TCP_NODELAY, 0, 0, 1, 2},
    {IIP_TCP_CORK, 0, 0, 1, 2},
    {IIP_TCP_KEEPALIVE, 0, 0, 1, 2},
    {IIP_TCP_KEEPIDLE_US, 7200000000u, 1000, 17592186044416u, 999},
    {IIP_TCP_KEEPINTVL_US, 75000000, 1000, 0xffffffffu, 999},
    {IIP_TCP_KEEPCNT, 9, 1, 255, 256},
    {IIP_TCP_USER_TIMEOUT_US, 0, 0, 17592186044416u, 17592186044417u},
    {IIP_TCP_DSCP, 0, 0, 63, 64},
    {IIP_TCP_TTL, 64, 1, 255, 0},
    {IIP_TCP_SNDBUF, 1048576, 2048, 0x40000000, 2047},
    {IIP_TCP_RCVBUF, 1048576, 2048, 0x40000000, 2047},
    {IIP_TCP_QUICKACK, 0, 0, 1, 2},
    {IIP_TCP_CC, 1, 0, 1, 2},
    {IIP_TCP_SYN_RETRIES, 7, 0, 255, 256},
};

enum { OPTIONS = sizeof(options) / sizeof(*options) };

static int open_one(void)
{
    peer_init(&p);
    return peer_new(&p, "option") == 0 && peer_accepted(&p);
}

static void takes(iip_u32 option, iip_u64 value)
{
    iip_u64 have = ~(iip_u64)0;
    CHECK_EQ(iip_tcp_set(p.stk, p.conn, option, value), IIP_OK);
    CHECK_EQ(iip_tcp_get(p.stk, p.conn, option, &have), IIP_OK);
    CHECK_EQ(have, value);
}

static void each_option_is_what_it_was_set_to(void)
{
    iip_u64 have;
    int i;
    REQUIRE(open_one());
    for (i = 0; i < OPTIONS; i++) {
        have = ~(iip_u64)0;
        CHECK_EQ(iip_tcp_get(p.stk, p.conn, options[i].option, &have), IIP_OK);
        CHECK_EQ(have, options[i].usual);
    }
    for (i = 0; i < OPTIONS; i++) {
        takes(options[i].option, options[i].low);
        takes(options[i].option, options[i].high);
        CHECK_EQ(iip_tcp_set(p.stk, p.conn, options[i].option, options[i].wrong), IIP_E_RANGE);
        CHECK_EQ(iip_tcp_get(p.stk, p.conn, options[i].option, &have), IIP_OK);
        CHECK_EQ(have, options[i].high);
    }
    CHECK_EQ(iip_tcp_set(p.stk, p.conn, 0, 1), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_tcp_get(p.stk, p.conn, 99, &have), IIP_E_NOT_FOUND);
    CHECK_EQ(peer_free(&p), 0);
}

/* Once it is over, only the CLOSED note is left. */
static void nothing_can_be_done_with_what_is_over(void)
{
    struct iip_note note;
    struct iip_tcp_conn *conn;
    REQUIRE(open_one());
    conn = p.conn;
    CHECK_EQ(iip_tcp_abort(p.stk, conn), IIP_OK);
    CHECK_EQ(iip_tcp_set(p.stk, conn, IIP_TCP_NODELAY, 1), IIP_E_NOT_CONNECTED);
    CHECK_EQ(iip_tcp_write(p.stk, conn, "x", 1), IIP_E_NOT_CONNECTED);
    CHECK(iip_tcp_urgent(p.stk, conn) < 0);
    CHECK(iip_tcp_shutdown(p.stk, conn) < 0);
    CHECK_EQ(iip_tcp_close(p.stk, conn), IIP_OK); /* it is closed: nothing is left to do */
    CHECK_EQ(iip_tcp_abort(p.stk, conn), IIP_OK);
    iip_tcp_credit(p.stk, conn, 100);
    CHECK_EQ(iip_stack_notes(p.stk, &note, 1), 1);
    CHECK_EQ(note.type, IIP_NOTE_CLOSED);
    CHECK_EQ(note.status, IIP_E_ABORTED);
    p.conn = NULL;
    CHECK_EQ(peer_free(&p), 0);
}

static void each_tunable_is_found_by_its_name(void)
{
    iip_u64 value, again;
    const char *name;
    iip_u32 i;
    REQUIRE(open_one());
    for (i = 0; (name = iip_stack_tunable(i)) != NULL; i++) {
        value = again = 0;
        CHECK_EQ(iip_stack_get(p.stk, name, &value), IIP_OK);
        CHECK_EQ(iip_stack_set(p.stk, name, value), IIP_OK);
        CHECK_EQ(iip_stack_get(p.stk, name, &again), IIP_OK);
        if (!CHECK_EQ(again, value))
            printf("    %s\n", name);
        CHECK(iip_stack_set(p.stk, name, (iip_u64)-1) == IIP_E_RANGE);
    }
    CHECK(i > 40);
    CHECK_EQ(iip_stack_get(p.stk, "tcp.msss", &value), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_stack_set(p.stk, "", 1), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.window_scale", 15), IIP_OK);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.window_scale", 16), IIP_E_RANGE);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.window_scale", 254), IIP_E_RANGE);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.window_scale", 255), IIP_OK);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.syn_options", 0x1118432), IIP_OK);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.syn_options", 0x5), IIP_E_RANGE);
    CHECK_EQ(iip_stack_set(p.stk, "tcp.syn_options", 0xf0000002), IIP_E_RANGE);
    CHECK_EQ(iip_stack_get(p.stk, "tcp.syn_options", &value), IIP_OK);
    CHECK_EQ(value, 0x1118432);
    CHECK_EQ(iip_stack_get(p.stk, "tcp.keepcnt", &value), IIP_OK);
    CHECK_EQ(value, 9);
    CHECK_EQ(peer_free(&p), 0);
}

/* Connections that nobody has accepted are reset with their listener, also those that are over already. */
static void unlisten_resets_who_waits(void)
{
    peer_init(&p);
    REQUIRE(peer_new(&p, "option") == 0);
    p.seq = 1000;
    peer_send(&p, FL_SYN, 0, 0);
    p.seq++;
    p.ack = p.last.seq + 1;
    {
        static uint8_t packet[100];
        struct iip_pkt *pkt;
        struct segment s;
        segment_init(&s, 4);
        memcpy(s.src, p.theirs.b, 16);
        memcpy(s.dst, p.ours.b, 16);
        s.sport = p.their_port;
        s.dport = p.our_port;
        s.seq = p.seq;
        s.ack = p.ack;
        s.flags = FL_ACK;
        s.win = 65535;
        pkt = testhost_pkt(&p.th, packet, segment_encode(&s, packet, sizeof(packet)), 0);
        iip_stack_input(p.stk, &pkt, 1, p.now);
    }
    iip_tcp_unlisten(p.stk, p.lis);
    peer_settle(&p);
    CHECK_EQ(p.accepted, 0);
    CHECK_EQ(p.last.flags & FL_RST, FL_RST);
    CHECK_EQ(p.last.seq, p.ack);
    CHECK_EQ(peer_free(&p), 0);
}

static void opens_that_cannot_be(void)
{
    struct iip_endpoint to, local;
    struct iip_tcp_listener *lis;
    struct iip_tcp_conn *conn;
    peer_init(&p);
    REQUIRE(peer_new(&p, "option") == 0);
    memset(&to, 0, sizeof(to));
    to.ip = p.theirs;
    to.port = 7;
    memset(&local, 0, sizeof(local));
    local.ip.b[0] = 0xfd;
    local.ip.b[15] = 1;
    local.port = 80;
    CHECK_EQ(iip_tcp_connect(p.stk, &local, &to, NULL, &conn), IIP_E_INVAL); /* of two families */
    CHECK_EQ(iip_tcp_listen(p.stk, &local, 1, NULL, &lis), IIP_E_ADDR_NOT_AVAIL);
    to.family = 6;
    CHECK_EQ(iip_tcp_connect(p.stk, NULL, &to, NULL, &conn), IIP_E_INVAL); /* not the family of its address */
    to.family = 5;
    to.ip = p.ours;
    CHECK_EQ(iip_tcp_listen(p.stk, &to, 1, NULL, &lis), IIP_E_INVAL);
    to.family = 0;
    to.ip = p.theirs;
    to.port = 0;
    CHECK_EQ(iip_tcp_connect(p.stk, NULL, &to, NULL, &conn), IIP_E_INVAL);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(each_option_is_what_it_was_set_to);
    RUN(nothing_can_be_done_with_what_is_over);
    RUN(each_tunable_is_found_by_its_name);
    RUN(unlisten_resets_who_waits);
    RUN(opens_that_cannot_be);
    return check_done();
}

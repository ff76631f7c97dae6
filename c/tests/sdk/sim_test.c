/* sim_test.c - a simulated wire with a virtual clock: time moves only when told, and a run repeats itself. */
#include "world.h"

struct run {
    uint64_t events[4096]; /* what both sides saw, and when */
    uint32_t n;
    uint64_t bytes;
};

static void note(struct run *run, const struct side *s, uint64_t who)
{
    uint32_t i;
    for (i = 0; i < s->turn.event_n && run->n + 2 < 4096; i++) {
        const struct iip_event *ev = &s->area.events[i];
        run->events[run->n++] = who << 56 | (uint64_t)ev->type << 48 | (uint64_t)ev->len << 16 | (uint16_t)ev->status;
        run->events[run->n++] = s->turn.now_us;
    }
}

/* Turns until nothing happens; then the clock goes to the next deadline, or a little on for what is on the wire. */
static void step(struct side *a, struct side *b, struct run *run)
{
    uint64_t now, due;
    do {
        turn_seen(a, IIP_TURN_FLUSH | IIP_TURN_WAIT | IIP_TURN_DEADLINE); /* a wait must not last for ever */
        note(run, a, 1);
        turn_seen(b, IIP_TURN_FLUSH | IIP_TURN_WAIT | IIP_TURN_DEADLINE);
        note(run, b, 2);
    } while (a->turn.event_n + b->turn.event_n + a->turn.rx_packets + b->turn.rx_packets);
    due = a->turn.deadline_us < b->turn.deadline_us ? a->turn.deadline_us : b->turn.deadline_us;
    now = a->turn.now_us;
    if (due > now + 500)
        due = now + 500;
    CHECK_EQ(iip_engine_advance(a->engine, due > now ? due - now : 1, &now), IIP_OK);
}

static void one_run(struct run *run, const char *port)
{
    static uint8_t bytes[200000];
    struct iip_engine_cfg one = side_cfg(port, 1), two = side_cfg(port, 2);
    struct side a, b;
    uint64_t lis, sent = 0;
    memset(run, 0, sizeof *run);
    one.seed = two.seed = 42;
    memset(one.key, 1, sizeof one.key);
    memset(two.key, 2, sizeof two.key);
    if (!side_open(&a, &one) || !side_open(&b, &two))
        exit(1);
    a.turn.wait_us = b.turn.wait_us = -1;
    iip_loop_listen(b.loop, ":80", 0, &lis);
    iip_loop_connect(a.loop, "10.0.0.2:80", 0, &a.conn);
    while (b.got < sizeof bytes) {
        if (a.seen & SAW_CONNECTED && sent < sizeof bytes) {
            int32_t n = iip_conn_send(a.conn, bytes + sent, (uint32_t)(sizeof bytes - sent));
            sent += n > 0 ? (uint32_t)n : 0;
        }
        step(&a, &b, run);
    }
    run->bytes = b.got;
    iip_handle_close(lis);
    step(&a, &b, run);
    b.seen = 0;
    iip_conn_shutdown(a.conn);
    while (!(b.seen & SAW_FIN))
        step(&a, &b, run);
    iip_handle_close(b.conn);
    while (!(a.seen & SAW_FIN))
        step(&a, &b, run);
    iip_handle_close(a.conn);
    while (!(a.seen & b.seen & SAW_CLOSED))
        step(&a, &b, run);
    side_close(&a);
    side_close(&b);
}

static void the_same_seed_gives_the_same_run(void)
{
    static struct run first, again, other;
    const char *port = "sim:run,seed=7,loss=3%,reorder=3%,dup=1%,delay=2ms,clock=virtual";
    one_run(&first, port);
    one_run(&again, port);
    one_run(&other, "sim:run,seed=8,loss=3%,reorder=3%,dup=1%,delay=2ms,clock=virtual");
    CHECK_EQ(first.bytes, 200000);
    CHECK(first.n > 50);
    CHECK_EQ(first.n, again.n);
    CHECK_MEM(first.events, again.events, sizeof first.events);
    CHECK(memcmp(first.events, other.events, sizeof first.events) != 0);
}

static void a_real_clock_cannot_be_moved(void)
{
    struct side a, b;
    world_open(&a, &b, "sim:real");
    CHECK_EQ(iip_engine_advance(a.engine, 1, NULL), IIP_E_NOT_SUPPORTED);
    CHECK_EQ(iip_engine_inject(a.engine, "frame", 5), IIP_E_NOT_SUPPORTED);
    CHECK_EQ(iip_engine_mtu_set(a.engine, 1400), IIP_E_NOT_SUPPORTED);
    world_close(&a, &b);
    world_open(&a, &b, "pair:real");
    CHECK_EQ(iip_engine_advance(a.engine, 1, NULL), IIP_E_NOT_SUPPORTED);
    CHECK_EQ(iip_engine_advance(NULL, 1, NULL), IIP_E_INVAL);
    world_close(&a, &b);
}

/* A broadcast ARP request of 10.0.0.9 for 10.0.0.1. */
static const uint8_t arp_request[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  9, 8, 6,
                                        0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0, 0, 9,
                                        10,   0,    0,    9,    0,    0,    0, 0, 0, 0, 10, 0, 0, 1};

static uint64_t packets(const struct side *s, int sent)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    CHECK_EQ(iip_loop_stats_get(s->loop, &stats), IIP_OK);
    return sent ? stats.tx_packets : stats.rx_packets;
}

static void an_injected_frame_arrives_now(void)
{
    static uint8_t giant[1600];
    struct side a, b;
    world_open(&a, &b, "sim:inject,clock=virtual,loss=100%,delay=1s");
    uint64_t a_rx = packets(&a, 0), a_tx = packets(&a, 1), b_rx = packets(&b, 0);
    CHECK_EQ(iip_engine_inject(a.engine, arp_request, sizeof arp_request), IIP_OK);
    turn(&b, 0);
    turn(&a, 0);
    CHECK_EQ(packets(&a, 0) - a_rx, 1);
    CHECK_EQ(packets(&a, 1) - a_tx, 1); /* the answer, which the wire loses */
    CHECK_EQ(packets(&b, 0) - b_rx, 0);
    CHECK_EQ(iip_engine_inject(a.engine, giant, 1519), IIP_E_INVAL);
    CHECK_EQ(iip_engine_inject(a.engine, giant, 1518), IIP_OK);
    CHECK_EQ(iip_engine_inject(a.engine, giant, 0), IIP_E_INVAL);
    CHECK_EQ(iip_engine_inject(a.engine, NULL, 1), IIP_E_INVAL);
    CHECK_EQ(iip_engine_inject(NULL, giant, 1), IIP_E_INVAL);
    turn(&a, 0);
    side_close(&b);
    CHECK_EQ(iip_engine_inject(a.engine, giant, 60), IIP_E_LINK_DOWN);
    turn(&a, 0); /* tells that the link is down */
    side_close(&a);
}

static void a_wire_changes_its_mtu(void)
{
    struct side a, b;
    world_open(&a, &b, "sim:mtu,clock=virtual");
    CHECK_EQ(iip_engine_mtu_set(b.engine, 1400), IIP_OK);
    CHECK_EQ(turn(&a, 0), 1);
    CHECK_EQ(event(&a, 0)->type, IIP_EVENT_LINK);
    CHECK_EQ(event(&a, 0)->value, (uint64_t)1 << 32 | 1400);
    CHECK_EQ(turn(&b, 0), 1);
    CHECK_EQ(iip_engine_mtu_set(a.engine, 575), IIP_E_RANGE);
    CHECK_EQ(iip_engine_mtu_set(a.engine, 65536), IIP_E_RANGE);
    CHECK_EQ(iip_engine_mtu_set(NULL, 1400), IIP_E_INVAL);
    world_close(&a, &b);
}

static void a_recorded_wire_has_its_clock(void)
{
    struct iip_engine_cfg cfg = side_cfg("sim:recorded,clock=virtual", 1);
    struct side a;
    uint64_t now = 0;
    cfg.pcap = "/dev/null";
    if (!side_open(&a, &cfg))
        return;
    CHECK_EQ(iip_engine_advance(a.engine, 7, &now), IIP_OK);
    CHECK_EQ(now, 1000007);
    side_close(&a);
}

enum { FLOOD = 64, KEPT = 1024 };

/* A turn of an application that keeps whatever comes. */
static void turn_kept(struct side *s, uint64_t *kept, uint32_t *n)
{
    uint32_t i;
    turn(s, IIP_TURN_FLUSH);
    for (i = 0; i < s->turn.event_n; i++)
        if (event(s, i)->buf && CHECK(*n < KEPT))
            kept[(*n)++] = event(s, i)->buf;
}

static void send_datagrams(struct side *s, uint64_t udp, const struct iip_addrs *to)
{
    uint32_t i;
    for (i = 0; i < FLOOD; i++) {
        struct iip_op *op = next_op(s, IIP_OP_UDP_SEND_COPY, udp);
        op->buf = (uintptr_t) "x";
        op->len = 1;
        op->arg = (uintptr_t)to;
    }
    turn_seen(s, IIP_TURN_FLUSH);
}

/* As many packets come at once as there are frames, and the application keeps them: others are answered all the same. */
static void answers_in_a_flood(uint64_t spill_bytes)
{
    struct iip_engine_cfg one = side_cfg("sim:flood,clock=virtual", 1), two = side_cfg("sim:flood,frames=64", 2);
    struct iip_addrs to = {.peer = {.port = 9}};
    uint64_t udp = 0, sink = 0, kept[KEPT], sent;
    uint8_t ask[sizeof arp_request];
    struct side a, b;
    uint32_t i, n = 0;
    two.spill_bytes = spill_bytes;
    REQUIRE(side_open(&a, &one) && side_open(&b, &two));
    CHECK_EQ(iip_addr_parse("10.0.0.2:9", &to.peer), IIP_OK);
    CHECK_EQ(iip_loop_udp(a.loop, ":9", 0, &udp), IIP_OK);
    CHECK_EQ(iip_loop_udp(b.loop, ":9", 0, &sink), IIP_OK);
    for (i = 0; i < 10; i++) {
        send_datagrams(&a, udp, &to);
        turn_kept(&b, kept, &n);
        turn_kept(&b, kept, &n);
    }
    CHECK(n > 30);
    memcpy(ask, arp_request, sizeof ask);
    ask[41] = 2;
    sent = packets(&b, 1);
    CHECK_EQ(iip_engine_inject(b.engine, ask, sizeof ask), IIP_OK);
    for (i = 0; i < 10 * FLOOD; i++) /* behind all that waits on the wire */
        turn_kept(&b, kept, &n);
    CHECK_EQ(packets(&b, 1) - sent, 1);
    while (n)
        CHECK_EQ(iip_buf_release(kept[--n]), IIP_OK);
    iip_handle_close(udp);
    iip_handle_close(sink);
    turn_seen(&a, 0);
    turn_seen(&b, 0);
    world_close(&a, &b);
}

static void answers_though_all_is_kept(void)
{
    answers_in_a_flood(0);
    answers_in_a_flood(2048);
}

int main(void)
{
    RUN(the_same_seed_gives_the_same_run);
    RUN(a_real_clock_cannot_be_moved);
    RUN(a_recorded_wire_has_its_clock);
    RUN(an_injected_frame_arrives_now);
    RUN(a_wire_changes_its_mtu);
    RUN(answers_though_all_is_kept);
    return check_done();
}

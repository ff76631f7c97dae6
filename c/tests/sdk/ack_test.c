/*
 * ack_test.c - when acknowledgements leave: held ones with the answer, by themselves a turn later, on IIP_TURN_FLUSH and
 * before a wait or a park; delayed ones by their timer alone. A virtual clock, where it matters.
 */
#include "world.h"

enum { DELAY_US = 40000 };

static struct side a, b;

static void acks_open(const char *port)
{
    world_open(&a, &b, port);
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_NODELAY, 1), IIP_OK);
    while (turn(&a, 0) + turn(&b, 0) + (int32_t)(a.turn.rx_packets + b.turn.rx_packets))
        ;
}

static void acks_close(void)
{
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static uint64_t sent_by_b(void)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    iip_loop_stats_get(b.loop, &stats);
    return stats.tx_packets;
}

/* a sends so many bytes, b takes them in one turn; the packets that b sent in that turn. */
static uint64_t take(uint32_t bytes, uint32_t flags)
{
    static const uint8_t zeros[4096];
    uint64_t before = sent_by_b();
    CHECK_EQ(iip_conn_send(a.conn, zeros, bytes), (int32_t)bytes);
    turn(&a, 0);
    b.got = 0;
    turn_seen(&b, flags);
    CHECK_EQ(b.got, bytes);
    return sent_by_b() - before;
}

static uint64_t next(uint32_t flags)
{
    uint64_t before = sent_by_b();
    turn_seen(&b, flags);
    return sent_by_b() - before;
}

static uint32_t two_segments(void)
{
    struct iip_conn_info info = {.size = sizeof info};
    CHECK_EQ(iip_conn_info_get(a.conn, &info), IIP_OK);
    return 2 * info.mss;
}

static void what_is_held_leaves_with_the_answer(void)
{
    struct iip_op *op;
    acks_open("sim:ack1,clock=virtual");
    CHECK_EQ(take(two_segments(), 0), 0);
    op = next_op(&b, IIP_OP_SEND_COPY, b.conn);
    op->arg = (uintptr_t) "yes";
    op->len = 3;
    CHECK_EQ(next(0), 1); /* one packet is both */
    CHECK_EQ(next(IIP_TURN_FLUSH), 0);
    turn_seen(&a, 0);
    CHECK_EQ(a.got, 3);
    acks_close();
}

static void what_is_held_leaves_by_itself_a_turn_later(void)
{
    acks_open("sim:ack2,clock=virtual");
    CHECK_EQ(take(two_segments(), 0), 0);
    CHECK_EQ(next(0), 1);
    CHECK_EQ(next(0), 0);
    acks_close();
}

static void what_is_held_leaves_on_flush(void)
{
    acks_open("sim:ack3,clock=virtual");
    CHECK_EQ(take(two_segments(), IIP_TURN_FLUSH), 1); /* in the turn that hands the bytes up */
    CHECK_EQ(next(IIP_TURN_FLUSH), 0);
    CHECK_EQ(take(two_segments(), IIP_TURN_PARK), 0); /* events: it does not park, and an answer may come */
    CHECK_EQ(next(IIP_TURN_PARK), 1);
    CHECK(b.turn.state & IIP_STATE_PARKED);
    acks_close();
}

/* Sleeping ends with the timeout; what was held went before, as a stream that only receives would see. */
static void what_is_held_leaves_before_a_wait(void)
{
    acks_open("pair:ack4");
    take(two_segments(), 0);
    b.turn.wait_us = 1;
    turn_seen(&b, IIP_TURN_WAIT);
    turn_seen(&a, 0);
    CHECK_EQ(a.turn.rx_packets, 1);
    acks_close();
}

/* [RFC 9293 3.8.6.3] less than two full segments: neither a turn nor a flush acknowledges them, the timer does. */
static void what_is_delayed_keeps_its_timer(void)
{
    uint64_t now, due;
    acks_open("sim:ack5,clock=virtual");
    CHECK_EQ(take(1, IIP_TURN_FLUSH), 0);
    CHECK_EQ(next(IIP_TURN_FLUSH | IIP_TURN_DEADLINE), 0);
    due = b.turn.deadline_us;
    CHECK(due > b.turn.now_us && due <= b.turn.now_us + DELAY_US);
    CHECK_EQ(iip_engine_advance(b.engine, due - b.turn.now_us - 1, &now), IIP_OK);
    CHECK_EQ(next(IIP_TURN_FLUSH), 0);
    CHECK_EQ(iip_engine_advance(b.engine, 1, &now), IIP_OK);
    CHECK_EQ(next(0), 1);
    CHECK_EQ(take(two_segments() / 2, IIP_TURN_FLUSH), 0);
    CHECK_EQ(take(two_segments() / 2, IIP_TURN_FLUSH), 1); /* the second full one */
    acks_close();
}

int main(void)
{
    RUN(what_is_held_leaves_with_the_answer);
    RUN(what_is_held_leaves_by_itself_a_turn_later);
    RUN(what_is_held_leaves_on_flush);
    RUN(what_is_held_leaves_before_a_wait);
    RUN(what_is_delayed_keeps_its_timer);
    return check_done();
}

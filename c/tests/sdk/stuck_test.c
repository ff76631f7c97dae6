/* stuck_test.c - peers that do not read, more of them than there are last frames, beside one that does. */
#include "world.h"

enum { STUCK = 100, CONNS = STUCK + 1, BYTES = 200000, HOLD = 1 << 14 };

static uint64_t conns[CONNS];
static uint32_t left[CONNS]; /* bytes of each that its connection did not take yet */
static uint64_t got, held[HOLD];
static uint32_t held_n;

static void offer(uint32_t i)
{
    static const uint8_t bytes[BYTES];
    int32_t n = left[i] ? iip_conn_send(conns[i], bytes, left[i]) : 0;
    CHECK(n >= 0 || n == IIP_E_NOBUFS || n == IIP_E_AGAIN);
    left[i] -= n > 0 ? (uint32_t)n : 0;
}

static void told_again(struct side *a)
{
    uint32_t i, k;
    turn(a, IIP_TURN_FLUSH);
    for (i = 0; i < a->turn.event_n; i++) {
        for (k = 0; k < CONNS && conns[k] != event(a, i)->src; k++)
            ;
        if (event(a, i)->type == IIP_EVENT_WRITABLE && CHECK(k < CONNS))
            offer(k);
    }
}

/* Keeps what the stuck ones got, unless all may go on. */
static void receive(struct side *b, int all)
{
    uint32_t i;
    turn(b, IIP_TURN_FLUSH);
    for (i = 0; i < b->turn.event_n; i++) {
        const struct iip_event *e = event(b, i);
        if (e->type != IIP_EVENT_DATA)
            continue;
        got += all || e->src == b->conn ? e->len : 0;
        if (all || e->src == b->conn)
            release(b, e->buf);
        else if (CHECK(held_n < HOLD))
            held[held_n++] = e->buf;
    }
}

static void connects(struct side *a, struct side *b)
{
    uint32_t i;
    for (i = 0; i < CONNS; i++) {
        world_connect(a, b);
        conns[i] = a->conn;
        left[i] = BYTES;
    }
}

/* The same bytes again for the one that reads, and then for all, who are stuck no more. */
static void goes_on(struct side *a, struct side *b, uint64_t bytes, int all)
{
    time_t began = 0;
    while (got < bytes && patient(&began)) {
        told_again(a);
        receive(b, all);
    }
    CHECK_EQ(got, bytes);
}

static void who_reads_is_served(void)
{
    struct side a, b;
    struct iip_engine_cfg one = side_cfg("pair:stuck", 1), two = side_cfg("pair:stuck", 2);
    uint64_t kept = 0;
    uint32_t i;
    one.frames = 256;
    two.tunables = "tcp.rcvbuf=4096";
    if (!side_open(&a, &one) || !side_open(&b, &two))
        return;
    connects(&a, &b);
    for (i = 0; i < CONNS; i++)
        offer(i);
    goes_on(&a, &b, BYTES, 0);
    CHECK(a.turn.state & IIP_STATE_POOL_LOW);
    for (i = 0; i < STUCK; i++)
        kept += left[i];
    CHECK(kept > (uint64_t)STUCK * BYTES / 2);
    for (got = 0; held_n;) {
        struct iip_span span;
        CHECK_EQ(iip_buf_spans(held[--held_n], &span, 1), 1);
        got += span.len;
        CHECK_EQ(iip_buf_release(held[held_n]), IIP_OK);
    }
    goes_on(&a, &b, (uint64_t)STUCK * BYTES, 1);
    for (i = 0; i < CONNS; i++)
        CHECK_EQ(iip_conn_abort(conns[i]), IIP_OK);
    for (i = 0; i < 100; i++) {
        turn_seen(&a, IIP_TURN_FLUSH);
        turn_seen(&b, IIP_TURN_FLUSH);
    }
    world_close(&a, &b);
}

int main(void)
{
    RUN(who_reads_is_served);
    return check_done();
}

/* pool_test.c - few packet buffers: arrivals are copied, the window closes, and all of it recovers. */
#include "world.h"

enum { FRAMES = 512, HOLD = 1 << 16 };

static uint64_t held[HOLD];
static uint32_t held_n, copied;

/* Sends all the time; the other side keeps every buffer. Ends when nothing moves any more. */
static uint64_t starve(struct side *a, struct side *b, int large)
{
    static const uint8_t bytes[8900];
    uint64_t got = 0;
    int quiet = 0;
    held_n = copied = 0;
    while (quiet < 100) {
        uint32_t i;
        iip_conn_send(a->conn, bytes, large ? sizeof bytes : 1000);
        turn_seen(a, IIP_TURN_FLUSH);
        turn(b, IIP_TURN_FLUSH);
        quiet = b->turn.event_n ? 0 : quiet + 1;
        for (i = 0; i < b->turn.event_n; i++) {
            if (event(b, i)->type != IIP_EVENT_DATA)
                continue;
            got += event(b, i)->len;
            copied += (event(b, i)->flags & IIP_EVENT_COPIED) != 0;
            held[held_n++] = event(b, i)->buf;
        }
    }
    return got;
}

static void few(struct side *a, struct side *b, const char *port, uint64_t spill_bytes, const char *tunables)
{
    struct iip_engine_cfg one = side_cfg(port, 1), two = side_cfg(port, 2);
    two.frames = FRAMES;
    two.ring = 64;
    two.spill_bytes = spill_bytes;
    two.tunables = tunables;
    two.tx_free_cap = 16;
    /* Opened first, and with another pool, so that it gets copies in frames of its own: memory of the other is not lent. */
    if (!side_open(b, &two) || !side_open(a, &one))
        exit(1);
    world_connect(a, b);
}

/* The rest of the world still gets through while one connection holds all that it can. */
static void the_loop_lives_on(struct side *a, struct side *b)
{
    uint64_t lis, other = 0, old = b->conn;
    CHECK_EQ(iip_loop_listen(b->loop, ":81", 0, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a->loop, "10.0.0.2:81", 0, &other), IIP_OK);
    a->seen = b->seen = 0;
    b->got = 0;
    until(a, SAW_CONNECTED, b, SAW_ACCEPT);
    CHECK_EQ(iip_conn_send(other, "alive", 5), 5);
    until(a, 0, b, SAW_DATA);
    iip_conn_abort(other);
    iip_handle_close(lis);
    b->seen = 0;
    until(a, SAW_CLOSED, b, SAW_CLOSED);
    b->conn = old;
    a->seen = b->seen = 0;
}

static uint32_t uncredited(const struct side *s)
{
    struct iip_conn_info info = {.size = sizeof info};
    CHECK_EQ(iip_conn_info_get(s->conn, &info), IIP_OK);
    return info.uncredited;
}

/* All buffers are back: the window counts nothing any more, and buffers are not few. */
static void settles(struct side *s)
{
    turn(s, 0);
    turn(s, 0);
    CHECK(!(s->turn.state & IIP_STATE_POOL_LOW));
    CHECK_EQ(uncredited(s), 0);
}

/* Large packets become several copies, each with a buffer of its own. */
static void a_large_packet_is_copied_in_pieces(void)
{
    struct side a, b;
    uint32_t i;
    few(&a, &b, "pair:pool0,mtu=9000", 1 << 20, "tcp.rcvbuf=3800000");
    starve(&a, &b, 1);
    CHECK(copied > 0);
    for (i = held_n - 1; i; i--) /* the other way round than they came */
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    CHECK(uncredited(&b) > 8000); /* that is the window of the one that is left, and no more was given back than held */
    CHECK_EQ(iip_buf_release(held[0]), IIP_OK);
    settles(&b);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void arrivals_are_copied_and_frames_go_back(void)
{
    struct side a, b;
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t got;
    uint32_t i;
    few(&a, &b, "pair:pool1", 1 << 20, "tcp.rcvbuf=900000");
    got = starve(&a, &b, 0);
    CHECK(got > FRAMES * 1000); /* more than the frames could have held */
    CHECK(copied > 0);
    CHECK(b.turn.state & IIP_STATE_POOL_LOW);
    iip_loop_stats_get(b.loop, &stats);
    CHECK_EQ(stats.bufs_held, held_n);
    CHECK_EQ(stats.spill_copies, copied);
    CHECK(stats.frames_free > 0);
    the_loop_lives_on(&a, &b);
    for (i = 0; i < held_n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    settles(&b);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* What was refused comes again, when the sender's timer says so. */
static void recovers(struct side *a, struct side *b)
{
    struct iip_conn_info info = {.size = sizeof info};
    time_t began = 0;
    while (patient(&began)) {
        turn_seen(a, IIP_TURN_FLUSH);
        turn_seen(b, IIP_TURN_FLUSH);
        CHECK_EQ(iip_conn_info_get(a->conn, &info), IIP_OK);
        if (!info.unacked && !info.unsent)
            return;
        usleep(100);
    }
    CHECK(!"all that was sent was acknowledged");
}

/* At the cap of spill memory arrivals stay in their frames, and the window stops the sender. */
static void at_the_cap_it_still_stands(void)
{
    struct side a, b;
    uint32_t i;
    few(&a, &b, "pair:pool2", 16384, "tcp.rcvbuf=600000");
    starve(&a, &b, 0);
    CHECK_EQ(copied, 16384 / 2048);
    for (i = 0; i < held_n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    recovers(&a, &b);
    starve(&a, &b, 0); /* and again: all of it came back */
    CHECK_EQ(copied, 16384 / 2048);
    for (i = 0; i < held_n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    a.seen = b.seen = 0;
    the_loop_lives_on(&a, &b);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static uint32_t frames_free(const struct side *s)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    iip_loop_stats_get(s->loop, &stats);
    return (uint32_t)stats.frames_free;
}

/* Who takes all buffers that are laid out is told that they are few before more than a handful below the mark are his. */
static void below_the_low_mark_few_are_laid_out(void)
{
    struct side a;
    struct iip_engine_cfg cfg = side_cfg("pair:pool10", 1);
    uint32_t i, mark, low_turns = 0;
    held_n = 0;
    cfg.frames = FRAMES;
    cfg.tx_free_cap = 50;
    if (!side_open(&a, &cfg))
        return;
    turn(&a, 0);
    CHECK_EQ(a.turn.tx_free_n, 50);
    mark = (frames_free(&a) + a.turn.tx_free_n) / 4;
    while (a.turn.tx_free_n && held_n < FRAMES) {
        CHECK(frames_free(&a) >= mark || a.turn.tx_free_n <= 4);
        for (i = 0; i < a.turn.tx_free_n; i++)
            held[held_n++] = a.area.tx_free[i].buf;
        a.turn.tx_taken = a.turn.tx_free_n;
        turn(&a, 0);
        low_turns += (a.turn.state & IIP_STATE_POOL_LOW) != 0;
    }
    CHECK(low_turns >= mark / 4 / 4); /* the last quarter of what the mark keeps, four at a time */
    CHECK_EQ(frames_free(&a), mark - mark / 4);
    for (i = 0; i < held_n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    turn(&a, 0);
    turn(&a, 0);
    CHECK(!(a.turn.state & IIP_STATE_POOL_LOW));
    CHECK_EQ(a.turn.tx_free_n, 50);
    side_close(&a);
}

static uint64_t counter(const struct side *s, const char *name)
{
    uint64_t values[256] = {0};
    uint32_t i;
    iip_loop_counters(s->loop, values, 256);
    for (i = 0; iip_counter_name(i); i++)
        if (!strcmp(iip_counter_name(i), name))
            return values[i];
    CHECK(!"a counter of that name");
    return 0;
}

/* Byte i of the stream that `sender` sends and `keeper` checks. */
static uint8_t stream_byte(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

static uint64_t stream_send(struct side *a, uint64_t at, uint64_t end)
{
    uint8_t bytes[1000];
    uint32_t n = end - at < sizeof bytes ? (uint32_t)(end - at) : sizeof bytes;
    uint32_t i;
    int32_t sent;
    for (i = 0; i < n; i++)
        bytes[i] = stream_byte(at + i);
    sent = n ? iip_conn_send(a->conn, bytes, n) : 0;
    return at + (sent > 0 ? (uint64_t)sent : 0);
}

/* Checks the DATA of the last turn; keeps its buffers or gives them back. */
static uint64_t stream_take(struct side *b, uint64_t got, int keep)
{
    uint32_t i, k;
    for (i = 0; i < b->turn.event_n; i++) {
        const struct iip_event *ev = event(b, i);
        if (ev->type != IIP_EVENT_DATA)
            continue;
        for (k = 0; k < ev->len; k++, got++)
            if (((const uint8_t *)(uintptr_t)ev->addr)[k] != stream_byte(got))
                return CHECK(!"the stream is as it was sent");
        if (keep)
            held[held_n++] = ev->buf;
        else
            release(b, ev->buf);
    }
    return got;
}

/* A connection opens, is acknowledged and closes while text is refused. */
static void others_are_served(struct side *a, struct side *b)
{
    uint64_t lis, other = 0, theirs, kept = b->conn;
    CHECK_EQ(iip_loop_listen(b->loop, ":81", 0, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a->loop, "10.0.0.2:81", 0, &other), IIP_OK);
    a->seen = b->seen = 0;
    a->got = 0;
    until(a, SAW_CONNECTED, b, SAW_ACCEPT);
    theirs = b->conn;
    CHECK_EQ(iip_conn_send(theirs, "alive", 5), 5);
    until(a, SAW_DATA, b, 0);
    CHECK_EQ(a->got, 5);
    iip_conn_abort(other);
    iip_handle_close(lis);
    b->seen = 0;
    until(a, SAW_CLOSED, b, SAW_CLOSED);
    b->conn = kept;
}

/* More window than there are frames, spill memory full, every buffer kept: all but new text goes on, and it recovers. */
static void keeps_all(const char *port, uint32_t ring)
{
    enum { TOTAL = 3000000 };
    struct iip_engine_cfg one = side_cfg(port, 1), two = side_cfg(port, 2);
    struct side a, b;
    uint64_t sent = 0, got = 0;
    time_t began = 0;
    uint32_t i;
    two.frames = FRAMES;
    two.ring = ring;
    two.spill_bytes = 16384;
    two.tunables = "tcp.rcvbuf=4000000";
    two.tx_free_cap = 16;
    if (!side_open(&b, &two) || !side_open(&a, &one)) /* in this order: see few() */
        exit(1);
    world_connect(&a, &b);
    held_n = 0;
    for (i = 0; i < 3000; i++) {
        sent = stream_send(&a, sent, TOTAL);
        turn_seen(&a, IIP_TURN_FLUSH);
        turn(&b, IIP_TURN_FLUSH);
        got = stream_take(&b, got, 1);
    }
    CHECK(held_n > FRAMES / 4);
    CHECK(got < TOTAL);
    CHECK(counter(&b, "drop_pressure") > 0);
    others_are_served(&a, &b);
    for (i = 0; i < held_n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    while (got < TOTAL && patient(&began)) {
        sent = stream_send(&a, sent, TOTAL);
        turn_seen(&a, IIP_TURN_FLUSH);
        turn(&b, IIP_TURN_FLUSH);
        got = stream_take(&b, got, 0);
        if (!b.turn.event_n)
            usleep(50);
    }
    CHECK_EQ(got, TOTAL);
    settles(&b);
    iip_conn_abort(a.conn);
    a.seen = b.seen = 0;
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void one_that_keeps_all_starves_nobody(void)
{
    keeps_all("pair:pool4", 64);
}

static void nor_with_most_frames_in_the_ring(void)
{
    keeps_all("pair:pool5", 256);
}

static void buffers_to_write_run_out_with_an_error(void)
{
    struct side a, b;
    struct iip_loop_stats stats = {.size = sizeof stats};
    struct iip_span span;
    uint32_t n = 0, before, i, k;
    int32_t st;
    few(&a, &b, "pair:pool3", 1 << 20, NULL);
    while ((st = iip_buf_alloc(b.loop, &span)) == IIP_OK)
        held[n++] = span.buf;
    CHECK_EQ(st, IIP_E_NOBUFS);
    CHECK(n > FRAMES / 2);
    iip_loop_stats_get(b.loop, &stats);
    CHECK(stats.frames_free > FRAMES / 8); /* the reserve is not for those who write */
    turn(&b, IIP_TURN_FLUSH);
    CHECK(b.turn.state & IIP_STATE_POOL_LOW);
    /* What was taken from the front and cannot be replaced: the rest of the entries closes up. */
    before = b.turn.tx_free_n;
    for (i = 0; i < 6; i++)
        held[n++] = b.area.tx_free[i].buf;
    b.turn.tx_taken = 6;
    turn(&b, IIP_TURN_FLUSH);
    CHECK_EQ(b.turn.tx_free_n, before - 6);
    for (i = 0; i < b.turn.tx_free_n; i++) {
        CHECK_EQ(iip_buf_spans(b.area.tx_free[i].buf, &span, 1), 1);
        CHECK_EQ(span.addr, b.area.tx_free[i].addr);
        for (k = 0; k < 6; k++)
            CHECK(b.area.tx_free[i].buf != held[n - 1 - k]);
        for (k = 0; k < i; k++)
            CHECK(b.area.tx_free[i].buf != b.area.tx_free[k].buf);
    }
    while (n)
        CHECK_EQ(iip_buf_release(held[--n]), IIP_OK);
    the_loop_lives_on(&a, &b);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Whatever the application takes and keeps, the stack still answers: an application full of clients that do not read. */
static void the_last_buffers_are_the_stacks(void)
{
    struct side a, b;
    struct iip_span span;
    uint32_t n = 0, i, round;
    few(&a, &b, "pair:pool4", 1 << 20, NULL);
    for (round = 0; round < 200; round++) {
        for (i = 0; i < b.turn.tx_free_n; i++)
            held[n++] = b.area.tx_free[i].buf;
        b.turn.tx_taken = b.turn.tx_free_n;
        turn(&b, IIP_TURN_FLUSH);
        while (iip_buf_alloc(b.loop, &span) == IIP_OK)
            held[n++] = span.buf;
    }
    CHECK(n > FRAMES / 2);
    the_loop_lives_on(&a, &b);
    while (n)
        CHECK_EQ(iip_buf_release(held[--n]), IIP_OK);
    turn(&b, IIP_TURN_FLUSH);
    CHECK_EQ(iip_buf_alloc(b.loop, &span), IIP_OK);
    CHECK_EQ(iip_buf_release(span.buf), IIP_OK);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* However small the pool: a send by copy leaves what the stack needs to go on. */
static void small_pools_keep_their_last_buffers(void)
{
    static const uint8_t bytes[1000];
    uint32_t frames;
    for (frames = 16; frames <= 32; frames += 4) {
        struct side a, b;
        struct iip_engine_cfg one = side_cfg("pair:pool11", 1), two = side_cfg("pair:pool11", 2);
        uint32_t mark, i;
        one.frames = frames;
        one.ring = one.tx_free_cap = 1;
        if (!side_open(&a, &one) || !side_open(&b, &two))
            return;
        world_connect(&a, &b);
        mark = (frames_free(&a) + a.turn.tx_free_n) / 4;
        for (i = 0; i < 100 && iip_conn_send(a.conn, bytes, sizeof bytes) > 0; i++)
            ;
        CHECK(i < 100);
        CHECK(frames_free(&a) >= mark - mark / 4);
        iip_conn_abort(a.conn);
        until(&a, SAW_CLOSED, &b, SAW_CLOSED);
        world_close(&a, &b);
    }
}

/* A turn of one of two ends that both send: its first arrivals stay in spill memory for ever, all others are given back. */
static uint64_t exchange(struct side *s, uint32_t *kept)
{
    static const uint8_t bytes[1000];
    uint64_t got = 0;
    uint32_t i;
    while (iip_conn_send(s->conn, bytes, sizeof bytes) > 0)
        ;
    turn(s, IIP_TURN_FLUSH);
    for (i = 0; i < s->turn.event_n; i++) {
        const struct iip_event *ev = event(s, i);
        if (ev->type != IIP_EVENT_DATA)
            continue;
        got += ev->len;
        if (ev->flags & IIP_EVENT_COPIED && *kept < 8)
            held[held_n++] = ev->buf, ++*kept;
        else
            release(s, ev->buf);
    }
    return got;
}

/* Each end has filled its pool with what it sends, and its spill memory is kept: neither may wait for the other. */
static void two_that_send_all_they_can_go_on(void)
{
    enum { TOTAL = 3000000 };
    struct iip_engine_cfg one = side_cfg("pair:pool6", 1), two = side_cfg("pair:pool6", 2);
    struct side a, b;
    uint64_t got_a = 0, got_b = 0;
    uint32_t kept_a = 0, kept_b = 0;
    time_t began = 0;
    one.frames = two.frames = FRAMES;
    one.ring = two.ring = 64;
    one.spill_bytes = two.spill_bytes = 16384;
    one.tunables = two.tunables = "tcp.sndbuf=4000000,tcp.rcvbuf=1000000";
    if (!side_open(&b, &two) || !side_open(&a, &one))
        exit(1);
    world_connect(&a, &b);
    held_n = 0;
    while ((got_a < TOTAL || got_b < TOTAL) && patient(&began)) {
        got_a += exchange(&a, &kept_a);
        got_b += exchange(&b, &kept_b);
    }
    CHECK(got_a >= TOTAL);
    CHECK(got_b >= TOTAL);
    CHECK(held_n > 0);
    while (held_n)
        CHECK_EQ(iip_buf_release(held[--held_n]), IIP_OK);
    iip_conn_abort(a.conn);
    a.seen = b.seen = 0;
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

int main(void)
{
    RUN(a_large_packet_is_copied_in_pieces);
    RUN(arrivals_are_copied_and_frames_go_back);
    RUN(at_the_cap_it_still_stands);
    RUN(one_that_keeps_all_starves_nobody);
    RUN(nor_with_most_frames_in_the_ring);
    RUN(two_that_send_all_they_can_go_on);
    RUN(buffers_to_write_run_out_with_an_error);
    RUN(the_last_buffers_are_the_stacks);
    RUN(below_the_low_mark_few_are_laid_out);
    RUN(small_pools_keep_their_last_buffers);
    return check_done();
}

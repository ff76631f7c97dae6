/* send_test.c - what is taken in part, in which order, and who opens the window. */
#include "world.h"

enum { BIG = 3 << 20 }; /* more than the send buffer of a connection */

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

/* Reads everything that comes and compares it with the pattern. */
static uint64_t read_on(struct side *s, uint64_t at)
{
    uint32_t i, k;
    turn(s, IIP_TURN_FLUSH);
    for (i = 0; i < s->turn.event_n; i++) {
        const struct iip_event *ev = event(s, i);
        const uint8_t *bytes = (const uint8_t *)(uintptr_t)ev->addr;
        uint32_t wrong = 0;
        s->seen |= 1u << ev->type;
        if (ev->type != IIP_EVENT_DATA)
            continue;
        for (k = 0; k < ev->len; k++)
            wrong += bytes[k] != pattern(at + k);
        CHECK_EQ(wrong, 0);
        at += ev->len;
        release(s, ev->buf);
    }
    return at;
}

/* Offers more than fits, again and again: nothing is lost, doubled or out of order. */
static void partial_sends_keep_the_stream(void)
{
    static uint8_t bytes[BIG];
    struct side a, b;
    uint64_t sent = 0, got = 0;
    uint32_t i, part = 0, writable = 0;
    world_open(&a, &b, "pair:send1");
    world_connect(&a, &b);
    for (i = 0; i < BIG; i++)
        bytes[i] = pattern(i);
    while (got < BIG) {
        int32_t n = sent < BIG ? iip_conn_send(a.conn, bytes + sent, (uint32_t)(BIG - sent)) : 0;
        CHECK(n >= 0 || n == IIP_E_AGAIN);
        if (n > 0) {
            part += sent + (uint32_t)n < BIG;
            sent += (uint32_t)n;
        }
        a.seen = 0;
        turn_seen(&a, IIP_TURN_FLUSH);
        writable += (a.seen & SAW_WRITABLE) != 0;
        got = read_on(&b, got);
    }
    CHECK(part > 0);
    CHECK(writable > 0);
    CHECK_EQ(got, BIG);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* A send that is taken in part stops those behind it in the same turn, though they might fit. */
static void later_sends_of_a_turn_do_not_overtake(void)
{
    static uint8_t bytes[BIG];
    struct side a, b;
    struct iip_op *big, *small;
    uint64_t got = 0;
    uint32_t i;
    world_open(&a, &b, "pair:send2");
    world_connect(&a, &b);
    for (i = 0; i < BIG; i++)
        bytes[i] = pattern(i);
    big = next_op(&a, IIP_OP_SEND_COPY, a.conn);
    big->arg = (uintptr_t)bytes;
    big->len = BIG;
    small = next_op(&a, IIP_OP_SEND_COPY, a.conn);
    small->arg = (uintptr_t) "!";
    small->len = 1;
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(big->status, IIP_OK);
    CHECK(big->out > 0 && big->out < BIG);
    CHECK_EQ(small->status, IIP_E_AGAIN);
    CHECK_EQ(small->out, 0);
    CHECK_EQ(a.turn.op_short, 2);
    while (got < big->out) {
        got = read_on(&b, got);
        turn_seen(&a, IIP_TURN_FLUSH);
    }
    CHECK(a.seen & SAW_WRITABLE);
    CHECK_EQ(iip_conn_send(a.conn, bytes + got, 1), 1); /* the mark is gone */
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Also where the first was short of memory, and the second, which has its own, would fit. */
static void a_send_without_memory_is_not_overtaken_either(void)
{
    static uint64_t held[1024];
    struct iip_engine_cfg one = side_cfg("pair:send2b", 1), two = side_cfg("pair:send2b", 2);
    struct side a, b;
    struct iip_span span;
    struct iip_op *copy, *own;
    uint32_t n = 0;
    one.frames = 512;
    one.ring = 64;
    if (!side_open(&a, &one) || !side_open(&b, &two))
        exit(1);
    world_connect(&a, &b);
    while (iip_buf_alloc(a.loop, &span) == IIP_OK)
        held[n++] = span.buf;
    copy = next_op(&a, IIP_OP_SEND_COPY, a.conn);
    copy->arg = (uintptr_t)held;
    copy->len = sizeof held;
    own = next_op(&a, IIP_OP_SEND_BUF, a.conn);
    own->buf = held[0];
    own->len = 100;
    turn(&a, 0);
    CHECK_EQ(copy->status, IIP_E_NOBUFS);
    CHECK_EQ(copy->out, 0);
    CHECK_EQ(own->status, IIP_E_AGAIN);
    own = next_op(&a, IIP_OP_SEND_BUF, a.conn);
    own->buf = held[0];
    own->len = 100;
    turn(&a, IIP_TURN_FLUSH);
    CHECK_EQ(own->status, IIP_OK); /* the next turn may */
    while (--n)
        CHECK_EQ(iip_buf_release(held[n]), IIP_OK);
    until(&a, SAW_WRITABLE, &b, SAW_DATA);
    CHECK_EQ(b.got, 100);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static uint32_t uncredited(const struct side *s)
{
    struct iip_conn_info info = {.size = sizeof info};
    CHECK_EQ(iip_conn_info_get(s->conn, &info), IIP_OK);
    return info.uncredited;
}

/* A buffer that is taken in part stays the caller's, who offers the rest of it. */
static void the_rest_of_a_buffer_is_offered_again(void)
{
    struct side a, b;
    struct iip_span span;
    struct iip_op *op;
    uint64_t sent = 0, got = 0, off = 0;
    uint32_t i, rounds;
    world_open(&a, &b, "pair:send3");
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_SNDBUF, 4096), IIP_OK);
    for (rounds = 0; rounds < 20; rounds++) {
        CHECK_EQ(iip_buf_alloc(a.loop, &span), IIP_OK);
        for (i = 0; i < span.len; i++)
            ((uint8_t *)(uintptr_t)span.addr)[i] = pattern(sent + i);
        for (off = 0; off < span.len; off += op->out) {
            op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
            op->buf = span.buf;
            op->offset = (uint32_t)off;
            op->len = span.len - (uint32_t)off;
            turn_seen(&a, IIP_TURN_FLUSH);
            CHECK(op->status == IIP_OK || op->status == IIP_E_AGAIN);
            if (op->out < op->len)
                got = read_on(&b, got);
        }
        sent += span.len;
        CHECK_EQ(iip_buf_release(span.buf), IIP_E_STALE); /* taken whole in the end */
    }
    while (got < sent) {
        got = read_on(&b, got);
        turn_seen(&a, IIP_TURN_FLUSH);
    }
    CHECK_EQ(got, sent);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Sends until no more is taken and nothing moves; how much that was. */
static uint64_t fill(struct side *a, struct side *b, struct side *keep)
{
    static const uint8_t bytes[4096];
    uint64_t sent = 0;
    int quiet = 0;
    while (quiet < 50) {
        int32_t n = iip_conn_send(a->conn, bytes, sizeof bytes);
        quiet = n > 0 ? 0 : quiet + 1;
        sent += n > 0 ? (uint32_t)n : 0;
        turn_seen(a, IIP_TURN_FLUSH);
        turn(b, IIP_TURN_FLUSH);
        if (keep)
            for (uint32_t i = 0; i < b->turn.event_n; i++) {
                b->got += event(b, i)->len;
                release(keep, event(b, i)->buf);
            }
    }
    return sent;
}

/* With explicit credit, releasing buffers does not open the window; the operation does, byte for byte. */
static void explicit_credit_opens_the_window(void)
{
    struct side a, b;
    struct iip_op *op;
    uint64_t first, got;
    uint32_t whole, i;
    world_open(&a, &b, "pair:send4");
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_set(b.conn, IIP_OPT_EXPLICIT_CREDIT, 1), IIP_OK);
    CHECK_EQ(iip_conn_set(b.conn, IIP_OPT_EXPLICIT_CREDIT, 0), IIP_E_RANGE);
    op = next_op(&b, IIP_OP_CREDIT, b.conn);
    op->len = 1;
    first = fill(&a, &b, &b); /* all buffers are released, and yet it comes to rest */
    CHECK_EQ(op->status, IIP_E_RANGE); /* nothing was handed up then */
    CHECK(b.got > 0 && b.got < first);
    got = b.got;
    whole = uncredited(&b);
    CHECK(whole >= got); /* the window counts memory */
    for (i = 0; i < 3; i++) {
        op = next_op(&b, IIP_OP_CREDIT, b.conn);
        op->len = (uint32_t)(i < 2 ? got / 3 : got - 2 * (got / 3));
        CHECK_EQ(iip_loop_op(b.loop, op), IIP_OK);
        CHECK(labs((long)uncredited(&b) - (long)(whole / 3 * (2 - i))) < 10); /* a share for a share */
    }
    b.turn.op_n = 0;
    CHECK_EQ(uncredited(&b), 0);
    turn(&b, IIP_TURN_FLUSH);
    fill(&a, &b, &b);
    CHECK(b.got > got);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Without it, what is held closes the window and what is released opens it. */
static void released_buffers_open_the_window(void)
{
    static uint64_t held[65536];
    struct side a, b;
    uint32_t i, n = 0;
    uint64_t sent = 0, got = 0;
    int quiet = 0;
    world_open(&a, &b, "pair:send5");
    world_connect(&a, &b);
    while (quiet < 50) {
        static const uint8_t bytes[4096];
        int32_t k = iip_conn_send(a.conn, bytes, sizeof bytes);
        quiet = k > 0 ? 0 : quiet + 1;
        sent += k > 0 ? (uint32_t)k : 0;
        turn_seen(&a, IIP_TURN_FLUSH);
        turn(&b, IIP_TURN_FLUSH);
        for (i = 0; i < b.turn.event_n; i++) {
            got += event(&b, i)->len;
            held[n++] = event(&b, i)->buf;
        }
    }
    CHECK(got < sent); /* the window is closed over what is held */
    for (i = 0; i < n; i++)
        CHECK_EQ(iip_buf_release(held[i]), IIP_OK);
    b.got = got;
    while (b.got < sent) {
        turn_seen(&b, IIP_TURN_FLUSH);
        turn_seen(&a, IIP_TURN_FLUSH);
    }
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void a_shared_buffer_is_sent_and_stays(void)
{
    struct side a, b;
    struct iip_span span;
    struct iip_op *op;
    world_open(&a, &b, "pair:send6");
    world_connect(&a, &b);
    CHECK_EQ(iip_buf_alloc(a.loop, &span), IIP_OK);
    memcpy((void *)(uintptr_t)span.addr, "twice", 5);
    CHECK_EQ(iip_buf_retain(span.buf), IIP_OK);
    op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
    op->buf = span.buf;
    op->len = 5;
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(op->status, IIP_OK);
    op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
    op->buf = span.buf;
    op->len = 5;
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(op->status, IIP_OK);
    CHECK_EQ(iip_buf_release(span.buf), IIP_E_STALE);
    while (b.got < 10) {
        turn_seen(&b, IIP_TURN_FLUSH);
        turn_seen(&a, IIP_TURN_FLUSH);
    }
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* What an echo has not sent back yet. */
static struct {
    uint64_t buf;
    uint32_t off, len;
} backlog[65536];
static uint32_t backlog_first, backlog_end;

/* Offers buffers as they came, in order; what was taken in part is offered again. */
static void echo(struct side *s)
{
    struct iip_op *op;
    uint32_t i, n = backlog_end - backlog_first < 100 ? backlog_end - backlog_first : 100;
    for (i = 0; i < n; i++) {
        op = next_op(s, IIP_OP_SEND_BUF, s->conn);
        op->buf = backlog[backlog_first + i].buf;
        op->offset = backlog[backlog_first + i].off;
        op->len = backlog[backlog_first + i].len;
    }
    turn(s, IIP_TURN_FLUSH);
    for (i = 0; i < n; i++) {
        op = &s->area.ops[i];
        CHECK(op->status == IIP_OK || op->status == IIP_E_AGAIN);
        if (op->out == op->len) {
            backlog_first++;
            continue;
        }
        backlog[backlog_first].off += (uint32_t)op->out;
        backlog[backlog_first].len -= (uint32_t)op->out;
        break;
    }
    for (i = 0; i < s->turn.event_n; i++) {
        const struct iip_event *ev = event(s, i);
        if (ev->type != IIP_EVENT_DATA)
            continue;
        backlog[backlog_end].buf = ev->buf;
        backlog[backlog_end].off = 0;
        backlog[backlog_end++].len = ev->len;
        s->seen |= ev->flags & IIP_EVENT_MORE;
    }
}

/* Large packets arrive in several pieces of memory: each is an event with a buffer of its own, and can be sent back. */
static void pieces_of_large_packets_go_back_as_they_came(void)
{
    static uint8_t bytes[BIG];
    struct side a, b;
    uint64_t sent = 0, got = 0;
    uint32_t i;
    world_open(&a, &b, "pair:send8,tso=on");
    world_connect(&a, &b);
    backlog_first = backlog_end = 0;
    for (i = 0; i < BIG; i++)
        bytes[i] = pattern(i);
    while (got < BIG) {
        int32_t n = sent < BIG ? iip_conn_send(a.conn, bytes + sent, (uint32_t)(BIG - sent)) : 0;
        sent += n > 0 ? (uint32_t)n : 0;
        got = read_on(&a, got);
        echo(&b);
    }
    CHECK(b.seen & IIP_EVENT_MORE);
    CHECK_EQ(backlog_first, backlog_end);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* The end of the stream in the same operation as its last bytes. */
static void bytes_and_their_end_in_one_operation(void)
{
    struct side a, b;
    struct iip_op *op;
    world_open(&a, &b, "pair:send9");
    world_connect(&a, &b);
    op = next_op(&a, IIP_OP_SEND_COPY, a.conn);
    op->flags = IIP_OP_SHUT;
    op->arg = (uintptr_t) "the end";
    op->len = 7;
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(op->status, IIP_OK);
    until(&a, 0, &b, SAW_DATA | SAW_FIN);
    CHECK_EQ(b.got, 7);
    CHECK_EQ(iip_conn_send(a.conn, "more", 4), IIP_E_SHUTDOWN);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void options_and_cookies(void)
{
    struct side a, b;
    struct iip_conn_info info = {.size = sizeof info};
    struct iip_op *op;
    uint64_t value = 0;
    world_open(&a, &b, "pair:send10");
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_NODELAY, 1), IIP_OK);
    CHECK_EQ(iip_conn_get(a.conn, IIP_OPT_NODELAY, &value), IIP_OK);
    CHECK_EQ(value, 1);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_TTL, 0), IIP_E_RANGE);
    CHECK(iip_conn_set(a.conn, 63, 1) < 0);
    CHECK(iip_conn_get(a.conn, 63, &value) < 0);
    CHECK_EQ(iip_conn_get(a.conn, IIP_OPT_EXPLICIT_CREDIT, &value), IIP_OK);
    CHECK_EQ(value, 0);
    op = next_op(&b, IIP_OP_USER, b.conn);
    op->user = 0xfeedface12345678;
    turn(&b, 0);
    CHECK_EQ(iip_conn_info_get(b.conn, &info), IIP_OK);
    CHECK_EQ(info.user, 0xfeedface12345678);
    CHECK_EQ(iip_conn_info_get(a.conn, &info), IIP_OK);
    CHECK_EQ(info.user, 78);
    CHECK_EQ(info.mss, 1448);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void wrong_arguments_are_answered(void)
{
    struct side a, b;
    struct iip_span span;
    struct iip_op *op, *bad[5];
    uint32_t i;
    world_open(&a, &b, "pair:send7");
    world_connect(&a, &b);
    CHECK_EQ(iip_buf_alloc(a.loop, &span), IIP_OK);
    for (i = 0; i < 5; i++) {
        bad[i] = op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
        op->buf = span.buf;
        op->len = 1;
    }
    bad[0]->len = span.len + 1;
    bad[1]->offset = span.len;
    bad[2]->offset = UINT32_MAX, bad[2]->len = 2;
    bad[3]->len = 0;
    bad[4]->buf = a.conn;
    op = next_op(&a, IIP_OP_SEND_COPY, a.conn);
    op->len = 1;
    op = next_op(&a, 999, a.conn);
    next_op(&a, IIP_OP_CONNECT, 0)->aux = a.area.op_aux_bytes;
    next_op(&a, IIP_OP_CONNECT, 0)->aux = 63;
    next_op(&a, IIP_OP_CONNECT, 0); /* to nowhere */
    turn(&a, 0);
    CHECK_EQ(a.area.ops[7].status, IIP_E_RANGE);
    CHECK_EQ(a.area.ops[8].status, IIP_E_RANGE);
    CHECK_EQ(a.area.ops[9].status, IIP_E_INVAL);
    for (i = 0; i < 4; i++)
        CHECK_EQ(bad[i]->status, IIP_E_RANGE);
    CHECK_EQ(bad[4]->status, IIP_E_STALE);
    CHECK_EQ(a.area.ops[5].status, IIP_E_INVAL);
    CHECK_EQ(a.area.ops[6].status, IIP_E_NOT_SUPPORTED);
    CHECK_EQ(a.turn.op_short, 10);
    CHECK_EQ(iip_buf_release(span.buf), IIP_OK);
    a.turn.op_n = a.area.op_cap + 1;
    CHECK_EQ(iip_loop_turn(a.loop, &a.turn), IIP_E_RANGE);
    a.turn.op_n = 0;
    a.turn.tx_taken = a.turn.tx_free_n + 1;
    CHECK_EQ(iip_loop_turn(a.loop, &a.turn), IIP_E_RANGE);
    a.turn.tx_taken = 0;
    CHECK_EQ(iip_loop_turn(a.loop, NULL), IIP_E_INVAL);
    CHECK_EQ(iip_loop_turn(NULL, &a.turn), IIP_E_INVAL);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

int main(void)
{
    RUN(partial_sends_keep_the_stream);
    RUN(later_sends_of_a_turn_do_not_overtake);
    RUN(a_send_without_memory_is_not_overtaken_either);
    RUN(the_rest_of_a_buffer_is_offered_again);
    RUN(explicit_credit_opens_the_window);
    RUN(released_buffers_open_the_window);
    RUN(a_shared_buffer_is_sent_and_stays);
    RUN(pieces_of_large_packets_go_back_as_they_came);
    RUN(bytes_and_their_end_in_one_operation);
    RUN(options_and_cookies);
    RUN(wrong_arguments_are_answered);
    return check_done();
}

/* talk.c - one end of one connection: it sends what its number says, and knows what must come. */
#include <stdlib.h>
#include <string.h>

#include "soak.h"

enum { LATE = 64 };

struct talk *talk_new(struct side *s, uint64_t conn, uint64_t id)
{
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->conn = conn;
    t->id = id;
    if (id) {
        t->out = plan_of(id, !s->opens);
        t->in = plan_of(id, s->opens);
    }
    return t;
}

/* ---- sending ---- */

/* What an operation made of the stream; 0: the rest has to wait for WRITABLE. */
static int sent(struct talk *t, int32_t st, uint64_t out, uint32_t len)
{
    if (side_failed(st))
        wrong(&totals.errors, "a send: %s", iip_status_name(st));
    t->sent += out;
    t->blocked = out < len;
    return !t->blocked;
}

static int send_part(struct side *s, struct talk *t)
{
    struct iip_op op = {.code = IIP_OP_SEND_BUF, .obj = t->conn, .buf = t->part, .offset = t->part_at};
    op.len = t->part_end - t->part_at;
    iip_loop_op(s->loop, &op);
    t->part_at += (uint32_t)op.out;
    if (t->part_at == t->part_end)
        t->part = 0;
    return sent(t, op.status, op.out, op.len);
}

/* The bytes of the stream from t->sent on. */
static void write_content(const struct side *s, const struct talk *t, uint8_t *to, uint32_t n)
{
    content_fill(t->out.key, t->sent, to, n);
    if (s->opens && t->sent < ID_BYTES) {
        uint32_t skip = (uint32_t)t->sent;
        memcpy(to, (const uint8_t *)&t->id + skip, ID_BYTES - skip < n ? ID_BYTES - skip : n);
    }
}

static int send_buffer(struct side *s, struct talk *t, uint32_t n)
{
    struct iip_span span;
    if (iip_buf_alloc(s->loop, &span) != IIP_OK)
        return -1;
    t->part = span.buf;
    t->part_at = 0;
    t->part_end = n < span.len ? n : span.len;
    write_content(s, t, (uint8_t *)(uintptr_t)span.addr, t->part_end);
    return send_part(s, t);
}

static int send_copy(struct side *s, struct talk *t, uint32_t n)
{
    struct iip_op op = {.code = IIP_OP_SEND_COPY, .obj = t->conn, .arg = (uintptr_t)s->scratch, .len = n};
    write_content(s, t, s->scratch, n);
    iip_loop_op(s->loop, &op);
    return sent(t, op.status, op.out, n);
}

static void send_some(struct side *s, struct talk *t)
{
    uint64_t left = t->out.bytes - t->sent;
    uint32_t n = (uint32_t)(1 + rng_below(&s->rng, sizeof s->scratch));
    int way = -1;
    if (t->part) {
        send_part(s, t);
        return;
    }
    n = n < left ? n : (uint32_t)left;
    if (rng_below(&s->rng, 2))
        way = send_buffer(s, t, n);
    if (way < 0)
        send_copy(s, t, n);
}

/* All is sent. A connection that ends by FIN is closed as soon as the other side's FIN is there, too. */
static void finish(struct talk *t)
{
    int32_t st = IIP_OK;
    if (!t->finished)
        st = t->out.ending == END_ABORT  ? iip_conn_abort(t->conn)
            : t->out.ending == END_CLOSE ? iip_handle_close(t->conn)
                                         : iip_conn_shutdown(t->conn);
    if (side_failed(st))
        wrong(&totals.errors, "an end: %s", iip_status_name(st));
    t->finished = 1;
    if (t->fin && t->out.ending == END_FIN && side_failed(st = iip_handle_close(t->conn)))
        wrong(&totals.errors, "a close: %s", iip_status_name(st));
}

void talk_send(struct side *s, struct talk *t)
{
    if (!t->connected || !t->id || t->finished || t->blocked)
        return;
    if (t->sent < t->out.bytes)
        send_some(s, t);
    if (t->sent == t->out.bytes)
        finish(t);
    else if (!t->blocked)
        side_ready(s, t);
}

/* ---- receiving ---- */

/* The number of the connection, which the stream to the answering side begins with; returns the bytes that it took. */
static uint32_t take_number(struct side *s, struct talk *t, const uint8_t *bytes, uint32_t len)
{
    uint32_t n = 0;
    if (s->opens)
        return 0;
    while (t->got < ID_BYTES && n < len)
        t->number[t->got++] = bytes[n++];
    if (n && t->got == ID_BYTES) {
        memcpy(&t->id, t->number, ID_BYTES);
        t->out = plan_of(t->id, 1);
        t->in = plan_of(t->id, 0);
        side_ready(s, t);
    }
    return n;
}

static struct keeper *any_keeper(struct side *s)
{
    return &s->keepers[rng_below(&s->rng, s->options->threads)];
}

/* A second reference, to a part of the bytes, goes to another keeper. */
static void share(struct side *s, const struct kept *item)
{
    struct kept slice = *item;
    uint32_t skip = (uint32_t)rng_below(&s->rng, item->len);
    slice.bytes += skip;
    slice.offset += skip;
    slice.len = 1 + (uint32_t)rng_below(&s->rng, item->len - skip);
    slice.whole = 0;
    if (iip_buf_retain(item->buf) != IIP_OK)
        wrong(&totals.errors, "a buffer that is held cannot be retained");
    else
        keeper_give(any_keeper(s), &slice);
    atomic_fetch_add(&totals.retained, 1);
}

static void data(struct side *s, struct talk *t, const struct iip_event *e)
{
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)e->addr;
    uint32_t skip = take_number(s, t, bytes, e->len);
    struct kept item = {.buf = e->buf, .bytes = bytes + skip, .key = t->in.key, .offset = t->got, .len = e->len - skip};
    item.whole = skip == 0;
    t->got += item.len;
    atomic_fetch_add(&totals.bytes, e->len);
    atomic_fetch_add(&totals.copied, (e->flags & IIP_EVENT_COPIED) != 0);
    if (!item.len || !kept_check(&item, "when it arrives") || rng_below(&s->rng, 8) == 0) {
        s->area.releases[s->turn.release_n++] = e->buf;
        return;
    }
    if (rng_below(&s->rng, 8) == 0)
        share(s, &item);
    if (s->late.n < LATE && rng_below(&s->rng, 32) == 0)
        kept_add(&s->late, &item);
    else
        keeper_give(any_keeper(s), &item);
}

static void fin(struct talk *t)
{
    t->fin = 1;
    if (!t->id || t->got != t->in.bytes || t->in.ending == END_ABORT)
        wrong(&totals.errors, "FIN of %llu behind byte %llu of %llu", (unsigned long long)t->id,
              (unsigned long long)t->got, (unsigned long long)t->in.bytes);
    if (t->finished)
        finish(t);
}

/* Where both ends waited for each other, nothing may be missing. */
static void closed(struct side *s, const struct talk *t, int32_t status)
{
    int known = status == IIP_OK || status == IIP_E_RESET || status == IIP_E_ABORTED;
    if (!known)
        wrong(&totals.errors, "a connection ended by %s", iip_status_name(status));
    if (atomic_load(&s->phase) >= PHASE_CLOSE || !t->id || t->in.ending != END_FIN || t->out.ending != END_FIN)
        return;
    atomic_fetch_add(&totals.finished, 1);
    if (status != IIP_OK || !t->fin || t->got != t->in.bytes || t->sent != t->out.bytes)
        wrong(&totals.errors,
              "connection %llu, %s end, ended by %s, %s FIN, %llu of %llu bytes received, %llu of %llu sent",
              (unsigned long long)t->id, s->opens ? "opening" : "answering", iip_status_name(status),
              t->fin ? "with" : "without", (unsigned long long)t->got, (unsigned long long)t->in.bytes,
              (unsigned long long)t->sent, (unsigned long long)t->out.bytes);
}

void talk_event(struct side *s, struct talk *t, const struct iip_event *e)
{
    switch (e->type) {
    case IIP_EVENT_CONNECTED:
    case IIP_EVENT_ACCEPT:
        t->connected = 1;
        side_ready(s, t);
        break;
    case IIP_EVENT_WRITABLE:
        t->blocked = 0;
        side_ready(s, t);
        break;
    case IIP_EVENT_DATA:
        data(s, t, e);
        break;
    case IIP_EVENT_FIN:
        fin(t);
        break;
    case IIP_EVENT_CLOSED:
        closed(s, t, e->status);
        if (t->part && iip_buf_release(t->part) != IIP_OK)
            wrong(&totals.errors, "a buffer that was not sent is stale");
        break;
    default:
        break;
    }
}

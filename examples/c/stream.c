/*
 * stream.c - the two queues of a connection.
 *
 * Receiving: bytes stay where they arrived until the example has used them; a buffer that is not released keeps the
 * peer's window closed, and that is all the flow control that a server needs.
 *
 * Sending: the example writes into empty buffers that the turn laid out, and submits them. Whatever the stack does not
 * take stays ours, in order, until it says that there is room.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>

/* These programs write whole answers: waiting for the ACK of one piece before sending the last costs and gains nothing. */
static void no_delay(struct ex_loop *l, uint64_t conn)
{
    struct iip_op *op = ex_op(l, IIP_OP_SET, conn);
    if (!op)
        return; /* no room in this turn: it works with Nagle too */
    op->offset = IIP_OPT_NODELAY;
    op->arg = 1;
}

int ex_stream_init(struct ex_loop *l, struct ex_stream *s, uint64_t conn)
{
    no_delay(l, conn);
    memset(s, 0, sizeof *s);
    ex_list_init(&s->ready);
    s->conn = conn;
    s->in_end = &s->in;
    iip_conn_set(conn, IIP_OPT_NODELAY, 1); /* we fill buffers ourselves: what we send shall leave */
    return ex_bind(l, conn, s);
}

static void ready_cut(struct ex_loop *l, struct ex_stream *s)
{
    if (ex_list_empty(&s->ready))
        return;
    ex_list_cut(&s->ready);
    l->ready_n--;
}

void ex_stream_end(struct ex_loop *l, struct ex_stream *s)
{
    uint32_t i;
    ready_cut(l, s);
    while (s->in)
        ex_data_used(l, s, s->in->len);
    for (i = 0; i < s->held_n; i++)
        ex_release(l, s->held[i].buf);
    for (i = 0; s->burst && i < l->turn.op_n; i++) { /* sends of this very turn have nobody to report to now */
        if (l->op_owner[i] == s)
            l->op_owner[i] = NULL;
    }
    ex_bind(l, s->conn, NULL);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

int ex_data_put(struct ex_loop *l, struct ex_stream *s, const struct iip_event *e)
{
    struct ex_data *data = malloc(sizeof *data);
    if (!data) {
        ex_release(l, e->buf);
        iip_conn_abort(s->conn);
        return -1;
    }
    data->next = NULL;
    data->buf = e->buf;
    data->bytes = (const uint8_t *)(uintptr_t)e->addr;
    data->len = e->len;
    *s->in_end = data;
    s->in_end = &data->next;
    return 0;
}

void ex_data_used(struct ex_loop *l, struct ex_stream *s, uint32_t n)
{
    struct ex_data *data = s->in;
    data->bytes += n;
    data->len -= n;
    if (data->len)
        return;
    s->in = data->next;
    if (!s->in)
        s->in_end = &s->in;
    ex_release(l, data->buf);
    free(data);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static void go_on_later(struct ex_loop *l, struct ex_stream *s)
{
    if (!ex_list_empty(&s->ready))
        return;
    ex_list_put(&l->ready, &s->ready);
    l->ready_n++;
}

static void submit(struct ex_loop *l, struct ex_stream *s, const struct ex_piece *piece)
{
    struct iip_op *op = ex_op(l, IIP_OP_SEND_BUF, s->conn);
    if (!op) { /* cannot happen while has_room is asked first; the stream would have a hole, so it ends */
        ex_release(l, piece->buf);
        iip_conn_abort(s->conn);
        return;
    }
    op->buf = piece->buf;
    op->offset = piece->offset;
    op->len = piece->len;
    op->flags = (uint16_t)piece->flags;
    l->op_owner[l->turn.op_n - 1] = s;
    s->burst++;
}

/* A quarter of the operations is left to those that are not sends. */
static int has_room(const struct ex_loop *l, uint32_t n)
{
    return l->turn.op_n + n <= l->area.op_cap / 4 * 3;
}

/* Offers all that is held, or nothing in this turn: results come back in the order of the stream. 1: nothing is held. */
static int offer(struct ex_loop *l, struct ex_stream *s)
{
    uint32_t n = s->held_n;
    uint32_t i;
    if (!has_room(l, n)) {
        go_on_later(l, s);
        return 0;
    }
    s->held_n = 0;
    for (i = 0; i < n; i++)
        submit(l, s, &s->held[i]);
    return 1;
}

const struct iip_span *ex_take(struct ex_loop *l, struct ex_stream *s)
{
    if (s->blocked || (s->held_n && !offer(l, s)))
        return NULL;
    if (s->burst < EX_BURST && l->turn.tx_taken < l->turn.tx_free_n && has_room(l, 1))
        return &l->area.tx_free[l->turn.tx_taken++];
    go_on_later(l, s);
    return NULL;
}

void ex_send(struct ex_loop *l, struct ex_stream *s, const struct iip_span *to, uint32_t len)
{
    struct ex_piece piece = {to->buf, 0, len, 0};
    submit(l, s, &piece);
}

/* The end goes with the last bytes: an operation of its own might be done although those were not taken. */
void ex_shut(struct ex_loop *l, struct ex_stream *s)
{
    uint32_t i = l->turn.op_n;
    if (s->shut)
        return;
    s->shut = 1;
    if (s->held_n) {
        s->held[s->held_n - 1].flags |= IIP_OP_SHUT;
    } else if (s->burst) {
        while (i-- && l->op_owner[i] != s)
            ;
        l->area.ops[i].flags |= IIP_OP_SHUT;
    } else if (!ex_op(l, IIP_OP_SHUTDOWN, s->conn)) {
        iip_conn_shutdown(s->conn); /* no room, and nothing of ours waits in front of it */
    }
}

void ex_writable(struct ex_loop *l, struct ex_stream *s)
{
    s->blocked = 0;
    offer(l, s);
}

/* It did not fit, or buffers or memory ran out: WRITABLE will come. Else the connection is over, as its CLOSED says. */
static int is_for_later(int32_t status)
{
    uint32_t class = iip_status_class(status);
    return status >= 0 || class == IIP_CLASS_RETRY || class == IIP_CLASS_RESOURCE;
}

/* What a send of the last turn left over is held, in order. */
static void hold(struct ex_stream *s, const struct iip_op *op)
{
    struct ex_piece *piece = &s->held[s->held_n++];
    piece->buf = op->buf;
    piece->offset = op->offset + (uint32_t)op->out;
    piece->len = op->len - (uint32_t)op->out;
    piece->flags = op->flags;
    s->blocked = 1;
}

void ex_sent(struct ex_loop *l)
{
    uint32_t i;
    for (i = 0; i < l->ops_done; i++) {
        const struct iip_op *op = &l->area.ops[i];
        struct ex_stream *s = l->op_owner[i];
        if (op->code != IIP_OP_SEND_BUF)
            continue;
        if (s)
            s->burst = 0;
        if (op->out == op->len)
            continue;
        if (s && is_for_later(op->status))
            hold(s, op);
        else
            ex_release(l, op->buf);
    }
}

struct ex_stream *ex_ready_next(struct ex_loop *l, uint32_t *left)
{
    struct ex_stream *s;
    if (!*left || ex_list_empty(&l->ready))
        return NULL;
    (*left)--;
    s = (struct ex_stream *)(void *)l->ready.next; /* `ready` is its first member */
    ready_cut(l, s);
    if (s->held_n && !s->blocked)
        offer(l, s);
    return s;
}

/* act.c - anything that is allowed. */
#include "monkey.h"

static struct iip_op *op(struct monkey *m, uint32_t code, struct monkey_conn *c)
{
    struct iip_op *o;
    if (m->s.turn.op_n == m->s.area.op_cap)
        return NULL;
    m->sent[m->s.turn.op_n].conn = c;
    m->sent[m->s.turn.op_n].handle = c ? c->handle : 0;
    o = next_op(&m->s, code, c ? c->handle : 0);
    o->user = m->s.turn.op_n;
    return o;
}

/* ---- opening ---- */

static void act_listen(struct monkey *m)
{
    if (m->listener) {
        struct iip_op *o = op(m, IIP_OP_CLOSE, NULL);
        if (o)
            o->obj = m->listener;
    } else if (iip_loop_listen(m->s.loop, ":80", 1, &m->listener) != IIP_OK) {
        monkey_fail(m, "listen failed");
    }
}

static void act_connect(struct monkey *m)
{
    struct iip_addrs ends;
    struct iip_op o;
    memset(&ends, 0, sizeof ends);
    memset(&o, 0, sizeof o);
    ends.peer = m->run->side[!m->index].address;
    o.code = IIP_OP_CONNECT;
    o.arg = (uintptr_t)&ends;
    if (!monkey_conn_find(m, 0) || iip_loop_op(m->s.loop, &o) != IIP_OK)
        return;
    monkey_conn_new(m, o.out, 0);
}

/* ---- sending ---- */

static int may_send(const struct monkey_conn *c)
{
    return c && c->connected && !c->shut && !c->closed && !c->posted;
}

static uint32_t some(struct monkey *m, uint32_t most)
{
    return 1 + monkey_below(m->run, monkey_below(m->run, 3) ? most : 10);
}

static void act_send_copy(struct monkey *m, struct monkey_conn *c)
{
    struct iip_op *o = may_send(c) ? op(m, IIP_OP_SEND_COPY, c) : NULL;
    if (!o)
        return;
    o->len = some(m, MONKEY_CHUNK);
    o->arg = (uintptr_t)monkey_stream(c, c->sent + c->claimed);
    c->claimed += o->len;
}

static void act_send_extern(struct monkey *m, struct monkey_conn *c)
{
    struct iip_op *o = may_send(c) ? op(m, IIP_OP_SEND_EXTERN, c) : NULL;
    if (!o)
        return;
    o->len = some(m, MONKEY_CHUNK);
    o->buf = m->region;
    o->arg = (uint64_t)(monkey_stream(c, c->sent + c->claimed) - iip_monkey_bytes);
    c->claimed += o->len;
}

static void act_send_buf(struct monkey *m, struct monkey_conn *c)
{
    struct iip_span span;
    struct iip_op *o;
    int laid_out = m->s.turn.tx_taken < m->s.turn.tx_free_n;
    if (!may_send(c) || m->s.turn.op_n == m->s.area.op_cap || m->held_n == MONKEY_HELD)
        return;
    if (laid_out)
        span = m->s.area.tx_free[m->s.turn.tx_taken++];
    else if (iip_buf_alloc(m->s.loop, &span) != IIP_OK)
        return;
    o = op(m, IIP_OP_SEND_BUF, c);
    o->buf = span.buf;
    o->len = some(m, span.len < MONKEY_CHUNK ? span.len : MONKEY_CHUNK);
    memcpy((void *)(uintptr_t)span.addr, monkey_stream(c, c->sent + c->claimed), o->len);
    c->claimed += o->len;
}

/* Through the queue of other threads, although it is our own: DONE tells. */
static void act_post(struct monkey *m, struct monkey_conn *c)
{
    struct iip_op o;
    if (!may_send(c) || c->claimed)
        return;
    memset(&o, 0, sizeof o);
    o.code = IIP_OP_SEND_COPY;
    o.flags = IIP_OP_REPLY;
    o.obj = c->handle;
    o.len = some(m, MONKEY_CHUNK);
    o.user = c->handle;
    o.arg = (uintptr_t)monkey_stream(c, c->sent);
    c->posted = iip_loop_post(m->s.loop, &o, 1) == IIP_OK ? o.len : 0;
}

/* ---- ending ---- */

static void act_end(struct monkey *m, struct monkey_conn *c)
{
    static const uint16_t code[] = {IIP_OP_SHUTDOWN, IIP_OP_SHUTDOWN, IIP_OP_CLOSE, IIP_OP_ABORT};
    uint32_t how = monkey_below(m->run, 4);
    if (!c || !c->connected || c->posted || !op(m, code[how], c))
        return;
    c->shut = 1;
    c->closed |= how >= 2;
}

/* ---- buffers and timers ---- */

static void act_release(struct monkey *m)
{
    uint64_t buf = monkey_unhold(m);
    if (!buf)
        return;
    if (m->s.turn.release_n < m->s.area.release_cap && monkey_below(m->run, 4))
        release(&m->s, buf);
    else if (iip_buf_release(buf))
        monkey_fail(m, "a buffer that was never released is stale");
}

void monkey_release_all(struct monkey *m)
{
    while (m->held_n)
        act_release(m);
}

static void act_timer(struct monkey *m)
{
    uint64_t *timer = &m->timers[monkey_below(m->run, MONKEY_TIMERS)];
    struct iip_op o;
    memset(&o, 0, sizeof o);
    if (*timer) {
        if (iip_handle_close(*timer) != IIP_OK)
            monkey_fail(m, "a timer that did not fire cannot be cancelled");
        *timer = 0;
        return;
    }
    o.code = IIP_OP_TIMER;
    o.arg = monkey_below(m->run, 1000000);
    if (iip_loop_op(m->s.loop, &o) == IIP_OK)
        *timer = o.out;
}

static void act_look(const struct monkey_conn *c)
{
    struct iip_conn_info info = {.size = sizeof info};
    if (c)
        iip_conn_info_get(c->handle, &info);
}

static void act_once(struct monkey *m)
{
    struct monkey_conn *c = monkey_conn_any(m);
    switch (monkey_below(m->run, 32)) {
    case 0:
        act_listen(m);
        break;
    case 1:
    case 2:
        act_connect(m);
        break;
    case 3:
        act_end(m, c);
        break;
    case 4:
        act_timer(m);
        break;
    case 5:
        act_look(c);
        break;
    case 6:
        act_post(m, c);
        break;
    case 7:
    case 8:
        act_send_extern(m, c);
        break;
    case 9:
    case 10:
    case 11:
        act_send_buf(m, c);
        break;
    case 12:
    case 13:
    case 14:
        act_send_copy(m, c);
        break;
    default:
        act_release(m);
    }
}

void monkey_act(struct monkey *m)
{
    uint32_t n = monkey_below(m->run, 12);
    while (n--)
        act_once(m);
}

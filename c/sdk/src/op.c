/* op.c - operations: one function a code, in a table. */
#include <string.h>

#include "op.h"

struct iip_obj *iip_op_conn(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->conns, op->obj);
    *status = !obj ? IIP_E_STALE : !obj->core ? IIP_E_CLOSED : IIP_OK;
    return obj;
}

struct iip_obj *iip_op_udp(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->udps, op->obj);
    *status = obj ? IIP_OK : IIP_E_STALE;
    return obj;
}

/* The addresses of an operation; a pair of zeros where it names none. */
int32_t iip_op_addrs(const struct iip_loop *loop, const struct iip_op *op, struct iip_endpoint *local,
                     struct iip_endpoint *peer)
{
    static const struct iip_addrs none;
    const struct iip_addrs *addrs = &none;
    uint32_t i = op->aux / (uint32_t)sizeof *addrs;
    if (op->aux) {
        if (op->aux % sizeof *addrs || i > loop->op_cap)
            return IIP_E_RANGE;
        addrs = &loop->op_aux[i];
    } else if (op->arg) {
        addrs = (const struct iip_addrs *)(uintptr_t)op->arg;
    }
    iip_addr_to(local, &addrs->local);
    iip_addr_to(peer, &addrs->peer);
    return IIP_OK;
}

int iip_op_any(const struct iip_endpoint *e)
{
    static const struct iip_ip any;
    return !e->port && !memcmp(&e->ip, &any, sizeof any);
}

static int32_t iip_op_nop(struct iip_loop *loop, struct iip_op *op)
{
    (void)loop;
    (void)op;
    return IIP_OK;
}

/* ---- new objects ---- */

static int32_t iip_op_connect(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_tcp_conn *conn;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = iip_conn_take(loop, NULL, op->user);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_tcp_connect(loop->stk, iip_op_any(&local) ? NULL : &local, &peer, obj, &conn);
    if (st) {
        iip_conn_put(loop, obj);
        return st;
    }
    obj->core = conn;
    op->out = iip_slot_handle(&loop->conns, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_listen(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_tcp_listener *lis;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = (struct iip_obj *)iip_slots_take(&loop->listeners);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_tcp_listen(loop->stk, &local, op->len ? op->len : IIP_BACKLOG, obj, &lis);
    if (st) {
        iip_slots_put(&loop->listeners, &obj->slot);
        return st;
    }
    obj->core = lis;
    obj->user = op->user;
    op->out = iip_slot_handle(&loop->listeners, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_udp_open(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_udp_sock *sock;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = (struct iip_obj *)iip_slots_take(&loop->udps);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_udp_open(loop->stk, &local, iip_op_any(&peer) ? NULL : &peer, obj, &sock);
    if (st) {
        iip_slots_put(&loop->udps, &obj->slot);
        return st;
    }
    obj->core = sock;
    obj->user = op->user;
    op->out = iip_slot_handle(&loop->udps, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_timer(struct iip_loop *loop, struct iip_op *op)
{
    uint64_t at = op->arg;
    if (!(op->flags & IIP_OP_ABSOLUTE))
        at = op->arg > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + op->arg;
    return iip_alarm_set(loop, at, op->user, &op->out);
}

/* ---- connections ---- */

static int32_t iip_op_credit(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return obj ? iip_conn_credit_explicit(loop, obj, op->len) : st;
}

static int32_t iip_op_shutdown(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_shutdown(loop->stk, obj->core);
}

static int32_t iip_op_abort(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_abort(loop->stk, obj->core);
}

static int32_t iip_op_urgent(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_urgent(loop->stk, obj->core);
}

/* ---- several kinds ---- */

static struct iip_slots *iip_op_table(struct iip_loop *loop, uint64_t handle)
{
    switch (iip_handle_kind(handle)) {
    case IIP_KIND_CONN:
        return &loop->conns;
    case IIP_KIND_LISTENER:
        return &loop->listeners;
    case IIP_KIND_UDP:
        return &loop->udps;
    default:
        return NULL;
    }
}

void iip_op_end_obj(struct iip_loop *loop, struct iip_slots *t, struct iip_obj *obj)
{
    if (t == &loop->listeners) {
        iip_tcp_unlisten(loop->stk, obj->core);
    } else {
        iip_event_forget(loop, obj);
        iip_udp_close(loop->stk, obj->core);
    }
    obj->core = NULL;
    iip_slots_put(t, &obj->slot);
}

static int32_t iip_op_close(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (iip_handle_kind(op->obj) == IIP_KIND_TIMER)
        return iip_alarm_cancel(loop, op->obj);
    if (!obj)
        return IIP_E_STALE;
    if (t == &loop->conns)
        return obj->core ? iip_tcp_close(loop->stk, obj->core) : IIP_E_CLOSED;
    if (iip_event_room(loop))
        return IIP_E_AGAIN;
    iip_event_tell(loop, op->obj, obj->user, IIP_EVENT_CLOSED, IIP_OK);
    iip_op_end_obj(loop, t, obj);
    return IIP_OK;
}

static int32_t iip_op_cancel(struct iip_loop *loop, struct iip_op *op)
{
    return iip_alarm_cancel(loop, op->obj);
}

static int32_t iip_op_udp_option(struct iip_loop *loop, struct iip_obj *obj, const struct iip_op *op)
{
    if (op->offset == IIP_OPT_TTL)
        return iip_udp_set(loop->stk, obj->core, IIP_UDP_TTL, op->arg);
    if (op->offset == IIP_OPT_DSCP)
        return iip_udp_set(loop->stk, obj->core, IIP_UDP_DSCP, op->arg);
    return IIP_E_NOT_FOUND;
}

static int32_t iip_op_set(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (!obj)
        return IIP_E_STALE;
    if (t == &loop->udps)
        return iip_op_udp_option(loop, obj, op);
    return t == &loop->conns ? iip_conn_option(loop, obj, op->offset, op->arg) : IIP_E_NOT_FOUND;
}

static int32_t iip_op_user(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (!obj)
        return IIP_E_STALE;
    obj->user = op->user;
    return IIP_OK;
}

typedef int32_t (*iip_op_fn)(struct iip_loop *loop, struct iip_op *op);

static const iip_op_fn iip_op_table_of[] = {
    [IIP_OP_NOP] = iip_op_nop,
    [IIP_OP_CONNECT] = iip_op_connect,
    [IIP_OP_LISTEN] = iip_op_listen,
    [IIP_OP_UDP_OPEN] = iip_op_udp_open,
    [IIP_OP_SEND_BUF] = iip_op_send_buf,
    [IIP_OP_SEND_EXTERN] = iip_op_send_extern,
    [IIP_OP_SEND_COPY] = iip_op_send_copy,
    [IIP_OP_UDP_SEND] = iip_op_udp_send,
    [IIP_OP_UDP_SEND_COPY] = iip_op_udp_send_copy,
    [IIP_OP_CREDIT] = iip_op_credit,
    [IIP_OP_SHUTDOWN] = iip_op_shutdown,
    [IIP_OP_CLOSE] = iip_op_close,
    [IIP_OP_ABORT] = iip_op_abort,
    [IIP_OP_TIMER] = iip_op_timer,
    [IIP_OP_CANCEL] = iip_op_cancel,
    [IIP_OP_SET] = iip_op_set,
    [IIP_OP_USER] = iip_op_user,
    [IIP_OP_URGENT] = iip_op_urgent,
};

int iip_op_sends(uint32_t code)
{
    return code == IIP_OP_SEND_BUF || code == IIP_OP_SEND_EXTERN || code == IIP_OP_SEND_COPY;
}

static int iip_op_makes(uint32_t code)
{
    return code == IIP_OP_CONNECT || code == IIP_OP_LISTEN || code == IIP_OP_UDP_OPEN || code == IIP_OP_TIMER;
}

static inline int32_t iip_op_do(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t code = op->code;
    int32_t st;
    op->out = 0;
    if (code >= sizeof iip_op_table_of / sizeof iip_op_table_of[0])
        st = IIP_E_NOT_SUPPORTED;
    else if (IIP_UNLIKELY(loop->closing) && iip_op_makes(code))
        st = IIP_E_CLOSED;
    else
        st = iip_op_table_of[code](loop, op);
    op->status = st;
    return st;
}

int32_t iip_op_apply(struct iip_loop *loop, struct iip_op *op)
{
    return iip_op_do(loop, op);
}

uint32_t iip_op_apply_all(struct iip_loop *loop, struct iip_op *ops, uint32_t n)
{
    const struct iip_op *end = ops + n;
    uint32_t failed = 0;
    for (; ops != end; ops++)
        failed += iip_op_do(loop, ops) < 0;
    return failed;
}

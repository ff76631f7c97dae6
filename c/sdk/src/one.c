/* one.c - one thing at a time, for C, tools and tests: each makes one operation and does it now. */
#include <string.h>

#include "sdk.h"

int32_t iip_loop_op(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_OP, .to = op});
    if (!op)
        return IIP_E_INVAL;
    st = iip_op_apply(loop, op);
    loop->stats.ops++;
    loop->stats.ops_failed += st < 0;
    iip_op_end(loop);
    return st;
}

/* An operation on the object that `handle` names. */
static int32_t iip_one(uint64_t handle, struct iip_op *op)
{
    struct iip_loop *loop = iip_loop_of(handle);
    op->obj = handle;
    return loop ? iip_loop_op(loop, op) : IIP_E_STALE;
}

static int32_t iip_one_open(struct iip_loop *loop, uint32_t code, const char *local, const char *peer, uint64_t user,
                            uint64_t *out)
{
    struct iip_addrs addrs;
    struct iip_op op = {.code = (uint16_t)code, .user = user, .arg = (uintptr_t)&addrs};
    int32_t st = IIP_OK;
    memset(&addrs, 0, sizeof addrs);
    if (!out || !(local || peer))
        return IIP_E_INVAL;
    if (local)
        st = iip_addr_parse(local, &addrs.local);
    if (!st && peer)
        st = iip_addr_parse(peer, &addrs.peer);
    if (!st)
        st = iip_loop_op(loop, &op);
    if (!st)
        *out = op.out;
    return st;
}

int32_t iip_loop_listen(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_LISTEN, local, NULL, user, out);
}

int32_t iip_loop_connect(struct iip_loop *loop, const char *peer, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_CONNECT, NULL, peer, user, out);
}

int32_t iip_loop_udp(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_UDP_OPEN, local, NULL, user, out);
}

int32_t iip_conn_send(uint64_t conn, const void *bytes, uint32_t len)
{
    struct iip_op op = {.code = IIP_OP_SEND_COPY, .len = len, .arg = (uintptr_t)bytes};
    int32_t st = iip_one(conn, &op);
    return st ? st : (int32_t)op.out;
}

int32_t iip_udp_send_to(uint64_t udp, const struct iip_addr *peer, const void *bytes, uint32_t len)
{
    struct iip_addrs addrs;
    struct iip_op op = {.code = IIP_OP_UDP_SEND_COPY, .len = len, .buf = (uintptr_t)bytes, .arg = (uintptr_t)&addrs};
    int32_t st;
    memset(&addrs, 0, sizeof addrs);
    if (peer)
        addrs.peer = *peer;
    st = iip_one(udp, &op);
    return st ? st : (int32_t)op.out;
}

int32_t iip_conn_shutdown(uint64_t conn)
{
    struct iip_op op = {.code = IIP_OP_SHUTDOWN};
    return iip_one(conn, &op);
}

int32_t iip_conn_abort(uint64_t conn)
{
    struct iip_op op = {.code = IIP_OP_ABORT};
    return iip_one(conn, &op);
}

int32_t iip_conn_set(uint64_t conn, uint32_t option, uint64_t value)
{
    struct iip_op op = {.code = IIP_OP_SET, .offset = option, .arg = value};
    return iip_one(conn, &op);
}

int32_t iip_handle_close(uint64_t handle)
{
    struct iip_op op = {.code = IIP_OP_CLOSE};
    return iip_one(handle, &op);
}

/* listen.c - listeners of the engine: each loop has one of its own that stands for it. */
#include <string.h>

#include "sdk.h"

static uint64_t iip_listen_handle(const struct iip_engine *engine, uint32_t i)
{
    return (uint64_t)IIP_KIND_LISTENER << IIP_HANDLE_KIND_SHIFT |
        (uint64_t)IIP_HANDLE_NO_LOOP << IIP_HANDLE_LOOP_SHIFT |
        (uint64_t)engine->listener_generation[i] << IIP_HANDLE_SLOT_BITS | i;
}

static void iip_listen_begin(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t i = (uint32_t)op->obj & IIP_SLOT_MASK;
    struct iip_op own = {.code = IIP_OP_LISTEN, .len = op->len, .user = op->user, .arg = op->arg};
    struct iip_obj *obj;
    op->status = iip_op_apply(loop, &own);
    if (op->status)
        return;
    obj = (struct iip_obj *)iip_slot_find(&loop->listeners, own.out);
    obj->slot.index |= IIP_OBJ_ENGINE;
    obj->slot.next = i + 1;
    loop->all[i].handle = op->obj;
    loop->all[i].own = own.out;
}

static void iip_listen_end(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t i = (uint32_t)op->obj & IIP_SLOT_MASK;
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->listeners, loop->all[i].own);
    op->status = IIP_OK;
    if (obj && loop->all[i].handle == op->obj)
        iip_op_end_obj(loop, &loop->listeners, obj);
    loop->all[i].own = 0;
}

/* Both always answer, see iip_engine_listen. */
void iip_listen_apply(struct iip_loop *loop, struct iip_op *op)
{
    op->out = op->obj;
    if (op->code == IIP_OP_LISTEN_ALL)
        iip_listen_begin(loop, op);
    else
        iip_listen_end(loop, op);
    op->out = op->obj;
}

/* All loops or none would need a vote; so a loop that has no room just now is asked again until it has. */
static int32_t iip_listen_post(struct iip_engine *engine, const struct iip_op *op)
{
    uint32_t i;
    int32_t st = IIP_OK;
    for (i = 0; i < engine->loop_n && !st; i++) {
        st = iip_post_put(&engine->loops[i]->post, op, 1);
        if (!st)
            iip_wake_now(engine->loops[i]);
    }
    return st;
}

static int32_t iip_listen_check(const struct iip_engine *engine)
{
    if (!engine)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    return iip_epoch_ok(engine->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_engine_listen(struct iip_engine *engine, const struct iip_addr *local, uint32_t backlog, uint64_t user,
                          uint64_t *out)
{
    struct iip_addrs addrs = {.local = {.port = 0}};
    struct iip_op op = {.code = IIP_OP_LISTEN_ALL, .flags = IIP_OP_REPLY, .len = backlog, .user = user};
    int32_t st = iip_listen_check(engine);
    uint32_t i;
    if (st)
        return st;
    if (!local || !out)
        return IIP_E_INVAL;
    addrs.local = *local;
    op.arg = (uintptr_t)&addrs;
    pthread_mutex_lock(&engine->lock);
    for (i = 0; i < IIP_LISTEN_ALL_MAX && engine->listener_live[i]; i++)
        ;
    st = i == IIP_LISTEN_ALL_MAX ? IIP_E_NOMEM : IIP_OK;
    if (!st) {
        engine->listener_live[i] = 1;
        op.obj = *out = iip_listen_handle(engine, i);
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : iip_listen_post(engine, &op);
}

int32_t iip_engine_unlisten(struct iip_engine *engine, uint64_t listener)
{
    struct iip_op op = {.code = IIP_OP_UNLISTEN_ALL, .flags = IIP_OP_REPLY, .obj = listener};
    int32_t st = iip_listen_check(engine);
    uint32_t i = (uint32_t)listener & IIP_SLOT_MASK;
    if (st)
        return st;
    if (i >= IIP_LISTEN_ALL_MAX)
        return IIP_E_STALE;
    pthread_mutex_lock(&engine->lock);
    if (!engine->listener_live[i] || iip_listen_handle(engine, i) != listener) {
        st = IIP_E_STALE;
    } else {
        engine->listener_live[i] = 0;
        engine->listener_generation[i] = (engine->listener_generation[i] + 1) & IIP_GENERATION_MASK;
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : iip_listen_post(engine, &op);
}

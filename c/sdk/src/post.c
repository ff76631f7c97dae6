/* post.c - operations from other threads: a bounded queue of cells, each with the turn whose it is. */
#include <stdlib.h>

#include "sdk.h"

int32_t iip_post_init(struct iip_post *post, uint32_t cap)
{
    uint32_t i;
    post->cells = calloc(cap, sizeof *post->cells);
    if (!post->cells)
        return IIP_E_NOMEM;
    post->mask = cap - 1;
    for (i = 0; i < cap; i++)
        atomic_store_explicit(&post->cells[i].turn, i, memory_order_relaxed);
    return IIP_OK;
}

static void iip_post_fill(struct iip_post_cell *cell, const struct iip_op *op)
{
    static const struct iip_addrs none;
    cell->op = *op;
    cell->addrs = none;
    if (op->arg &&
        (op->code == IIP_OP_CONNECT || op->code == IIP_OP_LISTEN || op->code == IIP_OP_UDP_OPEN ||
         op->code == IIP_OP_UDP_SEND || op->code == IIP_OP_UDP_SEND_COPY || op->code == IIP_OP_LISTEN_ALL)) {
        cell->addrs = *(const struct iip_addrs *)(uintptr_t)op->arg;
        cell->op.arg = (uintptr_t)&cell->addrs;
    }
}

/* The owner frees cells in order, so if the last of the n is free, all are. */
int32_t iip_post_put(struct iip_post *post, const struct iip_op *ops, uint32_t n)
{
    uint32_t tail = atomic_load_explicit(&post->tail, memory_order_relaxed);
    uint32_t i;
    if (n > post->mask + 1)
        return IIP_E_RANGE;
    do {
        uint32_t last = tail + n - 1;
        uint32_t turn = atomic_load_explicit(&post->cells[last & post->mask].turn, memory_order_acquire);
        if (turn != last) {
            uint32_t seen = tail;
            tail = atomic_load_explicit(&post->tail, memory_order_relaxed);
            if (tail == seen)
                return IIP_E_AGAIN;
            i = 0;
            continue;
        }
        i = atomic_compare_exchange_weak_explicit(&post->tail, &tail, tail + n, memory_order_relaxed,
                                                  memory_order_relaxed);
    } while (!i);
    for (i = 0; i < n; i++) {
        struct iip_post_cell *cell = &post->cells[(tail + i) & post->mask];
        iip_post_fill(cell, &ops[i]);
        atomic_store_explicit(&cell->turn, tail + i + 1, memory_order_release);
    }
    return IIP_OK;
}

int iip_post_any(const struct iip_post *post)
{
    uint32_t turn = atomic_load_explicit(&post->cells[post->head & post->mask].turn, memory_order_acquire);
    return turn == post->head + 1;
}

int iip_post_ready(const struct iip_loop *loop)
{
    return loop->told_n + 2 <= loop->told_mask && iip_post_any(&loop->post);
}

/* What an operation is called outside. */
static uint32_t iip_post_code(const struct iip_op *op)
{
    if (op->code == IIP_OP_LISTEN_ALL)
        return IIP_OP_LISTEN;
    return op->code == IIP_OP_UNLISTEN_ALL ? IIP_OP_CLOSE : op->code;
}

/* Who posted is told what he asked to know, and what he must know. */
static void iip_post_answer(struct iip_loop *loop, const struct iip_op *op)
{
    struct iip_event *ev;
    if (op->status >= 0 && !(op->flags & IIP_OP_REPLY) && !(iip_op_sends(op->code) && op->out < op->len))
        return;
    ev = iip_event_tell(loop, op->obj, op->user, IIP_EVENT_DONE, op->status);
    ev->value = op->out;
    ev->len = iip_post_code(op);
    if (op->code == IIP_OP_CONNECT || op->code == IIP_OP_LISTEN || op->code == IIP_OP_UDP_OPEN ||
        op->code == IIP_OP_TIMER)
        ev->src = op->out;
}

static void iip_post_one(struct iip_loop *loop, struct iip_op *op)
{
    if (op->code == IIP_OP_LISTEN_ALL || op->code == IIP_OP_UNLISTEN_ALL)
        iip_listen_apply(loop, op);
    else
        iip_op_apply(loop, op);
    loop->stats.ops++;
    loop->stats.ops_failed += op->status < 0;
    iip_post_answer(loop, op);
}

/* Each may make two events: its answer and a CLOSED. Where there is no room for them it waits. */
void iip_post_apply(struct iip_loop *loop)
{
    struct iip_post *post = &loop->post;
    while (iip_post_ready(loop)) {
        struct iip_post_cell *cell = &post->cells[post->head & post->mask];
        iip_post_one(loop, &cell->op);
        atomic_store_explicit(&cell->turn, post->head + post->mask + 1, memory_order_release);
        post->head++;
        loop->stats.posts++;
    }
}

int32_t iip_loop_post(struct iip_loop *loop, const struct iip_op *ops, uint32_t n)
{
    uint32_t i;
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    if (!ops && n)
        return IIP_E_INVAL;
    for (i = 0; i < n; i++)
        if (ops[i].code >= IIP_OP_LISTEN_ALL || ops[i].aux)
            return IIP_E_INVAL; /* the arena of addresses is the owner's */
    st = n ? iip_post_put(&loop->post, ops, n) : IIP_OK;
    if (!st)
        iip_wake_now(loop);
    return st;
}

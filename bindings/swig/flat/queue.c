/* queue.c - what goes into a loop's next turn: operations with their addresses and bytes, and buffers that go home. */
#include <stdlib.h>
#include <string.h>

#include "flat.h"

/* One operation that waits, and the memory that its fields name until the turn, or its answer, is over. */
struct flat_work {
    struct flat_work *next;
    struct iip_loop *loop; /* of a posted one */
    struct iip_op op;
    struct iip_addrs addrs;
    char bytes[];
};

/* Codes whose `arg` or `buf` is an address: they get one of our own, and never the caller's number. */
static int32_t flat_work_names(struct flat_work *work, uint32_t len)
{
    switch (work->op.code) {
    case IIP_OP_CONNECT:
    case IIP_OP_LISTEN:
    case IIP_OP_UDP_OPEN:
    case IIP_OP_UDP_SEND:
        work->op.arg = (uintptr_t)&work->addrs;
        return 0;
    case IIP_OP_UDP_SEND_COPY:
        work->op.arg = (uintptr_t)&work->addrs;
        work->op.buf = (uintptr_t)work->bytes;
        work->op.len = len;
        return 0;
    case IIP_OP_SEND_COPY:
        work->op.arg = (uintptr_t)work->bytes;
        work->op.len = len;
        return 0;
    default:
        return work->op.code > IIP_OP_URGENT ? IIP_E_INVAL : 0;
    }
}

static int32_t flat_work_addr(const char *text, struct iip_addr *out)
{
    int32_t status = text && *text ? iip_addr_parse(text, out) : 0;
    return status < 0 ? flat_fail(status, text) : 0;
}

static int32_t flat_work_new(const struct iip_op *op, const char *local, const char *peer, const void *bytes,
                             uint32_t len, struct flat_work **out)
{
    struct flat_work *work = !op || op->aux ? NULL : calloc(1, sizeof *work + len);
    int32_t status = work ? 0 : !op || op->aux ? IIP_E_INVAL : IIP_E_NOMEM;
    if (status < 0)
        return status;
    work->op = *op;
    if (len)
        memcpy(work->bytes, bytes, len);
    status = flat_work_names(work, len);
    if (status >= 0)
        status = flat_work_addr(local, &work->addrs.local);
    if (status >= 0)
        status = flat_work_addr(peer, &work->addrs.peer);
    if (status < 0)
        free(work);
    else
        *out = work;
    return status;
}

static void flat_work_append(struct flat_work **list, struct flat_work *work)
{
    while (*list)
        list = &(*list)->next;
    *list = work;
}

static void flat_work_free(struct flat_work **list)
{
    struct flat_work *work, *next;
    for (work = *list; work; work = next) {
        next = work->next;
        free(work);
    }
    *list = NULL;
}

/* ---- the owner's: before a turn, in it, behind it ---- */

/* Only the owner may touch the queue; its engine is pinned when this answers 0. */
static int32_t flat_queue_open(struct flat_loop *loop)
{
    struct iip_area area = {.size = sizeof area};
    int32_t status = loop ? flat_engine_pin(loop->engine) : IIP_E_INVAL;
    if (status < 0)
        return status;
    status = iip_loop_area(loop->raw, &area); /* E_WRONG_THREAD, E_FORKED */
    if (status >= 0)
        loop->area = area;
    else
        flat_engine_unpin(loop->engine);
    return status < 0 ? status : 0;
}

int32_t flat_loop_queue(struct flat_loop *loop, const struct iip_op *op, const char *local, const char *peer,
                        const void *bytes, uint32_t len)
{
    struct flat_work *work = NULL;
    int32_t status = flat_queue_open(loop);
    if (status < 0)
        return status;
    flat_engine_unpin(loop->engine);
    if (loop->op_n >= loop->area.op_cap)
        return flat_fail(IIP_E_AGAIN, "the next turn has no room for more operations");
    status = flat_work_new(op, local, peer, bytes, len, &work);
    if (status < 0)
        return status;
    flat_work_append(&loop->queue, work);
    return (int32_t)loop->op_n++;
}

int32_t flat_loop_release(struct flat_loop *loop, uint64_t buf)
{
    int32_t status = flat_queue_open(loop);
    if (status < 0)
        return status;
    flat_engine_unpin(loop->engine);
    if (loop->release_n >= loop->area.release_cap)
        return flat_fail(IIP_E_AGAIN, "the next turn has no room for more releases");
    if (!loop->releases)
        loop->releases = calloc(loop->area.release_cap, sizeof *loop->releases);
    if (!loop->releases)
        return IIP_E_NOMEM;
    loop->releases[loop->release_n++] = buf;
    return 0;
}

int64_t flat_loop_buffer(struct flat_loop *loop, const void *bytes, uint32_t len)
{
    struct iip_span span;
    int32_t status = flat_queue_open(loop);
    if (status < 0)
        return status;
    status = iip_buf_alloc(loop->raw, &span);
    if (status >= 0 && len > span.len) {
        iip_buf_release(span.buf);
        status = flat_fail(IIP_E_RANGE, "a buffer has no room for so many bytes");
    }
    if (status >= 0)
        memcpy((void *)(uintptr_t)span.addr, bytes, len);
    flat_engine_unpin(loop->engine);
    return status < 0 ? status : (int64_t)span.buf;
}

/* What waits goes into the area, for a turn of the owner. */
void flat_queue_lay(struct flat_loop *loop)
{
    struct flat_work *work;
    uint32_t i = 0;
    for (work = loop->queue; work; work = work->next)
        loop->area.ops[i++] = work->op;
    loop->turn.op_n = i;
    loop->turn.release_n = loop->release_n;
    if (loop->release_n)
        memcpy(loop->area.releases, loop->releases, loop->release_n * sizeof *loop->releases);
}

/* How it went is kept until the next turn; the memory is free. */
void flat_queue_done(struct flat_loop *loop)
{
    struct flat_work *work;
    uint32_t i = 0;
    for (work = loop->queue; work; work = work->next)
        work->op = loop->area.ops[i++];
    flat_work_free(&loop->done);
    loop->done = loop->queue;
    loop->queue = NULL;
    loop->op_n = loop->release_n = 0;
}

void flat_queue_free(struct flat_loop *loop)
{
    flat_work_free(&loop->queue);
    flat_work_free(&loop->done);
    free(loop->releases);
}

struct iip_op *flat_loop_done(struct flat_loop *loop, uint32_t i)
{
    struct flat_work *work = flat_queue_open(loop) < 0 ? NULL : loop->done;
    struct iip_op *op;
    if (work)
        flat_engine_unpin(loop->engine);
    for (; work && i; i--)
        work = work->next;
    op = work ? malloc(sizeof *op) : NULL;
    if (!op) {
        flat_fail(work ? IIP_E_NOMEM : IIP_E_RANGE, "the last turn had no such operation");
        return NULL;
    }
    *op = work->op;
    op->arg = 0; /* it may have been an address */
    if (op->code == IIP_OP_UDP_SEND_COPY)
        op->buf = 0;
    return op;
}

/* ---- from any thread: bytes of a posted send stay until its DONE ---- */

int32_t flat_loop_post_with(struct flat_loop *loop, const struct iip_op *op, const char *local, const char *peer,
                            const void *bytes, uint32_t len)
{
    struct flat_work *work = NULL;
    int32_t status = loop ? flat_engine_pin(loop->engine) : IIP_E_INVAL;
    if (status < 0)
        return status;
    status = flat_work_new(op, local, peer, bytes, len, &work);
    if (status >= 0) {
        int keeps = work->op.code == IIP_OP_SEND_COPY || work->op.code == IIP_OP_UDP_SEND_COPY;
        work->loop = loop->raw;
        if (keeps)
            work->op.flags |= IIP_OP_REPLY;
        pthread_mutex_lock(&loop->engine->lock);
        status = iip_loop_post(loop->raw, &work->op, 1);
        if (status >= 0 && keeps)
            flat_work_append(&loop->engine->posted, work);
        pthread_mutex_unlock(&loop->engine->lock);
        if (status < 0 || !keeps)
            free(work);
    }
    flat_engine_unpin(loop->engine);
    return status;
}

/* Answers come in the order in which the posts went, and each post that has bytes is answered. */
void flat_queue_answered(struct flat_loop *loop, const struct iip_event *event)
{
    struct flat_work **at = &loop->engine->posted, *work;
    if (event->type != IIP_EVENT_DONE || (event->len != IIP_OP_SEND_COPY && event->len != IIP_OP_UDP_SEND_COPY))
        return;
    pthread_mutex_lock(&loop->engine->lock);
    while (*at && (*at)->loop != loop->raw)
        at = &(*at)->next;
    work = *at;
    if (work)
        *at = work->next;
    pthread_mutex_unlock(&loop->engine->lock);
    free(work);
}

void flat_posted_free(struct flat_engine *engine)
{
    flat_work_free(&engine->posted);
}

/* loop.c - a loop's calls, each safe when its engine is closed. */
#include <stdlib.h>
#include <string.h>

#include "flat.h"

static int32_t flat_loop_pin(struct flat_loop *loop)
{
    return loop ? flat_engine_pin(loop->engine) : IIP_E_INVAL;
}

/* Calls that take the loop alone and return a status or a small number. */
static int32_t flat_loop_call(struct flat_loop *loop, int32_t (*call)(struct iip_loop *))
{
    int32_t status = flat_loop_pin(loop);
    if (status < 0)
        return status;
    status = call(loop->raw);
    flat_engine_unpin(loop->engine);
    return status;
}

void flat_loop_free(struct flat_loop *loop)
{
    if (!loop)
        return;
    flat_queue_free(loop);
    flat_engine_unref(loop->engine);
    free(loop);
}

int32_t flat_loop_attach(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_attach);
}

int32_t flat_loop_detach(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_detach);
}

int32_t flat_loop_close(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_close);
}

int32_t flat_loop_index(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_index);
}

int32_t flat_loop_wake(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_wake);
}

int32_t flat_loop_fd(struct flat_loop *loop)
{
    return flat_loop_call(loop, iip_loop_fd);
}

int32_t flat_loop_net(struct flat_loop *loop, int64_t wait_us)
{
    int32_t status = flat_loop_pin(loop);
    if (status < 0)
        return status;
    status = iip_loop_net(loop->raw, wait_us);
    flat_engine_unpin(loop->engine);
    return status;
}

int64_t flat_loop_now(struct flat_loop *loop)
{
    uint64_t now = 0;
    int32_t status = flat_loop_pin(loop);
    if (status < 0)
        return status;
    status = iip_loop_now(loop->raw, &now);
    flat_engine_unpin(loop->engine);
    return status < 0 ? status : (int64_t)now;
}

/* Calls that make an object at an address and return its handle. */
static int64_t flat_loop_make(struct flat_loop *loop, const char *where, uint64_t user,
                              int32_t (*make)(struct iip_loop *, const char *, uint64_t, uint64_t *))
{
    uint64_t handle = 0;
    int32_t status = where ? flat_loop_pin(loop) : IIP_E_INVAL;
    if (status < 0)
        return flat_fail(status, NULL);
    status = make(loop->raw, where, user, &handle);
    flat_engine_unpin(loop->engine);
    return status < 0 ? flat_fail(status, where) : (int64_t)handle;
}

int64_t flat_loop_listen(struct flat_loop *loop, const char *local, uint64_t user)
{
    return flat_loop_make(loop, local, user, iip_loop_listen);
}

int64_t flat_loop_connect(struct flat_loop *loop, const char *peer, uint64_t user)
{
    return flat_loop_make(loop, peer, user, iip_loop_connect);
}

int64_t flat_loop_udp(struct flat_loop *loop, const char *local, uint64_t user)
{
    return flat_loop_make(loop, local, user, iip_loop_udp);
}

/* Operations whose fields name memory or buffers are not for scripts: a wrong number there is a crash or a theft. */
static int flat_op_is_plain(const struct iip_op *op)
{
    switch (op->code) {
    case IIP_OP_NOP:
    case IIP_OP_CREDIT:
    case IIP_OP_SHUTDOWN:
    case IIP_OP_CLOSE:
    case IIP_OP_ABORT:
    case IIP_OP_TIMER:
    case IIP_OP_CANCEL:
    case IIP_OP_SET:
    case IIP_OP_USER:
    case IIP_OP_URGENT:
        return op->aux == 0;
    default:
        return 0;
    }
}

static int32_t flat_op_check(struct flat_loop *loop, const struct iip_op *op)
{
    if (!op)
        return IIP_E_INVAL;
    if (!flat_op_is_plain(op))
        return flat_fail(IIP_E_NOT_SUPPORTED, "opening and sending have methods of their own");
    return flat_loop_pin(loop);
}

int64_t flat_loop_op(struct flat_loop *loop, struct iip_op *op)
{
    int32_t status = flat_op_check(loop, op);
    if (status < 0)
        return status;
    status = iip_loop_op(loop->raw, op);
    flat_engine_unpin(loop->engine);
    return status < 0 ? status : (int64_t)op->out;
}

int32_t flat_loop_post(struct flat_loop *loop, const struct iip_op *op)
{
    int32_t status = flat_op_check(loop, op);
    if (status < 0)
        return status;
    status = iip_loop_post(loop->raw, op, 1);
    flat_engine_unpin(loop->engine);
    return status;
}

int64_t flat_loop_timer(struct flat_loop *loop, uint64_t us, uint64_t user)
{
    struct iip_op op = {.code = IIP_OP_TIMER, .arg = us, .user = user};
    return flat_loop_op(loop, &op);
}

/* What a SEND_BUF took: the reference with all of it, or a part. */
static int32_t flat_event_sent(struct flat_event *event, const struct iip_op *op)
{
    event->sent += (uint32_t)op->out;
    if (op->out == op->len)
        return 1;
    atomic_store(&event->owns, 1);
    return 0;
}

int32_t flat_loop_send_event(struct flat_loop *loop, uint64_t conn, struct flat_event *event)
{
    struct iip_op op = {.code = IIP_OP_SEND_BUF, .obj = conn};
    int32_t status = event ? flat_loop_pin(loop) : IIP_E_INVAL;
    if (status < 0)
        return status;
    if (!atomic_exchange(&event->owns, 0)) {
        flat_engine_unpin(loop->engine);
        return IIP_E_STALE;
    }
    op.buf = event->is.buf;
    op.offset = event->sent;
    op.len = event->is.len - event->sent;
    status = iip_loop_op(loop->raw, &op);
    flat_engine_unpin(loop->engine);
    if (status < 0 && !flat_not_now(status)) {
        atomic_store(&event->owns, 1);
        return status;
    }
    return flat_event_sent(event, &op);
}

int64_t flat_loop_conn_after(struct flat_loop *loop, uint64_t after)
{
    uint64_t conn = 0;
    int32_t n = flat_loop_pin(loop);
    if (n < 0)
        return n;
    n = iip_loop_conns(loop->raw, after, &conn, 1);
    flat_engine_unpin(loop->engine);
    return n < 0 ? n : (int64_t)conn;
}

struct iip_loop_stats *flat_loop_stats(struct flat_loop *loop)
{
    struct iip_loop_stats *stats = calloc(1, sizeof *stats);
    int32_t status = stats ? flat_loop_pin(loop) : IIP_E_NOMEM;
    if (status >= 0) {
        stats->size = sizeof *stats;
        status = iip_loop_stats_get(loop->raw, stats);
        flat_engine_unpin(loop->engine);
    }
    if (status >= 0)
        return stats;
    flat_fail(status, NULL);
    free(stats);
    return NULL;
}

static int32_t flat_counter_index(const char *name)
{
    const char *is;
    int32_t i;

    for (i = 0; name && (is = iip_counter_name((uint32_t)i)); i++)
        if (strcmp(is, name) == 0)
            return i;
    return flat_fail(IIP_E_NOT_FOUND, name);
}

static int64_t flat_counter_read(struct flat_loop *loop, uint32_t i)
{
    int32_t n = iip_loop_counters(loop->raw, NULL, 0);
    uint64_t *all = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *all);
    int64_t value;

    if (n >= 0)
        n = all ? iip_loop_counters(loop->raw, all, (uint32_t)n) : IIP_E_NOMEM;
    value = n < 0 ? n : (int64_t)all[i];
    free(all);
    return value;
}

int64_t flat_loop_counter(struct flat_loop *loop, const char *name)
{
    int64_t value;
    int32_t i = flat_counter_index(name);
    int32_t status = i < 0 ? i : flat_loop_pin(loop);
    if (status < 0)
        return status;
    value = flat_counter_read(loop, (uint32_t)i);
    flat_engine_unpin(loop->engine);
    return value;
}

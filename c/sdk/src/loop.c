/* loop.c - loops: where handles find theirs, who owns one, and what the owner may ask it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sdk.h"

struct iip_loop *_Atomic iip_loop_table[IIP_LOOPS_MAX];
static pthread_mutex_t iip_loop_table_lock = PTHREAD_MUTEX_INITIALIZER;

const void *iip_thread_token(void)
{
    static _Thread_local char token;
    return &token;
}

int32_t iip_loop_check_any(const struct iip_loop *loop)
{
    if (!loop)
        return IIP_E_INVAL;
    if (!atomic_load_explicit(&loop->engine, memory_order_acquire))
        return IIP_E_CLOSED;
    return iip_epoch_ok(loop->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_loop_check(const struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token() ? IIP_OK : IIP_E_WRONG_THREAD;
}

struct iip_loop *iip_loop_of(uint64_t handle)
{
    uint32_t number = iip_handle_loop(handle);
    struct iip_loop *loop;
    if (number >= IIP_LOOPS_MAX || !iip_handle_kind(handle))
        return NULL;
    loop = atomic_load_explicit(&iip_loop_table[number], memory_order_acquire);
    return loop && atomic_load_explicit(&loop->engine, memory_order_acquire) ? loop : NULL;
}

int32_t iip_loop_own(uint64_t handle, struct iip_loop **out)
{
    *out = iip_loop_of(handle);
    return *out ? iip_loop_check(*out) : IIP_E_STALE;
}

static int32_t iip_loop_tables(struct iip_loop *loop, uint32_t number)
{
    if (iip_slots_init(&loop->conns, IIP_KIND_CONN, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->listeners, IIP_KIND_LISTENER, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->udps, IIP_KIND_UDP, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->alarms, IIP_KIND_TIMER, number, sizeof(struct iip_alarm)) ||
        iip_slots_init(&loop->bufs, IIP_KIND_BUF, number, sizeof(struct iip_buf)))
        return IIP_E_NOMEM;
    loop->number = number;
    loop->wake_fd = loop->timer_fd = loop->epoll_fd = loop->port_fd = loop->app_fd = -1;
    pthread_mutex_init(&loop->stats_lock, NULL);
    atomic_store_explicit(&loop->returned, IIP_SLOT_NONE, memory_order_relaxed);
    return IIP_OK;
}

/* A loop that was made is used again, never freed: see sdk.h. */
struct iip_loop *iip_loop_new(void)
{
    struct iip_loop *loop = NULL;
    uint32_t i;
    pthread_mutex_lock(&iip_loop_table_lock);
    for (i = 0; i < IIP_LOOPS_MAX; i++) {
        loop = atomic_load_explicit(&iip_loop_table[i], memory_order_relaxed);
        if (!loop || !loop->taken)
            break;
    }
    if (i == IIP_LOOPS_MAX) {
        loop = NULL;
    } else if (!loop) {
        loop = calloc(1, sizeof *loop);
        if (loop && iip_loop_tables(loop, i)) {
            free(loop); /* the tables made so far are the price of running out of memory here, once */
            loop = NULL;
        }
        if (loop)
            atomic_store_explicit(&iip_loop_table[i], loop, memory_order_release);
    }
    if (loop)
        loop->taken = 1;
    pthread_mutex_unlock(&iip_loop_table_lock);
    return loop;
}

void iip_loop_back(struct iip_loop *loop)
{
    pthread_mutex_lock(&iip_loop_table_lock);
    atomic_store_explicit(&loop->owner, NULL, memory_order_relaxed);
    atomic_store_explicit(&loop->app, NULL, memory_order_relaxed);
    loop->taken = 0;
    pthread_mutex_unlock(&iip_loop_table_lock);
}

void iip_loop_clock(struct iip_loop *loop)
{
    struct timespec ts;
    uint64_t now;
    if (loop->ops->now) {
        now = loop->ops->now(loop->queue);
    } else {
        clock_gettime(CLOCK_MONOTONIC, &ts);
        now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    }
    if (now > loop->now)
        loop->now = now;
}

int32_t iip_loop_claim(_Atomic(const void *) *whose)
{
    const void *nobody = NULL;
    const void *self = iip_thread_token();
    if (atomic_load_explicit(whose, memory_order_relaxed) == self)
        return IIP_OK;
    return atomic_compare_exchange_strong_explicit(whose, &nobody, self, memory_order_acquire, memory_order_relaxed)
        ? IIP_OK
        : IIP_E_BUSY;
}

/* ---- public ---- */

int32_t iip_loop_attach(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    return st ? st : iip_loop_claim(loop->cores ? &loop->app : &loop->owner);
}

int32_t iip_loop_detach(struct iip_loop *loop)
{
    int32_t st = iip_loop_check(loop);
    if (st == IIP_E_WRONG_THREAD && iip_ask_app(loop)) {
        atomic_store_explicit(&loop->app, NULL, memory_order_release);
        return IIP_OK;
    }
    if (st)
        return st;
    iip_stats_publish(loop);
    if (loop->cores)
        iip_ask_leave(loop);
    else
        atomic_store_explicit(&loop->owner, NULL, memory_order_release);
    return IIP_OK;
}

int32_t iip_loop_index(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    return st ? st : (int32_t)loop->index;
}

int32_t iip_loop_now(struct iip_loop *loop, uint64_t *now_us)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_NOW, .to = now_us});
    if (!now_us)
        return IIP_E_INVAL;
    iip_loop_clock(loop);
    *now_us = loop->now;
    return IIP_OK;
}

int32_t iip_loop_area(struct iip_loop *loop, struct iip_area *out)
{
    struct iip_area area = {.size = sizeof area};
    int32_t st = iip_loop_check(loop);
    if (st && !(st == IIP_E_WRONG_THREAD && iip_ask_app(loop)))
        return st;
    if (!out)
        return IIP_E_INVAL;
    area.wake_fd = loop->wake_fd;
    area.turn = &loop->turn;
    area.ops = loop->op_area;
    area.releases = loop->releases;
    area.events = loop->events;
    area.tx_free = loop->tx_free;
    area.aux = (const uint8_t *)loop->aux;
    area.op_aux = (uint8_t *)loop->op_aux;
    area.parked = (const uint32_t *)&loop->parked;
    area.woken = (uint32_t *)&loop->woken;
    area.op_cap = loop->op_cap;
    area.release_cap = loop->release_cap;
    area.event_cap = loop->event_cap;
    area.tx_free_cap = loop->tx_free_cap;
    area.aux_bytes = (loop->event_cap + 1) * (uint32_t)sizeof(struct iip_addrs);
    area.op_aux_bytes = (loop->op_cap + 1) * (uint32_t)sizeof(struct iip_addrs);
    return iip_size_out(out, &area, sizeof area);
}

/* Connections are aborted now; what else there is ends in event.c, as there is room for the events. */
int32_t iip_loop_close(struct iip_loop *loop)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_CLOSE});
    if (loop->closing)
        return IIP_OK;
    loop->closing = 1;
    iip_loop_abort_all(loop);
    return IIP_OK;
}

/* life.c - how a loop begins and ends: its stack and what that is given, its arrays, and what is left at the end. */
#include <stdlib.h>
#include <string.h>

#include "sdk.h"

/* ---- the host of the core ---- */

static struct iip_frame *iip_loop_frame_get(void *ctx, iip_u32 size)
{
    struct iip_loop *loop = ctx;
    if (loop->app_floor)
        return iip_buf_frame(loop, size, loop->app_floor);
    return loop->ops->frame_get(loop->queue, size);
}

static void iip_loop_frame_put(void *ctx, struct iip_frame *frame)
{
    struct iip_loop *loop = ctx;
    if (frame->region < IIP_FRAME_REGION_SPILL)
        loop->ops->frame_put(loop->queue, frame);
    else if (frame->region == IIP_FRAME_REGION_SPILL)
        iip_spill_put(loop, frame);
    else
        iip_region_done(loop, frame);
}

static iip_u32 iip_loop_transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct iip_loop *loop = ctx;
    return loop->ops->tx(loop->queue, pkts, n);
}

static void *iip_loop_mem(void *ctx, void *old, iip_size size)
{
    (void)ctx;
    if (size)
        return realloc(old, size);
    free(old);
    return NULL;
}

static void iip_loop_share(const struct iip_engine *engine, uint32_t self, struct iip_share *share)
{
    memset(share, 0, sizeof *share);
    if (engine->info.has_share)
        *share = engine->info.share;
    share->stacks = engine->loop_n;
    share->self = self;
}

static int32_t iip_loop_stack(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg)
{
    struct iip_host host = {.ctx = loop,
                            .frame_get = iip_loop_frame_get,
                            .frame_put = iip_loop_frame_put,
                            .transmit = iip_loop_transmit,
                            .mem = iip_loop_mem};
    struct iip_stack_cfg stack = {.size = sizeof stack,
                                  .flags = engine->info.stack_flags,
                                  .caps = engine->info.caps,
                                  .mtu = (uint32_t)atomic_load_explicit(&engine->link, memory_order_relaxed),
                                  .tso_max = engine->info.tso_max,
                                  .seed = cfg->seed + loop->index,
                                  .mem_limit = cfg->mem_limit};
    struct iip_share share;
    if (engine->loop_n > 1) {
        iip_loop_share(engine, loop->index, &share);
        stack.share = &share;
    }
    memcpy(stack.mac, engine->info.mac, sizeof stack.mac);
    memcpy(stack.key, cfg->key, sizeof stack.key);
    return iip_stack_new(&stack, &host, loop->now, &loop->stk);
}

static int32_t iip_loop_arrays(struct iip_loop *loop, const struct iip_engine_cfg *cfg)
{
    uint32_t told = 64;
    iip_u64 none;
    loop->op_cap = cfg->op_cap;
    loop->release_cap = cfg->release_cap;
    loop->event_cap = cfg->event_cap;
    loop->tx_free_cap = cfg->tx_free_cap;
    while (told < 2 * loop->op_cap)
        told *= 2;
    loop->told_mask = told - 1;
    loop->op_area = calloc(loop->op_cap, sizeof *loop->op_area);
    loop->releases = calloc(loop->release_cap, sizeof *loop->releases);
    loop->events = aligned_alloc(64, (size_t)loop->event_cap * sizeof *loop->events);
    loop->aux = calloc(loop->event_cap + 1, sizeof(struct iip_addrs));
    loop->op_aux = calloc(loop->op_cap + 1, sizeof(struct iip_addrs));
    loop->tx_free = calloc(loop->tx_free_cap, sizeof *loop->tx_free);
    loop->told = calloc(told, sizeof *loop->told);
    loop->shorted_cap = loop->op_cap;
    loop->shorted = calloc(loop->shorted_cap, sizeof *loop->shorted);
    loop->counter_n = iip_stack_counters(loop->stk, &none, 0);
    loop->counters_copy = calloc(loop->counter_n + 1, sizeof *loop->counters_copy);
    if (!loop->op_area || !loop->releases || !loop->events || !loop->aux || !loop->op_aux || !loop->tx_free ||
        !loop->told || !loop->shorted || !loop->counters_copy)
        return IIP_E_NOMEM;
    memset(loop->events, 0, (size_t)loop->event_cap * sizeof *loop->events);
    loop->turn.size = sizeof loop->turn;
    return IIP_OK;
}

static void iip_loop_at_most(struct iip_loop *loop, const char *tunable, uint32_t most)
{
    iip_u64 value = 0;
    iip_stack_get(loop->stk, tunable, &value);
    if (most < value)
        iip_stack_set(loop->stk, tunable, most ? most : 1);
}

/* To ask for a neighbour, and to hear him, takes frames: what waits for neighbours leaves half of the reserve to that. */
static void iip_loop_neigh_queue(struct iip_loop *loop)
{
    iip_loop_at_most(loop, "neigh.queue", loop->frames_reserve / 2);
    iip_loop_at_most(loop, "neigh.queue_all", loop->frames_reserve / 2);
}

/* Few: a quarter of what there was when nothing was used yet. Ports keep a reserve of their own, which is less. */
static void iip_loop_low_mark(struct iip_loop *loop)
{
    loop->frames_low = loop->ops->frames_free(loop->queue) / 4;
    loop->frames_reserve = loop->frames_low - loop->frames_low / 4;
    loop->frames_plenty = loop->frames_low > loop->frames_reserve ? loop->frames_low - 1 : loop->frames_reserve;
    /* A burst does not pass both marks before anybody saw that frames are few; small pools are not all for sending. */
    loop->burst_max = loop->frames_low - loop->frames_reserve;
    if (loop->burst_max > IIP_RX_BURST || !loop->burst_max)
        loop->burst_max = loop->burst_max ? IIP_RX_BURST : 1;
    if (loop->tx_free_cap > loop->frames_low)
        loop->tx_free_cap = loop->frames_low ? loop->frames_low : 1;
    iip_loop_neigh_queue(loop);
}

int32_t iip_loop_setup(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg)
{
    int32_t st;
    loop->epoch = engine->epoch;
    loop->ops = engine->ops;
    loop->queue = engine->ops->queue(engine->port, loop->index);
    loop->polls = engine->info.polls;
    loop->poll_us = engine->poll_us;
    loop->still = engine->wire[0] != 0;
    loop->cores = cfg->cores;
    loop->done_end = &loop->done;
    loop->link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    loop->now = 0;
    iip_loop_clock(loop);
    st = iip_loop_stack(loop, engine, cfg);
    if (st)
        return st;
    loop->ops->attach(loop->queue, loop->stk);
    st = iip_loop_arrays(loop, cfg);
    iip_loop_low_mark(loop);
    if (!st)
        st = iip_region_port(loop, engine);
    if (!st)
        st = iip_spill_init(loop, engine, cfg->spill_bytes);
    if (!st)
        st = iip_post_init(&loop->post, cfg->post_cap);
    if (!st && engine->loop_n > 1)
        st = iip_inbox_init(loop, engine->loop_n);
    if (!st)
        st = iip_wake_init(loop);
    if (!st && loop->cores)
        st = iip_ask_init(loop);
    return st;
}

/* ---- taking down ---- */

/* Counts and ends what lives in a table; the handles are stale from here on. */
static uint32_t iip_loop_end(struct iip_slots *t)
{
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t ended = 0;
    uint32_t i;
    for (i = 0; t->live && i < n; i++) {
        struct iip_slot *slot = iip_slot_at(t, i);
        if (slot->index & IIP_SLOT_FREE)
            continue;
        iip_slots_put(t, slot);
        ended++;
    }
    return ended;
}

/* A buffer whose last reference another thread just dropped is still on its way: it keeps its slot, but no packet. */
static uint32_t iip_loop_end_bufs(struct iip_loop *loop)
{
    struct iip_slots *t = &loop->bufs;
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t leaked = 0;
    uint32_t i;
    iip_buf_drain(loop);
    for (i = 0; i < n; i++) {
        struct iip_buf *buf = (struct iip_buf *)iip_slot_at(t, i);
        uint64_t word;
        if (buf->slot.index & IIP_SLOT_FREE)
            continue;
        word = atomic_load_explicit(&buf->slot.word, memory_order_relaxed);
        while (iip_slot_refs(word) && !atomic_compare_exchange_weak(&buf->slot.word, &word, word & IIP_SLOT_NAME))
            ;
        leaked += iip_slot_refs(word) != 0 && !(buf->slot.index & IIP_BUF_LAID_OUT);
        iip_pkt_free(loop->stk, buf->pkt);
        buf->pkt = NULL;
        if (iip_slot_refs(word))
            iip_slots_put(t, &buf->slot);
    }
    return leaked;
}

void iip_loop_abort_all(struct iip_loop *loop)
{
    struct iip_slots *t = &loop->conns;
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t i;
    for (i = 0; i < n; i++) {
        struct iip_obj *obj = (struct iip_obj *)iip_slot_at(t, i);
        if (!(obj->slot.index & IIP_SLOT_FREE) && obj->core) /* null: it has ended, and its CLOSED is not told yet */
            iip_tcp_abort(loop->stk, obj->core);
    }
    iip_stack_output(loop->stk, loop->now); /* the RSTs */
}

static void iip_loop_free(struct iip_loop *loop)
{
    free(loop->op_area);
    free(loop->releases);
    free(loop->events);
    free(loop->aux);
    free(loop->op_aux);
    free(loop->tx_free);
    free(loop->told);
    free(loop->shorted);
    free(loop->counters_copy);
    free(loop->post.cells);
    free(loop->heap);
    free(loop->credits);
    iip_region_free(loop);
    iip_inbox_free(loop);
    iip_wake_free(loop);
}

/* All that is not kept is zero for the next life. */
static void iip_loop_blank(struct iip_loop *loop)
{
    size_t first = offsetof(struct iip_loop, index);
    memset((uint8_t *)loop + first, 0, sizeof *loop - first);
    loop->wake_fd = loop->timer_fd = loop->epoll_fd = loop->port_fd = loop->app_fd = -1;
}

void iip_loop_clean(struct iip_loop *loop, struct iip_leaks *leaks)
{
    atomic_store_explicit(&loop->engine, NULL, memory_order_release);
    if (loop->stk) {
        iip_loop_abort_all(loop);
        iip_event_drop(loop);
        leaks->bufs += iip_loop_end_bufs(loop);
        iip_stack_free(loop->stk);
        leaks->externs += loop->externs;
    }
    leaks->conns += iip_loop_end(&loop->conns);
    leaks->listeners += iip_loop_end(&loop->listeners);
    leaks->udps += iip_loop_end(&loop->udps);
    leaks->timers += iip_loop_end(&loop->alarms);
    iip_spill_free(loop);
    iip_loop_free(loop);
    iip_loop_blank(loop);
    iip_loop_back(loop);
}

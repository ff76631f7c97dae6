/*
 * stats.c - what is going on. The owner reads the truth; other threads read a copy that the owner makes in its next
 * turn after somebody asked. The owner never waits for the lock: it copies again another time.
 */
#include <stdlib.h>
#include <string.h>

#include "sdk.h"

static void iip_stats_fill(struct iip_loop *loop, struct iip_loop_stats *out)
{
    struct iip_port_stats port;
    memset(&port, 0, sizeof port);
    loop->ops->stats(loop->queue, &port);
    *out = loop->stats;
    out->size = sizeof *out;
    out->conns = loop->conns.live;
    out->stale_handles += atomic_load_explicit(&loop->stale, memory_order_relaxed);
    out->bufs_held = loop->bufs.live - loop->tx_free_n;
    out->frames_free = loop->ops->frames_free(loop->queue);
    out->tx_pending = iip_stack_tx_pending(loop->stk);
    out->mem_used = iip_stack_mem_used(loop->stk);
    out->rx_packets = port.rx_packets;
    out->rx_bytes = port.rx_bytes;
    out->rx_dropped = port.rx_dropped;
    out->tx_packets = port.tx_packets;
    out->tx_bytes = port.tx_bytes;
    out->tx_refused = port.tx_refused;
    out->wire_lost = port.wire_lost;
    out->wire_duplicated = port.wire_duplicated;
}

void iip_stats_publish(struct iip_loop *loop)
{
    if (pthread_mutex_trylock(&loop->stats_lock))
        return;
    atomic_store_explicit(&loop->want_stats, 0, memory_order_relaxed);
    iip_stats_fill(loop, &loop->stats_copy);
    iip_stack_counters(loop->stk, loop->counters_copy, loop->counter_n);
    pthread_mutex_unlock(&loop->stats_lock);
}

static int iip_stats_mine(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token();
}

int32_t iip_loop_stats_get(struct iip_loop *loop, struct iip_loop_stats *out)
{
    struct iip_loop_stats stats;
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    if (iip_stats_mine(loop)) {
        iip_stats_fill(loop, &stats);
    } else if (iip_ask_app(loop)) {
        return iip_ask(loop, IIP_E_WRONG_THREAD, &(struct iip_ask){.code = IIP_ASK_STATS, .to = out});
    } else {
        atomic_store_explicit(&loop->want_stats, 1, memory_order_relaxed);
        pthread_mutex_lock(&loop->stats_lock);
        stats = loop->stats_copy;
        pthread_mutex_unlock(&loop->stats_lock);
    }
    stats.size = sizeof stats;
    return iip_size_out(out, &stats, sizeof stats);
}

int32_t iip_loop_counters(struct iip_loop *loop, uint64_t *out, uint32_t cap)
{
    int32_t st = iip_loop_check_any(loop);
    iip_u64 none;
    if (st)
        return st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (iip_stats_mine(loop))
        return (int32_t)iip_stack_counters(loop->stk, out ? out : &none, cap);
    if (iip_ask_app(loop))
        return iip_ask(loop, IIP_E_WRONG_THREAD, &(struct iip_ask){.code = IIP_ASK_COUNTERS, .n = cap, .to = out});
    atomic_store_explicit(&loop->want_stats, 1, memory_order_relaxed);
    pthread_mutex_lock(&loop->stats_lock);
    if (cap)
        memcpy(out, loop->counters_copy, (cap < loop->counter_n ? cap : loop->counter_n) * sizeof *out);
    pthread_mutex_unlock(&loop->stats_lock);
    return (int32_t)loop->counter_n;
}

const char *iip_counter_name(uint32_t i)
{
    return iip_stack_counter_name(i);
}

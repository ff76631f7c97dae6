/*
 * turn.c - one turn, in the order that <iip/iip.h> promises.
 *
 * Acknowledgements of bytes that a turn hands up are held until the application had its turn: they ride on the answer.
 * What holds them is the core's input; its output holds nothing back. The answer is in the operations of the next turn,
 * so that turn sends by output, and what got no answer is acknowledged by itself: a loop that only receives and never
 * waits would otherwise acknowledge by the delayed-ACK timer alone.
 */
#include "sdk.h"

uint64_t iip_turn_deadline(struct iip_loop *loop)
{
    uint64_t stack = iip_stack_deadline(loop->stk);
    uint64_t alarm = loop->heap_n && !loop->alone ? loop->heap[0]->at : UINT64_MAX;
    if (loop->want && !loop->alone && loop->want_at < alarm)
        alarm = loop->want_at;
    return stack < alarm ? stack : alarm;
}

static int32_t iip_turn_check(const struct iip_loop *loop, const struct iip_turn *turn)
{
    int32_t st;
    if (!turn || turn->size < sizeof *turn)
        return IIP_E_INVAL;
    if (IIP_UNLIKELY(turn->size != sizeof *turn) && (st = iip_size_check(turn, sizeof *turn)) != 0)
        return st;
    if (turn->op_n > loop->op_cap || turn->release_n > loop->release_cap || turn->tx_taken > loop->tx_free_n)
        return IIP_E_RANGE;
    return IIP_OK;
}

static void iip_turn_release(struct iip_loop *loop, struct iip_turn *turn)
{
    turn->release_failed = iip_buf_put(loop, loop->releases, turn->release_n);
    iip_buf_drain(loop);
}

static void iip_turn_ops(struct iip_loop *loop, struct iip_turn *turn)
{
    uint32_t failed;
    loop->taken_in_part = 0;
    failed = iip_op_apply_all(loop, loop->op_area, turn->op_n);
    turn->op_short = failed + loop->taken_in_part;
    loop->stats.ops += turn->op_n;
    loop->stats.ops_failed += failed;
    iip_post_apply(loop);
    iip_op_end(loop);
}

/* The core has something to say only where the networking went on without the application, see ask.c. */
static int iip_turn_may_wait(const struct iip_loop *loop, const struct iip_turn *turn)
{
    return turn->flags & IIP_TURN_WAIT && turn->wait_us != 0 && !iip_event_waiting(loop) && !loop->closing &&
        !loop->still && !iip_stack_speaks(loop->stk);
}

/*
 * How many frames must stay free of arrivals: the reserve. It is send queues that emptied the pool if the application
 * holds next to nothing that arrived, and then a third of the reserve is for arrivals: two ends whose send queues are
 * full would refuse each other's text for ever.
 */
static uint32_t iip_turn_reserve(const struct iip_loop *loop)
{
    uint32_t third = loop->frames_low / 4;
    uint32_t held = loop->bufs.live - loop->tx_free_n;
    return held < loop->spill.used + third ? loop->frames_reserve - third : loop->frames_reserve;
}

/*
 * Only the reserve is left: nothing may wait in the stack, and once spill memory cannot take this burst either, nothing
 * may be held at all. Frames of packets that are refused go back at once, so receiving goes on.
 */
static void iip_turn_pressure(struct iip_loop *loop, uint32_t n)
{
    uint32_t level = IIP_PRESSURE_NONE;
    if (loop->ops->frames_free(loop->queue) <= iip_turn_reserve(loop))
        level = loop->spill.count - loop->spill.used < n ? IIP_PRESSURE_ALL : IIP_PRESSURE_WAITING;
    loop->pressed = level != IIP_PRESSURE_NONE;
    iip_stack_pressure(loop->stk, level);
}

static uint32_t iip_turn_receive(struct iip_loop *loop, uint32_t more)
{
    uint32_t n = loop->burst_n;
    if (!n && !more) {
        n = loop->ops->rx(loop->queue, loop->burst, loop->burst_max);
        if (n < loop->burst_max && loop->inbox.cells)
            n += iip_inbox_take(loop, loop->burst + n, loop->burst_max - n);
    }
    loop->burst_n = 0;
    if (loop->pool_low || loop->pressed)
        iip_turn_pressure(loop, n);
    iip_stack_input(loop->stk, loop->burst, n, loop->now);
    return n;
}

/* One loop asks the port, all see what it said. */
static void iip_turn_link(struct iip_loop *loop)
{
    struct iip_engine *engine = atomic_load_explicit(&loop->engine, memory_order_relaxed);
    uint64_t link;
    if (loop->index == 0 && loop->ops->changed(engine->port))
        iip_engine_link(engine);
    link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    if (link == loop->link || iip_event_room(loop))
        return;
    if ((uint32_t)link != (uint32_t)loop->link)
        iip_stack_mtu_set(loop->stk, (uint32_t)link);
    loop->link = link;
    iip_event_tell(loop, 0, 0, IIP_EVENT_LINK, IIP_OK)->value = link;
}

static uint32_t iip_turn_state(struct iip_loop *loop, const struct iip_turn *turn)
{
    uint32_t state = 0;
    if (iip_event_waiting(loop))
        state |= IIP_STATE_MORE;
    if (iip_stack_tx_pending(loop->stk))
        state |= IIP_STATE_TX_PENDING;
    if (loop->pool_low)
        state |= IIP_STATE_POOL_LOW;
    if (!(loop->link >> 32))
        state |= IIP_STATE_LINK_DOWN;
    if (loop->closing && !(state & (IIP_STATE_MORE | IIP_STATE_TX_PENDING)) && !loop->conns.live &&
        !loop->listeners.live && !loop->udps.live && !loop->heap_n)
        state |= IIP_STATE_CLOSED;
    if (turn->flags & IIP_TURN_PARK && !loop->event_n && !(state & IIP_STATE_MORE) && iip_wake_park(loop))
        state |= IIP_STATE_PARKED;
    return state;
}

static void iip_turn_end(struct iip_loop *loop, struct iip_turn *turn)
{
    if (turn->flags & IIP_TURN_FLUSH || (turn->flags & IIP_TURN_PARK && !loop->event_n))
        iip_stack_output(loop->stk, loop->now);
    turn->op_n = 0;
    turn->release_n = 0;
    turn->tx_taken = 0;
    turn->event_n = loop->event_n;
    turn->tx_free_n = loop->tx_free_n;
    turn->state = iip_turn_state(loop, turn);
    iip_wake_seen(loop);
    turn->now_us = loop->now;
    turn->deadline_us = turn->flags & IIP_TURN_DEADLINE ? iip_turn_deadline(loop) : 0;
    loop->stats.turns++;
    if (atomic_load_explicit(&loop->want_stats, memory_order_relaxed))
        iip_stats_publish(loop);
}

/* Asked once a turn: it decides whether arrivals are copied, and whether those who release wake the loop. */
static void iip_turn_pool(struct iip_loop *loop)
{
    uint32_t low = loop->ops->frames_free(loop->queue) < loop->frames_low;
    if (low == loop->pool_low)
        return;
    loop->pool_low = low;
    atomic_store_explicit(&loop->low, low, memory_order_relaxed);
    if (low && !loop->low_said++)
        iip_log_write(atomic_load_explicit(&loop->engine, memory_order_relaxed), IIP_LOG_WARN, loop->index, 0,
                      IIP_E_NOBUFS, "fewer than %u packet buffers are free: arrivals are copied", loop->frames_low);
}

int32_t iip_loop_turn(struct iip_loop *loop, struct iip_turn *turn)
{
    int32_t st = iip_loop_check(loop);
    int wait;
    if (!st)
        st = iip_turn_check(loop, turn);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_TURN, .to = turn});
    iip_wake_unpark(loop);
    iip_loop_clock(loop);
    iip_turn_pool(loop);
    iip_buf_taken(loop, turn->tx_taken);
    iip_turn_release(loop, turn);
    iip_turn_ops(loop, turn);
    wait = iip_turn_may_wait(loop, turn);
    iip_stack_output(loop->stk, loop->now);
    if (wait)
        iip_wake_wait(loop, turn->wait_us);
    iip_turn_link(loop);
    /* An application that is behind with its events gets the rest of them before new packets. */
    turn->rx_packets = iip_turn_receive(loop, loop->more);
    loop->event_max = turn->event_max && turn->event_max < loop->event_cap ? turn->event_max : loop->event_cap;
    iip_event_collect(loop);
    iip_buf_lay_out(loop);
    iip_turn_end(loop, turn);
    return (int32_t)loop->event_n;
}

/* The answer to a post waits for an application that sleeps: it has to be called first, see ask.c. */
static int iip_turn_calls(const struct iip_loop *loop)
{
    return !loop->alone && (iip_event_waiting(loop) || iip_stack_speaks(loop->stk));
}

uint32_t iip_turn_alone(struct iip_loop *loop, int64_t wait_us)
{
    iip_wake_unpark(loop);
    iip_loop_clock(loop);
    iip_turn_pool(loop);
    iip_buf_drain(loop);
    iip_post_apply(loop);
    iip_op_end(loop);
    iip_stack_output(loop->stk, loop->now);
    if (wait_us && !loop->still && !iip_turn_calls(loop))
        iip_wake_wait(loop, wait_us);
    iip_turn_link(loop);
    if (atomic_load_explicit(&loop->want_stats, memory_order_relaxed))
        iip_stats_publish(loop);
    return iip_turn_receive(loop, 0);
}

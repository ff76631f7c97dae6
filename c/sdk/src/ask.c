/*
 * ask.c - split and merge: one thread does the networking of a loop, another one its application.
 *
 * The networking thread is the owner of all that a loop holds (`owner`), as the only thread is where the cores are
 * unified. What the application's thread (`app`) calls, its turn above all, is asked of the owner, who makes the very
 * same call; the asker waits for the answer. So every call means what it means in a unified loop, nothing is touched by
 * two threads, and between two turns of the application the networking goes on. What happens meanwhile is kept in the
 * core, see docs/adr/0002. While there is no networking thread, the application makes its calls itself.
 *
 * `asked` says whose the question is. The owner looks at it before he sleeps, and is woken like for a post.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sdk.h"

enum { IIP_ASK_SPINS = 4096 }; /* looks at a split loop's answer before sleeping: a few microseconds */

enum { IIP_ASKED_NOT = 0, IIP_ASKED = 1, IIP_ASKED_ASLEEP = 2 }; /* iip_loop.asked; asleep: so is who asked */

enum { IIP_APP_RUNS = 0, IIP_APP_PARKED = 1, IIP_APP_CALLED = 2 }; /* iip_loop.app_state; called: its fd is readable */

int32_t iip_ask_init(struct iip_loop *loop)
{
    atomic_store_explicit(&loop->net_here, 0, memory_order_relaxed);
    loop->app_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return loop->app_fd < 0 ? IIP_E_IO : IIP_OK;
}

int iip_ask_app(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->app, memory_order_relaxed) == iip_thread_token();
}

int iip_ask_any(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->asked, memory_order_acquire) != IIP_ASKED_NOT;
}

/* The owner makes the call. */
static int32_t iip_ask_call(struct iip_loop *loop, const struct iip_ask *ask)
{
    switch (ask->code) {
    case IIP_ASK_TURN:
        return iip_loop_turn(loop, ask->to);
    case IIP_ASK_OP:
        return iip_loop_op(loop, ask->to);
    case IIP_ASK_CLOSE:
        return iip_loop_close(loop);
    case IIP_ASK_NOW:
        return iip_loop_now(loop, ask->to);
    case IIP_ASK_ALLOC:
        return iip_buf_alloc(loop, ask->to);
    case IIP_ASK_GET:
        return iip_conn_get(ask->handle, ask->n, ask->to);
    case IIP_ASK_INFO:
        return iip_conn_info_get(ask->handle, ask->to);
    case IIP_ASK_STATS:
        return iip_loop_stats_get(loop, ask->to);
    default:
        return iip_loop_counters(loop, ask->to, ask->n);
    }
}

/* ---- the application's side ---- */

static void iip_ask_futex(struct iip_loop *loop, int what, uint32_t value)
{
    syscall(SYS_futex, &loop->asked, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Nobody does the networking, nor is about to: 1, and it is ours for a call. */
static int iip_ask_take(struct iip_loop *loop)
{
    const void *nobody = NULL;
    return !atomic_load(&loop->net_here) && atomic_compare_exchange_strong(&loop->owner, &nobody, iip_thread_token());
}

static int32_t iip_ask_self(struct iip_loop *loop, const struct iip_ask *ask)
{
    int32_t st;
    atomic_store_explicit(&loop->asked, IIP_ASKED_NOT, memory_order_relaxed);
    st = iip_ask_call(loop, ask);
    atomic_store(&loop->owner, NULL);
    return st;
}

/* Until there is an answer, or there may be nobody to give one. In merge the answer needs our core: no look is taken. */
static void iip_ask_wait(struct iip_loop *loop)
{
    uint32_t spins = loop->cores == IIP_CORES_SPLIT ? IIP_ASK_SPINS : 0;
    uint32_t asked = IIP_ASKED;
    while (spins-- && atomic_load_explicit(&loop->asked, memory_order_relaxed) != IIP_ASKED_NOT)
        ;
    if (!atomic_compare_exchange_strong(&loop->asked, &asked, IIP_ASKED_ASLEEP) && asked == IIP_ASKED_NOT)
        return;
    if (atomic_load(&loop->net_here))
        iip_ask_futex(loop, FUTEX_WAIT, IIP_ASKED_ASLEEP);
}

int32_t iip_ask(struct iip_loop *loop, int32_t st, const struct iip_ask *ask)
{
    if (st != IIP_E_WRONG_THREAD || !iip_ask_app(loop))
        return st;
    if (iip_ask_take(loop))
        return iip_ask_self(loop, ask);
    loop->ask = *ask;
    atomic_store_explicit(&loop->asked, IIP_ASKED, memory_order_release);
    iip_wake_now(loop);
    while (iip_ask_any(loop)) {
        if (iip_ask_take(loop))
            return iip_ask_self(loop, ask);
        iip_ask_wait(loop);
    }
    return loop->ask.result;
}

/* ---- the networking's side ---- */

static void iip_ask_answer(struct iip_loop *loop, int32_t result)
{
    loop->ask.result = result;
    if (atomic_exchange(&loop->asked, IIP_ASKED_NOT) == IIP_ASKED_ASLEEP)
        iip_ask_futex(loop, FUTEX_WAKE, 1);
}

static void iip_ask_unpark(struct iip_loop *loop)
{
    uint64_t count;
    if (loop->app_state == IIP_APP_RUNS)
        return;
    loop->app_state = IIP_APP_RUNS;
    if (read(loop->app_fd, &count, sizeof count) < 0)
        return; /* nobody wrote: it turned of its own accord */
}

/* The application's own event loop sleeps; what wakes it is looked for in each turn of the networking. */
static void iip_ask_park(struct iip_loop *loop, struct iip_turn *turn, uint64_t wakes)
{
    if (!(turn->flags & IIP_TURN_PARK) || turn->event_n || turn->state & IIP_STATE_MORE || loop->stats.wakes != wakes)
        return;
    loop->app_state = IIP_APP_PARKED;
    loop->stats.parks++;
    turn->state |= IIP_STATE_PARKED;
}

static void iip_ask_call_app(struct iip_loop *loop)
{
    static const uint64_t one = 1;
    if (loop->app_state != IIP_APP_PARKED)
        return;
    loop->app_state = IIP_APP_CALLED;
    if (write(loop->app_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable all the same */
}

/* How long a turn that waits may wait within this call. */
static int64_t iip_ask_span(struct iip_loop *loop, int64_t wait_us)
{
    uint64_t left = 0;
    if (loop->ask.until == UINT64_MAX)
        return wait_us;
    iip_loop_clock(loop);
    if (loop->ask.until > loop->now)
        left = loop->ask.until - loop->now;
    return wait_us < 0 || left < (uint64_t)wait_us ? (int64_t)left : wait_us;
}

static void iip_ask_open(struct iip_loop *loop, const struct iip_turn *turn)
{
    struct iip_ask *ask = &loop->ask;
    iip_ask_unpark(loop);
    iip_loop_clock(loop);
    ask->opened = 1;
    ask->until = loop->now;
    if (turn->flags & IIP_TURN_WAIT && !loop->still && !loop->closing)
        ask->until = turn->wait_us < 0 || (uint64_t)turn->wait_us > UINT64_MAX - loop->now
            ? UINT64_MAX
            : loop->now + (uint64_t)turn->wait_us;
}

/*
 * The application's turn. One that waits is turned again and again, each time no longer than the networking thread
 * means to stay away, until there are events, a wake came, or its time is up. 1: it is over.
 */
static int iip_ask_turn(struct iip_loop *loop, int64_t wait_us, uint32_t *packets)
{
    struct iip_ask *ask = &loop->ask;
    struct iip_turn *turn = ask->to;
    uint64_t wakes = loop->stats.wakes;
    int64_t asked;
    if (!ask->opened)
        iip_ask_open(loop, turn);
    asked = turn->wait_us;
    turn->wait_us = iip_ask_span(loop, wait_us);
    ask->result = iip_loop_turn(loop, turn);
    turn->wait_us = asked;
    if (ask->result < 0)
        return 1;
    *packets = turn->rx_packets;
    ask->op_short += turn->op_short;
    ask->release_failed += turn->release_failed;
    ask->rx_packets += turn->rx_packets;
    if (!ask->result && loop->stats.wakes == wakes && loop->now < ask->until)
        return 0;
    turn->op_short = ask->op_short;
    turn->release_failed = ask->release_failed;
    turn->rx_packets = ask->rx_packets;
    iip_ask_park(loop, turn, wakes);
    return 1;
}

static uint32_t iip_ask_serve(struct iip_loop *loop, int64_t wait_us)
{
    const struct iip_turn *turn = loop->ask.to;
    uint32_t packets = 0;
    if (loop->ask.code != IIP_ASK_TURN || !turn || turn->size < sizeof *turn)
        iip_ask_answer(loop, iip_ask_call(loop, &loop->ask));
    else if (iip_ask_turn(loop, wait_us, &packets))
        iip_ask_answer(loop, loop->ask.result);
    return packets;
}

/* The networking goes on while the application is busy. Of a parked one it is also seen what should wake it. */
static uint32_t iip_ask_alone(struct iip_loop *loop, int64_t wait_us)
{
    uint32_t packets;
    loop->alone = loop->app_state != IIP_APP_PARKED;
    packets = iip_turn_alone(loop, wait_us);
    loop->alone = 0;
    atomic_store_explicit(&loop->net_woken, 0, memory_order_relaxed);
    if (loop->app_state == IIP_APP_PARKED &&
        (atomic_load_explicit(&loop->woken, memory_order_relaxed) || iip_event_waiting(loop) ||
         iip_stack_speaks(loop->stk)))
        iip_ask_call_app(loop);
    return packets;
}

/* An application that is in a call of its own, perhaps asleep in a turn, leaves it first and does not come back. */
static int32_t iip_ask_join(struct iip_loop *loop)
{
    const void *self = iip_thread_token();
    const void *owner;
    if (!loop->cores)
        return IIP_E_NOT_SUPPORTED;
    atomic_store(&loop->net_here, 1);
    for (;;) {
        owner = NULL;
        if (atomic_compare_exchange_strong(&loop->owner, &owner, self))
            return IIP_OK;
        if (owner != atomic_load_explicit(&loop->app, memory_order_relaxed))
            return IIP_E_BUSY;
        if (iip_loop_wake(loop))
            return IIP_E_CLOSED;
        sched_yield();
    }
}

/* A turn under way ends here. Whoever asks from now on finds nobody, and is woken to see that if he sleeps already. */
void iip_ask_leave(struct iip_loop *loop)
{
    uint32_t asleep = IIP_ASKED_ASLEEP;
    while (iip_ask_any(loop)) {
        loop->ask.until = 0; /* before the answer: behind it, the question is the asker's again */
        iip_ask_serve(loop, 0);
    }
    iip_ask_call_app(loop);
    atomic_store(&loop->net_here, 0);
    atomic_store(&loop->owner, NULL);
    if (atomic_compare_exchange_strong(&loop->asked, &asleep, IIP_ASKED))
        iip_ask_futex(loop, FUTEX_WAKE, 1);
}

int32_t iip_loop_net(struct iip_loop *loop, int64_t wait_us)
{
    int32_t st = iip_loop_check(loop);
    if (!st && !loop->cores)
        return IIP_E_NOT_SUPPORTED;
    if (st == IIP_E_WRONG_THREAD)
        st = iip_ask_join(loop);
    if (st)
        return st;
    if (!wait_us && loop->cores == IIP_CORES_MERGE)
        wait_us = -1;
    if (iip_ask_any(loop))
        return (int32_t)iip_ask_serve(loop, wait_us);
    return (int32_t)iip_ask_alone(loop, wait_us);
}

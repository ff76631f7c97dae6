/*
 * wake.c - sleeping, and being woken.
 *
 * The loop stores `parked`, then looks for work, then sleeps; others make work visible, then read `parked`. Both put a
 * full fence between, so at least one of them sees the other. Only who finds the loop parked pays a system call. Work
 * in a queue that the loop does not know is `woken`, the word that those who bring it store.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "sdk.h"

static int32_t iip_wake_watch(const struct iip_loop *loop, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};
    ev.data.fd = fd;
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? IIP_E_IO : IIP_OK;
}

int32_t iip_wake_init(struct iip_loop *loop)
{
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->port_fd = loop->polls ? -1 : loop->ops->fd(loop->queue);
    if (loop->wake_fd < 0 || loop->timer_fd < 0 || loop->epoll_fd < 0)
        return IIP_E_IO;
    if (loop->port_fd < 0)
        loop->polls = 1;
    else if (iip_wake_watch(loop, loop->port_fd))
        return IIP_E_IO;
    if (iip_wake_watch(loop, loop->wake_fd) || iip_wake_watch(loop, loop->timer_fd))
        return IIP_E_IO;
    return IIP_OK;
}

/* The port's descriptor is the port's to close. */
void iip_wake_free(struct iip_loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->app_fd >= 0)
        close(loop->app_fd);
}

void iip_wake_now(struct iip_loop *loop)
{
    static const uint64_t one = 1;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&loop->parked, memory_order_relaxed) && write(loop->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable all the same */
}

int32_t iip_loop_wake(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    atomic_store_explicit(&loop->woken, 1, memory_order_release);
    atomic_store_explicit(&loop->net_woken, 1, memory_order_relaxed);
    iip_wake_now(loop);
    return IIP_OK;
}

int32_t iip_loop_fd(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    return loop->cores ? loop->app_fd : loop->epoll_fd;
}

/* Work that others made. Few buffers make the return list work. */
static int iip_wake_work(const struct iip_loop *loop)
{
    return atomic_load_explicit(loop->alone ? &loop->net_woken : &loop->woken, memory_order_relaxed) ||
        (loop->alone && iip_ask_any(loop)) || iip_post_ready(loop) || iip_inbox_any(loop) ||
        (loop->pool_low && atomic_load_explicit(&loop->returned, memory_order_relaxed) != IIP_SLOT_NONE);
}

/* 1: nothing was there, and whoever brings something will now see that the loop sleeps. */
static int iip_wake_announce(struct iip_loop *loop)
{
    atomic_store_explicit(&loop->parked, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!iip_wake_work(loop)) {
        if (loop->port_fd >= 0)
            loop->ops->fd(loop->queue); /* asks the port to wake us: see port.h */
        return 1;
    }
    atomic_store_explicit(&loop->parked, 0, memory_order_relaxed);
    return 0;
}

static void iip_wake_silence(struct iip_loop *loop)
{
    uint64_t count;
    atomic_store_explicit(&loop->parked, 0, memory_order_relaxed);
    while (read(loop->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ---- waiting within a turn ---- */

static struct timespec iip_wake_span(uint64_t us)
{
    uint64_t most = (uint64_t)365 * 86400 * 1000000;
    if (us > most)
        us = most;
    return (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
}

/* Sleeps once; 1: something is there, or a signal came. */
static int iip_wake_sleep(struct iip_loop *loop, uint64_t us, int room)
{
    struct pollfd fds[2] = {{.fd = loop->wake_fd, .events = POLLIN}, {.fd = loop->port_fd, .events = POLLIN}};
    struct timespec span = iip_wake_span(us);
    if (room)
        fds[1].events |= POLLOUT;
    return ppoll(fds, loop->port_fd >= 0 ? 2 : 1, &span, NULL) != 0;
}

/* A port without interrupt is looked at every poll_us; what is found is kept for the turn. One that is full and has no
   descriptor to say when it is not gets the same treatment. */
static void iip_wake_poll(struct iip_loop *loop, uint64_t until)
{
    uint64_t left;
    while (!loop->burst_n) {
        iip_loop_clock(loop);
        left = until > loop->now ? until - loop->now : 0;
        if (!left || iip_wake_sleep(loop, left < loop->poll_us ? left : loop->poll_us, 0))
            return;
        loop->burst_n = loop->ops->rx(loop->queue, loop->burst, loop->burst_max);
        if (iip_stack_tx_pending(loop->stk))
            return;
    }
}

void iip_wake_wait(struct iip_loop *loop, int64_t wait_us)
{
    uint64_t until = iip_turn_deadline(loop);
    uint64_t most =
        wait_us < 0 || (uint64_t)wait_us > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + (uint64_t)wait_us;
    if (until > most)
        until = most;
    if (until <= loop->now || !iip_wake_announce(loop))
        return;
    if (loop->polls)
        iip_wake_poll(loop, until);
    else
        iip_wake_sleep(loop, until - loop->now, iip_stack_tx_pending(loop->stk) != 0);
    iip_wake_silence(loop);
    iip_loop_clock(loop);
}

/* ---- parking for a foreign event loop ---- */

static void iip_wake_watch_room(struct iip_loop *loop)
{
    struct epoll_event ev = {.events = EPOLLIN};
    uint32_t want = iip_stack_tx_pending(loop->stk) != 0;
    if (loop->port_fd < 0 || want == loop->epoll_out)
        return;
    ev.data.fd = loop->port_fd;
    ev.events |= want ? EPOLLOUT : 0;
    if (!epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->port_fd, &ev))
        loop->epoll_out = want;
}

static void iip_wake_arm(struct iip_loop *loop, uint64_t until)
{
    struct itimerspec at;
    uint64_t left = until - loop->now;
    memset(&at, 0, sizeof at);
    if (loop->polls && left > loop->poll_us)
        left = loop->poll_us;
    if (until != UINT64_MAX || loop->polls)
        at.it_value = iip_wake_span(left);
    timerfd_settime(loop->timer_fd, 0, &at, NULL); /* of zeros: off. Setting it also makes it unreadable */
}

int iip_wake_park(struct iip_loop *loop)
{
    uint64_t until = iip_turn_deadline(loop);
    if (until <= loop->now || loop->cores)
        return 0;
    iip_wake_watch_room(loop);
    iip_wake_arm(loop, until);
    if (!iip_wake_announce(loop))
        return 0;
    loop->stats.parks++;
    return 1;
}

void iip_wake_unpark(struct iip_loop *loop)
{
    if (atomic_load_explicit(&loop->parked, memory_order_relaxed))
        iip_wake_silence(loop);
}

/*
 * A wake ends the wait of the turn that it finds under way or ahead of it, and keeps it from parking; then it is
 * forgotten. By an exchange: what its waker, and every one before, made visible is seen behind the turn, which a plain
 * store could overtake.
 */
void iip_wake_seen(struct iip_loop *loop)
{
    if (!atomic_load_explicit(&loop->woken, memory_order_relaxed))
        return;
    atomic_exchange(&loop->woken, 0);
    loop->stats.wakes++;
}

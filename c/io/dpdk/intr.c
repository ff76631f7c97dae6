/*
 * intr.c - receive interrupts, for loops that park.
 *
 * They are armed when the loop asks for its descriptor, which it does before each wait, and disarmed by the next
 * receive: a loop that never waits pays nothing. A packet that came just before the interrupt was armed raises none,
 * so arming looks once more; what it finds is stashed for the next receive, and the descriptor made readable.
 *
 * Drivers differ in what their descriptor is (an event counter, another epoll, the device itself; of net_af_packet we
 * take the sockets) and in how it is quieted, if at all. So the descriptor handed out is an epoll of our own that
 * watches the driver's for edges: each interrupt makes it readable until the next arming. Where the driver has nothing
 * to enable, its descriptor is the device itself, readable as long as there are packets, and watched for that: net_tap
 * hears of packets by a signal, and may find none when it is asked too early. The epoll also watches
 *   - an event counter for changes of the link, since a guest that connects resets what was armed before;
 *   - a timer, since no driver tells when there is room to send again: after a refusal it rings in a moment.
 */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "dpdk.h"

#define ROOM_AGAIN_NS 50000L /* how soon to try again after a refusal: doubled while nothing is taken, ... */
#define ROOM_DOUBLINGS 8U    /* ... to 13 ms: a guest may be away for good */

/* ---- link events, on a thread of DPDK ---------------------------------------------------------------------------- */

static int link_event(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *unused)
{
    struct iip_port *port = arg;
    uint16_t i;

    (void)port_id;
    (void)type;
    (void)unused;
    __atomic_store_n(&port->changed_at_ms, 0, __ATOMIC_RELAXED);
    for (i = 0; i < port->queues; i++)
        eventfd_write(port->queue[i].link_fd, 1);
    return 0;
}

/* ---- a queue ----------------------------------------------------------------------------------------------------- */

static int watch(int epoll_fd, int fd, uint32_t edge)
{
    struct epoll_event ev = {.events = EPOLLIN | edge};

    return fd < 0 ? -1 : epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* The driver's interrupt, or all its sockets: which of them is the queue's own is not told. */
static int watch_device(struct iip_port_queue *q)
{
    const struct dpdk_sockets *s = &q->port->sockets;
    uint32_t i, edge;

    for (i = 0; s->len >= q->port->queues && i < s->len; i++)
        if (watch(q->intr_fd, s->fd[i], EPOLLET) < 0)
            return -1;
    if (i)
        return 0;
    edge = rte_eth_dev_rx_intr_enable(q->port_id, q->index) == -ENOTSUP ? 0 : EPOLLET;
    return watch(q->intr_fd, rte_eth_dev_rx_intr_ctl_q_get_fd(q->port_id, q->index), edge);
}

static int queue_start(struct iip_port_queue *q)
{
    q->link_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    q->intr_fd = epoll_create1(EPOLL_CLOEXEC);
    return q->intr_fd < 0 || watch(q->intr_fd, q->link_fd, EPOLLET) < 0 ||
        watch(q->intr_fd, q->timer_fd, EPOLLET) < 0 || watch_device(q) < 0;
}

static void queue_stop(struct iip_port_queue *q)
{
    if (q->intr_fd >= 0)
        close(q->intr_fd);
    if (q->timer_fd >= 0)
        close(q->timer_fd);
    if (q->link_fd >= 0)
        close(q->link_fd);
    q->intr_fd = q->timer_fd = q->link_fd = -1;
    rte_pktmbuf_free_bulk(q->stash, q->stash_len);
    q->stash_len = 0;
}

/* The descriptor becomes readable in `ns` nanoseconds. */
static void ring_in(const struct iip_port_queue *q, long ns)
{
    struct itimerspec at = {.it_value = {.tv_nsec = ns}};

    timerfd_settime(q->timer_fd, 0, &at, NULL);
}

static void arm(struct iip_port_queue *q)
{
    struct epoll_event ev[DPDK_SOCKETS + 2];

    q->armed = 1;
    epoll_wait(q->intr_fd, ev, RTE_DIM(ev), 0);            /* what rang before is known */
    rte_eth_dev_rx_intr_enable(q->port_id, q->index); /* not supported where the descriptor is the device itself */
    if (!q->stash_len)
        q->stash_len = rte_eth_rx_burst(q->port_id, q->index, q->stash, DPDK_STASH);
    if (q->stash_len)
        ring_in(q, 1);
    else if (q->refused)
        ring_in(q, ROOM_AGAIN_NS << q->backoff);
    if (q->refused && q->backoff < ROOM_DOUBLINGS)
        q->backoff++;
}

void dpdk_intr_disarm(struct iip_port_queue *q)
{
    rte_eth_dev_rx_intr_disable(q->port_id, q->index);
    q->armed = 0;
}

int dpdk_queue_fd(struct iip_port_queue *q)
{
    if (q->intr_fd >= 0 && !q->armed)
        arm(q);
    return q->intr_fd;
}

/* ---- a port ------------------------------------------------------------------------------------------------------ */

void dpdk_intr_start(struct iip_port *port)
{
    uint16_t i;

    for (i = 0; i < port->queues; i++) {
        if (queue_start(&port->queue[i])) {
            do
                queue_stop(&port->queue[i]);
            while (i-- > 0);
            return;
        }
    }
    port->intr = 1;
    rte_eth_dev_callback_register(port->port_id, RTE_ETH_EVENT_INTR_LSC, link_event, port);
}

void dpdk_intr_stop(struct iip_port *port)
{
    uint16_t i;

    if (!port->intr)
        return;
    while (rte_eth_dev_callback_unregister(port->port_id, RTE_ETH_EVENT_INTR_LSC, link_event, port) == -EAGAIN)
        sched_yield(); /* it runs just now */
    for (i = 0; i < port->queues; i++)
        queue_stop(&port->queue[i]);
    port->intr = 0;
}

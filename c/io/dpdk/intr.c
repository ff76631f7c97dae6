/*
 * intr.c - receive interrupts, for loops that park.
 *
 * They cost something at each change between idle and busy, so a queue has none until somebody asks for its
 * descriptor. From then on the interrupt is armed by a receive that found nothing, and disarmed by one that found
 * something.
 *
 * Drivers differ in what their descriptor is (an event counter, another epoll, the device itself) and in how it is
 * quieted, if at all. So the descriptor handed out is an epoll of our own that watches the driver's for edges: each
 * interrupt makes it readable once, until it is waited on. A change of the link makes it readable, too; a guest that
 * connects resets the interrupts that were armed before it was there.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dpdk.h"

#define REARM_EVERY 16U /* empty receives with the interrupt armed: it was no packet that woke us */

/* ---- link events, on a thread of DPDK ---------------------------------------------------------------------------- */

static int link_event(uint16_t port_id, enum rte_eth_event_type type, void *arg, void *unused)
{
    struct iip_port *port = arg;
    ssize_t n;

    (void)port_id;
    (void)type;
    (void)unused;
    __atomic_store_n(&port->changed_at_ms, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&port->link_events, 1, __ATOMIC_RELEASE);
    n = eventfd_write(port->link_fd, 1);
    (void)n;
    return 0;
}

/* ---- a port ------------------------------------------------------------------------------------------------------ */

static int has_interrupts(const struct iip_port *port)
{
    uint16_t i;

    for (i = 0; i < port->queues; i++)
        if (rte_eth_dev_rx_intr_ctl_q_get_fd(port->port_id, i) < 0)
            return 0;
    return 1;
}

void dpdk_intr_start(struct iip_port *port)
{
    if (!has_interrupts(port))
        return;
    port->link_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (port->link_fd < 0)
        return;
    port->intr = 1;
    rte_eth_dev_callback_register(port->port_id, RTE_ETH_EVENT_INTR_LSC, link_event, port);
}

void dpdk_intr_stop(struct iip_port *port)
{
    uint16_t i;

    if (!port->intr)
        return;
    rte_eth_dev_callback_unregister(port->port_id, RTE_ETH_EVENT_INTR_LSC, link_event, port);
    for (i = 0; i < port->queues; i++)
        if (port->queue[i].intr_fd >= 0)
            close(port->queue[i].intr_fd);
    close(port->link_fd);
    port->intr = 0;
}

/* ---- a queue ----------------------------------------------------------------------------------------------------- */

static int watch(int epoll_fd, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

int dpdk_queue_fd(struct iip_port_queue *q)
{
    int fd;

    if (q->intr_fd >= 0 || !q->port->intr)
        return q->intr_fd;
    fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return -1;
    if (watch(fd, rte_eth_dev_rx_intr_ctl_q_get_fd(q->port_id, q->index)) < 0 || watch(fd, q->port->link_fd) < 0) {
        close(fd);
        return -1;
    }
    q->intr_fd = fd;
    dpdk_intr_arm(q);
    return fd;
}

void dpdk_intr_arm(struct iip_port_queue *q)
{
    struct epoll_event ev[2];

    q->intr_armed = 1;
    q->intr_idle = 0;
    q->intr_link = __atomic_load_n(&q->port->link_events, __ATOMIC_ACQUIRE);
    epoll_wait(q->intr_fd, ev, 2, 0);
    rte_eth_dev_rx_intr_enable(q->port_id, q->index); /* not supported where the descriptor is the device itself */
}

/* After a receive that found `got` packets; 1: it was armed just now, so look once more. */
int dpdk_intr_update(struct iip_port_queue *q, uint32_t got)
{
    if (got) {
        if (q->intr_armed)
            rte_eth_dev_rx_intr_disable(q->port_id, q->index);
        q->intr_armed = 0;
        return 0;
    }
    if (q->intr_armed && ++q->intr_idle < REARM_EVERY && q->intr_link == __atomic_load_n(&q->port->link_events, __ATOMIC_ACQUIRE))
        return 0;
    dpdk_intr_arm(q);
    return 1;
}

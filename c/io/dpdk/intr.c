/*
 * intr.c - receive interrupts, for loops that park.
 *
 * They cost something at each change between idle and busy, so a queue has none until somebody asks for its
 * descriptor. From then on the interrupt is armed by a receive that found nothing, and disarmed by one that found
 * something. A driver whose descriptor is the device itself (net_tap) needs neither: it is readable while there are packets.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "dpdk.h"

/* 1 when every queue of the started device has an interrupt descriptor. */
int dpdk_intr_probe(struct iip_port *port)
{
    uint16_t i;

    for (i = 0; i < port->queues; i++)
        if (rte_eth_dev_rx_intr_ctl_q_get_fd(port->port_id, i) < 0)
            return 0;
    return 1;
}

int dpdk_queue_fd(struct iip_port_queue *q)
{
    int rc;

    if (q->intr_fd >= 0 || !q->port->intr)
        return q->intr_fd;
    q->intr_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(q->port_id, q->index);
    rc = rte_eth_dev_rx_intr_enable(q->port_id, q->index);
    q->intr_drain = rc == 0;
    q->intr_armed = 1;
    return q->intr_fd;
}

void dpdk_intr_arm(struct iip_port_queue *q)
{
    struct pollfd pfd = {.fd = q->intr_fd, .events = POLLIN};
    uint64_t count;

    q->intr_armed = 1;
    if (!q->intr_drain)
        return;
    if (poll(&pfd, 1, 0) == 1 && read(q->intr_fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
        q->intr_drain = 0;
    rte_eth_dev_rx_intr_enable(q->port_id, q->index);
}

void dpdk_intr_disarm(struct iip_port_queue *q)
{
    if (!q->intr_armed)
        return;
    q->intr_armed = 0;
    if (q->intr_drain)
        rte_eth_dev_rx_intr_disable(q->port_id, q->index);
}

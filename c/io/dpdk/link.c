/*
 * link.c - link state and MTU, and whether they changed.
 *
 * Asking a driver for the link may cost a system call, so it is asked ten times a second, and at once when the driver
 * tells of a change by itself (intr.c). A device that sits on an interface of the kernel is up when both are, and has
 * the smaller of both MTUs.
 */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dpdk.h"

#define LINK_EVERY_MS 100U

/* What the kernel says of the interface that the device sits on. Not every driver passes it on. */
static void kernel_read(struct iip_port *port)
{
    struct ifreq ifr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    memset(&ifr, 0, sizeof(ifr));
    if (if_indextoname((unsigned)port->if_index, ifr.ifr_name)) {
        if (ioctl(fd, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu > 0 && (uint32_t)ifr.ifr_mtu < port->mtu)
            port->mtu = (uint32_t)ifr.ifr_mtu;
        if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && !(ifr.ifr_flags & IFF_RUNNING))
            port->link_up = 0;
    }
    close(fd);
}

void dpdk_link_read(struct iip_port *port)
{
    struct rte_eth_link link;
    uint16_t mtu = 0;

    memset(&link, 0, sizeof(link));
    port->link_up = rte_eth_link_get_nowait(port->port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    if (rte_eth_dev_get_mtu(port->port_id, &mtu) == 0 && mtu)
        port->mtu = mtu;
    if (port->if_index > 0)
        kernel_read(port);
}

int dpdk_link_changed(struct iip_port *port)
{
    uint32_t mtu = port->mtu;
    uint8_t up = port->link_up;
    struct timespec ts;
    uint64_t now_ms;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now_ms = (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
    if (now_ms - __atomic_load_n(&port->changed_at_ms, __ATOMIC_RELAXED) < LINK_EVERY_MS)
        return 0;
    __atomic_store_n(&port->changed_at_ms, now_ms, __ATOMIC_RELAXED);
    dpdk_link_read(port);
    return port->link_up != up || port->mtu != mtu;
}

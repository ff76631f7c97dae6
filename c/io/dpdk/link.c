/*
 * link.c - link state and MTU, and whether they changed.
 *
 * Asking a driver for the link may cost a system call, so it is asked ten times a second, and at once when the driver
 * tells of a change by itself (intr.c). The MTU of a device that sits on an interface of the kernel is the smaller of
 * the driver's and the interface's.
 */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dpdk.h"

#define LINK_EVERY_MS 100U

static uint32_t kernel_mtu(int if_index)
{
    struct ifreq ifr;
    uint32_t mtu = 0;
    int fd;

    memset(&ifr, 0, sizeof(ifr));
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (if_indextoname((unsigned)if_index, ifr.ifr_name) && ioctl(fd, SIOCGIFMTU, &ifr) == 0)
        mtu = (uint32_t)ifr.ifr_mtu;
    close(fd);
    return mtu;
}

void dpdk_link_read(struct iip_port *port)
{
    struct rte_eth_link link;
    uint16_t mtu = 0;
    uint32_t below;

    memset(&link, 0, sizeof(link));
    port->link_up = rte_eth_link_get_nowait(port->port_id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
    if (rte_eth_dev_get_mtu(port->port_id, &mtu) == 0 && mtu)
        port->mtu = mtu;
    below = port->if_index > 0 ? kernel_mtu(port->if_index) : 0;
    if (below && below < port->mtu)
        port->mtu = below;
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

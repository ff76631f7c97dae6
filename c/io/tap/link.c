/* link.c - the interface as the kernel sees it: MTU, state, addresses. */
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "iip/status.h"

enum { IIP_TAP_CHECK_US = 100000 }; /* how often MTU and state are looked at: two ioctls */

static int iip_tap_ioctl(const struct iip_tap *tap, unsigned long request, struct ifreq *ifr)
{
    memcpy(ifr->ifr_name, tap->name, IFNAMSIZ);
    return ioctl(tap->control, request, ifr);
}

int iip_tap_link_open(struct iip_tap *tap, struct iip_port_err *err)
{
    tap->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (tap->control < 0)
        tap->control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (tap->control < 0)
        return iip_port_fail(err, IIP_E_IO, "tap:%s: socket: %s", tap->name, strerror(errno));
    return IIP_OK;
}

int iip_tap_link_read(struct iip_tap *tap)
{
    struct ifreq ifr;
    uint32_t mtu = tap->mtu, up = 0;
    memset(&ifr, 0, sizeof(ifr));
    if (iip_tap_ioctl(tap, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu > 0)
        mtu = (uint32_t)ifr.ifr_mtu;
    if (iip_tap_ioctl(tap, SIOCGIFFLAGS, &ifr) == 0)
        up = (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
    if (mtu == tap->mtu && up == tap->up)
        return 0;
    tap->mtu = mtu;
    tap->up = up;
    return 1;
}

int iip_tap_changed(struct iip_port *port)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    struct timespec ts;
    uint64_t now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    if (IIP_LIKELY(now - tap->checked_us < IIP_TAP_CHECK_US && !__atomic_load_n(&tap->recheck, __ATOMIC_RELAXED)))
        return 0;
    tap->checked_us = now;
    __atomic_store_n(&tap->recheck, 0, __ATOMIC_RELAXED);
    return iip_tap_link_read(tap);
}

/* ---- set-up: only what the port string asks for ---- */

struct iip_tap_msg { /* RTM_NEWADDR */
    struct nlmsghdr nl;
    struct ifaddrmsg ifa;
    uint8_t attrs[64];
};

static void iip_tap_attr(struct iip_tap_msg *msg, uint16_t type, const void *data, uint16_t len)
{
    struct rtattr *a = (struct rtattr *)((char *)msg + NLMSG_ALIGN(msg->nl.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(a), data, len);
    msg->nl.nlmsg_len = NLMSG_ALIGN(msg->nl.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Sends one request to rtnetlink; 0, or the errno it answers. */
static int iip_tap_netlink(const struct nlmsghdr *nl)
{
    struct {
        struct nlmsghdr nl;
        struct nlmsgerr err;
        uint8_t more[256];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error = EIO;
    ssize_t got;
    if (fd < 0)
        return errno;
    if (send(fd, nl, nl->nlmsg_len, 0) < 0) {
        error = errno;
    } else {
        got = recv(fd, &answer, sizeof(answer), 0);
        if (got >= (ssize_t)NLMSG_LENGTH(sizeof(int)) && answer.nl.nlmsg_type == NLMSG_ERROR)
            error = -answer.err.error;
    }
    close(fd);
    return error;
}

/* Splits "10.9.0.1/24"; the family, or 0 when it is no address. */
static int iip_tap_parse(const char *text, uint8_t addr[16], uint32_t *prefix)
{
    char copy[64], *slash, *end;
    int family;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash)
        *slash = 0;
    family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, copy, addr) != 1)
        return 0;
    *prefix = family == AF_INET ? 32 : 128;
    if (slash) {
        unsigned long v = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || v > *prefix)
            return 0;
        *prefix = (uint32_t)v;
    }
    return family;
}

static int iip_tap_address(struct iip_tap *tap, const char *text, struct iip_port_err *err)
{
    struct iip_tap_msg msg;
    uint8_t addr[16];
    uint32_t prefix;
    int family = iip_tap_parse(text, addr, &prefix), error;
    uint16_t len = family == AF_INET ? 4 : 16;
    if (!family)
        return iip_port_fail(err, IIP_E_INVAL,
                             "tap:%s: up=%s: use an address with its prefix length, as 10.9.0.1/24 or fd00::1/64",
                             tap->name, text);
    memset(&msg, 0, sizeof(msg));
    msg.nl.nlmsg_len = NLMSG_LENGTH(sizeof(msg.ifa));
    msg.nl.nlmsg_type = RTM_NEWADDR;
    msg.nl.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    msg.ifa.ifa_family = (uint8_t)family;
    msg.ifa.ifa_prefixlen = (uint8_t)prefix;
    msg.ifa.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0; /* the only neighbour is us */
    msg.ifa.ifa_index = if_nametoindex(tap->name);
    iip_tap_attr(&msg, IFA_LOCAL, addr, len);
    iip_tap_attr(&msg, IFA_ADDRESS, addr, len);
    error = iip_tap_netlink(&msg.nl);
    if (error)
        return iip_port_fail(err, error == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                             "tap:%s: up=%s: %s; set the address yourself with: ip addr add %s dev %s", tap->name, text,
                             strerror(error), text, tap->name);
    return IIP_OK;
}

static int iip_tap_bring_up(struct iip_tap *tap, struct iip_port_err *err)
{
    struct ifreq ifr;
    memset(&ifr, 0, sizeof(ifr));
    if (iip_tap_ioctl(tap, SIOCGIFFLAGS, &ifr) == 0) {
        ifr.ifr_flags |= IFF_UP;
        if (iip_tap_ioctl(tap, SIOCSIFFLAGS, &ifr) == 0)
            return IIP_OK;
    }
    return iip_port_fail(err, errno == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                         "tap:%s: up: %s; bring the interface up yourself with: ip link set %s up", tap->name,
                         strerror(errno), tap->name);
}

int iip_tap_link_setup(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    struct ifreq ifr;
    int status = IIP_OK;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_mtu = (int)ask->mtu;
    if (ask->mtu && iip_tap_ioctl(tap, SIOCSIFMTU, &ifr))
        return iip_port_fail(err, errno == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                             "tap:%s: mtu=%u: %s; set it yourself with: ip link set %s mtu %u", tap->name, ask->mtu,
                             strerror(errno), tap->name, ask->mtu);
    for (int i = 0; i < ask->ups && status >= 0; i++)
        if (strcmp(ask->up[i], "on") != 0)
            status = iip_tap_address(tap, ask->up[i], err);
    if (status >= 0 && ask->ups)
        status = iip_tap_bring_up(tap, err);
    return status;
}

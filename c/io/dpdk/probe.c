/*
 * probe.c - finds the device that a port string names, or makes it, and says well why it cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include "dpdk.h"

static uint8_t in_use[RTE_MAX_ETHPORTS]; /* opened by us; under the open lock */

/* Drivers that make as many queues as an argument of theirs says. */
static const struct {
    const char *driver, *key;
} queue_args[] = {
    {"net_af_packet", "qpairs"},
    {"net_vhost", "queues"},
    {"net_virtio_user", "queues"},
    {"net_af_xdp", "queue_count"},
};

/*
 * Packets of a ring of net_af_packet that has siblings. The driver asks the kernel to move packets to another queue when
 * three quarters of the ring of theirs are full (PACKET_FANOUT_FLAG_ROLLOVER), and that cannot be undone. A flow that is
 * moved is out of order, which TCP answers with duplicate ACKs and PAWS with drops. The driver's 512 are not a window.
 * The driver locks them in memory, which an ordinary user may do with little: then half as many, down to the driver's.
 */
enum { AF_PACKET_RING = 4096, AF_PACKET_RING_DRIVER = 512 };

/* ---- what can be said before DPDK is asked ----------------------------------------------------------------------- */

static int is_driver(const char *device, const char *driver)
{
    return strncmp(device, driver, strlen(driver)) == 0;
}

static int check_iface(const struct dpdk_args *args, char *err, size_t err_len)
{
    char iface[64];

    if (!is_driver(args->device, "net_af_packet") && !is_driver(args->device, "net_af_xdp"))
        return 0;
    if (!dpdk_args_get(args->devargs, "iface", iface, sizeof(iface)))
        return dpdk_fail(IIP_E_INVAL, err, err_len, "%s: no interface is named: dpdk:%s,iface=NAME", args->device,
                         args->device);
    if (if_nametoindex(iface) == 0)
        return dpdk_fail(IIP_E_NO_DEVICE, err, err_len,
                         "%s: iface=%s: no such interface in this network namespace: `ip link` lists them",
                         args->device, iface);
    return 0;
}

static int check_raw_socket(const struct dpdk_args *args, char *err, size_t err_len)
{
    int fd, why;

    if (!is_driver(args->device, "net_af_packet") && !is_driver(args->device, "net_af_xdp"))
        return 0;
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    why = errno;
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    return dpdk_fail(
        IIP_E_ACCESS, err, err_len,
        "%s: packet socket: %s: run as root, or in a user and network namespace (unshare -Urn), or grant CAP_NET_RAW",
        args->device, strerror(why));
}

/* Makes a TAP interface that goes away at once: the right to do so is not to be seen otherwise. */
static int check_tap(const struct dpdk_args *args, char *err, size_t err_len)
{
    struct ifreq ifr;
    int fd, ok, why;

    if (!is_driver(args->device, "net_tap"))
        return 0;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    ok = fd >= 0 && ioctl(fd, TUNSETIFF, &ifr) == 0;
    why = errno;
    if (fd >= 0)
        close(fd);
    if (ok)
        return 0;
    return dpdk_fail(
        why == ENOENT ? IIP_E_NO_DEVICE : IIP_E_ACCESS, err, err_len,
        "%s: /dev/net/tun: %s: run as root, or in a user and network namespace (unshare -Urn); in a container pass "
        "--device /dev/net/tun",
        args->device, strerror(why));
}

static int check_pci(const struct dpdk_args *args, char *err, size_t err_len)
{
    char path[128], driver[256];
    const char *name = NULL;
    ssize_t n;

    if (!args->is_pci)
        return 0;
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", args->device);
    if (access(path, F_OK) != 0)
        return dpdk_fail(IIP_E_NO_DEVICE, err, err_len, "%s: no such PCI device: `lspci -D` lists them", args->device);
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", args->device);
    n = readlink(path, driver, sizeof(driver) - 1);
    if (n > 0) {
        driver[n] = '\0';
        name = strrchr(driver, '/');
        name = name ? name + 1 : driver;
    }
    if (name &&
        (!strcmp(name, "vfio-pci") || !strcmp(name, "igb_uio") || !strcmp(name, "uio_pci_generic") ||
         strstr(name, "mlx")))
        return 0;
    return dpdk_fail(
        IIP_E_NO_DEVICE, err, err_len,
        "%s: it is bound to %s, which DPDK cannot use: `dpdk-devbind.py -b vfio-pci %s` as root (it then leaves the kernel)",
        args->device, name ? name : "no driver", args->device);
}

int dpdk_probe_check(const struct dpdk_args *args, char *err, size_t err_len)
{
    int rc = check_iface(args, err, err_len);

    if (rc == 0)
        rc = check_raw_socket(args, err, err_len);
    if (rc == 0)
        rc = check_tap(args, err, err_len);
    return rc == 0 ? check_pci(args, err, err_len) : rc;
}

/* ---- asking DPDK ------------------------------------------------------------------------------------------------- */

static int probe_failed(const struct dpdk_args *args, int rc, char *err, size_t err_len)
{
    const char *said = dpdk_log_line();

    if (args->is_pci)
        return dpdk_fail(
            IIP_E_NO_DEVICE, err, err_len,
            "%s: no DPDK driver took the device (%s%s%s): check that one for it is installed, that it is in an IOMMU group of "
            "its own, and that /dev/vfio may be opened",
            args->device, strerror(-rc), *said ? "; " : "", said);
    return dpdk_fail(
        rc == -EEXIST ? IIP_E_BUSY : IIP_E_NO_DEVICE, err, err_len,
        "%s%s%s: DPDK %s.%s could not make the device (%s%s%s): check the driver's name (net_af_packet, net_memif, net_tap, "
        "net_vhost, net_virtio_user, net_ring, ... followed by a number) and its arguments",
        args->device, *args->devargs ? "," : "", args->devargs, RTE_STR(RTE_VER_YEAR), RTE_STR(RTE_VER_MONTH),
        strerror(-rc), *said ? "; " : "", said);
}

/* Adds an argument of the driver's, unless the caller gave it one; `len` bytes are at `devargs`. */
static void add_devarg(char *devargs, size_t len, const char *key, uint32_t value)
{
    char given[16];
    size_t n = strlen(devargs);

    if (!dpdk_args_get(devargs, key, given, sizeof(given)))
        snprintf(devargs + n, len - n, "%s%s=%u", n ? "," : "", key, value);
}

/* The driver's arguments, with what several queues need; `ring` 0: nothing about that. */
static char *queue_devargs(const struct dpdk_args *args, uint32_t queues, uint32_t ring)
{
    size_t i, len = strlen(args->devargs) + 64;
    char *out = malloc(len);

    if (!out)
        return NULL;
    snprintf(out, len, "%s", args->devargs);
    for (i = 0; queues > 1 && i < RTE_DIM(queue_args); i++)
        if (is_driver(args->device, queue_args[i].driver))
            add_devarg(out, len, queue_args[i].key, queues);
    if (ring)
        add_devarg(out, len, "framecnt", ring);
    return out;
}

/* One device may have several ports under names of their own: the first is taken. */
static int find_port(const char *name, uint16_t *id)
{
    struct rte_eth_dev_info info;
    uint32_t i;

    if (rte_eth_dev_get_port_by_name(name, id) == 0)
        return 1;
    for (i = 0; i < RTE_MAX_ETHPORTS; i++) {
        *id = (uint16_t)i;
        if (rte_eth_dev_is_valid_port(*id) && rte_eth_dev_info_get(*id, &info) == 0 && info.device &&
            strcmp(rte_dev_name(info.device), name) == 0)
            return 1;
    }
    return 0;
}

static int plug(const struct dpdk_args *args, const char *name, uint32_t queues, uint32_t ring)
{
    char *devargs = queue_devargs(args, queues, ring);
    int rc;

    if (!devargs)
        return -ENOMEM;
    dpdk_log_clear();
    rc = rte_eal_hotplug_add(args->is_pci ? "pci" : "vdev", name, devargs);
    free(devargs);
    return rc;
}

static int add_device(const struct dpdk_args *args, const char *name, uint32_t queues, char *err, size_t err_len)
{
    uint32_t ring = queues > 1 && is_driver(name, "net_af_packet") ? AF_PACKET_RING : 0;
    int rc = plug(args, name, queues, ring);

    while (rc < 0 && rc != -EEXIST && ring > AF_PACKET_RING_DRIVER) {
        ring /= 2;
        rc = plug(args, name, queues, ring);
    }
    return rc < 0 ? probe_failed(args, rc, err, err_len) : 0;
}

int dpdk_probe(const struct dpdk_args *args, uint32_t queues, struct iip_port *port, char *err, size_t err_len)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    struct dpdk_sockets before;
    int rc;

    snprintf(name, sizeof(name), "%s%s",
             args->is_pci && strchr(args->device, ':') == strrchr(args->device, ':') ? "0000:" : "", args->device);
    port->given = (uint8_t)find_port(name, &port->port_id);
    if (!port->given) {
        if (is_driver(name, "net_af_packet"))
            dpdk_sockets_list(&before, NULL);
        rc = add_device(args, name, queues, err, err_len);
        if (rc < 0)
            return rc;
        if (!find_port(name, &port->port_id))
            return dpdk_fail(IIP_E_NO_DEVICE, err, err_len, "%s: it is there, but it is not a network device", name);
        if (is_driver(name, "net_af_packet"))
            dpdk_sockets_list(&port->sockets, &before);
    }
    if (in_use[port->port_id])
        return dpdk_fail(IIP_E_BUSY, err, err_len, "%s: it is open already in this process: close that port first",
                         name);
    port->name = strdup(name);
    if (!port->name)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "%s: out of memory", name);
    in_use[port->port_id] = 1;
    return 0;
}

void dpdk_unprobe(struct iip_port *port)
{
    struct rte_eth_dev_info info;
    struct rte_device *dev = NULL;

    if (!port->name)
        return;
    if (rte_eth_dev_info_get(port->port_id, &info) == 0)
        dev = (struct rte_device *)(uintptr_t)info.device;
    dpdk_device_close(port);
    if (dev)
        rte_dev_remove(dev);
    in_use[port->port_id] = 0;
    free(port->name);
    port->name = NULL;
}

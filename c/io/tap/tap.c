/* tap.c - opens and closes TAP devices. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kinds.h"
#include "iip/status.h"

#define IIP_TAP_NODE "/dev/net/tun"

static int iip_tap_arg(struct iip_args *a, struct iip_tap_ask *ask)
{
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "mtu"))
        return iip_args_u32(a, 576, IIP_TAP_MTU_MAX, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "tso"))
        return iip_args_switch(a, &ask->tso);
    if (iip_args_is(a, "mac"))
        return iip_args_mac(a, ask->mac);
    if (iip_args_is(a, "up")) {
        if (ask->ups == IIP_TAP_UPS || strlen(a->value) >= sizeof(ask->up[0]))
            return iip_port_fail(a->err, IIP_E_INVAL, "tap: up=%s: at most %d addresses of %zu characters", a->value,
                                 IIP_TAP_UPS, sizeof(ask->up[0]) - 1);
        strcpy(ask->up[ask->ups++], a->value);
        return IIP_OK;
    }
    return iip_args_unknown(a, "up, mtu, csum, tso, mac, " IIP_ARGS_CFG);
}

static int iip_tap_ask(struct iip_tap_ask *ask, const char *args, const struct iip_port_cfg *cfg,
                       struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->csum = ask->tso = 1;
    iip_port_mac_random(ask->mac);
    iip_args_init(&a, "tap", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_tap_arg(&a, ask);
    if (status < 0)
        return status;
    if (strpbrk(ask->name, "/:% \t\n\v\f\r") || strcmp(ask->name, ".") == 0 || strcmp(ask->name, "..") == 0)
        return iip_port_fail(err, IIP_E_INVAL, "tap:%s: an interface name has no '/', ':', '%%' and blank; as tap:iip0",
                             ask->name);
    ask->tso = ask->tso && ask->csum; /* the kernel takes segmentation only with checksums */
    return IIP_OK;
}

static int iip_tap_node_error(const char *name, struct iip_port_err *err)
{
    if (errno == EACCES || errno == EPERM)
        return iip_port_fail(err, IIP_E_ACCESS,
                             "tap:%s: " IIP_TAP_NODE ": %s; allow it with: chmod 0666 " IIP_TAP_NODE
                             " (as root), or run as root",
                             name, strerror(errno));
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        return iip_port_fail(err, IIP_E_NO_DEVICE,
                             "tap:%s: there is no " IIP_TAP_NODE
                             "; load it with: modprobe tun (as root); a container needs "
                             "--device " IIP_TAP_NODE,
                             name);
    return iip_port_fail(err, IIP_E_IO, "tap:%s: " IIP_TAP_NODE ": %s", name, strerror(errno));
}

static int iip_tap_iff_error(const struct iip_tap_ask *ask, uint32_t queues, struct iip_port_err *err)
{
    const char *name = ask->name;
    if (errno == EPERM)
        return iip_port_fail(
            err, IIP_E_ACCESS,
            "tap:%s: making a TAP device needs CAP_NET_ADMIN; run inside a namespace of your own "
            "(unshare -Urn), or as root, or have one made for you: ip tuntap add dev %s mode tap user NAME",
            name, *name ? name : "iip0");
    if (errno == EBUSY)
        return iip_port_fail(err, IIP_E_BUSY,
                             "tap:%s: another program has this device open; close it or take another name", name);
    if (errno == EINVAL)
        return iip_port_fail(
            err, IIP_E_INVAL,
            "tap:%s: an interface of this name exists and is no TAP device with %s; take another name or "
            "remove it: ip link del %s",
            name, queues > 1 ? "several queues (multi_queue)" : "one queue", name);
    return iip_port_fail(err, IIP_E_IO, "tap:%s: TUNSETIFF: %s", name, strerror(errno));
}

static int iip_tap_offload(const struct iip_tap *tap, int fd)
{
    unsigned offload = (tap->csum ? TUN_F_CSUM : 0) | (tap->tso ? TUN_F_TSO4 | TUN_F_TSO6 : 0);
    int size = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETVNETHDRSZ, &size))
        return -1;
    return ioctl(fd, TUNSETOFFLOAD, offload);
}

/* Opens one descriptor of the device; the first one's answer is the name that the others ask for. */
static int iip_tap_descriptor(struct iip_tap *tap, int *fd, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    struct ifreq ifr;
    *fd = open(IIP_TAP_NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return iip_tap_node_error(ask->name, err);
    memset(&ifr, 0, sizeof(ifr));
    memcpy(ifr.ifr_name, tap->name, IFNAMSIZ);
    ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (tap->queues > 1 ? IFF_MULTI_QUEUE : 0));
    if (ioctl(*fd, TUNSETIFF, &ifr))
        return iip_tap_iff_error(ask, tap->queues, err);
    memcpy(tap->name, ifr.ifr_name, IFNAMSIZ);
    if (iip_tap_offload(tap, *fd))
        return iip_port_fail(err, IIP_E_NOT_SUPPORTED,
                             "tap:%s: this kernel has no checksum offload for TAP (%s); try csum=off", tap->name,
                             strerror(errno));
    return IIP_OK;
}

/*
 * Opens one queue. Of several queues each has a second descriptor, detached, to write to: the kernel moves a flow to
 * the queue that wrote for it last, and what it sends next would overtake what still waits in the queue before. For
 * what a detached descriptor writes it moves nothing, so a flow stays where the kernel's hash of it says.
 */
static int iip_tap_attach(struct iip_tap *tap, struct iip_tap_queue *q, const struct iip_tap_ask *ask,
                          struct iip_port_err *err)
{
    struct ifreq ifr;
    int status;
    if (tap->queues == 1) {
        status = iip_tap_descriptor(tap, &q->fd, ask, err);
        q->out = q->fd;
        return status;
    }
    status = iip_tap_descriptor(tap, &q->out, ask, err);
    if (status < 0)
        return status;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = IFF_DETACH_QUEUE;
    if (ioctl(q->out, TUNSETQUEUE, &ifr))
        return iip_port_fail(err, IIP_E_IO, "tap:%s: TUNSETQUEUE: %s; use one queue", tap->name, strerror(errno));
    return iip_tap_descriptor(tap, &q->fd, ask, err);
}

static void iip_tap_close(struct iip_port *port)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    for (uint32_t i = 0; i < tap->queues; i++) {
        if (!tap->q[i])
            continue;
        if (tap->q[i]->out >= 0 && tap->q[i]->out != tap->q[i]->fd)
            close(tap->q[i]->out);
        if (tap->q[i]->fd >= 0)
            close(tap->q[i]->fd);
        iip_pool_free(&tap->q[i]->pool);
        free(tap->q[i]);
    }
    if (tap->control >= 0)
        close(tap->control);
    free(tap);
}

static int iip_tap_start(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    int status = IIP_OK;
    for (uint32_t i = 0; i < tap->queues && status >= 0; i++) {
        tap->q[i] = calloc(1, sizeof(*tap->q[i]));
        if (!tap->q[i])
            return iip_port_fail(err, IIP_E_NOMEM, "tap:%s: no memory", tap->name);
        tap->q[i]->tap = tap;
        tap->q[i]->fd = tap->q[i]->out = -1;
        status = iip_tap_attach(tap, tap->q[i], ask, err);
    }
    if (status >= 0)
        status = iip_tap_link_open(tap, err);
    if (status >= 0)
        status = iip_tap_link_setup(tap, ask, err);
    if (status >= 0)
        iip_tap_link_read(tap);
    for (uint32_t i = 0; i < tap->queues && status >= 0; i++)
        status = iip_tap_queue_init(tap->q[i], ask, i, err);
    return status;
}

static int iip_tap_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                        size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_tap_ask ask;
    struct iip_tap *tap;
    int status = iip_tap_ask(&ask, args, cfg, &e);
    if (status < 0)
        return status;
    tap = calloc(1, sizeof(*tap));
    if (!tap)
        return iip_port_fail(&e, IIP_E_NOMEM, "tap:%s: no memory", ask.name);
    strcpy(tap->name, *ask.name ? ask.name : "iip%d");
    tap->control = -1;
    tap->csum = ask.csum;
    tap->tso = ask.tso;
    tap->mtu = 1500;
    memcpy(tap->mac, ask.mac, 6);
    tap->queues = ask.cfg.queues ? ask.cfg.queues : 1;
    if (tap->queues > IIP_TAP_QUEUES)
        tap->queues = IIP_TAP_QUEUES;
    status = iip_tap_start(tap, &ask, &e);
    if (status < 0)
        iip_tap_close((struct iip_port *)tap);
    else
        *out = (struct iip_port *)tap;
    return status;
}

static void iip_tap_info(struct iip_port *port, struct iip_port_info *out)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    memset(out, 0, sizeof(*out));
    out->caps = IIP_CAP_TX_SG;
    if (tap->csum)
        out->caps |= IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    if (tap->tso) {
        out->caps |= IIP_CAP_TX_TSO;
        out->tso_max = 65535 - 120; /* less both headers with their options */
    }
    out->mtu = tap->mtu < iip_pool_mtu(&tap->q[0]->pool) ? tap->mtu : iip_pool_mtu(&tap->q[0]->pool);
    out->queues = tap->queues;
    out->link_up = tap->up;
    memcpy(out->mac, tap->mac, 6);
}

static struct iip_port_queue *iip_tap_queue(struct iip_port *port, uint32_t i)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    return i < tap->queues ? (struct iip_port_queue *)tap->q[i] : NULL;
}

static uint32_t iip_tap_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_tap *tap = (const struct iip_tap *)port;
    for (uint32_t i = 0; i < tap->queues && i < cap; i++)
        out[i] = (struct iip_port_region){tap->q[i]->pool.base, tap->q[i]->pool.len, tap->q[i]->pool.id};
    return tap->queues;
}

static void iip_tap_attach_stack(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_tap_queue *)q)->stk = stk;
}

static struct iip_frame *iip_tap_frame_get(void *queue, iip_u32 size)
{
    struct iip_tap_queue *q = queue;
    return size <= q->pool.frame_size ? iip_pool_get(&q->pool) : NULL;
}

static void iip_tap_frame_put(void *queue, struct iip_frame *frame)
{
    struct iip_tap_queue *q = queue;
    iip_pool_put(&q->pool, frame);
}

static uint32_t iip_tap_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_tap_queue *)q)->pool);
}

static int iip_tap_fd(struct iip_port_queue *q)
{
    return ((struct iip_tap_queue *)q)->fd;
}

static void iip_tap_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_tap_queue *)q)->stats;
}

const struct iip_port_ops iip_tap_ops = {
    .kind = "tap",
    .build_id = IIP_BUILD_ID,
    .open = iip_tap_open,
    .close = iip_tap_close,
    .info = iip_tap_info,
    .changed = iip_tap_changed,
    .queue = iip_tap_queue,
    .regions = iip_tap_regions,
    .attach = iip_tap_attach_stack,
    .rx = iip_tap_rx,
    .tx = iip_tap_tx,
    .frame_get = iip_tap_frame_get,
    .frame_put = iip_tap_frame_put,
    .frames_free = iip_tap_frames_free,
    .fd = iip_tap_fd,
    .stats = iip_tap_stats,
};

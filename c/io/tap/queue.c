/* queue.c - the data path of a TAP device. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../wire.h"
#include "iip/status.h"

enum { IIP_TAP_FRAMES = 8192, IIP_TAP_GSO = 65535 };

int iip_tap_queue_init(struct iip_tap_queue *q, const struct iip_tap_ask *ask, uint32_t i, struct iip_port_err *err)
{
    uint32_t longest = (q->tap->tso ? IIP_TAP_GSO : IIP_TAP_MTU_MAX) + IIP_TAP_LINK;
    uint32_t size = ask->cfg.frame_size;
    int status = iip_pool_fit(&size, q->tap->mtu, err);
    if (status >= 0)
        status = iip_pool_init(&q->pool, i, ask->cfg.frames ? ask->cfg.frames : IIP_TAP_FRAMES, size, err);
    if (status < 0)
        return status;
    size = q->pool.frame_size;
    q->views = 1;
    if (longest > size - IIP_POOL_HEADROOM)
        q->views += (longest - (size - IIP_POOL_HEADROOM) + size - 1) / size;
    q->holes = q->views;
    q->iov[0].iov_base = &q->head;
    q->iov[0].iov_len = sizeof(q->head);
    if (q->pool.count < 2 * q->views)
        return iip_port_fail(err, IIP_E_RANGE,
                             "tap:%s: frames=%u: one packet takes up to %u frames of %u bytes; use at least %u",
                             q->tap->name, q->pool.count, q->views, size, 2 * q->views);
    return IIP_OK;
}

/* The interface was deleted. A descriptor that is never ready takes the place of this one, for those who poll it. */
static void iip_tap_die(struct iip_tap_queue *q)
{
    int quiet = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (quiet >= 0) {
        dup3(quiet, q->fd, O_CLOEXEC);
        close(quiet);
    }
    q->dead = 1;
    __atomic_store_n(&q->tap->recheck, 1, __ATOMIC_RELAXED);
}

/* ---- receive ---- */

/* Puts fresh frames where the last packet took them; 0 when there are not enough for a packet of any size. */
static int iip_tap_stage(struct iip_tap_queue *q)
{
    while (q->holes) {
        uint32_t i = q->holes - 1, room = i ? 0 : IIP_POOL_HEADROOM;
        struct iip_frame *frame = iip_pool_get(&q->pool);
        if (!frame)
            return 0;
        q->ready[i] = frame;
        q->iov[1 + i].iov_base = frame->base + room;
        q->iov[1 + i].iov_len = frame->size - room;
        q->holes = i;
    }
    return 1;
}

/* [virtio 1.2, 5.1.6.4.1] A checksum that is still to be filled in never left this machine: it cannot be wrong. */
static uint16_t iip_tap_marks(const struct virtio_net_hdr *head)
{
    uint16_t flags = 0;
    if (head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        flags = IIP_PKT_L4_CSUM_OK | IIP_PKT_IP_CSUM_OK;
    else if (head->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        flags = IIP_PKT_L4_CSUM_OK;
    if (head->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        flags |= IIP_PKT_LRO;
    return flags;
}

/* The frames that `len` bytes were read into, as one packet; null when there is no memory for views. */
static struct iip_pkt *iip_tap_packet(struct iip_tap_queue *q, uint32_t len)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t left = len, used = 0;
    do {
        const struct iovec *iov = &q->iov[1 + used];
        uint32_t part = left < iov->iov_len ? left : (uint32_t)iov->iov_len;
        struct iip_pkt *pkt = iip_pkt_new(q->stk, q->ready[used], iov->iov_base, part);
        if (IIP_UNLIKELY(!pkt)) {
            q->holes = used;
            iip_pkt_free(q->stk, head);
            return NULL;
        }
        *tail = pkt;
        tail = &pkt->next;
        left -= part;
        used++;
    } while (left);
    q->holes = used;
    head->total = len;
    head->flags = iip_tap_marks(&q->head);
    head->seg_size = q->head.gso_type != VIRTIO_NET_HDR_GSO_NONE ? q->head.gso_size : 0;
    return head;
}

/* One read: its length without the header, 0 for what is no packet, -1 when there is nothing. */
static int iip_tap_read(struct iip_tap_queue *q)
{
    uint64_t room = 0;
    ssize_t got;
    do
        got = readv(q->fd, q->iov, (int)(1 + q->views));
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EBADFD)
            iip_tap_die(q);
        return -1;
    }
    if (got <= (ssize_t)sizeof(q->head))
        return 0;
    got -= (ssize_t)sizeof(q->head);
    if (IIP_UNLIKELY((uint64_t)got > q->iov[1].iov_len)) {
        for (uint32_t i = 0; i < q->views; i++)
            room += q->iov[1 + i].iov_len;
        return (uint64_t)got > room ? 0 : (int)got;
    }
    return (int)got;
}

uint32_t iip_tap_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_tap_queue *q = (struct iip_tap_queue *)queue;
    uint32_t got = 0;
    if (IIP_UNLIKELY(!q->stk || q->dead))
        return 0;
    while (got < n && iip_tap_stage(q)) {
        int len = iip_tap_read(q);
        if (len < 0)
            break;
        pkts[got] = len ? iip_tap_packet(q, (uint32_t)len) : NULL;
        if (IIP_UNLIKELY(!pkts[got])) {
            q->stats.rx_dropped++;
            continue;
        }
        q->stats.rx_bytes += (uint32_t)len;
        got++;
    }
    q->stats.rx_packets += got;
    return got;
}

/* ---- transmit ---- */

/* What the kernel must do, as a virtio header. The core left the pseudo-header sum in the checksum field. */
static void iip_tap_head(struct virtio_net_hdr *head, struct iip_pkt *pkt)
{
    uint32_t l4 = (uint32_t)pkt->l2_len + pkt->l3_len;
    memset(head, 0, sizeof(*head));
    if (!(pkt->flags & (IIP_PKT_L4_CSUM | IIP_PKT_TSO)))
        return;
    head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    head->csum_start = (uint16_t)l4;
    head->csum_offset = pkt->flags & IIP_PKT_UDP ? 6 : 16;
    if (!(pkt->flags & IIP_PKT_TSO))
        return;
    head->gso_type = pkt->flags & IIP_PKT_IPV6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    head->gso_size = pkt->seg_size;
    head->hdr_len = (uint16_t)(l4 + pkt->l4_len);
    if (!(pkt->flags & IIP_PKT_IPV6) && pkt->len >= l4) /* the kernel checks the large packet's own header */
        iip_wire_csum_ip(pkt->data + pkt->l2_len, pkt->l3_len);
}

/* The views of a chain, counted; 0 when they are more than one write takes. */
static uint32_t iip_tap_gather(struct iovec *iov, const struct iip_pkt *pkt)
{
    uint32_t n = 0;
    for (; pkt; pkt = pkt->next) {
        if (n == IIP_TAP_TX_VIEWS)
            return 0;
        iov[n].iov_base = pkt->data;
        iov[n++].iov_len = pkt->len;
    }
    return n;
}

/* One packet out: 1 taken, 0 refused. */
static int iip_tap_write(struct iip_tap_queue *q, struct iip_pkt *pkt)
{
    struct virtio_net_hdr head;
    struct iovec *iov = q->tx_iov;
    uint32_t views = iip_tap_gather(iov + 1, pkt);
    ssize_t put = -1;
    if (q->dead || !views)
        errno = EINVAL;
    else {
        iip_tap_head(&head, pkt);
        iov[0].iov_base = &head;
        iov[0].iov_len = sizeof(head);
        do
            put = writev(q->out, iov, (int)(1 + views));
        while (put < 0 && errno == EINTR);
    }
    if (IIP_LIKELY(put > 0)) {
        q->stats.tx_packets++;
        q->stats.tx_bytes += (uint64_t)put - sizeof(head);
        return 1;
    }
    if (errno == EIO) /* the interface is down: it takes packets again when it is up */
        __atomic_store_n(&q->tap->recheck, 1, __ATOMIC_RELAXED);
    if (errno == EAGAIN || errno == EIO || errno == ENOBUFS || errno == ENOMEM)
        return 0;
    if (errno == EBADFD)
        iip_tap_die(q);
    q->stats.tx_dropped++;
    return 1;
}

uint32_t iip_tap_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_tap_queue *q = queue;
    uint32_t i;
    for (i = 0; i < n && iip_tap_write(q, pkts[i]); i++)
        iip_pkt_free(q->stk, pkts[i]);
    q->stats.tx_refused += n - i;
    return i;
}

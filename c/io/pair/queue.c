/* queue.c - the data path of a pair. */
#include "pair.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../wire.h"

void iip_pair_wake(struct iip_pair_queue *q)
{
    char byte = 0;
    if (q && atomic_load(&q->parked) && atomic_exchange(&q->parked, 0))
        while (write(q->wake_fd[1], &byte, 1) < 0 && errno == EINTR)
            ;
}

/* ---- receive ---- */

static struct iip_pkt *iip_pair_rx_view(struct iip_pair_queue *q, struct iip_pair_ring *ring, uint32_t at)
{
    const struct iip_pair_desc *d = &ring->desc[at & ring->mask];
    struct iip_pkt *pkt = iip_pkt_new(q->stk, ring->frame[at & ring->mask], d->buf, d->len);
    if (IIP_LIKELY(pkt)) {
        pkt->flags = d->flags & (uint16_t)~IIP_PAIR_MORE;
        pkt->seg_size = d->seg_size;
    }
    return pkt;
}

/* A packet of several descriptors, which were published together. Null leaves the ring as it was. */
static struct iip_pkt *iip_pair_rx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring, uint32_t *at)
{
    struct iip_pkt *head = NULL, **tail = &head, *pkt;
    uint32_t i = *at, total = 0, more;
    do {
        more = ring->desc[i & ring->mask].flags & IIP_PAIR_MORE;
        pkt = iip_pair_rx_view(q, ring, i++);
        if (!pkt)
            goto undo;
        total += pkt->len;
        *tail = pkt;
        tail = &pkt->next;
    } while (more);
    head->total = total;
    *at = i;
    return head;
undo:
    /* The frames stay in the ring: an extra view keeps them from going back to the pool. */
    for (pkt = head; pkt; pkt = pkt->next)
        pkt->frame->views++;
    iip_pkt_free(q->stk, head);
    for (uint32_t k = *at; k + 1 != i; k++)
        ring->frame[k & ring->mask]->views = 0;
    return NULL;
}

static uint32_t iip_pair_rx_ring(struct iip_pair_queue *q, struct iip_pair_ring *ring, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t at = ring->consumed, end = ring->filled_seen, got = 0;
    uint64_t bytes = 0;
    if (end - at < n)
        end = ring->filled_seen = atomic_load_explicit(&ring->filled, memory_order_acquire);
    while (at != end && got < n) {
        struct iip_pkt *pkt;
        if (IIP_LIKELY(!(ring->desc[at & ring->mask].flags & IIP_PAIR_MORE))) {
            pkt = iip_pair_rx_view(q, ring, at);
            at += pkt != NULL;
        } else {
            pkt = iip_pair_rx_chain(q, ring, &at);
        }
        if (IIP_UNLIKELY(!pkt))
            break;
        bytes += pkt->total;
        pkts[got++] = pkt;
    }
    ring->consumed = at;
    q->stats.rx_packets += got;
    q->stats.rx_bytes += bytes;
    return got;
}

static void iip_pair_unpark(struct iip_pair_queue *q)
{
    char bytes[64];
    q->armed = 0;
    atomic_store(&q->parked, 0);
    while (read(q->wake_fd[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        ;
}

uint32_t iip_pair_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_pair_queue *q = (struct iip_pair_queue *)queue;
    uint32_t got = 0, rings = q->end->wire->queues;
    if (IIP_UNLIKELY(q->armed))
        iip_pair_unpark(q);
    if (IIP_UNLIKELY(!q->stk))
        return 0;
    for (uint32_t i = 0; i < rings; i++) {
        struct iip_pair_ring *ring = q->in[(q->index + i) % rings];
        if (got < n)
            got += iip_pair_rx_ring(q, ring, pkts + got, n - got);
        if (ring->posted_mine != ring->consumed + ring->mask + 1)
            iip_pair_ring_post(ring);
    }
    return got;
}

/* ---- transmit ---- */

/* Makes sure that `want` posted descriptors are there from `at` on; if not, asks to be woken when there are. */
static int iip_pair_tx_room(struct iip_pair_ring *ring, uint32_t at, uint32_t want)
{
    ring->posted_seen = atomic_load_explicit(&ring->posted, memory_order_acquire);
    if (ring->posted_seen - at >= want)
        return 1;
    ring->sender->blocked = ring;
    atomic_store(&ring->starved, 1);
    ring->posted_seen = atomic_load(&ring->posted);
    if (ring->posted_seen - at < want)
        return 0;
    ring->sender->blocked = NULL;
    atomic_store(&ring->starved, 0);
    return 1;
}

/* Chains, TSO packets and what is too long: returns descriptors used, 0 when there is no room, or -1: not sendable. */
static int iip_pair_tx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring, const struct iip_pkt *pkt, uint32_t at)
{
    uint32_t len = iip_wire_bytes(pkt), used = 0, need;
    const uint8_t *from = pkt->data;
    uint32_t left = pkt->len, tso = pkt->flags & IIP_PKT_TSO;
    uint16_t flags = (uint16_t)(q->rx_flags | (tso ? IIP_PKT_LRO : 0)), seg_size = pkt->seg_size;
    if ((!tso && len > q->end->wire->max_len) || (tso && !q->end->wire->tso))
        return -1;
    need = len ? (len + ring->room - 1) / ring->room : 1;
    if (need > ring->mask + 1)
        return -1;
    if (ring->posted_seen - at < need && !iip_pair_tx_room(ring, at, need))
        return 0;
    for (; used < need; used++) {
        struct iip_pair_desc *d = &ring->desc[(at + used) & ring->mask];
        d->len = 0;
        d->flags = (uint16_t)(flags | (used + 1 < need ? IIP_PAIR_MORE : 0));
        d->seg_size = used ? 0 : seg_size;
        while (d->len < ring->room && pkt) {
            uint32_t part = left < ring->room - d->len ? left : ring->room - d->len;
            if (part)
                memcpy(d->buf + d->len, from, part);
            d->len += part;
            from += part;
            left -= part;
            if (!left) {
                pkt = pkt->next;
                from = pkt ? pkt->data : NULL;
                left = pkt ? pkt->len : 0;
            }
        }
    }
    return (int)used;
}

static uint32_t iip_pair_tx_fill(struct iip_pair_queue *q, struct iip_pair_ring *ring, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t at = ring->filled_mine, sent = 0, i;
    uint64_t bytes = 0;
    for (i = 0; i < n; i++) {
        struct iip_pkt *pkt = pkts[i];
        if (IIP_LIKELY(!pkt->next && pkt->len <= ring->max_len && !(pkt->flags & IIP_PKT_TSO))) {
            struct iip_pair_desc *d = &ring->desc[at & ring->mask];
            if (IIP_UNLIKELY(at == ring->posted_seen) && !iip_pair_tx_room(ring, at, 1))
                break;
            memcpy(d->buf, pkt->data, pkt->len);
            d->len = pkt->len;
            d->flags = q->rx_flags;
            d->seg_size = 0;
            bytes += pkt->len;
            at++;
            sent++;
        } else {
            int used = iip_pair_tx_chain(q, ring, pkt, at);
            if (!used)
                break;
            q->stats.tx_dropped += used < 0;
            if (used > 0) {
                bytes += iip_wire_bytes(pkt);
                at += (uint32_t)used;
                sent++;
            }
        }
        iip_pkt_free(q->stk, pkt);
    }
    if (at != ring->filled_mine) {
        ring->filled_mine = at;
        /* Sequential consistency: either we see that the receiver parks, or it sees these packets. */
        atomic_store(&ring->filled, at);
        if (IIP_UNLIKELY(atomic_load(&ring->receiver->parked)))
            iip_pair_wake(ring->receiver);
    }
    q->stats.tx_packets += sent;
    q->stats.tx_bytes += bytes;
    return i;
}

static uint32_t iip_pair_tx_flow(struct iip_pair_queue *q, const struct iip_pkt *pkt, uint32_t queues)
{
    return iip_wire_hash(pkt, q->end->wire->l3) % IIP_WIRE_TABLE % queues;
}

/* Several queues on the other end: runs of packets that go to the same one. */
static uint32_t iip_pair_tx_many(struct iip_pair_queue *q, struct iip_pkt **pkts, uint32_t n, uint32_t queues)
{
    uint32_t sent = 0, to, next, run, took;
    if (!n)
        return 0;
    next = iip_pair_tx_flow(q, pkts[0], queues);
    while (sent < n) {
        to = next;
        for (run = 1; sent + run < n; run++) {
            next = iip_pair_tx_flow(q, pkts[sent + run], queues);
            if (next != to)
                break;
        }
        took = iip_pair_tx_fill(q, q->tx[to], pkts + sent, run);
        sent += took;
        if (took < run)
            break;
    }
    return sent;
}

uint32_t iip_pair_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_pair_queue *q = queue;
    struct iip_pair_ring *ring = atomic_load_explicit(&q->tx_only, memory_order_acquire);
    uint32_t sent = 0, queues;
    q->blocked = NULL;
    if (IIP_LIKELY(ring)) {
        sent = iip_pair_tx_fill(q, ring, pkts, n);
    } else {
        queues = atomic_load_explicit(&q->tx_count, memory_order_acquire);
        if (queues)
            sent = iip_pair_tx_many(q, pkts, n, queues);
    }
    q->stats.tx_refused += n - sent;
    return sent;
}

/* ---- waiting ---- */

static int iip_pair_rx_ready(struct iip_pair_queue *q)
{
    for (uint32_t i = 0; i < q->end->wire->queues; i++)
        if (atomic_load(&q->in[i]->filled) != q->in[i]->consumed)
            return 1;
    return 0;
}

int iip_pair_fd(struct iip_port_queue *queue)
{
    struct iip_pair_queue *q = (struct iip_pair_queue *)queue;
    q->armed = 1;
    atomic_store(&q->parked, 1);
    if (iip_pair_rx_ready(q) || (q->blocked && !atomic_load(&q->blocked->starved)))
        iip_pair_wake(q);
    return q->wake_fd[0];
}

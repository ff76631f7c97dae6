/* queue.c - the data path of a pair. */
#include "pair.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../wire.h"

enum { IIP_PAIR_LEND = 256 };

void iip_pair_wake(struct iip_pair_queue *q)
{
    char byte = 0;
    if (q && atomic_load(&q->parked) && atomic_exchange(&q->parked, 0))
        while (write(q->wake_fd[1], &byte, 1) < 0 && errno == EINTR)
            ;
}

/* ---- receive ---- */

static inline struct iip_pkt *iip_pair_rx_view(struct iip_stack *stk, struct iip_frame *frame, uint8_t *buf,
                                               uint64_t meta)
{
    struct iip_pkt *pkt = iip_pkt_new(stk, frame, buf, (uint32_t)meta);
    if (IIP_LIKELY(pkt)) {
        pkt->flags = (uint16_t)(meta >> 32 & ~IIP_PAIR_MARKS);
        pkt->seg_size = (uint16_t)(meta >> 48);
    }
    return pkt;
}

static inline uint32_t iip_pair_is_more(uint64_t meta)
{
    return (uint32_t)(meta >> 32) & IIP_PAIR_MORE;
}

/* A packet of several descriptors, which were published together. Null leaves the ring as it was. */
static __attribute__((noinline)) struct iip_pkt *iip_pair_rx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                                   uint32_t *at)
{
    struct iip_pkt *head = NULL, **tail = &head, *pkt;
    uint32_t i = *at, total = 0;
    uint64_t meta;
    do {
        meta = ring->desc[i & ring->mask].meta;
        pkt = iip_pair_rx_view(q->stk, ring->frame[i & ring->mask], ring->desc[i & ring->mask].buf, meta);
        i++;
        if (!pkt)
            goto undo;
        total += pkt->len;
        *tail = pkt;
        tail = &pkt->next;
    } while (iip_pair_is_more(meta));
    head->total = total;
    for (uint32_t k = *at; k != i; k++)
        ring->frame[k & ring->mask] = NULL;
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

static __attribute__((noinline)) uint32_t iip_pair_rx_ring(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                           struct iip_pkt **pkts, uint32_t n)
{
    uint32_t at = ring->consumed, end = ring->filled_seen, mask = ring->mask, got = 0;
    const struct iip_pair_desc *desc = ring->desc;
    struct iip_frame **frame = ring->frame;
    struct iip_stack *stk = q->stk;
    uint64_t bytes = 0;
    if (end - at < n)
        end = ring->filled_seen = atomic_load_explicit(&ring->filled, memory_order_acquire);
    while (at != end && got < n) {
        uint64_t meta = desc[at & mask].meta;
        struct iip_pkt *pkt;
        if (IIP_LIKELY(!(meta >> 32 & IIP_PAIR_MARKS))) {
            pkt = iip_pair_rx_view(stk, frame[at & mask], desc[at & mask].buf, meta);
            if (IIP_UNLIKELY(!pkt))
                break;
            frame[at & mask] = NULL;
            at++;
            bytes += (uint32_t)meta;
        } else if (IIP_LIKELY(!iip_pair_is_more(meta))) {
            pkt = iip_pair_rx_view(stk, &desc[at & mask].lent->frame, desc[at & mask].data, meta);
            if (IIP_UNLIKELY(!pkt))
                break;
            at++;
            bytes += (uint32_t)meta;
        } else {
            uint32_t next = at;
            pkt = iip_pair_rx_chain(q, ring, &next);
            if (!pkt)
                break;
            at = next;
            bytes += pkt->total;
        }
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
    if (atomic_load_explicit(&q->lent_home, memory_order_relaxed))
        iip_pair_lent_fetch(q);
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
static __attribute__((noinline)) int iip_pair_tx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                       const struct iip_pkt *pkt, uint32_t at)
{
    uint32_t len = iip_wire_bytes(pkt), used = 0, need;
    const uint8_t *from = pkt->data;
    uint32_t left = pkt->len, tso = pkt->flags & IIP_PKT_TSO;
    uint32_t flags = q->rx_flags | (tso ? IIP_PKT_LRO : 0), seg_size = pkt->seg_size;
    if ((!tso && len > q->end->wire->max_len) || (tso && !q->end->wire->tso))
        return -1;
    need = len ? (len + ring->room - 1) / ring->room : 1;
    if (need > ring->mask + 1)
        return -1;
    if (ring->posted_seen - at < need && !iip_pair_tx_room(ring, at, need))
        return 0;
    for (; used < need; used++) {
        struct iip_pair_desc *d = &ring->desc[(at + used) & ring->mask];
        uint32_t have = 0;
        while (have < ring->room && pkt) {
            uint32_t part = left < ring->room - have ? left : ring->room - have;
            if (part)
                memcpy(d->buf + have, from, part);
            have += part;
            from += part;
            left -= part;
            if (!left) {
                pkt = pkt->next;
                from = pkt ? pkt->data : NULL;
                left = pkt ? pkt->len : 0;
            }
        }
        d->meta = iip_pair_meta(have, flags | (used + 1 < need ? IIP_PAIR_MORE : 0), used ? 0 : seg_size);
    }
    return (int)used;
}

/* From how many bytes on packets are lent: all the rest are copied, which costs less for short ones. */
static uint32_t iip_pair_tx_lend_from(const struct iip_pair_queue *q)
{
    if (iip_pool_left(&q->pool) <= q->pool.count / 2 || !atomic_load_explicit(&q->end->wire->up, memory_order_relaxed))
        return UINT32_MAX;
    return IIP_PAIR_LEND;
}

static struct iip_pair_lent *iip_pair_tx_record(struct iip_pair_queue *q)
{
    struct iip_pair_lent *lent = q->lent_free;
    if (IIP_LIKELY(lent)) {
        q->lent_free = lent->next;
        return lent;
    }
    if (q->lent_fresh == q->lent_n)
        return NULL;
    lent = &q->lent[q->lent_fresh++];
    lent->owner = q;
    lent->frame.flags = IIP_FRAME_READ_ONLY;
    lent->frame.region = q->pool.id;
    return lent;
}

/* Only frames of the queue's own pool are in the regions that the other end knows. 0: it is to be copied. */
static inline int iip_pair_tx_lend(struct iip_pair_queue *q, struct iip_pair_desc *desc, struct iip_pkt *pkt)
{
    const struct iip_frame *frame = pkt->frame;
    struct iip_pair_lent *lent = frame->host == &q->pool ? iip_pair_tx_record(q) : NULL;
    if (IIP_UNLIKELY(!lent))
        return 0;
    lent->pkt = pkt;
    lent->frame.base = frame->base;
    lent->frame.size = frame->size;
    desc->data = pkt->data;
    desc->lent = lent;
    return 1;
}

static void iip_pair_tx_publish(struct iip_pair_ring *ring, uint32_t at)
{
    if (at == ring->filled_mine)
        return;
    ring->filled_mine = at;
    /* Sequential consistency: either we see that the receiver parks, or it sees these packets. */
    atomic_store(&ring->filled, at);
    if (IIP_UNLIKELY(atomic_load(&ring->receiver->parked)))
        iip_pair_wake(ring->receiver);
}

static uint32_t iip_pair_tx_fill(struct iip_pair_queue *q, struct iip_pair_ring *ring, struct iip_pkt **pkts,
                                 uint32_t n)
{
    uint32_t at = ring->filled_mine, mask = ring->mask, max_len = ring->max_len, dropped = 0, i;
    struct iip_pair_desc *desc = ring->desc;
    struct iip_stack *stk = q->stk;
    uint64_t bytes = 0, flags = iip_pair_meta(0, q->rx_flags, 0);
    uint32_t lend_from = iip_pair_tx_lend_from(q);
    for (i = 0; i < n; i++) {
        struct iip_pkt *pkt = pkts[i];
        uint32_t len = pkt->len;
        if (IIP_LIKELY(!pkt->next && len <= max_len && !(pkt->flags & IIP_PKT_TSO))) {
            if (IIP_UNLIKELY(at == ring->posted_seen) && !iip_pair_tx_room(ring, at, 1))
                break;
            bytes += len;
            if (len >= lend_from && iip_pair_tx_lend(q, &desc[at & mask], pkt)) {
                desc[at++ & mask].meta = flags | iip_pair_meta(len, IIP_PAIR_LENT, 0);
                continue;
            }
            memcpy(desc[at & mask].buf, pkt->data, len);
            desc[at & mask].meta = flags | len;
            at++;
        } else {
            int used = iip_pair_tx_chain(q, ring, pkt, at);
            if (!used)
                break;
            dropped += used < 0;
            bytes += used > 0 ? iip_wire_bytes(pkt) : 0;
            at += used > 0 ? (uint32_t)used : 0;
        }
        iip_pkt_free(stk, pkt);
    }
    iip_pair_tx_publish(ring, at);
    q->stats.tx_packets += i - dropped;
    q->stats.tx_dropped += dropped;
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

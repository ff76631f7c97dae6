/*
 * rx.c - from the driver to the stack: the mbuf's bytes stay where they are, a view is made for each segment.
 *
 * Not every mbuf can be taken as it is. One that was lent to the driver and comes back over a ring device, or that is
 * of another port's pool, has a frame that somebody else still uses: such packets are copied into frames of this queue.
 */
#include <string.h>

#include "dpdk.h"

static uint16_t rx_flags(const struct rte_mbuf *m)
{
    uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    uint64_t ip = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    uint16_t flags = 0;

    /* NONE: the field is not filled in, but the bytes never were on a wire that could have changed them */
    if (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || ip == RTE_MBUF_F_RX_IP_CKSUM_NONE)
        flags |= IIP_PKT_IP_CSUM_OK;
    if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD || l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE)
        flags |= IIP_PKT_L4_CSUM_OK;
    if (m->ol_flags & RTE_MBUF_F_RX_LRO)
        flags |= IIP_PKT_LRO;
    return flags;
}

/* Is every segment ours alone? */
static inline int rx_usable(const struct iip_port_queue *q, const struct rte_mbuf *m)
{
    for (; m; m = m->next)
        if (unlikely(m->pool != q->pool || rte_mbuf_refcnt_read(m) != 1))
            return 0;
    return 1;
}

/* The packet in fresh mbufs of this queue; frees `m`. Null if the pool is empty. */
static struct rte_mbuf *rx_copied(struct iip_port_queue *q, struct rte_mbuf *m)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(m, q->pool, 0, UINT32_MAX);

    rte_pktmbuf_free(m);
    return copy;
}

/* One segment becomes one view; the mbuf stands alone afterwards. */
static struct iip_pkt *rx_view(struct iip_port_queue *q, struct rte_mbuf *m)
{
    struct iip_pkt *pkt;

    m->next = NULL;
    m->nb_segs = 1;
    pkt = dpdk_core->pkt_new(q->stk, dpdk_frame_init(m), rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
    if (unlikely(!pkt))
        rte_pktmbuf_free_seg(m);
    return pkt;
}

/* The whole packet as a chain of views; null when there was no memory for views, and then nothing is left of it. */
static struct iip_pkt *rx_packet(struct iip_port_queue *q, struct rte_mbuf *m)
{
    struct iip_pkt *head = NULL, **tail = &head;
    struct rte_mbuf *next;

    for (; m; m = next) {
        next = m->next;
        *tail = rx_view(q, m);
        if (unlikely(!*tail)) {
            rte_pktmbuf_free(next);
            dpdk_core->pkt_free(q->stk, head);
            return NULL;
        }
        tail = &(*tail)->next;
    }
    return head;
}

static struct iip_pkt *rx_one(struct iip_port_queue *q, struct rte_mbuf *m)
{
    uint32_t bytes = m->pkt_len;
    struct iip_pkt *pkt;

    if (unlikely(!rx_usable(q, m)))
        m = rx_copied(q, m);
    if (likely(m)) {
        uint16_t flags = rx_flags(m), seg_size = m->tso_segsz;

        pkt = likely(bytes) ? m->next ? rx_packet(q, m) : rx_view(q, m) : NULL;
        if (likely(pkt)) {
            pkt->total = bytes;
            pkt->flags = flags;
            pkt->seg_size = flags & IIP_PKT_LRO ? seg_size : 0;
            q->stats.rx_packets++;
            q->stats.rx_bytes += bytes;
            return pkt;
        }
        if (!bytes)
            rte_pktmbuf_free(m);
    }
    q->stats.rx_dropped++;
    return NULL;
}

static uint32_t rx_all(struct iip_port_queue *q, struct rte_mbuf **bufs, uint32_t n, struct iip_pkt **pkts)
{
    uint32_t i, made = 0;

    for (i = 0; i < n; i++) {
        if (i + 2U < n) {
            rte_prefetch0(dpdk_frame_of(bufs[i + 2U]));
            rte_prefetch0(rte_pktmbuf_mtod(bufs[i + 2U], void *));
        }
        pkts[made] = rx_one(q, bufs[i]);
        made += pkts[made] != NULL;
    }
    return made;
}

/* The loop has stopped waiting: first what arming the interrupt had found. */
static uint32_t rx_woken(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t take = RTE_MIN(n, q->stash_len), made;

    if (q->armed)
        dpdk_intr_disarm(q);
    made = rx_all(q, q->stash, take, pkts);
    q->stash_len -= (uint16_t)take;
    memmove(q->stash, q->stash + take, q->stash_len * sizeof(q->stash[0]));
    return made;
}

uint32_t dpdk_rx(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n)
{
    struct rte_mbuf *bufs[DPDK_BURST];
    uint32_t made = 0;
    uint16_t want, got;

    if (unlikely(rte_lcore_id() == LCORE_ID_ANY))
        dpdk_thread_join();
    dpdk_held_reap(q);
    if (unlikely(!q->stk))
        return 0;
    if (unlikely(q->armed || q->stash_len))
        made = rx_woken(q, pkts, n);
    while (made < n) {
        want = (uint16_t)RTE_MIN(n - made, DPDK_BURST);
        got = rte_eth_rx_burst(q->port_id, q->index, bufs, want);
        made += rx_all(q, bufs, got, pkts + made);
        if (got < want)
            break;
    }
    return made;
}

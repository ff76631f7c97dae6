/*
 * build.c - from a packet of the stack to a chain of mbufs, and back when the driver refuses it.
 *
 * For each view of the packet, in this order:
 *   - small and shared, behind a segment that is this packet's alone: its bytes are copied behind that segment;
 *   - the only view of its frame: the mbuf itself goes to the driver with the stack's reference (GIVEN);
 *   - shared with a retransmit queue, the mbuf not with the driver: the mbuf itself goes, with a second reference
 *     (LENT);
 *   - the mbuf already with the driver: a clone, or a copy where the driver cannot send clones (TEMP);
 *   - memory that is not ours: a copy, since a device may not reach it (TEMP).
 */
#include <string.h>

#include <rte_ip.h>

#include "build.h"

struct chain {
    struct rte_mbuf *head, *tail;
    uint32_t segs, bytes;
    int own_tail; /* the tail's memory is this packet's alone: bytes may be added behind */
};

static void chain_add(struct chain *c, struct rte_mbuf *m, int own)
{
    m->next = NULL;
    m->nb_segs = 1;
    if (c->tail)
        c->tail->next = m;
    else
        c->head = m;
    c->tail = m;
    c->segs++;
    c->bytes += m->data_len;
    c->own_tail = own;
}

/* An mbuf that no view of the stack points to. */
static struct rte_mbuf *temp_new(struct iip_port_queue *q)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(q->pool);

    if (likely(m))
        dpdk_frame_init(m);
    if (likely(m))
        dpdk_frame_of(m)->state = DPDK_TEMP;
    return m;
}

/* Adds the bytes behind the chain: into the tail as far as it has room, then into mbufs of their own. */
static int chain_copy(struct iip_port_queue *q, struct chain *c, const uint8_t *from, uint32_t len)
{
    while (len) {
        uint32_t room = c->own_tail ? rte_pktmbuf_tailroom(c->tail) : 0, n = RTE_MIN(room, len);

        if (n == 0) {
            struct rte_mbuf *m = temp_new(q);

            if (unlikely(!m))
                return 0;
            chain_add(c, m, 1);
            continue;
        }
        memcpy(rte_pktmbuf_mtod_offset(c->tail, uint8_t *, c->tail->data_len), from, n);
        c->tail->data_len += (uint16_t)n;
        c->bytes += n;
        from += n;
        len -= n;
    }
    return 1;
}

/* The frame's own mbuf as a segment. */
static void chain_lend(struct chain *c, struct rte_mbuf *m, const struct iip_pkt *view, int given)
{
    m->data_off = (uint16_t)(view->data - (uint8_t *)m->buf_addr);
    m->data_len = (uint16_t)view->len;
    m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
    dpdk_frame_of(m)->state |= given ? DPDK_GIVEN : DPDK_LENT;
    if (!given)
        rte_mbuf_refcnt_set(m, 2); /* it was 1, so nobody else counts */
    chain_add(c, m, given && RTE_MBUF_DIRECT(m));
}

static int chain_clone(struct iip_port_queue *q, struct chain *c, struct rte_mbuf *m, const struct iip_pkt *view)
{
    struct rte_mbuf *clone = temp_new(q);

    if (unlikely(!clone))
        return 0;
    rte_pktmbuf_attach(clone, m);
    clone->data_off = (uint16_t)(view->data - (uint8_t *)m->buf_addr);
    clone->data_len = (uint16_t)view->len;
    chain_add(c, clone, 0);
    return 1;
}

static int chain_view(struct iip_port_queue *q, struct chain *c, const struct iip_pkt *view)
{
    struct iip_frame *frame = view->frame;
    struct rte_mbuf *m;
    int given;

    if (!dpdk_frame_ours(frame))
        return chain_copy(q, c, view->data, view->len);
    m = dpdk_mbuf_of(frame);
    given = frame->views == 1;
    if (c->own_tail && view->len <= DPDK_COPY_BYTES && rte_pktmbuf_tailroom(c->tail) >= view->len)
        return chain_copy(q, c, view->data, view->len);
    if (unlikely((q->quirks & DPDK_QUIRK_NO_INDIRECT) && !RTE_MBUF_DIRECT(m)))
        return chain_copy(q, c, view->data, view->len);
    if (likely(rte_mbuf_refcnt_read(m) == 1)) {
        chain_lend(c, m, view, given);
        return 1;
    }
    if (q->quirks & DPDK_QUIRK_NO_INDIRECT || view->len <= DPDK_COPY_BYTES)
        return chain_copy(q, c, view->data, view->len);
    return chain_clone(q, c, m, view);
}

/* ---- offloads ---------------------------------------------------------------------------------------------------- */

/*
 * For TSO the stack's pseudo-header sum includes the length, as for any packet; DPDK wants it without. Subtracting
 * 16-bit ones' complement numbers is adding the complement. [RFC 1624 3]
 */
static uint16_t csum_without(uint16_t sum_be, uint32_t len)
{
    uint32_t s = rte_be_to_cpu_16(sum_be) + (~((len >> 16) + (len & 0xffffU)) & 0xffffU);

    s = (s >> 16) + (s & 0xffffU);
    return rte_cpu_to_be_16((uint16_t)((s >> 16) + s));
}

static uint16_t *csum_field(struct rte_mbuf *m, const struct iip_pkt *pkt)
{
    uint32_t at = (uint32_t)pkt->l2_len + pkt->l3_len + (pkt->flags & IIP_PKT_UDP ? 6U : 16U);

    return at + 2U <= m->data_len ? rte_pktmbuf_mtod_offset(m, uint16_t *, at) : NULL;
}

static int wants_ip_csum(const struct iip_pkt *pkt)
{
    return (pkt->flags & IIP_PKT_IP_CSUM) ||
        (pkt->flags & (IIP_PKT_TSO | IIP_PKT_IPV4)) == (IIP_PKT_TSO | IIP_PKT_IPV4);
}

/* A virtual wire carries a TSO packet whole and sums no IP header: the port does it. */
static void ip_csum_fill(struct rte_mbuf *m, const struct iip_pkt *pkt)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, pkt->l2_len);

    if (pkt->l3_len < sizeof(*ip) || pkt->l3_len != rte_ipv4_hdr_len(ip) ||
        (uint32_t)pkt->l2_len + pkt->l3_len > m->data_len)
        return;
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static uint64_t offload_flags(const struct iip_pkt *pkt, int ip_csum)
{
    uint64_t f = pkt->flags & IIP_PKT_IPV6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;

    if (ip_csum && wants_ip_csum(pkt))
        f |= RTE_MBUF_F_TX_IP_CKSUM;
    if (pkt->flags & (IIP_PKT_L4_CSUM | IIP_PKT_TSO))
        f |= pkt->flags & IIP_PKT_UDP ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
    if (pkt->flags & IIP_PKT_TSO)
        f |= RTE_MBUF_F_TX_TCP_SEG;
    return f;
}

static void build_offloads(struct iip_port_queue *q, struct rte_mbuf *m, const struct iip_pkt *pkt,
                           struct dpdk_built *out)
{
    uint16_t *field;

    m->tx_offload = 0;
    out->csum_at = NULL;
    if (likely(!(pkt->flags & (IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM | IIP_PKT_TSO))))
        return;
    m->l2_len = pkt->l2_len;
    m->l3_len = pkt->l3_len;
    m->l4_len = pkt->l4_len;
    m->ol_flags |= offload_flags(pkt, q->ip_csum);
    if (unlikely(!q->ip_csum && wants_ip_csum(pkt)))
        ip_csum_fill(m, pkt);
    field = csum_field(m, pkt);
    if (!field)
        return;
    out->csum_at = field; /* the driver's prepare may write to it: put it back when the packet comes back */
    out->csum_was = *field;
    if (pkt->flags & IIP_PKT_TSO) {
        m->tso_segsz = pkt->seg_size;
        *field = csum_without(*field, m->pkt_len - pkt->l2_len - pkt->l3_len);
    }
}

/* ---- the whole packet -------------------------------------------------------------------------------------------- */

static void chain_undo(struct rte_mbuf *m)
{
    struct rte_mbuf *next;

    for (; m; m = next) {
        struct dpdk_frame *df = dpdk_frame_of(m);

        uint32_t state = df->state;

        next = m->next;
        m->next = NULL;
        m->nb_segs = 1;
        df->state &= DPDK_HELD;
        if (state & DPDK_TEMP)
            rte_pktmbuf_free_seg(m);
        else if (state & DPDK_LENT)
            rte_mbuf_refcnt_update(m, -1);
    }
}

static int chain_views(struct iip_port_queue *q, struct chain *c, const struct iip_pkt *pkt, int copy)
{
    const struct iip_pkt *view;

    for (view = pkt; view; view = view->next) {
        if (unlikely(view->len == 0))
            continue;
        if (!(copy ? chain_copy(q, c, view->data, view->len) : chain_view(q, c, view)))
            return 0;
    }
    return 1;
}

/* The common packet: one view of a frame that the driver does not have. */
static int is_simple(const struct iip_pkt *pkt)
{
    const struct rte_mbuf *m = dpdk_mbuf_of(pkt->frame);

    return !pkt->next && pkt->len && dpdk_frame_ours(pkt->frame) && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

int dpdk_build(struct iip_port_queue *q, const struct iip_pkt *pkt, struct dpdk_built *out)
{
    struct chain c = {0};
    int ok = 1;

    if (likely(is_simple(pkt)))
        chain_lend(&c, dpdk_mbuf_of(pkt->frame), pkt, pkt->frame->views == 1);
    else
        ok = chain_views(q, &c, pkt, 0);
    if (unlikely(ok && c.segs > q->max_segs)) { /* more pieces than the device takes: as few as possible */
        chain_undo(c.head);
        memset(&c, 0, sizeof(c));
        ok = chain_views(q, &c, pkt, 1);
    }
    if (unlikely(!ok || !c.head || c.segs > q->max_segs)) {
        chain_undo(c.head);
        return ok ? DPDK_BUILD_INVALID : DPDK_BUILD_NO_MEMORY;
    }
    c.head->nb_segs = (uint16_t)c.segs;
    c.head->pkt_len = c.bytes;
    out->mbuf = c.head;
    build_offloads(q, c.head, pkt, out);
    return DPDK_BUILD_OK;
}

void dpdk_unbuild(struct dpdk_built *built)
{
    if (built->csum_at)
        *built->csum_at = built->csum_was;
    chain_undo(built->mbuf);
}

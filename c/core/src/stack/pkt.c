/* pkt.c - views of frames: their memory, their chains, their queues. */
#include "base/csum.h"
#include "stack/stack.h"

enum { IIP_SLAB_PKTS = 63 };

struct iip_slab {
    struct iip_slab *next;
    struct iip_pkt pkt[IIP_SLAB_PKTS];
};

IIP_COLD static int iip_pkt_grow(struct iip_stack *stk)
{
    struct iip_slab *slab = (struct iip_slab *)iip_mem_alloc(stk, sizeof(*slab));
    iip_u32 i;
    if (!slab)
        return -1;
    slab->next = stk->slabs;
    stk->slabs = slab;
    for (i = IIP_SLAB_PKTS; i-- > 0;) {
        slab->pkt[i].link = stk->pkt_free;
        stk->pkt_free = &slab->pkt[i];
    }
    return 0;
}

IIP_LOCAL void iip_pkt_free_all(struct iip_stack *stk)
{
    struct iip_slab *slab;
    while ((slab = stk->slabs) != 0) {
        stk->slabs = slab->next;
        iip_mem_free(stk, slab, sizeof(*slab));
    }
    stk->pkt_free = 0;
}

IIP_LOCAL int iip_pkt_reserve(struct iip_stack *stk, iip_u32 n)
{
    const struct iip_pkt *pkt;
    for (;;) {
        iip_u32 have = 0;
        for (pkt = stk->pkt_free; pkt && have < n; pkt = pkt->link)
            have++;
        if (have == n)
            return 0;
        if (iip_pkt_grow(stk))
            return -1;
    }
}

IIP_LOCAL struct iip_pkt *iip_pkt_take_grown(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_grow(stk) ? 0 : iip_pkt_take(stk, frame, data, len);
}

IIP_API struct iip_pkt *iip_pkt_new(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_take(stk, frame, data, len);
}

IIP_APART static void iip_pkt_free_chain(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->next;
        iip_pkt_drop(stk, pkt);
    }
}

IIP_API void iip_pkt_free(struct iip_stack *stk, struct iip_pkt *pkt)
{
    if (IIP_LIKELY(pkt && !pkt->next))
        iip_pkt_drop(stk, pkt);
    else
        iip_pkt_free_chain(stk, pkt);
}

IIP_API iip_u32 iip_pkt_charge(const struct iip_pkt *pkt)
{
    iip_u32 charge = 0;
    for (; pkt; pkt = pkt->next)
        charge += iip_pkt_charge_one(pkt);
    return charge;
}

IIP_LOCAL struct iip_pkt *iip_pkt_alloc(struct iip_stack *stk, iip_u32 size)
{
    struct iip_frame *frame = stk->host.frame_get(stk->host.ctx, IIP_HEADROOM + size);
    struct iip_pkt *pkt;
    if (!frame) {
        iip_count(stk, IIP_CTR_NO_FRAME);
        return 0;
    }
    pkt = iip_pkt_take(stk, frame, frame->base + IIP_HEADROOM, 0);
    if (!pkt)
        stk->host.frame_put(stk->host.ctx, frame);
    return pkt;
}

IIP_LOCAL struct iip_pkt *iip_pkt_view(struct iip_stack *stk, const struct iip_pkt *pkt, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_take(stk, pkt->frame, data, len);
}

IIP_LOCAL iip_u32 iip_pkt_bytes(const struct iip_pkt *pkt)
{
    iip_u32 bytes = 0;
    for (; pkt; pkt = pkt->next)
        bytes += pkt->len;
    return bytes;
}

IIP_LOCAL void iip_pkt_trim(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len)
{
    pkt->total = len;
    while (len > pkt->len && pkt->next) {
        len -= pkt->len;
        pkt = pkt->next;
    }
    if (len < pkt->len)
        pkt->len = len;
    iip_pkt_free(stk, pkt->next);
    pkt->next = 0;
}

IIP_LOCAL struct iip_pkt *iip_pkt_skip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len)
{
    struct iip_pkt *next;
    while (len >= pkt->len && pkt->next) {
        len -= pkt->len;
        next = pkt->next;
        pkt->next = 0;
        iip_pkt_free(stk, pkt);
        pkt = next;
    }
    len = iip_min32(len, pkt->len);
    pkt->data += len;
    pkt->len -= len;
    return pkt;
}

IIP_LOCAL void iip_pkt_read(const struct iip_pkt *pkt, iip_u32 offset, iip_u8 *to, iip_u32 len)
{
    iip_u32 part;
    for (; pkt && len; pkt = pkt->next) {
        if (offset >= pkt->len) {
            offset -= pkt->len;
            continue;
        }
        part = iip_min32(pkt->len - offset, len);
        IIP_COPY(to, pkt->data + offset, part);
        to += part;
        len -= part;
        offset = 0;
    }
}

IIP_LOCAL iip_u64 iip_pkt_csum(const struct iip_pkt *pkt, iip_u32 offset, iip_u32 len)
{
    iip_u64 sum = 0;
    iip_u64 more;
    iip_u32 part;
    iip_u32 odd = 0;
    for (; pkt && len; pkt = pkt->next) {
        if (offset >= pkt->len) {
            offset -= pkt->len;
            continue;
        }
        part = iip_min32(pkt->len - offset, len);
        more = iip_csum_bytes(pkt->data + offset, part);
        sum = iip_csum_add(sum, odd ? iip_csum_swap(more) : more);
        odd ^= part & 1;
        len -= part;
        offset = 0;
    }
    return sum;
}

IIP_LOCAL struct iip_pkt *iip_pkt_linear(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    struct iip_pkt *flat;
    if (!pkt->next)
        return pkt;
    flat = iip_pkt_alloc(stk, bytes);
    if (flat && flat->frame->size - IIP_HEADROOM < bytes) {
        iip_pkt_free(stk, flat);
        flat = 0;
    }
    if (flat) {
        iip_pkt_read(pkt, 0, flat->data, bytes);
        flat->len = bytes;
        flat->total = bytes;
        flat->flags = pkt->flags;
        flat->seg_size = pkt->seg_size;
        flat->l2_len = pkt->l2_len;
        flat->l3_len = pkt->l3_len;
        flat->l4_len = pkt->l4_len;
    }
    iip_pkt_free(stk, pkt);
    return flat;
}

IIP_LOCAL void iip_pktq_put(struct iip_pktq *q, struct iip_pkt *pkt)
{
    pkt->link = 0;
    if (q->head)
        q->tail->link = pkt;
    else
        q->head = pkt;
    q->tail = pkt;
    q->count++;
}

IIP_LOCAL struct iip_pkt *iip_pktq_get(struct iip_pktq *q)
{
    struct iip_pkt *pkt = q->head;
    if (pkt) {
        q->head = pkt->link;
        q->count--;
        pkt->link = 0;
    }
    return pkt;
}

IIP_LOCAL void iip_pktq_free(struct iip_stack *stk, struct iip_pktq *q)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_pktq_get(q)) != 0)
        iip_pkt_free(stk, pkt);
}

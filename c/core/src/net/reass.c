/*
 * reass.c - putting fragments together, for both families [RFC 791 3.2, RFC 815, RFC 8200 4.5].
 *
 * Fragments wait in a list sorted by offset (pkt->seq is the offset, pkt->aux the length). A datagram whose fragments
 * overlap is dropped whole, and so is what still comes of it [RFC 5722], for IPv4 as for IPv6; an exact duplicate is
 * only dropped itself. Datagrams, bytes, bytes of one source and fragments of one datagram are limited, and no fragment
 * prolongs the time that a datagram has.
 */
#include "net/state.h"

enum { IIP_REASS_FIT = 0, IIP_REASS_DUPLICATE, IIP_REASS_CLASH };

struct iip_reass {
    struct iip_node node;
    struct iip_timer timer;
    struct iip_reass *prev, *next; /* by age */
    struct iip_ip src, dst;
    iip_u32 id;
    iip_u8 proto;
    iip_u8 family;
    iip_u8 dead;             /* it clashed: what still comes is dropped */
    iip_u8 has_first;
    iip_u32 total;           /* bytes of the whole; 0: the last fragment did not come yet */
    iip_u32 have;            /* bytes that are here */
    iip_u32 count;           /* fragments that are here */
    iip_u32 charge;          /* memory that they pin */
    struct iip_pkt *head, *tail;
    struct iip_frag first;   /* of the fragment at offset 0 */
};

IIP_LOCAL int iip_reass_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->reassembly.table, &mem);
}

/* ---- the table ---- */

static iip_u32 iip_reass_hash(const struct iip_stack *stk, const struct iip_frag *f)
{
    iip_u32 w[10];
    IIP_COPY(w, f->src->b, 16);
    IIP_COPY(w + 4, f->dst->b, 16);
    w[8] = f->id;
    w[9] = f->family == 4 ? f->proto : 0; /* over IPv6 only the first fragment's protocol counts [RFC 8200 4.5] */
    return iip_hash_words(&stk->hash_key, w, 10);
}

static struct iip_reass *iip_reass_find(const struct iip_stack *stk, const struct iip_frag *f, iip_u32 hash)
{
    struct iip_node *node = *iip_table_bucket(&stk->net->reassembly.table, hash);
    struct iip_reass *r;
    for (; node; node = node->next) {
        r = IIP_OUTER(node, struct iip_reass, node);
        if (node->hash == hash && r->id == f->id && r->family == f->family &&
            (f->family == 6 || r->proto == f->proto) && iip_ip_same(&r->src, f->src) && iip_ip_same(&r->dst, f->dst))
            return r;
    }
    return 0;
}

static struct iip_reass_source *iip_reass_source_of(const struct iip_stack *stk, const struct iip_ip *src)
{
    return &stk->net->reassembly.source[iip_ip_hash(stk, src) % IIP_REASS_SOURCES];
}

static void iip_reass_list(struct iip_reassembly *all, struct iip_reass *r)
{
    r->next = 0;
    r->prev = all->newest;
    if (all->newest)
        all->newest->next = r;
    else
        all->oldest = r;
    all->newest = r;
}

static void iip_reass_unlist(struct iip_reassembly *all, struct iip_reass *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        all->oldest = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        all->newest = r->prev;
}

/* ---- an end ---- */

/* The fragments are no longer held; each is counted as `verdict`. */
static void iip_reass_release(struct iip_stack *stk, struct iip_reass *r, iip_verdict verdict)
{
    struct iip_reass_source *source = iip_reass_source_of(stk, &r->src);
    stk->ctr[IIP_CTR_RX_HELD] -= r->count;
    stk->ctr[verdict] += r->count;
    stk->net->reassembly.bytes -= r->charge;
    source->bytes -= r->charge;
    r->charge = 0;
    r->count = 0;
}

static void iip_reass_drop(struct iip_stack *stk, struct iip_reass *r, iip_verdict verdict)
{
    struct iip_pkt *pkt;
    iip_reass_release(stk, r, verdict);
    while ((pkt = r->head) != 0) {
        r->head = pkt->link;
        iip_pkt_free(stk, pkt);
    }
    r->tail = 0;
    r->has_first = 0;
}

static void iip_reass_end(struct iip_stack *stk, struct iip_reass *r)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    iip_wheel_cancel(&stk->wheel, &r->timer);
    iip_table_del(&all->table, &r->node);
    iip_reass_unlist(all, r);
    iip_reass_source_of(stk, &r->src)->datagrams--;
    r->next = all->spare;
    all->spare = r;
}

IIP_LOCAL void iip_reass_free_all(struct iip_stack *stk)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r;
    while ((r = all->oldest) != 0) {
        iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_TIMEOUT);
        iip_reass_end(stk, r);
    }
    while ((r = all->spare) != 0) {
        all->spare = r->next;
        iip_mem_free(stk, r, sizeof(*r));
    }
    iip_table_free(&all->table);
}

/* [RFC 1122 3.3.2, RFC 8200 4.5] Time exceeded, if the fragment that it would quote came. */
static void iip_reass_complain(struct iip_stack *stk, const struct iip_reass *r)
{
    struct iip_rx rx;
    iip_u32 type;
    rx.src = r->src;
    rx.dst = r->dst;
    rx.l3 = r->head->data - r->first.l3_len;
    rx.l3_len = r->first.l3_len;
    rx.family = r->family;
    rx.proto = r->first.proto;
    rx.ttl = 0;
    rx.tos = 0;
    rx.multicast = r->first.multicast;
    rx.looped = 0;
    type = r->family == 4 ? (iip_u32)IIP_ICMP_TIME_EXCEEDED : (iip_u32)IIP_ICMPV6_TIME_EXCEEDED;
    iip_icmp_unreachable(stk, r->head, &rx, type, IIP_ICMP_CODE_REASSEMBLY, 0);
}

IIP_LOCAL void iip_reass_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_reass *r = IIP_OUTER(t, struct iip_reass, timer);
    if (r->has_first)
        iip_reass_complain(stk, r);
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_TIMEOUT);
    iip_reass_end(stk, r);
}

/* ---- a beginning ---- */

static struct iip_reass *iip_reass_memory(struct iip_stack *stk)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r = all->spare;
    if (!r)
        return (struct iip_reass *)iip_mem_zalloc(stk, sizeof(*r));
    all->spare = r->next;
    IIP_ZERO(r, sizeof(*r));
    return r;
}

/* One source may hold half of everything. */
static int iip_reass_source_full(const struct iip_stack *stk, const struct iip_ip *src, iip_u32 charge,
                                 iip_u32 datagrams)
{
    const struct iip_reass_source *source = iip_reass_source_of(stk, src);
    return (datagrams && source->datagrams >= (stk->tune.reass_datagrams + 1) / 2) ||
        source->bytes + charge > stk->tune.reass_bytes / 2;
}

/* Makes room by giving up the oldest datagrams. 0 when there is none to give up. */
static int iip_reass_evict(struct iip_stack *stk, const struct iip_reass *keep)
{
    struct iip_reass *r = stk->net->reassembly.oldest;
    if (r == keep && r)
        r = r->next;
    if (!r)
        return 0;
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_LIMIT);
    iip_reass_end(stk, r);
    return 1;
}

static struct iip_reass *iip_reass_make(struct iip_stack *stk, const struct iip_frag *f, iip_u32 hash, iip_u32 charge)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r;
    if (iip_reass_source_full(stk, f->src, charge, 1))
        return 0;
    while (all->table.count >= stk->tune.reass_datagrams) {
        if (!iip_reass_evict(stk, 0))
            return 0;
    }
    r = iip_reass_memory(stk);
    if (!r)
        return 0;
    r->src = *f->src;
    r->dst = *f->dst;
    r->id = f->id;
    r->proto = f->proto;
    r->family = f->family;
    r->node.hash = hash;
    r->timer.kind = IIP_TIMER_REASS;
    iip_table_add(&all->table, &r->node);
    iip_reass_list(all, r);
    iip_reass_source_of(stk, f->src)->datagrams++;
    iip_wheel_set(&stk->wheel, &r->timer, stk->now + stk->tune.reass_timeout_us);
    return r;
}

static int iip_reass_admit(struct iip_stack *stk, const struct iip_reass *r, const struct iip_frag *f, iip_u32 charge)
{
    if (r->count >= IIP_REASS_FRAGMENTS || iip_reass_source_full(stk, f->src, charge, 0))
        return 0;
    while (stk->net->reassembly.bytes + charge > stk->tune.reass_bytes) {
        if (!iip_reass_evict(stk, r))
            return 0;
    }
    return 1;
}

/* ---- a fragment's place ---- */

/* What the lengths that are known say about it. */
static int iip_reass_check_total(const struct iip_reass *r, const struct iip_frag *f)
{
    iip_u32 end = f->offset + f->len;
    if (f->more)
        return r->total && end >= r->total ? IIP_REASS_CLASH : IIP_REASS_FIT;
    if (r->total)
        return end == r->total ? IIP_REASS_FIT : IIP_REASS_CLASH;
    return r->tail && r->tail->seq + r->tail->aux > end ? IIP_REASS_CLASH : IIP_REASS_FIT;
}

/* The length field could not say how long the whole is, with this fragment's header or the first one's. */
static int iip_reass_is_too_long(const struct iip_reass *r, const struct iip_frag *f)
{
    iip_u32 max = r->has_first ? iip_min32(r->first.max, f->max) : f->max;
    return iip_max32(f->offset + f->len, r->total) > max;
}

/* Where it goes: behind *before, null: at the front. */
static int iip_reass_place(const struct iip_reass *r, const struct iip_frag *f, struct iip_pkt **before)
{
    struct iip_pkt *prev = r->tail;
    struct iip_pkt *next = 0;
    if (prev && prev->seq >= f->offset) { /* not in order */
        prev = 0;
        for (next = r->head; next && next->seq < f->offset; next = next->link)
            prev = next;
    }
    *before = prev;
    if (next && next->seq == f->offset && next->aux == f->len)
        return IIP_REASS_DUPLICATE;
    if (next && next->seq < f->offset + f->len)
        return IIP_REASS_CLASH;
    return prev && prev->seq + prev->aux > f->offset ? IIP_REASS_CLASH : IIP_REASS_FIT;
}

static void iip_reass_insert(struct iip_stack *stk, struct iip_reass *r, struct iip_pkt *pkt, const struct iip_frag *f,
                             struct iip_pkt *before)
{
    struct iip_pkt **link = before ? &before->link : &r->head;
    iip_u32 charge = iip_pkt_charge(pkt);
    pkt->seq = f->offset;
    pkt->aux = f->len;
    pkt->link = *link;
    *link = pkt;
    if (!pkt->link)
        r->tail = pkt;
    r->count++;
    r->have += f->len;
    r->charge += charge;
    stk->net->reassembly.bytes += charge;
    iip_reass_source_of(stk, &r->src)->bytes += charge;
    iip_count(stk, IIP_CTR_RX_HELD);
    if (!f->more)
        r->total = f->offset + f->len;
    if (!f->offset) {
        r->has_first = 1;
        r->first = *f;
    }
}

/* All is here: one chain, and nothing that a port said about a part of it holds for the whole. */
static struct iip_pkt *iip_reass_join(struct iip_stack *stk, struct iip_reass *r, struct iip_frag *f)
{
    struct iip_pkt *whole = r->head;
    struct iip_pkt *end;
    struct iip_pkt *pkt;
    struct iip_pkt *next;
    for (pkt = whole; pkt; pkt = next) {
        next = pkt->link;
        pkt->link = 0;
        for (end = pkt; end->next; end = end->next)
            ;
        end->next = next;
    }
    whole->flags &= (iip_u16)~IIP_PKT_L4_CSUM_OK;
    r->first.src = f->src;
    r->first.dst = f->dst;
    *f = r->first;
    r->head = 0;
    iip_count(stk, IIP_CTR_REASSEMBLED);
    iip_reass_release(stk, r, IIP_CTR_RX_DELIVERED);
    stk->ctr[IIP_CTR_RX_DELIVERED]--; /* the one that came now: the transport says what became of it */
    iip_reass_end(stk, r);
    return whole;
}

/* [RFC 5722 3] The datagram is lost, and so that no later fragment begins it anew, its name stays until its time is up. */
static iip_verdict iip_reass_kill(struct iip_stack *stk, struct iip_reass *r)
{
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT);
    r->dead = 1;
    return IIP_CTR_DROP_FRAGMENT;
}

static iip_verdict iip_reass_keep(struct iip_stack *stk, struct iip_reass *r, struct iip_pkt *pkt,
                                  const struct iip_frag *f)
{
    struct iip_pkt *before = 0;
    int fit = iip_reass_place(r, f, &before);
    if (fit == IIP_REASS_DUPLICATE)
        return IIP_CTR_DROP_FRAGMENT;
    if (fit == IIP_REASS_CLASH || iip_reass_is_too_long(r, f) || iip_reass_check_total(r, f) == IIP_REASS_CLASH)
        return iip_reass_kill(stk, r);
    if (!iip_reass_admit(stk, r, f, iip_pkt_charge(pkt)))
        return IIP_CTR_DROP_FRAGMENT_LIMIT;
    iip_reass_insert(stk, r, pkt, f, before);
    return IIP_HELD;
}

IIP_LOCAL struct iip_pkt *iip_reass_add(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_frag *f,
                                        iip_verdict *verdict)
{
    iip_u32 hash = iip_reass_hash(stk, f);
    struct iip_reass *r = iip_reass_find(stk, f, hash);
    if (r && r->dead) {
        *verdict = IIP_CTR_DROP_FRAGMENT;
        return 0;
    }
    if (stk->pressure) {
        *verdict = IIP_CTR_DROP_PRESSURE;
        return 0;
    }
    if (!r)
        r = iip_reass_make(stk, f, hash, iip_pkt_charge(pkt));
    *verdict = r ? iip_reass_keep(stk, r, pkt, f) : (iip_verdict)IIP_CTR_DROP_FRAGMENT_LIMIT;
    if (*verdict != IIP_HELD) {
        if (r && !r->count && !r->dead)
            iip_reass_end(stk, r);
        return 0;
    }
    return r->have == r->total ? iip_reass_join(stk, r, f) : 0;
}

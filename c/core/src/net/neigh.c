/*
 * neigh.c - the neighbour cache for ARP and neighbour discovery [RFC 4861 7.3; RFC 1122 2.3.2].
 *
 * A confirmed entry is trusted until fresh_until, which is all that the fast path looks at; no timer runs meanwhile.
 * The first packet after that makes it DELAY, then PROBE, unless the transport confirms it. Entries that no path pins
 * stand on a list, least recently used first, and the limit evicts from near its front.
 */
#include "net/state.h"

enum { IIP_NEIGH_DELAY_US = 5000000 }; /* DELAY_FIRST_PROBE_TIME */

/* ---- the list of those that may go ---- */

static void iip_neigh_list(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->permanent || neigh->pins)
        return;
    neigh->next = 0;
    neigh->prev = cache->newest;
    if (cache->newest)
        cache->newest->next = neigh;
    else
        cache->oldest = neigh;
    cache->newest = neigh;
}

static void iip_neigh_unlist(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->permanent || neigh->pins)
        return;
    if (neigh->prev)
        neigh->prev->next = neigh->next;
    else
        cache->oldest = neigh->next;
    if (neigh->next)
        neigh->next->prev = neigh->prev;
    else
        cache->newest = neigh->prev;
}

/* ---- the table ---- */

IIP_LOCAL int iip_neigh_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->neighs.table, &mem);
}

IIP_LOCAL struct iip_neigh *iip_neigh_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 hash = iip_ip_hash(stk, ip);
    struct iip_node *node = *iip_table_bucket(&stk->net->neighs.table, hash);
    struct iip_neigh *neigh;
    for (; node; node = node->next) {
        neigh = IIP_OUTER(node, struct iip_neigh, node);
        if (node->hash == hash && iip_ip_same(&neigh->ip, ip))
            return neigh;
    }
    return 0;
}

static struct iip_pkt *iip_neigh_dequeue(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt = iip_pktq_get(&neigh->queue);
    if (pkt)
        stk->net->neighs.pending--;
    return pkt;
}

static void iip_neigh_drop_queue(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_neigh_dequeue(stk, neigh)) != 0) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
    }
}

static void iip_neigh_destroy(struct iip_stack *stk, struct iip_neigh *neigh)
{
    iip_neigh_drop_queue(stk, neigh);
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    iip_neigh_unlist(stk, neigh);
    iip_table_del(&stk->net->neighs.table, &neigh->node);
    iip_mem_free(stk, neigh, sizeof(*neigh));
}

IIP_LOCAL void iip_neigh_free_all(struct iip_stack *stk)
{
    struct iip_node *node = iip_table_next(&stk->net->neighs.table, 0);
    struct iip_node *next;
    for (; node; node = next) {
        next = iip_table_next(&stk->net->neighs.table, node);
        iip_neigh_destroy(stk, IIP_OUTER(node, struct iip_neigh, node));
    }
    iip_table_free(&stk->net->neighs.table);
}

enum { IIP_NEIGH_LOOK = 16 };

/* Who goes: of the least recently used ones the first that leads nowhere, so that a flood of names does not displace neighbours. */
static struct iip_neigh *iip_neigh_victim(const struct iip_neighs *cache)
{
    struct iip_neigh *neigh = cache->oldest;
    iip_u32 i;
    for (i = 0; neigh && i < IIP_NEIGH_LOOK; i++, neigh = neigh->next) {
        if (neigh->state == IIP_NEIGH_INCOMPLETE || neigh->state == IIP_NEIGH_FAILED)
            return neigh;
    }
    return cache->oldest;
}

/* A new entry, FAILED until someone asks. Entries that a path pins are beyond the limit: whoever pins them is limited. */
static struct iip_neigh *iip_neigh_make(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_neighs *cache = &stk->net->neighs;
    struct iip_neigh *neigh = iip_neigh_victim(cache);
    if (neigh && cache->table.count >= stk->tune.neigh_entries)
        iip_neigh_destroy(stk, neigh);
    neigh = (struct iip_neigh *)iip_mem_zalloc(stk, sizeof(*neigh));
    if (!neigh)
        return 0;
    neigh->ip = *ip;
    neigh->state = IIP_NEIGH_FAILED;
    neigh->timer.kind = IIP_TIMER_NEIGH;
    neigh->node.hash = iip_ip_hash(stk, ip);
    iip_put16(neigh->head + 12, iip_ip_is_v4(ip) ? IIP_ETH_IPV4 : IIP_ETH_IPV6);
    IIP_COPY(neigh->head + 6, stk->mac, 6);
    iip_table_add(&cache->table, &neigh->node);
    iip_neigh_list(stk, neigh);
    return neigh;
}

IIP_LOCAL struct iip_neigh *iip_neigh_pin(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh)
        return 0;
    iip_neigh_unlist(stk, neigh);
    neigh->pins++;
    return neigh;
}

IIP_LOCAL void iip_neigh_unpin(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    neigh->pins--;
    iip_neigh_list(stk, neigh);
    if (cache->table.count > stk->tune.neigh_entries && cache->oldest)
        iip_neigh_destroy(stk, iip_neigh_victim(cache));
}

/* A station address is known now. */
static void iip_neigh_flush(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_neigh_dequeue(stk, neigh)) != 0)
        iip_neigh_output(stk, neigh, pkt);
}

IIP_API int iip_stack_neigh_add(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 mac[6])
{
    struct iip_neigh *neigh;
    if (!stk->l2_len || (mac[0] & 1) || iip_ip_unset(ip) || iip_ip_is_multicast(ip))
        return IIP_E_INVAL;
    neigh = iip_neigh_find(stk, ip);
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh)
        return IIP_E_NOMEM;
    iip_neigh_unlist(stk, neigh);
    neigh->permanent = 1;
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    IIP_COPY(neigh->head, mac, 6);
    neigh->state = IIP_NEIGH_REACHABLE;
    neigh->fresh_until = IIP_NEVER;
    iip_neigh_flush(stk, neigh);
    return IIP_OK;
}

/* ---- states ---- */

static int iip_neigh_is_fresh(const struct iip_stack *stk, const struct iip_neigh *neigh)
{
    return stk->now < neigh->fresh_until;
}

/* Asks once, and again at the next expiry: at most one question per neighbour and neigh.retry_us [RFC 1122 2.3.2.1]. */
static void iip_neigh_ask(struct iip_stack *stk, struct iip_neigh *neigh)
{
    int v4 = iip_ip_is_v4(&neigh->ip);
    /* a probe goes to the station itself; with ARP only the first does, so that a station that moved is found soon */
    int direct = neigh->state == IIP_NEIGH_PROBE && (!v4 || !neigh->asked);
    neigh->asked++;
    neigh->asked_at = stk->now ? stk->now : 1;
    if (v4)
        iip_arp_request(stk, &neigh->ip, direct ? neigh->head : 0);
    else
        iip_ndp_solicit(stk, &neigh->ip, direct ? neigh->head : 0);
    iip_wheel_set(&stk->wheel, &neigh->timer, stk->now + stk->tune.neigh_retry_us);
}

static int iip_neigh_may_ask(const struct iip_stack *stk, const struct iip_neigh *neigh)
{
    return !neigh->asked_at || stk->now - neigh->asked_at >= stk->tune.neigh_retry_us;
}

/* Doubts about a station address: asks now if that is allowed, else when it is. */
static void iip_neigh_probe(struct iip_stack *stk, struct iip_neigh *neigh)
{
    neigh->state = IIP_NEIGH_PROBE;
    neigh->fresh_until = 0;
    neigh->asked = 0;
    if (iip_neigh_may_ask(stk, neigh))
        iip_neigh_ask(stk, neigh);
    else
        iip_wheel_set(&stk->wheel, &neigh->timer, neigh->asked_at + stk->tune.neigh_retry_us);
}

static void iip_neigh_fail(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    iip_u32 left;
    iip_neigh_unlist(stk, neigh); /* it must not go while its packets are told */
    neigh->pins++;
    neigh->state = IIP_NEIGH_FAILED;
    neigh->fresh_until = 0;
    iip_count(stk, IIP_CTR_NEIGH_FAILED);
    for (left = neigh->queue.count; left; left--) { /* what the transports send in answer is not part of this */
        pkt = iip_neigh_dequeue(stk, neigh);
        iip_icmp_tell_unreachable(stk, pkt);
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
    }
    iip_neigh_unpin(stk, neigh);
}

IIP_LOCAL void iip_neigh_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_neigh *neigh = IIP_OUTER(t, struct iip_neigh, timer);
    if (neigh->state != IIP_NEIGH_INCOMPLETE && iip_neigh_is_fresh(stk, neigh))
        neigh->state = IIP_NEIGH_REACHABLE; /* a transport confirmed it meanwhile */
    else if (neigh->state == IIP_NEIGH_DELAY)
        iip_neigh_probe(stk, neigh);
    else if (neigh->asked < stk->tune.neigh_retries)
        iip_neigh_ask(stk, neigh);
    else
        iip_neigh_fail(stk, neigh);
}

/* ---- sending ---- */

/* A crowd may wait for one neighbour, but those who do not answer leave room for others. */
static iip_u32 iip_neigh_queue_max(const struct iip_stack *stk)
{
    iip_u32 most = (iip_u32)stk->tune.neigh_queue;
    return stk->net->neighs.pending < stk->tune.neigh_queue_all / 2 ? most : iip_min32(most, IIP_NEIGH_PENDING_FEW);
}

static void iip_neigh_enqueue(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->queue.count >= iip_neigh_queue_max(stk)) { /* the latest are kept [RFC 1122 2.3.2.2] */
        iip_count(stk, IIP_CTR_NEIGH_QUEUE_FULL);
        iip_pkt_free(stk, iip_neigh_dequeue(stk, neigh));
    }
    if (cache->pending >= stk->tune.neigh_queue_all) {
        iip_count(stk, IIP_CTR_NEIGH_QUEUE_FULL);
        iip_pkt_free(stk, pkt);
        return;
    }
    cache->pending++;
    iip_pktq_put(&neigh->queue, pkt);
}

/* FAILED: nothing is known. Asks, unless it did so less than neigh.retry_us ago. */
static void iip_neigh_resolve(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    if (!iip_neigh_may_ask(stk, neigh)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    neigh->state = IIP_NEIGH_INCOMPLETE;
    neigh->asked = 0;
    iip_neigh_enqueue(stk, neigh, pkt);
    iip_neigh_ask(stk, neigh);
}

IIP_LOCAL void iip_eth_output(struct iip_stack *stk, struct iip_pkt *pkt, const iip_u8 *mac, iip_u32 type)
{
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    pkt->total += IIP_ETH_LEN;
    pkt->l2_len = IIP_ETH_LEN;
    iip_eth_emit(pkt->data, mac, stk->mac, type);
    iip_tx(stk, pkt);
}

static void iip_neigh_emit(struct iip_stack *stk, const struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    iip_eth_output(stk, pkt, neigh->head, iip_eth_type_before(neigh->head + IIP_ETH_LEN));
}

IIP_LOCAL void iip_neigh_output(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    switch (neigh->state) {
    case IIP_NEIGH_INCOMPLETE:
        iip_neigh_enqueue(stk, neigh, pkt);
        return;
    case IIP_NEIGH_FAILED:
        iip_neigh_resolve(stk, neigh, pkt);
        return;
    case IIP_NEIGH_REACHABLE:
    case IIP_NEIGH_STALE:
        if (!iip_neigh_is_fresh(stk, neigh)) {
            neigh->state = IIP_NEIGH_DELAY;
            iip_wheel_set(&stk->wheel, &neigh->timer, stk->now + IIP_NEIGH_DELAY_US);
        }
        break;
    default: /* DELAY, PROBE: the address that is known is used meanwhile */
        break;
    }
    iip_neigh_emit(stk, neigh, pkt);
}

IIP_LOCAL void iip_path_confirm(struct iip_stack *stk, struct iip_path *path)
{
    struct iip_neigh *neigh = path->neigh;
    if (!neigh || neigh->permanent || neigh->state == IIP_NEIGH_INCOMPLETE || neigh->state == IIP_NEIGH_FAILED)
        return;
    neigh->fresh_until = stk->now + stk->tune.neigh_reachable_us;
}

/* ---- hearing ---- */

static int iip_neigh_known(const struct iip_neigh *neigh)
{
    return neigh->state != IIP_NEIGH_INCOMPLETE && neigh->state != IIP_NEIGH_FAILED;
}

/* Takes a station address, confirmed or not, and sends what waited for it. */
static void iip_neigh_set(struct iip_stack *stk, struct iip_neigh *neigh, const iip_u8 *mac, int confirmed)
{
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    if (mac != neigh->head)
        IIP_COPY(neigh->head, mac, 6);
    neigh->state = confirmed ? IIP_NEIGH_REACHABLE : IIP_NEIGH_STALE;
    neigh->fresh_until = confirmed ? stk->now + stk->tune.neigh_reachable_us : 0;
    iip_neigh_flush(stk, neigh);
}

/* A station that nobody may have: a group, or none. */
static int iip_neigh_mac_bad(const struct iip_stack *stk, const iip_u8 *mac)
{
    static const iip_u8 none[6] = {0, 0, 0, 0, 0, 0};
    return iip_eth_is_group(mac) || IIP_SAME(mac, none, 6) || IIP_SAME(mac, stk->mac, 6);
}

/*
 * ARP has no proof of anything, so a claim never replaces a live entry by itself: the old station is asked first, and
 * the new one is believed when it answers our broadcast and the old one does not.
 */
static int iip_neigh_arp_moved(struct iip_stack *stk, struct iip_neigh *neigh, const iip_u8 *mac, int reply)
{
    if (neigh->state == IIP_NEIGH_PROBE) {
        if (reply && neigh->asked > 1)
            iip_neigh_set(stk, neigh, mac, 1);
        return reply;
    }
    if (!iip_neigh_is_fresh(stk, neigh) && neigh->state != IIP_NEIGH_DELAY) {
        iip_neigh_set(stk, neigh, mac, 0);
        return 1;
    }
    iip_neigh_probe(stk, neigh);
    return 1;
}

IIP_LOCAL int iip_neigh_heard_arp(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac, int reply, int ask)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (iip_neigh_mac_bad(stk, mac))
        return 0;
    if (!neigh && ask)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh || neigh->permanent)
        return 0;
    if (iip_neigh_known(neigh) && !IIP_SAME(neigh->head, mac, 6))
        return iip_neigh_arp_moved(stk, neigh, mac, reply);
    if (!reply && iip_neigh_known(neigh))
        return 0;
    iip_neigh_set(stk, neigh, mac, reply);
    return 1;
}

/* [RFC 4861 7.2.3] */
IIP_LOCAL int iip_neigh_heard_ns(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (iip_neigh_mac_bad(stk, mac))
        return 0;
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh || neigh->permanent)
        return 0;
    if (iip_neigh_known(neigh) && IIP_SAME(neigh->head, mac, 6))
        return 0;
    iip_neigh_set(stk, neigh, mac, 0);
    return 1;
}

/* [RFC 4861 7.2.5] */
IIP_LOCAL int iip_neigh_heard_na(struct iip_stack *stk, const struct iip_ndp *ndp)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, &ndp->target);
    int moved;
    if (!neigh || neigh->permanent || (ndp->has_mac && iip_neigh_mac_bad(stk, ndp->mac)))
        return 0;
    if (!iip_neigh_known(neigh)) {
        if (ndp->has_mac)
            iip_neigh_set(stk, neigh, ndp->mac, ndp->solicited);
        return ndp->has_mac;
    }
    moved = ndp->has_mac && !IIP_SAME(neigh->head, ndp->mac, 6);
    if (moved && !ndp->force) {
        if (iip_neigh_is_fresh(stk, neigh)) {
            iip_wheel_cancel(&stk->wheel, &neigh->timer);
            neigh->state = IIP_NEIGH_STALE;
            neigh->fresh_until = 0;
        }
        return 1;
    }
    if (ndp->solicited || moved)
        iip_neigh_set(stk, neigh, ndp->has_mac ? ndp->mac : neigh->head, ndp->solicited);
    return 1;
}

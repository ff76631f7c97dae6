/* rx.c - packets in: the link header, the demultiplexing, and the one place where a received packet is counted and freed. */
#include "stack/up.h"
#include "wire/eth.h"
#include "wire/ipv6.h"

enum {
    IIP_RX_FIRST = 128,      /* bytes that the first view holds at least, so that headers can be read in one piece */
    IIP_LOOP_ROUNDS = 4096   /* packets to ourselves that one call handles */
};

static void iip_rx_end(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict)
{
    if (verdict == IIP_HELD)
        return;
    if (verdict == IIP_KEPT) {
        iip_count(stk, IIP_CTR_RX_DELIVERED);
        return;
    }
    iip_count(stk, verdict);
    iip_pkt_free(stk, pkt);
}

static iip_verdict iip_rx_ip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    if (!pkt->len)
        return IIP_CTR_DROP_IP_HEADER;
    if (iip_ipv6_is_v6(pkt->data))
        return iip_ipv6_input(stk, pkt, group, looped);
    return iip_ipv4_input(stk, pkt, group, looped);
}

static iip_verdict iip_rx_eth(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_eth eth;
    iip_u32 group;
    if (IIP_UNLIKELY(iip_eth_parse(&eth, pkt->data, pkt->len)))
        return IIP_CTR_DROP_ETH_SHORT;
    if (IIP_UNLIKELY(eth.vid))
        return IIP_CTR_DROP_ETH_VLAN;
    group = (iip_u32)iip_eth_is_group(eth.dst);
    if (IIP_UNLIKELY(!group && !IIP_SAME(eth.dst, stk->mac, 6)))
        return IIP_CTR_DROP_ETH_DST;
    pkt->data += eth.len;
    pkt->len -= eth.len;
    pkt->l2_len = (iip_u8)eth.len;
    if (IIP_LIKELY(eth.type == IIP_ETH_IPV4))
        return iip_ipv4_input(stk, pkt, group, 0);
    if (eth.type == IIP_ETH_IPV6)
        return iip_ipv6_input(stk, pkt, group, 0);
    if (eth.type == IIP_ETH_ARP)
        return iip_arp_input(stk, pkt);
    return IIP_CTR_DROP_ETH_TYPE;
}

/* A first view too short for the headers, in a packet that has more: move the first bytes together. */
static struct iip_pkt *iip_rx_gather(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 want = iip_min32(iip_pkt_bytes(pkt), IIP_RX_FIRST);
    struct iip_pkt *head;
    if (pkt->len >= want)
        return pkt;
    head = iip_pkt_alloc(stk, want);
    if (!head)
        return 0;
    iip_pkt_read(pkt, 0, head->data, want);
    head->len = want;
    head->flags = pkt->flags;
    head->seg_size = pkt->seg_size;
    head->next = iip_pkt_skip(stk, pkt, want);
    if (!head->next->len) {
        iip_pkt_free(stk, head->next);
        head->next = 0;
    }
    return head;
}

static void iip_rx_packet(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_verdict verdict;
    struct iip_pkt *whole = pkt;

    iip_count(stk, IIP_CTR_RX_PACKETS);
    stk->ctr[IIP_CTR_RX_BYTES] += pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    verdict = iip_tcp_rx_plain(stk, pkt);
    if (IIP_LIKELY(verdict <= IIP_HELD)) {
        iip_rx_end(stk, pkt, verdict);
        return;
    }
    if (IIP_UNLIKELY(pkt->next != 0))
        whole = iip_rx_gather(stk, pkt);
    if (!whole) {
        iip_rx_end(stk, pkt, IIP_CTR_DROP_NO_FRAME);
        return;
    }
    verdict = stk->l2_len ? iip_rx_eth(stk, whole) : iip_rx_ip(stk, whole, 0, 0);
    iip_rx_end(stk, whole, verdict);
}

/* Packets to ourselves: what answers them answers here, until it is quiet. */
static void iip_rx_loop(struct iip_stack *stk)
{
    struct iip_pkt *pkt;
    iip_u32 i;
    for (i = 0; i < IIP_LOOP_ROUNDS && (pkt = iip_pktq_get(&stk->loop)) != 0; i++) {
        iip_count(stk, IIP_CTR_RX_PACKETS);
        stk->ctr[IIP_CTR_RX_BYTES] += iip_pkt_bytes(pkt);
        pkt = iip_pkt_linear(stk, pkt);
        if (pkt)
            iip_rx_end(stk, pkt, iip_rx_ip(stk, pkt, 0, 1));
        else
            iip_count(stk, IIP_CTR_DROP_NO_FRAME);
        if (!stk->loop.head)
            iip_tcp_output_touched(stk, 1);
    }
}

static void iip_stack_clock(struct iip_stack *stk, iip_u64 now)
{
    if (now > stk->now)
        stk->now = now;
}

static void iip_stack_timers(struct iip_stack *stk)
{
    struct iip_timer *t;
    while ((t = iip_wheel_pop(&stk->wheel, stk->now)) != 0) {
        switch (t->kind) {
        case IIP_TIMER_TCP:
            iip_tcp_timer(stk, t);
            break;
        case IIP_TIMER_TCP_MINI:
            iip_tcp_mini_timer(stk, t);
            break;
        case IIP_TIMER_NEIGH:
            iip_neigh_timer(stk, t);
            break;
        case IIP_TIMER_REASS:
            iip_reass_timer(stk, t);
            break;
        default:
            iip_net_timer(stk, t);
            break;
        }
    }
}

/* The connections that were touched say what they have to say, then the burst leaves. */
static void iip_stack_settle(struct iip_stack *stk, int hold)
{
    if (IIP_UNLIKELY(stk->held.head != 0))
        iip_tx_flush(stk);
    iip_tcp_output_touched(stk, hold);
    if (IIP_UNLIKELY(stk->loop.head != 0)) {
        iip_rx_loop(stk);
        iip_tcp_output_touched(stk, hold);
    }
    iip_tx_flush(stk);
}

IIP_API void iip_stack_input(struct iip_stack *stk, struct iip_pkt **pkts, iip_u32 n, iip_u64 now)
{
    iip_u32 i;
    iip_stack_clock(stk, now);
    stk->tx_blocked = 0;
    for (i = 0; i < n; i++) {
        if (i + 4 < n)
            IIP_PREFETCH(pkts[i + 4]->data);
        iip_rx_packet(stk, pkts[i]);
    }
    iip_stack_timers(stk);
    iip_stack_settle(stk, 1);
}

IIP_API void iip_stack_output(struct iip_stack *stk, iip_u64 now)
{
    iip_stack_clock(stk, now);
    stk->tx_blocked = 0;
    iip_stack_timers(stk);
    iip_stack_settle(stk, 0);
}

/* TCP arms its timers lazily: what stands first may be put off, and is put where it belongs now. */
IIP_API iip_u64 iip_stack_deadline(struct iip_stack *stk)
{
    struct iip_timer *t;
    iip_u64 due;
    while ((t = iip_wheel_first(&stk->wheel)) != 0) {
        due = t->kind == IIP_TIMER_TCP || t->kind == IIP_TIMER_TCP_MINI ? iip_tcp_timer_due(stk, t) : t->at;
        if (due <= t->at)
            return t->at;
        if (due == IIP_NEVER)
            iip_wheel_cancel(&stk->wheel, t);
        else
            iip_wheel_set(&stk->wheel, t, due);
    }
    return IIP_NEVER;
}

/*
 * tell.c - what one stack passes on to the others that share its addresses.
 *
 * A NIC hands ARP, neighbour discovery and ICMP errors to one queue only, but every stack resolves neighbours, defends
 * addresses and cuts packets to the path's MTU. What changed something here, or answers a question that another stack
 * may have asked, is therefore copied to all of them. A copy is marked, so nobody answers it or passes it on again. One
 * that is lost costs the other stack a question of its own.
 */
#include "net/state.h"

enum {
    IIP_TELL_MAX = 1280,     /* bytes: an ICMPv6 error [RFC 4443 2.4 (c)] */
    IIP_TELL_RATE = 64       /* a second, of addresses that hash alike: a flood about one of them does not silence the rest */
};

IIP_LOCAL int iip_rx_is_told(const struct iip_pkt *pkt)
{
    return pkt->flags & IIP_PKT_TOLD;
}

IIP_LOCAL int iip_neigh_is_echo(const struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3)
{
    return stk->l2_len && pkt->l2_len && !iip_rx_is_told(pkt) && IIP_SAME(l3 - pkt->l2_len + 6, stk->mac, 6);
}

/* A link header of our own in front of what lies at pkt->data; 0 when there is no room for it. */
static int iip_tell_header(const struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 type)
{
    if (!iip_pkt_headroom_ok(pkt, IIP_ETH_LEN))
        return 0;
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    iip_eth_emit(pkt->data, stk->mac, stk->mac, type);
    return 1;
}

static void iip_tell_one(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3, iip_u32 owner)
{
    iip_u32 len = iip_min32((iip_u32)(pkt->data - l3) + pkt->len, IIP_TELL_MAX);
    struct iip_pkt *copy = iip_pkt_alloc(stk, len);
    if (!copy)
        return;
    IIP_COPY(copy->data, l3, len);
    copy->len = len;
    copy->flags = IIP_PKT_TOLD;
    if (stk->l2_len && !iip_tell_header(stk, copy, iip_eth_type_before(l3))) {
        iip_pkt_free(stk, copy);
        return;
    }
    copy->total = copy->len;
    iip_share_hand_over(stk, copy, owner);
}

IIP_LOCAL void iip_tell_others(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3,
                               const struct iip_ip *about)
{
    iip_u32 i;
    if (stk->share.stacks <= 1 || iip_rx_is_told(pkt) || pkt->next)
        return;
    if (!iip_bucket_take(&stk->net->tell_bucket[iip_ip_hash(stk, about) % IIP_TELL_SLOTS], stk->now, IIP_TELL_RATE))
        return;
    for (i = 0; i < stk->share.stacks; i++) {
        if (i != stk->share.self)
            iip_tell_one(stk, pkt, l3, i);
    }
}

IIP_LOCAL iip_verdict iip_rx_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       iip_u32 owner)
{
    iip_u32 back = (iip_u32)(pkt->data - rx->l3);
    pkt->data -= back;
    pkt->len += back;
    if (stk->l2_len && !iip_tell_header(stk, pkt, rx->family == 4 ? IIP_ETH_IPV4 : IIP_ETH_IPV6)) {
        iip_pkt_free(stk, pkt);
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return IIP_KEPT;
    }
    pkt->total = iip_pkt_bytes(pkt);
    iip_share_hand_over(stk, pkt, owner);
    return IIP_KEPT;
}

/*
 * tell.c - what one stack passes on to the others that share its addresses.
 *
 * A NIC hands ARP and neighbour discovery to one queue only, but every stack resolves neighbours. A reply is therefore
 * copied to all stacks. The copy comes from our own station's address, so nobody passes it on again.
 */
#include "net/state.h"

enum { IIP_TELL_MAX = 128 }; /* bytes of ARP or a neighbour advertisement */

IIP_LOCAL int iip_neigh_is_told(const struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3)
{
    return stk->l2_len && pkt->l2_len && IIP_SAME(l3 - pkt->l2_len + 6, stk->mac, 6);
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
    iip_tell_header(stk, copy, iip_eth_type_before(l3));
    copy->total = copy->len;
    iip_share_hand_over(stk, copy, owner);
}

IIP_LOCAL void iip_neigh_tell_others(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3)
{
    iip_u32 i;
    for (i = 0; i < stk->share.stacks; i++) {
        if (i != stk->share.self)
            iip_tell_one(stk, pkt, l3, i);
    }
}

IIP_LOCAL iip_verdict iip_rx_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx, iip_u32 owner)
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

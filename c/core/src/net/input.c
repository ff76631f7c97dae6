/* input.c - what IPv4 and IPv6 input share. */
#include "net/state.h"

IIP_LOCAL struct iip_pkt *iip_rx_pull(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 want)
{
    struct iip_pkt *head;
    struct iip_pkt *rest;
    if (pkt->len >= want || !pkt->next)
        return pkt;
    want = iip_min32(want, iip_pkt_bytes(pkt));
    head = iip_pkt_alloc(stk, want);
    if (!head)
        return 0;
    iip_pkt_read(pkt, 0, head->data, want);
    head->len = want;
    head->flags = pkt->flags;
    head->seg_size = pkt->seg_size;
    head->l2_len = 0;
    rest = iip_pkt_skip(stk, pkt, want);
    if (!rest->len) {
        iip_pkt_free(stk, rest);
        rest = 0;
    }
    head->next = rest;
    return head;
}

IIP_LOCAL iip_verdict iip_rx_settle(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict)
{
    if (verdict == IIP_HELD)
        return IIP_HELD;
    iip_count(stk, verdict == IIP_KEPT ? (iip_u32)IIP_CTR_RX_DELIVERED : verdict);
    if (verdict != IIP_KEPT)
        iip_pkt_free(stk, pkt);
    return IIP_HELD;
}

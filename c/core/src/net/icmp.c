/* icmp.c - ICMP and ICMPv6: echo, and what else comes in [RFC 792, RFC 1122 3.2.2, RFC 4443]. */
#include "net/state.h"

/* Where the headers go: in front of the message, where the old ones were, or in a view of their own. Null: not to be had. */
static struct iip_pkt *iip_icmp_echo_head(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 headers = stk->l2_len + (rx->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN);
    struct iip_pkt *head;
    if (iip_tx_full(stk) || (pkt->frame->flags & IIP_FRAME_READ_ONLY))
        return 0;
    if (IIP_LIKELY(iip_pkt_headroom_ok(pkt, headers)))
        return pkt;
    head = iip_pkt_alloc(stk, 0);
    if (head)
        head->next = pkt;
    return head;
}

/*
 * An echo goes back in the frame that it came in: the type changes, the checksum is mended, and IP output writes its
 * header over the old one. One that was put together of fragments, or is larger than the MTU, leaves in fragments.
 */
static iip_verdict iip_icmp_echo(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx, iip_u32 reply)
{
    struct iip_pkt *head = iip_icmp_echo_head(stk, pkt, rx);
    struct iip_tx_ip ip;
    if (!head) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return IIP_DONE;
    }
    iip_icmp_retype(pkt->data, reply);
    head->total = iip_pkt_bytes(head);
    head->flags = 0;
    head->seg_size = 0;
    head->l4_len = IIP_ICMP_LEN;
    ip.src = &rx->dst;
    ip.dst = &rx->src;
    ip.family = rx->family;
    ip.proto = rx->proto;
    ip.ttl = (iip_u8)stk->tune.ip_ttl;
    ip.tos = rx->tos; /* [RFC 1122 3.2.2.6] */
    ip.df = 0;
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_ip_output_once(stk, head, &ip);
    return IIP_KEPT;
}

/* Answers that nobody waits for, and questions that nobody need answer, are dropped; so is what was sent to a group [RFC 1122 3.2.2.6]. */
IIP_LOCAL iip_verdict iip_icmp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 len = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    if (len < IIP_ICMP_LEN || rx->multicast)
        return IIP_CTR_DROP_ICMP;
    if (iip_csum_fold(iip_pkt_csum(pkt, 0, len)) != 0xffff)
        return IIP_CTR_DROP_ICMP;
    switch (iip_icmp_type(pkt->data)) {
    case IIP_ICMP_ECHO:
        return iip_icmp_echo(stk, pkt, rx, IIP_ICMP_ECHO_REPLY);
    case IIP_ICMP_UNREACHABLE:
    case IIP_ICMP_TIME_EXCEEDED:
    case IIP_ICMP_PARAM_PROBLEM:
        return iip_icmp_error_input(stk, pkt, rx);
    default:
        return IIP_CTR_DROP_ICMP;
    }
}

IIP_LOCAL iip_verdict iip_icmpv6_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       int fragmented)
{
    iip_u32 len = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    iip_u32 type;
    if (len < IIP_ICMP_LEN)
        return IIP_CTR_DROP_ICMP;
    if (iip_csum_fold(iip_csum_add(iip_ip_pseudo(&rx->src, &rx->dst, 6, IIP_PROTO_ICMPV6, len),
                                   iip_pkt_csum(pkt, 0, len))) != 0xffff)
        return IIP_CTR_DROP_ICMP;
    type = iip_icmp_type(pkt->data);
    if (type >= IIP_ICMPV6_RS && type <= IIP_ICMPV6_REDIRECT)
        return iip_ndp_input(stk, pkt, rx, fragmented);
    if (rx->multicast || iip_ip_any(&rx->src))
        return IIP_CTR_DROP_ICMP;
    if (type == IIP_ICMPV6_ECHO)
        return iip_icmp_echo(stk, pkt, rx, IIP_ICMPV6_ECHO_REPLY);
    if (type >= IIP_ICMPV6_UNREACHABLE && type <= IIP_ICMPV6_PARAM_PROBLEM)
        return iip_icmp_error_input(stk, pkt, rx);
    return IIP_CTR_DROP_ICMP;
}

/* ipv4.c - IPv4 input [RFC 791; RFC 1122 3.2.1]. */
#include "net/state.h"

/* Whose bytes they are now: the transport's, or an answer that there is none. */
static iip_verdict iip_ipv4_deliver(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    if (IIP_LIKELY(rx->proto == IIP_PROTO_TCP))
        return iip_tcp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_UDP)
        return iip_udp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_ICMP)
        return iip_icmp_input(stk, pkt, rx);
    iip_icmp_unreachable(stk, pkt, rx, IIP_ICMP_UNREACHABLE, IIP_ICMP_CODE_PROTOCOL, 0); /* [RFC 1122 3.2.2.1] */
    return IIP_CTR_DROP_IP_PROTO;
}

/* ---- fragments ---- */

/* The datagram is whole: what was its first fragment's header is now its own. */
static iip_verdict iip_ipv4_whole(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_frag *f, int looped)
{
    struct iip_pkt *flat;
    struct iip_rx rx;
    iip_u32 total = iip_pkt_bytes(pkt);
    pkt->data -= f->l3_len;
    pkt->len += f->l3_len;
    iip_ipv4_make_whole(pkt->data, f->l3_len, total + f->l3_len);
    flat = iip_rx_pull(stk, pkt, IIP_HEADROOM);
    if (!flat)
        return iip_rx_settle(stk, pkt, IIP_CTR_DROP_NO_FRAME);
    iip_ipv4_fill(&rx, flat->data, f->l3_len);
    rx.multicast = f->multicast;
    rx.looped = (iip_u8)looped;
    flat->data += f->l3_len;
    flat->len -= f->l3_len;
    return iip_rx_settle(stk, flat, iip_ipv4_deliver(stk, flat, &rx));
}

/* [RFC 1858, RFC 3128] No first fragment may end within a TCP header, and none may begin there. */
static int iip_ipv4_fragment_is_tiny(const struct iip_ipv4 *h)
{
    if (h->proto != IIP_PROTO_TCP)
        return 0;
    return h->frag_offset == 8 || (!h->frag_offset && h->total - h->hdr_len < 20);
}

static iip_verdict iip_ipv4_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ipv4 *h,
                                     const struct iip_rx *rx)
{
    struct iip_frag f;
    struct iip_pkt *whole;
    iip_verdict verdict;
    f.src = &rx->src;
    f.dst = &rx->dst;
    f.id = h->id;
    f.offset = h->frag_offset;
    f.len = h->total - h->hdr_len;
    f.max = IIP_IPV4_TOTAL_MAX - h->hdr_len;
    f.l3_len = h->hdr_len;
    f.frag_at = 0;
    f.next_at = 0;
    f.more = h->mf;
    f.proto = h->proto;
    f.family = 4;
    f.multicast = rx->multicast;
    if (!f.len || (f.more && f.len % 8) || iip_ipv4_fragment_is_tiny(h))
        return IIP_CTR_DROP_FRAGMENT;
    whole = iip_reass_add(stk, pkt, &f, &verdict);
    return whole ? iip_ipv4_whole(stk, whole, &f, rx->looped) : verdict;
}

/* ---- everything that the fast path does not want to see ---- */

/* [RFC 1122 3.2.1.3] Sources that no packet may come from: none, ours, groups, 127/8, 240/4. */
static int iip_ipv4_src_ok(const struct iip_stack *stk, const struct iip_ip *src, iip_u32 looped)
{
    if (looped)
        return 1;
    return iip_addr_is_unicast(stk, src) && !iip_addr_find(stk, src);
}

/* Sets rx->multicast; 0 when the packet is not for us. */
static int iip_ipv4_dst_ok(const struct iip_stack *stk, struct iip_rx *rx, iip_u32 group, iip_u32 looped)
{
    if (iip_addr_is_ours(stk, &rx->dst)) {
        if (group || (!looped && iip_ip_is_loopback(&rx->dst))) /* [RFC 1122 3.3.6]; 127/8 is never on a wire */
            return 0;
        if (!looped)
            stk->net->v4_ours = iip_ip_to_v4(&rx->dst);
        return 1;
    }
    rx->multicast = 1;
    return iip_addr_is_broadcast(stk, &rx->dst) || iip_addr_is_joined(stk, &rx->dst);
}

static iip_verdict iip_ipv4_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    const iip_u8 *p = pkt->data;
    struct iip_ipv4 h;
    struct iip_rx rx;
    if (iip_ipv4_parse(&h, p, pkt->len) || h.total > iip_pkt_bytes(pkt))
        return IIP_CTR_DROP_IP_HEADER;
    if (!looped && !(pkt->flags & IIP_PKT_IP_CSUM_OK) && !iip_ipv4_csum_ok(p, h.hdr_len))
        return IIP_CTR_DROP_IP_CSUM;
    iip_ipv4_fill(&rx, p, h.hdr_len);
    rx.looped = (iip_u8)looped;
    if (!iip_ipv4_dst_ok(stk, &rx, group, looped))
        return IIP_CTR_DROP_IP_DST;
    if (!iip_ipv4_src_ok(stk, &rx.src, looped))
        return IIP_CTR_DROP_IP_SRC;
    if (h.hdr_len > IIP_IPV4_LEN && iip_ipv4_options_check(p, h.hdr_len))
        return IIP_CTR_DROP_IP_OPTION;
    iip_pkt_trim(stk, pkt, h.total);
    pkt->data += h.hdr_len;
    pkt->len -= h.hdr_len;
    if (h.mf || h.frag_offset)
        return iip_ipv4_fragment(stk, pkt, &h, &rx);
    return iip_ipv4_deliver(stk, pkt, &rx);
}

/* ---- the fast path ---- */

/* 1 when the header says nothing that needs thought, and the packet is as long as it says. */
IIP_INLINE int iip_ipv4_is_simple(const struct iip_stack *stk, const struct iip_pkt *pkt)
{
    const iip_u8 *p = pkt->data;
    iip_u32 total;
    if (pkt->len < IIP_IPV4_LEN || pkt->next || !iip_ipv4_is_plain(p) || !iip_ipv4_is_whole(p))
        return 0;
    total = iip_ipv4_total(p);
    if (total < IIP_IPV4_LEN || total > pkt->len || !iip_ipv4_addrs_plain(stk->net, p))
        return 0;
    return (pkt->flags & IIP_PKT_IP_CSUM_OK) || iip_ipv4_csum_ok(p, IIP_IPV4_LEN);
}

IIP_LOCAL iip_verdict iip_ipv4_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_rx rx;
    if (IIP_UNLIKELY(group | looped) || IIP_UNLIKELY(!iip_ipv4_is_simple(stk, pkt)))
        return iip_ipv4_slow(stk, pkt, group, looped);
    iip_ipv4_fill(&rx, pkt->data, IIP_IPV4_LEN);
    pkt->len = iip_ipv4_total(pkt->data) - IIP_IPV4_LEN;
    pkt->data += IIP_IPV4_LEN;
    return iip_ipv4_deliver(stk, pkt, &rx);
}

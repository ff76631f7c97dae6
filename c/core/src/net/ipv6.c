/* ipv6.c - IPv6 input: the header, the chain of extension headers, fragments [RFC 8200]. */
#include "net/state.h"

enum {
    IIP_EXT_HEADERS = 16,   /* extension headers of one packet [RFC 8504 5.3 lets a host set such limits] */
    IIP_EXT_BYTES = 1024,   /* and their bytes, the fixed header included */
    IIP_L4_BYTES = 60       /* bytes that a transport finds in the first view, if the packet has as many */
};

/* A walk along the headers of a packet; offsets are from the fixed header. */
struct iip_walk {
    iip_u32 at;         /* of the header that `next` names */
    iip_u32 next_at;    /* of the field that named it */
    iip_u8 next;
    iip_u8 count;
    iip_u8 fragmented;  /* there was a fragment header, or the packet was put together */
    iip_u8 whole;       /* it was put together: a further fragment header makes no sense */
};

static iip_verdict iip_ipv6_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                 struct iip_walk *walk);

static iip_verdict iip_ipv6_deliver(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                    const struct iip_walk *walk)
{
    if (IIP_LIKELY(rx->proto == IIP_PROTO_TCP))
        return iip_tcp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_UDP)
        return iip_udp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_ICMPV6)
        return iip_icmpv6_input(stk, pkt, rx, walk->fragmented);
    if (rx->proto != IIP_PROTO_NONE) /* [RFC 8200 4] */
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_PARAM_PROBLEM, IIP_ICMPV6_CODE_NEXT, walk->next_at);
    return IIP_CTR_DROP_IP_PROTO;
}

/* pkt->data stands at rx->l3: moves it behind the headers that the walk has passed. */
static void iip_ipv6_advance(struct iip_pkt *pkt, struct iip_rx *rx, const struct iip_walk *walk)
{
    rx->l3_len = walk->at;
    rx->proto = walk->next;
    pkt->data += walk->at;
    pkt->len -= walk->at;
}

/* Is there another extension header that we know? Hop-by-hop only counts in front of all others. */
static int iip_ipv6_more(const struct iip_walk *walk)
{
    return walk->next == IIP_PROTO_DSTOPTS || walk->next == IIP_PROTO_ROUTING ||
        (walk->next == IIP_PROTO_HOPOPTS && walk->at == IIP_IPV6_LEN);
}

/* [RFC 4443 2.4 (e.1)] Is it an ICMPv6 error that lies behind the headers from here on? Their contents do not matter. */
static int iip_ipv6_is_error(const struct iip_pkt *pkt, const struct iip_rx *rx, const struct iip_walk *walk)
{
    struct iip_walk rest = *walk;
    struct iip_ipv6_ext ext;
    while (iip_ipv6_more(&rest) && rest.count++ < IIP_EXT_HEADERS) {
        if (rest.at > pkt->len || iip_ipv6_ext_parse(&ext, rx->l3 + rest.at, pkt->len - rest.at))
            return 0;
        rest.next = ext.next;
        rest.at += ext.len;
    }
    return rest.next == IIP_PROTO_ICMPV6 && rest.at < pkt->len && iip_icmp_type(rx->l3 + rest.at) < IIP_ICMPV6_INFO;
}

/* A parameter problem about the headers; pkt stands at the fixed header, where the quote begins. */
static void iip_ipv6_problem(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, const struct iip_walk *walk,
                             iip_u32 code, iip_u32 at)
{
    if (iip_ipv6_is_error(pkt, rx, walk))
        return;
    iip_ipv6_advance(pkt, rx, walk);
    iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_PARAM_PROBLEM, code, at);
}

/* ---- extension headers ---- */

static iip_verdict iip_ipv6_options(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                    const struct iip_walk *walk, iip_u32 len)
{
    iip_u32 at = 0;
    int action = iip_ipv6_options_walk(rx->l3 + walk->at, len, &at);
    if (action == IIP_IPV6_OPT_OK)
        return IIP_DONE;
    if (action == IIP_IPV6_OPT_BAD)
        return IIP_CTR_DROP_IP_EXT;
    if (action == IIP_IPV6_OPT_PROBLEM || (action == IIP_IPV6_OPT_UNICAST && !rx->multicast))
        iip_ipv6_problem(stk, pkt, rx, walk, IIP_ICMPV6_CODE_OPTION, walk->at + at);
    return IIP_CTR_DROP_IP_OPTION;
}

/* We are no router: a routing header that still has segments to visit is refused, whatever its type [RFC 8200 4.4, RFC 5095]. */
static iip_verdict iip_ipv6_routing(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                    const struct iip_walk *walk, const struct iip_ipv6_ext *ext)
{
    if (!ext->segments_left)
        return IIP_DONE;
    iip_ipv6_problem(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, walk->at + IIP_IPV6_ROUTING_TYPE_AT);
    return IIP_CTR_DROP_IP_EXT;
}

/* One header; IIP_DONE: go on. */
static iip_verdict iip_ipv6_header(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, struct iip_walk *walk)
{
    struct iip_ipv6_ext ext;
    iip_verdict verdict;
    if (iip_ipv6_ext_parse(&ext, rx->l3 + walk->at, pkt->len - walk->at))
        return IIP_CTR_DROP_IP_EXT;
    if (walk->next == IIP_PROTO_ROUTING)
        verdict = iip_ipv6_routing(stk, pkt, rx, walk, &ext);
    else
        verdict = iip_ipv6_options(stk, pkt, rx, walk, ext.len);
    walk->next = ext.next;
    walk->next_at = walk->at;
    walk->at += ext.len;
    return verdict;
}

/* All headers up to a fragment header or the transport; IIP_DONE: got there. */
static iip_verdict iip_ipv6_walk(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, struct iip_walk *walk)
{
    iip_verdict verdict = IIP_DONE;
    while (verdict == IIP_DONE && iip_ipv6_more(walk)) {
        if (++walk->count > IIP_EXT_HEADERS)
            return IIP_CTR_DROP_IP_EXT;
        verdict = iip_ipv6_header(stk, pkt, rx, walk);
    }
    return verdict;
}

/* ---- fragments ---- */

/* A walk needs its headers in one view. The same packet, another that took its place, or null without a frame. */
static struct iip_pkt *iip_ipv6_pull(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 next = iip_ipv6_next(pkt->data);
    int plain = next == IIP_PROTO_TCP || next == IIP_PROTO_UDP || next == IIP_PROTO_ICMPV6;
    return iip_rx_pull(stk, pkt, plain ? (iip_u32)IIP_HEADROOM : (iip_u32)IIP_EXT_BYTES);
}

/* [RFC 7112] A first fragment holds all headers, the transport's too: `pkt` stands at the fixed header. */
static int iip_ipv6_first_is_complete(const struct iip_pkt *pkt, const struct iip_walk *walk,
                                      const struct iip_ipv6_fragment *fh)
{
    struct iip_walk rest = *walk;
    struct iip_ipv6_ext ext;
    rest.at += IIP_IPV6_FRAGMENT_LEN;
    rest.next = fh->next;
    while (iip_ipv6_more(&rest) && rest.count++ < IIP_EXT_HEADERS) {
        if (rest.at > pkt->len || iip_ipv6_ext_parse(&ext, pkt->data + rest.at, pkt->len - rest.at))
            return 0;
        rest.next = ext.next;
        rest.at += ext.len;
    }
    if (rest.next == IIP_PROTO_NONE)
        return 1;
    return rest.at + (rest.next == IIP_PROTO_TCP ? 20u : 8u) <= pkt->len;
}

/* The datagram is whole: the fragment header leaves the first fragment's headers, and the walk begins again. */
static iip_verdict iip_ipv6_whole(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_frag *f,
                                  struct iip_rx *rx)
{
    struct iip_pkt *flat;
    struct iip_walk walk;
    iip_u8 *l3 = pkt->data - f->l3_len;
    iip_u32 total = iip_pkt_bytes(pkt) + f->l3_len - IIP_IPV6_FRAGMENT_LEN;
    pkt->data = iip_ipv6_make_whole(l3, f->frag_at, f->next_at, total - IIP_IPV6_LEN);
    pkt->len += f->l3_len - IIP_IPV6_FRAGMENT_LEN;
    flat = iip_ipv6_pull(stk, pkt);
    if (!flat)
        return iip_rx_settle(stk, pkt, IIP_CTR_DROP_NO_FRAME);
    walk.fragmented = 1;
    walk.whole = 1;
    rx->multicast = f->multicast;
    return iip_rx_settle(stk, flat, iip_ipv6_slow(stk, flat, rx->looped, rx, &walk));
}

static iip_verdict iip_ipv6_fragment_bad(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                         const struct iip_walk *walk, iip_u32 code, iip_u32 at)
{
    iip_ipv6_problem(stk, pkt, rx, walk, code, at);
    return IIP_CTR_DROP_FRAGMENT;
}

static void iip_ipv6_frag_fill(struct iip_frag *f, const struct iip_rx *rx, const struct iip_walk *walk,
                               const struct iip_ipv6_fragment *fh)
{
    f->src = &rx->src;
    f->dst = &rx->dst;
    f->id = fh->id;
    f->offset = fh->offset;
    f->l3_len = walk->at + IIP_IPV6_FRAGMENT_LEN;
    f->max = 65535 - (walk->at - IIP_IPV6_LEN);
    f->frag_at = (iip_u16)walk->at;
    f->next_at = (iip_u16)walk->next_at;
    f->more = fh->more;
    f->proto = fh->next;
    f->family = 6;
    f->multicast = rx->multicast;
}

/* `pkt` stands at the fixed header, `walk` at the fragment header. */
static iip_verdict iip_ipv6_fragment(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                     struct iip_walk *walk, const struct iip_ipv6_fragment *fh)
{
    struct iip_frag f;
    struct iip_pkt *whole;
    iip_verdict verdict;
    iip_ipv6_frag_fill(&f, rx, walk, fh);
    f.len = iip_pkt_bytes(pkt) - f.l3_len;
    if (fh->more && f.len % 8) /* [RFC 8200 4.5] */
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, IIP_IPV6_PAYLOAD_AT);
    if (f.offset + f.len > f.max)
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, walk->at + IIP_IPV6_FRAG_OFFSET_AT);
    if (!f.offset && !iip_ipv6_first_is_complete(pkt, walk, fh))
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIRST, 0);
    if (!f.len)
        return IIP_CTR_DROP_FRAGMENT;
    pkt->data += f.l3_len;
    pkt->len -= f.l3_len;
    whole = iip_reass_add(stk, pkt, &f, &verdict);
    return whole ? iip_ipv6_whole(stk, whole, &f, rx) : verdict;
}

/* 1 when the packet goes on without its fragment header: it is all in one piece [RFC 6946]. */
static int iip_ipv6_is_atomic(const struct iip_ipv6_fragment *fh)
{
    return !fh->offset && !fh->more;
}

static void iip_ipv6_pass_fragment(struct iip_walk *walk, const struct iip_ipv6_fragment *fh)
{
    walk->next = fh->next;
    walk->next_at = walk->at;
    walk->at += IIP_IPV6_FRAGMENT_LEN;
    walk->fragmented = 1;
}

/* Headers to the end; the addresses were looked at, and the first view holds the headers or they are too long. */
static iip_verdict iip_ipv6_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                 struct iip_walk *walk)
{
    struct iip_ipv6_fragment fh;
    iip_verdict verdict;
    rx->l3 = pkt->data;
    rx->looped = (iip_u8)looped;
    walk->at = IIP_IPV6_LEN;
    walk->next_at = IIP_IPV6_NEXT_AT;
    walk->next = iip_ipv6_next(pkt->data);
    walk->count = 0;
    verdict = iip_ipv6_walk(stk, pkt, rx, walk);
    if (verdict == IIP_DONE && walk->next == IIP_PROTO_FRAGMENT) {
        if (walk->whole || iip_ipv6_fragment_parse(&fh, rx->l3 + walk->at, pkt->len - walk->at))
            return IIP_CTR_DROP_IP_EXT;
        if (!iip_ipv6_is_atomic(&fh))
            return iip_ipv6_fragment(stk, pkt, rx, walk, &fh);
        iip_ipv6_pass_fragment(walk, &fh);
        verdict = iip_ipv6_walk(stk, pkt, rx, walk);
    }
    if (verdict != IIP_DONE)
        return verdict;
    if (pkt->next && pkt->len - walk->at < IIP_L4_BYTES)
        return IIP_CTR_DROP_IP_EXT;
    iip_ipv6_advance(pkt, rx, walk);
    if (iip_ip_any(&rx->src) && rx->proto != IIP_PROTO_ICMPV6)
        return IIP_CTR_DROP_IP_SRC;
    return iip_ipv6_deliver(stk, pkt, rx, walk);
}

/* ---- the fixed header ---- */

static void iip_ipv6_fill(struct iip_rx *rx, const struct iip_ipv6 *h)
{
    rx->src = h->src;
    rx->dst = h->dst;
    rx->family = 6;
    rx->tos = h->tos;
    rx->ttl = h->hops;
    rx->multicast = 0;
}

/* No packet comes from us, a group, the loopback or an IPv4 address in disguise; from no address only neighbour discovery does. */
static int iip_ipv6_src_ok(const struct iip_stack *stk, const struct iip_rx *rx, iip_u32 looped)
{
    if (looped)
        return 1;
    if (iip_ip_any(&rx->src))
        return rx->multicast;
    return !iip_ip_is_v4(&rx->src) && iip_addr_is_unicast(stk, &rx->src) && !iip_addr_find(stk, &rx->src);
}

static int iip_ipv6_dst_ok(const struct iip_stack *stk, struct iip_rx *rx, iip_u32 group, iip_u32 looped)
{
    if (iip_ip_is_multicast6(&rx->dst)) {
        rx->multicast = 1;
        return iip_addr_is_joined(stk, &rx->dst);
    }
    if (group || iip_ip_is_v4(&rx->dst) || (!looped && iip_ip_is_loopback(&rx->dst)) ||
        !iip_addr_is_ours(stk, &rx->dst))
        return 0;
    if (!looped)
        stk->net->v6_ours = rx->dst;
    return 1;
}

/* Where the headers have to be moved together, the packet is no longer the one that rx.c knows. */
static iip_verdict iip_ipv6_gather(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                   struct iip_walk *walk)
{
    struct iip_pkt *flat = iip_ipv6_pull(stk, pkt);
    if (!flat)
        return IIP_CTR_DROP_NO_FRAME;
    if (flat == pkt)
        return iip_ipv6_slow(stk, pkt, looped, rx, walk);
    return iip_rx_settle(stk, flat, iip_ipv6_slow(stk, flat, looped, rx, walk));
}

static iip_verdict iip_ipv6_check(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_ipv6 h;
    struct iip_rx rx;
    struct iip_walk walk;
    if (iip_ipv6_parse(&h, pkt->data, pkt->len) || h.payload + IIP_IPV6_LEN > iip_pkt_bytes(pkt))
        return IIP_CTR_DROP_IP_HEADER;
    iip_ipv6_fill(&rx, &h);
    if (!iip_ipv6_dst_ok(stk, &rx, group, looped))
        return IIP_CTR_DROP_IP_DST;
    if (!iip_ipv6_src_ok(stk, &rx, looped))
        return IIP_CTR_DROP_IP_SRC;
    iip_pkt_trim(stk, pkt, h.payload + IIP_IPV6_LEN);
    walk.fragmented = 0;
    walk.whole = 0;
    return iip_ipv6_gather(stk, pkt, looped, &rx, &walk);
}

/* ---- the fast path: TCP or UDP right behind the header, to the address that came in last ---- */

IIP_INLINE int iip_ipv6_addrs_plain(const struct iip_net *net, const iip_u8 *p)
{
    iip_u64 low = iip_raw64(p + 16);
    iip_u64 dst = iip_raw64(p + 24);
    const iip_u64 *special = net->v6_special;
    return dst == iip_raw64(net->v6_ours.b) && dst && iip_raw64(p + 32) == iip_raw64(net->v6_ours.b + 8) &&
        !net->v6_many && iip_raw64(p + 8) && p[8] != 0xff && low != special[0] && low != special[1] &&
        low != special[2] && low != special[3];
}

IIP_INLINE int iip_ipv6_is_simple(const struct iip_stack *stk, const struct iip_pkt *pkt)
{
    const iip_u8 *p = pkt->data;
    if (pkt->len < IIP_IPV6_LEN || pkt->next || !iip_ipv6_is_v6(p) || iip_ipv6_payload(p) + IIP_IPV6_LEN > pkt->len)
        return 0;
    return (iip_ipv6_next(p) == IIP_PROTO_TCP || iip_ipv6_next(p) == IIP_PROTO_UDP) &&
        iip_ipv6_addrs_plain(stk->net, p);
}

IIP_LOCAL iip_verdict iip_ipv6_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_ipv6 h;
    struct iip_rx rx;
    if (IIP_UNLIKELY(group | looped) || IIP_UNLIKELY(!iip_ipv6_is_simple(stk, pkt)))
        return iip_ipv6_check(stk, pkt, group, looped);
    iip_ipv6_read(&h, pkt->data);
    iip_ipv6_fill(&rx, &h);
    rx.l3 = pkt->data;
    rx.l3_len = IIP_IPV6_LEN;
    rx.proto = h.next;
    rx.looped = 0;
    pkt->data += IIP_IPV6_LEN;
    pkt->len = h.payload;
    return rx.proto == IIP_PROTO_TCP ? iip_tcp_input(stk, pkt, &rx) : iip_udp_input(stk, pkt, &rx);
}

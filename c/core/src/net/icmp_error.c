/* icmp_error.c - ICMP errors: those that we send, and those about what we sent. */
#include "net/state.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* ---- out ---- */

static int iip_icmp_is_error_type(iip_u32 family, iip_u32 type)
{
    if (family == 6)
        return type < IIP_ICMPV6_INFO;
    return type == IIP_ICMP_UNREACHABLE || type == 4 || type == 5 || type == IIP_ICMP_TIME_EXCEEDED ||
        type == IIP_ICMP_PARAM_PROBLEM;
}

/* [RFC 1122 3.2.2; RFC 4443 2.4 (e)] Never about an error, a group (but for an unknown option that asks for it), or from who is no host. */
static int iip_icmp_may_complain(const struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                 iip_u32 type, iip_u32 code)
{
    int option = rx->family == 6 && type == IIP_ICMPV6_PARAM_PROBLEM && code == IIP_ICMPV6_CODE_OPTION;
    if (rx->multicast && !option)
        return 0;
    if (!iip_addr_is_unicast(stk, &rx->src))
        return 0;
    if (rx->proto != (rx->family == 4 ? IIP_PROTO_ICMP : IIP_PROTO_ICMPV6))
        return 1;
    return pkt->len && !iip_icmp_is_error_type(rx->family, iip_icmp_type(pkt->data));
}

/* As much of the offender as fits [RFC 1812 4.3.2.3: 576 bytes; RFC 4443 3: the minimum MTU]. */
static iip_u32 iip_icmp_quote(iip_u8 *to, const struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 max = rx->family == 4 ? 576 - IIP_IPV4_LEN - IIP_ICMP_LEN : IIP_IPV6_MTU_MIN - IIP_IPV6_LEN - IIP_ICMP_LEN;
    iip_u32 head = iip_min32(rx->l3_len, max);
    iip_u32 rest = iip_min32(iip_pkt_bytes(pkt), max - head);
    IIP_COPY(to, rx->l3, head);
    iip_pkt_read(pkt, 0, to + head, rest);
    return head + rest;
}

static void iip_icmp_csum(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    iip_u64 sum = iip_csum_bytes(pkt->data, pkt->len);
    if (ip->family == 6)
        sum = iip_csum_add(sum, iip_ip_pseudo(ip->src, ip->dst, 6, IIP_PROTO_ICMPV6, pkt->len));
    iip_icmp_csum_set(pkt->data, sum);
}

static void iip_icmp_emit_error(struct iip_stack *stk, const struct iip_pkt *about, const struct iip_rx *rx,
                                const struct iip_icmp *h)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, IIP_IPV6_MTU_MIN);
    struct iip_ip src = rx->dst;
    struct iip_path path;
    struct iip_tx_ip ip;
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    iip_icmp_emit(pkt->data, h);
    pkt->len = IIP_ICMP_LEN + iip_icmp_quote(pkt->data + IIP_ICMP_LEN, about, rx);
    pkt->total = pkt->len;
    pkt->l4_len = IIP_ICMP_LEN;
    if (!iip_addr_is_ours(stk, &src))
        IIP_ZERO(&src, sizeof(src));
    ip.src = &src;
    ip.dst = &rx->src;
    ip.family = rx->family;
    ip.proto = rx->family == 4 ? IIP_PROTO_ICMP : IIP_PROTO_ICMPV6;
    ip.ttl = (iip_u8)stk->tune.ip_ttl;
    ip.tos = 0;
    ip.df = 0;
    if (iip_path_find(stk, &src, &rx->src, &path)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    iip_icmp_csum(pkt, &ip);
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_ip_output(stk, pkt, &ip, &path);
    iip_path_drop(stk, &path);
}

IIP_LOCAL void iip_icmp_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                    iip_u32 type, iip_u32 code, iip_u32 value)
{
    struct iip_icmp h;
    if (!iip_icmp_may_complain(stk, pkt, rx, type, code))
        return;
    if (iip_tx_full(stk) || !iip_bucket_take(&stk->net->icmp_bucket, stk->now, stk->tune.icmp_rate)) {
        iip_count(stk, IIP_CTR_ICMP_LIMITED);
        return;
    }
    h.type = (iip_u8)type;
    h.code = (iip_u8)code;
    h.value = value;
    iip_icmp_emit_error(stk, pkt, rx, &h);
}

/* ---- in ---- */

/* What the quote says that we sent. `p`, `len`: from its IP header on. */
struct iip_icmp_quote {
    iip_u32 proto;
    iip_u32 total;           /* bytes of the datagram */
    const iip_u8 *l4;
    iip_u32 l4_len;          /* bytes of it that are quoted */
};

static int iip_icmp_quote4(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    struct iip_ipv4 h;
    if (iip_ipv4_parse(&h, p, len) || h.frag_offset)
        return -1;
    iip_ip_of_v4(&err->src, h.src);
    iip_ip_of_v4(&err->dst, h.dst);
    q->proto = h.proto;
    q->total = h.total;
    q->l4 = p + h.hdr_len;
    q->l4_len = len - h.hdr_len;
    return 0;
}

/* We send no extension headers but that of fragments. */
static int iip_icmp_quote6(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    struct iip_ipv6 h;
    struct iip_ipv6_fragment f;
    if (iip_ipv6_parse(&h, p, len))
        return -1;
    err->src = h.src;
    err->dst = h.dst;
    q->proto = h.next;
    q->total = h.payload + IIP_IPV6_LEN;
    q->l4 = p + IIP_IPV6_LEN;
    q->l4_len = len - IIP_IPV6_LEN;
    if (q->proto != IIP_PROTO_FRAGMENT)
        return 0;
    if (iip_ipv6_fragment_parse(&f, q->l4, q->l4_len) || f.offset)
        return -1;
    q->proto = f.next;
    q->l4 += IIP_IPV6_FRAGMENT_LEN;
    q->l4_len -= IIP_IPV6_FRAGMENT_LEN;
    return 0;
}

/* Reads the quote into err; -1: malformed, or not of TCP or UDP. */
static int iip_icmp_quote_read(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    if (err->family == 4 ? iip_icmp_quote4(err, q, p, len) : iip_icmp_quote6(err, q, p, len))
        return -1;
    if ((q->proto != IIP_PROTO_TCP && q->proto != IIP_PROTO_UDP) || q->l4_len < 4)
        return -1;
    iip_ports_read(q->l4, &err->src_port, &err->dst_port);
    err->has_seq = q->proto == IIP_PROTO_TCP && q->l4_len >= 8;
    err->seq = err->has_seq ? iip_tcp_quoted_seq(q->l4) : 0;
    return 0;
}

/* [RFC 1191 5] A router from before path MTU discovery says 0: the next lower MTU that links have. */
static iip_u32 iip_icmp_plateau(iip_u32 total)
{
    static const iip_u16 plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};
    iip_u32 i;
    for (i = 0; i < IIP_COUNT(plateau); i++) {
        if (plateau[i] < total)
            return plateau[i];
    }
    return IIP_PMTU_MIN4;
}

/* What an error means for a transport [RFC 1122 4.2.3.9; RFC 5461]; -1: nothing. */
static int iip_icmp_meaning4(struct iip_icmp_error *err, iip_u32 value, iip_u32 total)
{
    err->status = IIP_E_UNREACHABLE;
    if (err->type == IIP_ICMP_TIME_EXCEEDED)
        err->status = IIP_E_TIMEOUT;
    if (err->type != IIP_ICMP_UNREACHABLE)
        return 0;
    if (err->code < 16 && (IIP_ICMP_CODES_NET >> err->code & 1))
        err->status = IIP_E_NET_UNREACHABLE;
    if (err->code == IIP_ICMP_CODE_PORT)
        err->status = IIP_E_REFUSED;
    err->hard = err->code == IIP_ICMP_CODE_PORT || err->code == IIP_ICMP_CODE_PROTOCOL;
    if (err->code == IIP_ICMP_CODE_FRAG_NEEDED) {
        value &= 0xffff;
        err->status = IIP_E_MSGSIZE;
        err->mtu = iip_max32(value ? value : iip_icmp_plateau(total), IIP_PMTU_MIN4);
    }
    return 0;
}

static int iip_icmp_meaning6(struct iip_icmp_error *err, iip_u32 value)
{
    err->status = IIP_E_UNREACHABLE;
    switch (err->type) {
    case IIP_ICMPV6_UNREACHABLE:
        if (err->code == IIP_ICMPV6_CODE_NO_ROUTE)
            err->status = IIP_E_NET_UNREACHABLE;
        err->hard = err->code == IIP_ICMPV6_CODE_PORT;
        if (err->hard)
            err->status = IIP_E_REFUSED;
        return 0;
    case IIP_ICMPV6_TOO_BIG:
        err->status = IIP_E_MSGSIZE;
        err->mtu = value;
        return value < IIP_IPV6_MTU_MIN ? -1 : 0; /* [RFC 8201 4] */
    case IIP_ICMPV6_TIME_EXCEEDED:
        err->status = IIP_E_TIMEOUT;
        return 0;
    default: /* parameter problem: an unknown next header means that nobody speaks the protocol there [RFC 5461] */
        err->hard = err->code == IIP_ICMPV6_CODE_NEXT;
        return 0;
    }
}

/* The transport says if it fits. */
static int iip_icmp_error_tell(struct iip_stack *stk, const struct iip_icmp_error *err, iip_u32 proto)
{
    return proto == IIP_PROTO_TCP ? iip_tcp_icmp_error(stk, err) : iip_udp_icmp_error(stk, err);
}

/* A path MTU is believed when the transport found that the error fits [RFC 5927 4], here or in the stack that tells us. */
static iip_verdict iip_icmp_error_believe(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                          const struct iip_icmp_error *err)
{
    if (err->status == IIP_E_MSGSIZE && iip_pmtu_learn(stk, &err->dst, err->mtu))
        iip_tell_others(stk, pkt, rx->l3, &err->dst);
    return IIP_DONE;
}

static void iip_icmp_error_init(struct iip_icmp_error *err, iip_u32 family, const struct iip_icmp *h)
{
    IIP_ZERO(err, sizeof(*err));
    err->family = (iip_u8)family;
    err->type = h->type;
    err->code = h->code;
}

IIP_LOCAL iip_verdict iip_icmp_error_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_icmp_error err;
    struct iip_icmp_quote q;
    struct iip_icmp h;
    iip_u32 owner;
    iip_icmp_read(&h, pkt->data);
    iip_icmp_error_init(&err, rx->family, &h);
    if (iip_icmp_quote_read(&err, &q, pkt->data + IIP_ICMP_LEN, pkt->len - IIP_ICMP_LEN))
        return IIP_CTR_DROP_ICMP;
    if (rx->family == 4 ? iip_icmp_meaning4(&err, h.value, q.total) : iip_icmp_meaning6(&err, h.value))
        return IIP_CTR_DROP_ICMP;
    if (!iip_addr_is_ours(stk, &err.src))
        return IIP_CTR_DROP_ICMP;
    if (iip_rx_is_told(pkt))
        return iip_icmp_error_believe(stk, pkt, rx, &err);
    owner = iip_share_owner(stk, &err.src, &err.dst, err.src_port, err.dst_port);
    if (owner != stk->share.self && !rx->looped) /* the NIC goes by the outer addresses */
        return iip_rx_hand_over(stk, pkt, rx, owner);
    if (!iip_icmp_error_tell(stk, &err, q.proto))
        return IIP_CTR_DROP_ICMP;
    return iip_icmp_error_believe(stk, pkt, rx, &err);
}

IIP_LOCAL void iip_icmp_tell_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt)
{
    struct iip_icmp_error err;
    struct iip_icmp_quote q;
    struct iip_icmp h;
    iip_u32 family = iip_ipv6_is_v6(pkt->data) ? 6 : 4;
    iip_u8 head[IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN + 20];
    iip_u32 len = iip_min32(iip_pkt_bytes(pkt), sizeof(head)); /* the transport's header may lie in a view of its own */
    h.type = family == 4 ? (iip_u8)IIP_ICMP_UNREACHABLE : (iip_u8)IIP_ICMPV6_UNREACHABLE;
    h.code = family == 4 ? 1 : 3; /* host, address */
    h.value = 0;
    iip_icmp_error_init(&err, family, &h);
    iip_pkt_read(pkt, 0, head, len);
    if (iip_icmp_quote_read(&err, &q, head, len))
        return;
    err.status = IIP_E_UNREACHABLE;
    iip_icmp_error_tell(stk, &err, q.proto);
}

/* ndp.c - neighbour solicitation and advertisement in and out [RFC 4861 7]. */
#include "net/state.h"

/* ---- out ---- */

static void iip_mac_of_group6(iip_u8 *mac, const struct iip_ip *ip)
{
    mac[0] = 0x33;
    mac[1] = 0x33;
    IIP_COPY(mac + 2, ip->b + 12, 4);
}

static void iip_ndp_header(struct iip_pkt *pkt, const struct iip_ip *src, const struct iip_ip *dst)
{
    struct iip_ipv6 h;
    h.src = *src;
    h.dst = *dst;
    h.payload = pkt->len;
    h.flow = 0;
    h.tos = 0;
    h.next = IIP_PROTO_ICMPV6;
    h.hops = IIP_NDP_HOPS;
    pkt->data -= IIP_IPV6_LEN;
    pkt->len += IIP_IPV6_LEN;
    iip_ipv6_emit(pkt->data, &h);
}

/* mac null: dst is a group. */
static void iip_ndp_send(struct iip_stack *stk, const struct iip_ndp *ndp, const struct iip_ip *src,
                         const struct iip_ip *dst, const iip_u8 *mac)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_NDP_LEN + IIP_NDP_LLA_LEN);
    iip_u8 group[6];
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    pkt->len = iip_ndp_emit(pkt->data, ndp);
    iip_icmp_csum_set(pkt->data,
                      iip_csum_add(iip_ip_pseudo(src, dst, 6, IIP_PROTO_ICMPV6, pkt->len),
                                   iip_csum_bytes(pkt->data, pkt->len)));
    iip_ndp_header(pkt, src, dst);
    pkt->total = pkt->len;
    pkt->flags = IIP_PKT_IPV6;
    pkt->l3_len = IIP_IPV6_LEN;
    pkt->l4_len = IIP_ICMP_LEN;
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_mac_of_group6(group, dst);
    iip_eth_output(stk, pkt, mac ? mac : group, IIP_ETH_IPV6);
}

static void iip_ndp_init(const struct iip_stack *stk, struct iip_ndp *ndp, iip_u32 type, const struct iip_ip *target)
{
    ndp->type = (iip_u8)type;
    ndp->router = 0;
    ndp->solicited = 0;
    ndp->force = 0;
    ndp->has_mac = 1;
    IIP_COPY(ndp->mac, stk->mac, 6);
    ndp->target = *target;
}

IIP_LOCAL void iip_ndp_solicit(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac)
{
    const struct iip_addr *addr = iip_addr_select(stk, target, target);
    struct iip_ndp ndp;
    struct iip_ip group;
    if (!addr)
        return;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NS, target);
    iip_ip_solicited_node(&group, target);
    iip_ndp_send(stk, &ndp, &addr->own.ip, mac ? target : &group, mac);
}

IIP_LOCAL void iip_ndp_announce(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_ndp ndp;
    struct iip_ip all;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NA, ip);
    ndp.force = 1;
    iip_ip_all_nodes(&all);
    iip_ndp_send(stk, &ndp, ip, &all, 0);
}

/* [RFC 4862 5.4.2] From no address, and so without one of a station. */
IIP_LOCAL void iip_ndp_probe(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_ndp ndp;
    struct iip_ip group;
    struct iip_ip any;
    IIP_ZERO(&any, sizeof(any));
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NS, ip);
    ndp.has_mac = 0;
    iip_ip_solicited_node(&group, ip);
    iip_ndp_send(stk, &ndp, &any, &group, 0);
}

/* [RFC 4861 7.2.4] */
static void iip_ndp_advertise(struct iip_stack *stk, const struct iip_ndp *ns, const struct iip_ip *to)
{
    struct iip_path path;
    struct iip_ndp ndp;
    struct iip_ip src = ns->target;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NA, &ns->target);
    ndp.force = 1;
    if (iip_ip_any(to)) {
        iip_ndp_announce(stk, &ns->target);
        return;
    }
    ndp.solicited = 1;
    if (ns->has_mac && !iip_eth_is_group(ns->mac)) {
        iip_ndp_send(stk, &ndp, &src, to, ns->mac);
        return;
    }
    if (iip_path_find(stk, &src, to, &path)) /* it did not say who it is: only to one that is known already */
        return;
    if (path.neigh && path.neigh->state != IIP_NEIGH_INCOMPLETE && path.neigh->state != IIP_NEIGH_FAILED)
        iip_ndp_send(stk, &ndp, &src, to, path.neigh->head);
    iip_path_drop(stk, &path);
}

/* ---- in ---- */

/* [RFC 4861 7.1.1] From no address: only to the group, and without the option. */
static int iip_ndp_ns_valid(const struct iip_ndp *ns, const struct iip_rx *rx)
{
    struct iip_ip group;
    if (!iip_ip_any(&rx->src))
        return 1;
    iip_ip_solicited_node(&group, &ns->target);
    return !ns->has_mac && iip_ip_same(&rx->dst, &group);
}

static iip_verdict iip_ndp_ns_input(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_ndp *ns,
                                    const struct iip_rx *rx)
{
    struct iip_addr *addr = iip_addr_find(stk, &ns->target);
    if (!iip_ndp_ns_valid(ns, rx) || !addr || iip_neigh_is_echo(stk, pkt, rx->l3))
        return IIP_CTR_DROP_NDP;
    if (addr->state == IIP_ADDR_TENTATIVE) { /* [RFC 4862 5.4.3] another one probes for it: neither of us gets it */
        if (iip_ip_any(&rx->src))
            iip_dad_conflict(stk, addr, pkt, rx->l3);
        return IIP_DONE;
    }
    if (addr->state != IIP_ADDR_OURS)
        return IIP_CTR_DROP_NDP;
    if (ns->has_mac && iip_neigh_heard_ns(stk, &rx->src, ns->mac))
        iip_tell_others(stk, pkt, rx->l3, &rx->src);
    if (!iip_rx_is_told(pkt))
        iip_ndp_advertise(stk, ns, &rx->src);
    return IIP_DONE;
}

static iip_verdict iip_ndp_na_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ndp *na,
                                    const struct iip_rx *rx)
{
    struct iip_addr *addr = iip_addr_find(stk, &na->target);
    int useful;
    if (na->solicited && iip_ip_is_multicast6(&rx->dst)) /* [RFC 4861 7.1.2] */
        return IIP_CTR_DROP_NDP;
    if (addr) {
        if (!iip_neigh_is_echo(stk, pkt, rx->l3))
            iip_dad_conflict(stk, addr, pkt, rx->l3);
        return IIP_DONE;
    }
    useful = iip_neigh_heard_na(stk, na);
    if (useful || na->solicited) /* another stack may have asked */
        iip_tell_others(stk, pkt, rx->l3, &na->target);
    return useful ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_NDP;
}

/* What a host without autoconfiguration does not act on is still read for its form [RFC 4861 6.1, 8.1]. */
static iip_verdict iip_ndp_ignore(const struct iip_pkt *pkt, iip_u32 type)
{
    iip_u32 fixed = type == IIP_ICMPV6_RA ? 16 : (type == IIP_ICMPV6_REDIRECT ? 40 : 8);
    return iip_ndp_options_check(pkt->data, pkt->len, fixed) ? (iip_verdict)IIP_CTR_DROP_NDP
                                                             : (iip_verdict)IIP_CTR_DROP_ICMP;
}

IIP_LOCAL iip_verdict iip_ndp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx, int fragmented)
{
    iip_u32 type = iip_icmp_type(pkt->data);
    struct iip_ndp ndp;
    if (!stk->l2_len || rx->ttl != IIP_NDP_HOPS || fragmented || pkt->next) /* [RFC 6980 5] */
        return IIP_CTR_DROP_NDP;
    if (type != IIP_ICMPV6_NS && type != IIP_ICMPV6_NA)
        return iip_ndp_ignore(pkt, type);
    if (iip_ndp_parse(&ndp, pkt->data, pkt->len))
        return IIP_CTR_DROP_NDP;
    if (type == IIP_ICMPV6_NS)
        return iip_ndp_ns_input(stk, pkt, &ndp, rx);
    return iip_ndp_na_input(stk, pkt, &ndp, rx);
}

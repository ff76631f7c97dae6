/* output.c - the IP header, in place, and the way out. */
#include "net/state.h"
#include "wire/udp.h"

/* Identification of datagrams that may be fragmented: counters, one per hash of what must not repeat [RFC 6864, RFC 7739 5.3]. */
IIP_LOCAL iip_u32 iip_ip_next_id(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                                 iip_u32 proto)
{
    iip_u32 w[10];
    IIP_COPY(w, src->b, 16);
    IIP_COPY(w + 4, dst->b, 16);
    w[8] = proto;
    w[9] = 0;
    return ++stk->net->id[iip_hash_words(&stk->hash_key, w, 10) % IIP_ID_SLOTS];
}

IIP_LOCAL void iip_ip_csum_finish(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    iip_u32 at = ip->proto == IIP_PROTO_TCP ? IIP_TCP_CSUM_AT : IIP_UDP_CSUM_AT;
    iip_u32 csum;
    if (!(pkt->flags & IIP_PKT_L4_CSUM))
        return;
    csum = ~iip_csum_fold(iip_pkt_csum(pkt, 0, iip_pkt_bytes(pkt))) & 0xffff; /* the field holds the pseudo-header's sum */
    iip_csum_store(pkt->data + at, csum || ip->proto == IIP_PROTO_TCP ? csum : 0xffff);
    pkt->flags &= (iip_u16)~IIP_PKT_L4_CSUM;
}

/* [RFC 1112 6.4, RFC 2464 7] */
static void iip_ip_group_mac(iip_u8 *mac, const struct iip_ip *dst)
{
    static const iip_u8 head4[3] = {1, 0, 0x5e};
    if (!iip_ip_is_v4(dst)) {
        mac[0] = 0x33;
        mac[1] = 0x33;
        IIP_COPY(mac + 2, dst->b + 12, 4);
    } else if (dst->b[12] >> 4 == 14) {
        IIP_COPY(mac, head4, 3);
        mac[3] = dst->b[13] & 0x7f;
        mac[4] = dst->b[14];
        mac[5] = dst->b[15];
    } else {
        mac[0] = mac[1] = mac[2] = mac[3] = mac[4] = mac[5] = 0xff;
    }
}

IIP_LOCAL void iip_ip_send(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_path *path,
                           const struct iip_ip *dst)
{
    iip_u8 mac[6];
    pkt->l2_len = 0;
    if (path->loop) {
        iip_tx_loop(stk, pkt);
    } else if (path->neigh) {
        iip_neigh_output(stk, path->neigh, pkt);
    } else if (!stk->l2_len) {
        iip_tx(stk, pkt);
    } else {
        iip_ip_group_mac(mac, dst);
        iip_eth_output(stk, pkt, mac, iip_ip_is_v4(dst) ? IIP_ETH_IPV4 : IIP_ETH_IPV6);
    }
}

/* ---- the headers ---- */

IIP_INLINE void iip_ip_put_v4(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ipv4 h;
    h.src = iip_ip_to_v4(ip->src);
    h.dst = iip_ip_to_v4(ip->dst);
    h.total = pkt->total + IIP_IPV4_LEN;
    h.id = IIP_LIKELY(ip->df) ? 0 : iip_ip_next_id(stk, ip->src, ip->dst, ip->proto) & 0xffff;
    h.frag_offset = 0;
    h.df = ip->df;
    h.mf = 0;
    h.tos = ip->tos;
    h.ttl = ip->ttl;
    h.proto = ip->proto;
    pkt->data -= IIP_IPV4_LEN;
    pkt->len += IIP_IPV4_LEN;
    pkt->total = h.total;
    pkt->l3_len = IIP_IPV4_LEN;
    pkt->flags |= IIP_PKT_IPV4;
    iip_ipv4_emit(pkt->data, &h);
    if (IIP_LIKELY((stk->caps & IIP_CAP_TX_IP_CSUM) || (pkt->flags & IIP_PKT_TSO)))
        pkt->flags |= IIP_PKT_IP_CSUM;
    else
        iip_ipv4_csum_set(pkt->data, IIP_IPV4_LEN);
}

IIP_INLINE void iip_ip_put_v6(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ipv6 h;
    h.src = *ip->src;
    h.dst = *ip->dst;
    h.payload = pkt->total;
    h.flow = 0;
    h.tos = ip->tos;
    h.next = ip->proto;
    h.hops = ip->ttl;
    pkt->data -= IIP_IPV6_LEN;
    pkt->len += IIP_IPV6_LEN;
    pkt->total += IIP_IPV6_LEN;
    pkt->l3_len = IIP_IPV6_LEN;
    pkt->flags |= IIP_PKT_IPV6;
    iip_ipv6_emit(pkt->data, &h);
}

/* ---- output ---- */

IIP_INLINE int iip_ip_is_large(const struct iip_pkt *pkt, const struct iip_tx_ip *ip, const struct iip_path *path)
{
    iip_u32 header = ip->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN;
    return pkt->total + header > path->mtu && !(pkt->flags & IIP_PKT_TSO);
}

static void iip_ip_output_slow(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path)
{
    int status = iip_path_renew(stk, ip->src, ip->dst, path);
    int large = !status && iip_ip_is_large(pkt, ip, path);
    if (large && !(ip->family == 4 && ip->df)) {
        iip_ip_fragment(stk, pkt, ip, path);
        return;
    }
    /* with DF it may go as far as it gets, to be told the path's MTU; but the link's is a fact */
    if (status || (large && pkt->total + IIP_IPV4_LEN > stk->tune.mtu)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    if (ip->family == 4)
        iip_ip_put_v4(stk, pkt, ip);
    else
        iip_ip_put_v6(pkt, ip);
    iip_ip_send(stk, pkt, path, ip->dst);
}

/* What one station on the link gets that is known, in one piece: nothing but headers. */
IIP_LOCAL void iip_ip_output(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                             struct iip_path *path)
{
    const struct iip_neigh *neigh = path->neigh;
    if (IIP_UNLIKELY(!neigh || path->gen != stk->net->gen || stk->now >= neigh->fresh_until) ||
        IIP_UNLIKELY(iip_ip_is_large(pkt, ip, path))) {
        iip_ip_output_slow(stk, pkt, ip, path);
        return;
    }
    if (IIP_LIKELY(ip->family == 4))
        iip_ip_put_v4(stk, pkt, ip);
    else
        iip_ip_put_v6(pkt, ip);
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    pkt->total += IIP_ETH_LEN;
    pkt->l2_len = IIP_ETH_LEN;
    IIP_COPY(pkt->data, neigh->head, IIP_ETH_LEN);
    iip_tx(stk, pkt);
}

IIP_LOCAL int iip_ip_output_once(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ip src = *ip->src;
    struct iip_tx_ip own = *ip;
    struct iip_path path;
    int status = iip_path_find(stk, &src, ip->dst, &path);
    if (status) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return status;
    }
    own.src = &src;
    iip_ip_output(stk, pkt, &own, &path);
    iip_path_drop(stk, &path);
    return IIP_OK;
}

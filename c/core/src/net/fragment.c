/* fragment.c - datagrams that are larger than the path's MTU [RFC 791 3.2, RFC 8200 4.5]. */
#include "net/state.h"

/* A cursor in a chain of views. */
struct iip_cut {
    const struct iip_pkt *view;
    iip_u32 at;
};

/* Appends views of the next `len` bytes to `head`. 0, or -1 without memory for views. */
static int iip_fragment_take(struct iip_stack *stk, struct iip_pkt *head, struct iip_cut *cut, iip_u32 len)
{
    struct iip_pkt *last = head;
    iip_u32 part;
    while (len) {
        if (cut->at == cut->view->len) {
            cut->view = cut->view->next;
            cut->at = 0;
            continue;
        }
        part = iip_min32(len, cut->view->len - cut->at);
        last->next = iip_pkt_view(stk, cut->view, cut->view->data + cut->at, part);
        if (!last->next)
            return -1;
        last = last->next;
        cut->at += part;
        len -= part;
    }
    return 0;
}

static void iip_fragment_put_v4(struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 id, iip_u32 offset,
                                iip_u32 len, int more)
{
    struct iip_ipv4 h;
    h.src = iip_ip_to_v4(ip->src);
    h.dst = iip_ip_to_v4(ip->dst);
    h.total = len + IIP_IPV4_LEN;
    h.id = id & 0xffff;
    h.frag_offset = offset;
    h.df = 0;
    h.mf = (iip_u8)more;
    h.tos = ip->tos;
    h.ttl = ip->ttl;
    h.proto = ip->proto;
    iip_ipv4_emit(pkt->data, &h);
    iip_ipv4_csum_set(pkt->data, IIP_IPV4_LEN);
    pkt->flags = IIP_PKT_IPV4;
    pkt->l3_len = IIP_IPV4_LEN;
}

static void iip_fragment_put_v6(struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 id, iip_u32 offset,
                                iip_u32 len, int more)
{
    struct iip_ipv6 h;
    struct iip_ipv6_fragment f;
    h.src = *ip->src;
    h.dst = *ip->dst;
    h.payload = len + IIP_IPV6_FRAGMENT_LEN;
    h.flow = 0;
    h.tos = ip->tos;
    h.next = IIP_PROTO_FRAGMENT;
    h.hops = ip->ttl;
    iip_ipv6_emit(pkt->data, &h);
    f.next = ip->proto;
    f.more = (iip_u8)more;
    f.offset = offset;
    f.id = id;
    iip_ipv6_fragment_emit(pkt->data + IIP_IPV6_LEN, &f);
    pkt->flags = IIP_PKT_IPV6;
    pkt->l3_len = IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
}

/* One fragment: a header of its own and views of the payload. */
static struct iip_pkt *iip_fragment_make(struct iip_stack *stk, const struct iip_tx_ip *ip, struct iip_cut *cut,
                                         iip_u32 id, iip_u32 offset, iip_u32 len, int more)
{
    iip_u32 header = ip->family == 4 ? IIP_IPV4_LEN : IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
    struct iip_pkt *pkt = iip_pkt_alloc(stk, header);
    if (!pkt)
        return 0;
    if (ip->family == 4)
        iip_fragment_put_v4(pkt, ip, id, offset, len, more);
    else
        iip_fragment_put_v6(pkt, ip, id, offset, len, more);
    pkt->len = header;
    pkt->total = header + len;
    pkt->l4_len = 0;
    if (!iip_fragment_take(stk, pkt, cut, len))
        return pkt;
    iip_pkt_free(stk, pkt);
    return 0;
}

/* All fragments, before the first one leaves: a part of a datagram is of no use to anyone. */
static int iip_fragment_all(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 room,
                            struct iip_pktq *out)
{
    iip_u32 total = iip_pkt_bytes(pkt);
    iip_u32 id = iip_ip_next_id(stk, ip->src, ip->dst, ip->proto);
    struct iip_pkt *piece;
    struct iip_cut cut;
    iip_u32 offset;
    iip_u32 len;
    cut.view = pkt;
    cut.at = 0;
    for (offset = 0; offset < total; offset += len) {
        len = iip_min32(total - offset, room);
        piece = iip_fragment_make(stk, ip, &cut, id, offset, len, offset + len < total);
        if (!piece)
            return -1;
        iip_pktq_put(out, piece);
    }
    return 0;
}

IIP_LOCAL void iip_ip_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path)
{
    iip_u32 header = ip->family == 4 ? IIP_IPV4_LEN : IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
    iip_u32 room = (path->mtu - header) & ~(iip_u32)7;
    struct iip_pktq out;
    struct iip_pkt *piece;
    out.head = 0;
    out.tail = 0;
    out.count = 0;
    iip_ip_csum_finish(pkt, ip);
    if (iip_fragment_all(stk, pkt, ip, room, &out)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pktq_free(stk, &out);
    }
    iip_pkt_free(stk, pkt);
    while ((piece = iip_pktq_get(&out)) != 0) {
        iip_count(stk, IIP_CTR_FRAGMENTS_SENT);
        iip_ip_send(stk, piece, path, ip->dst);
    }
}

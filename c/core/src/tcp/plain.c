/*
 * plain.c - the way out of what nearly all segments are: IPv4, no option but timestamps, a neighbour that is known and
 * a path that did not change. All headers are written in one piece; the rest goes by iip_ip_output.
 */
#include "net/state.h"
#include "tcp/tcp.h"
#include "wire/plain.h"

/* The link header for this path (null at L3), and 1 while it holds. */
IIP_INLINE int iip_tcp_path_plain(const struct iip_stack *stk, const struct iip_path *path, const iip_u8 **head)
{
    const struct iip_neigh *neigh = path->neigh;
    if (path->gen != stk->net->gen || path->loop)
        return 0;
    *head = 0;
    if (!neigh)
        return !stk->l2_len;
    *head = neigh->head;
    return stk->now < neigh->fresh_until;
}

static void iip_tcp_plain_sums(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_plain_out *out)
{
    iip_u8 *ip = pkt->data;
    iip_u8 *field = ip + IIP_PLAIN_IP + 16;
    iip_u32 l4_bytes = out->total - IIP_PLAIN_IP;
    iip_u64 sum = iip_plain_pseudo(out->local4, out->remote4, l4_bytes);
    if (IIP_LIKELY((stk->caps & IIP_CAP_TX_IP_CSUM) || (pkt->flags & IIP_PKT_TSO)))
        pkt->flags |= IIP_PKT_IP_CSUM;
    else
        iip_plain_ip_csum(ip);
    if (IIP_LIKELY(stk->caps & IIP_CAP_TX_TCP_CSUM)) {
        pkt->flags |= IIP_PKT_L4_CSUM;
        iip_csum_store(field, iip_csum_fold(sum));
        return;
    }
    sum = iip_csum_add(sum, pkt->next ? iip_pkt_csum(pkt, IIP_PLAIN_IP, l4_bytes) : iip_csum_bytes(ip + IIP_PLAIN_IP, l4_bytes));
    iip_csum_store(field, ~iip_csum_fold(sum));
}

IIP_LOCAL int iip_tcp_plain_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq, iip_u32 len, iip_u32 flags)
{
    struct iip_plain_out out;
    const iip_u8 *head;
    iip_u32 ts = conn->id.options & IIP_HAS_TS;
    if (conn->id.family != 4 || !iip_tcp_path_plain(stk, &conn->path, &head))
        return 0;
    out.hdr_len = ts ? IIP_TCP_HEADER + IIP_TCP_TS_LEN : IIP_TCP_HEADER;
    out.total = IIP_PLAIN_IP + out.hdr_len + len;
    if (IIP_UNLIKELY(out.total > conn->path.mtu && len <= conn->mss))
        return 0;
    out.local4 = conn->id.local4;
    out.remote4 = conn->id.remote4;
    out.ports = conn->id.node.word;
    out.seq = seq;
    out.ack = conn->rcv.nxt;
    out.flags_wnd = flags << 16 | iip_tcp_window_field(conn);
    out.ts_val = iip_tcp_ts_now(stk, conn->ts_off);
    out.ts_ecr = conn->ts_recent;
    out.tos = conn->tos;
    out.ttl = conn->ttl;
    pkt->data -= IIP_PLAIN_IP + out.hdr_len;
    iip_plain_emit(pkt->data, &out);
    pkt->flags = IIP_PKT_TCP | IIP_PKT_IPV4;
    if (IIP_UNLIKELY(len > conn->mss)) {
        pkt->flags |= IIP_PKT_TSO;
        pkt->seg_size = conn->mss;
    }
    pkt->l3_len = IIP_PLAIN_IP;
    pkt->l4_len = (iip_u8)out.hdr_len;
    pkt->len += IIP_PLAIN_IP + out.hdr_len;
    pkt->total = out.total;
    iip_tcp_plain_sums(stk, pkt, &out);
    pkt->l2_len = (iip_u8)stk->l2_len;
    if (IIP_LIKELY(head != 0)) {
        pkt->data -= IIP_ETH_LEN;
        pkt->len += IIP_ETH_LEN;
        pkt->total += IIP_ETH_LEN;
        IIP_COPY(pkt->data, head, IIP_ETH_LEN);
    }
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
    iip_tx(stk, pkt);
    return 1;
}

/*
 * plain.c - the way out of what nearly all segments are: IPv4, no option but timestamps, a neighbour that is known and
 * a path that did not change. All headers are written in one piece; the rest goes by iip_ip_output.
 */
#include "net/state.h"
#include "tcp/tcp.h"
#include "tcp/window.h"
#include "wire/plain.h"

enum { IIP_PLAIN_HEADERS = IIP_ETH_LEN + IIP_PLAIN_IP + IIP_TCP_HEADER + IIP_TCP_TS_LEN };

/* What all plain segments of one call have in common. */
struct iip_plain_way {
    const iip_u8 *head; /* the link header; null at L3 */
    iip_u32 wnd;        /* the field */
    iip_u32 l2_len;
    iip_u32 tcp_len;    /* of the TCP header */
};

/* 1 while an IPv4 path is plain, and what it needs. */
IIP_MERGED int iip_tcp_plain_link(const struct iip_stack *stk, const struct iip_path *path, struct iip_plain_way *way)
{
    const struct iip_neigh *neigh = path->neigh;
    if (path->gen != stk->net->gen || path->loop)
        return 0;
    way->l2_len = stk->l2_len;
    way->head = 0;
    if (IIP_UNLIKELY(!neigh))
        return !stk->l2_len;
    if (stk->now >= neigh->fresh_until)
        return 0;
    way->head = neigh->head;
    return 1;
}

/* The same of a connection's path. */
IIP_INLINE int iip_tcp_plain_path(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                  struct iip_plain_way *way)
{
    if (conn->id.family != 4 || !iip_tcp_plain_link(stk, &conn->path, way))
        return 0;
    way->tcp_len = conn->id.options & IIP_HAS_TS ? IIP_TCP_HEADER + IIP_TCP_TS_LEN : IIP_TCP_HEADER;
    return 1;
}

IIP_INLINE iip_u32 iip_tcp_plain_headers(const struct iip_plain_way *way)
{
    return way->l2_len + IIP_PLAIN_IP + way->tcp_len;
}

/* TCP's own sum, made here, whatever stands in its field. */
IIP_INLINE void iip_tcp_plain_l4_sum(struct iip_pkt *pkt, iip_u8 *tcp, iip_u64 pseudo, iip_u32 l4_bytes)
{
    iip_u64 sum = pseudo;
    iip_csum_store(tcp + 16, 0);
    sum = iip_csum_add(sum,
                       pkt->next ? iip_pkt_csum(pkt, (iip_u32)(tcp - pkt->data), l4_bytes)
                                 : iip_csum_bytes(tcp, l4_bytes));
    iip_csum_store(tcp + 16, ~iip_csum_fold(sum));
}

/* The sums, or their marks where the port makes them; `ip`: where the IP header is. */
IIP_MERGED void iip_tcp_plain_sums(struct iip_stack *stk, struct iip_pkt *pkt, iip_u8 *ip, iip_u64 pseudo,
                                   iip_u32 l4_bytes, iip_u32 marks)
{
    iip_u8 *tcp = ip + IIP_PLAIN_IP;
    if (IIP_LIKELY((stk->caps & IIP_CAP_TX_IP_CSUM) || (marks & IIP_PKT_TSO)))
        marks |= IIP_PKT_IP_CSUM;
    else
        iip_plain_ip_csum(ip);
    if (IIP_LIKELY(stk->caps & IIP_CAP_TX_TCP_CSUM)) {
        pkt->flags = (iip_u16)(marks | IIP_PKT_L4_CSUM);
        iip_csum_store(tcp + 16, iip_csum_fold(pseudo));
        return;
    }
    pkt->flags = (iip_u16)marks;
    iip_tcp_plain_l4_sum(pkt, tcp, pseudo, l4_bytes);
}

IIP_INLINE void iip_tcp_plain_lens(struct iip_pkt *pkt, const struct iip_plain_way *way)
{
    pkt->l2_len = (iip_u8)way->l2_len;
    pkt->l3_len = IIP_PLAIN_IP;
    pkt->l4_len = (iip_u8)way->tcp_len;
}

/* All headers of a packet that begins with room for them; `len` bytes of payload follow. `marks`: IIP_PKT_TSO or 0. */
IIP_MERGED void iip_tcp_plain_emit(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                   const struct iip_plain_way *way, iip_u32 seq, iip_u32 len, iip_u32 flags,
                                   iip_u32 marks)
{
    iip_u32 l4_bytes = way->tcp_len + len;
    iip_u8 *p = pkt->data;
    iip_tcp_plain_lens(pkt, way);
    if (IIP_LIKELY(way->head != 0))
        IIP_COPY(p, way->head, IIP_ETH_LEN);
    p += way->l2_len;
    iip_plain_emit_ip(p, conn->id.local4, conn->id.remote4, IIP_PLAIN_IP + l4_bytes, conn->tos, conn->ttl);
    iip_plain_emit_tcp(p + IIP_PLAIN_IP, conn->id.node.word, seq, conn->rcv.nxt,
                       way->tcp_len << 26 | flags << 16 | way->wnd);
    if (IIP_LIKELY(way->tcp_len != IIP_TCP_HEADER))
        iip_tcp_emit_ts(p + IIP_PLAIN_IP + IIP_TCP_HEADER, iip_tcp_ts_now(stk, conn->ts_off), conn->ts_recent);
    iip_tcp_plain_sums(stk, pkt, p, iip_plain_pseudo(conn->id.local4, conn->id.remote4, l4_bytes), l4_bytes,
                       marks | IIP_PKT_TCP | IIP_PKT_IPV4);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
}

IIP_LOCAL int iip_tcp_plain_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags)
{
    struct iip_plain_way way;
    iip_u32 marks = 0;
    iip_u32 headers;
    if (!iip_tcp_plain_path(stk, conn, &way))
        return 0;
    if (IIP_UNLIKELY(IIP_PLAIN_IP + way.tcp_len + len > conn->path.mtu && len <= conn->mss))
        return 0;
    way.wnd = iip_tcp_window_field(conn);
    if (IIP_UNLIKELY(len > conn->mss)) {
        pkt->seg_size = conn->mss;
        iip_tcp_count_cut(stk, len, conn->mss);
        marks = IIP_PKT_TSO;
    }
    headers = iip_tcp_plain_headers(&way);
    pkt->data -= headers;
    pkt->len += headers;
    pkt->total = headers + len;
    iip_tcp_plain_emit(stk, conn, pkt, &way, seq, len, flags, marks);
    iip_tx(stk, pkt);
    return 1;
}

IIP_LOCAL int iip_tcp_plain_bare(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                                 const struct iip_path *path)
{
    struct iip_plain_way way;
    iip_u32 local4 = iip_ip_to_v4(ip->src);
    iip_u32 remote4 = iip_ip_to_v4(ip->dst);
    iip_u32 l4_bytes = pkt->len;
    iip_u8 *p = pkt->data - IIP_PLAIN_IP;
    if (ip->family != 4 || !iip_tcp_plain_link(stk, path, &way))
        return 0;
    way.tcp_len = l4_bytes;
    iip_tcp_plain_lens(pkt, &way);
    pkt->data = p - way.l2_len;
    pkt->len += way.l2_len + IIP_PLAIN_IP;
    pkt->total = pkt->len;
    if (IIP_LIKELY(way.head != 0))
        IIP_COPY(pkt->data, way.head, IIP_ETH_LEN);
    iip_plain_emit_ip(p, local4, remote4, IIP_PLAIN_IP + l4_bytes, ip->tos, ip->ttl);
    iip_tcp_plain_sums(stk, pkt, p, iip_plain_pseudo(local4, remote4, l4_bytes), l4_bytes, IIP_PKT_TCP | IIP_PKT_IPV4);
    iip_tx_one(stk, pkt);
    return 1;
}

/* ---- whole packets of the queue ---- */

/*
 * Is this packet the next segment as it stands? It is what output.c would cut, by the same rules: a full segment, or
 * the last bytes there are, which Nagle lets go; within both windows; alone in its frame, with room in front.
 */
IIP_INLINE int iip_tcp_plain_next(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                  const struct iip_pkt *pkt)
{
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 unsent = conn->snd.end - conn->snd.nxt;
    if (pkt->seq != conn->snd.nxt || flight + pkt->len > iip_min32(conn->snd.wnd, conn->cwnd) ||
        !iip_pkt_headroom_ok(pkt, IIP_PLAIN_HEADERS))
        return 0;
    if (pkt->len == unsent)
        return pkt->len == conn->mss || (pkt->len < conn->mss && (!flight || (conn->flags & IIP_F_NODELAY)));
    return pkt->len == conn->mss && !(stk->caps & IIP_CAP_TX_TSO);
}

/* What must be thought about takes the long way; so does the first segment after an idle time [RFC 5681 4.1]. */
IIP_INLINE int iip_tcp_plain_ready(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    enum {
        DETOUR = IIP_F_RECOVERY | IIP_F_LOSS | IIP_F_PERSIST | IIP_F_DISORDER | IIP_F_URG_SEND | IIP_F_FIN_QUEUED | IIP_F_CORK
    };
    if (!conn->snd_cur || (conn->flags & DETOUR) || conn->id.state < IIP_TCP_ESTABLISHED || !stk->tune.tcp_fast_path)
        return 0;
    return conn->snd.una != conn->snd.nxt || (iip_u32)stk->now - conn->sent_us <= conn->rto_us;
}

/* SND.NXT moved from `first` on. */
IIP_INLINE void iip_tcp_plain_sent(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 first)
{
    if (!(conn->flags & IIP_F_RTT_PENDING)) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = first;
        conn->rtt_sent = (iip_u32)stk->now;
    }
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    if (conn->rto_at == IIP_NEVER)
        iip_tcp_rto_start(stk, conn);
}

/*
 * The segment after `prev`, as long as it, in a burst that has not left: its headers are those of `prev` but for the
 * sequence number, PSH and the sum.
 */
IIP_MERGED void iip_tcp_plain_again(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                    const struct iip_pkt *prev, const struct iip_plain_way *way, iip_u32 seq,
                                    iip_u32 flags)
{
    iip_u32 headers = iip_tcp_plain_headers(way);
    iip_u32 l4_bytes = pkt->len - way->l2_len - IIP_PLAIN_IP;
    iip_u8 *tcp = pkt->data + way->l2_len + IIP_PLAIN_IP;
    IIP_COPY(pkt->data + headers - IIP_PLAIN_HEADERS, prev->data + headers - IIP_PLAIN_HEADERS, IIP_PLAIN_HEADERS);
    iip_tcp_plain_lens(pkt, way);
    iip_put32(tcp + 4, seq);
    tcp[13] = (iip_u8)flags;
    pkt->flags = prev->flags;
    if (IIP_UNLIKELY(!(pkt->flags & IIP_PKT_L4_CSUM)))
        iip_tcp_plain_l4_sum(pkt, tcp, iip_plain_pseudo(conn->id.local4, conn->id.remote4, l4_bytes), l4_bytes);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
}

/* Whole packets as segments, from SND.NXT on, while each is one as it stands. */
IIP_MERGED void iip_tcp_plain_burst(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_plain_way *way,
                                    iip_u32 l2_len, iip_u32 tcp_len)
{
    iip_u32 headers = l2_len + IIP_PLAIN_IP + tcp_len;
    struct iip_pkt *from = conn->snd_cur;
    const struct iip_pkt *prev = 0;
    struct iip_pkt *pkt;
    iip_u32 flags;
    if (IIP_UNLIKELY(IIP_PLAIN_IP + tcp_len + conn->mss > conn->path.mtu))
        return;
    way->l2_len = l2_len;
    way->tcp_len = tcp_len;
    way->wnd = iip_tcp_window_field(conn);
    do {
        pkt = iip_pkt_take(stk, from->frame, from->data - headers, headers + from->len);
        if (IIP_UNLIKELY(!pkt))
            break;
        flags = conn->snd.nxt + from->len == conn->snd.end ? IIP_TCP_ACK | IIP_TCP_PSH : IIP_TCP_ACK;
        if (prev && prev->len == pkt->len)
            iip_tcp_plain_again(stk, conn, pkt, prev, way, conn->snd.nxt, flags);
        else
            iip_tcp_plain_emit(stk, conn, pkt, way, conn->snd.nxt, from->len, flags, 0);
        iip_tx_one(stk, pkt);
        prev = stk->tx_count ? pkt : 0;
        conn->snd.nxt += from->len;
        conn->snd_cur = from = from->link;
    } while (from && iip_tcp_plain_next(stk, conn, from));
}

IIP_LOCAL int iip_tcp_plain_output(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    enum { WITH_TS = IIP_TCP_HEADER + IIP_TCP_TS_LEN };
    struct iip_plain_way way;
    iip_u32 first = conn->snd.nxt;
    if (!iip_tcp_plain_ready(stk, conn) || !iip_tcp_plain_next(stk, conn, conn->snd_cur) ||
        !iip_tcp_plain_path(stk, conn, &way))
        return 0;
    if (IIP_LIKELY((conn->id.options & IIP_HAS_TS) && way.l2_len == IIP_ETH_LEN)) /* laid out by itself: all lengths are known */
        iip_tcp_plain_burst(stk, conn, &way, IIP_ETH_LEN, WITH_TS);
    else
        iip_tcp_plain_burst(stk, conn, &way, way.l2_len, way.tcp_len);
    if (IIP_LIKELY(conn->snd.nxt != first))
        iip_tcp_plain_sent(stk, conn, first);
    return conn->snd.nxt == conn->snd.end && conn->snd.nxt != first;
}

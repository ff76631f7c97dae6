/*
 * predict.c - the predicted path: what the steps of 3.10.7.4 do with the segment that was expected, without a turn.
 *
 * Expected is: ESTABLISHED, next in order, within the window, ACK and at most PSH, an ACK of something new or text (or
 * both), and nothing out of order on either side. It is the same work, and the tunable tcp.fast_path shows it: with 0
 * every segment takes the long way, and every packet on the wire must stay the same.
 */
#include "net/state.h"
#include "stack/up.h"
#include "tcp/acked.h"
#include "tcp/tcp.h"
#include "tcp/text.h"
#include "tcp/window.h"
#include "wire/plain.h"

enum {
    IIP_F_DETOUR = IIP_F_RECOVERY | IIP_F_LOSS | IIP_F_PERSIST | IIP_F_URG_SEND | IIP_F_URG_RECV | IIP_F_DETACHED | IIP_F_FIN_SEEN | IIP_F_KEEPALIVE |
                   IIP_F_DISORDER
};

IIP_INLINE int iip_tcp_expected(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                const struct iip_tcp_seg *seg, iip_u32 ts)
{
    iip_u32 acked = seg->ack - conn->snd.una;
    if (conn->id.state != IIP_TCP_ESTABLISHED || (conn->flags & IIP_F_DETOUR) || !stk->tune.tcp_fast_path ||
        IIP_UNLIKELY(stk->pressure))
        return 0;
    if (seg->seq != conn->rcv.nxt || seg->len > conn->rcv.edge - conn->rcv.nxt || conn->rcv.held > conn->rcvbuf)
        return 0;
    if (acked > conn->snd.nxt - conn->snd.una || !(seg->len | acked))
        return 0;
    return !ts || !iip_seq_lt(seg->ts_val, conn->ts_recent);
}

/* iip_tcp_ack_advance, where nothing was lost and no duplicates were counted. */
IIP_MERGED void iip_tcp_ack_expected(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ack)
{
    iip_u32 acked = ack - conn->snd.una;
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_tcp_acked_to(conn, ack);
    iip_tcp_acked_free(stk, conn);
    iip_tcp_rtt_acked(stk, conn);
    if (iip_tcp_cwnd_limited(conn, flight))
        iip_tcp_cc_of(conn)->on_ack(conn, acked, stk->now);
    iip_tcp_writable(stk, conn);
    iip_tcp_acked_clock(stk, conn);
}

/* The work: `pkt` begins `skip` bytes before the text; `ts`: it has timestamps. */
IIP_MERGED iip_verdict iip_tcp_take_expected(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                             const struct iip_tcp_seg *seg, struct iip_pkt *pkt, iip_u32 skip,
                                             iip_u32 ts)
{
    iip_count(stk, IIP_CTR_TCP_FAST_PATH);
    if (ts && conn->rcv.nxt == conn->rcv.acked)
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
    if (seg->ack != conn->snd.una) {
        iip_tcp_ack_expected(stk, conn, seg->ack);
        iip_tcp_window_take(stk, conn, seg);
    } else {
        iip_tcp_window_update(stk, conn, seg);
    }
    if (conn->snd.nxt != conn->snd.end)
        iip_tcp_touch(stk, conn);
    if (!seg->len)
        return IIP_DONE;
    if (IIP_UNLIKELY(pkt->next != 0)) {
        iip_tcp_deliver(conn, iip_pkt_skip(stk, pkt, skip));
    } else {
        pkt->data += skip;
        pkt->len = seg->len; /* what pads the frame is no text */
        iip_tcp_deliver_one(conn, pkt);
    }
    iip_ready_put(stk, &conn->ready);
    iip_tcp_ack_for_text(stk, conn);
    return IIP_KEPT;
}

IIP_LOCAL iip_verdict iip_tcp_predict(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_seg *seg,
                                      struct iip_pkt *pkt)
{
    iip_u32 ts = conn->id.options & IIP_HAS_TS;
    if ((seg->flags & ~IIP_TCP_PSH) != IIP_TCP_ACK)
        return IIP_NEXT_STEP;
    if (ts ? !iip_tcp_parse_ts_only(seg, pkt->data) : seg->hdr_len != IIP_TCP_HEADER)
        return IIP_NEXT_STEP;
    if (!iip_tcp_expected(stk, conn, seg, ts))
        return IIP_NEXT_STEP;
    return iip_tcp_take_expected(stk, conn, seg, pkt, seg->hdr_len, ts);
}

IIP_INLINE int iip_tcp_plain_sums_ok(const struct iip_pkt *pkt, const struct iip_plain *in)
{
    iip_u32 l4_bytes = in->total - IIP_PLAIN_IP;
    iip_u64 sum;
    if (!(pkt->flags & IIP_PKT_IP_CSUM_OK) && !iip_plain_ip_csum_ok(in->tcp - IIP_PLAIN_IP))
        return 0;
    if (pkt->flags & IIP_PKT_L4_CSUM_OK)
        return 1;
    sum = iip_plain_pseudo(in->local4, in->remote4, l4_bytes);
    sum = iip_csum_add(sum, iip_csum_bytes(in->tcp, l4_bytes));
    return iip_csum_fold(sum) == 0xffff;
}

/* A burst is often one connection's: that of the packet before is looked at first. */
IIP_INLINE struct iip_tcp_id *iip_tcp_plain_id(struct iip_stack *stk, const struct iip_plain *in)
{
    struct iip_tcp_conn *conn = stk->tcp->recent;
    if (conn && iip_tcp_id_is4(&conn->id, in->local4, in->remote4, in->ports))
        return &conn->id;
    return iip_tcp_find4(stk, in->local4, in->remote4, in->ports);
}

/*
 * Not expected, but plain: what link, IP and the table have to say is known here already, and only the steps are left.
 * Whatever would be dropped on the way is left as it was, and so is what another stack may own.
 */
IIP_APART static iip_verdict iip_tcp_rx_steps(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_pkt *pkt,
                                              struct iip_plain in) /* a copy, so that the short way has its own in registers */
{
    struct iip_tcp_arrival arr;
    struct iip_rx rx;
    const iip_u8 *ip = in.tcp - IIP_PLAIN_IP;
    iip_u32 bytes = in.total - IIP_PLAIN_IP;
    if (!stk->tune.tcp_fast_path || in.total < IIP_PLAIN_IP || iip_tcp_parse(&arr.seg, in.tcp, bytes))
        return IIP_NEXT_STEP;
    if ((!id && stk->share.stacks > 1) || !iip_ipv4_addrs_plain(stk->net, ip) || !iip_tcp_plain_sums_ok(pkt, &in))
        return IIP_NEXT_STEP;
    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    iip_ipv4_fill(&rx, ip, IIP_PLAIN_IP);
    pkt->data += stk->l2_len + IIP_PLAIN_IP;
    pkt->len = bytes;
    pkt->l2_len = (iip_u8)stk->l2_len;
    arr.pkt = pkt;
    arr.rx = &rx;
    arr.skip = 0;
    return iip_tcp_arrives(stk, id, &arr);
}

/* The rest of the step, where the connection is known. */
IIP_MERGED iip_verdict iip_tcp_rx_conn(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                       const struct iip_plain *in, iip_u32 l2_len, iip_u32 ts)
{
    struct iip_tcp_seg seg;
    if (!iip_plain_segment(&seg, in, ts) || !iip_tcp_expected(stk, conn, &seg, ts) || IIP_UNLIKELY(conn->path.loop) ||
        !iip_tcp_plain_sums_ok(pkt, in))
        return iip_tcp_rx_steps(stk, &conn->id, pkt, *in);
    stk->tcp->recent = conn;
    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    return iip_tcp_take_expected(stk, conn, &seg, pkt, l2_len + IIP_PLAIN_IP + seg.hdr_len, ts);
}

/*
 * From the wire in one step: a plain packet whose tuple is that of a connection needs no check of its addresses, for
 * they were checked when the connection was made. One with ourselves is not made of what comes from the wire. Anything
 * else is left as it was.
 */
IIP_LOCAL iip_verdict iip_tcp_rx_plain(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_plain in;
    struct iip_tcp_id *id;
    iip_u32 l2_len = stk->l2_len;
    if (pkt->next || !iip_plain_parse(&in, pkt->data, pkt->len, l2_len, stk->mac))
        return IIP_NEXT_STEP;
    id = iip_tcp_plain_id(stk, &in);
    if (IIP_UNLIKELY(!id || id->kind != IIP_ID_CONN))
        return iip_tcp_rx_steps(stk, id, pkt, in);
    if (IIP_LIKELY(id->options & IIP_HAS_TS)) /* each is laid out by itself: all lengths are known then */
        return iip_tcp_rx_conn(stk, iip_tcp_conn_of_id(id), pkt, &in, l2_len, IIP_HAS_TS);
    return iip_tcp_rx_conn(stk, iip_tcp_conn_of_id(id), pkt, &in, l2_len, 0);
}

/* segment.c - how a segment is built: where its payload comes from, its options, its checksum, its way to IP. */
#include "base/csum.h"
#include "net/state.h"
#include "tcp/tcp.h"
#include "tcp/window.h"

enum { IIP_PIECES_MAX = 16, IIP_HEADERS_MAX = 14 + 40 + IIP_TCP_HEADER_MAX };

/* The packet of the queue that holds `seq`. */
static struct iip_pkt *iip_tcp_queue_at(struct iip_tcp_conn *conn, iip_u32 seq)
{
    struct iip_pkt *pkt = conn->repair ? conn->repair->rtx_cur : 0;
    if (seq == conn->snd.nxt && conn->snd_cur)
        return conn->snd_cur;
    if (!pkt || iip_seq_lt(seq, pkt->seq))
        pkt = conn->snd_head;
    while (pkt && iip_seq_leq(pkt->seq + pkt->len, seq))
        pkt = pkt->link;
    if (conn->repair)
        conn->repair->rtx_cur = pkt;
    return pkt;
}

static struct iip_pkt *iip_tcp_copied(struct iip_stack *stk, const struct iip_pkt *from, iip_u32 offset, iip_u32 len)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, len);
    iip_u8 *to;
    iip_u32 part;
    if (!pkt)
        return 0;
    pkt->len = len;
    for (to = pkt->data; len; len -= part, to += part, from = from->link, offset = 0) {
        part = iip_min32(from->len - offset, len);
        IIP_COPY(to, from->data + offset, part);
    }
    return pkt;
}

/* An empty packet for the header, chained to views of the queue. */
static struct iip_pkt *iip_tcp_chained(struct iip_stack *stk, const struct iip_pkt *from, iip_u32 offset, iip_u32 len)
{
    struct iip_pkt *head = iip_pkt_alloc(stk, 0);
    struct iip_pkt *last = head;
    iip_u32 part;
    if (!head)
        return 0;
    for (; len; len -= part, from = from->link, offset = 0) {
        part = iip_min32(from->len - offset, len);
        last->next = iip_pkt_view(stk, from, from->data + offset, part);
        if (!last->next) {
            iip_pkt_free(stk, head);
            return 0;
        }
        last = last->next;
    }
    return head;
}

/*
 * [seq, seq + len) of the queue as a packet with room for headers in front: in place where the bytes are first in a
 * frame that nobody else looks at, copied where they are few or in several packets, chained where they are many.
 */
static struct iip_pkt *iip_tcp_payload(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len)
{
    struct iip_pkt *from;
    iip_u32 offset;
    if (!len)
        return iip_pkt_alloc(stk, 0);
    from = iip_tcp_queue_at(conn, seq);
    offset = seq - from->seq;
    if (IIP_LIKELY(!offset && len <= from->len && iip_pkt_headroom_ok(from, IIP_HEADERS_MAX)))
        return iip_pkt_view(stk, from, from->data, len);
    if (len <= stk->tune.tcp_copy_max || !(stk->caps & IIP_CAP_TX_SG) || (offset + len > from->len && len <= conn->mss))
        return iip_tcp_copied(stk, from, offset, len);
    return iip_tcp_chained(stk, from, offset, len);
}

/* Where the caps allow, the field holds the pseudo-header sum and the port does the rest. */
IIP_LOCAL void iip_tcp_checksum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ip *src,
                                const struct iip_ip *dst, iip_u32 family, int loop)
{
    iip_u64 sum;
    if (loop)
        return;
    sum = iip_ip_pseudo(src, dst, family, 6, pkt->total);
    if (stk->caps & IIP_CAP_TX_TCP_CSUM) {
        pkt->flags |= IIP_PKT_L4_CSUM;
        iip_csum_store(pkt->data + 16, iip_csum_fold(sum));
        return;
    }
    sum = iip_csum_add(sum, pkt->next ? iip_pkt_csum(pkt, 0, pkt->total) : iip_csum_bytes(pkt->data, pkt->len));
    iip_csum_store(pkt->data + 16, ~iip_csum_fold(sum));
}

/* Puts the header in front of a payload. */
static void iip_tcp_header(struct iip_pkt *pkt, const struct iip_tcp_seg *seg, iip_u32 payload)
{
    pkt->data -= seg->hdr_len;
    pkt->len += seg->hdr_len;
    pkt->total = payload + seg->hdr_len;
    pkt->flags = IIP_PKT_TCP;
    pkt->l4_len = (iip_u8)seg->hdr_len;
    iip_tcp_emit(pkt->data, seg);
}

static void iip_tcp_to_ip(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_tcp_tuple t;
    struct iip_tx_ip ip;
    iip_tcp_tuple_of(&conn->id, &t);
    ip.src = &t.local;
    ip.dst = &t.remote;
    ip.family = t.family;
    ip.proto = 6;
    ip.ttl = conn->ttl;
    ip.tos = conn->tos;
    ip.df = 1;
    iip_tcp_checksum(stk, pkt, &t.local, &t.remote, t.family, conn->path.loop);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
    iip_ip_output(stk, pkt, &ip, &conn->path);
}

/* [RFC 2018 3] blocks go into ACKs without text, as many as there is room for. */
static iip_u32 iip_tcp_blocks_for(struct iip_tcp_conn *conn, struct iip_sack_block *blocks, iip_u32 len)
{
    iip_u32 n;
    if (IIP_LIKELY(!conn->repair) || len || !(conn->id.options & IIP_HAS_SACK_OK))
        return 0;
    n = iip_tcp_sack_blocks(conn, blocks, conn->id.options & IIP_HAS_TS ? 3 : 4);
    conn->repair->has_dsack = 0;
    return n;
}

static void iip_tcp_urgent_mark(const struct iip_tcp_conn *conn, struct iip_tcp_seg *seg)
{
    if (!(conn->flags & IIP_F_URG_SEND) || !iip_seq_lt(seg->seq, conn->extra->snd_up))
        return;
    seg->flags |= IIP_TCP_URG; /* [RFC 9293 3.8.5 MUST-62] the pointer names the octet behind */
    seg->up = iip_min32(conn->extra->snd_up - seg->seq, 65535);
}

static void iip_tcp_segment_full(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags)
{
    struct iip_sack_block blocks[IIP_SACK_MAX];
    iip_u32 n = iip_tcp_blocks_for(conn, blocks, len);
    iip_u32 ts = conn->id.options & IIP_HAS_TS;
    struct iip_tcp_seg seg;

    seg.src_port = (iip_u16)(conn->id.node.word >> 16);
    seg.dst_port = (iip_u16)conn->id.node.word;
    seg.seq = seq;
    seg.ack = conn->rcv.nxt;
    seg.flags = (iip_u8)flags;
    seg.wnd = iip_tcp_window_field(conn);
    seg.up = 0;
    seg.hdr_len = IIP_TCP_HEADER + (ts ? (iip_u32)IIP_TCP_TS_LEN : 0) + (n ? 4 + 8 * n : 0);
    iip_tcp_urgent_mark(conn, &seg);
    iip_tcp_header(pkt, &seg, len);
    if (ts)
        iip_tcp_emit_ts(pkt->data + IIP_TCP_HEADER, iip_tcp_ts_now(stk, conn->ts_off), conn->ts_recent);
    if (n)
        iip_tcp_emit_sack(pkt->data + seg.hdr_len - 4 - 8 * n, blocks, n);
    if (len > conn->mss) {
        pkt->flags |= IIP_PKT_TSO;
        pkt->seg_size = conn->mss;
        iip_tcp_count_cut(stk, len, conn->mss);
    }
    iip_tcp_to_ip(stk, conn, pkt);
}

IIP_LOCAL int iip_tcp_segment(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len, iip_u32 flags)
{
    struct iip_pkt *pkt;
    if (IIP_UNLIKELY(conn->path.gen != stk->net->gen)) { /* and what was cut for the old path is cut anew */
        iip_tcp_path_check(stk, conn);
        if (len > conn->mss)
            return 0;
    }
    pkt = iip_tcp_payload(stk, conn, seq, len);
    if (IIP_UNLIKELY(!pkt))
        return 0;
    flags |= IIP_TCP_ACK;
    if (IIP_UNLIKELY((conn->flags & (IIP_F_DISORDER | IIP_F_URG_SEND)) || (conn->repair && conn->repair->has_dsack)) ||
        !iip_tcp_plain_send(stk, conn, pkt, seq, len, flags))
        iip_tcp_segment_full(stk, conn, pkt, seq, len, flags);
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    return 1;
}

/* SYN, or SYN-ACK of a simultaneous open. */
IIP_LOCAL int iip_tcp_send_syn(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    int both = conn->id.state == IIP_TCP_SYN_RECEIVED;
    struct iip_pkt *pkt = iip_pkt_alloc(stk, IIP_TCP_HEADER_MAX);
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    if (!pkt)
        return 0;
    if (!both && conn->rto_at == IIP_NEVER) { /* the first: what it says holds, whatever becomes of buffer and tunables */
        conn->rcv_wscale = (iip_u8)iip_tcp_wscale_offer(stk, conn->rcvbuf);
        conn->id.options = (iip_u8)(iip_tcp_offers(stk) & ~(iip_u32)IIP_HAS_MSS);
    }
    iip_tcp_tuple_of(&conn->id, &t);
    seg.seq = conn->iss;
    seg.ack = both ? conn->rcv.nxt : 0;
    seg.flags = both ? IIP_TCP_SYN | IIP_TCP_ACK : IIP_TCP_SYN;
    seg.wnd = iip_min32(conn->rcvbuf, 65535);
    seg.has = conn->id.options | IIP_HAS_MSS;
    seg.mss = (iip_u16)iip_tcp_mss_offer(stk, &t);
    seg.wscale = conn->rcv_wscale;
    seg.ts_val = iip_tcp_ts_now(stk, conn->ts_off);
    seg.ts_ecr = both ? conn->ts_recent : 0;
    conn->rcv.edge = conn->rcv.nxt + seg.wnd;
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    iip_tcp_bare_to(stk, pkt, &t, &seg, &conn->path, conn->tos, conn->ttl);
    return 1;
}

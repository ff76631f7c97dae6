/* reply.c - segments that answer without, or beside, a connection: RST, challenge ACK, SYN-ACK and TIME-WAIT's ACK. */
#include "tcp/tcp.h"

IIP_LOCAL void iip_tcp_bare_to(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_tuple *t,
                               struct iip_tcp_seg *seg, struct iip_path *path, iip_u32 tos, iip_u32 ttl)
{
    struct iip_tx_ip ip;
    iip_u32 opt_len = 0;
    if (seg->flags & IIP_TCP_SYN) {
        opt_len = iip_tcp_emit_syn_options(pkt->data + IIP_TCP_HEADER, seg, stk->tune.tcp_syn_options);
    } else if (seg->has & IIP_HAS_TS) {
        iip_tcp_emit_ts(pkt->data + IIP_TCP_HEADER, seg->ts_val, seg->ts_ecr);
        opt_len = IIP_TCP_TS_LEN;
    }
    seg->src_port = t->local_port;
    seg->dst_port = t->remote_port;
    seg->hdr_len = IIP_TCP_HEADER + opt_len;
    seg->up = 0;
    iip_tcp_emit(pkt->data, seg);
    pkt->len = pkt->total = seg->hdr_len;
    ip.src = &t->local;
    ip.dst = &t->remote;
    ip.family = t->family;
    ip.proto = 6;
    ip.ttl = (iip_u8)ttl;
    ip.tos = (iip_u8)tos;
    ip.df = 1;
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
    if (IIP_LIKELY(iip_tcp_plain_bare(stk, pkt, &ip, path)))
        return;
    pkt->flags = IIP_PKT_TCP;
    pkt->l4_len = (iip_u8)seg->hdr_len;
    iip_tcp_checksum(stk, pkt, &t->local, &t->remote, t->family, path->loop);
    iip_ip_output(stk, pkt, &ip, path);
}

IIP_LOCAL void iip_tcp_bare(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_seg *seg, iip_u32 tos)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_TCP_HEADER_MAX);
    struct iip_ip local = t->local;
    struct iip_path path;
    if (!pkt || iip_path_find(stk, &local, &t->remote, &path)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    if (seg->flags & IIP_TCP_RST)
        iip_count(stk, IIP_CTR_TCP_RST_SENT);
    iip_tcp_bare_to(stk, pkt, t, seg, &path, tos, (iip_u32)stk->tune.tcp_ttl);
    iip_path_drop(stk, &path);
}

/*
 * [RFC 9293 3.10.7.1] <SEQ=SEG.ACK><CTL=RST> to what has an ACK, else <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
 * Nothing at all to broadcasts and to what cannot be a peer, and not more than so many a second.
 */
IIP_LOCAL void iip_tcp_reset_reply(struct iip_stack *stk, const struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *in = &arr->seg;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    if ((in->flags & IIP_TCP_RST) || arr->rx->multicast || !iip_addr_is_unicast(stk, &arr->rx->src))
        return;
    if (!iip_bucket_take(&stk->tcp->rst_bucket, stk->now, stk->tune.tcp_rst_rate)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    iip_tcp_tuple_rx(&t, arr->rx, in);
    seg.seq = in->flags & IIP_TCP_ACK ? in->ack : 0;
    seg.ack = in->flags & IIP_TCP_ACK ? 0 : in->seq + in->len;
    seg.flags = in->flags & IIP_TCP_ACK ? IIP_TCP_RST : IIP_TCP_RST | IIP_TCP_ACK;
    seg.wnd = 0;
    seg.has = 0;
    iip_tcp_bare(stk, &t, &seg, 0);
}

/* <SEQ=seq><CTL=RST,ACK>: we give the connection up. It resets only if `seq` is what the peer expects [RFC 5961 3.2]. */
IIP_LOCAL void iip_tcp_reset_send(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq)
{
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    iip_tcp_tuple_of(&conn->id, &t);
    seg.seq = iip_seq_min(seq, conn->snd.una + conn->snd.wnd); /* beyond its window the peer would not take it */
    seg.ack = conn->rcv.nxt;
    seg.flags = IIP_TCP_RST | IIP_TCP_ACK;
    seg.wnd = 0;
    seg.has = 0;
    iip_tcp_bare(stk, &t, &seg, conn->tos);
}

/* [RFC 5961 7] limited per connection, so that no other flow can measure it (CVE-2016-5696). */
IIP_LOCAL void iip_tcp_challenge(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return;
    if ((iip_u32)stk->now - extra->challenge_us >= 1000000) {
        extra->challenge_us = (iip_u32)stk->now;
        extra->challenges = 0;
    }
    if (extra->challenges >= iip_min64(stk->tune.tcp_challenge_rate, 255)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    extra->challenges++;
    iip_count(stk, IIP_CTR_TCP_CHALLENGE);
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
}

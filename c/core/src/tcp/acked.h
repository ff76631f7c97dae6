/* acked.h - the parts of what an acceptable ACK does, for ack.c and for the short way. */
#ifndef IIP_TCP_ACKED_H
#define IIP_TCP_ACKED_H

#include "tcp/tcp.h"

/* SND.UNA moves, and whatever was counted while it did not is forgotten. */
IIP_INLINE void iip_tcp_acked_to(struct iip_tcp_conn *conn, iip_u32 ack)
{
    if (IIP_UNLIKELY((conn->snd.una ^ ack) >> 31))
        conn->out_wraps++;
    conn->snd.una = ack;
    conn->retries = 0;
    conn->probes = 0;
    conn->flags &= ~(iip_u32)(IIP_F_TOLD_R1 | IIP_F_PERSIST);
}

IIP_INLINE void iip_tcp_acked_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_pkt *pkt = conn->snd_head;
    struct iip_pkt *next;
    for (; pkt && iip_seq_leq(pkt->seq + pkt->len, conn->snd.una); pkt = next) {
        next = pkt->link;
        if (IIP_UNLIKELY(conn->repair && conn->repair->rtx_cur == pkt))
            conn->repair->rtx_cur = 0;
        iip_pkt_drop(stk, pkt);
    }
    conn->snd_head = pkt;
    if (!pkt)
        conn->snd_tail = 0;
}

IIP_INLINE void iip_tcp_rtt_acked(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if ((conn->flags & IIP_F_RTT_PENDING) && iip_seq_lt(conn->rtt_seq, conn->snd.una)) {
        conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent);
        iip_path_confirm(stk, &conn->path);
    }
}

/* [RFC 9293 3.8.6.2.1] the application was refused: it is told when half of the buffer is free. */
IIP_INLINE void iip_tcp_writable(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if ((conn->flags & IIP_F_WANT_WRITE) && conn->snd.end - conn->snd.una <= conn->sndbuf / 2) {
        conn->flags &= ~(iip_u32)IIP_F_WANT_WRITE;
        iip_tcp_notify(stk, conn, IIP_F_NOTE_WRITABLE);
    }
}

/* [RFC 7661, in spirit] the window grows only while it is what holds us back. */
IIP_INLINE int iip_tcp_cwnd_limited(const struct iip_tcp_conn *conn, iip_u32 flight)
{
    iip_u32 reach = conn->cwnd < conn->ssthresh ? flight * 2 : flight + 2U * conn->mss;
    return reach >= conn->cwnd;
}

/* [RFC 6298 5.2, 5.3] */
IIP_INLINE void iip_tcp_acked_clock(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una == conn->snd.nxt)
        conn->rto_at = IIP_NEVER;
    else
        iip_tcp_rto_start(stk, conn);
}

#endif

/* synsent.c - SEGMENT ARRIVES in SYN-SENT [RFC 9293 3.10.7.3]. */
#include "tcp/tcp.h"

/* The peer's SYN acknowledges ours: the connection is open, and the ACK may ride on the first data. */
static iip_verdict iip_tcp_synsent_open(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    conn->snd.una = seg->ack;
    conn->snd.wnd = seg->wnd; /* never scaled in a SYN */
    conn->snd.max_wnd = seg->wnd;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->ack;
    if ((conn->flags & IIP_F_RTT_PENDING) && !conn->retries)
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent);
    else
        iip_tcp_rtt_echo(stk, conn, seg);
    conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
    iip_tcp_establish(stk, conn);
    conn->flags |= IIP_F_ACK_DUE; /* it may ride on the first bytes, or on the FIN */
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CONNECTED);
    iip_tcp_touch(stk, conn);
    return IIP_DONE;
}

/* A SYN without an ACK: both opened at once; SYN-ACK, and SYN-RECEIVED [RFC 9293 3.5 figure 8]. */
static iip_verdict iip_tcp_synsent_crossed(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                           const struct iip_tcp_seg *seg)
{
    conn->id.state = IIP_TCP_SYN_RECEIVED;
    conn->snd.wnd = seg->wnd;
    conn->snd.max_wnd = seg->wnd;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = conn->iss;
    conn->flags = (conn->flags & ~(iip_u32)IIP_F_RTT_PENDING) | IIP_F_ACK_NOW;
    conn->retries = 0;
    iip_tcp_touch(stk, conn);
    return IIP_DONE;
}

IIP_LOCAL iip_verdict iip_tcp_synsent_input(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    int acked = 0;
    if (seg->flags & IIP_TCP_ACK) { /* first: an ACK of what was not sent */
        acked = seg->ack == conn->iss + 1;
        if (!acked) {
            iip_tcp_reset_reply(stk, arr);
            return IIP_CTR_DROP_TCP_ACK;
        }
    }
    if (seg->flags & IIP_TCP_RST) { /* second: RST: refused, if it proves that it saw our SYN */
        if (!acked)
            return IIP_CTR_DROP_TCP_RST;
        iip_tcp_end(stk, conn, IIP_E_REFUSED);
        return IIP_DONE;
    }
    if (!(seg->flags & IIP_TCP_SYN)) /* fifth: neither SYN nor RST */
        return IIP_CTR_DROP_TCP_SYN;
    iip_tcp_negotiate(stk, conn, seg); /* fourth: SYN; text that comes with it will come again */
    return acked ? iip_tcp_synsent_open(stk, conn, arr) : iip_tcp_synsent_crossed(stk, conn, seg);
}

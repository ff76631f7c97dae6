/* text.h - the parts of what text in order does, for text.c and for the short way. */
#ifndef IIP_TCP_TEXT_H
#define IIP_TCP_TEXT_H

#include "tcp/tcp.h"

/* One view: RCV.NXT moves over it, and the application will be handed it. */
IIP_INLINE void iip_tcp_deliver_one(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    iip_u32 next = conn->rcv.nxt + pkt->len;
    if (IIP_UNLIKELY((conn->rcv.nxt ^ next) >> 31))
        conn->in_wraps++;
    conn->rcv.nxt = next;
    conn->rcv.held += iip_pkt_charge_one(pkt);
    if (conn->rcv_tail) {
        pkt->link = conn->rcv_tail->link;
        conn->rcv_tail->link = pkt;
    } else {
        pkt->link = pkt;
    }
    conn->rcv_tail = pkt;
}

/* [RFC 9293 3.8.6.3] an ACK for every second full segment, which may ride on the application's answer; else a delayed one. */
IIP_INLINE void iip_tcp_ack_for_text(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 owed = conn->rcv.nxt - conn->rcv.acked;
    if (owed >= 2U * conn->mss || (conn->flags & IIP_F_QUICKACK) || conn->quickacks || !stk->tune.tcp_delack_us) {
        conn->flags |= IIP_F_ACK_DUE;
        conn->quickacks -= conn->quickacks != 0;
        iip_tcp_touch(stk, conn);
    }
    if (conn->flags & IIP_F_ACK_DELAYED)
        return;
    conn->flags |= IIP_F_ACK_DELAYED;
    conn->ack_at = stk->now + stk->tune.tcp_delack_us;
    if (IIP_UNLIKELY(!iip_timer_armed(&conn->timer) || conn->ack_at < conn->timer.at))
        iip_tcp_arm(stk, conn);
}

#endif

/* window.h - both windows: the one that the peer opens to us, and the one that we open to it [RFC 9293 3.8.6]. */
#ifndef IIP_TCP_WINDOW_H
#define IIP_TCP_WINDOW_H

#include "tcp/tcp.h"

/* The window of a segment that advanced SND.UNA: nobody knows it better, even if the segment was sent before. */
IIP_INLINE void iip_tcp_window_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = seg->wnd << conn->snd_wscale;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->ack;
    if (IIP_UNLIKELY(wnd != conn->snd.wnd))
        iip_tcp_window_set(stk, conn, wnd);
}
/* [RFC 9293 3.10.7.4 fifth] else the window of the latest segment. */
IIP_INLINE void iip_tcp_window_update(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (iip_seq_lt(seg->seq, conn->snd.wl1) || (seg->seq == conn->snd.wl1 && iip_seq_lt(seg->ack, conn->snd.wl2)))
        return;
    iip_tcp_window_take(stk, conn, seg);
}
/* [RFC 9293 3.8.6.2.2] the right edge moves by a full segment or half the buffer at least, and never back. */
IIP_INLINE iip_u32 iip_tcp_window_open(const struct iip_tcp_conn *conn)
{
    iip_u32 edge = conn->rcv.nxt + (conn->rcvbuf > conn->rcv.held ? conn->rcvbuf - conn->rcv.held : 0);
    iip_s32 gain = (iip_s32)(edge - conn->rcv.edge);
    if (gain <= 0 || ((iip_u32)gain < conn->mss && (iip_u32)gain < conn->rcvbuf / 2))
        return conn->rcv.edge;
    return edge;
}

/* What the header says; the edge that it says, rounded up to the scale, is remembered. */
IIP_INLINE iip_u32 iip_tcp_window_field(struct iip_tcp_conn *conn)
{
    iip_u32 wnd = iip_tcp_window_open(conn) - conn->rcv.nxt;
    iip_u32 field = (wnd + ((1U << conn->rcv_wscale) - 1)) >> conn->rcv_wscale;
    field = iip_min32(field, 65535);
    if (iip_seq_lt(conn->rcv.edge, conn->rcv.nxt + (field << conn->rcv_wscale)))
        conn->rcv.edge = conn->rcv.nxt + (field << conn->rcv_wscale);
    return field;
}

#endif

/* ack.c - the fifth step of 3.10.7.4: is the ACK acceptable, and what an acceptable one does. */
#include "tcp/acked.h"
#include "tcp/tcp.h"
#include "tcp/window.h"

/* What was noted of acknowledged bytes is forgotten with them, for their numbers come round again. */
static void iip_tcp_acked_marks(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        iip_ranges_cut(&conn->repair->sacked, conn->snd.una);
    if ((conn->flags & IIP_F_URG_SEND) && !iip_seq_lt(conn->snd.una, conn->extra->snd_up))
        conn->flags &= ~(iip_u32)IIP_F_URG_SEND;
}

/* SND.UNA < SEG.ACK =< SND.NXT: the queue shrinks, the clock restarts, the window grows. */
IIP_LOCAL void iip_tcp_ack_advance(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 acked = seg->ack - conn->snd.una;
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 recovering = conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS);

    if (IIP_UNLIKELY(conn->retries))
        iip_tcp_rto_keep(stk, conn, seg);
    iip_tcp_acked_to(conn, seg->ack);
    iip_tcp_acked_free(stk, conn);
    iip_tcp_rtt_acked(stk, conn);
    iip_tcp_acked_marks(conn);
    if (IIP_UNLIKELY(recovering)) {
        iip_tcp_recovery_ack(stk, conn, acked);
        acked = iip_min32(acked, conn->mss); /* [RFC 3465 2.3] L = 1 after a timeout */
    } else {
        conn->dup_acks = 0;
    }
    if (!(recovering & IIP_F_RECOVERY) && iip_tcp_cwnd_limited(conn, flight))
        iip_tcp_cc_of(conn)->on_ack(conn, acked, stk->now);
    iip_tcp_writable(stk, conn);
    iip_tcp_acked_clock(stk, conn);
}

IIP_LOCAL void iip_tcp_window_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 wnd)
{
    conn->snd.max_wnd = iip_max32(conn->snd.max_wnd, wnd);
    conn->snd.wnd = wnd;
    if (conn->flags & IIP_F_PERSIST)
        iip_tcp_persist_end(stk, conn);
    iip_tcp_touch(stk, conn);
}

/* [RFC 5681 2] outstanding data, no text, no SYN or FIN, the same ACK and the same window. */
static int iip_tcp_is_dup_ack(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    return seg->ack == conn->snd.una && conn->snd.una != conn->snd.nxt && !seg->len &&
        seg->wnd << conn->snd_wscale == conn->snd.wnd && !(conn->flags & IIP_F_PERSIST);
}

/* The FIN is acknowledged when its number is. */
static iip_verdict iip_tcp_fin_acked(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_transit(conn, IIP_EV_FIN_ACKED);
    switch (conn->id.state) {
    case IIP_TCP_CLOSED: /* LAST-ACK */
        iip_tcp_end(stk, conn, IIP_OK);
        return IIP_DONE;
    case IIP_TCP_TIME_WAIT: /* CLOSING */
        iip_tcp_time_wait(stk, conn);
        return IIP_DONE;
    default: /* FIN-WAIT-1 */
        iip_tcp_idle_restart(stk, conn);
        return IIP_NEXT_STEP;
    }
}

/* In SYN-RECEIVED: SND.UNA < SEG.ACK =< SND.NXT completes the simultaneous open; anything else is answered with RST. */
static iip_verdict iip_tcp_ack_syn_received(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr)
{
    if (arr->seg.ack != conn->iss + 1) {
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_ACK;
    }
    conn->snd.una = arr->seg.ack;
    conn->snd.wl1 = arr->seg.seq - 1; /* whatever window it brings is newer than that of the SYN */
    conn->snd.wl2 = arr->seg.ack;
    iip_tcp_rtt_acked(stk, conn);
    iip_tcp_establish(stk, conn);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CONNECTED);
    if (conn->flags & IIP_F_FIN_QUEUED)
        iip_tcp_touch(stk, conn);
    return IIP_NEXT_STEP;
}

/* [RFC 5961 5.2] an ACK of what was never sent, or older than the peer's largest window, is challenged. */
static int iip_tcp_ack_outside(const struct iip_tcp_conn *conn, iip_u32 ack)
{
    return iip_seq_lt(conn->snd.nxt, ack) || iip_seq_lt(ack, conn->snd.una - conn->snd.max_wnd);
}

IIP_LOCAL iip_verdict iip_tcp_step_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_verdict verdict = IIP_NEXT_STEP;
    iip_u32 was_una;
    int dup;

    if (!(seg->flags & IIP_TCP_ACK))
        return IIP_CTR_DROP_TCP_ACK;
    if (conn->id.state == IIP_TCP_SYN_RECEIVED) {
        verdict = iip_tcp_ack_syn_received(stk, conn, arr);
        if (verdict != IIP_NEXT_STEP)
            return verdict;
    }
    if (iip_tcp_ack_outside(conn, seg->ack)) {
        iip_tcp_challenge(stk, conn);
        return IIP_CTR_DROP_TCP_ACK;
    }
    if (conn->flags & IIP_F_PERSIST) /* [RFC 9293 3.8.6.1 MUST-37] as long as it answers, it lives */
        conn->retries = 0;
    was_una = conn->snd.una;
    dup = iip_tcp_is_dup_ack(conn, seg);
    if (seg->sacks && (conn->id.options & IIP_HAS_SACK_OK))
        iip_tcp_sack_take(stk, conn, seg);
    if (iip_tcp_undo_ack(stk, conn, seg))
        dup = 0;
    if (iip_seq_lt(conn->snd.una, seg->ack)) {
        iip_tcp_ack_advance(stk, conn, seg);
        iip_tcp_window_take(stk, conn, seg);
    } else if (seg->ack == conn->snd.una) { /* an older ACK knows an older window */
        if (dup)
            iip_tcp_dup_ack(stk, conn);
        iip_tcp_window_update(stk, conn, seg);
    }
    iip_tcp_touch(stk, conn);
    if (conn->snd.una != was_una && conn->snd.una == conn->snd.end + 1)
        verdict = iip_tcp_fin_acked(stk, conn);
    return verdict;
}

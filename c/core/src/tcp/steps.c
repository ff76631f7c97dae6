/*
 * steps.c - SEGMENT ARRIVES in SYN-RECEIVED and the synchronised states [RFC 9293 3.10.7.4]: one function a step, in
 * the RFC's order. Each answers IIP_NEXT_STEP, or a verdict that ends the segment and is the counter of why.
 */
#include "tcp/tcp.h"

enum { IIP_PAWS_DAYS_24 = 1977539 }; /* 24 days in units of 2^20 us */

static void iip_tcp_ack_now(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
}

/*
 * The peer repeats itself, or is far off: tell it where we are. What is not text is told at a limited rate, for two such
 * could answer each other for ever [RFC 5961 7]; text never answers an ACK, and the sender of a lost one waits for ours.
 */
static void iip_tcp_tell(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (!seg->len || (seg->flags & IIP_TCP_SYN))
        iip_tcp_challenge(stk, conn);
    else
        iip_tcp_ack_now(stk, conn);
}

/* [RFC 7323 5.3 R1] before the first step: a timestamp from the past is not of this life of the connection. */
static iip_verdict iip_tcp_step_paws(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    if (!(conn->id.options & IIP_HAS_TS) || (seg->flags & IIP_TCP_RST))
        return IIP_NEXT_STEP;
    if (!(seg->has & IIP_HAS_TS)) /* [RFC 7323 3.2] */
        return IIP_CTR_DROP_TCP_PAWS;
    if (!iip_seq_lt(seg->ts_val, conn->ts_recent))
        return IIP_NEXT_STEP;
    if ((iip_u32)(stk->now >> 20) - conn->ready.word > IIP_PAWS_DAYS_24) /* [RFC 7323 5.5] */
        return IIP_NEXT_STEP;
    iip_tcp_tell(stk, conn, seg);
    return IIP_CTR_DROP_TCP_PAWS;
}

/*
 * [RFC 9293 3.10.7.4 first, table 6] One step further than the table: a pure ACK may stand at the right edge, for there
 * SND.NXT is of a peer that has filled the window and lost the beginning of it; its ACKs must count. One step less: of
 * a RST only where it begins counts, or its text would lengthen the reach of a blind one [RFC 5961 3.2].
 */
static int iip_tcp_acceptable(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = conn->rcv.edge - conn->rcv.nxt;
    iip_u32 start = seg->seq - conn->rcv.nxt;
    if (seg->flags & IIP_TCP_RST)
        return start < wnd || !start;
    if (!seg->len)
        return start <= wnd;
    return wnd && (start < wnd || start + seg->len - 1 < wnd);
}

/* Bytes that are here already, or beyond the window, are cut off. */
static void iip_tcp_cut_to_window(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    iip_u32 old = conn->rcv.nxt - seg->seq;
    iip_u32 over;
    if (seg->flags & IIP_TCP_SYN) /* nothing of it will be used, see the fourth step */
        return;
    if (iip_seq_lt(seg->seq, conn->rcv.nxt)) {
        if (seg->up > old)
            seg->up -= old;
        else
            seg->flags &= (iip_u8)~IIP_TCP_URG;
        arr->skip = old;
        seg->seq += old;
        seg->len -= old;
    }
    over = seg->seq + seg->len - conn->rcv.edge;
    if (!iip_seq_lt(conn->rcv.edge, seg->seq + seg->len))
        return;
    if (seg->flags & IIP_TCP_FIN) {
        seg->flags &= (iip_u8)~IIP_TCP_FIN;
        seg->len--;
        over--;
    }
    seg->len -= over;
    iip_pkt_trim(stk, arr->pkt, arr->skip + seg->len);
}

static iip_verdict iip_tcp_unacceptable(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (seg->flags & IIP_TCP_RST)
        return IIP_CTR_DROP_TCP_RST;
    iip_tcp_tell(stk, conn, seg);
    if (!seg->len || (seg->flags & IIP_TCP_SYN))
        return IIP_CTR_DROP_TCP_SEQ;
    if (iip_seq_lt(seg->seq, conn->rcv.nxt))
        iip_tcp_dsack(stk, conn, seg->seq, iip_seq_min(seg->seq + seg->len, conn->rcv.nxt));
    return iip_seq_leq(seg->seq + seg->len, conn->rcv.nxt) ? IIP_CTR_DROP_TCP_OLD : IIP_CTR_DROP_TCP_SEQ;
}

/* First: check the sequence number. */
static iip_verdict iip_tcp_step_seq(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    if (conn->id.state == IIP_TCP_SYN_RECEIVED && (seg->flags & IIP_TCP_SYN) && seg->seq == conn->id.word &&
        (seg->flags & IIP_TCP_ACK)) {
        /* [RFC 9293 3.5 figure 8] simultaneous open: the SYN again, with the ACK that counts */
        seg->flags &= (iip_u8)~IIP_TCP_SYN;
        seg->seq++;
        seg->len--;
    }
    if (iip_tcp_acceptable(conn, seg)) {
        iip_tcp_cut_to_window(stk, conn, arr);
        return IIP_NEXT_STEP;
    }
    if (conn->rcv.edge == conn->rcv.nxt && seg->seq == conn->rcv.nxt && !(seg->flags & IIP_TCP_SYN)) {
        /* a zero window takes no text, but ACK, URG and RST all the same [RFC 9293 3.4 MUST-66] */
        seg->len = 0;
        seg->flags &= (iip_u8)~IIP_TCP_FIN;
        iip_tcp_ack_now(stk, conn);
        return IIP_NEXT_STEP;
    }
    return iip_tcp_unacceptable(stk, conn, seg);
}

/*
 * [RFC 7323 4.3] what the next ACK will echo: the timestamp of the segment at the left edge of the last ACK. PAWS let
 * none through that is older, but for the one that ends a silence of 24 days; and one whose ACK cannot be is not the
 * peer's, and would freeze the connection [RFC 5961 5].
 */
static void iip_tcp_ts_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if ((conn->id.options & seg->has & IIP_HAS_TS) && iip_seq_leq(seg->seq, conn->rcv.acked))
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
}

/* Second: check the RST bit [RFC 5961 3.2]: only the exact next number resets, others in the window are challenged. */
static iip_verdict iip_tcp_step_rst(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_s32 reason = IIP_E_RESET;
    if (!(arr->seg.flags & IIP_TCP_RST))
        return IIP_NEXT_STEP;
    if (arr->seg.seq != conn->rcv.nxt) {
        iip_tcp_challenge(stk, conn);
        return IIP_CTR_DROP_TCP_RST;
    }
    /* [MUST-11] it came from an active open: a passive one is still half-open, see listen.c */
    if (conn->id.state == IIP_TCP_SYN_RECEIVED)
        reason = IIP_E_REFUSED;
    iip_tcp_end(stk, conn, reason);
    return IIP_DONE;
}

/* Third: security, which nobody uses. Fourth: check the SYN bit [RFC 5961 4.2]: challenged, wherever it stands. */
static iip_verdict iip_tcp_step_syn(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    if (!(arr->seg.flags & IIP_TCP_SYN))
        return IIP_NEXT_STEP;
    iip_tcp_challenge(stk, conn);
    return IIP_CTR_DROP_TCP_SYN;
}

/* Fifth: the ACK field: see ack.c. */

/* Sixth: check the URG bit: the application is told when the pointer moves forward [RFC 9293 3.8.5 MUST-32]. */
static iip_verdict iip_tcp_step_urg(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 up = arr->seg.seq + arr->seg.up;
    if (!(arr->seg.flags & IIP_TCP_URG) || !arr->seg.up || !iip_tcp_receives(conn) ||
        conn->id.state == IIP_TCP_CLOSE_WAIT)
        return IIP_NEXT_STEP;
    if (!iip_seq_lt(conn->rcv.nxt, up) || ((conn->flags & IIP_F_URG_RECV) && !iip_seq_lt(conn->extra->rcv_up, up)))
        return IIP_NEXT_STEP;
    if (!iip_tcp_extra(stk, conn))
        return IIP_NEXT_STEP;
    conn->extra->rcv_up = up;
    conn->flags |= IIP_F_URG_RECV;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_URGENT);
    return IIP_NEXT_STEP;
}

/* Seventh: the segment text: see text.c. Text for an application that closed is answered with RST [RFC 9293 3.6.1 SHLD-3]. */
static iip_verdict iip_tcp_step_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 text = arr->seg.len - (arr->seg.flags & IIP_TCP_FIN ? 1 : 0);
    if (!text || conn->id.state > IIP_TCP_FIN_WAIT_2)
        return IIP_NEXT_STEP;
    if (conn->flags & IIP_F_DETACHED) {
        iip_tcp_reset_send(stk, conn, conn->snd.nxt);
        iip_tcp_end(stk, conn, IIP_E_ABORTED);
        return IIP_CTR_DROP_TCP_AFTER_CLOSE;
    }
    if (conn->flags & IIP_F_FIN_SEEN && !iip_seq_lt(arr->seg.seq, conn->repair->fin_seq))
        return IIP_CTR_DROP_TCP_SEQ; /* nothing comes behind a FIN */
    return iip_tcp_text(stk, conn, arr);
}

/* The FIN is next in order: RCV.NXT steps over it. */
static void iip_tcp_fin_arrived(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->in_wraps += (iip_u16)((conn->rcv.nxt ^ (conn->rcv.nxt + 1)) >> 31);
    conn->rcv.nxt++;
    if (iip_seq_lt(conn->rcv.edge, conn->rcv.nxt))
        conn->rcv.edge = conn->rcv.nxt;
    conn->flags |= IIP_F_ACK_DUE;
    iip_tcp_transit(conn, IIP_EV_RECEIVE_FIN);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_FIN);
    if (conn->id.state == IIP_TCP_TIME_WAIT)
        iip_tcp_time_wait(stk, conn);
    else
        iip_tcp_touch(stk, conn);
}

/* Eighth: check the FIN bit. One that is not yet in order is remembered by its number. */
static iip_verdict iip_tcp_step_fin(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 fin_seq = arr->seg.seq + arr->seg.len - 1;
    int fin = (arr->seg.flags & IIP_TCP_FIN) != 0;
    if (!iip_tcp_receives(conn) || conn->id.state == IIP_TCP_CLOSE_WAIT)
        return arr->pkt ? IIP_DONE : IIP_KEPT;
    if ((conn->flags & IIP_F_FIN_SEEN) && !(fin && conn->rcv.nxt == fin_seq)) {
        fin = 1; /* the first one that is in order counts */
        fin_seq = conn->repair->fin_seq;
    }
    if (fin && conn->rcv.nxt == fin_seq) {
        iip_tcp_fin_arrived(stk, conn);
    } else if (fin && !(conn->flags & IIP_F_FIN_SEEN) && iip_tcp_repair(stk, conn)) {
        conn->flags |= IIP_F_FIN_SEEN;
        conn->repair->fin_seq = fin_seq;
        iip_tcp_ack_now(stk, conn); /* [RFC 5681 4.2] */
    }
    return arr->pkt ? IIP_DONE : IIP_KEPT;
}

static iip_verdict iip_tcp_steps(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_verdict verdict = iip_tcp_step_paws(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_seq(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_rst(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_syn(stk, conn, arr);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    if (conn->id.state != IIP_TCP_FIN_WAIT_2 || !(conn->flags & IIP_F_DETACHED))
        iip_tcp_idle_restart(stk, conn); /* it waits for a FIN alone, however much else comes */
    verdict = iip_tcp_step_ack(stk, conn, arr);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    iip_tcp_ts_take(stk, conn, &arr->seg);
    verdict = iip_tcp_step_urg(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_text(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_fin(stk, conn, arr);
    return verdict;
}

IIP_LOCAL iip_verdict iip_tcp_segment_arrives(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                              struct iip_tcp_arrival *arr)
{
    iip_verdict verdict = iip_tcp_steps(stk, conn, arr);
    const struct iip_tcp_repair *repair = conn->repair;
    if (conn->dup_acks || (repair && (repair->ooo.n || repair->sacked.n || repair->has_dsack || repair->undo.cwnd)))
        conn->flags |= IIP_F_DISORDER;
    else
        conn->flags &= ~(iip_u32)IIP_F_DISORDER;
    return verdict;
}

/*
 * undo.c - a loss that was none: what congestion control gave up for it is taken back [RFC 9438 4.9, RFC 4015].
 *
 * Two things tell. The first ACK of what was sent again echoes the time of the first transmission [RFC 3522 3.2], where
 * there are timestamps; or every byte that was sent again is reported as a duplicate [RFC 2883, RFC 3708 3].
 */
#include "tcp/tcp.h"

IIP_LOCAL void iip_tcp_undo_mark(struct iip_tcp_conn *conn)
{
    struct iip_tcp_repair *repair = conn->repair;
    if (!repair)
        return;
    repair->undo.cwnd = conn->cwnd;
    repair->undo.ssthresh = conn->ssthresh;
    repair->undo.cc = repair->cc;
    repair->undo.from = conn->snd.una;
    repair->undo.to = conn->snd.nxt;
    repair->undo.bytes = 0;
}

IIP_LOCAL void iip_tcp_undo_forget(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        conn->repair->undo.cwnd = 0;
}

IIP_LOCAL void iip_tcp_undo_sent(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len)
{
    struct iip_tcp_repair *repair = conn->repair;
    if (!repair || !repair->undo.cwnd)
        return;
    if (!repair->undo.bytes)
        repair->undo.ts = iip_tcp_ts_now(stk, conn->ts_off);
    repair->undo.bytes += len;
}

/*
 * The window is what it was, but for a burst: no more leaves at once than at the beginning [RFC 4015 5]. Slow start leads
 * back to where it stood.
 */
static void iip_tcp_undo(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ack)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 burst = (iip_u32)stk->tune.tcp_initcwnd * conn->mss;
    iip_count(stk, IIP_CTR_TCP_UNDONE);
    conn->cwnd = iip_max32(conn->cwnd, iip_min32(repair->undo.cwnd, conn->snd.nxt - ack + burst));
    conn->ssthresh = iip_max32(repair->undo.ssthresh, repair->undo.cwnd);
    repair->cc = repair->undo.cc;
    repair->undo.cwnd = 0;
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        iip_tcp_recovery_end(conn);
}

/* [RFC 2883 4] the first block is a duplicate if it lies below the ACK, or within the second. */
static int iip_tcp_is_dsack(const struct iip_tcp_seg *seg)
{
    const struct iip_sack_block *b = seg->sack;
    if (!seg->sacks || !iip_seq_lt(b[0].left, b[0].right))
        return 0;
    if (iip_seq_leq(b[0].right, seg->ack))
        return 1;
    return seg->sacks > 1 && iip_seq_leq(b[1].left, b[0].left) && iip_seq_leq(b[0].right, b[1].right);
}

/* Of what was sent again, and not reported before: bytes that are still to be reported. */
static void iip_tcp_undo_report(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 left = seg->sack[0].left - repair->undo.from;
    iip_u32 right = seg->sack[0].right - repair->undo.from;
    if (left >= right || right > repair->undo.to - repair->undo.from)
        return;
    repair->undo.bytes -= iip_min32(right - left, repair->undo.bytes);
    if (!repair->undo.bytes)
        iip_tcp_undo(stk, conn, iip_seq_max(seg->ack, conn->snd.una));
}

/* [RFC 3522 3.2] steps 4 to 6. An echo older than two timeouts is a lie, or nothing that was ever outstanding. */
static int iip_tcp_undo_echo(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    const struct iip_tcp_repair *repair = conn->repair;
    iip_u32 before = repair->undo.ts - seg->ts_ecr;
    if (!(conn->id.options & seg->has & IIP_HAS_TS) || conn->snd.una != repair->undo.from || !repair->undo.bytes)
        return 0;
    return iip_seq_lt(conn->snd.una, seg->ack) && before && before <= (conn->rto_us >> 9) + 1;
}

IIP_LOCAL int iip_tcp_undo_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    const struct iip_tcp_repair *repair = conn->repair;
    int dsack = (conn->id.options & IIP_HAS_SACK_OK) && iip_tcp_is_dsack(seg);
    if (!repair || !repair->undo.cwnd)
        return dsack;
    if (dsack)
        iip_tcp_undo_report(stk, conn, seg);
    else if (iip_tcp_undo_echo(conn, seg))
        iip_tcp_undo(stk, conn, seg->ack);
    else if (iip_seq_lt(repair->undo.to + (repair->undo.to - repair->undo.from), seg->ack)) /* a round trip too late */
        iip_tcp_undo_forget(conn);
    return dsack;
}

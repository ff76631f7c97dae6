/*
 * recover.c - loss [RFC 5681, 6582, 6675, 3042]: one description of the network for SACK and for plain duplicate ACKs.
 *
 * Of the bytes in [SND.UNA, SND.NXT) some were SACKed; without SACK each duplicate ACK stands for one segment. Those
 * below lost_edge that were not SACKed are lost; those of them below rtx_next were sent again. What remains is the
 * pipe. A timeout merely puts lost_edge at SND.NXT, so SND.NXT itself never goes back.
 */
#include "tcp/tcp.h"

enum { IIP_DUP_THRESH = 3 };

static const struct iip_ranges *iip_tcp_sacked(const struct iip_tcp_conn *conn)
{
    return conn->repair && conn->repair->sacked.n ? &conn->repair->sacked : 0;
}

/* Bytes that left the network by arriving. */
static iip_u32 iip_tcp_arrived(const struct iip_tcp_conn *conn)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    if (sacked)
        return iip_ranges_cover(sacked, conn->snd.una, conn->snd.nxt);
    if (conn->flags & IIP_F_RECOVERY) /* [RFC 5681 3.2] not more than were outstanding, however many ACKs come */
        return iip_min32(conn->dup_acks * conn->mss,
                         conn->recover - iip_seq_min(conn->snd.una + conn->mss, conn->recover));
    return iip_min32(conn->dup_acks, IIP_DUP_THRESH - 1) * conn->mss;
}

/* Bytes of [left, right) that were not SACKed. */
static iip_u32 iip_tcp_holes(const struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    if (!iip_seq_lt(left, right))
        return 0;
    return right - left - (sacked ? iip_ranges_cover(sacked, left, right) : 0);
}

IIP_LOCAL iip_u32 iip_tcp_pipe_disordered(const struct iip_tcp_conn *conn)
{
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 gone = iip_tcp_arrived(conn);
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        gone += iip_tcp_holes(conn, iip_seq_max(conn->rtx_next, conn->snd.una), conn->lost_edge);
    return flight > gone ? flight - gone : 0;
}

IIP_LOCAL int iip_tcp_next_lost(const struct iip_tcp_conn *conn, iip_u32 *seq, iip_u32 *len)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    iip_u32 at = iip_seq_max(conn->rtx_next, conn->snd.una);
    iip_u32 stop = conn->lost_edge;
    iip_u32 i;
    if (sacked) {
        i = iip_ranges_find(sacked, at);
        if (i < sacked->n && iip_seq_leq(sacked->r[i].left, at))
            at = sacked->r[i++].right;
        if (i < sacked->n)
            stop = iip_seq_min(stop, sacked->r[i].left);
    }
    if (!iip_seq_lt(at, stop))
        return 0;
    *seq = at;
    *len = iip_min32(stop - at, conn->mss);
    return 1;
}

/* [RFC 6675 4 IsLost] all that was not SACKed below the third last segment's worth of SACKed bytes is lost. */
static iip_u32 iip_tcp_lost_below(const struct iip_tcp_conn *conn)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    iip_u32 above = 0;
    iip_u32 i;
    if (!sacked)
        return conn->snd.una;
    for (i = sacked->n; i-- > 0;) {
        above += sacked->r[i].right - sacked->r[i].left;
        if (above > (IIP_DUP_THRESH - 1) * (iip_u32)conn->mss || sacked->n - i >= IIP_DUP_THRESH)
            return sacked->r[i].left;
    }
    return conn->snd.una;
}

static void iip_tcp_recovery_begin(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    /* [RFC 5681 3.2 step 2] without what limited transmit added: rtx_next is where SND.NXT stood at the first duplicate */
    iip_u32 flight = (conn->dup_acks ? conn->rtx_next : conn->snd.nxt) - conn->snd.una;
    iip_count(stk, IIP_CTR_TCP_FAST_RETRANS);
    iip_tcp_repair(stk, conn); /* without memory for one, congestion control forgets its history */
    iip_tcp_undo_mark(conn);
    iip_tcp_cc_of(conn)->on_loss(conn, flight);
    conn->cwnd = conn->ssthresh;
    conn->recover = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->lost_edge = iip_seq_max(iip_tcp_lost_below(conn), conn->snd.una + iip_min32(conn->mss, flight));
    conn->flags |= IIP_F_RECOVERY;
    conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
    iip_tcp_touch(stk, conn);
}

/* [RFC 6582 3.2 step 1, RFC 6675 5] not again for the window that is being repaired. */
static int iip_tcp_may_recover(const struct iip_tcp_conn *conn)
{
    return !(conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS)) && conn->snd.una != conn->snd.nxt;
}

IIP_LOCAL void iip_tcp_dup_ack(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->dup_acks && !(conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS)))
        conn->rtx_next = conn->snd.nxt;
    if (!(conn->flags & IIP_F_LOSS) && conn->dup_acks < 0xffff)
        conn->dup_acks++;
    conn->flags |= IIP_F_DISORDER;
    iip_tcp_touch(stk, conn); /* [RFC 3042] a new segment may leave for each of the first two */
    if (conn->dup_acks >= IIP_DUP_THRESH && iip_tcp_may_recover(conn))
        iip_tcp_recovery_begin(stk, conn);
}

/*
 * A block of what was sent and is not acknowledged; others are lies or duplicates [RFC 2018, RFC 2883]. Measured from
 * one end, for of three numbers each may seem to follow the one before it and the last yet lie before the first.
 */
static int iip_tcp_sack_valid(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg,
                              const struct iip_sack_block *b)
{
    iip_u32 low = iip_seq_max(conn->snd.una, seg->ack);
    iip_u32 left = b->left - low;
    iip_u32 right = b->right - low;
    return left && left < right && right <= conn->snd.nxt - low;
}

IIP_LOCAL void iip_tcp_sack_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    struct iip_tcp_repair *repair;
    const struct iip_sack_block *b;
    iip_u32 below;
    iip_u32 i;
    for (i = 0; i < seg->sacks; i++) {
        b = &seg->sack[i];
        if (!iip_tcp_sack_valid(conn, seg, b))
            continue;
        repair = iip_tcp_repair(stk, conn);
        conn->flags |= IIP_F_DISORDER;
        if (repair && iip_tcp_ranges_reserve(stk, &repair->sacked, b->left, b->right))
            iip_ranges_add(&repair->sacked, b->left, b->right, 0);
    }
    below = iip_tcp_lost_below(conn);
    if ((conn->flags & IIP_F_RECOVERY) && iip_seq_lt(conn->lost_edge, below))
        conn->lost_edge = below;
    else if (iip_seq_lt(conn->snd.una, below) && iip_tcp_may_recover(conn))
        iip_tcp_recovery_begin(stk, conn);
}

IIP_LOCAL void iip_tcp_recovery_end(struct iip_tcp_conn *conn)
{
    conn->flags &= ~(iip_u32)(IIP_F_RECOVERY | IIP_F_LOSS);
    conn->dup_acks = 0;
}

IIP_LOCAL void iip_tcp_recovery_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 acked)
{
    iip_u32 segments = acked / conn->mss;
    iip_tcp_touch(stk, conn);
    if (!iip_seq_lt(conn->snd.una, conn->recover)) {
        iip_tcp_recovery_end(conn);
        return;
    }
    /* [RFC 6582 3.2 step 3] a partial ACK: what is first now is lost as well, unless it was sent again already */
    conn->dup_acks = conn->dup_acks > segments ? conn->dup_acks - segments : 0;
    conn->lost_edge = iip_seq_max(conn->lost_edge, iip_seq_min(conn->snd.una + conn->mss, conn->snd.nxt));
}

/* [RFC 6298 5, RFC 5681 3.1 eq. 4] a timeout: everything outstanding counts as lost, SACKed or not [RFC 2018 8]. */
IIP_LOCAL void iip_tcp_loss_begin(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (iip_tcp_repair(stk, conn)) {
        conn->repair->rto_count++;
        conn->repair->sacked.n = 0;
    }
    if (!conn->retries) {
        iip_tcp_undo_mark(conn);
        iip_tcp_cc_of(conn)->on_loss(conn, conn->snd.nxt - conn->snd.una);
        iip_tcp_cc_of(conn)->start(conn); /* [RFC 9438 4.8] no curve leads back to where it was */
    }
    conn->cwnd = conn->mss;
    conn->recover = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->lost_edge = conn->snd.nxt;
    conn->dup_acks = 0;
    conn->flags = (conn->flags & ~(iip_u32)(IIP_F_RECOVERY | IIP_F_RTT_PENDING)) | IIP_F_LOSS;
    iip_tcp_touch(stk, conn);
}

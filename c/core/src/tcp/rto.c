/* rto.c - the retransmission timeout, in microseconds [RFC 6298]. */
#include "tcp/tcp.h"

enum { IIP_RTT_MAX_US = 0x0fffffff };

static iip_u32 iip_tcp_rto_bounded(const struct iip_stack *stk, iip_u32 rto)
{
    return iip_min32(iip_max32(rto, (iip_u32)stk->tune.tcp_rto_min_us), (iip_u32)stk->tune.tcp_rto_max_us);
}

/* [2.2, 2.3] alpha = 1/8, beta = 1/4, K = 4. */
IIP_LOCAL void iip_tcp_rtt_sample(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 rtt_us)
{
    iip_s32 err;
    rtt_us = iip_min32(rtt_us, IIP_RTT_MAX_US);
    if (!rtt_us)
        rtt_us = 1;
    if (!conn->srtt8) {
        conn->srtt8 = rtt_us << 3;
        conn->rttvar4 = rtt_us << 1;
    } else {
        err = (iip_s32)(rtt_us - (conn->srtt8 >> 3));
        conn->srtt8 += (iip_u32)err;
        if (err < 0)
            err = -err;
        conn->rttvar4 += (iip_u32)err - (conn->rttvar4 >> 2);
    }
    conn->rto_us = iip_tcp_rto_bounded(stk, (conn->srtt8 >> 3) + conn->rttvar4);
}

/*
 * [RFC 7323 4] The echo says which transmission arrived, give or take the tick of 1.024 ms in which it was sent. One from
 * before the first transmission, or from the future, is a lie or another segment's, and measures nothing.
 */
IIP_LOCAL void iip_tcp_rtt_echo(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 age = iip_min32((iip_u32)stk->now - conn->rtt_sent, IIP_RTT_MAX_US);
    iip_u32 ticks = iip_tcp_ts_now(stk, conn->ts_off) - seg->ts_ecr;
    if ((conn->id.options & seg->has & IIP_HAS_TS) && ticks <= (age >> 10) + 1)
        iip_tcp_rtt_sample(stk, conn, iip_min32(ticks << 10 | ((iip_u32)stk->now & 1023), age));
}

IIP_LOCAL void iip_tcp_rto_limit(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    const struct iip_tcp_extra *extra = conn->extra;
    if (extra && extra->user_timeout_us && conn->rto_at != IIP_NEVER)
        conn->rto_at = iip_min64(conn->rto_at, extra->stalled_at + extra->user_timeout_us);
    iip_tcp_arm(stk, conn);
}

/* [5.5] with back-off by the retransmissions so far. */
static iip_u32 iip_tcp_rto_backed_off(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    iip_u64 rto = (iip_u64)conn->rto_us << iip_min32(conn->retries, 24);
    return (iip_u32)iip_min64(rto, iip_max32((iip_u32)stk->tune.tcp_rto_max_us, conn->rto_us));
}

/* Of a back-off that is kept: with more, a peer that refuses text again and again is sent a segment in two minutes. */
enum { IIP_RTO_KEPT_MAX_US = 3000000 };

/*
 * [5.7, Karn] what was sent again gives no sample without timestamps, so the back-off outlives its ACK, until a round trip
 * is measured.
 */
IIP_LOCAL void iip_tcp_rto_keep(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (conn->flags & IIP_F_PERSIST) /* there the retries are probes */
        return;
    conn->rto_us = iip_max32(conn->rto_us, iip_min32(iip_tcp_rto_backed_off(stk, conn), IIP_RTO_KEPT_MAX_US));
    iip_tcp_rtt_echo(stk, conn, seg);
}

IIP_LOCAL void iip_tcp_rto_again(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->rto_at = stk->now + iip_tcp_rto_backed_off(stk, conn);
    if (conn->extra && !conn->retries)
        conn->extra->stalled_at = stk->now;
    iip_tcp_rto_limit(stk, conn);
}

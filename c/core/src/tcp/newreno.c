/* newreno.c - slow start, congestion avoidance and halving [RFC 5681 3.1]. */
#include "tcp/tcp.h"

/* [RFC 5681 3.1 eq. 2, RFC 3465 L = 2] */
IIP_LOCAL void iip_tcp_slow_start(struct iip_tcp_conn *conn, iip_u32 acked)
{
    conn->cwnd += iip_min32(acked, 2U * conn->mss);
    if (conn->cwnd > 0x3fffffff)
        conn->cwnd = 0x3fffffff;
}

static void iip_newreno_start(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        conn->repair->cc.w_est = 0;
}

/* One segment a round: bytes acknowledged are counted up to a window [RFC 3465]. Only a loss leads here, so the count is there. */
static void iip_newreno_on_ack(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now)
{
    (void)now;
    if (conn->cwnd < conn->ssthresh) {
        iip_tcp_slow_start(conn, acked);
        return;
    }
    if (!conn->repair)
        return;
    conn->repair->cc.w_est += acked;
    if (conn->repair->cc.w_est < conn->cwnd)
        return;
    conn->repair->cc.w_est -= conn->cwnd;
    conn->cwnd += conn->mss;
}

/* [RFC 5681 3.1 eq. 4] */
static void iip_newreno_on_loss(struct iip_tcp_conn *conn, iip_u32 flight)
{
    conn->ssthresh = iip_max32(flight / 2, 2U * conn->mss);
    iip_newreno_start(conn);
}

static const struct iip_tcp_cc iip_newreno_cc = {"newreno", iip_newreno_start, iip_newreno_on_ack, iip_newreno_on_loss};

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_newreno(void)
{
    return &iip_newreno_cc;
}

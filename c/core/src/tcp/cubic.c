/*
 * cubic.c - CUBIC [RFC 9438] in integers: C = 0.4, beta = 0.7, windows in bytes, time in microseconds.
 *
 * W_cubic(t) = C (t - K)^3 + W_max with windows in segments and t in seconds. With t in units of 2^10 us (about 1 ms)
 * C becomes 0.4 / (10^6 / 2^10)^3 segments; the constant below is its inverse.
 */
#include "base/math64.h"
#include "tcp/tcp.h"

enum { IIP_CUBIC_UNIT_BITS = 10 };

/* (10^6 / 2^10)^3 / 0.4: ticks cubed that one segment is worth. */
static iip_u64 iip_cubic_ticks3(void)
{
    return IIP_U64(0, 2328306437U);
}

static void iip_cubic_start(struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        return;
    conn->repair->cc.w_max = 0;
    conn->repair->cc.epoch_us = 0;
}

/* [4.2] K = cbrt((W_max - cwnd_epoch) / C), in ticks. */
static void iip_cubic_epoch(struct iip_tcp_conn *conn, iip_u64 now)
{
    iip_u32 below = conn->repair->cc.w_max > conn->cwnd ? (conn->repair->cc.w_max - conn->cwnd) / conn->mss : 0;
    conn->repair->cc.epoch_us = conn->repair->cc.seen_us = now ? now : 1;
    conn->repair->cc.w_est = conn->cwnd;
    if (!below)
        conn->repair->cc.w_max = conn->cwnd;
    conn->repair->cc.k = iip_cbrt64(iip_min32(below, 0xffffffU) * iip_cubic_ticks3());
}

/* [4.2, 5.8] Ticks since the epoch, but for pauses in which the window was not what held the application back. */
static iip_u64 iip_cubic_ticks(struct iip_tcp_conn *conn, iip_u64 now)
{
    struct iip_tcp_cc_state *cc = &conn->repair->cc;
    iip_u64 pause = now - cc->seen_us;
    if (pause > (conn->srtt8 >> 2) + conn->rttvar4) /* more than two round trips */
        cc->epoch_us += pause;
    cc->seen_us = now;
    return (now - cc->epoch_us + (conn->srtt8 >> 3)) >> IIP_CUBIC_UNIT_BITS;
}

/* The window in bytes that the function gives `t` ticks after the epoch. */
static iip_u64 iip_cubic_at(const struct iip_tcp_conn *conn, iip_u64 t)
{
    iip_u64 k = conn->repair->cc.k;
    iip_u64 d = iip_min64(t > k ? t - k : k - t, 1 << 18);
    iip_u64 delta = iip_div64(iip_div64(d * d * d, 1024) * conn->mss, iip_cubic_ticks3() / 1024);
    if (t > k)
        return conn->repair->cc.w_max + delta;
    return conn->repair->cc.w_max > delta ? conn->repair->cc.w_max - delta : 0;
}

/*
 * [4.3] the window that Reno would have: alpha = 3 (1 - beta) / (1 + beta) = 0.53 segments a round, and one from where it
 * was before.
 */
static void iip_cubic_reno(struct iip_tcp_conn *conn, iip_u32 acked)
{
    iip_u64 alpha = conn->repair->cc.w_est < conn->repair->cc.prior ? 542 : 1024;
    conn->repair->cc.w_est += (iip_u32)iip_div64((iip_u64)acked * conn->mss * alpha / 1024, conn->cwnd);
}

static void iip_cubic_on_ack(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now)
{
    iip_u64 target;
    if (conn->cwnd < conn->ssthresh) {
        iip_tcp_slow_start(conn, acked);
        return;
    }
    if (!conn->repair)
        return;
    if (!conn->repair->cc.epoch_us)
        iip_cubic_epoch(conn, now);
    target = iip_min64(iip_cubic_at(conn, iip_cubic_ticks(conn, now)), (iip_u64)conn->cwnd + conn->cwnd / 2);
    iip_cubic_reno(conn, acked);
    if (target > conn->cwnd)
        conn->cwnd += (iip_u32)iip_div64((target - conn->cwnd) * iip_min32(acked, conn->cwnd), conn->cwnd);
    if (conn->repair->cc.w_est > conn->cwnd) /* the Reno-friendly region */
        conn->cwnd = conn->repair->cc.w_est;
    if (conn->cwnd > 0x3fffffff)
        conn->cwnd = 0x3fffffff;
}

/* [4.6, 4.7] multiplicative decrease, and fast convergence: a flow that lost before its last maximum leaves room. */
static void iip_cubic_on_loss(struct iip_tcp_conn *conn, iip_u32 flight)
{
    iip_u32 reduced = (iip_u32)iip_div64((iip_u64)iip_min32(flight, conn->cwnd) * 7, 10);
    conn->ssthresh = iip_max32(reduced, 2U * conn->mss);
    if (!conn->repair)
        return;
    if (conn->cwnd < conn->repair->cc.w_max)
        conn->repair->cc.w_max = (iip_u32)iip_div64((iip_u64)conn->cwnd * 17, 20);
    else
        conn->repair->cc.w_max = conn->cwnd;
    conn->repair->cc.prior = conn->cwnd;
    conn->repair->cc.epoch_us = 0;
}

static const struct iip_tcp_cc iip_cubic_cc = {"cubic", iip_cubic_start, iip_cubic_on_ack, iip_cubic_on_loss};

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cubic(void)
{
    return &iip_cubic_cc;
}

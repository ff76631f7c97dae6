/*
 * timer.c - what time brings: retransmission, persist, delayed ACK, keep-alive, FIN-WAIT-2 [RFC 9293 3.8, 3.10.8].
 *
 * A connection has one timer in the wheel, armed at or before the earliest of its three deadlines. A deadline that
 * moves later leaves the timer where it is; when it fires early it is armed anew.
 */
#include "stack/up.h"
#include "tcp/tcp.h"

enum { IIP_CORK_US = 200000 };

static iip_u64 iip_tcp_due(const struct iip_tcp_conn *conn)
{
    return iip_min64(conn->rto_at, iip_min64(conn->ack_at, conn->idle_at));
}

IIP_LOCAL iip_u64 iip_tcp_timer_due(const struct iip_stack *stk, const struct iip_timer *t)
{
    if (t->kind == IIP_TIMER_TCP_MINI)
        return iip_tcp_mini_due(stk);
    return iip_tcp_due(IIP_OUTER(t, const struct iip_tcp_conn, timer));
}

IIP_LOCAL void iip_tcp_arm(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u64 due = iip_tcp_due(conn);
    if (due == IIP_NEVER || (iip_timer_armed(&conn->timer) && conn->timer.at <= due))
        return;
    iip_wheel_set(&stk->wheel, &conn->timer, due);
}

static void iip_tcp_give_up(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason)
{
    iip_count(stk, IIP_CTR_TCP_TIMEOUTS);
    if (conn->id.state >= IIP_TCP_SYN_RECEIVED)
        iip_tcp_reset_send(stk, conn, conn->snd.una); /* the last that it acknowledged */
    iip_tcp_end(stk, conn, reason);
}

/* [RFC 9293 3.8.3] R1 tells, R2 gives up: by the number of retransmissions, or by the user timeout. */
static int iip_tcp_r2_reached(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    if (conn->extra && conn->extra->user_timeout_us)
        return stk->now - conn->extra->stalled_at >= conn->extra->user_timeout_us;
    if (conn->id.state < IIP_TCP_ESTABLISHED)
        return conn->retries >= (conn->extra ? conn->extra->syn_retries : stk->tune.tcp_syn_retries);
    return conn->retries >= stk->tune.tcp_retries;
}

static void iip_tcp_rto_fired(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (stk->held.head) { /* the port is closed, not the network */
        if (conn->extra)
            conn->extra->stalled_at = stk->now;
        iip_tcp_rto_start(stk, conn);
        return;
    }
    if (iip_tcp_r2_reached(stk, conn)) {
        iip_tcp_give_up(stk, conn,
                        conn->id.state < IIP_TCP_ESTABLISHED && conn->extra && conn->extra->error ? conn->extra->error
                                                                                                  : IIP_E_TIMEOUT);
        return;
    }
    iip_count(stk, IIP_CTR_TCP_RTO);
    if (conn->id.state < IIP_TCP_ESTABLISHED) {
        conn->flags = (conn->flags & ~(iip_u32)IIP_F_RTT_PENDING) | IIP_F_ACK_NOW | IIP_F_SYN_LOST;
        iip_tcp_count_rtx(stk, conn);
        iip_tcp_touch(stk, conn);
    } else {
        iip_tcp_loss_begin(stk, conn);
    }
    conn->retries += conn->retries < 255;
    if (conn->retries == stk->tune.tcp_retries1 && !(conn->flags & IIP_F_TOLD_R1)) {
        conn->flags |= IIP_F_TOLD_R1;
        iip_tcp_soft_error(stk, conn, IIP_E_TIMEOUT, 0);
    }
    iip_tcp_rto_start(stk, conn);
}

/*
 * [RFC 9293 3.8.6.1] the first probe one RTO after the window closed, then at doubling intervals, for ever; unless there
 * is a user timeout, which says how long data may wait for a window [RFC 6429].
 */
IIP_LOCAL void iip_tcp_persist_start(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u64 wait = iip_min64((iip_u64)conn->rto_us << iip_min32(conn->probes, 24), stk->tune.tcp_rto_max_us);
    if ((conn->flags & IIP_F_CORK) && conn->snd.wnd >= conn->mss) /* the application holds it back, but not for ever */
        wait = IIP_CORK_US;
    conn->flags |= IIP_F_PERSIST;
    conn->rto_at = stk->now + wait;
    if (conn->extra && !conn->probes && conn->snd.una == conn->snd.nxt)
        conn->extra->stalled_at = stk->now;
    if (!conn->snd.wnd)
        iip_tcp_rto_limit(stk, conn);
}

IIP_LOCAL void iip_tcp_persist_end(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->snd.wnd)
        return;
    conn->flags &= ~(iip_u32)IIP_F_PERSIST;
    conn->probes = 0;
    conn->rto_at = IIP_NEVER;
    if (conn->snd.una == conn->snd.nxt)
        return;
    iip_tcp_undo_forget(conn);
    conn->flags |= IIP_F_LOSS; /* the byte of the probe was not taken: it leaves first */
    conn->recover = conn->lost_edge = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    iip_tcp_rto_start(stk, conn);
}

/* One byte beyond the window, or what a silly window allows. */
static void iip_tcp_probe(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 len = iip_min32(conn->snd.end - conn->snd.una, iip_max32(1, iip_min32(conn->snd.wnd, conn->mss)));
    iip_u32 fin = (conn->flags & IIP_F_FIN_QUEUED) && conn->snd.una + len == conn->snd.end ? IIP_TCP_FIN : 0;
    if ((conn->retries || !conn->snd.wnd) && iip_tcp_r2_reached(stk, conn)) {
        iip_tcp_give_up(stk, conn, IIP_E_TIMEOUT);
        return;
    }
    conn->retries++;
    iip_count(stk, IIP_CTR_TCP_PROBES);
    conn->probes += conn->probes < 255;
    if (iip_tcp_segment(stk, conn, conn->snd.una, len, IIP_TCP_PSH | fin) &&
        iip_seq_lt(conn->snd.nxt, conn->snd.una + len + (fin ? 1 : 0))) {
        conn->snd.nxt = conn->snd.una + len + (fin ? 1 : 0);
        while (conn->snd_cur && iip_seq_leq(conn->snd_cur->seq + conn->snd_cur->len, conn->snd.nxt))
            conn->snd_cur = conn->snd_cur->link;
        if (fin)
            iip_tcp_transit(conn, IIP_EV_SEND_FIN);
    }
    iip_tcp_persist_start(stk, conn);
}

/* [RFC 9293 3.8.4] <SEQ=SND.NXT-1> without text draws an ACK from a live peer. */
static void iip_tcp_keepalive(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una != conn->snd.nxt || iip_seq_lt(conn->snd.nxt, conn->snd.end)) { /* [MUST-26] data is its own probe */
        iip_tcp_idle_restart(stk, conn);
        return;
    }
    if (conn->probes >= (conn->extra ? conn->extra->keepcnt : stk->tune.tcp_keepcnt)) {
        iip_tcp_give_up(stk, conn, IIP_E_TIMEOUT);
        return;
    }
    conn->probes++;
    iip_count(stk, IIP_CTR_TCP_KEEPALIVES);
    iip_tcp_segment(stk, conn, conn->snd.nxt - 1, 0, 0);
    conn->idle_at = stk->now + (conn->extra ? conn->extra->keepintvl_us : stk->tune.tcp_keepintvl_us);
}

/* Something was heard, or the state changed: when is silence too long? */
IIP_LOCAL void iip_tcp_idle_restart(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->idle_at = IIP_NEVER;
    if (conn->id.state == IIP_TCP_FIN_WAIT_2 && (conn->flags & IIP_F_DETACHED)) {
        if (stk->tune.tcp_fin_wait2_us)
            conn->idle_at = stk->now + stk->tune.tcp_fin_wait2_us;
    } else if ((conn->flags & IIP_F_KEEPALIVE) && iip_tcp_receives(conn)) {
        conn->idle_at = stk->now + (conn->extra ? conn->extra->keepidle_us : stk->tune.tcp_keepidle_us);
        if (conn->snd.una == conn->snd.nxt && !(conn->flags & IIP_F_PERSIST))
            conn->probes = 0;
    }
    if (conn->idle_at != IIP_NEVER)
        iip_tcp_arm(stk, conn);
}

static void iip_tcp_idle_fired(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state == IIP_TCP_FIN_WAIT_2 && (conn->flags & IIP_F_DETACHED))
        iip_tcp_end(stk, conn, IIP_E_TIMEOUT); /* the peer never closed, and nobody waits for it */
    else
        iip_tcp_keepalive(stk, conn);
}

IIP_LOCAL void iip_tcp_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_tcp_conn *conn = IIP_OUTER(t, struct iip_tcp_conn, timer);
    if (conn->ack_at <= stk->now) { /* [RFC 9293 3.8.6.3] */
        conn->ack_at = IIP_NEVER;
        if (conn->flags & IIP_F_ACK_DELAYED)
            conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
    }
    if (conn->idle_at <= stk->now) {
        conn->idle_at = IIP_NEVER;
        iip_tcp_idle_fired(stk, conn);
    }
    if (conn->rto_at <= stk->now && conn->id.state != IIP_TCP_CLOSED) {
        conn->rto_at = IIP_NEVER;
        if ((conn->flags & IIP_F_PERSIST) ||
            (!conn->snd.wnd && conn->id.state >= IIP_TCP_ESTABLISHED && conn->snd.una != conn->snd.end + 1))
            iip_tcp_probe(stk, conn);
        else
            iip_tcp_rto_fired(stk, conn);
    }
    if (conn->id.state != IIP_TCP_CLOSED)
        iip_tcp_arm(stk, conn);
}

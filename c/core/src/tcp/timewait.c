/* timewait.c - TIME-WAIT as a small record [RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191], and the queues it shares with half-open connections. */
#include "stack/up.h"
#include "tcp/tcp.h"

enum { IIP_TICK_BITS = 8 }; /* 256 us */

static iip_u32 iip_tcp_tick(iip_u64 us)
{
    return (iip_u32)((us + (1 << IIP_TICK_BITS) - 1) >> IIP_TICK_BITS);
}

/* The time of a tick that lies at most half of their range (six days) ahead or behind. */
static iip_u64 iip_tcp_tick_time(const struct iip_stack *stk, iip_u32 tick)
{
    iip_u64 now = stk->now >> IIP_TICK_BITS;
    return (now + (iip_u64)(iip_s64)(iip_s32)(tick - (iip_u32)now)) << IIP_TICK_BITS;
}

IIP_LOCAL struct iip_tcp_mini *iip_tcp_mini_new(struct iip_stack *stk, iip_u32 family)
{
    struct iip_pool *pool = family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6;
    struct iip_tcp_mini *mini = (struct iip_tcp_mini *)iip_pool_get(stk, pool);
    if (mini)
        IIP_ZERO(mini, sizeof(*mini));
    return mini;
}

IIP_LOCAL void iip_tcp_mini_free(struct iip_stack *stk, struct iip_tcp_mini *mini)
{
    iip_table_del(&stk->tcp->table, &mini->id.node);
    iip_pool_put(mini->id.family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6, mini);
}

/* One timer for all, armed at or before the earliest head: when that leaves its queue the timer stays, as in timer.c. */
static void iip_tcp_mini_arm(struct iip_stack *stk, iip_u64 due)
{
    struct iip_timer *t = &stk->tcp->mini_timer;
    if (due != IIP_NEVER && (!iip_timer_armed(t) || due < t->at))
        iip_wheel_set(&stk->wheel, t, due);
}

IIP_LOCAL void iip_tcp_fifo_put(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini, iip_u64 delay_us)
{
    mini->id.due = iip_tcp_tick(stk->now + delay_us);
    mini->next = 0;
    mini->prev = q->tail;
    if (q->tail)
        q->tail->next = mini;
    else
        q->head = mini;
    q->tail = mini;
    q->count++;
    if (q->head == mini)
        iip_tcp_mini_arm(stk, iip_tcp_tick_time(stk, mini->id.due));
}

IIP_LOCAL void iip_tcp_fifo_del(struct iip_tcp_fifo *q, struct iip_tcp_mini *mini)
{
    if (mini->prev)
        mini->prev->next = mini->next;
    else
        q->head = mini->next;
    if (mini->next)
        mini->next->prev = mini->prev;
    else
        q->tail = mini->prev;
    q->count--;
}

/* The earliest head of the queues. */
IIP_LOCAL iip_u64 iip_tcp_mini_due(const struct iip_stack *stk)
{
    const struct iip_tcp *tcp = stk->tcp;
    iip_u64 due = IIP_NEVER;
    iip_u32 left = tcp->half_count;
    iip_u32 i;
    if (tcp->wait.head)
        due = iip_tcp_tick_time(stk, tcp->wait.head->id.due);
    for (i = 0; left && i < IIP_HALF_QUEUES; left -= tcp->half[i].count, i++) {
        if (tcp->half[i].head)
            due = iip_min64(due, iip_tcp_tick_time(stk, tcp->half[i].head->id.due));
    }
    return due;
}

static struct iip_tcp_mini *iip_tcp_fifo_due(const struct iip_stack *stk, const struct iip_tcp_fifo *q)
{
    return q->head && iip_tcp_tick_time(stk, q->head->id.due) <= stk->now ? q->head : 0;
}

IIP_LOCAL void iip_tcp_mini_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *mini;
    iip_u32 i;
    (void)t;
    while ((mini = iip_tcp_fifo_due(stk, &tcp->wait)) != 0)
        iip_tcp_wait_drop(stk, mini);
    for (i = 0; i < IIP_HALF_QUEUES; i++) {
        while ((mini = iip_tcp_fifo_due(stk, &tcp->half[i])) != 0)
            iip_tcp_half_due(stk, mini);
    }
    iip_tcp_mini_arm(stk, iip_tcp_mini_due(stk));
}

IIP_LOCAL void iip_tcp_wait_drop(struct iip_stack *stk, struct iip_tcp_mini *wait)
{
    iip_tcp_fifo_del(&stk->tcp->wait, wait);
    iip_tcp_mini_free(stk, wait);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: where the connection stands. */
IIP_LOCAL void iip_tcp_mini_ack(struct iip_stack *stk, const struct iip_tcp_mini *mini, iip_u32 wnd)
{
    struct iip_tcp_tuple t;
    struct iip_tcp_secret secret;
    struct iip_tcp_seg seg;
    iip_tcp_tuple_of(&mini->id, &t);
    iip_tcp_secret_of(stk, &t, &secret);
    seg.seq = mini->snd_nxt;
    seg.ack = mini->rcv_nxt;
    seg.flags = IIP_TCP_ACK;
    seg.wnd = wnd;
    seg.has = mini->id.options & IIP_HAS_TS;
    seg.ts_val = iip_tcp_ts_now(stk, secret.ts_off);
    seg.ts_ecr = mini->ts_recent;
    iip_tcp_bare(stk, &t, &seg, 0);
}

/* The connection becomes a record that remembers the tuple for 2 MSL [MUST-13]; without memory for one it is forgotten. */
IIP_LOCAL void iip_tcp_time_wait(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *wait;
    if (tcp->wait.count >= stk->tune.tcp_time_wait_max && tcp->wait.head)
        iip_tcp_wait_drop(stk, tcp->wait.head);
    wait = iip_tcp_mini_new(stk, conn->id.family);
    if (wait) {
        iip_tcp_id_take(stk, &wait->id, IIP_ID_WAIT, &conn->id);
        wait->snd_nxt = conn->snd.nxt;
        wait->rcv_nxt = conn->rcv.nxt;
        wait->ts_recent = conn->ts_recent;
        iip_tcp_fifo_put(stk, &tcp->wait, wait, 2 * stk->tune.tcp_msl_us);
    }
    if ((conn->flags & IIP_F_ACK_ANY) && !iip_tx_full(stk))
        iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0);
    iip_tcp_end(stk, conn, IIP_OK);
}

/* [RFC 6191, RFC 9293 MAY-2] a SYN that is newer than all that was, by timestamp or number, opens the tuple again. */
static int iip_tcp_wait_reopens(const struct iip_tcp_mini *wait, const struct iip_tcp_seg *seg)
{
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_ACK | IIP_TCP_RST | IIP_TCP_FIN)) != IIP_TCP_SYN)
        return 0;
    if (wait->id.options & seg->has & IIP_HAS_TS) {
        if (seg->ts_val != wait->ts_recent)
            return iip_seq_lt(wait->ts_recent, seg->ts_val);
    }
    return iip_seq_lt(wait->rcv_nxt, seg->seq);
}

/* Anything else is answered with an ACK, and the peer's FIN starts the time anew; a RST does not end it [RFC 1337]. */
IIP_LOCAL iip_verdict iip_tcp_wait_input(struct iip_stack *stk, struct iip_tcp_mini *wait, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    struct iip_tcp_listener *lis;
    struct iip_tcp_tuple t;
    iip_u32 used = wait->snd_nxt;
    if (seg->flags & IIP_TCP_RST)
        return IIP_CTR_DROP_TCP_RST;
    if (iip_tcp_wait_reopens(wait, seg)) {
        iip_tcp_tuple_of(&wait->id, &t);
        lis = iip_tcp_listener_for(stk, &t);
        if (lis) {
            iip_count(stk, IIP_CTR_TCP_TIME_WAIT_REUSED);
            iip_tcp_wait_drop(stk, wait);
            return iip_tcp_listen_syn(stk, lis, arr, &used);
        }
    }
    if (!(seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)) && !seg->len && seg->seq == wait->rcv_nxt)
        return IIP_DONE; /* a plain ACK of our FIN */
    if ((seg->flags & IIP_TCP_FIN) && seg->seq + seg->len == wait->rcv_nxt) {
        iip_tcp_fifo_del(&stk->tcp->wait, wait);
        iip_tcp_fifo_put(stk, &stk->tcp->wait, wait, 2 * stk->tune.tcp_msl_us);
        iip_tcp_mini_ack(stk, wait, 0);
        return IIP_DONE;
    }
    if (iip_bucket_take(&stk->tcp->rst_bucket, stk->now, stk->tune.tcp_rst_rate))
        iip_tcp_mini_ack(stk, wait, 0);
    else
        iip_count(stk, IIP_CTR_TCP_LIMITED);
    return IIP_CTR_DROP_TCP_SEQ;
}

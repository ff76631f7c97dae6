/* timewait.c - TIME-WAIT as a small record [RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191]. */
#include "stack/up.h"
#include "tcp/tcp.h"

IIP_LOCAL void iip_tcp_wait_drop(struct iip_stack *stk, struct iip_tcp_mini *wait)
{
    iip_tcp_fifo_del(stk, &stk->tcp->wait, wait);
    iip_tcp_mini_free(stk, wait);
}

/* The connection becomes a record that remembers the tuple for 2 MSL [MUST-13]; without memory for one it is forgotten. */
IIP_LOCAL void iip_tcp_time_wait(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *wait;
    if (tcp->wait.count >= stk->tune.tcp_time_wait_max && tcp->wait.head)
        iip_tcp_wait_drop(stk, iip_tcp_mini_at(tcp, tcp->wait.head));
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

/* Fifth, where the sequence number is acceptable: without ACK bit it is dropped. A SYN never comes so far. */
static int iip_tcp_wait_drops(const struct iip_stack *stk, const struct iip_tcp_mini *wait,
                              const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = iip_tcp_mini_window(stk);
    iip_u32 start = seg->seq - wait->rcv_nxt;
    return !(seg->flags & (IIP_TCP_ACK | IIP_TCP_SYN)) && (start < wnd || (seg->len && start + seg->len - 1 < wnd));
}

/* An ACK for what is out of place: for text, which may be a repetition, and for so many others a second. */
static void iip_tcp_wait_answer(struct iip_stack *stk, struct iip_tcp_mini *wait, const struct iip_tcp_seg *seg)
{
    enum { SECOND = 16 };
    iip_u16 now = (iip_u16)(stk->now >> 16);
    if ((iip_u16)(now - wait->mss) >= SECOND) {
        wait->mss = now;
        wait->id.state = 0;
    }
    iip_tcp_mini_answer(stk, wait, 0, !seg->len || (seg->flags & IIP_TCP_SYN));
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
    if (iip_tcp_wait_drops(stk, wait, seg))
        return IIP_CTR_DROP_TCP_ACK;
    if (!(seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)) && !seg->len && seg->seq == wait->rcv_nxt)
        return IIP_DONE; /* a plain ACK of our FIN */
    if ((seg->flags & IIP_TCP_FIN) && (seg->flags & IIP_TCP_ACK) && seg->seq + seg->len == wait->rcv_nxt) {
        iip_tcp_fifo_del(stk, &stk->tcp->wait, wait);
        iip_tcp_fifo_put(stk, &stk->tcp->wait, wait, 2 * stk->tune.tcp_msl_us);
        iip_tcp_mini_ack(stk, wait, 0);
        return IIP_DONE;
    }
    iip_tcp_wait_answer(stk, wait, seg);
    return IIP_CTR_DROP_TCP_SEQ;
}

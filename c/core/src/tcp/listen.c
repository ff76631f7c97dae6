/*
 * listen.c - SEGMENT ARRIVES in LISTEN [RFC 9293 3.10.7.2], and half-open connections: 56 bytes each [RFC 4987 3.6]
 * until the ACK that completes the handshake. When there are too many, cookies take their place.
 */
#include "tcp/tcp.h"

static iip_u64 iip_tcp_half_delay(const struct iip_stack *stk, iip_u32 retries)
{
    return iip_min64(stk->tune.tcp_rto_initial_us << iip_min32(retries, 16), stk->tune.tcp_rto_max_us);
}

/*
 * <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> with what we agree to, and our window scale; the window of a SYN is never scaled
 * [RFC 7323 2.2].
 */
static void iip_tcp_synack_send(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *syn,
                                iip_u32 options, iip_u32 wscale, const struct iip_tcp_secret *secret)
{
    struct iip_tcp_seg seg;
    seg.seq = secret->iss;
    seg.ack = syn->seq + 1;
    seg.flags = IIP_TCP_SYN | IIP_TCP_ACK;
    seg.wnd = iip_tcp_mini_window(stk);
    stk->tcp->half_wnd = iip_max32(stk->tcp->half_wnd, seg.wnd);
    seg.has = (iip_u8)(options | IIP_HAS_MSS);
    seg.mss = (iip_u16)iip_tcp_mss_offer(stk, t);
    seg.wscale = (iip_u8)wscale;
    seg.ts_val = iip_tcp_ts_now(stk, secret->ts_off);
    seg.ts_ecr = syn->ts_val;
    iip_tcp_bare(stk, t, &seg, (iip_u32)stk->tune.tcp_dscp << 2);
}

/* Options that the SYN offers and that we want. */
static iip_u32 iip_tcp_agree(const struct iip_stack *stk, const struct iip_tcp_seg *syn)
{
    return syn->has & iip_tcp_offers(stk) & ~(iip_u32)IIP_HAS_MSS;
}

/*
 * An ISS above all numbers that we used before on the tuple [RFC 9293 3.6.1 MAY-2]: the clock's, unless the last
 * connection was faster than it. Then so far above that the clock is behind for as long as an RTT is measured by it.
 */
static iip_u32 iip_tcp_iss_above(iip_u32 iss, const iip_u32 *used)
{
    return used && !iip_seq_lt(*used, iss) ? *used + ((iip_u32)1 << 19) : iss;
}

static void iip_tcp_half_open(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *syn,
                              const iip_u32 *used)
{
    struct iip_tcp_secret secret;
    struct iip_tcp_mini *half = 0;
    iip_u32 wscale = iip_tcp_wscale_offer(stk, (iip_u32)stk->tune.tcp_rcvbuf);
    iip_tcp_secret_of(stk, t, &secret);
    secret.iss = iip_tcp_iss_above(secret.iss, used);
    if (stk->tcp->half_count < stk->tune.tcp_half_open_max)
        half = iip_tcp_mini_new(stk, t->family);
    if (!half) {
        iip_count(stk, IIP_CTR_TCP_COOKIES_SENT);
        secret.iss = iip_tcp_cookie_make(stk, t, syn);
        iip_tcp_synack_send(stk, t, syn, 0, 15, &secret);
        return;
    }
    iip_tcp_id_init(stk, &half->id, IIP_ID_HALF, t);
    half->id.options = (iip_u8)iip_tcp_agree(stk, syn);
    half->snd_nxt = secret.iss + 1;
    half->rcv_nxt = syn->seq + 1;
    half->ts_recent = syn->has & IIP_HAS_TS ? syn->ts_val : 0;
    half->mss = (iip_u16)(syn->has & IIP_HAS_MSS ? syn->mss : 0);
    half->wscale = (iip_u8)(wscale << 4 | (syn->has & IIP_HAS_WSCALE ? iip_min32(syn->wscale, 14) : 0));
    if (syn->has & IIP_HAS_MSS)
        half->id.options |= IIP_HAS_MSS;
    stk->tcp->half_count++;
    iip_tcp_fifo_put(stk, &stk->tcp->half[0], half, iip_tcp_half_delay(stk, 0));
    iip_tcp_synack_send(stk, t, syn, half->id.options, wscale, &secret);
}

/* Third: a SYN. `used`: the number behind the last that we sent on the tuple, or null. */
IIP_LOCAL iip_verdict iip_tcp_listen_syn(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                         struct iip_tcp_arrival *arr, const iip_u32 *used)
{
    struct iip_tcp_tuple t;
    if (lis->waiting >= lis->backlog)
        return IIP_CTR_DROP_TCP_BACKLOG;
    iip_tcp_tuple_rx(&t, arr->rx, &arr->seg);
    iip_tcp_half_open(stk, &t, &arr->seg, used);
    return IIP_DONE;
}

IIP_LOCAL iip_verdict iip_tcp_listen_input(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                           struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    struct iip_tcp_conn *conn = 0;
    iip_u64 cookie;

    if (seg->flags & IIP_TCP_RST) /* first: a RST is ignored */
        return IIP_CTR_DROP_TCP_LISTEN;
    iip_tcp_tuple_rx(&t, arr->rx, seg);
    if (seg->flags & IIP_TCP_ACK) { /* second: an ACK is answered with RST, unless it brings back a cookie */
        if (iip_tcp_cookie_check(stk, &t, seg, &syn, &cookie)) {
            if (lis->waiting < lis->backlog && iip_tcp_cookies_ready(stk))
                conn = iip_tcp_accept(stk, lis, &t, 0, &syn, seg->ack - 1);
            if (!conn)
                return IIP_CTR_DROP_TCP_BACKLOG;
            iip_tcp_cookie_used(stk, cookie);
            return iip_tcp_segment_arrives(stk, conn, arr);
        }
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_LISTEN;
    }
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)) != IIP_TCP_SYN) /* fourth: but a SYN; with a FIN only scanners send it */
        return IIP_CTR_DROP_TCP_LISTEN;
    return iip_tcp_listen_syn(stk, lis, arr, 0);
}

IIP_LOCAL void iip_tcp_half_drop(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    iip_tcp_fifo_del(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half);
    stk->tcp->half_count--;
    if (!stk->tcp->half_count)
        stk->tcp->half_wnd = 0;
    iip_tcp_mini_free(stk, half);
}

/* What the peer's SYN said, from the record. */
static void iip_tcp_half_syn(const struct iip_tcp_mini *half, struct iip_tcp_seg *syn)
{
    syn->seq = half->rcv_nxt - 1;
    syn->has = half->id.options;
    syn->ts_val = half->ts_recent;
    syn->wscale = half->wscale & 15;
    syn->mss = half->mss;
}

/* The SYN-ACK once more. */
static void iip_tcp_half_again(struct iip_stack *stk, const struct iip_tcp_mini *half)
{
    struct iip_tcp_secret secret;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    iip_tcp_tuple_of(&half->id, &t);
    iip_tcp_half_syn(half, &syn);
    iip_tcp_secret_of(stk, &t, &secret);
    secret.iss = half->snd_nxt - 1;
    iip_tcp_synack_send(stk, &t, &syn, half->id.options, half->wscale >> 4, &secret);
}

/* The SYN-ACK was not answered in time. */
IIP_LOCAL void iip_tcp_half_due(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    if (half->retries >= stk->tune.tcp_synack_retries) {
        iip_tcp_half_drop(stk, half);
        return;
    }
    iip_tcp_fifo_del(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half);
    half->retries++;
    half->id.state = 0;
    iip_tcp_fifo_put(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half,
                     iip_tcp_half_delay(stk, half->retries));
    iip_count(stk, IIP_CTR_TCP_RETRANS);
    iip_tcp_half_again(stk, half);
}

/* What the peer of a half-open connection was told, or more: tunables may have changed since. */
static iip_u32 iip_tcp_half_window(const struct iip_stack *stk)
{
    return iip_max32(iip_tcp_mini_window(stk), stk->tcp->half_wnd);
}

/* The handshake is complete: a connection takes the place of the record, if there is one; the listener learns of it. */
IIP_LOCAL struct iip_tcp_conn *iip_tcp_accept(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                              const struct iip_tcp_tuple *t, struct iip_tcp_id *half,
                                              const struct iip_tcp_seg *syn, iip_u32 iss)
{
    struct iip_tcp_conn *conn;
    struct iip_ip local = t->local;
    struct iip_path path;
    if (iip_path_find(stk, &local, &t->remote, &path))
        return 0;
    conn = iip_tcp_conn_new(stk, t, half, lis);
    if (!conn) {
        iip_path_drop(stk, &path);
        return 0;
    }
    conn->path = path;
    conn->rtt_sent = (iip_u32)stk->now - ((conn->iss - iss) << 2); /* the ISS is a clock of 4 us plus a constant */
    conn->iss = iss;
    conn->snd.una = conn->snd.nxt = conn->snd.end = iss + 1;
    conn->rcv_wscale = half ? (iip_u8)(iip_tcp_mini_of_id(half)->wscale >> 4) : 15;
    iip_tcp_negotiate(stk, conn, syn);
    conn->rcv.edge = conn->rcv.nxt + iip_tcp_half_window(stk);
    conn->snd.wl1 = syn->seq;
    conn->snd.wl2 = iss;
    conn->flags |= IIP_F_PASSIVE | IIP_F_ACCEPTING;
    lis->waiting++;
    iip_count(stk, IIP_CTR_TCP_PASSIVE);
    iip_tcp_establish(stk, conn);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_ACCEPT);
    return conn;
}

/* A valid ACK: its window is that of an established connection, and it may bring text and FIN. */
static iip_verdict iip_tcp_half_complete(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    iip_u32 iss = half->snd_nxt - 1;
    iip_u32 lost = half->retries;

    iip_tcp_tuple_of(&half->id, &t);
    lis = iip_tcp_listener_for(stk, &t);
    if (!lis) {
        iip_tcp_half_drop(stk, half);
        return iip_tcp_closed_input(stk, arr);
    }
    if (lis->waiting >= lis->backlog)
        return IIP_CTR_DROP_TCP_BACKLOG; /* the SYN-ACK will be sent again, and the peer will answer again */
    iip_tcp_half_syn(half, &syn);
    conn = iip_tcp_accept(stk, lis, &t, &half->id, &syn, iss);
    if (!conn)
        return IIP_CTR_DROP_TCP_MEMORY; /* the record stays, for the peer's next segment */
    iip_tcp_half_drop(stk, half);
    if (lost) {
        conn->cwnd = conn->mss; /* [RFC 5681 3.1] */
        iip_tcp_rtt_echo(stk, conn, &arr->seg);
    } else if ((iip_s32)((iip_u32)stk->now - conn->rtt_sent) >= 0) {
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent); /* since the SYN-ACK */
    }
    return iip_tcp_segment_arrives(stk, conn, arr);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, so many between two SYN-ACKs [RFC 9293 3.10.7.4 first, RFC 5961 3.2] */
static void iip_tcp_half_ack(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    iip_u32 shift = half->id.options & IIP_HAS_WSCALE ? half->wscale >> 4 : 0;
    iip_tcp_mini_answer(stk, half, iip_tcp_half_window(stk) >> shift, 1);
}

/* First: PAWS and the sequence number. A RST is not answered. */
static iip_verdict iip_tcp_half_seq(struct iip_stack *stk, struct iip_tcp_mini *half, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = iip_tcp_half_window(stk);
    iip_u32 start = seg->seq - half->rcv_nxt;
    int rst = (seg->flags & IIP_TCP_RST) != 0;
    iip_verdict verdict = IIP_CTR_DROP_TCP_SEQ;
    if ((half->id.options & seg->has & IIP_HAS_TS) && !rst && iip_seq_lt(seg->ts_val, half->ts_recent))
        verdict = IIP_CTR_DROP_TCP_PAWS;
    else if (start < wnd || (!rst && seg->len && start + seg->len - 1 < wnd))
        return IIP_NEXT_STEP;
    if (!rst)
        iip_tcp_half_ack(stk, half);
    return verdict;
}

/* Second and fourth: RST and SYN, back to LISTEN in silence [MUST-11]. */
static iip_verdict iip_tcp_half_end(struct iip_stack *stk, struct iip_tcp_mini *half, const struct iip_tcp_seg *seg)
{
    if ((seg->flags & IIP_TCP_RST) && seg->seq != half->rcv_nxt) {
        iip_tcp_half_ack(stk, half);
        return IIP_CTR_DROP_TCP_RST;
    }
    iip_tcp_half_drop(stk, half);
    return seg->flags & IIP_TCP_RST ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_TCP_SYN;
}

/* SYN-RECEIVED from LISTEN: the steps of 3.10.7.4, as far as a record without a connection knows them. */
IIP_LOCAL iip_verdict iip_tcp_half_input(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_verdict verdict;
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_ACK | IIP_TCP_RST)) == IIP_TCP_SYN && seg->seq + 1 == half->rcv_nxt) {
        iip_tcp_half_again(stk, half); /* the SYN again: our SYN-ACK was lost */
        return IIP_DONE;
    }
    verdict = iip_tcp_half_seq(stk, half, seg);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    if (seg->flags & (IIP_TCP_RST | IIP_TCP_SYN))
        return iip_tcp_half_end(stk, half, seg);
    if (!(seg->flags & IIP_TCP_ACK)) /* fifth */
        return IIP_CTR_DROP_TCP_ACK;
    if (seg->ack != half->snd_nxt) {
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_ACK;
    }
    return iip_tcp_half_complete(stk, half, arr);
}

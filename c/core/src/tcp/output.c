/* output.c - what may be sent now [RFC 9293 3.8.6.2.1, RFC 5681, RFC 6675 5]: lost bytes, then new ones, then an ACK. */
#include "net/state.h"
#include "stack/up.h"
#include "tcp/tcp.h"
#include "tcp/window.h"

enum { IIP_RETRY_US = 5000 };

/* SND.NXT moves over what was sent for the first time. */
IIP_INLINE void iip_tcp_sent_new(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len, iip_u32 fin)
{
    struct iip_pkt *pkt;
    if (!(conn->flags & IIP_F_RTT_PENDING)) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = conn->snd.nxt;
        conn->rtt_sent = (iip_u32)stk->now;
    }
    conn->snd.nxt += len + fin;
    for (pkt = conn->snd_cur; pkt && iip_seq_leq(pkt->seq + pkt->len, conn->snd.nxt); pkt = pkt->link)
        ;
    conn->snd_cur = pkt;
    if (conn->rto_at == IIP_NEVER || (conn->flags & IIP_F_PERSIST)) {
        conn->flags &= ~(iip_u32)IIP_F_PERSIST;
        iip_tcp_rto_start(stk, conn);
    }
}

static iip_u32 iip_tcp_fin_flag(const struct iip_tcp_conn *conn, iip_u32 right)
{
    return (conn->flags & IIP_F_FIN_QUEUED) && right == conn->snd.end ? IIP_TCP_FIN : 0;
}

/* PSH on the last byte queued [MUST-61]. */
static iip_u32 iip_tcp_push_flag(const struct iip_tcp_conn *conn, iip_u32 len, iip_u32 right)
{
    return len && right == conn->snd.end ? IIP_TCP_PSH : 0;
}

/* A small segment at the end of what was sent takes new bytes along, as far as the window goes. */
static iip_u32 iip_tcp_lost_more(const struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len)
{
    iip_u32 right = conn->snd.una + conn->snd.wnd;
    if (seq + len != conn->snd.nxt || !iip_seq_lt(conn->snd.nxt, conn->snd.end) || !iip_seq_lt(conn->snd.nxt, right))
        return 0;
    return iip_min32(conn->mss - len, iip_seq_min(conn->snd.end, right) - conn->snd.nxt);
}

/* Lost bytes go first, one segment at a time, as the pipe has room; the first one always. */
static int iip_tcp_output_lost(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 seq;
    iip_u32 len;
    iip_u32 more;
    iip_u32 fin;
    iip_u32 pipe;
    while (iip_tcp_next_lost(conn, &seq, &len)) {
        pipe = iip_tcp_pipe(conn);
        if (pipe && pipe + len > conn->cwnd && seq != conn->snd.una)
            return 1;
        if (iip_seq_lt(conn->snd.una + conn->snd.wnd, seq + len) && seq != conn->snd.una)
            return 1; /* [SHLD-16] only inside of the window, however it shrank */
        if (iip_seq_lt(conn->snd.end, seq + len))
            len = conn->snd.end - seq; /* the rest is the FIN */
        more = iip_tcp_lost_more(conn, seq, len);
        len += more;
        fin = more || conn->snd.nxt == conn->snd.end + 1 ? iip_tcp_fin_flag(conn, seq + len) : 0;
        if (!iip_tcp_segment(stk, conn, seq, len, fin | iip_tcp_push_flag(conn, len, seq + len)))
            return 0;
        iip_tcp_undo_sent(stk, conn, len - more);
        conn->rtx_next = seq + len + (fin ? 1 : 0);
        if (more) {
            iip_tcp_sent_new(stk, conn, more, fin ? 1 : 0);
            if (fin)
                iip_tcp_transit(conn, IIP_EV_SEND_FIN);
        }
        iip_tcp_count_rtx(stk, conn);
        if (conn->rto_at == IIP_NEVER)
            iip_tcp_rto_start(stk, conn);
    }
    return 1;
}

/* [RFC 9293 3.7.4, 3.8.6.2.1] may a segment smaller than full size leave? */
static int iip_tcp_small_ok(const struct iip_tcp_conn *conn, iip_u32 len, iip_u32 unsent)
{
    if (len == unsent) {
        if (conn->flags & IIP_F_FIN_QUEUED)
            return 1;
        if (conn->flags & IIP_F_CORK)
            return 0;
        return (conn->flags & (IIP_F_NODELAY | IIP_F_URG_SEND)) || conn->snd.una == conn->snd.nxt;
    }
    return len >= conn->snd.max_wnd / 2; /* the window is small by nature */
}

/* [RFC 5681 4.1] after an idle time the window says nothing about the network any more. */
static void iip_tcp_restart_window(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una == conn->snd.nxt && (iip_u32)stk->now - conn->sent_us > conn->rto_us)
        conn->cwnd = iip_min32(conn->cwnd, (iip_u32)stk->tune.tcp_initcwnd * conn->mss);
}

/* The length of the next segment of new bytes, as the windows allow; 0: none now. */
static iip_u32 iip_tcp_new_len(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 unsent)
{
    iip_u32 right = conn->snd.una + conn->snd.wnd;
    iip_u32 room = iip_seq_lt(conn->snd.nxt, right) ? right - conn->snd.nxt : 0;
    iip_u32 pipe = iip_tcp_pipe(conn);
    iip_u32 quota = conn->cwnd > pipe ? conn->cwnd - pipe : 0;
    iip_u32 most = conn->mss;
    iip_u32 len = iip_min32(unsent, room);

    if ((stk->caps & IIP_CAP_TX_TSO) && !conn->path.loop && len > most && quota >= 2 * most)
        most = iip_min32(stk->tso_max, iip_min32(quota, 65535 - 120)) / conn->mss * conn->mss;
    len = iip_min32(len, most);
    if (quota < iip_min32(len, conn->mss) && pipe)
        return 0;
    if (len > conn->mss)
        return len - (len == unsent ? 0 : len % conn->mss);
    if (len == conn->mss || (len && iip_tcp_small_ok(conn, len, unsent)))
        return len;
    return 0;
}

/* A TSO segment of more than one packet may have too many pieces: it ends before. */
static iip_u32 iip_tcp_pieces_cut(const struct iip_tcp_conn *conn, iip_u32 len)
{
    const struct iip_pkt *pkt = conn->snd_cur;
    iip_u32 right = conn->snd.nxt;
    iip_u32 n = 0;
    if (len <= conn->mss)
        return len;
    for (; pkt && n < 16 && right - conn->snd.nxt < len; pkt = pkt->link, n++)
        right = pkt->seq + pkt->len;
    right -= conn->snd.nxt;
    if (right >= len)
        return len;
    return right > conn->mss ? right - right % conn->mss : right;
}

/* Bytes that were never sent, or a FIN. */
IIP_INLINE int iip_tcp_has_new(const struct iip_tcp_conn *conn)
{
    return iip_seq_lt(conn->snd.nxt, conn->snd.end) ||
        ((conn->flags & IIP_F_FIN_QUEUED) && conn->snd.nxt == conn->snd.end);
}

/* 0 when there was no memory for a segment. */
static int iip_tcp_output_new(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 unsent;
    iip_u32 len;
    iip_u32 fin;
    iip_tcp_restart_window(stk, conn);
    while (iip_tcp_has_new(conn)) {
        unsent = conn->snd.end - conn->snd.nxt;
        len = unsent ? iip_tcp_new_len(stk, conn, unsent) : 0;
        if (unsent && !len)
            break;
        len = iip_tcp_pieces_cut(conn, len);
        fin = iip_tcp_fin_flag(conn, conn->snd.nxt + len);
        if (!len && !fin)
            break;
        if (!iip_tcp_segment(stk, conn, conn->snd.nxt, len, fin | iip_tcp_push_flag(conn, len, conn->snd.nxt + len)))
            return 0;
        iip_tcp_sent_new(stk, conn, len, fin ? 1 : 0);
        if (fin)
            iip_tcp_transit(conn, IIP_EV_SEND_FIN);
    }
    /* nothing in flight, something to send and no way: the window is closed or silly, and a probe must open it */
    if (iip_seq_lt(conn->snd.nxt, conn->snd.end) && conn->snd.una == conn->snd.nxt && !(conn->flags & IIP_F_PERSIST))
        iip_tcp_persist_start(stk, conn);
    return 1;
}

/* No memory for a segment: look again soon, for nobody else will remind us. */
static void iip_tcp_output_later(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->ack_at > stk->now + IIP_RETRY_US)
        conn->ack_at = stk->now + IIP_RETRY_US;
    iip_tcp_arm(stk, conn);
}

static int iip_tcp_output_syn(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!(conn->flags & IIP_F_ACK_NOW))
        return 0;
    if (!iip_tcp_send_syn(stk, conn)) {
        iip_tcp_output_later(stk, conn);
        return 1;
    }
    if (conn->rto_at == IIP_NEVER) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = conn->iss;
        conn->rtt_sent = (iip_u32)stk->now;
        iip_tcp_rto_start(stk, conn);
    }
    iip_tcp_arm(stk, conn);
    return 0;
}

/* 1 when it must stay on the list: an ACK waits for the answer, or there was no memory for a segment. */
IIP_LOCAL int iip_tcp_output(struct iip_stack *stk, struct iip_tcp_conn *conn, int hold)
{
    int sent = 1;
    if (IIP_LIKELY(iip_tcp_plain_output(stk, conn)))
        return 0;
    if (IIP_UNLIKELY(conn->id.state < IIP_TCP_ESTABLISHED))
        return iip_tcp_output_syn(stk, conn);
    if (IIP_UNLIKELY(conn->path.gen != stk->net->gen))
        iip_tcp_path_check(stk, conn);
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        sent = iip_tcp_output_lost(stk, conn);
    if (sent && iip_tcp_has_new(conn))
        sent = iip_tcp_output_new(stk, conn);
    if ((conn->flags & IIP_F_ACK_NOW) || ((conn->flags & IIP_F_ACK_DUE) && !hold))
        sent = iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0) && sent;
    if (IIP_UNLIKELY(!sent))
        iip_tcp_output_later(stk, conn);
    iip_tcp_arm(stk, conn);
    return !sent || (conn->flags & IIP_F_ACK_DUE);
}

/* Once the port refuses, connections keep what they have: what was refused goes first. */
IIP_LOCAL void iip_tcp_output_touched(struct iip_stack *stk, int hold)
{
    struct iip_tcp_conn *conn = stk->tcp->touched_head;
    struct iip_tcp_conn *next;
    stk->tcp->touched_head = 0;
    for (; conn; conn = next) {
        next = conn->touched;
        conn->flags &= ~(iip_u32)IIP_F_TOUCHED;
        if (stk->held.head || iip_tcp_output(stk, conn, hold))
            iip_tcp_touch(stk, conn);
    }
}

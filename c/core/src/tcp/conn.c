/* conn.c - a connection's birth, its agreement with the peer, and its end. */
#include "base/math64.h"
#include "stack/up.h"
#include "tcp/tcp.h"

enum { IIP_CONNS_CHUNK = 32, IIP_IP6_BYTES = 2 * sizeof(struct iip_ip), IIP_RANGES_FIRST = 8 };

IIP_LOCAL int iip_tcp_new(struct iip_stack *stk)
{
    struct iip_tcp *tcp = (struct iip_tcp *)iip_mem_zalloc(stk, sizeof(*tcp));
    struct iip_table_mem mem;
    if (!tcp)
        return -1;
    stk->tcp = tcp;
    iip_pool_init(&tcp->conns4, sizeof(struct iip_tcp_conn), IIP_CONNS_CHUNK);
    iip_pool_init(&tcp->conns6, ((sizeof(struct iip_tcp_conn) + 7) & ~7U) + IIP_IP6_BYTES, IIP_CONNS_CHUNK);
    iip_tcp_minis_init(&tcp->minis4, sizeof(struct iip_tcp_mini));
    iip_tcp_minis_init(&tcp->minis6, ((sizeof(struct iip_tcp_mini) + 7) & ~7U) + IIP_IP6_BYTES);
    tcp->mini_timer.kind = IIP_TIMER_TCP_MINI;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&tcp->table, &mem);
}

static void iip_tcp_last_free(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* Ended connections whose CLOSED note was never taken still hold received packets; they wait on the ready list. */
static void iip_tcp_free_all(struct iip_stack *stk)
{
    struct iip_node *node = iip_table_next(&stk->tcp->table, 0);
    struct iip_node *next;
    struct iip_tcp_id *id;
    struct iip_ready *ready;
    for (; node; node = next) {
        next = iip_table_next(&stk->tcp->table, node);
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (id->kind == IIP_ID_CONN)
            iip_tcp_end(stk, iip_tcp_conn_of_id(id), IIP_OK);
    }
    for (ready = stk->ready_head; ready; ready = ready->next) {
        if (ready->kind == IIP_READY_TCP)
            iip_tcp_last_free(stk, IIP_OUTER(ready, struct iip_tcp_conn, ready));
    }
}

IIP_LOCAL void iip_tcp_free(struct iip_stack *stk)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_listener *lis;
    iip_u32 i;
    if (tcp->table.seg)
        iip_tcp_free_all(stk);
    for (i = 0; i < IIP_LISTEN_BUCKETS; i++) {
        while ((lis = tcp->listeners[i]) != 0) {
            tcp->listeners[i] = lis->next;
            iip_mem_free(stk, lis, sizeof(*lis));
        }
    }
    iip_wheel_cancel(&stk->wheel, &tcp->mini_timer);
    iip_table_free(&tcp->table);
    iip_pool_free(stk, &tcp->conns4);
    iip_pool_free(stk, &tcp->conns6);
    iip_tcp_minis_free(stk, &tcp->minis4);
    iip_tcp_minis_free(stk, &tcp->minis6);
    iip_tcp_cookies_free(stk);
    iip_mem_free(stk, tcp, sizeof(*tcp));
    stk->tcp = 0;
}

static void iip_tcp_conn_defaults(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    const struct iip_tune *tune = &stk->tune;
    conn->rto_at = conn->ack_at = conn->idle_at = IIP_NEVER;
    conn->rto_us = (iip_u32)tune->tcp_rto_initial_us;
    conn->rcvbuf = (iip_u32)tune->tcp_rcvbuf;
    conn->sndbuf = (iip_u32)tune->tcp_sndbuf;
    conn->ttl = (iip_u8)tune->tcp_ttl;
    conn->tos = (iip_u8)(tune->tcp_dscp << 2);
    conn->cc = (iip_u8)tune->tcp_cc;
    conn->quickacks = (iip_u8)iip_min64(tune->tcp_quickack, 255);
    conn->ready.half = conn->id.family == 4 ? 536 : 1220; /* [RFC 9293 3.7.1 MUST-15] */
    if (tune->tcp_nodelay)
        conn->flags |= IIP_F_NODELAY;
    if (tune->tcp_keepalive)
        conn->flags |= IIP_F_KEEPALIVE;
}

IIP_LOCAL struct iip_tcp_conn *iip_tcp_conn_new(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                                struct iip_tcp_id *from, void *user)
{
    struct iip_pool *pool = t->family == 4 ? &stk->tcp->conns4 : &stk->tcp->conns6;
    struct iip_tcp_conn *conn = (struct iip_tcp_conn *)iip_pool_get(stk, pool);
    struct iip_tcp_secret secret;
    if (!conn)
        return 0;
    IIP_ZERO(conn, sizeof(*conn));
    if (from)
        iip_tcp_id_take(stk, &conn->id, IIP_ID_CONN, from);
    else
        iip_tcp_id_init(stk, &conn->id, IIP_ID_CONN, t);
    conn->ready.kind = IIP_READY_TCP;
    conn->timer.kind = IIP_TIMER_TCP;
    conn->user = user;
    iip_tcp_secret_of(stk, t, &secret);
    conn->iss = secret.iss;
    conn->ts_off = secret.ts_off;
    iip_tcp_conn_defaults(stk, conn);
    if (stk->tune.tcp_user_timeout_us)
        iip_tcp_extra(stk, conn);
    return conn;
}

IIP_LOCAL void iip_tcp_touch(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp *tcp = stk->tcp;
    if (conn->flags & IIP_F_TOUCHED)
        return;
    conn->flags |= IIP_F_TOUCHED;
    conn->touched = 0;
    if (tcp->touched_head)
        tcp->touched_tail->touched = conn;
    else
        tcp->touched_head = conn;
    tcp->touched_tail = conn;
}

/* A connection may end while it is on the list: rare, and the list is as short as a burst. */
static void iip_tcp_untouch(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_conn **link = &stk->tcp->touched_head;
    struct iip_tcp_conn *last = 0;
    if (!(conn->flags & IIP_F_TOUCHED))
        return;
    conn->flags &= ~(iip_u32)IIP_F_TOUCHED;
    for (; *link && *link != conn; link = &(*link)->touched)
        last = *link;
    if (!*link)
        return;
    *link = conn->touched;
    if (stk->tcp->touched_tail == conn)
        stk->tcp->touched_tail = last;
}

IIP_LOCAL void iip_tcp_notify(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 note_flag)
{
    if ((conn->flags & IIP_F_DETACHED) && note_flag != IIP_F_NOTE_CLOSED)
        return;
    conn->flags |= note_flag;
    iip_ready_put(stk, &conn->ready);
}

IIP_LOCAL void iip_tcp_soft_error(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 status, iip_u32 value)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return;
    extra->error = status;
    extra->error_value = value;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_ERROR);
}

static void iip_tcp_queue_free(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->link;
        iip_pkt_free(stk, pkt);
    }
}

static void iip_tcp_ranges_free(struct iip_stack *stk, struct iip_ranges *set)
{
    iip_u32 i;
    for (i = 0; i < set->n; i++)
        iip_tcp_queue_free(stk, set->r[i].head);
    iip_mem_free(stk, set->r, set->cap * sizeof(*set->r));
    set->r = 0;
    set->n = 0;
    set->cap = 0;
}

static void iip_tcp_repair_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        return;
    iip_tcp_ranges_free(stk, &conn->repair->sacked);
    iip_tcp_ranges_free(stk, &conn->repair->ooo);
    iip_mem_free(stk, conn->repair, sizeof(*conn->repair));
    conn->repair = 0;
}

IIP_LOCAL struct iip_tcp_extra *iip_tcp_extra(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra = conn->extra;
    if (extra)
        return extra;
    extra = (struct iip_tcp_extra *)iip_mem_zalloc(stk, sizeof(*extra));
    if (!extra)
        return 0;
    extra->user_timeout_us = stk->tune.tcp_user_timeout_us;
    extra->keepidle_us = stk->tune.tcp_keepidle_us;
    extra->keepintvl_us = (iip_u32)stk->tune.tcp_keepintvl_us;
    extra->keepcnt = (iip_u8)stk->tune.tcp_keepcnt;
    extra->syn_retries = (iip_u8)stk->tune.tcp_syn_retries;
    extra->stalled_at = stk->now;
    if (conn->rto_at != IIP_NEVER && !conn->retries && !(conn->flags & IIP_F_PERSIST))
        extra->stalled_at = conn->rto_at - conn->rto_us; /* when the clock was started */
    conn->extra = extra;
    return extra;
}

IIP_LOCAL iip_u64 iip_tcp_user_timeout(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    return conn->extra ? conn->extra->user_timeout_us : stk->tune.tcp_user_timeout_us;
}

IIP_LOCAL struct iip_tcp_repair *iip_tcp_repair(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        conn->repair = (struct iip_tcp_repair *)iip_mem_zalloc(stk, sizeof(*conn->repair));
    return conn->repair;
}

/* Room for one more range, unless it joins one that is there; 0: none to be had. */
IIP_LOCAL int iip_tcp_ranges_reserve(struct iip_stack *stk, struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 cap = set->cap ? set->cap * 2 : (iip_u32)IIP_RANGES_FIRST;
    struct iip_range *r;
    if (iip_ranges_fits(set, left, right))
        return 1;
    if (cap > IIP_RANGES_MAX)
        return 0;
    r = (struct iip_range *)iip_mem_alloc(stk, cap * sizeof(*r));
    if (!r)
        return 0;
    if (set->n)
        IIP_COPY(r, set->r, set->n * sizeof(*r));
    iip_mem_free(stk, set->r, set->cap * sizeof(*r));
    set->r = r;
    set->cap = cap;
    return 1;
}

/* Frees all but what the CLOSED note needs; data that waits to be taken stays until then, unless it was a reset. */
IIP_LOCAL void iip_tcp_end(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason)
{
    if (conn->flags & IIP_F_NOTE_CLOSED)
        return;
    iip_count(stk, IIP_CTR_TCP_CLOSED);
    iip_table_del(&stk->tcp->table, &conn->id.node);
    if (stk->tcp->recent == conn)
        stk->tcp->recent = 0;
    iip_wheel_cancel(&stk->wheel, &conn->timer);
    iip_tcp_untouch(stk, conn);
    iip_tcp_queue_free(stk, conn->snd_head);
    conn->snd_head = conn->snd_cur = conn->snd_tail = 0;
    iip_tcp_repair_free(stk, conn);
    iip_path_drop(stk, &conn->path);
    conn->id.state = IIP_TCP_CLOSED;
    conn->timer.word = (iip_u32)reason;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CLOSED);
}

/* What a connection keeps until its CLOSED note is taken: received packets, and options. */
static void iip_tcp_last_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_pkt *head;
    iip_mem_free(stk, conn->extra, sizeof(*conn->extra));
    conn->extra = 0;
    if (!conn->rcv_tail)
        return;
    head = conn->rcv_tail->link;
    conn->rcv_tail->link = 0;
    conn->rcv_tail = 0;
    iip_tcp_queue_free(stk, head);
}

/* The CLOSED note was taken. */
IIP_LOCAL void iip_tcp_conn_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_last_free(stk, conn);
    iip_pool_put(conn->id.family == 4 ? &stk->tcp->conns4 : &stk->tcp->conns6, conn);
}

/* A connection that its listener never saw ends without a note. */
IIP_LOCAL void iip_tcp_unaccepted(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_listener_of(conn)->waiting--;
    if (conn->id.state != IIP_TCP_CLOSED)
        iip_tcp_end(stk, conn, IIP_E_ABORTED);
    iip_ready_del(stk, &conn->ready);
    iip_tcp_conn_free(stk, conn);
}

/* [RFC 9293 3.7.1] announced: the link's MTU less fixed headers, or less if so tuned. */
IIP_LOCAL iip_u32 iip_tcp_mss_offer(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u32 mss = (iip_u32)stk->tune.mtu - (t->family == 4 ? 40 : 60);
    if (stk->tune.tcp_mss)
        mss = iip_min32(mss, (iip_u32)stk->tune.tcp_mss);
    return mss;
}

/* [RFC 9293 3.7.1 MUST-16] Eff.snd.MSS = min(SendMSS, MMS_S) - options. */
IIP_LOCAL void iip_tcp_mss_update(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 headers = conn->id.family == 4 ? 40 : 60;
    iip_u32 mtu = conn->path.valid ? conn->path.mtu : (iip_u32)stk->tune.mtu;
    iip_u32 mss = iip_min32(conn->ready.half, mtu - headers);
    if (stk->tune.tcp_mss)
        mss = iip_min32(mss, (iip_u32)stk->tune.tcp_mss);
    mss = iip_max32(mss, 88); /* a smaller announcement makes work, not sense (CVE-2019-11479) */
    if (conn->id.options & IIP_HAS_TS)
        mss -= IIP_TCP_TS_LEN;
    conn->mss = (iip_u16)iip_min32(mss, 65000);
}

/* Addresses, routes or path MTUs changed: segments are cut as the path is now. */
IIP_LOCAL void iip_tcp_path_check(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    if (!iip_path_renew(stk, &t.local, &t.remote, &conn->path))
        iip_tcp_mss_update(stk, conn);
}

IIP_LOCAL iip_u32 iip_tcp_offers(const struct iip_stack *stk)
{
    iip_u32 placed = stk->syn_digits;
    iip_u32 has = IIP_HAS_MSS;
    if (stk->tune.tcp_timestamps && (placed >> IIP_OPT_TS & 1))
        has |= IIP_HAS_TS;
    if (stk->tune.tcp_sack && (placed >> IIP_OPT_SACK_OK & 1))
        has |= IIP_HAS_SACK_OK;
    if (stk->tune.tcp_wscale != 15 && (placed >> IIP_OPT_WSCALE & 1))
        has |= IIP_HAS_WSCALE;
    return has;
}

/* The shift that lets the window field name the whole receive buffer; 15: do not offer the option. */
IIP_LOCAL iip_u32 iip_tcp_wscale_offer(const struct iip_stack *stk, iip_u32 rcvbuf)
{
    iip_u32 log2 = iip_log2_64(rcvbuf);
    if (!(iip_tcp_offers(stk) & IIP_HAS_WSCALE))
        return 15;
    if (stk->tune.tcp_wscale < 15)
        return (iip_u32)stk->tune.tcp_wscale;
    return log2 <= 15 ? 0 : iip_min32(log2 - 15, 14);
}

IIP_LOCAL void iip_tcp_negotiate(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 shift = conn->rcv_wscale;
    iip_u32 has = conn->id.state == IIP_TCP_SYN_SENT ? seg->has & conn->id.options : seg->has;
    conn->rcv_wscale = 0;
    conn->id.word = seg->seq;
    conn->rcv.nxt = conn->rcv.acked = seg->seq + 1;
    conn->rcv.edge = conn->rcv.nxt;
    conn->id.options = 0;
    if (has & IIP_HAS_TS) {
        conn->id.options |= IIP_HAS_TS;
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
    }
    if (has & IIP_HAS_SACK_OK)
        conn->id.options |= IIP_HAS_SACK_OK;
    if ((has & IIP_HAS_WSCALE) && shift <= 14) { /* [RFC 7323 2.3] more than 14 counts as 14 */
        conn->id.options |= IIP_HAS_WSCALE;
        conn->snd_wscale = (iip_u8)iip_min32(seg->wscale, 14);
        conn->rcv_wscale = (iip_u8)shift;
    }
    if (seg->has & IIP_HAS_MSS)
        conn->ready.half = seg->mss;
    iip_tcp_mss_update(stk, conn);
}

/* [RFC 6928] and, after a lost SYN, [RFC 5681 3.1] one segment and [RFC 6298 5.7] an RTO of 3 s at least. */
static iip_u32 iip_tcp_initial_window(const struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 segments = (iip_u32)stk->tune.tcp_initcwnd;
    if (!(conn->flags & IIP_F_SYN_LOST))
        return segments * conn->mss;
    if (!(conn->id.options & IIP_HAS_TS))
        conn->rto_us = iip_max32(conn->rto_us, 3000000);
    return conn->mss;
}

IIP_LOCAL void iip_tcp_establish(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->id.state = IIP_TCP_ESTABLISHED;
    conn->rto_at = IIP_NEVER;
    conn->retries = 0;
    conn->flags &= ~(iip_u32)IIP_F_TOLD_R1;
    conn->cwnd = iip_tcp_initial_window(stk, conn);
    conn->ssthresh = 0x7fffffff;
    iip_tcp_cc_of(conn)->start(conn);
    iip_tcp_idle_restart(stk, conn);
}

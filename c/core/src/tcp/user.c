/* user.c - the user's calls [RFC 9293 3.9.1, 3.10.1 - 3.10.6]: OPEN, SEND, RECEIVE, CLOSE, ABORT. */
#include "tcp/tcp.h"
#include "tcp/window.h"

enum { IIP_PKT_FILL = 1 }; /* pkt->aux: written by copy, more may be copied behind */

/* Family and address as one: 0.0.0.0 is the any address of IPv4, :: with family 0 that of both. */
static int iip_tcp_endpoint(struct iip_endpoint *out, const struct iip_endpoint *in)
{
    *out = *in;
    if (in->family != 0 && in->family != 4 && in->family != 6)
        return IIP_E_INVAL;
    if (iip_ip_is_v4(&in->ip)) {
        if (in->family == 6)
            return IIP_E_INVAL;
        out->family = 4;
        if (!iip_raw32(in->ip.b + 12))
            IIP_ZERO(&out->ip, sizeof(out->ip));
    } else if (!iip_ip_any(&in->ip)) {
        if (in->family == 4)
            return IIP_E_INVAL;
        out->family = 6;
    }
    return IIP_OK;
}

static int iip_tcp_listener_clashes(const struct iip_tcp_listener *a, const struct iip_endpoint *b)
{
    if (a->local.port != b->port || !iip_ip_same(&a->local.ip, &b->ip))
        return 0;
    return !a->local.family || !b->family || a->local.family == b->family;
}

IIP_API int iip_tcp_listen(struct iip_stack *stk, const struct iip_endpoint *local, iip_u32 backlog, void *user,
                           struct iip_tcp_listener **out)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_listener **bucket;
    struct iip_endpoint end;
    int status = iip_tcp_endpoint(&end, local);
    if (status || !end.port)
        return IIP_E_INVAL;
    if (!iip_ip_any(&end.ip) && !iip_addr_is_ours(stk, &end.ip))
        return IIP_E_ADDR_NOT_AVAIL;
    bucket = &stk->tcp->listeners[end.port % IIP_LISTEN_BUCKETS];
    for (lis = *bucket; lis; lis = lis->next) {
        if (iip_tcp_listener_clashes(lis, &end))
            return IIP_E_ADDR_IN_USE;
    }
    lis = (struct iip_tcp_listener *)iip_mem_zalloc(stk, sizeof(*lis));
    if (!lis)
        return IIP_E_NOMEM;
    lis->local = end;
    lis->backlog = iip_max32(backlog, 1);
    lis->user = user;
    lis->next = *bucket;
    *bucket = lis;
    *out = lis;
    return IIP_OK;
}

IIP_API void iip_tcp_backlog_set(struct iip_tcp_listener *lis, iip_u32 backlog)
{
    lis->backlog = backlog;
}

/* Those that wait to be accepted stand on the list of those that have something to say. */
static void iip_tcp_reset_waiting(struct iip_stack *stk, const struct iip_tcp_listener *lis)
{
    struct iip_ready *ready = stk->ready_head;
    struct iip_ready *next;
    struct iip_tcp_conn *conn;
    for (; ready && lis->waiting; ready = next) {
        next = ready->next;
        if (ready->kind != IIP_READY_TCP)
            continue;
        conn = IIP_OUTER(ready, struct iip_tcp_conn, ready);
        if (!(conn->flags & IIP_F_ACCEPTING) || iip_tcp_listener_of(conn) != lis)
            continue;
        if (conn->id.state != IIP_TCP_CLOSED)
            iip_tcp_reset_send(stk, conn, conn->snd.nxt);
        iip_tcp_unaccepted(stk, conn);
    }
}

IIP_API void iip_tcp_unlisten(struct iip_stack *stk, struct iip_tcp_listener *lis)
{
    struct iip_tcp_listener **link = &stk->tcp->listeners[lis->local.port % IIP_LISTEN_BUCKETS];
    while (*link && *link != lis)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = lis->next;
    iip_tcp_reset_waiting(stk, lis);
    iip_mem_free(stk, lis, sizeof(*lis));
}

/* Checks both ends of an active open and fills the tuple, local port still 0 where it is to be chosen. */
static int iip_tcp_connect_tuple(struct iip_stack *stk, const struct iip_endpoint *local,
                                 const struct iip_endpoint *peer, struct iip_tcp_tuple *t, struct iip_path *path)
{
    struct iip_endpoint from;
    struct iip_endpoint to;
    int status;
    if (iip_tcp_endpoint(&to, peer) || !to.port || iip_ip_any(&to.ip))
        return IIP_E_INVAL;
    if (!iip_addr_is_unicast(stk, &to.ip) && !iip_addr_is_ours(stk, &to.ip)) /* [RFC 9293 3.9.1.1 MUST-46] */
        return IIP_E_INVAL;
    IIP_ZERO(&from, sizeof(from));
    if (local && iip_tcp_endpoint(&from, local))
        return IIP_E_INVAL;
    if (from.family && from.family != to.family)
        return IIP_E_INVAL;
    if (!iip_ip_any(&from.ip) && !iip_addr_is_ours(stk, &from.ip))
        return IIP_E_ADDR_NOT_AVAIL;
    t->family = (iip_u8)to.family;
    t->local = from.ip;
    t->remote = to.ip;
    t->local_port = from.port;
    t->remote_port = to.port;
    status = iip_path_find(stk, &t->local, &t->remote, path); /* [MUST-43, MUST-44] */
    if (status)
        return status;
    if (!t->local_port)
        status = iip_tcp_port_choose(stk, t);
    else if (iip_tcp_lookup_tuple(stk, t) || (iip_ip_same(&t->local, &t->remote) && t->local_port == t->remote_port))
        status = IIP_E_ADDR_IN_USE;
    if (status)
        iip_path_drop(stk, path);
    return status;
}

IIP_API int iip_tcp_connect(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                            void *user, struct iip_tcp_conn **out)
{
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    struct iip_path path;
    int status = iip_tcp_connect_tuple(stk, local, peer, &t, &path);
    if (status)
        return status;
    conn = iip_tcp_conn_new(stk, &t, 0, user);
    if (!conn) {
        iip_path_drop(stk, &path);
        return IIP_E_NOMEM;
    }
    conn->path = path;
    conn->id.state = IIP_TCP_SYN_SENT;
    conn->snd.una = conn->iss;
    conn->snd.nxt = conn->snd.end = conn->iss + 1;
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_mss_update(stk, conn);
    iip_tcp_touch(stk, conn);
    iip_count(stk, IIP_CTR_TCP_ACTIVE);
    *out = conn;
    return IIP_OK;
}

/* ---- SEND ---- */

static int iip_tcp_send_check(struct iip_tcp_conn *conn, iip_u32 *room)
{
    iip_u32 queued = conn->snd.end - conn->snd.una;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    if (conn->flags & IIP_F_FIN_QUEUED)
        return IIP_E_SHUTDOWN;
    if (queued >= conn->sndbuf) {
        conn->flags |= IIP_F_WANT_WRITE;
        return IIP_E_AGAIN;
    }
    *room = conn->sndbuf - queued;
    return IIP_OK;
}

/* No frame or view could be had: a note comes with the next ACK, if there is anything to acknowledge. */
static void iip_tcp_want(struct iip_tcp_conn *conn)
{
    if (conn->snd_head)
        conn->flags |= IIP_F_WANT_WRITE;
}

static void iip_tcp_enqueue(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    pkt->link = 0;
    pkt->next = 0;
    pkt->aux = 0;
    pkt->seq = conn->snd.end;
    conn->snd.end += pkt->len;
    if (conn->snd_tail)
        conn->snd_tail->link = pkt;
    else
        conn->snd_head = pkt;
    conn->snd_tail = pkt;
    if (!conn->snd_cur)
        conn->snd_cur = pkt;
}

static void iip_tcp_queued(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state >= IIP_TCP_ESTABLISHED)
        iip_tcp_touch(stk, conn);
}

/* The whole chain: each view becomes a packet of the queue. */
static void iip_tcp_send_all(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->next;
        if (pkt->len) {
            iip_tcp_enqueue(conn, pkt);
        } else {
            pkt->next = 0;
            iip_pkt_free(stk, pkt);
        }
    }
}

/* The first view is used up: the next one takes its place in the same packet. */
static void iip_tcp_absorb_next(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next = pkt->next;
    struct iip_frame *frame = pkt->frame;
    pkt->frame = next->frame;
    pkt->data = next->data;
    pkt->len = next->len;
    pkt->next = next->next;
    next->frame = frame;
    next->next = 0;
    iip_pkt_free(stk, next);
}

/* Only `room` bytes: views of what fits are queued, the packet keeps the rest. */
static iip_u32 iip_tcp_send_part(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 room)
{
    struct iip_pkt *view;
    iip_u32 taken = 0;
    iip_u32 part;
    while (taken < room) {
        part = iip_min32(pkt->len, room - taken);
        if (part) {
            view = iip_pkt_view(stk, pkt, pkt->data, part);
            if (!view)
                break;
            iip_tcp_enqueue(conn, view);
        }
        pkt->data += part;
        pkt->len -= part;
        taken += part;
        if (!pkt->len && pkt->next)
            iip_tcp_absorb_next(stk, pkt);
    }
    iip_tcp_want(conn);
    return taken;
}

/* A chain, or more than there is room for. */
IIP_APART static iip_s32 iip_tcp_send_chain(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                            iip_u32 room)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    iip_u32 taken = bytes;
    if (bytes <= room)
        iip_tcp_send_all(stk, conn, pkt);
    else
        taken = iip_tcp_send_part(stk, conn, pkt, room);
    iip_tcp_queued(stk, conn);
    return taken || !bytes ? (iip_s32)taken : IIP_E_NOBUFS;
}

IIP_API iip_s32 iip_tcp_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    iip_u32 room;
    int status = iip_tcp_send_check(conn, &room);
    if (status)
        return status;
    if (IIP_UNLIKELY(pkt->next || !pkt->len || pkt->len > room))
        return iip_tcp_send_chain(stk, conn, pkt, room);
    iip_tcp_enqueue(conn, pkt);
    iip_tcp_queued(stk, conn);
    return (iip_s32)pkt->len;
}

/* Room behind the last packet, while none of it was sent: so segments begin where packets begin. */
static iip_u32 iip_tcp_fill_room(const struct iip_tcp_conn *conn, iip_u32 full)
{
    const struct iip_pkt *tail = conn->snd_tail;
    iip_u32 space;
    if (!tail || tail->aux != IIP_PKT_FILL || !iip_seq_leq(conn->snd.nxt, tail->seq) || tail->len >= full)
        return 0;
    space = (iip_u32)(tail->frame->base + tail->frame->size - (tail->data + tail->len));
    return iip_min32(space, full - tail->len);
}

/* One packet for bytes that fit into a segment and follow nothing that waits: the request or the answer. */
static int iip_tcp_write_one(struct iip_stack *stk, struct iip_tcp_conn *conn, const void *bytes, iip_u32 len)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, conn->mss);
    if (!pkt) {
        iip_tcp_want(conn);
        return IIP_E_NOBUFS;
    }
    pkt->len = len;
    IIP_COPY(pkt->data, bytes, len);
    iip_tcp_enqueue(conn, pkt);
    pkt->aux = IIP_PKT_FILL;
    iip_tcp_queued(stk, conn);
    return (int)len;
}

/* Fills the last packet, then as many as it takes. */
IIP_APART static iip_s32 iip_tcp_write_many(struct iip_stack *stk, struct iip_tcp_conn *conn, const iip_u8 *from,
                                            iip_u32 len, iip_u32 room)
{
    iip_u32 full = conn->mss;
    iip_u32 part;
    iip_u32 done = 0;
    struct iip_pkt *pkt;
    if (len > room)
        conn->flags |= IIP_F_WANT_WRITE;
    len = iip_min32(iip_min32(len, room), 0x7fffffff);
    while (done < len) {
        part = iip_min32(iip_tcp_fill_room(conn, full), len - done);
        if (!part) {
            pkt = iip_pkt_alloc(stk, full);
            if (!pkt) {
                iip_tcp_want(conn);
                break;
            }
            iip_tcp_enqueue(conn, pkt);
            pkt->aux = IIP_PKT_FILL;
            continue;
        }
        pkt = conn->snd_tail;
        IIP_COPY(pkt->data + pkt->len, from + done, part);
        pkt->len += part;
        conn->snd.end += part;
        done += part;
    }
    iip_tcp_queued(stk, conn);
    return done || !len ? (iip_s32)done : IIP_E_NOBUFS;
}

IIP_API iip_s32 iip_tcp_write(struct iip_stack *stk, struct iip_tcp_conn *conn, const void *bytes, iip_u32 len)
{
    iip_u32 room;
    int status = iip_tcp_send_check(conn, &room);
    if (status)
        return status;
    if (IIP_LIKELY(!conn->snd_cur && len && len <= room && len <= conn->mss))
        return iip_tcp_write_one(stk, conn, bytes, len);
    return iip_tcp_write_many(stk, conn, (const iip_u8 *)bytes, len, room);
}

IIP_API int iip_tcp_urgent(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra;
    if (!iip_tcp_sends(conn) || (conn->flags & IIP_F_FIN_QUEUED))
        return IIP_E_NOT_CONNECTED;
    extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return IIP_E_NOMEM;
    extra->snd_up = conn->snd.end;
    conn->flags |= IIP_F_URG_SEND;
    iip_tcp_touch(stk, conn);
    return IIP_OK;
}

/* ---- RECEIVE ---- */

/*
 * [RFC 9293 3.8.6.2.2] Told unasked is only a window that held the peer up: less than two segments were left, and it
 * opened by two, or by half the buffer, or to the first full one. All others ride on the ACKs of what the peer sends.
 */
IIP_INLINE int iip_tcp_update_due(const struct iip_tcp_conn *conn)
{
    iip_u32 known = conn->rcv.edge - conn->rcv.nxt;
    iip_u32 opened;
    if (IIP_LIKELY(known >= 2U * conn->mss))
        return 0;
    opened = iip_tcp_window_open(conn) - conn->rcv.edge;
    if (!opened)
        return 0;
    return opened >= iip_min32(2U * conn->mss, conn->rcvbuf / 2) || (known < conn->mss && known + opened >= conn->mss);
}

IIP_MERGED void iip_tcp_credited(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 bytes)
{
    conn->rcv.held -= iip_min32(bytes, conn->rcv.held);
    if (iip_tcp_update_due(conn) && iip_tcp_receives(conn)) {
        conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
    }
}

IIP_API void iip_tcp_credit(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 bytes)
{
    iip_tcp_credited(stk, conn, bytes);
}

IIP_API void iip_tcp_done(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *run)
{
    struct iip_pkt *next;
    iip_u32 charge = 0;
    for (; run; run = next) {
        next = run->link;
        charge += iip_pkt_charge_one(run);
        iip_pkt_drop(stk, run);
    }
    iip_tcp_credited(stk, conn, charge);
}

/* ---- CLOSE, ABORT ---- */

IIP_API int iip_tcp_shutdown(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->flags & IIP_F_FIN_QUEUED)
        return IIP_E_SHUTDOWN;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    conn->flags |= IIP_F_FIN_QUEUED;
    iip_tcp_queued(stk, conn);
    return IIP_OK;
}

IIP_API int iip_tcp_close(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    enum {
        OTHER_NOTES = IIP_F_NOTE_CONNECTED | IIP_F_NOTE_FIN | IIP_F_NOTE_WRITABLE | IIP_F_NOTE_URGENT | IIP_F_NOTE_ERROR
    };
    if (conn->id.state == IIP_TCP_CLOSED || (conn->flags & IIP_F_DETACHED))
        return IIP_OK;
    if (conn->id.state == IIP_TCP_SYN_SENT || conn->rcv_tail) /* [SHLD-3] unread text: RST */
        return iip_tcp_abort(stk, conn);
    conn->flags &= ~(iip_u32)OTHER_NOTES;
    conn->flags |= IIP_F_DETACHED | IIP_F_FIN_QUEUED;
    iip_tcp_idle_restart(stk, conn);
    iip_tcp_queued(stk, conn);
    return IIP_OK;
}

IIP_API int iip_tcp_abort(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_OK;
    if (conn->id.state >= IIP_TCP_SYN_RECEIVED)
        iip_tcp_reset_send(stk, conn, conn->snd.nxt);
    iip_tcp_end(stk, conn, IIP_E_ABORTED);
    return IIP_OK;
}

IIP_API void iip_tcp_user_set(struct iip_tcp_conn *conn, void *user)
{
    conn->user = user;
}

IIP_API void *iip_tcp_user(const struct iip_tcp_conn *conn)
{
    return conn->user;
}

/* note.c - what a connection has to say, in the order in which it happened. */
#include "stack/up.h"
#include "tcp/tcp.h"

static struct iip_note *iip_tcp_note(struct iip_tcp_conn *conn, struct iip_note *out, iip_u32 type)
{
    iip_note_init(out, type);
    out->conn = conn;
    out->user = conn->user;
    return out;
}

static void iip_tcp_note_ends(const struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    IIP_ZERO(&out->local, sizeof(out->local));
    IIP_ZERO(&out->peer, sizeof(out->peer));
    out->local.ip = t.local;
    out->local.port = t.local_port;
    out->local.family = t.family;
    out->peer.ip = t.remote;
    out->peer.port = t.remote_port;
    out->peer.family = t.family;
}

static void iip_tcp_note_accept(struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_tcp_listener *lis = iip_tcp_listener_of(conn);
    iip_tcp_note(conn, out, IIP_NOTE_ACCEPT);
    out->owner = lis;
    out->user = lis->user;
    iip_tcp_note_ends(conn, out);
    lis->waiting--;
    conn->flags &= ~(iip_u32)IIP_F_ACCEPTING;
    conn->user = 0;
}

static void iip_tcp_note_data(struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_pkt *pkt = conn->rcv_tail->link;
    iip_u32 bytes = 0;
    iip_tcp_note(conn, out, IIP_NOTE_DATA);
    out->pkt = pkt;
    conn->rcv_tail->link = 0;
    conn->rcv_tail = 0;
    for (; pkt; pkt = pkt->link)
        bytes += pkt->len;
    out->bytes = bytes;
}

/* Bytes that no DATA note has handed up. */
IIP_LOCAL iip_u32 iip_tcp_unread(const struct iip_tcp_conn *conn)
{
    const struct iip_pkt *pkt = conn->rcv_tail;
    iip_u32 bytes = 0;
    if (!pkt)
        return 0;
    do {
        pkt = pkt->link;
        bytes += pkt->len;
    } while (pkt != conn->rcv_tail);
    return bytes;
}

/* The number of the first of them; a FIN that waits to be told has one too. */
static iip_u32 iip_tcp_read_to(const struct iip_tcp_conn *conn)
{
    return conn->rcv.nxt - (conn->flags & IIP_F_NOTE_FIN ? 1 : 0) - iip_tcp_unread(conn);
}

static void iip_tcp_note_flag(struct iip_tcp_conn *conn, struct iip_note *out, iip_u32 flag)
{
    switch (flag) {
    case IIP_F_NOTE_ACCEPT:
        iip_tcp_note_accept(conn, out);
        break;
    case IIP_F_NOTE_CONNECTED:
        iip_tcp_note(conn, out, IIP_NOTE_CONNECTED);
        iip_tcp_note_ends(conn, out);
        break;
    case IIP_F_NOTE_URGENT:
        iip_tcp_note(conn, out, IIP_NOTE_URGENT)->value = conn->extra->rcv_up - iip_tcp_read_to(conn);
        break;
    case IIP_F_NOTE_ERROR:
        iip_tcp_note(conn, out, IIP_NOTE_ERROR)->status = conn->extra->error;
        out->value = conn->extra->error_value;
        break;
    case IIP_F_NOTE_WRITABLE:
        iip_tcp_note(conn, out, IIP_NOTE_WRITABLE);
        break;
    case IIP_F_NOTE_FIN:
        iip_tcp_note(conn, out, IIP_NOTE_FIN);
        break;
    default:
        iip_tcp_note(conn, out, IIP_NOTE_CLOSED)->status = (iip_s32)conn->timer.word;
        break;
    }
}

/* 1 and one note, or 0. */
static int iip_tcp_one_note(struct iip_tcp_conn *conn, struct iip_note *out)
{
    enum { BEFORE_DATA = IIP_F_NOTE_ACCEPT | IIP_F_NOTE_CONNECTED | IIP_F_NOTE_URGENT };
    iip_u32 waiting = conn->flags & IIP_F_NOTE_ANY;
    iip_u32 flag = waiting & (~waiting + 1); /* the lowest bit is the first */
    if (conn->rcv_tail && !(flag & BEFORE_DATA) && !(conn->flags & IIP_F_DETACHED)) {
        iip_tcp_note_data(conn, out);
        return 1;
    }
    if (!flag)
        return 0;
    conn->flags &= ~flag;
    iip_tcp_note_flag(conn, out, flag);
    return 1;
}

IIP_LOCAL iip_u32 iip_tcp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more)
{
    struct iip_tcp_conn *conn = IIP_OUTER(ready, struct iip_tcp_conn, ready);
    iip_u32 n = 0;
    if (IIP_LIKELY(!(conn->flags & (IIP_F_NOTE_ANY | IIP_F_DETACHED)) && conn->rcv_tail)) {
        iip_tcp_note_data(conn, out);
        return 1;
    }
    while (n < cap && iip_tcp_one_note(conn, &out[n])) {
        if (out[n].type == IIP_NOTE_CLOSED) { /* the last one */
            iip_tcp_conn_free(stk, conn);
            *more = 0;
            return n + 1;
        }
        if (out[n++].type == IIP_NOTE_ACCEPT) { /* the application must know it before it hears more of it */
            *more = -1;
            return n;
        }
    }
    *more = n == cap && (conn->rcv_tail || (conn->flags & IIP_F_NOTE_ANY));
    return n;
}

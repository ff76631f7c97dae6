/* posix_shim.c - see posix_shim.h. Everything that a test bench asks of a stack, by the core's own interface. */
#define _GNU_SOURCE
#include "posix_shim.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FRESH, LISTENING, CONNECTING, CONNECTED, OVER }; /* OVER: the stack has told the end of it */

struct shim_sock {
    struct iip_stack *stk;
    int state;
    struct iip_endpoint local, peer;
    struct iip_tcp_listener *listener;
    struct iip_tcp_conn *conn;                  /* null when there is none, or none any more */
    struct shim_sock *waiting, **end, *next;    /* of a listener: connections for shim_accept */
    iip_u32 room;                               /* of a listener: its backlog, less those */
    struct iip_pkt *in, **in_end;               /* received packets by their link; `used` bytes of the first are read */
    iip_u32 used, unread;
    int error;                                  /* positive errno, not told yet */
    int soft;                                   /* why connecting may fail, as far as the network said */
    int eof;                                    /* no more will come */
    int full;                                   /* the send queue took less than it was offered */
    int shut_rd, shut_wr, zero_linger;
};

/* The errno of a status, negative; 0 and more stay as they are. */
static int as_errno(int status)
{
    static const int errnos[] = {0,          EAGAIN,        EINVAL,       ENOMEM,      ENOBUFS,
                                 EADDRINUSE, EADDRNOTAVAIL, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED,
                                 ECONNRESET, ETIMEDOUT,     ECONNABORTED, ENOTCONN,    EPIPE};
    if (status >= 0)
        return status;
    return -status < (int)(sizeof errnos / sizeof *errnos) ? -errnos[-status] : -EINVAL;
}

static void free_packets(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->link;
        iip_pkt_free(stk, pkt);
    }
}

struct shim_sock *shim_socket(struct iip_stack *stk)
{
    struct shim_sock *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->stk = stk;
    s->in_end = &s->in;
    s->end = &s->waiting;
    return s;
}

/* ---- what the stack tells -------------------------------------------------------------------------------------- */

static void on_accept(struct iip_stack *stk, const struct iip_note *note)
{
    struct shim_sock *listener = note->user;
    struct shim_sock *s = shim_socket(stk);
    iip_tcp_user_set(note->conn, s);
    if (!s) { /* no memory: this one goes, the others live */
        iip_tcp_abort(stk, note->conn);
        return;
    }
    s->state = CONNECTED;
    s->conn = note->conn;
    s->local = note->local;
    s->peer = note->peer;
    *listener->end = s;
    listener->end = &s->next;
    iip_tcp_backlog_set(listener->listener, --listener->room); /* it waits here now, and no other in its place */
}

static void on_data(struct shim_sock *s, const struct iip_note *note)
{
    *s->in_end = note->pkt;
    while (*s->in_end)
        s->in_end = &(*s->in_end)->link;
    s->unread += note->bytes;
}

static void on_closed(struct shim_sock *s, int status)
{
    s->conn = NULL; /* dead with this note */
    s->error = status == IIP_E_TIMEOUT && s->state == CONNECTING && s->soft ? s->soft : -as_errno(status);
    s->state = OVER;
    s->eof = 1;
}

static void on_note(struct iip_stack *stk, const struct iip_note *note)
{
    struct shim_sock *s = note->user;
    if (note->type == IIP_NOTE_ACCEPT) {
        on_accept(stk, note);
    } else if (!s) { /* the socket was closed, the connection comes to its end alone */
        free_packets(stk, note->pkt);
    } else if (note->type == IIP_NOTE_CONNECTED) {
        s->state = CONNECTED;
        s->local = note->local;
    } else if (note->type == IIP_NOTE_DATA) {
        on_data(s, note);
    } else if (note->type == IIP_NOTE_FIN) {
        s->eof = 1;
    } else if (note->type == IIP_NOTE_WRITABLE) {
        s->full = 0;
    } else if (note->type == IIP_NOTE_ERROR && note->value) {
        s->soft = -as_errno(note->status);
    } else if (note->type == IIP_NOTE_CLOSED) {
        on_closed(s, note->status);
    }
}

/* One at a time: an ACCEPT changes the cookie that the notes behind it carry. */
void shim_notes(struct iip_stack *stk)
{
    struct iip_note note;
    while (iip_stack_notes(stk, &note, 1))
        on_note(stk, &note);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

int shim_bind(struct shim_sock *s, const struct iip_endpoint *local)
{
    if (s->state != FRESH || s->local.port)
        return -EINVAL;
    s->local = *local; /* whether it can be had is known when it listens or connects */
    return 0;
}

int shim_listen(struct shim_sock *s, int backlog)
{
    int status;
    if (s->state != FRESH)
        return -EINVAL;
    s->room = backlog > 0 ? (iip_u32)backlog : 1;
    status = iip_tcp_listen(s->stk, &s->local, s->room, s, &s->listener);
    if (status >= 0)
        s->state = LISTENING;
    return as_errno(status);
}

struct shim_sock *shim_accept(struct shim_sock *s)
{
    struct shim_sock *first = s->waiting;
    if (!first)
        return NULL;
    s->waiting = first->next;
    if (!s->waiting)
        s->end = &s->waiting;
    first->next = NULL;
    if (s->listener)
        iip_tcp_backlog_set(s->listener, ++s->room);
    return first;
}

static int take_error(struct shim_sock *s)
{
    int error = s->error;
    s->error = 0;
    return error;
}

int shim_connect(struct shim_sock *s, const struct iip_endpoint *peer)
{
    int status;
    if (s->error)
        return -take_error(s);
    if (s->state != FRESH)
        return s->state == CONNECTING ? -EALREADY : s->state == CONNECTED ? -EISCONN : -EINVAL;
    status = iip_tcp_connect(s->stk, &s->local, peer, s, &s->conn);
    if (status < 0)
        return as_errno(status);
    s->peer = *peer;
    s->state = CONNECTING;
    return -EINPROGRESS;
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static iip_u32 packet_bytes(const struct iip_pkt *pkt)
{
    iip_u32 bytes = 0;
    for (; pkt; pkt = pkt->next)
        bytes += pkt->len;
    return bytes;
}

/* Copies up to len bytes, from `skip` bytes into a packet; returns the bytes copied. */
static iip_u32 copy_out(const struct iip_pkt *pkt, iip_u32 skip, char *to, iip_u32 len)
{
    iip_u32 done = 0;
    for (; pkt && done < len; pkt = pkt->next) {
        iip_u32 from = skip < pkt->len ? skip : pkt->len;
        iip_u32 part = pkt->len - from < len - done ? pkt->len - from : len - done;
        memcpy(to + done, pkt->data + from, part);
        done += part;
        skip -= from;
    }
    return done;
}

/* `bytes` of the first packet were read. At its end its window goes back to the peer. */
static void consume(struct shim_sock *s, iip_u32 bytes)
{
    struct iip_pkt *pkt = s->in;
    s->used += bytes;
    s->unread -= bytes;
    if (s->used < packet_bytes(pkt))
        return;
    s->in = pkt->link;
    if (!s->in)
        s->in_end = &s->in;
    s->used = 0;
    if (s->conn)
        iip_tcp_credit(s->stk, s->conn, iip_pkt_charge(pkt));
    iip_pkt_free(s->stk, pkt);
}

static int read_bytes(struct shim_sock *s, char *to, iip_u32 len, int peek)
{
    struct iip_pkt *pkt = s->in;
    iip_u32 skip = s->used;
    iip_u32 done = 0;
    while (pkt && done < len) {
        struct iip_pkt *next = pkt->link;
        iip_u32 part = copy_out(pkt, skip, to + done, len - done);
        done += part;
        if (!peek)
            consume(s, part);
        pkt = next;
        skip = 0;
    }
    return (int)done;
}

int shim_recv(struct shim_sock *s, void *to, int len, int flags)
{
    if (s->state == FRESH || s->state == LISTENING)
        return -ENOTCONN;
    if (s->in)
        return read_bytes(s, to, len > 0 ? (iip_u32)len : 0, flags & SHIM_PEEK);
    if (s->error)
        return -take_error(s);
    return s->eof || s->shut_rd ? 0 : -EAGAIN;
}

int shim_send(struct shim_sock *s, const void *from, int len)
{
    int n;
    if (s->error)
        return -take_error(s);
    if (s->state == OVER || s->shut_wr)
        return -EPIPE;
    if (s->state != CONNECTED)
        return s->state == CONNECTING ? -EAGAIN : -ENOTCONN;
    n = iip_tcp_write(s->stk, s->conn, from, len > 0 ? (iip_u32)len : 0);
    /* A WRITABLE note follows when the queue drains; where nothing is queued and no frame could be had, try at any time. */
    s->full = n < len && (n != IIP_E_NOBUFS || shim_unacked(s));
    return n == IIP_E_NOBUFS ? -EAGAIN : as_errno(n);
}

/* ---- closing --------------------------------------------------------------------------------------------------- */

int shim_shutdown(struct shim_sock *s, int how)
{
    if (s->state != CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    s->shut_rd |= how != SHUT_WR;
    if (how != SHUT_RD && !s->shut_wr && s->conn)
        iip_tcp_shutdown(s->stk, s->conn);
    s->shut_wr |= how != SHUT_RD;
    return 0;
}

void shim_linger(struct shim_sock *s, int zero)
{
    s->zero_linger = zero;
}

static void close_conn(struct shim_sock *s)
{
    iip_tcp_user_set(s->conn, NULL); /* later notes find no socket */
    if (s->zero_linger || s->in)     /* [RFC 2525 2.17]: the peer must learn that bytes were lost */
        iip_tcp_abort(s->stk, s->conn);
    else
        iip_tcp_close(s->stk, s->conn);
}

void shim_close(struct shim_sock *s)
{
    struct shim_sock *waits;
    if (s->listener)
        iip_tcp_unlisten(s->stk, s->listener);
    s->listener = NULL;
    while ((waits = shim_accept(s)) != NULL) { /* nobody will ever accept these */
        waits->zero_linger = 1;
        shim_close(waits);
    }
    if (s->conn)
        close_conn(s);
    free_packets(s->stk, s->in);
    free(s);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

int shim_poll(const struct shim_sock *s)
{
    int mask = 0;
    if (s->waiting || s->in || s->eof || s->shut_rd)
        mask |= POLLIN;
    if (s->state == FRESH || s->state == OVER || (s->state == CONNECTED && (!s->full || s->shut_wr)))
        mask |= POLLOUT;
    if (s->error)
        mask |= POLLERR;
    if (s->state == FRESH || s->state == OVER || ((s->eof || s->shut_rd) && s->shut_wr))
        mask |= POLLHUP;
    if (s->eof || s->shut_rd)
        mask |= POLLRDHUP;
    return mask;
}

int shim_error(struct shim_sock *s)
{
    return take_error(s);
}

int shim_unread(const struct shim_sock *s)
{
    return (int)s->unread;
}

int shim_unacked(const struct shim_sock *s)
{
    struct iip_tcp_info info;
    info.size = sizeof info;
    if (!s->conn || iip_tcp_info(s->stk, s->conn, &info) < 0)
        return 0;
    return (int)(info.unacked + info.unsent);
}

void shim_names(const struct shim_sock *s, struct iip_endpoint *local, struct iip_endpoint *peer)
{
    *local = s->local;
    *peer = s->peer;
}

/*
 * posix_shim.h - non-blocking sockets over the core alone, in the manner of POSIX.
 *
 * A call returns 0 or more, or a negative errno: -EAGAIN, -EINPROGRESS, -ECONNREFUSED ... The host moves packets and
 * time; after each iip_stack_input and iip_stack_output it calls shim_notes, and what the sockets were told is seen by
 * the next call on them:
 *
 *     iip_stack_input(stk, pkts, n, now);
 *     shim_notes(stk);
 *     ... shim_poll, shim_recv, shim_send ...
 *     iip_stack_output(stk, now);
 *     shim_notes(stk);
 */
#ifndef EX_POSIX_SHIM_H
#define EX_POSIX_SHIM_H

#include "iip/core.h"

struct shim_sock;

void shim_notes(struct iip_stack *stk);

struct shim_sock *shim_socket(struct iip_stack *stk); /* null: no memory */
int shim_bind(struct shim_sock *s, const struct iip_endpoint *local);
int shim_listen(struct shim_sock *s, int backlog);    /* connections that may wait for shim_accept, 1 at least */
/* The next connection, or null: none waits. */
struct shim_sock *shim_accept(struct shim_sock *s);
/* -EINPROGRESS: POLLOUT says when it is over, shim_error how it ended. Again: -EALREADY, then -EISCONN or why not. */
int shim_connect(struct shim_sock *s, const struct iip_endpoint *peer);

enum { SHIM_PEEK = 1 };
/* Bytes read; 0 at the end of the stream. Bytes that came before an error are read before it is told, once. */
int shim_recv(struct shim_sock *s, void *to, int len, int flags);
/* Bytes taken, which may be fewer than len. */
int shim_send(struct shim_sock *s, const void *from, int len);
int shim_shutdown(struct shim_sock *s, int how);   /* SHUT_RD, SHUT_WR, SHUT_RDWR */
void shim_linger(struct shim_sock *s, int zero);   /* 1: linger for no time, so shim_close resets */
/* The socket is gone; what is queued goes out in the background. RST where bytes are unread, or with zero linger. */
void shim_close(struct shim_sock *s);

int shim_poll(const struct shim_sock *s);          /* POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP */
int shim_error(struct shim_sock *s);               /* SO_ERROR: a positive errno, told once, or 0 */
int shim_unread(const struct shim_sock *s);        /* FIONREAD */
int shim_unacked(const struct shim_sock *s);       /* SIOCOUTQ: bytes taken and not acknowledged */
void shim_names(const struct shim_sock *s, struct iip_endpoint *local, struct iip_endpoint *peer);

#endif

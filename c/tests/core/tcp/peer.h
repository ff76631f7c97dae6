/* peer.h - a stack with a hand-driven peer beside it: builds segments, remembers the last answer. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "check.h"
#include "segment.h"
#include "testhost.h"

struct peer {
    struct testhost th;
    struct iip_stack *stk;
    struct iip_tcp_listener *lis;
    struct iip_tcp_conn *conn;      /* from ACCEPT, or by peer_connect; null after CLOSED */
    uint64_t now;
    struct iip_ip ours, theirs;
    iip_u64 mem_limit; /* of the stack; 0: none */
    uint16_t our_port, their_port;
    uint16_t mss;                   /* that the peer announces; 0: 1460 */
    uint32_t seq, ack;              /* what the next segment from the peer says */
    struct segment last;            /* the last segment from the stack; its payload is gone */
    uint8_t last_bytes[2048];
    uint32_t sent;                  /* packets from the stack so far */
    uint64_t bytes_in;              /* bytes that DATA notes brought */
    int fin, closed, status, accepted, connected;
    int bad;                        /* things that were wrong so far; each has been printed */
    int any_payload;                /* what DATA notes bring is not looked at */
};

/* Zeroes it; peer_new then makes a stack at L3 with plain options, 192.0.2.1, listening on port 80. -1: the host failed. */
static inline void peer_init(struct peer *p)
{
    memset(p, 0, sizeof(*p));
    testhost_init(&p->th, 1);
}
int peer_new(struct peer *p, const char *key);
/* Ends it; how many things were wrong: packets, stream bytes, the account, leaks. */
int peer_free(struct peer *p);
/* Sends a segment with p->seq and p->ack; `len` bytes of pattern from `offset`. */
void peer_send(struct peer *p, uint8_t flags, uint32_t len, uint64_t offset);
void peer_raw(struct peer *p, const uint8_t *bytes, uint32_t len);
void peer_settle(struct peer *p);
void peer_wait(struct peer *p, uint64_t us);
/* The handshake, from the peer's side. 1 when it came to ESTABLISHED. */
int peer_accepted(struct peer *p);
int peer_state(struct peer *p); /* IIP_TCP_..., CLOSED without a connection */

#endif

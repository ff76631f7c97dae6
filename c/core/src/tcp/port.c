/* port.c - what an outsider must not guess: initial sequence numbers, timestamp offsets, ephemeral ports. */
#include "tcp/tcp.h"

enum { IIP_PORT_FIRST = 1024, IIP_PORT_COUNT = 65536 - IIP_PORT_FIRST };

/* Both addresses, of which IPv4's are in their last four bytes, and both ports. */
static iip_u64 iip_tcp_tuple_siphash(const struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u8 b[36];
    if (IIP_LIKELY(t->family == 4)) {
        IIP_COPY(b, t->local.b + 12, 4);
        IIP_COPY(b + 4, t->remote.b + 12, 4);
        iip_put32(b + 8, iip_tcp_ports(t->local_port, t->remote_port));
        return iip_siphash_12(stk->key, b);
    }
    IIP_COPY(b, t->local.b, 16);
    IIP_COPY(b + 16, t->remote.b, 16);
    iip_put32(b + 32, iip_tcp_ports(t->local_port, t->remote_port));
    return iip_siphash(stk->key, b, 36);
}

/* [RFC 6528 3] ISN = clock of 4 us + PRF(tuple, secret); the timestamp offset likewise without clock [RFC 7323 7]. */
IIP_LOCAL void iip_tcp_secret_of(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_secret *out)
{
    iip_u64 prf = iip_tcp_tuple_siphash(stk, t);
    out->iss = (iip_u32)prf + (iip_u32)(stk->now >> 2);
    out->ts_off = (iip_u32)(prf >> 32);
}

static int iip_tcp_port_usable(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    struct iip_tcp_id *id;
    if (iip_tcp_listener_for(stk, t))
        return 0;
    if (iip_share_owner(stk, &t->local, &t->remote, t->local_port, t->remote_port) != stk->share.self)
        return 0;
    id = iip_tcp_lookup_tuple(stk, t);
    return !id;
}

/* A port that nobody can foretell, less IIP_PORT_FIRST: SipHash counts, and each of its words serves four times. */
static iip_u32 iip_tcp_port_draw(struct iip_stack *stk)
{
    struct iip_tcp *tcp = stk->tcp;
    iip_u32 turn = tcp->port_next++;
    iip_u8 count[7] = {'p', 'o', 'r', 0, 0, 0, 0}; /* of a length that nothing else is hashed in */
    if (!(turn & 3)) {
        iip_put32(count + 3, turn >> 2);
        tcp->port_bits = iip_siphash(stk->key, count, sizeof(count));
    }
    return ((iip_u32)(tcp->port_bits >> 16 * (turn & 3)) & 0xffff) * (iip_u32)IIP_PORT_COUNT >> 16;
}

/* [RFC 6056 3.3.2] the first candidate is random; then one after the other. */
IIP_LOCAL int iip_tcp_port_choose(struct iip_stack *stk, struct iip_tcp_tuple *t)
{
    iip_u32 start = iip_tcp_port_draw(stk);
    iip_u32 i;
    for (i = 0; i < IIP_PORT_COUNT; i++) {
        t->local_port = (iip_u16)(IIP_PORT_FIRST + (start + i) % IIP_PORT_COUNT);
        if (iip_tcp_port_usable(stk, t))
            return IIP_OK;
    }
    return IIP_E_ADDR_NOT_AVAIL;
}

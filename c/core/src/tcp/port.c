/* port.c - what an outsider must not guess: initial sequence numbers, timestamp offsets, ephemeral ports. */
#include "tcp/tcp.h"

enum { IIP_PORT_FIRST = 1024, IIP_PORT_COUNT = 65536 - IIP_PORT_FIRST };

/* An IPv4 address is in its last four bytes. */
static iip_u64 iip_tcp_tuple_siphash(const struct iip_stack *stk, const struct iip_tcp_tuple *t, iip_u32 purpose)
{
    iip_u8 b[40];
    iip_u32 len = t->family == 4 ? 8 : 32;
    if (len == 8) {
        IIP_COPY(b, t->local.b + 12, 4);
        IIP_COPY(b + 4, t->remote.b + 12, 4);
    } else {
        IIP_COPY(b, t->local.b, 16);
        IIP_COPY(b + 16, t->remote.b, 16);
    }
    iip_put16(b + len, t->local_port);
    iip_put16(b + len + 2, t->remote_port);
    iip_put16(b + len + 4, purpose);
    return iip_siphash(stk->key, b, len + 6);
}

/* [RFC 6528 3] ISN = clock of 4 us + PRF(tuple, secret); the timestamp offset likewise without clock [RFC 7323 7]. */
IIP_LOCAL void iip_tcp_secret_of(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_secret *out)
{
    iip_u64 prf = iip_tcp_tuple_siphash(stk, t, 0);
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

/* [RFC 6056 3.3.3] the first candidate comes from a keyed hash of the destination and a counter; then one after the other. */
IIP_LOCAL int iip_tcp_port_choose(struct iip_stack *stk, struct iip_tcp_tuple *t)
{
    iip_u32 start;
    iip_u32 i;
    t->local_port = 0;
    start = (iip_u32)iip_tcp_tuple_siphash(stk, t, 1 + (stk->tcp->port_next & 0x7fff));
    stk->tcp->port_next++;
    for (i = 0; i < IIP_PORT_COUNT; i++) {
        t->local_port = (iip_u16)(IIP_PORT_FIRST + (start % IIP_PORT_COUNT + i) % IIP_PORT_COUNT);
        if (iip_tcp_port_usable(stk, t))
            return IIP_OK;
    }
    return IIP_E_ADDR_NOT_AVAIL;
}

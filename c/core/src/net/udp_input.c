/* udp_input.c - datagrams in, errors about those that went out, and the notes of both. */
#include "net/udp.h"

/* [RFC 768; RFC 8200 8.1] IPv6 has no header checksum, so there a datagram without one of its own is refused. */
static int iip_udp_csum_ok(const struct iip_pkt *pkt, const struct iip_rx *rx, const struct iip_udp_hdr *h)
{
    iip_u64 sum;
    if (rx->looped || (pkt->flags & IIP_PKT_L4_CSUM_OK))
        return 1;
    if (!h->has_csum)
        return rx->family == 4;
    sum = iip_ip_pseudo(&rx->src, &rx->dst, rx->family, IIP_PROTO_UDP, h->len);
    return iip_csum_fold(iip_csum_add(sum, iip_pkt_csum(pkt, 0, h->len))) == 0xffff;
}

static void iip_udp_ends(struct iip_endpoint *local, struct iip_endpoint *peer, const struct iip_rx *rx,
                         const struct iip_udp_hdr *h)
{
    local->ip = rx->dst;
    local->port = (iip_u16)h->dst_port;
    local->family = rx->family;
    local->scope = 0;
    peer->ip = rx->src;
    peer->port = (iip_u16)h->src_port;
    peer->family = rx->family;
    peer->scope = 0;
}

/* Nobody is there. Perhaps in another stack; else the sender is told [RFC 1122 4.1.3.1]. */
static iip_verdict iip_udp_nobody(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                  const struct iip_udp_hdr *h)
{
    iip_u32 owner = stk->share.self;
    if (stk->share.stacks > 1 && !rx->multicast && !rx->looped)
        owner = iip_share_owner(stk, &rx->dst, &rx->src, h->dst_port, h->src_port);
    if (owner != stk->share.self)
        return iip_rx_hand_over(stk, pkt, rx, owner);
    if (rx->family == 4)
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMP_UNREACHABLE, IIP_ICMP_CODE_PORT, 0);
    else
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_UNREACHABLE, IIP_ICMPV6_CODE_PORT, 0);
    return IIP_CTR_DROP_UDP_PORT;
}

/* The headers stay in front of the payload: a note reads from them who sent it. */
static iip_verdict iip_udp_queue(struct iip_stack *stk, struct iip_udp_sock *sock, struct iip_pkt *pkt,
                                 const struct iip_rx *rx)
{
    iip_u32 charge = iip_pkt_charge(pkt);
    if (sock->queued + charge > stk->tune.udp_rcvbuf)
        return IIP_CTR_DROP_UDP_FULL;
    sock->queued += charge;
    pkt->seq = charge;
    pkt->data += IIP_UDP_LEN;
    pkt->len -= IIP_UDP_LEN;
    pkt->aux = (iip_u32)(pkt->data - rx->l3);
    iip_pktq_put(&sock->queue, pkt);
    iip_ready_put(stk, &sock->ready);
    return IIP_KEPT;
}

IIP_LOCAL iip_verdict iip_udp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    struct iip_endpoint peer;
    struct iip_udp_hdr h;
    if (pkt->len < IIP_UDP_LEN)
        return IIP_CTR_DROP_UDP_HEADER;
    iip_udp_read(&h, pkt->data);
    if (h.len < IIP_UDP_LEN || h.len > (pkt->next ? iip_pkt_bytes(pkt) : pkt->len))
        return IIP_CTR_DROP_UDP_HEADER;
    if (!iip_udp_csum_ok(pkt, rx, &h))
        return IIP_CTR_DROP_UDP_CSUM;
    iip_udp_ends(&local, &peer, rx, &h);
    sock = iip_udp_find(stk, &local, &peer);
    if (!sock)
        return iip_udp_nobody(stk, pkt, rx, &h);
    if (IIP_UNLIKELY(stk->pressure == IIP_PRESSURE_ALL))
        return IIP_CTR_DROP_PRESSURE;
    iip_pkt_trim(stk, pkt, h.len);
    return iip_udp_queue(stk, sock, pkt, rx);
}

/* [RFC 1122 4.1.3.3] The latest error is kept until it is told. */
IIP_LOCAL int iip_udp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err)
{
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    struct iip_endpoint peer;
    local.ip = err->src;
    local.port = (iip_u16)err->src_port;
    peer.ip = err->dst;
    peer.port = (iip_u16)err->dst_port;
    sock = iip_udp_find(stk, &local, &peer);
    if (!sock)
        return 0;
    if (err->status == IIP_E_MSGSIZE && !iip_ip_same(&err->dst, &sock->path_dst)) /* not where we send: an attempt to plant a path MTU */
        return 0;
    sock->error = *err;
    sock->has_error = 1;
    iip_ready_put(stk, &sock->ready);
    return 1;
}

/* ---- notes ---- */

static void iip_udp_note_error(struct iip_udp_sock *sock, struct iip_note *note)
{
    const struct iip_icmp_error *err = &sock->error;
    iip_note_init(note, IIP_NOTE_UDP_ERROR);
    note->status = err->status;
    note->owner = sock;
    note->user = sock->user;
    note->value = (iip_u32)err->type << 8 | err->code;
    note->local.ip = err->src;
    note->local.port = (iip_u16)err->src_port;
    note->local.family = err->family;
    note->local.scope = 0;
    note->peer.ip = err->dst;
    note->peer.port = (iip_u16)err->dst_port;
    note->peer.family = err->family;
    note->peer.scope = 0;
    sock->has_error = 0;
}

/* Reads an IP header that was checked when the datagram came in. */
static iip_u32 iip_udp_read_ip(struct iip_rx *rx, const iip_u8 *l3)
{
    struct iip_ipv4 v4;
    struct iip_ipv6 v6;
    if (iip_ipv6_is_v6(l3)) {
        iip_ipv6_read(&v6, l3);
        rx->src = v6.src;
        rx->dst = v6.dst;
        rx->family = 6;
        return (iip_u32)v6.tos << 8 | v6.hops;
    }
    iip_ipv4_read(&v4, l3);
    iip_ip_of_v4(&rx->src, v4.src);
    iip_ip_of_v4(&rx->dst, v4.dst);
    rx->family = 4;
    return (iip_u32)v4.tos << 8 | v4.ttl;
}

static void iip_udp_note_data(struct iip_udp_sock *sock, struct iip_note *note)
{
    struct iip_pkt *pkt = iip_pktq_get(&sock->queue);
    struct iip_udp_hdr h;
    struct iip_rx rx;
    iip_note_init(note, IIP_NOTE_UDP);
    sock->queued -= pkt->seq;
    note->owner = sock;
    note->user = sock->user;
    note->pkt = pkt;
    note->value = iip_udp_read_ip(&rx, pkt->data - pkt->aux);
    iip_udp_read(&h, pkt->data - IIP_UDP_LEN);
    iip_udp_ends(&note->local, &note->peer, &rx, &h);
    note->bytes = h.len - IIP_UDP_LEN;
    pkt->total = note->bytes;
}

IIP_LOCAL iip_u32 iip_udp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more)
{
    struct iip_udp_sock *sock = IIP_OUTER(ready, struct iip_udp_sock, ready);
    iip_u32 n = 0;
    (void)stk;
    if (n < cap && sock->has_error)
        iip_udp_note_error(sock, &out[n++]);
    while (n < cap && sock->queue.head)
        iip_udp_note_data(sock, &out[n++]);
    *more = sock->queue.head || sock->has_error;
    return n;
}

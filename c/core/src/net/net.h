/* net.h - what the transports need of IP. */
#ifndef IIP_NET_NET_H
#define IIP_NET_NET_H

#include "stack/up.h"

struct iip_neigh; /* an entry of the neighbour cache; pinned by those who keep a pointer */

/* How packets reach one destination from one source; kept by a connection. */
struct iip_path {
    struct iip_neigh *neigh; /* null: to ourselves, or at L3 */
    iip_u32 gen;             /* of the addresses, routes and path MTUs that it was found by; output finds an outdated path anew */
    iip_u16 mtu;             /* path MTU as known now */
    iip_u8 loop;             /* the destination is ours */
    iip_u8 valid;
};

/*
 * Finds route and neighbour for `dst`. Where *src is any (of either family) it is chosen (RFC 6724). OK; UNREACHABLE: no
 * route; ADDR_NOT_AVAIL: src is not ours, or none of ours will do; NOMEM. Pins the neighbour. Groups have no neighbour.
 */
IIP_LOCAL int iip_path_find(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path);
/* Finds the path anew if addresses, routes or path MTUs changed since it was found; on failure it stays as it is. */
IIP_LOCAL int iip_path_renew(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                             struct iip_path *path);
IIP_LOCAL void iip_path_drop(struct iip_stack *stk, struct iip_path *path);
/* The transport heard from the other side: the neighbour is reachable (RFC 4861 7.3.1). */
IIP_LOCAL void iip_path_confirm(struct iip_stack *stk, struct iip_path *path);
/* Path MTU to dst, as known now. */
IIP_LOCAL iip_u32 iip_path_mtu(struct iip_stack *stk, const struct iip_ip *dst);

/* Header fields of an outgoing packet. */
struct iip_tx_ip {
    const struct iip_ip *src, *dst;
    iip_u8 family; /* 4 or 6 */
    iip_u8 proto;
    iip_u8 ttl;
    iip_u8 tos;    /* DSCP and ECN */
    iip_u8 df;     /* IPv4: do not fragment; otherwise, and over IPv6, too large a datagram is fragmented */
};

/*
 * Sends an L4 packet (data at the L4 header, writable headroom for the link header and the IP header in front of the first view; total,
 * l4_len and the L4 marks set). Takes it. A TSO packet is never fragmented. Path must be valid.
 */
IIP_LOCAL void iip_ip_output(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                             struct iip_path *path);
/* The same for one packet without a path of its own: routes it first. IIP_OK, or why not (the packet is freed either way). */
IIP_LOCAL int iip_ip_output_once(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip);

/* Pseudo-header sum, not folded, in memory order. */
IIP_LOCAL iip_u64 iip_ip_pseudo(const struct iip_ip *src, const struct iip_ip *dst, iip_u32 family, iip_u32 proto,
                                iip_u32 len);

IIP_LOCAL int iip_addr_is_ours(const struct iip_stack *stk, const struct iip_ip *ip);
/* Multicast, limited or subnet broadcast. */
IIP_LOCAL int iip_addr_is_group(const struct iip_stack *stk, const struct iip_ip *ip);
/* Not any, loopback (unless ours), multicast, limited or subnet broadcast, class E: an address that a peer may have. */
IIP_LOCAL int iip_addr_is_unicast(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_INLINE int iip_ip_same(const struct iip_ip *a, const struct iip_ip *b)
{
    return iip_raw64(a->b) == iip_raw64(b->b) && iip_raw64(a->b + 8) == iip_raw64(b->b + 8);
}
IIP_INLINE int iip_ip_any(const struct iip_ip *ip)
{
    return !(iip_raw64(ip->b) | iip_raw64(ip->b + 8));
}

/* Hands a received packet, whose L4 header is at pkt->data, to the stack that owns its tuple. Takes it: IIP_KEPT. */
IIP_LOCAL iip_verdict iip_rx_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       iip_u32 owner);

/* ICMP or ICMPv6 error about a received packet; obeys the rules on when not to, and the rate limit. */
IIP_LOCAL void iip_icmp_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                    iip_u32 type, iip_u32 code, iip_u32 value);

#endif

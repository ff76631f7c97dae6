/* state.h - what the files of this room share. */
#ifndef IIP_NET_STATE_H
#define IIP_NET_STATE_H

#include "net/net.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/ndp.h"

/* ---- addresses (addr.c, dad.c) ---- */

enum { IIP_ADDR_TENTATIVE = 1, IIP_ADDR_OURS, IIP_ADDR_DUPLICATE };
enum { IIP_V4_SPECIALS = 4, IIP_V6_SPECIALS = 4 };

struct iip_addr;

/* An address that the table knows: one of ours, or the broadcast address of its subnet. */
struct iip_addr_key {
    struct iip_node node;
    struct iip_ip ip;
    struct iip_addr *addr;
};

struct iip_addr {
    struct iip_addr *next; /* in the order in which they were added */
    struct iip_addr_key own;
    struct iip_addr_key broadcast;
    iip_u8 family;
    iip_u8 state;          /* IIP_ADDR_... */
    iip_u8 has_broadcast;
    iip_u8 probes, announced; /* sent so far */
    iip_u8 prefix_len;     /* within the family */
    iip_u64 defended_at;   /* 0: never */
    struct iip_timer timer;
};

/* ---- routes (route.c) ---- */

struct iip_route {
    struct iip_ip dst;
    struct iip_ip gateway;   /* any: on link */
    iip_u8 bits;             /* of dst that count; IPv4 counts from 96 */
    const struct iip_addr *addr; /* the address that brought it; null: added by hand */
};

struct iip_routes {
    struct iip_route *all;   /* longest prefix first */
    iip_u32 count;
    iip_u32 room;
};

/* ---- neighbours (neigh.c) ---- */

enum {
    IIP_NEIGH_INCOMPLETE = 1,
    IIP_NEIGH_REACHABLE,
    IIP_NEIGH_STALE,
    IIP_NEIGH_DELAY,
    IIP_NEIGH_PROBE,
    IIP_NEIGH_FAILED
};
enum { IIP_NEIGH_PENDING_FEW = 16 }; /* packets that wait for one neighbour when half of all places are taken */

struct iip_neigh {
    struct iip_node node;
    iip_u64 fresh_until;     /* its station address holds without question before this time */
    iip_u8 head[16];         /* the link header of packets to it: IIP_ETH_LEN bytes */
    struct iip_ip ip;
    iip_u8 state;            /* IIP_NEIGH_... */
    iip_u8 permanent;
    iip_u16 asked;           /* solicitations of this round */
    iip_u32 pins;            /* paths that point here */
    iip_u64 asked_at;        /* 0: never */
    struct iip_neigh *prev, *next; /* those that may be evicted, least recently used first */
    struct iip_timer timer;
    struct iip_pktq queue;   /* IP packets that wait for its station address */
};

struct iip_neighs {
    struct iip_table table;
    struct iip_neigh *oldest, *newest;
    iip_u32 pending;
};

/* ---- reassembly (reass.c) ---- */

enum { IIP_REASS_SOURCES = 64, IIP_REASS_FRAGMENTS = 256 };

struct iip_reass; /* a datagram that is not whole */

struct iip_reass_source { /* what sources that hash alike hold */
    iip_u32 bytes, datagrams;
};

struct iip_reassembly {
    struct iip_table table;
    struct iip_reass *oldest, *newest;
    struct iip_reass *spare;
    iip_u32 bytes;
    struct iip_reass_source source[IIP_REASS_SOURCES];
};

/* A fragment's place. The packet's data stands at the fragment's payload, the IP header l3_len bytes in front. */
struct iip_frag {
    const struct iip_ip *src, *dst;
    iip_u32 id;
    iip_u32 offset, len;     /* bytes */
    iip_u32 max;             /* bytes that the whole may have behind this header */
    iip_u32 l3_len;
    iip_u16 frag_at, next_at; /* IPv6: offsets of the fragment header, and of the field that names it */
    iip_u8 more, proto, family;
    iip_u8 multicast;
};

/* ---- path MTU (pmtu.c) ---- */

enum { IIP_PMTU_MAX = 1024, IIP_PMTU_MIN4 = 552 };

struct iip_pmtu {
    struct iip_node node;
    struct iip_ip ip;
    iip_u32 mtu;
    iip_u64 expires;
    struct iip_pmtu *next;   /* the next younger one */
};

struct iip_pmtus {
    struct iip_table table;
    struct iip_pmtu *oldest, *newest;
    struct iip_timer timer;
};

/* ---- all of it ---- */

enum { IIP_ID_SLOTS = 256, IIP_TELL_SLOTS = 32 };

struct iip_net {
    iip_u32 gen;             /* changes when a path may */
    iip_u32 v4_ours;         /* an address of ours, in memory order: the one that was asked for last */
    iip_u32 v4_special[IIP_V4_SPECIALS]; /* our addresses and broadcasts, which no packet may come from; 0: unused */
    iip_u8 v4_many;          /* there are more than that */
    iip_u8 v6_many;
    iip_u64 v6_special[IIP_V6_SPECIALS]; /* the second halves of our IPv6 addresses */
    struct iip_ip v6_ours;
    struct {
        struct iip_ip src, dst;
        struct iip_path path; /* valid: it is there, and pins its neighbour */
    } recent;                /* the path that was asked for last: a handshake asks for the same one several times */
    struct iip_addr *addr_first;
    struct iip_table addrs;
    struct iip_routes routes;
    struct iip_neighs neighs;
    struct iip_reassembly reassembly;
    struct iip_pmtus pmtus;
    struct iip_bucket icmp_bucket;
    struct iip_bucket tell_bucket[IIP_TELL_SLOTS]; /* by a hash of the address that is told about */
    iip_u32 id[IIP_ID_SLOTS]; /* IP identification, by a hash of source, destination and protocol */
};

IIP_INLINE iip_u32 iip_ip_hash(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 w[4];
    IIP_COPY(w, ip->b, 16);
    return iip_hash_words(&stk->hash_key, w, 4);
}

/* Any of its family: :: or 0.0.0.0. */
IIP_INLINE int iip_ip_unset(const struct iip_ip *ip)
{
    return iip_ip_any(ip) || (iip_ip_is_v4(ip) && !iip_ip_to_v4(ip));
}

IIP_LOCAL int iip_ip_is_loopback(const struct iip_ip *ip);
IIP_LOCAL int iip_ip_is_multicast(const struct iip_ip *ip);
/* Bits that two addresses share from the front. */
IIP_LOCAL iip_u32 iip_ip_common_bits(const struct iip_ip *a, const struct iip_ip *b);

/* addr.c: by exact address, whatever its state; null: not one of ours. */
IIP_LOCAL struct iip_addr *iip_addr_find(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL int iip_addr_is_broadcast(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_addr_changed(struct iip_stack *stk); /* an address came, went or became usable */
IIP_LOCAL void iip_addr_free_all(struct iip_stack *stk);
/* An address without probe or announcement. */
IIP_LOCAL int iip_addr_add_quietly(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len,
                                   struct iip_addr **out);
/* A multicast address that every node, or a node with our addresses, listens to. */
IIP_LOCAL int iip_addr_is_joined(const struct iip_stack *stk, const struct iip_ip *ip);
/* The address of ours to send from, to a destination on link or by a gateway [RFC 6724 5]; null: none. */
IIP_LOCAL const struct iip_addr *iip_addr_select(const struct iip_stack *stk, const struct iip_ip *dst,
                                                 const struct iip_ip *hop);

/* dad.c: duplicate detection, announcements, defence. */
IIP_LOCAL void iip_dad_start(struct iip_stack *stk, struct iip_addr *addr);
IIP_LOCAL void iip_dad_timer(struct iip_stack *stk, struct iip_addr *addr);
/* Another station uses or claims the address, as `pkt` says. */
IIP_LOCAL void iip_dad_conflict(struct iip_stack *stk, struct iip_addr *addr, const struct iip_pkt *pkt,
                                const iip_u8 *l3);

/* route.c: OK, with *hop the next hop; or UNREACHABLE. */
IIP_LOCAL int iip_route_find(const struct iip_stack *stk, const struct iip_ip *dst, struct iip_ip *hop);
IIP_LOCAL int iip_route_of_addr(struct iip_stack *stk, const struct iip_addr *addr);
IIP_LOCAL void iip_route_forget_addr(struct iip_stack *stk, const struct iip_addr *addr);
IIP_LOCAL void iip_route_free_all(struct iip_stack *stk);

/* arp.c, ndp.c: what leaves. A null station: to all, or to the solicited-node group. */
IIP_LOCAL void iip_arp_request(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac);
IIP_LOCAL void iip_arp_announce(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_arp_probe(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_ndp_solicit(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac);
IIP_LOCAL void iip_ndp_announce(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_ndp_probe(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL iip_verdict iip_ndp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                    int fragmented);
/* The link header in front of pkt->data, then off with it. */
IIP_LOCAL void iip_eth_output(struct iip_stack *stk, struct iip_pkt *pkt, const iip_u8 *mac, iip_u32 type);
/* tell.c: each of the other stacks with our addresses gets a copy; nothing when it is one itself. `l3`: behind the link header. */
IIP_LOCAL void iip_tell_others(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3,
                               const struct iip_ip *about);
/* It is such a copy: learn from it, but do not answer. */
IIP_LOCAL int iip_rx_is_told(const struct iip_pkt *pkt);
/* Our own station sent it. */
IIP_LOCAL int iip_neigh_is_echo(const struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3);

/* neigh.c */
IIP_LOCAL int iip_neigh_init(struct iip_stack *stk);
IIP_LOCAL void iip_neigh_free_all(struct iip_stack *stk);
IIP_LOCAL struct iip_neigh *iip_neigh_find(const struct iip_stack *stk, const struct iip_ip *ip);
/* Finds or makes an entry and pins it; null: no memory. */
IIP_LOCAL struct iip_neigh *iip_neigh_pin(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_neigh_unpin(struct iip_stack *stk, struct iip_neigh *neigh);
/* Sends an IP packet to a neighbour in whatever state it is. Takes it. */
IIP_LOCAL void iip_neigh_output(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt);
/* What ARP heard: `reply` to us; `ask`: it asked for us, so an entry is worth its memory. 1 when something came of it. */
IIP_LOCAL int iip_neigh_heard_arp(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac, int reply,
                                  int ask);
/* 1 when that changed something. */
IIP_LOCAL int iip_neigh_heard_ns(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac);
IIP_LOCAL int iip_neigh_heard_na(struct iip_stack *stk, const struct iip_ndp *ndp);

/* reass.c: takes a fragment. The whole datagram, with *f that of its first fragment; or null, and what became of the fragment. */
IIP_LOCAL int iip_reass_init(struct iip_stack *stk);
IIP_LOCAL void iip_reass_free_all(struct iip_stack *stk);
IIP_LOCAL struct iip_pkt *iip_reass_add(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_frag *f,
                                        iip_verdict *verdict);

/* pmtu.c */
IIP_LOCAL int iip_pmtu_init(struct iip_stack *stk);
IIP_LOCAL void iip_pmtu_free_all(struct iip_stack *stk);
IIP_LOCAL void iip_pmtu_timer(struct iip_stack *stk);
/* 1 when it is news. */
IIP_LOCAL int iip_pmtu_learn(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 mtu);

/* icmp.c, icmp_error.c */
IIP_LOCAL iip_verdict iip_icmp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
IIP_LOCAL iip_verdict iip_icmpv6_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       int fragmented);
IIP_LOCAL iip_verdict iip_icmp_error_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* A packet of ours could not be sent: its transport is told as if a router had said so. */
IIP_LOCAL void iip_icmp_tell_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt);

/* input.c: what IPv4 and IPv6 input share. */
/* The first `want` bytes in one view; the packet itself when they are; null, and the packet untouched, without a frame. */
IIP_LOCAL struct iip_pkt *iip_rx_pull(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 want);
/* Counts and frees a packet that is not the one that rx.c knows; the answer for rx.c. */
IIP_LOCAL iip_verdict iip_rx_settle(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict);

/* output.c: sums the transport's checksum that was left to the port. */
IIP_LOCAL void iip_ip_csum_finish(struct iip_pkt *pkt, const struct iip_tx_ip *ip);
/* fragment.c: sends a datagram in pieces that fit `mtu`; sends each by `send`. */
IIP_LOCAL void iip_ip_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path);
/* output.c: an IP packet, complete from its header on, to where the path says. */
IIP_LOCAL void iip_ip_send(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_path *path,
                           const struct iip_ip *dst);
IIP_LOCAL iip_u32 iip_ip_next_id(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                                 iip_u32 proto);

/* ---- IPv4 input, where it is short ---- */
/* What the header at p says, of a packet from the wire to one station. */
IIP_INLINE void iip_ipv4_fill(struct iip_rx *rx, const iip_u8 *p, iip_u32 hdr_len)
{
    iip_ip_of_v4(&rx->src, iip_raw32(p + 12));
    iip_ip_of_v4(&rx->dst, iip_raw32(p + 16));
    rx->l3 = p;
    rx->l3_len = hdr_len;
    rx->family = 4;
    rx->tos = p[1];
    rx->ttl = p[8];
    rx->proto = p[9];
    rx->multicast = 0;
    rx->looped = 0;
}

/* None of ours, and of a class that hosts have. The address that came in last is as good as a table. */
IIP_INLINE int iip_ipv4_addrs_plain(const struct iip_net *net, const iip_u8 *p)
{
    iip_u32 src = iip_raw32(p + 12);
    const iip_u32 *special = net->v4_special;
    return iip_raw32(p + 16) == net->v4_ours && net->v4_ours && !net->v4_many && (iip_u8)(p[12] - 1) < 223 &&
        p[12] != 127 && src != special[0] && src != special[1] && src != special[2] && src != special[3];
}

#endif

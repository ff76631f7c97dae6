/* udp.h - UDP sockets, and what the files about them share. */
#ifndef IIP_NET_UDP_H
#define IIP_NET_UDP_H

#include "net/state.h"
#include "wire/udp.h"

struct iip_udp_sock {
    struct iip_node node;      /* by local port, or by local port and peer when connected */
    struct iip_udp_sock *prev, *next; /* all of them */
    struct iip_ready ready;
    void *user;
    struct iip_endpoint local; /* any address: all of its family, or of both */
    struct iip_endpoint peer;  /* port 0: not connected */
    struct iip_path path;      /* to path_dst from path_src, when valid */
    struct iip_ip path_src, path_dst;
    struct iip_pktq queue;     /* datagrams; data at the payload, aux bytes behind the IP header */
    iip_u32 queued;            /* memory that they pin */
    iip_u8 ttl;                /* 0: by destination */
    iip_u8 tos;
    iip_u8 path_named;         /* the sender named path_src; else it was chosen */
    iip_u8 has_error;
    struct iip_icmp_error error; /* the latest that was not yet told */
};

struct iip_udp {
    struct iip_table table;
    struct iip_udp_sock *first;
    iip_u32 connected;         /* how many are */
    iip_u32 opened;            /* for the choice of ports */
};

/* udp_table.c */
IIP_LOCAL int iip_udp_is_connected(const struct iip_udp_sock *sock);
IIP_LOCAL void iip_udp_table_add(struct iip_stack *stk, struct iip_udp_sock *sock);
/* The socket for a datagram to `local` from `peer`: connected ones first, then the address itself, then any. */
IIP_LOCAL struct iip_udp_sock *iip_udp_find(const struct iip_stack *stk, const struct iip_endpoint *local,
                                            const struct iip_endpoint *peer);
/* Would `sock` stand in the way of one that is there? */
IIP_LOCAL int iip_udp_in_use(const struct iip_stack *stk, const struct iip_udp_sock *sock);
/* Picks a free local port [RFC 6056 3.3]. OK, ADDR_IN_USE. */
IIP_LOCAL int iip_udp_pick_port(struct iip_stack *stk, struct iip_udp_sock *sock);

#endif

/* up.h - the only calls from a lower room into a higher one. */
#ifndef IIP_STACK_UP_H
#define IIP_STACK_UP_H

#include "stack/stack.h"

/* stack -> net. pkt->data is behind the link header. `group`: to a broadcast or multicast station. */
IIP_LOCAL int iip_net_new(struct iip_stack *stk);
IIP_LOCAL void iip_net_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_arp_input(struct iip_stack *stk, struct iip_pkt *pkt);
IIP_LOCAL iip_verdict iip_ipv4_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped);
IIP_LOCAL iip_verdict iip_ipv6_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped);
IIP_LOCAL void iip_neigh_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_reass_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_net_timer(struct iip_stack *stk, struct iip_timer *t);

/* stack, net -> udp */
IIP_LOCAL int iip_udp_new(struct iip_stack *stk);
IIP_LOCAL void iip_udp_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_udp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* Gives notes of a socket; *more stays 1 while it has others. */
IIP_LOCAL iip_u32 iip_udp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more);

/* stack, net -> tcp */
IIP_LOCAL int iip_tcp_new(struct iip_stack *stk);
IIP_LOCAL void iip_tcp_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_tcp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* The short way from the wire for what nearly all packets are; the verdict, or IIP_HELD + 1: it must go the long way. */
IIP_LOCAL iip_verdict iip_tcp_rx_plain(struct iip_stack *stk, struct iip_pkt *pkt);
/* Sends what may be sent on all connections that were touched; hold: ACKs of data just handed up may wait. */
IIP_LOCAL void iip_tcp_output_touched(struct iip_stack *stk, int hold);
IIP_LOCAL void iip_tcp_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_tcp_mini_timer(struct iip_stack *stk, struct iip_timer *t);
/* When a lazily armed timer is really due; IIP_NEVER: it is not needed. */
IIP_LOCAL iip_u64 iip_tcp_timer_due(const struct iip_stack *stk, const struct iip_timer *t);
/* *more -1: others wait, for the next call. */
IIP_LOCAL iip_u32 iip_tcp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more);

/* An ICMP error about a packet that we sent: what it quotes, checked for form only. */
struct iip_icmp_error {
    struct iip_ip src, dst;    /* of the quoted packet: src is ours */
    iip_u32 src_port, dst_port;
    iip_u32 seq;               /* TCP; has_seq says if it was quoted */
    iip_u8 has_seq;
    iip_u8 family, type, code; /* ICMP or ICMPv6 numbers */
    iip_s32 status;            /* IIP_E_UNREACHABLE, _NET_UNREACHABLE, _REFUSED (port), _MSGSIZE (mtu), _TIMEOUT (hop limit, reassembly) */
    iip_u8 hard;               /* protocol or port unreachable */
    iip_u32 mtu;               /* with MSGSIZE: clamped to the protocol's minimum */
};
/* 1 when the error fits a live connection with an in-flight sequence number (then the path MTU may be learnt). */
IIP_LOCAL int iip_tcp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err);
IIP_LOCAL int iip_udp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err);
/* The link's MTU or a path MTU to `dst` changed (null: all). */
IIP_LOCAL void iip_tcp_mtu_changed(struct iip_stack *stk, const struct iip_ip *dst);

#endif

/*
 * counters.h - every counter of a stack, once. What happens to a received packet is a verdict, and a verdict is a
 * counter: rx_packets = rx_delivered + rx_held + the sum of the drops.
 */
#ifndef IIP_STACK_COUNTERS_H
#define IIP_STACK_COUNTERS_H

/* X(NAME, "name", "what is counted") */
#define IIP_COUNTERS(X)                                                                                       \
    X(RX_PACKETS, "rx_packets", "packets given to input")                                                     \
    X(RX_BYTES, "rx_bytes", "their bytes")                                                                    \
    X(RX_DELIVERED, "rx_delivered", "received packets that did their work: data taken, ACK used, question answered") \
    X(RX_HELD, "rx_held", "received fragments that wait for the rest (a level, not a total)")                 \
    X(TX_PACKETS, "tx_packets", "packets that transmit took")                                                 \
    X(TX_BYTES, "tx_bytes", "their bytes")                                                                    \
    X(TX_REFUSED, "tx_refused", "times that transmit took less than it was offered")                          \
    X(LOOP_PACKETS, "loop_packets", "packets from one of our addresses to another, never offered to transmit") \
    X(NO_FRAME, "no_frame", "times that the host had no frame")                                               \
    X(NO_MEM, "no_mem", "times that the host had no memory, or the ceiling was reached")                      \
    IIP_DROPS(X)                                                                                              \
    IIP_EVENTS(X)

/* Why a received packet was dropped. */
#define IIP_DROPS(X)                                                                                          \
    X(DROP_ETH_SHORT, "drop_eth_short", "shorter than an Ethernet header")                                    \
    X(DROP_ETH_VLAN, "drop_eth_vlan", "802.1Q tag with a VLAN id")                                            \
    X(DROP_ETH_TYPE, "drop_eth_type", "EtherType that is not ARP, IPv4 or IPv6")                              \
    X(DROP_ETH_DST, "drop_eth_dst", "addressed to another station")                                           \
    X(DROP_ARP, "drop_arp", "ARP of the wrong form or not for us")                                            \
    X(DROP_IP_HEADER, "drop_ip_header", "IP version, length or header length that cannot be")                 \
    X(DROP_IP_CSUM, "drop_ip_csum", "IPv4 header checksum")                                                   \
    X(DROP_IP_OPTION, "drop_ip_option", "IPv4 source route or malformed option; IPv6 option that says: discard") \
    X(DROP_IP_EXT, "drop_ip_ext", "IPv6 extension headers malformed, out of order or too many")               \
    X(DROP_IP_SRC, "drop_ip_src", "source address that no host may send from")                                \
    X(DROP_IP_DST, "drop_ip_dst", "not an address of this stack")                                             \
    X(DROP_IP_PROTO, "drop_ip_proto", "protocol that nobody here speaks")                                     \
    X(DROP_FRAGMENT, "drop_fragment", "fragment that overlaps, overruns or is malformed")                     \
    X(DROP_FRAGMENT_LIMIT, "drop_fragment_limit", "fragment beyond the limits of reassembly")                 \
    X(DROP_FRAGMENT_TIMEOUT, "drop_fragment_timeout", "fragment whose datagram never became whole")           \
    X(DROP_ICMP, "drop_icmp", "ICMP malformed, or of a type that is ignored")                                 \
    X(DROP_NDP, "drop_ndp", "neighbour discovery malformed, or from beyond the link")                         \
    X(DROP_UDP_HEADER, "drop_udp_header", "UDP length that cannot be")                                        \
    X(DROP_UDP_CSUM, "drop_udp_csum", "UDP checksum")                                                         \
    X(DROP_UDP_PORT, "drop_udp_port", "UDP port that nobody opened")                                          \
    X(DROP_UDP_FULL, "drop_udp_full", "UDP socket whose queue is full")                                       \
    X(DROP_TCP_HEADER, "drop_tcp_header", "TCP header that cannot be")                                        \
    X(DROP_TCP_CSUM, "drop_tcp_csum", "TCP checksum")                                                         \
    X(DROP_TCP_ADDR, "drop_tcp_addr", "TCP to a broadcast or multicast address, or from one")                 \
    X(DROP_TCP_CLOSED, "drop_tcp_closed", "segment for no connection: answered with RST or not")              \
    X(DROP_TCP_LISTEN, "drop_tcp_listen", "segment to a listener that opens nothing")                         \
    X(DROP_TCP_BACKLOG, "drop_tcp_backlog", "SYN to a listener whose backlog is full")                        \
    X(DROP_TCP_PAWS, "drop_tcp_paws", "timestamp from the past (RFC 7323 5.3), or missing")                   \
    X(DROP_TCP_SEQ, "drop_tcp_seq", "outside the receive window")                                             \
    X(DROP_TCP_RST, "drop_tcp_rst", "RST that is not exactly in place (RFC 5961 3)")                          \
    X(DROP_TCP_SYN, "drop_tcp_syn", "SYN within a connection (RFC 5961 4)")                                   \
    X(DROP_TCP_ACK, "drop_tcp_ack", "no ACK, or one of what was never sent (RFC 5961 5)")                     \
    X(DROP_TCP_OLD, "drop_tcp_old", "data that is here already")                                              \
    X(DROP_TCP_MEMORY, "drop_tcp_memory", "data beyond the memory of the receive buffer")                     \
    X(DROP_TCP_AFTER_CLOSE, "drop_tcp_after_close", "data for an application that closed")                    \
    X(DROP_PRESSURE, "drop_pressure", "text, datagram or fragment that would hold memory of a host that is short of it") \
    X(DROP_NO_FRAME, "drop_no_frame", "packet whose headers lay apart, with no frame to put them together")

/* Everything else that is worth knowing. */
#define IIP_EVENTS(X)                                                                                         \
    X(ARP_SENT, "arp_sent", "ARP requests and replies sent")                                                  \
    X(NEIGH_FAILED, "neigh_failed", "neighbours that did not answer")                                         \
    X(NEIGH_QUEUE_FULL, "neigh_queue_full", "packets dropped because a neighbour was slow to answer")         \
    X(NO_ROUTE, "no_route", "packets without a route")                                                        \
    X(ADDR_CONFLICT, "addr_conflict", "claims of our addresses by others")                                    \
    X(ICMP_SENT, "icmp_sent", "ICMP messages sent")                                                           \
    X(ICMP_LIMITED, "icmp_limited", "ICMP messages not sent, to limit their rate")                            \
    X(FRAGMENTS_SENT, "fragments_sent", "IP fragments sent")                                                  \
    X(REASSEMBLED, "reassembled", "datagrams put together")                                                   \
    X(TX_DROPPED, "tx_dropped", "answers and datagrams not sent: no frame, no room")                          \
    X(TCP_ACTIVE, "tcp_active", "active opens")                                                               \
    X(TCP_PASSIVE, "tcp_passive", "connections accepted")                                                     \
    X(TCP_CLOSED, "tcp_closed", "connections ended, in any way")                                              \
    X(TCP_SEGS_IN, "tcp_segs_in", "segments received")                                                        \
    X(TCP_SEGS_OUT, "tcp_segs_out", "segments sent as on the wire: large packets as cut; retransmissions too")\
    X(TCP_RETRANS, "tcp_retrans", "segments sent again")                                                      \
    X(TCP_RTO, "tcp_rto", "retransmission timeouts")                                                          \
    X(TCP_FAST_RETRANS, "tcp_fast_retrans", "fast recoveries entered")                                        \
    X(TCP_UNDONE, "tcp_undone", "losses that were none: the window is what it was")                         \
    X(TCP_FAST_PATH, "tcp_fast_path", "segments as predicted")                                                \
    X(TCP_PROBES, "tcp_probes", "zero-window probes")                                                         \
    X(TCP_KEEPALIVES, "tcp_keepalives", "keep-alive probes")                                                  \
    X(TCP_RST_SENT, "tcp_rst_sent", "RSTs sent")                                                              \
    X(TCP_CHALLENGE, "tcp_challenge", "challenge ACKs sent (RFC 5961)")                                       \
    X(TCP_LIMITED, "tcp_limited", "RSTs and challenge ACKs not sent, to limit their rate")                    \
    X(TCP_TIMEOUTS, "tcp_timeouts", "connections given up")                                                   \
    X(TCP_COOKIES_SENT, "tcp_cookies_sent", "SYN cookies sent")                                               \
    X(TCP_COOKIES_GOOD, "tcp_cookies_good", "SYN cookies that came back")                                     \
    X(TCP_TIME_WAIT_REUSED, "tcp_time_wait_reused", "TIME-WAIT ended by a newer SYN (RFC 6191)")              \
    X(FOREIGN, "foreign", "packets handed to the stack that owns their tuple")

enum {
#define IIP_COUNTER_ENUM(name, text, doc) IIP_CTR_##name,
    IIP_COUNTERS(IIP_COUNTER_ENUM)
#undef IIP_COUNTER_ENUM
    IIP_CTR_COUNT
};

/* What an input function answers: keeps or frees, and counts. Every other verdict is IIP_CTR_DROP_...: count and free. */
typedef iip_u32 iip_verdict;

enum {
    IIP_DONE = IIP_CTR_RX_DELIVERED, /* it did its work: count, free */
    IIP_KEPT = IIP_CTR_COUNT,        /* it did its work and has a new owner: count, do not free */
    IIP_HELD = IIP_CTR_COUNT + 1     /* it waits for other fragments; whoever holds it will count it */
};

#endif

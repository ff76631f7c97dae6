/* tune.h - tunables of a stack: struct, names, ranges and defaults in one list. */
#ifndef IIP_STACK_TUNE_H
#define IIP_STACK_TUNE_H

#include "iip/types.h"

/* X(field, "name", min, max, default, "unit and meaning") */
#define IIP_TUNABLES(X)                                                                                       \
    X(mtu, "mtu", 576, 65535, 1500, "bytes; largest IP packet of the link")                                   \
    X(ip_ttl, "ip.ttl", 1, 255, 64, "hop limit of what we originate")                                         \
    X(reass_timeout_us, "ip.reass_timeout_us", 1000, 120000000, 60000000, "us; a datagram must be whole by then") \
    X(reass_datagrams, "ip.reass_datagrams", 0, 65536, 64, "datagrams under reassembly at once")              \
    X(reass_bytes, "ip.reass_bytes", 0, 0x40000000, 262144, "bytes of memory held by fragments")              \
    X(pmtu_timeout_us, "ip.pmtu_timeout_us", 1000000, 0xffffffffU, 600000000, "us; a learnt path MTU is forgotten after this") \
    X(icmp_rate, "icmp.rate", 0, 1000000, 1000, "ICMP errors a second")                                       \
    X(neigh_retry_us, "neigh.retry_us", 1000, 60000000, 1000000, "us between requests for one neighbour")     \
    X(neigh_retries, "neigh.retries", 1, 20, 3, "requests before a neighbour counts as gone")                 \
    X(neigh_reachable_us, "neigh.reachable_us", 1000000, 0xffffffffU, 30000000, "us that a confirmed neighbour is trusted") \
    X(neigh_entries, "neigh.entries", 8, 1048576, 1024, "entries of the neighbour cache")                     \
    X(neigh_queue, "neigh.queue", 1, 1024, 128, "packets that wait for one neighbour; see below")         \
    X(neigh_queue_all, "neigh.queue_all", 1, 65536, 512, "packets that wait for all neighbours together")     \
    X(dad, "ip.dad", 0, 1, 0, "1: probe an address for duplicates before use (RFC 5227, RFC 4862)")           \
    X(udp_rcvbuf, "udp.rcvbuf", 2048, 0x40000000, 262144, "bytes queued on one socket")                       \
    X(tcp_rcvbuf, "tcp.rcvbuf", 2048, 0x40000000, 1048576, "bytes of receive buffer")                         \
    X(tcp_sndbuf, "tcp.sndbuf", 2048, 0x40000000, 1048576, "bytes queued to send or unacknowledged")          \
    X(tcp_wscale, "tcp.window_scale", 0, 255, 255, "shift of the windows we offer, 0..14; 15: do not offer the option; 255: from tcp.rcvbuf") \
    X(tcp_mss, "tcp.mss", 0, 65495, 0, "bytes; MSS that we announce at most; 0: from the MTU")                \
    X(tcp_sack, "tcp.sack", 0, 1, 1, "offer SACK")                                                            \
    X(tcp_timestamps, "tcp.timestamps", 0, 1, 1, "offer timestamps")                                          \
    X(tcp_syn_options, "tcp.syn_options", 0, 0xffffffffU, 0x31842, "order of the SYN's options, lowest hex digit first: 1 NOP 2 MSS 3 window scale 4 SACK-permitted 8 timestamps; see tunables.md") \
    X(tcp_delack_us, "tcp.delayed_ack_us", 0, 499999, 40000, "us; 0: acknowledge at once")                    \
    X(tcp_quickack, "tcp.quick_ack", 0, 0xffff, 0, "segments of a new connection that are acknowledged at once") \
    X(tcp_rto_initial_us, "tcp.rto_initial_us", 1000, 60000000, 1000000, "us (RFC 6298 2.1)")                 \
    X(tcp_rto_min_us, "tcp.rto_min_us", 100, 60000000, 200000, "us; RFC 6298 2.4 says 1 s")                   \
    X(tcp_rto_max_us, "tcp.rto_max_us", 1000000, 600000000, 120000000, "us")                                  \
    X(tcp_retries, "tcp.retries", 1, 255, 15, "retransmissions before a connection is given up (R2)")         \
    X(tcp_retries1, "tcp.retries1", 1, 255, 3, "retransmissions before the application is told (R1)")         \
    X(tcp_syn_retries, "tcp.syn_retries", 0, 255, 7, "retransmissions of a SYN (R2 for SYNs: 3 minutes at least)") \
    X(tcp_synack_retries, "tcp.synack_retries", 0, 255, 5, "retransmissions of a SYN-ACK")                    \
    X(tcp_initcwnd, "tcp.initial_window", 1, 1000, 10, "segments (RFC 6928)")                                 \
    X(tcp_cc, "tcp.congestion_control", 0, 1, 1, "0 NewReno, 1 CUBIC")                                        \
    X(tcp_msl_us, "tcp.msl_us", 0, 120000000, 30000000, "us; TIME-WAIT lasts twice this")                     \
    X(tcp_fin_wait2_us, "tcp.fin_wait2_us", 0, 0xffffffffU, 60000000, "us that a closed connection waits for the peer's FIN; 0: for ever") \
    X(tcp_keepalive, "tcp.keepalive", 0, 1, 0, "1: on for new connections")                                   \
    X(tcp_keepidle_us, "tcp.keepidle_us", 1000, IIP_U64(0x1000, 0), IIP_U64(1, 2905032704U), "us of silence before the first probe (2 h)") \
    X(tcp_keepintvl_us, "tcp.keepintvl_us", 1000, 0xffffffffU, 75000000, "us between probes")                 \
    X(tcp_keepcnt, "tcp.keepcnt", 1, 255, 9, "unanswered probes before the connection is given up")           \
    X(tcp_user_timeout_us, "tcp.user_timeout_us", 0, IIP_U64(0x1000, 0), 0, "us that data may stay unacknowledged or wait for a window; 0: by tcp.retries") \
    X(tcp_nodelay, "tcp.nodelay", 0, 1, 0, "1: no Nagle on new connections")                                  \
    X(tcp_ttl, "tcp.ttl", 1, 255, 64, "hop limit")                                                            \
    X(tcp_dscp, "tcp.dscp", 0, 63, 0, "DSCP of new connections")                                              \
    X(tcp_fast_path, "tcp.fast_path", 0, 1, 1, "0: every segment goes the long way (for tests: nothing else may differ)") \
    X(tcp_copy_max, "tcp.copy_max", 0, 1460, 192, "bytes; payloads up to this are copied behind their header") \
    X(tcp_time_wait_max, "tcp.time_wait_max", 0, 0x1000000, 1048576, "connections in TIME-WAIT; the oldest goes first") \
    X(tcp_half_open_max, "tcp.half_open_max", 1, 0x1000000, 65536, "half-open connections of all listeners; beyond them, cookies") \
    X(tcp_rst_rate, "tcp.rst_rate", 0, 1000000, 10000, "RSTs a second for segments of no connection")         \
    X(tcp_challenge_rate, "tcp.challenge_rate", 0, 1000, 10, "challenge ACKs a second of one connection, in any state")

struct iip_tune {
#define IIP_TUNE_FIELD(field, name, min, max, def, doc) iip_u64 field;
    IIP_TUNABLES(IIP_TUNE_FIELD)
#undef IIP_TUNE_FIELD
};

struct iip_stack;
IIP_LOCAL void iip_tune_defaults(struct iip_stack *stk);

#endif

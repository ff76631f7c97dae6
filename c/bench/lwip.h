/*
 * lwip.h - the peer: lwIP as Debian ships it, in the same harness.
 *
 * lwIP keeps its state in globals, so two ends are two private copies of the shared library, each loaded from a file
 * of its own. Everything is called through the raw API from one thread, as lwIP's manual recommends for speed.
 *
 * What differs from our wire: lwIP turns the fields of a received TCP header into host order in place, and its sender
 * reads its own header again when it is acknowledged. So frames cannot be shared, and this wire copies each packet
 * once, into a buffer that the receiver wraps as a custom pbuf, as its drivers do. Debian's build has no timestamps, no
 * SACK, a receive window of 64 KiB, copies what is written, and has no switch for checksum offload: the program
 * iip_bench_lwip_offload replaces its checksum functions by ones that return 0, which is what offload would cost.
 */
#ifndef BENCH_LWIP_H
#define BENCH_LWIP_H

#include "measure.h"

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <netif/ethernet.h>

enum { LW_RING = 65536, LW_BURST = 64, LW_PORT = 80, LW_BUF = 1536, LW_HOP_US = 10 };

/* The functions that we call, of one copy. */
#define LW_CALLS(X)                                                                                           \
    X(lwip_init) X(netif_add) X(netif_set_up) X(netif_set_link_up) X(netif_set_default) X(etharp_output)      \
    X(etharp_request)                                                                                         \
    X(ethernet_input) X(pbuf_alloced_custom) X(pbuf_free) X(tcp_new) X(tcp_bind) X(tcp_listen_with_backlog)   \
    X(tcp_accept) X(tcp_arg) X(tcp_recv) X(tcp_sent) X(tcp_err) X(tcp_connect) X(tcp_write) X(tcp_output)     \
    X(tcp_recved) X(tcp_close) X(tcp_tmr)

/* A packet on the wire. */
struct lw_buf {
    struct pbuf_custom custom;
    struct lw_end *to;
    struct lw_buf *next;
    u16_t len;
    u8_t bytes[LW_BUF];
};

struct lw_end {
    struct {
#define LW_POINTER(name) __typeof__(&name) name;
        LW_CALLS(LW_POINTER)
#undef LW_POINTER
        struct tcp_pcb **active, **time_wait;
    } call;
    struct netif netif;
    struct lw_end *peer;
    struct lw_buf **ring;
    uint32_t head, tail;
    uint64_t packets;
};

struct lw {
    struct lw_end client, server;
    struct lw_buf *free;
    uint64_t now_us, timer_us;
};

extern struct lw lw;

/* Loads both copies, and lets the two ends learn each other's link address. */
void lw_open(void);
/* The server listens; each new connection goes to `accept`. */
void lw_listen(tcp_accept_fn accept);
/* The client opens a connection from `port` (0: lwIP picks one). */
struct tcp_pcb *lw_connect(uint16_t port, void *arg, tcp_connected_fn connected);
/* Up to a burst of packets into one end, whose answers go out at once; returns how many. */
uint32_t lw_turn(struct lw_end *end);
/* Turns both until the wire is empty. */
void lw_settle(void);
/* Time passes; lwIP's timer runs as often as it asks for. */
void lw_tick(uint64_t us);

void lw_pingpong(const struct bench_args *args);
void lw_bulk(const struct bench_args *args);
void lw_churn(const struct bench_args *args);
void lw_mem(const struct bench_args *args);

#endif

/*
 * pair.h - two stacks of this project back to back in memory: the hosts, and the wire that hands frames over.
 *
 * The wire copies no byte. Of what one end transmits the other gets frames of its own that name the same bytes; when it
 * gives one of them back, the sender's packet is freed, as a NIC does once it has sent. Both ends live in one thread and
 * take turns; time stands still but for pair_tick.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "iip/core.h"
#include "measure.h"

enum {
    PAIR_FRAME_BYTES = 1984, /* of memory in each frame, headroom included; with its header 2,048 */
    PAIR_HEADROOM = 128,     /* that the application leaves for headers */
    PAIR_RING = 65536,       /* packets on the wire, each way */
    PAIR_BURST = 64,         /* packets that one turn takes */
    PAIR_NOTES = 64,         /* notes that one call takes */
    PAIR_PORT = 80,
    PAIR_HOP_US = 10
};

/* A frame of the pool, or the receiver's name for a frame of the sender. */
struct pair_frame {
    struct iip_frame f;
    struct pair_frame *next; /* in a free list */
    struct iip_pkt *sent;    /* wire frames: the packet of the sender to free in the end */
};

struct pair_end {
    struct iip_stack *stk;
    struct pair_end *peer;
    struct pair_frame *free;      /* of the pool */
    struct pair_frame *wire_free; /* wire frames for what this end receives */
    struct iip_pkt **ring;        /* packets on their way to this end */
    uint32_t head, tail;
    uint16_t checked;             /* marks of what comes: sums that the device found right */
    uint32_t lose;                /* 1: what comes to this end is lost */
    uint32_t trace;
    uint64_t packets;             /* received */
    struct iip_note notes[PAIR_NOTES];
};

struct pair {
    struct pair_end client, server;
    uint64_t now;
    uint32_t addrs; /* of the client: 10.0.1.1, 10.0.1.2 ...; the server is 10.0.0.1 */
};

/* Makes both ends, with addresses, routes and neighbours set. */
void pair_open(struct pair *pair, const struct bench_args *args);
/* Fails if a packet was dropped, sent again or refused by either end. The memory goes when the process does. */
void pair_close(struct pair *pair);

/* Sets a tunable of both ends. */
void pair_set(struct pair *pair, const char *name, uint64_t value);
/* Up to a burst of packets in; returns how many. Then the caller reads notes and calls pair_out. */
uint32_t pair_in(struct pair *pair, struct pair_end *end);
static inline void pair_out(struct pair *pair, struct pair_end *end)
{
    iip_stack_output(end->stk, pair->now);
}
static inline uint32_t pair_notes(struct pair_end *end)
{
    return iip_stack_notes(end->stk, end->notes, PAIR_NOTES);
}
/* Time passes. */
static inline void pair_tick(struct pair *pair, uint64_t us)
{
    pair->now += us;
}

/* An empty packet with headroom in a frame of the end's pool. */
struct iip_pkt *pair_pkt(struct pair_end *end);
/* Frees the packets of a DATA note and gives their window back. */
static inline void pair_used(struct pair_end *end, const struct iip_note *note)
{
    iip_tcp_done(end->stk, note->conn, note->pkt);
}
/* The i-th client address, port open; the server's, with its port. */
struct iip_endpoint pair_client_addr(uint32_t i);
struct iip_endpoint pair_server_addr(void);
/* A counter of one end by name. */
uint64_t pair_counter(const struct pair_end *end, const char *name);

#endif

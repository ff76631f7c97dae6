/*
 * sim.h - two or three stacks, an adversarial wire between them, applications on top, a virtual clock.
 *
 * Everything follows from one 64-bit seed. Swarm testing: the seed also picks which faults there are at all, for
 * some faults hide others.
 */
#ifndef TEST_SIM_H
#define TEST_SIM_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segment.h"
#include "testhost.h"

enum { MAX_NODES = 3, MAX_CONNS = 12, MAX_ATTEMPTS = 64, STREAM_MAX = 1 << 20, KEPT_MAX = 4096 };

struct plan {
    int nodes, family, conns;
    uint32_t loss, dup, reorder, corrupt;   /* millionths */
    uint32_t delay_us, jitter_us, rate;     /* rate: bytes a millisecond, 0: none */
    uint32_t mtu, mtu_small;                /* mtu_small: the wire's MTU from mtu_at_us on; 0: never */
    uint64_t mtu_at_us;
    uint32_t frame_fail, mem_fail, refuse;  /* millionths */
    uint32_t lag_us;                        /* how late a node may look at its clock */
    uint32_t rx_frame_min;                  /* bytes of memory that a received packet pins at least */
    uint32_t view;                          /* received packets are cut into views of this size; 0: whole */
    int harsh;                              /* so much loss that giving up is right */
    uint32_t pressure;                      /* 0, or where episodes begin in which a node's host is short of memory */
    int twice;                              /* output is called more often than needed */
    uint32_t l2;                            /* bytes of link header: 14 with Ethernet, ARP and NDP, or 0 */
};

/* One end of a connection: the application. */
struct end {
    struct attempt *at;
    int side;                     /* 0 client, 1 server */
    int live, done, status, fin, shut, blocked, connected;
    uint64_t total, sent, received;
    uint64_t wake;                /* when it wants to act next */
    uint64_t abort_at;            /* bytes sent after which it aborts; UINT64_MAX: never */
    int close_early;              /* closes once it has written, whatever comes */
    uint32_t chunk, stall_ppm, by_ref_ppm;
    uint64_t stall_until, think_us;
    struct iip_tcp_conn *conn;
    struct iip_pkt *kept[KEPT_MAX];
    uint32_t kept_from, kept_to;
};

/* What the police know about one direction. */
struct beat {
    int known, fin_known, ts, sack, ws_seen, syn_seen;
    uint32_t isn, snd_max, fin_seq, ack_max, edge, edge_seen, tsval, mss;
    int ack_seen, edge_known, edge_seen_known, wscale, ts_seen;
    uint8_t *got;                 /* one bit a stream byte: was delivered to the other side */
};

struct attempt {
    int used, index, dirty;       /* dirty: an abort or an early close is planned, so resets are right */
    int blurred;                  /* the tuple lived twice: its numbers are no longer judged */
    int client, server;           /* nodes */
    uint16_t cport, sport;
    struct end end[2];
    struct beat beat[2];
};

struct node {
    struct sim *sim;
    int index;
    struct testhost th;
    struct iip_stack *stk;
    struct iip_ip ip;
    struct iip_tcp_listener *lis;
    uint64_t due, room_at, look_at; /* when the stack is due, when the port has room again, when notes are read again */
    uint64_t app_wake;
    uint32_t mtu, mtu_max;
    uint64_t segments, resets;    /* that it has sent */
    uint32_t caps;
    struct iip_tcp_conn *stray[8]; /* accepted for a client that has long gone; aborted */
    uint64_t busy_until[MAX_NODES];
    uint64_t press_rng, press_at; /* when the host becomes short of memory, or has enough again */
    uint32_t pressed;             /* IIP_PRESSURE_... */
};

struct event {
    uint64_t at, order;
    int to;
    uint32_t len;
    uint8_t *bytes;
};

struct sim {
    uint64_t seed, rng, now, steps, hash, packets, order;
    int verbose, fast_path;
    struct plan plan;
    struct node node[MAX_NODES];
    struct attempt attempt[MAX_ATTEMPTS];
    int attempts;                 /* connections begun so far, repetitions included */
    int wanted;                   /* connections still to begin */
    uint64_t next_connect;
    struct event *heap;
    uint32_t heap_count, heap_cap;
    uint32_t wire_mtu;
    jmp_buf fail;
    char reason[400];
};

void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
static inline uint64_t rnd(struct sim *sim)
{
    return testhost_random(&sim->rng);
}
static inline uint64_t below(struct sim *sim, uint64_t n)
{
    return n ? rnd(sim) % n : 0;
}
static inline int chance(struct sim *sim, uint32_t ppm)
{
    return ppm && rnd(sim) % 1000000 < ppm;
}
static inline uint8_t stream_byte(const struct attempt *at, int side, uint64_t offset)
{
    return pattern(offset + 7919u * (uint64_t)(2 * at->index + side));
}

/* plan.c */
void plan_make(struct sim *sim);
void plan_tune(struct sim *sim, struct node *node);
void plan_press(struct sim *sim, struct node *node);
void plan_conn(struct sim *sim, struct attempt *at);
/* wire.c */
void node_mac(uint8_t mac[6], int index);
void wire_send(struct sim *sim, struct node *from, const uint8_t *bytes, uint32_t len);
uint64_t wire_next(const struct sim *sim);
int wire_take(struct sim *sim, struct event *out);
void wire_free(struct sim *sim);
/* police.c */
void police_out(struct sim *sim, struct node *from, const struct segment *s, uint32_t len);
void police_in(struct sim *sim, struct node *to, const struct segment *s);
void police_print(const struct sim *sim, const struct node *from, const struct segment *s, const char *what);
struct attempt *police_find(struct sim *sim, const struct segment *s, int *side);
/* app.c */
void app_notes(struct sim *sim, struct node *node);
void app_run(struct sim *sim, struct node *node);
void app_connect(struct sim *sim);
int app_done(const struct sim *sim);
void app_judge(struct sim *sim);

#endif

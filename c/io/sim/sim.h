/*
 * sim.h - a wire that behaves badly, and always in the same way: "sim:name,seed=7,loss=1%", opened twice.
 *
 *     seed=N          where the randomness begins; the same seed, packets and times give the same wire (default 1)
 *     loss=1% dup=1% reorder=1% corrupt=1%
 *                     chances for each packet, drawn from a sequence each, so that one does not disturb another
 *     delay=10ms jitter=2ms
 *                     each packet takes delay, and up to jitter more, but overtakes no other
 *     gap=5ms         a reordered packet is held back by 1 us to gap more, and may be overtaken (default: delay, at least 1ms)
 *     rate=100mbit queue=256k
 *                     a bottleneck, and the bytes that may wait in front of it; what does not fit is lost (default 1m)
 *     mtu=1500        longer packets are lost
 *     clock=virtual   time stands still until iip_sim_advance; it begins at 1 s. clock=real: CLOCK_MONOTONIC (default)
 *     csum=on         as with pair: checksums are not computed, and packets arrive marked as right (default off)
 *     l3=on           packets begin at the IP header
 *
 * What the second end says of chances, delays and rate holds for what it sends; without a word it sends like the first.
 *
 * A corrupted packet has one bit flipped. Where the Internet checksums would not see that (link header, ARP, UDP
 * without checksum) the frame check of a real link would: the packet is lost. Else it arrives, not marked as right.
 */
#ifndef IIP_IO_SIM_H
#define IIP_IO_SIM_H

#include <pthread.h>
#include <stdatomic.h>

#include "../args.h"
#include "../pool.h"
#include "../port.h"

enum {
    IIP_SIM_NAME = 64,
    IIP_SIM_FLIGHT = 65536,      /* packets on the wire in one direction, at most; then transmit refuses */
    IIP_SIM_MTU_MIN = 576,
    IIP_SIM_MTU_MAX = 65535,
    IIP_SIM_START_US = 1000000   /* where a virtual clock begins */
};

/* ---- for those who drive a virtual clock; any thread ---- */

/* What one end has sent, and what became of it: sent + duplicated = delivered + lost + in_flight, packets and bytes. */
struct iip_sim_account {
    uint64_t sent, sent_bytes;
    uint64_t duplicated, duplicated_bytes;
    uint64_t delivered, delivered_bytes;
    uint64_t in_flight, in_flight_bytes;
    uint64_t lost, lost_bytes;                                    /* all four kinds: */
    uint64_t lost_chance, lost_queue, lost_mtu, lost_frame_check;
    uint64_t corrupted, reordered;                                /* of those that went on */
};

/* Moves a virtual clock on; the new time, or 0: no such wire, or its clock is real. */
uint64_t iip_sim_advance(const char *name, uint64_t us);
/* When the next packet arrives at either end; IIP_NEVER when none is under way. It may be past: not received yet. */
uint64_t iip_sim_next(const char *name);
/* Changes the MTU of the wire; both ends see it (`changed`). NOT_FOUND. */
int iip_sim_mtu_set(const char *name, uint32_t mtu);
/* A frame arrives at the end with this Ethernet address now, whatever the wire does to others; it counts as sent by the
   other end. INVAL: its length; NOT_FOUND, LINK_DOWN: no other end, AGAIN: too much is under way, NOMEM. */
int iip_sim_inject(const char *name, const uint8_t mac[6], const void *frame, uint32_t len);
/* Of what end `side` (0: opened first) sent. NOT_FOUND. */
int iip_sim_account(const char *name, uint32_t side, struct iip_sim_account *out);

/* ---- inside ---- */

struct iip_sim_opts { /* of one direction */
    uint32_t loss_ppb, dup_ppb, reorder_ppb, corrupt_ppb;
    uint64_t delay_us, jitter_us, gap_us;
    uint64_t rate_bits, queue_bytes;
};

struct iip_sim_node { /* a packet under way */
    uint64_t at_us, order;
    uint32_t len;
    uint16_t flags; /* of the packet that arrives */
    uint8_t bytes[];
};

enum { IIP_SIM_LOSS, IIP_SIM_DUP, IIP_SIM_REORDER, IIP_SIM_CORRUPT, IIP_SIM_JITTER, IIP_SIM_DICE };

struct iip_sim_lane { /* what one end sends */
    struct iip_sim_opts opts;
    uint64_t dice[IIP_SIM_DICE];
    uint64_t busy_ns;            /* the bottleneck has work until then */
    uint64_t last_us;            /* the latest arrival of those in order */
    uint64_t order;
    struct iip_sim_node **heap;  /* earliest first */
    uint32_t count, cap;
    uint32_t blocked;            /* transmit refused, and the reason stands still: too much is under way, or no other end */
    struct iip_sim_account account;
};

struct iip_sim_end { /* a port and its only queue */
    struct iip_sim_wire *wire;
    uint32_t side;
    uint32_t epoch;
    uint8_t mac[6];
    int fd;                      /* a timer: readable when something arrives */
    uint64_t armed_us;           /* what it is set to; 0: off */
    uint32_t waiting;            /* fd() was called since the last rx: only then is the timer set */
    uint32_t stuck;              /* rx found no frame or no memory */
    uint32_t refused;            /* the last tx was */
    struct iip_stack *stk;
    struct iip_pool pool;
    struct iip_port_stats stats;
    struct iip_sim_lane lane;
};

struct iip_sim_wire {
    struct iip_sim_wire *next;
    char name[IIP_SIM_NAME];
    pthread_mutex_t lock;
    uint64_t seed;
    uint32_t mtu;
    int csum, l3, is_virtual;
    _Atomic uint64_t now_us;     /* the virtual clock */
    _Atomic uint32_t epoch;      /* counts changes of link and MTU */
    struct iip_sim_end *end[2];
    uint32_t opened, closed;
};

/* lane.c: all under the wire's lock */
void iip_sim_lane_init(struct iip_sim_lane *lane, uint64_t seed, uint32_t side);
void iip_sim_lane_free(struct iip_sim_lane *lane);
/* Puts one packet on the wire: 1, or 0 when there is no memory or too much is under way. */
int iip_sim_lane_send(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, const struct iip_pkt *pkt,
                      uint64_t now_us);
/* The longest packet that a wire carries, link header included. */
uint32_t iip_sim_longest(const struct iip_sim_wire *wire);
/* Puts bytes on the wire that arrive at now_us, as they are: a status. */
int iip_sim_lane_inject(struct iip_sim_lane *lane, const void *bytes, uint32_t len, uint64_t now_us);
/* The packet that arrives next, or null; and taking it off. */
struct iip_sim_node *iip_sim_lane_first(const struct iip_sim_lane *lane);
void iip_sim_lane_pop(struct iip_sim_lane *lane);

/* queue.c */
uint64_t iip_sim_now(struct iip_port_queue *queue);
uint32_t iip_sim_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_sim_tx(void *queue, struct iip_pkt **pkts, uint32_t n);
int iip_sim_fd(struct iip_port_queue *queue);
/* Sets the timer of an end, if that waits, to when it has something to do; under the wire's lock. */
void iip_sim_arm(struct iip_sim_end *end);

#endif

/*
 * pair.h - two in-memory ends of one wire, in one process: "pair:name", opened twice.
 *
 * Each end works like a NIC. It posts descriptors of empty frames of its own, the other end copies bytes into them and
 * marks them filled, and nothing is ever lost: without a posted frame, transmit refuses. Every pair of queues has its
 * own ring with one writer and one reader, so both ends, and all queues, may be on different threads, and no lock is
 * taken after open. Who wants to sleep says so (fd): only then does the other side spend a system call to wake it.
 *
 * Long packets are lent instead: see lend.c. So frames of either end may come up at the other, and `regions` names the
 * memory of both from the first open on: the pools of the second end are made with those of the first.
 *
 *     csum=off        both stacks compute and check checksums; without it packets arrive marked as right
 *     tso=on          large packets go through uncut (default off)
 *     mtu=1500        of both ends; longer packets are dropped
 *     l3=on           packets begin at the IP header
 *     mac=02:...      this end's address (default: made from the name)
 *     queues=1        the second end has at most as many as the first; flows are shared by `share` (Toeplitz)
 *     ring=512, frames, frame_size (rings take half of the frames at most, unless a packet needs more)
 *
 * What is true of the wire (csum, tso, mtu, l3) need be said by the first end only.
 */
#ifndef IIP_IO_PAIR_H
#define IIP_IO_PAIR_H

#include <stdalign.h>
#include <stdatomic.h>

#include "../pool.h"
#include "../port.h"

enum {
    IIP_PAIR_QUEUES = 16,
    IIP_PAIR_NAME = 64,
    IIP_PAIR_LINK = 18,     /* an Ethernet header with one tag */
    IIP_PAIR_MORE = 0x8000, /* flag of a descriptor: the packet goes on in the next one */
    IIP_PAIR_LENT = 0x4000, /* ... : its bytes are `data`, and `buf` stays empty */
    IIP_PAIR_MARKS = IIP_PAIR_MORE | IIP_PAIR_LENT
};

/* A packet of the sender whose bytes the receiver reads. */
struct iip_pair_lent {
    struct iip_frame frame;       /* the receiver's, read-only; first: it is found from its frame */
    struct iip_pkt *pkt;          /* the sender's, which it frees when the record is home */
    struct iip_pair_queue *owner;
    struct iip_pair_lent *next;   /* free, or on its way home */
};

struct iip_pair_desc {
    uint8_t *buf;
    uint64_t meta; /* length, flags of the packet that it makes with IIP_PAIR_MARKS, seg_size: one load, one store */
    uint8_t *data; /* this and the next with IIP_PAIR_LENT only */
    struct iip_pair_lent *lent;
};

static inline uint64_t iip_pair_meta(uint32_t len, uint32_t flags, uint32_t seg_size)
{
    return (uint64_t)seg_size << 48 | (uint64_t)flags << 32 | len;
}

/* Positions count up for ever and are taken modulo the size. consumed <= filled <= posted <= consumed + size. */
struct iip_pair_ring {
    struct iip_pair_desc *desc;
    struct iip_frame **frame; /* the receiver's: whose memory each descriptor names; null: it was handed up */
    uint32_t mask;
    uint32_t room;            /* bytes of one descriptor */
    uint32_t max_len;         /* bytes of the longest packet that is no TSO packet and fits one descriptor */
    struct iip_pair_queue *sender, *receiver;

    alignas(64) _Atomic uint32_t posted; /* written by the receiver */
    uint32_t posted_mine, consumed, filled_seen;

    alignas(64) _Atomic uint32_t filled; /* written by the sender */
    _Atomic uint32_t starved;            /* the sender found no room and wants to be woken */
    uint32_t filled_mine, posted_seen;
};

struct iip_pair_queue {
    _Atomic(struct iip_pair_ring *) tx_only; /* the other end has one queue: its ring; else null */
    struct iip_stack *stk;
    struct iip_pair_end *end;
    uint16_t rx_flags;   /* what every received packet is marked with */
    uint32_t index;
    uint32_t reserve;    /* frames that receive leaves for transmit */
    uint32_t armed;      /* fd() was called since the last rx */
    struct iip_pair_ring *blocked; /* the ring that had no room in the last transmit, or null */
    _Atomic uint32_t tx_count; /* queues of the other end, once it is there */
    struct iip_pair_ring *tx[IIP_PAIR_QUEUES];
    struct iip_pair_ring *in[IIP_PAIR_QUEUES];
    int wake_fd[2];
    struct iip_pool pool;
    struct iip_port_stats stats;
    struct iip_pair_lent *lent;      /* records; null: this queue does not lend */
    struct iip_pair_lent *lent_free; /* those that were used and are home */
    uint32_t lent_n, lent_fresh;     /* how many; from here on they were never used */
    alignas(64) _Atomic uint32_t parked;
    _Atomic(struct iip_pair_lent *) lent_home; /* [any] those that came back */
};

struct iip_pair_end {
    struct iip_pair_wire *wire;
    uint32_t side;
    uint32_t queues;
    uint32_t epoch; /* of the wire, as `changed` last saw it */
    uint8_t mac[6];
    struct iip_pair_queue *q[IIP_PAIR_QUEUES];
};

struct iip_pair_wire {
    struct iip_pair_wire *next;
    char name[IIP_PAIR_NAME];
    uint32_t queues; /* of the first end; the second has at most as many */
    uint32_t mtu;
    uint32_t max_len; /* bytes of the longest packet that is not TSO */
    int csum, tso, l3;
    struct iip_pair_end *end[2];
    uint32_t frames, frame_size; /* of the pools of the first end */
    struct iip_pool spare[IIP_PAIR_QUEUES]; /* the second end's, until it is opened */
    struct iip_port_region region[2][IIP_PAIR_QUEUES]; /* where frames that an end lends lie; as at the first open */
    uint32_t region_n[2];
    uint32_t opened, closed;
    _Atomic uint32_t epoch;
    _Atomic uint32_t up;
};

/* What one open asks for; -1 or 0: nothing was said. */
struct iip_pair_ask {
    char name[IIP_PAIR_NAME];
    struct iip_port_cfg cfg;
    uint32_t mtu;
    int csum, tso, l3, has_mac;
    uint8_t mac[6];
};

/* ask.c: each returns a status */
int iip_pair_ask(struct iip_pair_ask *ask, const char *args, const struct iip_port_cfg *cfg, struct iip_port_err *err);
/* Whether an end that asks for this may be the other one of the wire. */
int iip_pair_agree(const struct iip_pair_wire *wire, const struct iip_pair_ask *ask, struct iip_port_err *err);

/* setup.c: end->q[i], which is freed with the end also where this failed. A status. */
int iip_pair_queue_new(struct iip_pair_end *end, uint32_t i, const struct iip_pair_ask *ask, struct iip_port_err *err);
void iip_pair_queue_free(struct iip_pair_queue *q);

/* ring.c */
int iip_pair_ring_new(struct iip_pair_ring **out, uint32_t size, struct iip_pair_queue *receiver);
void iip_pair_ring_free(struct iip_pair_ring *ring);
/* Posts as many empty frames as the pool and the ring allow. */
void iip_pair_ring_post(struct iip_pair_ring *ring);

/* lend.c */
/* Records for lending; without memory the queue copies. */
void iip_pair_lend_init(struct iip_pair_queue *q);
/* The last view of a lent frame is gone: any thread. */
void iip_pair_lent_return(struct iip_frame *frame);
/* Frees the packets of the records that came back. */
void iip_pair_lent_fetch(struct iip_pair_queue *q);
/* Returns what was lent to a ring whose receiver will read no more. */
void iip_pair_lent_unread(struct iip_pair_ring *ring);

/* queue.c */
uint32_t iip_pair_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_pair_tx(void *queue, struct iip_pkt **pkts, uint32_t n);
int iip_pair_fd(struct iip_port_queue *queue);
/* Any thread: makes the descriptor of a parked queue readable. */
void iip_pair_wake(struct iip_pair_queue *q);

#endif

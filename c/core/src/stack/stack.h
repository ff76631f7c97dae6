/* stack.h - the state that all rooms share, and what this room offers to those above it. */
#ifndef IIP_STACK_STACK_H
#define IIP_STACK_STACK_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/table.h"
#include "base/wheel.h"
#include "iip/core.h"
#include "stack/counters.h"
#include "stack/tune.h"

struct iip_net;
struct iip_tcp;
struct iip_udp;
struct iip_slab;

enum {
    IIP_TX_BURST = 64,  /* packets offered to transmit at once */
    IIP_HEADROOM = 128, /* bytes before the payload that hold every header we send */
    IIP_HELD_MAX = 1024 /* refused packets beyond which answers and datagrams are no longer queued */
};

/* A FIFO of packets linked by `link`. */
struct iip_pktq {
    struct iip_pkt *head;
    struct iip_pkt *tail;
    iip_u32 count;
};

/* Something that has notes to give: a connection, a socket, the stack. */
struct iip_ready {
    struct iip_ready *next;
    iip_u8 kind;   /* IIP_READY_... */
    iip_u8 queued;
    iip_u16 half;  /* the owner's, who need not lose what would be padding; so is word */
    iip_u32 word;
};

enum { IIP_READY_TCP = 1, IIP_READY_UDP, IIP_READY_FOREIGN };
enum { IIP_TIMER_TCP = 1, IIP_TIMER_TCP_MINI, IIP_TIMER_NEIGH, IIP_TIMER_REASS, IIP_TIMER_NET };

struct iip_stack {
    iip_u64 now;
    struct iip_host host;
    iip_u32 flags;              /* IIP_STACK_... */
    iip_u32 caps;               /* IIP_CAP_... */
    iip_u32 l2_len;             /* 14, or 0 at L3 */
    iip_u32 tso_max;
    iip_u8 mac[6];
    iip_u8 key[16];
    struct iip_hash_key hash_key;
    iip_u64 rng;

    struct iip_pkt *pkt_free;   /* views that are free */
    struct iip_slab *slabs;     /* memory in which views lie */

    struct iip_pkt *tx[IIP_TX_BURST]; /* packets of this burst */
    iip_u32 tx_count;
    iip_u32 tx_blocked;         /* transmit refused during this call */
    struct iip_pktq held;       /* refused packets, oldest first */
    struct iip_pktq loop;       /* packets to ourselves */
    struct iip_pktq foreign;    /* packets of other stacks that share our addresses */

    struct iip_ready *ready_head;
    struct iip_ready *ready_tail;
    struct iip_ready foreign_ready;

    struct iip_wheel wheel;
    struct iip_tune tune;
    iip_u32 syn_digits;         /* that tcp.syn_options has, a bit each */
    iip_u32 pressure;           /* IIP_PRESSURE_... */
    iip_u64 ctr[IIP_CTR_COUNT];
    iip_u64 mem_used;
    iip_u64 mem_limit;
    struct iip_share share;     /* share.stacks <= 1: alone */

    struct iip_net *net;
    struct iip_udp *udp;
    struct iip_tcp *tcp;
};

/* What IP found out about a received packet; pkt->data is then at the L4 header and the chain ends where IP says. */
struct iip_rx {
    struct iip_ip src, dst;
    const iip_u8 *l3;   /* the IP header, for quotes; always in the first view */
    iip_u32 l3_len;     /* with options and extension headers; 0 when it no longer lies before the L4 header (reassembled) */
    iip_u8 family;      /* 4 or 6 */
    iip_u8 proto;
    iip_u8 ttl;
    iip_u8 tos;
    iip_u8 multicast;   /* to a broadcast or multicast address, on the link or in IP */
    iip_u8 looped;      /* from ourselves: no checksum was made */
};

/* ---- memory (mem.c): counted against the ceiling ---- */
IIP_LOCAL void *iip_mem_alloc(struct iip_stack *stk, iip_size bytes);
IIP_LOCAL void *iip_mem_zalloc(struct iip_stack *stk, iip_size bytes);
IIP_LOCAL void iip_mem_free(struct iip_stack *stk, void *p, iip_size bytes);
IIP_LOCAL void iip_table_mem_of(struct iip_stack *stk, struct iip_table_mem *mem);

/* Objects of one size, taken from the host in chunks and kept until the end. */
struct iip_pool {
    void *free;
    void *chunks;
    iip_u32 size;   /* bytes of an object; a multiple of 8 */
    iip_u32 chunk;  /* objects a chunk */
};
IIP_LOCAL void iip_pool_init(struct iip_pool *pool, iip_u32 size, iip_u32 chunk);
IIP_LOCAL void *iip_pool_get(struct iip_stack *stk, struct iip_pool *pool); /* not zeroed; null: counted */
IIP_LOCAL void iip_pool_put(struct iip_pool *pool, void *p);
IIP_LOCAL void iip_pool_free(struct iip_stack *stk, struct iip_pool *pool);

/* ---- packets (pkt.c) ---- */
/* An empty packet in a fresh frame with IIP_HEADROOM before data and room for `size` bytes; null: counted. */
IIP_LOCAL struct iip_pkt *iip_pkt_alloc(struct iip_stack *stk, iip_u32 size);
/* A second view of `len` bytes from `data` of the same frame. */
IIP_LOCAL struct iip_pkt *iip_pkt_view(struct iip_stack *stk, const struct iip_pkt *pkt, iip_u8 *data, iip_u32 len);
IIP_LOCAL iip_u32 iip_pkt_bytes(const struct iip_pkt *pkt); /* of the whole chain */
/* Cuts the chain to `len` bytes, freeing views beyond. */
IIP_LOCAL void iip_pkt_trim(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len);
/* Drops `len` bytes from the front; views that become empty are freed, so the head may change. */
IIP_LOCAL struct iip_pkt *iip_pkt_skip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len);
/* Copies bytes out of a chain. */
IIP_LOCAL void iip_pkt_read(const struct iip_pkt *pkt, iip_u32 offset, iip_u8 *to, iip_u32 len);
/* Partial checksum of a chain from offset. */
IIP_LOCAL iip_u64 iip_pkt_csum(const struct iip_pkt *pkt, iip_u32 offset, iip_u32 len);
/* The whole chain in one view (at most a frame's room); takes pkt; null: counted, pkt is freed. */
IIP_LOCAL struct iip_pkt *iip_pkt_linear(struct iip_stack *stk, struct iip_pkt *pkt);
IIP_LOCAL void iip_pkt_free_all(struct iip_stack *stk); /* the views' memory, at the end */
IIP_LOCAL void iip_pktq_put(struct iip_pktq *q, struct iip_pkt *pkt);
IIP_LOCAL struct iip_pkt *iip_pktq_get(struct iip_pktq *q);
IIP_LOCAL void iip_pktq_free(struct iip_stack *stk, struct iip_pktq *q);
/* Makes views until `n` are free; 0, or -1 without memory. */
IIP_LOCAL int iip_pkt_reserve(struct iip_stack *stk, iip_u32 n);

/* iip_pkt_new where no free view is at hand. */
IIP_COLD IIP_LOCAL struct iip_pkt *iip_pkt_take_grown(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data,
                                                      iip_u32 len);

/* iip_pkt_new, in place. */
IIP_INLINE struct iip_pkt *iip_pkt_take(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    struct iip_pkt *pkt = stk->pkt_free;
    if (IIP_UNLIKELY(!pkt))
        return iip_pkt_take_grown(stk, frame, data, len);
    stk->pkt_free = pkt->link;
    pkt->next = 0;
    pkt->link = 0;
    pkt->frame = frame;
    pkt->data = data;
    pkt->len = len;
    pkt->total = len;
    pkt->flags = 0;
    pkt->seg_size = 0;
    frame->views++;
    return pkt;
}

/* iip_pkt_free of a packet of one view. */
IIP_INLINE void iip_pkt_drop(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_frame *frame = pkt->frame;
    pkt->link = stk->pkt_free;
    stk->pkt_free = pkt;
    if (--frame->views == 0)
        stk->host.frame_put(stk->host.ctx, frame);
}

/* A frame counts for what it pins: half its memory at least, so that one-byte segments cannot pin the pool. */
IIP_INLINE iip_u32 iip_pkt_charge_one(const struct iip_pkt *view)
{
    return iip_max32(view->len, view->frame->size / 2);
}

/* May the core write `len` bytes of header in front of pkt->data? Only while this view is the frame's only one. */
IIP_INLINE int iip_pkt_headroom_ok(const struct iip_pkt *pkt, iip_u32 len)
{
    const struct iip_frame *frame = pkt->frame;
    return frame->views == 1 && !(frame->flags & IIP_FRAME_READ_ONLY) && (iip_size)(pkt->data - frame->base) >= len;
}

/* ---- transmit (tx.c): the place where packets leave ---- */
/* Takes a packet that is complete from the link header on. */
IIP_LOCAL void iip_tx(struct iip_stack *stk, struct iip_pkt *pkt);
/* The same for a packet of one view. */
IIP_LOCAL void iip_tx_flush(struct iip_stack *stk);
IIP_INLINE void iip_tx_one(struct iip_stack *stk, struct iip_pkt *pkt)
{
    stk->tx[stk->tx_count++] = pkt;
    stk->ctr[IIP_CTR_TX_BYTES] += pkt->total;
    if (IIP_UNLIKELY(stk->tx_count == IIP_TX_BURST))
        iip_tx_flush(stk);
}
/* Takes an IP packet for one of our own addresses. */
IIP_LOCAL void iip_tx_loop(struct iip_stack *stk, struct iip_pkt *pkt);
/* 1 when answers and datagrams must be refused: the port takes nothing and enough is held. */
IIP_INLINE int iip_tx_full(const struct iip_stack *stk)
{
    return stk->held.count >= IIP_HELD_MAX;
}

/* ---- notes (note.c) ---- */
IIP_LOCAL void iip_ready_put(struct iip_stack *stk, struct iip_ready *ready);
IIP_LOCAL void iip_ready_del(struct iip_stack *stk, struct iip_ready *ready);
IIP_LOCAL void iip_note_init(struct iip_note *note, iip_u32 type);

/* ---- sharing of tuples (share.c) ---- */
/* The stack that owns a tuple; `self` when the stack is alone. Ports in host order, local first. */
IIP_LOCAL iip_u32 iip_share_owner(const struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port);
/* Takes a packet (from the IP header on if at L3, else from the link header) for another stack. */
IIP_LOCAL void iip_share_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 owner);

/* ---- rate limit: a bucket that holds one second's worth ---- */
struct iip_bucket {
    iip_u64 last_us;
    iip_u32 tokens;
};
IIP_LOCAL int iip_bucket_take(struct iip_bucket *b, iip_u64 now, iip_u64 per_second);

IIP_INLINE void iip_count(struct iip_stack *stk, iip_u32 counter)
{
    stk->ctr[counter]++;
}

#endif

/*
 * pool.h - frames of one queue: one region of equal, aligned buffers, and their headers beside it.
 *
 * The headers lie outside the region, because languages above map the region and may write anywhere in it. The free
 * list is last-in first-out (warm memory first), and a frame that was never used costs nothing: its pages are untouched.
 *
 * A pool belongs to the thread of its queue. A frame that another queue's thread gives back (a packet that was handed
 * over) goes home through a list of its own, which the owner empties when its free list runs dry.
 */
#ifndef IIP_IO_POOL_H
#define IIP_IO_POOL_H

#include <stdint.h>

#include "error.h"
#include "iip/core.h"

enum {
    IIP_POOL_HEADROOM = 128,        /* bytes that a port leaves free in front of a received packet */
    IIP_POOL_FRAME_MIN = 512,
    IIP_POOL_FRAME_MAX = 1 << 17,
    IIP_POOL_COUNT_MAX = 1 << 22
};

struct iip_pool {
    struct iip_frame **stack; /* free frames, warmest last */
    uint32_t top;             /* how many stand there */
    uint32_t fresh;           /* frames from here on were never used */
    uint32_t count;
    uint32_t frame_size;
    struct iip_frame *frames;
    uint8_t *base;            /* the region */
    uint64_t len;
    uint32_t id;
    uint32_t *away_next;      /* frames that came back from other threads: a list of index + 1, 0 ends it */
    uint32_t away;            /* its head; atomic */
};

/* Size of a frame for an MTU: headroom, link header with a VLAN tag, packet; rounded up to a power of two. */
uint32_t iip_pool_frame_size(uint32_t mtu);
/* *size becomes that of 0, of any other what it is rounded to: RANGE if a packet of the MTU does not fit into it. */
int iip_pool_fit(uint32_t *size, uint32_t mtu, struct iip_port_err *err);
/* The largest packet that fits into a frame: what may be received is longer, what is to be sent is not. */
uint32_t iip_pool_mtu(const struct iip_pool *p);
/* Zero count or size: never. Fails with NOMEM or RANGE; a pool that was zeroed or has failed may be freed. */
int iip_pool_init(struct iip_pool *p, uint32_t id, uint32_t count, uint32_t frame_size, struct iip_port_err *err);
void iip_pool_free(struct iip_pool *p);

/* What get and put do when it is not simple. */
struct iip_frame *iip_pool_refill(struct iip_pool *p);
/* Takes in the frames that came back from other threads. */
void iip_pool_fetch(struct iip_pool *p);
void iip_pool_put_home(struct iip_frame *frame);

/* Frames that get would still give, less those on their way home. */
static inline uint32_t iip_pool_left(const struct iip_pool *p)
{
    return p->top + (p->count - p->fresh);
}

/* A frame with views == 0 and flags == 0, or null. */
static inline struct iip_frame *iip_pool_get(struct iip_pool *p)
{
    if (IIP_LIKELY(p->top))
        return p->stack[--p->top];
    return iip_pool_refill(p);
}

static inline void iip_pool_put(struct iip_pool *p, struct iip_frame *frame)
{
    if (IIP_UNLIKELY(frame->host != p)) {
        iip_pool_put_home(frame);
        return;
    }
    frame->flags = 0;
    p->stack[p->top++] = frame;
}

#endif

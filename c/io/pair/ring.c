/* ring.c - the memory of a ring, and the posting of empty frames. */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include "iip/status.h"

int iip_pair_ring_new(struct iip_pair_ring **out, uint32_t size, struct iip_pair_queue *receiver)
{
    struct iip_pair_ring *ring = aligned_alloc(64, sizeof(*ring));
    if (!ring)
        return IIP_E_NOMEM;
    memset(ring, 0, sizeof(*ring));
    ring->mask = size - 1;
    ring->receiver = receiver;
    ring->room = receiver->pool.frame_size - IIP_POOL_HEADROOM;
    ring->desc = calloc(size, sizeof(*ring->desc));
    ring->frame = calloc(size, sizeof(*ring->frame));
    if (!ring->desc || !ring->frame) {
        iip_pair_ring_free(ring);
        return IIP_E_NOMEM;
    }
    *out = ring;
    return IIP_OK;
}

void iip_pair_ring_free(struct iip_pair_ring *ring)
{
    if (!ring)
        return;
    free(ring->desc);
    free(ring->frame);
    free(ring);
}

void iip_pair_ring_post(struct iip_pair_ring *ring)
{
    struct iip_pair_queue *q = ring->receiver;
    uint32_t at = ring->posted_mine, want = ring->consumed + ring->mask + 1 - at, left;
    struct iip_pair_desc *desc;
    struct iip_frame **frames;
    left = iip_pool_left(&q->pool);
    if (IIP_UNLIKELY(left < want + q->reserve)) {
        iip_pool_fetch(&q->pool);
        left = iip_pool_left(&q->pool);
        left = left > q->reserve ? left - q->reserve : 0;
        if (want > left)
            want = left;
    }
    if (!want)
        return;
    desc = ring->desc;
    frames = ring->frame;
    for (uint32_t end = at + want, mask = ring->mask; at != end; at++) {
        struct iip_frame *frame = iip_pool_get(&q->pool);
        frames[at & mask] = frame;
        desc[at & mask].buf = frame->base + IIP_POOL_HEADROOM;
    }
    ring->posted_mine = at;
    /* Sequential consistency, here and in transmit: either we see that the sender starves, or it sees these frames. */
    atomic_store(&ring->posted, at);
    if (IIP_UNLIKELY(atomic_load(&ring->starved))) {
        atomic_store(&ring->starved, 0);
        iip_pair_wake(ring->sender);
    }
}

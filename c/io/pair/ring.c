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
    uint32_t at = ring->posted_mine, end = ring->consumed + ring->mask + 1, mask = ring->mask;
    uint32_t left = iip_pool_left(&q->pool);
    struct iip_pair_desc *desc = ring->desc;
    struct iip_frame **frames = ring->frame;
    if (IIP_UNLIKELY(left < end - at + q->reserve)) {
        iip_pool_fetch(&q->pool);
        left = iip_pool_left(&q->pool);
    }
    left = left > q->reserve ? left - q->reserve : 0;
    for (; at != end; at++) {
        if (frames[at & mask]) /* what came in its place was lent */
            continue;
        if (!left--)
            break;
        frames[at & mask] = iip_pool_get(&q->pool);
        desc[at & mask].buf = frames[at & mask]->base + IIP_POOL_HEADROOM;
    }
    if (at == ring->posted_mine)
        return;
    ring->posted_mine = at;
    /* Sequential consistency, here and in transmit: either we see that the sender starves, or it sees these frames. */
    atomic_store(&ring->posted, at);
    if (IIP_UNLIKELY(atomic_load(&ring->starved))) {
        atomic_store(&ring->starved, 0);
        iip_pair_wake(ring->sender);
    }
}

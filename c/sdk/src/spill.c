/*
 * spill.c - copies of arrivals, so that an application that keeps its buffers cannot keep the port's.
 *
 * When the port's pool runs low, new arrivals are copied here before they are handed up, and their frames go back at
 * once. The memory is mapped, not touched, until then; it is capped: beyond, arrivals stay in their frames until only
 * the port's reserve is left, and then the stack takes nothing more that would be held, see iip_turn_pressure.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sdk.h"

enum { IIP_SPILL_BYTES = 2048 }; /* of one frame */

int32_t iip_spill_init(struct iip_loop *loop, struct iip_engine *engine, uint64_t bytes)
{
    struct iip_spill *spill = &loop->spill;
    uint64_t count = bytes / IIP_SPILL_BYTES;
    struct iip_region_row *row = &loop->regions[IIP_REGION_IDS - 1];
    int32_t index;
    void *base;
    if (!count || count > UINT32_MAX / sizeof(struct iip_frame))
        return count ? IIP_E_RANGE : IIP_OK;
    base =
        mmap(NULL, count * IIP_SPILL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return IIP_E_NOMEM;
    spill->base = base;
    spill->count = (uint32_t)count;
    spill->frames = calloc(count, sizeof *spill->frames);
    index = iip_region_map(engine, base, count * IIP_SPILL_BYTES);
    if (!spill->frames || index < 0)
        return IIP_E_NOMEM;
    *row = (struct iip_region_row){base, count * IIP_SPILL_BYTES, (uint32_t)index, 1};
    return IIP_OK;
}

void iip_spill_free(struct iip_loop *loop)
{
    if (loop->spill.base)
        munmap(loop->spill.base, (size_t)loop->spill.count * IIP_SPILL_BYTES);
    free(loop->spill.frames);
}

static struct iip_frame *iip_spill_get(struct iip_spill *spill)
{
    struct iip_frame *frame = spill->free;
    if (frame) {
        spill->free = frame->host;
        spill->used++;
        return frame;
    }
    if (spill->made == spill->count)
        return NULL;
    frame = &spill->frames[spill->made];
    frame->base = spill->base + (size_t)spill->made * IIP_SPILL_BYTES;
    frame->size = IIP_SPILL_BYTES;
    frame->region = IIP_FRAME_REGION_SPILL;
    spill->made++;
    spill->used++;
    return frame;
}

void iip_spill_put(struct iip_loop *loop, struct iip_frame *frame)
{
    frame->host = loop->spill.free;
    loop->spill.free = frame;
    loop->spill.used--;
}

/* One view of at most a frame's bytes from *from on, which moves along the chain. */
static struct iip_pkt *iip_spill_view(struct iip_loop *loop, const struct iip_pkt **from, uint32_t *at)
{
    struct iip_frame *frame = iip_spill_get(&loop->spill);
    struct iip_pkt *view;
    uint32_t len = 0;
    if (!frame)
        return NULL;
    while (*from && len < IIP_SPILL_BYTES) {
        uint32_t part = (*from)->len - *at;
        if (part > IIP_SPILL_BYTES - len)
            part = IIP_SPILL_BYTES - len;
        memcpy(frame->base + len, (*from)->data + *at, part);
        len += part;
        *at += part;
        if (*at == (*from)->len) {
            *from = (*from)->next;
            *at = 0;
        }
    }
    view = iip_pkt_new(loop->stk, frame, frame->base, len);
    if (!view)
        iip_spill_put(loop, frame);
    return view;
}

struct iip_pkt *iip_spill_copy(struct iip_loop *loop, struct iip_pkt *pkt)
{
    const struct iip_pkt *from = pkt;
    struct iip_pkt *copy = NULL;
    struct iip_pkt **end = &copy;
    uint32_t at = 0;
    do {
        *end = iip_spill_view(loop, &from, &at);
        if (!*end) {
            iip_pkt_free(loop->stk, copy);
            return pkt;
        }
        loop->stats.spill_bytes += (*end)->len;
        end = &(*end)->next;
    } while (from);
    loop->stats.spill_copies++;
    copy->link = pkt->link;
    iip_pkt_free(loop->stk, pkt);
    return copy;
}

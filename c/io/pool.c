/* pool.c - frames of one queue. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "iip/status.h"

enum { IIP_POOL_PAGE = 4096, IIP_POOL_LINK = 18 /* Ethernet header with one tag */ };

static uint32_t iip_pool_round(uint32_t v)
{
    uint32_t size = IIP_POOL_FRAME_MIN;
    while (size < v)
        size *= 2;
    return size;
}

uint32_t iip_pool_frame_size(uint32_t mtu)
{
    return iip_pool_round(IIP_POOL_HEADROOM + IIP_POOL_LINK + mtu);
}

int iip_pool_fit(uint32_t *size, uint32_t mtu, struct iip_port_err *err)
{
    uint32_t least = iip_pool_frame_size(mtu);
    if (!*size)
        *size = least;
    if (*size >= least || iip_pool_round(*size) >= least)
        return IIP_OK;
    return iip_port_fail(err, IIP_E_RANGE,
                         "frame_size=%u: a packet of mtu=%u does not fit; use at least %u, or a smaller mtu", *size,
                         mtu, least);
}

uint32_t iip_pool_mtu(const struct iip_pool *p)
{
    return p->frame_size - IIP_POOL_HEADROOM - IIP_POOL_LINK;
}

/* A mapping whose base is a multiple of `align`; null when there is no memory. */
static uint8_t *iip_pool_map(uint64_t len, uint64_t align)
{
    uint64_t slack = align > IIP_POOL_PAGE ? align : 0, cut;
    uint8_t *p;
    if (len + slack > SIZE_MAX)
        return NULL;
    p = mmap(NULL, (size_t)(len + slack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (!slack)
        return p;
    cut = (align - (uintptr_t)p % align) % align;
    if (cut)
        munmap(p, (size_t)cut);
    if (slack - cut)
        munmap(p + cut + len, (size_t)(slack - cut));
    return p + cut;
}

int iip_pool_init(struct iip_pool *p, uint32_t id, uint32_t count, uint32_t frame_size, struct iip_port_err *err)
{
    memset(p, 0, sizeof(*p));
    if (!count || count > IIP_POOL_COUNT_MAX)
        return iip_port_fail(err, IIP_E_RANGE, "frames=%u: use 1 to %d", count, IIP_POOL_COUNT_MAX);
    if (frame_size < IIP_POOL_HEADROOM * 2 || frame_size > IIP_POOL_FRAME_MAX)
        return iip_port_fail(err, IIP_E_RANGE, "frame_size=%u: use %d to %d", frame_size, IIP_POOL_HEADROOM * 2,
                             IIP_POOL_FRAME_MAX);
    p->id = id;
    p->count = count;
    p->frame_size = iip_pool_round(frame_size);
    p->len = ((uint64_t)count * p->frame_size + IIP_POOL_PAGE - 1) & ~(uint64_t)(IIP_POOL_PAGE - 1);
    p->base = iip_pool_map(p->len, p->frame_size);
    p->frames = calloc(count, sizeof(*p->frames));
    p->stack = calloc(count, sizeof(*p->stack));
    p->away_next = calloc(count, sizeof(*p->away_next));
    if (p->base && p->frames && p->stack && p->away_next)
        return IIP_OK;
    iip_pool_free(p);
    return iip_port_fail(err, IIP_E_NOMEM, "no memory for %u frames of %u bytes: ask for fewer with frames=", count,
                         iip_pool_round(frame_size));
}

void iip_pool_free(struct iip_pool *p)
{
    if (p->base)
        munmap(p->base, (size_t)p->len);
    free(p->frames);
    free(p->stack);
    free(p->away_next);
    memset(p, 0, sizeof(*p));
}

static struct iip_frame *iip_pool_fresh(struct iip_pool *p)
{
    uint32_t i = p->fresh++;
    struct iip_frame *frame = &p->frames[i];
    frame->base = p->base + (uint64_t)i * p->frame_size;
    frame->size = p->frame_size;
    frame->region = p->id;
    frame->host = p;
    return frame;
}

/* Takes the whole list at once, so no other thread can confuse it. */
void iip_pool_fetch(struct iip_pool *p)
{
    uint32_t at;
    if (!__atomic_load_n(&p->away, __ATOMIC_RELAXED))
        return;
    at = __atomic_exchange_n(&p->away, 0, __ATOMIC_ACQUIRE);
    while (at) {
        struct iip_frame *frame = &p->frames[at - 1];
        at = p->away_next[at - 1];
        frame->flags = 0;
        p->stack[p->top++] = frame;
    }
}

struct iip_frame *iip_pool_refill(struct iip_pool *p)
{
    iip_pool_fetch(p);
    if (p->top)
        return p->stack[--p->top];
    return p->fresh < p->count ? iip_pool_fresh(p) : NULL;
}

void iip_pool_put_home(struct iip_frame *frame)
{
    struct iip_pool *home = frame->host;
    uint32_t at = (uint32_t)(frame - home->frames);
    uint32_t head = __atomic_load_n(&home->away, __ATOMIC_RELAXED);
    do
        home->away_next[at] = head;
    while (!__atomic_compare_exchange_n(&home->away, &head, at + 1, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

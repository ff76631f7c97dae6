/*
 * region.c - memory: the list of regions in which buffers lie, which the application maps; and memory of the
 * application, which it registers to send from without a copy.
 */
#include <stdlib.h>
#include <string.h>

#include "sdk.h"

enum {
    IIP_EXTERN_REGIONS = 1024,
    IIP_EXTERN_STEP = 32       /* records that are made at a time */
};

/* ---- regions of buffers ---- */

static int32_t iip_region_append(struct iip_engine *engine, const void *base, uint64_t len)
{
    if (engine->region_n == engine->region_cap) {
        uint32_t cap = engine->region_cap ? 2 * engine->region_cap : 16;
        struct iip_region_info *more = realloc(engine->regions, cap * sizeof *more);
        if (!more)
            return IIP_E_NOMEM;
        engine->regions = more;
        engine->region_cap = cap;
    }
    engine->regions[engine->region_n] =
        (struct iip_region_info){.base = (uintptr_t)base, .len = len, .index = engine->region_n};
    engine->region_n++;
    return IIP_OK;
}

/* Offsets have 32 bits: what is larger than 4 GiB appears as windows that overlap a little. */
int32_t iip_region_map(struct iip_engine *engine, const void *base, uint64_t len)
{
    uint64_t window = (uint64_t)1 << IIP_REGION_SHIFT;
    int32_t first, st = IIP_OK;
    uint64_t at;
    pthread_mutex_lock(&engine->lock);
    first = (int32_t)engine->region_n;
    for (at = 0; at < len && !st; at += window) {
        uint64_t rest = len - at;
        st = iip_region_append(engine, (const uint8_t *)base + at,
                               rest > window + IIP_REGION_LAP ? window + IIP_REGION_LAP : rest);
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : first;
}

/* Loops of one engine see the same regions at the same indices: the first to meet one maps it. */
static int32_t iip_region_index(struct iip_engine *engine, const struct iip_port_region *region)
{
    uint32_t i;
    int32_t found = -1;
    pthread_mutex_lock(&engine->lock);
    for (i = 0; i < engine->region_n && found < 0; i++)
        if (engine->regions[i].base == (uintptr_t)region->base)
            found = (int32_t)i;
    pthread_mutex_unlock(&engine->lock);
    return found < 0 ? iip_region_map(engine, region->base, region->len) : found;
}

int32_t iip_region_port(struct iip_loop *loop, struct iip_engine *engine)
{
    struct iip_port_region list[IIP_REGION_IDS - 1];
    uint32_t n = loop->ops->regions(engine->port, list, IIP_REGION_IDS - 1);
    uint32_t i;
    if (n >= IIP_REGION_IDS)
        return IIP_E_NOT_SUPPORTED;
    for (i = 0; i < n; i++) {
        int32_t index = iip_region_index(engine, &list[i]);
        if (index < 0)
            return index;
        if (list[i].id >= IIP_REGION_IDS - 1)
            return IIP_E_NOT_SUPPORTED;
        loop->regions[list[i].id] = (struct iip_region_row){list[i].base, list[i].len, (uint32_t)index, 1};
    }
    return IIP_OK;
}

int32_t iip_engine_regions(struct iip_engine *engine, struct iip_region_info *out, uint32_t cap)
{
    uint32_t n;
    if (!engine || (!out && cap))
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    pthread_mutex_lock(&engine->lock);
    n = engine->region_n;
    if (cap)
        memcpy(out, engine->regions, (n < cap ? n : cap) * sizeof *out);
    pthread_mutex_unlock(&engine->lock);
    return (int32_t)n;
}

/* ---- memory of the application: one table for the process, as its handles name no loop ---- */

struct iip_extern_region {
    struct iip_slot slot;         /* references: 1, and one for each send under way */
    struct iip_engine *engine;
    uint8_t *base;
    uint64_t len;
};

static struct iip_slots iip_extern_table;
static pthread_mutex_t iip_extern_lock = PTHREAD_MUTEX_INITIALIZER;

int32_t iip_region_add(struct iip_engine *engine, const void *base, uint64_t len, uint64_t *out)
{
    struct iip_extern_region *row;
    int32_t st = IIP_OK;
    if (!engine || !base || !len || !out)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    pthread_mutex_lock(&iip_extern_lock);
    if (!iip_extern_table.chunk) {
        st = iip_slots_init(&iip_extern_table, IIP_KIND_REGION, IIP_HANDLE_NO_LOOP, sizeof *row);
        iip_extern_table.limit = IIP_EXTERN_REGIONS;
    }
    row = st ? NULL : (struct iip_extern_region *)iip_slots_take(&iip_extern_table);
    if (row) {
        row->engine = engine;
        row->base = (uint8_t *)(uintptr_t)base;
        row->len = len;
        *out = iip_slot_handle(&iip_extern_table, &row->slot);
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return row ? IIP_OK : IIP_E_NOMEM;
}

int32_t iip_region_remove(uint64_t region)
{
    struct iip_slot *slot;
    int32_t st = IIP_E_STALE;
    pthread_mutex_lock(&iip_extern_lock);
    slot = iip_extern_table.chunk ? iip_slot_find(&iip_extern_table, region) : NULL;
    if (slot) {
        st = IIP_E_BUSY;
        if (iip_slot_end(slot, region)) { /* sends keep and drop references without the lock */
            iip_slots_back(&iip_extern_table, slot);
            st = IIP_OK;
        }
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return st;
}

uint32_t iip_region_forget(struct iip_engine *engine)
{
    uint32_t i, n;
    uint32_t forgotten = 0;
    pthread_mutex_lock(&iip_extern_lock);
    n = iip_extern_table.chunk ? atomic_load_explicit(&iip_extern_table.count, memory_order_relaxed) : 0;
    for (i = 0; i < n; i++) {
        struct iip_extern_region *row = (struct iip_extern_region *)iip_slot_at(&iip_extern_table, i);
        if (row->slot.index & IIP_SLOT_FREE || row->engine != engine)
            continue;
        iip_slots_put(&iip_extern_table, &row->slot);
        forgotten++;
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return forgotten;
}

/* ---- sends from it ---- */

static int32_t iip_region_more(struct iip_loop *loop)
{
    struct iip_extern *step = calloc(IIP_EXTERN_STEP, sizeof *step);
    uint32_t i;
    if (!step)
        return IIP_E_NOMEM;
    step[0].next = loop->extern_steps; /* the first of each step only links the steps */
    loop->extern_steps = step;
    for (i = 1; i < IIP_EXTERN_STEP; i++) {
        step[i].next = loop->extern_free;
        loop->extern_free = &step[i];
    }
    return IIP_OK;
}

void iip_region_free(struct iip_loop *loop)
{
    while (loop->extern_steps) {
        struct iip_extern *step = loop->extern_steps;
        loop->extern_steps = step->next;
        free(step);
    }
}

struct iip_extern *iip_region_send(struct iip_loop *loop, uint64_t region, uint64_t offset, uint32_t len,
                                   int32_t *status)
{
    struct iip_extern_region *row;
    struct iip_extern *ext;
    *status = iip_extern_table.chunk ? iip_slot_keep(&iip_extern_table, region) : IIP_E_STALE;
    if (*status)
        return NULL;
    row = (struct iip_extern_region *)iip_slot_peek(&iip_extern_table, region);
    *status = IIP_E_STALE;
    if (row->engine != atomic_load_explicit(&loop->engine, memory_order_relaxed))
        goto refuse;
    *status = IIP_E_RANGE;
    if (offset > row->len || len > row->len - offset)
        goto refuse;
    *status = IIP_E_NOMEM;
    if (!loop->extern_free && iip_region_more(loop))
        goto refuse;
    ext = loop->extern_free;
    loop->extern_free = ext->next;
    ext->frame = (struct iip_frame){.base = row->base + offset,
                                    .size = len,
                                    .flags = IIP_FRAME_READ_ONLY,
                                    .region = IIP_FRAME_REGION_EXTERN,
                                    .host = ext};
    ext->region = region;
    ext->bytes = 0;
    *status = IIP_OK;
    return ext;
refuse:
    atomic_fetch_sub_explicit(&row->slot.word, IIP_SLOT_REF, memory_order_release);
    return NULL;
}

static void iip_region_unkeep(uint64_t region)
{
    struct iip_slot *slot = iip_slot_peek(&iip_extern_table, region);
    atomic_fetch_sub_explicit(&slot->word, IIP_SLOT_REF, memory_order_release);
}

void iip_region_unsend(struct iip_loop *loop, struct iip_extern *ext)
{
    ext->next = loop->extern_free;
    loop->extern_free = ext;
}

void iip_region_done(struct iip_loop *loop, struct iip_frame *frame)
{
    struct iip_extern *ext = frame->host;
    iip_region_unkeep(ext->region);
    if (!ext->bytes) {
        iip_region_unsend(loop, ext);
        return;
    }
    ext->next = NULL;
    *loop->done_end = ext;
    loop->done_end = &ext->next;
}

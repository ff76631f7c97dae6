/* handle.c - slots with generations: taken from the front of a list, put at its end. */
#include "handle.h"

#include <stdlib.h>

int32_t iip_slots_init(struct iip_slots *t, uint32_t kind, uint32_t loop, uint32_t item_bytes)
{
    t->chunk = calloc(IIP_SLOT_MAX / IIP_SLOT_CHUNK, sizeof *t->chunk);
    if (!t->chunk)
        return IIP_E_NOMEM;
    t->item_bytes = item_bytes;
    atomic_store_explicit(&t->count, 0, memory_order_relaxed);
    atomic_store_explicit(&t->live, 0, memory_order_relaxed);
    t->head = IIP_SLOT_NONE;
    t->tail = NULL;
    t->limit = IIP_SLOT_MAX;
    t->base = (uint64_t)kind << IIP_HANDLE_KIND_SHIFT | (uint64_t)loop << IIP_HANDLE_LOOP_SHIFT;
    return IIP_OK;
}

int32_t iip_slots_grow(struct iip_slots *t)
{
    uint32_t first = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t c = first >> IIP_SLOT_CHUNK_BITS;
    uint32_t i;
    if (first >= t->limit)
        return IIP_E_NOMEM;
    if (!atomic_load_explicit(&t->chunk[c], memory_order_relaxed)) {
        uint8_t *chunk = calloc(IIP_SLOT_CHUNK, t->item_bytes);
        if (!chunk)
            return IIP_E_NOMEM;
        atomic_store_explicit(&t->chunk[c], chunk, memory_order_relaxed);
    }
    for (i = first; i < first + IIP_SLOT_STEP; i++) {
        struct iip_slot *slot = iip_slot_at(t, i);
        slot->index = i;
        atomic_store_explicit(&slot->word, i, memory_order_relaxed);
        iip_slots_append(t, slot);
    }
    atomic_store_explicit(&t->count, first + IIP_SLOT_STEP, memory_order_release);
    return IIP_OK;
}

int32_t iip_slot_keep(struct iip_slots *t, uint64_t handle)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    uint64_t word;
    if (!slot)
        return IIP_E_STALE;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (!iip_slot_matches(word, handle))
            return IIP_E_STALE;
        if (word > UINT64_MAX - IIP_SLOT_REF)
            return IIP_E_RANGE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + IIP_SLOT_REF, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return IIP_OK;
}

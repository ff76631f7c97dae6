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
    t->head = t->tail = IIP_SLOT_NONE;
    t->limit = IIP_SLOT_MAX;
    t->base = (uint64_t)kind << IIP_HANDLE_KIND_SHIFT | (uint64_t)loop << IIP_HANDLE_LOOP_SHIFT;
    return IIP_OK;
}

/* One thread writes, so no locked instruction is needed. */
static void iip_slots_count(struct iip_slots *t, int32_t by)
{
    uint32_t live = atomic_load_explicit(&t->live, memory_order_relaxed);
    atomic_store_explicit(&t->live, live + (uint32_t)by, memory_order_relaxed);
}

static void iip_slots_append(struct iip_slots *t, struct iip_slot *slot)
{
    uint32_t i = iip_slot_index(slot);
    slot->next = IIP_SLOT_NONE;
    slot->index = i | IIP_SLOT_FREE;
    if (t->head == IIP_SLOT_NONE)
        t->head = i;
    else
        iip_slot_at(t, t->tail)->next = i;
    t->tail = i;
}

static int32_t iip_slots_grow(struct iip_slots *t)
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
        iip_slots_append(t, slot);
    }
    atomic_store_explicit(&t->count, first + IIP_SLOT_STEP, memory_order_release);
    return IIP_OK;
}

struct iip_slot *iip_slots_take(struct iip_slots *t, uint32_t refs)
{
    struct iip_slot *slot;
    uint64_t word;
    if (t->head == IIP_SLOT_NONE && iip_slots_grow(t))
        return NULL;
    slot = iip_slot_at(t, t->head);
    t->head = slot->next;
    slot->index &= IIP_SLOT_MASK;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    atomic_store_explicit(&slot->word, (word & ~(uint64_t)UINT32_MAX) | refs, memory_order_release);
    iip_slots_count(t, 1);
    return slot;
}

void iip_slots_put(struct iip_slots *t, struct iip_slot *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->word, memory_order_relaxed) >> 32;
    generation = (generation + 1) & IIP_GENERATION_MASK;
    atomic_store_explicit(&slot->word, generation << 32, memory_order_release);
    iip_slots_append(t, slot);
    iip_slots_count(t, -1);
}

int32_t iip_slot_drop(struct iip_slots *t, uint64_t handle, struct iip_slot **out)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    uint64_t word;
    if (!slot)
        return IIP_E_STALE;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (!iip_slot_matches(word, handle))
            return IIP_E_STALE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word - 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *out = slot;
    return (uint32_t)word == 1;
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
        if ((uint32_t)word == UINT32_MAX)
            return IIP_E_RANGE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return IIP_OK;
}

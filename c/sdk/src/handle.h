/*
 * handle.h - slots with generations, and the integers that name them.
 *
 * A handle is kind(3) loop(7) generation(21) slot(22) from the top; see <iip/iip.h>. The word of a slot holds its
 * references above its name, which is the lower part of its handle; it is the only part that other threads may touch
 * (besides `next` while the slot is on its way home). Slots never move and are never freed: late calls with an old
 * handle read a word, not a hole.
 */
#ifndef IIP_SDK_HANDLE_H
#define IIP_SDK_HANDLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "iip/iip.h"

enum {
    IIP_SLOT_MAX = 1 << IIP_HANDLE_SLOT_BITS,
    IIP_SLOT_MASK = IIP_SLOT_MAX - 1,
    IIP_GENERATION_MASK = (1 << IIP_HANDLE_GENERATION_BITS) - 1,
    IIP_HANDLE_LOOP_SHIFT = IIP_HANDLE_SLOT_BITS + IIP_HANDLE_GENERATION_BITS,
    IIP_HANDLE_KIND_SHIFT = IIP_HANDLE_LOOP_SHIFT + IIP_HANDLE_LOOP_BITS,
    IIP_HANDLE_LOOP_MASK = (1 << IIP_HANDLE_LOOP_BITS) - 1,
    IIP_SLOT_CHUNK_BITS = 12,
    IIP_SLOT_CHUNK = 1 << IIP_SLOT_CHUNK_BITS,
    IIP_SLOT_STEP = 64 /* slots that come into use at a time: first-in first-out goes round few cache lines */
};

#define IIP_SLOT_NONE UINT32_MAX
#define IIP_SLOT_REF ((uint64_t)1 << IIP_HANDLE_LOOP_SHIFT) /* one reference, in a word */
#define IIP_SLOT_NAME (IIP_SLOT_REF - 1)                    /* bits of a word that are the same in the handle */
#define IIP_SLOT_AGAIN ((uint64_t)1 << IIP_HANDLE_SLOT_BITS) /* one generation */

struct iip_slot {
    _Atomic uint64_t word; /* references, generation, own number; no references: free, or on its way home */
    uint32_t index;        /* own number; the bits above IIP_SLOT_MASK are flags of the owner */
    uint32_t next;         /* in the free list or the return list; while live the kind's own */
};

enum { /* flags in index */
    IIP_SLOT_FREE = 1 << 22,    /* in the free list */
    IIP_SLOT_FLAG_A = 1 << 23,  /* meaning by kind */
    IIP_SLOT_FLAG_B = 1 << 24,
    IIP_SLOT_FLAG_C = 1 << 25
};

struct iip_slots {
    uint8_t *_Atomic *chunk; /* IIP_SLOT_MAX / IIP_SLOT_CHUNK of them */
    uint32_t item_bytes;
    _Atomic uint32_t count;  /* slots that exist */
    _Atomic uint32_t live;   /* written by the owner */
    uint32_t head;           /* free list, oldest first ... */
    struct iip_slot *tail;   /* ... and its end, if it has one */
    uint32_t limit;          /* slots at most */
    uint64_t base;           /* kind and loop of the handles */
};

/* 0 or IIP_E_NOMEM. A table is set up once for the life of the process. */
int32_t iip_slots_init(struct iip_slots *t, uint32_t kind, uint32_t loop, uint32_t item_bytes);
/* More slots in the free list: 0, or IIP_E_NOMEM at the limit too. */
int32_t iip_slots_grow(struct iip_slots *t);
/* One reference more, by any thread: 0 or IIP_E_STALE. */
int32_t iip_slot_keep(struct iip_slots *t, uint64_t handle);

static inline struct iip_slot *iip_slot_at(const struct iip_slots *t, uint32_t i)
{
    uint8_t *chunk = atomic_load_explicit(&t->chunk[i >> IIP_SLOT_CHUNK_BITS], memory_order_relaxed);
    return (struct iip_slot *)(void *)(chunk + (size_t)(i & (IIP_SLOT_CHUNK - 1)) * t->item_bytes);
}

static inline uint32_t iip_slot_index(const struct iip_slot *slot)
{
    return slot->index & IIP_SLOT_MASK;
}

static inline uint32_t iip_slot_generation(const struct iip_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    return (uint32_t)(word >> IIP_HANDLE_SLOT_BITS) & IIP_GENERATION_MASK;
}

static inline uint32_t iip_slot_refs(uint64_t word)
{
    return (uint32_t)(word >> IIP_HANDLE_LOOP_SHIFT);
}

static inline uint64_t iip_slot_handle(const struct iip_slots *t, const struct iip_slot *slot)
{
    return t->base | (atomic_load_explicit(&slot->word, memory_order_relaxed) & IIP_SLOT_NAME);
}

/* Does the word belong to the live object that the handle names? */
static inline int iip_slot_matches(uint64_t word, uint64_t handle)
{
    return iip_slot_refs(word) != 0 && ((word ^ handle) & IIP_SLOT_NAME) == 0;
}

/* The slot that a handle points at, live or not; null when it can be none of this table's. */
static inline struct iip_slot *iip_slot_peek(const struct iip_slots *t, uint64_t handle)
{
    uint32_t i = (uint32_t)handle & IIP_SLOT_MASK;
    if ((handle ^ t->base) >> IIP_HANDLE_LOOP_SHIFT || i >= atomic_load_explicit(&t->count, memory_order_acquire))
        return NULL;
    return iip_slot_at(t, i);
}

/* The live slot that a handle names, or null: for the owner. */
static inline struct iip_slot *iip_slot_find(const struct iip_slots *t, uint64_t handle)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    if (!slot || !iip_slot_matches(atomic_load_explicit(&slot->word, memory_order_relaxed), handle))
        return NULL;
    return slot;
}

/* One thread writes, so no locked instruction is needed. */
static inline void iip_slots_count(struct iip_slots *t, int32_t by)
{
    uint32_t live = atomic_load_explicit(&t->live, memory_order_relaxed);
    atomic_store_explicit(&t->live, live + (uint32_t)by, memory_order_relaxed);
}

static inline void iip_slots_append(struct iip_slots *t, struct iip_slot *slot)
{
    uint32_t i = iip_slot_index(slot);
    slot->next = IIP_SLOT_NONE;
    slot->index = i | IIP_SLOT_FREE;
    if (t->head == IIP_SLOT_NONE)
        t->head = i;
    else
        t->tail->next = i;
    t->tail = slot;
}

/* A slot with one reference and a fresh handle; null at the limit or without memory. */
static inline struct iip_slot *iip_slots_take(struct iip_slots *t)
{
    struct iip_slot *slot;
    uint64_t word;
    if (t->head == IIP_SLOT_NONE && iip_slots_grow(t))
        return NULL;
    slot = iip_slot_at(t, t->head);
    t->head = slot->next;
    slot->index &= IIP_SLOT_MASK;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    atomic_store_explicit(&slot->word, word + IIP_SLOT_REF, memory_order_release);
    iip_slots_count(t, 1);
    return slot;
}

/* The slot's generation has moved on: it may be used again. */
static inline void iip_slots_back(struct iip_slots *t, struct iip_slot *slot)
{
    iip_slots_append(t, slot);
    iip_slots_count(t, -1);
}

/* The slot, whose references are all gone, may be used again: the generation moves on. */
static inline void iip_slots_put(struct iip_slots *t, struct iip_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    atomic_store_explicit(&slot->word, (word + IIP_SLOT_AGAIN) & IIP_SLOT_NAME, memory_order_release);
    iip_slots_back(t, slot);
}

/* If the handle names this slot and has its only reference, both end at once: 1, and iip_slots_back is due. Else 0. */
static inline int iip_slot_end(struct iip_slot *slot, uint64_t handle)
{
    uint64_t word = (handle & IIP_SLOT_NAME) | IIP_SLOT_REF;
    return atomic_compare_exchange_strong_explicit(&slot->word, &word, (handle + IIP_SLOT_AGAIN) & IIP_SLOT_NAME,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* One reference less, by any thread: 1 if it was the last, 0 if not, IIP_E_STALE. */
static inline int32_t iip_slot_drop(struct iip_slots *t, uint64_t handle, struct iip_slot **out)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    uint64_t word;
    if (!slot)
        return IIP_E_STALE;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (!iip_slot_matches(word, handle))
            return IIP_E_STALE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word - IIP_SLOT_REF, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *out = slot;
    return iip_slot_refs(word) == 1;
}

static inline uint32_t iip_handle_kind(uint64_t handle)
{
    return handle >> (IIP_HANDLE_KIND_SHIFT + IIP_HANDLE_KIND_BITS) ? 0 : (uint32_t)(handle >> IIP_HANDLE_KIND_SHIFT);
}

static inline uint32_t iip_handle_loop(uint64_t handle)
{
    return (uint32_t)(handle >> IIP_HANDLE_LOOP_SHIFT) & IIP_HANDLE_LOOP_MASK;
}

#endif

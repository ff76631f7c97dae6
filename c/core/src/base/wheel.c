#include "base/wheel.h"

#include "base/bytes.h"
#include "base/math64.h"

IIP_LOCAL void iip_wheel_init(struct iip_wheel *w, iip_u64 now)
{
    IIP_ZERO(w, sizeof(*w));
    w->tick = now >> IIP_WHEEL_TICK_BITS;
}

static iip_u16 iip_wheel_place(const struct iip_wheel *w, iip_u64 at)
{
    iip_u64 tick = at >> IIP_WHEEL_TICK_BITS;
    iip_u32 level;
    iip_u32 shift = 0;

    if (tick < w->tick)
        tick = w->tick;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++, shift += IIP_WHEEL_BITS) {
        if ((tick >> shift) - (w->tick >> shift) < IIP_WHEEL_SLOTS)
            return (iip_u16)(level * IIP_WHEEL_SLOTS + (iip_u32)(tick >> shift & (IIP_WHEEL_SLOTS - 1)));
    }
    shift -= IIP_WHEEL_BITS;
    tick = (w->tick >> shift) + IIP_WHEEL_SLOTS - 1;
    return (iip_u16)((IIP_WHEEL_LEVELS - 1) * IIP_WHEEL_SLOTS + (iip_u32)(tick & (IIP_WHEEL_SLOTS - 1)));
}

IIP_LOCAL void iip_wheel_cancel(struct iip_wheel *w, struct iip_timer *t)
{
    if (!t->prev)
        return;
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (!w->slot[t->slot])
        w->map[t->slot / IIP_WHEEL_SLOTS][t->slot % IIP_WHEEL_SLOTS / 64] &= ~((iip_u64)1 << (t->slot & 63));
    if (w->first == t)
        w->first = 0;
    t->prev = 0;
    w->count--;
}

static void iip_wheel_link(struct iip_wheel *w, struct iip_timer *t)
{
    struct iip_timer **head;
    t->slot = iip_wheel_place(w, t->at);
    head = &w->slot[t->slot];
    t->next = *head;
    t->prev = head;
    if (*head)
        (*head)->prev = &t->next;
    *head = t;
    w->map[t->slot / IIP_WHEEL_SLOTS][t->slot % IIP_WHEEL_SLOTS / 64] |= (iip_u64)1 << (t->slot & 63);
    w->count++;
}

IIP_LOCAL void iip_wheel_set(struct iip_wheel *w, struct iip_timer *t, iip_u64 at)
{
    int knew = w->first != 0 || w->count == 0;
    if (t->prev) {
        knew = knew && w->first != t;
        iip_wheel_cancel(w, t);
    }
    t->at = at;
    w->quiet = iip_min64(w->quiet, at >> IIP_WHEEL_TICK_BITS);
    iip_wheel_link(w, t);
    if (knew && (!w->first || at < w->first->at))
        w->first = t;
}

/* The first occupied slot of a level at or after its present one, as a distance; SLOTS if there is none. */
static iip_u32 iip_wheel_scan(const struct iip_wheel *w, iip_u32 level)
{
    iip_u32 from = (iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) & (IIP_WHEEL_SLOTS - 1);
    iip_u32 word = from / 64;
    iip_u64 bits = w->map[level][word] & (~(iip_u64)0 << (from & 63));
    iip_u32 i;

    for (i = 0; i <= IIP_WHEEL_SLOTS / 64; i++) {
        if (bits)
            return (word * 64 + iip_ctz64(bits) - from) & (IIP_WHEEL_SLOTS - 1);
        word = (word + 1) & (IIP_WHEEL_SLOTS / 64 - 1);
        bits = w->map[level][word];
    }
    return IIP_WHEEL_SLOTS;
}

static struct iip_timer *iip_wheel_earliest_in(struct iip_timer *t)
{
    struct iip_timer *best = t;
    for (; t; t = t->next) {
        if (t->at < best->at)
            best = t;
    }
    return best;
}

static struct iip_timer *iip_wheel_level_first(const struct iip_wheel *w, iip_u32 level)
{
    iip_u32 distance = iip_wheel_scan(w, level);
    iip_u32 index;
    if (distance == IIP_WHEEL_SLOTS)
        return 0;
    index = ((iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) + distance) & (IIP_WHEEL_SLOTS - 1);
    return w->slot[level * IIP_WHEEL_SLOTS + index];
}

IIP_LOCAL struct iip_timer *iip_wheel_first(struct iip_wheel *w)
{
    struct iip_timer *best = 0;
    struct iip_timer *t;
    iip_u32 level;
    if (w->first || !w->count)
        return w->first;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++) {
        t = iip_wheel_earliest_in(iip_wheel_level_first(w, level));
        if (t && (!best || t->at < best->at))
            best = t;
    }
    w->first = best;
    return best;
}

/* Time has reached the present slots of the higher levels: spread their timers over the levels below. */
static void iip_wheel_cascade(struct iip_wheel *w)
{
    struct iip_timer *t;
    struct iip_timer *next;
    iip_u32 level;
    iip_u32 slot;
    for (level = 1; level < IIP_WHEEL_LEVELS; level++) {
        slot = level * IIP_WHEEL_SLOTS + ((iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) & (IIP_WHEEL_SLOTS - 1));
        t = w->slot[slot];
        w->slot[slot] = 0;
        w->map[level][slot % IIP_WHEEL_SLOTS / 64] &= ~((iip_u64)1 << (slot & 63));
        for (; t; t = next) {
            next = t->next;
            w->count--;
            iip_wheel_link(w, t);
        }
    }
}

/* Ticks from the present one to where something may be due: an occupied low slot, or the next slot of a higher level that holds something. */
static iip_u64 iip_wheel_next_tick(const struct iip_wheel *w)
{
    iip_u64 next = IIP_NEVER;
    iip_u64 tick;
    iip_u32 level;
    iip_u32 shift = 0;
    iip_u32 distance;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++, shift += IIP_WHEEL_BITS) {
        distance = iip_wheel_scan(w, level);
        if (distance == IIP_WHEEL_SLOTS)
            continue;
        tick = ((w->tick >> shift) + distance) << shift;
        next = iip_min64(next, tick < w->tick ? w->tick : tick);
    }
    return next;
}

static struct iip_timer *iip_wheel_due_in(struct iip_timer *t, iip_u64 until)
{
    while (t && t->at > until)
        t = t->next;
    return t;
}

static struct iip_timer *iip_wheel_search(struct iip_wheel *w, iip_u64 now)
{
    iip_u64 now_tick = now >> IIP_WHEEL_TICK_BITS;
    iip_u64 tick;
    struct iip_timer *t;

    while ((tick = iip_wheel_next_tick(w)) <= now_tick) {
        w->tick = tick;
        iip_wheel_cascade(w);
        /* what waits in a tick that has passed is due, whatever it says */
        t = iip_wheel_due_in(w->slot[tick & (IIP_WHEEL_SLOTS - 1)], tick < now_tick ? IIP_NEVER : now);
        if (t || tick == now_tick)
            return t;
    }
    w->tick = now_tick;
    w->quiet = tick;
    return 0;
}

IIP_LOCAL struct iip_timer *iip_wheel_pop(struct iip_wheel *w, iip_u64 now)
{
    struct iip_timer *t;
    if (now >> IIP_WHEEL_TICK_BITS < w->quiet || (w->first && w->first->at > now))
        return 0;
    t = iip_wheel_search(w, now);
    if (t)
        iip_wheel_cancel(w, t);
    return t;
}

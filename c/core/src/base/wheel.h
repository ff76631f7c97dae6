/*
 * wheel.h - a timer wheel that knows its exact next deadline.
 *
 * Three levels of 512 slots; a slot of the lowest is 1,024 us wide, so it spans half a second, the next 4.5 minutes,
 * the last 38 hours (later deadlines are placed at its end and looked at again there). A timer keeps its exact time;
 * a slot is only where it waits. Whoever arms a timer may let it fire early and arm it again: TCP does so to pay for a
 * timer once a round instead of once a packet.
 */
#ifndef IIP_BASE_WHEEL_H
#define IIP_BASE_WHEEL_H

#include "iip/types.h"

enum {
    IIP_WHEEL_LEVELS = 3,
    IIP_WHEEL_BITS = 9,
    IIP_WHEEL_SLOTS = 1 << IIP_WHEEL_BITS,
    IIP_WHEEL_TICK_BITS = 10
};

struct iip_timer {
    struct iip_timer *next;
    struct iip_timer **prev; /* what points here; null: not armed */
    iip_u64 at;              /* absolute microseconds */
    iip_u16 slot;            /* level * SLOTS + index */
    iip_u16 kind;            /* the owner's: whose timer this is */
    iip_u32 word;            /* the owner's, who need not lose what would be padding */
};

struct iip_wheel {
    iip_u64 tick;            /* all slots before this one are empty */
    iip_u64 quiet;           /* nothing is due before this tick */
    struct iip_timer *first; /* the earliest timer, or null: not known */
    iip_u32 count;
    iip_u64 map[IIP_WHEEL_LEVELS][IIP_WHEEL_SLOTS / 64];
    struct iip_timer *slot[IIP_WHEEL_LEVELS * IIP_WHEEL_SLOTS];
};

IIP_LOCAL void iip_wheel_init(struct iip_wheel *w, iip_u64 now);
/* Arms or moves a timer. */
IIP_LOCAL void iip_wheel_set(struct iip_wheel *w, struct iip_timer *t, iip_u64 at);
IIP_LOCAL void iip_wheel_cancel(struct iip_wheel *w, struct iip_timer *t);
/* Takes one timer that is due at `now` off the wheel, or returns null. */
IIP_LOCAL struct iip_timer *iip_wheel_pop(struct iip_wheel *w, iip_u64 now);
/* The earliest timer, or null. */
IIP_LOCAL struct iip_timer *iip_wheel_first(struct iip_wheel *w);

IIP_INLINE int iip_timer_armed(const struct iip_timer *t)
{
    return t->prev != 0;
}

#endif

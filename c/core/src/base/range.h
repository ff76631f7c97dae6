/*
 * range.h - a sorted set of disjoint ranges of sequence numbers, each with the packets that fill it.
 *
 * New bytes can only join a range at its ends, so the packets of a range form a queue, and joining two ranges is
 * joining two queues. Looking up is a binary search; the set holds at most IIP_RANGES_MAX ranges, and its owner says
 * what happens to what does not fit. The same set, without packets, is the scoreboard of SACK.
 */
#ifndef IIP_BASE_RANGE_H
#define IIP_BASE_RANGE_H

#include "base/bytes.h"
#include "base/seq.h"

struct iip_pkt;

enum { IIP_RANGES_MAX = 512 };

struct iip_range {
    iip_u32 left;         /* first sequence number */
    iip_u32 right;        /* one past the last */
    struct iip_pkt *head; /* packets in order, by `link`; null on a scoreboard */
    struct iip_pkt *tail;
};

struct iip_ranges {
    struct iip_range *r;
    iip_u32 n;
    iip_u32 cap;
};

/* Index of the first range that ends after `seq`; n if there is none. */
IIP_LOCAL iip_u32 iip_ranges_find(const struct iip_ranges *set, iip_u32 seq);
/* 1 when [left, right) can be added without more room. */
IIP_LOCAL int iip_ranges_fits(const struct iip_ranges *set, iip_u32 left, iip_u32 right);
/* Adds [left, right); joins what it touches or overlaps. `pkt`, a list by `link` or null, fills it. Returns the index of the range that holds it now. */
IIP_LOCAL iip_u32 iip_ranges_add(struct iip_ranges *set, iip_u32 left, iip_u32 right, struct iip_pkt *pkt);
/* Removes ranges and parts below `seq` (no packets may be in what is cut). */
IIP_LOCAL void iip_ranges_cut(struct iip_ranges *set, iip_u32 seq);
/* Removes range i. */
IIP_LOCAL void iip_ranges_remove(struct iip_ranges *set, iip_u32 i);
/* Bytes of [left, right) that are in the set. */
IIP_LOCAL iip_u32 iip_ranges_cover(const struct iip_ranges *set, iip_u32 left, iip_u32 right);

#endif

/*
 * hist.h - a histogram of durations with buckets that grow with the value: 64 to each power of two, so a percentile is
 * never off by more than 1/64 of itself, from nanoseconds to years, in 30 KB.
 */
#ifndef EX_HIST_H
#define EX_HIST_H

#include <stdint.h>

enum { HIST_SUB_BITS = 6, HIST_BUCKETS = (64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS };

struct hist {
    uint64_t n, sum, max;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *to, const struct hist *from);
/* The value that `part` (0 .. 1) of all values do not exceed; 0 when there are none. */
uint64_t hist_at(const struct hist *h, double part);

#endif

/* hist.c - see hist.h. */
#include "hist.h"

/* Values below 64 have a bucket each; above, the six bits behind the highest one choose within its power of two. */
static uint32_t bucket_of(uint64_t value)
{
    uint32_t shift;
    if (value < 1u << HIST_SUB_BITS)
        return (uint32_t)value;
    shift = 63 - (uint32_t)__builtin_clzll(value) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

/* The highest value of a bucket. */
static uint64_t value_of(uint32_t bucket)
{
    uint32_t shift;
    if (bucket < 2u << HIST_SUB_BITS)
        return bucket;
    shift = (bucket >> HIST_SUB_BITS) - 1;
    return (((uint64_t)bucket - ((uint64_t)shift << HIST_SUB_BITS) + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->n++;
    h->sum += value;
    h->max = value > h->max ? value : h->max;
}

void hist_merge(struct hist *to, const struct hist *from)
{
    uint32_t i;
    for (i = 0; i < HIST_BUCKETS; i++)
        to->bucket[i] += from->bucket[i];
    to->n += from->n;
    to->sum += from->sum;
    to->max = from->max > to->max ? from->max : to->max;
}

uint64_t hist_at(const struct hist *h, double part)
{
    uint64_t want = (uint64_t)(part * (double)h->n + 0.5);
    uint64_t seen = 0;
    uint32_t i;
    for (i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen && seen >= want)
            return value_of(i) < h->max ? value_of(i) : h->max;
    }
    return 0;
}

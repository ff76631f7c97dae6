/* plan.c - random numbers, and what the connection of a number sends. */
#include <string.h>
#include <time.h>

#include "soak.h"

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t rng_next(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    return mix(r->state);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Most are short, some fill windows; one of ten is cut off, one of ten ends without waiting for the other side. */
struct plan plan_of(uint64_t id, int answering)
{
    struct rng r = {id * 2 + (uint64_t)(answering != 0)};
    struct plan p;
    uint64_t kind = rng_below(&r, 10);
    p.key = rng_next(&r);
    p.bytes = ID_BYTES + rng_below(&r, kind < 5 ? 2000 : kind < 9 ? 60000 : 500000);
    kind = rng_below(&r, 10);
    p.ending = kind == 0 ? END_ABORT : kind == 1 ? END_CLOSE : END_FIN;
    return p;
}

/* Eight bytes of content at a time. */
static uint64_t content_word(uint64_t key, uint64_t i)
{
    return mix(key + i * 0x9e3779b97f4a7c15u);
}

void content_fill(uint64_t key, uint64_t offset, uint8_t *out, uint32_t n)
{
    while (n) {
        uint64_t word = content_word(key, offset / 8);
        uint32_t skip = (uint32_t)(offset % 8);
        uint32_t part = 8 - skip < n ? 8 - skip : n;
        memcpy(out, (const uint8_t *)&word + skip, part);
        out += part;
        offset += part;
        n -= part;
    }
}

uint32_t content_check(uint64_t key, uint64_t offset, const uint8_t *bytes, uint32_t n)
{
    uint32_t at = 0;
    while (at < n) {
        uint64_t word = content_word(key, (offset + at) / 8);
        uint32_t skip = (uint32_t)((offset + at) % 8);
        uint32_t part = 8 - skip < n - at ? 8 - skip : n - at;
        if (memcmp(bytes + at, (const uint8_t *)&word + skip, part))
            return at;
        at += part;
    }
    return n;
}

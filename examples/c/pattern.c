/* pattern.c - see pattern.h. */
#include "pattern.h"

#include <string.h>

static uint64_t word(uint64_t w)
{
    uint64_t x = (w + 1) * 0x9e3779b97f4a7c15u;
    return x ^ (x >> 32);
}

static void store(uint8_t *to, uint64_t x) /* compilers make one store of it */
{
    to[0] = (uint8_t)x;
    to[1] = (uint8_t)(x >> 8);
    to[2] = (uint8_t)(x >> 16);
    to[3] = (uint8_t)(x >> 24);
    to[4] = (uint8_t)(x >> 32);
    to[5] = (uint8_t)(x >> 40);
    to[6] = (uint8_t)(x >> 48);
    to[7] = (uint8_t)(x >> 56);
}

/* Up to n bytes from `at` to the end of its word; returns how many. */
static uint32_t fill_part(uint8_t *to, uint64_t at, uint32_t n)
{
    uint8_t bytes[8];
    uint32_t from = (uint32_t)(at & 7);
    uint32_t part = 8 - from < n ? 8 - from : n;
    store(bytes, word(at >> 3));
    memcpy(to, bytes + from, part);
    return part;
}

void pattern_fill(uint8_t *to, uint64_t at, uint32_t n)
{
    uint32_t done = at & 7 ? fill_part(to, at, n) : 0;
    for (; n - done >= 8; done += 8)
        store(to + done, word((at + done) >> 3));
    if (done < n)
        fill_part(to + done, at + done, n - done);
}

uint32_t pattern_check(const uint8_t *bytes, uint64_t at, uint32_t n)
{
    uint8_t want[1024];
    uint32_t done, i;
    for (done = 0; done < n;) {
        uint32_t part = n - done < sizeof want ? n - done : (uint32_t)sizeof want;
        pattern_fill(want, at + done, part);
        if (memcmp(bytes + done, want, part) != 0) {
            for (i = 0; bytes[done + i] == want[i]; i++)
                ;
            return done + i;
        }
        done += part;
    }
    return n;
}

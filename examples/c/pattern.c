/* pattern.c - see pattern.h. */
#include "pattern.h"

#include <string.h>

static uint64_t word(uint64_t w)
{
    uint64_t x = (w + 1) * 0x9e3779b97f4a7c15u;
    return x ^ (x >> 32);
}

static void store(uint8_t to[8], uint64_t x)
{
    uint32_t i;
    for (i = 0; i < 8; i++) /* compilers make one store of it */
        to[i] = (uint8_t)(x >> (8 * i));
}

void pattern_fill(uint8_t *to, uint64_t at, uint32_t n)
{
    uint8_t bytes[8];
    while (n) {
        uint32_t from = (uint32_t)(at & 7);
        uint32_t part = 8 - from < n ? 8 - from : n;
        if (part == 8) {
            store(to, word(at >> 3));
        } else {
            store(bytes, word(at >> 3));
            memcpy(to, bytes + from, part);
        }
        to += part;
        at += part;
        n -= part;
    }
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

/* row_csum.c - the Internet checksum of one segment's payload, by the core's own portable code. */
#include "rows.h"

#include "base/csum.h"

#include <stdlib.h>

enum { CSUM_BYTES = 1460, CSUM_BLOCKS = 8 };

/* The definition, one 16-bit word after the other [RFC 1071]. */
static uint32_t csum_plain(const uint8_t *p, uint32_t len)
{
    uint32_t sum = 0;
    uint32_t i;
    for (i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

void row_csum(const struct bench_args *args)
{
    static uint8_t data[CSUM_BLOCKS][CSUM_BYTES + 4];
    uint32_t rounds = args->units ? args->units : 2000;
    volatile uint32_t sink = 0;
    uint32_t r, i;
    bench_fill(data, 0, sizeof data);
    for (i = 0; i < CSUM_BLOCKS; i++) {
        uint32_t folded = iip_csum_fold(iip_csum_bytes(data[i], CSUM_BYTES));
        uint8_t out[2];
        iip_csum_store(out, folded);
        if (((uint32_t)out[0] << 8 | out[1]) != csum_plain(data[i], CSUM_BYTES))
            bench_fail("iip_csum_bytes is wrong");
    }
    for (r = 0; r < args->reps; r++) {
        bench_start();
        for (i = 0; i < rounds; i++)
            sink = sink + iip_csum_fold(iip_csum_bytes(data[i % CSUM_BLOCKS], CSUM_BYTES));
        bench_stop(rounds);
    }
    bench_note("bytes", CSUM_BYTES);
}

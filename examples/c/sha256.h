/* sha256.h - FIPS 180-4, so that an upload can be verified with `sha256sum`. */
#ifndef EX_SHA256_H
#define EX_SHA256_H

#include <stdint.h>

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, uint64_t n);
void sha256_end(struct sha256 *s, char hex[65]);

#endif

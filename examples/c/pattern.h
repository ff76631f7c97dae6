/*
 * pattern.h - bytes that anybody can compute, so that a receiver can verify every one of them.
 *
 * Byte i of the stream is byte i % 8 (least significant first) of the 64-bit word
 *
 *     x = (i / 8 + 1) * 0x9e3779b97f4a7c15    modulo 2^64
 *     x = x ^ (x >> 32)
 *
 * No stretch of it repeats, so bytes that are lost, doubled or exchanged show. In Python:
 *
 *     def word(w): x = (w + 1) * 0x9e3779b97f4a7c15 % 2**64; return (x ^ x >> 32).to_bytes(8, "little")
 */
#ifndef EX_PATTERN_H
#define EX_PATTERN_H

#include <stdint.h>

/* Writes bytes at .. at + n - 1 of the stream. */
void pattern_fill(uint8_t *to, uint64_t at, uint32_t n);
/* The first of n bytes that is not what the stream has there; n: none. */
uint32_t pattern_check(const uint8_t *bytes, uint64_t at, uint32_t n);

#endif

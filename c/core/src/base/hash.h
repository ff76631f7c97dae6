/* hash.h - keyed hashes: SipHash-2-4 where an answer is seen outside, multilinear hashing for tables. */
#ifndef IIP_BASE_HASH_H
#define IIP_BASE_HASH_H

#include "base/bytes.h"

enum { IIP_HASH_WORDS = 10 };

/* Secret multipliers of the table hash, drawn from the key when the stack is made. */
struct iip_hash_key {
    iip_u64 mul[IIP_HASH_WORDS + 1];
};

/* SipHash-2-4 of up to 255 bytes under a 16-byte key. */
IIP_LOCAL iip_u64 iip_siphash(const iip_u8 key[16], const iip_u8 *p, iip_u32 len);
/* The same of 12 bytes, which is an IPv4 connection's tuple: no loop, and nothing to be found out. */
IIP_LOCAL iip_u64 iip_siphash_12(const iip_u8 key[16], const iip_u8 *p);
IIP_LOCAL void iip_hash_key_init(struct iip_hash_key *hk, const iip_u8 key[16]);

/*
 * Pair-multiply-shift (Thorup 2015): two different inputs collide with probability 2^-32 over the choice of the key,
 * whatever the inputs are; 32-bit words go in pairs, one multiplication a pair.
 */
IIP_INLINE iip_u64 iip_hash_pair(const struct iip_hash_key *hk, iip_u32 i, iip_u32 a, iip_u32 b)
{
    return (hk->mul[i] + a) * (hk->mul[i + 1] + b);
}

/* IPv4: both addresses (memory order) and both ports. */
IIP_INLINE iip_u32 iip_hash_tuple4(const struct iip_hash_key *hk, iip_u32 local, iip_u32 remote, iip_u32 ports)
{
    return (iip_u32)((hk->mul[4] + iip_hash_pair(hk, 0, local, remote) + iip_hash_pair(hk, 2, ports, 0)) >> 32);
}

/* Any number of 32-bit words up to IIP_HASH_WORDS (even). */
IIP_INLINE iip_u32 iip_hash_words(const struct iip_hash_key *hk, const iip_u32 *w, iip_u32 n)
{
    iip_u64 sum = hk->mul[IIP_HASH_WORDS];
    iip_u32 i;
    for (i = 0; i + 1 < n; i += 2)
        sum += iip_hash_pair(hk, i, w[i], w[i + 1]);
    return (iip_u32)(sum >> 32);
}

/* Not secret: a 64-bit mixer for seeds and treap priorities (finaliser of SplitMix64). */
IIP_LOCAL iip_u64 iip_mix64(iip_u64 x);
/* Next number of a seeded sequence (SplitMix64). */
IIP_LOCAL iip_u64 iip_rand(iip_u64 *state);

#endif

#include "base/hash.h"

struct iip_sip {
    iip_u64 v0, v1, v2, v3;
};

IIP_INLINE iip_u64 iip_rotl64(iip_u64 x, int n)
{
    return x << n | x >> (64 - n);
}

IIP_INLINE void iip_sip_round(struct iip_sip *s)
{
    s->v0 += s->v1;
    s->v1 = iip_rotl64(s->v1, 13) ^ s->v0;
    s->v0 = iip_rotl64(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = iip_rotl64(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = iip_rotl64(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = iip_rotl64(s->v1, 17) ^ s->v2;
    s->v2 = iip_rotl64(s->v2, 32);
}

/* Up to 8 bytes, the first one lowest. */
static iip_u64 iip_get64le(const iip_u8 *p, iip_u32 len)
{
    iip_u64 v = 0;
    while (len--)
        v = v << 8 | p[len];
    return v;
}

IIP_INLINE iip_u64 iip_word64le(const iip_u8 *p)
{
#ifdef IIP_LE64
    iip_u64 v = iip_raw64(p);
    return IIP_LE64(v);
#else
    return iip_get64le(p, 8);
#endif
}

/* The last word: the bytes that are left, in one piece where there are eight to read, and the length on top. */
IIP_INLINE iip_u64 iip_sip_last(const iip_u8 *p, iip_u32 left, iip_u32 len)
{
    iip_u64 word = 0;
    if (left && len >= 8)
        word = iip_word64le(p + left - 8) >> (64 - 8 * left);
    else if (left)
        word = iip_get64le(p, left);
    return word | (iip_u64)(len & 0xff) << 56;
}

IIP_INLINE void iip_sip_begin(struct iip_sip *s, const iip_u8 key[16])
{
    iip_u64 k0 = iip_word64le(key);
    iip_u64 k1 = iip_word64le(key + 8);
    s->v0 = k0 ^ IIP_U64(0x736f6d65U, 0x70736575U);
    s->v1 = k1 ^ IIP_U64(0x646f7261U, 0x6e646f6dU);
    s->v2 = k0 ^ IIP_U64(0x6c796765U, 0x6e657261U);
    s->v3 = k1 ^ IIP_U64(0x74656462U, 0x79746573U);
}

IIP_INLINE void iip_sip_word(struct iip_sip *s, iip_u64 word)
{
    s->v3 ^= word;
    iip_sip_round(s);
    iip_sip_round(s);
    s->v0 ^= word;
}

IIP_INLINE iip_u64 iip_sip_end(struct iip_sip *s)
{
    s->v2 ^= 0xff;
    iip_sip_round(s);
    iip_sip_round(s);
    iip_sip_round(s);
    iip_sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

IIP_LOCAL iip_u64 iip_siphash(const iip_u8 key[16], const iip_u8 *p, iip_u32 len)
{
    iip_u32 left = len;
    struct iip_sip s;
    iip_sip_begin(&s, key);
    for (; left >= 8; left -= 8, p += 8)
        iip_sip_word(&s, iip_word64le(p));
    iip_sip_word(&s, iip_sip_last(p, left, len));
    return iip_sip_end(&s);
}

IIP_LOCAL iip_u64 iip_siphash_12(const iip_u8 key[16], const iip_u8 *p)
{
    struct iip_sip s;
    iip_sip_begin(&s, key);
    iip_sip_word(&s, iip_word64le(p));
    iip_sip_word(&s, iip_word64le(p + 4) >> 32 | (iip_u64)12 << 56);
    return iip_sip_end(&s);
}

IIP_LOCAL void iip_hash_key_init(struct iip_hash_key *hk, const iip_u8 key[16])
{
    iip_u8 label[5] = {'t', 'a', 'b', 'l', 0};
    iip_u32 i;
    for (i = 0; i <= IIP_HASH_WORDS; i++) {
        label[4] = (iip_u8)i;
        hk->mul[i] = iip_siphash(key, label, 5);
    }
}

IIP_LOCAL iip_u64 iip_mix64(iip_u64 x)
{
    x = (x ^ x >> 30) * IIP_U64(0xbf58476dU, 0x1ce4e5b9U);
    x = (x ^ x >> 27) * IIP_U64(0x94d049bbU, 0x133111ebU);
    return x ^ x >> 31;
}

IIP_LOCAL iip_u64 iip_rand(iip_u64 *state)
{
    *state += IIP_U64(0x9e3779b9U, 0x7f4a7c15U);
    return iip_mix64(*state);
}

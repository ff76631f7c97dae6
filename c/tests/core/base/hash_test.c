/* covers: A44 */
#include "base/hash.h"
#include "check.h"

/* Vectors of the SipHash paper (Aumasson, Bernstein 2012, appendix A) and of its reference code. */
static void siphash_vectors(void)
{
    iip_u8 key[16];
    iip_u8 in[64];
    iip_u32 i;
    for (i = 0; i < 16; i++)
        key[i] = (iip_u8)i;
    for (i = 0; i < 64; i++)
        in[i] = (iip_u8)i;
    CHECK(iip_siphash(key, in, 15) == IIP_U64(0xa129ca61U, 0x49be45e5U));
    CHECK(iip_siphash(key, in, 0) == IIP_U64(0x726fdb47U, 0xdd0e0e31U));
    CHECK(iip_siphash(key, in, 1) == IIP_U64(0x74f839c5U, 0x93dc67fdU));
    CHECK(iip_siphash(key, in, 7) == IIP_U64(0xab0200f5U, 0x8b01d137U));
    CHECK(iip_siphash(key, in, 14) == IIP_U64(0xf723ca90U, 0x8e7af2eeU));
    CHECK(iip_siphash(key, in, 9) == IIP_U64(0x9e0082dfU, 0x0ba9e4b0U));
    CHECK(iip_siphash_12(key, in) == iip_siphash(key, in, 12));
    CHECK(iip_siphash(key, in, 8) == IIP_U64(0x93f5f579U, 0x9a932462U));
    CHECK(iip_siphash(key, in, 63) == IIP_U64(0x958a324cU, 0xeb064572U));
}

static void key_and_every_field_matter(void)
{
    struct iip_hash_key a, b;
    iip_u8 key[16] = {1};
    iip_u32 words[IIP_HASH_WORDS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    iip_u32 base, i;
    iip_hash_key_init(&a, key);
    key[15] = 9;
    iip_hash_key_init(&b, key);
    CHECK(iip_hash_tuple4(&a, 1, 2, 3) != iip_hash_tuple4(&b, 1, 2, 3));
    CHECK(iip_hash_tuple4(&a, 1, 2, 3) != iip_hash_tuple4(&a, 2, 1, 3));
    CHECK(iip_hash_tuple4(&a, 1, 2, 3) != iip_hash_tuple4(&a, 1, 2, 4));
    base = iip_hash_words(&a, words, IIP_HASH_WORDS);
    for (i = 0; i < IIP_HASH_WORDS; i++) {
        words[i] ^= 1;
        CHECK(iip_hash_words(&a, words, IIP_HASH_WORDS) != base);
        words[i] ^= 1;
    }
}

/* 4,096 tuples that differ in the port only spread over 256 buckets: none is empty, none holds 4 times its share. */
static void tuples_spread(void)
{
    struct iip_hash_key hk;
    iip_u8 key[16] = {7, 7, 7};
    iip_u32 bucket[256] = {0};
    iip_u32 i, least = 4096, most = 0;
    iip_hash_key_init(&hk, key);
    for (i = 0; i < 4096; i++)
        bucket[iip_hash_tuple4(&hk, 0x0a000001, 0x0a000002, i << 16 | 80) & 255]++;
    for (i = 0; i < 256; i++) {
        least = bucket[i] < least ? bucket[i] : least;
        most = bucket[i] > most ? bucket[i] : most;
    }
    CHECK(least > 0);
    CHECK(most < 64);
}

/* SplitMix64 from seed 1234567, as its authors publish it. */
static void seeded_sequence(void)
{
    iip_u64 state = 1234567;
    CHECK(iip_rand(&state) == IIP_U64(0x599ed017U, 0xfb08fc85U));
    CHECK(iip_rand(&state) == IIP_U64(0x2c73f084U, 0x58540fa5U));
}

int main(void)
{
    RUN(siphash_vectors);
    RUN(key_and_every_field_matter);
    RUN(tuples_spread);
    RUN(seeded_sequence);
    return check_done();
}

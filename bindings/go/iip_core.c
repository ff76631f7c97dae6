//go:build cgo && !iip_system

/*
 * iip_core.c - the iip core in one file (C89 and C++98, no libc)
 *
 * Made by c/tools/amalgamate.py from the files of c/core; change those, not this one.
 */

#ifndef IIP_LOCAL
#if defined(__GNUC__)
#define IIP_LOCAL static __attribute__((unused))
#else
#define IIP_LOCAL static
#endif
#endif

#include "iip_core.h"

#if defined(__GNUC__)
#undef IIP_INLINE
#define IIP_INLINE static __inline__ __attribute__((unused))
#endif


/* ==== src/base/math64.c ==== */

/* ==== src/base/math64.h ==== */
/* math64.h - the only place that divides 64-bit numbers, so that 32-bit targets need no helper for it. */




/* n / d, rounded down; d must not be 0. */
IIP_LOCAL iip_u64 iip_div64(iip_u64 n, iip_u64 d);
/* The largest r with r * r * r <= n. */
IIP_LOCAL iip_u32 iip_cbrt64(iip_u64 n);
/* Base-2 logarithm, rounded down; 0 for 0. */
IIP_LOCAL iip_u32 iip_log2_64(iip_u64 n);
/* The lowest set bit's index; n must not be 0. */
IIP_LOCAL iip_u32 iip_ctz64(iip_u64 n);

IIP_LOCAL iip_u64 iip_div64(iip_u64 n, iip_u64 d)
{
#if defined(__LP64__)
    return n / d;
#else
    iip_u64 q = 0;
    iip_u64 r = 0;
    int bit;
    if (!(n >> 32) && !(d >> 32))
        return (iip_u32)n / (iip_u32)d;
    for (bit = 63; bit >= 0; bit--) {
        r = r << 1 | (n >> bit & 1);
        q <<= 1;
        if (r >= d) {
            r -= d;
            q |= 1;
        }
    }
    return q;
#endif
}

IIP_LOCAL iip_u32 iip_cbrt64(iip_u64 n)
{
    iip_u64 root = 0;
    iip_u64 trial;
    int shift;
    for (shift = 63; shift >= 0; shift -= 3) { /* one bit of the root a step */
        root <<= 1;
        trial = 3 * root * (root + 1) + 1;
        if (n >> shift >= trial) {
            n -= trial << shift;
            root++;
        }
    }
    return (iip_u32)root;
}

/* Builtins only where they are an instruction: elsewhere (riscv64) the compiler calls a helper. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__s390x__))
#define IIP_COUNTS_BITS
#endif

IIP_LOCAL iip_u32 iip_log2_64(iip_u64 n)
{
#ifdef IIP_COUNTS_BITS
    return n ? 63 - (iip_u32)__builtin_clzll(n) : 0;
#else
    iip_u32 log = 0;
    iip_u32 step;
    for (step = 32; step; step >>= 1) {
        if (n >> step) {
            n >>= step;
            log += step;
        }
    }
    return log;
#endif
}

IIP_LOCAL iip_u32 iip_ctz64(iip_u64 n)
{
#ifdef IIP_COUNTS_BITS
    return (iip_u32)__builtin_ctzl(n);
#else
    return iip_log2_64(n & (0 - n));
#endif
}

/* ==== src/base/hash.c ==== */

/* ==== src/base/hash.h ==== */
/* hash.h - keyed hashes: SipHash-2-4 where an answer is seen outside, multilinear hashing for tables. */




/* ==== src/base/bytes.h ==== */
/* bytes.h - memory and big-endian fields at any alignment. Compilers turn each of these into one or two instructions. */




#if defined(__GNUC__)
#define IIP_COPY(to, from, n) __builtin_memcpy((to), (from), (n))
#define IIP_MOVE(to, from, n) __builtin_memmove((to), (from), (n))
#define IIP_ZERO(to, n) __builtin_memset((to), 0, (n))
#define IIP_SAME(a, b, n) (__builtin_memcmp((a), (b), (n)) == 0)
#else
void *memcpy(void *to, const void *from, iip_size n);
void *memmove(void *to, const void *from, iip_size n);
void *memset(void *to, int byte, iip_size n);
int memcmp(const void *a, const void *b, iip_size n);
#define IIP_COPY(to, from, n) memcpy((to), (from), (n))
#define IIP_MOVE(to, from, n) memmove((to), (from), (n))
#define IIP_ZERO(to, n) memset((to), 0, (n))
#define IIP_SAME(a, b, n) (memcmp((a), (b), (n)) == 0)
#endif

#define IIP_COUNT(array) ((iip_u32)(sizeof(array) / sizeof((array)[0])))

/* The struct that holds `member` at `p`. */
#define IIP_OUTER(p, type, member) ((type *)(void *)((iip_u8 *)(p) - __builtin_offsetof(type, member)))

/* One swap and one store: gcc's vectoriser makes ten instructions of four stores of bytes. */
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define IIP_LE64(v) (v)
#if !defined(__riscv) /* it has no such instruction, and the compiler calls a helper */
#define IIP_BE16(v) __builtin_bswap16((iip_u16)(v))
#define IIP_BE32(v) __builtin_bswap32(v)
#endif
#elif defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define IIP_BE16(v) ((iip_u16)(v))
#define IIP_BE32(v) (v)
#define IIP_LE64(v) __builtin_bswap64(v)
#endif

IIP_INLINE iip_u32 iip_get16(const iip_u8 *p)
{
#ifdef IIP_BE16
    iip_u16 v;
    IIP_COPY(&v, p, 2);
    return IIP_BE16(v);
#else
    return (iip_u32)p[0] << 8 | p[1];
#endif
}

IIP_INLINE iip_u32 iip_get32(const iip_u8 *p)
{
#ifdef IIP_BE32
    iip_u32 v;
    IIP_COPY(&v, p, 4);
    return IIP_BE32(v);
#else
    return (iip_u32)p[0] << 24 | (iip_u32)p[1] << 16 | (iip_u32)p[2] << 8 | p[3];
#endif
}

IIP_INLINE void iip_put16(iip_u8 *p, iip_u32 v)
{
#ifdef IIP_BE16
    iip_u16 be = IIP_BE16(v);
    IIP_COPY(p, &be, 2);
#else
    p[0] = (iip_u8)(v >> 8);
    p[1] = (iip_u8)v;
#endif
}

IIP_INLINE void iip_put32(iip_u8 *p, iip_u32 v)
{
#ifdef IIP_BE32
    iip_u32 be = IIP_BE32(v);
    IIP_COPY(p, &be, 4);
#else
    p[0] = (iip_u8)(v >> 24);
    p[1] = (iip_u8)(v >> 16);
    p[2] = (iip_u8)(v >> 8);
    p[3] = (iip_u8)v;
#endif
}

/* Words in memory order, for comparing, hashing and summing. */
IIP_INLINE iip_u16 iip_raw16(const void *p)
{
    iip_u16 v;
    IIP_COPY(&v, p, 2);
    return v;
}

IIP_INLINE iip_u32 iip_raw32(const void *p)
{
    iip_u32 v;
    IIP_COPY(&v, p, 4);
    return v;
}

IIP_INLINE iip_u64 iip_raw64(const void *p)
{
    iip_u64 v;
    IIP_COPY(&v, p, 8);
    return v;
}

IIP_INLINE iip_u32 iip_min32(iip_u32 a, iip_u32 b)
{
    return a < b ? a : b;
}

IIP_INLINE iip_u32 iip_max32(iip_u32 a, iip_u32 b)
{
    return a > b ? a : b;
}

IIP_INLINE iip_u64 iip_min64(iip_u64 a, iip_u64 b)
{
    return a < b ? a : b;
}

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

/* ==== src/base/csum.c ==== */

/* ==== src/base/csum.h ==== */
/* csum.h - the Internet checksum [RFC 1071], summed in memory order 8 bytes at a time. */




/* Adds two partial sums with end-around carry. */
IIP_INLINE iip_u64 iip_csum_add(iip_u64 sum, iip_u64 more)
{
    sum += more;
    return sum + (sum < more);
}

/* A partial sum folded to 16 bits, in memory order. */
IIP_INLINE iip_u32 iip_csum_fold(iip_u64 sum)
{
    iip_u32 half = (iip_u32)(sum >> 32) + (iip_u32)sum;
    half += half < (iip_u32)sum;
    half = (half >> 16) + (half & 0xffff);
    half = (half >> 16) + (half & 0xffff);
    return half;
}

/* A partial sum of bytes that follow an odd number of bytes. */
IIP_INLINE iip_u64 iip_csum_swap(iip_u64 sum)
{
    iip_u32 half = iip_csum_fold(sum);
    return (half >> 8 | half << 8) & 0xffff;
}

/* Writes a folded sum as it lies in memory: no byte swap on any machine. */
IIP_INLINE void iip_csum_store(iip_u8 *p, iip_u32 folded)
{
    iip_u16 v = (iip_u16)folded;
    IIP_COPY(p, &v, 2);
}

/* A 16-bit host-order value, as it would be summed from memory. */
IIP_INLINE iip_u64 iip_csum_word(iip_u32 v)
{
    iip_u8 b[2];
    iip_u16 raw;
    iip_put16(b, v);
    IIP_COPY(&raw, b, 2);
    return raw;
}

/* Partial sum of `len` bytes. */
IIP_LOCAL iip_u64 iip_csum_bytes(const iip_u8 *p, iip_u32 len);
/* Copies and sums in one pass. */
IIP_LOCAL iip_u64 iip_csum_copy(iip_u8 *to, const iip_u8 *from, iip_u32 len);

/* The last 0 to 7 bytes, as if zeroes followed. */
static iip_u64 iip_csum_tail(const iip_u8 *p, iip_u32 len)
{
    iip_u64 word = 0;
    IIP_COPY(&word, p, len);
    return word;
}

/* Two independent chains of 64-bit adds; carries are counted beside them. The compiler keeps all in registers. */
struct iip_csum_chains {
    iip_u64 even, odd, carry;
};

IIP_MERGED void iip_csum_16(struct iip_csum_chains *c, const iip_u8 *p)
{
    iip_u64 word = iip_raw64(p);
    c->even += word;
    c->carry += c->even < word;
    word = iip_raw64(p + 8);
    c->odd += word;
    c->carry += c->odd < word;
}

/* About 2.4 instructions per 8 bytes, where an add can take its carry along. */
IIP_LOCAL iip_u64 iip_csum_bytes(const iip_u8 *p, iip_u32 len)
{
    struct iip_csum_chains c;
    iip_u64 word;
    c.even = c.odd = c.carry = 0;
    for (; len >= 64; len -= 64, p += 64) {
        iip_csum_16(&c, p);
        iip_csum_16(&c, p + 16);
        iip_csum_16(&c, p + 32);
        iip_csum_16(&c, p + 48);
    }
    if (len >= 32) {
        iip_csum_16(&c, p);
        iip_csum_16(&c, p + 16);
        len -= 32;
        p += 32;
    }
    for (; len >= 8; len -= 8, p += 8) {
        word = iip_raw64(p);
        c.even += word;
        c.carry += c.even < word;
    }
    if (len)
        c.odd = iip_csum_add(c.odd, iip_csum_tail(p, len));
    return iip_csum_add(iip_csum_add(c.even, c.odd), c.carry);
}

IIP_LOCAL iip_u64 iip_csum_copy(iip_u8 *to, const iip_u8 *from, iip_u32 len)
{
    iip_u64 sum = 0;
    iip_u64 carry = 0;
    iip_u64 word;

    for (; len >= 8; len -= 8, from += 8, to += 8) {
        word = iip_raw64(from);
        IIP_COPY(to, &word, 8);
        sum += word;
        carry += sum < word;
    }
    if (len) {
        IIP_COPY(to, from, len);
        sum = iip_csum_add(sum, iip_csum_tail(from, len));
    }
    return iip_csum_add(sum, carry);
}

/* ==== src/base/table.c ==== */

/* ==== src/base/table.h ==== */
/*
 * table.h - a hash table that grows a bucket at a time (linear hashing, Litwin 1980).
 *
 * Entries embed a node and bring a 32-bit keyed hash. Each insertion beyond nine eighths load splits one bucket, so
 * no call ever moves more than one chain, and memory comes in segments of 512 buckets. When the host refuses a segment
 * the chains merely get longer.
 */




enum { IIP_TABLE_SEG_BITS = 9, IIP_TABLE_SEG = 1 << IIP_TABLE_SEG_BITS };

struct iip_node {
    struct iip_node *next;
    iip_u32 hash;
    iip_u32 word; /* the owner's own: a part of its key */
};

/* Memory for the table: alloc(ctx, bytes) may answer null; release gives it back. */
struct iip_table_mem {
    void *ctx;
    void *(*alloc)(void *ctx, iip_size bytes);
    void (*release)(void *ctx, void *p, iip_size bytes);
};

struct iip_table {
    struct iip_node ***seg;  /* directory of segments */
    iip_u32 segs;            /* segments that the directory has room for */
    iip_u32 mask;            /* buckets - 1 at the start of this doubling */
    iip_u32 split;           /* the next bucket to split */
    iip_u32 count;           /* entries */
    struct iip_table_mem mem;
};

/* 0, or -1 without memory for the first segment. */
IIP_LOCAL int iip_table_init(struct iip_table *tab, const struct iip_table_mem *mem);
IIP_LOCAL void iip_table_free(struct iip_table *tab);
IIP_LOCAL void iip_table_add(struct iip_table *tab, struct iip_node *node);
/* A node that iip_table_replace took out is left alone. */
IIP_LOCAL void iip_table_del(struct iip_table *tab, struct iip_node *node);
/* `node`, which has the hash of `old`, stands where `old` stood. */
IIP_LOCAL void iip_table_replace(struct iip_table *tab, struct iip_node *old, struct iip_node *node);
/* Visits all: null first, then the last answer; null at the end. Deleting the answer before asking on is not allowed. */
IIP_LOCAL struct iip_node *iip_table_next(const struct iip_table *tab, const struct iip_node *node);

IIP_INLINE struct iip_node **iip_table_bucket(const struct iip_table *tab, iip_u32 hash)
{
    iip_u32 i = hash & tab->mask;
    if (i < tab->split)
        i = hash & (tab->mask * 2 + 1);
    return &tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)];
}


static struct iip_node **iip_table_segment(struct iip_table *tab)
{
    struct iip_node **seg = (struct iip_node **)tab->mem.alloc(tab->mem.ctx, IIP_TABLE_SEG * sizeof(*seg));
    if (seg)
        IIP_ZERO(seg, IIP_TABLE_SEG * sizeof(*seg));
    return seg;
}

static struct iip_node ***iip_table_directory(struct iip_table *tab, iip_u32 segs)
{
    struct iip_node ***dir = (struct iip_node ***)tab->mem.alloc(tab->mem.ctx, segs * sizeof(*dir));
    if (dir)
        IIP_ZERO(dir, segs * sizeof(*dir));
    return dir;
}

IIP_LOCAL int iip_table_init(struct iip_table *tab, const struct iip_table_mem *mem)
{
    IIP_ZERO(tab, sizeof(*tab));
    tab->mem = *mem;
    tab->segs = 4;
    tab->mask = IIP_TABLE_SEG - 1;
    tab->seg = iip_table_directory(tab, tab->segs);
    if (!tab->seg)
        return -1;
    tab->seg[0] = iip_table_segment(tab);
    if (!tab->seg[0]) {
        iip_table_free(tab);
        return -1;
    }
    return 0;
}

IIP_LOCAL void iip_table_free(struct iip_table *tab)
{
    iip_u32 i;
    if (!tab->seg)
        return;
    for (i = 0; i < tab->segs && tab->seg[i]; i++)
        tab->mem.release(tab->mem.ctx, tab->seg[i], IIP_TABLE_SEG * sizeof(*tab->seg[i]));
    tab->mem.release(tab->mem.ctx, tab->seg, tab->segs * sizeof(*tab->seg));
    tab->seg = 0;
}

/* Makes sure that bucket `i` has memory; 0 when it does not get any. */
static int iip_table_reach(struct iip_table *tab, iip_u32 i)
{
    iip_u32 s = i >> IIP_TABLE_SEG_BITS;
    struct iip_node ***dir;
    if (s >= tab->segs) {
        dir = iip_table_directory(tab, tab->segs * 2);
        if (!dir)
            return 0;
        IIP_COPY(dir, tab->seg, tab->segs * sizeof(*dir));
        tab->mem.release(tab->mem.ctx, tab->seg, tab->segs * sizeof(*dir));
        tab->seg = dir;
        tab->segs *= 2;
    }
    if (!tab->seg[s])
        tab->seg[s] = iip_table_segment(tab);
    return tab->seg[s] != 0;
}

static void iip_table_split(struct iip_table *tab)
{
    iip_u32 high = tab->split + tab->mask + 1;
    struct iip_node **low_link;
    struct iip_node **high_link;
    struct iip_node *node;

    if (!iip_table_reach(tab, high))
        return;
    low_link = &tab->seg[tab->split >> IIP_TABLE_SEG_BITS][tab->split & (IIP_TABLE_SEG - 1)];
    high_link = &tab->seg[high >> IIP_TABLE_SEG_BITS][high & (IIP_TABLE_SEG - 1)];
    for (node = *low_link; node; node = node->next) {
        if (node->hash & (tab->mask + 1)) {
            *high_link = node;
            high_link = &node->next;
        } else {
            *low_link = node;
            low_link = &node->next;
        }
    }
    *low_link = 0;
    *high_link = 0;
    if (++tab->split > tab->mask) {
        tab->mask = tab->mask * 2 + 1;
        tab->split = 0;
    }
}

IIP_LOCAL void iip_table_add(struct iip_table *tab, struct iip_node *node)
{
    struct iip_node **bucket;
    if (++tab->count > (tab->mask + 1 + tab->split) / 8 * 9)
        iip_table_split(tab);
    bucket = iip_table_bucket(tab, node->hash);
    node->next = *bucket;
    *bucket = node;
}

IIP_LOCAL void iip_table_del(struct iip_table *tab, struct iip_node *node)
{
    struct iip_node **link;
    if (node->next == node)
        return;
    link = iip_table_bucket(tab, node->hash);
    while (*link && *link != node)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = node->next;
    tab->count--;
}

/* A node that points to itself stands in no table. */
IIP_LOCAL void iip_table_replace(struct iip_table *tab, struct iip_node *old, struct iip_node *node)
{
    struct iip_node **link = iip_table_bucket(tab, old->hash);
    while (*link != old)
        link = &(*link)->next;
    *link = node;
    node->next = old->next;
    old->next = old;
}

IIP_LOCAL struct iip_node *iip_table_next(const struct iip_table *tab, const struct iip_node *node)
{
    iip_u32 buckets = tab->mask + 1 + tab->split;
    iip_u32 i = 0;
    if (node) {
        if (node->next)
            return node->next;
        i = node->hash & tab->mask;
        if (i < tab->split)
            i = node->hash & (tab->mask * 2 + 1);
        i++;
    }
    for (; i < buckets; i++) {
        if (tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)])
            return tab->seg[i >> IIP_TABLE_SEG_BITS][i & (IIP_TABLE_SEG - 1)];
    }
    return 0;
}

/* ==== src/base/wheel.c ==== */

/* ==== src/base/wheel.h ==== */
/*
 * wheel.h - a timer wheel that knows its exact next deadline.
 *
 * Three levels of 512 slots; a slot of the lowest is 1,024 us wide, so it spans half a second, the next 4.5 minutes,
 * the last 38 hours (later deadlines are placed at its end and looked at again there). A timer keeps its exact time;
 * a slot is only where it waits. Whoever arms a timer may let it fire early and arm it again: TCP does so to pay for a
 * timer once a round instead of once a packet.
 */




enum {
    IIP_WHEEL_LEVELS = 3,
    IIP_WHEEL_BITS = 9,
    IIP_WHEEL_SLOTS = 1 << IIP_WHEEL_BITS,
    IIP_WHEEL_TICK_BITS = 10
};

struct iip_timer {
    struct iip_timer *next;
    struct iip_timer **prev; /* what points here; null: not armed */
    iip_u64 at;              /* absolute microseconds */
    iip_u16 slot;            /* level * SLOTS + index */
    iip_u16 kind;            /* the owner's: whose timer this is */
    iip_u32 word;            /* the owner's, who need not lose what would be padding */
};

struct iip_wheel {
    iip_u64 tick;            /* all slots before this one are empty */
    iip_u64 quiet;           /* nothing is due before this tick */
    struct iip_timer *first; /* the earliest timer, or null: not known */
    iip_u32 count;
    iip_u64 map[IIP_WHEEL_LEVELS][IIP_WHEEL_SLOTS / 64];
    struct iip_timer *slot[IIP_WHEEL_LEVELS * IIP_WHEEL_SLOTS];
};

IIP_LOCAL void iip_wheel_init(struct iip_wheel *w, iip_u64 now);
/* Arms or moves a timer. */
IIP_LOCAL void iip_wheel_set(struct iip_wheel *w, struct iip_timer *t, iip_u64 at);
IIP_LOCAL void iip_wheel_cancel(struct iip_wheel *w, struct iip_timer *t);
/* Takes one timer that is due at `now` off the wheel, or returns null. */
IIP_LOCAL struct iip_timer *iip_wheel_pop(struct iip_wheel *w, iip_u64 now);
/* The earliest timer, or null. */
IIP_LOCAL struct iip_timer *iip_wheel_first(struct iip_wheel *w);

IIP_INLINE int iip_timer_armed(const struct iip_timer *t)
{
    return t->prev != 0;
}


IIP_LOCAL void iip_wheel_init(struct iip_wheel *w, iip_u64 now)
{
    IIP_ZERO(w, sizeof(*w));
    w->tick = now >> IIP_WHEEL_TICK_BITS;
}

static iip_u16 iip_wheel_place(const struct iip_wheel *w, iip_u64 at)
{
    iip_u64 tick = at >> IIP_WHEEL_TICK_BITS;
    iip_u32 level;
    iip_u32 shift = 0;

    if (tick < w->tick)
        tick = w->tick;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++, shift += IIP_WHEEL_BITS) {
        if ((tick >> shift) - (w->tick >> shift) < IIP_WHEEL_SLOTS)
            return (iip_u16)(level * IIP_WHEEL_SLOTS + (iip_u32)(tick >> shift & (IIP_WHEEL_SLOTS - 1)));
    }
    shift -= IIP_WHEEL_BITS;
    tick = (w->tick >> shift) + IIP_WHEEL_SLOTS - 1;
    return (iip_u16)((IIP_WHEEL_LEVELS - 1) * IIP_WHEEL_SLOTS + (iip_u32)(tick & (IIP_WHEEL_SLOTS - 1)));
}

IIP_LOCAL void iip_wheel_cancel(struct iip_wheel *w, struct iip_timer *t)
{
    if (!t->prev)
        return;
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (!w->slot[t->slot])
        w->map[t->slot / IIP_WHEEL_SLOTS][t->slot % IIP_WHEEL_SLOTS / 64] &= ~((iip_u64)1 << (t->slot & 63));
    if (w->first == t)
        w->first = 0;
    t->prev = 0;
    w->count--;
}

static void iip_wheel_link(struct iip_wheel *w, struct iip_timer *t)
{
    struct iip_timer **head;
    t->slot = iip_wheel_place(w, t->at);
    head = &w->slot[t->slot];
    t->next = *head;
    t->prev = head;
    if (*head)
        (*head)->prev = &t->next;
    *head = t;
    w->map[t->slot / IIP_WHEEL_SLOTS][t->slot % IIP_WHEEL_SLOTS / 64] |= (iip_u64)1 << (t->slot & 63);
    w->count++;
}

IIP_LOCAL void iip_wheel_set(struct iip_wheel *w, struct iip_timer *t, iip_u64 at)
{
    int knew = w->first != 0 || w->count == 0;
    if (t->prev) {
        knew = knew && w->first != t;
        iip_wheel_cancel(w, t);
    }
    t->at = at;
    w->quiet = iip_min64(w->quiet, at >> IIP_WHEEL_TICK_BITS);
    iip_wheel_link(w, t);
    if (knew && (!w->first || at < w->first->at))
        w->first = t;
}

/* The first occupied slot of a level at or after its present one, as a distance; SLOTS if there is none. */
static iip_u32 iip_wheel_scan(const struct iip_wheel *w, iip_u32 level)
{
    iip_u32 from = (iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) & (IIP_WHEEL_SLOTS - 1);
    iip_u32 word = from / 64;
    iip_u64 bits = w->map[level][word] & (~(iip_u64)0 << (from & 63));
    iip_u32 i;

    for (i = 0; i <= IIP_WHEEL_SLOTS / 64; i++) {
        if (bits)
            return (word * 64 + iip_ctz64(bits) - from) & (IIP_WHEEL_SLOTS - 1);
        word = (word + 1) & (IIP_WHEEL_SLOTS / 64 - 1);
        bits = w->map[level][word];
    }
    return IIP_WHEEL_SLOTS;
}

static struct iip_timer *iip_wheel_earliest_in(struct iip_timer *t)
{
    struct iip_timer *best = t;
    for (; t; t = t->next) {
        if (t->at < best->at)
            best = t;
    }
    return best;
}

static struct iip_timer *iip_wheel_level_first(const struct iip_wheel *w, iip_u32 level)
{
    iip_u32 distance = iip_wheel_scan(w, level);
    iip_u32 index;
    if (distance == IIP_WHEEL_SLOTS)
        return 0;
    index = ((iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) + distance) & (IIP_WHEEL_SLOTS - 1);
    return w->slot[level * IIP_WHEEL_SLOTS + index];
}

IIP_LOCAL struct iip_timer *iip_wheel_first(struct iip_wheel *w)
{
    struct iip_timer *best = 0;
    struct iip_timer *t;
    iip_u32 level;
    if (w->first || !w->count)
        return w->first;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++) {
        t = iip_wheel_earliest_in(iip_wheel_level_first(w, level));
        if (t && (!best || t->at < best->at))
            best = t;
    }
    w->first = best;
    return best;
}

/* Time has reached the present slots of the higher levels: spread their timers over the levels below. */
static void iip_wheel_cascade(struct iip_wheel *w)
{
    struct iip_timer *t;
    struct iip_timer *next;
    iip_u32 level;
    iip_u32 slot;
    for (level = 1; level < IIP_WHEEL_LEVELS; level++) {
        slot = level * IIP_WHEEL_SLOTS + ((iip_u32)(w->tick >> (level * IIP_WHEEL_BITS)) & (IIP_WHEEL_SLOTS - 1));
        t = w->slot[slot];
        w->slot[slot] = 0;
        w->map[level][slot % IIP_WHEEL_SLOTS / 64] &= ~((iip_u64)1 << (slot & 63));
        for (; t; t = next) {
            next = t->next;
            w->count--;
            iip_wheel_link(w, t);
        }
    }
}

/* Ticks from the present one to where something may be due: an occupied low slot, or the next slot of a higher level that holds something. */
static iip_u64 iip_wheel_next_tick(const struct iip_wheel *w)
{
    iip_u64 next = IIP_NEVER;
    iip_u64 tick;
    iip_u32 level;
    iip_u32 shift = 0;
    iip_u32 distance;
    for (level = 0; level < IIP_WHEEL_LEVELS; level++, shift += IIP_WHEEL_BITS) {
        distance = iip_wheel_scan(w, level);
        if (distance == IIP_WHEEL_SLOTS)
            continue;
        tick = ((w->tick >> shift) + distance) << shift;
        next = iip_min64(next, tick < w->tick ? w->tick : tick);
    }
    return next;
}

static struct iip_timer *iip_wheel_due_in(struct iip_timer *t, iip_u64 until)
{
    while (t && t->at > until)
        t = t->next;
    return t;
}

static struct iip_timer *iip_wheel_search(struct iip_wheel *w, iip_u64 now)
{
    iip_u64 now_tick = now >> IIP_WHEEL_TICK_BITS;
    iip_u64 tick;
    struct iip_timer *t;

    while ((tick = iip_wheel_next_tick(w)) <= now_tick) {
        w->tick = tick;
        iip_wheel_cascade(w);
        /* what waits in a tick that has passed is due, whatever it says */
        t = iip_wheel_due_in(w->slot[tick & (IIP_WHEEL_SLOTS - 1)], tick < now_tick ? IIP_NEVER : now);
        if (t || tick == now_tick)
            return t;
    }
    w->tick = now_tick;
    w->quiet = tick;
    return 0;
}

IIP_LOCAL struct iip_timer *iip_wheel_pop(struct iip_wheel *w, iip_u64 now)
{
    struct iip_timer *t;
    if (now >> IIP_WHEEL_TICK_BITS < w->quiet || (w->first && w->first->at > now))
        return 0;
    t = iip_wheel_search(w, now);
    if (t)
        iip_wheel_cancel(w, t);
    return t;
}

/* ==== src/base/range.c ==== */

/* ==== src/base/range.h ==== */
/*
 * range.h - a sorted set of disjoint ranges of sequence numbers, each with the packets that fill it.
 *
 * New bytes can only join a range at its ends, so the packets of a range form a queue, and joining two ranges is
 * joining two queues. Looking up is a binary search; the set holds at most IIP_RANGES_MAX ranges, and its owner says
 * what happens to what does not fit. The same set, without packets, is the scoreboard of SACK.
 */




/* ==== src/base/seq.h ==== */
/* seq.h - sequence numbers compare modulo 2^32 [RFC 9293 3.4]. */




IIP_INLINE int iip_seq_lt(iip_u32 a, iip_u32 b)
{
    return (iip_s32)(a - b) < 0;
}

IIP_INLINE int iip_seq_leq(iip_u32 a, iip_u32 b)
{
    return (iip_s32)(a - b) <= 0;
}

IIP_INLINE iip_u32 iip_seq_max(iip_u32 a, iip_u32 b)
{
    return iip_seq_lt(a, b) ? b : a;
}

IIP_INLINE iip_u32 iip_seq_min(iip_u32 a, iip_u32 b)
{
    return iip_seq_lt(a, b) ? a : b;
}

struct iip_pkt;

enum { IIP_RANGES_MAX = 512 };

struct iip_range {
    iip_u32 left;         /* first sequence number */
    iip_u32 right;        /* one past the last */
    struct iip_pkt *head; /* packets in order, by `link`; null on a scoreboard */
    struct iip_pkt *tail;
};

struct iip_ranges {
    struct iip_range *r;
    iip_u32 n;
    iip_u32 cap;
};

/* Index of the first range that ends after `seq`; n if there is none. */
IIP_LOCAL iip_u32 iip_ranges_find(const struct iip_ranges *set, iip_u32 seq);
/* 1 when [left, right) can be added without more room. */
IIP_LOCAL int iip_ranges_fits(const struct iip_ranges *set, iip_u32 left, iip_u32 right);
/* Adds [left, right); joins what it touches or overlaps. `pkt`, a list by `link` or null, fills it. Returns the index of the range that holds it now. */
IIP_LOCAL iip_u32 iip_ranges_add(struct iip_ranges *set, iip_u32 left, iip_u32 right, struct iip_pkt *pkt);
/* Removes ranges and parts below `seq` (no packets may be in what is cut). */
IIP_LOCAL void iip_ranges_cut(struct iip_ranges *set, iip_u32 seq);
/* Removes range i. */
IIP_LOCAL void iip_ranges_remove(struct iip_ranges *set, iip_u32 i);
/* Bytes of [left, right) that are in the set. */
IIP_LOCAL iip_u32 iip_ranges_cover(const struct iip_ranges *set, iip_u32 left, iip_u32 right);


IIP_LOCAL iip_u32 iip_ranges_find(const struct iip_ranges *set, iip_u32 seq)
{
    iip_u32 low = 0;
    iip_u32 high = set->n;
    while (low < high) {
        iip_u32 mid = (low + high) / 2;
        if (iip_seq_lt(seq, set->r[mid].right))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Index of the first range that touches [left, ...) or lies behind it. */
static iip_u32 iip_ranges_touch(const struct iip_ranges *set, iip_u32 left)
{
    return iip_ranges_find(set, left - 1);
}

IIP_LOCAL int iip_ranges_fits(const struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 i = iip_ranges_touch(set, left);
    if (set->n < set->cap)
        return 1;
    return i < set->n && iip_seq_leq(set->r[i].left, right);
}

IIP_LOCAL void iip_ranges_remove(struct iip_ranges *set, iip_u32 i)
{
    set->n--;
    IIP_MOVE(&set->r[i], &set->r[i + 1], (set->n - i) * sizeof(set->r[0]));
}

static void iip_range_join(struct iip_range *a, const struct iip_range *b)
{
    if (!b->head)
        return;
    if (a->head)
        a->tail->link = b->head;
    else
        a->head = b->head;
    a->tail = b->tail;
}

IIP_LOCAL iip_u32 iip_ranges_add(struct iip_ranges *set, iip_u32 left, iip_u32 right, struct iip_pkt *pkt)
{
    iip_u32 i = iip_ranges_touch(set, left);
    struct iip_range sum;

    sum.left = left;
    sum.right = right;
    sum.head = pkt;
    sum.tail = pkt;
    while (sum.tail && sum.tail->link)
        sum.tail = sum.tail->link;
    if (i < set->n && iip_seq_leq(set->r[i].left, left)) { /* it continues this one */
        struct iip_range first = set->r[i];
        iip_range_join(&first, &sum);
        first.right = iip_seq_max(first.right, right);
        sum = first;
        iip_ranges_remove(set, i);
    }
    while (i < set->n && iip_seq_leq(set->r[i].left, sum.right)) {
        iip_range_join(&sum, &set->r[i]);
        sum.right = iip_seq_max(sum.right, set->r[i].right);
        iip_ranges_remove(set, i);
    }
    IIP_MOVE(&set->r[i + 1], &set->r[i], (set->n - i) * sizeof(set->r[0]));
    set->r[i] = sum;
    set->n++;
    return i;
}

IIP_LOCAL void iip_ranges_cut(struct iip_ranges *set, iip_u32 seq)
{
    iip_u32 i = iip_ranges_find(set, seq);
    if (!set->n)
        return;
    set->n -= i;
    IIP_MOVE(&set->r[0], &set->r[i], set->n * sizeof(set->r[0]));
    if (set->n)
        set->r[0].left = iip_seq_max(set->r[0].left, seq);
}

IIP_LOCAL iip_u32 iip_ranges_cover(const struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 bytes = 0;
    iip_u32 i;
    iip_u32 l;
    iip_u32 r;
    for (i = iip_ranges_find(set, left); i < set->n && iip_seq_lt(set->r[i].left, right); i++) {
        l = iip_seq_max(set->r[i].left, left);
        r = iip_seq_min(set->r[i].right, right);
        bytes += r - l;
    }
    return bytes;
}

/* ==== src/wire/arp.c ==== */

/* ==== src/wire/arp.h ==== */
/* arp.h - ARP for IPv4 over Ethernet [RFC 826]. */




enum { IIP_ARP_LEN = 28, IIP_ARP_REQUEST = 1, IIP_ARP_REPLY = 2 };

struct iip_arp {
    iip_u32 op;
    iip_u8 sender_mac[6], target_mac[6];
    iip_u32 sender_ip, target_ip; /* in memory order */
};

/* 0, or -1 when it is not ARP for IPv4 over Ethernet, or not a request or reply. */
IIP_LOCAL int iip_arp_parse(struct iip_arp *arp, const iip_u8 *p, iip_u32 len);
IIP_LOCAL void iip_arp_emit(iip_u8 *p, const struct iip_arp *arp);


/* ==== src/wire/eth.h ==== */
/* eth.h - the Ethernet header, and the 802.1Q tag in as far as it only carries a priority. */




enum {
    IIP_ETH_LEN = 14,
    IIP_ETH_TAG_LEN = 4,
    IIP_ETH_IPV4 = 0x0800,
    IIP_ETH_ARP = 0x0806,
    IIP_ETH_VLAN = 0x8100,
    IIP_ETH_IPV6 = 0x86dd
};

struct iip_eth {
    const iip_u8 *dst;
    const iip_u8 *src;
    iip_u32 type;
    iip_u32 len; /* bytes of header, tag included */
    iip_u32 vid; /* VLAN id of the tag; 0: none, or priority only */
};

/* 0, or -1 when the bytes do not hold a header. */
IIP_INLINE int iip_eth_parse(struct iip_eth *eth, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_ETH_LEN)
        return -1;
    eth->dst = p;
    eth->src = p + 6;
    eth->type = iip_get16(p + 12);
    eth->len = IIP_ETH_LEN;
    eth->vid = 0;
    if (IIP_LIKELY(eth->type != IIP_ETH_VLAN))
        return 0;
    if (len < IIP_ETH_LEN + IIP_ETH_TAG_LEN)
        return -1;
    eth->vid = iip_get16(p + 14) & 0xfff;
    eth->type = iip_get16(p + 16);
    eth->len = IIP_ETH_LEN + IIP_ETH_TAG_LEN;
    return 0;
}

IIP_INLINE void iip_eth_emit(iip_u8 *p, const iip_u8 *dst, const iip_u8 *src, iip_u32 type)
{
    IIP_COPY(p, dst, 6);
    IIP_COPY(p + 6, src, 6);
    iip_put16(p + 12, type);
}

/* The type of a frame whose IP header is at `l3`: it stands last, tagged or not. */
IIP_INLINE iip_u32 iip_eth_type_before(const iip_u8 *l3)
{
    return iip_get16(l3 - 2);
}

IIP_INLINE int iip_eth_is_group(const iip_u8 *mac)
{
    return mac[0] & 1;
}

enum { IIP_ARP_HW_ETHERNET = 1 };

IIP_LOCAL int iip_arp_parse(struct iip_arp *arp, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_ARP_LEN || iip_get16(p) != IIP_ARP_HW_ETHERNET || iip_get16(p + 2) != IIP_ETH_IPV4)
        return -1;
    if (p[4] != 6 || p[5] != 4)
        return -1;
    arp->op = iip_get16(p + 6);
    IIP_COPY(arp->sender_mac, p + 8, 6);
    arp->sender_ip = iip_raw32(p + 14);
    IIP_COPY(arp->target_mac, p + 18, 6);
    arp->target_ip = iip_raw32(p + 24);
    return arp->op == IIP_ARP_REQUEST || arp->op == IIP_ARP_REPLY ? 0 : -1;
}

IIP_LOCAL void iip_arp_emit(iip_u8 *p, const struct iip_arp *arp)
{
    iip_put16(p, IIP_ARP_HW_ETHERNET);
    iip_put16(p + 2, IIP_ETH_IPV4);
    p[4] = 6;
    p[5] = 4;
    iip_put16(p + 6, arp->op);
    IIP_COPY(p + 8, arp->sender_mac, 6);
    IIP_COPY(p + 14, &arp->sender_ip, 4);
    IIP_COPY(p + 18, arp->target_mac, 6);
    IIP_COPY(p + 24, &arp->target_ip, 4);
}

/* ==== src/wire/icmp.c ==== */

/* ==== src/wire/icmp.h ==== */
/* icmp.h - ICMP [RFC 792] and ICMPv6 [RFC 4443]: the header that both share. */




enum { IIP_ICMP_LEN = 8 };

enum { /* ICMP */
    IIP_ICMP_ECHO_REPLY = 0,
    IIP_ICMP_UNREACHABLE = 3,
    IIP_ICMP_ECHO = 8,
    IIP_ICMP_TIME_EXCEEDED = 11,
    IIP_ICMP_PARAM_PROBLEM = 12,
    IIP_ICMP_CODES_NET = 1 << 0 | 1 << 6 | 1 << 9 | 1 << 11, /* of UNREACHABLE, a bit each: the network, unknown, forbidden, for this TOS */
    IIP_ICMP_CODE_HOST = 1,
    IIP_ICMP_CODE_PROTOCOL = 2,
    IIP_ICMP_CODE_PORT = 3,
    IIP_ICMP_CODE_FRAG_NEEDED = 4
};

enum { /* ICMPv6 */
    IIP_ICMPV6_UNREACHABLE = 1,
    IIP_ICMPV6_TOO_BIG = 2,
    IIP_ICMPV6_TIME_EXCEEDED = 3,
    IIP_ICMPV6_PARAM_PROBLEM = 4,
    IIP_ICMPV6_INFO = 128, /* the first type that is not an error */
    IIP_ICMPV6_ECHO = 128,
    IIP_ICMPV6_ECHO_REPLY = 129,
    IIP_ICMPV6_RS = 133,
    IIP_ICMPV6_RA = 134,
    IIP_ICMPV6_NS = 135,
    IIP_ICMPV6_NA = 136,
    IIP_ICMPV6_REDIRECT = 137,
    IIP_ICMPV6_CODE_NO_ROUTE = 0, /* of UNREACHABLE */
    IIP_ICMPV6_CODE_PORT = 4,
    IIP_ICMPV6_CODE_FIELD = 0,    /* of PARAM_PROBLEM: erroneous field */
    IIP_ICMPV6_CODE_NEXT = 1,     /* unknown next header */
    IIP_ICMPV6_CODE_OPTION = 2,   /* unknown option */
    IIP_ICMPV6_CODE_FIRST = 3     /* first fragment with an incomplete header chain [RFC 7112] */
};

enum { IIP_ICMP_CODE_REASSEMBLY = 1 }; /* of both TIME_EXCEEDED */

struct iip_icmp {
    iip_u8 type, code;
    iip_u32 value; /* the second word: identifier and sequence number, pointer, MTU */
};

IIP_INLINE iip_u32 iip_icmp_type(const iip_u8 *p)
{
    return p[0];
}

IIP_INLINE void iip_icmp_read(struct iip_icmp *h, const iip_u8 *p)
{
    h->type = p[0];
    h->code = p[1];
    h->value = iip_get32(p + 4);
}

/* Writes the header with a checksum of 0. */
IIP_INLINE void iip_icmp_emit(iip_u8 *p, const struct iip_icmp *h)
{
    p[0] = h->type;
    p[1] = h->code;
    iip_put16(p + 2, 0);
    iip_put32(p + 4, h->value);
}

/* `sum`: partial sum of all that the checksum covers, the field being 0. */
IIP_INLINE void iip_icmp_csum_set(iip_u8 *p, iip_u64 sum)
{
    iip_csum_store(p + 2, ~iip_csum_fold(sum) & 0xffff);
}

/* Turns one type into another and mends the checksum, whatever it covers [RFC 1624]. */
IIP_LOCAL void iip_icmp_retype(iip_u8 *p, iip_u32 type);

IIP_LOCAL void iip_icmp_retype(iip_u8 *p, iip_u32 type)
{
    iip_u32 sum = (~iip_get16(p + 2) & 0xffff) + (~((iip_u32)p[0] << 8) & 0xffff) + (type << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    p[0] = (iip_u8)type;
    iip_put16(p + 2, ~sum & 0xffff);
}

/* ==== src/wire/ipv4.c ==== */

/* ==== src/wire/ipv4.h ==== */
/* ipv4.h - the IPv4 header [RFC 791 3.1]. */




enum {
    IIP_IPV4_LEN = 20,     /* without options */
    IIP_IPV4_LEN_MAX = 60,
    IIP_IPV4_TOTAL_MAX = 65535
};

enum {
    IIP_PROTO_HOPOPTS = 0,
    IIP_PROTO_ICMP = 1,
    IIP_PROTO_TCP = 6,
    IIP_PROTO_UDP = 17,
    IIP_PROTO_ROUTING = 43,
    IIP_PROTO_FRAGMENT = 44,
    IIP_PROTO_ICMPV6 = 58,
    IIP_PROTO_NONE = 59,
    IIP_PROTO_DSTOPTS = 60
};

struct iip_ipv4 {
    iip_u32 src, dst;    /* in memory order */
    iip_u32 hdr_len;     /* bytes, options included */
    iip_u32 total;       /* bytes of the datagram or fragment */
    iip_u32 id;
    iip_u32 frag_offset; /* bytes */
    iip_u8 df, mf;
    iip_u8 tos, ttl, proto;
};

/* ::ffff:a.b.c.d of an IPv4 address in memory order, and back. */
IIP_INLINE void iip_ip_of_v4(struct iip_ip *ip, iip_u32 raw)
{
    static const iip_u8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    IIP_COPY(ip->b, mapped, 12);
    IIP_COPY(ip->b + 12, &raw, 4);
}

IIP_INLINE iip_u32 iip_ip_to_v4(const struct iip_ip *ip)
{
    return iip_raw32(ip->b + 12);
}

/* Version 4, no options: the first byte says both. */
IIP_INLINE int iip_ipv4_is_plain(const iip_u8 *p)
{
    return p[0] == 0x45;
}

/* Neither the first, a middle nor the last fragment of anything. */
IIP_INLINE int iip_ipv4_is_whole(const iip_u8 *p)
{
    return (iip_get16(p + 6) & 0x3fff) == 0;
}

IIP_INLINE iip_u32 iip_ipv4_total(const iip_u8 *p)
{
    return iip_get16(p + 2);
}

/* Reads the fixed part; p holds at least IIP_IPV4_LEN bytes. */
IIP_INLINE void iip_ipv4_read(struct iip_ipv4 *h, const iip_u8 *p)
{
    iip_u32 frag = iip_get16(p + 6);
    h->hdr_len = (iip_u32)(p[0] & 15) * 4;
    h->tos = p[1];
    h->total = iip_ipv4_total(p);
    h->id = iip_get16(p + 4);
    h->df = (iip_u8)(frag >> 14 & 1);
    h->mf = (iip_u8)(frag >> 13 & 1);
    h->frag_offset = (frag & 0x1fff) * 8;
    h->ttl = p[8];
    h->proto = p[9];
    h->src = iip_raw32(p + 12);
    h->dst = iip_raw32(p + 16);
}

/* The header's own sum is right. */
IIP_INLINE int iip_ipv4_csum_ok(const iip_u8 *p, iip_u32 hdr_len)
{
    return iip_csum_fold(iip_csum_bytes(p, hdr_len)) == 0xffff;
}

/* Writes IIP_IPV4_LEN bytes with a checksum of 0; h->hdr_len is not looked at. */
IIP_INLINE void iip_ipv4_emit(iip_u8 *p, const struct iip_ipv4 *h)
{
    iip_put32(p, (iip_u32)0x45 << 24 | (iip_u32)h->tos << 16 | h->total);
    iip_put32(p + 4, h->id << 16 | (iip_u32)h->df << 14 | (iip_u32)h->mf << 13 | h->frag_offset / 8);
    iip_put32(p + 8, (iip_u32)h->ttl << 24 | (iip_u32)h->proto << 16);
    IIP_COPY(p + 12, &h->src, 4);
    IIP_COPY(p + 16, &h->dst, 4);
}

/* Fills in the checksum of a header whose field is 0. */
IIP_INLINE void iip_ipv4_csum_set(iip_u8 *p, iip_u32 hdr_len)
{
    iip_csum_store(p + 10, ~iip_csum_fold(iip_csum_bytes(p, hdr_len)) & 0xffff);
}

enum { IIP_IPV4_FORM_BAD = -1 };

/* Version, lengths against each other and against the `len` bytes that are there. 0, or IIP_IPV4_FORM_BAD. */
IIP_LOCAL int iip_ipv4_parse(struct iip_ipv4 *h, const iip_u8 *p, iip_u32 len);

/*
 * Walks the options of a header: 0 when all is well and nothing in them concerns a host, -1 for a malformed option or
 * a source route [RFC 1122 3.2.1.8].
 */
IIP_LOCAL int iip_ipv4_options_check(const iip_u8 *p, iip_u32 hdr_len);

/* Makes a first fragment's header that of the whole datagram: length, no fragment flags, right checksum. */
IIP_LOCAL void iip_ipv4_make_whole(iip_u8 *p, iip_u32 hdr_len, iip_u32 total);

enum { IIP_IPV4_OPT_END = 0, IIP_IPV4_OPT_NOP = 1, IIP_IPV4_OPT_LSRR = 131, IIP_IPV4_OPT_SSRR = 137 };

IIP_LOCAL int iip_ipv4_parse(struct iip_ipv4 *h, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_IPV4_LEN || p[0] >> 4 != 4)
        return IIP_IPV4_FORM_BAD;
    iip_ipv4_read(h, p);
    if (h->hdr_len < IIP_IPV4_LEN || h->hdr_len > len || h->total < h->hdr_len)
        return IIP_IPV4_FORM_BAD;
    return 0;
}

IIP_LOCAL int iip_ipv4_options_check(const iip_u8 *p, iip_u32 hdr_len)
{
    iip_u32 at = IIP_IPV4_LEN;
    iip_u32 len;
    while (at < hdr_len && p[at] != IIP_IPV4_OPT_END) {
        if (p[at] == IIP_IPV4_OPT_NOP) {
            at++;
            continue;
        }
        if (p[at] == IIP_IPV4_OPT_LSRR || p[at] == IIP_IPV4_OPT_SSRR)
            return -1;
        len = at + 1 < hdr_len ? p[at + 1] : 0;
        if (len < 2 || len > hdr_len - at) /* a length of 0 or 1 would never end [RFC 1122 3.2.1.8] */
            return -1;
        at += len;
    }
    return 0;
}

IIP_LOCAL void iip_ipv4_make_whole(iip_u8 *p, iip_u32 hdr_len, iip_u32 total)
{
    iip_put16(p + 2, total);
    iip_put16(p + 6, 0);
    iip_put16(p + 10, 0);
    iip_ipv4_csum_set(p, hdr_len);
}

/* ==== src/wire/ipv6.c ==== */

/* ==== src/wire/ipv6.h ==== */
/* ipv6.h - the IPv6 header and its extension headers [RFC 8200]. */




enum {
    IIP_IPV6_LEN = 40,
    IIP_IPV6_FRAGMENT_LEN = 8,
    IIP_IPV6_MTU_MIN = 1280,
    IIP_IPV6_PAYLOAD_AT = 4,     /* where the payload length stands, for parameter problems */
    IIP_IPV6_NEXT_AT = 6,        /* and the next header field */
    IIP_IPV6_ROUTING_TYPE_AT = 2,/* in a routing header: the type */
    IIP_IPV6_FRAG_OFFSET_AT = 2  /* in a fragment header: the offset */
};

struct iip_ipv6 {
    struct iip_ip src, dst;
    iip_u32 payload; /* bytes behind the fixed header */
    iip_u32 flow;    /* 20 bits */
    iip_u8 tos;      /* traffic class */
    iip_u8 next;
    iip_u8 hops;
};

struct iip_ipv6_fragment {
    iip_u8 next;
    iip_u8 more;
    iip_u32 offset; /* bytes */
    iip_u32 id;
};

/* Hop-by-hop, destination options and routing headers: the part they share. */
struct iip_ipv6_ext {
    iip_u8 next;
    iip_u32 len;          /* bytes */
    iip_u8 routing_type;  /* the next two are for routing headers */
    iip_u8 segments_left;
};

IIP_INLINE int iip_ipv6_is_v6(const iip_u8 *p)
{
    return p[0] >> 4 == 6;
}

IIP_INLINE iip_u32 iip_ipv6_next(const iip_u8 *p)
{
    return p[IIP_IPV6_NEXT_AT];
}

IIP_INLINE iip_u32 iip_ipv6_payload(const iip_u8 *p)
{
    return iip_get16(p + IIP_IPV6_PAYLOAD_AT);
}

IIP_INLINE void iip_ipv6_read(struct iip_ipv6 *h, const iip_u8 *p)
{
    iip_u32 first = iip_get32(p);
    h->tos = (iip_u8)(first >> 20 & 0xff);
    h->flow = first & 0xfffff;
    h->payload = iip_get16(p + 4);
    h->next = p[6];
    h->hops = p[7];
    IIP_COPY(h->src.b, p + 8, 16);
    IIP_COPY(h->dst.b, p + 24, 16);
}

IIP_INLINE void iip_ipv6_emit(iip_u8 *p, const struct iip_ipv6 *h)
{
    iip_put32(p, (iip_u32)6 << 28 | (iip_u32)h->tos << 20 | h->flow);
    iip_put32(p + 4, h->payload << 16 | (iip_u32)h->next << 8 | h->hops);
    IIP_COPY(p + 8, h->src.b, 16);
    IIP_COPY(p + 24, h->dst.b, 16);
}

IIP_INLINE int iip_ip_is_multicast6(const struct iip_ip *ip)
{
    return ip->b[0] == 0xff;
}

IIP_INLINE int iip_ip_is_link_local6(const struct iip_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* 0, or -1 when `len` bytes do not hold the version and the length of an IPv6 header. */
IIP_LOCAL int iip_ipv6_parse(struct iip_ipv6 *h, const iip_u8 *p, iip_u32 len);
/* `len`: bytes from p to the end of the packet; -1 when the header runs past it. */
IIP_LOCAL int iip_ipv6_ext_parse(struct iip_ipv6_ext *ext, const iip_u8 *p, iip_u32 len);
IIP_LOCAL int iip_ipv6_fragment_parse(struct iip_ipv6_fragment *f, const iip_u8 *p, iip_u32 len);
IIP_LOCAL void iip_ipv6_fragment_emit(iip_u8 *p, const struct iip_ipv6_fragment *f);

/* What the action bits of an unknown option ask for [RFC 8200 4.2]. */
enum {
    IIP_IPV6_OPT_OK = 0,       /* nothing: all options are known or may be skipped */
    IIP_IPV6_OPT_DISCARD = 1,  /* discard */
    IIP_IPV6_OPT_PROBLEM = 2,  /* discard, and say so */
    IIP_IPV6_OPT_UNICAST = 3,  /* discard, and say so unless it came to a multicast address */
    IIP_IPV6_OPT_BAD = 4       /* an option runs past the end of its header */
};
/* Walks the options of a hop-by-hop or destination options header of `len` bytes; *at: offset of the offender in it. */
IIP_LOCAL int iip_ipv6_options_walk(const iip_u8 *p, iip_u32 len, iip_u32 *at);

/*
 * Takes the fragment header out of a first fragment, which so becomes the whole datagram: what lies before it moves
 * up by 8 bytes. `p` is the fixed header, `frag_at` and `next_at` the offsets of the fragment header and of the
 * next-header field that names it; `payload` is the new payload length. Returns the header's new place.
 */
IIP_LOCAL iip_u8 *iip_ipv6_make_whole(iip_u8 *p, iip_u32 frag_at, iip_u32 next_at, iip_u32 payload);

/* ff02::1, and ff02::1:ffxx:xxxx of an address [RFC 4291 2.7.1]. */
IIP_LOCAL void iip_ip_all_nodes(struct iip_ip *ip);
IIP_LOCAL void iip_ip_solicited_node(struct iip_ip *ip, const struct iip_ip *target);
/* fe80::/64 with the modified EUI-64 identifier of a station [RFC 4291 2.5.6]. */
IIP_LOCAL void iip_ip_link_local_of(struct iip_ip *ip, const iip_u8 *mac);

enum { IIP_IPV6_OPT_PAD1 = 0, IIP_IPV6_OPT_PADN = 1 };

IIP_LOCAL int iip_ipv6_parse(struct iip_ipv6 *h, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_IPV6_LEN || !iip_ipv6_is_v6(p))
        return -1;
    iip_ipv6_read(h, p);
    return 0;
}

IIP_LOCAL int iip_ipv6_ext_parse(struct iip_ipv6_ext *ext, const iip_u8 *p, iip_u32 len)
{
    if (len < 8)
        return -1;
    ext->next = p[0];
    ext->len = ((iip_u32)p[1] + 1) * 8;
    ext->routing_type = p[2];
    ext->segments_left = p[3];
    return ext->len > len ? -1 : 0;
}

IIP_LOCAL int iip_ipv6_fragment_parse(struct iip_ipv6_fragment *f, const iip_u8 *p, iip_u32 len)
{
    iip_u32 word;
    if (len < IIP_IPV6_FRAGMENT_LEN)
        return -1;
    word = iip_get16(p + 2);
    f->next = p[0];
    f->offset = word & 0xfff8;
    f->more = (iip_u8)(word & 1);
    f->id = iip_get32(p + 4);
    return 0;
}

IIP_LOCAL void iip_ipv6_fragment_emit(iip_u8 *p, const struct iip_ipv6_fragment *f)
{
    p[0] = f->next;
    p[1] = 0;
    iip_put16(p + 2, f->offset | f->more);
    iip_put32(p + 4, f->id);
}

IIP_LOCAL int iip_ipv6_options_walk(const iip_u8 *p, iip_u32 len, iip_u32 *at)
{
    iip_u32 i = 2;
    while (i < len) {
        *at = i;
        if (p[i] == IIP_IPV6_OPT_PAD1) {
            i++;
            continue;
        }
        if (i + 2 > len || i + 2 + p[i + 1] > len)
            return IIP_IPV6_OPT_BAD;
        if (p[i] != IIP_IPV6_OPT_PADN && p[i] >> 6)
            return p[i] >> 6; /* the two highest bits are the action */
        i += 2 + (iip_u32)p[i + 1];
    }
    return IIP_IPV6_OPT_OK;
}

IIP_LOCAL iip_u8 *iip_ipv6_make_whole(iip_u8 *p, iip_u32 frag_at, iip_u32 next_at, iip_u32 payload)
{
    p[next_at] = p[frag_at];
    iip_put16(p + 4, payload);
    IIP_MOVE(p + IIP_IPV6_FRAGMENT_LEN, p, frag_at);
    return p + IIP_IPV6_FRAGMENT_LEN;
}

IIP_LOCAL void iip_ip_all_nodes(struct iip_ip *ip)
{
    IIP_ZERO(ip->b, 16);
    ip->b[0] = 0xff;
    ip->b[1] = 2;
    ip->b[15] = 1;
}

IIP_LOCAL void iip_ip_solicited_node(struct iip_ip *ip, const struct iip_ip *target)
{
    iip_ip_all_nodes(ip);
    ip->b[11] = 1;
    ip->b[12] = 0xff;
    IIP_COPY(ip->b + 13, target->b + 13, 3);
}

IIP_LOCAL void iip_ip_link_local_of(struct iip_ip *ip, const iip_u8 *mac)
{
    IIP_ZERO(ip->b, 16);
    ip->b[0] = 0xfe;
    ip->b[1] = 0x80;
    ip->b[8] = (iip_u8)(mac[0] ^ 2);
    ip->b[9] = mac[1];
    ip->b[10] = mac[2];
    ip->b[11] = 0xff;
    ip->b[12] = 0xfe;
    IIP_COPY(ip->b + 13, mac + 3, 3);
}

/* ==== src/wire/ndp.c ==== */

/* ==== src/wire/ndp.h ==== */
/* ndp.h - neighbour solicitation and advertisement [RFC 4861 4.3, 4.4]. */




enum {
    IIP_NDP_LEN = 24,      /* ICMPv6 header and target */
    IIP_NDP_LLA_LEN = 8,   /* the link-layer address option for Ethernet */
    IIP_NDP_OPT_SOURCE = 1,
    IIP_NDP_OPT_TARGET = 2,
    IIP_NDP_HOPS = 255     /* what did not cross a router still has it */
};

struct iip_ndp {
    iip_u8 type;               /* IIP_ICMPV6_NS, IIP_ICMPV6_NA */
    iip_u8 router, solicited, force;
    iip_u8 has_mac;            /* the option that belongs to the type was there */
    iip_u8 mac[6];
    struct iip_ip target;
};

/* Lengths, code, options (none of length 0), target not multicast. 0, or -1. */
IIP_LOCAL int iip_ndp_parse(struct iip_ndp *ndp, const iip_u8 *p, iip_u32 len);
/* Only the options behind `skip` bytes are walked: for messages that are read for their form alone. */
IIP_LOCAL int iip_ndp_options_check(const iip_u8 *p, iip_u32 len, iip_u32 skip);
/* Writes the message with a checksum of 0, with the option if has_mac; returns its length. */
IIP_LOCAL iip_u32 iip_ndp_emit(iip_u8 *p, const struct iip_ndp *ndp);

/* Walks the options; where `type` is found with an Ethernet address, copies it. */
static int iip_ndp_options(const iip_u8 *p, iip_u32 len, iip_u32 at, iip_u32 type, iip_u8 *mac, iip_u8 *found)
{
    iip_u32 size;
    while (at < len) {
        if (len - at < 2)
            return -1;
        size = (iip_u32)p[at + 1] * 8;
        if (!size || size > len - at) /* [RFC 4861 4.6: length 0 drops the packet] */
            return -1;
        if (p[at] == type && size == IIP_NDP_LLA_LEN && mac) {
            IIP_COPY(mac, p + at + 2, 6);
            *found = 1;
        }
        at += size;
    }
    return 0;
}

IIP_LOCAL int iip_ndp_options_check(const iip_u8 *p, iip_u32 len, iip_u32 skip)
{
    return len < skip ? -1 : iip_ndp_options(p, len, skip, 0, 0, 0);
}

IIP_LOCAL int iip_ndp_parse(struct iip_ndp *ndp, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_NDP_LEN || p[1])
        return -1;
    ndp->type = p[0];
    ndp->router = p[4] >> 7;
    ndp->solicited = (iip_u8)(p[4] >> 6 & 1);
    ndp->force = (iip_u8)(p[4] >> 5 & 1);
    ndp->has_mac = 0;
    IIP_COPY(ndp->target.b, p + 8, 16);
    if (iip_ip_is_multicast6(&ndp->target))
        return -1;
    return iip_ndp_options(p, len, IIP_NDP_LEN, ndp->type == IIP_ICMPV6_NS ? IIP_NDP_OPT_SOURCE : IIP_NDP_OPT_TARGET,
                           ndp->mac, &ndp->has_mac);
}

IIP_LOCAL iip_u32 iip_ndp_emit(iip_u8 *p, const struct iip_ndp *ndp)
{
    IIP_ZERO(p, IIP_NDP_LEN + IIP_NDP_LLA_LEN);
    p[0] = ndp->type;
    p[4] = (iip_u8)(ndp->router << 7 | ndp->solicited << 6 | ndp->force << 5);
    IIP_COPY(p + 8, ndp->target.b, 16);
    if (!ndp->has_mac)
        return IIP_NDP_LEN;
    p[24] = ndp->type == IIP_ICMPV6_NS ? IIP_NDP_OPT_SOURCE : IIP_NDP_OPT_TARGET;
    p[25] = 1;
    IIP_COPY(p + 26, ndp->mac, 6);
    return IIP_NDP_LEN + IIP_NDP_LLA_LEN;
}

/* ==== src/wire/tcp.c ==== */

/* ==== src/wire/tcp.h ==== */
/* tcp.h - the TCP header and its options [RFC 9293 3.1, 3.2; RFC 7323 2, 3; RFC 2018]. */




enum {
    IIP_TCP_HEADER = 20,
    IIP_TCP_HEADER_MAX = 60,
    IIP_TCP_TS_LEN = 12, /* timestamps with two NOPs in front */

    IIP_TCP_FIN = 0x01,
    IIP_TCP_SYN = 0x02,
    IIP_TCP_RST = 0x04,
    IIP_TCP_PSH = 0x08,
    IIP_TCP_ACK = 0x10,
    IIP_TCP_URG = 0x20,
    IIP_TCP_ECE = 0x40,
    IIP_TCP_CWR = 0x80,

    IIP_OPT_EOL = 0,
    IIP_OPT_NOP = 1,
    IIP_OPT_MSS = 2,
    IIP_OPT_WSCALE = 3,
    IIP_OPT_SACK_OK = 4,
    IIP_OPT_SACK = 5,
    IIP_OPT_TS = 8,

    IIP_HAS_MSS = 1,
    IIP_HAS_WSCALE = 2,
    IIP_HAS_SACK_OK = 4,
    IIP_HAS_TS = 8,

    IIP_SACK_MAX = 4
};

struct iip_sack_block {
    iip_u32 left, right;
};

/* A segment in host order, in the RFC's words: SEG.SEQ is seg->seq. */
struct iip_tcp_seg {
    iip_u16 src_port, dst_port;
    iip_u32 seq;
    iip_u32 ack;
    iip_u32 wnd;      /* as it stands in the header, not scaled */
    iip_u32 len;      /* SEG.LEN: payload bytes, SYN and FIN */
    iip_u32 up;
    iip_u32 hdr_len;
    iip_u8 flags;     /* IIP_TCP_... */
    iip_u8 has;       /* IIP_HAS_... */
    iip_u8 wscale;
    iip_u8 sacks;     /* blocks in sack[] */
    iip_u16 mss;
    iip_u32 ts_val, ts_ecr;
    struct iip_sack_block sack[IIP_SACK_MAX];
};

/* The sequence number of a header of which 8 bytes are there, as an ICMP error quotes it. */
IIP_INLINE iip_u32 iip_tcp_quoted_seq(const iip_u8 *p)
{
    return iip_get32(p + 4);
}

/* Decodes the fixed header; `len` bytes are there, payload included. 0, or -1 when it cannot be a segment. Options are left alone. */
IIP_INLINE int iip_tcp_parse(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_TCP_HEADER)
        return -1;
    seg->src_port = (iip_u16)iip_get16(p);
    seg->dst_port = (iip_u16)iip_get16(p + 2);
    seg->seq = iip_get32(p + 4);
    seg->ack = iip_get32(p + 8);
    seg->hdr_len = (iip_u32)(p[12] >> 4) * 4;
    seg->flags = p[13];
    seg->wnd = iip_get16(p + 14);
    seg->up = iip_get16(p + 18);
    seg->has = 0;
    seg->sacks = 0;
    seg->len = len - seg->hdr_len;
    return seg->hdr_len >= IIP_TCP_HEADER && seg->hdr_len <= len ? 0 : -1;
}

/* The one layout of options that established connections use: NOP NOP timestamps. 1 when that is all there is. */
IIP_INLINE int iip_tcp_parse_ts_only(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    if (seg->hdr_len != IIP_TCP_HEADER + IIP_TCP_TS_LEN || iip_get32(p + 20) != 0x0101080aU)
        return 0;
    seg->has = IIP_HAS_TS;
    seg->ts_val = iip_get32(p + 24);
    seg->ts_ecr = iip_get32(p + 28);
    return 1;
}

/* Decodes the options behind the fixed header; malformed ones end the walk and what stood before them holds. */
IIP_LOCAL void iip_tcp_parse_options(struct iip_tcp_seg *seg, const iip_u8 *p);

IIP_INLINE void iip_tcp_emit(iip_u8 *p, const struct iip_tcp_seg *seg)
{
    iip_put16(p, seg->src_port);
    iip_put16(p + 2, seg->dst_port);
    iip_put32(p + 4, seg->seq);
    iip_put32(p + 8, seg->ack);
    p[12] = (iip_u8)(seg->hdr_len << 2);
    p[13] = seg->flags;
    iip_put16(p + 14, seg->wnd);
    iip_put32(p + 16, seg->up);
}

IIP_INLINE void iip_tcp_emit_ts(iip_u8 *p, iip_u32 val, iip_u32 ecr)
{
    iip_put32(p, 0x0101080aU);
    iip_put32(p + 4, val);
    iip_put32(p + 8, ecr);
}

/* NOP NOP SACK and n blocks: 4 + 8 n bytes. */
IIP_LOCAL void iip_tcp_emit_sack(iip_u8 *p, const struct iip_sack_block *block, iip_u32 n);
/*
 * Options of a SYN in the order that the hex digits of `order` say, lowest first (1 NOP, 2 MSS, 3 window scale,
 * 4 SACK-permitted, 8 timestamps), those that seg->has; padded with zeros to a multiple of 4. Returns the bytes, at most 40.
 */
IIP_LOCAL iip_u32 iip_tcp_emit_syn_options(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u64 order);

/* Words of a SYN's options as nearly all stacks send them. */
enum {
    IIP_SYN_LEN = 20,
    IIP_SYN_ORDER = 0x31842,
    IIP_SYN_MSS = 0x0204,          /* and the MSS */
    IIP_SYN_SACK_TS = 0x0402080a,  /* SACK permitted, timestamps follow */
    IIP_SYN_WSCALE = 0x010303      /* NOP, and the shift */
};

static void iip_tcp_parse_sack(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 len)
{
    iip_u32 i;
    if ((len - 2) % 8)
        return;
    for (i = 0; i < (len - 2) / 8 && i < IIP_SACK_MAX; i++) {
        seg->sack[i].left = iip_get32(p + 2 + 8 * i);
        seg->sack[i].right = iip_get32(p + 6 + 8 * i);
    }
    seg->sacks = (iip_u8)i;
}

static void iip_tcp_parse_option(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 kind, iip_u32 len)
{
    if (kind == IIP_OPT_MSS && len == 4) {
        seg->has |= IIP_HAS_MSS;
        seg->mss = (iip_u16)iip_get16(p + 2);
    } else if (kind == IIP_OPT_WSCALE && len == 3) {
        seg->has |= IIP_HAS_WSCALE;
        seg->wscale = p[2];
    } else if (kind == IIP_OPT_SACK_OK && len == 2) {
        seg->has |= IIP_HAS_SACK_OK;
    } else if (kind == IIP_OPT_TS && len == 10) {
        seg->has |= IIP_HAS_TS;
        seg->ts_val = iip_get32(p + 2);
        seg->ts_ecr = iip_get32(p + 6);
    } else if (kind == IIP_OPT_SACK && len >= 10) {
        iip_tcp_parse_sack(seg, p, len);
    }
}

/*
 * The one layout of a SYN's options that nearly all stacks send: MSS, SACK permitted, timestamps, NOP, window scale.
 * 1 when that is all there is.
 */
static int iip_tcp_parse_syn(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    iip_u32 first = iip_get32(p);
    iip_u32 last = iip_get32(p + 16);
    if (first >> 16 != IIP_SYN_MSS || iip_get32(p + 4) != IIP_SYN_SACK_TS || last >> 8 != IIP_SYN_WSCALE)
        return 0;
    seg->has = IIP_HAS_MSS | IIP_HAS_SACK_OK | IIP_HAS_TS | IIP_HAS_WSCALE;
    seg->mss = (iip_u16)first;
    seg->ts_val = iip_get32(p + 8);
    seg->ts_ecr = iip_get32(p + 12);
    seg->wscale = (iip_u8)last;
    return 1;
}

static iip_u32 iip_tcp_emit_syn(iip_u8 *p, const struct iip_tcp_seg *seg)
{
    iip_put32(p, (iip_u32)IIP_SYN_MSS << 16 | seg->mss);
    iip_put32(p + 4, IIP_SYN_SACK_TS);
    iip_put32(p + 8, seg->ts_val);
    iip_put32(p + 12, seg->ts_ecr);
    iip_put32(p + 16, (iip_u32)IIP_SYN_WSCALE << 8 | seg->wscale);
    return IIP_SYN_LEN;
}

IIP_LOCAL void iip_tcp_parse_options(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    const iip_u8 *end = p + seg->hdr_len;
    iip_u32 len;
    p += IIP_TCP_HEADER;
    if (seg->hdr_len == IIP_TCP_HEADER + IIP_SYN_LEN && iip_tcp_parse_syn(seg, p))
        return;
    while (p < end && *p != IIP_OPT_EOL) {
        if (*p == IIP_OPT_NOP) {
            p++;
            continue;
        }
        /* [RFC 9293 3.1 MUST-7] a length below 2 or beyond the header: nothing behind it can be trusted */
        if (end - p < 2 || p[1] < 2 || p[1] > end - p)
            return;
        len = p[1];
        iip_tcp_parse_option(seg, p, p[0], len);
        p += len;
    }
}

IIP_LOCAL void iip_tcp_emit_sack(iip_u8 *p, const struct iip_sack_block *block, iip_u32 n)
{
    iip_u32 i;
    iip_put32(p, 0x01010500U | (2 + 8 * n));
    for (i = 0; i < n; i++) {
        iip_put32(p + 4 + 8 * i, block[i].left);
        iip_put32(p + 8 + 8 * i, block[i].right);
    }
}

static iip_u32 iip_tcp_emit_syn_option(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u32 kind)
{
    if (kind == IIP_OPT_NOP) {
        p[0] = IIP_OPT_NOP;
        return 1;
    }
    if (kind == IIP_OPT_MSS && (seg->has & IIP_HAS_MSS)) {
        iip_put16(p, 0x0204);
        iip_put16(p + 2, seg->mss);
        return 4;
    }
    if (kind == IIP_OPT_WSCALE && (seg->has & IIP_HAS_WSCALE)) {
        iip_put16(p, 0x0303);
        p[2] = seg->wscale;
        return 3;
    }
    if (kind == IIP_OPT_SACK_OK && (seg->has & IIP_HAS_SACK_OK)) {
        iip_put16(p, 0x0402);
        return 2;
    }
    if (kind == IIP_OPT_TS && (seg->has & IIP_HAS_TS)) {
        iip_put16(p, 0x080a);
        iip_put32(p + 2, seg->ts_val);
        iip_put32(p + 6, seg->ts_ecr);
        return 10;
    }
    return 0;
}

IIP_LOCAL iip_u32 iip_tcp_emit_syn_options(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u64 order)
{
    iip_u32 len = 0;
    iip_u32 seen = 0;
    iip_u32 kind;
    if (order == IIP_SYN_ORDER && seg->has == (IIP_HAS_MSS | IIP_HAS_SACK_OK | IIP_HAS_TS | IIP_HAS_WSCALE))
        return iip_tcp_emit_syn(p, seg);
    for (; order && len < 28; order >>= 4) {
        kind = (iip_u32)(order & 15);
        if (kind != IIP_OPT_NOP && (seen >> kind & 1))
            continue;
        seen |= 1U << kind;
        len += iip_tcp_emit_syn_option(p + len, seg, kind);
    }
    while (len & 3)
        p[len++] = IIP_OPT_EOL; /* [RFC 9293 3.1 MUST-69] zero behind the end */
    return len;
}

/* ==== src/stack/mem.c ==== */

/* ==== src/stack/stack.h ==== */
/* stack.h - the state that all rooms share, and what this room offers to those above it. */




/* ==== src/stack/counters.h ==== */
/*
 * counters.h - every counter of a stack, once. What happens to a received packet is a verdict, and a verdict is a
 * counter: rx_packets = rx_delivered + rx_held + the sum of the drops.
 */



/* X(NAME, "name", "what is counted") */
#define IIP_COUNTERS(X)                                                                                       \
    X(RX_PACKETS, "rx_packets", "packets given to input")                                                     \
    X(RX_BYTES, "rx_bytes", "their bytes")                                                                    \
    X(RX_DELIVERED, "rx_delivered", "received packets that did their work: data taken, ACK used, question answered") \
    X(RX_HELD, "rx_held", "received fragments that wait for the rest (a level, not a total)")                 \
    X(TX_PACKETS, "tx_packets", "packets that transmit took")                                                 \
    X(TX_BYTES, "tx_bytes", "their bytes")                                                                    \
    X(TX_REFUSED, "tx_refused", "times that transmit took less than it was offered")                          \
    X(LOOP_PACKETS, "loop_packets", "packets from one of our addresses to another, never offered to transmit") \
    X(NO_FRAME, "no_frame", "times that the host had no frame")                                               \
    X(NO_MEM, "no_mem", "times that the host had no memory, or the ceiling was reached")                      \
    IIP_DROPS(X)                                                                                              \
    IIP_EVENTS(X)

/* Why a received packet was dropped. */
#define IIP_DROPS(X)                                                                                          \
    X(DROP_ETH_SHORT, "drop_eth_short", "shorter than an Ethernet header")                                    \
    X(DROP_ETH_VLAN, "drop_eth_vlan", "802.1Q tag with a VLAN id")                                            \
    X(DROP_ETH_TYPE, "drop_eth_type", "EtherType that is not ARP, IPv4 or IPv6")                              \
    X(DROP_ETH_DST, "drop_eth_dst", "addressed to another station")                                           \
    X(DROP_ARP, "drop_arp", "ARP of the wrong form or not for us")                                            \
    X(DROP_IP_HEADER, "drop_ip_header", "IP version, length or header length that cannot be")                 \
    X(DROP_IP_CSUM, "drop_ip_csum", "IPv4 header checksum")                                                   \
    X(DROP_IP_OPTION, "drop_ip_option", "IPv4 source route or malformed option; IPv6 option that says: discard") \
    X(DROP_IP_EXT, "drop_ip_ext", "IPv6 extension headers malformed, out of order or too many")               \
    X(DROP_IP_SRC, "drop_ip_src", "source address that no host may send from")                                \
    X(DROP_IP_DST, "drop_ip_dst", "not an address of this stack")                                             \
    X(DROP_IP_PROTO, "drop_ip_proto", "protocol that nobody here speaks")                                     \
    X(DROP_FRAGMENT, "drop_fragment", "fragment that overlaps, overruns or is malformed")                     \
    X(DROP_FRAGMENT_LIMIT, "drop_fragment_limit", "fragment beyond the limits of reassembly")                 \
    X(DROP_FRAGMENT_TIMEOUT, "drop_fragment_timeout", "fragment whose datagram never became whole")           \
    X(DROP_ICMP, "drop_icmp", "ICMP malformed, or of a type that is ignored")                                 \
    X(DROP_NDP, "drop_ndp", "neighbour discovery malformed, or from beyond the link")                         \
    X(DROP_UDP_HEADER, "drop_udp_header", "UDP length that cannot be")                                        \
    X(DROP_UDP_CSUM, "drop_udp_csum", "UDP checksum")                                                         \
    X(DROP_UDP_PORT, "drop_udp_port", "UDP port that nobody opened")                                          \
    X(DROP_UDP_FULL, "drop_udp_full", "UDP socket whose queue is full")                                       \
    X(DROP_TCP_HEADER, "drop_tcp_header", "TCP header that cannot be")                                        \
    X(DROP_TCP_CSUM, "drop_tcp_csum", "TCP checksum")                                                         \
    X(DROP_TCP_ADDR, "drop_tcp_addr", "TCP to a broadcast or multicast address, or from one")                 \
    X(DROP_TCP_CLOSED, "drop_tcp_closed", "segment for no connection: answered with RST or not")              \
    X(DROP_TCP_LISTEN, "drop_tcp_listen", "segment to a listener that opens nothing")                         \
    X(DROP_TCP_BACKLOG, "drop_tcp_backlog", "SYN to a listener whose backlog is full")                        \
    X(DROP_TCP_PAWS, "drop_tcp_paws", "timestamp from the past (RFC 7323 5.3), or missing")                   \
    X(DROP_TCP_SEQ, "drop_tcp_seq", "outside the receive window")                                             \
    X(DROP_TCP_RST, "drop_tcp_rst", "RST that is not exactly in place (RFC 5961 3)")                          \
    X(DROP_TCP_SYN, "drop_tcp_syn", "SYN within a connection (RFC 5961 4)")                                   \
    X(DROP_TCP_ACK, "drop_tcp_ack", "no ACK, or one of what was never sent (RFC 5961 5)")                     \
    X(DROP_TCP_OLD, "drop_tcp_old", "data that is here already")                                              \
    X(DROP_TCP_MEMORY, "drop_tcp_memory", "data beyond the memory of the receive buffer")                     \
    X(DROP_TCP_AFTER_CLOSE, "drop_tcp_after_close", "data for an application that closed")                    \
    X(DROP_PRESSURE, "drop_pressure", "text, datagram or fragment that would hold memory of a host that is short of it") \
    X(DROP_NO_FRAME, "drop_no_frame", "packet whose headers lay apart, with no frame to put them together")

/* Everything else that is worth knowing. */
#define IIP_EVENTS(X)                                                                                         \
    X(ARP_SENT, "arp_sent", "ARP requests and replies sent")                                                  \
    X(NEIGH_FAILED, "neigh_failed", "neighbours that did not answer")                                         \
    X(NEIGH_QUEUE_FULL, "neigh_queue_full", "packets dropped because a neighbour was slow to answer")         \
    X(NO_ROUTE, "no_route", "packets without a route")                                                        \
    X(ADDR_CONFLICT, "addr_conflict", "claims of our addresses by others")                                    \
    X(ICMP_SENT, "icmp_sent", "ICMP messages sent")                                                           \
    X(ICMP_LIMITED, "icmp_limited", "ICMP messages not sent, to limit their rate")                            \
    X(FRAGMENTS_SENT, "fragments_sent", "IP fragments sent")                                                  \
    X(REASSEMBLED, "reassembled", "datagrams put together")                                                   \
    X(TX_DROPPED, "tx_dropped", "answers and datagrams not sent: no frame, no room")                          \
    X(TCP_ACTIVE, "tcp_active", "active opens")                                                               \
    X(TCP_PASSIVE, "tcp_passive", "connections accepted")                                                     \
    X(TCP_CLOSED, "tcp_closed", "connections ended, in any way")                                              \
    X(TCP_SEGS_IN, "tcp_segs_in", "segments received")                                                        \
    X(TCP_SEGS_OUT, "tcp_segs_out", "segments sent as on the wire: large packets as cut; retransmissions too")\
    X(TCP_RETRANS, "tcp_retrans", "segments sent again")                                                      \
    X(TCP_RTO, "tcp_rto", "retransmission timeouts")                                                          \
    X(TCP_FAST_RETRANS, "tcp_fast_retrans", "fast recoveries entered")                                        \
    X(TCP_UNDONE, "tcp_undone", "losses that were none: the window is what it was")                         \
    X(TCP_FAST_PATH, "tcp_fast_path", "segments as predicted")                                                \
    X(TCP_PROBES, "tcp_probes", "zero-window probes")                                                         \
    X(TCP_KEEPALIVES, "tcp_keepalives", "keep-alive probes")                                                  \
    X(TCP_RST_SENT, "tcp_rst_sent", "RSTs sent")                                                              \
    X(TCP_CHALLENGE, "tcp_challenge", "challenge ACKs sent (RFC 5961)")                                       \
    X(TCP_LIMITED, "tcp_limited", "RSTs and challenge ACKs not sent, to limit their rate")                    \
    X(TCP_TIMEOUTS, "tcp_timeouts", "connections given up")                                                   \
    X(TCP_COOKIES_SENT, "tcp_cookies_sent", "SYN cookies sent")                                               \
    X(TCP_COOKIES_GOOD, "tcp_cookies_good", "SYN cookies that came back")                                     \
    X(TCP_TIME_WAIT_REUSED, "tcp_time_wait_reused", "TIME-WAIT ended by a newer SYN (RFC 6191)")              \
    X(FOREIGN, "foreign", "packets handed to the stack that owns their tuple")

enum {
#define IIP_COUNTER_ENUM(name, text, doc) IIP_CTR_##name,
    IIP_COUNTERS(IIP_COUNTER_ENUM)
#undef IIP_COUNTER_ENUM
    IIP_CTR_COUNT
};

/* What an input function answers: keeps or frees, and counts. Every other verdict is IIP_CTR_DROP_...: count and free. */
typedef iip_u32 iip_verdict;

enum {
    IIP_DONE = IIP_CTR_RX_DELIVERED, /* it did its work: count, free */
    IIP_KEPT = IIP_CTR_COUNT,        /* it did its work and has a new owner: count, do not free */
    IIP_HELD = IIP_CTR_COUNT + 1     /* it waits for other fragments; whoever holds it will count it */
};

/* ==== src/stack/tune.h ==== */
/* tune.h - tunables of a stack: struct, names, ranges and defaults in one list. */




/* X(field, "name", min, max, default, "unit and meaning") */
#define IIP_TUNABLES(X)                                                                                       \
    X(mtu, "mtu", 576, 65535, 1500, "bytes; largest IP packet of the link")                                   \
    X(ip_ttl, "ip.ttl", 1, 255, 64, "hop limit of what we originate")                                         \
    X(reass_timeout_us, "ip.reass_timeout_us", 1000, 120000000, 60000000, "us; a datagram must be whole by then") \
    X(reass_datagrams, "ip.reass_datagrams", 0, 65536, 64, "datagrams under reassembly at once")              \
    X(reass_bytes, "ip.reass_bytes", 0, 0x40000000, 262144, "bytes of memory held by fragments")              \
    X(pmtu_timeout_us, "ip.pmtu_timeout_us", 1000000, 0xffffffffU, 600000000, "us; a learnt path MTU is forgotten after this") \
    X(icmp_rate, "icmp.rate", 0, 1000000, 1000, "ICMP errors a second")                                       \
    X(neigh_retry_us, "neigh.retry_us", 1000, 60000000, 1000000, "us between requests for one neighbour")     \
    X(neigh_retries, "neigh.retries", 1, 20, 3, "requests before a neighbour counts as gone")                 \
    X(neigh_reachable_us, "neigh.reachable_us", 1000000, 0xffffffffU, 30000000, "us that a confirmed neighbour is trusted") \
    X(neigh_entries, "neigh.entries", 8, 1048576, 1024, "entries of the neighbour cache")                     \
    X(neigh_queue, "neigh.queue", 1, 1024, 128, "packets that wait for one neighbour; see below")         \
    X(neigh_queue_all, "neigh.queue_all", 1, 65536, 512, "packets that wait for all neighbours together")     \
    X(dad, "ip.dad", 0, 1, 0, "1: probe an address for duplicates before use (RFC 5227, RFC 4862)")           \
    X(udp_rcvbuf, "udp.rcvbuf", 2048, 0x40000000, 262144, "bytes queued on one socket")                       \
    X(tcp_rcvbuf, "tcp.rcvbuf", 2048, 0x40000000, 1048576, "bytes of receive buffer")                         \
    X(tcp_sndbuf, "tcp.sndbuf", 2048, 0x40000000, 1048576, "bytes queued to send or unacknowledged")          \
    X(tcp_wscale, "tcp.window_scale", 0, 255, 255, "shift of the windows we offer, 0..14; 15: do not offer the option; 255: from tcp.rcvbuf") \
    X(tcp_mss, "tcp.mss", 0, 65495, 0, "bytes; MSS that we announce at most; 0: from the MTU")                \
    X(tcp_sack, "tcp.sack", 0, 1, 1, "offer SACK")                                                            \
    X(tcp_timestamps, "tcp.timestamps", 0, 1, 1, "offer timestamps")                                          \
    X(tcp_syn_options, "tcp.syn_options", 0, 0xffffffffU, 0x31842, "order of the SYN's options, lowest hex digit first: 1 NOP 2 MSS 3 window scale 4 SACK-permitted 8 timestamps; see tunables.md") \
    X(tcp_delack_us, "tcp.delayed_ack_us", 0, 499999, 40000, "us; 0: acknowledge at once")                    \
    X(tcp_quickack, "tcp.quick_ack", 0, 0xffff, 0, "segments of a new connection that are acknowledged at once") \
    X(tcp_rto_initial_us, "tcp.rto_initial_us", 1000, 60000000, 1000000, "us (RFC 6298 2.1)")                 \
    X(tcp_rto_min_us, "tcp.rto_min_us", 100, 60000000, 200000, "us; RFC 6298 2.4 says 1 s")                   \
    X(tcp_rto_max_us, "tcp.rto_max_us", 1000000, 600000000, 120000000, "us")                                  \
    X(tcp_retries, "tcp.retries", 1, 255, 15, "retransmissions before a connection is given up (R2)")         \
    X(tcp_retries1, "tcp.retries1", 1, 255, 3, "retransmissions before the application is told (R1)")         \
    X(tcp_syn_retries, "tcp.syn_retries", 0, 255, 7, "retransmissions of a SYN (R2 for SYNs: 3 minutes at least)") \
    X(tcp_synack_retries, "tcp.synack_retries", 0, 255, 5, "retransmissions of a SYN-ACK")                    \
    X(tcp_initcwnd, "tcp.initial_window", 1, 1000, 10, "segments (RFC 6928)")                                 \
    X(tcp_cc, "tcp.congestion_control", 0, 1, 1, "0 NewReno, 1 CUBIC")                                        \
    X(tcp_msl_us, "tcp.msl_us", 0, 120000000, 30000000, "us; TIME-WAIT lasts twice this")                     \
    X(tcp_fin_wait2_us, "tcp.fin_wait2_us", 0, 0xffffffffU, 60000000, "us that a closed connection waits for the peer's FIN; 0: for ever") \
    X(tcp_keepalive, "tcp.keepalive", 0, 1, 0, "1: on for new connections")                                   \
    X(tcp_keepidle_us, "tcp.keepidle_us", 1000, IIP_U64(0x1000, 0), IIP_U64(1, 2905032704U), "us of silence before the first probe (2 h)") \
    X(tcp_keepintvl_us, "tcp.keepintvl_us", 1000, 0xffffffffU, 75000000, "us between probes")                 \
    X(tcp_keepcnt, "tcp.keepcnt", 1, 255, 9, "unanswered probes before the connection is given up")           \
    X(tcp_user_timeout_us, "tcp.user_timeout_us", 0, IIP_U64(0x1000, 0), 0, "us that data may stay unacknowledged or wait for a window; 0: by tcp.retries") \
    X(tcp_nodelay, "tcp.nodelay", 0, 1, 0, "1: no Nagle on new connections")                                  \
    X(tcp_ttl, "tcp.ttl", 1, 255, 64, "hop limit")                                                            \
    X(tcp_dscp, "tcp.dscp", 0, 63, 0, "DSCP of new connections")                                              \
    X(tcp_fast_path, "tcp.fast_path", 0, 1, 1, "0: every segment goes the long way (for tests: nothing else may differ)") \
    X(tcp_copy_max, "tcp.copy_max", 0, 1460, 192, "bytes; payloads up to this are copied behind their header") \
    X(tcp_time_wait_max, "tcp.time_wait_max", 0, 0x1000000, 1048576, "connections in TIME-WAIT; the oldest goes first") \
    X(tcp_half_open_max, "tcp.half_open_max", 1, 0x1000000, 65536, "half-open connections of all listeners; beyond them, cookies") \
    X(tcp_rst_rate, "tcp.rst_rate", 0, 1000000, 10000, "RSTs a second for segments of no connection")         \
    X(tcp_challenge_rate, "tcp.challenge_rate", 0, 1000, 10, "challenge ACKs a second of one connection, in any state")

struct iip_tune {
#define IIP_TUNE_FIELD(field, name, min, max, def, doc) iip_u64 field;
    IIP_TUNABLES(IIP_TUNE_FIELD)
#undef IIP_TUNE_FIELD
};

struct iip_stack;
IIP_LOCAL void iip_tune_defaults(struct iip_stack *stk);

struct iip_net;
struct iip_tcp;
struct iip_udp;
struct iip_slab;

enum {
    IIP_TX_BURST = 64,  /* packets offered to transmit at once */
    IIP_HEADROOM = 128, /* bytes before the payload that hold every header we send */
    IIP_HELD_MAX = 1024 /* refused packets beyond which answers and datagrams are no longer queued */
};

/* A FIFO of packets linked by `link`. */
struct iip_pktq {
    struct iip_pkt *head;
    struct iip_pkt *tail;
    iip_u32 count;
};

/* Something that has notes to give: a connection, a socket, the stack. */
struct iip_ready {
    struct iip_ready *next;
    iip_u8 kind;   /* IIP_READY_... */
    iip_u8 queued;
    iip_u16 half;  /* the owner's, who need not lose what would be padding; so is word */
    iip_u32 word;
};

enum { IIP_READY_TCP = 1, IIP_READY_UDP, IIP_READY_FOREIGN };
enum { IIP_TIMER_TCP = 1, IIP_TIMER_TCP_MINI, IIP_TIMER_NEIGH, IIP_TIMER_REASS, IIP_TIMER_NET };

struct iip_stack {
    iip_u64 now;
    struct iip_host host;
    iip_u32 flags;              /* IIP_STACK_... */
    iip_u32 caps;               /* IIP_CAP_... */
    iip_u32 l2_len;             /* 14, or 0 at L3 */
    iip_u32 tso_max;
    iip_u8 mac[6];
    iip_u8 key[16];
    struct iip_hash_key hash_key;
    iip_u64 rng;

    struct iip_pkt *pkt_free;   /* views that are free */
    struct iip_slab *slabs;     /* memory in which views lie */

    struct iip_pkt *tx[IIP_TX_BURST]; /* packets of this burst */
    iip_u32 tx_count;
    iip_u32 tx_blocked;         /* transmit refused during this call */
    struct iip_pktq held;       /* refused packets, oldest first */
    struct iip_pktq loop;       /* packets to ourselves */
    struct iip_pktq foreign;    /* packets of other stacks that share our addresses */

    struct iip_ready *ready_head;
    struct iip_ready *ready_tail;
    struct iip_ready foreign_ready;

    struct iip_wheel wheel;
    struct iip_tune tune;
    iip_u32 syn_digits;         /* that tcp.syn_options has, a bit each */
    iip_u32 pressure;           /* IIP_PRESSURE_... */
    iip_u64 ctr[IIP_CTR_COUNT];
    iip_u64 mem_used;
    iip_u64 mem_limit;
    struct iip_share share;     /* share.stacks <= 1: alone */

    struct iip_net *net;
    struct iip_udp *udp;
    struct iip_tcp *tcp;
};

/* What IP found out about a received packet; pkt->data is then at the L4 header and the chain ends where IP says. */
struct iip_rx {
    struct iip_ip src, dst;
    const iip_u8 *l3;   /* the IP header, for quotes; always in the first view */
    iip_u32 l3_len;     /* with options and extension headers; 0 when it no longer lies before the L4 header (reassembled) */
    iip_u8 family;      /* 4 or 6 */
    iip_u8 proto;
    iip_u8 ttl;
    iip_u8 tos;
    iip_u8 multicast;   /* to a broadcast or multicast address, on the link or in IP */
    iip_u8 looped;      /* from ourselves: no checksum was made */
};

/* ---- memory (mem.c): counted against the ceiling ---- */
IIP_LOCAL void *iip_mem_alloc(struct iip_stack *stk, iip_size bytes);
IIP_LOCAL void *iip_mem_zalloc(struct iip_stack *stk, iip_size bytes);
IIP_LOCAL void iip_mem_free(struct iip_stack *stk, void *p, iip_size bytes);
IIP_LOCAL void iip_table_mem_of(struct iip_stack *stk, struct iip_table_mem *mem);

/* Objects of one size, taken from the host in chunks and kept until the end. */
struct iip_pool {
    void *free;
    void *chunks;
    iip_u32 size;   /* bytes of an object; a multiple of 8 */
    iip_u32 chunk;  /* objects a chunk */
};
IIP_LOCAL void iip_pool_init(struct iip_pool *pool, iip_u32 size, iip_u32 chunk);
IIP_LOCAL void *iip_pool_get(struct iip_stack *stk, struct iip_pool *pool); /* not zeroed; null: counted */
IIP_LOCAL void iip_pool_put(struct iip_pool *pool, void *p);
IIP_LOCAL void iip_pool_free(struct iip_stack *stk, struct iip_pool *pool);

/* ---- packets (pkt.c) ---- */
/* An empty packet in a fresh frame with IIP_HEADROOM before data and room for `size` bytes; null: counted. */
IIP_LOCAL struct iip_pkt *iip_pkt_alloc(struct iip_stack *stk, iip_u32 size);
/* A second view of `len` bytes from `data` of the same frame. */
IIP_LOCAL struct iip_pkt *iip_pkt_view(struct iip_stack *stk, const struct iip_pkt *pkt, iip_u8 *data, iip_u32 len);
IIP_LOCAL iip_u32 iip_pkt_bytes(const struct iip_pkt *pkt); /* of the whole chain */
/* Cuts the chain to `len` bytes, freeing views beyond. */
IIP_LOCAL void iip_pkt_trim(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len);
/* Drops `len` bytes from the front; views that become empty are freed, so the head may change. */
IIP_LOCAL struct iip_pkt *iip_pkt_skip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len);
/* Copies bytes out of a chain. */
IIP_LOCAL void iip_pkt_read(const struct iip_pkt *pkt, iip_u32 offset, iip_u8 *to, iip_u32 len);
/* Partial checksum of a chain from offset. */
IIP_LOCAL iip_u64 iip_pkt_csum(const struct iip_pkt *pkt, iip_u32 offset, iip_u32 len);
/* The whole chain in one view (at most a frame's room); takes pkt; null: counted, pkt is freed. */
IIP_LOCAL struct iip_pkt *iip_pkt_linear(struct iip_stack *stk, struct iip_pkt *pkt);
IIP_LOCAL void iip_pkt_free_all(struct iip_stack *stk); /* the views' memory, at the end */
IIP_LOCAL void iip_pktq_put(struct iip_pktq *q, struct iip_pkt *pkt);
IIP_LOCAL struct iip_pkt *iip_pktq_get(struct iip_pktq *q);
IIP_LOCAL void iip_pktq_free(struct iip_stack *stk, struct iip_pktq *q);
/* Makes views until `n` are free; 0, or -1 without memory. */
IIP_LOCAL int iip_pkt_reserve(struct iip_stack *stk, iip_u32 n);

/* iip_pkt_new where no free view is at hand. */
IIP_COLD IIP_LOCAL struct iip_pkt *iip_pkt_take_grown(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data,
                                                      iip_u32 len);

/* iip_pkt_new, in place. */
IIP_INLINE struct iip_pkt *iip_pkt_take(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    struct iip_pkt *pkt = stk->pkt_free;
    if (IIP_UNLIKELY(!pkt))
        return iip_pkt_take_grown(stk, frame, data, len);
    stk->pkt_free = pkt->link;
    pkt->next = 0;
    pkt->link = 0;
    pkt->frame = frame;
    pkt->data = data;
    pkt->len = len;
    pkt->total = len;
    pkt->flags = 0;
    pkt->seg_size = 0;
    frame->views++;
    return pkt;
}

/* iip_pkt_free of a packet of one view. */
IIP_INLINE void iip_pkt_drop(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_frame *frame = pkt->frame;
    pkt->link = stk->pkt_free;
    stk->pkt_free = pkt;
    if (--frame->views == 0)
        stk->host.frame_put(stk->host.ctx, frame);
}

/* A frame counts for what it pins: half its memory at least, so that one-byte segments cannot pin the pool. */
IIP_INLINE iip_u32 iip_pkt_charge_one(const struct iip_pkt *view)
{
    return iip_max32(view->len, view->frame->size / 2);
}

/* May the core write `len` bytes of header in front of pkt->data? Only while this view is the frame's only one. */
IIP_INLINE int iip_pkt_headroom_ok(const struct iip_pkt *pkt, iip_u32 len)
{
    const struct iip_frame *frame = pkt->frame;
    return frame->views == 1 && !(frame->flags & IIP_FRAME_READ_ONLY) && (iip_size)(pkt->data - frame->base) >= len;
}

/* ---- transmit (tx.c): the place where packets leave ---- */
/* Takes a packet that is complete from the link header on. */
IIP_LOCAL void iip_tx(struct iip_stack *stk, struct iip_pkt *pkt);
/* The same for a packet of one view. */
IIP_LOCAL void iip_tx_flush(struct iip_stack *stk);
IIP_INLINE void iip_tx_one(struct iip_stack *stk, struct iip_pkt *pkt)
{
    stk->tx[stk->tx_count++] = pkt;
    stk->ctr[IIP_CTR_TX_BYTES] += pkt->total;
    if (IIP_UNLIKELY(stk->tx_count == IIP_TX_BURST))
        iip_tx_flush(stk);
}
/* Takes an IP packet for one of our own addresses. */
IIP_LOCAL void iip_tx_loop(struct iip_stack *stk, struct iip_pkt *pkt);
/* 1 when answers and datagrams must be refused: the port takes nothing and enough is held. */
IIP_INLINE int iip_tx_full(const struct iip_stack *stk)
{
    return stk->held.count >= IIP_HELD_MAX;
}

/* ---- notes (note.c) ---- */
IIP_LOCAL void iip_ready_put(struct iip_stack *stk, struct iip_ready *ready);
IIP_LOCAL void iip_ready_del(struct iip_stack *stk, struct iip_ready *ready);
IIP_LOCAL void iip_note_init(struct iip_note *note, iip_u32 type);

/* ---- sharing of tuples (share.c) ---- */
/* The stack that owns a tuple; `self` when the stack is alone. Ports in host order, local first. */
IIP_LOCAL iip_u32 iip_share_owner(const struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port);
/* Takes a packet (from the IP header on if at L3, else from the link header) for another stack. */
IIP_LOCAL void iip_share_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 owner);

/* ---- rate limit: a bucket that holds one second's worth ---- */
struct iip_bucket {
    iip_u64 last_us;
    iip_u32 tokens;
};
IIP_LOCAL int iip_bucket_take(struct iip_bucket *b, iip_u64 now, iip_u64 per_second);

IIP_INLINE void iip_count(struct iip_stack *stk, iip_u32 counter)
{
    stk->ctr[counter]++;
}

IIP_LOCAL void *iip_mem_alloc(struct iip_stack *stk, iip_size bytes)
{
    void *p = 0;
    if (!stk->mem_limit || stk->mem_used + bytes <= stk->mem_limit)
        p = stk->host.mem(stk->host.ctx, 0, bytes);
    if (!p) {
        iip_count(stk, IIP_CTR_NO_MEM);
        return 0;
    }
    stk->mem_used += bytes;
    return p;
}

IIP_LOCAL void *iip_mem_zalloc(struct iip_stack *stk, iip_size bytes)
{
    void *p = iip_mem_alloc(stk, bytes);
    if (p)
        IIP_ZERO(p, bytes);
    return p;
}

IIP_LOCAL void iip_mem_free(struct iip_stack *stk, void *p, iip_size bytes)
{
    if (!p)
        return;
    stk->mem_used -= bytes;
    stk->host.mem(stk->host.ctx, p, 0);
}

static void *iip_table_mem_alloc(void *ctx, iip_size bytes)
{
    return iip_mem_alloc((struct iip_stack *)ctx, bytes);
}

static void iip_table_mem_release(void *ctx, void *p, iip_size bytes)
{
    iip_mem_free((struct iip_stack *)ctx, p, bytes);
}

IIP_LOCAL void iip_table_mem_of(struct iip_stack *stk, struct iip_table_mem *mem)
{
    mem->ctx = stk;
    mem->alloc = iip_table_mem_alloc;
    mem->release = iip_table_mem_release;
}

IIP_LOCAL void iip_pool_init(struct iip_pool *pool, iip_u32 size, iip_u32 chunk)
{
    pool->free = 0;
    pool->chunks = 0;
    pool->size = (size + 7) & ~7U;
    pool->chunk = chunk;
}

static iip_size iip_pool_chunk_bytes(const struct iip_pool *pool)
{
    return 16 + (iip_size)pool->size * pool->chunk;
}

static int iip_pool_grow(struct iip_stack *stk, struct iip_pool *pool)
{
    iip_u8 *chunk = (iip_u8 *)iip_mem_alloc(stk, iip_pool_chunk_bytes(pool));
    iip_u32 i;
    if (!chunk)
        return -1;
    *(void **)(void *)chunk = pool->chunks;
    pool->chunks = chunk;
    for (i = pool->chunk; i-- > 0;)
        iip_pool_put(pool, chunk + 16 + (iip_size)pool->size * i);
    return 0;
}

IIP_LOCAL void *iip_pool_get(struct iip_stack *stk, struct iip_pool *pool)
{
    void *p;
    if (!pool->free && iip_pool_grow(stk, pool))
        return 0;
    p = pool->free;
    pool->free = *(void **)p;
    return p;
}

IIP_LOCAL void iip_pool_put(struct iip_pool *pool, void *p)
{
    *(void **)p = pool->free;
    pool->free = p;
}

IIP_LOCAL void iip_pool_free(struct iip_stack *stk, struct iip_pool *pool)
{
    void *chunk;
    while ((chunk = pool->chunks) != 0) {
        pool->chunks = *(void **)chunk;
        iip_mem_free(stk, chunk, iip_pool_chunk_bytes(pool));
    }
    pool->free = 0;
}

/* ==== src/stack/pkt.c ==== */
/* pkt.c - views of frames: their memory, their chains, their queues. */

enum { IIP_SLAB_PKTS = 63 };

struct iip_slab {
    struct iip_slab *next;
    struct iip_pkt pkt[IIP_SLAB_PKTS];
};

IIP_COLD static int iip_pkt_grow(struct iip_stack *stk)
{
    struct iip_slab *slab = (struct iip_slab *)iip_mem_alloc(stk, sizeof(*slab));
    iip_u32 i;
    if (!slab)
        return -1;
    slab->next = stk->slabs;
    stk->slabs = slab;
    for (i = IIP_SLAB_PKTS; i-- > 0;) {
        slab->pkt[i].link = stk->pkt_free;
        stk->pkt_free = &slab->pkt[i];
    }
    return 0;
}

IIP_LOCAL void iip_pkt_free_all(struct iip_stack *stk)
{
    struct iip_slab *slab;
    while ((slab = stk->slabs) != 0) {
        stk->slabs = slab->next;
        iip_mem_free(stk, slab, sizeof(*slab));
    }
    stk->pkt_free = 0;
}

IIP_LOCAL int iip_pkt_reserve(struct iip_stack *stk, iip_u32 n)
{
    const struct iip_pkt *pkt;
    for (;;) {
        iip_u32 have = 0;
        for (pkt = stk->pkt_free; pkt && have < n; pkt = pkt->link)
            have++;
        if (have == n)
            return 0;
        if (iip_pkt_grow(stk))
            return -1;
    }
}

IIP_LOCAL struct iip_pkt *iip_pkt_take_grown(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_grow(stk) ? 0 : iip_pkt_take(stk, frame, data, len);
}

IIP_API struct iip_pkt *iip_pkt_new(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_take(stk, frame, data, len);
}

IIP_APART static void iip_pkt_free_chain(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->next;
        iip_pkt_drop(stk, pkt);
    }
}

IIP_API void iip_pkt_free(struct iip_stack *stk, struct iip_pkt *pkt)
{
    if (IIP_LIKELY(pkt && !pkt->next))
        iip_pkt_drop(stk, pkt);
    else
        iip_pkt_free_chain(stk, pkt);
}

IIP_API iip_u32 iip_pkt_charge(const struct iip_pkt *pkt)
{
    iip_u32 charge = 0;
    for (; pkt; pkt = pkt->next)
        charge += iip_pkt_charge_one(pkt);
    return charge;
}

IIP_LOCAL struct iip_pkt *iip_pkt_alloc(struct iip_stack *stk, iip_u32 size)
{
    struct iip_frame *frame = stk->host.frame_get(stk->host.ctx, IIP_HEADROOM + size);
    struct iip_pkt *pkt;
    if (!frame) {
        iip_count(stk, IIP_CTR_NO_FRAME);
        return 0;
    }
    pkt = iip_pkt_take(stk, frame, frame->base + IIP_HEADROOM, 0);
    if (!pkt)
        stk->host.frame_put(stk->host.ctx, frame);
    return pkt;
}

IIP_LOCAL struct iip_pkt *iip_pkt_view(struct iip_stack *stk, const struct iip_pkt *pkt, iip_u8 *data, iip_u32 len)
{
    return iip_pkt_take(stk, pkt->frame, data, len);
}

IIP_LOCAL iip_u32 iip_pkt_bytes(const struct iip_pkt *pkt)
{
    iip_u32 bytes = 0;
    for (; pkt; pkt = pkt->next)
        bytes += pkt->len;
    return bytes;
}

IIP_LOCAL void iip_pkt_trim(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len)
{
    pkt->total = len;
    while (len > pkt->len && pkt->next) {
        len -= pkt->len;
        pkt = pkt->next;
    }
    if (len < pkt->len)
        pkt->len = len;
    iip_pkt_free(stk, pkt->next);
    pkt->next = 0;
}

IIP_LOCAL struct iip_pkt *iip_pkt_skip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 len)
{
    struct iip_pkt *next;
    while (len >= pkt->len && pkt->next) {
        len -= pkt->len;
        next = pkt->next;
        pkt->next = 0;
        iip_pkt_free(stk, pkt);
        pkt = next;
    }
    len = iip_min32(len, pkt->len);
    pkt->data += len;
    pkt->len -= len;
    return pkt;
}

IIP_LOCAL void iip_pkt_read(const struct iip_pkt *pkt, iip_u32 offset, iip_u8 *to, iip_u32 len)
{
    iip_u32 part;
    for (; pkt && len; pkt = pkt->next) {
        if (offset >= pkt->len) {
            offset -= pkt->len;
            continue;
        }
        part = iip_min32(pkt->len - offset, len);
        IIP_COPY(to, pkt->data + offset, part);
        to += part;
        len -= part;
        offset = 0;
    }
}

IIP_LOCAL iip_u64 iip_pkt_csum(const struct iip_pkt *pkt, iip_u32 offset, iip_u32 len)
{
    iip_u64 sum = 0;
    iip_u64 more;
    iip_u32 part;
    iip_u32 odd = 0;
    for (; pkt && len; pkt = pkt->next) {
        if (offset >= pkt->len) {
            offset -= pkt->len;
            continue;
        }
        part = iip_min32(pkt->len - offset, len);
        more = iip_csum_bytes(pkt->data + offset, part);
        sum = iip_csum_add(sum, odd ? iip_csum_swap(more) : more);
        odd ^= part & 1;
        len -= part;
        offset = 0;
    }
    return sum;
}

IIP_LOCAL struct iip_pkt *iip_pkt_linear(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    struct iip_pkt *flat;
    if (!pkt->next)
        return pkt;
    flat = iip_pkt_alloc(stk, bytes);
    if (flat && flat->frame->size - IIP_HEADROOM < bytes) {
        iip_pkt_free(stk, flat);
        flat = 0;
    }
    if (flat) {
        iip_pkt_read(pkt, 0, flat->data, bytes);
        flat->len = bytes;
        flat->total = bytes;
        flat->flags = pkt->flags;
        flat->seg_size = pkt->seg_size;
        flat->l2_len = pkt->l2_len;
        flat->l3_len = pkt->l3_len;
        flat->l4_len = pkt->l4_len;
    }
    iip_pkt_free(stk, pkt);
    return flat;
}

IIP_LOCAL void iip_pktq_put(struct iip_pktq *q, struct iip_pkt *pkt)
{
    pkt->link = 0;
    if (q->head)
        q->tail->link = pkt;
    else
        q->head = pkt;
    q->tail = pkt;
    q->count++;
}

IIP_LOCAL struct iip_pkt *iip_pktq_get(struct iip_pktq *q)
{
    struct iip_pkt *pkt = q->head;
    if (pkt) {
        q->head = pkt->link;
        q->count--;
        pkt->link = 0;
    }
    return pkt;
}

IIP_LOCAL void iip_pktq_free(struct iip_stack *stk, struct iip_pktq *q)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_pktq_get(q)) != 0)
        iip_pkt_free(stk, pkt);
}

/* ==== src/stack/tune.c ==== */

struct iip_tunable {
    const char *name;
    iip_u64 min, max;
    iip_size offset;
};

/* The digits of tcp.syn_options, a bit each. */
static iip_u32 iip_tune_digits(iip_u64 order)
{
    iip_u32 digits = 0;
    for (; order; order >>= 4)
        digits |= 1U << (order & 15);
    return digits;
}

IIP_LOCAL void iip_tune_defaults(struct iip_stack *stk)
{
#define IIP_TUNE_DEFAULT(field, name, min, max, def, doc) stk->tune.field = def;
    IIP_TUNABLES(IIP_TUNE_DEFAULT)
#undef IIP_TUNE_DEFAULT
    stk->syn_digits = iip_tune_digits(stk->tune.tcp_syn_options);
}

static const struct iip_tunable iip_tunables[] = {
#define IIP_TUNE_ROW(field, name, min, max, def, doc) { name, min, max, __builtin_offsetof(struct iip_tune, field) },
    IIP_TUNABLES(IIP_TUNE_ROW)
#undef IIP_TUNE_ROW
};

enum { IIP_SYN_OPTIONS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8 }; /* 0: a place left empty */

static int iip_name_same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const struct iip_tunable *iip_tunable_find(const char *name)
{
    iip_u32 i;
    for (i = 0; name && i < IIP_COUNT(iip_tunables); i++) {
        if (iip_name_same(iip_tunables[i].name, name))
            return &iip_tunables[i];
    }
    return 0;
}

/* Digits that name no option, and shifts between "do not offer" and "from tcp.rcvbuf". */
static int iip_tune_strange(const struct iip_tunable *t, iip_u64 value)
{
    if (t->offset == __builtin_offsetof(struct iip_tune, tcp_wscale))
        return value > 15 && value < 255;
    if (t->offset != __builtin_offsetof(struct iip_tune, tcp_syn_options))
        return 0;
    return (iip_tune_digits(value) & ~(iip_u32)IIP_SYN_OPTIONS) != 0;
}

IIP_API int iip_stack_set(struct iip_stack *stk, const char *name, iip_u64 value)
{
    const struct iip_tunable *t = iip_tunable_find(name);
    if (!t)
        return IIP_E_NOT_FOUND;
    if (value < t->min || value > t->max || iip_tune_strange(t, value))
        return IIP_E_RANGE;
    if (t->offset == __builtin_offsetof(struct iip_tune, mtu))
        return iip_stack_mtu_set(stk, (iip_u32)value);
    IIP_COPY((iip_u8 *)&stk->tune + t->offset, &value, sizeof(value));
    stk->syn_digits = iip_tune_digits(stk->tune.tcp_syn_options);
    return IIP_OK;
}

IIP_API int iip_stack_get(const struct iip_stack *stk, const char *name, iip_u64 *value)
{
    const struct iip_tunable *t = iip_tunable_find(name);
    if (!t)
        return IIP_E_NOT_FOUND;
    IIP_COPY(value, (const iip_u8 *)&stk->tune + t->offset, sizeof(*value));
    return IIP_OK;
}

IIP_API const char *iip_stack_tunable(iip_u32 i)
{
    return i < IIP_COUNT(iip_tunables) ? iip_tunables[i].name : 0;
}

IIP_API void iip_stack_pressure(struct iip_stack *stk, iip_u32 level)
{
    stk->pressure = level;
}

static const char *const iip_counter_names[IIP_CTR_COUNT] = {
#define IIP_COUNTER_NAME(name, text, doc) text,
    IIP_COUNTERS(IIP_COUNTER_NAME)
#undef IIP_COUNTER_NAME
};

IIP_API const char *iip_stack_counter_name(iip_u32 i)
{
    return i < IIP_CTR_COUNT ? iip_counter_names[i] : 0;
}

IIP_API iip_u32 iip_stack_counters(const struct iip_stack *stk, iip_u64 *out, iip_u32 cap)
{
    if (cap)
        IIP_COPY(out, stk->ctr, iip_min32(cap, IIP_CTR_COUNT) * sizeof(*out));
    return IIP_CTR_COUNT;
}

/* ==== src/stack/note.c ==== */
/* note.c - who has something to say, and the saying of it. */

/* ==== src/stack/up.h ==== */
/* up.h - the only calls from a lower room into a higher one. */




/* stack -> net. pkt->data is behind the link header. `group`: to a broadcast or multicast station. */
IIP_LOCAL int iip_net_new(struct iip_stack *stk);
IIP_LOCAL void iip_net_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_arp_input(struct iip_stack *stk, struct iip_pkt *pkt);
IIP_LOCAL iip_verdict iip_ipv4_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped);
IIP_LOCAL iip_verdict iip_ipv6_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped);
IIP_LOCAL void iip_neigh_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_reass_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_net_timer(struct iip_stack *stk, struct iip_timer *t);

/* stack, net -> udp */
IIP_LOCAL int iip_udp_new(struct iip_stack *stk);
IIP_LOCAL void iip_udp_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_udp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* Gives notes of a socket; *more stays 1 while it has others. */
IIP_LOCAL iip_u32 iip_udp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more);

/* stack, net -> tcp */
IIP_LOCAL int iip_tcp_new(struct iip_stack *stk);
IIP_LOCAL void iip_tcp_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_tcp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* The short way from the wire for what nearly all packets are; the verdict, or IIP_HELD + 1: it must go the long way. */
IIP_LOCAL iip_verdict iip_tcp_rx_plain(struct iip_stack *stk, struct iip_pkt *pkt);
/* Sends what may be sent on all connections that were touched; hold: ACKs of data just handed up may wait. */
IIP_LOCAL void iip_tcp_output_touched(struct iip_stack *stk, int hold);
IIP_LOCAL void iip_tcp_timer(struct iip_stack *stk, struct iip_timer *t);
IIP_LOCAL void iip_tcp_mini_timer(struct iip_stack *stk, struct iip_timer *t);
/* When a lazily armed timer is really due; IIP_NEVER: it is not needed. */
IIP_LOCAL iip_u64 iip_tcp_timer_due(const struct iip_stack *stk, const struct iip_timer *t);
/* *more -1: others wait, for the next call. */
IIP_LOCAL iip_u32 iip_tcp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more);

/* An ICMP error about a packet that we sent: what it quotes, checked for form only. */
struct iip_icmp_error {
    struct iip_ip src, dst;    /* of the quoted packet: src is ours */
    iip_u32 src_port, dst_port;
    iip_u32 seq;               /* TCP; has_seq says if it was quoted */
    iip_u8 has_seq;
    iip_u8 family, type, code; /* ICMP or ICMPv6 numbers */
    iip_s32 status;            /* IIP_E_UNREACHABLE, _NET_UNREACHABLE, _REFUSED (port), _MSGSIZE (mtu), _TIMEOUT (hop limit, reassembly) */
    iip_u8 hard;               /* protocol or port unreachable */
    iip_u32 mtu;               /* with MSGSIZE: clamped to the protocol's minimum */
};
/* 1 when the error fits a live connection with an in-flight sequence number (then the path MTU may be learnt). */
IIP_LOCAL int iip_tcp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err);
IIP_LOCAL int iip_udp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err);
/* The link's MTU or a path MTU to `dst` changed (null: all). */
IIP_LOCAL void iip_tcp_mtu_changed(struct iip_stack *stk, const struct iip_ip *dst);

IIP_LOCAL void iip_ready_put(struct iip_stack *stk, struct iip_ready *ready)
{
    if (ready->queued)
        return;
    ready->queued = 1;
    ready->next = 0;
    if (stk->ready_head)
        stk->ready_tail->next = ready;
    else
        stk->ready_head = ready;
    stk->ready_tail = ready;
}

/* Rare (a socket or listener closed by the application), so a walk is fine. */
IIP_LOCAL void iip_ready_del(struct iip_stack *stk, struct iip_ready *ready)
{
    struct iip_ready **link = &stk->ready_head;
    struct iip_ready *last = 0;
    if (!ready->queued)
        return;
    ready->queued = 0;
    for (; *link && *link != ready; link = &(*link)->next)
        last = *link;
    if (!*link)
        return;
    *link = ready->next;
    if (stk->ready_tail == ready)
        stk->ready_tail = last;
}

IIP_LOCAL void iip_note_init(struct iip_note *note, iip_u32 type)
{
    note->type = (iip_u16)type;
    note->flags = 0;
    note->status = IIP_OK;
    note->conn = 0;
    note->owner = 0;
    note->user = 0;
    note->pkt = 0;
    note->bytes = 0;
    note->value = 0;
}

static iip_u32 iip_foreign_notes(struct iip_stack *stk, struct iip_note *out, iip_u32 cap, int *more)
{
    iip_u32 n;
    for (n = 0; n < cap && stk->foreign.head; n++) {
        iip_note_init(&out[n], IIP_NOTE_FOREIGN);
        out[n].pkt = iip_pktq_get(&stk->foreign);
        out[n].value = out[n].pkt->aux;
    }
    *more = stk->foreign.head != 0;
    return n;
}

static iip_u32 iip_ready_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                               int *more)
{
    if (ready->kind == IIP_READY_TCP)
        return iip_tcp_notes(stk, ready, out, cap, more);
    if (ready->kind == IIP_READY_UDP)
        return iip_udp_notes(stk, ready, out, cap, more);
    return iip_foreign_notes(stk, out, cap, more);
}

/*
 * A source leaves the list before it speaks, for its last note may be the end of it; while it has more to say it keeps
 * its place at the front. A new connection says no more in the call that announces it.
 */
IIP_API iip_u32 iip_stack_notes(struct iip_stack *stk, struct iip_note *out, iip_u32 cap)
{
    struct iip_ready *ready;
    struct iip_ready *stop = 0;
    iip_u32 n = 0;
    int more;
    while (n < cap && (ready = stk->ready_head) != 0 && ready != stop) {
        stk->ready_head = ready->next;
        ready->queued = 0;
        more = 0;
        n += iip_ready_notes(stk, ready, out + n, cap - n, &more);
        if (!more)
            continue;
        if (more < 0) { /* the rest at the next call */
            iip_ready_put(stk, ready);
            if (!stop)
                stop = ready;
            continue;
        }
        ready->queued = 1;
        ready->next = stk->ready_head;
        if (!stk->ready_head)
            stk->ready_tail = ready;
        stk->ready_head = ready;
    }
    return n;
}

IIP_API int iip_stack_speaks(const struct iip_stack *stk)
{
    return stk->ready_head != 0;
}

/* ==== src/stack/share.c ==== */
/* share.c - which of several stacks with the same addresses owns a tuple. */

/* The Toeplitz hash of the RSS specification: a 32-bit window slides along the key, one bit of input at a time. */
static iip_u32 iip_toeplitz(const struct iip_share *share, const iip_u8 *p, iip_u32 len)
{
    iip_u32 window =
        (iip_u32)share->key[0] << 24 | (iip_u32)share->key[1] << 16 | (iip_u32)share->key[2] << 8 | share->key[3];
    iip_u32 hash = 0;
    iip_u32 i;
    int bit;
    for (i = 0; i < len; i++) {
        iip_u32 next = i + 4 < share->key_len ? share->key[i + 4] : 0;
        for (bit = 7; bit >= 0; bit--) {
            if (p[i] >> bit & 1)
                hash ^= window;
            window = window << 1 | (next >> bit & 1);
        }
    }
    return hash;
}

/* As the NIC sees a packet that comes in: source, destination, source port, destination port. */
static iip_u32 iip_share_toeplitz(const struct iip_share *share, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port)
{
    iip_u32 skip = iip_ip_is_v4(local) ? 12 : 0;
    iip_u32 len = 16 - skip;
    iip_u8 tuple[36];
    IIP_COPY(tuple, peer->b + skip, len);
    IIP_COPY(tuple + len, local->b + skip, len);
    iip_put16(tuple + 2 * len, peer_port);
    iip_put16(tuple + 2 * len + 2, local_port);
    return share->table[iip_toeplitz(share, tuple, 2 * len + 4) & (share->table_len - 1)] % share->stacks;
}

/* Without RSS: the same for both directions, and the same in every stack, so it stands on no secret. */
static iip_u32 iip_share_symmetric(const struct iip_share *share, const struct iip_ip *local, const struct iip_ip *peer,
                                   iip_u32 local_port, iip_u32 peer_port)
{
    iip_u64 sum = iip_raw64(local->b) + iip_raw64(peer->b);
    sum ^= iip_mix64(iip_raw64(local->b + 8) + iip_raw64(peer->b + 8));
    return (iip_u32)(iip_mix64(sum + local_port + peer_port) >> 32) % share->stacks;
}

IIP_LOCAL iip_u32 iip_share_owner(const struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port)
{
    const struct iip_share *share = &stk->share;
    if (share->stacks <= 1)
        return share->self;
    if (share->key_len)
        return iip_share_toeplitz(share, local, peer, local_port, peer_port);
    return iip_share_symmetric(share, local, peer, local_port, peer_port);
}

IIP_LOCAL void iip_share_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 owner)
{
    iip_count(stk, IIP_CTR_FOREIGN);
    pkt->aux = owner;
    iip_pktq_put(&stk->foreign, pkt);
    iip_ready_put(stk, &stk->foreign_ready);
}

/* ==== src/stack/tx.c ==== */
/* tx.c - the place where packets leave. */

static iip_u64 iip_tx_bytes(struct iip_pkt *const *pkts, iip_u32 n)
{
    iip_u64 bytes = 0;
    while (n-- > 0)
        bytes += pkts[n]->total;
    return bytes;
}

/* A packet may be gone once transmit has it, so its bytes were counted before; here goes what came back. */
static iip_u32 iip_tx_offer(struct iip_stack *stk, struct iip_pkt **pkts, iip_u32 n)
{
    iip_u32 taken = stk->host.transmit(stk->host.ctx, pkts, n);
    stk->ctr[IIP_CTR_TX_PACKETS] += iip_min32(taken, n);
    if (IIP_LIKELY(taken >= n))
        return n;
    iip_count(stk, IIP_CTR_TX_REFUSED);
    stk->tx_blocked = 1;
    stk->ctr[IIP_CTR_TX_BYTES] -= iip_tx_bytes(pkts + taken, n - taken);
    return taken;
}

/* Refused packets go first; until they are gone everything else queues behind them. */
static void iip_tx_retry(struct iip_stack *stk)
{
    struct iip_pkt *burst[IIP_TX_BURST];
    struct iip_pkt *pkt;
    iip_u32 n;
    iip_u32 taken;
    while (stk->held.head && !stk->tx_blocked) {
        n = 0;
        for (pkt = stk->held.head; pkt && n < IIP_TX_BURST; pkt = pkt->link)
            burst[n++] = pkt;
        stk->ctr[IIP_CTR_TX_BYTES] += iip_tx_bytes(burst, n);
        taken = iip_tx_offer(stk, burst, n);
        stk->held.head = taken < n ? burst[taken] : pkt;
        stk->held.count -= taken;
    }
}

IIP_LOCAL void iip_tx_flush(struct iip_stack *stk)
{
    iip_u32 n = stk->tx_count;
    iip_u32 taken = 0;
    iip_u32 i;
    if (IIP_UNLIKELY(stk->held.head != 0))
        iip_tx_retry(stk);
    if (!n)
        return;
    stk->tx_count = 0;
    if (IIP_LIKELY(!stk->held.head && !stk->tx_blocked))
        taken = iip_tx_offer(stk, stk->tx, n);
    else
        stk->ctr[IIP_CTR_TX_BYTES] -= iip_tx_bytes(stk->tx, n);
    for (i = taken; i < n; i++)
        iip_pktq_put(&stk->held, stk->tx[i]);
}

IIP_LOCAL void iip_tx(struct iip_stack *stk, struct iip_pkt *pkt)
{
    if (IIP_UNLIKELY(pkt->next && !(stk->caps & IIP_CAP_TX_SG))) {
        pkt = iip_pkt_linear(stk, pkt);
        if (!pkt) {
            iip_count(stk, IIP_CTR_TX_DROPPED);
            return;
        }
    }
    iip_tx_one(stk, pkt);
}

IIP_LOCAL void iip_tx_loop(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_count(stk, IIP_CTR_LOOP_PACKETS);
    iip_pktq_put(&stk->loop, pkt);
}

IIP_API iip_u32 iip_stack_tx_pending(const struct iip_stack *stk)
{
    return stk->held.count;
}

IIP_LOCAL int iip_bucket_take(struct iip_bucket *b, iip_u64 now, iip_u64 per_second)
{
    iip_u64 passed = now - b->last_us;
    if (passed >= 1000000) {
        b->tokens = (iip_u32)per_second;
        b->last_us = now;
    }
    if (!b->tokens)
        return 0;
    b->tokens--;
    return 1;
}

/* ==== src/stack/rx.c ==== */
/* rx.c - packets in: the link header, the demultiplexing, and the one place where a received packet is counted and freed. */

enum {
    IIP_RX_FIRST = 128,      /* bytes that the first view holds at least, so that headers can be read in one piece */
    IIP_LOOP_ROUNDS = 4096   /* packets to ourselves that one call handles */
};

static void iip_rx_end(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict)
{
    if (verdict == IIP_HELD)
        return;
    if (verdict == IIP_KEPT) {
        iip_count(stk, IIP_CTR_RX_DELIVERED);
        return;
    }
    iip_count(stk, verdict);
    iip_pkt_free(stk, pkt);
}

static iip_verdict iip_rx_ip(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    if (!pkt->len)
        return IIP_CTR_DROP_IP_HEADER;
    if (iip_ipv6_is_v6(pkt->data))
        return iip_ipv6_input(stk, pkt, group, looped);
    return iip_ipv4_input(stk, pkt, group, looped);
}

static iip_verdict iip_rx_eth(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_eth eth;
    iip_u32 group;
    if (IIP_UNLIKELY(iip_eth_parse(&eth, pkt->data, pkt->len)))
        return IIP_CTR_DROP_ETH_SHORT;
    if (IIP_UNLIKELY(eth.vid))
        return IIP_CTR_DROP_ETH_VLAN;
    group = (iip_u32)iip_eth_is_group(eth.dst);
    if (IIP_UNLIKELY(!group && !IIP_SAME(eth.dst, stk->mac, 6)))
        return IIP_CTR_DROP_ETH_DST;
    pkt->data += eth.len;
    pkt->len -= eth.len;
    pkt->l2_len = (iip_u8)eth.len;
    if (IIP_LIKELY(eth.type == IIP_ETH_IPV4))
        return iip_ipv4_input(stk, pkt, group, 0);
    if (eth.type == IIP_ETH_IPV6)
        return iip_ipv6_input(stk, pkt, group, 0);
    if (eth.type == IIP_ETH_ARP)
        return iip_arp_input(stk, pkt);
    return IIP_CTR_DROP_ETH_TYPE;
}

/* A first view too short for the headers, in a packet that has more: move the first bytes together. */
static struct iip_pkt *iip_rx_gather(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 want = iip_min32(iip_pkt_bytes(pkt), IIP_RX_FIRST);
    struct iip_pkt *head;
    if (pkt->len >= want)
        return pkt;
    head = iip_pkt_alloc(stk, want);
    if (!head)
        return 0;
    iip_pkt_read(pkt, 0, head->data, want);
    head->len = want;
    head->flags = pkt->flags;
    head->seg_size = pkt->seg_size;
    head->next = iip_pkt_skip(stk, pkt, want);
    if (!head->next->len) {
        iip_pkt_free(stk, head->next);
        head->next = 0;
    }
    return head;
}

static void iip_rx_packet(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_verdict verdict;
    struct iip_pkt *whole = pkt;

    iip_count(stk, IIP_CTR_RX_PACKETS);
    stk->ctr[IIP_CTR_RX_BYTES] += pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    verdict = iip_tcp_rx_plain(stk, pkt);
    if (IIP_LIKELY(verdict <= IIP_HELD)) {
        iip_rx_end(stk, pkt, verdict);
        return;
    }
    if (IIP_UNLIKELY(pkt->next != 0))
        whole = iip_rx_gather(stk, pkt);
    if (!whole) {
        iip_rx_end(stk, pkt, IIP_CTR_DROP_NO_FRAME);
        return;
    }
    verdict = stk->l2_len ? iip_rx_eth(stk, whole) : iip_rx_ip(stk, whole, 0, 0);
    iip_rx_end(stk, whole, verdict);
}

/* Packets to ourselves: what answers them answers here, until it is quiet. */
static void iip_rx_loop(struct iip_stack *stk)
{
    struct iip_pkt *pkt;
    iip_u32 i;
    for (i = 0; i < IIP_LOOP_ROUNDS && (pkt = iip_pktq_get(&stk->loop)) != 0; i++) {
        iip_count(stk, IIP_CTR_RX_PACKETS);
        stk->ctr[IIP_CTR_RX_BYTES] += iip_pkt_bytes(pkt);
        pkt = iip_pkt_linear(stk, pkt);
        if (pkt)
            iip_rx_end(stk, pkt, iip_rx_ip(stk, pkt, 0, 1));
        else
            iip_count(stk, IIP_CTR_DROP_NO_FRAME);
        if (!stk->loop.head)
            iip_tcp_output_touched(stk, 1);
    }
}

static void iip_stack_clock(struct iip_stack *stk, iip_u64 now)
{
    if (now > stk->now)
        stk->now = now;
}

static void iip_stack_timers(struct iip_stack *stk)
{
    struct iip_timer *t;
    while ((t = iip_wheel_pop(&stk->wheel, stk->now)) != 0) {
        switch (t->kind) {
        case IIP_TIMER_TCP:
            iip_tcp_timer(stk, t);
            break;
        case IIP_TIMER_TCP_MINI:
            iip_tcp_mini_timer(stk, t);
            break;
        case IIP_TIMER_NEIGH:
            iip_neigh_timer(stk, t);
            break;
        case IIP_TIMER_REASS:
            iip_reass_timer(stk, t);
            break;
        default:
            iip_net_timer(stk, t);
            break;
        }
    }
}

/* The connections that were touched say what they have to say, then the burst leaves. */
static void iip_stack_settle(struct iip_stack *stk, int hold)
{
    if (IIP_UNLIKELY(stk->held.head != 0))
        iip_tx_flush(stk);
    iip_tcp_output_touched(stk, hold);
    if (IIP_UNLIKELY(stk->loop.head != 0)) {
        iip_rx_loop(stk);
        iip_tcp_output_touched(stk, hold);
    }
    iip_tx_flush(stk);
}

IIP_API void iip_stack_input(struct iip_stack *stk, struct iip_pkt **pkts, iip_u32 n, iip_u64 now)
{
    iip_u32 i;
    iip_stack_clock(stk, now);
    stk->tx_blocked = 0;
    for (i = 0; i < n; i++) {
        if (i + 4 < n)
            IIP_PREFETCH(pkts[i + 4]->data);
        iip_rx_packet(stk, pkts[i]);
    }
    iip_stack_timers(stk);
    iip_stack_settle(stk, 1);
}

IIP_API void iip_stack_output(struct iip_stack *stk, iip_u64 now)
{
    iip_stack_clock(stk, now);
    stk->tx_blocked = 0;
    iip_stack_timers(stk);
    iip_stack_settle(stk, 0);
}

/* TCP arms its timers lazily: what stands first may be put off, and is put where it belongs now. */
IIP_API iip_u64 iip_stack_deadline(struct iip_stack *stk)
{
    struct iip_timer *t;
    iip_u64 due;
    while ((t = iip_wheel_first(&stk->wheel)) != 0) {
        due = t->kind == IIP_TIMER_TCP || t->kind == IIP_TIMER_TCP_MINI ? iip_tcp_timer_due(stk, t) : t->at;
        if (due <= t->at)
            return t->at;
        if (due == IIP_NEVER)
            iip_wheel_cancel(&stk->wheel, t);
        else
            iip_wheel_set(&stk->wheel, t, due);
    }
    return IIP_NEVER;
}

/* ==== src/stack/stack.c ==== */
/* stack.c - a stack's birth and end. */


static int iip_share_check(const struct iip_share *share)
{
    if (share->key_len > sizeof(share->key) || !share->table_len || share->table_len > IIP_COUNT(share->table))
        return IIP_E_INVAL;
    return share->table_len & (share->table_len - 1) ? IIP_E_INVAL : IIP_OK;
}

static int iip_stack_cfg_check(const struct iip_stack_cfg *cfg, const struct iip_host *host)
{
    iip_u32 mtu_max = cfg->flags & IIP_STACK_L3 ? 65535 : 9000;
    if (cfg->size != sizeof(*cfg) || !host->frame_get || !host->frame_put || !host->transmit || !host->mem)
        return IIP_E_INVAL;
    if (cfg->mtu && (cfg->mtu < 576 || cfg->mtu > mtu_max))
        return IIP_E_INVAL;
    if (cfg->mac[0] & 1)
        return IIP_E_INVAL;
    if (cfg->share && (!cfg->share->stacks || cfg->share->self >= cfg->share->stacks))
        return IIP_E_INVAL;
    return cfg->share && cfg->share->key_len ? iip_share_check(cfg->share) : IIP_OK;
}

static void iip_stack_fill(struct iip_stack *stk, const struct iip_stack_cfg *cfg, iip_u64 now)
{
    stk->now = now;
    stk->flags = cfg->flags;
    stk->caps = cfg->caps;
    stk->l2_len = cfg->flags & IIP_STACK_L3 ? 0 : 14;
    stk->tso_max = cfg->tso_max ? iip_min32(cfg->tso_max, 65415) : 65415;
    stk->mem_limit = cfg->mem_limit;
    stk->rng = cfg->seed;
    IIP_COPY(stk->mac, cfg->mac, 6);
    IIP_COPY(stk->key, cfg->key, 16);
    iip_hash_key_init(&stk->hash_key, cfg->key);
    iip_wheel_init(&stk->wheel, now);
    iip_tune_defaults(stk);
    if (cfg->mtu)
        stk->tune.mtu = cfg->mtu;
    if (cfg->share)
        stk->share = *cfg->share;
    stk->foreign_ready.kind = IIP_READY_FOREIGN;
}

IIP_API int iip_stack_new(const struct iip_stack_cfg *cfg, const struct iip_host *host, iip_u64 now,
                          struct iip_stack **out)
{
    struct iip_stack *stk;
    int status = iip_stack_cfg_check(cfg, host);
    if (status)
        return status;
    if (cfg->mem_limit && sizeof(*stk) > cfg->mem_limit)
        return IIP_E_NOMEM;
    stk = (struct iip_stack *)host->mem(host->ctx, 0, sizeof(*stk));
    if (!stk)
        return IIP_E_NOMEM;
    IIP_ZERO(stk, sizeof(*stk));
    stk->host = *host;
    stk->mem_used = sizeof(*stk);
    iip_stack_fill(stk, cfg, now);
    if (iip_net_new(stk) || iip_udp_new(stk) || iip_tcp_new(stk)) {
        iip_stack_free(stk);
        return IIP_E_NOMEM;
    }
    *out = stk;
    return IIP_OK;
}

IIP_API void iip_stack_free(struct iip_stack *stk)
{
    struct iip_host host;
    if (!stk)
        return;
    if (stk->tcp)
        iip_tcp_free(stk);
    if (stk->udp)
        iip_udp_free(stk);
    if (stk->net)
        iip_net_free(stk);
    while (stk->tx_count)
        iip_pkt_free(stk, stk->tx[--stk->tx_count]);
    iip_pktq_free(stk, &stk->held);
    iip_pktq_free(stk, &stk->loop);
    iip_pktq_free(stk, &stk->foreign);
    iip_pkt_free_all(stk);
    host = stk->host;
    host.mem(host.ctx, stk, 0);
}

IIP_API iip_u64 iip_stack_mem_used(const struct iip_stack *stk)
{
    return stk->mem_used;
}

/* ==== src/net/ip.c ==== */
/* ip.c - addresses by themselves, and the pseudo-header. */

/* ==== src/net/state.h ==== */
/* state.h - what the files of this room share. */




/* ==== src/net/net.h ==== */
/* net.h - what the transports need of IP. */




struct iip_neigh; /* an entry of the neighbour cache; pinned by those who keep a pointer */

/* How packets reach one destination from one source; kept by a connection. */
struct iip_path {
    struct iip_neigh *neigh; /* null: to ourselves, or at L3 */
    iip_u32 gen;             /* of the addresses, routes and path MTUs that it was found by; output finds an outdated path anew */
    iip_u16 mtu;             /* path MTU as known now */
    iip_u8 loop;             /* the destination is ours */
    iip_u8 valid;
};

/*
 * Finds route and neighbour for `dst`. Where *src is any (of either family) it is chosen (RFC 6724). OK; UNREACHABLE: no
 * route; ADDR_NOT_AVAIL: src is not ours, or none of ours will do; NOMEM. Pins the neighbour. Groups have no neighbour.
 */
IIP_LOCAL int iip_path_find(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path);
/* Finds the path anew if addresses, routes or path MTUs changed since it was found; on failure it stays as it is. */
IIP_LOCAL int iip_path_renew(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                             struct iip_path *path);
IIP_LOCAL void iip_path_drop(struct iip_stack *stk, struct iip_path *path);
/* The transport heard from the other side: the neighbour is reachable (RFC 4861 7.3.1). */
IIP_LOCAL void iip_path_confirm(struct iip_stack *stk, struct iip_path *path);
/* Path MTU to dst, as known now. */
IIP_LOCAL iip_u32 iip_path_mtu(struct iip_stack *stk, const struct iip_ip *dst);

/* Header fields of an outgoing packet. */
struct iip_tx_ip {
    const struct iip_ip *src, *dst;
    iip_u8 family; /* 4 or 6 */
    iip_u8 proto;
    iip_u8 ttl;
    iip_u8 tos;    /* DSCP and ECN */
    iip_u8 df;     /* IPv4: do not fragment; otherwise, and over IPv6, too large a datagram is fragmented */
};

/*
 * Sends an L4 packet (data at the L4 header, writable headroom for the link header and the IP header in front of the first view; total,
 * l4_len and the L4 marks set). Takes it. A TSO packet is never fragmented. Path must be valid.
 */
IIP_LOCAL void iip_ip_output(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                             struct iip_path *path);
/* The same for one packet without a path of its own: routes it first. IIP_OK, or why not (the packet is freed either way). */
IIP_LOCAL int iip_ip_output_once(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip);

/* Pseudo-header sum, not folded, in memory order. */
IIP_LOCAL iip_u64 iip_ip_pseudo(const struct iip_ip *src, const struct iip_ip *dst, iip_u32 family, iip_u32 proto,
                                iip_u32 len);

IIP_LOCAL int iip_addr_is_ours(const struct iip_stack *stk, const struct iip_ip *ip);
/* Multicast, limited or subnet broadcast. */
IIP_LOCAL int iip_addr_is_group(const struct iip_stack *stk, const struct iip_ip *ip);
/* Not any, loopback (unless ours), multicast, limited or subnet broadcast, class E: an address that a peer may have. */
IIP_LOCAL int iip_addr_is_unicast(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_INLINE int iip_ip_same(const struct iip_ip *a, const struct iip_ip *b)
{
    return iip_raw64(a->b) == iip_raw64(b->b) && iip_raw64(a->b + 8) == iip_raw64(b->b + 8);
}
IIP_INLINE int iip_ip_any(const struct iip_ip *ip)
{
    return !(iip_raw64(ip->b) | iip_raw64(ip->b + 8));
}

/* Hands a received packet, whose L4 header is at pkt->data, to the stack that owns its tuple. Takes it: IIP_KEPT. */
IIP_LOCAL iip_verdict iip_rx_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       iip_u32 owner);

/* ICMP or ICMPv6 error about a received packet; obeys the rules on when not to, and the rate limit. */
IIP_LOCAL void iip_icmp_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                    iip_u32 type, iip_u32 code, iip_u32 value);

/* ---- addresses (addr.c, dad.c) ---- */

enum { IIP_ADDR_TENTATIVE = 1, IIP_ADDR_OURS, IIP_ADDR_DUPLICATE };
enum { IIP_V4_SPECIALS = 4, IIP_V6_SPECIALS = 4 };

struct iip_addr;

/* An address that the table knows: one of ours, or the broadcast address of its subnet. */
struct iip_addr_key {
    struct iip_node node;
    struct iip_ip ip;
    struct iip_addr *addr;
};

struct iip_addr {
    struct iip_addr *next; /* in the order in which they were added */
    struct iip_addr_key own;
    struct iip_addr_key broadcast;
    iip_u8 family;
    iip_u8 state;          /* IIP_ADDR_... */
    iip_u8 has_broadcast;
    iip_u8 probes, announced; /* sent so far */
    iip_u8 prefix_len;     /* within the family */
    iip_u64 defended_at;   /* 0: never */
    struct iip_timer timer;
};

/* ---- routes (route.c) ---- */

struct iip_route {
    struct iip_ip dst;
    struct iip_ip gateway;   /* any: on link */
    iip_u8 bits;             /* of dst that count; IPv4 counts from 96 */
    const struct iip_addr *addr; /* the address that brought it; null: added by hand */
};

struct iip_routes {
    struct iip_route *all;   /* longest prefix first */
    iip_u32 count;
    iip_u32 room;
};

/* ---- neighbours (neigh.c) ---- */

enum {
    IIP_NEIGH_INCOMPLETE = 1,
    IIP_NEIGH_REACHABLE,
    IIP_NEIGH_STALE,
    IIP_NEIGH_DELAY,
    IIP_NEIGH_PROBE,
    IIP_NEIGH_FAILED
};
enum { IIP_NEIGH_PENDING_FEW = 16 }; /* packets that wait for one neighbour when half of all places are taken */

struct iip_neigh {
    struct iip_node node;
    iip_u64 fresh_until;     /* its station address holds without question before this time */
    iip_u8 head[16];         /* the link header of packets to it: IIP_ETH_LEN bytes */
    struct iip_ip ip;
    iip_u8 state;            /* IIP_NEIGH_... */
    iip_u8 permanent;
    iip_u16 asked;           /* solicitations of this round */
    iip_u32 pins;            /* paths that point here */
    iip_u64 asked_at;        /* 0: never */
    struct iip_neigh *prev, *next; /* those that may be evicted, least recently used first */
    struct iip_timer timer;
    struct iip_pktq queue;   /* IP packets that wait for its station address */
};

struct iip_neighs {
    struct iip_table table;
    struct iip_neigh *oldest, *newest;
    iip_u32 pending;
};

/* ---- reassembly (reass.c) ---- */

enum { IIP_REASS_SOURCES = 64, IIP_REASS_FRAGMENTS = 256 };

struct iip_reass; /* a datagram that is not whole */

struct iip_reass_source { /* what sources that hash alike hold */
    iip_u32 bytes, datagrams;
};

struct iip_reassembly {
    struct iip_table table;
    struct iip_reass *oldest, *newest;
    struct iip_reass *spare;
    iip_u32 bytes;
    struct iip_reass_source source[IIP_REASS_SOURCES];
};

/* A fragment's place. The packet's data stands at the fragment's payload, the IP header l3_len bytes in front. */
struct iip_frag {
    const struct iip_ip *src, *dst;
    iip_u32 id;
    iip_u32 offset, len;     /* bytes */
    iip_u32 max;             /* bytes that the whole may have behind this header */
    iip_u32 l3_len;
    iip_u16 frag_at, next_at; /* IPv6: offsets of the fragment header, and of the field that names it */
    iip_u8 more, proto, family;
    iip_u8 multicast;
};

/* ---- path MTU (pmtu.c) ---- */

enum { IIP_PMTU_MAX = 1024, IIP_PMTU_MIN4 = 552 };

struct iip_pmtu {
    struct iip_node node;
    struct iip_ip ip;
    iip_u32 mtu;
    iip_u64 expires;
    struct iip_pmtu *next;   /* the next younger one */
};

struct iip_pmtus {
    struct iip_table table;
    struct iip_pmtu *oldest, *newest;
    struct iip_timer timer;
};

/* ---- all of it ---- */

enum { IIP_ID_SLOTS = 256, IIP_TELL_SLOTS = 32 };

struct iip_net {
    iip_u32 gen;             /* changes when a path may */
    iip_u32 v4_ours;         /* an address of ours, in memory order: the one that was asked for last */
    iip_u32 v4_special[IIP_V4_SPECIALS]; /* our addresses and broadcasts, which no packet may come from; 0: unused */
    iip_u8 v4_many;          /* there are more than that */
    iip_u8 v6_many;
    iip_u64 v6_special[IIP_V6_SPECIALS]; /* the second halves of our IPv6 addresses */
    struct iip_ip v6_ours;
    struct {
        struct iip_ip src, dst;
        struct iip_path path; /* valid: it is there, and pins its neighbour */
    } recent;                /* the path that was asked for last: a handshake asks for the same one several times */
    struct iip_addr *addr_first;
    struct iip_table addrs;
    struct iip_routes routes;
    struct iip_neighs neighs;
    struct iip_reassembly reassembly;
    struct iip_pmtus pmtus;
    struct iip_bucket icmp_bucket;
    struct iip_bucket tell_bucket[IIP_TELL_SLOTS]; /* by a hash of the address that is told about */
    iip_u32 id[IIP_ID_SLOTS]; /* IP identification, by a hash of source, destination and protocol */
};

IIP_INLINE iip_u32 iip_ip_hash(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 w[4];
    IIP_COPY(w, ip->b, 16);
    return iip_hash_words(&stk->hash_key, w, 4);
}

/* Any of its family: :: or 0.0.0.0. */
IIP_INLINE int iip_ip_unset(const struct iip_ip *ip)
{
    return iip_ip_any(ip) || (iip_ip_is_v4(ip) && !iip_ip_to_v4(ip));
}

IIP_LOCAL int iip_ip_is_loopback(const struct iip_ip *ip);
IIP_LOCAL int iip_ip_is_multicast(const struct iip_ip *ip);
/* Bits that two addresses share from the front. */
IIP_LOCAL iip_u32 iip_ip_common_bits(const struct iip_ip *a, const struct iip_ip *b);

/* addr.c: by exact address, whatever its state; null: not one of ours. */
IIP_LOCAL struct iip_addr *iip_addr_find(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL int iip_addr_is_broadcast(const struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_addr_changed(struct iip_stack *stk); /* an address came, went or became usable */
IIP_LOCAL void iip_addr_free_all(struct iip_stack *stk);
/* An address without probe or announcement. */
IIP_LOCAL int iip_addr_add_quietly(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len,
                                   struct iip_addr **out);
/* A multicast address that every node, or a node with our addresses, listens to. */
IIP_LOCAL int iip_addr_is_joined(const struct iip_stack *stk, const struct iip_ip *ip);
/* The address of ours to send from, to a destination on link or by a gateway [RFC 6724 5]; null: none. */
IIP_LOCAL const struct iip_addr *iip_addr_select(const struct iip_stack *stk, const struct iip_ip *dst,
                                                 const struct iip_ip *hop);

/* dad.c: duplicate detection, announcements, defence. */
IIP_LOCAL void iip_dad_start(struct iip_stack *stk, struct iip_addr *addr);
IIP_LOCAL void iip_dad_timer(struct iip_stack *stk, struct iip_addr *addr);
/* Another station uses or claims the address, as `pkt` says. */
IIP_LOCAL void iip_dad_conflict(struct iip_stack *stk, struct iip_addr *addr, const struct iip_pkt *pkt,
                                const iip_u8 *l3);

/* route.c: OK, with *hop the next hop; or UNREACHABLE. */
IIP_LOCAL int iip_route_find(const struct iip_stack *stk, const struct iip_ip *dst, struct iip_ip *hop);
IIP_LOCAL int iip_route_of_addr(struct iip_stack *stk, const struct iip_addr *addr);
IIP_LOCAL void iip_route_forget_addr(struct iip_stack *stk, const struct iip_addr *addr);
IIP_LOCAL void iip_route_free_all(struct iip_stack *stk);

/* arp.c, ndp.c: what leaves. A null station: to all, or to the solicited-node group. */
IIP_LOCAL void iip_arp_request(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac);
IIP_LOCAL void iip_arp_announce(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_arp_probe(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_ndp_solicit(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac);
IIP_LOCAL void iip_ndp_announce(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_ndp_probe(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL iip_verdict iip_ndp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                    int fragmented);
/* The link header in front of pkt->data, then off with it. */
IIP_LOCAL void iip_eth_output(struct iip_stack *stk, struct iip_pkt *pkt, const iip_u8 *mac, iip_u32 type);
/* tell.c: each of the other stacks with our addresses gets a copy; nothing when it is one itself. `l3`: behind the link header. */
IIP_LOCAL void iip_tell_others(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3,
                               const struct iip_ip *about);
/* It is such a copy: learn from it, but do not answer. */
IIP_LOCAL int iip_rx_is_told(const struct iip_pkt *pkt);
/* Our own station sent it. */
IIP_LOCAL int iip_neigh_is_echo(const struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3);

/* neigh.c */
IIP_LOCAL int iip_neigh_init(struct iip_stack *stk);
IIP_LOCAL void iip_neigh_free_all(struct iip_stack *stk);
IIP_LOCAL struct iip_neigh *iip_neigh_find(const struct iip_stack *stk, const struct iip_ip *ip);
/* Finds or makes an entry and pins it; null: no memory. */
IIP_LOCAL struct iip_neigh *iip_neigh_pin(struct iip_stack *stk, const struct iip_ip *ip);
IIP_LOCAL void iip_neigh_unpin(struct iip_stack *stk, struct iip_neigh *neigh);
/* Sends an IP packet to a neighbour in whatever state it is. Takes it. */
IIP_LOCAL void iip_neigh_output(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt);
/* What ARP heard: `reply` to us; `ask`: it asked for us, so an entry is worth its memory. 1 when something came of it. */
IIP_LOCAL int iip_neigh_heard_arp(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac, int reply,
                                  int ask);
/* 1 when that changed something. */
IIP_LOCAL int iip_neigh_heard_ns(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac);
IIP_LOCAL int iip_neigh_heard_na(struct iip_stack *stk, const struct iip_ndp *ndp);

/* reass.c: takes a fragment. The whole datagram, with *f that of its first fragment; or null, and what became of the fragment. */
IIP_LOCAL int iip_reass_init(struct iip_stack *stk);
IIP_LOCAL void iip_reass_free_all(struct iip_stack *stk);
IIP_LOCAL struct iip_pkt *iip_reass_add(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_frag *f,
                                        iip_verdict *verdict);

/* pmtu.c */
IIP_LOCAL int iip_pmtu_init(struct iip_stack *stk);
IIP_LOCAL void iip_pmtu_free_all(struct iip_stack *stk);
IIP_LOCAL void iip_pmtu_timer(struct iip_stack *stk);
/* 1 when it is news. */
IIP_LOCAL int iip_pmtu_learn(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 mtu);

/* icmp.c, icmp_error.c */
IIP_LOCAL iip_verdict iip_icmp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
IIP_LOCAL iip_verdict iip_icmpv6_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       int fragmented);
IIP_LOCAL iip_verdict iip_icmp_error_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx);
/* A packet of ours could not be sent: its transport is told as if a router had said so. */
IIP_LOCAL void iip_icmp_tell_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt);

/* input.c: what IPv4 and IPv6 input share. */
/* The first `want` bytes in one view; the packet itself when they are; null, and the packet untouched, without a frame. */
IIP_LOCAL struct iip_pkt *iip_rx_pull(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 want);
/* Counts and frees a packet that is not the one that rx.c knows; the answer for rx.c. */
IIP_LOCAL iip_verdict iip_rx_settle(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict);

/* output.c: sums the transport's checksum that was left to the port. */
IIP_LOCAL void iip_ip_csum_finish(struct iip_pkt *pkt, const struct iip_tx_ip *ip);
/* fragment.c: sends a datagram in pieces that fit `mtu`; sends each by `send`. */
IIP_LOCAL void iip_ip_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path);
/* output.c: an IP packet, complete from its header on, to where the path says. */
IIP_LOCAL void iip_ip_send(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_path *path,
                           const struct iip_ip *dst);
IIP_LOCAL iip_u32 iip_ip_next_id(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                                 iip_u32 proto);

/* ---- IPv4 input, where it is short ---- */
/* What the header at p says, of a packet from the wire to one station. */
IIP_INLINE void iip_ipv4_fill(struct iip_rx *rx, const iip_u8 *p, iip_u32 hdr_len)
{
    iip_ip_of_v4(&rx->src, iip_raw32(p + 12));
    iip_ip_of_v4(&rx->dst, iip_raw32(p + 16));
    rx->l3 = p;
    rx->l3_len = hdr_len;
    rx->family = 4;
    rx->tos = p[1];
    rx->ttl = p[8];
    rx->proto = p[9];
    rx->multicast = 0;
    rx->looped = 0;
}

/* None of ours, and of a class that hosts have. The address that came in last is as good as a table. */
IIP_INLINE int iip_ipv4_addrs_plain(const struct iip_net *net, const iip_u8 *p)
{
    iip_u32 src = iip_raw32(p + 12);
    const iip_u32 *special = net->v4_special;
    return iip_raw32(p + 16) == net->v4_ours && net->v4_ours && !net->v4_many && (iip_u8)(p[12] - 1) < 223 &&
        p[12] != 127 && src != special[0] && src != special[1] && src != special[2] && src != special[3];
}

IIP_API void iip_ip_v4(struct iip_ip *ip, iip_u8 a, iip_u8 b, iip_u8 c, iip_u8 d)
{
    iip_ip_of_v4(ip, 0);
    ip->b[12] = a;
    ip->b[13] = b;
    ip->b[14] = c;
    ip->b[15] = d;
}

IIP_API int iip_ip_is_v4(const struct iip_ip *ip)
{
    return !iip_raw64(ip->b) && iip_get32(ip->b + 8) == 0xffff;
}

IIP_LOCAL int iip_ip_is_loopback(const struct iip_ip *ip)
{
    if (iip_ip_is_v4(ip))
        return ip->b[12] == 127;
    return !iip_raw64(ip->b) && !iip_get32(ip->b + 8) && iip_get32(ip->b + 12) == 1;
}

IIP_LOCAL int iip_ip_is_multicast(const struct iip_ip *ip)
{
    return iip_ip_is_v4(ip) ? ip->b[12] >> 4 == 14 : iip_ip_is_multicast6(ip);
}

/* By words, then within the word that differs. */
IIP_LOCAL iip_u32 iip_ip_common_bits(const struct iip_ip *a, const struct iip_ip *b)
{
    iip_u32 bits = 0;
    iip_u32 diff = 0;
    for (; bits < 128 && !diff; bits += 32)
        diff = iip_get32(a->b + bits / 8) ^ iip_get32(b->b + bits / 8);
    for (; diff; diff >>= 1)
        bits--;
    return bits;
}

IIP_LOCAL iip_u64 iip_ip_pseudo(const struct iip_ip *src, const struct iip_ip *dst, iip_u32 family, iip_u32 proto,
                                iip_u32 len)
{
    iip_u64 sum = iip_csum_word(proto) + iip_csum_word(len & 0xffff) + iip_csum_word(len >> 16);
    if (IIP_LIKELY(family == 4))
        return sum + iip_ip_to_v4(src) + iip_ip_to_v4(dst);
    sum = iip_csum_add(sum, iip_raw64(src->b));
    sum = iip_csum_add(sum, iip_raw64(src->b + 8));
    sum = iip_csum_add(sum, iip_raw64(dst->b));
    return iip_csum_add(sum, iip_raw64(dst->b + 8));
}

/* ==== src/net/addr.c ==== */
/* addr.c - the addresses of a stack, and which of them to send from. */

/* ---- the table ---- */

static struct iip_addr_key *iip_addr_key_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 hash = iip_ip_hash(stk, ip);
    struct iip_node *node = *iip_table_bucket(&stk->net->addrs, hash);
    struct iip_addr_key *key;
    for (; node; node = node->next) {
        key = IIP_OUTER(node, struct iip_addr_key, node);
        if (node->hash == hash && iip_ip_same(&key->ip, ip))
            return key;
    }
    return 0;
}

IIP_LOCAL struct iip_addr *iip_addr_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_addr_key *key = iip_addr_key_find(stk, ip);
    return key && key == &key->addr->own ? key->addr : 0;
}

IIP_LOCAL int iip_addr_is_ours(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr *addr = iip_addr_find(stk, ip);
    return addr && addr->state == IIP_ADDR_OURS;
}

IIP_LOCAL int iip_addr_is_broadcast(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr_key *key;
    if (!iip_ip_is_v4(ip))
        return 0;
    if (iip_ip_to_v4(ip) == 0xffffffffU)
        return 1;
    key = iip_addr_key_find(stk, ip);
    return key && key == &key->addr->broadcast;
}

IIP_LOCAL int iip_addr_is_group(const struct iip_stack *stk, const struct iip_ip *ip)
{
    return iip_ip_is_multicast(ip) || iip_addr_is_broadcast(stk, ip);
}

/* [RFC 1122 3.2.1.3] Who may be a peer. */
IIP_LOCAL int iip_addr_is_unicast(const struct iip_stack *stk, const struct iip_ip *ip)
{
    if (iip_ip_is_loopback(ip))
        return iip_addr_is_ours(stk, ip);
    if (!iip_ip_is_v4(ip)) /* ::/96 was for IPv4-compatible addresses, which nobody may have any more [RFC 4291 2.5.5.1] */
        return !iip_ip_is_multicast6(ip) && (iip_raw64(ip->b) || iip_get32(ip->b + 8));
    if (!ip->b[12] || ip->b[12] >= 224)
        return 0;
    return !iip_addr_is_broadcast(stk, ip);
}

IIP_LOCAL int iip_addr_is_joined(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr *addr;
    struct iip_ip group;
    if (iip_ip_is_v4(ip))
        return iip_get32(ip->b + 12) == 0xe0000001U; /* 224.0.0.1, all systems */
    iip_ip_all_nodes(&group);
    if (iip_ip_same(ip, &group))
        return 1;
    for (addr = stk->net->addr_first; addr; addr = addr->next) {
        iip_ip_solicited_node(&group, &addr->own.ip);
        if (addr->family == 6 && addr->state != IIP_ADDR_DUPLICATE && iip_ip_same(ip, &group))
            return 1;
    }
    return 0;
}

/* ---- what the fast path of input compares with ---- */

static void iip_addr_note_special4(struct iip_net *net, iip_u32 raw)
{
    iip_u32 i;
    for (i = 0; i < IIP_V4_SPECIALS; i++) {
        if (!net->v4_special[i] || net->v4_special[i] == raw) {
            net->v4_special[i] = raw;
            return;
        }
    }
    net->v4_many = 1;
}

static void iip_addr_note_special6(struct iip_net *net, iip_u64 half)
{
    iip_u32 i;
    for (i = 0; i < IIP_V6_SPECIALS; i++) {
        if (!net->v6_special[i] || net->v6_special[i] == half) {
            net->v6_special[i] = half;
            return;
        }
    }
    net->v6_many = 1;
}

static void iip_addr_note_fast(struct iip_net *net, const struct iip_addr *addr)
{
    if (addr->family == 4) {
        iip_addr_note_special4(net, iip_ip_to_v4(&addr->own.ip));
        if (addr->has_broadcast)
            iip_addr_note_special4(net, iip_ip_to_v4(&addr->broadcast.ip));
        if (addr->state == IIP_ADDR_OURS && !iip_ip_is_loopback(&addr->own.ip))
            net->v4_ours = iip_ip_to_v4(&addr->own.ip);
        return;
    }
    iip_addr_note_special6(net, iip_raw64(addr->own.ip.b + 8));
    if (addr->state == IIP_ADDR_OURS && !iip_ip_is_loopback(&addr->own.ip))
        net->v6_ours = addr->own.ip;
}

IIP_LOCAL void iip_addr_changed(struct iip_stack *stk)
{
    struct iip_net *net = stk->net;
    const struct iip_addr *addr;
    net->gen++;
    net->v4_ours = 0;
    net->v4_many = 0;
    net->v6_many = 0;
    IIP_ZERO(net->v4_special, sizeof(net->v4_special));
    IIP_ZERO(net->v6_special, sizeof(net->v6_special));
    IIP_ZERO(&net->v6_ours, sizeof(net->v6_ours));
    for (addr = net->addr_first; addr; addr = addr->next)
        iip_addr_note_fast(net, addr);
}

/* ---- adding and removing ---- */

static int iip_addr_check(const struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len)
{
    if (prefix_len > (iip_ip_is_v4(ip) ? 32U : 128U) || iip_ip_unset(ip) || iip_ip_is_multicast(ip))
        return IIP_E_INVAL;
    if (iip_ip_is_v4(ip) && ip->b[12] >= 224)
        return IIP_E_INVAL;
    return iip_addr_find(stk, ip) ? IIP_E_EXISTS : IIP_OK;
}

/* The last address of the subnet; /31 and /32 have none [RFC 3021]. */
static void iip_addr_set_broadcast(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 host_bits = 32 - (iip_u32)addr->prefix_len;
    if (addr->family != 4 || host_bits < 2 || host_bits > 31 || iip_ip_is_loopback(&addr->own.ip))
        return;
    addr->broadcast.ip = addr->own.ip;
    iip_put32(addr->broadcast.ip.b + 12, iip_get32(addr->own.ip.b + 12) | (((iip_u32)1 << host_bits) - 1));
    if (iip_ip_same(&addr->broadcast.ip, &addr->own.ip))
        return;
    addr->has_broadcast = 1;
    addr->broadcast.addr = addr;
    addr->broadcast.node.hash = iip_ip_hash(stk, &addr->broadcast.ip);
    iip_table_add(&stk->net->addrs, &addr->broadcast.node);
}

static void iip_addr_link(struct iip_stack *stk, struct iip_addr *addr)
{
    struct iip_addr **link = &stk->net->addr_first;
    while (*link)
        link = &(*link)->next;
    *link = addr;
    addr->own.addr = addr;
    addr->own.node.hash = iip_ip_hash(stk, &addr->own.ip);
    iip_table_add(&stk->net->addrs, &addr->own.node);
    iip_addr_set_broadcast(stk, addr);
}

IIP_LOCAL int iip_addr_add_quietly(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len,
                                   struct iip_addr **out)
{
    struct iip_addr *addr;
    int status = iip_addr_check(stk, ip, prefix_len);
    if (status)
        return status;
    addr = (struct iip_addr *)iip_mem_zalloc(stk, sizeof(*addr));
    if (!addr)
        return IIP_E_NOMEM;
    addr->own.ip = *ip;
    addr->family = iip_ip_is_v4(ip) ? 4 : 6;
    addr->prefix_len = (iip_u8)prefix_len;
    addr->state = IIP_ADDR_OURS;
    addr->timer.kind = IIP_TIMER_NET;
    status = iip_route_of_addr(stk, addr);
    if (status) {
        iip_mem_free(stk, addr, sizeof(*addr));
        return status;
    }
    iip_addr_link(stk, addr);
    iip_addr_changed(stk);
    *out = addr;
    return IIP_OK;
}

IIP_API int iip_stack_addr_add(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len)
{
    struct iip_addr *addr;
    int status = iip_addr_add_quietly(stk, ip, prefix_len, &addr);
    if (status)
        return status;
    if (stk->l2_len && !iip_ip_is_loopback(ip))
        iip_dad_start(stk, addr);
    return IIP_OK;
}

static void iip_addr_destroy(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_wheel_cancel(&stk->wheel, &addr->timer);
    iip_table_del(&stk->net->addrs, &addr->own.node);
    if (addr->has_broadcast)
        iip_table_del(&stk->net->addrs, &addr->broadcast.node);
    iip_mem_free(stk, addr, sizeof(*addr));
}

IIP_API int iip_stack_addr_del(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_addr *addr = iip_addr_find(stk, ip);
    struct iip_addr **link = &stk->net->addr_first;
    if (!addr)
        return IIP_E_NOT_FOUND;
    while (*link != addr)
        link = &(*link)->next;
    *link = addr->next;
    iip_route_forget_addr(stk, addr);
    iip_addr_destroy(stk, addr);
    iip_addr_changed(stk);
    return IIP_OK;
}

IIP_LOCAL void iip_addr_free_all(struct iip_stack *stk)
{
    struct iip_addr *addr;
    while ((addr = stk->net->addr_first) != 0) {
        stk->net->addr_first = addr->next;
        iip_addr_destroy(stk, addr);
    }
}

/* ---- source address selection [RFC 6724 5] ---- */

enum { IIP_SCOPE_LINK = 2, IIP_SCOPE_GLOBAL = 14 };

static iip_u32 iip_addr_scope(const struct iip_ip *ip)
{
    if (iip_ip_is_loopback(ip))
        return IIP_SCOPE_LINK;
    if (iip_ip_is_v4(ip)) {
        if (ip->b[12] >> 4 == 14)
            return ip->b[12] == 224 && !ip->b[13] && !ip->b[14] ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
        return ip->b[12] == 169 && ip->b[13] == 254 ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
    }
    if (iip_ip_is_multicast6(ip))
        return (iip_u32)ip->b[1] & 15;
    return iip_ip_is_link_local6(ip) ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
}

/* Rule 2: the smallest scope that still reaches the destination; failing that, the largest. */
static int iip_addr_scope_better(iip_u32 a, iip_u32 b, iip_u32 dst)
{
    return a < b ? a >= dst : b < dst;
}

/* Bits in common with the destination, but no more than the address's own prefix has [RFC 6724 2.2]. */
static iip_u32 iip_addr_match(const struct iip_addr *addr, const struct iip_ip *ip)
{
    return iip_min32(iip_ip_common_bits(&addr->own.ip, ip), (iip_u32)addr->prefix_len + (addr->family == 4 ? 96 : 0));
}

static int iip_addr_better(const struct iip_addr *a, const struct iip_addr *b, const struct iip_ip *dst,
                           const struct iip_ip *hop)
{
    iip_u32 scope_a = iip_addr_scope(&a->own.ip);
    iip_u32 scope_b = iip_addr_scope(&b->own.ip);
    if (scope_a != scope_b)
        return iip_addr_scope_better(scope_a, scope_b, iip_addr_scope(dst));
    if (iip_addr_match(a, hop) != iip_addr_match(b, hop)) /* on the next hop's own subnet [RFC 1122 3.3.4.3] */
        return iip_addr_match(a, hop) > iip_addr_match(b, hop);
    return iip_addr_match(a, dst) > iip_addr_match(b, dst); /* rule 8 */
}

IIP_LOCAL const struct iip_addr *iip_addr_select(const struct iip_stack *stk, const struct iip_ip *dst,
                                                 const struct iip_ip *hop)
{
    iip_u32 family = iip_ip_is_v4(dst) ? 4 : 6;
    const struct iip_addr *best = 0;
    const struct iip_addr *addr;
    for (addr = stk->net->addr_first; addr; addr = addr->next) {
        if (addr->family != family || addr->state != IIP_ADDR_OURS || iip_ip_is_loopback(&addr->own.ip))
            continue;
        if (!best || iip_addr_better(addr, best, dst, hop))
            best = addr;
    }
    return best;
}

/* ==== src/net/dad.c ==== */
/* dad.c - is an address free, and who else claims it [RFC 5227; RFC 4862 5.4]. */

enum {
    IIP_DAD_PROBES4 = 3,            /* RFC 5227 1.1: PROBE_NUM */
    IIP_DAD_PROBES6 = 1,            /* RFC 4862 5.1: DupAddrDetectTransmits */
    IIP_DAD_ANNOUNCEMENTS = 2,      /* ANNOUNCE_NUM */
    IIP_DAD_SECOND_US = 1000000,    /* PROBE_WAIT, PROBE_MIN, PROBE_MAX - PROBE_MIN, RetransTimer */
    IIP_DAD_WAIT_US = 2000000,      /* ANNOUNCE_WAIT, ANNOUNCE_INTERVAL */
    IIP_DAD_DEFEND_US = 10000000    /* DEFEND_INTERVAL */
};

static void iip_dad_arm(struct iip_stack *stk, struct iip_addr *addr, iip_u64 in_us)
{
    iip_wheel_set(&stk->wheel, &addr->timer, stk->now + in_us);
}

static iip_u64 iip_dad_jitter(struct iip_stack *stk)
{
    return (iip_u32)iip_rand(&stk->rng) % IIP_DAD_SECOND_US;
}

static void iip_dad_announce(struct iip_stack *stk, struct iip_addr *addr)
{
    addr->announced++;
    if (addr->family == 4)
        iip_arp_announce(stk, &addr->own.ip);
    else
        iip_ndp_announce(stk, &addr->own.ip);
}

/* Without probing one announcement is enough: it mends what neighbours remember. IPv6 neighbours find out by themselves [RFC 4861 7.2.6]. */
IIP_LOCAL void iip_dad_start(struct iip_stack *stk, struct iip_addr *addr)
{
    if (!stk->tune.dad) {
        if (addr->family == 4)
            iip_dad_announce(stk, addr);
        return;
    }
    addr->state = IIP_ADDR_TENTATIVE;
    iip_addr_changed(stk);
    iip_dad_arm(stk, addr, iip_dad_jitter(stk));
}

static void iip_dad_probe(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 probes = addr->family == 4 ? IIP_DAD_PROBES4 : IIP_DAD_PROBES6;
    addr->probes++;
    if (addr->family == 4)
        iip_arp_probe(stk, &addr->own.ip);
    else
        iip_ndp_probe(stk, &addr->own.ip);
    if (addr->probes < probes)
        iip_dad_arm(stk, addr, IIP_DAD_SECOND_US + iip_dad_jitter(stk));
    else
        iip_dad_arm(stk, addr, addr->family == 4 ? IIP_DAD_WAIT_US : IIP_DAD_SECOND_US);
}

IIP_LOCAL void iip_dad_timer(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 probes = addr->family == 4 ? IIP_DAD_PROBES4 : IIP_DAD_PROBES6;
    if (addr->state == IIP_ADDR_TENTATIVE && addr->probes < probes) {
        iip_dad_probe(stk, addr);
        return;
    }
    if (addr->state == IIP_ADDR_TENTATIVE) {
        addr->state = IIP_ADDR_OURS;
        iip_addr_changed(stk);
    }
    if (addr->family == 6)
        return;
    iip_dad_announce(stk, addr);
    if (addr->announced < IIP_DAD_ANNOUNCEMENTS)
        iip_dad_arm(stk, addr, IIP_DAD_WAIT_US);
}

/*
 * [RFC 5227 2.4 (c)] An address in use is kept and defended, once in ten seconds, by the stack that heard it; one not
 * yet in use is given up by all that share it.
 */
IIP_LOCAL void iip_dad_conflict(struct iip_stack *stk, struct iip_addr *addr, const struct iip_pkt *pkt,
                                const iip_u8 *l3)
{
    if (iip_rx_is_told(pkt) && addr->state != IIP_ADDR_TENTATIVE)
        return;
    iip_count(stk, IIP_CTR_ADDR_CONFLICT);
    if (addr->state == IIP_ADDR_TENTATIVE) {
        iip_tell_others(stk, pkt, l3, &addr->own.ip);
        addr->state = IIP_ADDR_DUPLICATE;
        iip_wheel_cancel(&stk->wheel, &addr->timer);
        iip_addr_changed(stk);
        return;
    }
    if (addr->state != IIP_ADDR_OURS || (addr->defended_at && stk->now - addr->defended_at < IIP_DAD_DEFEND_US))
        return;
    addr->defended_at = stk->now ? stk->now : 1;
    iip_dad_announce(stk, addr);
}

/* ==== src/net/route.c ==== */
/* route.c - static routes, the longest prefix first. */

static int iip_route_matches(const struct iip_route *route, const struct iip_ip *dst)
{
    iip_u32 words = route->bits / 32u;
    iip_u32 i;
    for (i = 0; i < words; i++) {
        if (iip_raw32(route->dst.b + 4 * i) != iip_raw32(dst->b + 4 * i))
            return 0;
    }
    return words == 4 ||
        !((iip_get32(route->dst.b + 4 * words) ^ iip_get32(dst->b + 4 * words)) & ~(0xffffffffU >> (route->bits & 31)));
}

/* IPv4 destinations count from bit 96, so ::/0 would match them too: families are kept apart. */
static int iip_route_is_family(const struct iip_route *route, int v4)
{
    return iip_ip_is_v4(&route->dst) == v4;
}

IIP_LOCAL int iip_route_find(const struct iip_stack *stk, const struct iip_ip *dst, struct iip_ip *hop)
{
    const struct iip_routes *routes = &stk->net->routes;
    int v4 = iip_ip_is_v4(dst);
    iip_u32 i;
    for (i = 0; i < routes->count; i++) {
        if (!iip_route_is_family(&routes->all[i], v4) || !iip_route_matches(&routes->all[i], dst))
            continue;
        *hop = iip_ip_any(&routes->all[i].gateway) ? *dst : routes->all[i].gateway;
        return IIP_OK;
    }
    *hop = *dst;
    if (!stk->l2_len) /* at L3 there is one wire, and who is at its end is not ours to know */
        return IIP_OK;
    if (!v4 && iip_ip_is_link_local6(dst))
        return IIP_OK;
    return IIP_E_NET_UNREACHABLE;
}

static int iip_routes_grow(struct iip_stack *stk)
{
    struct iip_routes *routes = &stk->net->routes;
    iip_u32 room = routes->room ? routes->room * 2 : 8;
    struct iip_route *all;
    if (routes->count < routes->room)
        return IIP_OK;
    all = (struct iip_route *)iip_mem_alloc(stk, room * sizeof(*all));
    if (!all)
        return IIP_E_NOMEM;
    if (routes->count)
        IIP_COPY(all, routes->all, routes->count * sizeof(*all));
    iip_mem_free(stk, routes->all, routes->room * sizeof(*all));
    routes->all = all;
    routes->room = room;
    return IIP_OK;
}

static int iip_route_insert(struct iip_stack *stk, const struct iip_route *route)
{
    struct iip_routes *routes = &stk->net->routes;
    iip_u32 i;
    if (iip_routes_grow(stk))
        return IIP_E_NOMEM;
    for (i = routes->count; i > 0 && routes->all[i - 1].bits < route->bits; i--)
        routes->all[i] = routes->all[i - 1];
    routes->all[i] = *route;
    routes->count++;
    stk->net->gen++;
    return IIP_OK;
}

static void iip_route_remove(struct iip_stack *stk, iip_u32 i)
{
    struct iip_routes *routes = &stk->net->routes;
    for (routes->count--; i < routes->count; i++)
        routes->all[i] = routes->all[i + 1];
    stk->net->gen++;
}

/* Bits beyond the prefix do not count, so they are not kept. */
static void iip_route_mask(struct iip_route *route)
{
    iip_u32 byte = route->bits / 8u;
    if (byte < 16) {
        route->dst.b[byte] &= (iip_u8)(0xff00 >> (route->bits & 7));
        for (byte++; byte < 16; byte++)
            route->dst.b[byte] = 0;
    }
}

/* The route that was added by hand, or that an address brought. */
static iip_u32 iip_route_index(const struct iip_stack *stk, const struct iip_route *route)
{
    const struct iip_routes *routes = &stk->net->routes;
    iip_u32 i;
    for (i = 0; i < routes->count; i++) {
        if (routes->all[i].bits == route->bits && iip_ip_same(&routes->all[i].dst, &route->dst) &&
            routes->all[i].addr == route->addr)
            break;
    }
    return i;
}

static int iip_route_make(struct iip_route *route, const struct iip_ip *dst, iip_u32 prefix_len,
                          const struct iip_ip *gateway)
{
    int v4 = iip_ip_is_v4(dst);
    if (prefix_len > (v4 ? 32U : 128U))
        return IIP_E_INVAL;
    route->dst = *dst;
    route->bits = (iip_u8)(prefix_len + (v4 ? 96 : 0));
    route->addr = 0;
    iip_route_mask(route);
    IIP_ZERO(&route->gateway, sizeof(route->gateway));
    if (!gateway || iip_ip_unset(gateway))
        return IIP_OK;
    if (iip_ip_is_v4(gateway) != v4 || iip_ip_is_multicast(gateway))
        return IIP_E_INVAL;
    route->gateway = *gateway;
    return IIP_OK;
}

IIP_LOCAL int iip_route_of_addr(struct iip_stack *stk, const struct iip_addr *addr)
{
    struct iip_route route;
    if (iip_ip_is_loopback(&addr->own.ip)) /* 127/8 is never on a wire [RFC 1122 3.2.1.3] */
        return IIP_OK;
    iip_route_make(&route, &addr->own.ip, addr->prefix_len, 0);
    route.addr = addr;
    return iip_route_insert(stk, &route);
}

IIP_LOCAL void iip_route_forget_addr(struct iip_stack *stk, const struct iip_addr *addr)
{
    iip_u32 i;
    for (i = stk->net->routes.count; i-- > 0;) {
        if (stk->net->routes.all[i].addr == addr)
            iip_route_remove(stk, i);
    }
}

IIP_LOCAL void iip_route_free_all(struct iip_stack *stk)
{
    iip_mem_free(stk, stk->net->routes.all, stk->net->routes.room * sizeof(struct iip_route));
}

IIP_API int iip_stack_route_add(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len,
                                const struct iip_ip *gateway)
{
    struct iip_route route;
    if (iip_route_make(&route, dst, prefix_len, gateway))
        return IIP_E_INVAL;
    if (iip_route_index(stk, &route) < stk->net->routes.count)
        return IIP_E_EXISTS;
    return iip_route_insert(stk, &route);
}

IIP_API int iip_stack_route_del(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len)
{
    struct iip_route route;
    iip_u32 i;
    if (iip_route_make(&route, dst, prefix_len, 0))
        return IIP_E_INVAL;
    i = iip_route_index(stk, &route);
    if (i == stk->net->routes.count)
        return IIP_E_NOT_FOUND;
    iip_route_remove(stk, i);
    return IIP_OK;
}

/* ==== src/net/neigh.c ==== */
/*
 * neigh.c - the neighbour cache for ARP and neighbour discovery [RFC 4861 7.3; RFC 1122 2.3.2].
 *
 * A confirmed entry is trusted until fresh_until, which is all that the fast path looks at; no timer runs meanwhile.
 * The first packet after that makes it DELAY, then PROBE, unless the transport confirms it. Entries that no path pins
 * stand on a list, least recently used first, and the limit evicts from near its front.
 */

enum { IIP_NEIGH_DELAY_US = 5000000 }; /* DELAY_FIRST_PROBE_TIME */

/* ---- the list of those that may go ---- */

static void iip_neigh_list(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->permanent || neigh->pins)
        return;
    neigh->next = 0;
    neigh->prev = cache->newest;
    if (cache->newest)
        cache->newest->next = neigh;
    else
        cache->oldest = neigh;
    cache->newest = neigh;
}

static void iip_neigh_unlist(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->permanent || neigh->pins)
        return;
    if (neigh->prev)
        neigh->prev->next = neigh->next;
    else
        cache->oldest = neigh->next;
    if (neigh->next)
        neigh->next->prev = neigh->prev;
    else
        cache->newest = neigh->prev;
}

/* ---- the table ---- */

IIP_LOCAL int iip_neigh_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->neighs.table, &mem);
}

IIP_LOCAL struct iip_neigh *iip_neigh_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 hash = iip_ip_hash(stk, ip);
    struct iip_node *node = *iip_table_bucket(&stk->net->neighs.table, hash);
    struct iip_neigh *neigh;
    for (; node; node = node->next) {
        neigh = IIP_OUTER(node, struct iip_neigh, node);
        if (node->hash == hash && iip_ip_same(&neigh->ip, ip))
            return neigh;
    }
    return 0;
}

static struct iip_pkt *iip_neigh_dequeue(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt = iip_pktq_get(&neigh->queue);
    if (pkt)
        stk->net->neighs.pending--;
    return pkt;
}

static void iip_neigh_drop_queue(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_neigh_dequeue(stk, neigh)) != 0) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
    }
}

static void iip_neigh_destroy(struct iip_stack *stk, struct iip_neigh *neigh)
{
    iip_neigh_drop_queue(stk, neigh);
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    iip_neigh_unlist(stk, neigh);
    iip_table_del(&stk->net->neighs.table, &neigh->node);
    iip_mem_free(stk, neigh, sizeof(*neigh));
}

IIP_LOCAL void iip_neigh_free_all(struct iip_stack *stk)
{
    struct iip_node *node = iip_table_next(&stk->net->neighs.table, 0);
    struct iip_node *next;
    for (; node; node = next) {
        next = iip_table_next(&stk->net->neighs.table, node);
        iip_neigh_destroy(stk, IIP_OUTER(node, struct iip_neigh, node));
    }
    iip_table_free(&stk->net->neighs.table);
}

enum { IIP_NEIGH_LOOK = 16 };

/* Who goes: of the least recently used ones the first that leads nowhere, so that a flood of names does not displace neighbours. */
static struct iip_neigh *iip_neigh_victim(const struct iip_neighs *cache)
{
    struct iip_neigh *neigh = cache->oldest;
    iip_u32 i;
    for (i = 0; neigh && i < IIP_NEIGH_LOOK; i++, neigh = neigh->next) {
        if (neigh->state == IIP_NEIGH_INCOMPLETE || neigh->state == IIP_NEIGH_FAILED)
            return neigh;
    }
    return cache->oldest;
}

/* A new entry, FAILED until someone asks. Entries that a path pins are beyond the limit: whoever pins them is limited. */
static struct iip_neigh *iip_neigh_make(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_neighs *cache = &stk->net->neighs;
    struct iip_neigh *neigh = iip_neigh_victim(cache);
    if (neigh && cache->table.count >= stk->tune.neigh_entries)
        iip_neigh_destroy(stk, neigh);
    neigh = (struct iip_neigh *)iip_mem_zalloc(stk, sizeof(*neigh));
    if (!neigh)
        return 0;
    neigh->ip = *ip;
    neigh->state = IIP_NEIGH_FAILED;
    neigh->timer.kind = IIP_TIMER_NEIGH;
    neigh->node.hash = iip_ip_hash(stk, ip);
    iip_put16(neigh->head + 12, iip_ip_is_v4(ip) ? IIP_ETH_IPV4 : IIP_ETH_IPV6);
    IIP_COPY(neigh->head + 6, stk->mac, 6);
    iip_table_add(&cache->table, &neigh->node);
    iip_neigh_list(stk, neigh);
    return neigh;
}

IIP_LOCAL struct iip_neigh *iip_neigh_pin(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh)
        return 0;
    iip_neigh_unlist(stk, neigh);
    neigh->pins++;
    return neigh;
}

IIP_LOCAL void iip_neigh_unpin(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_neighs *cache = &stk->net->neighs;
    neigh->pins--;
    iip_neigh_list(stk, neigh);
    if (cache->table.count > stk->tune.neigh_entries && cache->oldest)
        iip_neigh_destroy(stk, iip_neigh_victim(cache));
}

/* A station address is known now. */
static void iip_neigh_flush(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    while ((pkt = iip_neigh_dequeue(stk, neigh)) != 0)
        iip_neigh_output(stk, neigh, pkt);
}

IIP_API int iip_stack_neigh_add(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 mac[6])
{
    struct iip_neigh *neigh;
    if (!stk->l2_len || (mac[0] & 1) || iip_ip_unset(ip) || iip_ip_is_multicast(ip))
        return IIP_E_INVAL;
    neigh = iip_neigh_find(stk, ip);
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh)
        return IIP_E_NOMEM;
    iip_neigh_unlist(stk, neigh);
    neigh->permanent = 1;
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    IIP_COPY(neigh->head, mac, 6);
    neigh->state = IIP_NEIGH_REACHABLE;
    neigh->fresh_until = IIP_NEVER;
    iip_neigh_flush(stk, neigh);
    return IIP_OK;
}

/* ---- states ---- */

static int iip_neigh_is_fresh(const struct iip_stack *stk, const struct iip_neigh *neigh)
{
    return stk->now < neigh->fresh_until;
}

/* Asks once, and again at the next expiry: at most one question per neighbour and neigh.retry_us [RFC 1122 2.3.2.1]. */
static void iip_neigh_ask(struct iip_stack *stk, struct iip_neigh *neigh)
{
    int v4 = iip_ip_is_v4(&neigh->ip);
    /* a probe goes to the station itself; with ARP only the first does, so that a station that moved is found soon */
    int direct = neigh->state == IIP_NEIGH_PROBE && (!v4 || !neigh->asked);
    neigh->asked++;
    neigh->asked_at = stk->now ? stk->now : 1;
    if (v4)
        iip_arp_request(stk, &neigh->ip, direct ? neigh->head : 0);
    else
        iip_ndp_solicit(stk, &neigh->ip, direct ? neigh->head : 0);
    iip_wheel_set(&stk->wheel, &neigh->timer, stk->now + stk->tune.neigh_retry_us);
}

static int iip_neigh_may_ask(const struct iip_stack *stk, const struct iip_neigh *neigh)
{
    return !neigh->asked_at || stk->now - neigh->asked_at >= stk->tune.neigh_retry_us;
}

/* Doubts about a station address: asks now if that is allowed, else when it is. */
static void iip_neigh_probe(struct iip_stack *stk, struct iip_neigh *neigh)
{
    neigh->state = IIP_NEIGH_PROBE;
    neigh->fresh_until = 0;
    neigh->asked = 0;
    if (iip_neigh_may_ask(stk, neigh))
        iip_neigh_ask(stk, neigh);
    else
        iip_wheel_set(&stk->wheel, &neigh->timer, neigh->asked_at + stk->tune.neigh_retry_us);
}

static void iip_neigh_fail(struct iip_stack *stk, struct iip_neigh *neigh)
{
    struct iip_pkt *pkt;
    iip_u32 left;
    iip_neigh_unlist(stk, neigh); /* it must not go while its packets are told */
    neigh->pins++;
    neigh->state = IIP_NEIGH_FAILED;
    neigh->fresh_until = 0;
    iip_count(stk, IIP_CTR_NEIGH_FAILED);
    for (left = neigh->queue.count; left; left--) { /* what the transports send in answer is not part of this */
        pkt = iip_neigh_dequeue(stk, neigh);
        iip_icmp_tell_unreachable(stk, pkt);
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
    }
    iip_neigh_unpin(stk, neigh);
}

IIP_LOCAL void iip_neigh_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_neigh *neigh = IIP_OUTER(t, struct iip_neigh, timer);
    if (neigh->state != IIP_NEIGH_INCOMPLETE && iip_neigh_is_fresh(stk, neigh))
        neigh->state = IIP_NEIGH_REACHABLE; /* a transport confirmed it meanwhile */
    else if (neigh->state == IIP_NEIGH_DELAY)
        iip_neigh_probe(stk, neigh);
    else if (neigh->asked < stk->tune.neigh_retries)
        iip_neigh_ask(stk, neigh);
    else
        iip_neigh_fail(stk, neigh);
}

/* ---- sending ---- */

/* A crowd may wait for one neighbour, but those who do not answer leave room for others. */
static iip_u32 iip_neigh_queue_max(const struct iip_stack *stk)
{
    iip_u32 most = (iip_u32)stk->tune.neigh_queue;
    return stk->net->neighs.pending < stk->tune.neigh_queue_all / 2 ? most : iip_min32(most, IIP_NEIGH_PENDING_FEW);
}

static void iip_neigh_enqueue(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    struct iip_neighs *cache = &stk->net->neighs;
    if (neigh->queue.count >= iip_neigh_queue_max(stk)) { /* the latest are kept [RFC 1122 2.3.2.2] */
        iip_count(stk, IIP_CTR_NEIGH_QUEUE_FULL);
        iip_pkt_free(stk, iip_neigh_dequeue(stk, neigh));
    }
    if (cache->pending >= stk->tune.neigh_queue_all) {
        iip_count(stk, IIP_CTR_NEIGH_QUEUE_FULL);
        iip_pkt_free(stk, pkt);
        return;
    }
    cache->pending++;
    iip_pktq_put(&neigh->queue, pkt);
}

/* FAILED: nothing is known. Asks, unless it did so less than neigh.retry_us ago. */
static void iip_neigh_resolve(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    if (!iip_neigh_may_ask(stk, neigh)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    neigh->state = IIP_NEIGH_INCOMPLETE;
    neigh->asked = 0;
    iip_neigh_enqueue(stk, neigh, pkt);
    iip_neigh_ask(stk, neigh);
}

IIP_LOCAL void iip_eth_output(struct iip_stack *stk, struct iip_pkt *pkt, const iip_u8 *mac, iip_u32 type)
{
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    pkt->total += IIP_ETH_LEN;
    pkt->l2_len = IIP_ETH_LEN;
    iip_eth_emit(pkt->data, mac, stk->mac, type);
    iip_tx(stk, pkt);
}

static void iip_neigh_emit(struct iip_stack *stk, const struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    iip_eth_output(stk, pkt, neigh->head, iip_eth_type_before(neigh->head + IIP_ETH_LEN));
}

IIP_LOCAL void iip_neigh_output(struct iip_stack *stk, struct iip_neigh *neigh, struct iip_pkt *pkt)
{
    switch (neigh->state) {
    case IIP_NEIGH_INCOMPLETE:
        iip_neigh_enqueue(stk, neigh, pkt);
        return;
    case IIP_NEIGH_FAILED:
        iip_neigh_resolve(stk, neigh, pkt);
        return;
    case IIP_NEIGH_REACHABLE:
    case IIP_NEIGH_STALE:
        if (!iip_neigh_is_fresh(stk, neigh)) {
            neigh->state = IIP_NEIGH_DELAY;
            iip_wheel_set(&stk->wheel, &neigh->timer, stk->now + IIP_NEIGH_DELAY_US);
        }
        break;
    default: /* DELAY, PROBE: the address that is known is used meanwhile */
        break;
    }
    iip_neigh_emit(stk, neigh, pkt);
}

IIP_LOCAL void iip_path_confirm(struct iip_stack *stk, struct iip_path *path)
{
    struct iip_neigh *neigh = path->neigh;
    if (!neigh || neigh->permanent || neigh->state == IIP_NEIGH_INCOMPLETE || neigh->state == IIP_NEIGH_FAILED)
        return;
    neigh->fresh_until = stk->now + stk->tune.neigh_reachable_us;
}

/* ---- hearing ---- */

static int iip_neigh_known(const struct iip_neigh *neigh)
{
    return neigh->state != IIP_NEIGH_INCOMPLETE && neigh->state != IIP_NEIGH_FAILED;
}

/* Takes a station address, confirmed or not, and sends what waited for it. */
static void iip_neigh_set(struct iip_stack *stk, struct iip_neigh *neigh, const iip_u8 *mac, int confirmed)
{
    iip_wheel_cancel(&stk->wheel, &neigh->timer);
    if (mac != neigh->head)
        IIP_COPY(neigh->head, mac, 6);
    neigh->state = confirmed ? IIP_NEIGH_REACHABLE : IIP_NEIGH_STALE;
    neigh->fresh_until = confirmed ? stk->now + stk->tune.neigh_reachable_us : 0;
    iip_neigh_flush(stk, neigh);
}

/* A station that nobody may have: a group, or none. */
static int iip_neigh_mac_bad(const struct iip_stack *stk, const iip_u8 *mac)
{
    static const iip_u8 none[6] = {0, 0, 0, 0, 0, 0};
    return iip_eth_is_group(mac) || IIP_SAME(mac, none, 6) || IIP_SAME(mac, stk->mac, 6);
}

/*
 * ARP has no proof of anything, so a claim never replaces a live entry by itself: the old station is asked first, and
 * the new one is believed when it answers our broadcast and the old one does not.
 */
static int iip_neigh_arp_moved(struct iip_stack *stk, struct iip_neigh *neigh, const iip_u8 *mac, int reply)
{
    if (neigh->state == IIP_NEIGH_PROBE) {
        if (reply && neigh->asked > 1)
            iip_neigh_set(stk, neigh, mac, 1);
        return reply;
    }
    if (!iip_neigh_is_fresh(stk, neigh) && neigh->state != IIP_NEIGH_DELAY) {
        iip_neigh_set(stk, neigh, mac, 0);
        return 1;
    }
    iip_neigh_probe(stk, neigh);
    return 1;
}

IIP_LOCAL int iip_neigh_heard_arp(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac, int reply, int ask)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (iip_neigh_mac_bad(stk, mac))
        return 0;
    if (!neigh && ask)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh || neigh->permanent)
        return 0;
    if (iip_neigh_known(neigh) && !IIP_SAME(neigh->head, mac, 6))
        return iip_neigh_arp_moved(stk, neigh, mac, reply);
    if (!reply && iip_neigh_known(neigh))
        return 0;
    iip_neigh_set(stk, neigh, mac, reply);
    return 1;
}

/* [RFC 4861 7.2.3] */
IIP_LOCAL int iip_neigh_heard_ns(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 *mac)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, ip);
    if (iip_neigh_mac_bad(stk, mac))
        return 0;
    if (!neigh)
        neigh = iip_neigh_make(stk, ip);
    if (!neigh || neigh->permanent)
        return 0;
    if (iip_neigh_known(neigh) && IIP_SAME(neigh->head, mac, 6))
        return 0;
    iip_neigh_set(stk, neigh, mac, 0);
    return 1;
}

/* [RFC 4861 7.2.5] */
IIP_LOCAL int iip_neigh_heard_na(struct iip_stack *stk, const struct iip_ndp *ndp)
{
    struct iip_neigh *neigh = iip_neigh_find(stk, &ndp->target);
    int moved;
    if (!neigh || neigh->permanent || (ndp->has_mac && iip_neigh_mac_bad(stk, ndp->mac)))
        return 0;
    if (!iip_neigh_known(neigh)) {
        if (ndp->has_mac)
            iip_neigh_set(stk, neigh, ndp->mac, ndp->solicited);
        return ndp->has_mac;
    }
    moved = ndp->has_mac && !IIP_SAME(neigh->head, ndp->mac, 6);
    if (moved && !ndp->force) {
        if (iip_neigh_is_fresh(stk, neigh)) {
            iip_wheel_cancel(&stk->wheel, &neigh->timer);
            neigh->state = IIP_NEIGH_STALE;
            neigh->fresh_until = 0;
        }
        return 1;
    }
    if (ndp->solicited || moved)
        iip_neigh_set(stk, neigh, ndp->has_mac ? ndp->mac : neigh->head, ndp->solicited);
    return 1;
}

/* ==== src/net/tell.c ==== */
/*
 * tell.c - what one stack passes on to the others that share its addresses.
 *
 * A NIC hands ARP, neighbour discovery and ICMP errors to one queue only, but every stack resolves neighbours, defends
 * addresses and cuts packets to the path's MTU. What changed something here, or answers a question that another stack
 * may have asked, is therefore copied to all of them. A copy is marked, so nobody answers it or passes it on again. One
 * that is lost costs the other stack a question of its own.
 */

enum {
    IIP_TELL_MAX = 1280,     /* bytes: an ICMPv6 error [RFC 4443 2.4 (c)] */
    IIP_TELL_RATE = 64       /* a second, of addresses that hash alike: a flood about one of them does not silence the rest */
};

IIP_LOCAL int iip_rx_is_told(const struct iip_pkt *pkt)
{
    return pkt->flags & IIP_PKT_TOLD;
}

IIP_LOCAL int iip_neigh_is_echo(const struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3)
{
    return stk->l2_len && pkt->l2_len && !iip_rx_is_told(pkt) && IIP_SAME(l3 - pkt->l2_len + 6, stk->mac, 6);
}

/* A link header of our own in front of what lies at pkt->data; 0 when there is no room for it. */
static int iip_tell_header(const struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 type)
{
    if (!iip_pkt_headroom_ok(pkt, IIP_ETH_LEN))
        return 0;
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    iip_eth_emit(pkt->data, stk->mac, stk->mac, type);
    return 1;
}

static void iip_tell_one(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3, iip_u32 owner)
{
    iip_u32 len = iip_min32((iip_u32)(pkt->data - l3) + pkt->len, IIP_TELL_MAX);
    struct iip_pkt *copy = iip_pkt_alloc(stk, len);
    if (!copy)
        return;
    IIP_COPY(copy->data, l3, len);
    copy->len = len;
    copy->flags = IIP_PKT_TOLD;
    if (stk->l2_len && !iip_tell_header(stk, copy, iip_eth_type_before(l3))) {
        iip_pkt_free(stk, copy);
        return;
    }
    copy->total = copy->len;
    iip_share_hand_over(stk, copy, owner);
}

IIP_LOCAL void iip_tell_others(struct iip_stack *stk, const struct iip_pkt *pkt, const iip_u8 *l3,
                               const struct iip_ip *about)
{
    iip_u32 i;
    if (stk->share.stacks <= 1 || iip_rx_is_told(pkt) || pkt->next)
        return;
    if (!iip_bucket_take(&stk->net->tell_bucket[iip_ip_hash(stk, about) % IIP_TELL_SLOTS], stk->now, IIP_TELL_RATE))
        return;
    for (i = 0; i < stk->share.stacks; i++) {
        if (i != stk->share.self)
            iip_tell_one(stk, pkt, l3, i);
    }
}

IIP_LOCAL iip_verdict iip_rx_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       iip_u32 owner)
{
    iip_u32 back = (iip_u32)(pkt->data - rx->l3);
    pkt->data -= back;
    pkt->len += back;
    if (stk->l2_len && !iip_tell_header(stk, pkt, rx->family == 4 ? IIP_ETH_IPV4 : IIP_ETH_IPV6)) {
        iip_pkt_free(stk, pkt);
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return IIP_KEPT;
    }
    pkt->total = iip_pkt_bytes(pkt);
    iip_share_hand_over(stk, pkt, owner);
    return IIP_KEPT;
}

/* ==== src/net/arp.c ==== */
/* arp.c - ARP messages in and out [RFC 826, RFC 5227]. */

static const iip_u8 iip_mac_all[6] = {255, 255, 255, 255, 255, 255};

/* ---- out ---- */

static void iip_arp_send(struct iip_stack *stk, const struct iip_arp *arp, const iip_u8 *mac)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_ARP_LEN);
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    iip_arp_emit(pkt->data, arp);
    pkt->len = IIP_ARP_LEN;
    pkt->total = IIP_ARP_LEN;
    iip_count(stk, IIP_CTR_ARP_SENT);
    iip_eth_output(stk, pkt, mac ? mac : iip_mac_all, IIP_ETH_ARP);
}

static void iip_arp_ask(struct iip_stack *stk, iip_u32 sender, iip_u32 target, const iip_u8 *mac)
{
    struct iip_arp arp;
    arp.op = IIP_ARP_REQUEST;
    IIP_COPY(arp.sender_mac, stk->mac, 6);
    arp.sender_ip = sender;
    IIP_ZERO(arp.target_mac, 6);
    arp.target_ip = target;
    iip_arp_send(stk, &arp, mac);
}

IIP_LOCAL void iip_arp_request(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac)
{
    const struct iip_addr *addr = iip_addr_select(stk, target, target);
    if (addr)
        iip_arp_ask(stk, iip_ip_to_v4(&addr->own.ip), iip_ip_to_v4(target), mac);
}

IIP_LOCAL void iip_arp_announce(struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_arp_ask(stk, iip_ip_to_v4(ip), iip_ip_to_v4(ip), 0);
}

IIP_LOCAL void iip_arp_probe(struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_arp_ask(stk, 0, iip_ip_to_v4(ip), 0);
}

static void iip_arp_reply(struct iip_stack *stk, const struct iip_arp *request)
{
    struct iip_arp arp;
    arp.op = IIP_ARP_REPLY;
    IIP_COPY(arp.sender_mac, stk->mac, 6);
    arp.sender_ip = request->target_ip;
    IIP_COPY(arp.target_mac, request->sender_mac, 6);
    arp.target_ip = request->sender_ip;
    iip_arp_send(stk, &arp, request->sender_mac);
}

/* ---- in ---- */

/* Someone else says that it has an address of ours, or probes for one that we probe for [RFC 5227 2.1.1, 2.4]. */
static struct iip_addr *iip_arp_claimed(const struct iip_stack *stk, const struct iip_ip *sender,
                                        const struct iip_ip *target)
{
    struct iip_addr *addr = iip_addr_find(stk, sender);
    if (addr || !iip_ip_unset(sender))
        return addr;
    addr = iip_addr_find(stk, target);
    return addr && addr->state == IIP_ADDR_TENTATIVE ? addr : 0;
}

static iip_verdict iip_arp_learn(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_arp *arp,
                                 const struct iip_ip *sender, int for_us)
{
    int useful = 0;
    if (!iip_ip_unset(sender)) {
        if (!iip_addr_is_unicast(stk, sender))
            return IIP_CTR_DROP_ARP;
        useful = iip_neigh_heard_arp(stk, sender, arp->sender_mac, for_us && arp->op == IIP_ARP_REPLY,
                                     for_us && arp->op == IIP_ARP_REQUEST);
    }
    if (useful || (for_us && arp->op == IIP_ARP_REPLY)) /* another stack may have asked */
        iip_tell_others(stk, pkt, pkt->data, sender);
    if (for_us && arp->op == IIP_ARP_REQUEST && !iip_rx_is_told(pkt)) {
        iip_arp_reply(stk, arp);
        useful = 1;
    }
    return useful ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_ARP;
}

IIP_LOCAL iip_verdict iip_arp_input(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_addr *claimed;
    struct iip_arp arp;
    struct iip_ip sender;
    struct iip_ip target;
    if (iip_arp_parse(&arp, pkt->data, pkt->len) || iip_eth_is_group(arp.sender_mac))
        return IIP_CTR_DROP_ARP;
    if (IIP_SAME(arp.sender_mac, stk->mac, 6)) /* an echo of our own */
        return IIP_CTR_DROP_ARP;
    iip_ip_of_v4(&sender, arp.sender_ip);
    iip_ip_of_v4(&target, arp.target_ip);
    claimed = iip_arp_claimed(stk, &sender, &target);
    if (claimed) {
        if (!iip_neigh_is_echo(stk, pkt, pkt->data))
            iip_dad_conflict(stk, claimed, pkt, pkt->data);
        return IIP_DONE;
    }
    return iip_arp_learn(stk, pkt, &arp, &sender, iip_addr_is_ours(stk, &target));
}

/* ==== src/net/ndp.c ==== */
/* ndp.c - neighbour solicitation and advertisement in and out [RFC 4861 7]. */

/* ---- out ---- */

static void iip_mac_of_group6(iip_u8 *mac, const struct iip_ip *ip)
{
    mac[0] = 0x33;
    mac[1] = 0x33;
    IIP_COPY(mac + 2, ip->b + 12, 4);
}

static void iip_ndp_header(struct iip_pkt *pkt, const struct iip_ip *src, const struct iip_ip *dst)
{
    struct iip_ipv6 h;
    h.src = *src;
    h.dst = *dst;
    h.payload = pkt->len;
    h.flow = 0;
    h.tos = 0;
    h.next = IIP_PROTO_ICMPV6;
    h.hops = IIP_NDP_HOPS;
    pkt->data -= IIP_IPV6_LEN;
    pkt->len += IIP_IPV6_LEN;
    iip_ipv6_emit(pkt->data, &h);
}

/* mac null: dst is a group. */
static void iip_ndp_send(struct iip_stack *stk, const struct iip_ndp *ndp, const struct iip_ip *src,
                         const struct iip_ip *dst, const iip_u8 *mac)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_NDP_LEN + IIP_NDP_LLA_LEN);
    iip_u8 group[6];
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    pkt->len = iip_ndp_emit(pkt->data, ndp);
    iip_icmp_csum_set(pkt->data,
                      iip_csum_add(iip_ip_pseudo(src, dst, 6, IIP_PROTO_ICMPV6, pkt->len),
                                   iip_csum_bytes(pkt->data, pkt->len)));
    iip_ndp_header(pkt, src, dst);
    pkt->total = pkt->len;
    pkt->flags = IIP_PKT_IPV6;
    pkt->l3_len = IIP_IPV6_LEN;
    pkt->l4_len = IIP_ICMP_LEN;
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_mac_of_group6(group, dst);
    iip_eth_output(stk, pkt, mac ? mac : group, IIP_ETH_IPV6);
}

static void iip_ndp_init(const struct iip_stack *stk, struct iip_ndp *ndp, iip_u32 type, const struct iip_ip *target)
{
    ndp->type = (iip_u8)type;
    ndp->router = 0;
    ndp->solicited = 0;
    ndp->force = 0;
    ndp->has_mac = 1;
    IIP_COPY(ndp->mac, stk->mac, 6);
    ndp->target = *target;
}

IIP_LOCAL void iip_ndp_solicit(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac)
{
    const struct iip_addr *addr = iip_addr_select(stk, target, target);
    struct iip_ndp ndp;
    struct iip_ip group;
    if (!addr)
        return;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NS, target);
    iip_ip_solicited_node(&group, target);
    iip_ndp_send(stk, &ndp, &addr->own.ip, mac ? target : &group, mac);
}

IIP_LOCAL void iip_ndp_announce(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_ndp ndp;
    struct iip_ip all;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NA, ip);
    ndp.force = 1;
    iip_ip_all_nodes(&all);
    iip_ndp_send(stk, &ndp, ip, &all, 0);
}

/* [RFC 4862 5.4.2] From no address, and so without one of a station. */
IIP_LOCAL void iip_ndp_probe(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_ndp ndp;
    struct iip_ip group;
    struct iip_ip any;
    IIP_ZERO(&any, sizeof(any));
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NS, ip);
    ndp.has_mac = 0;
    iip_ip_solicited_node(&group, ip);
    iip_ndp_send(stk, &ndp, &any, &group, 0);
}

/* [RFC 4861 7.2.4] */
static void iip_ndp_advertise(struct iip_stack *stk, const struct iip_ndp *ns, const struct iip_ip *to)
{
    struct iip_path path;
    struct iip_ndp ndp;
    struct iip_ip src = ns->target;
    iip_ndp_init(stk, &ndp, IIP_ICMPV6_NA, &ns->target);
    ndp.force = 1;
    if (iip_ip_any(to)) {
        iip_ndp_announce(stk, &ns->target);
        return;
    }
    ndp.solicited = 1;
    if (ns->has_mac && !iip_eth_is_group(ns->mac)) {
        iip_ndp_send(stk, &ndp, &src, to, ns->mac);
        return;
    }
    if (iip_path_find(stk, &src, to, &path)) /* it did not say who it is: only to one that is known already */
        return;
    if (path.neigh && path.neigh->state != IIP_NEIGH_INCOMPLETE && path.neigh->state != IIP_NEIGH_FAILED)
        iip_ndp_send(stk, &ndp, &src, to, path.neigh->head);
    iip_path_drop(stk, &path);
}

/* ---- in ---- */

/* [RFC 4861 7.1.1] From no address: only to the group, and without the option. */
static int iip_ndp_ns_valid(const struct iip_ndp *ns, const struct iip_rx *rx)
{
    struct iip_ip group;
    if (!iip_ip_any(&rx->src))
        return 1;
    iip_ip_solicited_node(&group, &ns->target);
    return !ns->has_mac && iip_ip_same(&rx->dst, &group);
}

static iip_verdict iip_ndp_ns_input(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_ndp *ns,
                                    const struct iip_rx *rx)
{
    struct iip_addr *addr = iip_addr_find(stk, &ns->target);
    if (!iip_ndp_ns_valid(ns, rx) || !addr || iip_neigh_is_echo(stk, pkt, rx->l3))
        return IIP_CTR_DROP_NDP;
    if (addr->state == IIP_ADDR_TENTATIVE) { /* [RFC 4862 5.4.3] another one probes for it: neither of us gets it */
        if (iip_ip_any(&rx->src))
            iip_dad_conflict(stk, addr, pkt, rx->l3);
        return IIP_DONE;
    }
    if (addr->state != IIP_ADDR_OURS)
        return IIP_CTR_DROP_NDP;
    if (ns->has_mac && iip_neigh_heard_ns(stk, &rx->src, ns->mac))
        iip_tell_others(stk, pkt, rx->l3, &rx->src);
    if (!iip_rx_is_told(pkt))
        iip_ndp_advertise(stk, ns, &rx->src);
    return IIP_DONE;
}

static iip_verdict iip_ndp_na_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ndp *na,
                                    const struct iip_rx *rx)
{
    struct iip_addr *addr = iip_addr_find(stk, &na->target);
    int useful;
    if (na->solicited && iip_ip_is_multicast6(&rx->dst)) /* [RFC 4861 7.1.2] */
        return IIP_CTR_DROP_NDP;
    if (addr) {
        if (!iip_neigh_is_echo(stk, pkt, rx->l3))
            iip_dad_conflict(stk, addr, pkt, rx->l3);
        return IIP_DONE;
    }
    useful = iip_neigh_heard_na(stk, na);
    if (useful || na->solicited) /* another stack may have asked */
        iip_tell_others(stk, pkt, rx->l3, &na->target);
    return useful ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_NDP;
}

/* What a host without autoconfiguration does not act on is still read for its form [RFC 4861 6.1, 8.1]. */
static iip_verdict iip_ndp_ignore(const struct iip_pkt *pkt, iip_u32 type)
{
    iip_u32 fixed = type == IIP_ICMPV6_RA ? 16 : (type == IIP_ICMPV6_REDIRECT ? 40 : 8);
    return iip_ndp_options_check(pkt->data, pkt->len, fixed) ? (iip_verdict)IIP_CTR_DROP_NDP
                                                             : (iip_verdict)IIP_CTR_DROP_ICMP;
}

IIP_LOCAL iip_verdict iip_ndp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx, int fragmented)
{
    iip_u32 type = iip_icmp_type(pkt->data);
    struct iip_ndp ndp;
    if (!stk->l2_len || rx->ttl != IIP_NDP_HOPS || fragmented || pkt->next) /* [RFC 6980 5] */
        return IIP_CTR_DROP_NDP;
    if (type != IIP_ICMPV6_NS && type != IIP_ICMPV6_NA)
        return iip_ndp_ignore(pkt, type);
    if (iip_ndp_parse(&ndp, pkt->data, pkt->len))
        return IIP_CTR_DROP_NDP;
    if (type == IIP_ICMPV6_NS)
        return iip_ndp_ns_input(stk, pkt, &ndp, rx);
    return iip_ndp_na_input(stk, pkt, &ndp, rx);
}

/* ==== src/net/path.c ==== */
/* path.c - from a destination to all that output needs to know. */

/* Who is meant when nobody said; a source that was named must be ours, and never 127/8 or ::1 to another host. */
static int iip_path_source(const struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst,
                           const struct iip_ip *hop)
{
    const struct iip_addr *addr;
    if (!iip_ip_unset(src))
        return iip_ip_is_v4(src) == iip_ip_is_v4(dst) && iip_addr_is_ours(stk, src) && !iip_ip_is_loopback(src)
            ? IIP_OK
            : IIP_E_ADDR_NOT_AVAIL;
    addr = iip_addr_select(stk, dst, hop);
    if (!addr)
        return IIP_E_ADDR_NOT_AVAIL;
    *src = addr->own.ip;
    return IIP_OK;
}

static int iip_path_to_ourselves(const struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst,
                                 struct iip_path *path)
{
    if (iip_ip_unset(src))
        *src = *dst;
    else if (iip_ip_is_v4(src) != iip_ip_is_v4(dst) || !iip_addr_is_ours(stk, src))
        return IIP_E_ADDR_NOT_AVAIL;
    path->loop = 1;
    path->valid = 1;
    return IIP_OK;
}

/* A multicast group is on the link, whatever the routes say. */
static int iip_path_hop(const struct iip_stack *stk, const struct iip_ip *dst, int group, struct iip_ip *hop)
{
    if (!group)
        return iip_route_find(stk, dst, hop);
    *hop = *dst;
    return IIP_OK;
}

static int iip_path_search(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path)
{
    struct iip_ip hop;
    int group;
    int status;
    path->neigh = 0;
    path->gen = stk->net->gen;
    path->mtu = (iip_u16)iip_path_mtu(stk, dst);
    path->loop = 0;
    path->valid = 0;
    if (iip_addr_is_ours(stk, dst))
        return iip_path_to_ourselves(stk, src, dst, path);
    group = iip_addr_is_group(stk, dst);
    status = iip_ip_unset(dst) || iip_ip_is_loopback(dst) ? IIP_E_UNREACHABLE : iip_path_hop(stk, dst, group, &hop);
    if (status) {
        iip_count(stk, IIP_CTR_NO_ROUTE);
        return status;
    }
    status = iip_path_source(stk, src, dst, &hop);
    if (status)
        return status;
    if (stk->l2_len && !group) {
        path->neigh = iip_neigh_pin(stk, &hop);
        if (!path->neigh)
            return IIP_E_NOMEM;
    }
    path->valid = 1;
    return IIP_OK;
}

/* ---- the path that was asked for last ---- */

static int iip_path_recall(const struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                           struct iip_path *path)
{
    const struct iip_net *net = stk->net;
    if (net->recent.path.gen != net->gen || !net->recent.path.valid || !iip_ip_same(&net->recent.dst, dst) ||
        !iip_ip_same(&net->recent.src, src))
        return 0;
    *path = net->recent.path;
    if (path->neigh)
        path->neigh->pins++;
    return 1;
}

static void iip_path_remember(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                              const struct iip_path *path)
{
    struct iip_net *net = stk->net;
    if (path->neigh)
        path->neigh->pins++;
    iip_path_drop(stk, &net->recent.path);
    net->recent.path = *path;
    net->recent.src = *src;
    net->recent.dst = *dst;
}

IIP_LOCAL int iip_path_find(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path)
{
    int status;
    if (iip_path_recall(stk, src, dst, path))
        return IIP_OK;
    status = iip_path_search(stk, src, dst, path);
    if (!status)
        iip_path_remember(stk, src, dst, path);
    return status;
}

IIP_LOCAL int iip_path_renew(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                             struct iip_path *path)
{
    struct iip_ip from = *src;
    struct iip_path fresh;
    int status;
    if (path->gen == stk->net->gen)
        return IIP_OK;
    status = iip_path_find(stk, &from, dst, &fresh);
    if (status)
        return status;
    iip_path_drop(stk, path);
    *path = fresh;
    return IIP_OK;
}

IIP_LOCAL void iip_path_drop(struct iip_stack *stk, struct iip_path *path)
{
    if (path->neigh)
        iip_neigh_unpin(stk, path->neigh);
    path->neigh = 0;
    path->valid = 0;
}

IIP_API int iip_stack_mtu_set(struct iip_stack *stk, iip_u32 mtu)
{
    if (mtu < 576 || mtu > (stk->l2_len ? 9000U : 65535U))
        return IIP_E_RANGE;
    if (mtu == stk->tune.mtu)
        return IIP_OK;
    stk->tune.mtu = mtu;
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, 0);
    return IIP_OK;
}

/* ==== src/net/pmtu.c ==== */
/* pmtu.c - path MTUs that routers told us, for a while [RFC 1191, RFC 8201]. */

IIP_LOCAL int iip_pmtu_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    stk->net->pmtus.timer.kind = IIP_TIMER_NET;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->pmtus.table, &mem);
}

static struct iip_pmtu *iip_pmtu_find(const struct iip_stack *stk, const struct iip_ip *dst)
{
    iip_u32 hash = iip_ip_hash(stk, dst);
    struct iip_node *node = *iip_table_bucket(&stk->net->pmtus.table, hash);
    struct iip_pmtu *entry;
    for (; node; node = node->next) {
        entry = IIP_OUTER(node, struct iip_pmtu, node);
        if (node->hash == hash && iip_ip_same(&entry->ip, dst))
            return entry;
    }
    return 0;
}

IIP_LOCAL iip_u32 iip_path_mtu(struct iip_stack *stk, const struct iip_ip *dst)
{
    iip_u32 mtu = (iip_u32)stk->tune.mtu;
    const struct iip_pmtu *entry;
    if (IIP_LIKELY(!stk->net->pmtus.table.count))
        return mtu;
    entry = iip_pmtu_find(stk, dst);
    return entry ? iip_min32(entry->mtu, mtu) : mtu;
}

/* ---- the list, oldest first: all entries live equally long ---- */

static void iip_pmtu_unlist(struct iip_pmtus *all, struct iip_pmtu *entry)
{
    struct iip_pmtu **link = &all->oldest;
    struct iip_pmtu *before = 0;
    for (; *link != entry; link = &(*link)->next)
        before = *link;
    *link = entry->next;
    if (all->newest == entry)
        all->newest = before;
}

static void iip_pmtu_list(struct iip_stack *stk, struct iip_pmtu *entry)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    entry->expires = stk->now + stk->tune.pmtu_timeout_us;
    entry->next = 0;
    if (all->newest)
        all->newest->next = entry;
    else
        all->oldest = entry;
    all->newest = entry;
    iip_wheel_set(&stk->wheel, &all->timer, all->oldest->expires);
}

static void iip_pmtu_destroy(struct iip_stack *stk, struct iip_pmtu *entry)
{
    iip_pmtu_unlist(&stk->net->pmtus, entry);
    iip_table_del(&stk->net->pmtus.table, &entry->node);
    iip_mem_free(stk, entry, sizeof(*entry));
}

IIP_LOCAL void iip_pmtu_free_all(struct iip_stack *stk)
{
    while (stk->net->pmtus.oldest)
        iip_pmtu_destroy(stk, stk->net->pmtus.oldest);
    iip_wheel_cancel(&stk->wheel, &stk->net->pmtus.timer);
    iip_table_free(&stk->net->pmtus.table);
}

static void iip_pmtu_forget(struct iip_stack *stk, struct iip_pmtu *entry)
{
    struct iip_ip dst = entry->ip;
    iip_pmtu_destroy(stk, entry);
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, &dst);
}

/* Ten minutes later the path may be wider again [RFC 1191 6.3]. */
IIP_LOCAL void iip_pmtu_timer(struct iip_stack *stk)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    while (all->oldest && all->oldest->expires <= stk->now)
        iip_pmtu_forget(stk, all->oldest);
    if (all->oldest)
        iip_wheel_set(&stk->wheel, &all->timer, all->oldest->expires);
}

static struct iip_pmtu *iip_pmtu_make(struct iip_stack *stk, const struct iip_ip *dst)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    struct iip_pmtu *entry;
    if (all->table.count >= IIP_PMTU_MAX)
        iip_pmtu_forget(stk, all->oldest);
    entry = (struct iip_pmtu *)iip_mem_zalloc(stk, sizeof(*entry));
    if (!entry)
        return 0;
    entry->ip = *dst;
    entry->node.hash = iip_ip_hash(stk, dst);
    iip_table_add(&all->table, &entry->node);
    return entry;
}

IIP_LOCAL int iip_pmtu_learn(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 mtu)
{
    struct iip_pmtu *entry = iip_pmtu_find(stk, dst);
    if (mtu >= iip_path_mtu(stk, dst))
        return 0;
    if (entry)
        iip_pmtu_unlist(&stk->net->pmtus, entry);
    else
        entry = iip_pmtu_make(stk, dst);
    if (!entry)
        return 0;
    entry->mtu = mtu;
    iip_pmtu_list(stk, entry);
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, dst);
    return 1;
}

/* ==== src/net/reass.c ==== */
/*
 * reass.c - putting fragments together, for both families [RFC 791 3.2, RFC 815, RFC 8200 4.5].
 *
 * Fragments wait in a list sorted by offset (pkt->seq is the offset, pkt->aux the length). A datagram whose fragments
 * overlap is dropped whole, and so is what still comes of it [RFC 5722], for IPv4 as for IPv6; an exact duplicate is
 * only dropped itself. Datagrams, bytes, bytes of one source and fragments of one datagram are limited, and no fragment
 * prolongs the time that a datagram has.
 */

enum { IIP_REASS_FIT = 0, IIP_REASS_DUPLICATE, IIP_REASS_CLASH };

struct iip_reass {
    struct iip_node node;
    struct iip_timer timer;
    struct iip_reass *prev, *next; /* by age */
    struct iip_ip src, dst;
    iip_u32 id;
    iip_u8 proto;
    iip_u8 family;
    iip_u8 dead;             /* it clashed: what still comes is dropped */
    iip_u8 has_first;
    iip_u32 total;           /* bytes of the whole; 0: the last fragment did not come yet */
    iip_u32 have;            /* bytes that are here */
    iip_u32 count;           /* fragments that are here */
    iip_u32 charge;          /* memory that they pin */
    struct iip_pkt *head, *tail;
    struct iip_frag first;   /* of the fragment at offset 0 */
};

IIP_LOCAL int iip_reass_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->reassembly.table, &mem);
}

/* ---- the table ---- */

static iip_u32 iip_reass_hash(const struct iip_stack *stk, const struct iip_frag *f)
{
    iip_u32 w[10];
    IIP_COPY(w, f->src->b, 16);
    IIP_COPY(w + 4, f->dst->b, 16);
    w[8] = f->id;
    w[9] = f->family == 4 ? f->proto : 0; /* over IPv6 only the first fragment's protocol counts [RFC 8200 4.5] */
    return iip_hash_words(&stk->hash_key, w, 10);
}

static struct iip_reass *iip_reass_find(const struct iip_stack *stk, const struct iip_frag *f, iip_u32 hash)
{
    struct iip_node *node = *iip_table_bucket(&stk->net->reassembly.table, hash);
    struct iip_reass *r;
    for (; node; node = node->next) {
        r = IIP_OUTER(node, struct iip_reass, node);
        if (node->hash == hash && r->id == f->id && r->family == f->family &&
            (f->family == 6 || r->proto == f->proto) && iip_ip_same(&r->src, f->src) && iip_ip_same(&r->dst, f->dst))
            return r;
    }
    return 0;
}

static struct iip_reass_source *iip_reass_source_of(const struct iip_stack *stk, const struct iip_ip *src)
{
    return &stk->net->reassembly.source[iip_ip_hash(stk, src) % IIP_REASS_SOURCES];
}

static void iip_reass_list(struct iip_reassembly *all, struct iip_reass *r)
{
    r->next = 0;
    r->prev = all->newest;
    if (all->newest)
        all->newest->next = r;
    else
        all->oldest = r;
    all->newest = r;
}

static void iip_reass_unlist(struct iip_reassembly *all, struct iip_reass *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        all->oldest = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        all->newest = r->prev;
}

/* ---- an end ---- */

/* The fragments are no longer held; each is counted as `verdict`. */
static void iip_reass_release(struct iip_stack *stk, struct iip_reass *r, iip_verdict verdict)
{
    struct iip_reass_source *source = iip_reass_source_of(stk, &r->src);
    stk->ctr[IIP_CTR_RX_HELD] -= r->count;
    stk->ctr[verdict] += r->count;
    stk->net->reassembly.bytes -= r->charge;
    source->bytes -= r->charge;
    r->charge = 0;
    r->count = 0;
}

static void iip_reass_drop(struct iip_stack *stk, struct iip_reass *r, iip_verdict verdict)
{
    struct iip_pkt *pkt;
    iip_reass_release(stk, r, verdict);
    while ((pkt = r->head) != 0) {
        r->head = pkt->link;
        iip_pkt_free(stk, pkt);
    }
    r->tail = 0;
    r->has_first = 0;
}

static void iip_reass_end(struct iip_stack *stk, struct iip_reass *r)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    iip_wheel_cancel(&stk->wheel, &r->timer);
    iip_table_del(&all->table, &r->node);
    iip_reass_unlist(all, r);
    iip_reass_source_of(stk, &r->src)->datagrams--;
    r->next = all->spare;
    all->spare = r;
}

IIP_LOCAL void iip_reass_free_all(struct iip_stack *stk)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r;
    while ((r = all->oldest) != 0) {
        iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_TIMEOUT);
        iip_reass_end(stk, r);
    }
    while ((r = all->spare) != 0) {
        all->spare = r->next;
        iip_mem_free(stk, r, sizeof(*r));
    }
    iip_table_free(&all->table);
}

/* [RFC 1122 3.3.2, RFC 8200 4.5] Time exceeded, if the fragment that it would quote came. */
static void iip_reass_complain(struct iip_stack *stk, const struct iip_reass *r)
{
    struct iip_rx rx;
    iip_u32 type;
    rx.src = r->src;
    rx.dst = r->dst;
    rx.l3 = r->head->data - r->first.l3_len;
    rx.l3_len = r->first.l3_len;
    rx.family = r->family;
    rx.proto = r->first.proto;
    rx.ttl = 0;
    rx.tos = 0;
    rx.multicast = r->first.multicast;
    rx.looped = 0;
    type = r->family == 4 ? (iip_u32)IIP_ICMP_TIME_EXCEEDED : (iip_u32)IIP_ICMPV6_TIME_EXCEEDED;
    iip_icmp_unreachable(stk, r->head, &rx, type, IIP_ICMP_CODE_REASSEMBLY, 0);
}

IIP_LOCAL void iip_reass_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_reass *r = IIP_OUTER(t, struct iip_reass, timer);
    if (r->has_first)
        iip_reass_complain(stk, r);
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_TIMEOUT);
    iip_reass_end(stk, r);
}

/* ---- a beginning ---- */

static struct iip_reass *iip_reass_memory(struct iip_stack *stk)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r = all->spare;
    if (!r)
        return (struct iip_reass *)iip_mem_zalloc(stk, sizeof(*r));
    all->spare = r->next;
    IIP_ZERO(r, sizeof(*r));
    return r;
}

/* One source may hold half of everything. */
static int iip_reass_source_full(const struct iip_stack *stk, const struct iip_ip *src, iip_u32 charge,
                                 iip_u32 datagrams)
{
    const struct iip_reass_source *source = iip_reass_source_of(stk, src);
    return (datagrams && source->datagrams >= (stk->tune.reass_datagrams + 1) / 2) ||
        source->bytes + charge > stk->tune.reass_bytes / 2;
}

/* Makes room by giving up the oldest datagrams. 0 when there is none to give up. */
static int iip_reass_evict(struct iip_stack *stk, const struct iip_reass *keep)
{
    struct iip_reass *r = stk->net->reassembly.oldest;
    if (r == keep && r)
        r = r->next;
    if (!r)
        return 0;
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT_LIMIT);
    iip_reass_end(stk, r);
    return 1;
}

static struct iip_reass *iip_reass_make(struct iip_stack *stk, const struct iip_frag *f, iip_u32 hash, iip_u32 charge)
{
    struct iip_reassembly *all = &stk->net->reassembly;
    struct iip_reass *r;
    if (iip_reass_source_full(stk, f->src, charge, 1))
        return 0;
    while (all->table.count >= stk->tune.reass_datagrams) {
        if (!iip_reass_evict(stk, 0))
            return 0;
    }
    r = iip_reass_memory(stk);
    if (!r)
        return 0;
    r->src = *f->src;
    r->dst = *f->dst;
    r->id = f->id;
    r->proto = f->proto;
    r->family = f->family;
    r->node.hash = hash;
    r->timer.kind = IIP_TIMER_REASS;
    iip_table_add(&all->table, &r->node);
    iip_reass_list(all, r);
    iip_reass_source_of(stk, f->src)->datagrams++;
    iip_wheel_set(&stk->wheel, &r->timer, stk->now + stk->tune.reass_timeout_us);
    return r;
}

static int iip_reass_admit(struct iip_stack *stk, const struct iip_reass *r, const struct iip_frag *f, iip_u32 charge)
{
    if (r->count >= IIP_REASS_FRAGMENTS || iip_reass_source_full(stk, f->src, charge, 0))
        return 0;
    while (stk->net->reassembly.bytes + charge > stk->tune.reass_bytes) {
        if (!iip_reass_evict(stk, r))
            return 0;
    }
    return 1;
}

/* ---- a fragment's place ---- */

/* What the lengths that are known say about it. */
static int iip_reass_check_total(const struct iip_reass *r, const struct iip_frag *f)
{
    iip_u32 end = f->offset + f->len;
    if (f->more)
        return r->total && end >= r->total ? IIP_REASS_CLASH : IIP_REASS_FIT;
    if (r->total)
        return end == r->total ? IIP_REASS_FIT : IIP_REASS_CLASH;
    return r->tail && r->tail->seq + r->tail->aux > end ? IIP_REASS_CLASH : IIP_REASS_FIT;
}

/* The length field could not say how long the whole is, with this fragment's header or the first one's. */
static int iip_reass_is_too_long(const struct iip_reass *r, const struct iip_frag *f)
{
    iip_u32 max = r->has_first ? iip_min32(r->first.max, f->max) : f->max;
    return iip_max32(f->offset + f->len, r->total) > max;
}

/* Where it goes: behind *before, null: at the front. */
static int iip_reass_place(const struct iip_reass *r, const struct iip_frag *f, struct iip_pkt **before)
{
    struct iip_pkt *prev = r->tail;
    struct iip_pkt *next = 0;
    if (prev && prev->seq >= f->offset) { /* not in order */
        prev = 0;
        for (next = r->head; next && next->seq < f->offset; next = next->link)
            prev = next;
    }
    *before = prev;
    if (next && next->seq == f->offset && next->aux == f->len)
        return IIP_REASS_DUPLICATE;
    if (next && next->seq < f->offset + f->len)
        return IIP_REASS_CLASH;
    return prev && prev->seq + prev->aux > f->offset ? IIP_REASS_CLASH : IIP_REASS_FIT;
}

static void iip_reass_insert(struct iip_stack *stk, struct iip_reass *r, struct iip_pkt *pkt, const struct iip_frag *f,
                             struct iip_pkt *before)
{
    struct iip_pkt **link = before ? &before->link : &r->head;
    iip_u32 charge = iip_pkt_charge(pkt);
    pkt->seq = f->offset;
    pkt->aux = f->len;
    pkt->link = *link;
    *link = pkt;
    if (!pkt->link)
        r->tail = pkt;
    r->count++;
    r->have += f->len;
    r->charge += charge;
    stk->net->reassembly.bytes += charge;
    iip_reass_source_of(stk, &r->src)->bytes += charge;
    iip_count(stk, IIP_CTR_RX_HELD);
    if (!f->more)
        r->total = f->offset + f->len;
    if (!f->offset) {
        r->has_first = 1;
        r->first = *f;
    }
}

/* All is here: one chain, and nothing that a port said about a part of it holds for the whole. */
static struct iip_pkt *iip_reass_join(struct iip_stack *stk, struct iip_reass *r, struct iip_frag *f)
{
    struct iip_pkt *whole = r->head;
    struct iip_pkt *end;
    struct iip_pkt *pkt;
    struct iip_pkt *next;
    for (pkt = whole; pkt; pkt = next) {
        next = pkt->link;
        pkt->link = 0;
        for (end = pkt; end->next; end = end->next)
            ;
        end->next = next;
    }
    whole->flags &= (iip_u16)~IIP_PKT_L4_CSUM_OK;
    r->first.src = f->src;
    r->first.dst = f->dst;
    *f = r->first;
    r->head = 0;
    iip_count(stk, IIP_CTR_REASSEMBLED);
    iip_reass_release(stk, r, IIP_CTR_RX_DELIVERED);
    stk->ctr[IIP_CTR_RX_DELIVERED]--; /* the one that came now: the transport says what became of it */
    iip_reass_end(stk, r);
    return whole;
}

/* [RFC 5722 3] The datagram is lost, and so that no later fragment begins it anew, its name stays until its time is up. */
static iip_verdict iip_reass_kill(struct iip_stack *stk, struct iip_reass *r)
{
    iip_reass_drop(stk, r, IIP_CTR_DROP_FRAGMENT);
    r->dead = 1;
    return IIP_CTR_DROP_FRAGMENT;
}

static iip_verdict iip_reass_keep(struct iip_stack *stk, struct iip_reass *r, struct iip_pkt *pkt,
                                  const struct iip_frag *f)
{
    struct iip_pkt *before = 0;
    int fit = iip_reass_place(r, f, &before);
    if (fit == IIP_REASS_DUPLICATE)
        return IIP_CTR_DROP_FRAGMENT;
    if (fit == IIP_REASS_CLASH || iip_reass_is_too_long(r, f) || iip_reass_check_total(r, f) == IIP_REASS_CLASH)
        return iip_reass_kill(stk, r);
    if (!iip_reass_admit(stk, r, f, iip_pkt_charge(pkt)))
        return IIP_CTR_DROP_FRAGMENT_LIMIT;
    iip_reass_insert(stk, r, pkt, f, before);
    return IIP_HELD;
}

IIP_LOCAL struct iip_pkt *iip_reass_add(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_frag *f,
                                        iip_verdict *verdict)
{
    iip_u32 hash = iip_reass_hash(stk, f);
    struct iip_reass *r = iip_reass_find(stk, f, hash);
    if (r && r->dead) {
        *verdict = IIP_CTR_DROP_FRAGMENT;
        return 0;
    }
    if (stk->pressure) {
        *verdict = IIP_CTR_DROP_PRESSURE;
        return 0;
    }
    if (!r)
        r = iip_reass_make(stk, f, hash, iip_pkt_charge(pkt));
    *verdict = r ? iip_reass_keep(stk, r, pkt, f) : (iip_verdict)IIP_CTR_DROP_FRAGMENT_LIMIT;
    if (*verdict != IIP_HELD) {
        if (r && !r->count && !r->dead)
            iip_reass_end(stk, r);
        return 0;
    }
    return r->have == r->total ? iip_reass_join(stk, r, f) : 0;
}

/* ==== src/net/input.c ==== */
/* input.c - what IPv4 and IPv6 input share. */

IIP_LOCAL struct iip_pkt *iip_rx_pull(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 want)
{
    struct iip_pkt *head;
    struct iip_pkt *rest;
    if (pkt->len >= want || !pkt->next)
        return pkt;
    want = iip_min32(want, iip_pkt_bytes(pkt));
    head = iip_pkt_alloc(stk, want);
    if (!head)
        return 0;
    iip_pkt_read(pkt, 0, head->data, want);
    head->len = want;
    head->flags = pkt->flags;
    head->seg_size = pkt->seg_size;
    head->l2_len = 0;
    rest = iip_pkt_skip(stk, pkt, want);
    if (!rest->len) {
        iip_pkt_free(stk, rest);
        rest = 0;
    }
    head->next = rest;
    return head;
}

IIP_LOCAL iip_verdict iip_rx_settle(struct iip_stack *stk, struct iip_pkt *pkt, iip_verdict verdict)
{
    if (verdict == IIP_HELD)
        return IIP_HELD;
    iip_count(stk, verdict == IIP_KEPT ? (iip_u32)IIP_CTR_RX_DELIVERED : verdict);
    if (verdict != IIP_KEPT)
        iip_pkt_free(stk, pkt);
    return IIP_HELD;
}

/* ==== src/net/ipv4.c ==== */
/* ipv4.c - IPv4 input [RFC 791; RFC 1122 3.2.1]. */

/* Whose bytes they are now: the transport's, or an answer that there is none. */
static iip_verdict iip_ipv4_deliver(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    if (IIP_LIKELY(rx->proto == IIP_PROTO_TCP))
        return iip_tcp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_UDP)
        return iip_udp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_ICMP)
        return iip_icmp_input(stk, pkt, rx);
    iip_icmp_unreachable(stk, pkt, rx, IIP_ICMP_UNREACHABLE, IIP_ICMP_CODE_PROTOCOL, 0); /* [RFC 1122 3.2.2.1] */
    return IIP_CTR_DROP_IP_PROTO;
}

/* ---- fragments ---- */

/* The datagram is whole: what was its first fragment's header is now its own. */
static iip_verdict iip_ipv4_whole(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_frag *f, int looped)
{
    struct iip_pkt *flat;
    struct iip_rx rx;
    iip_u32 total = iip_pkt_bytes(pkt);
    pkt->data -= f->l3_len;
    pkt->len += f->l3_len;
    iip_ipv4_make_whole(pkt->data, f->l3_len, total + f->l3_len);
    flat = iip_rx_pull(stk, pkt, IIP_HEADROOM);
    if (!flat)
        return iip_rx_settle(stk, pkt, IIP_CTR_DROP_NO_FRAME);
    iip_ipv4_fill(&rx, flat->data, f->l3_len);
    rx.multicast = f->multicast;
    rx.looped = (iip_u8)looped;
    flat->data += f->l3_len;
    flat->len -= f->l3_len;
    return iip_rx_settle(stk, flat, iip_ipv4_deliver(stk, flat, &rx));
}

/* [RFC 1858, RFC 3128] No first fragment may end within a TCP header, and none may begin there. */
static int iip_ipv4_fragment_is_tiny(const struct iip_ipv4 *h)
{
    if (h->proto != IIP_PROTO_TCP)
        return 0;
    return h->frag_offset == 8 || (!h->frag_offset && h->total - h->hdr_len < 20);
}

static iip_verdict iip_ipv4_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ipv4 *h,
                                     const struct iip_rx *rx)
{
    struct iip_frag f;
    struct iip_pkt *whole;
    iip_verdict verdict;
    f.src = &rx->src;
    f.dst = &rx->dst;
    f.id = h->id;
    f.offset = h->frag_offset;
    f.len = h->total - h->hdr_len;
    f.max = IIP_IPV4_TOTAL_MAX - h->hdr_len;
    f.l3_len = h->hdr_len;
    f.frag_at = 0;
    f.next_at = 0;
    f.more = h->mf;
    f.proto = h->proto;
    f.family = 4;
    f.multicast = rx->multicast;
    if (!f.len || (f.more && f.len % 8) || iip_ipv4_fragment_is_tiny(h))
        return IIP_CTR_DROP_FRAGMENT;
    whole = iip_reass_add(stk, pkt, &f, &verdict);
    return whole ? iip_ipv4_whole(stk, whole, &f, rx->looped) : verdict;
}

/* ---- everything that the fast path does not want to see ---- */

/* [RFC 1122 3.2.1.3] Sources that no packet may come from: none, ours, groups, 127/8, 240/4. */
static int iip_ipv4_src_ok(const struct iip_stack *stk, const struct iip_ip *src, iip_u32 looped)
{
    if (looped)
        return 1;
    return iip_addr_is_unicast(stk, src) && !iip_addr_find(stk, src);
}

/* Sets rx->multicast; 0 when the packet is not for us. */
static int iip_ipv4_dst_ok(const struct iip_stack *stk, struct iip_rx *rx, iip_u32 group, iip_u32 looped)
{
    if (iip_addr_is_ours(stk, &rx->dst)) {
        if (group || (!looped && iip_ip_is_loopback(&rx->dst))) /* [RFC 1122 3.3.6]; 127/8 is never on a wire */
            return 0;
        if (!looped)
            stk->net->v4_ours = iip_ip_to_v4(&rx->dst);
        return 1;
    }
    rx->multicast = 1;
    return iip_addr_is_broadcast(stk, &rx->dst) || iip_addr_is_joined(stk, &rx->dst);
}

static iip_verdict iip_ipv4_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    const iip_u8 *p = pkt->data;
    struct iip_ipv4 h;
    struct iip_rx rx;
    if (iip_ipv4_parse(&h, p, pkt->len) || h.total > iip_pkt_bytes(pkt))
        return IIP_CTR_DROP_IP_HEADER;
    if (!looped && !(pkt->flags & IIP_PKT_IP_CSUM_OK) && !iip_ipv4_csum_ok(p, h.hdr_len))
        return IIP_CTR_DROP_IP_CSUM;
    iip_ipv4_fill(&rx, p, h.hdr_len);
    rx.looped = (iip_u8)looped;
    if (!iip_ipv4_dst_ok(stk, &rx, group, looped))
        return IIP_CTR_DROP_IP_DST;
    if (!iip_ipv4_src_ok(stk, &rx.src, looped))
        return IIP_CTR_DROP_IP_SRC;
    if (h.hdr_len > IIP_IPV4_LEN && iip_ipv4_options_check(p, h.hdr_len))
        return IIP_CTR_DROP_IP_OPTION;
    iip_pkt_trim(stk, pkt, h.total);
    pkt->data += h.hdr_len;
    pkt->len -= h.hdr_len;
    if (h.mf || h.frag_offset)
        return iip_ipv4_fragment(stk, pkt, &h, &rx);
    return iip_ipv4_deliver(stk, pkt, &rx);
}

/* ---- the fast path ---- */

/* 1 when the header says nothing that needs thought, and the packet is as long as it says. */
IIP_INLINE int iip_ipv4_is_simple(const struct iip_stack *stk, const struct iip_pkt *pkt)
{
    const iip_u8 *p = pkt->data;
    iip_u32 total;
    if (pkt->len < IIP_IPV4_LEN || pkt->next || !iip_ipv4_is_plain(p) || !iip_ipv4_is_whole(p))
        return 0;
    total = iip_ipv4_total(p);
    if (total < IIP_IPV4_LEN || total > pkt->len || !iip_ipv4_addrs_plain(stk->net, p))
        return 0;
    return (pkt->flags & IIP_PKT_IP_CSUM_OK) || iip_ipv4_csum_ok(p, IIP_IPV4_LEN);
}

IIP_LOCAL iip_verdict iip_ipv4_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_rx rx;
    if (IIP_UNLIKELY(group | looped) || IIP_UNLIKELY(!iip_ipv4_is_simple(stk, pkt)))
        return iip_ipv4_slow(stk, pkt, group, looped);
    iip_ipv4_fill(&rx, pkt->data, IIP_IPV4_LEN);
    pkt->len = iip_ipv4_total(pkt->data) - IIP_IPV4_LEN;
    pkt->data += IIP_IPV4_LEN;
    return iip_ipv4_deliver(stk, pkt, &rx);
}

/* ==== src/net/ipv6.c ==== */
/* ipv6.c - IPv6 input: the header, the chain of extension headers, fragments [RFC 8200]. */

enum {
    IIP_EXT_HEADERS = 16,   /* extension headers of one packet [RFC 8504 5.3 lets a host set such limits] */
    IIP_EXT_BYTES = 1024,   /* and their bytes, the fixed header included */
    IIP_L4_BYTES = 60       /* bytes that a transport finds in the first view, if the packet has as many */
};

/* A walk along the headers of a packet; offsets are from the fixed header. */
struct iip_walk {
    iip_u32 at;         /* of the header that `next` names */
    iip_u32 next_at;    /* of the field that named it */
    iip_u8 next;
    iip_u8 count;
    iip_u8 fragmented;  /* there was a fragment header, or the packet was put together */
    iip_u8 whole;       /* it was put together: a further fragment header makes no sense */
};

static iip_verdict iip_ipv6_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                 struct iip_walk *walk);

static iip_verdict iip_ipv6_deliver(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                    const struct iip_walk *walk)
{
    if (IIP_LIKELY(rx->proto == IIP_PROTO_TCP))
        return iip_tcp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_UDP)
        return iip_udp_input(stk, pkt, rx);
    if (rx->proto == IIP_PROTO_ICMPV6)
        return iip_icmpv6_input(stk, pkt, rx, walk->fragmented);
    if (rx->proto != IIP_PROTO_NONE) /* [RFC 8200 4] */
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_PARAM_PROBLEM, IIP_ICMPV6_CODE_NEXT, walk->next_at);
    return IIP_CTR_DROP_IP_PROTO;
}

/* pkt->data stands at rx->l3: moves it behind the headers that the walk has passed. */
static void iip_ipv6_advance(struct iip_pkt *pkt, struct iip_rx *rx, const struct iip_walk *walk)
{
    rx->l3_len = walk->at;
    rx->proto = walk->next;
    pkt->data += walk->at;
    pkt->len -= walk->at;
}

/* Is there another extension header that we know? Hop-by-hop only counts in front of all others. */
static int iip_ipv6_more(const struct iip_walk *walk)
{
    return walk->next == IIP_PROTO_DSTOPTS || walk->next == IIP_PROTO_ROUTING ||
        (walk->next == IIP_PROTO_HOPOPTS && walk->at == IIP_IPV6_LEN);
}

/* [RFC 4443 2.4 (e.1)] Is it an ICMPv6 error that lies behind the headers from here on? Their contents do not matter. */
static int iip_ipv6_is_error(const struct iip_pkt *pkt, const struct iip_rx *rx, const struct iip_walk *walk)
{
    struct iip_walk rest = *walk;
    struct iip_ipv6_ext ext;
    while (iip_ipv6_more(&rest) && rest.count++ < IIP_EXT_HEADERS) {
        if (rest.at > pkt->len || iip_ipv6_ext_parse(&ext, rx->l3 + rest.at, pkt->len - rest.at))
            return 0;
        rest.next = ext.next;
        rest.at += ext.len;
    }
    return rest.next == IIP_PROTO_ICMPV6 && rest.at < pkt->len && iip_icmp_type(rx->l3 + rest.at) < IIP_ICMPV6_INFO;
}

/* A parameter problem about the headers; pkt stands at the fixed header, where the quote begins. */
static void iip_ipv6_problem(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, const struct iip_walk *walk,
                             iip_u32 code, iip_u32 at)
{
    if (iip_ipv6_is_error(pkt, rx, walk))
        return;
    iip_ipv6_advance(pkt, rx, walk);
    iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_PARAM_PROBLEM, code, at);
}

/* ---- extension headers ---- */

static iip_verdict iip_ipv6_options(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                    const struct iip_walk *walk, iip_u32 len)
{
    iip_u32 at = 0;
    int action = iip_ipv6_options_walk(rx->l3 + walk->at, len, &at);
    if (action == IIP_IPV6_OPT_OK)
        return IIP_DONE;
    if (action == IIP_IPV6_OPT_BAD)
        return IIP_CTR_DROP_IP_EXT;
    if (action == IIP_IPV6_OPT_PROBLEM || (action == IIP_IPV6_OPT_UNICAST && !rx->multicast))
        iip_ipv6_problem(stk, pkt, rx, walk, IIP_ICMPV6_CODE_OPTION, walk->at + at);
    return IIP_CTR_DROP_IP_OPTION;
}

/* We are no router: a routing header that still has segments to visit is refused, whatever its type [RFC 8200 4.4, RFC 5095]. */
static iip_verdict iip_ipv6_routing(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                    const struct iip_walk *walk, const struct iip_ipv6_ext *ext)
{
    if (!ext->segments_left)
        return IIP_DONE;
    iip_ipv6_problem(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, walk->at + IIP_IPV6_ROUTING_TYPE_AT);
    return IIP_CTR_DROP_IP_EXT;
}

/* One header; IIP_DONE: go on. */
static iip_verdict iip_ipv6_header(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, struct iip_walk *walk)
{
    struct iip_ipv6_ext ext;
    iip_verdict verdict;
    if (iip_ipv6_ext_parse(&ext, rx->l3 + walk->at, pkt->len - walk->at))
        return IIP_CTR_DROP_IP_EXT;
    if (walk->next == IIP_PROTO_ROUTING)
        verdict = iip_ipv6_routing(stk, pkt, rx, walk, &ext);
    else
        verdict = iip_ipv6_options(stk, pkt, rx, walk, ext.len);
    walk->next = ext.next;
    walk->next_at = walk->at;
    walk->at += ext.len;
    return verdict;
}

/* All headers up to a fragment header or the transport; IIP_DONE: got there. */
static iip_verdict iip_ipv6_walk(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx, struct iip_walk *walk)
{
    iip_verdict verdict = IIP_DONE;
    while (verdict == IIP_DONE && iip_ipv6_more(walk)) {
        if (++walk->count > IIP_EXT_HEADERS)
            return IIP_CTR_DROP_IP_EXT;
        verdict = iip_ipv6_header(stk, pkt, rx, walk);
    }
    return verdict;
}

/* ---- fragments ---- */

/* A walk needs its headers in one view. The same packet, another that took its place, or null without a frame. */
static struct iip_pkt *iip_ipv6_pull(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_u32 next = iip_ipv6_next(pkt->data);
    int plain = next == IIP_PROTO_TCP || next == IIP_PROTO_UDP || next == IIP_PROTO_ICMPV6;
    return iip_rx_pull(stk, pkt, plain ? (iip_u32)IIP_HEADROOM : (iip_u32)IIP_EXT_BYTES);
}

/* [RFC 7112] A first fragment holds all headers, the transport's too: `pkt` stands at the fixed header. */
static int iip_ipv6_first_is_complete(const struct iip_pkt *pkt, const struct iip_walk *walk,
                                      const struct iip_ipv6_fragment *fh)
{
    struct iip_walk rest = *walk;
    struct iip_ipv6_ext ext;
    rest.at += IIP_IPV6_FRAGMENT_LEN;
    rest.next = fh->next;
    while (iip_ipv6_more(&rest) && rest.count++ < IIP_EXT_HEADERS) {
        if (rest.at > pkt->len || iip_ipv6_ext_parse(&ext, pkt->data + rest.at, pkt->len - rest.at))
            return 0;
        rest.next = ext.next;
        rest.at += ext.len;
    }
    if (rest.next == IIP_PROTO_NONE)
        return 1;
    return rest.at + (rest.next == IIP_PROTO_TCP ? 20u : 8u) <= pkt->len;
}

/* The datagram is whole: the fragment header leaves the first fragment's headers, and the walk begins again. */
static iip_verdict iip_ipv6_whole(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_frag *f,
                                  struct iip_rx *rx)
{
    struct iip_pkt *flat;
    struct iip_walk walk;
    iip_u8 *l3 = pkt->data - f->l3_len;
    iip_u32 total = iip_pkt_bytes(pkt) + f->l3_len - IIP_IPV6_FRAGMENT_LEN;
    pkt->data = iip_ipv6_make_whole(l3, f->frag_at, f->next_at, total - IIP_IPV6_LEN);
    pkt->len += f->l3_len - IIP_IPV6_FRAGMENT_LEN;
    flat = iip_ipv6_pull(stk, pkt);
    if (!flat)
        return iip_rx_settle(stk, pkt, IIP_CTR_DROP_NO_FRAME);
    walk.fragmented = 1;
    walk.whole = 1;
    rx->multicast = f->multicast;
    return iip_rx_settle(stk, flat, iip_ipv6_slow(stk, flat, rx->looped, rx, &walk));
}

static iip_verdict iip_ipv6_fragment_bad(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                         const struct iip_walk *walk, iip_u32 code, iip_u32 at)
{
    iip_ipv6_problem(stk, pkt, rx, walk, code, at);
    return IIP_CTR_DROP_FRAGMENT;
}

static void iip_ipv6_frag_fill(struct iip_frag *f, const struct iip_rx *rx, const struct iip_walk *walk,
                               const struct iip_ipv6_fragment *fh)
{
    f->src = &rx->src;
    f->dst = &rx->dst;
    f->id = fh->id;
    f->offset = fh->offset;
    f->l3_len = walk->at + IIP_IPV6_FRAGMENT_LEN;
    f->max = 65535 - (walk->at - IIP_IPV6_LEN);
    f->frag_at = (iip_u16)walk->at;
    f->next_at = (iip_u16)walk->next_at;
    f->more = fh->more;
    f->proto = fh->next;
    f->family = 6;
    f->multicast = rx->multicast;
}

/* `pkt` stands at the fixed header, `walk` at the fragment header. */
static iip_verdict iip_ipv6_fragment(struct iip_stack *stk, struct iip_pkt *pkt, struct iip_rx *rx,
                                     struct iip_walk *walk, const struct iip_ipv6_fragment *fh)
{
    struct iip_frag f;
    struct iip_pkt *whole;
    iip_verdict verdict;
    iip_ipv6_frag_fill(&f, rx, walk, fh);
    f.len = iip_pkt_bytes(pkt) - f.l3_len;
    if (fh->more && f.len % 8) /* [RFC 8200 4.5] */
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, IIP_IPV6_PAYLOAD_AT);
    if (f.offset + f.len > f.max)
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIELD, walk->at + IIP_IPV6_FRAG_OFFSET_AT);
    if (!f.offset && !iip_ipv6_first_is_complete(pkt, walk, fh))
        return iip_ipv6_fragment_bad(stk, pkt, rx, walk, IIP_ICMPV6_CODE_FIRST, 0);
    if (!f.len)
        return IIP_CTR_DROP_FRAGMENT;
    pkt->data += f.l3_len;
    pkt->len -= f.l3_len;
    whole = iip_reass_add(stk, pkt, &f, &verdict);
    return whole ? iip_ipv6_whole(stk, whole, &f, rx) : verdict;
}

/* 1 when the packet goes on without its fragment header: it is all in one piece [RFC 6946]. */
static int iip_ipv6_is_atomic(const struct iip_ipv6_fragment *fh)
{
    return !fh->offset && !fh->more;
}

static void iip_ipv6_pass_fragment(struct iip_walk *walk, const struct iip_ipv6_fragment *fh)
{
    walk->next = fh->next;
    walk->next_at = walk->at;
    walk->at += IIP_IPV6_FRAGMENT_LEN;
    walk->fragmented = 1;
}

/* Headers to the end; the addresses were looked at, and the first view holds the headers or they are too long. */
static iip_verdict iip_ipv6_slow(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                 struct iip_walk *walk)
{
    struct iip_ipv6_fragment fh;
    iip_verdict verdict;
    rx->l3 = pkt->data;
    rx->looped = (iip_u8)looped;
    walk->at = IIP_IPV6_LEN;
    walk->next_at = IIP_IPV6_NEXT_AT;
    walk->next = iip_ipv6_next(pkt->data);
    walk->count = 0;
    verdict = iip_ipv6_walk(stk, pkt, rx, walk);
    if (verdict == IIP_DONE && walk->next == IIP_PROTO_FRAGMENT) {
        if (walk->whole || iip_ipv6_fragment_parse(&fh, rx->l3 + walk->at, pkt->len - walk->at))
            return IIP_CTR_DROP_IP_EXT;
        if (!iip_ipv6_is_atomic(&fh))
            return iip_ipv6_fragment(stk, pkt, rx, walk, &fh);
        iip_ipv6_pass_fragment(walk, &fh);
        verdict = iip_ipv6_walk(stk, pkt, rx, walk);
    }
    if (verdict != IIP_DONE)
        return verdict;
    if (pkt->next && pkt->len - walk->at < IIP_L4_BYTES)
        return IIP_CTR_DROP_IP_EXT;
    iip_ipv6_advance(pkt, rx, walk);
    if (iip_ip_any(&rx->src) && rx->proto != IIP_PROTO_ICMPV6)
        return IIP_CTR_DROP_IP_SRC;
    return iip_ipv6_deliver(stk, pkt, rx, walk);
}

/* ---- the fixed header ---- */

static void iip_ipv6_fill(struct iip_rx *rx, const struct iip_ipv6 *h)
{
    rx->src = h->src;
    rx->dst = h->dst;
    rx->family = 6;
    rx->tos = h->tos;
    rx->ttl = h->hops;
    rx->multicast = 0;
}

/* No packet comes from us, a group, the loopback or an IPv4 address in disguise; from no address only neighbour discovery does. */
static int iip_ipv6_src_ok(const struct iip_stack *stk, const struct iip_rx *rx, iip_u32 looped)
{
    if (looped)
        return 1;
    if (iip_ip_any(&rx->src))
        return rx->multicast;
    return !iip_ip_is_v4(&rx->src) && iip_addr_is_unicast(stk, &rx->src) && !iip_addr_find(stk, &rx->src);
}

static int iip_ipv6_dst_ok(const struct iip_stack *stk, struct iip_rx *rx, iip_u32 group, iip_u32 looped)
{
    if (iip_ip_is_multicast6(&rx->dst)) {
        rx->multicast = 1;
        return iip_addr_is_joined(stk, &rx->dst);
    }
    if (group || iip_ip_is_v4(&rx->dst) || (!looped && iip_ip_is_loopback(&rx->dst)) ||
        !iip_addr_is_ours(stk, &rx->dst))
        return 0;
    if (!looped)
        stk->net->v6_ours = rx->dst;
    return 1;
}

/* Where the headers have to be moved together, the packet is no longer the one that rx.c knows. */
static iip_verdict iip_ipv6_gather(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 looped, struct iip_rx *rx,
                                   struct iip_walk *walk)
{
    struct iip_pkt *flat = iip_ipv6_pull(stk, pkt);
    if (!flat)
        return IIP_CTR_DROP_NO_FRAME;
    if (flat == pkt)
        return iip_ipv6_slow(stk, pkt, looped, rx, walk);
    return iip_rx_settle(stk, flat, iip_ipv6_slow(stk, flat, looped, rx, walk));
}

static iip_verdict iip_ipv6_check(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_ipv6 h;
    struct iip_rx rx;
    struct iip_walk walk;
    if (iip_ipv6_parse(&h, pkt->data, pkt->len) || h.payload + IIP_IPV6_LEN > iip_pkt_bytes(pkt))
        return IIP_CTR_DROP_IP_HEADER;
    iip_ipv6_fill(&rx, &h);
    if (!iip_ipv6_dst_ok(stk, &rx, group, looped))
        return IIP_CTR_DROP_IP_DST;
    if (!iip_ipv6_src_ok(stk, &rx, looped))
        return IIP_CTR_DROP_IP_SRC;
    iip_pkt_trim(stk, pkt, h.payload + IIP_IPV6_LEN);
    walk.fragmented = 0;
    walk.whole = 0;
    return iip_ipv6_gather(stk, pkt, looped, &rx, &walk);
}

/* ---- the fast path: TCP or UDP right behind the header, to the address that came in last ---- */

IIP_INLINE int iip_ipv6_addrs_plain(const struct iip_net *net, const iip_u8 *p)
{
    iip_u64 low = iip_raw64(p + 16);
    iip_u64 dst = iip_raw64(p + 24);
    const iip_u64 *special = net->v6_special;
    return dst == iip_raw64(net->v6_ours.b) && dst && iip_raw64(p + 32) == iip_raw64(net->v6_ours.b + 8) &&
        !net->v6_many && iip_raw64(p + 8) && p[8] != 0xff && low != special[0] && low != special[1] &&
        low != special[2] && low != special[3];
}

IIP_INLINE int iip_ipv6_is_simple(const struct iip_stack *stk, const struct iip_pkt *pkt)
{
    const iip_u8 *p = pkt->data;
    if (pkt->len < IIP_IPV6_LEN || pkt->next || !iip_ipv6_is_v6(p) || iip_ipv6_payload(p) + IIP_IPV6_LEN > pkt->len)
        return 0;
    return (iip_ipv6_next(p) == IIP_PROTO_TCP || iip_ipv6_next(p) == IIP_PROTO_UDP) &&
        iip_ipv6_addrs_plain(stk->net, p);
}

IIP_LOCAL iip_verdict iip_ipv6_input(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 group, iip_u32 looped)
{
    struct iip_ipv6 h;
    struct iip_rx rx;
    if (IIP_UNLIKELY(group | looped) || IIP_UNLIKELY(!iip_ipv6_is_simple(stk, pkt)))
        return iip_ipv6_check(stk, pkt, group, looped);
    iip_ipv6_read(&h, pkt->data);
    iip_ipv6_fill(&rx, &h);
    rx.l3 = pkt->data;
    rx.l3_len = IIP_IPV6_LEN;
    rx.proto = h.next;
    rx.looped = 0;
    pkt->data += IIP_IPV6_LEN;
    pkt->len = h.payload;
    return rx.proto == IIP_PROTO_TCP ? iip_tcp_input(stk, pkt, &rx) : iip_udp_input(stk, pkt, &rx);
}

/* ==== src/net/icmp.c ==== */
/* icmp.c - ICMP and ICMPv6: echo, and what else comes in [RFC 792, RFC 1122 3.2.2, RFC 4443]. */

/* Where the headers go: in front of the message, where the old ones were, or in a view of their own. Null: not to be had. */
static struct iip_pkt *iip_icmp_echo_head(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 headers = stk->l2_len + (rx->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN);
    struct iip_pkt *head;
    if (iip_tx_full(stk) || (pkt->frame->flags & IIP_FRAME_READ_ONLY))
        return 0;
    if (IIP_LIKELY(iip_pkt_headroom_ok(pkt, headers)))
        return pkt;
    head = iip_pkt_alloc(stk, 0);
    if (head)
        head->next = pkt;
    return head;
}

/*
 * An echo goes back in the frame that it came in: the type changes, the checksum is mended, and IP output writes its
 * header over the old one. One that was put together of fragments, or is larger than the MTU, leaves in fragments.
 */
static iip_verdict iip_icmp_echo(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx, iip_u32 reply)
{
    struct iip_pkt *head = iip_icmp_echo_head(stk, pkt, rx);
    struct iip_tx_ip ip;
    if (!head) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return IIP_DONE;
    }
    iip_icmp_retype(pkt->data, reply);
    head->total = iip_pkt_bytes(head);
    head->flags = 0;
    head->seg_size = 0;
    head->l4_len = IIP_ICMP_LEN;
    ip.src = &rx->dst;
    ip.dst = &rx->src;
    ip.family = rx->family;
    ip.proto = rx->proto;
    ip.ttl = (iip_u8)stk->tune.ip_ttl;
    ip.tos = rx->tos; /* [RFC 1122 3.2.2.6] */
    ip.df = 0;
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_ip_output_once(stk, head, &ip);
    return IIP_KEPT;
}

/* Answers that nobody waits for, and questions that nobody need answer, are dropped; so is what was sent to a group [RFC 1122 3.2.2.6]. */
IIP_LOCAL iip_verdict iip_icmp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 len = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    if (len < IIP_ICMP_LEN || rx->multicast)
        return IIP_CTR_DROP_ICMP;
    if (iip_csum_fold(iip_pkt_csum(pkt, 0, len)) != 0xffff)
        return IIP_CTR_DROP_ICMP;
    switch (iip_icmp_type(pkt->data)) {
    case IIP_ICMP_ECHO:
        return iip_icmp_echo(stk, pkt, rx, IIP_ICMP_ECHO_REPLY);
    case IIP_ICMP_UNREACHABLE:
    case IIP_ICMP_TIME_EXCEEDED:
    case IIP_ICMP_PARAM_PROBLEM:
        return iip_icmp_error_input(stk, pkt, rx);
    default:
        return IIP_CTR_DROP_ICMP;
    }
}

IIP_LOCAL iip_verdict iip_icmpv6_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                       int fragmented)
{
    iip_u32 len = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    iip_u32 type;
    if (len < IIP_ICMP_LEN)
        return IIP_CTR_DROP_ICMP;
    if (iip_csum_fold(iip_csum_add(iip_ip_pseudo(&rx->src, &rx->dst, 6, IIP_PROTO_ICMPV6, len),
                                   iip_pkt_csum(pkt, 0, len))) != 0xffff)
        return IIP_CTR_DROP_ICMP;
    type = iip_icmp_type(pkt->data);
    if (type >= IIP_ICMPV6_RS && type <= IIP_ICMPV6_REDIRECT)
        return iip_ndp_input(stk, pkt, rx, fragmented);
    if (rx->multicast || iip_ip_any(&rx->src))
        return IIP_CTR_DROP_ICMP;
    if (type == IIP_ICMPV6_ECHO)
        return iip_icmp_echo(stk, pkt, rx, IIP_ICMPV6_ECHO_REPLY);
    if (type >= IIP_ICMPV6_UNREACHABLE && type <= IIP_ICMPV6_PARAM_PROBLEM)
        return iip_icmp_error_input(stk, pkt, rx);
    return IIP_CTR_DROP_ICMP;
}

/* ==== src/net/icmp_error.c ==== */
/* icmp_error.c - ICMP errors: those that we send, and those about what we sent. */

/* ==== src/wire/udp.h ==== */
/* udp.h - the UDP header [RFC 768]. */




enum { IIP_UDP_LEN = 8, IIP_UDP_CSUM_AT = 6, IIP_TCP_CSUM_AT = 16 };

struct iip_udp_hdr {
    iip_u32 src_port, dst_port;
    iip_u32 len;      /* bytes, header included */
    iip_u32 has_csum; /* the sender made a checksum */
};

IIP_INLINE void iip_udp_read(struct iip_udp_hdr *h, const iip_u8 *p)
{
    h->src_port = iip_get16(p);
    h->dst_port = iip_get16(p + 2);
    h->len = iip_get16(p + 4);
    h->has_csum = iip_get16(p + 6);
}

/* Writes the header with a checksum of 0. */
IIP_INLINE void iip_udp_emit(iip_u8 *p, iip_u32 src_port, iip_u32 dst_port, iip_u32 len)
{
    iip_put16(p, src_port);
    iip_put16(p + 2, dst_port);
    iip_put16(p + 4, len);
    iip_put16(p + 6, 0);
}

/* A computed 0 goes out as 0xffff, for 0 means "none" [RFC 768]. */
IIP_INLINE void iip_udp_csum_set(iip_u8 *p, iip_u64 sum)
{
    iip_u32 csum = ~iip_csum_fold(sum) & 0xffff;
    iip_csum_store(p + IIP_UDP_CSUM_AT, csum ? csum : 0xffff);
}

/* The two ports as every transport has them, for what ICMP quotes. */
IIP_INLINE void iip_ports_read(const iip_u8 *p, iip_u32 *src_port, iip_u32 *dst_port)
{
    *src_port = iip_get16(p);
    *dst_port = iip_get16(p + 2);
}

/* ---- out ---- */

static int iip_icmp_is_error_type(iip_u32 family, iip_u32 type)
{
    if (family == 6)
        return type < IIP_ICMPV6_INFO;
    return type == IIP_ICMP_UNREACHABLE || type == 4 || type == 5 || type == IIP_ICMP_TIME_EXCEEDED ||
        type == IIP_ICMP_PARAM_PROBLEM;
}

/* [RFC 1122 3.2.2; RFC 4443 2.4 (e)] Never about an error, a group (but for an unknown option that asks for it), or from who is no host. */
static int iip_icmp_may_complain(const struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                 iip_u32 type, iip_u32 code)
{
    int option = rx->family == 6 && type == IIP_ICMPV6_PARAM_PROBLEM && code == IIP_ICMPV6_CODE_OPTION;
    if (rx->multicast && !option)
        return 0;
    if (!iip_addr_is_unicast(stk, &rx->src))
        return 0;
    if (rx->proto != (rx->family == 4 ? IIP_PROTO_ICMP : IIP_PROTO_ICMPV6))
        return 1;
    return pkt->len && !iip_icmp_is_error_type(rx->family, iip_icmp_type(pkt->data));
}

/* As much of the offender as fits [RFC 1812 4.3.2.3: 576 bytes; RFC 4443 3: the minimum MTU]. */
static iip_u32 iip_icmp_quote(iip_u8 *to, const struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 max = rx->family == 4 ? 576 - IIP_IPV4_LEN - IIP_ICMP_LEN : IIP_IPV6_MTU_MIN - IIP_IPV6_LEN - IIP_ICMP_LEN;
    iip_u32 head = iip_min32(rx->l3_len, max);
    iip_u32 rest = iip_min32(iip_pkt_bytes(pkt), max - head);
    IIP_COPY(to, rx->l3, head);
    iip_pkt_read(pkt, 0, to + head, rest);
    return head + rest;
}

static void iip_icmp_csum(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    iip_u64 sum = iip_csum_bytes(pkt->data, pkt->len);
    if (ip->family == 6)
        sum = iip_csum_add(sum, iip_ip_pseudo(ip->src, ip->dst, 6, IIP_PROTO_ICMPV6, pkt->len));
    iip_icmp_csum_set(pkt->data, sum);
}

static void iip_icmp_emit_error(struct iip_stack *stk, const struct iip_pkt *about, const struct iip_rx *rx,
                                const struct iip_icmp *h)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, IIP_IPV6_MTU_MIN);
    struct iip_ip src = rx->dst;
    struct iip_path path;
    struct iip_tx_ip ip;
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    iip_icmp_emit(pkt->data, h);
    pkt->len = IIP_ICMP_LEN + iip_icmp_quote(pkt->data + IIP_ICMP_LEN, about, rx);
    pkt->total = pkt->len;
    pkt->l4_len = IIP_ICMP_LEN;
    if (!iip_addr_is_ours(stk, &src))
        IIP_ZERO(&src, sizeof(src));
    ip.src = &src;
    ip.dst = &rx->src;
    ip.family = rx->family;
    ip.proto = rx->family == 4 ? IIP_PROTO_ICMP : IIP_PROTO_ICMPV6;
    ip.ttl = (iip_u8)stk->tune.ip_ttl;
    ip.tos = 0;
    ip.df = 0;
    if (iip_path_find(stk, &src, &rx->src, &path)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    iip_icmp_csum(pkt, &ip);
    iip_count(stk, IIP_CTR_ICMP_SENT);
    iip_ip_output(stk, pkt, &ip, &path);
    iip_path_drop(stk, &path);
}

IIP_LOCAL void iip_icmp_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                    iip_u32 type, iip_u32 code, iip_u32 value)
{
    struct iip_icmp h;
    if (!iip_icmp_may_complain(stk, pkt, rx, type, code))
        return;
    if (iip_tx_full(stk) || !iip_bucket_take(&stk->net->icmp_bucket, stk->now, stk->tune.icmp_rate)) {
        iip_count(stk, IIP_CTR_ICMP_LIMITED);
        return;
    }
    h.type = (iip_u8)type;
    h.code = (iip_u8)code;
    h.value = value;
    iip_icmp_emit_error(stk, pkt, rx, &h);
}

/* ---- in ---- */

/* What the quote says that we sent. `p`, `len`: from its IP header on. */
struct iip_icmp_quote {
    iip_u32 proto;
    iip_u32 total;           /* bytes of the datagram */
    const iip_u8 *l4;
    iip_u32 l4_len;          /* bytes of it that are quoted */
};

static int iip_icmp_quote4(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    struct iip_ipv4 h;
    if (iip_ipv4_parse(&h, p, len) || h.frag_offset)
        return -1;
    iip_ip_of_v4(&err->src, h.src);
    iip_ip_of_v4(&err->dst, h.dst);
    q->proto = h.proto;
    q->total = h.total;
    q->l4 = p + h.hdr_len;
    q->l4_len = len - h.hdr_len;
    return 0;
}

/* We send no extension headers but that of fragments. */
static int iip_icmp_quote6(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    struct iip_ipv6 h;
    struct iip_ipv6_fragment f;
    if (iip_ipv6_parse(&h, p, len))
        return -1;
    err->src = h.src;
    err->dst = h.dst;
    q->proto = h.next;
    q->total = h.payload + IIP_IPV6_LEN;
    q->l4 = p + IIP_IPV6_LEN;
    q->l4_len = len - IIP_IPV6_LEN;
    if (q->proto != IIP_PROTO_FRAGMENT)
        return 0;
    if (iip_ipv6_fragment_parse(&f, q->l4, q->l4_len) || f.offset)
        return -1;
    q->proto = f.next;
    q->l4 += IIP_IPV6_FRAGMENT_LEN;
    q->l4_len -= IIP_IPV6_FRAGMENT_LEN;
    return 0;
}

/* Reads the quote into err; -1: malformed, or not of TCP or UDP. */
static int iip_icmp_quote_read(struct iip_icmp_error *err, struct iip_icmp_quote *q, const iip_u8 *p, iip_u32 len)
{
    if (err->family == 4 ? iip_icmp_quote4(err, q, p, len) : iip_icmp_quote6(err, q, p, len))
        return -1;
    if ((q->proto != IIP_PROTO_TCP && q->proto != IIP_PROTO_UDP) || q->l4_len < 4)
        return -1;
    iip_ports_read(q->l4, &err->src_port, &err->dst_port);
    err->has_seq = q->proto == IIP_PROTO_TCP && q->l4_len >= 8;
    err->seq = err->has_seq ? iip_tcp_quoted_seq(q->l4) : 0;
    return 0;
}

/* [RFC 1191 5] A router from before path MTU discovery says 0: the next lower MTU that links have. */
static iip_u32 iip_icmp_plateau(iip_u32 total)
{
    static const iip_u16 plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006};
    iip_u32 i;
    for (i = 0; i < IIP_COUNT(plateau); i++) {
        if (plateau[i] < total)
            return plateau[i];
    }
    return IIP_PMTU_MIN4;
}

/* What an error means for a transport [RFC 1122 4.2.3.9; RFC 5461]; -1: nothing. */
static int iip_icmp_meaning4(struct iip_icmp_error *err, iip_u32 value, iip_u32 total)
{
    err->status = IIP_E_UNREACHABLE;
    if (err->type == IIP_ICMP_TIME_EXCEEDED)
        err->status = IIP_E_TIMEOUT;
    if (err->type != IIP_ICMP_UNREACHABLE)
        return 0;
    if (err->code < 16 && (IIP_ICMP_CODES_NET >> err->code & 1))
        err->status = IIP_E_NET_UNREACHABLE;
    if (err->code == IIP_ICMP_CODE_PORT)
        err->status = IIP_E_REFUSED;
    err->hard = err->code == IIP_ICMP_CODE_PORT || err->code == IIP_ICMP_CODE_PROTOCOL;
    if (err->code == IIP_ICMP_CODE_FRAG_NEEDED) {
        value &= 0xffff;
        err->status = IIP_E_MSGSIZE;
        err->mtu = iip_max32(value ? value : iip_icmp_plateau(total), IIP_PMTU_MIN4);
    }
    return 0;
}

static int iip_icmp_meaning6(struct iip_icmp_error *err, iip_u32 value)
{
    err->status = IIP_E_UNREACHABLE;
    switch (err->type) {
    case IIP_ICMPV6_UNREACHABLE:
        if (err->code == IIP_ICMPV6_CODE_NO_ROUTE)
            err->status = IIP_E_NET_UNREACHABLE;
        err->hard = err->code == IIP_ICMPV6_CODE_PORT;
        if (err->hard)
            err->status = IIP_E_REFUSED;
        return 0;
    case IIP_ICMPV6_TOO_BIG:
        err->status = IIP_E_MSGSIZE;
        err->mtu = value;
        return value < IIP_IPV6_MTU_MIN ? -1 : 0; /* [RFC 8201 4] */
    case IIP_ICMPV6_TIME_EXCEEDED:
        err->status = IIP_E_TIMEOUT;
        return 0;
    default: /* parameter problem: an unknown next header means that nobody speaks the protocol there [RFC 5461] */
        err->hard = err->code == IIP_ICMPV6_CODE_NEXT;
        return 0;
    }
}

/* The transport says if it fits. */
static int iip_icmp_error_tell(struct iip_stack *stk, const struct iip_icmp_error *err, iip_u32 proto)
{
    return proto == IIP_PROTO_TCP ? iip_tcp_icmp_error(stk, err) : iip_udp_icmp_error(stk, err);
}

/* A path MTU is believed when the transport found that the error fits [RFC 5927 4], here or in the stack that tells us. */
static iip_verdict iip_icmp_error_believe(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_rx *rx,
                                          const struct iip_icmp_error *err)
{
    if (err->status == IIP_E_MSGSIZE && iip_pmtu_learn(stk, &err->dst, err->mtu))
        iip_tell_others(stk, pkt, rx->l3, &err->dst);
    return IIP_DONE;
}

static void iip_icmp_error_init(struct iip_icmp_error *err, iip_u32 family, const struct iip_icmp *h)
{
    IIP_ZERO(err, sizeof(*err));
    err->family = (iip_u8)family;
    err->type = h->type;
    err->code = h->code;
}

IIP_LOCAL iip_verdict iip_icmp_error_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_icmp_error err;
    struct iip_icmp_quote q;
    struct iip_icmp h;
    iip_u32 owner;
    iip_icmp_read(&h, pkt->data);
    iip_icmp_error_init(&err, rx->family, &h);
    if (iip_icmp_quote_read(&err, &q, pkt->data + IIP_ICMP_LEN, pkt->len - IIP_ICMP_LEN))
        return IIP_CTR_DROP_ICMP;
    if (rx->family == 4 ? iip_icmp_meaning4(&err, h.value, q.total) : iip_icmp_meaning6(&err, h.value))
        return IIP_CTR_DROP_ICMP;
    if (!iip_addr_is_ours(stk, &err.src))
        return IIP_CTR_DROP_ICMP;
    if (iip_rx_is_told(pkt))
        return iip_icmp_error_believe(stk, pkt, rx, &err);
    owner = iip_share_owner(stk, &err.src, &err.dst, err.src_port, err.dst_port);
    if (owner != stk->share.self && !rx->looped) /* the NIC goes by the outer addresses */
        return iip_rx_hand_over(stk, pkt, rx, owner);
    if (!iip_icmp_error_tell(stk, &err, q.proto))
        return IIP_CTR_DROP_ICMP;
    return iip_icmp_error_believe(stk, pkt, rx, &err);
}

IIP_LOCAL void iip_icmp_tell_unreachable(struct iip_stack *stk, const struct iip_pkt *pkt)
{
    struct iip_icmp_error err;
    struct iip_icmp_quote q;
    struct iip_icmp h;
    iip_u32 family = iip_ipv6_is_v6(pkt->data) ? 6 : 4;
    iip_u8 head[IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN + 20];
    iip_u32 len = iip_min32(iip_pkt_bytes(pkt), sizeof(head)); /* the transport's header may lie in a view of its own */
    h.type = family == 4 ? (iip_u8)IIP_ICMP_UNREACHABLE : (iip_u8)IIP_ICMPV6_UNREACHABLE;
    h.code = family == 4 ? 1 : 3; /* host, address */
    h.value = 0;
    iip_icmp_error_init(&err, family, &h);
    iip_pkt_read(pkt, 0, head, len);
    if (iip_icmp_quote_read(&err, &q, head, len))
        return;
    err.status = IIP_E_UNREACHABLE;
    iip_icmp_error_tell(stk, &err, q.proto);
}

/* ==== src/net/output.c ==== */
/* output.c - the IP header, in place, and the way out. */

/* Identification of datagrams that may be fragmented: counters, one per hash of what must not repeat [RFC 6864, RFC 7739 5.3]. */
IIP_LOCAL iip_u32 iip_ip_next_id(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                                 iip_u32 proto)
{
    iip_u32 w[10];
    IIP_COPY(w, src->b, 16);
    IIP_COPY(w + 4, dst->b, 16);
    w[8] = proto;
    w[9] = 0;
    return ++stk->net->id[iip_hash_words(&stk->hash_key, w, 10) % IIP_ID_SLOTS];
}

IIP_LOCAL void iip_ip_csum_finish(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    iip_u32 at = ip->proto == IIP_PROTO_TCP ? IIP_TCP_CSUM_AT : IIP_UDP_CSUM_AT;
    iip_u32 csum;
    if (!(pkt->flags & IIP_PKT_L4_CSUM))
        return;
    csum = ~iip_csum_fold(iip_pkt_csum(pkt, 0, iip_pkt_bytes(pkt))) & 0xffff; /* the field holds the pseudo-header's sum */
    iip_csum_store(pkt->data + at, csum || ip->proto == IIP_PROTO_TCP ? csum : 0xffff);
    pkt->flags &= (iip_u16)~IIP_PKT_L4_CSUM;
}

/* [RFC 1112 6.4, RFC 2464 7] */
static void iip_ip_group_mac(iip_u8 *mac, const struct iip_ip *dst)
{
    static const iip_u8 head4[3] = {1, 0, 0x5e};
    if (!iip_ip_is_v4(dst)) {
        mac[0] = 0x33;
        mac[1] = 0x33;
        IIP_COPY(mac + 2, dst->b + 12, 4);
    } else if (dst->b[12] >> 4 == 14) {
        IIP_COPY(mac, head4, 3);
        mac[3] = dst->b[13] & 0x7f;
        mac[4] = dst->b[14];
        mac[5] = dst->b[15];
    } else {
        mac[0] = mac[1] = mac[2] = mac[3] = mac[4] = mac[5] = 0xff;
    }
}

IIP_LOCAL void iip_ip_send(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_path *path,
                           const struct iip_ip *dst)
{
    iip_u8 mac[6];
    pkt->l2_len = 0;
    if (path->loop) {
        iip_tx_loop(stk, pkt);
    } else if (path->neigh) {
        iip_neigh_output(stk, path->neigh, pkt);
    } else if (!stk->l2_len) {
        iip_tx(stk, pkt);
    } else {
        iip_ip_group_mac(mac, dst);
        iip_eth_output(stk, pkt, mac, iip_ip_is_v4(dst) ? IIP_ETH_IPV4 : IIP_ETH_IPV6);
    }
}

/* ---- the headers ---- */

IIP_INLINE void iip_ip_put_v4(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ipv4 h;
    h.src = iip_ip_to_v4(ip->src);
    h.dst = iip_ip_to_v4(ip->dst);
    h.total = pkt->total + IIP_IPV4_LEN;
    h.id = IIP_LIKELY(ip->df) ? 0 : iip_ip_next_id(stk, ip->src, ip->dst, ip->proto) & 0xffff;
    h.frag_offset = 0;
    h.df = ip->df;
    h.mf = 0;
    h.tos = ip->tos;
    h.ttl = ip->ttl;
    h.proto = ip->proto;
    pkt->data -= IIP_IPV4_LEN;
    pkt->len += IIP_IPV4_LEN;
    pkt->total = h.total;
    pkt->l3_len = IIP_IPV4_LEN;
    pkt->flags |= IIP_PKT_IPV4;
    iip_ipv4_emit(pkt->data, &h);
    if (IIP_LIKELY((stk->caps & IIP_CAP_TX_IP_CSUM) || (pkt->flags & IIP_PKT_TSO)))
        pkt->flags |= IIP_PKT_IP_CSUM;
    else
        iip_ipv4_csum_set(pkt->data, IIP_IPV4_LEN);
}

IIP_INLINE void iip_ip_put_v6(struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ipv6 h;
    h.src = *ip->src;
    h.dst = *ip->dst;
    h.payload = pkt->total;
    h.flow = 0;
    h.tos = ip->tos;
    h.next = ip->proto;
    h.hops = ip->ttl;
    pkt->data -= IIP_IPV6_LEN;
    pkt->len += IIP_IPV6_LEN;
    pkt->total += IIP_IPV6_LEN;
    pkt->l3_len = IIP_IPV6_LEN;
    pkt->flags |= IIP_PKT_IPV6;
    iip_ipv6_emit(pkt->data, &h);
}

/* ---- output ---- */

IIP_INLINE int iip_ip_is_large(const struct iip_pkt *pkt, const struct iip_tx_ip *ip, const struct iip_path *path)
{
    iip_u32 header = ip->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN;
    return pkt->total + header > path->mtu && !(pkt->flags & IIP_PKT_TSO);
}

static void iip_ip_output_slow(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path)
{
    int status = iip_path_renew(stk, ip->src, ip->dst, path);
    int large = !status && iip_ip_is_large(pkt, ip, path);
    if (large && !(ip->family == 4 && ip->df)) {
        iip_ip_fragment(stk, pkt, ip, path);
        return;
    }
    /* with DF it may go as far as it gets, to be told the path's MTU; but the link's is a fact */
    if (status || (large && pkt->total + IIP_IPV4_LEN > stk->tune.mtu)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    if (ip->family == 4)
        iip_ip_put_v4(stk, pkt, ip);
    else
        iip_ip_put_v6(pkt, ip);
    iip_ip_send(stk, pkt, path, ip->dst);
}

/* What one station on the link gets that is known, in one piece: nothing but headers. */
IIP_LOCAL void iip_ip_output(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                             struct iip_path *path)
{
    const struct iip_neigh *neigh = path->neigh;
    if (IIP_UNLIKELY(!neigh || path->gen != stk->net->gen || stk->now >= neigh->fresh_until) ||
        IIP_UNLIKELY(iip_ip_is_large(pkt, ip, path))) {
        iip_ip_output_slow(stk, pkt, ip, path);
        return;
    }
    if (IIP_LIKELY(ip->family == 4))
        iip_ip_put_v4(stk, pkt, ip);
    else
        iip_ip_put_v6(pkt, ip);
    pkt->data -= IIP_ETH_LEN;
    pkt->len += IIP_ETH_LEN;
    pkt->total += IIP_ETH_LEN;
    pkt->l2_len = IIP_ETH_LEN;
    IIP_COPY(pkt->data, neigh->head, IIP_ETH_LEN);
    iip_tx(stk, pkt);
}

IIP_LOCAL int iip_ip_output_once(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip)
{
    struct iip_ip src = *ip->src;
    struct iip_tx_ip own = *ip;
    struct iip_path path;
    int status = iip_path_find(stk, &src, ip->dst, &path);
    if (status) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return status;
    }
    own.src = &src;
    iip_ip_output(stk, pkt, &own, &path);
    iip_path_drop(stk, &path);
    return IIP_OK;
}

/* ==== src/net/fragment.c ==== */
/* fragment.c - datagrams that are larger than the path's MTU [RFC 791 3.2, RFC 8200 4.5]. */

/* A cursor in a chain of views. */
struct iip_cut {
    const struct iip_pkt *view;
    iip_u32 at;
};

/* Appends views of the next `len` bytes to `head`. 0, or -1 without memory for views. */
static int iip_fragment_take(struct iip_stack *stk, struct iip_pkt *head, struct iip_cut *cut, iip_u32 len)
{
    struct iip_pkt *last = head;
    iip_u32 part;
    while (len) {
        if (cut->at == cut->view->len) {
            cut->view = cut->view->next;
            cut->at = 0;
            continue;
        }
        part = iip_min32(len, cut->view->len - cut->at);
        last->next = iip_pkt_view(stk, cut->view, cut->view->data + cut->at, part);
        if (!last->next)
            return -1;
        last = last->next;
        cut->at += part;
        len -= part;
    }
    return 0;
}

static void iip_fragment_put_v4(struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 id, iip_u32 offset,
                                iip_u32 len, int more)
{
    struct iip_ipv4 h;
    h.src = iip_ip_to_v4(ip->src);
    h.dst = iip_ip_to_v4(ip->dst);
    h.total = len + IIP_IPV4_LEN;
    h.id = id & 0xffff;
    h.frag_offset = offset;
    h.df = 0;
    h.mf = (iip_u8)more;
    h.tos = ip->tos;
    h.ttl = ip->ttl;
    h.proto = ip->proto;
    iip_ipv4_emit(pkt->data, &h);
    iip_ipv4_csum_set(pkt->data, IIP_IPV4_LEN);
    pkt->flags = IIP_PKT_IPV4;
    pkt->l3_len = IIP_IPV4_LEN;
}

static void iip_fragment_put_v6(struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 id, iip_u32 offset,
                                iip_u32 len, int more)
{
    struct iip_ipv6 h;
    struct iip_ipv6_fragment f;
    h.src = *ip->src;
    h.dst = *ip->dst;
    h.payload = len + IIP_IPV6_FRAGMENT_LEN;
    h.flow = 0;
    h.tos = ip->tos;
    h.next = IIP_PROTO_FRAGMENT;
    h.hops = ip->ttl;
    iip_ipv6_emit(pkt->data, &h);
    f.next = ip->proto;
    f.more = (iip_u8)more;
    f.offset = offset;
    f.id = id;
    iip_ipv6_fragment_emit(pkt->data + IIP_IPV6_LEN, &f);
    pkt->flags = IIP_PKT_IPV6;
    pkt->l3_len = IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
}

/* One fragment: a header of its own and views of the payload. */
static struct iip_pkt *iip_fragment_make(struct iip_stack *stk, const struct iip_tx_ip *ip, struct iip_cut *cut,
                                         iip_u32 id, iip_u32 offset, iip_u32 len, int more)
{
    iip_u32 header = ip->family == 4 ? IIP_IPV4_LEN : IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
    struct iip_pkt *pkt = iip_pkt_alloc(stk, header);
    if (!pkt)
        return 0;
    if (ip->family == 4)
        iip_fragment_put_v4(pkt, ip, id, offset, len, more);
    else
        iip_fragment_put_v6(pkt, ip, id, offset, len, more);
    pkt->len = header;
    pkt->total = header + len;
    pkt->l4_len = 0;
    if (!iip_fragment_take(stk, pkt, cut, len))
        return pkt;
    iip_pkt_free(stk, pkt);
    return 0;
}

/* All fragments, before the first one leaves: a part of a datagram is of no use to anyone. */
static int iip_fragment_all(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_tx_ip *ip, iip_u32 room,
                            struct iip_pktq *out)
{
    iip_u32 total = iip_pkt_bytes(pkt);
    iip_u32 id = iip_ip_next_id(stk, ip->src, ip->dst, ip->proto);
    struct iip_pkt *piece;
    struct iip_cut cut;
    iip_u32 offset;
    iip_u32 len;
    cut.view = pkt;
    cut.at = 0;
    for (offset = 0; offset < total; offset += len) {
        len = iip_min32(total - offset, room);
        piece = iip_fragment_make(stk, ip, &cut, id, offset, len, offset + len < total);
        if (!piece)
            return -1;
        iip_pktq_put(out, piece);
    }
    return 0;
}

IIP_LOCAL void iip_ip_fragment(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                               struct iip_path *path)
{
    iip_u32 header = ip->family == 4 ? IIP_IPV4_LEN : IIP_IPV6_LEN + IIP_IPV6_FRAGMENT_LEN;
    iip_u32 room = (path->mtu - header) & ~(iip_u32)7;
    struct iip_pktq out;
    struct iip_pkt *piece;
    out.head = 0;
    out.tail = 0;
    out.count = 0;
    iip_ip_csum_finish(pkt, ip);
    if (iip_fragment_all(stk, pkt, ip, room, &out)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pktq_free(stk, &out);
    }
    iip_pkt_free(stk, pkt);
    while ((piece = iip_pktq_get(&out)) != 0) {
        iip_count(stk, IIP_CTR_FRAGMENTS_SENT);
        iip_ip_send(stk, piece, path, ip->dst);
    }
}

/* ==== src/net/udp_table.c ==== */
/* udp_table.c - which socket is meant, and which ports are free. */

/* ==== src/net/udp.h ==== */
/* udp.h - UDP sockets, and what the files about them share. */




struct iip_udp_sock {
    struct iip_node node;      /* by local port, or by local port and peer when connected */
    struct iip_udp_sock *prev, *next; /* all of them */
    struct iip_ready ready;
    void *user;
    struct iip_endpoint local; /* any address: all of its family, or of both */
    struct iip_endpoint peer;  /* port 0: not connected */
    struct iip_path path;      /* to path_dst from path_src, when valid */
    struct iip_ip path_src, path_dst;
    struct iip_pktq queue;     /* datagrams; data at the payload, aux bytes behind the IP header */
    iip_u32 queued;            /* memory that they pin */
    iip_u8 ttl;                /* 0: by destination */
    iip_u8 tos;
    iip_u8 path_named;         /* the sender named path_src; else it was chosen */
    iip_u8 has_error;
    struct iip_icmp_error error; /* the latest that was not yet told */
};

struct iip_udp {
    struct iip_table table;
    struct iip_udp_sock *first;
    iip_u32 connected;         /* how many are */
    iip_u32 opened;            /* for the choice of ports */
};

/* udp_table.c */
IIP_LOCAL int iip_udp_is_connected(const struct iip_udp_sock *sock);
IIP_LOCAL void iip_udp_table_add(struct iip_stack *stk, struct iip_udp_sock *sock);
/* The socket for a datagram to `local` from `peer`: connected ones first, then the address itself, then any. */
IIP_LOCAL struct iip_udp_sock *iip_udp_find(const struct iip_stack *stk, const struct iip_endpoint *local,
                                            const struct iip_endpoint *peer);
/* Would `sock` stand in the way of one that is there? */
IIP_LOCAL int iip_udp_in_use(const struct iip_stack *stk, const struct iip_udp_sock *sock);
/* Picks a free local port [RFC 6056 3.3]. OK, ADDR_IN_USE. */
IIP_LOCAL int iip_udp_pick_port(struct iip_stack *stk, struct iip_udp_sock *sock);

enum { IIP_UDP_PORT_MIN = 1024, IIP_UDP_PORTS = 65536 - IIP_UDP_PORT_MIN };

IIP_LOCAL int iip_udp_is_connected(const struct iip_udp_sock *sock)
{
    return sock->peer.port != 0;
}

static iip_u32 iip_udp_hash(const struct iip_stack *stk, iip_u32 local_port, const struct iip_endpoint *peer)
{
    iip_u32 w[6];
    IIP_ZERO(w, sizeof(w));
    w[0] = local_port;
    if (peer) {
        w[1] = peer->port;
        IIP_COPY(w + 2, peer->ip.b, 16);
    }
    return iip_hash_words(&stk->hash_key, w, 6);
}

IIP_LOCAL void iip_udp_table_add(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    struct iip_udp *udp = stk->udp;
    sock->node.hash = iip_udp_hash(stk, sock->local.port, iip_udp_is_connected(sock) ? &sock->peer : 0);
    iip_table_add(&udp->table, &sock->node);
    udp->connected += iip_udp_is_connected(sock) ? 1 : 0;
    sock->prev = 0;
    sock->next = udp->first;
    if (udp->first)
        udp->first->prev = sock;
    udp->first = sock;
}

/* Does an address of a socket cover this one? 0: no; 1: as any; 2: itself. */
static int iip_udp_covers(const struct iip_endpoint *own, const struct iip_ip *ip)
{
    if (!iip_ip_unset(&own->ip))
        return iip_ip_same(&own->ip, ip) ? 2 : 0;
    if (!own->family)
        return 1;
    return own->family == (iip_ip_is_v4(ip) ? 4 : 6);
}

static int iip_udp_same_end(const struct iip_endpoint *a, const struct iip_endpoint *b)
{
    return a->port == b->port && iip_ip_same(&a->ip, &b->ip);
}

static struct iip_udp_sock *iip_udp_search(const struct iip_stack *stk, const struct iip_endpoint *local,
                                           const struct iip_endpoint *peer)
{
    iip_u32 hash = iip_udp_hash(stk, local->port, peer);
    struct iip_node *node = *iip_table_bucket(&stk->udp->table, hash);
    struct iip_udp_sock *best = 0;
    int best_fit = 0;
    for (; node; node = node->next) {
        struct iip_udp_sock *sock = IIP_OUTER(node, struct iip_udp_sock, node);
        int fit;
        if (node->hash != hash || sock->local.port != local->port || iip_udp_is_connected(sock) != (peer != 0))
            continue;
        if (peer && !iip_udp_same_end(&sock->peer, peer))
            continue;
        fit = iip_udp_covers(&sock->local, &local->ip);
        if (fit > best_fit) {
            best = sock;
            best_fit = fit;
        }
    }
    return best;
}

IIP_LOCAL struct iip_udp_sock *iip_udp_find(const struct iip_stack *stk, const struct iip_endpoint *local,
                                            const struct iip_endpoint *peer)
{
    struct iip_udp_sock *sock = 0;
    if (stk->udp->connected)
        sock = iip_udp_search(stk, local, peer);
    return sock ? sock : iip_udp_search(stk, local, 0);
}

/* Two local ends that would both match some datagram with equal right. */
static int iip_udp_clash(const struct iip_endpoint *a, const struct iip_endpoint *b)
{
    if (!iip_ip_unset(&a->ip) || !iip_ip_unset(&b->ip))
        return iip_ip_same(&a->ip, &b->ip);
    return !a->family || !b->family || a->family == b->family;
}

IIP_LOCAL int iip_udp_in_use(const struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    const struct iip_endpoint *peer = iip_udp_is_connected(sock) ? &sock->peer : 0;
    iip_u32 hash = iip_udp_hash(stk, sock->local.port, peer);
    struct iip_node *node = *iip_table_bucket(&stk->udp->table, hash);
    for (; node; node = node->next) {
        const struct iip_udp_sock *other = IIP_OUTER(node, struct iip_udp_sock, node);
        if (node->hash != hash || other->local.port != sock->local.port || iip_udp_is_connected(other) != (peer != 0))
            continue;
        if (peer && !iip_udp_same_end(&other->peer, peer))
            continue;
        if (iip_udp_clash(&other->local, &sock->local))
            return 1;
    }
    return 0;
}

/* Nobody outside may guess the next port, so it comes from the key, not from the seed. */
static iip_u32 iip_udp_port_start(struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    iip_u8 m[40];
    IIP_COPY(m, sock->local.ip.b, 16);
    IIP_COPY(m + 16, sock->peer.ip.b, 16);
    iip_put32(m + 32, sock->peer.port);
    iip_put32(m + 36, ++stk->udp->opened);
    return (iip_u32)(iip_siphash(stk->key, m, sizeof(m)) >> 16) % IIP_UDP_PORTS;
}

/* An answer must come to this stack, where several share the address; a socket without a peer cannot know. */
static int iip_udp_answer_is_ours(const struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    if (!iip_udp_is_connected(sock) || stk->share.stacks <= 1)
        return 1;
    return iip_share_owner(stk, &sock->local.ip, &sock->peer.ip, sock->local.port, sock->peer.port) == stk->share.self;
}

IIP_LOCAL int iip_udp_pick_port(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    iip_u32 start = iip_udp_port_start(stk, sock);
    iip_u32 i;
    for (i = 0; i < IIP_UDP_PORTS; i++) {
        sock->local.port = (iip_u16)(IIP_UDP_PORT_MIN + (start + i) % IIP_UDP_PORTS);
        if (iip_udp_answer_is_ours(stk, sock) && !iip_udp_in_use(stk, sock))
            return IIP_OK;
    }
    return IIP_E_ADDR_IN_USE;
}

/* ==== src/net/udp.c ==== */
/* udp.c - sockets: open, close, send, options [RFC 768, RFC 1122 4.1]. */

enum {
    IIP_UDP_HEADERS = IIP_UDP_LEN + IIP_IPV6_LEN + IIP_ETH_LEN,
    IIP_UDP_MAX4 = 65535 - IIP_IPV4_LEN - IIP_UDP_LEN,
    IIP_UDP_MAX6 = 65535 - IIP_UDP_LEN
};

IIP_LOCAL int iip_udp_new(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    stk->udp = (struct iip_udp *)iip_mem_zalloc(stk, sizeof(*stk->udp));
    if (!stk->udp)
        return -1;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->udp->table, &mem);
}

IIP_LOCAL void iip_udp_free(struct iip_stack *stk)
{
    if (stk->udp->table.seg) {
        while (stk->udp->first)
            iip_udp_close(stk, stk->udp->first);
        iip_table_free(&stk->udp->table);
    }
    iip_mem_free(stk, stk->udp, sizeof(*stk->udp));
    stk->udp = 0;
}

/* ---- open and close ---- */

/* An endpoint as the caller wrote it, with the family that it means. */
static int iip_udp_end(struct iip_endpoint *to, const struct iip_endpoint *from)
{
    iip_u32 family = iip_ip_is_v4(&from->ip) ? 4 : 6;
    if (from->family && from->family != 4 && from->family != 6)
        return IIP_E_INVAL;
    *to = *from;
    to->scope = 0;
    if (iip_ip_any(&from->ip))
        return IIP_OK;
    if (from->family && from->family != family)
        return IIP_E_INVAL;
    to->family = (iip_u16)family;
    return IIP_OK;
}

/* A connected socket has a source address, for the port must be free with it, and the answers must find us. */
static int iip_udp_connect(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *peer)
{
    int status = iip_udp_end(&sock->peer, peer);
    if (status)
        return status;
    if (!peer->port || iip_ip_unset(&peer->ip) || (sock->local.family && sock->local.family != sock->peer.family))
        return IIP_E_INVAL;
    status = iip_path_find(stk, &sock->local.ip, &sock->peer.ip, &sock->path);
    sock->local.family = sock->peer.family;
    sock->path_src = sock->local.ip;
    sock->path_dst = sock->peer.ip;
    sock->path_named = 1;
    return status;
}

static int iip_udp_bind(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *local,
                        const struct iip_endpoint *peer)
{
    int status = IIP_OK;
    if (local)
        status = iip_udp_end(&sock->local, local);
    if (!status && !iip_ip_unset(&sock->local.ip) && !iip_addr_is_ours(stk, &sock->local.ip))
        status = IIP_E_ADDR_NOT_AVAIL;
    if (!status && peer)
        status = iip_udp_connect(stk, sock, peer);
    if (status)
        return status;
    if (!sock->local.port)
        return iip_udp_pick_port(stk, sock);
    return iip_udp_in_use(stk, sock) ? IIP_E_ADDR_IN_USE : IIP_OK;
}

IIP_API int iip_udp_open(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                         void *user, struct iip_udp_sock **out)
{
    struct iip_udp_sock *sock = (struct iip_udp_sock *)iip_mem_zalloc(stk, sizeof(*sock));
    int status;
    if (!sock)
        return IIP_E_NOMEM;
    sock->user = user;
    sock->ready.kind = IIP_READY_UDP;
    status = iip_udp_bind(stk, sock, local, peer);
    if (status) {
        iip_path_drop(stk, &sock->path);
        iip_mem_free(stk, sock, sizeof(*sock));
        return status;
    }
    iip_udp_table_add(stk, sock);
    *out = sock;
    return IIP_OK;
}

IIP_API void iip_udp_close(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    struct iip_udp *udp = stk->udp;
    if (!sock)
        return;
    iip_ready_del(stk, &sock->ready);
    iip_pktq_free(stk, &sock->queue);
    iip_path_drop(stk, &sock->path);
    iip_table_del(&udp->table, &sock->node);
    udp->connected -= iip_udp_is_connected(sock) ? 1 : 0;
    if (sock->prev)
        sock->prev->next = sock->next;
    else
        udp->first = sock->next;
    if (sock->next)
        sock->next->prev = sock->prev;
    iip_mem_free(stk, sock, sizeof(*sock));
}

IIP_API int iip_udp_set(struct iip_stack *stk, struct iip_udp_sock *sock, iip_u32 option, iip_u64 value)
{
    (void)stk;
    if (option == IIP_UDP_TTL && value >= 1 && value <= 255)
        sock->ttl = (iip_u8)value;
    else if (option == IIP_UDP_DSCP && value <= 63)
        sock->tos = (iip_u8)(value << 2);
    else
        return option == IIP_UDP_TTL || option == IIP_UDP_DSCP ? IIP_E_RANGE : IIP_E_INVAL;
    return IIP_OK;
}

IIP_API void iip_udp_local(const struct iip_udp_sock *sock, struct iip_endpoint *local)
{
    *local = sock->local;
}

/* ---- send ---- */

/* The path of the last datagram serves as long as the next one goes the same way. */
static int iip_udp_route(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_ip *src,
                         const struct iip_ip *dst)
{
    int named = !iip_ip_unset(src);
    if (sock->path.valid && sock->path.gen == stk->net->gen && iip_ip_same(dst, &sock->path_dst) &&
        (named ? iip_ip_same(src, &sock->path_src) : !sock->path_named))
        return IIP_OK;
    iip_path_drop(stk, &sock->path);
    sock->path_src = *src;
    sock->path_dst = *dst;
    sock->path_named = (iip_u8)named;
    return iip_path_find(stk, &sock->path_src, dst, &sock->path);
}

/* Room for the headers in front of the first byte: there, or in a view of its own. Null: no frame. */
static struct iip_pkt *iip_udp_head(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *head;
    if (IIP_LIKELY(iip_pkt_headroom_ok(pkt, IIP_UDP_HEADERS)))
        return pkt;
    head = iip_pkt_alloc(stk, 0);
    if (head)
        head->next = pkt;
    return head;
}

/* [RFC 768] The port does the sum where it can, and nobody needs one for what never leaves. */
static void iip_udp_csum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                         const struct iip_path *path)
{
    iip_u64 sum;
    iip_u32 ip_len = ip->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN;
    if (path->loop)
        return;
    sum = iip_ip_pseudo(ip->src, ip->dst, ip->family, IIP_PROTO_UDP, pkt->total);
    if ((stk->caps & IIP_CAP_TX_UDP_CSUM) && pkt->total + ip_len <= path->mtu) {
        pkt->flags |= IIP_PKT_L4_CSUM;
        iip_csum_store(pkt->data + IIP_UDP_CSUM_AT, iip_csum_fold(sum));
        return;
    }
    iip_udp_csum_set(pkt->data, iip_csum_add(sum, iip_pkt_csum(pkt, 0, pkt->total)));
}

static void iip_udp_output(struct iip_stack *stk, struct iip_udp_sock *sock, iip_u32 dst_port, struct iip_pkt *pkt,
                           iip_u32 bytes)
{
    struct iip_tx_ip ip;
    pkt->data -= IIP_UDP_LEN;
    pkt->len += IIP_UDP_LEN;
    pkt->total = bytes + IIP_UDP_LEN;
    pkt->flags = IIP_PKT_UDP;
    pkt->seg_size = 0;
    pkt->l4_len = IIP_UDP_LEN;
    ip.src = &sock->path_src;
    ip.dst = &sock->path_dst;
    ip.family = iip_ip_is_v4(&sock->path_dst) ? 4 : 6;
    ip.proto = IIP_PROTO_UDP;
    ip.ttl = sock->ttl;
    if (!ip.ttl) /* [RFC 1112 6.1] */
        ip.ttl = iip_ip_is_multicast(ip.dst) ? 1 : (iip_u8)stk->tune.ip_ttl;
    ip.tos = sock->tos;
    ip.df = ip.family == 4 && pkt->total + IIP_IPV4_LEN <= sock->path.mtu; /* whole here, whole all the way: needs no identification [RFC 6864] */
    iip_udp_emit(pkt->data, sock->local.port, dst_port, pkt->total);
    iip_udp_csum(stk, pkt, &ip, &sock->path);
    iip_ip_output(stk, pkt, &ip, &sock->path);
}

static int iip_udp_check(const struct iip_stack *stk, const struct iip_udp_sock *sock, const struct iip_endpoint *to,
                         iip_u32 bytes)
{
    int v4 = iip_ip_is_v4(&to->ip);
    if (!to->port || iip_ip_unset(&to->ip) || (sock->local.family && sock->local.family != (v4 ? 4 : 6)))
        return IIP_E_INVAL;
    if (bytes > (v4 ? (iip_u32)IIP_UDP_MAX4 : (iip_u32)IIP_UDP_MAX6))
        return IIP_E_MSGSIZE;
    return iip_tx_full(stk) ? IIP_E_AGAIN : IIP_OK;
}

IIP_API int iip_udp_send(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *from,
                         const struct iip_endpoint *to, struct iip_pkt *pkt)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    struct iip_pkt *head;
    int status;
    if (!to)
        to = &sock->peer;
    status = iip_udp_check(stk, sock, to, bytes);
    if (!status)
        status = iip_udp_route(stk, sock, from ? &from->ip : &sock->local.ip, &to->ip);
    if (status)
        return status;
    head = iip_udp_head(stk, pkt);
    if (!head)
        return IIP_E_NOBUFS;
    iip_udp_output(stk, sock, to->port, head, bytes);
    return IIP_OK;
}

/* ==== src/net/udp_input.c ==== */
/* udp_input.c - datagrams in, errors about those that went out, and the notes of both. */

/* [RFC 768; RFC 8200 8.1] IPv6 has no header checksum, so there a datagram without one of its own is refused. */
static int iip_udp_csum_ok(const struct iip_pkt *pkt, const struct iip_rx *rx, const struct iip_udp_hdr *h)
{
    iip_u64 sum;
    if (rx->looped || (pkt->flags & IIP_PKT_L4_CSUM_OK))
        return 1;
    if (!h->has_csum)
        return rx->family == 4;
    sum = iip_ip_pseudo(&rx->src, &rx->dst, rx->family, IIP_PROTO_UDP, h->len);
    return iip_csum_fold(iip_csum_add(sum, iip_pkt_csum(pkt, 0, h->len))) == 0xffff;
}

static void iip_udp_ends(struct iip_endpoint *local, struct iip_endpoint *peer, const struct iip_rx *rx,
                         const struct iip_udp_hdr *h)
{
    local->ip = rx->dst;
    local->port = (iip_u16)h->dst_port;
    local->family = rx->family;
    local->scope = 0;
    peer->ip = rx->src;
    peer->port = (iip_u16)h->src_port;
    peer->family = rx->family;
    peer->scope = 0;
}

/* Nobody is there. Perhaps in another stack; else the sender is told [RFC 1122 4.1.3.1]. */
static iip_verdict iip_udp_nobody(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx,
                                  const struct iip_udp_hdr *h)
{
    iip_u32 owner = stk->share.self;
    if (stk->share.stacks > 1 && !rx->multicast && !rx->looped)
        owner = iip_share_owner(stk, &rx->dst, &rx->src, h->dst_port, h->src_port);
    if (owner != stk->share.self)
        return iip_rx_hand_over(stk, pkt, rx, owner);
    if (rx->family == 4)
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMP_UNREACHABLE, IIP_ICMP_CODE_PORT, 0);
    else
        iip_icmp_unreachable(stk, pkt, rx, IIP_ICMPV6_UNREACHABLE, IIP_ICMPV6_CODE_PORT, 0);
    return IIP_CTR_DROP_UDP_PORT;
}

/* The headers stay in front of the payload: a note reads from them who sent it. */
static iip_verdict iip_udp_queue(struct iip_stack *stk, struct iip_udp_sock *sock, struct iip_pkt *pkt,
                                 const struct iip_rx *rx)
{
    iip_u32 charge = iip_pkt_charge(pkt);
    if (sock->queued + charge > stk->tune.udp_rcvbuf)
        return IIP_CTR_DROP_UDP_FULL;
    sock->queued += charge;
    pkt->seq = charge;
    pkt->data += IIP_UDP_LEN;
    pkt->len -= IIP_UDP_LEN;
    pkt->aux = (iip_u32)(pkt->data - rx->l3);
    iip_pktq_put(&sock->queue, pkt);
    iip_ready_put(stk, &sock->ready);
    return IIP_KEPT;
}

IIP_LOCAL iip_verdict iip_udp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    struct iip_endpoint peer;
    struct iip_udp_hdr h;
    if (pkt->len < IIP_UDP_LEN)
        return IIP_CTR_DROP_UDP_HEADER;
    iip_udp_read(&h, pkt->data);
    if (h.len < IIP_UDP_LEN || h.len > (pkt->next ? iip_pkt_bytes(pkt) : pkt->len))
        return IIP_CTR_DROP_UDP_HEADER;
    if (!iip_udp_csum_ok(pkt, rx, &h))
        return IIP_CTR_DROP_UDP_CSUM;
    iip_udp_ends(&local, &peer, rx, &h);
    sock = iip_udp_find(stk, &local, &peer);
    if (!sock)
        return iip_udp_nobody(stk, pkt, rx, &h);
    if (IIP_UNLIKELY(stk->pressure == IIP_PRESSURE_ALL))
        return IIP_CTR_DROP_PRESSURE;
    iip_pkt_trim(stk, pkt, h.len);
    return iip_udp_queue(stk, sock, pkt, rx);
}

/* [RFC 1122 4.1.3.3] The latest error is kept until it is told. */
IIP_LOCAL int iip_udp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err)
{
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    struct iip_endpoint peer;
    local.ip = err->src;
    local.port = (iip_u16)err->src_port;
    peer.ip = err->dst;
    peer.port = (iip_u16)err->dst_port;
    sock = iip_udp_find(stk, &local, &peer);
    if (!sock)
        return 0;
    if (err->status == IIP_E_MSGSIZE && !iip_ip_same(&err->dst, &sock->path_dst)) /* not where we send: an attempt to plant a path MTU */
        return 0;
    sock->error = *err;
    sock->has_error = 1;
    iip_ready_put(stk, &sock->ready);
    return 1;
}

/* ---- notes ---- */

static void iip_udp_note_error(struct iip_udp_sock *sock, struct iip_note *note)
{
    const struct iip_icmp_error *err = &sock->error;
    iip_note_init(note, IIP_NOTE_UDP_ERROR);
    note->status = err->status;
    note->owner = sock;
    note->user = sock->user;
    note->value = (iip_u32)err->type << 8 | err->code;
    note->local.ip = err->src;
    note->local.port = (iip_u16)err->src_port;
    note->local.family = err->family;
    note->local.scope = 0;
    note->peer.ip = err->dst;
    note->peer.port = (iip_u16)err->dst_port;
    note->peer.family = err->family;
    note->peer.scope = 0;
    sock->has_error = 0;
}

/* Reads an IP header that was checked when the datagram came in. */
static iip_u32 iip_udp_read_ip(struct iip_rx *rx, const iip_u8 *l3)
{
    struct iip_ipv4 v4;
    struct iip_ipv6 v6;
    if (iip_ipv6_is_v6(l3)) {
        iip_ipv6_read(&v6, l3);
        rx->src = v6.src;
        rx->dst = v6.dst;
        rx->family = 6;
        return (iip_u32)v6.tos << 8 | v6.hops;
    }
    iip_ipv4_read(&v4, l3);
    iip_ip_of_v4(&rx->src, v4.src);
    iip_ip_of_v4(&rx->dst, v4.dst);
    rx->family = 4;
    return (iip_u32)v4.tos << 8 | v4.ttl;
}

static void iip_udp_note_data(struct iip_udp_sock *sock, struct iip_note *note)
{
    struct iip_pkt *pkt = iip_pktq_get(&sock->queue);
    struct iip_udp_hdr h;
    struct iip_rx rx;
    iip_note_init(note, IIP_NOTE_UDP);
    sock->queued -= pkt->seq;
    note->owner = sock;
    note->user = sock->user;
    note->pkt = pkt;
    note->value = iip_udp_read_ip(&rx, pkt->data - pkt->aux);
    iip_udp_read(&h, pkt->data - IIP_UDP_LEN);
    iip_udp_ends(&note->local, &note->peer, &rx, &h);
    note->bytes = h.len - IIP_UDP_LEN;
    pkt->total = note->bytes;
}

IIP_LOCAL iip_u32 iip_udp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more)
{
    struct iip_udp_sock *sock = IIP_OUTER(ready, struct iip_udp_sock, ready);
    iip_u32 n = 0;
    (void)stk;
    if (n < cap && sock->has_error)
        iip_udp_note_error(sock, &out[n++]);
    while (n < cap && sock->queue.head)
        iip_udp_note_data(sock, &out[n++]);
    *more = sock->queue.head || sock->has_error;
    return n;
}

/* ==== src/net/net.c ==== */
/* net.c - the room's birth and end, and its timers. */

static int iip_net_tables(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    if (iip_table_init(&stk->net->addrs, &mem))
        return -1;
    if (iip_neigh_init(stk) || iip_reass_init(stk) || iip_pmtu_init(stk))
        return -1;
    return 0;
}

/* What has no secret in it would let others guess how many datagrams we send [RFC 6274 3.5.2, RFC 7739]. */
static void iip_net_seed_ids(struct iip_stack *stk)
{
    iip_u8 label[4] = {'i', 'd', 0, 0};
    iip_u32 i;
    for (i = 0; i < IIP_ID_SLOTS; i++) {
        label[2] = (iip_u8)i;
        stk->net->id[i] = (iip_u32)iip_siphash(stk->key, label, 4);
    }
}

/* Every IPv6 interface has a link-local address [RFC 4291 2.8]. */
static int iip_net_link_local(struct iip_stack *stk)
{
    struct iip_addr *addr;
    struct iip_ip ip;
    if (!stk->l2_len)
        return 0;
    iip_ip_link_local_of(&ip, stk->mac);
    return iip_addr_add_quietly(stk, &ip, 64, &addr);
}

IIP_LOCAL int iip_net_new(struct iip_stack *stk)
{
    stk->net = (struct iip_net *)iip_mem_zalloc(stk, sizeof(*stk->net));
    if (!stk->net || iip_net_tables(stk))
        return -1;
    iip_net_seed_ids(stk);
    return iip_net_link_local(stk) ? -1 : 0;
}

/* Also of what iip_net_new did not finish: tables that were not made are all zero. */
IIP_LOCAL void iip_net_free(struct iip_stack *stk)
{
    struct iip_net *net = stk->net;
    if (net->pmtus.table.seg)
        iip_pmtu_free_all(stk);
    if (net->reassembly.table.seg)
        iip_reass_free_all(stk);
    iip_path_drop(stk, &net->recent.path);
    if (net->neighs.table.seg)
        iip_neigh_free_all(stk);
    iip_addr_free_all(stk);
    iip_route_free_all(stk);
    iip_table_free(&net->addrs);
    iip_mem_free(stk, net, sizeof(*net));
    stk->net = 0;
}

IIP_LOCAL void iip_net_timer(struct iip_stack *stk, struct iip_timer *t)
{
    if (t == &stk->net->pmtus.timer)
        iip_pmtu_timer(stk);
    else
        iip_dad_timer(stk, IIP_OUTER(t, struct iip_addr, timer));
}

/* ==== src/tcp/state.c ==== */
/* state.c - every change of state after the handshake, in one table [RFC 9293 3.3.2, figure 5]. */

/* ==== src/tcp/tcp.h ==== */
/*
 * tcp.h - a connection in the RFC's words, and what the files of this room offer each other.
 *
 *   input.c    3.10.7: decode, look up, CLOSED, the predicted path     steps.c   3.10.7.4: the eight steps
 *   listen.c   3.10.7.2 and half-open connections, cookie.c            synsent.c 3.10.7.3
 *   ack.c      what an acceptable ACK does      recover.c  loss: scoreboard, recovery, what to send again; undo.c: it was none
 *   text.c     in-order delivery, out-of-order hold; text.h
 *   predict.c, plain.c  the short ways in and out         window.h  both windows
 *   output.c   what may be sent now             segment.c  how it is built        reply.c  RST, challenge ACK, bare segments
 *   timer.c    rto.c    cc.c newreno.c cubic.c  mini.c timewait.c  table.c  state.c  port.c  conn.c  user.c  option.c  note.c  icmp.c
 */




/* ---- what stands in the table: connections, half-open ones, TIME-WAIT ---- */

enum { IIP_ID_CONN = 1, IIP_ID_HALF, IIP_ID_WAIT };

struct iip_tcp_id {
    struct iip_node node;  /* node.word: local port << 16 | remote port */
    iip_u8 kind;           /* IIP_ID_... */
    iip_u8 family;         /* 4 or 6; 6: both addresses lie behind the object */
    iip_u8 state;          /* a connection's IIP_TCP_...; a half-open's or TIME-WAIT's: ACKs that answered, of late */
    iip_u8 options;        /* IIP_HAS_... that both sides agreed on; in SYN-SENT: that we offered */
    iip_u32 local4;        /* IPv4 addresses in memory order */
    iip_u32 remote4;
    iip_u32 word;          /* a connection's: IRS; a half-open's or TIME-WAIT's: tick at which it is looked at */
};

/* A tuple spelt out. */
struct iip_tcp_tuple {
    struct iip_ip local, remote;
    iip_u16 local_port, remote_port;
    iip_u8 family;
};

/* A half-open connection or one in TIME-WAIT: 56 bytes for IPv4. Times in ticks of 256 us, modulo 2^32. */
struct iip_tcp_mini {
    struct iip_tcp_id id;
    iip_u32 snd_nxt;       /* half-open: ISS + 1 */
    iip_u32 rcv_nxt;
    iip_u32 ts_recent;
    iip_u16 mss;           /* half-open: what the peer announced, 0: nothing; TIME-WAIT: since when answers count, 2^16 us */
    iip_u8 wscale;         /* half-open: of the peer; << 4: ours, 15 where it was not offered */
    iip_u8 retries;        /* half-open: SYN-ACKs sent again */
    iip_u32 prev, next;    /* FIFO by id.word: references, 0: none */
};

struct iip_tcp_fifo {
    iip_u32 head, tail;    /* references */
    iip_u32 count;
};

/* The records of one family; `free` is a list by `next`. */
struct iip_tcp_minis {
    iip_u8 **chunk;
    iip_u32 chunks, room;  /* chunks that there are, and that the directory has room for */
    iip_u32 size;          /* bytes of a record */
    iip_u32 free;          /* reference */
};

/* ---- a connection ---- */

struct iip_tcp_cc;

struct iip_tcp_cc_state { /* CUBIC's; NewReno counts bytes in w_est */
    iip_u32 w_max, prior, w_est, k;
    iip_u64 epoch_us, seen_us; /* when the curve began, and when the window was last looked at */
};

/* What only a connection needs that lost or disordered something: made when first needed. */
struct iip_tcp_repair {
    struct iip_ranges sacked;  /* sent, and selectively acknowledged */
    struct iip_ranges ooo;     /* received, with a hole in front */
    struct iip_sack_block recent[IIP_SACK_MAX]; /* where the latest segments fell, latest first */
    struct iip_sack_block dsack;                /* the last duplicate, to be reported once */
    iip_u8 has_dsack;
    iip_u32 fin_seq;           /* the number of a FIN with a hole in front */
    struct iip_pkt *rtx_cur;   /* where in the queue the last retransmission was, or null */
    iip_u32 retransmits, rto_count;
    struct iip_tcp_cc_state cc;
    struct {                   /* what the last loss cost: see undo.c */
        iip_u32 cwnd, ssthresh; /* cwnd 0: nothing to take back */
        struct iip_tcp_cc_state cc;
        iip_u32 from, to;      /* what was outstanding */
        iip_u32 bytes;         /* sent again, and not reported as duplicates */
        iip_u32 ts;            /* of the first of them */
    } undo;
};

/* What only few connections need: made when first needed, with the stack's tunables as defaults. */
struct iip_tcp_extra {
    iip_u64 user_timeout_us, keepidle_us;
    iip_u64 stalled_at;        /* since when nothing was acknowledged of what was sent, or waits for a window */
    iip_u32 keepintvl_us;
    iip_u32 snd_up, rcv_up;
    iip_u32 challenge_us;      /* start of the second in which challenges are counted, us modulo 2^32 */
    iip_s32 error;             /* of NOTE_ERROR */
    iip_u32 error_value;
    iip_u8 challenges, keepcnt, syn_retries;
};

enum { /* conn->flags */
    IIP_F_TOUCHED = 1 << 0,     /* on the list of those that output will look at */
    IIP_F_ACK_NOW = 1 << 1,     /* an ACK must leave in this call */
    IIP_F_ACK_DUE = 1 << 2,     /* an ACK is due, but may ride on the answer to what was just handed up */
    IIP_F_ACK_DELAYED = 1 << 3, /* an ACK is owed at ack_at */
    IIP_F_NODELAY = 1 << 4,
    IIP_F_CORK = 1 << 5,
    IIP_F_QUICKACK = 1 << 6,
    IIP_F_KEEPALIVE = 1 << 7,
    IIP_F_FIN_QUEUED = 1 << 8,  /* FIN follows the last queued byte */
    IIP_F_DETACHED = 1 << 9,    /* the application closed: nothing more is delivered */
    IIP_F_RECOVERY = 1 << 10,   /* fast recovery until `recover` is acknowledged */
    IIP_F_LOSS = 1 << 11,       /* after a timeout, until `recover` is acknowledged */
    IIP_F_PERSIST = 1 << 12,    /* rto_at is the persist timer */
    IIP_F_RTT_PENDING = 1 << 13,/* rtt_seq is being timed */
    IIP_F_PASSIVE = 1 << 14,    /* MUST-11: came from LISTEN */
    IIP_F_WANT_WRITE = 1 << 15, /* the application was refused: WRITABLE follows */
    IIP_F_URG_SEND = 1 << 16,   /* snd_up is ahead of snd.una */
    IIP_F_URG_RECV = 1 << 17,   /* rcv_up is ahead of rcv.nxt */
    IIP_F_SYN_LOST = 1 << 18,   /* RFC 6298 5.7: a SYN was sent again */
    IIP_F_TOLD_R1 = 1 << 19,
    IIP_F_ACCEPTING = 1 << 20,  /* counted in its listener's backlog */
    IIP_F_FIN_SEEN = 1 << 21,   /* the peer's FIN has the number repair->fin_seq */
    /* notes that wait to be taken, in the order in which they are; data comes behind the first three */
    IIP_F_NOTE_ACCEPT = 1 << 22,
    IIP_F_NOTE_CONNECTED = 1 << 23,
    IIP_F_NOTE_URGENT = 1 << 24,
    IIP_F_NOTE_ERROR = 1 << 25,
    IIP_F_NOTE_WRITABLE = 1 << 26,
    IIP_F_NOTE_FIN = 1 << 27,
    IIP_F_NOTE_CLOSED = 1 << 28,
    IIP_F_DISORDER = 1 << 29,   /* duplicate ACKs were counted, or there is something out of order in either direction */
    IIP_F_NOTE_ANY = 0x7f << 22,
    IIP_F_ACK_ANY = (1 << 1) | (1 << 2) | (1 << 3)
};

struct iip_tcp_conn {
    struct iip_tcp_id id;
    iip_u32 flags;
    struct {
        iip_u32 una, nxt, wnd, wl1;
        iip_u32 end;           /* one past the last byte queued; FIN has this number */
        iip_u32 wl2;
        iip_u32 max_wnd;
    } snd;
    struct {
        iip_u32 nxt;
        iip_u32 edge;          /* right edge of the window that the peer was told */
        iip_u32 acked;         /* RCV.NXT when the last ACK was sent */
        iip_u32 held;          /* window bytes of packets not yet credited */
    } rcv;
    iip_u32 ts_recent, ts_off;
    iip_u32 iss;               /* id.word: IRS */
    iip_u32 sent_us;           /* when something was sent last, us modulo 2^32 */
    struct iip_pkt *snd_head;  /* queue from snd.una on */
    struct iip_pkt *snd_cur;   /* packet that holds snd.nxt, or null at the end */
    struct iip_pkt *snd_tail;
    struct iip_pkt *rcv_tail;  /* in-order packets not yet taken, circular */
    iip_u32 cwnd, ssthresh;
    iip_u32 rcvbuf, sndbuf;
    iip_u16 mss;               /* payload bytes of a full segment, timestamps considered, SACK blocks not */
    iip_u8 snd_wscale, rcv_wscale;
    iip_u8 ttl, tos, cc, retries;
    struct iip_path path;
    struct iip_tcp_conn *touched;
    struct iip_ready ready;    /* half: the peer's MSS; word: when ts_recent was taken, 2^20 us */
    void *user;                /* the application's cookie; until ACCEPT was taken, the listener */

    struct iip_timer timer;    /* word: why it ended, the status of NOTE_CLOSED */
    iip_u64 rto_at, ack_at, idle_at; /* absolute, or IIP_NEVER */
    iip_u32 srtt8, rttvar4, rto_us;  /* scaled as RFC 6298 suggests: 8 srtt, 4 rttvar */
    iip_u32 rtt_seq, rtt_sent;       /* the segment being timed and when it was sent, us modulo 2^32 */
    iip_u32 recover;           /* RFC 6582: snd.nxt when recovery began */
    iip_u32 rtx_next;          /* the next byte to send again */
    iip_u32 lost_edge;         /* bytes below this that were not SACKed are lost */
    struct iip_tcp_repair *repair;
    struct iip_tcp_extra *extra;
    iip_u16 out_wraps, in_wraps; /* how often bit 31 of snd.una and of rcv.nxt changed */
    iip_u16 dup_acks;
    iip_u8 probes, quickacks;
};

struct iip_tcp_listener {
    struct iip_tcp_listener *next;
    struct iip_endpoint local;
    iip_u32 backlog;
    iip_u32 waiting;           /* connections whose ACCEPT note was not taken */
    void *user;
};

enum { IIP_LISTEN_BUCKETS = 64, IIP_HALF_QUEUES = 8, IIP_MINIS_CHUNK = 64 };

struct iip_tcp {
    struct iip_table table;
    struct iip_tcp_conn *recent;                /* of the packet that came last by the short way, or null */
    struct iip_tcp_conn *touched_head, *touched_tail;
    struct iip_tcp_listener *listeners[IIP_LISTEN_BUCKETS];
    struct iip_pool conns4, conns6;
    struct iip_tcp_minis minis4, minis6;
    struct iip_tcp_fifo wait;                   /* TIME-WAIT */
    struct iip_tcp_fifo half[IIP_HALF_QUEUES];  /* half-open, by retries */
    iip_u32 half_count;
    iip_u32 half_wnd;                           /* the largest window that any of them was told */
    struct iip_timer mini_timer;
    struct iip_bucket rst_bucket;
    iip_u32 port_next;                          /* ports drawn so far */
    iip_u64 port_bits;                          /* of which the next ones come */
    iip_u64 *cookies;                           /* that opened a connection, by their hashes; null: none yet */
};

/* A verdict of a step of 3.10.7.4: go on with the next one. */
enum { IIP_NEXT_STEP = IIP_HELD + 1 };

/* A segment on its way through the steps. */
struct iip_tcp_arrival {
    struct iip_tcp_seg seg;
    struct iip_pkt *pkt;       /* at the payload; null once the text step took it */
    iip_u32 skip;              /* bytes at its front that are here already */
    const struct iip_rx *rx;
};

/* Of a connection whose ACCEPT note was not taken (IIP_F_ACCEPTING). */
IIP_INLINE struct iip_tcp_listener *iip_tcp_listener_of(const struct iip_tcp_conn *conn)
{
    return (struct iip_tcp_listener *)conn->user;
}

IIP_INLINE iip_u32 iip_tcp_ports(iip_u32 local, iip_u32 remote)
{
    return local << 16 | remote;
}

/* ---- table.c ---- */
IIP_INLINE int iip_tcp_id_is4(const struct iip_tcp_id *id, iip_u32 local, iip_u32 remote, iip_u32 ports)
{
    return id->node.word == ports && id->remote4 == remote && id->local4 == local && id->family == 4;
}

IIP_INLINE struct iip_tcp_id *iip_tcp_find4(struct iip_stack *stk, iip_u32 local, iip_u32 remote, iip_u32 ports)
{
    iip_u32 hash = iip_hash_tuple4(&stk->hash_key, local, remote, ports);
    struct iip_node *node = *iip_table_bucket(&stk->tcp->table, hash);
    struct iip_tcp_id *id;
    for (; node; node = node->next) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (node->hash == hash && iip_tcp_id_is4(id, local, remote, ports))
            return id;
    }
    return 0;
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup(struct iip_stack *stk, const struct iip_rx *rx, iip_u32 ports);
IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup_tuple(struct iip_stack *stk, const struct iip_tcp_tuple *t);
IIP_LOCAL void iip_tcp_id_init(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind,
                               const struct iip_tcp_tuple *t);
/* The same tuple goes on as another object, which takes its place in the table; its state is 0. */
IIP_LOCAL void iip_tcp_id_take(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind, struct iip_tcp_id *from);
IIP_LOCAL void iip_tcp_tuple_of(const struct iip_tcp_id *id, struct iip_tcp_tuple *t);
IIP_LOCAL void iip_tcp_tuple_rx(struct iip_tcp_tuple *t, const struct iip_rx *rx, const struct iip_tcp_seg *seg);
IIP_LOCAL struct iip_tcp_listener *iip_tcp_listener_for(struct iip_stack *stk, const struct iip_tcp_tuple *t);

/* ---- state.c ---- */
enum { IIP_EV_SEND_FIN, IIP_EV_RECEIVE_FIN, IIP_EV_FIN_ACKED };
IIP_LOCAL void iip_tcp_transit(struct iip_tcp_conn *conn, iip_u32 event);
/* May text arrive, may text be sent in this state? */
IIP_LOCAL int iip_tcp_receives(const struct iip_tcp_conn *conn);
IIP_LOCAL int iip_tcp_sends(const struct iip_tcp_conn *conn);

/* ---- conn.c ---- */
/* `from`: the half-open record whose place in the table it takes, or null. */
IIP_LOCAL struct iip_tcp_conn *iip_tcp_conn_new(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                                struct iip_tcp_id *from, void *user);
/* Ends a connection: out of the table, queues freed; the CLOSED note still waits. */
IIP_LOCAL void iip_tcp_end(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason);
IIP_LOCAL void iip_tcp_conn_free(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_unaccepted(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_touch(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_notify(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 note_flag);
IIP_LOCAL void iip_tcp_soft_error(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 status, iip_u32 value);
IIP_LOCAL struct iip_tcp_repair *iip_tcp_repair(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL struct iip_tcp_extra *iip_tcp_extra(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL iip_u64 iip_tcp_user_timeout(const struct iip_stack *stk, const struct iip_tcp_conn *conn);
IIP_LOCAL int iip_tcp_ranges_reserve(struct iip_stack *stk, struct iip_ranges *set, iip_u32 left, iip_u32 right);
/* The peer's and the path's MSS, after the handshake and when the path changes. */
IIP_LOCAL void iip_tcp_mss_update(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_path_check(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL iip_u32 iip_tcp_mss_offer(struct iip_stack *stk, const struct iip_tcp_tuple *t);
/* IIP_HAS_... of what our SYNs carry: what is switched on, and has a place in the order. */
IIP_LOCAL iip_u32 iip_tcp_offers(const struct iip_stack *stk);
IIP_LOCAL iip_u32 iip_tcp_wscale_offer(const struct iip_stack *stk, iip_u32 rcvbuf);
/* Takes over what a SYN-ACK offers in answer to ours, or a SYN: all that `seg` has was agreed to, conn->rcv_wscale is ours. */
IIP_LOCAL void iip_tcp_negotiate(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* The handshake is complete: buffers, window and congestion control begin. */
IIP_LOCAL void iip_tcp_establish(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* ---- port.c: ISN, timestamp offset, ephemeral port ---- */
struct iip_tcp_secret {
    iip_u32 iss;
    iip_u32 ts_off;
};
IIP_LOCAL void iip_tcp_secret_of(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_secret *out);
IIP_LOCAL int iip_tcp_port_choose(struct iip_stack *stk, struct iip_tcp_tuple *t);
IIP_INLINE iip_u32 iip_tcp_ts_now(const struct iip_stack *stk, iip_u32 ts_off)
{
    return (iip_u32)(stk->now >> 10) + ts_off; /* [RFC 7323 5.4] a tick of 1.024 ms */
}

/* [RFC 7323 4.3] TS.Recent, and its age [5.5]. */
IIP_INLINE void iip_tcp_ts_keep(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ts_val)
{
    conn->ts_recent = ts_val;
    conn->ready.word = (iip_u32)(stk->now >> 20);
}

/* ---- listen.c, cookie.c, synsent.c, steps.c, timewait.c: 3.10.7 ---- */
IIP_LOCAL iip_verdict iip_tcp_listen_syn(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                         struct iip_tcp_arrival *arr, const iip_u32 *used);
IIP_LOCAL iip_verdict iip_tcp_listen_input(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                           struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_half_input(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_half_drop(struct iip_stack *stk, struct iip_tcp_mini *half);
IIP_LOCAL void iip_tcp_half_due(struct iip_stack *stk, struct iip_tcp_mini *half);
IIP_LOCAL struct iip_tcp_conn *iip_tcp_accept(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                              const struct iip_tcp_tuple *t, struct iip_tcp_id *half,
                                              const struct iip_tcp_seg *syn, iip_u32 iss);
IIP_LOCAL iip_u32 iip_tcp_cookie_make(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                      const struct iip_tcp_seg *syn);
/* 1, *syn filled with what the SYN said, and *hash, when the ACK brings back a cookie of ours that opened nothing yet. */
IIP_LOCAL int iip_tcp_cookie_check(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *seg,
                                   struct iip_tcp_seg *syn, iip_u64 *hash);
/* 1: there is memory to remember used cookies by. */
IIP_LOCAL int iip_tcp_cookies_ready(struct iip_stack *stk);
/* The cookie with this hash opened a connection. */
IIP_LOCAL void iip_tcp_cookie_used(struct iip_stack *stk, iip_u64 hash);
IIP_LOCAL void iip_tcp_cookies_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_tcp_synsent_input(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_segment_arrives(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                              struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_wait_input(struct iip_stack *stk, struct iip_tcp_mini *wait, struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_closed_input(struct iip_stack *stk, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_time_wait(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_wait_drop(struct iip_stack *stk, struct iip_tcp_mini *wait);
/* ---- mini.c ---- */
/* The reference of record `i` of its family: the family in the lowest bit, and never 0. */
IIP_INLINE iip_u32 iip_tcp_mini_ref(iip_u32 i, iip_u32 six)
{
    return (i + 1) << 1 | six;
}

IIP_INLINE struct iip_tcp_mini *iip_tcp_mini_at(const struct iip_tcp *tcp, iip_u32 ref)
{
    const struct iip_tcp_minis *pool = ref & 1 ? &tcp->minis6 : &tcp->minis4;
    iip_u32 i = (ref >> 1) - 1;
    return (struct iip_tcp_mini *)(void *)(pool->chunk[i / IIP_MINIS_CHUNK] + i % IIP_MINIS_CHUNK * pool->size);
}

IIP_LOCAL void iip_tcp_minis_init(struct iip_tcp_minis *pool, iip_u32 size);
IIP_LOCAL void iip_tcp_minis_free(struct iip_stack *stk, struct iip_tcp_minis *pool);
/* Zeroed, in no queue, and not yet in the table. */
IIP_LOCAL struct iip_tcp_mini *iip_tcp_mini_new(struct iip_stack *stk, iip_u32 family);
IIP_LOCAL void iip_tcp_mini_free(struct iip_stack *stk, struct iip_tcp_mini *mini);
IIP_LOCAL void iip_tcp_fifo_put(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini,
                                iip_u64 delay_us);
IIP_LOCAL void iip_tcp_fifo_del(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini);
IIP_LOCAL iip_u64 iip_tcp_mini_due(const struct iip_stack *stk);
IIP_LOCAL void iip_tcp_mini_ack(struct iip_stack *stk, const struct iip_tcp_mini *mini, iip_u32 wnd);
/* The same in answer to what is out of place, within the limits of the stack; `counts`: and within those of the record. */
IIP_LOCAL void iip_tcp_mini_answer(struct iip_stack *stk, struct iip_tcp_mini *mini, iip_u32 wnd, int counts);
/* What the peer of a record is taken to have been told. */
IIP_INLINE iip_u32 iip_tcp_mini_window(const struct iip_stack *stk)
{
    return iip_min32((iip_u32)stk->tune.tcp_rcvbuf, 65535);
}

/* ---- ack.c, recover.c, text.c ---- */
IIP_LOCAL iip_verdict iip_tcp_step_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_ack_advance(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* ---- input.c: a segment whose predicted path was tried, to the state that it meets; `id`: whose it is, or null ---- */
IIP_LOCAL iip_verdict iip_tcp_arrives(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_tcp_arrival *arr);
/* ---- predict.c: the segment that was expected ---- */
/* The short way of a segment of `conn`, options not yet decoded: its verdict, or IIP_NEXT_STEP when it must go the long way. */
IIP_LOCAL iip_verdict iip_tcp_predict(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_seg *seg,
                                      struct iip_pkt *pkt);
IIP_LOCAL void iip_tcp_window_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 wnd);
IIP_LOCAL void iip_tcp_sack_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
IIP_LOCAL void iip_tcp_dup_ack(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_recovery_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 acked);
IIP_LOCAL void iip_tcp_loss_begin(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* All that was outstanding when it began has arrived, or was never lost. */
IIP_LOCAL void iip_tcp_recovery_end(struct iip_tcp_conn *conn);
/* ---- undo.c ---- */
/* A loss was noticed: what it will cost is remembered. */
IIP_LOCAL void iip_tcp_undo_mark(struct iip_tcp_conn *conn);
/* What is sent again from now on, nobody took for lost. */
IIP_LOCAL void iip_tcp_undo_forget(struct iip_tcp_conn *conn);
/* `len` bytes are sent again. */
IIP_LOCAL void iip_tcp_undo_sent(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len);
/* An ACK, before SND.UNA moves: does it say that nothing was lost? 1: it reports a duplicate, and answers nothing else. */
IIP_LOCAL int iip_tcp_undo_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* Bytes in the network as RFC 6675 estimates them. */
IIP_LOCAL iip_u32 iip_tcp_pipe_disordered(const struct iip_tcp_conn *conn);
IIP_INLINE iip_u32 iip_tcp_pipe(const struct iip_tcp_conn *conn)
{
    if (IIP_UNLIKELY(conn->flags & (IIP_F_DISORDER | IIP_F_RECOVERY | IIP_F_LOSS)))
        return iip_tcp_pipe_disordered(conn);
    return conn->snd.nxt - conn->snd.una;
}
/* The next lost bytes to send again: 1 and [*seq, *seq + *len). */
IIP_LOCAL int iip_tcp_next_lost(const struct iip_tcp_conn *conn, iip_u32 *seq, iip_u32 *len);
/* Takes arr->pkt where it is of use; IIP_NEXT_STEP, or why not. */
IIP_LOCAL iip_verdict iip_tcp_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr);
/* Appends a packet that is next in order to what the application will be handed; RCV.NXT moves on. */
IIP_LOCAL void iip_tcp_deliver(struct iip_tcp_conn *conn, struct iip_pkt *pkt);
/* [RFC 2883] the next ACK reports [left, right) as a duplicate. */
IIP_LOCAL void iip_tcp_dsack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right);
/* A large packet counts for the segments that the port cuts it into; the first is counted where all are. */
IIP_INLINE void iip_tcp_count_cut(struct iip_stack *stk, iip_u32 len, iip_u32 seg_size)
{
    stk->ctr[IIP_CTR_TCP_SEGS_OUT] += (len - 1) / seg_size;
}
IIP_LOCAL iip_u32 iip_tcp_unread(const struct iip_tcp_conn *conn);
IIP_LOCAL iip_u32 iip_tcp_sack_blocks(const struct iip_tcp_conn *conn, struct iip_sack_block *out, iip_u32 cap);

/* ---- output.c, segment.c, reply.c ---- */
IIP_LOCAL int iip_tcp_output(struct iip_stack *stk, struct iip_tcp_conn *conn, int hold);
/* Sends [seq, seq + len) of the queue with `flags`; 0 when there was no memory. */
IIP_LOCAL int iip_tcp_segment(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len,
                              iip_u32 flags);
/* Writes all headers in front of a payload and sends it; 0: it is not plain, and was left alone (plain.c). */
IIP_LOCAL int iip_tcp_plain_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags);
/* Sends packets of the queue, new and in order, while each is a segment as it stands; 1 when that was all there was to do (plain.c). */
IIP_LOCAL int iip_tcp_plain_output(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Writes link and IP header in front of a whole TCP header and sends it; 0: its path is not plain, and it was left alone (plain.c). */
IIP_LOCAL int iip_tcp_plain_bare(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                                 const struct iip_path *path);
IIP_LOCAL int iip_tcp_send_syn(struct iip_stack *stk, struct iip_tcp_conn *conn);
/*
 * A segment without text into an empty packet, and out. The caller fills seq, ack, flags, wnd and, with `has`, options; a
 * SYN carries them in the tuned order, others timestamps only.
 */
IIP_LOCAL void iip_tcp_bare_to(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_tuple *t,
                               struct iip_tcp_seg *seg, struct iip_path *path, iip_u32 tos, iip_u32 ttl);
/* The same without a connection: packet and path are found here. */
IIP_LOCAL void iip_tcp_bare(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_seg *seg, iip_u32 tos);
IIP_LOCAL void iip_tcp_reset_reply(struct iip_stack *stk, const struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_reset_send(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq);
IIP_LOCAL void iip_tcp_challenge(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Writes TCP checksum or its mark, for a packet whose data is at the TCP header; body_sum is the payload's partial sum, if it was made. */
IIP_LOCAL void iip_tcp_checksum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ip *src,
                                const struct iip_ip *dst, iip_u32 family, int loop);

/* ---- timer.c, rto.c ---- */
IIP_LOCAL void iip_tcp_arm(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_rto_again(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Before `seg`, an ACK of what was sent again, ends the count of retransmissions. */
IIP_LOCAL void iip_tcp_rto_keep(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* The user timeout is never overslept. */
IIP_LOCAL void iip_tcp_rto_limit(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* [RFC 6298 5.1 - 5.3] A round trip that became shorter may bring the deadline before the timer's. */
IIP_INLINE void iip_tcp_rto_start(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (IIP_UNLIKELY(conn->retries || conn->extra)) {
        iip_tcp_rto_again(stk, conn);
        return;
    }
    conn->rto_at = stk->now + conn->rto_us;
    if (IIP_UNLIKELY(!iip_timer_armed(&conn->timer) || conn->rto_at < conn->timer.at))
        iip_tcp_arm(stk, conn);
}
IIP_LOCAL void iip_tcp_rtt_sample(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 rtt_us);
/* What was sent again since rtt_sent is acknowledged: a sample, if timestamps say of which transmission. */
IIP_LOCAL void iip_tcp_rtt_echo(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
IIP_LOCAL void iip_tcp_persist_start(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* The window changed while probes were sent: what a probe carried is sent again at once if need be. */
IIP_LOCAL void iip_tcp_persist_end(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_idle_restart(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* ---- congestion control: one const table an algorithm; it knows cwnd, ssthresh and its own state, nothing else ---- */
struct iip_tcp_cc {
    const char *name;
    void (*start)(struct iip_tcp_conn *conn); /* what was learnt of the network counts no more */
    /* `acked` bytes were acknowledged, outside of recovery; cwnd was the limit. */
    void (*on_ack)(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now);
    /* A loss was noticed with `flight` bytes outstanding: sets ssthresh. */
    void (*on_loss)(struct iip_tcp_conn *conn, iip_u32 flight);
};
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cc_of(const struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_slow_start(struct iip_tcp_conn *conn, iip_u32 acked);
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_newreno(void);
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cubic(void);

/* Every segment carries the latest ACK: what was owed is paid. */
IIP_INLINE void iip_tcp_ack_paid(struct iip_tcp_conn *conn)
{
    conn->rcv.acked = conn->rcv.nxt;
    conn->flags &= ~(iip_u32)IIP_F_ACK_ANY;
    conn->ack_at = IIP_NEVER;
}

/* Every retransmission is counted where the loss is kept. */
IIP_INLINE void iip_tcp_count_rtx(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_count(stk, IIP_CTR_TCP_RETRANS);
    if (conn->repair)
        conn->repair->retransmits++;
}

IIP_INLINE struct iip_tcp_conn *iip_tcp_conn_of_id(struct iip_tcp_id *id)
{
    return IIP_OUTER(id, struct iip_tcp_conn, id);
}

IIP_INLINE struct iip_tcp_mini *iip_tcp_mini_of_id(struct iip_tcp_id *id)
{
    return IIP_OUTER(id, struct iip_tcp_mini, id);
}

static const iip_u8 iip_tcp_next_state[IIP_TCP_TIME_WAIT + 1][3] = {
    /* state             SEND_FIN            RECEIVE_FIN           FIN_ACKED */
    /* CLOSED       */ { IIP_TCP_CLOSED,     IIP_TCP_CLOSED,       IIP_TCP_CLOSED },
    /* LISTEN       */ { IIP_TCP_LISTEN,     IIP_TCP_LISTEN,       IIP_TCP_LISTEN },
    /* SYN_SENT     */ { IIP_TCP_SYN_SENT,   IIP_TCP_SYN_SENT,     IIP_TCP_SYN_SENT },
    /* SYN_RECEIVED */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSE_WAIT,   IIP_TCP_SYN_RECEIVED },
    /* ESTABLISHED  */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSE_WAIT,   IIP_TCP_ESTABLISHED },
    /* FIN_WAIT_1   */ { IIP_TCP_FIN_WAIT_1, IIP_TCP_CLOSING,      IIP_TCP_FIN_WAIT_2 },
    /* FIN_WAIT_2   */ { IIP_TCP_FIN_WAIT_2, IIP_TCP_TIME_WAIT,    IIP_TCP_FIN_WAIT_2 },
    /* CLOSE_WAIT   */ { IIP_TCP_LAST_ACK,   IIP_TCP_CLOSE_WAIT,   IIP_TCP_CLOSE_WAIT },
    /* CLOSING      */ { IIP_TCP_CLOSING,    IIP_TCP_CLOSING,      IIP_TCP_TIME_WAIT },
    /* LAST_ACK     */ { IIP_TCP_LAST_ACK,   IIP_TCP_LAST_ACK,     IIP_TCP_CLOSED },
    /* TIME_WAIT    */ { IIP_TCP_TIME_WAIT,  IIP_TCP_TIME_WAIT,    IIP_TCP_TIME_WAIT }
};

IIP_LOCAL void iip_tcp_transit(struct iip_tcp_conn *conn, iip_u32 event)
{
    conn->id.state = iip_tcp_next_state[conn->id.state][event];
}

IIP_LOCAL int iip_tcp_receives(const struct iip_tcp_conn *conn)
{
    return conn->id.state >= IIP_TCP_ESTABLISHED && conn->id.state <= IIP_TCP_FIN_WAIT_2;
}

IIP_LOCAL int iip_tcp_sends(const struct iip_tcp_conn *conn)
{
    return conn->id.state >= IIP_TCP_ESTABLISHED && conn->id.state != IIP_TCP_FIN_WAIT_2;
}

/* ==== src/tcp/table.c ==== */
/* table.c - which connection, half-open connection, TIME-WAIT or listener a tuple belongs to. */

/* The addresses of an IPv6 object lie behind it. */
static struct iip_ip *iip_tcp_id_ip6(const struct iip_tcp_id *id)
{
    iip_size size = id->kind == IIP_ID_CONN ? sizeof(struct iip_tcp_conn) : sizeof(struct iip_tcp_mini);
    return (struct iip_ip *)(void *)((iip_u8 *)(iip_uptr)id + ((size + 7) & ~(iip_size)7));
}

static iip_u32 iip_tcp_hash6(struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *remote,
                             iip_u32 ports)
{
    iip_u32 w[IIP_HASH_WORDS];
    IIP_COPY(w, local->b, 16);
    IIP_COPY(w + 4, remote->b, 16);
    w[8] = ports;
    w[9] = 6;
    return iip_hash_words(&stk->hash_key, w, IIP_HASH_WORDS);
}

static struct iip_tcp_id *iip_tcp_find6(struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *remote,
                                        iip_u32 ports)
{
    iip_u32 hash = iip_tcp_hash6(stk, local, remote, ports);
    struct iip_node *node = *iip_table_bucket(&stk->tcp->table, hash);
    struct iip_tcp_id *id;
    const struct iip_ip *ip;
    for (; node; node = node->next) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (node->hash != hash || node->word != ports || id->family != 6)
            continue;
        ip = iip_tcp_id_ip6(id);
        if (iip_ip_same(&ip[0], local) && iip_ip_same(&ip[1], remote))
            return id;
    }
    return 0;
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup(struct iip_stack *stk, const struct iip_rx *rx, iip_u32 ports)
{
    if (rx->family == 4)
        return iip_tcp_find4(stk, iip_raw32(rx->dst.b + 12), iip_raw32(rx->src.b + 12), ports);
    return iip_tcp_find6(stk, &rx->dst, &rx->src, ports);
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup_tuple(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u32 ports = iip_tcp_ports(t->local_port, t->remote_port);
    if (t->family == 4)
        return iip_tcp_find4(stk, iip_raw32(t->local.b + 12), iip_raw32(t->remote.b + 12), ports);
    return iip_tcp_find6(stk, &t->local, &t->remote, ports);
}

IIP_LOCAL void iip_tcp_id_init(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind,
                               const struct iip_tcp_tuple *t)
{
    struct iip_ip *ip;
    id->kind = (iip_u8)kind;
    id->family = t->family;
    id->node.word = iip_tcp_ports(t->local_port, t->remote_port);
    if (t->family == 4) {
        id->local4 = iip_raw32(t->local.b + 12);
        id->remote4 = iip_raw32(t->remote.b + 12);
        id->node.hash = iip_hash_tuple4(&stk->hash_key, id->local4, id->remote4, id->node.word);
    } else {
        ip = iip_tcp_id_ip6(id);
        ip[0] = t->local;
        ip[1] = t->remote;
        id->node.hash = iip_tcp_hash6(stk, &t->local, &t->remote, id->node.word);
    }
    iip_table_add(&stk->tcp->table, &id->node);
}

IIP_LOCAL void iip_tcp_id_take(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind, struct iip_tcp_id *from)
{
    struct iip_ip *ip;
    const struct iip_ip *from_ip;
    *id = *from;
    id->kind = (iip_u8)kind;
    id->state = 0;
    if (id->family == 6) {
        ip = iip_tcp_id_ip6(id);
        from_ip = iip_tcp_id_ip6(from);
        ip[0] = from_ip[0];
        ip[1] = from_ip[1];
    }
    iip_table_replace(&stk->tcp->table, &from->node, &id->node);
}

IIP_LOCAL void iip_tcp_tuple_of(const struct iip_tcp_id *id, struct iip_tcp_tuple *t)
{
    const struct iip_ip *ip;
    t->family = id->family;
    t->local_port = (iip_u16)(id->node.word >> 16);
    t->remote_port = (iip_u16)id->node.word;
    if (id->family == 4) {
        iip_ip_of_v4(&t->local, id->local4);
        iip_ip_of_v4(&t->remote, id->remote4);
        return;
    }
    ip = iip_tcp_id_ip6(id);
    t->local = ip[0];
    t->remote = ip[1];
}

IIP_LOCAL void iip_tcp_tuple_rx(struct iip_tcp_tuple *t, const struct iip_rx *rx, const struct iip_tcp_seg *seg)
{
    t->family = rx->family;
    t->local = rx->dst;
    t->remote = rx->src;
    t->local_port = seg->dst_port;
    t->remote_port = seg->src_port;
}

/* The most special listener wins: its address before any address. */
IIP_LOCAL struct iip_tcp_listener *iip_tcp_listener_for(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    struct iip_tcp_listener *lis = stk->tcp->listeners[t->local_port % IIP_LISTEN_BUCKETS];
    struct iip_tcp_listener *any = 0;
    for (; lis; lis = lis->next) {
        if (lis->local.port != t->local_port || (lis->local.family && lis->local.family != t->family))
            continue;
        if (iip_ip_same(&lis->local.ip, &t->local))
            return lis;
        if (iip_ip_any(&lis->local.ip))
            any = lis;
    }
    return any;
}

/* ==== src/tcp/port.c ==== */
/* port.c - what an outsider must not guess: initial sequence numbers, timestamp offsets, ephemeral ports. */

enum { IIP_PORT_FIRST = 1024, IIP_PORT_COUNT = 65536 - IIP_PORT_FIRST };

/* Both addresses, of which IPv4's are in their last four bytes, and both ports. */
static iip_u64 iip_tcp_tuple_siphash(const struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u8 b[36];
    if (IIP_LIKELY(t->family == 4)) {
        IIP_COPY(b, t->local.b + 12, 4);
        IIP_COPY(b + 4, t->remote.b + 12, 4);
        iip_put32(b + 8, iip_tcp_ports(t->local_port, t->remote_port));
        return iip_siphash_12(stk->key, b);
    }
    IIP_COPY(b, t->local.b, 16);
    IIP_COPY(b + 16, t->remote.b, 16);
    iip_put32(b + 32, iip_tcp_ports(t->local_port, t->remote_port));
    return iip_siphash(stk->key, b, 36);
}

/* [RFC 6528 3] ISN = clock of 4 us + PRF(tuple, secret); the timestamp offset likewise without clock [RFC 7323 7]. */
IIP_LOCAL void iip_tcp_secret_of(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_secret *out)
{
    iip_u64 prf = iip_tcp_tuple_siphash(stk, t);
    out->iss = (iip_u32)prf + (iip_u32)(stk->now >> 2);
    out->ts_off = (iip_u32)(prf >> 32);
}

static int iip_tcp_port_usable(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    struct iip_tcp_id *id;
    if (iip_tcp_listener_for(stk, t))
        return 0;
    if (iip_share_owner(stk, &t->local, &t->remote, t->local_port, t->remote_port) != stk->share.self)
        return 0;
    id = iip_tcp_lookup_tuple(stk, t);
    return !id;
}

/* A port that nobody can foretell, less IIP_PORT_FIRST: SipHash counts, and each of its words serves four times. */
static iip_u32 iip_tcp_port_draw(struct iip_stack *stk)
{
    struct iip_tcp *tcp = stk->tcp;
    iip_u32 turn = tcp->port_next++;
    iip_u8 count[7] = {'p', 'o', 'r', 0, 0, 0, 0}; /* of a length that nothing else is hashed in */
    if (!(turn & 3)) {
        iip_put32(count + 3, turn >> 2);
        tcp->port_bits = iip_siphash(stk->key, count, sizeof(count));
    }
    return ((iip_u32)(tcp->port_bits >> 16 * (turn & 3)) & 0xffff) * (iip_u32)IIP_PORT_COUNT >> 16;
}

/* [RFC 6056 3.3.2] the first candidate is random; then one after the other. */
IIP_LOCAL int iip_tcp_port_choose(struct iip_stack *stk, struct iip_tcp_tuple *t)
{
    iip_u32 start = iip_tcp_port_draw(stk);
    iip_u32 i;
    for (i = 0; i < IIP_PORT_COUNT; i++) {
        t->local_port = (iip_u16)(IIP_PORT_FIRST + (start + i) % IIP_PORT_COUNT);
        if (iip_tcp_port_usable(stk, t))
            return IIP_OK;
    }
    return IIP_E_ADDR_NOT_AVAIL;
}

/* ==== src/tcp/conn.c ==== */
/* conn.c - a connection's birth, its agreement with the peer, and its end. */

enum { IIP_CONNS_CHUNK = 32, IIP_IP6_BYTES = 2 * sizeof(struct iip_ip), IIP_RANGES_FIRST = 8 };

IIP_LOCAL int iip_tcp_new(struct iip_stack *stk)
{
    struct iip_tcp *tcp = (struct iip_tcp *)iip_mem_zalloc(stk, sizeof(*tcp));
    struct iip_table_mem mem;
    if (!tcp)
        return -1;
    stk->tcp = tcp;
    iip_pool_init(&tcp->conns4, sizeof(struct iip_tcp_conn), IIP_CONNS_CHUNK);
    iip_pool_init(&tcp->conns6, ((sizeof(struct iip_tcp_conn) + 7) & ~7U) + IIP_IP6_BYTES, IIP_CONNS_CHUNK);
    iip_tcp_minis_init(&tcp->minis4, sizeof(struct iip_tcp_mini));
    iip_tcp_minis_init(&tcp->minis6, ((sizeof(struct iip_tcp_mini) + 7) & ~7U) + IIP_IP6_BYTES);
    tcp->mini_timer.kind = IIP_TIMER_TCP_MINI;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&tcp->table, &mem);
}

static void iip_tcp_last_free(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* Ended connections whose CLOSED note was never taken still hold received packets; they wait on the ready list. */
static void iip_tcp_free_all(struct iip_stack *stk)
{
    struct iip_node *node = iip_table_next(&stk->tcp->table, 0);
    struct iip_node *next;
    struct iip_tcp_id *id;
    struct iip_ready *ready;
    for (; node; node = next) {
        next = iip_table_next(&stk->tcp->table, node);
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (id->kind == IIP_ID_CONN)
            iip_tcp_end(stk, iip_tcp_conn_of_id(id), IIP_OK);
    }
    for (ready = stk->ready_head; ready; ready = ready->next) {
        if (ready->kind == IIP_READY_TCP)
            iip_tcp_last_free(stk, IIP_OUTER(ready, struct iip_tcp_conn, ready));
    }
}

IIP_LOCAL void iip_tcp_free(struct iip_stack *stk)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_listener *lis;
    iip_u32 i;
    if (tcp->table.seg)
        iip_tcp_free_all(stk);
    for (i = 0; i < IIP_LISTEN_BUCKETS; i++) {
        while ((lis = tcp->listeners[i]) != 0) {
            tcp->listeners[i] = lis->next;
            iip_mem_free(stk, lis, sizeof(*lis));
        }
    }
    iip_wheel_cancel(&stk->wheel, &tcp->mini_timer);
    iip_table_free(&tcp->table);
    iip_pool_free(stk, &tcp->conns4);
    iip_pool_free(stk, &tcp->conns6);
    iip_tcp_minis_free(stk, &tcp->minis4);
    iip_tcp_minis_free(stk, &tcp->minis6);
    iip_tcp_cookies_free(stk);
    iip_mem_free(stk, tcp, sizeof(*tcp));
    stk->tcp = 0;
}

static void iip_tcp_conn_defaults(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    const struct iip_tune *tune = &stk->tune;
    conn->rto_at = conn->ack_at = conn->idle_at = IIP_NEVER;
    conn->rto_us = (iip_u32)tune->tcp_rto_initial_us;
    conn->rcvbuf = (iip_u32)tune->tcp_rcvbuf;
    conn->sndbuf = (iip_u32)tune->tcp_sndbuf;
    conn->ttl = (iip_u8)tune->tcp_ttl;
    conn->tos = (iip_u8)(tune->tcp_dscp << 2);
    conn->cc = (iip_u8)tune->tcp_cc;
    conn->quickacks = (iip_u8)iip_min64(tune->tcp_quickack, 255);
    conn->ready.half = conn->id.family == 4 ? 536 : 1220; /* [RFC 9293 3.7.1 MUST-15] */
    if (tune->tcp_nodelay)
        conn->flags |= IIP_F_NODELAY;
    if (tune->tcp_keepalive)
        conn->flags |= IIP_F_KEEPALIVE;
}

IIP_LOCAL struct iip_tcp_conn *iip_tcp_conn_new(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                                struct iip_tcp_id *from, void *user)
{
    struct iip_pool *pool = t->family == 4 ? &stk->tcp->conns4 : &stk->tcp->conns6;
    struct iip_tcp_conn *conn = (struct iip_tcp_conn *)iip_pool_get(stk, pool);
    struct iip_tcp_secret secret;
    if (!conn)
        return 0;
    IIP_ZERO(conn, sizeof(*conn));
    if (from)
        iip_tcp_id_take(stk, &conn->id, IIP_ID_CONN, from);
    else
        iip_tcp_id_init(stk, &conn->id, IIP_ID_CONN, t);
    conn->ready.kind = IIP_READY_TCP;
    conn->timer.kind = IIP_TIMER_TCP;
    conn->user = user;
    iip_tcp_secret_of(stk, t, &secret);
    conn->iss = secret.iss;
    conn->ts_off = secret.ts_off;
    iip_tcp_conn_defaults(stk, conn);
    if (stk->tune.tcp_user_timeout_us)
        iip_tcp_extra(stk, conn);
    return conn;
}

IIP_LOCAL void iip_tcp_touch(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp *tcp = stk->tcp;
    if (conn->flags & IIP_F_TOUCHED)
        return;
    conn->flags |= IIP_F_TOUCHED;
    conn->touched = 0;
    if (tcp->touched_head)
        tcp->touched_tail->touched = conn;
    else
        tcp->touched_head = conn;
    tcp->touched_tail = conn;
}

/* A connection may end while it is on the list: rare, and the list is as short as a burst. */
static void iip_tcp_untouch(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_conn **link = &stk->tcp->touched_head;
    struct iip_tcp_conn *last = 0;
    if (!(conn->flags & IIP_F_TOUCHED))
        return;
    conn->flags &= ~(iip_u32)IIP_F_TOUCHED;
    for (; *link && *link != conn; link = &(*link)->touched)
        last = *link;
    if (!*link)
        return;
    *link = conn->touched;
    if (stk->tcp->touched_tail == conn)
        stk->tcp->touched_tail = last;
}

IIP_LOCAL void iip_tcp_notify(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 note_flag)
{
    if ((conn->flags & IIP_F_DETACHED) && note_flag != IIP_F_NOTE_CLOSED)
        return;
    conn->flags |= note_flag;
    iip_ready_put(stk, &conn->ready);
}

IIP_LOCAL void iip_tcp_soft_error(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 status, iip_u32 value)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return;
    extra->error = status;
    extra->error_value = value;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_ERROR);
}

static void iip_tcp_queue_free(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->link;
        iip_pkt_free(stk, pkt);
    }
}

static void iip_tcp_ranges_free(struct iip_stack *stk, struct iip_ranges *set)
{
    iip_u32 i;
    for (i = 0; i < set->n; i++)
        iip_tcp_queue_free(stk, set->r[i].head);
    iip_mem_free(stk, set->r, set->cap * sizeof(*set->r));
    set->r = 0;
    set->n = 0;
    set->cap = 0;
}

static void iip_tcp_repair_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        return;
    iip_tcp_ranges_free(stk, &conn->repair->sacked);
    iip_tcp_ranges_free(stk, &conn->repair->ooo);
    iip_mem_free(stk, conn->repair, sizeof(*conn->repair));
    conn->repair = 0;
}

IIP_LOCAL struct iip_tcp_extra *iip_tcp_extra(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra = conn->extra;
    if (extra)
        return extra;
    extra = (struct iip_tcp_extra *)iip_mem_zalloc(stk, sizeof(*extra));
    if (!extra)
        return 0;
    extra->user_timeout_us = stk->tune.tcp_user_timeout_us;
    extra->keepidle_us = stk->tune.tcp_keepidle_us;
    extra->keepintvl_us = (iip_u32)stk->tune.tcp_keepintvl_us;
    extra->keepcnt = (iip_u8)stk->tune.tcp_keepcnt;
    extra->syn_retries = (iip_u8)stk->tune.tcp_syn_retries;
    extra->stalled_at = stk->now;
    if (conn->rto_at != IIP_NEVER && !conn->retries && !(conn->flags & IIP_F_PERSIST))
        extra->stalled_at = conn->rto_at - conn->rto_us; /* when the clock was started */
    conn->extra = extra;
    return extra;
}

IIP_LOCAL iip_u64 iip_tcp_user_timeout(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    return conn->extra ? conn->extra->user_timeout_us : stk->tune.tcp_user_timeout_us;
}

IIP_LOCAL struct iip_tcp_repair *iip_tcp_repair(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        conn->repair = (struct iip_tcp_repair *)iip_mem_zalloc(stk, sizeof(*conn->repair));
    return conn->repair;
}

/* Room for one more range, unless it joins one that is there; 0: none to be had. */
IIP_LOCAL int iip_tcp_ranges_reserve(struct iip_stack *stk, struct iip_ranges *set, iip_u32 left, iip_u32 right)
{
    iip_u32 cap = set->cap ? set->cap * 2 : (iip_u32)IIP_RANGES_FIRST;
    struct iip_range *r;
    if (iip_ranges_fits(set, left, right))
        return 1;
    if (cap > IIP_RANGES_MAX)
        return 0;
    r = (struct iip_range *)iip_mem_alloc(stk, cap * sizeof(*r));
    if (!r)
        return 0;
    if (set->n)
        IIP_COPY(r, set->r, set->n * sizeof(*r));
    iip_mem_free(stk, set->r, set->cap * sizeof(*r));
    set->r = r;
    set->cap = cap;
    return 1;
}

/* Frees all but what the CLOSED note needs; data that waits to be taken stays until then, unless it was a reset. */
IIP_LOCAL void iip_tcp_end(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason)
{
    if (conn->flags & IIP_F_NOTE_CLOSED)
        return;
    iip_count(stk, IIP_CTR_TCP_CLOSED);
    iip_table_del(&stk->tcp->table, &conn->id.node);
    if (stk->tcp->recent == conn)
        stk->tcp->recent = 0;
    iip_wheel_cancel(&stk->wheel, &conn->timer);
    iip_tcp_untouch(stk, conn);
    iip_tcp_queue_free(stk, conn->snd_head);
    conn->snd_head = conn->snd_cur = conn->snd_tail = 0;
    iip_tcp_repair_free(stk, conn);
    iip_path_drop(stk, &conn->path);
    conn->id.state = IIP_TCP_CLOSED;
    conn->timer.word = (iip_u32)reason;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CLOSED);
}

/* What a connection keeps until its CLOSED note is taken: received packets, and options. */
static void iip_tcp_last_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_pkt *head;
    iip_mem_free(stk, conn->extra, sizeof(*conn->extra));
    conn->extra = 0;
    if (!conn->rcv_tail)
        return;
    head = conn->rcv_tail->link;
    conn->rcv_tail->link = 0;
    conn->rcv_tail = 0;
    iip_tcp_queue_free(stk, head);
}

/* The CLOSED note was taken. */
IIP_LOCAL void iip_tcp_conn_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_last_free(stk, conn);
    iip_pool_put(conn->id.family == 4 ? &stk->tcp->conns4 : &stk->tcp->conns6, conn);
}

/* A connection that its listener never saw ends without a note. */
IIP_LOCAL void iip_tcp_unaccepted(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_listener_of(conn)->waiting--;
    if (conn->id.state != IIP_TCP_CLOSED)
        iip_tcp_end(stk, conn, IIP_E_ABORTED);
    iip_ready_del(stk, &conn->ready);
    iip_tcp_conn_free(stk, conn);
}

/* [RFC 9293 3.7.1] announced: the link's MTU less fixed headers, or less if so tuned. */
IIP_LOCAL iip_u32 iip_tcp_mss_offer(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u32 mss = (iip_u32)stk->tune.mtu - (t->family == 4 ? 40 : 60);
    if (stk->tune.tcp_mss)
        mss = iip_min32(mss, (iip_u32)stk->tune.tcp_mss);
    return mss;
}

/* [RFC 9293 3.7.1 MUST-16] Eff.snd.MSS = min(SendMSS, MMS_S) - options. */
IIP_LOCAL void iip_tcp_mss_update(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 headers = conn->id.family == 4 ? 40 : 60;
    iip_u32 mtu = conn->path.valid ? conn->path.mtu : (iip_u32)stk->tune.mtu;
    iip_u32 mss = iip_min32(conn->ready.half, mtu - headers);
    if (stk->tune.tcp_mss)
        mss = iip_min32(mss, (iip_u32)stk->tune.tcp_mss);
    mss = iip_max32(mss, 88); /* a smaller announcement makes work, not sense (CVE-2019-11479) */
    if (conn->id.options & IIP_HAS_TS)
        mss -= IIP_TCP_TS_LEN;
    conn->mss = (iip_u16)iip_min32(mss, 65000);
}

/* Addresses, routes or path MTUs changed: segments are cut as the path is now. */
IIP_LOCAL void iip_tcp_path_check(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    if (!iip_path_renew(stk, &t.local, &t.remote, &conn->path))
        iip_tcp_mss_update(stk, conn);
}

IIP_LOCAL iip_u32 iip_tcp_offers(const struct iip_stack *stk)
{
    iip_u32 placed = stk->syn_digits;
    iip_u32 has = IIP_HAS_MSS;
    if (stk->tune.tcp_timestamps && (placed >> IIP_OPT_TS & 1))
        has |= IIP_HAS_TS;
    if (stk->tune.tcp_sack && (placed >> IIP_OPT_SACK_OK & 1))
        has |= IIP_HAS_SACK_OK;
    if (stk->tune.tcp_wscale != 15 && (placed >> IIP_OPT_WSCALE & 1))
        has |= IIP_HAS_WSCALE;
    return has;
}

/* The shift that lets the window field name the whole receive buffer; 15: do not offer the option. */
IIP_LOCAL iip_u32 iip_tcp_wscale_offer(const struct iip_stack *stk, iip_u32 rcvbuf)
{
    iip_u32 log2 = iip_log2_64(rcvbuf);
    if (!(iip_tcp_offers(stk) & IIP_HAS_WSCALE))
        return 15;
    if (stk->tune.tcp_wscale < 15)
        return (iip_u32)stk->tune.tcp_wscale;
    return log2 <= 15 ? 0 : iip_min32(log2 - 15, 14);
}

IIP_LOCAL void iip_tcp_negotiate(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 shift = conn->rcv_wscale;
    iip_u32 has = conn->id.state == IIP_TCP_SYN_SENT ? seg->has & conn->id.options : seg->has;
    conn->rcv_wscale = 0;
    conn->id.word = seg->seq;
    conn->rcv.nxt = conn->rcv.acked = seg->seq + 1;
    conn->rcv.edge = conn->rcv.nxt;
    conn->id.options = 0;
    if (has & IIP_HAS_TS) {
        conn->id.options |= IIP_HAS_TS;
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
    }
    if (has & IIP_HAS_SACK_OK)
        conn->id.options |= IIP_HAS_SACK_OK;
    if ((has & IIP_HAS_WSCALE) && shift <= 14) { /* [RFC 7323 2.3] more than 14 counts as 14 */
        conn->id.options |= IIP_HAS_WSCALE;
        conn->snd_wscale = (iip_u8)iip_min32(seg->wscale, 14);
        conn->rcv_wscale = (iip_u8)shift;
    }
    if (seg->has & IIP_HAS_MSS)
        conn->ready.half = seg->mss;
    iip_tcp_mss_update(stk, conn);
}

/* [RFC 6928] and, after a lost SYN, [RFC 5681 3.1] one segment and [RFC 6298 5.7] an RTO of 3 s at least. */
static iip_u32 iip_tcp_initial_window(const struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 segments = (iip_u32)stk->tune.tcp_initcwnd;
    if (!(conn->flags & IIP_F_SYN_LOST))
        return segments * conn->mss;
    if (!(conn->id.options & IIP_HAS_TS))
        conn->rto_us = iip_max32(conn->rto_us, 3000000);
    return conn->mss;
}

IIP_LOCAL void iip_tcp_establish(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->id.state = IIP_TCP_ESTABLISHED;
    conn->rto_at = IIP_NEVER;
    conn->retries = 0;
    conn->flags &= ~(iip_u32)IIP_F_TOLD_R1;
    conn->cwnd = iip_tcp_initial_window(stk, conn);
    conn->ssthresh = 0x7fffffff;
    iip_tcp_cc_of(conn)->start(conn);
    iip_tcp_idle_restart(stk, conn);
}

/* ==== src/tcp/user.c ==== */
/* user.c - the user's calls [RFC 9293 3.9.1, 3.10.1 - 3.10.6]: OPEN, SEND, RECEIVE, CLOSE, ABORT. */

/* ==== src/tcp/window.h ==== */
/* window.h - both windows: the one that the peer opens to us, and the one that we open to it [RFC 9293 3.8.6]. */




/* The window of a segment that advanced SND.UNA: nobody knows it better, even if the segment was sent before. */
IIP_INLINE void iip_tcp_window_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = seg->wnd << conn->snd_wscale;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->ack;
    if (IIP_UNLIKELY(wnd != conn->snd.wnd))
        iip_tcp_window_set(stk, conn, wnd);
}
/* [RFC 9293 3.10.7.4 fifth] else the window of the latest segment. */
IIP_INLINE void iip_tcp_window_update(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (iip_seq_lt(seg->seq, conn->snd.wl1) || (seg->seq == conn->snd.wl1 && iip_seq_lt(seg->ack, conn->snd.wl2)))
        return;
    iip_tcp_window_take(stk, conn, seg);
}
/* [RFC 9293 3.8.6.2.2] the right edge moves by a full segment or half the buffer at least, and never back. */
IIP_INLINE iip_u32 iip_tcp_window_open(const struct iip_tcp_conn *conn)
{
    iip_u32 edge = conn->rcv.nxt + (conn->rcvbuf > conn->rcv.held ? conn->rcvbuf - conn->rcv.held : 0);
    iip_s32 gain = (iip_s32)(edge - conn->rcv.edge);
    if (gain <= 0 || ((iip_u32)gain < conn->mss && (iip_u32)gain < conn->rcvbuf / 2))
        return conn->rcv.edge;
    return edge;
}

/* What the header says; the edge that it says, rounded up to the scale, is remembered. */
IIP_INLINE iip_u32 iip_tcp_window_field(struct iip_tcp_conn *conn)
{
    iip_u32 wnd = iip_tcp_window_open(conn) - conn->rcv.nxt;
    iip_u32 field = (wnd + ((1U << conn->rcv_wscale) - 1)) >> conn->rcv_wscale;
    field = iip_min32(field, 65535);
    if (iip_seq_lt(conn->rcv.edge, conn->rcv.nxt + (field << conn->rcv_wscale)))
        conn->rcv.edge = conn->rcv.nxt + (field << conn->rcv_wscale);
    return field;
}

enum { IIP_PKT_FILL = 1 }; /* pkt->aux: written by copy, more may be copied behind */

/* Family and address as one: 0.0.0.0 is the any address of IPv4, :: with family 0 that of both. */
static int iip_tcp_endpoint(struct iip_endpoint *out, const struct iip_endpoint *in)
{
    *out = *in;
    if (in->family != 0 && in->family != 4 && in->family != 6)
        return IIP_E_INVAL;
    if (iip_ip_is_v4(&in->ip)) {
        if (in->family == 6)
            return IIP_E_INVAL;
        out->family = 4;
        if (!iip_raw32(in->ip.b + 12))
            IIP_ZERO(&out->ip, sizeof(out->ip));
    } else if (!iip_ip_any(&in->ip)) {
        if (in->family == 4)
            return IIP_E_INVAL;
        out->family = 6;
    }
    return IIP_OK;
}

static int iip_tcp_listener_clashes(const struct iip_tcp_listener *a, const struct iip_endpoint *b)
{
    if (a->local.port != b->port || !iip_ip_same(&a->local.ip, &b->ip))
        return 0;
    return !a->local.family || !b->family || a->local.family == b->family;
}

IIP_API int iip_tcp_listen(struct iip_stack *stk, const struct iip_endpoint *local, iip_u32 backlog, void *user,
                           struct iip_tcp_listener **out)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_listener **bucket;
    struct iip_endpoint end;
    int status = iip_tcp_endpoint(&end, local);
    if (status || !end.port)
        return IIP_E_INVAL;
    if (!iip_ip_any(&end.ip) && !iip_addr_is_ours(stk, &end.ip))
        return IIP_E_ADDR_NOT_AVAIL;
    bucket = &stk->tcp->listeners[end.port % IIP_LISTEN_BUCKETS];
    for (lis = *bucket; lis; lis = lis->next) {
        if (iip_tcp_listener_clashes(lis, &end))
            return IIP_E_ADDR_IN_USE;
    }
    lis = (struct iip_tcp_listener *)iip_mem_zalloc(stk, sizeof(*lis));
    if (!lis)
        return IIP_E_NOMEM;
    lis->local = end;
    lis->backlog = iip_max32(backlog, 1);
    lis->user = user;
    lis->next = *bucket;
    *bucket = lis;
    *out = lis;
    return IIP_OK;
}

IIP_API void iip_tcp_backlog_set(struct iip_tcp_listener *lis, iip_u32 backlog)
{
    lis->backlog = backlog;
}

/* Those that wait to be accepted stand on the list of those that have something to say. */
static void iip_tcp_reset_waiting(struct iip_stack *stk, const struct iip_tcp_listener *lis)
{
    struct iip_ready *ready = stk->ready_head;
    struct iip_ready *next;
    struct iip_tcp_conn *conn;
    for (; ready && lis->waiting; ready = next) {
        next = ready->next;
        if (ready->kind != IIP_READY_TCP)
            continue;
        conn = IIP_OUTER(ready, struct iip_tcp_conn, ready);
        if (!(conn->flags & IIP_F_ACCEPTING) || iip_tcp_listener_of(conn) != lis)
            continue;
        if (conn->id.state != IIP_TCP_CLOSED)
            iip_tcp_reset_send(stk, conn, conn->snd.nxt);
        iip_tcp_unaccepted(stk, conn);
    }
}

IIP_API void iip_tcp_unlisten(struct iip_stack *stk, struct iip_tcp_listener *lis)
{
    struct iip_tcp_listener **link = &stk->tcp->listeners[lis->local.port % IIP_LISTEN_BUCKETS];
    while (*link && *link != lis)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = lis->next;
    iip_tcp_reset_waiting(stk, lis);
    iip_mem_free(stk, lis, sizeof(*lis));
}

/* Checks both ends of an active open and fills the tuple, local port still 0 where it is to be chosen. */
static int iip_tcp_connect_tuple(struct iip_stack *stk, const struct iip_endpoint *local,
                                 const struct iip_endpoint *peer, struct iip_tcp_tuple *t, struct iip_path *path)
{
    struct iip_endpoint from;
    struct iip_endpoint to;
    int status;
    if (iip_tcp_endpoint(&to, peer) || !to.port || iip_ip_any(&to.ip))
        return IIP_E_INVAL;
    if (!iip_addr_is_unicast(stk, &to.ip) && !iip_addr_is_ours(stk, &to.ip)) /* [RFC 9293 3.9.1.1 MUST-46] */
        return IIP_E_INVAL;
    IIP_ZERO(&from, sizeof(from));
    if (local && iip_tcp_endpoint(&from, local))
        return IIP_E_INVAL;
    if (from.family && from.family != to.family)
        return IIP_E_INVAL;
    if (!iip_ip_any(&from.ip) && !iip_addr_is_ours(stk, &from.ip))
        return IIP_E_ADDR_NOT_AVAIL;
    t->family = (iip_u8)to.family;
    t->local = from.ip;
    t->remote = to.ip;
    t->local_port = from.port;
    t->remote_port = to.port;
    status = iip_path_find(stk, &t->local, &t->remote, path); /* [MUST-43, MUST-44] */
    if (status)
        return status;
    if (!t->local_port)
        status = iip_tcp_port_choose(stk, t);
    else if (iip_tcp_lookup_tuple(stk, t) || (iip_ip_same(&t->local, &t->remote) && t->local_port == t->remote_port))
        status = IIP_E_ADDR_IN_USE;
    if (status)
        iip_path_drop(stk, path);
    return status;
}

IIP_API int iip_tcp_connect(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                            void *user, struct iip_tcp_conn **out)
{
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    struct iip_path path;
    int status = iip_tcp_connect_tuple(stk, local, peer, &t, &path);
    if (status)
        return status;
    conn = iip_tcp_conn_new(stk, &t, 0, user);
    if (!conn) {
        iip_path_drop(stk, &path);
        return IIP_E_NOMEM;
    }
    conn->path = path;
    conn->id.state = IIP_TCP_SYN_SENT;
    conn->snd.una = conn->iss;
    conn->snd.nxt = conn->snd.end = conn->iss + 1;
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_mss_update(stk, conn);
    iip_tcp_touch(stk, conn);
    iip_count(stk, IIP_CTR_TCP_ACTIVE);
    *out = conn;
    return IIP_OK;
}

/* ---- SEND ---- */

static int iip_tcp_send_check(struct iip_tcp_conn *conn, iip_u32 *room)
{
    iip_u32 queued = conn->snd.end - conn->snd.una;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    if (conn->flags & IIP_F_FIN_QUEUED)
        return IIP_E_SHUTDOWN;
    if (queued >= conn->sndbuf) {
        conn->flags |= IIP_F_WANT_WRITE;
        return IIP_E_AGAIN;
    }
    *room = conn->sndbuf - queued;
    return IIP_OK;
}

/* No frame or view could be had: a note comes with the next ACK, if there is anything to acknowledge. */
static void iip_tcp_want(struct iip_tcp_conn *conn)
{
    if (conn->snd_head)
        conn->flags |= IIP_F_WANT_WRITE;
}

static void iip_tcp_enqueue(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    pkt->link = 0;
    pkt->next = 0;
    pkt->aux = 0;
    pkt->seq = conn->snd.end;
    conn->snd.end += pkt->len;
    if (conn->snd_tail)
        conn->snd_tail->link = pkt;
    else
        conn->snd_head = pkt;
    conn->snd_tail = pkt;
    if (!conn->snd_cur)
        conn->snd_cur = pkt;
}

static void iip_tcp_queued(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state >= IIP_TCP_ESTABLISHED)
        iip_tcp_touch(stk, conn);
}

/* The whole chain: each view becomes a packet of the queue. */
static void iip_tcp_send_all(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->next;
        if (pkt->len) {
            iip_tcp_enqueue(conn, pkt);
        } else {
            pkt->next = 0;
            iip_pkt_free(stk, pkt);
        }
    }
}

/* The first view is used up: the next one takes its place in the same packet. */
static void iip_tcp_absorb_next(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *next = pkt->next;
    struct iip_frame *frame = pkt->frame;
    pkt->frame = next->frame;
    pkt->data = next->data;
    pkt->len = next->len;
    pkt->next = next->next;
    next->frame = frame;
    next->next = 0;
    iip_pkt_free(stk, next);
}

/* Only `room` bytes: views of what fits are queued, the packet keeps the rest. */
static iip_u32 iip_tcp_send_part(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 room)
{
    struct iip_pkt *view;
    iip_u32 taken = 0;
    iip_u32 part;
    while (taken < room) {
        part = iip_min32(pkt->len, room - taken);
        if (part) {
            view = iip_pkt_view(stk, pkt, pkt->data, part);
            if (!view)
                break;
            iip_tcp_enqueue(conn, view);
        }
        pkt->data += part;
        pkt->len -= part;
        taken += part;
        if (!pkt->len && pkt->next)
            iip_tcp_absorb_next(stk, pkt);
    }
    iip_tcp_want(conn);
    return taken;
}

/* A chain, or more than there is room for. */
IIP_APART static iip_s32 iip_tcp_send_chain(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                            iip_u32 room)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    iip_u32 taken = bytes;
    if (bytes <= room)
        iip_tcp_send_all(stk, conn, pkt);
    else
        taken = iip_tcp_send_part(stk, conn, pkt, room);
    iip_tcp_queued(stk, conn);
    return taken || !bytes ? (iip_s32)taken : IIP_E_NOBUFS;
}

IIP_API iip_s32 iip_tcp_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    iip_u32 room;
    int status = iip_tcp_send_check(conn, &room);
    if (status)
        return status;
    if (IIP_UNLIKELY(pkt->next || !pkt->len || pkt->len > room))
        return iip_tcp_send_chain(stk, conn, pkt, room);
    iip_tcp_enqueue(conn, pkt);
    iip_tcp_queued(stk, conn);
    return (iip_s32)pkt->len;
}

/* Room behind the last packet, while none of it was sent: so segments begin where packets begin. */
static iip_u32 iip_tcp_fill_room(const struct iip_tcp_conn *conn, iip_u32 full)
{
    const struct iip_pkt *tail = conn->snd_tail;
    iip_u32 space;
    if (!tail || tail->aux != IIP_PKT_FILL || !iip_seq_leq(conn->snd.nxt, tail->seq) || tail->len >= full)
        return 0;
    space = (iip_u32)(tail->frame->base + tail->frame->size - (tail->data + tail->len));
    return iip_min32(space, full - tail->len);
}

/* One packet for bytes that fit into a segment and follow nothing that waits: the request or the answer. */
static int iip_tcp_write_one(struct iip_stack *stk, struct iip_tcp_conn *conn, const void *bytes, iip_u32 len)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, conn->mss);
    if (!pkt) {
        iip_tcp_want(conn);
        return IIP_E_NOBUFS;
    }
    pkt->len = len;
    IIP_COPY(pkt->data, bytes, len);
    iip_tcp_enqueue(conn, pkt);
    pkt->aux = IIP_PKT_FILL;
    iip_tcp_queued(stk, conn);
    return (int)len;
}

/* Fills the last packet, then as many as it takes. */
IIP_APART static iip_s32 iip_tcp_write_many(struct iip_stack *stk, struct iip_tcp_conn *conn, const iip_u8 *from,
                                            iip_u32 len, iip_u32 room)
{
    iip_u32 full = conn->mss;
    iip_u32 part;
    iip_u32 done = 0;
    struct iip_pkt *pkt;
    if (len > room)
        conn->flags |= IIP_F_WANT_WRITE;
    len = iip_min32(iip_min32(len, room), 0x7fffffff);
    while (done < len) {
        part = iip_min32(iip_tcp_fill_room(conn, full), len - done);
        if (!part) {
            pkt = iip_pkt_alloc(stk, full);
            if (!pkt) {
                iip_tcp_want(conn);
                break;
            }
            iip_tcp_enqueue(conn, pkt);
            pkt->aux = IIP_PKT_FILL;
            continue;
        }
        pkt = conn->snd_tail;
        IIP_COPY(pkt->data + pkt->len, from + done, part);
        pkt->len += part;
        conn->snd.end += part;
        done += part;
    }
    iip_tcp_queued(stk, conn);
    return done || !len ? (iip_s32)done : IIP_E_NOBUFS;
}

IIP_API iip_s32 iip_tcp_write(struct iip_stack *stk, struct iip_tcp_conn *conn, const void *bytes, iip_u32 len)
{
    iip_u32 room;
    int status = iip_tcp_send_check(conn, &room);
    if (status)
        return status;
    if (IIP_LIKELY(!conn->snd_cur && len && len <= room && len <= conn->mss))
        return iip_tcp_write_one(stk, conn, bytes, len);
    return iip_tcp_write_many(stk, conn, (const iip_u8 *)bytes, len, room);
}

IIP_API int iip_tcp_urgent(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra;
    if (!iip_tcp_sends(conn) || (conn->flags & IIP_F_FIN_QUEUED))
        return IIP_E_NOT_CONNECTED;
    extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return IIP_E_NOMEM;
    extra->snd_up = conn->snd.end;
    conn->flags |= IIP_F_URG_SEND;
    iip_tcp_touch(stk, conn);
    return IIP_OK;
}

/* ---- RECEIVE ---- */

/*
 * [RFC 9293 3.8.6.2.2] Told unasked is only a window that held the peer up: less than two segments were left, and it
 * opened by two, or by half the buffer, or to the first full one. All others ride on the ACKs of what the peer sends.
 */
IIP_INLINE int iip_tcp_update_due(const struct iip_tcp_conn *conn)
{
    iip_u32 known = conn->rcv.edge - conn->rcv.nxt;
    iip_u32 opened;
    if (IIP_LIKELY(known >= 2U * conn->mss))
        return 0;
    opened = iip_tcp_window_open(conn) - conn->rcv.edge;
    if (!opened)
        return 0;
    return opened >= iip_min32(2U * conn->mss, conn->rcvbuf / 2) || (known < conn->mss && known + opened >= conn->mss);
}

IIP_MERGED void iip_tcp_credited(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 bytes)
{
    conn->rcv.held -= iip_min32(bytes, conn->rcv.held);
    if (iip_tcp_update_due(conn) && iip_tcp_receives(conn)) {
        conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
    }
}

IIP_API void iip_tcp_credit(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 bytes)
{
    iip_tcp_credited(stk, conn, bytes);
}

IIP_API void iip_tcp_done(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *run)
{
    struct iip_pkt *next;
    iip_u32 charge = 0;
    for (; run; run = next) {
        next = run->link;
        charge += iip_pkt_charge_one(run);
        iip_pkt_drop(stk, run);
    }
    iip_tcp_credited(stk, conn, charge);
}

/* ---- CLOSE, ABORT ---- */

IIP_API int iip_tcp_shutdown(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->flags & IIP_F_FIN_QUEUED)
        return IIP_E_SHUTDOWN;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    conn->flags |= IIP_F_FIN_QUEUED;
    iip_tcp_queued(stk, conn);
    return IIP_OK;
}

IIP_API int iip_tcp_close(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    enum {
        OTHER_NOTES = IIP_F_NOTE_CONNECTED | IIP_F_NOTE_FIN | IIP_F_NOTE_WRITABLE | IIP_F_NOTE_URGENT | IIP_F_NOTE_ERROR
    };
    if (conn->id.state == IIP_TCP_CLOSED || (conn->flags & IIP_F_DETACHED))
        return IIP_OK;
    if (conn->id.state == IIP_TCP_SYN_SENT || conn->rcv_tail) /* [SHLD-3] unread text: RST */
        return iip_tcp_abort(stk, conn);
    conn->flags &= ~(iip_u32)OTHER_NOTES;
    conn->flags |= IIP_F_DETACHED | IIP_F_FIN_QUEUED;
    iip_tcp_idle_restart(stk, conn);
    iip_tcp_queued(stk, conn);
    return IIP_OK;
}

IIP_API int iip_tcp_abort(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_OK;
    if (conn->id.state >= IIP_TCP_SYN_RECEIVED)
        iip_tcp_reset_send(stk, conn, conn->snd.nxt);
    iip_tcp_end(stk, conn, IIP_E_ABORTED);
    return IIP_OK;
}

IIP_API void iip_tcp_user_set(struct iip_tcp_conn *conn, void *user)
{
    conn->user = user;
}

IIP_API void *iip_tcp_user(const struct iip_tcp_conn *conn)
{
    return conn->user;
}

/* ==== src/tcp/option.c ==== */
/* option.c - options of one connection, and STATUS [RFC 9293 3.9.1.6]. */

static void iip_tcp_flag(struct iip_tcp_conn *conn, iip_u32 flag, iip_u64 on)
{
    if (on)
        conn->flags |= flag;
    else
        conn->flags &= ~flag;
}

struct iip_tcp_option {
    iip_u32 option;
    iip_u64 min, max;
    iip_u32 flag; /* for switches */
};

static const struct iip_tcp_option iip_tcp_options[] = {
    { IIP_TCP_NODELAY, 0, 1, IIP_F_NODELAY },
    { IIP_TCP_CORK, 0, 1, IIP_F_CORK },
    { IIP_TCP_KEEPALIVE, 0, 1, IIP_F_KEEPALIVE },
    { IIP_TCP_KEEPIDLE_US, 1000, IIP_U64(0x1000, 0), 0 },
    { IIP_TCP_KEEPINTVL_US, 1000, 0xffffffffU, 0 },
    { IIP_TCP_KEEPCNT, 1, 255, 0 },
    { IIP_TCP_USER_TIMEOUT_US, 0, IIP_U64(0x1000, 0), 0 },
    { IIP_TCP_DSCP, 0, 63, 0 },
    { IIP_TCP_TTL, 1, 255, 0 },
    { IIP_TCP_SNDBUF, 2048, 0x40000000, 0 },
    { IIP_TCP_RCVBUF, 2048, 0x40000000, 0 },
    { IIP_TCP_QUICKACK, 0, 1, IIP_F_QUICKACK },
    { IIP_TCP_CC, 0, 1, 0 },
    { IIP_TCP_SYN_RETRIES, 0, 255, 0 },
};

static const struct iip_tcp_option *iip_tcp_option_find(iip_u32 option)
{
    iip_u32 i;
    for (i = 0; i < IIP_COUNT(iip_tcp_options); i++) {
        if (iip_tcp_options[i].option == option)
            return &iip_tcp_options[i];
    }
    return 0;
}

static int iip_tcp_set_extra(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return IIP_E_NOMEM;
    switch (option) {
    case IIP_TCP_KEEPIDLE_US:
        extra->keepidle_us = value;
        break;
    case IIP_TCP_KEEPINTVL_US:
        extra->keepintvl_us = (iip_u32)value;
        break;
    case IIP_TCP_KEEPCNT:
        extra->keepcnt = (iip_u8)value;
        break;
    case IIP_TCP_USER_TIMEOUT_US:
        extra->user_timeout_us = value;
        iip_tcp_rto_limit(stk, conn);
        break;
    default:
        extra->syn_retries = (iip_u8)value;
        break;
    }
    return IIP_OK;
}

static int iip_tcp_set_value(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    switch (option) {
    case IIP_TCP_DSCP:
        conn->tos = (iip_u8)(value << 2);
        break;
    case IIP_TCP_TTL:
        conn->ttl = (iip_u8)value;
        break;
    case IIP_TCP_SNDBUF:
        conn->sndbuf = (iip_u32)value;
        break;
    case IIP_TCP_RCVBUF:
        conn->rcvbuf = (iip_u32)value;
        break;
    case IIP_TCP_CC:
        conn->cc = (iip_u8)value;
        iip_tcp_cc_of(conn)->start(conn);
        break;
    default:
        return iip_tcp_set_extra(stk, conn, option, value);
    }
    return IIP_OK;
}

IIP_API int iip_tcp_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    const struct iip_tcp_option *o = iip_tcp_option_find(option);
    int status = IIP_OK;
    if (!o)
        return IIP_E_NOT_FOUND;
    if (value < o->min || value > o->max)
        return IIP_E_RANGE;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    if (o->flag)
        iip_tcp_flag(conn, o->flag, value);
    else
        status = iip_tcp_set_value(stk, conn, option, value);
    iip_tcp_idle_restart(stk, conn);
    iip_tcp_touch(stk, conn); /* what Nagle or the cork held back may leave */
    return status;
}

static iip_u64 iip_tcp_get_extra(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option)
{
    const struct iip_tcp_extra *extra = conn->extra;
    switch (option) {
    case IIP_TCP_KEEPIDLE_US:
        return extra ? extra->keepidle_us : stk->tune.tcp_keepidle_us;
    case IIP_TCP_KEEPINTVL_US:
        return extra ? extra->keepintvl_us : stk->tune.tcp_keepintvl_us;
    case IIP_TCP_KEEPCNT:
        return extra ? extra->keepcnt : stk->tune.tcp_keepcnt;
    case IIP_TCP_USER_TIMEOUT_US:
        return iip_tcp_user_timeout(stk, conn);
    default:
        return extra ? extra->syn_retries : stk->tune.tcp_syn_retries;
    }
}

static iip_u64 iip_tcp_get_value(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option)
{
    switch (option) {
    case IIP_TCP_DSCP:
        return conn->tos >> 2;
    case IIP_TCP_TTL:
        return conn->ttl;
    case IIP_TCP_SNDBUF:
        return conn->sndbuf;
    case IIP_TCP_RCVBUF:
        return conn->rcvbuf;
    case IIP_TCP_CC:
        return conn->cc;
    default:
        return iip_tcp_get_extra(stk, conn, option);
    }
}

IIP_API int iip_tcp_get(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option, iip_u64 *value)
{
    const struct iip_tcp_option *o = iip_tcp_option_find(option);
    if (!o)
        return IIP_E_NOT_FOUND;
    *value = o->flag ? (conn->flags & o->flag) != 0 : iip_tcp_get_value(stk, conn, option);
    return IIP_OK;
}

static void iip_tcp_info_ends(const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    info->local.ip = t.local;
    info->local.port = t.local_port;
    info->local.family = t.family;
    info->peer.ip = t.remote;
    info->peer.port = t.remote_port;
    info->peer.family = t.family;
}

static iip_u32 iip_tcp_ooo_bytes(const struct iip_tcp_conn *conn)
{
    iip_u32 bytes = 0;
    iip_u32 i;
    for (i = 0; conn->repair && i < conn->repair->ooo.n; i++)
        bytes += conn->repair->ooo.r[i].right - conn->repair->ooo.r[i].left;
    return bytes;
}

/* Numbers from the first byte's to now's, by how often bit 31 changed on the way (a FIN has a number too). */
static iip_u64 iip_tcp_total(iip_u32 changes, iip_u32 first, iip_u32 now)
{
    return (((iip_u64)(first >> 31) + changes) << 31 | (now & 0x7fffffff)) - first;
}

static void iip_tcp_info_fill(const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    IIP_ZERO(info, sizeof(*info));
    info->state = conn->id.state;
    info->options |= conn->id.options & IIP_HAS_TS ? 1 : 0;
    info->options |= conn->id.options & IIP_HAS_SACK_OK ? 2 : 0;
    info->options |= conn->id.options & IIP_HAS_WSCALE ? 4 : 0;
    info->snd_wscale = conn->snd_wscale;
    info->rcv_wscale = conn->rcv_wscale;
    iip_tcp_info_ends(conn, info);
    info->mss = conn->mss;
    info->srtt_us = conn->srtt8 >> 3;
    info->rttvar_us = conn->rttvar4 >> 2;
    info->rto_us = conn->rto_us;
    info->cwnd = conn->cwnd;
    info->ssthresh = conn->ssthresh;
    info->snd_una = conn->snd.una;
    info->snd_nxt = conn->snd.nxt;
    info->rcv_nxt = conn->rcv.nxt;
    info->snd_wnd = conn->snd.wnd;
    info->rcv_wnd = conn->rcv.edge - conn->rcv.nxt;
    info->unacked = conn->snd.nxt - conn->snd.una;
    info->unsent = iip_seq_lt(conn->snd.nxt, conn->snd.end) ? conn->snd.end - conn->snd.nxt : 0;
    info->unread = iip_tcp_unread(conn);
    info->uncredited = conn->rcv.held;
    info->out_of_order = iip_tcp_ooo_bytes(conn);
    info->retransmits = conn->repair ? conn->repair->retransmits : 0;
    info->rto_count = conn->repair ? conn->repair->rto_count : 0;
    info->dup_acks = conn->dup_acks;
    info->bytes_in =
        conn->id.state < IIP_TCP_ESTABLISHED ? 0 : iip_tcp_total(conn->in_wraps, conn->id.word + 1, conn->rcv.nxt);
    info->bytes_out =
        conn->id.state < IIP_TCP_ESTABLISHED ? 0 : iip_tcp_total(conn->out_wraps, conn->iss + 1, conn->snd.una);
}

IIP_API int iip_tcp_info(const struct iip_stack *stk, const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    struct iip_tcp_info all;
    iip_u32 size = iip_min32(info->size, sizeof(all));
    (void)stk;
    iip_tcp_info_fill(conn, &all);
    all.size = size;
    IIP_COPY(info, &all, size);
    return (int)sizeof(all);
}

IIP_API struct iip_tcp_conn *iip_tcp_next(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_node *node = iip_table_next(&stk->tcp->table, conn ? &conn->id.node : 0);
    struct iip_tcp_id *id;
    for (; node; node = iip_table_next(&stk->tcp->table, node)) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (id->kind == IIP_ID_CONN)
            return iip_tcp_conn_of_id(id);
    }
    return 0;
}

/* ==== src/tcp/note.c ==== */
/* note.c - what a connection has to say, in the order in which it happened. */

static struct iip_note *iip_tcp_note(struct iip_tcp_conn *conn, struct iip_note *out, iip_u32 type)
{
    iip_note_init(out, type);
    out->conn = conn;
    out->user = conn->user;
    return out;
}

static void iip_tcp_note_ends(const struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    IIP_ZERO(&out->local, sizeof(out->local));
    IIP_ZERO(&out->peer, sizeof(out->peer));
    out->local.ip = t.local;
    out->local.port = t.local_port;
    out->local.family = t.family;
    out->peer.ip = t.remote;
    out->peer.port = t.remote_port;
    out->peer.family = t.family;
}

static void iip_tcp_note_accept(struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_tcp_listener *lis = iip_tcp_listener_of(conn);
    iip_tcp_note(conn, out, IIP_NOTE_ACCEPT);
    out->owner = lis;
    out->user = lis->user;
    iip_tcp_note_ends(conn, out);
    lis->waiting--;
    conn->flags &= ~(iip_u32)IIP_F_ACCEPTING;
    conn->user = 0;
}

static void iip_tcp_note_data(struct iip_tcp_conn *conn, struct iip_note *out)
{
    struct iip_pkt *pkt = conn->rcv_tail->link;
    iip_u32 bytes = 0;
    iip_tcp_note(conn, out, IIP_NOTE_DATA);
    out->pkt = pkt;
    conn->rcv_tail->link = 0;
    conn->rcv_tail = 0;
    for (; pkt; pkt = pkt->link)
        bytes += pkt->len;
    out->bytes = bytes;
}

/* Bytes that no DATA note has handed up. */
IIP_LOCAL iip_u32 iip_tcp_unread(const struct iip_tcp_conn *conn)
{
    const struct iip_pkt *pkt = conn->rcv_tail;
    iip_u32 bytes = 0;
    if (!pkt)
        return 0;
    do {
        pkt = pkt->link;
        bytes += pkt->len;
    } while (pkt != conn->rcv_tail);
    return bytes;
}

/* The number of the first of them; a FIN that waits to be told has one too. */
static iip_u32 iip_tcp_read_to(const struct iip_tcp_conn *conn)
{
    return conn->rcv.nxt - (conn->flags & IIP_F_NOTE_FIN ? 1 : 0) - iip_tcp_unread(conn);
}

static void iip_tcp_note_flag(struct iip_tcp_conn *conn, struct iip_note *out, iip_u32 flag)
{
    switch (flag) {
    case IIP_F_NOTE_ACCEPT:
        iip_tcp_note_accept(conn, out);
        break;
    case IIP_F_NOTE_CONNECTED:
        iip_tcp_note(conn, out, IIP_NOTE_CONNECTED);
        iip_tcp_note_ends(conn, out);
        break;
    case IIP_F_NOTE_URGENT:
        iip_tcp_note(conn, out, IIP_NOTE_URGENT)->value = conn->extra->rcv_up - iip_tcp_read_to(conn);
        break;
    case IIP_F_NOTE_ERROR:
        iip_tcp_note(conn, out, IIP_NOTE_ERROR)->status = conn->extra->error;
        out->value = conn->extra->error_value;
        break;
    case IIP_F_NOTE_WRITABLE:
        iip_tcp_note(conn, out, IIP_NOTE_WRITABLE);
        break;
    case IIP_F_NOTE_FIN:
        iip_tcp_note(conn, out, IIP_NOTE_FIN);
        break;
    default:
        iip_tcp_note(conn, out, IIP_NOTE_CLOSED)->status = (iip_s32)conn->timer.word;
        break;
    }
}

/* 1 and one note, or 0. */
static int iip_tcp_one_note(struct iip_tcp_conn *conn, struct iip_note *out)
{
    enum { BEFORE_DATA = IIP_F_NOTE_ACCEPT | IIP_F_NOTE_CONNECTED | IIP_F_NOTE_URGENT };
    iip_u32 waiting = conn->flags & IIP_F_NOTE_ANY;
    iip_u32 flag = waiting & (~waiting + 1); /* the lowest bit is the first */
    if (conn->rcv_tail && !(flag & BEFORE_DATA) && !(conn->flags & IIP_F_DETACHED)) {
        iip_tcp_note_data(conn, out);
        return 1;
    }
    if (!flag)
        return 0;
    conn->flags &= ~flag;
    iip_tcp_note_flag(conn, out, flag);
    return 1;
}

IIP_LOCAL iip_u32 iip_tcp_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                                int *more)
{
    struct iip_tcp_conn *conn = IIP_OUTER(ready, struct iip_tcp_conn, ready);
    iip_u32 n = 0;
    if (IIP_LIKELY(!(conn->flags & (IIP_F_NOTE_ANY | IIP_F_DETACHED)) && conn->rcv_tail)) {
        iip_tcp_note_data(conn, out);
        return 1;
    }
    while (n < cap && iip_tcp_one_note(conn, &out[n])) {
        if (out[n].type == IIP_NOTE_CLOSED) { /* the last one */
            iip_tcp_conn_free(stk, conn);
            *more = 0;
            return n + 1;
        }
        if (out[n++].type == IIP_NOTE_ACCEPT) { /* the application must know it before it hears more of it */
            *more = -1;
            return n;
        }
    }
    *more = n == cap && (conn->rcv_tail || (conn->flags & IIP_F_NOTE_ANY));
    return n;
}

/* ==== src/tcp/predict.c ==== */
/*
 * predict.c - the predicted path: what the steps of 3.10.7.4 do with the segment that was expected, without a turn.
 *
 * Expected is: ESTABLISHED, next in order, within the window, ACK and at most PSH, an ACK of something new or text (or
 * both), and nothing out of order on either side. It is the same work, and the tunable tcp.fast_path shows it: with 0
 * every segment takes the long way, and every packet on the wire must stay the same.
 */

/* ==== src/tcp/acked.h ==== */
/* acked.h - the parts of what an acceptable ACK does, for ack.c and for the short way. */




/* SND.UNA moves, and whatever was counted while it did not is forgotten. */
IIP_INLINE void iip_tcp_acked_to(struct iip_tcp_conn *conn, iip_u32 ack)
{
    if (IIP_UNLIKELY((conn->snd.una ^ ack) >> 31))
        conn->out_wraps++;
    conn->snd.una = ack;
    conn->retries = 0;
    conn->probes = 0;
    conn->flags &= ~(iip_u32)(IIP_F_TOLD_R1 | IIP_F_PERSIST);
}

IIP_INLINE void iip_tcp_acked_free(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_pkt *pkt = conn->snd_head;
    struct iip_pkt *next;
    for (; pkt && iip_seq_leq(pkt->seq + pkt->len, conn->snd.una); pkt = next) {
        next = pkt->link;
        if (IIP_UNLIKELY(conn->repair && conn->repair->rtx_cur == pkt))
            conn->repair->rtx_cur = 0;
        iip_pkt_drop(stk, pkt);
    }
    conn->snd_head = pkt;
    if (!pkt)
        conn->snd_tail = 0;
}

IIP_INLINE void iip_tcp_rtt_acked(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if ((conn->flags & IIP_F_RTT_PENDING) && iip_seq_lt(conn->rtt_seq, conn->snd.una)) {
        conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent);
        iip_path_confirm(stk, &conn->path);
    }
}

/* [RFC 9293 3.8.6.2.1] the application was refused: it is told when half of the buffer is free. */
IIP_INLINE void iip_tcp_writable(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if ((conn->flags & IIP_F_WANT_WRITE) && conn->snd.end - conn->snd.una <= conn->sndbuf / 2) {
        conn->flags &= ~(iip_u32)IIP_F_WANT_WRITE;
        iip_tcp_notify(stk, conn, IIP_F_NOTE_WRITABLE);
    }
}

/* [RFC 7661, in spirit] the window grows only while it is what holds us back. */
IIP_INLINE int iip_tcp_cwnd_limited(const struct iip_tcp_conn *conn, iip_u32 flight)
{
    iip_u32 reach = conn->cwnd < conn->ssthresh ? flight * 2 : flight + 2U * conn->mss;
    return reach >= conn->cwnd;
}

/* [RFC 6298 5.2, 5.3] */
IIP_INLINE void iip_tcp_acked_clock(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una == conn->snd.nxt)
        conn->rto_at = IIP_NEVER;
    else
        iip_tcp_rto_start(stk, conn);
}

/* ==== src/tcp/text.h ==== */
/* text.h - the parts of what text in order does, for text.c and for the short way. */




/* One view: RCV.NXT moves over it, and the application will be handed it. */
IIP_INLINE void iip_tcp_deliver_one(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    iip_u32 next = conn->rcv.nxt + pkt->len;
    if (IIP_UNLIKELY((conn->rcv.nxt ^ next) >> 31))
        conn->in_wraps++;
    conn->rcv.nxt = next;
    conn->rcv.held += iip_pkt_charge_one(pkt);
    if (conn->rcv_tail) {
        pkt->link = conn->rcv_tail->link;
        conn->rcv_tail->link = pkt;
    } else {
        pkt->link = pkt;
    }
    conn->rcv_tail = pkt;
}

/* [RFC 9293 3.8.6.3] an ACK for every second full segment, which may ride on the application's answer; else a delayed one. */
IIP_INLINE void iip_tcp_ack_for_text(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 owed = conn->rcv.nxt - conn->rcv.acked;
    if (owed >= 2U * conn->mss || (conn->flags & IIP_F_QUICKACK) || conn->quickacks || !stk->tune.tcp_delack_us) {
        conn->flags |= IIP_F_ACK_DUE;
        conn->quickacks -= conn->quickacks != 0;
        iip_tcp_touch(stk, conn);
    }
    if (conn->flags & IIP_F_ACK_DELAYED)
        return;
    conn->flags |= IIP_F_ACK_DELAYED;
    conn->ack_at = stk->now + stk->tune.tcp_delack_us;
    if (IIP_UNLIKELY(!iip_timer_armed(&conn->timer) || conn->ack_at < conn->timer.at))
        iip_tcp_arm(stk, conn);
}

/* ==== src/wire/plain.h ==== */
/*
 * plain.h - the packet that nearly all packets are: a link header or none, IPv4 without options or fragments, TCP with
 * no options or the timestamps. Read and written in one piece; every other packet goes through eth.h, ipv4.h and tcp.h.
 */




enum { IIP_PLAIN_IP = 20 };

struct iip_plain {
    const iip_u8 *tcp;       /* the TCP header */
    iip_u32 local4, remote4; /* memory order */
    iip_u32 ports;           /* local << 16 | remote */
    iip_u32 total;           /* bytes of the IP packet; how many there are of TCP is not checked yet */
};

/* 1 when `len` bytes at p begin as a plain packet for the station `mac` does: whose is it? */
IIP_INLINE int iip_plain_parse(struct iip_plain *in, const iip_u8 *p, iip_u32 len, iip_u32 l2_len, const iip_u8 *mac)
{
    iip_u32 word;
    if (len < l2_len + IIP_PLAIN_IP + IIP_TCP_HEADER)
        return 0;
    if (l2_len &&
        (iip_raw32(p) != iip_raw32(mac) || iip_raw16(p + 4) != iip_raw16(mac + 4) || iip_get16(p + 12) != IIP_ETH_IPV4))
        return 0;
    p += l2_len;
    in->total = iip_get16(p + 2);
    if (p[0] != 0x45 || p[9] != 6 || (iip_get16(p + 6) & 0x3fff) || in->total > len - l2_len)
        return 0;
    in->remote4 = iip_raw32(p + 12);
    in->local4 = iip_raw32(p + 16);
    in->tcp = p + IIP_PLAIN_IP;
    word = iip_get32(in->tcp);
    in->ports = word << 16 | word >> 16;
    return 1;
}

/* 1 when its TCP header has an ACK and no flag but PSH, and the timestamps alone (`ts`) or no option at all. */
IIP_INLINE int iip_plain_segment(struct iip_tcp_seg *seg, const struct iip_plain *in, iip_u32 ts)
{
    const iip_u8 *p = in->tcp;
    iip_u32 word = iip_get32(p + 12);
    seg->hdr_len = ts ? IIP_TCP_HEADER + IIP_TCP_TS_LEN : IIP_TCP_HEADER;
    seg->ts_val = 0;
    if ((word & 0xf0f70000U) != (seg->hdr_len << 26 | (iip_u32)IIP_TCP_ACK << 16) ||
        in->total < IIP_PLAIN_IP + seg->hdr_len)
        return 0;
    if (ts) {
        if (iip_get32(p + 20) != 0x0101080aU)
            return 0;
        seg->ts_val = iip_get32(p + 24);
    }
    seg->seq = iip_get32(p + 4);
    seg->ack = iip_get32(p + 8);
    seg->wnd = word & 0xffff;
    seg->len = in->total - IIP_PLAIN_IP - seg->hdr_len;
    return 1;
}

IIP_INLINE int iip_plain_ip_csum_ok(const iip_u8 *p)
{
    iip_u64 sum = (iip_u64)iip_raw32(p) + iip_raw32(p + 4) + iip_raw32(p + 8) + iip_raw32(p + 12) + iip_raw32(p + 16);
    return iip_csum_fold(sum) == 0xffff;
}

/* The IPv4 header, its sum zero; addresses in memory order. */
IIP_INLINE void iip_plain_emit_ip(iip_u8 *p, iip_u32 local4, iip_u32 remote4, iip_u32 total, iip_u32 tos, iip_u32 ttl)
{
    iip_put32(p, 0x45000000U | tos << 16 | (total & 0xffff));
    iip_put32(p + 4, 0x4000); /* [RFC 6864 4.1] identification 0 with DF */
    iip_put32(p + 8, ttl << 24 | 6U << 16);
    IIP_COPY(p + 12, &local4, 4);
    IIP_COPY(p + 16, &remote4, 4);
}

/* The fixed TCP header, its sum zero; `word`: header length << 26 | flags << 16 | window. */
IIP_INLINE void iip_plain_emit_tcp(iip_u8 *p, iip_u32 ports, iip_u32 seq, iip_u32 ack, iip_u32 word)
{
    iip_put32(p, ports);
    iip_put32(p + 4, seq);
    iip_put32(p + 8, ack);
    iip_put32(p + 12, word);
    iip_put32(p + 16, 0);
}

/* The IP header's sum from its fields, ready to be stored at p + 10. */
IIP_INLINE void iip_plain_ip_csum(iip_u8 *p)
{
    iip_u64 sum = (iip_u64)iip_raw32(p) + iip_raw32(p + 4) + iip_raw32(p + 8) + iip_raw32(p + 12) + iip_raw32(p + 16);
    iip_csum_store(p + 10, ~iip_csum_fold(sum));
}

/* TCP's pseudo-header, not folded. */
IIP_INLINE iip_u64 iip_plain_pseudo(iip_u32 local4, iip_u32 remote4, iip_u32 l4_bytes)
{
    return (iip_u64)local4 + remote4 + iip_csum_word(6) + iip_csum_word(l4_bytes);
}

enum {
    IIP_F_DETOUR = IIP_F_RECOVERY | IIP_F_LOSS | IIP_F_PERSIST | IIP_F_URG_SEND | IIP_F_URG_RECV | IIP_F_DETACHED | IIP_F_FIN_SEEN | IIP_F_KEEPALIVE |
                   IIP_F_DISORDER
};

IIP_INLINE int iip_tcp_expected(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                const struct iip_tcp_seg *seg, iip_u32 ts)
{
    iip_u32 acked = seg->ack - conn->snd.una;
    if (conn->id.state != IIP_TCP_ESTABLISHED || (conn->flags & IIP_F_DETOUR) || !stk->tune.tcp_fast_path ||
        IIP_UNLIKELY(stk->pressure))
        return 0;
    if (seg->seq != conn->rcv.nxt || seg->len > conn->rcv.edge - conn->rcv.nxt || conn->rcv.held > conn->rcvbuf)
        return 0;
    if (acked > conn->snd.nxt - conn->snd.una || !(seg->len | acked))
        return 0;
    return !ts || !iip_seq_lt(seg->ts_val, conn->ts_recent);
}

/* iip_tcp_ack_advance, where nothing was lost and no duplicates were counted. */
IIP_MERGED void iip_tcp_ack_expected(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ack)
{
    iip_u32 acked = ack - conn->snd.una;
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_tcp_acked_to(conn, ack);
    iip_tcp_acked_free(stk, conn);
    iip_tcp_rtt_acked(stk, conn);
    if (iip_tcp_cwnd_limited(conn, flight))
        iip_tcp_cc_of(conn)->on_ack(conn, acked, stk->now);
    iip_tcp_writable(stk, conn);
    iip_tcp_acked_clock(stk, conn);
}

/* The work: `pkt` begins `skip` bytes before the text; `ts`: it has timestamps. */
IIP_MERGED iip_verdict iip_tcp_take_expected(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                             const struct iip_tcp_seg *seg, struct iip_pkt *pkt, iip_u32 skip,
                                             iip_u32 ts)
{
    iip_count(stk, IIP_CTR_TCP_FAST_PATH);
    if (ts && conn->rcv.nxt == conn->rcv.acked)
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
    if (seg->ack != conn->snd.una) {
        iip_tcp_ack_expected(stk, conn, seg->ack);
        iip_tcp_window_take(stk, conn, seg);
    } else {
        iip_tcp_window_update(stk, conn, seg);
    }
    if (conn->snd.nxt != conn->snd.end)
        iip_tcp_touch(stk, conn);
    if (!seg->len)
        return IIP_DONE;
    if (IIP_UNLIKELY(pkt->next != 0)) {
        iip_tcp_deliver(conn, iip_pkt_skip(stk, pkt, skip));
    } else {
        pkt->data += skip;
        pkt->len = seg->len; /* what pads the frame is no text */
        iip_tcp_deliver_one(conn, pkt);
    }
    iip_ready_put(stk, &conn->ready);
    iip_tcp_ack_for_text(stk, conn);
    return IIP_KEPT;
}

IIP_LOCAL iip_verdict iip_tcp_predict(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_seg *seg,
                                      struct iip_pkt *pkt)
{
    iip_u32 ts = conn->id.options & IIP_HAS_TS;
    if ((seg->flags & ~IIP_TCP_PSH) != IIP_TCP_ACK)
        return IIP_NEXT_STEP;
    if (ts ? !iip_tcp_parse_ts_only(seg, pkt->data) : seg->hdr_len != IIP_TCP_HEADER)
        return IIP_NEXT_STEP;
    if (!iip_tcp_expected(stk, conn, seg, ts))
        return IIP_NEXT_STEP;
    return iip_tcp_take_expected(stk, conn, seg, pkt, seg->hdr_len, ts);
}

IIP_INLINE int iip_tcp_plain_sums_ok(const struct iip_pkt *pkt, const struct iip_plain *in)
{
    iip_u32 l4_bytes = in->total - IIP_PLAIN_IP;
    iip_u64 sum;
    if (!(pkt->flags & IIP_PKT_IP_CSUM_OK) && !iip_plain_ip_csum_ok(in->tcp - IIP_PLAIN_IP))
        return 0;
    if (pkt->flags & IIP_PKT_L4_CSUM_OK)
        return 1;
    sum = iip_plain_pseudo(in->local4, in->remote4, l4_bytes);
    sum = iip_csum_add(sum, iip_csum_bytes(in->tcp, l4_bytes));
    return iip_csum_fold(sum) == 0xffff;
}

/* A burst is often one connection's: that of the packet before is looked at first. */
IIP_INLINE struct iip_tcp_id *iip_tcp_plain_id(struct iip_stack *stk, const struct iip_plain *in)
{
    struct iip_tcp_conn *conn = stk->tcp->recent;
    if (conn && iip_tcp_id_is4(&conn->id, in->local4, in->remote4, in->ports))
        return &conn->id;
    return iip_tcp_find4(stk, in->local4, in->remote4, in->ports);
}

/*
 * Not expected, but plain: what link, IP and the table have to say is known here already, and only the steps are left.
 * Whatever would be dropped on the way is left as it was, and so is what another stack may own.
 */
IIP_APART static iip_verdict iip_tcp_rx_steps(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_pkt *pkt,
                                              struct iip_plain in) /* a copy, so that the short way has its own in registers */
{
    struct iip_tcp_arrival arr;
    struct iip_rx rx;
    const iip_u8 *ip = in.tcp - IIP_PLAIN_IP;
    iip_u32 bytes = in.total - IIP_PLAIN_IP;
    if (!stk->tune.tcp_fast_path || in.total < IIP_PLAIN_IP || iip_tcp_parse(&arr.seg, in.tcp, bytes))
        return IIP_NEXT_STEP;
    if ((!id && stk->share.stacks > 1) || !iip_ipv4_addrs_plain(stk->net, ip) || !iip_tcp_plain_sums_ok(pkt, &in))
        return IIP_NEXT_STEP;
    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    iip_ipv4_fill(&rx, ip, IIP_PLAIN_IP);
    pkt->data += stk->l2_len + IIP_PLAIN_IP;
    pkt->len = bytes;
    pkt->l2_len = (iip_u8)stk->l2_len;
    arr.pkt = pkt;
    arr.rx = &rx;
    arr.skip = 0;
    return iip_tcp_arrives(stk, id, &arr);
}

/* The rest of the step, where the connection is known. */
IIP_MERGED iip_verdict iip_tcp_rx_conn(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                       const struct iip_plain *in, iip_u32 l2_len, iip_u32 ts)
{
    struct iip_tcp_seg seg;
    if (!iip_plain_segment(&seg, in, ts) || !iip_tcp_expected(stk, conn, &seg, ts) || IIP_UNLIKELY(conn->path.loop) ||
        !iip_tcp_plain_sums_ok(pkt, in))
        return iip_tcp_rx_steps(stk, &conn->id, pkt, *in);
    stk->tcp->recent = conn;
    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    return iip_tcp_take_expected(stk, conn, &seg, pkt, l2_len + IIP_PLAIN_IP + seg.hdr_len, ts);
}

/*
 * From the wire in one step: a plain packet whose tuple is that of a connection needs no check of its addresses, for
 * they were checked when the connection was made. One with ourselves is not made of what comes from the wire. Anything
 * else is left as it was.
 */
IIP_LOCAL iip_verdict iip_tcp_rx_plain(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_plain in;
    struct iip_tcp_id *id;
    iip_u32 l2_len = stk->l2_len;
    if (pkt->next || !iip_plain_parse(&in, pkt->data, pkt->len, l2_len, stk->mac))
        return IIP_NEXT_STEP;
    id = iip_tcp_plain_id(stk, &in);
    if (IIP_UNLIKELY(!id || id->kind != IIP_ID_CONN))
        return iip_tcp_rx_steps(stk, id, pkt, in);
    if (IIP_LIKELY(id->options & IIP_HAS_TS)) /* each is laid out by itself: all lengths are known then */
        return iip_tcp_rx_conn(stk, iip_tcp_conn_of_id(id), pkt, &in, l2_len, IIP_HAS_TS);
    return iip_tcp_rx_conn(stk, iip_tcp_conn_of_id(id), pkt, &in, l2_len, 0);
}

/* ==== src/tcp/input.c ==== */
/* input.c - SEGMENT ARRIVES [RFC 9293 3.10.7]: decode once, and find the state it meets. */

static int iip_tcp_csum_wrong(const struct iip_pkt *pkt, const struct iip_rx *rx, iip_u32 bytes)
{
    iip_u64 sum;
    if ((pkt->flags & IIP_PKT_L4_CSUM_OK) || rx->looped)
        return 0;
    sum = iip_ip_pseudo(&rx->src, &rx->dst, rx->family, 6, bytes);
    sum = iip_csum_add(sum, pkt->next ? iip_pkt_csum(pkt, 0, bytes) : iip_csum_bytes(pkt->data, bytes));
    return iip_csum_fold(sum) != 0xffff;
}

/* [RFC 9293 3.1] what cannot be a segment, or was damaged, is dropped in silence. */
static iip_verdict iip_tcp_decode(struct iip_tcp_arrival *arr, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 bytes = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    arr->pkt = pkt;
    arr->rx = rx;
    arr->skip = 0;
    if (IIP_UNLIKELY(iip_tcp_parse(&arr->seg, pkt->data, bytes) || arr->seg.hdr_len > pkt->len))
        return IIP_CTR_DROP_TCP_HEADER;
    if (IIP_UNLIKELY(iip_tcp_csum_wrong(pkt, rx, bytes)))
        return IIP_CTR_DROP_TCP_CSUM;
    return IIP_NEXT_STEP;
}

/* The long way: every option, SYN and FIN counted in SEG.LEN. */
static void iip_tcp_decode_rest(struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    if (seg->hdr_len > IIP_TCP_HEADER && !seg->has && !iip_tcp_parse_ts_only(seg, arr->pkt->data))
        iip_tcp_parse_options(seg, arr->pkt->data);
    arr->pkt->data += seg->hdr_len;
    arr->pkt->len -= seg->hdr_len;
    seg->len += (seg->flags & IIP_TCP_SYN ? 1 : 0) + (seg->flags & IIP_TCP_FIN ? 1 : 0);
}

/*
 * [RFC 9293 3.10.7.1] no connection, no listener: RST for everything but a RST. A multicast or broadcast destination
 * gets no answer, and a tuple of another stack that shares our addresses goes there.
 */
IIP_LOCAL iip_verdict iip_tcp_closed_input(struct iip_stack *stk, struct iip_tcp_arrival *arr)
{
    iip_tcp_reset_reply(stk, arr);
    return IIP_CTR_DROP_TCP_CLOSED;
}

static iip_verdict iip_tcp_conn_steps(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    if (conn->id.state == IIP_TCP_SYN_SENT)
        return iip_tcp_synsent_input(stk, conn, arr);
    return iip_tcp_segment_arrives(stk, conn, arr);
}

static iip_verdict iip_tcp_no_conn_input(struct iip_stack *stk, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_tuple t;
    if (arr->rx->multicast) /* [RFC 9293 3.9.2.3 MUST-57]; IP let no source through that is none [MUST-63] */
        return IIP_CTR_DROP_TCP_ADDR;
    iip_tcp_tuple_rx(&t, arr->rx, &arr->seg);
    if (iip_ip_same(&t.local, &t.remote) && t.local_port == t.remote_port && !arr->rx->looped)
        return IIP_CTR_DROP_TCP_ADDR;
    iip_tcp_decode_rest(arr);
    lis = iip_tcp_listener_for(stk, &t);
    return lis ? iip_tcp_listen_input(stk, lis, arr) : iip_tcp_closed_input(stk, arr);
}

/* A tuple that another stack owns: that stack gets the packet as it came. */
static int iip_tcp_foreign(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_arrival *arr)
{
    iip_u32 owner;
    if (stk->share.stacks <= 1 || arr->rx->looped || !arr->rx->l3_len)
        return 0;
    owner = iip_share_owner(stk, &arr->rx->dst, &arr->rx->src, arr->seg.dst_port, arr->seg.src_port);
    if (owner == stk->share.self)
        return 0;
    pkt->data -= arr->rx->l3_len + stk->l2_len;
    pkt->len += arr->rx->l3_len + stk->l2_len;
    iip_share_hand_over(stk, pkt, owner);
    return 1;
}

IIP_LOCAL iip_verdict iip_tcp_arrives(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_tcp_arrival *arr)
{
    if (!id)
        return iip_tcp_no_conn_input(stk, arr);
    iip_tcp_decode_rest(arr);
    if (id->kind == IIP_ID_CONN)
        return iip_tcp_conn_steps(stk, iip_tcp_conn_of_id(id), arr);
    if (id->kind == IIP_ID_HALF)
        return iip_tcp_half_input(stk, iip_tcp_mini_of_id(id), arr);
    return iip_tcp_wait_input(stk, iip_tcp_mini_of_id(id), arr);
}

IIP_LOCAL iip_verdict iip_tcp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_tcp_arrival arr;
    struct iip_tcp_id *id;
    iip_verdict verdict = iip_tcp_decode(&arr, pkt, rx);

    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    if (IIP_UNLIKELY(verdict != IIP_NEXT_STEP))
        return verdict;
    id = iip_tcp_lookup(stk, rx, iip_tcp_ports(arr.seg.dst_port, arr.seg.src_port));
    if (IIP_LIKELY(id && id->kind == IIP_ID_CONN)) {
        verdict = iip_tcp_predict(stk, iip_tcp_conn_of_id(id), &arr.seg, pkt);
        if (IIP_LIKELY(verdict != IIP_NEXT_STEP))
            return verdict;
    }
    if (!id && iip_tcp_foreign(stk, pkt, &arr))
        return IIP_KEPT;
    return iip_tcp_arrives(stk, id, &arr);
}

/* ==== src/tcp/listen.c ==== */
/*
 * listen.c - SEGMENT ARRIVES in LISTEN [RFC 9293 3.10.7.2], and half-open connections: 56 bytes each [RFC 4987 3.6]
 * until the ACK that completes the handshake. When there are too many, cookies take their place.
 */

static iip_u64 iip_tcp_half_delay(const struct iip_stack *stk, iip_u32 retries)
{
    return iip_min64(stk->tune.tcp_rto_initial_us << iip_min32(retries, 16), stk->tune.tcp_rto_max_us);
}

/*
 * <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> with what we agree to, and our window scale; the window of a SYN is never scaled
 * [RFC 7323 2.2].
 */
static void iip_tcp_synack_send(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *syn,
                                iip_u32 options, iip_u32 wscale, const struct iip_tcp_secret *secret)
{
    struct iip_tcp_seg seg;
    seg.seq = secret->iss;
    seg.ack = syn->seq + 1;
    seg.flags = IIP_TCP_SYN | IIP_TCP_ACK;
    seg.wnd = iip_tcp_mini_window(stk);
    stk->tcp->half_wnd = iip_max32(stk->tcp->half_wnd, seg.wnd);
    seg.has = (iip_u8)(options | IIP_HAS_MSS);
    seg.mss = (iip_u16)iip_tcp_mss_offer(stk, t);
    seg.wscale = (iip_u8)wscale;
    seg.ts_val = iip_tcp_ts_now(stk, secret->ts_off);
    seg.ts_ecr = syn->ts_val;
    iip_tcp_bare(stk, t, &seg, (iip_u32)stk->tune.tcp_dscp << 2);
}

/* Options that the SYN offers and that we want. */
static iip_u32 iip_tcp_agree(const struct iip_stack *stk, const struct iip_tcp_seg *syn)
{
    return syn->has & iip_tcp_offers(stk) & ~(iip_u32)IIP_HAS_MSS;
}

/*
 * An ISS above all numbers that we used before on the tuple [RFC 9293 3.6.1 MAY-2]: the clock's, unless the last
 * connection was faster than it. Then so far above that the clock is behind for as long as an RTT is measured by it.
 */
static iip_u32 iip_tcp_iss_above(iip_u32 iss, const iip_u32 *used)
{
    return used && !iip_seq_lt(*used, iss) ? *used + ((iip_u32)1 << 19) : iss;
}

static void iip_tcp_half_open(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *syn,
                              const iip_u32 *used)
{
    struct iip_tcp_secret secret;
    struct iip_tcp_mini *half = 0;
    iip_u32 wscale = iip_tcp_wscale_offer(stk, (iip_u32)stk->tune.tcp_rcvbuf);
    iip_tcp_secret_of(stk, t, &secret);
    secret.iss = iip_tcp_iss_above(secret.iss, used);
    if (stk->tcp->half_count < stk->tune.tcp_half_open_max)
        half = iip_tcp_mini_new(stk, t->family);
    if (!half) {
        iip_count(stk, IIP_CTR_TCP_COOKIES_SENT);
        secret.iss = iip_tcp_cookie_make(stk, t, syn);
        iip_tcp_synack_send(stk, t, syn, 0, 15, &secret);
        return;
    }
    iip_tcp_id_init(stk, &half->id, IIP_ID_HALF, t);
    half->id.options = (iip_u8)iip_tcp_agree(stk, syn);
    half->snd_nxt = secret.iss + 1;
    half->rcv_nxt = syn->seq + 1;
    half->ts_recent = syn->has & IIP_HAS_TS ? syn->ts_val : 0;
    half->mss = (iip_u16)(syn->has & IIP_HAS_MSS ? syn->mss : 0);
    half->wscale = (iip_u8)(wscale << 4 | (syn->has & IIP_HAS_WSCALE ? iip_min32(syn->wscale, 14) : 0));
    if (syn->has & IIP_HAS_MSS)
        half->id.options |= IIP_HAS_MSS;
    stk->tcp->half_count++;
    iip_tcp_fifo_put(stk, &stk->tcp->half[0], half, iip_tcp_half_delay(stk, 0));
    iip_tcp_synack_send(stk, t, syn, half->id.options, wscale, &secret);
}

/* Third: a SYN. `used`: the number behind the last that we sent on the tuple, or null. */
IIP_LOCAL iip_verdict iip_tcp_listen_syn(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                         struct iip_tcp_arrival *arr, const iip_u32 *used)
{
    struct iip_tcp_tuple t;
    if (lis->waiting >= lis->backlog)
        return IIP_CTR_DROP_TCP_BACKLOG;
    iip_tcp_tuple_rx(&t, arr->rx, &arr->seg);
    iip_tcp_half_open(stk, &t, &arr->seg, used);
    return IIP_DONE;
}

IIP_LOCAL iip_verdict iip_tcp_listen_input(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                           struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    struct iip_tcp_conn *conn = 0;
    iip_u64 cookie;

    if (seg->flags & IIP_TCP_RST) /* first: a RST is ignored */
        return IIP_CTR_DROP_TCP_LISTEN;
    iip_tcp_tuple_rx(&t, arr->rx, seg);
    if (seg->flags & IIP_TCP_ACK) { /* second: an ACK is answered with RST, unless it brings back a cookie */
        if (iip_tcp_cookie_check(stk, &t, seg, &syn, &cookie)) {
            if (lis->waiting < lis->backlog && iip_tcp_cookies_ready(stk))
                conn = iip_tcp_accept(stk, lis, &t, 0, &syn, seg->ack - 1);
            if (!conn)
                return IIP_CTR_DROP_TCP_BACKLOG;
            iip_tcp_cookie_used(stk, cookie);
            return iip_tcp_segment_arrives(stk, conn, arr);
        }
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_LISTEN;
    }
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)) != IIP_TCP_SYN) /* fourth: but a SYN; with a FIN only scanners send it */
        return IIP_CTR_DROP_TCP_LISTEN;
    return iip_tcp_listen_syn(stk, lis, arr, 0);
}

IIP_LOCAL void iip_tcp_half_drop(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    iip_tcp_fifo_del(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half);
    stk->tcp->half_count--;
    if (!stk->tcp->half_count)
        stk->tcp->half_wnd = 0;
    iip_tcp_mini_free(stk, half);
}

/* What the peer's SYN said, from the record. */
static void iip_tcp_half_syn(const struct iip_tcp_mini *half, struct iip_tcp_seg *syn)
{
    syn->seq = half->rcv_nxt - 1;
    syn->has = half->id.options;
    syn->ts_val = half->ts_recent;
    syn->wscale = half->wscale & 15;
    syn->mss = half->mss;
}

/* The SYN-ACK once more. */
static void iip_tcp_half_again(struct iip_stack *stk, const struct iip_tcp_mini *half)
{
    struct iip_tcp_secret secret;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    iip_tcp_tuple_of(&half->id, &t);
    iip_tcp_half_syn(half, &syn);
    iip_tcp_secret_of(stk, &t, &secret);
    secret.iss = half->snd_nxt - 1;
    iip_tcp_synack_send(stk, &t, &syn, half->id.options, half->wscale >> 4, &secret);
}

/* The SYN-ACK was not answered in time. */
IIP_LOCAL void iip_tcp_half_due(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    if (half->retries >= stk->tune.tcp_synack_retries) {
        iip_tcp_half_drop(stk, half);
        return;
    }
    iip_tcp_fifo_del(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half);
    half->retries++;
    half->id.state = 0;
    iip_tcp_fifo_put(stk, &stk->tcp->half[iip_min32(half->retries, (iip_u32)IIP_HALF_QUEUES - 1)], half,
                     iip_tcp_half_delay(stk, half->retries));
    iip_count(stk, IIP_CTR_TCP_RETRANS);
    iip_tcp_half_again(stk, half);
}

/* What the peer of a half-open connection was told, or more: tunables may have changed since. */
static iip_u32 iip_tcp_half_window(const struct iip_stack *stk)
{
    return iip_max32(iip_tcp_mini_window(stk), stk->tcp->half_wnd);
}

/* The handshake is complete: a connection takes the place of the record, if there is one; the listener learns of it. */
IIP_LOCAL struct iip_tcp_conn *iip_tcp_accept(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                              const struct iip_tcp_tuple *t, struct iip_tcp_id *half,
                                              const struct iip_tcp_seg *syn, iip_u32 iss)
{
    struct iip_tcp_conn *conn;
    struct iip_ip local = t->local;
    struct iip_path path;
    if (iip_path_find(stk, &local, &t->remote, &path))
        return 0;
    conn = iip_tcp_conn_new(stk, t, half, lis);
    if (!conn) {
        iip_path_drop(stk, &path);
        return 0;
    }
    conn->path = path;
    conn->rtt_sent = (iip_u32)stk->now - ((conn->iss - iss) << 2); /* the ISS is a clock of 4 us plus a constant */
    conn->iss = iss;
    conn->snd.una = conn->snd.nxt = conn->snd.end = iss + 1;
    conn->rcv_wscale = half ? (iip_u8)(iip_tcp_mini_of_id(half)->wscale >> 4) : 15;
    iip_tcp_negotiate(stk, conn, syn);
    conn->rcv.edge = conn->rcv.nxt + iip_tcp_half_window(stk);
    conn->snd.wl1 = syn->seq;
    conn->snd.wl2 = iss;
    conn->flags |= IIP_F_PASSIVE | IIP_F_ACCEPTING;
    lis->waiting++;
    iip_count(stk, IIP_CTR_TCP_PASSIVE);
    iip_tcp_establish(stk, conn);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_ACCEPT);
    return conn;
}

/* A valid ACK: its window is that of an established connection, and it may bring text and FIN. */
static iip_verdict iip_tcp_half_complete(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg syn;
    iip_u32 iss = half->snd_nxt - 1;
    iip_u32 lost = half->retries;

    iip_tcp_tuple_of(&half->id, &t);
    lis = iip_tcp_listener_for(stk, &t);
    if (!lis) {
        iip_tcp_half_drop(stk, half);
        return iip_tcp_closed_input(stk, arr);
    }
    if (lis->waiting >= lis->backlog)
        return IIP_CTR_DROP_TCP_BACKLOG; /* the SYN-ACK will be sent again, and the peer will answer again */
    iip_tcp_half_syn(half, &syn);
    conn = iip_tcp_accept(stk, lis, &t, &half->id, &syn, iss);
    if (!conn)
        return IIP_CTR_DROP_TCP_MEMORY; /* the record stays, for the peer's next segment */
    iip_tcp_half_drop(stk, half);
    if (lost) {
        conn->cwnd = conn->mss; /* [RFC 5681 3.1] */
        iip_tcp_rtt_echo(stk, conn, &arr->seg);
    } else if ((iip_s32)((iip_u32)stk->now - conn->rtt_sent) >= 0) {
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent); /* since the SYN-ACK */
    }
    return iip_tcp_segment_arrives(stk, conn, arr);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, so many between two SYN-ACKs [RFC 9293 3.10.7.4 first, RFC 5961 3.2] */
static void iip_tcp_half_ack(struct iip_stack *stk, struct iip_tcp_mini *half)
{
    iip_u32 shift = half->id.options & IIP_HAS_WSCALE ? half->wscale >> 4 : 0;
    iip_tcp_mini_answer(stk, half, iip_tcp_half_window(stk) >> shift, 1);
}

/* First: PAWS and the sequence number. A RST is not answered. */
static iip_verdict iip_tcp_half_seq(struct iip_stack *stk, struct iip_tcp_mini *half, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = iip_tcp_half_window(stk);
    iip_u32 start = seg->seq - half->rcv_nxt;
    int rst = (seg->flags & IIP_TCP_RST) != 0;
    iip_verdict verdict = IIP_CTR_DROP_TCP_SEQ;
    if ((half->id.options & seg->has & IIP_HAS_TS) && !rst && iip_seq_lt(seg->ts_val, half->ts_recent))
        verdict = IIP_CTR_DROP_TCP_PAWS;
    else if (start < wnd || (!rst && seg->len && start + seg->len - 1 < wnd))
        return IIP_NEXT_STEP;
    if (!rst)
        iip_tcp_half_ack(stk, half);
    return verdict;
}

/* Second and fourth: RST and SYN, back to LISTEN in silence [MUST-11]. */
static iip_verdict iip_tcp_half_end(struct iip_stack *stk, struct iip_tcp_mini *half, const struct iip_tcp_seg *seg)
{
    if ((seg->flags & IIP_TCP_RST) && seg->seq != half->rcv_nxt) {
        iip_tcp_half_ack(stk, half);
        return IIP_CTR_DROP_TCP_RST;
    }
    iip_tcp_half_drop(stk, half);
    return seg->flags & IIP_TCP_RST ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_TCP_SYN;
}

/* SYN-RECEIVED from LISTEN: the steps of 3.10.7.4, as far as a record without a connection knows them. */
IIP_LOCAL iip_verdict iip_tcp_half_input(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_verdict verdict;
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_ACK | IIP_TCP_RST)) == IIP_TCP_SYN && seg->seq + 1 == half->rcv_nxt) {
        iip_tcp_half_again(stk, half); /* the SYN again: our SYN-ACK was lost */
        return IIP_DONE;
    }
    verdict = iip_tcp_half_seq(stk, half, seg);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    if (seg->flags & (IIP_TCP_RST | IIP_TCP_SYN))
        return iip_tcp_half_end(stk, half, seg);
    if (!(seg->flags & IIP_TCP_ACK)) /* fifth */
        return IIP_CTR_DROP_TCP_ACK;
    if (seg->ack != half->snd_nxt) {
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_ACK;
    }
    return iip_tcp_half_complete(stk, half, arr);
}

/* ==== src/tcp/cookie.c ==== */
/*
 * cookie.c - SYN cookies [RFC 4987 3.6]: the ISN of a SYN-ACK that keeps no state: 24 bits of a keyed hash over the
 * tuple, the peer's ISN and a count of 64-second periods, 5 bits of the count, 3 bits of the MSS. Window scale, SACK
 * and timestamps are not offered then.
 *
 * A cookie is good for one connection: the latest IIP_COOKIES_USED that opened one are known by all 64 bits of their
 * hash, so that a duplicate of the segment that brought one back does not open a second when the first has ended.
 * Which set a cookie falls into is the key's secret: to push one out takes as many handshakes as there is room.
 */

static const iip_u16 iip_tcp_cookie_mss[8] = {216, 536, 960, 1220, 1360, 1440, 1460, 8960};

enum { IIP_COOKIE_WAYS = 4, IIP_COOKIES_USED = 1024, IIP_COOKIES_SIZE = IIP_COOKIES_USED * sizeof(iip_u64) };

static iip_u64 iip_tcp_cookie_hash(const struct iip_stack *stk, const struct iip_tcp_tuple *t, iip_u32 irs,
                                   iip_u32 period, iip_u32 mss)
{
    iip_u8 b[48];
    IIP_COPY(b, t->local.b, 16);
    IIP_COPY(b + 16, t->remote.b, 16);
    iip_put16(b + 32, t->local_port);
    iip_put16(b + 34, t->remote_port);
    iip_put32(b + 36, irs);
    iip_put32(b + 40, period);
    iip_put32(b + 44, 0xc0000000U + mss);
    return iip_siphash(stk->key, b, sizeof(b));
}

static iip_u32 iip_tcp_cookie_period(const struct iip_stack *stk)
{
    return (iip_u32)(stk->now >> 26);
}

IIP_LOCAL iip_u32 iip_tcp_cookie_make(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                      const struct iip_tcp_seg *syn)
{
    iip_u32 period = iip_tcp_cookie_period(stk);
    iip_u32 mss = syn->has & IIP_HAS_MSS ? syn->mss : 536;
    iip_u32 i = IIP_COUNT(iip_tcp_cookie_mss) - 1;
    while (i && iip_tcp_cookie_mss[i] > mss)
        i--;
    return (iip_u32)iip_tcp_cookie_hash(stk, t, syn->seq, period, i) << 8 | (period & 31) << 3 | i;
}

/* The set that `hash` falls into, the latest first. */
static iip_u64 *iip_tcp_cookie_set(const struct iip_stack *stk, iip_u64 hash)
{
    return stk->tcp->cookies + (iip_u32)(hash >> 24) % (IIP_COOKIES_USED / IIP_COOKIE_WAYS) * IIP_COOKIE_WAYS;
}

static int iip_tcp_cookie_is_used(const struct iip_stack *stk, iip_u64 hash)
{
    const iip_u64 *set = stk->tcp->cookies ? iip_tcp_cookie_set(stk, hash) : 0;
    iip_u32 i;
    for (i = 0; set && i < IIP_COOKIE_WAYS; i++) {
        if (set[i] == hash)
            return 1;
    }
    return 0;
}

IIP_LOCAL int iip_tcp_cookie_check(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *seg,
                                   struct iip_tcp_seg *syn, iip_u64 *hash)
{
    iip_u32 cookie = seg->ack - 1;
    iip_u32 period = iip_tcp_cookie_period(stk);
    iip_u32 age = (period - (cookie >> 3)) & 31;
    if (!stk->ctr[IIP_CTR_TCP_COOKIES_SENT] || age > 1 || (seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)))
        return 0;
    *hash = iip_tcp_cookie_hash(stk, t, seg->seq - 1, period - age, cookie & 7);
    if (((iip_u32)*hash & 0xffffff) != cookie >> 8 || iip_tcp_cookie_is_used(stk, *hash))
        return 0;
    iip_count(stk, IIP_CTR_TCP_COOKIES_GOOD);
    syn->seq = seg->seq - 1;
    syn->has = IIP_HAS_MSS;
    syn->mss = iip_tcp_cookie_mss[cookie & 7];
    syn->wscale = 0;
    syn->ts_val = 0;
    return 1;
}

IIP_LOCAL int iip_tcp_cookies_ready(struct iip_stack *stk)
{
    if (!stk->tcp->cookies)
        stk->tcp->cookies = (iip_u64 *)iip_mem_zalloc(stk, IIP_COOKIES_SIZE);
    return stk->tcp->cookies != 0;
}

IIP_LOCAL void iip_tcp_cookie_used(struct iip_stack *stk, iip_u64 hash)
{
    iip_u64 *set = iip_tcp_cookie_set(stk, hash);
    iip_u32 i;
    for (i = IIP_COOKIE_WAYS - 1; i; i--)
        set[i] = set[i - 1];
    set[0] = hash;
}

IIP_LOCAL void iip_tcp_cookies_free(struct iip_stack *stk)
{
    iip_mem_free(stk, stk->tcp->cookies, IIP_COOKIES_SIZE);
}

/* ==== src/tcp/synsent.c ==== */
/* synsent.c - SEGMENT ARRIVES in SYN-SENT [RFC 9293 3.10.7.3]. */

/* The peer's SYN acknowledges ours: the connection is open, and the ACK may ride on the first data. */
static iip_verdict iip_tcp_synsent_open(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    conn->snd.una = seg->ack;
    conn->snd.wnd = seg->wnd; /* never scaled in a SYN */
    conn->snd.max_wnd = seg->wnd;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = seg->ack;
    if ((conn->flags & IIP_F_RTT_PENDING) && !conn->retries)
        iip_tcp_rtt_sample(stk, conn, (iip_u32)stk->now - conn->rtt_sent);
    else
        iip_tcp_rtt_echo(stk, conn, seg);
    conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
    iip_tcp_establish(stk, conn);
    conn->flags |= IIP_F_ACK_DUE; /* it may ride on the first bytes, or on the FIN */
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CONNECTED);
    iip_tcp_touch(stk, conn);
    return IIP_DONE;
}

/* A SYN without an ACK: both opened at once; SYN-ACK, and SYN-RECEIVED [RFC 9293 3.5 figure 8]. */
static iip_verdict iip_tcp_synsent_crossed(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                           const struct iip_tcp_seg *seg)
{
    conn->id.state = IIP_TCP_SYN_RECEIVED;
    conn->snd.wnd = seg->wnd;
    conn->snd.max_wnd = seg->wnd;
    conn->snd.wl1 = seg->seq;
    conn->snd.wl2 = conn->iss;
    conn->flags = (conn->flags & ~(iip_u32)IIP_F_RTT_PENDING) | IIP_F_ACK_NOW;
    conn->retries = 0;
    iip_tcp_touch(stk, conn);
    return IIP_DONE;
}

IIP_LOCAL iip_verdict iip_tcp_synsent_input(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    int acked = 0;
    if (seg->flags & IIP_TCP_ACK) { /* first: an ACK of what was not sent */
        acked = seg->ack == conn->iss + 1;
        if (!acked) {
            iip_tcp_reset_reply(stk, arr);
            return IIP_CTR_DROP_TCP_ACK;
        }
    }
    if (seg->flags & IIP_TCP_RST) { /* second: RST: refused, if it proves that it saw our SYN */
        if (!acked)
            return IIP_CTR_DROP_TCP_RST;
        iip_tcp_end(stk, conn, IIP_E_REFUSED);
        return IIP_DONE;
    }
    if (!(seg->flags & IIP_TCP_SYN)) /* fifth: neither SYN nor RST */
        return IIP_CTR_DROP_TCP_SYN;
    iip_tcp_negotiate(stk, conn, seg); /* fourth: SYN; text that comes with it will come again */
    return acked ? iip_tcp_synsent_open(stk, conn, arr) : iip_tcp_synsent_crossed(stk, conn, seg);
}

/* ==== src/tcp/steps.c ==== */
/*
 * steps.c - SEGMENT ARRIVES in SYN-RECEIVED and the synchronised states [RFC 9293 3.10.7.4]: one function a step, in
 * the RFC's order. Each answers IIP_NEXT_STEP, or a verdict that ends the segment and is the counter of why.
 */

enum { IIP_PAWS_DAYS_24 = 1977539 }; /* 24 days in units of 2^20 us */

static void iip_tcp_ack_now(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
}

/*
 * The peer repeats itself, or is far off: tell it where we are. What is not text is told at a limited rate, for two such
 * could answer each other for ever [RFC 5961 7]; text never answers an ACK, and the sender of a lost one waits for ours.
 */
static void iip_tcp_tell(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (!seg->len || (seg->flags & IIP_TCP_SYN))
        iip_tcp_challenge(stk, conn);
    else
        iip_tcp_ack_now(stk, conn);
}

/* [RFC 7323 5.3 R1] before the first step: a timestamp from the past is not of this life of the connection. */
static iip_verdict iip_tcp_step_paws(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    if (!(conn->id.options & IIP_HAS_TS) || (seg->flags & IIP_TCP_RST))
        return IIP_NEXT_STEP;
    if (!(seg->has & IIP_HAS_TS)) /* [RFC 7323 3.2] */
        return IIP_CTR_DROP_TCP_PAWS;
    if (!iip_seq_lt(seg->ts_val, conn->ts_recent))
        return IIP_NEXT_STEP;
    if ((iip_u32)(stk->now >> 20) - conn->ready.word > IIP_PAWS_DAYS_24) /* [RFC 7323 5.5] */
        return IIP_NEXT_STEP;
    iip_tcp_tell(stk, conn, seg);
    return IIP_CTR_DROP_TCP_PAWS;
}

/*
 * [RFC 9293 3.10.7.4 first, table 6] One step further than the table: a pure ACK may stand at the right edge, for there
 * SND.NXT is of a peer that has filled the window and lost the beginning of it; its ACKs must count. One step less: of
 * a RST only where it begins counts, or its text would lengthen the reach of a blind one [RFC 5961 3.2].
 */
static int iip_tcp_acceptable(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = conn->rcv.edge - conn->rcv.nxt;
    iip_u32 start = seg->seq - conn->rcv.nxt;
    if (seg->flags & IIP_TCP_RST)
        return start < wnd || !start;
    if (!seg->len)
        return start <= wnd;
    return wnd && (start < wnd || start + seg->len - 1 < wnd);
}

/* Bytes that are here already, or beyond the window, are cut off. */
static void iip_tcp_cut_to_window(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    iip_u32 old = conn->rcv.nxt - seg->seq;
    iip_u32 over;
    if (seg->flags & IIP_TCP_SYN) /* nothing of it will be used, see the fourth step */
        return;
    if (iip_seq_lt(seg->seq, conn->rcv.nxt)) {
        if (seg->up > old)
            seg->up -= old;
        else
            seg->flags &= (iip_u8)~IIP_TCP_URG;
        arr->skip = old;
        seg->seq += old;
        seg->len -= old;
    }
    over = seg->seq + seg->len - conn->rcv.edge;
    if (!iip_seq_lt(conn->rcv.edge, seg->seq + seg->len))
        return;
    if (seg->flags & IIP_TCP_FIN) {
        seg->flags &= (iip_u8)~IIP_TCP_FIN;
        seg->len--;
        over--;
    }
    seg->len -= over;
    iip_pkt_trim(stk, arr->pkt, arr->skip + seg->len);
}

static iip_verdict iip_tcp_unacceptable(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (seg->flags & IIP_TCP_RST)
        return IIP_CTR_DROP_TCP_RST;
    iip_tcp_tell(stk, conn, seg);
    if (!seg->len || (seg->flags & IIP_TCP_SYN))
        return IIP_CTR_DROP_TCP_SEQ;
    if (iip_seq_lt(seg->seq, conn->rcv.nxt))
        iip_tcp_dsack(stk, conn, seg->seq, iip_seq_min(seg->seq + seg->len, conn->rcv.nxt));
    return iip_seq_leq(seg->seq + seg->len, conn->rcv.nxt) ? IIP_CTR_DROP_TCP_OLD : IIP_CTR_DROP_TCP_SEQ;
}

/* First: check the sequence number. */
static iip_verdict iip_tcp_step_seq(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    if (conn->id.state == IIP_TCP_SYN_RECEIVED && (seg->flags & IIP_TCP_SYN) && seg->seq == conn->id.word &&
        (seg->flags & IIP_TCP_ACK)) {
        /* [RFC 9293 3.5 figure 8] simultaneous open: the SYN again, with the ACK that counts */
        seg->flags &= (iip_u8)~IIP_TCP_SYN;
        seg->seq++;
        seg->len--;
    }
    if (iip_tcp_acceptable(conn, seg)) {
        iip_tcp_cut_to_window(stk, conn, arr);
        return IIP_NEXT_STEP;
    }
    if (conn->rcv.edge == conn->rcv.nxt && seg->seq == conn->rcv.nxt && !(seg->flags & IIP_TCP_SYN)) {
        /* a zero window takes no text, but ACK, URG and RST all the same [RFC 9293 3.4 MUST-66] */
        seg->len = 0;
        seg->flags &= (iip_u8)~IIP_TCP_FIN;
        iip_tcp_ack_now(stk, conn);
        return IIP_NEXT_STEP;
    }
    return iip_tcp_unacceptable(stk, conn, seg);
}

/*
 * [RFC 7323 4.3] what the next ACK will echo: the timestamp of the segment at the left edge of the last ACK. PAWS let
 * none through that is older, but for the one that ends a silence of 24 days; and one whose ACK cannot be is not the
 * peer's, and would freeze the connection [RFC 5961 5].
 */
static void iip_tcp_ts_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if ((conn->id.options & seg->has & IIP_HAS_TS) && iip_seq_leq(seg->seq, conn->rcv.acked))
        iip_tcp_ts_keep(stk, conn, seg->ts_val);
}

/* Second: check the RST bit [RFC 5961 3.2]: only the exact next number resets, others in the window are challenged. */
static iip_verdict iip_tcp_step_rst(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_s32 reason = IIP_E_RESET;
    if (!(arr->seg.flags & IIP_TCP_RST))
        return IIP_NEXT_STEP;
    if (arr->seg.seq != conn->rcv.nxt) {
        iip_tcp_challenge(stk, conn);
        return IIP_CTR_DROP_TCP_RST;
    }
    /* [MUST-11] it came from an active open: a passive one is still half-open, see listen.c */
    if (conn->id.state == IIP_TCP_SYN_RECEIVED)
        reason = IIP_E_REFUSED;
    iip_tcp_end(stk, conn, reason);
    return IIP_DONE;
}

/* Third: security, which nobody uses. Fourth: check the SYN bit [RFC 5961 4.2]: challenged, wherever it stands. */
static iip_verdict iip_tcp_step_syn(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    if (!(arr->seg.flags & IIP_TCP_SYN))
        return IIP_NEXT_STEP;
    iip_tcp_challenge(stk, conn);
    return IIP_CTR_DROP_TCP_SYN;
}

/* Fifth: the ACK field: see ack.c. */

/* Sixth: check the URG bit: the application is told when the pointer moves forward [RFC 9293 3.8.5 MUST-32]. */
static iip_verdict iip_tcp_step_urg(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 up = arr->seg.seq + arr->seg.up;
    if (!(arr->seg.flags & IIP_TCP_URG) || !arr->seg.up || !iip_tcp_receives(conn) ||
        conn->id.state == IIP_TCP_CLOSE_WAIT)
        return IIP_NEXT_STEP;
    if (!iip_seq_lt(conn->rcv.nxt, up) || ((conn->flags & IIP_F_URG_RECV) && !iip_seq_lt(conn->extra->rcv_up, up)))
        return IIP_NEXT_STEP;
    if (!iip_tcp_extra(stk, conn))
        return IIP_NEXT_STEP;
    conn->extra->rcv_up = up;
    conn->flags |= IIP_F_URG_RECV;
    iip_tcp_notify(stk, conn, IIP_F_NOTE_URGENT);
    return IIP_NEXT_STEP;
}

/* Seventh: the segment text: see text.c. Text for an application that closed is answered with RST [RFC 9293 3.6.1 SHLD-3]. */
static iip_verdict iip_tcp_step_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 text = arr->seg.len - (arr->seg.flags & IIP_TCP_FIN ? 1 : 0);
    if (!text || conn->id.state > IIP_TCP_FIN_WAIT_2)
        return IIP_NEXT_STEP;
    if (conn->flags & IIP_F_DETACHED) {
        iip_tcp_reset_send(stk, conn, conn->snd.nxt);
        iip_tcp_end(stk, conn, IIP_E_ABORTED);
        return IIP_CTR_DROP_TCP_AFTER_CLOSE;
    }
    if (conn->flags & IIP_F_FIN_SEEN && !iip_seq_lt(arr->seg.seq, conn->repair->fin_seq))
        return IIP_CTR_DROP_TCP_SEQ; /* nothing comes behind a FIN */
    return iip_tcp_text(stk, conn, arr);
}

/* The FIN is next in order: RCV.NXT steps over it. */
static void iip_tcp_fin_arrived(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->in_wraps += (iip_u16)((conn->rcv.nxt ^ (conn->rcv.nxt + 1)) >> 31);
    conn->rcv.nxt++;
    if (iip_seq_lt(conn->rcv.edge, conn->rcv.nxt))
        conn->rcv.edge = conn->rcv.nxt;
    conn->flags |= IIP_F_ACK_DUE;
    iip_tcp_transit(conn, IIP_EV_RECEIVE_FIN);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_FIN);
    if (conn->id.state == IIP_TCP_TIME_WAIT)
        iip_tcp_time_wait(stk, conn);
    else
        iip_tcp_touch(stk, conn);
}

/* Eighth: check the FIN bit. One that is not yet in order is remembered by its number. */
static iip_verdict iip_tcp_step_fin(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_u32 fin_seq = arr->seg.seq + arr->seg.len - 1;
    int fin = (arr->seg.flags & IIP_TCP_FIN) != 0;
    if (!iip_tcp_receives(conn) || conn->id.state == IIP_TCP_CLOSE_WAIT)
        return arr->pkt ? IIP_DONE : IIP_KEPT;
    if ((conn->flags & IIP_F_FIN_SEEN) && !(fin && conn->rcv.nxt == fin_seq)) {
        fin = 1; /* the first one that is in order counts */
        fin_seq = conn->repair->fin_seq;
    }
    if (fin && conn->rcv.nxt == fin_seq) {
        iip_tcp_fin_arrived(stk, conn);
    } else if (fin && !(conn->flags & IIP_F_FIN_SEEN) && iip_tcp_repair(stk, conn)) {
        conn->flags |= IIP_F_FIN_SEEN;
        conn->repair->fin_seq = fin_seq;
        iip_tcp_ack_now(stk, conn); /* [RFC 5681 4.2] */
    }
    return arr->pkt ? IIP_DONE : IIP_KEPT;
}

static iip_verdict iip_tcp_steps(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    iip_verdict verdict = iip_tcp_step_paws(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_seq(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_rst(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_syn(stk, conn, arr);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    if (conn->id.state != IIP_TCP_FIN_WAIT_2 || !(conn->flags & IIP_F_DETACHED))
        iip_tcp_idle_restart(stk, conn); /* it waits for a FIN alone, however much else comes */
    verdict = iip_tcp_step_ack(stk, conn, arr);
    if (verdict != IIP_NEXT_STEP)
        return verdict;
    iip_tcp_ts_take(stk, conn, &arr->seg);
    verdict = iip_tcp_step_urg(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_text(stk, conn, arr);
    if (verdict == IIP_NEXT_STEP)
        verdict = iip_tcp_step_fin(stk, conn, arr);
    return verdict;
}

IIP_LOCAL iip_verdict iip_tcp_segment_arrives(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                              struct iip_tcp_arrival *arr)
{
    iip_verdict verdict = iip_tcp_steps(stk, conn, arr);
    const struct iip_tcp_repair *repair = conn->repair;
    if (conn->dup_acks || (repair && (repair->ooo.n || repair->sacked.n || repair->has_dsack || repair->undo.cwnd)))
        conn->flags |= IIP_F_DISORDER;
    else
        conn->flags &= ~(iip_u32)IIP_F_DISORDER;
    return verdict;
}

/* ==== src/tcp/ack.c ==== */
/* ack.c - the fifth step of 3.10.7.4: is the ACK acceptable, and what an acceptable one does. */

/* What was noted of acknowledged bytes is forgotten with them, for their numbers come round again. */
static void iip_tcp_acked_marks(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        iip_ranges_cut(&conn->repair->sacked, conn->snd.una);
    if ((conn->flags & IIP_F_URG_SEND) && !iip_seq_lt(conn->snd.una, conn->extra->snd_up))
        conn->flags &= ~(iip_u32)IIP_F_URG_SEND;
}

/* SND.UNA < SEG.ACK =< SND.NXT: the queue shrinks, the clock restarts, the window grows. */
IIP_LOCAL void iip_tcp_ack_advance(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 acked = seg->ack - conn->snd.una;
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 recovering = conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS);

    if (IIP_UNLIKELY(conn->retries))
        iip_tcp_rto_keep(stk, conn, seg);
    iip_tcp_acked_to(conn, seg->ack);
    iip_tcp_acked_free(stk, conn);
    iip_tcp_rtt_acked(stk, conn);
    iip_tcp_acked_marks(conn);
    if (IIP_UNLIKELY(recovering)) {
        iip_tcp_recovery_ack(stk, conn, acked);
        acked = iip_min32(acked, conn->mss); /* [RFC 3465 2.3] L = 1 after a timeout */
    } else {
        conn->dup_acks = 0;
    }
    if (!(recovering & IIP_F_RECOVERY) && iip_tcp_cwnd_limited(conn, flight))
        iip_tcp_cc_of(conn)->on_ack(conn, acked, stk->now);
    iip_tcp_writable(stk, conn);
    iip_tcp_acked_clock(stk, conn);
}

IIP_LOCAL void iip_tcp_window_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 wnd)
{
    conn->snd.max_wnd = iip_max32(conn->snd.max_wnd, wnd);
    conn->snd.wnd = wnd;
    if (conn->flags & IIP_F_PERSIST)
        iip_tcp_persist_end(stk, conn);
    iip_tcp_touch(stk, conn);
}

/* [RFC 5681 2] outstanding data, no text, no SYN or FIN, the same ACK and the same window. */
static int iip_tcp_is_dup_ack(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    return seg->ack == conn->snd.una && conn->snd.una != conn->snd.nxt && !seg->len &&
        seg->wnd << conn->snd_wscale == conn->snd.wnd && !(conn->flags & IIP_F_PERSIST);
}

/* The FIN is acknowledged when its number is. */
static iip_verdict iip_tcp_fin_acked(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_tcp_transit(conn, IIP_EV_FIN_ACKED);
    switch (conn->id.state) {
    case IIP_TCP_CLOSED: /* LAST-ACK */
        iip_tcp_end(stk, conn, IIP_OK);
        return IIP_DONE;
    case IIP_TCP_TIME_WAIT: /* CLOSING */
        iip_tcp_time_wait(stk, conn);
        return IIP_DONE;
    default: /* FIN-WAIT-1 */
        iip_tcp_idle_restart(stk, conn);
        return IIP_NEXT_STEP;
    }
}

/* In SYN-RECEIVED: SND.UNA < SEG.ACK =< SND.NXT completes the simultaneous open; anything else is answered with RST. */
static iip_verdict iip_tcp_ack_syn_received(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr)
{
    if (arr->seg.ack != conn->iss + 1) {
        iip_tcp_reset_reply(stk, arr);
        return IIP_CTR_DROP_TCP_ACK;
    }
    conn->snd.una = arr->seg.ack;
    conn->snd.wl1 = arr->seg.seq - 1; /* whatever window it brings is newer than that of the SYN */
    conn->snd.wl2 = arr->seg.ack;
    iip_tcp_rtt_acked(stk, conn);
    iip_tcp_establish(stk, conn);
    iip_tcp_notify(stk, conn, IIP_F_NOTE_CONNECTED);
    if (conn->flags & IIP_F_FIN_QUEUED)
        iip_tcp_touch(stk, conn);
    return IIP_NEXT_STEP;
}

/* [RFC 5961 5.2] an ACK of what was never sent, or older than the peer's largest window, is challenged. */
static int iip_tcp_ack_outside(const struct iip_tcp_conn *conn, iip_u32 ack)
{
    return iip_seq_lt(conn->snd.nxt, ack) || iip_seq_lt(ack, conn->snd.una - conn->snd.max_wnd);
}

IIP_LOCAL iip_verdict iip_tcp_step_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_verdict verdict = IIP_NEXT_STEP;
    iip_u32 was_una;
    int dup;

    if (!(seg->flags & IIP_TCP_ACK))
        return IIP_CTR_DROP_TCP_ACK;
    if (conn->id.state == IIP_TCP_SYN_RECEIVED) {
        verdict = iip_tcp_ack_syn_received(stk, conn, arr);
        if (verdict != IIP_NEXT_STEP)
            return verdict;
    }
    if (iip_tcp_ack_outside(conn, seg->ack)) {
        iip_tcp_challenge(stk, conn);
        return IIP_CTR_DROP_TCP_ACK;
    }
    if (conn->flags & IIP_F_PERSIST) /* [RFC 9293 3.8.6.1 MUST-37] as long as it answers, it lives */
        conn->retries = 0;
    was_una = conn->snd.una;
    dup = iip_tcp_is_dup_ack(conn, seg);
    if (seg->sacks && (conn->id.options & IIP_HAS_SACK_OK))
        iip_tcp_sack_take(stk, conn, seg);
    if (iip_tcp_undo_ack(stk, conn, seg))
        dup = 0;
    if (iip_seq_lt(conn->snd.una, seg->ack)) {
        iip_tcp_ack_advance(stk, conn, seg);
        iip_tcp_window_take(stk, conn, seg);
    } else if (seg->ack == conn->snd.una) { /* an older ACK knows an older window */
        if (dup)
            iip_tcp_dup_ack(stk, conn);
        iip_tcp_window_update(stk, conn, seg);
    }
    iip_tcp_touch(stk, conn);
    if (conn->snd.una != was_una && conn->snd.una == conn->snd.end + 1)
        verdict = iip_tcp_fin_acked(stk, conn);
    return verdict;
}

/* ==== src/tcp/recover.c ==== */
/*
 * recover.c - loss [RFC 5681, 6582, 6675, 3042]: one description of the network for SACK and for plain duplicate ACKs.
 *
 * Of the bytes in [SND.UNA, SND.NXT) some were SACKed; without SACK each duplicate ACK stands for one segment. Those
 * below lost_edge that were not SACKed are lost; those of them below rtx_next were sent again. What remains is the
 * pipe. A timeout merely puts lost_edge at SND.NXT, so SND.NXT itself never goes back.
 */

enum { IIP_DUP_THRESH = 3 };

static const struct iip_ranges *iip_tcp_sacked(const struct iip_tcp_conn *conn)
{
    return conn->repair && conn->repair->sacked.n ? &conn->repair->sacked : 0;
}

/* Bytes that left the network by arriving. */
static iip_u32 iip_tcp_arrived(const struct iip_tcp_conn *conn)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    if (sacked)
        return iip_ranges_cover(sacked, conn->snd.una, conn->snd.nxt);
    if (conn->flags & IIP_F_RECOVERY) /* [RFC 5681 3.2] not more than were outstanding, however many ACKs come */
        return iip_min32(conn->dup_acks * conn->mss,
                         conn->recover - iip_seq_min(conn->snd.una + conn->mss, conn->recover));
    return iip_min32(conn->dup_acks, IIP_DUP_THRESH - 1) * conn->mss;
}

/* Bytes of [left, right) that were not SACKed. */
static iip_u32 iip_tcp_holes(const struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    if (!iip_seq_lt(left, right))
        return 0;
    return right - left - (sacked ? iip_ranges_cover(sacked, left, right) : 0);
}

IIP_LOCAL iip_u32 iip_tcp_pipe_disordered(const struct iip_tcp_conn *conn)
{
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 gone = iip_tcp_arrived(conn);
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        gone += iip_tcp_holes(conn, iip_seq_max(conn->rtx_next, conn->snd.una), conn->lost_edge);
    return flight > gone ? flight - gone : 0;
}

IIP_LOCAL int iip_tcp_next_lost(const struct iip_tcp_conn *conn, iip_u32 *seq, iip_u32 *len)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    iip_u32 at = iip_seq_max(conn->rtx_next, conn->snd.una);
    iip_u32 stop = conn->lost_edge;
    iip_u32 i;
    if (sacked) {
        i = iip_ranges_find(sacked, at);
        if (i < sacked->n && iip_seq_leq(sacked->r[i].left, at))
            at = sacked->r[i++].right;
        if (i < sacked->n)
            stop = iip_seq_min(stop, sacked->r[i].left);
    }
    if (!iip_seq_lt(at, stop))
        return 0;
    *seq = at;
    *len = iip_min32(stop - at, conn->mss);
    return 1;
}

/* [RFC 6675 4 IsLost] all that was not SACKed below the third last segment's worth of SACKed bytes is lost. */
static iip_u32 iip_tcp_lost_below(const struct iip_tcp_conn *conn)
{
    const struct iip_ranges *sacked = iip_tcp_sacked(conn);
    iip_u32 above = 0;
    iip_u32 i;
    if (!sacked)
        return conn->snd.una;
    for (i = sacked->n; i-- > 0;) {
        above += sacked->r[i].right - sacked->r[i].left;
        if (above > (IIP_DUP_THRESH - 1) * (iip_u32)conn->mss || sacked->n - i >= IIP_DUP_THRESH)
            return sacked->r[i].left;
    }
    return conn->snd.una;
}

static void iip_tcp_recovery_begin(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    /* [RFC 5681 3.2 step 2] without what limited transmit added: rtx_next is where SND.NXT stood at the first duplicate */
    iip_u32 flight = (conn->dup_acks ? conn->rtx_next : conn->snd.nxt) - conn->snd.una;
    iip_count(stk, IIP_CTR_TCP_FAST_RETRANS);
    iip_tcp_repair(stk, conn); /* without memory for one, congestion control forgets its history */
    iip_tcp_undo_mark(conn);
    iip_tcp_cc_of(conn)->on_loss(conn, flight);
    conn->cwnd = conn->ssthresh;
    conn->recover = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->lost_edge = iip_seq_max(iip_tcp_lost_below(conn), conn->snd.una + iip_min32(conn->mss, flight));
    conn->flags |= IIP_F_RECOVERY;
    conn->flags &= ~(iip_u32)IIP_F_RTT_PENDING;
    iip_tcp_touch(stk, conn);
}

/* [RFC 6582 3.2 step 1, RFC 6675 5] not again for the window that is being repaired. */
static int iip_tcp_may_recover(const struct iip_tcp_conn *conn)
{
    return !(conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS)) && conn->snd.una != conn->snd.nxt;
}

IIP_LOCAL void iip_tcp_dup_ack(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->dup_acks && !(conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS)))
        conn->rtx_next = conn->snd.nxt;
    if (!(conn->flags & IIP_F_LOSS) && conn->dup_acks < 0xffff)
        conn->dup_acks++;
    conn->flags |= IIP_F_DISORDER;
    iip_tcp_touch(stk, conn); /* [RFC 3042] a new segment may leave for each of the first two */
    if (conn->dup_acks >= IIP_DUP_THRESH && iip_tcp_may_recover(conn))
        iip_tcp_recovery_begin(stk, conn);
}

/*
 * A block of what was sent and is not acknowledged; others are lies or duplicates [RFC 2018, RFC 2883]. Measured from
 * one end, for of three numbers each may seem to follow the one before it and the last yet lie before the first.
 */
static int iip_tcp_sack_valid(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg,
                              const struct iip_sack_block *b)
{
    iip_u32 low = iip_seq_max(conn->snd.una, seg->ack);
    iip_u32 left = b->left - low;
    iip_u32 right = b->right - low;
    return left && left < right && right <= conn->snd.nxt - low;
}

IIP_LOCAL void iip_tcp_sack_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    struct iip_tcp_repair *repair;
    const struct iip_sack_block *b;
    iip_u32 below;
    iip_u32 i;
    for (i = 0; i < seg->sacks; i++) {
        b = &seg->sack[i];
        if (!iip_tcp_sack_valid(conn, seg, b))
            continue;
        repair = iip_tcp_repair(stk, conn);
        conn->flags |= IIP_F_DISORDER;
        if (repair && iip_tcp_ranges_reserve(stk, &repair->sacked, b->left, b->right))
            iip_ranges_add(&repair->sacked, b->left, b->right, 0);
    }
    below = iip_tcp_lost_below(conn);
    if ((conn->flags & IIP_F_RECOVERY) && iip_seq_lt(conn->lost_edge, below))
        conn->lost_edge = below;
    else if (iip_seq_lt(conn->snd.una, below) && iip_tcp_may_recover(conn))
        iip_tcp_recovery_begin(stk, conn);
}

IIP_LOCAL void iip_tcp_recovery_end(struct iip_tcp_conn *conn)
{
    conn->flags &= ~(iip_u32)(IIP_F_RECOVERY | IIP_F_LOSS);
    conn->dup_acks = 0;
}

IIP_LOCAL void iip_tcp_recovery_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 acked)
{
    iip_u32 segments = acked / conn->mss;
    iip_tcp_touch(stk, conn);
    if (!iip_seq_lt(conn->snd.una, conn->recover)) {
        iip_tcp_recovery_end(conn);
        return;
    }
    /* [RFC 6582 3.2 step 3] a partial ACK: what is first now is lost as well, unless it was sent again already */
    conn->dup_acks = conn->dup_acks > segments ? conn->dup_acks - segments : 0;
    conn->lost_edge = iip_seq_max(conn->lost_edge, iip_seq_min(conn->snd.una + conn->mss, conn->snd.nxt));
}

/* [RFC 6298 5, RFC 5681 3.1 eq. 4] a timeout: everything outstanding counts as lost, SACKed or not [RFC 2018 8]. */
IIP_LOCAL void iip_tcp_loss_begin(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (iip_tcp_repair(stk, conn)) {
        conn->repair->rto_count++;
        conn->repair->sacked.n = 0;
    }
    if (!conn->retries) {
        iip_tcp_undo_mark(conn);
        iip_tcp_cc_of(conn)->on_loss(conn, conn->snd.nxt - conn->snd.una);
        iip_tcp_cc_of(conn)->start(conn); /* [RFC 9438 4.8] no curve leads back to where it was */
    }
    conn->cwnd = conn->mss;
    conn->recover = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->lost_edge = conn->snd.nxt;
    conn->dup_acks = 0;
    conn->flags = (conn->flags & ~(iip_u32)(IIP_F_RECOVERY | IIP_F_RTT_PENDING)) | IIP_F_LOSS;
    iip_tcp_touch(stk, conn);
}

/* ==== src/tcp/undo.c ==== */
/*
 * undo.c - a loss that was none: what congestion control gave up for it is taken back [RFC 9438 4.9, RFC 4015].
 *
 * Two things tell. The first ACK of what was sent again echoes the time of the first transmission [RFC 3522 3.2], where
 * there are timestamps; or every byte that was sent again is reported as a duplicate [RFC 2883, RFC 3708 3].
 */

IIP_LOCAL void iip_tcp_undo_mark(struct iip_tcp_conn *conn)
{
    struct iip_tcp_repair *repair = conn->repair;
    if (!repair)
        return;
    repair->undo.cwnd = conn->cwnd;
    repair->undo.ssthresh = conn->ssthresh;
    repair->undo.cc = repair->cc;
    repair->undo.from = conn->snd.una;
    repair->undo.to = conn->snd.nxt;
    repair->undo.bytes = 0;
}

IIP_LOCAL void iip_tcp_undo_forget(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        conn->repair->undo.cwnd = 0;
}

IIP_LOCAL void iip_tcp_undo_sent(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len)
{
    struct iip_tcp_repair *repair = conn->repair;
    if (!repair || !repair->undo.cwnd)
        return;
    if (!repair->undo.bytes)
        repair->undo.ts = iip_tcp_ts_now(stk, conn->ts_off);
    repair->undo.bytes += len;
}

/*
 * The window is what it was, but for a burst: no more leaves at once than at the beginning [RFC 4015 5]. Slow start leads
 * back to where it stood.
 */
static void iip_tcp_undo(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ack)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 burst = (iip_u32)stk->tune.tcp_initcwnd * conn->mss;
    iip_count(stk, IIP_CTR_TCP_UNDONE);
    conn->cwnd = iip_max32(conn->cwnd, iip_min32(repair->undo.cwnd, conn->snd.nxt - ack + burst));
    conn->ssthresh = iip_max32(repair->undo.ssthresh, repair->undo.cwnd);
    repair->cc = repair->undo.cc;
    repair->undo.cwnd = 0;
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        iip_tcp_recovery_end(conn);
}

/* [RFC 2883 4] the first block is a duplicate if it lies below the ACK, or within the second. */
static int iip_tcp_is_dsack(const struct iip_tcp_seg *seg)
{
    const struct iip_sack_block *b = seg->sack;
    if (!seg->sacks || !iip_seq_lt(b[0].left, b[0].right))
        return 0;
    if (iip_seq_leq(b[0].right, seg->ack))
        return 1;
    return seg->sacks > 1 && iip_seq_leq(b[1].left, b[0].left) && iip_seq_leq(b[0].right, b[1].right);
}

/* Of what was sent again, and not reported before: bytes that are still to be reported. */
static void iip_tcp_undo_report(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 left = seg->sack[0].left - repair->undo.from;
    iip_u32 right = seg->sack[0].right - repair->undo.from;
    if (left >= right || right > repair->undo.to - repair->undo.from)
        return;
    repair->undo.bytes -= iip_min32(right - left, repair->undo.bytes);
    if (!repair->undo.bytes)
        iip_tcp_undo(stk, conn, iip_seq_max(seg->ack, conn->snd.una));
}

/* [RFC 3522 3.2] steps 4 to 6. An echo older than two timeouts is a lie, or nothing that was ever outstanding. */
static int iip_tcp_undo_echo(const struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    const struct iip_tcp_repair *repair = conn->repair;
    iip_u32 before = repair->undo.ts - seg->ts_ecr;
    if (!(conn->id.options & seg->has & IIP_HAS_TS) || conn->snd.una != repair->undo.from || !repair->undo.bytes)
        return 0;
    return iip_seq_lt(conn->snd.una, seg->ack) && before && before <= (conn->rto_us >> 9) + 1;
}

IIP_LOCAL int iip_tcp_undo_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    const struct iip_tcp_repair *repair = conn->repair;
    int dsack = (conn->id.options & IIP_HAS_SACK_OK) && iip_tcp_is_dsack(seg);
    if (!repair || !repair->undo.cwnd)
        return dsack;
    if (dsack)
        iip_tcp_undo_report(stk, conn, seg);
    else if (iip_tcp_undo_echo(conn, seg))
        iip_tcp_undo(stk, conn, seg->ack);
    else if (iip_seq_lt(repair->undo.to + (repair->undo.to - repair->undo.from), seg->ack)) /* a round trip too late */
        iip_tcp_undo_forget(conn);
    return dsack;
}

/* ==== src/tcp/text.c ==== */
/*
 * text.c - the seventh step: text that is next in order goes to the application, text behind a hole waits for it.
 * What arrived first stays: bytes that are here already are never replaced.
 */


IIP_LOCAL void iip_tcp_deliver(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) { /* a chain becomes a run of packets */
        next = pkt->next;
        pkt->next = 0;
        iip_tcp_deliver_one(conn, pkt);
    }
    if (IIP_UNLIKELY((conn->flags & IIP_F_URG_RECV) && !iip_seq_lt(conn->rcv.nxt, conn->extra->rcv_up)))
        conn->flags &= ~(iip_u32)IIP_F_URG_RECV;
}

/* [RFC 2018 4] the range that holds the latest segment is reported first. */
static void iip_tcp_recent(struct iip_tcp_repair *repair, iip_u32 left, iip_u32 right)
{
    struct iip_sack_block *r = repair->recent;
    iip_u32 i;
    for (i = 0; i < IIP_SACK_MAX - 1 && !(iip_seq_leq(left, r[i].left) && iip_seq_leq(r[i].right, right)); i++)
        ;
    for (; i > 0; i--)
        r[i] = r[i - 1];
    r[0].left = left;
    r[0].right = right;
}

IIP_LOCAL void iip_tcp_dsack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right)
{
    struct iip_tcp_repair *repair;
    if (!(conn->id.options & IIP_HAS_SACK_OK) || !iip_seq_lt(left, right))
        return;
    repair = iip_tcp_repair(stk, conn);
    if (!repair)
        return;
    repair->has_dsack = 1;
    repair->dsack.left = left;
    repair->dsack.right = right;
}

/* Reports ranges as they are now: those whose latest segment came last stand first, each once. */
IIP_LOCAL iip_u32 iip_tcp_sack_blocks(const struct iip_tcp_conn *conn, struct iip_sack_block *out, iip_u32 cap)
{
    const struct iip_tcp_repair *repair = conn->repair;
    const struct iip_range *r;
    iip_u32 n = 0;
    iip_u32 i;
    iip_u32 k;
    iip_u32 first;
    if (repair->has_dsack)
        out[n++] = repair->dsack;
    first = n;
    for (i = 0; i < IIP_SACK_MAX && n < cap && repair->ooo.n; i++) {
        k = iip_ranges_find(&repair->ooo, repair->recent[i].left);
        r = &repair->ooo.r[k];
        if (k == repair->ooo.n || !iip_seq_leq(r->left, repair->recent[i].left))
            continue;
        for (k = first; k < n && out[k].left != r->left; k++)
            ;
        if (k < n)
            continue;
        out[n].left = r->left;
        out[n++].right = r->right;
    }
    return n;
}

/* The first range has become next in order. */
static void iip_tcp_fill(struct iip_tcp_conn *conn)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    struct iip_pkt *pkt = ooo->r[0].head;
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->link;
        conn->rcv.held -= iip_pkt_charge(pkt); /* deliver counts it again */
        iip_tcp_deliver(conn, pkt);
    }
    iip_ranges_remove(ooo, 0);
}

/* The part of [*left, *right) that lies in the first hole it touches; 0: it is all here. */
static int iip_tcp_hole_of(const struct iip_ranges *ooo, iip_u32 *left, iip_u32 *right)
{
    iip_u32 i = iip_ranges_find(ooo, *left);
    if (i < ooo->n && iip_seq_leq(ooo->r[i].left, *left)) {
        *left = ooo->r[i].right;
        i++;
    }
    if (i < ooo->n)
        *right = iip_seq_min(*right, ooo->r[i].left);
    return iip_seq_lt(*left, *right);
}

/* The views of a chain become packets of their own. */
static void iip_tcp_unchain(struct iip_pkt *pkt)
{
    for (; pkt; pkt = pkt->link) {
        pkt->link = pkt->next;
        pkt->next = 0;
    }
}

/* One piece that fills a hole, or a part of one. Takes pkt. */
static void iip_tcp_hold(struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 left, iip_u32 right)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 k;
    conn->rcv.held += iip_pkt_charge(pkt);
    iip_tcp_unchain(pkt);
    k = iip_ranges_add(&repair->ooo, left, right, pkt);
    iip_tcp_recent(repair, repair->ooo.r[k].left, repair->ooo.r[k].right);
}

/* [left, right) of a packet that begins with the number `seq`; the packet stays. */
static struct iip_pkt *iip_tcp_piece(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 seq, iip_u32 left,
                                     iip_u32 right)
{
    for (; pkt->next && iip_seq_leq(seq + pkt->len, left); pkt = pkt->next)
        seq += pkt->len;
    return iip_pkt_view(stk, pkt, pkt->data + (left - seq), iip_seq_min(right, seq + pkt->len) - left);
}

/* Views of all that is new of a segment's text. 0 when there was no room or memory for some of it. */
static int iip_tcp_hold_pieces(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_arrival *arr,
                               iip_u32 right)
{
    struct iip_pkt *piece;
    iip_u32 seq = arr->seg.seq;
    iip_u32 at = seq;
    iip_u32 left = seq;
    iip_u32 end = right;
    for (; iip_tcp_hole_of(&conn->repair->ooo, &left, &end); at = left = left + piece->len, end = right) {
        if (at == seq && left != seq)
            iip_tcp_dsack(stk, conn, seq, left);
        piece = iip_tcp_piece(stk, arr->pkt, seq - arr->skip, left, end);
        if (!piece)
            return 0;
        if (!iip_tcp_ranges_reserve(stk, &conn->repair->ooo, left, left + piece->len)) {
            iip_pkt_free(stk, piece);
            return 0;
        }
        iip_tcp_hold(conn, piece, left, left + piece->len);
    }
    iip_tcp_dsack(stk, conn, at, right);
    return 1;
}

/*
 * Text behind a hole: it is kept in the ranges, charged to the receive buffer, and acknowledged at once, each segment
 * by an ACK of its own [RFC 5681 4.2].
 */
static iip_verdict iip_tcp_text_ahead(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr,
                                      iip_u32 right)
{
    struct iip_tcp_repair *repair = iip_tcp_repair(stk, conn);
    if (conn->flags & IIP_F_ACK_NOW)
        iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0);
    conn->flags |= IIP_F_ACK_NOW | IIP_F_DISORDER;
    iip_tcp_touch(stk, conn);
    if (!repair || conn->rcv.held + iip_pkt_charge(arr->pkt) > 2 * (iip_u64)conn->rcvbuf)
        return IIP_CTR_DROP_TCP_MEMORY;
    if (!iip_tcp_hold_pieces(stk, conn, arr, right))
        return IIP_CTR_DROP_TCP_MEMORY;
    return IIP_NEXT_STEP;
}

/*
 * Text next in order while other text waits behind a hole. What reaches the first range joins it, without the bytes
 * that are here already; then the range is next in order. A gap that is filled, or partly, is told at once.
 */
static iip_verdict iip_tcp_text_joins(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr,
                                      iip_u32 right)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
    if (!iip_tcp_hold_pieces(stk, conn, arr, right) && ooo->r[0].left != conn->rcv.nxt)
        return IIP_CTR_DROP_TCP_MEMORY;
    iip_tcp_fill(conn);
    return IIP_NEXT_STEP;
}

/* Text that waits must not keep out the text that it waits for: the farthest is given up, and will come again [RFC 2018 8]. */
static void iip_tcp_prune(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 limit)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    struct iip_pkt *pkt;
    struct iip_pkt *next;
    while (ooo->n && conn->rcv.held > limit) {
        for (pkt = ooo->r[ooo->n - 1].head; pkt; pkt = next) {
            next = pkt->link;
            conn->rcv.held -= iip_pkt_charge(pkt);
            iip_pkt_drop(stk, pkt);
        }
        ooo->n--;
    }
}

/*
 * The host is short of memory. 1: this text is refused; an ACK says where we are, and the peer sends it again. What
 * waits behind a hole goes, too, when the hole cannot be filled: it may be all that the host is short of.
 */
static int iip_tcp_text_refused(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (stk->pressure == IIP_PRESSURE_WAITING && seg->seq == conn->rcv.nxt)
        return 0;
    if (stk->pressure == IIP_PRESSURE_ALL && conn->repair)
        iip_tcp_prune(stk, conn, 0);
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
    return 1;
}

IIP_LOCAL iip_verdict iip_tcp_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_u32 right = seg->seq + seg->len - (seg->flags & IIP_TCP_FIN ? 1 : 0);
    iip_verdict verdict = IIP_NEXT_STEP;

    if (IIP_UNLIKELY(stk->pressure) && iip_tcp_text_refused(stk, conn, seg))
        return IIP_CTR_DROP_PRESSURE;
    if (seg->seq != conn->rcv.nxt)
        return iip_tcp_text_ahead(stk, conn, arr, right);
    if (conn->rcv.held > 2 * (iip_u64)conn->rcvbuf && conn->repair)
        iip_tcp_prune(stk, conn, conn->rcvbuf);
    if (conn->rcv.held > 2 * (iip_u64)conn->rcvbuf) {
        conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
        return IIP_CTR_DROP_TCP_MEMORY;
    }
    if (conn->repair && conn->repair->ooo.n) {
        verdict = iip_tcp_text_joins(stk, conn, arr, right);
    } else {
        iip_tcp_deliver(conn, iip_pkt_skip(stk, arr->pkt, arr->skip));
        arr->pkt = 0;
    }
    iip_tcp_notify(stk, conn, 0);
    iip_tcp_ack_for_text(stk, conn);
    return verdict;
}

/* ==== src/tcp/mini.c ==== */
/*
 * mini.c - the small records of half-open connections and of TIME-WAIT: their memory, the queues in which they wait,
 * and the one timer of all. A record is named by 32 bits, so that two links cost it 8 bytes.
 */

enum {
    IIP_TICK_BITS = 8,  /* 256 us */
    IIP_MINIS_ROOM = 16 /* chunks that the first directory has room for */
};

static iip_u32 iip_tcp_tick(iip_u64 us)
{
    return (iip_u32)((us + (1 << IIP_TICK_BITS) - 1) >> IIP_TICK_BITS);
}

/* The time of a tick that lies at most half of their range (six days) ahead or behind. */
static iip_u64 iip_tcp_tick_time(const struct iip_stack *stk, iip_u32 tick)
{
    iip_u64 now = stk->now >> IIP_TICK_BITS;
    return (now + (iip_u64)(iip_s64)(iip_s32)(tick - (iip_u32)now)) << IIP_TICK_BITS;
}

/* ---- their memory ---- */

IIP_LOCAL void iip_tcp_minis_init(struct iip_tcp_minis *pool, iip_u32 size)
{
    IIP_ZERO(pool, sizeof(*pool));
    pool->size = size;
}

IIP_LOCAL void iip_tcp_minis_free(struct iip_stack *stk, struct iip_tcp_minis *pool)
{
    iip_u32 i;
    for (i = 0; i < pool->chunks; i++)
        iip_mem_free(stk, pool->chunk[i], (iip_size)pool->size * IIP_MINIS_CHUNK);
    iip_mem_free(stk, pool->chunk, pool->room * sizeof(*pool->chunk));
}

/* The directory of chunks doubles; 0 without memory. */
static int iip_tcp_minis_widen(struct iip_stack *stk, struct iip_tcp_minis *pool)
{
    iip_u32 room = pool->room ? pool->room * 2 : (iip_u32)IIP_MINIS_ROOM;
    iip_u8 **chunk = (iip_u8 **)iip_mem_alloc(stk, room * sizeof(*chunk));
    if (!chunk)
        return 0;
    if (pool->chunks)
        IIP_COPY(chunk, pool->chunk, pool->chunks * sizeof(*chunk));
    iip_mem_free(stk, pool->chunk, pool->room * sizeof(*chunk));
    pool->chunk = chunk;
    pool->room = room;
    return 1;
}

/* One chunk more, its records free, the first one first; 0 without memory. */
static int iip_tcp_minis_grow(struct iip_stack *stk, struct iip_tcp_minis *pool, iip_u32 six)
{
    iip_u32 ref = iip_tcp_mini_ref((pool->chunks + 1) * IIP_MINIS_CHUNK, six);
    iip_u8 *chunk;
    iip_u32 i;
    if (pool->chunks == pool->room && !iip_tcp_minis_widen(stk, pool))
        return 0;
    chunk = (iip_u8 *)iip_mem_alloc(stk, (iip_size)pool->size * IIP_MINIS_CHUNK);
    if (!chunk)
        return 0;
    pool->chunk[pool->chunks++] = chunk;
    for (i = 0; i < IIP_MINIS_CHUNK; i++) {
        ref -= 2;
        iip_tcp_mini_at(stk->tcp, ref)->next = pool->free;
        pool->free = ref;
    }
    return 1;
}

IIP_LOCAL struct iip_tcp_mini *iip_tcp_mini_new(struct iip_stack *stk, iip_u32 family)
{
    struct iip_tcp_minis *pool = family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6;
    struct iip_tcp_mini *mini;
    iip_u32 ref;
    if (!pool->free && !iip_tcp_minis_grow(stk, pool, family == 6))
        return 0;
    ref = pool->free;
    mini = iip_tcp_mini_at(stk->tcp, ref);
    pool->free = mini->next;
    IIP_ZERO(mini, sizeof(*mini));
    mini->next = ref;
    return mini;
}

IIP_LOCAL void iip_tcp_mini_free(struct iip_stack *stk, struct iip_tcp_mini *mini)
{
    struct iip_tcp_minis *pool = mini->id.family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6;
    iip_u32 ref = mini->next;
    iip_table_del(&stk->tcp->table, &mini->id.node);
    mini->next = pool->free;
    pool->free = ref;
    if (!stk->tcp->half_count && !stk->tcp->wait.head)
        iip_wheel_cancel(&stk->wheel, &stk->tcp->mini_timer);
}

/* ---- their queues ---- */

/* One timer for all, armed at or before the earliest head: until the last record leaves it stays where it is, as in timer.c. */
static void iip_tcp_mini_arm(struct iip_stack *stk, iip_u64 due)
{
    struct iip_timer *t = &stk->tcp->mini_timer;
    if (due != IIP_NEVER && (!iip_timer_armed(t) || due < t->at))
        iip_wheel_set(&stk->wheel, t, due);
}

/* Whoever stands in no queue keeps its own reference in `next`. */
IIP_LOCAL void iip_tcp_fifo_put(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini,
                                iip_u64 delay_us)
{
    iip_u32 ref = mini->next;
    mini->id.word = iip_tcp_tick(stk->now + delay_us);
    mini->next = 0;
    mini->prev = q->tail;
    if (q->tail)
        iip_tcp_mini_at(stk->tcp, q->tail)->next = ref;
    else
        q->head = ref;
    q->tail = ref;
    q->count++;
    if (q->head == ref)
        iip_tcp_mini_arm(stk, iip_tcp_tick_time(stk, mini->id.word));
}

IIP_LOCAL void iip_tcp_fifo_del(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini)
{
    iip_u32 *to_it = mini->prev ? &iip_tcp_mini_at(stk->tcp, mini->prev)->next : &q->head;
    iip_u32 ref = *to_it;
    *to_it = mini->next;
    if (mini->next)
        iip_tcp_mini_at(stk->tcp, mini->next)->prev = mini->prev;
    else
        q->tail = mini->prev;
    q->count--;
    mini->next = ref;
}

/* The earliest head of the queues. */
IIP_LOCAL iip_u64 iip_tcp_mini_due(const struct iip_stack *stk)
{
    const struct iip_tcp *tcp = stk->tcp;
    iip_u64 due = IIP_NEVER;
    iip_u32 left = tcp->half_count;
    iip_u32 i;
    if (tcp->wait.head)
        due = iip_tcp_tick_time(stk, iip_tcp_mini_at(tcp, tcp->wait.head)->id.word);
    for (i = 0; left && i < IIP_HALF_QUEUES; left -= tcp->half[i].count, i++) {
        if (tcp->half[i].head)
            due = iip_min64(due, iip_tcp_tick_time(stk, iip_tcp_mini_at(tcp, tcp->half[i].head)->id.word));
    }
    return due;
}

static struct iip_tcp_mini *iip_tcp_fifo_due(const struct iip_stack *stk, const struct iip_tcp_fifo *q)
{
    struct iip_tcp_mini *mini = q->head ? iip_tcp_mini_at(stk->tcp, q->head) : 0;
    return mini && iip_tcp_tick_time(stk, mini->id.word) <= stk->now ? mini : 0;
}

IIP_LOCAL void iip_tcp_mini_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *mini;
    iip_u32 i;
    (void)t;
    while ((mini = iip_tcp_fifo_due(stk, &tcp->wait)) != 0)
        iip_tcp_wait_drop(stk, mini);
    for (i = 0; i < IIP_HALF_QUEUES; i++) {
        while ((mini = iip_tcp_fifo_due(stk, &tcp->half[i])) != 0)
            iip_tcp_half_due(stk, mini);
    }
    iip_tcp_mini_arm(stk, iip_tcp_mini_due(stk));
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: where the connection stands. */
IIP_LOCAL void iip_tcp_mini_ack(struct iip_stack *stk, const struct iip_tcp_mini *mini, iip_u32 wnd)
{
    struct iip_tcp_tuple t;
    struct iip_tcp_secret secret;
    struct iip_tcp_seg seg;
    iip_tcp_tuple_of(&mini->id, &t);
    iip_tcp_secret_of(stk, &t, &secret);
    seg.seq = mini->snd_nxt;
    seg.ack = mini->rcv_nxt;
    seg.flags = IIP_TCP_ACK;
    seg.wnd = wnd;
    seg.has = mini->id.options & IIP_HAS_TS;
    seg.ts_val = iip_tcp_ts_now(stk, secret.ts_off);
    seg.ts_ecr = mini->ts_recent;
    iip_tcp_bare(stk, &t, &seg, 0);
}

/* [RFC 5961 7] Each record counts its own, or two of them, each out of step with the other, would answer for ever. */
IIP_LOCAL void iip_tcp_mini_answer(struct iip_stack *stk, struct iip_tcp_mini *mini, iip_u32 wnd, int counts)
{
    if ((counts && mini->id.state >= iip_min64(stk->tune.tcp_challenge_rate, 255)) ||
        !iip_bucket_take(&stk->tcp->rst_bucket, stk->now, stk->tune.tcp_rst_rate)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    mini->id.state += counts != 0;
    iip_tcp_mini_ack(stk, mini, wnd);
}

/* ==== src/tcp/timewait.c ==== */
/* timewait.c - TIME-WAIT as a small record [RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191]. */

IIP_LOCAL void iip_tcp_wait_drop(struct iip_stack *stk, struct iip_tcp_mini *wait)
{
    iip_tcp_fifo_del(stk, &stk->tcp->wait, wait);
    iip_tcp_mini_free(stk, wait);
}

/* The connection becomes a record that remembers the tuple for 2 MSL [MUST-13]; without memory for one it is forgotten. */
IIP_LOCAL void iip_tcp_time_wait(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *wait;
    if (tcp->wait.count >= stk->tune.tcp_time_wait_max && tcp->wait.head)
        iip_tcp_wait_drop(stk, iip_tcp_mini_at(tcp, tcp->wait.head));
    wait = iip_tcp_mini_new(stk, conn->id.family);
    if (wait) {
        iip_tcp_id_take(stk, &wait->id, IIP_ID_WAIT, &conn->id);
        wait->snd_nxt = conn->snd.nxt;
        wait->rcv_nxt = conn->rcv.nxt;
        wait->ts_recent = conn->ts_recent;
        iip_tcp_fifo_put(stk, &tcp->wait, wait, 2 * stk->tune.tcp_msl_us);
    }
    if ((conn->flags & IIP_F_ACK_ANY) && !iip_tx_full(stk))
        iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0);
    iip_tcp_end(stk, conn, IIP_OK);
}

/* [RFC 6191, RFC 9293 MAY-2] a SYN that is newer than all that was, by timestamp or number, opens the tuple again. */
static int iip_tcp_wait_reopens(const struct iip_tcp_mini *wait, const struct iip_tcp_seg *seg)
{
    if ((seg->flags & (IIP_TCP_SYN | IIP_TCP_ACK | IIP_TCP_RST | IIP_TCP_FIN)) != IIP_TCP_SYN)
        return 0;
    if (wait->id.options & seg->has & IIP_HAS_TS) {
        if (seg->ts_val != wait->ts_recent)
            return iip_seq_lt(wait->ts_recent, seg->ts_val);
    }
    return iip_seq_lt(wait->rcv_nxt, seg->seq);
}

/* Fifth, where the sequence number is acceptable: without ACK bit it is dropped. A SYN never comes so far. */
static int iip_tcp_wait_drops(const struct iip_stack *stk, const struct iip_tcp_mini *wait,
                              const struct iip_tcp_seg *seg)
{
    iip_u32 wnd = iip_tcp_mini_window(stk);
    iip_u32 start = seg->seq - wait->rcv_nxt;
    return !(seg->flags & (IIP_TCP_ACK | IIP_TCP_SYN)) && (start < wnd || (seg->len && start + seg->len - 1 < wnd));
}

/* An ACK for what is out of place: for text, which may be a repetition, and for so many others a second. */
static void iip_tcp_wait_answer(struct iip_stack *stk, struct iip_tcp_mini *wait, const struct iip_tcp_seg *seg)
{
    enum { SECOND = 16 };
    iip_u16 now = (iip_u16)(stk->now >> 16);
    if ((iip_u16)(now - wait->mss) >= SECOND) {
        wait->mss = now;
        wait->id.state = 0;
    }
    iip_tcp_mini_answer(stk, wait, 0, !seg->len || (seg->flags & IIP_TCP_SYN));
}

/* Anything else is answered with an ACK, and the peer's FIN starts the time anew; a RST does not end it [RFC 1337]. */
IIP_LOCAL iip_verdict iip_tcp_wait_input(struct iip_stack *stk, struct iip_tcp_mini *wait, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    struct iip_tcp_listener *lis;
    struct iip_tcp_tuple t;
    iip_u32 used = wait->snd_nxt;
    if (seg->flags & IIP_TCP_RST)
        return IIP_CTR_DROP_TCP_RST;
    if (iip_tcp_wait_reopens(wait, seg)) {
        iip_tcp_tuple_of(&wait->id, &t);
        lis = iip_tcp_listener_for(stk, &t);
        if (lis) {
            iip_count(stk, IIP_CTR_TCP_TIME_WAIT_REUSED);
            iip_tcp_wait_drop(stk, wait);
            return iip_tcp_listen_syn(stk, lis, arr, &used);
        }
    }
    if (iip_tcp_wait_drops(stk, wait, seg))
        return IIP_CTR_DROP_TCP_ACK;
    if (!(seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)) && !seg->len && seg->seq == wait->rcv_nxt)
        return IIP_DONE; /* a plain ACK of our FIN */
    if ((seg->flags & IIP_TCP_FIN) && (seg->flags & IIP_TCP_ACK) && seg->seq + seg->len == wait->rcv_nxt) {
        iip_tcp_fifo_del(stk, &stk->tcp->wait, wait);
        iip_tcp_fifo_put(stk, &stk->tcp->wait, wait, 2 * stk->tune.tcp_msl_us);
        iip_tcp_mini_ack(stk, wait, 0);
        return IIP_DONE;
    }
    iip_tcp_wait_answer(stk, wait, seg);
    return IIP_CTR_DROP_TCP_SEQ;
}

/* ==== src/tcp/output.c ==== */
/* output.c - what may be sent now [RFC 9293 3.8.6.2.1, RFC 5681, RFC 6675 5]: lost bytes, then new ones, then an ACK. */

enum { IIP_RETRY_US = 5000 };

/* SND.NXT moves over what was sent for the first time. */
IIP_INLINE void iip_tcp_sent_new(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len, iip_u32 fin)
{
    struct iip_pkt *pkt;
    if (!(conn->flags & IIP_F_RTT_PENDING)) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = conn->snd.nxt;
        conn->rtt_sent = (iip_u32)stk->now;
    }
    conn->snd.nxt += len + fin;
    for (pkt = conn->snd_cur; pkt && iip_seq_leq(pkt->seq + pkt->len, conn->snd.nxt); pkt = pkt->link)
        ;
    conn->snd_cur = pkt;
    if (conn->rto_at == IIP_NEVER || (conn->flags & IIP_F_PERSIST)) {
        conn->flags &= ~(iip_u32)IIP_F_PERSIST;
        iip_tcp_rto_start(stk, conn);
    }
}

static iip_u32 iip_tcp_fin_flag(const struct iip_tcp_conn *conn, iip_u32 right)
{
    return (conn->flags & IIP_F_FIN_QUEUED) && right == conn->snd.end ? IIP_TCP_FIN : 0;
}

/* PSH on the last byte queued [MUST-61]. */
static iip_u32 iip_tcp_push_flag(const struct iip_tcp_conn *conn, iip_u32 len, iip_u32 right)
{
    return len && right == conn->snd.end ? IIP_TCP_PSH : 0;
}

/* A small segment at the end of what was sent takes new bytes along, as far as the window goes. */
static iip_u32 iip_tcp_lost_more(const struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len)
{
    iip_u32 right = conn->snd.una + conn->snd.wnd;
    if (seq + len != conn->snd.nxt || !iip_seq_lt(conn->snd.nxt, conn->snd.end) || !iip_seq_lt(conn->snd.nxt, right))
        return 0;
    return iip_min32(conn->mss - len, iip_seq_min(conn->snd.end, right) - conn->snd.nxt);
}

/* Lost bytes go first, one segment at a time, as the pipe has room; the first one always. */
static int iip_tcp_output_lost(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 seq;
    iip_u32 len;
    iip_u32 more;
    iip_u32 fin;
    iip_u32 pipe;
    while (iip_tcp_next_lost(conn, &seq, &len)) {
        pipe = iip_tcp_pipe(conn);
        if (pipe && pipe + len > conn->cwnd && seq != conn->snd.una)
            return 1;
        if (iip_seq_lt(conn->snd.una + conn->snd.wnd, seq + len) && seq != conn->snd.una)
            return 1; /* [SHLD-16] only inside of the window, however it shrank */
        if (iip_seq_lt(conn->snd.end, seq + len))
            len = conn->snd.end - seq; /* the rest is the FIN */
        more = iip_tcp_lost_more(conn, seq, len);
        len += more;
        fin = more || conn->snd.nxt == conn->snd.end + 1 ? iip_tcp_fin_flag(conn, seq + len) : 0;
        if (!iip_tcp_segment(stk, conn, seq, len, fin | iip_tcp_push_flag(conn, len, seq + len)))
            return 0;
        iip_tcp_undo_sent(stk, conn, len - more);
        conn->rtx_next = seq + len + (fin ? 1 : 0);
        if (more) {
            iip_tcp_sent_new(stk, conn, more, fin ? 1 : 0);
            if (fin)
                iip_tcp_transit(conn, IIP_EV_SEND_FIN);
        }
        iip_tcp_count_rtx(stk, conn);
        if (conn->rto_at == IIP_NEVER)
            iip_tcp_rto_start(stk, conn);
    }
    return 1;
}

/* [RFC 9293 3.7.4, 3.8.6.2.1] may a segment smaller than full size leave? */
static int iip_tcp_small_ok(const struct iip_tcp_conn *conn, iip_u32 len, iip_u32 unsent)
{
    if (len == unsent) {
        if (conn->flags & IIP_F_FIN_QUEUED)
            return 1;
        if (conn->flags & IIP_F_CORK)
            return 0;
        return (conn->flags & (IIP_F_NODELAY | IIP_F_URG_SEND)) || conn->snd.una == conn->snd.nxt;
    }
    return len >= conn->snd.max_wnd / 2; /* the window is small by nature */
}

/* [RFC 5681 4.1] after an idle time the window says nothing about the network any more. */
static void iip_tcp_restart_window(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una == conn->snd.nxt && (iip_u32)stk->now - conn->sent_us > conn->rto_us)
        conn->cwnd = iip_min32(conn->cwnd, (iip_u32)stk->tune.tcp_initcwnd * conn->mss);
}

/* The length of the next segment of new bytes, as the windows allow; 0: none now. */
static iip_u32 iip_tcp_new_len(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 unsent)
{
    iip_u32 right = conn->snd.una + conn->snd.wnd;
    iip_u32 room = iip_seq_lt(conn->snd.nxt, right) ? right - conn->snd.nxt : 0;
    iip_u32 pipe = iip_tcp_pipe(conn);
    iip_u32 quota = conn->cwnd > pipe ? conn->cwnd - pipe : 0;
    iip_u32 most = conn->mss;
    iip_u32 len = iip_min32(unsent, room);

    if ((stk->caps & IIP_CAP_TX_TSO) && !conn->path.loop && len > most && quota >= 2 * most)
        most = iip_min32(stk->tso_max, iip_min32(quota, 65535 - 120)) / conn->mss * conn->mss;
    len = iip_min32(len, most);
    if (quota < iip_min32(len, conn->mss) && pipe)
        return 0;
    if (len > conn->mss)
        return len - (len == unsent ? 0 : len % conn->mss);
    if (len == conn->mss || (len && iip_tcp_small_ok(conn, len, unsent)))
        return len;
    return 0;
}

/* A TSO segment of more than one packet may have too many pieces: it ends before. */
static iip_u32 iip_tcp_pieces_cut(const struct iip_tcp_conn *conn, iip_u32 len)
{
    const struct iip_pkt *pkt = conn->snd_cur;
    iip_u32 right = conn->snd.nxt;
    iip_u32 n = 0;
    if (len <= conn->mss)
        return len;
    for (; pkt && n < 16 && right - conn->snd.nxt < len; pkt = pkt->link, n++)
        right = pkt->seq + pkt->len;
    right -= conn->snd.nxt;
    if (right >= len)
        return len;
    return right > conn->mss ? right - right % conn->mss : right;
}

/* Bytes that were never sent, or a FIN. */
IIP_INLINE int iip_tcp_has_new(const struct iip_tcp_conn *conn)
{
    return iip_seq_lt(conn->snd.nxt, conn->snd.end) ||
        ((conn->flags & IIP_F_FIN_QUEUED) && conn->snd.nxt == conn->snd.end);
}

/* 0 when there was no memory for a segment. */
static int iip_tcp_output_new(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 unsent;
    iip_u32 len;
    iip_u32 fin;
    iip_tcp_restart_window(stk, conn);
    while (iip_tcp_has_new(conn)) {
        unsent = conn->snd.end - conn->snd.nxt;
        len = unsent ? iip_tcp_new_len(stk, conn, unsent) : 0;
        if (unsent && !len)
            break;
        len = iip_tcp_pieces_cut(conn, len);
        fin = iip_tcp_fin_flag(conn, conn->snd.nxt + len);
        if (!len && !fin)
            break;
        if (!iip_tcp_segment(stk, conn, conn->snd.nxt, len, fin | iip_tcp_push_flag(conn, len, conn->snd.nxt + len)))
            return 0;
        iip_tcp_sent_new(stk, conn, len, fin ? 1 : 0);
        if (fin)
            iip_tcp_transit(conn, IIP_EV_SEND_FIN);
    }
    /* nothing in flight, something to send and no way: the window is closed or silly, and a probe must open it */
    if (iip_seq_lt(conn->snd.nxt, conn->snd.end) && conn->snd.una == conn->snd.nxt && !(conn->flags & IIP_F_PERSIST))
        iip_tcp_persist_start(stk, conn);
    return 1;
}

/* No memory for a segment: look again soon, for nobody else will remind us. */
static void iip_tcp_output_later(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->ack_at > stk->now + IIP_RETRY_US)
        conn->ack_at = stk->now + IIP_RETRY_US;
    iip_tcp_arm(stk, conn);
}

static int iip_tcp_output_syn(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!(conn->flags & IIP_F_ACK_NOW))
        return 0;
    if (!iip_tcp_send_syn(stk, conn)) {
        iip_tcp_output_later(stk, conn);
        return 1;
    }
    if (conn->rto_at == IIP_NEVER) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = conn->iss;
        conn->rtt_sent = (iip_u32)stk->now;
        iip_tcp_rto_start(stk, conn);
    }
    iip_tcp_arm(stk, conn);
    return 0;
}

/* 1 when it must stay on the list: an ACK waits for the answer, or there was no memory for a segment. */
IIP_LOCAL int iip_tcp_output(struct iip_stack *stk, struct iip_tcp_conn *conn, int hold)
{
    int sent = 1;
    if (IIP_LIKELY(iip_tcp_plain_output(stk, conn)))
        return 0;
    if (IIP_UNLIKELY(conn->id.state < IIP_TCP_ESTABLISHED))
        return iip_tcp_output_syn(stk, conn);
    if (IIP_UNLIKELY(conn->path.gen != stk->net->gen))
        iip_tcp_path_check(stk, conn);
    if (conn->flags & (IIP_F_RECOVERY | IIP_F_LOSS))
        sent = iip_tcp_output_lost(stk, conn);
    if (sent && iip_tcp_has_new(conn))
        sent = iip_tcp_output_new(stk, conn);
    if ((conn->flags & IIP_F_ACK_NOW) || ((conn->flags & IIP_F_ACK_DUE) && !hold))
        sent = iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0) && sent;
    if (IIP_UNLIKELY(!sent))
        iip_tcp_output_later(stk, conn);
    iip_tcp_arm(stk, conn);
    return !sent || (conn->flags & IIP_F_ACK_DUE);
}

/* Once the port refuses, connections keep what they have: what was refused goes first. */
IIP_LOCAL void iip_tcp_output_touched(struct iip_stack *stk, int hold)
{
    struct iip_tcp_conn *conn = stk->tcp->touched_head;
    struct iip_tcp_conn *next;
    stk->tcp->touched_head = 0;
    for (; conn; conn = next) {
        next = conn->touched;
        conn->flags &= ~(iip_u32)IIP_F_TOUCHED;
        if (stk->held.head || iip_tcp_output(stk, conn, hold))
            iip_tcp_touch(stk, conn);
    }
}

/* ==== src/tcp/plain.c ==== */
/*
 * plain.c - the way out of what nearly all segments are: IPv4, no option but timestamps, a neighbour that is known and
 * a path that did not change. All headers are written in one piece; the rest goes by iip_ip_output.
 */

enum { IIP_PLAIN_HEADERS = IIP_ETH_LEN + IIP_PLAIN_IP + IIP_TCP_HEADER + IIP_TCP_TS_LEN };

/* What all plain segments of one call have in common. */
struct iip_plain_way {
    const iip_u8 *head; /* the link header; null at L3 */
    iip_u32 wnd;        /* the field */
    iip_u32 l2_len;
    iip_u32 tcp_len;    /* of the TCP header */
};

/* 1 while an IPv4 path is plain, and what it needs. */
IIP_MERGED int iip_tcp_plain_link(const struct iip_stack *stk, const struct iip_path *path, struct iip_plain_way *way)
{
    const struct iip_neigh *neigh = path->neigh;
    if (path->gen != stk->net->gen || path->loop)
        return 0;
    way->l2_len = stk->l2_len;
    way->head = 0;
    if (IIP_UNLIKELY(!neigh))
        return !stk->l2_len;
    if (stk->now >= neigh->fresh_until)
        return 0;
    way->head = neigh->head;
    return 1;
}

/* The same of a connection's path. */
IIP_INLINE int iip_tcp_plain_path(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                  struct iip_plain_way *way)
{
    if (conn->id.family != 4 || !iip_tcp_plain_link(stk, &conn->path, way))
        return 0;
    way->tcp_len = conn->id.options & IIP_HAS_TS ? IIP_TCP_HEADER + IIP_TCP_TS_LEN : IIP_TCP_HEADER;
    return 1;
}

IIP_INLINE iip_u32 iip_tcp_plain_headers(const struct iip_plain_way *way)
{
    return way->l2_len + IIP_PLAIN_IP + way->tcp_len;
}

/* TCP's own sum, made here, whatever stands in its field. */
IIP_INLINE void iip_tcp_plain_l4_sum(struct iip_pkt *pkt, iip_u8 *tcp, iip_u64 pseudo, iip_u32 l4_bytes)
{
    iip_u64 sum = pseudo;
    iip_csum_store(tcp + 16, 0);
    sum = iip_csum_add(sum,
                       pkt->next ? iip_pkt_csum(pkt, (iip_u32)(tcp - pkt->data), l4_bytes)
                                 : iip_csum_bytes(tcp, l4_bytes));
    iip_csum_store(tcp + 16, ~iip_csum_fold(sum));
}

/* The sums, or their marks where the port makes them; `ip`: where the IP header is. */
IIP_MERGED void iip_tcp_plain_sums(struct iip_stack *stk, struct iip_pkt *pkt, iip_u8 *ip, iip_u64 pseudo,
                                   iip_u32 l4_bytes, iip_u32 marks)
{
    iip_u8 *tcp = ip + IIP_PLAIN_IP;
    if (IIP_LIKELY((stk->caps & IIP_CAP_TX_IP_CSUM) || (marks & IIP_PKT_TSO)))
        marks |= IIP_PKT_IP_CSUM;
    else
        iip_plain_ip_csum(ip);
    if (IIP_LIKELY(stk->caps & IIP_CAP_TX_TCP_CSUM)) {
        pkt->flags = (iip_u16)(marks | IIP_PKT_L4_CSUM);
        iip_csum_store(tcp + 16, iip_csum_fold(pseudo));
        return;
    }
    pkt->flags = (iip_u16)marks;
    iip_tcp_plain_l4_sum(pkt, tcp, pseudo, l4_bytes);
}

IIP_INLINE void iip_tcp_plain_lens(struct iip_pkt *pkt, const struct iip_plain_way *way)
{
    pkt->l2_len = (iip_u8)way->l2_len;
    pkt->l3_len = IIP_PLAIN_IP;
    pkt->l4_len = (iip_u8)way->tcp_len;
}

/* All headers of a packet that begins with room for them; `len` bytes of payload follow. `marks`: IIP_PKT_TSO or 0. */
IIP_MERGED void iip_tcp_plain_emit(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                   const struct iip_plain_way *way, iip_u32 seq, iip_u32 len, iip_u32 flags,
                                   iip_u32 marks)
{
    iip_u32 l4_bytes = way->tcp_len + len;
    iip_u8 *p = pkt->data;
    iip_tcp_plain_lens(pkt, way);
    if (IIP_LIKELY(way->head != 0))
        IIP_COPY(p, way->head, IIP_ETH_LEN);
    p += way->l2_len;
    iip_plain_emit_ip(p, conn->id.local4, conn->id.remote4, IIP_PLAIN_IP + l4_bytes, conn->tos, conn->ttl);
    iip_plain_emit_tcp(p + IIP_PLAIN_IP, conn->id.node.word, seq, conn->rcv.nxt,
                       way->tcp_len << 26 | flags << 16 | way->wnd);
    if (IIP_LIKELY(way->tcp_len != IIP_TCP_HEADER))
        iip_tcp_emit_ts(p + IIP_PLAIN_IP + IIP_TCP_HEADER, iip_tcp_ts_now(stk, conn->ts_off), conn->ts_recent);
    iip_tcp_plain_sums(stk, pkt, p, iip_plain_pseudo(conn->id.local4, conn->id.remote4, l4_bytes), l4_bytes,
                       marks | IIP_PKT_TCP | IIP_PKT_IPV4);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
}

IIP_LOCAL int iip_tcp_plain_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags)
{
    struct iip_plain_way way;
    iip_u32 marks = 0;
    iip_u32 headers;
    if (!iip_tcp_plain_path(stk, conn, &way))
        return 0;
    if (IIP_UNLIKELY(IIP_PLAIN_IP + way.tcp_len + len > conn->path.mtu && len <= conn->mss))
        return 0;
    way.wnd = iip_tcp_window_field(conn);
    if (IIP_UNLIKELY(len > conn->mss)) {
        pkt->seg_size = conn->mss;
        iip_tcp_count_cut(stk, len, conn->mss);
        marks = IIP_PKT_TSO;
    }
    headers = iip_tcp_plain_headers(&way);
    pkt->data -= headers;
    pkt->len += headers;
    pkt->total = headers + len;
    iip_tcp_plain_emit(stk, conn, pkt, &way, seq, len, flags, marks);
    iip_tx(stk, pkt);
    return 1;
}

IIP_LOCAL int iip_tcp_plain_bare(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                                 const struct iip_path *path)
{
    struct iip_plain_way way;
    iip_u32 local4 = iip_ip_to_v4(ip->src);
    iip_u32 remote4 = iip_ip_to_v4(ip->dst);
    iip_u32 l4_bytes = pkt->len;
    iip_u8 *p = pkt->data - IIP_PLAIN_IP;
    if (ip->family != 4 || !iip_tcp_plain_link(stk, path, &way))
        return 0;
    way.tcp_len = l4_bytes;
    iip_tcp_plain_lens(pkt, &way);
    pkt->data = p - way.l2_len;
    pkt->len += way.l2_len + IIP_PLAIN_IP;
    pkt->total = pkt->len;
    if (IIP_LIKELY(way.head != 0))
        IIP_COPY(pkt->data, way.head, IIP_ETH_LEN);
    iip_plain_emit_ip(p, local4, remote4, IIP_PLAIN_IP + l4_bytes, ip->tos, ip->ttl);
    iip_tcp_plain_sums(stk, pkt, p, iip_plain_pseudo(local4, remote4, l4_bytes), l4_bytes, IIP_PKT_TCP | IIP_PKT_IPV4);
    iip_tx_one(stk, pkt);
    return 1;
}

/* ---- whole packets of the queue ---- */

/*
 * Is this packet the next segment as it stands? It is what output.c would cut, by the same rules: a full segment, or
 * the last bytes there are, which Nagle lets go; within both windows; alone in its frame, with room in front.
 */
IIP_INLINE int iip_tcp_plain_next(const struct iip_stack *stk, const struct iip_tcp_conn *conn,
                                  const struct iip_pkt *pkt)
{
    iip_u32 flight = conn->snd.nxt - conn->snd.una;
    iip_u32 unsent = conn->snd.end - conn->snd.nxt;
    if (pkt->seq != conn->snd.nxt || flight + pkt->len > iip_min32(conn->snd.wnd, conn->cwnd) ||
        !iip_pkt_headroom_ok(pkt, IIP_PLAIN_HEADERS))
        return 0;
    if (pkt->len == unsent)
        return pkt->len == conn->mss || (pkt->len < conn->mss && (!flight || (conn->flags & IIP_F_NODELAY)));
    return pkt->len == conn->mss && !(stk->caps & IIP_CAP_TX_TSO);
}

/* What must be thought about takes the long way; so does the first segment after an idle time [RFC 5681 4.1]. */
IIP_INLINE int iip_tcp_plain_ready(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    enum {
        DETOUR = IIP_F_RECOVERY | IIP_F_LOSS | IIP_F_PERSIST | IIP_F_DISORDER | IIP_F_URG_SEND | IIP_F_FIN_QUEUED | IIP_F_CORK
    };
    if (!conn->snd_cur || (conn->flags & DETOUR) || conn->id.state < IIP_TCP_ESTABLISHED || !stk->tune.tcp_fast_path)
        return 0;
    return conn->snd.una != conn->snd.nxt || (iip_u32)stk->now - conn->sent_us <= conn->rto_us;
}

/* SND.NXT moved from `first` on. */
IIP_INLINE void iip_tcp_plain_sent(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 first)
{
    if (!(conn->flags & IIP_F_RTT_PENDING)) {
        conn->flags |= IIP_F_RTT_PENDING;
        conn->rtt_seq = first;
        conn->rtt_sent = (iip_u32)stk->now;
    }
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    if (conn->rto_at == IIP_NEVER)
        iip_tcp_rto_start(stk, conn);
}

/*
 * The segment after `prev`, as long as it, in a burst that has not left: its headers are those of `prev` but for the
 * sequence number, PSH and the sum.
 */
IIP_MERGED void iip_tcp_plain_again(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt,
                                    const struct iip_pkt *prev, const struct iip_plain_way *way, iip_u32 seq,
                                    iip_u32 flags)
{
    iip_u32 headers = iip_tcp_plain_headers(way);
    iip_u32 l4_bytes = pkt->len - way->l2_len - IIP_PLAIN_IP;
    iip_u8 *tcp = pkt->data + way->l2_len + IIP_PLAIN_IP;
    IIP_COPY(pkt->data + headers - IIP_PLAIN_HEADERS, prev->data + headers - IIP_PLAIN_HEADERS, IIP_PLAIN_HEADERS);
    iip_tcp_plain_lens(pkt, way);
    iip_put32(tcp + 4, seq);
    tcp[13] = (iip_u8)flags;
    pkt->flags = prev->flags;
    if (IIP_UNLIKELY(!(pkt->flags & IIP_PKT_L4_CSUM)))
        iip_tcp_plain_l4_sum(pkt, tcp, iip_plain_pseudo(conn->id.local4, conn->id.remote4, l4_bytes), l4_bytes);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
}

/* Whole packets as segments, from SND.NXT on, while each is one as it stands. */
IIP_MERGED void iip_tcp_plain_burst(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_plain_way *way,
                                    iip_u32 l2_len, iip_u32 tcp_len)
{
    iip_u32 headers = l2_len + IIP_PLAIN_IP + tcp_len;
    struct iip_pkt *from = conn->snd_cur;
    const struct iip_pkt *prev = 0;
    struct iip_pkt *pkt;
    iip_u32 flags;
    if (IIP_UNLIKELY(IIP_PLAIN_IP + tcp_len + conn->mss > conn->path.mtu))
        return;
    way->l2_len = l2_len;
    way->tcp_len = tcp_len;
    way->wnd = iip_tcp_window_field(conn);
    do {
        pkt = iip_pkt_take(stk, from->frame, from->data - headers, headers + from->len);
        if (IIP_UNLIKELY(!pkt))
            break;
        flags = conn->snd.nxt + from->len == conn->snd.end ? IIP_TCP_ACK | IIP_TCP_PSH : IIP_TCP_ACK;
        if (prev && prev->len == pkt->len)
            iip_tcp_plain_again(stk, conn, pkt, prev, way, conn->snd.nxt, flags);
        else
            iip_tcp_plain_emit(stk, conn, pkt, way, conn->snd.nxt, from->len, flags, 0);
        iip_tx_one(stk, pkt);
        prev = stk->tx_count ? pkt : 0;
        conn->snd.nxt += from->len;
        conn->snd_cur = from = from->link;
    } while (from && iip_tcp_plain_next(stk, conn, from));
}

IIP_LOCAL int iip_tcp_plain_output(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    enum { WITH_TS = IIP_TCP_HEADER + IIP_TCP_TS_LEN };
    struct iip_plain_way way;
    iip_u32 first = conn->snd.nxt;
    if (!iip_tcp_plain_ready(stk, conn) || !iip_tcp_plain_next(stk, conn, conn->snd_cur) ||
        !iip_tcp_plain_path(stk, conn, &way))
        return 0;
    if (IIP_LIKELY((conn->id.options & IIP_HAS_TS) && way.l2_len == IIP_ETH_LEN)) /* laid out by itself: all lengths are known */
        iip_tcp_plain_burst(stk, conn, &way, IIP_ETH_LEN, WITH_TS);
    else
        iip_tcp_plain_burst(stk, conn, &way, way.l2_len, way.tcp_len);
    if (IIP_LIKELY(conn->snd.nxt != first))
        iip_tcp_plain_sent(stk, conn, first);
    return conn->snd.nxt == conn->snd.end && conn->snd.nxt != first;
}

/* ==== src/tcp/segment.c ==== */
/* segment.c - how a segment is built: where its payload comes from, its options, its checksum, its way to IP. */

enum { IIP_PIECES_MAX = 16, IIP_HEADERS_MAX = 14 + 40 + IIP_TCP_HEADER_MAX };

/* The packet of the queue that holds `seq`. */
static struct iip_pkt *iip_tcp_queue_at(struct iip_tcp_conn *conn, iip_u32 seq)
{
    struct iip_pkt *pkt = conn->repair ? conn->repair->rtx_cur : 0;
    if (seq == conn->snd.nxt && conn->snd_cur)
        return conn->snd_cur;
    if (!pkt || iip_seq_lt(seq, pkt->seq))
        pkt = conn->snd_head;
    while (pkt && iip_seq_leq(pkt->seq + pkt->len, seq))
        pkt = pkt->link;
    if (conn->repair)
        conn->repair->rtx_cur = pkt;
    return pkt;
}

static struct iip_pkt *iip_tcp_copied(struct iip_stack *stk, const struct iip_pkt *from, iip_u32 offset, iip_u32 len)
{
    struct iip_pkt *pkt = iip_pkt_alloc(stk, len);
    iip_u8 *to;
    iip_u32 part;
    if (!pkt)
        return 0;
    pkt->len = len;
    for (to = pkt->data; len; len -= part, to += part, from = from->link, offset = 0) {
        part = iip_min32(from->len - offset, len);
        IIP_COPY(to, from->data + offset, part);
    }
    return pkt;
}

/* An empty packet for the header, chained to views of the queue. */
static struct iip_pkt *iip_tcp_chained(struct iip_stack *stk, const struct iip_pkt *from, iip_u32 offset, iip_u32 len)
{
    struct iip_pkt *head = iip_pkt_alloc(stk, 0);
    struct iip_pkt *last = head;
    iip_u32 part;
    if (!head)
        return 0;
    for (; len; len -= part, from = from->link, offset = 0) {
        part = iip_min32(from->len - offset, len);
        last->next = iip_pkt_view(stk, from, from->data + offset, part);
        if (!last->next) {
            iip_pkt_free(stk, head);
            return 0;
        }
        last = last->next;
    }
    return head;
}

/*
 * [seq, seq + len) of the queue as a packet with room for headers in front: in place where the bytes are first in a
 * frame that nobody else looks at, copied where they are few or in several packets, chained where they are many.
 */
static struct iip_pkt *iip_tcp_payload(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len)
{
    struct iip_pkt *from;
    iip_u32 offset;
    if (!len)
        return iip_pkt_alloc(stk, 0);
    from = iip_tcp_queue_at(conn, seq);
    offset = seq - from->seq;
    if (IIP_LIKELY(!offset && len <= from->len && iip_pkt_headroom_ok(from, IIP_HEADERS_MAX)))
        return iip_pkt_view(stk, from, from->data, len);
    if (len <= stk->tune.tcp_copy_max || !(stk->caps & IIP_CAP_TX_SG) || (offset + len > from->len && len <= conn->mss))
        return iip_tcp_copied(stk, from, offset, len);
    return iip_tcp_chained(stk, from, offset, len);
}

/* Where the caps allow, the field holds the pseudo-header sum and the port does the rest. */
IIP_LOCAL void iip_tcp_checksum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ip *src,
                                const struct iip_ip *dst, iip_u32 family, int loop)
{
    iip_u64 sum;
    if (loop)
        return;
    sum = iip_ip_pseudo(src, dst, family, 6, pkt->total);
    if (stk->caps & IIP_CAP_TX_TCP_CSUM) {
        pkt->flags |= IIP_PKT_L4_CSUM;
        iip_csum_store(pkt->data + 16, iip_csum_fold(sum));
        return;
    }
    sum = iip_csum_add(sum, pkt->next ? iip_pkt_csum(pkt, 0, pkt->total) : iip_csum_bytes(pkt->data, pkt->len));
    iip_csum_store(pkt->data + 16, ~iip_csum_fold(sum));
}

/* Puts the header in front of a payload. */
static void iip_tcp_header(struct iip_pkt *pkt, const struct iip_tcp_seg *seg, iip_u32 payload)
{
    pkt->data -= seg->hdr_len;
    pkt->len += seg->hdr_len;
    pkt->total = payload + seg->hdr_len;
    pkt->flags = IIP_PKT_TCP;
    pkt->l4_len = (iip_u8)seg->hdr_len;
    iip_tcp_emit(pkt->data, seg);
}

static void iip_tcp_to_ip(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_tcp_tuple t;
    struct iip_tx_ip ip;
    iip_tcp_tuple_of(&conn->id, &t);
    ip.src = &t.local;
    ip.dst = &t.remote;
    ip.family = t.family;
    ip.proto = 6;
    ip.ttl = conn->ttl;
    ip.tos = conn->tos;
    ip.df = 1;
    iip_tcp_checksum(stk, pkt, &t.local, &t.remote, t.family, conn->path.loop);
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
    iip_ip_output(stk, pkt, &ip, &conn->path);
}

/* [RFC 2018 3] blocks go into ACKs without text, as many as there is room for. */
static iip_u32 iip_tcp_blocks_for(struct iip_tcp_conn *conn, struct iip_sack_block *blocks, iip_u32 len)
{
    iip_u32 n;
    if (IIP_LIKELY(!conn->repair) || len || !(conn->id.options & IIP_HAS_SACK_OK))
        return 0;
    n = iip_tcp_sack_blocks(conn, blocks, conn->id.options & IIP_HAS_TS ? 3 : 4);
    conn->repair->has_dsack = 0;
    return n;
}

static void iip_tcp_urgent_mark(const struct iip_tcp_conn *conn, struct iip_tcp_seg *seg)
{
    if (!(conn->flags & IIP_F_URG_SEND) || !iip_seq_lt(seg->seq, conn->extra->snd_up))
        return;
    seg->flags |= IIP_TCP_URG; /* [RFC 9293 3.8.5 MUST-62] the pointer names the octet behind */
    seg->up = iip_min32(conn->extra->snd_up - seg->seq, 65535);
}

static void iip_tcp_segment_full(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags)
{
    struct iip_sack_block blocks[IIP_SACK_MAX];
    iip_u32 n = iip_tcp_blocks_for(conn, blocks, len);
    iip_u32 ts = conn->id.options & IIP_HAS_TS;
    struct iip_tcp_seg seg;

    seg.src_port = (iip_u16)(conn->id.node.word >> 16);
    seg.dst_port = (iip_u16)conn->id.node.word;
    seg.seq = seq;
    seg.ack = conn->rcv.nxt;
    seg.flags = (iip_u8)flags;
    seg.wnd = iip_tcp_window_field(conn);
    seg.up = 0;
    seg.hdr_len = IIP_TCP_HEADER + (ts ? (iip_u32)IIP_TCP_TS_LEN : 0) + (n ? 4 + 8 * n : 0);
    iip_tcp_urgent_mark(conn, &seg);
    iip_tcp_header(pkt, &seg, len);
    if (ts)
        iip_tcp_emit_ts(pkt->data + IIP_TCP_HEADER, iip_tcp_ts_now(stk, conn->ts_off), conn->ts_recent);
    if (n)
        iip_tcp_emit_sack(pkt->data + seg.hdr_len - 4 - 8 * n, blocks, n);
    if (len > conn->mss) {
        pkt->flags |= IIP_PKT_TSO;
        pkt->seg_size = conn->mss;
        iip_tcp_count_cut(stk, len, conn->mss);
    }
    iip_tcp_to_ip(stk, conn, pkt);
}

IIP_LOCAL int iip_tcp_segment(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len, iip_u32 flags)
{
    struct iip_pkt *pkt;
    if (IIP_UNLIKELY(conn->path.gen != stk->net->gen)) { /* and what was cut for the old path is cut anew */
        iip_tcp_path_check(stk, conn);
        if (len > conn->mss)
            return 0;
    }
    pkt = iip_tcp_payload(stk, conn, seq, len);
    if (IIP_UNLIKELY(!pkt))
        return 0;
    flags |= IIP_TCP_ACK;
    if (IIP_UNLIKELY((conn->flags & (IIP_F_DISORDER | IIP_F_URG_SEND)) || (conn->repair && conn->repair->has_dsack)) ||
        !iip_tcp_plain_send(stk, conn, pkt, seq, len, flags))
        iip_tcp_segment_full(stk, conn, pkt, seq, len, flags);
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    return 1;
}

/* SYN, or SYN-ACK of a simultaneous open. */
IIP_LOCAL int iip_tcp_send_syn(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    int both = conn->id.state == IIP_TCP_SYN_RECEIVED;
    struct iip_pkt *pkt = iip_pkt_alloc(stk, IIP_TCP_HEADER_MAX);
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    if (!pkt)
        return 0;
    if (!both && conn->rto_at == IIP_NEVER) { /* the first: what it says holds, whatever becomes of buffer and tunables */
        conn->rcv_wscale = (iip_u8)iip_tcp_wscale_offer(stk, conn->rcvbuf);
        conn->id.options = (iip_u8)(iip_tcp_offers(stk) & ~(iip_u32)IIP_HAS_MSS);
    }
    iip_tcp_tuple_of(&conn->id, &t);
    seg.seq = conn->iss;
    seg.ack = both ? conn->rcv.nxt : 0;
    seg.flags = both ? IIP_TCP_SYN | IIP_TCP_ACK : IIP_TCP_SYN;
    seg.wnd = iip_min32(conn->rcvbuf, 65535);
    seg.has = conn->id.options | IIP_HAS_MSS;
    seg.mss = (iip_u16)iip_tcp_mss_offer(stk, &t);
    seg.wscale = conn->rcv_wscale;
    seg.ts_val = iip_tcp_ts_now(stk, conn->ts_off);
    seg.ts_ecr = both ? conn->ts_recent : 0;
    conn->rcv.edge = conn->rcv.nxt + seg.wnd;
    conn->sent_us = (iip_u32)stk->now;
    iip_tcp_ack_paid(conn);
    iip_tcp_bare_to(stk, pkt, &t, &seg, &conn->path, conn->tos, conn->ttl);
    return 1;
}

/* ==== src/tcp/reply.c ==== */
/* reply.c - segments that answer without, or beside, a connection: RST, challenge ACK, SYN-ACK and TIME-WAIT's ACK. */

IIP_LOCAL void iip_tcp_bare_to(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_tuple *t,
                               struct iip_tcp_seg *seg, struct iip_path *path, iip_u32 tos, iip_u32 ttl)
{
    struct iip_tx_ip ip;
    iip_u32 opt_len = 0;
    if (seg->flags & IIP_TCP_SYN) {
        opt_len = iip_tcp_emit_syn_options(pkt->data + IIP_TCP_HEADER, seg, stk->tune.tcp_syn_options);
    } else if (seg->has & IIP_HAS_TS) {
        iip_tcp_emit_ts(pkt->data + IIP_TCP_HEADER, seg->ts_val, seg->ts_ecr);
        opt_len = IIP_TCP_TS_LEN;
    }
    seg->src_port = t->local_port;
    seg->dst_port = t->remote_port;
    seg->hdr_len = IIP_TCP_HEADER + opt_len;
    seg->up = 0;
    iip_tcp_emit(pkt->data, seg);
    pkt->len = pkt->total = seg->hdr_len;
    ip.src = &t->local;
    ip.dst = &t->remote;
    ip.family = t->family;
    ip.proto = 6;
    ip.ttl = (iip_u8)ttl;
    ip.tos = (iip_u8)tos;
    ip.df = 1;
    iip_count(stk, IIP_CTR_TCP_SEGS_OUT);
    if (IIP_LIKELY(iip_tcp_plain_bare(stk, pkt, &ip, path)))
        return;
    pkt->flags = IIP_PKT_TCP;
    pkt->l4_len = (iip_u8)seg->hdr_len;
    iip_tcp_checksum(stk, pkt, &t->local, &t->remote, t->family, path->loop);
    iip_ip_output(stk, pkt, &ip, path);
}

IIP_LOCAL void iip_tcp_bare(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_seg *seg, iip_u32 tos)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_TCP_HEADER_MAX);
    struct iip_ip local = t->local;
    struct iip_path path;
    if (!pkt || iip_path_find(stk, &local, &t->remote, &path)) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        iip_pkt_free(stk, pkt);
        return;
    }
    if (seg->flags & IIP_TCP_RST)
        iip_count(stk, IIP_CTR_TCP_RST_SENT);
    iip_tcp_bare_to(stk, pkt, t, seg, &path, tos, (iip_u32)stk->tune.tcp_ttl);
    iip_path_drop(stk, &path);
}

/*
 * [RFC 9293 3.10.7.1] <SEQ=SEG.ACK><CTL=RST> to what has an ACK, else <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
 * Nothing at all to broadcasts and to what cannot be a peer, and not more than so many a second.
 */
IIP_LOCAL void iip_tcp_reset_reply(struct iip_stack *stk, const struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *in = &arr->seg;
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    if ((in->flags & IIP_TCP_RST) || arr->rx->multicast || !iip_addr_is_unicast(stk, &arr->rx->src))
        return;
    if (!iip_bucket_take(&stk->tcp->rst_bucket, stk->now, stk->tune.tcp_rst_rate)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    iip_tcp_tuple_rx(&t, arr->rx, in);
    seg.seq = in->flags & IIP_TCP_ACK ? in->ack : 0;
    seg.ack = in->flags & IIP_TCP_ACK ? 0 : in->seq + in->len;
    seg.flags = in->flags & IIP_TCP_ACK ? IIP_TCP_RST : IIP_TCP_RST | IIP_TCP_ACK;
    seg.wnd = 0;
    seg.has = 0;
    iip_tcp_bare(stk, &t, &seg, 0);
}

/* <SEQ=seq><CTL=RST,ACK>: we give the connection up. It resets only if `seq` is what the peer expects [RFC 5961 3.2]. */
IIP_LOCAL void iip_tcp_reset_send(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq)
{
    struct iip_tcp_tuple t;
    struct iip_tcp_seg seg;
    iip_tcp_tuple_of(&conn->id, &t);
    seg.seq = iip_seq_min(seq, conn->snd.una + conn->snd.wnd); /* beyond its window the peer would not take it */
    seg.ack = conn->rcv.nxt;
    seg.flags = IIP_TCP_RST | IIP_TCP_ACK;
    seg.wnd = 0;
    seg.has = 0;
    iip_tcp_bare(stk, &t, &seg, conn->tos);
}

/* [RFC 5961 7] limited per connection, so that no other flow can measure it (CVE-2016-5696). */
IIP_LOCAL void iip_tcp_challenge(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return;
    if ((iip_u32)stk->now - extra->challenge_us >= 1000000) {
        extra->challenge_us = (iip_u32)stk->now;
        extra->challenges = 0;
    }
    if (extra->challenges >= iip_min64(stk->tune.tcp_challenge_rate, 255)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    extra->challenges++;
    iip_count(stk, IIP_CTR_TCP_CHALLENGE);
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
}

/* ==== src/tcp/timer.c ==== */
/*
 * timer.c - what time brings: retransmission, persist, delayed ACK, keep-alive, FIN-WAIT-2 [RFC 9293 3.8, 3.10.8].
 *
 * A connection has one timer in the wheel, armed at or before the earliest of its three deadlines. A deadline that
 * moves later leaves the timer where it is; when it fires early it is armed anew.
 */

enum { IIP_CORK_US = 200000 };

static iip_u64 iip_tcp_due(const struct iip_tcp_conn *conn)
{
    return iip_min64(conn->rto_at, iip_min64(conn->ack_at, conn->idle_at));
}

IIP_LOCAL iip_u64 iip_tcp_timer_due(const struct iip_stack *stk, const struct iip_timer *t)
{
    if (t->kind == IIP_TIMER_TCP_MINI)
        return iip_tcp_mini_due(stk);
    return iip_tcp_due(IIP_OUTER(t, const struct iip_tcp_conn, timer));
}

IIP_LOCAL void iip_tcp_arm(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u64 due = iip_tcp_due(conn);
    if (due == IIP_NEVER || (iip_timer_armed(&conn->timer) && conn->timer.at <= due))
        return;
    iip_wheel_set(&stk->wheel, &conn->timer, due);
}

static void iip_tcp_give_up(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason)
{
    iip_count(stk, IIP_CTR_TCP_TIMEOUTS);
    if (conn->id.state >= IIP_TCP_SYN_RECEIVED)
        iip_tcp_reset_send(stk, conn, conn->snd.una); /* the last that it acknowledged */
    iip_tcp_end(stk, conn, reason);
}

/* [RFC 9293 3.8.3] R1 tells, R2 gives up: by the number of retransmissions, or by the user timeout. */
static int iip_tcp_r2_reached(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    if (conn->extra && conn->extra->user_timeout_us)
        return stk->now - conn->extra->stalled_at >= conn->extra->user_timeout_us;
    if (conn->id.state < IIP_TCP_ESTABLISHED)
        return conn->retries >= (conn->extra ? conn->extra->syn_retries : stk->tune.tcp_syn_retries);
    return conn->retries >= stk->tune.tcp_retries;
}

static void iip_tcp_rto_fired(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (stk->held.head) { /* the port is closed, not the network */
        if (conn->extra)
            conn->extra->stalled_at = stk->now;
        iip_tcp_rto_start(stk, conn);
        return;
    }
    if (iip_tcp_r2_reached(stk, conn)) {
        iip_tcp_give_up(stk, conn,
                        conn->id.state < IIP_TCP_ESTABLISHED && conn->extra && conn->extra->error ? conn->extra->error
                                                                                                  : IIP_E_TIMEOUT);
        return;
    }
    iip_count(stk, IIP_CTR_TCP_RTO);
    if (conn->id.state < IIP_TCP_ESTABLISHED) {
        conn->flags = (conn->flags & ~(iip_u32)IIP_F_RTT_PENDING) | IIP_F_ACK_NOW | IIP_F_SYN_LOST;
        iip_tcp_count_rtx(stk, conn);
        iip_tcp_touch(stk, conn);
    } else {
        iip_tcp_loss_begin(stk, conn);
    }
    conn->retries += conn->retries < 255;
    if (conn->retries == stk->tune.tcp_retries1 && !(conn->flags & IIP_F_TOLD_R1)) {
        conn->flags |= IIP_F_TOLD_R1;
        iip_tcp_soft_error(stk, conn, IIP_E_TIMEOUT, 0);
    }
    iip_tcp_rto_start(stk, conn);
}

/*
 * [RFC 9293 3.8.6.1] the first probe one RTO after the window closed, then at doubling intervals, for ever; unless there
 * is a user timeout, which says how long data may wait for a window [RFC 6429].
 */
IIP_LOCAL void iip_tcp_persist_start(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u64 wait = iip_min64((iip_u64)conn->rto_us << iip_min32(conn->probes, 24), stk->tune.tcp_rto_max_us);
    if ((conn->flags & IIP_F_CORK) && conn->snd.wnd >= conn->mss) /* the application holds it back, but not for ever */
        wait = IIP_CORK_US;
    conn->flags |= IIP_F_PERSIST;
    conn->rto_at = stk->now + wait;
    if (conn->extra && !conn->probes && conn->snd.una == conn->snd.nxt)
        conn->extra->stalled_at = stk->now;
    if (!conn->snd.wnd)
        iip_tcp_rto_limit(stk, conn);
}

IIP_LOCAL void iip_tcp_persist_end(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (!conn->snd.wnd)
        return;
    conn->flags &= ~(iip_u32)IIP_F_PERSIST;
    conn->probes = 0;
    conn->rto_at = IIP_NEVER;
    if (conn->snd.una == conn->snd.nxt)
        return;
    iip_tcp_undo_forget(conn);
    conn->flags |= IIP_F_LOSS; /* the byte of the probe was not taken: it leaves first */
    conn->recover = conn->lost_edge = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    iip_tcp_rto_start(stk, conn);
}

/* One byte beyond the window, or what a silly window allows. */
static void iip_tcp_probe(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_u32 len = iip_min32(conn->snd.end - conn->snd.una, iip_max32(1, iip_min32(conn->snd.wnd, conn->mss)));
    iip_u32 fin = (conn->flags & IIP_F_FIN_QUEUED) && conn->snd.una + len == conn->snd.end ? IIP_TCP_FIN : 0;
    if ((conn->retries || !conn->snd.wnd) && iip_tcp_r2_reached(stk, conn)) {
        iip_tcp_give_up(stk, conn, IIP_E_TIMEOUT);
        return;
    }
    conn->retries++;
    iip_count(stk, IIP_CTR_TCP_PROBES);
    conn->probes += conn->probes < 255;
    if (iip_tcp_segment(stk, conn, conn->snd.una, len, IIP_TCP_PSH | fin) &&
        iip_seq_lt(conn->snd.nxt, conn->snd.una + len + (fin ? 1 : 0))) {
        conn->snd.nxt = conn->snd.una + len + (fin ? 1 : 0);
        while (conn->snd_cur && iip_seq_leq(conn->snd_cur->seq + conn->snd_cur->len, conn->snd.nxt))
            conn->snd_cur = conn->snd_cur->link;
        if (fin)
            iip_tcp_transit(conn, IIP_EV_SEND_FIN);
    }
    iip_tcp_persist_start(stk, conn);
}

/* [RFC 9293 3.8.4] <SEQ=SND.NXT-1> without text draws an ACK from a live peer. */
static void iip_tcp_keepalive(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->snd.una != conn->snd.nxt || iip_seq_lt(conn->snd.nxt, conn->snd.end)) { /* [MUST-26] data is its own probe */
        iip_tcp_idle_restart(stk, conn);
        return;
    }
    if (conn->probes >= (conn->extra ? conn->extra->keepcnt : stk->tune.tcp_keepcnt)) {
        iip_tcp_give_up(stk, conn, IIP_E_TIMEOUT);
        return;
    }
    conn->probes++;
    iip_count(stk, IIP_CTR_TCP_KEEPALIVES);
    iip_tcp_segment(stk, conn, conn->snd.nxt - 1, 0, 0);
    conn->idle_at = stk->now + (conn->extra ? conn->extra->keepintvl_us : stk->tune.tcp_keepintvl_us);
}

/* Something was heard, or the state changed: when is silence too long? */
IIP_LOCAL void iip_tcp_idle_restart(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->idle_at = IIP_NEVER;
    if (conn->id.state == IIP_TCP_FIN_WAIT_2 && (conn->flags & IIP_F_DETACHED)) {
        if (stk->tune.tcp_fin_wait2_us)
            conn->idle_at = stk->now + stk->tune.tcp_fin_wait2_us;
    } else if ((conn->flags & IIP_F_KEEPALIVE) && iip_tcp_receives(conn)) {
        conn->idle_at = stk->now + (conn->extra ? conn->extra->keepidle_us : stk->tune.tcp_keepidle_us);
        if (conn->snd.una == conn->snd.nxt && !(conn->flags & IIP_F_PERSIST))
            conn->probes = 0;
    }
    if (conn->idle_at != IIP_NEVER)
        iip_tcp_arm(stk, conn);
}

static void iip_tcp_idle_fired(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (conn->id.state == IIP_TCP_FIN_WAIT_2 && (conn->flags & IIP_F_DETACHED))
        iip_tcp_end(stk, conn, IIP_E_TIMEOUT); /* the peer never closed, and nobody waits for it */
    else
        iip_tcp_keepalive(stk, conn);
}

IIP_LOCAL void iip_tcp_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_tcp_conn *conn = IIP_OUTER(t, struct iip_tcp_conn, timer);
    if (conn->ack_at <= stk->now) { /* [RFC 9293 3.8.6.3] */
        conn->ack_at = IIP_NEVER;
        if (conn->flags & IIP_F_ACK_DELAYED)
            conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
    }
    if (conn->idle_at <= stk->now) {
        conn->idle_at = IIP_NEVER;
        iip_tcp_idle_fired(stk, conn);
    }
    if (conn->rto_at <= stk->now && conn->id.state != IIP_TCP_CLOSED) {
        conn->rto_at = IIP_NEVER;
        if ((conn->flags & IIP_F_PERSIST) ||
            (!conn->snd.wnd && conn->id.state >= IIP_TCP_ESTABLISHED && conn->snd.una != conn->snd.end + 1))
            iip_tcp_probe(stk, conn);
        else
            iip_tcp_rto_fired(stk, conn);
    }
    if (conn->id.state != IIP_TCP_CLOSED)
        iip_tcp_arm(stk, conn);
}

/* ==== src/tcp/rto.c ==== */
/* rto.c - the retransmission timeout, in microseconds [RFC 6298]. */

enum { IIP_RTT_MAX_US = 0x0fffffff };

static iip_u32 iip_tcp_rto_bounded(const struct iip_stack *stk, iip_u32 rto)
{
    return iip_min32(iip_max32(rto, (iip_u32)stk->tune.tcp_rto_min_us), (iip_u32)stk->tune.tcp_rto_max_us);
}

/* [2.2, 2.3] alpha = 1/8, beta = 1/4, K = 4. */
IIP_LOCAL void iip_tcp_rtt_sample(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 rtt_us)
{
    iip_s32 err;
    rtt_us = iip_min32(rtt_us, IIP_RTT_MAX_US);
    if (!rtt_us)
        rtt_us = 1;
    if (!conn->srtt8) {
        conn->srtt8 = rtt_us << 3;
        conn->rttvar4 = rtt_us << 1;
    } else {
        err = (iip_s32)(rtt_us - (conn->srtt8 >> 3));
        conn->srtt8 += (iip_u32)err;
        if (err < 0)
            err = -err;
        conn->rttvar4 += (iip_u32)err - (conn->rttvar4 >> 2);
    }
    conn->rto_us = iip_tcp_rto_bounded(stk, (conn->srtt8 >> 3) + conn->rttvar4);
}

/*
 * [RFC 7323 4] The echo says which transmission arrived, give or take the tick of 1.024 ms in which it was sent. One from
 * before the first transmission, or from the future, is a lie or another segment's, and measures nothing.
 */
IIP_LOCAL void iip_tcp_rtt_echo(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    iip_u32 age = iip_min32((iip_u32)stk->now - conn->rtt_sent, IIP_RTT_MAX_US);
    iip_u32 ticks = iip_tcp_ts_now(stk, conn->ts_off) - seg->ts_ecr;
    if ((conn->id.options & seg->has & IIP_HAS_TS) && ticks <= (age >> 10) + 1)
        iip_tcp_rtt_sample(stk, conn, iip_min32(ticks << 10 | ((iip_u32)stk->now & 1023), age));
}

IIP_LOCAL void iip_tcp_rto_limit(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    const struct iip_tcp_extra *extra = conn->extra;
    if (extra && extra->user_timeout_us && conn->rto_at != IIP_NEVER)
        conn->rto_at = iip_min64(conn->rto_at, extra->stalled_at + extra->user_timeout_us);
    iip_tcp_arm(stk, conn);
}

/* [5.5] with back-off by the retransmissions so far. */
static iip_u32 iip_tcp_rto_backed_off(const struct iip_stack *stk, const struct iip_tcp_conn *conn)
{
    iip_u64 rto = (iip_u64)conn->rto_us << iip_min32(conn->retries, 24);
    return (iip_u32)iip_min64(rto, iip_max32((iip_u32)stk->tune.tcp_rto_max_us, conn->rto_us));
}

/* Of a back-off that is kept: with more, a peer that refuses text again and again is sent a segment in two minutes. */
enum { IIP_RTO_KEPT_MAX_US = 3000000 };

/*
 * [5.7, Karn] what was sent again gives no sample without timestamps, so the back-off outlives its ACK, until a round trip
 * is measured.
 */
IIP_LOCAL void iip_tcp_rto_keep(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (conn->flags & IIP_F_PERSIST) /* there the retries are probes */
        return;
    conn->rto_us = iip_max32(conn->rto_us, iip_min32(iip_tcp_rto_backed_off(stk, conn), IIP_RTO_KEPT_MAX_US));
    iip_tcp_rtt_echo(stk, conn, seg);
}

IIP_LOCAL void iip_tcp_rto_again(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    conn->rto_at = stk->now + iip_tcp_rto_backed_off(stk, conn);
    if (conn->extra && !conn->retries)
        conn->extra->stalled_at = stk->now;
    iip_tcp_rto_limit(stk, conn);
}

/* ==== src/tcp/cc.c ==== */
/* cc.c - which congestion control a connection has. */

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cc_of(const struct iip_tcp_conn *conn)
{
    return conn->cc ? iip_tcp_cubic() : iip_tcp_newreno();
}

/* ==== src/tcp/newreno.c ==== */
/* newreno.c - slow start, congestion avoidance and halving [RFC 5681 3.1]. */

/* [RFC 5681 3.1 eq. 2, RFC 3465 L = 2] */
IIP_LOCAL void iip_tcp_slow_start(struct iip_tcp_conn *conn, iip_u32 acked)
{
    conn->cwnd += iip_min32(acked, 2U * conn->mss);
    if (conn->cwnd > 0x3fffffff)
        conn->cwnd = 0x3fffffff;
}

static void iip_newreno_start(struct iip_tcp_conn *conn)
{
    if (conn->repair)
        conn->repair->cc.w_est = 0;
}

/* One segment a round: bytes acknowledged are counted up to a window [RFC 3465]. Only a loss leads here, so the count is there. */
static void iip_newreno_on_ack(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now)
{
    (void)now;
    if (conn->cwnd < conn->ssthresh) {
        iip_tcp_slow_start(conn, acked);
        return;
    }
    if (!conn->repair)
        return;
    conn->repair->cc.w_est += acked;
    if (conn->repair->cc.w_est < conn->cwnd)
        return;
    conn->repair->cc.w_est -= conn->cwnd;
    conn->cwnd += conn->mss;
}

/* [RFC 5681 3.1 eq. 4] */
static void iip_newreno_on_loss(struct iip_tcp_conn *conn, iip_u32 flight)
{
    conn->ssthresh = iip_max32(flight / 2, 2U * conn->mss);
    iip_newreno_start(conn);
}

static const struct iip_tcp_cc iip_newreno_cc = {"newreno", iip_newreno_start, iip_newreno_on_ack, iip_newreno_on_loss};

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_newreno(void)
{
    return &iip_newreno_cc;
}

/* ==== src/tcp/cubic.c ==== */
/*
 * cubic.c - CUBIC [RFC 9438] in integers: C = 0.4, beta = 0.7, windows in bytes, time in microseconds.
 *
 * W_cubic(t) = C (t - K)^3 + W_max with windows in segments and t in seconds. With t in units of 2^10 us (about 1 ms)
 * C becomes 0.4 / (10^6 / 2^10)^3 segments; the constant below is its inverse.
 */

enum { IIP_CUBIC_UNIT_BITS = 10 };

/* (10^6 / 2^10)^3 / 0.4: ticks cubed that one segment is worth. */
static iip_u64 iip_cubic_ticks3(void)
{
    return IIP_U64(0, 2328306437U);
}

static void iip_cubic_start(struct iip_tcp_conn *conn)
{
    if (!conn->repair)
        return;
    conn->repair->cc.w_max = 0;
    conn->repair->cc.epoch_us = 0;
}

/* [4.2] K = cbrt((W_max - cwnd_epoch) / C), in ticks. */
static void iip_cubic_epoch(struct iip_tcp_conn *conn, iip_u64 now)
{
    iip_u32 below = conn->repair->cc.w_max > conn->cwnd ? (conn->repair->cc.w_max - conn->cwnd) / conn->mss : 0;
    conn->repair->cc.epoch_us = conn->repair->cc.seen_us = now ? now : 1;
    conn->repair->cc.w_est = conn->cwnd;
    if (!below)
        conn->repair->cc.w_max = conn->cwnd;
    conn->repair->cc.k = iip_cbrt64(iip_min32(below, 0xffffffU) * iip_cubic_ticks3());
}

/* [4.2, 5.8] Ticks since the epoch, but for pauses in which the window was not what held the application back. */
static iip_u64 iip_cubic_ticks(struct iip_tcp_conn *conn, iip_u64 now)
{
    struct iip_tcp_cc_state *cc = &conn->repair->cc;
    iip_u64 pause = now - cc->seen_us;
    if (pause > (conn->srtt8 >> 2) + conn->rttvar4) /* more than two round trips */
        cc->epoch_us += pause;
    cc->seen_us = now;
    return (now - cc->epoch_us + (conn->srtt8 >> 3)) >> IIP_CUBIC_UNIT_BITS;
}

/* The window in bytes that the function gives `t` ticks after the epoch. */
static iip_u64 iip_cubic_at(const struct iip_tcp_conn *conn, iip_u64 t)
{
    iip_u64 k = conn->repair->cc.k;
    iip_u64 d = iip_min64(t > k ? t - k : k - t, 1 << 18);
    iip_u64 delta = iip_div64(iip_div64(d * d * d, 1024) * conn->mss, iip_cubic_ticks3() / 1024);
    if (t > k)
        return conn->repair->cc.w_max + delta;
    return conn->repair->cc.w_max > delta ? conn->repair->cc.w_max - delta : 0;
}

/*
 * [4.3] the window that Reno would have: alpha = 3 (1 - beta) / (1 + beta) = 0.53 segments a round, and one from where it
 * was before.
 */
static void iip_cubic_reno(struct iip_tcp_conn *conn, iip_u32 acked)
{
    iip_u64 alpha = conn->repair->cc.w_est < conn->repair->cc.prior ? 542 : 1024;
    conn->repair->cc.w_est += (iip_u32)iip_div64((iip_u64)acked * conn->mss * alpha / 1024, conn->cwnd);
}

static void iip_cubic_on_ack(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now)
{
    iip_u64 target;
    if (conn->cwnd < conn->ssthresh) {
        iip_tcp_slow_start(conn, acked);
        return;
    }
    if (!conn->repair)
        return;
    if (!conn->repair->cc.epoch_us)
        iip_cubic_epoch(conn, now);
    target = iip_min64(iip_cubic_at(conn, iip_cubic_ticks(conn, now)), (iip_u64)conn->cwnd + conn->cwnd / 2);
    iip_cubic_reno(conn, acked);
    if (target > conn->cwnd)
        conn->cwnd += (iip_u32)iip_div64((target - conn->cwnd) * iip_min32(acked, conn->cwnd), conn->cwnd);
    if (conn->repair->cc.w_est > conn->cwnd) /* the Reno-friendly region */
        conn->cwnd = conn->repair->cc.w_est;
    if (conn->cwnd > 0x3fffffff)
        conn->cwnd = 0x3fffffff;
}

/* [4.6, 4.7] multiplicative decrease, and fast convergence: a flow that lost before its last maximum leaves room. */
static void iip_cubic_on_loss(struct iip_tcp_conn *conn, iip_u32 flight)
{
    iip_u32 reduced = (iip_u32)iip_div64((iip_u64)iip_min32(flight, conn->cwnd) * 7, 10);
    conn->ssthresh = iip_max32(reduced, 2U * conn->mss);
    if (!conn->repair)
        return;
    if (conn->cwnd < conn->repair->cc.w_max)
        conn->repair->cc.w_max = (iip_u32)iip_div64((iip_u64)conn->cwnd * 17, 20);
    else
        conn->repair->cc.w_max = conn->cwnd;
    conn->repair->cc.prior = conn->cwnd;
    conn->repair->cc.epoch_us = 0;
}

static const struct iip_tcp_cc iip_cubic_cc = {"cubic", iip_cubic_start, iip_cubic_on_ack, iip_cubic_on_loss};

IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cubic(void)
{
    return &iip_cubic_cc;
}

/* ==== src/tcp/icmp.c ==== */
/* icmp.c - ICMP errors about our segments [RFC 9293 3.9.2.2; RFC 5927; RFC 5461]. */

/* [RFC 5927 4.1] only one who saw a segment in flight can quote its number. */
static int iip_tcp_quote_in_flight(const struct iip_tcp_conn *conn, const struct iip_icmp_error *err)
{
    return err->has_seq && iip_seq_leq(conn->snd.una, err->seq) && iip_seq_lt(err->seq, conn->snd.nxt);
}

/* The path takes less: what was too large is cut anew and leaves at once, and the network is not blamed. */
static void iip_tcp_path_shrank(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 mtu)
{
    if (!conn->path.valid || mtu >= conn->path.mtu)
        return;
    conn->path.mtu = (iip_u16)mtu;
    iip_tcp_mss_update(stk, conn);
    if (conn->id.state < IIP_TCP_ESTABLISHED || conn->snd.una == conn->snd.nxt)
        return;
    iip_tcp_undo_forget(conn);
    conn->flags = (conn->flags & ~(iip_u32)(IIP_F_RECOVERY | IIP_F_RTT_PENDING)) | IIP_F_LOSS;
    conn->recover = conn->lost_edge = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->dup_acks = 0;
    conn->cwnd = iip_max32(conn->cwnd, conn->mss);
    iip_tcp_touch(stk, conn);
}

IIP_LOCAL int iip_tcp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err)
{
    struct iip_tcp_id *id;
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    t.family = err->family;
    t.local = err->src;
    t.remote = err->dst;
    t.local_port = (iip_u16)err->src_port;
    t.remote_port = (iip_u16)err->dst_port;
    id = iip_tcp_lookup_tuple(stk, &t);
    if (!id || id->kind != IIP_ID_CONN)
        return 0;
    conn = iip_tcp_conn_of_id(id);
    if (!iip_tcp_quote_in_flight(conn, err))
        return 0;
    if (err->status == IIP_E_MSGSIZE)
        iip_tcp_path_shrank(stk, conn, err->mtu);
    else if (err->hard && conn->id.state == IIP_TCP_SYN_SENT) /* [SHLD-26] only before the connection stands */
        iip_tcp_end(stk, conn, err->status);
    else
        iip_tcp_soft_error(stk, conn, err->status, (iip_u32)err->type << 8 | err->code);
    return 1;
}

/* The link's MTU changed: rare, so every connection is looked at. A single destination's path is learnt by each connection itself. */
IIP_LOCAL void iip_tcp_mtu_changed(struct iip_stack *stk, const struct iip_ip *dst)
{
    struct iip_tcp_conn *conn = 0;
    struct iip_tcp_tuple t;
    if (dst)
        return;
    while ((conn = iip_tcp_next(stk, conn)) != 0) {
        iip_tcp_tuple_of(&conn->id, &t);
        if (conn->path.valid)
            conn->path.mtu = (iip_u16)iip_path_mtu(stk, &t.remote);
        iip_tcp_mss_update(stk, conn);
    }
}

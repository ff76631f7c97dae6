/* bytes.h - memory and big-endian fields at any alignment. Compilers turn each of these into one or two instructions. */
#ifndef IIP_BASE_BYTES_H
#define IIP_BASE_BYTES_H

#include "iip/types.h"

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

#endif

/* csum.h - the Internet checksum [RFC 1071], summed in memory order 8 bytes at a time. */
#ifndef IIP_BASE_CSUM_H
#define IIP_BASE_CSUM_H

#include "base/bytes.h"

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

#endif

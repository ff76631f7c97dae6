#include "base/csum.h"

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

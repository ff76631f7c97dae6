/* ip.c - addresses by themselves, and the pseudo-header. */
#include "net/state.h"

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

#include "wire/ipv4.h"

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

#include "wire/ndp.h"

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

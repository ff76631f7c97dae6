/* eth.h - the Ethernet header, and the 802.1Q tag in as far as it only carries a priority. */
#ifndef IIP_WIRE_ETH_H
#define IIP_WIRE_ETH_H

#include "base/bytes.h"

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

#endif

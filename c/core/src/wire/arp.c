#include "wire/arp.h"

#include "wire/eth.h"

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

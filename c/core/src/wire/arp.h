/* arp.h - ARP for IPv4 over Ethernet [RFC 826]. */
#ifndef IIP_WIRE_ARP_H
#define IIP_WIRE_ARP_H

#include "base/bytes.h"

enum { IIP_ARP_LEN = 28, IIP_ARP_REQUEST = 1, IIP_ARP_REPLY = 2 };

struct iip_arp {
    iip_u32 op;
    iip_u8 sender_mac[6], target_mac[6];
    iip_u32 sender_ip, target_ip; /* in memory order */
};

/* 0, or -1 when it is not ARP for IPv4 over Ethernet, or not a request or reply. */
IIP_LOCAL int iip_arp_parse(struct iip_arp *arp, const iip_u8 *p, iip_u32 len);
IIP_LOCAL void iip_arp_emit(iip_u8 *p, const struct iip_arp *arp);

#endif

/* ndp.h - neighbour solicitation and advertisement [RFC 4861 4.3, 4.4]. */
#ifndef IIP_WIRE_NDP_H
#define IIP_WIRE_NDP_H

#include "wire/icmp.h"
#include "wire/ipv6.h"

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

#endif

/* icmp.h - ICMP [RFC 792] and ICMPv6 [RFC 4443]: the header that both share. */
#ifndef IIP_WIRE_ICMP_H
#define IIP_WIRE_ICMP_H

#include "base/csum.h"

enum { IIP_ICMP_LEN = 8 };

enum { /* ICMP */
    IIP_ICMP_ECHO_REPLY = 0,
    IIP_ICMP_UNREACHABLE = 3,
    IIP_ICMP_ECHO = 8,
    IIP_ICMP_TIME_EXCEEDED = 11,
    IIP_ICMP_PARAM_PROBLEM = 12,
    IIP_ICMP_CODES_NET = 1 << 0 | 1 << 6 | 1 << 9 | 1 << 11, /* of UNREACHABLE, a bit each: the network, unknown, forbidden, for this TOS */
    IIP_ICMP_CODE_HOST = 1,
    IIP_ICMP_CODE_PROTOCOL = 2,
    IIP_ICMP_CODE_PORT = 3,
    IIP_ICMP_CODE_FRAG_NEEDED = 4
};

enum { /* ICMPv6 */
    IIP_ICMPV6_UNREACHABLE = 1,
    IIP_ICMPV6_TOO_BIG = 2,
    IIP_ICMPV6_TIME_EXCEEDED = 3,
    IIP_ICMPV6_PARAM_PROBLEM = 4,
    IIP_ICMPV6_INFO = 128, /* the first type that is not an error */
    IIP_ICMPV6_ECHO = 128,
    IIP_ICMPV6_ECHO_REPLY = 129,
    IIP_ICMPV6_RS = 133,
    IIP_ICMPV6_RA = 134,
    IIP_ICMPV6_NS = 135,
    IIP_ICMPV6_NA = 136,
    IIP_ICMPV6_REDIRECT = 137,
    IIP_ICMPV6_CODE_NO_ROUTE = 0, /* of UNREACHABLE */
    IIP_ICMPV6_CODE_PORT = 4,
    IIP_ICMPV6_CODE_FIELD = 0,    /* of PARAM_PROBLEM: erroneous field */
    IIP_ICMPV6_CODE_NEXT = 1,     /* unknown next header */
    IIP_ICMPV6_CODE_OPTION = 2,   /* unknown option */
    IIP_ICMPV6_CODE_FIRST = 3     /* first fragment with an incomplete header chain [RFC 7112] */
};

enum { IIP_ICMP_CODE_REASSEMBLY = 1 }; /* of both TIME_EXCEEDED */

struct iip_icmp {
    iip_u8 type, code;
    iip_u32 value; /* the second word: identifier and sequence number, pointer, MTU */
};

IIP_INLINE iip_u32 iip_icmp_type(const iip_u8 *p)
{
    return p[0];
}

IIP_INLINE void iip_icmp_read(struct iip_icmp *h, const iip_u8 *p)
{
    h->type = p[0];
    h->code = p[1];
    h->value = iip_get32(p + 4);
}

/* Writes the header with a checksum of 0. */
IIP_INLINE void iip_icmp_emit(iip_u8 *p, const struct iip_icmp *h)
{
    p[0] = h->type;
    p[1] = h->code;
    iip_put16(p + 2, 0);
    iip_put32(p + 4, h->value);
}

/* `sum`: partial sum of all that the checksum covers, the field being 0. */
IIP_INLINE void iip_icmp_csum_set(iip_u8 *p, iip_u64 sum)
{
    iip_csum_store(p + 2, ~iip_csum_fold(sum) & 0xffff);
}

/* Turns one type into another and mends the checksum, whatever it covers [RFC 1624]. */
IIP_LOCAL void iip_icmp_retype(iip_u8 *p, iip_u32 type);

#endif

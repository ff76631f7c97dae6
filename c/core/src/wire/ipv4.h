/* ipv4.h - the IPv4 header [RFC 791 3.1]. */
#ifndef IIP_WIRE_IPV4_H
#define IIP_WIRE_IPV4_H

#include "base/csum.h"
#include "iip/core.h"

enum {
    IIP_IPV4_LEN = 20,     /* without options */
    IIP_IPV4_LEN_MAX = 60,
    IIP_IPV4_TOTAL_MAX = 65535
};

enum {
    IIP_PROTO_HOPOPTS = 0,
    IIP_PROTO_ICMP = 1,
    IIP_PROTO_TCP = 6,
    IIP_PROTO_UDP = 17,
    IIP_PROTO_ROUTING = 43,
    IIP_PROTO_FRAGMENT = 44,
    IIP_PROTO_ICMPV6 = 58,
    IIP_PROTO_NONE = 59,
    IIP_PROTO_DSTOPTS = 60
};

struct iip_ipv4 {
    iip_u32 src, dst;    /* in memory order */
    iip_u32 hdr_len;     /* bytes, options included */
    iip_u32 total;       /* bytes of the datagram or fragment */
    iip_u32 id;
    iip_u32 frag_offset; /* bytes */
    iip_u8 df, mf;
    iip_u8 tos, ttl, proto;
};

/* ::ffff:a.b.c.d of an IPv4 address in memory order, and back. */
IIP_INLINE void iip_ip_of_v4(struct iip_ip *ip, iip_u32 raw)
{
    static const iip_u8 mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    IIP_COPY(ip->b, mapped, 12);
    IIP_COPY(ip->b + 12, &raw, 4);
}

IIP_INLINE iip_u32 iip_ip_to_v4(const struct iip_ip *ip)
{
    return iip_raw32(ip->b + 12);
}

/* Version 4, no options: the first byte says both. */
IIP_INLINE int iip_ipv4_is_plain(const iip_u8 *p)
{
    return p[0] == 0x45;
}

/* Neither the first, a middle nor the last fragment of anything. */
IIP_INLINE int iip_ipv4_is_whole(const iip_u8 *p)
{
    return (iip_get16(p + 6) & 0x3fff) == 0;
}

IIP_INLINE iip_u32 iip_ipv4_total(const iip_u8 *p)
{
    return iip_get16(p + 2);
}

/* Reads the fixed part; p holds at least IIP_IPV4_LEN bytes. */
IIP_INLINE void iip_ipv4_read(struct iip_ipv4 *h, const iip_u8 *p)
{
    iip_u32 frag = iip_get16(p + 6);
    h->hdr_len = (iip_u32)(p[0] & 15) * 4;
    h->tos = p[1];
    h->total = iip_ipv4_total(p);
    h->id = iip_get16(p + 4);
    h->df = (iip_u8)(frag >> 14 & 1);
    h->mf = (iip_u8)(frag >> 13 & 1);
    h->frag_offset = (frag & 0x1fff) * 8;
    h->ttl = p[8];
    h->proto = p[9];
    h->src = iip_raw32(p + 12);
    h->dst = iip_raw32(p + 16);
}

/* The header's own sum is right. */
IIP_INLINE int iip_ipv4_csum_ok(const iip_u8 *p, iip_u32 hdr_len)
{
    return iip_csum_fold(iip_csum_bytes(p, hdr_len)) == 0xffff;
}

/* Writes IIP_IPV4_LEN bytes with a checksum of 0; h->hdr_len is not looked at. */
IIP_INLINE void iip_ipv4_emit(iip_u8 *p, const struct iip_ipv4 *h)
{
    iip_put32(p, (iip_u32)0x45 << 24 | (iip_u32)h->tos << 16 | h->total);
    iip_put32(p + 4, h->id << 16 | (iip_u32)h->df << 14 | (iip_u32)h->mf << 13 | h->frag_offset / 8);
    iip_put32(p + 8, (iip_u32)h->ttl << 24 | (iip_u32)h->proto << 16);
    IIP_COPY(p + 12, &h->src, 4);
    IIP_COPY(p + 16, &h->dst, 4);
}

/* Fills in the checksum of a header whose field is 0. */
IIP_INLINE void iip_ipv4_csum_set(iip_u8 *p, iip_u32 hdr_len)
{
    iip_csum_store(p + 10, ~iip_csum_fold(iip_csum_bytes(p, hdr_len)) & 0xffff);
}

enum { IIP_IPV4_FORM_BAD = -1 };

/* Version, lengths against each other and against the `len` bytes that are there. 0, or IIP_IPV4_FORM_BAD. */
IIP_LOCAL int iip_ipv4_parse(struct iip_ipv4 *h, const iip_u8 *p, iip_u32 len);

/*
 * Walks the options of a header: 0 when all is well and nothing in them concerns a host, -1 for a malformed option or
 * a source route [RFC 1122 3.2.1.8].
 */
IIP_LOCAL int iip_ipv4_options_check(const iip_u8 *p, iip_u32 hdr_len);

/* Makes a first fragment's header that of the whole datagram: length, no fragment flags, right checksum. */
IIP_LOCAL void iip_ipv4_make_whole(iip_u8 *p, iip_u32 hdr_len, iip_u32 total);

#endif

/* ipv6.h - the IPv6 header and its extension headers [RFC 8200]. */
#ifndef IIP_WIRE_IPV6_H
#define IIP_WIRE_IPV6_H

#include "wire/ipv4.h"

enum {
    IIP_IPV6_LEN = 40,
    IIP_IPV6_FRAGMENT_LEN = 8,
    IIP_IPV6_MTU_MIN = 1280,
    IIP_IPV6_PAYLOAD_AT = 4,     /* where the payload length stands, for parameter problems */
    IIP_IPV6_NEXT_AT = 6,        /* and the next header field */
    IIP_IPV6_ROUTING_TYPE_AT = 2,/* in a routing header: the type */
    IIP_IPV6_FRAG_OFFSET_AT = 2  /* in a fragment header: the offset */
};

struct iip_ipv6 {
    struct iip_ip src, dst;
    iip_u32 payload; /* bytes behind the fixed header */
    iip_u32 flow;    /* 20 bits */
    iip_u8 tos;      /* traffic class */
    iip_u8 next;
    iip_u8 hops;
};

struct iip_ipv6_fragment {
    iip_u8 next;
    iip_u8 more;
    iip_u32 offset; /* bytes */
    iip_u32 id;
};

/* Hop-by-hop, destination options and routing headers: the part they share. */
struct iip_ipv6_ext {
    iip_u8 next;
    iip_u32 len;          /* bytes */
    iip_u8 routing_type;  /* the next two are for routing headers */
    iip_u8 segments_left;
};

IIP_INLINE int iip_ipv6_is_v6(const iip_u8 *p)
{
    return p[0] >> 4 == 6;
}

IIP_INLINE iip_u32 iip_ipv6_next(const iip_u8 *p)
{
    return p[IIP_IPV6_NEXT_AT];
}

IIP_INLINE iip_u32 iip_ipv6_payload(const iip_u8 *p)
{
    return iip_get16(p + IIP_IPV6_PAYLOAD_AT);
}

IIP_INLINE void iip_ipv6_read(struct iip_ipv6 *h, const iip_u8 *p)
{
    iip_u32 first = iip_get32(p);
    h->tos = (iip_u8)(first >> 20 & 0xff);
    h->flow = first & 0xfffff;
    h->payload = iip_get16(p + 4);
    h->next = p[6];
    h->hops = p[7];
    IIP_COPY(h->src.b, p + 8, 16);
    IIP_COPY(h->dst.b, p + 24, 16);
}

IIP_INLINE void iip_ipv6_emit(iip_u8 *p, const struct iip_ipv6 *h)
{
    iip_put32(p, (iip_u32)6 << 28 | (iip_u32)h->tos << 20 | h->flow);
    iip_put32(p + 4, h->payload << 16 | (iip_u32)h->next << 8 | h->hops);
    IIP_COPY(p + 8, h->src.b, 16);
    IIP_COPY(p + 24, h->dst.b, 16);
}

IIP_INLINE int iip_ip_is_multicast6(const struct iip_ip *ip)
{
    return ip->b[0] == 0xff;
}

IIP_INLINE int iip_ip_is_link_local6(const struct iip_ip *ip)
{
    return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* 0, or -1 when `len` bytes do not hold the version and the length of an IPv6 header. */
IIP_LOCAL int iip_ipv6_parse(struct iip_ipv6 *h, const iip_u8 *p, iip_u32 len);
/* `len`: bytes from p to the end of the packet; -1 when the header runs past it. */
IIP_LOCAL int iip_ipv6_ext_parse(struct iip_ipv6_ext *ext, const iip_u8 *p, iip_u32 len);
IIP_LOCAL int iip_ipv6_fragment_parse(struct iip_ipv6_fragment *f, const iip_u8 *p, iip_u32 len);
IIP_LOCAL void iip_ipv6_fragment_emit(iip_u8 *p, const struct iip_ipv6_fragment *f);

/* What the action bits of an unknown option ask for [RFC 8200 4.2]. */
enum {
    IIP_IPV6_OPT_OK = 0,       /* nothing: all options are known or may be skipped */
    IIP_IPV6_OPT_DISCARD = 1,  /* discard */
    IIP_IPV6_OPT_PROBLEM = 2,  /* discard, and say so */
    IIP_IPV6_OPT_UNICAST = 3,  /* discard, and say so unless it came to a multicast address */
    IIP_IPV6_OPT_BAD = 4       /* an option runs past the end of its header */
};
/* Walks the options of a hop-by-hop or destination options header of `len` bytes; *at: offset of the offender in it. */
IIP_LOCAL int iip_ipv6_options_walk(const iip_u8 *p, iip_u32 len, iip_u32 *at);

/*
 * Takes the fragment header out of a first fragment, which so becomes the whole datagram: what lies before it moves
 * up by 8 bytes. `p` is the fixed header, `frag_at` and `next_at` the offsets of the fragment header and of the
 * next-header field that names it; `payload` is the new payload length. Returns the header's new place.
 */
IIP_LOCAL iip_u8 *iip_ipv6_make_whole(iip_u8 *p, iip_u32 frag_at, iip_u32 next_at, iip_u32 payload);

/* ff02::1, and ff02::1:ffxx:xxxx of an address [RFC 4291 2.7.1]. */
IIP_LOCAL void iip_ip_all_nodes(struct iip_ip *ip);
IIP_LOCAL void iip_ip_solicited_node(struct iip_ip *ip, const struct iip_ip *target);
/* fe80::/64 with the modified EUI-64 identifier of a station [RFC 4291 2.5.6]. */
IIP_LOCAL void iip_ip_link_local_of(struct iip_ip *ip, const iip_u8 *mac);

#endif

/* udp.h - the UDP header [RFC 768]. */
#ifndef IIP_WIRE_UDP_H
#define IIP_WIRE_UDP_H

#include "base/csum.h"

enum { IIP_UDP_LEN = 8, IIP_UDP_CSUM_AT = 6, IIP_TCP_CSUM_AT = 16 };

struct iip_udp_hdr {
    iip_u32 src_port, dst_port;
    iip_u32 len;      /* bytes, header included */
    iip_u32 has_csum; /* the sender made a checksum */
};

IIP_INLINE void iip_udp_read(struct iip_udp_hdr *h, const iip_u8 *p)
{
    h->src_port = iip_get16(p);
    h->dst_port = iip_get16(p + 2);
    h->len = iip_get16(p + 4);
    h->has_csum = iip_get16(p + 6);
}

/* Writes the header with a checksum of 0. */
IIP_INLINE void iip_udp_emit(iip_u8 *p, iip_u32 src_port, iip_u32 dst_port, iip_u32 len)
{
    iip_put16(p, src_port);
    iip_put16(p + 2, dst_port);
    iip_put16(p + 4, len);
    iip_put16(p + 6, 0);
}

/* A computed 0 goes out as 0xffff, for 0 means "none" [RFC 768]. */
IIP_INLINE void iip_udp_csum_set(iip_u8 *p, iip_u64 sum)
{
    iip_u32 csum = ~iip_csum_fold(sum) & 0xffff;
    iip_csum_store(p + IIP_UDP_CSUM_AT, csum ? csum : 0xffff);
}

/* The two ports as every transport has them, for what ICMP quotes. */
IIP_INLINE void iip_ports_read(const iip_u8 *p, iip_u32 *src_port, iip_u32 *dst_port)
{
    *src_port = iip_get16(p);
    *dst_port = iip_get16(p + 2);
}

#endif

/*
 * plain.h - the packet that nearly all packets are: a link header or none, IPv4 without options or fragments, TCP with
 * no options or the timestamps. Read and written in one piece; every other packet goes through eth.h, ipv4.h and tcp.h.
 */
#ifndef IIP_WIRE_PLAIN_H
#define IIP_WIRE_PLAIN_H

#include "base/csum.h"
#include "wire/eth.h"
#include "wire/tcp.h"

enum { IIP_PLAIN_IP = 20 };

struct iip_plain {
    const iip_u8 *tcp;       /* the TCP header */
    iip_u32 local4, remote4; /* memory order */
    iip_u32 ports;           /* local << 16 | remote */
    iip_u32 total;           /* bytes of the IP packet; how many there are of TCP is not checked yet */
};

/* 1 when `len` bytes at p begin as a plain packet for the station `mac` does: whose is it? */
IIP_INLINE int iip_plain_parse(struct iip_plain *in, const iip_u8 *p, iip_u32 len, iip_u32 l2_len, const iip_u8 *mac)
{
    iip_u32 word;
    if (len < l2_len + IIP_PLAIN_IP + IIP_TCP_HEADER)
        return 0;
    if (l2_len &&
        (iip_raw32(p) != iip_raw32(mac) || iip_raw16(p + 4) != iip_raw16(mac + 4) || iip_get16(p + 12) != IIP_ETH_IPV4))
        return 0;
    p += l2_len;
    in->total = iip_get16(p + 2);
    if (p[0] != 0x45 || p[9] != 6 || (iip_get16(p + 6) & 0x3fff) || in->total > len - l2_len)
        return 0;
    in->remote4 = iip_raw32(p + 12);
    in->local4 = iip_raw32(p + 16);
    in->tcp = p + IIP_PLAIN_IP;
    word = iip_get32(in->tcp);
    in->ports = word << 16 | word >> 16;
    return 1;
}

/* 1 when its TCP header has an ACK and no flag but PSH, and the timestamps alone (`ts`) or no option at all. */
IIP_INLINE int iip_plain_segment(struct iip_tcp_seg *seg, const struct iip_plain *in, iip_u32 ts)
{
    const iip_u8 *p = in->tcp;
    iip_u32 word = iip_get32(p + 12);
    seg->hdr_len = ts ? IIP_TCP_HEADER + IIP_TCP_TS_LEN : IIP_TCP_HEADER;
    seg->ts_val = 0;
    if ((word & 0xf0f70000U) != (seg->hdr_len << 26 | (iip_u32)IIP_TCP_ACK << 16) ||
        in->total < IIP_PLAIN_IP + seg->hdr_len)
        return 0;
    if (ts) {
        if (iip_get32(p + 20) != 0x0101080aU)
            return 0;
        seg->ts_val = iip_get32(p + 24);
    }
    seg->seq = iip_get32(p + 4);
    seg->ack = iip_get32(p + 8);
    seg->wnd = word & 0xffff;
    seg->len = in->total - IIP_PLAIN_IP - seg->hdr_len;
    return 1;
}

IIP_INLINE int iip_plain_ip_csum_ok(const iip_u8 *p)
{
    iip_u64 sum = (iip_u64)iip_raw32(p) + iip_raw32(p + 4) + iip_raw32(p + 8) + iip_raw32(p + 12) + iip_raw32(p + 16);
    return iip_csum_fold(sum) == 0xffff;
}

/* The IPv4 header, its sum zero; addresses in memory order. */
IIP_INLINE void iip_plain_emit_ip(iip_u8 *p, iip_u32 local4, iip_u32 remote4, iip_u32 total, iip_u32 tos, iip_u32 ttl)
{
    iip_put32(p, 0x45000000U | tos << 16 | (total & 0xffff));
    iip_put32(p + 4, 0x4000); /* [RFC 6864 4.1] identification 0 with DF */
    iip_put32(p + 8, ttl << 24 | 6U << 16);
    IIP_COPY(p + 12, &local4, 4);
    IIP_COPY(p + 16, &remote4, 4);
}

/* The fixed TCP header, its sum zero; `word`: header length << 26 | flags << 16 | window. */
IIP_INLINE void iip_plain_emit_tcp(iip_u8 *p, iip_u32 ports, iip_u32 seq, iip_u32 ack, iip_u32 word)
{
    iip_put32(p, ports);
    iip_put32(p + 4, seq);
    iip_put32(p + 8, ack);
    iip_put32(p + 12, word);
    iip_put32(p + 16, 0);
}

/* The IP header's sum from its fields, ready to be stored at p + 10. */
IIP_INLINE void iip_plain_ip_csum(iip_u8 *p)
{
    iip_u64 sum = (iip_u64)iip_raw32(p) + iip_raw32(p + 4) + iip_raw32(p + 8) + iip_raw32(p + 12) + iip_raw32(p + 16);
    iip_csum_store(p + 10, ~iip_csum_fold(sum));
}

/* TCP's pseudo-header, not folded. */
IIP_INLINE iip_u64 iip_plain_pseudo(iip_u32 local4, iip_u32 remote4, iip_u32 l4_bytes)
{
    return (iip_u64)local4 + remote4 + iip_csum_word(6) + iip_csum_word(l4_bytes);
}

#endif

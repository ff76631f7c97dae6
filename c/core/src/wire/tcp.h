/* tcp.h - the TCP header and its options [RFC 9293 3.1, 3.2; RFC 7323 2, 3; RFC 2018]. */
#ifndef IIP_WIRE_TCP_H
#define IIP_WIRE_TCP_H

#include "base/bytes.h"

enum {
    IIP_TCP_HEADER = 20,
    IIP_TCP_HEADER_MAX = 60,
    IIP_TCP_TS_LEN = 12, /* timestamps with two NOPs in front */

    IIP_TCP_FIN = 0x01,
    IIP_TCP_SYN = 0x02,
    IIP_TCP_RST = 0x04,
    IIP_TCP_PSH = 0x08,
    IIP_TCP_ACK = 0x10,
    IIP_TCP_URG = 0x20,
    IIP_TCP_ECE = 0x40,
    IIP_TCP_CWR = 0x80,

    IIP_OPT_EOL = 0,
    IIP_OPT_NOP = 1,
    IIP_OPT_MSS = 2,
    IIP_OPT_WSCALE = 3,
    IIP_OPT_SACK_OK = 4,
    IIP_OPT_SACK = 5,
    IIP_OPT_TS = 8,

    IIP_HAS_MSS = 1,
    IIP_HAS_WSCALE = 2,
    IIP_HAS_SACK_OK = 4,
    IIP_HAS_TS = 8,

    IIP_SACK_MAX = 4
};

struct iip_sack_block {
    iip_u32 left, right;
};

/* A segment in host order, in the RFC's words: SEG.SEQ is seg->seq. */
struct iip_tcp_seg {
    iip_u16 src_port, dst_port;
    iip_u32 seq;
    iip_u32 ack;
    iip_u32 wnd;      /* as it stands in the header, not scaled */
    iip_u32 len;      /* SEG.LEN: payload bytes, SYN and FIN */
    iip_u32 up;
    iip_u32 hdr_len;
    iip_u8 flags;     /* IIP_TCP_... */
    iip_u8 has;       /* IIP_HAS_... */
    iip_u8 wscale;
    iip_u8 sacks;     /* blocks in sack[] */
    iip_u16 mss;
    iip_u32 ts_val, ts_ecr;
    struct iip_sack_block sack[IIP_SACK_MAX];
};

/* The sequence number of a header of which 8 bytes are there, as an ICMP error quotes it. */
IIP_INLINE iip_u32 iip_tcp_quoted_seq(const iip_u8 *p)
{
    return iip_get32(p + 4);
}

/* Decodes the fixed header; `len` bytes are there, payload included. 0, or -1 when it cannot be a segment. Options are left alone. */
IIP_INLINE int iip_tcp_parse(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_TCP_HEADER)
        return -1;
    seg->src_port = (iip_u16)iip_get16(p);
    seg->dst_port = (iip_u16)iip_get16(p + 2);
    seg->seq = iip_get32(p + 4);
    seg->ack = iip_get32(p + 8);
    seg->hdr_len = (iip_u32)(p[12] >> 4) * 4;
    seg->flags = p[13];
    seg->wnd = iip_get16(p + 14);
    seg->up = iip_get16(p + 18);
    seg->has = 0;
    seg->sacks = 0;
    seg->len = len - seg->hdr_len;
    return seg->hdr_len >= IIP_TCP_HEADER && seg->hdr_len <= len ? 0 : -1;
}

/* The one layout of options that established connections use: NOP NOP timestamps. 1 when that is all there is. */
IIP_INLINE int iip_tcp_parse_ts_only(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    if (seg->hdr_len != IIP_TCP_HEADER + IIP_TCP_TS_LEN || iip_get32(p + 20) != 0x0101080aU)
        return 0;
    seg->has = IIP_HAS_TS;
    seg->ts_val = iip_get32(p + 24);
    seg->ts_ecr = iip_get32(p + 28);
    return 1;
}

/* Decodes the options behind the fixed header; malformed ones end the walk and what stood before them holds. */
IIP_LOCAL void iip_tcp_parse_options(struct iip_tcp_seg *seg, const iip_u8 *p);

IIP_INLINE void iip_tcp_emit(iip_u8 *p, const struct iip_tcp_seg *seg)
{
    iip_put16(p, seg->src_port);
    iip_put16(p + 2, seg->dst_port);
    iip_put32(p + 4, seg->seq);
    iip_put32(p + 8, seg->ack);
    p[12] = (iip_u8)(seg->hdr_len << 2);
    p[13] = seg->flags;
    iip_put16(p + 14, seg->wnd);
    iip_put32(p + 16, seg->up);
}

IIP_INLINE void iip_tcp_emit_ts(iip_u8 *p, iip_u32 val, iip_u32 ecr)
{
    iip_put32(p, 0x0101080aU);
    iip_put32(p + 4, val);
    iip_put32(p + 8, ecr);
}

/* NOP NOP SACK and n blocks: 4 + 8 n bytes. */
IIP_LOCAL void iip_tcp_emit_sack(iip_u8 *p, const struct iip_sack_block *block, iip_u32 n);
/*
 * Options of a SYN in the order that the hex digits of `order` say, lowest first (1 NOP, 2 MSS, 3 window scale,
 * 4 SACK-permitted, 8 timestamps), those that seg->has; padded with zeros to a multiple of 4. Returns the bytes, at most 40.
 */
IIP_LOCAL iip_u32 iip_tcp_emit_syn_options(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u64 order);

#endif

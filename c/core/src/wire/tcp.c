#include "wire/tcp.h"

/* Words of a SYN's options as nearly all stacks send them. */
enum {
    IIP_SYN_LEN = 20,
    IIP_SYN_ORDER = 0x31842,
    IIP_SYN_MSS = 0x0204,          /* and the MSS */
    IIP_SYN_SACK_TS = 0x0402080a,  /* SACK permitted, timestamps follow */
    IIP_SYN_WSCALE = 0x010303      /* NOP, and the shift */
};

static void iip_tcp_parse_sack(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 len)
{
    iip_u32 i;
    if ((len - 2) % 8)
        return;
    for (i = 0; i < (len - 2) / 8 && i < IIP_SACK_MAX; i++) {
        seg->sack[i].left = iip_get32(p + 2 + 8 * i);
        seg->sack[i].right = iip_get32(p + 6 + 8 * i);
    }
    seg->sacks = (iip_u8)i;
}

static void iip_tcp_parse_option(struct iip_tcp_seg *seg, const iip_u8 *p, iip_u32 kind, iip_u32 len)
{
    if (kind == IIP_OPT_MSS && len == 4) {
        seg->has |= IIP_HAS_MSS;
        seg->mss = (iip_u16)iip_get16(p + 2);
    } else if (kind == IIP_OPT_WSCALE && len == 3) {
        seg->has |= IIP_HAS_WSCALE;
        seg->wscale = p[2];
    } else if (kind == IIP_OPT_SACK_OK && len == 2) {
        seg->has |= IIP_HAS_SACK_OK;
    } else if (kind == IIP_OPT_TS && len == 10) {
        seg->has |= IIP_HAS_TS;
        seg->ts_val = iip_get32(p + 2);
        seg->ts_ecr = iip_get32(p + 6);
    } else if (kind == IIP_OPT_SACK && len >= 10) {
        iip_tcp_parse_sack(seg, p, len);
    }
}

/*
 * The one layout of a SYN's options that nearly all stacks send: MSS, SACK permitted, timestamps, NOP, window scale.
 * 1 when that is all there is.
 */
static int iip_tcp_parse_syn(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    iip_u32 first = iip_get32(p);
    iip_u32 last = iip_get32(p + 16);
    if (first >> 16 != IIP_SYN_MSS || iip_get32(p + 4) != IIP_SYN_SACK_TS || last >> 8 != IIP_SYN_WSCALE)
        return 0;
    seg->has = IIP_HAS_MSS | IIP_HAS_SACK_OK | IIP_HAS_TS | IIP_HAS_WSCALE;
    seg->mss = (iip_u16)first;
    seg->ts_val = iip_get32(p + 8);
    seg->ts_ecr = iip_get32(p + 12);
    seg->wscale = (iip_u8)last;
    return 1;
}

static iip_u32 iip_tcp_emit_syn(iip_u8 *p, const struct iip_tcp_seg *seg)
{
    iip_put32(p, (iip_u32)IIP_SYN_MSS << 16 | seg->mss);
    iip_put32(p + 4, IIP_SYN_SACK_TS);
    iip_put32(p + 8, seg->ts_val);
    iip_put32(p + 12, seg->ts_ecr);
    iip_put32(p + 16, (iip_u32)IIP_SYN_WSCALE << 8 | seg->wscale);
    return IIP_SYN_LEN;
}

IIP_LOCAL void iip_tcp_parse_options(struct iip_tcp_seg *seg, const iip_u8 *p)
{
    const iip_u8 *end = p + seg->hdr_len;
    iip_u32 len;
    p += IIP_TCP_HEADER;
    if (seg->hdr_len == IIP_TCP_HEADER + IIP_SYN_LEN && iip_tcp_parse_syn(seg, p))
        return;
    while (p < end && *p != IIP_OPT_EOL) {
        if (*p == IIP_OPT_NOP) {
            p++;
            continue;
        }
        /* [RFC 9293 3.1 MUST-7] a length below 2 or beyond the header: nothing behind it can be trusted */
        if (end - p < 2 || p[1] < 2 || p[1] > end - p)
            return;
        len = p[1];
        iip_tcp_parse_option(seg, p, p[0], len);
        p += len;
    }
}

IIP_LOCAL void iip_tcp_emit_sack(iip_u8 *p, const struct iip_sack_block *block, iip_u32 n)
{
    iip_u32 i;
    iip_put32(p, 0x01010500U | (2 + 8 * n));
    for (i = 0; i < n; i++) {
        iip_put32(p + 4 + 8 * i, block[i].left);
        iip_put32(p + 8 + 8 * i, block[i].right);
    }
}

static iip_u32 iip_tcp_emit_syn_option(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u32 kind)
{
    if (kind == IIP_OPT_NOP) {
        p[0] = IIP_OPT_NOP;
        return 1;
    }
    if (kind == IIP_OPT_MSS && (seg->has & IIP_HAS_MSS)) {
        iip_put16(p, 0x0204);
        iip_put16(p + 2, seg->mss);
        return 4;
    }
    if (kind == IIP_OPT_WSCALE && (seg->has & IIP_HAS_WSCALE)) {
        iip_put16(p, 0x0303);
        p[2] = seg->wscale;
        return 3;
    }
    if (kind == IIP_OPT_SACK_OK && (seg->has & IIP_HAS_SACK_OK)) {
        iip_put16(p, 0x0402);
        return 2;
    }
    if (kind == IIP_OPT_TS && (seg->has & IIP_HAS_TS)) {
        iip_put16(p, 0x080a);
        iip_put32(p + 2, seg->ts_val);
        iip_put32(p + 6, seg->ts_ecr);
        return 10;
    }
    return 0;
}

IIP_LOCAL iip_u32 iip_tcp_emit_syn_options(iip_u8 *p, const struct iip_tcp_seg *seg, iip_u64 order)
{
    iip_u32 len = 0;
    iip_u32 seen = 0;
    iip_u32 kind;
    if (order == IIP_SYN_ORDER && seg->has == (IIP_HAS_MSS | IIP_HAS_SACK_OK | IIP_HAS_TS | IIP_HAS_WSCALE))
        return iip_tcp_emit_syn(p, seg);
    for (; order && len < 28; order >>= 4) {
        kind = (iip_u32)(order & 15);
        if (kind != IIP_OPT_NOP && (seen >> kind & 1))
            continue;
        seen |= 1U << kind;
        len += iip_tcp_emit_syn_option(p + len, seg, kind);
    }
    while (len & 3)
        p[len++] = IIP_OPT_EOL; /* [RFC 9293 3.1 MUST-69] zero behind the end */
    return len;
}

#include "wire/ipv6.h"

enum { IIP_IPV6_OPT_PAD1 = 0, IIP_IPV6_OPT_PADN = 1 };

IIP_LOCAL int iip_ipv6_parse(struct iip_ipv6 *h, const iip_u8 *p, iip_u32 len)
{
    if (len < IIP_IPV6_LEN || !iip_ipv6_is_v6(p))
        return -1;
    iip_ipv6_read(h, p);
    return 0;
}

IIP_LOCAL int iip_ipv6_ext_parse(struct iip_ipv6_ext *ext, const iip_u8 *p, iip_u32 len)
{
    if (len < 8)
        return -1;
    ext->next = p[0];
    ext->len = ((iip_u32)p[1] + 1) * 8;
    ext->routing_type = p[2];
    ext->segments_left = p[3];
    return ext->len > len ? -1 : 0;
}

IIP_LOCAL int iip_ipv6_fragment_parse(struct iip_ipv6_fragment *f, const iip_u8 *p, iip_u32 len)
{
    iip_u32 word;
    if (len < IIP_IPV6_FRAGMENT_LEN)
        return -1;
    word = iip_get16(p + 2);
    f->next = p[0];
    f->offset = word & 0xfff8;
    f->more = (iip_u8)(word & 1);
    f->id = iip_get32(p + 4);
    return 0;
}

IIP_LOCAL void iip_ipv6_fragment_emit(iip_u8 *p, const struct iip_ipv6_fragment *f)
{
    p[0] = f->next;
    p[1] = 0;
    iip_put16(p + 2, f->offset | f->more);
    iip_put32(p + 4, f->id);
}

IIP_LOCAL int iip_ipv6_options_walk(const iip_u8 *p, iip_u32 len, iip_u32 *at)
{
    iip_u32 i = 2;
    while (i < len) {
        *at = i;
        if (p[i] == IIP_IPV6_OPT_PAD1) {
            i++;
            continue;
        }
        if (i + 2 > len || i + 2 + p[i + 1] > len)
            return IIP_IPV6_OPT_BAD;
        if (p[i] != IIP_IPV6_OPT_PADN && p[i] >> 6)
            return p[i] >> 6; /* the two highest bits are the action */
        i += 2 + (iip_u32)p[i + 1];
    }
    return IIP_IPV6_OPT_OK;
}

IIP_LOCAL iip_u8 *iip_ipv6_make_whole(iip_u8 *p, iip_u32 frag_at, iip_u32 next_at, iip_u32 payload)
{
    p[next_at] = p[frag_at];
    iip_put16(p + 4, payload);
    IIP_MOVE(p + IIP_IPV6_FRAGMENT_LEN, p, frag_at);
    return p + IIP_IPV6_FRAGMENT_LEN;
}

IIP_LOCAL void iip_ip_all_nodes(struct iip_ip *ip)
{
    IIP_ZERO(ip->b, 16);
    ip->b[0] = 0xff;
    ip->b[1] = 2;
    ip->b[15] = 1;
}

IIP_LOCAL void iip_ip_solicited_node(struct iip_ip *ip, const struct iip_ip *target)
{
    iip_ip_all_nodes(ip);
    ip->b[11] = 1;
    ip->b[12] = 0xff;
    IIP_COPY(ip->b + 13, target->b + 13, 3);
}

IIP_LOCAL void iip_ip_link_local_of(struct iip_ip *ip, const iip_u8 *mac)
{
    IIP_ZERO(ip->b, 16);
    ip->b[0] = 0xfe;
    ip->b[1] = 0x80;
    ip->b[8] = (iip_u8)(mac[0] ^ 2);
    ip->b[9] = mac[1];
    ip->b[10] = mac[2];
    ip->b[11] = 0xff;
    ip->b[12] = 0xfe;
    IIP_COPY(ip->b + 13, mac + 3, 3);
}

/* fake_packet.c - see fake_packet.h. */
#include "fake_packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* Sum of 16-bit words in network order; `start` is a sum to go on from. */
static uint32_t sum16(const void *bytes, size_t len, uint32_t start)
{
    const uint8_t *p = bytes;
    uint64_t sum = start;
    size_t i;
    for (i = 0; i + 1 < len; i += 2)
        sum += get16(p + i);
    if (len & 1)
        sum += (uint32_t)p[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

uint16_t fake_csum(const void *bytes, size_t len, uint32_t start)
{
    return (uint16_t)~sum16(bytes, len, start);
}

static int is_v4(const struct iip_ip *ip)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    return memcmp(ip->b, mapped, 12) == 0;
}

static uint32_t pseudo(const struct iip_ip *src, const struct iip_ip *dst, uint32_t proto, uint32_t len)
{
    size_t skip = is_v4(dst) ? 12 : 0;
    uint32_t sum = sum16(src->b + skip, 16 - skip, 0);
    sum = sum16(dst->b + skip, 16 - skip, sum);
    return (sum + proto + (len >> 16) + (len & 0xffff));
}

/* One group of an IPv6 address, or -1. */
static long hex_group(const char **text)
{
    char *end;
    long v = strtol(*text, &end, 16);
    if (end == *text)
        return -1;
    *text = end;
    return v;
}

static void parse_v6(struct iip_ip *ip, const char *text)
{
    uint8_t tail[16];
    int head_len = 0;
    int tail_len = 0;
    int gap = 0;
    long v;
    while (*text) {
        if (text[0] == ':' && text[1] == ':') {
            gap = 1;
            text += 2;
            continue;
        }
        if (*text == ':')
            text++;
        v = hex_group(&text);
        if (v < 0 || head_len + tail_len > 14) {
            fprintf(stderr, "fake_ip: bad address\n");
            abort();
        }
        put16(gap ? tail + tail_len : ip->b + head_len, (uint32_t)v);
        if (gap)
            tail_len += 2;
        else
            head_len += 2;
    }
    memcpy(ip->b + 16 - tail_len, tail, (size_t)tail_len);
}

struct iip_ip *fake_ip(struct iip_ip *ip, const char *text)
{
    unsigned a, b, c, d;
    memset(ip, 0, sizeof(*ip));
    if (sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d) == 4)
        iip_ip_v4(ip, (iip_u8)a, (iip_u8)b, (iip_u8)c, (iip_u8)d);
    else
        parse_v6(ip, text);
    return ip;
}

struct iip_endpoint fake_endpoint(const char *text, uint16_t port)
{
    struct iip_endpoint ep;
    memset(&ep, 0, sizeof(ep));
    fake_ip(&ep.ip, text);
    ep.port = port;
    return ep;
}

static struct fake_hdr fake_between(const char *src, const char *dst, uint8_t ttl)
{
    static const uint8_t ours[6] = FAKE_MAC_OURS;
    static const uint8_t peer[6] = FAKE_MAC_PEER;
    struct fake_hdr hdr;
    memset(&hdr, 0, sizeof(hdr));
    memcpy(hdr.eth_dst, ours, 6);
    memcpy(hdr.eth_src, peer, 6);
    fake_ip(&hdr.src, src);
    fake_ip(&hdr.dst, dst);
    hdr.ttl = ttl;
    return hdr;
}

struct fake_hdr fake_v4(void)
{
    return fake_between(FAKE_V4_PEER, FAKE_V4_OURS, 64);
}

struct fake_hdr fake_v6(void)
{
    return fake_between(FAKE_V6_PEER, FAKE_V6_OURS, 255);
}

uint32_t fake_eth(struct fake_buf *b, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
    memcpy(b->bytes, dst, 6);
    memcpy(b->bytes + 6, src, 6);
    put16(b->bytes + 12, type);
    b->len = 14;
    return 14;
}

static void fake_v4_header(uint8_t *p, const struct fake_hdr *hdr, uint8_t proto, size_t len)
{
    uint32_t hdr_len = 20 + hdr->opts_len;
    p[0] = (uint8_t)(0x40 | hdr_len / 4);
    p[1] = hdr->tos;
    put16(p + 2, (uint32_t)(hdr_len + len) + hdr->total_add);
    put16(p + 4, hdr->id);
    put16(p + 6, hdr->frag);
    p[8] = hdr->ttl;
    p[9] = proto;
    put16(p + 10, 0);
    memcpy(p + 12, hdr->src.b + 12, 4);
    memcpy(p + 16, hdr->dst.b + 12, 4);
    if (hdr->opts_len)
        memcpy(p + 20, hdr->opts, hdr->opts_len);
    put16(p + 10, fake_csum(p, hdr_len, 0));
}

static void fake_v6_header(uint8_t *p, const struct fake_hdr *hdr, uint8_t proto, size_t len)
{
    put32(p, (uint32_t)6 << 28 | (uint32_t)hdr->tos << 20);
    put16(p + 4, (uint32_t)(hdr->opts_len + len) + hdr->total_add);
    p[6] = hdr->opts_len ? hdr->ext_first : proto;
    p[7] = hdr->ttl;
    memcpy(p + 8, hdr->src.b, 16);
    memcpy(p + 24, hdr->dst.b, 16);
    if (hdr->opts_len)
        memcpy(p + 40, hdr->opts, hdr->opts_len);
}

void fake_ip_packet(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t proto, const void *payload, size_t len)
{
    int v4 = is_v4(&hdr->dst);
    b->len = 0;
    if (!hdr->l3)
        fake_eth(b, hdr->eth_dst, hdr->eth_src, v4 ? 0x0800 : 0x86dd);
    if (v4)
        fake_v4_header(b->bytes + b->len, hdr, proto, len);
    else
        fake_v6_header(b->bytes + b->len, hdr, proto, len);
    b->len += (v4 ? 20 : 40) + hdr->opts_len;
    if (len)
        memmove(b->bytes + b->len, payload, len);
    b->len += (uint32_t)len;
}

static uint8_t scratch[66000];

void fake_udp(struct fake_buf *b, const struct fake_hdr *hdr, uint16_t src_port, uint16_t dst_port, const void *payload,
              size_t len)
{
    uint16_t csum;
    put16(scratch, src_port);
    put16(scratch + 2, dst_port);
    put16(scratch + 4, (uint32_t)len + 8);
    put16(scratch + 6, 0);
    if (len)
        memcpy(scratch + 8, payload, len);
    csum = fake_csum(scratch, len + 8, pseudo(&hdr->src, &hdr->dst, 17, (uint32_t)len + 8));
    put16(scratch + 6, (csum ? csum : 0xffff) ^ (hdr->bad_csum ? 1 : 0));
    fake_ip_packet(b, hdr, 17, scratch, len + 8);
}

void fake_tcp(struct fake_buf *b, const struct fake_hdr *hdr, const struct fake_seg *seg, const void *payload,
              size_t len)
{
    uint32_t hdr_len = 20 + seg->opts_len;
    put16(scratch, seg->src_port);
    put16(scratch + 2, seg->dst_port);
    put32(scratch + 4, seg->seq);
    put32(scratch + 8, seg->ack);
    scratch[12] = (uint8_t)(hdr_len / 4 << 4);
    scratch[13] = seg->flags;
    put16(scratch + 14, seg->wnd);
    put16(scratch + 16, 0);
    put16(scratch + 18, seg->urg);
    if (seg->opts_len)
        memcpy(scratch + 20, seg->opts, seg->opts_len);
    if (len)
        memcpy(scratch + hdr_len, payload, len);
    put16(scratch + 16,
          fake_csum(scratch, hdr_len + len, pseudo(&hdr->src, &hdr->dst, 6, (uint32_t)(hdr_len + len))) ^
              (hdr->bad_csum ? 1 : 0));
    fake_ip_packet(b, hdr, 6, scratch, hdr_len + len);
}

void fake_icmp(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t type, uint8_t code, uint32_t word,
               const void *payload, size_t len)
{
    int v4 = is_v4(&hdr->dst);
    scratch[0] = type;
    scratch[1] = code;
    put16(scratch + 2, 0);
    put32(scratch + 4, word);
    if (len)
        memcpy(scratch + 8, payload, len);
    put16(scratch + 2,
          fake_csum(scratch, len + 8, v4 ? 0 : pseudo(&hdr->src, &hdr->dst, 58, (uint32_t)len + 8)) ^
              (hdr->bad_csum ? 1 : 0));
    fake_ip_packet(b, hdr, v4 ? 1 : 58, scratch, len + 8);
}

void fake_arp(struct fake_buf *b, uint16_t op, const uint8_t *sender_mac, const char *sender, const uint8_t *target_mac,
              const char *target)
{
    static const uint8_t all[6] = FAKE_MAC_ALL;
    static const uint8_t ours[6] = FAKE_MAC_OURS;
    static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
    struct iip_ip ip;
    uint8_t *p;
    fake_eth(b, op == 1 ? all : ours, sender_mac, 0x0806);
    p = b->bytes + 14;
    memcpy(p, head, 6);
    put16(p + 6, op);
    memcpy(p + 8, sender_mac, 6);
    memcpy(p + 14, fake_ip(&ip, sender)->b + 12, 4);
    memset(p + 18, 0, 6);
    if (target_mac)
        memcpy(p + 18, target_mac, 6);
    memcpy(p + 24, fake_ip(&ip, target)->b + 12, 4);
    b->len = 14 + 28;
}

void fake_ndp(struct fake_buf *b, const struct fake_hdr *hdr, uint8_t type, uint32_t flags, const char *target,
              const uint8_t *mac)
{
    uint8_t body[24];
    struct iip_ip ip;
    memcpy(body, fake_ip(&ip, target)->b, 16);
    if (mac) {
        body[16] = type == 135 ? 1 : 2;
        body[17] = 1;
        memcpy(body + 18, mac, 6);
    }
    fake_icmp(b, hdr, type, 0, flags, body, mac ? 24 : 16);
}

int fake_neigh(struct fake_host *h, const char *ip)
{
    static const uint8_t peer[6] = FAKE_MAC_PEER;
    struct iip_ip address;
    return iip_stack_neigh_add(h->stk, fake_ip(&address, ip), peer);
}

/* The transport behind the IP header; its checksum counts only when it is all there. */
static void read_l4(struct fake_view *v)
{
    uint32_t hdr_len = v->proto == 6 && v->l4_len >= 20 ? (uint32_t)(v->l4[12] >> 4) * 4 : 8;
    int whole = !v->frag_offset && !v->more;
    int known = v->proto == 1 || v->proto == 6 || v->proto == 17 || v->proto == 58;
    if (!known || v->frag_offset || v->l4_len < hdr_len || (v->proto == 6 && hdr_len < 20))
        return;
    v->payload = v->l4 + hdr_len;
    v->payload_len = v->l4_len - hdr_len;
    if (v->proto == 6 || v->proto == 17) {
        v->src_port = get16(v->l4);
        v->dst_port = get16(v->l4 + 2);
    } else {
        v->icmp_type = v->l4[0];
        v->icmp_code = v->l4[1];
    }
    if (v->proto == 6) {
        v->seq = get32(v->l4 + 4);
        v->ack = get32(v->l4 + 8);
        v->flags = v->l4[13];
        v->wnd = get16(v->l4 + 14);
    }
    if (whole && v->proto == 1)
        v->csum_ok &= fake_csum(v->l4, v->l4_len, 0) == 0;
    else if (whole && !(v->proto == 17 && is_v4(&v->dst) && !get16(v->l4 + 6)))
        v->csum_ok &= fake_csum(v->l4, v->l4_len, pseudo(&v->src, &v->dst, v->proto, v->l4_len)) == 0;
}

static int read_v4(struct fake_view *v, uint32_t len)
{
    uint32_t hdr_len = (uint32_t)(v->ip[0] & 15) * 4;
    uint32_t frag;
    if (len < 20 || hdr_len < 20 || get16(v->ip + 2) != len || hdr_len > len)
        return -1;
    iip_ip_v4(&v->src, v->ip[12], v->ip[13], v->ip[14], v->ip[15]);
    iip_ip_v4(&v->dst, v->ip[16], v->ip[17], v->ip[18], v->ip[19]);
    v->tos = v->ip[1];
    v->id = get16(v->ip + 4);
    v->frag_id = v->id;
    frag = get16(v->ip + 6);
    v->df = frag >> 14 & 1;
    v->more = frag >> 13 & 1;
    v->frag_offset = (frag & 0x1fff) * 8;
    v->ttl = v->ip[8];
    v->proto = v->ip[9];
    v->csum_ok = fake_csum(v->ip, hdr_len, 0) == 0;
    v->l4 = v->ip + hdr_len;
    v->l4_len = len - hdr_len;
    return 0;
}

static int read_v6(struct fake_view *v, uint32_t len)
{
    if (len < 40 || get16(v->ip + 4) + 40u != len)
        return -1;
    memcpy(v->src.b, v->ip + 8, 16);
    memcpy(v->dst.b, v->ip + 24, 16);
    v->tos = (uint8_t)(get16(v->ip) >> 4);
    v->proto = v->ip[6];
    v->ttl = v->ip[7];
    v->csum_ok = 1;
    v->l4 = v->ip + 40;
    v->l4_len = len - 40;
    if (v->proto == 44 && v->l4_len >= 8) {
        v->proto = v->l4[0];
        v->frag_offset = get16(v->l4 + 2) & 0xfff8u;
        v->more = v->l4[3] & 1;
        v->frag_id = get32(v->l4 + 4);
        v->l4 += 8;
        v->l4_len -= 8;
    }
    return 0;
}

int fake_read(struct fake_view *v, const struct fake_packet *p, uint32_t l2_len)
{
    memset(v, 0, sizeof(*v));
    if (p->len < l2_len + 20)
        return -1;
    v->ip = p->bytes + l2_len;
    v->type = v->ip[0] >> 4 == 4 ? 0x0800 : 0x86dd;
    if (l2_len) {
        v->eth = p->bytes;
        v->type = get16(p->bytes + 12);
    }
    if (v->type != 0x0800 && v->type != 0x86dd)
        return 0;
    if (v->type == 0x0800 ? read_v4(v, p->len - l2_len) : read_v6(v, p->len - l2_len))
        return -1;
    read_l4(v);
    return 0;
}

static int finish_l4(struct fake_packet *p, struct fake_view *v)
{
    uint32_t at = v->proto == 6 ? 16 : 6;
    uint8_t *field = p->bytes + (v->l4 - p->bytes) + at;
    uint16_t csum;
    if ((v->proto != 6 && v->proto != 17) || v->frag_offset || v->more || p->l4_len != v->l4_len - v->payload_len)
        return -1;
    if (get16(field) != sum16(NULL, 0, pseudo(&v->src, &v->dst, v->proto, v->l4_len)))
        return -1;
    csum = fake_csum(v->l4, v->l4_len, 0); /* the field holds the pseudo-header's sum */
    put16(field, csum || v->proto == 6 ? csum : 0xffff);
    return 0;
}

int fake_finish(struct fake_packet *p, uint32_t l2_len)
{
    struct fake_view v;
    uint32_t l3_len;
    if (fake_read(&v, p, l2_len))
        return -1;
    if (v.type != 0x0800 && v.type != 0x86dd)
        return p->flags & (IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM | IIP_PKT_TSO) ? -1 : 0;
    l3_len = (uint32_t)(v.l4 - v.ip);
    if (p->l2_len != l2_len || p->l3_len != l3_len)
        return -1;
    if (p->flags & (IIP_PKT_IP_CSUM | IIP_PKT_TSO) && v.type == 0x0800) {
        if (get16(v.ip + 10))
            return -1;
        put16(p->bytes + l2_len + 10, fake_csum(v.ip, l3_len, 0));
    }
    return p->flags & (IIP_PKT_L4_CSUM | IIP_PKT_TSO) ? finish_l4(p, &v) : 0;
}

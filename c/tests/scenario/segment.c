#include "segment.h"

#include <string.h>

uint32_t wire_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
    uint64_t s = sum;
    uint32_t i;
    for (i = 0; i + 1 < len; i += 2)
        s += get16(p + i);
    if (len & 1)
        s += (uint32_t)p[len - 1] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint32_t)s;
}

uint16_t wire_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint32_t wire_pseudo(const struct segment *s, uint32_t l4_len)
{
    uint32_t skip = s->family == 4 ? 12 : 0;
    uint32_t sum = wire_sum(0, s->src + skip, 16 - skip);
    return wire_sum(sum, s->dst + skip, 16 - skip) + s->proto + (l4_len >> 16) + (l4_len & 0xffff);
}

void segment_init(struct segment *s, int family)
{
    memset(s, 0, sizeof(*s));
    s->family = (uint8_t)family;
    s->proto = PROTO_TCP;
    s->ttl = 64;
    s->df = 1;
    s->wscale = -1;
}

static uint32_t encode_ip(const struct segment *s, uint8_t *out, uint32_t l4_len)
{
    if (s->family == 6) {
        put32(out, 0x60000000u | (uint32_t)s->tos << 20);
        put16(out + 4, l4_len);
        out[6] = s->proto;
        out[7] = s->ttl;
        memcpy(out + 8, s->src, 16);
        memcpy(out + 24, s->dst, 16);
        return 40;
    }
    memset(out, 0, 20);
    out[0] = 0x45;
    out[1] = s->tos;
    put16(out + 2, 20 + l4_len);
    put16(out + 6, s->df ? 0x4000 : 0);
    out[8] = s->ttl;
    out[9] = s->proto;
    memcpy(out + 12, s->src + 12, 4);
    memcpy(out + 16, s->dst + 12, 4);
    put16(out + 10, wire_fold(wire_sum(0, out, 20)));
    return 20;
}

static uint32_t encode_l4(const struct segment *s, uint8_t *l4)
{
    uint32_t head = 0;
    if (s->proto == PROTO_TCP) {
        head = 20 + ((s->opt_len + 3u) & ~3u);
        memset(l4, 0, head);
        put16(l4, s->sport);
        put16(l4 + 2, s->dport);
        put32(l4 + 4, s->seq);
        put32(l4 + 8, s->ack);
        l4[12] = (uint8_t)(head / 4 << 4);
        l4[13] = s->flags;
        put16(l4 + 14, s->win);
        put16(l4 + 18, s->urg);
        memcpy(l4 + 20, s->opts, s->opt_len);
    } else if (s->proto == PROTO_UDP) {
        head = 8;
        memset(l4, 0, head);
        put16(l4, s->sport);
        put16(l4 + 2, s->dport);
        put16(l4 + 4, 8 + s->len);
    }
    if (s->len)
        memcpy(l4 + head, s->data, s->len);
    return head;
}

uint32_t segment_encode(const struct segment *s, uint8_t *out, size_t cap)
{
    uint32_t head = s->proto == PROTO_TCP ? 20 + ((s->opt_len + 3u) & ~3u) : s->proto == PROTO_UDP ? 8 : 0;
    uint32_t l4_len = head + s->len;
    uint32_t ip_len = s->family == 6 ? 40 : 20;
    uint8_t *l4 = out + ip_len;
    if (ip_len + l4_len > cap)
        return 0;
    encode_ip(s, out, l4_len);
    encode_l4(s, l4);
    if (s->proto == PROTO_TCP)
        put16(l4 + 16, wire_fold(wire_sum(wire_pseudo(s, l4_len), l4, l4_len)));
    else if (s->proto == PROTO_UDP)
        put16(l4 + 6, wire_fold(wire_sum(wire_pseudo(s, l4_len), l4, l4_len)));
    else if (s->proto == PROTO_ICMP)
        put16(l4 + 2, wire_fold(wire_sum(0, l4, l4_len)));
    else if (s->proto == PROTO_ICMP6)
        put16(l4 + 2, wire_fold(wire_sum(wire_pseudo(s, l4_len), l4, l4_len)));
    return ip_len + l4_len;
}

static const char *decode_option(struct segment *s, const uint8_t *p, uint32_t len)
{
    switch (p[0]) {
    case OPT_MSS:
        if (len != 4 || !(s->flags & FL_SYN))
            return "MSS option of a wrong length, or outside a SYN (MUST-65)";
        s->has_mss = 1;
        s->mss = get16(p + 2);
        return NULL;
    case OPT_WSCALE:
        if (len != 3 || !(s->flags & FL_SYN) || p[2] > 14)
            return "window scale of a wrong length, above 14, or outside a SYN (RFC 7323 2.2)";
        s->wscale = p[2];
        return NULL;
    case OPT_SACK_OK:
        if (len != 2 || !(s->flags & FL_SYN))
            return "SACK-permitted of a wrong length, or outside a SYN (RFC 2018 2)";
        s->has_sack_ok = 1;
        return NULL;
    case OPT_TS:
        if (len != 10)
            return "timestamps of a wrong length";
        s->has_ts = 1;
        s->tsval = get32(p + 2);
        s->tsecr = get32(p + 6);
        return NULL;
    case OPT_SACK:
        if (len < 10 || len > 34 || (len - 2) % 8)
            return "SACK option of a wrong length";
        for (s->sacks = 0; s->sacks < (int)(len - 2) / 8; s->sacks++) {
            s->sack[s->sacks][0] = get32(p + 2 + 8 * s->sacks);
            s->sack[s->sacks][1] = get32(p + 6 + 8 * s->sacks);
        }
        return NULL;
    default:
        return "option of a kind that this stack does not send";
    }
}

/* Every option but EOL and NOP has a length (MUST-68); after EOL there is nothing but zeros (MUST-69). */
static const char *decode_options(struct segment *s)
{
    const uint8_t *p = s->opts;
    const char *error;
    uint32_t left = s->opt_len;
    while (left) {
        if (p[0] == OPT_EOL) {
            for (; left; left--, p++)
                if (*p)
                    return "a byte after the end of the option list is not zero (MUST-69)";
            return NULL;
        }
        if (p[0] == OPT_NOP) {
            p++;
            left--;
            continue;
        }
        if (left < 2 || p[1] < 2 || p[1] > left)
            return "option length that cannot be (MUST-68)";
        error = decode_option(s, p, p[1]);
        if (error)
            return error;
        left -= p[1];
        p += p[1];
    }
    return NULL;
}

static const char *decode_tcp(struct segment *s, const uint8_t *l4, uint32_t len)
{
    uint32_t head;
    if (len < 20)
        return "TCP header cut short";
    head = (uint32_t)(l4[12] >> 4) * 4;
    if (head < 20 || head > len)
        return "TCP data offset that cannot be";
    if (wire_fold(wire_sum(wire_pseudo(s, len), l4, len)))
        return "TCP checksum is wrong (MUST-2)";
    if (l4[12] & 0xf)
        return "reserved bits are not zero";
    s->sport = (uint16_t)get16(l4);
    s->dport = (uint16_t)get16(l4 + 2);
    s->seq = get32(l4 + 4);
    s->ack = get32(l4 + 8);
    s->flags = l4[13];
    s->win = get16(l4 + 14);
    s->urg = get16(l4 + 18);
    s->opt_len = (uint8_t)(head - 20);
    memcpy(s->opts, l4 + 20, s->opt_len);
    s->data = l4 + head;
    s->len = len - head;
    return decode_options(s);
}

static const char *decode_l4(struct segment *s, const uint8_t *l4, uint32_t len)
{
    uint32_t sum;
    s->data = l4;
    s->len = len;
    if (s->proto == PROTO_TCP)
        return decode_tcp(s, l4, len);
    if (s->proto == PROTO_UDP) {
        if (len < 8 || get16(l4 + 4) != len)
            return "UDP length is wrong";
        sum = wire_sum(wire_pseudo(s, len), l4, len);
        if (get16(l4 + 6) ? wire_fold(sum) : s->family == 6)
            return "UDP checksum is wrong";
        s->sport = (uint16_t)get16(l4);
        s->dport = (uint16_t)get16(l4 + 2);
        s->data = l4 + 8;
        s->len = len - 8;
        return NULL;
    }
    if (s->proto == PROTO_ICMP && (len < 8 || wire_fold(wire_sum(0, l4, len))))
        return "ICMP checksum is wrong";
    if (s->proto == PROTO_ICMP6 && (len < 8 || wire_fold(wire_sum(wire_pseudo(s, len), l4, len))))
        return "ICMPv6 checksum is wrong";
    return NULL;
}

const char *segment_decode(struct segment *s, const uint8_t *in, uint32_t len)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    segment_init(s, 4);
    if (len < 20)
        return "IP header cut short";
    if (in[0] >> 4 == 4) {
        if (in[0] != 0x45)
            return "IPv4 header with options";
        if (get16(in + 2) != len)
            return "IPv4 total length differs from the packet's";
        if (wire_fold(wire_sum(0, in, 20)))
            return "IPv4 header checksum is wrong";
        memcpy(s->src, mapped, 12);
        memcpy(s->dst, mapped, 12);
        memcpy(s->src + 12, in + 12, 4);
        memcpy(s->dst + 12, in + 16, 4);
        s->tos = in[1];
        s->df = (in[6] & 0x40) != 0;
        s->ttl = in[8];
        s->proto = in[9];
        if (get16(in + 6) & 0x3fff) { /* a fragment: nothing more to judge */
            s->proto = 0;
            return NULL;
        }
        return s->ttl ? decode_l4(s, in + 20, len - 20) : "TTL is 0";
    }
    if (in[0] >> 4 != 6 || len < 40)
        return "neither IPv4 nor IPv6";
    if (get16(in + 4) + 40 != len)
        return "IPv6 payload length differs from the packet's";
    s->family = 6;
    s->tos = (uint8_t)(get16(in) >> 4);
    s->proto = in[6];
    s->ttl = in[7];
    memcpy(s->src, in + 8, 16);
    memcpy(s->dst, in + 24, 16);
    return s->ttl ? decode_l4(s, in + 40, len - 40) : "hop limit is 0";
}

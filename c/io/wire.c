/* wire.c - the little that ports know of packets. */
#include "wire.h"

#include <string.h>

enum { IIP_PROTO_TCP = 6, IIP_PROTO_UDP = 17, IIP_PROTO_ICMPV6 = 58, IIP_ETH_LEN = 14, IIP_WIRE_SEED = 0x6d5a };

static uint32_t iip_wire_u16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static void iip_wire_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void iip_wire_ipv4(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len)
{
    const uint8_t *ip = p + w->l3;
    uint32_t head, total;
    if (have - w->l3 < 20)
        return;
    head = (uint32_t)(ip[0] & 15) * 4;
    total = iip_wire_u16(ip + 2);
    if (head < 20 || total < head || total > len - w->l3)
        return;
    w->family = 4;
    w->l4 = w->l3 + head;
    w->end = w->l3 + total;
    w->proto = ip[9];
    w->fragment = (iip_wire_u16(ip + 6) & 0x3fff) != 0; /* more fragments, or an offset */
}

/* Walks the extension headers that may stand in front of the transport header. [RFC 8200 4.1] */
static void iip_wire_extensions(struct iip_wire *w, const uint8_t *p, uint32_t have)
{
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t size;
        if (w->proto == 44) { /* fragment */
            w->fragment = 1;
            return;
        }
        if (w->proto != 0 && w->proto != 43 && w->proto != 60)
            return;
        if (w->l4 > have || have - w->l4 < 8)
            break;
        size = (uint32_t)p[w->l4 + 1] * 8 + 8;
        w->proto = p[w->l4];
        w->l4 += size;
        if (w->l4 > w->end)
            break;
    }
    w->proto = 59; /* no next header: nothing that we could name */
}

static void iip_wire_ipv6(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len)
{
    const uint8_t *ip = p + w->l3;
    uint32_t total;
    if (have - w->l3 < 40)
        return;
    total = 40 + iip_wire_u16(ip + 4);
    if (total > len - w->l3)
        return;
    w->family = 6;
    w->proto = ip[6];
    w->l4 = w->l3 + 40;
    w->end = w->l3 + total;
    iip_wire_extensions(w, p, have < w->end ? have : w->end);
}

uint32_t iip_wire_parse(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len, int l3)
{
    uint32_t type = 0;
    memset(w, 0, sizeof(*w));
    if (l3) {
        type = !have ? 0 : p[0] >> 4 == 4 ? 0x0800 : p[0] >> 4 == 6 ? 0x86dd : 0;
    } else if (have >= IIP_ETH_LEN) {
        w->l3 = IIP_ETH_LEN;
        type = iip_wire_u16(p + 12);
        if (type == 0x8100 && have >= IIP_ETH_LEN + 4) {
            w->l3 += 4;
            type = iip_wire_u16(p + 16);
        }
    }
    if (type == 0x0800)
        iip_wire_ipv4(w, p, have, len);
    else if (type == 0x86dd)
        iip_wire_ipv6(w, p, have, len);
    return w->family;
}

/* [RFC 1071] in network order; `sum` carries what was summed before. */
static uint64_t iip_wire_sum(uint64_t sum, const uint8_t *p, uint32_t len)
{
    for (; len >= 4; p += 4, len -= 4)
        sum += (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
    if (len >= 2)
        sum += iip_wire_u16(p);
    if (len & 1)
        sum += (uint64_t)p[len - 1] << 8;
    return sum;
}

static uint32_t iip_wire_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)(~sum & 0xffff);
}

void iip_wire_csum_ip(uint8_t *ip, uint32_t len)
{
    uint32_t head = (uint32_t)(ip[0] & 15) * 4;
    if (head < 20 || head > len)
        return;
    iip_wire_put16(ip + 10, 0);
    iip_wire_put16(ip + 10, iip_wire_fold(iip_wire_sum(0, ip, head)));
}

static void iip_wire_csum_l4(const struct iip_wire *w, uint8_t *p)
{
    uint32_t len = w->end - w->l4;
    uint32_t at = w->proto == IIP_PROTO_TCP ? 16 : 6;
    uint64_t sum;
    uint32_t folded;
    if (len < (w->proto == IIP_PROTO_TCP ? 20U : 8U))
        return;
    sum = w->family == 4 ? iip_wire_sum(0, p + w->l3 + 12, 8) : iip_wire_sum(0, p + w->l3 + 8, 32);
    sum += w->proto + len;
    iip_wire_put16(p + w->l4 + at, 0);
    folded = iip_wire_fold(iip_wire_sum(sum, p + w->l4, len));
    if (w->proto == IIP_PROTO_UDP && !folded)
        folded = 0xffff; /* [RFC 768]: 0 means that there is none */
    iip_wire_put16(p + w->l4 + at, folded);
}

void iip_wire_csum_fill(uint8_t *p, uint32_t len, int l3)
{
    struct iip_wire w;
    if (!iip_wire_parse(&w, p, len, len, l3))
        return;
    if (w.family == 4)
        iip_wire_csum_ip(p + w.l3, len - w.l3);
    if (!w.fragment && (w.proto == IIP_PROTO_TCP || w.proto == IIP_PROTO_UDP))
        iip_wire_csum_l4(&w, p);
}

uint32_t iip_wire_bytes(const struct iip_pkt *pkt)
{
    uint32_t len = 0;
    for (; pkt; pkt = pkt->next)
        len += pkt->len;
    return len;
}

uint32_t iip_wire_copy(uint8_t *to, uint32_t cap, const struct iip_pkt *pkt)
{
    uint32_t len = 0;
    for (; pkt && len < cap; pkt = pkt->next) {
        uint32_t part = pkt->len < cap - len ? pkt->len : cap - len;
        if (part)
            memcpy(to + len, pkt->data, part);
        len += part;
    }
    return len;
}

/*
 * Toeplitz is linear, and with a key of period 16 every 16-bit word of the input meets the same key bits: so the hash
 * of a tuple is that of the exclusive or of its words, and both halves of it are equal.
 */
static uint32_t iip_wire_toeplitz16(uint32_t word)
{
    uint32_t hash = 0;
    for (uint32_t i = 0; i < 16; i++)
        if (word >> (15 - i) & 1)
            hash ^= (IIP_WIRE_SEED << i | IIP_WIRE_SEED >> (16 - i)) & 0xffff;
    return hash << 16 | hash;
}

static uint32_t iip_wire_xor(const uint8_t *p, uint32_t len)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i + 1 < len; i += 2)
        word ^= iip_wire_u16(p + i);
    return word;
}

static uint32_t iip_wire_hash_bytes(const uint8_t *p, uint32_t have, uint32_t len, int l3)
{
    struct iip_wire w;
    uint32_t word;
    if (!iip_wire_parse(&w, p, have, len, l3))
        return 0;
    word = w.family == 4 ? iip_wire_xor(p + w.l3 + 12, 8) : iip_wire_xor(p + w.l3 + 8, 32);
    if (!w.fragment && (w.proto == IIP_PROTO_TCP || w.proto == IIP_PROTO_UDP) && w.l4 + 4 <= w.end && w.l4 + 4 <= have)
        word ^= iip_wire_xor(p + w.l4, 4);
    return iip_wire_toeplitz16(word);
}

uint32_t iip_wire_hash(const struct iip_pkt *pkt, int l3)
{
    uint8_t head[192];
    uint32_t len = iip_wire_bytes(pkt);
    if (!pkt->next || pkt->len >= sizeof(head))
        return iip_wire_hash_bytes(pkt->data, pkt->len, len, l3);
    return iip_wire_hash_bytes(head, iip_wire_copy(head, sizeof(head), pkt), len, l3);
}

void iip_wire_share(struct iip_share *share, uint32_t queues)
{
    memset(share, 0, sizeof(*share));
    share->stacks = queues;
    share->key_len = IIP_WIRE_KEY;
    share->table_len = IIP_WIRE_TABLE;
    for (uint32_t i = 0; i < IIP_WIRE_KEY; i += 2)
        iip_wire_put16(share->key + i, IIP_WIRE_SEED);
    for (uint32_t i = 0; i < IIP_WIRE_TABLE; i++)
        share->table[i] = (iip_u16)(i % queues);
}

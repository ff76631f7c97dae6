/*
 * segment.h - packets as the tests see them: a codec of its own, so that the stack's is not checked with itself.
 *
 * Numbers are in host order. segment_decode is also the first judge of everything that a stack sends: it names what is
 * wrong with a packet that breaks a rule which holds for every packet.
 */
#ifndef TEST_SEGMENT_H
#define TEST_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

enum { FL_FIN = 1, FL_SYN = 2, FL_RST = 4, FL_PSH = 8, FL_ACK = 16, FL_URG = 32, FL_ECE = 64, FL_CWR = 128 };
enum { OPT_EOL = 0, OPT_NOP = 1, OPT_MSS = 2, OPT_WSCALE = 3, OPT_SACK_OK = 4, OPT_SACK = 5, OPT_TS = 8 };
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_FRAGMENT6 = 44, PROTO_ICMP6 = 58 };

struct segment {
    uint8_t src[16], dst[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t family;           /* 4 or 6 */
    uint8_t proto, ttl, tos;
    uint8_t df;               /* IPv4 */
    uint8_t flags;            /* FL_... */
    uint8_t opt_len;
    uint8_t opts[40];
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint32_t win;             /* as on the wire, not scaled */
    uint32_t urg;
    const uint8_t *data;      /* TCP and UDP: payload; else: everything behind the IP header */
    uint32_t len;
    /* what the options say; filled by segment_decode */
    uint32_t mss, tsval, tsecr;
    int has_mss, has_ts, has_sack_ok, wscale; /* wscale -1: none */
    int sacks;
    uint32_t sack[4][2];
};

void segment_init(struct segment *s, int family);
/* Writes an IP packet; checksums right. Returns its length. */
uint32_t segment_encode(const struct segment *s, uint8_t *out, size_t cap);
/* Null, or what is wrong. `s->data` points into `in`. */
const char *segment_decode(struct segment *s, const uint8_t *in, uint32_t len);

uint32_t wire_sum(uint32_t sum, const uint8_t *p, uint32_t len);
uint16_t wire_fold(uint32_t sum);
uint32_t wire_pseudo(const struct segment *s, uint32_t l4_len);
static inline uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}
static inline uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}
static inline void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

/* The byte at `offset` of every stream in the tests. */
static inline uint8_t pattern(uint64_t offset)
{
    return (uint8_t)((offset * 0x9e3779b97f4a7c15u) >> 53 ^ offset);
}

#endif

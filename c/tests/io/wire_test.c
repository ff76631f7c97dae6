/* wire_test.c - headers, checksums and hashes of packets that may be anything. */
#include "wire.h"

#include "check.h"
#include "stub.h"

static struct iip_share share;

static uint32_t hash(const uint8_t *p, uint32_t len, int l3)
{
    struct iip_pkt pkt = {.data = (uint8_t *)p, .len = len, .total = len};
    return iip_wire_hash(&pkt, l3);
}

/* The Toeplitz function as the RSS specification has it, bit by bit. */
static uint32_t toeplitz(const uint8_t *p, uint32_t len)
{
    uint32_t sum = 0;
    for (uint32_t bit = 0; bit < len * 8; bit++)
        if (p[bit / 8] >> (7 - bit % 8) & 1)
            for (uint32_t i = 0; i < 32; i++)
                sum ^= (uint32_t)(share.key[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1) << (31 - i);
    return sum;
}

static uint32_t ipv6_frame(uint8_t *to, uint8_t next)
{
    static const uint8_t link[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd};
    memset(to, 0, 100);
    memcpy(to, link, sizeof(link));
    to[14] = 0x60;
    to[19] = 30;
    to[20] = next;
    for (uint32_t i = 0; i < 36; i++)
        to[22 + i] = (uint8_t)(i * 37 + 5); /* both addresses, and four bytes behind the header */
    return 84;
}

static void hashes_as_rss_says(void)
{
    uint8_t f[200];
    uint32_t len;
    for (uint16_t i = 0; i < 500; i++) {
        len = udp_frame(f, (uint16_t)(i * 77), (uint16_t)(i * 13), 8, 0);
        f[29] = (uint8_t)i;
        CHECK_EQ(hash(f, len, 0), toeplitz(f + 26, 12));
        CHECK_EQ(hash(f + 14, len - 14, 1), toeplitz(f + 26, 12));
    }
    len = ipv6_frame(f, 6);
    CHECK_EQ(hash(f, len, 0), toeplitz(f + 22, 36));
    len = ipv6_frame(f, 58); /* ICMPv6 has no ports */
    CHECK_EQ(hash(f, len, 0), toeplitz(f + 22, 32));
    len = udp_frame(f, 1, 2, 8, 0);
    f[20] = 0x20; /* a fragment: its ports are not in each, so they do not count in any */
    CHECK_EQ(hash(f, len, 0), toeplitz(f + 26, 8));
    f[12] = 8, f[13] = 6; /* ARP */
    CHECK_EQ(hash(f, len, 0), 0);
}

static void hashes_over_options_and_tags(void)
{
    uint8_t f[200], tagged[200];
    uint32_t len = ipv6_frame(f, 0), want;
    f[54] = 17, f[55] = 0; /* hop-by-hop options, 8 bytes, then UDP */
    f[62] = 0x12, f[63] = 0x34, f[64] = 0x56, f[65] = 0x78;
    memcpy(tagged, f + 22, 32);
    memcpy(tagged + 32, f + 62, 4);
    want = toeplitz(tagged, 36);
    CHECK_EQ(hash(f, len, 0), want);
    memcpy(tagged, f, 12);
    tagged[12] = 0x81, tagged[13] = 0, tagged[14] = 0, tagged[15] = 7;
    memcpy(tagged + 16, f + 12, len - 12);
    CHECK_EQ(hash(tagged, len + 4, 0), want);
    f[54] = 44; /* the options are followed by a fragment header */
    CHECK_EQ(hash(f, len, 0), toeplitz(f + 22, 32));
}

/* The first view may hold the headers only, or not even those. */
static void hashes_chains(void)
{
    uint8_t f[200];
    uint32_t len = udp_frame(f, 300, 400, 100, 1), want = toeplitz(f + 26, 12);
    for (uint32_t cut = 0; cut <= len; cut++) {
        struct iip_pkt tail = {.data = f + cut, .len = len - cut}, head = {.next = &tail, .data = f, .len = cut};
        CHECK_EQ(iip_wire_hash(&head, 0), want);
    }
}

static void fills_checksums(void)
{
    uint8_t f[300], good[300];
    for (uint32_t payload = 0; payload < 200; payload++) {
        uint32_t len = udp_frame(f, 300, 400, payload, (uint8_t)(payload * 7));
        memcpy(good, f, len);
        f[24] = 0xaa, f[40] = 0xbb, f[41] = 0xcc;
        iip_wire_csum_fill(f, len, 0);
        CHECK_MEM(f, good, len);
        f[41] ^= 1;
        iip_wire_csum_fill(f + 14, len - 14, 1);
        CHECK_MEM(f, good, len);
    }
}

/* [RFC 768]: a sum of zero is sent as all ones. */
static void never_sends_a_udp_sum_of_zero(void)
{
    uint8_t f[100];
    uint32_t len = udp_frame(f, 1, 2, 2, 0);
    f[42] = f[40], f[43] = f[41]; /* the payload makes up for the rest */
    iip_wire_csum_fill(f, len, 0);
    CHECK_EQ(f[40] << 8 | f[41], 0xffff);
}

static void leaves_fragments_alone(void)
{
    uint8_t f[100], was[100];
    uint32_t len = udp_frame(f, 1, 2, 20, 3);
    f[21] = 5, f[40] = 0x12, f[41] = 0x34;
    memcpy(was, f, len);
    iip_wire_csum_fill(f, len, 0);
    CHECK_MEM(f + 26, was + 26, len - 26);
}

/* Bytes of all kinds, in memory that ends where they end (ASan sees one step beyond). */
static void survives_anything(void)
{
    uint32_t seed = 1, ip = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        uint8_t f[200], *exact;
        struct iip_wire w;
        uint32_t len = i & 1 ? ipv6_frame(f, (uint8_t)(i % 7 * 11)) : udp_frame(f, 1, 2, 40, 3), cut;
        for (uint32_t k = 0; k < 4; k++) {
            seed = seed * 1664525 + 1013904223;
            f[(seed >> 8) % 64] = (uint8_t)(seed >> 24);
        }
        cut = i % 3 ? len : (seed >> 5) % (len + 1);
        exact = malloc(cut ? cut : 1);
        memcpy(exact, f, cut);
        ip += iip_wire_parse(&w, exact, cut, cut, i % 5 == 0) != 0;
        CHECK(w.l3 <= cut && w.end <= cut && (!w.family || (w.l3 < w.end)));
        hash(exact, cut, i % 5 == 0);
        iip_wire_csum_fill(exact, cut, i % 5 == 0);
        free(exact);
    }
    CHECK(ip > 20000);
}

int main(void)
{
    iip_wire_share(&share, 4);
    RUN(hashes_as_rss_says);
    RUN(hashes_over_options_and_tags);
    RUN(hashes_chains);
    RUN(fills_checksums);
    RUN(never_sends_a_udp_sum_of_zero);
    RUN(leaves_fragments_alone);
    RUN(survives_anything);
    return check_done();
}

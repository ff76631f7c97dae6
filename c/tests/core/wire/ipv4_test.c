/* ipv4_test.c - the IPv4 header as bytes. */
/* covers: A01 */
#include "wire/ipv4.h"

#include <stdint.h>

#include "check.h"

/* The example of RFC 1071's users: checksum b861. */
static const uint8_t header[20] = {
    0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
};

static void reads_a_header(void)
{
    struct iip_ipv4 h;
    CHECK_EQ(iip_ipv4_parse(&h, header, sizeof(header)), 0);
    CHECK_EQ(h.hdr_len, 20);
    CHECK_EQ(h.total, 0x73);
    CHECK_EQ(h.id, 0);
    CHECK_EQ(h.df, 1);
    CHECK_EQ(h.mf, 0);
    CHECK_EQ(h.frag_offset, 0);
    CHECK_EQ(h.ttl, 64);
    CHECK_EQ(h.proto, 17);
    CHECK_MEM(&h.src, header + 12, 4);
    CHECK_MEM(&h.dst, header + 16, 4);
    CHECK(iip_ipv4_csum_ok(header, 20));
    CHECK(iip_ipv4_is_plain(header));
    CHECK(iip_ipv4_is_whole(header));
}

static void every_flipped_bit_breaks_the_sum(void)
{
    uint8_t m[20];
    int bit;
    for (bit = 0; bit < 160; bit++) {
        memcpy(m, header, sizeof(m));
        m[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(!iip_ipv4_csum_ok(m, 20));
    }
}

static void writes_a_header(void)
{
    struct iip_ipv4 h;
    uint8_t out[20];
    iip_ipv4_read(&h, header);
    iip_ipv4_emit(out, &h);
    CHECK_EQ(out[10] | out[11], 0);
    iip_ipv4_csum_set(out, 20);
    CHECK_MEM(out, header, 20);
}

static void writes_fragment_fields(void)
{
    struct iip_ipv4 h;
    uint8_t out[20];
    iip_ipv4_read(&h, header);
    h.df = 0;
    h.mf = 1;
    h.frag_offset = 65528;
    h.id = 0xabcd;
    iip_ipv4_emit(out, &h);
    CHECK_EQ(out[4], 0xab);
    CHECK_EQ(out[5], 0xcd);
    CHECK_EQ(out[6], 0x3f);
    CHECK_EQ(out[7], 0xff);
    CHECK(!iip_ipv4_is_whole(out));
    iip_ipv4_read(&h, out);
    CHECK_EQ(h.mf, 1);
    CHECK_EQ(h.frag_offset, 65528);
}

static void refuses_lengths_that_cannot_be(void)
{
    struct iip_ipv4 h;
    uint8_t m[60];
    uint32_t i;
    for (i = 0; i < 20; i++)
        CHECK_EQ(iip_ipv4_parse(&h, header, i), -1);
    memset(m, 0, sizeof(m));
    memcpy(m, header, 20);
    for (i = 0; i < 256; i++) { /* version and header length */
        m[0] = (uint8_t)i;
        CHECK_EQ(iip_ipv4_parse(&h, m, 60), i >> 4 == 4 && (i & 15) >= 5 ? 0 : -1);
    }
    m[0] = 0x46;
    CHECK_EQ(iip_ipv4_parse(&h, m, 23), -1); /* the header is longer than what is there */
    m[2] = 0;
    m[3] = 23;
    CHECK_EQ(iip_ipv4_parse(&h, m, 60), -1); /* the total is shorter than the header */
}

static int options(const uint8_t *opts, uint32_t len)
{
    uint8_t m[60];
    memcpy(m, header, 20);
    memcpy(m + 20, opts, len);
    return iip_ipv4_options_check(m, 20 + len);
}

/* [RFC 1122 3.2.1.8] Unknown ones are passed over by their length; a source route is not ours to follow. */
static void walks_options(void)
{
    static const uint8_t nops[4] = {1, 1, 1, 0};
    static const uint8_t record[8] = {7, 7, 4, 0, 0, 0, 0, 0};
    static const uint8_t loose[8] = {131, 7, 4, 10, 0, 0, 9, 0};
    static const uint8_t strict[8] = {1, 137, 7, 4, 10, 0, 0, 9};
    static const uint8_t zero[4] = {7, 0, 0, 0};
    static const uint8_t one[4] = {7, 1, 0, 0};
    static const uint8_t over[4] = {7, 5, 0, 0};
    static const uint8_t cut[4] = {1, 1, 1, 7};
    static const uint8_t after_end[4] = {0, 131, 3, 4};
    CHECK_EQ(options(nops, 4), 0);
    CHECK_EQ(options(record, 8), 0);
    CHECK_EQ(options(after_end, 4), 0);
    CHECK_EQ(options(loose, 8), -1);
    CHECK_EQ(options(strict, 8), -1);
    CHECK_EQ(options(zero, 4), -1);
    CHECK_EQ(options(one, 4), -1);
    CHECK_EQ(options(over, 4), -1);
    CHECK_EQ(options(cut, 4), -1);
}

static void makes_a_first_fragment_whole(void)
{
    struct iip_ipv4 h;
    uint8_t m[20];
    memcpy(m, header, 20);
    m[6] = 0x20;
    iip_ipv4_make_whole(m, 20, 40000);
    CHECK(iip_ipv4_csum_ok(m, 20));
    iip_ipv4_read(&h, m);
    CHECK_EQ(h.total, 40000);
    CHECK_EQ(h.mf, 0);
}

int main(void)
{
    RUN(reads_a_header);
    RUN(every_flipped_bit_breaks_the_sum);
    RUN(writes_a_header);
    RUN(writes_fragment_fields);
    RUN(refuses_lengths_that_cannot_be);
    RUN(walks_options);
    RUN(makes_a_first_fragment_whole);
    return check_done();
}

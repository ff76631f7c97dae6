/* ipv6_test.c - the IPv6 header and its extension headers as bytes. */
#include "wire/ipv6.h"

#include <stdint.h>

#include "check.h"

static const uint8_t header[40] = {
    0x6a, 0xb1, 0x23, 0x45, 0x00, 0x14, 0x06, 0x40, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
};

static void reads_and_writes_a_header(void)
{
    struct iip_ipv6 h;
    uint8_t out[40];
    CHECK_EQ(iip_ipv6_parse(&h, header, sizeof(header)), 0);
    CHECK_EQ(h.tos, 0xab);
    CHECK_EQ(h.flow, 0x12345);
    CHECK_EQ(h.payload, 20);
    CHECK_EQ(h.next, 6);
    CHECK_EQ(h.hops, 64);
    CHECK(iip_ip_is_link_local6(&h.src));
    CHECK(!iip_ip_is_multicast6(&h.src));
    iip_ipv6_emit(out, &h);
    CHECK_MEM(out, header, 40);
}

static void refuses_short_ones_and_other_versions(void)
{
    struct iip_ipv6 h;
    uint8_t m[40];
    uint32_t i;
    for (i = 0; i < 40; i++)
        CHECK_EQ(iip_ipv6_parse(&h, header, i), -1);
    memcpy(m, header, 40);
    for (i = 0; i < 16; i++) {
        m[0] = (uint8_t)(i << 4 | 0xa);
        CHECK_EQ(iip_ipv6_parse(&h, m, 40), i == 6 ? 0 : -1);
    }
}

static void extension_headers_end_in_the_packet(void)
{
    static const uint8_t ext[16] = {6, 1, 4, 7};
    struct iip_ipv6_ext e;
    uint32_t len;
    for (len = 0; len < 16; len++)
        CHECK_EQ(iip_ipv6_ext_parse(&e, ext, len), -1);
    CHECK_EQ(iip_ipv6_ext_parse(&e, ext, 16), 0);
    CHECK_EQ(e.next, 6);
    CHECK_EQ(e.len, 16);
    CHECK_EQ(e.routing_type, 4);
    CHECK_EQ(e.segments_left, 7);
}

static void fragment_headers_round(void)
{
    static const uint8_t bytes[8] = {17, 0, 0x05, 0xa9, 0xde, 0xad, 0xbe, 0xef};
    struct iip_ipv6_fragment f;
    uint8_t out[8];
    uint32_t len;
    for (len = 0; len < 8; len++)
        CHECK_EQ(iip_ipv6_fragment_parse(&f, bytes, len), -1);
    CHECK_EQ(iip_ipv6_fragment_parse(&f, bytes, 8), 0);
    CHECK_EQ(f.next, 17);
    CHECK_EQ(f.offset, 1448);
    CHECK_EQ(f.more, 1);
    CHECK_EQ(f.id, 0xdeadbeefu);
    iip_ipv6_fragment_emit(out, &f);
    CHECK_MEM(out, bytes, 8);
}

static int walk(const uint8_t *p, uint32_t len, uint32_t *at)
{
    *at = 99;
    return iip_ipv6_options_walk(p, len, at);
}

/* [RFC 8200 4.2] The two highest bits of an unknown option say what to do. */
static void options_say_what_to_do(void)
{
    uint8_t opt[8] = {6, 0, 0x1e, 2, 0, 0, 0, 0};
    uint32_t at;
    CHECK_EQ(walk(opt, 8, &at), IIP_IPV6_OPT_OK);
    opt[2] = 0x5e;
    CHECK_EQ(walk(opt, 8, &at), IIP_IPV6_OPT_DISCARD);
    opt[2] = 0x9e;
    CHECK_EQ(walk(opt, 8, &at), IIP_IPV6_OPT_PROBLEM);
    opt[2] = 0xde;
    CHECK_EQ(walk(opt, 8, &at), IIP_IPV6_OPT_UNICAST);
    CHECK_EQ(at, 2);
    opt[2] = 0;
    opt[3] = 0;
    opt[4] = 0xc2;
    opt[5] = 0;
    CHECK_EQ(walk(opt, 8, &at), IIP_IPV6_OPT_UNICAST);
    CHECK_EQ(at, 4);
}

static void options_end_in_their_header(void)
{
    uint8_t over[8] = {6, 0, 1, 5, 0, 0, 0, 0};
    uint8_t cut[8] = {6, 0, 1, 3, 0, 0, 0, 1};
    uint8_t pads[8] = {6, 0, 0, 0, 0, 0, 0, 0};
    uint32_t at;
    CHECK_EQ(walk(over, 8, &at), IIP_IPV6_OPT_BAD);
    CHECK_EQ(walk(cut, 8, &at), IIP_IPV6_OPT_BAD);
    CHECK_EQ(walk(pads, 8, &at), IIP_IPV6_OPT_OK);
}

static void takes_the_fragment_header_out(void)
{
    uint8_t m[56];
    uint8_t *p;
    memset(m, 0x77, sizeof(m));
    memcpy(m, header, 40);
    m[6] = 44;
    m[40] = 17;
    p = iip_ipv6_make_whole(m, 40, 6, 3000);
    CHECK(p == m + 8);
    CHECK_EQ(p[6], 17);
    CHECK_EQ(p[4] << 8 | p[5], 3000);
    CHECK_MEM(p + 8, header + 8, 32);
    CHECK_EQ(p[40], 0x77);
}

static void makes_special_addresses(void)
{
    static const uint8_t nodes[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const uint8_t solicited[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x28, 0x9c, 0x5a};
    static const uint8_t link[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0xff, 0xfe, 0x34, 0x56, 0x78};
    static const uint8_t mac[6] = {2, 0, 0x12, 0x34, 0x56, 0x78};
    struct iip_ip target;
    struct iip_ip ip;
    iip_ip_all_nodes(&ip);
    CHECK_MEM(ip.b, nodes, 16);
    memset(&target, 0xfd, sizeof(target));
    memcpy(target.b + 13, solicited + 13, 3);
    iip_ip_solicited_node(&ip, &target);
    CHECK_MEM(ip.b, solicited, 16);
    iip_ip_link_local_of(&ip, mac);
    CHECK_MEM(ip.b, link, 16);
}

int main(void)
{
    RUN(reads_and_writes_a_header);
    RUN(refuses_short_ones_and_other_versions);
    RUN(extension_headers_end_in_the_packet);
    RUN(fragment_headers_round);
    RUN(options_say_what_to_do);
    RUN(options_end_in_their_header);
    RUN(takes_the_fragment_header_out);
    RUN(makes_special_addresses);
    return check_done();
}

/* ipv4_test.c - IPv4 input [RFC 791; RFC 1122 3.2.1]. */
/* covers: IP-01, IP-02, IP-03, IP-04, IP-09, IP-10, IP-12, MUST-50, A11, A36, A01, A10, A43 */
#include "net_test.h"

static struct iip_udp_sock *sock;

static int open_with_socket(void)
{
    if (net_open(0, 0))
        return -1;
    sock = net_socket("0.0.0.0", 53);
    return fake_neigh(&h, FAKE_V4_PEER);
}

/* Datagrams that reached the socket since the last call. */
static uint32_t arrived(void)
{
    uint32_t n = fake_notes(&h);
    uint32_t i;
    for (i = 0; i < n; i++)
        iip_pkt_free(h.stk, h.notes[i].pkt);
    return n;
}

static void udp_from(const struct fake_hdr *hdr)
{
    fake_udp(&b, hdr, 4000, 53, "hello", 5);
    net_input();
}

static void takes_what_is_for_us(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_socket());
    udp_from(&hdr);
    CHECK_EQ(arrived(), 1);
    hdr.ttl = 1; /* IP-08: it is here, so how far it could still go does not matter */
    udp_from(&hdr);
    hdr.ttl = 0;
    udp_from(&hdr);
    CHECK_EQ(arrived(), 2);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* IP-01, A01: each value of the first byte, and each length against each other. */
static void refuses_lengths_and_versions_that_cannot_be(void)
{
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!open_with_socket());
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    for (i = 0; i < 256; i++) {
        if (i == 0x45)
            continue;
        b.bytes[14] = (uint8_t)i;
        fake_inject(&h, b.bytes, b.len, IIP_PKT_IP_CSUM_OK);
    }
    CHECK_EQ(arrived(), 0);
    hdr.total_add = 1; /* longer than the frame */
    udp_from(&hdr);
    hdr.total_add = 60000;
    udp_from(&hdr);
    hdr.total_add = (uint32_t)-14; /* shorter than the header */
    udp_from(&hdr);
    CHECK_EQ(net_counter("drop_ip_header") >= 3, 1);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* What the link added behind the packet is cut off. */
static void cuts_padding(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_socket());
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    memset(b.bytes + b.len, 0xaa, 13);
    b.len += 13;
    net_input();
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, 5);
    CHECK_EQ(h.notes[0].pkt->len, 5);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    net_close();
}

/* IP-02: one flipped bit of the header is seen, unless the port vouches for it. */
static void checks_the_sum(void)
{
    struct fake_hdr hdr = fake_v4();
    uint32_t bit;
    REQUIRE(!open_with_socket());
    for (bit = 0; bit < 160; bit++) {
        fake_udp(&b, &hdr, 4000, 53, "hello", 5);
        b.bytes[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        net_input();
    }
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    b.bytes[24] ^= 1;
    fake_inject(&h, b.bytes, b.len, IIP_PKT_IP_CSUM_OK);
    CHECK_EQ(arrived(), 1);
    net_close();
}

/* IP-03, IP-10: what is for others is not ours to answer or forward. */
static void drops_what_is_for_others(void)
{
    static const char *const others[] = {"10.0.0.3",  "10.0.0.0",  "192.168.1.1", "127.0.0.1",
                                         "224.0.0.5", "239.1.1.1", "0.0.0.0"};
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 7; i++) {
        fake_ip(&hdr.dst, others[i]);
        udp_from(&hdr);
    }
    CHECK_EQ(net_counter("drop_ip_dst"), 7);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* IP-04, A10, A11: no host sends from there; to a port that would answer with an error. */
static void drops_bad_sources(void)
{
    static const char *const bad[] = {"0.0.0.0",         "0.1.2.3",   "127.0.0.1",       "127.9.9.9",  "224.0.0.1",
                                      "239.255.255.255", "240.0.0.1", "255.255.255.255", "10.0.0.255", FAKE_V4_OURS};
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 10; i++) {
        fake_ip(&hdr.src, bad[i]);
        udp_from(&hdr);
        fake_udp(&b, &hdr, 4000, 54, "hello", 5);
        net_input();
    }
    CHECK_EQ(net_counter("drop_ip_src"), 20);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* A12: broadcast is for datagrams; errors are never sent about it, and unicast in a broadcast frame is dropped. */
static void broadcasts(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_socket());
    memset(hdr.eth_dst, 0xff, 6);
    fake_ip(&hdr.dst, "255.255.255.255");
    udp_from(&hdr);
    fake_ip(&hdr.dst, "10.0.0.255");
    udp_from(&hdr);
    fake_ip(&hdr.dst, "224.0.0.1");
    udp_from(&hdr);
    CHECK_EQ(arrived(), 3);
    fake_ip(&hdr.dst, FAKE_V4_OURS);
    udp_from(&hdr);
    CHECK_EQ(arrived(), 0);
    fake_ip(&hdr.dst, "10.0.0.255");
    fake_udp(&b, &hdr, 4000, 54, "hello", 5);
    net_input();
    fake_icmp(&b, &hdr, 8, 0, 1, "ping", 4);
    net_input();
    fake_ip_packet(&b, &hdr, 99, "?", 1);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_ip_dst"), 1);
    net_close();
}

/* IP-09, A36 */
static void walks_options(void)
{
    static const uint8_t record[8] = {7, 7, 4, 0, 0, 0, 0, 0};
    static const uint8_t loose[8] = {131, 7, 4, 10, 0, 0, 9, 0};
    static const uint8_t strict[8] = {137, 7, 4, 10, 0, 0, 9, 0};
    static const uint8_t zero[4] = {7, 0, 0, 0};
    static const uint8_t nops[40] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_socket());
    hdr.opts = record;
    hdr.opts_len = 8;
    udp_from(&hdr);
    CHECK_EQ(arrived(), 1);
    hdr.opts = nops;
    hdr.opts_len = 40;
    udp_from(&hdr);
    CHECK_EQ(arrived(), 1);
    hdr.opts_len = 8;
    hdr.opts = loose;
    udp_from(&hdr);
    hdr.opts = strict;
    udp_from(&hdr);
    hdr.opts = zero;
    hdr.opts_len = 4;
    udp_from(&hdr);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(net_counter("drop_ip_option"), 3);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* The metadata of a datagram is read back from its headers, with options in between. */
static void notes_know_the_header(void)
{
    static const uint8_t nops[8] = {1, 1, 1, 1, 1, 1, 1, 0};
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_socket());
    hdr.opts = nops;
    hdr.opts_len = 8;
    hdr.ttl = 77;
    hdr.tos = 0xb8;
    udp_from(&hdr);
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].value, 0xb8 << 8 | 77);
    CHECK(net_is_ip(&h.notes[0].peer.ip, FAKE_V4_PEER));
    CHECK(net_is_ip(&h.notes[0].local.ip, FAKE_V4_OURS));
    CHECK_EQ(h.notes[0].peer.port, 4000);
    CHECK_EQ(h.notes[0].local.port, 53);
    CHECK_EQ(h.notes[0].local.family, 4);
    CHECK(h.notes[0].owner == sock);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    net_close();
}

static void views_make_no_difference(void)
{
    struct fake_hdr hdr = fake_v4();
    uint8_t data[700];
    uint8_t got[700];
    size_t step;
    size_t i;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("udp.rcvbuf", 0x1000000), IIP_OK); /* a frame counts half at least, and here each byte has one */
    for (i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    fake_udp(&b, &hdr, 4000, 53, data, sizeof(data));
    for (step = 1; step < b.len; step += step < 150 ? 1 : 97) {
        fake_inject_split(&h, b.bytes, b.len, step);
        REQUIRE(fake_notes(&h) == 1);
        CHECK_EQ(h.notes[0].bytes, sizeof(data));
        CHECK_EQ(fake_pkt_read(h.notes[0].pkt, got, sizeof(got)), sizeof(got));
        CHECK_MEM(got, data, sizeof(data));
        iip_pkt_free(h.stk, h.notes[0].pkt);
    }
    net_close();
}

int main(void)
{
    RUN(takes_what_is_for_us);
    RUN(refuses_lengths_and_versions_that_cannot_be);
    RUN(cuts_padding);
    RUN(checks_the_sum);
    RUN(drops_what_is_for_others);
    RUN(drops_bad_sources);
    RUN(broadcasts);
    RUN(walks_options);
    RUN(notes_know_the_header);
    RUN(views_make_no_difference);
    return check_done();
}

/* ipv6_test.c - IPv6 input: headers and their chain [RFC 8200; RFC 4443]. */
/* covers: V6-01, V6-02, V6-05, A11, A35, A01 */
#include "net_test.h"

static struct iip_udp_sock *sock;

static int open_with_socket(void)
{
    if (net_open(0, 0))
        return -1;
    sock = net_socket("::", 53);
    return fake_neigh(&h, FAKE_V6_PEER);
}

static uint32_t arrived(void)
{
    uint32_t n = fake_notes(&h);
    uint32_t i;
    for (i = 0; i < n; i++)
        iip_pkt_free(h.stk, h.notes[i].pkt);
    return n;
}

/* A datagram behind extension headers. */
static void udp_behind(const struct fake_hdr *base, const uint8_t *ext, uint32_t len, uint8_t first)
{
    struct fake_hdr hdr = *base;
    hdr.opts = ext;
    hdr.opts_len = len;
    hdr.ext_first = first;
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    net_input();
}

/* The only packet sent is a parameter problem with this code and pointer, quoting what came in. */
static int is_problem(int code, uint32_t pointer)
{
    int ok = h.sent_count == 1 && net_sent(0) && v.proto == 58 && v.icmp_type == 4 && v.icmp_code == code &&
        v.csum_ok && ((uint32_t)v.l4[6] << 8 | v.l4[7]) == pointer && net_is_ip(&v.dst, FAKE_V6_PEER) &&
        v.payload_len == b.len - 14 && memcmp(v.payload, b.bytes + 14, v.payload_len) == 0;
    fake_forget(&h);
    return ok;
}

static void takes_what_is_for_us(void)
{
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_with_socket());
    hdr.tos = 0x2e;
    hdr.ttl = 9;
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    net_input();
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, 5);
    CHECK_EQ(h.notes[0].value, 0x2e << 8 | 9);
    CHECK(net_is_ip(&h.notes[0].peer.ip, FAKE_V6_PEER));
    CHECK(net_is_ip(&h.notes[0].local.ip, FAKE_V6_OURS));
    iip_pkt_free(h.stk, h.notes[0].pkt);
    fake_ip(&hdr.dst, "fe80::ff:fe00:1"); /* ours too, made from the MAC */
    fake_ip(&hdr.src, "fe80::2");
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    net_input();
    CHECK_EQ(arrived(), 1);
    net_close();
}

/* A11: sources and destinations that cannot be, to a port that would answer with an error. */
static void drops_bad_addresses(void)
{
    static const char *const bad[] = {"::",          "::1",        "ff02::1",        "::ffff:0a00:0002",
                                      "::0a00:0002", FAKE_V6_OURS, "fe80::ff:fe00:1"};
    static const char *const others[] = {"fd00::3", "::", "::1", "ff02::2", "ff05::1", "fd00::1:1"};
    struct fake_hdr hdr = fake_v6();
    uint32_t i;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 7; i++) {
        fake_ip(&hdr.src, bad[i]);
        fake_udp(&b, &hdr, 4000, 53, "hello", 5);
        net_input();
        fake_udp(&b, &hdr, 4000, 54, "hello", 5);
        net_input();
    }
    CHECK_EQ(net_counter("drop_ip_src"), 14);
    hdr = fake_v6();
    for (i = 0; i < 6; i++) {
        fake_ip(&hdr.dst, others[i]);
        fake_udp(&b, &hdr, 4000, 53, "hello", 5);
        net_input();
    }
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    memcpy(b.bytes + 14 + 24, "\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\1", 16); /* our IPv4 address in disguise */
    net_input();
    CHECK_EQ(net_counter("drop_ip_dst"), 7);
    fake_ip(&hdr.src, "::"); /* from no address, to a group: only neighbour discovery may */
    fake_ip(&hdr.dst, "ff02::1");
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    net_input();
    CHECK_EQ(net_counter("drop_ip_src"), 15);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void refuses_lengths_that_cannot_be(void)
{
    struct fake_hdr hdr = fake_v6();
    uint32_t len;
    REQUIRE(!open_with_socket());
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    for (len = 14; len < b.len; len++)
        fake_input(&h, b.bytes, len);
    CHECK_EQ(net_counter("drop_ip_header"), b.len - 14);
    memset(b.bytes + b.len, 0x55, 9); /* padding is cut off */
    b.len += 9;
    net_input();
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, 5);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    net_close();
}

/* V6-01 */
static void walks_known_headers(void)
{
    static const uint8_t hop[8] = {17, 0, 1, 4};
    static const uint8_t three[32] = {60, 0, 1, 4, 0, 0, 0, 0, 43, 1, 1,  12, 0, 0,
                                      0,  0, 0, 0, 0, 0, 0, 0, 0,  0, 17, 0,  0, 0};
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_with_socket());
    udp_behind(&hdr, hop, 8, 0);
    udp_behind(&hdr, hop, 8, 60);
    udp_behind(&hdr, three, 32, 0);
    CHECK_EQ(arrived(), 3);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void refuses_unknown_headers(void)
{
    static const uint8_t late_hop[16] = {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0};
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_with_socket());
    fake_ip_packet(&b, &hdr, 99, "????????", 8);
    net_input();
    CHECK(is_problem(1, 6));
    udp_behind(&hdr, late_hop, 16, 60); /* hop-by-hop only first */
    CHECK(is_problem(1, 40));
    fake_ip_packet(&b, &hdr, 59, "????????", 8); /* no next header: nothing to say */
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(net_counter("drop_ip_proto"), 3);
    net_close();
}

/* V6-02 */
static void unknown_options_say_what_to_do(void)
{
    uint8_t opt[8] = {17, 0, 0x1e, 4, 0, 0, 0, 0};
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_with_socket());
    udp_behind(&hdr, opt, 8, 60);
    CHECK_EQ(arrived(), 1);
    opt[2] = 0x5e;
    udp_behind(&hdr, opt, 8, 60);
    CHECK_EQ(h.sent_count, 0);
    opt[2] = 0x9e;
    udp_behind(&hdr, opt, 8, 60);
    CHECK(is_problem(2, 42));
    opt[2] = 0xde;
    udp_behind(&hdr, opt, 8, 60);
    CHECK(is_problem(2, 42));
    fake_ip(&hdr.dst, "ff02::1");
    udp_behind(&hdr, opt, 8, 60);
    CHECK_EQ(h.sent_count, 0);
    opt[2] = 0x9e;
    udp_behind(&hdr, opt, 8, 60);
    CHECK(is_problem(2, 42)); /* this one is answered even to a group */
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(net_counter("drop_ip_option"), 5);
    net_close();
}

/* V6-05, RFC 5095 */
static void refuses_routing(void)
{
    uint8_t rh[24] = {17, 2, 0, 1};
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_with_socket());
    udp_behind(&hdr, rh, 24, 43);
    CHECK(is_problem(0, 42));
    rh[2] = 2;
    udp_behind(&hdr, rh, 24, 43);
    CHECK(is_problem(0, 42));
    rh[3] = 0; /* nowhere left to go */
    udp_behind(&hdr, rh, 24, 43);
    CHECK_EQ(arrived(), 1);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* A35: a hundred headers, lengths that overrun, chains that lead nowhere. */
static void walks_have_an_end(void)
{
    static uint8_t ext[1600];
    struct fake_hdr hdr = fake_v6();
    uint32_t i;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 100; i++) {
        ext[i * 8] = i < 99 ? 60 : 17;
        ext[i * 8 + 2] = 1;
        ext[i * 8 + 3] = 4;
    }
    udp_behind(&hdr, ext, 800, 60);
    CHECK_EQ(net_counter("drop_ip_ext"), 1);
    ext[1] = 255; /* longer than the packet */
    udp_behind(&hdr, ext, 8, 60);
    CHECK_EQ(net_counter("drop_ip_ext"), 2);
    ext[1] = 0;
    ext[3] = 5; /* the option is longer than its header */
    udp_behind(&hdr, ext, 8, 60);
    CHECK_EQ(net_counter("drop_ip_ext"), 3);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* Long chains in small views: the headers are moved together, or the packet is dropped, but never misread. */
static void views_make_no_difference(void)
{
    static uint8_t ext[1208];
    struct fake_hdr hdr = fake_v6();
    uint32_t lens[] = {8, 64, 200, 600, 896};
    uint32_t i;
    size_t step;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("udp.rcvbuf", 0x1000000), IIP_OK);
    for (i = 0; i < 5; i++) {
        memset(ext, 0, sizeof(ext));
        ext[0] = 17;
        ext[1] = (uint8_t)(lens[i] / 8 - 1);
        for (step = 41; step < 1300; step += 97) {
            hdr.opts = ext;
            hdr.opts_len = lens[i];
            hdr.ext_first = 60;
            fake_udp(&b, &hdr, 4000, 53, "hello", 5);
            fake_inject_split(&h, b.bytes, b.len, step);
            CHECK_EQ(arrived(), 1);
        }
    }
    ext[1] = 1200 / 8 - 1;
    hdr.opts_len = 1200;
    fake_udp(&b, &hdr, 4000, 53, "hello", 5);
    fake_inject_split(&h, b.bytes, b.len, 500);
    CHECK_EQ(arrived(), 0);
    CHECK_EQ(net_counter("drop_ip_ext"), 1);
    net_close();
}

static void an_error_is_not_answered(void)
{
    struct fake_hdr hdr = fake_v6();
    static const uint8_t unknown[8] = {58, 0, 0x9e, 4};
    REQUIRE(!open_with_socket());
    hdr.opts = unknown;
    hdr.opts_len = 8;
    hdr.ext_first = 60;
    fake_icmp(&b, &hdr, 1, 0, 0, "12345678", 8);
    net_input();
    CHECK_EQ(net_counter("drop_ip_option"), 1);
    CHECK_EQ(h.sent_count, 0); /* [RFC 4443 2.4 (e.1)] */
    fake_icmp(&b, &hdr, 128, 0, 0, "12345678", 8);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    net_close();
}

int main(void)
{
    RUN(takes_what_is_for_us);
    RUN(drops_bad_addresses);
    RUN(refuses_lengths_that_cannot_be);
    RUN(walks_known_headers);
    RUN(refuses_unknown_headers);
    RUN(unknown_options_say_what_to_do);
    RUN(refuses_routing);
    RUN(walks_have_an_end);
    RUN(views_make_no_difference);
    RUN(an_error_is_not_answered);
    return check_done();
}

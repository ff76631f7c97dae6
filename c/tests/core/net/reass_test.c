/* reass_test.c - putting fragments together [RFC 791, RFC 8200 4.5, RFC 5722, RFC 7112]. */
/* covers: IP-06, IP-07, V6-03, A13, A14, A15, A16 */
#include "net_test.h"

enum { PAYLOAD = 3000 };

static struct iip_udp_sock *sock;
static uint8_t datagram[70000]; /* UDP header and payload */
static uint8_t got[70000];
static int family;

static int open_family(int f)
{
    family = f;
    if (net_open(0, 0))
        return -1;
    sock = net_socket(f == 4 ? "0.0.0.0" : "::", 53);
    return fake_neigh(&h, FAKE_V4_PEER) | fake_neigh(&h, FAKE_V6_PEER);
}

static struct fake_hdr header(void)
{
    return family == 4 ? fake_v4() : fake_v6();
}

/* A datagram of `len` payload bytes in datagram[], checksum and all. */
static void make(uint32_t len)
{
    static struct fake_buf whole;
    struct fake_hdr hdr = header();
    uint32_t i;
    for (i = 0; i < len; i++)
        got[i] = (uint8_t)(i * 31 + i / 256);
    fake_udp(&whole, &hdr, 4000, 53, got, len);
    memcpy(datagram, whole.bytes + whole.len - len - 8, len + 8);
}

/* Builds one fragment of what stands in datagram[]. */
static void build(const struct fake_hdr *base, uint32_t id, uint32_t offset, uint32_t len, int more)
{
    struct fake_hdr hdr = *base;
    uint8_t frag[8] = {17, 0, (uint8_t)(offset >> 8), (uint8_t)((offset & 0xf8) | (more ? 1 : 0)),
                       0,  0, (uint8_t)(id >> 8),     (uint8_t)id};
    if (family == 4) {
        hdr.id = (uint16_t)id;
        hdr.frag = (uint16_t)(offset / 8 | (more ? 0x2000 : 0));
    } else {
        hdr.opts = frag;
        hdr.opts_len = 8;
        hdr.ext_first = 44;
    }
    fake_ip_packet(&b, &hdr, 17, datagram + offset, len);
}

static void piece(uint32_t id, uint32_t offset, uint32_t len, int more)
{
    struct fake_hdr hdr = header();
    build(&hdr, id, offset, len, more);
    net_input();
}

/* 1 when a datagram of `len` bytes came up, and it is the one from make(). */
static int arrived(uint32_t len)
{
    uint32_t n = fake_notes(&h);
    int ok = n == 1 && h.notes[0].bytes == len && fake_pkt_read(h.notes[0].pkt, got, sizeof(got)) == len &&
        memcmp(got, datagram + 8, len) == 0 && h.notes[0].peer.port == 4000 &&
        net_is_ip(&h.notes[0].peer.ip, family == 4 ? FAKE_V4_PEER : FAKE_V6_PEER);
    uint32_t i;
    for (i = 0; i < n; i++)
        iip_pkt_free(h.stk, h.notes[i].pkt);
    return ok;
}

static int nothing_came(void)
{
    return fake_notes(&h) == 0;
}

/* IP-06: every order of four pieces. */
static void any_order(void)
{
    static const uint32_t at[5] = {0, 8, 1000, 2000, PAYLOAD + 8};
    uint32_t order;
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    for (order = 0; order < 256; order++) {
        uint32_t p[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6 & 3};
        uint32_t i;
        if ((1u << p[0] | 1u << p[1] | 1u << p[2] | 1u << p[3]) != 15)
            continue;
        for (i = 0; i < 4; i++) {
            CHECK(nothing_came());
            CHECK_EQ(net_counter("rx_held"), i);
            piece(order, at[p[i]], at[p[i] + 1] - at[p[i]], p[i] < 3);
        }
        CHECK(arrived(PAYLOAD));
        CHECK_EQ(net_counter("rx_held"), 0);
    }
    CHECK_EQ(net_counter("reassembled"), 24);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

static void the_largest_datagram(void)
{
    uint32_t len = family == 4 ? 65535 - 20 - 8 : 65535 - 8;
    uint32_t offset;
    REQUIRE(!open_family(family));
    make(len);
    for (offset = 0; offset < len + 8; offset += 1480)
        piece(7, offset, len + 8 - offset < 1480 ? len + 8 - offset : 1480, offset + 1480 < len + 8);
    CHECK(arrived(len));
    net_close();
}

/* A13: past 65535 the whole datagram goes. */
static void the_ping_of_death(void)
{
    REQUIRE(!open_family(family));
    make(100);
    piece(7, 0, 1000, 1);
    CHECK_EQ(net_counter("rx_held"), 1);
    piece(7, 65528, 48, 0);
    if (family == 4) {
        CHECK_EQ(net_counter("drop_fragment"), 2);
        CHECK_EQ(net_counter("rx_held"), 0);
        CHECK_EQ(h.sent_count, 0);
    } else { /* [RFC 8200 4.5] the fragment is dropped, and said so */
        CHECK_EQ(net_counter("drop_fragment"), 1);
        CHECK_EQ(h.sent_count, 1);
        CHECK(net_sent(0));
        CHECK_EQ(v.icmp_type, 4);
        CHECK_EQ(v.l4[7], 42);
    }
    CHECK(nothing_came());
    net_close();
}

/* A14: overlaps of every shape drop the datagram, in either order, and what comes later of it. */
static void overlaps(void)
{
    static const uint32_t shape[][2] = {{0, 808},    {792, 16},  {792, 8 + 800}, {808, 8},
                                        {792, 1600}, {1592, 16}, {800, 400}};
    uint32_t i;
    uint32_t swap;
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    for (i = 0; i < 7; i++) {
        for (swap = 0; swap < 2; swap++) {
            uint32_t id = i * 2 + swap;
            if (swap)
                piece(id, shape[i][0], shape[i][1], 1);
            piece(id, 800, 800, 1);
            if (!swap)
                piece(id, shape[i][0], shape[i][1], 1);
            CHECK_EQ(net_counter("rx_held"), 0);
            CHECK_EQ(net_counter("drop_fragment"), id * 5 + 2);
            piece(id, 0, 800, 1);
            piece(id, 800, 800, 1);
            piece(id, 1600, PAYLOAD + 8 - 1600, 0);
            CHECK_EQ(net_counter("drop_fragment"), (id + 1) * 5);
        }
    }
    CHECK(nothing_came());
    fake_run(&h, 60000000);
    CHECK_EQ(h.sent_count, 0); /* no time exceeded for what was refused */
    net_close();
}

static void duplicates_are_harmless(void)
{
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    piece(7, 0, 1000, 1);
    piece(7, 0, 1000, 1);
    piece(7, 2000, PAYLOAD + 8 - 2000, 0);
    piece(7, 2000, PAYLOAD + 8 - 2000, 0);
    CHECK_EQ(net_counter("drop_fragment"), 2);
    piece(7, 1000, 1000, 1);
    CHECK(arrived(PAYLOAD));
    net_close();
}

static void two_ends_do_not_agree(void)
{
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    piece(1, 2000, 1000, 0);
    piece(1, 1000, 504, 0); /* an end before the end */
    piece(2, 1000, 504, 0);
    piece(2, 2000, 1000, 1); /* more after the end */
    piece(3, 1000, 1000, 0);
    piece(3, 2000, 1000, 0);
    CHECK_EQ(net_counter("drop_fragment"), 6);
    CHECK_EQ(net_counter("rx_held"), 0);
    net_close();
}

/* A16: nothing in it, or not a multiple of 8. */
static void malformed_fragments(void)
{
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    piece(7, 8, 0, 1);
    piece(7, 0, 1001, 1);
    CHECK_EQ(net_counter("drop_fragment"), 2);
    CHECK_EQ(net_counter("rx_held"), 0);
    if (family == 6) {
        CHECK_EQ(h.sent_count, 1);
        CHECK(net_sent(0));
        CHECK_EQ(v.icmp_type, 4);
        CHECK_EQ(v.icmp_code, 0);
        CHECK_EQ(v.l4[7], 4); /* the payload length */
    }
    net_close();
}

/* IP-07, V6-03: 60 s after the first piece, whatever came since; an error only when the first fragment is there. */
static void times_out(void)
{
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    piece(7, 0, 1000, 1);
    fake_run(&h, 59999999);
    piece(7, 1000, 1000, 1);
    CHECK_EQ(h.sent_count, 0);
    fake_run(&h, 1);
    CHECK_EQ(net_counter("drop_fragment_timeout"), 2);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, family == 4 ? 11 : 3);
    CHECK_EQ(v.icmp_code, 1);
    CHECK(v.csum_ok);
    CHECK_EQ(v.payload[0] >> 4, family);
    piece(8, 1000, 1000, 1);
    fake_run(&h, 60000000);
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(net_counter("drop_fragment_timeout"), 3);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

/* A15: a hundred thousand that never end; another source's datagram still gets through. */
static void limits_hold(void)
{
    struct fake_hdr hdr = header();
    uint32_t i;
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    for (i = 0; i < 100000; i++) {
        hdr.src.b[13] = (uint8_t)(i >> 12);
        hdr.src.b[14] = (uint8_t)(i >> 6);
        hdr.src.b[15] = (uint8_t)(i % 200 + 3);
        build(&hdr, i & 0xffff, 0, 800, 1);
        fake_inject(&h, b.bytes, b.len, 0);
        if (h.frames_live > 64 || net_counter("rx_held") > 64)
            break;
    }
    CHECK_EQ(i, 100000);
    piece(7, 0, 1000, 1);
    piece(7, 1000, PAYLOAD + 8 - 1000, 0);
    CHECK(arrived(PAYLOAD));
    net_close();
}

/* One source gets half, and no more. */
static void one_source_gets_half(void)
{
    uint32_t i;
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    for (i = 0; i < 200; i++)
        piece(i, 0, 800, 1);
    CHECK_EQ(net_counter("rx_held"), 32);
    CHECK_EQ(net_counter("drop_fragment_limit"), 168);
    CHECK_EQ(net_set("ip.reass_bytes", 40000), IIP_OK);
    for (i = 200; i < 300; i++)
        piece(0, 800 + 8 * (i - 200), 8, 1);
    CHECK(net_counter("rx_held") <= 40);
    net_close();
}

/* All sources together: the bytes have a ceiling, and the oldest makes room for the newest. */
static void all_sources_share_the_bytes(void)
{
    struct fake_hdr hdr;
    uint32_t i;
    REQUIRE(!open_family(family));
    CHECK_EQ(net_set("ip.reass_datagrams", 1000), IIP_OK);
    CHECK_EQ(net_set("ip.reass_bytes", 40000), IIP_OK);
    make(PAYLOAD);
    for (i = 0; i < 100; i++) {
        hdr = header();
        hdr.src.b[15] = (uint8_t)(100 + i);
        build(&hdr, 1, 0, 800, 1);
        net_input();
        CHECK(net_counter("rx_held") * 800 <= 40000);
    }
    CHECK(net_counter("rx_held") > 5);
    CHECK(net_counter("drop_fragment_limit") >= 50);
    build(&hdr, 1, 800, PAYLOAD + 8 - 800, 0);
    net_input();
    CHECK_EQ(net_counter("reassembled"), 1);
    net_close();
}

/* Eight bytes a piece, from the end: the pieces of one datagram are limited. */
static void many_small_pieces(void)
{
    uint32_t i;
    REQUIRE(!open_family(family));
    CHECK_EQ(net_set("ip.reass_bytes", 0x1000000), IIP_OK);
    make(PAYLOAD);
    for (i = (PAYLOAD + 8) / 8; i-- > 0;)
        piece(7, i * 8, 8, i + 1 < (PAYLOAD + 8) / 8);
    CHECK_EQ(net_counter("rx_held"), 256);
    CHECK(nothing_came());
    make(1000);
    for (i = 126; i-- > 0;)
        piece(8, i * 8, 8, i < 125);
    CHECK(arrived(1000));
    net_close();
}

static void none_when_switched_off(void)
{
    REQUIRE(!open_family(family));
    CHECK_EQ(net_set("ip.reass_datagrams", 0), IIP_OK);
    make(PAYLOAD);
    piece(7, 0, 1000, 1);
    CHECK_EQ(net_counter("drop_fragment_limit"), 1);
    CHECK_EQ(net_counter("rx_held"), 0);
    net_close();
}

/* Different source, destination, identification: different datagrams. */
static void datagrams_do_not_mix(void)
{
    struct fake_hdr hdr;
    REQUIRE(!open_family(family));
    make(PAYLOAD);
    hdr = header();
    hdr.src.b[15] ^= 0x40;
    piece(1, 0, 1000, 1);
    build(&hdr, 1, 1000, PAYLOAD + 8 - 1000, 0);
    net_input();
    piece(2, 1000, PAYLOAD + 8 - 1000, 0);
    CHECK(nothing_came());
    CHECK_EQ(net_counter("rx_held"), 3);
    piece(1, 1000, PAYLOAD + 8 - 1000, 0);
    CHECK(arrived(PAYLOAD));
    net_close();
}

static void both(void (*test)(void), const char *name)
{
    char text[64];
    for (family = 4; family <= 6; family += 2) {
        int f = family;
        snprintf(text, sizeof(text), "%s, IPv%d", name, f);
        check_run(test, text);
        family = f;
    }
}

/* A16, RFC 1858: over IPv4 no TCP header is cut in two. */
static void tiny_tcp_fragments(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_family(4));
    hdr.id = 9;
    hdr.frag = 0x2000;
    fake_ip_packet(&b, &hdr, 6, datagram, 16);
    net_input();
    hdr.frag = 1;
    fake_ip_packet(&b, &hdr, 6, datagram, 16);
    net_input();
    CHECK_EQ(net_counter("drop_fragment"), 2);
    CHECK_EQ(net_counter("rx_held"), 0);
    net_close();
}

/* RFC 7112: over IPv6 the first fragment has all headers. */
static void incomplete_header_chains(void)
{
    static const uint8_t frag[8] = {60, 0, 0, 1, 0, 0, 0, 5};
    static const uint8_t dst_opts[16] = {17, 1, 1, 12};
    struct fake_hdr hdr = fake_v6();
    REQUIRE(!open_family(6));
    hdr.opts = frag;
    hdr.opts_len = 8;
    hdr.ext_first = 44;
    fake_ip_packet(&b, &hdr, 0, dst_opts, 16);
    net_input();
    CHECK_EQ(net_counter("drop_fragment"), 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, 4);
    CHECK_EQ(v.icmp_code, 3);
    net_close();
}

/* RFC 6946: all in one piece, whatever else of that name waits. */
static void atomic_fragments(void)
{
    REQUIRE(!open_family(6));
    make(500);
    piece(7, 0, 504, 1);
    piece(7, 0, 508, 0);
    CHECK(arrived(500));
    CHECK_EQ(net_counter("rx_held"), 1);
    net_close();
}

/* Headers before and behind the fragment header survive. */
static void headers_around_the_fragment_header(void)
{
    uint8_t before[16] = {44, 0, 1, 4, 0, 0, 0, 0, 60, 0, 0, 1, 0, 0, 0, 5};
    uint8_t first[16 + 500];
    struct fake_hdr hdr = fake_v6();
    uint32_t half = 248;
    REQUIRE(!open_family(6));
    make(500);
    memset(first, 0, 16);
    first[0] = 17;
    first[2] = 1;
    first[3] = 4;
    memcpy(first + 8, datagram, half);
    hdr.opts = before;
    hdr.opts_len = 16;
    hdr.ext_first = 60;
    fake_ip_packet(&b, &hdr, 0, first, 8 + half);
    net_input();
    before[10] = (uint8_t)((8 + half) >> 8);
    before[11] = (uint8_t)(8 + half);
    fake_ip_packet(&b, &hdr, 0, datagram + half, 508 - half);
    net_input();
    CHECK(arrived(500));
    net_close();
}

/* A fragment header inside what was put together makes no sense. */
static void no_fragments_in_fragments(void)
{
    struct fake_hdr hdr = fake_v6();
    uint8_t frag[8] = {44, 0, 0, 1, 0, 0, 0, 5};
    uint8_t inner[24] = {17, 0, 0, 1, 0, 0, 0, 6};
    REQUIRE(!open_family(6));
    hdr.opts = frag;
    hdr.opts_len = 8;
    hdr.ext_first = 44;
    fake_ip_packet(&b, &hdr, 0, inner, 24);
    net_input();
    frag[3] = 24;
    fake_ip_packet(&b, &hdr, 0, inner, 24);
    net_input();
    CHECK_EQ(net_counter("drop_ip_ext"), 1);
    CHECK(nothing_came());
    net_close();
}

#define BOTH(test) both((test), #test)

int main(void)
{
    BOTH(any_order);
    BOTH(the_largest_datagram);
    BOTH(the_ping_of_death);
    BOTH(overlaps);
    BOTH(duplicates_are_harmless);
    BOTH(two_ends_do_not_agree);
    BOTH(malformed_fragments);
    BOTH(times_out);
    BOTH(limits_hold);
    BOTH(one_source_gets_half);
    BOTH(all_sources_share_the_bytes);
    BOTH(many_small_pieces);
    BOTH(none_when_switched_off);
    BOTH(datagrams_do_not_mix);
    RUN(tiny_tcp_fragments);
    RUN(incomplete_header_chains);
    RUN(atomic_fragments);
    RUN(headers_around_the_fragment_header);
    RUN(no_fragments_in_fragments);
    return check_done();
}

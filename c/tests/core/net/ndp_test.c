/* ndp_test.c - neighbour solicitation and advertisement in and out [RFC 4861 7]. */
/* covers: V6-06, V6-13, A33 */
#include "net_test.h"

static struct iip_udp_sock *sock;

static int open_with_socket(void)
{
    if (net_open(0, 0))
        return -1;
    sock = net_socket("::", 1000);
    return 0;
}

static struct fake_hdr to_group(const char *group)
{
    struct fake_hdr hdr = fake_v6();
    fake_ip(&hdr.dst, group);
    hdr.eth_dst[0] = hdr.eth_dst[1] = 0x33;
    memcpy(hdr.eth_dst + 2, hdr.dst.b + 12, 4);
    return hdr;
}

static void solicit(const char *target)
{
    struct fake_hdr hdr = to_group("ff02::1:ff00:1");
    fake_ndp(&b, &hdr, 135, 0, target, mac_peer);
    net_input();
}

static void answer(uint32_t flags, const uint8_t *mac)
{
    struct fake_hdr hdr = fake_v6();
    fake_ndp(&b, &hdr, 136, flags, FAKE_V6_PEER, mac);
    net_input();
}

/* The i-th packet is a solicitation for target, to this station. */
static int is_solicitation(uint32_t i, const char *dst, const uint8_t *to)
{
    return net_sent(i) && v.proto == 58 && v.icmp_type == 135 && v.ttl == 255 && v.csum_ok && v.l4_len == 32 &&
        net_is_ip(&v.dst, dst) && memcmp(v.eth, to, 6) == 0 && memcmp(v.l4 + 26, mac_ours, 6) == 0 && v.l4[24] == 1 &&
        memcmp(v.l4 + 4, "\0\0\0\0", 4) == 0;
}

static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0, 0, 2};

static void answers_a_solicitation(void)
{
    REQUIRE(!open_with_socket());
    solicit(FAKE_V6_OURS);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, 136);
    CHECK_EQ(v.ttl, 255);
    CHECK(v.csum_ok);
    CHECK_EQ(v.l4[4], 0x60); /* solicited, override */
    CHECK_MEM(v.l4 + 26, mac_ours, 6);
    CHECK_MEM(v.eth, mac_peer, 6);
    CHECK(net_is_ip(&v.dst, FAKE_V6_PEER));
    CHECK(net_is_ip(&v.src, FAKE_V6_OURS));
    solicit("fd00::1234:1");
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(net_counter("drop_ndp"), 1);
    net_close();
}

/* [RFC 4861 7.2.4] From no address the answer goes to all nodes, unsolicited. */
static void answers_a_probe(void)
{
    struct fake_hdr hdr = to_group("ff02::1:ff00:1");
    REQUIRE(!open_with_socket());
    fake_ip(&hdr.src, "::");
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, NULL);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.l4[4], 0x20);
    CHECK(net_is_ip(&v.dst, "ff02::1"));
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer); /* the option must not be there */
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(net_counter("drop_ndp"), 1);
    net_close();
}

static void resolves_a_neighbour(void)
{
    REQUIRE(!open_with_socket());
    net_send(sock, FAKE_V6_PEER, 7, "a", 1);
    net_send(sock, FAKE_V6_PEER, 7, "b", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(is_solicitation(0, "ff02::1:ff00:2", group_mac));
    CHECK(net_is_ip(&v.src, FAKE_V6_OURS));
    answer(0x60000000, mac_peer);
    CHECK_EQ(h.sent_count, 3);
    CHECK(net_sent(1) && v.payload[0] == 'a');
    CHECK(net_sent(2) && v.payload[0] == 'b');
    CHECK_MEM(v.eth, mac_peer, 6);
    CHECK_EQ(v.src_port, 1000);
    CHECK_EQ(v.dst_port, 7);
    CHECK(v.csum_ok);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

/* A link-local neighbour is asked from our link-local address, without any route. */
static void link_local_is_on_link(void)
{
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_send(sock, "fe80::2", 7, "a", 1), IIP_OK);
    CHECK(is_solicitation(0, "ff02::1:ff00:2", group_mac));
    CHECK(net_is_ip(&v.src, "fe80::ff:fe00:1"));
    net_close();
}

/* [RFC 4861 7.2.5] */
static void override_decides(void)
{
    REQUIRE(!open_with_socket());
    net_send(sock, FAKE_V6_PEER, 7, "a", 1);
    answer(0x40000000, NULL); /* no address: of no use to an incomplete entry */
    CHECK_EQ(h.sent_count, 1);
    answer(0x40000000, mac_peer);
    CHECK_EQ(h.sent_count, 2);
    answer(0x40000000, mac_third); /* another station, without override: doubt, but no change */
    fake_forget(&h);
    net_send(sock, FAKE_V6_PEER, 7, "b", 1);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, mac_peer, 6);
    CHECK_EQ(iip_stack_deadline(h.stk), h.now + 5000000);
    answer(0x20000000, mac_third);
    fake_forget(&h);
    net_send(sock, FAKE_V6_PEER, 7, "c", 1);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, mac_third, 6);
    net_close();
}

/* RFC 4861 7.3: DELAY, three probes to the station itself, then it is gone. */
static void probes_by_unicast(void)
{
    REQUIRE(!open_with_socket());
    net_send(sock, FAKE_V6_PEER, 7, "a", 1);
    answer(0x60000000, mac_peer);
    fake_run(&h, 30000000);
    fake_forget(&h);
    net_send(sock, FAKE_V6_PEER, 7, "b", 1);
    fake_run(&h, 4999999);
    CHECK_EQ(h.sent_count, 1);
    fake_run(&h, 1);
    CHECK(is_solicitation(1, FAKE_V6_PEER, mac_peer));
    fake_run(&h, 2999999);
    CHECK_EQ(h.sent_count, 4);
    CHECK(is_solicitation(3, FAKE_V6_PEER, mac_peer));
    CHECK_EQ(net_counter("neigh_failed"), 0);
    fake_run(&h, 1);
    CHECK_EQ(net_counter("neigh_failed"), 1);
    net_close();
}

/* A33, V6-06: from beyond the link, options of length 0, wrong codes and checksums. */
static void drops_what_cannot_be(void)
{
    struct fake_hdr hdr = to_group("ff02::1:ff00:1");
    uint8_t body[24];
    struct iip_ip ip;
    REQUIRE(!open_with_socket());
    hdr.ttl = 254;
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    net_input();
    hdr.ttl = 255;
    memcpy(body, fake_ip(&ip, FAKE_V6_OURS)->b, 16);
    memset(body + 16, 0, 8);
    body[16] = 1;
    fake_icmp(&b, &hdr, 135, 0, 0, body, 24);
    net_input();
    fake_icmp(&b, &hdr, 135, 1, 0, body, 16);
    net_input();
    fake_icmp(&b, &hdr, 135, 0, 0, body, 8);
    net_input();
    CHECK_EQ(net_counter("drop_ndp"), 4);
    hdr.bad_csum = 1;
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    net_input();
    CHECK_EQ(net_counter("drop_icmp"), 1);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* RFC 6980: neighbour discovery never comes in fragments, not even in one. */
static void drops_fragmented_ones(void)
{
    static const uint8_t atomic[8] = {58, 0, 0, 0, 0, 0, 0, 9};
    struct fake_hdr hdr = to_group("ff02::1:ff00:1");
    struct fake_buf plain;
    REQUIRE(!open_with_socket());
    fake_ndp(&plain, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    hdr.opts = atomic;
    hdr.opts_len = 8;
    hdr.ext_first = 44;
    fake_ip_packet(&b, &hdr, 58, plain.bytes + 54, 32);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_ndp"), 1);
    net_close();
}

static void ignores_routers(void)
{
    struct fake_hdr hdr = to_group("ff02::1");
    uint8_t body[32];
    int i;
    REQUIRE(!open_with_socket());
    memset(body, 0, sizeof(body));
    for (i = 0; i < 100; i++) {
        body[0] = (uint8_t)i;
        fake_icmp(&b, &hdr, 134, 0, 0x40000708, body, 8);
        net_input();
    }
    CHECK_EQ(net_counter("drop_icmp"), 100);
    fake_icmp(&b, &hdr, 134, 0, 0, body, 16); /* an option of length 0 */
    net_input();
    CHECK_EQ(net_counter("drop_ndp"), 1);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void remembers_who_asked(void)
{
    REQUIRE(!open_with_socket());
    solicit(FAKE_V6_OURS);
    fake_forget(&h);
    net_send(sock, FAKE_V6_PEER, 7, "a", 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.proto, 17);
    CHECK_MEM(v.eth, mac_peer, 6);
    net_close();
}

int main(void)
{
    RUN(answers_a_solicitation);
    RUN(answers_a_probe);
    RUN(resolves_a_neighbour);
    RUN(link_local_is_on_link);
    RUN(override_decides);
    RUN(probes_by_unicast);
    RUN(drops_what_cannot_be);
    RUN(drops_fragmented_ones);
    RUN(ignores_routers);
    RUN(remembers_who_asked);
    return check_done();
}

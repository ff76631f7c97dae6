/* dad_test.c - duplicate detection, announcements, defence [RFC 5227; RFC 4862 5.4]. */
/* covers: AR-05, AR-06, V6-08, A34 */
#include "net_test.h"

static int open_with_dad(void)
{
    if (net_open(0, 0))
        return -1;
    return net_set("ip.dad", 1);
}

static int add(const char *text, uint32_t len)
{
    struct iip_ip ip;
    int status = iip_stack_addr_add(h.stk, fake_ip(&ip, text), len);
    fake_output(&h);
    return status;
}

/* 1: the address answers ARP questions. */
static int answers(const char *text)
{
    uint32_t before = h.sent_count;
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, text);
    net_input();
    return h.sent_count == before + 1 && net_is_arp(before, 2, text, FAKE_V4_PEER, mac_peer);
}

/* AR-05: three probes from no address, 1 to 2 s apart, then two announcements 2 s apart. */
static void probes_then_announces(void)
{
    uint64_t begin;
    uint32_t i;
    REQUIRE(!open_with_dad());
    begin = h.now;
    CHECK_EQ(add("10.0.0.50", 24), IIP_OK);
    CHECK(!answers("10.0.0.50"));
    fake_run(&h, 20000000);
    CHECK_EQ(h.sent_count, 5);
    for (i = 0; i < 3; i++)
        CHECK(net_is_arp(i, 1, "0.0.0.0", "10.0.0.50", mac_all));
    for (; i < 5; i++)
        CHECK(net_is_arp(i, 1, "10.0.0.50", "10.0.0.50", mac_all));
    CHECK(h.sent[0].at - begin < 1000000);
    CHECK(h.sent[1].at - h.sent[0].at >= 1000000 && h.sent[1].at - h.sent[0].at < 2000000);
    CHECK(h.sent[2].at - h.sent[1].at >= 1000000 && h.sent[2].at - h.sent[1].at < 2000000);
    CHECK_EQ(h.sent[3].at - h.sent[2].at, 2000000);
    CHECK_EQ(h.sent[4].at - h.sent[3].at, 2000000);
    CHECK(answers("10.0.0.50"));
    net_close();
}

static void an_address_in_use_is_not_taken(void)
{
    struct iip_endpoint ep = fake_endpoint("10.0.0.50", 7);
    struct iip_udp_sock *sock;
    REQUIRE(!open_with_dad());
    CHECK_EQ(add("10.0.0.50", 24), IIP_OK);
    fake_run(&h, 1000000);
    fake_arp(&b, 2, mac_third, "10.0.0.50", mac_ours, "0.0.0.0");
    net_input();
    CHECK_EQ(net_counter("addr_conflict"), 1);
    fake_forget(&h);
    fake_run(&h, 20000000);
    CHECK_EQ(h.sent_count, 0);
    CHECK(!answers("10.0.0.50"));
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_E_ADDR_NOT_AVAIL);
    net_close();
}

/* [RFC 5227 2.1.1] Someone else probes for it at the same time: that is a conflict too. */
static void two_that_probe_both_stop(void)
{
    REQUIRE(!open_with_dad());
    CHECK_EQ(add("10.0.0.50", 24), IIP_OK);
    fake_arp(&b, 1, mac_third, "0.0.0.0", NULL, "10.0.0.50");
    net_input();
    CHECK_EQ(net_counter("addr_conflict"), 1);
    fake_run(&h, 20000000);
    CHECK(!answers("10.0.0.50"));
    net_close();
}

/* A probe for an address that is in use is answered, and is no conflict. */
static void a_probe_is_answered(void)
{
    REQUIRE(!net_open(0, 0));
    fake_arp(&b, 1, mac_peer, "0.0.0.0", NULL, FAKE_V4_OURS);
    net_input();
    CHECK(net_is_arp(0, 2, FAKE_V4_OURS, "0.0.0.0", mac_peer));
    CHECK_EQ(net_counter("addr_conflict"), 0);
    net_close();
}

/* AR-06: defended once in ten seconds, and kept. */
static void defends_once_in_ten_seconds(void)
{
    int i;
    REQUIRE(!net_open(0, 0));
    for (i = 0; i < 21; i++) {
        fake_arp(&b, 1, mac_third, FAKE_V4_OURS, NULL, FAKE_V4_OURS);
        net_input();
        fake_run(&h, 1000000);
    }
    CHECK_EQ(h.sent_count, 3);
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_OURS, mac_all));
    CHECK_EQ(h.sent[1].at - h.sent[0].at, 10000000);
    CHECK_EQ(net_counter("addr_conflict"), 21);
    CHECK(answers(FAKE_V4_OURS));
    net_close();
}

/* RFC 4862 5.4.2: one solicitation from no address, to the solicited-node group; in use a second later. */
static void probes_over_ipv6(void)
{
    struct iip_endpoint ep = fake_endpoint("fd00::50", 7);
    struct iip_udp_sock *sock;
    uint64_t at;
    REQUIRE(!open_with_dad());
    CHECK_EQ(add("fd00::50", 64), IIP_OK);
    fake_run(&h, 1000000);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, 135);
    CHECK_EQ(v.ttl, 255);
    CHECK(v.csum_ok);
    CHECK(net_is_ip(&v.src, "::"));
    CHECK(net_is_ip(&v.dst, "ff02::1:ff00:50"));
    CHECK_EQ(v.l4_len, 24);
    at = h.sent[0].at;
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_E_ADDR_NOT_AVAIL);
    fake_run(&h, at + 1000000 - h.now);
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_OK);
    CHECK_EQ(h.sent_count, 1);
    net_close();
}

static void ipv6_conflicts_are_seen(void)
{
    struct fake_hdr hdr;
    int i;
    for (i = 0; i < 2; i++) {
        REQUIRE(!open_with_dad());
        CHECK_EQ(add("fd00::50", 64), IIP_OK);
        hdr = fake_v6();
        if (i == 0) {
            fake_ip(&hdr.dst, "ff02::1");
            fake_ndp(&b, &hdr, 136, 0x20000000, "fd00::50", mac_third);
        } else {
            fake_ip(&hdr.src, "::");
            fake_ip(&hdr.dst, "ff02::1:ff00:50");
            fake_ndp(&b, &hdr, 135, 0, "fd00::50", NULL);
        }
        memcpy(b.bytes, "\x33\x33\x00\x00\x00\x01", 6);
        net_input();
        CHECK_EQ(net_counter("addr_conflict"), 1);
        fake_forget(&h);
        fake_run(&h, 10000000);
        CHECK_EQ(h.sent_count, 0);
        net_close();
    }
}

int main(void)
{
    RUN(probes_then_announces);
    RUN(an_address_in_use_is_not_taken);
    RUN(two_that_probe_both_stop);
    RUN(a_probe_is_answered);
    RUN(defends_once_in_ten_seconds);
    RUN(probes_over_ipv6);
    RUN(ipv6_conflicts_are_seen);
    return check_done();
}

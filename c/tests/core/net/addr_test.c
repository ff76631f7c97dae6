/* addr_test.c - our addresses, and which of them we send from [RFC 6724 5, RFC 1122 3.3.4.3]. */
/* covers: V6-14, MUST-44 */
#include "net_test.h"

static int add(const char *text, uint32_t len)
{
    struct iip_ip ip;
    return iip_stack_addr_add(h.stk, fake_ip(&ip, text), len);
}

static int del(const char *text)
{
    struct iip_ip ip;
    return iip_stack_addr_del(h.stk, fake_ip(&ip, text));
}

static int route(const char *dst, uint32_t len, const char *gateway)
{
    struct iip_ip ip;
    struct iip_ip gw;
    return iip_stack_route_add(h.stk, fake_ip(&ip, dst), len, gateway ? fake_ip(&gw, gateway) : NULL);
}

/* The source of a datagram to `dst`: connects a socket and asks for its address. */
static int source_is(const char *dst, const char *src)
{
    struct iip_endpoint peer = fake_endpoint(dst, 9);
    struct iip_endpoint local;
    struct iip_udp_sock *sock;
    int same;
    if (iip_udp_open(h.stk, NULL, &peer, NULL, &sock))
        return 0;
    iip_udp_local(sock, &local);
    iip_udp_close(h.stk, sock);
    same = net_is_ip(&local.ip, src);
    return same;
}

static void refuses_what_is_no_address(void)
{
    REQUIRE(!net_open(0, 0));
    CHECK_EQ(add("0.0.0.0", 24), IIP_E_INVAL);
    CHECK_EQ(add("::", 64), IIP_E_INVAL);
    CHECK_EQ(add("224.0.0.1", 24), IIP_E_INVAL);
    CHECK_EQ(add("255.255.255.255", 24), IIP_E_INVAL);
    CHECK_EQ(add("240.0.0.1", 24), IIP_E_INVAL);
    CHECK_EQ(add("ff02::1", 64), IIP_E_INVAL);
    CHECK_EQ(add("10.1.0.1", 33), IIP_E_INVAL);
    CHECK_EQ(add("fd01::1", 129), IIP_E_INVAL);
    CHECK_EQ(add(FAKE_V4_OURS, 24), IIP_E_EXISTS);
    CHECK_EQ(del("10.1.0.1"), IIP_E_NOT_FOUND);
    CHECK_EQ(del("10.0.0.255"), IIP_E_NOT_FOUND);
    net_close();
}

/* Many more than the fast path compares with. */
static void many_addresses_all_work(void)
{
    char text[32];
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!net_open(0, 0));
    for (i = 1; i <= 100; i++) {
        snprintf(text, sizeof(text), "10.0.1.%u", i);
        CHECK_EQ(add(text, 24), IIP_OK);
    }
    fake_output(&h);
    fake_neigh(&h, FAKE_V4_PEER);
    for (i = 1; i <= 100; i++) {
        snprintf(text, sizeof(text), "10.0.1.%u", i);
        fake_forget(&h);
        fake_ip(&hdr.dst, text);
        fake_icmp(&b, &hdr, 8, 0, 1, "ping", 4);
        net_input();
        CHECK_EQ(h.sent_count, 1);
        CHECK(net_sent(0) && net_is_ip(&v.src, text));
    }
    fake_ip(&hdr.src, "10.0.1.50"); /* from us, it says */
    net_input();
    fake_icmp(&b, &hdr, 8, 0, 1, "ping", 4);
    fake_forget(&h);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_ip_src"), 1);
    for (i = 1; i <= 100; i += 2) {
        snprintf(text, sizeof(text), "10.0.1.%u", i);
        CHECK_EQ(del(text), IIP_OK);
    }
    hdr = fake_v4();
    fake_ip(&hdr.dst, "10.0.1.51");
    fake_icmp(&b, &hdr, 8, 0, 1, "ping", 4);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_ip_dst"), 1);
    net_close();
}

/* The address in whose subnet the next hop lies. */
static void the_next_hops_subnet_decides(void)
{
    REQUIRE(!net_open(0, 0));
    CHECK_EQ(add("192.168.5.1", 24), IIP_OK);
    CHECK_EQ(route("172.16.0.0", 12, "192.168.5.254"), IIP_OK);
    CHECK(source_is("192.168.5.9", "192.168.5.1"));
    CHECK(source_is("10.0.0.9", FAKE_V4_OURS));
    CHECK(source_is("8.8.8.8", FAKE_V4_OURS));
    CHECK(source_is("172.16.1.1", "192.168.5.1"));
    net_close();
}

/* RFC 6724 5, rules 1, 2 and 8. */
static void scopes_and_prefixes_decide(void)
{
    REQUIRE(!net_open(0, 0));
    CHECK_EQ(add("2001:db8:1::1", 64), IIP_OK);
    CHECK_EQ(add("2001:db8:2::1", 64), IIP_OK);
    CHECK(source_is("fe80::9", "fe80::ff:fe00:1"));
    CHECK(source_is("2001:db8:1::9", "2001:db8:1::1"));
    CHECK(source_is("2001:db8:2::9", "2001:db8:2::1"));
    CHECK(source_is("2001:db8:1::1", "2001:db8:1::1"));
    CHECK(source_is("fd00::9", FAKE_V6_OURS));
    net_close();
}

/* IP-05: nothing leaves with a loopback source, nor to a loopback destination. */
static void loopback_stays_inside(void)
{
    struct iip_endpoint lo = fake_endpoint("127.0.0.1", 7);
    struct iip_endpoint to = fake_endpoint(FAKE_V4_PEER, 7);
    struct iip_udp_sock *sock;
    struct iip_pkt *pkt;
    REQUIRE(!net_open(0, 0));
    CHECK_EQ(add("127.0.0.1", 8), IIP_OK);
    CHECK_EQ(add("::1", 128), IIP_OK);
    fake_output(&h);
    CHECK_EQ(h.sent_count, 0);
    CHECK(source_is("127.0.0.1", "127.0.0.1"));
    CHECK(source_is("::1", "::1"));
    CHECK(source_is(FAKE_V4_PEER, FAKE_V4_OURS));
    CHECK_EQ(iip_udp_open(h.stk, &lo, NULL, NULL, &sock), IIP_OK);
    pkt = fake_pkt(&h, "x", 1);
    CHECK_EQ(iip_udp_send(h.stk, sock, NULL, &to, pkt), IIP_E_ADDR_NOT_AVAIL);
    CHECK_EQ(iip_udp_send(h.stk, sock, NULL, &lo, pkt), IIP_OK);
    fake_output(&h);
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, 1);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    pkt = fake_pkt(&h, "x", 1);
    to = fake_endpoint("127.0.0.2", 7);
    CHECK_EQ(iip_udp_send(h.stk, sock, NULL, &to, pkt), IIP_E_UNREACHABLE);
    iip_pkt_free(h.stk, pkt);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* A path that was found before an address or route changed is found anew. */
static void paths_follow_changes(void)
{
    struct iip_udp_sock *sock;
    REQUIRE(!net_open(0, 0));
    fake_neigh(&h, FAKE_V4_GATEWAY);
    fake_neigh(&h, "10.0.0.253");
    sock = net_socket("0.0.0.0", 1000);
    net_send(sock, "8.8.8.8", 7, "a", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(iip_stack_neigh_add(h.stk, &(struct iip_ip){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 253}},
                                 mac_third),
             IIP_OK);
    CHECK_EQ(route("8.0.0.0", 8, "10.0.0.253"), IIP_OK);
    net_send(sock, "8.8.8.8", 7, "b", 1);
    CHECK(net_sent(1));
    CHECK_MEM(v.eth, mac_third, 6);
    CHECK_EQ(add("8.8.8.8", 32), IIP_OK);
    fake_output(&h);
    fake_forget(&h);
    net_send(sock, "8.8.8.8", 1000, "c", 1);
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(fake_notes(&h), 1);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    net_close();
}

int main(void)
{
    RUN(refuses_what_is_no_address);
    RUN(many_addresses_all_work);
    RUN(the_next_hops_subnet_decides);
    RUN(scopes_and_prefixes_decide);
    RUN(loopback_stays_inside);
    RUN(paths_follow_changes);
    return check_done();
}

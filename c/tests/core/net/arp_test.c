/* arp_test.c - ARP in and out [RFC 826, RFC 1122 2.3.2]. */
/* covers: AR-01, AR-04, A34 */
#include "net_test.h"

static void answers_for_our_address_only(void)
{
    REQUIRE(!net_open(0, 0));
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_is_arp(0, 2, FAKE_V4_OURS, FAKE_V4_PEER, mac_peer));
    fake_forget(&h);
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, "10.0.0.9");
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_arp"), 1);
    net_close();
}

/* Who asks for us will be answered: its address is learnt from the question. */
static void learns_from_a_question(void)
{
    struct iip_udp_sock *sock;
    REQUIRE(!net_open(0, 0));
    sock = net_socket("0.0.0.0", 1000);
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    fake_forget(&h);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 7, "x", 1), IIP_OK);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0) && v.proto == 17);
    CHECK_MEM(v.eth, mac_peer, 6);
    net_close();
}

static void asks_once_and_sends_what_waited(void)
{
    struct iip_udp_sock *sock;
    REQUIRE(!net_open(0, 0));
    sock = net_socket("0.0.0.0", 1000);
    net_send(sock, FAKE_V4_PEER, 7, "1", 1);
    net_send(sock, FAKE_V4_PEER, 7, "2", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    fake_arp(&b, 2, mac_peer, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(h.sent_count, 3);
    CHECK(net_sent(1) && v.payload[0] == '1');
    CHECK(net_sent(2) && v.payload[0] == '2');
    CHECK_MEM(v.eth, mac_peer, 6);
    net_close();
}

/* A34: a reply that nobody asked for makes no entry. */
static void does_not_learn_from_strangers(void)
{
    struct iip_udp_sock *sock;
    REQUIRE(!net_open(0, 0));
    sock = net_socket("0.0.0.0", 1000);
    fake_arp(&b, 2, mac_peer, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(net_counter("drop_arp"), 1);
    net_send(sock, FAKE_V4_PEER, 7, "1", 1);
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    net_close();
}

/* A34: groups as senders, our own station, bad forms: nothing happens. */
static void drops_what_cannot_be(void)
{
    static const uint8_t group[6] = {3, 0, 0, 0, 0, 3};
    static const uint8_t none[6] = {0, 0, 0, 0, 0, 0};
    uint32_t len;
    REQUIRE(!net_open(0, 0));
    fake_arp(&b, 1, group, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    fake_arp(&b, 1, mac_ours, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    fake_arp(&b, 1, mac_peer, "224.0.0.5", NULL, FAKE_V4_OURS);
    net_input();
    fake_arp(&b, 1, mac_peer, "10.0.0.255", NULL, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_arp"), 4);
    fake_arp(&b, 1, none, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    memcpy(b.bytes + 6, mac_peer, 6);
    net_input(); /* answered, for the frame came from somewhere, but nothing is learnt */
    fake_forget(&h);
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    for (len = 0; len < 28; len++)
        fake_input(&h, b.bytes, 14 + len);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void announces_an_address_that_is_added(void)
{
    struct iip_ip ip;
    REQUIRE(!net_open(0, 0));
    CHECK_EQ(iip_stack_addr_add(h.stk, fake_ip(&ip, "10.0.0.77"), 24), IIP_OK);
    fake_output(&h);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_is_arp(0, 1, "10.0.0.77", "10.0.0.77", mac_all));
    net_close();
}

int main(void)
{
    RUN(answers_for_our_address_only);
    RUN(learns_from_a_question);
    RUN(asks_once_and_sends_what_waited);
    RUN(does_not_learn_from_strangers);
    RUN(drops_what_cannot_be);
    RUN(announces_an_address_that_is_added);
    return check_done();
}

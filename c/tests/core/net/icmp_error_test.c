/* icmp_error_test.c - errors that we send, and those about what we sent [RFC 1122 3.2.2, RFC 4443 2.4, RFC 5927]. */
/* covers: IC-02, IC-03, IC-04, IC-06, UD-02, UD-03, V6-10, PM-04 */
#include "net_test.h"

static int open_with_neighbours(void)
{
    if (net_open(0, 0))
        return -1;
    return fake_neigh(&h, FAKE_V4_PEER) | fake_neigh(&h, FAKE_V6_PEER);
}

/* IC-03: the IP header and as much as fits. */
static void port_unreachable(void)
{
    static uint8_t data[1400];
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_neighbours());
    fake_udp(&b, &hdr, 4000, 9999, "hello", 5);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, 3);
    CHECK_EQ(v.icmp_code, 3);
    CHECK(v.csum_ok);
    CHECK(net_is_ip(&v.src, FAKE_V4_OURS));
    CHECK_EQ(v.payload_len, b.len - 14);
    CHECK_MEM(v.payload, b.bytes + 14, v.payload_len);
    fake_udp(&b, &hdr, 4000, 9999, data, sizeof(data));
    net_input();
    CHECK(net_sent(1));
    CHECK_EQ(v.l4_len, 576 - 20);
    CHECK_MEM(v.payload, b.bytes + 14, v.payload_len);
    hdr = fake_v6();
    fake_udp(&b, &hdr, 4000, 9999, data, sizeof(data));
    net_input();
    CHECK(net_sent(2));
    CHECK_EQ(v.icmp_type, 1);
    CHECK_EQ(v.icmp_code, 4);
    CHECK(v.csum_ok);
    CHECK_EQ(v.l4_len, 1280 - 40);
    CHECK_EQ(net_counter("drop_udp_port"), 3);
    net_close();
}

static void protocol_unreachable(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_neighbours());
    fake_ip_packet(&b, &hdr, 99, "hello", 5);
    net_input();
    CHECK(net_sent(0));
    CHECK_EQ(v.icmp_type, 3);
    CHECK_EQ(v.icmp_code, 2);
    CHECK_EQ(net_counter("drop_ip_proto"), 1);
    net_close();
}

/* IC-06: as many a second as icmp.rate says. */
static void errors_are_limited(void)
{
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!open_with_neighbours());
    CHECK_EQ(net_set("icmp.rate", 10), IIP_OK);
    fake_udp(&b, &hdr, 4000, 9999, "hello", 5);
    for (i = 0; i < 1000; i++)
        net_input();
    CHECK_EQ(h.sent_count, 10);
    CHECK_EQ(net_counter("icmp_limited"), 990);
    fake_run(&h, 1000000);
    for (i = 0; i < 1000; i++)
        net_input();
    CHECK_EQ(h.sent_count, 20);
    net_close();
}

/* A43: an error is never more than three times what it is about. */
static void errors_do_not_amplify(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_neighbours());
    fake_udp(&b, &hdr, 4000, 9999, "", 0);
    net_input();
    CHECK(h.sent[0].len <= 3 * b.len);
    hdr = fake_v6();
    fake_udp(&b, &hdr, 4000, 9999, "", 0);
    net_input();
    CHECK(h.sent[1].len <= 3 * b.len);
    net_close();
}

/* Answers to ten thousand hosts: none of them stays in the neighbour cache for good. */
static void answers_pin_nothing(void)
{
    struct fake_hdr hdr = fake_v4();
    uint64_t used = 0;
    uint32_t i;
    REQUIRE(!open_with_neighbours());
    CHECK_EQ(net_set("neigh.entries", 16), IIP_OK);
    CHECK_EQ(net_set("icmp.rate", 1000000), IIP_OK);
    for (i = 0; i < 10000; i++) {
        hdr.src.b[15] = (uint8_t)(i % 250 + 3);
        fake_udp(&b, &hdr, 4000, 9999, "hello", 5);
        net_input();
        fake_icmp(&b, &hdr, 8, 0, 1, "ping", 4);
        net_input();
        if (i == 1000)
            used = iip_stack_mem_used(h.stk);
    }
    CHECK_EQ(iip_stack_mem_used(h.stk), used);
    net_close();
}

/* ---- errors in ---- */

static struct iip_udp_sock *sock;
static struct fake_buf ours; /* what the socket sent last */

static int open_and_send(const char *to)
{
    static uint8_t data[1000];
    if (open_with_neighbours())
        return -1;
    sock = net_socket(strchr(to, ':') ? "::" : "0.0.0.0", 1000);
    if (net_send(sock, to, 7, data, sizeof(data)) || h.sent_count != 1)
        return -1;
    memcpy(ours.bytes, h.sent[0].bytes, h.sent[0].len);
    ours.len = h.sent[0].len;
    fake_forget(&h);
    return 0;
}

/* An error from a router that quotes `len` bytes of what we sent. */
static void error4(uint8_t type, uint8_t code, uint32_t word, uint32_t len)
{
    struct fake_hdr hdr = fake_v4();
    fake_ip(&hdr.src, "10.0.0.254");
    fake_icmp(&b, &hdr, type, code, word, ours.bytes + 14, len);
    net_input();
}

static void error6(uint8_t type, uint8_t code, uint32_t word, uint32_t len)
{
    struct fake_hdr hdr = fake_v6();
    fake_ip(&hdr.src, "fd00::fe");
    fake_icmp(&b, &hdr, type, code, word, ours.bytes + 14, len);
    net_input();
}

/* One note with this status and type; UD-03. */
static int told(int status, int type, int code)
{
    uint32_t n = fake_notes(&h);
    return n == 1 && h.notes[0].type == IIP_NOTE_UDP_ERROR && h.notes[0].status == status &&
        h.notes[0].value == (uint32_t)(type << 8 | code) && h.notes[0].owner == sock && h.notes[0].peer.port == 7 &&
        h.notes[0].local.port == 1000;
}

/* [RFC 1122 3.2.2.1] Which of the codes are about the network, and which about the host. */
static void networks_and_hosts(void)
{
    uint8_t code;
    REQUIRE(!open_and_send(FAKE_V4_PEER));
    for (code = 0; code < 16; code++) {
        int net = code == 0 || code == 6 || code == 9 || code == 11;
        if (code < 2 || code > 5)
            error4(3, code, 0, 28);
        if (code < 2 || code > 5)
            CHECK(told(net ? IIP_E_NET_UNREACHABLE : IIP_E_UNREACHABLE, 3, code));
    }
    net_close();
}

static void errors_reach_the_socket(void)
{
    REQUIRE(!open_and_send(FAKE_V4_PEER));
    error4(3, 0, 0, 28);
    CHECK(told(IIP_E_NET_UNREACHABLE, 3, 0));
    error4(3, 1, 0, 28);
    CHECK(told(IIP_E_UNREACHABLE, 3, 1));
    error4(3, 3, 0, 28);
    CHECK(told(IIP_E_REFUSED, 3, 3));
    error4(11, 0, 0, 28);
    CHECK(told(IIP_E_TIMEOUT, 11, 0));
    error4(12, 0, 0, 28);
    CHECK(told(IIP_E_UNREACHABLE, 12, 0));
    net_close();
    REQUIRE(!open_and_send(FAKE_V6_PEER));
    error6(1, 0, 0, 48);
    CHECK(told(IIP_E_NET_UNREACHABLE, 1, 0));
    error6(1, 4, 0, 48);
    CHECK(told(IIP_E_REFUSED, 1, 4));
    error6(3, 0, 0, 48);
    CHECK(told(IIP_E_TIMEOUT, 3, 0));
    error6(4, 1, 40, 48);
    CHECK(told(IIP_E_UNREACHABLE, 4, 1));
    net_close();
}

/* Quotes of other hosts' packets, of other sockets, cut short, malformed: dropped. */
static void quotes_must_fit(void)
{
    uint32_t len;
    REQUIRE(!open_and_send(FAKE_V4_PEER));
    for (len = 0; len < 24; len++)
        error4(3, 3, 0, len);
    ours.bytes[14 + 12] ^= 1; /* not from us */
    error4(3, 3, 0, 28);
    ours.bytes[14 + 12] ^= 1;
    ours.bytes[14 + 21] ^= 1; /* no such socket */
    error4(3, 3, 0, 28);
    ours.bytes[14 + 21] ^= 1;
    ours.bytes[14 + 7] = 1; /* a later fragment says no ports */
    error4(3, 3, 0, 28);
    ours.bytes[14 + 7] = 0;
    ours.bytes[14 + 9] = 47; /* nothing that we speak */
    error4(3, 3, 0, 28);
    ours.bytes[14 + 9] = 17;
    ours.bytes[14] = 0x4f; /* the header is longer than the quote */
    error4(3, 3, 0, 28);
    CHECK_EQ(net_counter("drop_icmp"), 29);
    CHECK_EQ(fake_notes(&h), 0);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void an_error_never_begets_an_error(void)
{
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_with_neighbours());
    fake_icmp(&b, &hdr, 3, 3, 0, "nonsense that is no packet", 26);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

int main(void)
{
    RUN(port_unreachable);
    RUN(protocol_unreachable);
    RUN(errors_are_limited);
    RUN(errors_do_not_amplify);
    RUN(answers_pin_nothing);
    RUN(errors_reach_the_socket);
    RUN(networks_and_hosts);
    RUN(quotes_must_fit);
    RUN(an_error_never_begets_an_error);
    return check_done();
}

/* output_test.c - the IP header of what leaves, identification, fragments [RFC 791, RFC 6864, RFC 8200 4.5]. */
/* covers: IP-08, IP-11 */
#include "net_test.h"

#include "net/net.h"

static struct iip_udp_sock *sock;

static int open_with_socket(uint32_t flags, uint32_t caps)
{
    if (net_open(flags, caps))
        return -1;
    sock = net_socket("::", 1000);
    return flags & IIP_STACK_L3 ? 0 : fake_neigh(&h, FAKE_V4_PEER) | fake_neigh(&h, FAKE_V6_PEER);
}

static struct iip_tx_ip header_to(struct iip_ip *src, struct iip_ip *dst, uint8_t family)
{
    struct iip_tx_ip ip;
    memset(&ip, 0, sizeof(ip));
    ip.src = fake_ip(src, family == 4 ? FAKE_V4_OURS : FAKE_V6_OURS);
    ip.dst = fake_ip(dst, family == 4 ? FAKE_V4_PEER : FAKE_V6_PEER);
    ip.family = family;
    ip.proto = 99;
    ip.ttl = 33;
    ip.tos = 0xb9;
    return ip;
}

static int send_raw(uint8_t family, uint8_t df, uint32_t len, uint16_t flags)
{
    static uint8_t data[9000];
    struct iip_ip src;
    struct iip_ip dst;
    struct iip_tx_ip ip = header_to(&src, &dst, family);
    struct iip_pkt *pkt = fake_pkt(&h, data, len);
    int status;
    pkt->flags = flags;
    pkt->total = len;
    pkt->l4_len = 8;
    ip.df = df;
    status = iip_ip_output_once(h.stk, pkt, &ip);
    fake_output(&h);
    return status;
}

static void header_fields(void)
{
    uint32_t caps;
    for (caps = 0; caps <= IIP_CAP_TX_IP_CSUM; caps += IIP_CAP_TX_IP_CSUM) {
        REQUIRE(!open_with_socket(0, caps));
        CHECK_EQ(send_raw(4, 1, 100, 0), IIP_OK);
        CHECK_EQ(send_raw(6, 0, 100, 0), IIP_OK);
        CHECK(net_sent(0));
        CHECK(v.csum_ok);
        CHECK_EQ(v.ttl, 33);
        CHECK_EQ(v.tos, 0xb9);
        CHECK_EQ(v.proto, 99);
        CHECK_EQ(v.df, 1);
        CHECK_EQ(v.id, 0); /* [RFC 6864 4.1] */
        CHECK_EQ(v.l4_len, 100);
        CHECK_EQ(h.sent[0].flags, IIP_PKT_IPV4 | (caps ? IIP_PKT_IP_CSUM : 0));
        CHECK(net_sent(1));
        CHECK_EQ(v.ttl, 33);
        CHECK_EQ(v.tos, 0xb9);
        CHECK_EQ(v.proto, 99);
        CHECK_EQ(v.l4_len, 100);
        CHECK_EQ(h.sent[1].flags, IIP_PKT_IPV6);
        net_close();
    }
}

/* IP-11: what may be fragmented on its way has a name of its own. */
static void identification_is_unique(void)
{
    static uint8_t seen[65536];
    uint32_t i;
    REQUIRE(!open_with_socket(0, 0));
    memset(seen, 0, sizeof(seen));
    for (i = 0; i < 3000; i++) {
        send_raw(4, 0, 10, 0);
        CHECK(net_sent(i));
        CHECK(!seen[v.id]);
        seen[v.id] = 1;
    }
    net_close();
}

static void identification_differs_by_peer(void)
{
    struct iip_ip src;
    struct iip_ip dst;
    struct iip_tx_ip ip;
    uint32_t i;
    uint32_t same = 0;
    uint16_t first = 0;
    REQUIRE(!open_with_socket(IIP_STACK_L3, 0));
    for (i = 0; i < 50; i++) {
        struct iip_pkt *pkt = fake_pkt(&h, "12345678", 8);
        ip = header_to(&src, &dst, 4);
        dst.b[15] = (uint8_t)(i + 2);
        pkt->total = 8;
        iip_ip_output_once(h.stk, pkt, &ip);
        fake_output(&h);
        CHECK(net_sent(i));
        if (!i)
            first = v.id;
        same += (uint16_t)(v.id - first) < 100;
    }
    CHECK(same < 10);
    net_close();
}

static void what_is_too_large(void)
{
    REQUIRE(!open_with_socket(0, 0));
    CHECK_EQ(send_raw(4, 1, 1480, 0), IIP_OK);
    CHECK_EQ(h.sent_count, 1);
    send_raw(4, 1, 1481, 0); /* it must not be cut, and the link does not take it */
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(net_counter("tx_dropped"), 1);
    send_raw(4, 0, 1481, 0);
    CHECK_EQ(h.sent_count, 3);
    send_raw(6, 0, 1460, 0);
    CHECK_EQ(h.sent_count, 4);
    send_raw(6, 0, 1461, 0);
    CHECK_EQ(h.sent_count, 6);
    CHECK_EQ(net_counter("fragments_sent"), 4);
    net_close();
}

/* Every fragment of a datagram bears its name, and the next datagram another one. */
static void fragments_bear_one_name(void)
{
    uint32_t id;
    uint8_t family;
    for (family = 4; family <= 6; family += 2) {
        REQUIRE(!open_with_socket(0, 0));
        send_raw(family, 0, 4000, 0);
        send_raw(family, 0, 4000, 0);
        CHECK_EQ(h.sent_count, 6);
        CHECK(net_sent(0));
        id = v.frag_id;
        CHECK(net_sent(1) && v.frag_id == id && v.frag_offset == (family == 4 ? 1480 : 1448));
        CHECK(net_sent(2) && v.frag_id == id && !v.more);
        CHECK(net_sent(3) && v.frag_id != id);
        CHECK_EQ(v.ttl, 33);
        CHECK_EQ(v.tos, 0xb9);
        CHECK_EQ(v.proto, 99);
        net_close();
    }
}

/* A part of a datagram is of no use: all fragments leave, or none. */
static void all_fragments_or_none(void)
{
    REQUIRE(!open_with_socket(0, IIP_CAP_TX_SG));
    h.frames_max = h.frames_live + 3;
    send_raw(4, 0, 8000, 0);
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("tx_dropped"), 1);
    h.frames_max = 0;
    send_raw(4, 0, 8000, 0);
    CHECK_EQ(h.sent_count, 6);
    net_close();
}

static void no_route_no_packet(void)
{
    struct iip_ip src;
    struct iip_ip dst;
    struct iip_ip any;
    struct iip_tx_ip ip = header_to(&src, &dst, 4);
    struct iip_pkt *pkt;
    REQUIRE(!open_with_socket(0, 0));
    CHECK_EQ(iip_stack_route_del(h.stk, fake_ip(&any, "0.0.0.0"), 0), IIP_OK);
    fake_ip(&dst, "99.0.0.1");
    pkt = fake_pkt(&h, "x", 1);
    CHECK_EQ(iip_ip_output_once(h.stk, pkt, &ip), IIP_E_NET_UNREACHABLE);
    fake_ip(&dst, FAKE_V4_PEER);
    fake_ip(&src, "10.0.0.9");
    pkt = fake_pkt(&h, "x", 1);
    CHECK_EQ(iip_ip_output_once(h.stk, pkt, &ip), IIP_E_ADDR_NOT_AVAIL);
    CHECK_EQ(net_counter("tx_dropped"), 2);
    CHECK_EQ(net_counter("no_route"), 1);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* At L3 there is no link header, no neighbour, and what is not ours goes out. */
static void at_l3(void)
{
    REQUIRE(!open_with_socket(IIP_STACK_L3, IIP_CAP_TX_UDP_CSUM));
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_send(sock, "99.0.0.1", 7, "x", 1), IIP_OK);
    CHECK_EQ(net_send(sock, FAKE_V6_PEER, 7, "x", 1), IIP_OK);
    CHECK_EQ(net_send(sock, "224.0.0.1", 7, "x", 1), IIP_OK);
    CHECK_EQ(h.sent_count, 3);
    CHECK(net_sent(0) && v.csum_ok && net_is_ip(&v.dst, "99.0.0.1") && net_is_ip(&v.src, FAKE_V4_OURS));
    CHECK(net_sent(1) && v.csum_ok && v.type == 0x86dd);
    CHECK_EQ(h.sent[0].l2_len, 0);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

int main(void)
{
    RUN(header_fields);
    RUN(identification_is_unique);
    RUN(identification_differs_by_peer);
    RUN(what_is_too_large);
    RUN(fragments_bear_one_name);
    RUN(all_fragments_or_none);
    RUN(no_route_no_packet);
    RUN(at_l3);
    return check_done();
}

/* udp_test.c - sockets: who gets what, what leaves, ports [RFC 768, RFC 1122 4.1, RFC 6056]. */
/* covers: UD-01, UD-04, UD-05, 65-02, A01 */
#include "net_test.h"

static int open_quiet(uint32_t flags, uint32_t caps)
{
    if (net_open(flags, caps))
        return -1;
    return flags & IIP_STACK_L3 ? 0 : fake_neigh(&h, FAKE_V4_PEER) | fake_neigh(&h, FAKE_V6_PEER);
}

static int open_sock(const char *local, uint16_t port, const char *peer, uint16_t peer_port, struct iip_udp_sock **sock)
{
    struct iip_endpoint l = fake_endpoint(local ? local : "::", port);
    struct iip_endpoint p = fake_endpoint(peer ? peer : "::", peer_port);
    *sock = NULL;
    return iip_udp_open(h.stk, &l, peer ? &p : NULL, NULL, sock);
}

/* Who got the datagram that just came in? Null: nobody. */
static struct iip_udp_sock *taker(void)
{
    uint32_t n;
    memset(h.notes, 0xa5, sizeof(h.notes[0]));
    n = fake_notes(&h);
    if (n != 1)
        return NULL;
    CHECK_EQ(h.notes[0].type, IIP_NOTE_UDP);
    CHECK_EQ(h.notes[0].status, IIP_OK);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    return h.notes[0].owner;
}

static void from(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port)
{
    struct fake_hdr hdr = strchr(src, ':') ? fake_v6() : fake_v4();
    fake_ip(&hdr.src, src);
    fake_ip(&hdr.dst, dst);
    fake_udp(&b, &hdr, src_port, dst_port, "hello", 5);
    net_input();
}

static void the_closest_match_gets_it(void)
{
    struct iip_udp_sock *any, *one, *conn, *six;
    struct iip_ip ip;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(iip_stack_addr_add(h.stk, fake_ip(&ip, "10.0.0.77"), 24), IIP_OK);
    CHECK_EQ(open_sock("0.0.0.0", 53, NULL, 0, &any), IIP_OK);
    CHECK_EQ(open_sock("10.0.0.77", 53, NULL, 0, &one), IIP_OK);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 53, FAKE_V4_PEER, 4000, &conn), IIP_OK);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    CHECK(taker() == conn);
    from(FAKE_V4_PEER, 4001, FAKE_V4_OURS, 53);
    CHECK(taker() == any);
    from(FAKE_V4_PEER, 4000, "10.0.0.77", 53);
    CHECK(taker() == one);
    from(FAKE_V6_PEER, 4000, FAKE_V6_OURS, 53);
    CHECK(taker() == NULL);
    CHECK_EQ(open_sock("::", 54, NULL, 0, &six), IIP_OK); /* family 0: both */
    from(FAKE_V6_PEER, 4000, FAKE_V6_OURS, 54);
    CHECK(taker() == six);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 54);
    CHECK(taker() == six);
    iip_udp_close(h.stk, conn);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    CHECK(taker() == any);
    net_close();
}

static void ports_are_taken_once(void)
{
    struct iip_udp_sock *a, *x;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("0.0.0.0", 53, NULL, 0, &a), IIP_OK);
    CHECK_EQ(open_sock("0.0.0.0", 53, NULL, 0, &x), IIP_E_ADDR_IN_USE);
    CHECK_EQ(open_sock("::", 53, NULL, 0, &x), IIP_E_ADDR_IN_USE);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 53, NULL, 0, &x), IIP_OK);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 53, NULL, 0, &x), IIP_E_ADDR_IN_USE);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 53, FAKE_V4_PEER, 1, &x), IIP_OK);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 53, FAKE_V4_PEER, 1, &x), IIP_E_ADDR_IN_USE);
    CHECK_EQ(open_sock("10.0.0.99", 53, NULL, 0, &x), IIP_E_ADDR_NOT_AVAIL);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 0, FAKE_V6_PEER, 1, &x), IIP_E_INVAL);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 0, "0.0.0.0", 1, &x), IIP_E_INVAL);
    CHECK_EQ(open_sock(FAKE_V4_OURS, 0, FAKE_V4_PEER, 0, &x), IIP_E_INVAL);
    iip_udp_close(h.stk, a);
    CHECK_EQ(open_sock("0.0.0.0", 53, NULL, 0, &a), IIP_OK);
    net_close();
}

/* RFC 6056: all over 1024 to 65535, none twice, and not to be guessed from the last one. */
static void ephemeral_ports(void)
{
    static uint8_t seen[65536];
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    uint32_t quarter[4] = {0, 0, 0, 0};
    uint32_t near = 0;
    uint32_t last = 0;
    uint32_t i;
    REQUIRE(!open_quiet(0, 0));
    memset(seen, 0, sizeof(seen));
    for (i = 0; i < 4000; i++) {
        CHECK_EQ(open_sock("0.0.0.0", 0, NULL, 0, &sock), IIP_OK);
        iip_udp_local(sock, &local);
        CHECK(local.port >= 1024);
        CHECK(!seen[local.port]);
        seen[local.port] = 1;
        quarter[local.port >> 14]++;
        near += local.port - last + 64 < 128;
        last = local.port;
    }
    for (i = 0; i < 4; i++)
        CHECK(quarter[i] > 800 && quarter[i] < 1200);
    CHECK(near < 40);
    net_close();
}

static void the_last_free_ports_are_found(void)
{
    struct iip_udp_sock *sock;
    struct iip_endpoint local;
    uint32_t port;
    uint32_t sum = 0;
    REQUIRE(!open_quiet(0, 0));
    for (port = 1024; port < 65536; port++) {
        if (port % 20000)
            REQUIRE(open_sock("0.0.0.0", (uint16_t)port, NULL, 0, &sock) == IIP_OK);
    }
    for (port = 0; port < 3; port++) {
        REQUIRE(open_sock("0.0.0.0", 0, NULL, 0, &sock) == IIP_OK);
        iip_udp_local(sock, &local);
        CHECK(local.port % 20000 == 0);
        sum += local.port;
    }
    CHECK_EQ(sum, 20000 + 40000 + 60000);
    CHECK_EQ(open_sock("0.0.0.0", 0, NULL, 0, &sock), IIP_E_ADDR_IN_USE);
    net_close();
}

/* UD-01: a wrong sum, none at all, and none over IPv6. */
static void checksums_in(void)
{
    struct iip_udp_sock *sock;
    struct fake_hdr hdr = fake_v4();
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 53, NULL, 0, &sock), IIP_OK);
    hdr.bad_csum = 1;
    fake_udp(&b, &hdr, 1, 53, "hello", 5);
    net_input();
    CHECK(!taker());
    fake_inject(&h, b.bytes, b.len, IIP_PKT_L4_CSUM_OK);
    CHECK(taker() == sock);
    b.bytes[40] = b.bytes[41] = 0;
    net_input();
    CHECK(taker() == sock);
    hdr = fake_v6();
    fake_udp(&b, &hdr, 1, 53, "hello", 5);
    b.bytes[60] = b.bytes[61] = 0;
    net_input();
    CHECK(!taker());
    CHECK_EQ(net_counter("drop_udp_csum"), 2);
    net_close();
}

/* UD-05 */
static void lengths_in(void)
{
    struct iip_udp_sock *sock;
    struct fake_hdr hdr = fake_v4();
    uint32_t len;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 53, NULL, 0, &sock), IIP_OK);
    for (len = 0; len < 8; len++) {
        fake_udp(&b, &hdr, 1, 53, "hello", 5);
        b.bytes[39] = (uint8_t)len;
        net_input();
        fake_ip_packet(&b, &hdr, 17, "\0\1\0\65\0\10\0\0", len);
        net_input();
    }
    fake_udp(&b, &hdr, 1, 53, "hello", 5);
    b.bytes[39] = 14;
    net_input();
    CHECK_EQ(net_counter("drop_udp_header"), 17);
    fake_udp(&b, &hdr, 1, 53, "hello", 5); /* shorter than what IP carries: the rest is not ours */
    b.bytes[39] = 10;
    b.bytes[40] = b.bytes[41] = 0;
    net_input();
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, 2);
    CHECK_EQ(h.notes[0].pkt->len, 2);
    iip_pkt_free(h.stk, h.notes[0].pkt);
    net_close();
}

static void the_queue_is_limited(void)
{
    struct iip_udp_sock *sock;
    uint32_t i;
    uint32_t n;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 53, NULL, 0, &sock), IIP_OK);
    CHECK_EQ(net_set("udp.rcvbuf", 20000), IIP_OK);
    for (i = 0; i < 100; i++)
        from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    n = fake_notes(&h);
    CHECK_EQ(n, 20000 / (FAKE_FRAME_SIZE / 2));
    CHECK_EQ(net_counter("drop_udp_full"), 100 - n);
    for (i = 0; i < n; i++)
        iip_pkt_free(h.stk, h.notes[i].pkt);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    CHECK(taker() == sock);
    iip_udp_close(h.stk, sock); /* with datagrams waiting */
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    CHECK_EQ(open_sock("::", 53, NULL, 0, &sock), IIP_OK);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53);
    iip_udp_close(h.stk, sock);
    CHECK_EQ(fake_notes(&h), 0);
    net_close();
}

/* Both families, with and without the port's help, short, odd, long and in fragments: what arrives is what was sent. */
static void what_leaves(void)
{
    static const uint32_t caps[] = {0, IIP_CAP_TX_UDP_CSUM, IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_SG,
                                    IIP_CAP_TX_SG};
    static const uint32_t lens[] = {0, 1, 2, 7, 100, 1452, 1472, 1473, 3001, 65507};
    static uint8_t data[65507];
    static uint8_t got[66000];
    uint32_t c, l, f, i, sum;
    for (i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 11 + i / 256);
    for (c = 0; c < 4; c++) {
        for (f = 0; f < 2; f++) {
            struct iip_udp_sock *sock;
            REQUIRE(!open_quiet(0, caps[c]));
            CHECK_EQ(open_sock(f ? "::" : "0.0.0.0", 1000, NULL, 0, &sock), IIP_OK);
            for (l = 0; l < 10; l++) {
                fake_forget(&h);
                CHECK_EQ(net_send(sock, f ? FAKE_V6_PEER : FAKE_V4_PEER, 7, data, lens[l]), IIP_OK);
                for (i = 0, sum = 0; i < h.sent_count; i++) {
                    CHECK(net_sent(i));
                    CHECK(h.sent[i].len <= 1514);
                    CHECK(v.csum_ok);
                    CHECK_EQ(v.frag_offset, sum);
                    CHECK_EQ(v.more, i + 1 < h.sent_count);
                    CHECK_EQ(v.ttl, 64);
                    memcpy(got + sum, v.l4, v.l4_len);
                    sum += v.l4_len;
                }
                CHECK_EQ(sum, lens[l] + 8);
                CHECK_MEM(got + 8, data, lens[l]);
                CHECK_MEM(got, "\x03\xe8\0\7", 4);
                CHECK_EQ(got[4] << 8 | got[5], (int)sum);
                CHECK(got[6] | got[7]);
            }
            net_close();
        }
    }
}

/* The sum over a datagram that was fragmented is right as well. */
static void fragmented_sums(void)
{
    static uint8_t data[5000];
    static uint8_t whole[6000];
    struct iip_udp_sock *sock;
    uint32_t i;
    uint32_t sum = 0;
    uint32_t pseudo = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 5008;
    REQUIRE(!open_quiet(0, IIP_CAP_TX_UDP_CSUM));
    CHECK_EQ(open_sock("0.0.0.0", 1000, NULL, 0, &sock), IIP_OK);
    memset(data, 0x5a, sizeof(data));
    net_send(sock, FAKE_V4_PEER, 7, data, sizeof(data));
    for (i = 0; i < h.sent_count; i++) {
        CHECK(net_sent(i));
        CHECK_EQ(v.df, 0);
        memcpy(whole + v.frag_offset, v.l4, v.l4_len);
        sum += v.l4_len;
    }
    CHECK_EQ(sum, 5008);
    CHECK_EQ(fake_csum(whole, sum, pseudo), 0);
    net_close();
}

static void families_that_cannot_be(void)
{
    struct iip_endpoint ep = fake_endpoint(FAKE_V4_OURS, 53);
    struct iip_udp_sock *sock;
    REQUIRE(!open_quiet(0, 0));
    ep.family = 5;
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_E_INVAL);
    ep.family = 6;
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_E_INVAL);
    ep = fake_endpoint("::", 53);
    ep.family = 6;
    CHECK_EQ(iip_udp_open(h.stk, &ep, NULL, NULL, &sock), IIP_OK);
    from(FAKE_V4_PEER, 4000, FAKE_V4_OURS, 53); /* any of IPv6 is not any of IPv4 */
    CHECK(taker() == NULL);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 7, "x", 1), IIP_E_INVAL);
    net_close();
}

static void sizes_that_cannot_be(void)
{
    static uint8_t data[65536];
    struct iip_udp_sock *sock;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 1000, NULL, 0, &sock), IIP_OK);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 7, data, 65508), IIP_E_MSGSIZE);
    CHECK_EQ(net_send(sock, FAKE_V6_PEER, 7, data, 65528), IIP_E_MSGSIZE);
    CHECK_EQ(net_send(sock, FAKE_V6_PEER, 7, data, 65527), IIP_OK);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 0, data, 1), IIP_E_INVAL);
    CHECK_EQ(net_send(sock, "0.0.0.0", 7, data, 1), IIP_E_INVAL);
    CHECK_EQ(iip_udp_set(h.stk, sock, IIP_UDP_TTL, 0), IIP_E_RANGE);
    CHECK_EQ(iip_udp_set(h.stk, sock, IIP_UDP_TTL, 256), IIP_E_RANGE);
    CHECK_EQ(iip_udp_set(h.stk, sock, IIP_UDP_DSCP, 64), IIP_E_RANGE);
    CHECK_EQ(iip_udp_set(h.stk, sock, 77, 1), IIP_E_INVAL);
    net_close();
}

static void options_and_groups(void)
{
    struct iip_udp_sock *sock;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 1000, NULL, 0, &sock), IIP_OK);
    CHECK_EQ(net_send(sock, "224.0.0.251", 7, "x", 1), IIP_OK);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, "\x01\x00\x5e\x00\x00\xfb", 6);
    CHECK_EQ(v.ttl, 1); /* [RFC 1112 6.1] */
    CHECK_EQ(net_send(sock, "ff02::fb", 7, "x", 1), IIP_OK);
    CHECK(net_sent(1));
    CHECK_MEM(v.eth, "\x33\x33\x00\x00\x00\xfb", 6);
    CHECK(net_is_ip(&v.src, "fe80::ff:fe00:1"));
    CHECK_EQ(net_send(sock, "10.0.0.255", 7, "x", 1), IIP_OK);
    CHECK(net_sent(2));
    CHECK_MEM(v.eth, mac_all, 6);
    CHECK_EQ(net_send(sock, "255.255.255.255", 7, "x", 1), IIP_OK);
    CHECK(net_sent(3));
    CHECK_MEM(v.eth, mac_all, 6);
    CHECK_EQ(iip_udp_set(h.stk, sock, IIP_UDP_TTL, 9), IIP_OK);
    CHECK_EQ(iip_udp_set(h.stk, sock, IIP_UDP_DSCP, 46), IIP_OK);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 7, "x", 1), IIP_OK);
    CHECK(net_sent(4));
    CHECK_EQ(v.ttl, 9);
    CHECK_EQ(v.tos, 46 << 2);
    net_close();
}

/* UD-04: the answer leaves from the address that was asked, or from the one that the sender names. */
static void the_sender_chooses_its_address(void)
{
    struct iip_endpoint other = fake_endpoint("10.0.0.77", 0);
    struct iip_endpoint foreign = fake_endpoint("10.0.0.78", 0);
    struct iip_endpoint to = fake_endpoint(FAKE_V4_PEER, 7);
    struct iip_udp_sock *sock;
    struct iip_pkt *pkt;
    uint32_t i;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(iip_stack_addr_add(h.stk, &other.ip, 24), IIP_OK);
    fake_output(&h);
    fake_forget(&h);
    CHECK_EQ(open_sock("0.0.0.0", 1000, NULL, 0, &sock), IIP_OK);
    for (i = 0; i < 3; i++) {
        pkt = fake_pkt(&h, "x", 1);
        CHECK_EQ(iip_udp_send(h.stk, sock, i == 1 ? &other : NULL, &to, pkt), IIP_OK);
    }
    pkt = fake_pkt(&h, "x", 1);
    CHECK_EQ(iip_udp_send(h.stk, sock, &foreign, &to, pkt), IIP_E_ADDR_NOT_AVAIL);
    iip_pkt_free(h.stk, pkt);
    fake_output(&h);
    CHECK(net_sent(0) && net_is_ip(&v.src, FAKE_V4_OURS));
    CHECK(net_sent(1) && net_is_ip(&v.src, "10.0.0.77"));
    CHECK(net_sent(2) && net_is_ip(&v.src, FAKE_V4_OURS));
    net_close();
}

static void connected_sends_need_no_address(void)
{
    struct iip_udp_sock *sock;
    struct iip_pkt *pkt;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock(NULL, 0, FAKE_V4_PEER, 7, &sock), IIP_OK);
    pkt = fake_pkt(&h, "x", 1);
    CHECK_EQ(iip_udp_send(h.stk, sock, NULL, NULL, pkt), IIP_OK);
    fake_output(&h);
    CHECK(net_sent(0) && v.dst_port == 7 && net_is_ip(&v.dst, FAKE_V4_PEER));
    net_close();
}

/* Memory of the application, or seen twice, is never written into: headers go in front in a view of their own. */
static void payload_is_not_touched(void)
{
    struct iip_endpoint to = fake_endpoint(FAKE_V4_PEER, 7);
    struct iip_udp_sock *sock;
    struct iip_pkt *pkt;
    struct iip_pkt *second;
    uint8_t before[133];
    REQUIRE(!open_quiet(0, IIP_CAP_TX_SG));
    CHECK_EQ(open_sock("::", 1000, NULL, 0, &sock), IIP_OK);
    pkt = fake_pkt(&h, "hello", 5);
    second = iip_pkt_new(h.stk, pkt->frame, pkt->data, 5);
    memcpy(before, pkt->frame->base, sizeof(before));
    CHECK_EQ(iip_udp_send(h.stk, sock, NULL, &to, pkt), IIP_OK);
    CHECK_MEM(second->frame->base, before, sizeof(before));
    fake_output(&h);
    CHECK(net_sent(0) && v.csum_ok && memcmp(v.payload, "hello", 5) == 0);
    CHECK_EQ(h.sent[0].views, 2);
    iip_pkt_free(h.stk, second);
    net_close();
}

static void to_ourselves(void)
{
    static uint8_t data[20000];
    struct iip_udp_sock *sock;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 1000, NULL, 0, &sock), IIP_OK);
    CHECK_EQ(net_send(sock, FAKE_V4_OURS, 1000, "hello", 5), IIP_OK);
    CHECK(taker() == sock);
    CHECK_EQ(net_send(sock, FAKE_V6_OURS, 1000, data, sizeof(data)), IIP_OK);
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].bytes, sizeof(data));
    iip_pkt_free(h.stk, h.notes[0].pkt);
    CHECK_EQ(net_send(sock, FAKE_V4_OURS, 1001, "hello", 5), IIP_OK);
    CHECK_EQ(fake_notes(&h), 1); /* nobody is there, and we tell ourselves so */
    CHECK_EQ(h.notes[0].status, IIP_E_REFUSED);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

static void a_full_port_refuses(void)
{
    struct iip_udp_sock *sock;
    int status = IIP_OK;
    uint32_t i;
    REQUIRE(!open_quiet(0, 0));
    CHECK_EQ(open_sock("::", 1000, NULL, 0, &sock), IIP_OK);
    h.tx_room = 0;
    for (i = 0; i < 5000 && !status; i++)
        status = net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK_EQ(status, IIP_E_AGAIN);
    CHECK_EQ(iip_stack_tx_pending(h.stk), i - 1);
    h.tx_room = UINT32_MAX;
    fake_output(&h);
    CHECK_EQ(h.sent_count, i - 1); /* and nothing is lost */
    net_close();
}

int main(void)
{
    RUN(the_closest_match_gets_it);
    RUN(ports_are_taken_once);
    RUN(ephemeral_ports);
    RUN(the_last_free_ports_are_found);
    RUN(checksums_in);
    RUN(lengths_in);
    RUN(the_queue_is_limited);
    RUN(what_leaves);
    RUN(fragmented_sums);
    RUN(families_that_cannot_be);
    RUN(sizes_that_cannot_be);
    RUN(options_and_groups);
    RUN(the_sender_chooses_its_address);
    RUN(connected_sends_need_no_address);
    RUN(payload_is_not_touched);
    RUN(to_ourselves);
    RUN(a_full_port_refuses);
    return check_done();
}

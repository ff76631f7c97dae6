/* share_test.c - several stacks with the same addresses: what one gets for another [architecture, decision 12]. */
#include "net_test.h"

enum { STACKS = 4 };

static struct iip_share share;
static uint32_t flags; /* of the packet that foreign() took last: the host keeps them */

/* Stack 1 of four; without an RSS key the tuple's hash says who owns it. */
static int open_shared(void)
{
    struct iip_stack_cfg cfg;
    fake_cfg(&cfg);
    memset(&share, 0, sizeof(share));
    share.stacks = STACKS;
    share.self = 1;
    cfg.share = &share;
    if (fake_open(&h, &cfg))
        return -1;
    return fake_addrs(&h);
}

/* Takes the packets handed over; for whom they are, one bit each. */
static uint32_t foreign(uint32_t *count, struct fake_packet *last)
{
    uint32_t n = fake_notes(&h);
    uint32_t mask = 0;
    uint32_t i;
    *count = 0;
    for (i = 0; i < n; i++) {
        if (h.notes[i].type != IIP_NOTE_FOREIGN)
            continue;
        mask |= 1u << h.notes[i].value;
        flags = h.notes[i].pkt->flags;
        (*count)++;
        if (last)
            last->len = (uint32_t)fake_pkt_read(h.notes[i].pkt, last->bytes, 66000);
        iip_pkt_free(h.stk, h.notes[i].pkt);
    }
    return mask;
}

/* What this stack told the others comes in from one of them. */
static void told(const struct fake_packet *pkt)
{
    CHECK(fake_inject(&h, pkt->bytes, pkt->len, flags));
    fake_output(&h);
}

/* Datagrams to a port that nobody opened here belong to whoever the hash says: no error from the others. */
static void datagrams_find_their_owner(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct fake_hdr hdr = fake_v4();
    uint32_t here = 0;
    uint32_t there = 0;
    uint32_t seen = 0;
    uint32_t port;
    REQUIRE(!open_shared());
    fake_neigh(&h, FAKE_V4_PEER);
    for (port = 1; port <= 200; port++) {
        uint32_t n;
        uint32_t mask;
        fake_forget(&h);
        fake_udp(&b, &hdr, (uint16_t)port, 53, "hello", 5);
        net_input();
        mask = foreign(&n, &last);
        CHECK_EQ(n + h.sent_count, 1);
        here += h.sent_count;
        there += n;
        seen |= mask;
        if (n) {
            CHECK_EQ(flags & IIP_PKT_TOLD, 0);
            CHECK_EQ(last.len, b.len); /* as it came in, behind a link header */
            CHECK_MEM(last.bytes + 12, b.bytes + 12, b.len - 12);
            CHECK_MEM(last.bytes, mac_ours, 6);
        }
    }
    CHECK_EQ(seen, 1 | 4 | 8);
    CHECK(here > 20 && there > 100);
    net_close();
}

/* So do segments of no connection, by whatever way they come in: a RST from here, or the owner gets them as they came. */
static void segments_find_their_owner(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct fake_hdr hdr = fake_v4();
    struct fake_seg seg = {.dst_port = 80, .seq = 1, .flags = 2, .wnd = 1000};
    uint32_t here = 0;
    uint32_t there = 0;
    REQUIRE(!open_shared());
    fake_neigh(&h, FAKE_V4_PEER);
    for (seg.src_port = 1; seg.src_port <= 100; seg.src_port++) {
        uint32_t n;
        fake_forget(&h);
        fake_tcp(&b, &hdr, &seg, NULL, 0);
        net_input();
        foreign(&n, &last);
        CHECK_EQ(n + h.sent_count, 1);
        here += h.sent_count;
        there += n;
        if (n) {
            CHECK_EQ(last.len, b.len);
            CHECK_MEM(last.bytes + 12, b.bytes + 12, b.len - 12);
        }
    }
    CHECK(here > 10 && there > 50);
    net_close();
}

/* One that is open here is taken here, whoever owns the tuple. */
static void a_socket_here_takes_it(void)
{
    struct fake_hdr hdr = fake_v4();
    uint32_t port;
    REQUIRE(!open_shared());
    net_socket("::", 53);
    for (port = 1; port <= 50; port++) {
        fake_udp(&b, &hdr, (uint16_t)port, 53, "hello", 5);
        net_input();
    }
    CHECK_EQ(net_counter("foreign"), 0);
    CHECK_EQ(fake_notes(&h), 50);
    for (port = 0; port < 50; port++)
        iip_pkt_free(h.stk, h.notes[port].pkt);
    net_close();
}

/* Put together here, for another stack: handed over as one packet without fragment fields. */
static void whole_datagrams_are_handed_over(void)
{
    static uint8_t bytes[66000];
    static uint8_t data[3000];
    static struct fake_buf whole;
    struct fake_packet last = {.bytes = bytes};
    uint32_t family;
    for (family = 4; family <= 6; family += 2) {
        struct fake_hdr hdr = family == 4 ? fake_v4() : fake_v6();
        uint32_t port = 0;
        uint32_t n = 0;
        uint32_t at;
        uint32_t head = family == 4 ? 34 : 54;
        REQUIRE(!open_shared());
        fake_neigh(&h, FAKE_V4_PEER);
        fake_neigh(&h, FAKE_V6_PEER);
        while (!n && ++port < 100) {
            fake_udp(&whole, &hdr, (uint16_t)port, 53, data, sizeof(data));
            for (at = 0; at < 3008; at += 1504) {
                uint8_t frag[8] = {17, 0, (uint8_t)(at >> 8), (uint8_t)((at & 0xf8) | !at), 0, 0, 0, (uint8_t)port};
                struct fake_hdr part = hdr;
                part.id = (uint16_t)port;
                part.frag = (uint16_t)(at / 8 | (at ? 0 : 0x2000));
                if (family == 6) {
                    part.opts = frag;
                    part.opts_len = 8;
                    part.ext_first = 44;
                }
                fake_ip_packet(&b, &part, 17, whole.bytes + head + at, 1504);
                net_input();
            }
            foreign(&n, &last);
        }
        CHECK_EQ(n, 1);
        CHECK_EQ(last.len, whole.len);
        CHECK_EQ(fake_read(&v, &last, 14), 0);
        CHECK(v.csum_ok);
        CHECK_EQ(v.dst_port, 53);
        CHECK_EQ(v.src_port, port);
        CHECK_EQ(v.frag_offset | v.more, 0);
        net_close();
    }
}

/* A connected socket's port is one whose answers come to this stack. */
static void ports_are_chosen_for_the_answers(void)
{
    struct iip_endpoint peer = fake_endpoint(FAKE_V4_PEER, 7);
    struct fake_hdr hdr = fake_v4();
    uint32_t i;
    REQUIRE(!open_shared());
    for (i = 0; i < 50; i++) {
        struct iip_udp_sock *sock;
        struct iip_endpoint local;
        CHECK_EQ(iip_udp_open(h.stk, NULL, &peer, NULL, &sock), IIP_OK);
        iip_udp_local(sock, &local);
        iip_udp_close(h.stk, sock); /* closed, so an answer that were another's would be handed over */
        fake_udp(&b, &hdr, 7, local.port, "hello", 5);
        net_input();
    }
    CHECK_EQ(net_counter("foreign"), 0);
    net_close();
}

/* An ARP reply reaches one queue, but all stacks may wait for it: each gets a copy, and passes it on to nobody. */
static void replies_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct iip_udp_sock *sock;
    uint32_t n;
    REQUIRE(!open_shared());
    sock = net_socket("::", 1000);
    fake_arp(&b, 2, mac_peer, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(foreign(&n, &last), 1 | 4 | 8);
    CHECK_EQ(n, 3);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    told(&last); /* as if another stack had told us */
    CHECK_EQ(h.sent_count, 2);
    CHECK(net_sent(1) && v.proto == 17);
    CHECK_MEM(v.eth, mac_peer, 6);
    foreign(&n, NULL);
    CHECK_EQ(n, 0);
    net_close();
}

static void advertisements_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct fake_hdr hdr = fake_v6();
    struct iip_udp_sock *sock;
    uint32_t n;
    REQUIRE(!open_shared());
    sock = net_socket("::", 1000);
    fake_ndp(&b, &hdr, 136, 0x60000000, FAKE_V6_PEER, mac_peer);
    net_input();
    CHECK_EQ(foreign(&n, &last), 1 | 4 | 8);
    net_send(sock, FAKE_V6_PEER, 7, "x", 1);
    CHECK_EQ(h.sent_count, 1);
    told(&last);
    CHECK_EQ(h.sent_count, 2);
    foreign(&n, NULL);
    CHECK_EQ(n, 0);
    net_close();
}

/* An ICMP error goes to the stack that sent what it quotes. */
static void errors_go_to_the_owner(void)
{
    struct fake_hdr hdr = fake_v4();
    struct fake_hdr inner = fake_v4();
    static struct fake_buf quote;
    uint32_t handed = 0;
    uint32_t port;
    inner.src = hdr.dst;
    inner.dst = hdr.src;
    REQUIRE(!open_shared());
    for (port = 1; port <= 100; port++) {
        uint32_t n;
        fake_udp(&quote, &inner, (uint16_t)(port + 5000), 7, "hello", 5);
        fake_icmp(&b, &hdr, 3, 3, 0, quote.bytes + 14, 28);
        net_input();
        foreign(&n, NULL);
        handed += n;
    }
    CHECK(handed > 50 && handed < 95);
    net_close();
}

/* The key and the hashes with ports of the RSS specification's verification suite. */
static const uint8_t rss_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
                                    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
                                    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct {
    const char *dst, *src;
    uint16_t dst_port, src_port;
    uint32_t hash;
} rss_vectors[] = {
    { "161.142.100.80", "66.9.149.187", 1766, 2794, 0x51ccc178 },
    { "65.69.140.83", "199.92.111.2", 4739, 14230, 0xc626b0ea },
    { "12.22.207.184", "24.19.198.95", 38024, 12898, 0x5c2b394a },
    { "3ffe:2501:200:3::1", "3ffe:2501:200:1fff::7", 1766, 2794, 0x40207d3d },
};

/* With a key, the owner is the queue to which the NIC's Toeplitz hash leads. */
static void a_key_makes_us_agree_with_the_nic(void)
{
    struct iip_stack_cfg cfg;
    uint32_t i;
    uint32_t k;
    for (i = 0; i < 4; i++) {
        struct iip_ip ip;
        struct fake_hdr hdr = i < 3 ? fake_v4() : fake_v6();
        fake_cfg(&cfg);
        memset(&share, 0, sizeof(share));
        share.stacks = 512;
        share.self = 511;
        share.key_len = sizeof(rss_key);
        share.table_len = 512;
        memcpy(share.key, rss_key, sizeof(rss_key));
        for (k = 0; k < 512; k++)
            share.table[k] = (iip_u16)k;
        cfg.share = &share;
        REQUIRE(fake_open(&h, &cfg) == IIP_OK);
        CHECK_EQ(iip_stack_addr_add(h.stk, fake_ip(&ip, rss_vectors[i].dst), i < 3 ? 24 : 64), IIP_OK);
        fake_ip(&hdr.dst, rss_vectors[i].dst);
        fake_ip(&hdr.src, rss_vectors[i].src);
        fake_udp(&b, &hdr, rss_vectors[i].src_port, rss_vectors[i].dst_port, "hello", 5);
        net_input();
        REQUIRE(fake_notes(&h) == 1);
        CHECK_EQ(h.notes[0].type, IIP_NOTE_FOREIGN);
        CHECK_EQ(h.notes[0].value, rss_vectors[i].hash & 511);
        iip_pkt_free(h.stk, h.notes[0].pkt);
        net_close();
    }
}

/* A neighbour that asks for us is one that we will answer, whichever stack does; only the one that was asked replies. */
static void askers_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct iip_udp_sock *sock;
    uint32_t n;
    REQUIRE(!open_shared());
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, mac_all, FAKE_V4_OURS);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(foreign(&n, &last), 1 | 4 | 8);
    net_input();
    CHECK_EQ(foreign(&n, NULL), 0); /* nothing new */
    net_close();
    REQUIRE(!open_shared());
    sock = net_socket("::", 1000);
    told(&last);
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(foreign(&n, NULL), 0);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0) && v.proto == 17);
    net_close();
}

static void solicitors_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct fake_hdr hdr = fake_v6();
    struct iip_udp_sock *sock;
    uint32_t n;
    REQUIRE(!open_shared());
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    net_input();
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(foreign(&n, &last), 1 | 4 | 8);
    net_input();
    CHECK_EQ(foreign(&n, NULL), 0);
    net_close();
    REQUIRE(!open_shared());
    sock = net_socket("::", 1000);
    told(&last);
    CHECK_EQ(h.sent_count, 0);
    net_send(sock, FAKE_V6_PEER, 7, "x", 1);
    CHECK(net_sent(0) && v.proto == 17);
    CHECK_EQ(foreign(&n, NULL), 0);
    net_close();
}

/* A flood of answers that nobody asked for costs the other stacks little, and does not silence those about others. */
static void floods_are_not_passed_on(void)
{
    uint32_t n;
    uint32_t i;
    uint32_t all = 0;
    REQUIRE(!open_shared());
    for (i = 0; i < 1000; i++) {
        fake_arp(&b, 2, mac_peer, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
        net_input();
        foreign(&n, NULL);
        all += n;
    }
    CHECK_EQ(all, 3 * 64);
    fake_run(&h, 1000000);
    net_input();
    CHECK_EQ(foreign(&n, NULL), 1 | 4 | 8);
    net_close();
}

/* The stack that owns the tuple believes the error, and all others learn from it. */
static void path_mtus_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    static uint8_t data[1400];
    struct fake_packet last = {.bytes = bytes};
    struct fake_hdr hdr = fake_v4();
    struct fake_hdr inner = fake_v4();
    static struct fake_buf quote;
    struct iip_udp_sock *sock;
    uint32_t port;
    uint32_t n = 0;
    inner.src = hdr.dst;
    inner.dst = hdr.src;
    REQUIRE(!open_shared());
    fake_neigh(&h, FAKE_V4_PEER);
    for (port = 1000; n != 3 && port < 1100; port++) {
        sock = net_socket("0.0.0.0", (uint16_t)port);
        net_send(sock, FAKE_V4_PEER, 7, data, sizeof(data));
        fake_udp(&quote, &inner, (uint16_t)port, 7, data, sizeof(data));
        fake_icmp(&b, &hdr, 3, 4, 1004, quote.bytes + 14, 28);
        net_input();
        foreign(&n, &last);
    }
    CHECK_EQ(n, 3); /* else each was handed over to its owner */
    net_input();
    foreign(&n, NULL);
    CHECK_EQ(n, 0); /* nothing new */
    net_close();
    REQUIRE(!open_shared());
    fake_neigh(&h, FAKE_V4_PEER);
    sock = net_socket("0.0.0.0", 900); /* not the one that the error quotes */
    told(&last);
    foreign(&n, NULL);
    CHECK_EQ(n, 0);
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, data, sizeof(data));
    CHECK_EQ(h.sent_count, 2);
    CHECK_EQ(h.sent[0].len - 14, 1004);
    net_close();
}

/* One stack hears that an address which all probe for is taken: none may use it. */
static void duplicates_are_told_to_all(void)
{
    static uint8_t bytes[66000];
    struct fake_packet last = {.bytes = bytes};
    struct iip_ip ip = fake_endpoint("10.0.0.77", 0).ip;
    uint32_t round;
    uint32_t n;
    for (round = 0; round < 2; round++) {
        REQUIRE(!open_shared());
        net_set("ip.dad", 1);
        CHECK_EQ(iip_stack_addr_add(h.stk, &ip, 24), IIP_OK);
        fake_arp(&b, 2, mac_peer, "10.0.0.77", mac_ours, FAKE_V4_OURS);
        if (round)
            told(&last);
        else
            net_input();
        CHECK_EQ(foreign(&n, round ? NULL : &last), round ? 0 : (1 | 4 | 8));
        CHECK_EQ(net_counter("addr_conflict"), 1);
        fake_forget(&h);
        fake_run(&h, 20000000);
        CHECK_EQ(h.sent_count, 0); /* no probe, no announcement */
        net_close();
    }
}

int main(void)
{
    RUN(a_key_makes_us_agree_with_the_nic);
    RUN(datagrams_find_their_owner);
    RUN(segments_find_their_owner);
    RUN(a_socket_here_takes_it);
    RUN(whole_datagrams_are_handed_over);
    RUN(ports_are_chosen_for_the_answers);
    RUN(replies_are_told_to_all);
    RUN(advertisements_are_told_to_all);
    RUN(errors_go_to_the_owner);
    RUN(askers_are_told_to_all);
    RUN(solicitors_are_told_to_all);
    RUN(floods_are_not_passed_on);
    RUN(path_mtus_are_told_to_all);
    RUN(duplicates_are_told_to_all);
    return check_done();
}

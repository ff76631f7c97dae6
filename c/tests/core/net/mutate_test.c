/*
 * mutate_test.c - what comes in may be anything: each packet of a list cut at every length, with every bit flipped,
 * with random bytes and with two mutations at once; nothing crashes, reads beyond a frame, or goes uncounted. Built
 * with sanitizers it is worth most. Argument: rounds of random packets (default 20,000).
 */
/* covers: A01, A33 */
#include "net_test.h"

static struct fake_buf seeds[64];
static uint32_t seed_count;
static uint64_t rng = 1;

static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

static void keep(void)
{
    seeds[seed_count++] = b;
}

static void seed_family(struct fake_hdr hdr, int v6)
{
    static const uint8_t hop[8] = {0, 0, 0x1e, 4};
    static const uint8_t nops[8] = {7, 7, 4};
    static uint8_t chain[40] = {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 3, 0, 0, 0, 0, 0};
    uint8_t frag[8] = {17, 0, 0, 1, 0, 0, 0, 5};
    struct fake_seg seg = {.src_port = 1, .dst_port = 80, .seq = 7, .flags = 2, .wnd = 1000};
    static struct fake_buf inner;
    struct fake_hdr back = hdr;
    back.src = hdr.dst;
    back.dst = hdr.src;
    fake_udp(&b, &hdr, 1, 53, "hello", 5);
    keep();
    fake_udp(&b, &hdr, 1, 54, "hello", 5);
    keep();
    fake_tcp(&b, &hdr, &seg, "", 0);
    keep();
    fake_icmp(&b, &hdr, v6 ? 128 : 8, 0, 1, "ping", 4);
    keep();
    fake_udp(&inner, &back, 53, 7, "hello", 5);
    fake_icmp(&b, &hdr, v6 ? 1 : 3, v6 ? 4 : 3, 0, inner.bytes + 14, inner.len - 14);
    keep();
    fake_icmp(&b, &hdr, v6 ? 2 : 3, v6 ? 0 : 4, 1300, inner.bytes + 14, inner.len - 14);
    keep();
    hdr.opts = v6 ? hop : nops;
    hdr.opts_len = 8;
    hdr.ext_first = 0;
    fake_udp(&b, &hdr, 1, 53, "hello", 5);
    if (v6)
        b.bytes[54] = 17;
    keep();
    hdr.frag = 0x2000;
    hdr.id = 5;
    if (v6) {
        hdr.opts = frag;
        hdr.ext_first = 44;
    }
    fake_ip_packet(&b, &hdr, 17, "\0\1\0\65\0\30\0\0abcdefgh", 16);
    keep();
    hdr.frag = 2;
    frag[3] = 16;
    fake_ip_packet(&b, &hdr, 17, "12345678", 8);
    keep();
    if (v6) {
        hdr.opts = chain;
        hdr.opts_len = 24;
        hdr.ext_first = 60;
        chain[16] = 17;
        fake_udp(&b, &hdr, 1, 53, "hello", 5);
        keep();
    }
}

static void seed_link(void)
{
    struct fake_hdr hdr = fake_v6();
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    keep();
    fake_arp(&b, 2, mac_peer, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
    keep();
    fake_arp(&b, 1, mac_third, "0.0.0.0", NULL, "10.0.0.50");
    keep();
    fake_ndp(&b, &hdr, 135, 0, FAKE_V6_OURS, mac_peer);
    keep();
    fake_ndp(&b, &hdr, 136, 0x60000000, FAKE_V6_PEER, mac_peer);
    keep();
    fake_icmp(&b, &hdr, 134, 0, 0x40000708, "\0\0\0\0\0\0\0\0\1\1\2\0\0\0\0\2", 16);
    keep();
}

enum { PLAIN, AT_L3, SHARED };

static int open_mode(int mode)
{
    static struct iip_share share;
    struct iip_stack_cfg cfg;
    fake_cfg(&cfg);
    cfg.flags = mode == AT_L3 ? IIP_STACK_L3 : 0;
    cfg.caps = mode == SHARED ? IIP_CAP_TX_SG | IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_TCP_CSUM : 0;
    if (mode == SHARED) {
        share.stacks = 3;
        share.self = 1;
        cfg.share = &share;
    }
    if (fake_open(&h, &cfg))
        return -1;
    return fake_addrs(&h);
}

/* A stack in which every kind of input finds something to do. */
static int open_busy(int mode)
{
    struct iip_endpoint lis = fake_endpoint("::", 80);
    struct iip_tcp_listener *listener;
    struct iip_udp_sock *sock;
    struct iip_ip ip;
    if (open_mode(mode))
        return -1;
    net_set("ip.reass_timeout_us", 1000000);
    net_set("neigh.entries", 64);
    sock = net_socket("::", 53);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    net_send(sock, FAKE_V6_PEER, 7, "x", 1);
    net_set("ip.dad", 1);
    iip_stack_addr_add(h.stk, fake_ip(&ip, "10.0.0.50"), 24);
    return iip_tcp_listen(h.stk, &lis, 8, NULL, &listener);
}

/* The checksums that a mutation broke, so that what lies behind them is reached. */
static void mend(struct fake_buf *m)
{
    uint8_t *p = m->bytes + 14;
    uint32_t len = (uint32_t)(p[0] & 15) * 4;
    if (m->len < 34 || m->bytes[12] != 8 || m->bytes[13] || len < 20 || len > m->len - 14)
        return;
    p[10] = p[11] = 0;
    len = fake_csum(p, len, 0);
    p[10] = (uint8_t)(len >> 8);
    p[11] = (uint8_t)len;
}

static void feed(struct fake_buf *m, uint32_t i)
{
    uint32_t flags = (i & 1 ? IIP_PKT_IP_CSUM_OK : 0) | (i & 2 ? IIP_PKT_L4_CSUM_OK : 0);
    if (i & 4)
        mend(m);
    if (i % 3)
        fake_inject(&h, m->bytes, m->len, flags);
    else
        fake_inject_split(&h, m->bytes, m->len ? m->len : 1, 1 + i % 67);
    if (i % 16 == 0) {
        fake_output(&h);
        fake_forget(&h);
        fake_notes_drop(&h);
        h.now += 1000;
    }
}

static void every_length(void)
{
    static struct fake_buf m;
    uint32_t s;
    uint32_t len;
    uint32_t i;
    REQUIRE(!open_busy(PLAIN));
    for (s = 0; s < seed_count; s++) {
        for (len = 0; len <= seeds[s].len; len++) {
            for (i = 0; i < 8; i++) {
                m = seeds[s];
                m.len = len;
                feed(&m, i + 8 * len);
            }
        }
    }
    net_close();
}

static void every_bit(void)
{
    static struct fake_buf m;
    uint32_t s;
    uint32_t bit;
    REQUIRE(!open_busy(PLAIN));
    for (s = 0; s < seed_count; s++) {
        for (bit = 12 * 8; bit < seeds[s].len * 8; bit++) {
            m = seeds[s];
            m.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            feed(&m, bit);
            m = seeds[s];
            m.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            feed(&m, bit | 7);
        }
    }
    net_close();
}

/* Every byte of every packet takes the values at which lengths break. */
static void edge_values(void)
{
    static const uint8_t edge[] = {0, 1, 2, 7, 8, 0x7f, 0x80, 0xfe, 0xff};
    static struct fake_buf m;
    uint32_t s;
    uint32_t at;
    uint32_t e;
    REQUIRE(!open_busy(PLAIN));
    for (s = 0; s < seed_count; s++) {
        for (at = 12; at < seeds[s].len; at++) {
            for (e = 0; e < sizeof(edge); e++) {
                m = seeds[s];
                m.bytes[at] = edge[e];
                feed(&m, 7 + at * 8 + e % 2);
            }
        }
    }
    net_close();
}

static uint32_t rounds = 20000;

static void random_mutations(int mode)
{
    static struct fake_buf m;
    uint32_t i;
    uint32_t k;
    REQUIRE(!open_busy(mode));
    for (i = 0; i < rounds; i++) {
        m = seeds[rnd() % seed_count];
        for (k = rnd() % 6; k; k--)
            m.bytes[12 + rnd() % (m.len - 12)] = (uint8_t)rnd();
        if (rnd() % 8 == 0)
            m.len = rnd() % (m.len + 1);
        if (rnd() % 64 == 0) {
            for (k = 14; k < m.len; k++)
                m.bytes[k] = (uint8_t)rnd();
        }
        if (mode == AT_L3) {
            m.len -= m.len < 14 ? m.len : 14;
            memmove(m.bytes, m.bytes + 14, m.len);
        }
        feed(&m, rnd());
    }
    fake_run(&h, 100000000);
    net_close();
}

static void random_plain(void)
{
    random_mutations(PLAIN);
}

static void random_at_l3(void)
{
    random_mutations(AT_L3);
}

static void random_shared(void)
{
    random_mutations(SHARED);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        rounds = (uint32_t)atoi(argv[1]);
    if (argc > 2)
        rng = strtoull(argv[2], NULL, 0) | 1;
    seed_family(fake_v4(), 0);
    seed_family(fake_v6(), 1);
    seed_link();
    RUN(every_length);
    RUN(every_bit);
    RUN(edge_values);
    RUN(random_plain);
    RUN(random_at_l3);
    RUN(random_shared);
    return check_done();
}

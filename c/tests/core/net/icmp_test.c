/* icmp_test.c - echo, and what of ICMP is ignored [RFC 792, RFC 1122 3.2.2, RFC 4443 4]. */
/* covers: IC-01, IC-05 */
#include "net_test.h"

static int family;
static uint8_t data[66000];

static int open_family(uint32_t flags, uint32_t caps)
{
    if (net_open(flags, caps))
        return -1;
    return flags & IIP_STACK_L3 ? 0 : fake_neigh(&h, FAKE_V4_PEER) | fake_neigh(&h, FAKE_V6_PEER);
}

static struct fake_hdr header(void)
{
    struct fake_hdr hdr = family == 4 ? fake_v4() : fake_v6();
    hdr.l3 = h.cfg.flags & IIP_STACK_L3 ? 1 : 0;
    return hdr;
}

static int request(void)
{
    return family == 4 ? 8 : 128;
}

static int reply(void)
{
    return family == 4 ? 0 : 129;
}

static void ping(uint32_t len)
{
    struct fake_hdr hdr = header();
    hdr.tos = 0x20;
    fake_icmp(&b, &hdr, (uint8_t)request(), 0, 0x12340007, data, len);
    net_input();
}

/* The i-th packet is the answer to ping(len). */
static int is_pong(uint32_t i, uint32_t len)
{
    return net_sent(i) && v.icmp_type == reply() && v.icmp_code == 0 && v.csum_ok && v.payload_len == len &&
        memcmp(v.payload, data, len) == 0 && memcmp(v.l4 + 4, "\x12\x34\0\7", 4) == 0 && v.tos == 0x20 && v.ttl == 64 &&
        net_is_ip(&v.dst, family == 4 ? FAKE_V4_PEER : FAKE_V6_PEER) &&
        net_is_ip(&v.src, family == 4 ? FAKE_V4_OURS : FAKE_V6_OURS);
}

/* IC-01: every size up to the MTU. */
static void every_size(void)
{
    uint32_t max = family == 4 ? 1472 : 1452;
    uint32_t len;
    REQUIRE(!open_family(0, 0));
    for (len = 0; len <= max; len += len < 64 ? 1 : 44) {
        fake_forget(&h);
        ping(len);
        CHECK_EQ(h.sent_count, 1);
        CHECK(is_pong(0, len));
        CHECK_EQ(h.sent[0].views, 1); /* in the frame that it came in */
    }
    ping(max);
    net_close();
}

static void at_l3(void)
{
    REQUIRE(!open_family(IIP_STACK_L3, 0));
    ping(100);
    CHECK_EQ(h.sent_count, 1);
    CHECK(is_pong(0, 100));
    net_close();
}

/* A frame that has no room in front of the packet, or none but what the headers took. */
static void without_headroom(void)
{
    uint32_t l3;
    for (l3 = 0; l3 <= IIP_STACK_L3; l3++) {
        REQUIRE(!open_family(l3 ? IIP_STACK_L3 : 0, 0));
        h.frame_size = (family == 4 ? 20 : 40) + 8 + 100 + (l3 ? 0 : 14);
        ping(100);
        CHECK_EQ(h.sent_count, 1);
        CHECK(is_pong(0, 100));
        CHECK_EQ(net_counter("no_frame"), 0);
        net_close();
    }
}

static void with_options_or_shared(void)
{
    static const uint8_t opts[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct fake_hdr hdr;
    struct iip_frame *frame;
    struct iip_pkt *pkt;
    struct iip_pkt *other;
    REQUIRE(!open_family(0, IIP_CAP_TX_SG));
    hdr = header();
    hdr.tos = 0x20;
    if (family == 4) {
        hdr.opts = opts;
        hdr.opts_len = 8;
    }
    fake_icmp(&b, &hdr, (uint8_t)request(), 0, 0x12340007, data, 100);
    frame = h.host.frame_get(&h, 2000);
    memcpy(frame->base, b.bytes, b.len);
    pkt = iip_pkt_new(h.stk, frame, frame->base, b.len);
    other = iip_pkt_new(h.stk, frame, frame->base, 1); /* someone else looks at the frame: its headers stay */
    iip_stack_input(h.stk, &pkt, 1, h.now);
    fake_output(&h);
    CHECK_EQ(h.sent_count, 1);
    CHECK(is_pong(0, 100));
    CHECK_EQ(h.sent[0].views, 2);
    iip_pkt_free(h.stk, other);
    net_close();
}

static void in_views(void)
{
    struct fake_hdr hdr;
    size_t step;
    REQUIRE(!open_family(0, IIP_CAP_TX_SG));
    hdr = header();
    hdr.tos = 0x20;
    for (step = 1; step < 1000; step = step * 3 + 1) {
        fake_forget(&h);
        fake_icmp(&b, &hdr, (uint8_t)request(), 0, 0x12340007, data, 900);
        fake_inject_split(&h, b.bytes, b.len, step);
        fake_output(&h);
        CHECK(is_pong(0, 900));
    }
    net_close();
}

/* A big one comes in fragments and goes out in fragments; put together they are the answer. */
static void larger_than_the_mtu(void)
{
    static struct fake_buf whole;
    static uint8_t answer[66000];
    struct fake_hdr hdr;
    uint32_t len = family == 4 ? 65507 : 65519;
    uint32_t head;
    uint32_t at;
    uint32_t i;
    uint32_t sum = 0;
    REQUIRE(!open_family(0, 0));
    hdr = header();
    head = family == 4 ? 34 : 54;
    fake_icmp(&whole, &hdr, (uint8_t)request(), 0, 0x12340007, data, len);
    for (at = 0; at < len + 8; at += 1448) {
        uint32_t part = len + 8 - at < 1448 ? len + 8 - at : 1448;
        uint32_t more = at + part < len + 8;
        uint8_t frag[8] = {58, 0, (uint8_t)(at >> 8), (uint8_t)((at & 0xf8) | more), 0, 0, 0, 77};
        hdr.id = 77;
        hdr.frag = (uint16_t)(at / 8 | (more ? 0x2000 : 0));
        if (family == 6) {
            hdr.opts = frag;
            hdr.opts_len = 8;
            hdr.ext_first = 44;
        }
        fake_ip_packet(&b, &hdr, 1, whole.bytes + head + at, part);
        fake_inject(&h, b.bytes, b.len, 0);
    }
    fake_output(&h);
    CHECK(h.sent_count >= 44);
    for (i = 0; i < h.sent_count; i++) {
        CHECK(net_sent(i));
        CHECK(h.sent[i].len <= 1514);
        CHECK_EQ(v.frag_offset, sum);
        CHECK_EQ(v.more, i + 1 < h.sent_count);
        memcpy(answer + sum, v.l4, v.l4_len);
        sum += v.l4_len;
    }
    CHECK_EQ(sum, len + 8);
    CHECK_EQ(answer[0], reply());
    CHECK_MEM(answer + 8, data, len);
    CHECK_EQ(net_counter("fragments_sent"), h.sent_count);
    if (family == 4)
        CHECK_EQ(fake_csum(answer, sum, 0), 0);
    net_close();
}

/* Wrong sums, runts, answers, timestamps, address masks, redirects: silence. */
static void everything_else_is_dropped(void)
{
    static const uint8_t types4[] = {0, 1, 2, 4, 5, 6, 7, 9, 10, 13, 14, 15, 17, 30, 40, 255};
    static const uint8_t types6[] = {0, 100, 127, 129, 130, 131, 132, 138, 139, 140, 143, 160, 200, 255};
    struct fake_hdr hdr;
    uint32_t n = family == 4 ? sizeof(types4) : sizeof(types6);
    uint32_t i;
    REQUIRE(!open_family(0, 0));
    hdr = header();
    for (i = 0; i < n; i++) {
        fake_icmp(&b, &hdr, family == 4 ? types4[i] : types6[i], 0, 0, data, 32);
        net_input();
    }
    CHECK_EQ(net_counter("drop_icmp"), n);
    fake_ip_packet(&b, &hdr, family == 4 ? 1 : 58, "1234567", 7);
    net_input();
    hdr.bad_csum = 1;
    fake_icmp(&b, &hdr, (uint8_t)request(), 0, 1, data, 32);
    net_input();
    CHECK_EQ(net_counter("drop_icmp"), n + 2);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

/* The port takes nothing: answers are not piled up for ever. */
static void a_blocked_port_bounds_answers(void)
{
    uint32_t i;
    REQUIRE(!open_family(0, 0));
    h.tx_room = 0;
    for (i = 0; i < 3000; i++)
        ping(10);
    CHECK(h.frames_live <= 1024 + 64);
    CHECK(net_counter("tx_dropped") >= 1900);
    h.tx_room = UINT32_MAX;
    fake_output(&h);
    CHECK_EQ(iip_stack_tx_pending(h.stk), 0);
    net_close();
}

static void to_ourselves(void)
{
    struct fake_hdr hdr;
    REQUIRE(!open_family(0, 0));
    hdr = header();
    hdr.src = hdr.dst; /* A10: it cannot have come from us */
    fake_icmp(&b, &hdr, (uint8_t)request(), 0, 1, data, 32);
    net_input();
    CHECK_EQ(h.sent_count, 0);
    CHECK_EQ(net_counter("drop_ip_src"), 1);
    net_close();
}

static void both(void (*test)(void), const char *name)
{
    char text[64];
    for (family = 4; family <= 6; family += 2) {
        snprintf(text, sizeof(text), "%s, IPv%d", name, family);
        check_run(test, text);
    }
}

#define BOTH(test) both((test), #test)

int main(void)
{
    uint32_t i;
    for (i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 13 + i / 512);
    BOTH(every_size);
    BOTH(at_l3);
    BOTH(without_headroom);
    BOTH(with_options_or_shared);
    BOTH(in_views);
    BOTH(larger_than_the_mtu);
    BOTH(everything_else_is_dropped);
    BOTH(a_blocked_port_bounds_answers);
    BOTH(to_ourselves);
    return check_done();
}

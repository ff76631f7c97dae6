/*
 * A stream of gigabytes: numbers that were remembered at its beginning must not come round again (RFC 9293 3.4).
 * covers: A37, CC-03, SK-02, SK-04
 *
 * What is sent are views of one frame, cut by a device that looks at nothing, so that a gigabyte is cheap.
 */
#include "peer.h"

enum { MSS = 1000, CHUNK = 60000, WINDOW = 65535, SHIFT = 9 };

static struct peer p;
static uint8_t bytes[CHUNK];
static struct iip_frame frame;
static uint32_t started, next_seq;   /* packets so far; the number behind the last byte that was sent */
static uint32_t packets, lowest;     /* with text, since `look`: how many, and the lowest number */

static void frame_back(void *ctx, struct iip_frame *f)
{
    if (f != &frame) {
        ((struct testhost *)ctx)->frames_live--;
        free(f);
    }
}

static iip_u32 device(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct testhost *th = ctx;
    uint32_t seq, len, i;
    for (i = 0; i < n; i++) {
        seq = get32(pkts[i]->data + pkts[i]->l3_len + 4);
        len = pkts[i]->total - pkts[i]->l3_len - pkts[i]->l4_len;
        if (len && (!packets++ || (int32_t)(seq - lowest) < 0))
            lowest = seq;
        if (!started++ || (int32_t)(seq + len - next_seq) > 0)
            next_seq = seq + len;
        iip_pkt_free(th->stk, pkts[i]);
    }
    return n;
}

static void look(void)
{
    packets = 0;
}

/* An ACK, which may name a block that arrived; numbers are the wire's. */
static void ack(uint32_t number, uint32_t left, uint32_t right, const uint8_t *opts, uint32_t opt_len, uint8_t flags)
{
    uint8_t out[120];
    struct segment s;
    segment_init(&s, 4);
    memcpy(s.src, p.theirs.b, 16);
    memcpy(s.dst, p.ours.b, 16);
    s.sport = p.their_port;
    s.dport = p.our_port;
    s.seq = p.seq;
    s.ack = number;
    s.flags = flags;
    s.win = WINDOW;
    if (left != right) {
        memcpy(s.opts, "\1\1\5\12", 4);
        put32(s.opts + 4, left);
        put32(s.opts + 8, right);
        s.opt_len = 12;
    } else if (opt_len) {
        memcpy(s.opts, opts, opt_len);
        s.opt_len = (uint8_t)opt_len;
    }
    p.now += 100;
    peer_raw(&p, out, segment_encode(&s, out, sizeof(out)));
}

static void ack_to(uint32_t number)
{
    ack(number, 0, 0, NULL, 0, FL_ACK);
}

static int begin(void)
{
    static const uint8_t syn[] = {2, 4, MSS >> 8, MSS & 255, 1, 1, 4, 2, 1, 3, 3, SHIFT};
    struct iip_stack_cfg cfg;
    struct iip_endpoint any;
    peer_init(&p);
    memset(&any, 0, sizeof(any));
    any.port = 80;
    p.their_port = 5000;
    p.our_port = 80;
    p.now = 1000000;
    p.seq = 1000;
    p.th.host.transmit = device;
    p.th.host.frame_put = frame_back;
    iip_ip_v4(&p.ours, 192, 0, 2, 1);
    iip_ip_v4(&p.theirs, 192, 0, 2, 2);
    memset(&cfg, 0, sizeof(cfg));
    cfg.size = sizeof(cfg);
    cfg.flags = IIP_STACK_L3;
    cfg.caps = IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_TSO | IIP_CAP_TX_SG;
    if (iip_stack_new(&cfg, &p.th.host, p.now, &p.stk))
        return 0;
    p.th.stk = p.stk;
    iip_stack_set(p.stk, "tcp.rto_min_us", 60000000); /* retransmission by time is not what this is about */
    iip_stack_addr_add(p.stk, &p.ours, 24);
    iip_tcp_listen(p.stk, &any, 8, NULL, &p.lis);
    memset(&frame, 0, sizeof(frame));
    frame.base = bytes;
    frame.size = sizeof(bytes);
    frame.flags = IIP_FRAME_READ_ONLY;
    started = 0;
    ack(0, 0, 0, syn, sizeof(syn), FL_SYN);
    p.seq++;
    return 1;
}

/* What the SYN-ACK said is not kept by the device: the connection is asked. */
static struct iip_tcp_info info(void)
{
    struct iip_tcp_info i;
    memset(&i, 0, sizeof(i));
    i.size = sizeof(i);
    iip_tcp_info(p.stk, p.conn, &i);
    return i;
}

static void send(uint32_t len)
{
    struct iip_pkt *pkt = iip_pkt_new(p.stk, &frame, bytes, len);
    CHECK_EQ(iip_tcp_send(p.stk, p.conn, pkt), (int)len);
    peer_settle(&p);
}

/* So many bytes in order, each chunk acknowledged. */
static void far_on(uint64_t len)
{
    uint64_t done;
    for (done = 0; done < len && !check_failures; done += CHUNK) {
        send(CHUNK);
        while (info().snd_una != info().snd_nxt || info().unsent)
            ack_to(next_seq);
    }
}

/* Ten segments of which the first is late; the peer tells that the second is there. */
static void reorder_once(void)
{
    uint32_t una = info().snd_una;
    send(10 * MSS);
    ack(una, una + MSS, una + 2 * MSS, NULL, 0, FL_ACK);
    ack_to(next_seq);
}

static int open_it(void)
{
    if (!begin())
        return 0;
    ack_to(++next_seq); /* the SYN-ACK is all that was sent so far */
    return p.conn != NULL;
}

static void a_block_is_forgotten_with_its_bytes(void)
{
    int i;
    REQUIRE(open_it());
    far_on(10 * CHUNK); /* the window opens */
    for (i = 0; i < 4; i++)
        reorder_once();
    CHECK_EQ(testhost_counter(p.stk, "tcp_fast_retrans"), 0);
    far_on((uint64_t)1 << 31);
    reorder_once();
    CHECK_EQ(testhost_counter(p.stk, "tcp_fast_retrans"), 0);
    CHECK_EQ(testhost_counter(p.stk, "tcp_retrans"), 0);
    CHECK_EQ(peer_free(&p), 0);
}

static void the_short_way_is_found_again_after_disorder(void)
{
    uint64_t before;
    REQUIRE(open_it());
    far_on(10 * CHUNK);
    reorder_once();
    before = testhost_counter(p.stk, "tcp_fast_path");
    far_on(10 * CHUNK);
    CHECK(testhost_counter(p.stk, "tcp_fast_path") >= before + 10);
    CHECK_EQ(peer_free(&p), 0);
}

static void a_loss_after_gigabytes_without_one_is_repaired_at_once(void)
{
    uint32_t una;
    REQUIRE(open_it());
    far_on(((uint64_t)1 << 31) + 10 * CHUNK);
    una = info().snd_una;
    send(10 * MSS);
    look();
    ack(una, una + MSS, una + 2 * MSS, NULL, 0, FL_ACK);
    ack(una, una + MSS, una + 3 * MSS, NULL, 0, FL_ACK);
    CHECK_EQ(packets, 0);
    ack(una, una + MSS, una + 4 * MSS, NULL, 0, FL_ACK);
    CHECK_EQ(packets, 1);
    CHECK_EQ(lowest - una, 0);
    CHECK_EQ(testhost_counter(p.stk, "tcp_fast_retrans"), 1);
    ack_to(next_seq);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(the_short_way_is_found_again_after_disorder);
    RUN(a_loss_after_gigabytes_without_one_is_repaired_at_once);
    RUN(a_block_is_forgotten_with_its_bytes);
    return check_done();
}

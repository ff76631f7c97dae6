/* pair_test.c - two ends in memory: order, back-pressure, marks, queues, sleeping, threads. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "check.h"
#include "iip/status.h"
#include "stub.h"

static struct end a, b;
static uint8_t buf[1 << 17];

static int open_two(const char *args, const struct iip_port_cfg *cfg)
{
    return end_open(&a, args, cfg) < 0 || end_open(&b, args, cfg) < 0;
}

static void close_two(void)
{
    CHECK_EQ(end_close(&a), 0);
    CHECK_EQ(end_close(&b), 0);
}

static int is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static int readable(struct end *e)
{
    return is_readable(e->ops->fd(e->q));
}

static void says_what_it_is(void)
{
    struct iip_port_region region;
    REQUIRE(!open_two("pair:x,mtu=9000", NULL));
    CHECK_EQ(a.info.link_up, 0);
    CHECK_EQ(b.info.link_up, 1);
    CHECK_EQ(a.ops->changed(a.port), 1);
    CHECK_EQ(a.ops->changed(a.port), 0);
    CHECK_EQ(b.ops->changed(b.port), 0);
    a.ops->info(a.port, &a.info);
    CHECK_EQ(a.info.link_up, 1);
    CHECK_EQ(a.info.mtu, 9000);
    CHECK_EQ(a.info.caps, IIP_CAP_TX_SG | IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM);
    CHECK(memcmp(a.info.mac, b.info.mac, 6) != 0);
    CHECK_EQ(a.info.mac[0] & 3, 2);
    CHECK_EQ(a.ops->regions(a.port, &region, 1), 2);
    CHECK(region.base && region.len);
    CHECK_EQ(end_close(&b), 0);
    CHECK_EQ(a.ops->changed(a.port), 1);
    a.ops->info(a.port, &a.info);
    CHECK_EQ(a.info.link_up, 0);
    CHECK_EQ(end_close(&a), 0);
}

static void carries_bytes_in_order(void)
{
    uint16_t flags = 0;
    REQUIRE(!open_two("pair:x", NULL));
    for (int i = 0; i < 100; i++) {
        memset(buf, i, 60 + (size_t)i);
        CHECK_EQ(end_send(&a, buf, 60 + (uint32_t)i), 1);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(end_recv(&b, buf, sizeof(buf), &flags), 60 + i);
        CHECK(buf[0] == i && buf[59 + i] == i);
        CHECK_EQ(flags, IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK);
    }
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(end_send(&b, "hello", 5), 1);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), 5);
    close_two();
}

static void marks_nothing_without_offload(void)
{
    uint16_t flags = 1;
    REQUIRE(!open_two("pair:x,csum=off", NULL));
    CHECK_EQ(a.info.caps, IIP_CAP_TX_SG);
    CHECK_EQ(end_send(&a, "hello", 5), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), &flags), 5);
    CHECK_EQ(flags, 0);
    close_two();
}

/* Nothing is lost: what the ring cannot take is refused, and goes later. */
static void refuses_when_full(void)
{
    struct iip_port_cfg cfg = {.frames = 256, .ring = 64};
    struct iip_port_stats sa, sb;
    uint32_t sent = 0, got = 0;
    REQUIRE(!open_two("pair:x", &cfg));
    while (sent < 1000) {
        memcpy(buf, &sent, 4);
        if (end_send(&a, buf, 60)) {
            sent++;
            continue;
        }
        CHECK(sent > got);
        while (end_recv(&b, buf, sizeof(buf), NULL) == 60) {
            CHECK_MEM(buf, &got, 4);
            got++;
        }
    }
    while (end_recv(&b, buf, sizeof(buf), NULL) == 60)
        got++;
    CHECK_EQ(got, 1000);
    a.ops->stats(a.q, &sa);
    b.ops->stats(b.q, &sb);
    CHECK_EQ(sa.tx_packets, 1000);
    CHECK_EQ(sa.tx_bytes, 60000);
    CHECK(sa.tx_refused > 0);
    CHECK_EQ(sb.rx_packets, 1000);
    CHECK_EQ(sb.rx_bytes, 60000);
    close_two();
}

/* The receiver keeps all it gets: frames run out, the sender is refused, and all goes on when they come back. */
static void survives_a_pool_that_runs_dry(void)
{
    struct iip_port_cfg cfg = {.frames = 128, .ring = 64};
    struct iip_pkt *held[256], *pkt;
    uint32_t n = 0;
    REQUIRE(!open_two("pair:x", &cfg));
    for (int i = 0; i < 300; i++) {
        end_send(&a, buf, 60);
        if (b.ops->rx(b.q, &pkt, 1))
            held[n++] = pkt;
    }
    CHECK(n >= 64 && n <= 128);
    CHECK_EQ(end_send(&a, buf, 60), 0);
    CHECK(b.ops->frame_get(b.q, 60) != NULL); /* receive leaves some for transmit */
    for (uint32_t i = 0; i < n; i++)
        iip_pkt_free(&b.stk, held[i]);
    b.ops->rx(b.q, &pkt, 1);
    CHECK_EQ(end_send(&a, buf, 60), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 60);
    close_two();
}

static void survives_no_memory_for_views(void)
{
    struct iip_pkt *pkt;
    uint32_t before;
    REQUIRE(!open_two("pair:x,tso=on", NULL));
    for (uint32_t i = 0; i < 5000; i++)
        buf[i] = (uint8_t)i;
    before = b.ops->frames_free(b.q);
    pkt = end_pkt(&a, buf, 5000);
    pkt->flags = IIP_PKT_TSO;
    pkt->seg_size = 1448;
    CHECK_EQ(a.ops->tx(a.q, &pkt, 1), 1);
    for (uint32_t fail = 1; fail <= 3; fail++) {
        b.stk.fail_after = fail;
        CHECK_EQ(b.ops->rx(b.q, &pkt, 1), 0);
    }
    b.stk.fail_after = 0;
    REQUIRE(b.ops->rx(b.q, &pkt, 1) == 1);
    CHECK_EQ(pkt->total, 5000);
    CHECK_EQ(pkt->flags & IIP_PKT_LRO, IIP_PKT_LRO);
    CHECK_EQ(pkt->seg_size, 1448);
    uint32_t at = 0;
    for (struct iip_pkt *v = pkt; v; v = v->next, at += 1920)
        CHECK_MEM(v->data, buf + at, v->len);
    iip_pkt_free(&b.stk, pkt);
    CHECK_EQ(b.ops->frames_free(b.q), before);
    close_two();
}

/* As large as they get, through the smallest ring. */
static void carries_the_largest(void)
{
    struct iip_port_cfg cfg = {.ring = 64, .frames = 256};
    struct iip_pkt *pkt;
    REQUIRE(!open_two("pair:x,tso=on", &cfg));
    for (uint32_t i = 0; i < 65549; i++)
        buf[i] = (uint8_t)(i * 7 >> 3);
    for (int i = 0; i < 5; i++) {
        pkt = end_pkt(&a, buf, 65549);
        pkt->flags = IIP_PKT_TSO;
        REQUIRE(a.ops->tx(a.q, &pkt, 1) == 1);
        memset(buf, 0, sizeof(buf));
        CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 65549);
        for (uint32_t k = 0; k < 65549; k++)
            REQUIRE(buf[k] == (uint8_t)(k * 7 >> 3));
    }
    close_two();
}

static void drops_what_no_wire_takes(void)
{
    struct iip_port_stats st;
    REQUIRE(!open_two("pair:x", NULL));
    CHECK_EQ(end_send(&a, buf, 1518), 1);
    CHECK_EQ(end_send(&a, buf, 1519), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 1518);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1); /* takes back what was lent */
    a.ops->stats(a.q, &st);
    CHECK_EQ(st.tx_packets, 1);
    CHECK_EQ(st.tx_dropped, 1);
    close_two();
}

/* ---- waiting ---- */

static void wakes_only_who_sleeps(void)
{
    int fd;
    REQUIRE(!open_two("pair:x", NULL));
    end_send(&a, "one", 3);
    CHECK(readable(&b)); /* asked after it came */
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 3);
    fd = b.ops->fd(b.q);
    CHECK(!is_readable(fd));
    end_send(&a, "two", 3);
    CHECK(is_readable(fd)); /* came while asleep */
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 3);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    CHECK(!is_readable(fd));
    end_send(&a, "three", 5);
    CHECK(!is_readable(fd)); /* nobody asked: no system call */
    CHECK(!readable(&a));
    close_two();
}

static void wakes_a_refused_sender(void)
{
    int fd = -1;
    struct iip_port_cfg cfg = {.frames = 256, .ring = 64};
    REQUIRE(!open_two("pair:x", &cfg));
    for (int asleep = 0; asleep < 2; asleep++) {
        while (end_send(&a, buf, 60))
            ;
        CHECK(!asleep || !readable(&a));
        while (end_recv(&b, buf, sizeof(buf), NULL) >= 0)
            ;
        CHECK(asleep ? is_readable(fd) : readable(&a));
        CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
        CHECK_EQ(end_send(&a, buf, 60), 1);
        fd = a.ops->fd(a.q);
        CHECK(!is_readable(fd));
        CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1);
    }
    close_two();
}

static void wakes_when_the_other_end_opens(void)
{
    REQUIRE(end_open(&a, "pair:x", NULL) == IIP_OK);
    CHECK_EQ(end_send(&a, buf, 60), 0);
    CHECK(!readable(&a));
    REQUIRE(end_open(&b, "pair:x", NULL) == IIP_OK);
    CHECK(readable(&a));
    CHECK_EQ(end_send(&a, buf, 60), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 60);
    close_two();
}

/* A bit at a time, from the definition in the RSS specification. */
static uint32_t toeplitz(const struct iip_share *s, const uint8_t *p, uint32_t len)
{
    uint32_t hash = 0;
    for (uint32_t bit = 0; bit < len * 8; bit++)
        if (p[bit / 8] >> (7 - bit % 8) & 1)
            for (uint32_t i = 0; i < 32; i++)
                hash ^= (uint32_t)(s->key[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1) << (31 - i);
    return hash;
}

/* Each flow comes up on the queue that `share` names, in both directions, whatever queue sent it. */
static void shares_flows_between(uint32_t queues)
{
    struct iip_port_cfg cfg = {.queues = queues};
    struct iip_port_queue *qa[4], *qb[4];
    uint32_t seen[4] = {0};
    REQUIRE(!open_two("pair:x", &cfg));
    CHECK_EQ(b.info.queues, queues);
    CHECK_EQ(b.info.has_share, 1);
    CHECK_EQ(b.info.share.stacks, queues);
    for (uint32_t i = 0; i < queues; i++) {
        qa[i] = a.ops->queue(a.port, i);
        qb[i] = b.ops->queue(b.port, i);
        a.ops->attach(qa[i], &a.stk);
        b.ops->attach(qb[i], &b.stk);
    }
    CHECK(!a.ops->queue(a.port, queues));
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t len = udp_frame(buf, (uint16_t)(1000 + i), (uint16_t)(7 * i), 20, 1);
        uint32_t want = b.info.share.table[toeplitz(&b.info.share, buf + 26, 12) & 127];
        struct iip_pkt *pkt = end_pkt(&a, buf, len);
        CHECK_EQ(a.ops->tx(qa[i % queues], &pkt, 1), 1);
        REQUIRE(b.ops->rx(qb[want], &pkt, 1) == 1);
        iip_pkt_free(&b.stk, pkt);
        seen[want]++;
        /* the reply */
        udp_frame(buf, (uint16_t)(7 * i), (uint16_t)(1000 + i), 20, 1);
        buf[29] = 2, buf[33] = 1;
        CHECK_EQ(a.info.share.table[toeplitz(&a.info.share, buf + 26, 12) & 127], want);
        pkt = end_pkt(&b, buf, len);
        CHECK_EQ(b.ops->tx(qb[want], &pkt, 1), 1);
        REQUIRE(a.ops->rx(qa[want], &pkt, 1) == 1);
        iip_pkt_free(&a.stk, pkt);
    }
    for (uint32_t i = 0; i < queues; i++)
        CHECK(seen[i] > 20);
    close_two();
}

static void shares_flows_between_four(void)
{
    shares_flows_between(4);
}

static void shares_flows_between_three(void)
{
    shares_flows_between(3);
}

static void a_burst_for_several_queues(void)
{
    struct iip_port_cfg cfg = {.queues = 2};
    struct iip_pkt *pkts[64];
    uint32_t got = 0;
    REQUIRE(!open_two("pair:x", &cfg));
    b.ops->attach(b.ops->queue(b.port, 1), &b.stk);
    for (uint32_t i = 0; i < 64; i++)
        pkts[i] = end_pkt(&a, buf, udp_frame(buf, (uint16_t)(1000 + i), 53, 20, 1));
    CHECK_EQ(a.ops->tx(a.q, pkts, 64), 64);
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t n = b.ops->rx(b.ops->queue(b.port, k), pkts, 64);
        CHECK(n > 10);
        for (uint32_t i = 0; i < n; i++)
            iip_pkt_free(&b.stk, pkts[i]);
        got += n;
    }
    CHECK_EQ(got, 64);
    close_two();
}

static void fewer_queues_on_the_second_end(void)
{
    struct iip_port_cfg four = {.queues = 4}, eight = {.queues = 8};
    REQUIRE(end_open(&a, "pair:x", &four) == IIP_OK);
    REQUIRE(end_open(&b, "pair:x", NULL) == IIP_OK);
    CHECK_EQ(a.info.queues, 4);
    CHECK_EQ(b.info.queues, 1);
    CHECK_EQ(b.info.has_share, 0);
    struct iip_pkt *pkt = end_pkt(&a, "hello", 5);
    CHECK_EQ(a.ops->tx(a.ops->queue(a.port, 0), &pkt, 1), 1);
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), 5);
    close_two();
    REQUIRE(end_open(&a, "pair:x,queues=2", NULL) == IIP_OK);
    REQUIRE(end_open(&b, "pair:x", &eight) == IIP_OK);
    CHECK_EQ(b.info.queues, 2);
    close_two();
}

static void expect_error(const char *name, int status, const char *part)
{
    struct end e;
    int got = end_open(&e, name, NULL);
    CHECK_EQ(got, status);
    CHECK(strstr(e.err, part) != NULL);
    if (!strstr(e.err, part))
        printf("  error of %s: %s\n", name, e.err);
    if (got >= 0)
        end_close(&e);
}

static void refuses_bad_names(void)
{
    expect_error("pair:x,mtu=12", IIP_E_RANGE, "mtu=12: use 576 to 65535");
    expect_error("pair:x,mtu=abc", IIP_E_INVAL, "mtu=abc");
    expect_error("pair:x,csum=maybe", IIP_E_INVAL, "csum=maybe: use on or off");
    expect_error("pair:x,speed=1", IIP_E_NOT_FOUND, "'speed'");
    expect_error("pair:x,=1", IIP_E_INVAL, "'=1'");
    expect_error("pair:x,tso=on,csum=off", IIP_E_INVAL, "needs csum=on");
    expect_error("pair:x,frames=64,frame_size=1", IIP_E_RANGE, "frame_size=1");
    expect_error("pair:x,frame_size=512", IIP_E_RANGE,
                 "frame_size=512: a packet of mtu=1500 does not fit; use at least 2048");
    expect_error("pair:x,mtu=9000,frame_size=8192", IIP_E_RANGE, "use at least 16384");
    expect_error("pair:x,tso=on,mtu=576,frame_size=1024", IIP_E_RANGE, "frame_size=1024: a packet of 65553 bytes");
    expect_error("pair:x,tso=on,frames=127", IIP_E_RANGE,
                 "frames=127: a packet of 65553 bytes takes up to 35 frames of "
                 "2048 bytes; use at least 128");
    expect_error("pair:x,tso=on,queues=2,frames=128", IIP_E_RANGE, "use at least 256");
    expect_error("pear:x", IIP_E_NO_DEVICE, "'pear'");
    expect_error("", IIP_E_INVAL, "no port is named");
    expect_error("xdp:eth7", IIP_E_NOT_SUPPORTED, "dpdk:net_af_xdp0,iface=eth7");
    REQUIRE(!open_two("pair:x,csum=off", NULL));
    expect_error("pair:x", IIP_E_BUSY, "both ends are open");
    CHECK_EQ(end_close(&b), 0);
    expect_error("pair:x", IIP_E_BUSY, "was closed");
    expect_error("pair:y,mac=01:00:00:00:00:01", IIP_E_INVAL, "unicast");
    CHECK_EQ(end_close(&a), 0);
    REQUIRE(end_open(&a, "pair:x,csum=off", NULL) == IIP_OK);
    expect_error("pair:x,csum=on", IIP_E_INVAL, "other end has csum=off");
    expect_error("pair:x,mtu=900", IIP_E_INVAL, "mtu=1500");
    CHECK_EQ(end_close(&a), 0);
}

/* ---- threads: numbered packets both ways, with sleeping ---- */

enum { PACKETS = 20000 };

static void *pump(void *arg)
{
    struct end *e = arg;
    struct iip_pkt *burst[32], *pkt = NULL;
    uint32_t sent = 0, got = 0;
    while (sent < PACKETS || got < PACKETS) {
        uint32_t n, moved = 0;
        while (sent < PACKETS) {
            uint32_t words[128];
            for (uint32_t i = 0; i < 128; i++)
                words[i] = sent ^ i;
            pkt = pkt ? pkt : end_pkt(e, words, 60 + sent % 440);
            if (!pkt || !e->ops->tx(e->q, &pkt, 1))
                break;
            pkt = NULL;
            sent++;
            moved++;
            if (moved == 32)
                break;
        }
        n = e->ops->rx(e->q, burst, 32);
        for (uint32_t i = 0; i < n; i++, got++) {
            uint32_t first, other;
            memcpy(&first, burst[i]->data, 4);
            memcpy(&other, burst[i]->data + 56, 4);
            if (first != got || other != (got ^ 14) || burst[i]->len != 60 + got % 440)
                return "wrong packet";
            iip_pkt_free(&e->stk, burst[i]);
        }
        if (!n && !moved && (sent < PACKETS || got < PACKETS)) {
            struct pollfd p = {.fd = e->ops->fd(e->q), .events = POLLIN};
            if (poll(&p, 1, 60000) != 1)
                return "nobody woke us";
        }
    }
    return NULL;
}

static void two_threads(void)
{
    struct iip_port_cfg cfg = {.frames = 512, .ring = 64};
    pthread_t ta, tb;
    void *ra, *rb;
    REQUIRE(!open_two("pair:x", &cfg));
    pthread_create(&ta, NULL, pump, &a);
    pthread_create(&tb, NULL, pump, &b);
    pthread_join(ta, &ra);
    pthread_join(tb, &rb);
    CHECK_STR(ra ? ra : "fine", "fine");
    CHECK_STR(rb ? rb : "fine", "fine");
    CHECK_EQ(end_recv(&a, buf, sizeof(buf), NULL), -1); /* take back what was lent last */
    CHECK_EQ(end_recv(&b, buf, sizeof(buf), NULL), -1);
    close_two();
}

int main(void)
{
    RUN(says_what_it_is);
    RUN(carries_bytes_in_order);
    RUN(marks_nothing_without_offload);
    RUN(refuses_when_full);
    RUN(survives_a_pool_that_runs_dry);
    RUN(survives_no_memory_for_views);
    RUN(carries_the_largest);
    RUN(drops_what_no_wire_takes);
    RUN(wakes_only_who_sleeps);
    RUN(wakes_a_refused_sender);
    RUN(wakes_when_the_other_end_opens);
    RUN(shares_flows_between_four);
    RUN(shares_flows_between_three);
    RUN(a_burst_for_several_queues);
    RUN(fewer_queues_on_the_second_end);
    RUN(refuses_bad_names);
    RUN(two_threads);
    return check_done();
}

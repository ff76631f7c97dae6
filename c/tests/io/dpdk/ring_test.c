/*
 * ring_test.c - the data path of the DPDK port over a device that needs nothing from the machine: net_ring.
 */
#include <string.h>

#include "ring.h"

/* ---- in and out -------------------------------------------------------------------------------------------------- */

static void bytes_of_every_length_come_back(void)
{
    uint8_t out[1514], in[2048];
    uint32_t len;

    if (!ring_open(NULL))
        return;
    for (len = 1; len <= sizeof(out); len++) {
        fill(out, len, len);
        CHECK_EQ(end_send(&ring, out, len), 1);
        if (!CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), len) || !CHECK_MEM(in, out, len))
            break;
    }
    ring_close();
}

static void chain_comes_back_whole(void)
{
    static const uint32_t parts[] = {54, 1, 700, 128, 129, 400}; /* behind COPY_BYTES and below it */
    struct iip_pkt *pkt = NULL, **tail = &pkt;
    uint8_t out[1412], in[2048];
    uint32_t i, at = 0;

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 1);
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        *tail = end_pkt(&ring, out + at, parts[i]);
        at += parts[i];
        tail = &(*tail)->next;
    }
    pkt->total = at;
    CHECK_EQ(at, sizeof(out));
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), at);
    CHECK_MEM(in, out, at);
    ring_close();
}

static void received_bytes_lie_in_a_region(void)
{
    struct iip_port_region regions[16];
    struct iip_pkt *pkt;
    uint8_t out[200];
    uint32_t n;

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 5);
    n = ring.ops->regions(ring.port, regions, 16);
    CHECK(n >= 1 && n <= 16);
    CHECK_EQ(end_send(&ring, out, sizeof(out)), 1);
    REQUIRE(ring.ops->rx(ring.q, &pkt, 1) == 1);
    REQUIRE(pkt->frame->region < n);
    CHECK(pkt->data >= (uint8_t *)regions[pkt->frame->region].base);
    CHECK(pkt->data + pkt->len <= (uint8_t *)regions[pkt->frame->region].base + regions[pkt->frame->region].len);
    CHECK(pkt->data >= pkt->frame->base + 118); /* Ethernet with tag, IPv6 and TCP headers fit in front */
    CHECK(pkt->data + pkt->len <= pkt->frame->base + pkt->frame->size);
    CHECK_EQ(pkt->frame->views, 1);
    iip_pkt_free(&ring.stk, pkt);
    ring_close();
}

static void foreign_memory_is_sent_by_copy(void)
{
    static uint8_t bytes[6000], in[8192];
    struct iip_frame frame = {.base = bytes, .size = sizeof(bytes), .views = 1, .flags = IIP_FRAME_READ_ONLY};
    struct iip_pkt *pkt;

    if (!ring_open(NULL))
        return;
    fill(bytes, sizeof(bytes), 9);
    pkt = iip_pkt_new(&ring.stk, &frame, bytes, sizeof(bytes));
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    CHECK_EQ(frame.views, 1); /* the port keeps nothing of it */
    memset(bytes, 0, sizeof(bytes));
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), sizeof(bytes));
    fill(bytes, sizeof(bytes), 9);
    CHECK_MEM(in, bytes, sizeof(bytes));
    ring_close();
}

static void empty_packet_is_counted_and_gone(void)
{
    struct iip_port_stats stats;
    struct iip_pkt *pkts[3];
    uint8_t out[64], in[2048];

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 2);
    pkts[0] = end_pkt(&ring, out, sizeof(out));
    pkts[1] = end_pkt(&ring, out, 0);
    pkts[2] = end_pkt(&ring, out, sizeof(out));
    CHECK_EQ(ring.ops->tx(ring.q, pkts, 3), 3);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), sizeof(out));
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), sizeof(out));
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), -1);
    ring.ops->stats(ring.q, &stats);
    CHECK_EQ(stats.tx_dropped, 1);
    CHECK_EQ(stats.tx_packets, 2);
    CHECK_EQ(stats.tx_refused, 0);
    ring_close();
}

/* ---- frames that the stack keeps for retransmission -------------------------------------------------------------- */

/* A frame of 1,000 bytes that a retransmit queue holds (*kept), and a second view of it. */
static struct iip_pkt *second_view(struct iip_pkt **kept, uint8_t *out)
{
    fill(out, 1000, 3);
    *kept = end_pkt(&ring, out, 1000);
    return iip_pkt_new(&ring.stk, (*kept)->frame, (*kept)->data, (*kept)->len);
}

static void frame_in_the_driver_shows_a_view(void)
{
    struct iip_pkt *kept, *pkt;
    uint8_t out[1000], in[2048];

    if (!ring_open(NULL))
        return;
    pkt = second_view(&kept, out);
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    CHECK(kept->frame->views > 1); /* so the stack writes no header into it */
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 1000);
    CHECK_MEM(in, out, 1000);
    ring.ops->rx(ring.q, &pkt, 1); /* looks at the held frames */
    CHECK_EQ(kept->frame->views, 1);
    iip_pkt_free(&ring.stk, kept);
    ring_close();
}

static void retransmission_from_a_frame_in_the_driver(void)
{
    struct iip_pkt *kept, *pkt;
    uint8_t out[1000], in[2048];
    int i;

    if (!ring_open(NULL))
        return;
    pkt = second_view(&kept, out);
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    for (i = 1; i <= 3; i++) { /* other parts of the same frame, while the driver still has the first */
        pkt = iip_pkt_new(&ring.stk, kept->frame, kept->data + 100 * i, 1000 - 200U * (uint32_t)i);
        CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    }
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 1000);
    CHECK_MEM(in, out, 1000);
    for (i = 1; i <= 3; i++) {
        CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 1000 - 200 * i);
        CHECK_MEM(in, out + 100 * i, 1000 - 200U * (uint32_t)i);
    }
    ring.ops->rx(ring.q, &pkt, 1);
    CHECK_EQ(kept->frame->views, 1);
    iip_pkt_free(&ring.stk, kept);
    ring_close();
}

static void frame_forgotten_by_the_stack_lives_until_the_driver_is_done(void)
{
    struct iip_pkt *kept, *pkt;
    uint8_t out[1000], in[2048];

    if (!ring_open(NULL))
        return;
    pkt = second_view(&kept, out);
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    iip_pkt_free(&ring.stk, kept); /* acknowledged before the driver let go */
    CHECK(ring.ops->frames_free(ring.q) < ring_free);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 1000);
    CHECK_MEM(in, out, 1000);
    ring_close();
}

static void two_views_of_one_frame_in_one_packet(void)
{
    struct iip_pkt *a;
    uint8_t out[1000], in[2048];

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 8);
    a = end_pkt(&ring, out, sizeof(out));
    a->len = 400;
    a->next = iip_pkt_new(&ring.stk, a->frame, a->data + 400, 600);
    CHECK_EQ(ring.ops->tx(ring.q, &a, 1), 1);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), sizeof(out));
    CHECK_MEM(in, out, sizeof(out));
    ring_close();
}

/* Small bytes are copied behind a segment only where nobody else has bytes there. */
static void bytes_behind_a_shared_view_are_safe(void)
{
    struct iip_pkt *kept, *pkt;
    uint8_t out[1000], in[2048];

    if (!ring_open(NULL))
        return;
    pkt = second_view(&kept, out);
    pkt->len = 400;
    pkt->next = end_pkt(&ring, "tail", 4);
    pkt->total = 404;
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    CHECK_MEM(kept->data, out, 1000);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 404);
    CHECK_MEM(in, out, 400);
    CHECK_MEM(in + 400, "tail", 4);
    iip_pkt_free(&ring.stk, kept);
    ring_close();
}

static void one_look_finds_all_frames_that_are_free(void)
{
    struct iip_pkt *kept[100], *got[100], *pkt;
    uint8_t out[1000];
    int i;

    if (!ring_open(NULL))
        return;
    for (i = 0; i < 100; i++) {
        pkt = second_view(&kept[i], out);
        CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    }
    CHECK_EQ(ring.ops->rx(ring.q, got, 100), 100);
    for (i = 0; i < 100; i++)
        iip_pkt_free(&ring.stk, got[i]);
    CHECK_EQ(ring.ops->rx(ring.q, got, 100), 0);
    for (i = 0; i < 100; i++) {
        CHECK_EQ(kept[i]->frame->views, 1);
        iip_pkt_free(&ring.stk, kept[i]);
    }
    ring_close();
}

/* A received packet is sent on from where it lies, with a header written into its headroom. */
static void received_frame_is_sent_on(void)
{
    uint8_t out[300], in[2048];
    struct iip_pkt *pkt;

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 4);
    CHECK_EQ(end_send(&ring, out + 40, 260), 1);
    REQUIRE(ring.ops->rx(ring.q, &pkt, 1) == 1);
    pkt->data -= 40;
    memcpy(pkt->data, out, 40);
    pkt->len = pkt->total = 300;
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 300);
    CHECK_MEM(in, out, 300);
    ring_close();
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

static void packet_number(uint8_t *out, uint32_t n)
{
    fill(out, 600, n);
    memcpy(out, &n, sizeof(n));
}

/* Packet n in one of four shapes: alone, header and payload, with a view that stays behind (*kept), foreign. */
static struct iip_pkt *packet_shaped(uint32_t n, struct iip_pkt **kept)
{
    static uint8_t foreign[64][600];
    static struct iip_frame frames[64];
    struct iip_frame *frame = &frames[n % 64];
    uint8_t out[600];
    struct iip_pkt *pkt;

    *kept = NULL;
    packet_number(out, n);
    if (n % 4 == 3) {
        *frame = (struct iip_frame){.base = foreign[n % 64], .size = 600, .flags = IIP_FRAME_READ_ONLY};
        memcpy(frame->base, out, sizeof(out));
        frame->views = 1;
        return iip_pkt_new(&ring.stk, frame, frame->base, 600);
    }
    pkt = end_pkt(&ring, out, n % 4 ? 50 : 600);
    if (n % 4 == 0)
        return pkt;
    pkt->next = end_pkt(&ring, out + 50, 550);
    pkt->total = 600;
    if (n % 4 == 2)
        *kept = iip_pkt_new(&ring.stk, pkt->next->frame, pkt->next->data, 550);
    return pkt;
}

static int drain(uint32_t *next)
{
    uint8_t in[2048], want[600];
    int n = 0;

    while (end_recv(&ring, in, sizeof(in), NULL) == 600) {
        packet_number(want, *next);
        if (!CHECK_MEM(in, want, 600))
            return n;
        ++*next;
        n++;
    }
    return n;
}

static void full_ring_refuses_and_loses_nothing(void)
{
    struct iip_pkt *kept[3 * RING_SLOTS], *pkts[32];
    struct iip_port_stats stats;
    uint32_t n = 0, next = 0, held = 0, refusals = 0, i, took;

    if (!ring_open(NULL))
        return;
    while (n < 3 * RING_SLOTS) {
        for (; held < 32 && n + held < 3 * RING_SLOTS; held++)
            pkts[held] = packet_shaped(n + held, &kept[n + held]);
        took = ring.ops->tx(ring.q, pkts, held);
        n += took;
        held -= took;
        memmove(pkts, pkts + took, held * sizeof(pkts[0]));
        if (held) {
            refusals++;
            CHECK(n - next <= RING_SLOTS);
            for (i = 0; i < held; i++) /* what came back is as it was; foreign memory has a view of its owner */
                CHECK_EQ(pkts[i]->frame->views, pkts[i]->frame->flags & IIP_FRAME_READ_ONLY ? 2 : 1);
            CHECK(drain(&next) > 0);
        }
    }
    drain(&next);
    CHECK_EQ(next, 3 * RING_SLOTS);
    CHECK(refusals >= 2);
    for (i = 0; i < n; i++)
        iip_pkt_free(&ring.stk, kept[i]);
    ring.ops->stats(ring.q, &stats);
    CHECK_EQ(stats.tx_packets, 3 * RING_SLOTS);
    CHECK_EQ(stats.rx_packets, 3 * RING_SLOTS);
    CHECK(stats.tx_refused > 0);
    ring_close();
}

static void empty_pool_gives_no_frame_and_refuses_copies(void)
{
    static uint8_t foreign[600];
    struct iip_frame frame = {.base = foreign, .size = sizeof(foreign), .views = 1, .flags = IIP_FRAME_READ_ONLY};
    struct iip_port_cfg cfg = {.frames = 1000};
    struct iip_frame *got[1001] = {NULL};
    struct iip_pkt *pkt;
    uint32_t n = 0;

    if (!ring_open(&cfg))
        return;
    CHECK_EQ(ring_free, 1000);
    CHECK(!ring.ops->frame_get(ring.q, 100000)); /* larger than any frame */
    while (n <= 1000 && (got[n] = ring.ops->frame_get(ring.q, 256)) != NULL) {
        CHECK_EQ(got[n]->views, 0);
        CHECK_EQ(got[n]->flags, 0);
        n++;
    }
    CHECK_EQ(n, 1000);
    pkt = iip_pkt_new(&ring.stk, &frame, foreign, sizeof(foreign));
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 0);
    ring.ops->frame_put(ring.q, got[--n]);
    CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    while (n)
        ring.ops->frame_put(ring.q, got[--n]);
    ring_close();
}

static void no_memory_for_views_drops_and_counts(void)
{
    struct iip_port_stats stats;
    struct iip_pkt *pkts[2];
    uint8_t out[100];

    if (!ring_open(NULL))
        return;
    fill(out, sizeof(out), 1);
    CHECK_EQ(end_send(&ring, out, sizeof(out)), 1);
    CHECK_EQ(end_send(&ring, out, sizeof(out)), 1);
    ring.stk.fail_after = 1;
    CHECK_EQ(ring.ops->rx(ring.q, pkts, 2), 1); /* the first fails, the second is there */
    iip_pkt_free(&ring.stk, pkts[0]);
    ring.ops->stats(ring.q, &stats);
    CHECK_EQ(stats.rx_dropped, 1);
    CHECK_EQ(stats.rx_packets, 1);
    ring_close();
}

int main(void)
{
    dpdk_test_begin("dpdk:net_ring0");
    RUN(bytes_of_every_length_come_back);
    RUN(chain_comes_back_whole);
    RUN(received_bytes_lie_in_a_region);
    RUN(foreign_memory_is_sent_by_copy);
    RUN(empty_packet_is_counted_and_gone);
    RUN(frame_in_the_driver_shows_a_view);
    RUN(retransmission_from_a_frame_in_the_driver);
    RUN(frame_forgotten_by_the_stack_lives_until_the_driver_is_done);
    RUN(two_views_of_one_frame_in_one_packet);
    RUN(bytes_behind_a_shared_view_are_safe);
    RUN(one_look_finds_all_frames_that_are_free);
    RUN(received_frame_is_sent_on);
    RUN(full_ring_refuses_and_loses_nothing);
    RUN(empty_pool_gives_no_frame_and_refuses_copies);
    RUN(no_memory_for_views_drops_and_counts);
    return check_done();
}

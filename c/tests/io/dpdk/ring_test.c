/*
 * ring_test.c - the DPDK port over devices that need nothing from the machine: net_ring, net_null.
 *
 * A net_ring gives every mbuf that is sent to it back as received, and frees none: the driver that holds on for longest.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "check.h"
#include "dpdk_test.h"

enum { RING_SLOTS = 1024 };

static struct end ring;
static uint32_t ring_free; /* frames that were free when it was opened */

static int ring_open(const struct iip_port_cfg *cfg)
{
    int rc = end_open(&ring, "dpdk:net_ring0", cfg);

    if (rc == 0)
        ring_free = ring.ops->frames_free(ring.q);
    else
        printf("%s\n", ring.err);
    return CHECK_EQ(rc, 0);
}

/* Every frame is home, every view is freed. */
static void ring_close(void)
{
    struct iip_pkt *none;

    while (ring.ops->rx(ring.q, &none, 1))
        iip_pkt_free(&ring.stk, none);
    CHECK_EQ(ring.ops->rx(ring.q, &none, 1), 0);
    CHECK_EQ(ring.ops->frames_free(ring.q), ring_free);
    CHECK_EQ(end_close(&ring), 0);
}

static void fill(uint8_t *to, uint32_t len, uint32_t seed)
{
    uint32_t i;

    for (i = 0; i < len; i++)
        to[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

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
    CHECK_EQ(stats.wire_lost, 1);
    CHECK_EQ(stats.tx_packets, 3);
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
    struct iip_pkt *kept[100], *pkt;
    uint8_t out[1000], in[2048];
    int i;

    if (!ring_open(NULL))
        return;
    for (i = 0; i < 100; i++) {
        pkt = second_view(&kept[i], out);
        CHECK_EQ(ring.ops->tx(ring.q, &pkt, 1), 1);
    }
    for (i = 0; i < 100; i++)
        CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 1000);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), -1);
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
    struct iip_frame *got[1001];
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

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void packet_outlives_its_port(void)
{
    uint8_t out[100];
    struct iip_pkt *pkt;
    int i;

    for (i = 0; i < 8; i++) { /* each pool waits for the packet of its round, then goes */
        if (!ring_open(NULL))
            return;
        fill(out, sizeof(out), 6);
        CHECK_EQ(end_send(&ring, out, sizeof(out)), 1);
        REQUIRE(ring.ops->rx(ring.q, &pkt, 1) == 1);
        ring.ops->close(ring.port);
        ring.port = NULL;
        CHECK_MEM(pkt->data, out, sizeof(out));
        iip_pkt_free(&ring.stk, pkt);
        CHECK_EQ(end_close(&ring), 0);
    }
}

static void two_ports_at_once(void)
{
    struct end other;
    uint8_t out[100], in[2048];

    if (!ring_open(NULL))
        return;
    REQUIRE(CHECK_EQ(end_open(&other, "dpdk:net_ring1", NULL), 0));
    fill(out, sizeof(out), 1);
    CHECK_EQ(end_send(&other, out, 60), 1);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), -1);
    CHECK_EQ(end_recv(&other, in, sizeof(in), NULL), 60);
    CHECK_EQ(end_close(&other), 0);
    CHECK_EQ(end_send(&ring, out, 70), 1);
    CHECK_EQ(end_recv(&ring, in, sizeof(in), NULL), 70);
    ring_close();
}

static void link_is_up_and_does_not_change(void)
{
    if (!ring_open(NULL))
        return;
    CHECK_EQ(ring.info.link_up, 1);
    CHECK_EQ(ring.info.mtu, 1500);
    CHECK_EQ(ring.info.queues, 1);
    CHECK_EQ(ring.info.polls, 1);
    CHECK(ring.info.caps & IIP_CAP_TX_SG);
    CHECK_EQ(ring.info.mac[0] & 1, 0);
    CHECK(memcmp(ring.info.mac, "\0\0\0\0\0\0", 6) != 0);
    CHECK_EQ(ring.ops->changed(ring.port), 0);
    CHECK_EQ(ring.ops->fd(ring.q), -1);
    ring_close();
}

/* net_null says that it spreads packets: its key and table must come out as asked. */
static void spreading_is_exported(void)
{
    struct iip_port_cfg cfg = {.queues = 3};
    struct end null;
    uint32_t i;

    REQUIRE(CHECK_EQ(end_open(&null, "dpdk:net_null0", &cfg), 0));
    CHECK_EQ(null.info.queues, 3);
    if (null.info.has_share) {
        CHECK_EQ(null.info.share.stacks, 3);
        CHECK_EQ(null.info.share.self, 0);
        CHECK(null.info.share.key_len >= 40 && null.info.share.key_len <= 52);
        CHECK(null.info.share.table_len && !(null.info.share.table_len & (null.info.share.table_len - 1)));
        for (i = 0; i < null.info.share.table_len; i++)
            CHECK_EQ(null.info.share.table[i], i % 3);
    }
    CHECK(null.ops->queue(null.port, 2) != NULL);
    CHECK(null.ops->queue(null.port, 3) == NULL);
    CHECK_EQ(end_close(&null), 0);
}

/* ---- guests in a process ----------------------------------------------------------------------------------------- */

static void caller_keeps_its_cpus(void)
{
    cpu_set_t now;

    CHECK_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
    CHECK(CPU_EQUAL(&now, &dpdk_test_cpus));
}

static void handlers_run_on_the_alternate_stack(void)
{
    struct sigaction sa;
    int sig;

    for (sig = 1; sig <= SIGRTMAX; sig++) {
        if (sigaction(sig, NULL, &sa) != 0 || sa.sa_handler == SIG_DFL || sa.sa_handler == SIG_IGN)
            continue;
        if (!CHECK(sa.sa_flags & SA_ONSTACK))
            printf("signal %d\n", sig);
    }
}

static void *exchange(void *arg)
{
    struct end *end = arg;
    uint8_t out[200], in[2048];
    uint32_t i, bad = 0;

    for (i = 0; i < 20000; i++) {
        fill(out, sizeof(out), i);
        bad += end_send(end, out, sizeof(out)) != 1;
        bad += end_recv(end, in, sizeof(in), NULL) != (int)sizeof(out) || memcmp(in, out, sizeof(out)) != 0;
    }
    return (void *)(uintptr_t)bad;
}

static void two_threads_two_ports(void)
{
    struct end ends[2];
    pthread_t thread[2];
    void *bad;
    int i;

    REQUIRE(CHECK_EQ(end_open(&ends[0], "dpdk:net_ring0", NULL), 0));
    REQUIRE(CHECK_EQ(end_open(&ends[1], "dpdk:net_ring1", NULL), 0));
    for (i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, exchange, &ends[i]);
    for (i = 0; i < 2; i++) {
        pthread_join(thread[i], &bad);
        CHECK_EQ((uintptr_t)bad, 0);
    }
    for (i = 0; i < 2; i++)
        CHECK_EQ(end_close(&ends[i]), 0);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void fails(const char *name, int status, const char *value, const char *remedy)
{
    struct end end;
    int rc = end_open(&end, name, NULL);

    if (!CHECK_EQ(rc, status) || !CHECK(strstr(end.err, value)) || !CHECK(strstr(end.err, remedy)))
        printf("%s: %s\n", name, end.err);
    if (rc == 0)
        end_close(&end);
}

static void errors_name_the_value_and_the_remedy(void)
{
    fails("dpdk:", IIP_E_INVAL, "dpdk:", "PCI address");
    fails("dpdk:eal=[-m 5", IIP_E_INVAL, "eal=[-m 5", "brackets");
    fails("dpdk:net_nonsense0", IIP_E_NO_DEVICE, "net_nonsense0", "driver's name");
    fails("dpdk:net_ring0,ring=many", IIP_E_RANGE, "ring=many", "a number");
    fails("dpdk:net_af_packet0", IIP_E_INVAL, "net_af_packet0", "iface=NAME");
    fails("dpdk:net_af_packet0,iface=nowhere7", IIP_E_NO_DEVICE, "nowhere7", "ip link");
    fails("dpdk:ffff:1f:1f.7", IIP_E_NO_DEVICE, "ffff:1f:1f.7", "lspci");
    fails("dpdk:net_ring0,frames=9000000", IIP_E_NOMEM, "9000000", "IIP_EAL_ARGS");
}

static void second_open_of_a_device_is_refused(void)
{
    if (!ring_open(NULL))
        return;
    fails("dpdk:net_ring0", IIP_E_BUSY, "net_ring0", "close");
    fails("dpdk:eal=[-m 77],net_ring5", IIP_E_BUSY, "-m 77", "IIP_EAL_ARGS");
    ring_close(); /* and the first is none the worse */
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
    RUN(packet_outlives_its_port);
    RUN(two_ports_at_once);
    RUN(link_is_up_and_does_not_change);
    RUN(spreading_is_exported);
    RUN(caller_keeps_its_cpus);
    RUN(handlers_run_on_the_alternate_stack);
    RUN(two_threads_two_ports);
    RUN(errors_name_the_value_and_the_remedy);
    RUN(second_open_of_a_device_is_refused);
    return check_done();
}

/*
 * virtio_test.c - the DPDK port over net_vhost and net_virtio_user: offloads, both ends in this process.
 *
 * The only pair of virtual devices that negotiates checksums, TSO and LRO. And net_memif, which has none of them.
 */
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dpdk_test.h"

static struct end host, guest;

static int open_pair(struct end *a, const char *a_name, struct end *b, const char *b_name,
                     const struct iip_port_cfg *cfg)
{
    uint8_t hello[60] = {0}, in[2048];
    int i, up = 0;

    if (!CHECK_EQ(end_open(a, a_name, cfg), 0)) {
        printf("%s\n", a->err);
        return 0;
    }
    if (!CHECK_EQ(end_open(b, b_name, cfg), 0)) {
        printf("%s\n", b->err);
        end_close(a);
        return 0;
    }
    for (i = 0; i < DPDK_TEST_PATIENCE && up != 3; i++) { /* until both see each other */
        end_send(a, hello, sizeof(hello));
        end_send(b, hello, sizeof(hello));
        usleep(1000);
        up |= end_recv(b, in, sizeof(in), NULL) >= 0 ? 1 : 0;
        up |= end_recv(a, in, sizeof(in), NULL) >= 0 ? 2 : 0;
    }
    while (dpdk_test_recv(a, in, sizeof(in), NULL, 20) >= 0 || dpdk_test_recv(b, in, sizeof(in), NULL, 20) >= 0)
        ;
    return CHECK_EQ(up, 3);
}

static void open_virtio(void) /* opening takes a second, so one pair serves most tests */
{
    char a[128], b[128];

    snprintf(a, sizeof(a), "dpdk:net_vhost0,iface=/tmp/iip-vhost-%d,tso=1", (int)getpid());
    snprintf(b, sizeof(b), "dpdk:net_virtio_user0,path=/tmp/iip-vhost-%d,queue_size=1024", (int)getpid());
    if (!open_pair(&host, a, &guest, b, NULL))
        exit(1);
}

static void nothing_leaks(void)
{
    CHECK_EQ(end_close(&guest), 0);
    CHECK_EQ(end_close(&host), 0);
}

static void fill(uint8_t *to, uint32_t len, uint32_t seed)
{
    uint32_t i;

    for (i = 0; i < len; i++)
        to[i] = (uint8_t)(seed + i * 13 + (i >> 8));
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, uint32_t len)
{
    uint32_t i;

    for (i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Ethernet, IPv4 and TCP headers of a packet with `len` payload bytes; the TCP field holds the pseudo-header sum. */
static void tcp_headers(uint8_t *p, uint32_t len)
{
    static const uint8_t head[54] = {2, 0,  0,    0,    0, 2,  2, 0, 0, 0,  0, 1, 8,    0,    0x45, 0, 0,
                                     0, 0,  1,    0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1,    10,   0,    0, 2,
                                     0, 80, 0x12, 0x34, 0, 0,  0, 1, 0, 0,  0, 1, 0x50, 0x10, 1,    0};

    memcpy(p, head, sizeof(head));
    put16(p + 16, 40 + len);
    put16(p + 50, sum16(6 + 20 + len, p + 26, 8));
}

static struct iip_pkt *tcp_packet(struct end *from, uint32_t len, uint16_t flags, uint8_t *bytes)
{
    struct iip_pkt *pkt;

    tcp_headers(bytes, len);
    fill(bytes + 54, len, len);
    pkt = end_pkt(from, bytes, 54);
    if (len)
        pkt->next = end_pkt(from, bytes + 54, len);
    pkt->total = 54 + len;
    pkt->flags = flags | IIP_PKT_IPV4 | IIP_PKT_TCP;
    pkt->l2_len = 14;
    pkt->l3_len = 20;
    pkt->l4_len = 20;
    pkt->seg_size = flags & IIP_PKT_TSO ? 1448 : 0;
    return pkt;
}

/* ---- capabilities ------------------------------------------------------------------------------------------------ */

static void capabilities_are_those_of_the_device(void)
{
    CHECK_EQ(host.info.caps, IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_TSO | IIP_CAP_TX_SG);
    CHECK_EQ(guest.info.caps, IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_TSO | IIP_CAP_TX_SG);
    CHECK(host.info.tso_max >= 60000 && host.info.tso_max < 65536);
    CHECK_EQ(host.info.polls, 0);
    CHECK_EQ(guest.info.polls, 0);
}

/* ---- checksums --------------------------------------------------------------------------------------------------- */

/* What the receiver is told: right, or never needed. */
static void checksum_offload(struct end *from, struct end *to)
{
    uint8_t out[1600], in[2048];
    struct iip_pkt *pkt = tcp_packet(from, 1000, IIP_PKT_L4_CSUM, out);
    uint16_t flags = 0;

    CHECK_EQ(from->ops->tx(from->q, &pkt, 1), 1);
    CHECK_EQ(dpdk_test_recv(to, in, sizeof(in), &flags, DPDK_TEST_PATIENCE), 1054);
    CHECK(flags & IIP_PKT_L4_CSUM_OK);
    CHECK_MEM(in, out, 50);
    CHECK_MEM(in + 52, out + 52, 1002);
}

static void checksums_are_left_to_the_wire(void)
{
    checksum_offload(&host, &guest);
    checksum_offload(&guest, &host);
}

static void wrong_checksum_is_not_called_right(void)
{
    uint8_t out[512], in[2048];
    uint32_t len = udp_frame(out, 1, 2, 100, 3);
    uint16_t flags = 0xffff;

    out[len - 1] ^= 1;
    CHECK_EQ(end_send(&host, out, len), 1);
    CHECK_EQ(dpdk_test_recv(&guest, in, sizeof(in), &flags, DPDK_TEST_PATIENCE), len);
    CHECK(!(flags & IIP_PKT_L4_CSUM_OK));
    CHECK_EQ(end_send(&guest, out, len), 1);
    CHECK_EQ(dpdk_test_recv(&host, in, sizeof(in), &flags, DPDK_TEST_PATIENCE), len);
    CHECK(!(flags & IIP_PKT_L4_CSUM_OK));
}

/* ---- segmentation ------------------------------------------------------------------------------------------------ */

/* A packet of 60,000 bytes crosses whole, and says so; its IP header must be right, as nobody else sums it. */
static void large_packet(struct end *from, struct end *to)
{
    static uint8_t out[60100], in[65536];
    struct iip_pkt *pkt = tcp_packet(from, 60000, IIP_PKT_TSO | IIP_PKT_L4_CSUM, out);
    uint16_t flags = 0;

    CHECK_EQ(from->ops->tx(from->q, &pkt, 1), 1);
    CHECK_EQ(dpdk_test_recv(to, in, sizeof(in), &flags, DPDK_TEST_PATIENCE), 60054);
    CHECK(flags & IIP_PKT_L4_CSUM_OK);
    CHECK_EQ(sum16(0, in + 14, 20), 0xffff);
    CHECK_MEM(in, out, 24);
    CHECK_MEM(in + 26, out + 26, 24);
    CHECK_MEM(in + 54, out + 54, 60000);
}

static void large_packets_cross_whole(void)
{
    large_packet(&guest, &host);
    large_packet(&host, &guest);
}

static void segment_size_is_told(void)
{
    static uint8_t out[20000];
    struct iip_pkt *pkt, *got = NULL;
    int i;

    pkt = tcp_packet(&host, 10000, IIP_PKT_TSO | IIP_PKT_L4_CSUM, out);
    CHECK_EQ(host.ops->tx(host.q, &pkt, 1), 1);
    for (i = 0; i < DPDK_TEST_PATIENCE && guest.ops->rx(guest.q, &got, 1) == 0; i++)
        usleep(1000);
    REQUIRE(got != NULL);
    CHECK(got->flags & IIP_PKT_LRO);
    CHECK_EQ(got->seg_size, 1448);
    CHECK_EQ(got->total, 10054);
    iip_pkt_free(&guest.stk, got);
}

/* ---- back-pressure ----------------------------------------------------------------------------------------------- */

/* The same bytes leave again after a refusal, although the driver may have written to the checksum field. */
static void refused_packets_are_as_they_were(void)
{
    static uint8_t out[1600], in[2048];
    struct iip_port_stats stats;
    struct iip_pkt *pkt;
    uint32_t sent = 0, got = 0, i;

    for (i = 0; i < 4000; i++) {
        pkt = tcp_packet(&guest, 1000, IIP_PKT_L4_CSUM, out);
        if (!CHECK(pkt != NULL))
            break;
        if (!guest.ops->tx(guest.q, &pkt, 1)) {
            CHECK_MEM(pkt->data, out, 54);
            CHECK_EQ(pkt->frame->views, 1);
            CHECK_EQ(pkt->next->frame->views, 1);
            iip_pkt_free(&guest.stk, pkt);
            break;
        }
        sent++;
    }
    CHECK(sent >= 256 && sent < 4000);
    guest.ops->stats(guest.q, &stats);
    CHECK_EQ(stats.tx_refused, 1);
    while (dpdk_test_recv(&host, in, sizeof(in), NULL, 50) == 1054 && CHECK_MEM(in + 54, out + 54, 1000))
        got++;
    CHECK_EQ(got, sent);
}

/* ---- parked loops ------------------------------------------------------------------------------------------------ */

static void descriptor_wakes(struct end *from, struct end *to)
{
    uint8_t out[100] = {1}, in[2048];
    int fd = to->ops->fd(to->q), i;

    REQUIRE(CHECK(fd >= 0));
    for (i = 0; i < 50; i++) {
        CHECK_EQ(end_recv(to, in, sizeof(in), NULL), -1);
        CHECK_EQ(to->ops->fd(to->q), fd); /* before every wait */
        CHECK_EQ(dpdk_test_readable(fd, 0), 0);
        CHECK_EQ(end_send(from, out, sizeof(out)), 1);
        if (!CHECK_EQ(dpdk_test_readable(fd, DPDK_TEST_PATIENCE), 1))
            break;
        CHECK_EQ(end_recv(to, in, sizeof(in), NULL), sizeof(out));
    }
}

/* A packet that comes between the last receive and the wait must not be slept over, nor lost. */
static void descriptor_sees_what_was_there(struct end *from, struct end *to)
{
    uint8_t out[100], in[2048];
    int i, n;

    for (n = 1; n <= 40; n += 13) {
        CHECK_EQ(end_recv(to, in, sizeof(in), NULL), -1);
        for (i = 0; i < n; i++) {
            fill(out, sizeof(out), (uint32_t)i);
            CHECK_EQ(end_send(from, out, sizeof(out)), 1);
        }
        usleep(1000);
        CHECK_EQ(dpdk_test_readable(to->ops->fd(to->q), DPDK_TEST_PATIENCE), 1);
        for (i = 0; i < n; i++) {
            fill(out, sizeof(out), (uint32_t)i);
            CHECK_EQ(end_recv(to, in, sizeof(in), NULL), sizeof(out));
            CHECK_MEM(in, out, sizeof(out));
        }
    }
}

/* No driver tells of room to send: after a refusal the descriptor rings by itself. */
static void refusal_ends_the_wait(void)
{
    uint8_t out[100] = {1}, in[2048];
    int i;

    for (i = 0; i < 5000 && end_send(&guest, out, sizeof(out)); i++)
        ;
    CHECK(i < 5000);
    for (i = 0; i < 20; i++) { /* again and again, while there is none */
        CHECK_EQ(end_recv(&guest, in, sizeof(in), NULL), -1);
        CHECK_EQ(end_send(&guest, out, sizeof(out)), 0);
        CHECK_EQ(dpdk_test_readable(guest.ops->fd(guest.q), DPDK_TEST_PATIENCE), 1);
    }
    while (dpdk_test_recv(&host, in, sizeof(in), NULL, 50) >= 0)
        ;
    CHECK_EQ(end_send(&guest, out, sizeof(out)), 1);
    CHECK_EQ(end_recv(&guest, in, sizeof(in), NULL), -1);
    CHECK_EQ(dpdk_test_readable(guest.ops->fd(guest.q), 20), 0);
    CHECK_EQ(dpdk_test_recv(&host, in, sizeof(in), NULL, DPDK_TEST_PATIENCE), sizeof(out));
}

static void descriptors_wake(void)
{
    descriptor_wakes(&guest, &host);
    descriptor_wakes(&host, &guest);
    descriptor_sees_what_was_there(&guest, &host);
    descriptor_sees_what_was_there(&host, &guest);
}

/* A loop parked before its guest was there: it hears of the guest, and then of its packets. */
static void guest_that_connects_wakes(void)
{
    uint8_t in[2048];
    char a[128], b[128];
    int i, changed = 0;

    snprintf(a, sizeof(a), "dpdk:net_vhost0,iface=/tmp/iip-vhost-%d", (int)getpid());
    snprintf(b, sizeof(b), "dpdk:net_virtio_user0,path=/tmp/iip-vhost-%d,queue_size=1024", (int)getpid());
    REQUIRE(CHECK_EQ(end_open(&host, a, NULL), 0));
    CHECK_EQ(host.info.link_up, 0);
    CHECK_EQ(end_recv(&host, in, sizeof(in), NULL), -1);
    CHECK_EQ(dpdk_test_readable(host.ops->fd(host.q), 0), 0);
    REQUIRE(CHECK_EQ(end_open(&guest, b, NULL), 0));
    CHECK_EQ(dpdk_test_readable(host.ops->fd(host.q), DPDK_TEST_PATIENCE), 1);
    for (i = 0; i < DPDK_TEST_PATIENCE && !changed; i++) {
        changed = host.ops->changed(host.port);
        usleep(1000);
    }
    CHECK_EQ(changed, 1);
    for (i = 0; i < 5 && dpdk_test_readable(host.ops->fd(host.q), 200); i++)
        CHECK_EQ(end_recv(&host, in, sizeof(in), NULL), -1);
    descriptor_wakes(&guest, &host);
    CHECK_EQ(end_close(&guest), 0);
    CHECK_EQ(end_close(&host), 0);
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

/* What is sent on queue i of one end arrives on queue i of the other: vhost maps them one to one. */
static void two_queues(void)
{
    struct iip_port_cfg cfg = {.queues = 2};
    struct iip_stack stk;
    struct iip_port_queue *q1;
    struct iip_pkt *pkt, *got = NULL;
    uint8_t out[200], in[2048];
    char a[128], b[128];
    int i;

    snprintf(a, sizeof(a), "dpdk:net_vhost0,iface=/tmp/iip-vhost-%d", (int)getpid());
    snprintf(b, sizeof(b), "dpdk:net_virtio_user0,path=/tmp/iip-vhost-%d,queue_size=1024", (int)getpid());
    if (!open_pair(&host, a, &guest, b, &cfg))
        return;
    CHECK_EQ(host.info.queues, 2);
    CHECK_EQ(guest.info.queues, 2);
    q1 = host.ops->queue(host.port, 1);
    REQUIRE(q1 != NULL);
    stack_init(&stk, host.ops, q1);
    host.ops->attach(q1, &stk);
    guest.ops->attach(guest.ops->queue(guest.port, 1), &guest.stk);
    fill(out, sizeof(out), 1);
    pkt = end_pkt(&guest, out, sizeof(out));
    CHECK_EQ(guest.ops->tx(guest.ops->queue(guest.port, 1), &pkt, 1), 1);
    for (i = 0; i < DPDK_TEST_PATIENCE && host.ops->rx(q1, &got, 1) == 0; i++)
        usleep(1000);
    REQUIRE(got != NULL);
    CHECK_EQ(got->total, sizeof(out));
    CHECK_MEM(got->data, out, sizeof(out));
    CHECK_EQ(end_recv(&host, in, sizeof(in), NULL), -1);
    iip_pkt_free(&stk, got);
    CHECK_EQ(stk.made, stk.freed);
    CHECK_EQ(end_close(&guest), 0);
    CHECK_EQ(end_close(&host), 0);
    stack_end(&stk);
}

/* ---- memif ------------------------------------------------------------------------------------------------------- */

static void memif_carries_packets(void)
{
    struct end a, b;
    char an[128], bn[128];
    uint8_t out[1514], in[2048];
    uint32_t i;

    snprintf(an, sizeof(an), "dpdk:net_memif0,role=server,socket=/tmp/iip-memif-%d,socket-abstract=no", (int)getpid());
    snprintf(bn, sizeof(bn), "dpdk:net_memif1,role=client,socket=/tmp/iip-memif-%d,socket-abstract=no", (int)getpid());
    if (!open_pair(&a, an, &b, bn, NULL))
        return;
    for (i = 60; i <= sizeof(out); i += 97) {
        fill(out, i, i);
        CHECK_EQ(end_send(i & 1 ? &a : &b, out, i), 1);
        if (!CHECK_EQ(dpdk_test_recv(i & 1 ? &b : &a, in, sizeof(in), NULL, DPDK_TEST_PATIENCE), i) ||
            !CHECK_MEM(in, out, i))
            break;
    }
    CHECK_EQ(end_close(&b), 0);
    CHECK_EQ(end_close(&a), 0);
}

int main(void)
{
    dpdk_test_begin("dpdk:net_ring0");
    open_virtio();
    RUN(capabilities_are_those_of_the_device);
    RUN(checksums_are_left_to_the_wire);
    RUN(wrong_checksum_is_not_called_right);
    RUN(large_packets_cross_whole);
    RUN(segment_size_is_told);
    RUN(refused_packets_are_as_they_were);
    RUN(descriptors_wake);
    RUN(refusal_ends_the_wait);
    RUN(nothing_leaks);
    RUN(guest_that_connects_wakes);
    RUN(two_queues);
    RUN(memif_carries_packets);
    return check_done();
}

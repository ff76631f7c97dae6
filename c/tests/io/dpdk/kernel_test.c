/*
 * kernel_test.c - the DPDK port against the kernel, as an ordinary user in a network namespace of its own.
 *
 * net_af_packet sits on one end of a veth pair, the kernel has the address on the other; net_tap makes its own
 * interface. Our side is 10.0.0.1 at 02:00:00:00:00:01, the kernel's 10.0.0.2 at 02:00:00:00:00:02 (stub.c).
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "dpdk_test.h"
#include "netns.h"

enum {
    BURST = 2000,     /* packets in a row that nobody takes: what a loop that lost its CPU for a moment finds */
    LOCKED = 64 << 20 /* bytes: two queues with rings for that take half */
};

static struct end veth;
static uint32_t veth_free;
static int udp; /* the kernel's socket, 10.0.0.2:7000 */

/* ---- the place --------------------------------------------------------------------------------------------------- */

/* Root would hide what an ordinary user may not do. The plug-in is loaded before, as its file may be root's. */
static void become_ordinary(void)
{
    static const struct rlimit lock = {LOCKED, LOCKED};
    uint32_t i = 0;

    setrlimit(RLIMIT_MEMLOCK, &lock); /* root may; others have what they have */
    while (iip_port_kind(i))
        i++;
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
        printf("runs as root: %s\n", strerror(errno));
    prctl(PR_SET_DUMPABLE, 1); /* or the maps of the user namespace cannot be written */
}

static int veth_open(const struct iip_port_cfg *cfg)
{
    int rc = end_open(&veth, "dpdk:net_af_packet0,iface=v0", cfg);

    if (rc == 0)
        veth_free = veth.ops->frames_free(veth.q);
    else
        printf("%s\n", veth.err);
    return CHECK_EQ(rc, 0);
}

static void veth_close(void)
{
    uint8_t in[2048];

    while (end_recv(&veth, in, sizeof(in), NULL) >= 0)
        ;
    CHECK_EQ(veth.ops->frames_free(veth.q), veth_free);
    CHECK_EQ(end_close(&veth), 0);
}

/* The next packet of an EtherType, and for IPv4 of a protocol; others (router solicitations) are passed over. */
static int recv_kind(struct end *end, uint8_t *in, uint32_t cap, uint16_t type, uint8_t proto)
{
    int i, len;

    for (i = 0; i < 200; i++) {
        len = dpdk_test_recv(end, in, cap, NULL, DPDK_TEST_PATIENCE);
        if (len < 0)
            return -1;
        if (len >= 34 && in[12] == type >> 8 && in[13] == (type & 0xff) && (type != 0x0800 || in[23] == proto))
            return len;
    }
    return -1;
}

/* ---- frames in and out ------------------------------------------------------------------------------------------- */

static void kernel_answers_arp(void)
{
    static const uint8_t ask[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
                                    1,    2,    0,    0,    0,    0,    1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
    static const uint8_t answer[] = {2, 0, 0, 0, 0, 2, 10, 0, 0, 2};
    uint8_t in[2048];

    if (!veth_open(NULL))
        return;
    CHECK_MEM(veth.info.mac, "\2\0\0\0\0\1", 6);
    CHECK_EQ(end_send(&veth, ask, sizeof(ask)), 1);
    CHECK(recv_kind(&veth, in, sizeof(in), 0x0806, 0) >= 42);
    CHECK_MEM(in + 22, answer, sizeof(answer));
    veth_close();
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

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void kernel_answers_ping(void)
{
    static const uint8_t echo[8] = {8, 0, 0, 0, 0x12, 0x34, 0, 1};
    uint8_t out[1514], in[2048];
    uint32_t len;

    if (!veth_open(NULL))
        return;
    for (len = 0; len <= 1472; len += 92) {
        udp_frame(out, 0, 0, len, (uint8_t)len); /* the same IP header but for the protocol */
        out[23] = 1;
        put16(out + 24, 0);
        put16(out + 24, ~sum16(0, out + 14, 20) & 0xffff);
        memcpy(out + 34, echo, sizeof(echo));
        put16(out + 36, ~sum16(0, out + 34, 8 + len) & 0xffff);
        CHECK_EQ(end_send(&veth, out, 42 + len), 1);
        CHECK_EQ(recv_kind(&veth, in, sizeof(in), 0x0800, 1), 42 + (int)len);
        CHECK_EQ(in[34], 0);
        if (!CHECK_MEM(in + 38, out + 38, 4 + len))
            break;
    }
    veth_close();
}

/* Header and payload in frames of their own, the payload held for retransmission, as TCP sends. */
static uint32_t send_held(struct end *end, const uint8_t *bytes, uint32_t len, struct iip_pkt **kept)
{
    struct iip_pkt *pkt = end_pkt(end, bytes, 42);
    uint32_t sent;

    pkt->next = end_pkt(end, bytes + 42, len - 42);
    pkt->total = len;
    *kept = iip_pkt_new(&end->stk, pkt->next->frame, pkt->next->data, pkt->next->len);
    sent = end->ops->tx(end->q, &pkt, 1);
    if (!sent)
        iip_pkt_free(&end->stk, pkt);
    return sent;
}

static void datagrams_reach_the_kernel(void)
{
    uint8_t out[1514], in[2048];
    struct iip_pkt *kept;
    uint32_t i, len, n;

    if (!veth_open(NULL))
        return;
    for (i = 0; i < 5000; i++) {
        len = i % 1473;
        n = udp_frame(out, 7, 7000, len, (uint8_t)i);
        if (i % 2 && len) {
            CHECK_EQ(send_held(&veth, out, n, &kept), 1);
            CHECK_EQ(kept->frame->views, 1); /* this driver copies, and is done with it at once */
            iip_pkt_free(&veth.stk, kept);
        } else {
            CHECK_EQ(end_send(&veth, out, n), 1);
        }
        if (!CHECK_EQ(recv(udp, in, sizeof(in), 0), (ssize_t)len) || !CHECK_MEM(in, out + 42, len))
            break;
    }
    veth_close();
}

static void datagrams_come_from_the_kernel(void)
{
    uint8_t out[1472], in[2048];
    struct iip_port_stats stats;
    uint32_t i, len;

    if (!veth_open(NULL))
        return;
    for (i = 0; i < 5000; i++) {
        len = i % 1473;
        memset(out, (int)i, sizeof(out));
        CHECK(dpdk_test_send(udp, "10.0.0.1", 9, out, len));
        if (!CHECK_EQ(recv_kind(&veth, in, sizeof(in), 0x0800, 17), 42 + (int)len) || !CHECK_MEM(in + 42, out, len))
            break;
        CHECK(csum_right(in, 42 + len));
    }
    veth.ops->stats(veth.q, &stats);
    CHECK(stats.rx_packets >= 5000);
    CHECK_EQ(stats.rx_dropped, 0);
    veth_close();
}

/* The driver has no interrupts; its sockets are waited on instead. */
static void packets_from_the_kernel_wake(void)
{
    uint8_t out[100] = {1}, in[2048];
    int i, fd;

    if (!veth_open(NULL))
        return;
    CHECK_EQ(veth.info.polls, 0);
    while (dpdk_test_recv(&veth, in, sizeof(in), NULL, 50) >= 0)
        ;
    for (i = 0; i < 50; i++) {
        fd = veth.ops->fd(veth.q);
        REQUIRE(CHECK(fd >= 0));
        CHECK_EQ(dpdk_test_readable(fd, 0), 0);
        CHECK(dpdk_test_send(udp, "10.0.0.1", 9, out, sizeof(out)));
        if (!CHECK_EQ(dpdk_test_readable(fd, DPDK_TEST_PATIENCE), 1))
            break;
        CHECK_EQ(recv_kind(&veth, in, sizeof(in), 0x0800, 17), 42 + (int)sizeof(out));
        while (end_recv(&veth, in, sizeof(in), NULL) >= 0)
            ;
    }
    veth_close();
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int changed_soon(struct end *end, struct iip_port_info *info)
{
    int i, changed = 0;

    for (i = 0; i < DPDK_TEST_PATIENCE && !changed; i++) {
        changed = end->ops->changed(end->port);
        usleep(1000);
    }
    end->ops->info(end->port, info);
    return changed;
}

static void link_and_mtu_are_events(void)
{
    struct iip_port_info info;

    if (!veth_open(NULL))
        return;
    CHECK_EQ(veth.info.link_up, 1);
    CHECK_EQ(veth.info.mtu, 1500);
    dpdk_test_run("ip link set v1 down");
    CHECK_EQ(changed_soon(&veth, &info), 1);
    CHECK_EQ(info.link_up, 0);
    dpdk_test_run("ip link set v1 up");
    CHECK_EQ(changed_soon(&veth, &info), 1);
    CHECK_EQ(info.link_up, 1);
    dpdk_test_run("ip link set v0 mtu 1400");
    CHECK_EQ(changed_soon(&veth, &info), 1);
    CHECK_EQ(info.mtu, 1400);
    dpdk_test_run("ip link set v0 mtu 1500");
    CHECK_EQ(changed_soon(&veth, &info), 1);
    CHECK_EQ(info.mtu, 1500);
    veth_close();
}

/* The driver's ring fills up, then it refuses. */
static void sending_into_a_dead_interface_breaks_nothing(void)
{
    uint8_t out[256], in[2048];
    uint32_t n = udp_frame(out, 7, 7000, 100, 5), i;
    struct iip_pkt *kept;

    if (!veth_open(NULL))
        return;
    dpdk_test_run("ip link set v0 down");
    for (i = 0; i < 2000; i++) {
        if (i % 2) {
            send_held(&veth, out, n, &kept);
            iip_pkt_free(&veth.stk, kept);
        } else {
            end_send(&veth, out, n);
        }
    }
    dpdk_test_run("ip link set v0 up && ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev v1");
    CHECK_EQ(veth.ops->frames_free(veth.q), veth_free);
    for (i = 0; i < DPDK_TEST_PATIENCE && !end_send(&veth, out, n); i++)
        usleep(1000);
    CHECK_EQ(recv(udp, in, sizeof(in), 0), 100);
    CHECK_MEM(in, out + 42, 100);
    veth_close();
    while (recv(udp, in, sizeof(in), MSG_DONTWAIT) >= 0) /* what had waited in the driver */
        ;
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

static void flows_are_spread_over_queues(void)
{
    struct iip_port_cfg cfg = {.queues = 2};
    uint32_t seen[64] = {0}, per_queue[2] = {0}, total = 0, i, k;
    struct iip_stack stk;
    struct iip_port_queue *q[2];
    struct iip_pkt *pkt;

    if (!veth_open(&cfg))
        return;
    CHECK_EQ(veth.info.queues, 2);
    for (i = 0; i < 2; i++)
        q[i] = veth.ops->queue(veth.port, i);
    REQUIRE(q[0] && q[1]);
    stack_init(&stk, veth.ops, q[1]);
    veth.ops->attach(q[1], &stk);
    for (i = 0; i < 64; i++) {
        uint8_t number = (uint8_t)i;

        CHECK(dpdk_test_send(udp, "10.0.0.1", (uint16_t)(2000 + i * 17), &number, 1));
    }
    for (i = 0; i < DPDK_TEST_PATIENCE && total < 64; i++) {
        for (k = 0; k < 2; k++) {
            while (veth.ops->rx(q[k], &pkt, 1)) {
                if (pkt->len >= 43 && pkt->data[23] == 17 && pkt->data[42] < 64) {
                    seen[pkt->data[42]]++;
                    per_queue[k]++;
                    total++;
                }
                iip_pkt_free(k ? &stk : &veth.stk, pkt);
            }
        }
        usleep(1000);
    }
    CHECK_EQ(total, 64);
    for (i = 0; i < 64; i++)
        CHECK_EQ(seen[i], 1);
    CHECK(per_queue[0] > 0 && per_queue[1] > 0);
    CHECK_EQ(stk.made, stk.freed);
    veth_close();
    stack_end(&stk);
}

/* The kernel moves what finds a ring nearly full to another queue, and a flow that is moved is out of order. */
static void a_burst_of_one_flow_stays_in_one_queue(void)
{
    struct iip_port_cfg cfg = {.queues = 2};
    uint32_t per_queue[2] = {0}, i, k;
    struct iip_stack stk;
    struct iip_port_queue *q[2];
    struct iip_pkt *pkt;
    struct rlimit lock;

    getrlimit(RLIMIT_MEMLOCK, &lock);
    if (lock.rlim_cur < LOCKED) {
        printf("    skipped: ulimit -l is %lu KiB: as root, or with %u\n", (unsigned long)lock.rlim_cur >> 10,
               LOCKED >> 10);
        return;
    }
    if (!veth_open(&cfg))
        return;
    for (i = 0; i < 2; i++)
        q[i] = veth.ops->queue(veth.port, i);
    REQUIRE(q[0] && q[1]);
    stack_init(&stk, veth.ops, q[1]);
    veth.ops->attach(q[1], &stk);
    for (i = 0; i < BURST; i++)
        CHECK(dpdk_test_send(udp, "10.0.0.1", 9, "x", 1));
    for (i = 0; i < DPDK_TEST_PATIENCE && per_queue[0] + per_queue[1] < BURST; i++) {
        for (k = 0; k < 2; k++) {
            while (veth.ops->rx(q[k], &pkt, 1)) {
                per_queue[k] += pkt->len >= 43 && pkt->data[23] == 17;
                iip_pkt_free(k ? &stk : &veth.stk, pkt);
            }
        }
        usleep(1000); /* the kernel hands over what was sent when it likes */
    }
    CHECK_EQ(per_queue[0] + per_queue[1], BURST);
    CHECK(per_queue[0] == 0 || per_queue[1] == 0);
    CHECK_EQ(stk.made, stk.freed);
    veth_close();
    stack_end(&stk);
}

/* ---- net_tap ----------------------------------------------------------------------------------------------------- */

static struct end tap;
static uint8_t tap_mac[6]; /* of the kernel's interface */

static int tap_open(void)
{
    if (!CHECK_EQ(end_open(&tap, "dpdk:net_tap0,iface=iiptap0", NULL), 0)) {
        printf("%s\n", tap.err);
        return 0;
    }
    dpdk_test_run(
        "ip addr add 10.0.0.2/24 dev iiptap0; ip link set iiptap0 up; ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev iiptap0");
    memcpy(tap_mac, tap.info.mac, 6);
    return 1;
}

static void tap_sums_and_wakes(void)
{
    uint8_t out[1514], in[2048];
    struct iip_pkt *pkt;
    uint32_t n, i;

    if (!tap_open())
        return;
    CHECK_EQ(tap.info.caps, IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM | IIP_CAP_TX_SG);
    CHECK(tap.ops->fd(tap.q) >= 0);
    for (i = 0; i < 100; i++) {
        n = udp_frame(out, 7, 7000, 10 * i, (uint8_t)i);
        memcpy(out, tap_mac, 6);
        put16(out + 24, 0);
        put16(out + 40, sum16(17 + 8 + 10 * i, out + 26, 8)); /* the pseudo-header */
        pkt = end_pkt(&tap, out, n);
        pkt->flags = IIP_PKT_IPV4 | IIP_PKT_UDP | IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM;
        pkt->l2_len = 14;
        pkt->l3_len = 20;
        pkt->l4_len = 8;
        CHECK_EQ(tap.ops->tx(tap.q, &pkt, 1), 1);
        if (!CHECK_EQ(recv(udp, in, sizeof(in), 0), 10 * (ssize_t)i) || !CHECK_MEM(in, out + 42, 10 * i))
            break;
        while (end_recv(&tap, in, sizeof(in), NULL) >= 0)
            ;
        CHECK(dpdk_test_send(udp, "10.0.0.1", 9, out, 1 + 10 * i));
        if (!CHECK_EQ(dpdk_test_readable(tap.ops->fd(tap.q), DPDK_TEST_PATIENCE), 1))
            break;
        CHECK_EQ(recv_kind(&tap, in, sizeof(in), 0x0800, 17), 43 + 10 * (int)i);
        CHECK_MEM(in + 42, out, 1 + 10 * i);
    }
    CHECK_EQ(end_close(&tap), 0);
}

int main(void)
{
    netns_tun_for_all();
    become_ordinary();
    if (netns_enter() < 0)
        return CHECK_SKIPPED;
    if (dpdk_test_veth() != 0) {
        printf("skipped: no veth pair can be made here: iproute2 and ethtool are needed\n");
        return CHECK_SKIPPED;
    }
    dpdk_test_begin("dpdk:net_af_packet0,iface=v0");
    udp = dpdk_test_socket(7000);
    RUN(kernel_answers_arp);
    RUN(kernel_answers_ping);
    RUN(datagrams_reach_the_kernel);
    RUN(datagrams_come_from_the_kernel);
    RUN(packets_from_the_kernel_wake);
    RUN(link_and_mtu_are_events);
    RUN(sending_into_a_dead_interface_breaks_nothing);
    RUN(flows_are_spread_over_queues);
    RUN(a_burst_of_one_flow_stays_in_one_queue);
    dpdk_test_run("ip link del v0");
    if (access("/dev/net/tun", R_OK | W_OK) == 0)
        RUN(tap_sums_and_wakes);
    else
        printf("skipped: tap_sums_and_wakes: /dev/net/tun: %s: chmod 0666 /dev/net/tun, as udev does\n",
               strerror(errno));
    return check_done();
}

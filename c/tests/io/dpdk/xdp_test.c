/*
 * xdp_test.c - the DPDK port over net_af_xdp, which sends only what lies in the memory that it registered.
 *
 * Loading its program needs more rights than a user namespace gives, so this runs as root or not at all.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "dpdk_test.h"
#include "netns.h"

static struct end veth;
static int udp;

/* Every frame of the pool is sendable: the last as well as the first, given away as well as kept for retransmission. */
static void every_frame_is_sent(void)
{
    struct iip_frame *held[4096];
    struct iip_pkt *pkt, *kept;
    uint8_t out[256], in[2048];
    uint32_t n, i = 0, tries;

    while (veth.ops->frames_free(veth.q) > 300) {
        n = udp_frame(out, 7, 7000, 64, (uint8_t)i);
        for (tries = 0; !(pkt = end_pkt(&veth, out, n)) && tries < 1000; tries++)
            end_recv(&veth, in, sizeof(in), NULL);
        REQUIRE(pkt != NULL);
        kept = i & 1 ? iip_pkt_new(&veth.stk, pkt->frame, pkt->data, pkt->len) : NULL;
        CHECK_EQ(veth.ops->tx(veth.q, &pkt, 1), 1);
        if (!CHECK_EQ(recv(udp, in, sizeof(in), 0), 64) || !CHECK_MEM(in, out + 42, 64))
            break;
        iip_pkt_free(&veth.stk, kept);
        held[i++] = veth.ops->frame_get(veth.q, 100); /* so that each round sees another one */
    }
    CHECK(i > 500);
    while (i)
        veth.ops->frame_put(veth.q, held[--i]);
}

static void packets_come_in(void)
{
    uint8_t out[1472], in[2048];
    uint32_t i, len;

    for (i = 0; i < 5000; i++) {
        len = i % 1473;
        memset(out, (int)i, sizeof(out));
        CHECK(dpdk_test_send(udp, "10.0.0.1", 9, out, len));
        if (!CHECK_EQ(dpdk_test_recv(&veth, in, sizeof(in), NULL, DPDK_TEST_PATIENCE), 42 + (int)len) ||
            !CHECK_MEM(in + 42, out, len))
            break;
    }
}

static void device_sends_neither_chains_nor_sums(void)
{
    CHECK_EQ(veth.info.caps, 0);
}

static void nothing_leaks(void)
{
    CHECK_EQ(end_close(&veth), 0);
}

int main(void)
{
    if (geteuid() != 0) {
        printf("skipped: AF_XDP needs root\n");
        return CHECK_SKIPPED;
    }
    if (netns_enter() < 0)
        return CHECK_SKIPPED;
    if (dpdk_test_veth() != 0) {
        printf("skipped: no veth pair can be made here: iproute2 and ethtool are needed\n");
        return CHECK_SKIPPED;
    }
    if (end_open(&veth, "dpdk:net_af_xdp0,iface=v0", NULL) < 0) {
        printf("skipped: %s\n", veth.err);
        return CHECK_SKIPPED;
    }
    udp = dpdk_test_socket(7000);
    RUN(device_sends_neither_chains_nor_sums);
    RUN(packets_come_in);
    RUN(every_frame_is_sent);
    RUN(nothing_leaks);
    return check_done();
}

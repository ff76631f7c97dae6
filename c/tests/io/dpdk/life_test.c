/*
 * life_test.c - opening, closing, several ports and threads, manners towards the host process, errors.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "ring.h"

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
    fails("dpdk:net_nonsense0", IIP_E_NO_DEVICE, "net_nonsense0: DPDK", "driver's name");
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

/*
 * unit_test.c - the parts of the DPDK port that a device does not show: port strings, mbuf chains, pools at close.
 *
 * Linked with the objects of the plug-in, not with the plug-in.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "../../../io/dpdk/build.h"
#include "stub.h"

static const struct iip_port_core core = {IIP_BUILD_ID, iip_pkt_new, iip_pkt_free};

/* ---- port strings ------------------------------------------------------------------------------------------------ */

static void parsed(const char *text, const char *eal, const char *device, const char *devargs, int is_pci)
{
    struct dpdk_args args;
    char err[256] = "";

    if (!CHECK_EQ(dpdk_args_parse(text, &args, err, sizeof(err)), 0))
        return;
    CHECK_STR(args.eal ? args.eal : "none", eal);
    CHECK_STR(args.device, device);
    CHECK_STR(args.devargs, devargs);
    CHECK_EQ(args.is_pci, is_pci);
    dpdk_args_free(&args);
}

static void strings_come_apart(void)
{
    parsed("0000:3b:00.0", "none", "0000:3b:00.0", "", 1);
    parsed("3b:00.1,rx=2", "none", "3b:00.1", "rx=2", 1);
    parsed("net_af_packet0,iface=veth0", "none", "net_af_packet0", "iface=veth0", 0);
    parsed("eal=[-m 64 --no-huge],net_ring0", "-m 64 --no-huge", "net_ring0", "", 0);
    parsed("net_memif0,", "none", "net_memif0", "", 0);
}

static void rejected(const char *text)
{
    struct dpdk_args args;
    char err[256] = "";

    CHECK_EQ(dpdk_args_parse(text, &args, err, sizeof(err)), IIP_E_INVAL);
    CHECK(err[0] != '\0');
    CHECK(args.text == NULL);
}

static void strings_without_a_device(void)
{
    rejected("");
    rejected(",iface=x");
    rejected("eal=[-m 3]");
    rejected("eal=[-m 3],");
    rejected("eal=-m 3,net_ring0");
    rejected("eal=[-m 3");
}

static void our_keys_are_taken_out(void)
{
    struct iip_port_cfg cfg = {.queues = 1, .ring = 7};
    struct dpdk_args args;
    char err[256], value[8];

    REQUIRE(dpdk_args_parse("net_x0,queues=3,iface=a,frames=100,ring=64,frame_size=4096,b=c", &args, err,
                            sizeof(err)) == 0);
    CHECK_EQ(dpdk_args_cfg(&args, &cfg, err, sizeof(err)), 0);
    CHECK_STR(args.devargs, "iface=a,b=c");
    CHECK_EQ(cfg.queues, 3);
    CHECK_EQ(cfg.frames, 100);
    CHECK_EQ(cfg.ring, 64);
    CHECK_EQ(cfg.frame_size, 4096);
    CHECK_EQ(dpdk_args_get(args.devargs, "b", value, sizeof(value)), 1);
    CHECK_STR(value, "c");
    CHECK_EQ(dpdk_args_get(args.devargs, "ifac", value, sizeof(value)), 0);
    dpdk_args_free(&args);

    REQUIRE(dpdk_args_parse("net_vhost0,iface=a,queues=2", &args, err, sizeof(err)) == 0);
    CHECK_EQ(dpdk_args_cfg(&args, &cfg, err, sizeof(err)), 0);
    CHECK_STR(args.devargs, "iface=a,queues=2"); /* the driver needs it, too */
    CHECK_EQ(cfg.queues, 2);
    dpdk_args_free(&args);
}

static void numbers_are_checked(void)
{
    static const char *const bad[] = {"ring=0", "ring=-1", "ring=", "ring=1k", "frames=99999999999", "queues=x"};
    struct iip_port_cfg cfg = {0};
    struct dpdk_args args;
    char text[64], err[256];
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "net_ring0,%s", bad[i]);
        REQUIRE(dpdk_args_parse(text, &args, err, sizeof(err)) == 0);
        if (strcmp(bad[i], "ring=") != 0) /* without a value it is not our key */
            CHECK_EQ(dpdk_args_cfg(&args, &cfg, err, sizeof(err)), IIP_E_RANGE);
        CHECK_EQ(cfg.ring + cfg.frames + cfg.queues, 0);
        dpdk_args_free(&args);
    }
}

/* ---- mbuf chains ------------------------------------------------------------------------------------------------- */

static struct end ring;

static int open_port(struct end *end, const char *args)
{
    static const struct iip_port_cfg none;
    int rc;

    memset(end, 0, sizeof(*end));
    end->ops = iip_dpdk_plugin(&core);
    rc = end->ops->open(args, &none, &end->port, end->err, sizeof(end->err));
    if (rc < 0) {
        printf("%s: %s\n", args, end->err);
        return 0;
    }
    end->ops->info(end->port, &end->info);
    end->q = end->ops->queue(end->port, 0);
    stack_init(&end->stk, end->ops, end->q);
    end->ops->attach(end->q, &end->stk);
    return 1;
}

static uint32_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* A TSO packet whose pseudo-header sum without length is `bare`; the stack adds the length. */
static struct iip_pkt *tso_packet(uint32_t payload, uint32_t bare)
{
    uint32_t sum = fold(bare + 20 + payload);
    static uint8_t bytes[54];
    struct iip_pkt *pkt;

    bytes[50] = (uint8_t)(sum >> 8);
    bytes[51] = (uint8_t)sum;
    pkt = end_pkt(&ring, bytes, sizeof(bytes));
    pkt->next = end_pkt(&ring, "", 0);
    pkt->next->len = payload < 1900 ? payload : 1900;
    for (payload -= pkt->next->len; payload;) {
        struct iip_pkt *more = end_pkt(&ring, "", 0);

        more->len = payload < 1900 ? payload : 1900;
        payload -= more->len;
        more->next = pkt->next;
        pkt->next = more;
    }
    pkt->flags = IIP_PKT_TSO | IIP_PKT_L4_CSUM | IIP_PKT_TCP | IIP_PKT_IPV6;
    pkt->l2_len = 14;
    pkt->l3_len = 20;
    pkt->l4_len = 20;
    pkt->seg_size = 1000;
    return pkt;
}

/* DPDK wants the pseudo-header sum of a TSO packet without the length, and the stack gets its own back. */
static void tso_sum_is_without_length(void)
{
    static const uint32_t bare[] = {1, 0x1234, 0x7fff, 0xfffe, 0xffff};
    struct dpdk_built built;
    uint32_t payload;
    size_t i;

    for (payload = 1; payload < 65000; payload += 2999) {
        for (i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
            struct iip_pkt *pkt = tso_packet(payload, bare[i]);
            uint8_t was[2];
            uint32_t sum;

            memcpy(was, pkt->data + 50, 2);
            REQUIRE(dpdk_build(ring.q, pkt, &built) == DPDK_BUILD_OK);
            sum = (uint32_t)pkt->data[50] << 8 | pkt->data[51];
            CHECK_EQ(sum % 0xffff, bare[i] % 0xffff);
            CHECK_EQ(built.mbuf->pkt_len, 54 + payload);
            CHECK(built.mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
            CHECK_EQ(built.mbuf->tso_segsz, 1000);
            CHECK_EQ(built.mbuf->l4_len, 20);
            rte_mbuf_sanity_check(built.mbuf, 1);
            dpdk_unbuild(&built);
            CHECK_MEM(pkt->data + 50, was, 2);
            iip_pkt_free(&ring.stk, pkt);
        }
    }
}

static void too_many_pieces_are_gathered(void)
{
    struct iip_pkt *pkt = NULL, *view;
    struct dpdk_built built;
    uint8_t bytes[200];
    uint32_t max = ring.q->max_segs, i;

    for (i = 0; i < 40; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        view = end_pkt(&ring, bytes, sizeof(bytes));
        view->next = pkt;
        pkt = view;
    }
    ring.q->max_segs = 5;
    CHECK_EQ(dpdk_build(ring.q, pkt, &built), DPDK_BUILD_OK);
    CHECK(built.mbuf->nb_segs <= 5);
    CHECK_EQ(built.mbuf->pkt_len, 8000);
    for (i = 0; i < 8000; i += 200) {
        uint8_t got;

        CHECK_EQ(*(const uint8_t *)rte_pktmbuf_read(built.mbuf, i, 1, &got), 39 - i / 200);
    }
    dpdk_unbuild(&built);
    ring.q->max_segs = 2;
    CHECK_EQ(dpdk_build(ring.q, pkt, &built), DPDK_BUILD_INVALID);
    ring.q->max_segs = max;
    iip_pkt_free(&ring.stk, pkt);
}

static void driver_without_indirect_mbufs_gets_copies(void)
{
    uint8_t bytes[1000] = {1};
    struct iip_pkt *kept = end_pkt(&ring, bytes, sizeof(bytes)), *pkt[2], *got;
    struct dpdk_built built;

    pkt[0] = iip_pkt_new(&ring.stk, kept->frame, kept->data, kept->len);
    pkt[1] = iip_pkt_new(&ring.stk, kept->frame, kept->data + 1, kept->len - 1);
    CHECK_EQ(ring.ops->tx(ring.q, &pkt[0], 1), 1); /* the driver has the mbuf now */
    CHECK_EQ(dpdk_build(ring.q, pkt[1], &built), DPDK_BUILD_OK);
    CHECK(RTE_MBUF_CLONED(built.mbuf));
    dpdk_unbuild(&built);
    ring.q->quirks |= DPDK_QUIRK_NO_INDIRECT;
    CHECK_EQ(dpdk_build(ring.q, pkt[1], &built), DPDK_BUILD_OK);
    CHECK(RTE_MBUF_DIRECT(built.mbuf) && built.mbuf != kept->frame->host);
    dpdk_unbuild(&built);
    ring.q->quirks = 0;
    iip_pkt_free(&ring.stk, pkt[1]);
    iip_pkt_free(&ring.stk, kept);
    CHECK_EQ(ring.ops->rx(ring.q, &got, 1), 1);
    iip_pkt_free(&ring.stk, got);
    CHECK_EQ(ring.ops->rx(ring.q, &got, 1), 0);
}

static void chains_leave_nothing_behind(void)
{
    uint32_t frames = ring.port->frames;

    CHECK_EQ(ring.ops->frames_free(ring.q), frames);
    CHECK_EQ(end_close(&ring), 0);
    CHECK_EQ(dpdk_pools_waiting(), 0);
}

/* ---- pools at close ---------------------------------------------------------------------------------------------- */

static void pool_waits_for_what_the_application_holds(void)
{
    struct iip_frame *frame;

    REQUIRE(open_port(&ring, "net_ring0"));
    frame = ring.ops->frame_get(ring.q, 100);
    CHECK_EQ(end_close(&ring), 0);
    CHECK_EQ(dpdk_pools_waiting(), 1);
    memset(frame->base, 0x55, frame->size); /* still there */
    ring.ops->frame_put(NULL, frame);
    REQUIRE(open_port(&ring, "net_ring0"));
    CHECK_EQ(dpdk_pools_waiting(), 0);
    CHECK_EQ(end_close(&ring), 0);
}

/* Drivers that hold mbufs in rings of theirs give all back when the port is closed. */
static void drivers_give_their_mbufs_back(void)
{
    static struct end host, guest;
    uint8_t out[500] = {7}, in[2048];
    struct iip_pkt *kept, *pkt;
    char a[128], b[128];
    int i;

    snprintf(a, sizeof(a), "net_vhost1,iface=/tmp/iip-unit-%d", (int)getpid());
    snprintf(b, sizeof(b), "net_virtio_user1,path=/tmp/iip-unit-%d", (int)getpid());
    REQUIRE(open_port(&host, a));
    REQUIRE(open_port(&guest, b));
    for (i = 0; i < 300; i++) {
        end_send(&host, out, sizeof(out));
        end_send(&guest, out, sizeof(out));
        end_recv(&host, in, sizeof(in), NULL);
        usleep(100); /* the guest's ring fills up with what it does not read */
    }
    kept = end_pkt(&guest, out, sizeof(out));
    pkt = iip_pkt_new(&guest.stk, kept->frame, kept->data, kept->len);
    CHECK_EQ(guest.ops->tx(guest.q, &pkt, 1), 1);
    CHECK(kept->frame->views > 1); /* the driver holds it */
    iip_pkt_free(&guest.stk, kept);
    CHECK_EQ(end_close(&guest), 0);
    CHECK_EQ(end_close(&host), 0);
    CHECK_EQ(dpdk_pools_waiting(), 0);
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static void before(int sig)
{
    (void)sig;
}

static void after(int sig)
{
    (void)sig;
}

static void only_new_handlers_are_mended(void)
{
    struct sigaction sa = {.sa_handler = before}, got;

    sigaction(SIGUSR1, &sa, NULL);
    dpdk_signals_note();
    sa.sa_handler = after;
    sigaction(SIGRTMIN + 3, &sa, NULL);
    dpdk_signals_mend();
    sigaction(SIGUSR1, NULL, &got);
    CHECK(!(got.sa_flags & SA_ONSTACK));
    sigaction(SIGRTMIN + 3, NULL, &got);
    CHECK(got.sa_flags & SA_ONSTACK);
    CHECK(got.sa_handler == after);
    sigaction(SIGUSR2, NULL, &got);
    CHECK(!(got.sa_flags & SA_ONSTACK));
}

int main(void)
{
    RUN(strings_come_apart);
    RUN(strings_without_a_device);
    RUN(our_keys_are_taken_out);
    RUN(numbers_are_checked);
    RUN(only_new_handlers_are_mended);
    if (!open_port(&ring, "net_ring0"))
        return 1;
    RUN(tso_sum_is_without_length);
    RUN(too_many_pieces_are_gathered);
    RUN(driver_without_indirect_mbufs_gets_copies);
    RUN(chains_leave_nothing_behind);
    RUN(pool_waits_for_what_the_application_holds);
    RUN(drivers_give_their_mbufs_back);
    return check_done();
}

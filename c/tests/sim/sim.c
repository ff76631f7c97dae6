/*
 * sim.c - runs seeds.
 *
 *     iip_sim [--seeds N] [--start S] [--twice] [--slow-path] [--failures N] [-v]
 *
 * --twice runs each seed again, and again without the fast path: the packets must be the same, bit for bit (without it
 * every 16th seed is). --slow-path leaves the fast path out altogether.
 * A failure prints the seed that replays it: iip_sim --seeds 1 --start SEED -v shows every packet of it.
 * covers: MUST-60, A45, A37, A40, A46, SK-02, CC-07
 */
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "sim.h"

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(sim->reason, sizeof(sim->reason), format, ap);
    va_end(ap);
    longjmp(sim->fail, 1);
}

static void on_sent(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct node *node = arg;
    wire_send(node->sim, node, bytes, len);
}

static void make_node(struct sim *sim, int i)
{
    static const uint8_t v6[16] = {0xfd, 0, 0, 0, 0, 0, 0, 1};
    struct node *node = &sim->node[i];
    struct iip_stack_cfg cfg;
    struct iip_endpoint any;
    uint64_t key = rnd(sim);
    memset(node, 0, sizeof(*node));
    node->sim = sim;
    node->index = i;
    node->mtu = node->mtu_max = sim->plan.mtu;
    testhost_init(&node->th, rnd(sim));
    node->th.sent = on_sent;
    node->th.arg = node;
    node->th.ring_size = below(sim, 3) ? 0 : 1 + (uint32_t)below(sim, TESTHOST_RING);
    node->th.frame_slack = (uint32_t)below(sim, 3) * 700;
    iip_ip_v4(&node->ip, 10, 0, 0, (iip_u8)(1 + i));
    if (sim->plan.family == 6) {
        memcpy(node->ip.b, v6, 16);
        node->ip.b[15] = (iip_u8)(1 + i);
    }
    memset(&cfg, 0, sizeof(cfg));
    cfg.size = sizeof(cfg);
    cfg.flags = sim->plan.l2 ? 0 : IIP_STACK_L3;
    node->th.l2_len = sim->plan.l2;
    node_mac(cfg.mac, i);
    cfg.mtu = sim->plan.mtu;
    cfg.caps = (uint32_t)rnd(sim) & (IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_SG);
    if (cfg.caps == (IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_SG) && rnd(sim) & 1)
        cfg.caps |= IIP_CAP_TX_TSO;
    node->caps = cfg.caps;
    memcpy(cfg.key, &key, 8);
    cfg.seed = rnd(sim);
    if (iip_stack_new(&cfg, &node->th.host, sim->now, &node->stk))
        sim_fail(sim, "iip_stack_new failed");
    node->th.stk = node->stk;
    memset(&any, 0, sizeof(any));
    any.port = 80;
    if (iip_stack_addr_add(node->stk, &node->ip, sim->plan.family == 4 ? 24 : 64) ||
        iip_tcp_listen(node->stk, &any, 64, NULL, &node->lis))
        sim_fail(sim, "address or listener failed");
    plan_tune(sim, node);
    node->th.frame_fail_ppm = sim->plan.frame_fail;
    node->th.mem_fail_ppm = sim->plan.mem_fail;
    node->th.rx_frame_min = sim->plan.rx_frame_min;
    node->due = sim->now; /* output follows what was done: at L2 the address is announced */
    node->room_at = node->app_wake = UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void settle(struct sim *sim, struct node *node)
{
    int i, turns = 1 + (sim->plan.twice ? (int)below(sim, 3) : 0);
    for (i = 0; i < turns; i++) {
        app_notes(sim, node);
        app_run(sim, node);
        iip_stack_output(node->stk, sim->now);
    }
    if (iip_stack_tx_pending(node->stk) && node->room_at == UINT64_MAX)
        node->room_at = sim->now + 1 + below(sim, 3000);
    node->due = iip_stack_deadline(node->stk);
    if (node->due <= sim->now)
        sim_fail(sim, "node %d: the deadline %llu has passed after output at %llu", node->index,
                 (unsigned long long)node->due, (unsigned long long)sim->now);
    if (node->due != IIP_NEVER)
        node->due += below(sim, sim->plan.lag_us + 1);
    if (node->th.error)
        sim_fail(sim, "node %d: %s", node->index, node->th.error);
    app_notes(sim, node);
    app_run(sim, node);
    if (sim->plan.lag_us && !below(sim, 50))
        node->look_at = sim->now + below(sim, 50000);
}

static void faults(struct sim *sim, struct node *node)
{
    plan_press(sim, node);
    if (node->room_at <= sim->now) {
        node->room_at = UINT64_MAX;
        node->th.room = UINT32_MAX;
    }
    if (node->th.room == UINT32_MAX && chance(sim, sim->plan.refuse)) {
        node->th.room = (uint32_t)below(sim, 10);
        node->room_at = sim->now + 1 + below(sim, 3000);
    }
    if (node->th.ring_count && !below(sim, 20))
        testhost_ring_drain(&node->th, (uint32_t)below(sim, node->th.ring_count));
}

/* Gives the node what has arrived for it, in bursts. */
static void receive(struct sim *sim, struct node *node, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t i = 0, part;
    while (i < n) {
        part = 1 + (uint32_t)below(sim, n - i);
        iip_stack_input(node->stk, pkts + i, part, sim->now);
        i += part;
        if (below(sim, 3))
            app_notes(sim, node);
    }
}

static void tell_police(struct sim *sim, struct node *node, struct event *e)
{
    uint8_t *ip = e->bytes + sim->plan.l2;
    uint32_t len = e->len - sim->plan.l2;
    struct segment s;
    int v6 = len > 40 && ip[0] >> 4 == 6;
    uint8_t hops = v6 ? ip[7] : 0;
    if (v6)
        ip[7] = 64; /* a damaged hop limit hurts nobody */
    if (!segment_decode(&s, ip, len)) {
        police_in(sim, node, &s);
        if (sim->verbose)
            police_print(sim, node, &s, "<");
    }
    if (v6)
        ip[7] = hops;
}

static void deliver(struct sim *sim)
{
    struct iip_pkt *pkts[MAX_NODES][64];
    uint32_t n[MAX_NODES] = {0};
    struct event e;
    int i;
    for (i = 0; i < 64 && wire_take(sim, &e); i++) {
        struct node *node = &sim->node[e.to];
        struct iip_pkt *pkt;
        tell_police(sim, node, &e);
        pkt = testhost_pkt(&node->th, e.bytes, e.len, sim->plan.view);
        if (pkt)
            pkts[e.to][n[e.to]++] = pkt;
        free(e.bytes);
    }
    for (i = 0; i < sim->plan.nodes; i++) {
        if (!n[i])
            continue;
        faults(sim, &sim->node[i]);
        receive(sim, &sim->node[i], pkts[i], n[i]);
        settle(sim, &sim->node[i]);
    }
}

static uint64_t node_next(const struct node *node)
{
    return least(least(node->due, node->room_at), node->app_wake);
}

static void shrink_mtu(struct sim *sim)
{
    if (!sim->plan.mtu_small || sim->now < sim->plan.mtu_at_us)
        return;
    sim->wire_mtu = sim->plan.mtu_small;
    sim->plan.mtu_small = 0;
}

/* One step of the clock, to the next moment at which anything happens. 0: nothing ever will. */
static int step(struct sim *sim)
{
    uint64_t next = wire_next(sim);
    int i;
    for (i = 0; i < sim->plan.nodes; i++)
        next = least(next, node_next(&sim->node[i]));
    if (sim->wanted)
        next = least(next, sim->next_connect);
    if (next == UINT64_MAX)
        return 0;
    if (next > sim->now)
        sim->now = next;
    if (++sim->steps > 8000000)
        sim_fail(sim, "no end after %llu steps", (unsigned long long)sim->steps);
    shrink_mtu(sim);
    if (sim->wanted && sim->next_connect <= sim->now)
        app_connect(sim);
    deliver(sim);
    for (i = 0; i < sim->plan.nodes; i++)
        if (node_next(&sim->node[i]) <= sim->now) {
            faults(sim, &sim->node[i]);
            settle(sim, &sim->node[i]);
        }
    return 1;
}

static void check_node(struct sim *sim, struct node *node)
{
    struct testhost *th = &node->th;
    if (testhost_account(node->stk))
        sim_fail(sim, "node %d: the account is off by %lld packets", node->index,
                 (long long)testhost_account(node->stk));
    if (testhost_counter(node->stk, "tx_packets") != th->taken)
        sim_fail(sim, "node %d: tx_packets is %llu, transmit took %llu", node->index,
                 (unsigned long long)testhost_counter(node->stk, "tx_packets"), (unsigned long long)th->taken);
    if (testhost_counter(node->stk, "tx_bytes") != th->taken_bytes)
        sim_fail(sim, "node %d: tx_bytes is %llu, transmit took %llu", node->index,
                 (unsigned long long)testhost_counter(node->stk, "tx_bytes"), (unsigned long long)th->taken_bytes);
    if ((testhost_counter(node->stk, "tcp_segs_out") != node->segments && !sim->plan.l2) ||
        (testhost_counter(node->stk, "tcp_rst_sent") != node->resets && !sim->plan.l2))
        sim_fail(sim, "node %d: tcp_segs_out is %llu, tcp_rst_sent %llu; it sent %llu segments, %llu of them RST",
                 node->index, (unsigned long long)testhost_counter(node->stk, "tcp_segs_out"),
                 (unsigned long long)testhost_counter(node->stk, "tcp_rst_sent"), (unsigned long long)node->segments,
                 (unsigned long long)node->resets);
    if (iip_tcp_next(node->stk, NULL))
        sim_fail(sim, "node %d: a connection is still there", node->index);
    testhost_ring_drain(th, 0);
    if (th->frames_live)
        sim_fail(sim, "node %d: %lld frames are still held when all is over", node->index, (long long)th->frames_live);
    iip_tcp_unlisten(node->stk, node->lis);
    iip_stack_free(node->stk);
    node->stk = NULL;
    if (th->frames_live || th->mem_live)
        sim_fail(sim, "node %d: leak of %lld frames and %lld blocks", node->index, (long long)th->frames_live,
                 (long long)th->mem_live);
    if (th->error)
        sim_fail(sim, "node %d: %s", node->index, th->error);
}

static void describe(const struct sim *sim)
{
    const struct plan *p = &sim->plan;
    int i, side;
    printf(
        "plan: %d nodes, IPv%d, %d connections; millionths: loss %u dup %u reorder %u corrupt %u frames %u memory %u refuse %u; "
        "delay %u us jitter %u us rate %u/ms mtu %u then %u lag %u us frame %u view %u pressure %u harsh %d\n",
        p->nodes, p->family, p->conns, p->loss, p->dup, p->reorder, p->corrupt, p->frame_fail, p->mem_fail, p->refuse,
        p->delay_us, p->jitter_us, p->rate, p->mtu, p->mtu_small, p->lag_us, p->rx_frame_min, p->view, p->pressure,
        p->harsh);
    for (i = 0; i < sim->attempts; i++)
        for (side = 0; side < 2; side++) {
            const struct end *e = &sim->attempt[i].end[side];
            printf(
                "connection %d, %s: node %d live %d done %d status %d connected %d shut %d fin %d blocked %d sent %llu of %llu, received %llu%s\n",
                i, side ? "server" : "client", side ? sim->attempt[i].server : sim->attempt[i].client, e->live, e->done,
                e->status, e->connected, e->shut, e->fin, e->blocked, (unsigned long long)e->sent,
                (unsigned long long)e->total, (unsigned long long)e->received, sim->attempt[i].dirty ? ", dirty" : "");
        }
}

static void play(struct sim *sim)
{
    uint64_t limit = 2 * (uint64_t)3600000000u, quiet;
    int i;
    plan_make(sim);
    sim->now = rnd(sim) & 0xffffffff;
    sim->wire_mtu = sim->plan.mtu;
    sim->plan.mtu_at_us += sim->now;
    limit += sim->now;
    for (i = 0; i < sim->plan.nodes; i++)
        make_node(sim, i);
    sim->wanted = sim->plan.conns;
    sim->next_connect = sim->now;
    while (!app_done(sim)) {
        if (!step(sim))
            sim_fail(sim, "nothing is due, and yet it is not finished");
        if (sim->now > limit)
            sim_fail(sim, "not finished after two hours");
    }
    app_judge(sim);
    sim->plan.refuse = 0;
    quiet = sim->now + 1000000000;
    while (sim->now < quiet && step(sim))
        ;
    for (i = 0; i < sim->plan.nodes; i++)
        check_node(sim, &sim->node[i]);
}

static void clean(struct sim *sim)
{
    int i;
    wire_free(sim);
    for (i = 0; i < MAX_ATTEMPTS; i++) {
        free(sim->attempt[i].beat[0].got);
        free(sim->attempt[i].beat[1].got);
    }
}

static uint64_t seed_now;

/* A crash says which seed it was. */
static void on_crash(int sig)
{
    char text[80];
    int n = snprintf(text, sizeof(text), "seed %llu crashed\n", (unsigned long long)seed_now);
    if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(3);
    signal(sig, SIG_DFL);
    raise(sig);
}

static struct sim sim;

static int run_seed(uint64_t seed, int verbose, int fast_path, uint64_t *hash, uint64_t *packets)
{
    volatile int failed = 0;
    memset(&sim, 0, sizeof(sim));
    sim.seed = sim.rng = seed_now = seed;
    sim.verbose = verbose;
    sim.fast_path = fast_path;
    if (setjmp(sim.fail))
        failed = 1;
    else
        play(&sim);
    if (failed) {
        printf("seed %llu failed at %.6f s after %llu packets: %s\n", (unsigned long long)seed, (double)sim.now / 1e6,
               (unsigned long long)sim.packets, sim.reason);
        if (verbose)
            describe(&sim);
        printf("    replay: iip_sim --seeds 1 --start %llu -v\n", (unsigned long long)seed);
    }
    *hash = sim.hash;
    *packets += sim.packets;
    clean(&sim);
    return failed;
}

static uint64_t again_differs(uint64_t seed, int fast_path, uint64_t hash, uint64_t *packets, const char *text)
{
    uint64_t again;
    uint64_t failed = (uint64_t)run_seed(seed, 0, fast_path, &again, packets);
    if (hash == again)
        return failed;
    printf("seed %llu failed: %s\n", (unsigned long long)seed, text);
    return failed + 1;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, start = 1, limit = 20, i, hash, packets = 0;
    int verbose = 0, twice = 0, fast_path = 1, a;
    uint64_t failed = 0;
    for (a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "--seeds") && a + 1 < argc)
            seeds = strtoull(argv[++a], NULL, 0);
        else if (!strcmp(argv[a], "--start") && a + 1 < argc)
            start = strtoull(argv[++a], NULL, 0);
        else if (!strcmp(argv[a], "--failures") && a + 1 < argc)
            limit = strtoull(argv[++a], NULL, 0);
        else if (!strcmp(argv[a], "--twice"))
            twice = 1;
        else if (!strcmp(argv[a], "--slow-path"))
            fast_path = 0;
        else if (!strcmp(argv[a], "-v"))
            verbose = 1;
        else
            return fprintf(stderr,
                           "usage: iip_sim [--seeds N] [--start S] [--twice] [--slow-path] [--failures N] [-v]\n"),
                   2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    for (i = 0; i < seeds && failed < limit; i++) {
        failed += (uint64_t)run_seed(start + i, verbose, fast_path, &hash, &packets);
        if (!twice && (start + i) % 16)
            continue;
        failed += again_differs(start + i, 1, hash, &packets, "the same seed gives other packets");
        if (sim.plan.frame_fail || sim.plan.mem_fail)
            continue; /* which call fails depends on how many there are: the paths may differ in that */
        failed += again_differs(start + i, 0, hash, &packets, "without the fast path, other packets are sent");
    }
    printf("%llu seeds, %llu packets, %llu failed\n", (unsigned long long)i, (unsigned long long)packets,
           (unsigned long long)failed);
    fflush(stdout);
    if (failed)
        _exit(1); /* what a failed seed still holds is no leak worth a report */
    return 0;
}

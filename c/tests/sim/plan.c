/* plan.c - what a seed means. */
#include "sim.h"

static uint32_t pick(struct sim *sim, const uint32_t *from, uint32_t n)
{
    return from[below(sim, n)];
}
#define PICK(sim, ...) pick(sim, (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

void plan_make(struct sim *sim)
{
    struct plan *p = &sim->plan;
    uint64_t swarm = rnd(sim);
    memset(p, 0, sizeof(*p));
    p->nodes = below(sim, 8) ? 2 : 3;
    p->family = rnd(sim) & 1 ? 4 : 6;
    p->conns = 1 + (int)below(sim, below(sim, 4) ? 4 : MAX_CONNS);
    p->loss = swarm & 1 ? PICK(sim, 10000, 50000, 50000, 50000, 50000, 100000, 250000) : 0;
    p->dup = swarm & 2 ? PICK(sim, 1000, 20000, 50000, 200000) : 0;
    p->reorder = swarm & 4 ? PICK(sim, 1000, 20000, 50000, 300000) : 0;
    p->corrupt = swarm & 8 ? PICK(sim, 1000, 10000, 50000) : 0;
    p->delay_us = PICK(sim, 0, 10, 100, 1000, 5000, 20000, 100000);
    p->jitter_us = swarm & 16 ? (uint32_t)below(sim, p->delay_us + 2) : 0;
    p->rate = swarm & 32 ? PICK(sim, 20, 100, 1000, 12500, 125000) : 0;
    p->mtu = PICK(sim, 1500, 1500, 1500, 1280, 9000, 2000, p->family == 4 ? 576 : 1280);
    if ((swarm & 192) == 192 && p->mtu > 1280) {
        p->mtu_small = p->family == 4 ? PICK(sim, 576, 600, 1000, 1280) : 1280;
        p->mtu_at_us = below(sim, 2000000);
    }
    p->frame_fail = (swarm & 768) == 768 ? PICK(sim, 1000, 10000, 100000) : 0;
    p->mem_fail = (swarm & 3072) == 3072 ? PICK(sim, 1000, 50000, 200000) : 0;
    p->refuse = (swarm & 12288) == 12288 ? PICK(sim, 10000, 100000, 500000) : 0;
    p->lag_us = swarm & 16384 ? PICK(sim, 0, 10, 500, 1000) : 0;
    p->rx_frame_min = swarm & 32768 ? PICK(sim, 0, 512, 2048, 4096) : 0;
    p->view = (swarm & 0x30000) == 0x30000 ? PICK(sim, 7, 60, 333, 1000) : 0;
    p->harsh = p->loss >= 200000 || p->mem_fail || p->rate == 20; /* a connection may have to be given up, cleanly */
    p->pressure = swarm >> 60 == 15 ? 1 + (uint32_t)(swarm >> 32 & 0xff) : 0;
    p->twice = (swarm & 0x40000) != 0;
    p->l2 = (swarm & 0x180000) == 0x180000 ? 14 : 0;
}

static void set(struct sim *sim, struct node *node, const char *name, uint64_t value)
{
    int status = iip_stack_set(node->stk, name, value);
    if (status)
        sim_fail(sim, "tunable %s does not take %llu (status %d)", name, (unsigned long long)value, status);
}

void plan_tune(struct sim *sim, struct node *node)
{
    uint32_t buffer = PICK(sim, 2048, 4096, 8192, 20000, 65535, 262144, 1048576);
    set(sim, node, "tcp.timestamps", rnd(sim) & 1);
    set(sim, node, "tcp.sack", below(sim, 3) != 0);
    set(sim, node, "tcp.window_scale", PICK(sim, 255, 255, 255, 15, 0, 3, 14));
    set(sim, node, "tcp.mss", PICK(sim, 0, 0, 0, 1000, 536, 256));
    set(sim, node, "tcp.rcvbuf", buffer);
    set(sim, node, "tcp.sndbuf", PICK(sim, 2048, 8192, 65535, 262144));
    set(sim, node, "tcp.delayed_ack_us", PICK(sim, 0, 1000, 40000, 40000, 200000));
    set(sim, node, "tcp.quick_ack", PICK(sim, 0, 0, 1, 10, 1000));
    set(sim, node, "tcp.rto_min_us", PICK(sim, 1000, 20000, 200000, 200000, 1000000));
    set(sim, node, "tcp.initial_window", PICK(sim, 1, 2, 3, 10, 10, 40));
    set(sim, node, "tcp.congestion_control", rnd(sim) & 1);
    set(sim, node, "tcp.nodelay", rnd(sim) & 1);
    set(sim, node, "tcp.copy_max", PICK(sim, 0, 1, 192, 1460));
    set(sim, node, "tcp.msl_us", PICK(sim, 0, 1000, 100000, 1000000));
    set(sim, node, "tcp.fin_wait2_us", 60000000);
    if (sim->plan.harsh) { /* a peer that went away without a word is found out by asking */
        set(sim, node, "tcp.keepalive", 1);
        set(sim, node, "tcp.keepidle_us", 5000000);
        set(sim, node, "tcp.keepintvl_us", 1000000);
        set(sim, node, "tcp.keepcnt", 5);
    }
    set(sim, node, "neigh.retries", 20);
    set(sim, node, "tcp.fast_path", (uint64_t)sim->fast_path);
    set(sim, node, "tcp.rto_max_us", PICK(sim, 1000000, 10000000, 120000000));
}

/*
 * An application that keeps what it gets makes its host short of memory for a while: what would be held is refused, and
 * is there in the end. Dice of its own: seeds without such episodes stay what they were.
 */
void plan_press(struct sim *sim, struct node *node)
{
    if (!sim->plan.pressure || sim->now < node->press_at)
        return;
    if (!node->press_rng)
        node->press_rng = sim->plan.pressure * 3u + (uint32_t)node->index;
    node->pressed = node->pressed ? IIP_PRESSURE_NONE : 1 + (uint32_t)(testhost_random(&node->press_rng) % 2);
    node->press_at = sim->now + testhost_random(&node->press_rng) % (node->pressed ? 300000 : 2000000);
    iip_stack_pressure(node->stk, node->pressed);
}

static uint64_t stream_length(struct sim *sim)
{
    uint64_t bits = below(sim, 18);
    if (!below(sim, 6))
        return 0;
    if (!below(sim, 40))
        return below(sim, 600000);
    return below(sim, 1u << bits);
}

void plan_conn(struct sim *sim, struct attempt *at)
{
    int side;
    at->client = (int)below(sim, (uint64_t)sim->plan.nodes);
    at->server = (at->client + 1 + (int)below(sim, (uint64_t)sim->plan.nodes - 1)) % sim->plan.nodes;
    for (side = 0; side < 2; side++) {
        struct end *e = &at->end[side];
        e->at = at;
        e->side = side;
        e->total = stream_length(sim);
        e->chunk = 1 + (uint32_t)below(sim, 1u << below(sim, 17));
        if (e->total / e->chunk > 2000)
            e->chunk = (uint32_t)(e->total / 2000) + 1;
        e->stall_ppm = below(sim, 3) ? 0 : PICK(sim, 10000, 200000, 700000);
        e->by_ref_ppm = PICK(sim, 0, 500000, 1000000);
        e->think_us = below(sim, 3) ? 0 : PICK(sim, 10, 1000, 50000);
        e->abort_at = below(sim, 12) ? UINT64_MAX : below(sim, e->total + 1);
        e->close_early = !below(sim, 12);
        at->dirty |= e->abort_at != UINT64_MAX || e->close_early;
    }
}

/* run.c - one seed. */
#include "monkey.h"

enum { STEPS = 400, QUIET_STEPS = 200000, QUIET_US = 600 * 1000000 };

/* ---- engines ---- */

static uint32_t few_or_many(struct monkey_run *run, uint32_t least, uint32_t few, uint32_t many)
{
    uint32_t top = monkey_below(run, 2) ? few : many;
    return least + monkey_below(run, top - least + 1);
}

static void begin(struct monkey *m, const char *port)
{
    struct monkey_run *run = m->run;
    struct iip_engine_cfg cfg = side_cfg(port, (int)m->index + 1);
    int family = monkey_below(run, 4) ? 4 : 6;
    cfg.op_cap = few_or_many(run, 1, 8, MONKEY_OPS);
    cfg.release_cap = few_or_many(run, 1, 4, 64);
    cfg.event_cap = few_or_many(run, 1, 4, 64);
    cfg.tx_free_cap = few_or_many(run, 1, 4, 64);
    cfg.frames = few_or_many(run, 16, 40, 600);
    cfg.spill_bytes = few_or_many(run, 1, 1 << 14, 1 << 22);
    cfg.post_cap = few_or_many(run, 2, 4, 64);
    cfg.seed = 1 + monkey_random(run);
    cfg.key[0] = 1;
    if (!side_open(&m->s, &cfg))
        monkey_fail(m, "the engine does not open");
    if (iip_region_add(m->s.engine, iip_monkey_bytes, sizeof iip_monkey_bytes, &m->region) != IIP_OK)
        monkey_fail(m, "memory cannot be registered");
    iip_addr_parse(m->index ? (family == 4 ? "10.0.0.2:80" : "[fd00::2]:80")
                            : (family == 4 ? "10.0.0.1:80" : "[fd00::1]:80"),
                   &m->address);
}

static void begin_both(struct monkey_run *run)
{
    char port[160];
    uint32_t i, loss = monkey_below(run, 2) * monkey_below(run, 8);
    snprintf(port, sizeof port, "sim:monkey%llu,clock=virtual,seed=%llu,delay=%uus,loss=%u%%,dup=%u%%,reorder=%u%%",
             (unsigned long long)run->seed, (unsigned long long)run->seed, monkey_below(run, 2000), loss, loss / 2,
             monkey_below(run, 4));
    if (run->verbose)
        printf("%s\n", port);
    for (i = 0; i < 2; i++) {
        struct monkey *m = &run->side[i];
        memset(m, 0, sizeof *m);
        m->run = run;
        m->index = i;
        begin(m, port);
    }
}

/* ---- turns ---- */

static void one_turn(struct monkey *m, uint32_t flags)
{
    uint32_t ops = m->s.turn.op_n;
    m->s.turn.flags = flags;
    if (iip_loop_turn(m->s.loop, &m->s.turn) < 0)
        monkey_fail(m, "the turn failed");
    m->run->turns++;
    monkey_look(m, ops);
}

static void pass(struct monkey_run *run, uint64_t us)
{
    uint32_t i;
    for (i = 0; i < 2; i++) {
        if (run->side[i].gone)
            continue;
        if (iip_engine_advance(run->side[i].s.engine, us, NULL) != IIP_OK)
            monkey_fail(&run->side[i], "the clock does not move");
        return;
    }
}

static void step(struct monkey_run *run)
{
    static const uint32_t span[] = {0, 0, 1, 50, 1000, 1000, 5000, 41000, 300000, 2000000};
    uint32_t i;
    for (i = 0; i < 2; i++) {
        struct monkey *m = &run->side[i];
        if (m->gone || !monkey_below(run, 4)) /* one that is busy elsewhere */
            continue;
        monkey_act(m);
        m->s.turn.event_max = monkey_below(run, 3) ? 0 : 1 + monkey_below(run, 8);
        one_turn(m, monkey_below(run, 16) & (IIP_TURN_FLUSH | IIP_TURN_PARK | IIP_TURN_DEADLINE));
    }
    pass(run, span[monkey_below(run, 10)]);
}

/* ---- quiet: nobody does anything new, and everything comes to its place ---- */

static int busy_turn(struct monkey *m)
{
    monkey_release_all(m);
    m->s.turn.event_max = 0;
    one_turn(m, IIP_TURN_FLUSH | IIP_TURN_DEADLINE);
    return m->s.turn.event_n || m->s.turn.rx_packets || m->held_n || m->s.turn.state & IIP_STATE_MORE;
}

static void quiet(struct monkey_run *run)
{
    uint64_t now = 0, end = 0, due;
    uint32_t steps;
    for (steps = 0; steps < QUIET_STEPS && (!end || now < end); steps++) {
        int busy = busy_turn(&run->side[0]) | busy_turn(&run->side[1]);
        now = run->side[0].s.turn.now_us;
        end = end ? end : now + QUIET_US;
        if (busy)
            continue;
        due = run->side[0].s.turn.deadline_us;
        due = due < run->side[1].s.turn.deadline_us ? due : run->side[1].s.turn.deadline_us;
        pass(run, due > now + 10000 ? 10000 : due > now ? due - now : 1);
    }
}

static void describe(const struct monkey *m, const struct monkey_conn *c)
{
    struct iip_conn_info info = {.size = sizeof info};
    iip_conn_info_get(c->handle, &info);
    printf(
        "side %u, connection %llx: state %u, sent %llu, got %llu, shut %u, fin %u; unacked %u, unsent %u, unread %u, "
        "uncredited %u, out of order %u, snd_wnd %u, rcv_wnd %u, cwnd %u, rto %u us, %u timeouts\n",
        m->index, (unsigned long long)c->handle, info.state, (unsigned long long)c->sent, (unsigned long long)c->got,
        c->shut, c->fin, info.unacked, info.unsent, info.unread, info.uncredited, info.out_of_order, info.snd_wnd,
        info.rcv_wnd, info.cwnd, info.rto_us, info.rto_count);
}

static void compare(struct monkey *m, const struct monkey_conn *c, const struct monkey_conn *peer)
{
    if (c->got == peer->sent && c->fin == peer->shut && (!c->owed || c->shut))
        return;
    describe(m, c);
    describe(&m->run->side[!m->index], peer);
    if (c->owed && !c->shut)
        monkey_fail(m, "no WRITABLE came where less was taken than offered");
    if (c->got != peer->sent)
        monkey_fail(m, "%llu bytes of %llu came (connection %llx, %s)", (unsigned long long)c->got,
                    (unsigned long long)peer->sent, (unsigned long long)c->handle, c->accepted ? "accepted" : "ours");
    if (c->fin != peer->shut)
        monkey_fail(m, "FIN %u of %u came", c->fin, peer->shut);
}

static void compare_all(struct monkey_run *run)
{
    uint32_t i, k;
    for (i = 0; i < MONKEY_CONNS; i++)
        for (k = 0; k < MONKEY_CONNS; k++) {
            struct monkey_conn *a = &run->side[0].conns[i], *b = &run->side[1].conns[k];
            if (!a->handle || !b->handle || a->key != (b->key ^ 1) || a->accepted == b->accepted || a->closed ||
                b->closed)
                continue;
            compare(&run->side[0], a, b);
            compare(&run->side[1], b, a);
        }
}

/* ---- the end ---- */

static uint32_t live(const struct monkey *m)
{
    uint32_t i, n = 0;
    for (i = 0; i < MONKEY_CONNS; i++)
        n += m->conns[i].handle != 0;
    return n;
}

static uint32_t timers(const struct monkey *m)
{
    uint32_t i, n = 0;
    for (i = 0; i < MONKEY_TIMERS; i++)
        n += m->timers[i] != 0;
    return n;
}

/* The loop is closed first: every object says so once. A packet that waits for a neighbour may still hold memory. */
static void orderly(struct monkey *m)
{
    uint32_t n;
    if (iip_loop_close(m->s.loop) != IIP_OK)
        monkey_fail(m, "the loop does not close");
    for (n = 0; n < 5000 && !(m->s.turn.state & IIP_STATE_CLOSED); n++) {
        m->s.turn.event_max = monkey_below(m->run, 4);
        one_turn(m, IIP_TURN_FLUSH);
        pass(m->run, 100);
    }
    if (!(m->s.turn.state & IIP_STATE_CLOSED))
        monkey_fail(m, "the loop does not come to its end (state %u)", m->s.turn.state);
    if (live(m) || timers(m) || m->listener)
        monkey_fail(m, "no CLOSED of %u connections, %u timers, listener %llx", live(m), timers(m),
                    (unsigned long long)m->listener);
    if (monkey_below(m->run, 2))
        monkey_release_all(m);
}

static void end(struct monkey *m)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    uint32_t held, left = m->s.turn.release_n;
    if (monkey_below(m->run, 2))
        orderly(m);
    else if (left)
        one_turn(m, 0);
    while (m->s.turn.release_n)
        one_turn(m, 0);
    held = m->held_n;
    if (iip_engine_close(m->s.engine, &leaks) != IIP_OK)
        monkey_fail(m, "the engine does not close");
    m->gone = 1;
    if (leaks.bufs != held || leaks.conns < live(m) || leaks.timers != timers(m) || leaks.externs != m->externs ||
        leaks.listeners != (m->listener != 0) || leaks.regions != 1)
        monkey_fail(m, "leaks: %u buffers of %u, %u connections of %u, %u timers of %u, %u sends of %u", leaks.bufs,
                    held, leaks.conns, live(m), leaks.timers, timers(m), leaks.externs, m->externs);
}

static void history(struct monkey_run *run)
{
    uint32_t i, first = monkey_below(run, 2), steps = 1 + monkey_below(run, STEPS);
    begin_both(run);
    for (i = 0; i < steps; i++)
        step(run);
    if (monkey_below(run, 2)) {
        quiet(run);
        compare_all(run);
    }
    end(&run->side[first]);
    for (i = monkey_below(run, 50); i; i--)
        step(run);
    end(&run->side[!first]);
}

int monkey_seed(struct monkey_run *run, uint64_t seed)
{
    uint32_t i;
    run->seed = run->random = seed;
    for (i = 0; i < sizeof iip_monkey_bytes; i++)
        iip_monkey_bytes[i] = (uint8_t)((i % MONKEY_PERIOD) * 2654435761u >> 11);
    if (setjmp(run->fail))
        return 0;
    history(run);
    return 1;
}

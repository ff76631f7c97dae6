/* round.c - two engines from their opening to their end, and what must be true then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

/* What makes a round differ from the others. */
struct shape {
    uint32_t frames, mtu, rcvbuf;
    uint64_t spill_bytes;
    int drains;      /* 1: all connections come to their own end; 0: the loops close under them */
    int keeps_late;  /* 1: some buffers are never released: the engine's end takes them */
    int first;       /* which engine is opened and closed first */
};

struct pair {
    struct side sides[2];
    struct keeper *keepers;
    atomic_int low[2];
};

static struct shape shape_of(struct rng *r, uint64_t number)
{
    static const uint32_t frames[] = {0, 2048, 16384};
    struct shape s;
    s.frames = frames[number % 3];
    s.mtu = rng_below(r, 3) ? 1500 : 9000;
    s.rcvbuf = rng_below(r, 2) ? 65536 : 1048576;
    s.spill_bytes = rng_below(r, 2) ? 65536 : 0;
    s.drains = number % 2 == 0;
    s.keeps_late = (int)rng_below(r, 2);
    s.first = (int)rng_below(r, 2);
    return s;
}

/* ---- the engines ---- */

static int open_engine(struct side *s, const struct shape *shape)
{
    struct iip_engine_cfg cfg;
    char why[256], tunables[256], port[512];
    memset(&cfg, 0, sizeof cfg);
    snprintf(tunables, sizeof tunables,
             "tcp.rcvbuf=%u,tcp.sndbuf=65536,tcp.keepalive=1,tcp.keepidle_us=2000000,tcp.keepintvl_us=1000000,"
             "tcp.keepcnt=60,neigh.queue=1024",
             shape->rcvbuf);
    snprintf(port, sizeof port, "%s,mtu=%u", s->options->port, shape->mtu);
    cfg.size = sizeof cfg;
    cfg.port = port;
    cfg.addresses = s->opens ? "10.0.0.1/24" : "10.0.0.2/24";
    cfg.tunables = tunables;
    cfg.frames = shape->frames;
    cfg.ring = shape->frames == 2048 ? 256 : 0;
    cfg.spill_bytes = shape->spill_bytes;
    if (iip_engine_open(&cfg, &s->engine, why, sizeof why) == IIP_OK &&
        iip_engine_loop(s->engine, 0, &s->loop) == IIP_OK)
        return 1;
    wrong(&totals.errors, "no engine: %s", why);
    return 0;
}

static void close_engine(struct side *s, uint32_t late)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    int32_t st = iip_engine_close(s->engine, &leaks);
    if (st != IIP_OK)
        wrong(&totals.errors, "the engine cannot be closed: %s", iip_status_name(st));
    if (leaks.bufs != late || leaks.conns || leaks.listeners || leaks.udps || leaks.timers || leaks.externs ||
        leaks.regions)
        wrong(&totals.leaks, "%u buffers instead of %u, %u connections and %u listeners were left", leaks.bufs, late,
              leaks.conns, leaks.listeners);
}

static uint64_t counters_sum(const uint64_t *values, uint32_t n, const char *prefix)
{
    uint64_t sum = 0;
    uint32_t i;
    for (i = 0; i < n; i++)
        if (!strncmp(iip_counter_name(i), prefix, strlen(prefix)))
            sum += values[i];
    return sum;
}

/* Nobody turns the loop any more: every packet is accounted for, every buffer too. */
static void check_account(struct side *s, uint32_t late)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t values[256], got, out;
    uint32_t n = (uint32_t)iip_loop_counters(s->loop, values, 256);
    iip_loop_stats_get(s->loop, &stats);
    got = counters_sum(values, n, "rx_packets");
    out =
        counters_sum(values, n, "rx_delivered") + counters_sum(values, n, "rx_held") + counters_sum(values, n, "drop_");
    if (got != out || got != stats.rx_packets)
        wrong(&totals.errors, "%llu packets received by the port, %llu by the stack, %llu accounted for",
              (unsigned long long)stats.rx_packets, (unsigned long long)got, (unsigned long long)out);
    if (stats.bufs_held != late)
        wrong(&totals.leaks, "%llu buffers are held, should be %u", (unsigned long long)stats.bufs_held, late);
    if (stats.conns || stats.stale_handles)
        wrong(&totals.errors, "%u connections, %llu stale handles", stats.conns,
              (unsigned long long)stats.stale_handles);
    totals.drop_pressure += counters_sum(values, n, "drop_pressure");
}

/* ---- buffers that outlive all else ---- */

static void check_late(const struct side *s)
{
    size_t i;
    for (i = 0; i < s->late.n; i++)
        kept_check(&s->late.items[i], "at the end");
}

static void release_late(struct side *s, int32_t want)
{
    size_t i;
    for (i = 0; i < s->late.n; i++)
        if (iip_buf_release(s->late.items[i].buf) != want)
            wrong(&totals.errors, "releasing a late buffer does not give %s", iip_status_name(want));
    free(s->late.items);
    memset(&s->late, 0, sizeof s->late);
}

/* The bytes that one side holds may lie in memory of the other, which is closed first. */
static void close_both(struct pair *p, const struct shape *shape)
{
    struct side *s = &p->sides[shape->first], *other = &p->sides[!shape->first];
    uint32_t late = shape->keeps_late ? (uint32_t)s->late.n : 0;
    uint32_t late_other = shape->keeps_late ? (uint32_t)other->late.n : 0;
    check_late(s);
    if (!shape->keeps_late)
        release_late(s, IIP_OK);
    check_account(s, late);
    iip_loop_detach(s->loop);
    close_engine(s, late);
    release_late(s, IIP_E_STALE);
    check_late(other);
    if (!shape->keeps_late)
        release_late(other, IIP_OK);
    check_account(other, late_other);
    iip_loop_detach(other->loop);
    close_engine(other, late_other);
    release_late(other, IIP_E_STALE);
}

/* ---- the round ---- */

static void start(struct pair *p, const struct options *o, uint64_t number)
{
    uint64_t i;
    p->keepers = calloc(o->threads, sizeof *p->keepers);
    if (!p->keepers)
        abort();
    for (i = 0; i < o->threads; i++) {
        p->keepers[i].rng.state = o->seed * 1000003 + number * 1009 + i;
        p->keepers[i].fault = o->fault;
        p->keepers[i].low = p->low;
        keeper_start(&p->keepers[i]);
    }
    for (i = 0; i < 2; i++) {
        p->sides[i].keepers = p->keepers;
        p->sides[i].rng.state = o->seed * 999983 + number * 2 + i;
        p->sides[i].ids = number << 32 | (o->seed & 0xffff) << 48;
        p->sides[i].low = &p->low[i];
    }
    side_start(&p->sides[1]);
    while (!atomic_load(&p->sides[1].listens))
        usleep(100);
    side_start(&p->sides[0]);
    for (i = 0; i < 2; i++)
        if (atomic_load(&p->sides[i].listens) && iip_engine_close(p->sides[i].engine, NULL) != IIP_E_BUSY)
            wrong(&totals.errors, "an engine whose loop has an owner was closed");
}

static void wait_for_rest(struct pair *p, enum phase phase, const char *what)
{
    uint64_t until = now_ms() + PATIENCE_S * 1000;
    int i;
    for (i = 0; i < 2; i++)
        atomic_store(&p->sides[i].phase, phase);
    while (!atomic_load(&p->sides[0].rests) || !atomic_load(&p->sides[1].rests)) {
        if (now_ms() > until) {
            wrong(&totals.errors, "%s: nothing goes on any more", what);
            return;
        }
        usleep(1000);
    }
}

static void end(struct pair *p, const struct options *o, const struct shape *shape)
{
    uint64_t i;
    if (shape->drains) {
        for (i = 0; i < o->threads; i++)
            atomic_store(&p->keepers[i].empty, 1);
        wait_for_rest(p, PHASE_DRAIN, "connections that should end by themselves");
    }
    wait_for_rest(p, PHASE_CLOSE, "loops that are closed");
    for (i = 0; i < o->threads; i++)
        keeper_end(&p->keepers[i]);
    for (i = 0; i < 2; i++)
        atomic_store(&p->sides[i].phase, PHASE_END);
    for (i = 0; i < 2; i++) {
        pthread_join(p->sides[i].thread, NULL);
        iip_loop_attach(p->sides[i].loop);
        free(p->sides[i].talks);
        free(p->sides[i].ready);
    }
    if (atomic_load(&totals.kept))
        wrong(&totals.errors, "the keepers still hold buffers");
    close_both(p, shape);
    free(p->keepers);
}

int round_run(const struct options *o, uint64_t number, uint64_t ms)
{
    struct rng r = {o->seed * 31 + number};
    struct shape shape = shape_of(&r, number);
    struct pair *p = calloc(1, sizeof *p);
    uint64_t until = now_ms() + ms, opened = totals.opened, bytes = totals.bytes, copied = totals.copied;
    uint64_t dropped = totals.drop_pressure;
    if (!p)
        abort();
    p->sides[0].opens = 1;
    p->sides[0].options = p->sides[1].options = o;
    if (!open_engine(&p->sides[shape.first], &shape) || !open_engine(&p->sides[!shape.first], &shape))
        return 0;
    start(p, o, number);
    while (now_ms() < until)
        usleep(10000);
    end(p, o, &shape);
    printf("round %llu: frames=%u mtu=%u rcvbuf=%u spill=%llu drains=%d late=%d first=%d: opened=%llu bytes=%llu "
           "copied=%llu drop_pressure=%llu\n",
           (unsigned long long)number, shape.frames, shape.mtu, shape.rcvbuf, (unsigned long long)shape.spill_bytes,
           shape.drains, shape.keeps_late, shape.first, (unsigned long long)(totals.opened - opened),
           (unsigned long long)(totals.bytes - bytes), (unsigned long long)(totals.copied - copied),
           (unsigned long long)(totals.drop_pressure - dropped));
    fflush(stdout);
    free(p);
    return 1;
}

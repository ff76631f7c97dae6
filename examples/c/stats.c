/* stats.c - what the library and the example counted, as JSON and for people. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

enum { EX_COUNTERS = 512 };

/* Adds up the counters of all loops; returns how many there are. */
static uint32_t sum_counters(struct ex_run *run, uint64_t sum[EX_COUNTERS])
{
    uint64_t one[EX_COUNTERS];
    uint32_t i, k;
    int32_t n = 0;
    memset(sum, 0, EX_COUNTERS * sizeof *sum);
    for (i = 0; i < run->info.loops; i++) {
        n = iip_loop_counters(run->loops[i].loop, one, EX_COUNTERS);
        for (k = 0; (int32_t)k < n && k < EX_COUNTERS; k++)
            sum[k] += one[k];
    }
    return n < 0 ? 0 : n > EX_COUNTERS ? EX_COUNTERS : (uint32_t)n;
}

uint64_t ex_counter(struct ex_run *run, const char *name)
{
    uint64_t sum[EX_COUNTERS];
    uint32_t n = sum_counters(run, sum);
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (strcmp(iip_counter_name(i), name) == 0)
            return sum[i];
    }
    return 0;
}

uint64_t ex_total(struct ex_run *run, uint32_t i)
{
    uint64_t sum = 0;
    uint32_t k;
    for (k = 0; k < run->info.loops; k++)
        sum += atomic_load_explicit(&run->loops[k].count[i], memory_order_relaxed);
    return sum;
}

void ex_drops(struct ex_run *run, char *out, uint32_t cap)
{
    uint64_t sum[EX_COUNTERS];
    uint32_t n = sum_counters(run, sum);
    uint32_t i, at = 0;
    snprintf(out, cap, "none");
    for (i = 0; i < n && at < cap; i++) {
        if (sum[i] && strncmp(iip_counter_name(i), "drop_", 5) == 0)
            at += (uint32_t)snprintf(out + at, cap - at, "%s%s %llu", at ? ", " : "", iip_counter_name(i),
                                     (unsigned long long)sum[i]);
    }
}

static void text(FILE *f, const char *key, const char *value)
{
    fprintf(f, "  \"%s\": \"", key);
    for (; value && *value; value++) {
        if (*value == '"' || *value == '\\')
            fputc('\\', f);
        fputc((unsigned char)*value < ' ' ? '?' : *value, f);
    }
    fputs("\",\n", f);
}

static void counters(struct ex_run *run, FILE *f)
{
    uint64_t sum[EX_COUNTERS];
    uint32_t n = sum_counters(run, sum);
    uint32_t i;
    fputs("  \"counters\": {", f);
    for (i = 0; i < n; i++)
        fprintf(f, "%s\"%s\": %llu", i ? ", " : " ", iip_counter_name(i), (unsigned long long)sum[i]);
    fputs(" },\n", f);
}

static void add_loop(struct iip_loop_stats *sum, struct iip_loop *loop)
{
    struct iip_loop_stats s;
    memset(&s, 0, sizeof s);
    s.size = sizeof s;
    if (iip_loop_stats_get(loop, &s) < 0)
        return;
    sum->conns += s.conns;
#define EX_ADD(name) sum->name += s.name
    EX_ADD(turns);
    EX_ADD(events);
    EX_ADD(ops);
    EX_ADD(ops_failed);
    EX_ADD(stale_handles);
    EX_ADD(spill_copies);
    EX_ADD(bufs_held);
    EX_ADD(mem_used);
    EX_ADD(rx_packets);
    EX_ADD(rx_bytes);
    EX_ADD(rx_dropped);
    EX_ADD(tx_packets);
    EX_ADD(tx_bytes);
    EX_ADD(tx_refused);
    EX_ADD(tx_pending);
    EX_ADD(wire_lost);
    EX_ADD(wire_duplicated);
    EX_ADD(handed_over);
    EX_ADD(handed_lost);
#undef EX_ADD
}

static void loops(struct ex_run *run, FILE *f)
{
    struct iip_loop_stats sum;
    uint32_t i;
    memset(&sum, 0, sizeof sum);
    for (i = 0; i < run->info.loops; i++)
        add_loop(&sum, run->loops[i].loop);
    fprintf(f, "  \"conns\": %u,\n", sum.conns);
#define EX_SHOW(name) fprintf(f, ", \"" #name "\": %llu", (unsigned long long)sum.name)
    fprintf(f, "  \"turns\": { \"turns\": %llu", (unsigned long long)sum.turns);
    EX_SHOW(events);
    EX_SHOW(ops);
    EX_SHOW(ops_failed);
    EX_SHOW(stale_handles);
    EX_SHOW(spill_copies);
    EX_SHOW(bufs_held);
    EX_SHOW(mem_used);
    fprintf(f, " },\n  \"ports\": { \"rx_packets\": %llu", (unsigned long long)sum.rx_packets);
    EX_SHOW(rx_bytes);
    EX_SHOW(rx_dropped);
    EX_SHOW(tx_packets);
    EX_SHOW(tx_bytes);
    EX_SHOW(tx_refused);
    EX_SHOW(tx_pending);
    EX_SHOW(wire_lost);
    EX_SHOW(wire_duplicated);
    EX_SHOW(handed_over);
    EX_SHOW(handed_lost);
    fputs(" }\n", f);
#undef EX_SHOW
}

void ex_stats_json(struct ex_run *run, FILE *f)
{
    uint32_t i;
    fputs("{\n", f);
    text(f, "program", run->cfg->program);
    text(f, "version", iip_version());
    text(f, "port", run->cfg->port);
    text(f, "addresses", run->cfg->addresses);
    fprintf(f, "  \"listen\": %u,\n  \"seconds\": %.6f,\n", (unsigned)run->cfg->listen,
            (double)(ex_now_ns() - run->begin_ns) / 1e9);
    for (i = 0; run->count_names && run->count_names[i] && i < EX_COUNTS; i++)
        fprintf(f, "  \"%s\": %llu,\n", run->count_names[i], (unsigned long long)ex_total(run, i));
    counters(run, f);
    loops(run, f);
    fputs("}\n", f);
}

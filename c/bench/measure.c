/* measure.c - marks, clocks, flags and the one line of JSON that every bench program ends with. */
#include "measure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#ifdef __clang__
#define BENCH_COMPILER "clang"
#else
#define BENCH_COMPILER "gcc"
#endif

enum { BENCH_REPS_MAX = 64, BENCH_NOTES_MAX = 16 };

static struct {
    uint64_t began_ns, spent_ns;
    int inside;
    double units;
    double ns_per_unit[BENCH_REPS_MAX];
    uint32_t reps;
    const char *name[BENCH_NOTES_MAX];
    double value[BENCH_NOTES_MAX];
    uint32_t notes;
} m;

void bench_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static uint64_t bench_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t); /* the other one may be virtual: see loop.c */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_start(void)
{
    m.spent_ns = 0;
    m.inside = 1;
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    m.began_ns = bench_ns();
    CALLGRIND_TOGGLE_COLLECT;
}

void bench_pause(void)
{
    if (!m.inside)
        return;
    CALLGRIND_TOGGLE_COLLECT;
    m.spent_ns += bench_ns() - m.began_ns;
}

void bench_resume(void)
{
    if (!m.inside)
        return;
    m.began_ns = bench_ns();
    CALLGRIND_TOGGLE_COLLECT;
}

void bench_stop(double units)
{
    CALLGRIND_TOGGLE_COLLECT;
    m.spent_ns += bench_ns() - m.began_ns;
    CALLGRIND_STOP_INSTRUMENTATION;
    m.inside = 0;
    if (!(units > 0))
        bench_fail("nothing was done in the counted region");
    if (m.reps < BENCH_REPS_MAX)
        m.ns_per_unit[m.reps++] = (double)m.spent_ns / units;
    m.units = units;
}

void bench_note(const char *name, double value)
{
    if (m.notes == BENCH_NOTES_MAX)
        bench_fail("more than %d notes", BENCH_NOTES_MAX);
    m.name[m.notes] = name;
    m.value[m.notes++] = value;
}

void bench_report(const struct bench_args *args)
{
    uint32_t i;
    printf("{\"row\": \"%s\", \"units\": %.9g, \"ns\": [", args->row, m.units);
    for (i = 0; i < m.reps; i++)
        printf("%s%.3f", i ? ", " : "", m.ns_per_unit[i]);
    printf("]");
    for (i = 0; i < m.notes; i++)
        printf(", \"%s\": %.6g", m.name[i], m.value[i]);
    printf(", \"compiler\": \"" BENCH_COMPILER " " __VERSION__ "\"}\n");
}

void bench_fill(void *to, uint64_t offset, uint32_t len)
{
    uint8_t *p = to;
    uint64_t word;
    uint32_t part;
    for (; len; len -= part, p += part, offset += part) {
        word = bench_word(offset / 8) >> 8 * (offset % 8);
        part = 8 - (uint32_t)(offset % 8);
        if (part > len)
            part = len;
        memcpy(p, &word, part);
    }
}

int bench_check(const void *from, uint64_t offset, uint32_t len)
{
    const uint8_t *p = from;
    uint64_t word;
    uint32_t part;
    for (; len; len -= part, p += part, offset += part) {
        word = bench_word(offset / 8) >> 8 * (offset % 8);
        part = 8 - (uint32_t)(offset % 8);
        if (part > len)
            part = len;
        if (memcmp(p, &word, part))
            return 0;
    }
    return 1;
}

static int bench_arg(struct bench_args *args, const char *name, uint32_t value)
{
    const struct {
        const char *name;
        uint32_t *to;
    } known[] = {
        {"--conns", &args->conns}, {"--idle", &args->idle},       {"--offload", &args->offload},
        {"--depth", &args->depth}, {"--waiting", &args->waiting}, {"--units", &args->units},
        {"--reps", &args->reps},   {"--trace", &args->trace},     {"--inflight", &args->inflight},
        {"--addrs", &args->addrs},
    };
    uint32_t i;
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!strcmp(known[i].name, name)) {
            *known[i].to = value;
            return 1;
        }
    }
    return 0;
}

void bench_args_parse(struct bench_args *args, int argc, char **argv, const char *usage)
{
    int i;
    memset(args, 0, sizeof *args);
    args->conns = 32;
    args->depth = 16;
    args->waiting = 1000;
    args->addrs = 1;
    args->reps = 1;
    args->row = argc > 1 ? argv[1] : "--help";
    for (i = 2; i < argc; i += 2) {
        char *end;
        unsigned long value = i + 1 < argc ? strtoul(argv[i + 1], &end, 10) : 0;
        if (i + 1 == argc || *end || end == argv[i + 1] || value > UINT32_MAX ||
            !bench_arg(args, argv[i], (uint32_t)value)) {
            fprintf(stderr, "%s: not a flag with a number; usage: %s ROW [flags]\n%s", argv[i], argv[0], usage);
            exit(2);
        }
    }
    if (args->row[0] == '-') {
        printf("usage: %s ROW [flags]\n%s", argv[0], usage);
        exit(strcmp(args->row, "--help") ? 2 : 0);
    }
    if (!args->addrs || args->addrs > 64) {
        fprintf(stderr, "%s: addrs is 1 to 64\n", argv[0]);
        exit(2);
    }
    if (!args->conns || !args->depth || !args->reps || args->reps > BENCH_REPS_MAX) {
        fprintf(stderr, "%s: conns, depth and reps are 1 at least, reps at most %d\n", argv[0], BENCH_REPS_MAX);
        exit(2);
    }
}

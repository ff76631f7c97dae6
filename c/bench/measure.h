/*
 * measure.h - what is counted, and what is said about it.
 *
 * A run counts one region: bench_start .. bench_stop, less what lies between bench_pause and bench_resume. Under
 * `valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no` that region is all that callgrind sees; without
 * it the same marks take the time. Setting up (a million connections) then runs uninstrumented, and is quick.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

struct bench_args {
    const char *row;
    uint32_t conns;    /* that talk */
    uint32_t idle;     /* established beside them */
    uint32_t offload;  /* 1: the wire vouches for checksums, and fills none in */
    uint32_t depth;    /* queue: packets that wait to be sent */
    uint32_t inflight; /* queue: 1: they may all be on their way at once */
    uint32_t addrs;    /* of the client, 1 .. 64 */
    uint32_t waiting;  /* churn: connections in TIME-WAIT */
    uint32_t units;    /* at least this many are counted */
    uint32_t reps;     /* times the region is measured; callgrind: 1 */
    uint32_t trace;    /* 1: print packets and counters to standard error */
};

/* Parses the command line; prints the usage and ends the process where it cannot. */
void bench_args_parse(struct bench_args *args, int argc, char **argv, const char *usage);

void bench_start(void);
/* Outside of a region these two do nothing. */
void bench_pause(void);
void bench_resume(void);
/* Ends the region; `units` of work were done in it. */
void bench_stop(double units);

/* Adds "name": value to the line that bench_report prints. At most 16, names are literals. */
void bench_note(const char *name, double value);
/* Prints one line of JSON: row, units of one repetition, ns per unit of each repetition, and the notes. */
void bench_report(const struct bench_args *args);

/* Something is broken: says what, and ends with 1. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The stream that bulk rows send: word i of it. Never repeats, so nobody can know a sum beforehand. */
static inline uint64_t bench_word(uint64_t i)
{
    i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    return i ^ i >> 29;
}

/* Fills or checks `len` bytes at `offset` of that stream. Check returns 1 when they are right. */
void bench_fill(void *to, uint64_t offset, uint32_t len);
int bench_check(const void *from, uint64_t offset, uint32_t len);

#endif

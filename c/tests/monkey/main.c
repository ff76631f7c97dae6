/*
 * main.c - runs seeds.
 *
 *     iip_monkey [--seeds N] [--start S] [-v]
 *
 * A failure prints the seed that replays it: iip_monkey --seeds 1 --start SEED -v
 */
#include "monkey.h"

static struct monkey_run run;

static uint64_t number(char **at)
{
    char *end = NULL;
    uint64_t n = at[1] ? strtoull(at[1], &end, 10) : 0;
    if (at[1] && end != at[1] && !*end)
        return n;
    fprintf(stderr, "%s: needs a number, not '%s'\n", at[0], at[1] ? at[1] : "");
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 100, start = 1, i, failed = 0;
    char **at = argv + 1;
    (void)argc;
    for (; *at; at++) {
        if (!strcmp(*at, "--seeds")) {
            seeds = number(at++);
        } else if (!strcmp(*at, "--start")) {
            start = number(at++);
        } else if (!strcmp(*at, "-v")) {
            run.verbose = 1;
        } else {
            fprintf(stderr, "%s: unknown; iip_monkey [--seeds N] [--start S] [-v]\n", *at);
            return 2;
        }
    }
    for (i = 0; i < seeds; i++) {
        if (monkey_seed(&run, start + i))
            continue;
        printf("seed %llu: %s\n", (unsigned long long)(start + i), run.reason);
        fflush(stdout);
        failed++;
    }
    printf("%llu seeds, %llu failed: %llu turns, %llu connections, %llu bytes read\n", (unsigned long long)seeds,
           (unsigned long long)failed, (unsigned long long)run.turns, (unsigned long long)run.conns,
           (unsigned long long)run.bytes);
    return failed != 0;
}

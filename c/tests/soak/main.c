/* main.c - the command line of the soak, and its last line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"

enum { SHOWN = 10 };

struct totals totals;

void wrong(_Atomic uint64_t *which, const char *format, ...)
{
    static atomic_int shown;
    va_list args;
    atomic_fetch_add(which, 1);
    if (atomic_fetch_add(&shown, 1) >= SHOWN)
        return;
    va_start(args, format);
    flockfile(stdout);
    printf("wrong: ");
    vprintf(format, args);
    printf("\n");
    funlockfile(stdout);
    va_end(args);
}

static const char help[] =
    "soak: connections whose received buffers other threads keep, check and release at random\n"
    "\n"
    "  --seconds S       about how long (30)\n"
    "  --connections N   at the same time (1000)\n"
    "  --threads T       that keep buffers (4)\n"
    "  --seed N          of all that is random (1)\n"
    "  --port STRING     pair:NAME or sim:NAME,... with the real clock (pair:soak)\n"
    "  --fault KIND      spoil it, to see it noticed: stale (reads after the release), leak (a release is\n"
    "                    forgotten), twice (one too many)\n"
    "\n"
    "Exit code 0: nothing was stale, nothing leaked, all counts were exact. 1: not so. 2: wrong arguments.\n";

static void refuse(const char *option, const char *value)
{
    fprintf(stderr, "soak: %s %s: no such value; --help lists what there is\n", option, value);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);
    if (!*text || *end || *text == '-' || n < min || n > max)
        refuse(option, text);
    return n;
}

static enum fault fault_of(const char *text)
{
    static const char *const names[] = {"none", "stale", "leak", "twice"};
    int i;
    for (i = 0; i < 4; i++)
        if (!strcmp(text, names[i]))
            return (enum fault)i;
    refuse("--fault", text);
    return FAULT_NONE;
}

static void options_read(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {
        {"seconds", 1, 0, 's'}, {"connections", 1, 0, 'c'}, {"threads", 1, 0, 't'}, {"seed", 1, 0, 'r'},
        {"port", 1, 0, 'p'},    {"fault", 1, 0, 'f'},       {"help", 0, 0, 'h'},    {0, 0, 0, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 's': o->seconds = number("--seconds", optarg, 1, 1000000); break;
        case 'c': o->connections = number("--connections", optarg, 1, 20000); break;
        case 't': o->threads = number("--threads", optarg, 1, 64); break;
        case 'r': o->seed = number("--seed", optarg, 0, UINT64_MAX); break;
        case 'p': o->port = optarg; break;
        case 'f': o->fault = fault_of(optarg); break;
        case 'h': fputs(help, stdout); exit(0);
        default: exit(2);
        }
    }
    if (optind < argc)
        refuse("argument", argv[optind]);
}

/* A run in which nothing of that happened would have shown nothing. */
static void check_exercised(void)
{
    if (!totals.finished || !totals.retained || !totals.detached || !totals.kept_max)
        wrong(&totals.errors, "some of what is to be tried did not happen");
}

int main(int argc, char **argv)
{
    struct options o = {.seconds = 30, .connections = 1000, .threads = 4, .seed = 1, .port = "pair:soak"};
    uint64_t began = now_ms(), end, ms, round = 0;
    options_read(&o, argc, argv);
    end = began + o.seconds * 1000;
    ms = o.seconds * 1000 / 4;
    ms = ms > 15000 ? 15000 : ms;
    while (now_ms() < end && round_run(&o, round, ms) && !totals.stale && !totals.errors && !totals.leaks)
        round++;
    check_exercised();
    printf("in order: %" PRIu64 ", retained: %" PRIu64 ", detached: %" PRIu64 ", copied: %" PRIu64
           ", turns with few buffers: %" PRIu64 ", refused for want of them: %" PRIu64 ", errors: %" PRIu64 "\n",
           totals.finished, totals.retained, totals.detached, totals.copied, totals.low, totals.drop_pressure,
           totals.errors);
    printf("soak: seconds=%" PRIu64 " connections=%" PRIu64 " opened=%" PRIu64 " bytes=%" PRIu64 " kept_max=%" PRIu64
           " stale=%" PRIu64 " leaks=%" PRIu64 "\n", (now_ms() - began) / 1000, o.connections, totals.opened,
           totals.bytes, totals.kept_max, totals.stale, totals.leaks);
    return totals.stale || totals.errors || totals.leaks ? 1 : 0;
}

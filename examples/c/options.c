/* options.c - the command line: one table for getopt_long, for the help and for the checks. */
#include "common.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { EX_OPTIONS = 48, EX_OPTIONS_BYTES = 16384 };

void ex_usage(const struct ex_config *cfg, const char *option, const char *value, const char *remedy)
{
    fprintf(stderr, "%s: --%s%s%s: %s\n", cfg->program, option, value ? " " : "", value ? value : "", remedy);
    exit(2);
}

static void help(const struct ex_config *cfg, const struct ex_option *const *all, uint32_t n)
{
    char left[64];
    uint32_t i;
    printf("%s: %s\n\n", cfg->program, cfg->about);
    for (i = 0; i < n; i++) {
        snprintf(left, sizeof left, "--%s%s%s", all[i]->name, all[i]->value ? " " : "",
                 all[i]->value ? all[i]->value : "");
        printf("  %-24s %s\n", left, all[i]->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
}

static void number(const struct ex_config *cfg, const struct ex_option *o, const char *text)
{
    char remedy[80];
    char *end;
    unsigned long long value;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || value < o->min || value > o->max) {
        snprintf(remedy, sizeof remedy, "give a number from %llu to %llu", (unsigned long long)o->min,
                 (unsigned long long)o->max);
        ex_usage(cfg, o->name, text, remedy);
    }
    *(uint64_t *)o->to = value;
}

static void seconds(const struct ex_config *cfg, const struct ex_option *o, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || text[strspn(text, "0123456789.eE+-")] || !(value >= 0 && value < 1e9))
        ex_usage(cfg, o->name, text, "give seconds, for example 2.5");
    *(double *)o->to = value;
}

/* Values that add up live here, as long as the process. */
static void list(const struct ex_config *cfg, const struct ex_option *o, const char *text)
{
    static char memory[EX_OPTIONS_BYTES];
    static size_t used;
    char **to = o->to;
    int n = snprintf(memory + used, sizeof memory - used, "%s%s%s%s", *to ? *to : "", *to ? o->join : "",
                     o->each ? o->each : "", text);
    if (!*text || n < 0 || (size_t)n >= sizeof memory - used)
        ex_usage(cfg, o->name, text, *text ? "there are too many of them" : "is empty; see --help");
    *to = memory + used;
    used += (size_t)n + 1;
}

static void store(const struct ex_config *cfg, const struct ex_option *o, const char *text)
{
    switch (o->type) {
    case EX_FLAG:
        *(int *)o->to = 1;
        break;
    case EX_TEXT:
        *(const char **)o->to = text;
        break;
    case EX_LIST:
        list(cfg, o, text);
        break;
    case EX_NUMBER:
        number(cfg, o, text);
        break;
    default:
        seconds(cfg, o, text);
    }
}

static uint32_t gather(const struct ex_option **all, struct option *getopts, uint32_t n, const struct ex_option *some)
{
    for (; some && some->type != EX_END && n < EX_OPTIONS; some++, n++) {
        all[n] = some;
        getopts[n].name = some->name;
        getopts[n].has_arg = some->type == EX_FLAG ? no_argument : required_argument;
        getopts[n].val = (int)n + 256;
    }
    return n;
}

static void wrong(const struct ex_config *cfg, const char *word, const char *what)
{
    fprintf(stderr, "%s: %s: %s; --help lists what there is\n", cfg->program, word, what);
    exit(2);
}

/* Names are taken whole: getopt_long would take the beginning of one, too, and "-hx" for "-h". */
static int is_option(const struct option *getopts, const char *word)
{
    size_t n;
    if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0 || strcmp(word, "-h") == 0)
        return 1; /* or none at all, which is said later */
    if (word[1] != '-')
        return 0;
    n = strcspn(word + 2, "=");
    for (; getopts->name; getopts++) {
        if (strlen(getopts->name) == n && strncmp(getopts->name, word + 2, n) == 0)
            return 1;
    }
    return 0;
}

static void parse(const struct ex_config *cfg, const struct ex_option *const *all, uint32_t n, struct option *getopts,
                  int argc, char **argv)
{
    const char *word;
    int c;
    getopts[n].name = "help";
    getopts[n].val = 'h';
    opterr = 0;
    while ((word = argv[optind]) != NULL) {
        if (!is_option(getopts, word))
            wrong(cfg, word, "no such option");
        c = getopt_long(argc, argv, "+:h", getopts, NULL);
        if (c == -1)
            break;
        if (c == 'h') {
            help(cfg, all, n);
            exit(0);
        }
        if (c == ':' || c == '?')
            wrong(cfg, word, c == ':' ? "needs a value" : "takes no value");
        store(cfg, all[c - 256], optarg);
    }
    if (optind < argc)
        wrong(cfg, argv[optind], "unexpected");
}

static uint32_t model(const struct ex_config *cfg)
{
    static const char *const names[] = {"unified", "split", "merge"};
    uint32_t i;
    for (i = 0; cfg->model && i < 3; i++) {
        if (strcmp(cfg->model, names[i]) == 0)
            return i; /* IIP_CORES_UNIFIED, _SPLIT, _MERGE */
    }
    if (cfg->model)
        ex_usage(cfg, "model", cfg->model, "give unified, split or merge");
    return IIP_CORES_UNIFIED;
}

static void check(struct ex_config *cfg)
{
    cfg->cores = model(cfg);
    if (cfg->tunables && !strchr(cfg->tunables, '='))
        ex_usage(cfg, "set", cfg->tunables, "give name=value, for example tcp.mss=1400");
    if (cfg->pcap && !*cfg->pcap)
        ex_usage(cfg, "pcap", cfg->pcap, "is empty; name a file");
}

void ex_options(struct ex_config *cfg, const struct ex_option *own, int argc, char **argv)
{
    const struct ex_option common[] = {
        {EX_TEXT, "port", "STRING", &cfg->port, "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)", 0, 0, 0, 0},
        {EX_LIST, "addr", "A/PLEN", &cfg->addresses, "our own address; repeatable", 0, 0, " ", 0},
        {EX_LIST, "gateway", "G", &cfg->routes, "default gateway; repeatable (IPv4, IPv6)", 0, 0, ", ", "default via "},
        {EX_NUMBER, "listen", "PORT", &cfg->listen, "port that is served", 1, 65535, 0, 0},
        {EX_TEXT, "pcap", "FILE", &cfg->pcap, "record all packets", 0, 0, 0, 0},
        {EX_LIST, "set", "NAME=VALUE", &cfg->tunables, "a tunable of the stack; repeatable", 0, 0, ",", 0},
        {EX_TEXT, "stats-json", "FILE", &cfg->stats_json, "statistics, at the end and on SIGUSR1", 0, 0, 0, 0},
        {EX_SECONDS, "duration", "S", &cfg->duration_s, "end after S seconds", 0, 0, 0, 0},
        {EX_NUMBER, "loops", "N", &cfg->loops, "loops, one thread each (also --threads)", 1, 64, 0, 0},
        {EX_TEXT, "model", "MODEL", &cfg->model, "unified; split, merge: networking in a thread of its own", 0, 0, 0, 0},
        {EX_NUMBER, "threads", "N", &cfg->loops, "the same as --loops", 1, 64, 0, 0},
        {EX_END, 0, 0, 0, 0, 0, 0, 0, 0}};
    const struct ex_option *all[EX_OPTIONS];
    struct option getopts[EX_OPTIONS + 2];
    uint32_t n;
    memset(getopts, 0, sizeof getopts);
    n = gather(all, getopts, 0, common);
    n = gather(all, getopts, n, own);
    parse(cfg, all, n, getopts, argc, argv);
    check(cfg);
}

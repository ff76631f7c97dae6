/*
 * run.c - runs scenario scripts: packets in, packets out, a virtual clock. README.md describes the language.
 *
 *     scenario [-v] FILE.scn...
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scn.h"

void scn_fail(struct run *r, const char *format, ...)
{
    va_list ap;
    printf("%s:%d: %s\n", r->file, r->line, r->text);
    if (r->title[0])
        printf("    in        == %s\n", r->title);
    printf("    problem   ");
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    printf("\n");
    longjmp(r->fail, 1);
}

int64_t scn_number(struct run *r, const char *word)
{
    char *end;
    long long n = word ? strtoll(word, &end, 0) : 0;
    if (!word || end == word || *end)
        scn_fail(r, "%s: a number is wanted", word ? word : "(nothing)");
    return n;
}

/* 40ms, 1.5s, 200us, 2h, 1d */
int64_t scn_time(struct run *r, const char *word)
{
    static const struct { const char *unit; double us; } units[] = {
        { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 }, { "m", 6e7 }, { "h", 3.6e9 }, { "d", 8.64e10 },
    };
    char *end;
    double n = strtod(word, &end);
    size_t i;
    for (i = 0; i < 6; i++)
        if (!strcmp(units[i].unit, end) && end != word)
            return (int64_t)(n * units[i].us + 0.5);
    scn_fail(r, "%s: a time is wanted, e.g. 40ms, 1.5s, 200us", word);
}

static void inject(struct run *r, const char *text, int more)
{
    static uint8_t packet[72000];
    struct seg_text t;
    uint32_t len;
    world_need(r);
    text_parse(r, r->flow, text, 1, &t);
    len = text_build(r, r->flow, &t, packet, sizeof(packet));
    world_input(r, packet, len, more, t.bcast);
}

static void differ(struct run *r, const struct segment *got, const char *text, const char *what)
{
    char have[512];
    text_print(r, r->flow, got, 1, have, sizeof(have));
    scn_fail(r, "%s\n    expected  %s\n    got       %s", what, text, have);
}

static void expect(struct run *r, const char *text)
{
    static uint8_t packet[72000];
    struct seg_text want;
    struct segment got;
    const char *error;
    struct sent *s;
    world_need(r);
    text_parse(r, r->flow, text, 0, &want);
    s = world_take(r, r->flow);
    if (!s) {
        world_quiet(r);
        scn_fail(r, "nothing was sent");
    }
    memcpy(packet, s->bytes, s->len);
    error = segment_decode(&got, packet, s->len);
    free(s);
    text_learn(r->flow, &got);
    if (r->verbose) {
        char have[512];
        text_print(r, r->flow, &got, 1, have, sizeof(have));
        printf("%10.6f > %s\n", (double)r->now / 1e6, have);
    }
    if (error)
        differ(r, &got, text, error);
    error = text_compare(r, r->flow, &want, &got);
    if (error)
        differ(r, &got, text, error);
}

/* One command; what stands between semicolons happens before the stack may answer. */
static void command(struct run *r, char *text)
{
    char copy[1024], *words[MAX_WORDS], *at, *save = NULL;
    int n = 0;
    text += strspn(text, " \t");
    if (text[0] == '<' || text[0] == '>') {
        int in = text[0] == '<', more = in && text[1] == '+';
        text += 1 + more;
        text += strspn(text, " ");
        snprintf(copy, sizeof(copy), "%s", text);
        for (at = strtok_r(copy, " ", &save); at && n < MAX_WORDS; at = strtok_r(NULL, " ", &save))
            words[n++] = at;
        if (n && (!strcmp(words[0], "icmp") || !strcmp(words[0], "udp") || !strcmp(words[0], "raw"))) {
            world_need(r);
            (in ? other_inject : other_expect)(r, words, n);
            return;
        }
        if (in)
            inject(r, text, more);
        else
            expect(r, text);
        return;
    }
    snprintf(copy, sizeof(copy), "%s", text);
    for (at = strtok_r(copy, " ", &save); at && n < MAX_WORDS; at = strtok_r(NULL, " ", &save))
        words[n++] = at;
    if (n && !op_run(r, words, n, text))
        scn_fail(r, "%s: no such command", words[0]);
}

/* +40ms or +1s..2s: waits, and stops at the first packet when the line expects one. */
static void wait_for(struct run *r, const char *word, int expects)
{
    char low[32];
    const char *dots = strstr(word, "..");
    int64_t from, to;
    snprintf(low, sizeof(low), "%.*s", (int)(dots ? dots - word : (int)strlen(word)), word);
    from = scn_time(r, low);
    to = dots ? scn_time(r, dots + 2) : from;
    world_need(r);
    r->mark = r->now;
    if (expects < 0) { /* +1s drain */
        while (op_run(r, (char *[]){"drain"}, 1, ""), r->now < r->mark + (uint64_t)to)
            world_until(r, r->mark + (uint64_t)to);
        world_settle(r);
        return;
    }
    if (!expects) {
        world_advance(r, r->mark + (uint64_t)to);
        return;
    }
    world_quiet(r);
    world_until(r, r->mark + (uint64_t)to);
    if (r->first && r->now < r->mark + (uint64_t)from)
        scn_fail(r, "it was sent after %.6f s, not %s", (double)(r->now - r->mark) / 1e6, word);
    world_settle(r);
}

static void end_section(struct run *r)
{
    world_quiet(r);
    op_run(r, (char *[]){"end"}, 1, "");
    world_end(r);
}

static void new_section(struct run *r, const char *title)
{
    int before = r->sections++;
    if (before && r->stk)
        end_section(r);
    snprintf(r->title, sizeof(r->title), "%s", title);
    world_reset(r);
}

void scn_line(struct run *r, const char *line)
{
    char copy[1024], *at = copy, *word, *semi;
    const char *hash;
    size_t n;
    snprintf(copy, sizeof(copy), "%s", line);
    hash = strchr(copy, '#');
    copy[hash ? (size_t)(hash - copy) : strcspn(copy, "\r\n")] = 0;
    for (n = strlen(copy); n && (copy[n - 1] == ' ' || copy[n - 1] == '\t' || copy[n - 1] == '\n'); n--)
        copy[n - 1] = 0;
    at += strspn(at, " \t");
    if (!*at)
        return;
    if (!strncmp(at, "==", 2)) {
        new_section(r, at + 2 + strspn(at + 2, " "));
        return;
    }
    if (r->verbose)
        printf("%10.6f   %s\n", (double)r->now / 1e6, at);
    if (*at == '+') {
        word = at + 1;
        at += strcspn(at, " \t");
        if (*at)
            *at++ = 0;
        at += strspn(at, " \t");
        semi = strchr(at, ':');
        wait_for(r, word,
                 !strcmp(at, "drain") ? -1 : *at == '>' || (semi && semi[1] == ' ' && strstr(semi, " >") == semi + 1));
        if (!*at)
            return;
    }
    r->flow = world_flow(r, "A", 1);
    n = strcspn(at, ": ");
    if (at[n] == ':' && (at[n + 1] == ' ')) {
        at[n] = 0;
        r->flow = world_flow(r, at, 0);
        at += n + 2;
    }
    while ((semi = strstr(at, " ; ")) != NULL) {
        *semi = 0;
        if (at[0] == '<')
            world_quiet(r);
        command(r, at);
        at = semi + 3;
    }
    if (at[0] == '<' && !r->burst_count)
        world_quiet(r);
    command(r, at);
    if (!r->burst_count)
        world_settle(r);
}

static int run_file(const char *file, int verbose)
{
    static struct run run;
    struct run *r = &run;
    static char line[1024];
    volatile int failed = 0, skip = 0;
    FILE *in = fopen(file, "r");
    if (!in) {
        printf("%s: cannot be read\n", file);
        return 1;
    }
    memset(r, 0, sizeof(*r));
    r->file = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    r->verbose = verbose;
    r->text = "";
    world_reset(r);
    if (setjmp(r->fail)) { /* the section has failed: on with the next */
        failed++;
        skip = 1;
        world_drop(r);
    }
    while (fgets(line, sizeof(line), in)) {
        r->line++;
        line[strcspn(line, "\n")] = 0;
        r->text = line;
        if (!strncmp(line, "==", 2))
            skip = 0;
        if (!skip)
            scn_line(r, line);
    }
    if (!skip) {
        skip = 1;
        r->text = "(end)";
        end_section(r);
    }
    fclose(in);
    return failed;
}

int main(int argc, char **argv)
{
    int verbose = 0, failed = 0, count = 0, i;
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-v")) {
            verbose = 1;
            continue;
        }
        count++;
        failed += run_file(argv[i], verbose);
    }
    printf("%d scripts, %d sections failed\n", count, failed);
    fflush(stdout);
    if (failed)
        _exit(1); /* what a failed section still holds is no leak worth a report */
    return !count;
}

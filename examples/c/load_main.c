/* load_main.c - iip_load: the command line. */
#include "load.h"

#include <string.h>

struct load_flags {
    const char *connect, *mode, *path;
    int serve, self, json;
};

static struct load_plan *load_self_plan; /* for the report, which is called with engines only */
static int load_self_json;

static void self_report(struct ex_run *server, struct ex_run *client)
{
    (void)server;
    load_report(load_self_plan, client, load_self_json);
}

static int mode_of(const struct ex_config *cfg, const char *text)
{
    static const char *const names[] = {"pp", "send", "recv", "http"};
    int i;
    for (i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    ex_usage(cfg, "mode", text, "give pp, send, recv or http");
    return 0;
}

static void check(struct ex_config *cfg, struct load_plan *plan, const struct load_flags *f)
{
    plan->mode = mode_of(cfg, f->mode);
    if (f->serve && plan->mode == LOAD_HTTP)
        ex_usage(cfg, "mode", f->mode, "is what iip_http serves");
    if (f->self && plan->mode == LOAD_HTTP)
        ex_usage(cfg, "mode", f->mode, "with a server in the same process is `iip_http --self-test`");
    if (!f->serve && !f->self) {
        if (!f->connect)
            ex_usage(cfg, "connect", NULL, "missing; give the server as ADDRESS:PORT, or --serve, or --self");
        if (iip_addr_parse(f->connect, &plan->peer) < 0 || !plan->peer.port || !plan->peer.family)
            ex_usage(cfg, "connect", f->connect, "give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7");
    }
    if (plan->mode == LOAD_HTTP && load_http_request(plan, f->path) < 0)
        ex_usage(cfg, "path", f->path, "give a path without blanks, up to 400 bytes, for example /bytes/1000");
    plan->duration_s = cfg->duration_s;
    if (!f->serve && plan->duration_s <= 0 && !plan->count && (plan->mode == LOAD_PP || plan->mode == LOAD_HTTP))
        plan->count = 10000;
    if (!f->serve && plan->duration_s <= 0 && !plan->bytes)
        plan->bytes = 100000000;
}

static int self(struct ex_config *cfg, struct load_plan *plan, int json)
{
    struct ex_config server_cfg;
    struct ex_run server = {.cfg = &server_cfg, .worker = load_serve_loop, .user = plan, .count_names = load_counts};
    struct ex_run client = {.cfg = cfg, .worker = load_loop, .user = plan, .count_names = load_counts};
    load_two_ends(&server_cfg, cfg, &plan->peer);
    load_self_plan = plan;
    load_self_json = json;
    return load_both(&server, &client, self_report);
}

static int client(struct ex_config *cfg, struct load_plan *plan, int json)
{
    struct ex_run run = {.cfg = cfg, .worker = load_loop, .user = plan, .count_names = load_counts};
    int failed;
    cfg->listen = 0;
    cfg->duration_s = 0; /* the loops end in order by themselves */
    ex_signals();
    failed = ex_run_begin(&run);
    if (failed)
        return failed;
    failed = ex_run_wait(&run);
    ex_run_stop(&run);
    load_report(plan, &run, json);
    return ex_run_end(&run) || failed || plan->sum.errors || plan->sum.mismatches;
}

int main(int argc, char **argv)
{
    struct load_plan plan;
    struct load_flags f = {.mode = "pp", .path = "/bytes/1000"};
    struct ex_config cfg = {.program = "iip_load", .about = "a load generator that verifies every byte", .listen = 7};
    const struct ex_option own[] = {
        {EX_TEXT, "connect", "A:PORT", &f.connect, "the server", 0, 0, 0, 0},
        {EX_TEXT, "mode", "MODE", &f.mode, "pp: messages that an echo server returns; send, recv: bulk; http", 0, 0, 0, 0},
        {EX_NUMBER, "conns", "N", &plan.conns, "connections (1)", 1, 1000000, 0, 0},
        {EX_NUMBER, "size", "BYTES", &plan.size, "pp: of a message (1)", 1, 1 << 24, 0, 0},
        {EX_NUMBER, "depth", "N", &plan.depth, "pp, http: messages on their way per connection (1)", 1, LOAD_DEPTH_MAX, 0, 0},
        {EX_NUMBER, "count", "N", &plan.count, "messages in all (10000 without --duration)", 1, UINT64_MAX, 0, 0},
        {EX_NUMBER, "bytes", "N", &plan.bytes, "send, recv: per connection (10^8 without --duration)", 1, 1ull << 50, 0, 0},
        {EX_TEXT, "path", "PATH", &f.path, "http: what to get (/bytes/1000)", 0, 0, 0, 0},
        {EX_FLAG, "serve", NULL, &f.serve, "be the server of this mode on --listen", 0, 0, 0, 0},
        {EX_FLAG, "self", NULL, &f.self, "be both, on a pair: or sim: port", 0, 0, 0, 0},
        {EX_FLAG, "json", NULL, &f.json, "no table, only the last line", 0, 0, 0, 0},
        {EX_END, 0, 0, 0, 0, 0, 0, 0, 0}};
    load_plan_init(&plan);
    ex_options(&cfg, own, argc, argv);
    check(&cfg, &plan, &f);
    if (f.self)
        return self(&cfg, &plan, f.json);
    if (f.serve) {
        struct ex_run run = {.cfg = &cfg, .worker = load_serve_loop, .user = &plan, .count_names = load_counts};
        return ex_main(&run);
    }
    return client(&cfg, &plan, f.json);
}

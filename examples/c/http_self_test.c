/* http_self_test.c - the server and a client of ours in one process: what can be shown where there is no network. */
#include "http.h"
#include "load.h"

#include <string.h>

static struct load_plan http_plan;

static void report(struct ex_run *server, struct ex_run *client)
{
    const struct load_result *r = &http_plan.sum;
    char address[64], drops[512];
    iip_addr_format(&http_plan.peer, address, sizeof address);
    ex_drops(server, drops, sizeof drops);
    printf("port          %s\n", server->cfg->port);
    printf("address       %s\n", address);
    printf("requests      %llu in %.3f s, %.0f/s\n", (unsigned long long)r->requests, http_plan.seconds,
           (double)r->requests / (http_plan.seconds > 0 ? http_plan.seconds : 1));
    printf("verified      %llu bytes, %llu mismatches, %llu errors\n", (unsigned long long)r->bytes,
           (unsigned long long)r->mismatches, (unsigned long long)r->errors);
    printf("retransmits   %llu\n",
           (unsigned long long)(ex_counter(server, "tcp_retrans") + ex_counter(client, "tcp_retrans")));
    printf("dropped       %s\n", drops);
    fflush(stdout);
}

int http_self_test(struct ex_config *cfg, struct http_site *site, uint64_t requests)
{
    struct ex_config server_cfg;
    struct ex_run server = {.cfg = &server_cfg, .worker = http_loop, .user = site, .count_names = http_counts};
    struct ex_run client = {.cfg = cfg, .worker = load_loop, .user = &http_plan, .count_names = load_counts};
    double duration_s = cfg->duration_s;
    load_plan_init(&http_plan);
    load_two_ends(&server_cfg, cfg, &http_plan.peer);
    http_plan.mode = LOAD_HTTP;
    http_plan.conns = requests < 4 ? requests : 4;
    http_plan.depth = 4;
    http_plan.count = duration_s > 0 ? 0 : requests;
    http_plan.duration_s = duration_s;
    load_http_request(&http_plan, "/bytes/10000");
    return load_both(&server, &client, report);
}

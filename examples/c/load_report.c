/* load_report.c - the result for people and for programs; and how two engines share one in-memory port. */
#include "load.h"

#include <string.h>

static double us(const struct load_result *r, double part)
{
    return (double)hist_at(&r->latency, part) / 1e3;
}

static void table(const struct load_plan *plan, struct ex_run *run)
{
    const struct load_result *r = &plan->sum;
    char drops[512];
    ex_drops(run, drops, sizeof drops);
    printf("port          %s\n", run->cfg->port);
    printf("connections   %llu\n", (unsigned long long)plan->conns);
    printf("requests      %llu in %.3f s, %.0f/s\n", (unsigned long long)r->requests, plan->seconds,
           (double)r->requests / plan->seconds);
    printf("payload       %llu bytes, %.3f Gbit/s\n", (unsigned long long)r->bytes,
           (double)r->bytes * 8 / plan->seconds / 1e9);
    if (r->latency.n)
        printf("latency [us]  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n", us(r, .5), us(r, .9), us(r, .99),
               us(r, .999), (double)r->latency.max / 1e3);
    printf("errors        %llu, mismatches %llu\n", (unsigned long long)r->errors, (unsigned long long)r->mismatches);
    printf("retransmits   %llu\n", (unsigned long long)ex_counter(run, "tcp_retrans"));
    printf("dropped       %s\n", drops);
}

void load_report(struct load_plan *plan, struct ex_run *run, int json_only)
{
    const struct load_result *r = &plan->sum;
    if (plan->seconds <= 0)
        plan->seconds = 1e-9;
    if (!json_only)
        table(plan, run);
    printf("{\"requests\": %llu, \"requests_per_s\": %.1f, \"bytes\": %llu, \"bytes_per_s\": %.1f, \"seconds\": %.6f, "
           "\"errors\": %llu, \"mismatches\": %llu, \"p50_us\": %.3f, \"p90_us\": %.3f, \"p99_us\": %.3f, "
           "\"p999_us\": %.3f, \"max_us\": %.3f, \"retransmits\": %llu}\n",
           (unsigned long long)r->requests, (double)r->requests / plan->seconds, (unsigned long long)r->bytes,
           (double)r->bytes / plan->seconds, plan->seconds, (unsigned long long)r->errors,
           (unsigned long long)r->mismatches, us(r, .5), us(r, .9), us(r, .99), us(r, .999),
           (double)r->latency.max / 1e3, (unsigned long long)ex_counter(run, "tcp_retrans"));
    fflush(stdout);
}

void load_two_ends(struct ex_config *server, struct ex_config *client, struct iip_addr *peer)
{
    static char server_addresses[] = "10.9.0.1/24 fd09::1/64";
    static char client_addresses[] = "10.9.0.2/24 fd09::2/64";
    static char client_stats[512];
    if (!client->port)
        client->port = "pair:self-test";
    if (strncmp(client->port, "pair:", 5) != 0 && strncmp(client->port, "sim:", 4) != 0)
        ex_usage(client, "port", client->port, "has one end; for --self and --self-test give pair:NAME or sim:NAME");
    *server = *client;
    server->addresses = server_addresses;
    client->addresses = client_addresses;
    client->listen = 0;
    server->duration_s = client->duration_s = 0;
    client->pcap = NULL; /* the server's record has all packets too */
    if (client->stats_json) {
        snprintf(client_stats, sizeof client_stats, "%s.client", client->stats_json);
        client->stats_json = client_stats;
    }
    iip_addr_parse("10.9.0.1", peer);
    peer->port = (uint16_t)server->listen;
}

int load_both(struct ex_run *server, struct ex_run *client,
              void (*report)(struct ex_run *server, struct ex_run *client))
{
    const struct load_plan *plan = client->user;
    int failed;
    ex_signals();
    failed = ex_run_begin(server);
    if (failed)
        return failed;
    failed = ex_run_begin(client);
    if (failed)
        return failed;
    failed = ex_run_wait(client);
    ex_run_stop(client);
    ex_run_stop(server);
    report(server, client);
    failed |= ex_run_end(client);
    failed |= ex_run_end(server);
    return failed || plan->sum.errors || plan->sum.mismatches ? 1 : 0;
}

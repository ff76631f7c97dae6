/*
 * row_mem.c - bytes of memory for each connection that does nothing: what iip_stack_mem_used grows by, so the
 * connection, its place in the hash table and in the timer wheel. The handle slot of the SDK is not the stack's; the
 * SDK's own row has it.
 */
#include "rows.h"

enum { MEM_DEFAULT = 100000 };

static struct pair pair;

static uint32_t mem_units(const struct bench_args *args)
{
    return args->units ? args->units : MEM_DEFAULT;
}

static double mem_grown(const struct pair_end *end, uint64_t before, uint32_t n)
{
    return (double)(iip_stack_mem_used(end->stk) - before) / n;
}

void row_mem_idle(const struct bench_args *args)
{
    uint32_t n = mem_units(args);
    uint64_t client, server;
    pair_open(&pair, args);
    rows_listen(&pair);
    client = iip_stack_mem_used(pair.client.stk);
    server = iip_stack_mem_used(pair.server.stk);
    bench_start();
    rows_establish(&pair, n, 0);
    bench_stop(n);
    bench_note("bytes", mem_grown(&pair.server, server, n));
    bench_note("bytes_client", mem_grown(&pair.client, client, n));
    pair_close(&pair);
}

/* Half-open: the answers of the server are lost. The virtual clock stands still, so nothing is sent again. */
void row_mem_half_open(const struct bench_args *args)
{
    uint32_t n = mem_units(args);
    uint64_t before, cookies;
    uint32_t i;
    pair_open(&pair, args);
    pair_set(&pair, "tcp.half_open_max", n + 1);
    rows_listen(&pair);
    pair.client.lose = 1;
    before = iip_stack_mem_used(pair.server.stk);
    bench_start();
    for (i = 0; i < n; i++) {
        rows_connect(&pair, i, 0);
        if (i % 32 != 31 && i != n - 1)
            continue;
        pair_out(&pair, &pair.client);
        while (pair_in(&pair, &pair.server))
            pair_out(&pair, &pair.server);
    }
    bench_stop(n);
    cookies = pair_counter(&pair.server, "tcp_cookies_sent");
    if (cookies)
        bench_fail("%llu of %u SYNs were answered with cookies", (unsigned long long)cookies, n);
    bench_note("bytes", mem_grown(&pair.server, before, n));
    pair_close(&pair);
}

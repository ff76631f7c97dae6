/* rows.c - the program: which rows there are, and how connections are opened for them. */
#include "rows.h"

#include <string.h>

static const char rows_usage[] =
    "rows: pingpong  [--conns N] [--idle N] [--offload 1]   1-byte requests and replies\n"
    "      bulk      [--offload 1]                          MB in full segments, one connection\n"
    "      queue     [--depth N] [--inflight 1]             packets, N of them always waiting to be sent\n"
    "      churn     [--waiting N] [--offload 1]            connect, accept, close, closed; N in TIME-WAIT\n"
    "      mem_idle | mem_time_wait | mem_half_open         bytes of --units connections\n"
    "      csum                                             the Internet checksum of 1,460 bytes\n"
    "flags: --addrs N: addresses of the client; --units N: count at least so many; --reps N: measure the region so often; --trace 1: packets to stderr\n";

struct iip_tcp_listener *rows_listen(struct pair *pair)
{
    struct iip_endpoint at = pair_server_addr();
    struct iip_tcp_listener *lis;
    int status = iip_tcp_listen(pair->server.stk, &at, 4096, 0, &lis);
    if (status)
        bench_fail("listen: %d", status);
    return lis;
}

struct iip_tcp_conn *rows_connect(struct pair *pair, uint32_t i, void *user)
{
    struct iip_endpoint from = pair_client_addr(i % pair->addrs);
    struct iip_endpoint to = pair_server_addr();
    struct iip_tcp_conn *conn;
    int status = iip_tcp_connect(pair->client.stk, &from, &to, user, &conn);
    if (status)
        bench_fail("connect %u: %d", i, status);
    return conn;
}

static uint32_t rows_opened(struct pair *pair, struct pair_end *end, uint16_t type)
{
    uint32_t opened = 0;
    uint32_t i, n;
    pair_in(pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            if (end->notes[i].type != type)
                bench_fail("note %u with status %d while connecting", end->notes[i].type, end->notes[i].status);
            opened++;
        }
    } while (n == PAIR_NOTES);
    pair_out(pair, end);
    return opened;
}

void rows_establish(struct pair *pair, uint32_t n, struct iip_tcp_conn **users)
{
    uint32_t done = 0;
    while (done < n) {
        uint32_t batch = n - done < 32 ? n - done : 32;
        uint32_t connected = 0;
        uint32_t accepted = 0;
        uint32_t i, turns;
        for (i = 0; i < batch; i++) {
            struct iip_tcp_conn *conn = rows_connect(pair, done + i, users ? &users[done + i] : 0);
            if (users)
                users[done + i] = conn;
        }
        pair_out(pair, &pair->client);
        for (turns = 0; turns < 16 && (connected < batch || accepted < batch); turns++) {
            pair_tick(pair, PAIR_HOP_US);
            accepted += rows_opened(pair, &pair->server, IIP_NOTE_ACCEPT);
            connected += rows_opened(pair, &pair->client, IIP_NOTE_CONNECTED);
        }
        if (connected < batch || accepted < batch)
            bench_fail("%u of %u connected, %u accepted after %u turns", connected, batch, accepted, turns);
        done += batch;
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct bench_args *args);
    } rows[] = {
        {"pingpong", row_pingpong},
        {"bulk", row_bulk},
        {"queue", row_queue},
        {"churn", row_churn},
        {"mem_idle", row_mem_idle},
        {"mem_time_wait", row_mem_time_wait},
        {"mem_half_open", row_mem_half_open},
        {"csum", row_csum},
    };
    struct bench_args args;
    uint32_t i;
    bench_args_parse(&args, argc, argv, rows_usage);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!strcmp(rows[i].name, args.row)) {
            rows[i].run(&args);
            bench_report(&args);
            return 0;
        }
    }
    bench_fail("%s: no such row; --help lists them", args.row);
}

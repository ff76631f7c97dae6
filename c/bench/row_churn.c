/*
 * row_churn.c - connections that live and die: connect, accept, close by the client, close by the server, closed.
 *
 * The client's ends pile up in TIME-WAIT. Time passes between batches at such a rate that `waiting` of them stand there
 * when as many expire as enter, so that a unit is a whole life, its end included.
 */
#include "rows.h"

enum { CHURN_BATCH = 32, CHURN_TURNS = 16, CHURN_TIME_WAIT_US = 60000000 };

struct churn {
    struct pair pair;
    uint32_t opened; /* number of the next connection: picks its address */
    uint32_t client_closed, server_closed;
};

static struct churn churn;

static void churn_client(struct churn *c)
{
    struct pair_end *end = &c->pair.client;
    uint32_t i, n;
    pair_in(&c->pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            const struct iip_note *note = &end->notes[i];
            if (note->type == IIP_NOTE_CONNECTED)
                iip_tcp_close(end->stk, note->conn);
            else if (note->type == IIP_NOTE_CLOSED && note->status == IIP_OK)
                c->client_closed++;
            else if (note->type != IIP_NOTE_FIN)
                bench_fail("note %u, status %d at the client", note->type, note->status);
        }
    } while (n == PAIR_NOTES);
    pair_out(&c->pair, end);
}

static void churn_server(struct churn *c)
{
    struct pair_end *end = &c->pair.server;
    uint32_t i, n;
    pair_in(&c->pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            const struct iip_note *note = &end->notes[i];
            if (note->type == IIP_NOTE_FIN)
                iip_tcp_close(end->stk, note->conn);
            else if (note->type == IIP_NOTE_CLOSED && note->status == IIP_OK)
                c->server_closed++;
            else if (note->type != IIP_NOTE_ACCEPT)
                bench_fail("note %u, status %d at the server", note->type, note->status);
        }
    } while (n); /* what a new connection has to say comes in the call after its ACCEPT */
    pair_out(&c->pair, end);
}

static void churn_batch(struct churn *c, uint64_t pause_us)
{
    uint32_t i;
    c->client_closed = 0;
    c->server_closed = 0;
    for (i = 0; i < CHURN_BATCH; i++)
        rows_connect(&c->pair, c->opened++, 0);
    pair_out(&c->pair, &c->pair.client);
    for (i = 0; i < CHURN_TURNS && (c->client_closed < CHURN_BATCH || c->server_closed < CHURN_BATCH); i++) {
        pair_tick(&c->pair, PAIR_HOP_US);
        churn_server(c);
        pair_tick(&c->pair, PAIR_HOP_US);
        churn_client(c);
    }
    if (c->client_closed != CHURN_BATCH || c->server_closed != CHURN_BATCH)
        bench_fail("%u and %u of %u connections closed", c->client_closed, c->server_closed, CHURN_BATCH);
    pair_tick(&c->pair, pause_us);
}

static uint64_t churn_run(struct churn *c, uint64_t units, uint64_t pause_us)
{
    uint64_t done;
    for (done = 0; done < units; done += CHURN_BATCH)
        churn_batch(c, pause_us);
    return done;
}

void row_churn(const struct bench_args *args)
{
    uint64_t units = args->units ? args->units : 1600;
    uint64_t batch_us = (uint64_t)CHURN_TIME_WAIT_US * CHURN_BATCH / args->waiting;
    uint64_t pause_us = batch_us > 60 ? batch_us - 60 : 0; /* a batch itself takes six hops */
    uint64_t closed;
    uint32_t i;
    pair_open(&churn.pair, args);
    pair_set(&churn.pair, "tcp.msl_us", CHURN_TIME_WAIT_US / 2);
    rows_listen(&churn.pair);
    churn_run(&churn, args->waiting + args->waiting / 20 + 640, pause_us);
    for (i = 0; i < args->reps; i++) {
        uint64_t packets = churn.pair.server.packets + churn.pair.client.packets;
        uint64_t done;
        bench_start();
        done = churn_run(&churn, units, pause_us);
        bench_stop((double)done);
        packets = churn.pair.server.packets + churn.pair.client.packets - packets;
        if (!i)
            bench_note("packets_per_unit", (double)packets / (double)done);
    }
    closed = pair_counter(&churn.pair.client, "tcp_time_wait_reused");
    bench_note("time_wait_reused", (double)closed);
    bench_note("mem_client", (double)iip_stack_mem_used(churn.pair.client.stk));
    pair_close(&churn.pair);
}

/* Bytes of a connection in TIME-WAIT: as many as were asked for, none of them expired. */
void row_mem_time_wait(const struct bench_args *args)
{
    uint32_t n = args->units ? args->units : 100000;
    uint64_t before;
    pair_open(&churn.pair, args);
    pair_set(&churn.pair, "tcp.msl_us", 120000000);
    rows_listen(&churn.pair);
    churn_run(&churn, 640, 0); /* what live connections need is there already, and is used again */
    before = iip_stack_mem_used(churn.pair.client.stk);
    bench_start();
    n = (uint32_t)churn_run(&churn, n, 0);
    bench_stop(n);
    bench_note("bytes", (double)(iip_stack_mem_used(churn.pair.client.stk) - before) / n);
    pair_close(&churn.pair);
}

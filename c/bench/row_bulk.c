/*
 * row_bulk.c - one connection, one way, full segments. Payload is made before, and checked after, what is counted:
 * each turn first fills fresh frames, then counts one exchange, then looks at the bytes that came.
 */
#include "rows.h"

#include <string.h>

enum { BULK_BATCH = PAIR_BURST, BULK_HELD = 4096, QUEUE_WARM_MAX = 4000000 };

struct bulk {
    struct pair pair;
    struct iip_tcp_conn *conn;
    uint32_t mss;
    uint64_t made;                     /* bytes filled into packets so far */
    uint64_t checked;                  /* bytes that came and were right */
    struct iip_pkt *ready[BULK_BATCH]; /* packets filled, not yet sent; the first is ready[at] */
    uint32_t at;
    struct iip_note held[BULK_HELD];   /* DATA notes of this turn */
    uint32_t held_n;
};

static struct bulk bulk;

/* Not counted: the packets that the next exchange sends. Frames come in and out of the pool in the counted part too;
   what this saves is the writing of the bytes. */
static void bulk_make(struct bulk *b, uint32_t want)
{
    uint32_t have = BULK_BATCH - b->at;
    memmove(b->ready, b->ready + b->at, have * sizeof b->ready[0]);
    for (; have < want; have++) {
        struct iip_pkt *pkt = pair_pkt(&b->pair.client);
        bench_fill(pkt->data, b->made, b->mss);
        pkt->len = pkt->total = b->mss;
        b->made += b->mss;
        b->ready[have] = pkt;
    }
    memmove(b->ready + BULK_BATCH - have, b->ready, have * sizeof b->ready[0]);
    b->at = BULK_BATCH - have;
}

static void bulk_send(struct bulk *b, uint32_t most)
{
    struct pair_end *end = &b->pair.client;
    while (b->at < BULK_BATCH && most--) {
        struct iip_pkt *pkt = b->ready[b->at];
        uint32_t len = pkt->len;
        iip_s32 took = iip_tcp_send(end->stk, b->conn, pkt);
        if (took == IIP_E_AGAIN)
            return;
        if (took < 0)
            bench_fail("send: %d", took);
        if ((uint32_t)took < len)
            return; /* the packet now holds the rest */
        b->at++;
    }
}

static void bulk_client(struct bulk *b, uint32_t most)
{
    struct pair_end *end = &b->pair.client;
    uint32_t i, n;
    pair_in(&b->pair, end);
    while ((n = pair_notes(end)) != 0) {
        for (i = 0; i < n; i++) {
            if (end->notes[i].type != IIP_NOTE_WRITABLE)
                bench_fail("note %u, status %d at the sender", end->notes[i].type, end->notes[i].status);
        }
    }
    bulk_send(b, most);
    pair_out(&b->pair, end);
}

static void bulk_server(struct bulk *b)
{
    struct pair_end *end = &b->pair.server;
    uint32_t i, n;
    pair_in(&b->pair, end);
    do {
        n = pair_notes(end);
        for (i = 0; i < n; i++) {
            if (end->notes[i].type != IIP_NOTE_DATA || b->held_n == BULK_HELD)
                bench_fail("note %u, status %d at the receiver", end->notes[i].type, end->notes[i].status);
            b->held[b->held_n++] = end->notes[i];
        }
    } while (n == PAIR_NOTES);
}

/* Not counted: are the bytes right? */
static void bulk_look(struct bulk *b)
{
    uint32_t i;
    for (i = 0; i < b->held_n; i++) {
        const struct iip_pkt *run;
        for (run = b->held[i].pkt; run; run = run->link) {
            const struct iip_pkt *view;
            for (view = run; view; view = view->next) {
                if (!bench_check(view->data, b->checked, view->len))
                    bench_fail("wrong bytes near %llu of the stream", (unsigned long long)b->checked);
                b->checked += view->len;
            }
        }
    }
}

static void bulk_done(struct bulk *b)
{
    struct pair_end *end = &b->pair.server;
    uint32_t i;
    for (i = 0; i < b->held_n; i++)
        pair_used(end, &b->held[i]);
    b->held_n = 0;
    pair_out(&b->pair, end);
}

/* Called counting; returns counting. */
static void bulk_turn(struct bulk *b, uint32_t most)
{
    pair_tick(&b->pair, PAIR_HOP_US);
    bulk_client(b, most);
    pair_tick(&b->pair, PAIR_HOP_US);
    bulk_server(b);
    bench_pause();
    bulk_look(b);
    bulk_make(b, BULK_BATCH);
    bench_resume();
    bulk_done(b);
}

static void bulk_open(struct bulk *b, const struct bench_args *args, uint64_t sndbuf, uint64_t rcvbuf)
{
    struct iip_tcp_info info = {.size = sizeof info};
    pair_open(&b->pair, args);
    if (sndbuf)
        pair_set(&b->pair, "tcp.sndbuf", sndbuf);
    if (rcvbuf)
        pair_set(&b->pair, "tcp.rcvbuf", rcvbuf);
    rows_listen(&b->pair);
    rows_establish(&b->pair, 1, &b->conn);
    if (iip_tcp_info(b->pair.client.stk, b->conn, &info) < 0 || !info.mss)
        bench_fail("no information about the connection");
    b->mss = info.mss;
    b->at = BULK_BATCH;
    bulk_make(b, BULK_BATCH);
}

/* Moves `bytes`, counting. */
static uint64_t bulk_run(struct bulk *b, uint64_t bytes)
{
    uint64_t start = b->checked;
    uint32_t idle = 0;
    while (b->checked - start < bytes) {
        uint64_t before = b->checked;
        bulk_turn(b, BULK_BATCH);
        idle = b->checked == before ? idle + 1 : 0;
        if (idle > 100000)
            bench_fail("the stream stands still at %llu", (unsigned long long)b->checked);
    }
    return b->checked - start;
}

void row_bulk(const struct bench_args *args)
{
    uint64_t want = (uint64_t)(args->units ? args->units : 4) << 20;
    uint32_t i;
    bulk_open(&bulk, args, 0, 0);
    bulk_run(&bulk, 8u << 20); /* until the window is open */
    for (i = 0; i < args->reps; i++) {
        uint64_t packets = bulk.pair.server.packets + bulk.pair.client.packets;
        uint64_t done;
        bench_start();
        done = bulk_run(&bulk, want);
        bench_stop((double)done / (1 << 20));
        packets = bulk.pair.server.packets + bulk.pair.client.packets - packets;
        if (!i)
            bench_note("packets_per_unit", (double)packets * (1 << 20) / (double)done);
    }
    bench_note("mss", bulk.mss);
    pair_close(&bulk.pair);
}

/* ---- the same with a queue that is kept full ---- */

/* Packets that the stack has and the receiver has not. */
static uint32_t queue_now(const struct bulk *b)
{
    return (uint32_t)((b->made - b->checked) / b->mss) - (BULK_BATCH - b->at);
}

static void queue_fill(struct bulk *b, uint32_t depth)
{
    while (queue_now(b) < depth) {
        uint32_t before = queue_now(b);
        bulk_send(b, depth - before);
        bulk_make(b, BULK_BATCH);
        if (queue_now(b) == before)
            bench_fail("the send buffer takes %u packets of %u", before, depth);
    }
}

static uint64_t queue_run(struct bulk *b, uint32_t depth, uint64_t packets)
{
    uint64_t start = b->checked;
    uint32_t turns = 0;
    while ((b->checked - start) / b->mss < packets) {
        uint32_t now = queue_now(b);
        bulk_turn(b, now < depth ? depth - now : 0);
        if (++turns > 100 * (packets + 1000))
            bench_fail("the stream stands still at %llu", (unsigned long long)b->checked);
    }
    return (b->checked - start) / b->mss;
}

static uint32_t queue_inflight(const struct bulk *b)
{
    struct iip_tcp_info info = {.size = sizeof info};
    iip_tcp_info(b->pair.client.stk, b->conn, &info);
    return info.unacked / b->mss;
}

/*
 * Without --inflight the receive buffer holds 16 packets or so, and the others wait in the send queue; with it the
 * buffer holds them all, and they are on the wire. Cost is per packet that arrives.
 */
void row_queue(const struct bench_args *args)
{
    uint32_t depth = args->depth + (args->inflight ? 0 : 16);
    uint64_t packets = args->units ? args->units : 2000;
    struct iip_tcp_info info = {.size = sizeof info};
    uint32_t i;
    bulk_open(&bulk, args, 64u << 20, args->inflight ? 64u << 20 : 16 * 1460);
    queue_run(&bulk, 16, 20000);
    queue_fill(&bulk, depth);
    do
        queue_run(&bulk, depth, 2 * (uint64_t)depth);
    while (args->inflight && queue_inflight(&bulk) < depth * 15 / 16 && bulk.checked / bulk.mss < QUEUE_WARM_MAX);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = queue_run(&bulk, depth, packets);
        bench_stop((double)done);
    }
    iip_tcp_info(bulk.pair.client.stk, bulk.conn, &info);
    bench_note("unsent", (double)info.unsent / bulk.mss);
    bench_note("unacked", (double)info.unacked / bulk.mss);
    pair_close(&bulk.pair);
}

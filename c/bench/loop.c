/*
 * loop.c - the same rows through the stable interface: two engines on the two ends of a `pair`, one thread, one
 * iip_loop_turn each in turn. The difference to iip_bench is what the engine costs: handles, events, operations, buffers
 * and the port. A pair runs by CLOCK_MONOTONIC, which this program answers itself: virtual time, 10 us a turn, so that
 * the same timers fire in every run.
 */
#include "measure.h"

#include "iip/iip.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_ADDRS_MAX = 64, LOOP_MSS = 1448, LOOP_HOP_US = 10, LOOP_REST_US = 1000 };

struct side {
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
};

static struct side client, server;
static uint32_t addrs; /* of the client */

static const char loop_usage[] =
    "rows: pingpong [--conns N] [--idle N] [--offload 1]   bulk [--offload 1]   churn [--offload 1]   mem [--units N]\n"
    "flags: --addrs N: addresses of the client; --units N: count at least so many; --reps N: measure the region so often\n";

/* ---- time ---- */

static uint64_t clock_us = 1000000;

/* Takes the place of the C library's for libiip too, since the program comes first where symbols are looked up. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, ts);
    ts->tv_sec = (time_t)(clock_us / 1000000);
    ts->tv_nsec = (long)(clock_us % 1000000) * 1000;
    return 0;
}

/* ---- one end ---- */

/* `neighbours`: each end knows the other's link address, so that no connection waits for ARP. */
static void side_open(struct side *side, const struct bench_args *args, int mac, const char *addresses,
                      const char *neighbours)
{
    char port[64], error[256] = "";
    struct iip_engine_cfg cfg = {.size = sizeof cfg, .port = port, .addresses = addresses, .neighbours = neighbours};
    int32_t status;
    snprintf(port, sizeof port, "pair:bench,csum=%s,mac=02:00:00:00:00:0%d", args->offload ? "on" : "off", mac);
    cfg.tunables = "tcp.msl_us=1000";
    cfg.seed = 1;
    cfg.key[0] = 1;
    status = iip_engine_open(&cfg, &side->engine, error, sizeof error);
    if (status < 0)
        bench_fail("%s: %s", port, error);
    side->area.size = sizeof side->area;
    side->turn.size = sizeof side->turn;
    if (iip_engine_loop(side->engine, 0, &side->loop) < 0 || iip_loop_attach(side->loop) < 0 ||
        iip_loop_area(side->loop, &side->area) < 0)
        bench_fail("%s: no loop to attach to", port);
}

static uint32_t side_turn(struct side *side)
{
    uint32_t ops = side->turn.op_n;
    int32_t n = iip_loop_turn(side->loop, &side->turn);
    clock_us += LOOP_HOP_US;
    for (uint32_t i = 0; side->turn.op_short && i < ops; i++) {
        const struct iip_op *op = &side->area.ops[i];
        if (op->status < 0 || op->out < op->len)
            fprintf(stderr, "operation %u: code %u, %u bytes: %s, %llu taken\n", i, op->code, op->len,
                    iip_status_name(op->status), (unsigned long long)op->out);
    }
    if (n < 0 || side->turn.op_short || side->turn.release_failed)
        bench_fail("turn: %s, %u operations fell short, %u releases failed", iip_status_name(n < 0 ? n : 0),
                   side->turn.op_short, side->turn.release_failed);
    return (uint32_t)n;
}

static struct iip_op *side_op(struct side *side, uint16_t code, uint64_t obj)
{
    struct iip_op *op = &side->area.ops[side->turn.op_n++];
    memset(op, 0, sizeof *op);
    op->code = code;
    op->obj = obj;
    return op;
}

static void side_release(struct side *side, uint64_t buf)
{
    side->area.releases[side->turn.release_n++] = buf;
}

static void sides_open(const struct bench_args *args)
{
    char addresses[LOOP_ADDRS_MAX * 20] = "";
    char neighbours[LOOP_ADDRS_MAX * 40] = "";
    uint64_t listener;
    uint32_t i;
    for (i = 0; i < args->addrs; i++) {
        snprintf(addresses + strlen(addresses), 20, "10.0.1.%u/16 ", i + 1);
        snprintf(neighbours + strlen(neighbours), 40, "10.0.1.%u=02:00:00:00:00:01 ", i + 1);
    }
    addrs = args->addrs;
    side_open(&client, args, 1, addresses, "10.0.0.1=02:00:00:00:00:02");
    side_open(&server, args, 2, "10.0.0.1/16", neighbours);
    for (i = 0; i < 4; i++) { /* the link comes up, addresses are announced */
        side_turn(&client);
        side_turn(&server);
    }
    if (iip_loop_listen(server.loop, ":80", 0, &listener) < 0)
        bench_fail("cannot listen");
}

/* ---- connections ---- */

struct talk {
    uint64_t conn;
    uint8_t request;
};

static uint32_t accepted, connected;

static void connect_from(uint32_t i, uint64_t user)
{
    uint32_t aux = 64 + 64 * client.turn.op_n;
    struct iip_addrs *at = (struct iip_addrs *)(void *)(client.area.op_aux + aux);
    struct iip_op *op = side_op(&client, IIP_OP_CONNECT, 0);
    char text[32];
    memset(at, 0, sizeof *at);
    snprintf(text, sizeof text, "10.0.1.%u", 1 + i % addrs);
    if (iip_addr_parse(text, &at->local) < 0 || iip_addr_parse("10.0.0.1:80", &at->peer) < 0)
        bench_fail("%s: not an address", text);
    op->aux = aux;
    op->user = user;
}

static void expect(struct side *side, uint16_t type, uint32_t *count)
{
    uint32_t n = side_turn(side);
    uint32_t i;
    for (i = 0; i < n; i++) {
        const struct iip_event *ev = &side->area.events[i];
        if (ev->type != type)
            bench_fail("event %u, status %s while connecting", ev->type, iip_status_name(ev->status));
        if (ev->user)
            ((struct talk *)(uintptr_t)ev->user)->conn = ev->src;
        ++*count;
    }
}

static void establish(uint32_t n, struct talk *talks)
{
    uint32_t i, done, turns;
    for (done = 0; done < n; done += i) {
        connected = accepted = 0;
        for (i = 0; i < 32 && done + i < n; i++)
            connect_from(done + i, talks ? (uint64_t)(uintptr_t)&talks[done + i] : 0);
        for (turns = 0; turns < 64 && (connected < i || accepted < i); turns++) {
            expect(&client, IIP_EVENT_CONNECTED, &connected);
            expect(&server, IIP_EVENT_ACCEPT, &accepted);
        }
        if (connected < i || accepted < i)
            bench_fail("%u connected, %u accepted of %u", connected, accepted, i);
    }
}

/* ---- requests of one byte ---- */

static uint8_t one_byte(struct side *side, const struct iip_event *ev)
{
    uint8_t byte;
    if (ev->type != IIP_EVENT_DATA || ev->len != 1)
        bench_fail("event %u, %u bytes, status %s", ev->type, ev->len, iip_status_name(ev->status));
    byte = *(const uint8_t *)(uintptr_t)ev->addr;
    side_release(side, ev->buf);
    return byte;
}

static void send_byte(struct side *side, uint64_t conn, uint8_t *byte)
{
    struct iip_op *op = side_op(side, IIP_OP_SEND_COPY, conn);
    op->len = 1;
    op->arg = (uint64_t)(uintptr_t)byte;
}

static void ask(struct talk *talk)
{
    talk->request = (uint8_t)(talk->request * 5 + 3);
    send_byte(&client, talk->conn, &talk->request);
}

static uint64_t talk_for(uint64_t units)
{
    static uint8_t bytes[512];
    uint64_t done = 0;
    uint64_t turns;
    for (turns = 0; done < units; turns++) {
        uint32_t n = side_turn(&server);
        uint32_t i;
        for (i = 0; i < n; i++) {
            bytes[i] = (uint8_t)(one_byte(&server, &server.area.events[i]) + 1);
            send_byte(&server, server.area.events[i].src, &bytes[i]);
        }
        n = side_turn(&client);
        for (i = 0; i < n; i++) {
            struct talk *talk = (struct talk *)(uintptr_t)client.area.events[i].user;
            if (one_byte(&client, &client.area.events[i]) != (uint8_t)(talk->request + 1))
                bench_fail("a wrong reply");
            ask(talk);
        }
        done += n;
        if (turns > 100 * units + 1000)
            bench_fail("%llu of %llu replies came", (unsigned long long)done, (unsigned long long)units);
    }
    return done;
}

/* Timers that the handshakes left armed expire before anything is counted. */
static void loop_rest(void)
{
    uint64_t begin = 0, now = 0;
    for (iip_loop_now(client.loop, &begin); now < begin + 1500000; iip_loop_now(client.loop, &now)) {
        side_turn(&client);
        side_turn(&server);
        clock_us += LOOP_REST_US;
    }
}

static void loop_pingpong(const struct bench_args *args)
{
    struct talk *talks = calloc(args->conns, sizeof *talks);
    uint64_t units = args->units ? args->units : 3200;
    uint32_t i;
    if (!talks || args->conns > client.area.op_cap)
        bench_fail("no memory, or more connections than a turn takes operations");
    establish(args->idle, 0);
    establish(args->conns, talks);
    if (args->idle)
        loop_rest();
    for (i = 0; i < args->conns; i++) {
        talks[i].request = (uint8_t)i;
        ask(&talks[i]);
    }
    talk_for(20 * args->conns);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = talk_for(units);
        bench_stop((double)done);
    }
}

/* ---- full segments one way ---- */

static struct {
    struct talk talk;

    uint64_t sent, checked;
} bulk;

/* Not counted: fresh bytes in the buffers that the last turn laid out. */
static void bulk_fill(void)
{
    uint32_t i;
    for (i = 0; i < client.turn.tx_free_n; i++)
        bench_fill((void *)(uintptr_t)client.area.tx_free[i].addr, bulk.sent + (uint64_t)i * LOOP_MSS, LOOP_MSS);
}

/* As many as the send buffer takes for certain: what the last burst acknowledged may still be on its way back. */
static void bulk_send(void)
{
    uint64_t room = (1u << 19) - (bulk.sent - bulk.checked);
    uint32_t n = client.turn.tx_free_n;
    uint32_t i;
    for (i = 0; i < n && room >= LOOP_MSS; i++, room -= LOOP_MSS) {
        struct iip_op *op = side_op(&client, IIP_OP_SEND_BUF, bulk.talk.conn);
        op->buf = client.area.tx_free[i].buf;
        op->len = LOOP_MSS;
        bulk.sent += LOOP_MSS;
    }
    client.turn.tx_taken = i;
}

static void bulk_look(uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        const struct iip_event *ev = &server.area.events[i];
        if (ev->type != IIP_EVENT_DATA || !bench_check((const void *)(uintptr_t)ev->addr, bulk.checked, ev->len))
            bench_fail("event %u, or wrong bytes near %llu of the stream", ev->type, (unsigned long long)bulk.checked);
        bulk.checked += ev->len;
    }
}

static uint64_t bulk_run(uint64_t bytes)
{
    uint64_t start = bulk.checked;
    uint64_t turns = 0;
    while (bulk.checked - start < bytes) {
        uint32_t i, n;
        bench_pause();
        bulk_fill();
        bench_resume();
        bulk_send();
        if (side_turn(&client))
            bench_fail("event %u at the sender", client.area.events[0].type);
        n = side_turn(&server);
        bench_pause();
        bulk_look(n);
        bench_resume();
        for (i = 0; i < n; i++)
            side_release(&server, server.area.events[i].buf);
        if (++turns > bytes + 100000)
            bench_fail("the stream stands still at %llu", (unsigned long long)bulk.checked);
    }
    return bulk.checked - start;
}

static void loop_bulk(const struct bench_args *args)
{
    uint64_t want = (uint64_t)(args->units ? args->units : 4) << 20;
    uint32_t i;
    establish(1, &bulk.talk);
    side_turn(&client);
    bulk_run(8u << 20);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = bulk_run(want);
        bench_stop((double)done / (1 << 20));
    }
}

/* ---- connections that live and die ---- */

static uint32_t churn_turn(struct side *side, uint16_t cue, uint16_t other)
{
    uint32_t closed = 0;
    uint32_t n = side_turn(side);
    uint32_t i;
    for (i = 0; i < n; i++) {
        const struct iip_event *ev = &side->area.events[i];
        if (ev->type == cue)
            side_op(side, IIP_OP_CLOSE, ev->src);
        else if (ev->type == IIP_EVENT_CLOSED && ev->status == IIP_OK)
            closed++;
        else if (ev->type != other)
            bench_fail("event %u, status %s", ev->type, iip_status_name(ev->status));
    }
    return closed;
}

static uint64_t churn_run(uint64_t units)
{
    static uint32_t opened;
    uint64_t done;
    uint32_t i, here, there;
    for (done = 0; done < units; done += 32) {
        here = there = 0;
        for (i = 0; i < 32; i++)
            connect_from(opened++, 0);
        for (i = 0; i < 64 && (here < 32 || there < 32); i++) {
            here += churn_turn(&client, IIP_EVENT_CONNECTED, IIP_EVENT_FIN);
            there += churn_turn(&server, IIP_EVENT_FIN, IIP_EVENT_ACCEPT);
        }
        if (here != 32 || there != 32)
            bench_fail("%u and %u of 32 connections closed", here, there);
    }
    return done;
}

static void loop_churn(const struct bench_args *args)
{
    uint64_t units = args->units ? args->units : 1600;
    uint32_t i;
    churn_run(3200);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = churn_run(units);
        bench_stop((double)done);
    }
}

/* Heap bytes of an idle connection, slots of the handles included; both ends live in this heap. */
static void loop_mem(const struct bench_args *args)
{
    uint32_t n = args->units ? args->units : 100000;
    size_t before;
    establish(64, NULL);
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    bench_start();
    establish(n, NULL);
    bench_stop(n);
    bench_note("bytes", (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / n / 2);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct bench_args *args);
    } rows[] = {{"pingpong", loop_pingpong}, {"bulk", loop_bulk}, {"churn", loop_churn}, {"mem", loop_mem}};
    struct bench_args args;
    uint32_t i;
    bench_args_parse(&args, argc, argv, loop_usage);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!strcmp(rows[i].name, args.row)) {
            sides_open(&args);
            rows[i].run(&args);
            bench_report(&args);
            return 0;
        }
    }
    bench_fail("%s: no such row; --help lists them", args.row);
}

/* lwip_rows.c - the rows of rows.h that lwIP can do. */
#include "lwip.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static uint32_t accepted, connected;

/* ---- requests of one byte ---- */

struct lw_talk {
    u8_t request;
};

static uint64_t replies;

static void lw_put(struct lw_end *end, struct tcp_pcb *pcb, u8_t byte)
{
    if (end->call.tcp_write(pcb, &byte, 1, TCP_WRITE_FLAG_COPY) != ERR_OK)
        bench_fail("a byte was refused");
}

static u8_t lw_byte(struct lw_end *end, struct tcp_pcb *pcb, struct pbuf *p)
{
    u8_t byte;
    if (!p || p->tot_len != 1)
        bench_fail("%u bytes instead of one", p ? p->tot_len : 0);
    byte = *(u8_t *)p->payload;
    end->call.tcp_recved(pcb, 1);
    end->call.pbuf_free(p);
    return byte;
}

static err_t lw_asked(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg;
    (void)err;
    lw_put(&lw.server, pcb, (u8_t)(lw_byte(&lw.server, pcb, p) + 1));
    return ERR_OK;
}

static err_t lw_answered(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct lw_talk *talk = arg;
    (void)err;
    if (lw_byte(&lw.client, pcb, p) != (u8_t)(talk->request + 1))
        bench_fail("a wrong reply");
    replies++;
    talk->request = (u8_t)(talk->request * 5 + 3);
    lw_put(&lw.client, pcb, talk->request);
    return ERR_OK;
}

static err_t lw_talk_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    accepted++;
    lw.server.call.tcp_recv(pcb, lw_asked);
    return ERR_OK;
}

static err_t lw_talk_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    connected++;
    lw.client.call.tcp_recv(pcb, lw_answered);
    return ERR_OK;
}

static uint64_t lw_talk_for(uint64_t units)
{
    uint64_t start = replies;
    uint64_t turns;
    for (turns = 0; replies - start < units; turns++) {
        lw_tick(LW_HOP_US);
        lw_turn(&lw.server);
        lw_tick(LW_HOP_US);
        lw_turn(&lw.client);
        if (turns > units + 1000)
            bench_fail("%llu of %llu replies came", (unsigned long long)(replies - start), (unsigned long long)units);
    }
    return replies - start;
}

/* Idle connections take ports of our choice: lwIP's own search for a free one would take minutes. */
static void lw_establish(uint32_t n, uint16_t port, struct lw_talk *talks, struct tcp_pcb **pcbs)
{
    uint32_t i;
    accepted = connected = 0;
    for (i = 0; i < n; i++) {
        struct tcp_pcb *pcb = lw_connect(port ? (uint16_t)(port + i) : 0, talks ? &talks[i] : 0, lw_talk_connected);
        if (pcbs)
            pcbs[i] = pcb;
        if (i % 32 == 31 || i == n - 1)
            lw_settle();
    }
    if (accepted != n || connected != n)
        bench_fail("%u connected and %u accepted of %u", connected, accepted, n);
}

void lw_pingpong(const struct bench_args *args)
{
    struct lw_talk *talks = calloc(args->conns, sizeof *talks);
    struct tcp_pcb **pcbs = calloc(args->conns, sizeof *pcbs);
    uint64_t units = args->units ? args->units : 3200;
    uint32_t i;
    if (!talks || !pcbs || args->idle > 64000)
        bench_fail("no memory, or more than 64,000 idle connections");
    lw_listen(lw_talk_accept);
    lw_establish(args->idle, 1024, 0, 0);
    lw_establish(args->conns, args->idle ? (uint16_t)(1024 + args->idle) : 0, talks, pcbs);
    for (i = 0; i < args->conns; i++) {
        talks[i].request = (u8_t)i;
        lw_put(&lw.client, pcbs[i], talks[i].request);
        lw.client.call.tcp_output(pcbs[i]);
    }
    lw_talk_for(20 * args->conns);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = lw_talk_for(units);
        bench_stop((double)done);
    }
}

/* ---- full segments one way ---- */

enum { LW_AHEAD = 65536 };

static struct {
    struct tcp_pcb *from, *to;
    u8_t ahead[LW_AHEAD]; /* bytes made, not yet written: ahead[at ..] */
    uint32_t at;
    uint64_t made, checked;
    struct pbuf *held[1024];
    uint32_t held_n;
} lb;

static err_t lw_bulk_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg;
    (void)err;
    if (!p || lb.held_n == 1024)
        bench_fail("the stream ended, or too much came at once");
    lb.to = pcb;
    lb.held[lb.held_n++] = p;
    return ERR_OK;
}

static err_t lw_bulk_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    accepted++;
    lw.server.call.tcp_recv(pcb, lw_bulk_recv);
    return ERR_OK;
}

static void lw_bulk_make(void)
{
    uint32_t left = LW_AHEAD - lb.at;
    memmove(lb.ahead, lb.ahead + lb.at, left);
    bench_fill(lb.ahead + left, lb.made, lb.at);
    lb.made += lb.at;
    lb.at = 0;
}

static void lw_bulk_look(void)
{
    uint32_t i;
    for (i = 0; i < lb.held_n; i++) {
        const struct pbuf *p;
        for (p = lb.held[i]; p; p = p->next) {
            if (!bench_check(p->payload, lb.checked, p->len))
                bench_fail("wrong bytes near %llu of the stream", (unsigned long long)lb.checked);
            lb.checked += p->len;
        }
    }
}

static void lw_bulk_done(void)
{
    uint32_t i;
    for (i = 0; i < lb.held_n; i++) {
        lw.server.call.tcp_recved(lb.to, lb.held[i]->tot_len);
        lw.server.call.pbuf_free(lb.held[i]);
    }
    lb.held_n = 0;
}

static void lw_bulk_send(void)
{
    while (tcp_sndbuf(lb.from) >= tcp_mss(lb.from) && LW_AHEAD - lb.at >= tcp_mss(lb.from)) {
        if (lw.client.call.tcp_write(lb.from, lb.ahead + lb.at, tcp_mss(lb.from), TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        lb.at += tcp_mss(lb.from);
    }
    lw.client.call.tcp_output(lb.from);
}

static uint64_t lw_bulk_run(uint64_t bytes)
{
    uint64_t start = lb.checked;
    uint32_t still = 0;
    while (lb.checked - start < bytes) {
        uint64_t before = lb.checked;
        lw_tick(LW_HOP_US);
        lw_turn(&lw.client);
        lw_bulk_send();
        lw_tick(LW_HOP_US);
        lw_turn(&lw.server);
        bench_pause();
        lw_bulk_look();
        lw_bulk_make();
        bench_resume();
        lw_bulk_done();
        still = lb.checked == before ? still + 1 : 0;
        if (still > 100000)
            bench_fail("the stream stands still at %llu", (unsigned long long)lb.checked);
    }
    return lb.checked - start;
}

void lw_bulk(const struct bench_args *args)
{
    uint64_t want = (uint64_t)(args->units ? args->units : 4) << 20;
    uint32_t i;
    lw_listen(lw_bulk_accept);
    lb.from = lw_connect(0, 0, lw_talk_connected);
    lw_settle();
    lb.at = LW_AHEAD;
    lw_bulk_make();
    lw_bulk_run(8u << 20);
    for (i = 0; i < args->reps; i++) {
        uint64_t packets = lw.client.packets + lw.server.packets;
        uint64_t done;
        bench_start();
        done = lw_bulk_run(want);
        bench_stop((double)done / (1 << 20));
        packets = lw.client.packets + lw.server.packets - packets;
        if (!i)
            bench_note("packets_per_unit", (double)packets * (1 << 20) / (double)done);
    }
    bench_note("mss", tcp_mss(lb.from));
}

/* ---- connections that live and die ---- */

enum { LW_BATCH = 32 };

static uint32_t ended;

static err_t lw_churn_end(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg;
    (void)err;
    if (p)
        bench_fail("bytes on a connection that has none");
    ended++;
    return lw.server.call.tcp_close(pcb);
}

static err_t lw_churn_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    lw.server.call.tcp_recv(pcb, lw_churn_end);
    return ERR_OK;
}

static err_t lw_churn_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)err;
    return lw.client.call.tcp_close(pcb);
}

static uint64_t lw_churn_run(uint64_t units, uint64_t pause_us)
{
    uint64_t done;
    uint32_t i;
    for (done = 0; done < units; done += LW_BATCH) {
        ended = 0;
        for (i = 0; i < LW_BATCH; i++)
            lw_connect(0, 0, lw_churn_connected);
        for (i = 0; i < 8; i++) {
            lw_turn(&lw.server);
            lw_turn(&lw.client);
        }
        if (ended != LW_BATCH || *lw.server.call.active || *lw.client.call.active)
            bench_fail("%u of %u connections closed", ended, LW_BATCH);
        lw_tick(pause_us);
    }
    return done;
}

void lw_churn(const struct bench_args *args)
{
    uint64_t units = args->units ? args->units : 1600;
    uint64_t pause_us = (uint64_t)2 * TCP_MSL * 1000 * LW_BATCH / args->waiting;
    const struct tcp_pcb *pcb;
    uint32_t waiting = 0;
    uint32_t i;
    if (args->waiting > 14000)
        bench_fail("more than 14,000 in TIME-WAIT: lwIP has 16,384 ports for them");
    lw_listen(lw_churn_accept);
    lw_churn_run(args->waiting + args->waiting / 20 + 640, pause_us);
    for (i = 0; i < args->reps; i++) {
        uint64_t done;
        bench_start();
        done = lw_churn_run(units, pause_us);
        bench_stop((double)done);
    }
    for (pcb = *lw.client.call.time_wait; pcb; pcb = pcb->next)
        waiting++;
    bench_note("waiting", waiting);
}

/* ---- bytes of an idle connection: both ends live in this heap ---- */

void lw_mem(const struct bench_args *args)
{
    uint32_t n = args->units ? args->units : 10000;
    size_t before;
    lw_listen(lw_talk_accept);
    lw_establish(64, 0, 0, 0);
    before = mallinfo2().uordblks;
    bench_start();
    lw_establish(n, 2048, 0, 0);
    bench_stop(n);
    bench_note("bytes", (double)(mallinfo2().uordblks - before) / n / 2);
}

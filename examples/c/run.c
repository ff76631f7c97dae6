/*
 * run.c - an engine with one thread a loop (where --model says so two, see net.c), and a main thread that waits for signals.
 *
 * No signal handler runs anywhere: all threads block the signals, and main takes them one at a time from sigtimedwait.
 */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EX_LISTEN = 1, /* cookie of the listener */
    EX_CLOSE_NS = 2000000000
};

uint64_t ex_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGUSR1); /* write the statistics */
    sigaddset(set, SIGUSR2); /* from our own threads: a loop ended */
}

void ex_signals(void)
{
    sigset_t set;
    signal_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int complain(const struct ex_run *run, const char *what, int32_t status)
{
    fprintf(stderr, "%s: %s: %s (%s)\n", run->cfg->program, what, iip_status_text(status), iip_status_name(status));
    return -1;
}

static int open_engine(struct ex_run *run)
{
    const struct ex_config *cfg = run->cfg;
    struct iip_engine_cfg ec;
    char error[256] = "";
    int32_t status;
    memset(&ec, 0, sizeof ec);
    ec.size = sizeof ec;
    ec.port = cfg->port;
    ec.addresses = cfg->addresses;
    ec.routes = cfg->routes;
    ec.tunables = cfg->tunables;
    ec.pcap = cfg->pcap;
    ec.cores = cfg->cores;
    ec.loops = cfg->loops ? (uint32_t)cfg->loops : 1;
    ec.op_cap = 1024;
    ec.event_cap = 512;
    ec.release_cap = 1024;
    ec.tx_free_cap = 256;
    status = iip_engine_open(&ec, &run->engine, error, sizeof error);
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", cfg->program, error[0] ? error : iip_status_text(status));
        return -1;
    }
    run->info.size = sizeof run->info;
    iip_engine_info_get(run->engine, &run->info);
    if (run->info.loops < ec.loops)
        fprintf(stderr, "%s: --loops %u: the port has %u queues, going on with as many\n", cfg->program, ec.loops,
                run->info.loops);
    return 0;
}

static int listen_all(struct ex_run *run)
{
    struct iip_addr any;
    int32_t status;
    if (!run->cfg->listen || run->no_listener)
        return 0;
    memset(&any, 0, sizeof any);
    any.port = (uint16_t)run->cfg->listen;
    status = iip_engine_listen(run->engine, &any, 1024, EX_LISTEN, &run->listener);
    return status < 0 ? complain(run, "--listen", status) : 0;
}

/* "ready 10.0.0.2:80": the first of our addresses. A script that started us may connect now. */
void ex_ready(struct ex_loop *l)
{
    struct ex_run *run = l->run;
    struct iip_addr addr;
    char text[80] = "";
    if (atomic_fetch_add(&run->ready, 1) + 1 != run->info.loops)
        return;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(run->cfg->addresses, "/ ,"), run->cfg->addresses);
    if (iip_addr_parse(text, &addr) < 0)
        return;
    addr.port = (uint16_t)run->cfg->listen;
    iip_addr_format(&addr, text, sizeof text);
    printf("ready %s\n", text);
    fflush(stdout);
}

/* Each loop says for itself whether it took the engine's listener over. */
static void look_for_listener(struct ex_loop *l)
{
    uint32_t i;
    for (i = 0; i < l->turn.event_n; i++) {
        const struct iip_event *e = &l->area.events[i];
        if (e->type != IIP_EVENT_DONE || e->user != EX_LISTEN || e->src != l->run->listener)
            continue;
        if (e->status >= 0) {
            ex_ready(l);
        } else if (!l->closing) { /* else the end came before */
            complain(l->run, "--listen", e->status);
            atomic_store(&l->run->failed, 1);
            atomic_store(&l->run->stop, 1);
        }
    }
}

/* Streams that wait for buffers must not wait for packets; when no buffer is free at all, wait for one a little. */
static int64_t wait_us(const struct ex_loop *l)
{
    if (!l->ready_n)
        return -1;
    return l->turn.tx_free_n ? 0 : 1000;
}

void ex_finish(struct ex_loop *l)
{
    if (l->closing)
        return;
    iip_loop_close(l->loop);
    l->closing = 1;
    l->close_ns = ex_now_ns();
}

/* A port that takes no more packets must not keep us for ever. */
static int is_over(const struct ex_loop *l)
{
    return l->turn.state & IIP_STATE_CLOSED || (l->closing && l->now_ns > l->close_ns + EX_CLOSE_NS);
}

int ex_turn(struct ex_loop *l)
{
    int32_t status;
    if (is_over(l))
        return 0;
    if (atomic_load_explicit(&l->run->stop, memory_order_relaxed))
        ex_finish(l);
    l->turn.flags = IIP_TURN_WAIT;
    l->turn.wait_us = l->closing ? 0 : wait_us(l);
    l->ops_done = l->turn.op_n;
    status = iip_loop_turn(l->loop, &l->turn);
    if (status < 0) {
        complain(l->run, "turn", status);
        atomic_store(&l->run->failed, 1);
        return 0;
    }
    l->now_ns = ex_now_ns();
    ex_sent(l);
    if (l->turn.event_n && atomic_load_explicit(&l->run->ready, memory_order_relaxed) < l->run->info.loops)
        look_for_listener(l);
    return 1;
}

static int loop_begin(struct ex_loop *l)
{
    int32_t status = iip_loop_attach(l->loop);
    ex_net_pin(l);
    if (status < 0)
        return complain(l->run, "attach", status);
    l->area.size = sizeof l->area;
    status = iip_loop_area(l->loop, &l->area);
    if (status < 0)
        return complain(l->run, "area", status);
    l->turn.size = sizeof l->turn;
    ex_list_init(&l->ready);
    l->op_owner = calloc(l->area.op_cap, sizeof *l->op_owner);
    return l->op_owner ? 0 : complain(l->run, "loop", IIP_E_NOMEM);
}

static void *loop_main(void *arg)
{
    struct ex_loop *l = arg;
    uint32_t i;
    if (loop_begin(l) == 0)
        l->run->worker(l);
    else
        atomic_store(&l->run->failed, 1);
    for (i = 0; i < l->turn.release_n; i++) /* for which no turn came any more */
        iip_buf_release(l->area.releases[i]);
    iip_loop_detach(l->loop);
    free(l->op_owner);
    free(l->conns);
    atomic_fetch_sub(&l->run->alive, 1);
    kill(getpid(), SIGUSR2);
    return NULL;
}

static int start_loop(struct ex_run *run, uint32_t i)
{
    struct ex_loop *l = &run->loops[i];
    l->run = run;
    l->index = i;
    iip_engine_loop(run->engine, i, &l->loop);
    atomic_fetch_add(&run->alive, 1);
    if (ex_net_begin(l) == 0 && pthread_create(&l->thread, NULL, loop_main, l) == 0)
        return 0;
    ex_net_end(l);
    atomic_fetch_sub(&run->alive, 1);
    l->run = NULL;
    return complain(run, "thread", IIP_E_NOMEM);
}

/* What cannot be written at the end is said at the beginning. */
static void check_stats(const struct ex_config *cfg)
{
    char name[512];
    FILE *f;
    if (!cfg->stats_json)
        return;
    if (!*cfg->stats_json || snprintf(name, sizeof name, "%s.new", cfg->stats_json) >= (int)sizeof name)
        ex_usage(cfg, "stats-json", cfg->stats_json, *cfg->stats_json ? "is too long" : "is empty; name a file");
    f = fopen(name, "w");
    if (f && fclose(f) == 0 && remove(name) == 0)
        return;
    ex_usage(cfg, "stats-json", cfg->stats_json, strerror(errno));
}

int ex_run_begin(struct ex_run *run)
{
    uint32_t i;
    if (!run->cfg->port)
        run->cfg->port = "tap:iip0";
    if (strstr(run->cfg->port, "clock=virtual"))
        ex_usage(run->cfg, "port", run->cfg->port, "a virtual clock stands still here; use clock=real");
    if (!run->cfg->addresses)
        ex_usage(run->cfg, "addr", NULL, "missing; give our own address and prefix length, for example 10.0.0.2/24");
    check_stats(run->cfg);
    if (open_engine(run) < 0)
        return 2;
    run->begin_ns = ex_now_ns();
    run->loops = calloc(run->info.loops, sizeof *run->loops);
    if (!run->loops || listen_all(run) < 0)
        return 1;
    for (i = 0; i < run->info.loops; i++) {
        if (start_loop(run, i) < 0)
            return 1;
    }
    return 0;
}

static int save_stats(struct ex_run *run)
{
    char name[512];
    FILE *f;
    if (!run->cfg->stats_json)
        return 0;
    snprintf(name, sizeof name, "%s.new", run->cfg->stats_json);
    f = fopen(name, "w");
    if (f) {
        ex_stats_json(run, f);
        if (fclose(f) == 0 && rename(name, run->cfg->stats_json) == 0)
            return 0;
    }
    fprintf(stderr, "%s: --stats-json %s: %s\n", run->cfg->program, run->cfg->stats_json, strerror(errno));
    remove(name);
    return -1;
}

int ex_run_wait(struct ex_run *run)
{
    uint64_t end_ns = run->begin_ns + (uint64_t)(run->cfg->duration_s * 1e9);
    sigset_t set;
    signal_set(&set);
    while (atomic_load(&run->alive) && !atomic_load(&run->stop)) {
        uint64_t now = ex_now_ns();
        uint64_t left = run->cfg->duration_s > 0 ? end_ns - now : 3600000000000u;
        struct timespec limit = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        int sig;
        if (run->cfg->duration_s > 0 && now >= end_ns)
            break;
        sig = sigtimedwait(&set, NULL, &limit);
        if (sig == SIGUSR1)
            save_stats(run);
        else if (sig == SIGINT || sig == SIGTERM)
            break;
    }
    return atomic_load(&run->failed);
}

void ex_run_over(struct ex_run *run)
{
    uint32_t i;
    atomic_store(&run->stop, 1);
    for (i = 0; i < run->info.loops; i++) {
        struct iip_loop *loop;
        if (iip_engine_loop(run->engine, i, &loop) >= 0)
            iip_loop_wake(loop);
    }
}

void ex_run_stop(struct ex_run *run)
{
    int saved = save_stats(run); /* while the connections still live */
    uint32_t i;
    ex_run_over(run);
    for (i = 0; i < run->info.loops && run->loops[i].run; i++) {
        pthread_join(run->loops[i].thread, NULL);
        ex_net_end(&run->loops[i]);
        iip_loop_attach(run->loops[i].loop); /* its owner reads statistics as of now */
    }
    if (saved < 0 || save_stats(run) < 0) /* and now the account is closed */
        atomic_store(&run->failed, 1);
}

int ex_run_end(struct ex_run *run)
{
    int32_t status;
    run->leaks.size = sizeof run->leaks;
    status = iip_engine_close(run->engine, &run->leaks);
    if (status < 0)
        return complain(run, "close", status);
    free(run->loops);
    if (run->leaks.bufs || run->leaks.conns || run->leaks.timers || run->leaks.udps)
        fprintf(stderr, "%s: not given back: %u buffers, %u connections, %u timers, %u endpoints\n", run->cfg->program,
                run->leaks.bufs, run->leaks.conns, run->leaks.timers, run->leaks.udps);
    return atomic_load(&run->failed) || run->leaks.bufs || run->leaks.conns;
}

int ex_main(struct ex_run *run)
{
    int failed;
    ex_signals();
    failed = ex_run_begin(run);
    if (failed)
        return failed;
    failed = ex_run_wait(run);
    ex_run_stop(run);
    return ex_run_end(run) || failed ? 1 : 0;
}

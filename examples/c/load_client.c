/* load_client.c - one loop of clients: opens connections, talks, counts, and comes to an end. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

/* Connections being opened at a time: few until the peer's hardware address is known, for not many packets wait for
   that; and later not all, for a SYN flood is another program. */
enum { LOAD_OPENING_FIRST = 4, LOAD_OPENING_MAX = 256 };

/* Timers, by their cookie: the time is up; what is not done some time later never will be; is anybody there at all? */
enum { LOAD_OVER = 1, LOAD_LATE, LOAD_ALONE };
enum { LOAD_LATE_US = 2000000, LOAD_ALONE_US = 5000000 };

const char *const load_counts[] = {"opened", "messages", "payload_bytes", NULL};

void load_plan_init(struct load_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->conns = plan->depth = plan->size = 1;
    plan->expect = UINT64_MAX;
    pthread_mutex_init(&plan->lock, NULL);
}

int load_http_request(struct load_plan *plan, const char *path)
{
    char *end;
    char host[64];
    const char *p;
    for (p = path; *p > ' ' && *p != 127; p++) /* nothing that would be a field or a request of its own */
        ;
    if (*p || *path != '/')
        return -1;
    iip_addr_format(&plan->peer, host, sizeof host);
    if (snprintf(plan->request, sizeof plan->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host) >=
        (int)sizeof plan->request)
        return -1;
    if (strncmp(path, "/bytes/", 7) == 0) {
        plan->expect = strtoull(path + 7, &end, 10);
        if (*end)
            plan->expect = UINT64_MAX;
    }
    return 0;
}

static void pump(struct load *ld, struct load_conn *c)
{
    const struct iip_span *to;
    if (!c->connected || c->bad)
        return;
    while (!load_idle(ld, c) && c->sent < c->allowed && (to = ex_take(ld->l, &c->s)) != NULL) {
        uint32_t n = load_out(ld, c, (uint8_t *)(uintptr_t)to->addr, to->len);
        ex_send(ld->l, &c->s, to, n);
    }
    if (load_idle(ld, c)) {
        c->ended = 1;
        ex_shut(ld->l, &c->s);
    }
}

static void drop(struct load *ld, struct load_conn *c)
{
    ld->open--;
    ld->opening -= !c->connected;
    ex_stream_end(ld->l, &c->s);
    free(c);
}

/* 0, or -1: no more connections can be opened now. */
static int open_one(struct load *ld)
{
    struct iip_addrs addrs = {.peer = ld->plan->peer};
    struct iip_op op = {.code = IIP_OP_CONNECT, .arg = (uint64_t)(uintptr_t)&addrs};
    struct load_conn *c = calloc(1, sizeof *c);
    int32_t status = c ? iip_loop_op(ld->l->loop, &op) : IIP_E_NOMEM;
    if (status >= 0 && ex_stream_init(ld->l, &c->s, op.out) == 0) {
        ld->open++;
        ld->opening++;
        ex_count(ld->l, LOAD_N_OPENED, 1);
        return 0;
    }
    free(c);
    ld->result.errors++;
    fprintf(stderr, "iip_load: connect: %s\n", iip_status_text(status));
    return -1;
}

static void open_some(struct load *ld)
{
    uint64_t max = ld->met ? LOAD_OPENING_MAX : LOAD_OPENING_FIRST;
    while (ld->to_open && ld->opening < max && !ld->over) {
        ld->to_open--;
        if (open_one(ld) < 0)
            ld->to_open = 0;
    }
}

static void set_timer(struct load *ld, uint64_t which, uint64_t us)
{
    struct iip_op op = {.code = IIP_OP_TIMER, .arg = us, .user = which};
    iip_loop_op(ld->l->loop, &op);
}

/* All that is open ends as an error, also what was not opened yet. */
static void give_up(struct load *ld, const char *why)
{
    uint32_t i;
    fprintf(stderr, "iip_load: %llu connections: %s\n", (unsigned long long)(ld->open + ld->to_open), why);
    ld->result.errors += ld->open + ld->to_open;
    ld->over = 1;
    ld->to_open = 0;
    for (i = 0; i < ld->l->conn_cap; i++) {
        struct load_conn *c = ld->l->conns[i];
        if (!c)
            continue;
        c->ended = 1;
        iip_conn_abort(c->s.conn);
    }
}

static void time_over(struct load *ld)
{
    struct load_conn *c;
    uint32_t i;
    if (!ld->met && ld->open) {
        give_up(ld, "nobody answered");
        return;
    }
    ld->over = 1;
    ld->to_open = 0;
    set_timer(ld, LOAD_LATE, LOAD_LATE_US);
    for (i = 0; i < ld->l->conn_cap; i++) {
        c = ld->l->conns[i];
        if (!c)
            continue;
        if (ld->plan->mode == LOAD_RECV || !c->connected) { /* the other side would go on for ever */
            c->ended = 1;
            iip_conn_abort(c->s.conn);
        } else {
            pump(ld, c);
        }
    }
}

static void take_data(struct load *ld, struct load_conn *c)
{
    while (c->s.in) {
        load_in(ld, c, c->s.in->bytes, c->s.in->len);
        ex_data_used(ld->l, &c->s, c->s.in->len);
    }
}

static void closed(struct load *ld, struct load_conn *c, const struct iip_event *e)
{
    if (!c->ended && !c->bad) {
        ld->result.errors++;
        fprintf(stderr, "iip_load: a connection ended: %s\n", iip_status_text(e->status));
    }
    drop(ld, c);
}

static void timer(struct load *ld, uint64_t which)
{
    if (which == LOAD_OVER && !ld->over)
        time_over(ld);
    else if (which == LOAD_LATE && ld->open)
        give_up(ld, "not done 2 s after the time was up");
    else if (which == LOAD_ALONE && !ld->met && ld->open)
        give_up(ld, "nobody answered in 5 s");
}

static void client_event(struct load *ld, const struct iip_event *e)
{
    struct load_conn *c = ex_bound(ld->l, e->src);
    if (e->type == IIP_EVENT_TIMER) {
        timer(ld, e->user);
        return;
    }
    if (!c || c->s.conn != e->src) {
        ex_release(ld->l, e->buf);
        return;
    }
    if (e->type == IIP_EVENT_CLOSED) {
        closed(ld, c, e);
        return;
    }
    if (e->type == IIP_EVENT_CONNECTED) {
        c->connected = 1;
        ld->met = 1;
        ld->opening--;
        load_start(ld, c);
    } else if (e->type == IIP_EVENT_DATA && ex_data_put(ld->l, &c->s, e) == 0) {
        take_data(ld, c);
    } else if (e->type == IIP_EVENT_WRITABLE) {
        ex_writable(ld->l, &c->s);
    } else if (e->type == IIP_EVENT_FIN) {
        c->s.eof = 1;
        load_fin(ld, c);
    }
    pump(ld, c);
}

static void begin(struct load *ld, struct ex_loop *l)
{
    struct load_plan *plan = l->run->user;
    uint32_t loops = l->run->info.loops;
    ld->l = l;
    ld->plan = plan;
    ld->to_open = plan->conns / loops + (l->index < plan->conns % loops);
    ld->quota = plan->count ? plan->count / loops + (l->index < plan->count % loops) : UINT64_MAX;
    ld->begin_ns = l->now_ns = ex_now_ns();
    if (plan->duration_s > 0)
        set_timer(ld, LOAD_OVER, (uint64_t)(plan->duration_s * 1e6));
    set_timer(ld, LOAD_ALONE, LOAD_ALONE_US);
}

static void add_up(struct load *ld)
{
    struct load_plan *plan = ld->plan;
    double seconds = (double)(ex_now_ns() - ld->begin_ns) / 1e9;
    pthread_mutex_lock(&plan->lock);
    plan->sum.requests += ld->result.requests;
    plan->sum.bytes += ld->result.bytes;
    plan->sum.errors += ld->result.errors;
    plan->sum.mismatches += ld->result.mismatches;
    hist_merge(&plan->sum.latency, &ld->result.latency);
    plan->seconds = seconds > plan->seconds ? seconds : plan->seconds;
    pthread_mutex_unlock(&plan->lock);
}

/*
 * A loop that has nothing to open is done before its first turn. All loops turn until the last one is done: where the
 * port does not steer, packets of a busy loop arrive at one that has nothing to do.
 */
static int is_done(struct load *ld)
{
    struct ex_run *run = ld->l->run;
    if (ld->open || ld->to_open)
        return 0;
    add_up(ld);
    if (atomic_fetch_add(&ld->plan->loops_done, 1) + 1 == run->info.loops)
        ex_run_over(run);
    return 1;
}

void load_loop(struct ex_loop *l)
{
    struct load *ld = calloc(1, sizeof *ld);
    struct ex_stream *s;
    uint32_t i, left;
    int done;
    if (!ld)
        return;
    begin(ld, l);
    open_some(ld);
    done = is_done(ld);
    while (ex_turn(l)) {
        left = l->ready_n;
        for (i = 0; i < l->turn.event_n; i++)
            client_event(ld, &l->area.events[i]);
        while ((s = ex_ready_next(l, &left)) != NULL)
            pump(ld, (struct load_conn *)(void *)s);
        open_some(ld);
        if (!done)
            done = is_done(ld);
    }
    if (!done)
        add_up(ld);
    free(ld);
}

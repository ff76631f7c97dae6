/*
 * load_serve.c - the other side of the bulk modes: `--serve --mode send` receives and verifies what a client sends,
 * `--serve --mode recv` sends, and `--serve --mode pp` echoes.
 */
#include "load.h"
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

struct peer {
    struct ex_stream s;
    uint64_t sent, received, right;
};

/* The verdict on what came: "1000 bytes right\n". */
static void say_verdict(struct ex_loop *l, struct peer *p)
{
    const struct iip_span *to = ex_take(l, &p->s);
    int n;
    if (!to)
        return;
    n = snprintf((char *)(uintptr_t)to->addr, to->len, "%llu bytes %s\n", (unsigned long long)p->right,
                 p->right == p->received ? "right" : "right, then a wrong one");
    ex_send(l, &p->s, to, (uint32_t)n);
    ex_shut(l, &p->s);
}

static void receive(struct ex_loop *l, struct peer *p)
{
    while (p->s.in) {
        uint32_t n = p->s.in->len;
        if (p->right == p->received)
            p->right += pattern_check(p->s.in->bytes, p->received, n);
        p->received += n;
        ex_count(l, LOAD_N_BYTES, n);
        ex_data_used(l, &p->s, n);
    }
    if (p->s.eof && !p->s.shut)
        say_verdict(l, p);
}

static void echo(struct ex_loop *l, struct peer *p)
{
    const struct iip_span *to;
    while (p->s.in && (to = ex_take(l, &p->s)) != NULL) {
        uint32_t n = p->s.in->len < to->len ? p->s.in->len : to->len;
        memcpy((void *)(uintptr_t)to->addr, p->s.in->bytes, n);
        ex_data_used(l, &p->s, n);
        ex_send(l, &p->s, to, n);
        ex_count(l, LOAD_N_BYTES, n);
    }
    if (p->s.eof && !p->s.in)
        ex_shut(l, &p->s);
}

static void transmit(struct ex_loop *l, struct peer *p, uint64_t bytes)
{
    const struct iip_span *to;
    while (p->s.in)
        ex_data_used(l, &p->s, p->s.in->len);
    while ((!bytes || p->sent < bytes) && !p->s.eof && (to = ex_take(l, &p->s)) != NULL) {
        uint32_t n = bytes && bytes - p->sent < to->len ? (uint32_t)(bytes - p->sent) : to->len;
        pattern_fill((uint8_t *)(uintptr_t)to->addr, p->sent, n);
        ex_send(l, &p->s, to, n);
        p->sent += n;
        ex_count(l, LOAD_N_BYTES, n);
    }
    if (p->s.eof || (bytes && p->sent == bytes))
        ex_shut(l, &p->s);
}

static void go_on(struct ex_loop *l, struct peer *p)
{
    const struct load_plan *plan = l->run->user;
    if (plan->mode == LOAD_SEND)
        receive(l, p);
    else if (plan->mode == LOAD_RECV)
        transmit(l, p, plan->bytes);
    else
        echo(l, p);
}

static void accept_one(struct ex_loop *l, uint64_t conn)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p || ex_stream_init(l, &p->s, conn) < 0) {
        free(p);
        iip_conn_abort(conn);
        return;
    }
    ex_count(l, LOAD_N_OPENED, 1);
    go_on(l, p);
}

static void serve_event(struct ex_loop *l, const struct iip_event *e)
{
    struct peer *p = ex_bound(l, e->src);
    if (e->type == IIP_EVENT_ACCEPT) {
        accept_one(l, e->src);
        return;
    }
    if (!p || p->s.conn != e->src) {
        ex_release(l, e->buf);
        return;
    }
    if (e->type == IIP_EVENT_CLOSED) {
        ex_stream_end(l, &p->s);
        free(p);
        return;
    }
    if (e->type == IIP_EVENT_DATA)
        ex_data_put(l, &p->s, e);
    else if (e->type == IIP_EVENT_FIN)
        p->s.eof = 1;
    else if (e->type == IIP_EVENT_WRITABLE)
        ex_writable(l, &p->s);
    go_on(l, p);
}

void load_serve_loop(struct ex_loop *l)
{
    struct ex_stream *s;
    uint32_t i, left;
    while (ex_turn(l)) {
        left = l->ready_n;
        for (i = 0; i < l->turn.event_n; i++)
            serve_event(l, &l->area.events[i]);
        while ((s = ex_ready_next(l, &left)) != NULL)
            go_on(l, (struct peer *)(void *)s);
    }
}

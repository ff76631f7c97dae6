/*
 * http.c - iip_http's loop: events to connections, and the time limits.
 *
 * Connections in the same phase have the same limit, so each phase keeps its connections in the order of their age, and
 * one timer of the loop looks at the heads of these lists: no work for connections that are not late.
 */
#include "http.h"

#include <stdlib.h>

enum { HTTP_TICK_US = 250000, HTTP_LINGER_S = 5, HTTP_SCARCE_S = 1, HTTP_PROGRESS_MIN = 16384 };

const char *const http_counts[] = {"accepted",        "closed",   "requests", "answers_ok",
                                   "answers_refused", "timeouts", "bytes",    NULL};

/* ---- time limits ----------------------------------------------------------------------------------------------- */

/* When buffers are few, those who do not read what they asked for hold what others wait for. */
static double answer_limit_s(const struct http *h)
{
    int scarce = (h->l->turn.state & IIP_STATE_POOL_LOW) != 0;
    return scarce && h->site->body_s > HTTP_SCARCE_S ? HTTP_SCARCE_S : h->site->body_s;
}

static double limit_s(const struct http *h, uint32_t phase)
{
    switch (phase) {
    case HTTP_ANSWER:
        return answer_limit_s(h);
    case HTTP_IDLE:
        return h->site->idle_s;
    case HTTP_HEAD:
        return h->site->head_s;
    case HTTP_LINGER:
        return HTTP_LINGER_S;
    default:
        return h->site->body_s;
    }
}

/* Its peer took all that there was: it waits for a buffer of ours. */
static int waits_for_us(const struct http_conn *c)
{
    struct iip_conn_info info = {.size = sizeof info};
    return c->phase == HTTP_ANSWER && !c->s.held_n && iip_conn_info_get(c->s.conn, &info) == IIP_OK &&
        info.unacked + info.unsent == 0;
}

/* A head must be whole in time. Bodies may take as long as they take, while they advance. */
static void late(struct http *h, struct http_conn *c)
{
    if ((c->phase >= HTTP_BODY && c->phase <= HTTP_ANSWER && c->progress >= HTTP_PROGRESS_MIN) || waits_for_us(c)) {
        http_phase(h, c, c->phase);
        return;
    }
    if (c->phase != HTTP_LINGER)
        ex_count(h->l, HTTP_N_TIMEOUTS, 1);
    if (c->phase == HTTP_HEAD || c->phase == HTTP_BODY) {
        http_answer_status(h, c, 408);
        http_go_on(h, c);
        return;
    }
    ex_list_cut(&c->link);
    if (c->phase == HTTP_ANSWER)
        iip_conn_abort(c->s.conn); /* it does not read what it asked for */
    else
        iip_handle_close(c->s.conn);
    c->phase = HTTP_LINGER;
}

static void look_at_clock(struct http *h)
{
    uint32_t phase;
    for (phase = 0; phase < HTTP_PHASES; phase++) {
        uint64_t limit_us = (uint64_t)(limit_s(h, phase) * 1e6);
        struct ex_list *list = &h->phase[phase];
        struct http_conn *c;
        while (!ex_list_empty(list)) {
            c = (struct http_conn *)(void *)((char *)list->next - offsetof(struct http_conn, link));
            if (h->l->turn.now_us - c->since_us < limit_us)
                break;
            late(h, c);
        }
    }
}

static void set_clock(struct http *h)
{
    struct iip_op op = {.code = IIP_OP_TIMER, .arg = HTTP_TICK_US};
    iip_loop_op(h->l->loop, &op);
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

static void http_accept(struct http *h, uint64_t conn)
{
    struct http_conn *c = calloc(1, sizeof *c);
    if (!c || ex_stream_init(h->l, &c->s, conn) < 0) {
        free(c);
        iip_conn_abort(conn); /* no memory: this one goes, the others live */
        return;
    }
    ex_list_init(&c->link);
    http_phase(h, c, HTTP_IDLE);
    ex_count(h->l, HTTP_N_ACCEPTED, 1);
}

static void http_conn_event(struct http *h, struct http_conn *c, const struct iip_event *e)
{
    switch (e->type) {
    case IIP_EVENT_DATA:
        if (ex_data_put(h->l, &c->s, e) < 0)
            return;
        break;
    case IIP_EVENT_FIN:
        c->s.eof = 1;
        break;
    case IIP_EVENT_WRITABLE:
        ex_writable(h->l, &c->s);
        break;
    case IIP_EVENT_CLOSED:
        ex_count(h->l, HTTP_N_CLOSED, 1);
        http_conn_free(h, c);
        return;
    default:
        return;
    }
    if (!(e->flags & IIP_EVENT_MORE))
        http_go_on(h, c);
}

static void http_event(struct http *h, const struct iip_event *e)
{
    struct http_conn *c = ex_bound(h->l, e->src);
    if (e->type == IIP_EVENT_ACCEPT) {
        http_accept(h, e->src);
    } else if (e->type == IIP_EVENT_TIMER) {
        look_at_clock(h);
        set_clock(h);
    } else if (c && c->s.conn == e->src) {
        http_conn_event(h, c, e);
    } else {
        ex_release(h->l, e->buf);
    }
}

void http_loop(struct ex_loop *l)
{
    struct http h = {.l = l, .site = l->run->user};
    struct ex_stream *s;
    uint32_t i, left;
    for (i = 0; i < HTTP_PHASES; i++)
        ex_list_init(&h.phase[i]);
    set_clock(&h);
    while (ex_turn(l)) {
        left = l->ready_n;
        for (i = 0; i < l->turn.event_n; i++)
            http_event(&h, &l->area.events[i]);
        while ((s = ex_ready_next(l, &left)) != NULL)
            http_go_on(&h, (struct http_conn *)(void *)s);
    }
}

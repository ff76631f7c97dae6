/* load_talk.c - what is said on a connection: messages that come back, a stream one way, or HTTP requests. */
#include "load.h"
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

static uint64_t unit(const struct load *ld)
{
    return ld->plan->mode == LOAD_HTTP ? strlen(ld->plan->request) : ld->plan->size;
}

static void start_message(struct load *ld, struct load_conn *c)
{
    if (ld->over || !ld->quota)
        return;
    ld->quota--;
    c->stamp_ns[c->started % LOAD_DEPTH_MAX] = ld->l->now_ns;
    c->started++;
    c->allowed += unit(ld);
}

void load_start(struct load *ld, struct load_conn *c)
{
    uint64_t i;
    if (ld->plan->mode == LOAD_SEND)
        c->allowed = ld->plan->bytes ? ld->plan->bytes : UINT64_MAX;
    for (i = 0; ld->plan->mode != LOAD_SEND && ld->plan->mode != LOAD_RECV && i < ld->plan->depth; i++)
        start_message(ld, c);
}

static void finish_message(struct load *ld, struct load_conn *c)
{
    hist_add(&ld->result.latency, ld->l->now_ns - c->stamp_ns[c->finished % LOAD_DEPTH_MAX]);
    c->finished++;
    ld->result.requests++;
    ex_count(ld->l, LOAD_N_MESSAGES, 1);
    start_message(ld, c);
}

int load_idle(struct load *ld, struct load_conn *c)
{
    switch (ld->plan->mode) {
    case LOAD_SEND:
        return c->sent == c->allowed || ld->over;
    case LOAD_RECV:
        return c->s.eof;
    default:
        return c->finished == c->started && (ld->over || !ld->quota);
    }
}

/* ---- out ------------------------------------------------------------------------------------------------------- */

/* The request over and over: a stream with a short period. */
static void fill_requests(const struct load *ld, uint64_t at, uint8_t *to, uint32_t n)
{
    uint64_t len = unit(ld);
    uint32_t i;
    for (i = 0; i < n; i++)
        to[i] = (uint8_t)ld->plan->request[(at + i) % len];
}

uint32_t load_out(struct load *ld, struct load_conn *c, uint8_t *to, uint32_t n)
{
    uint64_t left = ld->over && ld->plan->mode == LOAD_SEND ? 0 : c->allowed - c->sent;
    if (n > left)
        n = (uint32_t)left;
    if (ld->plan->mode == LOAD_HTTP)
        fill_requests(ld, c->sent, to, n);
    else
        pattern_fill(to, c->sent, n);
    c->sent += n;
    if (ld->plan->mode == LOAD_SEND) {
        ld->result.bytes += n;
        ex_count(ld->l, LOAD_N_BYTES, n);
    }
    return n;
}

/* ---- in -------------------------------------------------------------------------------------------------------- */

static void mismatch(struct load *ld, struct load_conn *c, const char *what)
{
    ld->result.mismatches++;
    if (!c->bad)
        fprintf(stderr, "iip_load: %s at byte %llu of a connection\n", what, (unsigned long long)c->received);
    c->bad = 1;
    c->ended = 1;
    iip_conn_abort(c->s.conn);
}

static int verify(struct load *ld, struct load_conn *c, const uint8_t *p, uint64_t at, uint32_t n)
{
    uint32_t good = pattern_check(p, at, n);
    if (good != n) {
        c->received += good;
        mismatch(ld, c, "a wrong byte");
        return -1;
    }
    ld->result.bytes += n;
    ex_count(ld->l, LOAD_N_BYTES, n);
    return 0;
}

static void echo_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n)
{
    if (c->received + n > c->sent) {
        mismatch(ld, c, "more than was sent");
        return;
    }
    if (verify(ld, c, p, c->received, n) < 0)
        return;
    c->received += n;
    while (c->finished < c->started && c->received >= (c->finished + 1) * ld->plan->size)
        finish_message(ld, c);
}

static void http_head(struct load *ld, struct load_conn *c, uint32_t n)
{
    struct http_response res;
    if (http_response_read(c->head, n, &res) < 0 || res.status != 200 || !res.has_length || res.chunked ||
        (ld->plan->expect != UINT64_MAX && res.length != ld->plan->expect)) {
        mismatch(ld, c, "an answer that is not 200 with the right length");
        return;
    }
    c->in_body = 1;
    c->body_at = 0;
    c->body_left = res.length;
    c->head_n = c->scanned = 0;
}

/* Uses up bytes of a head; returns how many. */
static uint32_t http_head_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n)
{
    uint32_t part = n < sizeof c->head - c->head_n ? n : (uint32_t)sizeof c->head - c->head_n;
    uint32_t had = c->head_n;
    uint32_t end;
    memcpy(c->head + had, p, part);
    end = http_head_end(c->head, had + part, &c->scanned);
    if (end) {
        http_head(ld, c, end);
        return end - had;
    }
    c->head_n += part;
    if (c->head_n == sizeof c->head)
        mismatch(ld, c, "an endless head");
    return part;
}

static uint32_t http_body_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n)
{
    uint32_t part = c->body_left < n ? (uint32_t)c->body_left : n;
    if (ld->plan->expect != UINT64_MAX && verify(ld, c, p, c->body_at, part) < 0)
        return n;
    c->body_at += part;
    c->body_left -= part;
    return part;
}

static void http_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n)
{
    uint32_t used;
    while (n && !c->bad) {
        if (c->finished == c->started) {
            mismatch(ld, c, "more than was asked for");
            return;
        }
        used = c->in_body ? http_body_in(ld, c, p, n) : http_head_in(ld, c, p, n);
        if (c->in_body && !c->body_left && !c->bad) {
            c->in_body = 0;
            finish_message(ld, c);
        }
        c->received += used;
        p += used;
        n -= used;
    }
}

/* The server of `--serve --mode send` says at the end how much of it was right. */
static void verdict_in(struct load_conn *c, const uint8_t *p, uint32_t n)
{
    if (n > sizeof c->head - 1 - c->head_n)
        n = (uint32_t)sizeof c->head - 1 - c->head_n;
    memcpy(c->head + c->head_n, p, n);
    c->head_n += n;
}

void load_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n)
{
    if (c->bad)
        return;
    switch (ld->plan->mode) {
    case LOAD_PP:
        echo_in(ld, c, p, n);
        break;
    case LOAD_HTTP:
        http_in(ld, c, p, n);
        break;
    case LOAD_SEND:
        verdict_in(c, p, n);
        break;
    default:
        if (verify(ld, c, p, c->received, n) == 0)
            c->received += n;
    }
}

void load_fin(struct load *ld, struct load_conn *c)
{
    char want[64];
    if (c->bad)
        return;
    if (ld->plan->mode == LOAD_SEND) {
        snprintf(want, sizeof want, "%llu bytes right\n", (unsigned long long)c->sent);
        c->head[c->head_n] = 0;
        if (!c->s.shut || (c->head_n && strcmp(c->head, want) != 0))
            mismatch(ld, c, "the receiver did not get what was sent");
        else
            ld->result.requests++;
    } else if (ld->plan->mode == LOAD_RECV) {
        if (ld->plan->bytes && c->received != ld->plan->bytes)
            mismatch(ld, c, "an end too early");
        else
            ld->result.requests++;
        c->ended = 1;
    } else if (!c->s.shut && !load_idle(ld, c)) {
        fprintf(stderr, "iip_load: the server ended a connection that waits for an answer\n");
        ld->result.errors++;
        c->ended = 1;
        iip_conn_abort(c->s.conn);
    }
}

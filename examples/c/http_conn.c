/*
 * http_conn.c - one connection, from request to answer to the next request.
 *
 * Each step uses up input or makes output, and says whether it did; http_go_on takes steps until one says no. Then
 * something must happen first: bytes must come, or the peer must take some, or a buffer must come back.
 */
#include "http.h"

#include <stdlib.h>
#include <string.h>

void http_phase(struct http *h, struct http_conn *c, uint8_t phase)
{
    c->phase = phase;
    c->since_us = h->l->turn.now_us;
    c->progress = 0;
    ex_list_cut(&c->link);
    ex_list_put(&h->phase[phase], &c->link);
}

void http_conn_free(struct http *h, struct http_conn *c)
{
    ex_list_cut(&c->link);
    http_body_end(&c->body);
    free(c->head);
    free(c->sha);
    ex_stream_end(h->l, &c->s);
    free(c);
}

/* ---- output: into one buffer as long as there is something to put there ---------------------------------------- */

static void flush(struct http *h, struct http_conn *c)
{
    if (c->to && c->to_n)
        ex_send(h->l, &c->s, c->to, c->to_n);
    else if (c->to)
        ex_release(h->l, c->to->buf);
    c->to = NULL;
    c->to_n = 0;
}

static uint8_t *room(struct http *h, struct http_conn *c, uint32_t *n)
{
    if (c->to && c->to_n == c->to->len)
        flush(h, c);
    if (!c->to)
        c->to = ex_take(h->l, &c->s);
    if (!c->to)
        return NULL;
    *n = c->to->len - c->to_n;
    return (uint8_t *)(uintptr_t)c->to->addr + c->to_n;
}

static void wrote(struct http *h, struct http_conn *c, uint32_t n)
{
    c->to_n += n;
    c->progress += n;
    ex_count(h->l, HTTP_N_BYTES, n);
}

static int send_text(struct http *h, struct http_conn *c)
{
    uint32_t n;
    uint8_t *to = room(h, c, &n);
    if (!to)
        return 0;
    if (n > c->text_n - c->text_at)
        n = c->text_n - c->text_at;
    memcpy(to, c->text + c->text_at, n);
    c->text_at += n;
    wrote(h, c, n);
    return 1;
}

/* No more to say. Then wait for the peer's end, reading and forgetting: a close with unread input would be a RST, which
   may overtake the answer. [RFC 9112 9.6] */
static void finish(struct http *h, struct http_conn *c)
{
    flush(h, c);
    ex_shut(h->l, &c->s);
    http_phase(h, c, HTTP_LINGER);
}

static int send_answer(struct http *h, struct http_conn *c)
{
    uint32_t n;
    int32_t got;
    uint8_t *to;
    if (c->text_at < c->text_n)
        return send_text(h, c);
    if (c->body.at < c->body.end) {
        to = room(h, c, &n);
        if (!to)
            return 0;
        got = http_body_read(&c->body, to, n);
        if (got > 0) {
            wrote(h, c, (uint32_t)got);
            return 1;
        }
        iip_conn_abort(c->s.conn); /* the length that was promised cannot be kept: let the client see that */
        c->keep = 0;
        c->body.end = c->body.at;
    }
    http_body_end(&c->body);
    c->text_n = c->text_at = 0;
    if (c->keep)
        http_phase(h, c, HTTP_IDLE);
    else
        finish(h, c);
    return 1;
}

/* ---- input: heads ---------------------------------------------------------------------------------------------- */

static void take_head(struct http *h, struct http_conn *c, const char *p, uint32_t n)
{
    struct http_request req;
    int status = http_request_read(p, n, &req);
    ex_count(h->l, HTTP_N_REQUESTS, 1);
    if (status)
        http_answer_status(h, c, status);
    else
        http_answer(h, c, &req);
}

/* A head that came in pieces is put together; one that is too long is refused, and of no other is more kept. */
static int gather_head(struct http *h, struct http_conn *c)
{
    uint32_t n = c->s.in->len < HTTP_HEAD_MAX - c->head_n ? c->s.in->len : HTTP_HEAD_MAX - c->head_n;
    uint32_t end;
    if (!c->head && !(c->head = malloc(HTTP_HEAD_MAX))) {
        http_answer_status(h, c, 503);
        return 1;
    }
    if (!c->head_n)
        c->scanned = 0;
    memcpy(c->head + c->head_n, c->s.in->bytes, n);
    end = http_head_end(c->head, c->head_n + n, &c->scanned);
    ex_data_used(h->l, &c->s, end ? end - c->head_n : n);
    c->head_n += n;
    if (end)
        take_head(h, c, c->head, end);
    else if (c->head_n == HTTP_HEAD_MAX)
        http_answer_status(h, c, memchr(c->head, '\n', HTTP_HEAD_MAX) ? 431 : 414);
    else
        return 1;
    free(c->head);
    c->head = NULL;
    c->head_n = 0;
    return 1;
}

/* Empty lines before a request are forgiven. [RFC 9112 2.2] */
static int skip_empty_lines(struct http *h, struct http_conn *c)
{
    const uint8_t *p = c->s.in->bytes;
    uint32_t n;
    for (n = 0; n < c->s.in->len && (p[n] == '\r' || p[n] == '\n'); n++)
        ;
    if (n)
        ex_data_used(h->l, &c->s, n);
    return n != 0;
}

static int read_head(struct http *h, struct http_conn *c)
{
    uint32_t end;
    if (!c->s.in) {
        if (c->s.eof && !c->s.shut)
            finish(h, c);
        return 0;
    }
    if (c->phase == HTTP_IDLE) {
        if (skip_empty_lines(h, c))
            return 1;
        http_phase(h, c, HTTP_HEAD);
        c->head_only = 0; /* of the request before; what answers a broken head has a body */
        if (*c->s.in->bytes < 'A' || *c->s.in->bytes > 'z') { /* TLS, or noise: no need to wait for the rest */
            http_answer_status(h, c, 400);
            return 1;
        }
    }
    c->scanned = c->head_n ? c->scanned : 0;
    end = c->head_n ? 0 : http_head_end((const char *)c->s.in->bytes, c->s.in->len, &c->scanned);
    if (!end || end > HTTP_HEAD_MAX)
        return gather_head(h, c);
    take_head(h, c, (const char *)c->s.in->bytes, end); /* the common case: read where it arrived */
    ex_data_used(h->l, &c->s, end);
    return 1;
}

/* ---- input: bodies --------------------------------------------------------------------------------------------- */

/* The next bytes of the body that lie in the first run of input; returns the bytes used. */
static uint32_t body_piece(struct http_conn *c, struct http_text *data)
{
    uint32_t n = c->s.in->len;
    if (c->chunked)
        return http_chunks_read(&c->chunks, (const char *)c->s.in->bytes, n, data);
    data->p = (const char *)c->s.in->bytes;
    data->n = c->body_left < n ? (uint32_t)c->body_left : n;
    c->body_left -= data->n;
    return data->n;
}

static int body_end(struct http *h, struct http_conn *c)
{
    if (c->body_n > c->body_max) {
        http_answer_status(h, c, 413);
    } else if (c->chunked && c->chunks.state == HTTP_CHUNKS_BAD) {
        http_answer_status(h, c, 400);
    } else if (c->chunked ? c->chunks.state == HTTP_CHUNKS_DONE : !c->body_left) {
        if (c->sha)
            http_answer_sink(h, c);
        else
            http_phase(h, c, HTTP_ANSWER);
    }
    return 1;
}

static int read_body(struct http *h, struct http_conn *c)
{
    struct http_text data;
    uint32_t used;
    if (c->sha && c->text_at < c->text_n) /* 100 Continue */
        return send_text(h, c);
    if (!c->s.in) {
        if (c->s.eof)
            http_answer_status(h, c, 400);
        return c->s.eof;
    }
    used = body_piece(c, &data);
    c->body_n += data.n;
    c->progress += data.n;
    if (c->sha)
        sha256_add(c->sha, data.p, data.n);
    ex_data_used(h->l, &c->s, used);
    return body_end(h, c);
}

static int forget_input(struct http *h, struct http_conn *c)
{
    if (!c->s.in)
        return 0;
    ex_data_used(h->l, &c->s, c->s.in->len);
    return 1;
}

static int step(struct http *h, struct http_conn *c)
{
    switch (c->phase) {
    case HTTP_IDLE:
    case HTTP_HEAD:
        return read_head(h, c);
    case HTTP_BODY:
        return read_body(h, c);
    case HTTP_ANSWER:
        return send_answer(h, c);
    default:
        return forget_input(h, c);
    }
}

void http_go_on(struct http *h, struct http_conn *c)
{
    while (step(h, c))
        ;
    flush(h, c);
}

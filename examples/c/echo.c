/*
 * echo.c - iip_echo: a TCP echo server. The whole of what a server does, in one screen.
 *
 * Bytes are copied once, from the buffer in which they arrived to one that is sent. While the peer does not read, its
 * bytes stay unreleased, so its window closes: no queue of ours grows.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>

enum { ACCEPTED, CLOSED, BYTES };
static const char *const echo_counts[] = {"accepted", "closed", "bytes", NULL};

static void echo_pump(struct ex_loop *l, struct ex_stream *s)
{
    const struct iip_span *to;
    while (s->in && (to = ex_take(l, s)) != NULL) {
        uint32_t n = 0;
        while (s->in && n < to->len) { /* as many runs as fit into one buffer */
            uint32_t part = s->in->len < to->len - n ? s->in->len : to->len - n;
            memcpy((uint8_t *)(uintptr_t)to->addr + n, s->in->bytes, part);
            ex_data_used(l, s, part);
            n += part;
        }
        ex_send(l, s, to, n);
        ex_count(l, BYTES, n);
    }
    if (s->eof && !s->in)
        ex_shut(l, s); /* all is echoed: our end closes too */
}

static void echo_accept(struct ex_loop *l, uint64_t conn)
{
    struct ex_stream *s = malloc(sizeof *s);
    if (!s || ex_stream_init(l, s, conn) < 0) {
        free(s);
        iip_conn_abort(conn); /* no memory: this one goes, the others live */
        return;
    }
    ex_count(l, ACCEPTED, 1);
}

static void echo_event(struct ex_loop *l, const struct iip_event *e)
{
    struct ex_stream *s = ex_bound(l, e->src);
    if (e->type == IIP_EVENT_ACCEPT) {
        echo_accept(l, e->src);
        return;
    }
    if (!s || s->conn != e->src) {
        ex_release(l, e->buf);
        return;
    }
    switch (e->type) {
    case IIP_EVENT_DATA:
        if (ex_data_put(l, s, e) < 0)
            return;
        break;
    case IIP_EVENT_FIN:
        s->eof = 1;
        break;
    case IIP_EVENT_WRITABLE:
        ex_writable(l, s);
        break;
    case IIP_EVENT_CLOSED:
        ex_count(l, CLOSED, 1);
        ex_stream_end(l, s);
        free(s);
        return;
    default: /* events that this program has no use for */
        return;
    }
    echo_pump(l, s);
}

static void echo_loop(struct ex_loop *l)
{
    struct ex_stream *s;
    uint32_t i, left;
    while (ex_turn(l)) {
        left = l->ready_n;
        for (i = 0; i < l->turn.event_n; i++)
            echo_event(l, &l->area.events[i]);
        while ((s = ex_ready_next(l, &left)) != NULL)
            echo_pump(l, s);
    }
}

int main(int argc, char **argv)
{
    struct ex_config cfg = {.program = "iip_echo", .about = "a TCP echo server", .listen = 7};
    struct ex_run run = {.cfg = &cfg, .worker = echo_loop, .count_names = echo_counts};
    ex_options(&cfg, NULL, argc, argv);
    return ex_main(&run);
}

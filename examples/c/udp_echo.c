/*
 * udp_echo.c - iip_udp_echo: a UDP echo server.
 *
 * An answer leaves from the address that the datagram was sent to, which matters on a stack with several addresses.
 */
#include "common.h"

#include <stdlib.h>
#include <string.h>

enum { DATAGRAMS, BYTES, REFUSED };
static const char *const udp_counts[] = {"datagrams", "bytes", "refused", NULL};

enum { DATAGRAM_MAX = 65535, ADDRS_FIRST = 64 };

struct udp_app {
    uint64_t udp;
    uint32_t len;               /* bytes gathered of a datagram in several pieces */
    uint32_t addrs_n;           /* records in op_aux for the next turn */
    uint8_t bytes[DATAGRAM_MAX];
};

/* The common case: one piece, that fits an empty buffer, which goes out with the next turn. */
static int echo_by_turn(struct ex_loop *l, struct udp_app *app, const struct iip_event *e)
{
    uint32_t at = ADDRS_FIRST + app->addrs_n * (uint32_t)sizeof(struct iip_addrs);
    const struct iip_span *to;
    struct iip_op *op;
    if (l->turn.tx_taken >= l->turn.tx_free_n || at + sizeof(struct iip_addrs) > l->area.op_aux_bytes)
        return -1;
    to = &l->area.tx_free[l->turn.tx_taken];
    if (e->len > to->len || !(op = ex_op(l, IIP_OP_UDP_SEND, app->udp)))
        return -1;
    l->turn.tx_taken++;
    app->addrs_n++;
    memcpy(l->area.op_aux + at, l->area.aux + e->aux, sizeof(struct iip_addrs));
    memcpy((void *)(uintptr_t)to->addr, (const void *)(uintptr_t)e->addr, e->len);
    op->buf = to->buf;
    op->len = e->len;
    op->aux = at;
    return 0;
}

/* The rest: gathered, and sent by copy. */
static void echo_by_copy(struct ex_loop *l, struct udp_app *app, const struct iip_event *e)
{
    struct iip_op op = {.code = IIP_OP_UDP_SEND_COPY, .obj = app->udp, .len = app->len};
    op.buf = (uint64_t)(uintptr_t)app->bytes;
    op.arg = (uint64_t)(uintptr_t)(l->area.aux + e->aux);
    if (iip_loop_op(l->loop, &op) < 0)
        ex_count(l, REFUSED, 1); /* as any network would: UDP promises nothing */
}

static void udp_datagram(struct ex_loop *l, struct udp_app *app, const struct iip_event *e)
{
    int whole = !(e->flags & IIP_EVENT_MORE);
    if (app->len == 0 && whole && echo_by_turn(l, app, e) == 0) {
        app->len = e->len;
    } else {
        uint32_t n = e->len < DATAGRAM_MAX - app->len ? e->len : DATAGRAM_MAX - app->len;
        if (n)
            memcpy(app->bytes + app->len, (const void *)(uintptr_t)e->addr, n);
        app->len += n;
        if (whole)
            echo_by_copy(l, app, e);
    }
    ex_release(l, e->buf);
    if (!whole)
        return;
    ex_count(l, DATAGRAMS, 1);
    ex_count(l, BYTES, app->len);
    app->len = 0;
}

/* A datagram that was not taken is dropped, its buffer given back. */
static void look_at_sends(struct ex_loop *l, struct udp_app *app)
{
    uint32_t i;
    app->addrs_n = 0;
    for (i = 0; l->turn.op_short && i < l->ops_done; i++) {
        const struct iip_op *op = &l->area.ops[i];
        if (op->code != IIP_OP_UDP_SEND || op->status >= 0)
            continue;
        ex_release(l, op->buf);
        ex_count(l, REFUSED, 1);
    }
}

static void udp_turns(struct ex_loop *l, struct udp_app *app)
{
    uint32_t i;
    while (ex_turn(l)) {
        look_at_sends(l, app);
        for (i = 0; i < l->turn.event_n; i++) {
            const struct iip_event *e = &l->area.events[i];
            if (e->type == IIP_EVENT_UDP)
                udp_datagram(l, app, e);
            else
                ex_release(l, e->buf);
        }
    }
}

static void udp_loop(struct ex_loop *l)
{
    struct udp_app *app = calloc(1, sizeof *app);
    char local[16];
    int32_t status = IIP_E_NOMEM;
    snprintf(local, sizeof local, ":%u", (unsigned)l->run->cfg->listen);
    if (app)
        status = iip_loop_udp(l->loop, local, 0, &app->udp);
    if (status < 0) {
        fprintf(stderr, "iip_udp_echo: --listen %s: %s\n", local + 1, iip_status_text(status));
        atomic_store(&l->run->failed, 1);
    } else {
        ex_ready(l);
        udp_turns(l, app);
    }
    free(app);
}

int main(int argc, char **argv)
{
    struct ex_config cfg = {.program = "iip_udp_echo", .about = "a UDP echo server", .listen = 7};
    struct ex_run run = {.cfg = &cfg, .worker = udp_loop, .count_names = udp_counts, .no_listener = 1};
    ex_options(&cfg, NULL, argc, argv);
    return ex_main(&run);
}

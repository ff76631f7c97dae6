/* side.c - the thread of one end: turns the loop, opens and answers connections until it is told to end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"

enum { SENDS = 64, OPENS = 64, PORT = 80, PORTS = 16 }; /* several, as TIME-WAIT keeps tuples for a minute */

int side_failed(int32_t st)
{
    return st < 0 && st != IIP_E_AGAIN && st != IIP_E_NOBUFS && st != IIP_E_STALE && st != IIP_E_CLOSED &&
        st != IIP_E_RESET && st != IIP_E_SHUTDOWN;
}

static uint32_t slot_of(uint64_t handle)
{
    return (uint32_t)(handle & ((1u << IIP_HANDLE_SLOT_BITS) - 1));
}

static struct talk **place_of(struct side *s, uint64_t conn)
{
    uint32_t slot = slot_of(conn);
    if (slot >= s->talk_cap)
        abort(); /* far more connections than there can be */
    return &s->talks[slot];
}

void side_ready(struct side *s, struct talk *t)
{
    if (t->queued || t->finished || t->blocked)
        return;
    if (s->ready_n == s->talk_cap)
        abort();
    t->queued = 1;
    s->ready[(s->ready_at + s->ready_n++) % s->talk_cap] = slot_of(t->conn);
}

static void send_all(struct side *s)
{
    uint32_t n = s->ready_n < SENDS ? s->ready_n : SENDS;
    while (n--) {
        struct talk *t = s->talks[s->ready[s->ready_at]];
        s->ready_at = (s->ready_at + 1) % s->talk_cap;
        s->ready_n--;
        if (!t)
            continue;
        t->queued = 0;
        talk_send(s, t);
    }
}

static void add(struct side *s, struct talk *t)
{
    *place_of(s, t->conn) = t;
    s->live++;
    atomic_fetch_add(&totals.opened, 1);
}

static int32_t connect_one(struct side *s, uint64_t *conn)
{
    char to[32];
    snprintf(to, sizeof to, "10.0.0.2:%u", PORT + (unsigned)rng_below(&s->rng, PORTS));
    return iip_loop_connect(s->loop, to, 0, conn);
}

static void open_some(struct side *s)
{
    uint32_t n;
    for (n = 0; s->live < s->options->connections && n < OPENS; n++) {
        uint64_t conn;
        int32_t st = connect_one(s, &conn);
        if (st != IIP_OK) {
            if (side_failed(st))
                wrong(&totals.errors, "a connection cannot be opened: %s", iip_status_name(st));
            return;
        }
        add(s, talk_new(s, conn, ++s->ids));
    }
}

static void event(struct side *s, const struct iip_event *e)
{
    struct talk **place;
    if (e->src >> 50 != IIP_KIND_CONN)
        return;
    place = place_of(s, e->src);
    if (e->type == IIP_EVENT_ACCEPT) {
        if (*place)
            wrong(&totals.errors, "a connection was accepted in the place of one that lives");
        add(s, talk_new(s, e->src, 0));
    }
    if (!*place || (*place)->conn != e->src) {
        wrong(&totals.errors, "an event of type %u of no connection", e->type);
        return;
    }
    talk_event(s, *place, e);
    if (e->type == IIP_EVENT_CLOSED) {
        free(*place);
        *place = NULL;
        s->live--;
    }
}

static void turn(struct side *s)
{
    uint32_t i;
    s->turn.flags = IIP_TURN_WAIT;
    s->turn.wait_us = s->ready_n ? 0 : 2000;
    if (iip_loop_turn(s->loop, &s->turn) < 0) {
        wrong(&totals.errors, "a turn failed");
        return;
    }
    if (s->turn.release_failed)
        wrong(&totals.errors, "%u releases of a turn were refused", s->turn.release_failed);
    for (i = 0; i < s->turn.event_n; i++)
        event(s, &s->area.events[i]);
    if (s->turn.state & IIP_STATE_POOL_LOW)
        atomic_fetch_add(&totals.low, 1);
    atomic_store(s->low, (s->turn.state & IIP_STATE_POOL_LOW) != 0);
}

static void listen_here(struct side *s)
{
    struct iip_addrs at;
    uint16_t i;
    memset(&at, 0, sizeof at);
    for (i = 0; i < PORTS; i++) {
        struct iip_op op = {.code = IIP_OP_LISTEN, .len = 4096, .arg = (uintptr_t)&at};
        at.local.port = PORT + i;
        if (iip_loop_op(s->loop, &op) != IIP_OK)
            wrong(&totals.errors, "cannot listen: %s", iip_status_name(op.status));
    }
}

/* Turns on, as buffers still come back, until it is told to end. */
static void close_down(struct side *s)
{
    if (iip_loop_close(s->loop) != IIP_OK)
        wrong(&totals.errors, "the loop cannot be closed");
    while (atomic_load(&s->phase) < PHASE_END) {
        turn(s);
        if (s->turn.state & IIP_STATE_CLOSED)
            atomic_store(&s->rests, 1);
    }
    turn(s);
    turn(s);
}

static void *run(void *arg)
{
    struct side *s = arg;
    enum phase phase;
    if (iip_loop_attach(s->loop) != IIP_OK || iip_loop_area(s->loop, &s->area) != IIP_OK)
        wrong(&totals.errors, "the loop cannot be attached");
    if (!s->opens)
        listen_here(s);
    atomic_store(&s->listens, 1);
    while ((phase = (enum phase)atomic_load(&s->phase)) < PHASE_CLOSE) {
        if (s->opens && phase == PHASE_RUN)
            open_some(s);
        turn(s);
        send_all(s);
        atomic_store(&s->rests, s->live == 0);
    }
    atomic_store(&s->rests, 0);
    close_down(s);
    if (s->live)
        wrong(&totals.errors, "%u connections have not said CLOSED", s->live);
    iip_loop_detach(s->loop);
    return NULL;
}

void side_start(struct side *s)
{
    s->area.size = sizeof s->area;
    s->turn.size = sizeof s->turn;
    s->talk_cap = (uint32_t)(s->options->connections * 8 + 4096);
    s->talks = calloc(s->talk_cap, sizeof *s->talks);
    s->ready = calloc(s->talk_cap, sizeof *s->ready);
    if (!s->talks || !s->ready)
        abort();
    pthread_create(&s->thread, NULL, run, s);
}

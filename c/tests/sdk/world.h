/*
 * world.h - two engines of one loop each, face to face on a port, for tests of the whole library.
 *
 *     struct side a, b;
 *     world_open(&a, &b, "pair:x");          a is 10.0.0.1 and fd00::1, b is 10.0.0.2 and fd00::2
 *     turn(&a, IIP_TURN_FLUSH); ...          events in a.area.events[0 .. a.turn.event_n)
 *     world_close(&a, &b);                   checks that nothing leaked
 */
#ifndef IIP_TESTS_SDK_WORLD_H
#define IIP_TESTS_SDK_WORLD_H

#include <time.h>
#include <unistd.h>

#include "check.h"
#include "iip/iip.h"

struct side {
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
    uint64_t conn;  /* what tests with one connection need */
    uint64_t got;   /* bytes of DATA seen by turn_seen */
    uint32_t seen;  /* 1 << type of all events seen */
    int32_t reason; /* of the last CLOSED */
};

static inline struct iip_engine_cfg side_cfg(const char *port, int number)
{
    struct iip_engine_cfg cfg;
    memset(&cfg, 0, sizeof cfg);
    cfg.size = sizeof cfg;
    cfg.port = port;
    cfg.addresses = number == 1 ? "10.0.0.1/24 fd00::1/64" : "10.0.0.2/24 fd00::2/64";
    return cfg;
}

static inline int side_open(struct side *s, const struct iip_engine_cfg *cfg)
{
    char why[256];
    memset(s, 0, sizeof *s);
    if (!CHECK_EQ(iip_engine_open(cfg, &s->engine, why, sizeof why), IIP_OK)) {
        printf("    %s\n", why);
        return 0;
    }
    s->area.size = sizeof s->area;
    s->turn.size = sizeof s->turn;
    return CHECK_EQ(iip_engine_loop(s->engine, 0, &s->loop), IIP_OK) && CHECK_EQ(iip_loop_attach(s->loop), IIP_OK) &&
        CHECK_EQ(iip_loop_area(s->loop, &s->area), IIP_OK);
}

/* The first turn tells that the other end is there. */
static inline void side_settle(struct side *s)
{
    s->turn.event_max = 1;
    iip_loop_turn(s->loop, &s->turn);
    CHECK_EQ(s->turn.event_n ? s->area.events[0].type : IIP_EVENT_LINK, IIP_EVENT_LINK);
    s->turn.event_max = 0;
    iip_loop_turn(s->loop, &s->turn);
    CHECK_EQ(s->turn.event_n, 0);
}

static inline void world_open(struct side *a, struct side *b, const char *port)
{
    struct iip_engine_cfg one = side_cfg(port, 1), two = side_cfg(port, 2);
    if (!side_open(a, &one) || !side_open(b, &two))
        exit(1);
    side_settle(a);
    side_settle(b);
}

static inline const struct iip_event *event(const struct side *s, uint32_t i)
{
    return &s->area.events[i];
}

/* One turn; the number of events. */
static inline int32_t turn(struct side *s, uint32_t flags)
{
    int32_t n;
    s->turn.flags = flags;
    n = iip_loop_turn(s->loop, &s->turn);
    CHECK(n >= 0 && (uint32_t)n == s->turn.event_n);
    return n;
}

/* The next operation of the coming turn, zeroed. */
static inline struct iip_op *next_op(struct side *s, uint32_t code, uint64_t obj)
{
    struct iip_op *op = &s->area.ops[s->turn.op_n++];
    memset(op, 0, sizeof *op);
    op->code = (uint16_t)code;
    op->obj = obj;
    return op;
}

static inline void release(struct side *s, uint64_t buf)
{
    s->area.releases[s->turn.release_n++] = buf;
}

/* What another thread, or a language, does without a call: see struct iip_area. */
static inline void wake_by_words(const struct side *s)
{
    static const uint64_t one = 1;
    __atomic_store_n(s->area.woken, 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(s->area.parked, __ATOMIC_RELAXED))
        CHECK_EQ(write(s->area.wake_fd, &one, sizeof one), sizeof one);
}

/* A turn that notes what there was to see and gives buffers back. */
static inline void turn_seen(struct side *s, uint32_t flags)
{
    uint32_t i;
    turn(s, flags);
    for (i = 0; i < s->turn.event_n; i++) {
        const struct iip_event *ev = event(s, i);
        s->seen |= 1u << ev->type;
        if (ev->type == IIP_EVENT_ACCEPT)
            s->conn = ev->src;
        if (ev->type == IIP_EVENT_CLOSED)
            s->reason = ev->status;
        if (ev->type == IIP_EVENT_DATA)
            s->got += ev->len;
        if (ev->buf)
            release(s, ev->buf);
    }
}

/* Whether to wait on, `began` being 0 at first. A minute ends a test that hangs, and no other, however slow the machine. */
static inline int patient(time_t *began)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!*began)
        *began = now.tv_sec;
    return now.tv_sec - *began < 60;
}

/* Both turn until each has seen what it should; 0: that never came. */
static inline int until(struct side *a, uint32_t a_seen, struct side *b, uint32_t b_seen)
{
    time_t began = 0;
    int i;
    for (i = 0; i < 100 || patient(&began); i++) {
        turn_seen(a, IIP_TURN_FLUSH);
        turn_seen(b, IIP_TURN_FLUSH);
        if ((a->seen & a_seen) == a_seen && (b->seen & b_seen) == b_seen)
            return 1;
        if (i > 100)
            usleep(100); /* something waits for a timer */
    }
    return CHECK(!"the events that were waited for came");
}

enum {
    SAW_ACCEPT = 1 << IIP_EVENT_ACCEPT,
    SAW_CONNECTED = 1 << IIP_EVENT_CONNECTED,
    SAW_DATA = 1 << IIP_EVENT_DATA,
    SAW_FIN = 1 << IIP_EVENT_FIN,
    SAW_WRITABLE = 1 << IIP_EVENT_WRITABLE,
    SAW_CLOSED = 1 << IIP_EVENT_CLOSED,
    SAW_TX_DONE = 1 << IIP_EVENT_TX_DONE,
    SAW_UDP = 1 << IIP_EVENT_UDP
};

/* b listens on port 80, a connects: both hold .conn. */
static inline void world_connect(struct side *a, struct side *b)
{
    uint64_t lis;
    CHECK_EQ(iip_loop_listen(b->loop, ":80", 77, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a->loop, "10.0.0.2:80", 78, &a->conn), IIP_OK);
    until(a, SAW_CONNECTED, b, SAW_ACCEPT);
    CHECK_EQ(iip_handle_close(lis), IIP_OK);
    until(a, 0, b, SAW_CLOSED);
    a->seen = b->seen = 0;
}

static inline void side_close(struct side *s)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    if (s->turn.release_n)
        turn(s, 0);
    CHECK_EQ(iip_engine_close(s->engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs, 0);
    CHECK_EQ(leaks.conns, 0);
    CHECK_EQ(leaks.listeners + leaks.udps + leaks.timers + leaks.externs + leaks.regions, 0);
}

static inline void world_close(struct side *a, struct side *b)
{
    side_close(a);
    side_close(b);
}

#endif

/*
 * monkey.h - two engines on a simulated wire, and applications that do anything that is allowed, at random, by a seed.
 *
 *     main.c   seeds, and what is printed of one that fails
 *     run.c    one seed: engines with small arrays and few buffers, turns, the ways in which it ends
 *     act.c    what an application does between two turns
 *     look.c   what it was told, held against what it knows
 *     model.c  what it knows: connections, timers, buffers, memory that is being sent
 *
 * Byte i of a stream is iip_monkey_bytes[(key + i) % MONKEY_PERIOD], with a key from the client's port and the direction.
 */
#ifndef IIP_TESTS_MONKEY_H
#define IIP_TESTS_MONKEY_H

#include <setjmp.h>

#include "sdk/world.h"

enum {
    MONKEY_CONNS = 64,
    MONKEY_TIMERS = 16,
    MONKEY_OPS = 64,
    MONKEY_HELD = 1024,
    MONKEY_PERIOD = 4093,
    MONKEY_CHUNK = 5000, /* bytes of one send at most */
    MONKEY_PORT = 80
};

struct monkey_conn {
    uint64_t handle; /* 0: none */
    uint64_t sent, got;
    uint32_t key;      /* of what it sends; what it gets has the other one of the pair */
    uint32_t accepted; /* by the listener, else ours */
    uint32_t connected, shut, closed, fin;
    uint32_t posted;   /* bytes of a send on its way through the queue of posts: no other meanwhile */
    uint32_t owed;     /* less was taken than offered: a WRITABLE is to come, one */
    uint32_t claimed;  /* bytes of the sends of this turn */
};

struct monkey_sent { /* what the operations of a turn were about, in order */
    struct monkey_conn *conn;
    uint64_t handle;
};

struct monkey {
    struct side s;
    struct monkey_run *run;
    struct iip_addr address;
    uint64_t listener, region;
    struct monkey_conn conns[MONKEY_CONNS];
    struct monkey_sent sent[MONKEY_OPS];
    uint64_t timers[MONKEY_TIMERS];
    uint64_t held[MONKEY_HELD];
    uint32_t held_n;
    uint32_t externs; /* of registered memory: sends whose TX_DONE is to come */
    uint32_t index;
    uint32_t gone;    /* the engine is closed */
};

struct monkey_run {
    uint64_t seed, random;
    struct monkey side[2];
    jmp_buf fail;
    char reason[256];
    int verbose;
    uint64_t turns, bytes, conns; /* of all seeds: what was done */
};

extern uint8_t iip_monkey_bytes[MONKEY_PERIOD + MONKEY_CHUNK];

/* model.c */
_Noreturn void monkey_fail(struct monkey *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t monkey_random(struct monkey_run *run);
uint32_t monkey_below(struct monkey_run *run, uint32_t n); /* 0 .. n - 1 */
struct monkey_conn *monkey_conn_new(struct monkey *m, uint64_t handle, int accepted);
struct monkey_conn *monkey_conn_find(struct monkey *m, uint64_t handle);
struct monkey_conn *monkey_conn_any(struct monkey *m); /* null: there is none */
const uint8_t *monkey_stream(const struct monkey_conn *c, uint64_t at);
void monkey_hold(struct monkey *m, uint64_t buf);
uint64_t monkey_unhold(struct monkey *m); /* any; 0: none is held */

/* act.c */
void monkey_act(struct monkey *m);      /* fills the operations and releases of the coming turn */
void monkey_release_all(struct monkey *m);

/* look.c */
void monkey_look(struct monkey *m, uint32_t ops); /* at what the turn answered to so many operations, and its events */

/* run.c; 0: it failed, and run->reason says why */
int monkey_seed(struct monkey_run *run, uint64_t seed);

#endif

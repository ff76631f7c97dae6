/*
 * soak.h - many connections whose received buffers other threads keep, check and release at random.
 *
 * Two engines stand face to face on a port, each turned by a thread of its own (side.c, talk.c). What a connection
 * sends, how much and how it ends is a function of its number (plan.c), so whoever receives knows what is right without
 * asking. Received buffers go to the keepers (keep.c), which look at the bytes again when they give them back. A run is
 * a row of rounds, each with engines of another size and another end (round.c).
 */
#ifndef IIP_TESTS_SOAK_H
#define IIP_TESTS_SOAK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "iip/iip.h"

enum { PATIENCE_S = 120 }; /* what takes longer has come to a standstill */

/* What is spoilt on purpose, to see it noticed. */
enum fault { FAULT_NONE, FAULT_STALE, FAULT_LEAK, FAULT_TWICE };

struct options {
    uint64_t seconds, connections, threads, seed;
    const char *port;
    enum fault fault;
};

/* What went wrong, and how much was done; of all rounds. */
struct totals {
    _Atomic uint64_t stale;   /* bytes that were not, or no longer, those of the stream */
    _Atomic uint64_t errors;  /* statuses, counts, accounts and ends that should not be */
    _Atomic uint64_t leaks;   /* buffers and objects that did not come back */
    _Atomic uint64_t opened, finished, bytes, retained, detached, copied, low, kept, kept_max;
    uint64_t drop_pressure;
};
extern struct totals totals;

/* Says what is wrong, the first few times, and counts it in `which`. */
void wrong(_Atomic uint64_t *which, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- random numbers, content, plans (plan.c) ---- */

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);
uint64_t now_ms(void);

enum ending { END_FIN, END_CLOSE, END_ABORT };

/* One direction of a connection. */
struct plan {
    uint64_t key;      /* of its content */
    uint64_t bytes;    /* its length; that of the opening side begins with the eight bytes of the number */
    enum ending ending;
};
enum { ID_BYTES = 8 };
struct plan plan_of(uint64_t id, int answering);
void content_fill(uint64_t key, uint64_t offset, uint8_t *out, uint32_t n);
/* n when all bytes are right, else the place of the first that is not. */
uint32_t content_check(uint64_t key, uint64_t offset, const uint8_t *bytes, uint32_t n);

/* ---- keepers (keep.c) ---- */

/* A reference to a buffer and what its bytes should be. */
struct kept {
    uint64_t buf;
    const uint8_t *bytes;
    uint64_t key, offset;
    uint32_t len;
    uint32_t whole; /* 1: these are all bytes of the buffer */
};

struct kept_list {
    struct kept *items;
    size_t n, cap;
};
void kept_add(struct kept_list *list, const struct kept *item);

struct keeper {
    pthread_t thread;
    pthread_mutex_t lock;
    struct kept_list inbox;  /* under the lock */
    struct kept_list mine;
    struct rng rng;
    enum fault fault;
    const atomic_int *low;   /* of both engines: buffers are few */
    uint64_t until_ms;       /* of what it aims at */
    size_t aim;              /* buffers that it keeps */
    int soft;                /* gives up its aim when buffers are few */
    atomic_int empty, stop;  /* orders: keep none; release all and end */
    uint64_t released;
};
void keeper_start(struct keeper *k);
void keeper_give(struct keeper *k, const struct kept *item); /* any thread */
void keeper_end(struct keeper *k);
/* Whether the bytes are right. */
int kept_check(const struct kept *item, const char *when);

/* ---- one connection, one end (talk.c) ---- */

struct side;

struct talk {
    uint64_t conn;
    uint64_t id;         /* 0: not known yet (answering side) */
    struct plan in, out;
    uint64_t got, sent;
    uint8_t number[ID_BYTES];
    uint8_t connected, queued, blocked, finished, fin;
    uint64_t part;       /* buffer that was not taken whole, or 0 */
    uint32_t part_at, part_end;
};

struct talk *talk_new(struct side *s, uint64_t conn, uint64_t id);
void talk_event(struct side *s, struct talk *t, const struct iip_event *e);
void talk_send(struct side *s, struct talk *t); /* its turn to send has come */

/* ---- one end of the wire (side.c) ---- */

enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_CLOSE, PHASE_END };

struct side {
    const struct options *options;
    int opens;                  /* 1: the side that opens connections */
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
    pthread_t thread;
    struct rng rng;
    struct keeper *keepers;
    struct kept_list late;      /* kept until the engines close */
    uint64_t ids;               /* number of the last connection; grows over all rounds */
    struct talk **talks;        /* by slot of the handle */
    uint32_t talk_cap, live;
    uint32_t *ready, ready_at, ready_n;
    uint8_t scratch[1 << 14];
    atomic_int *low;
    atomic_int phase;           /* order */
    atomic_int rests;           /* no connection lives; in PHASE_CLOSE: the loop is closed */
    atomic_int listens;
};
void side_start(struct side *s);
void side_ready(struct side *s, struct talk *t); /* it gets a turn to send */
/* A status that is none of an operation's ordinary ends. */
int side_failed(int32_t st);

/* ---- rounds (round.c) ---- */

/* Runs one round of `ms` at least; 0 when it cannot go on. */
int round_run(const struct options *o, uint64_t number, uint64_t ms);

#endif

/*
 * common.h - what the examples share: the command line, one thread a loop, and the two queues of a connection.
 *
 * An example is a main that fills a struct ex_config, and a function that turns one loop:
 *
 *     static void my_loop(struct ex_loop *l)
 *     {
 *         uint32_t i;
 *         while (ex_turn(l))
 *             for (i = 0; i < l->turn.event_n; i++)
 *                 my_event(l, &l->area.events[i]);
 *     }
 *
 * Everything here is plain use of <iip/iip.h>; copy what you need.
 */
#ifndef EX_COMMON_H
#define EX_COMMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include <iip/iip.h>

/* ---- command line (options.c) ---------------------------------------------------------------------------------- */

/* What all examples understand. Strings live as long as the process. */
struct ex_config {
    const char *program;    /* "iip_echo" */
    const char *about;      /* one line for --help */
    const char *port;       /* "pair:a" ...; null: "tap:iip0" */
    char *addresses;        /* "10.0.0.2/24 fd00::2/64" */
    char *routes;           /* "default via 10.0.0.1" */
    char *tunables;         /* "tcp.mss=1400,tcp.sack=0" */
    const char *pcap;       /* record to this file, or null */
    const char *stats_json; /* statistics to this file, at the end and on SIGUSR1, or null */
    uint64_t listen;        /* port; 0: none */
    uint64_t loops;
    const char *model;      /* "unified", "split", "merge"; null: unified */
    uint32_t cores;         /* the same as IIP_CORES_... */
    double duration_s;      /* 0: until a signal */
};

enum { EX_END, EX_FLAG, EX_TEXT, EX_LIST, EX_NUMBER, EX_SECONDS };

/* One option: where its value goes. An array ends with type EX_END. */
struct ex_option {
    int type;          /* EX_FLAG: int; EX_TEXT: const char *; EX_LIST: char *; EX_NUMBER: uint64_t; EX_SECONDS: double */
    const char *name;  /* "listen" for --listen */
    const char *value; /* "PORT": for --help */
    void *to;
    const char *help;
    uint64_t min, max; /* EX_NUMBER */
    const char *join;  /* EX_LIST: between the values */
    const char *each;  /* EX_LIST: before each value, or null */
};

/* Reads the command line by the common options and `own`; on a mistake says what is wrong and exits with 2. */
void ex_options(struct ex_config *cfg, const struct ex_option *own, int argc, char **argv);
/* "iip_http: --root /x: No such directory" and exit 2: for what only the example itself can judge. */
void ex_usage(const struct ex_config *cfg, const char *option, const char *value, const char *remedy);

/* ---- engine, threads, signals (run.c, net.c) -------------------------------------------------------------------------- */

enum { EX_COUNTS = 16 }; /* numbers that an example counts, at most */

struct ex_loop;
typedef void ex_worker(struct ex_loop *l);

/* An engine with one thread a loop. */
struct ex_run {
    struct ex_config *cfg;
    ex_worker *worker;
    void *user;                     /* the example's own */
    const char *const *count_names; /* of ex_loop.count, null at the end; may be null */
    int no_listener;                /* 1: --listen is not for TCP, the example does it itself */
    struct iip_engine *engine;
    struct iip_engine_info info;
    struct iip_leaks leaks;         /* filled by ex_run_end */
    struct ex_loop *loops;
    uint64_t listener;
    uint64_t begin_ns;
    atomic_int stop;
    atomic_int net_stop;            /* the networking threads end */
    atomic_int failed;
    atomic_uint alive;              /* loops that still turn */
    atomic_uint ready;              /* loops that listen */
};

/* All of it: start, wait for a signal, for --duration or for the workers' end, stop, statistics. Returns the exit code. */
int ex_main(struct ex_run *run);
/* The same in steps, for programs with two engines. ex_run_begin: 0, or the exit code, after it said why. */
void ex_signals(void); /* first of all: signals are waited for, not handled */
int ex_run_begin(struct ex_run *run);
int ex_run_wait(struct ex_run *run); /* 0: ended as it should */
void ex_run_over(struct ex_run *run); /* tells all loops to come to their end; from any thread */
void ex_run_stop(struct ex_run *run); /* all loops come to their end; counters stand still then */
int ex_run_end(struct ex_run *run);   /* closes the engine. 0: nothing failed and nothing leaked */
uint64_t ex_now_ns(void);            /* CLOCK_MONOTONIC */

/* --model (net.c): where networking has a thread of its own. Nothing at all in the unified model. */
int ex_net_begin(struct ex_loop *l);
void ex_net_end(struct ex_loop *l);
void ex_net_pin(const struct ex_loop *l); /* both threads of a merged loop: to the same core */

/* ---- statistics (stats.c) -------------------------------------------------------------------------------------- */

/* Sums over all loops: of a counter of the stack, of a number that the example counts. Any thread. */
uint64_t ex_counter(struct ex_run *run, const char *name);
uint64_t ex_total(struct ex_run *run, uint32_t i);
/* "drop_tcp_csum 3, drop_arp 1": what the stack dropped and why, or "none". */
void ex_drops(struct ex_run *run, char *out, uint32_t cap);
/* Writes the statistics as one JSON object, as README.md says. Any thread. */
void ex_stats_json(struct ex_run *run, FILE *f);

/* ---- one loop (loop.c) ----------------------------------------------------------------------------------------- */

struct ex_stream;

/* A doubly linked list with a head of the same type. */
struct ex_list {
    struct ex_list *next, *prev;
};
void ex_list_init(struct ex_list *list);
void ex_list_put(struct ex_list *list, struct ex_list *item); /* at the end */
void ex_list_cut(struct ex_list *item);                       /* harmless when it is in none */
int ex_list_empty(const struct ex_list *list);

struct ex_loop {
    struct ex_run *run;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
    uint32_t index;
    uint32_t ops_done;             /* operations of the last turn */
    struct ex_stream **op_owner;   /* whose send each operation is */
    void **conns;                  /* by slot of the handle */
    uint32_t conn_cap;
    uint32_t ready_n;
    struct ex_list ready;          /* streams that go on in the next turn */
    void *app;                     /* the example's own */
    uint64_t now_ns;               /* when the last turn ended */
    int closing;
    uint64_t close_ns;             /* since when */
    pthread_t thread;
    pthread_t net;                 /* split, merge: does the networking, while net_runs */
    int net_runs;
    _Atomic uint64_t count[EX_COUNTS];
};

/* One turn, waiting if there is nothing to do. 0 when the loop has come to its end; until then look at the events. */
int ex_turn(struct ex_loop *l);
/* This loop has done its work: closes it; ex_turn comes to its end soon. */
void ex_finish(struct ex_loop *l);
/* A zeroed operation of the next turn; null when there is no room (an example's limit, not an error of the network). */
struct iip_op *ex_op(struct ex_loop *l, uint16_t code, uint64_t obj);
/* Gives a buffer back with the next turn. */
void ex_release(struct ex_loop *l, uint64_t buf);
void ex_count(struct ex_loop *l, uint32_t i, uint64_t n);
/* For examples that do not listen by --listen: this loop serves now. The last one prints the line "ready". */
void ex_ready(struct ex_loop *l);

/*
 * What belongs to a handle. An accept and the first bytes may come up in the same turn, when the new connection has no
 * cookie of its own yet; so the examples find their state by the slot in the handle, which is small and dense.
 */
int ex_bind(struct ex_loop *l, uint64_t handle, void *state); /* null: forget. -1: no memory */
void *ex_bound(const struct ex_loop *l, uint64_t handle);     /* or null */

/* ---- the two queues of a connection (stream.c) ----------------------------------------------------------------- */

enum { EX_BURST = 16 }; /* buffers that one connection sends in a turn: the others get their share */

struct ex_data { /* received and not used yet */
    struct ex_data *next;
    uint64_t buf;
    const uint8_t *bytes;
    uint32_t len;
};

struct ex_piece { /* offered and not taken yet */
    uint64_t buf;
    uint32_t offset, len, flags; /* IIP_OP_SHUT: the last one */
};

/* First member of an example's connection. */
struct ex_stream {
    struct ex_list ready;
    uint64_t conn;
    struct ex_data *in, **in_end; /* from the front; whatever stays here keeps the peer's window closed */
    uint8_t eof;                  /* the peer sent its last byte */
    uint8_t shut;                 /* we did */
    uint8_t blocked;              /* the stack took less than it was offered: WRITABLE will come */
    uint8_t burst;                /* buffers submitted for the next turn */
    uint8_t held_n;
    struct ex_piece held[EX_BURST];
};

/* Makes the stream of a new connection known. -1: no memory. */
int ex_stream_init(struct ex_loop *l, struct ex_stream *s, uint64_t conn);
/* After the CLOSED event: gives everything back. */
void ex_stream_end(struct ex_loop *l, struct ex_stream *s);
/* A DATA event; -1: no memory, and the connection is being aborted. */
int ex_data_put(struct ex_loop *l, struct ex_stream *s, const struct iip_event *e);
/* The first n bytes of s->in (not more than its len) are used up. */
void ex_data_used(struct ex_loop *l, struct ex_stream *s, uint32_t n);
/* An empty buffer for this connection. Null: not now; the example's function is to be called again on the WRITABLE
   event, or through ex_ready_next. */
const struct iip_span *ex_take(struct ex_loop *l, struct ex_stream *s);
/* Sends the first len bytes (at least one) of the buffer. */
void ex_send(struct ex_loop *l, struct ex_stream *s, const struct iip_span *to, uint32_t len);
/* No more to send: a FIN follows what was sent so far. */
void ex_shut(struct ex_loop *l, struct ex_stream *s);
/* On WRITABLE: offers again what was not taken, in this turn or, where all connections offer at once, in a later one. */
void ex_writable(struct ex_loop *l, struct ex_stream *s);
/* Streams that ran out of buffers or of their burst in the last turn, one a call, `*left` times at most. */
struct ex_stream *ex_ready_next(struct ex_loop *l, uint32_t *left);
/* Internal: what the turn said about sends. */
void ex_sent(struct ex_loop *l);

#endif

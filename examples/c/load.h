/* load.h - what the files of iip_load share. */
#ifndef EX_LOAD_H
#define EX_LOAD_H

#include "common.h"
#include "hist.h"
#include "http_parser.h"

enum { LOAD_PP, LOAD_SEND, LOAD_RECV, LOAD_HTTP };

struct load_result {
    uint64_t requests;     /* messages that came back whole; bulk: connections that came to a good end */
    uint64_t bytes;        /* of payload, verified or sent */
    uint64_t errors;       /* connections that failed or ended early */
    uint64_t mismatches;   /* bytes, lengths or answers that were not what they must be */
    struct hist latency;   /* ns */
};

/* What is to be done, by all loops together. */
struct load_plan {
    int mode;
    struct iip_addr peer;
    char request[512];     /* LOAD_HTTP */
    uint64_t expect;       /* LOAD_HTTP: bytes of /bytes/N; UINT64_MAX: any body, not verified */
    uint64_t conns;
    uint64_t size, depth;  /* LOAD_PP: bytes of a message; messages on their way at a time (LOAD_HTTP too) */
    uint64_t count;        /* messages; 0: until the time is over */
    uint64_t bytes;        /* bulk: of each connection; 0: until the time is over */
    double duration_s;     /* 0: no limit */
    atomic_uint loops_done; /* ... that have nothing more to do */
    pthread_mutex_t lock;  /* of what follows */
    struct load_result sum;
    double seconds;        /* of the slowest loop */
};

enum { LOAD_DEPTH_MAX = 256 };

struct load_conn {
    struct ex_stream s;
    uint64_t sent, allowed;          /* bytes, in stream positions */
    uint64_t received;
    uint64_t started, finished;      /* messages */
    uint64_t stamp_ns[LOAD_DEPTH_MAX];
    uint8_t connected, ended;        /* ended: our side has no more to say, on purpose */
    uint8_t in_body, bad;
    uint32_t head_n, scanned;
    uint64_t body_at, body_left;
    char head[1024];
};

struct load {                        /* one a loop */
    struct ex_loop *l;
    struct load_plan *plan;
    struct load_result result;
    uint64_t quota;                  /* messages that may still be started */
    uint64_t to_open, open;          /* connections */
    uint64_t opening;
    int met;                         /* the peer answered once */
    uint64_t begin_ns;
    int over;                        /* the time is up */
};

enum { LOAD_N_OPENED, LOAD_N_MESSAGES, LOAD_N_BYTES };
extern const char *const load_counts[];

/* The workers: client and server. ex_run.user is the plan. */
void load_loop(struct ex_loop *l);
void load_serve_loop(struct ex_loop *l);

/* What is said on a connection (load_talk.c). */
void load_start(struct load *ld, struct load_conn *c);                             /* connected: the first messages */
uint32_t load_out(struct load *ld, struct load_conn *c, uint8_t *to, uint32_t n); /* bytes to send now; 0: none */
void load_in(struct load *ld, struct load_conn *c, const uint8_t *p, uint32_t n);
void load_fin(struct load *ld, struct load_conn *c);                               /* the peer said all */
int load_idle(struct load *ld, struct load_conn *c);                               /* 1: nothing more to do: shut */

/* "http", the peer and the path to a request and what it must bring. -1: the path is none, or too long. */
int load_http_request(struct load_plan *plan, const char *path);
void load_plan_init(struct load_plan *plan);
/* A table and the JSON line. */
void load_report(struct load_plan *plan, struct ex_run *run, int json_only);

/* Gives a client and a server on the two ends of one in-memory port what differs between them. */
void load_two_ends(struct ex_config *server, struct ex_config *client, struct iip_addr *peer);
/* Runs both until the client is done; exit code. `report`: called while both engines live. */
int load_both(struct ex_run *server, struct ex_run *client,
              void (*report)(struct ex_run *server, struct ex_run *client));

#endif

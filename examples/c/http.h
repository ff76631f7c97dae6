/* http.h - what the files of iip_http share. */
#ifndef EX_HTTP_H
#define EX_HTTP_H

#include "common.h"
#include "http_parser.h"
#include "sha256.h"

#include <time.h>

/* ---- what is served (http_file.c) ------------------------------------------------------------------------------ */

struct http_site {
    const char *root;      /* directory, or null: only what is built in */
    int root_fd;
    uint64_t body_max;     /* bytes of a request body to /sink */
    double head_s, body_s, idle_s;
};

enum { HTTP_EMPTY, HTTP_MEMORY, HTTP_FILE, HTTP_PATTERN };

/* The body of an answer, read from its front. */
struct http_body {
    int kind;
    int fd;             /* HTTP_FILE: closed by http_body_end */
    char *memory;       /* HTTP_MEMORY: freed by http_body_end */
    uint64_t at, end;
    const char *type;   /* Content-Type */
};

/* Finds what a path (decoded, without steps upwards) names: 200 and a body, 301 (a directory without its '/'), 404. */
int http_find(const struct http_site *site, const char *path, struct http_body *body);
/* A body of text; -1: no memory. */
int http_body_text(struct http_body *body, const char *type, const char *text);
/* Up to n of the next bytes; 0 at the end, -1: the file became shorter or cannot be read. */
int32_t http_body_read(struct http_body *body, uint8_t *to, uint32_t n);
void http_body_end(struct http_body *body);
const char *http_type(const char *path);

/* ---- one connection (http.c, http_conn.c, http_answer.c) -------------------------------------------------------------------- */

enum { HTTP_HEAD_MAX = 8192, HTTP_TEXT_MAX = 640, HTTP_DISCARD_MAX = 1 << 20 };

/* Where a connection is; each but the last has a time limit. */
enum { HTTP_IDLE, HTTP_HEAD, HTTP_BODY, HTTP_ANSWER, HTTP_LINGER, HTTP_PHASES };

struct http_conn {
    struct ex_stream s;
    struct ex_list link;        /* in http.phase[phase] */
    uint64_t since_us;          /* in this phase, or last seen to advance */
    uint64_t progress;          /* bytes since then */
    uint8_t phase;
    uint8_t keep;               /* another request may follow this one */
    uint8_t head_only;          /* HEAD: the answer has no body */
    /* request */
    char *head;                 /* a head in several pieces is put together here */
    uint32_t head_n, scanned;
    uint8_t chunked;
    uint64_t body_left;         /* with Content-Length */
    uint64_t body_n;            /* so far */
    uint64_t body_max;
    struct http_chunks chunks;
    struct sha256 *sha;         /* of a body to /sink; null: it is only counted */
    /* answer */
    char text[HTTP_TEXT_MAX];   /* its head, not sent yet */
    uint32_t text_at, text_n;
    struct http_body body;
    /* the buffer that is being filled */
    const struct iip_span *to;
    uint32_t to_n;
};

enum { HTTP_N_ACCEPTED, HTTP_N_CLOSED, HTTP_N_REQUESTS, HTTP_N_OK, HTTP_N_REFUSED, HTTP_N_TIMEOUTS, HTTP_N_BYTES };
extern const char *const http_counts[];

struct http {                   /* one a loop */
    struct ex_loop *l;
    const struct http_site *site;
    struct ex_list phase[HTTP_PHASES]; /* in each the one that waits longest is first */
    char date[32];              /* of this second */
    time_t date_of;
};

void http_loop(struct ex_loop *l); /* the worker; ex_run.user is the site */

/* Makes the answer to a request whose head is whole, or to a mistake. */
void http_answer(struct http *h, struct http_conn *c, const struct http_request *req);
void http_answer_status(struct http *h, struct http_conn *c, int status); /* and the connection ends behind it */
void http_answer_sink(struct http *h, struct http_conn *c);
void http_phase(struct http *h, struct http_conn *c, uint8_t phase);
void http_conn_free(struct http *h, struct http_conn *c);

/* Goes on with a connection as far as its input, and room for its output, allow (http_conn.c). */
void http_go_on(struct http *h, struct http_conn *c);

/* The same server with a client of ours in one process, on a pair: port. Returns the exit code. */
int http_self_test(struct ex_config *cfg, struct http_site *site, uint64_t requests);

#endif

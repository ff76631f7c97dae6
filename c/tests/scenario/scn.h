/* scn.h - what the files of the scenario runner share. README.md describes the language. */
#ifndef TEST_SCN_H
#define TEST_SCN_H

#include <setjmp.h>
#include <stdio.h>

#include "segment.h"
#include "testhost.h"

enum { MAX_FLOWS = 8, MAX_WORDS = 40, MAX_OPTS = 24, MAX_NOTES = 256, MAX_BURST = 256, MAX_KEPT = 512 };

/* An option as a script writes it. */
struct opt_text {
    uint8_t kind;
    uint8_t any;         /* bit 0: the first number is not compared, bit 1: the second */
    uint8_t count;       /* SACK blocks, or raw bytes */
    uint8_t raw[40];
    uint32_t n[8];       /* relative where the option speaks of sequence numbers */
};

enum { OPTS_NONE, OPTS_LIST, OPTS_ANY };

/* A segment as a script writes it: relative numbers, and what is not to be compared. */
struct seg_text {
    uint8_t flags, flags_open;   /* flags_open: these may be set or not */
    uint8_t has_seq, has_ack, has_win, has_urg, has_ttl, has_tos, any_len;
    uint8_t opts_mode, opt_count;
    struct opt_text opts[MAX_OPTS];
    int64_t seq, ack;            /* relative */
    uint32_t len, win, urg, ttl, tos;
    /* injection only */
    int badsum, doff, chop, fill;
    int bcast;                   /* in a broadcast frame */
    uint32_t flip;               /* bit + 1 of the packet to flip */
};

struct flow {
    char name[16];
    struct iip_endpoint local, peer;
    struct iip_tcp_conn *conn;
    uint32_t peer_isn, own_isn, ts_base;
    int own_known, ts_known;
    uint64_t written, received, claimed; /* stream offsets: written by us, verified, asserted by `data` */
    struct iip_pkt *kept[MAX_KEPT];      /* packets of DATA notes not yet credited */
    int kept_count;
};

struct sent {
    struct sent *next;
    uint64_t at;
    uint32_t len;
    uint8_t bytes[];
};

struct run {
    const char *file;
    int line;
    const char *text;
    char title[160];
    jmp_buf fail;
    int verbose, sections;

    struct testhost th;
    struct iip_stack *stk;
    struct iip_stack_cfg cfg;
    int family;
    uint64_t start, now, mark;
    struct flow flows[MAX_FLOWS];
    int flow_count;
    struct flow *flow;           /* of this line */
    struct iip_tcp_listener *listener;
    struct iip_udp_sock *udp;
    struct sent *first, **last;
    struct iip_note notes[MAX_NOTES];
    int note_count;
    int poll_notes, auto_credit;
    uint32_t views;
    struct iip_pkt *burst[MAX_BURST];
    uint32_t burst_count;
};

/* run.c */
void scn_fail(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
int64_t scn_number(struct run *r, const char *word);
int64_t scn_time(struct run *r, const char *word);
void scn_line(struct run *r, const char *line);

/* world.c: the stack, its clock and its notes */
void world_reset(struct run *r);
void world_need(struct run *r);                 /* makes the stack if there is none yet */
void world_end(struct run *r);                  /* checks the account and the leaks, frees */
void world_drop(struct run *r);                 /* frees after a failure */
void world_settle(struct run *r);               /* notes and output until quiet */
void world_advance(struct run *r, uint64_t to); /* runs every timer at its exact time; anything sent on the way fails */
void world_until(struct run *r, uint64_t to);   /* the same, but stops when something was sent */
void world_input(struct run *r, const uint8_t *bytes, uint32_t len, int more, int bcast);
void world_quiet(struct run *r);                /* fails when something was sent that no line expected */
void world_notes(struct run *r);
struct sent *world_take(struct run *r, struct flow *f);
struct flow *world_flow(struct run *r, const char *name, int make);
void world_credit(struct run *r, struct flow *f, uint64_t packets);

/* text.c: segments as text */
void text_parse(struct run *r, const struct flow *f, const char *text, int inject, struct seg_text *t);
uint32_t text_build(struct run *r, const struct flow *f, const struct seg_text *t, uint8_t *out, size_t cap);
void text_print(struct run *r, const struct flow *f, const struct segment *s, int outgoing, char *out, size_t cap);
int text_learn(struct flow *f, const struct segment *s);
/* Null, or what differs. */
const char *text_compare(struct run *r, struct flow *f, const struct seg_text *want, const struct segment *got);

/* ops.c: everything else that a line can say. Returns 0 when the word is unknown. */
int op_run(struct run *r, char **words, int n, const char *rest);
/* other.c: lines about other protocols */
void other_inject(struct run *r, char **words, int n);
void other_expect(struct run *r, char **words, int n);
const char *status_name(int status);

#endif

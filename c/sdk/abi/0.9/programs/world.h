/*
 * world.h - what the programs of this baseline share: checks, and two engines on a simulated wire.
 *
 * These programs are built as a program of 0.9 was: with the headers beside them, against the symbols of 0.9. They must
 * run with every later libiip of the same major version, so they are never changed once 0.9 is released.
 */
#ifndef OLD_WORLD_H
#define OLD_WORLD_H

#include <stdio.h>
#include <string.h>

#include <iip/iip.h>

static int failures;

#define CHECK(ok)                                                                                                      \
    do {                                                                                                               \
        if (!(ok)) {                                                                                                   \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #ok);                                                    \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)
#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        long long has_ = (long long)(a), wants_ = (long long)(b);                                                      \
        if (has_ != wants_) {                                                                                          \
            printf("%s:%d: failed: %s is %lld, not %s (%lld)\n", __FILE__, __LINE__, #a, has_, #b, wants_);          \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

/* A structure as this program knows it, and what lies behind it, where the library must not write. */
#define BOUNDED(type)                                                                                                  \
    struct {                                                                                                           \
        struct type s;                                                                                                 \
        uint8_t after[256];                                                                                            \
    }
#define BOUND(b) (memset(&(b), 0xa5, sizeof(b)), (b).s.size = sizeof((b).s), &(b).s)
#define CHECK_BOUND(b)                                                                                                 \
    do {                                                                                                               \
        for (size_t at = 0; at < sizeof((b).after); at++)                                                              \
            CHECK((b).after[at] == 0xa5);                                                                              \
        CHECK((b).s.size >= sizeof((b).s));                                                                            \
    } while (0)

enum { SEEN_MAX = 256 };

struct side {
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
    struct iip_event seen[SEEN_MAX]; /* all events so far */
    struct iip_addrs ends[SEEN_MAX]; /* of each */
    uint32_t seen_n;
};

static inline void side_open(struct side *s, const char *port, const char *addresses, uint8_t key)
{
    struct iip_engine_cfg cfg = {.size = sizeof cfg, .port = port, .addresses = addresses, .seed = key, .key = {key}};
    char why[256] = "";
    memset(s, 0, sizeof *s);
    CHECK_EQ(iip_engine_open(&cfg, &s->engine, why, sizeof why), IIP_OK);
    CHECK_EQ(iip_engine_loop(s->engine, 0, &s->loop), IIP_OK);
    CHECK_EQ(iip_loop_attach(s->loop), IIP_OK);
    s->area.size = sizeof s->area;
    s->turn.size = sizeof s->turn;
    CHECK_EQ(iip_loop_area(s->loop, &s->area), IIP_OK);
}

/* An operation of the coming turn. */
static inline struct iip_op *side_op(struct side *s, uint16_t code, uint64_t obj)
{
    struct iip_op *op = &s->area.ops[s->turn.op_n++];
    memset(op, 0, sizeof *op);
    op->code = code;
    op->obj = obj;
    return op;
}

static inline void side_turn(struct side *s)
{
    int32_t n = iip_loop_turn(s->loop, &s->turn);
    CHECK(n >= 0);
    CHECK_EQ(n, s->turn.event_n);
    for (int32_t i = 0; i < n && s->seen_n < SEEN_MAX; i++) {
        const struct iip_event *ev = &s->area.events[i];
        if (ev->aux)
            memcpy(&s->ends[s->seen_n], s->area.aux + ev->aux, sizeof s->ends[0]);
        s->seen[s->seen_n++] = *ev;
    }
}

/* Both turn, with time going by, until the first has seen an event of this type about `src` (0: any). */
static inline const struct iip_event *side_await(struct side *s, struct side *other, uint16_t type, uint64_t src)
{
    static const struct iip_event none;
    uint32_t at = 0;
    for (int rounds = 0; rounds < 20000; rounds++) {
        for (; at < s->seen_n; at++)
            if (s->seen[at].type == type && (!src || s->seen[at].src == src))
                return &s->seen[at];
        side_turn(s);
        side_turn(other);
        CHECK_EQ(iip_engine_advance(s->engine, 1000, NULL), IIP_OK);
    }
    printf("no event of type %u came\n", type);
    failures++;
    return &none;
}

static inline void side_forget(struct side *s)
{
    s->seen_n = 0;
}

static int done(void)
{
    printf(failures ? "%d checks failed\n" : "passed\n", failures);
    return failures != 0;
}

#endif

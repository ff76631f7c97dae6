//go:build cgo && !iip_system

/*
 * iip_lib.c - the ports of libiip and its interface in one file; the core is iip_core.c
 *
 * Made by c/tools/amalgamate_lib.py from the sources of libiip; change those, not this one.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define IIP_VERSION "0.9.0"
/* Names the release, the private interface and the compiler, as CMake's: a plug-in of another build is refused. */
#if defined(__clang__)
#define IIP_BUILD_ID "0.9.0-fe25c8cad66f"
#else
#define IIP_BUILD_ID "0.9.0-386d57f25286"
#endif

/* ==== c/io/args.c ==== */
/* args.c - the arguments of a port string. */

/* ==== c/io/args.h ==== */
/*
 * args.h - the arguments of a port string: "name,key=value,key=value".
 *
 * Each reader of a value names the key, the value and what would be right when it fails.
 */
#ifndef IIP_IO_ARGS_H
#define IIP_IO_ARGS_H

#include <stdint.h>


/* ==== c/io/error.h ==== */
/* error.h - the one sentence that a failed open leaves. */
#ifndef IIP_IO_ERROR_H
#define IIP_IO_ERROR_H

#include <stdarg.h>
#include <stddef.h>

struct iip_port_err {
    char *text; /* may be null */
    size_t len;
};

/* Writes the sentence (name the value, say the remedy) and returns `status`, so that callers can return it. */
int iip_port_fail(struct iip_port_err *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* vsnprintf; of what does not fit the middle goes: the value that is too long stands in front, the remedy at the end. */
void iip_text_fit(char *text, size_t cap, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

#endif

/* ==== c/io/port.h ==== */
/*
 * port.h - what a loop needs of a port, and all that it knows of one.
 *
 * A port is opened by a string, "kind:arguments" (tap:iip0, pair:a, dpdk:net_af_packet0,iface=veth0). It has one or
 * more queues; each queue belongs to one loop, and with it to one thread and one stack. This interface is private to
 * libiip and its plug-ins: it is checked by build id, not by version.
 *
 * Ownership: rx makes packets in frames of the queue's own pool (iip_pkt_new) and gives them to the caller. tx takes
 * packets, and frees each (iip_pkt_free) when its bytes are copied or sent. A queue never blocks but in wait.
 */
#ifndef IIP_PORT_H
#define IIP_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "iip_core.h"

struct iip_port;       /* one open device */
struct iip_port_queue; /* one of its queues */

struct iip_port_cfg {
    uint32_t queues;     /* wanted; a kind that has fewer opens fewer and says so in its info */
    uint32_t frames;     /* frames of each queue's pool; 0: the kind's default */
    uint32_t frame_size; /* bytes of each, headroom included; 0: by MTU */
    uint32_t ring;       /* descriptors of each ring; 0: the kind's default */
    const char *pcap;    /* record every packet of every queue to this file; null: none */
};

struct iip_port_info {
    uint32_t stack_flags;  /* IIP_STACK_L3 */
    uint32_t caps;         /* IIP_CAP_... that hold on every queue */
    uint32_t mtu;
    uint32_t queues;
    uint32_t tso_max;      /* payload bytes; 0 without TSO */
    uint32_t link_up;
    uint32_t polls;        /* 1: no descriptor becomes readable on receive; the loop must poll */
    uint32_t has_share;    /* 1: `share` describes the device's RSS (self is left 0) */
    uint8_t mac[6];
    struct iip_share share;
};

struct iip_port_region { /* memory in which frames lie */
    void *base;
    uint64_t len;
    uint32_t id;           /* iip_frame.region */
};

struct iip_port_stats {    /* of one queue; the account closes: offered = sent + dropped + refused, received = delivered + dropped */
    uint64_t rx_packets, rx_bytes, rx_dropped; /* dropped: the device or the wire had no room, or a frame was unusable */
    uint64_t tx_packets, tx_bytes, tx_refused; /* refused: came back to the stack, which keeps them */
    uint64_t wire_lost, wire_duplicated;       /* sim: done to packets on purpose */
    uint64_t tx_dropped;                       /* taken, but the device could not send it (malformed, or it is gone) */
};

/*
 * One kind of port. `err` is a buffer for one sentence that names the value and the remedy ("/dev/net/tun: permission
 * denied: add yourself to ... or run ..."); it is filled on failure.
 */
struct iip_port_ops {
    const char *kind;
    const char *build_id;  /* of the library it was compiled with */
    int (*open)(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err, size_t err_len);
    void (*close)(struct iip_port *port);
    void (*info)(struct iip_port *port, struct iip_port_info *out);
    /* 1 when link state or MTU changed since the last call; cheap, may be called every turn by one loop. */
    int (*changed)(struct iip_port *port);
    struct iip_port_queue *(*queue)(struct iip_port *port, uint32_t i);
    /* Regions of memory in which frames of this port lie; returns how many there are. */
    uint32_t (*regions)(struct iip_port *port, struct iip_port_region *out, uint32_t cap);

    /* One queue; `attach` says whose packets it makes, before anything else. */
    void (*attach)(struct iip_port_queue *q, struct iip_stack *stk);
    uint32_t (*rx)(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n);
    /* These three have the signatures of iip_host, with the queue as context. */
    uint32_t (*tx)(void *q, struct iip_pkt **pkts, uint32_t n);
    struct iip_frame *(*frame_get)(void *q, iip_u32 size);
    void (*frame_put)(void *q, struct iip_frame *frame);
    uint32_t (*frames_free)(struct iip_port_queue *q);
    /*
     * Descriptor to wait on, -1 if none (info.polls): readable when rx has packets; after a refusal it becomes readable
     * or writable when tx has room again (wait for both then). Call it before every wait, also when the answer is
     * known: a port whose other end is in this process wakes only who has called it since its last rx, so that
     * busy loops make no system call. The answer stays the same for the life of the queue.
     */
    int (*fd)(struct iip_port_queue *q);
    /* Microseconds of this port's clock (sim: virtual); null: CLOCK_MONOTONIC. */
    uint64_t (*now)(struct iip_port_queue *q);
    void (*stats)(struct iip_port_queue *q, struct iip_port_stats *out);
};

/* Finds the kind of a port string and opens it; *ops says how to use it. Loads libiip_dpdk for "dpdk:". */
int iip_port_open(const char *name, const struct iip_port_cfg *cfg, const struct iip_port_ops **ops,
                  struct iip_port **out, char *err, size_t err_len);
/* The i-th kind compiled in or found as plug-in, or null. */
const struct iip_port_ops *iip_port_kind(uint32_t i);

#endif

enum { IIP_ARGS_KEY = 32, IIP_ARGS_VALUE = 256 };

struct iip_args {
    const char *kind; /* for messages */
    const char *rest; /* what is not read yet; null at the end */
    struct iip_port_err *err;
    char key[IIP_ARGS_KEY];
    char value[IIP_ARGS_VALUE];
};

void iip_args_init(struct iip_args *a, const char *kind, const char *args, struct iip_port_err *err);
/* The first item if it has no '=' in it, else "". A name of `cap` bytes or more is an error. */
int iip_args_name(struct iip_args *a, char *name, uint32_t cap);
/* Reads the next key and value: 1, or 0 at the end, or a status. A key without '=' has the value "on". */
int iip_args_next(struct iip_args *a);
int iip_args_is(const struct iip_args *a, const char *key);
/* The key is none that this kind knows; `known` lists those. */
int iip_args_unknown(struct iip_args *a, const char *known);

/* Takes the keys that every kind has (queues, frames, frame_size, ring): 1 if it was one, 0 if not, or a status. */
int iip_args_cfg(struct iip_args *a, struct iip_port_cfg *cfg);
#define IIP_ARGS_CFG "queues, frames, frame_size, ring"

/* Values of the current key: 0, or a status. */
int iip_args_u32(struct iip_args *a, uint32_t min, uint32_t max, uint32_t *out);
int iip_args_u64(struct iip_args *a, uint64_t *out);
int iip_args_bytes(struct iip_args *a, uint64_t max, uint64_t *out);      /* 1500, 64k, 1m (powers of 1024) */
int iip_args_time(struct iip_args *a, uint64_t max_us, uint64_t *out_us); /* 10ms, 250us, 1.5s; a plain number is us */
int iip_args_rate(struct iip_args *a, uint64_t *out_bits);                /* 100mbit, 1gbit, 56kbit, 9600 (bits a second) */
int iip_args_chance(struct iip_args *a, uint32_t *out_ppb);               /* 1%, 0.5%, 0.01: parts in 10^9 */
int iip_args_switch(struct iip_args *a, int *out);                        /* on, off, 1, 0, yes, no */
int iip_args_mac(struct iip_args *a, uint8_t out[6]);                     /* 02:00:00:00:00:01, unicast */

#endif

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "iip_core.h"

enum { IIP_NANO = 1000000000 };

void iip_args_init(struct iip_args *a, const char *kind, const char *args, struct iip_port_err *err)
{
    memset(a, 0, sizeof(*a));
    a->kind = kind;
    a->rest = args && *args ? args : NULL;
    a->err = err;
}

static void iip_args_step(struct iip_args *a, const char *end)
{
    a->rest = *end ? end + 1 : NULL;
}

int iip_args_name(struct iip_args *a, char *name, uint32_t cap)
{
    const char *end;
    size_t len;
    name[0] = 0;
    if (!a->rest)
        return IIP_OK;
    end = strchrnul(a->rest, ',');
    len = (size_t)(end - a->rest);
    if (memchr(a->rest, '=', len))
        return IIP_OK;
    if (len >= cap)
        return iip_port_fail(a->err, IIP_E_INVAL, "%s:%.*s: the name has %zu bytes; use at most %u", a->kind, (int)len,
                             a->rest, len, cap - 1);
    memcpy(name, a->rest, len);
    name[len] = 0;
    iip_args_step(a, end);
    return IIP_OK;
}

int iip_args_next(struct iip_args *a)
{
    const char *end, *eq;
    size_t key_len, value_len;
    while (a->rest && *a->rest == ',')
        a->rest++;
    if (!a->rest || !*a->rest)
        return 0;
    end = strchrnul(a->rest, ',');
    eq = memchr(a->rest, '=', (size_t)(end - a->rest));
    key_len = (size_t)((eq ? eq : end) - a->rest);
    value_len = eq ? (size_t)(end - eq - 1) : 0;
    if (!key_len || key_len >= IIP_ARGS_KEY || value_len >= IIP_ARGS_VALUE)
        return iip_port_fail(a->err, IIP_E_INVAL, "%s: '%.*s' is not key=value (key up to %d bytes, value up to %d)",
                             a->kind, (int)(end - a->rest), a->rest, IIP_ARGS_KEY - 1, IIP_ARGS_VALUE - 1);
    memcpy(a->key, a->rest, key_len);
    a->key[key_len] = 0;
    if (eq)
        memcpy(a->value, eq + 1, value_len);
    a->value[value_len] = 0;
    if (!eq)
        memcpy(a->value, "on", 3);
    iip_args_step(a, end);
    return 1;
}

int iip_args_is(const struct iip_args *a, const char *key)
{
    return strcmp(a->key, key) == 0;
}

int iip_args_unknown(struct iip_args *a, const char *known)
{
    return iip_port_fail(a->err, IIP_E_NOT_FOUND, "%s: no argument is called '%s'; there are: %s", a->kind, a->key,
                         known);
}

static int iip_args_bad(struct iip_args *a, int status, const char *right)
{
    return iip_port_fail(a->err, status, "%s: %s=%s: use %s", a->kind, a->key, a->value, right);
}

/* Reads an unsigned decimal with up to nine digits behind the point as value * 10^9; null when there is none. */
static const char *iip_args_decimal(const char *s, uint64_t *nano)
{
    const char *start = s;
    uint64_t whole = 0, part = 0, unit = IIP_NANO;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (whole > UINT64_MAX / IIP_NANO / 10 - 1)
            return NULL;
        whole = whole * 10 + (uint64_t)(*s - '0');
    }
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++) {
            unit /= 10;
            part += unit * (uint64_t)(*s - '0');
        }
    if (s == start)
        return NULL;
    *nano = whole * IIP_NANO + part;
    return s;
}

struct iip_unit {
    const char *name;
    uint64_t factor;
};

/* A decimal with a unit, times the unit's factor; -1 when it is neither. */
static int iip_args_measure(const char *s, const struct iip_unit *units, uint64_t *out)
{
    uint64_t nano, whole;
    const char *end = iip_args_decimal(s, &nano);
    if (!end)
        return -1;
    for (; units->name; units++)
        if (strcasecmp(end, units->name) == 0)
            break;
    if (!units->name)
        return -1;
    whole = nano / IIP_NANO;
    if (whole && units->factor > UINT64_MAX / 2 / whole)
        return -1;
    /* The fraction is below 10^9 and no factor is above 2^30, so the product fits. */
    *out = whole * units->factor + nano % IIP_NANO * units->factor / IIP_NANO;
    return 0;
}

int iip_args_u64(struct iip_args *a, uint64_t *out)
{
    const char *s = a->value;
    uint64_t v = 0;
    if (!*s)
        return iip_args_bad(a, IIP_E_INVAL, "a whole number");
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return iip_args_bad(a, IIP_E_INVAL, "a whole number below 2^64");
    }
    *out = v;
    return IIP_OK;
}

int iip_args_u32(struct iip_args *a, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;
    char right[64];
    snprintf(right, sizeof(right), "%u to %u", min, max);
    if (strspn(a->value, "0123456789") != strlen(a->value) || !a->value[0] || strlen(a->value) > 10)
        return iip_args_bad(a, IIP_E_INVAL, right);
    iip_args_u64(a, &v);
    if (v < min || v > max)
        return iip_args_bad(a, IIP_E_RANGE, right);
    *out = (uint32_t)v;
    return IIP_OK;
}

int iip_args_bytes(struct iip_args *a, uint64_t max, uint64_t *out)
{
    static const struct iip_unit units[] = {{"", 1}, {"b", 1}, {"k", 1024}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};
    char right[96];
    snprintf(right, sizeof(right), "bytes, as 1500, 64k, 1m; at most %llu", (unsigned long long)max);
    if (iip_args_measure(a->value, units, out))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return *out > max ? iip_args_bad(a, IIP_E_RANGE, right) : IIP_OK;
}

int iip_args_time(struct iip_args *a, uint64_t max_us, uint64_t *out_us)
{
    static const struct iip_unit units[] = {{"", 1}, {"us", 1}, {"ms", 1000}, {"s", 1000000}, {NULL, 0}};
    char right[96];
    snprintf(right, sizeof(right), "a time, as 250us, 10ms, 1.5s; at most %llus", (unsigned long long)max_us / 1000000);
    if (iip_args_measure(a->value, units, out_us))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return *out_us > max_us ? iip_args_bad(a, IIP_E_RANGE, right) : IIP_OK;
}

int iip_args_rate(struct iip_args *a, uint64_t *out_bits)
{
    static const struct iip_unit units[] = {{"", 1},         {"bit", 1},         {"k", 1000},
                                            {"kbit", 1000},  {"m", 1000000},     {"mbit", 1000000},
                                            {"g", IIP_NANO}, {"gbit", IIP_NANO}, {NULL, 0}};
    const char *right = "bits a second, as 9600, 56kbit, 100mbit, 10gbit; 1 to 1000gbit";
    if (iip_args_measure(a->value, units, out_bits))
        return iip_args_bad(a, IIP_E_INVAL, right);
    if (!*out_bits || *out_bits > 1000ULL * IIP_NANO)
        return iip_args_bad(a, IIP_E_RANGE, right);
    return IIP_OK;
}

int iip_args_chance(struct iip_args *a, uint32_t *out_ppb)
{
    const char *right = "a chance from 0% to 100%, or 0 to 1";
    uint64_t nano;
    const char *end = iip_args_decimal(a->value, &nano);
    if (!end || (*end && strcmp(end, "%") != 0))
        return iip_args_bad(a, IIP_E_INVAL, right);
    if (*end)
        nano /= 100;
    if (nano > IIP_NANO)
        return iip_args_bad(a, IIP_E_RANGE, right);
    *out_ppb = (uint32_t)nano;
    return IIP_OK;
}

int iip_args_switch(struct iip_args *a, int *out)
{
    static const char *const yes[] = {"on", "yes", "1", "true"}, *const no[] = {"off", "no", "0", "false"};
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(a->value, yes[i]) == 0)
            return *out = 1, IIP_OK;
        if (strcmp(a->value, no[i]) == 0)
            return *out = 0, IIP_OK;
    }
    return iip_args_bad(a, IIP_E_INVAL, "on or off");
}

int iip_args_mac(struct iip_args *a, uint8_t out[6])
{
    const char *right = "a unicast address as 02:00:00:00:00:01";
    unsigned b[6];
    int end = 0;
    if (strlen(a->value) != 17 ||
        sscanf(a->value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || end != 17)
        return iip_args_bad(a, IIP_E_INVAL, right);
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)b[i];
    if ((out[0] & 1) || !(out[0] | out[1] | out[2] | out[3] | out[4] | out[5]))
        return iip_args_bad(a, IIP_E_INVAL, right);
    return IIP_OK;
}

int iip_args_cfg(struct iip_args *a, struct iip_port_cfg *cfg)
{
    static const struct {
        const char *key;
        size_t at;
        uint32_t min, max;
    } keys[] = {{"queues", offsetof(struct iip_port_cfg, queues), 1, 256},
                {"frames", offsetof(struct iip_port_cfg, frames), 64, 1 << 22},
                {"frame_size", offsetof(struct iip_port_cfg, frame_size), 512, 1 << 17},
                {"ring", offsetof(struct iip_port_cfg, ring), 64, 1 << 16}};
    for (uint32_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (iip_args_is(a, keys[i].key)) {
            int status = iip_args_u32(a, keys[i].min, keys[i].max, (uint32_t *)((char *)cfg + keys[i].at));
            return status < 0 ? status : 1;
        }
    return 0;
}

/* ==== c/io/error.c ==== */
/* error.c - the one sentence that a failed open leaves. */

#include <stdio.h>
#include <stdlib.h>

void iip_text_fit(char *text, size_t cap, const char *format, va_list args)
{
    char *whole;
    size_t head = cap / 4;
    int n = vasprintf(&whole, format, args);
    if (n < 0) {
        snprintf(text, cap, "no memory");
        return;
    }
    if ((size_t)n < cap || cap < 64)
        snprintf(text, cap, "%s", whole);
    else
        snprintf(text, cap, "%.*s...%s", (int)head, whole, whole + n - (cap - head - 4));
    free(whole);
}

int iip_port_fail(struct iip_port_err *err, int status, const char *format, ...)
{
    va_list ap;
    if (!err || !err->text || !err->len)
        return status;
    va_start(ap, format);
    iip_text_fit(err->text, err->len, format, ap);
    va_end(ap);
    return status;
}

/* ==== c/io/pair/ask.c ==== */
/* ask.c - what a port string asks of a pair, and what its second end may say. */
#include <string.h>

#include "iip_core.h"

/* ==== c/io/pair/pair.h ==== */
/*
 * pair.h - two in-memory ends of one wire, in one process: "pair:name", opened twice.
 *
 * Each end works like a NIC. It posts descriptors of empty frames of its own, the other end copies bytes into them and
 * marks them filled, and nothing is ever lost: without a posted frame, transmit refuses. Every pair of queues has its
 * own ring with one writer and one reader, so both ends, and all queues, may be on different threads, and no lock is
 * taken after open. Who wants to sleep says so (fd): only then does the other side spend a system call to wake it.
 *
 * Long packets are lent instead: see lend.c. So frames of either end may come up at the other, and `regions` names the
 * memory of both from the first open on: the pools of the second end are made with those of the first.
 *
 *     csum=off        both stacks compute and check checksums; without it packets arrive marked as right
 *     tso=on          large packets go through uncut (default off)
 *     mtu=1500        of both ends; longer packets are dropped
 *     l3=on           packets begin at the IP header
 *     mac=02:...      this end's address (default: made from the name)
 *     queues=1        the second end has at most as many as the first; flows are shared by `share` (Toeplitz)
 *     ring=512, frames, frame_size (rings take half of the frames at most, unless a packet needs more)
 *
 * What is true of the wire (csum, tso, mtu, l3) need be said by the first end only.
 */
#ifndef IIP_IO_PAIR_H
#define IIP_IO_PAIR_H

#include <stdalign.h>
#include <stdatomic.h>


/* ==== c/io/pool.h ==== */
/*
 * pool.h - frames of one queue: one region of equal, aligned buffers, and their headers beside it.
 *
 * The headers lie outside the region, because languages above map the region and may write anywhere in it. The free
 * list is last-in first-out (warm memory first), and a frame that was never used costs nothing: its pages are untouched.
 *
 * A pool belongs to the thread of its queue. A frame that another queue's thread gives back (a packet that was handed
 * over) goes home through a list of its own, which the owner empties when its free list runs dry.
 */
#ifndef IIP_IO_POOL_H
#define IIP_IO_POOL_H

#include <stdint.h>

#include "iip_core.h"

enum {
    IIP_POOL_HEADROOM = 128,        /* bytes that a port leaves free in front of a received packet */
    IIP_POOL_FRAME_MIN = 512,
    IIP_POOL_FRAME_MAX = 1 << 17,
    IIP_POOL_COUNT_MAX = 1 << 22
};

struct iip_pool {
    struct iip_frame **stack; /* free frames, warmest last */
    uint32_t top;             /* how many stand there */
    uint32_t fresh;           /* frames from here on were never used */
    uint32_t count;
    uint32_t frame_size;
    struct iip_frame *frames;
    uint8_t *base;            /* the region */
    uint64_t len;
    uint32_t id;
    uint32_t *away_next;      /* frames that came back from other threads: a list of index + 1, 0 ends it */
    uint32_t away;            /* its head; atomic */
};

/* Size of a frame for an MTU: headroom, link header with a VLAN tag, packet; rounded up to a power of two. */
uint32_t iip_pool_frame_size(uint32_t mtu);
/* *size becomes that of 0, of any other what it is rounded to: RANGE if a packet of the MTU does not fit into it. */
int iip_pool_fit(uint32_t *size, uint32_t mtu, struct iip_port_err *err);
/* The largest packet that fits into a frame: what may be received is longer, what is to be sent is not. */
uint32_t iip_pool_mtu(const struct iip_pool *p);
/* Zero count or size: never. Fails with NOMEM or RANGE; a pool that was zeroed or has failed may be freed. */
int iip_pool_init(struct iip_pool *p, uint32_t id, uint32_t count, uint32_t frame_size, struct iip_port_err *err);
void iip_pool_free(struct iip_pool *p);

/* What get and put do when it is not simple. */
struct iip_frame *iip_pool_refill(struct iip_pool *p);
/* Takes in the frames that came back from other threads. */
void iip_pool_fetch(struct iip_pool *p);
void iip_pool_put_home(struct iip_frame *frame);

/* Frames that get would still give, less those on their way home. */
static inline uint32_t iip_pool_left(const struct iip_pool *p)
{
    return p->top + (p->count - p->fresh);
}

/* A frame with views == 0 and flags == 0, or null. */
static inline struct iip_frame *iip_pool_get(struct iip_pool *p)
{
    if (IIP_LIKELY(p->top))
        return p->stack[--p->top];
    return iip_pool_refill(p);
}

static inline void iip_pool_put(struct iip_pool *p, struct iip_frame *frame)
{
    if (IIP_UNLIKELY(frame->host != p)) {
        iip_pool_put_home(frame);
        return;
    }
    frame->flags = 0;
    p->stack[p->top++] = frame;
}

#endif

enum {
    IIP_PAIR_QUEUES = 16,
    IIP_PAIR_NAME = 64,
    IIP_PAIR_LINK = 18,     /* an Ethernet header with one tag */
    IIP_PAIR_MORE = 0x8000, /* flag of a descriptor: the packet goes on in the next one */
    IIP_PAIR_LENT = 0x4000, /* ... : its bytes are `data`, and `buf` stays empty */
    IIP_PAIR_MARKS = IIP_PAIR_MORE | IIP_PAIR_LENT
};

/* A packet of the sender whose bytes the receiver reads. */
struct iip_pair_lent {
    struct iip_frame frame;       /* the receiver's, read-only; first: it is found from its frame */
    struct iip_pkt *pkt;          /* the sender's, which it frees when the record is home */
    struct iip_pair_queue *owner;
    struct iip_pair_lent *next;   /* free, or on its way home */
};

struct iip_pair_desc {
    uint8_t *buf;
    uint64_t meta; /* length, flags of the packet that it makes with IIP_PAIR_MARKS, seg_size: one load, one store */
    uint8_t *data; /* this and the next with IIP_PAIR_LENT only */
    struct iip_pair_lent *lent;
};

static inline uint64_t iip_pair_meta(uint32_t len, uint32_t flags, uint32_t seg_size)
{
    return (uint64_t)seg_size << 48 | (uint64_t)flags << 32 | len;
}

/* Positions count up for ever and are taken modulo the size. consumed <= filled <= posted <= consumed + size. */
struct iip_pair_ring {
    struct iip_pair_desc *desc;
    struct iip_frame **frame; /* the receiver's: whose memory each descriptor names; null: it was handed up */
    uint32_t mask;
    uint32_t room;            /* bytes of one descriptor */
    uint32_t max_len;         /* bytes of the longest packet that is no TSO packet and fits one descriptor */
    struct iip_pair_queue *sender, *receiver;

    alignas(64) _Atomic uint32_t posted; /* written by the receiver */
    uint32_t posted_mine, consumed, filled_seen;

    alignas(64) _Atomic uint32_t filled; /* written by the sender */
    _Atomic uint32_t starved;            /* the sender found no room and wants to be woken */
    uint32_t filled_mine, posted_seen;
};

struct iip_pair_queue {
    _Atomic(struct iip_pair_ring *) tx_only; /* the other end has one queue: its ring; else null */
    struct iip_stack *stk;
    struct iip_pair_end *end;
    uint16_t rx_flags;   /* what every received packet is marked with */
    uint32_t index;
    uint32_t reserve;    /* frames that receive leaves for transmit */
    uint32_t armed;      /* fd() was called since the last rx */
    struct iip_pair_ring *blocked; /* the ring that had no room in the last transmit, or null */
    _Atomic uint32_t tx_count; /* queues of the other end, once it is there */
    struct iip_pair_ring *tx[IIP_PAIR_QUEUES];
    struct iip_pair_ring *in[IIP_PAIR_QUEUES];
    int wake_fd[2];
    struct iip_pool pool;
    struct iip_port_stats stats;
    struct iip_pair_lent *lent;      /* records; null: this queue does not lend */
    struct iip_pair_lent *lent_free; /* those that were used and are home */
    uint32_t lent_n, lent_fresh;     /* how many; from here on they were never used */
    alignas(64) _Atomic uint32_t parked;
    _Atomic(struct iip_pair_lent *) lent_home; /* [any] those that came back */
};

struct iip_pair_end {
    struct iip_pair_wire *wire;
    uint32_t side;
    uint32_t queues;
    uint32_t epoch; /* of the wire, as `changed` last saw it */
    uint8_t mac[6];
    struct iip_pair_queue *q[IIP_PAIR_QUEUES];
};

struct iip_pair_wire {
    struct iip_pair_wire *next;
    char name[IIP_PAIR_NAME];
    uint32_t queues; /* of the first end; the second has at most as many */
    uint32_t mtu;
    uint32_t max_len; /* bytes of the longest packet that is not TSO */
    int csum, tso, l3;
    struct iip_pair_end *end[2];
    uint32_t frames, frame_size; /* of the pools of the first end */
    struct iip_pool spare[IIP_PAIR_QUEUES]; /* the second end's, until it is opened */
    struct iip_port_region region[2][IIP_PAIR_QUEUES]; /* where frames that an end lends lie; as at the first open */
    uint32_t region_n[2];
    uint32_t opened, closed;
    _Atomic uint32_t epoch;
    _Atomic uint32_t up;
};

/* What one open asks for; -1 or 0: nothing was said. */
struct iip_pair_ask {
    char name[IIP_PAIR_NAME];
    struct iip_port_cfg cfg;
    uint32_t mtu;
    int csum, tso, l3, has_mac;
    uint8_t mac[6];
};

/* ask.c: each returns a status */
int iip_pair_ask(struct iip_pair_ask *ask, const char *args, const struct iip_port_cfg *cfg, struct iip_port_err *err);
/* Whether an end that asks for this may be the other one of the wire. */
int iip_pair_agree(const struct iip_pair_wire *wire, const struct iip_pair_ask *ask, struct iip_port_err *err);

/* setup.c: end->q[i], which is freed with the end also where this failed. A status. */
int iip_pair_queue_new(struct iip_pair_end *end, uint32_t i, const struct iip_pair_ask *ask, struct iip_port_err *err);
void iip_pair_queue_free(struct iip_pair_queue *q);

/* ring.c */
int iip_pair_ring_new(struct iip_pair_ring **out, uint32_t size, struct iip_pair_queue *receiver);
void iip_pair_ring_free(struct iip_pair_ring *ring);
/* Posts as many empty frames as the pool and the ring allow. */
void iip_pair_ring_post(struct iip_pair_ring *ring);

/* lend.c */
/* Records for lending; without memory the queue copies. */
void iip_pair_lend_init(struct iip_pair_queue *q);
/* The last view of a lent frame is gone: any thread. */
void iip_pair_lent_return(struct iip_frame *frame);
/* Frees the packets of the records that came back. */
void iip_pair_lent_fetch(struct iip_pair_queue *q);
/* Returns what was lent to a ring whose receiver will read no more. */
void iip_pair_lent_unread(struct iip_pair_ring *ring);

/* queue.c */
uint32_t iip_pair_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_pair_tx(void *queue, struct iip_pkt **pkts, uint32_t n);
int iip_pair_fd(struct iip_port_queue *queue);
/* Any thread: makes the descriptor of a parked queue readable. */
void iip_pair_wake(struct iip_pair_queue *q);

#endif

static int iip_pair_arg(struct iip_args *a, struct iip_pair_ask *ask)
{
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "mtu"))
        return iip_args_u32(a, 576, 65535, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "tso"))
        return iip_args_switch(a, &ask->tso);
    if (iip_args_is(a, "l3"))
        return iip_args_switch(a, &ask->l3);
    if (iip_args_is(a, "mac"))
        return ask->has_mac = 1, iip_args_mac(a, ask->mac);
    return iip_args_unknown(a, "mtu, csum, tso, l3, mac, " IIP_ARGS_CFG);
}

int iip_pair_ask(struct iip_pair_ask *ask, const char *args, const struct iip_port_cfg *cfg, struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->csum = ask->tso = ask->l3 = -1;
    iip_args_init(&a, "pair", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_pair_arg(&a, ask);
    if (status < 0)
        return status;
    if (ask->tso == 1 && ask->csum == 0)
        return iip_port_fail(err, IIP_E_INVAL, "pair:%s: tso=on needs csum=on", ask->name);
    return IIP_OK;
}

/* What the second end says must be what the first one said. */
int iip_pair_agree(const struct iip_pair_wire *wire, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    const struct {
        const char *key;
        int said, has;
    } all[] = {{"csum", ask->csum, wire->csum}, {"tso", ask->tso, wire->tso}, {"l3", ask->l3, wire->l3}};
    if (wire->closed)
        return iip_port_fail(err, IIP_E_BUSY,
                             "pair:%s: its other end was closed; close this end too, then open both anew", wire->name);
    if (wire->opened == 2)
        return iip_port_fail(err, IIP_E_BUSY, "pair:%s: both ends are open already; take another name", wire->name);
    if (ask->mtu && ask->mtu != wire->mtu)
        return iip_port_fail(err, IIP_E_INVAL, "pair:%s: mtu=%u, but the other end has mtu=%u; give both the same",
                             wire->name, ask->mtu, wire->mtu);
    for (uint32_t i = 0; i < 3; i++)
        if (all[i].said >= 0 && all[i].said != all[i].has)
            return iip_port_fail(err, IIP_E_INVAL, "pair:%s: %s=%s, but the other end has %s=%s; give both the same",
                                 wire->name, all[i].key, all[i].said ? "on" : "off", all[i].key,
                                 all[i].has ? "on" : "off");
    return IIP_OK;
}

/* ==== c/io/pair/lend.c ==== */
/*
 * lend.c - long packets are not copied: the receiver reads the sender's bytes where they lie.
 *
 * The receiver gets a frame of its own, which is read-only and names the bytes. When its last view is freed, the record
 * goes home through a list to which any thread may add (a packet may end on another queue than it came up on); the
 * sender takes the whole list when it next receives, and frees its packet then, as a NIC's driver does with what was
 * sent. So each stack touches the counts of its own frames only.
 *
 * Who keeps what it received keeps the sender's frames: below half of its pool a sender copies. Both ends' pools live
 * until both ends are closed, so bytes that an event named stay where they are if the sender closes first.
 */
#include <stdlib.h>


void iip_pair_lend_init(struct iip_pair_queue *q)
{
    q->lent_n = q->pool.count / 2;
    q->lent = calloc(q->lent_n, sizeof(*q->lent));
    if (!q->lent)
        q->lent_n = 0;
}

void iip_pair_lent_return(struct iip_frame *frame)
{
    struct iip_pair_lent *lent = (struct iip_pair_lent *)frame;
    struct iip_pair_queue *owner = lent->owner;
    struct iip_pair_lent *head = atomic_load_explicit(&owner->lent_home, memory_order_relaxed);
    do
        lent->next = head;
    while (!atomic_compare_exchange_weak_explicit(&owner->lent_home, &head, lent, memory_order_release,
                                                  memory_order_relaxed));
}

void iip_pair_lent_fetch(struct iip_pair_queue *q)
{
    struct iip_pair_lent *lent = atomic_exchange_explicit(&q->lent_home, NULL, memory_order_acquire);
    while (lent) {
        struct iip_pair_lent *next = lent->next;
        iip_pkt_free(q->stk, lent->pkt);
        lent->next = q->lent_free;
        q->lent_free = lent;
        lent = next;
    }
}

void iip_pair_lent_unread(struct iip_pair_ring *ring)
{
    uint32_t at = ring->consumed, end = atomic_load_explicit(&ring->filled, memory_order_acquire);
    for (; at != end; at++) {
        const struct iip_pair_desc *desc = &ring->desc[at & ring->mask];
        if (desc->meta >> 32 & IIP_PAIR_LENT)
            iip_pair_lent_return(&desc->lent->frame);
    }
    ring->consumed = end;
}

/* ==== c/io/pair/pair.c ==== */
/* pair.c - the ends of pairs: they open, meet, tell what they are, and close. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>


/* ==== c/io/kinds.h ==== */
/* kinds.h - the kinds of ports that are compiled in, and what they share. */
#ifndef IIP_IO_KINDS_H
#define IIP_IO_KINDS_H


extern const struct iip_port_ops iip_tap_ops, iip_pair_ops, iip_sim_ops, iip_pcap_ops;

/* Puts a recorder (cfg.pcap) in front of an open port; on failure the port is the caller's still. */
int iip_record_open(const struct iip_port_ops *inner_ops, struct iip_port *inner, const char *path,
                    const struct iip_port_ops **ops, struct iip_port **out, char *err, size_t err_len);
/* libiip_dpdk, loaded once; null with the reason in err. *status says why. */
const struct iip_port_ops *iip_plugin_dpdk(int *status, char *err, size_t err_len);

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t iip_port_clock_us(void);
/* An Ethernet address that nobody else has: random, unicast, locally administered. */
void iip_port_mac_random(uint8_t mac[6]);

#endif

/* ==== c/io/wire.h ==== */
/*
 * wire.h - the little that ports know of packets: where the headers are, how to finish checksums, how RSS hashes.
 *
 * Everything reads bytes that came from a wire or a file: no length is believed.
 */
#ifndef IIP_IO_WIRE_H
#define IIP_IO_WIRE_H

#include <stdint.h>

#include "iip_core.h"

struct iip_wire {
    uint32_t l3;       /* offset of the IP header */
    uint32_t l4;       /* offset of what follows its options and extension headers */
    uint32_t end;      /* offset behind the IP packet (padding follows) */
    uint8_t family;    /* 4, 6; 0: not IP */
    uint8_t proto;     /* of what stands at l4 */
    uint8_t fragment;  /* 1: not a whole packet */
};

/*
 * Looks at the headers of a packet of `len` bytes, of which the first `have` are at hand; `l3` says that it begins at the
 * IP header. Returns w->family. l4 and end may lie behind what is at hand.
 */
uint32_t iip_wire_parse(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len, int l3);

/* Computes the IPv4 header checksum and that of TCP or UDP, whatever the fields hold now. Fragments keep theirs. */
void iip_wire_csum_fill(uint8_t *p, uint32_t len, int l3);
/* The IPv4 header checksum alone; `ip` has `len` bytes, at least 20. */
void iip_wire_csum_ip(uint8_t *ip, uint32_t len);

/* Copies the bytes of a chain, at most `cap`; returns how many. */
uint32_t iip_wire_copy(uint8_t *to, uint32_t cap, const struct iip_pkt *pkt);
uint32_t iip_wire_bytes(const struct iip_pkt *pkt);

/*
 * Receive-side scaling as a NIC does it: Toeplitz with a key that repeats every 16 bits, so that both directions of a
 * flow have one hash. Packets without ports (fragments, ICMP) are hashed by addresses, others (ARP) have hash 0.
 */
enum { IIP_WIRE_KEY = 40, IIP_WIRE_TABLE = 128 };
uint32_t iip_wire_hash(const struct iip_pkt *pkt, int l3);
/* The same, told to the core: which of `queues` each hash goes to. */
void iip_wire_share(struct iip_share *share, uint32_t queues);

#endif
#include "iip_core.h"

enum { IIP_PAIR_MTU = 1500 };

static pthread_mutex_t iip_pair_lock = PTHREAD_MUTEX_INITIALIZER; /* for opening and closing only */
static struct iip_pair_wire *iip_pair_wires;

static void iip_pair_end_free(struct iip_pair_end *end)
{
    for (uint32_t i = 0; end && i < end->queues; i++)
        iip_pair_queue_free(end->q[i]);
    free(end);
}

/* Memory lives until both ends are closed, since either may be writing into the other's. */
static void iip_pair_wire_drop(struct iip_pair_wire *wire)
{
    struct iip_pair_wire **at;
    if (wire->opened != wire->closed)
        return;
    for (at = &iip_pair_wires; *at && *at != wire; at = &(*at)->next)
        ;
    if (*at)
        *at = wire->next;
    iip_pair_end_free(wire->end[0]);
    iip_pair_end_free(wire->end[1]);
    for (uint32_t i = 0; i < wire->queues; i++)
        iip_pool_free(&wire->spare[i]);
    free(wire);
}

static struct iip_pair_wire *iip_pair_wire_new(const struct iip_pair_ask *ask)
{
    struct iip_pair_wire *wire = calloc(1, sizeof(*wire));
    if (!wire)
        return NULL;
    strcpy(wire->name, ask->name);
    wire->mtu = ask->mtu ? ask->mtu : IIP_PAIR_MTU;
    wire->csum = ask->csum != 0;
    wire->tso = ask->tso == 1;
    wire->l3 = ask->l3 == 1;
    wire->max_len = wire->mtu + (wire->l3 ? 0 : IIP_PAIR_LINK);
    wire->queues = ask->cfg.queues ? ask->cfg.queues : 1;
    if (wire->queues > IIP_PAIR_QUEUES)
        wire->queues = IIP_PAIR_QUEUES;
    wire->next = iip_pair_wires;
    iip_pair_wires = wire;
    return wire;
}

static void iip_pair_mac(struct iip_pair_end *end)
{
    uint32_t hash = 2166136261U; /* FNV-1a of the name, so that captures of two runs look alike */
    for (const char *s = end->wire->name; *s; s++)
        hash = (hash ^ (uint8_t)*s) * 16777619U;
    end->mac[0] = 2;
    end->mac[1] = (uint8_t)(hash >> 24);
    end->mac[2] = (uint8_t)(hash >> 16);
    end->mac[3] = (uint8_t)(hash >> 8);
    end->mac[4] = (uint8_t)hash;
    end->mac[5] = (uint8_t)(end->side + 1);
}

static void iip_pair_region(struct iip_pair_wire *wire, uint32_t side, const struct iip_pool *pool)
{
    wire->region[side][wire->region_n[side]++] = (struct iip_port_region){pool->base, pool->len, pool->id};
}

/* With the first end, all memory that either will lend: applications map it once. */
static int iip_pair_spares(struct iip_pair_wire *wire, const struct iip_pair_end *first, struct iip_port_err *err)
{
    int status = IIP_OK;
    for (uint32_t i = 0; i < wire->queues && status >= 0; i++) {
        const struct iip_pool *pool = &first->q[i]->pool;
        status = iip_pool_init(&wire->spare[i], IIP_PAIR_QUEUES + i, pool->count, pool->frame_size, err);
        iip_pair_region(wire, 0, pool);
        iip_pair_region(wire, 1, &wire->spare[i]);
    }
    return status;
}

static int iip_pair_end_new(struct iip_pair_wire *wire, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    struct iip_pair_end *end = calloc(1, sizeof(*end));
    int status = IIP_OK;
    if (!end)
        return iip_port_fail(err, IIP_E_NOMEM, "pair:%s: no memory", wire->name);
    end->wire = wire;
    end->side = wire->opened;
    end->queues = ask->cfg.queues ? ask->cfg.queues : 1;
    if (end->queues > wire->queues)
        end->queues = wire->queues;
    iip_pair_mac(end);
    if (ask->has_mac)
        memcpy(end->mac, ask->mac, 6);
    for (uint32_t i = 0; i < end->queues && status >= 0; i++)
        status = iip_pair_queue_new(end, i, ask, err);
    if (status >= 0 && !end->side)
        status = iip_pair_spares(wire, end, err);
    if (status < 0) {
        iip_pair_end_free(end);
        return status;
    }
    wire->end[wire->opened++] = end;
    return IIP_OK;
}

static void iip_pair_link(struct iip_pair_end *from, struct iip_pair_end *to)
{
    for (uint32_t i = 0; i < from->queues; i++) {
        struct iip_pair_queue *q = from->q[i];
        for (uint32_t k = 0; k < to->queues; k++) {
            struct iip_pair_ring *ring = q->tx[k] = to->q[k]->in[i];
            ring->sender = q;
            ring->max_len = ring->room < from->wire->max_len ? ring->room : from->wire->max_len;
        }
        atomic_store(&q->tx_count, to->queues);
        if (to->queues == 1)
            atomic_store(&q->tx_only, q->tx[0]);
        iip_pair_wake(q);
    }
}

static int iip_pair_open_locked(const struct iip_pair_ask *ask, struct iip_pair_end **out, struct iip_port_err *err)
{
    struct iip_pair_wire *wire = iip_pair_wires;
    int status;
    while (wire && strcmp(wire->name, ask->name) != 0)
        wire = wire->next;
    if (!wire && !(wire = iip_pair_wire_new(ask)))
        return iip_port_fail(err, IIP_E_NOMEM, "pair:%s: no memory", ask->name);
    status = wire->opened ? iip_pair_agree(wire, ask, err) : IIP_OK;
    if (status >= 0)
        status = iip_pair_end_new(wire, ask, err);
    if (status < 0) {
        iip_pair_wire_drop(wire);
        return status;
    }
    *out = wire->end[wire->opened - 1];
    if (wire->opened == 2) {
        iip_pair_link(wire->end[0], wire->end[1]);
        iip_pair_link(wire->end[1], wire->end[0]);
        atomic_store(&wire->up, 1);
        atomic_fetch_add(&wire->epoch, 1);
    }
    return IIP_OK;
}

static int iip_pair_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                         size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_pair_ask ask;
    struct iip_pair_end *end = NULL;
    int status = iip_pair_ask(&ask, args, cfg, &e);
    if (status < 0)
        return status;
    pthread_mutex_lock(&iip_pair_lock);
    status = iip_pair_open_locked(&ask, &end, &e);
    if (end)
        end->epoch = atomic_load(&end->wire->epoch);
    pthread_mutex_unlock(&iip_pair_lock);
    *out = (struct iip_port *)end;
    return status;
}

static void iip_pair_close(struct iip_port *port)
{
    struct iip_pair_end *end = (struct iip_pair_end *)port;
    struct iip_pair_wire *wire = end->wire;
    pthread_mutex_lock(&iip_pair_lock);
    atomic_store(&wire->up, 0);
    atomic_fetch_add(&wire->epoch, 1);
    for (uint32_t i = 0; i < end->queues; i++)
        for (uint32_t k = 0; k < wire->queues; k++)
            iip_pair_lent_unread(end->q[i]->in[k]);
    wire->closed++;
    iip_pair_wire_drop(wire);
    pthread_mutex_unlock(&iip_pair_lock);
}

/* ---- what a loop asks ---- */

static void iip_pair_info(struct iip_port *port, struct iip_port_info *out)
{
    const struct iip_pair_end *end = (const struct iip_pair_end *)port;
    const struct iip_pair_wire *wire = end->wire;
    memset(out, 0, sizeof(*out));
    out->stack_flags = wire->l3 ? IIP_STACK_L3 : 0;
    out->caps = IIP_CAP_TX_SG;
    if (wire->csum)
        out->caps |= IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    if (wire->tso) {
        out->caps |= IIP_CAP_TX_TSO;
        out->tso_max = 65535 - 120; /* less both headers with their options */
    }
    out->mtu = wire->mtu;
    out->queues = end->queues;
    out->link_up = atomic_load(&end->wire->up);
    memcpy(out->mac, end->mac, 6);
    if (end->queues > 1) {
        out->has_share = 1;
        iip_wire_share(&out->share, end->queues);
    }
}

static int iip_pair_changed(struct iip_port *port)
{
    struct iip_pair_end *end = (struct iip_pair_end *)port;
    uint32_t epoch = atomic_load_explicit(&end->wire->epoch, memory_order_acquire);
    if (IIP_LIKELY(epoch == end->epoch))
        return 0;
    end->epoch = epoch;
    return 1;
}

static struct iip_port_queue *iip_pair_queue(struct iip_port *port, uint32_t i)
{
    struct iip_pair_end *end = (struct iip_pair_end *)port;
    return i < end->queues ? (struct iip_port_queue *)end->q[i] : NULL;
}

/* Its own, then those of the other end, whose frames come up here. */
static uint32_t iip_pair_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_pair_end *end = (const struct iip_pair_end *)port;
    const struct iip_pair_wire *wire = end->wire;
    uint32_t other = !end->side, n = end->queues + wire->region_n[other];
    for (uint32_t i = 0; i < n && i < cap; i++)
        out[i] = i >= end->queues
            ? wire->region[other][i - end->queues]
            : (struct iip_port_region){end->q[i]->pool.base, end->q[i]->pool.len, end->q[i]->pool.id};
    return n;
}

static void iip_pair_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_pair_queue *)q)->stk = stk;
}

static struct iip_frame *iip_pair_frame_get(void *queue, iip_u32 size)
{
    struct iip_pair_queue *q = queue;
    return size <= q->pool.frame_size ? iip_pool_get(&q->pool) : NULL;
}

static void iip_pair_frame_put(void *queue, struct iip_frame *frame)
{
    struct iip_pair_queue *q = queue;
    if (IIP_UNLIKELY(frame->flags & IIP_FRAME_READ_ONLY))
        iip_pair_lent_return(frame);
    else
        iip_pool_put(&q->pool, frame);
}

static uint32_t iip_pair_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_pair_queue *)q)->pool);
}

static void iip_pair_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_pair_queue *)q)->stats;
}

const struct iip_port_ops iip_pair_ops = {
    .kind = "pair",
    .build_id = IIP_BUILD_ID,
    .open = iip_pair_open,
    .close = iip_pair_close,
    .info = iip_pair_info,
    .changed = iip_pair_changed,
    .queue = iip_pair_queue,
    .regions = iip_pair_regions,
    .attach = iip_pair_attach,
    .rx = iip_pair_rx,
    .tx = iip_pair_tx,
    .frame_get = iip_pair_frame_get,
    .frame_put = iip_pair_frame_put,
    .frames_free = iip_pair_frames_free,
    .fd = iip_pair_fd,
    .stats = iip_pair_stats,
};

/* ==== c/io/pair/queue.c ==== */
/* queue.c - the data path of a pair. */

#include <errno.h>
#include <string.h>
#include <unistd.h>


enum { IIP_PAIR_LEND = 256 };

void iip_pair_wake(struct iip_pair_queue *q)
{
    char byte = 0;
    if (q && atomic_load(&q->parked) && atomic_exchange(&q->parked, 0))
        while (write(q->wake_fd[1], &byte, 1) < 0 && errno == EINTR)
            ;
}

/* ---- receive ---- */

static inline struct iip_pkt *iip_pair_rx_view(struct iip_stack *stk, struct iip_frame *frame, uint8_t *buf,
                                               uint64_t meta)
{
    struct iip_pkt *pkt = iip_pkt_new(stk, frame, buf, (uint32_t)meta);
    if (IIP_LIKELY(pkt)) {
        pkt->flags = (uint16_t)(meta >> 32 & ~IIP_PAIR_MARKS);
        pkt->seg_size = (uint16_t)(meta >> 48);
    }
    return pkt;
}

static inline uint32_t iip_pair_is_more(uint64_t meta)
{
    return (uint32_t)(meta >> 32) & IIP_PAIR_MORE;
}

/* A packet of several descriptors, which were published together. Null leaves the ring as it was. */
static __attribute__((noinline)) struct iip_pkt *iip_pair_rx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                                   uint32_t *at)
{
    struct iip_pkt *head = NULL, **tail = &head, *pkt;
    uint32_t i = *at, total = 0;
    uint64_t meta;
    do {
        meta = ring->desc[i & ring->mask].meta;
        pkt = iip_pair_rx_view(q->stk, ring->frame[i & ring->mask], ring->desc[i & ring->mask].buf, meta);
        i++;
        if (!pkt)
            goto undo;
        total += pkt->len;
        *tail = pkt;
        tail = &pkt->next;
    } while (iip_pair_is_more(meta));
    head->total = total;
    for (uint32_t k = *at; k != i; k++)
        ring->frame[k & ring->mask] = NULL;
    *at = i;
    return head;
undo:
    /* The frames stay in the ring: an extra view keeps them from going back to the pool. */
    for (pkt = head; pkt; pkt = pkt->next)
        pkt->frame->views++;
    iip_pkt_free(q->stk, head);
    for (uint32_t k = *at; k + 1 != i; k++)
        ring->frame[k & ring->mask]->views = 0;
    return NULL;
}

static __attribute__((noinline)) uint32_t iip_pair_rx_ring(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                           struct iip_pkt **pkts, uint32_t n)
{
    uint32_t at = ring->consumed, end = ring->filled_seen, mask = ring->mask, got = 0;
    const struct iip_pair_desc *desc = ring->desc;
    struct iip_frame **frame = ring->frame;
    struct iip_stack *stk = q->stk;
    uint64_t bytes = 0;
    if (end - at < n)
        end = ring->filled_seen = atomic_load_explicit(&ring->filled, memory_order_acquire);
    while (at != end && got < n) {
        uint64_t meta = desc[at & mask].meta;
        struct iip_pkt *pkt;
        if (IIP_LIKELY(!(meta >> 32 & IIP_PAIR_MARKS))) {
            pkt = iip_pair_rx_view(stk, frame[at & mask], desc[at & mask].buf, meta);
            if (IIP_UNLIKELY(!pkt))
                break;
            frame[at & mask] = NULL;
            at++;
            bytes += (uint32_t)meta;
        } else if (IIP_LIKELY(!iip_pair_is_more(meta))) {
            pkt = iip_pair_rx_view(stk, &desc[at & mask].lent->frame, desc[at & mask].data, meta);
            if (IIP_UNLIKELY(!pkt))
                break;
            at++;
            bytes += (uint32_t)meta;
        } else {
            uint32_t next = at;
            pkt = iip_pair_rx_chain(q, ring, &next);
            if (!pkt)
                break;
            at = next;
            bytes += pkt->total;
        }
        pkts[got++] = pkt;
    }
    ring->consumed = at;
    q->stats.rx_packets += got;
    q->stats.rx_bytes += bytes;
    return got;
}

static void iip_pair_unpark(struct iip_pair_queue *q)
{
    char bytes[64];
    q->armed = 0;
    atomic_store(&q->parked, 0);
    while (read(q->wake_fd[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
        ;
}

uint32_t iip_pair_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_pair_queue *q = (struct iip_pair_queue *)queue;
    uint32_t got = 0, rings = q->end->wire->queues;
    if (IIP_UNLIKELY(q->armed))
        iip_pair_unpark(q);
    if (IIP_UNLIKELY(!q->stk))
        return 0;
    if (atomic_load_explicit(&q->lent_home, memory_order_relaxed))
        iip_pair_lent_fetch(q);
    for (uint32_t i = 0; i < rings; i++) {
        struct iip_pair_ring *ring = q->in[(q->index + i) % rings];
        if (got < n)
            got += iip_pair_rx_ring(q, ring, pkts + got, n - got);
        if (ring->posted_mine != ring->consumed + ring->mask + 1)
            iip_pair_ring_post(ring);
    }
    return got;
}

/* ---- transmit ---- */

/* Makes sure that `want` posted descriptors are there from `at` on; if not, asks to be woken when there are. */
static int iip_pair_tx_room(struct iip_pair_ring *ring, uint32_t at, uint32_t want)
{
    ring->posted_seen = atomic_load_explicit(&ring->posted, memory_order_acquire);
    if (ring->posted_seen - at >= want)
        return 1;
    ring->sender->blocked = ring;
    atomic_store(&ring->starved, 1);
    ring->posted_seen = atomic_load(&ring->posted);
    if (ring->posted_seen - at < want)
        return 0;
    ring->sender->blocked = NULL;
    atomic_store(&ring->starved, 0);
    return 1;
}

/* Chains, TSO packets and what is too long: returns descriptors used, 0 when there is no room, or -1: not sendable. */
static __attribute__((noinline)) int iip_pair_tx_chain(struct iip_pair_queue *q, struct iip_pair_ring *ring,
                                                       const struct iip_pkt *pkt, uint32_t at)
{
    uint32_t len = iip_wire_bytes(pkt), used = 0, need;
    const uint8_t *from = pkt->data;
    uint32_t left = pkt->len, tso = pkt->flags & IIP_PKT_TSO;
    uint32_t flags = q->rx_flags | (tso ? IIP_PKT_LRO : 0), seg_size = pkt->seg_size;
    if ((!tso && len > q->end->wire->max_len) || (tso && !q->end->wire->tso))
        return -1;
    need = len ? (len + ring->room - 1) / ring->room : 1;
    if (need > ring->mask + 1)
        return -1;
    if (ring->posted_seen - at < need && !iip_pair_tx_room(ring, at, need))
        return 0;
    for (; used < need; used++) {
        struct iip_pair_desc *d = &ring->desc[(at + used) & ring->mask];
        uint32_t have = 0;
        while (have < ring->room && pkt) {
            uint32_t part = left < ring->room - have ? left : ring->room - have;
            if (part)
                memcpy(d->buf + have, from, part);
            have += part;
            from += part;
            left -= part;
            if (!left) {
                pkt = pkt->next;
                from = pkt ? pkt->data : NULL;
                left = pkt ? pkt->len : 0;
            }
        }
        d->meta = iip_pair_meta(have, flags | (used + 1 < need ? IIP_PAIR_MORE : 0), used ? 0 : seg_size);
    }
    return (int)used;
}

/* From how many bytes on packets are lent: all the rest are copied, which costs less for short ones. */
static uint32_t iip_pair_tx_lend_from(const struct iip_pair_queue *q)
{
    if (iip_pool_left(&q->pool) <= q->pool.count / 2 || !atomic_load_explicit(&q->end->wire->up, memory_order_relaxed))
        return UINT32_MAX;
    return IIP_PAIR_LEND;
}

static struct iip_pair_lent *iip_pair_tx_record(struct iip_pair_queue *q)
{
    struct iip_pair_lent *lent = q->lent_free;
    if (IIP_LIKELY(lent)) {
        q->lent_free = lent->next;
        return lent;
    }
    if (q->lent_fresh == q->lent_n)
        return NULL;
    lent = &q->lent[q->lent_fresh++];
    lent->owner = q;
    lent->frame.flags = IIP_FRAME_READ_ONLY;
    lent->frame.region = q->pool.id;
    return lent;
}

/* Only frames of the queue's own pool are in the regions that the other end knows. 0: it is to be copied. */
static inline int iip_pair_tx_lend(struct iip_pair_queue *q, struct iip_pair_desc *desc, struct iip_pkt *pkt)
{
    const struct iip_frame *frame = pkt->frame;
    struct iip_pair_lent *lent = frame->host == &q->pool ? iip_pair_tx_record(q) : NULL;
    if (IIP_UNLIKELY(!lent))
        return 0;
    lent->pkt = pkt;
    lent->frame.base = frame->base;
    lent->frame.size = frame->size;
    desc->data = pkt->data;
    desc->lent = lent;
    return 1;
}

static void iip_pair_tx_publish(struct iip_pair_ring *ring, uint32_t at)
{
    if (at == ring->filled_mine)
        return;
    ring->filled_mine = at;
    /* Sequential consistency: either we see that the receiver parks, or it sees these packets. */
    atomic_store(&ring->filled, at);
    if (IIP_UNLIKELY(atomic_load(&ring->receiver->parked)))
        iip_pair_wake(ring->receiver);
}

static uint32_t iip_pair_tx_fill(struct iip_pair_queue *q, struct iip_pair_ring *ring, struct iip_pkt **pkts,
                                 uint32_t n)
{
    uint32_t at = ring->filled_mine, mask = ring->mask, max_len = ring->max_len, dropped = 0, i;
    struct iip_pair_desc *desc = ring->desc;
    struct iip_stack *stk = q->stk;
    uint64_t bytes = 0, flags = iip_pair_meta(0, q->rx_flags, 0);
    uint32_t lend_from = iip_pair_tx_lend_from(q);
    for (i = 0; i < n; i++) {
        struct iip_pkt *pkt = pkts[i];
        uint32_t len = pkt->len;
        if (IIP_LIKELY(!pkt->next && len <= max_len && !(pkt->flags & IIP_PKT_TSO))) {
            if (IIP_UNLIKELY(at == ring->posted_seen) && !iip_pair_tx_room(ring, at, 1))
                break;
            bytes += len;
            if (len >= lend_from && iip_pair_tx_lend(q, &desc[at & mask], pkt)) {
                desc[at++ & mask].meta = flags | iip_pair_meta(len, IIP_PAIR_LENT, 0);
                continue;
            }
            memcpy(desc[at & mask].buf, pkt->data, len);
            desc[at & mask].meta = flags | len;
            at++;
        } else {
            int used = iip_pair_tx_chain(q, ring, pkt, at);
            if (!used)
                break;
            dropped += used < 0;
            bytes += used > 0 ? iip_wire_bytes(pkt) : 0;
            at += used > 0 ? (uint32_t)used : 0;
        }
        iip_pkt_free(stk, pkt);
    }
    iip_pair_tx_publish(ring, at);
    q->stats.tx_packets += i - dropped;
    q->stats.tx_dropped += dropped;
    q->stats.tx_bytes += bytes;
    return i;
}

static uint32_t iip_pair_tx_flow(struct iip_pair_queue *q, const struct iip_pkt *pkt, uint32_t queues)
{
    return iip_wire_hash(pkt, q->end->wire->l3) % IIP_WIRE_TABLE % queues;
}

/* Several queues on the other end: runs of packets that go to the same one. */
static uint32_t iip_pair_tx_many(struct iip_pair_queue *q, struct iip_pkt **pkts, uint32_t n, uint32_t queues)
{
    uint32_t sent = 0, to, next, run, took;
    if (!n)
        return 0;
    next = iip_pair_tx_flow(q, pkts[0], queues);
    while (sent < n) {
        to = next;
        for (run = 1; sent + run < n; run++) {
            next = iip_pair_tx_flow(q, pkts[sent + run], queues);
            if (next != to)
                break;
        }
        took = iip_pair_tx_fill(q, q->tx[to], pkts + sent, run);
        sent += took;
        if (took < run)
            break;
    }
    return sent;
}

uint32_t iip_pair_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_pair_queue *q = queue;
    struct iip_pair_ring *ring = atomic_load_explicit(&q->tx_only, memory_order_acquire);
    uint32_t sent = 0, queues;
    q->blocked = NULL;
    if (IIP_LIKELY(ring)) {
        sent = iip_pair_tx_fill(q, ring, pkts, n);
    } else {
        queues = atomic_load_explicit(&q->tx_count, memory_order_acquire);
        if (queues)
            sent = iip_pair_tx_many(q, pkts, n, queues);
    }
    q->stats.tx_refused += n - sent;
    return sent;
}

/* ---- waiting ---- */

static int iip_pair_rx_ready(struct iip_pair_queue *q)
{
    for (uint32_t i = 0; i < q->end->wire->queues; i++)
        if (atomic_load(&q->in[i]->filled) != q->in[i]->consumed)
            return 1;
    return 0;
}

int iip_pair_fd(struct iip_port_queue *queue)
{
    struct iip_pair_queue *q = (struct iip_pair_queue *)queue;
    q->armed = 1;
    atomic_store(&q->parked, 1);
    if (iip_pair_rx_ready(q) || (q->blocked && !atomic_load(&q->blocked->starved)))
        iip_pair_wake(q);
    return q->wake_fd[0];
}

/* ==== c/io/pair/ring.c ==== */
/* ring.c - the memory of a ring, and the posting of empty frames. */

#include <stdlib.h>
#include <string.h>

#include "iip_core.h"

int iip_pair_ring_new(struct iip_pair_ring **out, uint32_t size, struct iip_pair_queue *receiver)
{
    struct iip_pair_ring *ring = aligned_alloc(64, sizeof(*ring));
    if (!ring)
        return IIP_E_NOMEM;
    memset(ring, 0, sizeof(*ring));
    ring->mask = size - 1;
    ring->receiver = receiver;
    ring->room = receiver->pool.frame_size - IIP_POOL_HEADROOM;
    ring->desc = calloc(size, sizeof(*ring->desc));
    ring->frame = calloc(size, sizeof(*ring->frame));
    if (!ring->desc || !ring->frame) {
        iip_pair_ring_free(ring);
        return IIP_E_NOMEM;
    }
    *out = ring;
    return IIP_OK;
}

void iip_pair_ring_free(struct iip_pair_ring *ring)
{
    if (!ring)
        return;
    free(ring->desc);
    free(ring->frame);
    free(ring);
}

void iip_pair_ring_post(struct iip_pair_ring *ring)
{
    struct iip_pair_queue *q = ring->receiver;
    uint32_t at = ring->posted_mine, end = ring->consumed + ring->mask + 1, mask = ring->mask;
    uint32_t left = iip_pool_left(&q->pool);
    struct iip_pair_desc *desc = ring->desc;
    struct iip_frame **frames = ring->frame;
    if (IIP_UNLIKELY(left < end - at + q->reserve)) {
        iip_pool_fetch(&q->pool);
        left = iip_pool_left(&q->pool);
    }
    left = left > q->reserve ? left - q->reserve : 0;
    for (; at != end; at++) {
        if (frames[at & mask]) /* what came in its place was lent */
            continue;
        if (!left--)
            break;
        frames[at & mask] = iip_pool_get(&q->pool);
        desc[at & mask].buf = frames[at & mask]->base + IIP_POOL_HEADROOM;
    }
    if (at == ring->posted_mine)
        return;
    ring->posted_mine = at;
    /* Sequential consistency, here and in transmit: either we see that the sender starves, or it sees these frames. */
    atomic_store(&ring->posted, at);
    if (IIP_UNLIKELY(atomic_load(&ring->starved))) {
        atomic_store(&ring->starved, 0);
        iip_pair_wake(ring->sender);
    }
}

/* ==== c/io/pair/setup.c ==== */
/* setup.c - a queue of a pair comes to be: its pool, its rings, and whether they fit each other. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iip_core.h"

enum { IIP_PAIR_RING = 512, IIP_PAIR_RING_SIDE = 64, IIP_PAIR_FRAMES = 16384 };

void iip_pair_queue_free(struct iip_pair_queue *q)
{
    if (!q)
        return;
    for (uint32_t i = 0; i < IIP_PAIR_QUEUES; i++)
        iip_pair_ring_free(q->in[i]);
    if (q->wake_fd[0] >= 0)
        close(q->wake_fd[0]);
    if (q->wake_fd[1] >= 0)
        close(q->wake_fd[1]);
    iip_pool_free(&q->pool);
    free(q->lent);
    free(q);
}

static uint32_t iip_pair_ring_size(const struct iip_pair_ask *ask)
{
    uint32_t size = 64, want = ask->cfg.ring ? ask->cfg.ring : IIP_PAIR_RING;
    while (size < want && size < 65536)
        size *= 2;
    return size;
}

static uint32_t iip_pair_longest(const struct iip_pair_wire *wire)
{
    return wire->tso ? 65535 + IIP_PAIR_LINK : wire->max_len;
}

/* The longest packet must fit into the shortest ring, or it would be refused for ever. */
static int iip_pair_queue_check(const struct iip_pair_queue *q, struct iip_port_err *err)
{
    const struct iip_pair_wire *wire = q->end->wire;
    uint32_t longest = iip_pair_longest(wire), size = IIP_POOL_FRAME_MIN;
    while ((size - IIP_POOL_HEADROOM) * IIP_PAIR_RING_SIDE < longest)
        size *= 2;
    if (q->pool.frame_size >= size)
        return IIP_OK;
    return iip_port_fail(err, IIP_E_RANGE,
                         "pair:%s: frame_size=%u: a packet of %u bytes would take too many; use at least %u",
                         wire->name, q->pool.frame_size, longest, size);
}

/*
 * Rings take half of the pool at most: one that could hold all of it would take every frame that comes free, and what is
 * to be sent, ACKs too, would have those of the reserve only. The longest packet must fit all the same.
 */
static int iip_pair_ring_fit(const struct iip_pair_queue *q, uint32_t *size, struct iip_port_err *err)
{
    const struct iip_pair_wire *wire = q->end->wire;
    uint32_t rings = 2 * wire->queues, room = q->pool.frame_size - IIP_POOL_HEADROOM, longest = iip_pair_longest(wire);
    while (*size > q->pool.count / rings && *size > 1 && (*size / 2) * room >= longest)
        *size /= 2;
    if (*size <= q->pool.count / rings)
        return IIP_OK;
    return iip_port_fail(err, IIP_E_RANGE,
                         "pair:%s: frames=%u: a packet of %u bytes takes up to %u frames of %u bytes; use at least %u",
                         wire->name, q->pool.count, longest, (longest + room - 1) / room, q->pool.frame_size,
                         *size * rings);
}

/* One ring for each queue that may send to this one; the one that most flows take is long. */
static int iip_pair_queue_rings(struct iip_pair_queue *q, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    uint32_t senders = q->end->wire->queues, left;
    for (uint32_t i = 0; i < senders; i++) {
        uint32_t size = i % q->end->queues == q->index ? iip_pair_ring_size(ask) : IIP_PAIR_RING_SIDE;
        int status = iip_pair_ring_fit(q, &size, err);
        if (status < 0)
            return status;
        if (iip_pair_ring_new(&q->in[i], size, q))
            return iip_port_fail(err, IIP_E_NOMEM,
                                 "pair:%s: no memory for a ring of %u descriptors: ask for fewer with ring=", ask->name,
                                 size);
        iip_pair_ring_post(q->in[i]);
    }
    /* Less than the reserve that the loop keeps, or the rings would run dry before it sees that frames are few. */
    left = iip_pool_left(&q->pool);
    if (left > 2 * q->reserve)
        q->reserve = left / 8;
    return IIP_OK;
}

/* The second end takes the pool that was made for it; one that asks for another has that, and does not lend. */
static int iip_pair_queue_pool(struct iip_pair_queue *q, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    struct iip_pair_wire *wire = q->end->wire;
    struct iip_pool *spare = &wire->spare[q->index];
    uint32_t size = ask->cfg.frame_size, side = q->end->side;
    uint32_t count = ask->cfg.frames ? ask->cfg.frames : IIP_PAIR_FRAMES;
    int status = iip_pool_fit(&size, wire->mtu, err);
    if (status < 0)
        return status;
    if (side && (count != wire->frames || size != wire->frame_size))
        return iip_pool_init(&q->pool, IIP_PAIR_QUEUES + q->index, count, size, err);
    if (side) {
        q->pool = *spare;
        memset(spare, 0, sizeof(*spare));
    } else {
        status = iip_pool_init(&q->pool, q->index, count, size, err);
        if (status < 0)
            return status;
    }
    wire->frames = count;
    wire->frame_size = size;
    iip_pair_lend_init(q);
    return IIP_OK;
}

int iip_pair_queue_new(struct iip_pair_end *end, uint32_t i, const struct iip_pair_ask *ask, struct iip_port_err *err)
{
    struct iip_pair_queue *q = aligned_alloc(64, sizeof(*q));
    int status;
    if (!q)
        return iip_port_fail(err, IIP_E_NOMEM, "pair:%s: no memory", ask->name);
    memset(q, 0, sizeof(*q));
    end->q[i] = q;
    q->end = end;
    q->index = i;
    q->wake_fd[0] = q->wake_fd[1] = -1;
    q->rx_flags = end->wire->csum ? IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK : 0;
    status = iip_pair_queue_pool(q, ask, err);
    if (status < 0)
        return status;
    q->reserve = q->pool.count / 8;
    status = iip_pair_queue_check(q, err);
    if (status < 0)
        return status;
    if (pipe2(q->wake_fd, O_NONBLOCK | O_CLOEXEC))
        return iip_port_fail(err, IIP_E_NOMEM, "pair:%s: pipe: %s; raise the limit of open files (ulimit -n)",
                             ask->name, strerror(errno));
    return iip_pair_queue_rings(q, ask, err);
}

/* ==== c/io/pcap/file.c ==== */
/* file.c - capture files: reading, checking, writing. */

/* ==== c/io/pcap/file.h ==== */
/*
 * file.h - capture files in the classic pcap format: LINKTYPE_ETHERNET and LINKTYPE_RAW, micro- or nanoseconds, either
 * byte order. (pcapng is told apart and refused with the remedy.)
 *
 * Nothing in a file is believed: a reader is opened only when every record of the file has been found whole.
 */
#ifndef IIP_IO_PCAP_FILE_H
#define IIP_IO_PCAP_FILE_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "iip_core.h"

enum {
    IIP_PCAP_MAX = 1 << 18 /* bytes of a record, at most */
};

struct iip_pcap_reader {
    FILE *file;
    int swapped, nano;
    int l3;            /* packets begin at the IP header */
    uint64_t packets;  /* in the whole file */
};

struct iip_pcap_record {
    uint64_t time_us;  /* since 1970 */
    uint32_t len;      /* bytes that were kept */
};

/* NOT_FOUND, ACCESS; INVAL with what is wrong and where. */
int iip_pcap_open(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err);
/* The next record, its bytes in `to` (IIP_PCAP_MAX of them): 1, or 0 at the end. */
int iip_pcap_read(struct iip_pcap_reader *r, struct iip_pcap_record *rec, uint8_t *to);
void iip_pcap_close(struct iip_pcap_reader *r);

/* A writer may be used by several threads: each call writes whole records. */
struct iip_pcap_writer {
    pthread_mutex_t lock;
    FILE *file;
    int dirty;
    int failed; /* the disk is full or the like: what follows is not written, traffic goes on */
};

int iip_pcap_create(struct iip_pcap_writer *w, const char *path, int l3, struct iip_port_err *err);
/* The bytes of one record, header first, appended to `to`; returns how many. `to` has room for 16 + len. */
uint32_t iip_pcap_format(uint8_t *to, uint64_t time_us, uint32_t len);
void iip_pcap_write(struct iip_pcap_writer *w, const uint8_t *records, size_t len);
/* Hands what was written to the system, so that it is in the file even if this process is killed. */
void iip_pcap_flush(struct iip_pcap_writer *w);
void iip_pcap_finish(struct iip_pcap_writer *w);

/*
 * One packet as a record, with complete checksums: offloads leave that to the device (transmit), or the wire never
 * needed them (receive), but who reads a capture wants to see what would have been on a wire. Returns bytes written;
 * `to` has room for 16 + IIP_PCAP_MAX.
 */
uint32_t iip_pcap_packet(uint8_t *to, const struct iip_pkt *pkt, uint64_t time_us, int l3);

/* Microseconds since 1970. */
uint64_t iip_pcap_wall_us(void);

#endif

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "iip_core.h"

enum { IIP_PCAP_HEAD = 24, IIP_PCAP_RECORD = 16 };
enum {
    IIP_LINK_ETHERNET = 1,
    IIP_LINK_RAW_BSD = 12,
    IIP_LINK_RAW_OPENBSD = 14,
    IIP_LINK_RAW = 101,
    IIP_LINK_IPV4 = 228,
    IIP_LINK_IPV6 = 229
};

static uint32_t iip_pcap_u32(const struct iip_pcap_reader *r, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return r->swapped ? __builtin_bswap32(v) : v;
}

static int iip_pcap_magic(struct iip_pcap_reader *r, const uint8_t *p)
{
    uint32_t magic;
    memcpy(&magic, p, 4);
    r->swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    if (r->swapped)
        magic = __builtin_bswap32(magic);
    r->nano = magic == 0xa1b23c4d;
    return magic == 0xa1b2c3d4 || r->nano;
}

static int iip_pcap_head(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_HEAD];
    size_t got = fread(head, 1, sizeof(head), r->file);
    uint32_t link;
    if (got >= 4 && memcmp(head, "\x0a\x0d\x0d\x0a", 4) == 0)
        return iip_port_fail(err, IIP_E_INVAL,
                             "pcap:%s: this is pcapng; convert it with: tcpdump -r %s -w new.pcap, or "
                             "editcap -F pcap %s new.pcap",
                             path, path, path);
    if (got < 4 || !iip_pcap_magic(r, head))
        return iip_port_fail(err, IIP_E_INVAL,
                             "pcap:%s: this is no capture file: it does not begin with a pcap magic number", path);
    if (got < sizeof(head))
        return iip_port_fail(err, IIP_E_INVAL, "pcap:%s: the file header is cut short: %zu of %d bytes", path, got,
                             IIP_PCAP_HEAD);
    link = iip_pcap_u32(r, head + 20) & 0xffff;
    r->l3 = link == IIP_LINK_RAW_BSD || link == IIP_LINK_RAW_OPENBSD || link == IIP_LINK_RAW || link == IIP_LINK_IPV4 ||
        link == IIP_LINK_IPV6;
    if (!r->l3 && link != IIP_LINK_ETHERNET)
        return iip_port_fail(err, IIP_E_NOT_SUPPORTED,
                             "pcap:%s: link type %u; use a capture of an Ethernet (1) or raw IP (101) "
                             "interface",
                             path, link);
    return IIP_OK;
}

/* Walks all records by their lengths. */
static int iip_pcap_check(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_RECORD];
    struct stat st;
    uint64_t at = IIP_PCAP_HEAD, end;
    uint32_t len;
    if (fstat(fileno(r->file), &st) || !S_ISREG(st.st_mode))
        return iip_port_fail(err, IIP_E_INVAL, "pcap:%s: this is no regular file; save the capture to one first", path);
    end = (uint64_t)st.st_size;
    for (; at < end; at += IIP_PCAP_RECORD + len, r->packets++) {
        if (end - at < IIP_PCAP_RECORD || fread(head, 1, sizeof(head), r->file) != sizeof(head))
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu is cut short in its header; cut the file there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at);
        len = iip_pcap_u32(r, head + 8);
        if (len > IIP_PCAP_MAX)
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu says %u bytes, more than %d; the file is "
                                 "damaged there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at, len, IIP_PCAP_MAX);
        if (end - at - IIP_PCAP_RECORD < len || fseeko(r->file, (off_t)len, SEEK_CUR))
            return iip_port_fail(err, IIP_E_INVAL,
                                 "pcap:%s: packet %llu at byte %llu is cut short: it has %llu of %u bytes; cut "
                                 "the file there",
                                 path, (unsigned long long)r->packets + 1, (unsigned long long)at,
                                 (unsigned long long)(end - at - IIP_PCAP_RECORD), len);
    }
    return fseeko(r->file, IIP_PCAP_HEAD, SEEK_SET) ? IIP_E_IO : IIP_OK;
}

static int iip_pcap_errno(const char *path, struct iip_port_err *err)
{
    int status = errno == ENOENT ? IIP_E_NOT_FOUND : errno == EACCES || errno == EPERM ? IIP_E_ACCESS : IIP_E_IO;
    return iip_port_fail(err, status, "pcap: %s: %s; name a file in a directory that you may use", path,
                         strerror(errno));
}

int iip_pcap_open(struct iip_pcap_reader *r, const char *path, struct iip_port_err *err)
{
    int status;
    memset(r, 0, sizeof(*r));
    r->file = fopen(path, "rbe");
    if (!r->file)
        return iip_pcap_errno(path, err);
    status = iip_pcap_head(r, path, err);
    if (status >= 0)
        status = iip_pcap_check(r, path, err);
    if (status < 0)
        iip_pcap_close(r);
    return status;
}

int iip_pcap_read(struct iip_pcap_reader *r, struct iip_pcap_record *rec, uint8_t *to)
{
    uint8_t head[IIP_PCAP_RECORD];
    if (fread(head, 1, sizeof(head), r->file) != sizeof(head))
        return 0;
    rec->time_us = (uint64_t)iip_pcap_u32(r, head) * 1000000 + iip_pcap_u32(r, head + 4) / (r->nano ? 1000 : 1);
    rec->len = iip_pcap_u32(r, head + 8);
    /* The file was checked when it was opened, but it may have been changed since. */
    return rec->len <= IIP_PCAP_MAX && fread(to, 1, rec->len, r->file) == rec->len;
}

void iip_pcap_close(struct iip_pcap_reader *r)
{
    if (r->file)
        fclose(r->file);
    r->file = NULL;
}

/* ---- writing ---- */

uint64_t iip_pcap_wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint32_t iip_pcap_put(uint8_t *to, uint32_t at, uint32_t v)
{
    memcpy(to + at, &v, 4); /* in our own byte order: the magic number says which */
    return at + 4;
}

int iip_pcap_create(struct iip_pcap_writer *w, const char *path, int l3, struct iip_port_err *err)
{
    uint8_t head[IIP_PCAP_HEAD];
    uint16_t version[2] = {2, 4};
    memset(w, 0, sizeof(*w));
    w->file = fopen(path, "wbe");
    if (!w->file)
        return iip_pcap_errno(path, err);
    pthread_mutex_init(&w->lock, NULL);
    memset(head, 0, sizeof(head));
    iip_pcap_put(head, 0, 0xa1b2c3d4);
    memcpy(head + 4, version, 4);
    iip_pcap_put(head, 16, IIP_PCAP_MAX);
    iip_pcap_put(head, 20, l3 ? IIP_LINK_RAW : IIP_LINK_ETHERNET);
    iip_pcap_write(w, head, sizeof(head));
    if (!w->failed && fflush(w->file) == 0)
        return IIP_OK;
    iip_pcap_errno(path, err);
    iip_pcap_finish(w);
    return IIP_E_IO;
}

uint32_t iip_pcap_format(uint8_t *to, uint64_t time_us, uint32_t len)
{
    uint32_t at = iip_pcap_put(to, 0, (uint32_t)(time_us / 1000000));
    at = iip_pcap_put(to, at, (uint32_t)(time_us % 1000000));
    at = iip_pcap_put(to, at, len);
    return iip_pcap_put(to, at, len);
}

void iip_pcap_write(struct iip_pcap_writer *w, const uint8_t *records, size_t len)
{
    pthread_mutex_lock(&w->lock);
    if (!w->failed && fwrite(records, 1, len, w->file) != len)
        w->failed = 1;
    w->dirty = 1;
    pthread_mutex_unlock(&w->lock);
}

void iip_pcap_flush(struct iip_pcap_writer *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->dirty && fflush(w->file))
        w->failed = 1;
    w->dirty = 0;
    pthread_mutex_unlock(&w->lock);
}

void iip_pcap_finish(struct iip_pcap_writer *w)
{
    if (!w->file)
        return;
    fclose(w->file);
    w->file = NULL;
    pthread_mutex_destroy(&w->lock);
}

uint32_t iip_pcap_packet(uint8_t *to, const struct iip_pkt *pkt, uint64_t time_us, int l3)
{
    const uint32_t undone = IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM | IIP_PKT_TSO | IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK;
    uint32_t len = iip_wire_copy(to + IIP_PCAP_RECORD, IIP_PCAP_MAX, pkt);
    iip_pcap_format(to, time_us, len);
    if (pkt->flags & undone)
        iip_wire_csum_fill(to + IIP_PCAP_RECORD, len, l3);
    return IIP_PCAP_RECORD + len;
}

/* ==== c/io/pcap/record.c ==== */
/*
 * record.c - a port in front of another: it passes everything on, and writes what goes by to a capture file.
 *
 * Each packet is in the file once, in the order of each queue: received ones as they come up, sent ones once the port
 * has taken them (a refused packet comes again, and is recorded then). A packet that is cut by the device stands there
 * uncut, as in captures on the sending host.
 */
#include <stdlib.h>
#include <string.h>

#include "iip_core.h"

enum { IIP_RECORD_BURST = 16 };

struct iip_record_queue {
    const struct iip_port_ops *ops; /* of the port behind */
    struct iip_port_queue *q;
    struct iip_record *rec;
    uint8_t *buf;                   /* records of a burst */
};

struct iip_record {
    const struct iip_port_ops *ops;
    struct iip_port *port;
    int l3;
    uint32_t queues;
    struct iip_pcap_writer writer;
    struct iip_record_queue q[];
};

static uint64_t iip_record_time(const struct iip_record_queue *rq)
{
    return rq->ops->now ? rq->ops->now(rq->q) : iip_pcap_wall_us();
}

static uint32_t iip_record_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    uint32_t got = rq->ops->rx(rq->q, pkts, n);
    uint64_t now = got ? iip_record_time(rq) : 0;
    for (uint32_t i = 0; i < got; i++)
        iip_pcap_write(&rq->rec->writer, rq->buf, iip_pcap_packet(rq->buf, pkts[i], now, rq->rec->l3));
    return got;
}

/* The packets are gone once the port has them, so their records are made before, and written for those it took. */
static uint32_t iip_record_burst(struct iip_record_queue *rq, struct iip_pkt **pkts, uint32_t n)
{
    size_t end[IIP_RECORD_BURST + 1] = {0};
    uint64_t now = iip_record_time(rq);
    uint32_t taken;
    for (uint32_t i = 0; i < n; i++)
        end[i + 1] = end[i] + iip_pcap_packet(rq->buf + end[i], pkts[i], now, rq->rec->l3);
    taken = rq->ops->tx(rq->q, pkts, n);
    if (taken)
        iip_pcap_write(&rq->rec->writer, rq->buf, end[taken]);
    return taken;
}

static uint32_t iip_record_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t sent = 0, part, taken;
    while (sent < n) {
        part = n - sent < IIP_RECORD_BURST ? n - sent : IIP_RECORD_BURST;
        taken = iip_record_burst(queue, pkts + sent, part);
        sent += taken;
        if (taken < part)
            break;
    }
    return sent;
}

static void iip_record_close(struct iip_port *port)
{
    struct iip_record *rec = (struct iip_record *)port;
    rec->ops->close(rec->port);
    iip_pcap_finish(&rec->writer);
    for (uint32_t i = 0; i < rec->queues; i++)
        free(rec->q[i].buf);
    free(rec);
}

static void iip_record_info(struct iip_port *port, struct iip_port_info *out)
{
    struct iip_record *rec = (struct iip_record *)port;
    rec->ops->info(rec->port, out);
}

static int iip_record_changed(struct iip_port *port)
{
    struct iip_record *rec = (struct iip_record *)port;
    return rec->ops->changed(rec->port);
}

static struct iip_port_queue *iip_record_queue(struct iip_port *port, uint32_t i)
{
    struct iip_record *rec = (struct iip_record *)port;
    return i < rec->queues ? (struct iip_port_queue *)&rec->q[i] : NULL;
}

static uint32_t iip_record_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    struct iip_record *rec = (struct iip_record *)port;
    return rec->ops->regions(rec->port, out, cap);
}

static void iip_record_attach(struct iip_port_queue *queue, struct iip_stack *stk)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    rq->ops->attach(rq->q, stk);
}

static struct iip_frame *iip_record_frame_get(void *queue, iip_u32 size)
{
    struct iip_record_queue *rq = queue;
    return rq->ops->frame_get(rq->q, size);
}

static void iip_record_frame_put(void *queue, struct iip_frame *frame)
{
    struct iip_record_queue *rq = queue;
    rq->ops->frame_put(rq->q, frame);
}

static uint32_t iip_record_frames_free(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    return rq->ops->frames_free(rq->q);
}

static int iip_record_fd(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    iip_pcap_flush(&rq->rec->writer); /* the loop is about to wait: there is time */
    return rq->ops->fd(rq->q);
}

static uint64_t iip_record_now(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    return rq->ops->now ? rq->ops->now(rq->q) : iip_port_clock_us();
}

static void iip_record_stats(struct iip_port_queue *queue, struct iip_port_stats *out)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    rq->ops->stats(rq->q, out);
}

static const struct iip_port_ops iip_record_ops = {
    .kind = "record",
    .build_id = IIP_BUILD_ID,
    .close = iip_record_close,
    .info = iip_record_info,
    .changed = iip_record_changed,
    .queue = iip_record_queue,
    .regions = iip_record_regions,
    .attach = iip_record_attach,
    .rx = iip_record_rx,
    .tx = iip_record_tx,
    .frame_get = iip_record_frame_get,
    .frame_put = iip_record_frame_put,
    .frames_free = iip_record_frames_free,
    .fd = iip_record_fd,
    .now = iip_record_now,
    .stats = iip_record_stats,
};

static void iip_record_undo(struct iip_record *rec)
{
    for (uint32_t i = 0; i < rec->queues; i++)
        free(rec->q[i].buf);
    free(rec);
}

int iip_record_open(const struct iip_port_ops *inner_ops, struct iip_port *inner, const char *path,
                    const struct iip_port_ops **ops, struct iip_port **out, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_port_info info;
    struct iip_record *rec;
    int status = IIP_OK;
    inner_ops->info(inner, &info);
    rec = calloc(1, sizeof(*rec) + info.queues * sizeof(rec->q[0]));
    if (!rec)
        return iip_port_fail(&e, IIP_E_NOMEM, "pcap: %s: no memory", path);
    rec->ops = inner_ops;
    rec->port = inner;
    rec->l3 = (info.stack_flags & IIP_STACK_L3) != 0;
    rec->queues = info.queues;
    for (uint32_t i = 0; i < info.queues; i++) {
        rec->q[i] = (struct iip_record_queue){inner_ops, inner_ops->queue(inner, i), rec,
                                              malloc(IIP_RECORD_BURST * (16 + (size_t)IIP_PCAP_MAX))};
        if (!rec->q[i].buf)
            status = iip_port_fail(&e, IIP_E_NOMEM, "pcap: %s: no memory", path);
    }
    if (status >= 0)
        status = iip_pcap_create(&rec->writer, path, rec->l3, &e);
    if (status < 0) {
        iip_record_undo(rec);
        return status;
    }
    *ops = &iip_record_ops;
    *out = (struct iip_port *)rec;
    return IIP_OK;
}

/* ==== c/io/pcap/replay.c ==== */
/*
 * replay.c - a capture file as a port: "pcap:in.pcap,out=FILE,pace=on".
 *
 * What was captured is received, as fast as it is read, or with pace=on in the rhythm of the capture. What is sent is
 * written to `out`, or counted and forgotten. After the last packet the link is down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "iip_core.h"

enum { IIP_REPLAY_FRAMES = 8192, IIP_REPLAY_MTU = 1500 };

struct iip_replay { /* the port and its only queue */
    struct iip_pcap_reader reader;
    struct iip_pcap_writer writer;
    int has_writer, pace;
    struct iip_stack *stk;
    struct iip_pool pool;
    struct iip_pcap_record next; /* the packet in buf; next.len 0 and ended: none */
    uint64_t start_us, first_us; /* of the replay and of the capture */
    uint32_t loaded, ended, told;
    int fd;                      /* a timer: readable when the next packet is due */
    uint8_t mac[6];
    struct iip_port_stats stats;
    uint8_t buf[IIP_PCAP_MAX];
    uint8_t out[16 + IIP_PCAP_MAX];
};

static int iip_replay_arg(struct iip_args *a, struct iip_replay *rp, struct iip_port_cfg *cfg, char *out)
{
    int status = iip_args_cfg(a, cfg);
    if (status)
        return status;
    if (iip_args_is(a, "out"))
        return strcpy(out, a->value), IIP_OK;
    if (iip_args_is(a, "pace"))
        return iip_args_switch(a, &rp->pace);
    if (iip_args_is(a, "mac"))
        return iip_args_mac(a, rp->mac);
    return iip_args_unknown(a, "out, pace, mac, " IIP_ARGS_CFG);
}

static int iip_replay_ask(struct iip_replay *rp, const char *args, struct iip_port_cfg *cfg, char *in, char *out,
                          struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    iip_port_mac_random(rp->mac);
    iip_args_init(&a, "pcap", args, err);
    status = iip_args_name(&a, in, IIP_ARGS_VALUE);
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_replay_arg(&a, rp, cfg, out);
    if (status >= 0 && !*in)
        return iip_port_fail(err, IIP_E_INVAL, "pcap: name the capture file to replay, as pcap:in.pcap");
    return status;
}

static void iip_replay_close(struct iip_port *port)
{
    struct iip_replay *rp = (struct iip_replay *)port;
    iip_pcap_close(&rp->reader);
    if (rp->has_writer)
        iip_pcap_finish(&rp->writer);
    if (rp->fd >= 0)
        close(rp->fd);
    iip_pool_free(&rp->pool);
    free(rp);
}

/* Reads ahead by one packet. */
static void iip_replay_load(struct iip_replay *rp)
{
    if (rp->loaded || rp->ended)
        return;
    rp->loaded = (uint32_t)iip_pcap_read(&rp->reader, &rp->next, rp->buf);
    rp->ended = !rp->loaded;
}

static int iip_replay_start(struct iip_replay *rp, const char *in, const char *out, const struct iip_port_cfg *cfg,
                            struct iip_port_err *err)
{
    uint32_t size = cfg->frame_size;
    int status = iip_pcap_open(&rp->reader, in, err);
    if (status >= 0 && *out) {
        status = iip_pcap_create(&rp->writer, out, rp->reader.l3, err);
        rp->has_writer = status >= 0;
    }
    if (status >= 0)
        status = iip_pool_fit(&size, IIP_REPLAY_MTU, err);
    if (status >= 0)
        status = iip_pool_init(&rp->pool, 0, cfg->frames ? cfg->frames : IIP_REPLAY_FRAMES, size, err);
    if (status < 0)
        return status;
    rp->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (rp->fd < 0)
        return iip_port_fail(err, IIP_E_NOMEM, "pcap:%s: timerfd: %s; raise the limit of open files (ulimit -n)", in,
                             strerror(errno));
    iip_replay_load(rp);
    rp->first_us = rp->loaded ? rp->next.time_us : 0;
    rp->start_us = iip_port_clock_us();
    return IIP_OK;
}

static int iip_replay_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **port, char *err,
                           size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_port_cfg mine = *cfg;
    struct iip_replay *rp = calloc(1, sizeof(*rp));
    char in[IIP_ARGS_VALUE] = "", out[IIP_ARGS_VALUE] = "";
    int status;
    if (!rp)
        return iip_port_fail(&e, IIP_E_NOMEM, "pcap: no memory");
    rp->fd = -1;
    status = iip_replay_ask(rp, args, &mine, in, out, &e);
    if (status >= 0)
        status = iip_replay_start(rp, in, out, &mine, &e);
    if (status < 0)
        iip_replay_close((struct iip_port *)rp);
    else
        *port = (struct iip_port *)rp;
    return status;
}

/* When the next packet is due, in time of CLOCK_MONOTONIC; captures may go back in time, then it is due at once. */
static uint64_t iip_replay_due(const struct iip_replay *rp)
{
    if (!rp->pace || rp->next.time_us < rp->first_us)
        return rp->start_us;
    return rp->start_us + (rp->next.time_us - rp->first_us);
}

/* The loaded packet in as many frames as it takes; null when there are not enough, or no memory for views. */
static struct iip_pkt *iip_replay_packet(struct iip_replay *rp)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t at = 0, room = rp->pool.frame_size - IIP_POOL_HEADROOM;
    do {
        struct iip_frame *frame = iip_pool_get(&rp->pool);
        uint32_t part = rp->next.len - at < room ? rp->next.len - at : room;
        *tail = frame ? iip_pkt_new(rp->stk, frame, frame->base + IIP_POOL_HEADROOM, part) : NULL;
        if (!*tail) {
            if (frame)
                iip_pool_put(&rp->pool, frame);
            iip_pkt_free(rp->stk, head);
            return NULL;
        }
        memcpy((*tail)->data, rp->buf + at, part);
        tail = &(*tail)->next;
        at += part;
    } while (at < rp->next.len);
    head->total = rp->next.len;
    return head;
}

static uint32_t iip_replay_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_replay *rp = (struct iip_replay *)queue;
    uint64_t now = rp->pace ? iip_port_clock_us() : 0;
    uint32_t got = 0;
    while (rp->stk && got < n) {
        iip_replay_load(rp);
        if (!rp->loaded || (rp->pace && iip_replay_due(rp) > now))
            break;
        pkts[got] = iip_replay_packet(rp);
        if (!pkts[got])
            break;
        rp->loaded = 0;
        rp->stats.rx_packets++;
        rp->stats.rx_bytes += rp->next.len;
        got++;
    }
    return got;
}

static uint32_t iip_replay_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_replay *rp = queue;
    uint64_t now = rp->has_writer ? iip_pcap_wall_us() : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rp->has_writer)
            iip_pcap_write(&rp->writer, rp->out, iip_pcap_packet(rp->out, pkts[i], now, rp->reader.l3));
        rp->stats.tx_bytes += iip_wire_bytes(pkts[i]);
        iip_pkt_free(rp->stk, pkts[i]);
    }
    rp->stats.tx_packets += n;
    return n;
}

static int iip_replay_fd(struct iip_port_queue *queue)
{
    struct iip_replay *rp = (struct iip_replay *)queue;
    struct itimerspec ts;
    uint64_t at;
    if (rp->has_writer)
        iip_pcap_flush(&rp->writer);
    iip_replay_load(rp);
    at = rp->loaded ? iip_replay_due(rp) : 0;
    memset(&ts, 0, sizeof(ts));
    ts.it_value.tv_sec = (time_t)(at / 1000000);
    ts.it_value.tv_nsec = (long)(at % 1000000 * 1000);
    timerfd_settime(rp->fd, TFD_TIMER_ABSTIME, &ts, NULL);
    return rp->fd;
}

static void iip_replay_info(struct iip_port *port, struct iip_port_info *out)
{
    const struct iip_replay *rp = (const struct iip_replay *)port;
    memset(out, 0, sizeof(*out));
    out->stack_flags = rp->reader.l3 ? IIP_STACK_L3 : 0;
    out->caps = IIP_CAP_TX_SG;
    out->mtu = IIP_REPLAY_MTU;
    out->queues = 1;
    out->link_up = !rp->ended;
    memcpy(out->mac, rp->mac, 6);
}

static int iip_replay_changed(struct iip_port *port)
{
    struct iip_replay *rp = (struct iip_replay *)port;
    uint32_t news = rp->ended && !rp->told;
    rp->told = rp->ended;
    return (int)news;
}

static struct iip_port_queue *iip_replay_queue(struct iip_port *port, uint32_t i)
{
    return i ? NULL : (struct iip_port_queue *)port;
}

static uint32_t iip_replay_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_replay *rp = (const struct iip_replay *)port;
    if (cap)
        *out = (struct iip_port_region){rp->pool.base, rp->pool.len, rp->pool.id};
    return 1;
}

static void iip_replay_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_replay *)q)->stk = stk;
}

static struct iip_frame *iip_replay_frame_get(void *queue, iip_u32 size)
{
    struct iip_replay *rp = queue;
    return size <= rp->pool.frame_size ? iip_pool_get(&rp->pool) : NULL;
}

static void iip_replay_frame_put(void *queue, struct iip_frame *frame)
{
    iip_pool_put(&((struct iip_replay *)queue)->pool, frame);
}

static uint32_t iip_replay_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_replay *)q)->pool);
}

static void iip_replay_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_replay *)q)->stats;
}

const struct iip_port_ops iip_pcap_ops = {
    .kind = "pcap",
    .build_id = IIP_BUILD_ID,
    .open = iip_replay_open,
    .close = iip_replay_close,
    .info = iip_replay_info,
    .changed = iip_replay_changed,
    .queue = iip_replay_queue,
    .regions = iip_replay_regions,
    .attach = iip_replay_attach,
    .rx = iip_replay_rx,
    .tx = iip_replay_tx,
    .frame_get = iip_replay_frame_get,
    .frame_put = iip_replay_frame_put,
    .frames_free = iip_replay_frames_free,
    .fd = iip_replay_fd,
    .stats = iip_replay_stats,
};

/* ==== c/io/plugin.c ==== */
/* plugin.c - finds and loads libiip_dpdk, once. */

/* ==== c/io/plugin.h ==== */
/*
 * plugin.h - how libiip loads a port that lives in a shared object of its own (libiip_dpdk.so).
 *
 * The shared object exports one function. libiip finds it with dlsym, gives it the few functions of the core that a
 * port calls, and gets the port's functions. A plug-in has no undefined symbol of libiip, so it neither needs it at
 * link time nor takes part in its symbol versions.
 *
 * The interface is private: both sides are built from the same sources. The loader compares ops->build_id with its
 * own before it reads or calls anything else, and refuses a plug-in of another build with IIP_E_ABI, naming both ids.
 */
#ifndef IIP_PLUGIN_H
#define IIP_PLUGIN_H


/* The build system gives the same string to libiip and to its plug-ins. */
#ifndef IIP_BUILD_ID
#define IIP_BUILD_ID "unversioned"
#endif

struct iip_port_core { /* static storage of the loader; lives as long as the process */
    const char *build_id;
    struct iip_pkt *(*pkt_new)(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len);
    void (*pkt_free)(struct iip_stack *stk, struct iip_pkt *pkt);
};

/* Keeps `core` and returns the port's functions; never null. A second call with the same table is fine. */
typedef const struct iip_port_ops *(*iip_plugin_fn)(const struct iip_port_core *core);

#define IIP_DPDK_PLUGIN_SYMBOL "iip_dpdk_plugin"
const struct iip_port_ops *iip_dpdk_plugin(const struct iip_port_core *core);

#endif

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define IIP_PLUGIN_FILE "libiip_dpdk.so"

static const struct iip_port_core iip_plugin_core = {IIP_BUILD_ID, iip_pkt_new, iip_pkt_free};
static const struct iip_port_ops *iip_plugin_ops; /* set once, under the lock */
static pthread_mutex_t iip_plugin_lock = PTHREAD_MUTEX_INITIALIZER;

/* A file that is there but cannot be loaded ends the search: its error is the one to show. */
static void *iip_plugin_load(const char *path, int must_exist, int *found)
{
    if (must_exist && access(path, F_OK))
        return NULL;
    *found = 1;
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

/* In the directory of the file that this function is in: libiip, or a program that contains it. */
static void *iip_plugin_beside(int *found)
{
    Dl_info info;
    char path[PATH_MAX];
    const char *slash;
    if (!dladdr((const void *)(uintptr_t)iip_plugin_dpdk, &info) || !info.dli_fname)
        return NULL;
    slash = strrchr(info.dli_fname, '/');
    if (!slash ||
        snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - info.dli_fname), info.dli_fname, IIP_PLUGIN_FILE) >=
            (int)sizeof(path))
        return NULL;
    return iip_plugin_load(path, 1, found);
}

static void *iip_plugin_on_path(int *found)
{
    const char *dirs = secure_getenv("IIP_PLUGIN_PATH");
    char path[PATH_MAX];
    while (dirs && *dirs && !*found) {
        size_t len = strcspn(dirs, ":");
        void *lib = NULL;
        if (len && snprintf(path, sizeof(path), "%.*s/%s", (int)len, dirs, IIP_PLUGIN_FILE) < (int)sizeof(path))
            lib = iip_plugin_load(path, 1, found);
        if (lib)
            return lib;
        dirs += len + (dirs[len] == ':');
    }
    return NULL;
}

static void *iip_plugin_search(int *found)
{
    void *lib = iip_plugin_beside(found);
    if (!lib && !*found)
        lib = iip_plugin_on_path(found);
    if (!lib && !*found) {
        int ignore = 0;
        lib = iip_plugin_load(IIP_PLUGIN_FILE, 0, &ignore);
    }
    return lib;
}

static int iip_plugin_missing(int found, struct iip_port_err *e)
{
    const char *why = dlerror();
    if (found)
        return iip_port_fail(e, IIP_E_NOT_SUPPORTED,
                             "dpdk: " IIP_PLUGIN_FILE " cannot be loaded: %s; install DPDK (Debian: apt-get install "
                             "dpdk) or rebuild the plug-in for the DPDK that is installed",
                             why ? why : "unknown reason");
    return iip_port_fail(
        e, IIP_E_NOT_SUPPORTED,
        "dpdk: the plug-in " IIP_PLUGIN_FILE " was found neither beside libiip, nor in IIP_PLUGIN_PATH, "
        "nor in the library path; build it (needs libdpdk-dev) or set IIP_PLUGIN_PATH to its directory");
}

static int iip_plugin_check(void *lib, const struct iip_port_ops **out, struct iip_port_err *e)
{
    void *symbol = dlsym(lib, IIP_DPDK_PLUGIN_SYMBOL);
    iip_plugin_fn plugin;
    const struct iip_port_ops *ops;
    if (!symbol)
        return iip_port_fail(e, IIP_E_ABI,
                             "dpdk: " IIP_PLUGIN_FILE " has no function " IIP_DPDK_PLUGIN_SYMBOL
                             ": it is another library; remove it from IIP_PLUGIN_PATH or rebuild it");
    memcpy(&plugin, &symbol, sizeof(plugin));
    ops = plugin(&iip_plugin_core);
    if (!ops->build_id || strcmp(ops->build_id, IIP_BUILD_ID) != 0)
        return iip_port_fail(e, IIP_E_ABI,
                             "dpdk: " IIP_PLUGIN_FILE " is of build %s, libiip of build %s: install both "
                             "from one build",
                             ops->build_id ? ops->build_id : "(none)", IIP_BUILD_ID);
    *out = ops;
    return IIP_OK;
}

const struct iip_port_ops *iip_plugin_dpdk(int *status, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    int found = 0;
    void *lib;
    *status = IIP_OK;
    pthread_mutex_lock(&iip_plugin_lock);
    if (!iip_plugin_ops) {
        lib = iip_plugin_search(&found);
        *status = lib ? iip_plugin_check(lib, &iip_plugin_ops, &e) : iip_plugin_missing(found, &e);
    }
    pthread_mutex_unlock(&iip_plugin_lock);
    return iip_plugin_ops;
}

/* ==== c/io/pool.c ==== */
/* pool.c - frames of one queue. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "iip_core.h"

enum { IIP_POOL_PAGE = 4096, IIP_POOL_LINK = 18 /* Ethernet header with one tag */ };

static uint32_t iip_pool_round(uint32_t v)
{
    uint32_t size = IIP_POOL_FRAME_MIN;
    while (size < v)
        size *= 2;
    return size;
}

uint32_t iip_pool_frame_size(uint32_t mtu)
{
    return iip_pool_round(IIP_POOL_HEADROOM + IIP_POOL_LINK + mtu);
}

int iip_pool_fit(uint32_t *size, uint32_t mtu, struct iip_port_err *err)
{
    uint32_t least = iip_pool_frame_size(mtu);
    if (!*size)
        *size = least;
    if (*size >= least || iip_pool_round(*size) >= least)
        return IIP_OK;
    return iip_port_fail(err, IIP_E_RANGE,
                         "frame_size=%u: a packet of mtu=%u does not fit; use at least %u, or a smaller mtu", *size,
                         mtu, least);
}

uint32_t iip_pool_mtu(const struct iip_pool *p)
{
    return p->frame_size - IIP_POOL_HEADROOM - IIP_POOL_LINK;
}

/* A mapping whose base is a multiple of `align`; null when there is no memory. */
static uint8_t *iip_pool_map(uint64_t len, uint64_t align)
{
    uint64_t slack = align > IIP_POOL_PAGE ? align : 0, cut;
    uint8_t *p;
    if (len + slack > SIZE_MAX)
        return NULL;
    p = mmap(NULL, (size_t)(len + slack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (!slack)
        return p;
    cut = (align - (uintptr_t)p % align) % align;
    if (cut)
        munmap(p, (size_t)cut);
    if (slack - cut)
        munmap(p + cut + len, (size_t)(slack - cut));
    return p + cut;
}

int iip_pool_init(struct iip_pool *p, uint32_t id, uint32_t count, uint32_t frame_size, struct iip_port_err *err)
{
    memset(p, 0, sizeof(*p));
    if (!count || count > IIP_POOL_COUNT_MAX)
        return iip_port_fail(err, IIP_E_RANGE, "frames=%u: use 1 to %d", count, IIP_POOL_COUNT_MAX);
    if (frame_size < IIP_POOL_HEADROOM * 2 || frame_size > IIP_POOL_FRAME_MAX)
        return iip_port_fail(err, IIP_E_RANGE, "frame_size=%u: use %d to %d", frame_size, IIP_POOL_HEADROOM * 2,
                             IIP_POOL_FRAME_MAX);
    p->id = id;
    p->count = count;
    p->frame_size = iip_pool_round(frame_size);
    p->len = ((uint64_t)count * p->frame_size + IIP_POOL_PAGE - 1) & ~(uint64_t)(IIP_POOL_PAGE - 1);
    p->base = iip_pool_map(p->len, p->frame_size);
    p->frames = calloc(count, sizeof(*p->frames));
    p->stack = calloc(count, sizeof(*p->stack));
    p->away_next = calloc(count, sizeof(*p->away_next));
    if (p->base && p->frames && p->stack && p->away_next)
        return IIP_OK;
    iip_pool_free(p);
    return iip_port_fail(err, IIP_E_NOMEM, "no memory for %u frames of %u bytes: ask for fewer with frames=", count,
                         iip_pool_round(frame_size));
}

void iip_pool_free(struct iip_pool *p)
{
    if (p->base)
        munmap(p->base, (size_t)p->len);
    free(p->frames);
    free(p->stack);
    free(p->away_next);
    memset(p, 0, sizeof(*p));
}

static struct iip_frame *iip_pool_fresh(struct iip_pool *p)
{
    uint32_t i = p->fresh++;
    struct iip_frame *frame = &p->frames[i];
    frame->base = p->base + (uint64_t)i * p->frame_size;
    frame->size = p->frame_size;
    frame->region = p->id;
    frame->host = p;
    return frame;
}

/* Takes the whole list at once, so no other thread can confuse it. */
void iip_pool_fetch(struct iip_pool *p)
{
    uint32_t at;
    if (!__atomic_load_n(&p->away, __ATOMIC_RELAXED))
        return;
    at = __atomic_exchange_n(&p->away, 0, __ATOMIC_ACQUIRE);
    while (at) {
        struct iip_frame *frame = &p->frames[at - 1];
        at = p->away_next[at - 1];
        frame->flags = 0;
        p->stack[p->top++] = frame;
    }
}

struct iip_frame *iip_pool_refill(struct iip_pool *p)
{
    iip_pool_fetch(p);
    if (p->top)
        return p->stack[--p->top];
    return p->fresh < p->count ? iip_pool_fresh(p) : NULL;
}

void iip_pool_put_home(struct iip_frame *frame)
{
    struct iip_pool *home = frame->host;
    uint32_t at = (uint32_t)(frame - home->frames);
    uint32_t head = __atomic_load_n(&home->away, __ATOMIC_RELAXED);
    do
        home->away_next[at] = head;
    while (!__atomic_compare_exchange_n(&home->away, &head, at + 1, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* ==== c/io/port.c ==== */
/* port.c - finds the kind of a port string and opens it. */

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>


static const struct iip_port_ops *const iip_port_kinds[] = {&iip_tap_ops, &iip_pair_ops, &iip_sim_ops, &iip_pcap_ops};
enum { IIP_PORT_KINDS = sizeof(iip_port_kinds) / sizeof(iip_port_kinds[0]) };

uint64_t iip_port_clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void iip_port_mac_random(uint8_t mac[6])
{
    if (getrandom(mac, 6, GRND_NONBLOCK) != 6) {
        uint64_t now = iip_port_clock_us() * 0x9e3779b97f4a7c15ULL;
        memcpy(mac, (uint8_t *)&now + 2, 6);
    }
    mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

const struct iip_port_ops *iip_port_kind(uint32_t i)
{
    int status;
    if (i < IIP_PORT_KINDS)
        return iip_port_kinds[i];
    return i == IIP_PORT_KINDS ? iip_plugin_dpdk(&status, NULL, 0) : NULL;
}

static int iip_port_unknown(const char *name, size_t len, struct iip_port_err *e)
{
    if (len == 3 && memcmp(name, "xdp", 3) == 0)
        return iip_port_fail(e, IIP_E_NOT_SUPPORTED,
                             "%s: this build has no AF_XDP port; for the same device use "
                             "dpdk:net_af_xdp0,iface=%s or dpdk:net_af_packet0,iface=%s",
                             name, name[3] ? name + 4 : "eth0", name[3] ? name + 4 : "eth0");
    return iip_port_fail(e, IIP_E_NO_DEVICE,
                         "%s: '%.*s' is no kind of port; a port is named kind:name,key=value with kind one of "
                         "tap, pair, sim, pcap, dpdk (as tap:iip0)",
                         name, (int)(len < 64 ? len : 64), name);
}

static const struct iip_port_ops *iip_port_find(const char *name, size_t len, int *status, struct iip_port_err *e)
{
    for (uint32_t i = 0; i < IIP_PORT_KINDS; i++)
        if (strlen(iip_port_kinds[i]->kind) == len && memcmp(iip_port_kinds[i]->kind, name, len) == 0)
            return iip_port_kinds[i];
    if (len == 4 && memcmp(name, "dpdk", 4) == 0)
        return iip_plugin_dpdk(status, e->text, e->len);
    *status = iip_port_unknown(name, len, e);
    return NULL;
}

int iip_port_open(const char *name, const struct iip_port_cfg *cfg, const struct iip_port_ops **ops,
                  struct iip_port **out, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    const struct iip_port_ops *kind;
    int status = IIP_OK;
    size_t len;
    *out = NULL;
    *ops = NULL;
    if (err && err_len)
        err[0] = 0;
    if (!name || !*name)
        return iip_port_fail(&e, IIP_E_INVAL, "no port is named; name one as tap:iip0 or pair:a");
    len = strcspn(name, ":");
    kind = iip_port_find(name, len, &status, &e);
    if (!kind)
        return status;
    status = kind->open(name[len] ? name + len + 1 : "", cfg, out, err, err_len);
    if (status < 0)
        return status;
    *ops = kind;
    if (!cfg->pcap)
        return IIP_OK;
    status = iip_record_open(kind, *out, cfg->pcap, ops, out, err, err_len);
    if (status < 0) {
        kind->close(*out);
        *out = NULL;
        *ops = NULL;
    }
    return status;
}

/* ==== c/io/sim/lane.c ==== */
/* lane.c - one direction of a simulated wire: what happens to a packet, and when it arrives. */
#include <stdlib.h>
#include <string.h>

#include "iip_core.h"

/* ==== c/io/sim/sim.h ==== */
/*
 * sim.h - a wire that behaves badly, and always in the same way: "sim:name,seed=7,loss=1%", opened twice.
 *
 *     seed=N          where the randomness begins; the same seed, packets and times give the same wire (default 1)
 *     loss=1% dup=1% reorder=1% corrupt=1%
 *                     chances for each packet, drawn from a sequence each, so that one does not disturb another
 *     delay=10ms jitter=2ms
 *                     each packet takes delay, and up to jitter more, but overtakes no other
 *     gap=5ms         a reordered packet is held back by 1 us to gap more, and may be overtaken (default: delay, at least 1ms)
 *     rate=100mbit queue=256k
 *                     a bottleneck, and the bytes that may wait in front of it; what does not fit is lost (default 1m)
 *     mtu=1500        longer packets are lost
 *     clock=virtual   time stands still until iip_sim_advance; it begins at 1 s. clock=real: CLOCK_MONOTONIC (default)
 *     csum=on         as with pair: checksums are not computed, and packets arrive marked as right (default off)
 *     l3=on           packets begin at the IP header
 *
 * What the second end says of chances, delays and rate holds for what it sends; without a word it sends like the first.
 *
 * A corrupted packet has one bit flipped. Where the Internet checksums would not see that (link header, ARP, UDP
 * without checksum) the frame check of a real link would: the packet is lost. Else it arrives, not marked as right.
 */
#ifndef IIP_IO_SIM_H
#define IIP_IO_SIM_H

#include <pthread.h>
#include <stdatomic.h>


enum {
    IIP_SIM_NAME = 64,
    IIP_SIM_FLIGHT = 65536,      /* packets on the wire in one direction, at most; then transmit refuses */
    IIP_SIM_MTU_MIN = 576,
    IIP_SIM_MTU_MAX = 65535,
    IIP_SIM_START_US = 1000000   /* where a virtual clock begins */
};

/* ---- for those who drive a virtual clock; any thread ---- */

/* What one end has sent, and what became of it: sent + duplicated = delivered + lost + in_flight, packets and bytes. */
struct iip_sim_account {
    uint64_t sent, sent_bytes;
    uint64_t duplicated, duplicated_bytes;
    uint64_t delivered, delivered_bytes;
    uint64_t in_flight, in_flight_bytes;
    uint64_t lost, lost_bytes;                                    /* all four kinds: */
    uint64_t lost_chance, lost_queue, lost_mtu, lost_frame_check;
    uint64_t corrupted, reordered;                                /* of those that went on */
};

/* Moves a virtual clock on; the new time, or 0: no such wire, or its clock is real. */
uint64_t iip_sim_advance(const char *name, uint64_t us);
/* When the next packet arrives at either end; IIP_NEVER when none is under way. It may be past: not received yet. */
uint64_t iip_sim_next(const char *name);
/* Changes the MTU of the wire; both ends see it (`changed`). NOT_FOUND. */
int iip_sim_mtu_set(const char *name, uint32_t mtu);
/* A frame arrives at the end with this Ethernet address now, whatever the wire does to others; it counts as sent by the
   other end. INVAL: its length; NOT_FOUND, LINK_DOWN: no other end, AGAIN: too much is under way, NOMEM. */
int iip_sim_inject(const char *name, const uint8_t mac[6], const void *frame, uint32_t len);
/* Of what end `side` (0: opened first) sent. NOT_FOUND. */
int iip_sim_account(const char *name, uint32_t side, struct iip_sim_account *out);

/* ---- inside ---- */

struct iip_sim_opts { /* of one direction */
    uint32_t loss_ppb, dup_ppb, reorder_ppb, corrupt_ppb;
    uint64_t delay_us, jitter_us, gap_us;
    uint64_t rate_bits, queue_bytes;
};

struct iip_sim_node { /* a packet under way */
    uint64_t at_us, order;
    uint32_t len;
    uint16_t flags; /* of the packet that arrives */
    uint8_t bytes[];
};

enum { IIP_SIM_LOSS, IIP_SIM_DUP, IIP_SIM_REORDER, IIP_SIM_CORRUPT, IIP_SIM_JITTER, IIP_SIM_DICE };

struct iip_sim_lane { /* what one end sends */
    struct iip_sim_opts opts;
    uint64_t dice[IIP_SIM_DICE];
    uint64_t busy_ns;            /* the bottleneck has work until then */
    uint64_t last_us;            /* the latest arrival of those in order */
    uint64_t order;
    struct iip_sim_node **heap;  /* earliest first */
    uint32_t count, cap;
    uint32_t blocked;            /* transmit refused, and the reason stands still: too much is under way, or no other end */
    struct iip_sim_account account;
};

struct iip_sim_end { /* a port and its only queue */
    struct iip_sim_wire *wire;
    uint32_t side;
    uint32_t epoch;
    uint8_t mac[6];
    int fd;                      /* a timer: readable when something arrives */
    uint64_t armed_us;           /* what it is set to; 0: off */
    uint32_t waiting;            /* fd() was called since the last rx: only then is the timer set */
    uint32_t stuck;              /* rx found no frame or no memory */
    uint32_t refused;            /* the last tx was */
    struct iip_stack *stk;
    struct iip_pool pool;
    struct iip_port_stats stats;
    struct iip_sim_lane lane;
};

struct iip_sim_wire {
    struct iip_sim_wire *next;
    char name[IIP_SIM_NAME];
    pthread_mutex_t lock;
    uint64_t seed;
    uint32_t mtu;
    int csum, l3, is_virtual;
    _Atomic uint64_t now_us;     /* the virtual clock */
    _Atomic uint32_t epoch;      /* counts changes of link and MTU */
    struct iip_sim_end *end[2];
    uint32_t opened, closed;
};

/* lane.c: all under the wire's lock */
void iip_sim_lane_init(struct iip_sim_lane *lane, uint64_t seed, uint32_t side);
void iip_sim_lane_free(struct iip_sim_lane *lane);
/* Puts one packet on the wire: 1, or 0 when there is no memory or too much is under way. */
int iip_sim_lane_send(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, const struct iip_pkt *pkt,
                      uint64_t now_us);
/* The longest packet that a wire carries, link header included. */
uint32_t iip_sim_longest(const struct iip_sim_wire *wire);
/* Puts bytes on the wire that arrive at now_us, as they are: a status. */
int iip_sim_lane_inject(struct iip_sim_lane *lane, const void *bytes, uint32_t len, uint64_t now_us);
/* The packet that arrives next, or null; and taking it off. */
struct iip_sim_node *iip_sim_lane_first(const struct iip_sim_lane *lane);
void iip_sim_lane_pop(struct iip_sim_lane *lane);

/* queue.c */
uint64_t iip_sim_now(struct iip_port_queue *queue);
uint32_t iip_sim_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_sim_tx(void *queue, struct iip_pkt **pkts, uint32_t n);
int iip_sim_fd(struct iip_port_queue *queue);
/* Sets the timer of an end, if that waits, to when it has something to do; under the wire's lock. */
void iip_sim_arm(struct iip_sim_end *end);

#endif

enum { IIP_SIM_BILLION = 1000000000, IIP_SIM_LINK = 18 };

/* ---- dice: SplitMix64, one sequence for each question ---- */

static uint64_t iip_sim_roll(uint64_t *dice)
{
    uint64_t x = *dice += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

/* A number below n, for n up to 2^32. */
static uint64_t iip_sim_below(struct iip_sim_lane *lane, uint32_t which, uint64_t n)
{
    return (iip_sim_roll(&lane->dice[which]) >> 32) * n >> 32;
}

static int iip_sim_chance(struct iip_sim_lane *lane, uint32_t which, uint32_t ppb)
{
    return iip_sim_below(lane, which, IIP_SIM_BILLION) < ppb;
}

void iip_sim_lane_init(struct iip_sim_lane *lane, uint64_t seed, uint32_t side)
{
    for (uint32_t i = 0; i < IIP_SIM_DICE; i++) {
        lane->dice[i] = seed ^ (uint64_t)(side * IIP_SIM_DICE + i + 1) << 56;
        lane->dice[i] = iip_sim_roll(&lane->dice[i]);
    }
}

/* ---- packets under way: a binary heap by time of arrival, then by order of departure ---- */

static int iip_sim_before(const struct iip_sim_node *a, const struct iip_sim_node *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static int iip_sim_push(struct iip_sim_lane *lane, struct iip_sim_node *node)
{
    uint32_t i = lane->count;
    if (lane->count == lane->cap) {
        uint32_t cap = lane->cap ? lane->cap * 2 : 64;
        struct iip_sim_node **heap = realloc(lane->heap, cap * sizeof(*heap));
        if (!heap)
            return 0;
        lane->heap = heap;
        lane->cap = cap;
    }
    for (; i && iip_sim_before(node, lane->heap[(i - 1) / 2]); i = (i - 1) / 2)
        lane->heap[i] = lane->heap[(i - 1) / 2];
    lane->heap[i] = node;
    lane->count++;
    lane->account.in_flight++;
    lane->account.in_flight_bytes += node->len;
    return 1;
}

struct iip_sim_node *iip_sim_lane_first(const struct iip_sim_lane *lane)
{
    return lane->count ? lane->heap[0] : NULL;
}

void iip_sim_lane_pop(struct iip_sim_lane *lane)
{
    struct iip_sim_node *first = lane->heap[0], *last = lane->heap[--lane->count];
    uint32_t i = 0, child;
    while ((child = 2 * i + 1) < lane->count) {
        if (child + 1 < lane->count && iip_sim_before(lane->heap[child + 1], lane->heap[child]))
            child++;
        if (!iip_sim_before(lane->heap[child], last))
            break;
        lane->heap[i] = lane->heap[child];
        i = child;
    }
    lane->heap[i] = last;
    lane->account.in_flight--;
    lane->account.in_flight_bytes -= first->len;
    lane->account.delivered++;
    lane->account.delivered_bytes += first->len;
    free(first);
}

void iip_sim_lane_free(struct iip_sim_lane *lane)
{
    for (uint32_t i = 0; i < lane->count; i++)
        free(lane->heap[i]);
    free(lane->heap);
    lane->heap = NULL;
    lane->count = lane->cap = 0;
}

/* ---- what happens to a packet ---- */

static int iip_sim_lose(struct iip_sim_lane *lane, uint32_t len, uint64_t *kind)
{
    lane->account.lost++;
    lane->account.lost_bytes += len;
    ++*kind;
    return 0;
}

/* The bottleneck: when the last bit has passed it, or 0 when the packet finds its queue full. */
static uint64_t iip_sim_depart(struct iip_sim_lane *lane, uint32_t len, uint64_t now_ns)
{
    const struct iip_sim_opts *o = &lane->opts;
    uint64_t start = lane->busy_ns > now_ns ? lane->busy_ns : now_ns, takes, limit;
    if (!o->rate_bits)
        return now_ns;
    takes = (uint64_t)len * 8 * IIP_SIM_BILLION / o->rate_bits;
    limit = o->queue_bytes * 8 * IIP_SIM_BILLION / o->rate_bits; /* fits: a queue has at most 2^30 bytes */
    if (start != now_ns && start - now_ns + takes > limit)
        return 0;
    lane->busy_ns = start + takes;
    return lane->busy_ns;
}

/* Flips one bit; 0 when only the frame check of the link would notice it. */
static int iip_sim_corrupt(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, struct iip_sim_node *node)
{
    struct iip_wire w;
    uint32_t bit = (uint32_t)iip_sim_below(lane, IIP_SIM_CORRUPT, (uint64_t)node->len * 8), at = bit / 8;
    if (!node->len || !iip_wire_parse(&w, node->bytes, node->len, node->len, wire->l3) || at < w.l3 || at >= w.end)
        return 0;
    if (wire->csum)
        iip_wire_csum_fill(node->bytes, node->len, wire->l3);
    node->bytes[at] ^= (uint8_t)(1 << bit % 8);
    node->flags &= (uint16_t) ~(IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK);
    if (w.proto == 17 && !w.fragment && w.family == 4 && w.l4 + 8 <= w.end && !node->bytes[w.l4 + 6] &&
        !node->bytes[w.l4 + 7])
        return 0;
    lane->account.corrupted++;
    return 1;
}

/* When a packet that has passed the bottleneck arrives: in order, or held back so that others may overtake it. */
static uint64_t iip_sim_arrival(struct iip_sim_lane *lane, uint64_t depart_ns)
{
    const struct iip_sim_opts *o = &lane->opts;
    uint64_t at = (depart_ns + 999) / 1000 + o->delay_us;
    if (o->jitter_us)
        at += iip_sim_below(lane, IIP_SIM_JITTER, o->jitter_us + 1);
    if (at < lane->last_us)
        at = lane->last_us;
    if (iip_sim_chance(lane, IIP_SIM_REORDER, o->reorder_ppb)) {
        lane->account.reordered++;
        return at + 1 + iip_sim_below(lane, IIP_SIM_REORDER, o->gap_us);
    }
    return lane->last_us = at;
}

static struct iip_sim_node *iip_sim_node_new(const struct iip_sim_wire *wire, const struct iip_pkt *pkt, uint32_t len)
{
    struct iip_sim_node *node = malloc(sizeof(*node) + len);
    if (!node)
        return NULL;
    node->len = iip_wire_copy(node->bytes, len, pkt);
    node->flags = wire->csum ? IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK : 0;
    return node;
}

/* A copy of a packet that is under way; without memory there is none, and nothing was promised. */
static void iip_sim_duplicate(struct iip_sim_lane *lane, const struct iip_sim_node *node, uint64_t depart_ns)
{
    struct iip_sim_node *twin = malloc(sizeof(*twin) + node->len);
    if (!twin)
        return;
    memcpy(twin, node, sizeof(*twin) + node->len);
    twin->at_us = iip_sim_arrival(lane, depart_ns);
    twin->order = lane->order++;
    if (!iip_sim_push(lane, twin)) {
        free(twin);
        return;
    }
    lane->account.duplicated++;
    lane->account.duplicated_bytes += node->len;
}

uint32_t iip_sim_longest(const struct iip_sim_wire *wire)
{
    return wire->mtu + (wire->l3 ? 0 : IIP_SIM_LINK);
}

/* 1: under way; 0: lost, and the node is the caller's still. */
static int iip_sim_fate(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, struct iip_sim_node *node,
                        uint64_t now_us)
{
    struct iip_sim_account *acc = &lane->account;
    uint64_t depart;
    if (node->len > iip_sim_longest(wire))
        return iip_sim_lose(lane, node->len, &acc->lost_mtu);
    depart = iip_sim_depart(lane, node->len, now_us * 1000);
    if (!depart)
        return iip_sim_lose(lane, node->len, &acc->lost_queue);
    if (iip_sim_chance(lane, IIP_SIM_LOSS, lane->opts.loss_ppb))
        return iip_sim_lose(lane, node->len, &acc->lost_chance);
    if (iip_sim_chance(lane, IIP_SIM_CORRUPT, lane->opts.corrupt_ppb) && !iip_sim_corrupt(lane, wire, node))
        return iip_sim_lose(lane, node->len, &acc->lost_frame_check);
    node->at_us = iip_sim_arrival(lane, depart);
    node->order = lane->order++;
    if (!iip_sim_push(lane, node))
        return iip_sim_lose(lane, node->len, &acc->lost_queue);
    if (iip_sim_chance(lane, IIP_SIM_DUP, lane->opts.dup_ppb))
        iip_sim_duplicate(lane, node, depart);
    return 1;
}

int iip_sim_lane_send(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, const struct iip_pkt *pkt,
                      uint64_t now_us)
{
    struct iip_sim_node *node;
    if (lane->count >= IIP_SIM_FLIGHT)
        return 0;
    node = iip_sim_node_new(wire, pkt, iip_wire_bytes(pkt));
    if (!node)
        return 0;
    lane->account.sent++;
    lane->account.sent_bytes += node->len;
    if (!iip_sim_fate(lane, wire, node, now_us))
        free(node);
    return 1;
}

int iip_sim_lane_inject(struct iip_sim_lane *lane, const void *bytes, uint32_t len, uint64_t now_us)
{
    struct iip_sim_node *node;
    if (lane->count >= IIP_SIM_FLIGHT)
        return IIP_E_AGAIN;
    node = malloc(sizeof(*node) + len);
    if (!node)
        return IIP_E_NOMEM;
    node->at_us = now_us;
    node->order = lane->order++;
    node->len = len;
    node->flags = 0;
    memcpy(node->bytes, bytes, len);
    if (!iip_sim_push(lane, node)) {
        free(node);
        return IIP_E_NOMEM;
    }
    lane->account.sent++;
    lane->account.sent_bytes += len;
    return IIP_OK;
}

/* ==== c/io/sim/port.c ==== */
/* port.c - opens and closes the ends of simulated wires, and drives their clocks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "iip_core.h"

enum { IIP_SIM_FRAMES = 8192, IIP_SIM_MTU = 1500, IIP_SIM_QUEUE = 1 << 20 };
#define IIP_SIM_TIME_MAX 3600000000ULL /* one hour */

static pthread_mutex_t iip_sim_lock = PTHREAD_MUTEX_INITIALIZER; /* of the list; taken before a wire's lock */
static struct iip_sim_wire *iip_sim_wires;

static struct iip_sim_wire *iip_sim_find(const char *name)
{
    struct iip_sim_wire *wire = iip_sim_wires;
    while (wire && strcmp(wire->name, name) != 0)
        wire = wire->next;
    return wire;
}

/* ---- the port string ---- */

/* What one open asks for; `said` has a bit for each thing of the whole wire that was named. */
enum { IIP_SIM_SEED = 1, IIP_SIM_CLOCK = 2, IIP_SIM_CSUM = 4, IIP_SIM_L3 = 8, IIP_SIM_SAID_MTU = 16 };
struct iip_sim_ask {
    char name[IIP_SIM_NAME];
    struct iip_port_cfg cfg;
    struct iip_sim_opts opts;
    uint32_t said;
    uint64_t seed;
    uint32_t mtu;
    int is_virtual, csum, l3, has_mac;
    uint8_t mac[6];
};

static int iip_sim_arg_wire(struct iip_args *a, struct iip_sim_ask *ask)
{
    if (iip_args_is(a, "seed"))
        return ask->said |= IIP_SIM_SEED, iip_args_u64(a, &ask->seed);
    if (iip_args_is(a, "mtu"))
        return ask->said |= IIP_SIM_SAID_MTU, iip_args_u32(a, IIP_SIM_MTU_MIN, IIP_SIM_MTU_MAX, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return ask->said |= IIP_SIM_CSUM, iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "l3"))
        return ask->said |= IIP_SIM_L3, iip_args_switch(a, &ask->l3);
    if (iip_args_is(a, "mac"))
        return ask->has_mac = 1, iip_args_mac(a, ask->mac);
    if (iip_args_is(a, "clock")) {
        ask->said |= IIP_SIM_CLOCK;
        ask->is_virtual = strcmp(a->value, "virtual") == 0;
        if (ask->is_virtual || strcmp(a->value, "real") == 0)
            return IIP_OK;
        return iip_port_fail(a->err, IIP_E_INVAL, "sim: clock=%s: use virtual or real", a->value);
    }
    return iip_args_unknown(
        a,
        "seed, loss, dup, reorder, corrupt, delay, jitter, gap, rate, queue, mtu, clock, csum, l3, mac, " IIP_ARGS_CFG);
}

static int iip_sim_arg(struct iip_args *a, struct iip_sim_ask *ask)
{
    struct iip_sim_opts *o = &ask->opts;
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "loss"))
        return iip_args_chance(a, &o->loss_ppb);
    if (iip_args_is(a, "dup"))
        return iip_args_chance(a, &o->dup_ppb);
    if (iip_args_is(a, "reorder"))
        return iip_args_chance(a, &o->reorder_ppb);
    if (iip_args_is(a, "corrupt"))
        return iip_args_chance(a, &o->corrupt_ppb);
    if (iip_args_is(a, "delay"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->delay_us);
    if (iip_args_is(a, "jitter"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->jitter_us);
    if (iip_args_is(a, "gap"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->gap_us);
    if (iip_args_is(a, "rate"))
        return iip_args_rate(a, &o->rate_bits);
    if (iip_args_is(a, "queue"))
        return iip_args_bytes(a, 1 << 30, &o->queue_bytes);
    return iip_sim_arg_wire(a, ask);
}

/* Two passes: the name is needed to find the first end, whose options are where those of the second begin. */
static int iip_sim_ask(struct iip_sim_ask *ask, const char *args, const struct iip_port_cfg *cfg,
                       struct iip_port_err *err)
{
    struct iip_args a;
    const struct iip_sim_wire *wire;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->seed = 1;
    ask->mtu = IIP_SIM_MTU;
    ask->opts.queue_bytes = IIP_SIM_QUEUE;
    iip_args_init(&a, "sim", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    if (status >= 0 && (wire = iip_sim_find(ask->name)) != NULL && wire->end[0])
        ask->opts = wire->end[0]->lane.opts;
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_sim_arg(&a, ask);
    if (status < 0)
        return status;
    if (!ask->opts.gap_us)
        ask->opts.gap_us = ask->opts.delay_us > 1000 ? ask->opts.delay_us : 1000;
    return IIP_OK;
}

/* What the second end says of the whole wire must be what the first one said. */
static int iip_sim_agree(const struct iip_sim_wire *wire, const struct iip_sim_ask *ask, struct iip_port_err *err)
{
    const char *what = NULL;
    if (wire->closed)
        return iip_port_fail(err, IIP_E_BUSY,
                             "sim:%s: its other end was closed; close this end too, then open both anew", wire->name);
    if (wire->opened == 2)
        return iip_port_fail(err, IIP_E_BUSY, "sim:%s: both ends are open already; take another name", wire->name);
    if ((ask->said & IIP_SIM_SEED) && ask->seed != wire->seed)
        what = "seed";
    if ((ask->said & IIP_SIM_CLOCK) && ask->is_virtual != wire->is_virtual)
        what = "clock";
    if ((ask->said & IIP_SIM_CSUM) && ask->csum != wire->csum)
        what = "csum";
    if ((ask->said & IIP_SIM_L3) && ask->l3 != wire->l3)
        what = "l3";
    if ((ask->said & IIP_SIM_SAID_MTU) && ask->mtu != wire->mtu)
        what = "mtu";
    if (what)
        return iip_port_fail(err, IIP_E_INVAL,
                             "sim:%s: the other end has another %s; give both the same, or name it once", wire->name,
                             what);
    return IIP_OK;
}

/* ---- opening and closing ---- */

static struct iip_sim_wire *iip_sim_wire_new(const struct iip_sim_ask *ask)
{
    struct iip_sim_wire *wire = calloc(1, sizeof(*wire));
    if (!wire)
        return NULL;
    strcpy(wire->name, ask->name);
    pthread_mutex_init(&wire->lock, NULL);
    wire->seed = ask->seed;
    wire->mtu = ask->mtu;
    wire->csum = ask->csum;
    wire->l3 = ask->l3;
    wire->is_virtual = ask->is_virtual;
    wire->now_us = IIP_SIM_START_US;
    wire->next = iip_sim_wires;
    iip_sim_wires = wire;
    return wire;
}

static void iip_sim_end_free(struct iip_sim_end *end)
{
    if (!end)
        return;
    if (end->fd >= 0)
        close(end->fd);
    iip_sim_lane_free(&end->lane);
    iip_pool_free(&end->pool);
    free(end);
}

static void iip_sim_wire_drop(struct iip_sim_wire *wire)
{
    struct iip_sim_wire **at;
    if (wire->opened != wire->closed)
        return;
    for (at = &iip_sim_wires; *at && *at != wire; at = &(*at)->next)
        ;
    if (*at)
        *at = wire->next;
    iip_sim_end_free(wire->end[0]);
    iip_sim_end_free(wire->end[1]);
    pthread_mutex_destroy(&wire->lock);
    free(wire);
}

static int iip_sim_end_new(struct iip_sim_wire *wire, const struct iip_sim_ask *ask, struct iip_port_err *err)
{
    struct iip_sim_end *end;
    uint32_t size = ask->cfg.frame_size;
    int status = iip_pool_fit(&size, wire->mtu, err);
    if (status < 0)
        return status;
    end = calloc(1, sizeof(*end));
    if (!end)
        return iip_port_fail(err, IIP_E_NOMEM, "sim:%s: no memory", wire->name);
    end->wire = wire;
    end->side = wire->opened;
    end->lane.opts = ask->opts;
    iip_sim_lane_init(&end->lane, wire->seed, end->side);
    end->mac[0] = 2; /* 02:73:69:6d:00:01 and ...:02 */
    memcpy(end->mac + 1, "sim", 3);
    end->mac[5] = (uint8_t)(end->side + 1);
    if (ask->has_mac)
        memcpy(end->mac, ask->mac, 6);
    end->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (end->fd < 0)
        status = iip_port_fail(err, IIP_E_NOMEM, "sim:%s: timerfd: %s; raise the limit of open files (ulimit -n)",
                               wire->name, strerror(errno));
    else
        status = iip_pool_init(&end->pool, 0, ask->cfg.frames ? ask->cfg.frames : IIP_SIM_FRAMES, size, err);
    if (status < 0) {
        iip_sim_end_free(end);
        return status;
    }
    pthread_mutex_lock(&wire->lock);
    wire->end[wire->opened++] = end;
    if (end->side) {
        wire->end[0]->lane.blocked = 0; /* it may have been refused for want of this end */
        iip_sim_arm(wire->end[0]);
    }
    pthread_mutex_unlock(&wire->lock);
    end->epoch = atomic_fetch_add(&wire->epoch, 1) + 1;
    return IIP_OK;
}

static int iip_sim_open_locked(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out,
                               struct iip_port_err *err)
{
    struct iip_sim_ask ask;
    struct iip_sim_wire *wire;
    int status = iip_sim_ask(&ask, args, cfg, err);
    if (status < 0)
        return status;
    wire = iip_sim_find(ask.name);
    if (!wire && !(wire = iip_sim_wire_new(&ask)))
        return iip_port_fail(err, IIP_E_NOMEM, "sim:%s: no memory", ask.name);
    status = wire->opened ? iip_sim_agree(wire, &ask, err) : IIP_OK;
    if (status >= 0)
        status = iip_sim_end_new(wire, &ask, err);
    if (status < 0)
        iip_sim_wire_drop(wire);
    else
        *out = (struct iip_port *)wire->end[wire->opened - 1];
    return status;
}

static int iip_sim_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                        size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    int status;
    pthread_mutex_lock(&iip_sim_lock);
    status = iip_sim_open_locked(args, cfg, out, &e);
    pthread_mutex_unlock(&iip_sim_lock);
    return status;
}

static void iip_sim_close(struct iip_port *port)
{
    struct iip_sim_wire *wire = ((struct iip_sim_end *)port)->wire;
    pthread_mutex_lock(&iip_sim_lock);
    pthread_mutex_lock(&wire->lock);
    wire->closed++;
    pthread_mutex_unlock(&wire->lock);
    atomic_fetch_add(&wire->epoch, 1);
    iip_sim_wire_drop(wire);
    pthread_mutex_unlock(&iip_sim_lock);
}

/* ---- what a loop asks ---- */

static void iip_sim_info(struct iip_port *port, struct iip_port_info *out)
{
    const struct iip_sim_end *end = (const struct iip_sim_end *)port;
    struct iip_sim_wire *wire = end->wire;
    memset(out, 0, sizeof(*out));
    out->stack_flags = wire->l3 ? IIP_STACK_L3 : 0;
    out->caps = IIP_CAP_TX_SG;
    if (wire->csum)
        out->caps |= IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    pthread_mutex_lock(&wire->lock);
    out->mtu = wire->mtu < iip_pool_mtu(&end->pool) ? wire->mtu : iip_pool_mtu(&end->pool);
    out->link_up = wire->opened == 2 && !wire->closed;
    pthread_mutex_unlock(&wire->lock);
    out->queues = 1;
    memcpy(out->mac, end->mac, 6);
}

static int iip_sim_changed(struct iip_port *port)
{
    struct iip_sim_end *end = (struct iip_sim_end *)port;
    uint32_t epoch = atomic_load_explicit(&end->wire->epoch, memory_order_acquire);
    if (IIP_LIKELY(epoch == end->epoch))
        return 0;
    end->epoch = epoch;
    return 1;
}

static struct iip_port_queue *iip_sim_queue(struct iip_port *port, uint32_t i)
{
    return i ? NULL : (struct iip_port_queue *)port;
}

static uint32_t iip_sim_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_sim_end *end = (const struct iip_sim_end *)port;
    if (cap)
        *out = (struct iip_port_region){end->pool.base, end->pool.len, end->pool.id};
    return 1;
}

static void iip_sim_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_sim_end *)q)->stk = stk;
}

static struct iip_frame *iip_sim_frame_get(void *queue, iip_u32 size)
{
    struct iip_sim_end *end = queue;
    return size <= end->pool.frame_size ? iip_pool_get(&end->pool) : NULL;
}

static void iip_sim_frame_put(void *queue, struct iip_frame *frame)
{
    iip_pool_put(&((struct iip_sim_end *)queue)->pool, frame);
}

static uint32_t iip_sim_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_sim_end *)q)->pool);
}

static void iip_sim_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_sim_end *)q)->stats;
}

const struct iip_port_ops iip_sim_ops = {
    .kind = "sim",
    .build_id = IIP_BUILD_ID,
    .open = iip_sim_open,
    .close = iip_sim_close,
    .info = iip_sim_info,
    .changed = iip_sim_changed,
    .queue = iip_sim_queue,
    .regions = iip_sim_regions,
    .attach = iip_sim_attach,
    .rx = iip_sim_rx,
    .tx = iip_sim_tx,
    .frame_get = iip_sim_frame_get,
    .frame_put = iip_sim_frame_put,
    .frames_free = iip_sim_frames_free,
    .fd = iip_sim_fd,
    .now = iip_sim_now,
    .stats = iip_sim_stats,
};

/* ---- driving a wire by name ---- */

/* The wire, with the list's lock held and its own; null when there is none, and no lock is held. */
static struct iip_sim_wire *iip_sim_hold(const char *name)
{
    struct iip_sim_wire *wire;
    pthread_mutex_lock(&iip_sim_lock);
    wire = iip_sim_find(name);
    if (wire)
        pthread_mutex_lock(&wire->lock);
    else
        pthread_mutex_unlock(&iip_sim_lock);
    return wire;
}

static void iip_sim_release(struct iip_sim_wire *wire)
{
    pthread_mutex_unlock(&wire->lock);
    pthread_mutex_unlock(&iip_sim_lock);
}

uint64_t iip_sim_advance(const char *name, uint64_t us)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    uint64_t now = 0;
    if (!wire)
        return 0;
    if (wire->is_virtual) {
        now = atomic_load(&wire->now_us) + us;
        atomic_store(&wire->now_us, now);
        for (uint32_t i = 0; i < wire->opened; i++)
            iip_sim_arm(wire->end[i]);
    }
    iip_sim_release(wire);
    return now;
}

uint64_t iip_sim_next(const char *name)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    uint64_t next = IIP_NEVER;
    if (!wire)
        return next;
    for (uint32_t i = 0; i < wire->opened; i++) {
        const struct iip_sim_node *first = iip_sim_lane_first(&wire->end[i]->lane);
        if (first && first->at_us < next)
            next = first->at_us;
    }
    iip_sim_release(wire);
    return next;
}

int iip_sim_mtu_set(const char *name, uint32_t mtu)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    if (!wire)
        return IIP_E_NOT_FOUND;
    wire->mtu = mtu;
    atomic_fetch_add(&wire->epoch, 1);
    iip_sim_release(wire);
    return IIP_OK;
}

static int iip_sim_inject_held(struct iip_sim_wire *wire, const uint8_t mac[6], const void *frame, uint32_t len)
{
    struct iip_sim_end *to = NULL;
    int status;
    for (uint32_t i = 0; i < wire->opened && !to; i++)
        if (memcmp(wire->end[i]->mac, mac, 6) == 0)
            to = wire->end[i];
    if (!to)
        return IIP_E_NOT_FOUND;
    if (!len || len > iip_sim_longest(wire))
        return IIP_E_INVAL;
    if (wire->opened < 2 || wire->closed)
        return IIP_E_LINK_DOWN;
    status = iip_sim_lane_inject(&wire->end[!to->side]->lane, frame, len, iip_sim_now((struct iip_port_queue *)to));
    iip_sim_arm(to);
    return status;
}

int iip_sim_inject(const char *name, const uint8_t mac[6], const void *frame, uint32_t len)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    int status;
    if (!wire)
        return IIP_E_NOT_FOUND;
    status = iip_sim_inject_held(wire, mac, frame, len);
    iip_sim_release(wire);
    return status;
}

int iip_sim_account(const char *name, uint32_t side, struct iip_sim_account *out)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    int status = IIP_E_NOT_FOUND;
    if (!wire)
        return status;
    if (side < wire->opened) {
        *out = wire->end[side]->lane.account;
        status = IIP_OK;
    }
    iip_sim_release(wire);
    return status;
}

/* ==== c/io/sim/queue.c ==== */
/* queue.c - the data path of an end of a simulated wire. */
#include <string.h>
#include <sys/timerfd.h>


enum { IIP_SIM_STUCK_US = 1000 }; /* how often a parked end without frames looks whether there are some */

uint64_t iip_sim_now(struct iip_port_queue *queue)
{
    struct iip_sim_wire *wire = ((struct iip_sim_end *)queue)->wire;
    return wire->is_virtual ? atomic_load(&wire->now_us) : iip_port_clock_us();
}

static struct iip_sim_end *iip_sim_peer(const struct iip_sim_end *end)
{
    return end->wire->end[!end->side];
}

/* Sets the timer to a time of the wire's clock; 0 is off, 1 is now. */
static void iip_sim_timer(struct iip_sim_end *end, uint64_t at_us)
{
    struct itimerspec ts;
    memset(&ts, 0, sizeof(ts));
    if (at_us && end->wire->is_virtual)
        at_us = at_us <= atomic_load(&end->wire->now_us);
    if (at_us == end->armed_us)
        return;
    end->armed_us = at_us;
    ts.it_value.tv_sec = (time_t)(at_us / 1000000);
    ts.it_value.tv_nsec = (long)(at_us % 1000000 * 1000);
    timerfd_settime(end->fd, TFD_TIMER_ABSTIME, &ts, NULL);
}

void iip_sim_arm(struct iip_sim_end *end)
{
    struct iip_sim_end *peer = iip_sim_peer(end);
    const struct iip_sim_node *first = peer ? iip_sim_lane_first(&peer->lane) : NULL;
    if (!end->waiting)
        return;
    if (end->refused && !end->lane.blocked)
        iip_sim_timer(end, 1);
    else if (end->stuck && !end->wire->is_virtual)
        iip_sim_timer(end, iip_port_clock_us() + IIP_SIM_STUCK_US);
    else
        iip_sim_timer(end, first ? first->at_us : 0);
}

int iip_sim_fd(struct iip_port_queue *queue)
{
    struct iip_sim_end *end = (struct iip_sim_end *)queue;
    pthread_mutex_lock(&end->wire->lock);
    end->waiting = 1;
    iip_sim_arm(end);
    pthread_mutex_unlock(&end->wire->lock);
    return end->fd;
}

/* One packet in as many frames as it takes; null when there are not enough, or no memory for views. */
static struct iip_pkt *iip_sim_packet(struct iip_sim_end *end, const struct iip_sim_node *node)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t at = 0;
    do {
        struct iip_frame *frame = iip_pool_get(&end->pool);
        uint32_t room = end->pool.frame_size - IIP_POOL_HEADROOM, part = node->len - at < room ? node->len - at : room;
        if (frame)
            *tail = iip_pkt_new(end->stk, frame, frame->base + IIP_POOL_HEADROOM, part);
        if (!frame || !*tail) {
            if (frame)
                iip_pool_put(&end->pool, frame);
            iip_pkt_free(end->stk, head);
            return NULL;
        }
        memcpy((*tail)->data, node->bytes + at, part);
        tail = &(*tail)->next;
        at += part;
    } while (at < node->len);
    head->total = node->len;
    head->flags = node->flags;
    return head;
}

/* The sender was refused: it may come again now that half of what was under way has arrived. */
static void iip_sim_unblock(struct iip_sim_end *sender)
{
    if (!sender->lane.blocked || sender->lane.count > IIP_SIM_FLIGHT / 2)
        return;
    sender->lane.blocked = 0;
    iip_sim_arm(sender);
}

uint32_t iip_sim_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_sim_end *end = (struct iip_sim_end *)queue, *peer;
    uint64_t now = iip_sim_now(queue);
    uint32_t got = 0;
    if (!end->stk)
        return 0;
    pthread_mutex_lock(&end->wire->lock);
    peer = iip_sim_peer(end);
    end->stuck = 0;
    end->waiting = 0;
    while (peer && got < n) {
        const struct iip_sim_node *first = iip_sim_lane_first(&peer->lane);
        if (!first || first->at_us > now)
            break;
        pkts[got] = iip_sim_packet(end, first);
        if (!pkts[got]) {
            end->stuck = 1;
            break;
        }
        end->stats.rx_packets++;
        end->stats.rx_bytes += first->len;
        iip_sim_lane_pop(&peer->lane);
        got++;
    }
    if (peer)
        iip_sim_unblock(peer);
    pthread_mutex_unlock(&end->wire->lock);
    return got;
}

uint32_t iip_sim_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_sim_end *end = queue, *peer;
    struct iip_sim_account *acc = &end->lane.account;
    uint64_t now = iip_sim_now(queue);
    uint32_t sent;
    pthread_mutex_lock(&end->wire->lock);
    peer = iip_sim_peer(end);
    for (sent = 0; peer && sent < n; sent++)
        if (!iip_sim_lane_send(&end->lane, end->wire, pkts[sent], now))
            break;
    if (sent)
        iip_sim_arm(peer);
    end->refused = sent < n;
    end->lane.blocked = end->refused;
    end->stats.tx_packets = acc->sent;
    end->stats.tx_bytes = acc->sent_bytes;
    end->stats.tx_refused += n - sent;
    end->stats.wire_lost = acc->lost;
    end->stats.wire_duplicated = acc->duplicated;
    pthread_mutex_unlock(&end->wire->lock);
    for (uint32_t i = 0; i < sent; i++)
        iip_pkt_free(end->stk, pkts[i]);
    return sent;
}

/* ==== c/io/tap/link.c ==== */
/* link.c - the interface as the kernel sees it: MTU, state, addresses. */

/* ==== c/io/tap/tap.h ==== */
/*
 * tap.h - a TAP device: the kernel is the other end of the wire.
 *
 * Checksums and segmentation are left to the kernel (IFF_VNET_HDR): what it sends to us comes unsegmented, up to 64 KB
 * in one read, which is scattered over a chain of frames that stand ready; a small packet uses only the first of them.
 *
 * "tap:name" (or "tap:", then the kernel picks iip0, iip1 ...), and
 *
 *     up=10.9.0.1/24  gives the kernel's side an address and brings it up; may be said several times, IPv6 too; up=on
 *                     only brings it up. Without it nothing on the kernel's side is touched
 *     mac=02:...      our own address (default: random)
 *     mtu=1400        sets the interface's (default: takes it as it is)
 *     csum=off tso=off    leaves checksums, or cutting, to the stack
 *     queues, frames, frame_size
 */
#ifndef IIP_IO_TAP_H
#define IIP_IO_TAP_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/uio.h>


enum {
    IIP_TAP_QUEUES = 64,
    IIP_TAP_LINK = 18,        /* Ethernet header with one tag */
    IIP_TAP_MTU_MAX = 9000,   /* largest that the core takes on Ethernet */
    IIP_TAP_VIEWS = 136,      /* frames of a received packet, at most: 64 KB in frames of 512 bytes */
    IIP_TAP_TX_VIEWS = 1023,  /* views of a sent packet, at most: IOV_MAX less the header */
    IIP_TAP_UPS = 8
};

struct iip_tap_queue {
    int fd;                   /* to read, and to wait on: a queue that is attached hears when the interface comes up */
    int out;                  /* to write; the same, where there is one queue */
    uint32_t dead;            /* the device is gone: nothing comes, and what is sent is dropped */
    struct iip_stack *stk;
    struct iip_tap *tap;
    uint32_t views;           /* frames that stand ready for a read */
    uint32_t holes;           /* of these, the first so many were used and are to be replaced */
    struct iip_frame *ready[IIP_TAP_VIEWS];
    struct iovec iov[1 + IIP_TAP_VIEWS];
    struct iovec tx_iov[1 + IIP_TAP_TX_VIEWS];
    struct virtio_net_hdr head; /* of the packet that was read last */
    struct iip_pool pool;
    struct iip_port_stats stats;
};

struct iip_tap {
    char name[IFNAMSIZ];
    uint32_t queues;
    uint32_t mtu, up;
    int csum, tso;
    int control;              /* a socket for questions about the interface */
    uint64_t checked_us;
    uint32_t recheck;         /* a write said that the interface is down: look again soon */
    uint8_t mac[6];
    struct iip_tap_queue *q[IIP_TAP_QUEUES];
};

struct iip_tap_ask { /* what the port string says */
    char name[IFNAMSIZ];
    struct iip_port_cfg cfg;
    uint32_t mtu;
    int csum, tso, ups;
    uint8_t mac[6];
    char up[IIP_TAP_UPS][64];
};

/* link.c: the interface as the kernel sees it. Each returns a status. */
int iip_tap_link_open(struct iip_tap *tap, struct iip_port_err *err);
int iip_tap_link_setup(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err);
/* Reads MTU and state anew: 1 when either changed. */
int iip_tap_link_read(struct iip_tap *tap);
int iip_tap_changed(struct iip_port *port);

/* queue.c */
int iip_tap_queue_init(struct iip_tap_queue *q, const struct iip_tap_ask *ask, uint32_t i, struct iip_port_err *err);
uint32_t iip_tap_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_tap_tx(void *queue, struct iip_pkt **pkts, uint32_t n);

#endif

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "iip_core.h"

enum { IIP_TAP_CHECK_US = 100000 }; /* how often MTU and state are looked at: two ioctls */

static int iip_tap_ioctl(const struct iip_tap *tap, unsigned long request, struct ifreq *ifr)
{
    memcpy(ifr->ifr_name, tap->name, IFNAMSIZ);
    return ioctl(tap->control, request, ifr);
}

int iip_tap_link_open(struct iip_tap *tap, struct iip_port_err *err)
{
    tap->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (tap->control < 0)
        tap->control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (tap->control < 0)
        return iip_port_fail(err, IIP_E_IO, "tap:%s: socket: %s", tap->name, strerror(errno));
    return IIP_OK;
}

int iip_tap_link_read(struct iip_tap *tap)
{
    struct ifreq ifr;
    uint32_t mtu = tap->mtu, up = 0;
    memset(&ifr, 0, sizeof(ifr));
    if (iip_tap_ioctl(tap, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu > 0)
        mtu = (uint32_t)ifr.ifr_mtu;
    if (iip_tap_ioctl(tap, SIOCGIFFLAGS, &ifr) == 0)
        up = (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
    if (mtu == tap->mtu && up == tap->up)
        return 0;
    tap->mtu = mtu;
    tap->up = up;
    return 1;
}

int iip_tap_changed(struct iip_port *port)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    struct timespec ts;
    uint64_t now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    if (IIP_LIKELY(now - tap->checked_us < IIP_TAP_CHECK_US && !__atomic_load_n(&tap->recheck, __ATOMIC_RELAXED)))
        return 0;
    tap->checked_us = now;
    __atomic_store_n(&tap->recheck, 0, __ATOMIC_RELAXED);
    return iip_tap_link_read(tap);
}

/* ---- set-up: only what the port string asks for ---- */

struct iip_tap_msg { /* RTM_NEWADDR */
    struct nlmsghdr nl;
    struct ifaddrmsg ifa;
    uint8_t attrs[64];
};

static void iip_tap_attr(struct iip_tap_msg *msg, uint16_t type, const void *data, uint16_t len)
{
    struct rtattr *a = (struct rtattr *)((char *)msg + NLMSG_ALIGN(msg->nl.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (uint16_t)RTA_LENGTH(len);
    memcpy(RTA_DATA(a), data, len);
    msg->nl.nlmsg_len = NLMSG_ALIGN(msg->nl.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Sends one request to rtnetlink; 0, or the errno it answers. */
static int iip_tap_netlink(const struct nlmsghdr *nl)
{
    struct {
        struct nlmsghdr nl;
        struct nlmsgerr err;
        uint8_t more[256];
    } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), error = EIO;
    ssize_t got;
    if (fd < 0)
        return errno;
    if (send(fd, nl, nl->nlmsg_len, 0) < 0) {
        error = errno;
    } else {
        got = recv(fd, &answer, sizeof(answer), 0);
        if (got >= (ssize_t)NLMSG_LENGTH(sizeof(int)) && answer.nl.nlmsg_type == NLMSG_ERROR)
            error = -answer.err.error;
    }
    close(fd);
    return error;
}

/* Splits "10.9.0.1/24"; the family, or 0 when it is no address. */
static int iip_tap_parse(const char *text, uint8_t addr[16], uint32_t *prefix)
{
    char copy[64], *slash, *end;
    int family;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash)
        *slash = 0;
    family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, copy, addr) != 1)
        return 0;
    *prefix = family == AF_INET ? 32 : 128;
    if (slash) {
        unsigned long v = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || v > *prefix)
            return 0;
        *prefix = (uint32_t)v;
    }
    return family;
}

static int iip_tap_address(struct iip_tap *tap, const char *text, struct iip_port_err *err)
{
    struct iip_tap_msg msg;
    uint8_t addr[16];
    uint32_t prefix;
    int family = iip_tap_parse(text, addr, &prefix), error;
    uint16_t len = family == AF_INET ? 4 : 16;
    if (!family)
        return iip_port_fail(err, IIP_E_INVAL,
                             "tap:%s: up=%s: use an address with its prefix length, as 10.9.0.1/24 or fd00::1/64",
                             tap->name, text);
    memset(&msg, 0, sizeof(msg));
    msg.nl.nlmsg_len = NLMSG_LENGTH(sizeof(msg.ifa));
    msg.nl.nlmsg_type = RTM_NEWADDR;
    msg.nl.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    msg.ifa.ifa_family = (uint8_t)family;
    msg.ifa.ifa_prefixlen = (uint8_t)prefix;
    msg.ifa.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0; /* the only neighbour is us */
    msg.ifa.ifa_index = if_nametoindex(tap->name);
    iip_tap_attr(&msg, IFA_LOCAL, addr, len);
    iip_tap_attr(&msg, IFA_ADDRESS, addr, len);
    error = iip_tap_netlink(&msg.nl);
    if (error)
        return iip_port_fail(err, error == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                             "tap:%s: up=%s: %s; set the address yourself with: ip addr add %s dev %s", tap->name, text,
                             strerror(error), text, tap->name);
    return IIP_OK;
}

static int iip_tap_bring_up(struct iip_tap *tap, struct iip_port_err *err)
{
    struct ifreq ifr;
    memset(&ifr, 0, sizeof(ifr));
    if (iip_tap_ioctl(tap, SIOCGIFFLAGS, &ifr) == 0) {
        ifr.ifr_flags |= IFF_UP;
        if (iip_tap_ioctl(tap, SIOCSIFFLAGS, &ifr) == 0)
            return IIP_OK;
    }
    return iip_port_fail(err, errno == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                         "tap:%s: up: %s; bring the interface up yourself with: ip link set %s up", tap->name,
                         strerror(errno), tap->name);
}

int iip_tap_link_setup(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    struct ifreq ifr;
    int status = IIP_OK;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_mtu = (int)ask->mtu;
    if (ask->mtu && iip_tap_ioctl(tap, SIOCSIFMTU, &ifr))
        return iip_port_fail(err, errno == EPERM ? IIP_E_ACCESS : IIP_E_IO,
                             "tap:%s: mtu=%u: %s; set it yourself with: ip link set %s mtu %u", tap->name, ask->mtu,
                             strerror(errno), tap->name, ask->mtu);
    for (int i = 0; i < ask->ups && status >= 0; i++)
        if (strcmp(ask->up[i], "on") != 0)
            status = iip_tap_address(tap, ask->up[i], err);
    if (status >= 0 && ask->ups)
        status = iip_tap_bring_up(tap, err);
    return status;
}

/* ==== c/io/tap/queue.c ==== */
/* queue.c - the data path of a TAP device. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "iip_core.h"

enum { IIP_TAP_FRAMES = 8192, IIP_TAP_GSO = 65535 };

int iip_tap_queue_init(struct iip_tap_queue *q, const struct iip_tap_ask *ask, uint32_t i, struct iip_port_err *err)
{
    uint32_t longest = (q->tap->tso ? IIP_TAP_GSO : IIP_TAP_MTU_MAX) + IIP_TAP_LINK;
    uint32_t size = ask->cfg.frame_size;
    int status = iip_pool_fit(&size, q->tap->mtu, err);
    if (status >= 0)
        status = iip_pool_init(&q->pool, i, ask->cfg.frames ? ask->cfg.frames : IIP_TAP_FRAMES, size, err);
    if (status < 0)
        return status;
    size = q->pool.frame_size;
    q->views = 1;
    if (longest > size - IIP_POOL_HEADROOM)
        q->views += (longest - (size - IIP_POOL_HEADROOM) + size - 1) / size;
    q->holes = q->views;
    q->iov[0].iov_base = &q->head;
    q->iov[0].iov_len = sizeof(q->head);
    if (q->pool.count < 2 * q->views)
        return iip_port_fail(err, IIP_E_RANGE,
                             "tap:%s: frames=%u: one packet takes up to %u frames of %u bytes; use at least %u",
                             q->tap->name, q->pool.count, q->views, size, 2 * q->views);
    return IIP_OK;
}

/* The interface was deleted. A descriptor that is never ready takes the place of this one, for those who poll it. */
static void iip_tap_die(struct iip_tap_queue *q)
{
    int quiet = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (quiet >= 0) {
        dup3(quiet, q->fd, O_CLOEXEC);
        close(quiet);
    }
    q->dead = 1;
    __atomic_store_n(&q->tap->recheck, 1, __ATOMIC_RELAXED);
}

/* ---- receive ---- */

/* Puts fresh frames where the last packet took them; 0 when there are not enough for a packet of any size. */
static int iip_tap_stage(struct iip_tap_queue *q)
{
    while (q->holes) {
        uint32_t i = q->holes - 1, room = i ? 0 : IIP_POOL_HEADROOM;
        struct iip_frame *frame = iip_pool_get(&q->pool);
        if (!frame)
            return 0;
        q->ready[i] = frame;
        q->iov[1 + i].iov_base = frame->base + room;
        q->iov[1 + i].iov_len = frame->size - room;
        q->holes = i;
    }
    return 1;
}

/* [virtio 1.2, 5.1.6.4.1] A checksum that is still to be filled in never left this machine: it cannot be wrong. */
static uint16_t iip_tap_marks(const struct virtio_net_hdr *head)
{
    uint16_t flags = 0;
    if (head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        flags = IIP_PKT_L4_CSUM_OK | IIP_PKT_IP_CSUM_OK;
    else if (head->flags & VIRTIO_NET_HDR_F_DATA_VALID)
        flags = IIP_PKT_L4_CSUM_OK;
    if (head->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        flags |= IIP_PKT_LRO;
    return flags;
}

/* The frames that `len` bytes were read into, as one packet; null when there is no memory for views. */
static struct iip_pkt *iip_tap_packet(struct iip_tap_queue *q, uint32_t len)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t left = len, used = 0;
    do {
        const struct iovec *iov = &q->iov[1 + used];
        uint32_t part = left < iov->iov_len ? left : (uint32_t)iov->iov_len;
        struct iip_pkt *pkt = iip_pkt_new(q->stk, q->ready[used], iov->iov_base, part);
        if (IIP_UNLIKELY(!pkt)) {
            q->holes = used;
            iip_pkt_free(q->stk, head);
            return NULL;
        }
        *tail = pkt;
        tail = &pkt->next;
        left -= part;
        used++;
    } while (left);
    q->holes = used;
    head->total = len;
    head->flags = iip_tap_marks(&q->head);
    head->seg_size = q->head.gso_type != VIRTIO_NET_HDR_GSO_NONE ? q->head.gso_size : 0;
    return head;
}

/* One read: its length without the header, 0 for what is no packet, -1 when there is nothing. */
static int iip_tap_read(struct iip_tap_queue *q)
{
    uint64_t room = 0;
    ssize_t got;
    do
        got = readv(q->fd, q->iov, (int)(1 + q->views));
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EBADFD)
            iip_tap_die(q);
        return -1;
    }
    if (got <= (ssize_t)sizeof(q->head))
        return 0;
    got -= (ssize_t)sizeof(q->head);
    if (IIP_UNLIKELY((uint64_t)got > q->iov[1].iov_len)) {
        for (uint32_t i = 0; i < q->views; i++)
            room += q->iov[1 + i].iov_len;
        return (uint64_t)got > room ? 0 : (int)got;
    }
    return (int)got;
}

uint32_t iip_tap_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_tap_queue *q = (struct iip_tap_queue *)queue;
    uint32_t got = 0;
    if (IIP_UNLIKELY(!q->stk || q->dead))
        return 0;
    while (got < n && iip_tap_stage(q)) {
        int len = iip_tap_read(q);
        if (len < 0)
            break;
        pkts[got] = len ? iip_tap_packet(q, (uint32_t)len) : NULL;
        if (IIP_UNLIKELY(!pkts[got])) {
            q->stats.rx_dropped++;
            continue;
        }
        q->stats.rx_bytes += (uint32_t)len;
        got++;
    }
    q->stats.rx_packets += got;
    return got;
}

/* ---- transmit ---- */

/* What the kernel must do, as a virtio header. The core left the pseudo-header sum in the checksum field. */
static void iip_tap_head(struct virtio_net_hdr *head, struct iip_pkt *pkt)
{
    uint32_t l4 = (uint32_t)pkt->l2_len + pkt->l3_len;
    memset(head, 0, sizeof(*head));
    if (!(pkt->flags & (IIP_PKT_L4_CSUM | IIP_PKT_TSO)))
        return;
    head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    head->csum_start = (uint16_t)l4;
    head->csum_offset = pkt->flags & IIP_PKT_UDP ? 6 : 16;
    if (!(pkt->flags & IIP_PKT_TSO))
        return;
    head->gso_type = pkt->flags & IIP_PKT_IPV6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    head->gso_size = pkt->seg_size;
    head->hdr_len = (uint16_t)(l4 + pkt->l4_len);
    if (!(pkt->flags & IIP_PKT_IPV6) && pkt->len >= l4) /* the kernel checks the large packet's own header */
        iip_wire_csum_ip(pkt->data + pkt->l2_len, pkt->l3_len);
}

/* The views of a chain, counted; 0 when they are more than one write takes. */
static uint32_t iip_tap_gather(struct iovec *iov, const struct iip_pkt *pkt)
{
    uint32_t n = 0;
    for (; pkt; pkt = pkt->next) {
        if (n == IIP_TAP_TX_VIEWS)
            return 0;
        iov[n].iov_base = pkt->data;
        iov[n++].iov_len = pkt->len;
    }
    return n;
}

/* One packet out: 1 taken, 0 refused. */
static int iip_tap_write(struct iip_tap_queue *q, struct iip_pkt *pkt)
{
    struct virtio_net_hdr head;
    struct iovec *iov = q->tx_iov;
    uint32_t views = iip_tap_gather(iov + 1, pkt);
    ssize_t put = -1;
    if (q->dead || !views)
        errno = EINVAL;
    else {
        iip_tap_head(&head, pkt);
        iov[0].iov_base = &head;
        iov[0].iov_len = sizeof(head);
        do
            put = writev(q->out, iov, (int)(1 + views));
        while (put < 0 && errno == EINTR);
    }
    if (IIP_LIKELY(put > 0)) {
        q->stats.tx_packets++;
        q->stats.tx_bytes += (uint64_t)put - sizeof(head);
        return 1;
    }
    if (errno == EIO) /* the interface is down: it takes packets again when it is up */
        __atomic_store_n(&q->tap->recheck, 1, __ATOMIC_RELAXED);
    if (errno == EAGAIN || errno == EIO || errno == ENOBUFS || errno == ENOMEM)
        return 0;
    if (errno == EBADFD)
        iip_tap_die(q);
    q->stats.tx_dropped++;
    return 1;
}

uint32_t iip_tap_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_tap_queue *q = queue;
    uint32_t i;
    for (i = 0; i < n && iip_tap_write(q, pkts[i]); i++)
        iip_pkt_free(q->stk, pkts[i]);
    q->stats.tx_refused += n - i;
    return i;
}

/* ==== c/io/tap/tap.c ==== */
/* tap.c - opens and closes TAP devices. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "iip_core.h"

#define IIP_TAP_NODE "/dev/net/tun"

static int iip_tap_arg(struct iip_args *a, struct iip_tap_ask *ask)
{
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "mtu"))
        return iip_args_u32(a, 576, IIP_TAP_MTU_MAX, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "tso"))
        return iip_args_switch(a, &ask->tso);
    if (iip_args_is(a, "mac"))
        return iip_args_mac(a, ask->mac);
    if (iip_args_is(a, "up")) {
        if (ask->ups == IIP_TAP_UPS || strlen(a->value) >= sizeof(ask->up[0]))
            return iip_port_fail(a->err, IIP_E_INVAL, "tap: up=%s: at most %d addresses of %zu characters", a->value,
                                 IIP_TAP_UPS, sizeof(ask->up[0]) - 1);
        strcpy(ask->up[ask->ups++], a->value);
        return IIP_OK;
    }
    return iip_args_unknown(a, "up, mtu, csum, tso, mac, " IIP_ARGS_CFG);
}

static int iip_tap_ask(struct iip_tap_ask *ask, const char *args, const struct iip_port_cfg *cfg,
                       struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->csum = ask->tso = 1;
    iip_port_mac_random(ask->mac);
    iip_args_init(&a, "tap", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_tap_arg(&a, ask);
    if (status < 0)
        return status;
    if (strpbrk(ask->name, "/:% \t\n\v\f\r") || strcmp(ask->name, ".") == 0 || strcmp(ask->name, "..") == 0)
        return iip_port_fail(err, IIP_E_INVAL, "tap:%s: an interface name has no '/', ':', '%%' and blank; as tap:iip0",
                             ask->name);
    ask->tso = ask->tso && ask->csum; /* the kernel takes segmentation only with checksums */
    return IIP_OK;
}

static int iip_tap_node_error(const char *name, struct iip_port_err *err)
{
    if (errno == EACCES || errno == EPERM)
        return iip_port_fail(err, IIP_E_ACCESS,
                             "tap:%s: " IIP_TAP_NODE ": %s; allow it with: chmod 0666 " IIP_TAP_NODE
                             " (as root), or run as root",
                             name, strerror(errno));
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        return iip_port_fail(err, IIP_E_NO_DEVICE,
                             "tap:%s: there is no " IIP_TAP_NODE
                             "; load it with: modprobe tun (as root); a container needs "
                             "--device " IIP_TAP_NODE,
                             name);
    return iip_port_fail(err, IIP_E_IO, "tap:%s: " IIP_TAP_NODE ": %s", name, strerror(errno));
}

static int iip_tap_iff_error(const struct iip_tap_ask *ask, uint32_t queues, struct iip_port_err *err)
{
    const char *name = ask->name;
    if (errno == EPERM)
        return iip_port_fail(
            err, IIP_E_ACCESS,
            "tap:%s: making a TAP device needs CAP_NET_ADMIN; run inside a namespace of your own "
            "(unshare -Urn), or as root, or have one made for you: ip tuntap add dev %s mode tap user NAME",
            name, *name ? name : "iip0");
    if (errno == EBUSY)
        return iip_port_fail(err, IIP_E_BUSY,
                             "tap:%s: another program has this device open; close it or take another name", name);
    if (errno == EINVAL)
        return iip_port_fail(
            err, IIP_E_INVAL,
            "tap:%s: an interface of this name exists and is no TAP device with %s; take another name or "
            "remove it: ip link del %s",
            name, queues > 1 ? "several queues (multi_queue)" : "one queue", name);
    return iip_port_fail(err, IIP_E_IO, "tap:%s: TUNSETIFF: %s", name, strerror(errno));
}

static int iip_tap_offload(const struct iip_tap *tap, int fd)
{
    unsigned offload = (tap->csum ? TUN_F_CSUM : 0) | (tap->tso ? TUN_F_TSO4 | TUN_F_TSO6 : 0);
    int size = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETVNETHDRSZ, &size))
        return -1;
    return ioctl(fd, TUNSETOFFLOAD, offload);
}

/* Opens one descriptor of the device; the first one's answer is the name that the others ask for. */
static int iip_tap_descriptor(struct iip_tap *tap, int *fd, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    struct ifreq ifr;
    *fd = open(IIP_TAP_NODE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return iip_tap_node_error(ask->name, err);
    memset(&ifr, 0, sizeof(ifr));
    memcpy(ifr.ifr_name, tap->name, IFNAMSIZ);
    ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (tap->queues > 1 ? IFF_MULTI_QUEUE : 0));
    if (ioctl(*fd, TUNSETIFF, &ifr))
        return iip_tap_iff_error(ask, tap->queues, err);
    memcpy(tap->name, ifr.ifr_name, IFNAMSIZ);
    if (iip_tap_offload(tap, *fd))
        return iip_port_fail(err, IIP_E_NOT_SUPPORTED,
                             "tap:%s: this kernel has no checksum offload for TAP (%s); try csum=off", tap->name,
                             strerror(errno));
    return IIP_OK;
}

/*
 * Opens one queue. Of several queues each has a second descriptor, detached, to write to: the kernel moves a flow to
 * the queue that wrote for it last, and what it sends next would overtake what still waits in the queue before. For
 * what a detached descriptor writes it moves nothing, so a flow stays where the kernel's hash of it says.
 */
static int iip_tap_attach(struct iip_tap *tap, struct iip_tap_queue *q, const struct iip_tap_ask *ask,
                          struct iip_port_err *err)
{
    struct ifreq ifr;
    int status;
    if (tap->queues == 1) {
        status = iip_tap_descriptor(tap, &q->fd, ask, err);
        q->out = q->fd;
        return status;
    }
    status = iip_tap_descriptor(tap, &q->out, ask, err);
    if (status < 0)
        return status;
    memset(&ifr, 0, sizeof(ifr));
    ifr.ifr_flags = IFF_DETACH_QUEUE;
    if (ioctl(q->out, TUNSETQUEUE, &ifr))
        return iip_port_fail(err, IIP_E_IO, "tap:%s: TUNSETQUEUE: %s; use one queue", tap->name, strerror(errno));
    return iip_tap_descriptor(tap, &q->fd, ask, err);
}

static void iip_tap_close(struct iip_port *port)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    for (uint32_t i = 0; i < tap->queues; i++) {
        if (!tap->q[i])
            continue;
        if (tap->q[i]->out >= 0 && tap->q[i]->out != tap->q[i]->fd)
            close(tap->q[i]->out);
        if (tap->q[i]->fd >= 0)
            close(tap->q[i]->fd);
        iip_pool_free(&tap->q[i]->pool);
        free(tap->q[i]);
    }
    if (tap->control >= 0)
        close(tap->control);
    free(tap);
}

static int iip_tap_start(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err)
{
    int status = IIP_OK;
    for (uint32_t i = 0; i < tap->queues && status >= 0; i++) {
        tap->q[i] = calloc(1, sizeof(*tap->q[i]));
        if (!tap->q[i])
            return iip_port_fail(err, IIP_E_NOMEM, "tap:%s: no memory", tap->name);
        tap->q[i]->tap = tap;
        tap->q[i]->fd = tap->q[i]->out = -1;
        status = iip_tap_attach(tap, tap->q[i], ask, err);
    }
    if (status >= 0)
        status = iip_tap_link_open(tap, err);
    if (status >= 0)
        status = iip_tap_link_setup(tap, ask, err);
    if (status >= 0)
        iip_tap_link_read(tap);
    for (uint32_t i = 0; i < tap->queues && status >= 0; i++)
        status = iip_tap_queue_init(tap->q[i], ask, i, err);
    return status;
}

static int iip_tap_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                        size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_tap_ask ask;
    struct iip_tap *tap;
    int status = iip_tap_ask(&ask, args, cfg, &e);
    if (status < 0)
        return status;
    tap = calloc(1, sizeof(*tap));
    if (!tap)
        return iip_port_fail(&e, IIP_E_NOMEM, "tap:%s: no memory", ask.name);
    strcpy(tap->name, *ask.name ? ask.name : "iip%d");
    tap->control = -1;
    tap->csum = ask.csum;
    tap->tso = ask.tso;
    tap->mtu = 1500;
    memcpy(tap->mac, ask.mac, 6);
    tap->queues = ask.cfg.queues ? ask.cfg.queues : 1;
    if (tap->queues > IIP_TAP_QUEUES)
        tap->queues = IIP_TAP_QUEUES;
    status = iip_tap_start(tap, &ask, &e);
    if (status < 0)
        iip_tap_close((struct iip_port *)tap);
    else
        *out = (struct iip_port *)tap;
    return status;
}

static void iip_tap_info(struct iip_port *port, struct iip_port_info *out)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    memset(out, 0, sizeof(*out));
    out->caps = IIP_CAP_TX_SG;
    if (tap->csum)
        out->caps |= IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    if (tap->tso) {
        out->caps |= IIP_CAP_TX_TSO;
        out->tso_max = 65535 - 120; /* less both headers with their options */
    }
    out->mtu = tap->mtu < iip_pool_mtu(&tap->q[0]->pool) ? tap->mtu : iip_pool_mtu(&tap->q[0]->pool);
    out->queues = tap->queues;
    out->link_up = tap->up;
    memcpy(out->mac, tap->mac, 6);
}

static struct iip_port_queue *iip_tap_queue(struct iip_port *port, uint32_t i)
{
    struct iip_tap *tap = (struct iip_tap *)port;
    return i < tap->queues ? (struct iip_port_queue *)tap->q[i] : NULL;
}

static uint32_t iip_tap_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_tap *tap = (const struct iip_tap *)port;
    for (uint32_t i = 0; i < tap->queues && i < cap; i++)
        out[i] = (struct iip_port_region){tap->q[i]->pool.base, tap->q[i]->pool.len, tap->q[i]->pool.id};
    return tap->queues;
}

static void iip_tap_attach_stack(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_tap_queue *)q)->stk = stk;
}

static struct iip_frame *iip_tap_frame_get(void *queue, iip_u32 size)
{
    struct iip_tap_queue *q = queue;
    return size <= q->pool.frame_size ? iip_pool_get(&q->pool) : NULL;
}

static void iip_tap_frame_put(void *queue, struct iip_frame *frame)
{
    struct iip_tap_queue *q = queue;
    iip_pool_put(&q->pool, frame);
}

static uint32_t iip_tap_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_tap_queue *)q)->pool);
}

static int iip_tap_fd(struct iip_port_queue *q)
{
    return ((struct iip_tap_queue *)q)->fd;
}

static void iip_tap_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_tap_queue *)q)->stats;
}

const struct iip_port_ops iip_tap_ops = {
    .kind = "tap",
    .build_id = IIP_BUILD_ID,
    .open = iip_tap_open,
    .close = iip_tap_close,
    .info = iip_tap_info,
    .changed = iip_tap_changed,
    .queue = iip_tap_queue,
    .regions = iip_tap_regions,
    .attach = iip_tap_attach_stack,
    .rx = iip_tap_rx,
    .tx = iip_tap_tx,
    .frame_get = iip_tap_frame_get,
    .frame_put = iip_tap_frame_put,
    .frames_free = iip_tap_frames_free,
    .fd = iip_tap_fd,
    .stats = iip_tap_stats,
};

/* ==== c/io/wire.c ==== */
/* wire.c - the little that ports know of packets. */

#include <string.h>

enum { IIP_PROTO_TCP = 6, IIP_PROTO_UDP = 17, IIP_PROTO_ICMPV6 = 58, IIP_ETH_LEN = 14, IIP_WIRE_SEED = 0x6d5a };

static uint32_t iip_wire_u16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static void iip_wire_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void iip_wire_ipv4(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len)
{
    const uint8_t *ip = p + w->l3;
    uint32_t head, total;
    if (have - w->l3 < 20)
        return;
    head = (uint32_t)(ip[0] & 15) * 4;
    total = iip_wire_u16(ip + 2);
    if (head < 20 || total < head || total > len - w->l3)
        return;
    w->family = 4;
    w->l4 = w->l3 + head;
    w->end = w->l3 + total;
    w->proto = ip[9];
    w->fragment = (iip_wire_u16(ip + 6) & 0x3fff) != 0; /* more fragments, or an offset */
}

/* Walks the extension headers that may stand in front of the transport header. [RFC 8200 4.1] */
static void iip_wire_extensions(struct iip_wire *w, const uint8_t *p, uint32_t have)
{
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t size;
        if (w->proto == 44) { /* fragment */
            w->fragment = 1;
            return;
        }
        if (w->proto != 0 && w->proto != 43 && w->proto != 60)
            return;
        if (w->l4 > have || have - w->l4 < 8)
            break;
        size = (uint32_t)p[w->l4 + 1] * 8 + 8;
        w->proto = p[w->l4];
        w->l4 += size;
        if (w->l4 > w->end)
            break;
    }
    w->proto = 59; /* no next header: nothing that we could name */
}

static void iip_wire_ipv6(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len)
{
    const uint8_t *ip = p + w->l3;
    uint32_t total;
    if (have - w->l3 < 40)
        return;
    total = 40 + iip_wire_u16(ip + 4);
    if (total > len - w->l3)
        return;
    w->family = 6;
    w->proto = ip[6];
    w->l4 = w->l3 + 40;
    w->end = w->l3 + total;
    iip_wire_extensions(w, p, have < w->end ? have : w->end);
}

uint32_t iip_wire_parse(struct iip_wire *w, const uint8_t *p, uint32_t have, uint32_t len, int l3)
{
    uint32_t type = 0;
    memset(w, 0, sizeof(*w));
    if (l3) {
        type = !have ? 0 : p[0] >> 4 == 4 ? 0x0800 : p[0] >> 4 == 6 ? 0x86dd : 0;
    } else if (have >= IIP_ETH_LEN) {
        w->l3 = IIP_ETH_LEN;
        type = iip_wire_u16(p + 12);
        if (type == 0x8100 && have >= IIP_ETH_LEN + 4) {
            w->l3 += 4;
            type = iip_wire_u16(p + 16);
        }
    }
    if (type == 0x0800)
        iip_wire_ipv4(w, p, have, len);
    else if (type == 0x86dd)
        iip_wire_ipv6(w, p, have, len);
    return w->family;
}

/* [RFC 1071] in network order; `sum` carries what was summed before. */
static uint64_t iip_wire_sum(uint64_t sum, const uint8_t *p, uint32_t len)
{
    for (; len >= 4; p += 4, len -= 4)
        sum += (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
    if (len >= 2)
        sum += iip_wire_u16(p);
    if (len & 1)
        sum += (uint64_t)p[len - 1] << 8;
    return sum;
}

static uint32_t iip_wire_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)(~sum & 0xffff);
}

void iip_wire_csum_ip(uint8_t *ip, uint32_t len)
{
    uint32_t head = (uint32_t)(ip[0] & 15) * 4;
    if (head < 20 || head > len)
        return;
    iip_wire_put16(ip + 10, 0);
    iip_wire_put16(ip + 10, iip_wire_fold(iip_wire_sum(0, ip, head)));
}

static void iip_wire_csum_l4(const struct iip_wire *w, uint8_t *p)
{
    uint32_t len = w->end - w->l4;
    uint32_t at = w->proto == IIP_PROTO_TCP ? 16 : 6;
    uint64_t sum;
    uint32_t folded;
    if (len < (w->proto == IIP_PROTO_TCP ? 20U : 8U))
        return;
    sum = w->family == 4 ? iip_wire_sum(0, p + w->l3 + 12, 8) : iip_wire_sum(0, p + w->l3 + 8, 32);
    sum += w->proto + len;
    iip_wire_put16(p + w->l4 + at, 0);
    folded = iip_wire_fold(iip_wire_sum(sum, p + w->l4, len));
    if (w->proto == IIP_PROTO_UDP && !folded)
        folded = 0xffff; /* [RFC 768]: 0 means that there is none */
    iip_wire_put16(p + w->l4 + at, folded);
}

void iip_wire_csum_fill(uint8_t *p, uint32_t len, int l3)
{
    struct iip_wire w;
    if (!iip_wire_parse(&w, p, len, len, l3))
        return;
    if (w.family == 4)
        iip_wire_csum_ip(p + w.l3, len - w.l3);
    if (!w.fragment && (w.proto == IIP_PROTO_TCP || w.proto == IIP_PROTO_UDP))
        iip_wire_csum_l4(&w, p);
}

uint32_t iip_wire_bytes(const struct iip_pkt *pkt)
{
    uint32_t len = 0;
    for (; pkt; pkt = pkt->next)
        len += pkt->len;
    return len;
}

uint32_t iip_wire_copy(uint8_t *to, uint32_t cap, const struct iip_pkt *pkt)
{
    uint32_t len = 0;
    for (; pkt && len < cap; pkt = pkt->next) {
        uint32_t part = pkt->len < cap - len ? pkt->len : cap - len;
        if (part)
            memcpy(to + len, pkt->data, part);
        len += part;
    }
    return len;
}

/*
 * Toeplitz is linear, and with a key of period 16 every 16-bit word of the input meets the same key bits: so the hash
 * of a tuple is that of the exclusive or of its words, and both halves of it are equal.
 */
static uint32_t iip_wire_toeplitz16(uint32_t word)
{
    uint32_t hash = 0;
    for (uint32_t i = 0; i < 16; i++)
        if (word >> (15 - i) & 1)
            hash ^= (IIP_WIRE_SEED << i | IIP_WIRE_SEED >> (16 - i)) & 0xffff;
    return hash << 16 | hash;
}

static uint32_t iip_wire_xor(const uint8_t *p, uint32_t len)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i + 1 < len; i += 2)
        word ^= iip_wire_u16(p + i);
    return word;
}

static uint32_t iip_wire_hash_bytes(const uint8_t *p, uint32_t have, uint32_t len, int l3)
{
    struct iip_wire w;
    uint32_t word;
    if (!iip_wire_parse(&w, p, have, len, l3))
        return 0;
    word = w.family == 4 ? iip_wire_xor(p + w.l3 + 12, 8) : iip_wire_xor(p + w.l3 + 8, 32);
    if (!w.fragment && (w.proto == IIP_PROTO_TCP || w.proto == IIP_PROTO_UDP) && w.l4 + 4 <= w.end && w.l4 + 4 <= have)
        word ^= iip_wire_xor(p + w.l4, 4);
    return iip_wire_toeplitz16(word);
}

uint32_t iip_wire_hash(const struct iip_pkt *pkt, int l3)
{
    uint8_t head[192];
    uint32_t len = iip_wire_bytes(pkt);
    if (!pkt->next || pkt->len >= sizeof(head))
        return iip_wire_hash_bytes(pkt->data, pkt->len, len, l3);
    return iip_wire_hash_bytes(head, iip_wire_copy(head, sizeof(head), pkt), len, l3);
}

void iip_wire_share(struct iip_share *share, uint32_t queues)
{
    memset(share, 0, sizeof(*share));
    share->stacks = queues;
    share->key_len = IIP_WIRE_KEY;
    share->table_len = IIP_WIRE_TABLE;
    for (uint32_t i = 0; i < IIP_WIRE_KEY; i += 2)
        iip_wire_put16(share->key + i, IIP_WIRE_SEED);
    for (uint32_t i = 0; i < IIP_WIRE_TABLE; i++)
        share->table[i] = (iip_u16)(i % queues);
}

/* ==== c/sdk/src/addr.c ==== */
/* addr.c - addresses as text, and as the core has them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* ==== c/sdk/src/sdk.h ==== */
/*
 * sdk.h - the state behind <iip/iip.h>: engine, loop, and what their files offer to each other.
 *
 * Rules of ownership: a loop's fields belong to its owner thread, except those marked [any], which are atomic or under
 * a lock. Structures of loops, and the slots in them, are kept for the life of the process and used again, so that a
 * handle or pointer that comes too late reads memory that is still there.
 */
#ifndef IIP_SDK_SDK_H
#define IIP_SDK_SDK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>


/* ==== c/sdk/src/handle.h ==== */
/*
 * handle.h - slots with generations, and the integers that name them.
 *
 * A handle is kind(3) loop(7) generation(21) slot(22) from the top; see <iip/iip.h>. The word of a slot holds its
 * references above its name, which is the lower part of its handle; it is the only part that other threads may touch
 * (besides `next` while the slot is on its way home). Slots never move and are never freed: late calls with an old
 * handle read a word, not a hole.
 */
#ifndef IIP_SDK_HANDLE_H
#define IIP_SDK_HANDLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "iip.h"

enum {
    IIP_SLOT_MAX = 1 << IIP_HANDLE_SLOT_BITS,
    IIP_SLOT_MASK = IIP_SLOT_MAX - 1,
    IIP_GENERATION_MASK = (1 << IIP_HANDLE_GENERATION_BITS) - 1,
    IIP_HANDLE_LOOP_SHIFT = IIP_HANDLE_SLOT_BITS + IIP_HANDLE_GENERATION_BITS,
    IIP_HANDLE_KIND_SHIFT = IIP_HANDLE_LOOP_SHIFT + IIP_HANDLE_LOOP_BITS,
    IIP_HANDLE_LOOP_MASK = (1 << IIP_HANDLE_LOOP_BITS) - 1,
    IIP_SLOT_CHUNK_BITS = 12,
    IIP_SLOT_CHUNK = 1 << IIP_SLOT_CHUNK_BITS,
    IIP_SLOT_STEP = 64 /* slots that come into use at a time: first-in first-out goes round few cache lines */
};

#define IIP_SLOT_NONE UINT32_MAX
#define IIP_SLOT_REF ((uint64_t)1 << IIP_HANDLE_LOOP_SHIFT) /* one reference, in a word */
#define IIP_SLOT_NAME (IIP_SLOT_REF - 1)                    /* bits of a word that are the same in the handle */
#define IIP_SLOT_AGAIN ((uint64_t)1 << IIP_HANDLE_SLOT_BITS) /* one generation */

struct iip_slot {
    _Atomic uint64_t word; /* references, generation, own number; no references: free, or on its way home */
    uint32_t index;        /* own number; the bits above IIP_SLOT_MASK are flags of the owner */
    uint32_t next;         /* in the free list or the return list; while live the kind's own */
};

enum { /* flags in index */
    IIP_SLOT_FREE = 1 << 22,    /* in the free list */
    IIP_SLOT_FLAG_A = 1 << 23,  /* meaning by kind */
    IIP_SLOT_FLAG_B = 1 << 24,
    IIP_SLOT_FLAG_C = 1 << 25
};

struct iip_slots {
    uint8_t *_Atomic *chunk; /* IIP_SLOT_MAX / IIP_SLOT_CHUNK of them */
    uint32_t item_bytes;
    _Atomic uint32_t count;  /* slots that exist */
    _Atomic uint32_t live;   /* written by the owner */
    uint32_t head;           /* free list, oldest first ... */
    struct iip_slot *tail;   /* ... and its end, if it has one */
    uint32_t limit;          /* slots at most */
    uint64_t base;           /* kind and loop of the handles */
};

/* 0 or IIP_E_NOMEM. A table is set up once for the life of the process. */
int32_t iip_slots_init(struct iip_slots *t, uint32_t kind, uint32_t loop, uint32_t item_bytes);
/* More slots in the free list: 0, or IIP_E_NOMEM at the limit too. */
int32_t iip_slots_grow(struct iip_slots *t);
/* One reference more, by any thread: 0 or IIP_E_STALE. */
int32_t iip_slot_keep(struct iip_slots *t, uint64_t handle);

static inline struct iip_slot *iip_slot_at(const struct iip_slots *t, uint32_t i)
{
    uint8_t *chunk = atomic_load_explicit(&t->chunk[i >> IIP_SLOT_CHUNK_BITS], memory_order_relaxed);
    return (struct iip_slot *)(void *)(chunk + (size_t)(i & (IIP_SLOT_CHUNK - 1)) * t->item_bytes);
}

static inline uint32_t iip_slot_index(const struct iip_slot *slot)
{
    return slot->index & IIP_SLOT_MASK;
}

static inline uint32_t iip_slot_generation(const struct iip_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    return (uint32_t)(word >> IIP_HANDLE_SLOT_BITS) & IIP_GENERATION_MASK;
}

static inline uint32_t iip_slot_refs(uint64_t word)
{
    return (uint32_t)(word >> IIP_HANDLE_LOOP_SHIFT);
}

static inline uint64_t iip_slot_handle(const struct iip_slots *t, const struct iip_slot *slot)
{
    return t->base | (atomic_load_explicit(&slot->word, memory_order_relaxed) & IIP_SLOT_NAME);
}

/* Does the word belong to the live object that the handle names? */
static inline int iip_slot_matches(uint64_t word, uint64_t handle)
{
    return iip_slot_refs(word) != 0 && ((word ^ handle) & IIP_SLOT_NAME) == 0;
}

/* The slot that a handle points at, live or not; null when it can be none of this table's. */
static inline struct iip_slot *iip_slot_peek(const struct iip_slots *t, uint64_t handle)
{
    uint32_t i = (uint32_t)handle & IIP_SLOT_MASK;
    if ((handle ^ t->base) >> IIP_HANDLE_LOOP_SHIFT || i >= atomic_load_explicit(&t->count, memory_order_acquire))
        return NULL;
    return iip_slot_at(t, i);
}

/* The live slot that a handle names, or null: for the owner. */
static inline struct iip_slot *iip_slot_find(const struct iip_slots *t, uint64_t handle)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    if (!slot || !iip_slot_matches(atomic_load_explicit(&slot->word, memory_order_relaxed), handle))
        return NULL;
    return slot;
}

/* One thread writes, so no locked instruction is needed. */
static inline void iip_slots_count(struct iip_slots *t, int32_t by)
{
    uint32_t live = atomic_load_explicit(&t->live, memory_order_relaxed);
    atomic_store_explicit(&t->live, live + (uint32_t)by, memory_order_relaxed);
}

static inline void iip_slots_append(struct iip_slots *t, struct iip_slot *slot)
{
    uint32_t i = iip_slot_index(slot);
    slot->next = IIP_SLOT_NONE;
    slot->index = i | IIP_SLOT_FREE;
    if (t->head == IIP_SLOT_NONE)
        t->head = i;
    else
        t->tail->next = i;
    t->tail = slot;
}

/* A slot with one reference and a fresh handle; null at the limit or without memory. */
static inline struct iip_slot *iip_slots_take(struct iip_slots *t)
{
    struct iip_slot *slot;
    uint64_t word;
    if (t->head == IIP_SLOT_NONE && iip_slots_grow(t))
        return NULL;
    slot = iip_slot_at(t, t->head);
    t->head = slot->next;
    slot->index &= IIP_SLOT_MASK;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    atomic_store_explicit(&slot->word, word + IIP_SLOT_REF, memory_order_release);
    iip_slots_count(t, 1);
    return slot;
}

/* The slot's generation has moved on: it may be used again. */
static inline void iip_slots_back(struct iip_slots *t, struct iip_slot *slot)
{
    iip_slots_append(t, slot);
    iip_slots_count(t, -1);
}

/* The slot, whose references are all gone, may be used again: the generation moves on. */
static inline void iip_slots_put(struct iip_slots *t, struct iip_slot *slot)
{
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    atomic_store_explicit(&slot->word, (word + IIP_SLOT_AGAIN) & IIP_SLOT_NAME, memory_order_release);
    iip_slots_back(t, slot);
}

/* If the handle names this slot and has its only reference, both end at once: 1, and iip_slots_back is due. Else 0. */
static inline int iip_slot_end(struct iip_slot *slot, uint64_t handle)
{
    uint64_t word = (handle & IIP_SLOT_NAME) | IIP_SLOT_REF;
    return atomic_compare_exchange_strong_explicit(&slot->word, &word, (handle + IIP_SLOT_AGAIN) & IIP_SLOT_NAME,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* One reference less, by any thread: 1 if it was the last, 0 if not, IIP_E_STALE. */
static inline int32_t iip_slot_drop(struct iip_slots *t, uint64_t handle, struct iip_slot **out)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    uint64_t word;
    if (!slot)
        return IIP_E_STALE;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (!iip_slot_matches(word, handle))
            return IIP_E_STALE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word - IIP_SLOT_REF, memory_order_acq_rel,
                                                    memory_order_relaxed));
    *out = slot;
    return iip_slot_refs(word) == 1;
}

static inline uint32_t iip_handle_kind(uint64_t handle)
{
    return handle >> (IIP_HANDLE_KIND_SHIFT + IIP_HANDLE_KIND_BITS) ? 0 : (uint32_t)(handle >> IIP_HANDLE_KIND_SHIFT);
}

static inline uint32_t iip_handle_loop(uint64_t handle)
{
    return (uint32_t)(handle >> IIP_HANDLE_LOOP_SHIFT) & IIP_HANDLE_LOOP_MASK;
}

#endif
#include "iip_core.h"
#include "iip.h"

enum {
    IIP_LOOPS_MAX = IIP_HANDLE_NO_LOOP,
    IIP_FRAMES_MIN = 16,          /* with fewer a loop may come to stand still: what is queued and held leaves none */
    IIP_RX_BURST = 64,
    IIP_NOTES = 64,
    IIP_TX_FREE_LOW = 4,          /* entries of tx_free that are refilled although buffers are few */
    IIP_TX_HEADROOM = 128,        /* bytes in front of a buffer to be written: all headers fit */
    IIP_REGION_IDS = 256,         /* regions of the port that are looked up by id */
    IIP_REGION_SHIFT = 32,        /* a region of the application's list is a window of 4 GiB ... */
    IIP_REGION_LAP = 1 << 20,     /* ... and goes on so far, for buffers that cross its end */
    IIP_LISTEN_ALL_MAX = 64,      /* listeners of an engine */
    IIP_LOG_RECORDS = 256,
    IIP_BACKLOG = 128
};

/* Frames that are not the port's own say so by their region: they lie in memory of the application or of a loop. */
#define IIP_FRAME_REGION_EXTERN 0xffffffffu
#define IIP_FRAME_REGION_SPILL 0xfffffffeu

enum { IIP_PKT_COPY = 0x8000 }; /* flag of a packet that only this library sees: a view behind the first of a copy */

/* A connection, listener or UDP endpoint. slot.next, while live: the credit account of a
   connection, 0 none; of a listener that stands for one of the engine, its place in iip_loop.all + 1. */
struct iip_obj {
    struct iip_slot slot;
    void *core;                   /* struct iip_tcp_conn, iip_tcp_listener or iip_udp_sock */
    uint64_t user;
    uint32_t want_next, want_prev; /* IIP_CONN_WANTS: the list of iip_loop.want; slots + 1, 0: none */
};

/* A connection whose end is known but not handed up yet has core == NULL. */
enum {
    IIP_CONN_SHORT = IIP_SLOT_FLAG_A,    /* a send was not taken whole in this turn */
    IIP_CONN_WANTS = IIP_SLOT_FLAG_B,    /* connection: waits for memory to send, see want.c */
    IIP_CONN_OWED = IIP_SLOT_FLAG_C,     /* connection: less was taken than offered, and no WRITABLE came yet */
    IIP_OBJ_ENGINE = IIP_SLOT_FLAG_B     /* listener: stands for a listener of the engine, see iip_loop.all */
};

/* Received bytes, or room for bytes to send. */
struct iip_buf {
    struct iip_slot slot;
    struct iip_pkt *pkt;          /* null: the slot is free, or closed while on its way home */
    struct iip_obj *conn;         /* whose window it holds, while that is still of `generation`; null: nobody's */
    uint32_t generation;
    uint32_t charge;              /* window bytes, or IIP_CHARGE_OF_PKT */
};

#define IIP_CHARGE_OF_PKT UINT32_MAX /* what iip_pkt_charge says of the packet, which is as it was received */

enum {
    IIP_BUF_LAID_OUT = IIP_SLOT_FLAG_A   /* stands in tx_free and was not taken */
};

struct iip_alarm { /* a timer of the application */
    struct iip_slot slot;
    uint64_t user;
    uint64_t at;
    uint32_t place;               /* in the heap */
    uint32_t reserved;
};

struct iip_extern { /* one send of registered memory */
    struct iip_frame frame;       /* first: frame.host points at this record */
    struct iip_extern *next;
    uint64_t user, conn;
    uint64_t region;              /* handle */
    uint32_t bytes;               /* taken; 0: nothing is to be told */
    uint32_t reserved;
};

struct iip_region_row { /* where frames of one region id lie */
    uint8_t *base;
    uint64_t len;
    uint32_t index;               /* of its first window in the application's list */
    uint32_t known;
};

struct iip_credit { /* of a connection with explicit credit: bytes handed up and not credited, and their window */
    uint32_t bytes, charge;
};

struct iip_post { /* a bounded queue: many threads put, the owner takes */
    struct iip_post_cell *cells;
    uint32_t mask;
    _Atomic uint32_t tail;        /* [any] */
    uint32_t head;
};

struct iip_post_cell {
    _Atomic uint32_t turn;        /* equals its position: free; position + 1: full */
    uint32_t reserved;
    struct iip_op op;
    struct iip_addrs addrs;
};

struct iip_inbox_cell;
struct iip_inbox { /* packets that other loops hand over */
    struct iip_inbox_cell *cells;
    uint32_t mask;
    _Atomic uint32_t tail;        /* [any] */
    uint32_t head;
};

struct iip_spill {
    uint8_t *base;
    struct iip_frame *frames;
    uint32_t count;
    uint32_t made;                /* frames that were used so far; the others' memory was never touched */
    struct iip_frame *free;       /* linked by frame.host */
    uint32_t used;
    uint32_t index;               /* of the region in the application's list */
};

struct iip_listen_all { /* a listener of the engine on this loop */
    uint64_t handle;              /* the engine's */
    uint64_t own;                 /* the loop's */
};

struct iip_ask { /* a call of the application's thread that the networking thread makes, see ask.c */
    uint32_t code;                /* IIP_ASK_... */
    uint32_t n;
    uint64_t handle;
    void *to;
    int32_t result;
    /* of a turn under way */
    uint32_t opened, op_short, release_failed, rx_packets, reserved;
    uint64_t until;
};

struct iip_loop {
    /* Kept over the lives of a loop, for those who come too late. */
    _Atomic(const void *) owner;  /* [any] token of the thread that may touch it; null: nobody */
    _Atomic(const void *) app;    /* [any] split, merge: token of the application's thread; null: nobody */
    _Atomic uint32_t asked;       /* [any] the question in `ask`: see ask.c */
    _Atomic uint32_t net_here;    /* [any] split, merge: there is a networking thread, or about to be */
    _Atomic uint32_t net_woken;   /* [any] its wait is to end */
    struct iip_engine *_Atomic engine; /* [any] null: the loop is closed */
    uint32_t epoch;               /* of the process, see fork.c */
    uint32_t number;              /* in the process */
    uint32_t taken;               /* under the table's lock: an engine has it */
    _Atomic uint32_t parked;      /* [any] */
    _Atomic uint32_t woken;       /* [any] the application is wanted */
    _Atomic uint32_t returned;    /* [any] first slot of the return list */
    _Atomic uint32_t low;         /* [any] pool_low, for those who release */
    _Atomic uint32_t want_stats;  /* [any] */
    _Atomic uint64_t stale;       /* [any] stale handles, by other threads */
    pthread_mutex_t stats_lock;
    struct iip_slots conns, listeners, udps, alarms, bufs;

    /* Zero when a loop begins: see iip_loop_blank. */
    uint32_t index;               /* in the engine */
    uint32_t closing;             /* iip_loop_close was called */
    uint32_t cores;               /* IIP_CORES_... */
    uint32_t alone;               /* networking while the application is busy: its timers and wakes are not looked at */
    uint32_t app_state;           /* what the networking thread knows of its parking */
    struct iip_ask ask;           /* who asks writes it before `asked`, who answers after he saw that */

    /* what it turns */
    struct iip_stack *stk;
    const struct iip_port_ops *ops;
    struct iip_port_queue *queue;
    uint64_t now;
    uint32_t burst_n;             /* packets that the wait already received */
    uint32_t burst_max;           /* ... that are received at once */
    uint32_t frames_low;          /* fewer free ones than this are few */
    uint32_t frames_plenty;       /* what a turn that began with more than the low mark leaves: just below it */
    uint32_t frames_reserve;      /* the last ones: for what neither the application nor the stack keeps */
    uint32_t app_floor;           /* frames taken now are for bytes of the application: so many stay; 0: they are not */
    uint32_t pool_low;
    uint32_t pressed;             /* the stack was told that frames are short */
    uint32_t low_said;            /* it is logged once */
    uint32_t polls, poll_us;
    uint32_t still;               /* the clock is virtual: waiting would last for ever */
    uint64_t link;                /* link_up << 32 | mtu, as last told */
    struct iip_pkt *burst[IIP_RX_BURST];

    /* the area */
    struct iip_turn turn;
    struct iip_op *op_area;
    uint64_t *releases;
    struct iip_event *events;
    struct iip_addrs *aux, *op_aux;
    struct iip_span *tx_free;
    uint32_t op_cap, release_cap, event_cap, tx_free_cap, tx_free_n;
    uint32_t tx_holes;            /* entries at the front of tx_free that were taken */
    uint32_t event_n, event_max, aux_n;

    /* objects */
    struct iip_alarm **heap;
    uint32_t heap_n, heap_cap;
    struct iip_credit *credits;   /* [0] is not used */
    uint32_t credit_n, credit_cap, credit_free;
    struct iip_obj **shorted;     /* connections marked IIP_CONN_SHORT in this turn */
    uint32_t shorted_n, shorted_cap;
    uint32_t taken_in_part;       /* sends of this turn */
    uint32_t want, want_end;      /* those who wait for memory to send, first come first: slots + 1, 0: none */
    uint64_t want_at;             /* when to look whether there is some */
    struct iip_listen_all all[IIP_LISTEN_ALL_MAX];

    /* what waits to be handed up */
    struct iip_note notes[IIP_NOTES];
    uint32_t note_i, note_n;
    struct iip_pkt *run;          /* rest of the DATA or UDP note at note_i */
    struct iip_event *told;       /* ring of events that operations made */
    uint32_t told_i, told_n, told_mask;
    uint32_t more;                /* the last turn had no room for all */
    struct iip_extern *done, **done_end;
    struct iip_extern *extern_free, *extern_steps;
    uint32_t externs;             /* sends of registered memory whose TX_DONE was not handed up */

    struct iip_region_row regions[IIP_REGION_IDS];
    struct iip_spill spill;

    int wake_fd, timer_fd, epoll_fd, port_fd;
    int app_fd;                   /* split, merge: eventfd of the parked application */
    uint32_t epoll_out;           /* the port's descriptor is watched for room */
    struct iip_post post;
    struct iip_inbox inbox;

    struct iip_loop_stats stats;  /* the owner's; others read the copy */
    struct iip_loop_stats stats_copy;
    uint64_t *counters_copy;
    uint32_t counter_n;
};

struct iip_log_ring {
    pthread_mutex_t lock;
    struct iip_log_record rows[IIP_LOG_RECORDS];
    uint32_t first, count, lost, level;
};

struct iip_engine {
    uint32_t taken;               /* under the table's lock */
    uint32_t open;
    uint32_t epoch;
    const struct iip_port_ops *ops;
    struct iip_port *port;
    struct iip_port_info info;
    char wire[64];                /* name of a simulated wire with a virtual clock */
    uint32_t mtu_set;             /* by the configuration: the port's own is not followed */
    struct iip_loop **loops;
    uint32_t loop_n, poll_us;
    _Atomic uint64_t link;        /* [any] link_up << 32 | mtu */
    pthread_mutex_t lock;         /* regions, listeners */
    struct iip_region_info *regions;
    uint32_t region_n, region_cap;
    uint32_t listener_generation[IIP_LISTEN_ALL_MAX];
    uint8_t listener_live[IIP_LISTEN_ALL_MAX];
    struct iip_log_ring log;
};

/* ---- fork.c ---- */
/* Number of this process among its forks, never 0; a child sees another one than its parent. */
uint32_t iip_epoch(void);
/* Whether `epoch` is of this process: one load. */
int32_t iip_epoch_ok(uint32_t epoch);

/* ---- loop.c ---- */
extern struct iip_loop *_Atomic iip_loop_table[IIP_LOOPS_MAX];
/* 0, IIP_E_INVAL, WRONG_THREAD, FORKED, CLOSED. */
int32_t iip_loop_check(const struct iip_loop *loop);
/* The same for callers from any thread. */
int32_t iip_loop_check_any(const struct iip_loop *loop);
/* The open loop that a handle belongs to, whoever calls; null: none. */
struct iip_loop *iip_loop_of(uint64_t handle);
/* The same for the owner. */
int32_t iip_loop_own(uint64_t handle, struct iip_loop **out);
struct iip_loop *iip_loop_new(void);       /* a closed one of the table; null: there are too many, or no memory */
void iip_loop_back(struct iip_loop *loop); /* may be given to another engine */
const void *iip_thread_token(void);
/* The calling thread becomes, or is already, who `whose` names: 0 or IIP_E_BUSY. */
int32_t iip_loop_claim(_Atomic(const void *) *whose);

/* ---- life.c ---- */
int32_t iip_loop_setup(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg);
void iip_loop_clean(struct iip_loop *loop, struct iip_leaks *leaks);
void iip_loop_abort_all(struct iip_loop *loop); /* every connection, with RST */

/* ---- engine.c ---- */
void iip_engine_link(struct iip_engine *engine); /* asks the port for its link and MTU */

/* ---- turn.c ---- */
uint64_t iip_turn_deadline(struct iip_loop *loop);
void iip_loop_clock(struct iip_loop *loop);
/* A turn without an application: nothing is handed up. Returns the packets received. */
uint32_t iip_turn_alone(struct iip_loop *loop, int64_t wait_us);

/* ---- ask.c ---- */
enum {
    IIP_ASK_TURN, IIP_ASK_OP, IIP_ASK_CLOSE, IIP_ASK_NOW, IIP_ASK_ALLOC, IIP_ASK_GET, IIP_ASK_INFO, IIP_ASK_STATS,
    IIP_ASK_COUNTERS
};
int32_t iip_ask_init(struct iip_loop *loop);
/* `st` came of iip_loop_check: if that was only because another thread does the networking, the call's real result. */
int32_t iip_ask(struct iip_loop *loop, int32_t st, const struct iip_ask *ask);
int iip_ask_app(const struct iip_loop *loop);  /* Is the caller the application's thread of a split or merged loop? */
int iip_ask_any(const struct iip_loop *loop);  /* Is something asked? */
void iip_ask_leave(struct iip_loop *loop);     /* the networking thread goes */

/* ---- event.c ---- */
void iip_event_collect(struct iip_loop *loop);
/* Room for an event that an operation causes; IIP_E_AGAIN when the application is behind. */
int32_t iip_event_room(const struct iip_loop *loop);
struct iip_event *iip_event_tell(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type, int32_t status);
/* Does anything wait to be handed up? */
int iip_event_waiting(const struct iip_loop *loop);
void iip_event_drop(struct iip_loop *loop);                                /* all of it, at the end */
void iip_event_forget(struct iip_loop *loop, const struct iip_obj *obj);   /* notes for an endpoint that is closed */

/* ---- op.c ---- */
int32_t iip_op_apply(struct iip_loop *loop, struct iip_op *op);
uint32_t iip_op_apply_all(struct iip_loop *loop, struct iip_op *ops, uint32_t n); /* how many failed */
int iip_op_sends(uint32_t code); /* ... a run of the stream */
/* Forgets which connections had a short send. */
void iip_op_end(struct iip_loop *loop);
/* Ends a listener or an endpoint. */
void iip_op_end_obj(struct iip_loop *loop, struct iip_slots *t, struct iip_obj *obj);

/* ---- conn.c ---- */
struct iip_obj *iip_conn_take(struct iip_loop *loop, struct iip_tcp_conn *core, uint64_t user);
void iip_conn_put(struct iip_loop *loop, struct iip_obj *obj);
/* Bytes of a stream are handed up in a buffer: its window opens when it comes back, or by explicit credit. */
void iip_conn_held(struct iip_loop *loop, struct iip_obj *obj, struct iip_buf *buf, uint32_t charge);
int32_t iip_conn_credit_explicit(struct iip_loop *loop, struct iip_obj *obj, uint32_t bytes);
int32_t iip_conn_option(struct iip_loop *loop, struct iip_obj *obj, uint32_t option, uint64_t value);

/* ---- want.c ---- */
/* A send was refused for want of frames or memory: the loop tells when there are some. */
void iip_want_add(struct iip_loop *loop, struct iip_obj *obj);
/* While frames are few, the bytes that its peer has room for behind what is queued; else UINT32_MAX. */
uint32_t iip_want_room_low(const struct iip_loop *loop, const struct iip_obj *obj);
static inline uint32_t iip_want_room(const struct iip_loop *loop, const struct iip_obj *obj)
{
    return IIP_UNLIKELY(loop->pool_low) ? iip_want_room_low(loop, obj) : UINT32_MAX;
}
void iip_want_end(struct iip_loop *loop, struct iip_obj *obj);
/* The next to be told, who waits no more; null: none. */
struct iip_obj *iip_want_take(struct iip_loop *loop);
void iip_want_later(struct iip_loop *loop); /* looks again after a while */

/* ---- buf.c ---- */
/* A buffer with one reference, holding nobody's window; null: no memory. */
struct iip_buf *iip_buf_make(struct iip_loop *loop, struct iip_pkt *pkt);
/* The owner's releases; how many of the handles were stale. */
uint32_t iip_buf_put(struct iip_loop *loop, const uint64_t *handles, uint32_t n);
void iip_buf_drain(struct iip_loop *loop);                     /* the return list */
void iip_buf_free(struct iip_loop *loop, struct iip_buf *buf); /* all references are gone */
void iip_buf_taken(struct iip_loop *loop, uint32_t taken);     /* the first entries of tx_free are the application's */
void iip_buf_lay_out(struct iip_loop *loop);                   /* refills tx_free */
void iip_buf_place(const struct iip_loop *loop, const struct iip_pkt *pkt, uint32_t *offset, uint16_t *region);

/* ---- region.c ---- */
int32_t iip_region_map(struct iip_engine *engine, const void *base, uint64_t len); /* index of the first window */
int32_t iip_region_port(struct iip_loop *loop, struct iip_engine *engine);         /* learns the port's regions */
struct iip_extern *iip_region_send(struct iip_loop *loop, uint64_t region, uint64_t offset, uint32_t len,
                                   int32_t *status);
void iip_region_unsend(struct iip_loop *loop, struct iip_extern *ext);             /* back to the free list */
void iip_region_done(struct iip_loop *loop, struct iip_frame *frame);              /* the last view is gone */
void iip_region_free(struct iip_loop *loop);                                       /* records, when all is over */
uint32_t iip_region_forget(struct iip_engine *engine);                             /* removes all; how many */

/* A frame for bytes of the application, if `floor` stay free: what it keeps must not stop ACKs and handshakes. */
struct iip_frame *iip_buf_frame(struct iip_loop *loop, uint32_t size, uint32_t floor);

/* ---- spill.c ---- */
int32_t iip_spill_init(struct iip_loop *loop, struct iip_engine *engine, uint64_t bytes);
void iip_spill_free(struct iip_loop *loop);
/* A copy of the packet in spill memory, which replaces it, or the packet itself. */
struct iip_pkt *iip_spill_copy(struct iip_loop *loop, struct iip_pkt *pkt);
void iip_spill_put(struct iip_loop *loop, struct iip_frame *frame);

/* ---- alarm.c ---- */
int32_t iip_alarm_set(struct iip_loop *loop, uint64_t at, uint64_t user, uint64_t *out);
int32_t iip_alarm_cancel(struct iip_loop *loop, uint64_t handle);
/* The earliest that is set for no later than `until`; its slot is the caller's to put. Null: none. */
struct iip_alarm *iip_alarm_take(struct iip_loop *loop, uint64_t until);

/* ---- wake.c ---- */
int32_t iip_wake_init(struct iip_loop *loop);
void iip_wake_free(struct iip_loop *loop);
void iip_wake_now(struct iip_loop *loop);                 /* after something was made visible */
void iip_wake_wait(struct iip_loop *loop, int64_t wait_us);
int iip_wake_park(struct iip_loop *loop);                 /* 1: parked */
void iip_wake_unpark(struct iip_loop *loop);
void iip_wake_seen(struct iip_loop *loop);               /* the wake that was asked for has happened */

/* ---- post.c, inbox.c ---- */
int32_t iip_post_init(struct iip_post *post, uint32_t cap);
int32_t iip_post_put(struct iip_post *post, const struct iip_op *ops, uint32_t n);
int iip_post_any(const struct iip_post *post);
int iip_post_ready(const struct iip_loop *loop); /* ... and there is room for its answer */
void iip_post_apply(struct iip_loop *loop);
int32_t iip_inbox_init(struct iip_loop *loop, uint32_t loops);
void iip_inbox_free(struct iip_loop *loop);
void iip_inbox_hand(struct iip_loop *loop, const struct iip_note *note);
int iip_inbox_any(const struct iip_loop *loop);
uint32_t iip_inbox_take(struct iip_loop *loop, struct iip_pkt **pkts, uint32_t room);

/* ---- listen.c ---- */
void iip_listen_apply(struct iip_loop *loop, struct iip_op *op);            /* a message of iip_engine_listen */
enum { IIP_OP_LISTEN_ALL = 0xff00, IIP_OP_UNLISTEN_ALL = 0xff01 };          /* only iip_engine_listen posts them */

/* ---- stats.c, log.c ---- */
void iip_stats_publish(struct iip_loop *loop);
void iip_log_init(struct iip_log_ring *log, uint32_t level);
void iip_log_write(struct iip_engine *engine, uint32_t level, uint32_t loop, uint64_t obj, int32_t status,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- config.c ---- */
int32_t iip_config_read(const struct iip_engine_cfg *in, struct iip_engine_cfg *out, char *error, uint32_t cap);
int32_t iip_config_apply(const struct iip_engine_cfg *cfg, struct iip_stack *stk, int l3, char *error, uint32_t cap);
void iip_config_say(char *error, uint32_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- addr.c ---- */
void iip_addr_from(struct iip_addr *out, const struct iip_endpoint *in);
void iip_addr_to(struct iip_endpoint *out, const struct iip_addr *in);
int32_t iip_addr_ip(const char *text, size_t len, struct iip_ip *out, uint32_t *family);

/* ---- size.c: structures that grow, to 4,096 bytes at most: no more is read, whatever a size says ---- */
enum { IIP_SIZE_MAX = 4096 };
int32_t iip_size_check(const void *from, uint32_t known);          /* INVAL, or UNKNOWN_FIELD: beyond `known` it is not zero */
int32_t iip_size_in(void *to, uint32_t known, const void *from);   /* copies an input, zero-extended */
int32_t iip_size_out(void *to, const void *from, uint32_t known);  /* copies an output */

#endif

enum { IIP_ADDR_TEXT = 56 };

void iip_addr_from(struct iip_addr *out, const struct iip_endpoint *in)
{
    memcpy(out->ip, in->ip.b, sizeof out->ip);
    out->port = in->port;
    out->family = in->family;
    out->scope = in->scope;
    out->reserved = 0;
}

void iip_addr_to(struct iip_endpoint *out, const struct iip_addr *in)
{
    memcpy(out->ip.b, in->ip, sizeof out->ip.b);
    out->port = in->port;
    out->family = in->family;
    out->scope = in->scope;
}

int32_t iip_addr_ip(const char *text, size_t len, struct iip_ip *out, uint32_t *family)
{
    char copy[INET6_ADDRSTRLEN];
    if (!len || len >= sizeof copy)
        return IIP_E_INVAL;
    memcpy(copy, text, len);
    copy[len] = 0;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, copy, out->b + 12) == 1) {
        out->b[10] = out->b[11] = 0xff;
        *family = 4;
        return IIP_OK;
    }
    if (inet_pton(AF_INET6, copy, out->b) != 1)
        return IIP_E_INVAL;
    *family = iip_ip_is_v4(out) ? 4 : 6;
    return IIP_OK;
}

static int32_t iip_addr_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value;
    if (*text < '0' || *text > '9')
        return IIP_E_INVAL;
    value = strtoul(text, &end, 10);
    if (*end || value > 65535)
        return IIP_E_INVAL;
    *port = (uint16_t)value;
    return IIP_OK;
}

/* Where the address ends and the port begins: "[v6]:port", "v4:port", "*:port", ":port", or no port at all. */
static int32_t iip_addr_split(const char *text, const char **ip, size_t *ip_len, const char **port)
{
    const char *colon = strchr(text, ':');
    *port = NULL;
    *ip = text;
    *ip_len = strlen(text);
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (!close || (close[1] && close[1] != ':'))
            return IIP_E_INVAL;
        *ip = text + 1;
        *ip_len = (size_t)(close - text - 1);
        *port = close[1] ? close + 2 : NULL;
    } else if (colon && !strchr(colon + 1, ':')) {
        *ip_len = (size_t)(colon - text);
        *port = colon + 1;
    }
    return IIP_OK;
}

int32_t iip_addr_parse(const char *text, struct iip_addr *out)
{
    struct iip_ip parsed;
    const char *ip, *port;
    size_t ip_len;
    uint32_t family = 0;
    struct iip_addr addr;
    if (!text || !out || iip_addr_split(text, &ip, &ip_len, &port))
        return IIP_E_INVAL;
    memset(&addr, 0, sizeof addr);
    if (port && iip_addr_port(port, &addr.port))
        return IIP_E_INVAL;
    if (ip_len == 0 ? *text != ':' : !(ip_len == 1 && *ip == '*')) {
        if (iip_addr_ip(ip, ip_len, &parsed, &family))
            return IIP_E_INVAL;
        memcpy(addr.ip, parsed.b, sizeof addr.ip);
        addr.family = (uint16_t)family;
        /* "0.0.0.0" is any address of IPv4; as ::ffff:0.0.0.0 it would be an address like others. */
        if (family == 4 && !memcmp(parsed.b + 12, "\0\0\0\0", 4))
            memset(addr.ip, 0, sizeof addr.ip);
    }
    *out = addr;
    return IIP_OK;
}

static const char *iip_addr_text(const struct iip_addr *addr, char *out, socklen_t cap)
{
    static const uint8_t any[16];
    struct iip_ip ip;
    memcpy(ip.b, addr->ip, sizeof ip.b);
    if (iip_ip_is_v4(&ip))
        return inet_ntop(AF_INET, ip.b + 12, out, cap);
    if (memcmp(ip.b, any, sizeof any) == 0 && addr->family != 6)
        return addr->family == 4 ? "0.0.0.0" : "*";
    return inet_ntop(AF_INET6, ip.b, out, cap);
}

int32_t iip_addr_format(const struct iip_addr *addr, char *out, uint32_t cap)
{
    char buf[INET6_ADDRSTRLEN];
    char text[IIP_ADDR_TEXT];
    const char *ip;
    int n;
    if (!addr || !out)
        return IIP_E_INVAL;
    ip = iip_addr_text(addr, buf, sizeof buf);
    if (!addr->port)
        n = snprintf(text, sizeof text, "%s", ip);
    else
        n = snprintf(text, sizeof text, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, addr->port);
    if ((uint32_t)n >= cap)
        return IIP_E_RANGE;
    memcpy(out, text, (size_t)n + 1);
    return n;
}

/* ==== c/sdk/src/alarm.c ==== */
/* alarm.c - timers of the application: a binary heap, the earliest on top. */
#include <stdlib.h>


static void iip_alarm_place(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    loop->heap[i] = alarm;
    alarm->place = i;
}

static void iip_alarm_up(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    while (i && alarm->at < loop->heap[(i - 1) / 2]->at) {
        iip_alarm_place(loop, loop->heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    iip_alarm_place(loop, alarm, i);
}

static void iip_alarm_down(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    uint32_t child;
    while ((child = 2 * i + 1) < loop->heap_n) {
        if (child + 1 < loop->heap_n && loop->heap[child + 1]->at < loop->heap[child]->at)
            child++;
        if (alarm->at <= loop->heap[child]->at)
            break;
        iip_alarm_place(loop, loop->heap[child], i);
        i = child;
    }
    iip_alarm_place(loop, alarm, i);
}

static int32_t iip_alarm_grow(struct iip_loop *loop)
{
    uint32_t cap = loop->heap_cap ? 2 * loop->heap_cap : 64;
    struct iip_alarm **more = realloc(loop->heap, cap * sizeof *more);
    if (!more)
        return IIP_E_NOMEM;
    loop->heap = more;
    loop->heap_cap = cap;
    return IIP_OK;
}

int32_t iip_alarm_set(struct iip_loop *loop, uint64_t at, uint64_t user, uint64_t *out)
{
    struct iip_alarm *alarm;
    if (loop->heap_n == loop->heap_cap && iip_alarm_grow(loop))
        return IIP_E_NOMEM;
    alarm = (struct iip_alarm *)iip_slots_take(&loop->alarms);
    if (!alarm)
        return IIP_E_NOMEM;
    alarm->at = at;
    alarm->user = user;
    iip_alarm_up(loop, alarm, loop->heap_n++);
    *out = iip_slot_handle(&loop->alarms, &alarm->slot);
    return IIP_OK;
}

/* The last of the heap fills the hole, and goes up or down from there. The slot stays the caller's to put. */
static void iip_alarm_remove(struct iip_loop *loop, struct iip_alarm *alarm)
{
    uint32_t i = alarm->place;
    struct iip_alarm *last = loop->heap[--loop->heap_n];
    if (last == alarm)
        return;
    if (i && last->at < loop->heap[(i - 1) / 2]->at)
        iip_alarm_up(loop, last, i);
    else
        iip_alarm_down(loop, last, i);
}

int32_t iip_alarm_cancel(struct iip_loop *loop, uint64_t handle)
{
    struct iip_alarm *alarm = (struct iip_alarm *)iip_slot_find(&loop->alarms, handle);
    if (!alarm)
        return IIP_E_STALE;
    iip_alarm_remove(loop, alarm);
    iip_slots_put(&loop->alarms, &alarm->slot);
    return IIP_OK;
}

struct iip_alarm *iip_alarm_take(struct iip_loop *loop, uint64_t until)
{
    struct iip_alarm *alarm;
    if (!loop->heap_n || loop->heap[0]->at > until)
        return NULL;
    alarm = loop->heap[0];
    iip_alarm_remove(loop, alarm);
    return alarm;
}

/* ==== c/sdk/src/ask.c ==== */
/*
 * ask.c - split and merge: one thread does the networking of a loop, another one its application.
 *
 * The networking thread is the owner of all that a loop holds (`owner`), as the only thread is where the cores are
 * unified. What the application's thread (`app`) calls, its turn above all, is asked of the owner, who makes the very
 * same call; the asker waits for the answer. So every call means what it means in a unified loop, nothing is touched by
 * two threads, and between two turns of the application the networking goes on. What happens meanwhile is kept in the
 * core, see docs/adr/0002. While there is no networking thread, the application makes its calls itself.
 *
 * `asked` says whose the question is. The owner looks at it before he sleeps, and is woken like for a post.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>


enum { IIP_ASK_SPINS = 4096 }; /* looks at a split loop's answer before sleeping: a few microseconds */

enum { IIP_ASKED_NOT = 0, IIP_ASKED = 1, IIP_ASKED_ASLEEP = 2 }; /* iip_loop.asked; asleep: so is who asked */

enum { IIP_APP_RUNS = 0, IIP_APP_PARKED = 1, IIP_APP_CALLED = 2 }; /* iip_loop.app_state; called: its fd is readable */

int32_t iip_ask_init(struct iip_loop *loop)
{
    atomic_store_explicit(&loop->net_here, 0, memory_order_relaxed);
    loop->app_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return loop->app_fd < 0 ? IIP_E_IO : IIP_OK;
}

int iip_ask_app(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->app, memory_order_relaxed) == iip_thread_token();
}

int iip_ask_any(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->asked, memory_order_acquire) != IIP_ASKED_NOT;
}

/* The owner makes the call. */
static int32_t iip_ask_call(struct iip_loop *loop, const struct iip_ask *ask)
{
    switch (ask->code) {
    case IIP_ASK_TURN:
        return iip_loop_turn(loop, ask->to);
    case IIP_ASK_OP:
        return iip_loop_op(loop, ask->to);
    case IIP_ASK_CLOSE:
        return iip_loop_close(loop);
    case IIP_ASK_NOW:
        return iip_loop_now(loop, ask->to);
    case IIP_ASK_ALLOC:
        return iip_buf_alloc(loop, ask->to);
    case IIP_ASK_GET:
        return iip_conn_get(ask->handle, ask->n, ask->to);
    case IIP_ASK_INFO:
        return iip_conn_info_get(ask->handle, ask->to);
    case IIP_ASK_STATS:
        return iip_loop_stats_get(loop, ask->to);
    default:
        return iip_loop_counters(loop, ask->to, ask->n);
    }
}

/* ---- the application's side ---- */

static void iip_ask_futex(struct iip_loop *loop, int what, uint32_t value)
{
    syscall(SYS_futex, &loop->asked, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Nobody does the networking, nor is about to: 1, and it is ours for a call. */
static int iip_ask_take(struct iip_loop *loop)
{
    const void *nobody = NULL;
    return !atomic_load(&loop->net_here) && atomic_compare_exchange_strong(&loop->owner, &nobody, iip_thread_token());
}

static int32_t iip_ask_self(struct iip_loop *loop, const struct iip_ask *ask)
{
    int32_t st;
    atomic_store_explicit(&loop->asked, IIP_ASKED_NOT, memory_order_relaxed);
    st = iip_ask_call(loop, ask);
    atomic_store(&loop->owner, NULL);
    return st;
}

/* Until there is an answer, or there may be nobody to give one. In merge the answer needs our core: no look is taken. */
static void iip_ask_wait(struct iip_loop *loop)
{
    uint32_t spins = loop->cores == IIP_CORES_SPLIT ? IIP_ASK_SPINS : 0;
    uint32_t asked = IIP_ASKED;
    while (spins-- && atomic_load_explicit(&loop->asked, memory_order_relaxed) != IIP_ASKED_NOT)
        ;
    if (!atomic_compare_exchange_strong(&loop->asked, &asked, IIP_ASKED_ASLEEP) && asked == IIP_ASKED_NOT)
        return;
    if (atomic_load(&loop->net_here))
        iip_ask_futex(loop, FUTEX_WAIT, IIP_ASKED_ASLEEP);
}

int32_t iip_ask(struct iip_loop *loop, int32_t st, const struct iip_ask *ask)
{
    if (st != IIP_E_WRONG_THREAD || !iip_ask_app(loop))
        return st;
    if (iip_ask_take(loop))
        return iip_ask_self(loop, ask);
    loop->ask = *ask;
    atomic_store_explicit(&loop->asked, IIP_ASKED, memory_order_release);
    iip_wake_now(loop);
    while (iip_ask_any(loop)) {
        if (iip_ask_take(loop))
            return iip_ask_self(loop, ask);
        iip_ask_wait(loop);
    }
    return loop->ask.result;
}

/* ---- the networking's side ---- */

static void iip_ask_answer(struct iip_loop *loop, int32_t result)
{
    loop->ask.result = result;
    if (atomic_exchange(&loop->asked, IIP_ASKED_NOT) == IIP_ASKED_ASLEEP)
        iip_ask_futex(loop, FUTEX_WAKE, 1);
}

static void iip_ask_unpark(struct iip_loop *loop)
{
    uint64_t count;
    if (loop->app_state == IIP_APP_RUNS)
        return;
    loop->app_state = IIP_APP_RUNS;
    if (read(loop->app_fd, &count, sizeof count) < 0)
        return; /* nobody wrote: it turned of its own accord */
}

/* The application's own event loop sleeps; what wakes it is looked for in each turn of the networking. */
static void iip_ask_park(struct iip_loop *loop, struct iip_turn *turn, uint64_t wakes)
{
    if (!(turn->flags & IIP_TURN_PARK) || turn->event_n || turn->state & IIP_STATE_MORE || loop->stats.wakes != wakes)
        return;
    loop->app_state = IIP_APP_PARKED;
    loop->stats.parks++;
    turn->state |= IIP_STATE_PARKED;
}

static void iip_ask_call_app(struct iip_loop *loop)
{
    static const uint64_t one = 1;
    if (loop->app_state != IIP_APP_PARKED)
        return;
    loop->app_state = IIP_APP_CALLED;
    if (write(loop->app_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable all the same */
}

/* How long a turn that waits may wait within this call. */
static int64_t iip_ask_span(struct iip_loop *loop, int64_t wait_us)
{
    uint64_t left = 0;
    if (loop->ask.until == UINT64_MAX)
        return wait_us;
    iip_loop_clock(loop);
    if (loop->ask.until > loop->now)
        left = loop->ask.until - loop->now;
    return wait_us < 0 || left < (uint64_t)wait_us ? (int64_t)left : wait_us;
}

static void iip_ask_open(struct iip_loop *loop, const struct iip_turn *turn)
{
    struct iip_ask *ask = &loop->ask;
    iip_ask_unpark(loop);
    iip_loop_clock(loop);
    ask->opened = 1;
    ask->until = loop->now;
    if (turn->flags & IIP_TURN_WAIT && !loop->still && !loop->closing)
        ask->until = turn->wait_us < 0 || (uint64_t)turn->wait_us > UINT64_MAX - loop->now
            ? UINT64_MAX
            : loop->now + (uint64_t)turn->wait_us;
}

/*
 * The application's turn. One that waits is turned again and again, each time no longer than the networking thread
 * means to stay away, until there are events, a wake came, or its time is up. 1: it is over.
 */
static int iip_ask_turn(struct iip_loop *loop, int64_t wait_us, uint32_t *packets)
{
    struct iip_ask *ask = &loop->ask;
    struct iip_turn *turn = ask->to;
    uint64_t wakes = loop->stats.wakes;
    int64_t asked;
    if (!ask->opened)
        iip_ask_open(loop, turn);
    asked = turn->wait_us;
    turn->wait_us = iip_ask_span(loop, wait_us);
    ask->result = iip_loop_turn(loop, turn);
    turn->wait_us = asked;
    if (ask->result < 0)
        return 1;
    *packets = turn->rx_packets;
    ask->op_short += turn->op_short;
    ask->release_failed += turn->release_failed;
    ask->rx_packets += turn->rx_packets;
    if (!ask->result && loop->stats.wakes == wakes && loop->now < ask->until)
        return 0;
    turn->op_short = ask->op_short;
    turn->release_failed = ask->release_failed;
    turn->rx_packets = ask->rx_packets;
    iip_ask_park(loop, turn, wakes);
    return 1;
}

static uint32_t iip_ask_serve(struct iip_loop *loop, int64_t wait_us)
{
    const struct iip_turn *turn = loop->ask.to;
    uint32_t packets = 0;
    if (loop->ask.code != IIP_ASK_TURN || !turn || turn->size < sizeof *turn)
        iip_ask_answer(loop, iip_ask_call(loop, &loop->ask));
    else if (iip_ask_turn(loop, wait_us, &packets))
        iip_ask_answer(loop, loop->ask.result);
    return packets;
}

/* The networking goes on while the application is busy. Of a parked one it is also seen what should wake it. */
static uint32_t iip_ask_alone(struct iip_loop *loop, int64_t wait_us)
{
    uint32_t packets;
    loop->alone = loop->app_state != IIP_APP_PARKED;
    packets = iip_turn_alone(loop, wait_us);
    loop->alone = 0;
    atomic_store_explicit(&loop->net_woken, 0, memory_order_relaxed);
    if (loop->app_state == IIP_APP_PARKED &&
        (atomic_load_explicit(&loop->woken, memory_order_relaxed) || iip_event_waiting(loop) ||
         iip_stack_speaks(loop->stk)))
        iip_ask_call_app(loop);
    return packets;
}

/* An application that is in a call of its own, perhaps asleep in a turn, leaves it first and does not come back. */
static int32_t iip_ask_join(struct iip_loop *loop)
{
    const void *self = iip_thread_token();
    const void *owner;
    if (!loop->cores)
        return IIP_E_NOT_SUPPORTED;
    atomic_store(&loop->net_here, 1);
    for (;;) {
        owner = NULL;
        if (atomic_compare_exchange_strong(&loop->owner, &owner, self))
            return IIP_OK;
        if (owner != atomic_load_explicit(&loop->app, memory_order_relaxed))
            return IIP_E_BUSY;
        if (iip_loop_wake(loop))
            return IIP_E_CLOSED;
        sched_yield();
    }
}

/* A turn under way ends here. Whoever asks from now on finds nobody, and is woken to see that if he sleeps already. */
void iip_ask_leave(struct iip_loop *loop)
{
    uint32_t asleep = IIP_ASKED_ASLEEP;
    while (iip_ask_any(loop)) {
        loop->ask.until = 0; /* before the answer: behind it, the question is the asker's again */
        iip_ask_serve(loop, 0);
    }
    iip_ask_call_app(loop);
    atomic_store(&loop->net_here, 0);
    atomic_store(&loop->owner, NULL);
    if (atomic_compare_exchange_strong(&loop->asked, &asleep, IIP_ASKED))
        iip_ask_futex(loop, FUTEX_WAKE, 1);
}

int32_t iip_loop_net(struct iip_loop *loop, int64_t wait_us)
{
    int32_t st = iip_loop_check(loop);
    if (!st && !loop->cores)
        return IIP_E_NOT_SUPPORTED;
    if (st == IIP_E_WRONG_THREAD)
        st = iip_ask_join(loop);
    if (st)
        return st;
    if (!wait_us && loop->cores == IIP_CORES_MERGE)
        wait_us = -1;
    if (iip_ask_any(loop))
        return (int32_t)iip_ask_serve(loop, wait_us);
    return (int32_t)iip_ask_alone(loop, wait_us);
}

/* ==== c/sdk/src/buf.c ==== */
/* buf.c - buffers: counted references to bytes that never move, from whichever thread they come back. */
#include <string.h>


void iip_buf_place(const struct iip_loop *loop, const struct iip_pkt *pkt, uint32_t *offset, uint16_t *region)
{
    uint32_t id = pkt->frame->region;
    const struct iip_region_row *row;
    uint64_t at;
    if (id >= IIP_REGION_IDS - 1) /* the last row is that of spill memory */
        id = IIP_REGION_IDS - 1;
    row = &loop->regions[id];
    at = (uint64_t)(pkt->data - row->base);
    *offset = (uint32_t)at;
    *region = (uint16_t)(row->index + (uint32_t)(at >> IIP_REGION_SHIFT));
}

struct iip_buf *iip_buf_make(struct iip_loop *loop, struct iip_pkt *pkt)
{
    struct iip_buf *buf = (struct iip_buf *)iip_slots_take(&loop->bufs);
    if (!buf)
        return NULL;
    buf->pkt = pkt;
    buf->conn = NULL;
    return buf;
}

/* The window of a buffer opens, unless its connection ended meanwhile, and its packet is freed. */
static inline void iip_buf_empty_out(struct iip_loop *loop, struct iip_buf *buf)
{
    const struct iip_obj *conn = buf->conn;
    struct iip_pkt *pkt = buf->pkt;
    buf->pkt = NULL;
    if (conn && iip_slot_generation(&conn->slot) == buf->generation && conn->core) {
        if (IIP_LIKELY(buf->charge == IIP_CHARGE_OF_PKT)) {
            iip_tcp_done(loop->stk, conn->core, pkt);
            return;
        }
        iip_tcp_credit(loop->stk, conn->core, buf->charge);
    }
    if (pkt)
        iip_pkt_free(loop->stk, pkt);
}

void iip_buf_free(struct iip_loop *loop, struct iip_buf *buf)
{
    iip_buf_empty_out(loop, buf);
    iip_slots_put(&loop->bufs, &buf->slot);
}

/* Of one that others may hold too, or that is none: 0 or IIP_E_STALE. */
static __attribute__((noinline)) int32_t iip_buf_drop(struct iip_loop *loop, uint64_t handle)
{
    struct iip_slot *slot;
    int32_t last = iip_slot_drop(&loop->bufs, handle, &slot);
    if (last > 0)
        iip_buf_free(loop, (struct iip_buf *)slot);
    return last < 0 ? last : IIP_OK;
}

uint32_t iip_buf_put(struct iip_loop *loop, const uint64_t *handles, uint32_t n)
{
    uint32_t stale = 0;
    uint32_t i;
    for (i = 0; i < n; i++) {
        struct iip_slot *slot = iip_slot_peek(&loop->bufs, handles[i]);
        if (IIP_LIKELY(slot && iip_slot_end(slot, handles[i]))) {
            iip_buf_empty_out(loop, (struct iip_buf *)slot);
            iip_slots_back(&loop->bufs, slot);
        } else {
            stale += iip_buf_drop(loop, handles[i]) < 0;
        }
    }
    loop->stats.stale_handles += stale;
    loop->stats.releases += n - stale;
    return stale;
}

/* Takes the whole list at once, so that its head cannot be mistaken for an older one that looks the same. */
void iip_buf_drain(struct iip_loop *loop)
{
    uint32_t i;
    if (atomic_load_explicit(&loop->returned, memory_order_relaxed) == IIP_SLOT_NONE)
        return;
    i = atomic_exchange_explicit(&loop->returned, IIP_SLOT_NONE, memory_order_acquire);
    while (i != IIP_SLOT_NONE) {
        struct iip_slot *slot = iip_slot_at(&loop->bufs, i);
        i = slot->next;
        iip_buf_free(loop, (struct iip_buf *)slot);
        loop->stats.foreign_releases++;
        loop->stats.releases++;
    }
}

static void iip_buf_send_home(struct iip_loop *loop, struct iip_slot *slot)
{
    uint32_t i = iip_slot_index(slot);
    uint32_t head = atomic_load_explicit(&loop->returned, memory_order_relaxed);
    do {
        slot->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->returned, &head, i, memory_order_seq_cst, memory_order_relaxed));
    if (atomic_load_explicit(&loop->low, memory_order_relaxed))
        iip_wake_now(loop);
}

/* The loop of a buffer, for callers from any thread. */
static int32_t iip_buf_loop(uint64_t handle, struct iip_loop **out)
{
    struct iip_loop *loop = iip_loop_of(handle);
    *out = loop;
    if (!loop || iip_handle_kind(handle) != IIP_KIND_BUF)
        return IIP_E_STALE;
    return iip_epoch_ok(loop->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_buf_release(uint64_t handle)
{
    struct iip_loop *loop;
    struct iip_slot *slot;
    int32_t last = iip_buf_loop(handle, &loop);
    if (last)
        return last;
    if (atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token())
        return iip_buf_put(loop, &handle, 1) ? IIP_E_STALE : IIP_OK;
    last = iip_slot_drop(&loop->bufs, handle, &slot);
    if (last < 0)
        atomic_fetch_add_explicit(&loop->stale, 1, memory_order_relaxed);
    if (last <= 0)
        return last;
    iip_buf_send_home(loop, slot);
    return IIP_OK;
}

int32_t iip_buf_release_n(const uint64_t *handles, uint32_t n)
{
    uint32_t released = 0;
    uint32_t i;
    if (!handles && n)
        return IIP_E_INVAL;
    for (i = 0; i < n; i++)
        released += iip_buf_release(handles[i]) == IIP_OK;
    return (int32_t)released;
}

int32_t iip_buf_retain(uint64_t handle)
{
    struct iip_loop *loop;
    int32_t st = iip_buf_loop(handle, &loop);
    return st ? st : iip_slot_keep(&loop->bufs, handle);
}

/* Holds a reference while it reads, so that a release elsewhere cannot take the packet away. */
int32_t iip_buf_spans(uint64_t handle, struct iip_span *out, uint32_t cap)
{
    struct iip_loop *loop;
    const struct iip_pkt *pkt;
    uint32_t n = 0;
    int32_t st;
    if (!out && cap)
        return IIP_E_INVAL;
    st = iip_buf_retain(handle);
    if (st)
        return st;
    loop = iip_loop_of(handle);
    for (pkt = ((struct iip_buf *)iip_slot_peek(&loop->bufs, handle))->pkt; pkt; pkt = pkt->next, n++) {
        if (n >= cap)
            continue;
        out[n] = (struct iip_span){.buf = handle, .addr = (uintptr_t)pkt->data, .len = pkt->len};
        iip_buf_place(loop, pkt, &out[n].offset, &out[n].region);
    }
    iip_buf_release(handle);
    return (int32_t)n;
}

int32_t iip_buf_detach(uint64_t handle, void *out, uint32_t cap)
{
    struct iip_loop *loop;
    const struct iip_pkt *pkt;
    uint32_t n = 0;
    int32_t st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (cap > INT32_MAX)
        cap = INT32_MAX;
    st = iip_buf_retain(handle);
    if (st)
        return st;
    loop = iip_loop_of(handle);
    for (pkt = ((struct iip_buf *)iip_slot_peek(&loop->bufs, handle))->pkt; pkt && n < cap; pkt = pkt->next) {
        uint32_t part = pkt->len < cap - n ? pkt->len : cap - n;
        memcpy((uint8_t *)out + n, pkt->data, part);
        n += part;
    }
    iip_buf_release(handle);
    st = iip_buf_release(handle);
    return st ? st : (int32_t)n;
}

/* ---- buffers to write into ---- */

struct iip_frame *iip_buf_frame(struct iip_loop *loop, uint32_t size, uint32_t floor)
{
    if (loop->ops->frames_free(loop->queue) <= floor)
        return NULL;
    return loop->ops->frame_get(loop->queue, size);
}

/* The packet of an empty buffer shows all its room; sending it sets what was written. `mark`: IIP_BUF_LAID_OUT or 0. */
static inline int32_t iip_buf_empty(struct iip_loop *loop, struct iip_frame *frame, struct iip_span *out, uint32_t mark)
{
    struct iip_buf *buf;
    struct iip_pkt *pkt;
    if (!frame)
        return IIP_E_NOBUFS;
    pkt = iip_pkt_new(loop->stk, frame, frame->base + IIP_TX_HEADROOM, frame->size - IIP_TX_HEADROOM);
    if (!pkt) {
        loop->ops->frame_put(loop->queue, frame);
        return IIP_E_NOMEM;
    }
    buf = iip_buf_make(loop, pkt);
    if (!buf) {
        iip_pkt_free(loop->stk, pkt);
        return IIP_E_NOMEM;
    }
    out->buf = iip_slot_handle(&loop->bufs, &buf->slot);
    buf->slot.index |= mark;
    out->addr = (uintptr_t)pkt->data;
    out->len = pkt->len;
    out->reserved = 0;
    out->flags = 0;
    iip_buf_place(loop, pkt, &out->offset, &out->region);
    return IIP_OK;
}

int32_t iip_buf_alloc(struct iip_loop *loop, struct iip_span *out)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_ALLOC, .to = out});
    if (!out)
        return IIP_E_INVAL;
    return loop->closing ? IIP_E_CLOSED
                         : iip_buf_empty(loop, iip_buf_frame(loop, IIP_TX_HEADROOM + 1, loop->frames_reserve), out, 0);
}

/* The entries lie where the application can write: what is there may be anything. */
void iip_buf_taken(struct iip_loop *loop, uint32_t taken)
{
    uint32_t i;
    for (i = loop->tx_holes; i < taken; i++) {
        struct iip_slot *slot = iip_slot_find(&loop->bufs, loop->tx_free[i].buf);
        if (slot)
            slot->index &= ~(uint32_t)IIP_BUF_LAID_OUT;
        else
            loop->stats.stale_handles++;
    }
    if (taken > loop->tx_holes)
        loop->tx_holes = taken;
}

/*
 * Fills entries of tx_free from `at` on; returns where it stopped, which is before `end` when buffers are few. Below the
 * low mark some are laid out all the same, a few at a time, so that who shares them out sees what is left.
 */
static uint32_t iip_buf_lay(struct iip_loop *loop, uint32_t at, uint32_t end)
{
    uint32_t left = loop->ops->frames_free(loop->queue);
    uint32_t plenty = left > loop->frames_low ? left - loop->frames_low : 0;
    left = left > loop->frames_reserve ? left - loop->frames_reserve : 0;
    plenty = at + plenty > IIP_TX_FREE_LOW ? at + plenty : IIP_TX_FREE_LOW;
    end = end < plenty ? end : plenty;
    for (; at < end && left; at++, left--)
        if (iip_buf_empty(loop, loop->ops->frame_get(loop->queue, IIP_TX_HEADROOM + 1), &loop->tx_free[at],
                          IIP_BUF_LAID_OUT))
            break;
    return at;
}

/* New buffers take the places of those that were taken from the front, or else those from the end do. */
void iip_buf_lay_out(struct iip_loop *loop)
{
    uint32_t holes = loop->tx_holes;
    uint32_t i;
    if (!holes && loop->tx_free_n == loop->tx_free_cap)
        return;
    i = iip_buf_lay(loop, 0, holes);
    while (i < holes && loop->tx_free_n > holes)
        loop->tx_free[i++] = loop->tx_free[--loop->tx_free_n];
    if (i < holes)
        loop->tx_free_n = i;
    loop->tx_holes = 0;
    loop->tx_free_n = iip_buf_lay(loop, loop->tx_free_n, loop->tx_free_cap);
}

/* ==== c/sdk/src/config.c ==== */
/* config.c - reads what iip_engine_open is given: sizes and defaults, addresses, routes, tunables, neighbours. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>


enum { IIP_CONFIG_WORD = 128 };

struct iip_config_err {
    char *text;
    uint32_t cap;
};

void iip_config_say(char *error, uint32_t cap, const char *format, ...)
{
    va_list args;
    if (!error || !cap)
        return;
    va_start(args, format);
    iip_text_fit(error, cap, format, args);
    va_end(args);
}

/* ---- numbers ---- */

static int32_t iip_config_range(const char *name, uint32_t *value, uint32_t usual, uint32_t low, uint32_t high,
                                const struct iip_config_err *err)
{
    if (!*value)
        *value = usual;
    if (*value >= low && *value <= high)
        return IIP_OK;
    iip_config_say(err->text, err->cap, "%s=%u: must be %u to %u", name, *value, low, high);
    return IIP_E_RANGE;
}

static int32_t iip_config_random(struct iip_engine_cfg *cfg, const struct iip_config_err *err)
{
    static const uint8_t none[sizeof cfg->key];
    ssize_t got = sizeof cfg->key;
    if (!memcmp(cfg->key, none, sizeof none))
        got = getrandom(cfg->key, sizeof cfg->key, 0);
    if (got == sizeof cfg->key && !cfg->seed)
        got = getrandom(&cfg->seed, sizeof cfg->seed, 0) == sizeof cfg->seed ? got : -1;
    if (got == sizeof cfg->key)
        return IIP_OK;
    iip_config_say(err->text, err->cap, "the system gave no random bytes: set key and seed");
    return IIP_E_IO;
}

static int32_t iip_config_numbers(struct iip_engine_cfg *cfg, const struct iip_config_err *err)
{
    uint32_t post = 2;
    if (cfg->flags || cfg->cores > IIP_CORES_MERGE) {
        iip_config_say(err->text, err->cap,
                       cfg->flags ? "flags=%u: must be 0" : "cores=%u: IIP_CORES_UNIFIED (0), _SPLIT (1) or _MERGE (2)",
                       cfg->flags ? cfg->flags : cfg->cores);
        return cfg->flags ? IIP_E_INVAL : IIP_E_NOT_SUPPORTED;
    }
    if (iip_config_range("loops", &cfg->loops, 1, 1, IIP_LOOPS_MAX, err) ||
        (cfg->frames && iip_config_range("frames", &cfg->frames, 0, IIP_FRAMES_MIN, 1 << 22, err)) ||
        iip_config_range("op_cap", &cfg->op_cap, 256, 1, 1 << 16, err) ||
        iip_config_range("release_cap", &cfg->release_cap, 1024, 1, 1 << 20, err) ||
        iip_config_range("event_cap", &cfg->event_cap, 512, 1, 1 << 20, err) ||
        iip_config_range("tx_free_cap", &cfg->tx_free_cap, 64, 1, 1 << 16, err) ||
        iip_config_range("post_cap", &cfg->post_cap, 1024, 2, 1 << 16, err) ||
        iip_config_range("poll_us", &cfg->poll_us, 100, 1, 1000000, err) ||
        iip_config_range("log_level", &cfg->log_level, IIP_LOG_WARN, IIP_LOG_ERROR, IIP_LOG_DEBUG, err))
        return IIP_E_RANGE;
    if (!cfg->spill_bytes)
        cfg->spill_bytes = 4 << 20;
    while (post < cfg->post_cap)
        post *= 2;
    cfg->post_cap = post;
    return iip_config_random(cfg, err);
}

int32_t iip_config_read(const struct iip_engine_cfg *in, struct iip_engine_cfg *out, char *error, uint32_t cap)
{
    struct iip_config_err err = {error, cap};
    int32_t st = iip_size_in(out, sizeof *out, in);
    if (st) {
        iip_config_say(error, cap, "size=%u: %s", in->size, iip_status_text(st));
        return st;
    }
    if (!out->port) {
        iip_config_say(error, cap, "port: needed, as in \"tap:iip0\" or \"pair:a\"");
        return IIP_E_INVAL;
    }
    return iip_config_numbers(out, &err);
}

/* ---- words ---- */

/* The next word up to one of `ends`; 0: there is none, -1: it is too long. */
static int iip_config_word(const char **at, const char *ends, char *word)
{
    size_t n;
    *at += strspn(*at, ends);
    while (**at == ' ')
        (*at)++;
    n = strcspn(*at, ends);
    if (n >= IIP_CONFIG_WORD)
        return -1;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    while (n && word[n - 1] == ' ')
        word[--n] = 0;
    return n != 0;
}

/* "10.0.0.1/24": an address with the length of its prefix; without one, all of it. */
static int32_t iip_config_prefix(const char *word, struct iip_ip *ip, uint32_t *prefix)
{
    const char *slash = strchr(word, '/');
    uint32_t family;
    unsigned long len;
    char *end;
    if (iip_addr_ip(word, slash ? (size_t)(slash - word) : strlen(word), ip, &family))
        return IIP_E_INVAL;
    *prefix = family == 4 ? 32 : 128;
    if (!slash)
        return IIP_OK;
    len = strtoul(slash + 1, &end, 10);
    if (end == slash + 1 || *end || len > *prefix)
        return IIP_E_INVAL;
    *prefix = (uint32_t)len;
    return IIP_OK;
}

static int32_t iip_config_refuse(const struct iip_config_err *err, const char *what, const char *word, int32_t st,
                                 const char *remedy)
{
    iip_config_say(err->text, err->cap, "%s \"%s\": %s; %s", what, word, iip_status_text(st), remedy);
    return st;
}

static int32_t iip_config_address(struct iip_stack *stk, const char *word)
{
    struct iip_ip ip;
    uint32_t prefix;
    int32_t st = iip_config_prefix(word, &ip, &prefix);
    return st ? st : iip_stack_addr_add(stk, &ip, prefix);
}

static int32_t iip_config_route(struct iip_stack *stk, const char *word)
{
    const char *via = strstr(word, " via ");
    char dst[IIP_CONFIG_WORD];
    struct iip_ip ip, gateway;
    uint32_t family, prefix;
    size_t n = via ? (size_t)(via - word) : strlen(word);
    memcpy(dst, word, n);
    dst[n] = 0;
    if (via && iip_addr_ip(via + 5, strlen(via + 5), &gateway, &family))
        return IIP_E_INVAL;
    if (strcmp(dst, "default") != 0) {
        int32_t st = iip_config_prefix(dst, &ip, &prefix);
        return st ? st : iip_stack_route_add(stk, &ip, prefix, via ? &gateway : NULL);
    }
    if (!via)
        return IIP_E_INVAL;
    memset(&ip, 0, sizeof ip);
    if (family == 4)
        iip_ip_v4(&ip, 0, 0, 0, 0);
    return iip_stack_route_add(stk, &ip, 0, &gateway);
}

static int32_t iip_config_tunable(struct iip_stack *stk, const char *word)
{
    char name[IIP_CONFIG_WORD];
    const char *is = strchr(word, '=');
    unsigned long long value;
    char *end;
    if (!is || is[1] < '0' || is[1] > '9')
        return IIP_E_INVAL;
    value = strtoull(is + 1, &end, 0);
    if (*end)
        return IIP_E_INVAL;
    memcpy(name, word, (size_t)(is - word));
    name[is - word] = 0;
    return iip_stack_set(stk, name, value);
}

static int32_t iip_config_neighbour(struct iip_stack *stk, const char *word)
{
    const char *is = strchr(word, '=');
    unsigned int mac[6];
    iip_u8 bytes[6];
    struct iip_ip ip;
    uint32_t family, i;
    int n = 0;
    if (!is || iip_addr_ip(word, (size_t)(is - word), &ip, &family))
        return IIP_E_INVAL;
    if (sscanf(is + 1, "%2x:%2x:%2x:%2x:%2x:%2x%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &n) != 6 ||
        is[1 + n])
        return IIP_E_INVAL;
    for (i = 0; i < 6; i++)
        bytes[i] = (iip_u8)mac[i];
    return iip_stack_neigh_add(stk, &ip, bytes);
}

/* One kind of list: how its words end, what each does, and what to say when one cannot. */
struct iip_config_list {
    const char *what, *ends, *remedy;
    int32_t (*apply)(struct iip_stack *stk, const char *word);
};

static int32_t iip_config_each(const struct iip_config_list *list, const char *text, struct iip_stack *stk,
                               const struct iip_config_err *err)
{
    char word[IIP_CONFIG_WORD];
    int more;
    while (text && (more = iip_config_word(&text, list->ends, word)) != 0) {
        int32_t st = more < 0 ? IIP_E_INVAL : list->apply(stk, word);
        if (st)
            return iip_config_refuse(err, list->what, more < 0 ? text : word, st, list->remedy);
    }
    return IIP_OK;
}

/* ---- gateways: whoever is on no network of ours would be asked for on the wire for ever ---- */

static int iip_config_same(const struct iip_ip *a, const struct iip_ip *b, uint32_t bits)
{
    uint32_t bytes = bits / 8, rest = bits % 8;
    return !memcmp(a->b, b->b, bytes) && (!rest || !((a->b[bytes] ^ b->b[bytes]) >> (8 - rest)));
}

/* Whether a network of the list (of addresses, or of routes, where one without a gateway is such) has the address. */
static int iip_config_covers(const char *text, const char *ends, const struct iip_ip *ip, int own)
{
    static const struct iip_ip mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    char word[IIP_CONFIG_WORD];
    struct iip_ip net;
    uint32_t prefix;
    while (text && iip_config_word(&text, ends, word) > 0) {
        uint32_t v4;
        if (iip_config_prefix(word, &net, &prefix))
            continue;
        v4 = iip_config_same(&net, &mapped, 96);
        if (v4 == (uint32_t)iip_config_same(ip, &mapped, 96) && iip_config_same(&net, ip, own ? 128 : prefix + 96 * v4))
            return 1;
    }
    return 0;
}

static int32_t iip_config_gateway(const struct iip_engine_cfg *cfg, const char *word, int l3,
                                  const struct iip_config_err *err)
{
    static const struct iip_ip link_local = {{0xfe, 0x80}};
    const char *via = strstr(word, " via "), *wrong = NULL;
    struct iip_ip gateway;
    uint32_t family;
    if (!via || iip_addr_ip(via + 5, strlen(via + 5), &gateway, &family))
        return IIP_OK;
    if (iip_config_covers(cfg->addresses, " ,", &gateway, 1))
        wrong = "the gateway is an address of our own; name the router's";
    else if (!l3 && !iip_config_same(&gateway, &link_local, 10) &&
             !iip_config_covers(cfg->addresses, " ,", &gateway, 0) && !iip_config_covers(cfg->routes, ",", &gateway, 0))
        wrong = "the gateway is on no network of ours; give an address with the prefix length of its network, or the "
                "gateway itself as a route without \"via\"";
    if (wrong)
        iip_config_say(err->text, err->cap, "route \"%s\": %s", word, wrong);
    return wrong ? IIP_E_INVAL : IIP_OK;
}

static int32_t iip_config_gateways(const struct iip_engine_cfg *cfg, int l3, const struct iip_config_err *err)
{
    const char *text = cfg->routes;
    char word[IIP_CONFIG_WORD];
    while (text && iip_config_word(&text, ",", word) > 0) {
        int32_t st = iip_config_gateway(cfg, word, l3, err);
        if (st)
            return st;
    }
    return IIP_OK;
}

/* Tunables first: some of them shape what addresses and routes make. */
int32_t iip_config_apply(const struct iip_engine_cfg *cfg, struct iip_stack *stk, int l3, char *error, uint32_t cap)
{
    static const struct iip_config_list tunables =
        {"tunable", " ,", "write name=number; docs/reference/tunables.md lists names and ranges", iip_config_tunable};
    static const struct iip_config_list addresses = {"address", " ,", "write 10.0.0.1/24 or fd00::1/64",
                                                     iip_config_address};
    static const struct iip_config_list routes = {"route", ",",
                                                  "write \"default via 10.0.0.254\" or \"10.9.0.0/16 via 10.0.0.7\"",
                                                  iip_config_route};
    static const struct iip_config_list neighbours = {"neighbour", " ,", "write 10.0.0.9=02:00:00:00:00:09",
                                                      iip_config_neighbour};
    struct iip_config_err err = {error, cap};
    int32_t st = iip_config_each(&tunables, cfg->tunables, stk, &err);
    if (!st)
        st = iip_config_each(&addresses, cfg->addresses, stk, &err);
    if (!st)
        st = iip_config_each(&routes, cfg->routes, stk, &err);
    if (!st)
        st = iip_config_gateways(cfg, l3, &err);
    return st ? st : iip_config_each(&neighbours, cfg->neighbours, stk, &err);
}

/* ==== c/sdk/src/conn.c ==== */
/* conn.c - connections: their slots, the window that buffers hold, their options, and one thing at a time. */
#include <stdlib.h>
#include <string.h>


struct iip_obj *iip_conn_take(struct iip_loop *loop, struct iip_tcp_conn *core, uint64_t user)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slots_take(&loop->conns);
    if (!obj)
        return NULL;
    obj->slot.next = 0;
    obj->core = core;
    obj->user = user;
    return obj;
}

void iip_conn_put(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t account = obj->slot.next;
    if (account) {
        loop->credits[account].charge = loop->credit_free;
        loop->credit_free = account;
    }
    if (obj->slot.index & IIP_CONN_SHORT)
        iip_op_end(loop);
    if (obj->slot.index & IIP_CONN_WANTS)
        iip_want_end(loop, obj);
    obj->core = NULL;
    iip_slots_put(&loop->conns, &obj->slot);
}

/* ---- the window ---- */

static struct iip_credit *iip_conn_account(struct iip_loop *loop, const struct iip_obj *obj)
{
    return obj->slot.next ? &loop->credits[obj->slot.next] : NULL;
}

void iip_conn_held(struct iip_loop *loop, struct iip_obj *obj, struct iip_buf *buf, uint32_t charge)
{
    struct iip_credit *account = iip_conn_account(loop, obj);
    if (account) {
        account->bytes += buf->pkt->len;
        account->charge += charge;
        return;
    }
    buf->conn = obj;
    buf->generation = iip_slot_generation(&obj->slot);
    buf->charge = charge;
}

/* The application counts bytes, the window counts memory: a share of the one is the same share of the other. */
int32_t iip_conn_credit_explicit(struct iip_loop *loop, struct iip_obj *obj, uint32_t bytes)
{
    struct iip_credit *account = iip_conn_account(loop, obj);
    uint32_t charge;
    if (!account)
        return IIP_E_INVAL;
    if (bytes > account->bytes)
        return IIP_E_RANGE;
    if (!bytes)
        return IIP_OK;
    charge = (uint32_t)((uint64_t)account->charge * bytes / account->bytes);
    account->bytes -= bytes;
    account->charge -= charge;
    if (obj->core)
        iip_tcp_credit(loop->stk, obj->core, charge);
    return IIP_OK;
}

static int32_t iip_conn_account_grow(struct iip_loop *loop)
{
    uint32_t cap = loop->credit_cap ? 2 * loop->credit_cap : 64;
    struct iip_credit *more = realloc(loop->credits, cap * sizeof *more);
    if (!more)
        return IIP_E_NOMEM;
    loop->credits = more;
    loop->credit_cap = cap;
    if (!loop->credit_n)
        loop->credit_n = 1; /* 0 means none */
    return IIP_OK;
}

/* Buffers that are out when explicit credit is switched on still open the window when they come back. */
static int32_t iip_conn_account_open(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t account = loop->credit_free;
    if (obj->slot.next)
        return IIP_OK;
    if (account) {
        loop->credit_free = loop->credits[account].charge;
    } else {
        if (loop->credit_n == loop->credit_cap && iip_conn_account_grow(loop))
            return IIP_E_NOMEM;
        account = loop->credit_n++;
    }
    loop->credits[account] = (struct iip_credit){0, 0};
    obj->slot.next = account;
    return IIP_OK;
}

int32_t iip_conn_option(struct iip_loop *loop, struct iip_obj *obj, uint32_t option, uint64_t value)
{
    if (option != IIP_OPT_EXPLICIT_CREDIT)
        return obj->core ? iip_tcp_set(loop->stk, obj->core, option, value) : IIP_E_CLOSED;
    if (value != 1)
        return IIP_E_RANGE;
    return iip_conn_account_open(loop, obj);
}

/* The core numbers its options in the same way. */
_Static_assert((int)IIP_OPT_NODELAY == (int)IIP_TCP_NODELAY && (int)IIP_OPT_CORK == (int)IIP_TCP_CORK &&
                   (int)IIP_OPT_KEEPALIVE == (int)IIP_TCP_KEEPALIVE &&
                   (int)IIP_OPT_KEEPIDLE_US == (int)IIP_TCP_KEEPIDLE_US &&
                   (int)IIP_OPT_KEEPINTVL_US == (int)IIP_TCP_KEEPINTVL_US &&
                   (int)IIP_OPT_KEEPCNT == (int)IIP_TCP_KEEPCNT &&
                   (int)IIP_OPT_USER_TIMEOUT_US == (int)IIP_TCP_USER_TIMEOUT_US,
               "connection options");
_Static_assert((int)IIP_OPT_DSCP == (int)IIP_TCP_DSCP && (int)IIP_OPT_TTL == (int)IIP_TCP_TTL &&
                   (int)IIP_OPT_SNDBUF == (int)IIP_TCP_SNDBUF && (int)IIP_OPT_RCVBUF == (int)IIP_TCP_RCVBUF &&
                   (int)IIP_OPT_QUICKACK == (int)IIP_TCP_QUICKACK && (int)IIP_OPT_CC == (int)IIP_TCP_CC &&
                   (int)IIP_OPT_SYN_RETRIES == (int)IIP_TCP_SYN_RETRIES,
               "connection options");
_Static_assert((int)IIP_CONN_TIME_WAIT == (int)IIP_TCP_TIME_WAIT && (int)IIP_CONN_SYN_SENT == (int)IIP_TCP_SYN_SENT,
               "connection states");

/* ---- public ---- */

static int32_t iip_conn_own(uint64_t conn, struct iip_loop **loop, struct iip_obj **obj)
{
    int32_t st = iip_loop_own(conn, loop);
    if (st)
        return st;
    *obj = (struct iip_obj *)iip_slot_find(&(*loop)->conns, conn);
    return *obj ? IIP_OK : IIP_E_STALE;
}

int32_t iip_conn_get(uint64_t conn, uint32_t option, uint64_t *value)
{
    struct iip_loop *loop;
    struct iip_obj *obj;
    iip_u64 got = 0;
    int32_t st = iip_conn_own(conn, &loop, &obj);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_GET, .handle = conn, .n = option, .to = value});
    if (!value)
        return IIP_E_INVAL;
    if (option == IIP_OPT_EXPLICIT_CREDIT)
        got = obj->slot.next != 0;
    else if (!obj->core)
        st = IIP_E_CLOSED;
    else
        st = iip_tcp_get(loop->stk, obj->core, option, &got);
    if (!st)
        *value = got;
    return st;
}

static void iip_conn_fill(struct iip_conn_info *out, const struct iip_tcp_info *in)
{
    out->state = in->state;
    iip_addr_from(&out->local, &in->local);
    iip_addr_from(&out->peer, &in->peer);
    out->options = in->options;
    out->mss = in->mss;
    out->srtt_us = in->srtt_us;
    out->rttvar_us = in->rttvar_us;
    out->rto_us = in->rto_us;
    out->min_rtt_us = in->min_rtt_us;
    out->cwnd = in->cwnd;
    out->ssthresh = in->ssthresh;
    out->snd_wnd = in->snd_wnd;
    out->rcv_wnd = in->rcv_wnd;
    out->unacked = in->unacked;
    out->unsent = in->unsent;
    out->unread = in->unread;
    out->uncredited = in->uncredited;
    out->out_of_order = in->out_of_order;
    out->retransmits = in->retransmits;
    out->rto_count = in->rto_count;
    out->dup_acks = in->dup_acks;
    out->bytes_in = in->bytes_in;
    out->bytes_out = in->bytes_out;
}

int32_t iip_conn_info_get(uint64_t conn, struct iip_conn_info *out)
{
    struct iip_tcp_info core = {.size = sizeof core};
    struct iip_conn_info info = {.size = sizeof info, .conn = conn};
    struct iip_loop *loop;
    struct iip_obj *obj;
    int32_t st = iip_conn_own(conn, &loop, &obj);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_INFO, .handle = conn, .to = out});
    if (!out)
        return IIP_E_INVAL;
    st = obj->core ? iip_tcp_info(loop->stk, obj->core, &core) : 0;
    if (st < 0)
        return st;
    info.user = obj->user;
    iip_conn_fill(&info, &core);
    return iip_size_out(out, &info, sizeof info);
}

/* Reads nothing but the words of the slots, so any thread may. */
int32_t iip_loop_conns(struct iip_loop *loop, uint64_t after, uint64_t *out, uint32_t cap)
{
    int32_t st = iip_loop_check_any(loop);
    uint32_t count, i;
    uint32_t n = 0;
    if (st)
        return st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (after && (after ^ loop->conns.base) >> IIP_HANDLE_LOOP_SHIFT)
        return IIP_E_STALE;
    count = atomic_load_explicit(&loop->conns.count, memory_order_acquire);
    for (i = after ? ((uint32_t)after & IIP_SLOT_MASK) + 1 : 0; i < count && n < cap && n < INT32_MAX; i++) {
        const struct iip_slot *slot = iip_slot_at(&loop->conns, i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if (iip_slot_refs(word))
            out[n++] = loop->conns.base | (word & IIP_SLOT_NAME);
    }
    return (int32_t)n;
}

/* ==== c/sdk/src/engine.c ==== */
/* engine.c - opens a port with its loops and memory, and closes it. */
#include <stdlib.h>
#include <string.h>


enum { IIP_ENGINES_MAX = 64 };

/* Never freed: a pointer to a closed engine is told from an open one. */
static struct iip_engine *iip_engine_table[IIP_ENGINES_MAX];
static pthread_mutex_t iip_engine_table_lock = PTHREAD_MUTEX_INITIALIZER;

static struct iip_engine *iip_engine_new(void)
{
    struct iip_engine *engine = NULL;
    uint32_t i;
    pthread_mutex_lock(&iip_engine_table_lock);
    for (i = 0; i < IIP_ENGINES_MAX && iip_engine_table[i] && iip_engine_table[i]->taken; i++)
        ;
    if (i < IIP_ENGINES_MAX && !iip_engine_table[i])
        iip_engine_table[i] = calloc(1, sizeof *engine);
    if (i < IIP_ENGINES_MAX)
        engine = iip_engine_table[i];
    if (engine) {
        memset(engine, 0, sizeof *engine);
        engine->taken = 1;
    }
    pthread_mutex_unlock(&iip_engine_table_lock);
    return engine;
}

static int32_t iip_engine_check(const struct iip_engine *engine)
{
    if (!engine)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    return iip_epoch_ok(engine->epoch) ? IIP_OK : IIP_E_FORKED;
}

/* ---- open ---- */

/* The name of the wire, if it has a virtual clock; else empty. A recorder may stand in front of the port, whose kind
   only its string tells then. */
static void iip_engine_wire(struct iip_engine *engine, const char *port)
{
    const char *name = port + 4;
    size_t n = strncmp(port, "sim:", 4) == 0 ? strcspn(name, ",") : 0;
    if (!n || n >= sizeof engine->wire)
        return;
    memcpy(engine->wire, name, n);
    if (!iip_sim_advance(engine->wire, 0))
        engine->wire[0] = 0;
}

static int32_t iip_engine_port(struct iip_engine *engine, const struct iip_engine_cfg *cfg, char *error, uint32_t cap)
{
    struct iip_port_cfg port = {.queues = cfg->loops,
                                .frames = cfg->frames,
                                .frame_size = cfg->frame_bytes,
                                .ring = cfg->ring,
                                .pcap = cfg->pcap};
    uint32_t mtu;
    int32_t st = iip_port_open(cfg->port, &port, &engine->ops, &engine->port, error, error ? cap : 0);
    if (st) {
        engine->port = NULL;
        return st;
    }
    engine->ops->info(engine->port, &engine->info);
    mtu = cfg->mtu ? cfg->mtu : engine->info.mtu;
    if (mtu > engine->info.mtu) {
        iip_config_say(error, cap, "mtu=%u: the port %s carries %u", mtu, cfg->port, engine->info.mtu);
        return IIP_E_RANGE;
    }
    engine->mtu_set = cfg->mtu;
    iip_engine_wire(engine, cfg->port);
    engine->loop_n = engine->info.queues < cfg->loops ? engine->info.queues : cfg->loops;
    atomic_store_explicit(&engine->link, (uint64_t)(engine->info.link_up != 0) << 32 | mtu, memory_order_relaxed);
    return IIP_OK;
}

static int32_t iip_engine_loop_open(struct iip_engine *engine, uint32_t i, const struct iip_engine_cfg *cfg,
                                    char *error, uint32_t cap)
{
    struct iip_loop *loop = iip_loop_new();
    int32_t st;
    if (!loop) {
        iip_config_say(error, cap, "no memory for loop %u, or more than %u loops in this process", i, IIP_LOOPS_MAX);
        return IIP_E_NOMEM;
    }
    engine->loops[i] = loop;
    loop->index = i;
    st = iip_loop_setup(loop, engine, cfg);
    if (st) {
        iip_config_say(error, cap, "loop %u: %s", i, iip_status_text(st));
        return st;
    }
    return iip_config_apply(cfg, loop->stk, (engine->info.stack_flags & IIP_STACK_L3) != 0, error, cap);
}

static int32_t iip_engine_fill(struct iip_engine *engine, const struct iip_engine_cfg *cfg, char *error, uint32_t cap)
{
    int32_t st = iip_engine_port(engine, cfg, error, cap);
    uint32_t i;
    if (st)
        return st;
    engine->loops = calloc(engine->loop_n, sizeof *engine->loops);
    if (!engine->loops)
        return IIP_E_NOMEM;
    for (i = 0; i < engine->loop_n && !st; i++)
        st = iip_engine_loop_open(engine, i, cfg, error, cap);
    return st;
}

static void iip_engine_free(struct iip_engine *engine, struct iip_leaks *leaks)
{
    uint32_t i;
    engine->open = 0;
    for (i = 0; engine->loops && i < engine->loop_n; i++)
        if (engine->loops[i])
            iip_loop_clean(engine->loops[i], leaks);
    leaks->regions += iip_region_forget(engine);
    if (engine->port)
        engine->ops->close(engine->port);
    free(engine->loops);
    free(engine->regions);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->log.lock);
    pthread_mutex_lock(&iip_engine_table_lock);
    engine->taken = 0;
    pthread_mutex_unlock(&iip_engine_table_lock);
}

int32_t iip_engine_open(const struct iip_engine_cfg *cfg, struct iip_engine **out, char *error, uint32_t error_cap)
{
    struct iip_engine_cfg own;
    struct iip_engine *engine;
    struct iip_leaks leaks = {.size = sizeof leaks};
    int32_t st;
    uint32_t i;
    if (error && error_cap)
        error[0] = 0;
    if (!cfg || !out)
        return IIP_E_INVAL;
    st = iip_config_read(cfg, &own, error, error_cap);
    if (st)
        return st;
    engine = iip_engine_new();
    if (!engine) {
        iip_config_say(error, error_cap, "no memory, or more than %d engines in this process", IIP_ENGINES_MAX);
        return IIP_E_NOMEM;
    }
    engine->epoch = iip_epoch();
    engine->poll_us = own.poll_us;
    pthread_mutex_init(&engine->lock, NULL);
    iip_log_init(&engine->log, own.log_level);
    st = iip_engine_fill(engine, &own, error, error_cap);
    if (st) {
        iip_engine_free(engine, &leaks);
        return st;
    }
    engine->open = 1;
    for (i = 0; i < engine->loop_n; i++)
        atomic_store_explicit(&engine->loops[i]->engine, engine, memory_order_release);
    *out = engine;
    return IIP_OK;
}

/* ---- close ---- */

/* Takes all loops, or none: nobody may be turning one while it goes. */
static int32_t iip_engine_take(struct iip_engine *engine)
{
    const void *self = iip_thread_token();
    uint32_t i;
    for (i = 0; i < engine->loop_n; i++) {
        const void *owner = atomic_load_explicit(&engine->loops[i]->owner, memory_order_relaxed);
        const void *app = atomic_load_explicit(&engine->loops[i]->app, memory_order_relaxed);
        if ((owner && owner != self) || (app && app != self))
            return IIP_E_BUSY;
    }
    for (i = 0; i < engine->loop_n; i++)
        if (iip_loop_attach(engine->loops[i]) || iip_loop_claim(&engine->loops[i]->owner))
            return IIP_E_BUSY; /* somebody attached just now: the ones taken stay taken, and closing again is fine */
    return IIP_OK;
}

int32_t iip_engine_close(struct iip_engine *engine, struct iip_leaks *out)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    int32_t st = iip_engine_check(engine);
    if (!st && out && out->size < sizeof out->size)
        st = IIP_E_INVAL;
    if (!st)
        st = iip_engine_take(engine);
    if (st)
        return st;
    iip_engine_free(engine, &leaks);
    return out ? iip_size_out(out, &leaks, sizeof leaks) : IIP_OK;
}

/* ---- what there is ---- */

void iip_engine_link(struct iip_engine *engine)
{
    struct iip_port_info info;
    uint32_t mtu;
    engine->ops->info(engine->port, &info);
    mtu = engine->mtu_set && engine->mtu_set < info.mtu ? engine->mtu_set : info.mtu;
    atomic_store_explicit(&engine->link, (uint64_t)(info.link_up != 0) << 32 | mtu, memory_order_relaxed);
    iip_log_write(engine, IIP_LOG_INFO, UINT32_MAX, 0, IIP_OK, "link %s, mtu %u", info.link_up ? "up" : "down", mtu);
}

int32_t iip_engine_info_get(struct iip_engine *engine, struct iip_engine_info *out)
{
    struct iip_engine_info info = {.size = sizeof info};
    int32_t st = iip_engine_check(engine);
    uint64_t link;
    uint32_t i;
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    info.loops = engine->loop_n;
    info.mtu = (uint32_t)link;
    info.link_up = (uint32_t)(link >> 32);
    info.polls = engine->info.polls;
    info.poll_us = engine->poll_us;
    info.caps = engine->info.caps | (engine->info.stack_flags & IIP_STACK_L3 ? IIP_PORT_L3 : 0);
    pthread_mutex_lock(&engine->lock);
    info.regions = engine->region_n;
    pthread_mutex_unlock(&engine->lock);
    memcpy(info.mac, engine->info.mac, sizeof info.mac);
    for (i = 0; i < engine->loop_n; i++)
        info.conns += atomic_load_explicit(&engine->loops[i]->conns.live, memory_order_relaxed);
    return iip_size_out(out, &info, sizeof info);
}

/* Time of a port that is simulated with a virtual clock belongs to its wire, which the port string names. */
int32_t iip_engine_advance(struct iip_engine *engine, uint64_t us, uint64_t *now_us)
{
    int32_t st = iip_engine_check(engine);
    uint64_t now;
    if (st)
        return st;
    if (!engine->wire[0])
        return IIP_E_NOT_SUPPORTED;
    now = iip_sim_advance(engine->wire, us);
    if (now_us)
        *now_us = now;
    return IIP_OK;
}

int32_t iip_engine_inject(struct iip_engine *engine, const void *frame, uint32_t len)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!frame)
        return IIP_E_INVAL;
    return engine->wire[0] ? iip_sim_inject(engine->wire, engine->info.mac, frame, len) : IIP_E_NOT_SUPPORTED;
}

int32_t iip_engine_mtu_set(struct iip_engine *engine, uint32_t mtu)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!engine->wire[0])
        return IIP_E_NOT_SUPPORTED;
    return mtu < IIP_SIM_MTU_MIN || mtu > IIP_SIM_MTU_MAX ? IIP_E_RANGE : iip_sim_mtu_set(engine->wire, mtu);
}

int32_t iip_engine_list(uint32_t i, struct iip_engine **out)
{
    uint32_t k;
    int32_t st = IIP_E_NOT_FOUND;
    if (!out)
        return IIP_E_INVAL;
    pthread_mutex_lock(&iip_engine_table_lock);
    for (k = 0; k < IIP_ENGINES_MAX && st; k++) {
        struct iip_engine *engine = iip_engine_table[k];
        if (!engine || !engine->open || !iip_epoch_ok(engine->epoch) || i--)
            continue;
        *out = engine;
        st = IIP_OK;
    }
    pthread_mutex_unlock(&iip_engine_table_lock);
    return st;
}

int32_t iip_engine_loop(struct iip_engine *engine, uint32_t i, struct iip_loop **out)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    if (i >= engine->loop_n)
        return IIP_E_NOT_FOUND;
    *out = engine->loops[i];
    return IIP_OK;
}

_Static_assert((int)IIP_PORT_IP_CSUM == (int)IIP_CAP_TX_IP_CSUM && (int)IIP_PORT_TCP_CSUM == (int)IIP_CAP_TX_TCP_CSUM &&
                   (int)IIP_PORT_UDP_CSUM == (int)IIP_CAP_TX_UDP_CSUM && (int)IIP_PORT_TSO == (int)IIP_CAP_TX_TSO &&
                   (int)IIP_PORT_SG == (int)IIP_CAP_TX_SG,
               "what ports can do");

/* ==== c/sdk/src/event.c ==== */
/*
 * event.c - what happened, as records: the notes of the core become events in the application's array.
 *
 * Nothing is lost when the array is full: what does not fit stays where it is (in the core, in `notes`, in `run`) until
 * the next turn, which then receives no packets before it has handed the rest up.
 */

static struct iip_event *iip_event_next(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type,
                                        int32_t status)
{
    struct iip_event *ev = &loop->events[loop->event_n++];
    *ev = (struct iip_event){.src = src, .user = user, .type = (uint16_t)type, .status = status};
    return ev;
}

static int iip_event_full(const struct iip_loop *loop)
{
    return loop->event_n >= loop->event_max;
}

static void iip_event_ends(struct iip_loop *loop, struct iip_event *ev, const struct iip_note *note)
{
    struct iip_addrs *aux = &loop->aux[++loop->aux_n];
    iip_addr_from(&aux->local, &note->local);
    iip_addr_from(&aux->peer, &note->peer);
    ev->aux = loop->aux_n * (uint32_t)sizeof *aux;
}

/* ---- bytes: each view of memory becomes an event, and has a buffer of its own ---- */

/* The first view of the run, which then stands alone; what is behind it becomes the run. */
static struct iip_pkt *iip_event_first(struct iip_loop *loop)
{
    struct iip_pkt *pkt = loop->run;
    struct iip_pkt *rest = pkt->next;
    if (rest) {
        rest->link = pkt->link;
        pkt->next = NULL;
        loop->run = rest;
    } else {
        loop->run = pkt->link;
    }
    pkt->link = NULL;
    return pkt;
}

/* Few buffers are free: the view is copied. A copy of several views has the window of all in the first. */
static struct iip_pkt *iip_event_spill(struct iip_loop *loop, struct iip_pkt *pkt)
{
    struct iip_pkt *copy = iip_spill_copy(loop, pkt);
    struct iip_pkt *rest = copy->next;
    if (!rest)
        return copy;
    copy->next = NULL;
    rest->link = loop->run;
    loop->run = rest;
    for (; rest; rest = rest->next)
        rest->flags = IIP_PKT_COPY;
    return copy;
}

/* One event; 0: no memory for a buffer, it waits. */
static int iip_event_bytes(struct iip_loop *loop, const struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_obj *obj = note->user;
    struct iip_buf *buf = iip_buf_make(loop, NULL);
    struct iip_event *ev = &loop->events[loop->event_n];
    struct iip_pkt *pkt;
    uint32_t charge = 0;
    if (!buf)
        return 0;
    loop->event_n++;
    pkt = iip_event_first(loop);
    if (type == IIP_EVENT_DATA && !(pkt->flags & IIP_PKT_COPY))
        charge = iip_pkt_charge(pkt);
    if (loop->pool_low && !(pkt->flags & IIP_PKT_COPY))
        pkt = iip_event_spill(loop, pkt);
    buf->pkt = pkt;
    if (type == IIP_EVENT_DATA)
        iip_conn_held(loop, obj, buf, charge);
    *ev = (struct iip_event){.src = src,
                             .user = obj->user,
                             .type = (uint16_t)type,
                             .flags = loop->run ? IIP_EVENT_MORE : 0,
                             .buf = iip_slot_handle(&loop->bufs, &buf->slot),
                             .addr = (uintptr_t)pkt->data,
                             .len = pkt->len};
    iip_buf_place(loop, pkt, &ev->offset, &ev->region);
    if (pkt->frame->region == IIP_FRAME_REGION_SPILL)
        ev->flags |= IIP_EVENT_COPIED;
    return 1;
}

static inline void iip_event_data(struct iip_loop *loop, struct iip_event *ev, struct iip_obj *obj, uint64_t src,
                                  struct iip_buf *buf)
{
    const struct iip_pkt *pkt = buf->pkt;
    buf->conn = obj;
    buf->generation = iip_slot_generation(&obj->slot);
    *ev = (struct iip_event){.src = src,
                             .user = obj->user,
                             .type = IIP_EVENT_DATA,
                             .buf = iip_slot_handle(&loop->bufs, &buf->slot),
                             .addr = (uintptr_t)pkt->data,
                             .len = pkt->len};
    iip_buf_place(loop, pkt, &ev->offset, &ev->region);
    buf->charge = IIP_CHARGE_OF_PKT;
}

/*
 * Nearly every note is data for a connection that credits by release, in packets of one view each: while it is, and
 * buffers are not few, the same as iip_event_run does, in a straight line. It stops in front of anything else, and
 * where there is no room.
 */
static void iip_event_stream(struct iip_loop *loop)
{
    struct iip_note *note = &loop->notes[loop->note_i];
    const struct iip_note *note_end = &loop->notes[loop->note_n];
    struct iip_event *ev = &loop->events[loop->event_n];
    const struct iip_event *ev_end = &loop->events[loop->event_max];
    for (; note != note_end; note++) {
        struct iip_obj *obj = note->user;
        struct iip_pkt *pkt = note->pkt;
        uint64_t src;
        if (note->type != IIP_NOTE_DATA || !obj || !pkt || obj->slot.next)
            break;
        src = iip_slot_handle(&loop->conns, &obj->slot);
        while (pkt && !pkt->next && ev != ev_end) {
            struct iip_pkt *rest = pkt->link;
            struct iip_buf *buf = iip_buf_make(loop, pkt);
            if (IIP_UNLIKELY(!buf))
                break;
            pkt->link = NULL;
            iip_event_data(loop, ev, obj, src, buf);
            if (rest)
                ev->flags = IIP_EVENT_MORE;
            ev++;
            pkt = rest;
        }
        note->pkt = pkt;
        if (pkt)
            break;
    }
    loop->note_i = (uint32_t)(note - loop->notes);
    loop->event_n = (uint32_t)(ev - loop->events);
}

/* A run, or the rest of it; 0: it could not be handed up whole. */
static int iip_event_run(struct iip_loop *loop, struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_event *ev;
    if (note->pkt) {
        loop->run = note->pkt;
        note->pkt = NULL;
    }
    while (loop->run) {
        if (iip_event_full(loop) || !iip_event_bytes(loop, note, src, type))
            return 0;
        if (type != IIP_EVENT_UDP)
            continue;
        ev = &loop->events[loop->event_n - 1];
        ev->value = note->value;
        iip_event_ends(loop, ev, note);
    }
    return 1;
}

static void iip_event_free_run(struct iip_loop *loop, struct iip_pkt *pkt)
{
    while (pkt) {
        struct iip_pkt *link = pkt->link;
        pkt->link = NULL;
        iip_pkt_free(loop->stk, pkt);
        pkt = link;
    }
}

/* ---- notes, as they come from the core ---- */

/* Does the core's connection end within this batch? Then its pointer is dead already. */
static int iip_event_ended(const struct iip_loop *loop, uint32_t i)
{
    const void *conn = loop->notes[i].conn;
    for (; i < loop->note_n; i++)
        if (loop->notes[i].type == IIP_NOTE_CLOSED && loop->notes[i].conn == conn)
            return 1;
    return 0;
}

/* A new connection: its slot becomes its cookie, also in the notes of this batch that were made before it had one. */
static void iip_event_accepted(struct iip_loop *loop, uint32_t i)
{
    struct iip_note *note = &loop->notes[i];
    struct iip_obj *lis = note->user;
    struct iip_obj *obj = lis ? iip_conn_take(loop, note->conn, lis->user) : NULL;
    int ended = iip_event_ended(loop, i);
    note->owner = lis;
    note->user = obj;
    if (!ended) {
        iip_tcp_user_set(note->conn, obj);
        if (!obj || loop->closing)
            iip_tcp_abort(loop->stk, note->conn);
    } else if (obj) {
        obj->core = NULL;
    }
    for (i++; i < loop->note_n; i++)
        if (loop->notes[i].conn == note->conn)
            loop->notes[i].user = obj;
}

/* Reading the notes killed the pointers of the connections that ended: nobody may follow them from here on. */
static void iip_event_fetch(struct iip_loop *loop)
{
    uint32_t i;
    loop->note_i = 0;
    loop->note_n = iip_stack_notes(loop->stk, loop->notes, IIP_NOTES);
    for (i = 0; i < loop->note_n; i++) {
        struct iip_note *note = &loop->notes[i];
        if (note->type == IIP_NOTE_ACCEPT)
            iip_event_accepted(loop, i);
        else if (note->type == IIP_NOTE_CLOSED && note->user)
            ((struct iip_obj *)note->user)->core = NULL;
    }
}

static void iip_event_conn(struct iip_loop *loop, const struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_obj *obj = note->user;
    struct iip_event *ev = iip_event_next(loop, src, obj->user, type, note->status);
    ev->value = note->value;
    if (note->type == IIP_NOTE_ACCEPT || note->type == IIP_NOTE_CONNECTED)
        iip_event_ends(loop, ev, note);
    if (note->type == IIP_NOTE_CLOSED)
        iip_conn_put(loop, obj);
}

/* The core tells who is told already, or waits in the list of want.c as well: one WRITABLE is owed, whoever says it. */
static void iip_event_writable(struct iip_loop *loop, const struct iip_note *note)
{
    struct iip_obj *obj = note->user;
    if (!(obj->slot.index & IIP_CONN_OWED))
        return;
    obj->slot.index &= ~(uint32_t)IIP_CONN_OWED;
    if (obj->slot.index & IIP_CONN_WANTS)
        iip_want_end(loop, obj);
    iip_event_conn(loop, note, iip_slot_handle(&loop->conns, &obj->slot), IIP_EVENT_WRITABLE);
}

static void iip_event_accept(struct iip_loop *loop, const struct iip_note *note, uint64_t src)
{
    const struct iip_obj *lis = note->owner;
    iip_event_conn(loop, note, src, IIP_EVENT_ACCEPT);
    loop->events[loop->event_n - 1].value = (lis->slot.index & IIP_OBJ_ENGINE)
        ? loop->all[lis->slot.next - 1].handle
        : iip_slot_handle(&loop->listeners, &lis->slot);
}

static void iip_event_udp_error(struct iip_loop *loop, const struct iip_note *note, uint64_t src)
{
    const struct iip_obj *obj = note->user;
    struct iip_event *ev = iip_event_next(loop, src, obj->user, IIP_EVENT_UDP_ERROR, note->status);
    ev->value = note->value;
    iip_event_ends(loop, ev, note);
}

/* One note; 0: there was no room for all of it. The caller saw to it that there is room for one event. */
static int iip_event_note(struct iip_loop *loop, struct iip_note *note)
{
    static const uint16_t type_of[] = {
        [IIP_NOTE_CONNECTED] = IIP_EVENT_CONNECTED, [IIP_NOTE_FIN] = IIP_EVENT_FIN,
        [IIP_NOTE_URGENT] = IIP_EVENT_URGENT,       [IIP_NOTE_ERROR] = IIP_EVENT_ERROR,
        [IIP_NOTE_CLOSED] = IIP_EVENT_CLOSED,
    };
    const struct iip_obj *obj = note->user;
    if (note->type == IIP_NOTE_FOREIGN) {
        iip_inbox_hand(loop, note);
        return 1;
    }
    if (!obj) { /* of a connection that was refused, or of an endpoint that is closed */
        if (note->type == IIP_NOTE_DATA || note->type == IIP_NOTE_UDP)
            iip_event_free_run(loop, note->pkt);
        return 1;
    }
    switch (note->type) {
    case IIP_NOTE_DATA:
        return iip_event_run(loop, note, iip_slot_handle(&loop->conns, &obj->slot), IIP_EVENT_DATA);
    case IIP_NOTE_UDP:
        return iip_event_run(loop, note, iip_slot_handle(&loop->udps, &obj->slot), IIP_EVENT_UDP);
    case IIP_NOTE_ACCEPT:
        iip_event_accept(loop, note, iip_slot_handle(&loop->conns, &obj->slot));
        return 1;
    case IIP_NOTE_WRITABLE:
        iip_event_writable(loop, note);
        return 1;
    case IIP_NOTE_UDP_ERROR:
        iip_event_udp_error(loop, note, iip_slot_handle(&loop->udps, &obj->slot));
        return 1;
    default:
        if (note->type < sizeof type_of / sizeof type_of[0] && type_of[note->type])
            iip_event_conn(loop, note, iip_slot_handle(&loop->conns, &obj->slot), type_of[note->type]);
        return 1;
    }
}

static int iip_event_notes(struct iip_loop *loop)
{
    for (;;) {
        if (!loop->pool_low)
            iip_event_stream(loop);
        if (loop->note_i == loop->note_n) {
            iip_event_fetch(loop);
            if (!loop->note_n)
                return 1;
        } else if (iip_event_full(loop) || !iip_event_note(loop, &loop->notes[loop->note_i])) {
            return 0;
        } else {
            loop->note_i++;
        }
    }
}

/* ---- what does not come from the core ---- */

int32_t iip_event_room(const struct iip_loop *loop)
{
    return loop->told_n <= loop->told_mask ? IIP_OK : IIP_E_AGAIN;
}

struct iip_event *iip_event_tell(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type, int32_t status)
{
    struct iip_event *ev = &loop->told[(loop->told_i + loop->told_n++) & loop->told_mask];
    *ev = (struct iip_event){.src = src, .user = user, .type = (uint16_t)type, .status = status};
    return ev;
}

static int iip_event_told(struct iip_loop *loop)
{
    while (loop->told_n) {
        if (iip_event_full(loop))
            return 0;
        loop->events[loop->event_n++] = loop->told[loop->told_i];
        loop->told_i = (loop->told_i + 1) & loop->told_mask;
        loop->told_n--;
    }
    return 1;
}

static int iip_event_tx_done(struct iip_loop *loop)
{
    struct iip_extern *ext;
    while ((ext = loop->done) != NULL) {
        if (iip_event_full(loop))
            return 0;
        iip_event_next(loop, ext->conn, ext->user, IIP_EVENT_TX_DONE, IIP_OK)->len = ext->bytes;
        loop->done = ext->next;
        if (!loop->done)
            loop->done_end = &loop->done;
        loop->externs--;
        iip_region_unsend(loop, ext);
    }
    return 1;
}

static int iip_event_alarms(struct iip_loop *loop, uint64_t until, uint32_t type, int32_t status)
{
    struct iip_alarm *alarm;
    while (loop->heap_n && loop->heap[0]->at <= until) {
        if (iip_event_full(loop))
            return 0;
        alarm = iip_alarm_take(loop, until);
        iip_event_next(loop, iip_slot_handle(&loop->alarms, &alarm->slot), alarm->user, type, status)->value =
            alarm->at;
        iip_slots_put(&loop->alarms, &alarm->slot);
    }
    return 1;
}

/* Each has a frame at least, and is looked at once; who is refused again goes to the end of the list. */
static int iip_event_wanted(struct iip_loop *loop)
{
    uint32_t left = loop->ops->frames_free(loop->queue);
    struct iip_obj *obj, *first = NULL;
    for (left = left > loop->frames_reserve ? left - loop->frames_reserve : 0; left; left--) {
        if (iip_event_full(loop))
            return !loop->want;
        obj = iip_want_take(loop);
        if (!obj)
            return 1;
        if (iip_want_room(loop, obj)) {
            obj->slot.index &= ~(uint32_t)IIP_CONN_OWED;
            iip_event_next(loop, iip_slot_handle(&loop->conns, &obj->slot), obj->user, IIP_EVENT_WRITABLE, IIP_OK);
            continue;
        }
        iip_want_add(loop, obj);
        if (obj == first)
            break;
        first = first ? first : obj;
    }
    iip_want_later(loop);
    return 1;
}

/* ---- the end of a loop: connections end by their notes, all else here, as there is room ---- */

static int iip_event_end_all(struct iip_loop *loop, struct iip_slots *t)
{
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t i;
    for (i = 0; t->live && i < n; i++) {
        struct iip_obj *obj = (struct iip_obj *)iip_slot_at(t, i);
        if (obj->slot.index & IIP_SLOT_FREE)
            continue;
        if (iip_event_full(loop))
            return 0;
        iip_event_next(loop, iip_slot_handle(t, &obj->slot), obj->user, IIP_EVENT_CLOSED, IIP_E_ABORTED);
        iip_op_end_obj(loop, t, obj);
    }
    return 1;
}

static int iip_event_closing(struct iip_loop *loop)
{
    return iip_event_alarms(loop, UINT64_MAX, IIP_EVENT_CLOSED, IIP_E_ABORTED) &&
        iip_event_end_all(loop, &loop->listeners) && iip_event_end_all(loop, &loop->udps);
}

int iip_event_waiting(const struct iip_loop *loop)
{
    return loop->more || loop->told_n || loop->done || loop->note_i < loop->note_n ||
        (loop->heap_n && loop->heap[0]->at <= loop->now) || (loop->want && loop->want_at <= loop->now);
}

void iip_event_collect(struct iip_loop *loop)
{
    loop->event_n = 0;
    loop->aux_n = 0;
    loop->more = !(iip_event_told(loop) && iip_event_tx_done(loop) &&
                   iip_event_alarms(loop, loop->now, IIP_EVENT_TIMER, IIP_OK) && iip_event_notes(loop) &&
                   (!loop->want || loop->want_at > loop->now || iip_event_wanted(loop)) &&
                   (!loop->closing || iip_event_closing(loop)));
    loop->stats.events += loop->event_n;
}

void iip_event_forget(struct iip_loop *loop, const struct iip_obj *obj)
{
    uint32_t i;
    for (i = loop->note_i; i < loop->note_n; i++) {
        struct iip_note *note = &loop->notes[i];
        if (note->user != obj)
            continue;
        if (i == loop->note_i) { /* it may be handed up in part */
            iip_event_free_run(loop, loop->run);
            loop->run = NULL;
        }
        note->user = NULL;
    }
}

/* Everything that the core handed over and nobody will read. */
void iip_event_drop(struct iip_loop *loop)
{
    struct iip_note *note;
    iip_event_free_run(loop, loop->run);
    loop->run = NULL;
    do {
        for (; loop->note_i < loop->note_n; loop->note_i++) {
            note = &loop->notes[loop->note_i];
            iip_event_free_run(loop, note->pkt);
        }
        loop->note_i = 0;
        loop->note_n = iip_stack_notes(loop->stk, loop->notes, IIP_NOTES);
    } while (loop->note_n);
}

/* ==== c/sdk/src/fork.c ==== */
/*
 * fork.c - telling a parent from its forked child with one load.
 *
 * A page that the kernel wipes in the child holds the number of the process; objects remember the number under which
 * they were made. The child, which finds 0, is given the next number when it opens an engine of its own.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>


static _Atomic uint32_t *iip_fork_page;
static uint32_t iip_fork_last; /* survives the fork */
static pthread_mutex_t iip_fork_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t iip_fork_once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t iip_fork_spare; /* where the page could not be had: forks go unnoticed */

/* The lock may be held by another thread while this one forks; the child must not find it so. */
static void iip_fork_child(void)
{
    pthread_mutex_init(&iip_fork_lock, NULL);
}

static void iip_fork_init(void)
{
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0)
        iip_fork_page = page;
    else
        iip_fork_page = &iip_fork_spare;
    pthread_atfork(NULL, NULL, iip_fork_child);
}

uint32_t iip_epoch(void)
{
    uint32_t epoch;
    pthread_once(&iip_fork_once, iip_fork_init);
    pthread_mutex_lock(&iip_fork_lock);
    epoch = atomic_load_explicit(iip_fork_page, memory_order_relaxed);
    if (!epoch) {
        epoch = ++iip_fork_last;
        atomic_store_explicit(iip_fork_page, epoch, memory_order_relaxed);
    }
    pthread_mutex_unlock(&iip_fork_lock);
    return epoch;
}

int32_t iip_epoch_ok(uint32_t epoch)
{
    return atomic_load_explicit(iip_fork_page, memory_order_relaxed) == epoch;
}

/* ==== c/sdk/src/handle.c ==== */
/* handle.c - slots with generations: taken from the front of a list, put at its end. */

#include <stdlib.h>

int32_t iip_slots_init(struct iip_slots *t, uint32_t kind, uint32_t loop, uint32_t item_bytes)
{
    t->chunk = calloc(IIP_SLOT_MAX / IIP_SLOT_CHUNK, sizeof *t->chunk);
    if (!t->chunk)
        return IIP_E_NOMEM;
    t->item_bytes = item_bytes;
    atomic_store_explicit(&t->count, 0, memory_order_relaxed);
    atomic_store_explicit(&t->live, 0, memory_order_relaxed);
    t->head = IIP_SLOT_NONE;
    t->tail = NULL;
    t->limit = IIP_SLOT_MAX;
    t->base = (uint64_t)kind << IIP_HANDLE_KIND_SHIFT | (uint64_t)loop << IIP_HANDLE_LOOP_SHIFT;
    return IIP_OK;
}

int32_t iip_slots_grow(struct iip_slots *t)
{
    uint32_t first = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t c = first >> IIP_SLOT_CHUNK_BITS;
    uint32_t i;
    if (first >= t->limit)
        return IIP_E_NOMEM;
    if (!atomic_load_explicit(&t->chunk[c], memory_order_relaxed)) {
        uint8_t *chunk = calloc(IIP_SLOT_CHUNK, t->item_bytes);
        if (!chunk)
            return IIP_E_NOMEM;
        atomic_store_explicit(&t->chunk[c], chunk, memory_order_relaxed);
    }
    for (i = first; i < first + IIP_SLOT_STEP; i++) {
        struct iip_slot *slot = iip_slot_at(t, i);
        slot->index = i;
        atomic_store_explicit(&slot->word, i, memory_order_relaxed);
        iip_slots_append(t, slot);
    }
    atomic_store_explicit(&t->count, first + IIP_SLOT_STEP, memory_order_release);
    return IIP_OK;
}

int32_t iip_slot_keep(struct iip_slots *t, uint64_t handle)
{
    struct iip_slot *slot = iip_slot_peek(t, handle);
    uint64_t word;
    if (!slot)
        return IIP_E_STALE;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (!iip_slot_matches(word, handle))
            return IIP_E_STALE;
        if (word > UINT64_MAX - IIP_SLOT_REF)
            return IIP_E_RANGE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + IIP_SLOT_REF, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return IIP_OK;
}

/* ==== c/sdk/src/inbox.c ==== */
/*
 * inbox.c - packets that one loop received and another owns: handed over without a copy.
 *
 * A packet is a view of its receiver's stack, so only the frame travels: the sender's view goes, the new owner makes
 * one of its own. The frame goes home to its pool when it is put, whichever loop does that. Many loops put, one takes;
 * the cells work as those of post.c.
 */
#include <stdlib.h>


enum { IIP_INBOX_MIN = 1024, IIP_INBOX_MAX = 32768 };

struct iip_inbox_cell {
    _Atomic uint32_t turn;
    uint32_t len;
    struct iip_frame *frame;
    uint8_t *data;
    uint16_t flags, seg_size;
    uint32_t more;               /* the next cell is of the same packet */
};

/* A cell for each frame that the other loops may have received, so that what they hand over finds room; a device of many
   queues loses what is beyond the maximum, as a full ring does. */
static uint32_t iip_inbox_cells(const struct iip_loop *loop, uint32_t loops)
{
    uint64_t frames = (uint64_t)loop->ops->frames_free(loop->queue) * (loops - 1);
    uint32_t n = IIP_INBOX_MIN;
    while (n < frames && n < IIP_INBOX_MAX)
        n *= 2;
    return n;
}

int32_t iip_inbox_init(struct iip_loop *loop, uint32_t loops)
{
    struct iip_inbox *inbox = &loop->inbox;
    uint32_t n = iip_inbox_cells(loop, loops), i;
    inbox->cells = calloc(n, sizeof *inbox->cells);
    if (!inbox->cells)
        return IIP_E_NOMEM;
    inbox->mask = n - 1;
    for (i = 0; i < n; i++)
        atomic_store_explicit(&inbox->cells[i].turn, i, memory_order_relaxed);
    return IIP_OK;
}

/* Reserves n cells in a row, *tail the first; 0: there are not so many. */
static int iip_inbox_reserve(struct iip_inbox *inbox, uint32_t n, uint32_t *tail)
{
    uint32_t at = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
    for (;;) {
        uint32_t last = at + n - 1;
        uint32_t seen = at;
        if (atomic_load_explicit(&inbox->cells[last & inbox->mask].turn, memory_order_acquire) == last) {
            if (atomic_compare_exchange_weak_explicit(&inbox->tail, &at, at + n, memory_order_relaxed,
                                                      memory_order_relaxed)) {
                *tail = seen;
                return 1;
            }
            continue;
        }
        at = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
        if (at == seen)
            return 0;
    }
}

/* How many cells a packet needs; 0: it cannot travel, for the frame of a view is shared with somebody who stays. */
static uint32_t iip_inbox_views(const struct iip_pkt *pkt)
{
    uint32_t n = 0;
    for (; pkt; pkt = pkt->next, n++)
        if (pkt->frame->views != 1)
            return 0;
    return n;
}

static void iip_inbox_put(struct iip_inbox *inbox, uint32_t tail, const struct iip_pkt *pkt)
{
    for (; pkt; pkt = pkt->next, tail++) {
        struct iip_inbox_cell *cell = &inbox->cells[tail & inbox->mask];
        cell->frame = pkt->frame;
        cell->data = pkt->data;
        cell->len = pkt->len;
        cell->flags = pkt->flags;
        cell->seg_size = pkt->seg_size;
        cell->more = pkt->next != NULL;
        pkt->frame->views++; /* the one that travels; it keeps the frame when the view is freed */
    }
}

static void iip_inbox_show(struct iip_inbox *inbox, uint32_t tail, uint32_t n)
{
    for (; n; n--, tail++)
        atomic_store_explicit(&inbox->cells[tail & inbox->mask].turn, tail + 1, memory_order_release);
}

void iip_inbox_hand(struct iip_loop *loop, const struct iip_note *note)
{
    struct iip_engine *engine = atomic_load_explicit(&loop->engine, memory_order_relaxed);
    struct iip_loop *to = engine && note->value < engine->loop_n ? engine->loops[note->value] : NULL;
    uint32_t n = iip_inbox_views(note->pkt);
    uint32_t tail;
    if (!to || !n || !iip_inbox_reserve(&to->inbox, n, &tail)) {
        iip_pkt_free(loop->stk, note->pkt);
        loop->stats.handed_lost++;
        return;
    }
    iip_inbox_put(&to->inbox, tail, note->pkt);
    iip_pkt_free(loop->stk, note->pkt);
    iip_inbox_show(&to->inbox, tail, n);
    iip_wake_now(to);
    loop->stats.handed_over++;
}

int iip_inbox_any(const struct iip_loop *loop)
{
    const struct iip_inbox *inbox = &loop->inbox;
    if (!inbox->cells)
        return 0;
    return atomic_load_explicit(&inbox->cells[inbox->head & inbox->mask].turn, memory_order_acquire) == inbox->head + 1;
}

/* A view of what the next cell holds; null: no memory, the frame goes home. */
static struct iip_pkt *iip_inbox_next(struct iip_loop *loop, uint32_t *more)
{
    struct iip_inbox *inbox = &loop->inbox;
    struct iip_inbox_cell *cell = &inbox->cells[inbox->head & inbox->mask];
    struct iip_frame *frame = cell->frame;
    struct iip_pkt *pkt;
    *more = cell->more;
    frame->views--;
    pkt = iip_pkt_new(loop->stk, frame, cell->data, cell->len);
    if (pkt) {
        pkt->flags = cell->flags;
        pkt->seg_size = cell->seg_size;
    } else {
        loop->ops->frame_put(loop->queue, frame);
        loop->stats.handed_lost++;
    }
    atomic_store_explicit(&cell->turn, inbox->head + inbox->mask + 1, memory_order_release);
    inbox->head++;
    return pkt;
}

/* The cells of one packet are shown one by one, so the rest of it may be a moment away; its sender does not wait. */
static struct iip_pkt *iip_inbox_packet(struct iip_loop *loop)
{
    struct iip_pkt *head = NULL;
    struct iip_pkt **end = &head;
    uint32_t more = 1;
    uint32_t whole = 1;
    while (more) {
        while (!iip_inbox_any(loop))
            ;
        *end = iip_inbox_next(loop, &more);
        if (*end)
            end = &(*end)->next;
        else
            whole = 0;
    }
    if (!whole) {
        iip_pkt_free(loop->stk, head);
        head = NULL;
    }
    return head;
}

uint32_t iip_inbox_take(struct iip_loop *loop, struct iip_pkt **pkts, uint32_t room)
{
    uint32_t n = 0;
    while (n < room && iip_inbox_any(loop)) {
        pkts[n] = iip_inbox_packet(loop);
        n += pkts[n] != NULL;
    }
    return n;
}

/* What nobody took goes home, before the port closes. */
void iip_inbox_free(struct iip_loop *loop)
{
    while (iip_inbox_any(loop)) {
        struct iip_inbox_cell *cell = &loop->inbox.cells[loop->inbox.head++ & loop->inbox.mask];
        cell->frame->views = 0;
        loop->ops->frame_put(loop->queue, cell->frame);
    }
    free(loop->inbox.cells);
}

/* ==== c/sdk/src/layout.c ==== */
/* layout.c - every field of every public structure, as this library was compiled, for bindings to compare. */
#include "iip.h"

#define TYPE(t) {#t, NULL, 0, sizeof(struct t)}
#define FIELD(t, f) {#t, #f, offsetof(struct t, f), sizeof(((struct t *)NULL)->f)}

static const struct iip_layout iip_layout_rows[] = {
    TYPE(iip_layout),
    FIELD(iip_layout, type),
    FIELD(iip_layout, field),
    FIELD(iip_layout, offset),
    FIELD(iip_layout, size),
    TYPE(iip_addr),
    FIELD(iip_addr, ip),
    FIELD(iip_addr, port),
    FIELD(iip_addr, family),
    FIELD(iip_addr, scope),
    FIELD(iip_addr, reserved),
    TYPE(iip_addrs),
    FIELD(iip_addrs, local),
    FIELD(iip_addrs, peer),
    TYPE(iip_engine_cfg),
    FIELD(iip_engine_cfg, size),
    FIELD(iip_engine_cfg, flags),
    FIELD(iip_engine_cfg, port),
    FIELD(iip_engine_cfg, addresses),
    FIELD(iip_engine_cfg, routes),
    FIELD(iip_engine_cfg, tunables),
    FIELD(iip_engine_cfg, neighbours),
    FIELD(iip_engine_cfg, pcap),
    FIELD(iip_engine_cfg, loops),
    FIELD(iip_engine_cfg, cores),
    FIELD(iip_engine_cfg, frames),
    FIELD(iip_engine_cfg, frame_bytes),
    FIELD(iip_engine_cfg, ring),
    FIELD(iip_engine_cfg, mtu),
    FIELD(iip_engine_cfg, op_cap),
    FIELD(iip_engine_cfg, release_cap),
    FIELD(iip_engine_cfg, event_cap),
    FIELD(iip_engine_cfg, tx_free_cap),
    FIELD(iip_engine_cfg, post_cap),
    FIELD(iip_engine_cfg, poll_us),
    FIELD(iip_engine_cfg, spill_bytes),
    FIELD(iip_engine_cfg, mem_limit),
    FIELD(iip_engine_cfg, seed),
    FIELD(iip_engine_cfg, key),
    FIELD(iip_engine_cfg, log_level),
    FIELD(iip_engine_cfg, reserved),
    TYPE(iip_engine_info),
    FIELD(iip_engine_info, size),
    FIELD(iip_engine_info, loops),
    FIELD(iip_engine_info, mtu),
    FIELD(iip_engine_info, link_up),
    FIELD(iip_engine_info, polls),
    FIELD(iip_engine_info, poll_us),
    FIELD(iip_engine_info, caps),
    FIELD(iip_engine_info, regions),
    FIELD(iip_engine_info, mac),
    FIELD(iip_engine_info, reserved),
    FIELD(iip_engine_info, conns),
    TYPE(iip_leaks),
    FIELD(iip_leaks, size),
    FIELD(iip_leaks, bufs),
    FIELD(iip_leaks, conns),
    FIELD(iip_leaks, listeners),
    FIELD(iip_leaks, udps),
    FIELD(iip_leaks, timers),
    FIELD(iip_leaks, externs),
    FIELD(iip_leaks, regions),
    TYPE(iip_region_info),
    FIELD(iip_region_info, base),
    FIELD(iip_region_info, len),
    FIELD(iip_region_info, index),
    FIELD(iip_region_info, reserved),
    TYPE(iip_event),
    FIELD(iip_event, src),
    FIELD(iip_event, user),
    FIELD(iip_event, type),
    FIELD(iip_event, flags),
    FIELD(iip_event, status),
    FIELD(iip_event, buf),
    FIELD(iip_event, addr),
    FIELD(iip_event, len),
    FIELD(iip_event, offset),
    FIELD(iip_event, region),
    FIELD(iip_event, reserved),
    FIELD(iip_event, aux),
    FIELD(iip_event, value),
    TYPE(iip_op),
    FIELD(iip_op, code),
    FIELD(iip_op, flags),
    FIELD(iip_op, len),
    FIELD(iip_op, obj),
    FIELD(iip_op, user),
    FIELD(iip_op, buf),
    FIELD(iip_op, arg),
    FIELD(iip_op, offset),
    FIELD(iip_op, aux),
    FIELD(iip_op, out),
    FIELD(iip_op, status),
    FIELD(iip_op, reserved),
    TYPE(iip_span),
    FIELD(iip_span, buf),
    FIELD(iip_span, addr),
    FIELD(iip_span, len),
    FIELD(iip_span, offset),
    FIELD(iip_span, region),
    FIELD(iip_span, reserved),
    FIELD(iip_span, flags),
    TYPE(iip_turn),
    FIELD(iip_turn, size),
    FIELD(iip_turn, flags),
    FIELD(iip_turn, wait_us),
    FIELD(iip_turn, op_n),
    FIELD(iip_turn, release_n),
    FIELD(iip_turn, tx_taken),
    FIELD(iip_turn, event_max),
    FIELD(iip_turn, event_n),
    FIELD(iip_turn, tx_free_n),
    FIELD(iip_turn, op_short),
    FIELD(iip_turn, release_failed),
    FIELD(iip_turn, state),
    FIELD(iip_turn, rx_packets),
    FIELD(iip_turn, now_us),
    FIELD(iip_turn, deadline_us),
    TYPE(iip_area),
    FIELD(iip_area, size),
    FIELD(iip_area, wake_fd),
    FIELD(iip_area, turn),
    FIELD(iip_area, ops),
    FIELD(iip_area, releases),
    FIELD(iip_area, events),
    FIELD(iip_area, tx_free),
    FIELD(iip_area, aux),
    FIELD(iip_area, op_aux),
    FIELD(iip_area, parked),
    FIELD(iip_area, op_cap),
    FIELD(iip_area, release_cap),
    FIELD(iip_area, event_cap),
    FIELD(iip_area, tx_free_cap),
    FIELD(iip_area, aux_bytes),
    FIELD(iip_area, op_aux_bytes),
    FIELD(iip_area, woken),
    TYPE(iip_conn_info),
    FIELD(iip_conn_info, size),
    FIELD(iip_conn_info, state),
    FIELD(iip_conn_info, conn),
    FIELD(iip_conn_info, user),
    FIELD(iip_conn_info, local),
    FIELD(iip_conn_info, peer),
    FIELD(iip_conn_info, options),
    FIELD(iip_conn_info, mss),
    FIELD(iip_conn_info, srtt_us),
    FIELD(iip_conn_info, rttvar_us),
    FIELD(iip_conn_info, rto_us),
    FIELD(iip_conn_info, min_rtt_us),
    FIELD(iip_conn_info, cwnd),
    FIELD(iip_conn_info, ssthresh),
    FIELD(iip_conn_info, snd_wnd),
    FIELD(iip_conn_info, rcv_wnd),
    FIELD(iip_conn_info, unacked),
    FIELD(iip_conn_info, unsent),
    FIELD(iip_conn_info, unread),
    FIELD(iip_conn_info, uncredited),
    FIELD(iip_conn_info, out_of_order),
    FIELD(iip_conn_info, retransmits),
    FIELD(iip_conn_info, rto_count),
    FIELD(iip_conn_info, dup_acks),
    FIELD(iip_conn_info, bytes_in),
    FIELD(iip_conn_info, bytes_out),
    TYPE(iip_loop_stats),
    FIELD(iip_loop_stats, size),
    FIELD(iip_loop_stats, conns),
    FIELD(iip_loop_stats, turns),
    FIELD(iip_loop_stats, events),
    FIELD(iip_loop_stats, ops),
    FIELD(iip_loop_stats, ops_failed),
    FIELD(iip_loop_stats, posts),
    FIELD(iip_loop_stats, parks),
    FIELD(iip_loop_stats, wakes),
    FIELD(iip_loop_stats, releases),
    FIELD(iip_loop_stats, foreign_releases),
    FIELD(iip_loop_stats, stale_handles),
    FIELD(iip_loop_stats, spill_copies),
    FIELD(iip_loop_stats, spill_bytes),
    FIELD(iip_loop_stats, bufs_held),
    FIELD(iip_loop_stats, frames_free),
    FIELD(iip_loop_stats, tx_pending),
    FIELD(iip_loop_stats, mem_used),
    FIELD(iip_loop_stats, rx_packets),
    FIELD(iip_loop_stats, rx_bytes),
    FIELD(iip_loop_stats, rx_dropped),
    FIELD(iip_loop_stats, tx_packets),
    FIELD(iip_loop_stats, tx_bytes),
    FIELD(iip_loop_stats, tx_refused),
    FIELD(iip_loop_stats, wire_lost),
    FIELD(iip_loop_stats, wire_duplicated),
    FIELD(iip_loop_stats, handed_over),
    FIELD(iip_loop_stats, handed_lost),
    TYPE(iip_log_record),
    FIELD(iip_log_record, time_us),
    FIELD(iip_log_record, obj),
    FIELD(iip_log_record, level),
    FIELD(iip_log_record, status),
    FIELD(iip_log_record, loop),
    FIELD(iip_log_record, lost),
    FIELD(iip_log_record, text),
};

int32_t iip_layout_get(uint32_t i, struct iip_layout *out)
{
    if (!out)
        return IIP_E_INVAL;
    if (i >= sizeof iip_layout_rows / sizeof iip_layout_rows[0])
        return IIP_E_NOT_FOUND;
    *out = iip_layout_rows[i];
    return IIP_OK;
}

/* ==== c/sdk/src/life.c ==== */
/* life.c - how a loop begins and ends: its stack and what that is given, its arrays, and what is left at the end. */
#include <stdlib.h>
#include <string.h>


/* ---- the host of the core ---- */

static struct iip_frame *iip_loop_frame_get(void *ctx, iip_u32 size)
{
    struct iip_loop *loop = ctx;
    if (loop->app_floor)
        return iip_buf_frame(loop, size, loop->app_floor);
    return loop->ops->frame_get(loop->queue, size);
}

static void iip_loop_frame_put(void *ctx, struct iip_frame *frame)
{
    struct iip_loop *loop = ctx;
    if (frame->region < IIP_FRAME_REGION_SPILL)
        loop->ops->frame_put(loop->queue, frame);
    else if (frame->region == IIP_FRAME_REGION_SPILL)
        iip_spill_put(loop, frame);
    else
        iip_region_done(loop, frame);
}

static iip_u32 iip_loop_transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct iip_loop *loop = ctx;
    return loop->ops->tx(loop->queue, pkts, n);
}

static void *iip_loop_mem(void *ctx, void *old, iip_size size)
{
    (void)ctx;
    if (size)
        return realloc(old, size);
    free(old);
    return NULL;
}

static void iip_loop_share(const struct iip_engine *engine, uint32_t self, struct iip_share *share)
{
    memset(share, 0, sizeof *share);
    if (engine->info.has_share)
        *share = engine->info.share;
    share->stacks = engine->loop_n;
    share->self = self;
}

static int32_t iip_loop_stack(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg)
{
    struct iip_host host = {.ctx = loop,
                            .frame_get = iip_loop_frame_get,
                            .frame_put = iip_loop_frame_put,
                            .transmit = iip_loop_transmit,
                            .mem = iip_loop_mem};
    struct iip_stack_cfg stack = {.size = sizeof stack,
                                  .flags = engine->info.stack_flags,
                                  .caps = engine->info.caps,
                                  .mtu = (uint32_t)atomic_load_explicit(&engine->link, memory_order_relaxed),
                                  .tso_max = engine->info.tso_max,
                                  .seed = cfg->seed + loop->index,
                                  .mem_limit = cfg->mem_limit};
    struct iip_share share;
    if (engine->loop_n > 1) {
        iip_loop_share(engine, loop->index, &share);
        stack.share = &share;
    }
    memcpy(stack.mac, engine->info.mac, sizeof stack.mac);
    memcpy(stack.key, cfg->key, sizeof stack.key);
    return iip_stack_new(&stack, &host, loop->now, &loop->stk);
}

static int32_t iip_loop_arrays(struct iip_loop *loop, const struct iip_engine_cfg *cfg)
{
    uint32_t told = 64;
    iip_u64 none;
    loop->op_cap = cfg->op_cap;
    loop->release_cap = cfg->release_cap;
    loop->event_cap = cfg->event_cap;
    loop->tx_free_cap = cfg->tx_free_cap;
    while (told < 2 * loop->op_cap)
        told *= 2;
    loop->told_mask = told - 1;
    loop->op_area = calloc(loop->op_cap, sizeof *loop->op_area);
    loop->releases = calloc(loop->release_cap, sizeof *loop->releases);
    loop->events = aligned_alloc(64, (size_t)loop->event_cap * sizeof *loop->events);
    loop->aux = calloc(loop->event_cap + 1, sizeof(struct iip_addrs));
    loop->op_aux = calloc(loop->op_cap + 1, sizeof(struct iip_addrs));
    loop->tx_free = calloc(loop->tx_free_cap, sizeof *loop->tx_free);
    loop->told = calloc(told, sizeof *loop->told);
    loop->shorted_cap = loop->op_cap;
    loop->shorted = calloc(loop->shorted_cap, sizeof *loop->shorted);
    loop->counter_n = iip_stack_counters(loop->stk, &none, 0);
    loop->counters_copy = calloc(loop->counter_n + 1, sizeof *loop->counters_copy);
    if (!loop->op_area || !loop->releases || !loop->events || !loop->aux || !loop->op_aux || !loop->tx_free ||
        !loop->told || !loop->shorted || !loop->counters_copy)
        return IIP_E_NOMEM;
    memset(loop->events, 0, (size_t)loop->event_cap * sizeof *loop->events);
    loop->turn.size = sizeof loop->turn;
    return IIP_OK;
}

static void iip_loop_at_most(struct iip_loop *loop, const char *tunable, uint32_t most)
{
    iip_u64 value = 0;
    iip_stack_get(loop->stk, tunable, &value);
    if (most < value)
        iip_stack_set(loop->stk, tunable, most ? most : 1);
}

/* To ask for a neighbour, and to hear him, takes frames: what waits for neighbours leaves half of the reserve to that. */
static void iip_loop_neigh_queue(struct iip_loop *loop)
{
    iip_loop_at_most(loop, "neigh.queue", loop->frames_reserve / 2);
    iip_loop_at_most(loop, "neigh.queue_all", loop->frames_reserve / 2);
}

/* Few: a quarter of what there was when nothing was used yet. Ports keep a reserve of their own, which is less. */
static void iip_loop_low_mark(struct iip_loop *loop)
{
    loop->frames_low = loop->ops->frames_free(loop->queue) / 4;
    loop->frames_reserve = loop->frames_low - loop->frames_low / 4;
    loop->frames_plenty = loop->frames_low > loop->frames_reserve ? loop->frames_low - 1 : loop->frames_reserve;
    /* A burst does not pass both marks before anybody saw that frames are few; small pools are not all for sending. */
    loop->burst_max = loop->frames_low - loop->frames_reserve;
    if (loop->burst_max > IIP_RX_BURST || !loop->burst_max)
        loop->burst_max = loop->burst_max ? IIP_RX_BURST : 1;
    if (loop->tx_free_cap > loop->frames_low)
        loop->tx_free_cap = loop->frames_low ? loop->frames_low : 1;
    iip_loop_neigh_queue(loop);
}

int32_t iip_loop_setup(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg)
{
    int32_t st;
    loop->epoch = engine->epoch;
    loop->ops = engine->ops;
    loop->queue = engine->ops->queue(engine->port, loop->index);
    loop->polls = engine->info.polls;
    loop->poll_us = engine->poll_us;
    loop->still = engine->wire[0] != 0;
    loop->cores = cfg->cores;
    loop->done_end = &loop->done;
    loop->link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    loop->now = 0;
    iip_loop_clock(loop);
    st = iip_loop_stack(loop, engine, cfg);
    if (st)
        return st;
    loop->ops->attach(loop->queue, loop->stk);
    st = iip_loop_arrays(loop, cfg);
    iip_loop_low_mark(loop);
    if (!st)
        st = iip_region_port(loop, engine);
    if (!st)
        st = iip_spill_init(loop, engine, cfg->spill_bytes);
    if (!st)
        st = iip_post_init(&loop->post, cfg->post_cap);
    if (!st && engine->loop_n > 1)
        st = iip_inbox_init(loop, engine->loop_n);
    if (!st)
        st = iip_wake_init(loop);
    if (!st && loop->cores)
        st = iip_ask_init(loop);
    return st;
}

/* ---- taking down ---- */

/* Counts and ends what lives in a table; the handles are stale from here on. */
static uint32_t iip_loop_end(struct iip_slots *t)
{
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t ended = 0;
    uint32_t i;
    for (i = 0; t->live && i < n; i++) {
        struct iip_slot *slot = iip_slot_at(t, i);
        if (slot->index & IIP_SLOT_FREE)
            continue;
        iip_slots_put(t, slot);
        ended++;
    }
    return ended;
}

/* A buffer whose last reference another thread just dropped is still on its way: it keeps its slot, but no packet. */
static uint32_t iip_loop_end_bufs(struct iip_loop *loop)
{
    struct iip_slots *t = &loop->bufs;
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t leaked = 0;
    uint32_t i;
    iip_buf_drain(loop);
    for (i = 0; i < n; i++) {
        struct iip_buf *buf = (struct iip_buf *)iip_slot_at(t, i);
        uint64_t word;
        if (buf->slot.index & IIP_SLOT_FREE)
            continue;
        word = atomic_load_explicit(&buf->slot.word, memory_order_relaxed);
        while (iip_slot_refs(word) && !atomic_compare_exchange_weak(&buf->slot.word, &word, word & IIP_SLOT_NAME))
            ;
        leaked += iip_slot_refs(word) != 0 && !(buf->slot.index & IIP_BUF_LAID_OUT);
        iip_pkt_free(loop->stk, buf->pkt);
        buf->pkt = NULL;
        if (iip_slot_refs(word))
            iip_slots_put(t, &buf->slot);
    }
    return leaked;
}

void iip_loop_abort_all(struct iip_loop *loop)
{
    struct iip_slots *t = &loop->conns;
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t i;
    for (i = 0; i < n; i++) {
        struct iip_obj *obj = (struct iip_obj *)iip_slot_at(t, i);
        if (!(obj->slot.index & IIP_SLOT_FREE) && obj->core) /* null: it has ended, and its CLOSED is not told yet */
            iip_tcp_abort(loop->stk, obj->core);
    }
    iip_stack_output(loop->stk, loop->now); /* the RSTs */
}

static void iip_loop_free(struct iip_loop *loop)
{
    free(loop->op_area);
    free(loop->releases);
    free(loop->events);
    free(loop->aux);
    free(loop->op_aux);
    free(loop->tx_free);
    free(loop->told);
    free(loop->shorted);
    free(loop->counters_copy);
    free(loop->post.cells);
    free(loop->heap);
    free(loop->credits);
    iip_region_free(loop);
    iip_inbox_free(loop);
    iip_wake_free(loop);
}

/* All that is not kept is zero for the next life. */
static void iip_loop_blank(struct iip_loop *loop)
{
    size_t first = offsetof(struct iip_loop, index);
    memset((uint8_t *)loop + first, 0, sizeof *loop - first);
    loop->wake_fd = loop->timer_fd = loop->epoll_fd = loop->port_fd = loop->app_fd = -1;
}

void iip_loop_clean(struct iip_loop *loop, struct iip_leaks *leaks)
{
    atomic_store_explicit(&loop->engine, NULL, memory_order_release);
    if (loop->stk) {
        iip_loop_abort_all(loop);
        iip_event_drop(loop);
        leaks->bufs += iip_loop_end_bufs(loop);
        iip_stack_free(loop->stk);
        leaks->externs += loop->externs;
    }
    leaks->conns += iip_loop_end(&loop->conns);
    leaks->listeners += iip_loop_end(&loop->listeners);
    leaks->udps += iip_loop_end(&loop->udps);
    leaks->timers += iip_loop_end(&loop->alarms);
    iip_spill_free(loop);
    iip_loop_free(loop);
    iip_loop_blank(loop);
    iip_loop_back(loop);
}

/* ==== c/sdk/src/listen.c ==== */
/* listen.c - listeners of the engine: each loop has one of its own that stands for it. */
#include <string.h>


static uint64_t iip_listen_handle(const struct iip_engine *engine, uint32_t i)
{
    return (uint64_t)IIP_KIND_LISTENER << IIP_HANDLE_KIND_SHIFT |
        (uint64_t)IIP_HANDLE_NO_LOOP << IIP_HANDLE_LOOP_SHIFT |
        (uint64_t)engine->listener_generation[i] << IIP_HANDLE_SLOT_BITS | i;
}

static void iip_listen_begin(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t i = (uint32_t)op->obj & IIP_SLOT_MASK;
    struct iip_op own = {.code = IIP_OP_LISTEN, .len = op->len, .user = op->user, .arg = op->arg};
    struct iip_obj *obj;
    op->status = iip_op_apply(loop, &own);
    if (op->status)
        return;
    obj = (struct iip_obj *)iip_slot_find(&loop->listeners, own.out);
    obj->slot.index |= IIP_OBJ_ENGINE;
    obj->slot.next = i + 1;
    loop->all[i].handle = op->obj;
    loop->all[i].own = own.out;
}

static void iip_listen_end(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t i = (uint32_t)op->obj & IIP_SLOT_MASK;
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->listeners, loop->all[i].own);
    op->status = IIP_OK;
    if (obj && loop->all[i].handle == op->obj)
        iip_op_end_obj(loop, &loop->listeners, obj);
    loop->all[i].own = 0;
}

/* Both always answer, see iip_engine_listen. */
void iip_listen_apply(struct iip_loop *loop, struct iip_op *op)
{
    op->out = op->obj;
    if (op->code == IIP_OP_LISTEN_ALL)
        iip_listen_begin(loop, op);
    else
        iip_listen_end(loop, op);
    op->out = op->obj;
}

/* All loops or none would need a vote; so a loop that has no room just now is asked again until it has. */
static int32_t iip_listen_post(struct iip_engine *engine, const struct iip_op *op)
{
    uint32_t i;
    int32_t st = IIP_OK;
    for (i = 0; i < engine->loop_n && !st; i++) {
        st = iip_post_put(&engine->loops[i]->post, op, 1);
        if (!st)
            iip_wake_now(engine->loops[i]);
    }
    return st;
}

static int32_t iip_listen_check(const struct iip_engine *engine)
{
    if (!engine)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    return iip_epoch_ok(engine->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_engine_listen(struct iip_engine *engine, const struct iip_addr *local, uint32_t backlog, uint64_t user,
                          uint64_t *out)
{
    struct iip_addrs addrs = {.local = {.port = 0}};
    struct iip_op op = {.code = IIP_OP_LISTEN_ALL, .flags = IIP_OP_REPLY, .len = backlog, .user = user};
    int32_t st = iip_listen_check(engine);
    uint32_t i;
    if (st)
        return st;
    if (!local || !out)
        return IIP_E_INVAL;
    addrs.local = *local;
    op.arg = (uintptr_t)&addrs;
    pthread_mutex_lock(&engine->lock);
    for (i = 0; i < IIP_LISTEN_ALL_MAX && engine->listener_live[i]; i++)
        ;
    st = i == IIP_LISTEN_ALL_MAX ? IIP_E_NOMEM : IIP_OK;
    if (!st) {
        engine->listener_live[i] = 1;
        op.obj = *out = iip_listen_handle(engine, i);
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : iip_listen_post(engine, &op);
}

int32_t iip_engine_unlisten(struct iip_engine *engine, uint64_t listener)
{
    struct iip_op op = {.code = IIP_OP_UNLISTEN_ALL, .flags = IIP_OP_REPLY, .obj = listener};
    int32_t st = iip_listen_check(engine);
    uint32_t i = (uint32_t)listener & IIP_SLOT_MASK;
    if (st)
        return st;
    if (i >= IIP_LISTEN_ALL_MAX)
        return IIP_E_STALE;
    pthread_mutex_lock(&engine->lock);
    if (!engine->listener_live[i] || iip_listen_handle(engine, i) != listener) {
        st = IIP_E_STALE;
    } else {
        engine->listener_live[i] = 0;
        engine->listener_generation[i] = (engine->listener_generation[i] + 1) & IIP_GENERATION_MASK;
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : iip_listen_post(engine, &op);
}

/* ==== c/sdk/src/log.c ==== */
/* log.c - what the engine has to tell people: a ring of records, read like events. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>


void iip_log_init(struct iip_log_ring *log, uint32_t level)
{
    pthread_mutex_init(&log->lock, NULL);
    log->first = log->count = log->lost = 0;
    log->level = level ? level : IIP_LOG_WARN;
}

static struct iip_log_record *iip_log_next(struct iip_log_ring *log)
{
    if (log->count == IIP_LOG_RECORDS) {
        log->lost += 1 + log->rows[log->first].lost;
        log->first = (log->first + 1) % IIP_LOG_RECORDS;
        log->count--;
    }
    return &log->rows[(log->first + log->count++) % IIP_LOG_RECORDS];
}

void iip_log_write(struct iip_engine *engine, uint32_t level, uint32_t loop, uint64_t obj, int32_t status,
                   const char *format, ...)
{
    struct iip_log_ring *log = &engine->log;
    struct iip_log_record *row;
    struct timespec ts;
    va_list args;
    if (level > log->level)
        return;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    pthread_mutex_lock(&log->lock);
    row = iip_log_next(log);
    memset(row, 0, sizeof *row);
    row->time_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    row->obj = obj;
    row->level = level;
    row->status = status;
    row->loop = loop;
    va_start(args, format);
    vsnprintf(row->text, sizeof row->text, format, args);
    va_end(args);
    pthread_mutex_unlock(&log->lock);
}

int32_t iip_engine_log(struct iip_engine *engine, struct iip_log_record *out, uint32_t cap)
{
    struct iip_log_ring *log;
    uint32_t n;
    if (!engine || (!out && cap))
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    log = &engine->log;
    pthread_mutex_lock(&log->lock);
    for (n = 0; n < cap && log->count; n++, log->count--) {
        out[n] = log->rows[log->first];
        out[n].lost += log->lost;
        log->lost = 0;
        log->first = (log->first + 1) % IIP_LOG_RECORDS;
    }
    pthread_mutex_unlock(&log->lock);
    return (int32_t)n;
}

/* ==== c/sdk/src/loop.c ==== */
/* loop.c - loops: where handles find theirs, who owns one, and what the owner may ask it. */
#include <stdlib.h>
#include <string.h>
#include <time.h>


struct iip_loop *_Atomic iip_loop_table[IIP_LOOPS_MAX];
static pthread_mutex_t iip_loop_table_lock = PTHREAD_MUTEX_INITIALIZER;

const void *iip_thread_token(void)
{
    static _Thread_local char token;
    return &token;
}

int32_t iip_loop_check_any(const struct iip_loop *loop)
{
    if (!loop)
        return IIP_E_INVAL;
    if (!atomic_load_explicit(&loop->engine, memory_order_acquire))
        return IIP_E_CLOSED;
    return iip_epoch_ok(loop->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_loop_check(const struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token() ? IIP_OK : IIP_E_WRONG_THREAD;
}

struct iip_loop *iip_loop_of(uint64_t handle)
{
    uint32_t number = iip_handle_loop(handle);
    struct iip_loop *loop;
    if (number >= IIP_LOOPS_MAX || !iip_handle_kind(handle))
        return NULL;
    loop = atomic_load_explicit(&iip_loop_table[number], memory_order_acquire);
    return loop && atomic_load_explicit(&loop->engine, memory_order_acquire) ? loop : NULL;
}

int32_t iip_loop_own(uint64_t handle, struct iip_loop **out)
{
    *out = iip_loop_of(handle);
    return *out ? iip_loop_check(*out) : IIP_E_STALE;
}

static int32_t iip_loop_tables(struct iip_loop *loop, uint32_t number)
{
    if (iip_slots_init(&loop->conns, IIP_KIND_CONN, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->listeners, IIP_KIND_LISTENER, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->udps, IIP_KIND_UDP, number, sizeof(struct iip_obj)) ||
        iip_slots_init(&loop->alarms, IIP_KIND_TIMER, number, sizeof(struct iip_alarm)) ||
        iip_slots_init(&loop->bufs, IIP_KIND_BUF, number, sizeof(struct iip_buf)))
        return IIP_E_NOMEM;
    loop->number = number;
    loop->wake_fd = loop->timer_fd = loop->epoll_fd = loop->port_fd = loop->app_fd = -1;
    pthread_mutex_init(&loop->stats_lock, NULL);
    atomic_store_explicit(&loop->returned, IIP_SLOT_NONE, memory_order_relaxed);
    return IIP_OK;
}

/* A loop that was made is used again, never freed: see sdk.h. */
struct iip_loop *iip_loop_new(void)
{
    struct iip_loop *loop = NULL;
    uint32_t i;
    pthread_mutex_lock(&iip_loop_table_lock);
    for (i = 0; i < IIP_LOOPS_MAX; i++) {
        loop = atomic_load_explicit(&iip_loop_table[i], memory_order_relaxed);
        if (!loop || !loop->taken)
            break;
    }
    if (i == IIP_LOOPS_MAX) {
        loop = NULL;
    } else if (!loop) {
        loop = calloc(1, sizeof *loop);
        if (loop && iip_loop_tables(loop, i)) {
            free(loop); /* the tables made so far are the price of running out of memory here, once */
            loop = NULL;
        }
        if (loop)
            atomic_store_explicit(&iip_loop_table[i], loop, memory_order_release);
    }
    if (loop)
        loop->taken = 1;
    pthread_mutex_unlock(&iip_loop_table_lock);
    return loop;
}

void iip_loop_back(struct iip_loop *loop)
{
    pthread_mutex_lock(&iip_loop_table_lock);
    atomic_store_explicit(&loop->owner, NULL, memory_order_relaxed);
    atomic_store_explicit(&loop->app, NULL, memory_order_relaxed);
    loop->taken = 0;
    pthread_mutex_unlock(&iip_loop_table_lock);
}

void iip_loop_clock(struct iip_loop *loop)
{
    struct timespec ts;
    uint64_t now;
    if (loop->ops->now) {
        now = loop->ops->now(loop->queue);
    } else {
        clock_gettime(CLOCK_MONOTONIC, &ts);
        now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    }
    if (now > loop->now)
        loop->now = now;
}

int32_t iip_loop_claim(_Atomic(const void *) *whose)
{
    const void *nobody = NULL;
    const void *self = iip_thread_token();
    if (atomic_load_explicit(whose, memory_order_relaxed) == self)
        return IIP_OK;
    return atomic_compare_exchange_strong_explicit(whose, &nobody, self, memory_order_acquire, memory_order_relaxed)
        ? IIP_OK
        : IIP_E_BUSY;
}

/* ---- public ---- */

int32_t iip_loop_attach(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    return st ? st : iip_loop_claim(loop->cores ? &loop->app : &loop->owner);
}

int32_t iip_loop_detach(struct iip_loop *loop)
{
    int32_t st = iip_loop_check(loop);
    if (st == IIP_E_WRONG_THREAD && iip_ask_app(loop)) {
        atomic_store_explicit(&loop->app, NULL, memory_order_release);
        return IIP_OK;
    }
    if (st)
        return st;
    iip_stats_publish(loop);
    if (loop->cores)
        iip_ask_leave(loop);
    else
        atomic_store_explicit(&loop->owner, NULL, memory_order_release);
    return IIP_OK;
}

int32_t iip_loop_index(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    return st ? st : (int32_t)loop->index;
}

int32_t iip_loop_now(struct iip_loop *loop, uint64_t *now_us)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_NOW, .to = now_us});
    if (!now_us)
        return IIP_E_INVAL;
    iip_loop_clock(loop);
    *now_us = loop->now;
    return IIP_OK;
}

int32_t iip_loop_area(struct iip_loop *loop, struct iip_area *out)
{
    struct iip_area area = {.size = sizeof area};
    int32_t st = iip_loop_check(loop);
    if (st && !(st == IIP_E_WRONG_THREAD && iip_ask_app(loop)))
        return st;
    if (!out)
        return IIP_E_INVAL;
    area.wake_fd = loop->wake_fd;
    area.turn = &loop->turn;
    area.ops = loop->op_area;
    area.releases = loop->releases;
    area.events = loop->events;
    area.tx_free = loop->tx_free;
    area.aux = (const uint8_t *)loop->aux;
    area.op_aux = (uint8_t *)loop->op_aux;
    area.parked = (const uint32_t *)&loop->parked;
    area.woken = (uint32_t *)&loop->woken;
    area.op_cap = loop->op_cap;
    area.release_cap = loop->release_cap;
    area.event_cap = loop->event_cap;
    area.tx_free_cap = loop->tx_free_cap;
    area.aux_bytes = (loop->event_cap + 1) * (uint32_t)sizeof(struct iip_addrs);
    area.op_aux_bytes = (loop->op_cap + 1) * (uint32_t)sizeof(struct iip_addrs);
    return iip_size_out(out, &area, sizeof area);
}

/* Connections are aborted now; what else there is ends in event.c, as there is room for the events. */
int32_t iip_loop_close(struct iip_loop *loop)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_CLOSE});
    if (loop->closing)
        return IIP_OK;
    loop->closing = 1;
    iip_loop_abort_all(loop);
    return IIP_OK;
}

/* ==== c/sdk/src/one.c ==== */
/* one.c - one thing at a time, for C, tools and tests: each makes one operation and does it now. */
#include <string.h>


int32_t iip_loop_op(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_OP, .to = op});
    if (!op)
        return IIP_E_INVAL;
    st = iip_op_apply(loop, op);
    loop->stats.ops++;
    loop->stats.ops_failed += st < 0;
    iip_op_end(loop);
    return st;
}

/* An operation on the object that `handle` names. */
static int32_t iip_one(uint64_t handle, struct iip_op *op)
{
    struct iip_loop *loop = iip_loop_of(handle);
    op->obj = handle;
    return loop ? iip_loop_op(loop, op) : IIP_E_STALE;
}

static int32_t iip_one_open(struct iip_loop *loop, uint32_t code, const char *local, const char *peer, uint64_t user,
                            uint64_t *out)
{
    struct iip_addrs addrs;
    struct iip_op op = {.code = (uint16_t)code, .user = user, .arg = (uintptr_t)&addrs};
    int32_t st = IIP_OK;
    memset(&addrs, 0, sizeof addrs);
    if (!out || !(local || peer))
        return IIP_E_INVAL;
    if (local)
        st = iip_addr_parse(local, &addrs.local);
    if (!st && peer)
        st = iip_addr_parse(peer, &addrs.peer);
    if (!st)
        st = iip_loop_op(loop, &op);
    if (!st)
        *out = op.out;
    return st;
}

int32_t iip_loop_listen(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_LISTEN, local, NULL, user, out);
}

int32_t iip_loop_connect(struct iip_loop *loop, const char *peer, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_CONNECT, NULL, peer, user, out);
}

int32_t iip_loop_udp(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out)
{
    return iip_one_open(loop, IIP_OP_UDP_OPEN, local, NULL, user, out);
}

int32_t iip_conn_send(uint64_t conn, const void *bytes, uint32_t len)
{
    struct iip_op op = {.code = IIP_OP_SEND_COPY, .len = len, .arg = (uintptr_t)bytes};
    int32_t st = iip_one(conn, &op);
    return st ? st : (int32_t)op.out;
}

int32_t iip_udp_send_to(uint64_t udp, const struct iip_addr *peer, const void *bytes, uint32_t len)
{
    struct iip_addrs addrs;
    struct iip_op op = {.code = IIP_OP_UDP_SEND_COPY, .len = len, .buf = (uintptr_t)bytes, .arg = (uintptr_t)&addrs};
    int32_t st;
    memset(&addrs, 0, sizeof addrs);
    if (peer)
        addrs.peer = *peer;
    st = iip_one(udp, &op);
    return st ? st : (int32_t)op.out;
}

int32_t iip_conn_shutdown(uint64_t conn)
{
    struct iip_op op = {.code = IIP_OP_SHUTDOWN};
    return iip_one(conn, &op);
}

int32_t iip_conn_abort(uint64_t conn)
{
    struct iip_op op = {.code = IIP_OP_ABORT};
    return iip_one(conn, &op);
}

int32_t iip_conn_set(uint64_t conn, uint32_t option, uint64_t value)
{
    struct iip_op op = {.code = IIP_OP_SET, .offset = option, .arg = value};
    return iip_one(conn, &op);
}

int32_t iip_handle_close(uint64_t handle)
{
    struct iip_op op = {.code = IIP_OP_CLOSE};
    return iip_one(handle, &op);
}

/* ==== c/sdk/src/op.c ==== */
/* op.c - operations: one function a code, in a table. */
#include <string.h>


/* ==== c/sdk/src/op.h ==== */
/* op.h - what op.c and send.c share. */
#ifndef IIP_SDK_OP_H
#define IIP_SDK_OP_H


/* The connection that an operation names, with IIP_OK; else IIP_E_STALE, or IIP_E_CLOSED: its end is yet to be told. */
struct iip_obj *iip_op_conn(const struct iip_loop *loop, const struct iip_op *op, int32_t *status);
struct iip_obj *iip_op_udp(const struct iip_loop *loop, const struct iip_op *op, int32_t *status);
/* The addresses that it names, zeros where it names none. IIP_E_RANGE. */
int32_t iip_op_addrs(const struct iip_loop *loop, const struct iip_op *op, struct iip_endpoint *local,
                     struct iip_endpoint *peer);
int iip_op_any(const struct iip_endpoint *e); /* zeros */

int32_t iip_op_send_buf(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_send_extern(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_send_copy(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_udp_send(struct iip_loop *loop, struct iip_op *op);
int32_t iip_op_udp_send_copy(struct iip_loop *loop, struct iip_op *op);

#endif

struct iip_obj *iip_op_conn(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->conns, op->obj);
    *status = !obj ? IIP_E_STALE : !obj->core ? IIP_E_CLOSED : IIP_OK;
    return obj;
}

struct iip_obj *iip_op_udp(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slot_find(&loop->udps, op->obj);
    *status = obj ? IIP_OK : IIP_E_STALE;
    return obj;
}

/* The addresses of an operation; a pair of zeros where it names none. */
int32_t iip_op_addrs(const struct iip_loop *loop, const struct iip_op *op, struct iip_endpoint *local,
                     struct iip_endpoint *peer)
{
    static const struct iip_addrs none;
    const struct iip_addrs *addrs = &none;
    uint32_t i = op->aux / (uint32_t)sizeof *addrs;
    if (op->aux) {
        if (op->aux % sizeof *addrs || i > loop->op_cap)
            return IIP_E_RANGE;
        addrs = &loop->op_aux[i];
    } else if (op->arg) {
        addrs = (const struct iip_addrs *)(uintptr_t)op->arg;
    }
    iip_addr_to(local, &addrs->local);
    iip_addr_to(peer, &addrs->peer);
    return IIP_OK;
}

int iip_op_any(const struct iip_endpoint *e)
{
    static const struct iip_ip any;
    return !e->port && !memcmp(&e->ip, &any, sizeof any);
}

static int32_t iip_op_nop(struct iip_loop *loop, struct iip_op *op)
{
    (void)loop;
    (void)op;
    return IIP_OK;
}

/* ---- new objects ---- */

static int32_t iip_op_connect(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_tcp_conn *conn;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = iip_conn_take(loop, NULL, op->user);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_tcp_connect(loop->stk, iip_op_any(&local) ? NULL : &local, &peer, obj, &conn);
    if (st) {
        iip_conn_put(loop, obj);
        return st;
    }
    obj->core = conn;
    op->out = iip_slot_handle(&loop->conns, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_listen(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_tcp_listener *lis;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = (struct iip_obj *)iip_slots_take(&loop->listeners);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_tcp_listen(loop->stk, &local, op->len ? op->len : IIP_BACKLOG, obj, &lis);
    if (st) {
        iip_slots_put(&loop->listeners, &obj->slot);
        return st;
    }
    obj->core = lis;
    obj->user = op->user;
    op->out = iip_slot_handle(&loop->listeners, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_udp_open(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_endpoint local, peer;
    struct iip_udp_sock *sock;
    struct iip_obj *obj;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    obj = (struct iip_obj *)iip_slots_take(&loop->udps);
    if (!obj)
        return IIP_E_NOMEM;
    st = iip_udp_open(loop->stk, &local, iip_op_any(&peer) ? NULL : &peer, obj, &sock);
    if (st) {
        iip_slots_put(&loop->udps, &obj->slot);
        return st;
    }
    obj->core = sock;
    obj->user = op->user;
    op->out = iip_slot_handle(&loop->udps, &obj->slot);
    return IIP_OK;
}

static int32_t iip_op_timer(struct iip_loop *loop, struct iip_op *op)
{
    uint64_t at = op->arg;
    if (!(op->flags & IIP_OP_ABSOLUTE))
        at = op->arg > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + op->arg;
    return iip_alarm_set(loop, at, op->user, &op->out);
}

/* ---- connections ---- */

static int32_t iip_op_credit(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return obj ? iip_conn_credit_explicit(loop, obj, op->len) : st;
}

static int32_t iip_op_shutdown(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_shutdown(loop->stk, obj->core);
}

static int32_t iip_op_abort(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_abort(loop->stk, obj->core);
}

static int32_t iip_op_urgent(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_conn(loop, op, &st);
    return st ? st : iip_tcp_urgent(loop->stk, obj->core);
}

/* ---- several kinds ---- */

static struct iip_slots *iip_op_table(struct iip_loop *loop, uint64_t handle)
{
    switch (iip_handle_kind(handle)) {
    case IIP_KIND_CONN:
        return &loop->conns;
    case IIP_KIND_LISTENER:
        return &loop->listeners;
    case IIP_KIND_UDP:
        return &loop->udps;
    default:
        return NULL;
    }
}

void iip_op_end_obj(struct iip_loop *loop, struct iip_slots *t, struct iip_obj *obj)
{
    if (t == &loop->listeners) {
        iip_tcp_unlisten(loop->stk, obj->core);
    } else {
        iip_event_forget(loop, obj);
        iip_udp_close(loop->stk, obj->core);
    }
    obj->core = NULL;
    iip_slots_put(t, &obj->slot);
}

static int32_t iip_op_close(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (iip_handle_kind(op->obj) == IIP_KIND_TIMER)
        return iip_alarm_cancel(loop, op->obj);
    if (!obj)
        return IIP_E_STALE;
    if (t == &loop->conns)
        return obj->core ? iip_tcp_close(loop->stk, obj->core) : IIP_E_CLOSED;
    if (iip_event_room(loop))
        return IIP_E_AGAIN;
    iip_event_tell(loop, op->obj, obj->user, IIP_EVENT_CLOSED, IIP_OK);
    iip_op_end_obj(loop, t, obj);
    return IIP_OK;
}

static int32_t iip_op_cancel(struct iip_loop *loop, struct iip_op *op)
{
    return iip_alarm_cancel(loop, op->obj);
}

static int32_t iip_op_udp_option(struct iip_loop *loop, struct iip_obj *obj, const struct iip_op *op)
{
    if (op->offset == IIP_OPT_TTL)
        return iip_udp_set(loop->stk, obj->core, IIP_UDP_TTL, op->arg);
    if (op->offset == IIP_OPT_DSCP)
        return iip_udp_set(loop->stk, obj->core, IIP_UDP_DSCP, op->arg);
    return IIP_E_NOT_FOUND;
}

static int32_t iip_op_set(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (!obj)
        return IIP_E_STALE;
    if (t == &loop->udps)
        return iip_op_udp_option(loop, obj, op);
    return t == &loop->conns ? iip_conn_option(loop, obj, op->offset, op->arg) : IIP_E_NOT_FOUND;
}

static int32_t iip_op_user(struct iip_loop *loop, struct iip_op *op)
{
    struct iip_slots *t = iip_op_table(loop, op->obj);
    struct iip_obj *obj = t ? (struct iip_obj *)iip_slot_find(t, op->obj) : NULL;
    if (!obj)
        return IIP_E_STALE;
    obj->user = op->user;
    return IIP_OK;
}

typedef int32_t (*iip_op_fn)(struct iip_loop *loop, struct iip_op *op);

static const iip_op_fn iip_op_table_of[] = {
    [IIP_OP_NOP] = iip_op_nop,
    [IIP_OP_CONNECT] = iip_op_connect,
    [IIP_OP_LISTEN] = iip_op_listen,
    [IIP_OP_UDP_OPEN] = iip_op_udp_open,
    [IIP_OP_SEND_BUF] = iip_op_send_buf,
    [IIP_OP_SEND_EXTERN] = iip_op_send_extern,
    [IIP_OP_SEND_COPY] = iip_op_send_copy,
    [IIP_OP_UDP_SEND] = iip_op_udp_send,
    [IIP_OP_UDP_SEND_COPY] = iip_op_udp_send_copy,
    [IIP_OP_CREDIT] = iip_op_credit,
    [IIP_OP_SHUTDOWN] = iip_op_shutdown,
    [IIP_OP_CLOSE] = iip_op_close,
    [IIP_OP_ABORT] = iip_op_abort,
    [IIP_OP_TIMER] = iip_op_timer,
    [IIP_OP_CANCEL] = iip_op_cancel,
    [IIP_OP_SET] = iip_op_set,
    [IIP_OP_USER] = iip_op_user,
    [IIP_OP_URGENT] = iip_op_urgent,
};

int iip_op_sends(uint32_t code)
{
    return code == IIP_OP_SEND_BUF || code == IIP_OP_SEND_EXTERN || code == IIP_OP_SEND_COPY;
}

static int iip_op_makes(uint32_t code)
{
    return code == IIP_OP_CONNECT || code == IIP_OP_LISTEN || code == IIP_OP_UDP_OPEN || code == IIP_OP_TIMER;
}

static inline int32_t iip_op_do(struct iip_loop *loop, struct iip_op *op)
{
    uint32_t code = op->code;
    int32_t st;
    op->out = 0;
    if (code >= sizeof iip_op_table_of / sizeof iip_op_table_of[0])
        st = IIP_E_NOT_SUPPORTED;
    else if (IIP_UNLIKELY(loop->closing) && iip_op_makes(code))
        st = IIP_E_CLOSED;
    else
        st = iip_op_table_of[code](loop, op);
    op->status = st;
    return st;
}

int32_t iip_op_apply(struct iip_loop *loop, struct iip_op *op)
{
    return iip_op_do(loop, op);
}

uint32_t iip_op_apply_all(struct iip_loop *loop, struct iip_op *ops, uint32_t n)
{
    const struct iip_op *end = ops + n;
    uint32_t failed = 0;
    for (; ops != end; ops++)
        failed += iip_op_do(loop, ops) < 0;
    return failed;
}

/* ==== c/sdk/src/post.c ==== */
/* post.c - operations from other threads: a bounded queue of cells, each with the turn whose it is. */
#include <stdlib.h>


int32_t iip_post_init(struct iip_post *post, uint32_t cap)
{
    uint32_t i;
    post->cells = calloc(cap, sizeof *post->cells);
    if (!post->cells)
        return IIP_E_NOMEM;
    post->mask = cap - 1;
    for (i = 0; i < cap; i++)
        atomic_store_explicit(&post->cells[i].turn, i, memory_order_relaxed);
    return IIP_OK;
}

static void iip_post_fill(struct iip_post_cell *cell, const struct iip_op *op)
{
    static const struct iip_addrs none;
    cell->op = *op;
    cell->addrs = none;
    if (op->arg &&
        (op->code == IIP_OP_CONNECT || op->code == IIP_OP_LISTEN || op->code == IIP_OP_UDP_OPEN ||
         op->code == IIP_OP_UDP_SEND || op->code == IIP_OP_UDP_SEND_COPY || op->code == IIP_OP_LISTEN_ALL)) {
        cell->addrs = *(const struct iip_addrs *)(uintptr_t)op->arg;
        cell->op.arg = (uintptr_t)&cell->addrs;
    }
}

/* The owner frees cells in order, so if the last of the n is free, all are. */
int32_t iip_post_put(struct iip_post *post, const struct iip_op *ops, uint32_t n)
{
    uint32_t tail = atomic_load_explicit(&post->tail, memory_order_relaxed);
    uint32_t i;
    if (n > post->mask + 1)
        return IIP_E_RANGE;
    do {
        uint32_t last = tail + n - 1;
        uint32_t turn = atomic_load_explicit(&post->cells[last & post->mask].turn, memory_order_acquire);
        if (turn != last) {
            uint32_t seen = tail;
            tail = atomic_load_explicit(&post->tail, memory_order_relaxed);
            if (tail == seen)
                return IIP_E_AGAIN;
            i = 0;
            continue;
        }
        i = atomic_compare_exchange_weak_explicit(&post->tail, &tail, tail + n, memory_order_relaxed,
                                                  memory_order_relaxed);
    } while (!i);
    for (i = 0; i < n; i++) {
        struct iip_post_cell *cell = &post->cells[(tail + i) & post->mask];
        iip_post_fill(cell, &ops[i]);
        atomic_store_explicit(&cell->turn, tail + i + 1, memory_order_release);
    }
    return IIP_OK;
}

int iip_post_any(const struct iip_post *post)
{
    uint32_t turn = atomic_load_explicit(&post->cells[post->head & post->mask].turn, memory_order_acquire);
    return turn == post->head + 1;
}

int iip_post_ready(const struct iip_loop *loop)
{
    return loop->told_n + 2 <= loop->told_mask && iip_post_any(&loop->post);
}

/* What an operation is called outside. */
static uint32_t iip_post_code(const struct iip_op *op)
{
    if (op->code == IIP_OP_LISTEN_ALL)
        return IIP_OP_LISTEN;
    return op->code == IIP_OP_UNLISTEN_ALL ? IIP_OP_CLOSE : op->code;
}

/* Who posted is told what he asked to know, and what he must know. */
static void iip_post_answer(struct iip_loop *loop, const struct iip_op *op)
{
    struct iip_event *ev;
    if (op->status >= 0 && !(op->flags & IIP_OP_REPLY) && !(iip_op_sends(op->code) && op->out < op->len))
        return;
    ev = iip_event_tell(loop, op->obj, op->user, IIP_EVENT_DONE, op->status);
    ev->value = op->out;
    ev->len = iip_post_code(op);
    if (op->code == IIP_OP_CONNECT || op->code == IIP_OP_LISTEN || op->code == IIP_OP_UDP_OPEN ||
        op->code == IIP_OP_TIMER)
        ev->src = op->out;
}

static void iip_post_one(struct iip_loop *loop, struct iip_op *op)
{
    if (op->code == IIP_OP_LISTEN_ALL || op->code == IIP_OP_UNLISTEN_ALL)
        iip_listen_apply(loop, op);
    else
        iip_op_apply(loop, op);
    loop->stats.ops++;
    loop->stats.ops_failed += op->status < 0;
    iip_post_answer(loop, op);
}

/* Each may make two events: its answer and a CLOSED. Where there is no room for them it waits. */
void iip_post_apply(struct iip_loop *loop)
{
    struct iip_post *post = &loop->post;
    while (iip_post_ready(loop)) {
        struct iip_post_cell *cell = &post->cells[post->head & post->mask];
        iip_post_one(loop, &cell->op);
        atomic_store_explicit(&cell->turn, post->head + post->mask + 1, memory_order_release);
        post->head++;
        loop->stats.posts++;
    }
}

int32_t iip_loop_post(struct iip_loop *loop, const struct iip_op *ops, uint32_t n)
{
    uint32_t i;
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    if (!ops && n)
        return IIP_E_INVAL;
    for (i = 0; i < n; i++)
        if (ops[i].code >= IIP_OP_LISTEN_ALL || ops[i].aux)
            return IIP_E_INVAL; /* the arena of addresses is the owner's */
    st = n ? iip_post_put(&loop->post, ops, n) : IIP_OK;
    if (!st)
        iip_wake_now(loop);
    return st;
}

/* ==== c/sdk/src/region.c ==== */
/*
 * region.c - memory: the list of regions in which buffers lie, which the application maps; and memory of the
 * application, which it registers to send from without a copy.
 */
#include <stdlib.h>
#include <string.h>


enum {
    IIP_EXTERN_REGIONS = 1024,
    IIP_EXTERN_STEP = 32       /* records that are made at a time */
};

/* ---- regions of buffers ---- */

static int32_t iip_region_append(struct iip_engine *engine, const void *base, uint64_t len)
{
    if (engine->region_n == engine->region_cap) {
        uint32_t cap = engine->region_cap ? 2 * engine->region_cap : 16;
        struct iip_region_info *more = realloc(engine->regions, cap * sizeof *more);
        if (!more)
            return IIP_E_NOMEM;
        engine->regions = more;
        engine->region_cap = cap;
    }
    engine->regions[engine->region_n] =
        (struct iip_region_info){.base = (uintptr_t)base, .len = len, .index = engine->region_n};
    engine->region_n++;
    return IIP_OK;
}

/* Offsets have 32 bits: what is larger than 4 GiB appears as windows that overlap a little. */
int32_t iip_region_map(struct iip_engine *engine, const void *base, uint64_t len)
{
    uint64_t window = (uint64_t)1 << IIP_REGION_SHIFT;
    int32_t first, st = IIP_OK;
    uint64_t at;
    pthread_mutex_lock(&engine->lock);
    first = (int32_t)engine->region_n;
    for (at = 0; at < len && !st; at += window) {
        uint64_t rest = len - at;
        st = iip_region_append(engine, (const uint8_t *)base + at,
                               rest > window + IIP_REGION_LAP ? window + IIP_REGION_LAP : rest);
    }
    pthread_mutex_unlock(&engine->lock);
    return st ? st : first;
}

/* Loops of one engine see the same regions at the same indices: the first to meet one maps it. */
static int32_t iip_region_index(struct iip_engine *engine, const struct iip_port_region *region)
{
    uint32_t i;
    int32_t found = -1;
    pthread_mutex_lock(&engine->lock);
    for (i = 0; i < engine->region_n && found < 0; i++)
        if (engine->regions[i].base == (uintptr_t)region->base)
            found = (int32_t)i;
    pthread_mutex_unlock(&engine->lock);
    return found < 0 ? iip_region_map(engine, region->base, region->len) : found;
}

int32_t iip_region_port(struct iip_loop *loop, struct iip_engine *engine)
{
    struct iip_port_region list[IIP_REGION_IDS - 1];
    uint32_t n = loop->ops->regions(engine->port, list, IIP_REGION_IDS - 1);
    uint32_t i;
    if (n >= IIP_REGION_IDS)
        return IIP_E_NOT_SUPPORTED;
    for (i = 0; i < n; i++) {
        int32_t index = iip_region_index(engine, &list[i]);
        if (index < 0)
            return index;
        if (list[i].id >= IIP_REGION_IDS - 1)
            return IIP_E_NOT_SUPPORTED;
        loop->regions[list[i].id] = (struct iip_region_row){list[i].base, list[i].len, (uint32_t)index, 1};
    }
    return IIP_OK;
}

int32_t iip_engine_regions(struct iip_engine *engine, struct iip_region_info *out, uint32_t cap)
{
    uint32_t n;
    if (!engine || (!out && cap))
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    pthread_mutex_lock(&engine->lock);
    n = engine->region_n;
    if (cap)
        memcpy(out, engine->regions, (n < cap ? n : cap) * sizeof *out);
    pthread_mutex_unlock(&engine->lock);
    return (int32_t)n;
}

/* ---- memory of the application: one table for the process, as its handles name no loop ---- */

struct iip_extern_region {
    struct iip_slot slot;         /* references: 1, and one for each send under way */
    struct iip_engine *engine;
    uint8_t *base;
    uint64_t len;
};

static struct iip_slots iip_extern_table;
static pthread_mutex_t iip_extern_lock = PTHREAD_MUTEX_INITIALIZER;

int32_t iip_region_add(struct iip_engine *engine, const void *base, uint64_t len, uint64_t *out)
{
    struct iip_extern_region *row;
    int32_t st = IIP_OK;
    if (!engine || !base || !len || !out)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    pthread_mutex_lock(&iip_extern_lock);
    if (!iip_extern_table.chunk) {
        st = iip_slots_init(&iip_extern_table, IIP_KIND_REGION, IIP_HANDLE_NO_LOOP, sizeof *row);
        iip_extern_table.limit = IIP_EXTERN_REGIONS;
    }
    row = st ? NULL : (struct iip_extern_region *)iip_slots_take(&iip_extern_table);
    if (row) {
        row->engine = engine;
        row->base = (uint8_t *)(uintptr_t)base;
        row->len = len;
        *out = iip_slot_handle(&iip_extern_table, &row->slot);
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return row ? IIP_OK : IIP_E_NOMEM;
}

int32_t iip_region_remove(uint64_t region)
{
    struct iip_slot *slot;
    int32_t st = IIP_E_STALE;
    pthread_mutex_lock(&iip_extern_lock);
    slot = iip_extern_table.chunk ? iip_slot_find(&iip_extern_table, region) : NULL;
    if (slot) {
        st = IIP_E_BUSY;
        if (iip_slot_end(slot, region)) { /* sends keep and drop references without the lock */
            iip_slots_back(&iip_extern_table, slot);
            st = IIP_OK;
        }
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return st;
}

uint32_t iip_region_forget(struct iip_engine *engine)
{
    uint32_t i, n;
    uint32_t forgotten = 0;
    pthread_mutex_lock(&iip_extern_lock);
    n = iip_extern_table.chunk ? atomic_load_explicit(&iip_extern_table.count, memory_order_relaxed) : 0;
    for (i = 0; i < n; i++) {
        struct iip_extern_region *row = (struct iip_extern_region *)iip_slot_at(&iip_extern_table, i);
        if (row->slot.index & IIP_SLOT_FREE || row->engine != engine)
            continue;
        iip_slots_put(&iip_extern_table, &row->slot);
        forgotten++;
    }
    pthread_mutex_unlock(&iip_extern_lock);
    return forgotten;
}

/* ---- sends from it ---- */

static int32_t iip_region_more(struct iip_loop *loop)
{
    struct iip_extern *step = calloc(IIP_EXTERN_STEP, sizeof *step);
    uint32_t i;
    if (!step)
        return IIP_E_NOMEM;
    step[0].next = loop->extern_steps; /* the first of each step only links the steps */
    loop->extern_steps = step;
    for (i = 1; i < IIP_EXTERN_STEP; i++) {
        step[i].next = loop->extern_free;
        loop->extern_free = &step[i];
    }
    return IIP_OK;
}

void iip_region_free(struct iip_loop *loop)
{
    while (loop->extern_steps) {
        struct iip_extern *step = loop->extern_steps;
        loop->extern_steps = step->next;
        free(step);
    }
}

struct iip_extern *iip_region_send(struct iip_loop *loop, uint64_t region, uint64_t offset, uint32_t len,
                                   int32_t *status)
{
    struct iip_extern_region *row;
    struct iip_extern *ext;
    *status = iip_extern_table.chunk ? iip_slot_keep(&iip_extern_table, region) : IIP_E_STALE;
    if (*status)
        return NULL;
    row = (struct iip_extern_region *)iip_slot_peek(&iip_extern_table, region);
    *status = IIP_E_STALE;
    if (row->engine != atomic_load_explicit(&loop->engine, memory_order_relaxed))
        goto refuse;
    *status = IIP_E_RANGE;
    if (offset > row->len || len > row->len - offset)
        goto refuse;
    *status = IIP_E_NOMEM;
    if (!loop->extern_free && iip_region_more(loop))
        goto refuse;
    ext = loop->extern_free;
    loop->extern_free = ext->next;
    ext->frame = (struct iip_frame){.base = row->base + offset,
                                    .size = len,
                                    .flags = IIP_FRAME_READ_ONLY,
                                    .region = IIP_FRAME_REGION_EXTERN,
                                    .host = ext};
    ext->region = region;
    ext->bytes = 0;
    *status = IIP_OK;
    return ext;
refuse:
    atomic_fetch_sub_explicit(&row->slot.word, IIP_SLOT_REF, memory_order_release);
    return NULL;
}

static void iip_region_unkeep(uint64_t region)
{
    struct iip_slot *slot = iip_slot_peek(&iip_extern_table, region);
    atomic_fetch_sub_explicit(&slot->word, IIP_SLOT_REF, memory_order_release);
}

void iip_region_unsend(struct iip_loop *loop, struct iip_extern *ext)
{
    ext->next = loop->extern_free;
    loop->extern_free = ext;
}

void iip_region_done(struct iip_loop *loop, struct iip_frame *frame)
{
    struct iip_extern *ext = frame->host;
    iip_region_unkeep(ext->region);
    if (!ext->bytes) {
        iip_region_unsend(loop, ext);
        return;
    }
    ext->next = NULL;
    *loop->done_end = ext;
    loop->done_end = &ext->next;
}

/* ==== c/sdk/src/send.c ==== */
/*
 * send.c - the operations that send: a buffer moves into the stack, registered memory is lent to it, bytes are copied.
 *
 * A stream takes what fits. What is not taken stays with the caller, and blocks later sends of the same turn.
 */
#include <string.h>


/* The core tells those whose queue drains. Of a packet that could not be made it knows nothing. */
static int iip_op_told(const struct iip_loop *loop, const struct iip_obj *obj, int32_t status)
{
    struct iip_tcp_info info = {.size = sizeof info};
    if (status != IIP_E_NOBUFS)
        return 0;
    iip_tcp_info(loop->stk, obj->core, &info);
    return info.unacked || info.unsent;
}

/* What was not taken blocks later sends of this turn, which would tear the stream. */
static __attribute__((noinline)) int32_t iip_op_short(struct iip_loop *loop, struct iip_obj *obj, struct iip_op *op,
                                                      int32_t taken)
{
    if (taken >= 0)
        op->out = (uint32_t)taken;
    if (taken < 0 && taken != IIP_E_AGAIN && taken != IIP_E_NOBUFS && taken != IIP_E_NOMEM)
        return taken;
    obj->slot.index |= IIP_CONN_OWED;
    if (loop->shorted_n < loop->shorted_cap && !(obj->slot.index & IIP_CONN_SHORT)) {
        obj->slot.index |= IIP_CONN_SHORT;
        loop->shorted[loop->shorted_n++] = obj;
    }
    if (taken < 0 && taken != IIP_E_AGAIN && !iip_op_told(loop, obj, taken))
        iip_want_add(loop, obj);
    loop->taken_in_part += taken > 0;
    return taken > 0 ? IIP_OK : taken == 0 ? IIP_E_AGAIN : taken;
}

static inline int32_t iip_op_sent(struct iip_loop *loop, struct iip_obj *obj, struct iip_op *op, int32_t taken)
{
    if (IIP_UNLIKELY(taken < 0 || (uint32_t)taken != op->len))
        return iip_op_short(loop, obj, op, taken);
    op->out = op->len;
    return IIP_UNLIKELY(op->flags & IIP_OP_SHUT) ? iip_tcp_shutdown(loop->stk, obj->core) : IIP_OK;
}

void iip_op_end(struct iip_loop *loop)
{
    while (loop->shorted_n)
        loop->shorted[--loop->shorted_n]->slot.index &= ~(uint32_t)IIP_CONN_SHORT;
}

static struct iip_obj *iip_op_sender(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = iip_op_conn(loop, op, status);
    if (!*status && (!op->len || op->len > INT32_MAX))
        *status = IIP_E_RANGE;
    if (!*status && obj->slot.index & IIP_CONN_SHORT)
        *status = IIP_E_AGAIN;
    return obj;
}

/* The buffer that an operation names, of which the caller owns a reference; laid out ones it does not. */
static struct iip_buf *iip_op_buf(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_buf *buf = (struct iip_buf *)iip_slot_find(&loop->bufs, op->buf);
    *status = IIP_OK;
    if (!buf || buf->slot.index & IIP_BUF_LAID_OUT)
        *status = IIP_E_STALE;
    else if (op->offset > buf->pkt->len || op->len > buf->pkt->len - op->offset)
        *status = IIP_E_RANGE;
    return buf;
}

/* A view of what is to be sent. The last holder gives up the packet itself; where others hold it too, a second view. */
static struct iip_pkt *iip_op_view(struct iip_loop *loop, struct iip_buf *buf, const struct iip_op *op)
{
    struct iip_pkt *pkt = buf->pkt;
    uint64_t word = atomic_load_explicit(&buf->slot.word, memory_order_acquire);
    if (iip_slot_refs(word) != 1)
        return iip_pkt_new(loop->stk, pkt->frame, pkt->data + op->offset, op->len);
    if (buf->conn && buf->charge == IIP_CHARGE_OF_PKT)
        buf->charge = iip_pkt_charge(pkt);
    pkt->data += op->offset;
    pkt->len = pkt->total = op->len;
    pkt->flags = 0;
    return pkt;
}

/* All was taken: the reference is used up. With its packet gone there is nothing to free but the slot. */
static inline void iip_op_buf_sent(struct iip_loop *loop, struct iip_buf *buf, uint64_t handle, int own)
{
    struct iip_slot *slot;
    if (own)
        buf->pkt = NULL;
    if (IIP_LIKELY(own && !buf->conn && iip_slot_end(&buf->slot, handle))) {
        iip_slots_back(&loop->bufs, &buf->slot);
        return;
    }
    if (iip_slot_drop(&loop->bufs, handle, &slot) == 1)
        iip_buf_free(loop, buf);
}

/* Not all was taken: the buffer is as it was. */
static void iip_op_buf_kept(struct iip_loop *loop, struct iip_pkt *view, int own, uint8_t *data, uint32_t len)
{
    if (!own) {
        iip_pkt_free(loop->stk, view);
        return;
    }
    view->data = data;
    view->len = view->total = len;
}

int32_t iip_op_send_buf(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st, taken;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    struct iip_buf *buf = st ? NULL : iip_op_buf(loop, op, &st);
    struct iip_pkt *view;
    uint8_t *data;
    uint32_t len;
    int own;
    if (st)
        return st;
    data = buf->pkt->data;
    len = buf->pkt->len;
    view = iip_op_view(loop, buf, op);
    if (!view)
        return iip_op_short(loop, obj, op, IIP_E_NOMEM);
    own = view == buf->pkt;
    taken = iip_tcp_send(loop->stk, obj->core, view);
    if (taken >= 0 && (uint32_t)taken == op->len)
        iip_op_buf_sent(loop, buf, op->buf, own);
    else
        iip_op_buf_kept(loop, view, own, data, len);
    return iip_op_sent(loop, obj, op, taken);
}

int32_t iip_op_send_extern(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st, taken;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    struct iip_extern *ext = st ? NULL : iip_region_send(loop, op->buf, op->arg, op->len, &st);
    struct iip_pkt *pkt;
    if (st)
        return st;
    pkt = iip_pkt_new(loop->stk, &ext->frame, ext->frame.base, op->len);
    if (!pkt) {
        iip_region_done(loop, &ext->frame);
        return iip_op_short(loop, obj, op, IIP_E_NOMEM);
    }
    taken = iip_tcp_send(loop->stk, obj->core, pkt);
    if (taken > 0) {
        ext->bytes = (uint32_t)taken;
        ext->conn = op->obj;
        ext->user = op->user;
        loop->externs++;
    }
    if (taken < 0 || (uint32_t)taken < op->len)
        iip_pkt_free(loop->stk, pkt);
    return iip_op_sent(loop, obj, op, taken);
}

/* As many bytes as there is room for; those that begin with many frames free leave the few to who comes next. */
static int32_t iip_op_write(struct iip_loop *loop, struct iip_obj *obj, const void *bytes, uint32_t len)
{
    uint32_t room = iip_want_room(loop, obj);
    int32_t taken;
    loop->app_floor = loop->pool_low ? loop->frames_reserve : loop->frames_plenty;
    taken = iip_tcp_write(loop->stk, obj->core, bytes, len < room ? len : room);
    loop->app_floor = 0;
    if (room >= len || taken < 0)
        return taken;
    iip_want_add(loop, obj);
    return taken ? taken : IIP_E_NOBUFS;
}

int32_t iip_op_send_copy(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    if (!st && !op->arg)
        st = IIP_E_INVAL;
    if (st)
        return st;
    st = iip_op_write(loop, obj, (const void *)(uintptr_t)op->arg, op->len);
    return iip_op_sent(loop, obj, op, st);
}

static int32_t iip_op_udp_out(struct iip_loop *loop, const struct iip_op *op, struct iip_obj *obj, struct iip_pkt *pkt)
{
    struct iip_endpoint local, peer;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    return iip_udp_send(loop->stk, obj->core, iip_op_any(&local) ? NULL : &local, iip_op_any(&peer) ? NULL : &peer,
                        pkt);
}

int32_t iip_op_udp_send(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_udp(loop, op, &st);
    struct iip_buf *buf = st ? NULL : iip_op_buf(loop, op, &st);
    struct iip_pkt *view;
    uint8_t *data;
    uint32_t len;
    int own;
    if (st)
        return st;
    data = buf->pkt->data;
    len = buf->pkt->len;
    view = iip_op_view(loop, buf, op);
    if (!view)
        return IIP_E_NOMEM;
    own = view == buf->pkt;
    st = iip_op_udp_out(loop, op, obj, view);
    if (st) {
        iip_op_buf_kept(loop, view, own, data, len);
        return st;
    }
    iip_op_buf_sent(loop, buf, op->buf, own);
    op->out = op->len;
    return IIP_OK;
}

/* A copy of a whole datagram, in as many frames as it takes; the core cuts it for the wire. */
static struct iip_pkt *iip_op_udp_copy(struct iip_loop *loop, const uint8_t *from, uint32_t len, int32_t *st)
{
    struct iip_pkt *first = NULL;
    struct iip_pkt **end = &first;
    do {
        struct iip_frame *frame = iip_buf_frame(loop, IIP_TX_HEADROOM + 1, loop->frames_reserve);
        uint32_t room = frame ? frame->size - IIP_TX_HEADROOM : 0;
        *end = frame ? iip_pkt_new(loop->stk, frame, frame->base + IIP_TX_HEADROOM, len < room ? len : room) : NULL;
        if (!*end) {
            if (frame)
                loop->ops->frame_put(loop->queue, frame);
            iip_pkt_free(loop->stk, first);
            *st = frame ? IIP_E_NOMEM : IIP_E_NOBUFS;
            return NULL;
        }
        if (len) {
            memcpy((*end)->data, from, (*end)->len);
            from += (*end)->len;
            len -= (*end)->len;
        }
        end = &(*end)->next;
    } while (len);
    return first;
}

int32_t iip_op_udp_send_copy(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_udp(loop, op, &st);
    struct iip_pkt *pkt;
    if (st)
        return st;
    if (op->len > UINT16_MAX)
        return IIP_E_MSGSIZE;
    if (op->len && !op->buf)
        return IIP_E_INVAL;
    pkt = iip_op_udp_copy(loop, (const uint8_t *)(uintptr_t)op->buf, op->len, &st);
    if (!pkt)
        return st;
    st = iip_op_udp_out(loop, op, obj, pkt);
    if (st)
        iip_pkt_free(loop->stk, pkt);
    else
        op->out = op->len;
    return st;
}

/* ==== c/sdk/src/size.c ==== */
/* size.c - structures that begin with their size and grow at their end. */
#include <string.h>


int32_t iip_size_check(const void *from, uint32_t known)
{
    const uint8_t *bytes = from;
    uint32_t size, i;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > IIP_SIZE_MAX)
        return IIP_E_INVAL;
    for (i = known; i < size; i++)
        if (bytes[i])
            return IIP_E_UNKNOWN_FIELD;
    return IIP_OK;
}

int32_t iip_size_in(void *to, uint32_t known, const void *from)
{
    uint32_t size;
    int32_t st = iip_size_check(from, known);
    if (st)
        return st;
    memcpy(&size, from, sizeof size);
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &known, sizeof known);
    return IIP_OK;
}

int32_t iip_size_out(void *to, const void *from, uint32_t known)
{
    uint32_t size;
    memcpy(&size, to, sizeof size);
    if (size < sizeof size)
        return IIP_E_INVAL;
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &known, sizeof known);
    return IIP_OK;
}

/* ==== c/sdk/src/spill.c ==== */
/*
 * spill.c - copies of arrivals, so that an application that keeps its buffers cannot keep the port's.
 *
 * When the port's pool runs low, new arrivals are copied here before they are handed up, and their frames go back at
 * once. The memory is mapped, not touched, until then; it is capped: beyond, arrivals stay in their frames until only
 * the port's reserve is left, and then the stack takes nothing more that would be held, see iip_turn_pressure.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>


enum { IIP_SPILL_BYTES = 2048 }; /* of one frame */

int32_t iip_spill_init(struct iip_loop *loop, struct iip_engine *engine, uint64_t bytes)
{
    struct iip_spill *spill = &loop->spill;
    uint64_t count = bytes / IIP_SPILL_BYTES;
    struct iip_region_row *row = &loop->regions[IIP_REGION_IDS - 1];
    int32_t index;
    void *base;
    if (!count || count > UINT32_MAX / sizeof(struct iip_frame))
        return count ? IIP_E_RANGE : IIP_OK;
    base =
        mmap(NULL, count * IIP_SPILL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return IIP_E_NOMEM;
    spill->base = base;
    spill->count = (uint32_t)count;
    spill->frames = calloc(count, sizeof *spill->frames);
    index = iip_region_map(engine, base, count * IIP_SPILL_BYTES);
    if (!spill->frames || index < 0)
        return IIP_E_NOMEM;
    *row = (struct iip_region_row){base, count * IIP_SPILL_BYTES, (uint32_t)index, 1};
    return IIP_OK;
}

void iip_spill_free(struct iip_loop *loop)
{
    if (loop->spill.base)
        munmap(loop->spill.base, (size_t)loop->spill.count * IIP_SPILL_BYTES);
    free(loop->spill.frames);
}

static struct iip_frame *iip_spill_get(struct iip_spill *spill)
{
    struct iip_frame *frame = spill->free;
    if (frame) {
        spill->free = frame->host;
        spill->used++;
        return frame;
    }
    if (spill->made == spill->count)
        return NULL;
    frame = &spill->frames[spill->made];
    frame->base = spill->base + (size_t)spill->made * IIP_SPILL_BYTES;
    frame->size = IIP_SPILL_BYTES;
    frame->region = IIP_FRAME_REGION_SPILL;
    spill->made++;
    spill->used++;
    return frame;
}

void iip_spill_put(struct iip_loop *loop, struct iip_frame *frame)
{
    frame->host = loop->spill.free;
    loop->spill.free = frame;
    loop->spill.used--;
}

/* One view of at most a frame's bytes from *from on, which moves along the chain. */
static struct iip_pkt *iip_spill_view(struct iip_loop *loop, const struct iip_pkt **from, uint32_t *at)
{
    struct iip_frame *frame = iip_spill_get(&loop->spill);
    struct iip_pkt *view;
    uint32_t len = 0;
    if (!frame)
        return NULL;
    while (*from && len < IIP_SPILL_BYTES) {
        uint32_t part = (*from)->len - *at;
        if (part > IIP_SPILL_BYTES - len)
            part = IIP_SPILL_BYTES - len;
        memcpy(frame->base + len, (*from)->data + *at, part);
        len += part;
        *at += part;
        if (*at == (*from)->len) {
            *from = (*from)->next;
            *at = 0;
        }
    }
    view = iip_pkt_new(loop->stk, frame, frame->base, len);
    if (!view)
        iip_spill_put(loop, frame);
    return view;
}

struct iip_pkt *iip_spill_copy(struct iip_loop *loop, struct iip_pkt *pkt)
{
    const struct iip_pkt *from = pkt;
    struct iip_pkt *copy = NULL;
    struct iip_pkt **end = &copy;
    uint32_t at = 0;
    do {
        *end = iip_spill_view(loop, &from, &at);
        if (!*end) {
            iip_pkt_free(loop->stk, copy);
            return pkt;
        }
        loop->stats.spill_bytes += (*end)->len;
        end = &(*end)->next;
    } while (from);
    loop->stats.spill_copies++;
    copy->link = pkt->link;
    iip_pkt_free(loop->stk, pkt);
    return copy;
}

/* ==== c/sdk/src/stats.c ==== */
/*
 * stats.c - what is going on. The owner reads the truth; other threads read a copy that the owner makes in its next
 * turn after somebody asked. The owner never waits for the lock: it copies again another time.
 */
#include <stdlib.h>
#include <string.h>


static void iip_stats_fill(struct iip_loop *loop, struct iip_loop_stats *out)
{
    struct iip_port_stats port;
    memset(&port, 0, sizeof port);
    loop->ops->stats(loop->queue, &port);
    *out = loop->stats;
    out->size = sizeof *out;
    out->conns = loop->conns.live;
    out->stale_handles += atomic_load_explicit(&loop->stale, memory_order_relaxed);
    out->bufs_held = loop->bufs.live - loop->tx_free_n;
    out->frames_free = loop->ops->frames_free(loop->queue);
    out->tx_pending = iip_stack_tx_pending(loop->stk);
    out->mem_used = iip_stack_mem_used(loop->stk);
    out->rx_packets = port.rx_packets;
    out->rx_bytes = port.rx_bytes;
    out->rx_dropped = port.rx_dropped;
    out->tx_packets = port.tx_packets;
    out->tx_bytes = port.tx_bytes;
    out->tx_refused = port.tx_refused;
    out->wire_lost = port.wire_lost;
    out->wire_duplicated = port.wire_duplicated;
}

void iip_stats_publish(struct iip_loop *loop)
{
    if (pthread_mutex_trylock(&loop->stats_lock))
        return;
    atomic_store_explicit(&loop->want_stats, 0, memory_order_relaxed);
    iip_stats_fill(loop, &loop->stats_copy);
    iip_stack_counters(loop->stk, loop->counters_copy, loop->counter_n);
    pthread_mutex_unlock(&loop->stats_lock);
}

static int iip_stats_mine(const struct iip_loop *loop)
{
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token();
}

int32_t iip_loop_stats_get(struct iip_loop *loop, struct iip_loop_stats *out)
{
    struct iip_loop_stats stats;
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    if (iip_stats_mine(loop)) {
        iip_stats_fill(loop, &stats);
    } else if (iip_ask_app(loop)) {
        return iip_ask(loop, IIP_E_WRONG_THREAD, &(struct iip_ask){.code = IIP_ASK_STATS, .to = out});
    } else {
        atomic_store_explicit(&loop->want_stats, 1, memory_order_relaxed);
        pthread_mutex_lock(&loop->stats_lock);
        stats = loop->stats_copy;
        pthread_mutex_unlock(&loop->stats_lock);
    }
    stats.size = sizeof stats;
    return iip_size_out(out, &stats, sizeof stats);
}

int32_t iip_loop_counters(struct iip_loop *loop, uint64_t *out, uint32_t cap)
{
    int32_t st = iip_loop_check_any(loop);
    iip_u64 none;
    if (st)
        return st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (iip_stats_mine(loop))
        return (int32_t)iip_stack_counters(loop->stk, out ? out : &none, cap);
    if (iip_ask_app(loop))
        return iip_ask(loop, IIP_E_WRONG_THREAD, &(struct iip_ask){.code = IIP_ASK_COUNTERS, .n = cap, .to = out});
    atomic_store_explicit(&loop->want_stats, 1, memory_order_relaxed);
    pthread_mutex_lock(&loop->stats_lock);
    if (cap)
        memcpy(out, loop->counters_copy, (cap < loop->counter_n ? cap : loop->counter_n) * sizeof *out);
    pthread_mutex_unlock(&loop->stats_lock);
    return (int32_t)loop->counter_n;
}

const char *iip_counter_name(uint32_t i)
{
    return iip_stack_counter_name(i);
}

/* ==== c/sdk/src/status.c ==== */
/* status.c - the one table of statuses: name, class, errno, sentence. */
#include <errno.h>

#include "iip.h"

struct iip_status_row {
    const char *name;
    const char *text;
    uint32_t status_class;
    int32_t os_errno;
};

#define ROW(name, kind, number, sentence) [-(name)] = {#name, sentence, IIP_CLASS_##kind, number}

static const struct iip_status_row iip_status_rows[] = {
    ROW(IIP_OK, OK, 0, "success"),
    ROW(IIP_E_AGAIN, RETRY, EAGAIN, "a queue or a buffer is full: wait for the event that says it drained"),
    ROW(IIP_E_INVAL, USAGE, EINVAL, "an argument is out of its range"),
    ROW(IIP_E_NOMEM, RESOURCE, ENOMEM, "no memory, or the stack's ceiling is reached"),
    ROW(IIP_E_NOBUFS, RESOURCE, ENOBUFS, "no packet buffer is free: release some, or open the engine with more frames"),
    ROW(IIP_E_ADDR_IN_USE, USAGE, EADDRINUSE, "the local address and port are taken"),
    ROW(IIP_E_ADDR_NOT_AVAIL, USAGE, EADDRNOTAVAIL, "not an address of this stack, or no port is free"),
    ROW(IIP_E_UNREACHABLE, CONNECTION, EHOSTUNREACH, "nobody answers for the address, or an ICMP error said so"),
    ROW(IIP_E_NET_UNREACHABLE, CONNECTION, ENETUNREACH, "no route to the network, here or by an ICMP error"),
    ROW(IIP_E_REFUSED, CONNECTION, ECONNREFUSED, "the peer refused"),
    ROW(IIP_E_RESET, CONNECTION, ECONNRESET, "the peer reset the connection"),
    ROW(IIP_E_TIMEOUT, CONNECTION, ETIMEDOUT, "retransmissions, keep-alives or the user timeout ran out"),
    ROW(IIP_E_ABORTED, CONNECTION, ECONNABORTED, "the application aborted the connection"),
    ROW(IIP_E_NOT_CONNECTED, USAGE, ENOTCONN, "the connection is not in a state that allows this"),
    ROW(IIP_E_SHUTDOWN, USAGE, EPIPE, "this direction was already shut down"),
    ROW(IIP_E_MSGSIZE, USAGE, EMSGSIZE, "the datagram is larger than can be sent"),
    ROW(IIP_E_NOT_FOUND, USAGE, ENOENT, "no such name"),
    ROW(IIP_E_RANGE, USAGE, ERANGE, "a value outside the range that is allowed"),
    ROW(IIP_E_NOT_SUPPORTED, USAGE, EOPNOTSUPP, "this port or build cannot do that"),
    ROW(IIP_E_ACCESS, USAGE, EACCES, "the system refused: a right is missing"),
    ROW(IIP_E_BUSY, RETRY, EBUSY, "it is in use: close what uses it first"),
    ROW(IIP_E_STALE, USAGE, EBADF, "the handle is closed, released or foreign"),
    ROW(IIP_E_WRONG_THREAD, USAGE, EPERM, "only the thread that is attached to the loop may call this"),
    ROW(IIP_E_FORKED, USAGE, ECHILD, "the object belongs to the parent of this process"),
    ROW(IIP_E_UNKNOWN_FIELD, USAGE, E2BIG, "a structure has a non-zero tail that this library does not know"),
    ROW(IIP_E_ABI, USAGE, ENOEXEC, "library, plug-in or caller are of different versions"),
    ROW(IIP_E_CLOSED, CONNECTION, EPIPE, "the object was closed"),
    ROW(IIP_E_IO, LOOP, EIO, "the port failed"),
    ROW(IIP_E_NO_DEVICE, USAGE, ENODEV, "no such device or port"),
    ROW(IIP_E_EXISTS, USAGE, EEXIST, "it is there already"),
    ROW(IIP_E_LINK_DOWN, LOOP, ENETDOWN, "the link is down"),
};

#undef ROW

_Static_assert(sizeof iip_status_rows / sizeof iip_status_rows[0] == -(IIP_E_LAST), "every status has a row");

static const struct iip_status_row iip_status_unknown = {"IIP_E_UNKNOWN", "an unknown status", IIP_CLASS_USAGE, EINVAL};

/* Every number of 0 and more is success. */
static const struct iip_status_row *iip_status_row(int32_t status)
{
    if (status > 0)
        status = IIP_OK;
    return status > IIP_E_LAST ? &iip_status_rows[-status] : &iip_status_unknown;
}

const char *iip_status_name(int32_t status)
{
    return iip_status_row(status)->name;
}

const char *iip_status_text(int32_t status)
{
    return iip_status_row(status)->text;
}

uint32_t iip_status_class(int32_t status)
{
    return iip_status_row(status)->status_class;
}

int32_t iip_status_errno(int32_t status)
{
    return iip_status_row(status)->os_errno;
}

/* ==== c/sdk/src/turn.c ==== */
/*
 * turn.c - one turn, in the order that <iip/iip.h> promises.
 *
 * Acknowledgements of bytes that a turn hands up are held until the application had its turn: they ride on the answer.
 * What holds them is the core's input; its output holds nothing back. The answer is in the operations of the next turn,
 * so that turn sends by output, and what got no answer is acknowledged by itself: a loop that only receives and never
 * waits would otherwise acknowledge by the delayed-ACK timer alone.
 */

uint64_t iip_turn_deadline(struct iip_loop *loop)
{
    uint64_t stack = iip_stack_deadline(loop->stk);
    uint64_t alarm = loop->heap_n && !loop->alone ? loop->heap[0]->at : UINT64_MAX;
    if (loop->want && !loop->alone && loop->want_at < alarm)
        alarm = loop->want_at;
    return stack < alarm ? stack : alarm;
}

static int32_t iip_turn_check(const struct iip_loop *loop, const struct iip_turn *turn)
{
    int32_t st;
    if (!turn || turn->size < sizeof *turn)
        return IIP_E_INVAL;
    if (IIP_UNLIKELY(turn->size != sizeof *turn) && (st = iip_size_check(turn, sizeof *turn)) != 0)
        return st;
    if (turn->op_n > loop->op_cap || turn->release_n > loop->release_cap || turn->tx_taken > loop->tx_free_n)
        return IIP_E_RANGE;
    return IIP_OK;
}

static void iip_turn_release(struct iip_loop *loop, struct iip_turn *turn)
{
    turn->release_failed = iip_buf_put(loop, loop->releases, turn->release_n);
    iip_buf_drain(loop);
}

static void iip_turn_ops(struct iip_loop *loop, struct iip_turn *turn)
{
    uint32_t failed;
    loop->taken_in_part = 0;
    failed = iip_op_apply_all(loop, loop->op_area, turn->op_n);
    turn->op_short = failed + loop->taken_in_part;
    loop->stats.ops += turn->op_n;
    loop->stats.ops_failed += failed;
    iip_post_apply(loop);
    iip_op_end(loop);
}

/* The core has something to say only where the networking went on without the application, see ask.c. */
static int iip_turn_may_wait(const struct iip_loop *loop, const struct iip_turn *turn)
{
    return turn->flags & IIP_TURN_WAIT && turn->wait_us != 0 && !iip_event_waiting(loop) && !loop->closing &&
        !loop->still && !iip_stack_speaks(loop->stk);
}

/*
 * How many frames must stay free of arrivals: the reserve. It is send queues that emptied the pool if the application
 * holds next to nothing that arrived, and then a third of the reserve is for arrivals: two ends whose send queues are
 * full would refuse each other's text for ever.
 */
static uint32_t iip_turn_reserve(const struct iip_loop *loop)
{
    uint32_t third = loop->frames_low / 4;
    uint32_t held = loop->bufs.live - loop->tx_free_n;
    return held < loop->spill.used + third ? loop->frames_reserve - third : loop->frames_reserve;
}

/*
 * Only the reserve is left: nothing may wait in the stack, and once spill memory cannot take this burst either, nothing
 * may be held at all. Frames of packets that are refused go back at once, so receiving goes on.
 */
static void iip_turn_pressure(struct iip_loop *loop, uint32_t n)
{
    uint32_t level = IIP_PRESSURE_NONE;
    if (loop->ops->frames_free(loop->queue) <= iip_turn_reserve(loop))
        level = loop->spill.count - loop->spill.used < n ? IIP_PRESSURE_ALL : IIP_PRESSURE_WAITING;
    loop->pressed = level != IIP_PRESSURE_NONE;
    iip_stack_pressure(loop->stk, level);
}

static uint32_t iip_turn_receive(struct iip_loop *loop, uint32_t more)
{
    uint32_t n = loop->burst_n;
    if (!n && !more) {
        n = loop->ops->rx(loop->queue, loop->burst, loop->burst_max);
        if (n < loop->burst_max && loop->inbox.cells)
            n += iip_inbox_take(loop, loop->burst + n, loop->burst_max - n);
    }
    loop->burst_n = 0;
    if (loop->pool_low || loop->pressed)
        iip_turn_pressure(loop, n);
    iip_stack_input(loop->stk, loop->burst, n, loop->now);
    return n;
}

/* One loop asks the port, all see what it said. */
static void iip_turn_link(struct iip_loop *loop)
{
    struct iip_engine *engine = atomic_load_explicit(&loop->engine, memory_order_relaxed);
    uint64_t link;
    if (loop->index == 0 && loop->ops->changed(engine->port))
        iip_engine_link(engine);
    link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    if (link == loop->link || iip_event_room(loop))
        return;
    if ((uint32_t)link != (uint32_t)loop->link)
        iip_stack_mtu_set(loop->stk, (uint32_t)link);
    loop->link = link;
    iip_event_tell(loop, 0, 0, IIP_EVENT_LINK, IIP_OK)->value = link;
}

static uint32_t iip_turn_state(struct iip_loop *loop, const struct iip_turn *turn)
{
    uint32_t state = 0;
    if (iip_event_waiting(loop))
        state |= IIP_STATE_MORE;
    if (iip_stack_tx_pending(loop->stk))
        state |= IIP_STATE_TX_PENDING;
    if (loop->pool_low)
        state |= IIP_STATE_POOL_LOW;
    if (!(loop->link >> 32))
        state |= IIP_STATE_LINK_DOWN;
    if (loop->closing && !(state & (IIP_STATE_MORE | IIP_STATE_TX_PENDING)) && !loop->conns.live &&
        !loop->listeners.live && !loop->udps.live && !loop->heap_n)
        state |= IIP_STATE_CLOSED;
    if (turn->flags & IIP_TURN_PARK && !loop->event_n && !(state & IIP_STATE_MORE) && iip_wake_park(loop))
        state |= IIP_STATE_PARKED;
    return state;
}

static void iip_turn_end(struct iip_loop *loop, struct iip_turn *turn)
{
    if (turn->flags & IIP_TURN_FLUSH || (turn->flags & IIP_TURN_PARK && !loop->event_n))
        iip_stack_output(loop->stk, loop->now);
    turn->op_n = 0;
    turn->release_n = 0;
    turn->tx_taken = 0;
    turn->event_n = loop->event_n;
    turn->tx_free_n = loop->tx_free_n;
    turn->state = iip_turn_state(loop, turn);
    iip_wake_seen(loop);
    turn->now_us = loop->now;
    turn->deadline_us = turn->flags & IIP_TURN_DEADLINE ? iip_turn_deadline(loop) : 0;
    loop->stats.turns++;
    if (atomic_load_explicit(&loop->want_stats, memory_order_relaxed))
        iip_stats_publish(loop);
}

/* Asked once a turn: it decides whether arrivals are copied, and whether those who release wake the loop. */
static void iip_turn_pool(struct iip_loop *loop)
{
    uint32_t low = loop->ops->frames_free(loop->queue) < loop->frames_low;
    if (low == loop->pool_low)
        return;
    loop->pool_low = low;
    atomic_store_explicit(&loop->low, low, memory_order_relaxed);
    if (low && !loop->low_said++)
        iip_log_write(atomic_load_explicit(&loop->engine, memory_order_relaxed), IIP_LOG_WARN, loop->index, 0,
                      IIP_E_NOBUFS, "fewer than %u packet buffers are free: arrivals are copied", loop->frames_low);
}

int32_t iip_loop_turn(struct iip_loop *loop, struct iip_turn *turn)
{
    int32_t st = iip_loop_check(loop);
    int wait;
    if (!st)
        st = iip_turn_check(loop, turn);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_TURN, .to = turn});
    iip_wake_unpark(loop);
    iip_loop_clock(loop);
    iip_turn_pool(loop);
    iip_buf_taken(loop, turn->tx_taken);
    iip_turn_release(loop, turn);
    iip_turn_ops(loop, turn);
    wait = iip_turn_may_wait(loop, turn);
    iip_stack_output(loop->stk, loop->now);
    if (wait)
        iip_wake_wait(loop, turn->wait_us);
    iip_turn_link(loop);
    /* An application that is behind with its events gets the rest of them before new packets. */
    turn->rx_packets = iip_turn_receive(loop, loop->more);
    loop->event_max = turn->event_max && turn->event_max < loop->event_cap ? turn->event_max : loop->event_cap;
    iip_event_collect(loop);
    iip_buf_lay_out(loop);
    iip_turn_end(loop, turn);
    return (int32_t)loop->event_n;
}

/* The answer to a post waits for an application that sleeps: it has to be called first, see ask.c. */
static int iip_turn_calls(const struct iip_loop *loop)
{
    return !loop->alone && (iip_event_waiting(loop) || iip_stack_speaks(loop->stk));
}

uint32_t iip_turn_alone(struct iip_loop *loop, int64_t wait_us)
{
    iip_wake_unpark(loop);
    iip_loop_clock(loop);
    iip_turn_pool(loop);
    iip_buf_drain(loop);
    iip_post_apply(loop);
    iip_op_end(loop);
    iip_stack_output(loop->stk, loop->now);
    if (wait_us && !loop->still && !iip_turn_calls(loop))
        iip_wake_wait(loop, wait_us);
    iip_turn_link(loop);
    if (atomic_load_explicit(&loop->want_stats, memory_order_relaxed))
        iip_stats_publish(loop);
    return iip_turn_receive(loop, 0);
}

/* ==== c/sdk/src/version.c ==== */
/* version.c - which library this is, and what it can do. */
#include <string.h>


/* Tunables and ports are features too, see below; these are what no table names. */
static const char *const iip_features[] = {
    "abi.layout",  "addr.ipv6",      "op.connect",   "op.listen",     "op.udp",
    "op.send_buf", "op.send_extern", "op.send_copy", "op.credit",     "op.timer",
    "op.urgent",   "engine.listen",  "loop.post",    "loop.fd",       "loop.park", "loop.net",
    "buf.spill",   "stats.counters", "log.ring",     "tcp.sack",      "tcp.timestamps",
    "tcp.wscale",  "tcp.newreno",    "tcp.cubic",    "tcp.keepalive", "tcp.user_timeout",
    "udp",         "ipv4",           "ipv6",
};

enum { IIP_FEATURES = sizeof iip_features / sizeof iip_features[0] };

uint32_t iip_abi_version(void)
{
    return (uint32_t)IIP_ABI_MAJOR << 16 | IIP_ABI_MINOR;
}

int32_t iip_abi_require(uint32_t major, uint32_t minor)
{
    return major == IIP_ABI_MAJOR && minor <= IIP_ABI_MINOR ? IIP_OK : IIP_E_ABI;
}

const char *iip_version(void)
{
    return IIP_VERSION;
}

const char *iip_engine_kind(uint32_t i)
{
    const struct iip_port_ops *ops = iip_port_kind(i);
    return ops ? ops->kind : NULL;
}

static int32_t iip_probe_kind(const char *kind)
{
    const char *name;
    uint32_t i;
    for (i = 0; (name = iip_engine_kind(i)) != NULL; i++)
        if (!strcmp(name, kind))
            return 1;
    return 0;
}

static int32_t iip_probe_tunable(const char *tunable)
{
    const char *name;
    uint32_t i;
    for (i = 0; (name = iip_stack_tunable(i)) != NULL; i++)
        if (!strcmp(name, tunable))
            return 1;
    return 0;
}

int32_t iip_probe(const char *feature)
{
    uint32_t i;
    if (!feature)
        return 0;
    if (!strncmp(feature, "port.", 5))
        return iip_probe_kind(feature + 5);
    if (!strncmp(feature, "tunable.", 8))
        return iip_probe_tunable(feature + 8);
    for (i = 0; i < IIP_FEATURES; i++)
        if (!strcmp(iip_features[i], feature))
            return 1;
    return 0;
}

const char *iip_feature_name(uint32_t i)
{
    return i < IIP_FEATURES ? iip_features[i] : NULL;
}

/* ==== c/sdk/src/wake.c ==== */
/*
 * wake.c - sleeping, and being woken.
 *
 * The loop stores `parked`, then looks for work, then sleeps; others make work visible, then read `parked`. Both put a
 * full fence between, so at least one of them sees the other. Only who finds the loop parked pays a system call. Work
 * in a queue that the loop does not know is `woken`, the word that those who bring it store.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>


static int32_t iip_wake_watch(const struct iip_loop *loop, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN};
    ev.data.fd = fd;
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? IIP_E_IO : IIP_OK;
}

int32_t iip_wake_init(struct iip_loop *loop)
{
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->port_fd = loop->polls ? -1 : loop->ops->fd(loop->queue);
    if (loop->wake_fd < 0 || loop->timer_fd < 0 || loop->epoll_fd < 0)
        return IIP_E_IO;
    if (loop->port_fd < 0)
        loop->polls = 1;
    else if (iip_wake_watch(loop, loop->port_fd))
        return IIP_E_IO;
    if (iip_wake_watch(loop, loop->wake_fd) || iip_wake_watch(loop, loop->timer_fd))
        return IIP_E_IO;
    return IIP_OK;
}

/* The port's descriptor is the port's to close. */
void iip_wake_free(struct iip_loop *loop)
{
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->app_fd >= 0)
        close(loop->app_fd);
}

void iip_wake_now(struct iip_loop *loop)
{
    static const uint64_t one = 1;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&loop->parked, memory_order_relaxed) && write(loop->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is readable all the same */
}

int32_t iip_loop_wake(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    atomic_store_explicit(&loop->woken, 1, memory_order_release);
    atomic_store_explicit(&loop->net_woken, 1, memory_order_relaxed);
    iip_wake_now(loop);
    return IIP_OK;
}

int32_t iip_loop_fd(struct iip_loop *loop)
{
    int32_t st = iip_loop_check_any(loop);
    if (st)
        return st;
    return loop->cores ? loop->app_fd : loop->epoll_fd;
}

/* Work that others made. Few buffers make the return list work. */
static int iip_wake_work(const struct iip_loop *loop)
{
    return atomic_load_explicit(loop->alone ? &loop->net_woken : &loop->woken, memory_order_relaxed) ||
        (loop->alone && iip_ask_any(loop)) || iip_post_ready(loop) || iip_inbox_any(loop) ||
        (loop->pool_low && atomic_load_explicit(&loop->returned, memory_order_relaxed) != IIP_SLOT_NONE);
}

/* 1: nothing was there, and whoever brings something will now see that the loop sleeps. */
static int iip_wake_announce(struct iip_loop *loop)
{
    atomic_store_explicit(&loop->parked, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!iip_wake_work(loop)) {
        if (loop->port_fd >= 0)
            loop->ops->fd(loop->queue); /* asks the port to wake us: see port.h */
        return 1;
    }
    atomic_store_explicit(&loop->parked, 0, memory_order_relaxed);
    return 0;
}

static void iip_wake_silence(struct iip_loop *loop)
{
    uint64_t count;
    atomic_store_explicit(&loop->parked, 0, memory_order_relaxed);
    while (read(loop->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ---- waiting within a turn ---- */

static struct timespec iip_wake_span(uint64_t us)
{
    uint64_t most = (uint64_t)365 * 86400 * 1000000;
    if (us > most)
        us = most;
    return (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
}

/* Sleeps once; 1: something is there, or a signal came. */
static int iip_wake_sleep(struct iip_loop *loop, uint64_t us, int room)
{
    struct pollfd fds[2] = {{.fd = loop->wake_fd, .events = POLLIN}, {.fd = loop->port_fd, .events = POLLIN}};
    struct timespec span = iip_wake_span(us);
    if (room)
        fds[1].events |= POLLOUT;
    return ppoll(fds, loop->port_fd >= 0 ? 2 : 1, &span, NULL) != 0;
}

/* A port without interrupt is looked at every poll_us; what is found is kept for the turn. One that is full and has no
   descriptor to say when it is not gets the same treatment. */
static void iip_wake_poll(struct iip_loop *loop, uint64_t until)
{
    uint64_t left;
    while (!loop->burst_n) {
        iip_loop_clock(loop);
        left = until > loop->now ? until - loop->now : 0;
        if (!left || iip_wake_sleep(loop, left < loop->poll_us ? left : loop->poll_us, 0))
            return;
        loop->burst_n = loop->ops->rx(loop->queue, loop->burst, loop->burst_max);
        if (iip_stack_tx_pending(loop->stk))
            return;
    }
}

void iip_wake_wait(struct iip_loop *loop, int64_t wait_us)
{
    uint64_t until = iip_turn_deadline(loop);
    uint64_t most =
        wait_us < 0 || (uint64_t)wait_us > UINT64_MAX - loop->now ? UINT64_MAX : loop->now + (uint64_t)wait_us;
    if (until > most)
        until = most;
    if (until <= loop->now || !iip_wake_announce(loop))
        return;
    if (loop->polls)
        iip_wake_poll(loop, until);
    else
        iip_wake_sleep(loop, until - loop->now, iip_stack_tx_pending(loop->stk) != 0);
    iip_wake_silence(loop);
    iip_loop_clock(loop);
}

/* ---- parking for a foreign event loop ---- */

static void iip_wake_watch_room(struct iip_loop *loop)
{
    struct epoll_event ev = {.events = EPOLLIN};
    uint32_t want = iip_stack_tx_pending(loop->stk) != 0;
    if (loop->port_fd < 0 || want == loop->epoll_out)
        return;
    ev.data.fd = loop->port_fd;
    ev.events |= want ? EPOLLOUT : 0;
    if (!epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->port_fd, &ev))
        loop->epoll_out = want;
}

static void iip_wake_arm(struct iip_loop *loop, uint64_t until)
{
    struct itimerspec at;
    uint64_t left = until - loop->now;
    memset(&at, 0, sizeof at);
    if (loop->polls && left > loop->poll_us)
        left = loop->poll_us;
    if (until != UINT64_MAX || loop->polls)
        at.it_value = iip_wake_span(left);
    timerfd_settime(loop->timer_fd, 0, &at, NULL); /* of zeros: off. Setting it also makes it unreadable */
}

int iip_wake_park(struct iip_loop *loop)
{
    uint64_t until = iip_turn_deadline(loop);
    if (until <= loop->now || loop->cores)
        return 0;
    iip_wake_watch_room(loop);
    iip_wake_arm(loop, until);
    if (!iip_wake_announce(loop))
        return 0;
    loop->stats.parks++;
    return 1;
}

void iip_wake_unpark(struct iip_loop *loop)
{
    if (atomic_load_explicit(&loop->parked, memory_order_relaxed))
        iip_wake_silence(loop);
}

/*
 * A wake ends the wait of the turn that it finds under way or ahead of it, and keeps it from parking; then it is
 * forgotten. By an exchange: what its waker, and every one before, made visible is seen behind the turn, which a plain
 * store could overtake.
 */
void iip_wake_seen(struct iip_loop *loop)
{
    if (!atomic_load_explicit(&loop->woken, memory_order_relaxed))
        return;
    atomic_exchange(&loop->woken, 0);
    loop->stats.wakes++;
}

/* ==== c/sdk/src/want.c ==== */
/*
 * want.c - connections whose send was refused for want of frames or memory, where no ACK will tell them that there is room:
 * nothing of theirs is on its way, or frames are few and their peers have no room. Ports do not say when frames come back:
 * the loop looks now and then.
 */

enum { IIP_WANT_US = 1000 };

/* More than may leave at once would keep frames from those who read, as long as the peer likes. */
uint32_t iip_want_room_low(const struct iip_loop *loop, const struct iip_obj *obj)
{
    struct iip_tcp_info info = {.size = sizeof info};
    uint32_t window, queued;
    iip_tcp_info(loop->stk, obj->core, &info);
    window = info.snd_wnd < info.cwnd ? info.snd_wnd : info.cwnd;
    queued = info.unacked + info.unsent;
    return window > queued ? window - queued : 0;
}

void iip_want_later(struct iip_loop *loop)
{
    loop->want_at = loop->now + IIP_WANT_US;
}

static struct iip_obj *iip_want_at(const struct iip_loop *loop, uint32_t place)
{
    return (struct iip_obj *)iip_slot_at(&loop->conns, place - 1);
}

void iip_want_add(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t place = iip_slot_index(&obj->slot) + 1;
    if (obj->slot.index & IIP_CONN_WANTS)
        return;
    if (!loop->want)
        iip_want_later(loop);
    obj->slot.index |= IIP_CONN_WANTS;
    obj->want_next = 0;
    obj->want_prev = loop->want_end;
    *(loop->want_end ? &iip_want_at(loop, loop->want_end)->want_next : &loop->want) = place;
    loop->want_end = place;
}

void iip_want_end(struct iip_loop *loop, struct iip_obj *obj)
{
    obj->slot.index &= ~(uint32_t)IIP_CONN_WANTS;
    *(obj->want_prev ? &iip_want_at(loop, obj->want_prev)->want_next : &loop->want) = obj->want_next;
    *(obj->want_next ? &iip_want_at(loop, obj->want_next)->want_prev : &loop->want_end) = obj->want_prev;
}

struct iip_obj *iip_want_take(struct iip_loop *loop)
{
    struct iip_obj *obj = loop->want ? iip_want_at(loop, loop->want) : NULL;
    if (obj)
        iip_want_end(loop, obj);
    return obj;
}

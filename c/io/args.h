/*
 * args.h - the arguments of a port string: "name,key=value,key=value".
 *
 * Each reader of a value names the key, the value and what would be right when it fails.
 */
#ifndef IIP_IO_ARGS_H
#define IIP_IO_ARGS_H

#include <stdint.h>

#include "error.h"
#include "port.h"

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

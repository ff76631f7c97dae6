/*
 * stub.h - a stack of one page, for tests of ports: it makes and frees packets, and counts both.
 *
 * The tests of ports link it in place of the core, so that they fail for faults of a port only.
 */
#ifndef IIP_TESTS_IO_STUB_H
#define IIP_TESTS_IO_STUB_H

#include "port.h"

struct iip_stack {
    struct iip_host host;
    struct iip_pkt *free;
    uint32_t made, freed;     /* views */
    uint32_t fail_after;      /* iip_pkt_new gives null after this many more; 0: never */
};

struct end { /* one open port with its first queue attached to a stub */
    const struct iip_port_ops *ops;
    struct iip_port *port;
    struct iip_port_queue *q;
    struct iip_stack stk;
    struct iip_port_info info;
    char err[256];
};

/* Opens `name`; the status, with end->err filled. `cfg` null: all defaults. */
int end_open(struct end *end, const char *name, const struct iip_port_cfg *cfg);
/* Closes it, and returns the views that were never freed. */
uint32_t end_close(struct end *end);
void stack_init(struct iip_stack *stk, const struct iip_port_ops *ops, struct iip_port_queue *q);
void stack_end(struct iip_stack *stk);

/* A packet of `len` bytes in frames of the end, as many as it takes; null when there are none. */
struct iip_pkt *end_pkt(struct end *end, const void *bytes, uint32_t len);
/* Sends one packet: 1 or 0. */
uint32_t end_send(struct end *end, const void *bytes, uint32_t len);
/* Receives one packet into `to`; its length, or -1 when there is none. *flags may be null. */
int end_recv(struct end *end, void *to, uint32_t cap, uint16_t *flags);

/* An Ethernet frame of UDP over IPv4 with complete checksums and `len` payload bytes of `fill`; returns its length. */
uint32_t udp_frame(uint8_t *to, uint16_t src_port, uint16_t dst_port, uint32_t len, uint8_t fill);
/* 1 when the IPv4 header checksum and that of TCP or UDP are right in a frame (IPv4 or IPv6, no options). */
int csum_right(const uint8_t *frame, uint32_t len);

#endif

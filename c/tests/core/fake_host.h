/*
 * fake_host.h - a host for tests of the core: frames and memory from malloc, everything sent is captured, the k-th
 * request for memory or for a frame can fail, and at the end all must have come home.
 *
 *     struct fake_host h;
 *     struct iip_stack_cfg cfg;
 *     fake_cfg(&cfg);                                    10.0.0.1/24, fd00::1/64, MAC 02:00:00:00:00:01
 *     REQUIRE(fake_open(&h, &cfg) == IIP_OK);
 *     fake_addrs(&h);
 *     fake_input(&h, bytes, len);                        one packet in, then all that is due goes out
 *     CHECK_EQ(h.sent_count, 1); ... h.sent[0].bytes ...
 *     CHECK_EQ(fake_close(&h), 0);
 */
#ifndef IIP_TESTS_FAKE_HOST_H
#define IIP_TESTS_FAKE_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "iip/core.h"

enum { FAKE_SENT_MAX = 4096, FAKE_NOTES_MAX = 256, FAKE_FRAME_SIZE = 2176 };

/* A packet as it would be on the wire: checksums that were left to the port are filled in. */
struct fake_packet {
    uint8_t *bytes;
    uint32_t len;
    uint32_t views;     /* of the chain that was given to transmit */
    uint32_t seg_size;
    uint16_t flags;     /* IIP_PKT_... as given to transmit */
    uint8_t l2_len, l3_len, l4_len;
    uint64_t at;        /* time of the call that sent it */
};

struct fake_host {
    struct iip_host host;
    struct iip_stack *stk;
    struct iip_stack_cfg cfg;
    uint64_t now;

    struct fake_packet sent[FAKE_SENT_MAX]; /* the first so many; sent_count goes on */
    uint32_t sent_count;
    uint32_t tx_room;        /* packets that transmit still takes; fake_open sets no limit */
    uint32_t tx_keep;        /* 1: packets are not freed on transmit, but by fake_tx_done */
    struct iip_pkt *kept[FAKE_SENT_MAX];
    uint32_t kept_count;
    uint32_t mark_errors;    /* checksum marks or lengths that did not fit the packet */

    struct iip_note notes[FAKE_NOTES_MAX]; /* taken by fake_notes */

    uint32_t frame_size;     /* bytes of a frame; a larger request gets what it asks for only with frame_large */
    uint32_t frame_large;
    uint32_t frames_live;
    uint32_t frames_max;     /* frame_get answers null beyond; 0: no limit */
    uint32_t frame_calls, frame_fail_at; /* the k-th call fails (first: 1); 0: none */
    uint32_t mem_live;       /* blocks */
    uint32_t mem_calls, mem_fail_at;
    uint32_t fail_for_ever;  /* 1: the k-th call and all later ones fail */
};

/* The usual configuration: L2, MTU 1500, no offloads, a fixed key and seed. */
void fake_cfg(struct iip_stack_cfg *cfg);
/* Makes a stack at time 1 s. On failure nothing is left behind. */
int fake_open(struct fake_host *h, const struct iip_stack_cfg *cfg);
/* Zeroes a host without making a stack, to set failures first; then fake_start. */
void fake_init(struct fake_host *h, const struct iip_stack_cfg *cfg);
int fake_start(struct fake_host *h);
/* 10.0.0.1/24 and fd00::1/64, and a default route by 10.0.0.254 and fd00::fe; what they announce is forgotten. */
int fake_addrs(struct fake_host *h);
/* Ends the stack, if there is one; returns the number of frames and blocks that did not come home. */
int fake_close(struct fake_host *h);

/* One packet into the stack, without anything else; flags: IIP_PKT_... of receive. 0 when no frame could be had. */
int fake_inject(struct fake_host *h, const void *bytes, size_t len, uint32_t flags);
/* The same in views of at most `step` bytes, each in its own frame. */
int fake_inject_split(struct fake_host *h, const void *bytes, size_t len, size_t step);
/* inject, then output. */
void fake_input(struct fake_host *h, const void *bytes, size_t len);
void fake_output(struct fake_host *h);
/* Lets time pass: the stack is called at each of its deadlines, exactly, and at the end. Returns the calls made. */
uint32_t fake_run(struct fake_host *h, uint64_t us);
/* Forgets what was captured. */
void fake_forget(struct fake_host *h);
void fake_tx_done(struct fake_host *h);
/* Takes all notes that there are (at most FAKE_NOTES_MAX) into h->notes; returns how many. */
uint32_t fake_notes(struct fake_host *h);
/* Takes and frees all notes' packets. */
void fake_notes_drop(struct fake_host *h);
/* A packet of the application, with room for headers in front of it. */
struct iip_pkt *fake_pkt(struct fake_host *h, const void *bytes, size_t len);
/* Copies a chain; returns its bytes. */
size_t fake_pkt_read(const struct iip_pkt *pkt, void *to, size_t cap);

/* A counter by name; aborts the program on a name that is none. */
uint64_t fake_counter(const struct fake_host *h, const char *name);
/* rx_packets - rx_delivered - rx_held - all drops: 0, always. */
int64_t fake_account(const struct fake_host *h);

#endif

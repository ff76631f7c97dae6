/*
 * testhost.h - a host for one stack: counts what it lends, fails when told to, refuses when told to, and finishes
 * checksums and cuts TSO packets like a device. What leaves is handed to `sent` as plain bytes.
 */
#ifndef TEST_TESTHOST_H
#define TEST_TESTHOST_H

#include <stddef.h>
#include <stdint.h>

#include "iip/core.h"

enum { TESTHOST_RING = 256 };

struct testhost {
    struct iip_host host;      /* give this to iip_stack_new */
    struct iip_stack *stk;     /* set after iip_stack_new */
    void (*sent)(void *arg, const uint8_t *bytes, uint32_t len);
    void *arg;
    uint32_t l2_len;           /* bytes of link header: 0 or 14 */
    int64_t frames_live, mem_live;
    uint64_t frame_calls, mem_calls, taken, taken_bytes;
    uint64_t frame_fail_at, mem_fail_at; /* the n-th call (from 1) fails; 0: none */
    uint32_t frame_fail_ppm, mem_fail_ppm; /* chance of failure, in millionths */
    uint64_t rng;
    uint32_t room;             /* packets that transmit still takes; UINT32_MAX: any number */
    uint32_t frame_slack;      /* bytes that frames have beyond what was asked for */
    uint32_t rx_frame_min;     /* memory of a received frame at least, used or not */
    uint32_t ring_size;        /* packets that stay unsent in the ring, 0: none */
    uint32_t ring_count;
    struct iip_pkt *ring[TESTHOST_RING];
    uint32_t ring_sum[TESTHOST_RING];
    const char *error;         /* the first broken promise, e.g. a packet changed while in the ring */
};

void testhost_init(struct testhost *th, uint64_t seed);
/* A packet with a copy of `bytes` cut into views of `view` bytes (0: one view), in frames of just that size; null: no memory. */
struct iip_pkt *testhost_pkt(struct testhost *th, const uint8_t *bytes, uint32_t len, uint32_t view);
/* Frees all but the newest `keep` packets of the transmit ring. */
void testhost_ring_drain(struct testhost *th, uint32_t keep);
uint64_t testhost_random(uint64_t *rng);
uint64_t testhost_counter(const struct iip_stack *stk, const char *name);
/* rx_packets = rx_delivered + rx_held + drops: the difference, 0 when it holds. */
int64_t testhost_account(const struct iip_stack *stk);

#endif

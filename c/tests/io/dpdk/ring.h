/*
 * ring.h - a net_ring, opened and closed by most tests; in a header, since checks count per file.
 *
 * It gives every mbuf that is sent to it back as received, and frees none: the driver that holds on for longest.
 */
#ifndef IIP_TESTS_DPDK_RING_H
#define IIP_TESTS_DPDK_RING_H

#include "check.h"
#include "dpdk_test.h"

enum { RING_SLOTS = 1024 };

static struct end ring;
static uint32_t ring_free; /* frames that were free when it was opened */

static inline int ring_open(const struct iip_port_cfg *cfg)
{
    int rc = end_open(&ring, "dpdk:net_ring0", cfg);

    if (rc == 0)
        ring_free = ring.ops->frames_free(ring.q);
    else
        printf("%s\n", ring.err);
    return CHECK_EQ(rc, 0);
}

/* Every frame is home, every view is freed. */
static inline void ring_close(void)
{
    struct iip_pkt *none;

    while (ring.ops->rx(ring.q, &none, 1))
        iip_pkt_free(&ring.stk, none);
    CHECK_EQ(ring.ops->rx(ring.q, &none, 1), 0);
    CHECK_EQ(ring.ops->frames_free(ring.q), ring_free);
    CHECK_EQ(end_close(&ring), 0);
}

static inline void fill(uint8_t *to, uint32_t len, uint32_t seed)
{
    uint32_t i;

    for (i = 0; i < len; i++)
        to[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

#endif

/*
 * build.h - between tx.c, which talks to the driver, and build.c, which makes mbuf chains of packets.
 */
#ifndef IIP_DPDK_BUILD_H
#define IIP_DPDK_BUILD_H

#include "dpdk.h"

enum { DPDK_BUILD_OK, DPDK_BUILD_NO_MEMORY, DPDK_BUILD_INVALID };

struct dpdk_built {
    struct rte_mbuf *mbuf;
    uint16_t *csum_at; /* transport checksum field in the packet's own memory, null if untouched */
    uint16_t csum_was;
};

/* Makes the chain; the packet stays as it is. NO_MEMORY: try later. INVALID: no driver could ever send it. */
int dpdk_build(struct iip_port_queue *q, const struct iip_pkt *pkt, struct dpdk_built *out);
/* Takes back a chain that the driver did not take. */
void dpdk_unbuild(struct dpdk_built *built);

#endif

/*
 * pool.c - the mempools: one a queue, with the core's frame in the private area of each mbuf.
 *
 * A pool is freed when all its mbufs are home. The application may keep received buffers longer than the port, so a
 * pool that is not complete at close waits in a list and is looked at again whenever a port is opened or closed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bitops.h>
#include <rte_errno.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "dpdk.h"

#define POOL_CACHE 256U

static struct rte_mempool **waiting; /* under the open lock */
static uint32_t waiting_len, waiting_cap;

/* ---- regions ----------------------------------------------------------------------------------------------------- */

static void region_add(struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *hdr, unsigned idx)
{
    struct dpdk_regions *r = opaque;
    struct iip_port_region *last = r->len ? &r->at[r->len - 1] : NULL;

    (void)mp;
    (void)idx;
    if (last && (uint8_t *)last->base + last->len == (uint8_t *)hdr->addr) { /* pages that lie side by side */
        last->len += hdr->len;
        return;
    }
    if (r->len == r->cap || !r->at) {
        uint32_t cap = r->cap ? r->cap * 2 : 8;
        struct iip_port_region *at = realloc(r->at, cap * sizeof(*at));

        r->failed |= !at;
        if (!at)
            return;
        r->at = at;
        r->cap = cap;
    }
    r->at[r->len] = (struct iip_port_region){.base = hdr->addr, .len = hdr->len, .id = r->len};
    r->len++;
}

static uint32_t region_of(const struct dpdk_regions *r, const void *p)
{
    uint32_t i;

    for (i = r->len; i-- > 0;)
        if ((uintptr_t)p - (uintptr_t)r->at[i].base < r->at[i].len)
            return i;
    return 0;
}

static void frame_prepare(struct rte_mempool *mp, void *opaque, void *obj, unsigned idx)
{
    struct rte_mbuf *m = obj;
    struct dpdk_frame *df = dpdk_frame_of(m);

    (void)mp;
    (void)idx;
    memset(df, 0, sizeof(*df));
    df->frame.base = (uint8_t *)m->buf_addr;
    df->frame.size = m->buf_len;
    df->frame.host = m;
    df->frame.region = region_of(opaque, m);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void zone_free(struct rte_mempool_memhdr *hdr, void *opaque)
{
    (void)hdr;
    rte_memzone_free(opaque);
}

/*
 * net_af_xdp takes the pool for one dense array that begins on a page: objects of a power of two, in memory that we
 * align. In what DPDK lays out by itself, some mbufs are outside of what the driver registers, and never sent.
 */
static int populate_dense(struct rte_mempool *mp, const char *name, uint32_t frames, size_t obj_bytes)
{
    const struct rte_memzone *mz = rte_memzone_reserve_aligned(name, frames * obj_bytes, mp->socket_id, 0, 4096);
    int rc;

    if (!mz)
        return -rte_errno;
    rc = rte_mempool_populate_iova(mp, mz->addr, mz->iova, mz->len, zone_free, (void *)(uintptr_t)mz);
    if (rc <= 0)
        rte_memzone_free(mz);
    return rc;
}

/* As rte_pktmbuf_pool_create does it, but with a say in the layout. Null: rte_errno. */
static struct rte_mempool *pool_make(const struct iip_port *port, const char *name, int socket)
{
    struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = (uint16_t)port->frame_bytes,
                                            .mbuf_priv_size = sizeof(struct dpdk_frame)};
    uint32_t cache = port->frames >= 4 * POOL_CACHE ? POOL_CACHE : port->frames / 8,
             dense = port->quirks & DPDK_QUIRK_DENSE;
    uint32_t flags = dense ? RTE_MEMPOOL_F_NO_SPREAD : 0;
    uint32_t elt = (uint32_t)(sizeof(struct rte_mbuf) + sizeof(struct dpdk_frame)) + port->frame_bytes;
    uint32_t obj = rte_mempool_calc_obj_size(elt, flags, NULL);
    struct rte_mempool *mp;
    int rc;

    if (dense)
        elt += rte_align32pow2(obj) - obj;
    mp = rte_mempool_create_empty(name, port->frames, elt, cache, sizeof(priv), socket, flags);
    if (!mp)
        return NULL;
    rc = rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
    rte_pktmbuf_pool_init(mp, &priv);
    if (rc == 0)
        rc = dense ? populate_dense(mp, name, port->frames, rte_align32pow2(obj)) : rte_mempool_populate_default(mp);
    if (rc < 0) {
        rte_mempool_free(mp);
        rte_errno = -rc;
        return NULL;
    }
    rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
    return mp;
}

int dpdk_pool_new(struct iip_port *port, struct iip_port_queue *q, char *err, size_t err_len)
{
    static uint32_t serial;
    int socket = rte_eth_dev_socket_id(port->port_id);
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof(name), "iip_%u", serial++);
    q->pool = pool_make(port, name, socket < 0 ? SOCKET_ID_ANY : socket);
    if (!q->pool)
        return dpdk_fail(
            IIP_E_NOMEM, err, err_len,
            "%s: no memory for %u frames of %u bytes (queue %u): %s: ask for fewer frames, or give more memory "
            "(hugepages, or IIP_EAL_ARGS=\"--no-huge -m 512\")",
            port->name, port->frames, port->frame_bytes, q->index, rte_strerror(rte_errno));
    rte_mempool_mem_iter(q->pool, region_add, &port->regions);
    if (port->regions.failed)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "%s: out of memory", port->name);
    rte_mempool_obj_iter(q->pool, frame_prepare, &port->regions);
    q->frame_bytes = port->frame_bytes;
    if (strncmp(rte_mempool_get_ops(q->pool->ops_index)->name, "ring_", 5) == 0)
        q->pool_ring = q->pool->pool_data;
    return 0;
}

void dpdk_pools_sweep(void)
{
    uint32_t i, kept = 0;

    for (i = 0; i < waiting_len; i++) {
        if (rte_mempool_full(waiting[i]))
            rte_mempool_free(waiting[i]);
        else
            waiting[kept++] = waiting[i];
    }
    waiting_len = kept;
    if (kept == 0) {
        free(waiting);
        waiting = NULL;
        waiting_cap = 0;
    }
}

void dpdk_pool_retire(struct rte_mempool *pool)
{
    if (!pool)
        return;
    if (waiting_len == waiting_cap) {
        uint32_t cap = waiting_cap ? waiting_cap * 2 : 8;
        struct rte_mempool **at = realloc(waiting, cap * sizeof(struct rte_mempool *));

        if (!at)
            return; /* the pool stays until the process ends */
        waiting = at;
        waiting_cap = cap;
    }
    waiting[waiting_len++] = pool;
    dpdk_pools_sweep();
}

uint32_t dpdk_pools_waiting(void)
{
    return waiting_len;
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

struct iip_frame *dpdk_frame_get(void *ctx, iip_u32 size)
{
    struct iip_port_queue *q = ctx;
    struct rte_mbuf *m;

    if (size > q->frame_bytes)
        return NULL;
    m = rte_mbuf_raw_alloc(q->pool);
    if (unlikely(!m)) {
        /* Sent frames may lie in the transmit ring until the driver next looks at it: make it look. */
        rte_eth_tx_done_cleanup(q->port_id, q->index, 0);
        dpdk_held_reap(q);
        m = rte_mbuf_raw_alloc(q->pool);
        if (!m)
            return NULL;
    }
    return dpdk_frame_init(m);
}

void dpdk_frame_put(void *ctx, struct iip_frame *frame)
{
    struct dpdk_frame *df = (struct dpdk_frame *)frame;

    (void)ctx;
    if (df->state & DPDK_GIVEN)
        df->state = 0; /* the driver frees it */
    else
        rte_pktmbuf_free_seg(dpdk_mbuf_of(frame));
}

/* Cheap, as a loop asks every turn: what lies in the caches of other threads is not counted. */
uint32_t dpdk_frames_free(struct iip_port_queue *q)
{
    struct rte_mempool_cache *cache = rte_mempool_default_cache(q->pool, rte_lcore_id());

    if (unlikely(!q->pool_ring))
        return rte_mempool_avail_count(q->pool);
    return rte_ring_count(q->pool_ring) + (cache ? cache->len : 0);
}

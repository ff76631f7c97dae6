/* pair.c - the ends of pairs: they open, meet, tell what they are, and close. */
#include "pair.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../kinds.h"
#include "../wire.h"
#include "iip/status.h"

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

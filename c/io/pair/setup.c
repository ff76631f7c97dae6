/* setup.c - a queue of a pair comes to be: its pool, its rings, and whether they fit each other. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iip/status.h"
#include "pair.h"

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

/*
 * inbox.c - packets that one loop received and another owns: handed over without a copy.
 *
 * A packet is a view of its receiver's stack, so only the frame travels: the sender's view goes, the new owner makes
 * one of its own. The frame goes home to its pool when it is put, whichever loop does that. Many loops put, one takes;
 * the cells work as those of post.c.
 */
#include <stdlib.h>

#include "sdk.h"

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

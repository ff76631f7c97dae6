/* buf.c - buffers: counted references to bytes that never move, from whichever thread they come back. */
#include <string.h>

#include "sdk.h"

void iip_buf_place(const struct iip_loop *loop, const struct iip_pkt *pkt, uint32_t *offset, uint16_t *region)
{
    uint32_t id = pkt->frame->region;
    const struct iip_region_row *row;
    uint64_t at;
    if (id >= IIP_REGION_IDS - 1) /* the last row is that of spill memory */
        id = IIP_REGION_IDS - 1;
    row = &loop->regions[id];
    at = (uint64_t)(pkt->data - row->base);
    *offset = (uint32_t)at;
    *region = (uint16_t)(row->index + (uint32_t)(at >> IIP_REGION_SHIFT));
}

struct iip_buf *iip_buf_make(struct iip_loop *loop, struct iip_pkt *pkt)
{
    struct iip_buf *buf = (struct iip_buf *)iip_slots_take(&loop->bufs);
    if (!buf)
        return NULL;
    buf->pkt = pkt;
    buf->conn = NULL;
    return buf;
}

/* The window of a buffer opens, unless its connection ended meanwhile, and its packet is freed. */
static inline void iip_buf_empty_out(struct iip_loop *loop, struct iip_buf *buf)
{
    const struct iip_obj *conn = buf->conn;
    struct iip_pkt *pkt = buf->pkt;
    buf->pkt = NULL;
    if (conn && iip_slot_generation(&conn->slot) == buf->generation && conn->core) {
        if (IIP_LIKELY(buf->charge == IIP_CHARGE_OF_PKT)) {
            iip_tcp_done(loop->stk, conn->core, pkt);
            return;
        }
        iip_tcp_credit(loop->stk, conn->core, buf->charge);
    }
    if (pkt)
        iip_pkt_free(loop->stk, pkt);
}

void iip_buf_free(struct iip_loop *loop, struct iip_buf *buf)
{
    iip_buf_empty_out(loop, buf);
    iip_slots_put(&loop->bufs, &buf->slot);
}

/* Of one that others may hold too, or that is none: 0 or IIP_E_STALE. */
static __attribute__((noinline)) int32_t iip_buf_drop(struct iip_loop *loop, uint64_t handle)
{
    struct iip_slot *slot;
    int32_t last = iip_slot_drop(&loop->bufs, handle, &slot);
    if (last > 0)
        iip_buf_free(loop, (struct iip_buf *)slot);
    return last < 0 ? last : IIP_OK;
}

uint32_t iip_buf_put(struct iip_loop *loop, const uint64_t *handles, uint32_t n)
{
    uint32_t stale = 0;
    uint32_t i;
    for (i = 0; i < n; i++) {
        struct iip_slot *slot = iip_slot_peek(&loop->bufs, handles[i]);
        if (IIP_LIKELY(slot && iip_slot_end(slot, handles[i]))) {
            iip_buf_empty_out(loop, (struct iip_buf *)slot);
            iip_slots_back(&loop->bufs, slot);
        } else {
            stale += iip_buf_drop(loop, handles[i]) < 0;
        }
    }
    loop->stats.stale_handles += stale;
    loop->stats.releases += n - stale;
    return stale;
}

/* Takes the whole list at once, so that its head cannot be mistaken for an older one that looks the same. */
void iip_buf_drain(struct iip_loop *loop)
{
    uint32_t i;
    if (atomic_load_explicit(&loop->returned, memory_order_relaxed) == IIP_SLOT_NONE)
        return;
    i = atomic_exchange_explicit(&loop->returned, IIP_SLOT_NONE, memory_order_acquire);
    while (i != IIP_SLOT_NONE) {
        struct iip_slot *slot = iip_slot_at(&loop->bufs, i);
        i = slot->next;
        iip_buf_free(loop, (struct iip_buf *)slot);
        loop->stats.foreign_releases++;
        loop->stats.releases++;
    }
}

static void iip_buf_send_home(struct iip_loop *loop, struct iip_slot *slot)
{
    uint32_t i = iip_slot_index(slot);
    uint32_t head = atomic_load_explicit(&loop->returned, memory_order_relaxed);
    do {
        slot->next = head;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->returned, &head, i, memory_order_seq_cst, memory_order_relaxed));
    if (atomic_load_explicit(&loop->low, memory_order_relaxed))
        iip_wake_now(loop);
}

/* The loop of a buffer, for callers from any thread. */
static int32_t iip_buf_loop(uint64_t handle, struct iip_loop **out)
{
    struct iip_loop *loop = iip_loop_of(handle);
    *out = loop;
    if (!loop || iip_handle_kind(handle) != IIP_KIND_BUF)
        return IIP_E_STALE;
    return iip_epoch_ok(loop->epoch) ? IIP_OK : IIP_E_FORKED;
}

int32_t iip_buf_release(uint64_t handle)
{
    struct iip_loop *loop;
    struct iip_slot *slot;
    int32_t last = iip_buf_loop(handle, &loop);
    if (last)
        return last;
    if (atomic_load_explicit(&loop->owner, memory_order_relaxed) == iip_thread_token())
        return iip_buf_put(loop, &handle, 1) ? IIP_E_STALE : IIP_OK;
    last = iip_slot_drop(&loop->bufs, handle, &slot);
    if (last < 0)
        atomic_fetch_add_explicit(&loop->stale, 1, memory_order_relaxed);
    if (last <= 0)
        return last;
    iip_buf_send_home(loop, slot);
    return IIP_OK;
}

int32_t iip_buf_release_n(const uint64_t *handles, uint32_t n)
{
    uint32_t released = 0;
    uint32_t i;
    if (!handles && n)
        return IIP_E_INVAL;
    for (i = 0; i < n; i++)
        released += iip_buf_release(handles[i]) == IIP_OK;
    return (int32_t)released;
}

int32_t iip_buf_retain(uint64_t handle)
{
    struct iip_loop *loop;
    int32_t st = iip_buf_loop(handle, &loop);
    return st ? st : iip_slot_keep(&loop->bufs, handle);
}

/* Holds a reference while it reads, so that a release elsewhere cannot take the packet away. */
int32_t iip_buf_spans(uint64_t handle, struct iip_span *out, uint32_t cap)
{
    struct iip_loop *loop;
    const struct iip_pkt *pkt;
    uint32_t n = 0;
    int32_t st;
    if (!out && cap)
        return IIP_E_INVAL;
    st = iip_buf_retain(handle);
    if (st)
        return st;
    loop = iip_loop_of(handle);
    for (pkt = ((struct iip_buf *)iip_slot_peek(&loop->bufs, handle))->pkt; pkt; pkt = pkt->next, n++) {
        if (n >= cap)
            continue;
        out[n] = (struct iip_span){.buf = handle, .addr = (uintptr_t)pkt->data, .len = pkt->len};
        iip_buf_place(loop, pkt, &out[n].offset, &out[n].region);
    }
    iip_buf_release(handle);
    return (int32_t)n;
}

int32_t iip_buf_detach(uint64_t handle, void *out, uint32_t cap)
{
    struct iip_loop *loop;
    const struct iip_pkt *pkt;
    uint32_t n = 0;
    int32_t st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (cap > INT32_MAX)
        cap = INT32_MAX;
    st = iip_buf_retain(handle);
    if (st)
        return st;
    loop = iip_loop_of(handle);
    for (pkt = ((struct iip_buf *)iip_slot_peek(&loop->bufs, handle))->pkt; pkt && n < cap; pkt = pkt->next) {
        uint32_t part = pkt->len < cap - n ? pkt->len : cap - n;
        memcpy((uint8_t *)out + n, pkt->data, part);
        n += part;
    }
    iip_buf_release(handle);
    st = iip_buf_release(handle);
    return st ? st : (int32_t)n;
}

/* ---- buffers to write into ---- */

struct iip_frame *iip_buf_frame(struct iip_loop *loop, uint32_t size, uint32_t floor)
{
    if (loop->ops->frames_free(loop->queue) <= floor)
        return NULL;
    return loop->ops->frame_get(loop->queue, size);
}

/* The packet of an empty buffer shows all its room; sending it sets what was written. `mark`: IIP_BUF_LAID_OUT or 0. */
static inline int32_t iip_buf_empty(struct iip_loop *loop, struct iip_frame *frame, struct iip_span *out, uint32_t mark)
{
    struct iip_buf *buf;
    struct iip_pkt *pkt;
    if (!frame)
        return IIP_E_NOBUFS;
    pkt = iip_pkt_new(loop->stk, frame, frame->base + IIP_TX_HEADROOM, frame->size - IIP_TX_HEADROOM);
    if (!pkt) {
        loop->ops->frame_put(loop->queue, frame);
        return IIP_E_NOMEM;
    }
    buf = iip_buf_make(loop, pkt);
    if (!buf) {
        iip_pkt_free(loop->stk, pkt);
        return IIP_E_NOMEM;
    }
    out->buf = iip_slot_handle(&loop->bufs, &buf->slot);
    buf->slot.index |= mark;
    out->addr = (uintptr_t)pkt->data;
    out->len = pkt->len;
    out->reserved = 0;
    out->flags = 0;
    iip_buf_place(loop, pkt, &out->offset, &out->region);
    return IIP_OK;
}

int32_t iip_buf_alloc(struct iip_loop *loop, struct iip_span *out)
{
    int32_t st = iip_loop_check(loop);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_ALLOC, .to = out});
    if (!out)
        return IIP_E_INVAL;
    return loop->closing ? IIP_E_CLOSED
                         : iip_buf_empty(loop, iip_buf_frame(loop, IIP_TX_HEADROOM + 1, loop->frames_reserve), out, 0);
}

/* The entries lie where the application can write: what is there may be anything. */
void iip_buf_taken(struct iip_loop *loop, uint32_t taken)
{
    uint32_t i;
    for (i = loop->tx_holes; i < taken; i++) {
        struct iip_slot *slot = iip_slot_find(&loop->bufs, loop->tx_free[i].buf);
        if (slot)
            slot->index &= ~(uint32_t)IIP_BUF_LAID_OUT;
        else
            loop->stats.stale_handles++;
    }
    if (taken > loop->tx_holes)
        loop->tx_holes = taken;
}

/*
 * Fills entries of tx_free from `at` on; returns where it stopped, which is before `end` when buffers are few. Below the
 * low mark some are laid out all the same, a few at a time, so that who shares them out sees what is left.
 */
static uint32_t iip_buf_lay(struct iip_loop *loop, uint32_t at, uint32_t end)
{
    uint32_t left = loop->ops->frames_free(loop->queue);
    uint32_t plenty = left > loop->frames_low ? left - loop->frames_low : 0;
    left = left > loop->frames_reserve ? left - loop->frames_reserve : 0;
    plenty = at + plenty > IIP_TX_FREE_LOW ? at + plenty : IIP_TX_FREE_LOW;
    end = end < plenty ? end : plenty;
    for (; at < end && left; at++, left--)
        if (iip_buf_empty(loop, loop->ops->frame_get(loop->queue, IIP_TX_HEADROOM + 1), &loop->tx_free[at],
                          IIP_BUF_LAID_OUT))
            break;
    return at;
}

/* New buffers take the places of those that were taken from the front, or else those from the end do. */
void iip_buf_lay_out(struct iip_loop *loop)
{
    uint32_t holes = loop->tx_holes;
    uint32_t i;
    if (!holes && loop->tx_free_n == loop->tx_free_cap)
        return;
    i = iip_buf_lay(loop, 0, holes);
    while (i < holes && loop->tx_free_n > holes)
        loop->tx_free[i++] = loop->tx_free[--loop->tx_free_n];
    if (i < holes)
        loop->tx_free_n = i;
    loop->tx_holes = 0;
    loop->tx_free_n = iip_buf_lay(loop, loop->tx_free_n, loop->tx_free_cap);
}

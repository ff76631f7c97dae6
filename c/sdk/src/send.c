/*
 * send.c - the operations that send: a buffer moves into the stack, registered memory is lent to it, bytes are copied.
 *
 * A stream takes what fits. What is not taken stays with the caller, and blocks later sends of the same turn.
 */
#include <string.h>

#include "op.h"

/* The core tells those whose queue drains. Of a packet that could not be made it knows nothing. */
static int iip_op_told(const struct iip_loop *loop, const struct iip_obj *obj, int32_t status)
{
    struct iip_tcp_info info = {.size = sizeof info};
    if (status != IIP_E_NOBUFS)
        return 0;
    iip_tcp_info(loop->stk, obj->core, &info);
    return info.unacked || info.unsent;
}

/* What was not taken blocks later sends of this turn, which would tear the stream. */
static __attribute__((noinline)) int32_t iip_op_short(struct iip_loop *loop, struct iip_obj *obj, struct iip_op *op,
                                                      int32_t taken)
{
    if (taken >= 0)
        op->out = (uint32_t)taken;
    if (taken < 0 && taken != IIP_E_AGAIN && taken != IIP_E_NOBUFS && taken != IIP_E_NOMEM)
        return taken;
    obj->slot.index |= IIP_CONN_OWED;
    if (loop->shorted_n < loop->shorted_cap && !(obj->slot.index & IIP_CONN_SHORT)) {
        obj->slot.index |= IIP_CONN_SHORT;
        loop->shorted[loop->shorted_n++] = obj;
    }
    if (taken < 0 && taken != IIP_E_AGAIN && !iip_op_told(loop, obj, taken))
        iip_want_add(loop, obj);
    loop->taken_in_part += taken > 0;
    return taken > 0 ? IIP_OK : taken == 0 ? IIP_E_AGAIN : taken;
}

static inline int32_t iip_op_sent(struct iip_loop *loop, struct iip_obj *obj, struct iip_op *op, int32_t taken)
{
    if (IIP_UNLIKELY(taken < 0 || (uint32_t)taken != op->len))
        return iip_op_short(loop, obj, op, taken);
    op->out = op->len;
    return IIP_UNLIKELY(op->flags & IIP_OP_SHUT) ? iip_tcp_shutdown(loop->stk, obj->core) : IIP_OK;
}

void iip_op_end(struct iip_loop *loop)
{
    while (loop->shorted_n)
        loop->shorted[--loop->shorted_n]->slot.index &= ~(uint32_t)IIP_CONN_SHORT;
}

static struct iip_obj *iip_op_sender(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_obj *obj = iip_op_conn(loop, op, status);
    if (!*status && (!op->len || op->len > INT32_MAX))
        *status = IIP_E_RANGE;
    if (!*status && obj->slot.index & IIP_CONN_SHORT)
        *status = IIP_E_AGAIN;
    return obj;
}

/* The buffer that an operation names, of which the caller owns a reference; laid out ones it does not. */
static struct iip_buf *iip_op_buf(const struct iip_loop *loop, const struct iip_op *op, int32_t *status)
{
    struct iip_buf *buf = (struct iip_buf *)iip_slot_find(&loop->bufs, op->buf);
    *status = IIP_OK;
    if (!buf || buf->slot.index & IIP_BUF_LAID_OUT)
        *status = IIP_E_STALE;
    else if (op->offset > buf->pkt->len || op->len > buf->pkt->len - op->offset)
        *status = IIP_E_RANGE;
    return buf;
}

/* A view of what is to be sent. The last holder gives up the packet itself; where others hold it too, a second view. */
static struct iip_pkt *iip_op_view(struct iip_loop *loop, struct iip_buf *buf, const struct iip_op *op)
{
    struct iip_pkt *pkt = buf->pkt;
    uint64_t word = atomic_load_explicit(&buf->slot.word, memory_order_acquire);
    if (iip_slot_refs(word) != 1)
        return iip_pkt_new(loop->stk, pkt->frame, pkt->data + op->offset, op->len);
    if (buf->conn && buf->charge == IIP_CHARGE_OF_PKT)
        buf->charge = iip_pkt_charge(pkt);
    pkt->data += op->offset;
    pkt->len = pkt->total = op->len;
    pkt->flags = 0;
    return pkt;
}

/* All was taken: the reference is used up. With its packet gone there is nothing to free but the slot. */
static inline void iip_op_buf_sent(struct iip_loop *loop, struct iip_buf *buf, uint64_t handle, int own)
{
    struct iip_slot *slot;
    if (own)
        buf->pkt = NULL;
    if (IIP_LIKELY(own && !buf->conn && iip_slot_end(&buf->slot, handle))) {
        iip_slots_back(&loop->bufs, &buf->slot);
        return;
    }
    if (iip_slot_drop(&loop->bufs, handle, &slot) == 1)
        iip_buf_free(loop, buf);
}

/* Not all was taken: the buffer is as it was. */
static void iip_op_buf_kept(struct iip_loop *loop, struct iip_pkt *view, int own, uint8_t *data, uint32_t len)
{
    if (!own) {
        iip_pkt_free(loop->stk, view);
        return;
    }
    view->data = data;
    view->len = view->total = len;
}

int32_t iip_op_send_buf(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st, taken;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    struct iip_buf *buf = st ? NULL : iip_op_buf(loop, op, &st);
    struct iip_pkt *view;
    uint8_t *data;
    uint32_t len;
    int own;
    if (st)
        return st;
    data = buf->pkt->data;
    len = buf->pkt->len;
    view = iip_op_view(loop, buf, op);
    if (!view)
        return iip_op_short(loop, obj, op, IIP_E_NOMEM);
    own = view == buf->pkt;
    taken = iip_tcp_send(loop->stk, obj->core, view);
    if (taken >= 0 && (uint32_t)taken == op->len)
        iip_op_buf_sent(loop, buf, op->buf, own);
    else
        iip_op_buf_kept(loop, view, own, data, len);
    return iip_op_sent(loop, obj, op, taken);
}

int32_t iip_op_send_extern(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st, taken;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    struct iip_extern *ext = st ? NULL : iip_region_send(loop, op->buf, op->arg, op->len, &st);
    struct iip_pkt *pkt;
    if (st)
        return st;
    pkt = iip_pkt_new(loop->stk, &ext->frame, ext->frame.base, op->len);
    if (!pkt) {
        iip_region_done(loop, &ext->frame);
        return iip_op_short(loop, obj, op, IIP_E_NOMEM);
    }
    taken = iip_tcp_send(loop->stk, obj->core, pkt);
    if (taken > 0) {
        ext->bytes = (uint32_t)taken;
        ext->conn = op->obj;
        ext->user = op->user;
        loop->externs++;
    }
    if (taken < 0 || (uint32_t)taken < op->len)
        iip_pkt_free(loop->stk, pkt);
    return iip_op_sent(loop, obj, op, taken);
}

/* As many bytes as there is room for; those that begin with many frames free leave the few to who comes next. */
static int32_t iip_op_write(struct iip_loop *loop, struct iip_obj *obj, const void *bytes, uint32_t len)
{
    uint32_t room = iip_want_room(loop, obj);
    int32_t taken;
    loop->app_floor = loop->pool_low ? loop->frames_reserve : loop->frames_plenty;
    taken = iip_tcp_write(loop->stk, obj->core, bytes, len < room ? len : room);
    loop->app_floor = 0;
    if (room >= len || taken < 0)
        return taken;
    iip_want_add(loop, obj);
    return taken ? taken : IIP_E_NOBUFS;
}

int32_t iip_op_send_copy(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_sender(loop, op, &st);
    if (!st && !op->arg)
        st = IIP_E_INVAL;
    if (st)
        return st;
    st = iip_op_write(loop, obj, (const void *)(uintptr_t)op->arg, op->len);
    return iip_op_sent(loop, obj, op, st);
}

static int32_t iip_op_udp_out(struct iip_loop *loop, const struct iip_op *op, struct iip_obj *obj, struct iip_pkt *pkt)
{
    struct iip_endpoint local, peer;
    int32_t st = iip_op_addrs(loop, op, &local, &peer);
    if (st)
        return st;
    return iip_udp_send(loop->stk, obj->core, iip_op_any(&local) ? NULL : &local, iip_op_any(&peer) ? NULL : &peer,
                        pkt);
}

int32_t iip_op_udp_send(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_udp(loop, op, &st);
    struct iip_buf *buf = st ? NULL : iip_op_buf(loop, op, &st);
    struct iip_pkt *view;
    uint8_t *data;
    uint32_t len;
    int own;
    if (st)
        return st;
    data = buf->pkt->data;
    len = buf->pkt->len;
    view = iip_op_view(loop, buf, op);
    if (!view)
        return IIP_E_NOMEM;
    own = view == buf->pkt;
    st = iip_op_udp_out(loop, op, obj, view);
    if (st) {
        iip_op_buf_kept(loop, view, own, data, len);
        return st;
    }
    iip_op_buf_sent(loop, buf, op->buf, own);
    op->out = op->len;
    return IIP_OK;
}

/* A copy of a whole datagram, in as many frames as it takes; the core cuts it for the wire. */
static struct iip_pkt *iip_op_udp_copy(struct iip_loop *loop, const uint8_t *from, uint32_t len, int32_t *st)
{
    struct iip_pkt *first = NULL;
    struct iip_pkt **end = &first;
    do {
        struct iip_frame *frame = iip_buf_frame(loop, IIP_TX_HEADROOM + 1, loop->frames_reserve);
        uint32_t room = frame ? frame->size - IIP_TX_HEADROOM : 0;
        *end = frame ? iip_pkt_new(loop->stk, frame, frame->base + IIP_TX_HEADROOM, len < room ? len : room) : NULL;
        if (!*end) {
            if (frame)
                loop->ops->frame_put(loop->queue, frame);
            iip_pkt_free(loop->stk, first);
            *st = frame ? IIP_E_NOMEM : IIP_E_NOBUFS;
            return NULL;
        }
        if (len) {
            memcpy((*end)->data, from, (*end)->len);
            from += (*end)->len;
            len -= (*end)->len;
        }
        end = &(*end)->next;
    } while (len);
    return first;
}

int32_t iip_op_udp_send_copy(struct iip_loop *loop, struct iip_op *op)
{
    int32_t st;
    struct iip_obj *obj = iip_op_udp(loop, op, &st);
    struct iip_pkt *pkt;
    if (st)
        return st;
    if (op->len > UINT16_MAX)
        return IIP_E_MSGSIZE;
    if (op->len && !op->buf)
        return IIP_E_INVAL;
    pkt = iip_op_udp_copy(loop, (const uint8_t *)(uintptr_t)op->buf, op->len, &st);
    if (!pkt)
        return st;
    st = iip_op_udp_out(loop, op, obj, pkt);
    if (st)
        iip_pkt_free(loop->stk, pkt);
    else
        op->out = op->len;
    return st;
}

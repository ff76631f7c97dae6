/*
 * want.c - connections whose send was refused for want of frames or memory, where no ACK will tell them that there is room:
 * nothing of theirs is on its way, or frames are few and their peers have no room. Ports do not say when frames come back:
 * the loop looks now and then.
 */
#include "sdk.h"

enum { IIP_WANT_US = 1000 };

/* More than may leave at once would keep frames from those who read, as long as the peer likes. */
uint32_t iip_want_room_low(const struct iip_loop *loop, const struct iip_obj *obj)
{
    struct iip_tcp_info info = {.size = sizeof info};
    uint32_t window, queued;
    iip_tcp_info(loop->stk, obj->core, &info);
    window = info.snd_wnd < info.cwnd ? info.snd_wnd : info.cwnd;
    queued = info.unacked + info.unsent;
    return window > queued ? window - queued : 0;
}

void iip_want_later(struct iip_loop *loop)
{
    loop->want_at = loop->now + IIP_WANT_US;
}

static struct iip_obj *iip_want_at(const struct iip_loop *loop, uint32_t place)
{
    return (struct iip_obj *)iip_slot_at(&loop->conns, place - 1);
}

void iip_want_add(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t place = iip_slot_index(&obj->slot) + 1;
    if (obj->slot.index & IIP_CONN_WANTS)
        return;
    if (!loop->want)
        iip_want_later(loop);
    obj->slot.index |= IIP_CONN_WANTS;
    obj->want_next = 0;
    obj->want_prev = loop->want_end;
    *(loop->want_end ? &iip_want_at(loop, loop->want_end)->want_next : &loop->want) = place;
    loop->want_end = place;
}

void iip_want_end(struct iip_loop *loop, struct iip_obj *obj)
{
    obj->slot.index &= ~(uint32_t)IIP_CONN_WANTS;
    *(obj->want_prev ? &iip_want_at(loop, obj->want_prev)->want_next : &loop->want) = obj->want_next;
    *(obj->want_next ? &iip_want_at(loop, obj->want_next)->want_prev : &loop->want_end) = obj->want_prev;
}

struct iip_obj *iip_want_take(struct iip_loop *loop)
{
    struct iip_obj *obj = loop->want ? iip_want_at(loop, loop->want) : NULL;
    if (obj)
        iip_want_end(loop, obj);
    return obj;
}

/* alarm.c - timers of the application: a binary heap, the earliest on top. */
#include <stdlib.h>

#include "sdk.h"

static void iip_alarm_place(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    loop->heap[i] = alarm;
    alarm->place = i;
}

static void iip_alarm_up(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    while (i && alarm->at < loop->heap[(i - 1) / 2]->at) {
        iip_alarm_place(loop, loop->heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    iip_alarm_place(loop, alarm, i);
}

static void iip_alarm_down(struct iip_loop *loop, struct iip_alarm *alarm, uint32_t i)
{
    uint32_t child;
    while ((child = 2 * i + 1) < loop->heap_n) {
        if (child + 1 < loop->heap_n && loop->heap[child + 1]->at < loop->heap[child]->at)
            child++;
        if (alarm->at <= loop->heap[child]->at)
            break;
        iip_alarm_place(loop, loop->heap[child], i);
        i = child;
    }
    iip_alarm_place(loop, alarm, i);
}

static int32_t iip_alarm_grow(struct iip_loop *loop)
{
    uint32_t cap = loop->heap_cap ? 2 * loop->heap_cap : 64;
    struct iip_alarm **more = realloc(loop->heap, cap * sizeof *more);
    if (!more)
        return IIP_E_NOMEM;
    loop->heap = more;
    loop->heap_cap = cap;
    return IIP_OK;
}

int32_t iip_alarm_set(struct iip_loop *loop, uint64_t at, uint64_t user, uint64_t *out)
{
    struct iip_alarm *alarm;
    if (loop->heap_n == loop->heap_cap && iip_alarm_grow(loop))
        return IIP_E_NOMEM;
    alarm = (struct iip_alarm *)iip_slots_take(&loop->alarms);
    if (!alarm)
        return IIP_E_NOMEM;
    alarm->at = at;
    alarm->user = user;
    iip_alarm_up(loop, alarm, loop->heap_n++);
    *out = iip_slot_handle(&loop->alarms, &alarm->slot);
    return IIP_OK;
}

/* The last of the heap fills the hole, and goes up or down from there. The slot stays the caller's to put. */
static void iip_alarm_remove(struct iip_loop *loop, struct iip_alarm *alarm)
{
    uint32_t i = alarm->place;
    struct iip_alarm *last = loop->heap[--loop->heap_n];
    if (last == alarm)
        return;
    if (i && last->at < loop->heap[(i - 1) / 2]->at)
        iip_alarm_up(loop, last, i);
    else
        iip_alarm_down(loop, last, i);
}

int32_t iip_alarm_cancel(struct iip_loop *loop, uint64_t handle)
{
    struct iip_alarm *alarm = (struct iip_alarm *)iip_slot_find(&loop->alarms, handle);
    if (!alarm)
        return IIP_E_STALE;
    iip_alarm_remove(loop, alarm);
    iip_slots_put(&loop->alarms, &alarm->slot);
    return IIP_OK;
}

struct iip_alarm *iip_alarm_take(struct iip_loop *loop, uint64_t until)
{
    struct iip_alarm *alarm;
    if (!loop->heap_n || loop->heap[0]->at > until)
        return NULL;
    alarm = loop->heap[0];
    iip_alarm_remove(loop, alarm);
    return alarm;
}

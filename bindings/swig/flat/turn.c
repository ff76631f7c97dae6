/* turn.c - one turn, and its events as copies. */
#include <stdlib.h>

#include "flat.h"

static struct flat_event *flat_event_new(struct flat_loop *loop, const struct iip_event *is)
{
    struct flat_event *event = calloc(1, sizeof *event);
    if (!event)
        return NULL;
    event->engine = loop->engine;
    event->is = *is;
    if (is->aux)
        event->ends = *(const struct iip_addrs *)(const void *)(loop->area.aux + is->aux);
    event->refs = 1;
    event->owns = is->buf != 0;
    atomic_fetch_add(&loop->engine->refs, 1);
    return event;
}

/* Room for the events is made before there are any, so that none is lost for want of memory. */
static int32_t flat_turn_room(struct flat_loop *loop, struct flat_events **out)
{
    struct iip_area area = {.size = sizeof area};
    int32_t status = iip_loop_area(loop->raw, &area); /* the owner's alone, as is what waits for the turn */
    if (status < 0)
        return status;
    loop->area = area;
    *out = malloc(sizeof **out + loop->area.event_cap * sizeof(struct flat_event *));
    if (!*out)
        return IIP_E_NOMEM;
    (*out)->n = 0;
    return 0;
}

static int32_t flat_turn_run(struct flat_loop *loop, struct flat_events *events)
{
    int32_t i, n;

    flat_queue_lay(loop);
    n = iip_loop_turn(loop->raw, &loop->turn);
    if (n >= 0)
        flat_queue_done(loop);
    for (i = 0; i < n; i++) {
        struct flat_event *event = flat_event_new(loop, &loop->area.events[i]);
        flat_queue_answered(loop, &loop->area.events[i]);
        if (event)
            events->at[events->n++] = event;
        else if (loop->area.events[i].buf)
            iip_buf_release(loop->area.events[i].buf);
    }
    return n;
}

struct flat_events *flat_loop_turn(struct flat_loop *loop, int64_t wait_us, uint32_t flags)
{
    struct flat_events *events = NULL;
    int32_t status = loop ? flat_engine_pin(loop->engine) : IIP_E_INVAL;
    if (status >= 0) {
        status = flat_turn_room(loop, &events);
        if (status >= 0) {
            loop->turn = (struct iip_turn){.size = sizeof loop->turn, .flags = flags, .wait_us = wait_us};
            if (wait_us)
                loop->turn.flags |= IIP_TURN_WAIT;
            status = flat_turn_run(loop, events);
        }
        flat_engine_unpin(loop->engine);
    }
    if (status >= 0)
        return events;
    flat_fail(status, NULL);
    free(events);
    return NULL;
}

uint32_t flat_loop_state(struct flat_loop *loop)
{
    return loop ? loop->turn.state : 0;
}

int64_t flat_loop_deadline(struct flat_loop *loop)
{
    return loop && loop->turn.deadline_us < INT64_MAX ? (int64_t)loop->turn.deadline_us : -1;
}

uint32_t flat_loop_rx_packets(struct flat_loop *loop)
{
    return loop ? loop->turn.rx_packets : 0;
}

uint32_t flat_loop_release_failed(struct flat_loop *loop)
{
    return loop ? loop->turn.release_failed : 0;
}

void flat_events_free(struct flat_events *events)
{
    uint32_t i;

    for (i = 0; events && i < events->n; i++)
        flat_event_unref(events->at[i]);
    free(events);
}

struct flat_event *flat_events_get(struct flat_events *events, uint32_t i)
{
    if (!events || i >= events->n) {
        flat_fail(IIP_E_RANGE, "there are not so many events");
        return NULL;
    }
    atomic_fetch_add(&events->at[i]->refs, 1);
    return events->at[i];
}

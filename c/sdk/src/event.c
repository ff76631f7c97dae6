/*
 * event.c - what happened, as records: the notes of the core become events in the application's array.
 *
 * Nothing is lost when the array is full: what does not fit stays where it is (in the core, in `notes`, in `run`) until
 * the next turn, which then receives no packets before it has handed the rest up.
 */
#include "sdk.h"

static struct iip_event *iip_event_next(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type,
                                        int32_t status)
{
    struct iip_event *ev = &loop->events[loop->event_n++];
    *ev = (struct iip_event){.src = src, .user = user, .type = (uint16_t)type, .status = status};
    return ev;
}

static int iip_event_full(const struct iip_loop *loop)
{
    return loop->event_n >= loop->event_max;
}

static void iip_event_ends(struct iip_loop *loop, struct iip_event *ev, const struct iip_note *note)
{
    struct iip_addrs *aux = &loop->aux[++loop->aux_n];
    iip_addr_from(&aux->local, &note->local);
    iip_addr_from(&aux->peer, &note->peer);
    ev->aux = loop->aux_n * (uint32_t)sizeof *aux;
}

/* ---- bytes: each view of memory becomes an event, and has a buffer of its own ---- */

/* The first view of the run, which then stands alone; what is behind it becomes the run. */
static struct iip_pkt *iip_event_first(struct iip_loop *loop)
{
    struct iip_pkt *pkt = loop->run;
    struct iip_pkt *rest = pkt->next;
    if (rest) {
        rest->link = pkt->link;
        pkt->next = NULL;
        loop->run = rest;
    } else {
        loop->run = pkt->link;
    }
    pkt->link = NULL;
    return pkt;
}

/* Few buffers are free: the view is copied. A copy of several views has the window of all in the first. */
static struct iip_pkt *iip_event_spill(struct iip_loop *loop, struct iip_pkt *pkt)
{
    struct iip_pkt *copy = iip_spill_copy(loop, pkt);
    struct iip_pkt *rest = copy->next;
    if (!rest)
        return copy;
    copy->next = NULL;
    rest->link = loop->run;
    loop->run = rest;
    for (; rest; rest = rest->next)
        rest->flags = IIP_PKT_COPY;
    return copy;
}

/* One event; 0: no memory for a buffer, it waits. */
static int iip_event_bytes(struct iip_loop *loop, const struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_obj *obj = note->user;
    struct iip_buf *buf = iip_buf_make(loop, NULL);
    struct iip_event *ev = &loop->events[loop->event_n];
    struct iip_pkt *pkt;
    uint32_t charge = 0;
    if (!buf)
        return 0;
    loop->event_n++;
    pkt = iip_event_first(loop);
    if (type == IIP_EVENT_DATA && !(pkt->flags & IIP_PKT_COPY))
        charge = iip_pkt_charge(pkt);
    if (loop->pool_low && !(pkt->flags & IIP_PKT_COPY))
        pkt = iip_event_spill(loop, pkt);
    buf->pkt = pkt;
    if (type == IIP_EVENT_DATA)
        iip_conn_held(loop, obj, buf, charge);
    *ev = (struct iip_event){.src = src,
                             .user = obj->user,
                             .type = (uint16_t)type,
                             .flags = loop->run ? IIP_EVENT_MORE : 0,
                             .buf = iip_slot_handle(&loop->bufs, &buf->slot),
                             .addr = (uintptr_t)pkt->data,
                             .len = pkt->len};
    iip_buf_place(loop, pkt, &ev->offset, &ev->region);
    if (pkt->frame->region == IIP_FRAME_REGION_SPILL)
        ev->flags |= IIP_EVENT_COPIED;
    return 1;
}

static inline void iip_event_data(struct iip_loop *loop, struct iip_event *ev, struct iip_obj *obj, uint64_t src,
                                  struct iip_buf *buf)
{
    const struct iip_pkt *pkt = buf->pkt;
    buf->conn = obj;
    buf->generation = iip_slot_generation(&obj->slot);
    *ev = (struct iip_event){.src = src,
                             .user = obj->user,
                             .type = IIP_EVENT_DATA,
                             .buf = iip_slot_handle(&loop->bufs, &buf->slot),
                             .addr = (uintptr_t)pkt->data,
                             .len = pkt->len};
    iip_buf_place(loop, pkt, &ev->offset, &ev->region);
    buf->charge = IIP_CHARGE_OF_PKT;
}

/*
 * Nearly every note is data for a connection that credits by release, in packets of one view each: while it is, and
 * buffers are not few, the same as iip_event_run does, in a straight line. It stops in front of anything else, and
 * where there is no room.
 */
static void iip_event_stream(struct iip_loop *loop)
{
    struct iip_note *note = &loop->notes[loop->note_i];
    const struct iip_note *note_end = &loop->notes[loop->note_n];
    struct iip_event *ev = &loop->events[loop->event_n];
    const struct iip_event *ev_end = &loop->events[loop->event_max];
    for (; note != note_end; note++) {
        struct iip_obj *obj = note->user;
        struct iip_pkt *pkt = note->pkt;
        uint64_t src;
        if (note->type != IIP_NOTE_DATA || !obj || !pkt || obj->slot.next)
            break;
        src = iip_slot_handle(&loop->conns, &obj->slot);
        while (pkt && !pkt->next && ev != ev_end) {
            struct iip_pkt *rest = pkt->link;
            struct iip_buf *buf = iip_buf_make(loop, pkt);
            if (IIP_UNLIKELY(!buf))
                break;
            pkt->link = NULL;
            iip_event_data(loop, ev, obj, src, buf);
            if (rest)
                ev->flags = IIP_EVENT_MORE;
            ev++;
            pkt = rest;
        }
        note->pkt = pkt;
        if (pkt)
            break;
    }
    loop->note_i = (uint32_t)(note - loop->notes);
    loop->event_n = (uint32_t)(ev - loop->events);
}

/* A run, or the rest of it; 0: it could not be handed up whole. */
static int iip_event_run(struct iip_loop *loop, struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_event *ev;
    if (note->pkt) {
        loop->run = note->pkt;
        note->pkt = NULL;
    }
    while (loop->run) {
        if (iip_event_full(loop) || !iip_event_bytes(loop, note, src, type))
            return 0;
        if (type != IIP_EVENT_UDP)
            continue;
        ev = &loop->events[loop->event_n - 1];
        ev->value = note->value;
        iip_event_ends(loop, ev, note);
    }
    return 1;
}

static void iip_event_free_run(struct iip_loop *loop, struct iip_pkt *pkt)
{
    while (pkt) {
        struct iip_pkt *link = pkt->link;
        pkt->link = NULL;
        iip_pkt_free(loop->stk, pkt);
        pkt = link;
    }
}

/* ---- notes, as they come from the core ---- */

/* Does the core's connection end within this batch? Then its pointer is dead already. */
static int iip_event_ended(const struct iip_loop *loop, uint32_t i)
{
    const void *conn = loop->notes[i].conn;
    for (; i < loop->note_n; i++)
        if (loop->notes[i].type == IIP_NOTE_CLOSED && loop->notes[i].conn == conn)
            return 1;
    return 0;
}

/* A new connection: its slot becomes its cookie, also in the notes of this batch that were made before it had one. */
static void iip_event_accepted(struct iip_loop *loop, uint32_t i)
{
    struct iip_note *note = &loop->notes[i];
    struct iip_obj *lis = note->user;
    struct iip_obj *obj = lis ? iip_conn_take(loop, note->conn, lis->user) : NULL;
    int ended = iip_event_ended(loop, i);
    note->owner = lis;
    note->user = obj;
    if (!ended) {
        iip_tcp_user_set(note->conn, obj);
        if (!obj || loop->closing)
            iip_tcp_abort(loop->stk, note->conn);
    } else if (obj) {
        obj->core = NULL;
    }
    for (i++; i < loop->note_n; i++)
        if (loop->notes[i].conn == note->conn)
            loop->notes[i].user = obj;
}

/* Reading the notes killed the pointers of the connections that ended: nobody may follow them from here on. */
static void iip_event_fetch(struct iip_loop *loop)
{
    uint32_t i;
    loop->note_i = 0;
    loop->note_n = iip_stack_notes(loop->stk, loop->notes, IIP_NOTES);
    for (i = 0; i < loop->note_n; i++) {
        struct iip_note *note = &loop->notes[i];
        if (note->type == IIP_NOTE_ACCEPT)
            iip_event_accepted(loop, i);
        else if (note->type == IIP_NOTE_CLOSED && note->user)
            ((struct iip_obj *)note->user)->core = NULL;
    }
}

static void iip_event_conn(struct iip_loop *loop, const struct iip_note *note, uint64_t src, uint32_t type)
{
    struct iip_obj *obj = note->user;
    struct iip_event *ev = iip_event_next(loop, src, obj->user, type, note->status);
    ev->value = note->value;
    if (note->type == IIP_NOTE_ACCEPT || note->type == IIP_NOTE_CONNECTED)
        iip_event_ends(loop, ev, note);
    if (note->type == IIP_NOTE_CLOSED)
        iip_conn_put(loop, obj);
}

/* The core tells who is told already, or waits in the list of want.c as well: one WRITABLE is owed, whoever says it. */
static void iip_event_writable(struct iip_loop *loop, const struct iip_note *note)
{
    struct iip_obj *obj = note->user;
    if (!(obj->slot.index & IIP_CONN_OWED))
        return;
    obj->slot.index &= ~(uint32_t)IIP_CONN_OWED;
    if (obj->slot.index & IIP_CONN_WANTS)
        iip_want_end(loop, obj);
    iip_event_conn(loop, note, iip_slot_handle(&loop->conns, &obj->slot), IIP_EVENT_WRITABLE);
}

static void iip_event_accept(struct iip_loop *loop, const struct iip_note *note, uint64_t src)
{
    const struct iip_obj *lis = note->owner;
    iip_event_conn(loop, note, src, IIP_EVENT_ACCEPT);
    loop->events[loop->event_n - 1].value = (lis->slot.index & IIP_OBJ_ENGINE)
        ? loop->all[lis->slot.next - 1].handle
        : iip_slot_handle(&loop->listeners, &lis->slot);
}

static void iip_event_udp_error(struct iip_loop *loop, const struct iip_note *note, uint64_t src)
{
    const struct iip_obj *obj = note->user;
    struct iip_event *ev = iip_event_next(loop, src, obj->user, IIP_EVENT_UDP_ERROR, note->status);
    ev->value = note->value;
    iip_event_ends(loop, ev, note);
}

/* One note; 0: there was no room for all of it. The caller saw to it that there is room for one event. */
static int iip_event_note(struct iip_loop *loop, struct iip_note *note)
{
    static const uint16_t type_of[] = {
        [IIP_NOTE_CONNECTED] = IIP_EVENT_CONNECTED, [IIP_NOTE_FIN] = IIP_EVENT_FIN,
        [IIP_NOTE_URGENT] = IIP_EVENT_URGENT,       [IIP_NOTE_ERROR] = IIP_EVENT_ERROR,
        [IIP_NOTE_CLOSED] = IIP_EVENT_CLOSED,
    };
    const struct iip_obj *obj = note->user;
    if (note->type == IIP_NOTE_FOREIGN) {
        iip_inbox_hand(loop, note);
        return 1;
    }
    if (!obj) { /* of a connection that was refused, or of an endpoint that is closed */
        if (note->type == IIP_NOTE_DATA || note->type == IIP_NOTE_UDP)
            iip_event_free_run(loop, note->pkt);
        return 1;
    }
    switch (note->type) {
    case IIP_NOTE_DATA:
        return iip_event_run(loop, note, iip_slot_handle(&loop->conns, &obj->slot), IIP_EVENT_DATA);
    case IIP_NOTE_UDP:
        return iip_event_run(loop, note, iip_slot_handle(&loop->udps, &obj->slot), IIP_EVENT_UDP);
    case IIP_NOTE_ACCEPT:
        iip_event_accept(loop, note, iip_slot_handle(&loop->conns, &obj->slot));
        return 1;
    case IIP_NOTE_WRITABLE:
        iip_event_writable(loop, note);
        return 1;
    case IIP_NOTE_UDP_ERROR:
        iip_event_udp_error(loop, note, iip_slot_handle(&loop->udps, &obj->slot));
        return 1;
    default:
        if (note->type < sizeof type_of / sizeof type_of[0] && type_of[note->type])
            iip_event_conn(loop, note, iip_slot_handle(&loop->conns, &obj->slot), type_of[note->type]);
        return 1;
    }
}

static int iip_event_notes(struct iip_loop *loop)
{
    for (;;) {
        if (!loop->pool_low)
            iip_event_stream(loop);
        if (loop->note_i == loop->note_n) {
            iip_event_fetch(loop);
            if (!loop->note_n)
                return 1;
        } else if (iip_event_full(loop) || !iip_event_note(loop, &loop->notes[loop->note_i])) {
            return 0;
        } else {
            loop->note_i++;
        }
    }
}

/* ---- what does not come from the core ---- */

int32_t iip_event_room(const struct iip_loop *loop)
{
    return loop->told_n <= loop->told_mask ? IIP_OK : IIP_E_AGAIN;
}

struct iip_event *iip_event_tell(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type, int32_t status)
{
    struct iip_event *ev = &loop->told[(loop->told_i + loop->told_n++) & loop->told_mask];
    *ev = (struct iip_event){.src = src, .user = user, .type = (uint16_t)type, .status = status};
    return ev;
}

static int iip_event_told(struct iip_loop *loop)
{
    while (loop->told_n) {
        if (iip_event_full(loop))
            return 0;
        loop->events[loop->event_n++] = loop->told[loop->told_i];
        loop->told_i = (loop->told_i + 1) & loop->told_mask;
        loop->told_n--;
    }
    return 1;
}

static int iip_event_tx_done(struct iip_loop *loop)
{
    struct iip_extern *ext;
    while ((ext = loop->done) != NULL) {
        if (iip_event_full(loop))
            return 0;
        iip_event_next(loop, ext->conn, ext->user, IIP_EVENT_TX_DONE, IIP_OK)->len = ext->bytes;
        loop->done = ext->next;
        if (!loop->done)
            loop->done_end = &loop->done;
        loop->externs--;
        iip_region_unsend(loop, ext);
    }
    return 1;
}

static int iip_event_alarms(struct iip_loop *loop, uint64_t until, uint32_t type, int32_t status)
{
    struct iip_alarm *alarm;
    while (loop->heap_n && loop->heap[0]->at <= until) {
        if (iip_event_full(loop))
            return 0;
        alarm = iip_alarm_take(loop, until);
        iip_event_next(loop, iip_slot_handle(&loop->alarms, &alarm->slot), alarm->user, type, status)->value =
            alarm->at;
        iip_slots_put(&loop->alarms, &alarm->slot);
    }
    return 1;
}

/* Each has a frame at least, and is looked at once; who is refused again goes to the end of the list. */
static int iip_event_wanted(struct iip_loop *loop)
{
    uint32_t left = loop->ops->frames_free(loop->queue);
    struct iip_obj *obj, *first = NULL;
    for (left = left > loop->frames_reserve ? left - loop->frames_reserve : 0; left; left--) {
        if (iip_event_full(loop))
            return !loop->want;
        obj = iip_want_take(loop);
        if (!obj)
            return 1;
        if (iip_want_room(loop, obj)) {
            obj->slot.index &= ~(uint32_t)IIP_CONN_OWED;
            iip_event_next(loop, iip_slot_handle(&loop->conns, &obj->slot), obj->user, IIP_EVENT_WRITABLE, IIP_OK);
            continue;
        }
        iip_want_add(loop, obj);
        if (obj == first)
            break;
        first = first ? first : obj;
    }
    iip_want_later(loop);
    return 1;
}

/* ---- the end of a loop: connections end by their notes, all else here, as there is room ---- */

static int iip_event_end_all(struct iip_loop *loop, struct iip_slots *t)
{
    uint32_t n = atomic_load_explicit(&t->count, memory_order_relaxed);
    uint32_t i;
    for (i = 0; t->live && i < n; i++) {
        struct iip_obj *obj = (struct iip_obj *)iip_slot_at(t, i);
        if (obj->slot.index & IIP_SLOT_FREE)
            continue;
        if (iip_event_full(loop))
            return 0;
        iip_event_next(loop, iip_slot_handle(t, &obj->slot), obj->user, IIP_EVENT_CLOSED, IIP_E_ABORTED);
        iip_op_end_obj(loop, t, obj);
    }
    return 1;
}

static int iip_event_closing(struct iip_loop *loop)
{
    return iip_event_alarms(loop, UINT64_MAX, IIP_EVENT_CLOSED, IIP_E_ABORTED) &&
        iip_event_end_all(loop, &loop->listeners) && iip_event_end_all(loop, &loop->udps);
}

int iip_event_waiting(const struct iip_loop *loop)
{
    return loop->more || loop->told_n || loop->done || loop->note_i < loop->note_n ||
        (loop->heap_n && loop->heap[0]->at <= loop->now) || (loop->want && loop->want_at <= loop->now);
}

void iip_event_collect(struct iip_loop *loop)
{
    loop->event_n = 0;
    loop->aux_n = 0;
    loop->more = !(iip_event_told(loop) && iip_event_tx_done(loop) &&
                   iip_event_alarms(loop, loop->now, IIP_EVENT_TIMER, IIP_OK) && iip_event_notes(loop) &&
                   (!loop->want || loop->want_at > loop->now || iip_event_wanted(loop)) &&
                   (!loop->closing || iip_event_closing(loop)));
    loop->stats.events += loop->event_n;
}

void iip_event_forget(struct iip_loop *loop, const struct iip_obj *obj)
{
    uint32_t i;
    for (i = loop->note_i; i < loop->note_n; i++) {
        struct iip_note *note = &loop->notes[i];
        if (note->user != obj)
            continue;
        if (i == loop->note_i) { /* it may be handed up in part */
            iip_event_free_run(loop, loop->run);
            loop->run = NULL;
        }
        note->user = NULL;
    }
}

/* Everything that the core handed over and nobody will read. */
void iip_event_drop(struct iip_loop *loop)
{
    struct iip_note *note;
    iip_event_free_run(loop, loop->run);
    loop->run = NULL;
    do {
        for (; loop->note_i < loop->note_n; loop->note_i++) {
            note = &loop->notes[loop->note_i];
            iip_event_free_run(loop, note->pkt);
        }
        loop->note_i = 0;
        loop->note_n = iip_stack_notes(loop->stk, loop->notes, IIP_NOTES);
    } while (loop->note_n);
}

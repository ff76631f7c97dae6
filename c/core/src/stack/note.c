/* note.c - who has something to say, and the saying of it. */
#include "stack/up.h"

IIP_LOCAL void iip_ready_put(struct iip_stack *stk, struct iip_ready *ready)
{
    if (ready->queued)
        return;
    ready->queued = 1;
    ready->next = 0;
    if (stk->ready_head)
        stk->ready_tail->next = ready;
    else
        stk->ready_head = ready;
    stk->ready_tail = ready;
}

/* Rare (a socket or listener closed by the application), so a walk is fine. */
IIP_LOCAL void iip_ready_del(struct iip_stack *stk, struct iip_ready *ready)
{
    struct iip_ready **link = &stk->ready_head;
    struct iip_ready *last = 0;
    if (!ready->queued)
        return;
    ready->queued = 0;
    for (; *link && *link != ready; link = &(*link)->next)
        last = *link;
    if (!*link)
        return;
    *link = ready->next;
    if (stk->ready_tail == ready)
        stk->ready_tail = last;
}

IIP_LOCAL void iip_note_init(struct iip_note *note, iip_u32 type)
{
    note->type = (iip_u16)type;
    note->flags = 0;
    note->status = IIP_OK;
    note->conn = 0;
    note->owner = 0;
    note->user = 0;
    note->pkt = 0;
    note->bytes = 0;
    note->value = 0;
}

static iip_u32 iip_foreign_notes(struct iip_stack *stk, struct iip_note *out, iip_u32 cap, int *more)
{
    iip_u32 n;
    for (n = 0; n < cap && stk->foreign.head; n++) {
        iip_note_init(&out[n], IIP_NOTE_FOREIGN);
        out[n].pkt = iip_pktq_get(&stk->foreign);
        out[n].value = out[n].pkt->aux;
    }
    *more = stk->foreign.head != 0;
    return n;
}

static iip_u32 iip_ready_notes(struct iip_stack *stk, struct iip_ready *ready, struct iip_note *out, iip_u32 cap,
                               int *more)
{
    if (ready->kind == IIP_READY_TCP)
        return iip_tcp_notes(stk, ready, out, cap, more);
    if (ready->kind == IIP_READY_UDP)
        return iip_udp_notes(stk, ready, out, cap, more);
    return iip_foreign_notes(stk, out, cap, more);
}

/*
 * A source leaves the list before it speaks, for its last note may be the end of it; while it has more to say it keeps
 * its place at the front. A new connection says no more in the call that announces it.
 */
IIP_API iip_u32 iip_stack_notes(struct iip_stack *stk, struct iip_note *out, iip_u32 cap)
{
    struct iip_ready *ready;
    struct iip_ready *stop = 0;
    iip_u32 n = 0;
    int more;
    while (n < cap && (ready = stk->ready_head) != 0 && ready != stop) {
        stk->ready_head = ready->next;
        ready->queued = 0;
        more = 0;
        n += iip_ready_notes(stk, ready, out + n, cap - n, &more);
        if (!more)
            continue;
        if (more < 0) { /* the rest at the next call */
            iip_ready_put(stk, ready);
            if (!stop)
                stop = ready;
            continue;
        }
        ready->queued = 1;
        ready->next = stk->ready_head;
        if (!stk->ready_head)
            stk->ready_tail = ready;
        stk->ready_head = ready;
    }
    return n;
}

IIP_API int iip_stack_speaks(const struct iip_stack *stk)
{
    return stk->ready_head != 0;
}

/*
 * lend.c - long packets are not copied: the receiver reads the sender's bytes where they lie.
 *
 * The receiver gets a frame of its own, which is read-only and names the bytes. When its last view is freed, the record
 * goes home through a list to which any thread may add (a packet may end on another queue than it came up on); the
 * sender takes the whole list when it next receives, and frees its packet then, as a NIC's driver does with what was
 * sent. So each stack touches the counts of its own frames only.
 *
 * Who keeps what it received keeps the sender's frames: below half of its pool a sender copies. Both ends' pools live
 * until both ends are closed, so bytes that an event named stay where they are if the sender closes first.
 */
#include <stdlib.h>

#include "pair.h"

void iip_pair_lend_init(struct iip_pair_queue *q)
{
    q->lent_n = q->pool.count / 2;
    q->lent = calloc(q->lent_n, sizeof(*q->lent));
    if (!q->lent)
        q->lent_n = 0;
}

void iip_pair_lent_return(struct iip_frame *frame)
{
    struct iip_pair_lent *lent = (struct iip_pair_lent *)frame;
    struct iip_pair_queue *owner = lent->owner;
    struct iip_pair_lent *head = atomic_load_explicit(&owner->lent_home, memory_order_relaxed);
    do
        lent->next = head;
    while (!atomic_compare_exchange_weak_explicit(&owner->lent_home, &head, lent, memory_order_release,
                                                  memory_order_relaxed));
}

void iip_pair_lent_fetch(struct iip_pair_queue *q)
{
    struct iip_pair_lent *lent = atomic_exchange_explicit(&q->lent_home, NULL, memory_order_acquire);
    while (lent) {
        struct iip_pair_lent *next = lent->next;
        iip_pkt_free(q->stk, lent->pkt);
        lent->next = q->lent_free;
        q->lent_free = lent;
        lent = next;
    }
}

void iip_pair_lent_unread(struct iip_pair_ring *ring)
{
    uint32_t at = ring->consumed, end = atomic_load_explicit(&ring->filled, memory_order_acquire);
    for (; at != end; at++) {
        const struct iip_pair_desc *desc = &ring->desc[at & ring->mask];
        if (desc->meta >> 32 & IIP_PAIR_LENT)
            iip_pair_lent_return(&desc->lent->frame);
    }
    ring->consumed = end;
}

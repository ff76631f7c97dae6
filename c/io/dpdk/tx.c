/*
 * tx.c - from the stack to the driver, with its refusals.
 *
 * A packet is freed as soon as the driver has taken it. But the driver may go on reading the mbufs of frames that the
 * stack keeps for retransmission, and in such a frame no header may be written. The stack asks frame->views for that,
 * so the port adds a view of its own to each frame that the driver still refers to and puts it on the queue's held
 * list; the reference counts of the list's front are looked at whenever the queue receives or sends. A frame stays on
 * the list until the driver has let go, even when the stack has forgotten it. The list is in sending order, so it is
 * enough to look until the first that is still in use.
 */
#include "build.h"

/* ---- frames that the driver holds -------------------------------------------------------------------------------- */

static void held_add(struct iip_port_queue *q, struct dpdk_frame *df)
{
    df->frame.views++;
    df->state |= DPDK_HELD;
    df->next = NULL;
    if (q->held_tail)
        q->held_tail->next = df;
    else
        q->held_head = df;
    q->held_tail = df;
}

static void held_pop(struct iip_port_queue *q)
{
    struct dpdk_frame *df = q->held_head;

    q->held_head = df->next;
    if (!q->held_head)
        q->held_tail = NULL;
    df->next = NULL;
    df->state &= ~(uint32_t)DPDK_HELD;
    if (--df->frame.views == 0)
        dpdk_frame_put(q, &df->frame);
}

void dpdk_held_reap(struct iip_port_queue *q)
{
    while (q->held_head && rte_mbuf_refcnt_read(dpdk_mbuf_of(&q->held_head->frame)) == 1)
        held_pop(q);
}

/* At close: the driver is stopped and reads nothing any more. */
void dpdk_held_drop(struct iip_port_queue *q)
{
    while (q->held_head)
        held_pop(q);
}

/* ---- what became of a packet ------------------------------------------------------------------------------------- */

static void tx_taken(struct iip_port_queue *q, struct iip_pkt *pkt)
{
    const struct iip_pkt *view;
    uint32_t bytes = 0;

    for (view = pkt; view; view = view->next) {
        struct dpdk_frame *df = (struct dpdk_frame *)view->frame;

        bytes += view->len;
        if (!dpdk_frame_ours(view->frame) || (df->state & DPDK_GIVEN))
            continue;
        df->state &= ~(uint32_t)DPDK_LENT;
        if (!(df->state & DPDK_HELD) && rte_mbuf_refcnt_read(dpdk_mbuf_of(view->frame)) > 1)
            held_add(q, df);
    }
    q->stats.tx_packets++;
    q->stats.tx_bytes += bytes;
    dpdk_core->pkt_free(q->stk, pkt);
}

/* It can never be sent: the only place where the port drops a packet, and it is counted. */
static void tx_invalid(struct iip_port_queue *q, struct iip_pkt *pkt)
{
    q->stats.tx_dropped++;
    dpdk_core->pkt_free(q->stk, pkt);
}

/* ---- a burst ----------------------------------------------------------------------------------------------------- */

/* Returns how many of the front the driver took; *bad is 1 when it will never take the next one. */
static uint32_t tx_send(struct iip_port_queue *q, struct dpdk_built *built, uint32_t n, int *bad)
{
    struct rte_mbuf *bufs[DPDK_BURST];
    uint64_t flags = 0;
    uint32_t i, ready = n, sent;

    for (i = 0; i < n; i++) {
        bufs[i] = built[i].mbuf;
        flags |= bufs[i]->ol_flags;
    }
    if (flags & RTE_MBUF_F_TX_OFFLOAD_MASK)
        ready = rte_eth_tx_prepare(q->port_id, q->index, bufs, (uint16_t)n);
    sent = ready ? rte_eth_tx_burst(q->port_id, q->index, bufs, (uint16_t)ready) : 0;
    *bad = sent == ready && ready < n;
    return sent;
}

/* Deals with packets from the front and returns how many; *full is 1 when the next one is refused for now. */
static uint32_t tx_burst(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n, int *full)
{
    struct dpdk_built built[DPDK_BURST];
    uint32_t i, made = 0, sent = 0;
    int verdict = DPDK_BUILD_OK, bad = 0;

    while (made < n && (verdict = dpdk_build(q, pkts[made], &built[made])) == DPDK_BUILD_OK)
        made++;
    if (made)
        sent = tx_send(q, built, made, &bad);
    for (i = sent; i < made; i++)
        dpdk_unbuild(&built[i]);
    for (i = 0; i < sent; i++)
        tx_taken(q, pkts[i]);
    *full = !bad && (sent < made || verdict == DPDK_BUILD_NO_MEMORY);
    if (unlikely(bad || (sent == made && verdict == DPDK_BUILD_INVALID)))
        tx_invalid(q, pkts[sent++]);
    return sent;
}

uint32_t dpdk_tx(void *ctx, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_port_queue *q = ctx;
    uint32_t done = 0;
    int full = 0;

    if (unlikely(rte_lcore_id() == LCORE_ID_ANY))
        dpdk_thread_join();
    if (unlikely(!q->stk))
        return 0;
    dpdk_held_reap(q);
    while (done < n && !full)
        done += tx_burst(q, pkts + done, RTE_MIN(n - done, DPDK_BURST), &full);
    q->stats.tx_refused += n - done;
    q->refused = done < n;
    if (done)
        q->backoff = 0;
    return done;
}

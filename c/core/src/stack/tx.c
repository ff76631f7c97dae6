/* tx.c - the place where packets leave. */
#include "stack/stack.h"

static iip_u64 iip_tx_bytes(struct iip_pkt *const *pkts, iip_u32 n)
{
    iip_u64 bytes = 0;
    while (n-- > 0)
        bytes += pkts[n]->total;
    return bytes;
}

/* A packet may be gone once transmit has it, so its bytes were counted before; here goes what came back. */
static iip_u32 iip_tx_offer(struct iip_stack *stk, struct iip_pkt **pkts, iip_u32 n)
{
    iip_u32 taken = stk->host.transmit(stk->host.ctx, pkts, n);
    stk->ctr[IIP_CTR_TX_PACKETS] += iip_min32(taken, n);
    if (IIP_LIKELY(taken >= n))
        return n;
    iip_count(stk, IIP_CTR_TX_REFUSED);
    stk->tx_blocked = 1;
    stk->ctr[IIP_CTR_TX_BYTES] -= iip_tx_bytes(pkts + taken, n - taken);
    return taken;
}

/* Refused packets go first; until they are gone everything else queues behind them. */
static void iip_tx_retry(struct iip_stack *stk)
{
    struct iip_pkt *burst[IIP_TX_BURST];
    struct iip_pkt *pkt;
    iip_u32 n;
    iip_u32 taken;
    while (stk->held.head && !stk->tx_blocked) {
        n = 0;
        for (pkt = stk->held.head; pkt && n < IIP_TX_BURST; pkt = pkt->link)
            burst[n++] = pkt;
        stk->ctr[IIP_CTR_TX_BYTES] += iip_tx_bytes(burst, n);
        taken = iip_tx_offer(stk, burst, n);
        stk->held.head = taken < n ? burst[taken] : pkt;
        stk->held.count -= taken;
    }
}

IIP_LOCAL void iip_tx_flush(struct iip_stack *stk)
{
    iip_u32 n = stk->tx_count;
    iip_u32 taken = 0;
    iip_u32 i;
    if (IIP_UNLIKELY(stk->held.head != 0))
        iip_tx_retry(stk);
    if (!n)
        return;
    stk->tx_count = 0;
    if (IIP_LIKELY(!stk->held.head && !stk->tx_blocked))
        taken = iip_tx_offer(stk, stk->tx, n);
    else
        stk->ctr[IIP_CTR_TX_BYTES] -= iip_tx_bytes(stk->tx, n);
    for (i = taken; i < n; i++)
        iip_pktq_put(&stk->held, stk->tx[i]);
}

IIP_LOCAL void iip_tx(struct iip_stack *stk, struct iip_pkt *pkt)
{
    if (IIP_UNLIKELY(pkt->next && !(stk->caps & IIP_CAP_TX_SG))) {
        pkt = iip_pkt_linear(stk, pkt);
        if (!pkt) {
            iip_count(stk, IIP_CTR_TX_DROPPED);
            return;
        }
    }
    iip_tx_one(stk, pkt);
}

IIP_LOCAL void iip_tx_loop(struct iip_stack *stk, struct iip_pkt *pkt)
{
    iip_count(stk, IIP_CTR_LOOP_PACKETS);
    iip_pktq_put(&stk->loop, pkt);
}

IIP_API iip_u32 iip_stack_tx_pending(const struct iip_stack *stk)
{
    return stk->held.count;
}

IIP_LOCAL int iip_bucket_take(struct iip_bucket *b, iip_u64 now, iip_u64 per_second)
{
    iip_u64 passed = now - b->last_us;
    if (passed >= 1000000) {
        b->tokens = (iip_u32)per_second;
        b->last_us = now;
    }
    if (!b->tokens)
        return 0;
    b->tokens--;
    return 1;
}

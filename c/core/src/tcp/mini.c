/*
 * mini.c - the small records of half-open connections and of TIME-WAIT: their memory, the queues in which they wait,
 * and the one timer of all. A record is named by 32 bits, so that two links cost it 8 bytes.
 */
#include "stack/up.h"
#include "tcp/tcp.h"

enum {
    IIP_TICK_BITS = 8,  /* 256 us */
    IIP_MINIS_ROOM = 16 /* chunks that the first directory has room for */
};

static iip_u32 iip_tcp_tick(iip_u64 us)
{
    return (iip_u32)((us + (1 << IIP_TICK_BITS) - 1) >> IIP_TICK_BITS);
}

/* The time of a tick that lies at most half of their range (six days) ahead or behind. */
static iip_u64 iip_tcp_tick_time(const struct iip_stack *stk, iip_u32 tick)
{
    iip_u64 now = stk->now >> IIP_TICK_BITS;
    return (now + (iip_u64)(iip_s64)(iip_s32)(tick - (iip_u32)now)) << IIP_TICK_BITS;
}

/* ---- their memory ---- */

IIP_LOCAL void iip_tcp_minis_init(struct iip_tcp_minis *pool, iip_u32 size)
{
    IIP_ZERO(pool, sizeof(*pool));
    pool->size = size;
}

IIP_LOCAL void iip_tcp_minis_free(struct iip_stack *stk, struct iip_tcp_minis *pool)
{
    iip_u32 i;
    for (i = 0; i < pool->chunks; i++)
        iip_mem_free(stk, pool->chunk[i], (iip_size)pool->size * IIP_MINIS_CHUNK);
    iip_mem_free(stk, pool->chunk, pool->room * sizeof(*pool->chunk));
}

/* The directory of chunks doubles; 0 without memory. */
static int iip_tcp_minis_widen(struct iip_stack *stk, struct iip_tcp_minis *pool)
{
    iip_u32 room = pool->room ? pool->room * 2 : (iip_u32)IIP_MINIS_ROOM;
    iip_u8 **chunk = (iip_u8 **)iip_mem_alloc(stk, room * sizeof(*chunk));
    if (!chunk)
        return 0;
    if (pool->chunks)
        IIP_COPY(chunk, pool->chunk, pool->chunks * sizeof(*chunk));
    iip_mem_free(stk, pool->chunk, pool->room * sizeof(*chunk));
    pool->chunk = chunk;
    pool->room = room;
    return 1;
}

/* One chunk more, its records free, the first one first; 0 without memory. */
static int iip_tcp_minis_grow(struct iip_stack *stk, struct iip_tcp_minis *pool, iip_u32 six)
{
    iip_u32 ref = iip_tcp_mini_ref((pool->chunks + 1) * IIP_MINIS_CHUNK, six);
    iip_u8 *chunk;
    iip_u32 i;
    if (pool->chunks == pool->room && !iip_tcp_minis_widen(stk, pool))
        return 0;
    chunk = (iip_u8 *)iip_mem_alloc(stk, (iip_size)pool->size * IIP_MINIS_CHUNK);
    if (!chunk)
        return 0;
    pool->chunk[pool->chunks++] = chunk;
    for (i = 0; i < IIP_MINIS_CHUNK; i++) {
        ref -= 2;
        iip_tcp_mini_at(stk->tcp, ref)->next = pool->free;
        pool->free = ref;
    }
    return 1;
}

IIP_LOCAL struct iip_tcp_mini *iip_tcp_mini_new(struct iip_stack *stk, iip_u32 family)
{
    struct iip_tcp_minis *pool = family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6;
    struct iip_tcp_mini *mini;
    iip_u32 ref;
    if (!pool->free && !iip_tcp_minis_grow(stk, pool, family == 6))
        return 0;
    ref = pool->free;
    mini = iip_tcp_mini_at(stk->tcp, ref);
    pool->free = mini->next;
    IIP_ZERO(mini, sizeof(*mini));
    mini->next = ref;
    return mini;
}

IIP_LOCAL void iip_tcp_mini_free(struct iip_stack *stk, struct iip_tcp_mini *mini)
{
    struct iip_tcp_minis *pool = mini->id.family == 4 ? &stk->tcp->minis4 : &stk->tcp->minis6;
    iip_u32 ref = mini->next;
    iip_table_del(&stk->tcp->table, &mini->id.node);
    mini->next = pool->free;
    pool->free = ref;
    if (!stk->tcp->half_count && !stk->tcp->wait.head)
        iip_wheel_cancel(&stk->wheel, &stk->tcp->mini_timer);
}

/* ---- their queues ---- */

/* One timer for all, armed at or before the earliest head: until the last record leaves it stays where it is, as in timer.c. */
static void iip_tcp_mini_arm(struct iip_stack *stk, iip_u64 due)
{
    struct iip_timer *t = &stk->tcp->mini_timer;
    if (due != IIP_NEVER && (!iip_timer_armed(t) || due < t->at))
        iip_wheel_set(&stk->wheel, t, due);
}

/* Whoever stands in no queue keeps its own reference in `next`. */
IIP_LOCAL void iip_tcp_fifo_put(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini,
                                iip_u64 delay_us)
{
    iip_u32 ref = mini->next;
    mini->id.word = iip_tcp_tick(stk->now + delay_us);
    mini->next = 0;
    mini->prev = q->tail;
    if (q->tail)
        iip_tcp_mini_at(stk->tcp, q->tail)->next = ref;
    else
        q->head = ref;
    q->tail = ref;
    q->count++;
    if (q->head == ref)
        iip_tcp_mini_arm(stk, iip_tcp_tick_time(stk, mini->id.word));
}

IIP_LOCAL void iip_tcp_fifo_del(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini)
{
    iip_u32 *to_it = mini->prev ? &iip_tcp_mini_at(stk->tcp, mini->prev)->next : &q->head;
    iip_u32 ref = *to_it;
    *to_it = mini->next;
    if (mini->next)
        iip_tcp_mini_at(stk->tcp, mini->next)->prev = mini->prev;
    else
        q->tail = mini->prev;
    q->count--;
    mini->next = ref;
}

/* The earliest head of the queues. */
IIP_LOCAL iip_u64 iip_tcp_mini_due(const struct iip_stack *stk)
{
    const struct iip_tcp *tcp = stk->tcp;
    iip_u64 due = IIP_NEVER;
    iip_u32 left = tcp->half_count;
    iip_u32 i;
    if (tcp->wait.head)
        due = iip_tcp_tick_time(stk, iip_tcp_mini_at(tcp, tcp->wait.head)->id.word);
    for (i = 0; left && i < IIP_HALF_QUEUES; left -= tcp->half[i].count, i++) {
        if (tcp->half[i].head)
            due = iip_min64(due, iip_tcp_tick_time(stk, iip_tcp_mini_at(tcp, tcp->half[i].head)->id.word));
    }
    return due;
}

static struct iip_tcp_mini *iip_tcp_fifo_due(const struct iip_stack *stk, const struct iip_tcp_fifo *q)
{
    struct iip_tcp_mini *mini = q->head ? iip_tcp_mini_at(stk->tcp, q->head) : 0;
    return mini && iip_tcp_tick_time(stk, mini->id.word) <= stk->now ? mini : 0;
}

IIP_LOCAL void iip_tcp_mini_timer(struct iip_stack *stk, struct iip_timer *t)
{
    struct iip_tcp *tcp = stk->tcp;
    struct iip_tcp_mini *mini;
    iip_u32 i;
    (void)t;
    while ((mini = iip_tcp_fifo_due(stk, &tcp->wait)) != 0)
        iip_tcp_wait_drop(stk, mini);
    for (i = 0; i < IIP_HALF_QUEUES; i++) {
        while ((mini = iip_tcp_fifo_due(stk, &tcp->half[i])) != 0)
            iip_tcp_half_due(stk, mini);
    }
    iip_tcp_mini_arm(stk, iip_tcp_mini_due(stk));
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: where the connection stands. */
IIP_LOCAL void iip_tcp_mini_ack(struct iip_stack *stk, const struct iip_tcp_mini *mini, iip_u32 wnd)
{
    struct iip_tcp_tuple t;
    struct iip_tcp_secret secret;
    struct iip_tcp_seg seg;
    iip_tcp_tuple_of(&mini->id, &t);
    iip_tcp_secret_of(stk, &t, &secret);
    seg.seq = mini->snd_nxt;
    seg.ack = mini->rcv_nxt;
    seg.flags = IIP_TCP_ACK;
    seg.wnd = wnd;
    seg.has = mini->id.options & IIP_HAS_TS;
    seg.ts_val = iip_tcp_ts_now(stk, secret.ts_off);
    seg.ts_ecr = mini->ts_recent;
    iip_tcp_bare(stk, &t, &seg, 0);
}

/* [RFC 5961 7] Each record counts its own, or two of them, each out of step with the other, would answer for ever. */
IIP_LOCAL void iip_tcp_mini_answer(struct iip_stack *stk, struct iip_tcp_mini *mini, iip_u32 wnd, int counts)
{
    if ((counts && mini->id.state >= iip_min64(stk->tune.tcp_challenge_rate, 255)) ||
        !iip_bucket_take(&stk->tcp->rst_bucket, stk->now, stk->tune.tcp_rst_rate)) {
        iip_count(stk, IIP_CTR_TCP_LIMITED);
        return;
    }
    mini->id.state += counts != 0;
    iip_tcp_mini_ack(stk, mini, wnd);
}

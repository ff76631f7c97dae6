/* pmtu.c - path MTUs that routers told us, for a while [RFC 1191, RFC 8201]. */
#include "net/state.h"

IIP_LOCAL int iip_pmtu_init(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    stk->net->pmtus.timer.kind = IIP_TIMER_NET;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->net->pmtus.table, &mem);
}

static struct iip_pmtu *iip_pmtu_find(const struct iip_stack *stk, const struct iip_ip *dst)
{
    iip_u32 hash = iip_ip_hash(stk, dst);
    struct iip_node *node = *iip_table_bucket(&stk->net->pmtus.table, hash);
    struct iip_pmtu *entry;
    for (; node; node = node->next) {
        entry = IIP_OUTER(node, struct iip_pmtu, node);
        if (node->hash == hash && iip_ip_same(&entry->ip, dst))
            return entry;
    }
    return 0;
}

IIP_LOCAL iip_u32 iip_path_mtu(struct iip_stack *stk, const struct iip_ip *dst)
{
    iip_u32 mtu = (iip_u32)stk->tune.mtu;
    const struct iip_pmtu *entry;
    if (IIP_LIKELY(!stk->net->pmtus.table.count))
        return mtu;
    entry = iip_pmtu_find(stk, dst);
    return entry ? iip_min32(entry->mtu, mtu) : mtu;
}

/* ---- the list, oldest first: all entries live equally long ---- */

static void iip_pmtu_unlist(struct iip_pmtus *all, struct iip_pmtu *entry)
{
    struct iip_pmtu **link = &all->oldest;
    struct iip_pmtu *before = 0;
    for (; *link != entry; link = &(*link)->next)
        before = *link;
    *link = entry->next;
    if (all->newest == entry)
        all->newest = before;
}

static void iip_pmtu_list(struct iip_stack *stk, struct iip_pmtu *entry)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    entry->expires = stk->now + stk->tune.pmtu_timeout_us;
    entry->next = 0;
    if (all->newest)
        all->newest->next = entry;
    else
        all->oldest = entry;
    all->newest = entry;
    iip_wheel_set(&stk->wheel, &all->timer, all->oldest->expires);
}

static void iip_pmtu_destroy(struct iip_stack *stk, struct iip_pmtu *entry)
{
    iip_pmtu_unlist(&stk->net->pmtus, entry);
    iip_table_del(&stk->net->pmtus.table, &entry->node);
    iip_mem_free(stk, entry, sizeof(*entry));
}

IIP_LOCAL void iip_pmtu_free_all(struct iip_stack *stk)
{
    while (stk->net->pmtus.oldest)
        iip_pmtu_destroy(stk, stk->net->pmtus.oldest);
    iip_wheel_cancel(&stk->wheel, &stk->net->pmtus.timer);
    iip_table_free(&stk->net->pmtus.table);
}

static void iip_pmtu_forget(struct iip_stack *stk, struct iip_pmtu *entry)
{
    struct iip_ip dst = entry->ip;
    iip_pmtu_destroy(stk, entry);
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, &dst);
}

/* Ten minutes later the path may be wider again [RFC 1191 6.3]. */
IIP_LOCAL void iip_pmtu_timer(struct iip_stack *stk)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    while (all->oldest && all->oldest->expires <= stk->now)
        iip_pmtu_forget(stk, all->oldest);
    if (all->oldest)
        iip_wheel_set(&stk->wheel, &all->timer, all->oldest->expires);
}

static struct iip_pmtu *iip_pmtu_make(struct iip_stack *stk, const struct iip_ip *dst)
{
    struct iip_pmtus *all = &stk->net->pmtus;
    struct iip_pmtu *entry;
    if (all->table.count >= IIP_PMTU_MAX)
        iip_pmtu_forget(stk, all->oldest);
    entry = (struct iip_pmtu *)iip_mem_zalloc(stk, sizeof(*entry));
    if (!entry)
        return 0;
    entry->ip = *dst;
    entry->node.hash = iip_ip_hash(stk, dst);
    iip_table_add(&all->table, &entry->node);
    return entry;
}

IIP_LOCAL int iip_pmtu_learn(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 mtu)
{
    struct iip_pmtu *entry = iip_pmtu_find(stk, dst);
    if (mtu >= iip_path_mtu(stk, dst))
        return 0;
    if (entry)
        iip_pmtu_unlist(&stk->net->pmtus, entry);
    else
        entry = iip_pmtu_make(stk, dst);
    if (!entry)
        return 0;
    entry->mtu = mtu;
    iip_pmtu_list(stk, entry);
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, dst);
    return 1;
}

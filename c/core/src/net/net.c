/* net.c - the room's birth and end, and its timers. */
#include "net/state.h"

static int iip_net_tables(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    iip_table_mem_of(stk, &mem);
    if (iip_table_init(&stk->net->addrs, &mem))
        return -1;
    if (iip_neigh_init(stk) || iip_reass_init(stk) || iip_pmtu_init(stk))
        return -1;
    return 0;
}

/* What has no secret in it would let others guess how many datagrams we send [RFC 6274 3.5.2, RFC 7739]. */
static void iip_net_seed_ids(struct iip_stack *stk)
{
    iip_u8 label[4] = {'i', 'd', 0, 0};
    iip_u32 i;
    for (i = 0; i < IIP_ID_SLOTS; i++) {
        label[2] = (iip_u8)i;
        stk->net->id[i] = (iip_u32)iip_siphash(stk->key, label, 4);
    }
}

/* Every IPv6 interface has a link-local address [RFC 4291 2.8]. */
static int iip_net_link_local(struct iip_stack *stk)
{
    struct iip_addr *addr;
    struct iip_ip ip;
    if (!stk->l2_len)
        return 0;
    iip_ip_link_local_of(&ip, stk->mac);
    return iip_addr_add_quietly(stk, &ip, 64, &addr);
}

IIP_LOCAL int iip_net_new(struct iip_stack *stk)
{
    stk->net = (struct iip_net *)iip_mem_zalloc(stk, sizeof(*stk->net));
    if (!stk->net || iip_net_tables(stk))
        return -1;
    iip_net_seed_ids(stk);
    return iip_net_link_local(stk) ? -1 : 0;
}

/* Also of what iip_net_new did not finish: tables that were not made are all zero. */
IIP_LOCAL void iip_net_free(struct iip_stack *stk)
{
    struct iip_net *net = stk->net;
    if (net->pmtus.table.seg)
        iip_pmtu_free_all(stk);
    if (net->reassembly.table.seg)
        iip_reass_free_all(stk);
    iip_path_drop(stk, &net->recent.path);
    if (net->neighs.table.seg)
        iip_neigh_free_all(stk);
    iip_addr_free_all(stk);
    iip_route_free_all(stk);
    iip_table_free(&net->addrs);
    iip_mem_free(stk, net, sizeof(*net));
    stk->net = 0;
}

IIP_LOCAL void iip_net_timer(struct iip_stack *stk, struct iip_timer *t)
{
    if (t == &stk->net->pmtus.timer)
        iip_pmtu_timer(stk);
    else
        iip_dad_timer(stk, IIP_OUTER(t, struct iip_addr, timer));
}

/* stack.c - a stack's birth and end. */
#include "stack/stack.h"

#include "stack/up.h"

static int iip_share_check(const struct iip_share *share)
{
    if (share->key_len > sizeof(share->key) || !share->table_len || share->table_len > IIP_COUNT(share->table))
        return IIP_E_INVAL;
    return share->table_len & (share->table_len - 1) ? IIP_E_INVAL : IIP_OK;
}

static int iip_stack_cfg_check(const struct iip_stack_cfg *cfg, const struct iip_host *host)
{
    iip_u32 mtu_max = cfg->flags & IIP_STACK_L3 ? 65535 : 9000;
    if (cfg->size != sizeof(*cfg) || !host->frame_get || !host->frame_put || !host->transmit || !host->mem)
        return IIP_E_INVAL;
    if (cfg->mtu && (cfg->mtu < 576 || cfg->mtu > mtu_max))
        return IIP_E_INVAL;
    if (cfg->mac[0] & 1)
        return IIP_E_INVAL;
    if (cfg->share && (!cfg->share->stacks || cfg->share->self >= cfg->share->stacks))
        return IIP_E_INVAL;
    return cfg->share && cfg->share->key_len ? iip_share_check(cfg->share) : IIP_OK;
}

static void iip_stack_fill(struct iip_stack *stk, const struct iip_stack_cfg *cfg, iip_u64 now)
{
    stk->now = now;
    stk->flags = cfg->flags;
    stk->caps = cfg->caps;
    stk->l2_len = cfg->flags & IIP_STACK_L3 ? 0 : 14;
    stk->tso_max = cfg->tso_max ? iip_min32(cfg->tso_max, 65415) : 65415;
    stk->mem_limit = cfg->mem_limit;
    stk->rng = cfg->seed;
    IIP_COPY(stk->mac, cfg->mac, 6);
    IIP_COPY(stk->key, cfg->key, 16);
    iip_hash_key_init(&stk->hash_key, cfg->key);
    iip_wheel_init(&stk->wheel, now);
    iip_tune_defaults(stk);
    if (cfg->mtu)
        stk->tune.mtu = cfg->mtu;
    if (cfg->share)
        stk->share = *cfg->share;
    stk->foreign_ready.kind = IIP_READY_FOREIGN;
}

IIP_API int iip_stack_new(const struct iip_stack_cfg *cfg, const struct iip_host *host, iip_u64 now,
                          struct iip_stack **out)
{
    struct iip_stack *stk;
    int status = iip_stack_cfg_check(cfg, host);
    if (status)
        return status;
    if (cfg->mem_limit && sizeof(*stk) > cfg->mem_limit)
        return IIP_E_NOMEM;
    stk = (struct iip_stack *)host->mem(host->ctx, 0, sizeof(*stk));
    if (!stk)
        return IIP_E_NOMEM;
    IIP_ZERO(stk, sizeof(*stk));
    stk->host = *host;
    stk->mem_used = sizeof(*stk);
    iip_stack_fill(stk, cfg, now);
    if (iip_net_new(stk) || iip_udp_new(stk) || iip_tcp_new(stk)) {
        iip_stack_free(stk);
        return IIP_E_NOMEM;
    }
    *out = stk;
    return IIP_OK;
}

IIP_API void iip_stack_free(struct iip_stack *stk)
{
    struct iip_host host;
    if (!stk)
        return;
    if (stk->tcp)
        iip_tcp_free(stk);
    if (stk->udp)
        iip_udp_free(stk);
    if (stk->net)
        iip_net_free(stk);
    while (stk->tx_count)
        iip_pkt_free(stk, stk->tx[--stk->tx_count]);
    iip_pktq_free(stk, &stk->held);
    iip_pktq_free(stk, &stk->loop);
    iip_pktq_free(stk, &stk->foreign);
    iip_pkt_free_all(stk);
    host = stk->host;
    host.mem(host.ctx, stk, 0);
}

IIP_API iip_u64 iip_stack_mem_used(const struct iip_stack *stk)
{
    return stk->mem_used;
}

/* path.c - from a destination to all that output needs to know. */
#include "net/state.h"

/* Who is meant when nobody said; a source that was named must be ours, and never 127/8 or ::1 to another host. */
static int iip_path_source(const struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst,
                           const struct iip_ip *hop)
{
    const struct iip_addr *addr;
    if (!iip_ip_unset(src))
        return iip_ip_is_v4(src) == iip_ip_is_v4(dst) && iip_addr_is_ours(stk, src) && !iip_ip_is_loopback(src)
            ? IIP_OK
            : IIP_E_ADDR_NOT_AVAIL;
    addr = iip_addr_select(stk, dst, hop);
    if (!addr)
        return IIP_E_ADDR_NOT_AVAIL;
    *src = addr->own.ip;
    return IIP_OK;
}

static int iip_path_to_ourselves(const struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst,
                                 struct iip_path *path)
{
    if (iip_ip_unset(src))
        *src = *dst;
    else if (iip_ip_is_v4(src) != iip_ip_is_v4(dst) || !iip_addr_is_ours(stk, src))
        return IIP_E_ADDR_NOT_AVAIL;
    path->loop = 1;
    path->valid = 1;
    return IIP_OK;
}

/* A multicast group is on the link, whatever the routes say. */
static int iip_path_hop(const struct iip_stack *stk, const struct iip_ip *dst, int group, struct iip_ip *hop)
{
    if (!group)
        return iip_route_find(stk, dst, hop);
    *hop = *dst;
    return IIP_OK;
}

static int iip_path_search(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path)
{
    struct iip_ip hop;
    int group;
    int status;
    path->neigh = 0;
    path->gen = stk->net->gen;
    path->mtu = (iip_u16)iip_path_mtu(stk, dst);
    path->loop = 0;
    path->valid = 0;
    if (iip_addr_is_ours(stk, dst))
        return iip_path_to_ourselves(stk, src, dst, path);
    group = iip_addr_is_group(stk, dst);
    status = iip_ip_unset(dst) || iip_ip_is_loopback(dst) ? IIP_E_UNREACHABLE : iip_path_hop(stk, dst, group, &hop);
    if (status) {
        iip_count(stk, IIP_CTR_NO_ROUTE);
        return status;
    }
    status = iip_path_source(stk, src, dst, &hop);
    if (status)
        return status;
    if (stk->l2_len && !group) {
        path->neigh = iip_neigh_pin(stk, &hop);
        if (!path->neigh)
            return IIP_E_NOMEM;
    }
    path->valid = 1;
    return IIP_OK;
}

/* ---- the path that was asked for last ---- */

static int iip_path_recall(const struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                           struct iip_path *path)
{
    const struct iip_net *net = stk->net;
    if (net->recent.path.gen != net->gen || !net->recent.path.valid || !iip_ip_same(&net->recent.dst, dst) ||
        !iip_ip_same(&net->recent.src, src))
        return 0;
    *path = net->recent.path;
    if (path->neigh)
        path->neigh->pins++;
    return 1;
}

static void iip_path_remember(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                              const struct iip_path *path)
{
    struct iip_net *net = stk->net;
    if (path->neigh)
        path->neigh->pins++;
    iip_path_drop(stk, &net->recent.path);
    net->recent.path = *path;
    net->recent.src = *src;
    net->recent.dst = *dst;
}

IIP_LOCAL int iip_path_find(struct iip_stack *stk, struct iip_ip *src, const struct iip_ip *dst, struct iip_path *path)
{
    int status;
    if (iip_path_recall(stk, src, dst, path))
        return IIP_OK;
    status = iip_path_search(stk, src, dst, path);
    if (!status)
        iip_path_remember(stk, src, dst, path);
    return status;
}

IIP_LOCAL int iip_path_renew(struct iip_stack *stk, const struct iip_ip *src, const struct iip_ip *dst,
                             struct iip_path *path)
{
    struct iip_ip from = *src;
    struct iip_path fresh;
    int status;
    if (path->gen == stk->net->gen)
        return IIP_OK;
    status = iip_path_find(stk, &from, dst, &fresh);
    if (status)
        return status;
    iip_path_drop(stk, path);
    *path = fresh;
    return IIP_OK;
}

IIP_LOCAL void iip_path_drop(struct iip_stack *stk, struct iip_path *path)
{
    if (path->neigh)
        iip_neigh_unpin(stk, path->neigh);
    path->neigh = 0;
    path->valid = 0;
}

IIP_API int iip_stack_mtu_set(struct iip_stack *stk, iip_u32 mtu)
{
    if (mtu < 576 || mtu > (stk->l2_len ? 9000U : 65535U))
        return IIP_E_RANGE;
    if (mtu == stk->tune.mtu)
        return IIP_OK;
    stk->tune.mtu = mtu;
    stk->net->gen++;
    iip_tcp_mtu_changed(stk, 0);
    return IIP_OK;
}

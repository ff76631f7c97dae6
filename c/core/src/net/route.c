/* route.c - static routes, the longest prefix first. */
#include "net/state.h"

static int iip_route_matches(const struct iip_route *route, const struct iip_ip *dst)
{
    iip_u32 words = route->bits / 32u;
    iip_u32 i;
    for (i = 0; i < words; i++) {
        if (iip_raw32(route->dst.b + 4 * i) != iip_raw32(dst->b + 4 * i))
            return 0;
    }
    return words == 4 ||
        !((iip_get32(route->dst.b + 4 * words) ^ iip_get32(dst->b + 4 * words)) & ~(0xffffffffU >> (route->bits & 31)));
}

/* IPv4 destinations count from bit 96, so ::/0 would match them too: families are kept apart. */
static int iip_route_is_family(const struct iip_route *route, int v4)
{
    return iip_ip_is_v4(&route->dst) == v4;
}

IIP_LOCAL int iip_route_find(const struct iip_stack *stk, const struct iip_ip *dst, struct iip_ip *hop)
{
    const struct iip_routes *routes = &stk->net->routes;
    int v4 = iip_ip_is_v4(dst);
    iip_u32 i;
    for (i = 0; i < routes->count; i++) {
        if (!iip_route_is_family(&routes->all[i], v4) || !iip_route_matches(&routes->all[i], dst))
            continue;
        *hop = iip_ip_any(&routes->all[i].gateway) ? *dst : routes->all[i].gateway;
        return IIP_OK;
    }
    *hop = *dst;
    if (!stk->l2_len) /* at L3 there is one wire, and who is at its end is not ours to know */
        return IIP_OK;
    if (!v4 && iip_ip_is_link_local6(dst))
        return IIP_OK;
    return IIP_E_NET_UNREACHABLE;
}

static int iip_routes_grow(struct iip_stack *stk)
{
    struct iip_routes *routes = &stk->net->routes;
    iip_u32 room = routes->room ? routes->room * 2 : 8;
    struct iip_route *all;
    if (routes->count < routes->room)
        return IIP_OK;
    all = (struct iip_route *)iip_mem_alloc(stk, room * sizeof(*all));
    if (!all)
        return IIP_E_NOMEM;
    if (routes->count)
        IIP_COPY(all, routes->all, routes->count * sizeof(*all));
    iip_mem_free(stk, routes->all, routes->room * sizeof(*all));
    routes->all = all;
    routes->room = room;
    return IIP_OK;
}

static int iip_route_insert(struct iip_stack *stk, const struct iip_route *route)
{
    struct iip_routes *routes = &stk->net->routes;
    iip_u32 i;
    if (iip_routes_grow(stk))
        return IIP_E_NOMEM;
    for (i = routes->count; i > 0 && routes->all[i - 1].bits < route->bits; i--)
        routes->all[i] = routes->all[i - 1];
    routes->all[i] = *route;
    routes->count++;
    stk->net->gen++;
    return IIP_OK;
}

static void iip_route_remove(struct iip_stack *stk, iip_u32 i)
{
    struct iip_routes *routes = &stk->net->routes;
    for (routes->count--; i < routes->count; i++)
        routes->all[i] = routes->all[i + 1];
    stk->net->gen++;
}

/* Bits beyond the prefix do not count, so they are not kept. */
static void iip_route_mask(struct iip_route *route)
{
    iip_u32 byte = route->bits / 8u;
    if (byte < 16) {
        route->dst.b[byte] &= (iip_u8)(0xff00 >> (route->bits & 7));
        for (byte++; byte < 16; byte++)
            route->dst.b[byte] = 0;
    }
}

/* The route that was added by hand, or that an address brought. */
static iip_u32 iip_route_index(const struct iip_stack *stk, const struct iip_route *route)
{
    const struct iip_routes *routes = &stk->net->routes;
    iip_u32 i;
    for (i = 0; i < routes->count; i++) {
        if (routes->all[i].bits == route->bits && iip_ip_same(&routes->all[i].dst, &route->dst) &&
            routes->all[i].addr == route->addr)
            break;
    }
    return i;
}

static int iip_route_make(struct iip_route *route, const struct iip_ip *dst, iip_u32 prefix_len,
                          const struct iip_ip *gateway)
{
    int v4 = iip_ip_is_v4(dst);
    if (prefix_len > (v4 ? 32U : 128U))
        return IIP_E_INVAL;
    route->dst = *dst;
    route->bits = (iip_u8)(prefix_len + (v4 ? 96 : 0));
    route->addr = 0;
    iip_route_mask(route);
    IIP_ZERO(&route->gateway, sizeof(route->gateway));
    if (!gateway || iip_ip_unset(gateway))
        return IIP_OK;
    if (iip_ip_is_v4(gateway) != v4 || iip_ip_is_multicast(gateway))
        return IIP_E_INVAL;
    route->gateway = *gateway;
    return IIP_OK;
}

IIP_LOCAL int iip_route_of_addr(struct iip_stack *stk, const struct iip_addr *addr)
{
    struct iip_route route;
    if (iip_ip_is_loopback(&addr->own.ip)) /* 127/8 is never on a wire [RFC 1122 3.2.1.3] */
        return IIP_OK;
    iip_route_make(&route, &addr->own.ip, addr->prefix_len, 0);
    route.addr = addr;
    return iip_route_insert(stk, &route);
}

IIP_LOCAL void iip_route_forget_addr(struct iip_stack *stk, const struct iip_addr *addr)
{
    iip_u32 i;
    for (i = stk->net->routes.count; i-- > 0;) {
        if (stk->net->routes.all[i].addr == addr)
            iip_route_remove(stk, i);
    }
}

IIP_LOCAL void iip_route_free_all(struct iip_stack *stk)
{
    iip_mem_free(stk, stk->net->routes.all, stk->net->routes.room * sizeof(struct iip_route));
}

IIP_API int iip_stack_route_add(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len,
                                const struct iip_ip *gateway)
{
    struct iip_route route;
    if (iip_route_make(&route, dst, prefix_len, gateway))
        return IIP_E_INVAL;
    if (iip_route_index(stk, &route) < stk->net->routes.count)
        return IIP_E_EXISTS;
    return iip_route_insert(stk, &route);
}

IIP_API int iip_stack_route_del(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len)
{
    struct iip_route route;
    iip_u32 i;
    if (iip_route_make(&route, dst, prefix_len, 0))
        return IIP_E_INVAL;
    i = iip_route_index(stk, &route);
    if (i == stk->net->routes.count)
        return IIP_E_NOT_FOUND;
    iip_route_remove(stk, i);
    return IIP_OK;
}

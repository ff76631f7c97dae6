/* addr.c - the addresses of a stack, and which of them to send from. */
#include "net/state.h"

/* ---- the table ---- */

static struct iip_addr_key *iip_addr_key_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_u32 hash = iip_ip_hash(stk, ip);
    struct iip_node *node = *iip_table_bucket(&stk->net->addrs, hash);
    struct iip_addr_key *key;
    for (; node; node = node->next) {
        key = IIP_OUTER(node, struct iip_addr_key, node);
        if (node->hash == hash && iip_ip_same(&key->ip, ip))
            return key;
    }
    return 0;
}

IIP_LOCAL struct iip_addr *iip_addr_find(const struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_addr_key *key = iip_addr_key_find(stk, ip);
    return key && key == &key->addr->own ? key->addr : 0;
}

IIP_LOCAL int iip_addr_is_ours(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr *addr = iip_addr_find(stk, ip);
    return addr && addr->state == IIP_ADDR_OURS;
}

IIP_LOCAL int iip_addr_is_broadcast(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr_key *key;
    if (!iip_ip_is_v4(ip))
        return 0;
    if (iip_ip_to_v4(ip) == 0xffffffffU)
        return 1;
    key = iip_addr_key_find(stk, ip);
    return key && key == &key->addr->broadcast;
}

IIP_LOCAL int iip_addr_is_group(const struct iip_stack *stk, const struct iip_ip *ip)
{
    return iip_ip_is_multicast(ip) || iip_addr_is_broadcast(stk, ip);
}

/* [RFC 1122 3.2.1.3] Who may be a peer. */
IIP_LOCAL int iip_addr_is_unicast(const struct iip_stack *stk, const struct iip_ip *ip)
{
    if (iip_ip_is_loopback(ip))
        return iip_addr_is_ours(stk, ip);
    if (!iip_ip_is_v4(ip)) /* ::/96 was for IPv4-compatible addresses, which nobody may have any more [RFC 4291 2.5.5.1] */
        return !iip_ip_is_multicast6(ip) && (iip_raw64(ip->b) || iip_get32(ip->b + 8));
    if (!ip->b[12] || ip->b[12] >= 224)
        return 0;
    return !iip_addr_is_broadcast(stk, ip);
}

IIP_LOCAL int iip_addr_is_joined(const struct iip_stack *stk, const struct iip_ip *ip)
{
    const struct iip_addr *addr;
    struct iip_ip group;
    if (iip_ip_is_v4(ip))
        return iip_get32(ip->b + 12) == 0xe0000001U; /* 224.0.0.1, all systems */
    iip_ip_all_nodes(&group);
    if (iip_ip_same(ip, &group))
        return 1;
    for (addr = stk->net->addr_first; addr; addr = addr->next) {
        iip_ip_solicited_node(&group, &addr->own.ip);
        if (addr->family == 6 && addr->state != IIP_ADDR_DUPLICATE && iip_ip_same(ip, &group))
            return 1;
    }
    return 0;
}

/* ---- what the fast path of input compares with ---- */

static void iip_addr_note_special4(struct iip_net *net, iip_u32 raw)
{
    iip_u32 i;
    for (i = 0; i < IIP_V4_SPECIALS; i++) {
        if (!net->v4_special[i] || net->v4_special[i] == raw) {
            net->v4_special[i] = raw;
            return;
        }
    }
    net->v4_many = 1;
}

static void iip_addr_note_special6(struct iip_net *net, iip_u64 half)
{
    iip_u32 i;
    for (i = 0; i < IIP_V6_SPECIALS; i++) {
        if (!net->v6_special[i] || net->v6_special[i] == half) {
            net->v6_special[i] = half;
            return;
        }
    }
    net->v6_many = 1;
}

static void iip_addr_note_fast(struct iip_net *net, const struct iip_addr *addr)
{
    if (addr->family == 4) {
        iip_addr_note_special4(net, iip_ip_to_v4(&addr->own.ip));
        if (addr->has_broadcast)
            iip_addr_note_special4(net, iip_ip_to_v4(&addr->broadcast.ip));
        if (addr->state == IIP_ADDR_OURS && !iip_ip_is_loopback(&addr->own.ip))
            net->v4_ours = iip_ip_to_v4(&addr->own.ip);
        return;
    }
    iip_addr_note_special6(net, iip_raw64(addr->own.ip.b + 8));
    if (addr->state == IIP_ADDR_OURS && !iip_ip_is_loopback(&addr->own.ip))
        net->v6_ours = addr->own.ip;
}

IIP_LOCAL void iip_addr_changed(struct iip_stack *stk)
{
    struct iip_net *net = stk->net;
    const struct iip_addr *addr;
    net->gen++;
    net->v4_ours = 0;
    net->v4_many = 0;
    net->v6_many = 0;
    IIP_ZERO(net->v4_special, sizeof(net->v4_special));
    IIP_ZERO(net->v6_special, sizeof(net->v6_special));
    IIP_ZERO(&net->v6_ours, sizeof(net->v6_ours));
    for (addr = net->addr_first; addr; addr = addr->next)
        iip_addr_note_fast(net, addr);
}

/* ---- adding and removing ---- */

static int iip_addr_check(const struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len)
{
    if (prefix_len > (iip_ip_is_v4(ip) ? 32U : 128U) || iip_ip_unset(ip) || iip_ip_is_multicast(ip))
        return IIP_E_INVAL;
    if (iip_ip_is_v4(ip) && ip->b[12] >= 224)
        return IIP_E_INVAL;
    return iip_addr_find(stk, ip) ? IIP_E_EXISTS : IIP_OK;
}

/* The last address of the subnet; /31 and /32 have none [RFC 3021]. */
static void iip_addr_set_broadcast(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 host_bits = 32 - (iip_u32)addr->prefix_len;
    if (addr->family != 4 || host_bits < 2 || host_bits > 31 || iip_ip_is_loopback(&addr->own.ip))
        return;
    addr->broadcast.ip = addr->own.ip;
    iip_put32(addr->broadcast.ip.b + 12, iip_get32(addr->own.ip.b + 12) | (((iip_u32)1 << host_bits) - 1));
    if (iip_ip_same(&addr->broadcast.ip, &addr->own.ip))
        return;
    addr->has_broadcast = 1;
    addr->broadcast.addr = addr;
    addr->broadcast.node.hash = iip_ip_hash(stk, &addr->broadcast.ip);
    iip_table_add(&stk->net->addrs, &addr->broadcast.node);
}

static void iip_addr_link(struct iip_stack *stk, struct iip_addr *addr)
{
    struct iip_addr **link = &stk->net->addr_first;
    while (*link)
        link = &(*link)->next;
    *link = addr;
    addr->own.addr = addr;
    addr->own.node.hash = iip_ip_hash(stk, &addr->own.ip);
    iip_table_add(&stk->net->addrs, &addr->own.node);
    iip_addr_set_broadcast(stk, addr);
}

IIP_LOCAL int iip_addr_add_quietly(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len,
                                   struct iip_addr **out)
{
    struct iip_addr *addr;
    int status = iip_addr_check(stk, ip, prefix_len);
    if (status)
        return status;
    addr = (struct iip_addr *)iip_mem_zalloc(stk, sizeof(*addr));
    if (!addr)
        return IIP_E_NOMEM;
    addr->own.ip = *ip;
    addr->family = iip_ip_is_v4(ip) ? 4 : 6;
    addr->prefix_len = (iip_u8)prefix_len;
    addr->state = IIP_ADDR_OURS;
    addr->timer.kind = IIP_TIMER_NET;
    status = iip_route_of_addr(stk, addr);
    if (status) {
        iip_mem_free(stk, addr, sizeof(*addr));
        return status;
    }
    iip_addr_link(stk, addr);
    iip_addr_changed(stk);
    *out = addr;
    return IIP_OK;
}

IIP_API int iip_stack_addr_add(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len)
{
    struct iip_addr *addr;
    int status = iip_addr_add_quietly(stk, ip, prefix_len, &addr);
    if (status)
        return status;
    if (stk->l2_len && !iip_ip_is_loopback(ip))
        iip_dad_start(stk, addr);
    return IIP_OK;
}

static void iip_addr_destroy(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_wheel_cancel(&stk->wheel, &addr->timer);
    iip_table_del(&stk->net->addrs, &addr->own.node);
    if (addr->has_broadcast)
        iip_table_del(&stk->net->addrs, &addr->broadcast.node);
    iip_mem_free(stk, addr, sizeof(*addr));
}

IIP_API int iip_stack_addr_del(struct iip_stack *stk, const struct iip_ip *ip)
{
    struct iip_addr *addr = iip_addr_find(stk, ip);
    struct iip_addr **link = &stk->net->addr_first;
    if (!addr)
        return IIP_E_NOT_FOUND;
    while (*link != addr)
        link = &(*link)->next;
    *link = addr->next;
    iip_route_forget_addr(stk, addr);
    iip_addr_destroy(stk, addr);
    iip_addr_changed(stk);
    return IIP_OK;
}

IIP_LOCAL void iip_addr_free_all(struct iip_stack *stk)
{
    struct iip_addr *addr;
    while ((addr = stk->net->addr_first) != 0) {
        stk->net->addr_first = addr->next;
        iip_addr_destroy(stk, addr);
    }
}

/* ---- source address selection [RFC 6724 5] ---- */

enum { IIP_SCOPE_LINK = 2, IIP_SCOPE_GLOBAL = 14 };

static iip_u32 iip_addr_scope(const struct iip_ip *ip)
{
    if (iip_ip_is_loopback(ip))
        return IIP_SCOPE_LINK;
    if (iip_ip_is_v4(ip)) {
        if (ip->b[12] >> 4 == 14)
            return ip->b[12] == 224 && !ip->b[13] && !ip->b[14] ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
        return ip->b[12] == 169 && ip->b[13] == 254 ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
    }
    if (iip_ip_is_multicast6(ip))
        return (iip_u32)ip->b[1] & 15;
    return iip_ip_is_link_local6(ip) ? IIP_SCOPE_LINK : IIP_SCOPE_GLOBAL;
}

/* Rule 2: the smallest scope that still reaches the destination; failing that, the largest. */
static int iip_addr_scope_better(iip_u32 a, iip_u32 b, iip_u32 dst)
{
    return a < b ? a >= dst : b < dst;
}

/* Bits in common with the destination, but no more than the address's own prefix has [RFC 6724 2.2]. */
static iip_u32 iip_addr_match(const struct iip_addr *addr, const struct iip_ip *ip)
{
    return iip_min32(iip_ip_common_bits(&addr->own.ip, ip), (iip_u32)addr->prefix_len + (addr->family == 4 ? 96 : 0));
}

static int iip_addr_better(const struct iip_addr *a, const struct iip_addr *b, const struct iip_ip *dst,
                           const struct iip_ip *hop)
{
    iip_u32 scope_a = iip_addr_scope(&a->own.ip);
    iip_u32 scope_b = iip_addr_scope(&b->own.ip);
    if (scope_a != scope_b)
        return iip_addr_scope_better(scope_a, scope_b, iip_addr_scope(dst));
    if (iip_addr_match(a, hop) != iip_addr_match(b, hop)) /* on the next hop's own subnet [RFC 1122 3.3.4.3] */
        return iip_addr_match(a, hop) > iip_addr_match(b, hop);
    return iip_addr_match(a, dst) > iip_addr_match(b, dst); /* rule 8 */
}

IIP_LOCAL const struct iip_addr *iip_addr_select(const struct iip_stack *stk, const struct iip_ip *dst,
                                                 const struct iip_ip *hop)
{
    iip_u32 family = iip_ip_is_v4(dst) ? 4 : 6;
    const struct iip_addr *best = 0;
    const struct iip_addr *addr;
    for (addr = stk->net->addr_first; addr; addr = addr->next) {
        if (addr->family != family || addr->state != IIP_ADDR_OURS || iip_ip_is_loopback(&addr->own.ip))
            continue;
        if (!best || iip_addr_better(addr, best, dst, hop))
            best = addr;
    }
    return best;
}

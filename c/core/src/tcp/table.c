/* table.c - which connection, half-open connection, TIME-WAIT or listener a tuple belongs to. */
#include "tcp/tcp.h"
#include "wire/ipv4.h"

/* The addresses of an IPv6 object lie behind it. */
static struct iip_ip *iip_tcp_id_ip6(const struct iip_tcp_id *id)
{
    iip_size size = id->kind == IIP_ID_CONN ? sizeof(struct iip_tcp_conn) : sizeof(struct iip_tcp_mini);
    return (struct iip_ip *)(void *)((iip_u8 *)(iip_uptr)id + ((size + 7) & ~(iip_size)7));
}

static iip_u32 iip_tcp_hash6(struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *remote,
                             iip_u32 ports)
{
    iip_u32 w[IIP_HASH_WORDS];
    IIP_COPY(w, local->b, 16);
    IIP_COPY(w + 4, remote->b, 16);
    w[8] = ports;
    w[9] = 6;
    return iip_hash_words(&stk->hash_key, w, IIP_HASH_WORDS);
}

static struct iip_tcp_id *iip_tcp_find6(struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *remote,
                                        iip_u32 ports)
{
    iip_u32 hash = iip_tcp_hash6(stk, local, remote, ports);
    struct iip_node *node = *iip_table_bucket(&stk->tcp->table, hash);
    struct iip_tcp_id *id;
    const struct iip_ip *ip;
    for (; node; node = node->next) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (node->hash != hash || node->word != ports || id->family != 6)
            continue;
        ip = iip_tcp_id_ip6(id);
        if (iip_ip_same(&ip[0], local) && iip_ip_same(&ip[1], remote))
            return id;
    }
    return 0;
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup(struct iip_stack *stk, const struct iip_rx *rx, iip_u32 ports)
{
    if (rx->family == 4)
        return iip_tcp_find4(stk, iip_raw32(rx->dst.b + 12), iip_raw32(rx->src.b + 12), ports);
    return iip_tcp_find6(stk, &rx->dst, &rx->src, ports);
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup_tuple(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    iip_u32 ports = iip_tcp_ports(t->local_port, t->remote_port);
    if (t->family == 4)
        return iip_tcp_find4(stk, iip_raw32(t->local.b + 12), iip_raw32(t->remote.b + 12), ports);
    return iip_tcp_find6(stk, &t->local, &t->remote, ports);
}

IIP_LOCAL void iip_tcp_id_init(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind,
                               const struct iip_tcp_tuple *t)
{
    struct iip_ip *ip;
    id->kind = (iip_u8)kind;
    id->family = t->family;
    id->node.word = iip_tcp_ports(t->local_port, t->remote_port);
    if (t->family == 4) {
        id->local4 = iip_raw32(t->local.b + 12);
        id->remote4 = iip_raw32(t->remote.b + 12);
        id->node.hash = iip_hash_tuple4(&stk->hash_key, id->local4, id->remote4, id->node.word);
    } else {
        ip = iip_tcp_id_ip6(id);
        ip[0] = t->local;
        ip[1] = t->remote;
        id->node.hash = iip_tcp_hash6(stk, &t->local, &t->remote, id->node.word);
    }
    iip_table_add(&stk->tcp->table, &id->node);
}

IIP_LOCAL void iip_tcp_id_take(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind, struct iip_tcp_id *from)
{
    struct iip_ip *ip;
    const struct iip_ip *from_ip;
    *id = *from;
    id->kind = (iip_u8)kind;
    id->state = 0;
    if (id->family == 6) {
        ip = iip_tcp_id_ip6(id);
        from_ip = iip_tcp_id_ip6(from);
        ip[0] = from_ip[0];
        ip[1] = from_ip[1];
    }
    iip_table_replace(&stk->tcp->table, &from->node, &id->node);
}

IIP_LOCAL void iip_tcp_tuple_of(const struct iip_tcp_id *id, struct iip_tcp_tuple *t)
{
    const struct iip_ip *ip;
    t->family = id->family;
    t->local_port = (iip_u16)(id->node.word >> 16);
    t->remote_port = (iip_u16)id->node.word;
    if (id->family == 4) {
        iip_ip_of_v4(&t->local, id->local4);
        iip_ip_of_v4(&t->remote, id->remote4);
        return;
    }
    ip = iip_tcp_id_ip6(id);
    t->local = ip[0];
    t->remote = ip[1];
}

IIP_LOCAL void iip_tcp_tuple_rx(struct iip_tcp_tuple *t, const struct iip_rx *rx, const struct iip_tcp_seg *seg)
{
    t->family = rx->family;
    t->local = rx->dst;
    t->remote = rx->src;
    t->local_port = seg->dst_port;
    t->remote_port = seg->src_port;
}

/* The most special listener wins: its address before any address. */
IIP_LOCAL struct iip_tcp_listener *iip_tcp_listener_for(struct iip_stack *stk, const struct iip_tcp_tuple *t)
{
    struct iip_tcp_listener *lis = stk->tcp->listeners[t->local_port % IIP_LISTEN_BUCKETS];
    struct iip_tcp_listener *any = 0;
    for (; lis; lis = lis->next) {
        if (lis->local.port != t->local_port || (lis->local.family && lis->local.family != t->family))
            continue;
        if (iip_ip_same(&lis->local.ip, &t->local))
            return lis;
        if (iip_ip_any(&lis->local.ip))
            any = lis;
    }
    return any;
}

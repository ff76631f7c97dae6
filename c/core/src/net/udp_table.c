/* udp_table.c - which socket is meant, and which ports are free. */
#include "net/udp.h"

enum { IIP_UDP_PORT_MIN = 1024, IIP_UDP_PORTS = 65536 - IIP_UDP_PORT_MIN };

IIP_LOCAL int iip_udp_is_connected(const struct iip_udp_sock *sock)
{
    return sock->peer.port != 0;
}

static iip_u32 iip_udp_hash(const struct iip_stack *stk, iip_u32 local_port, const struct iip_endpoint *peer)
{
    iip_u32 w[6];
    IIP_ZERO(w, sizeof(w));
    w[0] = local_port;
    if (peer) {
        w[1] = peer->port;
        IIP_COPY(w + 2, peer->ip.b, 16);
    }
    return iip_hash_words(&stk->hash_key, w, 6);
}

IIP_LOCAL void iip_udp_table_add(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    struct iip_udp *udp = stk->udp;
    sock->node.hash = iip_udp_hash(stk, sock->local.port, iip_udp_is_connected(sock) ? &sock->peer : 0);
    iip_table_add(&udp->table, &sock->node);
    udp->connected += iip_udp_is_connected(sock) ? 1 : 0;
    sock->prev = 0;
    sock->next = udp->first;
    if (udp->first)
        udp->first->prev = sock;
    udp->first = sock;
}

/* Does an address of a socket cover this one? 0: no; 1: as any; 2: itself. */
static int iip_udp_covers(const struct iip_endpoint *own, const struct iip_ip *ip)
{
    if (!iip_ip_unset(&own->ip))
        return iip_ip_same(&own->ip, ip) ? 2 : 0;
    if (!own->family)
        return 1;
    return own->family == (iip_ip_is_v4(ip) ? 4 : 6);
}

static int iip_udp_same_end(const struct iip_endpoint *a, const struct iip_endpoint *b)
{
    return a->port == b->port && iip_ip_same(&a->ip, &b->ip);
}

static struct iip_udp_sock *iip_udp_search(const struct iip_stack *stk, const struct iip_endpoint *local,
                                           const struct iip_endpoint *peer)
{
    iip_u32 hash = iip_udp_hash(stk, local->port, peer);
    struct iip_node *node = *iip_table_bucket(&stk->udp->table, hash);
    struct iip_udp_sock *best = 0;
    int best_fit = 0;
    for (; node; node = node->next) {
        struct iip_udp_sock *sock = IIP_OUTER(node, struct iip_udp_sock, node);
        int fit;
        if (node->hash != hash || sock->local.port != local->port || iip_udp_is_connected(sock) != (peer != 0))
            continue;
        if (peer && !iip_udp_same_end(&sock->peer, peer))
            continue;
        fit = iip_udp_covers(&sock->local, &local->ip);
        if (fit > best_fit) {
            best = sock;
            best_fit = fit;
        }
    }
    return best;
}

IIP_LOCAL struct iip_udp_sock *iip_udp_find(const struct iip_stack *stk, const struct iip_endpoint *local,
                                            const struct iip_endpoint *peer)
{
    struct iip_udp_sock *sock = 0;
    if (stk->udp->connected)
        sock = iip_udp_search(stk, local, peer);
    return sock ? sock : iip_udp_search(stk, local, 0);
}

/* Two local ends that would both match some datagram with equal right. */
static int iip_udp_clash(const struct iip_endpoint *a, const struct iip_endpoint *b)
{
    if (!iip_ip_unset(&a->ip) || !iip_ip_unset(&b->ip))
        return iip_ip_same(&a->ip, &b->ip);
    return !a->family || !b->family || a->family == b->family;
}

IIP_LOCAL int iip_udp_in_use(const struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    const struct iip_endpoint *peer = iip_udp_is_connected(sock) ? &sock->peer : 0;
    iip_u32 hash = iip_udp_hash(stk, sock->local.port, peer);
    struct iip_node *node = *iip_table_bucket(&stk->udp->table, hash);
    for (; node; node = node->next) {
        const struct iip_udp_sock *other = IIP_OUTER(node, struct iip_udp_sock, node);
        if (node->hash != hash || other->local.port != sock->local.port || iip_udp_is_connected(other) != (peer != 0))
            continue;
        if (peer && !iip_udp_same_end(&other->peer, peer))
            continue;
        if (iip_udp_clash(&other->local, &sock->local))
            return 1;
    }
    return 0;
}

/* Nobody outside may guess the next port, so it comes from the key, not from the seed. */
static iip_u32 iip_udp_port_start(struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    iip_u8 m[40];
    IIP_COPY(m, sock->local.ip.b, 16);
    IIP_COPY(m + 16, sock->peer.ip.b, 16);
    iip_put32(m + 32, sock->peer.port);
    iip_put32(m + 36, ++stk->udp->opened);
    return (iip_u32)(iip_siphash(stk->key, m, sizeof(m)) >> 16) % IIP_UDP_PORTS;
}

/* An answer must come to this stack, where several share the address; a socket without a peer cannot know. */
static int iip_udp_answer_is_ours(const struct iip_stack *stk, const struct iip_udp_sock *sock)
{
    if (!iip_udp_is_connected(sock) || stk->share.stacks <= 1)
        return 1;
    return iip_share_owner(stk, &sock->local.ip, &sock->peer.ip, sock->local.port, sock->peer.port) == stk->share.self;
}

IIP_LOCAL int iip_udp_pick_port(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    iip_u32 start = iip_udp_port_start(stk, sock);
    iip_u32 i;
    for (i = 0; i < IIP_UDP_PORTS; i++) {
        sock->local.port = (iip_u16)(IIP_UDP_PORT_MIN + (start + i) % IIP_UDP_PORTS);
        if (iip_udp_answer_is_ours(stk, sock) && !iip_udp_in_use(stk, sock))
            return IIP_OK;
    }
    return IIP_E_ADDR_IN_USE;
}

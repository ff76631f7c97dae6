/* udp.c - sockets: open, close, send, options [RFC 768, RFC 1122 4.1]. */
#include "net/udp.h"

enum {
    IIP_UDP_HEADERS = IIP_UDP_LEN + IIP_IPV6_LEN + IIP_ETH_LEN,
    IIP_UDP_MAX4 = 65535 - IIP_IPV4_LEN - IIP_UDP_LEN,
    IIP_UDP_MAX6 = 65535 - IIP_UDP_LEN
};

IIP_LOCAL int iip_udp_new(struct iip_stack *stk)
{
    struct iip_table_mem mem;
    stk->udp = (struct iip_udp *)iip_mem_zalloc(stk, sizeof(*stk->udp));
    if (!stk->udp)
        return -1;
    iip_table_mem_of(stk, &mem);
    return iip_table_init(&stk->udp->table, &mem);
}

IIP_LOCAL void iip_udp_free(struct iip_stack *stk)
{
    if (stk->udp->table.seg) {
        while (stk->udp->first)
            iip_udp_close(stk, stk->udp->first);
        iip_table_free(&stk->udp->table);
    }
    iip_mem_free(stk, stk->udp, sizeof(*stk->udp));
    stk->udp = 0;
}

/* ---- open and close ---- */

/* An endpoint as the caller wrote it, with the family that it means. */
static int iip_udp_end(struct iip_endpoint *to, const struct iip_endpoint *from)
{
    iip_u32 family = iip_ip_is_v4(&from->ip) ? 4 : 6;
    if (from->family && from->family != 4 && from->family != 6)
        return IIP_E_INVAL;
    *to = *from;
    to->scope = 0;
    if (iip_ip_any(&from->ip))
        return IIP_OK;
    if (from->family && from->family != family)
        return IIP_E_INVAL;
    to->family = (iip_u16)family;
    return IIP_OK;
}

/* A connected socket has a source address, for the port must be free with it, and the answers must find us. */
static int iip_udp_connect(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *peer)
{
    int status = iip_udp_end(&sock->peer, peer);
    if (status)
        return status;
    if (!peer->port || iip_ip_unset(&peer->ip) || (sock->local.family && sock->local.family != sock->peer.family))
        return IIP_E_INVAL;
    status = iip_path_find(stk, &sock->local.ip, &sock->peer.ip, &sock->path);
    sock->local.family = sock->peer.family;
    sock->path_src = sock->local.ip;
    sock->path_dst = sock->peer.ip;
    sock->path_named = 1;
    return status;
}

static int iip_udp_bind(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *local,
                        const struct iip_endpoint *peer)
{
    int status = IIP_OK;
    if (local)
        status = iip_udp_end(&sock->local, local);
    if (!status && !iip_ip_unset(&sock->local.ip) && !iip_addr_is_ours(stk, &sock->local.ip))
        status = IIP_E_ADDR_NOT_AVAIL;
    if (!status && peer)
        status = iip_udp_connect(stk, sock, peer);
    if (status)
        return status;
    if (!sock->local.port)
        return iip_udp_pick_port(stk, sock);
    return iip_udp_in_use(stk, sock) ? IIP_E_ADDR_IN_USE : IIP_OK;
}

IIP_API int iip_udp_open(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                         void *user, struct iip_udp_sock **out)
{
    struct iip_udp_sock *sock = (struct iip_udp_sock *)iip_mem_zalloc(stk, sizeof(*sock));
    int status;
    if (!sock)
        return IIP_E_NOMEM;
    sock->user = user;
    sock->ready.kind = IIP_READY_UDP;
    status = iip_udp_bind(stk, sock, local, peer);
    if (status) {
        iip_path_drop(stk, &sock->path);
        iip_mem_free(stk, sock, sizeof(*sock));
        return status;
    }
    iip_udp_table_add(stk, sock);
    *out = sock;
    return IIP_OK;
}

IIP_API void iip_udp_close(struct iip_stack *stk, struct iip_udp_sock *sock)
{
    struct iip_udp *udp = stk->udp;
    if (!sock)
        return;
    iip_ready_del(stk, &sock->ready);
    iip_pktq_free(stk, &sock->queue);
    iip_path_drop(stk, &sock->path);
    iip_table_del(&udp->table, &sock->node);
    udp->connected -= iip_udp_is_connected(sock) ? 1 : 0;
    if (sock->prev)
        sock->prev->next = sock->next;
    else
        udp->first = sock->next;
    if (sock->next)
        sock->next->prev = sock->prev;
    iip_mem_free(stk, sock, sizeof(*sock));
}

IIP_API int iip_udp_set(struct iip_stack *stk, struct iip_udp_sock *sock, iip_u32 option, iip_u64 value)
{
    (void)stk;
    if (option == IIP_UDP_TTL && value >= 1 && value <= 255)
        sock->ttl = (iip_u8)value;
    else if (option == IIP_UDP_DSCP && value <= 63)
        sock->tos = (iip_u8)(value << 2);
    else
        return option == IIP_UDP_TTL || option == IIP_UDP_DSCP ? IIP_E_RANGE : IIP_E_INVAL;
    return IIP_OK;
}

IIP_API void iip_udp_local(const struct iip_udp_sock *sock, struct iip_endpoint *local)
{
    *local = sock->local;
}

/* ---- send ---- */

/* The path of the last datagram serves as long as the next one goes the same way. */
static int iip_udp_route(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_ip *src,
                         const struct iip_ip *dst)
{
    int named = !iip_ip_unset(src);
    if (sock->path.valid && sock->path.gen == stk->net->gen && iip_ip_same(dst, &sock->path_dst) &&
        (named ? iip_ip_same(src, &sock->path_src) : !sock->path_named))
        return IIP_OK;
    iip_path_drop(stk, &sock->path);
    sock->path_src = *src;
    sock->path_dst = *dst;
    sock->path_named = (iip_u8)named;
    return iip_path_find(stk, &sock->path_src, dst, &sock->path);
}

/* Room for the headers in front of the first byte: there, or in a view of its own. Null: no frame. */
static struct iip_pkt *iip_udp_head(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_pkt *head;
    if (IIP_LIKELY(iip_pkt_headroom_ok(pkt, IIP_UDP_HEADERS)))
        return pkt;
    head = iip_pkt_alloc(stk, 0);
    if (head)
        head->next = pkt;
    return head;
}

/* [RFC 768] The port does the sum where it can, and nobody needs one for what never leaves. */
static void iip_udp_csum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                         const struct iip_path *path)
{
    iip_u64 sum;
    iip_u32 ip_len = ip->family == 4 ? (iip_u32)IIP_IPV4_LEN : (iip_u32)IIP_IPV6_LEN;
    if (path->loop)
        return;
    sum = iip_ip_pseudo(ip->src, ip->dst, ip->family, IIP_PROTO_UDP, pkt->total);
    if ((stk->caps & IIP_CAP_TX_UDP_CSUM) && pkt->total + ip_len <= path->mtu) {
        pkt->flags |= IIP_PKT_L4_CSUM;
        iip_csum_store(pkt->data + IIP_UDP_CSUM_AT, iip_csum_fold(sum));
        return;
    }
    iip_udp_csum_set(pkt->data, iip_csum_add(sum, iip_pkt_csum(pkt, 0, pkt->total)));
}

static void iip_udp_output(struct iip_stack *stk, struct iip_udp_sock *sock, iip_u32 dst_port, struct iip_pkt *pkt,
                           iip_u32 bytes)
{
    struct iip_tx_ip ip;
    pkt->data -= IIP_UDP_LEN;
    pkt->len += IIP_UDP_LEN;
    pkt->total = bytes + IIP_UDP_LEN;
    pkt->flags = IIP_PKT_UDP;
    pkt->seg_size = 0;
    pkt->l4_len = IIP_UDP_LEN;
    ip.src = &sock->path_src;
    ip.dst = &sock->path_dst;
    ip.family = iip_ip_is_v4(&sock->path_dst) ? 4 : 6;
    ip.proto = IIP_PROTO_UDP;
    ip.ttl = sock->ttl;
    if (!ip.ttl) /* [RFC 1112 6.1] */
        ip.ttl = iip_ip_is_multicast(ip.dst) ? 1 : (iip_u8)stk->tune.ip_ttl;
    ip.tos = sock->tos;
    ip.df = ip.family == 4 && pkt->total + IIP_IPV4_LEN <= sock->path.mtu; /* whole here, whole all the way: needs no identification [RFC 6864] */
    iip_udp_emit(pkt->data, sock->local.port, dst_port, pkt->total);
    iip_udp_csum(stk, pkt, &ip, &sock->path);
    iip_ip_output(stk, pkt, &ip, &sock->path);
}

static int iip_udp_check(const struct iip_stack *stk, const struct iip_udp_sock *sock, const struct iip_endpoint *to,
                         iip_u32 bytes)
{
    int v4 = iip_ip_is_v4(&to->ip);
    if (!to->port || iip_ip_unset(&to->ip) || (sock->local.family && sock->local.family != (v4 ? 4 : 6)))
        return IIP_E_INVAL;
    if (bytes > (v4 ? (iip_u32)IIP_UDP_MAX4 : (iip_u32)IIP_UDP_MAX6))
        return IIP_E_MSGSIZE;
    return iip_tx_full(stk) ? IIP_E_AGAIN : IIP_OK;
}

IIP_API int iip_udp_send(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *from,
                         const struct iip_endpoint *to, struct iip_pkt *pkt)
{
    iip_u32 bytes = iip_pkt_bytes(pkt);
    struct iip_pkt *head;
    int status;
    if (!to)
        to = &sock->peer;
    status = iip_udp_check(stk, sock, to, bytes);
    if (!status)
        status = iip_udp_route(stk, sock, from ? &from->ip : &sock->local.ip, &to->ip);
    if (status)
        return status;
    head = iip_udp_head(stk, pkt);
    if (!head)
        return IIP_E_NOBUFS;
    iip_udp_output(stk, sock, to->port, head, bytes);
    return IIP_OK;
}

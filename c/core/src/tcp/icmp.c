/* icmp.c - ICMP errors about our segments [RFC 9293 3.9.2.2; RFC 5927; RFC 5461]. */
#include "stack/up.h"
#include "tcp/tcp.h"

/* [RFC 5927 4.1] only one who saw a segment in flight can quote its number. */
static int iip_tcp_quote_in_flight(const struct iip_tcp_conn *conn, const struct iip_icmp_error *err)
{
    return err->has_seq && iip_seq_leq(conn->snd.una, err->seq) && iip_seq_lt(err->seq, conn->snd.nxt);
}

/* The path takes less: what was too large is cut anew and leaves at once, and the network is not blamed. */
static void iip_tcp_path_shrank(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 mtu)
{
    if (!conn->path.valid || mtu >= conn->path.mtu)
        return;
    conn->path.mtu = (iip_u16)mtu;
    iip_tcp_mss_update(stk, conn);
    if (conn->id.state < IIP_TCP_ESTABLISHED || conn->snd.una == conn->snd.nxt)
        return;
    iip_tcp_undo_forget(conn);
    conn->flags = (conn->flags & ~(iip_u32)(IIP_F_RECOVERY | IIP_F_RTT_PENDING)) | IIP_F_LOSS;
    conn->recover = conn->lost_edge = conn->snd.nxt;
    conn->rtx_next = conn->snd.una;
    conn->dup_acks = 0;
    conn->cwnd = iip_max32(conn->cwnd, conn->mss);
    iip_tcp_touch(stk, conn);
}

IIP_LOCAL int iip_tcp_icmp_error(struct iip_stack *stk, const struct iip_icmp_error *err)
{
    struct iip_tcp_id *id;
    struct iip_tcp_conn *conn;
    struct iip_tcp_tuple t;
    t.family = err->family;
    t.local = err->src;
    t.remote = err->dst;
    t.local_port = (iip_u16)err->src_port;
    t.remote_port = (iip_u16)err->dst_port;
    id = iip_tcp_lookup_tuple(stk, &t);
    if (!id || id->kind != IIP_ID_CONN)
        return 0;
    conn = iip_tcp_conn_of_id(id);
    if (!iip_tcp_quote_in_flight(conn, err))
        return 0;
    if (err->status == IIP_E_MSGSIZE)
        iip_tcp_path_shrank(stk, conn, err->mtu);
    else if (err->hard && conn->id.state == IIP_TCP_SYN_SENT) /* [SHLD-26] only before the connection stands */
        iip_tcp_end(stk, conn, err->status);
    else
        iip_tcp_soft_error(stk, conn, err->status, (iip_u32)err->type << 8 | err->code);
    return 1;
}

/* The link's MTU changed: rare, so every connection is looked at. A single destination's path is learnt by each connection itself. */
IIP_LOCAL void iip_tcp_mtu_changed(struct iip_stack *stk, const struct iip_ip *dst)
{
    struct iip_tcp_conn *conn = 0;
    struct iip_tcp_tuple t;
    if (dst)
        return;
    while ((conn = iip_tcp_next(stk, conn)) != 0) {
        iip_tcp_tuple_of(&conn->id, &t);
        if (conn->path.valid)
            conn->path.mtu = (iip_u16)iip_path_mtu(stk, &t.remote);
        iip_tcp_mss_update(stk, conn);
    }
}

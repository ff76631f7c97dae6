/* option.c - options of one connection, and STATUS [RFC 9293 3.9.1.6]. */
#include "tcp/tcp.h"

static void iip_tcp_flag(struct iip_tcp_conn *conn, iip_u32 flag, iip_u64 on)
{
    if (on)
        conn->flags |= flag;
    else
        conn->flags &= ~flag;
}

struct iip_tcp_option {
    iip_u32 option;
    iip_u64 min, max;
    iip_u32 flag; /* for switches */
};

static const struct iip_tcp_option iip_tcp_options[] = {
    { IIP_TCP_NODELAY, 0, 1, IIP_F_NODELAY },
    { IIP_TCP_CORK, 0, 1, IIP_F_CORK },
    { IIP_TCP_KEEPALIVE, 0, 1, IIP_F_KEEPALIVE },
    { IIP_TCP_KEEPIDLE_US, 1000, IIP_U64(0x1000, 0), 0 },
    { IIP_TCP_KEEPINTVL_US, 1000, 0xffffffffU, 0 },
    { IIP_TCP_KEEPCNT, 1, 255, 0 },
    { IIP_TCP_USER_TIMEOUT_US, 0, IIP_U64(0x1000, 0), 0 },
    { IIP_TCP_DSCP, 0, 63, 0 },
    { IIP_TCP_TTL, 1, 255, 0 },
    { IIP_TCP_SNDBUF, 2048, 0x40000000, 0 },
    { IIP_TCP_RCVBUF, 2048, 0x40000000, 0 },
    { IIP_TCP_QUICKACK, 0, 1, IIP_F_QUICKACK },
    { IIP_TCP_CC, 0, 1, 0 },
    { IIP_TCP_SYN_RETRIES, 0, 255, 0 },
};

static const struct iip_tcp_option *iip_tcp_option_find(iip_u32 option)
{
    iip_u32 i;
    for (i = 0; i < IIP_COUNT(iip_tcp_options); i++) {
        if (iip_tcp_options[i].option == option)
            return &iip_tcp_options[i];
    }
    return 0;
}

static int iip_tcp_set_extra(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    struct iip_tcp_extra *extra = iip_tcp_extra(stk, conn);
    if (!extra)
        return IIP_E_NOMEM;
    switch (option) {
    case IIP_TCP_KEEPIDLE_US:
        extra->keepidle_us = value;
        break;
    case IIP_TCP_KEEPINTVL_US:
        extra->keepintvl_us = (iip_u32)value;
        break;
    case IIP_TCP_KEEPCNT:
        extra->keepcnt = (iip_u8)value;
        break;
    case IIP_TCP_USER_TIMEOUT_US:
        extra->user_timeout_us = value;
        iip_tcp_rto_limit(stk, conn);
        break;
    default:
        extra->syn_retries = (iip_u8)value;
        break;
    }
    return IIP_OK;
}

static int iip_tcp_set_value(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    switch (option) {
    case IIP_TCP_DSCP:
        conn->tos = (iip_u8)(value << 2);
        break;
    case IIP_TCP_TTL:
        conn->ttl = (iip_u8)value;
        break;
    case IIP_TCP_SNDBUF:
        conn->sndbuf = (iip_u32)value;
        break;
    case IIP_TCP_RCVBUF:
        conn->rcvbuf = (iip_u32)value;
        break;
    case IIP_TCP_CC:
        conn->cc = (iip_u8)value;
        iip_tcp_cc_of(conn)->start(conn);
        break;
    default:
        return iip_tcp_set_extra(stk, conn, option, value);
    }
    return IIP_OK;
}

IIP_API int iip_tcp_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value)
{
    const struct iip_tcp_option *o = iip_tcp_option_find(option);
    int status = IIP_OK;
    if (!o)
        return IIP_E_NOT_FOUND;
    if (value < o->min || value > o->max)
        return IIP_E_RANGE;
    if (conn->id.state == IIP_TCP_CLOSED)
        return IIP_E_NOT_CONNECTED;
    if (o->flag)
        iip_tcp_flag(conn, o->flag, value);
    else
        status = iip_tcp_set_value(stk, conn, option, value);
    iip_tcp_idle_restart(stk, conn);
    iip_tcp_touch(stk, conn); /* what Nagle or the cork held back may leave */
    return status;
}

static iip_u64 iip_tcp_get_extra(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option)
{
    const struct iip_tcp_extra *extra = conn->extra;
    switch (option) {
    case IIP_TCP_KEEPIDLE_US:
        return extra ? extra->keepidle_us : stk->tune.tcp_keepidle_us;
    case IIP_TCP_KEEPINTVL_US:
        return extra ? extra->keepintvl_us : stk->tune.tcp_keepintvl_us;
    case IIP_TCP_KEEPCNT:
        return extra ? extra->keepcnt : stk->tune.tcp_keepcnt;
    case IIP_TCP_USER_TIMEOUT_US:
        return iip_tcp_user_timeout(stk, conn);
    default:
        return extra ? extra->syn_retries : stk->tune.tcp_syn_retries;
    }
}

static iip_u64 iip_tcp_get_value(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option)
{
    switch (option) {
    case IIP_TCP_DSCP:
        return conn->tos >> 2;
    case IIP_TCP_TTL:
        return conn->ttl;
    case IIP_TCP_SNDBUF:
        return conn->sndbuf;
    case IIP_TCP_RCVBUF:
        return conn->rcvbuf;
    case IIP_TCP_CC:
        return conn->cc;
    default:
        return iip_tcp_get_extra(stk, conn, option);
    }
}

IIP_API int iip_tcp_get(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option, iip_u64 *value)
{
    const struct iip_tcp_option *o = iip_tcp_option_find(option);
    if (!o)
        return IIP_E_NOT_FOUND;
    *value = o->flag ? (conn->flags & o->flag) != 0 : iip_tcp_get_value(stk, conn, option);
    return IIP_OK;
}

static void iip_tcp_info_ends(const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    struct iip_tcp_tuple t;
    iip_tcp_tuple_of(&conn->id, &t);
    info->local.ip = t.local;
    info->local.port = t.local_port;
    info->local.family = t.family;
    info->peer.ip = t.remote;
    info->peer.port = t.remote_port;
    info->peer.family = t.family;
}

static iip_u32 iip_tcp_ooo_bytes(const struct iip_tcp_conn *conn)
{
    iip_u32 bytes = 0;
    iip_u32 i;
    for (i = 0; conn->repair && i < conn->repair->ooo.n; i++)
        bytes += conn->repair->ooo.r[i].right - conn->repair->ooo.r[i].left;
    return bytes;
}

/* Numbers from the first byte's to now's, by how often bit 31 changed on the way (a FIN has a number too). */
static iip_u64 iip_tcp_total(iip_u32 changes, iip_u32 first, iip_u32 now)
{
    return (((iip_u64)(first >> 31) + changes) << 31 | (now & 0x7fffffff)) - first;
}

static void iip_tcp_info_fill(const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    IIP_ZERO(info, sizeof(*info));
    info->state = conn->id.state;
    info->options |= conn->id.options & IIP_HAS_TS ? 1 : 0;
    info->options |= conn->id.options & IIP_HAS_SACK_OK ? 2 : 0;
    info->options |= conn->id.options & IIP_HAS_WSCALE ? 4 : 0;
    info->snd_wscale = conn->snd_wscale;
    info->rcv_wscale = conn->rcv_wscale;
    iip_tcp_info_ends(conn, info);
    info->mss = conn->mss;
    info->srtt_us = conn->srtt8 >> 3;
    info->rttvar_us = conn->rttvar4 >> 2;
    info->rto_us = conn->rto_us;
    info->cwnd = conn->cwnd;
    info->ssthresh = conn->ssthresh;
    info->snd_una = conn->snd.una;
    info->snd_nxt = conn->snd.nxt;
    info->rcv_nxt = conn->rcv.nxt;
    info->snd_wnd = conn->snd.wnd;
    info->rcv_wnd = conn->rcv.edge - conn->rcv.nxt;
    info->unacked = conn->snd.nxt - conn->snd.una;
    info->unsent = iip_seq_lt(conn->snd.nxt, conn->snd.end) ? conn->snd.end - conn->snd.nxt : 0;
    info->unread = iip_tcp_unread(conn);
    info->uncredited = conn->rcv.held;
    info->out_of_order = iip_tcp_ooo_bytes(conn);
    info->retransmits = conn->repair ? conn->repair->retransmits : 0;
    info->rto_count = conn->repair ? conn->repair->rto_count : 0;
    info->dup_acks = conn->dup_acks;
    info->bytes_in =
        conn->id.state < IIP_TCP_ESTABLISHED ? 0 : iip_tcp_total(conn->in_wraps, conn->id.word + 1, conn->rcv.nxt);
    info->bytes_out =
        conn->id.state < IIP_TCP_ESTABLISHED ? 0 : iip_tcp_total(conn->out_wraps, conn->iss + 1, conn->snd.una);
}

IIP_API int iip_tcp_info(const struct iip_stack *stk, const struct iip_tcp_conn *conn, struct iip_tcp_info *info)
{
    struct iip_tcp_info all;
    iip_u32 size = iip_min32(info->size, sizeof(all));
    (void)stk;
    iip_tcp_info_fill(conn, &all);
    all.size = size;
    IIP_COPY(info, &all, size);
    return (int)sizeof(all);
}

IIP_API struct iip_tcp_conn *iip_tcp_next(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    struct iip_node *node = iip_table_next(&stk->tcp->table, conn ? &conn->id.node : 0);
    struct iip_tcp_id *id;
    for (; node; node = iip_table_next(&stk->tcp->table, node)) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (id->kind == IIP_ID_CONN)
            return iip_tcp_conn_of_id(id);
    }
    return 0;
}

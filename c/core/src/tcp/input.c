/* input.c - SEGMENT ARRIVES [RFC 9293 3.10.7]: decode once, and find the state it meets. */
#include "base/csum.h"
#include "stack/up.h"
#include "tcp/tcp.h"

static int iip_tcp_csum_wrong(const struct iip_pkt *pkt, const struct iip_rx *rx, iip_u32 bytes)
{
    iip_u64 sum;
    if ((pkt->flags & IIP_PKT_L4_CSUM_OK) || rx->looped)
        return 0;
    sum = iip_ip_pseudo(&rx->src, &rx->dst, rx->family, 6, bytes);
    sum = iip_csum_add(sum, pkt->next ? iip_pkt_csum(pkt, 0, bytes) : iip_csum_bytes(pkt->data, bytes));
    return iip_csum_fold(sum) != 0xffff;
}

/* [RFC 9293 3.1] what cannot be a segment, or was damaged, is dropped in silence. */
static iip_verdict iip_tcp_decode(struct iip_tcp_arrival *arr, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    iip_u32 bytes = pkt->next ? iip_pkt_bytes(pkt) : pkt->len;
    arr->pkt = pkt;
    arr->rx = rx;
    arr->skip = 0;
    if (IIP_UNLIKELY(iip_tcp_parse(&arr->seg, pkt->data, bytes) || arr->seg.hdr_len > pkt->len))
        return IIP_CTR_DROP_TCP_HEADER;
    if (IIP_UNLIKELY(iip_tcp_csum_wrong(pkt, rx, bytes)))
        return IIP_CTR_DROP_TCP_CSUM;
    return IIP_NEXT_STEP;
}

/* The long way: every option, SYN and FIN counted in SEG.LEN. */
static void iip_tcp_decode_rest(struct iip_tcp_arrival *arr)
{
    struct iip_tcp_seg *seg = &arr->seg;
    if (seg->hdr_len > IIP_TCP_HEADER && !seg->has && !iip_tcp_parse_ts_only(seg, arr->pkt->data))
        iip_tcp_parse_options(seg, arr->pkt->data);
    arr->pkt->data += seg->hdr_len;
    arr->pkt->len -= seg->hdr_len;
    seg->len += (seg->flags & IIP_TCP_SYN ? 1 : 0) + (seg->flags & IIP_TCP_FIN ? 1 : 0);
}

/*
 * [RFC 9293 3.10.7.1] no connection, no listener: RST for everything but a RST. A multicast or broadcast destination
 * gets no answer, and a tuple of another stack that shares our addresses goes there.
 */
IIP_LOCAL iip_verdict iip_tcp_closed_input(struct iip_stack *stk, struct iip_tcp_arrival *arr)
{
    iip_tcp_reset_reply(stk, arr);
    return IIP_CTR_DROP_TCP_CLOSED;
}

static iip_verdict iip_tcp_conn_steps(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    if (conn->id.state == IIP_TCP_SYN_SENT)
        return iip_tcp_synsent_input(stk, conn, arr);
    return iip_tcp_segment_arrives(stk, conn, arr);
}

static iip_verdict iip_tcp_no_conn_input(struct iip_stack *stk, struct iip_tcp_arrival *arr)
{
    struct iip_tcp_listener *lis;
    struct iip_tcp_tuple t;
    if (arr->rx->multicast) /* [RFC 9293 3.9.2.3 MUST-57]; IP let no source through that is none [MUST-63] */
        return IIP_CTR_DROP_TCP_ADDR;
    iip_tcp_tuple_rx(&t, arr->rx, &arr->seg);
    if (iip_ip_same(&t.local, &t.remote) && t.local_port == t.remote_port && !arr->rx->looped)
        return IIP_CTR_DROP_TCP_ADDR;
    iip_tcp_decode_rest(arr);
    lis = iip_tcp_listener_for(stk, &t);
    return lis ? iip_tcp_listen_input(stk, lis, arr) : iip_tcp_closed_input(stk, arr);
}

/* A tuple that another stack owns: that stack gets the packet as it came. */
static int iip_tcp_foreign(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_arrival *arr)
{
    iip_u32 owner;
    if (stk->share.stacks <= 1 || arr->rx->looped || !arr->rx->l3_len)
        return 0;
    owner = iip_share_owner(stk, &arr->rx->dst, &arr->rx->src, arr->seg.dst_port, arr->seg.src_port);
    if (owner == stk->share.self)
        return 0;
    pkt->data -= arr->rx->l3_len + stk->l2_len;
    pkt->len += arr->rx->l3_len + stk->l2_len;
    iip_share_hand_over(stk, pkt, owner);
    return 1;
}

IIP_LOCAL iip_verdict iip_tcp_arrives(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_tcp_arrival *arr)
{
    if (!id)
        return iip_tcp_no_conn_input(stk, arr);
    iip_tcp_decode_rest(arr);
    if (id->kind == IIP_ID_CONN)
        return iip_tcp_conn_steps(stk, iip_tcp_conn_of_id(id), arr);
    if (id->kind == IIP_ID_HALF)
        return iip_tcp_half_input(stk, iip_tcp_mini_of_id(id), arr);
    return iip_tcp_wait_input(stk, iip_tcp_mini_of_id(id), arr);
}

IIP_LOCAL iip_verdict iip_tcp_input(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_rx *rx)
{
    struct iip_tcp_arrival arr;
    struct iip_tcp_id *id;
    iip_verdict verdict = iip_tcp_decode(&arr, pkt, rx);

    iip_count(stk, IIP_CTR_TCP_SEGS_IN);
    if (IIP_UNLIKELY(verdict != IIP_NEXT_STEP))
        return verdict;
    id = iip_tcp_lookup(stk, rx, iip_tcp_ports(arr.seg.dst_port, arr.seg.src_port));
    if (IIP_LIKELY(id && id->kind == IIP_ID_CONN)) {
        verdict = iip_tcp_predict(stk, iip_tcp_conn_of_id(id), &arr.seg, pkt);
        if (IIP_LIKELY(verdict != IIP_NEXT_STEP))
            return verdict;
    }
    if (!id && iip_tcp_foreign(stk, pkt, &arr))
        return IIP_KEPT;
    return iip_tcp_arrives(stk, id, &arr);
}

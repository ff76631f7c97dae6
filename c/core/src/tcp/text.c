/*
 * text.c - the seventh step: text that is next in order goes to the application, text behind a hole waits for it.
 * What arrived first stays: bytes that are here already are never replaced.
 */
#include "tcp/text.h"

#include "tcp/tcp.h"

IIP_LOCAL void iip_tcp_deliver(struct iip_tcp_conn *conn, struct iip_pkt *pkt)
{
    struct iip_pkt *next;
    for (; pkt; pkt = next) { /* a chain becomes a run of packets */
        next = pkt->next;
        pkt->next = 0;
        iip_tcp_deliver_one(conn, pkt);
    }
    if (IIP_UNLIKELY((conn->flags & IIP_F_URG_RECV) && !iip_seq_lt(conn->rcv.nxt, conn->extra->rcv_up)))
        conn->flags &= ~(iip_u32)IIP_F_URG_RECV;
}

/* [RFC 2018 4] the range that holds the latest segment is reported first. */
static void iip_tcp_recent(struct iip_tcp_repair *repair, iip_u32 left, iip_u32 right)
{
    struct iip_sack_block *r = repair->recent;
    iip_u32 i;
    for (i = 0; i < IIP_SACK_MAX - 1 && !(iip_seq_leq(left, r[i].left) && iip_seq_leq(r[i].right, right)); i++)
        ;
    for (; i > 0; i--)
        r[i] = r[i - 1];
    r[0].left = left;
    r[0].right = right;
}

IIP_LOCAL void iip_tcp_dsack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right)
{
    struct iip_tcp_repair *repair;
    if (!(conn->id.options & IIP_HAS_SACK_OK) || !iip_seq_lt(left, right))
        return;
    repair = iip_tcp_repair(stk, conn);
    if (!repair)
        return;
    repair->has_dsack = 1;
    repair->dsack.left = left;
    repair->dsack.right = right;
}

/* Reports ranges as they are now: those whose latest segment came last stand first, each once. */
IIP_LOCAL iip_u32 iip_tcp_sack_blocks(const struct iip_tcp_conn *conn, struct iip_sack_block *out, iip_u32 cap)
{
    const struct iip_tcp_repair *repair = conn->repair;
    const struct iip_range *r;
    iip_u32 n = 0;
    iip_u32 i;
    iip_u32 k;
    iip_u32 first;
    if (repair->has_dsack)
        out[n++] = repair->dsack;
    first = n;
    for (i = 0; i < IIP_SACK_MAX && n < cap && repair->ooo.n; i++) {
        k = iip_ranges_find(&repair->ooo, repair->recent[i].left);
        r = &repair->ooo.r[k];
        if (k == repair->ooo.n || !iip_seq_leq(r->left, repair->recent[i].left))
            continue;
        for (k = first; k < n && out[k].left != r->left; k++)
            ;
        if (k < n)
            continue;
        out[n].left = r->left;
        out[n++].right = r->right;
    }
    return n;
}

/* The first range has become next in order. */
static void iip_tcp_fill(struct iip_tcp_conn *conn)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    struct iip_pkt *pkt = ooo->r[0].head;
    struct iip_pkt *next;
    for (; pkt; pkt = next) {
        next = pkt->link;
        conn->rcv.held -= iip_pkt_charge(pkt); /* deliver counts it again */
        iip_tcp_deliver(conn, pkt);
    }
    iip_ranges_remove(ooo, 0);
}

/* The part of [*left, *right) that lies in the first hole it touches; 0: it is all here. */
static int iip_tcp_hole_of(const struct iip_ranges *ooo, iip_u32 *left, iip_u32 *right)
{
    iip_u32 i = iip_ranges_find(ooo, *left);
    if (i < ooo->n && iip_seq_leq(ooo->r[i].left, *left)) {
        *left = ooo->r[i].right;
        i++;
    }
    if (i < ooo->n)
        *right = iip_seq_min(*right, ooo->r[i].left);
    return iip_seq_lt(*left, *right);
}

/* The views of a chain become packets of their own. */
static void iip_tcp_unchain(struct iip_pkt *pkt)
{
    for (; pkt; pkt = pkt->link) {
        pkt->link = pkt->next;
        pkt->next = 0;
    }
}

/* One piece that fills a hole, or a part of one. Takes pkt. */
static void iip_tcp_hold(struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 left, iip_u32 right)
{
    struct iip_tcp_repair *repair = conn->repair;
    iip_u32 k;
    conn->rcv.held += iip_pkt_charge(pkt);
    iip_tcp_unchain(pkt);
    k = iip_ranges_add(&repair->ooo, left, right, pkt);
    iip_tcp_recent(repair, repair->ooo.r[k].left, repair->ooo.r[k].right);
}

/* [left, right) of a packet that begins with the number `seq`; the packet stays. */
static struct iip_pkt *iip_tcp_piece(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 seq, iip_u32 left,
                                     iip_u32 right)
{
    for (; pkt->next && iip_seq_leq(seq + pkt->len, left); pkt = pkt->next)
        seq += pkt->len;
    return iip_pkt_view(stk, pkt, pkt->data + (left - seq), iip_seq_min(right, seq + pkt->len) - left);
}

/* Views of all that is new of a segment's text. 0 when there was no room or memory for some of it. */
static int iip_tcp_hold_pieces(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_arrival *arr,
                               iip_u32 right)
{
    struct iip_pkt *piece;
    iip_u32 seq = arr->seg.seq;
    iip_u32 at = seq;
    iip_u32 left = seq;
    iip_u32 end = right;
    for (; iip_tcp_hole_of(&conn->repair->ooo, &left, &end); at = left = left + piece->len, end = right) {
        if (at == seq && left != seq)
            iip_tcp_dsack(stk, conn, seq, left);
        piece = iip_tcp_piece(stk, arr->pkt, seq - arr->skip, left, end);
        if (!piece)
            return 0;
        if (!iip_tcp_ranges_reserve(stk, &conn->repair->ooo, left, left + piece->len)) {
            iip_pkt_free(stk, piece);
            return 0;
        }
        iip_tcp_hold(conn, piece, left, left + piece->len);
    }
    iip_tcp_dsack(stk, conn, at, right);
    return 1;
}

/*
 * Text behind a hole: it is kept in the ranges, charged to the receive buffer, and acknowledged at once, each segment
 * by an ACK of its own [RFC 5681 4.2].
 */
static iip_verdict iip_tcp_text_ahead(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr,
                                      iip_u32 right)
{
    struct iip_tcp_repair *repair = iip_tcp_repair(stk, conn);
    if (conn->flags & IIP_F_ACK_NOW)
        iip_tcp_segment(stk, conn, conn->snd.nxt, 0, 0);
    conn->flags |= IIP_F_ACK_NOW | IIP_F_DISORDER;
    iip_tcp_touch(stk, conn);
    if (!repair || conn->rcv.held + iip_pkt_charge(arr->pkt) > 2 * (iip_u64)conn->rcvbuf)
        return IIP_CTR_DROP_TCP_MEMORY;
    if (!iip_tcp_hold_pieces(stk, conn, arr, right))
        return IIP_CTR_DROP_TCP_MEMORY;
    return IIP_NEXT_STEP;
}

/*
 * Text next in order while other text waits behind a hole. What reaches the first range joins it, without the bytes
 * that are here already; then the range is next in order. A gap that is filled, or partly, is told at once.
 */
static iip_verdict iip_tcp_text_joins(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr,
                                      iip_u32 right)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
    if (!iip_tcp_hold_pieces(stk, conn, arr, right) && ooo->r[0].left != conn->rcv.nxt)
        return IIP_CTR_DROP_TCP_MEMORY;
    iip_tcp_fill(conn);
    return IIP_NEXT_STEP;
}

/* Text that waits must not keep out the text that it waits for: the farthest is given up, and will come again [RFC 2018 8]. */
static void iip_tcp_prune(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 limit)
{
    struct iip_ranges *ooo = &conn->repair->ooo;
    struct iip_pkt *pkt;
    struct iip_pkt *next;
    while (ooo->n && conn->rcv.held > limit) {
        for (pkt = ooo->r[ooo->n - 1].head; pkt; pkt = next) {
            next = pkt->link;
            conn->rcv.held -= iip_pkt_charge(pkt);
            iip_pkt_drop(stk, pkt);
        }
        ooo->n--;
    }
}

/*
 * The host is short of memory. 1: this text is refused; an ACK says where we are, and the peer sends it again. What
 * waits behind a hole goes, too, when the hole cannot be filled: it may be all that the host is short of.
 */
static int iip_tcp_text_refused(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg)
{
    if (stk->pressure == IIP_PRESSURE_WAITING && seg->seq == conn->rcv.nxt)
        return 0;
    if (stk->pressure == IIP_PRESSURE_ALL && conn->repair)
        iip_tcp_prune(stk, conn, 0);
    conn->flags |= IIP_F_ACK_NOW;
    iip_tcp_touch(stk, conn);
    return 1;
}

IIP_LOCAL iip_verdict iip_tcp_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr)
{
    const struct iip_tcp_seg *seg = &arr->seg;
    iip_u32 right = seg->seq + seg->len - (seg->flags & IIP_TCP_FIN ? 1 : 0);
    iip_verdict verdict = IIP_NEXT_STEP;

    if (IIP_UNLIKELY(stk->pressure) && iip_tcp_text_refused(stk, conn, seg))
        return IIP_CTR_DROP_PRESSURE;
    if (seg->seq != conn->rcv.nxt)
        return iip_tcp_text_ahead(stk, conn, arr, right);
    if (conn->rcv.held > 2 * (iip_u64)conn->rcvbuf && conn->repair)
        iip_tcp_prune(stk, conn, conn->rcvbuf);
    if (conn->rcv.held > 2 * (iip_u64)conn->rcvbuf) {
        conn->flags |= IIP_F_ACK_NOW;
        iip_tcp_touch(stk, conn);
        return IIP_CTR_DROP_TCP_MEMORY;
    }
    if (conn->repair && conn->repair->ooo.n) {
        verdict = iip_tcp_text_joins(stk, conn, arr, right);
    } else {
        iip_tcp_deliver(conn, iip_pkt_skip(stk, arr->pkt, arr->skip));
        arr->pkt = 0;
    }
    iip_tcp_notify(stk, conn, 0);
    iip_tcp_ack_for_text(stk, conn);
    return verdict;
}

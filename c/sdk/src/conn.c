/* conn.c - connections: their slots, the window that buffers hold, their options, and one thing at a time. */
#include <stdlib.h>
#include <string.h>

#include "sdk.h"

struct iip_obj *iip_conn_take(struct iip_loop *loop, struct iip_tcp_conn *core, uint64_t user)
{
    struct iip_obj *obj = (struct iip_obj *)iip_slots_take(&loop->conns);
    if (!obj)
        return NULL;
    obj->slot.next = 0;
    obj->core = core;
    obj->user = user;
    return obj;
}

void iip_conn_put(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t account = obj->slot.next;
    if (account) {
        loop->credits[account].charge = loop->credit_free;
        loop->credit_free = account;
    }
    if (obj->slot.index & IIP_CONN_SHORT)
        iip_op_end(loop);
    if (obj->slot.index & IIP_CONN_WANTS)
        iip_want_end(loop, obj);
    obj->core = NULL;
    iip_slots_put(&loop->conns, &obj->slot);
}

/* ---- the window ---- */

static struct iip_credit *iip_conn_account(struct iip_loop *loop, const struct iip_obj *obj)
{
    return obj->slot.next ? &loop->credits[obj->slot.next] : NULL;
}

void iip_conn_held(struct iip_loop *loop, struct iip_obj *obj, struct iip_buf *buf, uint32_t charge)
{
    struct iip_credit *account = iip_conn_account(loop, obj);
    if (account) {
        account->bytes += buf->pkt->len;
        account->charge += charge;
        return;
    }
    buf->conn = obj;
    buf->generation = iip_slot_generation(&obj->slot);
    buf->charge = charge;
}

/* The application counts bytes, the window counts memory: a share of the one is the same share of the other. */
int32_t iip_conn_credit_explicit(struct iip_loop *loop, struct iip_obj *obj, uint32_t bytes)
{
    struct iip_credit *account = iip_conn_account(loop, obj);
    uint32_t charge;
    if (!account)
        return IIP_E_INVAL;
    if (bytes > account->bytes)
        return IIP_E_RANGE;
    if (!bytes)
        return IIP_OK;
    charge = (uint32_t)((uint64_t)account->charge * bytes / account->bytes);
    account->bytes -= bytes;
    account->charge -= charge;
    if (obj->core)
        iip_tcp_credit(loop->stk, obj->core, charge);
    return IIP_OK;
}

static int32_t iip_conn_account_grow(struct iip_loop *loop)
{
    uint32_t cap = loop->credit_cap ? 2 * loop->credit_cap : 64;
    struct iip_credit *more = realloc(loop->credits, cap * sizeof *more);
    if (!more)
        return IIP_E_NOMEM;
    loop->credits = more;
    loop->credit_cap = cap;
    if (!loop->credit_n)
        loop->credit_n = 1; /* 0 means none */
    return IIP_OK;
}

/* Buffers that are out when explicit credit is switched on still open the window when they come back. */
static int32_t iip_conn_account_open(struct iip_loop *loop, struct iip_obj *obj)
{
    uint32_t account = loop->credit_free;
    if (obj->slot.next)
        return IIP_OK;
    if (account) {
        loop->credit_free = loop->credits[account].charge;
    } else {
        if (loop->credit_n == loop->credit_cap && iip_conn_account_grow(loop))
            return IIP_E_NOMEM;
        account = loop->credit_n++;
    }
    loop->credits[account] = (struct iip_credit){0, 0};
    obj->slot.next = account;
    return IIP_OK;
}

int32_t iip_conn_option(struct iip_loop *loop, struct iip_obj *obj, uint32_t option, uint64_t value)
{
    if (option != IIP_OPT_EXPLICIT_CREDIT)
        return obj->core ? iip_tcp_set(loop->stk, obj->core, option, value) : IIP_E_CLOSED;
    if (value != 1)
        return IIP_E_RANGE;
    return iip_conn_account_open(loop, obj);
}

/* The core numbers its options in the same way. */
_Static_assert((int)IIP_OPT_NODELAY == (int)IIP_TCP_NODELAY && (int)IIP_OPT_CORK == (int)IIP_TCP_CORK &&
                   (int)IIP_OPT_KEEPALIVE == (int)IIP_TCP_KEEPALIVE &&
                   (int)IIP_OPT_KEEPIDLE_US == (int)IIP_TCP_KEEPIDLE_US &&
                   (int)IIP_OPT_KEEPINTVL_US == (int)IIP_TCP_KEEPINTVL_US &&
                   (int)IIP_OPT_KEEPCNT == (int)IIP_TCP_KEEPCNT &&
                   (int)IIP_OPT_USER_TIMEOUT_US == (int)IIP_TCP_USER_TIMEOUT_US,
               "connection options");
_Static_assert((int)IIP_OPT_DSCP == (int)IIP_TCP_DSCP && (int)IIP_OPT_TTL == (int)IIP_TCP_TTL &&
                   (int)IIP_OPT_SNDBUF == (int)IIP_TCP_SNDBUF && (int)IIP_OPT_RCVBUF == (int)IIP_TCP_RCVBUF &&
                   (int)IIP_OPT_QUICKACK == (int)IIP_TCP_QUICKACK && (int)IIP_OPT_CC == (int)IIP_TCP_CC &&
                   (int)IIP_OPT_SYN_RETRIES == (int)IIP_TCP_SYN_RETRIES,
               "connection options");
_Static_assert((int)IIP_CONN_TIME_WAIT == (int)IIP_TCP_TIME_WAIT && (int)IIP_CONN_SYN_SENT == (int)IIP_TCP_SYN_SENT,
               "connection states");

/* ---- public ---- */

static int32_t iip_conn_own(uint64_t conn, struct iip_loop **loop, struct iip_obj **obj)
{
    int32_t st = iip_loop_own(conn, loop);
    if (st)
        return st;
    *obj = (struct iip_obj *)iip_slot_find(&(*loop)->conns, conn);
    return *obj ? IIP_OK : IIP_E_STALE;
}

int32_t iip_conn_get(uint64_t conn, uint32_t option, uint64_t *value)
{
    struct iip_loop *loop;
    struct iip_obj *obj;
    iip_u64 got = 0;
    int32_t st = iip_conn_own(conn, &loop, &obj);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_GET, .handle = conn, .n = option, .to = value});
    if (!value)
        return IIP_E_INVAL;
    if (option == IIP_OPT_EXPLICIT_CREDIT)
        got = obj->slot.next != 0;
    else if (!obj->core)
        st = IIP_E_CLOSED;
    else
        st = iip_tcp_get(loop->stk, obj->core, option, &got);
    if (!st)
        *value = got;
    return st;
}

static void iip_conn_fill(struct iip_conn_info *out, const struct iip_tcp_info *in)
{
    out->state = in->state;
    iip_addr_from(&out->local, &in->local);
    iip_addr_from(&out->peer, &in->peer);
    out->options = in->options;
    out->mss = in->mss;
    out->srtt_us = in->srtt_us;
    out->rttvar_us = in->rttvar_us;
    out->rto_us = in->rto_us;
    out->min_rtt_us = in->min_rtt_us;
    out->cwnd = in->cwnd;
    out->ssthresh = in->ssthresh;
    out->snd_wnd = in->snd_wnd;
    out->rcv_wnd = in->rcv_wnd;
    out->unacked = in->unacked;
    out->unsent = in->unsent;
    out->unread = in->unread;
    out->uncredited = in->uncredited;
    out->out_of_order = in->out_of_order;
    out->retransmits = in->retransmits;
    out->rto_count = in->rto_count;
    out->dup_acks = in->dup_acks;
    out->bytes_in = in->bytes_in;
    out->bytes_out = in->bytes_out;
}

int32_t iip_conn_info_get(uint64_t conn, struct iip_conn_info *out)
{
    struct iip_tcp_info core = {.size = sizeof core};
    struct iip_conn_info info = {.size = sizeof info, .conn = conn};
    struct iip_loop *loop;
    struct iip_obj *obj;
    int32_t st = iip_conn_own(conn, &loop, &obj);
    if (st)
        return iip_ask(loop, st, &(struct iip_ask){.code = IIP_ASK_INFO, .handle = conn, .to = out});
    if (!out)
        return IIP_E_INVAL;
    st = obj->core ? iip_tcp_info(loop->stk, obj->core, &core) : 0;
    if (st < 0)
        return st;
    info.user = obj->user;
    iip_conn_fill(&info, &core);
    return iip_size_out(out, &info, sizeof info);
}

/* Reads nothing but the words of the slots, so any thread may. */
int32_t iip_loop_conns(struct iip_loop *loop, uint64_t after, uint64_t *out, uint32_t cap)
{
    int32_t st = iip_loop_check_any(loop);
    uint32_t count, i;
    uint32_t n = 0;
    if (st)
        return st;
    if (!out && cap)
        return IIP_E_INVAL;
    if (after && (after ^ loop->conns.base) >> IIP_HANDLE_LOOP_SHIFT)
        return IIP_E_STALE;
    count = atomic_load_explicit(&loop->conns.count, memory_order_acquire);
    for (i = after ? ((uint32_t)after & IIP_SLOT_MASK) + 1 : 0; i < count && n < cap && n < INT32_MAX; i++) {
        const struct iip_slot *slot = iip_slot_at(&loop->conns, i);
        uint64_t word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        if (iip_slot_refs(word))
            out[n++] = loop->conns.base | (word & IIP_SLOT_NAME);
    }
    return (int32_t)n;
}

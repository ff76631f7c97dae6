/*
 * cookie.c - SYN cookies [RFC 4987 3.6]: the ISN of a SYN-ACK that keeps no state: 24 bits of a keyed hash over the
 * tuple, the peer's ISN and a count of 64-second periods, 5 bits of the count, 3 bits of the MSS. Window scale, SACK
 * and timestamps are not offered then.
 *
 * A cookie is good for one connection: the latest IIP_COOKIES_USED that opened one are known by all 64 bits of their
 * hash, so that a duplicate of the segment that brought one back does not open a second when the first has ended.
 * Which set a cookie falls into is the key's secret: to push one out takes as many handshakes as there is room.
 */
#include "tcp/tcp.h"

static const iip_u16 iip_tcp_cookie_mss[8] = {216, 536, 960, 1220, 1360, 1440, 1460, 8960};

enum { IIP_COOKIE_WAYS = 4, IIP_COOKIES_USED = 1024, IIP_COOKIES_SIZE = IIP_COOKIES_USED * sizeof(iip_u64) };

static iip_u64 iip_tcp_cookie_hash(const struct iip_stack *stk, const struct iip_tcp_tuple *t, iip_u32 irs,
                                   iip_u32 period, iip_u32 mss)
{
    iip_u8 b[48];
    IIP_COPY(b, t->local.b, 16);
    IIP_COPY(b + 16, t->remote.b, 16);
    iip_put16(b + 32, t->local_port);
    iip_put16(b + 34, t->remote_port);
    iip_put32(b + 36, irs);
    iip_put32(b + 40, period);
    iip_put32(b + 44, 0xc0000000U + mss);
    return iip_siphash(stk->key, b, sizeof(b));
}

static iip_u32 iip_tcp_cookie_period(const struct iip_stack *stk)
{
    return (iip_u32)(stk->now >> 26);
}

IIP_LOCAL iip_u32 iip_tcp_cookie_make(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                      const struct iip_tcp_seg *syn)
{
    iip_u32 period = iip_tcp_cookie_period(stk);
    iip_u32 mss = syn->has & IIP_HAS_MSS ? syn->mss : 536;
    iip_u32 i = IIP_COUNT(iip_tcp_cookie_mss) - 1;
    while (i && iip_tcp_cookie_mss[i] > mss)
        i--;
    return (iip_u32)iip_tcp_cookie_hash(stk, t, syn->seq, period, i) << 8 | (period & 31) << 3 | i;
}

/* The set that `hash` falls into, the latest first. */
static iip_u64 *iip_tcp_cookie_set(const struct iip_stack *stk, iip_u64 hash)
{
    return stk->tcp->cookies + (iip_u32)(hash >> 24) % (IIP_COOKIES_USED / IIP_COOKIE_WAYS) * IIP_COOKIE_WAYS;
}

static int iip_tcp_cookie_is_used(const struct iip_stack *stk, iip_u64 hash)
{
    const iip_u64 *set = stk->tcp->cookies ? iip_tcp_cookie_set(stk, hash) : 0;
    iip_u32 i;
    for (i = 0; set && i < IIP_COOKIE_WAYS; i++) {
        if (set[i] == hash)
            return 1;
    }
    return 0;
}

IIP_LOCAL int iip_tcp_cookie_check(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *seg,
                                   struct iip_tcp_seg *syn, iip_u64 *hash)
{
    iip_u32 cookie = seg->ack - 1;
    iip_u32 period = iip_tcp_cookie_period(stk);
    iip_u32 age = (period - (cookie >> 3)) & 31;
    if (!stk->ctr[IIP_CTR_TCP_COOKIES_SENT] || age > 1 || (seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)))
        return 0;
    *hash = iip_tcp_cookie_hash(stk, t, seg->seq - 1, period - age, cookie & 7);
    if (((iip_u32)*hash & 0xffffff) != cookie >> 8 || iip_tcp_cookie_is_used(stk, *hash))
        return 0;
    iip_count(stk, IIP_CTR_TCP_COOKIES_GOOD);
    syn->seq = seg->seq - 1;
    syn->has = IIP_HAS_MSS;
    syn->mss = iip_tcp_cookie_mss[cookie & 7];
    syn->wscale = 0;
    syn->ts_val = 0;
    return 1;
}

IIP_LOCAL int iip_tcp_cookies_ready(struct iip_stack *stk)
{
    if (!stk->tcp->cookies)
        stk->tcp->cookies = (iip_u64 *)iip_mem_zalloc(stk, IIP_COOKIES_SIZE);
    return stk->tcp->cookies != 0;
}

IIP_LOCAL void iip_tcp_cookie_used(struct iip_stack *stk, iip_u64 hash)
{
    iip_u64 *set = iip_tcp_cookie_set(stk, hash);
    iip_u32 i;
    for (i = IIP_COOKIE_WAYS - 1; i; i--)
        set[i] = set[i - 1];
    set[0] = hash;
}

IIP_LOCAL void iip_tcp_cookies_free(struct iip_stack *stk)
{
    iip_mem_free(stk, stk->tcp->cookies, IIP_COOKIES_SIZE);
}

/*
 * cookie.c - SYN cookies [RFC 4987 3.6]: the ISN of a SYN-ACK that keeps no state: 24 bits of a keyed hash over the
 * tuple, the peer's ISN and a count of 64-second periods, 5 bits of the count, 3 bits of the MSS. Window scale, SACK
 * and timestamps are not offered then.
 */
#include "tcp/tcp.h"

static const iip_u16 iip_tcp_cookie_mss[8] = {216, 536, 960, 1220, 1360, 1440, 1460, 8960};

static iip_u32 iip_tcp_cookie_hash(const struct iip_stack *stk, const struct iip_tcp_tuple *t, iip_u32 irs,
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
    return (iip_u32)iip_siphash(stk->key, b, sizeof(b)) & 0xffffff;
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
    return iip_tcp_cookie_hash(stk, t, syn->seq, period, i) << 8 | (period & 31) << 3 | i;
}

IIP_LOCAL int iip_tcp_cookie_check(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *seg,
                                   struct iip_tcp_seg *syn)
{
    iip_u32 cookie = seg->ack - 1;
    iip_u32 period = iip_tcp_cookie_period(stk);
    iip_u32 age = (period - (cookie >> 3)) & 31;
    if (!stk->ctr[IIP_CTR_TCP_COOKIES_SENT] || age > 1 || (seg->flags & (IIP_TCP_SYN | IIP_TCP_FIN)))
        return 0;
    if (iip_tcp_cookie_hash(stk, t, seg->seq - 1, period - age, cookie & 7) != cookie >> 8)
        return 0;
    iip_count(stk, IIP_CTR_TCP_COOKIES_GOOD);
    syn->seq = seg->seq - 1;
    syn->has = IIP_HAS_MSS;
    syn->mss = iip_tcp_cookie_mss[cookie & 7];
    syn->wscale = 0;
    syn->ts_val = 0;
    return 1;
}

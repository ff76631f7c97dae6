/* dad.c - is an address free, and who else claims it [RFC 5227; RFC 4862 5.4]. */
#include "net/state.h"

enum {
    IIP_DAD_PROBES4 = 3,            /* RFC 5227 1.1: PROBE_NUM */
    IIP_DAD_PROBES6 = 1,            /* RFC 4862 5.1: DupAddrDetectTransmits */
    IIP_DAD_ANNOUNCEMENTS = 2,      /* ANNOUNCE_NUM */
    IIP_DAD_SECOND_US = 1000000,    /* PROBE_WAIT, PROBE_MIN, PROBE_MAX - PROBE_MIN, RetransTimer */
    IIP_DAD_WAIT_US = 2000000,      /* ANNOUNCE_WAIT, ANNOUNCE_INTERVAL */
    IIP_DAD_DEFEND_US = 10000000    /* DEFEND_INTERVAL */
};

static void iip_dad_arm(struct iip_stack *stk, struct iip_addr *addr, iip_u64 in_us)
{
    iip_wheel_set(&stk->wheel, &addr->timer, stk->now + in_us);
}

static iip_u64 iip_dad_jitter(struct iip_stack *stk)
{
    return (iip_u32)iip_rand(&stk->rng) % IIP_DAD_SECOND_US;
}

static void iip_dad_announce(struct iip_stack *stk, struct iip_addr *addr)
{
    addr->announced++;
    if (addr->family == 4)
        iip_arp_announce(stk, &addr->own.ip);
    else
        iip_ndp_announce(stk, &addr->own.ip);
}

/* Without probing one announcement is enough: it mends what neighbours remember. IPv6 neighbours find out by themselves [RFC 4861 7.2.6]. */
IIP_LOCAL void iip_dad_start(struct iip_stack *stk, struct iip_addr *addr)
{
    if (!stk->tune.dad) {
        if (addr->family == 4)
            iip_dad_announce(stk, addr);
        return;
    }
    addr->state = IIP_ADDR_TENTATIVE;
    iip_addr_changed(stk);
    iip_dad_arm(stk, addr, iip_dad_jitter(stk));
}

static void iip_dad_probe(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 probes = addr->family == 4 ? IIP_DAD_PROBES4 : IIP_DAD_PROBES6;
    addr->probes++;
    if (addr->family == 4)
        iip_arp_probe(stk, &addr->own.ip);
    else
        iip_ndp_probe(stk, &addr->own.ip);
    if (addr->probes < probes)
        iip_dad_arm(stk, addr, IIP_DAD_SECOND_US + iip_dad_jitter(stk));
    else
        iip_dad_arm(stk, addr, addr->family == 4 ? IIP_DAD_WAIT_US : IIP_DAD_SECOND_US);
}

IIP_LOCAL void iip_dad_timer(struct iip_stack *stk, struct iip_addr *addr)
{
    iip_u32 probes = addr->family == 4 ? IIP_DAD_PROBES4 : IIP_DAD_PROBES6;
    if (addr->state == IIP_ADDR_TENTATIVE && addr->probes < probes) {
        iip_dad_probe(stk, addr);
        return;
    }
    if (addr->state == IIP_ADDR_TENTATIVE) {
        addr->state = IIP_ADDR_OURS;
        iip_addr_changed(stk);
    }
    if (addr->family == 6)
        return;
    iip_dad_announce(stk, addr);
    if (addr->announced < IIP_DAD_ANNOUNCEMENTS)
        iip_dad_arm(stk, addr, IIP_DAD_WAIT_US);
}

/*
 * [RFC 5227 2.4 (c)] An address in use is kept and defended, once in ten seconds, by the stack that heard it; one not
 * yet in use is given up by all that share it.
 */
IIP_LOCAL void iip_dad_conflict(struct iip_stack *stk, struct iip_addr *addr, const struct iip_pkt *pkt,
                                const iip_u8 *l3)
{
    if (iip_rx_is_told(pkt) && addr->state != IIP_ADDR_TENTATIVE)
        return;
    iip_count(stk, IIP_CTR_ADDR_CONFLICT);
    if (addr->state == IIP_ADDR_TENTATIVE) {
        iip_tell_others(stk, pkt, l3, &addr->own.ip);
        addr->state = IIP_ADDR_DUPLICATE;
        iip_wheel_cancel(&stk->wheel, &addr->timer);
        iip_addr_changed(stk);
        return;
    }
    if (addr->state != IIP_ADDR_OURS || (addr->defended_at && stk->now - addr->defended_at < IIP_DAD_DEFEND_US))
        return;
    addr->defended_at = stk->now ? stk->now : 1;
    iip_dad_announce(stk, addr);
}

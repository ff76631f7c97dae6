/* arp.c - ARP messages in and out [RFC 826, RFC 5227]. */
#include "net/state.h"
#include "wire/arp.h"

static const iip_u8 iip_mac_all[6] = {255, 255, 255, 255, 255, 255};

/* ---- out ---- */

static void iip_arp_send(struct iip_stack *stk, const struct iip_arp *arp, const iip_u8 *mac)
{
    struct iip_pkt *pkt = iip_tx_full(stk) ? 0 : iip_pkt_alloc(stk, IIP_ARP_LEN);
    if (!pkt) {
        iip_count(stk, IIP_CTR_TX_DROPPED);
        return;
    }
    iip_arp_emit(pkt->data, arp);
    pkt->len = IIP_ARP_LEN;
    pkt->total = IIP_ARP_LEN;
    iip_count(stk, IIP_CTR_ARP_SENT);
    iip_eth_output(stk, pkt, mac ? mac : iip_mac_all, IIP_ETH_ARP);
}

static void iip_arp_ask(struct iip_stack *stk, iip_u32 sender, iip_u32 target, const iip_u8 *mac)
{
    struct iip_arp arp;
    arp.op = IIP_ARP_REQUEST;
    IIP_COPY(arp.sender_mac, stk->mac, 6);
    arp.sender_ip = sender;
    IIP_ZERO(arp.target_mac, 6);
    arp.target_ip = target;
    iip_arp_send(stk, &arp, mac);
}

IIP_LOCAL void iip_arp_request(struct iip_stack *stk, const struct iip_ip *target, const iip_u8 *mac)
{
    const struct iip_addr *addr = iip_addr_select(stk, target, target);
    if (addr)
        iip_arp_ask(stk, iip_ip_to_v4(&addr->own.ip), iip_ip_to_v4(target), mac);
}

IIP_LOCAL void iip_arp_announce(struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_arp_ask(stk, iip_ip_to_v4(ip), iip_ip_to_v4(ip), 0);
}

IIP_LOCAL void iip_arp_probe(struct iip_stack *stk, const struct iip_ip *ip)
{
    iip_arp_ask(stk, 0, iip_ip_to_v4(ip), 0);
}

static void iip_arp_reply(struct iip_stack *stk, const struct iip_arp *request)
{
    struct iip_arp arp;
    arp.op = IIP_ARP_REPLY;
    IIP_COPY(arp.sender_mac, stk->mac, 6);
    arp.sender_ip = request->target_ip;
    IIP_COPY(arp.target_mac, request->sender_mac, 6);
    arp.target_ip = request->sender_ip;
    iip_arp_send(stk, &arp, request->sender_mac);
}

/* ---- in ---- */

/* Someone else says that it has an address of ours, or probes for one that we probe for [RFC 5227 2.1.1, 2.4]. */
static struct iip_addr *iip_arp_claimed(const struct iip_stack *stk, const struct iip_ip *sender,
                                        const struct iip_ip *target)
{
    struct iip_addr *addr = iip_addr_find(stk, sender);
    if (addr || !iip_ip_unset(sender))
        return addr;
    addr = iip_addr_find(stk, target);
    return addr && addr->state == IIP_ADDR_TENTATIVE ? addr : 0;
}

static iip_verdict iip_arp_learn(struct iip_stack *stk, const struct iip_pkt *pkt, const struct iip_arp *arp,
                                 const struct iip_ip *sender, int for_us)
{
    int useful = 0;
    if (!iip_ip_unset(sender)) {
        if (!iip_addr_is_unicast(stk, sender))
            return IIP_CTR_DROP_ARP;
        useful = iip_neigh_heard_arp(stk, sender, arp->sender_mac, for_us && arp->op == IIP_ARP_REPLY,
                                     for_us && arp->op == IIP_ARP_REQUEST);
    }
    if (useful || (for_us && arp->op == IIP_ARP_REPLY)) /* another stack may have asked */
        iip_tell_others(stk, pkt, pkt->data, sender);
    if (for_us && arp->op == IIP_ARP_REQUEST && !iip_rx_is_told(pkt)) {
        iip_arp_reply(stk, arp);
        useful = 1;
    }
    return useful ? (iip_verdict)IIP_DONE : (iip_verdict)IIP_CTR_DROP_ARP;
}

IIP_LOCAL iip_verdict iip_arp_input(struct iip_stack *stk, struct iip_pkt *pkt)
{
    struct iip_addr *claimed;
    struct iip_arp arp;
    struct iip_ip sender;
    struct iip_ip target;
    if (iip_arp_parse(&arp, pkt->data, pkt->len) || iip_eth_is_group(arp.sender_mac))
        return IIP_CTR_DROP_ARP;
    if (IIP_SAME(arp.sender_mac, stk->mac, 6)) /* an echo of our own */
        return IIP_CTR_DROP_ARP;
    iip_ip_of_v4(&sender, arp.sender_ip);
    iip_ip_of_v4(&target, arp.target_ip);
    claimed = iip_arp_claimed(stk, &sender, &target);
    if (claimed) {
        if (!iip_neigh_is_echo(stk, pkt, pkt->data))
            iip_dad_conflict(stk, claimed, pkt, pkt->data);
        return IIP_DONE;
    }
    return iip_arp_learn(stk, pkt, &arp, &sender, iip_addr_is_ours(stk, &target));
}

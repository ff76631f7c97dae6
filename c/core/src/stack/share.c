/* share.c - which of several stacks with the same addresses owns a tuple. */
#include "stack/stack.h"

/* The Toeplitz hash of the RSS specification: a 32-bit window slides along the key, one bit of input at a time. */
static iip_u32 iip_toeplitz(const struct iip_share *share, const iip_u8 *p, iip_u32 len)
{
    iip_u32 window =
        (iip_u32)share->key[0] << 24 | (iip_u32)share->key[1] << 16 | (iip_u32)share->key[2] << 8 | share->key[3];
    iip_u32 hash = 0;
    iip_u32 i;
    int bit;
    for (i = 0; i < len; i++) {
        iip_u32 next = i + 4 < share->key_len ? share->key[i + 4] : 0;
        for (bit = 7; bit >= 0; bit--) {
            if (p[i] >> bit & 1)
                hash ^= window;
            window = window << 1 | (next >> bit & 1);
        }
    }
    return hash;
}

/* As the NIC sees a packet that comes in: source, destination, source port, destination port. */
static iip_u32 iip_share_toeplitz(const struct iip_share *share, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port)
{
    iip_u32 skip = iip_ip_is_v4(local) ? 12 : 0;
    iip_u32 len = 16 - skip;
    iip_u8 tuple[36];
    IIP_COPY(tuple, peer->b + skip, len);
    IIP_COPY(tuple + len, local->b + skip, len);
    iip_put16(tuple + 2 * len, peer_port);
    iip_put16(tuple + 2 * len + 2, local_port);
    return share->table[iip_toeplitz(share, tuple, 2 * len + 4) & (share->table_len - 1)] % share->stacks;
}

/* Without RSS: the same for both directions, and the same in every stack, so it stands on no secret. */
static iip_u32 iip_share_symmetric(const struct iip_share *share, const struct iip_ip *local, const struct iip_ip *peer,
                                   iip_u32 local_port, iip_u32 peer_port)
{
    iip_u64 sum = iip_raw64(local->b) + iip_raw64(peer->b);
    sum ^= iip_mix64(iip_raw64(local->b + 8) + iip_raw64(peer->b + 8));
    return (iip_u32)(iip_mix64(sum + local_port + peer_port) >> 32) % share->stacks;
}

IIP_LOCAL iip_u32 iip_share_owner(const struct iip_stack *stk, const struct iip_ip *local, const struct iip_ip *peer,
                                  iip_u32 local_port, iip_u32 peer_port)
{
    const struct iip_share *share = &stk->share;
    if (share->stacks <= 1)
        return share->self;
    if (share->key_len)
        return iip_share_toeplitz(share, local, peer, local_port, peer_port);
    return iip_share_symmetric(share, local, peer, local_port, peer_port);
}

IIP_LOCAL void iip_share_hand_over(struct iip_stack *stk, struct iip_pkt *pkt, iip_u32 owner)
{
    iip_count(stk, IIP_CTR_FOREIGN);
    pkt->aux = owner;
    iip_pktq_put(&stk->foreign, pkt);
    iip_ready_put(stk, &stk->foreign_ready);
}

/* lane.c - one direction of a simulated wire: what happens to a packet, and when it arrives. */
#include <stdlib.h>
#include <string.h>

#include "../wire.h"
#include "iip/status.h"
#include "sim.h"

enum { IIP_SIM_BILLION = 1000000000, IIP_SIM_LINK = 18 };

/* ---- dice: SplitMix64, one sequence for each question ---- */

static uint64_t iip_sim_roll(uint64_t *dice)
{
    uint64_t x = *dice += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

/* A number below n, for n up to 2^32. */
static uint64_t iip_sim_below(struct iip_sim_lane *lane, uint32_t which, uint64_t n)
{
    return (iip_sim_roll(&lane->dice[which]) >> 32) * n >> 32;
}

static int iip_sim_chance(struct iip_sim_lane *lane, uint32_t which, uint32_t ppb)
{
    return iip_sim_below(lane, which, IIP_SIM_BILLION) < ppb;
}

void iip_sim_lane_init(struct iip_sim_lane *lane, uint64_t seed, uint32_t side)
{
    for (uint32_t i = 0; i < IIP_SIM_DICE; i++) {
        lane->dice[i] = seed ^ (uint64_t)(side * IIP_SIM_DICE + i + 1) << 56;
        lane->dice[i] = iip_sim_roll(&lane->dice[i]);
    }
}

/* ---- packets under way: a binary heap by time of arrival, then by order of departure ---- */

static int iip_sim_before(const struct iip_sim_node *a, const struct iip_sim_node *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static int iip_sim_push(struct iip_sim_lane *lane, struct iip_sim_node *node)
{
    uint32_t i = lane->count;
    if (lane->count == lane->cap) {
        uint32_t cap = lane->cap ? lane->cap * 2 : 64;
        struct iip_sim_node **heap = realloc(lane->heap, cap * sizeof(*heap));
        if (!heap)
            return 0;
        lane->heap = heap;
        lane->cap = cap;
    }
    for (; i && iip_sim_before(node, lane->heap[(i - 1) / 2]); i = (i - 1) / 2)
        lane->heap[i] = lane->heap[(i - 1) / 2];
    lane->heap[i] = node;
    lane->count++;
    lane->account.in_flight++;
    lane->account.in_flight_bytes += node->len;
    return 1;
}

struct iip_sim_node *iip_sim_lane_first(const struct iip_sim_lane *lane)
{
    return lane->count ? lane->heap[0] : NULL;
}

void iip_sim_lane_pop(struct iip_sim_lane *lane)
{
    struct iip_sim_node *first = lane->heap[0], *last = lane->heap[--lane->count];
    uint32_t i = 0, child;
    while ((child = 2 * i + 1) < lane->count) {
        if (child + 1 < lane->count && iip_sim_before(lane->heap[child + 1], lane->heap[child]))
            child++;
        if (!iip_sim_before(lane->heap[child], last))
            break;
        lane->heap[i] = lane->heap[child];
        i = child;
    }
    lane->heap[i] = last;
    lane->account.in_flight--;
    lane->account.in_flight_bytes -= first->len;
    lane->account.delivered++;
    lane->account.delivered_bytes += first->len;
    free(first);
}

void iip_sim_lane_free(struct iip_sim_lane *lane)
{
    for (uint32_t i = 0; i < lane->count; i++)
        free(lane->heap[i]);
    free(lane->heap);
    lane->heap = NULL;
    lane->count = lane->cap = 0;
}

/* ---- what happens to a packet ---- */

static int iip_sim_lose(struct iip_sim_lane *lane, uint32_t len, uint64_t *kind)
{
    lane->account.lost++;
    lane->account.lost_bytes += len;
    ++*kind;
    return 0;
}

/* The bottleneck: when the last bit has passed it, or 0 when the packet finds its queue full. */
static uint64_t iip_sim_depart(struct iip_sim_lane *lane, uint32_t len, uint64_t now_ns)
{
    const struct iip_sim_opts *o = &lane->opts;
    uint64_t start = lane->busy_ns > now_ns ? lane->busy_ns : now_ns, takes, limit;
    if (!o->rate_bits)
        return now_ns;
    takes = (uint64_t)len * 8 * IIP_SIM_BILLION / o->rate_bits;
    limit = o->queue_bytes * 8 * IIP_SIM_BILLION / o->rate_bits; /* fits: a queue has at most 2^30 bytes */
    if (start != now_ns && start - now_ns + takes > limit)
        return 0;
    lane->busy_ns = start + takes;
    return lane->busy_ns;
}

/* Flips one bit; 0 when only the frame check of the link would notice it. */
static int iip_sim_corrupt(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, struct iip_sim_node *node)
{
    struct iip_wire w;
    uint32_t bit = (uint32_t)iip_sim_below(lane, IIP_SIM_CORRUPT, (uint64_t)node->len * 8), at = bit / 8;
    if (!node->len || !iip_wire_parse(&w, node->bytes, node->len, node->len, wire->l3) || at < w.l3 || at >= w.end)
        return 0;
    if (wire->csum)
        iip_wire_csum_fill(node->bytes, node->len, wire->l3);
    node->bytes[at] ^= (uint8_t)(1 << bit % 8);
    node->flags &= (uint16_t) ~(IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK);
    if (w.proto == 17 && !w.fragment && w.family == 4 && w.l4 + 8 <= w.end && !node->bytes[w.l4 + 6] &&
        !node->bytes[w.l4 + 7])
        return 0;
    lane->account.corrupted++;
    return 1;
}

/* When a packet that has passed the bottleneck arrives: in order, or held back so that others may overtake it. */
static uint64_t iip_sim_arrival(struct iip_sim_lane *lane, uint64_t depart_ns)
{
    const struct iip_sim_opts *o = &lane->opts;
    uint64_t at = (depart_ns + 999) / 1000 + o->delay_us;
    if (o->jitter_us)
        at += iip_sim_below(lane, IIP_SIM_JITTER, o->jitter_us + 1);
    if (at < lane->last_us)
        at = lane->last_us;
    if (iip_sim_chance(lane, IIP_SIM_REORDER, o->reorder_ppb)) {
        lane->account.reordered++;
        return at + 1 + iip_sim_below(lane, IIP_SIM_REORDER, o->gap_us);
    }
    return lane->last_us = at;
}

static struct iip_sim_node *iip_sim_node_new(const struct iip_sim_wire *wire, const struct iip_pkt *pkt, uint32_t len)
{
    struct iip_sim_node *node = malloc(sizeof(*node) + len);
    if (!node)
        return NULL;
    node->len = iip_wire_copy(node->bytes, len, pkt);
    node->flags = wire->csum ? IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK : 0;
    return node;
}

/* A copy of a packet that is under way; without memory there is none, and nothing was promised. */
static void iip_sim_duplicate(struct iip_sim_lane *lane, const struct iip_sim_node *node, uint64_t depart_ns)
{
    struct iip_sim_node *twin = malloc(sizeof(*twin) + node->len);
    if (!twin)
        return;
    memcpy(twin, node, sizeof(*twin) + node->len);
    twin->at_us = iip_sim_arrival(lane, depart_ns);
    twin->order = lane->order++;
    if (!iip_sim_push(lane, twin)) {
        free(twin);
        return;
    }
    lane->account.duplicated++;
    lane->account.duplicated_bytes += node->len;
}

uint32_t iip_sim_longest(const struct iip_sim_wire *wire)
{
    return wire->mtu + (wire->l3 ? 0 : IIP_SIM_LINK);
}

/* 1: under way; 0: lost, and the node is the caller's still. */
static int iip_sim_fate(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, struct iip_sim_node *node,
                        uint64_t now_us)
{
    struct iip_sim_account *acc = &lane->account;
    uint64_t depart;
    if (node->len > iip_sim_longest(wire))
        return iip_sim_lose(lane, node->len, &acc->lost_mtu);
    depart = iip_sim_depart(lane, node->len, now_us * 1000);
    if (!depart)
        return iip_sim_lose(lane, node->len, &acc->lost_queue);
    if (iip_sim_chance(lane, IIP_SIM_LOSS, lane->opts.loss_ppb))
        return iip_sim_lose(lane, node->len, &acc->lost_chance);
    if (iip_sim_chance(lane, IIP_SIM_CORRUPT, lane->opts.corrupt_ppb) && !iip_sim_corrupt(lane, wire, node))
        return iip_sim_lose(lane, node->len, &acc->lost_frame_check);
    node->at_us = iip_sim_arrival(lane, depart);
    node->order = lane->order++;
    if (!iip_sim_push(lane, node))
        return iip_sim_lose(lane, node->len, &acc->lost_queue);
    if (iip_sim_chance(lane, IIP_SIM_DUP, lane->opts.dup_ppb))
        iip_sim_duplicate(lane, node, depart);
    return 1;
}

int iip_sim_lane_send(struct iip_sim_lane *lane, const struct iip_sim_wire *wire, const struct iip_pkt *pkt,
                      uint64_t now_us)
{
    struct iip_sim_node *node;
    if (lane->count >= IIP_SIM_FLIGHT)
        return 0;
    node = iip_sim_node_new(wire, pkt, iip_wire_bytes(pkt));
    if (!node)
        return 0;
    lane->account.sent++;
    lane->account.sent_bytes += node->len;
    if (!iip_sim_fate(lane, wire, node, now_us))
        free(node);
    return 1;
}

int iip_sim_lane_inject(struct iip_sim_lane *lane, const void *bytes, uint32_t len, uint64_t now_us)
{
    struct iip_sim_node *node;
    if (lane->count >= IIP_SIM_FLIGHT)
        return IIP_E_AGAIN;
    node = malloc(sizeof(*node) + len);
    if (!node)
        return IIP_E_NOMEM;
    node->at_us = now_us;
    node->order = lane->order++;
    node->len = len;
    node->flags = 0;
    memcpy(node->bytes, bytes, len);
    if (!iip_sim_push(lane, node)) {
        free(node);
        return IIP_E_NOMEM;
    }
    lane->account.sent++;
    lane->account.sent_bytes += len;
    return IIP_OK;
}

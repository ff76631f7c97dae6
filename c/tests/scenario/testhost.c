#include "testhost.h"

#include <stdlib.h>
#include <string.h>

#include "segment.h"

uint64_t testhost_random(uint64_t *rng)
{
    uint64_t z = (*rng += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int unlucky(struct testhost *th, uint32_t ppm)
{
    return ppm && testhost_random(&th->rng) % 1000000 < ppm;
}

static struct iip_frame *frame_get(void *ctx, iip_u32 size)
{
    struct testhost *th = ctx;
    struct iip_frame *f;
    th->frame_calls++;
    if (th->frame_calls == th->frame_fail_at || unlucky(th, th->frame_fail_ppm))
        return NULL;
    size += th->frame_slack;
    f = malloc(sizeof(*f) + size);
    if (!f)
        return NULL;
    memset(f, 0, sizeof(*f));
    f->base = (uint8_t *)(f + 1);
    f->size = size;
    th->frames_live++;
    return f;
}

static void frame_put(void *ctx, struct iip_frame *f)
{
    struct testhost *th = ctx;
    if (f->views)
        th->error = "a frame with live views was given back";
    th->frames_live--;
    free(f);
}

static void *mem(void *ctx, void *old, iip_size size)
{
    struct testhost *th = ctx;
    if (old) {
        th->mem_live--;
        free(old);
        return NULL;
    }
    th->mem_calls++;
    if (th->mem_calls == th->mem_fail_at || unlucky(th, th->mem_fail_ppm))
        return NULL;
    th->mem_live++;
    return malloc(size ? size : 1);
}

static uint32_t flatten(const struct iip_pkt *pkt, uint8_t *out, uint32_t cap)
{
    uint32_t len = 0;
    for (; pkt; pkt = pkt->next) {
        if (pkt->len > cap - len)
            return 0;
        memcpy(out + len, pkt->data, pkt->len);
        len += pkt->len;
    }
    return len;
}

static uint32_t ring_sum_of(const struct iip_pkt *pkt)
{
    uint32_t sum = 0;
    for (; pkt; pkt = pkt->next)
        sum = sum * 31 + wire_sum(0, pkt->data, pkt->len) + pkt->len;
    return sum;
}

void testhost_ring_drain(struct testhost *th, uint32_t keep)
{
    uint32_t n = th->ring_count > keep ? th->ring_count - keep : 0;
    uint32_t i;
    for (i = 0; i < n; i++) {
        if (ring_sum_of(th->ring[i]) != th->ring_sum[i])
            th->error = "a packet was changed while it was in the transmit ring";
        iip_pkt_free(th->stk, th->ring[i]);
    }
    th->ring_count -= n;
    memmove(th->ring, th->ring + n, th->ring_count * sizeof(th->ring[0]));
    memmove(th->ring_sum, th->ring_sum + n, th->ring_count * sizeof(th->ring_sum[0]));
}

/* Fills in the checksums that the stack left to the device; `l4_len` includes the header. */
static void finish(struct testhost *th, const struct iip_pkt *pkt, uint8_t *ip, uint32_t len, int check)
{
    struct segment s;
    uint8_t *l4 = ip + pkt->l3_len;
    uint32_t l4_len = len - pkt->l3_len;
    uint32_t at = pkt->flags & IIP_PKT_TCP ? 16 : 6;
    uint32_t sum;
    segment_init(&s, ip[0] >> 4);
    if (s.family == 4 && pkt->flags & IIP_PKT_IP_CSUM)
        put16(ip + 10, wire_fold(wire_sum(0, ip, pkt->l3_len)));
    if (!(pkt->flags & IIP_PKT_L4_CSUM))
        return;
    s.proto = pkt->flags & IIP_PKT_TCP ? PROTO_TCP : PROTO_UDP;
    memcpy(s.src + (s.family == 4 ? 12 : 0), ip + (s.family == 4 ? 12 : 8), s.family == 4 ? 4 : 16);
    memcpy(s.dst + (s.family == 4 ? 12 : 0), ip + (s.family == 4 ? 16 : 24), s.family == 4 ? 4 : 16);
    sum = wire_pseudo(&s, l4_len);
    if (check && get16(l4 + at) != (uint16_t)~wire_fold(sum))
        th->error = "the pseudo-header sum left for the device is wrong";
    put16(l4 + at, 0);
    sum = wire_fold(wire_sum(sum, l4, l4_len));
    put16(l4 + at, at == 6 && !sum ? 0xffff : sum);
}

/* Cuts a TSO packet as a device does: sequence, identification and lengths move on, FIN and PSH only in the last. */
static void send_tso(struct testhost *th, const struct iip_pkt *pkt, const uint8_t *whole, uint32_t len)
{
    static uint8_t out[16384];
    uint32_t head = (uint32_t)pkt->l2_len + pkt->l3_len + pkt->l4_len;
    uint32_t l3 = pkt->l2_len, l4 = l3 + pkt->l3_len;
    uint32_t at, part, i = 0;
    for (at = head; at < len; at += part, i++) {
        part = len - at < pkt->seg_size ? len - at : pkt->seg_size;
        memcpy(out, whole, head);
        memcpy(out + head, whole + at, part);
        if (out[l3] >> 4 == 4) {
            put16(out + l3 + 2, head - l3 + part);
            put16(out + l3 + 4, get16(whole + l3 + 4) + i);
            put16(out + l3 + 10, 0);
        } else {
            put16(out + l3 + 4, head - l3 - 40 + part);
        }
        put32(out + l4 + 4, get32(whole + l4 + 4) + at - head);
        if (at + part < len)
            out[l4 + 13] &= (uint8_t) ~(FL_FIN | FL_PSH);
        if (i)
            out[l4 + 13] &= (uint8_t)~FL_CWR;
        finish(th, pkt, out + l3, head - l3 + part, 0);
        th->sent(th->arg, out, head + part);
    }
}

static const char *promise(const struct testhost *th, const struct iip_pkt *pkt, uint32_t len)
{
    if (len != pkt->total)
        return "total differs from the bytes of the chain";
    if (pkt->l2_len != th->l2_len)
        return "l2_len differs from the layer of the stack";
    if (pkt->flags & IIP_PKT_TSO &&
        (!pkt->seg_size || (uint32_t)pkt->l2_len + pkt->l3_len + pkt->l4_len + pkt->seg_size > 16384))
        return "a TSO packet without a sensible segment size";
    return NULL;
}

static void send_one(struct testhost *th, const struct iip_pkt *pkt)
{
    static uint8_t whole[72000];
    uint32_t len = flatten(pkt, whole, sizeof(whole));
    const char *error = promise(th, pkt, len);
    if (error) {
        th->error = error;
        return;
    }
    if (pkt->flags & IIP_PKT_TSO) {
        send_tso(th, pkt, whole, len);
        return;
    }
    if (pkt->flags & (IIP_PKT_IP_CSUM | IIP_PKT_L4_CSUM))
        finish(th, pkt, whole + pkt->l2_len, len - pkt->l2_len, 1);
    th->sent(th->arg, whole, len);
}

static iip_u32 transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct testhost *th = ctx;
    uint32_t i;
    for (i = 0; i < n && th->room; i++) {
        if (th->room != UINT32_MAX)
            th->room--;
        th->taken++;
        th->taken_bytes += pkts[i]->total;
        send_one(th, pkts[i]);
        if (!th->ring_size) {
            iip_pkt_free(th->stk, pkts[i]);
            continue;
        }
        if (th->ring_count >= th->ring_size)
            testhost_ring_drain(th, th->ring_size / 2);
        th->ring_sum[th->ring_count] = ring_sum_of(pkts[i]);
        th->ring[th->ring_count++] = pkts[i];
    }
    return i;
}

void testhost_init(struct testhost *th, uint64_t seed)
{
    memset(th, 0, sizeof(*th));
    th->host.ctx = th;
    th->host.frame_get = frame_get;
    th->host.frame_put = frame_put;
    th->host.transmit = transmit;
    th->host.mem = mem;
    th->room = UINT32_MAX;
    th->rng = seed;
}

struct iip_pkt *testhost_pkt(struct testhost *th, const uint8_t *bytes, uint32_t len, uint32_t view)
{
    struct iip_pkt *head = NULL, *last = NULL, *pkt;
    uint32_t at = 0, part;
    do {
        struct iip_frame *f;
        uint32_t size;
        part = view && len - at > view ? view : len - at;
        size = part > th->rx_frame_min ? part : th->rx_frame_min;
        f = malloc(sizeof(*f) + size);
        memset(f, 0, sizeof(*f));
        f->base = (uint8_t *)(f + 1);
        f->size = size;
        memcpy(f->base, bytes + at, part);
        th->frames_live++;
        pkt = iip_pkt_new(th->stk, f, f->base, part);
        if (!pkt) {
            frame_put(th, f);
            iip_pkt_free(th->stk, head);
            return NULL;
        }
        if (last)
            last->next = pkt;
        else
            head = pkt;
        last = pkt;
        at += part;
    } while (at < len);
    head->total = len;
    return head;
}

uint64_t testhost_counter(const struct iip_stack *stk, const char *name)
{
    iip_u64 c[256];
    const char *have;
    uint32_t i;
    iip_stack_counters(stk, c, 256);
    for (i = 0; (have = iip_stack_counter_name(i)) != NULL; i++)
        if (!strcmp(have, name))
            return c[i];
    return UINT64_MAX;
}

int64_t testhost_account(const struct iip_stack *stk)
{
    iip_u64 c[256];
    const char *name;
    int64_t diff = 0;
    uint32_t i;
    iip_stack_counters(stk, c, 256);
    for (i = 0; (name = iip_stack_counter_name(i)) != NULL; i++) {
        if (!strcmp(name, "rx_packets"))
            diff += (int64_t)c[i];
        else if (!strcmp(name, "rx_delivered") || !strcmp(name, "rx_held") || !strncmp(name, "drop_", 5))
            diff -= (int64_t)c[i];
    }
    return diff;
}

/* wire.c - loses, doubles, delays, reorders and damages packets, and says when one is too large. */
#include "sim.h"

static int before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_put(struct sim *sim, struct event e)
{
    uint32_t i = sim->heap_count++;
    if (sim->heap_count > sim->heap_cap) {
        sim->heap_cap = sim->heap_cap ? 2 * sim->heap_cap : 256;
        sim->heap = realloc(sim->heap, sim->heap_cap * sizeof(e));
    }
    for (; i && before(&e, &sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
        sim->heap[i] = sim->heap[(i - 1) / 2];
    sim->heap[i] = e;
}

static struct event heap_get(struct sim *sim)
{
    struct event top = sim->heap[0], last = sim->heap[--sim->heap_count];
    uint32_t i = 0, child;
    while ((child = 2 * i + 1) < sim->heap_count) {
        if (child + 1 < sim->heap_count && before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!before(&sim->heap[child], &last))
            break;
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    sim->heap[i] = last;
    return top;
}

uint64_t wire_next(const struct sim *sim)
{
    return sim->heap_count ? sim->heap[0].at : UINT64_MAX;
}

int wire_take(struct sim *sim, struct event *out)
{
    if (!sim->heap_count || sim->heap[0].at > sim->now)
        return 0;
    *out = heap_get(sim);
    return 1;
}

void wire_free(struct sim *sim)
{
    while (sim->heap_count)
        free(heap_get(sim).bytes);
    free(sim->heap);
    sim->heap = NULL;
    sim->heap_cap = 0;
}

/* One run of flipped bits, at most 15 long: what the Internet checksum is sure to notice. */
static void damage(struct sim *sim, uint8_t *bytes, uint32_t len)
{
    uint32_t bit = (uint32_t)below(sim, 8 * (uint64_t)len), run = 1 + (uint32_t)below(sim, 15);
    uint32_t mask = 1 | (uint32_t)rnd(sim), i;
    for (i = 0; i < run && bit + i < 8 * len; i++)
        if (mask >> i & 1)
            bytes[(bit + i) / 8] ^= (uint8_t)(0x80 >> (bit + i) % 8);
}

static void deliver(struct sim *sim, int to, const uint8_t *bytes, uint32_t len, uint64_t at)
{
    struct event e = { .at = at, .order = sim->order++, .to = to, .len = len, .bytes = malloc(len) };
    memcpy(e.bytes, bytes, len);
    if (chance(sim, sim->plan.corrupt))
        damage(sim, e.bytes, len);
    heap_put(sim, e);
}

/* The packet is too large for the link ahead: a router in the middle says so (RFC 1191, RFC 8201). */
static void too_big(struct sim *sim, struct node *from, const uint8_t *bytes, uint32_t len)
{
    uint8_t body[8 + 1232], packet[1300];
    struct segment s;
    uint32_t quote = from->ip.b[0] ? 1232 : 548;
    segment_init(&s, from->ip.b[0] ? 6 : 4);
    s.proto = s.family == 4 ? PROTO_ICMP : PROTO_ICMP6;
    memcpy(s.dst, from->ip.b, 16);
    memcpy(s.src, from->ip.b, 16);
    s.src[15] = 254;
    memset(body, 0, 8);
    body[0] = s.family == 4 ? 3 : 2;
    body[1] = s.family == 4 ? 4 : 0;
    put32(body + 4, sim->wire_mtu);
    quote = len < quote ? len : quote;
    memcpy(body + 8, bytes, quote);
    s.data = body;
    s.len = 8 + quote;
    deliver(sim, from->index, packet, segment_encode(&s, packet, sizeof(packet)), sim->now + sim->plan.delay_us);
}

static int node_of(const struct sim *sim, const uint8_t *ip)
{
    int i;
    for (i = 0; i < sim->plan.nodes; i++)
        if (!memcmp(sim->node[i].ip.b, ip, 16))
            return i;
    return -1;
}

static uint64_t arrival(struct sim *sim, struct node *from, int to, uint32_t len)
{
    const struct plan *p = &sim->plan;
    uint64_t at = sim->now;
    if (p->rate) {
        if (from->busy_until[to] < at)
            from->busy_until[to] = at;
        from->busy_until[to] += (uint64_t)len * 1000 / p->rate;
        at = from->busy_until[to];
    }
    at += p->delay_us + below(sim, p->jitter_us + 1);
    if (chance(sim, p->reorder))
        at += below(sim, 3 * (uint64_t)p->delay_us + 1000);
    return at;
}

void wire_send(struct sim *sim, struct node *from, const uint8_t *bytes, uint32_t len)
{
    struct segment s;
    const char *error = segment_decode(&s, bytes, len);
    int to;
    uint64_t at;
    sim->packets++;
    sim->hash = (sim->hash ^ sim->now ^ (uint64_t)from->index << 60) * 0x9e3779b97f4a7c15u;
    for (at = 0; at + 8 <= len; at += 8)
        sim->hash = (sim->hash ^ ((uint64_t)get32(bytes + at) << 32 | get32(bytes + at + 4))) * 0x9e3779b97f4a7c15u;
    sim->hash ^= sim->hash >> 29;
    if (sim->verbose)
        police_print(sim, from, &s, ">");
    if (error)
        sim_fail(sim, "node %d sent a packet that is wrong: %s", from->index, error);
    if (memcmp(s.src, from->ip.b, 16))
        sim_fail(sim, "node %d sent from an address that is not its own", from->index);
    from->segments += s.proto == PROTO_TCP;
    from->resets += s.proto == PROTO_TCP && s.flags & FL_RST;
    police_out(sim, from, &s, len);
    to = node_of(sim, s.dst);
    if (to < 0)
        return;
    if (len > sim->wire_mtu) {
        too_big(sim, from, bytes, len);
        return;
    }
    at = arrival(sim, from, to, len);
    if (sim->plan.rate && at > sim->now + 1000000 + sim->plan.delay_us)
        return; /* the queue in front of the link is full */
    if (chance(sim, sim->plan.loss))
        return;
    deliver(sim, to, bytes, len, at);
    if (chance(sim, sim->plan.dup))
        deliver(sim, to, bytes, len, at + below(sim, sim->plan.delay_us + 100));
}

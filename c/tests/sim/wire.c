/* wire.c - loses, doubles, delays, reorders and damages packets, and says when one is too large. */
#include "sim.h"

void node_mac(uint8_t mac[6], int index)
{
    static const uint8_t base[6] = {2, 0, 0, 0, 0, 0};
    memcpy(mac, base, 6);
    mac[5] = (uint8_t)(1 + index);
}

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

static int is_ip(const struct sim *sim, const uint8_t *bytes, uint32_t len)
{
    return !sim->plan.l2 || (len > 14 && (get16(bytes + 12) == 0x0800 || get16(bytes + 12) == 0x86dd));
}

/*
 * One run of flipped bits, at most 15 long: what the Internet checksum is sure to notice. Link headers and ARP have a
 * checksum of their own in real life, so they are left alone.
 */
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
    struct event e = {.at = at, .order = sim->order++, .to = to, .len = len, .bytes = malloc(len)};
    memcpy(e.bytes, bytes, len);
    if (chance(sim, sim->plan.corrupt) && is_ip(sim, bytes, len))
        damage(sim, e.bytes + sim->plan.l2, len - sim->plan.l2);
    heap_put(sim, e);
}

/* The packet is too large for the link ahead: a router in the middle says so (RFC 1191, RFC 8201). */
static void too_big(struct sim *sim, struct node *from, const uint8_t *bytes, uint32_t len)
{
    uint8_t body[8 + 1232], packet[1314];
    uint32_t l2 = sim->plan.l2;
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
    if (l2) {
        node_mac(packet, from->index);
        node_mac(packet + 6, 99);
        put16(packet + 12, s.family == 4 ? 0x0800 : 0x86dd);
    }
    deliver(sim, from->index, packet, l2 + segment_encode(&s, packet + l2, sizeof(packet) - l2),
            sim->now + sim->plan.delay_us);
}

/* Whose address it is: 16 bytes of IPv6, or the last byte of an IPv4 address. */
static int node_of(const struct sim *sim, const uint8_t *v6, const uint8_t *v4)
{
    int i;
    for (i = 0; i < sim->plan.nodes; i++)
        if (v6 ? !memcmp(sim->node[i].ip.b, v6, 16) : !memcmp(sim->node[i].ip.b + 12, v4, 4))
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

static void trace_hash(struct sim *sim, const struct node *from, const uint8_t *bytes, uint32_t len)
{
    uint32_t i;
    sim->packets++;
    sim->hash = (sim->hash ^ sim->now ^ (uint64_t)from->index << 60) * 0x9e3779b97f4a7c15u;
    for (i = 0; i + 8 <= len; i += 8)
        sim->hash = (sim->hash ^ ((uint64_t)get32(bytes + i) << 32 | get32(bytes + i + 4))) * 0x9e3779b97f4a7c15u;
    sim->hash ^= sim->hash >> 29;
}

/* Loses, doubles and delays one packet on its way to one node. */
static void carry(struct sim *sim, struct node *from, int to, const uint8_t *bytes, uint32_t len)
{
    uint64_t at = arrival(sim, from, to, len);
    if (sim->plan.rate && at > sim->now + 1000000 + sim->plan.delay_us)
        return; /* the queue in front of the link is full */
    if (chance(sim, sim->plan.loss))
        return;
    deliver(sim, to, bytes, len, at);
    if (chance(sim, sim->plan.dup))
        deliver(sim, to, bytes, len, at + below(sim, sim->plan.delay_us + 100));
}

/* To the station that has the address, or to all. */
static void carry_frame(struct sim *sim, struct node *from, const uint8_t *frame, uint32_t len)
{
    uint8_t mac[6];
    int i;
    for (i = 0; i < sim->plan.nodes; i++) {
        node_mac(mac, i);
        if (i != from->index && (frame[0] & 1 || !memcmp(frame, mac, 6)))
            carry(sim, from, i, frame, len);
    }
}

static void judge(struct sim *sim, struct node *from, const uint8_t *ip, uint32_t len)
{
    static const uint8_t any[16];
    struct segment s;
    const char *error = segment_decode(&s, ip, len);
    if (sim->verbose)
        police_print(sim, from, &s, ">");
    if (error)
        sim_fail(sim, "node %d sent a packet that is wrong: %s", from->index, error);
    if (memcmp(s.src, from->ip.b, 16) && (!sim->plan.l2 || (memcmp(s.src, any, 16) && s.src[0] != 0xfe)))
        sim_fail(sim, "node %d sent from an address that is not its own", from->index);
    from->segments += s.proto == PROTO_TCP;
    from->resets += s.proto == PROTO_TCP && s.flags & FL_RST;
    police_out(sim, from, &s, len);
}

void wire_send(struct sim *sim, struct node *from, const uint8_t *bytes, uint32_t len)
{
    uint32_t l2 = sim->plan.l2;
    int to;
    trace_hash(sim, from, bytes, len);
    if (is_ip(sim, bytes, len))
        judge(sim, from, bytes + l2, len - l2);
    if (len - l2 > sim->wire_mtu) {
        too_big(sim, from, bytes + l2, len - l2);
        return;
    }
    if (l2) {
        carry_frame(sim, from, bytes, len);
        return;
    }
    to = node_of(sim, bytes[0] >> 4 == 6 ? bytes + 24 : NULL, bytes + 16);
    if (to >= 0)
        carry(sim, from, to, bytes, len);
}

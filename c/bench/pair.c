/* pair.c - two stacks, their frames, and the wire between them. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIR_CHUNK = 256, PAIR_WIRE_CHUNK = 1024 };

static const uint8_t mac_client[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t mac_server[6] = {2, 0, 0, 0, 0, 2};

/* ---- frames ---- */

static void pair_pool_grow(struct pair_end *end)
{
    char *p = aligned_alloc(64, (size_t)PAIR_CHUNK * 2048);
    int i;
    if (!p)
        bench_fail("no memory for frames");
    for (i = 0; i < PAIR_CHUNK; i++, p += 2048) {
        struct pair_frame *frame = (struct pair_frame *)(void *)p;
        memset(frame, 0, sizeof *frame);
        frame->f.base = (iip_u8 *)p + 64;
        frame->f.size = PAIR_FRAME_BYTES;
        frame->next = end->free;
        end->free = frame;
    }
}

static void pair_wire_grow(struct pair_end *end)
{
    struct pair_frame *frame = calloc(PAIR_WIRE_CHUNK, sizeof *frame);
    int i;
    if (!frame)
        bench_fail("no memory for wire frames");
    for (i = 0; i < PAIR_WIRE_CHUNK; i++, frame++) {
        frame->f.flags = IIP_FRAME_READ_ONLY; /* the sender may still need these bytes */
        frame->next = end->wire_free;
        end->wire_free = frame;
    }
}

static struct iip_frame *pair_frame_get(void *ctx, iip_u32 size)
{
    struct pair_end *end = ctx;
    struct pair_frame *frame = end->free;
    if (size > PAIR_FRAME_BYTES)
        return 0;
    if (!frame) {
        pair_pool_grow(end);
        frame = end->free;
    }
    end->free = frame->next;
    return &frame->f;
}

static void pair_frame_put(void *ctx, struct iip_frame *f)
{
    struct pair_end *end = ctx;
    struct pair_frame *frame = (struct pair_frame *)(void *)f;
    if (f->flags & IIP_FRAME_READ_ONLY) {
        frame->next = end->wire_free;
        end->wire_free = frame;
        iip_pkt_free(end->peer->stk, frame->sent);
    } else {
        frame->next = end->free;
        end->free = frame;
    }
}

static void *pair_mem(void *ctx, void *old, iip_size size)
{
    (void)ctx;
    if (size)
        return malloc(size);
    free(old);
    return 0;
}

/* ---- the wire ---- */

/* One view of the sender's, seen by the receiver. */
static inline struct iip_pkt *pair_wire_view(struct pair_end *to, struct iip_pkt *view)
{
    struct pair_frame *frame = to->wire_free;
    struct iip_pkt *pkt;
    if (!frame) {
        pair_wire_grow(to);
        frame = to->wire_free;
    }
    to->wire_free = frame->next;
    frame->f.base = view->frame->base;
    frame->f.size = view->frame->size;
    frame->sent = view;
    pkt = iip_pkt_new(to->stk, &frame->f, view->data, view->len);
    if (!pkt)
        bench_fail("no memory for packets");
    pkt->flags = to->checked;
    return pkt;
}

static struct iip_pkt *pair_wire_packet(struct pair_end *to, struct iip_pkt *sent)
{
    struct iip_pkt *next = sent->next;
    struct iip_pkt *pkt = pair_wire_view(to, sent);
    struct iip_pkt *last = pkt;
    while (next) { /* each view is freed by itself, when the receiver frees the frame that names it */
        struct iip_pkt *view = next;
        sent->next = 0;
        next = view->next;
        last->next = pair_wire_view(to, view);
        last = last->next;
        sent = view;
    }
    return pkt;
}

static void pair_trace(const struct pair_end *to, const struct iip_pkt *pkt)
{
    const struct iip_pkt *view;
    uint32_t i, n = 0;
    fprintf(stderr, "%s", to->checked ? "hw" : "sw");
    for (view = pkt; view; view = view->next) {
        fprintf(stderr, " [%u]", view->len);
        for (i = 0; i < view->len && n < 96; i++, n++)
            fprintf(stderr, "%s%02x", n % 4 ? "" : " ", view->data[i]);
    }
    fputc('\n', stderr);
}

static uint32_t pair_lose(struct pair_end *from, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++)
        iip_pkt_free(from->stk, pkts[i]);
    return n;
}

static uint32_t pair_transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct pair_end *from = ctx;
    struct pair_end *to = from->peer;
    uint32_t room = PAIR_RING - (to->tail - to->head);
    uint32_t i;
    if (n > room)
        n = room;
    for (i = 0; to->trace && i < n; i++)
        pair_trace(to, pkts[i]);
    if (to->lose)
        return pair_lose(from, pkts, n);
    for (i = 0; i < n; i++)
        to->ring[to->tail++ % PAIR_RING] = pkts[i]->next ? pair_wire_packet(to, pkts[i]) : pair_wire_view(to, pkts[i]);
    return n;
}

uint32_t pair_in(struct pair *pair, struct pair_end *end)
{
    uint32_t at = end->head % PAIR_RING;
    uint32_t n = end->tail - end->head;
    if (n > PAIR_BURST)
        n = PAIR_BURST;
    if (n > PAIR_RING - at)
        n = PAIR_RING - at;
    end->head += n;
    end->packets += n;
    iip_stack_input(end->stk, end->ring + at, n, pair->now);
    return n;
}

struct iip_pkt *pair_pkt(struct pair_end *end)
{
    struct iip_frame *frame = pair_frame_get(end, PAIR_FRAME_BYTES);
    struct iip_pkt *pkt = iip_pkt_new(end->stk, frame, frame->base + PAIR_HEADROOM, 0);
    if (!pkt)
        bench_fail("no memory for packets");
    return pkt;
}

/* ---- both ends ---- */

struct iip_endpoint pair_client_addr(uint32_t i)
{
    struct iip_endpoint at = {.family = 4};
    iip_ip_v4(&at.ip, 10, 0, 1, (iip_u8)(1 + i));
    return at;
}

struct iip_endpoint pair_server_addr(void)
{
    struct iip_endpoint at = {.family = 4, .port = PAIR_PORT};
    iip_ip_v4(&at.ip, 10, 0, 0, 1);
    return at;
}

static void pair_end_open(struct pair_end *end, struct pair_end *peer, const struct bench_args *args,
                          const uint8_t mac[6])
{
    const struct iip_host host = {end, pair_frame_get, pair_frame_put, pair_transmit, pair_mem};
    struct iip_stack_cfg cfg = {.size = sizeof cfg, .caps = IIP_CAP_TX_SG, .seed = mac[5]};
    int status;
    if (args->offload)
        cfg.caps |= IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    memcpy(cfg.mac, mac, 6);
    memset(cfg.key, mac[5], sizeof cfg.key);
    end->peer = peer;
    end->checked = args->offload ? IIP_PKT_IP_CSUM_OK | IIP_PKT_L4_CSUM_OK : 0;
    end->trace = args->trace;
    end->ring = calloc(PAIR_RING, sizeof end->ring[0]);
    if (!end->ring)
        bench_fail("no memory for the wire");
    status = iip_stack_new(&cfg, &host, 0, &end->stk);
    if (status)
        bench_fail("iip_stack_new: %d", status);
}

/* Both networks are on the link; neighbours are known, so no ARP stands in the counts. */
static void pair_addresses(struct pair *pair)
{
    struct iip_endpoint at = pair_server_addr();
    int bad = iip_stack_addr_add(pair->server.stk, &at.ip, 16);
    uint32_t i;
    bad |= iip_stack_neigh_add(pair->client.stk, &at.ip, mac_server);
    for (i = 0; i < pair->addrs; i++) {
        at = pair_client_addr(i);
        bad |= iip_stack_addr_add(pair->client.stk, &at.ip, 16);
        bad |= iip_stack_neigh_add(pair->server.stk, &at.ip, mac_client);
    }
    if (bad)
        bench_fail("addresses: %d", bad);
}

void pair_open(struct pair *pair, const struct bench_args *args)
{
    memset(pair, 0, sizeof *pair);
    pair->now = 1000000;
    pair->addrs = args->addrs;
    pair_end_open(&pair->client, &pair->server, args, mac_client);
    pair_end_open(&pair->server, &pair->client, args, mac_server);
    pair_addresses(pair);
}

void pair_set(struct pair *pair, const char *name, uint64_t value)
{
    if (iip_stack_set(pair->client.stk, name, value) || iip_stack_set(pair->server.stk, name, value))
        bench_fail("tunable %s=%llu refused", name, (unsigned long long)value);
}

uint64_t pair_counter(const struct pair_end *end, const char *name)
{
    iip_u64 all[512];
    uint32_t n = iip_stack_counters(end->stk, all, 512);
    uint32_t i;
    for (i = 0; i < n && i < 512; i++) {
        if (!strcmp(iip_stack_counter_name(i), name))
            return all[i];
    }
    bench_fail("no counter %s", name);
}

/* Nothing on this wire may be lost, so nothing may be dropped or sent again; but addresses are announced by ARP, and
   nobody here needs to be told. */
static void pair_end_check(const struct pair_end *end, const char *which)
{
    iip_u64 all[512];
    uint32_t n = iip_stack_counters(end->stk, all, 512);
    uint32_t bad = 0;
    uint32_t i;
    for (i = 0; i < n && i < 512; i++) {
        const char *name = iip_stack_counter_name(i);
        int wrong = (!strncmp(name, "drop_", 5) && strcmp(name, "drop_arp")) || !strcmp(name, "tcp_retrans") ||
            !strcmp(name, "tcp_rto") || !strcmp(name, "tcp_rst_sent") || !strcmp(name, "no_frame") ||
            !strcmp(name, "no_mem");
        if (all[i] && (wrong || end->trace))
            fprintf(stderr, "%s %s %llu\n", which, name, (unsigned long long)all[i]);
        bad |= all[i] && wrong;
    }
    if (bad)
        bench_fail("the %s dropped, lost or repeated packets", which);
}

void pair_close(struct pair *pair)
{
    if (!pair->client.lose) {
        pair_end_check(&pair->client, "client");
        pair_end_check(&pair->server, "server");
    }
    bench_note("packets", (double)(pair->client.packets + pair->server.packets));
}

/* fake_host.c - see fake_host.h. */
#include "fake_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_packet.h"

static int fake_fails(const struct fake_host *h, uint32_t call, uint32_t fail_at)
{
    return fail_at && (call == fail_at || (h->fail_for_ever && call > fail_at));
}

static struct iip_frame *fake_frame_get(void *ctx, iip_u32 size)
{
    struct fake_host *h = ctx;
    struct iip_frame *frame;
    size_t bytes = h->frame_size;
    if (fake_fails(h, ++h->frame_calls, h->frame_fail_at) || (h->frames_max && h->frames_live >= h->frames_max))
        return NULL;
    if (size > bytes) {
        if (!h->frame_large)
            return NULL;
        bytes = size;
    }
    frame = calloc(1, sizeof(*frame));
    frame->base = malloc(bytes); /* a block of its own, so that ASan sees every overrun */
    memset(frame->base, 0xee, bytes);
    frame->size = (iip_u32)bytes;
    h->frames_live++;
    return frame;
}

static void fake_frame_put(void *ctx, struct iip_frame *frame)
{
    struct fake_host *h = ctx;
    if (frame->views) {
        fprintf(stderr, "fake_host: a frame with %u views was put\n", frame->views);
        abort();
    }
    h->frames_live--;
    free(frame->base);
    free(frame);
}

static void *fake_mem(void *ctx, void *old, iip_size size)
{
    struct fake_host *h = ctx;
    if (old) {
        if (size)
            abort();
        h->mem_live--;
        free(old);
        return NULL;
    }
    if (fake_fails(h, ++h->mem_calls, h->mem_fail_at))
        return NULL;
    h->mem_live++;
    old = malloc(size);
    memset(old, 0xdd, size);
    return old;
}

static void fake_capture(struct fake_host *h, const struct iip_pkt *pkt)
{
    struct fake_packet *p;
    const struct iip_pkt *view;
    uint32_t at = 0;
    if (h->sent_count >= FAKE_SENT_MAX) {
        h->sent_count++;
        return;
    }
    p = &h->sent[h->sent_count++];
    memset(p, 0, sizeof(*p));
    for (view = pkt; view; view = view->next)
        p->len += view->len;
    if (p->len != pkt->total)
        h->mark_errors++;
    p->bytes = malloc(p->len ? p->len : 1);
    for (view = pkt; view; view = view->next) {
        memcpy(p->bytes + at, view->data, view->len);
        at += view->len;
        p->views++;
    }
    p->flags = pkt->flags;
    p->seg_size = pkt->seg_size;
    p->l2_len = pkt->l2_len;
    p->l3_len = pkt->l3_len;
    p->l4_len = pkt->l4_len;
    p->at = h->now;
    if (fake_finish(p, h->cfg.flags & IIP_STACK_L3 ? 0 : 14))
        h->mark_errors++;
}

static iip_u32 fake_transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct fake_host *h = ctx;
    iip_u32 i;
    if (n > h->tx_room)
        n = h->tx_room;
    if (h->tx_room != UINT32_MAX)
        h->tx_room -= n;
    for (i = 0; i < n; i++) {
        fake_capture(h, pkts[i]);
        if (h->tx_keep && h->kept_count < FAKE_SENT_MAX)
            h->kept[h->kept_count++] = pkts[i];
        else
            iip_pkt_free(h->stk, pkts[i]);
    }
    return n;
}

void fake_cfg(struct iip_stack_cfg *cfg)
{
    static const uint8_t mac[6] = FAKE_MAC_OURS;
    int i;
    memset(cfg, 0, sizeof(*cfg));
    cfg->size = sizeof(*cfg);
    memcpy(cfg->mac, mac, 6);
    for (i = 0; i < 16; i++)
        cfg->key[i] = (uint8_t)(i * 7 + 1);
    cfg->seed = 42;
}

void fake_init(struct fake_host *h, const struct iip_stack_cfg *cfg)
{
    memset(h, 0, sizeof(*h));
    h->cfg = *cfg;
    h->now = 1000000;
    h->tx_room = UINT32_MAX;
    h->frame_size = FAKE_FRAME_SIZE;
    h->frame_large = 1;
    h->host.ctx = h;
    h->host.frame_get = fake_frame_get;
    h->host.frame_put = fake_frame_put;
    h->host.transmit = fake_transmit;
    h->host.mem = fake_mem;
}

int fake_start(struct fake_host *h)
{
    int status = iip_stack_new(&h->cfg, &h->host, h->now, &h->stk);
    if (status)
        h->stk = NULL;
    return status;
}

int fake_open(struct fake_host *h, const struct iip_stack_cfg *cfg)
{
    fake_init(h, cfg);
    return fake_start(h);
}

int fake_addrs(struct fake_host *h)
{
    struct iip_ip ip, gateway, any;
    int status;
    status = iip_stack_addr_add(h->stk, fake_ip(&ip, FAKE_V4_OURS), 24);
    if (!status)
        status = iip_stack_addr_add(h->stk, fake_ip(&ip, FAKE_V6_OURS), 64);
    if (!status)
        status = iip_stack_route_add(h->stk, fake_ip(&any, "0.0.0.0"), 0, fake_ip(&gateway, FAKE_V4_GATEWAY));
    if (!status)
        status = iip_stack_route_add(h->stk, fake_ip(&any, "::"), 0, fake_ip(&gateway, FAKE_V6_GATEWAY));
    fake_output(h);
    fake_forget(h);
    return status;
}

int fake_close(struct fake_host *h)
{
    int lost;
    fake_tx_done(h);
    iip_stack_free(h->stk);
    h->stk = NULL;
    fake_forget(h);
    lost = (int)(h->frames_live + h->mem_live);
    if (lost)
        printf("fake_host: %u frames and %u blocks of memory did not come home\n", h->frames_live, h->mem_live);
    return lost;
}

int fake_inject_split(struct fake_host *h, const void *bytes, size_t len, size_t step)
{
    const uint8_t *p = bytes;
    struct iip_pkt *head = NULL;
    struct iip_pkt **link = &head;
    struct iip_frame *frame;
    size_t part;
    do {
        part = len < step ? len : step;
        frame = fake_frame_get(h, (iip_u32)part);
        *link = frame ? iip_pkt_new(h->stk, frame, frame->base + (frame->size - part), (iip_u32)part) : NULL;
        if (!*link) {
            if (frame)
                fake_frame_put(h, frame);
            iip_pkt_free(h->stk, head);
            return 0;
        }
        memcpy((*link)->data, p, part); /* at the frame's end, so that ASan sees every read beyond */
        link = &(*link)->next;
        p += part;
        len -= part;
    } while (len);
    iip_stack_input(h->stk, &head, 1, h->now);
    return 1;
}

int fake_inject(struct fake_host *h, const void *bytes, size_t len, uint32_t flags)
{
    struct iip_frame *frame = fake_frame_get(h, (iip_u32)len);
    struct iip_pkt *pkt;
    if (!frame)
        return 0;
    pkt = iip_pkt_new(h->stk, frame, frame->base + (frame->size - len), (iip_u32)len);
    if (!pkt) {
        fake_frame_put(h, frame);
        return 0;
    }
    memcpy(pkt->data, bytes, len);
    pkt->flags = (iip_u16)flags;
    iip_stack_input(h->stk, &pkt, 1, h->now);
    return 1;
}

void fake_output(struct fake_host *h)
{
    iip_stack_output(h->stk, h->now);
}

void fake_input(struct fake_host *h, const void *bytes, size_t len)
{
    if (fake_inject(h, bytes, len, 0))
        fake_output(h);
}

uint32_t fake_run(struct fake_host *h, uint64_t us)
{
    uint64_t end = h->now + us;
    uint64_t due;
    uint32_t calls = 0;
    while ((due = iip_stack_deadline(h->stk)) <= end && calls < 100000) {
        if (due > h->now)
            h->now = due;
        fake_output(h);
        calls++;
    }
    h->now = end;
    fake_output(h);
    return calls + 1;
}

void fake_forget(struct fake_host *h)
{
    uint32_t i;
    for (i = 0; i < h->sent_count && i < FAKE_SENT_MAX; i++)
        free(h->sent[i].bytes);
    h->sent_count = 0;
}

void fake_tx_done(struct fake_host *h)
{
    while (h->kept_count)
        iip_pkt_free(h->stk, h->kept[--h->kept_count]);
}

uint32_t fake_notes(struct fake_host *h)
{
    return iip_stack_notes(h->stk, h->notes, FAKE_NOTES_MAX);
}

void fake_notes_drop(struct fake_host *h)
{
    struct iip_pkt *pkt;
    uint32_t n;
    uint32_t i;
    while ((n = fake_notes(h)) != 0) {
        for (i = 0; i < n; i++) {
            while ((pkt = h->notes[i].pkt) != NULL) {
                h->notes[i].pkt = h->notes[i].type == IIP_NOTE_DATA ? pkt->link : NULL;
                iip_pkt_free(h->stk, pkt);
            }
        }
    }
}

struct iip_pkt *fake_pkt(struct fake_host *h, const void *bytes, size_t len)
{
    struct iip_frame *frame = fake_frame_get(h, (iip_u32)len + 128);
    struct iip_pkt *pkt;
    if (!frame)
        return NULL;
    pkt = iip_pkt_new(h->stk, frame, frame->base + 128, (iip_u32)len);
    if (!pkt) {
        fake_frame_put(h, frame);
        return NULL;
    }
    if (len)
        memcpy(pkt->data, bytes, len);
    return pkt;
}

size_t fake_pkt_read(const struct iip_pkt *pkt, void *to, size_t cap)
{
    uint8_t *p = to;
    size_t n = 0;
    size_t part;
    for (; pkt && n < cap; pkt = pkt->next, n += part) {
        part = pkt->len < cap - n ? pkt->len : cap - n;
        memcpy(p + n, pkt->data, part);
    }
    return n;
}

uint64_t fake_counter(const struct fake_host *h, const char *name)
{
    iip_u64 values[512];
    const char *known;
    uint32_t i;
    iip_stack_counters(h->stk, values, 512);
    for (i = 0; (known = iip_stack_counter_name(i)) != NULL; i++) {
        if (strcmp(known, name) == 0)
            return values[i];
    }
    fprintf(stderr, "fake_host: no counter is called %s\n", name);
    abort();
}

int64_t fake_account(const struct fake_host *h)
{
    iip_u64 values[512];
    const char *name;
    int64_t left = 0;
    uint32_t i;
    iip_stack_counters(h->stk, values, 512);
    for (i = 0; (name = iip_stack_counter_name(i)) != NULL; i++) {
        if (strcmp(name, "rx_packets") == 0)
            left += (int64_t)values[i];
        else if (strcmp(name, "rx_delivered") == 0 || strcmp(name, "rx_held") == 0 || strncmp(name, "drop_", 5) == 0)
            left -= (int64_t)values[i];
    }
    return left;
}

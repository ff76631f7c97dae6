/* shim_world.h - two stacks back to back in memory, on a virtual clock, driven through the shim alone. */
#ifndef TEST_SHIM_WORLD_H
#define TEST_SHIM_WORLD_H

#include "check.h"
#include "posix_shim.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

enum { WIRE_MAX = 4096, MTU_BYTES = 1500 };

struct end {
    struct iip_stack *stk;
    struct end *other;
    struct iip_pkt *wire[WIRE_MAX]; /* on their way to this end; frames of this end */
    uint32_t wire_n;
    uint32_t sent, lose_every; /* of what this end sends */
    int cut;                   /* all of it is lost */
    int frames, blocks;        /* not given back */
    int no_frames;             /* none can be had */
};

static struct end a, b;
static uint64_t now_us;

/* ---- hosts ----------------------------------------------------------------------------------------------------- */

static struct iip_frame *frame_get(void *ctx, iip_u32 size)
{
    struct iip_frame *frame = ((struct end *)ctx)->no_frames ? NULL : calloc(1, sizeof *frame + size);
    if (!frame)
        return NULL;
    frame->base = (iip_u8 *)(frame + 1);
    frame->size = size;
    ((struct end *)ctx)->frames++;
    return frame;
}

static void frame_put(void *ctx, struct iip_frame *frame)
{
    ((struct end *)ctx)->frames--;
    free(frame);
}

static void *mem(void *ctx, void *old, iip_size size)
{
    ((struct end *)ctx)->blocks += size ? 1 : -1;
    if (size)
        return malloc(size);
    free(old);
    return NULL;
}

static void carry(struct end *e, const struct iip_pkt *pkt)
{
    struct end *to = e->other;
    struct iip_frame *frame;
    e->sent++;
    if (e->cut || (e->lose_every && e->sent % e->lose_every == 0) || to->wire_n == WIRE_MAX)
        return;
    frame = frame_get(to, pkt->len);
    memcpy(frame->base, pkt->data, pkt->len);
    to->wire[to->wire_n++] = iip_pkt_new(to->stk, frame, frame->base, pkt->len);
}

static iip_u32 transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct end *e = ctx;
    iip_u32 i;
    for (i = 0; i < n; i++) {
        carry(e, pkts[i]);
        iip_pkt_free(e->stk, pkts[i]);
    }
    return n;
}

static void open_end(struct end *e, struct end *other, uint8_t last, uint32_t flags)
{
    struct iip_stack_cfg cfg;
    struct iip_host host = {e, frame_get, frame_put, transmit, mem};
    struct iip_ip ip;
    memset(e, 0, sizeof *e);
    memset(&cfg, 0, sizeof cfg);
    e->other = other;
    cfg.size = sizeof cfg;
    cfg.flags = flags;
    cfg.mtu = MTU_BYTES;
    cfg.mac[0] = 2;
    cfg.mac[5] = last;
    cfg.key[0] = last;
    cfg.seed = last;
    if (iip_stack_new(&cfg, &host, now_us, &e->stk) < 0)
        abort();
    iip_ip_v4(&ip, 10, 0, 0, last);
    iip_stack_addr_add(e->stk, &ip, 24);
}

static void open_both(uint32_t flags)
{
    now_us = 1000000;
    open_end(&a, &b, 1, flags);
    open_end(&b, &a, 2, flags);
}

static void close_end(struct end *e)
{
    uint32_t i;
    for (i = 0; i < e->wire_n; i++)
        iip_pkt_free(e->stk, e->wire[i]);
    iip_stack_free(e->stk);
    CHECK_EQ(e->frames, 0);
    CHECK_EQ(e->blocks, 0);
}

static void close_both(void)
{
    close_end(&a);
    close_end(&b);
}

/* One step of one end: what is on the wire comes in. */
static void step(struct end *e)
{
    struct iip_pkt *pkts[WIRE_MAX];
    uint32_t n = e->wire_n;
    memcpy(pkts, e->wire, n * sizeof *pkts);
    e->wire_n = 0;
    iip_stack_input(e->stk, pkts, n, now_us);
    shim_notes(e->stk);
    iip_stack_output(e->stk, now_us);
    shim_notes(e->stk);
}

/* Until the wire is silent; then the clock goes to the next deadline, `for_us` ahead at most. */
static void run(uint64_t for_us)
{
    uint64_t end_us = now_us + for_us;
    for (;;) {
        uint64_t due, due_b;
        do {
            step(&a);
            step(&b);
        } while (a.wire_n || b.wire_n);
        due = iip_stack_deadline(a.stk);
        due_b = iip_stack_deadline(b.stk);
        due = due_b < due ? due_b : due;
        if (now_us == end_us)
            return;
        now_us = due < end_us ? (due > now_us ? due : now_us) : end_us;
    }
}

static struct iip_endpoint address(uint8_t last, uint16_t port)
{
    struct iip_endpoint e;
    memset(&e, 0, sizeof e);
    iip_ip_v4(&e.ip, 10, 0, 0, last);
    e.port = port;
    return e;
}

static struct shim_sock *serve(uint16_t port)
{
    struct iip_endpoint local = address(2, port);
    struct shim_sock *s = shim_socket(b.stk);
    CHECK_EQ(shim_bind(s, &local), 0);
    CHECK_EQ(shim_listen(s, 8), 0);
    return s;
}

static struct shim_sock *dial(uint16_t port)
{
    struct iip_endpoint peer = address(2, port);
    struct shim_sock *s = shim_socket(a.stk);
    CHECK_EQ(shim_connect(s, &peer), -EINPROGRESS);
    return s;
}

/* A connection: its two sockets. */
static void pair_up(struct shim_sock **client, struct shim_sock **server)
{
    struct shim_sock *listener = serve(80);
    *client = dial(80);
    run(1000);
    *server = shim_accept(listener);
    CHECK(*server != NULL);
    shim_close(listener);
}

#endif

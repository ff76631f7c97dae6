/* scribble_test.c - an application that writes rubbish wherever it can write: each turn answers by a status, or works. */
#include "world.h"

enum { TURNS = 5000 };

static uint64_t seed;

static uint64_t rubbish(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 11;
}

/* A handle: of the right kind and loop more often than not, near those in use. */
static uint64_t handle_like(uint64_t real)
{
    switch (rubbish() % 4) {
    case 0:
        return rubbish();
    case 1:
        return real ^ (uint64_t)1 << rubbish() % 53;
    case 2:
        return real + (uint64_t)(rubbish() % 128) - 64;
    default:
        return real;
    }
}

/* Operations by copy read memory that they name, and those of regions are none here: they stay out. */
static void scribble_op(struct side *s, uint64_t buf)
{
    static const uint16_t codes[] = {IIP_OP_NOP,  IIP_OP_SEND_BUF, IIP_OP_UDP_SEND, IIP_OP_CREDIT,      IIP_OP_SET,
                                     IIP_OP_USER, IIP_OP_URGENT,   IIP_OP_CANCEL,   IIP_OP_SEND_EXTERN, 0xfff};
    struct iip_op *op = next_op(s, codes[rubbish() % (sizeof codes / sizeof codes[0])], handle_like(s->conn));
    op->buf = handle_like(buf);
    op->len = (uint32_t)(rubbish() % 3 ? rubbish() % 2048 : rubbish());
    op->offset = (uint32_t)(rubbish() % 3 ? 0 : rubbish());
    op->aux = (uint32_t)(rubbish() % 2 ? 0 : rubbish());
    op->flags = (uint16_t)rubbish();
    if (op->code == IIP_OP_UDP_SEND)
        op->arg = 0; /* an address */
    else
        op->arg = rubbish() % 100;
}

static void scribble(struct side *s)
{
    struct iip_span *tx = (struct iip_span *)(uintptr_t)s->area.tx_free;
    struct iip_event *events = (struct iip_event *)(uintptr_t)s->area.events;
    uint64_t buf = s->turn.tx_free_n ? tx[0].buf : 0;
    uint32_t i;
    for (i = 0; i < 8; i++) {
        struct iip_span *span = &tx[rubbish() % s->area.tx_free_cap];
        span->buf = handle_like(span->buf);
        span->addr = rubbish();
        span->offset = span->len = (uint32_t)rubbish();
        events[rubbish() % s->area.event_cap].buf = rubbish();
        s->area.op_aux[rubbish() % s->area.op_aux_bytes] = (uint8_t)rubbish();
        ((uint8_t *)(uintptr_t)s->area.aux)[rubbish() % s->area.aux_bytes] = (uint8_t)rubbish();
    }
    s->turn.tx_taken = s->turn.tx_free_n ? (uint32_t)(rubbish() % (s->turn.tx_free_n + 1)) : 0;
    for (i = (uint32_t)(rubbish() % 4); i; i--)
        scribble_op(s, buf);
    for (i = (uint32_t)(rubbish() % 4); i; i--)
        release(s, handle_like(tx[rubbish() % s->area.tx_free_cap].buf));
    *s->area.woken = (uint32_t)rubbish();
}

static void rubbish_in_mapped_memory_is_survived(void)
{
    struct side a, b;
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint32_t round;
    for (seed = 1, round = 0; round < 4; round++) {
        uint32_t i;
        world_open(&a, &b, "pair:scribble");
        world_connect(&a, &b);
        for (i = 0; i < TURNS / 4; i++) {
            scribble(&a);
            turn(&a, IIP_TURN_FLUSH);
            turn_seen(&b, IIP_TURN_FLUSH);
        }
        iip_loop_stats_get(a.loop, &stats);
        CHECK(stats.stale_handles != 0);
        CHECK(iip_engine_close(a.engine, NULL) >= 0); /* what it lost is its own leak */
        CHECK(iip_engine_close(b.engine, NULL) >= 0);
    }
}

int main(void)
{
    RUN(rubbish_in_mapped_memory_is_survived);
    return check_done();
}

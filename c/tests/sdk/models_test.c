/* models_test.c - one program, three ways to assign cores: the same echo, with every byte looked at. */
#include <sched.h>

#include "peer.h"

enum { STREAMS = 4, STREAM_BYTES = 400000 };

static const char *const model_name[] = {"unified", "split", "merge"};

static _Atomic int served;

static uint8_t pattern(uint64_t stream, uint64_t at)
{
    return (uint8_t)((at * 2654435761u >> 13) + stream * 77);
}

struct held { /* what a connection took in part: the rest is offered when it is writable, arrivals stand behind it */
    uint64_t conn;
    struct iip_op op[512];
    uint32_t first, n;
    int blocked, fin;
};

static struct held *held_of(struct held *all, uint64_t conn)
{
    return &all[conn & (STREAMS - 1)];
}

static void echo_more(struct side *s, struct held *h)
{
    while (!h->blocked && h->n && s->turn.op_n < s->area.op_cap) {
        s->area.ops[s->turn.op_n++] = h->op[h->first++ % 512];
        h->n--;
    }
    if (!h->n && h->fin && !h->blocked && s->turn.op_n < s->area.op_cap) {
        h->fin = 0;
        next_op(s, IIP_OP_CLOSE, h->conn);
    }
}

/* What had no room among the operations of one turn goes with the next, for which no event may come: 1, do not wait. */
static int echo_all(struct side *s, struct held *all)
{
    int left = 0;
    uint32_t i;
    for (i = 0; i < STREAMS; i++) {
        echo_more(s, &all[i]);
        left |= !all[i].blocked && (all[i].n || all[i].fin);
    }
    return left;
}

/* What was not taken goes back to the front, in order. */
static void echo_results(struct side *s, struct held *all, uint32_t n)
{
    while (s->turn.op_short && n--) {
        const struct iip_op *op = &s->area.ops[n];
        struct held *h = held_of(all, op->obj);
        if (op->code != IIP_OP_SEND_BUF || op->out == op->len)
            continue;
        CHECK(op->status == IIP_OK || op->status == IIP_E_AGAIN);
        h->op[--h->first % 512] = *op;
        h->op[h->first % 512].offset += (uint32_t)op->out;
        h->op[h->first % 512].len -= (uint32_t)op->out;
        h->n++;
        h->blocked = 1;
    }
}

static void echo_event(struct side *s, struct held *all, const struct iip_event *ev)
{
    struct held *h = held_of(all, ev->src);
    if (ev->type == IIP_EVENT_DATA) {
        CHECK(h->n < 500);
        h->op[(h->first + h->n++) % 512] =
            (struct iip_op){.code = IIP_OP_SEND_BUF, .obj = ev->src, .buf = ev->buf, .len = ev->len};
    }
    if (ev->type == IIP_EVENT_FIN) {
        h->conn = ev->src;
        h->fin = 1;
    }
    if (ev->type == IIP_EVENT_WRITABLE)
        h->blocked = 0;
    if (ev->type == IIP_EVENT_CLOSED)
        s->seen++;
}

static void *serve(void *arg)
{
    struct side *s = arg;
    struct held *all = calloc(STREAMS, sizeof *all);
    uint64_t lis;
    uint32_t i, n;
    int left = 0;
    CHECK_EQ(iip_loop_attach(s->loop), IIP_OK);
    CHECK_EQ(iip_loop_listen(s->loop, ":80", 0, &lis), IIP_OK);
    for (i = 0; i < STREAMS; i++)
        all[i].first = 1 << 20;
    atomic_store(&served, 1);
    s->seen = 0;
    while (s->seen < STREAMS) {
        s->turn.wait_us = -1;
        n = s->turn.op_n;
        turn(s, left ? 0 : IIP_TURN_WAIT);
        echo_results(s, all, n);
        for (i = 0; i < s->turn.event_n; i++)
            echo_event(s, all, event(s, i));
        left = echo_all(s, all);
    }
    CHECK_EQ(iip_handle_close(lis), IIP_OK);
    turn(s, 0);
    CHECK_EQ(iip_loop_detach(s->loop), IIP_OK);
    free(all);
    return NULL;
}

struct stream {
    uint64_t conn, sent, got;
    int ready;
};

/* Laid out buffers are filled and sent; what is taken in part is written anew, from where it ended. */
static void ask_more(struct side *s, struct stream *all, uint32_t i)
{
    struct stream *st = &all[i];
    while (st->ready && st->sent < STREAM_BYTES && s->turn.tx_taken < s->turn.tx_free_n && s->turn.op_n < 64) {
        const struct iip_span *to = &s->area.tx_free[s->turn.tx_taken++];
        struct iip_op *op = next_op(s, IIP_OP_SEND_BUF, st->conn);
        uint32_t k;
        op->len = to->len < STREAM_BYTES - st->sent ? to->len : (uint32_t)(STREAM_BYTES - st->sent);
        op->buf = to->buf;
        op->user = i;
        for (k = 0; k < op->len; k++)
            ((uint8_t *)(uintptr_t)to->addr)[k] = pattern(i, st->sent + k);
        st->sent += op->len;
        if (st->sent == STREAM_BYTES)
            op->flags = IIP_OP_SHUT;
    }
}

static void ask_results(struct side *s, struct stream *all, uint32_t n)
{
    uint32_t i;
    for (i = 0; s->turn.op_short && i < n; i++) {
        const struct iip_op *op = &s->area.ops[i];
        if (op->code != IIP_OP_SEND_BUF || op->out == op->len)
            continue;
        CHECK(op->status == IIP_OK || op->status == IIP_E_AGAIN || op->status == IIP_E_NOBUFS);
        all[op->user].sent -= op->len - op->out;
        all[op->user].ready = 0;
        release(s, op->buf);
    }
}

static uint32_t stream_wrong(struct stream *st, uint64_t number, const struct iip_event *ev)
{
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)ev->addr;
    uint32_t i, wrong = 0;
    for (i = 0; i < ev->len; i++)
        wrong += bytes[i] != pattern(number, st->got + i);
    st->got += ev->len;
    return wrong;
}

static uint32_t ask_event(struct side *s, struct stream *all, const struct iip_event *ev)
{
    uint32_t wrong = 0;
    if (ev->type == IIP_EVENT_CONNECTED || ev->type == IIP_EVENT_WRITABLE)
        all[ev->user].ready = 1;
    if (ev->type == IIP_EVENT_DATA)
        wrong = stream_wrong(&all[ev->user], ev->user, ev);
    if (ev->type == IIP_EVENT_FIN)
        next_op(s, IIP_OP_CLOSE, ev->src);
    if (ev->type == IIP_EVENT_CLOSED) {
        s->seen++;
        wrong += ev->status != IIP_OK;
    }
    if (ev->buf)
        release(s, ev->buf);
    return wrong;
}

static void ask_all(struct side *s)
{
    struct stream all[STREAMS];
    uint32_t i, n, wrong = 0;
    memset(all, 0, sizeof all);
    for (i = 0; i < STREAMS; i++)
        CHECK_EQ(iip_loop_connect(s->loop, "10.0.0.2:80", i, &all[i].conn), IIP_OK);
    s->seen = 0;
    while (s->seen < STREAMS) {
        s->turn.wait_us = 20000;
        n = s->turn.op_n;
        turn(s, IIP_TURN_WAIT);
        ask_results(s, all, n);
        for (i = 0; i < s->turn.event_n; i++)
            wrong += ask_event(s, all, event(s, i));
        for (i = 0; i < STREAMS; i++)
            ask_more(s, all, i);
    }
    for (i = 0; i < STREAMS; i++)
        CHECK_EQ(all[i].got, STREAM_BYTES);
    CHECK_EQ(wrong, 0);
}

static void one_program(const char *port, uint32_t cores)
{
    struct peer a, b;
    pthread_t server;
    printf("    %s\n", model_name[cores]);
    peer_open(&a, port, 1, cores);
    peer_open(&b, port, 2, cores);
    CHECK_EQ(iip_loop_detach(b.side.loop), IIP_OK);
    atomic_store(&served, 0);
    peer_start(&a, cores);
    peer_start(&b, cores);
    pthread_create(&server, NULL, serve, &b.side);
    while (!atomic_load(&served))
        sched_yield();
    ask_all(&a.side);
    pthread_join(server, NULL);
    CHECK_EQ(iip_loop_attach(b.side.loop), IIP_OK);
    peer_close(&a);
    peer_close(&b);
}

static void the_same_program_in_all_models(void)
{
    one_program("pair:ask1", IIP_CORES_UNIFIED);
    one_program("pair:ask2", IIP_CORES_SPLIT);
    one_program("pair:ask3", IIP_CORES_MERGE);
    one_program("sim:ask4,seed=5,loss=1%,reorder=2%,delay=50us,clock=real", IIP_CORES_SPLIT);
}

int main(void)
{
    RUN(the_same_program_in_all_models);
    return check_done();
}

/* few_test.c - both ends have few packet buffers, and bulk writers keep their send queues full: it always goes on. */
#include "world.h"

enum { WRITERS = 8, TURNS = 20000, BYTES = 1400 };

static uint64_t conns[WRITERS];

static void connect_all(struct side *a, struct side *b)
{
    uint32_t i;
    for (i = 0; i < WRITERS; i++) {
        world_connect(a, b);
        conns[i] = a->conn;
    }
}

/* All that the next turn takes: buffers that are laid out go to the writers in turn, or each copies. */
static void write_all(struct side *a, int copy)
{
    static const uint8_t bytes[BYTES];
    static uint32_t at;
    uint32_t i;
    for (i = 0; copy && i < WRITERS * 8; i++) {
        struct iip_op *op = next_op(a, IIP_OP_SEND_COPY, conns[i % WRITERS]);
        op->arg = (uintptr_t)bytes;
        op->len = BYTES;
    }
    while (!copy && a->turn.tx_taken < a->turn.tx_free_n && a->turn.op_n < a->area.op_cap) {
        struct iip_op *op = next_op(a, IIP_OP_SEND_BUF, conns[at++ % WRITERS]);
        op->buf = a->area.tx_free[a->turn.tx_taken++].buf;
        op->len = BYTES;
    }
}

/* What was not taken stays with the caller, who offers it again: here it is given back. */
static void give_back(struct side *a, uint32_t ops)
{
    uint32_t i;
    for (i = 0; i < ops; i++)
        if (a->area.ops[i].code == IIP_OP_SEND_BUF && a->area.ops[i].out < BYTES)
            release(a, a->area.ops[i].buf);
}

static void show(const char *who, const struct side *s)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    iip_loop_stats_get(s->loop, &stats);
    printf("    %s: state %u, %u frames free, %u bytes got\n", who, s->turn.state, (uint32_t)stats.frames_free,
           (uint32_t)s->got);
}

/* Of a thousand turns in a row some must bring bytes, on a wire that loses nothing. More of them end a test that hangs. */
static void flows(struct side *a, struct side *b, int copy)
{
    uint64_t before = 0;
    uint32_t i, quiet = 0;
    b->got = 0;
    for (i = 0; i < TURNS && quiet < 1000; i++) {
        uint32_t ops;
        write_all(a, copy);
        ops = a->turn.op_n;
        turn_seen(a, IIP_TURN_FLUSH);
        give_back(a, ops);
        turn_seen(b, IIP_TURN_FLUSH);
        quiet = b->got == before ? quiet + 1 : 0;
        before = b->got;
        if (quiet > 500)
            usleep(1000); /* a delayed ACK, or a segment that is sent again */
    }
    if (!CHECK(quiet < 1000)) {
        show("sender", a);
        show("receiver", b);
    }
    CHECK(b->got > TURNS * 100);
}

static void few(const char *port, int copy)
{
    struct side a, b;
    uint32_t i;
    world_open(&a, &b, port);
    connect_all(&a, &b);
    flows(&a, &b, copy);
    for (i = 0; i < WRITERS; i++)
        iip_conn_abort(conns[i]);
    for (i = 0; i < 100; i++) {
        turn_seen(&a, IIP_TURN_FLUSH);
        turn_seen(&b, IIP_TURN_FLUSH);
    }
    world_close(&a, &b);
}

static void taken_buffers_flow(void)
{
    few("pair:few0,frames=256", 0);
    few("pair:few1,frames=128", 0);
    few("pair:few2,frames=64", 0);
}

static void copies_flow(void)
{
    few("pair:few3,frames=256", 1);
    few("pair:few4,frames=128", 1);
    few("pair:few5,frames=64", 1);
}

static void large_packets_flow(void)
{
    few("pair:few6,frames=128,tso=on", 0);
    few("pair:few7,frames=128,tso=on", 1);
}

static void a_simulated_wire_flows(void)
{
    few("sim:few8,frames=64", 0);
    few("sim:few9,frames=64", 1);
}

/* What waits for a neighbour that does not answer is not all there is: the answer needs a buffer too. */
static void a_crowd_leaves_buffers(void)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t lis, crowd[60];
    struct side a, b;
    uint32_t i;
    world_open(&a, &b, "pair:few10,frames=64");
    CHECK_EQ(iip_loop_listen(b.loop, ":80", 77, &lis), IIP_OK);
    for (i = 0; i < 60; i++)
        CHECK_EQ(iip_loop_connect(a.loop, "10.0.0.2:80", 78, &crowd[i]), IIP_OK);
    for (i = 0; i < 20; i++) /* the other end is busy */
        turn_seen(&a, IIP_TURN_FLUSH);
    iip_loop_stats_get(a.loop, &stats);
    CHECK(stats.frames_free >= 64 / 4);
    until(&a, SAW_CONNECTED, &b, SAW_ACCEPT);
    for (i = 0; i < 60; i++)
        iip_conn_abort(crowd[i]);
    CHECK_EQ(iip_handle_close(lis), IIP_OK);
    for (i = 0; i < 100; i++) {
        turn_seen(&a, IIP_TURN_FLUSH);
        turn_seen(&b, IIP_TURN_FLUSH);
    }
    world_close(&a, &b);
}

int main(void)
{
    RUN(taken_buffers_flow);
    RUN(copies_flow);
    RUN(large_packets_flow);
    RUN(a_simulated_wire_flows);
    RUN(a_crowd_leaves_buffers);
    return check_done();
}

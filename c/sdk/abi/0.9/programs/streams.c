/* streams.c - operations and events by their numbers of 0.9: connections, datagrams, timers, buffers. */
#include "world.h"

static struct side a, b;
static uint64_t conn, peer; /* both ends of a connection */
static uint8_t bytes[10000];

static void connects(void)
{
    uint64_t listener;
    struct iip_addrs to = {.local = {.port = 0}};
    struct iip_op *op = side_op(&a, IIP_OP_CONNECT, 0);
    CHECK_EQ(iip_loop_listen(b.loop, ":80", 7, &listener), IIP_OK);
    CHECK_EQ(iip_addr_parse("10.0.0.2:80", &to.peer), IIP_OK);
    memcpy(a.area.op_aux + sizeof to, &to, sizeof to);
    op->aux = sizeof to;
    op->user = 5;
    side_turn(&a);
    CHECK_EQ(op->status, IIP_OK);
    conn = op->out;
    CHECK_EQ(conn >> 50, IIP_KIND_CONN);
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_CONNECTED, conn)->user, 5);
    peer = side_await(&b, &a, IIP_EVENT_ACCEPT, 0)->src;
    CHECK_EQ(b.seen[b.seen_n - 1].user, 7);
    CHECK_EQ(b.seen[b.seen_n - 1].value, listener);
    CHECK_EQ(b.ends[b.seen_n - 1].local.port, 80);
    CHECK_EQ(iip_handle_close(listener), IIP_OK);
}

/* There and back in the buffer that it came in, then out of one that was laid out. */
static void echoes(void)
{
    struct iip_op *op = side_op(&a, IIP_OP_SEND_COPY, conn);
    const struct iip_event *ev;
    op->len = 100;
    op->arg = (uintptr_t)bytes;
    ev = side_await(&b, &a, IIP_EVENT_DATA, peer);
    CHECK(ev->len == 100 && memcmp((const void *)(uintptr_t)ev->addr, bytes, 100) == 0);
    op = side_op(&b, IIP_OP_SEND_BUF, peer);
    op->buf = ev->buf;
    op->len = ev->len;
    ev = side_await(&a, &b, IIP_EVENT_DATA, conn);
    CHECK(ev->len == 100 && memcmp((const void *)(uintptr_t)ev->addr, bytes, 100) == 0);
    a.area.releases[a.turn.release_n++] = ev->buf;
    side_forget(&b);
    CHECK(a.turn.tx_free_n > 0);
    memcpy((void *)(uintptr_t)a.area.tx_free[0].addr, bytes, 50);
    op = side_op(&a, IIP_OP_SEND_BUF, conn);
    op->buf = a.area.tx_free[0].buf;
    op->len = 50;
    a.turn.tx_taken = 1;
    ev = side_await(&b, &a, IIP_EVENT_DATA, peer);
    CHECK_EQ(ev->len, 50);
    CHECK_EQ(iip_buf_release(ev->buf), IIP_OK);
    CHECK_EQ(iip_buf_release(ev->buf), IIP_E_STALE);
    CHECK_EQ(a.turn.release_failed, 0);
}

static void buffers(void)
{
    struct iip_span span;
    uint8_t out[10];
    uint64_t buf;
    side_forget(&b);
    CHECK_EQ(iip_conn_send(conn, bytes, 10), 10);
    buf = side_await(&b, &a, IIP_EVENT_DATA, peer)->buf;
    CHECK_EQ(buf >> 50, IIP_KIND_BUF);
    CHECK_EQ(iip_buf_retain(buf), IIP_OK);
    CHECK_EQ(iip_buf_spans(buf, &span, 1), 1);
    CHECK(span.len == 10 && memcmp((const void *)(uintptr_t)span.addr, bytes, 10) == 0);
    CHECK_EQ(iip_buf_detach(buf, out, sizeof out), 10);
    CHECK(memcmp(out, bytes, 10) == 0);
    CHECK_EQ(iip_buf_release_n(&buf, 1), 1);
    CHECK_EQ(iip_buf_alloc(b.loop, &span), IIP_OK);
    CHECK_EQ(iip_buf_release(span.buf), IIP_OK);
}

static void registered(void)
{
    uint64_t region;
    struct iip_op *op;
    CHECK_EQ(iip_region_add(a.engine, bytes, sizeof bytes, &region), IIP_OK);
    op = side_op(&a, IIP_OP_SEND_EXTERN, conn);
    op->buf = region;
    op->arg = 1000;
    op->len = 2000;
    op->user = 77;
    side_turn(&a);
    CHECK_EQ(op->out, 2000);
    CHECK_EQ(iip_region_remove(region), IIP_E_BUSY);
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_TX_DONE, conn)->user, 77);
    CHECK_EQ(iip_region_remove(region), IIP_OK);
}

static void options(void)
{
    uint64_t value = 0;
    struct iip_op *op = side_op(&a, IIP_OP_SET, conn);
    op->offset = IIP_OPT_TTL;
    op->arg = 9;
    side_turn(&a);
    CHECK_EQ(op->status, IIP_OK);
    CHECK_EQ(iip_conn_get(conn, IIP_OPT_TTL, &value), IIP_OK);
    CHECK_EQ(value, 9);
    CHECK_EQ(iip_conn_set(conn, IIP_OPT_NODELAY, 1), IIP_OK);
    CHECK_EQ(iip_conn_set(conn, IIP_OPT_NODELAY, 2), IIP_E_RANGE);
    CHECK_EQ(iip_conn_set(conn, IIP_OPT_EXPLICIT_CREDIT, 1), IIP_OK);
    op = side_op(&a, IIP_OP_USER, conn);
    op->user = 55;
    op = side_op(&a, IIP_OP_CREDIT, conn);
    op->len = 1;
    side_turn(&a);
    CHECK_EQ(op->status, IIP_E_RANGE);
    CHECK_EQ(a.turn.op_short, 1);
}

static void posts(void)
{
    struct iip_op op = {.code = IIP_OP_URGENT, .flags = IIP_OP_REPLY, .obj = conn, .user = 3};
    const struct iip_event *ev;
    CHECK_EQ(iip_conn_send(conn, bytes, 4), 4);
    CHECK_EQ(iip_loop_post(a.loop, &op, 1), IIP_OK);
    ev = side_await(&a, &b, IIP_EVENT_DONE, conn);
    CHECK(ev->user == 3 && ev->len == IIP_OP_URGENT && ev->status == IIP_OK);
    CHECK_EQ(side_await(&b, &a, IIP_EVENT_URGENT, peer)->status, IIP_OK);
    op = (struct iip_op){.code = IIP_OP_NOP};
    CHECK_EQ(iip_loop_op(a.loop, &op), IIP_OK);
}

static void timers(void)
{
    struct iip_op *op = side_op(&a, IIP_OP_TIMER, 0), *other = side_op(&a, IIP_OP_TIMER, 0);
    uint64_t timer;
    op->arg = 5000;
    op->user = 4;
    CHECK_EQ(iip_loop_now(a.loop, &other->arg), IIP_OK);
    other->arg += 3000;
    other->flags = IIP_OP_ABSOLUTE;
    a.turn.flags = IIP_TURN_DEADLINE;
    side_turn(&a);
    CHECK_EQ(a.turn.deadline_us, a.turn.now_us + 3000);
    a.turn.flags = 0;
    timer = op->out;
    CHECK_EQ(timer >> 50, IIP_KIND_TIMER);
    op = side_op(&a, IIP_OP_CANCEL, other->out);
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_TIMER, 0)->src, timer);
    CHECK_EQ(op->status, IIP_OK);
}

static void datagrams(void)
{
    uint64_t server, client;
    struct iip_addr to;
    struct iip_addrs back = {.local = {.port = 0}};
    const struct iip_event *ev;
    struct iip_op *op;
    CHECK_EQ(iip_loop_udp(b.loop, ":53", 0, &server), IIP_OK);
    CHECK_EQ(iip_loop_udp(a.loop, "10.0.0.1:1000", 0, &client), IIP_OK);
    CHECK_EQ(iip_addr_parse("10.0.0.2:53", &to), IIP_OK);
    CHECK_EQ(iip_udp_send_to(client, &to, bytes, 300), 300);
    ev = side_await(&b, &a, IIP_EVENT_UDP, server);
    CHECK_EQ(ev->len, 300);
    back.peer = b.ends[ev - b.seen].peer;
    CHECK_EQ(back.peer.port, 1000);
    op = side_op(&b, IIP_OP_UDP_SEND, server);
    op->buf = ev->buf;
    op->len = ev->len;
    op->arg = (uintptr_t)&back;
    ev = side_await(&a, &b, IIP_EVENT_UDP, client);
    CHECK(ev->len == 300 && memcmp((const void *)(uintptr_t)ev->addr, bytes, 300) == 0);
    CHECK_EQ(iip_buf_release(ev->buf), IIP_OK);
    CHECK_EQ(iip_handle_close(client), IIP_OK);
    CHECK_EQ(iip_handle_close(server), IIP_OK);
    CHECK_EQ(side_await(&b, &a, IIP_EVENT_CLOSED, server)->status, IIP_OK);
}

static void ends(void)
{
    struct iip_op *op = side_op(&b, IIP_OP_SEND_COPY, peer);
    op->flags = IIP_OP_SHUT;
    op->arg = (uintptr_t)bytes;
    op->len = 1;
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_FIN, conn)->user, 55);
    CHECK_EQ(iip_conn_shutdown(peer), IIP_E_SHUTDOWN);
    CHECK_EQ(iip_conn_abort(conn), IIP_OK);
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_CLOSED, conn)->status, IIP_E_ABORTED);
    CHECK_EQ(side_await(&b, &a, IIP_EVENT_CLOSED, peer)->status, IIP_E_RESET);
    side_op(&a, IIP_OP_ABORT, conn);
    side_turn(&a);
    CHECK_EQ(a.area.ops[0].status, IIP_E_STALE);
    CHECK_EQ(iip_engine_close(a.engine, NULL), IIP_OK);
    CHECK_EQ(iip_engine_close(b.engine, NULL), IIP_OK);
}

int main(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    side_open(&a, "sim:streams,clock=virtual", "10.0.0.1/24", 1);
    side_open(&b, "sim:streams,clock=virtual", "10.0.0.2/24", 2);
    connects();
    echoes();
    buffers();
    registered();
    options();
    posts();
    timers();
    datagrams();
    ends();
    return done();
}

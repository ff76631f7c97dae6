/* echo_test.c - connections, streams and datagrams from end to end, both loops on one thread. */
#include "world.h"

static void a_connection_begins_speaks_and_ends(void)
{
    struct side a, b;
    world_open(&a, &b, "pair:echo1");
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_send(a.conn, "hello", 5), 5);
    until(&a, 0, &b, SAW_DATA);
    CHECK_EQ(b.got, 5);
    CHECK_EQ(iip_conn_send(b.conn, "hello too", 9), 9);
    until(&a, SAW_DATA, &b, 0);
    CHECK_EQ(a.got, 9);
    CHECK_EQ(iip_conn_shutdown(a.conn), IIP_OK);
    until(&a, 0, &b, SAW_FIN);
    CHECK_EQ(iip_conn_send(a.conn, "x", 1), IIP_E_SHUTDOWN);
    CHECK_EQ(iip_handle_close(b.conn), IIP_OK);
    until(&a, SAW_FIN, &b, SAW_CLOSED);
    CHECK_EQ(b.reason, IIP_OK);
    iip_handle_close(a.conn);
    until(&a, SAW_CLOSED, &b, 0);
    CHECK_EQ(a.reason, IIP_OK);
    CHECK_EQ(iip_conn_send(a.conn, "x", 1), IIP_E_STALE);
    CHECK_EQ(iip_conn_send(b.conn, "x", 1), IIP_E_STALE);
    world_close(&a, &b);
}

static void events_say_who_and_where(void)
{
    struct side a, b;
    const struct iip_event *ev;
    const struct iip_addrs *ends;
    char text[64];
    uint64_t lis;
    world_open(&a, &b, "pair:echo2");
    CHECK_EQ(iip_loop_listen(b.loop, "10.0.0.2:80", 77, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a.loop, "10.0.0.2:80", 78, &a.conn), IIP_OK);
    while (turn(&b, IIP_TURN_FLUSH) == 0)
        turn(&a, IIP_TURN_FLUSH);
    ev = event(&b, 0);
    CHECK_EQ(ev->type, IIP_EVENT_ACCEPT);
    CHECK_EQ(ev->user, 77);
    CHECK_EQ(ev->value, lis);
    CHECK_EQ(ev->buf, 0);
    CHECK(ev->aux && ev->aux + sizeof *ends <= b.area.aux_bytes);
    ends = (const struct iip_addrs *)(const void *)(b.area.aux + ev->aux);
    iip_addr_format(&ends->local, text, sizeof text);
    CHECK_STR(text, "10.0.0.2:80");
    CHECK_EQ(ends->peer.family, 4);
    CHECK(ends->peer.port != 0);
    b.conn = ev->src;
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    CHECK_EQ(a.reason, IIP_E_ABORTED);
    CHECK_EQ(b.reason, IIP_E_RESET);
    iip_handle_close(lis);
    until(&a, 0, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* What a data event says twice, once as an address and once as (region, offset), are the same bytes. */
static void an_address_and_a_region_name_the_same_bytes(void)
{
    struct side a, b;
    struct iip_region_info regions[16];
    const struct iip_event *ev = NULL;
    struct iip_span span;
    int32_t n;
    world_open(&a, &b, "pair:echo3");
    world_connect(&a, &b);
    iip_conn_send(a.conn, "0123456789", 10);
    do
        turn(&a, IIP_TURN_FLUSH);
    while (turn(&b, IIP_TURN_FLUSH) == 0);
    ev = event(&b, 0);
    n = iip_engine_regions(b.engine, regions, 16);
    CHECK_EQ(ev->type, IIP_EVENT_DATA);
    CHECK(ev->region < n);
    CHECK_EQ(regions[ev->region].base + ev->offset, ev->addr);
    CHECK(ev->offset + ev->len <= regions[ev->region].len);
    CHECK_MEM((const void *)(uintptr_t)ev->addr, "0123456789", 10);
    CHECK_EQ(iip_buf_spans(ev->buf, &span, 1), 1);
    CHECK_EQ(span.addr, ev->addr);
    CHECK_EQ(span.len, 10);
    CHECK_EQ(iip_buf_release(ev->buf), IIP_OK);
    CHECK_EQ(iip_buf_release(ev->buf), IIP_E_STALE);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Long packets are lent: the receiver's events name memory of the other end, which its own list of regions has. */
static void long_packets_lie_in_memory_of_the_sender(void)
{
    static char bytes[1000];
    struct side a, b;
    struct side *from = &a, *to = &b;
    struct iip_leaks leaks = {.size = sizeof leaks};
    struct iip_event ev;
    uint32_t i;
    world_open(&a, &b, "pair:echo9");
    world_connect(&a, &b);
    memset(bytes, 'x', sizeof bytes);
    for (i = 0; i < 2; i++) {
        struct iip_region_info theirs[8], mine[8];
        CHECK(iip_engine_regions(from->engine, theirs, 8) > 1);
        CHECK(iip_engine_regions(to->engine, mine, 8) > 1);
        CHECK_EQ(iip_conn_send(from->conn, bytes, sizeof bytes), sizeof bytes);
        do
            turn(from, IIP_TURN_FLUSH);
        while (turn(to, IIP_TURN_FLUSH) == 0);
        ev = *event(to, 0);
        CHECK_EQ(ev.type, IIP_EVENT_DATA);
        CHECK_EQ(mine[ev.region].base, theirs[0].base);
        CHECK_EQ(mine[ev.region].base + ev.offset, ev.addr);
        CHECK(ev.offset + ev.len <= mine[ev.region].len);
        if (i == 0)
            CHECK_EQ(iip_buf_release(ev.buf), IIP_OK);
        from = &b;
        to = &a;
    }
    CHECK_EQ(iip_conn_abort(b.conn), IIP_OK);
    CHECK_EQ(iip_engine_close(b.engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs, 0);
    CHECK_MEM((const void *)(uintptr_t)ev.addr, bytes, sizeof bytes); /* its sender is gone, it is not */
    until(&a, SAW_CLOSED, &a, 0);
    CHECK_EQ(iip_engine_close(a.engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs, 1); /* it was never released */
}

/* A buffer that was received is sent back as it is, by its handle. */
static void an_echo_without_a_copy(void)
{
    struct side a, b;
    struct iip_op *op;
    char back[16];
    uint64_t buf = 0;
    world_open(&a, &b, "pair:echo4");
    world_connect(&a, &b);
    iip_conn_send(a.conn, "there and back", 14);
    do
        turn(&a, IIP_TURN_FLUSH);
    while (turn(&b, IIP_TURN_FLUSH) == 0);
    op = next_op(&b, IIP_OP_SEND_BUF, b.conn);
    op->buf = buf = event(&b, 0)->buf;
    op->offset = 6;
    op->len = event(&b, 0)->len - 6;
    do
        turn(&b, IIP_TURN_FLUSH);
    while (turn(&a, IIP_TURN_FLUSH) == 0);
    CHECK_EQ(op->status, IIP_OK);
    CHECK_EQ(op->out, 8);
    CHECK_EQ(iip_buf_release(buf), IIP_E_STALE); /* it moved */
    CHECK_EQ(event(&a, 0)->len, 8);
    CHECK_EQ(iip_buf_detach(event(&a, 0)->buf, back, sizeof back), 8);
    CHECK_MEM(back, "and back", 8);
    CHECK_EQ(iip_buf_detach(event(&a, 0)->buf, back, sizeof back), IIP_E_STALE);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* One turn is enough: write into tx_free, submit, say how many were taken. */
static void laid_out_buffers_are_written_and_sent(void)
{
    struct side a, b;
    struct iip_op *op;
    uint64_t kept;
    uint32_t i, before;
    world_open(&a, &b, "pair:echo5");
    world_connect(&a, &b);
    before = a.turn.tx_free_n;
    CHECK_EQ(before, a.area.tx_free_cap);
    for (i = 0; i < 3; i++) {
        memset((void *)(uintptr_t)a.area.tx_free[i].addr, 'a' + (int)i, 100);
        op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
        op->buf = a.area.tx_free[i].buf;
        op->len = 100;
    }
    kept = a.area.tx_free[3].buf; /* taken, but not sent yet */
    op = next_op(&a, IIP_OP_SEND_BUF, a.conn);
    op->buf = a.area.tx_free[4].buf; /* sent, but not taken: that is a mistake */
    op->len = 100;
    a.turn.tx_taken = 4;
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(a.area.ops[0].status, IIP_OK);
    CHECK_EQ(a.area.ops[2].status, IIP_OK);
    CHECK_EQ(a.area.ops[3].status, IIP_E_STALE);
    CHECK_EQ(a.turn.op_short, 1);
    CHECK_EQ(a.turn.tx_free_n, before);
    for (i = 0; i < before; i++)
        CHECK(a.area.tx_free[i].buf != kept);
    while (b.got < 300)
        turn_seen(&b, IIP_TURN_FLUSH);
    release(&a, kept);
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(a.turn.release_failed, 0);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void the_whole_way_over_ipv6(void)
{
    struct side a, b;
    struct iip_conn_info info = {.size = sizeof info};
    uint64_t lis;
    char text[64];
    world_open(&a, &b, "pair:echo6");
    CHECK_EQ(iip_loop_listen(b.loop, ":80", 0, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a.loop, "[fd00::2]:80", 0, &a.conn), IIP_OK);
    until(&a, SAW_CONNECTED, &b, SAW_ACCEPT);
    CHECK_EQ(iip_conn_info_get(a.conn, &info), IIP_OK);
    CHECK_EQ(info.state, IIP_CONN_ESTABLISHED);
    CHECK_EQ(info.conn, a.conn);
    iip_addr_format(&info.peer, text, sizeof text);
    CHECK_STR(text, "[fd00::2]:80");
    iip_conn_abort(a.conn);
    iip_handle_close(lis);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    until(&a, 0, &b, 0);
    world_close(&a, &b);
}

static void datagrams_bring_their_addresses(void)
{
    struct side a, b;
    struct iip_addr to;
    const struct iip_event *ev;
    const struct iip_addrs *ends;
    struct iip_op *op;
    uint64_t from = 0, at = 0;
    world_open(&a, &b, "pair:echo7");
    CHECK_EQ(iip_loop_udp(a.loop, ":0", 1, &from), IIP_OK);
    CHECK_EQ(iip_loop_udp(b.loop, ":53", 2, &at), IIP_OK);
    iip_addr_parse("10.0.0.2:53", &to);
    CHECK_EQ(iip_udp_send_to(from, &to, "query", 5), 5);
    do
        turn(&a, IIP_TURN_FLUSH);
    while (turn(&b, IIP_TURN_FLUSH) == 0);
    ev = event(&b, 0);
    CHECK_EQ(ev->type, IIP_EVENT_UDP);
    CHECK_EQ(ev->src, at);
    CHECK_EQ(ev->user, 2);
    CHECK_EQ(ev->len, 5);
    CHECK_EQ(ev->value & 255, 64);
    ends = (const struct iip_addrs *)(const void *)(b.area.aux + ev->aux);
    op = next_op(&b, IIP_OP_UDP_SEND, at); /* the answer, in the buffer of the question, from where it went to */
    op->buf = ev->buf;
    op->len = ev->len;
    op->aux = sizeof *ends;
    memcpy(b.area.op_aux + op->aux, ends, sizeof *ends);
    do
        turn(&b, IIP_TURN_FLUSH);
    while (turn(&a, IIP_TURN_FLUSH) == 0);
    CHECK_EQ(op->status, IIP_OK);
    CHECK_EQ(event(&a, 0)->type, IIP_EVENT_UDP);
    CHECK_EQ(event(&a, 0)->len, 5);
    iip_buf_release(event(&a, 0)->buf);
    iip_handle_close(from);
    iip_handle_close(at);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    CHECK_EQ(iip_udp_send_to(at, &to, "x", 1), IIP_E_STALE);
    world_close(&a, &b);
}

/* What was received for an endpoint and not handed up yet goes with it. */
static void a_closed_endpoint_is_silent(void)
{
    struct side a, b;
    struct iip_addr to;
    uint64_t from = 0, at = 0;
    uint32_t i;
    world_open(&a, &b, "pair:echo7b");
    iip_loop_udp(a.loop, ":0", 1, &from);
    iip_loop_udp(b.loop, ":53", 2, &at);
    iip_addr_parse("10.0.0.2:53", &to);
    for (i = 0; i < 5; i++)
        CHECK_EQ(iip_udp_send_to(from, &to, "query", 5), 5);
    b.turn.event_max = 1;
    do
        turn(&a, IIP_TURN_FLUSH);
    while (turn(&b, IIP_TURN_FLUSH) == 0);
    CHECK_EQ(event(&b, 0)->type, IIP_EVENT_UDP);
    CHECK(b.turn.state & IIP_STATE_MORE);
    iip_buf_release(event(&b, 0)->buf);
    CHECK_EQ(iip_udp_send_to(from, &to, "query", 5), 5);
    turn(&a, IIP_TURN_FLUSH);
    CHECK_EQ(turn(&b, 0), 1);
    CHECK_EQ(b.turn.rx_packets, 0); /* nothing new before the old is handed up */
    iip_buf_release(event(&b, 0)->buf);
    CHECK_EQ(iip_handle_close(at), IIP_OK);
    b.turn.event_max = 0;
    CHECK_EQ(turn(&b, 0), 1);
    CHECK_EQ(event(&b, 0)->type, IIP_EVENT_CLOSED);
    CHECK_EQ(event(&b, 0)->src, at);
    CHECK_EQ(turn(&b, 0), 0);
    iip_handle_close(from);
    until(&a, SAW_CLOSED, &b, 0);
    world_close(&a, &b);
}

/* The core has let go of a connection whose end is yet to be handed up: operations on it find it closed. */
static void between_the_end_and_its_event(void)
{
    struct side a, b;
    struct iip_conn_info info = {.size = sizeof info};
    uint64_t value;
    world_open(&a, &b, "pair:echo9");
    world_connect(&a, &b);
    iip_conn_send(a.conn, "last words", 10);
    turn(&a, IIP_TURN_FLUSH);
    iip_conn_abort(a.conn);
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK(a.seen & SAW_CLOSED);
    b.turn.event_max = 1;
    CHECK_EQ(turn(&b, 0), 1);
    CHECK_EQ(event(&b, 0)->type, IIP_EVENT_DATA);
    CHECK(b.turn.state & IIP_STATE_MORE);
    CHECK_EQ(iip_conn_send(b.conn, "x", 1), IIP_E_CLOSED);
    CHECK_EQ(iip_conn_set(b.conn, IIP_OPT_NODELAY, 1), IIP_E_CLOSED);
    CHECK_EQ(iip_conn_get(b.conn, IIP_OPT_NODELAY, &value), IIP_E_CLOSED);
    CHECK_EQ(iip_conn_abort(b.conn), IIP_E_CLOSED);
    CHECK_EQ(iip_handle_close(b.conn), IIP_E_CLOSED);
    CHECK_EQ(iip_conn_info_get(b.conn, &info), IIP_OK);
    CHECK_EQ(info.state, IIP_CONN_CLOSED);
    release(&b, event(&b, 0)->buf);
    CHECK_EQ(turn(&b, 0), 1);
    CHECK_EQ(event(&b, 0)->type, IIP_EVENT_CLOSED);
    CHECK_EQ(event(&b, 0)->status, IIP_E_RESET);
    CHECK_EQ(iip_conn_send(b.conn, "x", 1), IIP_E_STALE);
    world_close(&a, &b);
}

static void timers_fire_once_in_order_and_can_be_cancelled(void)
{
    struct side a, b;
    struct iip_op *late, *soon, *never;
    uint64_t now;
    uint32_t i, fired = 0;
    world_open(&a, &b, "pair:echo8");
    late = next_op(&a, IIP_OP_TIMER, 0);
    late->arg = 2000;
    late->user = 2;
    soon = next_op(&a, IIP_OP_TIMER, 0);
    soon->arg = 1000;
    soon->user = 1;
    never = next_op(&a, IIP_OP_TIMER, 0);
    never->arg = 1500;
    turn(&a, IIP_TURN_DEADLINE);
    CHECK_EQ(iip_handle_close(never->out), IIP_OK);
    CHECK_EQ(iip_handle_close(never->out), IIP_E_STALE);
    now = a.turn.now_us;
    CHECK_EQ(a.turn.deadline_us, now + 1000);
    while (fired < 2) {
        a.turn.wait_us = -1;
        turn(&a, IIP_TURN_WAIT);
        for (i = 0; i < a.turn.event_n; i++) {
            CHECK_EQ(event(&a, i)->type, IIP_EVENT_TIMER);
            CHECK_EQ(event(&a, i)->user, ++fired);
            CHECK_EQ(event(&a, i)->value, now + 1000 * fired);
            CHECK(a.turn.now_us >= event(&a, i)->value);
        }
    }
    CHECK_EQ(iip_handle_close(soon->out), IIP_E_STALE);
    world_close(&a, &b);
}

int main(void)
{
    RUN(a_connection_begins_speaks_and_ends);
    RUN(events_say_who_and_where);
    RUN(an_address_and_a_region_name_the_same_bytes);
    RUN(long_packets_lie_in_memory_of_the_sender);
    RUN(an_echo_without_a_copy);
    RUN(laid_out_buffers_are_written_and_sent);
    RUN(the_whole_way_over_ipv6);
    RUN(datagrams_bring_their_addresses);
    RUN(a_closed_endpoint_is_silent);
    RUN(between_the_end_and_its_event);
    RUN(timers_fire_once_in_order_and_can_be_cancelled);
    return check_done();
}

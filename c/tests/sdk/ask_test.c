/*
 * ask_test.c - what an owner may call while another thread does its networking, who wakes whom, and threads that come and
 * go. models_test.c runs one program in all models.
 */
#include <poll.h>
#include <sys/wait.h>

#include "peer.h"

/* ---- what the owner may call, and others may not ---- */

static void calls_of_the_owner(uint32_t cores)
{
    struct peer a, b;
    struct iip_conn_info info = {.size = sizeof info};
    struct iip_loop_stats stats = {.size = sizeof stats};
    struct iip_span span;
    uint64_t value = 7, now = 0, counters[4], released;
    peer_open(&a, "pair:ask5", 1, cores);
    peer_open(&b, "pair:ask5", 2, IIP_CORES_UNIFIED);
    side_settle(&a.side);
    side_settle(&b.side);
    peer_start(&a, cores);
    world_connect(&a.side, &b.side);
    CHECK_EQ(iip_conn_set(a.side.conn, IIP_OPT_NODELAY, 1), IIP_OK);
    CHECK_EQ(iip_conn_get(a.side.conn, IIP_OPT_NODELAY, &value), IIP_OK);
    CHECK_EQ(value, 1);
    CHECK_EQ(iip_conn_get(a.side.conn, 4711, &value), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_conn_info_get(a.side.conn, &info), IIP_OK);
    CHECK_EQ(info.state, IIP_CONN_ESTABLISHED);
    CHECK_EQ(iip_loop_now(a.side.loop, &now), IIP_OK);
    CHECK(now > 0);
    CHECK_EQ(iip_loop_stats_get(a.side.loop, &stats), IIP_OK);
    CHECK_EQ(stats.conns, 1);
    released = stats.releases;
    CHECK(iip_loop_counters(a.side.loop, counters, 4) > 4);
    CHECK_EQ(iip_buf_alloc(a.side.loop, &span), IIP_OK);
    CHECK_EQ(iip_buf_release(span.buf), IIP_OK);
    CHECK_EQ(iip_buf_release(span.buf), IIP_E_STALE);
    turn_seen(&a.side, 0);
    CHECK_EQ(iip_loop_stats_get(a.side.loop, &stats), IIP_OK);
    CHECK_EQ(stats.releases, released + 1);
    CHECK_EQ(iip_loop_turn(a.side.loop, NULL), IIP_E_INVAL);
    a.side.turn.op_n = a.side.area.op_cap + 1;
    CHECK_EQ(iip_loop_turn(a.side.loop, &a.side.turn), IIP_E_RANGE);
    a.side.turn.op_n = 0;
    CHECK_EQ(iip_loop_close(a.side.loop), IIP_OK);
    until(&a.side, SAW_CLOSED, &b.side, SAW_CLOSED);
    turn(&a.side, 0);
    CHECK(a.side.turn.state & IIP_STATE_CLOSED);
    peer_close(&a);
    peer_close(&b);
}

static void calls_of_the_owner_are_answered(void)
{
    calls_of_the_owner(IIP_CORES_SPLIT);
    calls_of_the_owner(IIP_CORES_MERGE);
}

struct other {
    struct peer *p;
    int32_t turned, attached, detached, net, closed;
};

static void *other_calls(void *arg)
{
    struct other *o = arg;
    struct iip_turn turn = {.size = sizeof turn};
    struct iip_loop *loop = o->p->side.loop;
    o->turned = iip_loop_turn(loop, &turn);
    o->attached = iip_loop_attach(loop);
    o->detached = iip_loop_detach(loop);
    o->net = iip_loop_net(loop, 0);
    o->closed = iip_engine_close(o->p->side.engine, NULL);
    return NULL;
}

static void third_threads_are_refused(void)
{
    struct peer a;
    struct other o = {.p = &a};
    pthread_t thread;
    pid_t child;
    int status = 1;
    peer_open(&a, "pair:ask6", 1, IIP_CORES_UNIFIED);
    CHECK_EQ(iip_loop_net(a.side.loop, 0), IIP_E_NOT_SUPPORTED);
    peer_close(&a);
    peer_open(&a, "pair:ask6", 1, IIP_CORES_MERGE);
    network_begin(&a, -1);
    network_joined(&a);
    pthread_create(&thread, NULL, other_calls, &o);
    pthread_join(thread, NULL);
    CHECK_EQ(o.turned, IIP_E_WRONG_THREAD);
    CHECK_EQ(o.attached, IIP_E_BUSY);
    CHECK_EQ(o.detached, IIP_E_WRONG_THREAD);
    CHECK_EQ(o.net, IIP_E_BUSY);
    CHECK_EQ(o.closed, IIP_E_BUSY);
    CHECK_EQ(iip_engine_close(a.side.engine, NULL), IIP_E_BUSY);
    child = fork();
    if (child == 0)
        _exit(iip_loop_net(a.side.loop, -1) != IIP_E_FORKED ||
              iip_loop_turn(a.side.loop, &a.side.turn) != IIP_E_FORKED);
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    peer_close(&a);
    CHECK_EQ(iip_loop_net(a.side.loop, -1), IIP_E_CLOSED);
}

/* ---- the point of it: the networking goes on while the application is busy ---- */

static void the_network_lives_while_the_application_is_busy(void)
{
    struct peer a, b;
    struct iip_conn_info info = {.size = sizeof info};
    uint64_t lis;
    time_t began = 0;
    peer_open(&a, "pair:ask7", 1, IIP_CORES_UNIFIED);
    peer_open(&b, "pair:ask7", 2, IIP_CORES_MERGE);
    network_begin(&b, -1);
    CHECK_EQ(iip_loop_listen(b.side.loop, ":80", 77, &lis), IIP_OK);
    CHECK_EQ(iip_loop_connect(a.side.loop, "10.0.0.2:80", 78, &a.side.conn), IIP_OK);
    until(&a.side, SAW_CONNECTED, &a.side, 0); /* b's application does not turn */
    CHECK_EQ(iip_conn_send(a.side.conn, "hello", 5), 5);
    while (patient(&began)) {
        turn_seen(&a.side, IIP_TURN_FLUSH);
        CHECK_EQ(iip_conn_info_get(a.side.conn, &info), IIP_OK);
        if (!info.unacked && !info.unsent)
            break;
        usleep(100);
    }
    CHECK_EQ(info.unacked + info.unsent, 0);
    while ((b.side.seen & (SAW_ACCEPT | SAW_DATA)) != (SAW_ACCEPT | SAW_DATA)) {
        b.side.turn.wait_us = -1; /* nothing more comes from the wire, but there is something to hand up */
        turn_seen(&b.side, IIP_TURN_WAIT);
    }
    CHECK_EQ(b.side.got, 5);
    iip_conn_abort(a.side.conn);
    iip_handle_close(lis);
    until(&a.side, SAW_CLOSED, &b.side, SAW_CLOSED);
    turn_seen(&b.side, 0);
    peer_close(&a);
    peer_close(&b);
}

/* ---- who wakes whom ---- */

static void *poke(void *arg)
{
    struct iip_loop *loop = arg;
    usleep(2000);
    CHECK_EQ(iip_loop_wake(loop), IIP_OK);
    return NULL;
}

static void *poke_by_post(void *arg)
{
    struct iip_op op = {.code = IIP_OP_NOP, .flags = IIP_OP_REPLY, .user = 9};
    usleep(2000);
    CHECK_EQ(iip_loop_post(arg, &op, 1), IIP_OK);
    return NULL;
}

static int32_t turn_poked(struct side *s, void *(*how)(void *), int64_t wait_us)
{
    pthread_t thread;
    int32_t n;
    if (how)
        pthread_create(&thread, NULL, how, s->loop);
    s->turn.wait_us = wait_us;
    n = turn(s, IIP_TURN_WAIT);
    CHECK_EQ(s->turn.wait_us, wait_us);
    if (how)
        pthread_join(thread, NULL);
    return n;
}

static void waits_end(uint32_t cores, int64_t net_wait)
{
    struct peer a;
    uint64_t before;
    peer_open(&a, "pair:ask8", 1, cores);
    network_begin(&a, net_wait);
    CHECK_EQ(turn_poked(&a.side, poke, -1), 0);
    while (turn_poked(&a.side, poke_by_post, -1) == 0) /* a wake may be left over from the thread that came */
        ;
    CHECK_EQ(event(&a.side, 0)->type, IIP_EVENT_DONE);
    CHECK_EQ(event(&a.side, 0)->user, 9);
    turn(&a.side, 0);
    before = a.side.turn.now_us;
    while (a.side.turn.now_us < before + 3000) /* the same for its time */
        CHECK_EQ(turn_poked(&a.side, NULL, 3000), 0);
    next_op(&a.side, IIP_OP_TIMER, 0)->arg = 1000;
    while (turn_poked(&a.side, NULL, -1) == 0)
        ;
    CHECK_EQ(event(&a.side, 0)->type, IIP_EVENT_TIMER);
    /* The results of the operations survive the waiting. */
    next_op(&a.side, IIP_OP_CLOSE, 12345);
    a.side.area.releases[a.side.turn.release_n++] = 12345;
    turn_poked(&a.side, NULL, 500);
    CHECK_EQ(a.side.turn.op_short, 1);
    CHECK_EQ(a.side.turn.release_failed, 1);
    peer_close(&a);
}

static void a_turn_that_waits_is_ended_by_all_that_ends_one(void)
{
    waits_end(IIP_CORES_SPLIT, 0);
    waits_end(IIP_CORES_SPLIT, 700);
    waits_end(IIP_CORES_MERGE, 0);
    waits_end(IIP_CORES_MERGE, -1);
}

/* ---- a parked application ---- */

/* Turns until it is parked; whatever happened before is seen. */
static void park(struct side *s)
{
    do
        turn_seen(s, IIP_TURN_PARK);
    while (!(s->turn.state & IIP_STATE_PARKED));
    s->seen = 0;
}

static int readable(const struct side *s, int timeout_ms)
{
    struct pollfd fd = {.fd = iip_loop_fd(s->loop), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void a_parked_application_is_called(void)
{
    struct peer a, b;
    peer_open(&a, "pair:ask9", 1, IIP_CORES_UNIFIED);
    peer_open(&b, "pair:ask9", 2, IIP_CORES_MERGE);
    side_settle(&a.side);
    network_begin(&b, -1);
    world_connect(&a.side, &b.side);
    park(&b.side);
    CHECK(!readable(&b.side, 20));
    CHECK_EQ(iip_conn_send(a.side.conn, "hello", 5), 5); /* by packets */
    turn(&a.side, IIP_TURN_FLUSH);
    CHECK(readable(&b.side, 60000));
    turn_seen(&b.side, IIP_TURN_PARK);
    CHECK_EQ(b.side.got, 5);
    park(&b.side); /* by a wake */
    CHECK(!readable(&b.side, 20));
    CHECK_EQ(iip_loop_wake(b.side.loop), IIP_OK);
    CHECK(readable(&b.side, 60000));
    park(&b.side); /* by a wake without a call */
    CHECK(!readable(&b.side, 20));
    wake_by_words(&b.side);
    CHECK(readable(&b.side, 60000));
    next_op(&b.side, IIP_OP_TIMER, 0)->arg = 2000; /* by a timer */
    park(&b.side);
    CHECK(readable(&b.side, 60000));
    turn_seen(&b.side, IIP_TURN_PARK);
    CHECK(b.side.seen & 1 << IIP_EVENT_TIMER);
    park(&b.side);
    network_end(&b); /* by the end of who would call it */
    CHECK(readable(&b.side, 60000));
    iip_conn_abort(a.side.conn);
    until(&a.side, SAW_CLOSED, &b.side, SAW_CLOSED);
    peer_close(&a);
    peer_close(&b);
}

/* What others asked of the loop is answered, by an event: who sleeps is called for it. */
static void a_parked_application_is_called_for_answers(void)
{
    static const uint32_t models[] = {IIP_CORES_SPLIT, IIP_CORES_MERGE};
    struct iip_op op = {.code = IIP_OP_NOP, .flags = IIP_OP_REPLY};
    struct peer a;
    int i;
    for (i = 0; i < 2; i++) {
        peer_open(&a, "pair:ask11", 1, models[i]);
        network_begin(&a, -1);
        park(&a.side);
        usleep(20000); /* the networking thread sleeps, too */
        CHECK_EQ(iip_loop_post(a.side.loop, &op, 1), IIP_OK);
        CHECK(readable(&a.side, 60000));
        turn_seen(&a.side, IIP_TURN_PARK);
        CHECK(a.side.seen & 1 << IIP_EVENT_DONE);
        network_end(&a);
        peer_close(&a);
    }
}

/* ---- networking threads come and go ---- */

static _Atomic int turning;

static void *turns(void *arg)
{
    struct side *s = arg;
    struct iip_op op = {.code = IIP_OP_NOP};
    CHECK_EQ(iip_loop_attach(s->loop), IIP_OK);
    while (atomic_load(&turning)) {
        s->turn.wait_us = -1;
        next_op(s, IIP_OP_CLOSE, 12345);
        turn(s, IIP_TURN_WAIT);
        CHECK_EQ(s->turn.op_short, 1);
        CHECK_EQ(iip_loop_op(s->loop, &op), IIP_OK);
    }
    CHECK_EQ(iip_loop_detach(s->loop), IIP_OK);
    return NULL;
}

static void networking_threads_come_and_go(uint32_t cores)
{
    struct peer a;
    pthread_t app;
    int i;
    peer_open(&a, "pair:ask10", 1, cores);
    CHECK_EQ(iip_loop_detach(a.side.loop), IIP_OK);
    atomic_store(&turning, 1);
    pthread_create(&app, NULL, turns, &a.side);
    for (i = 0; i < 50; i++) {
        network_begin(&a, i % 2 ? 0 : -1);
        if (i % 3)
            usleep(100 * (unsigned)i % 7);
        network_end(&a);
        CHECK(a.last >= 0);
    }
    atomic_store(&turning, 0);
    iip_loop_wake(a.side.loop);
    pthread_join(app, NULL);
    CHECK_EQ(iip_loop_attach(a.side.loop), IIP_OK);
    peer_close(&a);
}

static void nobody_hangs_when_networking_threads_come_and_go(void)
{
    networking_threads_come_and_go(IIP_CORES_SPLIT);
    networking_threads_come_and_go(IIP_CORES_MERGE);
}

int main(void)
{
    RUN(calls_of_the_owner_are_answered);
    RUN(third_threads_are_refused);
    RUN(the_network_lives_while_the_application_is_busy);
    RUN(a_turn_that_waits_is_ended_by_all_that_ends_one);
    RUN(a_parked_application_is_called);
    RUN(a_parked_application_is_called_for_answers);
    RUN(nobody_hangs_when_networking_threads_come_and_go);
    return check_done();
}

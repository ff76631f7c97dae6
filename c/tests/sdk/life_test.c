/* life_test.c - who may call, when it is over, what was left, and what a forked child may not touch. */
#include <pthread.h>
#include <sys/wait.h>

#include "world.h"

struct caller {
    struct side *s;
    int32_t turned, op, area, attached, detached, sent, alloc, woken, posted, index, conns, freed;
};

static void *calls_all(void *arg)
{
    struct caller *c = arg;
    struct iip_turn turn = {.size = sizeof turn};
    struct iip_area area = {.size = sizeof area};
    struct iip_op op = {.code = IIP_OP_NOP};
    struct iip_span span;
    uint64_t conns[4];
    c->turned = iip_loop_turn(c->s->loop, &turn);
    c->op = iip_loop_op(c->s->loop, &op);
    c->area = iip_loop_area(c->s->loop, &area);
    c->attached = iip_loop_attach(c->s->loop);
    c->detached = iip_loop_detach(c->s->loop);
    c->sent = iip_conn_send(c->s->conn, "x", 1);
    c->alloc = iip_buf_alloc(c->s->loop, &span);
    c->woken = iip_loop_wake(c->s->loop);
    c->posted = iip_loop_post(c->s->loop, &op, 1);
    c->index = iip_loop_index(c->s->loop);
    c->conns = iip_loop_conns(c->s->loop, 0, conns, 4);
    c->freed = iip_engine_close(c->s->engine, NULL);
    return NULL;
}

static void another_thread_may_only_post_wake_release_and_look(void)
{
    struct side a, b;
    struct caller c;
    pthread_t thread;
    world_open(&a, &b, "pair:life1");
    world_connect(&a, &b);
    c.s = &a;
    pthread_create(&thread, NULL, calls_all, &c);
    pthread_join(thread, NULL);
    CHECK_EQ(c.turned, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.op, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.area, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.attached, IIP_E_BUSY);
    CHECK_EQ(c.detached, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.sent, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.alloc, IIP_E_WRONG_THREAD);
    CHECK_EQ(c.woken, IIP_OK);
    CHECK_EQ(c.posted, IIP_OK);
    CHECK_EQ(c.index, 0);
    CHECK_EQ(c.conns, 1);
    CHECK_EQ(c.freed, IIP_E_BUSY);
    CHECK_EQ(iip_loop_detach(a.loop), IIP_OK);
    CHECK_EQ(iip_loop_turn(a.loop, &a.turn), IIP_E_WRONG_THREAD);
    CHECK_EQ(iip_loop_attach(a.loop), IIP_OK);
    CHECK_EQ(iip_loop_attach(a.loop), IIP_OK);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* Every connection, listener, endpoint and timer ends with one CLOSED event; the last turn says so. */
static void closing_a_loop_ends_everything(void)
{
    struct side a, b;
    uint64_t lis, udp, other;
    uint32_t closed[8] = {0};
    struct iip_op timer = {.code = IIP_OP_TIMER, .arg = 1000000};
    struct iip_span span;
    uint32_t i, turns;
    world_open(&a, &b, "pair:life2");
    world_connect(&a, &b);
    iip_loop_listen(a.loop, ":90", 0, &lis);
    iip_loop_udp(a.loop, ":91", 0, &udp);
    iip_loop_op(a.loop, &timer);
    iip_conn_send(a.conn, "in flight", 9);
    CHECK_EQ(iip_loop_close(a.loop), IIP_OK);
    CHECK_EQ(iip_loop_listen(a.loop, ":92", 0, &other), IIP_E_CLOSED);
    CHECK_EQ(iip_loop_connect(a.loop, "10.0.0.2:80", 0, &other), IIP_E_CLOSED);
    CHECK_EQ(iip_buf_alloc(a.loop, &span), IIP_E_CLOSED);
    for (turns = 0; turns < 50 && !(a.turn.state & IIP_STATE_CLOSED); turns++) {
        a.turn.event_max = 1; /* also when there is little room */
        turn(&a, 0);
        for (i = 0; i < a.turn.event_n; i++) {
            CHECK_EQ(event(&a, i)->type, IIP_EVENT_CLOSED);
            CHECK_EQ(event(&a, i)->status, IIP_E_ABORTED);
            closed[event(&a, i)->src >> 50]++;
        }
    }
    CHECK(a.turn.state & IIP_STATE_CLOSED);
    CHECK_EQ(closed[IIP_KIND_CONN], 1);
    CHECK_EQ(closed[IIP_KIND_LISTENER], 1);
    CHECK_EQ(closed[IIP_KIND_UDP], 1);
    CHECK_EQ(closed[IIP_KIND_TIMER], 1);
    until(&b, SAW_CLOSED, &b, 0);
    CHECK_EQ(b.reason, IIP_E_RESET);
    world_close(&a, &b);
}

/* Two connections were reset; the application knows of one when it ends the loop, or the engine. */
static void ends_that_were_not_told_yet(int by_loop)
{
    struct side a, b;
    uint64_t first;
    uint32_t turns;
    world_open(&a, &b, "pair:untold");
    world_connect(&a, &b);
    first = a.conn;
    world_connect(&a, &b);
    iip_conn_abort(first);
    iip_conn_abort(a.conn);
    turn_seen(&a, IIP_TURN_FLUSH);
    b.turn.event_max = 1;
    turn_seen(&b, 0);
    CHECK_EQ(event(&b, 0)->type, IIP_EVENT_CLOSED);
    CHECK(b.turn.state & IIP_STATE_MORE);
    if (by_loop) {
        CHECK_EQ(iip_loop_close(b.loop), IIP_OK);
        b.seen = 0;
        for (turns = 0; turns < 50 && !(b.turn.state & IIP_STATE_CLOSED); turns++)
            turn_seen(&b, 0);
        CHECK_EQ(b.seen, SAW_CLOSED);
        CHECK_EQ(b.reason, IIP_E_RESET);
    }
    until(&a, SAW_CLOSED, &a, 0);
    side_close(&a);
    iip_engine_close(b.engine, NULL);
}

static void a_loop_ends_before_all_ends_are_told(void)
{
    ends_that_were_not_told_yet(1);
}

static void an_engine_ends_before_all_ends_are_told(void)
{
    ends_that_were_not_told_yet(0);
}

static void leaks_are_counted_and_late_calls_are_stale(void)
{
    struct side a, b;
    struct iip_leaks leaks = {.size = sizeof leaks};
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_span span;
    uint64_t lis, buf, conn;
    world_open(&a, &b, "pair:life3");
    world_connect(&a, &b);
    iip_loop_listen(b.loop, ":90", 0, &lis);
    iip_buf_alloc(b.loop, &span);
    iip_conn_send(a.conn, "kept", 4);
    do
        turn(&a, IIP_TURN_FLUSH);
    while (turn(&b, IIP_TURN_FLUSH) == 0);
    buf = event(&b, 0)->buf;
    engine = b.engine, loop = b.loop, conn = b.conn;
    CHECK_EQ(iip_engine_close(engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs, 2);
    CHECK_EQ(leaks.conns, 1);
    CHECK_EQ(leaks.listeners, 1);
    CHECK_EQ(leaks.udps + leaks.timers + leaks.externs + leaks.regions, 0);
    CHECK_EQ(iip_buf_release(buf), IIP_E_STALE);
    CHECK_EQ(iip_buf_retain(span.buf), IIP_E_STALE);
    CHECK_EQ(iip_conn_send(conn, "x", 1), IIP_E_STALE);
    CHECK_EQ(iip_loop_turn(loop, &b.turn), IIP_E_CLOSED);
    CHECK_EQ(iip_loop_wake(loop), IIP_E_CLOSED);
    CHECK_EQ(iip_engine_close(engine, NULL), IIP_E_CLOSED);
    until(&a, SAW_CLOSED, &a, 0);
    side_close(&a);
    world_open(&a, &b, "pair:life3"); /* the same numbers of loops are used again: old handles are still told */
    world_connect(&a, &b);
    CHECK_EQ(iip_buf_release(buf), IIP_E_STALE);
    CHECK_EQ(iip_conn_send(conn, "x", 1), IIP_E_STALE);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* In the child: everything of the parent is out of reach, and its own engines work. */
static int child(struct side *a, uint64_t buf)
{
    struct side c, d;
    struct iip_engine *engine;
    struct iip_area area = {.size = sizeof area};
    int bad = 0;
    bad += iip_loop_turn(a->loop, &a->turn) != IIP_E_FORKED;
    bad += iip_loop_area(a->loop, &area) != IIP_E_FORKED;
    bad += iip_loop_wake(a->loop) != IIP_E_FORKED;
    bad += iip_loop_fd(a->loop) != IIP_E_FORKED;
    bad += iip_conn_send(a->conn, "x", 1) != IIP_E_FORKED;
    bad += iip_buf_release(buf) != IIP_E_FORKED;
    bad += iip_engine_close(a->engine, NULL) != IIP_E_FORKED;
    bad += iip_engine_list(0, &engine) != IIP_E_NOT_FOUND;
    world_open(&c, &d, "pair:life4");
    world_connect(&c, &d);
    iip_conn_abort(c.conn);
    until(&c, SAW_CLOSED, &d, SAW_CLOSED);
    world_close(&c, &d);
    bad += iip_loop_turn(a->loop, &a->turn) != IIP_E_FORKED; /* still, now that the child has engines */
    return bad + check_failures;
}

static void a_forked_child_touches_nothing(void)
{
    struct side a, b;
    struct iip_span span;
    int status = 0;
    pid_t pid;
    world_open(&a, &b, "pair:life4parent");
    world_connect(&a, &b);
    iip_buf_alloc(a.loop, &span);
    pid = fork();
    if (pid == 0)
        _exit(child(&a, span.buf));
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 0);
    CHECK_EQ(iip_conn_send(a.conn, "still here", 10), 10);
    until(&a, 0, &b, SAW_DATA);
    CHECK_EQ(iip_buf_release(span.buf), IIP_OK);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void engines_and_connections_are_listed(void)
{
    struct side a, b;
    struct iip_engine *one = NULL, *two = NULL, *none = NULL;
    struct iip_engine_info info = {.size = sizeof info};
    uint64_t list[8], extra;
    world_open(&a, &b, "pair:life5");
    world_connect(&a, &b);
    CHECK_EQ(iip_engine_list(0, &one), IIP_OK);
    CHECK_EQ(iip_engine_list(1, &two), IIP_OK);
    CHECK(one != two && (one == a.engine || one == b.engine));
    CHECK_EQ(iip_engine_list(2, &none), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_loop_connect(a.loop, "10.0.0.2:9", 0, &extra), IIP_OK);
    CHECK_EQ(iip_loop_conns(a.loop, 0, list, 1), 1);
    CHECK_EQ(list[0], a.conn);
    CHECK_EQ(iip_loop_conns(a.loop, list[0], list, 8), 1);
    CHECK_EQ(list[0], extra);
    CHECK_EQ(iip_loop_conns(a.loop, extra, list, 8), 0);
    CHECK_EQ(iip_loop_conns(b.loop, extra, list, 8), IIP_E_STALE);
    CHECK_EQ(iip_engine_info_get(a.engine, &info), IIP_OK);
    CHECK_EQ(info.conns, 2);
    CHECK_EQ(info.loops, 1);
    CHECK_EQ(info.mtu, 1500);
    CHECK_EQ(info.link_up, 1);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    until(&a, 0, &b, 0);
    CHECK_EQ(iip_loop_conns(a.loop, 0, list, 8), 0); /* the second was refused */
    world_close(&a, &b);
}

int main(void)
{
    RUN(another_thread_may_only_post_wake_release_and_look);
    RUN(closing_a_loop_ends_everything);
    RUN(a_loop_ends_before_all_ends_are_told);
    RUN(an_engine_ends_before_all_ends_are_told);
    RUN(leaks_are_counted_and_late_calls_are_stale);
    RUN(a_forked_child_touches_nothing);
    RUN(engines_and_connections_are_listed);
    return check_done();
}

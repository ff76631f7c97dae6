/* threads_test.c - two loops on two threads, and crowds of others that release, retain, post, wake and look. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "world.h"

enum { ROUNDS = 3000, CONNS = 8, CROWD = 3, STORM = 20000 };

static _Atomic int serving, stop;

/* ---- an echo on each side of the pair, each loop on a thread of its own ---- */

static void *serve(void *arg)
{
    struct side *s = arg;
    uint64_t lis;
    uint32_t i;
    CHECK_EQ(iip_loop_attach(s->loop), IIP_OK);
    CHECK_EQ(iip_loop_listen(s->loop, ":80", 0, &lis), IIP_OK);
    atomic_store(&serving, 1);
    while (!atomic_load(&stop)) {
        s->turn.wait_us = 20000;
        turn(s, IIP_TURN_WAIT);
        for (i = 0; i < s->turn.event_n; i++) {
            const struct iip_event *ev = event(s, i);
            struct iip_op *op;
            if (ev->type == IIP_EVENT_FIN) {
                next_op(s, IIP_OP_CLOSE, ev->src);
            } else if (ev->type == IIP_EVENT_DATA) {
                op = next_op(s, IIP_OP_SEND_BUF, ev->src);
                op->buf = ev->buf;
                op->len = ev->len;
            }
        }
    }
    iip_handle_close(lis);
    turn_seen(s, 0);
    CHECK_EQ(iip_loop_detach(s->loop), IIP_OK);
    return NULL;
}

static void one_thread_asks_the_other_answers(void)
{
    struct side a, b;
    pthread_t server;
    uint64_t conn[CONNS];
    uint32_t i, answered = 0, closed = 0, wrong = 0;
    world_open(&a, &b, "pair:threads1");
    CHECK_EQ(iip_loop_detach(b.loop), IIP_OK);
    atomic_store(&stop, 0);
    atomic_store(&serving, 0);
    pthread_create(&server, NULL, serve, &b);
    while (!atomic_load(&serving))
        sched_yield();
    for (i = 0; i < CONNS; i++)
        iip_loop_connect(a.loop, "10.0.0.2:80", i, &conn[i]);
    while (answered < ROUNDS || closed < CONNS) {
        a.turn.wait_us = 20000;
        turn(&a, IIP_TURN_WAIT);
        for (i = 0; i < a.turn.event_n; i++) {
            const struct iip_event *ev = event(&a, i);
            if (ev->type == IIP_EVENT_DATA) {
                wrong += ev->len != 4 || memcmp((void *)(uintptr_t)ev->addr, "ping", 4) != 0;
                release(&a, ev->buf);
                answered++;
            }
            closed += ev->type == IIP_EVENT_CLOSED;
            wrong += ev->type == IIP_EVENT_CLOSED && ev->status != IIP_OK;
            if (ev->type == IIP_EVENT_FIN)
                next_op(&a, IIP_OP_CLOSE, ev->src);
            if (ev->type == IIP_EVENT_CONNECTED || ev->type == IIP_EVENT_DATA) {
                struct iip_op *op = next_op(&a, answered < ROUNDS ? IIP_OP_SEND_COPY : IIP_OP_SHUTDOWN, ev->src);
                op->arg = (uintptr_t) "ping";
                op->len = 4;
            }
        }
    }
    CHECK_EQ(wrong, 0);
    atomic_store(&stop, 1);
    CHECK_EQ(iip_loop_wake(b.loop), IIP_OK);
    pthread_join(server, NULL);
    CHECK_EQ(iip_loop_attach(b.loop), IIP_OK);
    world_close(&a, &b);
}

/* ---- an engine of two loops, each on a thread of its own ---- */

enum { LOOPS = 2, MANY = 32 };

static _Atomic uint32_t accepted[LOOPS], listening;

static void *serve_share(void *arg)
{
    struct iip_loop *loop = arg;
    struct side s = {.loop = loop, .area = {.size = sizeof s.area}, .turn = {.size = sizeof s.turn}};
    uint32_t self = (uint32_t)iip_loop_index(loop), i;
    CHECK_EQ(iip_loop_attach(loop), IIP_OK);
    CHECK_EQ(iip_loop_area(loop, &s.area), IIP_OK);
    while (!atomic_load(&stop)) {
        s.turn.wait_us = 20000;
        turn(&s, IIP_TURN_WAIT);
        for (i = 0; i < s.turn.event_n; i++) {
            const struct iip_event *ev = event(&s, i);
            struct iip_op *op;
            if (ev->type == IIP_EVENT_DONE)
                atomic_fetch_add(&listening, 1);
            if (ev->type == IIP_EVENT_ACCEPT)
                atomic_fetch_add(&accepted[self], 1);
            if (ev->type == IIP_EVENT_FIN)
                next_op(&s, IIP_OP_CLOSE, ev->src);
            if (ev->type == IIP_EVENT_DATA) {
                op = next_op(&s, IIP_OP_SEND_BUF, ev->src);
                op->buf = ev->buf;
                op->len = ev->len;
            }
        }
    }
    CHECK_EQ(iip_loop_detach(loop), IIP_OK);
    return NULL;
}

/* Each connection asks ten times, then ends. */
static void ask_many(struct side *a)
{
    uint32_t i, closed = 0, wrong = 0, answered[MANY] = {0};
    uint64_t conn;
    for (i = 0; i < MANY; i++)
        CHECK_EQ(iip_loop_connect(a->loop, "10.0.0.2:80", i, &conn), IIP_OK);
    while (closed < MANY) {
        a->turn.wait_us = 20000;
        turn(a, IIP_TURN_WAIT);
        for (i = 0; i < a->turn.event_n; i++) {
            const struct iip_event *ev = event(a, i);
            struct iip_op *op;
            if (ev->buf)
                release(a, ev->buf);
            closed += ev->type == IIP_EVENT_CLOSED;
            wrong += ev->type == IIP_EVENT_CLOSED && ev->status != IIP_OK;
            if (ev->type != IIP_EVENT_CONNECTED && ev->type != IIP_EVENT_DATA)
                continue;
            answered[ev->user] += ev->type == IIP_EVENT_DATA;
            op = next_op(a, answered[ev->user] < 10 ? IIP_OP_SEND_COPY : IIP_OP_CLOSE, ev->src);
            op->arg = (uintptr_t) "ping";
            op->len = 4;
        }
    }
    for (i = 0; i < MANY; i++)
        wrong += answered[i] != 10;
    CHECK_EQ(wrong, 0);
}

static void two_loops_on_two_threads_share_an_address(void)
{
    struct iip_engine_cfg one = side_cfg("pair:threads6", 1), two = side_cfg("pair:threads6", 2);
    struct iip_engine *server;
    struct iip_leaks leaks = {.size = sizeof leaks};
    struct iip_addr local;
    pthread_t thread[LOOPS];
    struct side a;
    uint64_t lis;
    uint32_t i;
    two.loops = LOOPS;
    one.tunables = "neigh.queue=64";
    CHECK_EQ(iip_engine_open(&two, &server, NULL, 0), IIP_OK);
    if (!side_open(&a, &one))
        exit(1);
    atomic_store(&stop, 0);
    atomic_store(&listening, 0);
    iip_addr_parse(":80", &local);
    CHECK_EQ(iip_engine_listen(server, &local, 0, 99, &lis), IIP_OK);
    for (i = 0; i < LOOPS; i++) {
        struct iip_loop *loop;
        CHECK_EQ(iip_engine_loop(server, i, &loop), IIP_OK);
        pthread_create(&thread[i], NULL, serve_share, loop);
    }
    while (atomic_load(&listening) < LOOPS)
        sched_yield();
    ask_many(&a);
    CHECK_EQ(accepted[0] + accepted[1], MANY);
    CHECK(accepted[0] > 0 && accepted[1] > 0);
    CHECK_EQ(iip_engine_close(server, NULL), IIP_E_BUSY);
    CHECK_EQ(iip_engine_unlisten(server, lis), IIP_OK);
    while (atomic_load(&listening) < 2 * LOOPS)
        sched_yield();
    atomic_store(&stop, 1);
    for (i = 0; i < LOOPS; i++)
        pthread_join(thread[i], NULL);
    CHECK_EQ(iip_engine_close(server, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs + leaks.listeners, 0);
    side_close(&a);
}

/* ---- a storm of releases ---- */

struct ring { /* buffers on their way to a releasing thread; one writer, one reader */
    uint64_t buf[256];
    _Atomic uint32_t head, tail;
    uint32_t refused;
};

static void *release_all(void *arg)
{
    struct ring *r = arg;
    uint32_t head = 0;
    for (;;) {
        int last = atomic_load(&stop); /* before the look at the ring: what was given until then is seen */
        uint64_t buf;
        if (head == atomic_load_explicit(&r->tail, memory_order_acquire)) {
            if (last)
                return NULL;
            sched_yield();
            continue;
        }
        buf = r->buf[head++ % 256];
        r->refused += iip_buf_retain(buf) != IIP_OK;
        r->refused += iip_buf_release(buf) != IIP_OK;
        r->refused += iip_buf_release(buf) != IIP_OK;
        atomic_store_explicit(&r->head, head, memory_order_release);
    }
}

static int give(struct ring *r, uint64_t buf)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&r->head, memory_order_acquire) == 256)
        return 0;
    r->buf[tail % 256] = buf;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return 1;
}

static void buffers_come_home_from_everywhere(void)
{
    static struct ring ring[CROWD];
    static const uint8_t bytes[1000];
    struct side a, b;
    struct iip_loop_stats stats = {.size = sizeof stats};
    pthread_t crowd[CROWD];
    uint32_t i, n = 0, refused = 0;
    world_open(&a, &b, "pair:threads2");
    world_connect(&a, &b);
    atomic_store(&stop, 0);
    for (i = 0; i < CROWD; i++)
        pthread_create(&crowd[i], NULL, release_all, &ring[i]);
    while (n < STORM) {
        iip_conn_send(a.conn, bytes, sizeof bytes);
        turn_seen(&a, 0);
        turn(&b, 0);
        for (i = 0; i < b.turn.event_n; i++)
            if (event(&b, i)->type == IIP_EVENT_DATA && !give(&ring[n++ % CROWD], event(&b, i)->buf))
                release(&b, event(&b, i)->buf);
    }
    atomic_store(&stop, 1);
    for (i = 0; i < CROWD; i++) {
        pthread_join(crowd[i], NULL);
        refused += ring[i].refused;
    }
    do
        turn_seen(&b, IIP_TURN_FLUSH); /* and what was still under way */
    while (turn(&a, IIP_TURN_FLUSH) || b.turn.release_n);
    CHECK_EQ(refused, 0);
    CHECK_EQ(iip_loop_stats_get(b.loop, &stats), IIP_OK);
    CHECK(stats.foreign_releases > 0);
    CHECK_EQ(stats.bufs_held, 0);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* One buffer, released once by each of many threads at the same time, of which one is too many. */
struct race {
    uint64_t buf;
    _Atomic int *go;
    int32_t st;
};

static void *race(void *arg)
{
    struct race *r = arg;
    while (!atomic_load(r->go))
        ;
    r->st = iip_buf_release(r->buf);
    return NULL;
}

static void one_release_too_many_is_stale_whoever_is_last(void)
{
    struct side a, b;
    int round;
    world_open(&a, &b, "pair:threads3");
    for (round = 0; round < 200; round++) {
        struct iip_span span;
        struct race r[3];
        pthread_t thread[3];
        _Atomic int go = 0;
        int i, ok = 0, stale = 0;
        CHECK_EQ(iip_buf_alloc(a.loop, &span), IIP_OK);
        CHECK_EQ(iip_buf_retain(span.buf), IIP_OK);
        for (i = 0; i < 3; i++) {
            r[i] = (struct race){span.buf, &go, 0};
            pthread_create(&thread[i], NULL, race, &r[i]);
        }
        atomic_store(&go, 1);
        for (i = 0; i < 3; i++) {
            pthread_join(thread[i], NULL);
            ok += r[i].st == IIP_OK;
            stale += r[i].st == IIP_E_STALE;
        }
        CHECK_EQ(ok, 2);
        CHECK_EQ(stale, 1);
        turn(&a, 0);
    }
    world_close(&a, &b);
}

/* ---- posts ---- */

struct poster {
    struct side *s;
    uint64_t id;
    uint32_t posted;
};

static void *post_all(void *arg)
{
    struct poster *p = arg;
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t counters[8], conns[8];
    while (p->posted < 2000) {
        struct iip_op op = {.code = IIP_OP_NOP, .flags = IIP_OP_REPLY, .user = p->id << 32 | p->posted};
        int32_t st = iip_loop_post(p->s->loop, &op, 1);
        if (st == IIP_OK)
            p->posted++;
        else
            sched_yield();
        if (p->posted % 64 == 0) { /* looking does not disturb */
            iip_loop_stats_get(p->s->loop, &stats);
            iip_loop_counters(p->s->loop, counters, 8);
            iip_loop_conns(p->s->loop, 0, conns, 8);
            iip_loop_wake(p->s->loop);
        }
    }
    return NULL;
}

static void every_post_is_answered_once_and_in_order(void)
{
    struct side a, b;
    struct poster p[CROWD];
    pthread_t thread[CROWD];
    uint32_t next[CROWD] = {0}, i, answered = 0, wrong = 0;
    world_open(&a, &b, "pair:threads4");
    for (i = 0; i < CROWD; i++) {
        p[i] = (struct poster){&a, i, 0};
        pthread_create(&thread[i], NULL, post_all, &p[i]);
    }
    while (answered < CROWD * 2000) {
        a.turn.wait_us = 100000;
        turn(&a, IIP_TURN_WAIT);
        for (i = 0; i < a.turn.event_n; i++) {
            const struct iip_event *ev = event(&a, i);
            wrong += ev->type != IIP_EVENT_DONE || ev->status != IIP_OK || ev->len != IIP_OP_NOP;
            wrong += (uint32_t)ev->user != next[ev->user >> 32]++;
            answered++;
        }
    }
    for (i = 0; i < CROWD; i++)
        pthread_join(thread[i], NULL);
    CHECK_EQ(wrong, 0);
    world_close(&a, &b);
}

static void *connect_from_outside(void *arg)
{
    struct side *s = arg;
    struct iip_addrs to;
    struct iip_op op = {.code = IIP_OP_CONNECT, .flags = IIP_OP_REPLY, .user = 5, .arg = (uintptr_t)&to};
    memset(&to, 0, sizeof to);
    iip_addr_parse("10.0.0.2:80", &to.peer);
    CHECK_EQ(iip_loop_post(s->loop, &op, 1), IIP_OK);
    memset(&to, 0xff, sizeof to); /* it was copied */
    op.code = IIP_OP_SHUTDOWN;    /* of nothing: the failure is told without being asked for */
    op.flags = 0;
    CHECK_EQ(iip_loop_post(s->loop, &op, 1), IIP_OK);
    op.aux = 64;
    CHECK_EQ(iip_loop_post(s->loop, &op, 1), IIP_E_INVAL);
    return NULL;
}

static void a_post_may_connect_and_failures_are_told(void)
{
    struct side a, b;
    pthread_t thread;
    uint64_t lis;
    world_open(&a, &b, "pair:threads5");
    iip_loop_listen(b.loop, ":80", 0, &lis);
    pthread_create(&thread, NULL, connect_from_outside, &a);
    pthread_join(thread, NULL);
    CHECK_EQ(turn(&a, 0), 2);
    CHECK_EQ(event(&a, 0)->type, IIP_EVENT_DONE);
    CHECK_EQ(event(&a, 0)->status, IIP_OK);
    CHECK_EQ(event(&a, 0)->user, 5);
    a.conn = event(&a, 0)->src;
    CHECK_EQ(event(&a, 1)->status, IIP_E_STALE);
    CHECK_EQ(event(&a, 1)->len, IIP_OP_SHUTDOWN);
    until(&a, SAW_CONNECTED, &b, SAW_ACCEPT);
    iip_handle_close(lis);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    until(&a, 0, &b, 0);
    world_close(&a, &b);
}

int main(void)
{
    RUN(one_thread_asks_the_other_answers);
    RUN(two_loops_on_two_threads_share_an_address);
    RUN(buffers_come_home_from_everywhere);
    RUN(one_release_too_many_is_stale_whoever_is_last);
    RUN(every_post_is_answered_once_and_in_order);
    RUN(a_post_may_connect_and_failures_are_told);
    return check_done();
}

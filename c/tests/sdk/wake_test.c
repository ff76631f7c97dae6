/* wake_test.c - parking for a foreign event loop, its descriptor, and what makes it readable. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "world.h"

/* 1 when a turn is wanted within the time; the time only bounds a failure. */
static int readable(struct side *s, int ms)
{
    struct pollfd fd = {.fd = iip_loop_fd(s->loop), .events = POLLIN};
    return poll(&fd, 1, ms);
}

static void park(struct side *s)
{
    int i;
    for (i = 0; i < 1000; i++) {
        turn(s, IIP_TURN_PARK);
        if (s->turn.state & IIP_STATE_PARKED)
            return;
    }
    CHECK(!"it parked");
}

static void a_parked_loop_says_so_and_is_quiet(void)
{
    struct side a, b;
    struct iip_engine_info info = {.size = sizeof info};
    world_open(&a, &b, "pair:wake1");
    iip_engine_info_get(a.engine, &info);
    CHECK_EQ(*a.area.parked, 0);
    park(&a);
    CHECK(*a.area.parked != 0);
    if (!info.polls)
        CHECK_EQ(readable(&a, 0), 0);
    turn(&a, 0);
    CHECK_EQ(*a.area.parked, 0);
    world_close(&a, &b);
}

static void a_wake_makes_it_readable_until_the_next_turn(void)
{
    struct side a, b;
    world_open(&a, &b, "pair:wake2");
    park(&a);
    CHECK_EQ(iip_loop_wake(a.loop), IIP_OK);
    CHECK_EQ(readable(&a, 60000), 1);
    turn(&a, 0);
    park(&a);
    wake_by_words(&a);
    CHECK_EQ(readable(&a, 60000), 1);
    world_close(&a, &b);
}

/* A wake that comes before the wait is not lost: the wait ends at once. */
static void a_wake_in_advance_ends_the_next_wait(void)
{
    struct side a, b;
    world_open(&a, &b, "pair:wake3");
    turn(&a, 0);
    iip_loop_wake(a.loop);
    a.turn.wait_us = -1; /* for ever, if it were lost */
    turn(&a, IIP_TURN_WAIT);
    wake_by_words(&a);
    a.turn.wait_us = -1;
    turn(&a, IIP_TURN_WAIT);
    iip_loop_wake(a.loop);
    turn(&a, IIP_TURN_PARK); /* its owner may have looked at his queue before the wake: he looks again */
    CHECK(!(a.turn.state & IIP_STATE_PARKED));
    CHECK_EQ(*a.area.woken, 0);
    park(&a);
    CHECK(*a.area.parked != 0);
    world_close(&a, &b);
}

static void packets_timers_and_posts_make_it_readable(void)
{
    struct side a, b;
    struct iip_op op = {.code = IIP_OP_TIMER, .arg = 1000};
    world_open(&a, &b, "pair:wake4");
    world_connect(&a, &b);
    park(&b);
    iip_conn_send(a.conn, "x", 1);
    turn(&a, IIP_TURN_FLUSH);
    CHECK_EQ(readable(&b, 60000), 1);
    while (!(b.seen & SAW_DATA))
        turn_seen(&b, 0);
    park(&b);
    CHECK_EQ(iip_loop_post(b.loop, &op, 1), IIP_OK);
    CHECK_EQ(readable(&b, 60000), 1);
    park(&b); /* takes the post; the timer is what is left */
    while (!(b.seen & 1 << IIP_EVENT_TIMER)) {
        CHECK_EQ(readable(&b, 60000), 1);
        turn_seen(&b, IIP_TURN_PARK);
    }
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static _Atomic int woke;

static void *waker(void *arg)
{
    struct side *s = arg;
    while (!__atomic_load_n(s->area.parked, __ATOMIC_SEQ_CST))
        ;
    atomic_store(&woke, 1);
    iip_loop_wake(s->loop);
    return NULL;
}

static void a_wait_for_ever_ends_by_a_wake(void)
{
    struct side a, b;
    pthread_t thread;
    world_open(&a, &b, "pair:wake5");
    pthread_create(&thread, NULL, waker, &a);
    while (!atomic_load(&woke)) { /* the stack's own timers end waits too */
        a.turn.wait_us = -1;
        turn(&a, IIP_TURN_WAIT);
    }
    pthread_join(thread, NULL);
    world_close(&a, &b);
}

/* A loop that is asked to wait while events are left does not. */
static void waiting_events_forbid_the_wait(void)
{
    struct side a, b;
    struct iip_op op = {.code = IIP_OP_NOP, .flags = IIP_OP_REPLY};
    int i;
    world_open(&a, &b, "pair:wake6");
    for (i = 0; i < 3; i++)
        CHECK_EQ(iip_loop_post(a.loop, &op, 1), IIP_OK);
    for (i = 0; i < 3; i++) {
        a.turn.wait_us = -1;
        a.turn.event_max = 1;
        CHECK_EQ(turn(&a, IIP_TURN_WAIT), 1);
        CHECK_EQ((a.turn.state & IIP_STATE_MORE) != 0, i < 2);
    }
    world_close(&a, &b);
}

int main(void)
{
    RUN(a_parked_loop_says_so_and_is_quiet);
    RUN(a_wake_makes_it_readable_until_the_next_turn);
    RUN(a_wake_in_advance_ends_the_next_wait);
    RUN(packets_timers_and_posts_make_it_readable);
    RUN(a_wait_for_ever_ends_by_a_wake);
    RUN(waiting_events_forbid_the_wait);
    return check_done();
}

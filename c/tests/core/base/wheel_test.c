#include "base/wheel.h"

#include "base/hash.h"
#include "check.h"

enum { TIMERS = 300 };

static struct iip_wheel wheel;
static struct iip_timer timers[TIMERS];

static void start(iip_u64 now)
{
    memset(timers, 0, sizeof(timers));
    iip_wheel_init(&wheel, now);
}

static void fires_exactly(void)
{
    start(1000);
    iip_wheel_set(&wheel, &timers[0], 5000);
    CHECK(iip_timer_armed(&timers[0]));
    CHECK(iip_wheel_first(&wheel) == &timers[0]);
    CHECK(iip_wheel_pop(&wheel, 4999) == NULL);
    CHECK(iip_wheel_pop(&wheel, 5000) == &timers[0]);
    CHECK(!iip_timer_armed(&timers[0]));
    CHECK(iip_wheel_pop(&wheel, 5000) == NULL);
    CHECK(iip_wheel_first(&wheel) == NULL);
}

static void the_past_is_due_now(void)
{
    start(1000000);
    iip_wheel_set(&wheel, &timers[0], 5);
    CHECK(iip_wheel_pop(&wheel, 1000000) == &timers[0]);
}

static void moves_and_cancels(void)
{
    start(0);
    iip_wheel_set(&wheel, &timers[0], 100000);
    iip_wheel_set(&wheel, &timers[1], 200000);
    iip_wheel_set(&wheel, &timers[0], 300000);
    CHECK(iip_wheel_first(&wheel) == &timers[1]);
    iip_wheel_cancel(&wheel, &timers[1]);
    iip_wheel_cancel(&wheel, &timers[1]);
    CHECK(iip_wheel_first(&wheel) == &timers[0]);
    CHECK(iip_wheel_pop(&wheel, 299999) == NULL);
    CHECK(iip_wheel_pop(&wheel, 300000) == &timers[0]);
    CHECK_EQ(wheel.count, 0);
}

static void far_away_is_not_forgotten(void)
{
    iip_u64 far = (iip_u64)100 * 3600 * 1000000; /* beyond the last level */
    start(77);
    iip_wheel_set(&wheel, &timers[0], far);
    CHECK(iip_wheel_first(&wheel) == &timers[0]);
    CHECK(iip_wheel_pop(&wheel, far / 2) == NULL);
    CHECK(iip_wheel_first(&wheel) == &timers[0]);
    CHECK(iip_wheel_pop(&wheel, far - 1) == NULL);
    CHECK(iip_wheel_pop(&wheel, far) == &timers[0]);
}

static iip_u64 distance(iip_u64 *seed)
{
    return iip_rand(seed) >> (24 + (iip_rand(seed) & 31));
}

/* The earliest by looking at all. */
static iip_u64 earliest(void)
{
    iip_u64 at = IIP_NEVER;
    int i;
    for (i = 0; i < TIMERS; i++)
        at = iip_timer_armed(&timers[i]) && timers[i].at < at ? timers[i].at : at;
    return at;
}

/* Random timers on all levels; the clock jumps by any amount: nothing fires early, late or twice, and the first is
   always known. */
static void as_a_list(void)
{
    iip_u64 seed = 11;
    iip_u64 now = 123456789;
    int round, i;
    start(now);
    for (round = 0; round < 3000; round++) {
        for (i = 0; i < 4; i++) {
            struct iip_timer *t = &timers[iip_rand(&seed) % TIMERS];
            if (iip_rand(&seed) & 3)
                iip_wheel_set(&wheel, t, now + distance(&seed));
            else
                iip_wheel_cancel(&wheel, t);
        }
        if (iip_rand(&seed) & 1) {
            struct iip_timer *first = iip_wheel_first(&wheel);
            if (!CHECK((first ? first->at : IIP_NEVER) == earliest()))
                return;
        }
        now += distance(&seed) >> (iip_rand(&seed) & 15);
        for (;;) {
            struct iip_timer *t = iip_wheel_pop(&wheel, now);
            if (!t)
                break;
            if (!CHECK(t->at <= now) || !CHECK(!iip_timer_armed(t)))
                return;
        }
        if (!CHECK(earliest() > now))
            return;
    }
}

int main(void)
{
    RUN(fires_exactly);
    RUN(the_past_is_due_now);
    RUN(moves_and_cancels);
    RUN(far_away_is_not_forgotten);
    RUN(as_a_list);
    return check_done();
}

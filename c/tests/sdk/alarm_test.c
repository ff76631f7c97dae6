/* alarm_test.c - the heap of timers against a sorted list, with random sets and cancels. */
#include "check.h"
#include "sdk.h"

enum { ALARMS = 4000 };

static struct iip_loop loop;
static uint64_t handle[ALARMS], at[ALARMS];
static int live[ALARMS];
static uint64_t rng = 7;

static uint32_t below(uint32_t n)
{
    rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
    return (uint32_t)(rng >> 33) % n;
}

static uint64_t earliest(void)
{
    uint64_t first = UINT64_MAX;
    int i;
    for (i = 0; i < ALARMS; i++)
        if (live[i] && at[i] < first)
            first = at[i];
    return first;
}

static void set(int i)
{
    at[i] = below(1000);
    CHECK_EQ(iip_alarm_set(&loop, at[i], (uint64_t)i, &handle[i]), IIP_OK);
    live[i] = 1;
}

static void take_checks_the_order(uint64_t until)
{
    struct iip_alarm *alarm;
    while ((alarm = iip_alarm_take(&loop, until)) != NULL) {
        CHECK_EQ(alarm->at, earliest());
        CHECK_EQ(alarm->at, at[alarm->user]);
        live[alarm->user] = 0;
        iip_slots_put(&loop.alarms, &alarm->slot);
    }
    CHECK(earliest() > until || earliest() == UINT64_MAX);
}

static void sets_cancels_and_expiries_agree_with_a_list(void)
{
    int i, round;
    for (round = 0; round < 3; round++) {
        for (i = 0; i < ALARMS; i++)
            if (!live[i])
                set(i);
        for (i = 0; i < ALARMS / 2; i++) {
            uint32_t k = below(ALARMS);
            CHECK_EQ(iip_alarm_cancel(&loop, handle[k]), live[k] ? IIP_OK : IIP_E_STALE);
            live[k] = 0;
        }
        take_checks_the_order(below(1000));
    }
    take_checks_the_order(UINT64_MAX);
    CHECK_EQ(loop.heap_n, 0);
    CHECK_EQ(loop.alarms.live, 0);
}

int main(void)
{
    if (iip_slots_init(&loop.alarms, IIP_KIND_TIMER, 0, sizeof(struct iip_alarm)))
        return 1;
    RUN(sets_cancels_and_expiries_agree_with_a_list);
    return check_done();
}

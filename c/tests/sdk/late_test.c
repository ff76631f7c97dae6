/* late_test.c - a loop that comes back long after its timers fell due hears what was acknowledged meanwhile, and sends nothing again. */
#include "world.h"

enum { CONNS = 200, SECOND = 1000000 }; /* more than three bursts */

static uint64_t counter(const struct side *s, const char *name)
{
    uint64_t values[512];
    int32_t i, n = iip_loop_counters(s->loop, values, 512);
    for (i = 0; i < n; i++)
        if (!strcmp(iip_counter_name((uint32_t)i), name))
            return values[i];
    CHECK(!"a counter of that name");
    return 0;
}

static void pass(struct side *s, uint64_t us)
{
    CHECK_EQ(iip_engine_advance(s->engine, us, NULL), IIP_OK);
}

static void send_on_all(struct side *s, const uint64_t *conns)
{
    uint32_t i;
    for (i = 0; i < CONNS; i++)
        CHECK_EQ(iip_conn_send(conns[i], "x", 1), 1);
    turn_seen(s, 0);
}

static void connect_all(struct side *a, struct side *b, uint64_t *conns)
{
    uint32_t i;
    for (i = 0; i < CONNS; i++) {
        world_connect(a, b);
        conns[i] = a->conn;
    }
    a->got = b->got = 0;
}

static void end(struct side *a, struct side *b, const uint64_t *conns)
{
    uint32_t i;
    for (i = 0; i < CONNS; i++)
        iip_conn_abort(conns[i]);
    for (i = 0; i < 20; i++) {
        turn_seen(a, IIP_TURN_FLUSH);
        turn_seen(b, IIP_TURN_FLUSH);
    }
    world_close(a, b);
}

static void what_was_acknowledged_in_time_is_not_sent_again(void)
{
    struct iip_conn_info info = {.size = sizeof info};
    struct side a, b;
    uint64_t conns[CONNS];
    uint32_t i;
    world_open(&a, &b, "sim:late,clock=virtual");
    connect_all(&a, &b, conns);
    send_on_all(&a, conns);
    for (i = 0; i < 100; i++) { /* the acknowledgements that were put off come, too */
        turn_seen(&b, IIP_TURN_FLUSH);
        pass(&b, 1000);
    }
    CHECK_EQ(b.got, CONNS);
    pass(&b, SECOND);
    for (i = 0; i < 10; i++)
        turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(counter(&a, "tcp_retrans"), 0);
    for (i = 0; i < CONNS; i++) { /* the handshake took no time, this round trip 40 ms or more: an eighth counts */
        CHECK_EQ(iip_conn_info_get(conns[i], &info), IIP_OK);
        CHECK(info.srtt_us >= 40000 / 8);
    }
    end(&a, &b, conns);
}

/* The wire was cut: what was not acknowledged is sent again, by the clock of now. */
static void what_was_lost_is_sent_again(void)
{
    struct side a, b;
    uint64_t conns[CONNS];
    world_open(&a, &b, "sim:lost,clock=virtual");
    connect_all(&a, &b, conns);
    send_on_all(&a, conns);
    CHECK_EQ(counter(&a, "tcp_retrans"), 0);
    pass(&a, SECOND);
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK_EQ(counter(&a, "tcp_retrans"), CONNS);
    end(&a, &b, conns);
}

int main(void)
{
    RUN(what_was_acknowledged_in_time_is_not_sent_again);
    RUN(what_was_lost_is_sent_again);
    return check_done();
}

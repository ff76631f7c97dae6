/* want_test.c - a send that is refused while nothing is on its way is told, too, when there are frames again. */
#include "world.h"

enum { MANY = 600, CONNS = 3 };

static uint64_t held[MANY];
static uint32_t held_n;

static void take_all(struct side *s)
{
    struct iip_span span;
    uint32_t i;
    while (held_n < MANY && iip_buf_alloc(s->loop, &span) == IIP_OK)
        held[held_n++] = span.buf;
    for (i = 0; i < s->turn.tx_free_n && held_n < MANY; i++)
        held[held_n++] = s->area.tx_free[s->turn.tx_taken++].buf;
}

/* Turns a while; the WRITABLE events of each connection. */
static void writables(struct side *a, struct side *b, const uint64_t *conns, uint32_t *told)
{
    uint32_t i, k, n;
    memset(told, 0, CONNS * sizeof *told);
    for (n = 0; n < 200; n++) {
        turn_seen(a, IIP_TURN_FLUSH | IIP_TURN_DEADLINE);
        for (i = 0; i < a->turn.event_n; i++)
            for (k = 0; k < CONNS; k++)
                told[k] += event(a, i)->type == IIP_EVENT_WRITABLE && event(a, i)->src == conns[k];
        turn_seen(b, IIP_TURN_FLUSH);
        usleep(100);
    }
}

static void free_all(struct side *s)
{
    while (held_n)
        CHECK_EQ(iip_buf_release(held[--held_n]), IIP_OK);
    turn_seen(s, IIP_TURN_FLUSH);
}

static void frames_that_come_back_are_told(void)
{
    struct side a, b;
    uint64_t conns[CONNS];
    uint32_t told[CONNS], i;
    world_open(&a, &b, "pair:want0,frames=256");
    for (i = 0; i < CONNS; i++) {
        world_connect(&a, &b);
        conns[i] = a.conn;
    }
    take_all(&a);
    turn_seen(&a, IIP_TURN_FLUSH);
    take_all(&a);
    for (i = 0; i < CONNS; i++)
        CHECK_EQ(iip_conn_send(conns[i], "x", 1), IIP_E_NOBUFS);
    CHECK_EQ(iip_conn_send(conns[0], "x", 1), IIP_E_NOBUFS); /* and it is told once all the same */
    writables(&a, &b, conns, told);
    CHECK_EQ(told[0] + told[1] + told[2], 0); /* nothing came back yet */
    iip_conn_abort(conns[1]);                 /* from the middle of those who wait */
    turn_seen(&a, IIP_TURN_DEADLINE);
    turn(&a, IIP_TURN_DEADLINE);
    CHECK(a.turn.deadline_us <= a.turn.now_us + 1000); /* a loop that sleeps looks again */
    free_all(&a);
    writables(&a, &b, conns, told);
    CHECK_EQ(told[0], 1);
    CHECK_EQ(told[1], 0);
    CHECK_EQ(told[2], 1);
    CHECK_EQ(iip_conn_send(conns[0], "x", 1), 1);
    writables(&a, &b, conns, told);
    CHECK_EQ(told[0], 0); /* and not again when it is acknowledged */
    iip_conn_abort(conns[0]);
    iip_conn_abort(conns[2]);
    writables(&a, &b, conns, told);
    world_close(&a, &b);
}

int main(void)
{
    RUN(frames_that_come_back_are_told);
    return check_done();
}

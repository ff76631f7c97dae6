/* extern_test.c - memory of the application, sent without a copy, and when it may be used again. */
#include "world.h"

enum { LEN = 300000 };
static uint8_t memory[LEN];

static void offer(struct side *s, uint64_t region, uint64_t at, uint32_t len, uint64_t user)
{
    struct iip_op *op = next_op(s, IIP_OP_SEND_EXTERN, s->conn);
    op->buf = region;
    op->arg = at;
    op->len = len;
    op->user = user;
}

/* Every byte that was taken is named by exactly one TX_DONE, which comes after the last acknowledgement. */
static void every_send_is_told_when_it_is_done(void)
{
    struct side a, b;
    uint64_t region, done = 0, taken = 0, users = 0, asked = 0, refused = 0;
    uint32_t i;
    world_open(&a, &b, "pair:extern1");
    world_connect(&a, &b);
    CHECK_EQ(iip_region_add(a.engine, memory, LEN, &region), IIP_OK);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_SNDBUF, 20000), IIP_OK); /* so that some are refused, or taken in part */
    while (taken < LEN || done < taken) {
        if (taken < LEN)
            offer(&a, region, taken, (uint32_t)(LEN - taken > 50000 ? 50000 : LEN - taken), 1000 + asked);
        turn(&a, IIP_TURN_FLUSH);
        if (taken < LEN) {
            taken += a.area.ops[0].out;
            refused += a.area.ops[0].out == 0;
            asked += a.area.ops[0].out != 0;
        }
        for (i = 0; i < a.turn.event_n; i++) {
            const struct iip_event *ev = event(&a, i);
            if (ev->type != IIP_EVENT_TX_DONE)
                continue;
            CHECK(ev->len > 0);
            CHECK_EQ(ev->src, a.conn);
            CHECK_EQ(ev->user, 1000 + users++);
            done += ev->len;
            CHECK(done <= b.got); /* nothing is done that the peer has not got */
        }
        if (done < taken)
            CHECK_EQ(iip_region_remove(region), IIP_E_BUSY);
        turn_seen(&b, IIP_TURN_FLUSH);
    }
    CHECK_EQ(users, asked);
    CHECK(refused > 0);
    CHECK_EQ(b.got, LEN);
    CHECK_EQ(iip_region_remove(region), IIP_OK);
    CHECK_EQ(iip_region_remove(region), IIP_E_STALE);
    offer(&a, region, 0, 1, 0);
    turn(&a, 0);
    CHECK_EQ(a.area.ops[0].status, IIP_E_STALE);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

/* What an abort drops may be used again as well. */
static void an_abort_gives_the_memory_back(void)
{
    struct side a, b;
    uint64_t region;
    world_open(&a, &b, "pair:extern2");
    world_connect(&a, &b);
    CHECK_EQ(iip_region_add(a.engine, memory, LEN, &region), IIP_OK);
    offer(&a, region, 0, 20000, 5);
    turn_seen(&a, IIP_TURN_FLUSH);
    CHECK(a.area.ops[0].out > 0);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED | SAW_TX_DONE, &b, SAW_CLOSED);
    CHECK_EQ(iip_region_remove(region), IIP_OK);
    world_close(&a, &b);
}

static void ranges_are_checked(void)
{
    struct side a, b;
    uint64_t region;
    world_open(&a, &b, "pair:extern3");
    world_connect(&a, &b);
    CHECK_EQ(iip_region_add(a.engine, memory, 1000, &region), IIP_OK);
    offer(&a, region, 0, 1001, 0);
    offer(&a, region, 1000, 1, 0);
    offer(&a, region, UINT64_MAX, 2, 0);
    offer(&a, region, 999, 1, 9);
    turn(&a, IIP_TURN_FLUSH);
    CHECK_EQ(a.area.ops[0].status, IIP_E_RANGE);
    CHECK_EQ(a.area.ops[1].status, IIP_E_RANGE);
    CHECK_EQ(a.area.ops[2].status, IIP_E_RANGE);
    CHECK_EQ(a.area.ops[3].status, IIP_OK);
    until(&a, SAW_TX_DONE, &b, SAW_DATA);
    CHECK_EQ(iip_region_add(a.engine, NULL, 5, &region), IIP_E_INVAL);
    CHECK_EQ(iip_region_add(a.engine, memory, 0, &region), IIP_E_INVAL);
    CHECK_EQ(iip_region_remove(0), IIP_E_STALE);
    CHECK_EQ(iip_region_remove(region), IIP_OK);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void what_is_left_at_the_end_is_counted(void)
{
    struct side a, b;
    struct iip_leaks leaks = {.size = sizeof leaks};
    uint64_t region;
    world_open(&a, &b, "pair:extern4");
    world_connect(&a, &b);
    CHECK_EQ(iip_region_add(a.engine, memory, LEN, &region), IIP_OK);
    offer(&a, region, 0, 20000, 5);
    turn(&a, IIP_TURN_FLUSH);
    CHECK_EQ(iip_engine_close(a.engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.externs, 1);
    CHECK_EQ(leaks.regions, 1);
    CHECK_EQ(leaks.conns, 1);
    CHECK_EQ(iip_region_remove(region), IIP_E_STALE);
    until(&b, SAW_CLOSED, &b, 0);
    side_close(&b);
}

int main(void)
{
    size_t i;
    for (i = 0; i < LEN; i++)
        memory[i] = (uint8_t)(i * 31);
    RUN(every_send_is_told_when_it_is_done);
    RUN(an_abort_gives_the_memory_back);
    RUN(ranges_are_checked);
    RUN(what_is_left_at_the_end_is_counted);
    return check_done();
}

/* stats_test.c - statistics, counters and the log: what they say, to the owner and to others. */
#include <pthread.h>
#include <stdatomic.h>

#include "world.h"

static uint64_t counter(struct iip_loop *loop, const char *name)
{
    uint64_t all[512];
    int32_t n = iip_loop_counters(loop, all, 512);
    uint32_t i;
    CHECK(n > 0 && n < 512);
    for (i = 0; i < (uint32_t)n; i++)
        if (!strcmp(iip_counter_name(i), name))
            return all[i];
    CHECK(!"a counter of this name");
    return 0;
}

static void counters_have_names_and_count(void)
{
    struct side a, b;
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t none, handle;
    int32_t n;
    world_open(&a, &b, "pair:stats1");
    world_connect(&a, &b);
    n = iip_loop_counters(a.loop, NULL, 0);
    CHECK(iip_counter_name((uint32_t)n - 1) != NULL);
    CHECK(!iip_counter_name((uint32_t)n));
    CHECK_EQ(iip_loop_counters(a.loop, &none, 1), n);
    CHECK_EQ(iip_loop_counters(a.loop, NULL, 1), IIP_E_INVAL);
    CHECK_EQ(counter(a.loop, "tcp_active"), 1);
    CHECK_EQ(counter(b.loop, "tcp_passive"), 1);
    iip_conn_send(a.conn, "x", 1);
    turn_seen(&a, IIP_TURN_FLUSH);
    until(&a, 0, &b, SAW_DATA);
    turn_seen(&b, 0);
    CHECK_EQ(iip_buf_release(1), IIP_E_STALE);
    handle = b.conn;
    iip_loop_stats_get(b.loop, &stats);
    CHECK_EQ(stats.conns, 1);
    CHECK_EQ(stats.rx_packets, counter(b.loop, "rx_packets"));
    CHECK(stats.turns > 2 && stats.events > 1 && stats.frames_free > 100 && stats.mem_used > 1000);
    CHECK_EQ(stats.bufs_held, 0);
    CHECK_EQ(stats.tx_refused, 0);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    CHECK_EQ(iip_conn_send(handle, "x", 1), IIP_E_STALE);
    world_close(&a, &b);
}

/* Every packet that one end sent, the other end received; nothing vanishes in between. */
static void the_account_closes(void)
{
    struct side a, b;
    struct iip_loop_stats one = {.size = sizeof one}, two = {.size = sizeof two};
    uint32_t i;
    world_open(&a, &b, "pair:stats2");
    world_connect(&a, &b);
    CHECK_EQ(iip_conn_set(a.conn, IIP_OPT_NODELAY, 1), IIP_OK);
    for (i = 0; i < 100; i++) {
        iip_conn_send(a.conn, "0123456789", 10);
        turn_seen(&a, IIP_TURN_FLUSH);
        turn_seen(&b, IIP_TURN_FLUSH);
    }
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    turn(&a, IIP_TURN_FLUSH);
    turn(&b, IIP_TURN_FLUSH);
    iip_loop_stats_get(a.loop, &one);
    iip_loop_stats_get(b.loop, &two);
    CHECK_EQ(one.tx_packets, two.rx_packets + two.rx_dropped);
    CHECK_EQ(two.tx_packets, one.rx_packets + one.rx_dropped);
    CHECK_EQ(b.got, 1000);
    world_close(&a, &b);
}

struct looker {
    struct iip_loop *loop;
    struct iip_loop_stats stats;
    uint64_t first;
    _Atomic int asked, go;
};

static void *look(void *arg)
{
    struct looker *l = arg;
    uint64_t counters[512];
    l->stats.size = sizeof l->stats;
    CHECK_EQ(iip_loop_stats_get(l->loop, &l->stats), IIP_OK); /* asks for a copy */
    atomic_store(&l->asked, 1);
    while (!atomic_load(&l->go))
        ;
    l->stats.size = sizeof l->stats;
    CHECK_EQ(iip_loop_stats_get(l->loop, &l->stats), IIP_OK);
    CHECK(iip_loop_counters(l->loop, counters, 512) > 0);
    l->first = counters[0];
    return NULL;
}

static void others_get_a_copy_of_the_next_turn(void)
{
    struct side a, b;
    struct looker l = {.asked = 0};
    pthread_t thread;
    uint64_t counters[512];
    world_open(&a, &b, "pair:stats3");
    world_connect(&a, &b);
    l.loop = a.loop;
    pthread_create(&thread, NULL, look, &l);
    while (!atomic_load(&l.asked))
        ;
    turn(&a, 0);
    iip_loop_counters(a.loop, counters, 512);
    atomic_store(&l.go, 1);
    pthread_join(thread, NULL);
    CHECK_EQ(l.stats.conns, 1);
    CHECK(l.stats.turns > 0);
    CHECK_EQ(l.first, counters[0]);
    CHECK_EQ(l.stats.size, sizeof l.stats);
    iip_conn_abort(a.conn);
    until(&a, SAW_CLOSED, &b, SAW_CLOSED);
    world_close(&a, &b);
}

static void the_log_tells_and_says_what_it_lost(void)
{
    struct iip_engine_cfg cfg = side_cfg("pair:stats4", 1), two = side_cfg("pair:stats4", 2);
    struct iip_log_record row[4];
    struct side a, b;
    cfg.log_level = IIP_LOG_INFO;
    if (!side_open(&a, &cfg) || !side_open(&b, &two))
        exit(1);
    turn(&a, 0); /* the other end came: the link is up */
    turn(&b, 0);
    CHECK_EQ(iip_engine_log(a.engine, row, 4), 1);
    CHECK_EQ(row[0].level, IIP_LOG_INFO);
    CHECK_EQ(row[0].lost, 0);
    CHECK_EQ(row[0].loop, UINT32_MAX);
    CHECK(strstr(row[0].text, "link up") != NULL);
    CHECK_EQ(iip_engine_log(a.engine, row, 4), 0);
    CHECK_EQ(iip_engine_log(b.engine, row, 4), 0); /* not at this level */
    CHECK_EQ(iip_engine_log(a.engine, NULL, 4), IIP_E_INVAL);
    CHECK_EQ(iip_engine_log(NULL, row, 4), IIP_E_INVAL);
    world_close(&a, &b);
}

int main(void)
{
    RUN(counters_have_names_and_count);
    RUN(the_account_closes);
    RUN(others_get_a_copy_of_the_next_turn);
    RUN(the_log_tells_and_says_what_it_lost);
    return check_done();
}

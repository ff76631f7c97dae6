/* loops_test.c - an engine with several loops: a listener on all of them, and packets that the wrong one received. */
#include "world.h"

enum { LOOPS = 2, CONNS = 40 };

struct engine {
    struct iip_engine *engine;
    struct side s[LOOPS];
    uint32_t accepted[LOOPS], answered, closed;
};

static void engine_open(struct engine *e, const char *port, int number, uint32_t loops)
{
    struct iip_engine_cfg cfg = side_cfg(port, number);
    struct iip_engine_info info = {.size = sizeof info};
    uint32_t i;
    char why[256];
    memset(e, 0, sizeof *e);
    cfg.loops = loops;
    if (!CHECK_EQ(iip_engine_open(&cfg, &e->engine, why, sizeof why), IIP_OK)) {
        printf("    %s\n", why);
        exit(1);
    }
    iip_engine_info_get(e->engine, &info);
    CHECK_EQ(info.loops, loops);
    for (i = 0; i < loops; i++) {
        e->s[i].engine = e->engine;
        e->s[i].turn.size = sizeof e->s[i].turn;
        e->s[i].area.size = sizeof e->s[i].area;
        CHECK_EQ(iip_engine_loop(e->engine, i, &e->s[i].loop), IIP_OK);
        CHECK_EQ(iip_loop_index(e->s[i].loop), i);
        CHECK_EQ(iip_loop_attach(e->s[i].loop), IIP_OK);
        CHECK_EQ(iip_loop_area(e->s[i].loop, &e->s[i].area), IIP_OK);
    }
    CHECK_EQ(iip_engine_loop(e->engine, loops, &e->s[0].loop), IIP_E_NOT_FOUND);
}

/* Echoes on every loop, closes what the peer closed. */
static void serve(struct engine *e, uint64_t lis)
{
    uint32_t k, i;
    for (k = 0; k < LOOPS; k++) {
        struct side *s = &e->s[k];
        turn(s, IIP_TURN_FLUSH);
        for (i = 0; i < s->turn.event_n; i++) {
            const struct iip_event *ev = event(s, i);
            if (ev->type == IIP_EVENT_ACCEPT) {
                CHECK_EQ(ev->value, lis);
                CHECK_EQ(ev->user, 99);
                e->accepted[k]++;
            }
            if (ev->type == IIP_EVENT_DATA) {
                struct iip_op *op = next_op(s, IIP_OP_SEND_BUF, ev->src);
                op->buf = ev->buf;
                op->len = ev->len;
            }
            if (ev->type == IIP_EVENT_FIN)
                next_op(s, IIP_OP_CLOSE, ev->src);
        }
    }
}

static void ask(struct engine *e, uint32_t loops)
{
    uint32_t k, i;
    for (k = 0; k < loops; k++) {
        struct side *s = &e->s[k];
        turn(s, IIP_TURN_FLUSH);
        for (i = 0; i < s->turn.event_n; i++) {
            const struct iip_event *ev = event(s, i);
            struct iip_op *op;
            if (ev->type == IIP_EVENT_CONNECTED) {
                op = next_op(s, IIP_OP_SEND_COPY, ev->src);
                op->arg = (uintptr_t) "question";
                op->len = 8;
            }
            if (ev->type == IIP_EVENT_DATA) {
                CHECK_EQ(ev->len, 8);
                release(s, ev->buf);
                next_op(s, IIP_OP_CLOSE, ev->src);
                e->answered++;
            }
            e->closed += ev->type == IIP_EVENT_CLOSED;
            if (ev->type == IIP_EVENT_CLOSED)
                CHECK_EQ(ev->status, IIP_OK);
        }
    }
}

/* Each loop must tell that it took the listener over, or let it go. */
static void listener_told(struct engine *e, uint64_t lis, uint32_t code)
{
    uint32_t k, i, told = 0;
    for (k = 0; k < LOOPS; k++) {
        turn(&e->s[k], 0);
        for (i = 0; i < e->s[k].turn.event_n; i++) {
            const struct iip_event *ev = event(&e->s[k], i);
            if (ev->type != IIP_EVENT_DONE)
                continue;
            CHECK_EQ(ev->status, IIP_OK);
            CHECK_EQ(ev->src, lis);
            told++;
        }
    }
    (void)code;
    CHECK_EQ(told, LOOPS);
}

static void leaves_nothing(struct engine *e)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    CHECK_EQ(iip_engine_close(e->engine, &leaks), IIP_OK);
    CHECK_EQ(leaks.bufs + leaks.conns + leaks.listeners + leaks.udps + leaks.timers + leaks.externs, 0);
}

static uint64_t handed(struct engine *e, uint32_t loops, uint64_t *lost)
{
    struct iip_loop_stats stats = {.size = sizeof stats};
    uint64_t sum = 0;
    uint32_t k;
    *lost = 0;
    for (k = 0; k < loops; k++) {
        stats.size = sizeof stats;
        iip_loop_stats_get(e->s[k].loop, &stats);
        sum += stats.handed_over;
        *lost += stats.handed_lost;
    }
    return sum;
}

static void talk(const char *port, uint32_t client_loops)
{
    struct engine server, client;
    struct iip_addr local;
    uint64_t lis, again, lost, conn;
    uint32_t i, round;
    time_t began = 0;
    engine_open(&server, port, 2, LOOPS);
    engine_open(&client, port, 1, client_loops);
    iip_addr_parse(":80", &local);
    CHECK_EQ(iip_engine_listen(server.engine, &local, 0, 99, &lis), IIP_OK);
    listener_told(&server, lis, 1);
    for (i = 0; i < CONNS; i++)
        CHECK_EQ(iip_loop_connect(client.s[i % client_loops].loop, "10.0.0.2:80", i, &conn), IIP_OK);
    for (round = 0; client.closed < CONNS && patient(&began); round++) {
        ask(&client, client_loops);
        serve(&server, lis);
        if (round > 100)
            usleep(100);
    }
    CHECK_EQ(client.answered, CONNS);
    CHECK_EQ(client.closed, CONNS);
    CHECK_EQ(server.accepted[0] + server.accepted[1], CONNS);
    CHECK(server.accepted[0] > 0 && server.accepted[1] > 0); /* both took part */
    printf("    %s: accepted %u and %u, handed over %lu by the server\n", port, server.accepted[0], server.accepted[1],
           (unsigned long)handed(&server, LOOPS, &lost));
    CHECK_EQ(lost, 0);
    for (round = 0; round < 20; round++) {
        ask(&client, client_loops);
        serve(&server, lis);
    }
    CHECK_EQ(iip_engine_unlisten(server.engine, lis), IIP_OK);
    CHECK_EQ(iip_engine_unlisten(server.engine, lis), IIP_E_STALE);
    listener_told(&server, lis, 0);
    CHECK_EQ(iip_engine_listen(server.engine, &local, 0, 99, &again), IIP_OK); /* in the same place, by another name */
    CHECK(again != lis);
    CHECK_EQ(iip_engine_unlisten(server.engine, lis), IIP_E_STALE);
    CHECK_EQ(iip_engine_unlisten(server.engine, again), IIP_OK);
    for (i = 0; i < LOOPS; i++)
        CHECK_EQ(turn(&server.s[i], 0), 2);
    leaves_nothing(&client);
    leaves_nothing(&server);
}

static void a_listener_stands_on_all_loops(void)
{
    talk("pair:loops1", LOOPS);
}

static void a_client_of_one_loop_reaches_all(void)
{
    talk("pair:loops2", 1);
}

static uint8_t large[4000];

/* Datagrams of one loop, piece by piece; how many were whole and right. */
static uint32_t datagrams(struct side *s)
{
    uint32_t n, at = 0, right = 0;
    turn(s, IIP_TURN_FLUSH);
    for (n = 0; n < s->turn.event_n; n++) {
        const struct iip_event *ev = event(s, n);
        if (ev->type != IIP_EVENT_UDP)
            continue;
        CHECK_MEM((const void *)(uintptr_t)ev->addr, large + at, ev->len);
        at += ev->len;
        release(s, ev->buf);
        if (ev->flags & IIP_EVENT_MORE)
            continue;
        right += at == sizeof large;
        at = 0;
    }
    return right;
}

/* Uses the frames that were freed last: nothing that is still under way may lie in them. */
static void scribble(struct side *s)
{
    struct iip_span span[8];
    uint32_t i;
    for (i = 0; i < 8; i++) {
        CHECK_EQ(iip_buf_alloc(s->loop, &span[i]), IIP_OK);
        memset((void *)(uintptr_t)span[i].addr, 0xee, span[i].len);
    }
    for (i = 0; i < 8; i++)
        CHECK_EQ(iip_buf_release(span[i].buf), IIP_OK);
}

/* Only loop `where` listens: how many of the datagrams from CONNS ports get there. */
static uint32_t send_large(struct engine *server, struct engine *client, uint32_t where)
{
    struct iip_addr to;
    uint64_t at, from;
    uint32_t i, k, round, got = 0;
    CHECK_EQ(iip_loop_udp(server->s[where].loop, ":53", 0, &at), IIP_OK);
    iip_addr_parse("10.0.0.2:53", &to);
    for (i = 0; i < CONNS; i++) {
        CHECK_EQ(iip_loop_udp(client->s[0].loop, ":0", 0, &from), IIP_OK);
        CHECK_EQ(iip_udp_send_to(from, &to, large, sizeof large), sizeof large);
        for (round = 0; round < 4; round++) {
            turn(&client->s[0], IIP_TURN_FLUSH);
            for (k = 0; k < LOOPS; k++) {
                got += datagrams(&server->s[k]);
                scribble(&server->s[k]);
            }
        }
        iip_handle_close(from);
    }
    iip_handle_close(at);
    turn(&server->s[where], 0);
    return got;
}

/* Fragments name no ports, so all of them arrive at one loop, whatever tuple they are of. That loop puts them together,
   and hands them over where it has no use for them itself. */
static void reassembled_datagrams_are_handed_over(void)
{
    struct engine server, client;
    uint32_t i, got[LOOPS];
    uint64_t before, over, lost;
    engine_open(&server, "pair:loops4", 2, LOOPS);
    engine_open(&client, "pair:loops4", 1, 1);
    for (i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 13);
    before = handed(&server, LOOPS, &lost);
    for (i = 0; i < LOOPS; i++)
        got[i] = send_large(&server, &client, i);
    over = handed(&server, LOOPS, &lost) - before;
    printf("    %u and %u datagrams, %u packets handed over\n", got[0], got[1], (unsigned)over);
    CHECK(got[0] == CONNS || got[1] == CONNS); /* the loop at which they arrive gets all */
    CHECK(got[0] != CONNS || got[1] != CONNS); /* the other one what is its own */
    CHECK(got[0] > 0 && got[1] > 0);
    CHECK(over >= got[0] + got[1] - CONNS);
    CHECK_EQ(lost, 0);
    leaves_nothing(&client);
    leaves_nothing(&server);
}

static void an_address_in_use_is_told_by_each_loop(void)
{
    struct engine server, client;
    struct iip_addr local;
    uint64_t one, two;
    uint32_t k, i, told = 0;
    engine_open(&server, "pair:loops3", 2, LOOPS);
    engine_open(&client, "pair:loops3", 1, 1);
    iip_addr_parse(":80", &local);
    CHECK_EQ(iip_engine_listen(server.engine, &local, 0, 99, &one), IIP_OK);
    listener_told(&server, one, 1);
    CHECK_EQ(iip_engine_listen(server.engine, &local, 0, 98, &two), IIP_OK);
    for (k = 0; k < LOOPS; k++) {
        turn(&server.s[k], 0);
        for (i = 0; i < server.s[k].turn.event_n; i++)
            told += event(&server.s[k], i)->type == IIP_EVENT_DONE &&
                event(&server.s[k], i)->status == IIP_E_ADDR_IN_USE && event(&server.s[k], i)->user == 98;
    }
    CHECK_EQ(told, LOOPS);
    CHECK_EQ(iip_engine_unlisten(server.engine, two), IIP_OK);
    listener_told(&server, two, 0);
    CHECK_EQ(iip_engine_unlisten(server.engine, one), IIP_OK);
    listener_told(&server, one, 0);
    leaves_nothing(&client);
    leaves_nothing(&server);
}

int main(void)
{
    RUN(a_listener_stands_on_all_loops);
    RUN(a_client_of_one_loop_reaches_all);
    RUN(reassembled_datagrams_are_handed_over);
    RUN(an_address_in_use_is_told_by_each_loop);
    return check_done();
}

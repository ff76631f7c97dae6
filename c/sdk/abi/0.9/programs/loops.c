/* loops.c - engines and loops of 0.9, and its structures that grow: what it knows is filled, nothing behind it. */
#include "world.h"

static struct side a, b;

/* Shorter than today's is extended with zeros; longer is fine as long as it says nothing. */
static void configurations(void)
{
    struct {
        struct iip_engine_cfg cfg;
        uint8_t after[1024];
    } in;
    struct iip_engine *engine = NULL;
    memset(&in, 0, sizeof in);
    in.cfg.port = "pair:old";
    in.cfg.addresses = "10.0.0.1/24";
    in.cfg.size = offsetof(struct iip_engine_cfg, routes);
    in.cfg.tunables = "read.this=1"; /* behind its end: not read */
    CHECK_EQ(iip_engine_open(&in.cfg, &engine, NULL, 0), IIP_OK);
    CHECK_EQ(iip_engine_close(engine, NULL), IIP_OK);
    in.cfg.tunables = NULL;
    in.cfg.size = sizeof in;
    CHECK_EQ(iip_engine_open(&in.cfg, &engine, NULL, 0), IIP_OK);
    CHECK_EQ(iip_engine_close(engine, NULL), IIP_OK);
    in.after[sizeof in.after - 1] = 1;
    CHECK_EQ(iip_engine_open(&in.cfg, &engine, NULL, 0), IIP_E_UNKNOWN_FIELD);
    in.cfg.size = 2;
    CHECK_EQ(iip_engine_open(&in.cfg, &engine, NULL, 0), IIP_E_INVAL);
}

static void outputs(uint64_t conn)
{
    BOUNDED(iip_engine_info) info;
    BOUNDED(iip_area) area;
    BOUNDED(iip_conn_info) about;
    BOUNDED(iip_loop_stats) stats;
    struct iip_conn_info *part = BOUND(about);
    CHECK_EQ(iip_engine_info_get(a.engine, BOUND(info)), IIP_OK);
    CHECK_BOUND(info);
    CHECK(info.s.loops == 1 && info.s.mtu == 1500 && info.s.conns == 1);
    CHECK_EQ(iip_loop_area(a.loop, BOUND(area)), IIP_OK);
    CHECK_BOUND(area);
    CHECK(area.s.op_cap == 256 && area.s.ops == a.area.ops);
    CHECK_EQ(iip_conn_info_get(conn, part), IIP_OK);
    CHECK_BOUND(about);
    CHECK(about.s.state == IIP_CONN_ESTABLISHED && about.s.conn == conn && about.s.peer.port == 80);
    CHECK_EQ(iip_loop_stats_get(a.loop, BOUND(stats)), IIP_OK);
    CHECK_BOUND(stats);
    CHECK(stats.s.conns == 1 && stats.s.turns > 0 && stats.s.tx_packets > 0);
    memset(&about, 0xa5, sizeof about); /* of a shorter one only the beginning */
    part->size = offsetof(struct iip_conn_info, user);
    CHECK_EQ(iip_conn_info_get(conn, part), IIP_OK);
    CHECK(part->state == IIP_CONN_ESTABLISHED && part->conn == conn && part->user == 0xa5a5a5a5a5a5a5a5);
}

/* A turn reads no more of the structure than its size says, writes no more, and leaves the size alone. */
static void turns(void)
{
    BOUNDED(iip_turn) turn;
    memset(&turn, 0, sizeof turn);
    memset(turn.after, 0xa5, sizeof turn.after);
    turn.s.size = sizeof turn.s;
    CHECK(iip_loop_turn(a.loop, &turn.s) >= 0);
    CHECK_EQ(turn.s.size, sizeof turn.s);
    for (size_t i = 0; i < sizeof turn.after; i++)
        CHECK(turn.after[i] == 0xa5);
    CHECK(turn.s.now_us > 0 && turn.s.tx_free_n > 0);
    turn.s.op_n = a.area.op_cap + 1;
    CHECK_EQ(iip_loop_turn(a.loop, &turn.s), IIP_E_RANGE);
}

static void listeners(void)
{
    struct iip_addr local;
    uint64_t listener, conn, found = 0;
    CHECK_EQ(iip_addr_parse(":80", &local), IIP_OK);
    CHECK_EQ(iip_engine_listen(b.engine, &local, 10, 9, &listener), IIP_OK);
    CHECK_EQ(side_await(&b, &a, IIP_EVENT_DONE, listener)->status, IIP_OK);
    CHECK_EQ(iip_loop_connect(a.loop, "10.0.0.2:80", 0, &conn), IIP_OK);
    CHECK_EQ(side_await(&b, &a, IIP_EVENT_ACCEPT, 0)->user, 9);
    side_await(&a, &b, IIP_EVENT_CONNECTED, conn);
    CHECK_EQ(iip_loop_conns(a.loop, 0, &found, 1), 1);
    CHECK_EQ(found, conn);
    outputs(conn);
    turns();
    CHECK_EQ(iip_engine_unlisten(b.engine, listener), IIP_OK);
    CHECK_EQ(iip_engine_unlisten(b.engine, listener), IIP_E_STALE);
}

static void tools(void)
{
    struct iip_region_info region;
    struct iip_engine *found = NULL;
    struct iip_log_record record;
    uint64_t count = 0;
    CHECK(iip_engine_regions(a.engine, &region, 1) >= 1);
    CHECK(region.base && region.len);
    CHECK_EQ(iip_engine_list(0, &found), IIP_OK);
    CHECK(found == a.engine || found == b.engine);
    CHECK_EQ(iip_engine_list(1000, &found), IIP_E_NOT_FOUND);
    CHECK(iip_loop_counters(a.loop, &count, 1) > 1);
    CHECK(iip_engine_log(a.engine, &record, 1) >= 0);
    CHECK_EQ(iip_loop_index(a.loop), 0);
    CHECK(iip_loop_fd(a.loop) >= 0);
    CHECK_EQ(iip_loop_wake(a.loop), IIP_OK);
}

static void wire(void)
{
    static const uint8_t frame[6];
    side_forget(&a);
    CHECK_EQ(iip_engine_inject(a.engine, frame, sizeof frame), IIP_OK);
    CHECK_EQ(iip_engine_inject(a.engine, frame, 0), IIP_E_INVAL);
    CHECK_EQ(iip_engine_mtu_set(a.engine, 1000), IIP_OK);
    CHECK_EQ(side_await(&a, &b, IIP_EVENT_LINK, 0)->value, 1ULL << 32 | 1000);
}

static void owners(void)
{
    CHECK_EQ(iip_loop_net(a.loop, 0), IIP_E_NOT_SUPPORTED);
    CHECK_EQ(iip_loop_detach(a.loop), IIP_OK);
    CHECK_EQ(iip_loop_turn(a.loop, &a.turn), IIP_E_WRONG_THREAD);
    CHECK_EQ(iip_loop_attach(a.loop), IIP_OK);
}

static void ends(void)
{
    BOUNDED(iip_leaks) leaks;
    CHECK_EQ(iip_loop_close(b.loop), IIP_OK);
    for (int i = 0; i < 100 && !(b.turn.state & IIP_STATE_CLOSED); i++)
        side_turn(&b);
    CHECK(b.turn.state & IIP_STATE_CLOSED);
    CHECK_EQ(iip_engine_close(b.engine, BOUND(leaks)), IIP_OK);
    CHECK_BOUND(leaks);
    CHECK(leaks.s.bufs == 0 && leaks.s.conns == 0 && leaks.s.listeners == 0);
    CHECK_EQ(iip_engine_close(a.engine, NULL), IIP_OK);
}

int main(void)
{
    configurations();
    side_open(&a, "sim:loops,clock=virtual", "10.0.0.1/24", 1);
    side_open(&b, "sim:loops,clock=virtual", "10.0.0.2/24", 2);
    listeners();
    tools();
    wire();
    owners();
    ends();
    return done();
}

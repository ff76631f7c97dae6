/* config_test.c - what iip_engine_open takes, defaults and refuses, and what it says then. */
#include "world.h"

static int32_t open_with(const struct iip_engine_cfg *cfg, char *why)
{
    struct iip_engine *engine = NULL;
    int32_t st = iip_engine_open(cfg, &engine, why, 256);
    if (!st)
        CHECK_EQ(iip_engine_close(engine, NULL), IIP_OK);
    return st;
}

static void a_short_structure_gets_defaults(void)
{
    struct iip_engine_cfg cfg = side_cfg("pair:config1", 1);
    char why[256];
    cfg.op_cap = 0xffffffff; /* beyond the size that is given: not read */
    cfg.size = offsetof(struct iip_engine_cfg, addresses);
    CHECK_EQ(open_with(&cfg, why), IIP_OK);
}

static void a_longer_structure_must_end_in_zeros(void)
{
    struct {
        struct iip_engine_cfg cfg;
        uint8_t tail[24];
    } later;
    char why[256];
    memset(&later, 0, sizeof later);
    later.cfg = side_cfg("pair:config2", 1);
    later.cfg.size = sizeof later;
    CHECK_EQ(open_with(&later.cfg, why), IIP_OK);
    later.tail[23] = 1;
    CHECK_EQ(open_with(&later.cfg, why), IIP_E_UNKNOWN_FIELD);
    CHECK(strstr(why, "size=") != NULL);
}

/* The reason names what is wrong. */
static void refuses(struct iip_engine_cfg cfg, int32_t status, const char *says)
{
    char why[256] = "";
    if (!CHECK_EQ(open_with(&cfg, why), status) || !CHECK(strstr(why, says) != NULL))
        printf("    \"%s\" should say \"%s\"\n", why, says);
}

static void what_is_wrong_is_named(void)
{
    struct iip_engine_cfg cfg = side_cfg("pair:config3", 1), bad;
    bad = cfg, bad.size = 2, refuses(bad, IIP_E_INVAL, "size=2");
    bad = cfg, bad.port = NULL, refuses(bad, IIP_E_INVAL, "port");
    bad = cfg, bad.port = "nothing:x", refuses(bad, IIP_E_NO_DEVICE, "nothing");
    bad = cfg, bad.addresses = "10.0.0.1/24 10.0.0.300/24", refuses(bad, IIP_E_INVAL, "10.0.0.300/24");
    bad = cfg, bad.addresses = "10.0.0.1/33", refuses(bad, IIP_E_INVAL, "10.0.0.1/33");
    bad = cfg, bad.addresses = "10.0.0.1/24,10.0.0.1/24", refuses(bad, IIP_E_EXISTS, "10.0.0.1/24");
    bad = cfg, bad.routes = "default", refuses(bad, IIP_E_INVAL, "default");
    bad = cfg, bad.routes = "10.1.0.0/16 via nobody", refuses(bad, IIP_E_INVAL, "nobody");
    bad = cfg, bad.routes = "default via 10.0.0.1",
    refuses(bad, IIP_E_INVAL, "\"default via 10.0.0.1\": the gateway is an address of our own");
    bad = cfg, bad.routes = "10.9.0.0/16 via 10.0.1.1",
    refuses(bad, IIP_E_INVAL, "\"10.9.0.0/16 via 10.0.1.1\": the gateway is on no network");
    bad = cfg, bad.routes = "10.1.0.0/16,default via fd01::1", refuses(bad, IIP_E_INVAL, "\"default via fd01::1\"");
    bad = cfg, bad.addresses = "10.0.0.1", bad.routes = "default via 10.0.0.254",
    refuses(bad, IIP_E_INVAL, "give an address with the prefix");
    bad = cfg, bad.addresses = "::/0", bad.routes = "default via 10.0.0.254", refuses(bad, IIP_E_INVAL, "");
    bad = cfg, bad.tunables = "tcp.mss=1400 no_such=1", refuses(bad, IIP_E_NOT_FOUND, "no_such=1");
    bad = cfg, bad.tunables = "mss", refuses(bad, IIP_E_INVAL, "\"mss\"");
    bad = cfg, bad.tunables = "tcp.mss=4000000000", refuses(bad, IIP_E_RANGE, "tcp.mss=4000000000");
    bad = cfg, bad.neighbours = "10.0.0.9=02:00", refuses(bad, IIP_E_INVAL, "02:00");
    bad = cfg, bad.mtu = 9000, refuses(bad, IIP_E_RANGE, "mtu=9000");
    bad = cfg, bad.op_cap = 1 << 30, refuses(bad, IIP_E_RANGE, "op_cap");
    bad = cfg, bad.frames = 15, refuses(bad, IIP_E_RANGE, "frames=15: must be 16 to");
    bad = cfg, bad.loops = 1000, refuses(bad, IIP_E_RANGE, "loops");
    bad = cfg, bad.flags = 1, refuses(bad, IIP_E_INVAL, "flags");
    bad = cfg, bad.cores = 3, refuses(bad, IIP_E_NOT_SUPPORTED, "cores");
}

static void everything_that_can_be_said(void)
{
    struct iip_engine_cfg cfg = side_cfg("pair:config4", 1);
    char why[256] = "";
    cfg.addresses = "10.0.0.1/24, fd00::1/64  192.168.7.1/30";
    cfg.routes = "default via 10.0.0.254, 10.9.0.0/16 via 10.0.0.7 , fd01::/48 via fd00::7, 10.8.0.0/16";
    cfg.tunables = "tcp.mss=1400,tcp.sack=0 tcp.syn_options=0x31842";
    cfg.neighbours = "10.0.0.9=02:00:00:00:00:09 fd00::9=02:00:00:00:00:09";
    cfg.mtu = 1400;
    if (!CHECK_EQ(open_with(&cfg, why), IIP_OK))
        printf("    %s\n", why);
    CHECK_STR(why, "");
    cfg.addresses = "10.0.0.1 fd00::1"; /* a gateway that is said to be on the link, or is by its nature */
    cfg.routes = "default via 10.0.0.254,10.0.0.254/32,default via fe80::1";
    cfg.neighbours = NULL;
    CHECK_EQ(open_with(&cfg, why), IIP_OK);
    CHECK_STR(why, "");
    cfg.port = "pair:config6,l3=on"; /* one wire: who is at its other end, is */
    cfg.routes = "default via 10.9.9.9";
    CHECK_EQ(open_with(&cfg, why), IIP_OK);
    CHECK_STR(why, "");
}

static void nowhere_to_put_the_answer(void)
{
    struct iip_engine_cfg cfg = side_cfg("nothing:x", 1);
    struct iip_engine *engine;
    CHECK_EQ(iip_engine_open(NULL, &engine, NULL, 0), IIP_E_INVAL);
    CHECK_EQ(iip_engine_open(&cfg, NULL, NULL, 0), IIP_E_INVAL);
    CHECK(iip_engine_open(&cfg, &engine, NULL, 0) < 0);
}

/* A failed open leaves nothing behind: far more of them than there are engines and loops. */
static void failing_often_costs_nothing(void)
{
    struct iip_engine_cfg cfg = side_cfg("pair:config5", 1);
    struct iip_engine *engine;
    int i, wrong = 0;
    cfg.frames = 256;
    cfg.addresses = "x";
    for (i = 0; i < 300; i++)
        wrong += iip_engine_open(&cfg, &engine, NULL, 0) != IIP_E_INVAL;
    CHECK_EQ(wrong, 0);
    cfg.addresses = NULL;
    for (i = 0; i < 300; i++)
        wrong += iip_engine_open(&cfg, &engine, NULL, 0) || iip_engine_close(engine, NULL);
    CHECK_EQ(wrong, 0);
}

static void outputs_are_cut_to_their_size(void)
{
    struct side a, b;
    struct iip_engine_info info;
    struct iip_leaks leaks = {.size = 1};
    world_open(&a, &b, "pair:config6");
    memset(&info, 0xee, sizeof info);
    info.size = 8;
    CHECK_EQ(iip_engine_info_get(a.engine, &info), IIP_OK);
    CHECK_EQ(info.size, sizeof info);
    CHECK_EQ(info.loops, 1);
    CHECK_EQ(info.mtu, 0xeeeeeeee);
    info.size = 0;
    CHECK_EQ(iip_engine_info_get(a.engine, &info), IIP_E_INVAL);
    CHECK_EQ(iip_engine_close(a.engine, &leaks), IIP_E_INVAL);
    world_close(&a, &b);
}

static void a_turn_structure_may_grow_too(void)
{
    struct side a, b;
    struct {
        struct iip_turn turn;
        uint64_t tail;
    } later;
    world_open(&a, &b, "pair:config7");
    memset(&later, 0, sizeof later);
    later.turn.size = sizeof later;
    CHECK_EQ(iip_loop_turn(a.loop, &later.turn), 0);
    later.tail = 1;
    CHECK_EQ(iip_loop_turn(a.loop, &later.turn), IIP_E_UNKNOWN_FIELD);
    later.turn.size = UINT32_MAX; /* nothing behind 4,096 bytes is read */
    CHECK_EQ(iip_loop_turn(a.loop, &later.turn), IIP_E_INVAL);
    later.turn.size = 4;
    CHECK_EQ(iip_loop_turn(a.loop, &later.turn), IIP_E_INVAL);
    world_close(&a, &b);
}

int main(void)
{
    RUN(a_short_structure_gets_defaults);
    RUN(a_longer_structure_must_end_in_zeros);
    RUN(what_is_wrong_is_named);
    RUN(everything_that_can_be_said);
    RUN(nowhere_to_put_the_answer);
    RUN(failing_often_costs_nothing);
    RUN(outputs_are_cut_to_their_size);
    RUN(a_turn_structure_may_grow_too);
    return check_done();
}

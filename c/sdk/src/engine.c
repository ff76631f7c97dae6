/* engine.c - opens a port with its loops and memory, and closes it. */
#include <stdlib.h>
#include <string.h>

#include "sdk.h"
#include "sim/sim.h"

enum { IIP_ENGINES_MAX = 64 };

/* Never freed: a pointer to a closed engine is told from an open one. */
static struct iip_engine *iip_engine_table[IIP_ENGINES_MAX];
static pthread_mutex_t iip_engine_table_lock = PTHREAD_MUTEX_INITIALIZER;

static struct iip_engine *iip_engine_new(void)
{
    struct iip_engine *engine = NULL;
    uint32_t i;
    pthread_mutex_lock(&iip_engine_table_lock);
    for (i = 0; i < IIP_ENGINES_MAX && iip_engine_table[i] && iip_engine_table[i]->taken; i++)
        ;
    if (i < IIP_ENGINES_MAX && !iip_engine_table[i])
        iip_engine_table[i] = calloc(1, sizeof *engine);
    if (i < IIP_ENGINES_MAX)
        engine = iip_engine_table[i];
    if (engine) {
        memset(engine, 0, sizeof *engine);
        engine->taken = 1;
    }
    pthread_mutex_unlock(&iip_engine_table_lock);
    return engine;
}

static int32_t iip_engine_check(const struct iip_engine *engine)
{
    if (!engine)
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    return iip_epoch_ok(engine->epoch) ? IIP_OK : IIP_E_FORKED;
}

/* ---- open ---- */

/* The name of the wire, if it has a virtual clock; else empty. A recorder may stand in front of the port, whose kind
   only its string tells then. */
static void iip_engine_wire(struct iip_engine *engine, const char *port)
{
    const char *name = port + 4;
    size_t n = strncmp(port, "sim:", 4) == 0 ? strcspn(name, ",") : 0;
    if (!n || n >= sizeof engine->wire)
        return;
    memcpy(engine->wire, name, n);
    if (!iip_sim_advance(engine->wire, 0))
        engine->wire[0] = 0;
}

static int32_t iip_engine_port(struct iip_engine *engine, const struct iip_engine_cfg *cfg, char *error, uint32_t cap)
{
    struct iip_port_cfg port = {.queues = cfg->loops,
                                .frames = cfg->frames,
                                .frame_size = cfg->frame_bytes,
                                .ring = cfg->ring,
                                .pcap = cfg->pcap};
    uint32_t mtu;
    int32_t st = iip_port_open(cfg->port, &port, &engine->ops, &engine->port, error, error ? cap : 0);
    if (st) {
        engine->port = NULL;
        return st;
    }
    engine->ops->info(engine->port, &engine->info);
    mtu = cfg->mtu ? cfg->mtu : engine->info.mtu;
    if (mtu > engine->info.mtu) {
        iip_config_say(error, cap, "mtu=%u: the port %s carries %u", mtu, cfg->port, engine->info.mtu);
        return IIP_E_RANGE;
    }
    engine->mtu_set = cfg->mtu;
    iip_engine_wire(engine, cfg->port);
    engine->loop_n = engine->info.queues < cfg->loops ? engine->info.queues : cfg->loops;
    atomic_store_explicit(&engine->link, (uint64_t)(engine->info.link_up != 0) << 32 | mtu, memory_order_relaxed);
    return IIP_OK;
}

static int32_t iip_engine_loop_open(struct iip_engine *engine, uint32_t i, const struct iip_engine_cfg *cfg,
                                    char *error, uint32_t cap)
{
    struct iip_loop *loop = iip_loop_new();
    int32_t st;
    if (!loop) {
        iip_config_say(error, cap, "no memory for loop %u, or more than %u loops in this process", i, IIP_LOOPS_MAX);
        return IIP_E_NOMEM;
    }
    engine->loops[i] = loop;
    loop->index = i;
    st = iip_loop_setup(loop, engine, cfg);
    if (st) {
        iip_config_say(error, cap, "loop %u: %s", i, iip_status_text(st));
        return st;
    }
    return iip_config_apply(cfg, loop->stk, (engine->info.stack_flags & IIP_STACK_L3) != 0, error, cap);
}

static int32_t iip_engine_fill(struct iip_engine *engine, const struct iip_engine_cfg *cfg, char *error, uint32_t cap)
{
    int32_t st = iip_engine_port(engine, cfg, error, cap);
    uint32_t i;
    if (st)
        return st;
    engine->loops = calloc(engine->loop_n, sizeof *engine->loops);
    if (!engine->loops)
        return IIP_E_NOMEM;
    for (i = 0; i < engine->loop_n && !st; i++)
        st = iip_engine_loop_open(engine, i, cfg, error, cap);
    return st;
}

static void iip_engine_free(struct iip_engine *engine, struct iip_leaks *leaks)
{
    uint32_t i;
    engine->open = 0;
    for (i = 0; engine->loops && i < engine->loop_n; i++)
        if (engine->loops[i])
            iip_loop_clean(engine->loops[i], leaks);
    leaks->regions += iip_region_forget(engine);
    if (engine->port)
        engine->ops->close(engine->port);
    free(engine->loops);
    free(engine->regions);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->log.lock);
    pthread_mutex_lock(&iip_engine_table_lock);
    engine->taken = 0;
    pthread_mutex_unlock(&iip_engine_table_lock);
}

int32_t iip_engine_open(const struct iip_engine_cfg *cfg, struct iip_engine **out, char *error, uint32_t error_cap)
{
    struct iip_engine_cfg own;
    struct iip_engine *engine;
    struct iip_leaks leaks = {.size = sizeof leaks};
    int32_t st;
    uint32_t i;
    if (error && error_cap)
        error[0] = 0;
    if (!cfg || !out)
        return IIP_E_INVAL;
    st = iip_config_read(cfg, &own, error, error_cap);
    if (st)
        return st;
    engine = iip_engine_new();
    if (!engine) {
        iip_config_say(error, error_cap, "no memory, or more than %d engines in this process", IIP_ENGINES_MAX);
        return IIP_E_NOMEM;
    }
    engine->epoch = iip_epoch();
    engine->poll_us = own.poll_us;
    pthread_mutex_init(&engine->lock, NULL);
    iip_log_init(&engine->log, own.log_level);
    st = iip_engine_fill(engine, &own, error, error_cap);
    if (st) {
        iip_engine_free(engine, &leaks);
        return st;
    }
    engine->open = 1;
    for (i = 0; i < engine->loop_n; i++)
        atomic_store_explicit(&engine->loops[i]->engine, engine, memory_order_release);
    *out = engine;
    return IIP_OK;
}

/* ---- close ---- */

/* Takes all loops, or none: nobody may be turning one while it goes. */
static int32_t iip_engine_take(struct iip_engine *engine)
{
    const void *self = iip_thread_token();
    uint32_t i;
    for (i = 0; i < engine->loop_n; i++) {
        const void *owner = atomic_load_explicit(&engine->loops[i]->owner, memory_order_relaxed);
        const void *app = atomic_load_explicit(&engine->loops[i]->app, memory_order_relaxed);
        if ((owner && owner != self) || (app && app != self))
            return IIP_E_BUSY;
    }
    for (i = 0; i < engine->loop_n; i++)
        if (iip_loop_attach(engine->loops[i]) || iip_loop_claim(&engine->loops[i]->owner))
            return IIP_E_BUSY; /* somebody attached just now: the ones taken stay taken, and closing again is fine */
    return IIP_OK;
}

int32_t iip_engine_close(struct iip_engine *engine, struct iip_leaks *out)
{
    struct iip_leaks leaks = {.size = sizeof leaks};
    int32_t st = iip_engine_check(engine);
    if (!st && out && out->size < sizeof out->size)
        st = IIP_E_INVAL;
    if (!st)
        st = iip_engine_take(engine);
    if (st)
        return st;
    iip_engine_free(engine, &leaks);
    return out ? iip_size_out(out, &leaks, sizeof leaks) : IIP_OK;
}

/* ---- what there is ---- */

void iip_engine_link(struct iip_engine *engine)
{
    struct iip_port_info info;
    uint32_t mtu;
    engine->ops->info(engine->port, &info);
    mtu = engine->mtu_set && engine->mtu_set < info.mtu ? engine->mtu_set : info.mtu;
    atomic_store_explicit(&engine->link, (uint64_t)(info.link_up != 0) << 32 | mtu, memory_order_relaxed);
    iip_log_write(engine, IIP_LOG_INFO, UINT32_MAX, 0, IIP_OK, "link %s, mtu %u", info.link_up ? "up" : "down", mtu);
}

int32_t iip_engine_info_get(struct iip_engine *engine, struct iip_engine_info *out)
{
    struct iip_engine_info info = {.size = sizeof info};
    int32_t st = iip_engine_check(engine);
    uint64_t link;
    uint32_t i;
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    link = atomic_load_explicit(&engine->link, memory_order_relaxed);
    info.loops = engine->loop_n;
    info.mtu = (uint32_t)link;
    info.link_up = (uint32_t)(link >> 32);
    info.polls = engine->info.polls;
    info.poll_us = engine->poll_us;
    info.caps = engine->info.caps | (engine->info.stack_flags & IIP_STACK_L3 ? IIP_PORT_L3 : 0);
    pthread_mutex_lock(&engine->lock);
    info.regions = engine->region_n;
    pthread_mutex_unlock(&engine->lock);
    memcpy(info.mac, engine->info.mac, sizeof info.mac);
    for (i = 0; i < engine->loop_n; i++)
        info.conns += atomic_load_explicit(&engine->loops[i]->conns.live, memory_order_relaxed);
    return iip_size_out(out, &info, sizeof info);
}

/* Time of a port that is simulated with a virtual clock belongs to its wire, which the port string names. */
int32_t iip_engine_advance(struct iip_engine *engine, uint64_t us, uint64_t *now_us)
{
    int32_t st = iip_engine_check(engine);
    uint64_t now;
    if (st)
        return st;
    if (!engine->wire[0])
        return IIP_E_NOT_SUPPORTED;
    now = iip_sim_advance(engine->wire, us);
    if (now_us)
        *now_us = now;
    return IIP_OK;
}

int32_t iip_engine_inject(struct iip_engine *engine, const void *frame, uint32_t len)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!frame)
        return IIP_E_INVAL;
    return engine->wire[0] ? iip_sim_inject(engine->wire, engine->info.mac, frame, len) : IIP_E_NOT_SUPPORTED;
}

int32_t iip_engine_mtu_set(struct iip_engine *engine, uint32_t mtu)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!engine->wire[0])
        return IIP_E_NOT_SUPPORTED;
    return mtu < IIP_SIM_MTU_MIN || mtu > IIP_SIM_MTU_MAX ? IIP_E_RANGE : iip_sim_mtu_set(engine->wire, mtu);
}

int32_t iip_engine_list(uint32_t i, struct iip_engine **out)
{
    uint32_t k;
    int32_t st = IIP_E_NOT_FOUND;
    if (!out)
        return IIP_E_INVAL;
    pthread_mutex_lock(&iip_engine_table_lock);
    for (k = 0; k < IIP_ENGINES_MAX && st; k++) {
        struct iip_engine *engine = iip_engine_table[k];
        if (!engine || !engine->open || !iip_epoch_ok(engine->epoch) || i--)
            continue;
        *out = engine;
        st = IIP_OK;
    }
    pthread_mutex_unlock(&iip_engine_table_lock);
    return st;
}

int32_t iip_engine_loop(struct iip_engine *engine, uint32_t i, struct iip_loop **out)
{
    int32_t st = iip_engine_check(engine);
    if (st)
        return st;
    if (!out)
        return IIP_E_INVAL;
    if (i >= engine->loop_n)
        return IIP_E_NOT_FOUND;
    *out = engine->loops[i];
    return IIP_OK;
}

_Static_assert((int)IIP_PORT_IP_CSUM == (int)IIP_CAP_TX_IP_CSUM && (int)IIP_PORT_TCP_CSUM == (int)IIP_CAP_TX_TCP_CSUM &&
                   (int)IIP_PORT_UDP_CSUM == (int)IIP_CAP_TX_UDP_CSUM && (int)IIP_PORT_TSO == (int)IIP_CAP_TX_TSO &&
                   (int)IIP_PORT_SG == (int)IIP_CAP_TX_SG,
               "what ports can do");

/* engine.c - opening, closing, and who may still use an engine's memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flat.h"

struct iip_engine_cfg *flat_options(void)
{
    struct iip_engine_cfg *cfg = calloc(1, sizeof *cfg);
    if (cfg)
        cfg->size = sizeof *cfg;
    else
        flat_fail(IIP_E_NOMEM, NULL);
    return cfg;
}

void flat_options_free(struct iip_engine_cfg *cfg)
{
    if (!cfg)
        return;
    free((char *)cfg->port);
    free((char *)cfg->addresses);
    free((char *)cfg->routes);
    free((char *)cfg->tunables);
    free((char *)cfg->neighbours);
    free((char *)cfg->pcap);
    free(cfg);
}

struct flat_engine *flat_open(const struct iip_engine_cfg *cfg)
{
    char why[256] = "";
    struct flat_engine *engine = calloc(1, sizeof *engine);
    struct iip_engine *raw = NULL;
    int32_t status = !cfg ? IIP_E_INVAL : !engine ? IIP_E_NOMEM : iip_engine_open(cfg, &raw, why, sizeof why);
    if (status < 0) {
        flat_fail(status, why[0] ? why : NULL);
        free(engine);
        return NULL;
    }
    pthread_mutex_init(&engine->lock, NULL);
    engine->raw = raw;
    engine->refs = 1;
    engine->leaks.size = sizeof engine->leaks;
    return engine;
}

/* ---- pins: who uses the memory right now ---- */

int32_t flat_engine_pin(struct flat_engine *engine)
{
    uint32_t pins;

    if (!engine)
        return IIP_E_INVAL;
    pins = atomic_load(&engine->pins);
    do {
        if (pins & FLAT_CLOSING)
            return IIP_E_CLOSED;
    } while (!atomic_compare_exchange_weak(&engine->pins, &pins, pins + 1));
    return 0;
}

/* Nobody uses the memory, and nobody can begin to: the end. */
static int32_t flat_engine_end(struct flat_engine *engine)
{
    int32_t status = iip_engine_close(engine->raw, &engine->leaks);
    if (status < 0)
        return status;
    engine->raw = NULL;
    flat_regions_free(engine); /* nobody sends from them, or has posts to do, any more */
    flat_posted_free(engine);
    return status;
}

void flat_engine_unpin(struct flat_engine *engine)
{
    if (atomic_fetch_sub(&engine->pins, 1) == (FLAT_CLOSING | 1))
        flat_engine_end(engine);
}

/* ---- closing ---- */

/* Ends what a loop carries, so that only its memory is left. The caller owns the loop. */
static void flat_loop_quiet(struct iip_loop *loop)
{
    struct iip_turn turn = {.size = sizeof turn};
    int32_t turns;

    iip_loop_close(loop);
    for (turns = 0; turns < 1000 && !(turn.state & IIP_STATE_CLOSED); turns++)
        if (iip_loop_turn(loop, &turn) < 0)
            return;
}

static int32_t flat_owns(struct iip_loop *loop)
{
    uint64_t now;
    return iip_loop_now(loop, &now) >= 0;
}

/* All loops become the caller's, or those that were not go back. */
static int32_t flat_engine_seize(struct flat_engine *engine, struct iip_loop **loops)
{
    uint8_t seized[128] = {0};
    int32_t status = 0, n = 0;

    while (n < 127 && iip_engine_loop(engine->raw, (uint32_t)n, &loops[n]) >= 0) {
        seized[n] = !flat_owns(loops[n]);
        status = iip_loop_attach(loops[n]);
        if (status < 0)
            break;
        n++;
    }
    if (status >= 0)
        return n;
    while (n-- > 0)
        if (seized[n])
            iip_loop_detach(loops[n]);
    return status;
}

/* Released views are still looked at: everything but the memory ends now. */
static int32_t flat_engine_quiet(struct flat_engine *engine)
{
    struct iip_loop *loops[128];
    int32_t i, n = flat_engine_seize(engine, loops);

    for (i = 0; i < n; i++) {
        flat_loop_quiet(loops[i]);
        iip_loop_detach(loops[i]);
    }
    return n < 0 ? n : 0;
}

static int32_t flat_engine_refuse(struct flat_engine *engine, int32_t status)
{
    char detail[80];
    uint32_t views = atomic_load(&engine->views);

    atomic_fetch_and(&engine->pins, ~FLAT_CLOSING);
    atomic_fetch_sub(&engine->pins, 1);
    if (status != IIP_E_BUSY)
        return flat_fail(status, NULL);
    if (views)
        snprintf(detail, sizeof detail, "%u views are not released", views);
    else
        snprintf(detail, sizeof detail, "another thread owns a loop, or calls: let it detach first");
    return flat_fail(status, detail);
}

int32_t flat_engine_close(struct flat_engine *engine)
{
    int32_t status, alone;

    if (!engine)
        return flat_fail(IIP_E_INVAL, NULL);
    if (flat_engine_pin(engine) < 0)
        return 0;
    if (atomic_fetch_or(&engine->pins, FLAT_CLOSING) & FLAT_CLOSING) {
        flat_engine_unpin(engine);
        return 0;
    }
    if (atomic_load(&engine->views))
        return flat_engine_refuse(engine, IIP_E_BUSY);
    alone = atomic_load(&engine->pins) == (FLAT_CLOSING | 1);
    status = alone ? flat_engine_end(engine) : flat_engine_quiet(engine);
    if (status < 0)
        return flat_engine_refuse(engine, status);
    if (alone)
        atomic_fetch_sub(&engine->pins, 1);
    else
        flat_engine_unpin(engine);
    return 0;
}

int32_t flat_engine_closed(struct flat_engine *engine)
{
    if (!engine || !engine->raw)
        return 2;
    return atomic_load(&engine->pins) & FLAT_CLOSING ? 1 : 0;
}

void flat_engine_unref(struct flat_engine *engine)
{
    if (!engine || atomic_fetch_sub(&engine->refs, 1) != 1)
        return;
    if (engine->raw) /* nobody can name it: a loop that a dead thread still owns keeps its memory */
        flat_engine_end(engine);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* ---- what it says ---- */

struct flat_loop *flat_engine_loop(struct flat_engine *engine, uint32_t i)
{
    struct flat_loop *loop = calloc(1, sizeof *loop);
    int32_t status = loop ? flat_engine_pin(engine) : IIP_E_NOMEM;
    if (status >= 0) {
        status = iip_engine_loop(engine->raw, i, &loop->raw);
        flat_engine_unpin(engine);
    }
    if (status < 0) {
        flat_fail(status, NULL);
        free(loop);
        return NULL;
    }
    loop->engine = engine;
    atomic_fetch_add(&engine->refs, 1);
    return loop;
}

struct iip_engine_info *flat_engine_info(struct flat_engine *engine)
{
    struct iip_engine_info *info = calloc(1, sizeof *info);
    int32_t status = info ? flat_engine_pin(engine) : IIP_E_NOMEM;
    if (status >= 0) {
        info->size = sizeof *info;
        status = iip_engine_info_get(engine->raw, info);
        flat_engine_unpin(engine);
    }
    if (status >= 0)
        return info;
    flat_fail(status, NULL);
    free(info);
    return NULL;
}

struct iip_leaks *flat_engine_leaks(struct flat_engine *engine)
{
    struct iip_leaks *leaks;

    if (flat_engine_closed(engine) != 2) {
        flat_fail(IIP_E_BUSY, "the engine is not closed yet");
        return NULL;
    }
    leaks = malloc(sizeof *leaks);
    if (leaks)
        *leaks = engine->leaks;
    else
        flat_fail(IIP_E_NOMEM, NULL);
    return leaks;
}

int64_t flat_engine_listen(struct flat_engine *engine, const char *local, uint32_t backlog, uint64_t user)
{
    struct iip_addr addr;
    uint64_t handle = 0;
    int32_t status = local ? iip_addr_parse(local, &addr) : IIP_E_INVAL;
    if (status < 0)
        return flat_fail(status, local);
    status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    status = iip_engine_listen(engine->raw, &addr, backlog, user, &handle);
    flat_engine_unpin(engine);
    return status < 0 ? status : (int64_t)handle;
}

int32_t flat_engine_unlisten(struct flat_engine *engine, uint64_t listener)
{
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    status = iip_engine_unlisten(engine->raw, listener);
    flat_engine_unpin(engine);
    return status;
}

int64_t flat_engine_advance(struct flat_engine *engine, uint64_t us)
{
    uint64_t now = 0;
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    status = iip_engine_advance(engine->raw, us, &now);
    flat_engine_unpin(engine);
    return status < 0 ? status : (int64_t)now;
}

int32_t flat_engine_inject(struct flat_engine *engine, const void *bytes, uint32_t len)
{
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    status = iip_engine_inject(engine->raw, bytes, len);
    flat_engine_unpin(engine);
    return status;
}

int32_t flat_engine_mtu_set(struct flat_engine *engine, uint32_t mtu)
{
    int32_t status = flat_engine_pin(engine);
    if (status < 0)
        return status;
    status = iip_engine_mtu_set(engine->raw, mtu);
    flat_engine_unpin(engine);
    return status;
}

char *flat_engine_log(struct flat_engine *engine)
{
    struct iip_log_record record;
    char line[192];
    int32_t n = flat_engine_pin(engine);
    if (n >= 0) {
        n = iip_engine_log(engine->raw, &record, 1);
        flat_engine_unpin(engine);
    }
    if (n < 0)
        flat_fail(n, NULL);
    if (n <= 0)
        return NULL;
    snprintf(line, sizeof line, "%u %s %s", record.level, record.status ? iip_status_name(record.status) : "-",
             record.text);
    return strdup(line);
}

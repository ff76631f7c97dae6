/* port.c - opens and closes the ends of simulated wires, and drives their clocks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../kinds.h"
#include "iip/status.h"
#include "sim.h"

enum { IIP_SIM_FRAMES = 8192, IIP_SIM_MTU = 1500, IIP_SIM_QUEUE = 1 << 20 };
#define IIP_SIM_TIME_MAX 3600000000ULL /* one hour */

static pthread_mutex_t iip_sim_lock = PTHREAD_MUTEX_INITIALIZER; /* of the list; taken before a wire's lock */
static struct iip_sim_wire *iip_sim_wires;

static struct iip_sim_wire *iip_sim_find(const char *name)
{
    struct iip_sim_wire *wire = iip_sim_wires;
    while (wire && strcmp(wire->name, name) != 0)
        wire = wire->next;
    return wire;
}

/* ---- the port string ---- */

/* What one open asks for; `said` has a bit for each thing of the whole wire that was named. */
enum { IIP_SIM_SEED = 1, IIP_SIM_CLOCK = 2, IIP_SIM_CSUM = 4, IIP_SIM_L3 = 8, IIP_SIM_SAID_MTU = 16 };
struct iip_sim_ask {
    char name[IIP_SIM_NAME];
    struct iip_port_cfg cfg;
    struct iip_sim_opts opts;
    uint32_t said;
    uint64_t seed;
    uint32_t mtu;
    int is_virtual, csum, l3, has_mac;
    uint8_t mac[6];
};

static int iip_sim_arg_wire(struct iip_args *a, struct iip_sim_ask *ask)
{
    if (iip_args_is(a, "seed"))
        return ask->said |= IIP_SIM_SEED, iip_args_u64(a, &ask->seed);
    if (iip_args_is(a, "mtu"))
        return ask->said |= IIP_SIM_SAID_MTU, iip_args_u32(a, IIP_SIM_MTU_MIN, IIP_SIM_MTU_MAX, &ask->mtu);
    if (iip_args_is(a, "csum"))
        return ask->said |= IIP_SIM_CSUM, iip_args_switch(a, &ask->csum);
    if (iip_args_is(a, "l3"))
        return ask->said |= IIP_SIM_L3, iip_args_switch(a, &ask->l3);
    if (iip_args_is(a, "mac"))
        return ask->has_mac = 1, iip_args_mac(a, ask->mac);
    if (iip_args_is(a, "clock")) {
        ask->said |= IIP_SIM_CLOCK;
        ask->is_virtual = strcmp(a->value, "virtual") == 0;
        if (ask->is_virtual || strcmp(a->value, "real") == 0)
            return IIP_OK;
        return iip_port_fail(a->err, IIP_E_INVAL, "sim: clock=%s: use virtual or real", a->value);
    }
    return iip_args_unknown(
        a,
        "seed, loss, dup, reorder, corrupt, delay, jitter, gap, rate, queue, mtu, clock, csum, l3, mac, " IIP_ARGS_CFG);
}

static int iip_sim_arg(struct iip_args *a, struct iip_sim_ask *ask)
{
    struct iip_sim_opts *o = &ask->opts;
    int status = iip_args_cfg(a, &ask->cfg);
    if (status)
        return status;
    if (iip_args_is(a, "loss"))
        return iip_args_chance(a, &o->loss_ppb);
    if (iip_args_is(a, "dup"))
        return iip_args_chance(a, &o->dup_ppb);
    if (iip_args_is(a, "reorder"))
        return iip_args_chance(a, &o->reorder_ppb);
    if (iip_args_is(a, "corrupt"))
        return iip_args_chance(a, &o->corrupt_ppb);
    if (iip_args_is(a, "delay"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->delay_us);
    if (iip_args_is(a, "jitter"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->jitter_us);
    if (iip_args_is(a, "gap"))
        return iip_args_time(a, IIP_SIM_TIME_MAX, &o->gap_us);
    if (iip_args_is(a, "rate"))
        return iip_args_rate(a, &o->rate_bits);
    if (iip_args_is(a, "queue"))
        return iip_args_bytes(a, 1 << 30, &o->queue_bytes);
    return iip_sim_arg_wire(a, ask);
}

/* Two passes: the name is needed to find the first end, whose options are where those of the second begin. */
static int iip_sim_ask(struct iip_sim_ask *ask, const char *args, const struct iip_port_cfg *cfg,
                       struct iip_port_err *err)
{
    struct iip_args a;
    const struct iip_sim_wire *wire;
    int status;
    memset(ask, 0, sizeof(*ask));
    ask->cfg = *cfg;
    ask->seed = 1;
    ask->mtu = IIP_SIM_MTU;
    ask->opts.queue_bytes = IIP_SIM_QUEUE;
    iip_args_init(&a, "sim", args, err);
    status = iip_args_name(&a, ask->name, sizeof(ask->name));
    if (status >= 0 && (wire = iip_sim_find(ask->name)) != NULL && wire->end[0])
        ask->opts = wire->end[0]->lane.opts;
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_sim_arg(&a, ask);
    if (status < 0)
        return status;
    if (!ask->opts.gap_us)
        ask->opts.gap_us = ask->opts.delay_us > 1000 ? ask->opts.delay_us : 1000;
    return IIP_OK;
}

/* What the second end says of the whole wire must be what the first one said. */
static int iip_sim_agree(const struct iip_sim_wire *wire, const struct iip_sim_ask *ask, struct iip_port_err *err)
{
    const char *what = NULL;
    if (wire->closed)
        return iip_port_fail(err, IIP_E_BUSY,
                             "sim:%s: its other end was closed; close this end too, then open both anew", wire->name);
    if (wire->opened == 2)
        return iip_port_fail(err, IIP_E_BUSY, "sim:%s: both ends are open already; take another name", wire->name);
    if ((ask->said & IIP_SIM_SEED) && ask->seed != wire->seed)
        what = "seed";
    if ((ask->said & IIP_SIM_CLOCK) && ask->is_virtual != wire->is_virtual)
        what = "clock";
    if ((ask->said & IIP_SIM_CSUM) && ask->csum != wire->csum)
        what = "csum";
    if ((ask->said & IIP_SIM_L3) && ask->l3 != wire->l3)
        what = "l3";
    if ((ask->said & IIP_SIM_SAID_MTU) && ask->mtu != wire->mtu)
        what = "mtu";
    if (what)
        return iip_port_fail(err, IIP_E_INVAL,
                             "sim:%s: the other end has another %s; give both the same, or name it once", wire->name,
                             what);
    return IIP_OK;
}

/* ---- opening and closing ---- */

static struct iip_sim_wire *iip_sim_wire_new(const struct iip_sim_ask *ask)
{
    struct iip_sim_wire *wire = calloc(1, sizeof(*wire));
    if (!wire)
        return NULL;
    strcpy(wire->name, ask->name);
    pthread_mutex_init(&wire->lock, NULL);
    wire->seed = ask->seed;
    wire->mtu = ask->mtu;
    wire->csum = ask->csum;
    wire->l3 = ask->l3;
    wire->is_virtual = ask->is_virtual;
    wire->now_us = IIP_SIM_START_US;
    wire->next = iip_sim_wires;
    iip_sim_wires = wire;
    return wire;
}

static void iip_sim_end_free(struct iip_sim_end *end)
{
    if (!end)
        return;
    if (end->fd >= 0)
        close(end->fd);
    iip_sim_lane_free(&end->lane);
    iip_pool_free(&end->pool);
    free(end);
}

static void iip_sim_wire_drop(struct iip_sim_wire *wire)
{
    struct iip_sim_wire **at;
    if (wire->opened != wire->closed)
        return;
    for (at = &iip_sim_wires; *at && *at != wire; at = &(*at)->next)
        ;
    if (*at)
        *at = wire->next;
    iip_sim_end_free(wire->end[0]);
    iip_sim_end_free(wire->end[1]);
    pthread_mutex_destroy(&wire->lock);
    free(wire);
}

static int iip_sim_end_new(struct iip_sim_wire *wire, const struct iip_sim_ask *ask, struct iip_port_err *err)
{
    struct iip_sim_end *end;
    uint32_t size = ask->cfg.frame_size;
    int status = iip_pool_fit(&size, wire->mtu, err);
    if (status < 0)
        return status;
    end = calloc(1, sizeof(*end));
    if (!end)
        return iip_port_fail(err, IIP_E_NOMEM, "sim:%s: no memory", wire->name);
    end->wire = wire;
    end->side = wire->opened;
    end->lane.opts = ask->opts;
    iip_sim_lane_init(&end->lane, wire->seed, end->side);
    end->mac[0] = 2; /* 02:73:69:6d:00:01 and ...:02 */
    memcpy(end->mac + 1, "sim", 3);
    end->mac[5] = (uint8_t)(end->side + 1);
    if (ask->has_mac)
        memcpy(end->mac, ask->mac, 6);
    end->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (end->fd < 0)
        status = iip_port_fail(err, IIP_E_NOMEM, "sim:%s: timerfd: %s; raise the limit of open files (ulimit -n)",
                               wire->name, strerror(errno));
    else
        status = iip_pool_init(&end->pool, 0, ask->cfg.frames ? ask->cfg.frames : IIP_SIM_FRAMES, size, err);
    if (status < 0) {
        iip_sim_end_free(end);
        return status;
    }
    pthread_mutex_lock(&wire->lock);
    wire->end[wire->opened++] = end;
    if (end->side) {
        wire->end[0]->lane.blocked = 0; /* it may have been refused for want of this end */
        iip_sim_arm(wire->end[0]);
    }
    pthread_mutex_unlock(&wire->lock);
    end->epoch = atomic_fetch_add(&wire->epoch, 1) + 1;
    return IIP_OK;
}

static int iip_sim_open_locked(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out,
                               struct iip_port_err *err)
{
    struct iip_sim_ask ask;
    struct iip_sim_wire *wire;
    int status = iip_sim_ask(&ask, args, cfg, err);
    if (status < 0)
        return status;
    wire = iip_sim_find(ask.name);
    if (!wire && !(wire = iip_sim_wire_new(&ask)))
        return iip_port_fail(err, IIP_E_NOMEM, "sim:%s: no memory", ask.name);
    status = wire->opened ? iip_sim_agree(wire, &ask, err) : IIP_OK;
    if (status >= 0)
        status = iip_sim_end_new(wire, &ask, err);
    if (status < 0)
        iip_sim_wire_drop(wire);
    else
        *out = (struct iip_port *)wire->end[wire->opened - 1];
    return status;
}

static int iip_sim_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                        size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    int status;
    pthread_mutex_lock(&iip_sim_lock);
    status = iip_sim_open_locked(args, cfg, out, &e);
    pthread_mutex_unlock(&iip_sim_lock);
    return status;
}

static void iip_sim_close(struct iip_port *port)
{
    struct iip_sim_wire *wire = ((struct iip_sim_end *)port)->wire;
    pthread_mutex_lock(&iip_sim_lock);
    pthread_mutex_lock(&wire->lock);
    wire->closed++;
    pthread_mutex_unlock(&wire->lock);
    atomic_fetch_add(&wire->epoch, 1);
    iip_sim_wire_drop(wire);
    pthread_mutex_unlock(&iip_sim_lock);
}

/* ---- what a loop asks ---- */

static void iip_sim_info(struct iip_port *port, struct iip_port_info *out)
{
    const struct iip_sim_end *end = (const struct iip_sim_end *)port;
    struct iip_sim_wire *wire = end->wire;
    memset(out, 0, sizeof(*out));
    out->stack_flags = wire->l3 ? IIP_STACK_L3 : 0;
    out->caps = IIP_CAP_TX_SG;
    if (wire->csum)
        out->caps |= IIP_CAP_TX_IP_CSUM | IIP_CAP_TX_TCP_CSUM | IIP_CAP_TX_UDP_CSUM;
    pthread_mutex_lock(&wire->lock);
    out->mtu = wire->mtu < iip_pool_mtu(&end->pool) ? wire->mtu : iip_pool_mtu(&end->pool);
    out->link_up = wire->opened == 2 && !wire->closed;
    pthread_mutex_unlock(&wire->lock);
    out->queues = 1;
    memcpy(out->mac, end->mac, 6);
}

static int iip_sim_changed(struct iip_port *port)
{
    struct iip_sim_end *end = (struct iip_sim_end *)port;
    uint32_t epoch = atomic_load_explicit(&end->wire->epoch, memory_order_acquire);
    if (IIP_LIKELY(epoch == end->epoch))
        return 0;
    end->epoch = epoch;
    return 1;
}

static struct iip_port_queue *iip_sim_queue(struct iip_port *port, uint32_t i)
{
    return i ? NULL : (struct iip_port_queue *)port;
}

static uint32_t iip_sim_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_sim_end *end = (const struct iip_sim_end *)port;
    if (cap)
        *out = (struct iip_port_region){end->pool.base, end->pool.len, end->pool.id};
    return 1;
}

static void iip_sim_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_sim_end *)q)->stk = stk;
}

static struct iip_frame *iip_sim_frame_get(void *queue, iip_u32 size)
{
    struct iip_sim_end *end = queue;
    return size <= end->pool.frame_size ? iip_pool_get(&end->pool) : NULL;
}

static void iip_sim_frame_put(void *queue, struct iip_frame *frame)
{
    iip_pool_put(&((struct iip_sim_end *)queue)->pool, frame);
}

static uint32_t iip_sim_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_sim_end *)q)->pool);
}

static void iip_sim_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_sim_end *)q)->stats;
}

const struct iip_port_ops iip_sim_ops = {
    .kind = "sim",
    .build_id = IIP_BUILD_ID,
    .open = iip_sim_open,
    .close = iip_sim_close,
    .info = iip_sim_info,
    .changed = iip_sim_changed,
    .queue = iip_sim_queue,
    .regions = iip_sim_regions,
    .attach = iip_sim_attach,
    .rx = iip_sim_rx,
    .tx = iip_sim_tx,
    .frame_get = iip_sim_frame_get,
    .frame_put = iip_sim_frame_put,
    .frames_free = iip_sim_frames_free,
    .fd = iip_sim_fd,
    .now = iip_sim_now,
    .stats = iip_sim_stats,
};

/* ---- driving a wire by name ---- */

/* The wire, with the list's lock held and its own; null when there is none, and no lock is held. */
static struct iip_sim_wire *iip_sim_hold(const char *name)
{
    struct iip_sim_wire *wire;
    pthread_mutex_lock(&iip_sim_lock);
    wire = iip_sim_find(name);
    if (wire)
        pthread_mutex_lock(&wire->lock);
    else
        pthread_mutex_unlock(&iip_sim_lock);
    return wire;
}

static void iip_sim_release(struct iip_sim_wire *wire)
{
    pthread_mutex_unlock(&wire->lock);
    pthread_mutex_unlock(&iip_sim_lock);
}

uint64_t iip_sim_advance(const char *name, uint64_t us)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    uint64_t now = 0;
    if (!wire)
        return 0;
    if (wire->is_virtual) {
        now = atomic_load(&wire->now_us) + us;
        atomic_store(&wire->now_us, now);
        for (uint32_t i = 0; i < wire->opened; i++)
            iip_sim_arm(wire->end[i]);
    }
    iip_sim_release(wire);
    return now;
}

uint64_t iip_sim_next(const char *name)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    uint64_t next = IIP_NEVER;
    if (!wire)
        return next;
    for (uint32_t i = 0; i < wire->opened; i++) {
        const struct iip_sim_node *first = iip_sim_lane_first(&wire->end[i]->lane);
        if (first && first->at_us < next)
            next = first->at_us;
    }
    iip_sim_release(wire);
    return next;
}

int iip_sim_mtu_set(const char *name, uint32_t mtu)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    if (!wire)
        return IIP_E_NOT_FOUND;
    wire->mtu = mtu;
    atomic_fetch_add(&wire->epoch, 1);
    iip_sim_release(wire);
    return IIP_OK;
}

static int iip_sim_inject_held(struct iip_sim_wire *wire, const uint8_t mac[6], const void *frame, uint32_t len)
{
    struct iip_sim_end *to = NULL;
    int status;
    for (uint32_t i = 0; i < wire->opened && !to; i++)
        if (memcmp(wire->end[i]->mac, mac, 6) == 0)
            to = wire->end[i];
    if (!to)
        return IIP_E_NOT_FOUND;
    if (!len || len > iip_sim_longest(wire))
        return IIP_E_INVAL;
    if (wire->opened < 2 || wire->closed)
        return IIP_E_LINK_DOWN;
    status = iip_sim_lane_inject(&wire->end[!to->side]->lane, frame, len, iip_sim_now((struct iip_port_queue *)to));
    iip_sim_arm(to);
    return status;
}

int iip_sim_inject(const char *name, const uint8_t mac[6], const void *frame, uint32_t len)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    int status;
    if (!wire)
        return IIP_E_NOT_FOUND;
    status = iip_sim_inject_held(wire, mac, frame, len);
    iip_sim_release(wire);
    return status;
}

int iip_sim_account(const char *name, uint32_t side, struct iip_sim_account *out)
{
    struct iip_sim_wire *wire = iip_sim_hold(name);
    int status = IIP_E_NOT_FOUND;
    if (!wire)
        return status;
    if (side < wire->opened) {
        *out = wire->end[side]->lane.account;
        status = IIP_OK;
    }
    iip_sim_release(wire);
    return status;
}

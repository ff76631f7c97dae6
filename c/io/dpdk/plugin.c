/*
 * plugin.c - the port's functions as libiip sees them, and the life of a port.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dpdk.h"

const struct iip_port_core *dpdk_core;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER; /* DPDK's control calls are not safe side by side */

int dpdk_fail(int status, char *err, size_t err_len, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (err && err_len)
        vsnprintf(err, err_len, fmt, ap);
    va_end(ap);
    return status;
}

/* Frees what a whole or a half opened port has. */
static void port_free(struct iip_port *port)
{
    uint16_t i;

    dpdk_device_stop(port);
    for (i = 0; port->queue && i < port->queues; i++)
        dpdk_held_drop(&port->queue[i]);
    dpdk_unprobe(port);
    for (i = 0; port->queue && i < port->queues; i++)
        dpdk_pool_retire(port->queue[i].pool);
    free(port->queue);
    free(port->regions.at);
    free(port);
}

static int port_open(const struct dpdk_args *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err,
                     size_t err_len)
{
    struct iip_port *port;
    int rc = dpdk_probe_check(args, err, err_len);

    if (rc == 0)
        rc = dpdk_eal_start(args, cfg, err, err_len);
    if (rc < 0)
        return rc;
    dpdk_pools_sweep();
    port = calloc(1, sizeof(*port));
    if (!port)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "%s: out of memory", args->device);
    port->pid = (int)getpid();
    rc = dpdk_probe(args, cfg->queues, port, err, err_len);
    if (rc == 0)
        rc = dpdk_device_start(port, args, cfg, err, err_len);
    if (rc < 0)
        port_free(port);
    else
        *out = port;
    return rc;
}

static int op_open(const char *text, const struct iip_port_cfg *cfg, struct iip_port **out, char *err, size_t err_len)
{
    struct iip_port_cfg own = {0};
    struct dpdk_args args;
    int rc = dpdk_args_parse(text, &args, err, err_len);

    *out = NULL;
    if (rc < 0)
        return rc;
    if (cfg)
        own = *cfg;
    rc = dpdk_args_cfg(&args, &own, err, err_len);
    if (rc < 0) {
        dpdk_args_free(&args);
        return rc;
    }
    pthread_mutex_lock(&open_lock);
    dpdk_signals_note();
    rc = port_open(&args, &own, out, err, err_len);
    dpdk_signals_mend();
    pthread_mutex_unlock(&open_lock);
    dpdk_args_free(&args);
    return rc;
}

static void op_close(struct iip_port *port)
{
    if (!port || port->pid != (int)getpid())
        return; /* a child that forked: the device is the parent's */
    pthread_mutex_lock(&open_lock);
    port_free(port);
    pthread_mutex_unlock(&open_lock);
}

static void op_info(struct iip_port *port, struct iip_port_info *out)
{
    memset(out, 0, sizeof(*out));
    out->caps = port->caps;
    out->mtu = port->mtu;
    out->queues = port->queues;
    out->tso_max = port->tso_max;
    out->link_up = port->link_up;
    out->polls = !port->intr;
    out->has_share = port->has_share;
    memcpy(out->mac, port->mac, sizeof(out->mac));
    out->share = port->share;
}

static struct iip_port_queue *op_queue(struct iip_port *port, uint32_t i)
{
    return i < port->queues ? &port->queue[i] : NULL;
}

static uint32_t op_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    uint32_t n = RTE_MIN(port->regions.len, cap);

    if (out && n)
        memcpy(out, port->regions.at, n * sizeof(*out));
    return port->regions.len;
}

static void op_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    q->stk = stk;
}

static void op_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    struct rte_eth_stats dev;

    memset(out, 0, sizeof(*out));
    out->rx_packets = q->stats.rx_packets;
    out->rx_bytes = q->stats.rx_bytes;
    out->rx_dropped = q->stats.rx_dropped;
    out->tx_packets = q->stats.tx_packets;
    out->tx_bytes = q->stats.tx_bytes;
    out->tx_refused = q->stats.tx_refused;
    out->tx_dropped = q->stats.tx_dropped;
    /* What the device dropped it counts for all queues together: told with the first. */
    if (q->index == 0 && rte_eth_stats_get(q->port_id, &dev) == 0) {
        out->rx_dropped += dev.imissed + dev.ierrors;
        out->tx_dropped += dev.oerrors;
    }
}

static const struct iip_port_ops dpdk_ops = {
    .kind = "dpdk",
    .build_id = IIP_BUILD_ID,
    .open = op_open,
    .close = op_close,
    .info = op_info,
    .changed = dpdk_link_changed,
    .queue = op_queue,
    .regions = op_regions,
    .attach = op_attach,
    .rx = dpdk_rx,
    .tx = dpdk_tx,
    .frame_get = dpdk_frame_get,
    .frame_put = dpdk_frame_put,
    .frames_free = dpdk_frames_free,
    .fd = dpdk_queue_fd,
    .now = NULL,
    .stats = op_stats,
};

__attribute__((visibility("default"))) const struct iip_port_ops *iip_dpdk_plugin(const struct iip_port_core *core)
{
    dpdk_core = core;
    return &dpdk_ops;
}

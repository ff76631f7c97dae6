/*
 * device.c - configures and starts an ethdev: queues, rings, frames, offloads.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_errno.h>

#include "dpdk.h"

#define WANTED_RX                                                                                                      \
    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |                     \
     RTE_ETH_RX_OFFLOAD_TCP_LRO)
#define WANTED_TX                                                                                                  \
    (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                 \
     RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
#define LINK_BYTES 26U        /* Ethernet header, two VLAN tags, frame check sequence */
#define TSO_MAX (65535U - 128U) /* payload of one TSO packet whose headers also fit the 64 KB of an IP packet */

static const struct {
    const char *driver;
    uint32_t quirks;
} dpdk_quirks[] = {
    {"net_af_xdp", DPDK_QUIRK_NO_INDIRECT | DPDK_QUIRK_DENSE}, /* finds mbufs and buffers by address arithmetic */
    {"net_memif", DPDK_QUIRK_INTR_STOP}, /* its other end may go at any time, and its handler then frees what a stop frees */
    {"net_tap", DPDK_QUIRK_NO_TSO}, /* counts the link header to the MTU, so refuses full segments for ever */
    {"net_vhost", DPDK_QUIRK_TSO_ARG}, /* whether the guest takes large packets is not known when the device is made */
};

static uint32_t quirks_of(const char *driver)
{
    size_t i;

    for (i = 0; driver && i < RTE_DIM(dpdk_quirks); i++)
        if (strcmp(driver, dpdk_quirks[i].driver) == 0)
            return dpdk_quirks[i].quirks;
    return 0;
}

/* ---- what to ask for --------------------------------------------------------------------------------------------- */

static void plan_offloads(struct iip_port *port, const struct rte_eth_dev_info *info)
{
    port->rx_offloads = info->rx_offload_capa & WANTED_RX;
    port->tx_offloads = info->tx_offload_capa & WANTED_TX;
    if (!(port->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) || (port->quirks & DPDK_QUIRK_NO_TSO))
        port->tx_offloads &= ~RTE_ETH_TX_OFFLOAD_TCP_TSO; /* what is to be cut is larger than a frame */
    if (!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
        port->rx_offloads &= ~RTE_ETH_RX_OFFLOAD_TCP_LRO; /* what was merged is larger than a frame */
}

/* A frame holds a whole packet, unless the device can spread one over several. */
static void plan_frames(struct iip_port *port, const struct iip_port_cfg *cfg, const struct rte_eth_dev_info *info)
{
    uint32_t whole = RTE_PKTMBUF_HEADROOM + port->mtu + LINK_BYTES;
    uint32_t least = RTE_MAX(RTE_MBUF_DEFAULT_BUF_SIZE, RTE_PKTMBUF_HEADROOM + info->min_rx_bufsize);

    port->ring = (uint16_t)(cfg->ring ? RTE_MIN(cfg->ring, 32768U) : DPDK_RING);
    port->frames = cfg->frames ? cfg->frames : RTE_MAX(DPDK_FRAMES, 2U * port->ring + 2048U);
    port->frame_bytes = RTE_MAX(cfg->frame_size, least);
    if (port->frame_bytes < whole && !(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
        port->frame_bytes = whole;
    port->frame_bytes = RTE_MIN(RTE_ALIGN_CEIL(port->frame_bytes, 64U), 65472U);
    if (port->frame_bytes < whole || (port->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO))
        port->rx_offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
}

static void plan_caps(struct iip_port *port, const struct dpdk_args *args, const struct rte_eth_dev_info *info)
{
    static const struct {
        uint64_t offload;
        uint32_t cap;
    } map[] = {
        {RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, IIP_CAP_TX_IP_CSUM}, {RTE_ETH_TX_OFFLOAD_TCP_CKSUM, IIP_CAP_TX_TCP_CSUM},
        {RTE_ETH_TX_OFFLOAD_UDP_CKSUM, IIP_CAP_TX_UDP_CSUM}, {RTE_ETH_TX_OFFLOAD_TCP_TSO, IIP_CAP_TX_TSO},
        {RTE_ETH_TX_OFFLOAD_MULTI_SEGS, IIP_CAP_TX_SG},
    };
    uint32_t segs = info->tx_desc_lim.nb_seg_max ? info->tx_desc_lim.nb_seg_max : UINT16_MAX;
    char tso[8];
    size_t i;

    port->caps = 0;
    for (i = 0; i < RTE_DIM(map); i++)
        if (port->tx_offloads & map[i].offload)
            port->caps |= map[i].cap;
    if ((port->quirks & DPDK_QUIRK_TSO_ARG) && dpdk_args_get(args->devargs, "tso", tso, sizeof(tso)) &&
        strcmp(tso, "1") == 0)
        port->caps |= IIP_CAP_TX_TSO;
    port->tso_max = 0;
    if (port->caps & IIP_CAP_TX_TSO) /* a packet of too many pieces is gathered into whole frames, which must suffice */
        port->tso_max = RTE_MIN(TSO_MAX, (segs - 1U) * (port->frame_bytes - RTE_PKTMBUF_HEADROOM));
}

/* ---- bringing it up ---------------------------------------------------------------------------------------------- */

static int start_failed(struct iip_port *port, const char *what, int rc, char *err, size_t err_len)
{
    const char *said = dpdk_log_line();

    return dpdk_fail(rc == -ENOMEM ? IIP_E_NOMEM : IIP_E_IO, err, err_len, "%s: %s failed: %s%s%s: %s", port->name,
                     what, rte_strerror(-rc), *said ? "; " : "", said,
                     rc == -ENOMEM ? "give DPDK more memory (hugepages, or IIP_EAL_ARGS=\"--no-huge -m 512\")"
                                   : "check the arguments, queues, ring and MTU against the driver's guide");
}

static int configure(struct iip_port *port, const struct rte_eth_dev_info *info, int intr)
{
    struct rte_eth_conf conf;

    memset(&conf, 0, sizeof(conf));
    conf.rxmode.mtu = (uint16_t)port->mtu;
    conf.rxmode.offloads = port->rx_offloads;
    conf.txmode.offloads = port->tx_offloads;
    if (port->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO)
        conf.rxmode.max_lro_pkt_size = info->max_lro_pkt_size;
    conf.intr_conf.rxq = intr ? 1 : 0;
    conf.intr_conf.lsc = intr && (*info->dev_flags & RTE_ETH_DEV_INTR_LSC);
    if (port->queues > 1)
        dpdk_rss_wish(info, &conf);
    return rte_eth_dev_configure(port->port_id, port->queues, port->queues, &conf);
}

static int setup_queue(struct iip_port *port, struct iip_port_queue *q, const struct rte_eth_dev_info *info,
                       uint16_t nb_rx, uint16_t nb_tx, char *err, size_t err_len)
{
    struct rte_eth_rxconf rxconf = info->default_rxconf;
    struct rte_eth_txconf txconf = info->default_txconf;
    int socket = rte_eth_dev_socket_id(port->port_id), rc;

    rxconf.offloads = port->rx_offloads;
    txconf.offloads = port->tx_offloads;
    rc = rte_eth_rx_queue_setup(port->port_id, q->index, nb_rx, (unsigned)socket, &rxconf, q->pool);
    if (rc < 0)
        return start_failed(port, "setting up a receive queue", rc, err, err_len);
    rc = rte_eth_tx_queue_setup(port->port_id, q->index, nb_tx, (unsigned)socket, &txconf);
    return rc < 0 ? start_failed(port, "setting up a transmit queue", rc, err, err_len) : 0;
}

static int setup_queues(struct iip_port *port, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
    uint16_t nb_rx = port->ring, nb_tx = nb_rx, i;
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &nb_rx, &nb_tx);

    if (rc < 0)
        return start_failed(port, "choosing the ring size", rc, err, err_len);
    for (i = 0; i < port->queues; i++)
        if ((rc = setup_queue(port, &port->queue[i], info, nb_rx, nb_tx, err, err_len)) < 0)
            return rc;
    return 0;
}

/* Configures and starts, with receive interrupts if `intr`; a device that cannot have them may refuse. */
static int start(struct iip_port *port, const struct rte_eth_dev_info *info, int intr, char *err, size_t err_len)
{
    int rc;

    dpdk_log_clear();
    rc = configure(port, info, intr);
    if (rc < 0)
        return start_failed(port, "configuring", rc, err, err_len);
    rc = setup_queues(port, info, err, err_len);
    if (rc < 0)
        return rc;
    rc = rte_eth_dev_start(port->port_id);
    return rc < 0 ? start_failed(port, "starting", rc, err, err_len) : 0;
}

static int make_queues(struct iip_port *port, const struct rte_eth_dev_info *info, char *err, size_t err_len)
{
    size_t bytes = sizeof(struct iip_port_queue) * port->queues;
    uint16_t i;
    int rc;

    port->queue = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
    if (!port->queue)
        return dpdk_fail(IIP_E_NOMEM, err, err_len, "%s: out of memory", port->name);
    memset(port->queue, 0, bytes);
    for (i = 0; i < port->queues; i++) {
        struct iip_port_queue *q = &port->queue[i];

        q->port = port;
        q->port_id = port->port_id;
        q->index = i;
        q->quirks = port->quirks;
        q->intr_fd = q->timer_fd = q->link_fd = -1;
        q->ip_csum = (port->caps & IIP_CAP_TX_IP_CSUM) != 0;
        q->max_segs = !(port->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) ? 1
            : info->tx_desc_lim.nb_seg_max                                 ? info->tx_desc_lim.nb_seg_max
                                                                           : UINT16_MAX;
        rc = dpdk_pool_new(port, q, err, err_len);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int dpdk_device_start(struct iip_port *port, const struct dpdk_args *args, const struct iip_port_cfg *cfg, char *err,
                      size_t err_len)
{
    struct rte_eth_dev_info info;
    struct rte_ether_addr mac;
    int rc = rte_eth_dev_info_get(port->port_id, &info);

    if (rc < 0)
        return start_failed(port, "asking what the device can", rc, err, err_len);
    port->quirks = quirks_of(info.driver_name);
    port->if_index = (int)info.if_index;
    dpdk_sockets_keep(&port->sockets, port->if_index);
    port->queues =
        (uint16_t)RTE_MIN(RTE_MAX(cfg->queues, 1U), (uint32_t)RTE_MIN(info.max_rx_queues, info.max_tx_queues));
    if (port->queues == 0)
        return dpdk_fail(IIP_E_NOT_SUPPORTED, err, err_len, "%s: the device has no queue for both directions",
                         port->name);
    port->mtu = RTE_ETHER_MTU;
    dpdk_link_read(port);
    plan_offloads(port, &info);
    plan_frames(port, cfg, &info);
    plan_caps(port, args, &info);
    rc = make_queues(port, &info, err, err_len);
    if (rc < 0)
        return rc;
    rc = start(port, &info, 1, err, err_len);
    if (rc < 0)
        rc = start(port, &info, 0, err, err_len);
    if (rc < 0)
        return rc;
    port->started = 1;
    dpdk_intr_start(port);
    rte_eth_allmulticast_enable(port->port_id); /* for neighbour discovery; what cannot filter passes all anyway */
    if (rte_eth_macaddr_get(port->port_id, &mac) != 0 || rte_is_zero_ether_addr(&mac))
        rte_eth_random_addr(mac.addr_bytes); /* net_ring has none */
    memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
    dpdk_link_read(port);
    dpdk_rss_read(port, &info);
    return 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void stop_device(uint16_t port_id)
{
    rte_eth_dev_stop(port_id);
}

static void close_device(uint16_t port_id)
{
    rte_eth_dev_close(port_id);
}

struct intr_job {
    void (*work)(uint16_t port_id);
    uint16_t port_id;
    sem_t done;
};

static void on_intr_thread(void *arg)
{
    struct intr_job *job = arg;

    job->work(job->port_id);
    sem_post(&job->done);
}

/* Where the driver's interrupt handler does the same without a lock, on its thread: one after the other. */
static void do_in_turn(const struct iip_port *port, void (*work)(uint16_t port_id))
{
    struct intr_job job = {.work = work, .port_id = port->port_id};

    if (!(port->quirks & DPDK_QUIRK_INTR_STOP) || sem_init(&job.done, 0, 0) < 0) {
        work(port->port_id);
        return;
    }
    if (rte_eal_alarm_set(1, on_intr_thread, &job) < 0)
        work(port->port_id);
    else
        while (sem_wait(&job.done) < 0)
            ;
    sem_destroy(&job.done);
}

void dpdk_device_stop(struct iip_port *port)
{
    dpdk_intr_stop(port);
    if (port->started)
        do_in_turn(port, stop_device);
    port->started = 0;
}

void dpdk_device_close(struct iip_port *port)
{
    do_in_turn(port, close_device);
}

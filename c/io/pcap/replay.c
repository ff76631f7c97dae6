/*
 * replay.c - a capture file as a port: "pcap:in.pcap,out=FILE,pace=on".
 *
 * What was captured is received, as fast as it is read, or with pace=on in the rhythm of the capture. What is sent is
 * written to `out`, or counted and forgotten. After the last packet the link is down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../args.h"
#include "../kinds.h"
#include "../pool.h"
#include "../wire.h"
#include "file.h"
#include "iip/status.h"

enum { IIP_REPLAY_FRAMES = 8192, IIP_REPLAY_MTU = 1500 };

struct iip_replay { /* the port and its only queue */
    struct iip_pcap_reader reader;
    struct iip_pcap_writer writer;
    int has_writer, pace;
    struct iip_stack *stk;
    struct iip_pool pool;
    struct iip_pcap_record next; /* the packet in buf; next.len 0 and ended: none */
    uint64_t start_us, first_us; /* of the replay and of the capture */
    uint32_t loaded, ended, told;
    int fd;                      /* a timer: readable when the next packet is due */
    uint8_t mac[6];
    struct iip_port_stats stats;
    uint8_t buf[IIP_PCAP_MAX];
    uint8_t out[16 + IIP_PCAP_MAX];
};

static int iip_replay_arg(struct iip_args *a, struct iip_replay *rp, struct iip_port_cfg *cfg, char *out)
{
    int status = iip_args_cfg(a, cfg);
    if (status)
        return status;
    if (iip_args_is(a, "out"))
        return strcpy(out, a->value), IIP_OK;
    if (iip_args_is(a, "pace"))
        return iip_args_switch(a, &rp->pace);
    if (iip_args_is(a, "mac"))
        return iip_args_mac(a, rp->mac);
    return iip_args_unknown(a, "out, pace, mac, " IIP_ARGS_CFG);
}

static int iip_replay_ask(struct iip_replay *rp, const char *args, struct iip_port_cfg *cfg, char *in, char *out,
                          struct iip_port_err *err)
{
    struct iip_args a;
    int status;
    iip_port_mac_random(rp->mac);
    iip_args_init(&a, "pcap", args, err);
    status = iip_args_name(&a, in, IIP_ARGS_VALUE);
    while (status >= 0 && (status = iip_args_next(&a)) > 0)
        status = iip_replay_arg(&a, rp, cfg, out);
    if (status >= 0 && !*in)
        return iip_port_fail(err, IIP_E_INVAL, "pcap: name the capture file to replay, as pcap:in.pcap");
    return status;
}

static void iip_replay_close(struct iip_port *port)
{
    struct iip_replay *rp = (struct iip_replay *)port;
    iip_pcap_close(&rp->reader);
    if (rp->has_writer)
        iip_pcap_finish(&rp->writer);
    if (rp->fd >= 0)
        close(rp->fd);
    iip_pool_free(&rp->pool);
    free(rp);
}

/* Reads ahead by one packet. */
static void iip_replay_load(struct iip_replay *rp)
{
    if (rp->loaded || rp->ended)
        return;
    rp->loaded = (uint32_t)iip_pcap_read(&rp->reader, &rp->next, rp->buf);
    rp->ended = !rp->loaded;
}

static int iip_replay_start(struct iip_replay *rp, const char *in, const char *out, const struct iip_port_cfg *cfg,
                            struct iip_port_err *err)
{
    uint32_t size = cfg->frame_size;
    int status = iip_pcap_open(&rp->reader, in, err);
    if (status >= 0 && *out) {
        status = iip_pcap_create(&rp->writer, out, rp->reader.l3, err);
        rp->has_writer = status >= 0;
    }
    if (status >= 0)
        status = iip_pool_fit(&size, IIP_REPLAY_MTU, err);
    if (status >= 0)
        status = iip_pool_init(&rp->pool, 0, cfg->frames ? cfg->frames : IIP_REPLAY_FRAMES, size, err);
    if (status < 0)
        return status;
    rp->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (rp->fd < 0)
        return iip_port_fail(err, IIP_E_NOMEM, "pcap:%s: timerfd: %s; raise the limit of open files (ulimit -n)", in,
                             strerror(errno));
    iip_replay_load(rp);
    rp->first_us = rp->loaded ? rp->next.time_us : 0;
    rp->start_us = iip_port_clock_us();
    return IIP_OK;
}

static int iip_replay_open(const char *args, const struct iip_port_cfg *cfg, struct iip_port **port, char *err,
                           size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_port_cfg mine = *cfg;
    struct iip_replay *rp = calloc(1, sizeof(*rp));
    char in[IIP_ARGS_VALUE] = "", out[IIP_ARGS_VALUE] = "";
    int status;
    if (!rp)
        return iip_port_fail(&e, IIP_E_NOMEM, "pcap: no memory");
    rp->fd = -1;
    status = iip_replay_ask(rp, args, &mine, in, out, &e);
    if (status >= 0)
        status = iip_replay_start(rp, in, out, &mine, &e);
    if (status < 0)
        iip_replay_close((struct iip_port *)rp);
    else
        *port = (struct iip_port *)rp;
    return status;
}

/* When the next packet is due, in time of CLOCK_MONOTONIC; captures may go back in time, then it is due at once. */
static uint64_t iip_replay_due(const struct iip_replay *rp)
{
    if (!rp->pace || rp->next.time_us < rp->first_us)
        return rp->start_us;
    return rp->start_us + (rp->next.time_us - rp->first_us);
}

/* The loaded packet in as many frames as it takes; null when there are not enough, or no memory for views. */
static struct iip_pkt *iip_replay_packet(struct iip_replay *rp)
{
    struct iip_pkt *head = NULL, **tail = &head;
    uint32_t at = 0, room = rp->pool.frame_size - IIP_POOL_HEADROOM;
    do {
        struct iip_frame *frame = iip_pool_get(&rp->pool);
        uint32_t part = rp->next.len - at < room ? rp->next.len - at : room;
        *tail = frame ? iip_pkt_new(rp->stk, frame, frame->base + IIP_POOL_HEADROOM, part) : NULL;
        if (!*tail) {
            if (frame)
                iip_pool_put(&rp->pool, frame);
            iip_pkt_free(rp->stk, head);
            return NULL;
        }
        memcpy((*tail)->data, rp->buf + at, part);
        tail = &(*tail)->next;
        at += part;
    } while (at < rp->next.len);
    head->total = rp->next.len;
    return head;
}

static uint32_t iip_replay_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_replay *rp = (struct iip_replay *)queue;
    uint64_t now = rp->pace ? iip_port_clock_us() : 0;
    uint32_t got = 0;
    while (rp->stk && got < n) {
        iip_replay_load(rp);
        if (!rp->loaded || (rp->pace && iip_replay_due(rp) > now))
            break;
        pkts[got] = iip_replay_packet(rp);
        if (!pkts[got])
            break;
        rp->loaded = 0;
        rp->stats.rx_packets++;
        rp->stats.rx_bytes += rp->next.len;
        got++;
    }
    return got;
}

static uint32_t iip_replay_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_replay *rp = queue;
    uint64_t now = rp->has_writer ? iip_pcap_wall_us() : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rp->has_writer)
            iip_pcap_write(&rp->writer, rp->out, iip_pcap_packet(rp->out, pkts[i], now, rp->reader.l3));
        rp->stats.tx_bytes += iip_wire_bytes(pkts[i]);
        iip_pkt_free(rp->stk, pkts[i]);
    }
    rp->stats.tx_packets += n;
    return n;
}

static int iip_replay_fd(struct iip_port_queue *queue)
{
    struct iip_replay *rp = (struct iip_replay *)queue;
    struct itimerspec ts;
    uint64_t at;
    if (rp->has_writer)
        iip_pcap_flush(&rp->writer);
    iip_replay_load(rp);
    at = rp->loaded ? iip_replay_due(rp) : 0;
    memset(&ts, 0, sizeof(ts));
    ts.it_value.tv_sec = (time_t)(at / 1000000);
    ts.it_value.tv_nsec = (long)(at % 1000000 * 1000);
    timerfd_settime(rp->fd, TFD_TIMER_ABSTIME, &ts, NULL);
    return rp->fd;
}

static void iip_replay_info(struct iip_port *port, struct iip_port_info *out)
{
    const struct iip_replay *rp = (const struct iip_replay *)port;
    memset(out, 0, sizeof(*out));
    out->stack_flags = rp->reader.l3 ? IIP_STACK_L3 : 0;
    out->caps = IIP_CAP_TX_SG;
    out->mtu = IIP_REPLAY_MTU;
    out->queues = 1;
    out->link_up = !rp->ended;
    memcpy(out->mac, rp->mac, 6);
}

static int iip_replay_changed(struct iip_port *port)
{
    struct iip_replay *rp = (struct iip_replay *)port;
    uint32_t news = rp->ended && !rp->told;
    rp->told = rp->ended;
    return (int)news;
}

static struct iip_port_queue *iip_replay_queue(struct iip_port *port, uint32_t i)
{
    return i ? NULL : (struct iip_port_queue *)port;
}

static uint32_t iip_replay_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    const struct iip_replay *rp = (const struct iip_replay *)port;
    if (cap)
        *out = (struct iip_port_region){rp->pool.base, rp->pool.len, rp->pool.id};
    return 1;
}

static void iip_replay_attach(struct iip_port_queue *q, struct iip_stack *stk)
{
    ((struct iip_replay *)q)->stk = stk;
}

static struct iip_frame *iip_replay_frame_get(void *queue, iip_u32 size)
{
    struct iip_replay *rp = queue;
    return size <= rp->pool.frame_size ? iip_pool_get(&rp->pool) : NULL;
}

static void iip_replay_frame_put(void *queue, struct iip_frame *frame)
{
    iip_pool_put(&((struct iip_replay *)queue)->pool, frame);
}

static uint32_t iip_replay_frames_free(struct iip_port_queue *q)
{
    return iip_pool_left(&((struct iip_replay *)q)->pool);
}

static void iip_replay_stats(struct iip_port_queue *q, struct iip_port_stats *out)
{
    *out = ((struct iip_replay *)q)->stats;
}

const struct iip_port_ops iip_pcap_ops = {
    .kind = "pcap",
    .build_id = IIP_BUILD_ID,
    .open = iip_replay_open,
    .close = iip_replay_close,
    .info = iip_replay_info,
    .changed = iip_replay_changed,
    .queue = iip_replay_queue,
    .regions = iip_replay_regions,
    .attach = iip_replay_attach,
    .rx = iip_replay_rx,
    .tx = iip_replay_tx,
    .frame_get = iip_replay_frame_get,
    .frame_put = iip_replay_frame_put,
    .frames_free = iip_replay_frames_free,
    .fd = iip_replay_fd,
    .stats = iip_replay_stats,
};

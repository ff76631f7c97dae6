/*
 * record.c - a port in front of another: it passes everything on, and writes what goes by to a capture file.
 *
 * Each packet is in the file once, in the order of each queue: received ones as they come up, sent ones once the port
 * has taken them (a refused packet comes again, and is recorded then). A packet that is cut by the device stands there
 * uncut, as in captures on the sending host.
 */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../kinds.h"
#include "file.h"
#include "iip/status.h"

enum { IIP_RECORD_BURST = 16 };

struct iip_record_queue {
    const struct iip_port_ops *ops; /* of the port behind */
    struct iip_port_queue *q;
    struct iip_record *rec;
    uint8_t *buf;                   /* records of a burst */
};

struct iip_record {
    const struct iip_port_ops *ops;
    struct iip_port *port;
    int l3;
    uint32_t queues;
    struct iip_pcap_writer writer;
    struct iip_record_queue q[];
};

static uint64_t iip_record_time(const struct iip_record_queue *rq)
{
    return rq->ops->now ? rq->ops->now(rq->q) : iip_pcap_wall_us();
}

static uint32_t iip_record_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    uint32_t got = rq->ops->rx(rq->q, pkts, n);
    uint64_t now = got ? iip_record_time(rq) : 0;
    for (uint32_t i = 0; i < got; i++)
        iip_pcap_write(&rq->rec->writer, rq->buf, iip_pcap_packet(rq->buf, pkts[i], now, rq->rec->l3));
    return got;
}

/* The packets are gone once the port has them, so their records are made before, and written for those it took. */
static uint32_t iip_record_burst(struct iip_record_queue *rq, struct iip_pkt **pkts, uint32_t n)
{
    size_t end[IIP_RECORD_BURST + 1] = {0};
    uint64_t now = iip_record_time(rq);
    uint32_t taken;
    for (uint32_t i = 0; i < n; i++)
        end[i + 1] = end[i] + iip_pcap_packet(rq->buf + end[i], pkts[i], now, rq->rec->l3);
    taken = rq->ops->tx(rq->q, pkts, n);
    if (taken)
        iip_pcap_write(&rq->rec->writer, rq->buf, end[taken]);
    return taken;
}

static uint32_t iip_record_tx(void *queue, struct iip_pkt **pkts, uint32_t n)
{
    uint32_t sent = 0, part, taken;
    while (sent < n) {
        part = n - sent < IIP_RECORD_BURST ? n - sent : IIP_RECORD_BURST;
        taken = iip_record_burst(queue, pkts + sent, part);
        sent += taken;
        if (taken < part)
            break;
    }
    return sent;
}

static void iip_record_close(struct iip_port *port)
{
    struct iip_record *rec = (struct iip_record *)port;
    rec->ops->close(rec->port);
    iip_pcap_finish(&rec->writer);
    for (uint32_t i = 0; i < rec->queues; i++)
        free(rec->q[i].buf);
    free(rec);
}

static void iip_record_info(struct iip_port *port, struct iip_port_info *out)
{
    struct iip_record *rec = (struct iip_record *)port;
    rec->ops->info(rec->port, out);
}

static int iip_record_changed(struct iip_port *port)
{
    struct iip_record *rec = (struct iip_record *)port;
    return rec->ops->changed(rec->port);
}

static struct iip_port_queue *iip_record_queue(struct iip_port *port, uint32_t i)
{
    struct iip_record *rec = (struct iip_record *)port;
    return i < rec->queues ? (struct iip_port_queue *)&rec->q[i] : NULL;
}

static uint32_t iip_record_regions(struct iip_port *port, struct iip_port_region *out, uint32_t cap)
{
    struct iip_record *rec = (struct iip_record *)port;
    return rec->ops->regions(rec->port, out, cap);
}

static void iip_record_attach(struct iip_port_queue *queue, struct iip_stack *stk)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    rq->ops->attach(rq->q, stk);
}

static struct iip_frame *iip_record_frame_get(void *queue, iip_u32 size)
{
    struct iip_record_queue *rq = queue;
    return rq->ops->frame_get(rq->q, size);
}

static void iip_record_frame_put(void *queue, struct iip_frame *frame)
{
    struct iip_record_queue *rq = queue;
    rq->ops->frame_put(rq->q, frame);
}

static uint32_t iip_record_frames_free(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    return rq->ops->frames_free(rq->q);
}

static int iip_record_fd(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    iip_pcap_flush(&rq->rec->writer); /* the loop is about to wait: there is time */
    return rq->ops->fd(rq->q);
}

static uint64_t iip_record_now(struct iip_port_queue *queue)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    return rq->ops->now ? rq->ops->now(rq->q) : iip_port_clock_us();
}

static void iip_record_stats(struct iip_port_queue *queue, struct iip_port_stats *out)
{
    struct iip_record_queue *rq = (struct iip_record_queue *)queue;
    rq->ops->stats(rq->q, out);
}

static const struct iip_port_ops iip_record_ops = {
    .kind = "record",
    .build_id = IIP_BUILD_ID,
    .close = iip_record_close,
    .info = iip_record_info,
    .changed = iip_record_changed,
    .queue = iip_record_queue,
    .regions = iip_record_regions,
    .attach = iip_record_attach,
    .rx = iip_record_rx,
    .tx = iip_record_tx,
    .frame_get = iip_record_frame_get,
    .frame_put = iip_record_frame_put,
    .frames_free = iip_record_frames_free,
    .fd = iip_record_fd,
    .now = iip_record_now,
    .stats = iip_record_stats,
};

static void iip_record_undo(struct iip_record *rec)
{
    for (uint32_t i = 0; i < rec->queues; i++)
        free(rec->q[i].buf);
    free(rec);
}

int iip_record_open(const struct iip_port_ops *inner_ops, struct iip_port *inner, const char *path,
                    const struct iip_port_ops **ops, struct iip_port **out, char *err, size_t err_len)
{
    struct iip_port_err e = {err, err_len};
    struct iip_port_info info;
    struct iip_record *rec;
    int status = IIP_OK;
    inner_ops->info(inner, &info);
    rec = calloc(1, sizeof(*rec) + info.queues * sizeof(rec->q[0]));
    if (!rec)
        return iip_port_fail(&e, IIP_E_NOMEM, "pcap: %s: no memory", path);
    rec->ops = inner_ops;
    rec->port = inner;
    rec->l3 = (info.stack_flags & IIP_STACK_L3) != 0;
    rec->queues = info.queues;
    for (uint32_t i = 0; i < info.queues; i++) {
        rec->q[i] = (struct iip_record_queue){inner_ops, inner_ops->queue(inner, i), rec,
                                              malloc(IIP_RECORD_BURST * (16 + (size_t)IIP_PCAP_MAX))};
        if (!rec->q[i].buf)
            status = iip_port_fail(&e, IIP_E_NOMEM, "pcap: %s: no memory", path);
    }
    if (status >= 0)
        status = iip_pcap_create(&rec->writer, path, rec->l3, &e);
    if (status < 0) {
        iip_record_undo(rec);
        return status;
    }
    *ops = &iip_record_ops;
    *out = (struct iip_port *)rec;
    return IIP_OK;
}

/*
 * dpdk.h - what the files of the DPDK port share.
 *
 * A port is one ethdev. A queue of it is one receive and one transmit queue of the device, with one mempool of its
 * own. The core's frame lives in the private area of the mbuf that holds the bytes, so that receiving copies nothing:
 *
 *     struct rte_mbuf | struct dpdk_frame (private area) | headroom | bytes
 *
 * A frame that the stack holds is exactly one reference of its mbuf; the driver's are further ones. Who may touch what:
 * everything of a queue belongs to the thread that turns its loop; open and close are serialised by one lock.
 */
#ifndef IIP_DPDK_H
#define IIP_DPDK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

#include "plugin.h"

#define DPDK_BURST 64U       /* packets that go to or come from the driver in one call */
#define DPDK_STASH 8U
#define DPDK_RING 1024U      /* descriptors of a ring by default: 128, as in many examples, lose packets under bulk */
#define DPDK_FRAMES 4096U    /* mbufs of a queue by default: fits --no-huge -m 256 several times */
#define DPDK_COPY_BYTES 128U /* a shared view up to here is copied behind the header: one segment less for the driver */

enum { /* dpdk_frame.state: what the transmit path did with the mbuf */
    DPDK_GIVEN = 1, /* the driver has the stack's reference; frame_put must not free it again */
    DPDK_LENT = 2,  /* the driver has a second reference, given by the burst that is being built */
    DPDK_TEMP = 4,  /* made for this burst (a clone or a copy): no view of the stack points to it */
    DPDK_HELD = 8   /* the driver may still read it: the port holds one view, see tx.c */
};

enum { /* what a driver needs beyond its capabilities: see the table in device.c */
    DPDK_QUIRK_NO_INDIRECT = 1, /* cannot send indirect mbufs: copy instead */
    DPDK_QUIRK_TSO_ARG = 2,     /* does TSO when its argument tso=1 says so, although its capabilities do not */
    DPDK_QUIRK_NO_TSO = 4,      /* says that it does TSO, and does not */
    DPDK_QUIRK_DENSE = 8,       /* takes the pool for a dense array: see pool.c */
    DPDK_QUIRK_INTR_STOP = 16   /* is stopped and closed on the interrupt thread: see device.c */
};

struct dpdk_frame { /* one cache line behind the mbuf */
    struct iip_frame frame;
    struct dpdk_frame *next; /* in dpdk_queue.held_... */
    uint32_t state;
    uint32_t pad;
};

struct dpdk_stats {
    uint64_t rx_packets, rx_bytes, rx_dropped;
    uint64_t tx_packets, tx_bytes, tx_refused, tx_dropped;
};

/* One queue: struct iip_port_queue of port.h. */
struct iip_port_queue {
    _Alignas(RTE_CACHE_LINE_SIZE) struct iip_stack *stk;
    struct rte_mempool *pool;
    struct rte_ring *pool_ring; /* of the pool, if it is made of one */
    struct iip_port *port;
    struct dpdk_frame *held_head, *held_tail; /* frames that the driver may still read, oldest first */
    uint16_t port_id, index;
    uint32_t quirks;
    uint32_t max_segs;      /* segments of one packet that the device takes */
    uint32_t frame_bytes;   /* memory of one frame, headroom included */
    int intr_fd;            /* epoll of the three below, -1: the device cannot be waited on */
    int timer_fd, link_fd;  /* and the driver's */
    uint8_t armed;          /* the loop waits, or is about to */
    uint8_t refused;        /* the last packet offered was refused */
    uint8_t backoff;        /* waits since one was taken */
    uint16_t stash_len;     /* received by arming, see intr.c */
    uint8_t ip_csum;        /* the device fills in the IPv4 header checksum */
    struct rte_mbuf *stash[DPDK_STASH];
    struct dpdk_stats stats;
};

#define DPDK_SOCKETS 64U

struct dpdk_sockets { /* descriptors of packet sockets */
    uint32_t len;
    int fd[DPDK_SOCKETS];
};

struct dpdk_regions {
    struct iip_port_region *at;
    uint32_t len, cap, failed;
};

/* One ethdev: struct iip_port of port.h. */
struct iip_port {
    char *name;             /* the ethdev's */
    uint16_t port_id;
    uint16_t queues, ring;
    uint32_t quirks, caps, mtu, tso_max, frames, frame_bytes;
    uint32_t intr;          /* 1: every queue can be waited on */
    uint32_t started;
    uint64_t rx_offloads, tx_offloads;
    int if_index;           /* of the kernel's interface below, 0: none */
    uint8_t mac[6];
    uint8_t link_up;
    uint8_t has_share;
    uint8_t given;          /* the device was there before us (--vdev or -a in the EAL arguments) */
    uint64_t changed_at_ms; /* when link and MTU were last looked at */
    int pid;                /* after a fork the child must not touch the device */
    struct iip_share share;
    struct dpdk_sockets sockets; /* net_af_packet: the driver's own */
    struct dpdk_regions regions;
    struct iip_port_queue *queue;
};

/* A port string taken apart (args.c). Strings point into `text`. */
struct dpdk_args {
    char *text;
    char *eal;      /* what stands in eal=[...], or null */
    char *device;   /* PCI address or vdev name */
    char *devargs;  /* what follows it, "" if nothing */
    int is_pci;
};

extern const struct iip_port_core *dpdk_core;

/* Writes one sentence into err and returns `status`. */
int dpdk_fail(int status, char *err, size_t err_len, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* args.c */
int dpdk_args_parse(const char *text, struct dpdk_args *out, char *err, size_t err_len);
void dpdk_args_free(struct dpdk_args *args);
/* Takes queues=, frames=, frame_size= and ring= out of the device's arguments and puts them into *cfg. */
int dpdk_args_cfg(struct dpdk_args *args, struct iip_port_cfg *cfg, char *err, size_t err_len);
/* Copies the value of `key` in "k=v,k=v" to out; 1 if it is there. */
int dpdk_args_get(const char *devargs, const char *key, char *out, size_t out_len);

/* eal.c */
int dpdk_eal_start(const struct dpdk_args *args, const struct iip_port_cfg *cfg, char *err, size_t err_len);
/* Gives the calling thread an lcore id, and with it a mempool cache; best effort. */
void dpdk_thread_join(void);

/* log.c: DPDK's log goes here, so that errors can name what DPDK said. */
void dpdk_log_capture(int also_stderr);
void dpdk_log_clear(void);
/* The first line logged since the last clear, without prefix and line end; "" if none. */
const char *dpdk_log_line(void);

/* signal.c: handlers that DPDK installs lack SA_ONSTACK, which kills a Go process. Note before, mend after. */
void dpdk_signals_note(void);
void dpdk_signals_mend(void);

/* probe.c */
/* What can be said of a device before DPDK is brought up: is it there, may we use it? */
int dpdk_probe_check(const struct dpdk_args *args, char *err, size_t err_len);
int dpdk_probe(const struct dpdk_args *args, uint32_t queues, struct iip_port *port, char *err, size_t err_len);
void dpdk_unprobe(struct iip_port *port);

/* socket.c */
/* The packet sockets of this process, without those of another list. */
void dpdk_sockets_list(struct dpdk_sockets *out, const struct dpdk_sockets *without);
/* Leaves those that are bound to an interface. */
void dpdk_sockets_keep(struct dpdk_sockets *s, int if_index);

/* device.c */
int dpdk_device_start(struct iip_port *port, const struct dpdk_args *args, const struct iip_port_cfg *cfg, char *err,
                      size_t err_len);
void dpdk_device_stop(struct iip_port *port);
void dpdk_device_close(struct iip_port *port);

/* rss.c */
void dpdk_rss_wish(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf);
void dpdk_rss_read(struct iip_port *port, const struct rte_eth_dev_info *info);

/* link.c */
void dpdk_link_read(struct iip_port *port);
int dpdk_link_changed(struct iip_port *port);

/* pool.c */
int dpdk_pool_new(struct iip_port *port, struct iip_port_queue *q, char *err, size_t err_len);
/* Frees the pool now, or, while somebody still holds frames of it, when the next port is opened or closed. */
void dpdk_pool_retire(struct rte_mempool *pool);
/* Pools that wait for their frames; for tests. */
uint32_t dpdk_pools_waiting(void);
void dpdk_pools_sweep(void);

/* pool.c, rx.c, tx.c, intr.c: the functions of struct iip_port_ops */
struct iip_frame *dpdk_frame_get(void *q, iip_u32 size);
void dpdk_frame_put(void *q, struct iip_frame *frame);
uint32_t dpdk_frames_free(struct iip_port_queue *q);
uint32_t dpdk_rx(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n);
uint32_t dpdk_tx(void *q, struct iip_pkt **pkts, uint32_t n);
int dpdk_queue_fd(struct iip_port_queue *q);
void dpdk_intr_start(struct iip_port *port);
void dpdk_intr_stop(struct iip_port *port);
void dpdk_intr_disarm(struct iip_port_queue *q);
void dpdk_held_reap(struct iip_port_queue *q);
void dpdk_held_drop(struct iip_port_queue *q);

static inline struct dpdk_frame *dpdk_frame_of(struct rte_mbuf *m)
{
    return (struct dpdk_frame *)rte_mbuf_to_priv(m);
}

static inline struct rte_mbuf *dpdk_mbuf_of(const struct iip_frame *frame)
{
    return (struct rte_mbuf *)frame->host;
}

/* Does the frame lie in an mbuf of ours? Told from addresses alone: the host pointer of a foreign frame is not read. */
static inline int dpdk_frame_ours(const struct iip_frame *frame)
{
    return (uintptr_t)frame->host == (uintptr_t)frame - sizeof(struct rte_mbuf);
}

/* Makes the mbuf's private area a frame that no view points to. */
static inline struct iip_frame *dpdk_frame_init(struct rte_mbuf *m)
{
    struct dpdk_frame *df = dpdk_frame_of(m);

    df->frame.base = (uint8_t *)m->buf_addr;
    df->frame.size = m->buf_len;
    df->frame.views = 0;
    df->frame.flags = RTE_MBUF_DIRECT(m) ? 0 : IIP_FRAME_READ_ONLY;
    df->state = 0;
    return &df->frame;
}

#endif

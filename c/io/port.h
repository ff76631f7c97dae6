/*
 * port.h - what a loop needs of a port, and all that it knows of one.
 *
 * A port is opened by a string, "kind:arguments" (tap:iip0, pair:a, dpdk:net_af_packet0,iface=veth0). It has one or
 * more queues; each queue belongs to one loop, and with it to one thread and one stack. This interface is private to
 * libiip and its plug-ins: it is checked by build id, not by version.
 *
 * Ownership: rx makes packets in frames of the queue's own pool (iip_pkt_new) and gives them to the caller. tx takes
 * packets, and frees each (iip_pkt_free) when its bytes are copied or sent. A queue never blocks but in wait.
 */
#ifndef IIP_PORT_H
#define IIP_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "iip/core.h"

struct iip_port;       /* one open device */
struct iip_port_queue; /* one of its queues */

struct iip_port_cfg {
    uint32_t queues;     /* wanted; a kind that has fewer opens fewer and says so in its info */
    uint32_t frames;     /* frames of each queue's pool; 0: the kind's default */
    uint32_t frame_size; /* bytes of each, headroom included; 0: by MTU */
    uint32_t ring;       /* descriptors of each ring; 0: the kind's default */
    const char *pcap;    /* record every packet of every queue to this file; null: none */
};

struct iip_port_info {
    uint32_t stack_flags;  /* IIP_STACK_L3 */
    uint32_t caps;         /* IIP_CAP_... that hold on every queue */
    uint32_t mtu;
    uint32_t queues;
    uint32_t tso_max;      /* payload bytes; 0 without TSO */
    uint32_t link_up;
    uint32_t polls;        /* 1: no descriptor becomes readable on receive; the loop must poll */
    uint32_t has_share;    /* 1: `share` describes the device's RSS (self is left 0) */
    uint8_t mac[6];
    struct iip_share share;
};

struct iip_port_region { /* memory in which frames lie */
    void *base;
    uint64_t len;
    uint32_t id;           /* iip_frame.region */
};

struct iip_port_stats {    /* of one queue; the account closes: offered = sent + dropped + refused, received = delivered + dropped */
    uint64_t rx_packets, rx_bytes, rx_dropped; /* dropped: the device or the wire had no room, or a frame was unusable */
    uint64_t tx_packets, tx_bytes, tx_refused; /* refused: came back to the stack, which keeps them */
    uint64_t wire_lost, wire_duplicated;       /* sim: done to packets on purpose */
    uint64_t tx_dropped;                       /* taken, but the device could not send it (malformed, or it is gone) */
};

/*
 * One kind of port. `err` is a buffer for one sentence that names the value and the remedy ("/dev/net/tun: permission
 * denied: add yourself to ... or run ..."); it is filled on failure.
 */
struct iip_port_ops {
    const char *kind;
    const char *build_id;  /* of the library it was compiled with */
    int (*open)(const char *args, const struct iip_port_cfg *cfg, struct iip_port **out, char *err, size_t err_len);
    void (*close)(struct iip_port *port);
    void (*info)(struct iip_port *port, struct iip_port_info *out);
    /* 1 when link state or MTU changed since the last call; cheap, may be called every turn by one loop. */
    int (*changed)(struct iip_port *port);
    struct iip_port_queue *(*queue)(struct iip_port *port, uint32_t i);
    /* Regions of memory in which frames of this port lie; returns how many there are. */
    uint32_t (*regions)(struct iip_port *port, struct iip_port_region *out, uint32_t cap);

    /* One queue; `attach` says whose packets it makes, before anything else. */
    void (*attach)(struct iip_port_queue *q, struct iip_stack *stk);
    uint32_t (*rx)(struct iip_port_queue *q, struct iip_pkt **pkts, uint32_t n);
    /* These three have the signatures of iip_host, with the queue as context. */
    uint32_t (*tx)(void *q, struct iip_pkt **pkts, uint32_t n);
    struct iip_frame *(*frame_get)(void *q, iip_u32 size);
    void (*frame_put)(void *q, struct iip_frame *frame);
    uint32_t (*frames_free)(struct iip_port_queue *q);
    /*
     * Descriptor to wait on, -1 if none (info.polls): readable when rx has packets; after a refusal it becomes readable
     * or writable when tx has room again (wait for both then). Call it before every wait, also when the answer is
     * known: a port whose other end is in this process wakes only who has called it since its last rx, so that
     * busy loops make no system call. The answer stays the same for the life of the queue.
     */
    int (*fd)(struct iip_port_queue *q);
    /* Microseconds of this port's clock (sim: virtual); null: CLOCK_MONOTONIC. */
    uint64_t (*now)(struct iip_port_queue *q);
    void (*stats)(struct iip_port_queue *q, struct iip_port_stats *out);
};

/* Finds the kind of a port string and opens it; *ops says how to use it. Loads libiip_dpdk for "dpdk:". */
int iip_port_open(const char *name, const struct iip_port_cfg *cfg, const struct iip_port_ops **ops,
                  struct iip_port **out, char *err, size_t err_len);
/* The i-th kind compiled in or found as plug-in, or null. */
const struct iip_port_ops *iip_port_kind(uint32_t i);

#endif

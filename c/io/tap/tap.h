/*
 * tap.h - a TAP device: the kernel is the other end of the wire.
 *
 * Checksums and segmentation are left to the kernel (IFF_VNET_HDR): what it sends to us comes unsegmented, up to 64 KB
 * in one read, which is scattered over a chain of frames that stand ready; a small packet uses only the first of them.
 *
 * "tap:name" (or "tap:", then the kernel picks iip0, iip1 ...), and
 *
 *     up=10.9.0.1/24  gives the kernel's side an address and brings it up; may be said several times, IPv6 too; up=on
 *                     only brings it up. Without it nothing on the kernel's side is touched
 *     mac=02:...      our own address (default: random)
 *     mtu=1400        sets the interface's (default: takes it as it is)
 *     csum=off tso=off    leaves checksums, or cutting, to the stack
 *     queues, frames, frame_size
 */
#ifndef IIP_IO_TAP_H
#define IIP_IO_TAP_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/uio.h>

#include "../args.h"
#include "../pool.h"
#include "../port.h"

enum {
    IIP_TAP_QUEUES = 64,
    IIP_TAP_LINK = 18,        /* Ethernet header with one tag */
    IIP_TAP_MTU_MAX = 9000,   /* largest that the core takes on Ethernet */
    IIP_TAP_VIEWS = 136,      /* frames of a received packet, at most: 64 KB in frames of 512 bytes */
    IIP_TAP_TX_VIEWS = 1023,  /* views of a sent packet, at most: IOV_MAX less the header */
    IIP_TAP_UPS = 8
};

struct iip_tap_queue {
    int fd;                   /* to read, and to wait on: a queue that is attached hears when the interface comes up */
    int out;                  /* to write; the same, where there is one queue */
    uint32_t dead;            /* the device is gone: nothing comes, and what is sent is dropped */
    struct iip_stack *stk;
    struct iip_tap *tap;
    uint32_t views;           /* frames that stand ready for a read */
    uint32_t holes;           /* of these, the first so many were used and are to be replaced */
    struct iip_frame *ready[IIP_TAP_VIEWS];
    struct iovec iov[1 + IIP_TAP_VIEWS];
    struct iovec tx_iov[1 + IIP_TAP_TX_VIEWS];
    struct virtio_net_hdr head; /* of the packet that was read last */
    struct iip_pool pool;
    struct iip_port_stats stats;
};

struct iip_tap {
    char name[IFNAMSIZ];
    uint32_t queues;
    uint32_t mtu, up;
    int csum, tso;
    int control;              /* a socket for questions about the interface */
    uint64_t checked_us;
    uint32_t recheck;         /* a write said that the interface is down: look again soon */
    uint8_t mac[6];
    struct iip_tap_queue *q[IIP_TAP_QUEUES];
};

struct iip_tap_ask { /* what the port string says */
    char name[IFNAMSIZ];
    struct iip_port_cfg cfg;
    uint32_t mtu;
    int csum, tso, ups;
    uint8_t mac[6];
    char up[IIP_TAP_UPS][64];
};

/* link.c: the interface as the kernel sees it. Each returns a status. */
int iip_tap_link_open(struct iip_tap *tap, struct iip_port_err *err);
int iip_tap_link_setup(struct iip_tap *tap, const struct iip_tap_ask *ask, struct iip_port_err *err);
/* Reads MTU and state anew: 1 when either changed. */
int iip_tap_link_read(struct iip_tap *tap);
int iip_tap_changed(struct iip_port *port);

/* queue.c */
int iip_tap_queue_init(struct iip_tap_queue *q, const struct iip_tap_ask *ask, uint32_t i, struct iip_port_err *err);
uint32_t iip_tap_rx(struct iip_port_queue *queue, struct iip_pkt **pkts, uint32_t n);
uint32_t iip_tap_tx(void *queue, struct iip_pkt **pkts, uint32_t n);

#endif

/*
 * iip/iip.h - the stable C interface of libiip: a TCP/IP stack that you integrate.
 *
 * THE IDEA. An engine opens a port (a TAP device, an in-memory pair, a NIC by DPDK ...) and has one or more loops, one
 * a core. A thread attaches to a loop and turns it, for ever:
 *
 *     struct iip_turn turn = {.size = sizeof turn, .flags = IIP_TURN_WAIT, .wait_us = -1};
 *     while (iip_loop_turn(loop, &turn) >= 0)
 *         for (i = 0; i < turn.event_n; i++)
 *             handle(&area.events[i]);              reads events in place, writes area.ops[] and area.releases[]
 *
 * One call does everything: it takes the operations and the buffers that came back, sends, waits if asked to, receives,
 * runs the protocols and the timers, and hands up what happened as 64-byte records. There are no callbacks.
 *
 * RETURN VALUES. Functions return 0 or more on success and a negative IIP_E_... on failure; <iip/status.h> lists them.
 * Nothing that comes from the wire and no wrong argument aborts the process.
 *
 * THREADS. [any] marks functions that any thread may call. [owner] marks those that only the thread attached to the
 * loop may call; others get IIP_E_WRONG_THREAD. After fork() every call of the child on an object of its parent gives
 * IIP_E_FORKED and touches nothing; the child may open engines of its own.
 *
 * STRUCTURES. Those that begin with `size` grow at their end; the caller writes sizeof into it. A shorter input is
 * extended with zeros; a longer one is an error (IIP_E_UNKNOWN_FIELD) if a byte that this library does not know is not
 * zero. Of an output the library writes min(size, what it knows) and sets `size` to what it knows. The others (event,
 * op, span, addr, addrs, layout, region_info, log_record) lie in arrays and are frozen for the major version. Fields
 * called `reserved` are zero.
 *
 * TIME is microseconds of the port's clock (CLOCK_MONOTONIC, or virtual). Addresses are as in struct iip_addr.
 *
 * This header is plain on purpose: fixed-width integers, structures, functions, constants as members of anonymous
 * enums. With its lines that start with # removed, cffi reads it; bindgen, cgo and SWIG read it as it is.
 */
#ifndef IIP_IIP_H
#define IIP_IIP_H

#include <stddef.h>
#include <stdint.h>

#include "iip/status.h"

#include "iip/begin.h"

/* ---- version and self-description ------------------------------------------------------------------------------ */

enum {
    IIP_ABI_MAJOR = 0, /* of this header; another major of the library is another interface */
    IIP_ABI_MINOR = 9  /* of this header; a library of the same major and a higher minor serves it */
};

/* [any] major << 16 | minor of the library that is loaded. */
uint32_t iip_abi_version(void);

/* [any] 0 when the loaded library serves callers built for major.minor, else IIP_E_ABI. */
int32_t iip_abi_require(uint32_t major, uint32_t minor);

/* [any] "1.2.3": the release, for people. */
const char *iip_version(void);

/*
 * [any] 1 when the library has the named feature, else 0, for unknown names too: "port.tap", "port.dpdk" (its plug-in
 * is found), "tcp.sack", "op.send_extern", "tunable.tcp.mss" ... iip_feature_name(i) gives the i-th name of those that
 * are neither ports nor tunables; null past the last.
 */
int32_t iip_probe(const char *feature);
const char *iip_feature_name(uint32_t i);

/* One field of a public structure, or, with field == null, the structure itself. */
struct iip_layout {
    const char *type;  /* "iip_event" */
    const char *field; /* "user"; null: the row tells the size of the whole structure */
    uint32_t offset;   /* bytes */
    uint32_t size;     /* bytes */
};

/* [any] The i-th row of the table of all fields of all public structures, as compiled into the library; IIP_E_NOT_FOUND
   past the last. A binding compares it with its own when it is loaded. */
int32_t iip_layout_get(uint32_t i, struct iip_layout *out);

enum { /* classes of statuses: what a caller can do about one */
    IIP_CLASS_OK = 0,
    IIP_CLASS_RETRY,      /* wait for the event that says so, then try again */
    IIP_CLASS_CONNECTION, /* this connection is over, others live */
    IIP_CLASS_LOOP,       /* the port of this loop failed */
    IIP_CLASS_USAGE,      /* the caller's mistake */
    IIP_CLASS_RESOURCE    /* memory or buffers ran out */
};

/* [any] The table of statuses. Unknown numbers are "IIP_E_UNKNOWN", IIP_CLASS_USAGE, errno EINVAL; never null. */
const char *iip_status_name(int32_t status);  /* "IIP_E_AGAIN": stable */
const char *iip_status_text(int32_t status);  /* one sentence for people; may change */
uint32_t iip_status_class(int32_t status);    /* IIP_CLASS_... */
int32_t iip_status_errno(int32_t status);     /* positive errno of this system, 0 for success */

/* ---- handles --------------------------------------------------------------------------------------------------- */

/*
 * Connections, listeners, UDP endpoints, timers, buffers and regions are named by integers (uint64_t) below 2^53, so
 * that they survive a double; 0 names nothing. A handle holds, from the highest bit:
 *
 *     bits 52..50  kind        IIP_KIND_..., 3 bits
 *     bits 49..43  loop        process-wide number of its loop, 7 bits; 127: no loop in particular (engine, region)
 *     bits 42..22  generation  of the slot, 21 bits
 *     bits 21..0   slot        22 bits: 4,194,304 live objects of a kind and loop
 *
 * Slots are reused first-in first-out; the generation grows with each use and wraps. So a handle of something that is
 * gone, or of another process's or loop's object, gives IIP_E_STALE, for at least 2^20 reuses of the slot.
 */
enum {
    IIP_KIND_CONN = 1,     /* TCP connection */
    IIP_KIND_LISTENER = 2, /* TCP listener */
    IIP_KIND_UDP = 3,      /* UDP endpoint */
    IIP_KIND_TIMER = 4,
    IIP_KIND_BUF = 5,      /* buffer: received bytes, or room for bytes to send */
    IIP_KIND_REGION = 6,   /* memory of the application, registered for sending without a copy */

    IIP_HANDLE_SLOT_BITS = 22,
    IIP_HANDLE_GENERATION_BITS = 21,
    IIP_HANDLE_LOOP_BITS = 7,
    IIP_HANDLE_KIND_BITS = 3,
    IIP_HANDLE_NO_LOOP = 127
};

/* ---- addresses ------------------------------------------------------------------------------------------------- */

/* An address of either family with a port; 32 bytes. All zero: any address, any port, both families. */
struct iip_addr {
    uint8_t ip[16];    /* network order; IPv4 a.b.c.d is ::ffff:a.b.c.d; all zero: any */
    uint16_t port;     /* a number in host order; 0: any */
    uint16_t family;   /* 4, 6, or 0: taken from ip (for the any address: both) */
    uint32_t scope;    /* reserved: 0 */
    uint64_t reserved; /* 0 */
};

/* What an aux offset names: the two ends as this side sees them; 64 bytes. */
struct iip_addrs {
    struct iip_addr local;
    struct iip_addr peer;
};

/* [any] Reads "10.0.0.1", "10.0.0.1:80", "fd00::1", "[fd00::1]:80", ":80" and "*:80" (any address). IIP_E_INVAL. Names
   are not looked up. */
int32_t iip_addr_parse(const char *text, struct iip_addr *out);
/* [any] Writes such a string, terminated, into at most cap bytes; returns its length, or IIP_E_RANGE when cap is too
   small (56 is always enough). The port is left out when it is 0. */
int32_t iip_addr_format(const struct iip_addr *addr, char *out, uint32_t cap);

/* ---- engine ---------------------------------------------------------------------------------------------------- */

struct iip_engine; /* an open port with its loops and memory; [any] thread */
struct iip_loop;   /* one queue of it, one stack, one owner thread */

/* How an engine is opened. Null strings and zeros mean the defaults that are named. */
struct iip_engine_cfg {
    uint32_t size;          /* sizeof(struct iip_engine_cfg) */
    uint32_t flags;         /* 0 */
    const char *port;       /* needed: "tap:iip0", "pair:a", "sim:w,loss=1%", "pcap:in.pcap", "dpdk:net_memif0,..." */
    const char *addresses;  /* our own, with prefix lengths: "10.0.0.1/24 fd00::1/64"; space or comma between */
    const char *routes;     /* "default via 10.0.0.254, 10.9.0.0/16 via 10.0.0.7, 10.8.0.0/16"; comma between */
    const char *tunables;   /* "tcp.mss=1400,tcp.sack=0": names of docs/reference/tunables.md */
    const char *neighbours; /* permanent ones: "10.0.0.9=02:00:00:00:00:09"; space or comma between */
    const char *pcap;       /* record all packets to this file */
    uint32_t loops;         /* queues of the port, one loop each; 0: 1 */
    uint32_t cores;         /* how cores are assigned: IIP_CORES_...; 0: unified */
    uint32_t frames;        /* packet buffers of each queue, 16 at least; 0: the port's default */
    uint32_t frame_bytes;   /* of each packet buffer, MTU + 146 at least; 0: by MTU */
    uint32_t ring;          /* descriptors of each ring; 0: the port's default */
    uint32_t mtu;           /* bytes of an IP packet; 0: the port's */
    uint32_t op_cap;        /* operations a turn takes; 0: 256 */
    uint32_t release_cap;   /* releases a turn takes; 0: 1024 */
    uint32_t event_cap;     /* events a turn hands up; 0: 512 */
    uint32_t tx_free_cap;   /* empty buffers laid out for the application; 0: 64 */
    uint32_t post_cap;      /* operations of other threads that wait for a loop; 0: 1024; rounded up to 2^n */
    uint32_t poll_us;       /* a parked loop of a port without interrupt looks for packets this often; 0: 100 */
    uint64_t spill_bytes;   /* memory of each loop for copies of arrivals when packet buffers run low; 0: 4 MiB */
    uint64_t mem_limit;     /* bytes that the tables of each loop's stack may grow to; 0: none */
    uint64_t seed;          /* for what is random but not secret; 0: from the system */
    uint8_t key[16];        /* secret key of sequence numbers, ports and hashes; all zero: from the system. Set seed
                               and key, and a simulated port with a virtual clock repeats a run bit for bit */
    uint32_t log_level;     /* records up to this level are kept: IIP_LOG_...; 0: IIP_LOG_WARN */
    uint32_t reserved;
};

enum {
    IIP_CORES_UNIFIED = 0, /* the thread that turns a loop does everything */
    IIP_CORES_SPLIT = 1,   /* a second thread does the networking of the loop, on another core: see iip_loop_net */
    IIP_CORES_MERGE = 2    /* the same, and both threads share a core: neither ever polls */
};

/* What was opened. */
struct iip_engine_info {
    uint32_t size;         /* sizeof */
    uint32_t loops;        /* may be fewer than asked for: the port has fewer queues */
    uint32_t mtu;          /* bytes of an IP packet */
    uint32_t link_up;      /* 1: the link is up */
    uint32_t polls;        /* 1: the port has no interrupt, a parked loop looks every poll_us, so it never stalls */
    uint32_t poll_us;
    uint32_t caps;         /* what the port does for us: IIP_PORT_... */
    uint32_t regions;      /* mapped regions, see iip_engine_regions */
    uint8_t mac[6];
    uint16_t reserved;
    uint32_t conns;        /* live connections of all loops */
};

enum { /* iip_engine_info.caps */
    IIP_PORT_IP_CSUM = 1, IIP_PORT_TCP_CSUM = 2, IIP_PORT_UDP_CSUM = 4, IIP_PORT_TSO = 8, IIP_PORT_SG = 16,
    IIP_PORT_L3 = 256      /* no link layer */
};

/*
 * [any] Opens a port and makes its loops; nobody owns them yet. On failure `error` (may be null), `error_cap` bytes,
 * gets one sentence that names the value and the remedy. IIP_E_INVAL, NOT_FOUND, ACCESS, NO_DEVICE, NOMEM,
 * UNKNOWN_FIELD, ABI.
 */
int32_t iip_engine_open(const struct iip_engine_cfg *cfg, struct iip_engine **out, char *error, uint32_t error_cap);

/* What the application had not given back when an engine was closed. */
struct iip_leaks {
    uint32_t size;         /* sizeof */
    uint32_t bufs;         /* buffers not released; their bytes are gone now */
    uint32_t conns;        /* connections that were still open, and were aborted */
    uint32_t listeners, udps, timers;
    uint32_t externs;      /* sends of registered memory without their TX_DONE */
    uint32_t regions;      /* registered regions of this engine that were not removed */
};

/*
 * [any] Closes everything: connections are aborted (RST), handles go stale, the port is closed. `leaks` may be null.
 * IIP_E_BUSY while another thread owns a loop or does its networking (it detaches first). The pointer is dead on success. In a forked child:
 * IIP_E_FORKED, and the device of the parent is not touched. For an orderly end iip_loop_close first.
 */
int32_t iip_engine_close(struct iip_engine *engine, struct iip_leaks *leaks);

/* [any] Fills min(out->size, known) bytes. */
int32_t iip_engine_info_get(struct iip_engine *engine, struct iip_engine_info *out);
/* [any] The i-th engine of this process, in no particular order, for tools; IIP_E_NOT_FOUND past the last. */
int32_t iip_engine_list(uint32_t i, struct iip_engine **out);
/* [any] Loop i of 0 .. info.loops - 1. IIP_E_NOT_FOUND. */
int32_t iip_engine_loop(struct iip_engine *engine, uint32_t i, struct iip_loop **out);
/* [any] "tap", "pair" ...: the i-th kind of port that this library can open; null past the last. */
const char *iip_engine_kind(uint32_t i);

/*
 * [any] Listens on all loops: one handle, and connections come up as IIP_EVENT_ACCEPT on the loop that owns them, with
 * `user` as the event's cookie. Each loop takes it over at its next turn (it is woken) and tells by IIP_EVENT_DONE
 * (user, status, src = the handle, len = IIP_OP_LISTEN) if it could. IIP_E_INVAL, NOMEM.
 */
int32_t iip_engine_listen(struct iip_engine *engine, const struct iip_addr *local, uint32_t backlog, uint64_t user,
                          uint64_t *out);
/* [any] Ends it on all loops, each of which tells by DONE (len = IIP_OP_CLOSE); accepted connections live on. IIP_E_STALE. */
int32_t iip_engine_unlisten(struct iip_engine *engine, uint64_t listener);

/* A piece of memory in which buffers lie: event.region and span.region are indices into this list. */
struct iip_region_info {
    uint64_t base;         /* address of its first byte */
    uint64_t len;          /* bytes; readable throughout. Writable only through spans of tx_free and iip_buf_alloc */
    uint32_t index;        /* what event.region and span.region say */
    uint32_t reserved;
};

/* [any] Copies up to cap records, returns how many there are. The list only grows: read it again when an event names
   an index that is not in it yet. Mapped until the engine closes. */
int32_t iip_engine_regions(struct iip_engine *engine, struct iip_region_info *out, uint32_t cap);

/*
 * [any] Registers memory of the application for IIP_OP_SEND_EXTERN on all loops. It must stay mapped, and bytes that
 * are being sent must not change, until their TX_DONE event. IIP_E_INVAL, NOMEM (1,000 regions a process).
 */
int32_t iip_region_add(struct iip_engine *engine, const void *base, uint64_t len, uint64_t *out);
/* [any] IIP_E_BUSY while bytes of it are being sent; IIP_E_STALE. */
int32_t iip_region_remove(uint64_t region);

/* ---- loop: ownership ------------------------------------------------------------------------------------------- */

/* [any] The calling thread becomes the owner. IIP_E_BUSY while another thread is; again by the owner is harmless. */
int32_t iip_loop_attach(struct iip_loop *loop);
/* [owner] Gives the loop up; any thread may attach then. The networking thread (iip_loop_net) gives that up. */
int32_t iip_loop_detach(struct iip_loop *loop);
/*
 * One turn of the networking of a loop that is opened with IIP_CORES_SPLIT or _MERGE: a thread of yours calls it for
 * ever, while another one, which attaches and is the owner as everywhere, turns the loop as if it were unified:
 *
 *     while (!stop && iip_loop_net(loop, wait_us) >= 0)
 *         ;
 *     iip_loop_detach(loop);
 *
 * It receives, runs protocols and timers and sends, also while the application is busy; calls of the owner are asked of
 * it and wait until it answered. The first call makes the calling thread the networking thread of the loop, which it is
 * until it calls iip_loop_detach, and must go on calling or the owner waits for it. While there is none, the owner's
 * calls do all themselves, and do not park. When nothing is due it sleeps up to wait_us; -1: until something is, or
 * iip_loop_wake; 0: not at all, it polls, which with IIP_CORES_MERGE would keep the other thread from the core: there 0
 * means -1. Returns the packets it received. IIP_E_NOT_SUPPORTED: the engine is unified; BUSY: another thread does it;
 * CLOSED, FORKED.
 */
int32_t iip_loop_net(struct iip_loop *loop, int64_t wait_us);
/* [owner] Aborts all connections and closes all else on this loop. The next turns hand up the CLOSED events of all of
   it, then say IIP_STATE_CLOSED; registered memory is in use until its TX_DONE all the same, or until the engine is
   closed. Operations that make new objects give IIP_E_CLOSED from now on. */
int32_t iip_loop_close(struct iip_loop *loop);
/* [any] Number of the loop in its engine. */
int32_t iip_loop_index(struct iip_loop *loop);
/* [owner] Time of the port's clock, now. */
int32_t iip_loop_now(struct iip_loop *loop, uint64_t *now_us);
/* [any] Moves the virtual clock of a simulated port on (sim:NAME,clock=virtual), for both of its ends. On such a port
   time stands still otherwise, and no turn waits: turn all loops until nothing happens, then move to the earliest
   turn.deadline_us. now_us (may be null): the new time. IIP_E_NOT_SUPPORTED: the clock is real. */
int32_t iip_engine_advance(struct iip_engine *engine, uint64_t us, uint64_t *now_us);
/* [any] On such a port: a frame arrives at this engine now, as if the other end had sent it, but unharmed by the wire.
   It begins with its link header (l3=on: with the IP header) and is copied. What a hostile or broken peer could send,
   for tests. IIP_E_INVAL: no bytes, or more than the wire carries; LINK_DOWN: there is no other end; AGAIN: too much is
   under way; NOMEM; NOT_SUPPORTED: the clock is real. */
int32_t iip_engine_inject(struct iip_engine *engine, const void *frame, uint32_t len);
/* [any] On such a port: changes the MTU of the wire, 576 .. 65535; both ends tell by IIP_EVENT_LINK. IIP_E_RANGE,
   NOT_SUPPORTED. */
int32_t iip_engine_mtu_set(struct iip_engine *engine, uint32_t mtu);

/* ---- events ---------------------------------------------------------------------------------------------------- */

/* What happened; 64 bytes. A reader skips types that it does not know. */
struct iip_event {
    uint64_t src;      /* handle of the connection, listener, endpoint or timer; 0: the loop itself */
    uint64_t user;     /* its cookie */
    uint16_t type;     /* IIP_EVENT_... */
    uint16_t flags;    /* IIP_EVENT_MORE ... */
    int32_t status;    /* IIP_OK or IIP_E_... */
    uint64_t buf;      /* buffer that holds the bytes, one reference of which is now yours to release; 0: none */
    uint64_t addr;     /* address of the first byte */
    uint32_t len;      /* bytes */
    uint32_t offset;   /* the same bytes: first byte within the region */
    uint16_t region;   /* the same bytes: index of the region, see iip_engine_regions */
    uint16_t reserved;
    uint32_t aux;      /* offset in area.aux of a struct iip_addrs; 0: none */
    uint64_t value;    /* by type */
};

enum { /* iip_event.type; bytes: the event names bytes, see buf, addr, len */
    IIP_EVENT_NONE = 0,
    IIP_EVENT_ACCEPT = 1,    /* src: new connection, user: the listener's cookie (now the connection's too, until
                                IIP_OP_USER), value: the listener, aux: both ends */
    IIP_EVENT_CONNECTED = 2, /* IIP_OP_CONNECT succeeded; aux: both ends. Failure is CLOSED */
    IIP_EVENT_DATA = 3,      /* bytes of the stream, in order */
    IIP_EVENT_FIN = 4,       /* the peer sent its last byte: end of stream; sending may go on */
    IIP_EVENT_WRITABLE = 5,  /* the send queue that took less than it was offered has drained below half */
    IIP_EVENT_URGENT = 6,    /* urgent data is announced; value: bytes from here to its end */
    IIP_EVENT_ERROR = 7,     /* soft error `status`, the connection lives; value: ICMP type << 8 | code */
    IIP_EVENT_CLOSED = 8,    /* the last event of `src`, whose handle is stale now; only a TX_DONE may come later.
                                status: IIP_OK (both sides closed), RESET, TIMEOUT, ABORTED, REFUSED, UNREACHABLE ... */
    IIP_EVENT_UDP = 9,       /* bytes of one datagram; aux: both ends; value: TOS byte << 8 | TTL */
    IIP_EVENT_UDP_ERROR = 10,/* ICMP error `status` for a datagram sent to aux.peer; value: ICMP type << 8 | code */
    IIP_EVENT_TX_DONE = 11,  /* src: the connection, user: of the operation. The `len` bytes of registered memory that
                                an IIP_OP_SEND_EXTERN put in were acknowledged, or dropped: they may be reused */
    IIP_EVENT_TIMER = 12,    /* the timer expired, the handle is stale; value: the time it was set for */
    IIP_EVENT_DONE = 13,     /* an operation that was posted with IIP_OP_REPLY is done, or one posted without it failed
                                or was taken in part: user: of the operation, src: its obj, or the new object; status;
                                value: as op.out; len: op code */
    IIP_EVENT_LINK = 14      /* link or MTU changed; value: link_up << 32 | mtu */
};

enum { /* iip_event.flags */
    IIP_EVENT_MORE = 1,      /* the next event goes on with this run (DATA) or this datagram (UDP) */
    IIP_EVENT_COPIED = 2     /* packet buffers ran low: the bytes are a copy in spill memory */
};

/* ---- operations ------------------------------------------------------------------------------------------------ */

/*
 * What is to be done; 64 bytes. The caller writes it with zeros in what the code does not use; the turn writes `out`
 * and `status` in place. A failing operation has no effect but its status, and does not stop the ones behind it.
 */
struct iip_op {
    uint16_t code;     /* IIP_OP_... */
    uint16_t flags;    /* IIP_OP_REPLY ... */
    uint32_t len;      /* bytes; by code */
    uint64_t obj;      /* handle of what it is done to */
    uint64_t user;     /* cookie: of the new object, of the TX_DONE or of the DONE event */
    uint64_t buf;      /* buffer or region */
    uint64_t arg;      /* by code */
    uint32_t offset;   /* by code: first byte within the buffer; option */
    uint32_t aux;      /* offset in area.op_aux of a struct iip_addrs; 0: see arg */
    uint64_t out;      /* written: new handle, or bytes taken */
    int32_t status;    /* written: IIP_OK or IIP_E_... */
    uint32_t reserved; /* 0 */
};

/*
 * Where a code says "addresses", they are the struct iip_addrs at area.op_aux + aux, or if aux is 0 the one whose
 * address stands in arg (iip_loop_post copies it).
 *
 * SENDING on a connection takes what fits: out says how many bytes; status is IIP_OK if that was more than none or all,
 * else IIP_E_AGAIN. Whenever out < len, IIP_EVENT_WRITABLE follows, and later sends of the same turn on that connection
 * are not taken (IIP_E_AGAIN, out 0), so that the stream keeps its order. Then offer the rest.
 */
enum { /* iip_op.code */
    IIP_OP_NOP = 0,
    IIP_OP_CONNECT = 1,     /* addresses: peer, and local or zeros. out: the connection. CONNECTED or CLOSED follows */
    IIP_OP_LISTEN = 2,      /* addresses: local; len: backlog, 0: 128. Of this loop only. out: the listener */
    IIP_OP_UDP_OPEN = 3,    /* addresses: local, port 0: a free one; peer, or zeros: unconnected. out: the endpoint */
    IIP_OP_SEND_BUF = 4,    /* obj: connection; `len` bytes from `offset` (behind the buffer's first byte) of buffer
                               `buf` of this loop: from tx_free, from iip_buf_alloc, or received. Taken whole, your
                               reference is gone; taken in part or not, it stays yours: offer the rest, or release it */
    IIP_OP_SEND_EXTERN = 5, /* obj: connection; `len` bytes from byte `arg` of region `buf`; TX_DONE with `user` follows
                               if any byte was taken */
    IIP_OP_SEND_COPY = 6,   /* obj: connection; copies `len` bytes at address `arg` (posted: when its turn comes) */
    IIP_OP_UDP_SEND = 7,    /* obj: endpoint; bytes as SEND_BUF; addresses: peer unless connected, local or zeros. Whole
                               or not at all: on failure the buffer stays yours */
    IIP_OP_UDP_SEND_COPY = 8, /* the same with `len` bytes at address `buf` */
    IIP_OP_CREDIT = 9,      /* obj: connection with IIP_OPT_EXPLICIT_CREDIT; `len` bytes of DATA are used up */
    IIP_OP_SHUTDOWN = 10,   /* obj: connection, CONNECTED or not yet: no more to send, FIN follows the queue; receiving goes on */
    IIP_OP_CLOSE = 11,      /* obj: connection, listener, endpoint: done with it. Bytes in the send queue still go out;
                               bytes that arrive, or were not read, are answered with RST. CLOSED follows. Of a timer:
                               as CANCEL */
    IIP_OP_ABORT = 12,      /* obj: connection: RST; CLOSED with IIP_E_ABORTED follows */
    IIP_OP_TIMER = 13,      /* arg: microseconds from now, or with IIP_OP_ABSOLUTE a time. out: the timer */
    IIP_OP_CANCEL = 14,     /* obj: timer, which then never fires (an event already handed up excepted: IIP_E_STALE) */
    IIP_OP_SET = 15,        /* obj: connection or endpoint; offset: IIP_OPT_..., arg: value */
    IIP_OP_USER = 16,       /* obj: connection, listener or endpoint gets the cookie `user` */
    IIP_OP_URGENT = 17      /* obj: connection: all bytes queued so far are urgent (RFC 9293 3.8.5; RFC 6093) */
};

enum { /* iip_op.flags */
    IIP_OP_REPLY = 1,       /* posted operations: a DONE event also on success */
    IIP_OP_ABSOLUTE = 2,    /* IIP_OP_TIMER: arg is a time */
    IIP_OP_SHUT = 4         /* SEND_BUF, SEND_EXTERN, SEND_COPY: and SHUTDOWN, if all was taken */
};

enum { /* options of connections (IIP_OP_SET, iip_conn_get); those marked U of UDP endpoints too */
    IIP_OPT_NODELAY = 1,         /* 1: no Nagle */
    IIP_OPT_CORK = 2,            /* 1: hold partial segments, 200 ms at most */
    IIP_OPT_KEEPALIVE = 3,       /* 1: on */
    IIP_OPT_KEEPIDLE_US = 4,
    IIP_OPT_KEEPINTVL_US = 5,
    IIP_OPT_KEEPCNT = 6,
    IIP_OPT_USER_TIMEOUT_US = 7, /* 0: by retries */
    IIP_OPT_DSCP = 8,            /* 0 .. 63; U */
    IIP_OPT_TTL = 9,             /* 1 .. 255; U */
    IIP_OPT_SNDBUF = 10,         /* bytes */
    IIP_OPT_RCVBUF = 11,         /* bytes */
    IIP_OPT_QUICKACK = 12,       /* 1: acknowledge at once */
    IIP_OPT_CC = 13,             /* 0 NewReno, 1 CUBIC */
    IIP_OPT_SYN_RETRIES = 14,
    IIP_OPT_EXPLICIT_CREDIT = 64 /* 1: releasing a buffer does not open the window, IIP_OP_CREDIT does */
};

/* ---- buffers --------------------------------------------------------------------------------------------------- */

/*
 * A buffer is a counted reference to bytes that never move. A DATA or UDP event gives one reference; release each
 * exactly once, by area.releases[] in the next turn (cheapest) or iip_buf_release from any thread. Releasing opens the
 * peer's window by what the buffer held (unless IIP_OPT_EXPLICIT_CREDIT). Released too often, it gives IIP_E_STALE.
 */

/* Bytes, or room for bytes; 32 bytes. */
struct iip_span {
    uint64_t buf;      /* handle */
    uint64_t addr;     /* address of the first byte */
    uint32_t len;      /* bytes (of a buffer to be written: room) */
    uint32_t offset;   /* the same bytes: first byte within the region */
    uint16_t region;   /* the same bytes: index of the region */
    uint16_t reserved;
    uint32_t flags;    /* 0 */
};

/* [any] One more reference. Only while you hold one. IIP_E_STALE. */
int32_t iip_buf_retain(uint64_t buf);
/* [any] One reference less. From another thread than the owner's the buffer goes home through the loop's return list,
   at its next turn; a parked loop that has few buffers is woken. IIP_E_STALE. */
int32_t iip_buf_release(uint64_t buf);
/* [any] The same for n of them; returns how many of them were released. */
int32_t iip_buf_release_n(const uint64_t *bufs, uint32_t n);
/* [any] Up to cap spans of a buffer's bytes, returns how many it has. IIP_E_STALE. */
int32_t iip_buf_spans(uint64_t buf, struct iip_span *out, uint32_t cap);
/* [any] Copies up to cap bytes of the buffer out and releases it; returns the bytes copied. IIP_E_STALE. */
int32_t iip_buf_detach(uint64_t buf, void *out, uint32_t cap);
/* [owner] An empty buffer to send, as those of tx_free: for more than a turn lays out. IIP_E_NOBUFS. */
int32_t iip_buf_alloc(struct iip_loop *loop, struct iip_span *out);

/* ---- turn ------------------------------------------------------------------------------------------------------ */

/* One turn: what goes in, what came out. Lives in the area or anywhere. */
struct iip_turn {
    uint32_t size;           /* in: sizeof; never written */
    uint32_t flags;          /* in: IIP_TURN_... */
    int64_t wait_us;         /* in: with IIP_TURN_WAIT, the longest wait; -1: until something happens */
    uint32_t op_n;           /* in: operations in area.ops; set to 0 */
    uint32_t release_n;      /* in: handles in area.releases; set to 0 */
    uint32_t tx_taken;       /* in: how many entries of area.tx_free, from its front, you took; set to 0 */
    uint32_t event_max;      /* in: events wanted at most; 0: as many as there is room for */
    uint32_t event_n;        /* out: events in area.events */
    uint32_t tx_free_n;      /* out: entries in area.tx_free */
    uint32_t op_short;       /* out: operations with a negative status, or a send with out < len: look at each */
    uint32_t release_failed; /* out: releases that were stale */
    uint32_t state;          /* out: IIP_STATE_... */
    uint32_t rx_packets;     /* out: packets received in this turn */
    uint64_t now_us;         /* out: time of this turn */
    uint64_t deadline_us;    /* out, with IIP_TURN_DEADLINE: when a turn is due at the latest; UINT64_MAX: never. Else 0 */
};

enum { /* iip_turn.flags */
    IIP_TURN_WAIT = 1,      /* wait, up to wait_us, if nothing is due */
    IIP_TURN_FLUSH = 2,     /* send what is held for the application's answer (acknowledgements), at the end too */
    IIP_TURN_DEADLINE = 8,  /* work out deadline_us, which a loop that just turns on and on can do without */
    IIP_TURN_PARK = 4       /* for a foreign event loop: unless events are handed up, flush and park at the end, so that
                               the loop's descriptor becomes readable when a turn is due. The next turn unparks */
};

enum { /* iip_turn.state */
    IIP_STATE_MORE = 1,       /* events wait for room: turn again at once */
    IIP_STATE_TX_PENDING = 2, /* the port is full: packets wait for it to be writable */
    IIP_STATE_POOL_LOW = 4,   /* few packet buffers are free: release some; arrivals are copied to spill memory */
    IIP_STATE_PARKED = 8,     /* parked, see IIP_TURN_PARK */
    IIP_STATE_LINK_DOWN = 16,
    IIP_STATE_CLOSED = 32     /* iip_loop_close has come to its end */
};

/*
 * What a loop maps for its owner, at addresses that stay until the engine closes.
 *
 * tx_free: after each turn the entries 0 .. turn.tx_free_n - 1 are empty buffers. Take them from the front: write your
 * bytes, submit them (SEND_BUF, UDP_SEND), say how many you took in turn.tx_taken. A taken buffer is yours until it is
 * sent or released, for as long as you like; sending one that was not declared taken gives IIP_E_STALE.
 *
 * Waking a loop from another thread without a call (iip_loop_wake does the same): make your work visible to its owner
 * (your own queue), store 1 into *woken, issue a full fence, read *parked; if it is not 0, write eight bytes (any count
 * > 0) to wake_fd. All with at least release order. The loop stores parked, issues a full fence and looks at *woken
 * before it sleeps, so one of the two sees the other; while *woken is set it neither waits nor parks. The turn that sees
 * it sets it to 0: look at your queue behind every turn. Without *woken a wake is lost that comes between your look and
 * the turn. Where an exchange finds 1 in *woken already, who stored it wakes the loop for both.
 *
 * Events and aux are valid until the next turn; the bytes that events name until their buffer is released.
 */
struct iip_area {
    uint32_t size;            /* sizeof */
    int32_t wake_fd;          /* an eventfd */
    struct iip_turn *turn;    /* a turn structure, for languages that want it in C memory */
    struct iip_op *ops;
    uint64_t *releases;
    const struct iip_event *events;
    const struct iip_span *tx_free;
    const uint8_t *aux;       /* of events */
    uint8_t *op_aux;          /* of operations, yours to write; offset 0 stays unused */
    const uint32_t *parked;   /* not 0: the loop sleeps or is parked; write to wake_fd. Atomic */
    uint32_t op_cap;
    uint32_t release_cap;
    uint32_t event_cap;
    uint32_t tx_free_cap;
    uint32_t aux_bytes;
    uint32_t op_aux_bytes;
    uint32_t *woken;          /* 1: the loop's owner is wanted; others store it, see above. Atomic */
};

/* [owner] Fills min(out->size, known) bytes. */
int32_t iip_loop_area(struct iip_loop *loop, struct iip_area *out);

/*
 * [owner] One turn. Returns the number of events, which is turn->event_n too.
 *   1. buffers return (releases, other threads' too), operations are done (area.ops, then posted ones)
 *   2. everything due is sent
 *   3. waits, if asked to and nothing is due and no event waits
 *   4. receives a burst of up to 64 packets, runs protocols and timers
 *   5. sends what is due, except acknowledgements of bytes that this turn hands up: they ride on the answer
 *   6. hands up events, lays out tx_free
 * IIP_E_WRONG_THREAD, FORKED, UNKNOWN_FIELD; IIP_E_RANGE when a count exceeds its array. A failing call does nothing.
 */
int32_t iip_loop_turn(struct iip_loop *loop, struct iip_turn *turn);

/* ---- from other threads ---------------------------------------------------------------------------------------- */

/* [any] Hands n operations to the loop's next turn, in order, all or none (IIP_E_AGAIN: the queue is full), and wakes
   it. IIP_E_RANGE: n exceeds the queue; IIP_E_INVAL: aux is set, which is the owner's. Results: see IIP_EVENT_DONE. One
   send at a time for each connection, please: a second that overtakes the rest of a first would tear the stream. */
int32_t iip_loop_post(struct iip_loop *loop, const struct iip_op *ops, uint32_t n);
/* [any] Ends the wait of a waiting or parked loop, or of its next one at once. No system call unless it sleeps. */
int32_t iip_loop_wake(struct iip_loop *loop);
/* [any] A descriptor for poll, epoll, asyncio ...: readable when a parked loop (IIP_TURN_PARK) wants a turn: packets,
   timers, posts, wakes. On a port without interrupt: every poll_us. Never read or close it. */
int32_t iip_loop_fd(struct iip_loop *loop);

/* ---- one thing at a time: for C, tools and tests. Bindings use the turn ---------------------------------------- */

/* [owner] op->status and op->out as in a turn; returns op->status. */
int32_t iip_loop_op(struct iip_loop *loop, struct iip_op *op);
/* [owner] Listens on "10.0.0.1:80", ":80" ... IIP_E_INVAL, ADDR_IN_USE, ADDR_NOT_AVAIL, NOMEM. */
int32_t iip_loop_listen(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out);
/* [owner] Connects to "10.0.0.2:80". */
int32_t iip_loop_connect(struct iip_loop *loop, const char *peer, uint64_t user, uint64_t *out);
/* [owner] Opens a UDP endpoint on "10.0.0.1:53", ":53" ... */
int32_t iip_loop_udp(struct iip_loop *loop, const char *local, uint64_t user, uint64_t *out);
/* [owner] Sends by copy: returns the bytes taken, which may be fewer, or a status (IIP_E_AGAIN: none). */
int32_t iip_conn_send(uint64_t conn, const void *bytes, uint32_t len);
/* [owner] Sends one datagram by copy; peer may be null on a connected endpoint. Returns len or a status. */
int32_t iip_udp_send_to(uint64_t udp, const struct iip_addr *peer, const void *bytes, uint32_t len);
/* [owner] As the operations of these names. */
int32_t iip_conn_shutdown(uint64_t conn);
int32_t iip_conn_abort(uint64_t conn);
int32_t iip_conn_set(uint64_t conn, uint32_t option, uint64_t value);
int32_t iip_conn_get(uint64_t conn, uint32_t option, uint64_t *value);
/* [owner] Connection, listener, UDP endpoint or timer: as IIP_OP_CLOSE. */
int32_t iip_handle_close(uint64_t handle);

/* ---- what is going on ------------------------------------------------------------------------------------------ */

enum { /* iip_conn_info.state: RFC 9293 3.3.2 */
    IIP_CONN_CLOSED = 0, IIP_CONN_LISTEN = 1, IIP_CONN_SYN_SENT = 2, IIP_CONN_SYN_RECEIVED = 3,
    IIP_CONN_ESTABLISHED = 4, IIP_CONN_FIN_WAIT_1 = 5, IIP_CONN_FIN_WAIT_2 = 6, IIP_CONN_CLOSE_WAIT = 7,
    IIP_CONN_CLOSING = 8, IIP_CONN_LAST_ACK = 9, IIP_CONN_TIME_WAIT = 10
};

/* One connection. */
struct iip_conn_info {
    uint32_t size;                /* sizeof */
    uint32_t state;               /* IIP_CONN_... */
    uint64_t conn;                /* handle */
    uint64_t user;                /* cookie */
    struct iip_addr local, peer;
    uint32_t options;             /* 1 timestamps, 2 SACK, 4 window scale */
    uint32_t mss;                 /* payload bytes of a full segment */
    uint32_t srtt_us, rttvar_us, rto_us, min_rtt_us;
    uint32_t cwnd, ssthresh;      /* bytes */
    uint32_t snd_wnd, rcv_wnd;    /* bytes */
    uint32_t unacked;             /* bytes sent, not acknowledged */
    uint32_t unsent;              /* bytes accepted, not sent */
    uint32_t unread;              /* bytes received, not handed up yet */
    uint32_t uncredited;          /* window bytes of buffers that the application holds */
    uint32_t out_of_order;        /* bytes held for reassembly */
    uint32_t retransmits, rto_count, dup_acks;
    uint64_t bytes_in, bytes_out;
};

/* [owner] Fills min(out->size, known) bytes. IIP_E_STALE. */
int32_t iip_conn_info_get(uint64_t conn, struct iip_conn_info *out);
/* [any] Handles of live connections behind `after` (0: from the start), up to cap; returns how many were written, 0 at
   the end. From another thread it is a view of a moving target. */
int32_t iip_loop_conns(struct iip_loop *loop, uint64_t after, uint64_t *out, uint32_t cap);

/* One loop. The account closes: rx_packets = what the stack counted in, tx offered = sent + refused. */
struct iip_loop_stats {
    uint32_t size;                /* sizeof */
    uint32_t conns;               /* live */
    uint64_t turns, events, ops, ops_failed, posts, parks, wakes;
    uint64_t releases, foreign_releases, stale_handles;
    uint64_t spill_copies, spill_bytes; /* copied since the start */
    uint64_t bufs_held;           /* buffers that the application holds */
    uint64_t frames_free;         /* packet buffers free in the port's pool */
    uint64_t tx_pending;          /* packets that the port refused and that wait */
    uint64_t mem_used;            /* bytes of the stack's tables */
    uint64_t rx_packets, rx_bytes, rx_dropped;
    uint64_t tx_packets, tx_bytes, tx_refused;
    uint64_t wire_lost, wire_duplicated; /* by a simulated wire, on purpose */
    uint64_t handed_over;         /* packets given to the loop that owns their tuple */
    uint64_t handed_lost;         /* of those, dropped because its queue was full */
};

/* [any] From the owner: now. From others: as of the loop's last turn that saw a request; each call is one. */
int32_t iip_loop_stats_get(struct iip_loop *loop, struct iip_loop_stats *out);
/* [any] Counters of the stack, one for each reason of a drop among them: copies up to cap, returns how many there are.
   Freshness as iip_loop_stats_get. docs/reference/counters.md explains each. */
int32_t iip_loop_counters(struct iip_loop *loop, uint64_t *out, uint32_t cap);
/* [any] Name of counter i; null past the last. */
const char *iip_counter_name(uint32_t i);

enum { IIP_LOG_ERROR = 1, IIP_LOG_WARN = 2, IIP_LOG_INFO = 3, IIP_LOG_DEBUG = 4 };

/* One record of the log ring; 128 bytes. */
struct iip_log_record {
    uint64_t time_us;   /* CLOCK_MONOTONIC */
    uint64_t obj;       /* handle it is about, or 0 */
    uint32_t level;     /* IIP_LOG_... */
    int32_t status;
    uint32_t loop;      /* index of the loop; UINT32_MAX: the engine */
    uint32_t lost;      /* records that were overwritten unread before this one */
    char text[96];      /* terminated */
};

/* [any] Takes up to cap of the oldest records; returns how many. */
int32_t iip_engine_log(struct iip_engine *engine, struct iip_log_record *out, uint32_t cap);

#include "iip/end.h"

#endif

/*
 * iip_core.h - the interface of the iip core in one file
 *
 * Made by c/tools/amalgamate.py from the files of c/core; change those, not this one.
 */


/* ==== include/iip/core.h ==== */
/*
 * iip/core.h - the stack itself.
 *
 * The core is a function of (state, packets, time). It owns no thread, no clock, no allocator and no device, and it
 * never calls into the application. An integrator
 *
 *   1. supplies four functions (struct iip_host): get a frame, return a frame, transmit a burst, memory for tables;
 *   2. creates a stack and gives it addresses and routes;
 *   3. turns it, for ever:
 *          iip_stack_input(stk, pkts, n, now)     packets in; expired timers run
 *          iip_stack_notes(stk, notes, cap)       what happened, as data; the application answers with operations
 *          iip_stack_output(stk, now)             packets out; nothing is due afterwards
 *          iip_stack_deadline(stk)                when to come back at the latest
 *
 * Time is microseconds of any monotonic clock, the same for all calls; a time before the last one counts as the last
 * one. Addresses and multi-byte fields are in host order unless said otherwise. A stack and everything in it belongs
 * to one thread at a time. Statuses are those of <iip/status.h>. The same seed, key, inputs and times give the same
 * bytes out.
 */
#ifndef IIP_CORE_H
#define IIP_CORE_H


/* ==== include/iip/status.h ==== */
/*
 * iip/status.h - every status of every layer, in one place.
 *
 * Functions return 0 or more on success and one of these on failure. Names and numbers are frozen for the major
 * version; new ones are added at the end. The comment of each gives its class (retry, connection, loop, usage,
 * resource) and the errno that bindings raise for it.
 */
#ifndef IIP_STATUS_H
#define IIP_STATUS_H

enum {
    IIP_OK = 0,
    IIP_E_AGAIN = -1,         /* retry       EAGAIN        a queue or a buffer is full; wait for the event that says it drained */
    IIP_E_INVAL = -2,         /* usage       EINVAL        an argument is out of its range */
    IIP_E_NOMEM = -3,         /* resource    ENOMEM        the host refused memory, or the stack's ceiling is reached */
    IIP_E_NOBUFS = -4,        /* resource    ENOBUFS       no packet buffer is free */
    IIP_E_ADDR_IN_USE = -5,   /* usage       EADDRINUSE    the local address and port are taken */
    IIP_E_ADDR_NOT_AVAIL = -6,/* usage       EADDRNOTAVAIL not an address of this stack, or no port is free */
    IIP_E_UNREACHABLE = -7,   /* connection  EHOSTUNREACH  nobody answers for the address, or an ICMP error said so */
    IIP_E_NET_UNREACHABLE = -8,/* connection ENETUNREACH   no route to the network, here or by an ICMP error */
    IIP_E_REFUSED = -9,       /* connection  ECONNREFUSED  the peer answered a SYN with RST, or a datagram with port unreachable */
    IIP_E_RESET = -10,        /* connection  ECONNRESET    the peer reset the connection */
    IIP_E_TIMEOUT = -11,      /* connection  ETIMEDOUT     retransmissions, keep-alives or the user timeout ran out */
    IIP_E_ABORTED = -12,      /* connection  ECONNABORTED  the application aborted it */
    IIP_E_NOT_CONNECTED = -13,/* usage       ENOTCONN      the connection is not in a state that allows this */
    IIP_E_SHUTDOWN = -14,     /* usage       EPIPE         this direction was already shut down */
    IIP_E_MSGSIZE = -15,      /* usage       EMSGSIZE      the datagram is larger than can be sent */
    IIP_E_NOT_FOUND = -16,    /* usage       ENOENT        no such name */
    IIP_E_RANGE = -17,        /* usage       ERANGE        a value outside the range that the name allows */
    IIP_E_NOT_SUPPORTED = -18,/* usage       EOPNOTSUPP    this port or build cannot do that */
    IIP_E_ACCESS = -19,       /* usage       EACCES        the system refused: a right is missing */
    IIP_E_BUSY = -20,         /* retry       EBUSY         it is in use; close what uses it first */
    IIP_E_STALE = -21,        /* usage       EBADF         the handle is closed, released or foreign */
    IIP_E_WRONG_THREAD = -22, /* usage       EPERM         only the thread that owns the loop may call this */
    IIP_E_FORKED = -23,       /* usage       ECHILD        the object belongs to the parent of this process */
    IIP_E_UNKNOWN_FIELD = -24,/* usage       E2BIG         a structure has a non-zero tail that this library does not know */
    IIP_E_ABI = -25,          /* usage       ENOEXEC       library, plug-in or caller are of different versions */
    IIP_E_CLOSED = -26,       /* connection  EPIPE         the object was closed */
    IIP_E_IO = -27,           /* loop        EIO           the port failed */
    IIP_E_NO_DEVICE = -28,    /* usage       ENODEV        no such device or port */
    IIP_E_EXISTS = -29,       /* usage       EEXIST        it is there already */
    IIP_E_LINK_DOWN = -30,    /* loop        ENETDOWN      the link is down */
    IIP_E_LAST = -31
};

#endif

/* ==== include/iip/types.h ==== */
/*
 * iip/types.h - the fixed-width types and the few compiler facts that the core needs.
 *
 * The core includes no header but its own, so it takes its types from the compiler. A compiler that does not say
 * what it has defines IIP_HOST_TYPES and supplies the typedefs below itself; the asserts at the end check them.
 */
#ifndef IIP_TYPES_H
#define IIP_TYPES_H

#ifndef IIP_HOST_TYPES
typedef unsigned char iip_u8;
typedef unsigned short iip_u16;
typedef unsigned int iip_u32;
typedef signed int iip_s32;
#if defined(__SIZEOF_LONG__) && __SIZEOF_LONG__ == 8
typedef unsigned long iip_u64;
typedef signed long iip_s64;
#else
__extension__ typedef unsigned long long iip_u64;
__extension__ typedef signed long long iip_s64;
#endif
typedef __SIZE_TYPE__ iip_size;
typedef __UINTPTR_TYPE__ iip_uptr;
#endif

typedef char iip_assert_u8[sizeof(iip_u8) == 1 ? 1 : -1];
typedef char iip_assert_u16[sizeof(iip_u16) == 2 ? 1 : -1];
typedef char iip_assert_u32[sizeof(iip_u32) == 4 ? 1 : -1];
typedef char iip_assert_u64[sizeof(iip_u64) == 8 ? 1 : -1];
typedef char iip_assert_uptr[sizeof(iip_uptr) == sizeof(void *) ? 1 : -1];

/* C89 has no 64-bit constants: they are built from halves. */
#define IIP_U64(high, low) (((iip_u64)(high) << 32) | (iip_u64)(low))

/* A time that never comes, as an answer to "when must I call again?". */
#define IIP_NEVER IIP_U64(0xffffffffU, 0xffffffffU)

/* Functions of the public core interface; the amalgamation may redefine it (e.g. to static). */
#ifndef IIP_API
#define IIP_API
#endif

/* Functions shared between the core's own files: static in the amalgamation, hidden elsewhere. */
#ifndef IIP_LOCAL
#if defined(__GNUC__)
#define IIP_LOCAL __attribute__((visibility("hidden")))
#else
#define IIP_LOCAL
#endif
#endif

#if defined(__GNUC__)
#define IIP_INLINE static __inline__
#define IIP_MERGED static __inline__ __attribute__((always_inline)) /* in each caller, whatever its size: the hot paths */
#define IIP_APART __attribute__((noinline))                         /* a longer way: who goes the short one shall not pay for it */
#define IIP_COLD __attribute__((cold, noinline))                    /* the same, and rarely gone */
#define IIP_LIKELY(x) __builtin_expect(!!(x), 1)
#define IIP_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define IIP_PREFETCH(p) __builtin_prefetch(p)
#else
#define IIP_INLINE static
#define IIP_MERGED static
#define IIP_APART
#define IIP_COLD
#define IIP_LIKELY(x) (x)
#define IIP_UNLIKELY(x) (x)
#define IIP_PREFETCH(p) ((void)(p))
#endif

#endif

#ifdef __cplusplus
extern "C" {
#endif

struct iip_stack;
struct iip_tcp_conn;
struct iip_tcp_listener;
struct iip_udp_sock;

/* ---- packets: memory and views of it --------------------------------------------------------------------------- */

/*
 * A frame is memory for packet bytes. The host makes it and lays it out wherever it likes (in front of the bytes, in
 * a driver's buffer). `views` counts the packets that point into it; when the last one is freed the core hands the
 * frame back with iip_host.frame_put. Only the thread that owns the stack touches these fields.
 */
struct iip_frame {
    iip_u8 *base;    /* first byte of the memory */
    iip_u32 size;    /* bytes of memory, at least headroom + MTU for frames that frame_get returns */
    iip_u32 views;   /* live packets that point here; 0 in a frame that frame_get returns */
    iip_u32 flags;   /* IIP_FRAME_... */
    iip_u32 region;  /* the host's own: which mapped region holds it */
    void *host;      /* the host's own */
};

enum {
    IIP_FRAME_READ_ONLY = 1 /* the core must not write into it (memory of the application): headers go elsewhere */
};

/*
 * A packet is a view of a frame, or a chain of views (`next`) that together are one packet. Every packet has exactly
 * one owner at a time: a call that takes a packet takes the whole chain.
 */
struct iip_pkt {
    struct iip_pkt *next;    /* next view of the same packet, or null */
    struct iip_pkt *link;    /* next packet in its owner's queue */
    struct iip_frame *frame;
    iip_u8 *data;            /* first byte of the view */
    iip_u32 len;             /* bytes of this view */
    iip_u32 total;           /* bytes of the whole chain; meaningful in the first view of a packet handed to transmit */
    iip_u16 flags;           /* IIP_PKT_... */
    iip_u16 seg_size;        /* with IIP_PKT_TSO: payload bytes a segment */
    iip_u8 l2_len;           /* transmit: bytes of the link header (0 at L3) */
    iip_u8 l3_len;           /* transmit: bytes of the IP header with options and extension headers */
    iip_u8 l4_len;           /* transmit: bytes of the TCP or UDP header */
    iip_u8 pad;
    iip_u32 seq;             /* the core's own, while it owns the packet */
    iip_u32 aux;             /* the core's own, while it owns the packet; the host's in a ring */
};

enum {
    /* receive: what the port already checked */
    IIP_PKT_IP_CSUM_OK = 1,   /* the IPv4 header checksum is right */
    IIP_PKT_L4_CSUM_OK = 2,   /* the TCP or UDP checksum is right, or was never needed (virtual wire) */
    IIP_PKT_LRO = 4,          /* several segments merged; seg_size is their size */
    /* transmit: what the port must do (only what its caps promised) */
    IIP_PKT_IP_CSUM = 16,     /* fill in the IPv4 header checksum (the field is 0) */
    IIP_PKT_L4_CSUM = 32,     /* fill in the TCP or UDP checksum; the field holds the folded, not inverted pseudo-header sum, length included */
    IIP_PKT_TSO = 64,         /* cut into segments of seg_size payload bytes (implies L4_CSUM, and IP_CSUM for IPv4) */
    IIP_PKT_IPV4 = 256,       /* it is IPv4 */
    IIP_PKT_IPV6 = 512,       /* it is IPv6 */
    IIP_PKT_TCP = 1024,       /* it is TCP */
    IIP_PKT_UDP = 2048,       /* it is UDP */
    /* between stacks that share addresses (IIP_NOTE_FOREIGN): set by the stack, kept by the host, never set by a port */
    IIP_PKT_TOLD = 4096       /* a copy, to learn from: not to be answered or passed on */
};

/* What the host supplies: four functions, and a pointer that each of them is given. */
struct iip_host {
    void *ctx;
    /* A frame of at least `size` bytes with views == 0 and flags == 0, or null: the core then drops, delays or refuses, and counts. */
    struct iip_frame *(*frame_get)(void *ctx, iip_u32 size);
    /* The last view of `frame` is gone. */
    void (*frame_put)(void *ctx, struct iip_frame *frame);
    /* Takes the first k of n packets and returns k; what it took it gives back with iip_pkt_free once it is sent. Fewer
       than n means "no room now": the rest stays with the core, which offers it again at the next input or output. */
    iip_u32 (*transmit)(void *ctx, struct iip_pkt **pkts, iip_u32 n);
    /* Memory for tables: mem(ctx, null, n) allocates n bytes aligned for any type, mem(ctx, p, 0) frees. May fail at
       any call; called only where something grows, never for an in-order segment. */
    void *(*mem)(void *ctx, void *old, iip_size size);
};

/* A view of `frame` from `data`, `len` bytes; null when memory for views cannot grow (the frame is then untouched). */
IIP_API struct iip_pkt *iip_pkt_new(struct iip_stack *stk, struct iip_frame *frame, iip_u8 *data, iip_u32 len);
/* Frees a packet, all views of its chain, and puts frames whose last view this was. Null is fine. */
IIP_API void iip_pkt_free(struct iip_stack *stk, struct iip_pkt *pkt);
/* Window bytes that a received packet counts for; credit exactly this much when done with it (iip_tcp_credit, or iip_tcp_done at once). */
IIP_API iip_u32 iip_pkt_charge(const struct iip_pkt *pkt);

/* ---- addresses --------------------------------------------------------------------------------------------------- */

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d; bytes in network order. All zero: any address. */
struct iip_ip {
    iip_u8 b[16];
};

struct iip_endpoint {
    struct iip_ip ip;
    iip_u16 port;   /* host order; 0: any */
    iip_u16 family; /* 4, 6, or 0: taken from ip; for the any address 0 means both families */
    iip_u32 scope;  /* reserved: 0 */
};

IIP_API void iip_ip_v4(struct iip_ip *ip, iip_u8 a, iip_u8 b, iip_u8 c, iip_u8 d);
IIP_API int iip_ip_is_v4(const struct iip_ip *ip); /* 1 for ::ffff:0:0/96 */

/* ---- the stack --------------------------------------------------------------------------------------------------- */

enum {
    IIP_STACK_L3 = 1 /* packets begin at the IP header: no Ethernet, ARP or NDP */
};

/* What the port below does, so that the core need not. */
enum {
    IIP_CAP_TX_IP_CSUM = 1,
    IIP_CAP_TX_TCP_CSUM = 2,
    IIP_CAP_TX_UDP_CSUM = 4,
    IIP_CAP_TX_TSO = 8,       /* TCP over IPv4 and IPv6 */
    IIP_CAP_TX_SG = 16        /* takes chains; without it the core linearises */
};

/*
 * How tuples are shared between the loops (stacks) of one address. Each stack computes the owner of a tuple in the
 * same way: by the NIC's Toeplitz function where key_len is not 0, by a symmetric hash otherwise.
 */
struct iip_share {
    iip_u32 stacks;          /* how many share the addresses */
    iip_u32 self;            /* 0 .. stacks - 1 */
    iip_u32 key_len;         /* bytes of the RSS key; 0: software steering */
    iip_u32 table_len;       /* entries of the indirection table, a power of two */
    iip_u8 key[52];
    iip_u16 table[512];      /* queue of each hash value; with stacks == queues */
};

struct iip_stack_cfg {
    iip_u32 size;            /* sizeof(struct iip_stack_cfg) */
    iip_u32 flags;           /* IIP_STACK_... */
    iip_u32 caps;            /* IIP_CAP_... */
    iip_u32 mtu;             /* bytes of an IP packet, 576 .. 9000 (65535 at L3); 0: 1500 */
    iip_u32 tso_max;         /* largest TCP payload of one TSO packet; 0: 65535 less headers */
    iip_u8 mac[6];           /* our Ethernet address */
    iip_u16 reserved;
    iip_u8 key[16];          /* secret, from a cryptographic generator: sequence numbers, ports, hashes and cookies stand on it */
    iip_u64 seed;            /* for what is random but not secret: jitter, IP identification */
    iip_u64 mem_limit;       /* ceiling of all memory taken from iip_host.mem; 0: none */
    const struct iip_share *share; /* null: this stack is alone */
};

/* Makes a stack at time `now`. The host's functions are copied, its context must outlive the stack. NOMEM, INVAL. */
IIP_API int iip_stack_new(const struct iip_stack_cfg *cfg, const struct iip_host *host, iip_u64 now,
                          struct iip_stack **out);
/* Ends everything without a packet and gives back every frame and all memory. */
IIP_API void iip_stack_free(struct iip_stack *stk);

/*
 * Tunables, by name; docs/reference/tunables.md lists them with unit, range and default. Set before the first
 * connection; later changes hold for later connections. NOT_FOUND, RANGE.
 */
IIP_API int iip_stack_set(struct iip_stack *stk, const char *name, iip_u64 value);
IIP_API int iip_stack_get(const struct iip_stack *stk, const char *name, iip_u64 *value);
/* The i-th tunable's name, or null past the last. */
IIP_API const char *iip_stack_tunable(iip_u32 i);

/* Our addresses: IPv4 with its prefix length, IPv6 likewise. EXISTS, NOMEM, INVAL; NOT_FOUND. An IPv6 link-local address
   is made from the MAC by iip_stack_new. */
IIP_API int iip_stack_addr_add(struct iip_stack *stk, const struct iip_ip *ip, iip_u32 prefix_len);
IIP_API int iip_stack_addr_del(struct iip_stack *stk, const struct iip_ip *ip);
/* Static routes; gateway null or any: on link. The longest prefix wins; prefix_len counts within the family (0..32, 0..128). */
IIP_API int iip_stack_route_add(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len,
                                const struct iip_ip *gateway);
IIP_API int iip_stack_route_del(struct iip_stack *stk, const struct iip_ip *dst, iip_u32 prefix_len);
/* A permanent neighbour entry. */
IIP_API int iip_stack_neigh_add(struct iip_stack *stk, const struct iip_ip *ip, const iip_u8 mac[6]);
/* The link's MTU changed: path MTUs and segment sizes follow. */
IIP_API int iip_stack_mtu_set(struct iip_stack *stk, iip_u32 mtu);

/* Packets in (ownership of all n passes to the stack), then expired timers. May hold back ACKs of in-order data that the notes hand up. */
IIP_API void iip_stack_input(struct iip_stack *stk, struct iip_pkt **pkts, iip_u32 n, iip_u64 now);
/* Expired timers and everything that may be sent now; afterwards nothing is due. */
IIP_API void iip_stack_output(struct iip_stack *stk, iip_u64 now);
/* Absolute time at which something falls due, exact, or IIP_NEVER. Calling input or output earlier, or twice, is harmless. */
IIP_API iip_u64 iip_stack_deadline(struct iip_stack *stk);
/* Packets that transmit refused and that wait for the port to be writable. They set no deadline: call output when the port has room. */
IIP_API iip_u32 iip_stack_tx_pending(const struct iip_stack *stk);

/*
 * How short of frames the host is, for the input that follows. Text that is refused is not acknowledged, so the peer
 * sends it again [RFC 9293 3.10.7.4]; the right edge of a window is never taken back [SHLD-14]. ACKs, windows, SYN, FIN,
 * RST, ICMP, ARP and neighbour discovery count at every level. What is refused is counted as drop_pressure.
 */
enum {
    IIP_PRESSURE_NONE = 0,
    IIP_PRESSURE_WAITING, /* nothing new that would wait in the stack: text behind a hole, fragments */
    IIP_PRESSURE_ALL      /* nor what would go to the application: text, datagrams; text that waits is given up as its peer sends */
};
IIP_API void iip_stack_pressure(struct iip_stack *stk, iip_u32 level);

/* Counters: packets and drops by reason. docs/reference/counters.md explains each. */
IIP_API iip_u32 iip_stack_counters(const struct iip_stack *stk, iip_u64 *out, iip_u32 cap); /* copies min(cap, count), returns the count */
IIP_API const char *iip_stack_counter_name(iip_u32 i); /* null past the last */
IIP_API iip_u64 iip_stack_mem_used(const struct iip_stack *stk);

/* ---- notes: what happened ---------------------------------------------------------------------------------------- */

enum {
    IIP_NOTE_ACCEPT = 1,   /* listener `owner` has a new connection `conn`; local and peer say which */
    IIP_NOTE_CONNECTED,    /* the active open succeeded */
    IIP_NOTE_DATA,         /* `pkt`: one contiguous run of stream bytes, packets linked by `link`, yours to free and credit */
    IIP_NOTE_FIN,          /* the peer sent its last byte: end of stream */
    IIP_NOTE_WRITABLE,     /* the send queue that refused bytes has drained below half */
    IIP_NOTE_URGENT,       /* RFC 9293 3.8.5: urgent data is announced; `value` bytes from here to its end */
    IIP_NOTE_ERROR,        /* soft error `status` (RFC 9293 3.9.1.8); the connection lives. value: ICMP type << 8 | code, or 0 at R1 */
    IIP_NOTE_CLOSED,       /* the last note of a connection: status OK (both sides closed), RESET, TIMEOUT, ABORTED, REFUSED, UNREACHABLE ... The pointer is dead once this is read */
    IIP_NOTE_UDP,          /* a datagram for socket `owner`; peer, local, `pkt` is a chain by `next`, yours to free; value: DSCP/ECN byte << 8 | TTL */
    IIP_NOTE_UDP_ERROR,    /* an ICMP error for a datagram that socket `owner` sent to peer; status, value: ICMP type << 8 | code */
    IIP_NOTE_FOREIGN       /* `pkt` belongs to stack `value` of iip_share: hand it to that stack's input as it is, flags included */
};

struct iip_note {
    iip_u16 type;               /* IIP_NOTE_... */
    iip_u16 flags;
    iip_s32 status;
    struct iip_tcp_conn *conn;  /* TCP notes */
    void *owner;                /* listener or UDP socket */
    void *user;                 /* the cookie of conn, listener or socket */
    struct iip_pkt *pkt;
    iip_u32 bytes;              /* DATA: stream bytes of the run; UDP: payload bytes */
    iip_u32 value;
    struct iip_endpoint local, peer; /* ACCEPT, UDP, UDP_ERROR */
};

/* Takes up to cap notes; returns how many. Notes of one connection come in the order in which things happened. */
IIP_API iip_u32 iip_stack_notes(struct iip_stack *stk, struct iip_note *out, iip_u32 cap);
/* 1: the next call may have some. */
IIP_API int iip_stack_speaks(const struct iip_stack *stk);

/* ---- TCP (RFC 9293 3.9.1) ---------------------------------------------------------------------------------------- */

/* OPEN, passive. `local` with any address listens on all, of one family or both. `backlog`, 1 at least: connections that
   may wait for their ACCEPT note to be taken. ADDR_IN_USE, ADDR_NOT_AVAIL, NOMEM. */
IIP_API int iip_tcp_listen(struct iip_stack *stk, const struct iip_endpoint *local, iip_u32 backlog, void *user,
                           struct iip_tcp_listener **out);
/* From now on `backlog` connections may wait. 0: no more than wait already; SYNs, ACKs of a handshake and SYN cookies are
   dropped in silence and counted as drop_tcp_backlog, and come again for as long as the peer tries. Who takes ACCEPT notes
   and lets connections wait in a queue of his own lowers it by one for each, and raises it again when one leaves that queue. */
IIP_API void iip_tcp_backlog_set(struct iip_tcp_listener *lis, iip_u32 backlog);
/* Stops listening; connections not yet accepted are reset, accepted ones live on. */
IIP_API void iip_tcp_unlisten(struct iip_stack *stk, struct iip_tcp_listener *lis);
/* OPEN, active. `local` may be null, or leave address or port open. ADDR_NOT_AVAIL, ADDR_IN_USE, NET_UNREACHABLE (no
   route), INVAL (no unicast peer), NOMEM. */
IIP_API int iip_tcp_connect(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                            void *user, struct iip_tcp_conn **out);

/*
 * SEND. A connection pointer is valid from connect or ACCEPT until its CLOSED note is read.
 * iip_tcp_send takes one packet (a chain is a run of bytes). It returns the bytes accepted; when that is less than the
 * packet has, the caller keeps a packet with the rest (data and len moved on) and a WRITABLE note follows; when it is
 * all, the packet is the stack's. AGAIN: nothing was taken, a WRITABLE note follows. NOT_CONNECTED, SHUTDOWN: nothing was taken.
 */
IIP_API iip_s32 iip_tcp_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt);
/* The same by copy: returns the bytes accepted (at most 2^31 - 1), or a status. NOBUFS: no frame could be had; a WRITABLE
   note follows only where bytes are queued already, so try again. */
IIP_API iip_s32 iip_tcp_write(struct iip_stack *stk, struct iip_tcp_conn *conn, const void *bytes, iip_u32 len);
/* Marks all bytes queued so far as urgent (RFC 9293 3.8.5, RFC 6093). */
IIP_API int iip_tcp_urgent(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* RECEIVE. Gives `bytes` of window back after packets of DATA notes were used; see iip_pkt_charge. */
IIP_API void iip_tcp_credit(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 bytes);
/* Frees packets of a DATA note (`run`, linked by `link`, each one view as the note gave it) and gives their window back:
   what iip_pkt_charge, iip_pkt_free and iip_tcp_credit do one by one. `conn` must still be valid. Null is fine. */
IIP_API void iip_tcp_done(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *run);
/* No more to send: FIN follows the queued bytes, also where the connection is still being made. Receiving goes on.
   NOT_CONNECTED: it is over; SHUTDOWN: it was said before. */
IIP_API int iip_tcp_shutdown(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* CLOSE: shutdown, and nothing more is wanted: bytes that arrive from now on, or unread ones, are answered with RST
   (RFC 9293 3.6.1). The CLOSED note still comes. */
IIP_API int iip_tcp_close(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* ABORT: RST, queues are dropped; CLOSED with ABORTED follows. */
IIP_API int iip_tcp_abort(struct iip_stack *stk, struct iip_tcp_conn *conn);

IIP_API void iip_tcp_user_set(struct iip_tcp_conn *conn, void *user);
IIP_API void *iip_tcp_user(const struct iip_tcp_conn *conn);

enum { /* options of one connection: iip_tcp_set, iip_tcp_get */
    IIP_TCP_NODELAY = 1,     /* 1: no Nagle (RFC 9293 3.7.4) */
    IIP_TCP_CORK,            /* 1: hold partial segments, 200 ms at most */
    IIP_TCP_KEEPALIVE,       /* 1: on */
    IIP_TCP_KEEPIDLE_US,
    IIP_TCP_KEEPINTVL_US,
    IIP_TCP_KEEPCNT,
    IIP_TCP_USER_TIMEOUT_US, /* R2 in time (RFC 9293 3.8.3); 0: by retries */
    IIP_TCP_DSCP,            /* 0 .. 63 */
    IIP_TCP_TTL,             /* 1 .. 255 */
    IIP_TCP_SNDBUF,          /* bytes */
    IIP_TCP_RCVBUF,          /* bytes */
    IIP_TCP_QUICKACK,        /* 1: acknowledge at once */
    IIP_TCP_CC,              /* 0 NewReno, 1 CUBIC */
    IIP_TCP_SYN_RETRIES      /* connect: SYN retransmissions before TIMEOUT */
};
IIP_API int iip_tcp_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 option, iip_u64 value);
IIP_API int iip_tcp_get(const struct iip_stack *stk, const struct iip_tcp_conn *conn, iip_u32 option, iip_u64 *value);

enum { /* states, RFC 9293 3.3.2 */
    IIP_TCP_CLOSED = 0, IIP_TCP_LISTEN, IIP_TCP_SYN_SENT, IIP_TCP_SYN_RECEIVED, IIP_TCP_ESTABLISHED, IIP_TCP_FIN_WAIT_1,
    IIP_TCP_FIN_WAIT_2, IIP_TCP_CLOSE_WAIT, IIP_TCP_CLOSING, IIP_TCP_LAST_ACK, IIP_TCP_TIME_WAIT
};

struct iip_tcp_info { /* STATUS, and more */
    iip_u32 size;             /* in: sizeof */
    iip_u8 state;             /* IIP_TCP_... */
    iip_u8 options;           /* 1 timestamps, 2 SACK, 4 window scale */
    iip_u8 snd_wscale, rcv_wscale;
    struct iip_endpoint local, peer;
    iip_u32 mss;              /* payload bytes of a full segment */
    iip_u32 srtt_us, rttvar_us, rto_us, min_rtt_us;
    iip_u32 cwnd, ssthresh;   /* bytes */
    iip_u32 snd_una, snd_nxt, rcv_nxt;
    iip_u32 snd_wnd, rcv_wnd; /* bytes */
    iip_u32 unacked;          /* bytes sent, not acknowledged */
    iip_u32 unsent;           /* bytes accepted, not sent */
    iip_u32 unread;           /* bytes received and not yet taken as notes */
    iip_u32 uncredited;       /* window bytes taken as notes and not yet credited */
    iip_u32 out_of_order;     /* bytes held for reassembly */
    iip_u32 retransmits, rto_count, dup_acks;
    iip_u64 bytes_in, bytes_out;
};
/* Fills min(info->size, known) bytes and returns the known size. */
IIP_API int iip_tcp_info(const struct iip_stack *stk, const struct iip_tcp_conn *conn, struct iip_tcp_info *info);
/* Enumeration: pass null first, then the last answer; null at the end. Covers connections with a live pointer. */
IIP_API struct iip_tcp_conn *iip_tcp_next(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* ---- UDP --------------------------------------------------------------------------------------------------------- */

/* `peer` null: unconnected. ADDR_IN_USE, ADDR_NOT_AVAIL, NOMEM. local->port 0: a random free port. */
IIP_API int iip_udp_open(struct iip_stack *stk, const struct iip_endpoint *local, const struct iip_endpoint *peer,
                         void *user, struct iip_udp_sock **out);
IIP_API void iip_udp_close(struct iip_stack *stk, struct iip_udp_sock *sock);
/* Sends one datagram; the packet is taken on success and stays the caller's on failure. `from` null: the socket's
   address, or by route; `to` null: the connected peer. AGAIN (the port is full), MSGSIZE, NET_UNREACHABLE (no
   route), UNREACHABLE, INVAL. */
IIP_API int iip_udp_send(struct iip_stack *stk, struct iip_udp_sock *sock, const struct iip_endpoint *from,
                         const struct iip_endpoint *to, struct iip_pkt *pkt);
enum { IIP_UDP_TTL = 1, IIP_UDP_DSCP };
IIP_API int iip_udp_set(struct iip_stack *stk, struct iip_udp_sock *sock, iip_u32 option, iip_u64 value);
IIP_API void iip_udp_local(const struct iip_udp_sock *sock, struct iip_endpoint *local);

#ifdef __cplusplus
}
#endif

#endif

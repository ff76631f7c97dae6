/*
 * sdk.h - the state behind <iip/iip.h>: engine, loop, and what their files offer to each other.
 *
 * Rules of ownership: a loop's fields belong to its owner thread, except those marked [any], which are atomic or under
 * a lock. Structures of loops, and the slots in them, are kept for the life of the process and used again, so that a
 * handle or pointer that comes too late reads memory that is still there.
 */
#ifndef IIP_SDK_SDK_H
#define IIP_SDK_SDK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "handle.h"
#include "iip/core.h"
#include "iip/iip.h"
#include "port.h"

enum {
    IIP_LOOPS_MAX = IIP_HANDLE_NO_LOOP,
    IIP_FRAMES_MIN = 16,          /* with fewer a loop may come to stand still: what is queued and held leaves none */
    IIP_RX_BURST = 64,
    IIP_NOTES = 64,
    IIP_TX_FREE_LOW = 4,          /* entries of tx_free that are refilled although buffers are few */
    IIP_TX_HEADROOM = 128,        /* bytes in front of a buffer to be written: all headers fit */
    IIP_REGION_IDS = 256,         /* regions of the port that are looked up by id */
    IIP_REGION_SHIFT = 32,        /* a region of the application's list is a window of 4 GiB ... */
    IIP_REGION_LAP = 1 << 20,     /* ... and goes on so far, for buffers that cross its end */
    IIP_LISTEN_ALL_MAX = 64,      /* listeners of an engine */
    IIP_LOG_RECORDS = 256,
    IIP_BACKLOG = 128
};

/* Frames that are not the port's own say so by their region: they lie in memory of the application or of a loop. */
#define IIP_FRAME_REGION_EXTERN 0xffffffffu
#define IIP_FRAME_REGION_SPILL 0xfffffffeu

enum { IIP_PKT_COPY = 0x8000 }; /* flag of a packet that only this library sees: a view behind the first of a copy */

/* A connection, listener or UDP endpoint. slot.next, while live: the credit account of a
   connection, 0 none; of a listener that stands for one of the engine, its place in iip_loop.all + 1. */
struct iip_obj {
    struct iip_slot slot;
    void *core;                   /* struct iip_tcp_conn, iip_tcp_listener or iip_udp_sock */
    uint64_t user;
    uint32_t want_next, want_prev; /* IIP_CONN_WANTS: the list of iip_loop.want; slots + 1, 0: none */
};

/* A connection whose end is known but not handed up yet has core == NULL. */
enum {
    IIP_CONN_SHORT = IIP_SLOT_FLAG_A,    /* a send was not taken whole in this turn */
    IIP_CONN_WANTS = IIP_SLOT_FLAG_B,    /* connection: waits for memory to send, see want.c */
    IIP_CONN_OWED = IIP_SLOT_FLAG_C,     /* connection: less was taken than offered, and no WRITABLE came yet */
    IIP_OBJ_ENGINE = IIP_SLOT_FLAG_B     /* listener: stands for a listener of the engine, see iip_loop.all */
};

/* Received bytes, or room for bytes to send. */
struct iip_buf {
    struct iip_slot slot;
    struct iip_pkt *pkt;          /* null: the slot is free, or closed while on its way home */
    struct iip_obj *conn;         /* whose window it holds, while that is still of `generation`; null: nobody's */
    uint32_t generation;
    uint32_t charge;              /* window bytes, or IIP_CHARGE_OF_PKT */
};

#define IIP_CHARGE_OF_PKT UINT32_MAX /* what iip_pkt_charge says of the packet, which is as it was received */

enum {
    IIP_BUF_LAID_OUT = IIP_SLOT_FLAG_A   /* stands in tx_free and was not taken */
};

struct iip_alarm { /* a timer of the application */
    struct iip_slot slot;
    uint64_t user;
    uint64_t at;
    uint32_t place;               /* in the heap */
    uint32_t reserved;
};

struct iip_extern { /* one send of registered memory */
    struct iip_frame frame;       /* first: frame.host points at this record */
    struct iip_extern *next;
    uint64_t user, conn;
    uint64_t region;              /* handle */
    uint32_t bytes;               /* taken; 0: nothing is to be told */
    uint32_t reserved;
};

struct iip_region_row { /* where frames of one region id lie */
    uint8_t *base;
    uint64_t len;
    uint32_t index;               /* of its first window in the application's list */
    uint32_t known;
};

struct iip_credit { /* of a connection with explicit credit: bytes handed up and not credited, and their window */
    uint32_t bytes, charge;
};

struct iip_post { /* a bounded queue: many threads put, the owner takes */
    struct iip_post_cell *cells;
    uint32_t mask;
    _Atomic uint32_t tail;        /* [any] */
    uint32_t head;
};

struct iip_post_cell {
    _Atomic uint32_t turn;        /* equals its position: free; position + 1: full */
    uint32_t reserved;
    struct iip_op op;
    struct iip_addrs addrs;
};

struct iip_inbox_cell;
struct iip_inbox { /* packets that other loops hand over */
    struct iip_inbox_cell *cells;
    uint32_t mask;
    _Atomic uint32_t tail;        /* [any] */
    uint32_t head;
};

struct iip_spill {
    uint8_t *base;
    struct iip_frame *frames;
    uint32_t count;
    uint32_t made;                /* frames that were used so far; the others' memory was never touched */
    struct iip_frame *free;       /* linked by frame.host */
    uint32_t used;
    uint32_t index;               /* of the region in the application's list */
};

struct iip_listen_all { /* a listener of the engine on this loop */
    uint64_t handle;              /* the engine's */
    uint64_t own;                 /* the loop's */
};

struct iip_ask { /* a call of the application's thread that the networking thread makes, see ask.c */
    uint32_t code;                /* IIP_ASK_... */
    uint32_t n;
    uint64_t handle;
    void *to;
    int32_t result;
    /* of a turn under way */
    uint32_t opened, op_short, release_failed, rx_packets, reserved;
    uint64_t until;
};

struct iip_loop {
    /* Kept over the lives of a loop, for those who come too late. */
    _Atomic(const void *) owner;  /* [any] token of the thread that may touch it; null: nobody */
    _Atomic(const void *) app;    /* [any] split, merge: token of the application's thread; null: nobody */
    _Atomic uint32_t asked;       /* [any] the question in `ask`: see ask.c */
    _Atomic uint32_t net_here;    /* [any] split, merge: there is a networking thread, or about to be */
    _Atomic uint32_t net_woken;   /* [any] its wait is to end */
    struct iip_engine *_Atomic engine; /* [any] null: the loop is closed */
    uint32_t epoch;               /* of the process, see fork.c */
    uint32_t number;              /* in the process */
    uint32_t taken;               /* under the table's lock: an engine has it */
    _Atomic uint32_t parked;      /* [any] */
    _Atomic uint32_t woken;       /* [any] the application is wanted */
    _Atomic uint32_t returned;    /* [any] first slot of the return list */
    _Atomic uint32_t low;         /* [any] pool_low, for those who release */
    _Atomic uint32_t want_stats;  /* [any] */
    _Atomic uint64_t stale;       /* [any] stale handles, by other threads */
    pthread_mutex_t stats_lock;
    struct iip_slots conns, listeners, udps, alarms, bufs;

    /* Zero when a loop begins: see iip_loop_blank. */
    uint32_t index;               /* in the engine */
    uint32_t closing;             /* iip_loop_close was called */
    uint32_t cores;               /* IIP_CORES_... */
    uint32_t alone;               /* networking while the application is busy: its timers and wakes are not looked at */
    uint32_t app_state;           /* what the networking thread knows of its parking */
    struct iip_ask ask;           /* who asks writes it before `asked`, who answers after he saw that */

    /* what it turns */
    struct iip_stack *stk;
    const struct iip_port_ops *ops;
    struct iip_port_queue *queue;
    uint64_t now;
    uint32_t burst_n;             /* packets that the wait already received */
    uint32_t burst_max;           /* ... that are received at once */
    uint32_t frames_low;          /* fewer free ones than this are few */
    uint32_t frames_plenty;       /* what a turn that began with more than the low mark leaves: just below it */
    uint32_t frames_reserve;      /* the last ones: for what neither the application nor the stack keeps */
    uint32_t app_floor;           /* frames taken now are for bytes of the application: so many stay; 0: they are not */
    uint32_t pool_low;
    uint32_t pressed;             /* the stack was told that frames are short */
    uint32_t low_said;            /* it is logged once */
    uint32_t polls, poll_us;
    uint32_t still;               /* the clock is virtual: waiting would last for ever */
    uint64_t link;                /* link_up << 32 | mtu, as last told */
    struct iip_pkt *burst[IIP_RX_BURST];

    /* the area */
    struct iip_turn turn;
    struct iip_op *op_area;
    uint64_t *releases;
    struct iip_event *events;
    struct iip_addrs *aux, *op_aux;
    struct iip_span *tx_free;
    uint32_t op_cap, release_cap, event_cap, tx_free_cap, tx_free_n;
    uint32_t tx_holes;            /* entries at the front of tx_free that were taken */
    uint32_t event_n, event_max, aux_n;

    /* objects */
    struct iip_alarm **heap;
    uint32_t heap_n, heap_cap;
    struct iip_credit *credits;   /* [0] is not used */
    uint32_t credit_n, credit_cap, credit_free;
    struct iip_obj **shorted;     /* connections marked IIP_CONN_SHORT in this turn */
    uint32_t shorted_n, shorted_cap;
    uint32_t taken_in_part;       /* sends of this turn */
    uint32_t want, want_end;      /* those who wait for memory to send, first come first: slots + 1, 0: none */
    uint64_t want_at;             /* when to look whether there is some */
    struct iip_listen_all all[IIP_LISTEN_ALL_MAX];

    /* what waits to be handed up */
    struct iip_note notes[IIP_NOTES];
    uint32_t note_i, note_n;
    struct iip_pkt *run;          /* rest of the DATA or UDP note at note_i */
    struct iip_event *told;       /* ring of events that operations made */
    uint32_t told_i, told_n, told_mask;
    uint32_t more;                /* the last turn had no room for all */
    struct iip_extern *done, **done_end;
    struct iip_extern *extern_free, *extern_steps;
    uint32_t externs;             /* sends of registered memory whose TX_DONE was not handed up */

    struct iip_region_row regions[IIP_REGION_IDS];
    struct iip_spill spill;

    int wake_fd, timer_fd, epoll_fd, port_fd;
    int app_fd;                   /* split, merge: eventfd of the parked application */
    uint32_t epoll_out;           /* the port's descriptor is watched for room */
    struct iip_post post;
    struct iip_inbox inbox;

    struct iip_loop_stats stats;  /* the owner's; others read the copy */
    struct iip_loop_stats stats_copy;
    uint64_t *counters_copy;
    uint32_t counter_n;
};

struct iip_log_ring {
    pthread_mutex_t lock;
    struct iip_log_record rows[IIP_LOG_RECORDS];
    uint32_t first, count, lost, level;
};

struct iip_engine {
    uint32_t taken;               /* under the table's lock */
    uint32_t open;
    uint32_t epoch;
    const struct iip_port_ops *ops;
    struct iip_port *port;
    struct iip_port_info info;
    char wire[64];                /* name of a simulated wire with a virtual clock */
    uint32_t mtu_set;             /* by the configuration: the port's own is not followed */
    struct iip_loop **loops;
    uint32_t loop_n, poll_us;
    _Atomic uint64_t link;        /* [any] link_up << 32 | mtu */
    pthread_mutex_t lock;         /* regions, listeners */
    struct iip_region_info *regions;
    uint32_t region_n, region_cap;
    uint32_t listener_generation[IIP_LISTEN_ALL_MAX];
    uint8_t listener_live[IIP_LISTEN_ALL_MAX];
    struct iip_log_ring log;
};

/* ---- fork.c ---- */
/* Number of this process among its forks, never 0; a child sees another one than its parent. */
uint32_t iip_epoch(void);
/* Whether `epoch` is of this process: one load. */
int32_t iip_epoch_ok(uint32_t epoch);

/* ---- loop.c ---- */
extern struct iip_loop *_Atomic iip_loop_table[IIP_LOOPS_MAX];
/* 0, IIP_E_INVAL, WRONG_THREAD, FORKED, CLOSED. */
int32_t iip_loop_check(const struct iip_loop *loop);
/* The same for callers from any thread. */
int32_t iip_loop_check_any(const struct iip_loop *loop);
/* The open loop that a handle belongs to, whoever calls; null: none. */
struct iip_loop *iip_loop_of(uint64_t handle);
/* The same for the owner. */
int32_t iip_loop_own(uint64_t handle, struct iip_loop **out);
struct iip_loop *iip_loop_new(void);       /* a closed one of the table; null: there are too many, or no memory */
void iip_loop_back(struct iip_loop *loop); /* may be given to another engine */
const void *iip_thread_token(void);
/* The calling thread becomes, or is already, who `whose` names: 0 or IIP_E_BUSY. */
int32_t iip_loop_claim(_Atomic(const void *) *whose);

/* ---- life.c ---- */
int32_t iip_loop_setup(struct iip_loop *loop, struct iip_engine *engine, const struct iip_engine_cfg *cfg);
void iip_loop_clean(struct iip_loop *loop, struct iip_leaks *leaks);
void iip_loop_abort_all(struct iip_loop *loop); /* every connection, with RST */

/* ---- engine.c ---- */
void iip_engine_link(struct iip_engine *engine); /* asks the port for its link and MTU */

/* ---- turn.c ---- */
uint64_t iip_turn_deadline(struct iip_loop *loop);
void iip_loop_clock(struct iip_loop *loop);
/* A turn without an application: nothing is handed up. Returns the packets received. */
uint32_t iip_turn_alone(struct iip_loop *loop, int64_t wait_us);

/* ---- ask.c ---- */
enum {
    IIP_ASK_TURN, IIP_ASK_OP, IIP_ASK_CLOSE, IIP_ASK_NOW, IIP_ASK_ALLOC, IIP_ASK_GET, IIP_ASK_INFO, IIP_ASK_STATS,
    IIP_ASK_COUNTERS
};
int32_t iip_ask_init(struct iip_loop *loop);
/* `st` came of iip_loop_check: if that was only because another thread does the networking, the call's real result. */
int32_t iip_ask(struct iip_loop *loop, int32_t st, const struct iip_ask *ask);
int iip_ask_app(const struct iip_loop *loop);  /* Is the caller the application's thread of a split or merged loop? */
int iip_ask_any(const struct iip_loop *loop);  /* Is something asked? */
void iip_ask_leave(struct iip_loop *loop);     /* the networking thread goes */

/* ---- event.c ---- */
void iip_event_collect(struct iip_loop *loop);
/* Room for an event that an operation causes; IIP_E_AGAIN when the application is behind. */
int32_t iip_event_room(const struct iip_loop *loop);
struct iip_event *iip_event_tell(struct iip_loop *loop, uint64_t src, uint64_t user, uint32_t type, int32_t status);
/* Does anything wait to be handed up? */
int iip_event_waiting(const struct iip_loop *loop);
void iip_event_drop(struct iip_loop *loop);                                /* all of it, at the end */
void iip_event_forget(struct iip_loop *loop, const struct iip_obj *obj);   /* notes for an endpoint that is closed */

/* ---- op.c ---- */
int32_t iip_op_apply(struct iip_loop *loop, struct iip_op *op);
uint32_t iip_op_apply_all(struct iip_loop *loop, struct iip_op *ops, uint32_t n); /* how many failed */
int iip_op_sends(uint32_t code); /* ... a run of the stream */
/* Forgets which connections had a short send. */
void iip_op_end(struct iip_loop *loop);
/* Ends a listener or an endpoint. */
void iip_op_end_obj(struct iip_loop *loop, struct iip_slots *t, struct iip_obj *obj);

/* ---- conn.c ---- */
struct iip_obj *iip_conn_take(struct iip_loop *loop, struct iip_tcp_conn *core, uint64_t user);
void iip_conn_put(struct iip_loop *loop, struct iip_obj *obj);
/* Bytes of a stream are handed up in a buffer: its window opens when it comes back, or by explicit credit. */
void iip_conn_held(struct iip_loop *loop, struct iip_obj *obj, struct iip_buf *buf, uint32_t charge);
int32_t iip_conn_credit_explicit(struct iip_loop *loop, struct iip_obj *obj, uint32_t bytes);
int32_t iip_conn_option(struct iip_loop *loop, struct iip_obj *obj, uint32_t option, uint64_t value);

/* ---- want.c ---- */
/* A send was refused for want of frames or memory: the loop tells when there are some. */
void iip_want_add(struct iip_loop *loop, struct iip_obj *obj);
/* While frames are few, the bytes that its peer has room for behind what is queued; else UINT32_MAX. */
uint32_t iip_want_room_low(const struct iip_loop *loop, const struct iip_obj *obj);
static inline uint32_t iip_want_room(const struct iip_loop *loop, const struct iip_obj *obj)
{
    return IIP_UNLIKELY(loop->pool_low) ? iip_want_room_low(loop, obj) : UINT32_MAX;
}
void iip_want_end(struct iip_loop *loop, struct iip_obj *obj);
/* The next to be told, who waits no more; null: none. */
struct iip_obj *iip_want_take(struct iip_loop *loop);
void iip_want_later(struct iip_loop *loop); /* looks again after a while */

/* ---- buf.c ---- */
/* A buffer with one reference, holding nobody's window; null: no memory. */
struct iip_buf *iip_buf_make(struct iip_loop *loop, struct iip_pkt *pkt);
/* The owner's releases; how many of the handles were stale. */
uint32_t iip_buf_put(struct iip_loop *loop, const uint64_t *handles, uint32_t n);
void iip_buf_drain(struct iip_loop *loop);                     /* the return list */
void iip_buf_free(struct iip_loop *loop, struct iip_buf *buf); /* all references are gone */
void iip_buf_taken(struct iip_loop *loop, uint32_t taken);     /* the first entries of tx_free are the application's */
void iip_buf_lay_out(struct iip_loop *loop);                   /* refills tx_free */
void iip_buf_place(const struct iip_loop *loop, const struct iip_pkt *pkt, uint32_t *offset, uint16_t *region);

/* ---- region.c ---- */
int32_t iip_region_map(struct iip_engine *engine, const void *base, uint64_t len); /* index of the first window */
int32_t iip_region_port(struct iip_loop *loop, struct iip_engine *engine);         /* learns the port's regions */
struct iip_extern *iip_region_send(struct iip_loop *loop, uint64_t region, uint64_t offset, uint32_t len,
                                   int32_t *status);
void iip_region_unsend(struct iip_loop *loop, struct iip_extern *ext);             /* back to the free list */
void iip_region_done(struct iip_loop *loop, struct iip_frame *frame);              /* the last view is gone */
void iip_region_free(struct iip_loop *loop);                                       /* records, when all is over */
uint32_t iip_region_forget(struct iip_engine *engine);                             /* removes all; how many */

/* A frame for bytes of the application, if `floor` stay free: what it keeps must not stop ACKs and handshakes. */
struct iip_frame *iip_buf_frame(struct iip_loop *loop, uint32_t size, uint32_t floor);

/* ---- spill.c ---- */
int32_t iip_spill_init(struct iip_loop *loop, struct iip_engine *engine, uint64_t bytes);
void iip_spill_free(struct iip_loop *loop);
/* A copy of the packet in spill memory, which replaces it, or the packet itself. */
struct iip_pkt *iip_spill_copy(struct iip_loop *loop, struct iip_pkt *pkt);
void iip_spill_put(struct iip_loop *loop, struct iip_frame *frame);

/* ---- alarm.c ---- */
int32_t iip_alarm_set(struct iip_loop *loop, uint64_t at, uint64_t user, uint64_t *out);
int32_t iip_alarm_cancel(struct iip_loop *loop, uint64_t handle);
/* The earliest that is set for no later than `until`; its slot is the caller's to put. Null: none. */
struct iip_alarm *iip_alarm_take(struct iip_loop *loop, uint64_t until);

/* ---- wake.c ---- */
int32_t iip_wake_init(struct iip_loop *loop);
void iip_wake_free(struct iip_loop *loop);
void iip_wake_now(struct iip_loop *loop);                 /* after something was made visible */
void iip_wake_wait(struct iip_loop *loop, int64_t wait_us);
int iip_wake_park(struct iip_loop *loop);                 /* 1: parked */
void iip_wake_unpark(struct iip_loop *loop);
void iip_wake_seen(struct iip_loop *loop);               /* the wake that was asked for has happened */

/* ---- post.c, inbox.c ---- */
int32_t iip_post_init(struct iip_post *post, uint32_t cap);
int32_t iip_post_put(struct iip_post *post, const struct iip_op *ops, uint32_t n);
int iip_post_any(const struct iip_post *post);
int iip_post_ready(const struct iip_loop *loop); /* ... and there is room for its answer */
void iip_post_apply(struct iip_loop *loop);
int32_t iip_inbox_init(struct iip_loop *loop, uint32_t loops);
void iip_inbox_free(struct iip_loop *loop);
void iip_inbox_hand(struct iip_loop *loop, const struct iip_note *note);
int iip_inbox_any(const struct iip_loop *loop);
uint32_t iip_inbox_take(struct iip_loop *loop, struct iip_pkt **pkts, uint32_t room);

/* ---- listen.c ---- */
void iip_listen_apply(struct iip_loop *loop, struct iip_op *op);            /* a message of iip_engine_listen */
enum { IIP_OP_LISTEN_ALL = 0xff00, IIP_OP_UNLISTEN_ALL = 0xff01 };          /* only iip_engine_listen posts them */

/* ---- stats.c, log.c ---- */
void iip_stats_publish(struct iip_loop *loop);
void iip_log_init(struct iip_log_ring *log, uint32_t level);
void iip_log_write(struct iip_engine *engine, uint32_t level, uint32_t loop, uint64_t obj, int32_t status,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- config.c ---- */
int32_t iip_config_read(const struct iip_engine_cfg *in, struct iip_engine_cfg *out, char *error, uint32_t cap);
int32_t iip_config_apply(const struct iip_engine_cfg *cfg, struct iip_stack *stk, int l3, char *error, uint32_t cap);
void iip_config_say(char *error, uint32_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- addr.c ---- */
void iip_addr_from(struct iip_addr *out, const struct iip_endpoint *in);
void iip_addr_to(struct iip_endpoint *out, const struct iip_addr *in);
int32_t iip_addr_ip(const char *text, size_t len, struct iip_ip *out, uint32_t *family);

/* ---- size.c: structures that grow, to 4,096 bytes at most: no more is read, whatever a size says ---- */
enum { IIP_SIZE_MAX = 4096 };
int32_t iip_size_check(const void *from, uint32_t known);          /* INVAL, or UNKNOWN_FIELD: beyond `known` it is not zero */
int32_t iip_size_in(void *to, uint32_t known, const void *from);   /* copies an input, zero-extended */
int32_t iip_size_out(void *to, const void *from, uint32_t known);  /* copies an output */

#endif

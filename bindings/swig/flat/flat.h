/*
 * flat.h - <iip/iip.h> in a shape that SWIG can carry into any language: objects that count their users, events that are
 * copies, bytes that go in and out by copy, addresses that are text.
 *
 * ERRORS. A function that returns a number returns a negative IIP_E_... on failure. One that returns a pointer returns
 * null and leaves the status in flat_error_status. The language modules make an exception of either.
 *
 * LIFETIME. Every object counts the objects that stand on it, so a language may collect them in any order and from any
 * thread. Closing an engine makes all that stands on it useless, and safe: calls on it give IIP_E_CLOSED or IIP_E_STALE.
 */
#ifndef IIP_SWIG_FLAT_H
#define IIP_SWIG_FLAT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <iip/iip.h>

/* Bytes that a language takes over by copy; `at` is freed by its typemap. A negative len is a status. */
struct flat_bytes {
    char *at;
    int32_t len;
};

/* An open engine. */
struct flat_engine {
    struct iip_engine *_Atomic raw; /* null: closed */
    _Atomic uint32_t refs;  /* objects that name it; the last one frees it */
    _Atomic uint32_t pins;  /* calls and views that use its memory; FLAT_CLOSING: no new ones */
    _Atomic uint32_t views; /* of those, views that were not released */
    struct iip_leaks leaks; /* what the close reported */
    pthread_mutex_t lock;   /* of the lists below */
    struct flat_region *regions;
    struct flat_work *posted; /* sends whose bytes wait for their turn */
};

#define FLAT_CLOSING 0x80000000u

/* A loop of it. */
struct flat_loop {
    struct flat_engine *engine;
    struct iip_loop *raw;
    struct iip_area area; /* size 0: not asked for yet */
    struct iip_turn turn; /* the last one */
    struct flat_work *queue, *done; /* operations of the next turn, and of the last one */
    uint64_t *releases;             /* of the next turn */
    uint32_t op_n, release_n;
};

/* One event: a copy of the record and of its addresses, and the owner of its buffer. */
struct flat_event {
    struct flat_engine *engine;
    struct iip_event is;
    struct iip_addrs ends;
    uint32_t sent; /* bytes of its buffer that flat_loop_send_event has sent */
    _Atomic uint32_t refs;
    _Atomic uint32_t owns; /* 1: the buffer is still to be released */
};

/* The events of a turn. */
struct flat_events {
    uint32_t n;
    struct flat_event *at[];
};

/* Received bytes where they lie, for languages that can look at memory. */
struct flat_view {
    struct flat_engine *engine;
    uint64_t buf, addr;
    uint32_t len;
    _Atomic uint32_t released;
};

/* ---- error.c: the last failure of this thread ---- */
int32_t flat_fail(int32_t status, const char *detail); /* remembers, returns status; detail may be null */
int32_t flat_error_status(void);                       /* 0: none */
const char *flat_error_text(void);                     /* "IIP_E_BUSY: it is in use ...: 2 views are alive" */
void flat_error_clear(void);
/* Null when the library that is loaded is the one this module was compiled for, else a sentence. */
const char *flat_check(void);

/* A send that was refused for now: WRITABLE follows, as after one that was taken in part. */
static inline int flat_not_now(int32_t status)
{
    return status == IIP_E_AGAIN || status == IIP_E_NOBUFS || status == IIP_E_NOMEM;
}

/* ---- engine.c ---- */
struct iip_engine_cfg *flat_options(void); /* a new one, all defaults; its strings are its own */
void flat_options_free(struct iip_engine_cfg *cfg);
struct flat_engine *flat_open(const struct iip_engine_cfg *cfg);
/*
 * Closes it. IIP_E_BUSY while views are not released, or another thread owns a loop. Views that were released, but that
 * the language has not collected, put off only the end: all connections are aborted now, the port closes with the last
 * of them, see flat_engine_closed. Closing again is harmless.
 */
int32_t flat_engine_close(struct flat_engine *engine);
int32_t flat_engine_closed(struct flat_engine *engine); /* 0 open, 1 closing, 2 closed: the port is free */
void flat_engine_unref(struct flat_engine *engine);     /* the last one closes what is open */
int32_t flat_engine_pin(struct flat_engine *engine);    /* 0, IIP_E_CLOSED, IIP_E_INVAL (null) */
void flat_engine_unpin(struct flat_engine *engine);
struct flat_loop *flat_engine_loop(struct flat_engine *engine, uint32_t i);
struct iip_engine_info *flat_engine_info(struct flat_engine *engine);
struct iip_leaks *flat_engine_leaks(struct flat_engine *engine); /* of a closed one: what was not given back */
int64_t flat_engine_listen(struct flat_engine *engine, const char *local, uint32_t backlog, uint64_t user);
int32_t flat_engine_unlisten(struct flat_engine *engine, uint64_t listener);
int64_t flat_engine_advance(struct flat_engine *engine, uint64_t us);
char *flat_engine_log(struct flat_engine *engine); /* the oldest record as a line, to be freed; null: none */

/* On a virtual clock: a frame that arrives, the MTU of the wire. */
int32_t flat_engine_inject(struct flat_engine *engine, const void *bytes, uint32_t len);
int32_t flat_engine_mtu_set(struct flat_engine *engine, uint32_t mtu);

/* ---- region.c: memory for IIP_OP_SEND_EXTERN; it belongs to the engine, and starts as a copy of the bytes ---- */
int64_t flat_engine_region(struct flat_engine *engine, const void *bytes, uint32_t len); /* its handle */
/* Other bytes, from `offset` on; not those that are being sent (until their TX_DONE). IIP_E_STALE, IIP_E_RANGE. */
int32_t flat_engine_region_write(struct flat_engine *engine, uint64_t region, uint32_t offset, const void *bytes,
                                 uint32_t len);
int32_t flat_engine_region_remove(struct flat_engine *engine, uint64_t region); /* IIP_E_BUSY while it is being sent */
void flat_regions_free(struct flat_engine *engine);

/* ---- queue.c: many operations in one turn. Bytes and addresses are copied, and stay until they were used ---- */
/*
 * One operation of the next turn; its number there. `local` and `peer` may be null or empty; `bytes` are those of
 * SEND_COPY and UDP_SEND_COPY. SEND_BUF, UDP_SEND and SEND_EXTERN name a buffer or a region by op->buf. IIP_E_AGAIN:
 * the turn is full.
 */
int32_t flat_loop_queue(struct flat_loop *loop, const struct iip_op *op, const char *local, const char *peer,
                        const void *bytes, uint32_t len);
struct iip_op *flat_loop_done(struct flat_loop *loop, uint32_t i); /* how operation i of the last turn went; to be freed */
int32_t flat_loop_release(struct flat_loop *loop, uint64_t buf);   /* a buffer goes home in the next turn */
int64_t flat_loop_buffer(struct flat_loop *loop, const void *bytes, uint32_t len); /* a new buffer with these bytes */
/* The same from any thread, as iip_loop_post. Sends of bytes are always answered by DONE, as with IIP_OP_REPLY. */
int32_t flat_loop_post_with(struct flat_loop *loop, const struct iip_op *op, const char *local, const char *peer,
                            const void *bytes, uint32_t len);
void flat_queue_lay(struct flat_loop *loop);
void flat_queue_done(struct flat_loop *loop);
void flat_queue_answered(struct flat_loop *loop, const struct iip_event *event);
void flat_queue_free(struct flat_loop *loop);
void flat_posted_free(struct flat_engine *engine);

/* ---- loop.c ---- */
void flat_loop_free(struct flat_loop *loop);
int32_t flat_loop_attach(struct flat_loop *loop);
int32_t flat_loop_detach(struct flat_loop *loop);
int32_t flat_loop_close(struct flat_loop *loop);
int32_t flat_loop_index(struct flat_loop *loop);
int32_t flat_loop_wake(struct flat_loop *loop);
int32_t flat_loop_fd(struct flat_loop *loop);
int64_t flat_loop_now(struct flat_loop *loop);
int32_t flat_loop_net(struct flat_loop *loop, int64_t wait_us); /* as iip_loop_net */
int64_t flat_loop_listen(struct flat_loop *loop, const char *local, uint64_t user);
int64_t flat_loop_connect(struct flat_loop *loop, const char *peer, uint64_t user);
int64_t flat_loop_udp(struct flat_loop *loop, const char *local, uint64_t user);
int64_t flat_loop_timer(struct flat_loop *loop, uint64_t us, uint64_t user);
/* One operation without addresses and bytes (NOP, CREDIT ... URGENT, not those that open or send); its out. */
int64_t flat_loop_op(struct flat_loop *loop, struct iip_op *op);
int32_t flat_loop_post(struct flat_loop *loop, const struct iip_op *op);
/* Sends the event's bytes, from its own buffer, without a copy. 1: all of them are taken, and the event is empty now;
   0: a part or nothing, call again when WRITABLE comes. */
int32_t flat_loop_send_event(struct flat_loop *loop, uint64_t conn, struct flat_event *event);
int64_t flat_loop_conn_after(struct flat_loop *loop, uint64_t after); /* the next live connection; 0: no more */
struct iip_loop_stats *flat_loop_stats(struct flat_loop *loop);
int64_t flat_loop_counter(struct flat_loop *loop, const char *name); /* IIP_E_NOT_FOUND */

/* ---- turn.c ---- */
/* One turn. wait_us: 0 does not wait, -1 waits until something happens; flags: IIP_TURN_FLUSH, PARK, DEADLINE. */
struct flat_events *flat_loop_turn(struct flat_loop *loop, int64_t wait_us, uint32_t flags);
uint32_t flat_loop_state(struct flat_loop *loop);       /* IIP_STATE_... of the last turn */
int64_t flat_loop_deadline(struct flat_loop *loop);     /* of the last turn with IIP_TURN_DEADLINE; -1: never */
uint32_t flat_loop_rx_packets(struct flat_loop *loop);  /* of the last turn */
uint32_t flat_loop_release_failed(struct flat_loop *loop); /* of the last turn: releases that were stale */
void flat_events_free(struct flat_events *events);
struct flat_event *flat_events_get(struct flat_events *events, uint32_t i); /* one reference more */

/* ---- event.c ---- */
void flat_event_unref(struct flat_event *event); /* the last one releases its buffer */
/* The bytes, by copy, and the buffer goes home: the window opens. IIP_E_STALE the second time; empty without bytes. */
struct flat_bytes flat_event_recv(struct flat_event *event);
struct flat_bytes flat_event_peek(struct flat_event *event); /* the bytes, by copy; the event keeps its buffer */
/* The buffer's handle, which is the caller's from now on: for operations, Loop.release, buf_retain, buf_release. */
int64_t flat_event_take(struct flat_event *event);
int32_t flat_event_release(struct flat_event *event); /* the buffer goes home unread; IIP_E_STALE the second time */
char *flat_event_local_addr(struct flat_event *event);     /* "10.0.0.1:80", to be freed; null: the event has no addresses */
char *flat_event_peer_addr(struct flat_event *event);
struct flat_view *flat_event_view(struct flat_event *event); /* takes the buffer over from the event */
int32_t flat_view_release(struct flat_view *view);           /* IIP_E_STALE the second time */
void flat_view_free(struct flat_view *view);                 /* nobody looks any more: releases, and unpins */
char *flat_addr_text(const struct iip_addr *addr);           /* to be freed */

/* ---- conn.c: by handle, for the owner of its loop ---- */
/* Bytes taken, by copy; fewer than len, 0 among them: IIP_EVENT_WRITABLE follows, then offer the rest. */
int32_t flat_send(uint64_t conn, const void *bytes, uint32_t len);
int32_t flat_udp_send(uint64_t udp, const char *peer, const void *bytes, uint32_t len); /* peer null: as connected */
int64_t flat_conn_get(uint64_t conn, uint32_t option);
struct iip_conn_info *flat_conn_info(uint64_t conn);

#endif

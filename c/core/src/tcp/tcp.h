/*
 * tcp.h - a connection in the RFC's words, and what the files of this room offer each other.
 *
 *   input.c    3.10.7: decode, look up, CLOSED, the predicted path     steps.c   3.10.7.4: the eight steps
 *   listen.c   3.10.7.2 and half-open connections, cookie.c            synsent.c 3.10.7.3
 *   ack.c      what an acceptable ACK does      recover.c  loss: scoreboard, recovery, what to send again; undo.c: it was none
 *   text.c     in-order delivery, out-of-order hold; text.h
 *   predict.c, plain.c  the short ways in and out         window.h  both windows
 *   output.c   what may be sent now             segment.c  how it is built        reply.c  RST, challenge ACK, bare segments
 *   timer.c    rto.c    cc.c newreno.c cubic.c  mini.c timewait.c  table.c  state.c  port.c  conn.c  user.c  option.c  note.c  icmp.c
 */
#ifndef IIP_TCP_TCP_H
#define IIP_TCP_TCP_H

#include "base/range.h"
#include "base/seq.h"
#include "net/net.h"
#include "wire/tcp.h"

/* ---- what stands in the table: connections, half-open ones, TIME-WAIT ---- */

enum { IIP_ID_CONN = 1, IIP_ID_HALF, IIP_ID_WAIT };

struct iip_tcp_id {
    struct iip_node node;  /* node.word: local port << 16 | remote port */
    iip_u8 kind;           /* IIP_ID_... */
    iip_u8 family;         /* 4 or 6; 6: both addresses lie behind the object */
    iip_u8 state;          /* a connection's IIP_TCP_...; a half-open's or TIME-WAIT's: ACKs that answered, of late */
    iip_u8 options;        /* IIP_HAS_... that both sides agreed on; in SYN-SENT: that we offered */
    iip_u32 local4;        /* IPv4 addresses in memory order */
    iip_u32 remote4;
    iip_u32 word;          /* a connection's: IRS; a half-open's or TIME-WAIT's: tick at which it is looked at */
};

/* A tuple spelt out. */
struct iip_tcp_tuple {
    struct iip_ip local, remote;
    iip_u16 local_port, remote_port;
    iip_u8 family;
};

/* A half-open connection or one in TIME-WAIT: 56 bytes for IPv4. Times in ticks of 256 us, modulo 2^32. */
struct iip_tcp_mini {
    struct iip_tcp_id id;
    iip_u32 snd_nxt;       /* half-open: ISS + 1 */
    iip_u32 rcv_nxt;
    iip_u32 ts_recent;
    iip_u16 mss;           /* half-open: what the peer announced, 0: nothing; TIME-WAIT: since when answers count, 2^16 us */
    iip_u8 wscale;         /* half-open: of the peer; << 4: ours, 15 where it was not offered */
    iip_u8 retries;        /* half-open: SYN-ACKs sent again */
    iip_u32 prev, next;    /* FIFO by id.word: references, 0: none */
};

struct iip_tcp_fifo {
    iip_u32 head, tail;    /* references */
    iip_u32 count;
};

/* The records of one family; `free` is a list by `next`. */
struct iip_tcp_minis {
    iip_u8 **chunk;
    iip_u32 chunks, room;  /* chunks that there are, and that the directory has room for */
    iip_u32 size;          /* bytes of a record */
    iip_u32 free;          /* reference */
};

/* ---- a connection ---- */

struct iip_tcp_cc;

struct iip_tcp_cc_state { /* CUBIC's; NewReno counts bytes in w_est */
    iip_u32 w_max, prior, w_est, k;
    iip_u64 epoch_us, seen_us; /* when the curve began, and when the window was last looked at */
};

/* What only a connection needs that lost or disordered something: made when first needed. */
struct iip_tcp_repair {
    struct iip_ranges sacked;  /* sent, and selectively acknowledged */
    struct iip_ranges ooo;     /* received, with a hole in front */
    struct iip_sack_block recent[IIP_SACK_MAX]; /* where the latest segments fell, latest first */
    struct iip_sack_block dsack;                /* the last duplicate, to be reported once */
    iip_u8 has_dsack;
    iip_u32 fin_seq;           /* the number of a FIN with a hole in front */
    struct iip_pkt *rtx_cur;   /* where in the queue the last retransmission was, or null */
    iip_u32 retransmits, rto_count;
    struct iip_tcp_cc_state cc;
    struct {                   /* what the last loss cost: see undo.c */
        iip_u32 cwnd, ssthresh; /* cwnd 0: nothing to take back */
        struct iip_tcp_cc_state cc;
        iip_u32 from, to;      /* what was outstanding */
        iip_u32 bytes;         /* sent again, and not reported as duplicates */
        iip_u32 ts;            /* of the first of them */
    } undo;
};

/* What only few connections need: made when first needed, with the stack's tunables as defaults. */
struct iip_tcp_extra {
    iip_u64 user_timeout_us, keepidle_us;
    iip_u64 stalled_at;        /* since when nothing was acknowledged of what was sent, or waits for a window */
    iip_u32 keepintvl_us;
    iip_u32 snd_up, rcv_up;
    iip_u32 challenge_us;      /* start of the second in which challenges are counted, us modulo 2^32 */
    iip_s32 error;             /* of NOTE_ERROR */
    iip_u32 error_value;
    iip_u8 challenges, keepcnt, syn_retries;
};

enum { /* conn->flags */
    IIP_F_TOUCHED = 1 << 0,     /* on the list of those that output will look at */
    IIP_F_ACK_NOW = 1 << 1,     /* an ACK must leave in this call */
    IIP_F_ACK_DUE = 1 << 2,     /* an ACK is due, but may ride on the answer to what was just handed up */
    IIP_F_ACK_DELAYED = 1 << 3, /* an ACK is owed at ack_at */
    IIP_F_NODELAY = 1 << 4,
    IIP_F_CORK = 1 << 5,
    IIP_F_QUICKACK = 1 << 6,
    IIP_F_KEEPALIVE = 1 << 7,
    IIP_F_FIN_QUEUED = 1 << 8,  /* FIN follows the last queued byte */
    IIP_F_DETACHED = 1 << 9,    /* the application closed: nothing more is delivered */
    IIP_F_RECOVERY = 1 << 10,   /* fast recovery until `recover` is acknowledged */
    IIP_F_LOSS = 1 << 11,       /* after a timeout, until `recover` is acknowledged */
    IIP_F_PERSIST = 1 << 12,    /* rto_at is the persist timer */
    IIP_F_RTT_PENDING = 1 << 13,/* rtt_seq is being timed */
    IIP_F_PASSIVE = 1 << 14,    /* MUST-11: came from LISTEN */
    IIP_F_WANT_WRITE = 1 << 15, /* the application was refused: WRITABLE follows */
    IIP_F_URG_SEND = 1 << 16,   /* snd_up is ahead of snd.una */
    IIP_F_URG_RECV = 1 << 17,   /* rcv_up is ahead of rcv.nxt */
    IIP_F_SYN_LOST = 1 << 18,   /* RFC 6298 5.7: a SYN was sent again */
    IIP_F_TOLD_R1 = 1 << 19,
    IIP_F_ACCEPTING = 1 << 20,  /* counted in its listener's backlog */
    IIP_F_FIN_SEEN = 1 << 21,   /* the peer's FIN has the number repair->fin_seq */
    /* notes that wait to be taken, in the order in which they are; data comes behind the first three */
    IIP_F_NOTE_ACCEPT = 1 << 22,
    IIP_F_NOTE_CONNECTED = 1 << 23,
    IIP_F_NOTE_URGENT = 1 << 24,
    IIP_F_NOTE_ERROR = 1 << 25,
    IIP_F_NOTE_WRITABLE = 1 << 26,
    IIP_F_NOTE_FIN = 1 << 27,
    IIP_F_NOTE_CLOSED = 1 << 28,
    IIP_F_DISORDER = 1 << 29,   /* duplicate ACKs were counted, or there is something out of order in either direction */
    IIP_F_NOTE_ANY = 0x7f << 22,
    IIP_F_ACK_ANY = (1 << 1) | (1 << 2) | (1 << 3)
};

struct iip_tcp_conn {
    struct iip_tcp_id id;
    iip_u32 flags;
    struct {
        iip_u32 una, nxt, wnd, wl1;
        iip_u32 end;           /* one past the last byte queued; FIN has this number */
        iip_u32 wl2;
        iip_u32 max_wnd;
    } snd;
    struct {
        iip_u32 nxt;
        iip_u32 edge;          /* right edge of the window that the peer was told */
        iip_u32 acked;         /* RCV.NXT when the last ACK was sent */
        iip_u32 held;          /* window bytes of packets not yet credited */
    } rcv;
    iip_u32 ts_recent, ts_off;
    iip_u32 iss;               /* id.word: IRS */
    iip_u32 sent_us;           /* when something was sent last, us modulo 2^32 */
    struct iip_pkt *snd_head;  /* queue from snd.una on */
    struct iip_pkt *snd_cur;   /* packet that holds snd.nxt, or null at the end */
    struct iip_pkt *snd_tail;
    struct iip_pkt *rcv_tail;  /* in-order packets not yet taken, circular */
    iip_u32 cwnd, ssthresh;
    iip_u32 rcvbuf, sndbuf;
    iip_u16 mss;               /* payload bytes of a full segment, timestamps considered, SACK blocks not */
    iip_u8 snd_wscale, rcv_wscale;
    iip_u8 ttl, tos, cc, retries;
    struct iip_path path;
    struct iip_tcp_conn *touched;
    struct iip_ready ready;    /* half: the peer's MSS; word: when ts_recent was taken, 2^20 us */
    void *user;                /* the application's cookie; until ACCEPT was taken, the listener */

    struct iip_timer timer;    /* word: why it ended, the status of NOTE_CLOSED */
    iip_u64 rto_at, ack_at, idle_at; /* absolute, or IIP_NEVER */
    iip_u32 srtt8, rttvar4, rto_us;  /* scaled as RFC 6298 suggests: 8 srtt, 4 rttvar */
    iip_u32 rtt_seq, rtt_sent;       /* the segment being timed and when it was sent, us modulo 2^32 */
    iip_u32 recover;           /* RFC 6582: snd.nxt when recovery began */
    iip_u32 rtx_next;          /* the next byte to send again */
    iip_u32 lost_edge;         /* bytes below this that were not SACKed are lost */
    struct iip_tcp_repair *repair;
    struct iip_tcp_extra *extra;
    iip_u16 out_wraps, in_wraps; /* how often bit 31 of snd.una and of rcv.nxt changed */
    iip_u16 dup_acks;
    iip_u8 probes, quickacks;
};

struct iip_tcp_listener {
    struct iip_tcp_listener *next;
    struct iip_endpoint local;
    iip_u32 backlog;
    iip_u32 waiting;           /* connections whose ACCEPT note was not taken */
    void *user;
};

enum { IIP_LISTEN_BUCKETS = 64, IIP_HALF_QUEUES = 8, IIP_MINIS_CHUNK = 64 };

struct iip_tcp {
    struct iip_table table;
    struct iip_tcp_conn *recent;                /* of the packet that came last by the short way, or null */
    struct iip_tcp_conn *touched_head, *touched_tail;
    struct iip_tcp_listener *listeners[IIP_LISTEN_BUCKETS];
    struct iip_pool conns4, conns6;
    struct iip_tcp_minis minis4, minis6;
    struct iip_tcp_fifo wait;                   /* TIME-WAIT */
    struct iip_tcp_fifo half[IIP_HALF_QUEUES];  /* half-open, by retries */
    iip_u32 half_count;
    iip_u32 half_wnd;                           /* the largest window that any of them was told */
    struct iip_timer mini_timer;
    struct iip_bucket rst_bucket;
    iip_u32 port_next;                          /* ports drawn so far */
    iip_u64 port_bits;                          /* of which the next ones come */
    iip_u64 *cookies;                           /* that opened a connection, by their hashes; null: none yet */
};

/* A verdict of a step of 3.10.7.4: go on with the next one. */
enum { IIP_NEXT_STEP = IIP_HELD + 1 };

/* A segment on its way through the steps. */
struct iip_tcp_arrival {
    struct iip_tcp_seg seg;
    struct iip_pkt *pkt;       /* at the payload; null once the text step took it */
    iip_u32 skip;              /* bytes at its front that are here already */
    const struct iip_rx *rx;
};

/* Of a connection whose ACCEPT note was not taken (IIP_F_ACCEPTING). */
IIP_INLINE struct iip_tcp_listener *iip_tcp_listener_of(const struct iip_tcp_conn *conn)
{
    return (struct iip_tcp_listener *)conn->user;
}

IIP_INLINE iip_u32 iip_tcp_ports(iip_u32 local, iip_u32 remote)
{
    return local << 16 | remote;
}

/* ---- table.c ---- */
IIP_INLINE int iip_tcp_id_is4(const struct iip_tcp_id *id, iip_u32 local, iip_u32 remote, iip_u32 ports)
{
    return id->node.word == ports && id->remote4 == remote && id->local4 == local && id->family == 4;
}

IIP_INLINE struct iip_tcp_id *iip_tcp_find4(struct iip_stack *stk, iip_u32 local, iip_u32 remote, iip_u32 ports)
{
    iip_u32 hash = iip_hash_tuple4(&stk->hash_key, local, remote, ports);
    struct iip_node *node = *iip_table_bucket(&stk->tcp->table, hash);
    struct iip_tcp_id *id;
    for (; node; node = node->next) {
        id = IIP_OUTER(node, struct iip_tcp_id, node);
        if (node->hash == hash && iip_tcp_id_is4(id, local, remote, ports))
            return id;
    }
    return 0;
}

IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup(struct iip_stack *stk, const struct iip_rx *rx, iip_u32 ports);
IIP_LOCAL struct iip_tcp_id *iip_tcp_lookup_tuple(struct iip_stack *stk, const struct iip_tcp_tuple *t);
IIP_LOCAL void iip_tcp_id_init(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind,
                               const struct iip_tcp_tuple *t);
/* The same tuple goes on as another object, which takes its place in the table; its state is 0. */
IIP_LOCAL void iip_tcp_id_take(struct iip_stack *stk, struct iip_tcp_id *id, iip_u32 kind, struct iip_tcp_id *from);
IIP_LOCAL void iip_tcp_tuple_of(const struct iip_tcp_id *id, struct iip_tcp_tuple *t);
IIP_LOCAL void iip_tcp_tuple_rx(struct iip_tcp_tuple *t, const struct iip_rx *rx, const struct iip_tcp_seg *seg);
IIP_LOCAL struct iip_tcp_listener *iip_tcp_listener_for(struct iip_stack *stk, const struct iip_tcp_tuple *t);

/* ---- state.c ---- */
enum { IIP_EV_SEND_FIN, IIP_EV_RECEIVE_FIN, IIP_EV_FIN_ACKED };
IIP_LOCAL void iip_tcp_transit(struct iip_tcp_conn *conn, iip_u32 event);
/* May text arrive, may text be sent in this state? */
IIP_LOCAL int iip_tcp_receives(const struct iip_tcp_conn *conn);
IIP_LOCAL int iip_tcp_sends(const struct iip_tcp_conn *conn);

/* ---- conn.c ---- */
/* `from`: the half-open record whose place in the table it takes, or null. */
IIP_LOCAL struct iip_tcp_conn *iip_tcp_conn_new(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                                struct iip_tcp_id *from, void *user);
/* Ends a connection: out of the table, queues freed; the CLOSED note still waits. */
IIP_LOCAL void iip_tcp_end(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 reason);
IIP_LOCAL void iip_tcp_conn_free(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_unaccepted(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_touch(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_notify(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 note_flag);
IIP_LOCAL void iip_tcp_soft_error(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_s32 status, iip_u32 value);
IIP_LOCAL struct iip_tcp_repair *iip_tcp_repair(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL struct iip_tcp_extra *iip_tcp_extra(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL iip_u64 iip_tcp_user_timeout(const struct iip_stack *stk, const struct iip_tcp_conn *conn);
IIP_LOCAL int iip_tcp_ranges_reserve(struct iip_stack *stk, struct iip_ranges *set, iip_u32 left, iip_u32 right);
/* The peer's and the path's MSS, after the handshake and when the path changes. */
IIP_LOCAL void iip_tcp_mss_update(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_path_check(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL iip_u32 iip_tcp_mss_offer(struct iip_stack *stk, const struct iip_tcp_tuple *t);
/* IIP_HAS_... of what our SYNs carry: what is switched on, and has a place in the order. */
IIP_LOCAL iip_u32 iip_tcp_offers(const struct iip_stack *stk);
IIP_LOCAL iip_u32 iip_tcp_wscale_offer(const struct iip_stack *stk, iip_u32 rcvbuf);
/* Takes over what a SYN-ACK offers in answer to ours, or a SYN: all that `seg` has was agreed to, conn->rcv_wscale is ours. */
IIP_LOCAL void iip_tcp_negotiate(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* The handshake is complete: buffers, window and congestion control begin. */
IIP_LOCAL void iip_tcp_establish(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* ---- port.c: ISN, timestamp offset, ephemeral port ---- */
struct iip_tcp_secret {
    iip_u32 iss;
    iip_u32 ts_off;
};
IIP_LOCAL void iip_tcp_secret_of(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_secret *out);
IIP_LOCAL int iip_tcp_port_choose(struct iip_stack *stk, struct iip_tcp_tuple *t);
IIP_INLINE iip_u32 iip_tcp_ts_now(const struct iip_stack *stk, iip_u32 ts_off)
{
    return (iip_u32)(stk->now >> 10) + ts_off; /* [RFC 7323 5.4] a tick of 1.024 ms */
}

/* [RFC 7323 4.3] TS.Recent, and its age [5.5]. */
IIP_INLINE void iip_tcp_ts_keep(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 ts_val)
{
    conn->ts_recent = ts_val;
    conn->ready.word = (iip_u32)(stk->now >> 20);
}

/* ---- listen.c, cookie.c, synsent.c, steps.c, timewait.c: 3.10.7 ---- */
IIP_LOCAL iip_verdict iip_tcp_listen_syn(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                         struct iip_tcp_arrival *arr, const iip_u32 *used);
IIP_LOCAL iip_verdict iip_tcp_listen_input(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                           struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_half_input(struct iip_stack *stk, struct iip_tcp_mini *half, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_half_drop(struct iip_stack *stk, struct iip_tcp_mini *half);
IIP_LOCAL void iip_tcp_half_due(struct iip_stack *stk, struct iip_tcp_mini *half);
IIP_LOCAL struct iip_tcp_conn *iip_tcp_accept(struct iip_stack *stk, struct iip_tcp_listener *lis,
                                              const struct iip_tcp_tuple *t, struct iip_tcp_id *half,
                                              const struct iip_tcp_seg *syn, iip_u32 iss);
IIP_LOCAL iip_u32 iip_tcp_cookie_make(struct iip_stack *stk, const struct iip_tcp_tuple *t,
                                      const struct iip_tcp_seg *syn);
/* 1, *syn filled with what the SYN said, and *hash, when the ACK brings back a cookie of ours that opened nothing yet. */
IIP_LOCAL int iip_tcp_cookie_check(struct iip_stack *stk, const struct iip_tcp_tuple *t, const struct iip_tcp_seg *seg,
                                   struct iip_tcp_seg *syn, iip_u64 *hash);
/* 1: there is memory to remember used cookies by. */
IIP_LOCAL int iip_tcp_cookies_ready(struct iip_stack *stk);
/* The cookie with this hash opened a connection. */
IIP_LOCAL void iip_tcp_cookie_used(struct iip_stack *stk, iip_u64 hash);
IIP_LOCAL void iip_tcp_cookies_free(struct iip_stack *stk);
IIP_LOCAL iip_verdict iip_tcp_synsent_input(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                            struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_segment_arrives(struct iip_stack *stk, struct iip_tcp_conn *conn,
                                              struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_wait_input(struct iip_stack *stk, struct iip_tcp_mini *wait, struct iip_tcp_arrival *arr);
IIP_LOCAL iip_verdict iip_tcp_closed_input(struct iip_stack *stk, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_time_wait(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_wait_drop(struct iip_stack *stk, struct iip_tcp_mini *wait);
/* ---- mini.c ---- */
/* The reference of record `i` of its family: the family in the lowest bit, and never 0. */
IIP_INLINE iip_u32 iip_tcp_mini_ref(iip_u32 i, iip_u32 six)
{
    return (i + 1) << 1 | six;
}

IIP_INLINE struct iip_tcp_mini *iip_tcp_mini_at(const struct iip_tcp *tcp, iip_u32 ref)
{
    const struct iip_tcp_minis *pool = ref & 1 ? &tcp->minis6 : &tcp->minis4;
    iip_u32 i = (ref >> 1) - 1;
    return (struct iip_tcp_mini *)(void *)(pool->chunk[i / IIP_MINIS_CHUNK] + i % IIP_MINIS_CHUNK * pool->size);
}

IIP_LOCAL void iip_tcp_minis_init(struct iip_tcp_minis *pool, iip_u32 size);
IIP_LOCAL void iip_tcp_minis_free(struct iip_stack *stk, struct iip_tcp_minis *pool);
/* Zeroed, in no queue, and not yet in the table. */
IIP_LOCAL struct iip_tcp_mini *iip_tcp_mini_new(struct iip_stack *stk, iip_u32 family);
IIP_LOCAL void iip_tcp_mini_free(struct iip_stack *stk, struct iip_tcp_mini *mini);
IIP_LOCAL void iip_tcp_fifo_put(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini,
                                iip_u64 delay_us);
IIP_LOCAL void iip_tcp_fifo_del(struct iip_stack *stk, struct iip_tcp_fifo *q, struct iip_tcp_mini *mini);
IIP_LOCAL iip_u64 iip_tcp_mini_due(const struct iip_stack *stk);
IIP_LOCAL void iip_tcp_mini_ack(struct iip_stack *stk, const struct iip_tcp_mini *mini, iip_u32 wnd);
/* The same in answer to what is out of place, within the limits of the stack; `counts`: and within those of the record. */
IIP_LOCAL void iip_tcp_mini_answer(struct iip_stack *stk, struct iip_tcp_mini *mini, iip_u32 wnd, int counts);
/* What the peer of a record is taken to have been told. */
IIP_INLINE iip_u32 iip_tcp_mini_window(const struct iip_stack *stk)
{
    return iip_min32((iip_u32)stk->tune.tcp_rcvbuf, 65535);
}

/* ---- ack.c, recover.c, text.c ---- */
IIP_LOCAL iip_verdict iip_tcp_step_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_ack_advance(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* ---- input.c: a segment whose predicted path was tried, to the state that it meets; `id`: whose it is, or null ---- */
IIP_LOCAL iip_verdict iip_tcp_arrives(struct iip_stack *stk, struct iip_tcp_id *id, struct iip_tcp_arrival *arr);
/* ---- predict.c: the segment that was expected ---- */
/* The short way of a segment of `conn`, options not yet decoded: its verdict, or IIP_NEXT_STEP when it must go the long way. */
IIP_LOCAL iip_verdict iip_tcp_predict(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_seg *seg,
                                      struct iip_pkt *pkt);
IIP_LOCAL void iip_tcp_window_set(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 wnd);
IIP_LOCAL void iip_tcp_sack_take(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
IIP_LOCAL void iip_tcp_dup_ack(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_recovery_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 acked);
IIP_LOCAL void iip_tcp_loss_begin(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* All that was outstanding when it began has arrived, or was never lost. */
IIP_LOCAL void iip_tcp_recovery_end(struct iip_tcp_conn *conn);
/* ---- undo.c ---- */
/* A loss was noticed: what it will cost is remembered. */
IIP_LOCAL void iip_tcp_undo_mark(struct iip_tcp_conn *conn);
/* What is sent again from now on, nobody took for lost. */
IIP_LOCAL void iip_tcp_undo_forget(struct iip_tcp_conn *conn);
/* `len` bytes are sent again. */
IIP_LOCAL void iip_tcp_undo_sent(const struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 len);
/* An ACK, before SND.UNA moves: does it say that nothing was lost? 1: it reports a duplicate, and answers nothing else. */
IIP_LOCAL int iip_tcp_undo_ack(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* Bytes in the network as RFC 6675 estimates them. */
IIP_LOCAL iip_u32 iip_tcp_pipe_disordered(const struct iip_tcp_conn *conn);
IIP_INLINE iip_u32 iip_tcp_pipe(const struct iip_tcp_conn *conn)
{
    if (IIP_UNLIKELY(conn->flags & (IIP_F_DISORDER | IIP_F_RECOVERY | IIP_F_LOSS)))
        return iip_tcp_pipe_disordered(conn);
    return conn->snd.nxt - conn->snd.una;
}
/* The next lost bytes to send again: 1 and [*seq, *seq + *len). */
IIP_LOCAL int iip_tcp_next_lost(const struct iip_tcp_conn *conn, iip_u32 *seq, iip_u32 *len);
/* Takes arr->pkt where it is of use; IIP_NEXT_STEP, or why not. */
IIP_LOCAL iip_verdict iip_tcp_text(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_tcp_arrival *arr);
/* Appends a packet that is next in order to what the application will be handed; RCV.NXT moves on. */
IIP_LOCAL void iip_tcp_deliver(struct iip_tcp_conn *conn, struct iip_pkt *pkt);
/* [RFC 2883] the next ACK reports [left, right) as a duplicate. */
IIP_LOCAL void iip_tcp_dsack(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 left, iip_u32 right);
/* A large packet counts for the segments that the port cuts it into; the first is counted where all are. */
IIP_INLINE void iip_tcp_count_cut(struct iip_stack *stk, iip_u32 len, iip_u32 seg_size)
{
    stk->ctr[IIP_CTR_TCP_SEGS_OUT] += (len - 1) / seg_size;
}
IIP_LOCAL iip_u32 iip_tcp_unread(const struct iip_tcp_conn *conn);
IIP_LOCAL iip_u32 iip_tcp_sack_blocks(const struct iip_tcp_conn *conn, struct iip_sack_block *out, iip_u32 cap);

/* ---- output.c, segment.c, reply.c ---- */
IIP_LOCAL int iip_tcp_output(struct iip_stack *stk, struct iip_tcp_conn *conn, int hold);
/* Sends [seq, seq + len) of the queue with `flags`; 0 when there was no memory. */
IIP_LOCAL int iip_tcp_segment(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq, iip_u32 len,
                              iip_u32 flags);
/* Writes all headers in front of a payload and sends it; 0: it is not plain, and was left alone (plain.c). */
IIP_LOCAL int iip_tcp_plain_send(struct iip_stack *stk, struct iip_tcp_conn *conn, struct iip_pkt *pkt, iip_u32 seq,
                                 iip_u32 len, iip_u32 flags);
/* Sends packets of the queue, new and in order, while each is a segment as it stands; 1 when that was all there was to do (plain.c). */
IIP_LOCAL int iip_tcp_plain_output(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Writes link and IP header in front of a whole TCP header and sends it; 0: its path is not plain, and it was left alone (plain.c). */
IIP_LOCAL int iip_tcp_plain_bare(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tx_ip *ip,
                                 const struct iip_path *path);
IIP_LOCAL int iip_tcp_send_syn(struct iip_stack *stk, struct iip_tcp_conn *conn);
/*
 * A segment without text into an empty packet, and out. The caller fills seq, ack, flags, wnd and, with `has`, options; a
 * SYN carries them in the tuned order, others timestamps only.
 */
IIP_LOCAL void iip_tcp_bare_to(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_tcp_tuple *t,
                               struct iip_tcp_seg *seg, struct iip_path *path, iip_u32 tos, iip_u32 ttl);
/* The same without a connection: packet and path are found here. */
IIP_LOCAL void iip_tcp_bare(struct iip_stack *stk, const struct iip_tcp_tuple *t, struct iip_tcp_seg *seg, iip_u32 tos);
IIP_LOCAL void iip_tcp_reset_reply(struct iip_stack *stk, const struct iip_tcp_arrival *arr);
IIP_LOCAL void iip_tcp_reset_send(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 seq);
IIP_LOCAL void iip_tcp_challenge(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Writes TCP checksum or its mark, for a packet whose data is at the TCP header; body_sum is the payload's partial sum, if it was made. */
IIP_LOCAL void iip_tcp_checksum(struct iip_stack *stk, struct iip_pkt *pkt, const struct iip_ip *src,
                                const struct iip_ip *dst, iip_u32 family, int loop);

/* ---- timer.c, rto.c ---- */
IIP_LOCAL void iip_tcp_arm(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_rto_again(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* Before `seg`, an ACK of what was sent again, ends the count of retransmissions. */
IIP_LOCAL void iip_tcp_rto_keep(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
/* The user timeout is never overslept. */
IIP_LOCAL void iip_tcp_rto_limit(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* [RFC 6298 5.1 - 5.3] A round trip that became shorter may bring the deadline before the timer's. */
IIP_INLINE void iip_tcp_rto_start(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    if (IIP_UNLIKELY(conn->retries || conn->extra)) {
        iip_tcp_rto_again(stk, conn);
        return;
    }
    conn->rto_at = stk->now + conn->rto_us;
    if (IIP_UNLIKELY(!iip_timer_armed(&conn->timer) || conn->rto_at < conn->timer.at))
        iip_tcp_arm(stk, conn);
}
IIP_LOCAL void iip_tcp_rtt_sample(struct iip_stack *stk, struct iip_tcp_conn *conn, iip_u32 rtt_us);
/* What was sent again since rtt_sent is acknowledged: a sample, if timestamps say of which transmission. */
IIP_LOCAL void iip_tcp_rtt_echo(struct iip_stack *stk, struct iip_tcp_conn *conn, const struct iip_tcp_seg *seg);
IIP_LOCAL void iip_tcp_persist_start(struct iip_stack *stk, struct iip_tcp_conn *conn);
/* The window changed while probes were sent: what a probe carried is sent again at once if need be. */
IIP_LOCAL void iip_tcp_persist_end(struct iip_stack *stk, struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_idle_restart(struct iip_stack *stk, struct iip_tcp_conn *conn);

/* ---- congestion control: one const table an algorithm; it knows cwnd, ssthresh and its own state, nothing else ---- */
struct iip_tcp_cc {
    const char *name;
    void (*start)(struct iip_tcp_conn *conn); /* what was learnt of the network counts no more */
    /* `acked` bytes were acknowledged, outside of recovery; cwnd was the limit. */
    void (*on_ack)(struct iip_tcp_conn *conn, iip_u32 acked, iip_u64 now);
    /* A loss was noticed with `flight` bytes outstanding: sets ssthresh. */
    void (*on_loss)(struct iip_tcp_conn *conn, iip_u32 flight);
};
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cc_of(const struct iip_tcp_conn *conn);
IIP_LOCAL void iip_tcp_slow_start(struct iip_tcp_conn *conn, iip_u32 acked);
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_newreno(void);
IIP_LOCAL const struct iip_tcp_cc *iip_tcp_cubic(void);

/* Every segment carries the latest ACK: what was owed is paid. */
IIP_INLINE void iip_tcp_ack_paid(struct iip_tcp_conn *conn)
{
    conn->rcv.acked = conn->rcv.nxt;
    conn->flags &= ~(iip_u32)IIP_F_ACK_ANY;
    conn->ack_at = IIP_NEVER;
}

/* Every retransmission is counted where the loss is kept. */
IIP_INLINE void iip_tcp_count_rtx(struct iip_stack *stk, struct iip_tcp_conn *conn)
{
    iip_count(stk, IIP_CTR_TCP_RETRANS);
    if (conn->repair)
        conn->repair->retransmits++;
}

IIP_INLINE struct iip_tcp_conn *iip_tcp_conn_of_id(struct iip_tcp_id *id)
{
    return IIP_OUTER(id, struct iip_tcp_conn, id);
}

IIP_INLINE struct iip_tcp_mini *iip_tcp_mini_of_id(struct iip_tcp_id *id)
{
    return IIP_OUTER(id, struct iip_tcp_mini, id);
}

#endif

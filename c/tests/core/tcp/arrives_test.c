/*
 * arrives_test.c - SEGMENT ARRIVES [RFC 9293 3.10.7, RFC 5961] in every state, beside a model written from the text.
 *
 * Each segment meets a stack of its own: 12 states, 64 sets of flags, nine places of the sequence number, seven of
 * the acknowledgement, with and without text. The one answer at the same instant, and the state afterwards, are the
 * model's. A RST is never answered with a RST.
 *
 * covers: A17, A18, A27, 59-01, 59-02, 59-03, MUST-11, MAY-2, MAY-12, TW-01, A32
 */
#include "peer.h"

enum { CLOSED, LISTEN, SENT, RCVD, RCVD_ACTIVE, ESTAB, FIN_1, FIN_2, WAIT, CLOSING, LAST, TIME, STATES };
enum { WINDOW = 65535, TEXT = 20 };

struct model {
    int state;
    uint32_t una, nxt, rcv; /* SND.UNA, SND.NXT, RCV.NXT */
    int answer;             /* flags of the one answer, 0: none */
    uint32_t seq, ack;      /* what it says */
};

static const uint8_t as_info[STATES] = {IIP_TCP_CLOSED,     IIP_TCP_CLOSED,       IIP_TCP_SYN_SENT,
                                        IIP_TCP_CLOSED,     IIP_TCP_SYN_RECEIVED, IIP_TCP_ESTABLISHED,
                                        IIP_TCP_FIN_WAIT_1, IIP_TCP_FIN_WAIT_2,   IIP_TCP_CLOSE_WAIT,
                                        IIP_TCP_CLOSING,    IIP_TCP_LAST_ACK,     IIP_TCP_CLOSED};

/* ---- the model: one function a step, as the RFC has them ----------------------------------------------------------- */

struct arrival {
    uint32_t seq, ack, len, end; /* len: text; end: behind text, SYN and FIN */
    uint8_t flags;
};

static void say(struct model *m, int flags, uint32_t seq, uint32_t ack)
{
    m->answer = flags;
    m->seq = seq;
    m->ack = ack;
}

/* After crossing SYNs our ACK is the SYN-ACK, whose SYN the peer may lack. */
static void say_ack(struct model *m)
{
    if (m->state == RCVD_ACTIVE)
        say(m, FL_SYN | FL_ACK, m->una, m->rcv);
    else
        say(m, FL_ACK, m->nxt, m->rcv);
}

static void model_closed(struct model *m, const struct arrival *a)
{
    if (a->flags & FL_RST)
        return;
    if (a->flags & FL_ACK)
        say(m, FL_RST, a->ack, 0);
    else
        say(m, FL_RST | FL_ACK, 0, a->end);
}

static void model_listen(struct model *m, const struct arrival *a)
{
    if (a->flags & FL_RST)
        return;
    if (a->flags & FL_ACK) {
        say(m, FL_RST, a->ack, 0);
    } else if ((a->flags & (FL_SYN | FL_FIN)) == FL_SYN) {
        say(m, FL_SYN | FL_ACK, 0, a->seq + 1);
        m->state = RCVD;
    }
}

static void model_sent(struct model *m, const struct arrival *a)
{
    if (a->flags & FL_ACK && a->ack != m->nxt) {
        if (!(a->flags & FL_RST))
            say(m, FL_RST, a->ack, 0);
    } else if (a->flags & FL_RST) {
        m->state = a->flags & FL_ACK ? CLOSED : SENT;
    } else if (a->flags & FL_SYN) {
        m->state = a->flags & FL_ACK ? ESTAB : RCVD_ACTIVE;
        say(m, a->flags & FL_ACK ? FL_ACK : FL_SYN | FL_ACK, a->flags & FL_ACK ? m->nxt : m->una, a->seq + 1);
    }
}

/* Beyond the table: in a connection, a segment without text may stand at the right edge; of a RST, only its beginning counts. */
static int acceptable(const struct model *m, const struct arrival *a)
{
    uint32_t n = a->end - a->seq;
    if (a->flags & FL_RST)
        return a->seq - m->rcv < WINDOW;
    if (!n && m->state != RCVD && m->state != TIME)
        return a->seq - m->rcv <= WINDOW;
    return a->seq - m->rcv < WINDOW || (n && a->end - 1 - m->rcv < WINDOW);
}

static int model_rst(struct model *m, const struct arrival *a)
{
    if (!(a->flags & FL_RST))
        return 0;
    if (a->seq == m->rcv)
        m->state = m->state == RCVD ? LISTEN : CLOSED;
    else if (a->seq - m->rcv < WINDOW)
        say_ack(m);
    return 1;
}

static int model_syn(struct model *m, const struct arrival *a)
{
    if (!(a->flags & FL_SYN))
        return 0;
    if (m->state == RCVD)
        m->state = LISTEN; /* in silence */
    else
        say_ack(m);
    return 1;
}

/* 1: the segment goes no further. */
static int model_ack(struct model *m, const struct arrival *a)
{
    int fin_acked = a->ack == m->nxt;
    if (!(a->flags & FL_ACK))
        return 1;
    if (m->state == RCVD || m->state == RCVD_ACTIVE) {
        if (a->ack != m->nxt) {
            say(m, FL_RST, a->ack, 0);
            return 1;
        }
        m->state = ESTAB;
        return 0;
    }
    if ((int32_t)(a->ack - m->nxt) > 0 || (int32_t)(a->ack - (m->una - WINDOW)) < 0) {
        say_ack(m);
        return 1;
    }
    if (m->state == FIN_1 && fin_acked)
        m->state = FIN_2;
    else if (m->state == CLOSING && fin_acked)
        m->state = TIME;
    else if (m->state == LAST && fin_acked)
        m->state = CLOSED;
    return 0;
}

static void model_text(struct model *m, const struct arrival *a)
{
    int fin = (a->flags & FL_FIN) != 0;
    if (m->state != ESTAB && m->state != FIN_1 && m->state != FIN_2)
        return;
    if (a->end == a->seq || a->end - m->rcv == 0)
        return;
    if (a->seq - m->rcv - 1 < WINDOW) { /* behind a hole */
        say_ack(m);
        return;
    }
    m->rcv = a->end;
    if (fin) {
        say_ack(m);
        m->state = m->state == ESTAB ? WAIT : m->state == FIN_1 ? CLOSING : TIME;
    }
}

/* [RFC 9293 3.5 figure 8] The SYN again, with the ACK that counts. */
static void model_crossed(struct model *m, struct arrival *a)
{
    if (m->state == RCVD_ACTIVE && (a->flags & (FL_SYN | FL_ACK)) == (FL_SYN | FL_ACK) && a->seq + 1 == m->rcv) {
        a->flags &= (uint8_t)~FL_SYN;
        a->seq++;
    }
}

/*
 * [RFC 1337, RFC 6191, MAY-2] A RST does nothing; a newer SYN begins anew; what is acceptable has an ACK bit, or is
 * dropped; the rest is told where we were, but for an ACK in its place.
 */
static void model_time(struct model *m, const struct arrival *a)
{
    if (a->flags & FL_RST)
        return;
    if ((a->flags & (FL_SYN | FL_ACK | FL_FIN)) == FL_SYN && (int32_t)(a->seq - m->rcv) > 0)
        say(m, FL_SYN | FL_ACK, 0, a->seq + 1);
    else if (!(a->flags & (FL_SYN | FL_ACK)) && acceptable(m, a))
        return;
    else if (a->flags & (FL_SYN | FL_FIN) || a->len || a->seq != m->rcv)
        say_ack(m);
}

static void model_arrives(struct model *m, struct arrival *a)
{
    model_crossed(m, a);
    if (m->state == TIME) {
        model_time(m, a);
        return;
    }
    if (m->state == CLOSED) {
        model_closed(m, a);
    } else if (m->state == LISTEN) {
        model_listen(m, a);
    } else if (m->state == SENT) {
        model_sent(m, a);
    } else if (m->state == RCVD && (a->flags & (FL_SYN | FL_ACK | FL_RST)) == FL_SYN && a->seq + 1 == m->rcv) {
        say(m, FL_SYN | FL_ACK, m->una, m->rcv); /* our SYN-ACK was lost: it does the ACK's work, and more */
    } else if (!acceptable(m, a)) {
        if (!(a->flags & FL_RST))
            say_ack(m);
    } else if (!model_rst(m, a) && !model_syn(m, a) && !model_ack(m, a)) {
        model_text(m, a);
    }
}

/* ---- the stack, brought to the same place -------------------------------------------------------------------------- */

static void opened(struct peer *p, int state)
{
    struct iip_endpoint peer, local;
    memset(&peer, 0, sizeof(peer));
    memset(&local, 0, sizeof(local));
    peer.ip = p->theirs;
    peer.port = p->their_port;
    local.port = p->our_port;
    iip_tcp_unlisten(p->stk, p->lis);
    if (state == CLOSED)
        return;
    iip_tcp_connect(p->stk, &local, &peer, NULL, &p->conn);
    peer_settle(p);
    p->ack = p->last.seq + 1;
    if (state == RCVD_ACTIVE)
        peer_send(p, FL_SYN, 0, 0);
}

static void closing(struct peer *p, int state)
{
    if (state == FIN_1 || state == FIN_2 || state == CLOSING || state == TIME)
        iip_tcp_shutdown(p->stk, p->conn);
    peer_settle(p);
    if (state == FIN_2 || state == TIME) {
        p->ack++;
        peer_send(p, FL_ACK, 0, 0);
    }
    if (state == WAIT || state == CLOSING || state == LAST || state == TIME) {
        peer_send(p, FL_FIN | FL_ACK, 0, 0);
        p->seq++;
    }
    if (state == LAST)
        iip_tcp_shutdown(p->stk, p->conn);
    peer_settle(p);
}

/* Afterwards p->seq is RCV.NXT, and p->ack SND.UNA; in SYN-RECEIVED and SYN-SENT SND.NXT. */
static int into(struct peer *p, int state, struct model *m)
{
    peer_init(p);
    if (peer_new(p, "arrives"))
        return 0;
    p->seq = 1000;
    p->ack = 7000;
    if (state == RCVD) {
        peer_send(p, FL_SYN, 0, 0);
        p->ack = p->last.seq + 1;
    } else if (state == CLOSED || state == SENT || state == RCVD_ACTIVE) {
        opened(p, state);
    } else if (state >= ESTAB) {
        if (!peer_accepted(p))
            return 0;
        closing(p, state);
    }
    p->seq += state == RCVD || state == RCVD_ACTIVE;
    memset(m, 0, sizeof(*m));
    m->state = state;
    m->rcv = p->seq;
    m->una = m->nxt = p->ack;
    m->una -= state == SENT || state == RCVD || state == RCVD_ACTIVE;
    m->nxt += state == FIN_1 || state == CLOSING || state == LAST;
    return 1;
}

static int judge(const struct peer *p, const struct model *m, uint32_t before, int was)
{
    int want = m->state == RCVD || m->state == LISTEN ? IIP_TCP_CLOSED : as_info[m->state];
    int ok = CHECK_EQ(p->sent - before, m->answer ? 1 : 0);
    ok &= CHECK_EQ(peer_state((struct peer *)p), want);
    if (!m->answer || p->sent == before)
        return ok;
    ok &= CHECK_EQ(p->last.flags, m->answer);
    if ((was != LISTEN && was != TIME) || !(m->answer & FL_SYN))
        ok &= CHECK_EQ(p->last.seq, m->seq);
    if (m->answer & FL_ACK)
        ok &= CHECK_EQ(p->last.ack, m->ack);
    return ok;
}

static int one(int state, uint8_t flags, uint32_t seq_off, uint32_t ack_off, uint32_t len)
{
    static struct peer p;
    struct model m;
    struct arrival a;
    uint32_t before;
    int ok;
    if (!into(&p, state, &m))
        return CHECK(!"no such state");
    p.any_payload = 1;
    p.seq += seq_off;
    p.ack += ack_off;
    before = p.sent;
    a.seq = p.seq;
    a.ack = p.ack;
    a.flags = flags;
    a.len = len;
    a.end = a.seq + len + (flags & FL_SYN ? 1 : 0) + (flags & FL_FIN ? 1 : 0);
    model_arrives(&m, &a);
    peer_send(&p, flags, len, seq_off);
    ok = judge(&p, &m, before, state) & CHECK_EQ(peer_free(&p), 0);
    if (!ok)
        printf("    state %d, flags 0x%02x, sequence %+d, ack %+d, %u bytes\n", state, flags, (int)seq_off,
               (int)ack_off, len);
    return ok;
}

static void every_segment_in(int state)
{
    static const int32_t seqs[] = {0, 1, -1, -5, -TEXT - 2, -30000, 100, WINDOW - 1, WINDOW};
    static const int32_t acks[] = {0, 1, -1, 2, -100, -70000, 100000};
    int flags, i, k, bad = 0;
    for (flags = 0; flags < 64; flags++)
        for (i = 0; i < 9; i++)
            for (k = 0; k < (flags & FL_ACK ? 7 : 1); k++) {
                bad += !one(state, (uint8_t)flags, (uint32_t)seqs[i], (uint32_t)acks[k], 0);
                bad += !one(state, (uint8_t)flags, (uint32_t)seqs[i], (uint32_t)acks[k], TEXT);
                if (bad > 20)
                    return;
            }
}

static void in_closed(void)
{
    every_segment_in(CLOSED);
}
static void in_listen(void)
{
    every_segment_in(LISTEN);
}
static void in_syn_sent(void)
{
    every_segment_in(SENT);
}
static void in_syn_received_from_listen(void)
{
    every_segment_in(RCVD);
}
static void in_syn_received_from_syn_sent(void)
{
    every_segment_in(RCVD_ACTIVE);
}
static void in_established(void)
{
    every_segment_in(ESTAB);
}
static void in_fin_wait_1(void)
{
    every_segment_in(FIN_1);
}
static void in_fin_wait_2(void)
{
    every_segment_in(FIN_2);
}
static void in_close_wait(void)
{
    every_segment_in(WAIT);
}
static void in_closing(void)
{
    every_segment_in(CLOSING);
}
static void in_last_ack(void)
{
    every_segment_in(LAST);
}

static void in_time_wait(void)
{
    every_segment_in(TIME);
}

/* Sends a million bytes at once: faster than the clock of the ISS. */
static int send_fast(struct peer *p)
{
    static uint8_t bytes[100000];
    uint32_t sum;
    for (sum = 0; sum < 1000000; sum += sizeof(bytes)) {
        if (iip_tcp_write(p->stk, p->conn, bytes, sizeof(bytes)) != sizeof(bytes))
            return 0;
        peer_settle(p);
        while ((int32_t)(p->last.seq + p->last.len - p->ack) > 0) {
            p->ack = p->last.seq + p->last.len;
            peer_send(p, FL_ACK, 0, 0);
        }
    }
    return 1;
}

/* [RFC 9293 3.6.1 MAY-2] Whoever takes a SYN in TIME-WAIT begins above all numbers of before. */
static void time_wait_is_left_upwards(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "arrives") == 0 && peer_accepted(&p) && send_fast(&p));
    iip_tcp_shutdown(p.stk, p.conn);
    peer_settle(&p);
    p.ack = p.last.seq + p.last.len + 1;
    peer_send(&p, FL_FIN | FL_ACK, 0, 0);
    REQUIRE(p.closed == 1);
    p.seq += 100000;
    peer_send(&p, FL_SYN, 0, 0);
    REQUIRE(p.last.flags == (FL_SYN | FL_ACK));
    CHECK((int32_t)(p.last.seq - p.ack) > 0);
    peer_wait(&p, 50000);
    p.seq++;
    p.ack = p.last.seq + 1;
    peer_send(&p, FL_ACK, 0, 0);
    CHECK_EQ(p.accepted, 2);
    CHECK_EQ(peer_state(&p), IIP_TCP_ESTABLISHED);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(in_closed);
    RUN(in_listen);
    RUN(in_syn_sent);
    RUN(in_syn_received_from_listen);
    RUN(in_syn_received_from_syn_sent);
    RUN(in_established);
    RUN(in_fin_wait_1);
    RUN(in_fin_wait_2);
    RUN(in_close_wait);
    RUN(in_closing);
    RUN(in_last_ack);
    RUN(in_time_wait);
    RUN(time_wait_is_left_upwards);
    return check_done();
}

/* covers: A27, A31, MUST-66 */
#include "peer.h"

enum { STATES = 9 };

/* Brings a fresh stack into the wanted state: 0 LISTEN, then as they come in a connection's life. */
static int into(struct peer *p, int state)
{
    peer_init(p);
    if (peer_new(p, "flags"))
        return 0;
    p->seq = 1000;
    if (state == 0)
        return 1;
    if (state == 1) { /* SYN-RECEIVED */
        peer_send(p, FL_SYN, 0, 0);
        p->seq++;
        p->ack = p->last.seq + 1;
        return 1;
    }
    if (!peer_accepted(p))
        return 0;
    if (state == 3 || state == 4 || state == 6 || state == 8)
        iip_tcp_shutdown(p->stk, p->conn);
    peer_settle(p);
    if (state == 4 || state == 8) { /* FIN-WAIT-2, TIME-WAIT */
        p->ack++;
        peer_send(p, FL_ACK, 0, 0);
    }
    if (state >= 5) { /* CLOSE-WAIT, CLOSING, LAST-ACK, TIME-WAIT */
        peer_send(p, FL_FIN | FL_ACK, 0, 0);
        p->seq++;
    }
    if (state == 7)
        iip_tcp_shutdown(p->stk, p->conn);
    peer_settle(p);
    return 1;
}

static const int want[STATES] = {IIP_TCP_CLOSED,     IIP_TCP_CLOSED,     IIP_TCP_ESTABLISHED,
                                 IIP_TCP_FIN_WAIT_1, IIP_TCP_FIN_WAIT_2, IIP_TCP_CLOSE_WAIT,
                                 IIP_TCP_CLOSING,    IIP_TCP_LAST_ACK,   IIP_TCP_CLOSED};

static void states_are_reached(void)
{
    static struct peer p;
    int state;
    for (state = 0; state < STATES; state++) {
        REQUIRE(into(&p, state));
        CHECK_EQ(peer_state(&p), want[state]);
        CHECK_EQ(peer_free(&p), 0);
    }
}

/* What must hold for each answer: at most one packet, never an RST to an RST, nothing to a bare FIN or NULL in a connection. */
static void judge(struct peer *p, int state, uint8_t flags, uint32_t before)
{
    uint32_t answers = p->sent - before;
    if (!CHECK(answers <= 2) || !CHECK(!(flags & FL_RST) || !answers || !(p->last.flags & FL_RST)) ||
        !CHECK((flags & (FL_RST | FL_ACK | FL_SYN)) || state == 0 || !answers || !(p->last.flags & FL_RST)))
        printf("    state %d, flags 0x%02x, answer 0x%02x\n", state, flags, p->last.flags);
}

static void one(int state, uint8_t flags, uint32_t seq_off, uint32_t ack_off, uint32_t len)
{
    static struct peer p;
    uint32_t before;
    REQUIRE(into(&p, state));
    p.seq += seq_off;
    p.ack += ack_off;
    before = p.sent;
    peer_send(&p, flags, len, (uint64_t)(int64_t)(int32_t)seq_off);
    judge(&p, state, flags, before);
    if (flags & FL_SYN && state >= 2)
        CHECK_EQ(p.bytes_in, 0); /* [RFC 5961 4] nothing of a SYN is used in a synchronised state */
    if (p.bad)
        printf("    state %d, flags 0x%02x, sequence +%d, ack +%d, %u bytes\n", state, flags, (int)seq_off,
               (int)ack_off, len);
    peer_wait(&p, 300 * 1000000u);
    CHECK_EQ(peer_free(&p), 0);
}

/* All 64 sets of flags, at the left edge, inside, before and beyond the window, with good and bad ACKs, in nine states. */
static void all_flags_in_all_states(void)
{
    static const uint32_t seqs[] = {0, 10, (uint32_t)-5, 70000}, acks[] = {0, 1, (uint32_t)-1, 100000};
    int state, flags, i, k;
    for (state = 0; state < STATES; state++)
        for (flags = 0; flags < 64; flags++)
            for (i = 0; i < 4; i++)
                for (k = 0; k < (flags & FL_ACK ? 4 : 1); k++)
                    one(state, (uint8_t)flags, seqs[i], acks[k], (uint32_t)(flags & 1 ? 20 : 0));
}

int main(void)
{
    RUN(states_are_reached);
    RUN(all_flags_in_all_states);
    return check_done();
}

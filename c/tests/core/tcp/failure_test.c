/* covers: A45 */
#include "peer.h"

/* A whole life: handshake, data both ways, out of order, close. The host fails at call `k` of frames or memory. */
static void live(struct peer *p)
{
    static uint8_t bytes[3000];
    int64_t wrote = 0;
    uint32_t i, try;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = pattern(i);
    for (try = 0; try < 5 && !p->conn; try++) {
        if (!peer_accepted(p))
            peer_wait(p, 1500000);
    }
    if (!CHECK(p->conn != NULL))
        return;
    for (try = 0; try < 5 && wrote < 3000; try++) {
        int64_t n = iip_tcp_write(p->stk, p->conn, bytes + wrote, (uint32_t)(3000 - wrote));
        CHECK(n > 0 || n == IIP_E_NOBUFS || n == IIP_E_NOMEM);
        wrote += n > 0 ? n : 0;
        peer_settle(p);
    }
    CHECK_EQ(wrote, 3000);
    p->seq += 100;
    peer_send(p, FL_ACK, 100, 100);
    p->seq -= 100;
    peer_send(p, FL_ACK, 100, 0);
    peer_send(p, FL_ACK, 200, 0);
    p->seq += 200;
    CHECK_EQ(p->bytes_in, 200);
    peer_wait(p, 3000000);
    for (i = 0; i < 3; i++) { /* the last 80 bytes wait for the two full segments (Nagle) */
        p->ack += i < 2 ? 1460 : 80;
        peer_send(p, FL_ACK, 0, 0);
        peer_wait(p, 3000000);
    }
    CHECK_EQ(iip_tcp_shutdown(p->stk, p->conn), IIP_OK);
    peer_settle(p);
    peer_wait(p, 3000000);
    CHECK(p->last.flags & FL_FIN);
    p->ack++;
    peer_send(p, FL_ACK | FL_FIN, 0, 0);
    peer_wait(p, 300 * 1000000u);
    CHECK_EQ(p->closed, 1);
    CHECK_EQ(p->status, IIP_OK);
}

static void fails_at(uint64_t frame, uint64_t memory)
{
    static struct peer p;
    peer_init(&p);
    p.th.frame_fail_at = frame;
    p.th.mem_fail_at = memory;
    if (peer_new(&p, "failure") == 0)
        live(&p);
    CHECK_EQ(peer_free(&p), 0);
}

static uint64_t frames_wanted, memory_wanted;

static void nothing_fails(void)
{
    static struct peer p;
    peer_init(&p);
    REQUIRE(peer_new(&p, "failure") == 0);
    live(&p);
    frames_wanted = p.th.frame_calls;
    memory_wanted = p.th.mem_calls;
    CHECK_EQ(peer_free(&p), 0);
}

static void each_frame_in_turn(void)
{
    uint64_t k;
    for (k = 1; k <= frames_wanted; k++)
        fails_at(k, 0);
}

static void each_block_of_memory_in_turn(void)
{
    uint64_t k;
    for (k = 1; k <= memory_wanted; k++)
        fails_at(0, k);
}

int main(void)
{
    RUN(nothing_fails);
    RUN(each_frame_in_turn);
    RUN(each_block_of_memory_in_turn);
    return check_done();
}

/* stream_test.c - the two queues of a connection: what the stack does not take now is offered again, whole and in order. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "common.h"

enum { CONNS = 200, OPS = 64, PIECES = EX_BURST, SPANS = 256 };

/* A loop without a network: the test plays the turn. */
struct desk {
    struct ex_loop l;
    struct iip_op ops[OPS];
    struct ex_stream *owner[OPS];
    struct iip_span spans[SPANS];
    uint64_t releases[SPANS];
};

static void desk_init(struct desk *d)
{
    uint32_t i;
    memset(d, 0, sizeof *d);
    ex_list_init(&d->l.ready);
    d->l.area.ops = d->ops;
    d->l.area.op_cap = OPS;
    d->l.area.tx_free = d->spans;
    d->l.area.releases = d->releases;
    d->l.area.release_cap = SPANS;
    d->l.op_owner = d->owner;
    for (i = 0; i < SPANS; i++)
        d->spans[i] = (struct iip_span){.buf = i + 1, .len = 100};
    d->l.turn.tx_free_n = SPANS;
}

static void desk_stream(struct desk *d, struct ex_stream *s, uint64_t conn)
{
    CHECK_EQ(ex_stream_init(&d->l, s, conn), 0);
    d->l.turn.op_n = 0; /* no delay: not looked at here */
}

/* The turn: operation i is answered with `status` from `from` on, and in full before. */
static void desk_turn(struct desk *d, uint32_t from, int32_t status)
{
    uint32_t i;
    d->l.ops_done = d->l.turn.op_n;
    for (i = 0; i < d->l.ops_done; i++) {
        d->ops[i].status = i < from ? IIP_OK : status;
        d->ops[i].out = i < from ? d->ops[i].len : 0;
    }
    d->l.turn.op_n = d->l.turn.tx_taken = d->l.turn.release_n = 0;
    ex_sent(&d->l);
}

static void send_pieces(struct desk *d, struct ex_stream *s, uint32_t n)
{
    const struct iip_span *to;
    uint32_t i;
    for (i = 0; i < n && (to = ex_take(&d->l, s)) != NULL; i++)
        ex_send(&d->l, s, to, (uint32_t)to->buf);
    CHECK_EQ(i, n);
}

/* Packet buffers or memory ran out: no byte is lost, and nothing passes what waits. */
static void refused(int32_t status)
{
    static struct desk d;
    static struct ex_stream s;
    uint32_t i;
    desk_init(&d);
    desk_stream(&d, &s, 1);
    send_pieces(&d, &s, 5);
    desk_turn(&d, 2, status);
    CHECK_EQ(d.l.turn.release_n, 0);
    CHECK(ex_take(&d.l, &s) == NULL);
    ex_writable(&d.l, &s);
    if (!CHECK_EQ(d.l.turn.op_n, 3))
        return;
    for (i = 0; i < 3; i++)
        CHECK_EQ(d.ops[i].buf, 3 + i);
    desk_turn(&d, 3, IIP_OK);
    CHECK(ex_take(&d.l, &s) != NULL);
    ex_stream_end(&d.l, &s);
    free(d.l.conns);
}

static void over_is_over(void)
{
    static struct desk d;
    static struct ex_stream s;
    desk_init(&d);
    desk_stream(&d, &s, 1);
    send_pieces(&d, &s, 3);
    desk_turn(&d, 1, IIP_E_RESET);
    CHECK_EQ(d.l.turn.release_n, 2);
    CHECK_EQ(s.held_n, 0);
    ex_stream_end(&d.l, &s);
    free(d.l.conns);
}

/* All of them are writable in one turn, and offer more than a turn has room for. */
static void all_at_once(void)
{
    static struct desk d;
    static struct ex_stream s[CONNS];
    uint32_t i, j, turns, offered = 0, left;
    desk_init(&d);
    for (i = 0; i < CONNS; i++) {
        desk_stream(&d, &s[i], i);
        send_pieces(&d, &s[i], PIECES);
        desk_turn(&d, 0, IIP_E_AGAIN);
    }
    for (i = 0; i < CONNS; i++)
        ex_writable(&d.l, &s[i]);
    for (turns = 0; turns < CONNS && d.l.turn.op_n; turns++) {
        for (i = 0; i < d.l.turn.op_n; i += PIECES) {
            CHECK(d.owner[i] != NULL);
            for (j = 0; j < PIECES; j++) {
                CHECK(d.owner[i + j] == d.owner[i]);
                CHECK_EQ(d.ops[i + j].buf, 1 + j);
            }
        }
        offered += d.l.turn.op_n;
        desk_turn(&d, OPS, IIP_OK);
        left = d.l.ready_n;
        while (ex_ready_next(&d.l, &left) != NULL)
            ;
    }
    CHECK_EQ(offered, CONNS * PIECES);
    CHECK_EQ(d.l.ready_n, 0);
    for (i = 0; i < CONNS; i++) {
        CHECK_EQ(s[i].held_n, 0);
        ex_stream_end(&d.l, &s[i]);
    }
    free(d.l.conns);
}

static void few_buffers(void)
{
    refused(IIP_E_AGAIN);
    refused(IIP_E_NOBUFS);
    refused(IIP_E_NOMEM);
}

int main(void)
{
    RUN(few_buffers);
    RUN(over_is_over);
    RUN(all_at_once);
    return check_done();
}

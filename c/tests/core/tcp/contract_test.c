/*
 * contract_test.c - what core.h promises to a host: two stacks, a wire that loses, streams both ways, and hosts that
 * do all that they may: call too often, too early, with times that go back; refuse any number of packets at any time;
 * have no frame or no memory at any call.
 *
 * covers: A45, A46
 */
#include "peer.h"

enum { WIRE = 512, BYTES = 25000, LOSE = 17 };

struct host {
    struct testhost th;
    iip_u32 (*take)(void *ctx, struct iip_pkt **pkts, iip_u32 n);
    struct iip_tcp_conn *conn;
    struct host *other;
    uint8_t *wire[WIRE]; /* under way to the other */
    uint32_t len[WIRE], wire_n;
    uint32_t sent;
    uint64_t wrote, read;
    int fin, shut, closed, status;
    struct iip_pkt *refused; /* the first packet that was not taken: it must be offered first */
    uint32_t disorder;
};

struct world {
    struct host h[2];
    struct iip_tcp_listener *lis;
    uint64_t now, rng, script; /* script: a hash of all that was sent, and when */
    int family, layer2;
    /* what the hosts do */
    int restless, refuse;      /* calls too many; refuses packets */
    int victim;                /* the host whose calls fail */
    uint64_t frame_at, mem_at; /* its n-th call fails */
    uint32_t fail_ppm;         /* of both: so many in a million fail */
    int bad;
};

static struct world w;

static void put(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct host *h = arg;
    uint32_t i;
    for (i = 0; i < len; i++)
        w.script = (w.script ^ bytes[i]) * 0x100000001b3u;
    w.script = (w.script ^ w.now) * 0x100000001b3u;
    if (++h->sent % LOSE == 0 || h->wire_n == WIRE)
        return;
    h->wire[h->wire_n] = malloc(len);
    memcpy(h->wire[h->wire_n], bytes, len);
    h->len[h->wire_n++] = len;
}

static iip_u32 transmit(void *ctx, struct iip_pkt **pkts, iip_u32 n)
{
    struct host *h = ctx == &w.h[0].th ? &w.h[0] : &w.h[1];
    iip_u32 k = w.refuse ? (iip_u32)(testhost_random(&w.rng) % (n + 1)) : n;
    h->disorder += h->refused && n && pkts[0] != h->refused;
    h->refused = k < n ? pkts[k] : NULL;
    return h->take(ctx, pkts, k);
}

static int open_host(struct host *h, struct host *other, uint8_t last)
{
    struct iip_stack_cfg cfg;
    struct iip_ip ip;
    memset(h, 0, sizeof(*h));
    testhost_init(&h->th, last);
    h->other = other;
    h->take = h->th.host.transmit;
    h->th.host.transmit = transmit;
    h->th.sent = put;
    h->th.arg = h;
    h->th.l2_len = w.layer2 ? 14 : 0;
    h->th.frame_fail_at = h == &w.h[w.victim] ? w.frame_at : 0;
    h->th.mem_fail_at = h == &w.h[w.victim] ? w.mem_at : 0;
    memset(&cfg, 0, sizeof(cfg));
    cfg.size = sizeof(cfg);
    cfg.flags = w.layer2 ? 0 : IIP_STACK_L3;
    cfg.mac[0] = 2;
    cfg.mac[5] = last;
    cfg.key[3] = last;
    cfg.seed = last;
    if (iip_stack_new(&cfg, &h->th.host, w.now, &h->th.stk))
        return -1;
    h->th.frame_fail_ppm = h->th.mem_fail_ppm = w.fail_ppm;
    h->th.rng = w.rng + last;
    memset(&ip, 0, sizeof(ip));
    if (w.family == 4) {
        iip_ip_v4(&ip, 10, 0, 0, last);
    } else {
        ip.b[0] = 0xfd;
        ip.b[15] = last;
    }
    return iip_stack_addr_add(h->th.stk, &ip, w.family == 4 ? 24 : 64);
}

static struct iip_endpoint server(void)
{
    struct iip_endpoint e;
    memset(&e, 0, sizeof(e));
    e.port = 80;
    if (w.family == 4) {
        iip_ip_v4(&e.ip, 10, 0, 0, 2);
    } else {
        e.ip.b[0] = 0xfd;
        e.ip.b[15] = 2;
    }
    return e;
}

/* ---- the application ------------------------------------------------------------------------------------------- */

static void take_data(struct host *h, struct iip_note *note)
{
    struct iip_pkt *pkt, *next, *view;
    uint32_t i;
    for (pkt = note->pkt; pkt; pkt = next) {
        next = pkt->link;
        for (view = pkt; view; view = view->next)
            for (i = 0; i < view->len; i++)
                w.bad += view->data[i] != pattern(h->read++);
        i = iip_pkt_charge(pkt);
        iip_pkt_free(h->th.stk, pkt);
        iip_tcp_credit(h->th.stk, note->conn, i);
    }
}

static void read_notes(struct host *h)
{
    struct iip_note note;
    while (iip_stack_notes(h->th.stk, &note, 1)) {
        if (note.type == IIP_NOTE_ACCEPT)
            h->conn = note.conn;
        else if (note.type == IIP_NOTE_DATA)
            take_data(h, &note);
        else if (note.type == IIP_NOTE_FIN)
            h->fin = 1;
        else if (note.type == IIP_NOTE_CLOSED)
            h->conn = NULL, h->closed = 1, h->status = note.status;
    }
}

static void write_more(struct host *h)
{
    uint8_t bytes[4000];
    iip_s32 n;
    uint32_t i;
    while (h->conn && h->wrote < BYTES) {
        for (i = 0; i < sizeof(bytes); i++)
            bytes[i] = pattern(h->wrote + i);
        n = iip_tcp_write(h->th.stk, h->conn, bytes,
                          BYTES - h->wrote < sizeof(bytes) ? (iip_u32)(BYTES - h->wrote) : sizeof(bytes));
        if (n <= 0)
            return;
        h->wrote += (uint64_t)n;
    }
    if (h->conn && !h->shut)
        h->shut = iip_tcp_shutdown(h->th.stk, h->conn) == IIP_OK;
}

/* ---- the loop -------------------------------------------------------------------------------------------------- */

/* Calls that change nothing: again, and with times of before. */
static void fidget(struct host *h)
{
    uint64_t r = testhost_random(&w.rng);
    uint32_t before = h->sent;
    if (!w.restless)
        return;
    if (r & 1)
        iip_stack_output(h->th.stk, w.now - (r >> 8) % 5000);
    if (r & 2)
        iip_stack_input(h->th.stk, NULL, 0, w.now - (r >> 20) % 1000000);
    if (r & 4)
        iip_stack_output(h->th.stk, w.now);
    w.bad += h->sent != before;
}

static void turn(struct host *h)
{
    struct host *from = h->other;
    struct iip_pkt *pkts[WIRE];
    uint32_t i, n = 0;
    for (i = 0; i < from->wire_n; i++) {
        pkts[n] = testhost_pkt(&h->th, from->wire[i], from->len[i], 0);
        n += pkts[n] != NULL;
        free(from->wire[i]);
    }
    from->wire_n = 0;
    iip_stack_input(h->th.stk, pkts, n, w.now);
    read_notes(h);
    write_more(h);
    iip_stack_output(h->th.stk, w.now);
    read_notes(h);
    w.bad += iip_stack_deadline(h->th.stk) <= w.now;
    w.bad += (iip_stack_tx_pending(h->th.stk) != 0) != (h->refused != NULL);
    fidget(h);
}

/* Time goes on to the next deadline; a microsecond before it, nothing happens. */
static void pass(void)
{
    uint64_t due[2], next, at;
    uint32_t i, before = w.h[0].sent + w.h[1].sent;
    for (i = 0; i < 2; i++)
        due[i] = iip_stack_deadline(w.h[i].th.stk);
    next = due[0] < due[1] ? due[0] : due[1];
    if (next == IIP_NEVER || w.h[0].refused || w.h[1].refused) /* what waits for the port has no deadline: try again */
        next = w.now + 1000 < next ? w.now + 1000 : next;
    at = next - 1;
    for (i = 0; i < 2 && at > w.now && !w.refuse && w.restless; i++) {
        iip_stack_output(w.h[i].th.stk, at);
        w.bad += w.h[0].sent + w.h[1].sent != before;
    }
    w.now = next;
}

static void life(void)
{
    struct iip_endpoint to = server(), any = to;
    uint32_t i;
    int tries = 0;
    memset(&any.ip, 0, sizeof(any.ip));
    while (iip_tcp_listen(w.h[1].th.stk, &any, 4, NULL, &w.lis) && tries++ < 3)
        continue;
    while (iip_tcp_connect(w.h[0].th.stk, NULL, &to, NULL, &w.h[0].conn) && tries++ < 3)
        continue;
    for (i = 0; i < 20000 && !(w.h[0].closed && w.h[1].closed && w.now > 300000000u); i++) {
        turn(&w.h[0]);
        turn(&w.h[1]);
        if (!w.h[0].wire_n && !w.h[1].wire_n)
            pass();
    }
}

static void end_host(struct host *h)
{
    uint32_t i;
    for (i = 0; i < h->wire_n; i++)
        free(h->wire[i]);
    if (h->th.stk)
        iip_stack_free(h->th.stk);
    w.bad += h->th.frames_live != 0 || h->th.mem_live != 0 || h->th.error != NULL || h->disorder != 0;
}

/* A whole history; whatever `w` says that the hosts do. 0: they did not even open. */
static int history(int family, int layer2, uint64_t seed)
{
    int opened;
    w.family = family;
    w.layer2 = layer2;
    w.rng = seed;
    w.now = 1000000;
    w.script = 0xcbf29ce484222325u;
    w.bad = 0;
    memset(&w.h, 0, sizeof(w.h));
    opened = !open_host(&w.h[0], &w.h[1], 1) && !open_host(&w.h[1], &w.h[0], 2);
    if (opened)
        life();
    end_host(&w.h[0]);
    end_host(&w.h[1]);
    return opened;
}

static void check_exact(void)
{
    int i;
    for (i = 0; i < 2; i++) {
        CHECK_EQ(w.h[i].closed, 1);
        CHECK_EQ(w.h[i].status, IIP_OK);
        CHECK_EQ(w.h[i].read, BYTES);
        CHECK_EQ(w.h[i].fin, 1);
    }
    CHECK_EQ(w.bad, 0);
}

static void usual(void)
{
    memset(&w, 0, sizeof(w));
}

/* ---- tests ----------------------------------------------------------------------------------------------------- */

static void the_same_inputs_give_the_same_bytes(void)
{
    uint64_t first;
    int kind;
    for (kind = 0; kind < 4; kind++) {
        usual();
        history(kind & 1 ? 6 : 4, kind >> 1, 1);
        check_exact();
        first = w.script;
        history(kind & 1 ? 6 : 4, kind >> 1, 2);
        CHECK_EQ(w.script, first);
    }
}

static void more_calls_than_needed_change_nothing(void)
{
    uint64_t first;
    uint64_t seed;
    for (seed = 0; seed < 24; seed++) {
        usual();
        history(seed & 1 ? 6 : 4, seed >> 1 & 1, seed);
        first = w.script;
        w.restless = 1;
        history(seed & 1 ? 6 : 4, seed >> 1 & 1, seed);
        check_exact();
        CHECK_EQ(w.script, first);
    }
}

static void what_transmit_refuses_is_offered_again_in_order(void)
{
    uint64_t seed;
    for (seed = 0; seed < 24; seed++) {
        usual();
        w.refuse = 1;
        history(seed & 1 ? 6 : 4, seed >> 1 & 1, seed);
        check_exact();
    }
}

/* The streams are whole, or the failed one says so; nothing leaks. */
static void check_clean(uint64_t frame_at, uint64_t mem_at)
{
    int whole = w.h[0].read == BYTES && w.h[1].read == BYTES;
    if (!CHECK_EQ(w.bad, 0) || !CHECK(whole && w.h[0].closed && w.h[1].closed))
        printf("    frame %llu, memory %llu: %llu and %llu bytes, closed %d %d, status %d\n",
               (unsigned long long)frame_at, (unsigned long long)mem_at, (unsigned long long)w.h[0].read,
               (unsigned long long)w.h[1].read, w.h[0].closed, w.h[1].closed, w.h[0].status);
}

static void any_call_may_fail(int victim, int family, int layer2)
{
    uint64_t frames, blocks, k;
    usual();
    history(family, layer2, 1);
    frames = w.h[victim].th.frame_calls;
    blocks = w.h[victim].th.mem_calls;
    CHECK(frames > 20 && blocks > 5);
    for (k = 1; k <= frames; k++) {
        usual();
        w.victim = victim;
        w.frame_at = k;
        if (history(family, layer2, 1))
            check_clean(k, 0);
    }
    for (k = 1; k <= blocks; k++) {
        usual();
        w.victim = victim;
        w.mem_at = k;
        if (history(family, layer2, 1))
            check_clean(0, k);
        else
            CHECK_EQ(w.bad, 0);
    }
}

static void any_call_may_fail_over_ethernet(void)
{
    any_call_may_fail(0, 4, 1);
    any_call_may_fail(0, 6, 1);
}

static void any_call_may_fail_at_l3(void)
{
    any_call_may_fail(0, 4, 0);
    any_call_may_fail(1, 4, 0);
}

static void many_calls_fail_and_many_packets_are_refused(void)
{
    uint64_t seed;
    for (seed = 0; seed < 24; seed++) {
        usual();
        w.refuse = (int)(seed >> 2 & 1);
        w.fail_ppm = 50000;
        if (history(seed & 1 ? 6 : 4, seed >> 1 & 1, seed))
            check_clean(0, 0);
    }
}

int main(void)
{
    RUN(the_same_inputs_give_the_same_bytes);
    RUN(more_calls_than_needed_change_nothing);
    RUN(what_transmit_refuses_is_offered_again_in_order);
    RUN(any_call_may_fail_over_ethernet);
    RUN(any_call_may_fail_at_l3);
    RUN(many_calls_fail_and_many_packets_are_refused);
    return check_done();
}

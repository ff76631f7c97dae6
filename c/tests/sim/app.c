/* app.c - applications that write, stall, half-close, abort and go away, and check every byte that they read. */
#include "sim.h"

static struct end *end_of(struct attempt *at, const struct node *node)
{
    return &at->end[at->client == node->index ? 0 : 1];
}

static void release(struct sim *sim, struct end *e)
{
    struct node *node = &sim->node[e->side ? e->at->server : e->at->client];
    for (; e->kept_from != e->kept_to; e->kept_from++) {
        struct iip_pkt *pkt = e->kept[e->kept_from % KEPT_MAX];
        pkt->link = NULL;
        if (e->conn)
            iip_tcp_done(node->stk, e->conn, pkt);
        else
            iip_pkt_free(node->stk, pkt);
    }
}

static void on_data(struct sim *sim, struct node *node, struct end *e, const struct iip_note *note)
{
    struct iip_pkt *pkt, *view;
    uint64_t before = e->received;
    uint32_t i;
    for (pkt = note->pkt; pkt; pkt = pkt->link) {
        for (view = pkt; view; view = view->next)
            for (i = 0; i < view->len; i++, e->received++)
                if (view->data[i] != stream_byte(e->at, !e->side, e->received))
                    sim_fail(sim, "connection %d, node %d: byte %llu of the stream is wrong", e->at->index, node->index,
                             (unsigned long long)e->received);
    }
    if (e->received - before != note->bytes)
        sim_fail(sim, "connection %d: a DATA note of %u bytes has %llu", e->at->index, note->bytes,
                 (unsigned long long)(e->received - before));
    for (pkt = note->pkt; pkt; pkt = view) {
        view = pkt->link;
        e->kept[e->kept_to++ % KEPT_MAX] = pkt;
        if (e->kept_to - e->kept_from == KEPT_MAX)
            release(sim, e);
    }
    if (e->fin)
        sim_fail(sim, "connection %d: data behind the end of the stream", e->at->index);
    if (e->stall_until <= sim->now)
        e->stall_until = chance(sim, e->stall_ppm) ? sim->now + below(sim, 300000) : 0;
}

static struct attempt *accepted(struct sim *sim, struct node *node, const struct iip_note *note)
{
    int i;
    for (i = sim->attempts - 1; i >= 0; i--) {
        struct attempt *at = &sim->attempt[i];
        if (at->server == node->index && at->cport == note->peer.port &&
            !memcmp(sim->node[at->client].ip.b, note->peer.ip.b, 16) && at->sport == note->local.port)
            return at;
    }
    return NULL;
}

static void start(struct sim *sim, struct node *node, struct end *e, struct iip_tcp_conn *conn)
{
    e->conn = conn;
    e->live = 1;
    e->wake = sim->now;
    iip_tcp_user_set(conn, e);
    if (e->at->dirty && !sim->plan.harsh) { /* as plan_tune does for all in harsh seeds */
        iip_tcp_set(node->stk, conn, IIP_TCP_KEEPALIVE, 1);
        iip_tcp_set(node->stk, conn, IIP_TCP_KEEPIDLE_US, 5000000);
        iip_tcp_set(node->stk, conn, IIP_TCP_KEEPINTVL_US, 1000000);
        iip_tcp_set(node->stk, conn, IIP_TCP_KEEPCNT, 5);
    }
}

/* A cookie that came back late: nobody is there any more. */
static void on_stray(struct node *node, struct iip_tcp_conn *conn)
{
    int i;
    for (i = 0; i < 8; i++)
        if (!node->stray[i]) {
            node->stray[i] = conn;
            break;
        }
    iip_tcp_abort(node->stk, conn);
}

static int is_stray(struct node *node, const struct iip_note *note)
{
    struct iip_pkt *pkt, *next;
    int i;
    for (i = 0; i < 8 && (!note->conn || node->stray[i] != note->conn); i++)
        ;
    if (i == 8)
        return 0;
    for (pkt = note->type == IIP_NOTE_DATA ? note->pkt : NULL; pkt; pkt = next) {
        next = pkt->link;
        iip_pkt_free(node->stk, pkt);
    }
    if (note->type == IIP_NOTE_CLOSED)
        node->stray[i] = NULL;
    return 1;
}

static void on_accept(struct sim *sim, struct node *node, struct iip_note *note)
{
    struct attempt *at = accepted(sim, node, note);
    if (at && at->end[1].live && sim->plan.harsh) {
        on_stray(node, note->conn);
        return;
    }
    if (!at || at->end[1].live)
        sim_fail(sim, "node %d accepted a connection that nobody opened", node->index);
    start(sim, node, &at->end[1], note->conn);
    at->end[1].connected = 1;
}

static void on_closed(struct sim *sim, struct end *e, int status)
{
    if (e->done)
        sim_fail(sim, "connection %d closed twice", e->at->index);
    e->done = 1;
    e->status = status;
    e->conn = NULL;
    release(sim, e);
    if (sim->verbose)
        printf("%12.6f   connection %d, %s: closed with %d; sent %llu of %llu, received %llu\n", (double)sim->now / 1e6,
               e->at->index, e->side ? "server" : "client", status, (unsigned long long)e->sent,
               (unsigned long long)e->total, (unsigned long long)e->received);
}

/* By the pointer: a cookie that was set after ACCEPT is not in notes that were taken together with it. */
static struct end *whose(struct sim *sim, const struct node *node, const struct iip_note *note)
{
    int i;
    for (i = 0; i < sim->attempts; i++) {
        struct attempt *at = &sim->attempt[i];
        struct end *e = end_of(at, node);
        if ((at->client == node->index || at->server == node->index) && e->conn == note->conn && e->live && !e->done)
            return e;
    }
    return NULL;
}

static void on_note(struct sim *sim, struct node *node, struct iip_note *note)
{
    struct end *e;
    if (note->type == IIP_NOTE_ACCEPT)
        on_accept(sim, node, note);
    if (is_stray(node, note))
        return;
    e = note->conn ? whose(sim, node, note) : NULL;
    if (!e)
        sim_fail(sim, "a note of type %d for no connection that is open", note->type);
    switch (note->type) {
    case IIP_NOTE_CONNECTED:
        if (e->connected)
            sim_fail(sim, "connection %d connected twice", e->at->index);
        e->connected = 1;
        e->blocked = 0;
        break;
    case IIP_NOTE_DATA:
        on_data(sim, node, e, note);
        break;
    case IIP_NOTE_FIN:
        if (e->fin)
            sim_fail(sim, "connection %d: two ends of the stream", e->at->index);
        e->fin = 1;
        break;
    case IIP_NOTE_WRITABLE:
        e->blocked = 0;
        break;
    case IIP_NOTE_CLOSED:
        on_closed(sim, e, note->status);
        break;
    default:
        break;
    }
}

void app_notes(struct sim *sim, struct node *node)
{
    struct iip_note note[8];
    uint32_t n, i;
    if (sim->now < node->look_at)
        return;
    while ((n = iip_stack_notes(node->stk, note, 1 + (uint32_t)below(sim, 8))) != 0)
        for (i = 0; i < n; i++)
            on_note(sim, node, &note[i]);
}

static int64_t write_some(struct sim *sim, struct node *node, struct end *e, uint32_t len)
{
    static uint8_t bytes[1 << 17];
    struct iip_pkt *pkt;
    int64_t got;
    uint32_t i;
    for (i = 0; i < len; i++)
        bytes[i] = stream_byte(e->at, e->side, e->sent + i);
    if (!chance(sim, e->by_ref_ppm))
        return iip_tcp_write(node->stk, e->conn, bytes, len);
    pkt = testhost_pkt(&node->th, bytes, len, 1 + (uint32_t)below(sim, 4000));
    if (!pkt)
        return IIP_E_NOMEM;
    got = iip_tcp_send(node->stk, e->conn, pkt);
    if (got < (int64_t)len)
        iip_pkt_free(node->stk, pkt);
    return got;
}

static void write_all(struct sim *sim, struct node *node, struct end *e)
{
    while (e->sent < e->total && !e->blocked && !e->shut && e->wake <= sim->now && e->sent < e->abort_at) {
        uint64_t left = e->total - e->sent;
        uint32_t len = left < e->chunk ? (uint32_t)left : e->chunk;
        int64_t got;
        if (len > 1 << 17)
            len = 1 << 17;
        got = write_some(sim, node, e, len);
        if (got == IIP_E_NOBUFS || got == IIP_E_NOMEM || (got == IIP_E_NOT_CONNECTED && !e->connected)) {
            e->wake = sim->now + 1000 + below(sim, 1000);
            return;
        }
        if (got == IIP_E_AGAIN) {
            e->blocked = 1;
            return;
        }
        if (got < 0 && (e->at->dirty || (got == IIP_E_NOT_CONNECTED && sim->plan.harsh)))
            return; /* the end of it is on its way as a note */
        if (got <= 0 || got > (int64_t)len)
            sim_fail(sim, "connection %d: write of %u bytes says %lld", e->at->index, len, (long long)got);
        e->sent += (uint64_t)got;
        e->wake = e->think_us ? sim->now + below(sim, e->think_us) : sim->now;
    }
}

static void end_run(struct sim *sim, struct node *node, struct end *e)
{
    int status = 0;
    if (e->stall_until <= sim->now)
        release(sim, e);
    write_all(sim, node, e);
    if (e->sent >= e->abort_at && !e->shut) {
        e->shut = 1;
        iip_tcp_abort(node->stk, e->conn);
        return;
    }
    if (e->sent < e->total || e->shut || e->wake > sim->now)
        return;
    e->shut = 1;
    if (e->close_early || (e->fin && e->at->index & 1))
        status = iip_tcp_close(node->stk, e->conn);
    else
        status = iip_tcp_shutdown(node->stk, e->conn);
    if (status == IIP_E_NOT_CONNECTED && !e->connected) {
        e->shut = 0;
        e->wake = sim->now + 10000;
    } else if (status && !e->at->dirty && !sim->plan.harsh) {
        sim_fail(sim, "connection %d: shutdown says %d", e->at->index, status);
    }
}

void app_run(struct sim *sim, struct node *node)
{
    int i;
    node->app_wake = node->look_at > sim->now ? node->look_at : UINT64_MAX;
    for (i = 0; i < sim->attempts; i++) {
        struct attempt *at = &sim->attempt[i];
        struct end *e = end_of(at, node);
        if ((at->client != node->index && at->server != node->index) || !e->live || e->done || !e->conn)
            continue;
        end_run(sim, node, e);
        if (!e->shut && !e->blocked && e->wake > sim->now && e->wake < node->app_wake)
            node->app_wake = e->wake;
        if (e->kept_from != e->kept_to && e->stall_until < node->app_wake)
            node->app_wake = e->stall_until;
    }
}

void app_connect(struct sim *sim)
{
    struct attempt *at = &sim->attempt[sim->attempts];
    struct iip_endpoint peer;
    struct iip_tcp_conn *conn;
    struct iip_tcp_info info;
    struct node *node;
    int status;
    sim->next_connect = sim->now + below(sim, 100000);
    if (!at->used) {
        memset(at, 0, sizeof(*at));
        at->index = sim->attempts;
        plan_conn(sim, at);
        at->used = 1;
    }
    node = &sim->node[at->client];
    memset(&peer, 0, sizeof(peer));
    peer.ip = sim->node[at->server].ip;
    peer.port = 80;
    status = iip_tcp_connect(node->stk, NULL, &peer, &at->end[0], &conn);
    if (status == IIP_E_NOMEM || status == IIP_E_NOBUFS)
        return; /* again later */
    if (status)
        sim_fail(sim, "connect says %d", status);
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(node->stk, conn, &info);
    at->cport = info.local.port;
    at->sport = 80;
    sim->attempts++;
    sim->wanted--;
    start(sim, node, &at->end[0], conn);
    if (!sim->plan.harsh && below(sim, 2))
        at->end[0].wake = sim->now + below(sim, 1000);
    node->due = sim->now;
}

int app_done(const struct sim *sim)
{
    int i;
    for (i = 0; i < sim->attempts; i++) {
        const struct attempt *at = &sim->attempt[i];
        if (!at->end[0].done || (at->end[1].live && !at->end[1].done))
            return 0;
        if (!at->end[1].live && at->end[0].status == IIP_OK)
            return 0;
    }
    return !sim->wanted;
}

static int forgiven(const struct sim *sim, const struct attempt *at, int status)
{
    return at->dirty || (sim->plan.harsh && (status == IIP_E_TIMEOUT || status == IIP_E_RESET || status == IIP_OK));
}

/* Nothing is lost, and nothing ends badly without a reason. */
void app_judge(struct sim *sim)
{
    int i, side;
    for (i = 0; i < sim->attempts; i++) {
        struct attempt *at = &sim->attempt[i];
        for (side = 0; side < 2; side++) {
            struct end *e = &at->end[side], *peer = &at->end[!side];
            /* The last ACK was lost and TIME-WAIT is over: our FIN is answered with RST, though all has arrived. */
            if (e->status == IIP_E_RESET && !peer->status && e->received == peer->total && peer->received == e->total)
                continue;
            if (forgiven(sim, at, e->status) && forgiven(sim, at, peer->status) &&
                (at->dirty || e->status || peer->status))
                continue;
            if (e->status)
                sim_fail(sim, "connection %d, %s: closed with status %d", i, side ? "server" : "client", e->status);
            if (!e->live || e->received != peer->total || !e->fin)
                sim_fail(sim, "connection %d, %s: received %llu of %llu bytes, fin %d", i, side ? "server" : "client",
                         (unsigned long long)e->received, (unsigned long long)peer->total, e->fin);
        }
    }
}

/* look.c - what a turn answered, held against what the application knows. */
#include "monkey.h"

/* ---- operations ---- */

static int is_send(uint32_t code)
{
    return code == IIP_OP_SEND_BUF || code == IIP_OP_SEND_EXTERN || code == IIP_OP_SEND_COPY;
}

/* Less than all of a send was taken, and not for good. */
static int is_owed(int32_t status)
{
    uint32_t kind = iip_status_class(status);
    return kind == IIP_CLASS_OK || kind == IIP_CLASS_RETRY || kind == IIP_CLASS_RESOURCE;
}

static void look_send(struct monkey *m, struct monkey_conn *c, const struct iip_op *o)
{
    if (o->out > o->len)
        monkey_fail(m, "%llu bytes of %u were taken", (unsigned long long)o->out, o->len);
    if (o->out && !c->claimed)
        monkey_fail(m, "a send was taken behind one that was not");
    c->sent += o->out;
    c->owed |= o->out < o->len && is_owed(o->status);
    c->claimed = o->out < o->len ? 0 : c->claimed; /* nothing behind it may be taken */
    if (o->code == IIP_OP_SEND_EXTERN && o->out)
        m->externs++;
    if (o->code == IIP_OP_SEND_BUF && o->out < o->len)
        monkey_hold(m, o->buf);
}

static void look_ops(struct monkey *m, uint32_t n)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        const struct iip_op *o = &m->s.area.ops[i];
        struct monkey_conn *c = m->sent[i].conn;
        if (is_send(o->code))
            look_send(m, c, o);
        else if (o->code == IIP_OP_CLOSE && !c)
            m->listener = o->status == IIP_OK ? 0 : m->listener;
    }
    for (i = 0; i < MONKEY_CONNS; i++)
        m->conns[i].claimed = 0;
}

/* ---- events ---- */

static struct monkey_conn *known(struct monkey *m, const struct iip_event *e)
{
    struct monkey_conn *c = e->src ? monkey_conn_find(m, e->src) : NULL;
    if (!c)
        monkey_fail(m, "event %u of the unknown connection %llx", e->type, (unsigned long long)e->src);
    return c;
}

/* The client's port and who speaks make the key: the pair has two. */
static void keys(struct monkey *m, struct monkey_conn *c, const struct iip_event *e)
{
    const struct iip_addrs *ends = (const struct iip_addrs *)(m->s.area.aux + e->aux);
    uint32_t port = c->accepted ? ends->peer.port : ends->local.port;
    if (!e->aux || !port)
        monkey_fail(m, "event %u names no ends", e->type);
    c->key = port * 2 + c->accepted;
}

static void look_accept(struct monkey *m, const struct iip_event *e)
{
    struct monkey_conn *c = monkey_conn_new(m, e->src, 1);
    if (c)
        keys(m, c, e);
    else
        iip_conn_abort(e->src);
}

static void look_data(struct monkey *m, const struct iip_event *e)
{
    struct monkey_conn *c = known(m, e);
    struct monkey_conn peer = {.key = c->key ^ 1};
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)e->addr;
    uint32_t i;
    if (!c->connected || c->fin || !e->buf || !e->len)
        monkey_fail(m, "DATA where none can be (connected %u, fin %u, %u bytes)", c->connected, c->fin, e->len);
    for (i = 0; i < e->len; i++)
        if (bytes[i] != *monkey_stream(&peer, c->got + i))
            monkey_fail(m, "byte %llu of a stream is wrong", (unsigned long long)(c->got + i));
    c->got += e->len;
    m->run->bytes += e->len;
}

static void look_timer(struct monkey *m, const struct iip_event *e)
{
    uint32_t i;
    for (i = 0; i < MONKEY_TIMERS; i++)
        if (m->timers[i] == e->src) {
            m->timers[i] = 0;
            if (e->type == IIP_EVENT_TIMER && e->value > m->s.turn.now_us)
                monkey_fail(m, "a timer fired early");
            return;
        }
    monkey_fail(m, "a timer fired that was cancelled, or has fired before");
}

/* All that its peer sent has come, where that still stands in its list. */
static void look_fin(struct monkey *m, struct monkey_conn *c)
{
    struct monkey *other = &m->run->side[!m->index];
    uint32_t i;
    if (c->fin++)
        monkey_fail(m, "FIN twice");
    for (i = 0; i < MONKEY_CONNS; i++) {
        const struct monkey_conn *peer = &other->conns[i];
        if (peer->handle && peer->key == (c->key ^ 1) && peer->accepted != c->accepted && c->got != peer->sent)
            monkey_fail(m, "FIN after %llu bytes of %llu", (unsigned long long)c->got, (unsigned long long)peer->sent);
    }
}

static void look_done(struct monkey *m, const struct iip_event *e)
{
    struct monkey_conn *c = monkey_conn_find(m, e->user);
    if (!c)
        return; /* it ended meanwhile */
    if (!c->posted)
        monkey_fail(m, "DONE of nothing that was posted");
    c->owed |= e->value < c->posted && is_owed(e->status);
    c->posted = 0;
    c->sent += e->value;
}

static void look_writable(struct monkey *m, const struct iip_event *e)
{
    struct monkey_conn *c = monkey_conn_find(m, e->src);
    if (c && !c->owed)
        monkey_fail(m, "WRITABLE where all was taken");
    if (c)
        c->owed = 0;
}

static void look_closed(struct monkey *m, const struct iip_event *e)
{
    if (e->src >> 50 == IIP_KIND_TIMER)
        look_timer(m, e);
    else if (e->src >> 50 == IIP_KIND_LISTENER)
        m->listener = m->listener == e->src ? 0 : m->listener;
    else if (monkey_conn_find(m, e->src)) /* or it was one too many */
        monkey_conn_find(m, e->src)->handle = 0;
}

static void look_event(struct monkey *m, const struct iip_event *e)
{
    switch (e->type) {
    case IIP_EVENT_ACCEPT:
        look_accept(m, e);
        break;
    case IIP_EVENT_CONNECTED:
        if (known(m, e)->connected)
            monkey_fail(m, "CONNECTED twice");
        known(m, e)->connected = 1;
        keys(m, known(m, e), e);
        break;
    case IIP_EVENT_DATA:
        if (monkey_conn_find(m, e->src))
            look_data(m, e);
        break;
    case IIP_EVENT_FIN:
        if (monkey_conn_find(m, e->src))
            look_fin(m, known(m, e));
        break;
    case IIP_EVENT_WRITABLE:
        look_writable(m, e);
        break;
    case IIP_EVENT_TIMER:
        look_timer(m, e);
        break;
    case IIP_EVENT_TX_DONE:
        if (!m->externs--)
            monkey_fail(m, "TX_DONE of nothing that was sent");
        break;
    case IIP_EVENT_DONE:
        look_done(m, e);
        break;
    case IIP_EVENT_CLOSED:
        look_closed(m, e);
        break;
    default:
        break;
    }
    if (e->buf)
        monkey_hold(m, e->buf);
}

void monkey_look(struct monkey *m, uint32_t ops)
{
    uint32_t i;
    if (m->s.turn.release_failed)
        monkey_fail(m, "%u buffers that were never released are stale", m->s.turn.release_failed);
    look_ops(m, ops);
    for (i = 0; i < m->s.turn.event_n; i++)
        look_event(m, &m->s.area.events[i]);
}

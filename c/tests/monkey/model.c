/* model.c - what an application knows. */
#include <stdarg.h>

#include "monkey.h"

uint8_t iip_monkey_bytes[MONKEY_PERIOD + MONKEY_CHUNK];

void monkey_fail(struct monkey *m, const char *format, ...)
{
    char *text = m->run->reason;
    int n = snprintf(text, sizeof m->run->reason, "side %u: ", m->index);
    va_list ap;
    va_start(ap, format);
    vsnprintf(text + n, sizeof m->run->reason - (size_t)n, format, ap);
    va_end(ap);
    longjmp(m->run->fail, 1);
}

/* splitmix64 */
uint64_t monkey_random(struct monkey_run *run)
{
    uint64_t z = run->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint32_t monkey_below(struct monkey_run *run, uint32_t n)
{
    return (uint32_t)(monkey_random(run) % n);
}

struct monkey_conn *monkey_conn_find(struct monkey *m, uint64_t handle)
{
    uint32_t i;
    for (i = 0; i < MONKEY_CONNS; i++)
        if (m->conns[i].handle == handle)
            return &m->conns[i];
    return NULL;
}

/* Null: it is one too many. */
struct monkey_conn *monkey_conn_new(struct monkey *m, uint64_t handle, int accepted)
{
    struct monkey_conn *c = monkey_conn_find(m, 0);
    if (monkey_conn_find(m, handle))
        monkey_fail(m, "a new connection has the handle %llx of another", (unsigned long long)handle);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->handle = handle;
    c->accepted = accepted != 0;
    c->connected = accepted != 0;
    m->run->conns++;
    return c;
}

struct monkey_conn *monkey_conn_any(struct monkey *m)
{
    uint32_t i, first = monkey_below(m->run, MONKEY_CONNS);
    for (i = 0; i < MONKEY_CONNS; i++) {
        struct monkey_conn *c = &m->conns[(first + i) % MONKEY_CONNS];
        if (c->handle)
            return c;
    }
    return NULL;
}

const uint8_t *monkey_stream(const struct monkey_conn *c, uint64_t at)
{
    return iip_monkey_bytes + (c->key + at) % MONKEY_PERIOD;
}

void monkey_hold(struct monkey *m, uint64_t buf)
{
    if (m->held_n < MONKEY_HELD)
        m->held[m->held_n++] = buf;
    else if (iip_buf_release(buf))
        monkey_fail(m, "a buffer that was never released is stale");
}

uint64_t monkey_unhold(struct monkey *m)
{
    uint32_t i;
    uint64_t buf;
    if (!m->held_n)
        return 0;
    i = monkey_below(m->run, m->held_n);
    buf = m->held[i];
    m->held[i] = m->held[--m->held_n];
    return buf;
}

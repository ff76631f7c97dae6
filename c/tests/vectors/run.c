/* run.c - plays a vector (README.md) on libiip and prints its trace: run DIR FILE.vec; DIR takes the captures. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iip/iip.h"

enum { WORDS = 16, ENGINES = 4, OBJECTS = 512, HELD = 8192, PENDING = 64, PATTERN = 2 << 20, PUMP = 65536 };
#define HASH_START 0xcbf29ce484222325ULL

struct object { /* what a vector has a name for: connection, listener, endpoint, timer, region */
    const struct engine *at;
    char name[32];
    uint64_t handle, tx, goal, rx, rx_hash;
    uint32_t children; /* accepted */
    int blocked;       /* a send was taken in part, and WRITABLE is awaited */
};

struct verb { /* an operation, and what the words behind the object's name are: see `fill` */
    const char *name, *words;
    uint16_t code;
    int makes; /* the object */
};

struct engine {
    char name[32], pcap[512];
    struct iip_engine *engine;
    struct iip_loop *loop;
    struct iip_area area;
    struct iip_turn turn;
    int hold, list, mute;
    uint32_t state;
    struct { /* of each operation of the coming turn */
        char line[128];
        const struct verb *verb;
        struct object *about;
        struct iip_addrs addrs;
    } pending[PENDING];
};

static const char *const events[] = {"NONE",   "ACCEPT", "CONNECTED", "DATA",    "FIN",   "WRITABLE", "URGENT", "ERROR",
                                     "CLOSED", "UDP",    "UDP_ERROR", "TX_DONE", "TIMER", "DONE",     "LINK"};
static const char *const options[] = {"NODELAY",      "CORK",        "KEEPALIVE",       "KEEPIDLE_US",
                                      "KEEPINTVL_US", "KEEPCNT",     "USER_TIMEOUT_US", "DSCP",
                                      "TTL",          "SNDBUF",      "RCVBUF",          "QUICKACK",
                                      "CC",           "SYN_RETRIES", "EXPLICIT_CREDIT"};
static const struct verb verbs[] = {{"connect", "P", IIP_OP_CONNECT, 1},
                                    {"listen", "LN", IIP_OP_LISTEN, 1},
                                    {"udp", "LP", IIP_OP_UDP_OPEN, 1},
                                    {"timer", "A", IIP_OP_TIMER, 1},
                                    {"timerat", "W", IIP_OP_TIMER, 1},
                                    {"send", "NS", IIP_OP_SEND_COPY, 0},
                                    {"sendbuf", "NT", IIP_OP_SEND_BUF, 0},
                                    {"forward", "B", IIP_OP_SEND_BUF, 0},
                                    {"extern", "RAN", IIP_OP_SEND_EXTERN, 0},
                                    {"udpsend", "PND", IIP_OP_UDP_SEND_COPY, 0},
                                    {"udpforward", "PB", IIP_OP_UDP_SEND, 0},
                                    {"credit", "N", IIP_OP_CREDIT, 0},
                                    {"shutdown", "", IIP_OP_SHUTDOWN, 0},
                                    {"close", "", IIP_OP_CLOSE, 0},
                                    {"abort", "", IIP_OP_ABORT, 0},
                                    {"cancel", "", IIP_OP_CANCEL, 0},
                                    {"set", "OA", IIP_OP_SET, 0},
                                    {"user", "U", IIP_OP_USER, 0},
                                    {"urgent", "", IIP_OP_URGENT, 0}};
static struct engine engines[ENGINES];
static struct object objects[OBJECTS], nobody = {.name = "-"};
static struct {
    uint64_t buf;
    uint32_t len;
} held[HELD];
static uint32_t engine_n, object_n, held_n;
static uint8_t pattern[PATTERN];

static _Noreturn void fail(const char *what, const char *word)
{
    fprintf(stderr, "%s: %s\n", what, word ? word : "nothing");
    exit(2);
}

static uint64_t hash(uint64_t h, const void *bytes, uint64_t n) /* FNV-1a */
{
    for (const uint8_t *p = bytes; n--; p++)
        h = (h ^ *p) * 0x100000001b3;
    return h;
}

static struct object *object_new(const struct engine *at, const char *name)
{
    if (object_n == OBJECTS)
        fail("too many objects", name);
    objects[object_n] = (struct object){.at = at, .rx_hash = HASH_START};
    snprintf(objects[object_n].name, sizeof objects[0].name, "%s", name);
    return &objects[object_n++];
}

static struct object *object(const char *name)
{
    for (uint32_t i = object_n; name && i--;)
        if (strcmp(objects[i].name, name) == 0)
            return &objects[i];
    fail("no such name", name);
}

static struct object *object_of(uint64_t handle)
{
    for (uint32_t i = object_n; i-- && handle;)
        if (objects[i].handle == handle)
            return &objects[i];
    return &nobody;
}

static uint64_t number(const char *word)
{
    return word ? strtoull(word, NULL, 10) : 0;
}

static uint64_t buffer(const char *name) /* "@3" */
{
    if (!name || number(name + 1) >= held_n)
        fail("no such buffer", name);
    return number(name + 1);
}

static struct iip_addr address(const char *text)
{
    struct iip_addr addr = {.port = 0};
    if (text && strcmp(text, "-") != 0 && iip_addr_parse(text, &addr) < 0)
        fail("no address", text);
    return addr;
}

/* ---- operations ---- */

static void fill(struct engine *e, struct iip_op *op, char what, const char *word)
{
    const struct object *o = e->pending[op - e->area.ops].about;
    struct iip_addrs *addrs = &e->pending[op - e->area.ops].addrs;
    switch (what) {
    case 'L':
        addrs->local = address(word), op->arg = (uintptr_t)addrs;
        break;
    case 'P':
        addrs->peer = address(word), op->arg = (uintptr_t)addrs;
        break;
    case 'N':
        op->len = (uint32_t)number(word), op->arg |= op->code == IIP_OP_SEND_COPY ? (uintptr_t)(pattern + o->tx) : 0;
        break;
    case 'A':
        op->arg = number(word);
        break;
    case 'W': /* when, instead of how long from now */
        op->arg = number(word), op->flags = IIP_OP_ABSOLUTE;
        break;
    case 'U':
        op->user = number(word);
        break;
    case 'B':
        op->buf = held[buffer(word)].buf, op->len = held[buffer(word)].len;
        break;
    case 'R':
        op->buf = object(word)->handle;
        break;
    case 'S':
        op->flags = word ? IIP_OP_SHUT : 0;
        break;
    case 'D':
        op->buf = (uintptr_t)pattern;
        break;
    case 'T': /* an empty buffer, which the library lays out */
        op->buf = e->area.tx_free[e->turn.tx_taken].buf;
        memcpy((void *)(uintptr_t)e->area.tx_free[e->turn.tx_taken++].addr, pattern + o->tx, op->len);
        break;
    case 'O':
        while (word && op->offset < 15 && strcmp(options[op->offset], word) != 0)
            op->offset++;
        if (!word || op->offset == 15)
            fail("no such option", word);
        op->offset = op->offset == 14 ? IIP_OPT_EXPLICIT_CREDIT : op->offset + 1;
    }
}

static int operation(struct engine *e, char **w, const char *line)
{
    const struct verb *v = verbs, *end = verbs + sizeof verbs / sizeof verbs[0];
    uint32_t i = e->turn.op_n;
    while (w[1] && v < end && strcmp(v->name, w[1]) != 0)
        v++;
    if (!w[1] || v == end)
        return 0;
    if (e->turn.op_n++ == PENDING)
        fail("too many operations in one turn", line);
    e->pending[i].verb = v;
    e->pending[i].about = v->makes ? object_new(e, w[2]) : object(w[2]);
    e->pending[i].addrs = (struct iip_addrs){.local = {.port = 0}};
    snprintf(e->pending[i].line, sizeof e->pending[i].line, "%s", line);
    e->area.ops[i] = (struct iip_op){.code = v->code};
    if (v->makes)
        e->area.ops[i].user = object_n; /* the cookie: the how many-th object it is */
    else
        e->area.ops[i].obj = e->pending[i].about->handle;
    for (uint32_t k = 0; v->words[k]; k++)
        fill(e, &e->area.ops[i], v->words[k], v->words[k] == 'T' || v->words[k] == 'D' ? NULL : w[3] ? w[3 + k] : NULL);
    return 1;
}

static void tell_operation(struct engine *e, uint32_t i)
{
    const struct iip_op *op = &e->area.ops[i];
    struct object *o = e->pending[i].about;
    printf("> %s -> %s", e->pending[i].line, iip_status_name(op->status));
    if (e->pending[i].verb->makes)
        o->handle = op->out;
    else if (op->out)
        printf(" %" PRIu64, op->out);
    printf("\n");
    if (op->code < IIP_OP_SEND_BUF || op->code > IIP_OP_SEND_COPY)
        return;
    o->tx += op->out;
    o->blocked |= op->out < op->len;
    if (op->status < 0 && op->status != IIP_E_AGAIN)
        o->goal = 0;
}

static void pump(struct engine *e)
{
    for (uint32_t i = 0; i < object_n; i++) {
        struct object *o = &objects[i];
        uint64_t n = o->goal > o->tx ? o->goal - o->tx : 0;
        char count[24], line[128], *w[] = {e->name, "send", o->name, count, NULL};
        if (o->at != e || !n || o->blocked)
            continue;
        snprintf(count, sizeof count, "%" PRIu64, n < PUMP ? n : PUMP);
        snprintf(line, sizeof line, "%s send %s %s", e->name, o->name, count);
        operation(e, w, line);
    }
}

/* ---- a turn, and what it tells ---- */

static struct object *subject(const struct engine *e, const struct iip_event *ev)
{
    struct object *listener = object_of(ev->value), *o;
    char name[32];
    if (ev->type != IIP_EVENT_ACCEPT)
        return object_of(ev->src);
    snprintf(name, sizeof name, "%.16s.%u", listener->name, ++listener->children);
    o = object_new(e, name);
    o->handle = ev->src;
    return o;
}

static void tell_event(struct engine *e, const struct iip_event *ev)
{
    const struct iip_addrs *ends = (const struct iip_addrs *)(const void *)(e->area.aux + ev->aux);
    const void *bytes = (const void *)(uintptr_t)ev->addr;
    struct object *o = subject(e, ev);
    char local[56], peer[56];
    o->blocked &= ev->type != IIP_EVENT_WRITABLE;
    if (ev->buf) {
        o->rx += ev->len;
        o->rx_hash = hash(o->rx_hash, bytes, ev->len);
        if (held_n == HELD)
            fail("too many buffers", o->name);
        held[held_n].buf = ev->buf;
        held[held_n++].len = ev->len;
        if (!e->hold)
            e->area.releases[e->turn.release_n++] = ev->buf;
    }
    if (ev->buf && e->mute)
        return;
    printf("%" PRIu64 " %s %s %s %s", e->turn.now_us, e->name, o->name, events[ev->type], iip_status_name(ev->status));
    if (ev->user)
        printf(" user=%" PRIu64, ev->user);
    if (ev->flags)
        printf(" flags=%u", ev->flags);
    if (ev->len)
        printf(" len=%u", ev->len);
    if (ev->buf)
        printf(" hash=%016" PRIx64 " buf=@%u", hash(HASH_START, bytes, ev->len), held_n - 1);
    if (ev->value && ev->type != IIP_EVENT_ACCEPT && ev->value != ev->src) /* no handle */
        printf(" value=%" PRIu64, ev->value);
    if (ev->aux && iip_addr_format(&ends->local, local, 56) >= 0 && iip_addr_format(&ends->peer, peer, 56) >= 0)
        printf(" local=%s peer=%s", local, peer);
    printf("\n");
}

static int turn(struct engine *e, uint32_t flags) /* 1: something happened */
{
    uint32_t ops = (pump(e), e->turn.op_n), state;
    e->turn.flags = flags;
    int32_t n = iip_loop_turn(e->loop, &e->turn);
    if (n < 0)
        fail("turn", iip_status_name(n));
    for (uint32_t i = 0; i < ops; i++)
        tell_operation(e, i);
    if (e->turn.release_failed)
        printf("%" PRIu64 " %s release_failed=%u\n", e->turn.now_us, e->name, e->turn.release_failed);
    for (int32_t i = 0; i < n; i++)
        tell_event(e, &e->area.events[i]);
    state = e->turn.state & ~(uint32_t)IIP_STATE_MORE;
    if (e->state != state)
        printf("%" PRIu64 " %s state=%u\n", e->turn.now_us, e->name, state);
    e->state = state;
    return ops || n || e->turn.rx_packets || e->turn.state & IIP_STATE_MORE;
}

static void turn_all(void) /* until nothing happens */
{
    int busy = 1;
    for (uint32_t round = 0; busy && round < 100000; round++) {
        busy = 0;
        for (struct engine *e = engines; e < engines + engine_n; e++)
            busy |= e->engine && turn(e, 0);
    }
}

static uint64_t advance(uint64_t us)
{
    uint64_t now = 0;
    for (struct engine *e = engines; e < engines + engine_n && !now; e++)
        if (e->engine)
            iip_engine_advance(e->engine, us, &now);
    return now;
}

static void run(uint64_t us, uint64_t step, const char *line)
{
    turn_all();
    for (step = step ? step : us; us; us -= step) {
        step = step < us ? step : us;
        advance(step);
        turn_all();
    }
    printf("> %s -> %" PRIu64 "\n", line, advance(0));
}

/* ---- engines ---- */

static void engine_open(char **w, const char *dir, const char *line)
{
    struct engine *e = &engines[engine_n++];
    struct iip_engine_cfg cfg = {.size = sizeof cfg, .port = w[2], .addresses = w[3], .pcap = e->pcap};
    snprintf(e->name, sizeof e->name, "%s", w[1]);
    snprintf(e->pcap, sizeof e->pcap, "%s/%s.pcap", dir, w[1]);
    cfg.seed = (uint8_t)w[1][0];
    memset(cfg.key, w[1][0], sizeof cfg.key);
    for (w += 4; *w; w++) {
        e->hold |= strcmp(*w, "hold") == 0;
        e->mute |= strcmp(*w, "mute") == 0;
        e->list |= strcmp(*w, "list") == 0;
        if (strncmp(*w, "spill=", 6) == 0)
            cfg.spill_bytes = number(*w + 6);
        if (strncmp(*w, "tunables=", 9) == 0)
            cfg.tunables = *w + 9;
    }
    printf("> %s -> %s\n", line, iip_status_name(iip_engine_open(&cfg, &e->engine, NULL, 0)));
    if (!e->engine)
        return;
    e->turn.size = sizeof e->turn;
    e->area.size = sizeof e->area;
    iip_engine_loop(e->engine, 0, &e->loop);
    iip_loop_attach(e->loop);
    iip_loop_area(e->loop, &e->area);
}

static void engine_end(struct engine *e, const char *line)
{
    static uint8_t bytes[1 << 18];
    struct iip_leaks l = {.size = sizeof l};
    const char *status = iip_status_name(iip_engine_close(e->engine, &l));
    uint32_t head[4]; /* of a record: seconds, microseconds, bytes kept, bytes */
    uint64_t sum = HASH_START, n = 0;
    FILE *file = fopen(e->pcap, "rb");
    char text[64];
    printf("> %s -> %s bufs=%u conns=%u listeners=%u udps=%u timers=%u externs=%u regions=%u\n", line, status, l.bufs,
           l.conns, l.listeners, l.udps, l.timers, l.externs, l.regions);
    e->engine = NULL;
    if (!file || fread(bytes, 1, 24, file) != 24)
        fail("no capture", e->pcap);
    for (; fread(head, 1, 16, file) == 16 && fread(bytes, 1, head[2], file) == head[2]; n++) {
        snprintf(text, sizeof text, "%" PRIu64 " %u %016" PRIx64 "\n", (uint64_t)head[0] * 1000000 + head[1], head[2],
                 hash(HASH_START, bytes, head[2]));
        sum = hash(sum, text, strlen(text));
        if (e->list)
            printf("%s frame %s", e->name, text);
    }
    printf("%s frames=%" PRIu64 " hash=%016" PRIx64 "\n", e->name, n, sum);
    fclose(file);
}

/* ---- steps that are no operations ---- */

static uint64_t counter(const struct engine *e, const char *name)
{
    uint64_t counts[512];
    int32_t n = iip_loop_counters(e->loop, counts, 512);
    while (n-- > 0 && strcmp(iip_counter_name((uint32_t)n), name) != 0)
        ;
    return n < 0 ? (fail("no such counter", name), 0) : counts[n];
}

static int32_t inject(const struct engine *e, const char *hex)
{
    uint8_t frame[2048];
    uint32_t n = 0;
    while (hex && n < sizeof frame && sscanf(hex + 2 * n, "%2hhx", &frame[n]) == 1)
        n++;
    return iip_engine_inject(e->engine, frame, n);
}

static int32_t listen_all(const struct engine *e, char **w)
{
    struct object *o = object_new(e, w[2]);
    struct iip_addr local = address(w[3]);
    return iip_engine_listen(e->engine, &local, w[3] ? (uint32_t)number(w[4]) : 0, object_n, &o->handle);
}

static int32_t at_once(struct engine *e, char **w)
{
    if (strcmp(w[1], "post") == 0 && operation(e, w + 1, ""))
        return e->area.ops[--e->turn.op_n].flags |= IIP_OP_REPLY, iip_loop_post(e->loop, &e->area.ops[e->turn.op_n], 1);
    if (strcmp(w[1], "inject") == 0)
        return inject(e, w[2]);
    if (strcmp(w[1], "mtu") == 0)
        return iip_engine_mtu_set(e->engine, (uint32_t)number(w[2]));
    if (strcmp(w[1], "retain") == 0)
        return iip_buf_retain(held[buffer(w[2])].buf);
    if (strcmp(w[1], "free") == 0)
        return iip_buf_release(held[buffer(w[2])].buf);
    if (strcmp(w[1], "region") == 0)
        return iip_region_add(e->engine, pattern, number(w[3]), &object_new(e, w[2])->handle);
    if (strcmp(w[1], "unregion") == 0)
        return iip_region_remove(object(w[2])->handle);
    if (strcmp(w[1], "listenall") == 0)
        return listen_all(e, w);
    if (strcmp(w[1], "unlistenall") == 0)
        return iip_engine_unlisten(e->engine, object(w[2])->handle);
    if (strcmp(w[1], "attach") == 0)
        return iip_loop_attach(e->loop);
    if (strcmp(w[1], "detach") == 0)
        return iip_loop_detach(e->loop);
    if (strcmp(w[1], "loopclose") == 0)
        return iip_loop_close(e->loop);
    fail("no such step", w[1]);
}

static void step(struct engine *e, char **w, const char *line)
{
    const struct object *o;
    if (!w[1])
        fail("a line without a verb", line);
    if (operation(e, w, line))
        return;
    if (strcmp(w[1], "release") == 0) /* one, or from one to another */
        for (uint64_t i = buffer(w[2]), last = buffer(w[3] ? w[3] : w[2]); i <= last; i++)
            e->area.releases[e->turn.release_n++] = held[i].buf;
    else if (strcmp(w[1], "turn") == 0)
        turn(e, w[2] ? IIP_TURN_FLUSH : 0);
    else if (strcmp(w[1], "pump") == 0)
        object(w[2])->goal = number(w[3]);
    else if (strcmp(w[1], "count") == 0)
        printf("> %s -> %" PRIu64 "\n", line, counter(e, w[2]));
    else if (strcmp(w[1], "sum") == 0)
        o = object(w[2]),
        printf("> %s -> rx=%" PRIu64 " %016" PRIx64 " tx=%" PRIu64 " %016" PRIx64 "\n", line, o->rx, o->rx_hash, o->tx,
               hash(HASH_START, pattern, o->tx));
    else if (strcmp(w[1], "end") == 0)
        engine_end(e, line);
    else
        printf("> %s -> %s\n", line, iip_status_name(at_once(e, w)));
}

static void play(char *line, const char *dir)
{
    char words[8192], *w[WORDS + 1] = {NULL};
    uint32_t n = 0;
    line[strcspn(line, "\n")] = 0;
    strcpy(words, line);
    for (char *at = strtok(words, " "); at && n < WORDS; at = strtok(NULL, " "))
        w[n++] = at;
    if (!n || line[0] == '#')
        return;
    if (strcmp(w[0], "engine") == 0)
        engine_open(w, dir, line);
    else if (strcmp(w[0], "run") == 0)
        run(number(w[1]), w[1] ? number(w[2]) : 0, line);
    else
        for (struct engine *e = engines; e < engines + engine_n; e++)
            if (strcmp(e->name, w[0]) == 0)
                step(e, w, line);
}

int main(int argc, char **argv)
{
    char line[8192];
    FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!file)
        fail("run DIR FILE", argc == 3 ? argv[2] : "two arguments");
    for (uint32_t i = 0; i < PATTERN; i++)
        pattern[i] = (uint8_t)(i * 31 + (i >> 8) * 17);
    while (fgets(line, sizeof line, file))
        play(line, argv[1]);
    for (struct engine *e = engines; e < engines + engine_n; e++)
        if (e->engine)
            engine_end(e, "end");
    fclose(file);
    return 0;
}

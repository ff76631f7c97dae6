/* ops.c - what a script can do and ask, apart from packets. */
#include <stdlib.h>
#include <string.h>

#include "scn.h"

static const char *const statuses[] = {
    "OK", "AGAIN", "INVAL", "NOMEM", "NOBUFS", "ADDR_IN_USE", "ADDR_NOT_AVAIL", "UNREACHABLE", "NET_UNREACHABLE", "REFUSED", "RESET",
    "TIMEOUT", "ABORTED", "NOT_CONNECTED", "SHUTDOWN", "MSGSIZE", "NOT_FOUND", "RANGE", "NOT_SUPPORTED", "ACCESS", "BUSY", "STALE",
};
static const char *const states[] = {"CLOSED",      "LISTEN",     "SYN_SENT",   "SYN_RECEIVED",
                                     "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT",
                                     "CLOSING",     "LAST_ACK",   "TIME_WAIT"};
static const char *const note_names[] = {"",       "accept", "connected", "data", "fin",       "writable",
                                         "urgent", "error",  "closed",    "udp",  "udp_error", "foreign"};

const char *status_name(int status)
{
    return status <= 0 && -status < (int)(sizeof(statuses) / sizeof(statuses[0])) ? statuses[-status]
                                                                                  : "an unknown status";
}

static int name_index(const char *const *names, int n, const char *name)
{
    int i;
    for (i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

/* `word -> STATUS` or `word -> NUMBER` at the end of a line: the answer that is wanted. */
static int wanted(struct run *r, char **w, int *n, int64_t otherwise, int64_t *want)
{
    int i;
    *want = otherwise;
    if (*n < 3 || strcmp(w[*n - 2], "->"))
        return 0;
    i = name_index(statuses, 22, w[*n - 1]);
    *want = i >= 0 ? -i : scn_number(r, w[*n - 1]);
    *n -= 2;
    return 1;
}

static void answer(struct run *r, int64_t got, int64_t want)
{
    if (got == want)
        return;
    if (got < 0 || want < 0)
        scn_fail(r, "the answer is %s, not %s", got <= 0 ? status_name((int)got) : "a number",
                 want <= 0 ? status_name((int)want) : "a number");
    scn_fail(r, "the answer is %lld, not %lld", (long long)got, (long long)want);
}

static struct iip_tcp_conn *conn_of(struct run *r)
{
    if (!r->flow->conn)
        scn_fail(r, "flow %s has no connection now", r->flow->name);
    return r->flow->conn;
}

static int parse_ip(const char *text, struct iip_ip *ip)
{
    unsigned a, b, c, d, i, n = 0;
    char dot;
    const char *p;
    if (sscanf(text, "%u.%u.%u.%u%c", &a, &b, &c, &d, &dot) == 4) {
        iip_ip_v4(ip, (iip_u8)a, (iip_u8)b, (iip_u8)c, (iip_u8)d);
        return 0;
    }
    memset(ip, 0, sizeof(*ip));
    for (p = text; *p && strncmp(p, "::", 2) && n < 8; p += *p == ':') {
        i = (unsigned)strtoul(p, (char **)&p, 16);
        put16(ip->b + 2 * n++, i);
        if (!strncmp(p, "::", 2))
            break;
    }
    if (!strncmp(p, "::", 2)) {
        uint16_t tail[8];
        for (p += 2, i = 0; *p && i < 8; p += *p == ':')
            tail[i++] = (uint16_t)strtoul(p, (char **)&p, 16);
        for (n = 0; n < i; n++)
            put16(ip->b + 16 - 2 * (i - n), tail[n]);
    }
    return *p != 0;
}

static void parse_endpoint(struct run *r, char *text, struct iip_endpoint *e)
{
    char *slash = strrchr(text, '/');
    if (slash) {
        *slash = 0;
        e->port = (iip_u16)scn_number(r, slash + 1);
    }
    if (strcmp(text, "*") && parse_ip(text, &e->ip))
        scn_fail(r, "%s: an address is wanted", text);
    e->family = iip_ip_is_v4(&e->ip) ? 4 : 6;
}

/* ---- before the stack is there ---- */

static void op_ip(struct run *r, char **w, int n)
{
    if (r->stk || r->flow_count > 1)
        scn_fail(r, "ip comes before everything else");
    r->family = n > 1 && w[1][0] == '6' ? 6 : 4;
    r->flow_count = 0;
    r->flow = world_flow(r, "A", 1);
}

static void op_layer(struct run *r, char **w, int n)
{
    r->cfg.flags = n > 1 && w[1][0] == '2' ? 0 : IIP_STACK_L3;
}

static void op_caps(struct run *r, char **w, int n)
{
    static const char *const names[] = {"ipcsum", "tcpcsum", "udpcsum", "tso", "sg"};
    int i;
    for (i = 1; i < n; i++) {
        if (name_index(names, 5, w[i]) < 0)
            scn_fail(r, "%s: caps are ipcsum tcpcsum udpcsum tso sg", w[i]);
        r->cfg.caps |= 1u << name_index(names, 5, w[i]);
    }
}

static void op_mtu(struct run *r, char **w, int n)
{
    uint32_t mtu = (uint32_t)scn_number(r, n > 1 ? w[1] : NULL);
    if (r->stk)
        answer(r, iip_stack_mtu_set(r->stk, mtu), 0);
    r->cfg.mtu = mtu;
}

static void op_start(struct run *r, char **w, int n)
{
    r->start = r->now = r->mark = (uint64_t)scn_time(r, n > 1 ? w[1] : "");
}

static void op_isn(struct run *r, char **w, int n)
{
    r->flow->peer_isn = (uint32_t)scn_number(r, n > 1 ? w[1] : NULL);
}

/* flow B peer 192.0.2.3/4000 local 192.0.2.1/80 */
static void op_flow(struct run *r, char **w, int n)
{
    struct flow *f = world_flow(r, n > 1 ? w[1] : "A", 1);
    int i;
    for (i = 2; i + 1 < n; i += 2)
        parse_endpoint(r, w[i + 1], !strcmp(w[i], "peer") ? &f->peer : &f->local);
}

/* A new life of the same tuple: numbers are learnt again. */
static void op_forget(struct run *r, char **w, int n)
{
    struct flow *f = r->flow;
    (void)w;
    (void)n;
    f->own_known = f->ts_known = 0;
    f->received = f->claimed = f->written = 0;
    f->conn = NULL;
}

/* ---- the stack ---- */

static void op_set(struct run *r, char **w, int n)
{
    int64_t want;
    wanted(r, w, &n, 0, &want);
    world_need(r);
    if (n < 3)
        scn_fail(r, "set NAME VALUE");
    answer(r, iip_stack_set(r->stk, w[1], (iip_u64)scn_number(r, w[2])), want);
}

static void op_plain(struct run *r, char **w, int n)
{
    (void)w;
    (void)n;
    world_need(r);
    answer(r, iip_stack_set(r->stk, "tcp.timestamps", 0), 0);
    answer(r, iip_stack_set(r->stk, "tcp.sack", 0), 0);
    answer(r, iip_stack_set(r->stk, "tcp.window_scale", 15), 0);
}

static void op_address(struct run *r, char **w, int n)
{
    struct iip_ip ip;
    char *slash = n > 1 ? strchr(w[1], '/') : NULL;
    int64_t want;
    wanted(r, w, &n, 0, &want);
    if (!slash)
        scn_fail(r, "address IP/PREFIX");
    *slash = 0;
    world_need(r);
    parse_ip(w[1], &ip);
    answer(r, iip_stack_addr_add(r->stk, &ip, (iip_u32)scn_number(r, slash + 1)), want);
}

static void op_listen(struct run *r, char **w, int n)
{
    struct iip_endpoint e = r->flow->local;
    uint32_t backlog = 16;
    int64_t want;
    int i;
    wanted(r, w, &n, 0, &want);
    world_need(r);
    for (i = 1; i + 1 < n; i += 2) {
        if (!strcmp(w[i], "backlog"))
            backlog = (uint32_t)scn_number(r, w[i + 1]);
        else if (!strcmp(w[i], "port"))
            e.port = (iip_u16)scn_number(r, w[i + 1]);
        else if (!strcmp(w[i], "on") && !strcmp(w[i + 1], "any"))
            memset(&e.ip, 0, sizeof(e.ip)), e.family = 0;
        else
            scn_fail(r, "listen [backlog N] [port N] [on any]");
    }
    answer(r, iip_tcp_listen(r->stk, &e, backlog, NULL, &r->listener), want);
}

static void op_backlog(struct run *r, char **w, int n)
{
    iip_tcp_backlog_set(r->listener, (uint32_t)scn_number(r, n > 1 ? w[1] : NULL));
}

static void op_unlisten(struct run *r, char **w, int n)
{
    (void)w;
    (void)n;
    iip_tcp_unlisten(r->stk, r->listener);
    r->listener = NULL;
}

/* connect [from any] [port N]: the source port is the stack's choice unless it is named. */
static void op_connect(struct run *r, char **w, int n)
{
    struct iip_endpoint local = r->flow->local;
    struct iip_tcp_conn *conn = NULL;
    int64_t want;
    int any = 1;
    wanted(r, w, &n, 0, &want);
    world_need(r);
    if (n > 2 && !strcmp(w[1], "port"))
        local.port = (iip_u16)scn_number(r, w[2]), any = 0;
    answer(r, iip_tcp_connect(r->stk, any ? NULL : &local, &r->flow->peer, r->flow, &conn), want);
    if (want)
        return;
    r->flow->conn = conn;
    r->flow->local.port = any ? 0 : local.port;
}

static void op_write(struct run *r, char **w, int n)
{
    int64_t want, len, i, got;
    uint8_t *b;
    int special = wanted(r, w, &n, 0, &want);
    len = scn_number(r, n > 1 ? w[1] : NULL);
    b = malloc((size_t)len + 1);
    for (i = 0; i < len; i++)
        b[i] = pattern(r->flow->written + (uint64_t)i);
    got = iip_tcp_write(r->stk, conn_of(r), b, (iip_u32)len);
    free(b);
    if (got > 0)
        r->flow->written += (uint64_t)got;
    answer(r, got, special ? want : len);
}

/* send N [views K]: by reference, in views of K bytes */
static void op_send(struct run *r, char **w, int n)
{
    int64_t want, len, i, got;
    struct iip_pkt *pkt;
    uint8_t *b;
    int special = wanted(r, w, &n, 0, &want);
    len = scn_number(r, n > 1 ? w[1] : NULL);
    b = malloc((size_t)len + 1);
    for (i = 0; i < len; i++)
        b[i] = pattern(r->flow->written + (uint64_t)i);
    pkt = testhost_pkt(&r->th, b, (uint32_t)len, n > 3 ? (uint32_t)scn_number(r, w[3]) : 0);
    free(b);
    got = iip_tcp_send(r->stk, conn_of(r), pkt);
    if (got > 0)
        r->flow->written += (uint64_t)got;
    if (got < len)
        iip_pkt_free(r->stk, pkt);
    answer(r, got, special ? want : len);
}

static void op_simple(struct run *r, char **w, int n)
{
    static const struct { const char *name; int (*call)(struct iip_stack *, struct iip_tcp_conn *); } calls[] = {
        { "shutdown", iip_tcp_shutdown }, { "close", iip_tcp_close }, { "abort", iip_tcp_abort }, { "urgent", iip_tcp_urgent },
    };
    int64_t want;
    int i;
    wanted(r, w, &n, 0, &want);
    for (i = 0; i < 4; i++)
        if (!strcmp(calls[i].name, w[0]))
            answer(r, calls[i].call(r->stk, conn_of(r)), want);
}

static void op_opt(struct run *r, char **w, int n)
{
    static const char *const names[] =
        {"",     "nodelay", "cork",   "keepalive", "keepidle_us", "keepintvl_us", "keepcnt",    "user_timeout_us",
         "dscp", "ttl",     "sndbuf", "rcvbuf",    "quickack",    "cc",           "syn_retries"};
    int64_t want;
    int i;
    wanted(r, w, &n, 0, &want);
    i = n > 2 ? name_index(names, 15, w[1]) : -1;
    if (i < 1)
        scn_fail(r, "opt NAME VALUE, names as in iip_tcp_set");
    answer(r, iip_tcp_set(r->stk, conn_of(r), (iip_u32)i, (iip_u64)scn_number(r, w[2])), want);
}

static void op_credit(struct run *r, char **w, int n)
{
    if (n > 1 && (!strcmp(w[1], "on") || !strcmp(w[1], "off"))) {
        r->auto_credit = w[1][1] == 'n';
        return;
    }
    world_credit(r, r->flow, n > 1 ? (uint64_t)scn_number(r, w[1]) : UINT64_MAX);
}

/* notes off: the application reads nothing; notes on: it reads what there is */
static void op_notes(struct run *r, char **w, int n)
{
    r->poll_notes = n > 1 && !strcmp(w[1], "on");
    world_notes(r);
}

/* ---- the host ---- */

static void op_refuse(struct run *r, char **w, int n)
{
    world_need(r);
    r->th.room = n > 1 && !strcmp(w[1], "off") ? UINT32_MAX
        : n > 1 && strcmp(w[1], "on")          ? (uint32_t)scn_number(r, w[1])
                                               : 0;
}

static void op_fail(struct run *r, char **w, int n)
{
    int off = n > 2 && !strcmp(w[2], "off");
    if (n < 3)
        scn_fail(r, "fail frames|mem on|off");
    world_need(r);
    *(w[1][0] == 'f' ? &r->th.frame_fail_ppm : &r->th.mem_fail_ppm) = off ? 0 : 1000000;
}

static void op_pressure(struct run *r, char **w, int n)
{
    iip_stack_pressure(r->stk, (iip_u32)scn_number(r, n > 1 ? w[1] : NULL));
}

static void op_views(struct run *r, char **w, int n)
{
    r->views = (uint32_t)scn_number(r, n > 1 ? w[1] : NULL);
}

/* ---- questions ---- */

static struct flow *note_flow(const struct iip_note *note)
{
    return note->conn ? note->user : NULL;
}

static void op_note(struct run *r, char **w, int n)
{
    int type = n > 1 ? name_index(note_names, 12, w[1]) : -1;
    int i;
    struct iip_note note;
    if (type < 1)
        scn_fail(r, "note accept|connected|fin|closed STATUS|error STATUS|writable|urgent N");
    for (i = 0; i < r->note_count; i++) {
        if (note_flow(&r->notes[i]) != r->flow && r->notes[i].conn)
            continue;
        if (r->notes[i].type == IIP_NOTE_WRITABLE && type != IIP_NOTE_WRITABLE)
            continue;
        break;
    }
    if (i == r->note_count)
        scn_fail(r, "there is no note for flow %s", r->flow->name);
    note = r->notes[i];
    memmove(&r->notes[i], &r->notes[i + 1], (size_t)(--r->note_count - i) * sizeof(note));
    if (note.type != type)
        scn_fail(r, "the note is %s (status %s), not %s", note_names[note.type], status_name(note.status), w[1]);
    if (type == IIP_NOTE_CLOSED || type == IIP_NOTE_ERROR)
        answer(r, note.status, n > 2 && !strcmp(w[2], "*") ? note.status : n > 2 ? -name_index(statuses, 22, w[2]) : 0);
    if (type == IIP_NOTE_URGENT && n > 2)
        answer(r, note.value, scn_number(r, w[2]));
    if (n > 4 && !strcmp(w[3], "value"))
        answer(r, note.value, scn_number(r, w[4]));
}

static void op_data(struct run *r, char **w, int n)
{
    uint64_t want = (uint64_t)scn_number(r, n > 1 ? w[1] : NULL), got = r->flow->received - r->flow->claimed;
    if (got != want)
        scn_fail(r, "%llu bytes were handed to the application since the last time, not %llu", (unsigned long long)got,
                 (unsigned long long)want);
    r->flow->claimed = r->flow->received;
}

static void op_state(struct run *r, char **w, int n)
{
    struct iip_tcp_info info;
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(r->stk, conn_of(r), &info);
    if (n < 2 || name_index(states, 11, w[1]) != info.state)
        scn_fail(r, "the state is %s", info.state < 11 ? states[info.state] : "unknown");
}

static void op_info(struct run *r, char **w, int n)
{
#define FIELD(name) { #name, info.name }
    struct iip_tcp_info info;
    size_t i;
    int64_t low, high;
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(r->stk, conn_of(r), &info);
    {
        struct { const char *name; uint64_t value; } fields[] = {
            FIELD(options), FIELD(snd_wscale), FIELD(rcv_wscale), FIELD(mss), FIELD(srtt_us), FIELD(rttvar_us), FIELD(rto_us),
            FIELD(min_rtt_us), FIELD(cwnd), FIELD(ssthresh), FIELD(snd_wnd), FIELD(rcv_wnd), FIELD(unacked), FIELD(unsent),
            FIELD(unread), FIELD(uncredited), FIELD(out_of_order), FIELD(retransmits), FIELD(rto_count), FIELD(dup_acks), FIELD(bytes_in), FIELD(bytes_out),
        };
        size_t count = sizeof(fields) / sizeof(fields[0]);
        for (i = 0; i < count && n > 2 && strcmp(fields[i].name, w[1]); i++)
            ;
        if (n < 3 || i == count)
            scn_fail(r, "info FIELD VALUE or info FIELD LOW HIGH, fields of struct iip_tcp_info");
        low = scn_number(r, w[2]);
        high = n > 3 ? scn_number(r, w[3]) : low;
        if ((int64_t)fields[i].value < low || (int64_t)fields[i].value > high)
            scn_fail(r, "%s is %llu", fields[i].name, (unsigned long long)fields[i].value);
    }
#undef FIELD
}

static void op_counter(struct run *r, char **w, int n)
{
    uint64_t got;
    if (n < 3)
        scn_fail(r, "counter NAME VALUE");
    got = testhost_counter(r->stk, w[1]);
    if (got != (uint64_t)scn_number(r, w[2]))
        scn_fail(r, "%s is %llu", w[1], (unsigned long long)got);
}

/* deadline +40ms: exactly then; deadline about +10s: then, or up to 1 ms later; deadline never */
static void op_deadline(struct run *r, char **w, int n)
{
    uint64_t due = iip_stack_deadline(r->stk);
    int about = n > 2 && !strcmp(w[1], "about");
    const char *when = n > 1 + about ? w[1 + about] : "";
    uint64_t want = strcmp(when, "never") ? r->now + (uint64_t)scn_time(r, when + (when[0] == '+')) : IIP_NEVER;
    if (due == want || (about && due > want && due <= want + 1000))
        return;
    if (due == IIP_NEVER)
        scn_fail(r, "the deadline is never");
    scn_fail(r, "the deadline is +%.6f s", (double)(due - r->now) / 1e6);
}

/* drain: whatever was sent is not looked at, beyond being well formed */
static void op_drain(struct run *r, char **w, int n)
{
    struct sent *s;
    struct segment seg;
    const char *error;
    (void)w;
    (void)n;
    while ((s = r->first) != NULL) {
        error = segment_decode(&seg, s->bytes, s->len);
        if (error)
            scn_fail(r, "%s", error);
        text_learn(r->flow, &seg);
        r->first = s->next;
        free(s);
    }
    r->last = &r->first;
}

static void op_nothing(struct run *r, char **w, int n)
{
    (void)w;
    (void)n;
    world_quiet(r);
}

/* ignore notes: the script does not care which there were */
static void op_ignore(struct run *r, char **w, int n)
{
    (void)w;
    (void)n;
    r->note_count = 0;
}

/* The end of a script: no note is left unread. */
static void op_end(struct run *r, char **w, int n)
{
    int i;
    (void)w;
    (void)n;
    for (i = 0; i < r->note_count; i++)
        if (r->notes[i].type != IIP_NOTE_WRITABLE)
            scn_fail(r, "a note %s (%s) was not expected", note_names[r->notes[i].type],
                     status_name(r->notes[i].status));
}

/* ---- whole handshakes, for scripts that are about what comes after ---- */

static void lines(struct run *r, const char *flow, const char *const *text, int n)
{
    char line[512];
    int i;
    for (i = 0; i < n; i++) {
        snprintf(line, sizeof(line), "%s: %s", flow, text[i]);
        scn_line(r, line);
    }
}

/* accepted|connected [win N] [<SYN options>] */
static void op_open(struct run *r, char **w, int n, const char *rest)
{
    const char *opts = strchr(rest, '<');
    int ts = opts && strstr(opts, "ts ");
    char in[256], last[128], ts_text[32] = "";
    int64_t win = n > 2 && !strcmp(w[1], "win") ? scn_number(r, w[2]) : 65535;
    if (ts)
        snprintf(ts_text, sizeof(ts_text), " <nop,nop,ts %lld:0>", strtoll(strstr(opts, "ts ") + 3, NULL, 10));
    if (!strcmp(w[0], "accepted")) {
        const char *const text[] = {in, "> S. 0 ack 1 <*>", last, "note accept", "state ESTABLISHED"};
        if (!r->listener)
            scn_line(r, "listen on any");
        snprintf(in, sizeof(in), "< S 0 win %lld %s", (long long)(win > 65535 ? 65535 : win),
                 opts ? opts : "<mss 1460>");
        snprintf(last, sizeof(last), "< . 1 ack 1 win %lld%s", (long long)win, ts_text);
        lines(r, r->flow->name, text, 5);
    } else {
        const char *const text[] = {"connect",         "> S 0 <*>",      in,
                                    "> . 1 ack 1 <*>", "note connected", "state ESTABLISHED"};
        snprintf(in, sizeof(in), "< S. 0 ack 1 win %lld %s", (long long)win, opts ? opts : "<mss 1460>");
        lines(r, r->flow->name, text, 6);
    }
}

int op_run(struct run *r, char **w, int n, const char *rest)
{
    static const struct { const char *name; void (*run)(struct run *, char **, int); int live; } ops[] = {
        { "ip", op_ip, 0 }, { "layer", op_layer, 0 }, { "caps", op_caps, 0 }, { "mtu", op_mtu, 0 }, { "start", op_start, 0 },
        { "isn", op_isn, 0 }, { "flow", op_flow, 0 }, { "forget", op_forget, 0 }, { "set", op_set, 0 }, { "plain", op_plain, 0 },
        { "address", op_address, 0 }, { "listen", op_listen, 0 }, { "backlog", op_backlog, 1 }, { "unlisten", op_unlisten, 1 }, { "connect", op_connect, 0 },
        { "write", op_write, 1 }, { "send", op_send, 1 }, { "shutdown", op_simple, 1 }, { "close", op_simple, 1 },
        { "abort", op_simple, 1 }, { "urgent", op_simple, 1 }, { "opt", op_opt, 1 }, { "credit", op_credit, 0 },
        { "notes", op_notes, 1 }, { "refuse", op_refuse, 0 }, { "fail", op_fail, 0 },
        { "pressure", op_pressure, 1 }, { "views", op_views, 0 }, { "note", op_note, 1 },
        { "data", op_data, 1 }, { "state", op_state, 1 }, { "info", op_info, 1 }, { "counter", op_counter, 1 },
        { "deadline", op_deadline, 1 }, { "drain", op_drain, 1 }, { "nothing", op_nothing, 0 }, { "ignore", op_ignore, 1 }, { "end", op_end, 0 },
    };
    size_t i;
    if (!strcmp(w[0], "accepted") || !strcmp(w[0], "connected")) {
        op_open(r, w, n, rest);
        return 1;
    }
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (strcmp(ops[i].name, w[0]))
            continue;
        if (ops[i].live && !r->stk)
            scn_fail(r, "%s: there is no stack yet", w[0]);
        ops[i].run(r, w, n);
        return 1;
    }
    return 0;
}

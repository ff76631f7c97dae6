/* text.c - segments as text: parsed, built, compared, printed. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "scn.h"

static const char flag_letters[] = "FSRP.UEW";

static void parse_flags(struct run *r, struct seg_text *t, const char *w)
{
    const char *at;
    for (; *w; w++) {
        if (*w == 'p') {
            t->flags_open |= FL_PSH;
        } else if (*w == '-' && !w[1]) {
            continue;
        } else {
            at = strchr(flag_letters, *w);
            if (!at)
                scn_fail(r, "flag %c: known are F S R P . (ACK) U E W (CWR), p (PSH or not), - (none)", *w);
            t->flags |= (uint8_t)(1 << (at - flag_letters));
        }
    }
}

static uint32_t parse_pair(struct run *r, char *w, uint32_t *second, uint8_t *any)
{
    char *colon = strchr(w, ':');
    if (!colon)
        scn_fail(r, "%s: two numbers with a colon between them are wanted", w);
    *colon = 0;
    *any = (uint8_t)((w[0] == '*') | (colon[1] == '*') << 1);
    *second = *any & 2 ? 0 : (uint32_t)scn_number(r, colon + 1);
    return *any & 1 ? 0 : (uint32_t)scn_number(r, w);
}

static char *next_word(char **at, const char *stops)
{
    char *word;
    *at += strspn(*at, stops);
    if (!**at)
        return NULL;
    word = *at;
    *at += strcspn(*at, stops);
    if (**at)
        *(*at)++ = 0;
    return word;
}

static void parse_option(struct run *r, struct seg_text *t, char *text)
{
    struct opt_text *o = &t->opts[t->opt_count++];
    char *at = text, *name = next_word(&at, " "), *w;
    memset(o, 0, sizeof(*o));
    if (!strcmp(name, "nop")) {
        o->kind = OPT_NOP;
    } else if (!strcmp(name, "eol")) {
        o->kind = OPT_EOL;
    } else if (!strcmp(name, "sackOK")) {
        o->kind = OPT_SACK_OK;
    } else if (!strcmp(name, "mss") || !strcmp(name, "wscale")) {
        o->kind = name[0] == 'm' ? OPT_MSS : OPT_WSCALE;
        w = next_word(&at, " ");
        o->any = !w || *w == '*';
        o->n[0] = o->any ? 0 : (uint32_t)scn_number(r, w);
    } else if (!strcmp(name, "ts")) {
        o->kind = OPT_TS;
        w = next_word(&at, " ");
        if (w)
            o->n[0] = parse_pair(r, w, &o->n[1], &o->any);
        else
            o->any = 3;
    } else if (!strcmp(name, "sack")) {
        o->kind = OPT_SACK;
        while ((w = next_word(&at, " ")) != NULL && o->count < 4) {
            o->n[2 * o->count] = parse_pair(r, w, &o->n[2 * o->count + 1], &o->any);
            o->count++;
        }
    } else if (!strcmp(name, "raw")) {
        o->kind = 255;
        while ((w = next_word(&at, " :")) != NULL && o->count < 40)
            o->raw[o->count++] = (uint8_t)strtoul(w, NULL, 16);
    } else {
        scn_fail(r, "option %s: known are mss, wscale, sackOK, ts, sack, nop, eol, raw", name);
    }
}

static void parse_options(struct run *r, struct seg_text *t, char *text)
{
    char *at = text, *one;
    t->opts_mode = OPTS_LIST;
    if (!strcmp(text, "*")) {
        t->opts_mode = OPTS_ANY;
        return;
    }
    while ((one = next_word(&at, ",")) != NULL && t->opt_count < MAX_OPTS) {
        one += strspn(one, " ");
        parse_option(r, t, one);
    }
}

static void parse_seq(struct run *r, struct seg_text *t, char *w)
{
    char *colon = strchr(w, ':');
    if (*w == '*') {
        if (w[1] == ':')
            t->len = (uint32_t)scn_number(r, w + 2);
        return;
    }
    t->has_seq = 1;
    if (colon)
        *colon = 0;
    t->seq = scn_number(r, w);
    if (colon && colon[1] == '*')
        t->any_len = 1;
    else if (colon)
        t->len = (uint32_t)(scn_number(r, colon + 1) - t->seq);
}

static void parse_inject_word(struct run *r, struct seg_text *t, const char *w, char **at)
{
    if (!strcmp(w, "badsum"))
        t->badsum = 1;
    else if (!strcmp(w, "l2bcast"))
        t->bcast = 1;
    else if (!strcmp(w, "doff"))
        t->doff = 1 + (int)scn_number(r, next_word(at, " "));
    else if (!strcmp(w, "chop"))
        t->chop = (int)scn_number(r, next_word(at, " "));
    else if (!strcmp(w, "fill"))
        t->fill = 256 + (int)scn_number(r, next_word(at, " "));
    else if (!strcmp(w, "flip"))
        t->flip = 1 + (uint32_t)scn_number(r, next_word(at, " "));
    else
        scn_fail(r, "%s: not a part of a segment", w);
}

static void parse_rest(struct run *r, struct seg_text *t, char *at)
{
    char *w;
    while ((w = next_word(&at, " ")) != NULL) {
        struct { const char *name; uint8_t *has; uint32_t *to; } words[] = {
            { "win", &t->has_win, &t->win }, { "urg", &t->has_urg, &t->urg }, { "ttl", &t->has_ttl, &t->ttl }, { "tos", &t->has_tos, &t->tos },
        };
        size_t i;
        for (i = 0; i < 4 && strcmp(words[i].name, w); i++)
            ;
        if (i < 4) {
            w = next_word(&at, " ");
            if (!w)
                scn_fail(r, "%s wants a number", words[i].name);
            *words[i].has = *w != '*';
            *words[i].to = *w == '*' ? 0 : (uint32_t)scn_number(r, w);
        } else if (!strcmp(w, "ack")) {
            w = next_word(&at, " ");
            t->has_ack = w && *w != '*';
            t->ack = t->has_ack ? scn_number(r, w) : 0;
        } else {
            parse_inject_word(r, t, w, &at);
        }
    }
}

/* FLAGS SEQ[:END] [ack N] [win N] [urg N] [<options>] [...] */
void text_parse(struct run *r, const struct flow *f, const char *text, int inject, struct seg_text *t)
{
    char line[512], *at = line, *open, *close, *w;
    (void)f;
    memset(t, 0, sizeof(*t));
    snprintf(line, sizeof(line), "%s", text);
    open = strchr(line, '<');
    if (open) {
        close = strchr(open, '>');
        if (!close)
            scn_fail(r, "options are not closed with >");
        *close = 0;
        parse_options(r, t, open + 1);
        memset(open, ' ', (size_t)(close - open) + 1);
    }
    w = next_word(&at, " ");
    if (!w)
        scn_fail(r, "a segment begins with its flags");
    parse_flags(r, t, w);
    w = next_word(&at, " ");
    if (!w)
        scn_fail(r, "after the flags comes the sequence number");
    parse_seq(r, t, w);
    if (inject && !t->has_seq)
        scn_fail(r, "an injected segment has a sequence number");
    parse_rest(r, t, at);
}

static uint32_t build_options(const struct flow *f, const struct seg_text *t, uint8_t *out)
{
    uint8_t b[160];
    uint32_t n = 0;
    int i, k;
    for (i = 0; i < t->opt_count && n <= 100; i++) {
        const struct opt_text *o = &t->opts[i];
        if (o->kind == 255) {
            memcpy(b + n, o->raw, o->count);
            n += o->count;
            continue;
        }
        b[n] = o->kind;
        b[n + 1] = (uint8_t)(o->kind == OPT_MSS           ? 4
                                 : o->kind == OPT_WSCALE  ? 3
                                 : o->kind == OPT_SACK_OK ? 2
                                 : o->kind == OPT_TS      ? 10
                                                          : 2 + 8 * o->count);
        if (o->kind == OPT_NOP || o->kind == OPT_EOL) {
            n++;
            continue;
        }
        if (o->kind == OPT_MSS)
            put16(b + n + 2, o->n[0]);
        if (o->kind == OPT_WSCALE)
            b[n + 2] = (uint8_t)o->n[0];
        if (o->kind == OPT_TS) {
            put32(b + n + 2, o->n[0]);
            put32(b + n + 6, f->ts_known ? f->ts_base + o->n[1] : o->n[1]);
        }
        for (k = 0; o->kind == OPT_SACK && k < 2 * o->count; k++)
            put32(b + n + 2 + 4 * k, f->own_isn + o->n[k]);
        n += b[n + 1];
    }
    n = n > 40 ? 40 : n;
    memcpy(out, b, n);
    return n;
}

static void damage(const struct seg_text *t, uint8_t *ip, uint32_t *len, int family)
{
    uint32_t l4 = family == 4 ? 20 : 40;
    if (t->doff) {
        uint32_t old = get16(ip + l4 + 12), fresh = (old & 0xfff) | (uint32_t)(t->doff - 1) << 12;
        uint32_t sum = (uint32_t)(uint16_t)~get16(ip + l4 + 16) + (uint16_t)~old + fresh;
        put16(ip + l4 + 12, fresh);
        put16(ip + l4 + 16, wire_fold(sum));
    }
    if (t->badsum)
        ip[l4 + 17] ^= 1;
    if (t->flip && (t->flip - 1) / 8 < *len)
        ip[(t->flip - 1) / 8] ^= (uint8_t)(0x80 >> (t->flip - 1) % 8);
    if (t->chop && (uint32_t)t->chop < *len)
        *len -= (uint32_t)t->chop;
}

uint32_t text_build(struct run *r, const struct flow *f, const struct seg_text *t, uint8_t *out, size_t cap)
{
    static uint8_t payload[66000];
    struct segment s;
    uint32_t len, i;
    segment_init(&s, r->family);
    memcpy(s.src, f->peer.ip.b, 16);
    memcpy(s.dst, f->local.ip.b, 16);
    s.sport = f->peer.port;
    s.dport = f->local.port;
    s.flags = t->flags;
    s.seq = f->peer_isn + (uint32_t)t->seq;
    s.ack = t->has_ack ? f->own_isn + (uint32_t)t->ack : 0;
    s.win = t->has_win ? t->win : 65535;
    s.urg = t->urg;
    s.ttl = t->has_ttl ? (uint8_t)t->ttl : 64;
    s.tos = (uint8_t)t->tos;
    s.opt_len = (uint8_t)build_options(f, t, s.opts);
    s.len = t->len;
    if (s.len > 65000)
        scn_fail(r, "%u bytes of payload are too many", s.len);
    for (i = 0; i < s.len; i++)
        payload[i] = t->fill ? (uint8_t)t->fill : pattern((uint64_t)(t->seq - !(t->flags & FL_SYN)) + i);
    s.data = payload;
    len = segment_encode(&s, out, cap);
    if (!len)
        scn_fail(r, "the packet is too large");
    damage(t, out, &len, r->family);
    return len;
}

static void add(char *out, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add(char *out, size_t cap, const char *format, ...)
{
    size_t have = strlen(out);
    va_list ap;
    va_start(ap, format);
    vsnprintf(out + have, cap - have, format, ap);
    va_end(ap);
}

static void print_options(const struct flow *f, const struct segment *s, int outgoing, char *out, size_t cap)
{
    uint32_t base = outgoing ? f->peer_isn : f->own_isn;
    uint32_t i = 0, k, len;
    const char *comma = "";
    if (!s->opt_len)
        return;
    add(out, cap, " <");
    for (; i < s->opt_len; i += len, comma = ",") {
        const uint8_t *p = s->opts + i;
        len = p[0] <= OPT_NOP ? 1 : p[1];
        if (!len || i + len > s->opt_len)
            break;
        switch (p[0]) {
        case OPT_EOL:
            add(out, cap, "%seol", comma);
            break;
        case OPT_NOP:
            add(out, cap, "%snop", comma);
            break;
        case OPT_MSS:
            add(out, cap, "%smss %u", comma, get16(p + 2));
            break;
        case OPT_WSCALE:
            add(out, cap, "%swscale %u", comma, p[2]);
            break;
        case OPT_SACK_OK:
            add(out, cap, "%ssackOK", comma);
            break;
        case OPT_TS:
            add(out, cap, "%sts %u:%u", comma, get32(p + 2) - (outgoing && f->ts_known ? f->ts_base : 0),
                get32(p + 6) - (!outgoing && f->ts_known ? f->ts_base : 0));
            break;
        case OPT_SACK:
            add(out, cap, "%ssack", comma);
            for (k = 2; k + 8 <= len; k += 8)
                add(out, cap, " %u:%u", get32(p + k) - base, get32(p + k + 4) - base);
            break;
        default:
            add(out, cap, "%skind %u", comma, p[0]);
            break;
        }
    }
    add(out, cap, ">");
}

void text_print(struct run *r, const struct flow *f, const struct segment *s, int outgoing, char *out, size_t cap)
{
    uint32_t own = f->own_known ? f->own_isn : 0;
    int64_t seq = (int32_t)(s->seq - (outgoing ? own : f->peer_isn)),
            ack = (int32_t)(s->ack - (outgoing ? f->peer_isn : own));
    int i;
    (void)r;
    out[0] = 0;
    if (s->proto != PROTO_TCP) {
        add(out, cap, "protocol %u, %u bytes:", s->proto, s->len);
        for (i = 0; i < 16 && i < (int)s->len; i++)
            add(out, cap, " %02x", s->data[i]);
        return;
    }
    for (i = 0; i < 8; i++)
        if (s->flags & 1 << i)
            add(out, cap, "%c", flag_letters[i]);
    add(out, cap, "%s %lld", s->flags ? "" : "-", (long long)seq);
    if (s->len)
        add(out, cap, ":%lld", (long long)(seq + s->len));
    if (s->flags & FL_ACK)
        add(out, cap, " ack %lld", (long long)ack);
    add(out, cap, " win %u", s->win);
    if (s->flags & FL_URG)
        add(out, cap, " urg %u", s->urg);
    print_options(f, s, outgoing, out, cap);
}

/* The first SYN gives the stack's initial sequence number, the first timestamp its timestamp offset. */
int text_learn(struct flow *f, const struct segment *s)
{
    if (!f->local.port)
        f->local.port = s->sport;
    if (s->flags & FL_SYN && !f->own_known) {
        f->own_known = 1;
        f->own_isn = s->seq;
    }
    if (s->has_ts && !f->ts_known) {
        f->ts_known = 1;
        f->ts_base = s->tsval;
    }
    return 0;
}

static int same_option(const struct flow *f, const struct opt_text *o, const uint8_t *p)
{
    int i;
    if (o->kind != p[0])
        return 0;
    switch (o->kind) {
    case OPT_MSS:
        return o->any || get16(p + 2) == o->n[0];
    case OPT_WSCALE:
        return o->any || p[2] == o->n[0];
    case OPT_TS:
        /* the millisecond in which the clock stood at first is not known: one more or less is right */
        return (o->any & 1 || get32(p + 2) - f->ts_base + 1 - o->n[0] <= 2) && (o->any & 2 || get32(p + 6) == o->n[1]);
    case OPT_SACK:
        if (p[1] != 2 + 8 * o->count)
            return 0;
        for (i = 0; i < 2 * o->count; i++)
            if (get32(p + 2 + 4 * i) != f->peer_isn + o->n[i])
                return 0;
        return 1;
    default:
        return 1;
    }
}

/* NOPs count only where the script writes one. */
static int same_options(const struct flow *f, const struct seg_text *want, const struct segment *got)
{
    uint32_t i, len;
    int k = 0, nops = 0;
    if (want->opts_mode == OPTS_ANY)
        return 1;
    for (i = 0; i < want->opt_count; i++)
        nops |= want->opts[i].kind == OPT_NOP;
    for (i = 0; i < got->opt_len; i += len) {
        const uint8_t *p = got->opts + i;
        len = p[0] <= OPT_NOP ? 1 : p[1];
        if (p[0] == OPT_EOL || (p[0] == OPT_NOP && !nops))
            continue;
        if (k == want->opt_count || !same_option(f, &want->opts[k], p))
            return 0;
        k++;
    }
    return k == want->opt_count;
}

const char *text_compare(struct run *r, struct flow *f, const struct seg_text *want, const struct segment *got)
{
    uint32_t i, seq = got->seq - (f->own_known ? f->own_isn : 0);
    (void)r;
    if ((got->flags ^ want->flags) & (uint8_t)~want->flags_open)
        return "flags";
    if (want->has_seq && seq != (uint32_t)want->seq)
        return "sequence number";
    if (got->len != want->len && !want->any_len)
        return "length";
    if (want->has_ack && got->ack != f->peer_isn + (uint32_t)want->ack)
        return "acknowledgement number";
    if (want->has_win && got->win != want->win)
        return "window";
    if ((want->has_urg && got->urg != want->urg) || (!(got->flags & FL_URG) && got->urg))
        return "urgent pointer";
    if ((want->has_ttl && got->ttl != want->ttl) || (want->has_tos && got->tos != want->tos))
        return "TTL or TOS";
    if (!same_options(f, want, got))
        return "options";
    for (i = 0; i < got->len && !(got->flags & FL_RST) && f->own_known; i++)
        if (got->data[i] != pattern((uint64_t)seq - 1 + i))
            return "payload bytes";
    return NULL;
}

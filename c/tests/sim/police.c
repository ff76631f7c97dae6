/*
 * police.c - what must hold for every packet on the wire, whatever the faults.
 *
 * covers: MUST-2, MUST-65, MUST-68, MUST-69, SHLD-14, TS-02, SK-01, IP-05
 */
#include "sim.h"

static int32_t diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

struct attempt *police_find(struct sim *sim, const struct segment *s, int *side)
{
    int i;
    for (i = sim->attempts - 1; i >= 0; i--) {
        struct attempt *at = &sim->attempt[i % MAX_ATTEMPTS];
        const uint8_t *c = sim->node[at->client].ip.b, *v = sim->node[at->server].ip.b;
        if (!at->used || at->index != i)
            continue;
        if (at->cport == s->sport && at->sport == s->dport && !memcmp(c, s->src, 16) && !memcmp(v, s->dst, 16))
            return *side = 0, at;
        if (at->sport == s->sport && at->cport == s->dport && !memcmp(v, s->src, 16) && !memcmp(c, s->dst, 16))
            return *side = 1, at;
    }
    return NULL;
}

void police_print(const struct sim *sim, const struct node *from, const struct segment *s, const char *what)
{
    static const char letters[] = "FSRP.UEW";
    int side = 0, i;
    struct attempt *at = police_find((struct sim *)sim, s, &side);
    uint32_t own = at ? at->beat[side].isn : 0, peer = at ? at->beat[!side].isn : 0;
    printf("%12.6f %d%s ", (double)sim->now / 1e6, from->index, what);
    if (s->proto != PROTO_TCP) {
        printf("protocol %u, %u bytes\n", s->proto, s->len);
        return;
    }
    printf("[%d%c] ", at ? at->index : -1, side ? 's' : 'c');
    for (i = 0; i < 8; i++)
        if (s->flags & 1 << i)
            putchar(letters[i]);
    printf(" %d:%d ack %d win %u", (int)(s->seq - own), (int)(s->seq - own + s->len), (int)(s->ack - peer), s->win);
    if (s->has_mss)
        printf(" mss %u", s->mss);
    if (s->wscale >= 0)
        printf(" wscale %d", s->wscale);
    if (s->has_sack_ok)
        printf(" sackOK");
    if (s->has_ts)
        printf(" ts %u:%u", s->tsval, s->tsecr);
    for (i = 0; i < s->sacks; i++)
        printf(" sack %d:%d", (int)(s->sack[i][0] - peer), (int)(s->sack[i][1] - peer));
    printf("\n");
}

#define BREACH(sim, at, s, side, ...) breach(sim, at, s, side, __VA_ARGS__)
static void breach(struct sim *sim, struct attempt *at, const struct segment *s, int side, const char *text)
{
    police_print(sim, &sim->node[side ? at->server : at->client], s, "!");
    sim_fail(sim, "connection %d, %s: %s", at->index, side ? "server" : "client", text);
}

/* Both have acknowledged the other's FIN. */
static int has_ended(const struct attempt *at)
{
    const struct beat *a = &at->beat[0], *b = &at->beat[1];
    return a->fin_known && b->fin_known && a->ack_max == b->fin_seq + 1 && b->ack_max == a->fin_seq + 1;
}

static void on_syn(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *b = &at->beat[side], *p = &at->beat[!side];
    int ended = has_ended(at); /* a SYN that was on its way for long opens it once more, before the host may know */
    if (b->known && (b->isn != s->seq || ended)) { /* the tuple lives again: numbers begin anew */
        if (at->end[side].connected && !at->end[side].done && !ended && !sim->plan.mem_fail)
            BREACH(sim, at, s, side, "a second initial sequence number in one connection");
        at->blurred = 1;
        free(b->got);
        memset(b, 0, sizeof(*b));
    }
    if (!b->known) {
        b->known = 1;
        b->isn = b->snd_max = s->seq;
        b->snd_max++;
        b->wscale = -1;
        b->got = calloc(1, STREAM_MAX / 8);
    }
    if (s->len)
        BREACH(sim, at, s, side, "data in a SYN");
    if (s->flags & FL_ACK &&
        ((s->wscale >= 0 && p->wscale < 0) || (s->has_ts && !p->ts) || (s->has_sack_ok && !p->sack)))
        BREACH(sim, at, s, side, "a SYN-ACK with an option that the SYN did not have");
    b->ts = s->has_ts;
    b->sack = s->has_sack_ok;
    b->wscale = s->wscale;
    b->mss = s->has_mss ? s->mss : s->family == 4 ? 536 : 1220;
}

static int scale_of(const struct attempt *at, int side)
{
    return at->beat[0].wscale >= 0 && at->beat[1].wscale >= 0 ? at->beat[side].wscale : 0;
}

/* The acknowledgement never goes back, never names what was not sent; the right edge never moves left (SHLD-14). */
static void on_ack(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *b = &at->beat[side], *p = &at->beat[!side];
    int scale = s->flags & FL_SYN ? 0 : scale_of(at, side);
    uint32_t edge = s->ack + (s->win << scale);
    if (b->ack_seen && diff(s->ack, b->ack_max) < 0)
        BREACH(sim, at, s, side, "the acknowledgement number went back");
    if (p->known && diff(s->ack, p->snd_max) > 0)
        BREACH(sim, at, s, side, "an acknowledgement of what was never sent");
    if (p->fin_known && s->ack == p->fin_seq + 1)
        edge = b->edge; /* the peer has no more to send: its window means nothing */
    if (b->edge_known && diff(edge, b->edge) < -((1 << scale) - 1))
        BREACH(sim, at, s, side, "the right edge of the window moved left (SHLD-14)");
    if (!b->edge_known || diff(edge, b->edge) > 0)
        b->edge = edge;
    b->ack_max = s->ack;
    b->ack_seen = b->edge_known = 1;
}

static void on_data(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *b = &at->beat[side], *p = &at->beat[!side];
    uint32_t end = s->seq + s->len, i;
    uint64_t offset = s->seq - b->isn - 1;
    if (diff(s->seq, b->snd_max) > 0)
        BREACH(sim, at, s, side, "a gap in the sequence numbers");
    if (b->fin_known && s->len && diff(end, b->fin_seq) > 0)
        BREACH(sim, at, s, side, "data behind the FIN");
    if (s->len && b->edge_seen_known && diff(end, b->edge_seen) > (s->len == 1))
        BREACH(sim, at, s, side, "data beyond the peer's window");
    if (s->len + s->opt_len > p->mss)
        BREACH(sim, at, s, side, "payload and options are larger than the peer's MSS (MUST-16)");
    if (s->len && offset + s->len > at->end[side].sent + 0)
        BREACH(sim, at, s, side, "more bytes than the application wrote");
    for (i = 0; i < s->len; i++)
        if (s->data[i] != stream_byte(at, side, offset + i))
            BREACH(sim, at, s, side, "payload differs from what the application wrote");
    if (diff(end, b->snd_max) > 0)
        b->snd_max = end;
}

static void on_fin(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *b = &at->beat[side];
    uint32_t seq = s->seq + s->len;
    if (!at->end[side].shut)
        BREACH(sim, at, s, side, "a FIN that the application did not ask for");
    if (seq != b->isn + 1 + (uint32_t)at->end[side].sent)
        BREACH(sim, at, s, side, "the FIN does not stand behind the last byte");
    if (b->fin_known && b->fin_seq != seq)
        BREACH(sim, at, s, side, "the FIN moved");
    b->fin_known = 1;
    b->fin_seq = seq;
    if (diff(seq + 1, b->snd_max) > 0)
        b->snd_max = seq + 1;
}

/* Blocks never lie (RFC 2018 4): every byte of them was delivered. */
static void on_sack(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *p = &at->beat[!side];
    int i;
    if (!getenv("LAX") && (!at->beat[0].sack || !at->beat[1].sack))
        BREACH(sim, at, s, side, "SACK that was not permitted");
    for (i = 0; i < s->sacks; i++) {
        uint32_t from = s->sack[i][0], to = s->sack[i][1], k;
        if (diff(to, from) <= 0 || diff(to, p->snd_max) > 0)
            BREACH(sim, at, s, side, "a SACK block that cannot be");
        if (i && diff(from, s->ack) <= 0)
            BREACH(sim, at, s, side, "a SACK block below the acknowledgement");
        for (k = from; k != to; k++) {
            uint32_t bit = k - p->isn - 1;
            if ((p->fin_known && k == p->fin_seq) || k == p->isn)
                continue;
            if (bit >= STREAM_MAX || !(p->got[bit / 8] >> bit % 8 & 1))
                BREACH(sim, at, s, side, "a SACK block with bytes that never came");
        }
    }
}

static void on_timestamps(struct sim *sim, struct attempt *at, int side, const struct segment *s)
{
    struct beat *b = &at->beat[side];
    int both = at->beat[0].ts && at->beat[1].ts;
    if (!(s->flags & FL_SYN) && s->has_ts != both)
        BREACH(sim, at, s, side, "timestamps on a connection without, or none on one with (RFC 7323 3.2)");
    if (s->has_ts && b->ts_seen && diff(s->tsval, b->tsval) < 0)
        BREACH(sim, at, s, side, "the timestamp went back");
    b->tsval = s->tsval;
    b->ts_seen = s->has_ts;
}

void police_out(struct sim *sim, struct node *from, const struct segment *s, uint32_t len)
{
    int side;
    struct attempt *at;
    if (s->proto == PROTO_FRAGMENT6 && s->len && s->data[0] == PROTO_TCP)
        sim_fail(sim, "node %d sent TCP in IPv6 fragments", from->index);
    if (s->proto != PROTO_TCP)
        return;
    if (len > from->mtu_max)
        sim_fail(sim, "node %d sent a packet of %u bytes, its MTU is %u", from->index, len, from->mtu_max);
    if (s->family == 4 && !s->df)
        sim_fail(sim, "node %d sent TCP without DF", from->index);
    at = police_find(sim, s, &side);
    if (!at)
        return; /* before connect has told us the port, or for a tuple of the past: an RST */
    if (s->flags & FL_RST)
        return;
    if (s->flags & FL_SYN)
        on_syn(sim, at, side, s);
    if (!at->beat[side].known || at->blurred)
        return;
    if (!(s->flags & FL_ACK)) {
        if (!(s->flags & FL_SYN))
            BREACH(sim, at, s, side, "a segment without ACK");
    } else {
        on_ack(sim, at, side, s);
    }
    if (!(s->flags & FL_SYN))
        on_data(sim, at, side, s);
    if (s->flags & FL_FIN)
        on_fin(sim, at, side, s);
    if (s->sacks)
        on_sack(sim, at, side, s);
    on_timestamps(sim, at, side, s);
}

/* What reaches `to`: it may know it from now on. */
void police_in(struct sim *sim, struct node *to, const struct segment *s)
{
    int side;
    struct attempt *at;
    struct beat *b, *p;
    uint32_t i, edge;
    (void)to;
    if (s->proto != PROTO_TCP || (at = police_find(sim, s, &side)) == NULL)
        return;
    b = &at->beat[side];
    p = &at->beat[!side];
    if (s->flags & FL_ACK && !(s->flags & FL_RST)) {
        edge = s->ack + (s->win << (s->flags & FL_SYN ? 0 : scale_of(at, side)));
        if (!p->edge_seen_known || diff(edge, p->edge_seen) > 0)
            p->edge_seen = edge;
        p->edge_seen_known = 1;
    }
    for (i = 0; b->got && i < s->len; i++) {
        uint32_t bit = s->seq + i - b->isn - 1;
        if (bit < STREAM_MAX)
            b->got[bit / 8] |= (uint8_t)(1 << bit % 8);
    }
}

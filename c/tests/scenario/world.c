/* world.c - the stack under test, its clock, and what it says. */
#include <stdlib.h>
#include <string.h>

#include "scn.h"

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};

static void default_address(struct iip_ip *ip, int family, int host)
{
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8};
    iip_ip_v4(ip, 192, 0, 2, (iip_u8)host);
    if (family == 6) {
        memcpy(ip->b, v6, 16);
        ip->b[15] = (iip_u8)host;
    }
}

struct flow *world_flow(struct run *r, const char *name, int make)
{
    struct flow *f;
    int i;
    for (i = 0; i < r->flow_count; i++)
        if (!strcmp(r->flows[i].name, name))
            return &r->flows[i];
    if (!make)
        scn_fail(r, "no flow is named %s; declare it: flow %s peer ADDRESS:PORT local ADDRESS:PORT", name, name);
    if (r->flow_count == MAX_FLOWS)
        scn_fail(r, "more than %d flows", MAX_FLOWS);
    f = &r->flows[r->flow_count++];
    memset(f, 0, sizeof(*f));
    snprintf(f->name, sizeof(f->name), "%s", name);
    default_address(&f->local.ip, r->family, 1);
    default_address(&f->peer.ip, r->family, 2);
    f->local.family = f->peer.family = (iip_u16)r->family;
    f->local.port = 80;
    f->peer.port = (iip_u16)(5000 + r->flow_count - 1);
    f->peer_isn = 100000;
    return f;
}

static void on_sent(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct run *r = arg;
    struct sent *s;
    if (r->th.l2_len && (len < 14 || (get16(bytes + 12) != 0x0800 && get16(bytes + 12) != 0x86dd)))
        return; /* ARP is not what scripts are about */
    bytes += r->th.l2_len;
    len -= r->th.l2_len;
    if (r->th.l2_len && bytes[0] >> 4 == 6 && len > 40 && bytes[6] == PROTO_ICMP6 && bytes[40] >= 133 &&
        bytes[40] <= 137)
        return; /* nor neighbour discovery */
    s = malloc(sizeof(*s) + len);
    s->next = NULL;
    s->at = r->now;
    s->len = len;
    memcpy(s->bytes, bytes, len);
    *r->last = s;
    r->last = &s->next;
}

void world_reset(struct run *r)
{
    memset(&r->cfg, 0, sizeof(r->cfg));
    r->cfg.size = sizeof(r->cfg);
    r->cfg.flags = IIP_STACK_L3;
    memcpy(r->cfg.key, "scenario-key-128", 16);
    memcpy(r->cfg.mac, our_mac, 6);
    r->cfg.seed = 1;
    r->stk = NULL;
    r->family = 4;
    r->start = r->now = r->mark = 1000000;
    r->flow_count = 0;
    r->listener = NULL;
    r->udp = NULL;
    r->first = NULL;
    r->last = &r->first;
    r->note_count = 0;
    r->poll_notes = r->auto_credit = 1;
    r->views = 0;
    r->burst_count = 0;
    testhost_init(&r->th, 1);
    r->th.sent = on_sent;
    r->th.arg = r;
}

void world_need(struct run *r)
{
    struct iip_ip ip;
    int status;
    if (r->stk)
        return;
    r->th.l2_len = r->cfg.flags & IIP_STACK_L3 ? 0 : 14;
    status = iip_stack_new(&r->cfg, &r->th.host, r->now, &r->stk);
    if (status)
        scn_fail(r, "iip_stack_new says %s", status_name(status));
    r->th.stk = r->stk;
    default_address(&ip, 4, 1);
    iip_stack_addr_add(r->stk, &ip, 24);
    default_address(&ip, 6, 1);
    iip_stack_addr_add(r->stk, &ip, 64);
    for (status = 4; status <= 6 && r->th.l2_len; status += 2) {
        default_address(&ip, status, 2);
        iip_stack_neigh_add(r->stk, &ip, peer_mac);
    }
}

static void credit_one(struct run *r, struct flow *f)
{
    struct iip_pkt *pkt = f->kept[0];
    uint32_t charge = iip_pkt_charge(pkt);
    memmove(f->kept, f->kept + 1, (size_t)--f->kept_count * sizeof(f->kept[0]));
    iip_pkt_free(r->stk, pkt);
    if (f->conn)
        iip_tcp_credit(r->stk, f->conn, charge);
}

void world_credit(struct run *r, struct flow *f, uint64_t packets)
{
    while (packets-- && f->kept_count)
        credit_one(r, f);
}

static void check_bytes(struct run *r, struct flow *f, const struct iip_pkt *pkt)
{
    uint32_t i;
    for (; pkt; pkt = pkt->next)
        for (i = 0; i < pkt->len; i++, f->received++)
            if (pkt->data[i] != pattern(f->received))
                scn_fail(r, "byte %llu handed to the application is %02x, not %02x", (unsigned long long)f->received,
                         pkt->data[i], pattern(f->received));
}

static void note_data(struct run *r, struct flow *f, const struct iip_note *note)
{
    struct iip_pkt *pkt, *next;
    uint64_t before = f->received;
    for (pkt = note->pkt; pkt; pkt = next) {
        next = pkt->link;
        check_bytes(r, f, pkt);
        if (f->kept_count == MAX_KEPT)
            scn_fail(r, "more than %d packets kept without credit", MAX_KEPT);
        f->kept[f->kept_count++] = pkt;
    }
    if (f->received - before != note->bytes)
        scn_fail(r, "a DATA note says %u bytes, its packets have %llu", note->bytes,
                 (unsigned long long)(f->received - before));
    if (r->auto_credit)
        world_credit(r, f, UINT64_MAX);
}

static void note_accept(struct run *r, const struct iip_note *note)
{
    struct flow *f;
    int i;
    for (i = 0; i < r->flow_count; i++) {
        f = &r->flows[i];
        if (memcmp(f->peer.ip.b, note->peer.ip.b, 16) || f->peer.port != note->peer.port ||
            f->local.port != note->local.port)
            continue;
        f->conn = note->conn;
        iip_tcp_user_set(note->conn, f);
        return;
    }
    scn_fail(r, "a connection was accepted from port %u, which no flow names", note->peer.port);
}

/* By the pointer: a cookie that was set after ACCEPT is not in notes that were taken together with it. */
static struct flow *whose(struct run *r, const struct iip_note *note)
{
    int i;
    for (i = 0; note->conn && i < r->flow_count; i++)
        if (r->flows[i].conn == note->conn)
            return &r->flows[i];
    return NULL;
}

static void take_note(struct run *r, struct iip_note *note)
{
    struct flow *f;
    if (note->type == IIP_NOTE_ACCEPT)
        note_accept(r, note);
    f = whose(r, note);
    if (note->conn && !f)
        scn_fail(r, "a note of type %d is for no connection that is open", note->type);
    note->user = f;
    if (note->type == IIP_NOTE_DATA) {
        note_data(r, f, note);
        return;
    }
    if (note->type == IIP_NOTE_CLOSED && f)
        f->conn = NULL;
    if (note->type == IIP_NOTE_UDP)
        iip_pkt_free(r->stk, note->pkt);
    if (r->note_count == MAX_NOTES)
        scn_fail(r, "more than %d notes unread", MAX_NOTES);
    r->notes[r->note_count++] = *note;
}

void world_notes(struct run *r)
{
    struct iip_note note[3];
    uint32_t n, i;
    while (r->poll_notes && (n = iip_stack_notes(r->stk, note, 3)) != 0)
        for (i = 0; i < n; i++)
            take_note(r, &note[i]);
}

/* After output nothing is due, and a second output at the same time sends nothing. */
void world_settle(struct run *r)
{
    struct sent **end;
    if (!r->stk)
        return;
    world_notes(r);
    iip_stack_output(r->stk, r->now);
    world_notes(r);
    iip_stack_output(r->stk, r->now);
    end = r->last;
    iip_stack_output(r->stk, r->now);
    if (r->last != end)
        scn_fail(r, "output sent something when it was called again at the same time");
    if (iip_stack_deadline(r->stk) <= r->now)
        scn_fail(r, "the deadline has passed after output");
    if (r->th.error)
        scn_fail(r, "%s", r->th.error);
}

/* Looks just before each deadline too: nothing may happen early. */
void world_until(struct run *r, uint64_t to)
{
    uint64_t due;
    struct sent **end = r->last;
    uint32_t spin = 0;
    while (r->last == end && (due = iip_stack_deadline(r->stk)) <= to) {
        if (due - 1 > r->now) {
            r->now = due - 1;
            iip_stack_output(r->stk, r->now);
            if (r->last != end)
                scn_fail(r, "something was sent 1 us before the deadline");
        }
        r->now = due;
        iip_stack_output(r->stk, r->now);
        world_settle(r);
        if (++spin > 1000000)
            scn_fail(r, "a million deadlines without a packet");
    }
    if (r->last == end)
        r->now = to;
}

void world_quiet(struct run *r)
{
    struct segment s;
    char text[512];
    const char *error;
    if (!r->first)
        return;
    error = segment_decode(&s, r->first->bytes, r->first->len);
    text_print(r, r->flow, &s, 1, text, sizeof(text));
    scn_fail(r, "nothing more was expected\n    got       %s  at +%.6f s%s%s", text,
             (double)(r->first->at - r->mark) / 1e6, error ? "\n    and it is wrong: " : "", error ? error : "");
}

void world_advance(struct run *r, uint64_t to)
{
    world_quiet(r);
    world_until(r, to);
    world_quiet(r);
    r->now = to;
    iip_stack_output(r->stk, r->now);
    world_settle(r);
}

void world_input(struct run *r, const uint8_t *bytes, uint32_t len, int more, int bcast)
{
    uint8_t *frame = malloc(len + 14);
    uint32_t l2 = r->th.l2_len;
    if (l2) {
        memcpy(frame, our_mac, 6);
        if (bcast)
            memset(frame, 0xff, 6);
        memcpy(frame + 6, peer_mac, 6);
        put16(frame + 12, bytes[0] >> 4 == 6 ? 0x86dd : 0x0800);
    }
    memcpy(frame + l2, bytes, len);
    if (r->burst_count == MAX_BURST)
        scn_fail(r, "more than %d packets in a burst", MAX_BURST);
    r->burst[r->burst_count++] = testhost_pkt(&r->th, frame, len + l2, r->views);
    free(frame);
    if (more)
        return;
    iip_stack_input(r->stk, r->burst, r->burst_count, r->now);
    r->burst_count = 0;
    world_notes(r);
}

static int of_flow(struct flow *f, const struct segment *s)
{
    if (s->proto != PROTO_TCP || memcmp(s->dst, f->peer.ip.b, 16) || s->dport != f->peer.port)
        return 0;
    return !f->local.port || s->sport == f->local.port;
}

struct sent *world_take(struct run *r, struct flow *f)
{
    struct sent **link, *s;
    struct segment seg;
    for (link = &r->first; *link; link = &(*link)->next) {
        segment_decode(&seg, (*link)->bytes, (*link)->len);
        if (f ? !of_flow(f, &seg) : seg.proto == PROTO_TCP)
            continue;
        s = *link;
        *link = s->next;
        if (!*link)
            r->last = link;
        return s;
    }
    return NULL;
}

void world_end(struct run *r)
{
    int i;
    for (i = 0; i < r->flow_count; i++)
        while (r->flows[i].kept_count)
            iip_pkt_free(r->stk, r->flows[i].kept[--r->flows[i].kept_count]);
    if (!r->stk)
        return;
    if (testhost_account(r->stk))
        scn_fail(r, "the account does not balance: %lld packets received but neither delivered, held nor dropped",
                 (long long)testhost_account(r->stk));
    iip_stack_free(r->stk);
    r->stk = NULL;
    if (r->th.frames_live || r->th.mem_live)
        scn_fail(r, "leak: %lld frames, %lld blocks of memory", (long long)r->th.frames_live,
                 (long long)r->th.mem_live);
}

/* After a failure: the stack may be in any state, so only what is ours is given back. */
void world_drop(struct run *r)
{
    struct sent *s;
    uint32_t i;
    while ((s = r->first) != NULL) {
        r->first = s->next;
        free(s);
    }
    for (i = 0; r->stk && i < r->burst_count; i++)
        iip_pkt_free(r->stk, r->burst[i]);
    for (i = 0; r->stk && i < (uint32_t)r->flow_count; i++)
        while (r->flows[i].kept_count)
            iip_pkt_free(r->stk, r->flows[i].kept[--r->flows[i].kept_count]);
    if (r->stk)
        iip_stack_free(r->stk);
    r->stk = NULL;
}

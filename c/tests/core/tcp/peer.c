#include "peer.h"

static void blame(struct peer *p, int guilty, const char *text)
{
    if (guilty) {
        printf("    %s\n", text);
        p->bad++;
    }
}

static void on_sent(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct peer *p = arg;
    const char *error = segment_decode(&p->last, bytes, len);
    blame(p, error != NULL, error);
    memcpy(p->last_bytes, bytes, len < sizeof(p->last_bytes) ? len : sizeof(p->last_bytes));
    p->sent++;
}

static int set_up(struct peer *p)
{
    struct iip_endpoint any;
    memset(&any, 0, sizeof(any));
    any.port = 80;
    iip_stack_set(p->stk, "tcp.timestamps", 0);
    iip_stack_set(p->stk, "tcp.sack", 0);
    iip_stack_set(p->stk, "tcp.window_scale", 15);
    if (iip_stack_addr_add(p->stk, &p->ours, 24))
        return -1;
    return iip_tcp_listen(p->stk, &any, 8, NULL, &p->lis) ? -1 : 0;
}

/* `p->th` may already be told what to fail. */
int peer_new(struct peer *p, const char *key)
{
    struct iip_stack_cfg cfg;
    p->th.sent = on_sent;
    p->th.arg = p;
    p->now = p->now ? p->now : 1000000;
    iip_ip_v4(&p->ours, 192, 0, 2, 1);
    iip_ip_v4(&p->theirs, 192, 0, 2, 2);
    p->our_port = 80;
    p->their_port = 5000;
    memset(&cfg, 0, sizeof(cfg));
    cfg.size = sizeof(cfg);
    cfg.flags = IIP_STACK_L3;
    cfg.mem_limit = p->mem_limit;
    memcpy(cfg.key, key, strlen(key) < 16 ? strlen(key) : 16);
    if (iip_stack_new(&cfg, &p->th.host, p->now, &p->stk))
        return -1;
    p->th.stk = p->stk;
    return set_up(p);
}

int peer_free(struct peer *p)
{
    if (p->stk) {
        blame(p, testhost_account(p->stk) != 0, "the account of received packets does not balance");
        iip_stack_free(p->stk);
    }
    p->stk = NULL;
    blame(p, p->th.frames_live != 0, "frames leak");
    blame(p, p->th.mem_live != 0, "memory leaks");
    blame(p, p->th.error != NULL, p->th.error);
    return p->bad;
}

static void on_data(struct peer *p, struct iip_note *note)
{
    struct iip_pkt *pkt, *next, *view;
    uint32_t i, charge;
    for (pkt = note->pkt; pkt; pkt = next) {
        next = pkt->link;
        for (view = pkt; view; view = view->next)
            for (i = 0; i < view->len; i++, p->bytes_in++)
                blame(p, view->data[i] != pattern(p->bytes_in) && !p->any_payload, "a byte of the stream is wrong");
        charge = iip_pkt_charge(pkt);
        iip_pkt_free(p->stk, pkt);
        if (note->conn)
            iip_tcp_credit(p->stk, note->conn, charge);
    }
}

static void notes(struct peer *p)
{
    struct iip_note note;
    while (iip_stack_notes(p->stk, &note, 1)) {
        if (note.type == IIP_NOTE_ACCEPT)
            p->conn = note.conn, p->accepted++;
        else if (note.type == IIP_NOTE_CONNECTED)
            p->connected++;
        else if (note.type == IIP_NOTE_DATA)
            on_data(p, &note);
        else if (note.type == IIP_NOTE_FIN)
            p->fin++;
        else if (note.type == IIP_NOTE_CLOSED)
            p->conn = NULL, p->closed++, p->status = note.status;
    }
}

void peer_settle(struct peer *p)
{
    notes(p);
    iip_stack_output(p->stk, p->now);
    notes(p);
    blame(p, iip_stack_deadline(p->stk) <= p->now, "something is due after output");
}

void peer_raw(struct peer *p, const uint8_t *bytes, uint32_t len)
{
    struct iip_pkt *pkt = testhost_pkt(&p->th, bytes, len, 0);
    if (pkt)
        iip_stack_input(p->stk, &pkt, 1, p->now);
    peer_settle(p);
}

void peer_send(struct peer *p, uint8_t flags, uint32_t len, uint64_t offset)
{
    static uint8_t payload[4096], packet[4200];
    struct segment s;
    uint32_t i;
    segment_init(&s, 4);
    memcpy(s.src, p->theirs.b, 16);
    memcpy(s.dst, p->ours.b, 16);
    s.sport = p->their_port;
    s.dport = p->our_port;
    s.seq = p->seq;
    s.ack = flags & FL_ACK ? p->ack : 0;
    s.flags = flags;
    s.win = 65535;
    if (flags & FL_SYN) {
        s.opts[0] = OPT_MSS;
        s.opts[1] = 4;
        put16(s.opts + 2, p->mss ? p->mss : 1460u);
        s.opt_len = 4;
    }
    for (i = 0; i < len; i++)
        payload[i] = pattern(offset + i);
    s.data = payload;
    s.len = len;
    peer_raw(p, packet, segment_encode(&s, packet, sizeof(packet)));
}

void peer_wait(struct peer *p, uint64_t us)
{
    uint64_t end = p->now + us, due;
    while ((due = iip_stack_deadline(p->stk)) <= end) {
        p->now = due;
        peer_settle(p);
    }
    p->now = end;
    peer_settle(p);
}

int peer_accepted(struct peer *p)
{
    p->seq = 1000;
    peer_send(p, FL_SYN, 0, 0);
    if (p->last.flags != (FL_SYN | FL_ACK))
        return 0;
    p->seq++;
    p->ack = p->last.seq + 1;
    peer_send(p, FL_ACK, 0, 0);
    return p->conn != NULL;
}

int peer_state(struct peer *p)
{
    struct iip_tcp_info info;
    if (!p->conn)
        return IIP_TCP_CLOSED;
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(p->stk, p->conn, &info);
    return info.state;
}

/* covers: MUST-12, MUST-43 */
#include "peer.h"

/* The ACK that completes the handshake, as a window of 1,000 goes with it. */
static void complete_handshake(struct peer *p)
{
    struct segment s;
    uint8_t packet[64];
    struct iip_pkt *pkt;
    segment_init(&s, 4);
    memcpy(s.src, p->theirs.b, 16);
    memcpy(s.dst, p->ours.b, 16);
    s.sport = p->their_port;
    s.dport = 81;
    s.seq = p->seq;
    s.ack = p->ack;
    s.flags = FL_ACK;
    s.win = 1000;
    pkt = testhost_pkt(&p->th, packet, segment_encode(&s, packet, sizeof(packet)), 0);
    iip_stack_input(p->stk, &pkt, 1, p->now);
}

static void check_info(const struct peer *p, struct iip_tcp_conn *conn)
{
    struct iip_tcp_info info;
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    CHECK_EQ(iip_tcp_info(p->stk, conn, &info), sizeof(info));
    CHECK_EQ(info.local.port, 81);
    CHECK_EQ(info.peer.port, 5000);
    CHECK_EQ(info.local.family, 4);
    CHECK_EQ(info.peer.family, 4);
    CHECK_EQ(info.rcv_wnd, 65535);
    CHECK_EQ(info.snd_wnd, 1000);
    CHECK_EQ(info.rcv_nxt, p->seq);
    CHECK_EQ(info.snd_una, p->ack);
    CHECK_EQ(info.snd_nxt, p->ack);
}

/* What the notes say beside their type: cookies, owners, addresses. */
static void accept_says_who_and_where(void)
{
    static struct peer p;
    static int cookie, mine;
    struct iip_endpoint at;
    struct iip_tcp_listener *lis = NULL;
    struct iip_note note;
    peer_init(&p);
    REQUIRE(peer_new(&p, "notes") == 0);
    memset(&at, 0, sizeof(at));
    at.ip = p.ours;
    at.port = 81;
    REQUIRE(iip_tcp_listen(p.stk, &at, 4, &cookie, &lis) == 0);
    p.our_port = 81;
    p.seq = 1000;
    peer_send(&p, FL_SYN, 0, 0);
    p.seq++;
    p.ack = p.last.seq + 1;
    complete_handshake(&p);
    REQUIRE(iip_stack_notes(p.stk, &note, 1) == 1);
    CHECK_EQ(note.type, IIP_NOTE_ACCEPT);
    CHECK(note.owner == lis);
    CHECK(note.user == &cookie);
    CHECK_EQ(note.peer.port, 5000);
    CHECK_EQ(note.local.port, 81);
    CHECK_EQ(note.peer.family, 4);
    CHECK_MEM(note.peer.ip.b, p.theirs.b, 16);
    CHECK_MEM(note.local.ip.b, p.ours.b, 16);
    CHECK(iip_tcp_next(p.stk, NULL) == note.conn);
    CHECK(iip_tcp_next(p.stk, note.conn) == NULL);
    check_info(&p, note.conn);
    iip_tcp_user_set(note.conn, &mine);
    CHECK(iip_tcp_user(note.conn) == &mine);
    peer_send(&p, FL_ACK | FL_FIN, 0, 0);
    CHECK_EQ(p.fin, 1);
    CHECK_EQ(peer_free(&p), 0);
}

/* A caller of an older day, with a smaller struct, is not written beyond. */
static void info_respects_its_size(void)
{
    static struct peer p;
    _Alignas(8) uint8_t small[16];
    struct iip_tcp_info *info = (struct iip_tcp_info *)(void *)small;
    peer_init(&p);
    REQUIRE(peer_new(&p, "notes") == 0);
    REQUIRE(peer_accepted(&p));
    memset(small, 0x5a, sizeof(small));
    memcpy(small, &(uint32_t){8}, 4);
    CHECK_EQ(iip_tcp_info(p.stk, p.conn, info), sizeof(struct iip_tcp_info));
    CHECK_EQ(small[4], IIP_TCP_ESTABLISHED);
    CHECK_EQ(small[8], 0x5a);
    CHECK_EQ(small[15], 0x5a);
    CHECK_EQ(peer_free(&p), 0);
}

/* Three segments that nobody has taken yet. */
static void three_segments(struct peer *p)
{
    uint8_t packet[256];
    struct segment s;
    struct iip_pkt *pkt;
    int i;
    for (i = 0; i < 3; i++) {
        segment_init(&s, 4);
        memcpy(s.src, p->theirs.b, 16);
        memcpy(s.dst, p->ours.b, 16);
        s.sport = p->their_port;
        s.dport = p->our_port;
        s.seq = p->seq;
        s.ack = p->ack;
        s.flags = FL_ACK;
        s.win = 1000;
        s.data = (const uint8_t *)"abcdefghij";
        s.len = 10;
        p->seq += 10;
        pkt = testhost_pkt(&p->th, packet, segment_encode(&s, packet, sizeof(packet)), 0);
        iip_stack_input(p->stk, &pkt, 1, p->now);
    }
}

/* One call frees a run and gives back exactly what it was charged for. */
static void done_frees_and_credits(void)
{
    static struct peer p;
    struct iip_note note;
    struct iip_tcp_info info;
    peer_init(&p);
    REQUIRE(peer_new(&p, "notes") == 0);
    REQUIRE(peer_accepted(&p));
    three_segments(&p);
    REQUIRE(iip_stack_notes(p.stk, &note, 1) == 1);
    CHECK_EQ(note.type, IIP_NOTE_DATA);
    CHECK_EQ(note.bytes, 30);
    memset(&info, 0, sizeof(info));
    info.size = sizeof(info);
    iip_tcp_info(p.stk, p.conn, &info);
    CHECK(info.uncredited >= 30);
    iip_tcp_done(p.stk, p.conn, note.pkt);
    iip_tcp_info(p.stk, p.conn, &info);
    CHECK_EQ(info.uncredited, 0);
    iip_tcp_done(p.stk, p.conn, NULL);
    CHECK_EQ(peer_free(&p), 0);
}

int main(void)
{
    RUN(done_frees_and_credits);
    RUN(accept_says_who_and_where);
    RUN(info_respects_its_size);
    return check_done();
}

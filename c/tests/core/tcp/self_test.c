/* covers: A10, A40 */
#include "peer.h"

/* Connections of a stack with itself: nothing leaves, everything arrives. */
struct both {
    struct testhost th;
    struct iip_stack *stk;
    struct iip_tcp_conn *end[2];
    uint64_t got[2], now;
    int fin[2], closed[2], status[2], wrong;
};

static void on_sent(void *arg, const uint8_t *bytes, uint32_t len)
{
    struct both *b = arg;
    (void)bytes;
    (void)len;
    b->wrong++; /* nothing is for the wire */
}

static int set_up(struct both *b, struct iip_ip *ip)
{
    struct iip_stack_cfg cfg;
    memset(b, 0, sizeof(*b));
    testhost_init(&b->th, 1);
    b->th.sent = on_sent;
    b->th.arg = b;
    b->now = 1000000;
    memset(&cfg, 0, sizeof(cfg));
    cfg.size = sizeof(cfg);
    cfg.flags = IIP_STACK_L3;
    if (iip_stack_new(&cfg, &b->th.host, b->now, &b->stk))
        return -1;
    b->th.stk = b->stk;
    iip_stack_set(b->stk, "tcp.msl_us", 1000);
    iip_ip_v4(ip, 192, 0, 2, 1);
    return iip_stack_addr_add(b->stk, ip, 24);
}

static int side_of(const struct both *b, const struct iip_tcp_conn *conn)
{
    return b->end[1] == conn;
}

static void take(struct both *b, struct iip_note *note)
{
    struct iip_pkt *pkt, *next, *view;
    int side;
    uint32_t i;
    if (note->type == IIP_NOTE_ACCEPT)
        b->end[1] = note->conn;
    side = side_of(b, note->conn);
    for (pkt = note->type == IIP_NOTE_DATA ? note->pkt : NULL; pkt; pkt = next) {
        next = pkt->link;
        for (view = pkt; view; view = view->next)
            for (i = 0; i < view->len; i++)
                b->wrong += view->data[i] != pattern(b->got[side]++);
        i = iip_pkt_charge(pkt);
        iip_pkt_free(b->stk, pkt);
        iip_tcp_credit(b->stk, note->conn, i);
    }
    b->fin[side] += note->type == IIP_NOTE_FIN;
    if (note->type == IIP_NOTE_CLOSED) {
        b->closed[side]++;
        b->status[side] = note->status;
        b->end[side] = NULL;
    }
}

static void turn(struct both *b)
{
    struct iip_note note;
    uint64_t due;
    int i;
    for (i = 0; i < 20; i++) {
        while (iip_stack_notes(b->stk, &note, 1))
            take(b, &note);
        iip_stack_output(b->stk, b->now);
        due = iip_stack_deadline(b->stk);
        if (due <= b->now)
            b->wrong++;
        else if (due != IIP_NEVER && due < b->now + 2000000)
            b->now = due;
    }
}

static int end_all(struct both *b)
{
    int wrong = b->wrong + (testhost_account(b->stk) != 0);
    iip_stack_free(b->stk);
    return wrong + (b->th.frames_live != 0) + (b->th.mem_live != 0) + (b->th.error != NULL);
}

static void client_and_server_in_one(void)
{
    static struct both b;
    static uint8_t bytes[200000];
    struct iip_endpoint at;
    struct iip_tcp_listener *lis;
    uint32_t i, sent[2] = {0, 0};
    int side, n;
    memset(&at, 0, sizeof(at));
    REQUIRE(set_up(&b, &at.ip) == 0);
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = pattern(i);
    at.port = 80;
    REQUIRE(iip_tcp_listen(b.stk, &at, 4, NULL, &lis) == 0);
    REQUIRE(iip_tcp_connect(b.stk, NULL, &at, NULL, &b.end[0]) == 0);
    turn(&b);
    REQUIRE(b.end[0] && b.end[1]);
    for (i = 0; i < 500 && (b.got[0] < sizeof(bytes) || b.got[1] < sizeof(bytes)); i++) {
        for (side = 0; side < 2; side++) {
            n = iip_tcp_write(b.stk, b.end[side], bytes + sent[side], (uint32_t)sizeof(bytes) - sent[side]);
            sent[side] += n > 0 ? (uint32_t)n : 0;
        }
        turn(&b);
    }
    CHECK_EQ(b.got[0], sizeof(bytes));
    CHECK_EQ(b.got[1], sizeof(bytes));
    CHECK_EQ(iip_tcp_shutdown(b.stk, b.end[0]), 0);
    turn(&b);
    CHECK_EQ(b.fin[1], 1);
    CHECK_EQ(iip_tcp_shutdown(b.stk, b.end[1]), 0);
    turn(&b);
    CHECK_EQ(b.closed[0] + b.closed[1], 2);
    CHECK_EQ(b.status[0], IIP_OK);
    CHECK_EQ(b.status[1], IIP_OK);
    CHECK_EQ(end_all(&b), 0);
}

/* One port to itself is a simultaneous open with oneself: it opens or it is refused, and it ends. */
static void a_port_to_itself(void)
{
    static struct both b;
    struct iip_endpoint at;
    int i;
    memset(&at, 0, sizeof(at));
    REQUIRE(set_up(&b, &at.ip) == 0);
    at.port = 4000;
    if (iip_tcp_connect(b.stk, &at, &at, NULL, &b.end[0]) == 0) {
        turn(&b);
        if (b.end[0])
            iip_tcp_abort(b.stk, b.end[0]);
        for (i = 0; i < 10; i++)
            turn(&b);
        CHECK_EQ(b.closed[0], 1);
    }
    CHECK_EQ(end_all(&b), 0);
}

/* The very next segment of the connection, as somebody on the wire may send it, who knows all numbers. */
static struct iip_pkt *next_segment(struct both *b, const struct iip_ip *ip, uint32_t len)
{
    static uint8_t payload[100], packet[200];
    struct iip_tcp_info info;
    struct segment s;
    info.size = sizeof(info);
    iip_tcp_info(b->stk, b->end[1], &info);
    segment_init(&s, 4);
    memcpy(s.src, ip->b, 16);
    memcpy(s.dst, ip->b, 16);
    s.sport = info.peer.port;
    s.dport = info.local.port;
    s.seq = info.rcv_nxt;
    s.ack = info.snd_nxt;
    s.flags = FL_ACK;
    s.win = 65535;
    s.data = payload;
    s.len = len;
    return testhost_pkt(&b->th, packet, segment_encode(&s, packet, sizeof(packet)), 0);
}

/* A source address of ours does not come from the wire [RFC 1122 3.2.1.3], also where all else is as expected. */
static void the_wire_has_no_say(void)
{
    static struct both b;
    struct iip_endpoint at;
    struct iip_tcp_listener *lis;
    struct iip_pkt *pkt;
    memset(&at, 0, sizeof(at));
    REQUIRE(set_up(&b, &at.ip) == 0);
    at.port = 80;
    iip_stack_set(b.stk, "tcp.timestamps", 0);
    REQUIRE(iip_tcp_listen(b.stk, &at, 4, NULL, &lis) == 0);
    REQUIRE(iip_tcp_connect(b.stk, NULL, &at, NULL, &b.end[0]) == 0);
    turn(&b);
    REQUIRE(b.end[0] && b.end[1]);
    pkt = next_segment(&b, &at.ip, 100);
    iip_stack_input(b.stk, &pkt, 1, b.now);
    turn(&b);
    CHECK_EQ(b.got[1], 0);
    CHECK_EQ(testhost_counter(b.stk, "drop_ip_src"), 1);
    iip_tcp_abort(b.stk, b.end[0]);
    turn(&b);
    CHECK_EQ(b.closed[0] + b.closed[1], 2);
    CHECK_EQ(end_all(&b), 0);
}

/* Nobody listens: refused at once, without a wire. */
static void nobody_listens(void)
{
    static struct both b;
    struct iip_endpoint at;
    memset(&at, 0, sizeof(at));
    REQUIRE(set_up(&b, &at.ip) == 0);
    at.port = 81;
    REQUIRE(iip_tcp_connect(b.stk, NULL, &at, NULL, &b.end[0]) == 0);
    turn(&b);
    CHECK_EQ(b.closed[0], 1);
    CHECK_EQ(b.status[0], IIP_E_REFUSED);
    CHECK_EQ(end_all(&b), 0);
}

int main(void)
{
    RUN(client_and_server_in_one);
    RUN(a_port_to_itself);
    RUN(the_wire_has_no_say);
    RUN(nobody_listens);
    return check_done();
}

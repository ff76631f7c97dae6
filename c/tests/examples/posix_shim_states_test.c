/* posix_shim_states_test.c - what poll, errors and counts say in every state of a socket. */
#define _GNU_SOURCE
#include "shim_world.h"

enum { ALL = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP };

/* A raw packet of the test's own to an end: an ICMP error that quotes the TCP header of the last packet the end sent. */
static void unreachable(struct end *to, const uint8_t *quote, uint8_t code)
{
    struct iip_frame *frame = frame_get(to, 56);
    struct iip_pkt *pkt;
    uint8_t *p = frame->base;
    uint32_t sum = 0, i;
    memset(p, 0, 56);
    memcpy(p, "\x45\0\0\x38\0\0\0\0\x40\1\0\0\x0a\0\0\x09", 16);
    memcpy(p + 16, quote + 12, 4);
    for (i = 0; i < 20; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    p[10] = (uint8_t)(sum >> 8);
    p[11] = (uint8_t)sum;
    p[20] = 3;
    p[21] = code;
    memcpy(p + 28, quote, 28);
    for (sum = 0, i = 20; i < 56; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    p[22] = (uint8_t)(sum >> 8);
    p[23] = (uint8_t)sum;
    pkt = iip_pkt_new(to->stk, frame, p, 56);
    iip_stack_input(to->stk, &pkt, 1, now_us);
    shim_notes(to->stk);
}

static void masks_from_fresh_to_closed(void)
{
    struct shim_sock *lis, *c, *s;
    char in[8];
    open_both(0);
    c = shim_socket(a.stk);
    CHECK_EQ(shim_poll(c), POLLOUT | POLLHUP); /* as Linux has it */
    shim_close(c);
    lis = serve(80);
    CHECK_EQ(shim_poll(lis), 0);
    c = dial(80);
    CHECK_EQ(shim_poll(c), 0);
    run(1000);
    s = shim_accept(lis);
    REQUIRE(s != NULL);
    CHECK_EQ(shim_poll(c), POLLOUT);
    CHECK_EQ(shim_poll(s), POLLOUT);
    CHECK_EQ(shim_send(c, "x", 1), 1);
    CHECK_EQ(shim_shutdown(c, SHUT_WR), 0);
    CHECK_EQ(shim_poll(c), POLLOUT);
    run(1000);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT | POLLRDHUP);
    CHECK_EQ(shim_recv(s, in, 8, 0), 1);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT | POLLRDHUP); /* the end can be read */
    CHECK_EQ(shim_shutdown(s, SHUT_WR), 0);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    run(1000);
    CHECK_EQ(shim_poll(c), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    CHECK_EQ(shim_error(c), 0);
    shim_close(c);
    shim_close(s);
    shim_close(lis);
    close_both();
}

static void shut_both_ways_is_hung_up(void)
{
    struct shim_sock *c, *s;
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_shutdown(c, SHUT_RDWR), 0);
    CHECK_EQ(shim_poll(c), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    shim_close(c);
    shim_close(s);
    close_both();
}

static void a_reset_in_every_call(void)
{
    struct shim_sock *c, *s;
    char in[8];
    open_both(0);
    pair_up(&c, &s);
    shim_linger(s, 1);
    shim_close(s);
    run(1000);
    CHECK_EQ(shim_poll(c), ALL);
    CHECK_EQ(shim_send(c, "x", 1), -ECONNRESET);
    CHECK_EQ(shim_send(c, "x", 1), -EPIPE);
    CHECK_EQ(shim_recv(c, in, 8, 0), 0);
    CHECK_EQ(shim_error(c), 0);
    CHECK_EQ(shim_poll(c), ALL & ~POLLERR);
    CHECK_EQ(shim_shutdown(c, SHUT_RDWR), -ENOTCONN);
    shim_close(c);
    close_both();
}

static void connect_again_tells_how_it_ended(void)
{
    struct iip_endpoint to = address(2, 81);
    struct shim_sock *c;
    open_both(0);
    c = dial(81);
    run(1000);
    CHECK_EQ(shim_connect(c, &to), -ECONNREFUSED);
    CHECK_EQ(shim_error(c), 0);
    shim_close(c);
    close_both();
}

/* A router says that there is no way; the connect goes on, and when it gives up it says why. */
static void unreachable_is_the_reason(uint8_t code, int error)
{
    uint8_t quote[28];
    struct shim_sock *c;
    open_both(IIP_STACK_L3);
    c = dial(80);
    iip_stack_output(a.stk, now_us);
    REQUIRE(b.wire_n == 1);
    memcpy(quote, b.wire[0]->data, sizeof quote);
    a.cut = 1;
    unreachable(&a, quote, code);
    CHECK_EQ(shim_poll(c), 0);
    iip_pkt_free(b.stk, b.wire[0]);
    b.wire_n = 0;
    run(1000000000);
    CHECK_EQ(shim_error(c), error);
    shim_close(c);
    close_both();
}

static void unreachable_is_the_reason_when_it_was_told(void)
{
    unreachable_is_the_reason(1, EHOSTUNREACH);
    unreachable_is_the_reason(0, ENETUNREACH);
}

static void no_route_is_said_at_once(void)
{
    struct iip_endpoint far;
    struct shim_sock *c;
    open_both(0);
    memset(&far, 0, sizeof far);
    iip_ip_v4(&far.ip, 198, 51, 100, 1);
    far.port = 80;
    c = shim_socket(a.stk);
    CHECK_EQ(shim_connect(c, &far), -ENETUNREACH);
    CHECK_EQ(shim_error(c), 0);
    shim_close(c);
    close_both();
}

static void port_unreachable_refuses(void)
{
    uint8_t quote[28];
    struct shim_sock *c;
    open_both(IIP_STACK_L3);
    a.cut = 0;
    c = dial(80);
    iip_stack_output(a.stk, now_us);
    REQUIRE(b.wire_n == 1);
    memcpy(quote, b.wire[0]->data, sizeof quote);
    unreachable(&a, quote, 3);
    CHECK_EQ(shim_poll(c), ALL);
    CHECK_EQ(shim_error(c), ECONNREFUSED);
    shim_close(c);
    close_both();
}

/* The peer falls silent: what was sent is not acknowledged. */
static void silence_ends_in_a_timeout(void)
{
    struct shim_sock *c, *s;
    char in[8];
    open_both(IIP_STACK_L3);
    pair_up(&c, &s);
    a.cut = b.cut = 1;
    CHECK_EQ(shim_send(c, "x", 1), 1);
    CHECK_EQ(shim_unacked(c), 1);
    run(3000000000u);
    CHECK_EQ(shim_poll(c), ALL);
    CHECK_EQ(shim_recv(c, in, 8, 0), -ETIMEDOUT);
    CHECK_EQ(shim_error(c), 0);
    shim_close(c);
    shim_close(s);
    close_both();
}

static void counts_follow_the_bytes(void)
{
    struct shim_sock *c, *s;
    char bytes[100] = {0};
    open_both(0);
    pair_up(&c, &s);
    a.cut = 1;
    CHECK_EQ(shim_send(c, bytes, 100), 100);
    run(1000);
    CHECK_EQ(shim_unacked(c), 100);
    CHECK_EQ(shim_unread(s), 0);
    a.cut = 0;
    run(2000000);
    CHECK_EQ(shim_unacked(c), 0);
    CHECK_EQ(shim_unread(s), 100);
    CHECK_EQ(shim_recv(s, bytes, 60, SHIM_PEEK), 60);
    CHECK_EQ(shim_unread(s), 100);
    CHECK_EQ(shim_recv(s, bytes, 60, 0), 60);
    CHECK_EQ(shim_unread(s), 40);
    shim_close(c);
    shim_close(s);
    close_both();
}

/* Bytes that come after SHUT_RD can be read, as Linux has it; closing with them unread resets. */
static void bytes_after_shut_rd(void)
{
    struct shim_sock *c, *s;
    char in[8];
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_shutdown(c, SHUT_RD), 0);
    CHECK_EQ(shim_send(s, "abc", 3), 3);
    run(1000);
    CHECK_EQ(shim_recv(c, in, 2, 0), 2);
    CHECK_EQ(shim_unread(c), 1);
    shim_close(c);
    run(1000);
    CHECK_EQ(shim_error(s), ECONNRESET);
    shim_close(s);
    close_both();
}

/* No frame for a while, with nothing under way: the socket comes back by itself. */
static void without_frames_a_send_waits(void)
{
    struct shim_sock *c, *s;
    open_both(0);
    pair_up(&c, &s);
    a.no_frames = 1;
    CHECK_EQ(shim_send(c, "x", 1), -EAGAIN);
    a.no_frames = 0;
    run(1000000);
    CHECK_EQ(shim_poll(c), POLLOUT);
    CHECK_EQ(shim_send(c, "x", 1), 1);
    run(1000000);
    CHECK_EQ(shim_unread(s), 1);
    shim_close(c);
    shim_close(s);
    close_both();
}

/* A connection that was reset while it waited comes out of accept, and says so. */
static void reset_while_waiting(void)
{
    struct shim_sock *lis, *c, *s;
    char in[8];
    open_both(0);
    lis = serve(80);
    c = dial(80);
    run(1000);
    shim_linger(c, 1);
    shim_close(c);
    run(1000);
    CHECK_EQ(shim_poll(lis), POLLIN);
    s = shim_accept(lis);
    REQUIRE(s != NULL);
    CHECK_EQ(shim_recv(s, in, 8, 0), -ECONNRESET);
    shim_close(s);
    shim_close(lis);
    close_both();
}

static void closing_while_connecting(void)
{
    struct shim_sock *c;
    open_both(0);
    a.cut = 1;
    c = dial(80);
    shim_close(c);
    a.cut = 0;
    run(300000000);
    CHECK(iip_tcp_next(a.stk, NULL) == NULL);
    close_both();
}

static void many_sockets(void)
{
    enum { N = 1500 };
    static struct shim_sock *c[N], *s[N];
    struct shim_sock *lis;
    struct iip_endpoint local = address(2, 80);
    char in[4];
    int i, accepted = 0;
    open_both(0);
    lis = shim_socket(b.stk);
    shim_bind(lis, &local);
    CHECK_EQ(shim_listen(lis, N), 0);
    for (i = 0; i < N; i++)
        c[i] = dial(80);
    run(5000000);
    while (accepted < N && (s[accepted] = shim_accept(lis)) != NULL)
        accepted++;
    CHECK_EQ(accepted, N);
    for (i = 0; i < accepted; i++)
        CHECK_EQ(shim_send(s[i], "hi", 2), 2);
    run(1000000);
    for (i = 0; i < N; i++)
        CHECK_EQ(shim_recv(c[i], in, 4, 0), 2);
    for (i = 0; i < N; i++) {
        shim_close(c[i]);
        if (i < accepted)
            shim_close(s[i]);
    }
    shim_close(lis);
    run(200000000);
    CHECK(iip_tcp_next(a.stk, NULL) == NULL);
    CHECK(iip_tcp_next(b.stk, NULL) == NULL);
    close_both();
}

/* ---- the backlog: who waits in the stack and who waits for shim_accept, together ---- */

enum { BACKLOG = 3, CROWD = 8 };

static struct shim_sock *crowd_lis, *crowd[CROWD], *served[CROWD + 1];

/* A crowd connects at once, and nobody is accepted. */
static void crowd_comes(iip_u64 half_open_max)
{
    struct iip_endpoint local = address(2, 80);
    int i;
    open_both(0);
    iip_stack_set(b.stk, "tcp.half_open_max", half_open_max);
    crowd_lis = shim_socket(b.stk);
    shim_bind(crowd_lis, &local);
    CHECK_EQ(shim_listen(crowd_lis, BACKLOG), 0);
    for (i = 0; i < CROWD; i++)
        crowd[i] = dial(80);
    run(1000);
}

/* Whoever waits for shim_accept is accepted; how many. */
static int serve_crowd(int n)
{
    int before = n;
    while (n < CROWD && (served[n] = shim_accept(crowd_lis)) != NULL)
        n++;
    return n - before;
}

static void crowd_goes(int n)
{
    int i;
    for (i = 0; i < CROWD; i++)
        shim_close(crowd[i]);
    for (i = 0; i < n; i++)
        shim_close(served[i]);
    shim_close(crowd_lis);
    close_both();
}

static void the_backlog_holds(void)
{
    int n = 0, more;
    crowd_comes(100);
    run(12000000); /* SYN-ACKs go again, after 15 s and 31 s the last times, and still nobody is accepted */
    while (n < CROWD) {
        more = serve_crowd(n);
        CHECK_EQ(more, CROWD - n < BACKLOG ? CROWD - n : BACKLOG);
        CHECK(shim_accept(crowd_lis) == NULL);
        REQUIRE(more > 0);
        n += more;
        run(12000000);
    }
    crowd_goes(n);
}

/* One place more for each that is accepted. */
static void one_is_accepted_and_one_comes(void)
{
    struct shim_sock *late;
    int n;
    crowd_comes(100);
    late = dial(80);
    run(2000000);
    CHECK_EQ(shim_poll(late), 0); /* its SYN is not answered */
    served[0] = shim_accept(crowd_lis);
    REQUIRE(served[0] != NULL);
    run(20000000);
    n = 1 + serve_crowd(1);
    CHECK_EQ(n, 1 + BACKLOG);
    shim_close(late);
    crowd_goes(n);
}

/* SYN cookies leave no trace of those who wait; their bytes bring the cookie again. */
static void the_backlog_holds_for_cookies(void)
{
    int n, i;
    crowd_comes(1);
    for (i = 0; i < CROWD; i++)
        CHECK_EQ(shim_send(crowd[i], "x", 1), 1);
    run(20000000);
    n = serve_crowd(0);
    CHECK_EQ(n, BACKLOG);
    CHECK(shim_accept(crowd_lis) == NULL);
    run(20000000);
    n += serve_crowd(n);
    CHECK_EQ(n, 2 * BACKLOG);
    crowd_goes(n);
}

/* One that waits and goes has its place until it is accepted. */
static void who_goes_while_waiting_keeps_the_place(int zero_linger)
{
    char in[8];
    int n;
    crowd_comes(100);
    shim_linger(crowd[0], zero_linger);
    shim_close(crowd[0]);
    crowd[0] = dial(81);
    run(20000000);
    n = serve_crowd(0);
    CHECK_EQ(n, BACKLOG);
    CHECK_EQ(shim_recv(served[0], in, 8, 0), zero_linger ? -ECONNRESET : 0);
    crowd_goes(n);
}

static void who_resets_while_waiting_keeps_the_place(void)
{
    who_goes_while_waiting_keeps_the_place(1);
}

static void who_closes_while_waiting_keeps_the_place(void)
{
    who_goes_while_waiting_keeps_the_place(0);
}

int main(void)
{
    RUN(masks_from_fresh_to_closed);
    RUN(shut_both_ways_is_hung_up);
    RUN(a_reset_in_every_call);
    RUN(connect_again_tells_how_it_ended);
    RUN(unreachable_is_the_reason_when_it_was_told);
    RUN(no_route_is_said_at_once);
    RUN(port_unreachable_refuses);
    RUN(silence_ends_in_a_timeout);
    RUN(counts_follow_the_bytes);
    RUN(bytes_after_shut_rd);
    RUN(without_frames_a_send_waits);
    RUN(reset_while_waiting);
    RUN(closing_while_connecting);
    RUN(many_sockets);
    RUN(the_backlog_holds);
    RUN(one_is_accepted_and_one_comes);
    RUN(the_backlog_holds_for_cookies);
    RUN(who_resets_while_waiting_keeps_the_place);
    RUN(who_closes_while_waiting_keeps_the_place);
    return check_done();
}

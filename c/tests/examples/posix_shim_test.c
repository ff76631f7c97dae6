/* posix_shim_test.c - two stacks back to back in memory, on a virtual clock, driven through the shim alone. */
#define _GNU_SOURCE
#include "shim_world.h"

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)((i * 2654435761u) >> 13);
}

/* ---- connecting ------------------------------------------------------------------------------------------------ */

static void connects(void)
{
    struct iip_endpoint local, peer, back_local, back_peer, to = address(2, 80);
    struct shim_sock *lis, *c, *s;
    char byte;
    open_both(0);
    lis = serve(80);
    CHECK_EQ(shim_poll(lis), 0);
    CHECK(shim_accept(lis) == NULL);
    c = dial(80);
    CHECK_EQ(shim_poll(c), 0);
    CHECK_EQ(shim_connect(c, &to), -EALREADY);
    CHECK_EQ(shim_send(c, "x", 1), -EAGAIN);
    CHECK_EQ(shim_recv(c, &byte, 1, 0), -EAGAIN);
    run(1000);
    CHECK_EQ(shim_poll(c), POLLOUT);
    CHECK_EQ(shim_error(c), 0);
    CHECK_EQ(shim_connect(c, &to), -EISCONN);
    CHECK_EQ(shim_poll(lis), POLLIN);
    s = shim_accept(lis);
    REQUIRE(s != NULL);
    CHECK(shim_accept(lis) == NULL);
    shim_names(c, &local, &peer);
    shim_names(s, &back_local, &back_peer);
    CHECK_EQ(peer.port, 80);
    CHECK_EQ(back_peer.port, local.port);
    CHECK_MEM(&back_peer.ip, &local.ip, sizeof local.ip);
    CHECK_MEM(&back_local.ip, &peer.ip, sizeof peer.ip);
    shim_close(c);
    shim_close(s);
    shim_close(lis);
    close_both();
}

static void a_refused_connect_says_so_once(void)
{
    struct shim_sock *c;
    char byte;
    open_both(0);
    c = dial(81);
    run(1000);
    CHECK_EQ(shim_poll(c), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    CHECK_EQ(shim_error(c), ECONNREFUSED);
    CHECK_EQ(shim_error(c), 0);
    CHECK_EQ(shim_poll(c) & POLLERR, 0);
    CHECK_EQ(shim_recv(c, &byte, 1, 0), 0);
    CHECK_EQ(shim_send(c, &byte, 1), -EPIPE);
    shim_close(c);
    close_both();
}

static void nobody_answers(void)
{
    struct shim_sock *c;
    open_both(IIP_STACK_L3);
    a.cut = 1;
    c = dial(80);
    run(1000000000);
    CHECK_EQ(shim_error(c), ETIMEDOUT);
    shim_close(c);
    close_both();
    open_both(0); /* not even ARP */
    a.cut = 1;
    c = dial(80);
    run(1000000000);
    CHECK_EQ(shim_error(c), EHOSTUNREACH);
    shim_close(c);
    close_both();
}

static void what_cannot_be(void)
{
    struct iip_endpoint none = address(9, 80), peer = address(2, 80);
    struct shim_sock *s, *t;
    char byte;
    open_both(0);
    s = shim_socket(b.stk);
    CHECK_EQ(shim_recv(s, &byte, 1, 0), -ENOTCONN);
    CHECK_EQ(shim_send(s, &byte, 1), -ENOTCONN);
    CHECK_EQ(shim_shutdown(s, SHUT_WR), -ENOTCONN);
    CHECK_EQ(shim_bind(s, &none), 0);
    CHECK_EQ(shim_bind(s, &none), -EINVAL);
    CHECK_EQ(shim_listen(s, 1), -EADDRNOTAVAIL);
    shim_close(s);
    s = serve(80);
    t = shim_socket(b.stk);
    shim_bind(t, &peer);
    CHECK_EQ(shim_listen(t, 1), -EADDRINUSE);
    CHECK_EQ(shim_listen(s, 1), -EINVAL);
    CHECK_EQ(shim_connect(s, &peer), -EINVAL);
    shim_close(s);
    shim_close(t);
    close_both();
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void peeks_and_reads_in_any_pieces(void)
{
    struct shim_sock *c, *s;
    char in[64];
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_recv(s, in, sizeof in, 0), -EAGAIN);
    CHECK_EQ(shim_send(c, "hello ", 6), 6);
    run(1000);
    CHECK_EQ(shim_send(c, "world", 5), 5);
    run(100000); /* Nagle waits for the acknowledgement of the first, which waits for company */
    CHECK_EQ(shim_unread(s), 11);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT);
    CHECK_EQ(shim_recv(s, in, 8, SHIM_PEEK), 8);
    CHECK_MEM(in, "hello wo", 8);
    CHECK_EQ(shim_unread(s), 11);
    CHECK_EQ(shim_recv(s, in, 3, 0), 3);
    CHECK_EQ(shim_recv(s, in, 64, SHIM_PEEK), 8);
    CHECK_MEM(in, "lo world", 8);
    CHECK_EQ(shim_recv(s, in, 3, 0), 3);
    CHECK_EQ(shim_recv(s, in, 0, 0), 0);
    CHECK_EQ(shim_recv(s, in, 64, 0), 5);
    CHECK_MEM(in, "world", 5);
    CHECK_EQ(shim_unread(s), 0);
    CHECK_EQ(shim_poll(s), POLLOUT);
    shim_close(c);
    shim_close(s);
    close_both();
}

/* Fills the way until nothing more goes in; returns the bytes. */
static uint32_t fill(struct shim_sock *s)
{
    static uint8_t chunk[10000];
    uint32_t sum = 0, i;
    int n;
    for (;;) {
        for (i = 0; i < sizeof chunk; i++)
            chunk[i] = byte_at(sum + i);
        n = shim_send(s, chunk, sizeof chunk);
        if (n < 0) {
            CHECK_EQ(n, -EAGAIN);
            return sum;
        }
        sum += (uint32_t)n;
        run(1000);
    }
}

static void sends_what_fits_and_says_when_more_does(void)
{
    static uint8_t in[7000];
    struct shim_sock *c, *s;
    uint32_t sum, got = 0, i;
    int n, wrong = 0;
    open_both(0);
    pair_up(&c, &s);
    sum = fill(c);
    CHECK(sum > 100000);
    CHECK_EQ(shim_poll(c) & POLLOUT, 0);
    CHECK_EQ(shim_unacked(c) + shim_unread(s), sum);
    while (got < sum) {
        n = shim_recv(s, in, sizeof in, 0);
        if (n == -EAGAIN) {
            run(100000);
            continue;
        }
        REQUIRE(n > 0);
        for (i = 0; i < (uint32_t)n; i++)
            wrong += in[i] != byte_at(got + i);
        got += (uint32_t)n;
    }
    run(1000000);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(shim_unacked(c), 0);
    CHECK_EQ(shim_poll(c), POLLOUT);
    shim_close(c);
    shim_close(s);
    close_both();
}

/* Both ways at once, with loss, in pieces of odd sizes; reads stop and go. */
static void bulk_with_loss_is_exact(void)
{
    enum { TOTAL = 3000000 };
    static uint8_t buf[5000];
    struct shim_sock *c, *s, *ends[2];
    uint32_t sent[2] = {0, 0}, got[2] = {0, 0}, i, k, round;
    int wrong = 0;
    open_both(0);
    pair_up(&c, &s);
    ends[0] = c;
    ends[1] = s;
    a.lose_every = 37;
    b.lose_every = 53;
    for (round = 0; round < 100000 && (got[0] < TOTAL || got[1] < TOTAL); round++) {
        for (k = 0; k < 2; k++) {
            uint32_t len = 1 + round * 7919u % (uint32_t)sizeof buf;
            int n;
            len = len < TOTAL - sent[k] ? len : TOTAL - sent[k];
            for (i = 0; i < len; i++)
                buf[i] = byte_at(sent[k] + i);
            n = len ? shim_send(ends[k], buf, (int)len) : 0;
            sent[k] += n > 0 ? (uint32_t)n : 0;
            n = round % 3 ? shim_recv(ends[k], buf, (int)(1 + round * 31 % sizeof buf), 0) : 0;
            for (i = 0; n > 0 && i < (uint32_t)n; i++)
                wrong += buf[i] != byte_at(got[k] + i);
            got[k] += n > 0 ? (uint32_t)n : 0;
        }
        run(5000);
    }
    CHECK_EQ(got[0], TOTAL);
    CHECK_EQ(got[1], TOTAL);
    CHECK_EQ(wrong, 0);
    shim_close(c);
    shim_close(s);
    close_both();
}

/* ---- endings --------------------------------------------------------------------------------------------------- */

static void half_close(void)
{
    struct shim_sock *c, *s;
    char in[16];
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_send(c, "ask", 3), 3);
    CHECK_EQ(shim_poll(c), POLLOUT); /* all was taken */
    CHECK_EQ(shim_shutdown(c, 9), -EINVAL);
    CHECK_EQ(shim_shutdown(c, SHUT_WR), 0);
    CHECK_EQ(shim_send(c, "x", 1), -EPIPE);
    run(1000);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT | POLLRDHUP);
    CHECK_EQ(shim_recv(s, in, 16, 0), 3);
    CHECK_EQ(shim_recv(s, in, 16, 0), 0);
    CHECK_EQ(shim_send(s, "reply", 5), 5);
    CHECK_EQ(shim_shutdown(s, SHUT_RDWR), 0);
    run(1000);
    CHECK_EQ(shim_recv(c, in, 16, 0), 5);
    CHECK_EQ(shim_recv(c, in, 16, 0), 0);
    CHECK_EQ(shim_poll(c) & POLLHUP, POLLHUP);
    CHECK_EQ(shim_error(c), 0);
    CHECK_EQ(shim_error(s), 0);
    shim_close(c);
    shim_close(s);
    close_both();
}

static void each_way_is_shut_for_itself(void)
{
    struct shim_sock *c, *s;
    char in[16];
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_shutdown(c, SHUT_RD), 0);
    CHECK_EQ(shim_poll(c), POLLIN | POLLOUT | POLLRDHUP);
    CHECK_EQ(shim_recv(c, in, 16, 0), 0);
    CHECK_EQ(shim_send(c, "on", 2), 2);
    run(1000);
    CHECK_EQ(shim_poll(s), POLLIN | POLLOUT); /* the peer knows nothing of it */
    CHECK_EQ(shim_recv(s, in, 16, 0), 2);
    CHECK_EQ(shim_shutdown(c, SHUT_WR), 0);
    CHECK_EQ(shim_shutdown(c, SHUT_RD), 0);
    CHECK_EQ(shim_send(c, "x", 1), -EPIPE);
    CHECK_EQ(shim_recv(c, in, 16, 0), 0);
    run(1000);
    CHECK_EQ(shim_recv(s, in, 16, 0), 0);
    shim_close(c);
    shim_close(s);
    close_both();
}

static void close_sends_the_rest_first(void)
{
    static char out[50000], in[60000];
    struct shim_sock *c, *s;
    int n, sum = 0;
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_send(c, out, sizeof out), sizeof out);
    shim_close(c);
    run(1000000);
    while ((n = shim_recv(s, in, sizeof in, 0)) > 0)
        sum += n;
    CHECK_EQ(n, 0);
    CHECK_EQ(sum, sizeof out);
    shim_close(s);
    close_both();
}

/* The peer of a reset: what it had not read yet, then the error once, then the end. */
static void is_reset(struct shim_sock *s, int unread)
{
    char in[16];
    CHECK_EQ(shim_poll(s) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    CHECK_EQ(shim_unread(s), unread);
    if (unread)
        CHECK_EQ(shim_recv(s, in, sizeof in, 0), unread);
    CHECK_EQ(shim_recv(s, in, sizeof in, 0), -ECONNRESET);
    CHECK_EQ(shim_recv(s, in, sizeof in, 0), 0);
    CHECK_EQ(shim_send(s, in, 1), -EPIPE);
    CHECK_EQ(shim_unacked(s), 0);
}

static void close_with_unread_bytes_resets(void)
{
    struct shim_sock *c, *s;
    open_both(0);
    pair_up(&c, &s);
    CHECK_EQ(shim_send(c, "unread", 6), 6);
    CHECK_EQ(shim_send(s, "seen", 4), 4);
    run(1000);
    shim_close(s);
    run(1000);
    is_reset(c, 4);
    shim_close(c);
    close_both();
}

static void close_with_zero_linger_resets(void)
{
    struct shim_sock *c, *s;
    open_both(0);
    pair_up(&c, &s);
    shim_linger(s, 1);
    shim_close(s);
    run(1000);
    is_reset(c, 0);
    shim_close(c);
    close_both();
}

static void bytes_for_a_closed_socket_are_answered_with_a_reset(void)
{
    struct shim_sock *c, *s;
    open_both(0);
    pair_up(&c, &s);
    shim_close(s);
    run(1000);
    CHECK_EQ(shim_poll(c) & POLLRDHUP, POLLRDHUP);
    CHECK_EQ(shim_send(c, "late", 4), 4);
    run(1000000);
    CHECK_EQ(shim_error(c), ECONNRESET);
    shim_close(c);
    close_both();
}

static void closing_a_listener_resets_who_waits(void)
{
    struct shim_sock *lis, *c[3], *s;
    int i;
    open_both(0);
    lis = serve(80);
    for (i = 0; i < 3; i++)
        c[i] = dial(80);
    run(1000);
    s = shim_accept(lis);
    REQUIRE(s != NULL);
    shim_close(lis);
    run(1000);
    CHECK_EQ(shim_poll(c[0]), POLLOUT);
    is_reset(c[1], 0);
    is_reset(c[2], 0);
    for (i = 0; i < 3; i++)
        shim_close(c[i]);
    shim_close(s);
    close_both();
}

int main(void)
{
    RUN(connects);
    RUN(a_refused_connect_says_so_once);
    RUN(nobody_answers);
    RUN(what_cannot_be);
    RUN(peeks_and_reads_in_any_pieces);
    RUN(sends_what_fits_and_says_when_more_does);
    RUN(bulk_with_loss_is_exact);
    RUN(half_close);
    RUN(each_way_is_shut_for_itself);
    RUN(close_sends_the_rest_first);
    RUN(close_with_unread_bytes_resets);
    RUN(close_with_zero_linger_resets);
    RUN(bytes_for_a_closed_socket_are_answered_with_a_reset);
    RUN(closing_a_listener_resets_who_waits);
    return check_done();
}

/* neigh_test.c - states, questions and limits of the neighbour cache [RFC 4861 7.3; RFC 1122 2.3.2]. */
/* covers: AR-02, AR-03, AR-04, V6-07, A34, A33 */
#include "net_test.h"

#include "net/net.h"

static struct iip_udp_sock *sock;

static int open_with_socket(void)
{
    if (net_open(0, 0))
        return -1;
    sock = net_socket("0.0.0.0", 1000);
    return 0;
}

static void reply_from(const uint8_t *mac)
{
    fake_arp(&b, 2, mac, FAKE_V4_PEER, mac_ours, FAKE_V4_OURS);
    net_input();
}

static void resolve(void)
{
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    reply_from(mac_peer);
    fake_forget(&h);
}

static uint32_t count_arp(void)
{
    uint32_t n = 0;
    uint32_t i;
    for (i = 0; i < h.sent_count; i++)
        n += h.sent[i].bytes[12] == 8 && h.sent[i].bytes[13] == 6;
    return n;
}

/* AR-03: a flood to an absent host asks once a second, and no more. */
static void asks_at_most_once_a_second(void)
{
    int i;
    uint32_t k;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 1000; i++) {
        net_send(sock, "10.0.0.99", 7, "x", 1);
        fake_run(&h, 10000);
    }
    CHECK(count_arp() >= 9 && count_arp() <= 11);
    for (k = 1; k < h.sent_count; k++)
        CHECK(h.sent[k].at - h.sent[k - 1].at >= 1000000);
    CHECK(net_counter("neigh_failed") >= 2);
    net_close();
}

/* AR-04: the latest packets wait, up to the limit. */
static void keeps_the_latest(void)
{
    char c;
    uint32_t i;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.queue", 3), IIP_OK);
    for (c = 'a'; c <= 'e'; c++)
        net_send(sock, FAKE_V4_PEER, 7, &c, 1);
    CHECK_EQ(net_counter("neigh_queue_full"), 2);
    fake_forget(&h);
    reply_from(mac_peer);
    CHECK_EQ(h.sent_count, 3);
    for (i = 0; i < 3; i++)
        CHECK(net_sent(i) && v.payload[0] == 'c' + (int)i);
    net_close();
}

static void gives_up_and_says_so(void)
{
    REQUIRE(!open_with_socket());
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    fake_run(&h, 2999999);
    CHECK_EQ(count_arp(), 3);
    CHECK_EQ(fake_notes(&h), 0);
    fake_run(&h, 1);
    CHECK_EQ(count_arp(), 3);
    CHECK_EQ(net_counter("neigh_failed"), 1);
    CHECK_EQ(fake_notes(&h), 1);
    CHECK_EQ(h.notes[0].type, IIP_NOTE_UDP_ERROR);
    CHECK_EQ(h.notes[0].status, IIP_E_UNREACHABLE);
    CHECK(net_is_ip(&h.notes[0].peer.ip, FAKE_V4_PEER));
    CHECK_EQ(h.notes[0].peer.port, 7);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

/* REACHABLE lasts neigh.reachable_us; then the next packet waits 5 s for a confirmation, then a probe goes to the station itself. */
static void probes_what_was_not_confirmed(void)
{
    REQUIRE(!open_with_socket());
    resolve();
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    fake_run(&h, 29999999);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER); /* still fresh */
    fake_run(&h, 1);
    net_send(sock, FAKE_V4_PEER, 7, "y", 1);
    CHECK_EQ(h.sent_count, 2);
    CHECK_EQ(iip_stack_deadline(h.stk), h.now + 5000000);
    fake_run(&h, 5000000);
    CHECK_EQ(h.sent_count, 3);
    CHECK(net_is_arp(2, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_peer));
    reply_from(mac_peer);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

/* RFC 4861 7.3.1: a transport that hears from the other side saves the question, each time anew. */
static void a_transport_confirms(void)
{
    struct iip_path path;
    struct iip_ip src;
    struct iip_ip dst;
    uint32_t round;
    REQUIRE(!open_with_socket());
    resolve();
    CHECK_EQ(iip_path_find(h.stk, fake_ip(&src, "::"), fake_ip(&dst, FAKE_V4_PEER), &path), IIP_OK);
    CHECK(net_is_ip(&src, FAKE_V4_OURS));
    for (round = 0; round < 3; round++) {
        fake_run(&h, 30000000);
        net_send(sock, FAKE_V4_PEER, 7, "x", 1);
        CHECK_EQ(iip_stack_deadline(h.stk), h.now + 5000000);
        fake_run(&h, 4000000);
        iip_path_confirm(h.stk, &path);
        fake_run(&h, 1000000);
        CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    }
    CHECK_EQ(count_arp(), 0);
    iip_path_drop(h.stk, &path);
    net_send(sock, "10.0.0.99", 7, "x", 1); /* nobody: nothing that a transport says makes it one */
    CHECK_EQ(iip_path_find(h.stk, fake_ip(&src, "::"), fake_ip(&dst, "10.0.0.99"), &path), IIP_OK);
    iip_path_confirm(h.stk, &path);
    fake_forget(&h);
    net_send(sock, "10.0.0.99", 7, "x", 1);
    CHECK_EQ(h.sent_count, 0);
    iip_path_drop(h.stk, &path);
    net_close();
}

/* AR-02: a stale entry that does not answer is flushed: a unicast probe, then broadcasts, then the entry is gone. */
static void flushes_what_does_not_answer(void)
{
    REQUIRE(!open_with_socket());
    resolve();
    fake_run(&h, 30000000);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    fake_run(&h, 20000000);
    CHECK_EQ(count_arp(), 3);
    CHECK(net_is_arp(1, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_peer));
    CHECK(net_is_arp(2, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    CHECK_EQ(net_counter("neigh_failed"), 1);
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, "y", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    net_close();
}

/* A34: a claim does not replace a live entry: the old station is asked, and while it answers it stays. */
static void a_claim_does_not_replace_a_live_entry(void)
{
    REQUIRE(!open_with_socket());
    resolve();
    fake_arp(&b, 1, mac_third, FAKE_V4_PEER, NULL, FAKE_V4_PEER); /* gratuitous */
    net_input();
    CHECK(net_is_arp(0, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_peer) || h.sent_count == 0);
    reply_from(mac_third);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK(net_sent(h.sent_count - 1));
    CHECK_MEM(v.eth, mac_peer, 6);
    fake_run(&h, 1000000);
    reply_from(mac_peer);
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, mac_peer, 6);
    net_close();
}

/* An address that moved for good is found when the old station is silent and the new one answers the broadcast. */
static void finds_a_station_that_moved(void)
{
    REQUIRE(!open_with_socket());
    resolve();
    fake_run(&h, 2000000);
    fake_arp(&b, 1, mac_third, FAKE_V4_PEER, NULL, FAKE_V4_PEER);
    net_input();
    fake_run(&h, 1000000);
    CHECK(net_is_arp(h.sent_count - 1, 1, FAKE_V4_OURS, FAKE_V4_PEER, mac_all));
    reply_from(mac_third);
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, mac_third, 6);
    net_close();
}

static void permanent_entries_stay(void)
{
    REQUIRE(!open_with_socket());
    CHECK_EQ(fake_neigh(&h, FAKE_V4_PEER), IIP_OK);
    reply_from(mac_third);
    fake_run(&h, 100000000);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK(net_sent(0));
    CHECK_MEM(v.eth, mac_peer, 6);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

/* Ten thousand senders: the cache stays within its limit, and pinned and permanent entries stay in it. */
static void forgets_the_least_recently_used(void)
{
    char text[32];
    uint32_t i;
    uint64_t used;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.entries", 64), IIP_OK);
    CHECK_EQ(fake_neigh(&h, "10.0.0.3"), IIP_OK);
    resolve(); /* pinned by the socket's path */
    for (i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u", i % 200 + 10);
        fake_arp(&b, 1, mac_third, text, NULL, FAKE_V4_OURS);
        net_input();
    }
    used = iip_stack_mem_used(h.stk);
    for (i = 0; i < 10000; i++) {
        snprintf(text, sizeof(text), "10.0.%u.%u", i / 250 % 250, i % 250 + 4);
        fake_arp(&b, 1, mac_third, text, NULL, FAKE_V4_OURS);
        net_input();
    }
    CHECK_EQ(iip_stack_mem_used(h.stk), used);
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    net_send(sock, "10.0.0.3", 7, "x", 1);
    CHECK_EQ(h.sent_count, 2);
    CHECK_EQ(count_arp(), 0);
    net_close();
}

/* Names that nobody answers for go before neighbours that are there. */
static void a_flood_of_names_displaces_nobody(void)
{
    char text[32];
    uint32_t i;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.entries", 64), IIP_OK);
    fake_arp(&b, 1, mac_peer, FAKE_V4_PEER, NULL, FAKE_V4_OURS);
    net_input();
    for (i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u", i % 240 + 3);
        net_send(sock, text, 7, "x", 1);
    }
    fake_forget(&h);
    net_send(sock, FAKE_V4_PEER, 7, "x", 1);
    CHECK_EQ(h.sent_count, 1);
    CHECK_EQ(count_arp(), 0);
    net_close();
}

/* More connections than the cache has entries: each has its neighbour, and the cache shrinks when they are gone. */
static void pinned_ones_are_beyond_the_limit(void)
{
    struct iip_udp_sock *socks[100];
    char text[32];
    uint64_t used;
    uint64_t one;
    uint32_t i;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.entries", 16), IIP_OK);
    for (i = 0; i < 100; i++) {
        struct iip_endpoint peer;
        snprintf(text, sizeof(text), "10.0.0.%u", i + 3);
        peer = fake_endpoint(text, 7);
        CHECK_EQ(iip_udp_open(h.stk, NULL, &peer, NULL, &socks[i]), IIP_OK);
    }
    used = iip_stack_mem_used(h.stk);
    for (i = 0; i < 84; i++)
        iip_udp_close(h.stk, socks[i]);
    one = used - iip_stack_mem_used(h.stk); /* 84 sockets and 84 entries */
    used = iip_stack_mem_used(h.stk);
    for (; i < 100; i++)
        iip_udp_close(h.stk, socks[i]);
    CHECK((used - iip_stack_mem_used(h.stk)) * 84 < one * 16); /* the last 16 entries stay */
    net_close();
}

/* What waits for all neighbours together is limited too. */
static void limits_what_waits(void)
{
    char text[32];
    uint32_t i;
    uint32_t frames;
    REQUIRE(!open_with_socket());
    for (i = 0; i < 600; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u", i % 200 + 10);
        net_send(sock, text, 7, "x", 1);
    }
    frames = h.frames_live;
    CHECK(frames <= 512);
    CHECK(net_counter("neigh_queue_full") >= 80);
    net_close();
}

static void send_many(const char *to, int n)
{
    while (n--)
        net_send(sock, to, 7, "x", 1);
}

/* A crowd of first packets to one neighbour, as of connections that are opened at once, is not lost. */
static void a_crowd_waits(void)
{
    REQUIRE(!open_with_socket());
    send_many(FAKE_V4_PEER, 128);
    CHECK_EQ(net_counter("neigh_queue_full"), 0);
    send_many(FAKE_V4_PEER, 1);
    CHECK_EQ(net_counter("neigh_queue_full"), 1);
    fake_forget(&h);
    reply_from(mac_peer);
    CHECK_EQ(h.sent_count, 128);
    net_close();
}

/* Whoever does not answer, however much waits for him, leaves room for those who do. */
static void the_silent_leave_room(void)
{
    uint64_t lost;
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.queue", 1024), IIP_OK);
    send_many("10.0.0.97", 600);
    send_many("10.0.0.98", 600);
    send_many("10.0.0.99", 600);
    CHECK(h.frames_live <= 512);
    lost = net_counter("neigh_queue_full");
    send_many(FAKE_V4_PEER, 16);
    CHECK_EQ(net_counter("neigh_queue_full"), lost);
    fake_forget(&h);
    reply_from(mac_peer);
    CHECK_EQ(h.sent_count, 16);
    net_close();
}

static void all_that_waits_has_a_limit(void)
{
    REQUIRE(!open_with_socket());
    CHECK_EQ(net_set("neigh.queue_all", 40), IIP_OK);
    send_many("10.0.0.97", 30);
    CHECK_EQ(h.frames_live, 20);
    send_many("10.0.0.98", 30);
    CHECK_EQ(h.frames_live, 20 + 16);
    send_many("10.0.0.99", 30);
    CHECK_EQ(h.frames_live, 40);
    net_close();
}

static void no_source_no_question(void)
{
    struct iip_stack_cfg cfg;
    struct iip_ip ip;
    fake_cfg(&cfg);
    REQUIRE(fake_open(&h, &cfg) == IIP_OK);
    CHECK_EQ(iip_stack_route_add(h.stk, fake_ip(&ip, "10.0.0.0"), 8, NULL), IIP_OK);
    sock = net_socket("0.0.0.0", 1000);
    CHECK_EQ(net_send(sock, FAKE_V4_PEER, 7, "x", 1), IIP_E_ADDR_NOT_AVAIL);
    CHECK_EQ(h.sent_count, 0);
    net_close();
}

int main(void)
{
    RUN(asks_at_most_once_a_second);
    RUN(keeps_the_latest);
    RUN(gives_up_and_says_so);
    RUN(probes_what_was_not_confirmed);
    RUN(a_transport_confirms);
    RUN(flushes_what_does_not_answer);
    RUN(a_claim_does_not_replace_a_live_entry);
    RUN(finds_a_station_that_moved);
    RUN(permanent_entries_stay);
    RUN(forgets_the_least_recently_used);
    RUN(a_flood_of_names_displaces_nobody);
    RUN(pinned_ones_are_beyond_the_limit);
    RUN(limits_what_waits);
    RUN(a_crowd_waits);
    RUN(the_silent_leave_room);
    RUN(all_that_waits_has_a_limit);
    RUN(no_source_no_question);
    return check_done();
}

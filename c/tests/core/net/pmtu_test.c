/* pmtu_test.c - path MTUs: learnt, limited, forgotten [RFC 1191, RFC 8201]; A24, PM-03. */
/* covers: PM-03, V6-04, V6-11, A24 */
#include "net_test.h"

static struct iip_udp_sock *sock;
static uint8_t data[1400];

static int open_to(const char *to)
{
    if (net_open(0, 0) || fake_neigh(&h, FAKE_V4_PEER) || fake_neigh(&h, FAKE_V6_PEER))
        return -1;
    sock = net_socket(strchr(to, ':') ? "::" : "0.0.0.0", 1000);
    return 0;
}

/* Size of the largest IP packet that 1,400 bytes to `to` need. */
static uint32_t largest(const char *to)
{
    uint32_t max = 0;
    uint32_t i;
    fake_forget(&h);
    if (net_send(sock, to, 7, data, sizeof(data)))
        return 0;
    for (i = 0; i < h.sent_count; i++)
        max = h.sent[i].len - 14 > max ? h.sent[i].len - 14 : max;
    return max;
}

/* A router says that the last packet was too big. */
static void too_big(const char *to, uint32_t mtu)
{
    struct fake_hdr hdr = strchr(to, ':') ? fake_v6() : fake_v4();
    static struct fake_buf quote;
    quote.len = h.sent[0].len - 14;
    memcpy(quote.bytes, h.sent[0].bytes + 14, quote.len);
    if (strchr(to, ':'))
        fake_icmp(&b, &hdr, 2, 0, mtu, quote.bytes, 100);
    else
        fake_icmp(&b, &hdr, 3, 4, mtu, quote.bytes, 28);
    net_input();
    fake_notes_drop(&h);
}

static void learns_and_forgets(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    CHECK_EQ(largest(FAKE_V4_PEER), 1428);
    too_big(FAKE_V4_PEER, 1004);
    CHECK_EQ(largest(FAKE_V4_PEER), 1004); /* 20 + 984, a multiple of 8 */
    CHECK_EQ(h.sent_count, 2);
    fake_run(&h, 599999999);
    CHECK_EQ(largest(FAKE_V4_PEER), 1004);
    fake_run(&h, 1);
    CHECK_EQ(largest(FAKE_V4_PEER), 1428);
    net_close();
}

/* Each at its own time. */
static void forgets_one_after_the_other(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    fake_neigh(&h, "10.0.0.3");
    largest(FAKE_V4_PEER);
    too_big(FAKE_V4_PEER, 1004);
    fake_run(&h, 5000000);
    largest("10.0.0.3");
    h.sent[0].bytes[14 + 19] = 3;
    too_big("10.0.0.3", 804);
    CHECK_EQ(largest("10.0.0.3"), 804);
    fake_run(&h, 595000000);
    CHECK_EQ(largest(FAKE_V4_PEER), 1428);
    CHECK_EQ(largest("10.0.0.3"), 804);
    fake_run(&h, 5000000);
    CHECK_EQ(largest("10.0.0.3"), 1428);
    CHECK_EQ(iip_stack_deadline(h.stk), IIP_NEVER);
    net_close();
}

static void only_the_path_in_question(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    fake_neigh(&h, "10.0.0.3");
    largest(FAKE_V4_PEER);
    too_big(FAKE_V4_PEER, 1004);
    CHECK_EQ(largest("10.0.0.3"), 1428);
    CHECK_EQ(largest(FAKE_V4_PEER), 1004);
    net_close();
}

/* A24: floors, nonsense, and what is larger than what is known. */
static void floors_hold(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    largest(FAKE_V4_PEER);
    too_big(FAKE_V4_PEER, 70000 & 0xffff);
    CHECK_EQ(largest(FAKE_V4_PEER), 1428);
    too_big(FAKE_V4_PEER, 0); /* an old router: the next plateau below 1428 */
    CHECK_EQ(largest(FAKE_V4_PEER), 1004);
    too_big(FAKE_V4_PEER, 1);
    CHECK_EQ(largest(FAKE_V4_PEER), 548); /* 552: 20 + 528 */
    too_big(FAKE_V4_PEER, 1400);
    CHECK_EQ(largest(FAKE_V4_PEER), 548);
    net_close();
    REQUIRE(!open_to(FAKE_V6_PEER));
    CHECK_EQ(largest(FAKE_V6_PEER), 1448);
    too_big(FAKE_V6_PEER, 1279);
    CHECK_EQ(largest(FAKE_V6_PEER), 1448);
    too_big(FAKE_V6_PEER, 1280);
    CHECK_EQ(largest(FAKE_V6_PEER), 1280);
    too_big(FAKE_V6_PEER, 68);
    CHECK_EQ(largest(FAKE_V6_PEER), 1280);
    net_close();
}

/* Nobody plants a path MTU for where we do not send. */
static void must_fit_what_was_sent(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    fake_neigh(&h, "10.0.0.3");
    largest(FAKE_V4_PEER);
    h.sent[0].bytes[14 + 19] = 3;
    too_big(FAKE_V4_PEER, 1004);
    CHECK_EQ(largest("10.0.0.3"), 1428);
    CHECK_EQ(net_counter("drop_icmp"), 1);
    net_close();
}

/* As many as there are destinations would be too many. */
static void the_table_is_limited(void)
{
    char text[32];
    uint64_t used = 0;
    uint32_t i;
    REQUIRE(!open_to(FAKE_V4_PEER));
    for (i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "20.0.%u.%u", i / 250, i % 250 + 1);
        if (i == 0)
            fake_neigh(&h, FAKE_V4_GATEWAY);
        CHECK_EQ(largest(text), 1428);
        too_big(text, 1004);
        CHECK_EQ(largest(text), 1004);
        if (i == 1100)
            used = iip_stack_mem_used(h.stk);
    }
    CHECK_EQ(iip_stack_mem_used(h.stk), used);
    CHECK_EQ(largest("20.0.0.1"), 1428);
    net_close();
}

static void the_links_mtu_is_the_upper_bound(void)
{
    REQUIRE(!open_to(FAKE_V4_PEER));
    CHECK_EQ(iip_stack_mtu_set(h.stk, 575), IIP_E_RANGE);
    CHECK_EQ(iip_stack_mtu_set(h.stk, 9001), IIP_E_RANGE);
    CHECK_EQ(iip_stack_mtu_set(h.stk, 1204), IIP_OK);
    CHECK_EQ(largest(FAKE_V4_PEER), 1204);
    CHECK_EQ(net_set("mtu", 1500), IIP_OK);
    CHECK_EQ(largest(FAKE_V4_PEER), 1428);
    net_close();
}

int main(void)
{
    RUN(learns_and_forgets);
    RUN(forgets_one_after_the_other);
    RUN(only_the_path_in_question);
    RUN(floors_hold);
    RUN(must_fit_what_was_sent);
    RUN(the_table_is_limited);
    RUN(the_links_mtu_is_the_upper_bound);
    return check_done();
}

/* route_test.c - the longest prefix wins. */
#include "net_test.h"

static struct iip_udp_sock *sock4, *sock6;

static int route(const char *dst, uint32_t len, const char *gateway)
{
    struct iip_ip ip;
    struct iip_ip gw;
    return iip_stack_route_add(h.stk, fake_ip(&ip, dst), len, gateway ? fake_ip(&gw, gateway) : NULL);
}

static int unroute(const char *dst, uint32_t len)
{
    struct iip_ip ip;
    return iip_stack_route_del(h.stk, fake_ip(&ip, dst), len);
}

/* Whom the stack asks for when it sends to `dst`; "" for nobody. */
static const char *asks_for(const char *dst)
{
    static char text[64];
    const uint8_t *p;
    fake_forget(&h);
    text[0] = 0;
    if (net_send(strchr(dst, ':') ? sock6 : sock4, dst, 9, "x", 1) || !h.sent_count)
        return text;
    p = h.sent[0].bytes;
    if (p[12] == 8)
        snprintf(text, sizeof(text), "%u.%u.%u.%u", p[38], p[39], p[40], p[41]);
    else
        snprintf(text, sizeof(text), "%02x%02x..%02x%02x", p[62], p[63], p[76], p[77]);
    fake_run(&h, 10000000);
    return text;
}

static int open_routes(void)
{
    if (net_open(0, 0))
        return -1;
    sock4 = net_socket("0.0.0.0", 1000);
    sock6 = net_socket("::", 1001);
    return 0;
}

static void the_longest_prefix_wins(void)
{
    REQUIRE(!open_routes());
    CHECK_EQ(route("20.0.0.0", 8, "10.0.0.8"), IIP_OK);
    CHECK_EQ(route("20.1.2.0", 24, "10.0.0.24"), IIP_OK);
    CHECK_EQ(route("20.1.0.0", 16, "10.0.0.16"), IIP_OK);
    CHECK_EQ(route("20.1.2.3", 32, NULL), IIP_OK);
    CHECK_STR(asks_for("20.9.9.9"), "10.0.0.8");
    CHECK_STR(asks_for("20.1.9.9"), "10.0.0.16");
    CHECK_STR(asks_for("20.1.2.9"), "10.0.0.24");
    CHECK_STR(asks_for("20.1.2.3"), "20.1.2.3");
    CHECK_STR(asks_for("99.0.0.1"), FAKE_V4_GATEWAY);
    CHECK_STR(asks_for("10.0.0.9"), "10.0.0.9");
    CHECK_EQ(unroute("20.1.2.0", 24), IIP_OK);
    CHECK_STR(asks_for("20.1.2.9"), "10.0.0.16");
    CHECK_EQ(unroute("20.1.2.0", 24), IIP_E_NOT_FOUND);
    net_close();
}

static void families_do_not_mix(void)
{
    REQUIRE(!open_routes());
    CHECK_STR(asks_for("2001:db8::1"), "fd00..00fe");
    CHECK_STR(asks_for("fd00::7"), "fd00..0007");
    CHECK_EQ(unroute("::", 0), IIP_OK);
    CHECK_STR(asks_for("2001:db8::1"), "");
    CHECK_STR(asks_for("99.0.0.1"), FAKE_V4_GATEWAY);
    CHECK_EQ(unroute("0.0.0.0", 0), IIP_OK);
    CHECK_STR(asks_for("99.0.0.1"), "");
    CHECK_EQ(net_counter("no_route"), 2);
    net_close();
}

static void refuses_what_is_no_route(void)
{
    REQUIRE(!open_routes());
    CHECK_EQ(route("20.0.0.0", 33, NULL), IIP_E_INVAL);
    CHECK_EQ(route("2001:db8::", 129, NULL), IIP_E_INVAL);
    CHECK_EQ(route("20.0.0.0", 8, "fd00::1"), IIP_E_INVAL);
    CHECK_EQ(route("20.0.0.0", 8, "224.0.0.1"), IIP_E_INVAL);
    CHECK_EQ(route("0.0.0.0", 0, "10.0.0.1"), IIP_E_EXISTS);
    CHECK_EQ(route("20.0.0.7", 8, "10.0.0.9"), IIP_OK);
    CHECK_EQ(route("20.0.0.0", 8, "10.0.0.9"), IIP_E_EXISTS); /* host bits do not count */
    CHECK_EQ(unroute("20.9.9.9", 8), IIP_OK);
    net_close();
}

static void an_addresss_route_goes_with_it(void)
{
    struct iip_ip ip;
    REQUIRE(!open_routes());
    CHECK_EQ(iip_stack_addr_add(h.stk, fake_ip(&ip, "30.0.0.1"), 24), IIP_OK);
    fake_output(&h);
    CHECK_STR(asks_for("30.0.0.9"), "30.0.0.9");
    CHECK_EQ(unroute("30.0.0.0", 24), IIP_E_NOT_FOUND);
    CHECK_EQ(iip_stack_addr_del(h.stk, &ip), IIP_OK);
    CHECK_STR(asks_for("30.0.0.9"), FAKE_V4_GATEWAY);
    net_close();
}

static void many_routes(void)
{
    char text[32];
    uint32_t i;
    REQUIRE(!open_routes());
    for (i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "40.%u.0.0", i);
        CHECK_EQ(route(text, 16, i % 2 ? "10.0.0.71" : "10.0.0.70"), IIP_OK);
    }
    CHECK_STR(asks_for("40.7.1.1"), "10.0.0.71");
    CHECK_STR(asks_for("40.198.1.1"), "10.0.0.70");
    for (i = 0; i < 200; i += 2) {
        snprintf(text, sizeof(text), "40.%u.0.0", i);
        CHECK_EQ(unroute(text, 16), IIP_OK);
    }
    CHECK_STR(asks_for("40.198.1.1"), FAKE_V4_GATEWAY);
    CHECK_STR(asks_for("40.199.1.1"), "10.0.0.71");
    net_close();
}

int main(void)
{
    RUN(the_longest_prefix_wins);
    RUN(families_do_not_mix);
    RUN(refuses_what_is_no_route);
    RUN(an_addresss_route_goes_with_it);
    RUN(many_routes);
    return check_done();
}

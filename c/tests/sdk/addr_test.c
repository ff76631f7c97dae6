/* addr_test.c - addresses as text: what is read, what is written, what is refused. */
#include "check.h"
#include "iip/iip.h"

/* Reads, writes, and compares with what it should look like. */
static void same(const char *text, const char *as, uint32_t family, uint32_t port)
{
    struct iip_addr addr;
    char out[64];
    int32_t n;
    CHECK_EQ(iip_addr_parse(text, &addr), IIP_OK);
    CHECK_EQ(addr.family, family);
    CHECK_EQ(addr.port, port);
    CHECK_EQ(addr.scope, 0);
    n = iip_addr_format(&addr, out, sizeof out);
    CHECK_STR(out, as);
    CHECK_EQ(n, strlen(as));
}

static void what_is_read_is_written(void)
{
    same("10.0.0.1", "10.0.0.1", 4, 0);
    same("10.0.0.1:80", "10.0.0.1:80", 4, 80);
    same("fd00::1", "fd00::1", 6, 0);
    same("[fd00::1]:65535", "[fd00::1]:65535", 6, 65535);
    same("[fd00::1]", "fd00::1", 6, 0);
    same("::ffff:1.2.3.4", "1.2.3.4", 4, 0);
    same("[::ffff:1.2.3.4]:9", "1.2.3.4:9", 4, 9);
    same(":80", "*:80", 0, 80);
    same("*:80", "*:80", 0, 80);
    same("*", "*", 0, 0);
    same("0.0.0.0:7", "0.0.0.0:7", 4, 7);
    same("[::]:7", "[::]:7", 6, 7);
    same("::", "::", 6, 0);
}

static void bytes_are_in_network_order(void)
{
    static const uint8_t v4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
    static const uint8_t any[16];
    struct iip_addr addr;
    iip_addr_parse("10.0.0.1:80", &addr);
    CHECK_MEM(addr.ip, v4, 16);
    iip_addr_parse("0.0.0.0:80", &addr);
    CHECK_MEM(addr.ip, any, 16);
}

static void nonsense_is_refused_and_nothing_is_written(void)
{
    static const char *const bad[] =
        {"",         "x",          "10.0.0",       "10.0.0.1:",    "10.0.0.1:65536", "10.0.0.1:-1",
         "[fd00::1", "fd00::1]",   "[fd00::1]80",  "[]:80",        "10.0.0.1:8x",    "host:80",
         "1:2:3",    "10.0.0.1/8", ":99999999999", "[10.0.0.1]::", "**:80",          " 10.0.0.1"};
    struct iip_addr addr, before;
    size_t i;
    memset(&addr, 0xaa, sizeof addr);
    before = addr;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK_EQ(iip_addr_parse(bad[i], &addr), IIP_E_INVAL))
            printf("    \"%s\"\n", bad[i]);
    CHECK_MEM(&addr, &before, sizeof addr);
    CHECK_EQ(iip_addr_parse(NULL, &addr), IIP_E_INVAL);
    CHECK_EQ(iip_addr_parse("1.2.3.4", NULL), IIP_E_INVAL);
}

static void room_is_respected(void)
{
    struct iip_addr addr;
    char out[64];
    iip_addr_parse("10.0.0.1:80", &addr);
    CHECK_EQ(iip_addr_format(&addr, out, 12), 11);
    out[0] = 'x';
    CHECK_EQ(iip_addr_format(&addr, out, 11), IIP_E_RANGE);
    CHECK_EQ(out[0], 'x');
    CHECK_EQ(iip_addr_format(&addr, out, 0), IIP_E_RANGE);
    CHECK_EQ(iip_addr_format(NULL, out, 64), IIP_E_INVAL);
    iip_addr_parse("[1111:2222:3333:4444:5555:6666:7777:8888]:65535", &addr);
    CHECK_EQ(iip_addr_format(&addr, out, 56), 47);
}

int main(void)
{
    RUN(what_is_read_is_written);
    RUN(bytes_are_in_network_order);
    RUN(nonsense_is_refused_and_nothing_is_written);
    RUN(room_is_respected);
    return check_done();
}

/* eth_test.c - the Ethernet header and its tag. */
#include "wire/eth.h"

#include <stdint.h>

#include "check.h"

static const uint8_t plain[14] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0x00};
static const uint8_t tagged[18] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0xe0, 0x05, 0x86, 0xdd};

static void reads_a_plain_header(void)
{
    struct iip_eth eth;
    CHECK_EQ(iip_eth_parse(&eth, plain, sizeof(plain)), 0);
    CHECK_EQ(eth.type, 0x0800);
    CHECK_EQ(eth.len, 14);
    CHECK_EQ(eth.vid, 0);
    CHECK_MEM(eth.dst, plain, 6);
    CHECK_MEM(eth.src, plain + 6, 6);
}

static void reads_a_tag(void)
{
    struct iip_eth eth;
    uint8_t priority[18];
    CHECK_EQ(iip_eth_parse(&eth, tagged, sizeof(tagged)), 0);
    CHECK_EQ(eth.type, 0x86dd);
    CHECK_EQ(eth.len, 18);
    CHECK_EQ(eth.vid, 5);
    memcpy(priority, tagged, sizeof(priority));
    priority[15] = 0;
    CHECK_EQ(iip_eth_parse(&eth, priority, sizeof(priority)), 0);
    CHECK_EQ(eth.vid, 0);
}

static void refuses_every_shorter_one(void)
{
    struct iip_eth eth;
    uint32_t len;
    for (len = 0; len < 14; len++)
        CHECK_EQ(iip_eth_parse(&eth, plain, len), -1);
    for (; len < 18; len++)
        CHECK_EQ(iip_eth_parse(&eth, tagged, len), -1);
}

static void writes_what_it_reads(void)
{
    uint8_t out[14];
    iip_eth_emit(out, plain, plain + 6, 0x0800);
    CHECK_MEM(out, plain, 14);
    CHECK(iip_eth_is_group(plain));
    CHECK(!iip_eth_is_group(tagged));
}

int main(void)
{
    RUN(reads_a_plain_header);
    RUN(reads_a_tag);
    RUN(refuses_every_shorter_one);
    RUN(writes_what_it_reads);
    return check_done();
}

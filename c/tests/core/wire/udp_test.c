/* udp_test.c - the UDP header as bytes. */
#include "wire/udp.h"

#include <stdint.h>

#include "check.h"

static void reads_and_writes_a_header(void)
{
    static const uint8_t bytes[8] = {0x04, 0xd2, 0, 53, 0, 12, 0, 0};
    struct iip_udp_hdr h;
    uint8_t out[8];
    iip_udp_read(&h, bytes);
    CHECK_EQ(h.src_port, 1234);
    CHECK_EQ(h.dst_port, 53);
    CHECK_EQ(h.len, 12);
    CHECK_EQ(h.has_csum, 0);
    memset(out, 0xff, sizeof(out));
    iip_udp_emit(out, 1234, 53, 12);
    CHECK_MEM(out, bytes, 8);
}

/* [RFC 768] A sum whose complement is 0 goes out as 0xffff. */
static void never_writes_a_sum_of_0(void)
{
    uint8_t m[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    iip_udp_csum_set(m, 0xffff);
    CHECK_EQ(m[6], 0xff);
    CHECK_EQ(m[7], 0xff);
    iip_udp_csum_set(m, iip_csum_word(0x1234));
    CHECK_EQ(m[6], 0xed);
    CHECK_EQ(m[7], 0xcb);
}

int main(void)
{
    RUN(reads_and_writes_a_header);
    RUN(never_writes_a_sum_of_0);
    return check_done();
}

/* icmp_test.c - the ICMP header as bytes. */
#include "wire/icmp.h"

#include <stdint.h>

#include "check.h"
#include "fake_packet.h"

static void reads_and_writes_a_header(void)
{
    static const uint8_t bytes[8] = {3, 4, 0, 0, 0, 0, 5, 0xdc};
    struct iip_icmp h;
    uint8_t out[8];
    iip_icmp_read(&h, bytes);
    CHECK_EQ(h.type, 3);
    CHECK_EQ(h.code, 4);
    CHECK_EQ(h.value, 1500);
    memset(out, 0xff, sizeof(out));
    iip_icmp_emit(out, &h);
    CHECK_MEM(out, bytes, 8);
    iip_icmp_csum_set(out, iip_csum_bytes(out, 8));
    CHECK_EQ(fake_csum(out, 8, 0), 0);
}

/* Every type into every other, at every checksum that one word of payload can bring about. */
static void a_new_type_keeps_the_sum_right(void)
{
    uint8_t m[10] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 0, 0};
    uint32_t word;
    int wrong = 0;
    for (word = 0; word < 65536; word++) {
        m[0] = (uint8_t)(word % 251);
        m[8] = (uint8_t)(word >> 8);
        m[9] = (uint8_t)word;
        m[2] = m[3] = 0;
        iip_icmp_csum_set(m, iip_csum_bytes(m, sizeof(m)));
        iip_icmp_retype(m, word % 7 ? 0 : 129);
        if (fake_csum(m, sizeof(m), 0))
            wrong++;
    }
    CHECK_EQ(wrong, 0);
}

int main(void)
{
    RUN(reads_and_writes_a_header);
    RUN(a_new_type_keeps_the_sum_right);
    return check_done();
}

/* arp_test.c - ARP messages as bytes. */
/* covers: A34 */
#include "wire/arp.h"

#include <stdint.h>

#include "check.h"

static const uint8_t request[28] = {
    0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1,
};

static void reads_and_writes_a_request(void)
{
    struct iip_arp arp;
    uint8_t out[28];
    CHECK_EQ(iip_arp_parse(&arp, request, sizeof(request)), 0);
    CHECK_EQ(arp.op, IIP_ARP_REQUEST);
    CHECK_MEM(arp.sender_mac, request + 8, 6);
    CHECK_MEM(&arp.sender_ip, request + 14, 4);
    CHECK_MEM(&arp.target_ip, request + 24, 4);
    iip_arp_emit(out, &arp);
    CHECK_MEM(out, request, sizeof(out));
}

static void refuses_every_shorter_one(void)
{
    struct iip_arp arp;
    uint32_t len;
    for (len = 0; len < sizeof(request); len++)
        CHECK_EQ(iip_arp_parse(&arp, request, len), -1);
}

/* [RFC 826] Another hardware, protocol, length or operation is not for us: each byte of the fixed part matters. */
static void refuses_other_kinds(void)
{
    struct iip_arp arp;
    uint8_t m[28];
    uint32_t i;
    for (i = 0; i < 8; i++) {
        memcpy(m, request, sizeof(m));
        m[i] ^= 0x40;
        CHECK_EQ(iip_arp_parse(&arp, m, sizeof(m)), -1);
    }
    memcpy(m, request, sizeof(m));
    m[7] = 2;
    CHECK_EQ(iip_arp_parse(&arp, m, sizeof(m)), 0);
    for (i = 3; i < 256; i++) {
        m[7] = (uint8_t)i;
        CHECK_EQ(iip_arp_parse(&arp, m, sizeof(m)), -1);
    }
}

int main(void)
{
    RUN(reads_and_writes_a_request);
    RUN(refuses_every_shorter_one);
    RUN(refuses_other_kinds);
    return check_done();
}

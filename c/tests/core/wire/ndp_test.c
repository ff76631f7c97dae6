/* ndp_test.c - neighbour discovery messages as bytes. */
/* covers: A33 */
#include "wire/ndp.h"

#include <stdint.h>

#include "check.h"

static const uint8_t advertisement[32] = {
    136, 0, 0, 0, 0xe0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 1, 2, 0, 0, 0, 0, 2,
};

static void reads_and_writes_an_advertisement(void)
{
    struct iip_ndp ndp;
    uint8_t out[32];
    CHECK_EQ(iip_ndp_parse(&ndp, advertisement, sizeof(advertisement)), 0);
    CHECK_EQ(ndp.router, 1);
    CHECK_EQ(ndp.solicited, 1);
    CHECK_EQ(ndp.force, 1);
    CHECK_EQ(ndp.has_mac, 1);
    CHECK_MEM(ndp.mac, advertisement + 26, 6);
    CHECK_MEM(ndp.target.b, advertisement + 8, 16);
    CHECK_EQ(iip_ndp_emit(out, &ndp), 32);
    CHECK_MEM(out, advertisement, 32);
    ndp.has_mac = 0;
    CHECK_EQ(iip_ndp_emit(out, &ndp), 24);
}

static void a_solicitation_has_the_other_option(void)
{
    struct iip_ndp ndp;
    uint8_t m[32];
    memcpy(m, advertisement, 32);
    m[0] = 135;
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), 0);
    CHECK_EQ(ndp.has_mac, 0); /* a target's address is not a source's */
    m[24] = 1;
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), 0);
    CHECK_EQ(ndp.has_mac, 1);
}

/* [RFC 4861 4.6, 7.1] */
static void refuses_malformed_ones(void)
{
    struct iip_ndp ndp;
    uint8_t m[32];
    uint32_t len;
    for (len = 0; len < 32; len++)
        CHECK_EQ(iip_ndp_parse(&ndp, advertisement, len), len == 24 ? 0 : -1);
    memcpy(m, advertisement, 32);
    m[25] = 0; /* an option without length would never end */
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), -1);
    m[25] = 2;
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), -1);
    memcpy(m, advertisement, 32);
    m[1] = 1;
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), -1);
    memcpy(m, advertisement, 32);
    m[8] = 0xff;
    CHECK_EQ(iip_ndp_parse(&ndp, m, 32), -1);
}

static void checks_options_of_other_messages(void)
{
    uint8_t ra[24];
    memset(ra, 0, sizeof(ra));
    CHECK_EQ(iip_ndp_options_check(ra, 15, 16), -1);
    CHECK_EQ(iip_ndp_options_check(ra, 16, 16), 0);
    CHECK_EQ(iip_ndp_options_check(ra, 24, 16), -1);
    ra[17] = 1;
    CHECK_EQ(iip_ndp_options_check(ra, 24, 16), 0);
}

int main(void)
{
    RUN(reads_and_writes_an_advertisement);
    RUN(a_solicitation_has_the_other_option);
    RUN(refuses_malformed_ones);
    RUN(checks_options_of_other_messages);
    return check_done();
}

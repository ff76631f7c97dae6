/* tcp_test.c - the options of a SYN: the layout that is read and written in one piece, and every other one. */
/* covers: A04, A08 */
#include "wire/tcp.h"

#include <stdint.h>

#include "check.h"

enum { ALL = IIP_HAS_MSS | IIP_HAS_WSCALE | IIP_HAS_SACK_OK | IIP_HAS_TS };

static const uint8_t usual[20] = {2,    4,    0x05, 0xb4, 4,    2,    8, 10, 0x11, 0x22,
                                  0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 1, 3,  3,    7};

static struct iip_tcp_seg a_syn(void)
{
    struct iip_tcp_seg seg = {0};
    seg.has = ALL;
    seg.mss = 1460;
    seg.wscale = 7;
    seg.ts_val = 0x11223344;
    seg.ts_ecr = 0x55667788;
    return seg;
}

/* What a header with these options says. */
static struct iip_tcp_seg read_options(const uint8_t *options, uint32_t len)
{
    struct iip_tcp_seg seg = {0};
    uint8_t header[60] = {0};
    memcpy(header + 20, options, len);
    seg.hdr_len = 20 + len;
    iip_tcp_parse_options(&seg, header);
    return seg;
}

static void says_the_same(const struct iip_tcp_seg *seg, const struct iip_tcp_seg *want)
{
    CHECK_EQ(seg->has, want->has);
    CHECK_EQ(seg->mss, want->mss);
    CHECK_EQ(seg->wscale, want->wscale);
    CHECK_EQ(seg->ts_val, want->ts_val);
    CHECK_EQ(seg->ts_ecr, want->ts_ecr);
}

static void writes_the_usual_layout(void)
{
    struct iip_tcp_seg syn = a_syn();
    uint8_t out[40];
    CHECK_EQ(iip_tcp_emit_syn_options(out, &syn, 0x31842), 20);
    CHECK_MEM(out, usual, 20);
}

static void reads_every_order(void)
{
    static const uint32_t orders[] = {0x31842, 0x11842, 0x24831, 0x8432, 0x43218, 0x13248};
    struct iip_tcp_seg syn = a_syn();
    uint8_t out[40];
    uint32_t i;
    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct iip_tcp_seg seg;
        uint32_t len = iip_tcp_emit_syn_options(out, &syn, orders[i]);
        CHECK_EQ(len % 4, 0);
        seg = read_options(out, len);
        if (orders[i] == 0x11842) { /* no window scale was asked for */
            CHECK_EQ(seg.has, ALL & ~IIP_HAS_WSCALE);
            continue;
        }
        says_the_same(&seg, &syn);
    }
}

/* What the SYN does not have is not written, though the order names it. */
static void writes_only_what_there_is(void)
{
    static const uint8_t bare[4] = {2, 4, 0x05, 0xb4};
    static const uint8_t no_sack[20] = {2,    4,    0x05, 0xb4, 8, 10, 0x11, 0x22, 0x33, 0x44,
                                        0x55, 0x66, 0x77, 0x88, 1, 3,  3,    7,    0,    0};
    struct iip_tcp_seg syn = a_syn();
    uint8_t out[40];
    syn.has = ALL & ~IIP_HAS_SACK_OK;
    CHECK_EQ(iip_tcp_emit_syn_options(out, &syn, 0x31842), 20);
    CHECK_MEM(out, no_sack, 20);
    syn.has = IIP_HAS_MSS;
    CHECK_EQ(iip_tcp_emit_syn_options(out, &syn, 0x2), 4);
    CHECK_MEM(out, bare, 4);
}

/* The usual layout with one byte of its form changed is what the walk over the options makes of it. */
static void one_byte_off_is_walked(void)
{
    static const struct {
        uint8_t at, byte, has;
    } off[] = {
        { 0, 254, ALL & ~IIP_HAS_MSS },      { 1, 3, 0 }, /* length 3: the rest is out of step */
        { 4, 253, ALL & ~IIP_HAS_SACK_OK },  { 6, 253, ALL & ~IIP_HAS_TS },
        { 7, 11, ALL & ~IIP_HAS_TS },       { 16, 0, ALL & ~IIP_HAS_WSCALE },
        { 17, 253, ALL & ~IIP_HAS_WSCALE },  { 18, 4, ALL & ~IIP_HAS_WSCALE },
    };
    uint8_t options[20];
    uint32_t i;
    for (i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        memcpy(options, usual, 20);
        options[off[i].at] = off[i].byte;
        CHECK_EQ(read_options(options, 20).has, off[i].has);
    }
}

static void blocks_of_an_odd_length_are_none(void)
{
    uint8_t options[12] = {5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1};
    CHECK_EQ(read_options(options, 12).sacks, 1);
    options[1] = 11;
    CHECK_EQ(read_options(options, 12).sacks, 0);
}

int main(void)
{
    RUN(writes_the_usual_layout);
    RUN(reads_every_order);
    RUN(writes_only_what_there_is);
    RUN(one_byte_off_is_walked);
    RUN(blocks_of_an_odd_length_are_none);
    return check_done();
}

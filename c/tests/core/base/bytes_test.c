#include "base/bytes.h"
#include "base/seq.h"
#include "check.h"

static void big_endian_at_any_alignment(void)
{
    iip_u8 b[9] = {0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
    CHECK_EQ(iip_get16(b + 1), 0x1234);
    CHECK_EQ(iip_get32(b + 1), 0x12345678);
    CHECK_EQ(iip_get32(b + 5), 0x9abcdef0U);
    iip_put16(b + 3, 0xfffe1234);
    iip_put32(b + 5, 0x80000001U);
    CHECK_EQ(b[3], 0x12);
    CHECK_EQ(b[4], 0x34);
    CHECK_EQ(b[5], 0x80);
    CHECK_EQ(b[8], 0x01);
    CHECK_EQ(b[2], 0x34);
}

struct outer {
    int first;
    struct iip_pair {
        int a;
    } member;
};

static void outer_of_member(void)
{
    struct outer o;
    struct iip_pair *p = &o.member;
    CHECK(IIP_OUTER(p, struct outer, member) == &o);
}

static void sequence_numbers_wrap(void)
{
    CHECK(iip_seq_lt(0xfffffff0U, 5));
    CHECK(!iip_seq_lt(5, 0xfffffff0U));
    CHECK(iip_seq_leq(7, 7));
    CHECK(!iip_seq_lt(7, 7));
    CHECK_EQ(iip_seq_max(0xfffffff0U, 5), 5);
    CHECK_EQ(iip_seq_min(0xfffffff0U, 5), 0xfffffff0U);
    CHECK(iip_seq_lt(0, 0x7fffffffU));
}

int main(void)
{
    RUN(big_endian_at_any_alignment);
    RUN(outer_of_member);
    RUN(sequence_numbers_wrap);
    return check_done();
}

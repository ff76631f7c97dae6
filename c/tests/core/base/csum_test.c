#include "base/csum.h"
#include "base/hash.h"
#include "check.h"

enum { SIZE = 4200 };

static iip_u8 bytes[SIZE + 16];

/* RFC 1071 as it stands there: 16-bit words in network order. Returned as it would lie in memory. */
static iip_u32 by_the_book(const iip_u8 *p, iip_u32 len)
{
    iip_u64 sum = 0;
    iip_u8 raw[2];
    iip_u16 word;
    iip_u32 i;
    for (i = 0; i < len; i++)
        sum += i & 1 ? p[i] : (iip_u32)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    iip_put16(raw, (iip_u32)sum);
    memcpy(&word, raw, 2);
    return word;
}

/* 0 and 0xffff are the same number in one's complement. */
static void same_sum(iip_u32 a, iip_u32 b)
{
    CHECK_EQ(a % 0xffff, b % 0xffff);
}

static void fill(iip_u64 seed)
{
    iip_u32 i;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (iip_u8)iip_rand(&seed);
}

static void rfc1071_example(void)
{
    static const iip_u8 example[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    iip_u8 folded[2];
    iip_csum_store(folded, iip_csum_fold(iip_csum_bytes(example, 8)));
    CHECK_EQ(iip_get16(folded), 0xddf2);
}

static void all_lengths_and_alignments(void)
{
    iip_u32 len, at;
    fill(1);
    for (len = 0; len < 200; len++) {
        for (at = 0; at < 8; at++)
            same_sum(iip_csum_fold(iip_csum_bytes(bytes + at, len)), by_the_book(bytes + at, len));
    }
    same_sum(iip_csum_fold(iip_csum_bytes(bytes, SIZE)), by_the_book(bytes, SIZE));
}

static void carries_are_kept(void)
{
    memset(bytes, 0xff, sizeof(bytes));
    same_sum(iip_csum_fold(iip_csum_bytes(bytes, SIZE)), by_the_book(bytes, SIZE));
    CHECK_EQ(iip_csum_fold(iip_csum_bytes(bytes, 1460)), 0xffff);
    bytes[SIZE / 2] = 0xfe;
    CHECK(iip_csum_fold(iip_csum_bytes(bytes, SIZE)) != 0xffff);
}

static void parts_add_up(void)
{
    iip_u32 cut;
    fill(2);
    for (cut = 0; cut <= 64; cut++) {
        iip_u64 left = iip_csum_bytes(bytes, cut);
        iip_u64 right = iip_csum_bytes(bytes + cut, 1001 - cut);
        if (cut & 1)
            right = iip_csum_swap(right);
        same_sum(iip_csum_fold(iip_csum_add(left, right)), by_the_book(bytes, 1001));
    }
}

static void copying_sums_too(void)
{
    static iip_u8 to[SIZE];
    iip_u32 len;
    fill(3);
    for (len = 0; len < 130; len++) {
        memset(to, 0, sizeof(to));
        same_sum(iip_csum_fold(iip_csum_copy(to + 1, bytes + 3, len)), by_the_book(bytes + 3, len));
        CHECK_MEM(to + 1, bytes + 3, len);
        CHECK_EQ(to[len + 1], 0);
        CHECK_EQ(to[0], 0);
    }
}

static void words_as_in_memory(void)
{
    static const iip_u8 two[2] = {0xab, 0xcd};
    same_sum(iip_csum_fold(iip_csum_word(0xabcd)), iip_csum_fold(iip_csum_bytes(two, 2)));
}

int main(void)
{
    RUN(rfc1071_example);
    RUN(all_lengths_and_alignments);
    RUN(carries_are_kept);
    RUN(parts_add_up);
    RUN(copying_sums_too);
    RUN(words_as_in_memory);
    return check_done();
}

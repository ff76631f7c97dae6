/* pure_test.c - the pattern, the histogram, SHA-256. */
#include "check.h"
#include "hist.h"
#include "pattern.h"
#include "sha256.h"

static void the_pattern_is_the_one_that_is_documented(void)
{
    static const uint8_t first[16] = {0xac, 0x05, 0x7d, 0xe1, 0xb9, 0x79, 0x37, 0x9e,
                                      0x58, 0x0b, 0xfa, 0xc2, 0x72, 0xf3, 0x6e, 0x3c};
    uint8_t bytes[16];
    pattern_fill(bytes, 0, 16);
    CHECK_MEM(bytes, first, 16);
}

static void the_pattern_is_the_same_in_any_pieces(void)
{
    uint8_t whole[300], part[300];
    uint32_t from, n;
    pattern_fill(whole, 1000003, sizeof whole);
    for (from = 0; from < 20; from++) {
        for (n = 0; n < 40; n++) {
            pattern_fill(part, 1000003 + from, n);
            CHECK_MEM(part, whole + from, n);
            CHECK_EQ(pattern_check(part, 1000003 + from, n), n);
        }
    }
}

static void the_pattern_shows_what_moved(void)
{
    static uint8_t bytes[5000];
    uint32_t shift;
    pattern_fill(bytes, 77, sizeof bytes);
    CHECK_EQ(pattern_check(bytes, 77, sizeof bytes), sizeof bytes);
    for (shift = 1; shift < 70000; shift = shift * 3 / 2 + 1)
        CHECK(pattern_check(bytes, 77 + shift, sizeof bytes) < 64);
    bytes[4321] ^= 1;
    CHECK_EQ(pattern_check(bytes, 77, sizeof bytes), 4321);
}

static void percentiles_are_within_a_64th(void)
{
    static struct hist h, other;
    uint64_t i;
    double part;
    for (i = 1; i <= 100000; i++)
        hist_add(i % 2 ? &h : &other, i * 1000);
    hist_merge(&h, &other);
    CHECK_EQ(h.n, 100000);
    CHECK_EQ(h.max, 100000000);
    for (part = 0.01; part < 1; part += 0.07) {
        double want = part * 100000000;
        double got = (double)hist_at(&h, part);
        CHECK(got >= want * 0.999 && got <= want * (1 + 1.0 / 64) + 1000);
    }
    CHECK_EQ(hist_at(&h, 1), 100000000);
}

static void a_histogram_takes_any_value(void)
{
    static struct hist h;
    CHECK_EQ(hist_at(&h, 0.5), 0);
    hist_add(&h, 0);
    CHECK_EQ(hist_at(&h, 0.5), 0);
    hist_add(&h, UINT64_MAX);
    CHECK(hist_at(&h, 1) == UINT64_MAX);
    hist_add(&h, 63);
    hist_add(&h, 64);
    hist_add(&h, 127);
    hist_add(&h, 128);
    CHECK_EQ(hist_at(&h, 0.33), 63);
    CHECK_EQ(hist_at(&h, 0.5), 64);
    CHECK_EQ(hist_at(&h, 0.67), 127);
}

static void check_sha(const char *text, uint32_t times, const char *want)
{
    struct sha256 s;
    char hex[65];
    uint32_t i;
    sha256_begin(&s);
    for (i = 0; i < times; i++)
        sha256_add(&s, text, strlen(text));
    sha256_end(&s, hex);
    CHECK_STR(hex, want);
}

static void sha256_vectors(void)
{
    check_sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_sha("aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    RUN(the_pattern_is_the_one_that_is_documented);
    RUN(the_pattern_is_the_same_in_any_pieces);
    RUN(the_pattern_shows_what_moved);
    RUN(percentiles_are_within_a_64th);
    RUN(a_histogram_takes_any_value);
    RUN(sha256_vectors);
    return check_done();
}

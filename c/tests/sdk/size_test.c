/* size_test.c - structures that grow: short inputs, long inputs, short and long outputs. */
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "sdk.h"

struct v2 {
    uint32_t size, a, b, c;
};

static void a_short_input_is_extended_with_zeros(void)
{
    uint32_t v1[2] = {8, 11};
    struct v2 out = {9, 9, 9, 9};
    CHECK_EQ(iip_size_in(&out, sizeof out, v1), IIP_OK);
    CHECK_EQ(out.size, sizeof out);
    CHECK_EQ(out.a, 11);
    CHECK_EQ(out.b, 0);
    CHECK_EQ(out.c, 0);
}

static void a_long_input_is_read_if_its_tail_is_zero(void)
{
    uint32_t v3[6] = {24, 1, 2, 3, 0, 0};
    struct v2 out;
    CHECK_EQ(iip_size_in(&out, sizeof out, v3), IIP_OK);
    CHECK_EQ(out.c, 3);
    v3[5] = 0x01000000; /* one byte, the last */
    CHECK_EQ(iip_size_in(&out, sizeof out, v3), IIP_E_UNKNOWN_FIELD);
}

/* A size of rubbish: what lies behind the structure is not ours to read. */
static void a_size_beyond_all_reason_is_refused(void)
{
    long page = sysconf(_SC_PAGESIZE);
    uint8_t *at = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *in = (uint32_t *)(void *)(at + page - sizeof(struct v2));
    struct v2 out;
    REQUIRE(at != MAP_FAILED && !mprotect(at + page, (size_t)page, PROT_NONE));
    in[0] = IIP_SIZE_MAX + 1;
    CHECK_EQ(iip_size_in(&out, sizeof out, in), IIP_E_INVAL);
    in[0] = UINT32_MAX;
    CHECK_EQ(iip_size_in(&out, sizeof out, in), IIP_E_INVAL);
    munmap(at, 2 * (size_t)page);
}

static void sizes_that_hold_no_size_are_refused(void)
{
    uint32_t none[2] = {3, 0};
    struct v2 out = {sizeof out, 0, 0, 0};
    CHECK_EQ(iip_size_in(&out, sizeof out, none), IIP_E_INVAL);
    CHECK_EQ(iip_size_out(none, &out, sizeof out), IIP_E_INVAL);
}

static void an_output_gets_what_it_has_room_for(void)
{
    struct v2 own = {0, 1, 2, 3};
    uint32_t small[3] = {8, 99, 99}, large[6] = {24, 99, 99, 99, 99, 99};
    CHECK_EQ(iip_size_out(small, &own, sizeof own), IIP_OK);
    CHECK_EQ(small[0], sizeof own);
    CHECK_EQ(small[1], 1);
    CHECK_EQ(small[2], 99);
    CHECK_EQ(iip_size_out(large, &own, sizeof own), IIP_OK);
    CHECK_EQ(large[0], sizeof own);
    CHECK_EQ(large[3], 3);
    CHECK_EQ(large[4], 99);
}

int main(void)
{
    RUN(a_short_input_is_extended_with_zeros);
    RUN(a_long_input_is_read_if_its_tail_is_zero);
    RUN(a_size_beyond_all_reason_is_refused);
    RUN(sizes_that_hold_no_size_are_refused);
    RUN(an_output_gets_what_it_has_room_for);
    return check_done();
}

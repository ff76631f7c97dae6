#include "base/math64.h"

#include "base/hash.h"
#include "check.h"

static void division(void)
{
    iip_u64 seed = 1;
    int i;
    for (i = 0; i < 20000; i++) {
        iip_u64 n = iip_rand(&seed) >> (iip_rand(&seed) & 63);
        iip_u64 d = (iip_rand(&seed) >> (iip_rand(&seed) & 63)) | 1;
        iip_u64 q = iip_div64(n, d);
        if (!CHECK(q * d <= n && n - q * d < d))
            return;
    }
    CHECK(iip_div64(IIP_NEVER, 1) == IIP_NEVER);
    CHECK(iip_div64(IIP_NEVER, IIP_NEVER) == 1);
    CHECK(iip_div64(IIP_NEVER - 1, IIP_NEVER) == 0);
    CHECK(iip_div64(IIP_U64(0x80000000U, 0), 3) == IIP_U64(0x2aaaaaaaU, 0xaaaaaaaaU));
}

static void cube_root(void)
{
    iip_u64 r;
    CHECK_EQ(iip_cbrt64(0), 0);
    CHECK_EQ(iip_cbrt64(1), 1);
    for (r = 2; r < 2642245; r = r * 5 / 4 + 1) {
        CHECK_EQ(iip_cbrt64(r * r * r), r);
        CHECK_EQ(iip_cbrt64(r * r * r - 1), r - 1);
        CHECK_EQ(iip_cbrt64(r * r * r + 1), r);
    }
    CHECK_EQ(iip_cbrt64(IIP_NEVER), 2642245);
}

static void bits(void)
{
    iip_u32 i;
    CHECK_EQ(iip_log2_64(0), 0);
    for (i = 0; i < 64; i++) {
        CHECK_EQ(iip_log2_64((iip_u64)1 << i), i);
        CHECK_EQ(iip_ctz64((iip_u64)1 << i), i);
        CHECK_EQ(iip_ctz64((iip_u64)1 << i | (iip_u64)1 << 63), i);
        CHECK_EQ(iip_log2_64((iip_u64)1 << i | 1), i);
    }
}

int main(void)
{
    RUN(division);
    RUN(cube_root);
    RUN(bits);
    return check_done();
}

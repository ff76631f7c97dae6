#include "base/math64.h"

IIP_LOCAL iip_u64 iip_div64(iip_u64 n, iip_u64 d)
{
#if defined(__LP64__)
    return n / d;
#else
    iip_u64 q = 0;
    iip_u64 r = 0;
    int bit;
    if (!(n >> 32) && !(d >> 32))
        return (iip_u32)n / (iip_u32)d;
    for (bit = 63; bit >= 0; bit--) {
        r = r << 1 | (n >> bit & 1);
        q <<= 1;
        if (r >= d) {
            r -= d;
            q |= 1;
        }
    }
    return q;
#endif
}

IIP_LOCAL iip_u32 iip_cbrt64(iip_u64 n)
{
    iip_u64 root = 0;
    iip_u64 trial;
    int shift;
    for (shift = 63; shift >= 0; shift -= 3) { /* one bit of the root a step */
        root <<= 1;
        trial = 3 * root * (root + 1) + 1;
        if (n >> shift >= trial) {
            n -= trial << shift;
            root++;
        }
    }
    return (iip_u32)root;
}

/* Builtins only where they are an instruction: elsewhere (riscv64) the compiler calls a helper. */
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__) || defined(__s390x__))
#define IIP_COUNTS_BITS
#endif

IIP_LOCAL iip_u32 iip_log2_64(iip_u64 n)
{
#ifdef IIP_COUNTS_BITS
    return n ? 63 - (iip_u32)__builtin_clzll(n) : 0;
#else
    iip_u32 log = 0;
    iip_u32 step;
    for (step = 32; step; step >>= 1) {
        if (n >> step) {
            n >>= step;
            log += step;
        }
    }
    return log;
#endif
}

IIP_LOCAL iip_u32 iip_ctz64(iip_u64 n)
{
#ifdef IIP_COUNTS_BITS
    return (iip_u32)__builtin_ctzl(n);
#else
    return iip_log2_64(n & (0 - n));
#endif
}

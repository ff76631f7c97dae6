/* math64.h - the only place that divides 64-bit numbers, so that 32-bit targets need no helper for it. */
#ifndef IIP_BASE_MATH64_H
#define IIP_BASE_MATH64_H

#include "iip/types.h"

/* n / d, rounded down; d must not be 0. */
IIP_LOCAL iip_u64 iip_div64(iip_u64 n, iip_u64 d);
/* The largest r with r * r * r <= n. */
IIP_LOCAL iip_u32 iip_cbrt64(iip_u64 n);
/* Base-2 logarithm, rounded down; 0 for 0. */
IIP_LOCAL iip_u32 iip_log2_64(iip_u64 n);
/* The lowest set bit's index; n must not be 0. */
IIP_LOCAL iip_u32 iip_ctz64(iip_u64 n);

#endif

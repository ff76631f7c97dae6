/* seq.h - sequence numbers compare modulo 2^32 [RFC 9293 3.4]. */
#ifndef IIP_BASE_SEQ_H
#define IIP_BASE_SEQ_H

#include "iip/types.h"

IIP_INLINE int iip_seq_lt(iip_u32 a, iip_u32 b)
{
    return (iip_s32)(a - b) < 0;
}

IIP_INLINE int iip_seq_leq(iip_u32 a, iip_u32 b)
{
    return (iip_s32)(a - b) <= 0;
}

IIP_INLINE iip_u32 iip_seq_max(iip_u32 a, iip_u32 b)
{
    return iip_seq_lt(a, b) ? b : a;
}

IIP_INLINE iip_u32 iip_seq_min(iip_u32 a, iip_u32 b)
{
    return iip_seq_lt(a, b) ? a : b;
}

#endif

/* size.c - structures that begin with their size and grow at their end. */
#include <string.h>

#include "sdk.h"

int32_t iip_size_check(const void *from, uint32_t known)
{
    const uint8_t *bytes = from;
    uint32_t size, i;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size || size > IIP_SIZE_MAX)
        return IIP_E_INVAL;
    for (i = known; i < size; i++)
        if (bytes[i])
            return IIP_E_UNKNOWN_FIELD;
    return IIP_OK;
}

int32_t iip_size_in(void *to, uint32_t known, const void *from)
{
    uint32_t size;
    int32_t st = iip_size_check(from, known);
    if (st)
        return st;
    memcpy(&size, from, sizeof size);
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &known, sizeof known);
    return IIP_OK;
}

int32_t iip_size_out(void *to, const void *from, uint32_t known)
{
    uint32_t size;
    memcpy(&size, to, sizeof size);
    if (size < sizeof size)
        return IIP_E_INVAL;
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &known, sizeof known);
    return IIP_OK;
}

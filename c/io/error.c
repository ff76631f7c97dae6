/* error.c - the one sentence that a failed open leaves. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int iip_port_fail(struct iip_port_err *err, int status, const char *format, ...)
{
    va_list ap;
    if (!err || !err->text || !err->len)
        return status;
    va_start(ap, format);
    vsnprintf(err->text, err->len, format, ap);
    va_end(ap);
    return status;
}

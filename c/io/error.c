/* error.c - the one sentence that a failed open leaves. */
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

void iip_text_fit(char *text, size_t cap, const char *format, va_list args)
{
    char *whole;
    size_t head = cap / 4;
    int n = vasprintf(&whole, format, args);
    if (n < 0) {
        snprintf(text, cap, "no memory");
        return;
    }
    if ((size_t)n < cap || cap < 64)
        snprintf(text, cap, "%s", whole);
    else
        snprintf(text, cap, "%.*s...%s", (int)head, whole, whole + n - (cap - head - 4));
    free(whole);
}

int iip_port_fail(struct iip_port_err *err, int status, const char *format, ...)
{
    va_list ap;
    if (!err || !err->text || !err->len)
        return status;
    va_start(ap, format);
    iip_text_fit(err->text, err->len, format, ap);
    va_end(ap);
    return status;
}

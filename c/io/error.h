/* error.h - the one sentence that a failed open leaves. */
#ifndef IIP_IO_ERROR_H
#define IIP_IO_ERROR_H

#include <stdarg.h>
#include <stddef.h>

struct iip_port_err {
    char *text; /* may be null */
    size_t len;
};

/* Writes the sentence (name the value, say the remedy) and returns `status`, so that callers can return it. */
int iip_port_fail(struct iip_port_err *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* vsnprintf; of what does not fit the middle goes: the value that is too long stands in front, the remedy at the end. */
void iip_text_fit(char *text, size_t cap, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

#endif

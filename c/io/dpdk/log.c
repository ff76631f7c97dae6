/*
 * log.c - DPDK says why something failed only in its log. Keep the first line of an attempt, for the error message.
 */
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "dpdk.h"

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_first[256]; /* the first line since the last clear */
static char log_copy[256];
static int log_stderr;

static ssize_t log_write(void *cookie, const char *buf, size_t len)
{
    (void)cookie;
    pthread_mutex_lock(&log_lock);
    if (log_first[0] == '\0') {
        size_t n = 0;

        while (n < len && n < sizeof(log_first) - 1 && buf[n] != '\n')
            n++;
        memcpy(log_first, buf, n);
        log_first[n] = '\0';
    }
    if (log_stderr)
        fwrite(buf, 1, len, stderr);
    pthread_mutex_unlock(&log_lock);
    return (ssize_t)len;
}

void dpdk_log_capture(int also_stderr)
{
    static const cookie_io_functions_t io = {.write = log_write};
    FILE *f = fopencookie(NULL, "w", io);

    log_stderr = also_stderr;
    if (!f)
        return; /* the log then goes where DPDK wants it */
    setvbuf(f, NULL, _IOLBF, 512);
    rte_openlog_stream(f);
}

void dpdk_log_clear(void)
{
    pthread_mutex_lock(&log_lock);
    log_first[0] = '\0';
    pthread_mutex_unlock(&log_lock);
}

const char *dpdk_log_line(void)
{
    const char *s;

    pthread_mutex_lock(&log_lock);
    memcpy(log_copy, log_first, sizeof(log_copy));
    pthread_mutex_unlock(&log_lock);
    /* "EAL: text", "rte_pmd_init(): text": the prefix says nothing to a user */
    s = strstr(log_copy, ": ");
    return s && s - log_copy < 40 ? s + 2 : log_copy;
}

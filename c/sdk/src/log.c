/* log.c - what the engine has to tell people: a ring of records, read like events. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sdk.h"

void iip_log_init(struct iip_log_ring *log, uint32_t level)
{
    pthread_mutex_init(&log->lock, NULL);
    log->first = log->count = log->lost = 0;
    log->level = level ? level : IIP_LOG_WARN;
}

static struct iip_log_record *iip_log_next(struct iip_log_ring *log)
{
    if (log->count == IIP_LOG_RECORDS) {
        log->lost += 1 + log->rows[log->first].lost;
        log->first = (log->first + 1) % IIP_LOG_RECORDS;
        log->count--;
    }
    return &log->rows[(log->first + log->count++) % IIP_LOG_RECORDS];
}

void iip_log_write(struct iip_engine *engine, uint32_t level, uint32_t loop, uint64_t obj, int32_t status,
                   const char *format, ...)
{
    struct iip_log_ring *log = &engine->log;
    struct iip_log_record *row;
    struct timespec ts;
    va_list args;
    if (level > log->level)
        return;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    pthread_mutex_lock(&log->lock);
    row = iip_log_next(log);
    memset(row, 0, sizeof *row);
    row->time_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    row->obj = obj;
    row->level = level;
    row->status = status;
    row->loop = loop;
    va_start(args, format);
    vsnprintf(row->text, sizeof row->text, format, args);
    va_end(args);
    pthread_mutex_unlock(&log->lock);
}

int32_t iip_engine_log(struct iip_engine *engine, struct iip_log_record *out, uint32_t cap)
{
    struct iip_log_ring *log;
    uint32_t n;
    if (!engine || (!out && cap))
        return IIP_E_INVAL;
    if (!engine->open)
        return IIP_E_CLOSED;
    if (!iip_epoch_ok(engine->epoch))
        return IIP_E_FORKED;
    log = &engine->log;
    pthread_mutex_lock(&log->lock);
    for (n = 0; n < cap && log->count; n++, log->count--) {
        out[n] = log->rows[log->first];
        out[n].lost += log->lost;
        log->lost = 0;
        log->first = (log->first + 1) % IIP_LOG_RECORDS;
    }
    pthread_mutex_unlock(&log->lock);
    return (int32_t)n;
}

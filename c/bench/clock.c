/*
 * clock.c - the virtual clock of loop.c for a program that is not of C: preloaded, it answers CLOCK_MONOTONIC. libiip
 * asks once a turn, so each answer is 10 us later, and the same timers fire in every run.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
    static uint64_t clock_us = 1000000;
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, ts);
    clock_us += 10;
    ts->tv_sec = (time_t)(clock_us / 1000000);
    ts->tv_nsec = (long)(clock_us % 1000000) * 1000;
    return 0;
}

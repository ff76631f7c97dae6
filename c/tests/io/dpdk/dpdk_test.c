/*
 * dpdk_test.c - what the tests of the DPDK port share.
 */
#include "dpdk_test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

cpu_set_t dpdk_test_cpus;

void dpdk_test_begin(const char *name)
{
    struct end end;
    int rc;

    sched_getaffinity(0, sizeof(dpdk_test_cpus), &dpdk_test_cpus);
    rc = end_open(&end, name, NULL);
    if (rc == 0) {
        end_close(&end);
        return;
    }
    printf("%s: %s\n", name, end.err);
    if (rc == IIP_E_NOT_SUPPORTED || rc == IIP_E_ACCESS)
        exit(77);
    exit(1);
}

int dpdk_test_recv(struct end *end, void *to, uint32_t cap, uint16_t *flags, int tries)
{
    int len;

    while ((len = end_recv(end, to, cap, flags)) < 0 && tries-- > 0)
        usleep(1000);
    return len;
}

int dpdk_test_readable(int fd, int ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    return poll(&pfd, 1, ms) == 1;
}

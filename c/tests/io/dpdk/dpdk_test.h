/*
 * dpdk_test.h - what the tests of the DPDK port share.
 */
#ifndef IIP_TESTS_DPDK_TEST_H
#define IIP_TESTS_DPDK_TEST_H

#include <sched.h>

#include "stub.h"

extern cpu_set_t dpdk_test_cpus; /* on which the process may run, before DPDK was there */

/* Opens and closes `name`; where the plug-in or DPDK is missing it says so and ends the program as skipped. */
void dpdk_test_begin(const char *name);

/* Turns `end` until a packet comes or `tries` times (1 ms each) have passed; its length or -1. */
int dpdk_test_recv(struct end *end, void *to, uint32_t cap, uint16_t *flags, int tries);

/* Is the descriptor readable within `ms` milliseconds? 1 or 0. */
int dpdk_test_readable(int fd, int ms);

#endif

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

/* Tries, or milliseconds, for what must come: a minute ends a test that hangs, and no other. */
enum { DPDK_TEST_PATIENCE = 60000 };

/* Turns `end` until a packet comes or `tries` times (1 ms each) have passed; its length or -1. */
int dpdk_test_recv(struct end *end, void *to, uint32_t cap, uint16_t *flags, int tries);

/* Is the descriptor readable within `ms` milliseconds? 1 or 0. */
int dpdk_test_readable(int fd, int ms);

/* Runs a line of shell; 0 if it succeeded. */
int dpdk_test_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* In a namespace of our own: v0 for us, 10.0.0.1 at 02:..:01; v1 for the kernel, 10.0.0.2 at 02:..:02. 0: it is there. */
int dpdk_test_veth(void);
/* A UDP socket of the kernel; receiving gives up after a minute. */
int dpdk_test_socket(uint16_t port);
/* 1 if the datagram was sent. */
int dpdk_test_send(int fd, const char *ip, uint16_t port, const void *bytes, size_t len);

#endif

/*
 * dpdk_test.c - what the tests of the DPDK port share.
 */
#include "dpdk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

int dpdk_test_run(const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    return system(line);
}

int dpdk_test_veth(void)
{
    /* IPv6 sends solicitations when it likes */
    dpdk_test_run("echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/default/disable_ipv6");
    return dpdk_test_run(
        "ip link set lo up && ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02 &&"
        "ip addr add 10.0.0.2/24 dev v1 && ip link set v0 up && ip link set v1 up &&"
        "ip neigh replace 10.0.0.1 lladdr 02:00:00:00:00:01 dev v1 && ethtool -K v1 tx off >/dev/null");
}

int dpdk_test_socket(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct timeval wait = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        printf("bind: %s\n", strerror(errno));
    return fd;
}

int dpdk_test_send(int fd, const char *ip, uint16_t port, const void *bytes, size_t len)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return sendto(fd, bytes, len, 0, (struct sockaddr *)&a, sizeof(a)) == (ssize_t)len;
}

/*
 * socket.c - finds the sockets that net_af_packet opened, to wait on them.
 *
 * The driver has no receive interrupts, but its packet sockets can be polled as any other; it only does not tell them.
 * They are the packet sockets on the device's interface that the process has after the device was made, and had not
 * before.
 */
#include <dirent.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dpdk.h"

static int is_packet_socket(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_PACKET;
}

static int has(const struct dpdk_sockets *s, int fd)
{
    uint32_t i;

    for (i = 0; i < s->len; i++)
        if (s->fd[i] == fd)
            return 1;
    return 0;
}

void dpdk_sockets_list(struct dpdk_sockets *out, const struct dpdk_sockets *without)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;

    out->len = 0;
    while (dir && out->len < DPDK_SOCKETS && (e = readdir(dir)) != NULL) {
        int fd = atoi(e->d_name);

        if (e->d_name[0] != '.' && is_packet_socket(fd) && !(without && has(without, fd)))
            out->fd[out->len++] = fd;
    }
    if (dir)
        closedir(dir);
}

void dpdk_sockets_keep(struct dpdk_sockets *s, int if_index)
{
    struct sockaddr_ll a;
    uint32_t i, kept = 0;

    for (i = 0; i < s->len; i++) {
        socklen_t len = sizeof(a);

        memset(&a, 0, sizeof(a));
        if (getsockname(s->fd[i], (struct sockaddr *)&a, &len) == 0 && a.sll_ifindex == if_index)
            s->fd[kept++] = s->fd[i];
    }
    s->len = kept;
}

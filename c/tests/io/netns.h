/* netns.h - a network namespace of the test's own, as root or as an ordinary user. */
#ifndef IIP_TESTS_IO_NETNS_H
#define IIP_TESTS_IO_NETNS_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static inline int netns_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), ok;
    if (fd < 0)
        return -1;
    ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return ok ? 0 : -1;
}

/* Moves this process into a new network namespace; 0, or -1 with the reason printed. Call before any thread starts. */
static inline int netns_enter(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWNET) == 0)
        return 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
        printf("skipped: no network namespace can be made here: unshare: %s\n", strerror(errno));
        return -1;
    }
    netns_write("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", uid);
    netns_write("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", gid);
    netns_write("/proc/self/gid_map", map);
    return 0;
}

/* As root: a /dev/net/tun that everybody may open, as Debian's udev makes it, in a mount namespace of our own. */
static inline void netns_tun_for_all(void)
{
    if (geteuid() || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", "/dev/net", "tmpfs", 0, NULL))
        return;
    if (mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0)
        (void)chmod("/dev/net/tun", 0666);
}

#endif

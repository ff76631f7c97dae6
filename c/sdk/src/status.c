/* status.c - the one table of statuses: name, class, errno, sentence. */
#include <errno.h>

#include "iip/iip.h"

struct iip_status_row {
    const char *name;
    const char *text;
    uint32_t status_class;
    int32_t os_errno;
};

#define ROW(name, kind, number, sentence) [-(name)] = {#name, sentence, IIP_CLASS_##kind, number}

static const struct iip_status_row iip_status_rows[] = {
    ROW(IIP_OK, OK, 0, "success"),
    ROW(IIP_E_AGAIN, RETRY, EAGAIN, "a queue or a buffer is full: wait for the event that says it drained"),
    ROW(IIP_E_INVAL, USAGE, EINVAL, "an argument is out of its range"),
    ROW(IIP_E_NOMEM, RESOURCE, ENOMEM, "no memory, or the stack's ceiling is reached"),
    ROW(IIP_E_NOBUFS, RESOURCE, ENOBUFS, "no packet buffer is free: release some, or open the engine with more frames"),
    ROW(IIP_E_ADDR_IN_USE, USAGE, EADDRINUSE, "the local address and port are taken"),
    ROW(IIP_E_ADDR_NOT_AVAIL, USAGE, EADDRNOTAVAIL, "not an address of this stack, or no port is free"),
    ROW(IIP_E_UNREACHABLE, CONNECTION, EHOSTUNREACH, "nobody answers for the address, or an ICMP error said so"),
    ROW(IIP_E_NET_UNREACHABLE, CONNECTION, ENETUNREACH, "no route to the network, here or by an ICMP error"),
    ROW(IIP_E_REFUSED, CONNECTION, ECONNREFUSED, "the peer refused"),
    ROW(IIP_E_RESET, CONNECTION, ECONNRESET, "the peer reset the connection"),
    ROW(IIP_E_TIMEOUT, CONNECTION, ETIMEDOUT, "retransmissions, keep-alives or the user timeout ran out"),
    ROW(IIP_E_ABORTED, CONNECTION, ECONNABORTED, "the application aborted the connection"),
    ROW(IIP_E_NOT_CONNECTED, USAGE, ENOTCONN, "the connection is not in a state that allows this"),
    ROW(IIP_E_SHUTDOWN, USAGE, EPIPE, "this direction was already shut down"),
    ROW(IIP_E_MSGSIZE, USAGE, EMSGSIZE, "the datagram is larger than can be sent"),
    ROW(IIP_E_NOT_FOUND, USAGE, ENOENT, "no such name"),
    ROW(IIP_E_RANGE, USAGE, ERANGE, "a value outside the range that is allowed"),
    ROW(IIP_E_NOT_SUPPORTED, USAGE, EOPNOTSUPP, "this port or build cannot do that"),
    ROW(IIP_E_ACCESS, USAGE, EACCES, "the system refused: a right is missing"),
    ROW(IIP_E_BUSY, RETRY, EBUSY, "it is in use: close what uses it first"),
    ROW(IIP_E_STALE, USAGE, EBADF, "the handle is closed, released or foreign"),
    ROW(IIP_E_WRONG_THREAD, USAGE, EPERM, "only the thread that is attached to the loop may call this"),
    ROW(IIP_E_FORKED, USAGE, ECHILD, "the object belongs to the parent of this process"),
    ROW(IIP_E_UNKNOWN_FIELD, USAGE, E2BIG, "a structure has a non-zero tail that this library does not know"),
    ROW(IIP_E_ABI, USAGE, ENOEXEC, "library, plug-in or caller are of different versions"),
    ROW(IIP_E_CLOSED, CONNECTION, EPIPE, "the object was closed"),
    ROW(IIP_E_IO, LOOP, EIO, "the port failed"),
    ROW(IIP_E_NO_DEVICE, USAGE, ENODEV, "no such device or port"),
    ROW(IIP_E_EXISTS, USAGE, EEXIST, "it is there already"),
    ROW(IIP_E_LINK_DOWN, LOOP, ENETDOWN, "the link is down"),
};

#undef ROW

_Static_assert(sizeof iip_status_rows / sizeof iip_status_rows[0] == -(IIP_E_LAST), "every status has a row");

static const struct iip_status_row iip_status_unknown = {"IIP_E_UNKNOWN", "an unknown status", IIP_CLASS_USAGE, EINVAL};

/* Every number of 0 and more is success. */
static const struct iip_status_row *iip_status_row(int32_t status)
{
    if (status > 0)
        status = IIP_OK;
    return status > IIP_E_LAST ? &iip_status_rows[-status] : &iip_status_unknown;
}

const char *iip_status_name(int32_t status)
{
    return iip_status_row(status)->name;
}

const char *iip_status_text(int32_t status)
{
    return iip_status_row(status)->text;
}

uint32_t iip_status_class(int32_t status)
{
    return iip_status_row(status)->status_class;
}

int32_t iip_status_errno(int32_t status)
{
    return iip_status_row(status)->os_errno;
}

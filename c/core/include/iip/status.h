/*
 * iip/status.h - every status of every layer, in one place.
 *
 * Functions return 0 or more on success and one of these on failure. Names and numbers are frozen for the major
 * version; new ones are added at the end. The comment of each gives its class (retry, connection, loop, usage,
 * resource) and the errno that bindings raise for it.
 */
#ifndef IIP_STATUS_H
#define IIP_STATUS_H

enum {
    IIP_OK = 0,
    IIP_E_AGAIN = -1,         /* retry       EAGAIN        a queue or a buffer is full; wait for the event that says it drained */
    IIP_E_INVAL = -2,         /* usage       EINVAL        an argument is out of its range */
    IIP_E_NOMEM = -3,         /* resource    ENOMEM        the host refused memory, or the stack's ceiling is reached */
    IIP_E_NOBUFS = -4,        /* resource    ENOBUFS       no packet buffer is free */
    IIP_E_ADDR_IN_USE = -5,   /* usage       EADDRINUSE    the local address and port are taken */
    IIP_E_ADDR_NOT_AVAIL = -6,/* usage       EADDRNOTAVAIL not an address of this stack, or no port is free */
    IIP_E_UNREACHABLE = -7,   /* connection  EHOSTUNREACH  nobody answers for the address, or an ICMP error said so */
    IIP_E_NET_UNREACHABLE = -8,/* connection ENETUNREACH   no route to the network, here or by an ICMP error */
    IIP_E_REFUSED = -9,       /* connection  ECONNREFUSED  the peer answered a SYN with RST, or a datagram with port unreachable */
    IIP_E_RESET = -10,        /* connection  ECONNRESET    the peer reset the connection */
    IIP_E_TIMEOUT = -11,      /* connection  ETIMEDOUT     retransmissions, keep-alives or the user timeout ran out */
    IIP_E_ABORTED = -12,      /* connection  ECONNABORTED  the application aborted it */
    IIP_E_NOT_CONNECTED = -13,/* usage       ENOTCONN      the connection is not in a state that allows this */
    IIP_E_SHUTDOWN = -14,     /* usage       EPIPE         this direction was already shut down */
    IIP_E_MSGSIZE = -15,      /* usage       EMSGSIZE      the datagram is larger than can be sent */
    IIP_E_NOT_FOUND = -16,    /* usage       ENOENT        no such name */
    IIP_E_RANGE = -17,        /* usage       ERANGE        a value outside the range that the name allows */
    IIP_E_NOT_SUPPORTED = -18,/* usage       EOPNOTSUPP    this port or build cannot do that */
    IIP_E_ACCESS = -19,       /* usage       EACCES        the system refused: a right is missing */
    IIP_E_BUSY = -20,         /* retry       EBUSY         it is in use; close what uses it first */
    IIP_E_STALE = -21,        /* usage       EBADF         the handle is closed, released or foreign */
    IIP_E_WRONG_THREAD = -22, /* usage       EPERM         only the thread that owns the loop may call this */
    IIP_E_FORKED = -23,       /* usage       ECHILD        the object belongs to the parent of this process */
    IIP_E_UNKNOWN_FIELD = -24,/* usage       E2BIG         a structure has a non-zero tail that this library does not know */
    IIP_E_ABI = -25,          /* usage       ENOEXEC       library, plug-in or caller are of different versions */
    IIP_E_CLOSED = -26,       /* connection  EPIPE         the object was closed */
    IIP_E_IO = -27,           /* loop        EIO           the port failed */
    IIP_E_NO_DEVICE = -28,    /* usage       ENODEV        no such device or port */
    IIP_E_EXISTS = -29,       /* usage       EEXIST        it is there already */
    IIP_E_LINK_DOWN = -30,    /* loop        ENETDOWN      the link is down */
    IIP_E_LAST = -31
};

#endif

"""Constants of <iip/iip.h> and <iip/status.h>. Written by tools/header.py; do not edit."""

from enum import IntEnum, IntFlag


class Status(IntEnum):
    OK = 0
    E_AGAIN = -1
    E_INVAL = -2
    E_NOMEM = -3
    E_NOBUFS = -4
    E_ADDR_IN_USE = -5
    E_ADDR_NOT_AVAIL = -6
    E_UNREACHABLE = -7
    E_NET_UNREACHABLE = -8
    E_REFUSED = -9
    E_RESET = -10
    E_TIMEOUT = -11
    E_ABORTED = -12
    E_NOT_CONNECTED = -13
    E_SHUTDOWN = -14
    E_MSGSIZE = -15
    E_NOT_FOUND = -16
    E_RANGE = -17
    E_NOT_SUPPORTED = -18
    E_ACCESS = -19
    E_BUSY = -20
    E_STALE = -21
    E_WRONG_THREAD = -22
    E_FORKED = -23
    E_UNKNOWN_FIELD = -24
    E_ABI = -25
    E_CLOSED = -26
    E_IO = -27
    E_NO_DEVICE = -28
    E_EXISTS = -29
    E_LINK_DOWN = -30
    E_LAST = -31


class Abi(IntEnum):
    MAJOR = 0
    MINOR = 9


class StatusClass(IntEnum):
    OK = 0
    RETRY = 1
    CONNECTION = 2
    LOOP = 3
    USAGE = 4
    RESOURCE = 5


class Kind(IntEnum):
    CONN = 1
    LISTENER = 2
    UDP = 3
    TIMER = 4
    BUF = 5
    REGION = 6
    IIP_HANDLE_SLOT_BITS = 22
    IIP_HANDLE_GENERATION_BITS = 21
    IIP_HANDLE_LOOP_BITS = 7
    IIP_HANDLE_KIND_BITS = 3
    IIP_HANDLE_NO_LOOP = 127


class Cores(IntEnum):
    UNIFIED = 0
    SPLIT = 1
    MERGE = 2


class PortCap(IntFlag):
    IP_CSUM = 1
    TCP_CSUM = 2
    UDP_CSUM = 4
    TSO = 8
    SG = 16
    L3 = 256


class EventType(IntEnum):
    NONE = 0
    ACCEPT = 1
    CONNECTED = 2
    DATA = 3
    FIN = 4
    WRITABLE = 5
    URGENT = 6
    ERROR = 7
    CLOSED = 8
    UDP = 9
    UDP_ERROR = 10
    TX_DONE = 11
    TIMER = 12
    DONE = 13
    LINK = 14


class EventFlag(IntFlag):
    MORE = 1
    COPIED = 2


class OpCode(IntEnum):
    NOP = 0
    CONNECT = 1
    LISTEN = 2
    UDP_OPEN = 3
    SEND_BUF = 4
    SEND_EXTERN = 5
    SEND_COPY = 6
    UDP_SEND = 7
    UDP_SEND_COPY = 8
    CREDIT = 9
    SHUTDOWN = 10
    CLOSE = 11
    ABORT = 12
    TIMER = 13
    CANCEL = 14
    SET = 15
    USER = 16
    URGENT = 17


class OpFlag(IntFlag):
    REPLY = 1
    ABSOLUTE = 2
    SHUT = 4


class Option(IntEnum):
    NODELAY = 1
    CORK = 2
    KEEPALIVE = 3
    KEEPIDLE_US = 4
    KEEPINTVL_US = 5
    KEEPCNT = 6
    USER_TIMEOUT_US = 7
    DSCP = 8
    TTL = 9
    SNDBUF = 10
    RCVBUF = 11
    QUICKACK = 12
    CC = 13
    SYN_RETRIES = 14
    EXPLICIT_CREDIT = 64


class TurnFlag(IntFlag):
    WAIT = 1
    FLUSH = 2
    DEADLINE = 8
    PARK = 4


class State(IntFlag):
    MORE = 1
    TX_PENDING = 2
    POOL_LOW = 4
    PARKED = 8
    LINK_DOWN = 16
    CLOSED = 32


class ConnState(IntEnum):
    CLOSED = 0
    LISTEN = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    ESTABLISHED = 4
    FIN_WAIT_1 = 5
    FIN_WAIT_2 = 6
    CLOSE_WAIT = 7
    CLOSING = 8
    LAST_ACK = 9
    TIME_WAIT = 10


class LogLevel(IntEnum):
    ERROR = 1
    WARN = 2
    INFO = 3
    DEBUG = 4


__all__ = [
    "Abi",
    "ConnState",
    "Cores",
    "EventFlag",
    "EventType",
    "Kind",
    "LogLevel",
    "OpCode",
    "OpFlag",
    "Option",
    "PortCap",
    "State",
    "Status",
    "StatusClass",
    "TurnFlag",
]

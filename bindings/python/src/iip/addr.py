"""Addresses as Python writes them, ("10.0.0.1", 80), and as the library keeps them, 32 bytes for either family."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]
RECORD = struct.Struct("=16sHHIQ")  # struct iip_addr
ANY = bytes(RECORD.size)
_MAPPED = bytes(10) + b"\xff\xff"


def pack(address: Address | None) -> bytes:
    """
    The record of an address; "" or "*" is any address of both families. ValueError for a name: none is looked up.
    OverflowError for a port that is none, as of the socket module.
    """
    if address is None:
        return ANY
    host, port = address[0], address[1]
    if not 0 <= port <= 65535:
        raise OverflowError(f"port must be 0-65535, not {port}")
    if host in ("", "*"):
        return RECORD.pack(bytes(16), port, 0, 0, 0)
    ip = ip_address(host)
    if isinstance(ip, IPv4Address):
        return RECORD.pack(_MAPPED + ip.packed, port, 4, 0, 0)
    return RECORD.pack(ip.packed, port, 6, 0, 0)


def unpack(record: bytes | memoryview) -> Address:
    ip, port, _family, _scope, _reserved = RECORD.unpack(record)
    return (str(IPv4Address(ip[12:])) if ip.startswith(_MAPPED) else str(IPv6Address(ip)), port)


def family(record: bytes | memoryview) -> int:
    """4 or 6."""
    return 4 if bytes(record[:12]) == _MAPPED else 6

"""What is said on a connection of iip_load: the client's side of each mode, and the server's."""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace
from typing import Any

from iip_example import pattern
from load_report import Result

CHUNK = 1 << 16


async def ping_pong(args: SimpleNamespace, result: Result, reader: Any, writer: Any) -> None:
    """Messages that an echo server returns; `depth` of them on their way."""
    sent = received = 0
    stamps: deque[float] = deque()
    while True:
        while len(stamps) < args.depth and result.take():
            writer.write(pattern(sent, args.size))
            sent += args.size
            stamps.append(time.perf_counter())
        if not stamps:
            return
        data = await reader.readexactly(args.size)
        result.latencies.append(time.perf_counter() - stamps.popleft())
        result.mismatches += data != pattern(received, args.size)
        received += args.size
        result.requests += 1
        result.bytes += args.size


async def send_bulk(args: SimpleNamespace, result: Result, reader: Any, writer: Any) -> None:
    sent = 0
    while sent < args.bytes and time.monotonic() < result.until:
        part = pattern(sent, min(CHUNK, args.bytes - sent))
        writer.write(part)
        sent += len(part)
        await writer.drain()
    writer.write_eof()
    verdict = await reader.read()
    result.mismatches += verdict != b"%d bytes right\n" % sent
    result.bytes += sent
    result.requests += 1


async def receive_bulk(args: SimpleNamespace, result: Result, reader: Any, writer: Any) -> None:
    received = 0
    while received < args.bytes and time.monotonic() < result.until:
        data = await reader.read(CHUNK)
        if not data:
            break
        result.mismatches += data != pattern(received, len(data))
        received += len(data)
    result.bytes += received
    result.requests += 1


async def http(args: SimpleNamespace, result: Result, reader: Any, writer: Any) -> None:
    """Requests, `depth` of them on their way; the bytes of /bytes/N are verified."""
    name = args.path.rsplit("/", 1)[-1]
    expected = pattern(0, int(name)) if args.path.startswith("/bytes/") and name.isdecimal() else None
    request = f"GET {args.path} HTTP/1.1\r\nHost: {args.connect}\r\n\r\n".encode()
    stamps: deque[float] = deque()
    while True:
        while len(stamps) < args.depth and result.take():
            writer.write(request)
            stamps.append(time.perf_counter())
        if not stamps:
            return
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        body = await reader.readexactly(int(fields[b"content-length"]))
        result.latencies.append(time.perf_counter() - stamps.popleft())
        result.mismatches += not head.startswith(b"HTTP/1.1 200 ") or expected not in (None, body)
        result.bytes += len(body)
        result.requests += 1


MODES = {"pp": ping_pong, "send": send_bulk, "recv": receive_bulk, "http": http}


async def answer(mode: str, limit: int, count: Any, reader: Any, writer: Any) -> None:
    """The server of a mode, on one connection."""
    count("opened")
    try:
        if mode == "recv":
            await _give(limit, count, writer)
        else:
            await _take(mode, count, reader, writer)
        writer.close()
    except OSError:
        writer.transport.abort()


async def _give(limit: int, count: Any, writer: Any) -> None:
    position = 0
    while position < limit and not writer.is_closing():
        part = pattern(position, min(CHUNK, limit - position))
        writer.write(part)
        position += len(part)
        count("payload_bytes", len(part))
        await writer.drain()


async def _take(mode: str, count: Any, reader: Any, writer: Any) -> None:
    position = right = 0
    while data := await reader.read(CHUNK):
        count("payload_bytes", len(data))
        if mode == "pp":
            writer.write(data)
            await writer.drain()
        elif right == position and data == pattern(position, len(data)):
            right += len(data)
        position += len(data)
    if mode == "send":
        writer.write(b"%d bytes %s\n" % (right, b"right" if right == position else b"right, then a wrong one"))

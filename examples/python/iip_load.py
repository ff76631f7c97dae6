#!/usr/bin/env python3
"""Load generator on asyncio streams: ping-pong and bulk, latency percentiles, every byte verified."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import threading
import time
from collections import deque
from typing import Any

import iip
from iip.aio import EventLoop

from iip_example import Parser, Run, number, pattern, run, say_ready

CHUNK = 1 << 16
CONNECT_S = 10.0
PATIENCE_S = 1.0  # for what was on its way when --duration was over
SERVER, CLIENT = ["10.9.0.1/24", "fd09::1/64"], ["10.9.0.2/24", "fd09::2/64"]


class Result:
    """What all connections together did."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.requests = self.bytes = self.errors = self.mismatches = 0
        self.latencies: list[float] = []
        self.begin = time.monotonic()
        self.until = self.begin + args.duration if args.duration else float("inf")
        self.quota = args.count if args.count else (10000 if not args.duration else 1 << 62)

    def take(self) -> bool:
        """May one more message be started?"""
        self.quota -= 1
        return self.quota >= 0 and time.monotonic() < self.until

    def percentile(self, part: float) -> float:
        latencies = self.latencies
        return latencies[min(len(latencies) - 1, int(part * len(latencies)))] * 1e6 if latencies else 0.0

    def report(self, args: argparse.Namespace, stack: iip.Loop) -> None:
        seconds = max(time.monotonic() - self.begin, 1e-9)
        self.latencies.sort()
        counters = stack.counters()
        result = {
            "requests": self.requests,
            "requests_per_s": round(self.requests / seconds, 1),
            "bytes": self.bytes,
            "bytes_per_s": round(self.bytes / seconds, 1),
            "seconds": round(seconds, 6),
            "errors": self.errors,
            "mismatches": self.mismatches,
            **{
                f"p{name}_us": round(self.percentile(part), 3)
                for name, part in (("50", 0.5), ("90", 0.9), ("99", 0.99))
            },
            "p999_us": round(self.percentile(0.999), 3),
            "max_us": round(self.percentile(1), 3),
            "retransmits": counters["tcp_retrans"],
        }
        if not args.json:
            drops = ", ".join(f"{name} {n}" for name, n in counters.items() if name.startswith("drop_") and n)
            print(f"port          {args.port}\nconnections   {args.conns}")
            print(f"requests      {self.requests} in {seconds:.3f} s, {self.requests / seconds:.0f}/s")
            print(f"payload       {self.bytes} bytes, {self.bytes * 8 / seconds / 1e9:.3f} Gbit/s")
            if self.latencies:
                shown = "  ".join(f"p{name} {self.percentile(part):.1f}" for name, part in ((50, 0.5), (99, 0.99)))
                print(f"latency [us]  {shown}")
            print(f"errors        {self.errors}, mismatches {self.mismatches}")
            print(f"retransmits   {result['retransmits']}\ndropped       {drops or 'none'}")
        print(json.dumps(result), flush=True)


async def ping_pong(args: argparse.Namespace, result: Result, reader: Any, writer: Any) -> None:
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


async def send_bulk(args: argparse.Namespace, result: Result, reader: Any, writer: Any) -> None:
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


async def receive_bulk(args: argparse.Namespace, result: Result, reader: Any, writer: Any) -> None:
    received = 0
    while received < args.bytes and time.monotonic() < result.until:
        data = await reader.read(CHUNK)
        if not data:
            break
        result.mismatches += data != pattern(received, len(data))
        received += len(data)
    result.bytes += received
    result.requests += 1


async def http(args: argparse.Namespace, result: Result, reader: Any, writer: Any) -> None:
    name = args.path.rsplit("/", 1)[-1]
    expected = int(name) if args.path.startswith("/bytes/") and name.isdecimal() else None
    request = f"GET {args.path} HTTP/1.1\r\nHost: {args.connect}\r\n\r\n".encode()
    while result.take():
        begin = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        body = await reader.readexactly(int(fields[b"content-length"]))
        result.latencies.append(time.perf_counter() - begin)
        wrong = not head.startswith(b"HTTP/1.1 200 ") or (expected is not None and body != pattern(0, expected))
        result.mismatches += wrong
        result.bytes += len(body)
        result.requests += 1


MODES = {"pp": ping_pong, "send": send_bulk, "recv": receive_bulk, "http": http}


async def one(args: argparse.Namespace, result: Result, host: str, port: int) -> None:
    writer = None
    patience = asyncio.timeout(args.duration + PATIENCE_S if args.duration else None)
    try:
        async with patience:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
            await MODES[args.mode](args, result, reader, writer)
            writer.close()
    except (OSError, asyncio.IncompleteReadError) as error:
        if not result.errors:
            print(f"iip_load: {'no end after the time was up' if patience.expired() else error}", file=sys.stderr)
        result.errors += 1
        if writer is not None:
            writer.transport.abort()


async def load(args: argparse.Namespace, result: Result) -> None:
    host, port = args.connect.rsplit(":", 1)
    await asyncio.gather(*(one(args, result, host.strip("[]"), int(port)) for _ in range(args.conns)))
    result.report(args, asyncio.get_running_loop().stack)


# ---- the server of a mode ----


async def answer(mode: str, limit: int, reader: Any, writer: Any) -> None:
    position, right = 0, 0
    try:
        if mode == "recv":
            while position < limit and not writer.is_closing():
                part = pattern(position, min(CHUNK, limit - position))
                writer.write(part)
                position += len(part)
                await writer.drain()
        else:
            while data := await reader.read(CHUNK):
                if mode == "pp":
                    writer.write(data)
                    await writer.drain()
                elif right == position and data == pattern(position, len(data)):
                    right += len(data)
                position += len(data)
        if mode == "send":
            writer.write(b"%d bytes %s\n" % (right, b"right" if right == position else b"right, then a wrong one"))
        writer.close()
    except OSError:
        writer.transport.abort()


async def serve(args: argparse.Namespace, over: asyncio.Event) -> None:
    limit = args.bytes or 1 << 62
    await asyncio.start_server(
        lambda reader, writer: answer(args.mode, limit, reader, writer), "", args.listen, backlog=1024
    )
    await over.wait()


async def serve_main(args: argparse.Namespace, counted: Run) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number_, over.set)
    if args.duration:
        loop.call_later(args.duration, over.set)
    serving = asyncio.create_task(serve(args, over))
    say_ready(args.addr[0] if args.addr else "*", args.listen)
    await serving
    counted.write_stats(loop.stack)


def serve_beside(args: argparse.Namespace, options: dict[str, Any], ready: threading.Event, ends: list[Any]) -> None:
    """--self: the server in a thread of its own."""

    async def main() -> None:
        over = asyncio.Event()
        ends.append((asyncio.get_running_loop(), over))
        serving = asyncio.create_task(serve(args, over))
        await asyncio.sleep(0)
        ready.set()
        await serving

    with asyncio.Runner(loop_factory=lambda: EventLoop(**{**options, "addresses": SERVER})) as runner:
        runner.run(main())


def both(args: argparse.Namespace, options: dict[str, Any], result: Result) -> None:
    ready, ends = threading.Event(), []
    thread = threading.Thread(target=serve_beside, args=(args, options, ready, ends))
    thread.start()
    ready.wait(10)
    args.connect = f"{SERVER[0].split('/')[0]}:{args.listen}"
    try:
        with asyncio.Runner(loop_factory=lambda: EventLoop(**{**options, "addresses": CLIENT})) as runner:
            runner.run(load(args, result))
    finally:
        loop, over = ends[0]
        loop.call_soon_threadsafe(over.set)
        thread.join()


def parse() -> tuple[Parser, argparse.Namespace]:
    parser = Parser("iip_load", "a load generator that verifies every byte", listen=7)
    parser.add_argument("--connect", metavar="A:PORT", help="the server")
    parser.add_argument(
        "--mode", default="pp", choices=tuple(MODES), help="pp: an echo server's; send, recv: bulk; http"
    )
    parser.add_argument("--conns", type=number(1, 1000000), default=1, metavar="N", help="connections (1)")
    parser.add_argument("--size", type=number(1, 1 << 24), default=1, metavar="BYTES", help="pp: of a message (1)")
    parser.add_argument("--depth", type=number(1, 256), default=1, metavar="N", help="pp: messages on their way (1)")
    parser.add_argument("--count", type=number(1, 1 << 64), default=0, metavar="N", help="messages in all (10000)")
    parser.add_argument("--bytes", type=number(1, 1 << 50), default=0, metavar="N", help="send, recv: of each (10^8)")
    parser.add_argument("--path", default="/bytes/1000", metavar="PATH", help="http: what to get (/bytes/1000)")
    parser.add_argument("--serve", action="store_true", help="be the server of this mode on --listen")
    parser.add_argument("--self", action="store_true", help="be both, on a pair: or sim: port")
    parser.add_argument("--json", action="store_true", help="no table, only the last line")
    args = parser.parse_args()
    if (args.serve or args.self) and args.mode == "http":
        parser.error("--mode http: is what iip_http serves")
    if not args.serve and not args.self and not (args.connect and args.connect.rpartition(":")[2].isdecimal()):
        parser.error(f"--connect {args.connect or ''}: give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7")
    if not args.serve and not args.bytes:
        args.bytes = 1 << 62 if args.duration else 100_000_000
    if args.self and args.port == "tap:iip0":
        args.port = "pair:self-test"
    return parser, args


def main() -> int:
    parser, args = parse()
    options = parser.engine_options(args)
    if args.serve:
        counted = Run("iip_load", args)
        with asyncio.Runner(loop_factory=lambda: EventLoop(**options)) as runner:
            runner.run(serve_main(args, counted))
        return 0
    result = Result(args)
    if args.self:
        both(args, options, result)
    else:
        with asyncio.Runner(loop_factory=lambda: EventLoop(**options)) as runner:
            runner.run(load(args, result))
    return 1 if result.errors or result.mismatches else 0


if __name__ == "__main__":
    run("iip_load", main)

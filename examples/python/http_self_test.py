"""The server and a client of ours in one process: what can be shown where there is no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from iip.aio import EventLoop

from iip_example import Aio, pattern
from iip_options import Options
from iip_two_ends import SERVER, beside, two_ends

CONNS, DEPTH, LENGTH = 4, 4, 10000
REQUEST = b"GET /bytes/%d HTTP/1.1\r\nHost: iip_http\r\n\r\n" % LENGTH
WANT = pattern(0, LENGTH)


class Client:
    def __init__(self, args: SimpleNamespace) -> None:
        self.left = args.requests if not args.duration else 1 << 62
        self.conns = min(args.requests, CONNS)
        self.begin = time.monotonic()
        self.until = self.begin + args.duration if args.duration else float("inf")
        self.requests = self.bytes = self.mismatches = self.errors = self.retransmits = 0

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0 and time.monotonic() < self.until

    async def one(self, port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(SERVER[0].split("/")[0], port)
            asked = 0
            while True:
                while asked < DEPTH and self.take():
                    writer.write(REQUEST)
                    asked += 1
                if not asked:
                    break
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(LENGTH)
                asked -= 1
                self.requests += 1
                self.bytes += len(body)
                self.mismatches += not head.startswith(b"HTTP/1.1 200 ") or body != WANT
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            self.errors += 1

    async def all(self, port: int) -> None:
        await asyncio.gather(*(self.one(port) for _ in range(self.conns)))
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        self.retransmits = loop.stack.counters()["tcp_retrans"]


def report(args: SimpleNamespace, client: Client, counters: dict[str, int]) -> None:
    seconds = max(time.monotonic() - client.begin, 1e-9)
    drops = ", ".join(f"{name} {n}" for name, n in counters.items() if name.startswith("drop_") and n)
    print(f"port          {args.port}")
    print(f"address       {SERVER[0].split('/')[0]}:{args.listen}")
    print(f"requests      {client.requests} in {seconds:.3f} s, {client.requests / seconds:.0f}/s")
    print(f"verified      {client.bytes} bytes, {client.mismatches} mismatches, {client.errors} errors")
    print(f"retransmits   {counters['tcp_retrans'] + client.retransmits}")
    print(f"dropped       {drops or 'none'}", flush=True)


def run(options: Options, args: SimpleNamespace, make_server: Callable[[dict[str, Any]], Aio]) -> int:
    server_options, client_options = two_ends(options, args)
    server, client = make_server(server_options), Client(args)
    with beside(server):
        with asyncio.Runner(loop_factory=lambda: EventLoop(**client_options)) as runner:
            runner.run(client.all(args.listen))
        assert server.loop
        report(args, client, server.loop.stack.counters())
    return 1 if client.errors or client.mismatches or server.failure else 0

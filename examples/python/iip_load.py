#!/usr/bin/env python3
"""Load generator on asyncio streams: ping-pong and bulk, latency percentiles, every byte verified."""

from __future__ import annotations

import asyncio
import ipaddress
from types import SimpleNamespace
from typing import Any

from iip_example import Aio, one_loop, run
from iip_options import Option, Options, WrongValue, number
from iip_two_ends import SERVER, beside, two_ends
from load_report import Result
from load_talk import MODES, answer

COUNTS = ("opened", "messages", "payload_bytes")
CONNECT_S = 10.0
PATIENCE_S = 1.0  # for what was on its way when --duration was over


class Serve(Aio):
    """--serve, and the server of --self."""

    async def begin(self) -> None:
        self._talks: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        await asyncio.start_server(self._answer, "", self.args.listen, backlog=1024)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._talks[task] = writer
        try:
            await answer(self.args.mode, self.args.bytes or 1 << 62, self.count, reader, writer)
        finally:
            del self._talks[task]

    async def finish(self) -> None:
        for writer in self._talks.values():
            writer.transport.abort()
        if self._talks:
            await asyncio.wait([task for task in self._talks if task], timeout=10)


class Load(Aio):
    """The client: opens its connections, and ends by itself."""

    def __init__(self, args: SimpleNamespace, options: dict[str, Any]) -> None:
        super().__init__("iip_load", SimpleNamespace(**{**vars(args), "duration": 0.0}), COUNTS, options)
        self.result, self._plan = Result(args), args

    async def begin(self) -> None:
        self._loading = asyncio.create_task(self._load())
        self._loading.add_done_callback(self.end)

    async def finish(self) -> None:
        self._loading.cancel()
        await asyncio.wait([self._loading])
        assert self.loop
        self.counts["messages"] = self.result.requests
        self.result.report(self._plan, self.loop.stack.counters())

    async def _load(self) -> None:
        host, port = self._plan.connect.rsplit(":", 1)
        await asyncio.gather(*(self._one(host.strip("[]"), int(port)) for _ in range(self._plan.conns)))

    async def _one(self, host: str, port: int) -> None:
        args, result, writer = self._plan, self.result, None
        patience = asyncio.timeout(args.duration + PATIENCE_S if args.duration else None)
        try:
            async with patience:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
                self.count("opened")
                await MODES[args.mode](args, result, reader, writer)
                writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            result.failed("no end after the time was up" if patience.expired() else str(error) or "no answer")
            if writer is not None:
                writer.transport.abort()

    def verdict(self) -> int:
        return 1 if self.result.errors or self.result.mismatches else 0


def endpoint(text: str) -> str:
    host, colon, port = text.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        if not colon or not port.isdecimal() or not 0 < int(port) < 65536 or (":" in host) != host.startswith("["):
            raise ValueError(text)
    except ValueError:
        raise WrongValue("give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7") from None
    return text


OWN = [
    Option("connect", "A:PORT", "the server", read=endpoint),
    Option("mode", "MODE", "pp: messages that an echo server returns; send, recv: bulk; http", "pp"),
    Option("conns", "N", "connections (1)", 1, number(1, 1000000)),
    Option("size", "BYTES", "pp: of a message (1)", 1, number(1, 1 << 24)),
    Option("depth", "N", "pp, http: messages on their way per connection (1)", 1, number(1, 256)),
    Option("count", "N", "messages in all (10000 without --duration)", 0, number(1, (1 << 64) - 1)),
    Option("bytes", "N", "send, recv: per connection (10^8 without --duration)", 0, number(1, 1 << 50)),
    Option("path", "PATH", "http: what to get (/bytes/1000)", "/bytes/1000"),
    Option("serve", "", "be the server of this mode on --listen", False),
    Option("self", "", "be both, on a pair: or sim: port", False),
    Option("json", "", "no table, only the last line", False),
]


def check(options: Options, args: SimpleNamespace) -> None:
    if args.mode not in MODES:
        options.usage("mode", args.mode, "give pp, send, recv or http")
    if args.serve and args.mode == "http":
        options.usage("mode", args.mode, "is what iip_http serves")
    if args.self and args.mode == "http":
        options.usage("mode", args.mode, "with a server in the same process is `iip_http --self-test`")
    if not args.serve and not args.self and not args.connect:
        options.usage("connect", None, "missing; give the server as ADDRESS:PORT, or --serve, or --self")
    path = args.path
    if args.mode == "http" and (not path.startswith("/") or len(path) > 400 or any(not "!" <= c <= "~" for c in path)):
        options.usage("path", path, "give a path without blanks, up to 400 bytes, for example /bytes/1000")
    if not args.serve and not args.bytes:
        args.bytes = 1 << 62 if args.duration else 100_000_000
    one_loop("iip_load", args)


def main() -> int:
    options = Options("iip_load", "a load generator that verifies every byte", listen=7, own=OWN)
    args = options.parse()
    check(options, args)
    if args.serve:
        return Serve("iip_load", args, COUNTS, options.engine(args)).main()
    if not args.self:
        client = Load(args, options.engine(args))
        return client.main(announce=False) or client.verdict()
    server_options, client_options = two_ends(options, args)
    args.connect = f"{SERVER[0].split('/')[0]}:{args.listen}"
    with beside(Serve("iip_load", args, COUNTS, server_options)):
        client = Load(args, client_options)
        if args.stats_json:
            client.args.stats_json = f"{args.stats_json}.client"
        return client.main(announce=False) or client.verdict()


if __name__ == "__main__":
    run("iip_load", main)

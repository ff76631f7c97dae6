#!/usr/bin/env python3
"""Load generator on asyncio streams: ping-pong and bulk, latency percentiles, every byte verified."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace

from iip_example import Aio, run
from iip_options import Option, Options, WrongValue, number
from iip_two_ends import SERVER, two_ends
from load_client import COUNTS, Load
from load_serve import Serve
from load_talk import MODES


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
    if not args.count and not args.duration:
        args.count = 10000


def report(client: Load) -> None:
    client.sum.report(client.plan, {name: client.counter_sum(name) for name in client.stacks[0].counters()})


def main() -> int:
    options = Options("iip_load", "a load generator that verifies every byte", listen=7, own=OWN)
    args = options.parse()
    check(options, args)
    if args.serve:
        return Aio("iip_load", args, COUNTS, options.engine(args), Serve).main()
    if not args.self:
        client = Load(args, options.engine(args), report)
        return client.main(announce=False) or client.verdict()
    server_options, client_options = two_ends(options, args)
    args.connect = f"{SERVER[0].split('/')[0]}:{args.listen}"
    with Aio("iip_load", args, COUNTS, server_options, Serve).serving():
        client = Load(args, client_options, report)
        if args.stats_json:
            client.args.stats_json = f"{args.stats_json}.client"
        return client.main(announce=False) or client.verdict()


if __name__ == "__main__":
    run("iip_load", main)

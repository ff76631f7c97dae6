"""The server and a client of ours in one process: what can be shown where there is no network."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from iip_example import Aio
from iip_options import Options
from iip_two_ends import SERVER, two_ends
from load_client import Load

CONNS, DEPTH, PATH = 4, 4, "/bytes/10000"


def plan(args: SimpleNamespace) -> SimpleNamespace:
    """What the client is to do, in the words of iip_load's command line."""
    conns = min(args.requests, CONNS)
    return SimpleNamespace(
        **{**vars(args), "stats_json": f"{args.stats_json}.client" if args.stats_json else None},
        mode="http",
        connect=f"{SERVER[0].split('/')[0]}:{args.listen}",
        path=PATH,
        conns=conns,
        depth=DEPTH,
        count=0 if args.duration else args.requests,
    )


def report(args: SimpleNamespace, server: Aio, client: Load) -> None:
    sums: dict[str, int] = {}
    for stack in server.stacks:
        for name, n in stack.counters().items():
            sums[name] = sums.get(name, 0) + n
    drops = ", ".join(f"{name} {n}" for name, n in sums.items() if name.startswith("drop_") and n)
    result = client.sum
    print(f"port          {args.port}")
    print(f"address       {SERVER[0].split('/')[0]}:{args.listen}")
    print(f"requests      {result.requests} in {result.seconds:.3f} s, {result.requests / result.seconds:.0f}/s")
    print(f"verified      {result.bytes} bytes, {result.mismatches} mismatches, {result.errors} errors")
    print(f"retransmits   {sums['tcp_retrans'] + client.counter_sum('tcp_retrans')}")
    print(f"dropped       {drops or 'none'}", flush=True)


def run(options: Options, args: SimpleNamespace, make_server: Callable[[dict[str, Any]], Aio]) -> int:
    server_options, client_options = two_ends(options, args)
    server = make_server(server_options)
    with server.serving():
        client = Load(plan(args), client_options, lambda client: report(args, server, client))
        return client.main(announce=False) or client.verdict()

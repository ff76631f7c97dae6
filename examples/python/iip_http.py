#!/usr/bin/env python3
"""HTTP/1.1 server on asyncio streams; that they are the stack's is said in one place, the loop factory of Aio."""

from __future__ import annotations

import http_self_test
from http_server import Server
from http_site import Site
from iip_example import Aio, Work, run
from iip_options import Option, Options, WrongValue, number, seconds

COUNTS = ("accepted", "closed", "requests", "answers_ok", "answers_refused", "timeouts", "bytes")


class Http(Work):
    async def begin(self) -> None:
        args = self.args
        self.server = Server(
            Site(args.root), self.count, args.head_timeout, args.body_timeout, args.idle_timeout, args.body_max
        )
        self.listening = await self.server.serve(args.listen)

    async def finish(self) -> None:
        self.listening.close()
        await self.server.end()


def directory(name: str) -> str:
    try:
        Site(name).check()
    except OSError as error:
        raise WrongValue(error.strerror) from None
    return name


OWN = [
    Option("root", "DIR", "directory to serve (default: a built-in page, and /bytes/N)", read=directory),
    Option("body-max", "BYTES", "longest body of a PUT to /sink", 1 << 40, number(0, 1 << 60)),
    Option("head-timeout", "S", "for the head of a request (10)", 10.0, seconds),
    Option("body-timeout", "S", "for 16 KiB of a body, either way (20)", 20.0, seconds),
    Option("idle-timeout", "S", "between requests (60)", 60.0, seconds),
    Option("self-test", "", "serve a client in this process, on pair: or sim:", False),
    Option("requests", "N", "how many the self-test makes (1000)", 1000, number(1, 1000000000)),
]


def main() -> int:
    options = Options("iip_http", "an HTTP/1.1 server", listen=80, own=OWN)
    args = options.parse()
    if args.self_test:
        return http_self_test.run(options, args, lambda engine: Aio("iip_http", args, COUNTS, engine, Http))
    return Aio("iip_http", args, COUNTS, options.engine(args), Http).main()


if __name__ == "__main__":
    run("iip_http", main)

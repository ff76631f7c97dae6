"""What the examples share: the flags and the output that examples/c/README.md promises for all languages."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import iip

try:
    import numpy
except ImportError:  # slower, that is all
    numpy = None  # type: ignore[assignment]

_MASK = (1 << 64) - 1


class Parser(argparse.ArgumentParser):
    """One line of error that names the value, and exit code 2."""

    def __init__(self, program: str, about: str, listen: int) -> None:
        super().__init__(prog=program, description=about, allow_abbrev=False)
        self.add_argument("--port", default="tap:iip0", metavar="STRING", help="tap:NAME, pair:NAME, sim:..., dpdk:...")
        self.add_argument("--addr", action="append", default=[], metavar="A/PLEN", help="our own address; repeatable")
        self.add_argument("--gateway", action="append", default=[], metavar="G", help="default gateway; repeatable")
        self.add_argument("--listen", type=number(1, 65535), default=listen, metavar="PORT", help="port that is served")
        self.add_argument("--pcap", metavar="FILE", help="record all packets")
        self.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a tunable; repeatable")
        self.add_argument("--stats-json", metavar="FILE", help="statistics, at the end and on SIGUSR1")
        self.add_argument("--duration", type=float, default=0.0, metavar="S", help="end after S seconds")

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; --help lists what there is", file=sys.stderr)
        sys.exit(2)

    def engine_options(self, args: argparse.Namespace) -> dict[str, Any]:
        """Keyword arguments of iip.Engine."""
        for text in args.set:
            if "=" not in text:
                self.error(f"--set {text}: give name=value, for example tcp.mss=1400")
        return {
            "port": args.port,
            "addresses": args.addr,
            "routes": [f"default via {gateway}" for gateway in args.gateway],
            "pcap": args.pcap,
            "tunables": dict(text.split("=", 1) for text in args.set),
        }


def number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text}: give a number from {least} to {most}")
        return int(text)

    return parse


def word(i: int) -> bytes:
    """Bytes 8 i to 8 i + 7 of the stream that anybody can compute."""
    x = (i + 1) * 0x9E3779B97F4A7C15 & _MASK
    return (x ^ x >> 32).to_bytes(8, "little")


def pattern(offset: int, length: int) -> bytes:
    """Bytes of that stream."""
    first, last = offset // 8, (offset + length + 7) // 8
    if numpy is None or length < 256:
        words = b"".join(map(word, range(first, last)))
    else:
        x = numpy.arange(first + 1, last + 1, dtype="<u8") * numpy.uint64(0x9E3779B97F4A7C15)
        words = (x ^ x >> numpy.uint64(32)).tobytes()
    return words[offset % 8 :][:length]


def say_ready(address: str, port: int) -> None:
    host = address.split("/")[0]
    print(f"ready [{host}]:{port}" if ":" in host else f"ready {host}:{port}", flush=True)


class Run:
    """A run of a server: when it ends, and what it counted."""

    def __init__(self, program: str, args: argparse.Namespace) -> None:
        self.program, self.args = program, args
        self.begin = time.monotonic()
        self.counts: dict[str, int] = {}
        self.over = self._report = False
        for number_ in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number_, self._end)
        signal.signal(signal.SIGUSR1, self._ask)

    def _end(self, *_: object) -> None:
        self.over = True

    def _ask(self, *_: object) -> None:
        self._report = True

    def goes_on(self, loop: iip.Loop) -> bool:
        """Between two turns: writes statistics if asked to; False once the run is over."""
        if self._report:
            self._report = False
            self.write_stats(loop)
        if self.args.duration and time.monotonic() - self.begin >= self.args.duration:
            self.over = True
        return not self.over

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def write_stats(self, loop: iip.Loop) -> None:
        """Whole: to a temporary file, then renamed."""
        if not self.args.stats_json:
            return
        stats = loop.stats()
        ports = (
            "rx_packets",
            "rx_bytes",
            "rx_dropped",
            "tx_packets",
            "tx_bytes",
            "tx_refused",
            "tx_pending",
            "wire_lost",
        )
        turns = ("turns", "events", "ops", "ops_failed", "stale_handles", "spill_copies", "bufs_held", "mem_used")
        report = {
            "program": self.program,
            "version": iip.__version__,
            "port": self.args.port,
            "addresses": " ".join(self.args.addr),
            "listen": self.args.listen,
            "seconds": round(time.monotonic() - self.begin, 3),
            **self.counts,
            "counters": loop.counters(),
            "conns": stats["conns"],
            "turns": {name: stats[name] for name in turns},
            "ports": {name: stats[name] for name in ports},
        }
        temporary = f"{self.args.stats_json}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
        os.replace(temporary, self.args.stats_json)


def run(program: str, main: Callable[[], int]) -> NoReturn:
    """Exit code 2 for a port that cannot be opened and the like, 1 for any other failure."""
    try:
        sys.exit(main())
    except iip.Error as error:
        print(f"{program}: {error.strerror}", file=sys.stderr)
        sys.exit(2 if error.kind == iip.StatusClass.USAGE else 1)

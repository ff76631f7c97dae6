"""What all connections of iip_load did together, for people and for programs."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace


class Result:
    """Of one loop, or of all together."""

    def __init__(self, args: SimpleNamespace, quota: int) -> None:
        self.requests = self.bytes = self.errors = self.mismatches = 0
        self.latencies: list[float] = []
        self.begin = time.monotonic()
        self.until = self.begin + args.duration if args.duration else float("inf")
        self.quota = quota  # messages that may still be started
        self.seconds = 1e-9  # of the slowest loop

    def take(self) -> bool:
        """May one more message be started?"""
        self.quota -= 1
        return self.quota >= 0 and time.monotonic() < self.until

    def failed(self, why: object) -> None:
        if not self.errors:
            print(f"iip_load: {why}", file=sys.stderr)
        self.errors += 1

    def add(self, other: Result) -> None:
        """What a loop did, now that it is done."""
        self.requests += other.requests
        self.bytes += other.bytes
        self.errors += other.errors
        self.mismatches += other.mismatches
        self.latencies += other.latencies
        self.seconds = max(self.seconds, time.monotonic() - other.begin)

    def percentile(self, part: float) -> float:
        """Of the sorted latencies, microseconds."""
        latencies = self.latencies
        return latencies[min(len(latencies) - 1, int(part * len(latencies)))] * 1e6 if latencies else 0.0

    def report(self, args: SimpleNamespace, counters: dict[str, int]) -> None:
        seconds = self.seconds
        self.latencies.sort()
        us = {name: self.percentile(part) for name, part in zip(_NAMES, _PARTS, strict=True)}
        if not args.json:
            self._table(args, counters, seconds, us)
        result = {
            "requests": self.requests,
            "requests_per_s": round(self.requests / seconds, 1),
            "bytes": self.bytes,
            "bytes_per_s": round(self.bytes / seconds, 1),
            "seconds": round(seconds, 6),
            "errors": self.errors,
            "mismatches": self.mismatches,
            **{f"{name.replace('.', '')}_us": round(value, 3) for name, value in us.items()},
            "retransmits": counters["tcp_retrans"],
        }
        print(json.dumps(result), flush=True)

    def _table(self, args: SimpleNamespace, counters: dict[str, int], seconds: float, us: dict[str, float]) -> None:
        drops = ", ".join(f"{name} {n}" for name, n in counters.items() if name.startswith("drop_") and n)
        print(f"port          {args.port or 'tap:iip0'}")
        print(f"connections   {args.conns}")
        print(f"requests      {self.requests} in {seconds:.3f} s, {self.requests / seconds:.0f}/s")
        print(f"payload       {self.bytes} bytes, {self.bytes * 8 / seconds / 1e9:.3f} Gbit/s")
        if self.latencies:
            print("latency [us]  " + "  ".join(f"{name} {value:.1f}" for name, value in us.items()))
        print(f"errors        {self.errors}, mismatches {self.mismatches}")
        print(f"retransmits   {counters['tcp_retrans']}")
        print(f"dropped       {drops or 'none'}")


_NAMES, _PARTS = ("p50", "p90", "p99", "p99.9", "max"), (0.5, 0.9, 0.99, 0.999, 1.0)

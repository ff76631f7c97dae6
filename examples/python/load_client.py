"""The clients of iip_load: each loop has its share of the connections and of the messages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from iip_example import Aio, Work
from load_report import Result
from load_talk import MODES

COUNTS = ("opened", "messages", "payload_bytes")
# Connections being opened at a time: few until the peer's hardware address is known, for not many packets wait for
# that; and later not all, for a SYN flood is another program.
OPENING_FIRST, OPENING_MAX = 4, 256
CONNECT_S = 10.0
PATIENCE_S = 1.0  # for what was on its way when --duration was over


class Load(Aio):
    """Opens its connections, and ends by itself."""

    def __init__(self, args: SimpleNamespace, options: dict[str, Any], report: Callable[[Load], None]) -> None:
        lasting = SimpleNamespace(**{**vars(args), "duration": 0.0})
        super().__init__("iip_load", lasting, COUNTS, options, Share)
        self.plan, self.sum = args, Result(args, 0)
        self._tell = report
        self._lock = threading.Lock()
        self._loops_done = 0

    def done(self, result: Result) -> None:
        """A loop has nothing more to do. All turn until the last one is done: packets of one may arrive at another."""
        with self._lock:
            self.sum.add(result)
            self._loops_done += 1
            if self._loops_done == len(self.stacks):
                self.end()

    def counter_sum(self, name: str) -> int:
        return sum(stack.counters()[name] for stack in self.stacks)

    def ended(self) -> None:
        self._tell(self)

    def verdict(self) -> int:
        return 1 if self.sum.errors or self.sum.mismatches else 0


class Share(Work):
    """One loop's connections."""

    run: Load

    async def begin(self) -> None:
        plan = self.run.plan
        self._plan, self._conns = plan, self._part(plan.conns)
        self.result = Result(plan, self._part(plan.count) if plan.count else 1 << 64)
        self._opening, self._met = asyncio.Semaphore(OPENING_FIRST), False
        self._alone = False
        self._loading = asyncio.create_task(self._load())
        self._loading.add_done_callback(self._done)

    def _part(self, whole: int) -> int:
        n = len(self.run.stacks)
        return int(whole) // n + (self.index < whole % n)

    def _done(self, loading: asyncio.Task[None]) -> None:
        self.counts["messages"] = self.result.requests
        if not loading.cancelled() and loading.exception():
            self.run.failure = loading.exception()
        self.run.done(self.result)

    async def finish(self) -> None:
        self._loading.cancel()
        await asyncio.wait([self._loading])

    async def _load(self) -> None:
        host, port = self._plan.connect.rsplit(":", 1)
        await asyncio.gather(*(self._one(host.strip("[]"), int(port)) for _ in range(self._conns)))

    async def _open(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._opening:
            if self._alone:
                raise OSError("nobody answered")
            try:
                both = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
            except TimeoutError:
                self._alone = not self._met
                raise
        self.count("opened")
        for _ in range(0 if self._met else OPENING_MAX - OPENING_FIRST):
            self._opening.release()
        self._met = True
        return both

    async def _one(self, host: str, port: int) -> None:
        plan, result, writer = self._plan, self.result, None
        patience = asyncio.timeout(plan.duration + PATIENCE_S if plan.duration else None)
        try:
            async with patience:
                reader, writer = await self._open(host, port)
                await MODES[plan.mode](plan, result, reader, writer)
                writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            result.failed("no end after the time was up" if patience.expired() else str(error) or "no answer")
            if writer is not None:
                writer.transport.abort()

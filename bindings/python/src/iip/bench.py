"""
ffi-bench: what crossing into libiip costs in this interpreter, and what the layers of the package reach.

Rates are 1-byte requests on 32 connections, both ends in this process, over an in-memory wire. Where there is a peer,
both run alternately and each row is the median of its rounds, as the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from . import loop as loop_module
from ._ffi import lib
from .constants import EventType, OpCode, OpFlag
from .engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

ROUNDS = 5
CONNS = 32
DATA = int(EventType.DATA)


class Row(NamedTuple):
    """One figure; `ratio` to what `peer` reached in the same run, the median of rounds from `low` to `high`."""

    row: str
    value: float
    unit: str
    ratio: float | None = None
    peer: str | None = None
    low: float | None = None
    high: float | None = None


def _best(work: Callable[[], None], n: int) -> float:
    """Nanoseconds of one of the n things that `work` does."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - begin)
    return min(times) / n


# ---- crossings ----


def _nop() -> None:
    call = lib.iip_abi_version
    for _ in range(100_000):
        call()


def _empty_turns(loop: Loop) -> None:
    turn = loop.turn
    for _ in range(20_000):
        turn()


def _turn_with(loop: Loop, n: int) -> float:
    """Nanoseconds of a turn that hands up n events, each looked at as an object."""
    times = []
    for _ in range(2000):
        for _ in range(n):
            loop.post(OpCode.NOP, flags=OpFlag.REPLY)
        begin = time.perf_counter_ns()
        seen = sum(event.type == EventType.DONE for event in loop.turn())
        times.append(time.perf_counter_ns() - begin)
        assert seen == n
    return float(statistics.median(times))


class Counted:
    """Stands for `lib` and counts the calls that go through it."""

    def __init__(self) -> None:
        self.calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(lib, name)

        def call(*args: Any) -> Any:
            self.calls += 1
            return function(*args)

        return call


# ---- the native loop ----


def _expect(reply: bytes) -> None:
    if reply != b"p":
        msg = f"a wrong reply: {reply!r}"
        raise RuntimeError(msg)


class PingPong:
    """Both ends in this thread: one byte there, one byte back, on 32 connections."""

    def __init__(self, name: str) -> None:
        self.engines = [Engine(f"pair:{name}", f"10.0.0.{i}/24") for i in (2, 1)]
        self.server, self.client = (engine.loop() for engine in self.engines)
        self.server.attach()
        self.client.attach()
        self.server.listen(("", 7))
        for _ in range(CONNS):
            self.client.connect(("10.0.0.2", 7))
        connected: list[int] = []
        while len(connected) < CONNS:
            self.server.turn()
            connected += [event.src for event in self.client.turn() if event.type == EventType.CONNECTED]
        for conn in connected:
            self.client.send(conn, b"p")
        self.client.turn()

    def objects(self, requests: int) -> None:
        """An event object each."""
        server, client, done = self.server, self.client, 0
        while done < requests:
            for event in server.turn():
                if event.type == DATA:
                    server.forward(event.src, event)
            for event in client.turn():
                if event.type == DATA:
                    client.release(event.buf)
                    client.send(event.src, b"p")
                    done += 1

    def columns(self, requests: int) -> None:
        """Whole columns in, whole columns out: nothing is done for each event."""
        server, client, done = self.server, self.client, 0
        while done < requests:
            for kind, events in server.turn().columns.runs():
                if kind == DATA:
                    server.forward_columns(events)
            for kind, events in client.turn().columns.runs():
                if kind == DATA:
                    client.release_columns(events.buf)
                    client.send_columns(events.src, b"p")
                    done += len(events)

    def check(self, requests: int) -> None:
        """What comes back is what was sent: looked at apart from the rates."""
        server, client, done = self.server, self.client, 0
        while done < requests:
            for event in server.turn():
                if event.type == DATA:
                    server.forward(event.src, event)
            for event in client.turn():
                if event.type == DATA:
                    with client.view(event) as data:
                        _expect(bytes(data))
                    client.send(event.src, b"p")
                    done += 1

    def turns(self) -> int:
        return sum(loop.stats()["turns"] for loop in (self.server, self.client))

    def crossings(self, requests: int) -> tuple[float, float]:
        """(calls into libiip, requests) of each turn."""
        counted, before = Counted(), self.turns()
        module: Any = loop_module
        module.lib = counted
        try:
            self.columns(requests)
            self.objects(requests)
            calls = counted.calls
        finally:
            module.lib = lib
        turns = self.turns() - before
        return calls / turns, 2 * requests / (turns / 2)

    def views(self, n: int) -> tuple[float, float]:
        """Nanoseconds of a view of an event that is looked at and released; of a release alone. The play ends here."""
        while not (events := [event for event in self.server.turn() if event.type == DATA]):
            self.client.turn()
        kept, server = events[0], self.server
        for event in events[1:]:
            server.release(event.buf)
        costs = []
        for look in (True, False):
            for _ in range(n):
                lib.iip_buf_retain(kept.buf)
            begin = time.perf_counter_ns()
            for _ in range(n):
                if look:
                    with server.view(kept) as data:
                        assert data[0] == ord("p")
                else:
                    lib.iip_buf_release(kept.buf)
            costs.append((time.perf_counter_ns() - begin) / n)
        server.release(kept.buf)
        return costs[0], costs[1]

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


def _rate(work: Callable[[int], None], requests: int = 30_000) -> float:
    begin = time.perf_counter()
    work(requests)
    return requests / (time.perf_counter() - begin)


def c_rate(program: str, seconds: float = 0.5) -> float:
    """What the load generator in C reaches on such a wire, both ends in its process, a thread each."""
    words = [program, "--self", "--json", "--conns", str(CONNS), "--size", "1", "--duration", str(seconds)]
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return float(json.loads(out.splitlines()[-1])["requests_per_s"])


# ---- asyncio ----


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: float) -> int:
    n = 0
    while time.perf_counter() < until:
        writer.write(b"p")
        _expect(await reader.readexactly(1))
        n += 1
    writer.close()
    await writer.wait_closed()
    return n


async def _ask_all(host: str, port: int, seconds: float) -> float:
    """Requests a second, once all connections stand."""
    pairs = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(CONNS)))
    begin = time.perf_counter()
    asked = await asyncio.gather(*(_ask(*pair, begin + seconds) for pair in pairs))
    return sum(asked) / (time.perf_counter() - begin)


async def _serve_and_ask(host: str, port: int, seconds: float) -> float:
    """Both ends in this loop."""
    async with await asyncio.start_server(_echo, host, port) as server:
        return await _ask_all(host, server.sockets[0].getsockname()[1], seconds)


def _both_ends() -> asyncio.AbstractEventLoop:
    from .aio import EventLoop

    loop = EventLoop("pair:ffi-streams", "10.0.0.1/24")
    loop.add_port("pair:ffi-streams", "10.0.0.2/24")
    return loop


def streams(seconds: float) -> float:
    with asyncio.Runner(loop_factory=_both_ends) as runner:
        return runner.run(_serve_and_ask("10.0.0.2", 7, seconds))


def stock_streams(seconds: float) -> float:
    return asyncio.run(_serve_and_ask("127.0.0.1", 0, seconds))


# ---- all together ----


def _against(row: str, ours: Callable[[], float], peer: str | None, theirs: Callable[[], float] | None) -> Row:
    """Both by turns."""
    rounds = [(ours(), theirs() if theirs else None) for _ in range(ROUNDS)]
    value = statistics.median(mine for mine, _ in rounds)
    ratios = [mine / other for mine, other in rounds if other]
    if not ratios:
        return Row(row, value, "requests/s")
    return Row(row, value, "requests/s", statistics.median(ratios), peer, min(ratios), max(ratios))


def run(program_in_c: str | None = None, seconds: float = 1.0) -> list[Row]:
    """All rows. `program_in_c`: iip_load as built from the same sources, for the ratios of the native loop."""
    rows = [Row("nop", _best(_nop, 100_000), "ns")]
    with Engine("pair:ffi-idle", "10.0.0.1/24") as engine, engine.loop() as loop:
        rows.append(Row("turn without events", _best(lambda: _empty_turns(loop), 20_000), "ns"))
        rows += [
            Row(f"turn with {n} events" if n > 1 else "turn with 1 event", _turn_with(loop, n), "ns") for n in (1, 64)
        ]
    pair = PingPong("ffi-bench")
    pair.check(1000)
    calls, requests = pair.crossings(10_000)
    rows += [Row("crossings per turn", calls, "calls"), Row("requests per turn", requests, "requests")]
    theirs = (lambda: c_rate(program_in_c)) if program_in_c else None
    peer = "the C example, iip_load --self" if program_in_c else None
    rows.append(_against("native loop, columns", lambda: _rate(pair.columns), peer, theirs))
    rows.append(_against("native loop, objects", lambda: _rate(pair.objects), peer, theirs))
    pair.check(1000)
    view, release = pair.views(10_000)
    rows += [Row("view, look and release", view, "ns"), Row("release", release, "ns")]
    pair.close()
    peer = "asyncio over loopback, both ends in one loop as well"
    rows.append(_against("asyncio streams", lambda: streams(seconds), peer, lambda: stock_streams(seconds)))
    return rows

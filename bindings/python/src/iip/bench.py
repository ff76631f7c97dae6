"""ffi-bench: what crossing into libiip costs in this interpreter. Best of several rounds; bytes are verified."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ._ffi import lib
from .constants import EventType
from .engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

ROUNDS = 5
CONNS = 32


def _best(work: Callable[[], None], n: int) -> float:
    """Nanoseconds of one of the n things that `work` does."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - begin)
    return min(times) / n


def _nop() -> None:
    call = lib.iip_abi_version
    for _ in range(100_000):
        call()


def _empty_turns(loop: Loop) -> None:
    turn = loop.turn
    for _ in range(20_000):
        turn()


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
        server, client, done, data = self.server, self.client, 0, int(EventType.DATA)
        while done < requests:
            for event in server.turn():
                if event.type == data:
                    server.forward(event.src, event)
            for event in client.turn():
                if event.type == data:
                    client.release(event.buf)
                    client.send(event.src, b"p")
                    done += 1

    def columns(self, requests: int) -> None:
        """Whole columns of the event array, no object for an event."""
        server, client, done, data = self.server, self.client, 0, int(EventType.DATA)
        while done < requests:
            columns = server.turn().columns
            for kind, src, buf in zip(columns.type, columns.src, columns.buf, strict=True):
                if kind == data:
                    server.send_buffer(src, buf, 1)
            columns = client.turn().columns
            for kind, src, buf in zip(columns.type, columns.src, columns.buf, strict=True):
                if kind == data:
                    client.release(buf)
                    client.send(src, b"p")
                    done += 1

    def close(self) -> None:
        for engine in self.engines:
            engine.close()


def _views(pair: PingPong, n: int) -> float:
    """One view of an event, looked at and released."""
    while not (events := [event for event in pair.server.turn() if event.type == EventType.DATA]):
        pair.client.turn()
    kept, server = events[0], pair.server
    for event in events[1:]:
        server.release(event.buf)
    begin = time.perf_counter_ns()
    for _ in range(n):
        lib.iip_buf_retain(kept.buf)
        with server.view(kept) as data:
            assert data[0] == ord("p")
    cost = (time.perf_counter_ns() - begin) / n
    server.release(kept.buf)
    return cost


def run() -> dict[str, float]:
    """The figures by name."""
    pair = PingPong("ffi-bench")
    rate = {}
    for name, work in (("objects", pair.objects), ("columns", pair.columns)):
        rate[f"ping-pong, {name} [requests/s]"] = 1e9 / _best(lambda work=work: work(20_000), 20_000)  # type: ignore[misc]
    turns = pair.client.stats()["turns"]
    pair.objects(3200)
    per_turn = 3200 / (pair.client.stats()["turns"] - turns)
    views = _views(pair, 20_000)
    pair.close()
    with Engine("pair:ffi-idle", "10.0.0.1/24") as engine, engine.loop() as loop:
        idle = _best(lambda: _empty_turns(loop), 20_000)
    return {
        "nop [ns]": _best(_nop, 100_000),
        "turn without events [ns]": idle,
        "view, look and release [ns]": views,
        "requests a turn": per_turn,
        **rate,
    }

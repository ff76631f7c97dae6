#!/usr/bin/env python3
"""
Many connections whose received bytes are kept and released at random by other threads, each verified again just before.

    soak.py [--seconds S] [--connections N] [--seed N] [--break stale|lost|double]

What a connection carries is a function of its client's port and the offset. Exit code 1, and a line that says why, when
bytes changed under a view that was kept, when something was not given back, when a count is not exact or an exception
was not expected. --break makes the mistake of that name on purpose: the run must end with exit code 1.
"""

from __future__ import annotations

import argparse
import faulthandler
import queue
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import iip
from iip import EventType
from iip._ffi import ffi, lib

PERIOD = 1 << 20
KEEPERS = 4
CHUNK_MAX = 16384
KEPT_EACH = 2  # views kept, at most, for each connection
PATIENCE_S = 300  # for the end, on the slowest of machines
SERVER = ("10.0.0.2", 7)
STREAM = random.Random(1).randbytes(PERIOD) * 2


def content(port: int, offset: int, length: int) -> bytes:
    start = (port * 104729 + offset) % PERIOD
    return STREAM[start : start + length]


@dataclass
class Shared:
    """What all threads know."""

    args: argparse.Namespace
    until: float
    arrived: set[int] = field(default_factory=set)  # ports of the connections that the server knows
    promised: dict[int, tuple[bool, int]] = field(default_factory=dict)  # by port: (is exact, bytes)
    mistakes: list[str] = field(default_factory=list)
    stale: int = 0
    sent: int = 0
    opened: int = 0
    ended: threading.Event = field(default_factory=threading.Event)  # the client has no connection left

    def over(self) -> bool:
        return time.monotonic() >= self.until or bool(self.mistakes)

    def wrong(self, what: str) -> None:
        self.mistakes.append(what)


class Guarded(threading.Thread):
    """A thread whose unexpected end is a mistake of the run."""

    def __init__(self, shared: Shared, name: str) -> None:
        super().__init__(name=name)
        self.shared = shared
        self.dice = random.Random(f"{shared.args.seed} {name}")

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.shared.wrong(f"{self.name}: {type(error).__name__}: {error}")

    def work(self) -> None:
        raise NotImplementedError


# ---- those who keep ----


@dataclass
class Kept:
    view: iip.View
    port: int
    offset: int
    look: memoryview | None = None
    address: int = 0  # only with --break stale: where a buffer lies that is no longer ours

    def bytes_now(self) -> bytes:
        if self.address:
            return bytes(ffi.buffer(ffi.cast("char *", self.address), len(self.view)))
        return bytes(self.view)


class Keeper(Guarded):
    def __init__(self, shared: Shared, name: str) -> None:
        super().__init__(shared, name)
        self.inbox: queue.SimpleQueue[Kept | None] = queue.SimpleQueue()
        self.others: list[Keeper] = []
        self.kept: list[Kept] = []
        self.kept_max = self.bytes = self.took = self.gave = 0
        self.breaks = self.dice.randrange(200) if shared.args.broken == "double" else -1

    def work(self) -> None:
        most = max(1, KEPT_EACH * self.shared.args.connections // KEEPERS)
        target = most
        while self.take_in():
            if self.dice.random() < 0.01:
                target = self.dice.randrange(most)
            while len(self.kept) > target:
                self.let_go()
        while self.kept:
            self.let_go()

    def take_in(self) -> bool:
        """What came, else after a while one of the kept goes, so that windows open. False: no more comes."""
        try:
            kept = self.inbox.get(timeout=0.01)
        except queue.Empty:
            for _ in range(len(self.kept) // 4 + 1):
                if self.kept:
                    self.let_go()
            return True
        if kept is None:
            return False
        self.took += 1
        self.compare(kept, kept.bytes_now(), 0)
        if self.dice.random() < 0.1 and not kept.address:
            kept.look = memoryview(kept.view)[self.dice.randrange(len(kept.view)) :]
        self.kept.append(kept)
        self.kept_max = max(self.kept_max, len(self.kept))
        return True

    def let_go(self) -> None:
        i = self.dice.randrange(len(self.kept))
        self.kept[i], self.kept[-1] = self.kept[-1], self.kept[i]
        kept = self.kept.pop()
        if self.others and self.dice.random() < 0.02 and not self.shared.ended.is_set():
            self.took -= 1  # yet another thread is to end it
            self.dice.choice(self.others).inbox.put(kept)
            return
        self.verify(kept)
        self.bytes += len(kept.view)
        self.gave += 1
        self.release(kept)

    def compare(self, kept: Kept, data: bytes, at: int) -> None:
        if data != content(kept.port, kept.offset + at, len(data)):
            self.shared.stale += 1
            self.shared.wrong(f"port {kept.port}: bytes from {kept.offset + at} on are not what they were")

    def verify(self, kept: Kept) -> None:
        self.compare(kept, kept.bytes_now(), 0)
        if kept.look is None:
            return
        self.compare(kept, kept.look.tobytes(), len(kept.view) - len(kept.look))
        try:
            kept.view.release()
            self.shared.wrong("a view was released under a memoryview")
        except BufferError:
            kept.look.release()

    def release(self, kept: Kept) -> None:
        if self.gave == self.breaks:
            lib.iip_buf_release(self.buf_of[kept.view])
        if kept.address or self.dice.random() < 0.3:
            return  # the collector gives it back
        kept.view.release()

    buf_of: dict[iip.View, int] = {}  # only with --break double  # noqa: RUF012


# ---- the receiving end ----


class Receiver(Guarded):
    """The server: hands each view to a keeper, and knows how many bytes each connection must bring."""

    def __init__(self, shared: Shared, engine: iip.Engine, keepers: list[Keeper]) -> None:
        super().__init__(shared, "receiver")
        self.engine, self.keepers = engine, keepers
        self.ready = threading.Event()
        self.conns: dict[int, list[int]] = {}  # handle: [port, bytes]
        self.accepted = self.closed = self.bytes = 0
        self.left: dict[str, int] = {}

    def work(self) -> None:
        with self.engine.loop() as loop:
            listener = loop.listen(SERVER, backlog=4096)
            self.ready.set()
            while not (self.shared.ended.is_set() and not self.conns) and self.may_go_on():
                for event in loop.turn(0.01):
                    self.handle(loop, event)
            for keeper in self.keepers:
                keeper.inbox.put(None)
            for keeper in self.keepers:
                keeper.join(PATIENCE_S)
                keeper.kept.clear()
            loop.close(listener)
            loop.turn()
            self.left = loop.stats()

    def may_go_on(self) -> bool:
        return not self.shared.mistakes and time.monotonic() < self.shared.until + PATIENCE_S

    def handle(self, loop: iip.Loop, event: iip.Event) -> None:
        if event.type == EventType.ACCEPT:
            _, peer = loop.ends(event)
            self.conns[event.src] = [peer[1], 0]
            self.shared.arrived.add(peer[1])
            self.accepted += 1
        elif event.type == EventType.DATA:
            conn = self.conns[event.src]
            self.keep(loop, event, *conn)
            conn[1] += event.len
            self.bytes += event.len
        elif event.type == EventType.FIN:
            self.account(*self.conns[event.src])
            loop.close(event.src)
        elif event.type == EventType.CLOSED:
            conn = self.conns.pop(event.src, None)
            if conn and conn[0] in self.shared.promised:
                self.account(*conn, aborted=True)
            self.closed += conn is not None

    def account(self, port: int, got: int, aborted: bool = False) -> None:
        self.shared.arrived.discard(port)
        is_exact, want = self.shared.promised.pop(port)
        if (got != want if is_exact else got > want) or is_exact == aborted:
            self.shared.wrong(f"port {port}: {got} bytes of {want}, {'aborted' if aborted else 'ended'}")

    def keep(self, loop: iip.Loop, event: iip.Event, port: int, offset: int) -> None:
        broken = self.shared.args.broken
        kept = Kept(loop.view(event), port, offset)
        if self.dice.random() < 0.05:  # one buffer, two who look at it
            loop.retain(event.buf)
            self.dice.choice(self.keepers).inbox.put(Kept(loop.view(event), port, offset))
        if broken == "double":
            Keeper.buf_of[kept.view] = event.buf
        elif broken == "lost" and self.dice.random() < 0.001:
            loop.retain(event.buf)
        elif broken == "stale" and self.dice.random() < 0.01:
            kept.address = event.addr
            loop.release(event.buf)
        self.dice.choice(self.keepers).inbox.put(kept)


# ---- the sending end ----


@dataclass
class Outgoing:
    port: int
    goal: int
    aborts: bool
    sent: int = 0


class Sender(Guarded):
    """The client: as many connections as asked for, each sends its stream, ends, and another takes its place."""

    def __init__(self, shared: Shared, engine: iip.Engine) -> None:
        super().__init__(shared, "sender")
        self.engine = engine
        self.conns: dict[int, Outgoing] = {}
        self.ready: list[int] = []
        self.open = 0

    def work(self) -> None:
        with self.engine.loop() as loop:
            while not (self.shared.over() and not self.open):
                if self.shared.mistakes or time.monotonic() > self.shared.until + PATIENCE_S:
                    break
                self.connect(loop)
                offers = self.offer(loop)
                batch = loop.turn(0.0 if self.ready else 0.01)
                self.look_at(loop, offers)
                for event in batch:
                    self.handle(loop, event)
            if self.open and not self.shared.mistakes:
                self.shared.wrong(f"{self.open} connections did not come to their end")
            self.shared.ended.set()
            for _ in loop.end():
                pass

    def connect(self, loop: iip.Loop) -> None:
        for _ in range(min(64, self.shared.args.connections - self.open)):
            if not self.shared.over():
                loop.connect(SERVER)
                self.open += 1

    def offer(self, loop: iip.Loop) -> list[tuple[int, int, int]]:
        """(operation, handle, bytes) of some that may send."""
        self.dice.shuffle(self.ready)
        offers, early = [], []
        while self.ready and loop.op_room > 1 and len(offers) < 128:
            handle = self.ready.pop()
            conn = self.conns.get(handle)
            if conn is None:
                continue
            if self.shared.over():
                conn.goal = min(conn.goal, conn.sent)
            n = min(self.dice.randrange(1, CHUNK_MAX), conn.goal - conn.sent)
            if n:
                offers.append((loop.send(handle, content(conn.port, conn.sent, n)), handle, n))
            elif conn.port in self.shared.arrived:
                self.finish(loop, handle, conn)
            else:
                early.append(handle)  # a RST right behind the SYN would not be seen as a connection at all
        self.ready += early
        return offers

    def finish(self, loop: iip.Loop, handle: int, conn: Outgoing) -> None:
        self.shared.promised[conn.port] = (not conn.aborts, conn.sent)
        if conn.aborts:
            loop.abort(handle)
        else:
            loop.shutdown(handle)

    def look_at(self, loop: iip.Loop, offers: list[tuple[int, int, int]]) -> None:
        for i, handle, n in offers:
            taken, _ = loop.result(i)
            self.conns[handle].sent += taken
            self.shared.sent += taken
            if taken == n:
                self.ready.append(handle)  # else WRITABLE will come

    def handle(self, loop: iip.Loop, event: iip.Event) -> None:
        handle = event.src
        if event.type == EventType.CONNECTED:
            local, _ = loop.ends(event)
            goal = int(2 ** self.dice.uniform(0, 20))
            self.conns[handle] = Outgoing(local[1], goal, self.dice.random() < 0.1)
            self.ready.append(handle)
            self.shared.opened += 1
        elif event.type == EventType.WRITABLE:
            self.ready.append(handle)
        elif event.type == EventType.FIN:
            loop.close(handle)
        elif event.type == EventType.CLOSED:
            if self.conns.pop(handle, None) is None:
                self.shared.wrong(f"a connection failed: {iip.Status(event.status).name}")
            self.open -= 1


# ---- all together ----


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--break", dest="broken", choices=("stale", "lost", "double"))
    return parser.parse_args()


def leaks_of(name: str, engine: iip.Engine, shared: Shared) -> int:
    try:
        left = {kind: n for kind, n in engine.close().items() if n}
    except BufferError as error:
        left = {str(error): 1}
    if left:
        shared.wrong(f"{name}: left behind: {left}")
    return sum(left.values())


def run(shared: Shared) -> tuple[Receiver, list[Keeper], int]:
    server = iip.Engine("pair:soak", "10.0.0.2/24")
    client = iip.Engine("pair:soak", "10.0.0.1/24")
    keepers = [Keeper(shared, f"keeper {i}") for i in range(KEEPERS)]
    for keeper in keepers:
        keeper.others = [other for other in keepers if other is not keeper]
    receiver, sender = Receiver(shared, server, keepers), Sender(shared, client)
    threads: list[Any] = [receiver, *keepers]
    for thread in threads:
        thread.start()
    receiver.ready.wait(PATIENCE_S)
    sender.start()
    for thread in [sender, *threads]:
        thread.join(2 * PATIENCE_S)
    return receiver, keepers, leaks_of("client", client, shared) + leaks_of("server", server, shared)


def verdict(shared: Shared, receiver: Receiver, keepers: list[Keeper]) -> None:
    took, gave = sum(k.took for k in keepers), sum(k.gave for k in keepers)
    if took != gave:
        shared.wrong(f"{took} views were taken and {gave} given back")
    if not receiver.accepted == receiver.closed == shared.opened:
        shared.wrong(f"{shared.opened} opened, {receiver.accepted} accepted, {receiver.closed} closed")
    if receiver.left.get("bufs_held"):
        shared.wrong(f"{receiver.left['bufs_held']} buffers are still held")
    if shared.promised:
        shared.wrong(f"{len(shared.promised)} connections were promised and never ended")


def main() -> int:
    args = parse()
    faulthandler.dump_traceback_later(args.seconds + 4 * PATIENCE_S, exit=True)
    shared = Shared(args, time.monotonic() + args.seconds)
    receiver, keepers, leaks = run(shared)
    verdict(shared, receiver, keepers)
    for mistake in shared.mistakes[:10]:
        print(f"FAILED: {mistake}")
    print(
        f"soak: seconds={args.seconds:g} connections={args.connections} opened={shared.opened} bytes={receiver.bytes} "
        f"kept_max={sum(k.kept_max for k in keepers)} stale={shared.stale} leaks={leaks}",
        flush=True,
    )
    return 1 if shared.mistakes or shared.stale or leaks else 0


if __name__ == "__main__":
    sys.exit(main())

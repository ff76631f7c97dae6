#!/usr/bin/env python3
"""TCP echo server on the native loop: received buffers go back as they are, without a copy."""

import itertools
from collections import Counter, deque

import iip
from iip import EventType

from iip_example import Native, run
from iip_options import Options


class Connection:
    """Buffers that are to go back, in order: (buffer, offset, length)."""

    def __init__(self) -> None:
        self.late: deque[tuple[int, int, int]] = deque()
        self.blocked = False  # WRITABLE will come
        self.ended = False


class Echo:
    """One loop's connections."""

    def __init__(self, loop: iip.Loop, counts: Counter[str]) -> None:
        self.loop, self.counts = loop, counts
        self.conns: dict[int, Connection] = {}
        self.ready: dict[int, None] = {}  # connections that have something to offer
        self.offered: list[tuple[int, Connection]] = []

    def offer(self) -> None:
        """Before a turn: as many buffers as it takes operations."""
        ready, self.ready = self.ready, {}
        for handle in ready:
            conn = self.conns.get(handle)
            if conn is None or conn.blocked:
                continue
            n = min(len(conn.late), max(self.loop.op_room - 1, 0))
            for buf, offset, length in itertools.islice(conn.late, n):
                self.offered.append((self.loop.send_buffer(handle, buf, length, offset), conn))
            if n < len(conn.late):
                self.ready[handle] = None
            elif conn.ended and not conn.late:
                self.loop.close(handle)
            elif conn.ended:
                self.ready[handle] = None

    def account(self, short: int) -> None:
        """After it: what was not taken whole stays, and WRITABLE will come."""
        for i, conn in self.offered:
            if conn.blocked:
                continue
            buf, offset, length = conn.late.popleft()
            taken = self.loop.result(i)[0] if short else length
            if taken < length:
                conn.late.appendleft((buf, offset + taken, length - taken))
                conn.blocked = True
        self.offered.clear()

    def handle(self, event: iip.Event) -> None:
        handle = event.src
        if event.type == EventType.ACCEPT:
            self.counts["accepted"] += 1
            self.conns[handle] = Connection()
        conn = self.conns.get(handle)
        if conn is None:
            return  # the listener's own end
        if event.type == EventType.DATA:
            self.counts["bytes"] += event.len
            conn.late.append((event.buf, 0, event.len))
        elif event.type == EventType.WRITABLE:
            conn.blocked = False
        elif event.type == EventType.FIN:
            conn.ended = True
        elif event.type == EventType.CLOSED:
            self.counts["closed"] += 1
            for buf, _, _ in self.conns.pop(handle).late:
                self.loop.release(buf)
            return
        self.ready[handle] = None


def main() -> int:
    options = Options("iip_echo", "a TCP echo server", listen=7)
    args = options.parse()
    server = Native("iip_echo", args, ("accepted", "closed", "bytes"))

    def worker(loop: iip.Loop, counts: Counter[str]) -> None:
        loop.listen(("", args.listen), backlog=1024)
        server.ready()
        echo = Echo(loop, counts)
        while server.goes_on():
            echo.offer()
            batch = loop.turn(0.0 if echo.ready else None)
            echo.account(batch.op_short)
            for event in batch:
                echo.handle(event)
        for batch in loop.end():
            for event in batch:
                echo.handle(event)

    return server.serve(options.engine(args), worker)


if __name__ == "__main__":
    run("iip_echo", main)

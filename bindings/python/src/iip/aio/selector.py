"""The selector of asyncio's loop, which turns the stack before each wait."""

from __future__ import annotations

import select
import selectors
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sized

    from .port import Port

_BUSY_TURNS = 8  # while the stack has work, the kernel's descriptors are looked at every so many turns
_LINGER_TURNS = 100  # for a thread that had to wait for its processor all the while


class StackSelector(selectors.EpollSelector):
    """What the stack has is told to its transports in `select` itself; what it returns are the kernel's keys."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: Sized = ()  # what the event loop is to run next
        self._ports: list[Port] = []
        self._fds: frozenset[int] = frozenset()
        self._busy = 0

    def add_port(self, port: Port) -> None:
        self._ports.append(port)
        self._fds |= {port.stack.fileno()}
        self.register(port.stack.fileno(), selectors.EVENT_READ)

    def remove_port(self, port: Port) -> None:
        self._ports.remove(port)
        self._fds -= {port.stack.fileno()}
        self.unregister(port.stack.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        may_wait = timeout is None or timeout > 0
        if self._turn(may_wait):
            timeout = 0
            self._busy += 1
            if self._busy < _BUSY_TURNS:
                return []
        self._busy = 0
        ready = super().select(0 if self.ready else timeout)  # a turn without events may have resumed a writer
        if self._fds.isdisjoint(key.fd for key, _ in ready):
            return ready
        self._turn(False)
        return [(key, mask) for key, mask in ready if key.fd not in self._fds]

    def _turn(self, may_wait: bool) -> bool:
        """Sends, receives, and parks the ports if it may be waited; True when there is something to do at once."""
        ports = self._ports
        while not may_wait or len(ports) > 1:
            sent = [port for port in ports if port.mux.wanting]
            if any([port.turn() for port in sorted(ports, key=lambda port: port not in sent)]):
                return True
            if not sent:  # else another of the ports may have got it
                break
        return may_wait and not all([port.park() for port in ports])

    def linger(self, seconds: float) -> None:
        """Turns the ports alone until what was written and closed is gone, `seconds` at most or some turns."""
        for port in self._ports:
            port.mux.stop_listening()  # nobody would run what is accepted
        until, turns, poll = time.monotonic() + seconds, 0, select.poll()
        for fd in self._fds:
            poll.register(fd, select.POLLIN)
        while any(port.mux.closing or port.mux.wanting for port in self._ports):
            left, turns = until - time.monotonic(), turns + 1
            if left <= 0 and turns > _LINGER_TURNS:
                return
            if not self._turn(True):
                poll.poll(max(0.0, 1000 * left))

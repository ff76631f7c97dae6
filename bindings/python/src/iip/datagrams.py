"""UDP endpoints of a mux."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from . import addr
from .constants import EventFlag, EventType
from .errors import Error, error_of
from .mux import NO_ROOM, OPS_OF_ONE, Mux

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .addr import Address
    from .events import Event
    from .mux import Sent

_OPS_OF_ENDPOINT = 256  # datagrams that one endpoint puts into a turn at most


class Datagrams:
    """A UDP endpoint. Subclasses override the on_ methods. What a turn has no room for waits for the next one."""

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0
        self.queued = 0  # bytes
        self.close_asked = False
        self._queue: deque[tuple[bytes, Address | None]] = deque()
        self._kept: list[tuple[bytes, Address | None]] = []
        self._pieces: list[bytes] = []

    # ---- what happened ----

    def on_datagram(self, data: bytes, peer: Address) -> None: ...

    def on_error(self, error: Error) -> None: ...

    def on_taken(self) -> None:
        """The queue became shorter."""

    def on_closed(self, status: int) -> None: ...

    # ---- what to do ----

    def send_to(self, data: Buffer, peer: Address | None) -> None:
        """One datagram, in the next turn; of a mutable object a copy is made. ValueError, OverflowError: what peer?"""
        if peer is not None:
            addr.pack(peer)
        kept = data if type(data) is bytes else bytes(memoryview(data))
        self._queue.append((kept, peer))
        self.queued += len(kept)
        self.mux.want(self)

    def close(self) -> None:
        """Once everything queued was sent; at once if nothing is."""
        self.close_asked = True
        if self.handle and not self._queue:
            self._end()

    def abort(self) -> None:
        """At once; what is queued is lost."""
        self._queue.clear()
        self._kept.clear()
        self.queued = 0
        Datagrams.close(self)

    def _end(self) -> None:
        self.mux.loop.close_now(self.handle)
        self.mux.forget(self.handle)
        self.handle = 0

    # ---- the queue ----

    def push(self, sent: list[Sent]) -> None:
        loop = self.mux.loop
        if not self.handle:
            return
        room = min(_OPS_OF_ENDPOINT, loop.op_room - OPS_OF_ONE)
        for (data, peer), _ in zip(self._queue, range(room), strict=False):
            sent.append((loop.send_to(self.handle, data, peer), self, len(data)))

    def taken(self, n: int, size: int, status: int) -> None:
        if not self._queue:  # it was given up meanwhile
            return
        datagram = self._queue.popleft()
        if status in NO_ROOM:
            self._kept.append(datagram)
            return
        self.queued -= size
        if status < 0:
            self.on_error(error_of(status))

    def pushed(self) -> None:
        self._queue.extendleft(reversed(self._kept))
        self._kept.clear()
        if self._queue:
            self.mux.want(self)
        self.on_taken()
        if self.close_asked and self.handle and not self._queue:
            self._end()

    def handle_event(self, event: Event) -> None:
        if event.type == EventType.UDP:
            with self.mux.loop.view(event) as view:
                self._pieces.append(view.tobytes())
            if not event.flags & EventFlag.MORE:
                data = b"".join(self._pieces)
                self._pieces.clear()
                self.on_datagram(data, self.mux.loop.ends(event)[1])
        elif event.type == EventType.UDP_ERROR:
            self.on_error(error_of(event.status))
        elif event.type == EventType.CLOSED:
            self.mux.forget(self.handle)
            self.handle = 0
            self.on_closed(event.status)

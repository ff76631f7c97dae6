"""
What the blocking sockets and the asyncio loop have in common: objects that events are dispatched to, and send queues.

One crossing a turn: `turn` writes what is queued as operations, turns the loop, and `dispatch` tells each object what
happened to it. Objects are found by the handle that an event names.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from .constants import EventFlag, EventType, OpCode, Status
from .errors import Error, error_of

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .addr import Address
    from .events import Batch, Event
    from .loop import Loop

_NOT_NOW = (Status.OK, Status.E_AGAIN, Status.E_NOBUFS, Status.E_NOMEM)  # WRITABLE follows when there is room again
_OPS_OF_ONE = 16  # operations that one stream puts into a turn at most, so that others get a turn as well


class Source(Protocol):
    """Anything that events name."""

    def handle_event(self, event: Event) -> None: ...


class Stream:
    """A TCP connection with a send queue. Subclasses override the on_ methods; they run in `dispatch`."""

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0
        self.queued = 0  # bytes
        self._queue: deque[memoryview] = deque()
        self._blocked = False  # a send was not taken whole: WRITABLE follows
        self._shut = 0  # operation that follows the queue: SHUTDOWN or CLOSE

    # ---- what happened ----

    def on_connected(self, local: Address, peer: Address) -> None: ...

    def on_data(self, event: Event) -> None:
        """Takes over the event's buffer."""
        self.mux.loop.release(event.buf)

    def on_fin(self) -> None: ...

    def on_taken(self) -> None:
        """The queue became shorter."""

    def on_closed(self, status: int) -> None: ...

    # ---- what to do ----

    def write(self, data: Buffer) -> None:
        """Queues bytes. Of a mutable object a copy is made, so that it may change at once."""
        view = memoryview(data if isinstance(data, bytes) else bytes(data)).cast("B")
        if view and not self._shut:
            self._queue.append(view)
            self.queued += len(view)
            self.mux.want(self)

    def finish(self, code: OpCode) -> None:
        """SHUTDOWN or CLOSE once everything queued was taken."""
        if self._shut != OpCode.CLOSE:
            self._shut = code
            self.mux.want(self)

    def abort(self) -> None:
        self._queue.clear()
        self.queued = 0
        if self.handle:
            self.mux.loop.abort(self.handle)

    # ---- the queue ----

    @property
    def close_asked(self) -> bool:
        return self._shut == OpCode.CLOSE

    @property
    def has_more(self) -> bool:
        """Something to offer in the next turn."""
        return not self._blocked and bool(self._queue or self._shut)

    def push(self, sent: list[tuple[int, Stream, int]]) -> None:
        """Offers what is queued; `sent` remembers operation, stream and size."""
        if not self.handle or self._blocked:
            return
        for _, view in zip(range(_OPS_OF_ONE), self._queue, strict=False):
            sent.append((self.mux.loop.send(self.handle, view), self, len(view)))
        if not self._queue and self._shut:
            self.mux.loop.op(self._shut, self.handle)
            if self._shut == OpCode.SHUTDOWN:
                self._shut = OpCode.NOP

    def taken(self, n: int, size: int, status: int) -> None:
        """Of the oldest offer of `size` bytes, n were taken."""
        if not self._queue:
            return
        if n < size and status not in _NOT_NOW:
            self._queue.clear()  # the connection is over: its CLOSED says why
            self.queued = 0
            return
        self.queued -= n
        if n == size:
            self._queue.popleft()
        else:
            self._queue[0] = self._queue[0][n:]
            self._blocked = True

    def handle_event(self, event: Event) -> None:
        kind = event.type
        if kind == EventType.DATA:
            self.on_data(event)
        elif kind == EventType.WRITABLE:
            self._blocked = False
            self.mux.want(self)
        elif kind == EventType.FIN:
            self.on_fin()
        elif kind == EventType.CONNECTED:
            self.on_connected(*self.mux.loop.ends(event))
            self.mux.want(self)
        elif kind == EventType.CLOSED:
            self.mux.forget(self.handle)
            self.handle = 0
            self.on_closed(event.status)


class Listener:
    """Makes a Stream of each connection that is accepted."""

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0

    def on_accept(self, local: Address, peer: Address) -> Stream | None:
        """The new connection's stream; None: reset it."""
        return None

    def handle_event(self, event: Event) -> None:
        """The event's source is the new connection; its `value` is this listener."""
        local, peer = self.mux.loop.ends(event)
        stream = self.on_accept(local, peer)
        if stream is None:
            self.mux.loop.abort(event.src)
            return
        self.mux.adopt(stream, event.src)
        stream.on_connected(local, peer)

    def close(self) -> None:
        if self.handle:
            self.mux.loop.close(self.handle)
            self.mux.forget(self.handle)
            self.handle = 0


class Datagrams:
    """A UDP endpoint."""

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0
        self._pieces: list[bytes] = []

    def on_datagram(self, data: bytes, peer: Address) -> None: ...

    def on_error(self, error: Error) -> None: ...

    def on_closed(self, status: int) -> None: ...

    def send_to(self, data: Buffer, peer: Address | None) -> None:
        self.mux.sent_datagrams.append((self.mux.loop.send_to(self.handle, bytes(data), peer), self))

    def close(self) -> None:
        if self.handle:
            self.mux.loop.close(self.handle)

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


class Mux:
    """The objects of one loop."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.sent_datagrams: list[tuple[int, Datagrams]] = []
        self._sources: dict[int, Source] = {}
        self._wanting: dict[Stream, None] = {}  # in the order in which they asked

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def closing(self) -> bool:
        """A connection was told to close and is not closed yet."""
        return any(isinstance(source, Stream) and source.close_asked for source in self._sources.values())

    def connect(self, stream: Stream, peer: Address, local: Address | None = None) -> None:
        self.adopt(stream, self.loop.connect(peer, local))

    def listen(self, listener: Listener, local: Address, backlog: int = 0) -> None:
        listener.handle = self.loop.listen(local, backlog)
        self._sources[listener.handle] = listener

    def open_udp(self, datagrams: Datagrams, local: Address, peer: Address | None = None) -> None:
        datagrams.handle = self.loop.udp(local, peer)
        self._sources[datagrams.handle] = datagrams

    def adopt(self, stream: Stream, handle: int) -> None:
        stream.handle = handle
        self._sources[handle] = stream

    def forget(self, handle: int) -> None:
        self._sources.pop(handle, None)

    def want(self, stream: Stream) -> None:
        """The stream has something to send: its `push` is asked before the next turn."""
        self._wanting[stream] = None

    @property
    def wanting(self) -> bool:
        return bool(self._wanting)

    def turn(self, timeout: float | None = 0.0, flags: int = 0) -> Batch:
        """Offers what is queued and turns the loop; the batch is for `dispatch`, before the next turn."""
        sent: list[tuple[int, Stream, int]] = []
        wanting, self._wanting = self._wanting, {}
        room = self.loop.op_room
        for stream in wanting:
            if len(sent) + _OPS_OF_ONE + 1 > room:
                self._wanting[stream] = None  # the next turn's
            else:
                stream.push(sent)
        batch = self.loop.turn(0.0 if self._wanting else timeout, flags)
        self._account(sent, batch.op_short)
        return batch

    def _account(self, sent: list[tuple[int, Stream, int]], short: int) -> None:
        for i, stream, size in sent:
            n, status = self.loop.result(i) if short else (size, Status.OK)
            stream.taken(n, size, status)
        for stream in dict.fromkeys(stream for _, stream, _ in sent):
            if stream.has_more:
                self.want(stream)
            stream.on_taken()
        datagrams, self.sent_datagrams = self.sent_datagrams, []
        for i, endpoint in datagrams:
            status = self.loop.result(i)[1]
            if status < 0 and short:
                endpoint.on_error(error_of(status))

    def dispatch(self, batch: Batch) -> None:
        """Tells each object what happened to it."""
        sources = self._sources
        for event in batch:
            key = event.value if event.type == EventType.ACCEPT else event.src
            source = sources.get(key)
            if source is not None:
                source.handle_event(event)
            elif event.type == EventType.ACCEPT:
                self.loop.abort(event.src)  # its listener was closed meanwhile
            elif event.buf:
                self.loop.release(event.buf)

"""
What the blocking sockets and the asyncio loop have in common: objects that events are dispatched to, and send queues.

One crossing a turn: `turn` writes what is queued as operations, turns the loop, and `dispatch` tells each object what
happened to it. Objects are found by the handle that an event names.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from operator import length_hint
from typing import TYPE_CHECKING, Protocol

from .constants import EventType, OpCode, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

    from .addr import Address
    from .datagrams import Datagrams
    from .events import Batch, Event
    from .loop import Loop

NO_ROOM = (Status.E_AGAIN, Status.E_NOBUFS, Status.E_NOMEM)
_NOT_NOW = (Status.OK, *NO_ROOM)  # WRITABLE follows when there is room again
OPS_OF_ONE = 16  # operations that one stream puts into a turn at most, so that others get a turn as well
LANE_MAX = 2048  # bytes of the longest piece for the lane


Sent = tuple[int, "Sender", int]  # operation, whose, bytes
Lane = tuple[range, list[int], list[bytes]]  # operations, handles, pieces


class Source(Protocol):
    """Anything that events name."""

    @property
    def close_asked(self) -> bool: ...

    def handle_event(self, event: Event) -> None: ...


class Sender(Protocol):
    """Anything with something to send."""

    def push(self, sent: list[Sent]) -> None: ...

    def taken(self, n: int, size: int, status: int) -> None: ...

    def pushed(self) -> None: ...


class Stream:
    """
    A TCP connection with a send queue. Subclasses override the on_ methods; they run in `dispatch`.

    While nothing is queued, a small piece takes the mux's lane: it is sent with those of other streams at a fraction of
    the price. Whatever comes behind one that is still there, or is longer, makes both go through the queue.
    """

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0
        self.queued = 0  # bytes
        self._queue: deque[bytes | memoryview] = deque()
        self._blocked = False  # a send was not taken whole: WRITABLE follows
        self._shut = 0  # operation that follows the queue: SHUTDOWN, CLOSE or ABORT
        self._lane = -1  # the longest piece that may take the lane; -1: none
        self._lane_max = LANE_MAX

    # ---- what happened ----

    def on_connected(self, local: Address, peer: Address) -> None: ...

    def on_data(self, event: Event) -> None:
        """Takes over the event's buffer."""
        self.mux.loop.release(event.buf)

    def on_fin(self) -> None: ...

    def on_taken(self) -> None:
        """The queue became shorter."""

    def on_closed(self, status: int) -> None: ...

    def on_failure(self, error: BaseException) -> None:
        """What took the bytes of this stream (`Mux.takers`) raised."""
        raise error

    # ---- what to do ----

    def write(self, data: Buffer) -> None:
        """Sends bytes. Of a mutable object a copy is made, so that it may change at once."""
        kept = data if type(data) is bytes else bytes(memoryview(data))  # bytes(5) are five zeros
        if 0 < len(kept) <= self._lane and self.handle not in self.mux.lane:
            self.mux.lane[self.handle] = kept
        elif kept and not self._shut:
            self._leave_lane()
            self._queue.append(kept)
            self.queued += len(kept)

    def _leave_lane(self) -> None:
        """What comes now stands behind what is there."""
        self._lane = -1
        piece = self.mux.lane.pop(self.handle, None)
        if piece is not None:
            self._queue.append(piece)
            self.queued += len(piece)
        self.mux.want(self)

    def finish(self, code: OpCode) -> None:
        """SHUTDOWN or CLOSE once everything queued was taken."""
        if self._shut not in (OpCode.CLOSE, OpCode.ABORT):
            self._leave_lane()
            self._shut = code

    def abort(self) -> None:
        self._leave_lane()
        self._queue.clear()
        self.queued = 0
        self._shut, self._blocked = OpCode.ABORT, False

    # ---- the queue ----

    @property
    def close_asked(self) -> bool:
        return self._shut == OpCode.CLOSE

    @property
    def has_more(self) -> bool:
        """Something to offer in the next turn."""
        return not self._blocked and bool(self._queue or self._shut)

    def push(self, sent: list[Sent]) -> None:
        """Offers what is queued; `sent` remembers operation, stream and size."""
        if not self.handle or self._blocked:
            return
        for _, piece in zip(range(OPS_OF_ONE), self._queue, strict=False):
            sent.append((self.mux.loop.send(self.handle, piece), self, len(piece)))
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
            self._queue[0] = memoryview(self._queue[0])[n:]
            self._blocked = True

    def pushed(self) -> None:
        """After the turn, when each of its offers was told to `taken`."""
        if self.has_more:
            self.mux.want(self)
        elif self.handle and not self._blocked:
            self._lane = self._lane_max
        self.on_taken()

    def left_over(self, piece: bytes) -> None:
        """The piece in the lane was not taken whole: `taken` follows."""
        self._lane = -1
        self._queue.append(piece)
        self.queued += len(piece)

    def connected(self, local: Address, peer: Address) -> None:
        self._lane = self._lane_max
        self.on_connected(local, peer)

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
            self.connected(*self.mux.loop.ends(event))
            self.mux.want(self)
        elif kind == EventType.CLOSED:
            self.mux.forget(self.handle)
            self.handle, self._lane = 0, -1
            self.on_closed(event.status)


class Listener:
    """Makes a Stream of each connection that is accepted."""

    close_asked = False  # it closes at once

    def __init__(self, mux: Mux) -> None:
        self.mux = mux
        self.handle = 0

    def on_accept(self, local: Address, peer: Address) -> Stream | None:
        """The new connection's stream; None: reset it."""
        return None

    def handle_event(self, event: Event) -> None:
        """The event's source is the new connection; its `value` is this listener."""
        local, peer = self.mux.loop.ends(event)
        stream = None
        try:
            stream = self.on_accept(local, peer)
        finally:
            if stream is None:
                self.mux.loop.abort(event.src)
        if stream is None:
            return
        self.mux.adopt(stream, event.src)
        stream.connected(local, peer)

    def close(self) -> None:
        if self.handle:
            self.mux.loop.close_now(self.handle)
            self.mux.forget(self.handle)
            self.handle = 0


class Mux:
    """The objects of one loop."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.takers: dict[int, Callable[[bytes], object]] = {}  # handles whose bytes go straight there, as a copy
        self._sources: dict[int, Source] = {}
        self._wanting: dict[Sender, None] = {}  # in the order in which they asked
        self.lane: dict[int, bytes] = {}  # the pieces of streams that have one for the next turn and nothing else
        self._dispatching: tuple[Batch, Iterator[tuple[int, bytes | None]]] | None = None

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def closing(self) -> bool:
        """Something was told to close and has something to send yet."""
        return any(source.close_asked for source in self._sources.values())

    def connect(self, stream: Stream, peer: Address, local: Address | None = None) -> None:
        self.adopt(stream, self.loop.connect(peer, local))

    def listen(self, listener: Listener, local: Address, backlog: int = 0) -> None:
        listener.handle = self.loop.listen(local, backlog)
        self._sources[listener.handle] = listener

    def stop_listening(self) -> None:
        for source in list(self._sources.values()):
            if isinstance(source, Listener):
                source.close()

    def open_udp(self, datagrams: Datagrams, local: Address, peer: Address | None = None) -> None:
        datagrams.handle = self.loop.udp(local, peer)
        self._sources[datagrams.handle] = datagrams

    def adopt(self, stream: Stream, handle: int) -> None:
        stream.handle = handle
        self._sources[handle] = stream

    def forget(self, handle: int) -> None:
        self._sources.pop(handle, None)
        self.lane.pop(handle, None)
        self.takers.pop(handle, None)

    def want(self, sender: Sender) -> None:
        """It has something to send: its `push` is asked before the next turn."""
        self._wanting[sender] = None

    @property
    def wanting(self) -> bool:
        return bool(self.lane or self._wanting)

    def abandon(self) -> None:
        """Aborts and closes everything, and tells nobody."""
        sources, self._sources = self._sources, {}
        for of_each in (self.lane, self._wanting, self.takers):
            of_each.clear()
        if self._dispatching is not None:
            self._go_on()
        for handle, source in sources.items():
            if not self.loop.op_room:
                self.dispatch(self.loop.turn())
            self.loop.op(OpCode.ABORT if isinstance(source, Stream) else OpCode.CLOSE, handle)
        while (batch := self.loop.turn()).n or batch.op_short:
            self.dispatch(batch)

    # ---- a turn ----

    def turn(self, timeout: float | None = 0.0, flags: int = 0) -> Batch:
        """Offers what is queued and turns the loop; the batch is for `dispatch`, before the next turn."""
        if self._dispatching is not None:
            self._go_on()
        lane = self._offer_lane() if self.lane else None
        sent = self._offer() if self._wanting else []
        batch = self.loop.turn(0.0 if self.wanting else timeout, flags)
        if lane and batch.op_short:
            sent += self._left_over(lane)
        if sent:
            self._account(sent, batch.op_short)
        return batch

    def _offer_lane(self) -> Lane:
        room = max(0, self.loop.op_room - OPS_OF_ONE - 1)  # that of one from the queue is kept
        lane = self.lane if len(self.lane) <= room else dict(islice(self.lane.items(), room))
        handles, pieces = list(lane), list(lane.values())
        if lane is self.lane:
            lane.clear()
        else:
            for handle in handles:
                del self.lane[handle]
        return self.loop.send_each(handles, pieces), handles, pieces

    def _left_over(self, lane: Lane) -> Iterator[Sent]:
        """Pieces that were not taken whole, as if they had been queued."""
        for i, handle, piece in zip(*lane, strict=True):
            stream = self._sources.get(handle)
            if isinstance(stream, Stream) and self.loop.result(i)[0] < len(piece):
                stream.left_over(piece)
                yield i, stream, len(piece)

    def _offer(self) -> list[Sent]:
        """What is queued becomes operations."""
        wanting, self._wanting = self._wanting, {}
        sent: list[Sent] = []
        for sender in wanting:
            if self.loop.op_room > OPS_OF_ONE:
                sender.push(sent)
            else:
                self._wanting[sender] = None  # the next turn's
        return sent

    def _account(self, sent: list[Sent], short: int) -> None:
        for i, sender, size in sent:
            n, status = self.loop.result(i) if short else (size, Status.OK)
            sender.taken(n, size, status)
        for sender in dict.fromkeys(sender for _, sender, _ in sent):
            sender.pushed()

    def dispatch(self, batch: Batch) -> None:
        """Tells each object what happened to it. Where Ctrl-C ends it midway, the next turn does the rest."""
        self._dispatching = batch, iter(self.loop.take_all(batch.n, self.takers))
        self._go_on()

    def _go_on(self) -> None:
        assert self._dispatching is not None
        batch, arrived = self._dispatching
        takers = self.takers
        for key, data in arrived:
            if data is None:
                self._tell(batch[key])
                continue
            receive = takers.get(key)
            if receive is None:  # since an event before it takes no more: the bytes are still where they were
                event = batch[batch.n - 1 - length_hint(arrived)]
                self.loop.retain(event.buf)
                self._tell(event)
                continue
            try:
                receive(data)
            except BaseException as error:
                stream = self._sources[key]
                assert isinstance(stream, Stream), "takers are streams"
                stream.on_failure(error)
        self._dispatching = None

    def _tell(self, event: Event) -> None:
        accept = event.type == EventType.ACCEPT
        source = self._sources.get(event.value if accept else event.src)
        if source is not None:
            source.handle_event(event)
        elif accept:
            self.loop.abort(event.src)  # its listener was closed meanwhile
        elif event.buf:
            self.loop.release(event.buf)

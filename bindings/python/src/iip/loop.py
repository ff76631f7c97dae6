"""A loop: one queue of the port, one stack, one owner thread. Everything is done by turning it."""

from __future__ import annotations

import struct
import time
from array import array
from itertools import accumulate
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn

from . import _layout, addr
from ._ffi import ffi, lib
from ._view import RawView, take_all
from .constants import OpCode, Option, State, Status, TurnFlag
from .errors import check, error_of
from .events import EVENT, Batch, Columns, Event
from .view import View

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from .engine import Engine
    from .region import Region

OP = _layout.format_of("iip_op")
_OP_AT = {name: field.offset for name, field in _layout.fields_of("iip_op")}
_OP_OUT = _OP_AT["out"]
_RESULT = struct.Struct("=QiI")  # op.out, op.status, op.reserved
_SPAN = _layout.format_of("iip_span")
_WAIT_SLICE_US = 100_000  # a signal handler of Python runs at least this often while a turn waits
_FOREVER_US = 2**62
_END_S, _END_TURNS = 1.0, 100  # since the last event of an end, both of them: the port may be stuck
_SEND_BUF, _SEND_COPY = int(OpCode.SEND_BUF), int(OpCode.SEND_COPY)  # an enum's member costs more to pack
_WORD = struct.Struct("=Q")
_SCRATCH = 1 << 16  # bytes that `send` copies by itself in a turn
_SMALL = 2048  # the longest of them


class Loop:
    """
    Made by Engine.loop. The thread that enters the with block owns it: the others may post, wake and release.

        with engine.loop(0) as loop:
            loop.listen(("", 7))
            while True:
                for event in loop.turn(None):
                    if event.type == EventType.DATA:
                        with loop.view(event) as data:
                            loop.send(event.src, data)

    What the methods below ask for happens in the next turn; a turn is the only call into the library. Called by another
    thread than the owner they are a WrongThreadError.
    """

    def __init__(self, engine: Engine, c: Any, index: int) -> None:
        self.engine = engine
        self.index = index
        self.c = c
        self._owner = 0
        self._keep: list[Any] = []  # what the operations of the next turn point at
        self._op_n = self._release_n = self._tx_taken = self._op_aux_n = self._scratch_n = self._event_n = 0
        self._ready = self._woken = False
        self._lent: dict[int, memoryview] = {}  # of `buffer`, until they are sent or released

    # ---- ownership ----

    def attach(self) -> None:
        """The calling thread becomes the owner. BUSY while another is."""
        check(lib.iip_loop_attach(self.c))
        self._owner = get_ident()
        if not self._ready:
            self._map()

    def detach(self) -> None:
        check(lib.iip_loop_detach(self.c))
        self._owner = 0

    def detach_if_owner(self) -> None:
        if self._owner not in (0, get_ident()):
            return  # what waits for the owner's next turn is the owner's
        if self._ready and self._release_n:  # no turn will take them any more
            lib.iip_buf_release_n(self._area.releases, self._release_n)
            self._release_n = 0
        if self._owner == get_ident():
            self.detach()

    def take_back(self) -> None:
        """Before the engine is closed: the bytes of all that `buffer` gave."""
        if self._owner in (0, get_ident()):
            for buf in list(self._lent):
                self._take_back(buf)

    def check_owner(self) -> None:
        """WrongThreadError for another thread than the owner, Error (IIP_E_CLOSED) where the engine is closed."""
        if get_ident() != self._owner:
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise error_of(Status.E_CLOSED if self.engine.closed else Status.E_WRONG_THREAD)

    def _map(self) -> None:
        """The loop's area as memory that Python reads and writes in place."""
        area = self._area = ffi.new("struct iip_area *", {"size": ffi.sizeof("struct iip_area")})
        check(lib.iip_loop_area(self.c, area))
        self._turn = area.turn
        self._arrived = ffi.new("struct iip_event[]", area.event_cap)  # ours: it outlives the engine's, as batches may
        self._events = self._bytes(self._arrived, "iip_event", area.event_cap).toreadonly()
        self._ops = self._bytes(area.ops, "iip_op", area.op_cap)
        self._spans = self._bytes(area.tx_free, "iip_span", area.tx_free_cap)
        self._aux = memoryview(ffi.buffer(area.aux, area.aux_bytes)).toreadonly()
        self._op_aux = memoryview(ffi.buffer(ffi.cast("char *", area.op_aux), area.op_aux_bytes))
        self._releases = memoryview(ffi.buffer(area.releases, 8 * area.release_cap)).cast("B").cast("Q")
        self._event_address = int(ffi.cast("uintptr_t", area.events))
        self._release_address = int(ffi.cast("uintptr_t", area.releases))
        self._op_cap, self._release_cap = int(area.op_cap), int(area.release_cap)
        halves = self._ops.cast("I")
        words = self._ops.cast("Q")
        self._op_columns = {name: words[_OP_AT[name] // 8 :: 8] for name in ("obj", "buf", "arg")}
        self._op_columns["len"] = halves[_OP_AT["len"] // 4 :: 16]
        self._templates: dict[tuple[int, int, int], bytes] = {}
        scratch = self._scratch_c = ffi.new("char[]", _SCRATCH)
        self._scratch = memoryview(ffi.buffer(scratch)).cast("B")
        self._scratch_address = int(ffi.cast("uintptr_t", scratch))
        self._tx_n = int(self._turn.tx_free_n)
        self._ready = True

    @staticmethod
    def _bytes(c: Any, name: str, n: int) -> memoryview:
        return memoryview(ffi.buffer(c, n * ffi.sizeof(f"struct {name}"))).cast("B")

    def __enter__(self) -> Self:
        self.attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach_if_owner()

    # ---- the turn ----

    def turn(self, timeout: float | None = 0.0, flags: int = 0, event_max: int = 0) -> Batch:
        """
        One turn: does what was asked for, sends, waits up to `timeout` seconds for something to happen (None: for
        ever), receives, and hands up events. The GIL is released meanwhile, and Ctrl-C ends the wait.
        """
        if timeout == 0:
            return self._turn_once(flags, 0, event_max)
        until = time.monotonic() + timeout if timeout is not None else None
        while True:
            left = _FOREVER_US if until is None else max(0, int((until - time.monotonic()) * 1e6))
            batch = self._turn_once(flags | TurnFlag.WAIT, min(left, _WAIT_SLICE_US), event_max)
            if batch.n or left <= _WAIT_SLICE_US or batch.op_short or batch.state or self._woken:
                self._woken = False
                return batch

    def network(self, stop: threading.Event) -> None:
        """
        Does the networking of a loop of an engine opened with cores=Cores.SPLIT or MERGE, on the calling thread, until
        `stop` is set (`wake` makes it look at once): it receives, runs protocols and timers and sends, also while the
        loop's owner is busy. The GIL is released meanwhile. EOPNOTSUPP: the engine is unified; EBUSY: another thread
        does it already.
        """
        check(lib.iip_loop_net(self.c, _WAIT_SLICE_US))
        try:
            while not stop.is_set():
                check(lib.iip_loop_net(self.c, _WAIT_SLICE_US))
        finally:
            lib.iip_loop_detach(self.c)

    def end(self) -> Iterator[Batch]:
        """
        Aborts every connection and closes all else; the batches of the turns that tell so, to the last CLOSED. Packets
        that the port does not take within a second of it, and a hundred turns, are given up.
        """
        check(lib.iip_loop_close(self.c))
        last, idle, wait = time.monotonic(), 0, 0.0
        while idle < _END_TURNS or time.monotonic() < last + _END_S:
            batch = self.turn(wait)
            idle += 1
            if batch:
                last, idle = time.monotonic(), 0
            yield batch
            if batch.state & State.CLOSED:
                return
            wait = 0.001

    def _turn_once(self, flags: int, wait_us: int, event_max: int) -> Batch:
        self.check_owner()
        turn = self._turn
        turn.flags, turn.wait_us, turn.event_max = flags, wait_us, event_max
        turn.op_n, turn.release_n, turn.tx_taken = self._op_n, self._release_n, self._tx_taken
        n = lib.iip_loop_turn(self.c, turn)
        if n < 0:
            raise error_of(n)
        self._op_n = self._release_n = self._tx_taken = self._op_aux_n = self._scratch_n = 0
        self._keep.clear()
        self._tx_n = turn.tx_free_n
        self._event_n = n
        if n:
            ffi.memmove(self._arrived, self._area.events, n * EVENT.size)
        return Batch(self._events, n, turn)

    # ---- operations of the next turn ----

    def op(
        self,
        code: int,
        obj: int = 0,
        *,
        user: int = 0,
        buf: int = 0,
        arg: int = 0,
        length: int = 0,
        flags: int = 0,
        offset: int = 0,
        aux: int = 0,
    ) -> int:
        """Any operation, by the fields of struct iip_op; its index, for `result` after the turn."""
        i = self._op_n
        if get_ident() != self._owner:
            self._refuse()
        if i == self._op_cap:
            raise error_of(
                Status.E_AGAIN, f"{i} operations wait for the next turn: turn first, or open with a larger op_cap"
            )
        OP.pack_into(self._ops, i * 64, code, flags, length, obj, user, buf, arg, offset, aux, 0, 0, 0)
        self._op_n = i + 1
        return i

    @property
    def op_room(self) -> int:
        """Operations that the next turn still takes."""
        return self._op_cap - self._op_n

    def result(self, i: int) -> tuple[int, int]:
        """(out, status) of operation i of the last turn, until another is asked for."""
        self.check_owner()
        if not 0 <= i < self._op_cap:
            raise IndexError(f"operation {i} of {self._op_cap}")
        out, status, _ = _RESULT.unpack_from(self._ops, i * 64 + _OP_OUT)
        return out, status

    def _addrs(self, local: addr.Address | None, peer: addr.Address | None) -> int:
        """Both ends in op_aux; the offset."""
        self.check_owner()
        at = 64 * (self._op_aux_n + 1)
        if at + 64 > len(self._op_aux):
            raise error_of(Status.E_AGAIN, "too many addresses in one turn: turn first")
        self._op_aux[at : at + 64] = addr.pack(local) + addr.pack(peer)
        self._op_aux_n += 1
        return at

    def listen(self, local: addr.Address, backlog: int = 0, user: int = 0) -> int:
        """Listens, on this loop only, at once; the handle."""
        return self._now(OpCode.LISTEN, user=user, length=backlog, aux=self._addrs(local, None))

    def connect(self, peer: addr.Address, local: addr.Address | None = None, user: int = 0) -> int:
        """Begins to connect; the handle. CONNECTED or CLOSED follows."""
        return self._now(OpCode.CONNECT, user=user, aux=self._addrs(local, peer))

    def udp(self, local: addr.Address, peer: addr.Address | None = None, user: int = 0) -> int:
        """Opens a UDP endpoint; the handle."""
        return self._now(OpCode.UDP_OPEN, user=user, aux=self._addrs(local, peer))

    def timer(self, seconds: float, user: int = 0) -> int:
        """A timer; the handle. TIMER follows."""
        return self._now(OpCode.TIMER, user=user, arg=max(0, round(seconds * 1e6)))

    def _now(self, code: int, **fields: int) -> int:
        """An operation whose new handle is wanted at once: a call of its own, for it is rare."""
        i = self.op(code, **fields)
        self._op_n = i
        if "aux" in fields:
            self._op_aux_n -= 1
        check(lib.iip_loop_op(self.c, self._area.ops + i))
        return self.result(i)[0]

    def send(self, conn: int, data: Buffer, flags: int = 0) -> int:
        """
        Sends a copy of `data`, made in the turn: until then it must not change. The operation's index: `result` says
        how many bytes were taken, which may be fewer; WRITABLE follows then, and the rest is to be offered again.
        """
        address, length = self._address_of(data)
        return self.op(_SEND_COPY, conn, arg=address, length=length, flags=flags)

    def _address_of(self, data: Buffer) -> tuple[int, int]:
        """Where bytes lie until the next turn, and how many; few ones are copied, which costs less than to pin them."""
        if get_ident() != self._owner:
            self._refuse()
        if type(data) is bytes and len(data) <= _SMALL:
            at, length = self._scratch_n, len(data)
            if at + length <= _SCRATCH:
                self._scratch_n = at + length
                self._scratch[at : at + length] = data
                return self._scratch_address + at, length
        pointer = ffi.from_buffer(data)
        self._keep.append(pointer)
        return int(ffi.cast("uintptr_t", pointer)), len(pointer)

    def buffer(self) -> tuple[int, memoryview]:
        """
        An empty buffer of the stack to write into, and its handle: it is sent by `send_buffer` without a copy, or given
        back by `release`, and the memoryview is released with it. What was made of that (slices, arrays) keeps the
        engine from being closed.
        """
        self.check_owner()
        if self._tx_taken < self._tx_n:
            buf, address, room, *_ = _SPAN.unpack_from(self._spans, self._tx_taken * _SPAN.size)
            self._tx_taken += 1
        else:
            span = ffi.new("struct iip_span *")
            check(lib.iip_buf_alloc(self.c, span))
            buf, address, room = span.buf, span.addr, span.len
        self._lent[buf] = memory = memoryview(RawView(self.engine.home, address, room, 0, True))
        return buf, memory

    def _take_back(self, buf: int) -> None:
        """The bytes of a buffer are ours no more."""
        memory = self._lent.get(buf)
        if memory is not None:
            memory.release()
            del self._lent[buf]

    def send_buffer(self, conn: int, buf: int, length: int, offset: int = 0, flags: int = 0) -> int:
        """Sends `length` bytes of a buffer. Taken whole, it is gone; else it stays yours: offer the rest of it."""
        if self._lent:
            self._take_back(buf)
        return self.op(_SEND_BUF, conn, buf=buf, length=length, offset=offset, flags=flags)

    def send_region(
        self, conn: int, region: Region, offset: int = 0, length: int | None = None, user: int = 0, flags: int = 0
    ) -> int:
        """Sends registered bytes without a copy. They must not change until TX_DONE, which carries `user`."""
        size = len(region) - offset if length is None else length
        return self.op(OpCode.SEND_EXTERN, conn, buf=region.handle, arg=offset, length=size, user=user, flags=flags)

    def forward(self, conn: int, event: Event) -> int:
        """Sends received bytes on without a copy. A whole send takes the reference along; else it stays yours."""
        return self.op(_SEND_BUF, conn, buf=event.buf, length=event.len)

    # ---- columns in, columns out: many operations at once, without an object or a call for each ----

    def _fill(self, n: int, code: int, flags: int, length: int = 0) -> tuple[int, int]:
        """Lays out n operations that are alike but for their columns; first index and the one past the last."""
        self.check_owner()
        first, end = self._op_n, self._op_n + n
        if end > self._op_cap:
            raise error_of(Status.E_AGAIN, f"{n} operations, and the turn has room for {self.op_room}: turn first")
        template = self._templates.get((code, flags, length))
        if template is None or len(template) < n * 64:
            if len(self._templates) > 64:
                self._templates.clear()
            template = OP.pack(code, flags, length, *[0] * 9) * max(n, 64)
            self._templates[code, flags, length] = template
        self._ops[first * 64 : end * 64] = memoryview(template)[: n * 64]
        self._op_n = end
        return first, end

    def forward_columns(self, events: Columns, flags: int = 0) -> range:
        """As `forward` of each of these DATA events, to where it came from: an echo. The operations' indices."""
        first, end = self._fill(len(events), _SEND_BUF, flags)
        columns = self._op_columns
        columns["obj"][first:end], columns["buf"][first:end] = events.src, events.buf
        columns["len"][first:end] = events.len
        return range(first, end)

    def send_columns(self, conns: memoryview, data: Buffer, flags: int = 0) -> range:
        """As `send` of the same bytes on each of these connections (`columns.src`). The operations' indices."""
        address, length = self._address_of(data)
        first, end = self._fill(len(conns), _SEND_COPY, flags, length)
        self._op_columns["obj"][first:end] = conns
        self._op_columns["arg"][first:end] = memoryview(_WORD.pack(address) * (end - first)).cast("Q")
        return range(first, end)

    def send_each(self, conns: Sequence[int], pieces: Sequence[bytes]) -> range:
        """As `send` of each piece on the connection beside it. The operations' indices."""
        if not conns:
            return range(0)
        lengths = list(map(len, pieces))
        address, _ = self._address_of(b"".join(pieces))
        first, end = self._fill(len(conns), _SEND_COPY, 0)
        columns = self._op_columns
        columns["obj"][first:end] = memoryview(array("Q", conns))
        columns["arg"][first:end] = memoryview(array("Q", accumulate(lengths[:-1], initial=address)))
        columns["len"][first:end] = memoryview(array("I", lengths))
        return range(first, end)

    def release_columns(self, bufs: memoryview) -> None:
        """As `release` of each of these buffers (`columns.buf`)."""
        self.check_owner()
        first, end = self._release_n, self._release_n + len(bufs)
        if end > self._release_cap:
            for buf in bufs:
                self.release(buf)
            return
        self._releases[first:end] = bufs
        self._release_n = end

    def send_to(
        self, udp: int, data: Buffer, peer: addr.Address | None = None, local: addr.Address | None = None
    ) -> int:
        """One datagram, by copy; peer may be None on a connected endpoint."""
        address, length = self._address_of(data)
        aux = self._addrs(local, peer) if peer or local else 0
        return self.op(OpCode.UDP_SEND_COPY, udp, buf=address, length=length, aux=aux)

    def shutdown(self, conn: int) -> int:
        """No more to send; receiving goes on."""
        return self.op(OpCode.SHUTDOWN, conn)

    def close(self, handle: int) -> int:
        """Connection, listener, endpoint or timer: done with it."""
        return self.op(OpCode.CLOSE, handle)

    def close_now(self, handle: int) -> None:
        """As `close`, at once, in a call of its own: a listener's or an endpoint's address is free from here on."""
        self._now(OpCode.CLOSE, obj=handle)

    def abort(self, conn: int) -> int:
        """RST; CLOSED with E_ABORTED follows."""
        return self.op(OpCode.ABORT, conn)

    def credit(self, conn: int, n: int) -> int:
        """With Option.EXPLICIT_CREDIT: n bytes of DATA are used up."""
        return self.op(OpCode.CREDIT, conn, length=n)

    def set_user(self, handle: int, user: int) -> int:
        return self.op(OpCode.USER, handle, user=user)

    def set(self, handle: int, option: Option, value: int) -> None:
        check(lib.iip_conn_set(handle, option, value))

    def get(self, handle: int, option: Option) -> int:
        value = ffi.new("uint64_t *")
        check(lib.iip_conn_get(handle, option, value))
        return int(value[0])

    # ---- received bytes ----

    def view(self, event: Event) -> View:
        """The bytes of an event, in place; takes over its reference."""
        return View(self.engine.home, event.addr, event.len, event.buf)

    def take(self, event: Event) -> bytes:
        """A copy of the bytes of an event, whose buffer goes back in the next turn."""
        self.check_owner()
        data: bytes = ffi.buffer(ffi.cast("char *", event.addr), event.len)[:]
        self.release(event.buf)
        return data

    def take_all(self, n: int, takers: dict[int, Any]) -> list[tuple[int, bytes | None]]:
        """
        Of the first n events of the last turn: (source, a copy) of each DATA event whose source is a key of `takers`,
        as `take` makes it; (index, None) of the others, which are yours as ever.
        """
        self.check_owner()
        taken, self._release_n = take_all(
            self._event_address,
            min(n, self._event_n),
            takers,
            self._release_address,
            self._release_n,
            self._release_cap,
        )
        return taken

    def ends(self, event: Event) -> tuple[addr.Address, addr.Address]:
        """(local, peer) of an ACCEPT, CONNECTED or UDP event, until the next turn."""
        self.check_owner()
        both = self._aux[event.aux : event.aux + 64]
        return addr.unpack(both[:32]), addr.unpack(both[32:])

    def retain(self, buf: int) -> None:
        """One more reference of a buffer that is held; to be released as well."""
        check(lib.iip_buf_retain(buf))

    def release(self, buf: int) -> None:
        """Gives one reference back, in the next turn."""
        if get_ident() != self._owner:
            self._refuse()
        if self._lent:
            self._take_back(buf)
        i = self._release_n
        if i == self._release_cap:
            check(lib.iip_buf_release(buf))
            return
        self._releases[i] = buf
        self._release_n = i + 1

    # ---- [any] thread ----

    def wake(self) -> None:
        """Ends the wait of the owner's turn, or of its next one."""
        self._woken = True
        check(lib.iip_loop_wake(self.c))

    def post(self, code: int, obj: int = 0, *, user: int = 0, arg: int = 0, length: int = 0, flags: int = 0) -> None:
        """From another thread: an operation for the loop's next turn. Its result comes as EventType.DONE."""
        op = ffi.new(
            "struct iip_op *", {"code": code, "obj": obj, "user": user, "arg": arg, "len": length, "flags": flags}
        )
        check(lib.iip_loop_post(self.c, op, 1))

    def fileno(self) -> int:
        """Readable when a loop that parked (TurnFlag.PARK) wants a turn: for select, poll, asyncio. Never read it."""
        return check(lib.iip_loop_fd(self.c))

    def now(self) -> int:
        """The port's clock, microseconds."""
        out = ffi.new("uint64_t *")
        check(lib.iip_loop_now(self.c, out))
        return int(out[0])

    def stats(self) -> dict[str, int]:
        """struct iip_loop_stats."""
        return _filled("iip_loop_stats", lib.iip_loop_stats_get, self.c)

    def counters(self) -> dict[str, int]:
        """The stack's counters by name; one for each reason of a drop among them."""
        n = check(lib.iip_loop_counters(self.c, ffi.NULL, 0))
        out = ffi.new("uint64_t[]", n)
        check(lib.iip_loop_counters(self.c, out, n))
        return {ffi.string(lib.iip_counter_name(i)).decode(): int(out[i]) for i in range(n)}

    def conn_info(self, conn: int) -> dict[str, Any]:
        """What tcp_info tells of a connection: struct iip_conn_info, its ends as addresses."""
        return _filled("iip_conn_info", lib.iip_conn_info_get, conn)

    def conns(self) -> list[int]:
        """Handles of the live connections."""
        out, all_, after = ffi.new("uint64_t[256]"), [], 0
        while n := check(lib.iip_loop_conns(self.c, after, out, 256)):
            all_ += list(out[0:n])
            after = all_[-1]
        return all_


def _filled(name: str, fill: Any, of: Any) -> dict[str, Any]:
    out = ffi.new(f"struct {name} *", {"size": ffi.sizeof(f"struct {name}")})
    check(fill(of, out))
    return {
        field: addr.unpack(ffi.buffer(ffi.addressof(out, field))[:])
        if kind.type.kind == "struct"
        else getattr(out, field)
        for field, kind in ffi.typeof(out[0]).fields
        if field != "size"
    }

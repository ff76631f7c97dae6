"""Connections of the stack as asyncio's transports."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import constants, transports
from asyncio.log import logger
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from ..constants import OpCode, Option, Status
from ..errors import error_of
from ..mux import LANE_MAX, Mux, Sent, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

    from ..addr import Address
    from ..events import Event
    from ..view import View
    from .loop import EventLoop
    from .server import Server


class ViewProtocol(asyncio.BaseProtocol):
    """A protocol that is given the stack's own bytes, without a copy. Each view is yours to release."""

    def view_received(self, view: View) -> None:
        """Bytes of the stream; the peer's window opens when the view is released."""

    def eof_received(self) -> bool | None:
        """As of asyncio.Protocol."""
        return None


def socket_name(address: Address) -> tuple[Any, ...]:
    """As the socket module writes it: four items for IPv6."""
    return (*address, 0, 0) if ":" in address[0] else address


class StreamTransport(Stream, transports._FlowControlMixin):
    """
    A TCP connection. get_extra_info knows "peername", "sockname", "iip_handle" and "iip_info" (tcp_info's like).

    The protocol is called in the context in which the connection, or the server that accepted it, was made.
    """

    # what asyncio's own start_tls and sendfile ask of a transport
    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: EventLoop,
        mux: Mux,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        context: contextvars.Context | None = None,
    ) -> None:
        Stream.__init__(self, mux)
        transports._FlowControlMixin.__init__(self, loop=loop)  # asyncio's own way to pause and resume writers
        self._loop: EventLoop = loop
        self._in_lane = mux.lane
        self._waiter = waiter
        self._context = context if context is not None else contextvars.copy_context()
        self._closer = self._context  # whose connection_lost is
        self._server: Server | None = None
        self._names: dict[str, Any] = {}
        self._backlog: deque[View] = deque()  # what came while reading was paused
        self._filled = 0  # bytes of the first of them that a BufferedProtocol has
        self._reading = True
        self._eof = self._eof_told = self._closing = self._ending = self._lost = self._write_eof = False
        self._over: list[BaseException | None] = []  # how it ended, as long as what came before waits to be read
        self.set_protocol(protocol)

    # ---- events ----

    def on_connected(self, local: Address, peer: Address) -> None:
        self._names = {"sockname": socket_name(local), "peername": socket_name(peer)}
        self.mux.loop.op(OpCode.SET, self.handle, offset=Option.NODELAY, arg=1)  # as asyncio does on every socket
        self._loop.run_callback(self._context.copy(), self._protocol.connection_made, self)
        self._direct()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def on_data(self, event: Event) -> None:
        if self._closing:
            self.mux.loop.release(event.buf)
        elif not self._reading or self._backlog:
            self._backlog.append(self.mux.loop.view(event))
        else:
            self._event(self._deliver, event)

    def on_fin(self) -> None:
        self._eof = True
        self._event(self._eof_reached)

    def on_taken(self) -> None:
        if self._protocol_paused:  # type: ignore[attr-defined]
            self._event(self._maybe_resume_protocol)  # type: ignore[attr-defined]

    def _event(self, call: Callable[..., object], *args: object) -> None:
        """Something happened: the protocol hears of it in the connection's context."""
        self._context.run(call, *args)

    def on_failure(self, error: BaseException) -> None:
        self._context.run(self._failed, "data_received", error)

    def _failed(self, method: str, error: BaseException) -> None:
        """A failing protocol loses its connection; the loop's exception handler hears of it, of an OSError the log."""
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        message = f"Fatal error: protocol.{method}() call failed."
        if not isinstance(error, OSError):
            context = {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
            self._loop.call_exception_handler(context)
        elif self._loop.get_debug():
            logger.debug("%r: %s", self, message, exc_info=error)
        self._force_close(error)

    def on_closed(self, status: int) -> None:
        error = error_of(status) if status not in (Status.OK, Status.E_ABORTED) else None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error or error_of(status))
            self._lost = True
        self._waiter = None
        if self._backlog and not self._closing and not self.queued:
            self._over = [error]
        elif not self._ending:
            self._loop.run_callback(self._closer, self._lose, error)

    def push(self, sent: list[Sent]) -> None:
        super().push(sent)
        if self._closing and not self._queue and not self._blocked:
            self._lose_soon(None)  # the close is on its way; asyncio does not wait for the peer

    def _lose_soon(self, error: BaseException | None) -> None:
        self._ending = True  # whatever comes from the peer now
        self._loop.call_soon(self._lose, error, context=self._closer)

    # ---- to the protocol ----

    def _tell(self, method: str, *args: object) -> Any:
        try:
            return self._loop.watched(getattr(self._protocol, method))(*args)
        except BaseException as error:
            self._failed(method, error)
            return None

    def _direct(self) -> None:
        """Whether what arrives goes straight to the protocol's data_received, or through `on_data`."""
        receive, straight = self._receive, self._reading and not self._backlog and not self._closing
        if receive is not None and straight and self.handle:
            self.mux.takers[self.handle] = partial(self._context.run, self._loop.watched(receive))
        else:
            self.mux.takers.pop(self.handle, None)

    def _deliver(self, event: Event) -> None:
        loop = self.mux.loop
        if self._receive is not None:
            self._tell("data_received", loop.take(event))
        else:
            self._deliver_view(loop.view(event))

    def _deliver_view(self, view: View) -> None:
        if isinstance(self._protocol, ViewProtocol):
            self._tell("view_received", view)
        elif isinstance(self._protocol, asyncio.BufferedProtocol):
            self._fill_from(view)
        else:
            data, self._filled = bytes(view)[self._filled :], 0
            view.release()
            self._tell("data_received", data)

    def _fill_from(self, view: View) -> None:
        """[asyncio.BufferedProtocol] one copy, into memory of the protocol's own, as long as it wants any."""
        with memoryview(view) as source:
            while self._filled < len(source) and self._wants_filled():
                if n := self._fill(source):
                    self._filled += n
                    self._tell("buffer_updated", n)
            left = self._filled < len(source) and not self._closing
        if not left:
            self._filled = 0
            view.release()
            return
        self._backlog.appendleft(view)
        if self._reading:  # another protocol goes on
            self._loop.call_soon(self._resume, context=self._context)

    def _wants_filled(self) -> bool:
        return self._reading and not self._closing and isinstance(self._protocol, asyncio.BufferedProtocol)

    def _fill(self, source: memoryview) -> int:
        """Bytes that the protocol's buffer took; 0 where it gave none, and loses its connection."""
        try:
            target = memoryview(self._protocol.get_buffer(len(source) - self._filled)).cast("B")  # type: ignore[attr-defined]
            if not target:
                raise RuntimeError("get_buffer() returned an empty buffer")
        except BaseException as error:
            self._failed("get_buffer", error)
            return 0
        n = min(len(target), len(source) - self._filled)
        target[:n] = source[self._filled : self._filled + n]
        return n

    def _eof_reached(self) -> None:
        if not self._eof or self._eof_told or self._backlog or not self._reading or self._closing:
            return
        self._eof_told = True
        if not self._tell("eof_received"):
            self.close()

    def _lose(self, error: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self._drop_backlog()
        try:
            self._protocol.connection_lost(error)  # type: ignore[arg-type]
        finally:
            if self._server is not None:
                self._server.detach(self)
                self._server = None

    def _drop_backlog(self) -> None:
        while self._backlog:
            self._backlog.popleft().release()

    def _force_close(self, error: BaseException | None) -> None:
        if self._lost:
            return
        self._closing = True
        self._closer = contextvars.copy_context()
        self._drop_backlog()
        self._direct()
        Stream.abort(self)
        self._lose_soon(error)

    # ---- asyncio.Transport ----

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        plain = not isinstance(protocol, (asyncio.BufferedProtocol, ViewProtocol))
        self._receive: Callable[[bytes], None] | None = protocol.data_received if plain else None  # type: ignore[attr-defined]
        self._direct()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "iip_info":
            return self.mux.loop.conn_info(self.handle) if self.handle else default
        if name == "iip_handle":
            return self.handle
        return self._names.get(name, default)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Bytes wait in the stack's buffers, and the peer's window closes over them."""
        self._reading = False
        self._direct()

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.call_soon(self._resume, context=self._context)

    def _resume(self) -> None:
        while self._backlog and self._reading and not self._closing:
            self._deliver_view(self._backlog.popleft())
        self._direct()
        self._eof_reached()
        if self._over and not self._backlog:
            self._lose(self._over[0])

    def get_write_buffer_size(self) -> int:
        return self.queued + len(self._in_lane.get(self.handle, b""))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._leave_lane()  # which nobody is paused for
        transports._FlowControlMixin.set_write_buffer_limits(self, high, low)
        self._lane_max = min(LANE_MAX, self._high_water)  # type: ignore[attr-defined]

    def write(self, data: Buffer) -> None:
        lane, handle = self._in_lane, self.handle
        if type(data) is bytes and data and len(data) <= self._lane and handle not in lane:
            lane[handle] = data  # as Stream.write does it, without a call
        else:
            self._write(data)

    def _write(self, data: Buffer) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._write_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._over:
            self._force_close(self._over[0])
        if not self._closing:
            Stream.write(self, data)
            self._maybe_pause_protocol()  # type: ignore[attr-defined]

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing and not self._write_eof:
            self._write_eof = True
            self.finish(OpCode.SHUTDOWN)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """What was written still goes out."""
        if not self._closing:
            self._closing = True
            self._closer = contextvars.copy_context()
            self._drop_backlog()
            self._direct()
            self.finish(OpCode.CLOSE)
            if self._over:
                self._lose_soon(None)

    def abort(self) -> None:
        """
        Resets the connection: what was not acknowledged is lost, and the peer knows. asyncio's own transports close
        their socket here, so that a peer takes what it got for the whole where the rest was thrown away.
        """
        self._force_close(None)

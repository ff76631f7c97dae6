"""What create_server returns: listeners of the stack."""

from __future__ import annotations

import asyncio
import contextvars
import random
import socket
from typing import TYPE_CHECKING, Any

from ..constants import Status
from ..errors import Error
from ..mux import Listener
from .transport import StreamTransport, socket_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..addr import Address
    from ..mux import Mux
    from .loop import EventLoop

    MakeProtocol = Callable[[], asyncio.BaseProtocol]


_EPHEMERAL = range(49152, 65536)


def open_on(wanted: int, open_it: Callable[[int], None]) -> int:
    """Opens on that port; for port 0, on one that is free. The port."""
    ports = [wanted] if wanted else random.sample(_EPHEMERAL, 64)
    for port in ports:
        try:
            open_it(port)
        except Error as error:
            if error.status != Status.E_ADDR_IN_USE or port == ports[-1]:
                raise
        else:
            break
    return port


class ListeningSocket:
    """Enough of a socket for those who ask a server where it listens."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> tuple[Any, ...]:
        return socket_name(self._address)

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET

    @property
    def type(self) -> socket.SocketKind:
        return socket.SOCK_STREAM

    def fileno(self) -> int:
        return -1


class _StackListener(Listener):
    def __init__(self, server: Server, mux: Mux, address: Address) -> None:
        super().__init__(mux)
        self.server = server
        self.address = address

    def listen(self, backlog: int) -> None:
        host, wanted = self.address
        self.address = host, open_on(wanted, lambda port: self.mux.listen(self, (host, port), backlog))

    def on_accept(self, local: Address, peer: Address) -> StreamTransport | None:
        return self.server.accepted(self.mux)


class Server(asyncio.AbstractServer):
    """Listens on addresses of the stack."""

    def __init__(
        self, loop: EventLoop, make_protocol: MakeProtocol, addresses: list[tuple[Mux, Address]], backlog: int
    ) -> None:
        self.loop = loop
        self._make_protocol = make_protocol
        self._backlog = backlog
        self._listeners = [_StackListener(self, mux, address) for mux, address in addresses]
        self._transports: dict[StreamTransport, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._serving = self._closed = False
        self._context = contextvars.copy_context()
        self._forever: asyncio.Future[None] | None = None

    def listen(self) -> None:
        """All of them, or none. What is accepted is told in copies of the caller's context."""
        self._context = contextvars.copy_context()
        try:
            for listener in self._listeners:
                listener.listen(self._backlog)
        except OSError:
            self._unlisten()
            raise
        self._serving = True

    def bind(self) -> None:
        """Before `listen`: that the addresses are free, and which port it will be."""
        self.listen()
        self._unlisten()
        self._serving = False

    def _unlisten(self) -> None:
        for listener in self._listeners:
            listener.close()

    def accepted(self, mux: Mux) -> StreamTransport | None:
        context = self._context.copy()
        try:
            protocol = context.run(self._make_protocol)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._refused(error)
            return None
        transport = StreamTransport(self.loop, mux, protocol, context=context)
        transport._server = self
        self._transports[transport] = None
        return transport

    def _refused(self, error: BaseException) -> None:
        """Told in debug mode only, as asyncio does it."""
        if self.loop.get_debug():
            message = "Error on transport creation for incoming connection"
            self.loop.call_exception_handler({"message": message, "exception": error})

    def detach(self, transport: StreamTransport) -> None:
        self._transports.pop(transport, None)
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        if self._closed and not self._transports:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    # ---- asyncio.AbstractServer ----

    @property
    def sockets(self) -> tuple[ListeningSocket, ...]:
        return () if self._closed else tuple(ListeningSocket(listener.address) for listener in self._listeners)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def is_serving(self) -> bool:
        return self._serving

    def close(self) -> None:
        """Stops listening; connections that stand live on."""
        if self._closed:
            return
        self._closed = True
        self._serving = False
        self._unlisten()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake_waiters()

    def close_clients(self) -> None:
        for transport in list(self._transports):
            transport.close()

    def abort_clients(self) -> None:
        for transport in list(self._transports):
            transport.abort()

    async def start_serving(self) -> None:
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        if not self._serving:
            self.listen()

    async def serve_forever(self) -> None:
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        await self.start_serving()
        self._forever = self.loop.create_future()
        try:
            await self._forever
        finally:
            self._forever = None
            self.close()

    async def wait_closed(self) -> None:
        """Until all connections are gone."""
        if not self._closed or self._transports:
            waiter: asyncio.Future[None] = self.loop.create_future()
            self._waiters.append(waiter)
            await waiter

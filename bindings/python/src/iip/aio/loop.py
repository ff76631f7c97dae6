"""asyncio's own loop for Unix, that turns the stack before each wait."""

from __future__ import annotations

import asyncio
import socket
import time
import warnings
from asyncio import sslproto
from typing import TYPE_CHECKING, Any

from ..constants import State, TurnFlag
from ..engine import Engine
from ..mux import Mux
from .routes import WILDCARDS, Routes
from .selector import StackSelector
from .server import Server
from .transport import DatagramTransport, StreamTransport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from ..addr import Address
    from ..events import Batch

    MakeProtocol = Callable[[], asyncio.BaseProtocol]

LINGER_S = 1.0  # what closing the loop gives closed connections to finish


def loop_factory(port: str, addresses: str | Iterable[str] = (), **options: Any) -> Callable[[], EventLoop]:
    """For asyncio.Runner and asyncio.run. Arguments as of iip.Engine; each call opens the port."""
    return lambda: EventLoop(port, addresses, **options)


class EventLoop(asyncio.SelectorEventLoop):
    """One engine with one loop, owned by the thread that runs this."""

    def __init__(self, port: str, addresses: str | Iterable[str] = (), **options: Any) -> None:
        self.routes = Routes(addresses, options.get("routes", ()))
        options.setdefault("op_cap", 2048)  # a full turn of events may ask for that many
        self.engine = Engine(port, addresses, **options)
        self.stack = self.engine.loop(0)
        self.stack.attach()
        self.mux = Mux(self.stack)
        self._batch: Batch | None = None
        self._stack_selector = StackSelector()
        super().__init__(self._stack_selector)
        self._stack_selector.stack_fd = self.stack.fileno()
        self.add_reader(self.stack.fileno(), self._dispatch)
        self._stack_selector.turn = self._turn

    # ---- the turn ----

    def _turn(self, may_wait: bool) -> bool:
        """Before each wait: sends, receives, parks. True when there is something to do at once."""
        self._dispatch()
        batch = self.mux.turn(0.0, TurnFlag.PARK if may_wait else 0)
        if batch.n:
            self._batch = batch
            return True
        return may_wait and (not batch.state & State.PARKED or self.mux.wanting)

    def _dispatch(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            self.mux.dispatch(batch)

    def close(self) -> None:
        if self.is_closed():
            return
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self._stack_selector.turn = None
        self._dispatch()
        until = time.monotonic() + LINGER_S
        while (self.mux.closing or self.mux.wanting) and time.monotonic() < until:
            self.mux.dispatch(self.mux.turn(until - time.monotonic()))
        self.remove_reader(self.stack.fileno())
        super().close()
        try:
            self.engine.close()
        except BufferError as error:
            warnings.warn(f"the stack stays open: {error}", ResourceWarning, source=self, stacklevel=2)

    # ---- TCP ----

    async def _peer_of_stack(self, host: Any, port: Any) -> Address | None:
        """The peer's address if the stack reaches it; names are looked up as asyncio does."""
        if not isinstance(host, str) or port is None:
            return None
        if self.routes.reaches(host):
            return host, int(port)
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        except OSError:
            for *_, found in await self.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if self.routes.reaches(str(found[0])):
                    return str(found[0]), int(found[1])
        return None

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: MakeProtocol,
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        sock: Any = None,
        local_addr: Any = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **more: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        peer = await self._peer_of_stack(host, port) if sock is None else None
        if peer is None:
            return await super().create_connection(
                protocol_factory,
                host,
                port,
                ssl=ssl,
                sock=sock,
                local_addr=local_addr,
                server_hostname=server_hostname,
                ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout,
                **more,
            )
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        inner, outer = protocol, None
        if ssl:
            times = (ssl_handshake_timeout, ssl_shutdown_timeout)
            name = server_hostname if server_hostname is not None else host
            inner = self._tls(protocol, ssl, waiter, False, name, times)
            outer = inner._app_transport  # type: ignore[attr-defined]
        transport = StreamTransport(self, inner, None if ssl else waiter)
        await self._connected(transport, waiter, peer, (local_addr[0], local_addr[1]) if local_addr else None)
        return outer or transport, protocol

    async def _connected(
        self, transport: StreamTransport, waiter: asyncio.Future[None], peer: Address, local: Address | None
    ) -> None:
        self.mux.connect(transport, peer, local)
        try:
            await waiter
        except BaseException:
            transport.abort()
            raise

    def _tls(
        self,
        protocol: asyncio.BaseProtocol,
        context: Any,
        waiter: asyncio.Future[None] | None,
        server_side: bool,
        hostname: str | None,
        times: tuple[float | None, float | None],
    ) -> asyncio.BaseProtocol:
        """asyncio's own TLS, between our transport and the protocol."""
        make: Any = sslproto.SSLProtocol  # the stubs know less than it takes
        made: asyncio.BaseProtocol = make(
            self,
            protocol,
            context if not isinstance(context, bool) else None,
            waiter,
            server_side,
            hostname,
            ssl_handshake_timeout=times[0],
            ssl_shutdown_timeout=times[1],
        )
        return made

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: MakeProtocol,
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        backlog: int = 100,
        ssl: ssl.SSLContext | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        **more: Any,
    ) -> asyncio.AbstractServer:
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        own = [one for one in hosts if self.routes.is_own(one)]
        if sock is not None or not own:
            return await super().create_server(
                protocol_factory,
                host,
                port,
                sock=sock,
                backlog=backlog,
                ssl=ssl,
                ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout,
                start_serving=start_serving,
                **more,
            )
        if len(own) != len(hosts):
            raise ValueError(f"{hosts!r}: some are the stack's addresses and some the kernel's: make two servers")
        if not port:
            raise ValueError(f"port {port!r}: give the port that the stack shall listen on")
        make = protocol_factory
        if ssl is not None:
            times = (ssl_handshake_timeout, ssl_shutdown_timeout)
            make = lambda: self._tls(protocol_factory(), ssl, None, True, None, times)  # noqa: E731
        server = Server(self, make, [("" if one in WILDCARDS else str(one), int(port)) for one in own], backlog)
        if start_serving:
            server.listen()
        return server

    # ---- UDP ----

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: MakeProtocol,
        local_addr: Any = None,
        remote_addr: Any = None,
        *,
        sock: Any = None,
        **more: Any,
    ) -> tuple[asyncio.DatagramTransport, asyncio.BaseProtocol]:
        ours = remote_addr and self.routes.reaches(remote_addr[0])
        if not remote_addr and local_addr:
            ours = self.routes.is_own(local_addr[0])
        if sock is not None or not ours:
            return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, sock=sock, **more)
        protocol = protocol_factory()
        assert isinstance(protocol, asyncio.DatagramProtocol), "create_datagram_endpoint needs a DatagramProtocol"
        peer = (remote_addr[0], int(remote_addr[1])) if remote_addr else None
        local = ("" if local_addr[0] in WILDCARDS else local_addr[0], int(local_addr[1])) if local_addr else ("", 0)
        transport = DatagramTransport(self, protocol, peer)
        self.mux.open_udp(transport, local, peer)
        transport.opened(local)
        return transport, protocol

"""asyncio's own loop for Unix, that turns the stack before each wait."""

from __future__ import annotations

import asyncio
import socket
from asyncio import sslproto
from asyncio.log import logger
from functools import wraps
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from .datagram import DatagramTransport
from .port import Port
from .routes import WILDCARDS
from .selector import StackSelector
from .server import Server, open_on
from .transport import StreamTransport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from contextvars import Context

    from ..addr import Address
    from ..loop import Loop

    MakeProtocol = Callable[[], asyncio.BaseProtocol]

LINGER_S = 1.0  # what closing the loop gives closed connections to finish


def loop_factory(port: str | Loop, addresses: str | Iterable[str] = (), **options: Any) -> Callable[[], EventLoop]:
    """For asyncio.Runner and asyncio.run. Arguments as of EventLoop; each call opens the port."""
    return lambda: EventLoop(port, addresses, **options)


def port_number(port: Any) -> int:
    """Of 80, "80", b"80" and "http"; 0 of nothing. gaierror, as of getaddrinfo."""
    if port in (None, "", b""):
        return 0
    try:
        return int(port)
    except ValueError:
        pass
    try:
        return socket.getservbyname(port)
    except OSError:
        raise socket.gaierror(socket.EAI_SERVICE, f"no service is named {port!r}") from None


class EventLoop(asyncio.SelectorEventLoop):
    """
    Owned by the thread that runs this, with its ports. `engine`, `stack` and `mux` are those of the first port.

    Arguments as of iip.Engine: the port is opened and, at the end, closed. Or one Loop of an engine that is open and
    stays so: `EventLoop(engine.loop(i))` in thread i puts asyncio on each of its loops.
    """

    _closed = True  # what is collected because its port could not be opened was never open

    def __init__(self, port: str | Loop, addresses: str | Iterable[str] = (), **options: Any) -> None:
        first = Port(port, addresses, **options)
        self.ports: list[Port] = []
        self.engine, self.stack, self.mux = first.engine, first.stack, first.mux
        self._stack_selector = StackSelector()
        super().__init__(self._stack_selector)
        self._stack_selector.ready = self._ready  # type: ignore[attr-defined]
        self._add(first)

    def add_port(self, port: str | Loop, addresses: str | Iterable[str] = (), **options: Any) -> Port:
        """One more port on this loop; arguments as of EventLoop. The first that reaches a peer is the one to it."""
        self._check_closed()  # type: ignore[attr-defined]
        return self._add(Port(port, addresses, **options))

    def _add(self, port: Port) -> Port:
        self.ports.append(port)
        self._stack_selector.add_port(port)
        return port

    def close(self) -> None:
        if self.is_closed():
            return
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        try:
            self._stack_selector.linger(LINGER_S)
        finally:
            for port in self.ports:
                self._stack_selector.remove_port(port)
            super().close()
            for port in self.ports:
                port.close()

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, in one step instead of four: every wakeup of a task goes through it."""
        if self._debug or self._closed:  # type: ignore[attr-defined]
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def run_callback(self, context: Context, callback: Callable[..., object], *args: Any) -> None:
        """At once what `call_soon` has done later: what the callback raises goes to the exception handler."""
        asyncio.Handle(self.watched(callback), args, self, context)._run()

    def watched(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """In debug mode one that is named when it takes long, as asyncio does of its own; else the callback itself."""
        if not self._debug:  # type: ignore[attr-defined]
            return callback

        @wraps(callback)
        def timed(*args: Any) -> Any:
            began = self.time()
            try:
                return callback(*args)
            finally:
                took = self.time() - began
                if took >= self.slow_callback_duration:
                    logger.warning("Executing %s took %.3f seconds", asyncio.Handle(callback, args, self), took)

        return timed

    # ---- whose business an address is ----

    def _ports_of(self, host: str | None) -> list[Port]:
        """Those that have an address to listen on: all of them where it is none in particular."""
        return [port for port in self.ports if port.routes.is_own(host)]

    def _port_to(self, host: str) -> Port | None:
        """The port that reaches a peer: one whose own address it is not, if there is any."""
        reach = [port for port in self.ports if port.routes.reaches(host)]
        return next((port for port in reach if not port.routes.is_own(host)), reach[0] if reach else None)

    # ---- TCP ----

    async def _peer_of_stack(self, host: Any, port: Any, kind: int) -> tuple[Port, Address] | None:
        """The peer's address, and who reaches it, if the stack does; names are looked up as asyncio does."""
        if not isinstance(host, str) or not host:
            return None
        for address in await self._looked_up(host, port, kind):
            if own := self._port_to(address[0]):
                return own, address
        return None

    async def _looked_up(self, host: str, port: Any, kind: int) -> list[Address]:
        try:
            ip_address(host)
        except ValueError:
            return [(str(at[0]), int(at[1])) for *_, at in await self.getaddrinfo(host, port, type=kind)]
        return [(host, port_number(port))]

    async def _local(self, address: Any, kind: int) -> Address | None:
        """Where a connection is to come from."""
        if not address:
            return None
        host, port = address[:2]
        return ("", port_number(port)) if host in WILDCARDS else (await self._looked_up(host, port, kind))[0]

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
        words = ssl_handshake_timeout, ssl_shutdown_timeout, server_hostname
        mistaken = not ssl and words != (None, None, None)  # asyncio's own says so
        kernel = sock is not None or mistaken
        found = None if kernel else await self._peer_of_stack(host, port, socket.SOCK_STREAM)
        if found is None:
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
        local = await self._local(local_addr, socket.SOCK_STREAM)
        protocol = protocol_factory()
        waiter: asyncio.Future[None] = self.create_future()
        inner, outer = protocol, None
        if ssl:
            times = (ssl_handshake_timeout, ssl_shutdown_timeout)
            name = server_hostname if server_hostname is not None else host
            inner = self._tls(protocol, ssl, waiter, False, name, times)
            outer = inner._app_transport  # type: ignore[attr-defined]
        own, peer = found
        transport = StreamTransport(self, own.mux, inner, None if ssl else waiter)
        await self._connected(transport, waiter, peer, local)
        return outer or transport, protocol

    async def _connected(
        self, transport: StreamTransport, waiter: asyncio.Future[None], peer: Address, local: Address | None
    ) -> None:
        transport.mux.connect(transport, peer, local)
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
        own = [one for one in hosts if self._ports_of(one)]
        words = ssl_handshake_timeout, ssl_shutdown_timeout
        mistaken = isinstance(ssl, bool) or (host is None and port is None) or (ssl is None and words != (None, None))
        if sock is not None or not own or mistaken:
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
        make = protocol_factory
        if ssl is not None:
            times = (ssl_handshake_timeout, ssl_shutdown_timeout)
            make = lambda: self._tls(protocol_factory(), ssl, None, True, None, times)  # noqa: E731
        addresses = [
            (at.mux, ("" if one in WILDCARDS else str(one), port_number(port or 0)))
            for one in own
            for at in self._ports_of(one)
        ]
        server = Server(self, make, addresses, backlog)
        if start_serving:
            server.listen()
        else:
            server.bind()
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
        peer = own = None
        if sock is None and remote_addr:
            found = await self._peer_of_stack(remote_addr[0], remote_addr[1], socket.SOCK_DGRAM)
            own, peer = found or (None, None)
        elif sock is None and local_addr:
            own = next(iter(self._ports_of(local_addr[0])), None)
        if own is None:
            return await super().create_datagram_endpoint(protocol_factory, local_addr, remote_addr, sock=sock, **more)
        protocol: Any = protocol_factory()
        host, wanted = await self._local(local_addr, socket.SOCK_DGRAM) or ("", 0)
        transport = DatagramTransport(self, own.mux, protocol, peer)
        bound = open_on(wanted, lambda number: own.mux.open_udp(transport, (host, number), peer))
        transport.opened((host, bound))
        return transport, protocol

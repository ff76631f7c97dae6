"""
Blocking sockets for tools. One thread owns a Net and all its sockets; whoever waits turns the loop for all of them.

    with iip.sock.Net("tap:iip0", "10.0.0.2/24") as net:
        with net.connect(("10.0.0.1", 80), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            while data := s.recv(65536):
                print(data)

Timeouts are seconds, None waits for ever; TimeoutError and the subclasses of OSError are those of the socket module.
Ctrl-C ends every wait.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from .constants import OpCode, Option, State, Status
from .datagrams import Datagrams
from .engine import Engine
from .errors import Error, error_of
from .mux import Listener, Mux, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from .addr import Address
    from .events import Event
    from .view import View

SEND_QUEUE = 1 << 20  # bytes that sendall queues before it waits
_LINGER_TURNS = 100  # for a thread that had to wait for its processor all the while


class _Closing:
    """Leaving a with block closes."""

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Socket(Stream, _Closing):
    """A TCP connection. Made by Net.connect and Server.accept."""

    def __init__(self, net: Net, timeout: float | None) -> None:
        Stream.__init__(self, net.mux)
        self.timeout = timeout
        self.local: Address = ("", 0)
        self.peer: Address = ("", 0)
        self._net = net
        self._views: deque[View] = deque()
        self._offset = 0  # bytes of the first view that were read
        self._connected = self._eof = self._closed = False
        self._error: Error | None = None

    # ---- events ----

    def on_connected(self, local: Address, peer: Address) -> None:
        self.local, self.peer, self._connected = local, peer, True

    def on_data(self, event: Event) -> None:
        view = self.mux.loop.view(event)
        if not self._closed:
            self._views.append(view)

    def on_fin(self) -> None:
        self._eof = True

    def on_closed(self, status: int) -> None:
        self._eof = True
        if status != Status.OK:
            self._error = error_of(status)

    def _raise(self) -> None:
        if self._closed:
            raise error_of(Status.E_CLOSED, "the socket is closed")
        if self._error:
            raise self._error

    # ---- receiving ----

    def _wait_data(self) -> bool:
        """False at the end of the stream."""
        if not self._views:
            self._raise()
            self._net.wait(lambda: bool(self._views) or self._eof or self._closed, self.timeout)
        if not self._views:
            self._raise()
        return bool(self._views)

    def recv_view(self) -> View | None:
        """The next bytes where they lie, without a copy; None at the end of the stream. Yours to release."""
        if self._offset:
            raise ValueError("a part of the next bytes was read already: read the rest of it with recv")
        return self._views.popleft() if self._wait_data() else None

    def recv_into(self, into: Buffer) -> int:
        """Reads as much as there is and fits; 0 at the end of the stream."""
        target = memoryview(into).cast("B")
        done = 0
        if not target or not self._wait_data():
            return 0
        while self._views and done < len(target):
            done += self._read_first(target[done:])
        return done

    def _read_first(self, target: memoryview) -> int:
        view = self._views[0]
        with memoryview(view) as source:
            n = min(len(source) - self._offset, len(target))
            target[:n] = source[self._offset : self._offset + n]
            self._offset += n
            used_up = self._offset == len(source)
        if used_up:
            self._views.popleft().release()
            self._offset = 0
        return n

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end of the stream."""
        there = sum(map(len, self._views)) - self._offset if self._wait_data() else 0
        data = bytearray(min(size, there))
        del data[self.recv_into(data) if data else 0 :]
        return bytes(data)

    # ---- sending ----

    def sendall(self, data: Buffer) -> None:
        """Sends everything; returns when the stack or the queue has it."""
        self._raise()
        if not self._connected or not self.handle:
            raise error_of(Status.E_NOT_CONNECTED)
        self.write(data)
        self._net.turn(0)
        self._net.wait(lambda: self.queued <= SEND_QUEUE or not self.handle, self.timeout)
        self._raise()

    def shutdown(self) -> None:
        """No more to send (FIN behind what is queued); receiving goes on."""
        self.finish(OpCode.SHUTDOWN)
        self._net.turn(0)

    def set(self, option: Option, value: int) -> None:
        self.mux.loop.set(self.handle, option, value)

    def info(self) -> dict[str, Any]:
        """What tcp_info tells."""
        return self.mux.loop.conn_info(self.handle)

    def close(self) -> None:
        """Sends what is queued and the FIN in the background of the Net's later turns. Unread bytes reset the peer."""
        if self._closed:
            return
        self._closed = True
        while self._views:
            self._views.popleft().release()
        if self.handle:
            self.finish(OpCode.CLOSE)
            self._net.turn(0)

    def __iter__(self) -> Iterator[bytes]:
        while data := self.recv(1 << 16):
            yield data


class Server(Listener, _Closing):
    """A TCP listener. Made by Net.listen."""

    def __init__(self, net: Net, timeout: float | None) -> None:
        Listener.__init__(self, net.mux)
        self.timeout = timeout
        self._net = net
        self._waiting: deque[Socket] = deque()

    def on_accept(self, local: Address, peer: Address) -> Socket:
        sock = Socket(self._net, self.timeout)
        self._waiting.append(sock)
        return sock

    def accept(self) -> tuple[Socket, Address]:
        if not self.handle:
            raise error_of(Status.E_CLOSED, "the server is closed")
        self._net.wait(lambda: bool(self._waiting), self.timeout)
        sock = self._waiting.popleft()
        return sock, sock.peer

    def close(self) -> None:
        while self._waiting:
            self._waiting.popleft().abort()
        Listener.close(self)
        self._net.turn(0)


class UdpSocket(Datagrams, _Closing):
    """A UDP endpoint. Made by Net.udp."""

    def __init__(self, net: Net, timeout: float | None) -> None:
        Datagrams.__init__(self, net.mux)
        self.timeout = timeout
        self._net = net
        self._received: deque[tuple[bytes, Address]] = deque()
        self._errors: deque[Error] = deque()

    def on_datagram(self, data: bytes, peer: Address) -> None:
        self._received.append((data, peer))

    def on_error(self, error: Error) -> None:
        self._errors.append(error)

    def _raise(self) -> None:
        if not self.handle:
            raise error_of(Status.E_CLOSED, "the socket is closed")
        if self._errors:
            raise self._errors.popleft()

    def sendto(self, data: Buffer, peer: Address | None = None) -> None:
        """One datagram; an ICMP error for an earlier one is raised here or by recvfrom, as sockets do."""
        self._raise()
        self.send_to(data, peer)
        self._net.turn(0)
        self._net.wait(lambda: not self._queue or not self.handle, self.timeout)
        self._raise()

    def recvfrom(self) -> tuple[bytes, Address]:
        if not self._received:
            self._raise()
            self._net.wait(lambda: bool(self._received or self._errors) or not self.handle, self.timeout)
        if not self._received:
            self._raise()
        return self._received.popleft()

    def close(self) -> None:
        Datagrams.close(self)
        self._net.turn(0)


class Net(_Closing):
    """An engine with one loop that the calling thread owns; arguments as of Engine."""

    def __init__(self, port: str, addresses: str | Iterable[str] = (), **options: Any) -> None:
        options.setdefault("op_cap", 2048)  # a full turn of events may ask for that many
        self.engine = Engine(port, addresses, **options)
        self.loop = self.engine.loop(0)
        self.loop.attach()
        self.mux = Mux(self.loop)

    def turn(self, timeout: float | None = 0.0) -> State:
        """Turns the loop once, for those that wait for something else meanwhile."""
        batch = self.mux.turn(timeout)
        self.mux.dispatch(batch)
        return State(batch.state)

    def wait(self, done: Callable[[], bool], timeout: float | None) -> None:
        """Turns the loop until `done` says so; TimeoutError."""
        until = None if timeout is None else time.monotonic() + timeout
        while not done():
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise error_of(Status.E_TIMEOUT, f"nothing came within {timeout:g} s")
            self.turn(left)

    def connect(self, peer: Address, timeout: float | None = None, local: Address | None = None) -> Socket:
        """ConnectionRefusedError, TimeoutError, OSError (EHOSTUNREACH) ..."""
        sock = Socket(self, timeout)
        self.mux.connect(sock, peer, local)
        try:
            self.wait(lambda: sock._connected or not sock.handle, timeout)
        except TimeoutError:
            sock.abort()
            self.turn(0)
            raise
        sock._raise()
        return sock

    def listen(self, port: int, host: str = "", backlog: int = 0, timeout: float | None = None) -> Server:
        """Accepted sockets begin with the server's timeout."""
        server = Server(self, timeout)
        self.mux.listen(server, (host, port), backlog)
        return server

    def udp(
        self, port: int = 0, host: str = "", peer: Address | None = None, timeout: float | None = None
    ) -> UdpSocket:
        sock = UdpSocket(self, timeout)
        self.mux.open_udp(sock, (host, port), peer)
        return sock

    def close(self, linger: float = 1.0) -> None:
        """Lets what was closed finish for up to `linger` seconds, or some turns, then closes the engine."""
        until, turns = time.monotonic() + linger, 0
        while self.mux.closing and (turns < _LINGER_TURNS or time.monotonic() < until):
            self.turn(max(0.0, until - time.monotonic()))
            turns += 1
        self.engine.close()

"""
Blocking sockets for tools. One thread owns a Net and all its sockets; whoever waits turns the loop for all of them.

    with iip.sock.Net("tap:iip0", "10.0.0.2/24") as net:
        with net.connect(("10.0.0.1", 80), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            while data := s.recv(65536):
                print(data)

Timeouts are seconds, None waits for ever, and 0 not at all; TimeoutError, BlockingIOError and the other subclasses of
OSError are those of the socket module. Ctrl-C ends every wait. Another thread is refused (WrongThreadError), and what
it asked for is not done.
"""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Any

from .constants import OpCode, Option, State, Status
from .datagrams import Datagrams
from .engine import Engine
from .errors import Error, error_of
from .mux import Listener, Mux, Stream
from .sockfile import open_file

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


class _Timed:
    """What waits no longer than `timeout` seconds; None: for ever, 0: not at all."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout

    @property
    def timeout(self) -> float | None:
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        if seconds is not None and seconds < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if seconds is None else float(seconds)

    def settimeout(self, seconds: float | None) -> None:
        self.timeout = seconds

    def gettimeout(self) -> float | None:
        return self.timeout

    def setblocking(self, blocks: bool) -> None:
        self.timeout = None if blocks else 0.0


def _closed() -> Error:
    return error_of(Status.E_STALE, "the socket is closed")  # EBADF


def _whole(data: Buffer) -> bytes | memoryview:
    """Bytes that can be cut."""
    if isinstance(data, bytes):
        return data
    given = memoryview(data)
    return given.cast("B") if given.c_contiguous else bytes(given)


class Socket(Stream, _Closing, _Timed):
    """A TCP connection. Made by Net.connect and Server.accept."""

    def __init__(self, net: Net, timeout: float | None) -> None:
        Stream.__init__(self, net.mux)
        _Timed.__init__(self, timeout)
        self.files = 0  # that `makefile` gave, and that are open
        self.local: Address = ("", 0)
        self.peer: Address = ("", 0)
        self._net = net
        self._views: deque[View] = deque()
        self._offset = 0  # bytes of the first view that were read
        self._connected = self._eof = self._closed = self._ended = self._sends_no_more = False
        self._error: Error | None = None

    # ---- events ----

    def on_connected(self, local: Address, peer: Address) -> None:
        self.local, self.peer, self._connected = local, peer, True

    def on_data(self, event: Event) -> None:
        view = self.mux.loop.view(event)
        if not self._ended and not self._eof:
            self._views.append(view)

    def on_fin(self) -> None:
        self._eof = True

    def on_closed(self, status: int) -> None:
        self._eof = True
        if status != Status.OK:
            self._error = error_of(status)

    def _check(self) -> None:
        self._net.check_owner()
        if self._closed:
            raise _closed()

    def _raise(self) -> None:
        if self._error:
            raise self._error

    # ---- receiving ----

    def _wait_data(self) -> bool:
        """False at the end of the stream."""
        if not self._views and not self._eof:
            self._net.wait(lambda: bool(self._views) or self._eof, self.timeout)
        if not self._views:
            self._raise()
        return bool(self._views)

    def recv_view(self) -> View | None:
        """The next bytes where they lie, without a copy; None at the end of the stream. Yours to release."""
        self._check()
        if self._offset:
            raise ValueError("a part of the next bytes was read already: read the rest of it with recv")
        return self._views.popleft() if self._wait_data() else None

    def recv_into(self, into: Buffer, nbytes: int = 0) -> int:
        """Reads as much as there is and fits, `nbytes` at most if given; 0 at the end of the stream."""
        self._check()
        return self.receive(into, nbytes)

    def receive(self, into: Buffer, nbytes: int = 0) -> int:
        """As `recv_into`, for the files of a socket: they outlive its `close`."""
        self._net.check_owner()
        target = memoryview(into).cast("B")
        if target.readonly:
            raise TypeError(f"a read-write bytes-like object is required, not {type(into).__name__!r}")
        if nbytes < 0 or nbytes > len(target):
            raise ValueError(f"nbytes is {nbytes}, of a buffer of {len(target)} bytes")
        target = target[: nbytes or len(target)]
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
        self._check()
        if size < 0:
            raise ValueError("negative buffersize in recv")
        there = sum(map(len, self._views)) - self._offset if size and self._wait_data() else 0
        data = bytearray(min(size, there))
        del data[self.receive(data) if data else 0 :]
        return bytes(data)

    # ---- sending ----

    def send(self, data: Buffer) -> int:
        """Sends as much as the queue has room for, and waits until it has any; how many bytes."""
        self._check()
        return self.offer(data)

    def sendall(self, data: Buffer) -> None:
        """
        Sends everything; returns when the stack or the queue has it. After a TimeoutError the queue has a part, which
        goes out, as with a socket of the kernel.
        """
        self._check()
        until = None if self.timeout is None else time.monotonic() + self.timeout
        rest = _whole(data)
        sent = self._send(rest, until)
        while sent < len(rest):
            rest = memoryview(rest)[sent:]
            sent = self._send(rest, until)

    def offer(self, data: Buffer) -> int:
        """As `send`, for the files of a socket: they outlive its `close`."""
        return self._send(_whole(data))

    def _send(self, data: bytes | memoryview, until: float | None = None) -> int:
        self._net.check_owner()
        self._raise()
        if self._sends_no_more:
            raise error_of(Status.E_SHUTDOWN)
        if not self._connected or not self.handle:
            raise error_of(Status.E_NOT_CONNECTED)
        self._net.wait(lambda: self.queued < SEND_QUEUE or not self.handle, self.timeout, until)
        self._raise()
        n = min(len(data), SEND_QUEUE - self.queued)
        self.write(data if n == len(data) else data[:n])
        self._net.turn(0)
        self._raise()
        return n

    def shutdown(self, how: int = socket.SHUT_WR) -> None:
        """
        SHUT_WR: no more to send (FIN behind what is queued); receiving goes on. SHUT_RD: what comes is dropped, and
        recv says that the stream is at its end. SHUT_RDWR: both.
        """
        self._check()
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise error_of(Status.E_INVAL, f"{how}: give SHUT_RD, SHUT_WR or SHUT_RDWR")
        if not self.handle:
            raise error_of(Status.E_NOT_CONNECTED)
        if how != socket.SHUT_WR:
            self._eof = True
            self._drop()
        if how != socket.SHUT_RD:
            self._sends_no_more = True
            self.finish(OpCode.SHUTDOWN)
        self._net.turn(0)

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file over the socket, as of the socket module: the connection lives until both are closed."""
        self._check()
        return open_file(self, mode, buffering, encoding, errors, newline)

    def getsockname(self) -> Address:
        return self.local

    def getpeername(self) -> Address:
        return self.peer

    def set(self, option: Option, value: int) -> None:
        self.mux.loop.set(self.handle, option, value)

    def info(self) -> dict[str, Any]:
        """What tcp_info tells."""
        return self.mux.loop.conn_info(self.handle)

    def close(self) -> None:
        """Sends what is queued and the FIN in the background of the Net's later turns. Unread bytes reset the peer."""
        if self._closed or self._net.engine.closed:
            return
        self._net.check_owner()
        self._closed = True
        if not self.files:
            self._end()

    def file_closed(self) -> None:
        """By a file of `makefile`, once."""
        self.files -= 1
        if self._closed and not self.files:
            self._end()

    def _end(self) -> None:
        if self._net.engine.closed:
            return
        self._ended = True
        self._drop()
        if self.handle:
            self.finish(OpCode.CLOSE)
            self._net.turn(0)

    def _drop(self) -> None:
        while self._views:
            self._views.popleft().release()
        self._offset = 0

    def __iter__(self) -> Iterator[bytes]:
        while data := self.recv(1 << 16):
            yield data


class Server(Listener, _Closing, _Timed):
    """A TCP listener. Made by Net.listen."""

    def __init__(self, net: Net, timeout: float | None) -> None:
        Listener.__init__(self, net.mux)
        _Timed.__init__(self, timeout)
        self._net = net
        self._waiting: deque[Socket] = deque()

    def on_accept(self, local: Address, peer: Address) -> Socket:
        sock = Socket(self._net, self.timeout)
        self._waiting.append(sock)
        return sock

    def accept(self) -> tuple[Socket, Address]:
        self._net.check_owner()
        if not self.handle:
            raise _closed()
        self._net.wait(lambda: bool(self._waiting), self.timeout)
        sock = self._waiting.popleft()
        return sock, sock.peer

    def close(self) -> None:
        if not self.handle or self._net.engine.closed:
            return
        self._net.check_owner()
        while self._waiting:
            self._waiting.popleft().abort()
        Listener.close(self)
        self._net.turn(0)


class UdpSocket(Datagrams, _Closing, _Timed):
    """A UDP endpoint. Made by Net.udp."""

    def __init__(self, net: Net, timeout: float | None, connected: bool = False) -> None:
        Datagrams.__init__(self, net.mux)
        _Timed.__init__(self, timeout)
        self._connected = connected
        self._net = net
        self._received: deque[tuple[bytes, Address]] = deque()
        self._errors: deque[Error] = deque()

    def on_datagram(self, data: bytes, peer: Address) -> None:
        self._received.append((data, peer))

    def on_error(self, error: Error) -> None:
        self._errors.append(error)

    def _raise(self) -> None:
        self._net.check_owner()
        if not self.handle:
            raise _closed()
        if self._errors:
            raise self._errors.popleft()

    def sendto(self, data: Buffer, peer: Address | None = None) -> None:
        """One datagram; an ICMP error for an earlier one is raised here or by recvfrom, as sockets do."""
        self._raise()
        if peer is None and not self._connected:
            raise OSError(errno.EDESTADDRREQ, "the socket has no peer: give one")
        self.send_to(data, peer)
        self._net.turn(0)
        self._net.wait(lambda: not self._queue or not self.handle, self.timeout)
        self._raise()

    def recvfrom(self, size: int = 65535) -> tuple[bytes, Address]:
        """The next datagram, of a longer one the first `size` bytes, and who sent it."""
        if size < 0:
            raise ValueError("negative buffersize in recvfrom")
        self._net.check_owner()
        if not self._received:
            self._raise()
            self._net.wait(lambda: bool(self._received or self._errors) or not self.handle, self.timeout)
        if not self._received:
            self._raise()
        data, peer = self._received.popleft()
        return data[:size], peer

    def close(self) -> None:
        if not self.handle or self._net.engine.closed:
            return
        self._net.check_owner()
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

    def wait(self, done: Callable[[], bool], timeout: float | None, until: float | None = None) -> None:
        """
        Turns the loop until `done` says so; TimeoutError, or for a timeout of 0 BlockingIOError after one turn.
        `until`, by time.monotonic, where a part of the timeout is gone.
        """
        if until is None and timeout is not None:
            until = time.monotonic() + timeout
        while not done():
            left = None if until is None else max(0.0, until - time.monotonic())
            self.turn(left)
            if left == 0 and not done():
                raise error_of(Status.E_TIMEOUT, "timed out") if timeout else error_of(Status.E_AGAIN)

    def check_owner(self) -> None:
        """WrongThreadError for all threads but the one that made it; Error (IIP_E_CLOSED) once it is closed."""
        self.loop.check_owner()

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
        self.turn(0)  # with its ACK: till then the peer has nobody to accept
        return sock

    def listen(self, port: int, host: str = "", backlog: int = 0, timeout: float | None = None) -> Server:
        """Accepted sockets begin with the server's timeout."""
        server = Server(self, timeout)
        self.mux.listen(server, (host, port), backlog)
        return server

    def udp(
        self, port: int = 0, host: str = "", peer: Address | None = None, timeout: float | None = None
    ) -> UdpSocket:
        sock = UdpSocket(self, timeout, peer is not None)
        self.mux.open_udp(sock, (host, port), peer)
        return sock

    def close(self, linger: float = 1.0) -> None:
        """Lets what was closed finish for up to `linger` seconds, or some turns, then closes the engine."""
        until, turns = time.monotonic() + linger, 0
        while self.mux.closing and (turns < _LINGER_TURNS or time.monotonic() < until):
            self.turn(max(0.0, until - time.monotonic()))
            turns += 1
        self.engine.close()

"""What `Socket.makefile` returns: files over a blocking socket, as of the socket module."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .sock import Socket


class _Raw(io.RawIOBase):
    """The socket lives until the last of its files is closed."""

    def __init__(self, sock: Socket, mode: str) -> None:
        super().__init__()
        self._sock, self.mode = sock, mode
        self._over = False  # a timeout within a buffered read loses bytes
        sock.files += 1

    def readable(self) -> bool:
        return "r" in self.mode

    def writable(self) -> bool:
        return "w" in self.mode

    def readinto(self, into: Buffer) -> int | None:
        self._check(self.readable(), "reading")
        if self._over:
            raise OSError("cannot read from timed out object")
        try:
            return self._sock.receive(into)
        except BlockingIOError:
            return None
        except TimeoutError:
            self._over = True
            raise

    def write(self, data: Buffer) -> int | None:
        self._check(self.writable(), "writing")
        try:
            return self._sock.offer(data)
        except BlockingIOError:
            return None

    def _check(self, may: bool, what: str) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if not may:
            raise io.UnsupportedOperation(f"the file is not open for {what}")

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._sock.file_closed()


def open_file(
    sock: Socket, mode: str, buffering: int | None, encoding: str | None, errors: str | None, newline: str | None
) -> IO[Any]:
    """As socket.socket.makefile."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    binary, size = "b" in mode, io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    if not size and not binary:
        raise ValueError("unbuffered streams must be binary")
    raw = _Raw(sock, mode if "w" in mode else mode + "r" * ("r" not in mode))
    if not size:
        return raw  # type: ignore[return-value]
    buffer: Any
    if raw.readable() and raw.writable():
        buffer = io.BufferedRWPair(raw, raw, size)
    else:
        buffer = io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)
    return buffer if binary else io.TextIOWrapper(buffer, encoding, errors, newline)

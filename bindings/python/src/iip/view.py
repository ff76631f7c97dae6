"""Bytes of the stack, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._view import RawView
from .errors import check

if TYPE_CHECKING:
    from types import TracebackType


class View(RawView):
    """
    The bytes of one event, read-only and without a copy: memoryview(view), bytes(view), numpy.frombuffer(view) ...

    It owns one reference of the buffer. `release`, or the end of a with block, gives it back and opens the peer's
    window; BufferError while a memoryview of it is alive. Dropped unreleased, it is given back by the collector, from
    whatever thread that runs in.
    """

    __slots__ = ("_open",)
    _open: memoryview

    def release(self) -> None:
        """Gives the buffer back, once; a second time does nothing."""
        check(self.give_back())

    def __enter__(self) -> memoryview:
        self._open = memoryview(self)
        return self._open

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.release()
        self.release()

    def __bytes__(self) -> bytes:
        with memoryview(self) as bytes_:
            return bytes_.tobytes()

"""Memory of the program, registered to be sent without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._ffi import ffi, lib
from .errors import check

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from .engine import Engine


class Region:
    """
    Made by Engine.register; Loop.send_region sends of it. It holds the object whose memory it is, and lets go of it
    only when nothing of it is being sent any more: `close` is an Error (EBUSY) until then.
    """

    def __init__(self, engine: Engine, data: Buffer) -> None:
        self._engine = engine  # its memory may be read until the engine is closed
        self._bytes: Any = ffi.from_buffer(data)
        self._length = len(self._bytes)
        out = ffi.new("uint64_t *")
        check(lib.iip_region_add(engine.c, self._bytes, self._length, out))
        self.handle = int(out[0])
        engine.keep(self)

    def __len__(self) -> int:
        return self._length

    def close(self) -> None:
        """Twice is harmless."""
        if self.handle:
            check(lib.iip_region_remove(self.handle))
            self.handle, self._bytes = 0, None
            self._engine.let_go(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

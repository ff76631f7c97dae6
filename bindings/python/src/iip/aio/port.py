"""A port of the stack on an event loop: an engine with one loop, and the objects of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ..constants import State, TurnFlag
from ..engine import Engine
from ..loop import Loop
from ..mux import Mux
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Iterable


class Port:
    """
    Owned by the thread that runs the event loop. Made by EventLoop and EventLoop.add_port, of the arguments of
    iip.Engine, or of a Loop of an engine that is open: that is let go of at the end, and the engine stays open.
    """

    def __init__(self, port: str | Loop, addresses: str | Iterable[str] = (), **options: Any) -> None:
        self._borrowed = isinstance(port, Loop)
        if isinstance(port, Loop):
            if addresses or options:
                raise TypeError("a Loop has the addresses and options of its engine: give none beside it")
            self.stack = port
        else:
            options.setdefault("op_cap", 2048)  # a full turn of events may ask for that many
            self.stack = Engine(port, addresses, **options).loop(0)
        self.engine = self.stack.engine
        self.routes = Routes(self.engine.addresses, self.engine.routes)
        self.stack.attach()
        self.mux = Mux(self.stack)

    def turn(self) -> bool:
        """Sends, receives, and tells who it is for; whether anything came."""
        batch = self.mux.turn()
        if batch.n:
            self.mux.dispatch(batch)
        return batch.n > 0

    def park(self) -> bool:
        """As `turn`; if nothing came, the stack's descriptor wakes who waits for it from now on: True then."""
        batch = self.mux.turn(0.0, TurnFlag.PARK)
        if batch.n:
            self.mux.dispatch(batch)
        return bool(batch.state & State.PARKED) and not self.mux.wanting

    def close(self) -> None:
        if self._borrowed:
            self.mux.abandon()
            self.stack.detach()
            return
        try:
            self.engine.close()
        except BufferError as error:
            warnings.warn(f"the stack stays open: {error}", ResourceWarning, source=self, stacklevel=3)

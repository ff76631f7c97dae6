"""A port of the stack on an event loop: an engine with one loop, and the objects of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ..constants import State, TurnFlag
from ..engine import Engine
from ..mux import Mux
from .routes import Routes

if TYPE_CHECKING:
    from collections.abc import Iterable


class Port:
    """Owned by the thread that runs the event loop. Made by EventLoop and EventLoop.add_port."""

    def __init__(self, port: str, addresses: str | Iterable[str] = (), **options: Any) -> None:
        self.routes = Routes(addresses, options.get("routes", ()))
        options.setdefault("op_cap", 2048)  # a full turn of events may ask for that many
        self.engine = Engine(port, addresses, **options)
        self.stack = self.engine.loop(0)
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
        try:
            self.engine.close()
        except BufferError as error:
            warnings.warn(f"the stack stays open: {error}", ResourceWarning, source=self, stacklevel=3)

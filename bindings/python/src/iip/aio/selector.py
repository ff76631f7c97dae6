"""The selector of asyncio's loop, with a turn of the stack before each wait."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StackSelector(selectors.EpollSelector):
    """
    `turn(may_wait)` sends what is queued, receives, and parks the stack's loop if it may wait; it says whether there
    is something to dispatch, or reason to turn again at once. Then the key of the stack's descriptor is reported.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turn: Callable[[bool], bool] | None = None
        self.stack_fd = -1

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.turn is None:
            return super().select(timeout)
        if not self.turn(timeout is None or timeout > 0):
            return super().select(timeout)
        key = self.get_key(self.stack_fd)
        return [(key, selectors.EVENT_READ), *((k, mask) for k, mask in super().select(0) if k is not key)]

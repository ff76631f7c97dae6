from typing import Any, Self, final

from typing_extensions import disjoint_base

def take_all(
    events: int, n: int, takers: dict[int, Any], releases: int, release_n: int, release_cap: int, /
) -> tuple[list[tuple[int, bytes | None]], int]:
    """
    (source, bytes) of each DATA event whose source is a key of `takers`, and its buffer is put behind the `release_n`
    at `releases`; (index, None) of the other events, with which nothing is done. The list, and the new `release_n`.
    """

@final
class Home:
    """The exports of one engine's memory."""

    def close(self) -> None: ...
    def reopen(self) -> None: ...

@disjoint_base
class RawView:
    """One reference of a buffer; of none, if `buf` is 0."""

    def __new__(cls, home: Home, address: int, length: int, buf: int, writable: bool = False, /) -> Self: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def give_back(self) -> int: ...

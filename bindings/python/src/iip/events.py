"""What a turn hands up: events as objects, one at a time, or as columns, all at once and without an object for each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from . import _layout

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = _layout.format_of("iip_event")
EVENT_FIELDS = tuple(name for name, _ in _layout.fields_of("iip_event"))
_OFFSETS = {name: (field.offset, field.type.cname) for name, field in _layout.fields_of("iip_event")}
_CASTS: dict[str, tuple[Literal["Q", "I", "i", "H"], int]] = {
    "uint64_t": ("Q", 8),
    "uint32_t": ("I", 4),
    "int32_t": ("i", 4),
    "uint16_t": ("H", 2),
}


class Event(NamedTuple):
    """struct iip_event; the header says what each field means for each type."""

    src: int
    user: int
    type: int
    flags: int
    status: int
    buf: int
    addr: int
    len: int
    offset: int
    region: int
    reserved: int
    aux: int
    value: int


assert Event._fields == EVENT_FIELDS, "struct iip_event changed: mend Event"


class Columns:
    """
    The events of a turn as arrays: `columns.src[i]`, `columns.len[i]` ... are strided memoryviews of the event array
    itself, and `columns.numpy()` is a structured array of it. Valid until the next turn.
    """

    def __init__(self, events: memoryview, n: int) -> None:
        self._events = events[: n * EVENT.size]
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getattr__(self, name: str) -> memoryview:
        if name not in _OFFSETS:
            raise AttributeError(f"an event has no field {name!r}")
        offset, c_type = _OFFSETS[name]
        letter, width = _CASTS[c_type]
        column: memoryview = self._events.cast(letter)[offset // width :: EVENT.size // width]
        setattr(self, name, column)
        return column

    def __getitem__(self, part: slice) -> Columns:
        """A range of the events; no steps."""
        first, end, step = part.indices(self._n)
        if step != 1:
            raise ValueError(f"step {step}: give a range without steps")
        return Columns(self._events[first * EVENT.size :], max(0, end - first))

    def runs(self) -> Iterator[tuple[int, Columns]]:
        """(type, events): the events in order, those of one type that follow each other together."""
        first, types = 0, bytes(self.type.tobytes())
        while first < self._n:
            kind, end = types[2 * first : 2 * first + 2], first + 1
            if types == kind * self._n:
                end = self._n  # as most often: all the same
            while end < self._n and types[2 * end : 2 * end + 2] == kind:
                end += 1
            yield int.from_bytes(kind, sys.byteorder), self if end - first == self._n else self[first:end]
            first = end

    def numpy(self) -> Any:
        """A NumPy structured array over the same bytes; ImportError where NumPy is not installed."""
        import numpy

        return numpy.frombuffer(self._events, dtype=_layout.dtype_of("iip_event"))


class Batch:
    """The events of one turn, valid until the next one. Iterate for objects, or use `columns`."""

    __slots__ = ("_events", "deadline_us", "n", "now_us", "op_short", "release_failed", "rx_packets", "state")

    def __init__(self, events: memoryview, n: int, turn: Any) -> None:
        self._events = events
        self.n = n
        self.state: int = turn.state  # State flags
        self.now_us: int = turn.now_us
        self.deadline_us: int = turn.deadline_us  # with TurnFlag.DEADLINE; 2**64 - 1: never
        self.op_short: int = turn.op_short  # operations that failed, or sends that were not taken whole
        self.release_failed: int = turn.release_failed  # releases that were stale
        self.rx_packets: int = turn.rx_packets

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Event]:
        return map(Event._make, EVENT.iter_unpack(self._events[: self.n * EVENT.size]))

    def __getitem__(self, i: int) -> Event:
        if not 0 <= i < self.n:
            raise IndexError(f"event {i} of {self.n}")
        return Event._make(EVENT.unpack_from(self._events, i * EVENT.size))

    @property
    def columns(self) -> Columns:
        return Columns(self._events, self.n)

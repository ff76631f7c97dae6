"""Layouts of the C structures, taken from the compiled header and compared with the library that was loaded."""

from __future__ import annotations

import struct
from typing import Any

from ._ffi import ffi, lib
from .constants import Abi

_LETTERS = {"uint64_t": "Q", "int64_t": "q", "uint32_t": "I", "int32_t": "i", "uint16_t": "H", "uint8_t": "B"}


def fields_of(c_name: str) -> list[tuple[str, Any]]:
    return list(ffi.typeof(f"struct {c_name}").fields)


def format_of(c_name: str) -> struct.Struct:
    """A flat structure of integers as a struct.Struct: one item a field."""
    return struct.Struct("=" + "".join(_LETTERS[field.type.cname] for _, field in fields_of(c_name)))


def dtype_of(c_name: str) -> list[tuple[str, str]]:
    """The same as a NumPy dtype."""
    kinds = {"Q": "u8", "q": "i8", "I": "u4", "i": "i4", "H": "u2", "B": "u1"}
    return [(name, kinds[_LETTERS[field.type.cname]]) for name, field in fields_of(c_name)]


def check() -> None:
    """ImportError when the library beside us is not the one that we were built for."""
    if lib.iip_abi_require(Abi.MAJOR, Abi.MINOR) < 0:
        have = lib.iip_abi_version()
        raise ImportError(
            f"libiip has ABI {have >> 16}.{have & 0xFFFF}, this package was built for {Abi.MAJOR:d}.{Abi.MINOR:d}: "
            "install both from one release"
        )
    row, i = ffi.new("struct iip_layout *"), 0
    while lib.iip_layout_get(i, row) == 0:
        _check_row(row)
        i += 1


def _check_row(row: Any) -> None:
    kind = "struct " + ffi.string(row.type).decode()
    if row.field == ffi.NULL:
        ours, theirs, what = ffi.sizeof(kind), row.size, "size"
    else:
        what = ffi.string(row.field).decode()
        ours, theirs = ffi.offsetof(kind, what), row.offset
    if ours != theirs:
        raise ImportError(f"{kind}.{what} is {theirs} in libiip and {ours} here: install both from one release")

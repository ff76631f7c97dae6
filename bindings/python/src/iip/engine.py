"""An engine: an open port with its loops and memory."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from . import addr, view
from ._ffi import ffi, lib
from ._view import Home
from .constants import LogLevel, PortCap, Status
from .errors import check, error_of
from .loop import Loop
from .region import Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

_NUMBERS = {
    name for name, field in ffi.typeof("struct iip_engine_cfg").fields if field.type.cname in ("uint32_t", "uint64_t")
}


def _joined(value: str | Iterable[str], separator: str) -> str:
    return value if isinstance(value, str) else separator.join(value)


class Engine:
    """
    Opens a port: Engine("tap:iip0", "10.0.0.2/24"). A context manager; leaving it closes everything.

    port        "tap:iip0", "pair:a", "sim:w,loss=1%", "pcap:in.pcap", "dpdk:0000:3b:00.0" ...
    addresses   our own, with prefix lengths: a string or a list of them
    routes      "default via 10.0.0.254", ...
    neighbours  permanent ones: "10.0.0.9=02:00:00:00:00:09"
    tunables    {"tcp.mss": 1400, ...}: docs/reference/tunables.md
    key         16 bytes; with `seed` and a simulated port with a virtual clock, a run repeats bit for bit
    others      the numbers of struct iip_engine_cfg by their names: loops, frames, mtu, ring, seed ...
    """

    def __init__(
        self,
        port: str,
        addresses: str | Iterable[str] = (),
        *,
        routes: str | Iterable[str] = (),
        neighbours: str | Iterable[str] = (),
        tunables: Mapping[str, int | str] | None = None,
        pcap: str | os.PathLike[str] | None = None,
        key: bytes = b"",
        **numbers: int,
    ) -> None:
        self._c: Any = ffi.NULL
        self._loops: dict[int, Loop] = {}
        self._regions: set[Region] = set()
        self.home = Home()
        cfg = ffi.new("struct iip_engine_cfg *", {"size": ffi.sizeof("struct iip_engine_cfg")})
        texts = {
            "port": port,
            "addresses": _joined(addresses, " "),
            "routes": _joined(routes, ", "),
            "neighbours": _joined(neighbours, " "),
            "tunables": ",".join(f"{name}={value}" for name, value in (tunables or {}).items()),
            "pcap": os.fspath(pcap) if pcap is not None else "",
        }
        self.addresses, self.routes = texts["addresses"], texts["routes"]
        keep = {name: ffi.new("char[]", text.encode()) for name, text in texts.items() if text}
        for name, text in keep.items():
            setattr(cfg, name, text)
        if key and len(key) != 16:
            raise ValueError(f"key has {len(key)} bytes: give 16")
        cfg.key[0 : len(key)] = list(key)
        for name, number in numbers.items():
            if name not in _NUMBERS or name in ("size", "reserved"):
                raise TypeError(f"Engine has no argument {name!r}")
            setattr(cfg, name, number)
        self._open(cfg)
        del keep

    def _open(self, cfg: Any) -> None:
        out, why = ffi.new("struct iip_engine **"), ffi.new("char[512]")
        status = lib.iip_engine_open(cfg, out, why, 512)
        if status < 0:
            raise error_of(status, ffi.string(why).decode(errors="replace"))
        self._c = out[0]
        self._pid = os.getpid()

    @property
    def c(self) -> Any:
        """struct iip_engine *"""
        if self._c == ffi.NULL:
            raise error_of(Status.E_CLOSED, "the engine is closed")
        return self._c

    @property
    def closed(self) -> bool:
        return bool(self._c == ffi.NULL)

    def _info(self) -> Any:
        info = ffi.new("struct iip_engine_info *", {"size": ffi.sizeof("struct iip_engine_info")})
        check(lib.iip_engine_info_get(self.c, info))
        return info

    @property
    def loops(self) -> int:
        return int(self._info().loops)

    @property
    def mtu(self) -> int:
        return int(self._info().mtu)

    @property
    def mac(self) -> str:
        return ":".join(f"{byte:02x}" for byte in self._info().mac)

    @property
    def link_up(self) -> bool:
        return bool(self._info().link_up)

    @property
    def polls(self) -> bool:
        """The port has no interrupt: a parked loop looks every poll_us."""
        return bool(self._info().polls)

    @property
    def caps(self) -> PortCap:
        return PortCap(self._info().caps)

    @property
    def conns(self) -> int:
        """Live connections of all loops."""
        return int(self._info().conns)

    def loop(self, i: int = 0) -> Loop:
        """Loop i, one object each. Attach a thread to it with `with engine.loop(0) as loop:`."""
        if i not in self._loops:
            out = ffi.new("struct iip_loop **")
            check(lib.iip_engine_loop(self.c, i, out))
            self._loops[i] = Loop(self, out[0], i)
        return self._loops[i]

    def listen(self, address: addr.Address, backlog: int = 0, user: int = 0) -> int:
        """Listens on all loops; the handle. Each loop tells by EventType.DONE if it could."""
        local = ffi.new("struct iip_addr *")
        ffi.memmove(local, addr.pack(address), addr.RECORD.size)
        out = ffi.new("uint64_t *")
        check(lib.iip_engine_listen(self.c, local, backlog, user, out))
        return int(out[0])

    def unlisten(self, listener: int) -> None:
        check(lib.iip_engine_unlisten(self.c, listener))

    def regions(self) -> list[view.View]:
        """The mapped memory that events name by `region` and `offset`: read-only views of the whole of each."""
        n = check(lib.iip_engine_regions(self.c, ffi.NULL, 0))
        infos = ffi.new("struct iip_region_info[]", max(n, 1))
        check(lib.iip_engine_regions(self.c, infos, n))
        return [view.View(self.home, infos[i].base, infos[i].len, 0) for i in range(n)]

    def register(self, data: Buffer) -> Region:
        """Registers memory (bytes, bytearray, an array ...) for Loop.send_region."""
        return Region(self, data)

    def keep(self, region: Region) -> None:
        """The stack may read of it: it lives as long as this engine."""
        self._regions.add(region)

    def let_go(self, region: Region) -> None:
        self._regions.discard(region)

    def inject(self, frame: bytes) -> None:
        """A frame arrives that no peer would send; on a simulated port with a virtual clock only."""
        check(lib.iip_engine_inject(self.c, frame, len(frame)))

    def set_mtu(self, mtu: int) -> None:
        """The wire's MTU changes; on a simulated port with a virtual clock only."""
        check(lib.iip_engine_mtu_set(self.c, mtu))

    def advance(self, us: int) -> int:
        """Moves the virtual clock of a simulated port on; the new time in microseconds."""
        now = ffi.new("uint64_t *")
        check(lib.iip_engine_advance(self.c, us, now))
        return int(now[0])

    def log(self) -> list[tuple[LogLevel, str]]:
        """Takes the records of the log ring."""
        records = ffi.new("struct iip_log_record[64]")
        n = check(lib.iip_engine_log(self.c, records, 64))
        return [(LogLevel(records[i].level), ffi.string(records[i].text).decode(errors="replace")) for i in range(n)]

    def close(self) -> dict[str, int]:
        """
        Aborts connections, closes the port; what was not given back, by kind. BufferError while memoryviews of the
        engine's memory are alive; Error (EBUSY) while another thread is attached to a loop. Twice is harmless.
        """
        if self.closed:
            return {}
        for loop in self._loops.values():
            loop.take_back()
        self.home.close()
        for loop in self._loops.values():
            loop.detach_if_owner()
        leaks = ffi.new("struct iip_leaks *", {"size": ffi.sizeof("struct iip_leaks")})
        status = lib.iip_engine_close(self._c, leaks)
        if status < 0:
            self.home.reopen()
            raise error_of(status)
        self._c = ffi.NULL
        self._regions.clear()
        left = {name: int(getattr(leaks, name)) for name, _ in ffi.typeof(leaks[0]).fields if name != "size"}
        if left["bufs"]:
            warnings.warn(f"{self!r}: {left['bufs']} buffers were not released", ResourceWarning, stacklevel=2)
        return left

    def __repr__(self) -> str:
        return f"<iip.Engine {'closed' if self._c == ffi.NULL else 'open'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_c", ffi.NULL) != ffi.NULL and self._pid == os.getpid():
            warnings.warn(f"{self!r} was never closed", ResourceWarning, source=self, stacklevel=2)
            self.close()

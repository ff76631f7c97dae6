"""
A TCP/IP stack that you integrate.

    import iip

    with iip.Engine("tap:iip0", "10.0.0.2/24") as engine, engine.loop() as loop:
        loop.listen(("", 7))
        while True:
            for event in loop.turn(None):
                if event.type == iip.EventType.DATA:
                    loop.forward(event.src, event)      # the buffer goes back as it is
                elif event.type == iip.EventType.FIN:
                    loop.close(event.src)

Engines and loops are here; blocking sockets for tools are in iip.sock, an event loop for asyncio in iip.aio.
"""

from . import _layout
from ._ffi import ffi as _ffi
from ._ffi import lib as _lib
from .addr import Address
from .constants import (
    ConnState,
    Cores,
    EventFlag,
    EventType,
    LogLevel,
    OpCode,
    OpFlag,
    Option,
    PortCap,
    State,
    Status,
    StatusClass,
    TurnFlag,
)
from .engine import Engine
from .errors import Error, ForkedError, StaleHandleError, WrongThreadError
from .events import Batch, Columns, Event
from .loop import Loop
from .region import Region
from .view import View

_layout.check()

__version__: str = _ffi.string(_lib.iip_version()).decode()


def probe(feature: str) -> bool:
    """Has the library the named feature ("port.dpdk", "tcp.sack", "op.send_extern" ...)?"""
    return bool(_lib.iip_probe(feature.encode()))


__all__ = [
    "Address",
    "Batch",
    "Columns",
    "ConnState",
    "Cores",
    "Engine",
    "Error",
    "Event",
    "EventFlag",
    "EventType",
    "ForkedError",
    "LogLevel",
    "Loop",
    "OpCode",
    "OpFlag",
    "Option",
    "PortCap",
    "Region",
    "StaleHandleError",
    "State",
    "Status",
    "StatusClass",
    "TurnFlag",
    "View",
    "WrongThreadError",
    "probe",
]

"""Datagram endpoints of the stack as asyncio's transports."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import transports
from typing import TYPE_CHECKING, Any

from ..datagrams import Datagrams
from .transport import socket_name

if TYPE_CHECKING:
    from ..addr import Address
    from ..errors import Error
    from ..mux import Mux
    from .loop import EventLoop


class DatagramTransport(Datagrams, transports._FlowControlMixin, asyncio.DatagramTransport):
    """A UDP endpoint. The protocol is called in the context in which it was made."""

    def __init__(self, loop: EventLoop, mux: Mux, protocol: asyncio.DatagramProtocol, peer: Address | None) -> None:
        Datagrams.__init__(self, mux)
        transports._FlowControlMixin.__init__(self, loop=loop)
        self._loop: EventLoop = loop
        self._protocol = protocol
        self._peer = peer
        self._context = contextvars.copy_context()
        self._closer = self._context  # whose connection_lost is
        self._names: dict[str, Any] = {"peername": socket_name(peer)} if peer else {}

    # ---- events ----

    def on_datagram(self, data: bytes, peer: Address) -> None:
        self._loop.run_callback(self._context, self._protocol.datagram_received, data, socket_name(peer))

    def on_error(self, error: Error) -> None:
        self._loop.run_callback(self._context, self._protocol.error_received, error)

    def on_taken(self) -> None:
        if self._protocol_paused:  # type: ignore[attr-defined]
            self._context.run(self._maybe_resume_protocol)  # type: ignore[attr-defined]

    def _end(self) -> None:
        super()._end()
        self._loop.call_soon(self._protocol.connection_lost, None, context=self._closer)

    def opened(self, local: Address) -> None:
        self._names["sockname"] = socket_name(local)
        self._loop.run_callback(self._context.copy(), self._protocol.connection_made, self)

    # ---- asyncio.DatagramTransport ----

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._names.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol  # type: ignore[assignment]

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def get_write_buffer_size(self) -> int:
        return self.queued

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._peer is not None and addr is not None and tuple(addr[:2]) != self._peer:
            raise ValueError(f"Invalid address: must be None or {self._peer}")
        if self._peer is None and addr is None:
            raise ValueError("an endpoint without remote_addr needs an address")
        if not self.close_asked:
            self.send_to(data, None if self._peer else (addr[0], addr[1]))
            self._maybe_pause_protocol()  # type: ignore[attr-defined]

    def is_closing(self) -> bool:
        return self.close_asked

    def close(self) -> None:
        """What was sent still goes out."""
        if not self.close_asked:
            self._closer = contextvars.copy_context()
            Datagrams.close(self)

    def abort(self) -> None:
        """What still waits is lost."""
        self._closer = contextvars.copy_context()
        Datagrams.abort(self)

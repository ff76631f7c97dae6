"""A program of a user, as mypy --strict sees the package: ci/lint checks it, and test_typed.py runs it."""

from __future__ import annotations

import asyncio

import iip
import iip.aio
import iip.sock
from iip import Columns, Engine, Event, EventType, Loop, Option, View


class Collector(iip.aio.ViewProtocol):
    def __init__(self) -> None:
        self.kept: list[View] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer: tuple[str, int] = transport.get_extra_info("peername")

    def view_received(self, view: View) -> None:
        self.kept.append(view)


def total(columns: Columns) -> int:
    lengths: memoryview = columns.len
    return sum(lengths)


def echo(loop: Loop, event: Event) -> int:
    if event.type == EventType.ACCEPT:
        loop.set(event.src, Option.NODELAY, 1)
        host, port = loop.ends(event)[1]
        assert isinstance(host, str)
        assert isinstance(port, int)
        return 0
    if event.type == EventType.DATA:
        with loop.view(event) as data:
            copy = bytes(data)
        loop.send(event.src, copy)
        return len(copy)
    return 0


def talk(server: Loop, client: Loop) -> bytes:
    server.listen(("", 7))
    conn = client.connect(("10.0.0.2", 7))
    for _ in range(1000):
        for event in server.turn():
            echo(server, event)
        for event in client.turn():
            if event.type == EventType.CONNECTED:
                client.send(conn, b"typed")
            elif event.type == EventType.DATA:
                return client.take(event)
    raise TimeoutError


async def asyncio_program() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(Collector, "10.0.0.2", 7)
    protocol.kept.clear()
    transport.close()
    return await asyncio.open_connection("10.0.0.2", 7)


def tool(net: iip.sock.Net) -> bytes:
    with net.connect(("10.0.0.1", 80), timeout=5) as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return s.recv(65536)


def main() -> None:
    try:
        Engine("nonsense:x")
    except iip.Error as error:
        name: str = error.name
        print(name)
    with (
        Engine("pair:typed", "10.0.0.2/24") as far,
        Engine("pair:typed", ["10.0.0.1/24"], tunables={"tcp.mss": 1400}) as near,
        far.loop() as server,
        near.loop() as client,
    ):
        print(talk(server, client))
        client.turn()


if __name__ == "__main__":
    main()

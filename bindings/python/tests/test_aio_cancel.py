"""
Cancelled at each step: an operation runs on a loop that has both ends of a wire, and is cancelled after k steps, for
all k until it is done before that. On a wire of memory a step is a turn of the loop, on one that loses packets a few
milliseconds. Whatever k, nothing is left behind, and the connection beside it keeps its bytes.
"""

import asyncio
import contextlib
import gc

import pytest
from test_aio_ports import SERVER, Ours, both, echo, until

WIRES = {"pair": "pair:cancel", "lossy": "sim:cancel,loss=5%,clock=real"}
STEPS_MAX = 400


@pytest.fixture(params=WIRES)
def wire(request):
    return WIRES[request.param]


@contextlib.asynccontextmanager
async def neighbour():
    """A connection that talks all the while, and is right to the last byte."""
    over = asyncio.Event()

    async def talk():
        reader, writer = await asyncio.open_connection(SERVER, 9)
        n = 0
        while not over.is_set() or not n:
            writer.write(b"%08d" % n)
            assert await reader.readexactly(8) == b"%08d" % n
            n += 1
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()

    async with asyncio.timeout(60), await asyncio.start_server(impatient, SERVER, 9):
        talking = asyncio.create_task(talk())
        yield
        over.set()
        await talking


async def settled():
    """Waits until the loop has no connection, no object and no buffer any more, and no task but this."""
    ports = asyncio.get_running_loop().ports

    def left():
        return [
            *(task for task in asyncio.all_tasks() if task is not asyncio.current_task()),
            *(handle for port in ports for handle in port.stack.conns()),
            *(source for port in ports for source in port.mux._sources.values()),
            *(port for port in ports if port.mux.takers or port.mux.wanting or port.stack.stats()["bufs_held"]),
        ]

    async with asyncio.timeout(60):
        while left():
            await asyncio.sleep(0.001)


async def cancelled_after(steps, step_s, operation):
    """Runs it and cancels it after so many steps; whether it was still running then."""
    task = asyncio.create_task(operation)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(step_s)
    cancelled = task.cancel()
    await asyncio.wait([task], timeout=60)
    assert task.done(), f"cancelled after {steps} steps, and does not end"
    if not task.cancelled():
        task.result()
    return cancelled


async def at_every_step(make, wire):
    failures, loop = [], asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))
    steps, step_s = (range(STEPS_MAX), 0) if wire.startswith("pair") else (range(0, 60, 6), 0.003)
    for k in steps:
        async with neighbour():
            running = await cancelled_after(k, step_s, make())
        await settled()
        gc.collect()
        assert not failures, f"cancelled after {k} steps: {failures}"
        if not running:
            return
    assert step_s, f"still running after {STEPS_MAX} steps"


def run(make, wire):
    with asyncio.Runner(loop_factory=lambda: both(wire)) as runner:
        runner.run(at_every_step(make, wire))


async def open_and_close():
    _, writer = await asyncio.open_connection(SERVER, 7)
    try:
        await asyncio.sleep(0)
    finally:
        writer.close()
    await writer.wait_closed()


async def impatient(reader, writer):
    """Echoes; who closes before all is read resets the connection, as everywhere."""
    with contextlib.suppress(ConnectionError):
        await echo(reader, writer)


async def served(client):
    async with await asyncio.start_server(impatient, SERVER, 7):
        await client()


async def ask(question):
    """Asks by streams; whatever happens, the connection is closed."""
    reader, writer = await asyncio.open_connection(SERVER, 7)
    try:
        await question(reader, writer)
    finally:
        writer.close()


async def read_some(reader, writer):
    writer.write(b"x")
    await reader.read(10)


async def read_exactly(reader, writer):
    for _ in range(3):
        writer.write(b"x")
        await asyncio.sleep(0)
    await reader.readexactly(3)


async def read_until(reader, writer):
    writer.write(b"a line\n")
    await reader.readuntil(b"\n")


async def drain(reader, writer):
    writer.transport.set_write_buffer_limits(high=0)
    for _ in range(5):
        writer.write(bytes(20000))
        await writer.drain()
    await reader.readexactly(100000)


async def wait_closed(reader, writer):
    writer.write(b"x")
    writer.close()
    await writer.wait_closed()


async def timed_out(reader, writer):
    """The timeout is the one to cancel; at some steps both do."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.0003)


async def many_tasks(reader, writer):
    async with asyncio.TaskGroup() as group:
        group.create_task(reader.read(100))
        for _ in range(3):
            group.create_task(drained(writer))


async def drained(writer):
    writer.write(b"piece")
    await writer.drain()


@pytest.mark.parametrize(
    "question",
    [read_some, read_exactly, read_until, drain, wait_closed, timed_out, many_tasks],
    ids=lambda q: q.__name__,
)
def test_streams(question, wire):
    run(lambda: served(lambda: ask(question)), wire)


def test_open_connection(wire):
    run(lambda: served(open_and_close), wire)


def test_open_connection_to_nobody(wire):
    async def nobody():
        with contextlib.suppress(ConnectionRefusedError):
            await open_and_close()

    run(nobody, wire)


def test_serve_forever_and_wait_closed(wire):
    async def serve():
        server = await asyncio.start_server(impatient, SERVER, 7)
        try:
            serving = asyncio.create_task(server.serve_forever())
            await open_and_close()
            serving.cancel()
            await asyncio.wait([serving])
        finally:
            server.close()
            server.abort_clients()
        await server.wait_closed()

    run(serve, wire)


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, echoes=False):
        self.got, self.echoes = asyncio.Event(), echoes

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.got.set()
        if self.echoes:
            self.transport.sendto(data, peer)


async def endpoint(*args, **ends):
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Datagrams(*args), **ends)
    return contextlib.closing(transport), protocol


def test_datagrams(wire):
    async def datagrams():
        opened, _ = await endpoint(True, local_addr=(SERVER, 7))
        with opened:
            asking, asker = await endpoint(remote_addr=(SERVER, 7))
            with asking as transport:
                while not asker.got.is_set():
                    transport.sendto(b"x")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asker.got.wait(), 0.01)

    run(datagrams, wire)


def test_create_connection(wire):
    """Who is cancelled gets no transport: there is nobody else to end the connection."""

    async def connect():  # to the neighbour's server, which waits for the connection's end
        transport, _ = await asyncio.get_running_loop().create_connection(Ours, SERVER, 9)
        transport.abort()

    run(connect, wire)


def test_create_connection_leaves_the_protocol_told(wire):
    """Who was told of a connection is told of its end."""
    made = []

    class Told(Ours):
        def connection_made(self, transport):
            super().connection_made(transport)
            made.append(self)

    async def connect():
        loop = asyncio.get_running_loop()
        async with await loop.create_server(Told, SERVER, 7) as server:
            try:
                transport, _ = await loop.create_connection(Told, SERVER, 7)
                transport.close()
            finally:
                server.close()
                server.abort_clients()
            await until(lambda: all(protocol.lost.done() for protocol in made))

    run(connect, wire)
    assert made
    assert all(protocol.lost.done() for protocol in made)

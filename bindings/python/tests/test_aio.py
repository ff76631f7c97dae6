"""asyncio programs on the stack: each side of the wire is a loop of its own in a thread of its own."""

import asyncio
import hashlib
import ssl
import subprocess
import sys
import threading

import pytest

from iip import Option
from iip.aio import ViewProtocol, loop_factory

SERVER, CLIENT = "10.0.0.2", "10.0.0.1"


def on_stack(main, address, port="pair:aio"):
    with asyncio.Runner(loop_factory=loop_factory(port, f"{address}/24")) as runner:
        return runner.run(main)


class Beside(threading.Thread):
    """Runs a coroutine on the other end of the wire; `done` is an Event that it may wait for."""

    def __init__(self, work, address=SERVER):
        super().__init__(daemon=True)
        self.work, self.address, self.error = work, address, None
        self.ready, self.stop = threading.Event(), None

    async def main(self):
        self.stop = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        await self.work(self)

    def run(self):
        try:
            on_stack(self.main(), self.address)
        except BaseException as error:
            self.error = error
        finally:
            self.ready.set()

    def __enter__(self):
        self.start()
        assert self.ready.wait(100)
        if self.error:
            raise self.error
        return self

    def __exit__(self, *_):
        if self.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
        self.join(100)
        assert not self.is_alive()
        if self.error:
            raise self.error


def serve(handler, **options):
    async def work(beside):
        server = await asyncio.start_server(handler, SERVER, 7, **options)
        beside.ready.set()
        await beside.stop.wait()
        server.close()

    return Beside(work)


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_streams_echo_bulk():
    data = bytes(range(256)) * 8192

    async def client():
        reader, writer = await asyncio.open_connection(SERVER, 7)
        assert writer.get_extra_info("peername") == (SERVER, 7)
        assert writer.get_extra_info("sockname")[0] == CLIENT

        async def send():
            for i in range(0, len(data), 50000):
                writer.write(data[i : i + 50000])
                await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        received = hashlib.sha256()
        while part := await reader.read(65536):
            received.update(part)
        await sending
        writer.close()
        await writer.wait_closed()
        return received.digest()

    with serve(echo):
        assert on_stack(client(), CLIENT) == hashlib.sha256(data).digest()


def test_many_connections_at_once():
    async def one(i):
        reader, writer = await asyncio.open_connection(SERVER, 7)
        writer.write(b"%d" % i)
        writer.write_eof()
        assert await reader.read() == b"%d" % i
        writer.close()

    async def client():
        await asyncio.gather(*(one(i) for i in range(100)))

    with serve(echo):
        on_stack(client(), CLIENT)


def test_no_delay_as_on_every_socket_of_asyncio():
    async def client():
        _, writer = await asyncio.open_connection(SERVER, 7)
        await asyncio.sleep(0.01)
        handle = writer.get_extra_info("iip_handle")
        assert asyncio.get_running_loop().stack.get(handle, Option.NODELAY) == 1
        writer.close()

    with serve(echo):
        on_stack(client(), CLIENT)


def test_a_crowd_in_one_turn():
    """More connections at once than a turn of the native loop takes operations by default."""

    async def client():
        pairs = await asyncio.gather(*(asyncio.open_connection(SERVER, 7) for _ in range(400)))
        for _, writer in pairs:
            writer.write(b"x")
            writer.write_eof()
        for reader, writer in pairs:
            assert await reader.read() == b"x"
            writer.close()

    with serve(echo, backlog=1000):
        on_stack(client(), CLIENT)


def test_refused_and_cancelled():
    async def client():
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(SERVER, 81)
        with pytest.raises(TimeoutError):  # a host that is not there: the connect is cancelled
            async with asyncio.timeout(0.1):
                await asyncio.open_connection("10.0.0.77", 80)
        async with asyncio.timeout(60):
            while asyncio.get_running_loop().engine.conns:
                await asyncio.sleep(0.01)

    with serve(echo):
        on_stack(client(), CLIENT)


def test_reset():
    async def rude(reader, writer):
        await reader.read(1)
        writer.transport.abort()

    async def client():
        reader, writer = await asyncio.open_connection(SERVER, 7)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.close()

    with serve(rude):
        on_stack(client(), CLIENT)


def test_pause_reading_closes_the_window():
    """The writer is held up by a reader that does not read, and everything arrives once it does."""
    total = 8 << 20

    async def client():
        reader, writer = await asyncio.open_connection(SERVER, 7, limit=1 << 14)
        writer.write(b"go")
        await asyncio.sleep(0.3)
        before = asyncio.get_running_loop().stack.stats()["rx_bytes"]
        assert before < total
        n = 0
        while part := await reader.read(1 << 20):
            n += len(part)
        writer.close()
        return n

    async def flood(reader, writer):
        await reader.read(2)
        for _ in range(total >> 16):
            writer.write(bytes(1 << 16))
            await writer.drain()
        writer.close()

    with serve(flood):
        assert on_stack(client(), CLIENT) == total


class Collect(asyncio.BufferedProtocol):
    def __init__(self):
        self.buffer, self.received, self.lost = bytearray(5), bytearray(), asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, n):
        self.received += self.buffer[:n]

    def connection_lost(self, error):
        self.lost.set_result(error)


class Views(ViewProtocol):
    def __init__(self):
        self.views, self.lost = [], asyncio.get_running_loop().create_future()

    def view_received(self, view):
        self.views.append(view)

    def connection_lost(self, error):
        self.lost.set_result(error)


def test_buffered_and_view_protocols():
    async def client():
        loop = asyncio.get_running_loop()
        transport, buffered = await loop.create_connection(Collect, SERVER, 7)
        transport.write(b"more than five bytes")
        transport.write_eof()
        assert await buffered.lost is None
        assert buffered.received == b"more than five bytes"
        transport, views = await loop.create_connection(Views, SERVER, 7)
        transport.write(b"where they lie")
        transport.write_eof()
        await views.lost
        assert b"".join(map(bytes, views.views)) == b"where they lie"
        for view in views.views:
            view.release()

    with serve(echo):
        on_stack(client(), CLIENT)


def test_a_failing_protocol_loses_only_its_connection():
    class Fails(asyncio.Protocol):
        def __init__(self):
            self.lost = asyncio.get_running_loop().create_future()

        def data_received(self, data):
            raise ZeroDivisionError

        def connection_lost(self, error):
            self.lost.set_result(error)

    async def client():
        loop, seen = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
        transport, protocol = await loop.create_connection(Fails, SERVER, 7)
        transport.write(b"x")
        assert isinstance(await protocol.lost, ZeroDivisionError)
        assert isinstance(seen[0], ZeroDivisionError)

    with serve(echo):
        on_stack(client(), CLIENT)


def test_udp():
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, addr):
            self.transport.sendto(data, addr)

    async def work(beside):
        transport, _ = await beside.loop.create_datagram_endpoint(Echo, local_addr=(SERVER, 7))
        beside.ready.set()
        await beside.stop.wait()
        transport.close()

    class Ask(asyncio.DatagramProtocol):
        def __init__(self):
            self.answers, self.errors = asyncio.Queue(), asyncio.Queue()

        def datagram_received(self, data, addr):
            self.answers.put_nowait((data, addr))

        def error_received(self, error):
            self.errors.put_nowait(error)

    async def client():
        loop = asyncio.get_running_loop()
        transport, ask = await loop.create_datagram_endpoint(Ask, remote_addr=(SERVER, 7))
        for data in (b"datagram", b"", bytes(3000)):
            transport.sendto(data)
            assert await asyncio.wait_for(ask.answers.get(), 60) == (data, (SERVER, 7))
        transport.close()
        transport, ask = await loop.create_datagram_endpoint(Ask, remote_addr=(SERVER, 8))
        transport.sendto(b"nobody")
        assert isinstance(await asyncio.wait_for(ask.errors.get(), 60), ConnectionRefusedError)
        transport.close()

    with Beside(work):
        on_stack(client(), CLIENT)


def test_the_kernel_goes_on_working_beside_it():
    """Kernel sockets, pipes, subprocesses, executors, timers and threads on the same loop, while the stack talks."""

    async def client():
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(SERVER, 7)
        kernel = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = kernel.sockets[0].getsockname()[1]
        kernel_reader, kernel_writer = await asyncio.open_connection("127.0.0.1", port)
        for i in range(50):
            kernel_writer.write(b"%d" % i)
            writer.write(b"%d" % i)
            assert await kernel_reader.read(10) == await reader.read(10) == b"%d" % i
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(6 * 7)", stdout=subprocess.PIPE)
        assert (await process.communicate())[0] == b"42\n"
        assert await loop.run_in_executor(None, lambda: threading.get_ident()) != threading.get_ident()
        assert await asyncio.to_thread(len, "abc") == 3
        kernel_writer.close()
        await kernel_writer.wait_closed()
        kernel.close()
        writer.close()

    with serve(echo):
        on_stack(client(), CLIENT)


def test_idle_costs_nothing():
    """A loop that waits for a timer parks: it does not turn round and round."""

    async def client():
        stack = asyncio.get_running_loop().stack
        before = stack.stats()["turns"]
        await asyncio.sleep(0.3)
        return stack.stats()["turns"] - before

    assert on_stack(client(), CLIENT) < 50


@pytest.fixture(scope="module")
def contexts(certificate):
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(*certificate)
    client.load_verify_locations(certificate[0])
    return server, client


def test_tls(contexts):
    server_context, client_context = contexts
    data = bytes(range(256)) * 1024

    async def client():
        reader, writer = await asyncio.open_connection(SERVER, 7, ssl=client_context, server_hostname="iip.test")
        assert writer.get_extra_info("cipher")
        writer.write(data)
        await writer.drain()
        assert await reader.readexactly(len(data)) == data
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(SERVER, 7, ssl=client_context, server_hostname="other.test")

    with serve(echo, ssl=server_context):
        on_stack(client(), CLIENT)


def test_start_tls(contexts):
    server_context, client_context = contexts

    async def upgrade(reader, writer):
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go\n")
        await writer.start_tls(server_context)
        await echo(reader, writer)

    async def client():
        reader, writer = await asyncio.open_connection(SERVER, 7)
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(client_context, server_hostname="iip.test")
        writer.write(b"secret")
        assert await reader.read(6) == b"secret"
        writer.close()

    with serve(upgrade):
        on_stack(client(), CLIENT)


def test_sendfile(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 2000)

    async def client():
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Collect, SERVER, 7)
        with file.open("rb") as source:
            assert await loop.sendfile(transport, source) == 512000
        transport.write_eof()
        await protocol.lost
        assert protocol.received == file.read_bytes()

    with serve(echo):
        on_stack(client(), CLIENT)


def test_server_life():
    async def main():
        server = await asyncio.start_server(echo, SERVER, 7)
        assert server.sockets[0].getsockname() == (SERVER, 7)
        assert server.is_serving()
        with pytest.raises(OSError, match="taken"):
            await asyncio.start_server(echo, SERVER, 7)
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        with pytest.raises(asyncio.CancelledError):
            await serving
        await server.wait_closed()
        with pytest.raises(ValueError, match="make two servers"):
            await asyncio.start_server(echo, [SERVER, "127.0.0.1"], 9)

    on_stack(main(), SERVER)


def test_views_that_live_on_keep_the_stack_open():
    kept = []

    async def client():
        loop = asyncio.get_running_loop()
        transport, views = await loop.create_connection(Views, SERVER, 7)
        transport.write(b"kept")
        while not views.views:
            await asyncio.sleep(0.01)
        kept.append(memoryview(views.views[0]))
        kept.append(loop.engine)
        transport.close()

    with serve(echo):
        with pytest.warns(ResourceWarning, match="stays open"):
            on_stack(client(), CLIENT)
        look, engine = kept
        assert look == b"kept"
        look.release()
        engine.close()

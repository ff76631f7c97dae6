"""Several ports on one loop: both ends of a wire in one program, which lets us see the paths through the mux."""

import asyncio
import contextlib
import itertools
import selectors
import threading
from array import array

import pytest

import iip
from iip import aio
from iip.mux import Stream

SERVER, CLIENT = "10.0.0.2", "10.0.0.1"


def both(port="pair:ports", **options):
    """A loop with the two ends of a wire."""
    loop = aio.EventLoop(port, f"{CLIENT}/24", **options)
    loop.add_port(port, f"{SERVER}/24", **options)
    return loop


def run(main, **options):
    with asyncio.Runner(loop_factory=lambda: both(**options)) as runner:
        return runner.run(asyncio.wait_for(main, 60))


class Ours(asyncio.Protocol):
    """Remembers all that it is told."""

    def __init__(self):
        self.transport, self.data, self.writable = None, bytearray(), True
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data

    def connection_lost(self, error):
        self.lost.set_result(error)

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.writable = True


@contextlib.asynccontextmanager
async def connected(make=Ours):
    """(client's protocol, server's protocol) of a connection that stands."""
    loop, accepted = asyncio.get_running_loop(), []

    def accept():
        accepted.append(make())
        return accepted[-1]

    async with await loop.create_server(accept, SERVER, 7) as server:
        _, client = await loop.create_connection(make, SERVER, 7)
        await until(lambda: accepted and accepted[0].transport)
        yield client, accepted[0]
        server.abort_clients()
        client.transport.abort()
        await client.lost


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def echo(reader, writer):
    with contextlib.closing(writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def test_both_ends_on_one_loop():
    async def main():
        async with await asyncio.start_server(echo, SERVER, 7) as server:
            reader, writer = await asyncio.open_connection(SERVER, 7)
            assert writer.get_extra_info("peername") == (SERVER, 7)
            assert writer.get_extra_info("sockname")[0] == CLIENT
            writer.write(bytes(1 << 20))
            assert await reader.readexactly(1 << 20) == bytes(1 << 20)
            writer.close()
            await writer.wait_closed()
            server.close()

    run(main())


def test_a_wildcard_listens_on_each_port():
    async def main():
        async with await asyncio.start_server(echo, None, 7) as server:
            assert len(server.sockets) == 2
            for host in (SERVER, CLIENT):  # each is reached through the other's port
                reader, writer = await asyncio.open_connection(host, 7)
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                writer.close()

    run(main())


def test_small_and_large_writes_stay_in_order():
    """Some take the lane, some the queue, some are put into the queue after they took the lane."""

    async def main():
        async with connected() as (client, server):
            sent = bytearray()
            for i in range(400):
                for size in (1, 0, i, 3000 if i % 7 == 0 else 2, 70000 if i % 50 == 0 else 1):
                    piece = bytes([i % 256]) * size
                    client.transport.write(bytearray(piece) if i % 3 == 0 else piece)
                    sent += piece
                if i % 5 == 0:
                    await asyncio.sleep(0)
            client.transport.write_eof()
            await until(lambda: len(server.data) >= len(sent))
            assert server.data == sent

    run(main())


def test_what_does_not_fit_into_the_send_buffer_goes_out_later():
    async def main():
        async with connected() as (client, server):
            server.transport.pause_reading()
            client.transport.set_write_buffer_limits(1 << 30)
            sent = bytearray()
            while client.transport.get_write_buffer_size() < 10000 or len(sent) < 1 << 20:
                piece = len(sent).to_bytes(4, "big") * 250
                client.transport.write(piece)
                sent += piece
                await asyncio.sleep(0)
            server.transport.resume_reading()
            await until(lambda: len(server.data) == len(sent))
            assert server.data == sent
            await until(lambda: client.transport.get_write_buffer_size() == 0)

    run(main())


def test_more_writers_than_a_turn_takes_operations():
    async def main():
        async with await asyncio.start_server(echo, SERVER, 7):
            pairs = [await asyncio.open_connection(SERVER, 7) for _ in range(200)]
            for i, (_, writer) in enumerate(pairs):
                writer.write(b"%06d" % i)
            for i, (reader, _) in enumerate(pairs):
                assert await reader.readexactly(6) == b"%06d" % i
            for _, writer in pairs:
                writer.transport.abort()
            await until(lambda: not any(port.engine.conns for port in asyncio.get_running_loop().ports))

    run(main(), op_cap=64, event_cap=32)


def test_more_connections_at_once_than_a_turn_takes_operations():
    async def main():
        async with await asyncio.start_server(echo, SERVER, 7, backlog=1000):
            pairs = await asyncio.gather(*(asyncio.open_connection(SERVER, 7) for _ in range(300)))
            for reader, writer in pairs:
                writer.write(b"x")
                assert await reader.readexactly(1) == b"x"
                writer.close()

    run(main(), op_cap=64, event_cap=32)


def test_no_data_is_delivered_while_reading_is_paused():
    """Also what came in the same batch as that which made the protocol pause."""

    class Pauses(Ours):
        def data_received(self, data):
            assert self.transport.is_reading()
            super().data_received(data)
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.001, self.transport.resume_reading)

    async def main():
        async with connected(Pauses) as (client, server):
            sent = b"".join(b"%07d" % i for i in range(5000))
            client.transport.write(sent)
            await until(lambda: len(server.data) == len(sent))
            assert server.data == sent

    run(main())


def test_limits_pause_and_resume_a_writer():
    async def main():
        async with connected() as (client, server):
            server.transport.pause_reading()
            client.transport.set_write_buffer_limits(high=0)
            client.transport.write(b"x")
            assert not client.writable
            await until(lambda: client.writable)
            client.transport.set_write_buffer_limits(high=100000, low=1000)
            assert client.transport.get_write_buffer_limits() == (1000, 100000)
            while client.writable:
                client.transport.write(bytes(2000))
                await asyncio.sleep(0)
            server.transport.resume_reading()
            await until(lambda: client.writable)
            client.transport.write(b"small")  # in the lane, where nobody counts it
            client.transport.set_write_buffer_limits(high=1)
            await until(lambda: client.writable and not client.transport.get_write_buffer_size())

    run(main())


@pytest.mark.parametrize("how", ["close", "abort"])
def test_closed_after_a_write_in_the_same_step(how):
    """close sends what was written just before, abort does not."""

    async def main():
        async with connected() as (client, server):
            client.transport.write(b"last words")
            getattr(client.transport, how)()
            client.transport.write(b"ignored")
            error = await server.lost
            assert server.data == (b"last words" if how == "close" else b"")
            assert error is None if how == "close" else isinstance(error, ConnectionResetError)

    run(main())


def test_kernel_sockets_are_served_while_the_stack_is_busy():
    async def main():
        kernel = await asyncio.start_server(echo, "127.0.0.1", 0)
        port, done = kernel.sockets[0].getsockname()[1], asyncio.Event()

        async def chat():
            reader, writer = await asyncio.open_connection(SERVER, 7)
            while not done.is_set():
                writer.write(b"x")
                await reader.readexactly(1)
            writer.close()

        async with await asyncio.start_server(echo, SERVER, 7):
            chats = [asyncio.create_task(chat()) for _ in range(4)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(50):
                writer.write(b"y")
                assert await reader.readexactly(1) == b"y"
            done.set()
            await asyncio.gather(*chats)
            writer.close()
            kernel.close()

    run(main())


def test_an_interrupt_in_the_midst_of_a_batch_loses_nothing_of_the_others():
    class Interrupts(Ours):
        def data_received(self, data):
            super().data_received(data)
            if data == b"stop":
                raise KeyboardInterrupt

    loop, pairs = both(), []

    async def connect():
        accepted = []

        def accept():
            accepted.append(Interrupts())
            return accepted[-1]

        server = await loop.create_server(accept, SERVER, 7)
        for i in range(5):
            _, client = await loop.create_connection(Ours, SERVER, 7)
            await until(lambda i=i: len(accepted) == i + 1)
            pairs.append((client, accepted[i]))
        server.close()

    async def write_all():
        for i, (client, _) in enumerate(pairs):
            client.transport.write(b"stop" if i == 1 else b"%d" % i)
        await asyncio.sleep(60)

    with contextlib.closing(loop):
        loop.run_until_complete(connect())
        writing = loop.create_task(write_all())
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        assert not pairs[4][1].data
        loop.run_until_complete(until(lambda: pairs[4][1].data))
        assert [bytes(server.data) for _, server in pairs] == [b"0", b"stop", b"2", b"3", b"4"]
        writing.cancel()
        for client, server in pairs:
            client.transport.abort()
            server.transport.abort()
        loop.run_until_complete(until(lambda: all(one.lost.done() for pair in pairs for one in pair)))


def test_nobody_is_accepted_while_the_loop_closes():
    made, loop = [], both()

    def accept():
        made.append(Ours())
        return made[-1]

    async def main():
        await loop.create_server(accept, SERVER, 7)
        _, client = await loop.create_connection(Ours, SERVER, 7)
        client.transport.close()  # what closing the loop waits for
        loop.mux.connect(Stream(loop.mux), (SERVER, 7))

    loop.run_until_complete(main())
    loop.close()
    assert len(made) <= 1


def test_last_words_of_a_thread_that_has_to_wait_for_its_processor(monkeypatch):
    """Seconds go by between any two steps of closing the loop; what was written before goes out all the same."""
    loop, accepted = both(), []

    def accept():
        accepted.append(Ours())
        return accepted[-1]

    async def main():
        await loop.create_server(accept, SERVER, 7)
        _, client = await loop.create_connection(Ours, SERVER, 7)
        client.transport.write(bytes(1_000_000))
        client.transport.close()

    loop.run_until_complete(main())
    clock = itertools.count(step=5.0)
    monkeypatch.setattr("iip.aio.selector.time.monotonic", lambda: next(clock))
    loop.close()
    monkeypatch.undo()
    assert [len(protocol.data) for protocol in accepted] == [1_000_000]


def test_no_sleep_over_what_a_turn_brought_about(monkeypatch):
    """A turn without events that takes what was written resumes its writer, who must not wait for somebody else."""
    sleeps = []

    def select(selector, timeout=None):
        ready = asyncio.get_running_loop()._ready
        sleeps.append((timeout, len(ready)))
        return original(selector, 0 if ready else timeout)

    original = selectors.EpollSelector.select
    monkeypatch.setattr(selectors.EpollSelector, "select", select)

    async def main():
        _, writer = await asyncio.open_connection(SERVER, 7)
        for _ in range(10):
            writer.write(bytes(100_000))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    def far(ready, over):
        with iip.Engine("pair:no-sleep", f"{SERVER}/24") as engine, engine.loop() as loop:
            loop.listen(("", 7))
            ready.set()
            while not over.is_set():
                loop.release_columns(memoryview(array("Q", [event.buf for event in loop.turn(0.1) if event.buf])))

    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=far, args=[ready, over])
    thread.start()
    assert ready.wait(60)
    try:
        with asyncio.Runner(loop_factory=aio.loop_factory("pair:no-sleep", f"{CLIENT}/24")) as runner:
            runner.run(asyncio.wait_for(main(), 60))
    finally:
        over.set()
        thread.join()
    assert [sleep for sleep in sleeps if sleep[0] != 0 and sleep[1]] == []

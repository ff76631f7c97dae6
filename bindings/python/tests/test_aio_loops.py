"""asyncio on the loops of an engine that somebody else opened: one a thread, and one after the other."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import iip
from iip import aio

SERVER, CLIENT = "10.0.0.2", "10.0.0.1"


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def ask(text):
    reader, writer = await asyncio.open_connection(SERVER, 7)
    writer.write(text)
    assert await reader.readexactly(len(text)) == text
    writer.close()
    await writer.wait_closed()


def on(loop, main):
    with asyncio.Runner(loop_factory=aio.loop_factory(loop)) as runner:
        return runner.run(asyncio.wait_for(main, 60))


class Threads:
    """A thread for each of the works; what they raise is raised at the end."""

    def __init__(self, loops, work):
        self.failures = []
        self.threads = [threading.Thread(target=self._run, args=(loop, work)) for loop in loops]

    def _run(self, loop, work):
        try:
            on(loop, work())
        except BaseException as failure:
            self.failures.append(failure)

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()
        assert self.failures == []


def test_a_loop_a_thread():
    """Whichever loop a packet comes to, its connection answers: sixteen of them, on two loops at either end."""
    ready, over = threading.Barrier(3), threading.Event()
    done = threading.Barrier(2)

    async def serve():
        async with await asyncio.start_server(echo, SERVER, 7):
            await asyncio.to_thread(ready.wait)
            await asyncio.to_thread(over.wait)

    async def call():
        await asyncio.gather(*(ask(bytes([i]) * 3000) for i in range(8)))
        await asyncio.to_thread(done.wait)  # turns for the other loop as well, as long as that is not done

    with (
        iip.Engine("pair:loops", f"{SERVER}/24", loops=2) as far,
        iip.Engine("pair:loops", f"{CLIENT}/24", loops=2) as near,
    ):
        assert far.loops == near.loops == 2
        with Threads([far.loop(0), far.loop(1)], serve):
            try:
                ready.wait(60)
                with Threads([near.loop(0), near.loop(1)], call):
                    pass
            finally:
                over.set()
        assert sum(near.loop(i).counters()["tcp_active"] for i in range(2)) == 16
        assert near.close()["bufs"] == 0


@pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning", "ignore:loop is closed:ResourceWarning")
@pytest.mark.parametrize("ends", ["as it should", "in the middle"])
def test_one_after_the_other_on_one_loop(ends):
    """The engines stay open, and what one event loop left is over: its ports can be listened on again."""

    async def main(near):
        running = asyncio.get_running_loop()
        running.add_port(near)
        server = await asyncio.start_server(echo, SERVER, 7)
        datagrams, _ = await running.create_datagram_endpoint(asyncio.DatagramProtocol, (SERVER, 9))
        reader, writer = await asyncio.open_connection(SERVER, 7)
        writer.write(b"x" * 100000)
        if ends == "as it should":
            await reader.readexactly(100000)
            for each in (writer, server, datagrams):
                each.close()

    engines = iip.Engine("pair:again", f"{SERVER}/24"), iip.Engine("pair:again", f"{CLIENT}/24")
    far, near = (engine.loop() for engine in engines)
    for _ in range(3):
        on(far, main(near))
        assert [engine.conns for engine in engines] == [0, 0]
        for loop in (far, near):
            loop.attach()  # nobody has it
            loop.detach()
    gc.collect()
    assert [sum(engine.close().values()) for engine in engines] == [0, 0]


def test_a_loop_brings_its_own_options():
    with iip.Engine("pair:own", f"{SERVER}/24") as engine:
        with pytest.raises(TypeError, match="give none beside it"):
            aio.EventLoop(engine.loop(), f"{SERVER}/24")
        aio.EventLoop(engine.loop()).close()


def test_a_loop_that_another_thread_has():
    with (
        iip.Engine("pair:had", f"{SERVER}/24") as engine,
        engine.loop(),
        ThreadPoolExecutor(1) as elsewhere,
        pytest.raises(OSError, match="IIP_E_BUSY"),
    ):
        elsewhere.submit(aio.EventLoop, engine.loop()).result()

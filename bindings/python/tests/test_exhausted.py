"""Pools that run out: nothing is lost, nothing hangs, and what was refused goes on when there is room."""

import asyncio
import threading

import pytest

import iip
from iip import EventType
from iip.aio import loop_factory

CONNS, BYTES = 40, 300_000


def content(i):
    return bytes((i + k) % 251 for k in range(1000)) * (BYTES // 1000)


def test_streams_get_over_a_pool_that_runs_out():
    """Send queues of all connections want more buffers than there are; each stream arrives whole."""
    ready, over = threading.Event(), threading.Event()
    stacks = []

    async def source(reader, writer):
        i = int(await reader.readline())
        writer.write(content(i))
        await writer.drain()
        writer.close()

    async def serve():
        await asyncio.start_server(source, "10.0.0.2", 7)
        stacks.append(asyncio.get_running_loop().stack)
        ready.set()
        await asyncio.to_thread(over.wait)

    def beside():
        with asyncio.Runner(loop_factory=loop_factory("pair:few", "10.0.0.2/24", frames=512)) as runner:
            runner.run(serve())

    async def fetch(i, gate):
        reader, writer = await asyncio.open_connection("10.0.0.2", 7)
        writer.write(b"%d\n" % i)
        await gate.wait()
        data = await reader.read(-1)
        writer.close()
        return data == content(i)

    async def fetch_all():
        gate = asyncio.Event()
        fetching = [asyncio.create_task(fetch(i, gate)) for i in range(CONNS)]
        while not stacks[0].stats()["ops_failed"]:  # the server's queues fill up, until the pool runs out
            await asyncio.sleep(0.01)
        gate.set()
        return await asyncio.gather(*fetching)

    thread = threading.Thread(target=beside)
    thread.start()
    assert ready.wait(100)
    try:
        with asyncio.Runner(loop_factory=loop_factory("pair:few", "10.0.0.1/24")) as runner:
            right = runner.run(asyncio.wait_for(fetch_all(), 120))
    finally:
        over.set()
        thread.join(60)
    assert right == [True] * CONNS


def test_buffers_to_write_into_run_out_and_come_back(ends):
    server, _ = ends
    taken = []

    def take_all():
        while True:
            taken.append(server.buffer()[0])

    with pytest.raises(iip.Error) as caught:
        take_all()
    assert caught.value.name == "IIP_E_NOBUFS"
    assert caught.value.kind == iip.StatusClass.RESOURCE
    for buf in taken:
        server.release(buf)
    server.turn()
    buf, room = server.buffer()
    assert len(room) > 1000
    server.release(buf)
    server.turn()
    assert server.stats()["bufs_held"] == 0


def test_received_bytes_that_nobody_releases_stop_their_sender_and_nobody_else(ends):
    """One connection's bytes are kept, all of them; another goes on, and the first does when they are released."""
    server, client = ends
    server.listen(("", 7))
    slow, quick = client.connect(("10.0.0.2", 7)), client.connect(("10.0.0.2", 7))
    slow_end, accepted, kept, sent, answered = None, 0, [], 0, 0
    for _ in range(3000):
        for event in server.turn():
            if event.type == EventType.ACCEPT:
                accepted += 1
            elif event.type == EventType.DATA:
                if server.conn_info(event.src)["peer"] == slow_end:
                    kept.append(server.view(event))
                else:
                    server.forward(event.src, event)
        for event in client.turn():
            if event.type == EventType.CONNECTED and event.src == slow:
                slow_end = client.ends(event)[0]
            if event.type == EventType.DATA:
                answered += event.len
                client.release(event.buf)
        if accepted == 2:
            i = client.send(slow, bytes(8192))
            client.send(quick, b"tick")
            client.turn()
            sent += client.result(i)[0]
    held = sum(map(len, kept))
    assert answered > 1000
    assert held <= sent < 3000 * 8192
    for view in kept:
        view.release()
    kept.clear()
    got = 0
    for _ in range(3000):
        for event in client.turn():
            if event.type == EventType.DATA:  # a late answer
                client.release(event.buf)
        for event in server.turn():
            if event.type == EventType.DATA:
                got += event.len * (server.conn_info(event.src)["peer"] == slow_end)
                server.release(event.buf)
        if held + got == sent:
            break
    assert held + got == sent

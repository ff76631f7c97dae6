"""
Unmodified applications on the stack: an aiohttp server and a uvicorn app, every body verified, over a wire that loses.

IIP_REQUESTS says how many requests each of them answers (ci/soak asks for 100,000).
"""

import asyncio
import contextlib
import hashlib
import os
import threading

import pytest

from iip.aio import loop_factory

aiohttp_web = pytest.importorskip("aiohttp.web")
uvicorn = pytest.importorskip("uvicorn")

SERVER, CLIENT, CONNS = "10.0.0.2", "10.0.0.1", 16
REQUESTS = int(os.environ.get("IIP_REQUESTS", "2000"))
PATIENCE_S = 600
WIRES = ["pair:apps", "sim:apps,seed=5,loss=1%,clock=real"]


def body(n):
    """What /bytes/n must answer."""
    return hashlib.sha256(b"%d" % n).digest() * (n // 32) + b"." * (n % 32)


async def asgi_app(scope, receive, send):
    assert scope["type"] == "http"
    data = body(int(scope["path"].rsplit("/", 1)[1]))
    length = [(b"content-length", b"%d" % len(data))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": data})


@contextlib.asynccontextmanager
async def uvicorn_server():
    class Server(uvicorn.Server):
        capture_signals = contextlib.nullcontext  # signals belong to the main thread, and this is not it

    # the client may take its time between two requests, on a machine that is busy
    config = uvicorn.Config(
        asgi_app, host=SERVER, port=80, lifespan="off", log_level="error", timeout_keep_alive=PATIENCE_S
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await serving


@contextlib.asynccontextmanager
async def aiohttp_server():
    async def handler(request):
        return aiohttp_web.Response(body=body(int(request.match_info["n"])))

    app = aiohttp_web.Application()
    app.router.add_get("/bytes/{n}", handler)
    runner = aiohttp_web.AppRunner(app, access_log=None, keepalive_timeout=PATIENCE_S)
    await runner.setup()
    await aiohttp_web.TCPSite(runner, SERVER, 80).start()
    yield
    await runner.cleanup()


async def ask(first):
    """One connection's requests, one after the other; how many bodies were right."""
    right = 0
    reader, writer = await asyncio.open_connection(SERVER, 80)
    for i in range(first, REQUESTS, CONNS):
        n = i * 37 % 5000
        writer.write(b"GET /bytes/%d HTTP/1.1\r\nHost: iip.test\r\n\r\n" % n)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(n) == body(n)
        right += 1
    writer.close()
    return right


async def ask_all():
    return await asyncio.gather(*(ask(first) for first in range(CONNS)))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("server", [aiohttp_server, uvicorn_server])
def test_unmodified_servers(server, wire):
    ready, ends = threading.Event(), []

    async def serve():
        over = asyncio.Event()
        ends.append((asyncio.get_running_loop(), over))
        async with server():
            ready.set()
            await over.wait()

    def beside():
        with asyncio.Runner(loop_factory=loop_factory(wire, f"{SERVER}/24")) as runner:
            runner.run(serve())

    thread = threading.Thread(target=beside)
    thread.start()
    assert ready.wait(100)
    try:
        with asyncio.Runner(loop_factory=loop_factory(wire, f"{CLIENT}/24")) as runner:
            answered = runner.run(ask_all())
    finally:
        loop, over = ends[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(100)
    assert not thread.is_alive()
    assert sum(answered) == REQUESTS
    print(f"{server.__name__} over {wire}: {sum(answered)} requests, every body right")

#!/usr/bin/env python3
"""HTTP server: an ordinary aiohttp application; that it runs on the stack is said in one line, its loop factory."""

import asyncio
import hashlib
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from iip.aio import EventLoop

from iip_example import Parser, Run, number, pattern, run, say_ready

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MOST = 1 << 40  # bytes that /bytes/N serves
CHUNK = 1 << 18


async def get_bytes(request: web.Request) -> web.StreamResponse:
    text = request.match_info["n"]
    if not text.isdecimal() or int(text) > MOST:
        raise web.HTTPNotFound
    length = int(text)
    response = web.StreamResponse(headers={"Content-Length": str(length), "Content-Type": "application/octet-stream"})
    await response.prepare(request)
    for offset in range(0, length if request.method == "GET" else 0, CHUNK):
        await response.write(pattern(offset, min(CHUNK, length - offset)))
    return response


async def put_sink(request: web.Request) -> web.Response:
    length, digest = 0, hashlib.sha256()
    async for part in request.content.iter_any():
        length += len(part)
        digest.update(part)
    return web.Response(text=f"{length} {digest.hexdigest()}\n")


def file_below(root: Path, path: str) -> Path:
    """A file below the root that neither the path nor a symbolic link leaves."""
    found = (root / path.lstrip("/")).resolve()
    if found.is_dir():
        found /= "index.html"
    if "\0" in path or not found.is_relative_to(root) or not found.is_file():
        raise web.HTTPNotFound
    return found


def application(root: Path | None, counted: Run, body_max: int) -> web.Application:
    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        counted.count("requests")
        return await handler(request)

    async def get_file(request: web.Request) -> web.FileResponse:
        if root is None:
            raise web.HTTPNotFound
        return web.FileResponse(file_below(root, request.match_info["path"]))

    app = web.Application(middlewares=[count], client_max_size=body_max)
    app.router.add_get("/bytes/{n}", get_bytes)
    app.router.add_put("/sink", put_sink)
    app.router.add_get("/{path:.*}", get_file)
    return app


async def serve(args, counted: Run) -> None:
    loop = asyncio.get_running_loop()
    root = Path(args.root).resolve() if args.root else None
    runner = web.AppRunner(
        application(root, counted, args.body_max), access_log=None, keepalive_timeout=args.idle_timeout
    )
    over = asyncio.Event()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number_, over.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: counted.write_stats(loop.stack))
    if args.duration:
        loop.call_later(args.duration, over.set)
    await runner.setup()
    await web.TCPSite(runner, None, args.listen, backlog=1024).start()
    say_ready(args.addr[0] if args.addr else "*", args.listen)
    await over.wait()
    await runner.cleanup()
    counted.write_stats(loop.stack)


def main() -> int:
    parser = Parser("iip_http", "HTTP server: GET and HEAD of a directory and of /bytes/N, PUT /sink", listen=80)
    parser.add_argument("--root", metavar="DIR", help="directory to serve")
    parser.add_argument("--idle-timeout", type=float, default=75.0, metavar="S", help="of a kept-alive connection")
    parser.add_argument("--body-max", type=number(0, 1 << 62), default=1 << 40, metavar="BYTES", help="of a request")
    args = parser.parse_args()
    if args.root and not Path(args.root).is_dir():
        parser.error(f"--root {args.root}: is no directory")
    options = parser.engine_options(args)
    counted = Run("iip_http", args)
    with asyncio.Runner(loop_factory=lambda: EventLoop(**options)) as runner:
        runner.run(serve(args, counted))
    return 0


if __name__ == "__main__":
    run("iip_http", main)

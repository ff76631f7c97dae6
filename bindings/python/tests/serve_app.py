#!/usr/bin/env python3
"""
An unmodified application that answers every GET of /body with a file: what c/tests/interop/requests.py fetches.

    serve_app.py aiohttp|uvicorn --port STRING --addr A/PLEN --listen PORT --body FILE [--tls CERT KEY]
"""

import argparse
import asyncio
import contextlib
import pathlib
import signal
import ssl

import uvicorn
from aiohttp import web

from iip.aio import loop_factory

PATIENCE_S = 600  # with a client that takes its time between two requests


async def serve_aiohttp(args: argparse.Namespace, body: bytes) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body)

    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    app = web.Application()
    app.router.add_get("/body", page)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=PATIENCE_S)
    await runner.setup()
    await web.TCPSite(runner, args.addr.split("/")[0], args.listen, ssl_context=context).start()
    await over.wait()
    await runner.cleanup()


async def serve_uvicorn(args: argparse.Namespace, body: bytes) -> None:
    async def app(scope, receive, send) -> None:
        assert scope["type"] == "http"
        assert scope["path"] == "/body"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    certificate, key = args.tls or (None, None)
    config = uvicorn.Config(
        app,
        host=args.addr.split("/")[0],
        port=args.listen,
        lifespan="off",
        log_level="error",
        timeout_keep_alive=PATIENCE_S,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("application", choices=("aiohttp", "uvicorn"))
    parser.add_argument("--port", required=True)
    parser.add_argument("--addr", required=True)
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--body", type=pathlib.Path, required=True)
    parser.add_argument("--tls", nargs=2)
    args = parser.parse_args()
    serve = {"aiohttp": serve_aiohttp, "uvicorn": serve_uvicorn}[args.application]
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=loop_factory(args.port, args.addr)) as runner,
    ):
        runner.run(serve(args, args.body.read_bytes()))


if __name__ == "__main__":
    main()

"""Run by test_tap.py in a namespace: an aiohttp server with TLS on a TAP device, fetched by the kernel's curl."""

import asyncio
import hashlib
import ssl
import sys

from aiohttp import web

from iip.aio import loop_factory

PAGE = bytes(range(256)) * 4096


async def run(*words):
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    return out


async def main(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def page(request):
        return web.Response(body=PAGE)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "10.99.0.2", 443, ssl_context=context).start()
    await run("ip", "addr", "add", "10.99.0.1/24", "dev", "iiptls")
    await run("ip", "link", "set", "iiptls", "up")
    resolve = ["--resolve", "iip.test:443:10.99.0.2"]
    got = await run(
        "curl",
        "--silent",
        "--fail",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--cacert",
        cert,
        *resolve,
        "https://iip.test/",
    )
    assert hashlib.sha256(got).digest() == hashlib.sha256(PAGE).digest()
    await runner.cleanup()
    print(f"{len(got)} bytes by TLS")


with asyncio.Runner(loop_factory=loop_factory("tap:iiptls", "10.99.0.2/24")) as loop_runner:
    loop_runner.run(main(*sys.argv[1:]))

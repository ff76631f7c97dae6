import asyncio
import threading

import iip.aio


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def server(ready, over):
    await asyncio.start_server(echo, "10.0.0.2", 7)
    ready.set()
    await asyncio.to_thread(over.wait)


async def client():
    reader, writer = await asyncio.open_connection("10.0.0.2", 7)
    writer.write(b"hello")
    print(await reader.read(5))
    writer.close()


def on_stack(main, address):
    # "pair:demo" is a wire in memory with two ends; "tap:iip0" or "dpdk:0000:3b:00.0" is one to the world
    with asyncio.Runner(loop_factory=iip.aio.loop_factory("pair:demo", f"{address}/24")) as runner:
        runner.run(main)


ready, over = threading.Event(), threading.Event()
beside = threading.Thread(target=lambda: on_stack(server(ready, over), "10.0.0.2"))
beside.start()
ready.wait()
on_stack(client(), "10.0.0.1")
over.set()
beside.join()

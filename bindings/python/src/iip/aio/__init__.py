"""
asyncio on the stack. An unmodified program runs on it by its loop factory:

    with asyncio.Runner(loop_factory=iip.aio.loop_factory("tap:iip0", "10.0.0.2/24")) as runner:
        runner.run(main())                  # from Python 3.12 on: asyncio.run(main(), loop_factory=...)

What concerns the stack's own addresses, and peers that it has a route to, goes to the stack: create_server,
create_connection, create_datagram_endpoint and all that stands on them (streams, TLS, aiohttp, uvicorn ...). Everything
else, `sock=` and other addresses, pipes, subprocesses, signals, executors, is asyncio's own, on the same loop.
"""

from .datagram import DatagramTransport
from .loop import EventLoop, loop_factory
from .transport import StreamTransport, ViewProtocol

__all__ = ["DatagramTransport", "EventLoop", "StreamTransport", "ViewProtocol", "loop_factory"]

"""The connections of iip_http, and what all of them share: time limits, counts, and buffers when they are few."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from iip.aio import EventLoop

from http_connection import Connection, Gone, Limit
from http_site import Site

SCARCE_S = 1.0  # when buffers are few, those who do not read what they asked for hold what others wait for
TICK_S = 0.25


class Server:
    def __init__(
        self, site: Site, count: Callable[..., None], head_s: float, body_s: float, idle_s: float, body_max: int
    ) -> None:
        self.site, self.count = site, count
        self.head_s, self.body_s, self.idle_s, self.body_max = head_s, body_s, idle_s, body_max
        self._answering: dict[Connection, Limit] = {}
        self._tasks: dict[asyncio.Task[None], Connection] = {}

    async def serve(self, port: int) -> asyncio.AbstractServer:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, EventLoop)
        self._stack = loop.stack
        self._few = loop.stack.stats()["frames_free"] // 4
        self._watch = loop.create_task(self._part_with_who_does_not_read())
        return await asyncio.start_server(self._accepted, "", port, backlog=1024)

    async def end(self) -> None:
        """Aborts every connection."""
        self._watch.cancel()
        for connection in self._tasks.values():
            connection.writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.count("accepted")
        self._tasks[task] = connection = Connection(self, reader, writer)
        try:
            with contextlib.suppress(OSError):  # the peer's reset, most of all
                await connection.run()
        finally:
            del self._tasks[task]
            self.count("closed")

    @contextlib.asynccontextmanager
    async def answering(self, connection: Connection) -> AsyncIterator[Limit]:
        """While an answer is being sent: the peer must take some of it now and then."""
        try:
            async with Limit(self.body_s) as limit:
                self._answering[connection] = limit
                yield limit
        except TimeoutError:
            self.count("timeouts")
            connection.writer.transport.abort()  # it does not read what it asked for
            raise Gone from None
        finally:
            self._answering.pop(connection, None)

    async def _part_with_who_does_not_read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            if self._stack.stats()["frames_free"] >= self._few:
                continue
            for connection, limit in list(self._answering.items()):
                if loop.time() - limit.since >= SCARCE_S and not self._waits_for_us(connection):
                    limit.end()

    def _waits_for_us(self, connection: Connection) -> bool:
        """Its peer took all that there was: it waits for a buffer of ours."""
        info = connection.writer.get_extra_info("iip_info")
        return bool(info) and info["unacked"] + info["unsent"] == 0

"""--serve of iip_load, and the server of --self: answers what the client's mode asks for."""

from __future__ import annotations

import asyncio

from iip_example import Work
from load_talk import answer


class Serve(Work):
    async def begin(self) -> None:
        self._talks: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}
        await asyncio.start_server(self._answer, "", self.args.listen, backlog=1024)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._talks[task] = writer
        try:
            await answer(self.args.mode, self.args.bytes or 1 << 62, self.count, reader, writer)
        finally:
            del self._talks[task]

    async def finish(self) -> None:
        for writer in self._talks.values():
            writer.transport.abort()
        if self._talks:
            await asyncio.wait([task for task in self._talks if task], timeout=10)

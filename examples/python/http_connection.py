"""One connection of iip_http: from request to answer to the next request."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING

import http_parser
from http_parser import HEAD_MAX, Chunks, Refused, Request
from http_site import Body, text

if TYPE_CHECKING:
    from http_server import Server

LINGER_S = 5
PROGRESS = 16384  # bytes of a body that --body-timeout is for
DISCARD_MAX = 1 << 20  # of a body that nobody asked for
REASONS = {413: "Content Too Large"}
KNOWN = (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")


class Gone(Exception):
    """The peer said its last byte where no more was expected, or does not take part any more."""


def reason(status: int) -> str:
    return REASONS.get(status) or HTTPStatus(status).phrase


class Limit:
    """A time limit that starts anew with every 16 KiB."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.since = asyncio.get_running_loop().time()
        self._timeout = asyncio.timeout_at(self.since + seconds)
        self._bytes = 0

    def advance(self, n: int) -> None:
        self._bytes += n
        if self._bytes >= PROGRESS:
            self.restart()

    def restart(self) -> None:
        self._bytes = 0
        self.since = asyncio.get_running_loop().time()
        self._timeout.reschedule(self.since + self.seconds)

    def end(self) -> None:
        self._timeout.reschedule(0)

    async def __aenter__(self) -> Limit:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, value, trace)  # raises TimeoutError


class Connection:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.data = bytearray()  # received and not used yet
        self.keep = True  # another request may follow
        self.head_only = False  # HEAD: the answer has no body
        writer.transport.set_write_buffer_limits(high=2 * PROGRESS, low=PROGRESS)

    async def run(self) -> None:
        try:
            while self.keep and await self.wait_for_request():
                try:
                    await self.one_request()
                except Refused as refused:
                    await self.refuse(refused.status)
            await self.linger()
        except Gone:
            pass
        finally:
            self.writer.close()

    async def more(self) -> bool:
        part = await self.reader.read(1 << 16)
        self.data += part
        return bool(part)

    # ---- the head ----

    async def wait_for_request(self) -> bool:
        """False: the peer has no more. Empty lines before a request are forgiven. [RFC 9112 2.2]"""
        try:
            async with asyncio.timeout(self.server.idle_s):
                while True:
                    while self.data.startswith((b"\r", b"\n")):
                        del self.data[:1]
                    if self.data:
                        return True
                    if not await self.more():
                        return False
        except TimeoutError:
            self.server.count("timeouts")
            raise Gone from None

    async def read_head(self) -> Request:
        scanned = 0
        while not (end := http_parser.head_end(self.data[:HEAD_MAX], scanned)):
            scanned = len(self.data)
            if scanned >= HEAD_MAX:
                raise Refused(431 if b"\n" in self.data[:HEAD_MAX] else 414)
            if not await self.more():
                raise Gone
        head = bytes(self.data[:end])
        del self.data[:end]
        self.server.count("requests")
        return http_parser.read_request(head)

    async def one_request(self) -> None:
        self.head_only = False
        if not 0x41 <= self.data[0] <= 0x7A:  # TLS, or noise: no need to wait for the rest
            raise Refused(400)
        try:
            async with asyncio.timeout(self.server.head_s):
                request = await self.read_head()
        except TimeoutError:
            self.server.count("timeouts")
            raise Refused(408) from None
        self.head_only = request.method == b"HEAD"
        self.keep = request.keep_alive
        await self.answer(request)

    # ---- the answer ----

    async def answer(self, request: Request) -> None:
        path = http_parser.path_of(request.target)
        if path == b"/sink" and request.method in (b"PUT", b"POST"):
            await self.answer_sink(request)
            return
        status, body, fields = self.find(request, path)
        try:
            if request.has_body and (request.length or 0) > DISCARD_MAX:
                raise Refused(413)
            if request.has_body and request.expects:
                self.keep = False  # whether the body comes after a refusal is the client's choice
            elif request.has_body:
                await self.read_body(request, DISCARD_MAX, lambda piece: None)
            await self.send(status, body, fields)
        finally:
            body.close()

    def find(self, request: Request, path: bytes | None) -> tuple[int, Body, str]:
        """Status, body and fields; the body of the request then only has to pass."""
        if request.method in (b"GET", b"HEAD"):
            found = self.server.site.find(path) if path is not None else 400
            if isinstance(found, Body):
                return 200, found, ""
            location = self.moved_to(request.target) if found == 301 else ""
            return self.short(404 if found == 301 and not location else found, location)
        if request.method in KNOWN:
            return self.short(405, "Allow: PUT, POST\r\n" if path == b"/sink" else "Allow: GET, HEAD\r\n")
        return self.short(501)

    @staticmethod
    def moved_to(target: bytes) -> str:
        """The target as it was written, with a "/" behind its path; always a path of ours."""
        path = http_parser.origin(target).split(b"?", 1)[0].lstrip(b"/")
        return f"Location: /{path.decode('latin-1')}/\r\n" if len(path) <= 300 else ""

    @staticmethod
    def short(status: int, fields: str = "") -> tuple[int, Body, str]:
        return status, text(f"{status} {reason(status)}\n".encode()), fields

    async def refuse(self, status: int) -> None:
        self.keep = False  # where the next request would begin is not known
        await self.send(*self.short(status))

    async def answer_sink(self, request: Request) -> None:
        digest, length = hashlib.sha256(), 0

        def take(piece: bytes) -> None:
            nonlocal length
            digest.update(piece)
            length += len(piece)

        if (request.length or 0) > self.server.body_max:
            raise Refused(413)
        if request.has_body and request.expects:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self.read_body(request, self.server.body_max, take)
        await self.send(200, text(f"{length} bytes, sha256 {digest.hexdigest()}\n".encode()))

    async def read_body(self, request: Request, most: int, take: Callable[[bytes], object]) -> None:
        try:
            async with Limit(self.server.body_s) as limit:
                n = 0
                async for piece in self.pieces(request):
                    limit.advance(len(piece))
                    n += len(piece)
                    if n > most:
                        raise Refused(413)
                    take(piece)
        except TimeoutError:
            self.server.count("timeouts")
            raise Refused(408) from None

    async def pieces(self, request: Request) -> AsyncIterator[bytes]:
        """Of the body of the request, as they come."""
        chunks, left = Chunks(), request.length or 0
        while not chunks.done if request.chunked else left:
            if request.chunked:
                piece = chunks.read(self.data)
            else:
                piece = bytes(self.data[:left])
                del self.data[: len(piece)]
                left -= len(piece)
            if piece:
                yield piece
            elif not chunks.done and not await self.more():
                raise Refused(400)

    async def send(self, status: int, body: Body, fields: str = "") -> None:
        self.server.count("answers_ok" if status == 200 else "answers_refused")
        head = (
            f"HTTP/1.1 {status} {reason(status)}\r\nServer: iip\r\nDate: {formatdate(usegmt=True)}\r\n"
            f"Content-Type: {body.type}\r\nContent-Length: {body.length}\r\n"
            f"Connection: {'keep-alive' if self.keep else 'close'}\r\n{fields}\r\n"
        ).encode("latin-1")
        length = 0 if self.head_only else body.length
        first = body.next(min(length, PROGRESS))
        self.write(head + first)
        await self.send_rest(body, length - len(first))

    def write(self, data: bytes) -> None:
        self.server.count("bytes", len(data))
        self.writer.write(data)

    async def send_rest(self, body: Body, left: int) -> None:
        """Only what fits the queue is read, so memory stays flat whatever the length."""
        if not left and self.writer.transport.get_write_buffer_size() <= 2 * PROGRESS:
            return
        async with self.server.answering(self) as limit:
            while True:
                await self.writer.drain()
                if not left:
                    return
                piece = body.next(PROGRESS)
                if not piece:  # the length that was promised cannot be kept: let the client see that
                    self.writer.transport.abort()
                    raise Gone
                left -= len(piece)
                limit.advance(len(piece))
                self.write(piece)

    async def linger(self) -> None:
        """
        No more to say. Then wait for the peer's end, reading and forgetting: a close with unread input would be a RST,
        which may overtake the answer. [RFC 9112 9.6]
        """
        self.writer.write_eof()
        try:
            async with asyncio.timeout(LINGER_S):
                while await self.reader.read(1 << 16):
                    pass
        except TimeoutError:
            pass

"""
Reads HTTP/1.x requests from bytes, without I/O. [RFC 9112]

Strict where leniency is how requests are smuggled past others [RFC 9112 11.2]: what it cannot read for sure is
raised as Refused, with the status of the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_MAX = 8192
EXTRA_MAX = 8192  # of chunk extensions and trailer fields, together
_HEAD_END = re.compile(rb"\n\r?\n")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")
_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_HOST = re.compile(rb"[-a-zA-Z0-9._~!$&'()*+,;=%:\[\]]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NUMBER = re.compile(rb"[0-9]{1,18}")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*(?:;.*)?)")
# What may yet become a line of a chunked body; of anything else it is not worth to wait for the rest.
_PART_OF_SIZE = re.compile(rb"(?:[0-9A-Fa-f]{1,15}[ \t]*(?:;.*)?\r?)?", flags=re.S)
_PART_OF_END = re.compile(rb"\r?")
_PART_OF_TRAILER = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?::.*)?)?\r?", flags=re.S)


class Refused(Exception):
    """The request cannot be served; `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Request:
    method: bytes
    target: bytes
    minor: int  # of HTTP/1.minor
    keep_alive: bool
    length: int | None = None  # of the body
    chunked: bool = False
    expects: bool = False  # the client waits for a 100 before it sends the body
    hosts: int = 0

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)


def head_end(data: bytearray, scanned: int = 0) -> int:
    """How many bytes the head has, its empty line included; 0: it is not whole yet. The first `scanned` have no end."""
    found = _HEAD_END.search(data, max(0, scanned - 3))
    return found.end() if found else 0


def read_request(head: bytes) -> Request:
    """Of a whole head."""
    first, *lines = (line.removesuffix(b"\r") for line in head.split(b"\n"))
    request = _request_line(first)
    for line in lines:
        if not line:
            break
        field = _FIELD.fullmatch(line)
        if not field or _CONTROL.search(line):
            raise Refused(400)
        _take_field(request, field[1].lower(), field[2])
    if request.chunked and request.length is not None:
        raise Refused(400)  # which of them the next reader believes is not ours to guess
    if request.hosts > 1 or (request.minor > 0 and not request.hosts):
        raise Refused(400)
    return request


def _request_line(line: bytes) -> Request:
    words = line.split(b" ", 2)
    if _CONTROL.search(line) or len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not words[1]:
        raise Refused(400)
    version = _VERSION.fullmatch(words[2])
    if not version:
        raise Refused(400)
    if version[1] != b"1":
        raise Refused(505)
    minor = int(version[2])
    return Request(words[0], words[1], minor, keep_alive=minor > 0)


def _take_field(request: Request, name: bytes, value: bytes) -> None:
    lower = value.lower()
    if name == b"content-length":
        if not _NUMBER.fullmatch(value) or request.length not in (None, int(value)):
            raise Refused(400)
        request.length = int(value)
    elif name == b"transfer-encoding":
        if request.chunked or request.minor == 0:
            raise Refused(400)
        request.chunked = True
        if lower != b"chunked":
            raise Refused(501)
    elif name == b"connection":
        words = [word.strip(b" \t") for word in lower.split(b",")]
        if b"close" in words:
            request.keep_alive = False
        elif request.minor == 0 and b"keep-alive" in words:
            request.keep_alive = True
    elif name == b"host":
        request.hosts += 1
        if not _HOST.fullmatch(value):
            raise Refused(400)
    elif name == b"expect":
        if lower != b"100-continue":
            raise Refused(417)
        request.expects = request.minor > 0


def origin(target: bytes) -> bytes:
    """Without scheme and authority: "http://host/path" is as good as "/path". [RFC 9112 3.2.2] Empty: no host."""
    if target[:7].lower() != b"http://":
        return target
    rest = re.fullmatch(rb"([^/?#]*)(.*)", target[7:], flags=re.S)
    assert rest
    if not rest[1]:
        return b""
    return rest[2] if rest[2].startswith(b"/") else b"/"


def path_of(target: bytes) -> bytes | None:
    """The decoded path; None: there is none, a bad escape, a zero byte, or a step upwards, however it is written."""
    path = re.split(rb"[?#]", origin(target), maxsplit=1)[0]
    if not path.startswith(b"/") or any(not escape[1] for escape in _ESCAPE.finditer(path)):
        return None
    decoded = _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), path)
    return None if b"\0" in decoded or b".." in decoded.split(b"/") else decoded


class Chunks:
    """A chunked body, read piece by piece, split anywhere. [RFC 9112 7.1]"""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # of this chunk
        self._at, self._part = self._size, _PART_OF_SIZE  # what to do with the next line
        self._extra = 0

    def read(self, data: bytearray) -> bytes:
        """Takes the next piece of the body off the front; b"": nothing of it is there, or the end (`done`)."""
        while not self.done:
            if self._left:
                piece = bytes(data[: self._left])
                del data[: len(piece)]
                self._left -= len(piece)
                return piece
            line = self._line(data)
            if line is None:
                return b""
            self._at(line)
        return b""

    def _line(self, data: bytearray) -> bytes | None:
        end = data.find(b"\n")
        if end < 0:
            self._refuse_if(len(data) > EXTRA_MAX or bool(_CONTROL.search(data.removesuffix(b"\r"))))
            self._refuse_if(not self._part.fullmatch(data))
            return None
        line = bytes(data[: end + 1])
        del data[: end + 1]
        self._refuse_if(not line.endswith(b"\r\n") or bool(_CONTROL.search(line[:-2])))
        return line[:-2]

    def _size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        self._refuse_if(not found)
        assert found
        self._count(len(found[2]))
        self._left = int(found[1], 16)
        if self._left:
            self._at, self._part = self._data_end, _PART_OF_END
        else:
            self._at, self._part = self._trailer, _PART_OF_TRAILER

    def _data_end(self, line: bytes) -> None:
        self._refuse_if(bool(line))
        self._at, self._part = self._size, _PART_OF_SIZE

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.done = True
            return
        self._count(len(line) + 2)
        self._refuse_if(not _FIELD.fullmatch(line))

    def _count(self, n: int) -> None:
        self._extra += n
        self._refuse_if(self._extra > EXTRA_MAX)

    @staticmethod
    def _refuse_if(wrong: bool) -> None:
        if wrong:
            raise Refused(400)

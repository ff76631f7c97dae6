"""What a path names: a file below the root, a directory's index or list, or bytes that are computed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from urllib.parse import quote

from iip_example import pattern

LIST_MAX = 4 << 20
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
WELCOME = (
    b"<!doctype html><title>iip</title><h1>It works</h1>\n"
    b"<p>This page was sent by a TCP/IP stack in user space.\n"
    b'<p><a href="/bytes/1000">/bytes/1000</a> is 1000 bytes that can be verified; '
    b"a PUT to /sink is answered with its SHA-256.\n"
)
TYPES = {
    b".html": HTML, b".htm": HTML, b".css": "text/css", b".js": "text/javascript", b".json": "application/json",
    b".txt": TEXT, b".md": TEXT, b".c": TEXT, b".h": TEXT, b".svg": "image/svg+xml", b".png": "image/png",
    b".jpg": "image/jpeg", b".jpeg": "image/jpeg", b".gif": "image/gif", b".webp": "image/webp",
    b".ico": "image/x-icon", b".pdf": "application/pdf", b".xml": "application/xml", b".wasm": "application/wasm",
    b".mp4": "video/mp4", b".gz": "application/gzip",
}  # fmt: skip


class Body:
    """Bytes of an answer, read from their front: `read(offset, n)` gives at most n."""

    def __init__(self, length: int, media_type: str, read: Callable[[int, int], bytes], fd: int = -1) -> None:
        self.length, self.type, self.fd = length, media_type, fd
        self._read, self._at = read, 0

    def next(self, n: int) -> bytes:
        """b"": the end, or, of a file that became shorter, the end of what there is."""
        n = min(n, self.length - self._at)
        piece = self._read(self._at, n) if n else b""
        self._at += len(piece)
        return piece

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def text(data: bytes, media_type: str = "text/plain") -> Body:
    return Body(len(data), media_type, lambda at, n: data[at : at + n])


class Site:
    def __init__(self, root: str | None) -> None:
        self._root = os.fsencode(os.path.realpath(root)) if root is not None else None

    def check(self) -> None:
        """OSError: the root is no directory, or cannot be read."""
        if self._root is not None:
            os.close(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY))

    def find(self, path: bytes) -> Body | int:
        """A body, or 301 (a directory without its "/"), or 404."""
        if path.startswith(b"/bytes/"):
            return self._bytes(path[7:])
        if self._root is not None:
            return self._file(path)
        return text(WELCOME, HTML) if path == b"/" else 404

    @staticmethod
    def _bytes(number: bytes) -> Body | int:
        if not number.isdigit() or len(number) > 20 or int(number) >> 50:
            return 404
        return Body(int(number), "application/octet-stream", pattern)

    def _open_below(self, path: bytes) -> int:
        """Opens first, then looks where that is: no symbolic link, however it changes, leads out of the root."""
        assert self._root is not None
        where = os.path.join(self._root, path.lstrip(b"/"))
        fd = os.open(where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not stop the loop
        found = os.readlink(b"/proc/self/fd/%d" % fd)
        if found == self._root or found.startswith(self._root.rstrip(b"/") + b"/"):
            return fd
        os.close(fd)
        raise FileNotFoundError(path)

    def _file(self, path: bytes) -> Body | int:
        try:
            fd = self._open_below(path)
        except OSError:
            return 404
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and not path.endswith(b"/"):
            media_type = TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream")
            return Body(status.st_size, media_type, lambda at, n: os.pread(fd, n, at), fd)
        try:
            return self._directory(fd, path) if stat.S_ISDIR(status.st_mode) else 404
        finally:
            os.close(fd)

    def _directory(self, fd: int, path: bytes) -> Body | int:
        if not path.endswith(b"/"):
            return 301  # the links of its list would lead astray
        index = self._file(path + b"index.html")
        return index if isinstance(index, Body) else text(listing(fd, path), HTML)


def _escaped(name: bytes) -> bytes:
    out = bytearray()
    for c in name:
        out += b"&#%d;" % c if c in b'<>&"' else b"?" if c < 32 else bytes([c])
    return bytes(out)


def listing(fd: int, path: bytes) -> bytes:
    """A page with the names in the directory, those that begin with a dot aside."""
    page = bytearray(b"<!doctype html><title>" + _escaped(path) + b"</title><table>\n")
    with os.scandir(fd) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        for entry in found:
            name = os.fsencode(entry.name)
            if name.startswith(b".") or len(page) > LIST_MAX:
                continue
            slash = b"/" if entry.is_dir(follow_symlinks=False) else b""
            page += b'<tr><td><a href="./' + quote(name, safe="-._~").encode() + slash + b'">' + _escaped(name) + slash
            size = b"" if slash else b"<td>%d</td>" % entry.stat(follow_symlinks=False).st_size
            page += b"</a></td>" + size + b"</tr>\n"
    return bytes(page + b"</table>\n")

#!/usr/bin/env python3
"""iip_http against the kernel: well-behaved clients, hasty ones, slow ones and rude ones, over a TAP device.

    http_test.py IIP_HTTP [--big BYTES] [--loops N] [--but NAME]...

--but leaves a test out: for servers on a library that reads requests its own way.

Makes a network namespace of its own (and, without root, a user namespace); exit code 77 where it cannot have one.
"""

import argparse
import hashlib
import os
import pathlib
import random
import select
import socket
import struct
import sys
import tempfile
import time

from world import LIMIT_S, OURS, V6, Program, enter_namespace, pattern, run_tests


def connect(host=OURS):
    return socket.create_connection((host, 80), LIMIT_S)


def read_all(s):
    out = bytearray()
    while part := s.recv(1 << 16):
        out += part
    return bytes(out)


class Reader:
    """Answers, one after the other, from one connection."""

    def __init__(self, s):
        self.s, self.buf = s, b""

    def more(self):
        part = self.s.recv(1 << 16)
        assert part, f"an end too early, after {self.buf[:200]!r}"
        self.buf += part

    def answer(self, head_only=False):
        while b"\r\n\r\n" not in self.buf:
            self.more()
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(lines[0].split()[1])
        if head_only or status == 100:
            n = 0
        elif "content-length" in fields:
            n = int(fields["content-length"])
        else:
            return status, fields, self.until_the_end(fields)
        while len(self.buf) < n:
            self.more()
        body, self.buf = self.buf[:n], self.buf[n:]
        return status, fields, body

    def until_the_end(self, fields):
        """A body without a length, of an answer that says that it is the last."""
        assert fields["connection"] == "close", fields
        return self.buf + read_all(self.s)


def ask(request, host=OURS, head_only=False):
    with connect(host) as s:
        s.sendall(request)
        return Reader(s).answer(head_only)


def get(path, fields="", version="1.1", method="GET"):
    return f"{method} {path} HTTP/{version}\r\nHost: x\r\n{fields}\r\n".encode()


# ---- the tests: each gets the server and the directory it serves ----


def pages(server, root):
    for host in (OURS, V6):
        status, fields, body = ask(get("/hello.txt"), host)
        assert (status, body) == (200, b"hello\n") and fields["content-type"].startswith("text/plain"), (status, fields)
    assert ask(get("/"))[2] == b"<p>index\n"
    assert ask(get("/hello.txt?x=1"))[0] == 200
    assert ask(get("http://anything/hello%2etxt"))[0] == 200
    status, fields, body = ask(get("/hello.txt", method="HEAD"), head_only=True)
    assert status == 200 and fields["content-length"] == "6" and body == b""
    status, fields, body = ask(get("/dir"))
    assert status == 301 and fields["location"] == "/dir/"
    assert ask(get("http://anything/dir"))[1]["location"] == "/dir/"
    status, fields, body = ask(get("/dir/"))
    assert status == 200 and b"a&#38;b &#60;i&#62;.txt" in body and b"./a%26b%20%3Ci%3E.txt" in body, body
    assert ask(get("/dir/a%26b%20%3Ci%3E.txt"))[2] == b"odd"
    assert ask(get("/empty"))[2] == b""
    assert ask(get("/bytes/10000"))[2] == pattern(10000)
    assert ask(get("/bytes/0"))[2] == b""


def nothing_outside_the_root(server, root):
    for path in ("/../secret", "/%2e%2e/secret", "/dir/../../secret", "/dir/%2E./%2e%2e/secret", "/..%2fsecret",
                 "/dir/..%2F..%2Fsecret"):
        assert ask(get(path))[0] == 400, path
    for path in ("/link-out", "/link-dir/secret", "/link-abs", "/fifo", "//../secret", "/hello.txt/", "/none"):
        status, _, body = ask(get(path))
        assert status in (400, 404) and b"secret" not in body, path
    assert ask(get("/link-in"))[2] == b"hello\n"


def statuses(server, root):
    for want, request in (
            (400, b"nonsense\r\n\r\n"), (400, b"GET / HTTP/1.1\r\n\r\n"), (400, get("/bytes/%zz")), (404, get("/bytes/x")), (404, get("/bytes/-1")), (404, get("/nothing")),
            (405, get("/", method="DELETE")), (405, get("/hello.txt", "Content-Length: 1\r\n", method="POST") + b"x"),
            (501, get("/", method="BREW")), (505, get("/", version="2.0")), (505, get("/", version="3.7")),
            (413, get("/sink", "Content-Length: 99999999999999999\r\n", method="PUT")),
            (413, get("/hello.txt", "Content-Length: 2000000\r\n", method="POST")),
            (431, get("/", "X: " + "y" * 9000 + "\r\n")),
            (417, get("/sink", "Expect: gold\r\nContent-Length: 1\r\n", method="PUT"))):
        got, fields, _ = ask(request)
        assert got == want, (want, got, request[:60])
        if want == 405:
            assert "get" in fields["allow"]


def first_lines_without_end(server, root):
    """What begins like no request is not waited for, and a target that is too long is called so before its end."""
    for want, request in ((400, b"\x16\x03\x01\x02\x00\x01"), (414, b"GET /" + b"x" * 9000)):
        assert ask(request)[0] == want, (want, request[:60])


def versions(server, root):
    with connect() as s:
        s.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
        assert read_all(s).endswith(b"\r\n\r\nhello\n")  # and the connection ends
    with connect() as s:
        s.sendall(b"GET /hello.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
        reader = Reader(s)
        assert reader.answer()[0] == reader.answer()[0] == 200
    with connect() as s:
        s.sendall(get("/hello.txt", "Connection: close\r\n") + get("/hello.txt"))
        assert read_all(s).count(b"HTTP/1.1 200") == 1  # what follows "close" is not answered


def a_mistake_after_a_head_request(server, root):
    """HEAD was the request before; what answers the mistake has its body."""
    for mistake, want in ((b"nonsense\r\n\r\n", 400), (b"GET / HT", 408), (b"GET / HTTP/1.1\r\nX: " + b"y" * 20000, 431)):
        with connect() as s:
            reader = Reader(s)
            s.sendall(get("/hello.txt", method="HEAD"))
            assert reader.answer(head_only=True)[0] == 200
            s.sendall(mistake)
            status, _, body = reader.answer()
            assert status == want and body.startswith(b"%d " % want), (status, body)
    for half in (b"GET / HT", get("/")[:-2]):  # behind a whole request, in one piece with it
        with connect() as s:
            reader = Reader(s)
            s.sendall(get("/hello.txt", method="HEAD") + half)
            assert reader.answer(head_only=True)[0] == 200
            assert reader.answer()[0] == 408, half


def split_at_every_byte(server, root):
    request = get("/hello.txt", "X-Field: value\r\n")
    with connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(s)
        for cut in range(1, len(request)):
            s.sendall(request[:cut])
            time.sleep(0.001)
            s.sendall(request[cut:])
            assert reader.answer()[2] == b"hello\n", cut
        for byte in request:
            s.sendall(bytes([byte]))
        assert reader.answer()[2] == b"hello\n"


def pipelined(server, root):
    sizes = [random.Random(7).randrange(0, 30000) for _ in range(100)]
    want = pattern(30000)
    with connect() as s:
        s.sendall(b"".join(get(f"/bytes/{n}") for n in sizes))
        reader = Reader(s)
        for n in sizes:
            status, _, body = reader.answer()
            assert status == 200 and body == want[:n], n


def pipelined_into_a_closed_window(server, root):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(LIMIT_S)
        s.connect((OURS, 80))
        s.sendall(get("/bytes/100000") * 30)
        time.sleep(0.5)
        reader = Reader(s)
        want = pattern(100000)
        for _ in range(30):
            assert reader.answer()[2] == want


def uploads(server, root):
    data = os.urandom(300000)
    digest = hashlib.sha256(data).hexdigest()
    want = f"{len(data)} bytes, sha256 {digest}\n".encode()
    assert ask(get("/sink", f"Content-Length: {len(data)}\r\n", method="PUT") + data)[2] == want
    rng, body, at = random.Random(3), b"", 0
    while at < len(data):
        n = rng.choice((1, 2, 15, 16, 300, 5000, 70000))
        body += b"%x;x=y\r\n" % len(data[at:at + n]) + data[at:at + n] + b"\r\n"
        at += n
    with connect() as s:
        request = get("/sink", "Transfer-Encoding: chunked\r\n", method="POST") + body + b"0\r\nTrailer: x\r\n\r\n"
        at = 0
        while at < len(request):
            n = rng.randrange(1, 4000)
            s.sendall(request[at:at + n])
            at += n
        s.sendall(get("/hello.txt"))
        reader = Reader(s)
        assert reader.answer()[2] == want
        assert reader.answer()[2] == b"hello\n"
    assert ask(get("/sink", "Transfer-Encoding: chunked\r\n", method="PUT") + b"3\r\nabcXY")[0] == 400
    with connect() as s:
        s.sendall(get("/sink", "Expect: 100-continue\r\nContent-Length: 3\r\n", method="PUT"))
        reader = Reader(s)
        assert reader.answer()[0] == 100
        s.sendall(b"abc")
        assert reader.answer()[2].startswith(b"3 bytes, sha256 ba7816bf")


def slow_clients(server, root):
    slow = [(connect(), data) for data in (b"GET / HT", get("/sink", "Content-Length: 9\r\n", method="PUT") + b"x")]
    for s, data in slow:
        s.sendall(data)
    drip, idle = connect(), connect()  # one byte now and then does not help
    for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 100:
        drip.sendall(bytes([byte]))
        if select.select([drip], [], [], 0.1)[0]:
            break
    for s in (slow[0][0], slow[1][0], drip):
        assert Reader(s).answer()[0] == 408
    assert idle.recv(1) == b""  # nothing was asked, nothing is answered
    stuck = connect()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall(get("/bytes/100000000"))
    end = select.poll()
    end.register(stuck, 0)  # of nothing but an end by reset
    assert end.poll(LIMIT_S * 1000)


def slow_crowd(server, root):
    """Heads that never end, by the hundred: others are served meanwhile, and all are told 408."""
    crowd = [connect() for _ in range(500)]
    for s in crowd:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
    for _ in range(20):
        assert ask(get("/bytes/5000"))[2] == pattern(5000)
    for s in crowd:
        assert Reader(s).answer()[0] == 408
        s.close()


def a_crowd_that_does_not_read(server, root):
    """It fills all buffers that there are to send from; the time limits are far away. Others are served."""
    crowd = []
    for _ in range(400):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(LIMIT_S)
        s.connect((OURS, 80))
        s.sendall(get("/bytes/1000000000"))
        crowd.append(s)
    for _ in range(3):
        time.sleep(1)
        assert ask(get("/bytes/100000"))[2] == pattern(100000)
    for s in crowd:
        s.close()


def rude_clients(server, root):
    for i in range(300):
        s = connect()
        s.sendall((get("/bytes/1000000"), get("/hello"), b"GET", b"", get("/sink", "Content-Length: 99\r\n",
                                                                           method="PUT") + b"1")[i % 5])
        if i % 3:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
        s.close()
    half = connect()
    half.sendall(get("/bytes/500000"))
    half.shutdown(socket.SHUT_WR)
    assert len(read_all(half)) > 500000
    assert ask(get("/hello.txt"))[0] == 200


def a_thousand_connections(server, root):
    everyone = [connect() for _ in range(1000)]
    for i, s in enumerate(everyone):
        s.sendall(get(f"/bytes/{i}"))
    want = pattern(1000)
    for i, s in enumerate(everyone):
        assert Reader(s).answer()[2] == want[:i]
    for s in everyone:
        s.close()


def a_file_that_shrinks(server, root):
    path = pathlib.Path(root) / "shrinks"
    path.write_bytes(b"x" * 30000000)
    with connect() as s:
        s.sendall(get("/shrinks"))
        s.recv(10)
        path.write_bytes(b"")
        try:
            n = len(read_all(s))
        except ConnectionResetError:
            n = 0
        assert n < 30000000
    assert ask(get("/hello.txt"))[0] == 200


def big_file_at_flat_memory(server, root):
    size = server.big_bytes
    path = pathlib.Path(root) / "big"
    digest = hashlib.sha256()
    block = os.urandom(1 << 20)
    with open(path, "wb") as f:
        for i in range(size >> 20):
            piece = block[i % 977:] + block[:i % 977]
            f.write(piece)
            digest.update(piece)
    before = server.peak_kb()
    got = hashlib.sha256()
    with connect() as s:
        s.sendall(get("/big", "Connection: close\r\n"))
        reader = Reader(s)
        while b"\r\n\r\n" not in reader.buf:
            reader.more()
        got.update(reader.buf.split(b"\r\n\r\n", 1)[1])
        while part := s.recv(1 << 18):
            got.update(part)
    assert got.hexdigest() == digest.hexdigest()
    with connect() as s, open(path, "rb") as f:
        s.sendall(get("/sink", f"Content-Length: {size}\r\n", method="PUT"))
        s.sendfile(f)
        assert digest.hexdigest().encode() in Reader(s).answer()[2]
    path.unlink()
    assert server.peak_kb() - before < 65536, f"{before} kB, then {server.peak_kb()} kB"


def make_root(top):
    root = top / "root"
    (root / "dir").mkdir(parents=True)
    (top / "secret").write_text("secret")
    (root / "index.html").write_text("<p>index\n")
    (root / "hello.txt").write_text("hello\n")
    (root / "empty").write_text("")
    (root / "dir" / "a&b <i>.txt").write_text("odd")
    (root / "link-out").symlink_to("../secret")
    (root / "link-dir").symlink_to("..")
    (root / "link-abs").symlink_to(top / "secret")
    (root / "link-in").symlink_to("hello.txt")
    os.mkfifo(root / "fifo")
    return str(root)


def ends_in_order(server):
    stats = server.end()
    print(f"{stats['requests']} requests, {stats['timeouts']} timeouts, {stats['counters']['tcp_retrans']} retransmits")
    assert stats["accepted"] == stats["closed"] and not stats["conns"], stats


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--big", type=int, default=64 << 20)
    parser.add_argument("--loops", default="1")
    parser.add_argument("--but", action="append", default=[])
    args = parser.parse_args()
    enter_namespace()
    tests = [pages, nothing_outside_the_root, statuses, first_lines_without_end, versions, split_at_every_byte, pipelined,
             pipelined_into_a_closed_window, uploads, rude_clients, a_thousand_connections,
             a_file_that_shrinks, big_file_at_flat_memory]
    slow = [a_mistake_after_a_head_request, slow_clients, slow_crowd]
    tests, slow = ([t for t in some if t.__name__ not in args.but] for some in (tests, slow))
    with tempfile.TemporaryDirectory() as top:
        root = make_root(pathlib.Path(top))
        patience = ("--head-timeout", "900", "--body-timeout", "900", "--idle-timeout", "900", "--loops", args.loops)
        server = Program(args.program, 80, "--root", root, *patience)
        server.big_bytes = args.big
        failed = run_tests(tests, server, root)
        ends_in_order(server)
        server = Program(args.program, 80, "--root", root, "--head-timeout", "1", "--body-timeout", "1",
                         "--idle-timeout", "5", "--loops", args.loops)
        failed += run_tests(slow, server, root)
        ends_in_order(server)
        server = Program(args.program, 80, "--root", root, *patience)
        failed += run_tests([t for t in [a_crowd_that_does_not_read] if t.__name__ not in args.but], server, root)
        server.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Several loops on one TAP device: a crowd of the kernel's connections at once, and no segment overtakes another.

    loops_test.py DIRECTORY [--crowd N] [--size BYTES] [--loops N...]    where iip_http and iip_load are

Makes a network namespace of its own (and, without root, a user namespace); exit code 77 where it cannot have one.
"""

import argparse
import hashlib
import json
import pathlib
import signal
import socket
import sys
import tempfile
import threading
import time

from echo_test import load, serve, talk_sink, talk_source
from world import KERNEL, KERNEL6, LIMIT_S, OURS, V6, Program, enter_namespace, pattern, run_tests

# What only a segment that overtook another one brings about.
NEVER = ("drop_tcp_paws", "drop_tcp_ack")
# What a segment brings about that was sent again, too early, by a machine that is short of time, and by nothing else: it
# is here already, or finds that its connection is over.
AGAIN = ("drop_tcp_seq", "drop_tcp_listen", "drop_tcp_closed")
LOAD_BYTES = 1_000_000  # of a connection, as talk_sink and talk_source have it


def together(n, work):
    """Does the same in n threads that begin at the same time; raises the first error of any."""
    errors, gate = [], threading.Barrier(n)

    def one():
        try:
            gate.wait()
            work()
        except (AssertionError, OSError) as e:
            errors.append(e)

    threads = [threading.Thread(target=one) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def kernel_counts():
    """What the TCP of the kernel counted in this namespace."""
    counts = {}
    for name in ("snmp", "netstat"):
        lines = pathlib.Path("/proc/self/net", name).read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            counts |= dict(zip(names.split()[1:], map(int, values.split()[1:])))
    return counts


def all_closed(server, n):
    """Waits until the server says that so many connections are over: ending it earlier would abort the rest."""
    for _ in range(LIMIT_S * 20):
        server.process.send_signal(signal.SIGUSR1)
        time.sleep(0.05)
        text = server.stats.read_text()
        if text and json.loads(text)["closed"] == n:
            return
    raise AssertionError("connections that do not end")


def in_order(stats, before):
    counters, now = stats["counters"], kernel_counts()
    again = counters["tcp_retrans"] + sum(now[name] - before[name] for name in ("RetransSegs", "TCPWinProbe", "TCPKeepAlive"))
    wrong = {name: counters[name] for name in NEVER if counters[name]}
    assert not wrong, wrong
    late = {name: counters[name] for name in AGAIN if counters[name]}
    assert max(sum(late.values()), counters["tcp_rst_sent"]) <= again, (late, counters["tcp_rst_sent"], again)
    assert stats["ports"]["handed_lost"] == 0, stats["ports"]
    assert counters["foreign"] == stats["ports"]["handed_over"] > 0, stats["ports"]


def body(s):
    """The body of one answer."""
    buf = b""
    while b"\r\n\r\n" not in buf:
        part = s.recv(1 << 16)
        assert part, "an end too early"
        buf += part
    head, rest = buf.split(b"\r\n\r\n", 1)
    n = next(int(line.split()[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    out = bytearray(rest)
    while len(out) < n:
        part = s.recv(1 << 16)
        assert part, f"an end too early, after {len(out)} of {n} bytes"
        out += part
    return bytes(out)


def download(s, data, digest):
    s.sendall(f"GET /bytes/{len(data)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert hashlib.sha256(body(s)).hexdigest() == digest


def upload(s, data, digest):
    s.sendall(f"PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode())
    s.sendall(data)
    assert digest.encode() in body(s)


def kernel_as_client(programs, args):
    data = pattern(args.size)
    digest = hashlib.sha256(data).hexdigest()

    def once():
        with socket.create_connection((host, 80), LIMIT_S) as s:
            work(s, data, digest)

    for loops in args.loops:
        for host in (OURS, V6):
            for work in (download, upload):
                before = kernel_counts()
                with tempfile.TemporaryDirectory() as root:
                    server = Program(programs / "iip_http", 80, "--root", root, "--loops", loops)
                    try:
                        together(args.crowd, once)
                        all_closed(server, args.crowd)
                    finally:
                        stats = server.end()
                in_order(stats, before)
                assert stats["accepted"] == stats["closed"] == args.crowd, stats


def kernel_as_server(programs, args):
    for loops in args.loops:
        for family, host, peer in ((socket.AF_INET, "0.0.0.0", KERNEL), (socket.AF_INET6, "::", f"[{KERNEL6}]")):
            for mode, talk in (("send", talk_sink), ("recv", talk_source)):
                before = kernel_counts()
                with tempfile.TemporaryDirectory() as top:
                    stats = pathlib.Path(top, "stats")
                    code, result = load(programs, "--connect", f"{peer}:{serve(family, host, talk)}", "--mode", mode,
                                        "--bytes", str(LOAD_BYTES), "--conns", str(args.crowd), "--loops", loops,
                                        "--stats-json", str(stats))
                    assert code == 0 and result["errors"] == result["mismatches"] == 0, result
                    assert result["bytes"] == args.crowd * LOAD_BYTES, result
                    in_order(json.loads(stats.read_text()), before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--crowd", type=int, default=128)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--loops", nargs="+", default=["2", "4"])
    args = parser.parse_args()
    programs = args.programs.resolve()
    enter_namespace()
    return 1 if run_tests([kernel_as_client, kernel_as_server], programs, args) else 0


if __name__ == "__main__":
    sys.exit(main())

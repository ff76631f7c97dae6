#!/usr/bin/env python3
"""iip_echo, iip_udp_echo, iip_load and, where it is there, iip_embed against the kernel, over a TAP device.

    echo_test.py DIRECTORY      where the programs are, in whichever language

Makes a network namespace of its own (and, without root, a user namespace); exit code 77 where it cannot have one.
"""

import hashlib
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

from world import KERNEL, KERNEL6, LIMIT_S, OURS, V6, Program, enter_namespace, pattern, run_tests, wire_up

BULK = 30_000_000


def send_all(s, size, digest):
    block = random.Random(5).randbytes(100_003)
    at = 0
    while at < size:
        piece = block[:min(len(block), size - at)]
        s.sendall(piece)
        digest.update(piece)
        at += len(piece)
    s.shutdown(socket.SHUT_WR)


def echo(host, size, pause_s=0.0):
    """Sends so many bytes, reads them back (beginning late, to close windows), compares digests."""
    sent, got, n = hashlib.sha256(), hashlib.sha256(), 0
    with socket.create_connection((host, 7), LIMIT_S) as s:
        sender = threading.Thread(target=send_all, args=(s, size, sent))
        sender.start()
        time.sleep(pause_s)
        while part := s.recv(1 << 16):
            got.update(part)
            n += len(part)
        sender.join()
    assert n == size and got.digest() == sent.digest(), f"{n} of {size} bytes came back"


def echo_serves(programs):
    server = Program(programs / "iip_echo", 7)
    for host in (OURS, V6):
        for size in (0, 1, 2, 1447, 1448, 1449, 65535, 1_000_000, BULK):
            echo(host, size)
        echo(host, BULK, pause_s=0.5)
    crowd = [threading.Thread(target=echo, args=(OURS, 200_000)) for _ in range(50)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert server.peak_kb() < 200_000
    stats = server.end()
    assert stats["accepted"] == stats["closed"] == 70, stats


def echo_serves_in_all_models(programs):
    for model in ("split", "merge"):
        server = Program(programs / "iip_echo", 7, "--model", model)
        for size in (0, 1, 1449, 1_000_000):
            echo(OURS, size)
        echo(V6, BULK // 10, pause_s=0.2)
        crowd = [threading.Thread(target=echo, args=(OURS, 100_000)) for _ in range(20)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        stats = server.end()
        assert stats["accepted"] == stats["closed"] == 25, stats


def udp_echo_serves(programs):
    server = Program(programs / "iip_udp_echo", 7)
    for host in (OURS, V6):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(LIMIT_S)
            s.connect((host, 7))
            for n in [0, 1, 1451, 1452, 1453, 1472, 1473, 3000, 9000, 30000, 65000, *range(2, 1400, 93)]:
                data = os.urandom(n)
                s.send(data)
                assert s.recv(70000) == data, (host, n)
    stats = server.end()
    assert stats["refused"] == 0, stats


def embed_serves(programs):
    process = subprocess.Popen([programs / "iip_embed", "iiptest", OURS], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"ready {OURS}:7\n"
        wire_up("iiptest")
        for size in (0, 1, 1449, 1_000_000, BULK):
            echo(OURS, size)
        echo(OURS, BULK, pause_s=0.5)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


# ---- iip_load as the client of the kernel ----


def serve(family, host, talk):
    """A kernel socket that gives each connection to `talk`; returns its port."""
    listener = socket.create_server((host, 0), family=family, backlog=128)

    def one(s):
        with s:
            talk(s)

    def accept():
        while True:
            s, _ = listener.accept()
            threading.Thread(target=one, args=(s,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def talk_echo(s):
    while part := s.recv(1 << 16):
        s.sendall(part)


def talk_sink(s):
    got, n = hashlib.sha256(), 0
    while part := s.recv(1 << 16):
        got.update(part)
        n += len(part)
    right = n == 1_000_000 and got.digest() == hashlib.sha256(pattern(n)).digest()
    s.sendall(f"{n} bytes {'right' if right else 'wrong'}\n".encode())


def talk_source(s):
    s.sendall(pattern(1_000_000))


def talk_liar(s):
    data = bytearray(pattern(1_000_000))
    data[777_777] ^= 1
    s.sendall(data)


def load(programs, *flags):
    """Runs iip_load, which needs its device wired up while it already connects; returns its exit code and JSON."""
    process = subprocess.Popen(
        [programs / "iip_load", "--port", "tap:iiptest", "--addr", f"{OURS}/24", "--addr", f"{V6}/64", "--json", *flags],
        stdout=subprocess.PIPE, text=True)
    try:
        wire_up("iiptest")
        out, _ = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()  # if it hangs: its device is the next one's
    return process.returncode, json.loads(out.splitlines()[-1])


def load_is_a_client(programs):
    for family, host, peer in ((socket.AF_INET, "0.0.0.0", KERNEL), (socket.AF_INET6, "::", f"[{KERNEL6}]")):
        for talk, flags in ((talk_echo, ("--mode", "pp", "--size", "3000", "--depth", "4", "--conns", "10", "--count", "2000")),
                            (talk_sink, ("--mode", "send", "--bytes", "1000000", "--conns", "3")),
                            (talk_source, ("--mode", "recv", "--bytes", "1000000", "--conns", "3"))):
            port = serve(family, host, talk)
            code, result = load(programs, "--connect", f"{peer}:{port}", *flags)
            assert code == 0 and result["errors"] == result["mismatches"] == 0, (flags, result)
            assert result["bytes"] == (6_000_000 if talk is talk_echo else 3_000_000), result


def load_sees_a_wrong_byte(programs):
    port = serve(socket.AF_INET, "0.0.0.0", talk_liar)
    code, result = load(programs, "--connect", f"{KERNEL}:{port}", "--mode", "recv", "--bytes", "1000000")
    assert code == 1 and result["mismatches"] == 1, result


def load_is_refused(programs):
    code, result = load(programs, "--connect", f"{KERNEL}:9", "--mode", "pp")
    assert code == 1 and result["errors"] == 1 and result["requests"] == 0, result


def talk_silent(s):
    try:
        while s.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass


def talk_stuck(s):
    time.sleep(LIMIT_S)


def talk_short(s):
    s.sendall(s.recv(1 << 16)[:1])  # and the connection ends, in order


def talk_half(s):
    talk_short(s)
    s.shutdown(socket.SHUT_WR)
    time.sleep(LIMIT_S)


def load_comes_to_an_end(programs):
    """Whatever the server does, or if there is none: an end, an error, exit code 1."""
    for talk, *flags in ((talk_silent, "--duration", "1"), (talk_stuck, "--mode", "send", "--duration", "1"),
                         (talk_short, "--size", "100"),
                         (talk_half, "--size", "100"), (talk_half, "--mode", "http")):
        code, result = load(programs, "--connect", f"{KERNEL}:{serve(socket.AF_INET, '0.0.0.0', talk)}", *flags)
        assert code == 1 and result["errors"] == 1, (talk.__name__, flags, code, result)
    for nobody, *flags in (("10.77.0.77:7",), ("[fd77::77]:7", "--duration", "1")):
        code, result = load(programs, "--connect", nobody, "--conns", "2", *flags)
        assert code == 1 and result["errors"] == 2, (nobody, flags, code, result)


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    enter_namespace()
    tests = [echo_serves, udp_echo_serves, load_is_a_client, load_sees_a_wrong_byte, load_is_refused, load_comes_to_an_end]
    if (programs / "iip_embed").exists():  # of C alone
        tests += [echo_serves_in_all_models, embed_serves]
    return 1 if run_tests(tests, programs) else 0


if __name__ == "__main__":
    sys.exit(main())

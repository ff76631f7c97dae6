#!/usr/bin/env python3
"""The kernel against quickstart/echo.lua behind a TAP device: clients that send and reset at once, then 4 MB there and back,
over IPv4 and IPv6, each byte compared.

    tap.py COMMAND...        the echo server; in a network namespace of our own (unshare -n)
"""
import os
import socket
import struct
import subprocess
import sys
import threading

SIZE = 4_000_000
RUDE = 300


def be_rude(address):
    for i in range(RUDE):
        with socket.create_connection((address, 7), timeout=60) as sock:
            sock.sendall(b"x" * (1 + i * 100))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close is a RST


def talk(address):
    text = os.urandom(SIZE)
    with socket.create_connection((address, 7), timeout=60) as sock:
        def send():
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = b"".join(iter(lambda: sock.recv(65536), b""))
        sender.join()
    assert got == text, f"{address}: {len(got)} bytes came back, and not those that went"
    print(f"{address}: {len(got)} bytes there and back")


server = subprocess.Popen([*sys.argv[1:], "tap:iip0", "10.0.0.2/24 fd00::2/64"], stdout=subprocess.PIPE, text=True)
try:
    assert server.stdout.readline().startswith("ready"), "the server did not start"
    for words in ("addr add 10.0.0.1/24 dev iip0", "addr add fd00::1/64 dev iip0 nodad", "link set iip0 up"):
        subprocess.run(["ip", *words.split()], check=True)
    for address in ("10.0.0.2", "fd00::2"):
        be_rude(address)
        talk(address)
    assert server.poll() is None, "the server has ended"
finally:
    server.kill()
    server.wait()

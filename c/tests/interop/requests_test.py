#!/usr/bin/env python3
"""requests.py itself: a server that is right now and then only must be noticed, by curl and by wrk.

The server is the kernel's own here: it has the address that is the stack's otherwise.
"""

import fcntl
import http.server
import itertools
import os
import pathlib
import re
import struct
import subprocess
import sys

TOOL = pathlib.Path(__file__).with_name("requests.py")
EVERY = 100  # which answer is spoilt
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000


def spoil(fault, body):
    """status, body, Content-Length"""
    if fault == "byte":
        return 200, body[:-1] + bytes([body[-1] ^ 1]), len(body)
    if fault == "short":
        return 200, body[:-1], len(body) - 1
    if fault == "long":
        return 200, body + b"x", len(body) + 1
    if fault == "status":
        return 404, body, len(body)
    if fault == "cut":
        return 200, body[:len(body) // 2], len(body)
    return 200, body, len(body)


def serve(fault, device, host, port, body):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH14x", device.encode(), IFF_TAP | IFF_NO_PI))
    subprocess.run(["ip", "addr", "add", f"{host}/32", "dev", "lo"], check=True)
    numbers = itertools.count(1)

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            bad = next(numbers) % EVERY == 0
            if bad and fault == "gone":
                os._exit(3)
            status, data, n = spoil(fault if bad else "", body)
            self.send_response(status)
            self.send_header("Content-Length", str(n))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = len(data) < n

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128

    Server((host, port), Answer).serve_forever()


def outcome(fault):
    """Exit code, and what each client counted: requests, right, errors."""
    command = [sys.executable, __file__, fault, "{port}", "{host}", "{listen}", "{body}"]
    run = subprocess.run([sys.executable, TOOL, "--requests", "400", "--timeout", "60", "--", *command],
                         capture_output=True, text=True, timeout=300)
    counts = {name: tuple(map(int, numbers)) for name, *numbers in
              re.findall(r"^(curl|wrk): (\d+) requests, (\d+) bodies right, (\d+) errors", run.stdout, re.M)}
    return run.returncode, counts, run.stdout + run.stderr


def check(fault):
    code, counts, text = outcome(fault)
    if code == 77:
        print(text, end="")
        sys.exit(77)
    curl, wrk = counts["curl"], counts["wrk"]
    if fault == "":
        good = code == 0 and curl == (400, 400, 0) and wrk[0] == wrk[1] >= 400 and wrk[2] == 0
    elif fault == "gone":
        good = code == 1 and "exit code 3" in text  # seen before, or after, the signal that is to end it
    else:
        good = code == 1 and curl[1] < 400 and curl[2] > 0 and wrk[2] > 0
    print("ok  " if good else "FAIL", fault or "no fault", *(() if good else (code, counts, text)), flush=True)
    return good


def main():
    if len(sys.argv) > 1:
        fault, port, host, listen, body = sys.argv[1:]
        return serve(fault, port.removeprefix("tap:"), host, int(listen), pathlib.Path(body).read_bytes())
    return 0 if all([check(fault) for fault in ("", "byte", "short", "long", "status", "cut", "gone")]) else 1


if __name__ == "__main__":
    sys.exit(main())

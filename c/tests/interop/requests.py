#!/usr/bin/env python3
"""Many requests to an HTTP server on our stack, from the kernel's curl and wrk over a TAP device, every body compared.

    requests.py [--requests N] [--ip 4|6] [--body-size BYTES] [--scheme http|https] [--path /NAME] [--timeout S]
                -- SERVER COMMAND...

It makes a network namespace of its own (and, without root, a user namespace), starts the server, gives the kernel's end
of the device its address, and fetches N times with curl and N times with wrk. In the words of the command stand for

    {port}     the port string, tap:NAME             {address}  the address of the stack, with its prefix length
    {host}     the address alone                     {listen}   the TCP port to listen on (80, or 443 for https)
    {body}     the file that every answer is         {dir}      the directory with that file alone, named "body"

The server has to answer GET of --path (default /body) with that file. Exit code 0: every body was right, there was no
error, and SIGTERM ended the server. 1: not so. 77: it cannot be tried here; why is said.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples"))
from world import OURS, V6, enter_namespace, wire_up  # noqa: E402

DEVICE = "iiprequests"
CURLS = 4                # processes at a time
BATCH_BYTES = 32 << 20   # what one process fetches, about
WRK_THREADS, WRK_CONNECTIONS = 2, 32
ANSWER_S = 60            # no single answer takes that long


class Count:
    """How one client fared."""

    def __init__(self, client):
        self.client, self.requests, self.right, self.errors, self.connections = client, 0, 0, 0, 0
        self.examples = []

    def wrong(self, n, why):
        self.errors += n
        if len(self.examples) < 5:
            self.examples.append(why)

    def add(self, other):
        for name in ("requests", "right", "errors", "connections"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = (self.examples + other.examples)[:5]

    def passed(self, wanted):
        print(f"{self.client}: {self.requests} requests, {self.right} bodies right, {self.errors} errors, "
              f"{self.connections} connections", flush=True)
        for example in self.examples:
            print(f"    {example}")
        return self.right >= wanted and self.right == self.requests and self.errors == 0


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self.end - time.monotonic())


def difference(got, want):
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    return f"{len(got)} of {len(want)} bytes, different from byte {at} on"


# ---- curl ----


def curl_batch(url, n, body, deadline):
    """n requests by one process, on one connection if the server keeps it."""
    count = Count("curl")
    # What is behind the # stays with curl: the path is the same each time.
    command = ["curl", "--silent", "--insecure", "--noproxy", "*", "--max-time", str(ANSWER_S), "--write-out",
               "%{stderr}%{http_code} %{size_download} %{exitcode} %{num_connects}\n", f"{url}#[1-{n}]"]
    try:
        run = subprocess.run(command, capture_output=True, timeout=deadline.left() or 0.01)
    except subprocess.TimeoutExpired:
        count.requests = n
        count.wrong(n, f"{n} requests were not answered in time")
        return count
    at = 0
    for line in run.stderr.decode().splitlines():
        status, size, code, connections = map(int, line.split())
        got, at = run.stdout[at:at + size], at + size
        count.requests += 1
        count.connections += connections
        if status == 200 and code == 0 and got == body:
            count.right += 1
        else:
            count.wrong(1, f"status {status}, curl's exit code {code}, {difference(got, body)}")
    if count.requests != n:
        count.wrong(1, f"curl made {count.requests} of {n} requests")
    return count


def with_curl(url, requests, body, deadline):
    total = Count("curl")
    batch = max(1, min(2500, BATCH_BYTES // max(1, len(body)), -(-requests // CURLS)))
    sizes = [batch] * (requests // batch) + [requests % batch] * (requests % batch > 0)
    with concurrent.futures.ThreadPoolExecutor(CURLS) as pool:
        for count in pool.map(lambda n: curl_batch(url, n, body, deadline), sizes):
            total.add(count)
    return total


# ---- wrk ----


def wrk_run(url, seconds, body_file):
    script = pathlib.Path(__file__).with_name("requests.lua")
    command = ["wrk", f"-t{WRK_THREADS}", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s", f"--timeout={ANSWER_S}s",
               "-s", str(script), url, "--", str(body_file)]
    count = Count("wrk")
    count.connections = WRK_CONNECTIONS
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * ANSWER_S)
    except subprocess.TimeoutExpired:
        count.wrong(1, "wrk did not come to its end")
        return count
    found = re.search(r"^result right=(\d+) wrong=(\d+) connect=(\d+) read=(\d+) write=(\d+) timeout=(\d+) first=(.*)$",
                      run.stdout, re.M)
    if run.returncode != 0 or not found:
        count.wrong(1, f"wrk, exit code {run.returncode}: {(run.stderr + run.stdout)[-300:]}")
        return count
    *numbers, first = found.groups()
    right, wrong, *failed = map(int, numbers)
    count.requests, count.right = right + wrong, right
    if wrong:
        count.wrong(wrong, first)
    if any(failed):
        count.wrong(sum(failed), "connect, read, write, timeout: " + ", ".join(map(str, failed)))
    return count


def with_wrk(url, requests, body_file, deadline):
    """wrk counts in seconds: it runs again until there are enough."""
    total, seconds, began = Count("wrk"), 1, time.monotonic()
    while total.right < requests and total.errors == 0:
        if deadline.left() == 0:
            total.wrong(1, f"only {total.right} of {requests} requests until the time was over")
            break
        total.add(wrk_run(url, seconds, body_file))
        rate = total.right / (time.monotonic() - began)
        missing = requests - total.right
        seconds = int(max(1, min(30, deadline.left(), 1.1 * missing / rate + 1 if rate else 1)))
    return total


# ---- the server ----


class Server:
    def __init__(self, words, values, host):
        command = [re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), word) for word in words]
        env = {name: value for name, value in os.environ.items() if name != "IIP_TEST_INSIDE"}
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, env=env,
                                        start_new_session=True)
        self.address = (host, int(values["listen"]))

    def wait_ready(self, deadline):
        while subprocess.run(["ip", "link", "show", DEVICE], capture_output=True).returncode != 0:
            self.check(deadline, "there is no device yet")
            time.sleep(0.05)
        wire_up(DEVICE)
        while True:
            try:
                return socket.create_connection(self.address, 5).close()
            except OSError as e:
                self.check(deadline, f"no connection: {e}")
                time.sleep(0.05)

    def check(self, deadline, what):
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended by itself, exit code {self.process.returncode}")
        if deadline.left() == 0:
            raise RuntimeError(f"the server did not get ready: {what}")

    def end(self):
        """None, or what was wrong with its end."""
        if self.process.poll() is not None:
            return f"the server ended by itself, exit code {self.process.returncode}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            return "SIGTERM did not end the server"
        return None if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) else f"the server ended with exit code {code}"

    def kill(self):
        """It, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self):
        self.output.seek(0)
        return self.output.read()[-2000:].decode(errors="replace")


def run(args, top):
    body = random.Random(args.body_size).randbytes(args.body_size)
    body_file = top / "dir" / "body"
    body_file.parent.mkdir()
    body_file.write_bytes(body)
    host, prefix = (OURS, 24) if args.ip == 4 else (V6, 64)
    listen = 443 if args.scheme == "https" else 80
    values = {"port": f"tap:{DEVICE}", "address": f"{host}/{prefix}", "host": host, "listen": str(listen),
              "body": str(body_file), "dir": str(body_file.parent)}
    url = f"{args.scheme}://{host if args.ip == 4 else f'[{host}]'}{args.path}"
    server, good = Server(args.server, values, host), False
    try:
        server.wait_ready(Deadline(min(args.timeout, 120)))
        good = with_curl(url, args.requests, body, Deadline(args.timeout)).passed(args.requests)
        good = with_wrk(url, args.requests, body_file, Deadline(args.timeout)).passed(args.requests) and good
        why = server.end()
    except RuntimeError as e:
        why = str(e)
    finally:
        server.kill()
    if why:
        print(why)
    if why or not good:
        print("the server's last words:", server.last_words(), sep="\n")
    return 0 if good and not why else 1


def number(least):
    def read(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text}: at least {least}")
        return value
    return read


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=number(1), default=1000)
    parser.add_argument("--ip", type=int, choices=(4, 6), default=4)
    parser.add_argument("--body-size", type=number(1), default=10000, metavar="BYTES")
    parser.add_argument("--scheme", choices=("http", "https"), default="http")
    parser.add_argument("--path", default="/body")
    parser.add_argument("--timeout", type=number(1), default=600, metavar="S", help="for each of the two (default 600)")
    parser.add_argument("server", nargs="+", metavar="SERVER COMMAND")
    args = parser.parse_args()
    if not shutil.which(args.server[0]):
        parser.error(f"{args.server[0]}: no such program")
    for program in ("curl", "wrk", "ip", "unshare"):
        if not shutil.which(program):
            print(f"skipped: {program} was not found; as root, run: apt-get install curl wrk iproute2 util-linux")
            return 77
    enter_namespace()
    with tempfile.TemporaryDirectory(prefix="iip-requests-") as top:
        return run(args, pathlib.Path(top))


if __name__ == "__main__":
    sys.exit(main())

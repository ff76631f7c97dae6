"""What the tests of the example programs share: a network namespace, a program on a TAP device, the pattern."""

import atexit
import functools
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

OURS, V6 = "10.77.0.2", "fd77::2"       # the stack's end of the wire
KERNEL, KERNEL6 = "10.77.0.1", "fd77::1"  # and the kernel's
LIMIT_S = 100  # nothing here takes that long; it only keeps a broken program from hanging the test


def enter_namespace():
    if os.environ.get("IIP_TEST_INSIDE"):
        return
    os.environ["IIP_TEST_INSIDE"] = "1"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("skipped: /dev/net/tun cannot be opened")
        sys.exit(77)
    for flags in (["-n"], ["-Urn"]):
        if subprocess.run(["unshare", *flags, "true"], capture_output=True).returncode == 0:
            os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    print("skipped: no network namespace can be had here")
    sys.exit(77)


@functools.cache
def pattern(n):
    out = bytearray()
    for w in range((n + 7) // 8):
        x = (w + 1) * 0x9E3779B97F4A7C15 % 2**64
        out += (x ^ x >> 32).to_bytes(8, "little")
    return bytes(out[:n])


def wire_up(name):
    """Gives the kernel's end its addresses, as soon as it is there."""
    until = time.monotonic() + LIMIT_S
    while subprocess.run(["ip", "link", "show", name], capture_output=True).returncode != 0:
        assert time.monotonic() < until, f"there is no interface {name}"
        time.sleep(0.02)
    for command in (f"ip addr add {KERNEL}/24 dev {name}", f"ip addr add {KERNEL6}/64 dev {name} nodad",
                    f"ip link set {name} up", "ip link set lo up"):
        subprocess.run(command.split(), check=True)


class Program:
    """A server of ours, ready to be talked to."""

    alive = []  # those that were not ended yet

    def __init__(self, program, port, *flags):
        self.stats = pathlib.Path(tempfile.mkstemp(prefix="iip-stats-")[1])
        self.process = subprocess.Popen(
            [program, "--port", "tap:iiptest", "--addr", f"{OURS}/24", "--addr", f"{V6}/64",
             "--stats-json", str(self.stats), *flags], stdout=subprocess.PIPE, text=True)
        Program.alive.append(self)
        line = self.process.stdout.readline()
        assert line == f"ready {OURS}:{port}\n", f"not ready: {line!r}"
        wire_up("iiptest")

    def peak_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])

    def end(self):
        """Ends it in order and checks its account; returns its statistics."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT_S)
        Program.alive.remove(self)
        text = self.stats.read_text()
        self.stats.unlink()
        assert code == 0, f"exit code {code}"
        stats = json.loads(text)
        counters = stats["counters"]
        drops = sum(n for name, n in counters.items() if name.startswith("drop_"))
        assert counters["rx_packets"] == counters["rx_delivered"] + counters["rx_held"] + drops, counters
        return stats

    def kill(self):
        Program.alive.remove(self)
        self.process.kill()
        self.process.wait()
        self.stats.unlink()


@atexit.register
def kill_programs(but=()):
    """Those that a failed test left: its device and its file go with it."""
    for program in [p for p in Program.alive if p not in but]:
        program.kill()


def run_tests(tests, *args):
    """Runs each, says how it went; returns how many failed."""
    failed = 0
    for test in tests:
        began, before = time.monotonic(), list(Program.alive)
        try:
            test(*args)
            print(f"ok   {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            failed += 1
            print("FAIL", test.__name__, f"{type(e).__name__}: {e}"[:400], flush=True)
            kill_programs(but=before)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return failed

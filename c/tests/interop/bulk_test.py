#!/usr/bin/env python3
"""1 GB in each direction through a TAP device, between the kernel and the stack, by SHA-256.

    bulk_test.py DIRECTORY [BYTES]      where the example programs are

Makes a network namespace of its own (and, without root, a user namespace); exit code 77 where it cannot have one.
"""

import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "examples"))
from echo_test import echo, load, serve, talk_echo
from world import KERNEL, KERNEL6, OURS, V6, Program, enter_namespace, run_tests

REQUEST = 1_000_000


def kernel_is_the_client(programs, size):
    """What it sends is what it gets back, so both ways were right."""
    server = Program(programs / "iip_echo", 7)
    for host in (OURS, V6):
        echo(host, size)
    assert server.peak_kb() < 200_000
    assert server.end()["closed"] == 2


def kernel_is_the_server(programs, size):
    """iip_load compares each byte that comes back with the one that it sent."""
    for family, host, peer in ((socket.AF_INET, "0.0.0.0", KERNEL), (socket.AF_INET6, "::", f"[{KERNEL6}]")):
        code, result = load(programs, "--connect", f"{peer}:{serve(family, host, talk_echo)}",
                            "--mode", "pp", "--size", str(REQUEST), "--count", str(size // REQUEST))
        assert code == 0 and result["errors"] == result["mismatches"] == 0, result
        assert result["bytes"] == size // REQUEST * REQUEST, result


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000_000
    enter_namespace()
    return 1 if run_tests([kernel_is_the_client, kernel_is_the_server], programs, size) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The kernel on the other side of the wire, in a network namespace of our own."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def namespace():
    """The words that make one, or a skip."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun cannot be opened")
    for flags in ("-n", "-Urn"):
        if subprocess.run(["unshare", flags, "true"], capture_output=True, check=False).returncode == 0:
            return ["unshare", flags]
    pytest.skip("no network namespace can be had here")


def test_tls_fetched_by_curl(certificate):
    cert, key = certificate
    pytest.importorskip("aiohttp")
    command = [*namespace(), sys.executable, HERE / "tap_tls.py", cert, key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "1048576 bytes by TLS\n"), done.stderr

import os
import subprocess
import sys

import pytest

import iip


def run_strictly(*words):
    """
    A Python that warns of all that -X dev warns of. Not that itself: it has asyncio's debug mode, which complains on
    stderr of each step of a program that takes long, and so of a machine that is busy.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONDEVMODE", "PYTHONASYNCIODEBUG")
    }
    command = [sys.executable, "-W", "default", "-X", "faulthandler", *words]
    return subprocess.run(
        command,
        env={**environment, "PYTHONMALLOC": "debug"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) of iip.test, as files."""
    directory = tmp_path_factory.mktemp("tls")
    key, cert = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
         "-out", cert, "-days", "2", "-subj", "/CN=iip.test", "-addext", "subjectAltName=DNS:iip.test"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def ends():
    """(server, client): attached loops at the two ends of an in-memory wire."""
    with (
        iip.Engine("pair:test", "10.0.0.2/24") as server,
        iip.Engine("pair:test", "10.0.0.1/24") as client,
        server.loop() as s,
        client.loop() as c,
    ):
        yield s, c


@pytest.fixture
def talk(ends):
    """A connection that stands: (server loop, its handle, client loop, its handle)."""
    server, client = ends
    server.listen(("", 7))
    handles = {}
    asked = client.connect(("10.0.0.2", 7))
    for _ in range(100):
        handles.update({event.type: event.src for loop in ends for event in loop.turn()})
        if {iip.EventType.ACCEPT, iip.EventType.CONNECTED} <= handles.keys():
            break
    assert handles[iip.EventType.CONNECTED] == asked
    return server, handles[iip.EventType.ACCEPT], client, asked


def next_event(loop, other, kind):
    """Turns both ends until `loop` hands up an event of that type."""
    for _ in range(1000):
        for event in loop.turn():
            if event.type == kind:
                return event
        assert not list(other.turn()), "the other end was not to hear anything"
    raise AssertionError(f"no {kind!r} came")

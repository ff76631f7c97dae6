"""Ctrl-C ends whatever a program waits for, and what it opened is closed on the way out."""

import signal
import subprocess
import sys
import textwrap

import pytest

AIO = """
import asyncio, signal, sys
from iip.aio import EventLoop

def both():
    loop = EventLoop("pair:interrupt", "10.0.0.1/24")
    loop.add_port("pair:interrupt", "10.0.0.2/24")
    return loop

async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
    writer.close()

async def main():
    async with await asyncio.start_server(echo, "10.0.0.2", 7):
        reader, writer = await asyncio.open_connection("10.0.0.2", 7)
        try:
            await wait(reader, writer)
        finally:
            writer.close()
            print("closed", flush=True)

def ready():
    print("ready", flush=True)

{wait}

with asyncio.Runner(loop_factory=both) as runner:
    runner.run(main())
"""

WAITS = {
    "parked": """
async def wait(reader, writer):
    asyncio.get_running_loop().call_later(0.2, ready)
    await reader.read(1)
""",
    "busy": """
async def wait(reader, writer):
    asyncio.get_running_loop().call_later(0.2, ready)
    while True:
        writer.write(b"x")
        await reader.readexactly(1)
""",
    "connecting": """
async def wait(reader, writer):
    asyncio.get_running_loop().call_later(0.2, ready)
    await asyncio.open_connection("10.0.0.77", 7)
""",
    "in the executor": """
async def wait(reader, writer):
    asyncio.get_running_loop().call_later(0.2, ready)
    await asyncio.to_thread(__import__("time").sleep, 1)
    await reader.read(1)
""",
}

BLOCKING = """
import threading
import iip, iip.sock

def ready():
    print("ready", flush=True)

threading.Timer(0.2, ready).start()
{with}:
    try:
        {wait}
    finally:
        print("closed", flush=True)
"""

NET = 'with iip.sock.Net("pair:interrupt", "10.0.0.1/24") as net'
LOOP = 'with iip.Engine("pair:interrupt", "10.0.0.1/24") as engine, engine.loop() as loop'
BLOCKED = {
    "accept": (NET, "net.listen(7).accept()"),
    "connect": (NET, 'net.connect(("10.0.0.2", 7))'),
    "recvfrom": (NET, "net.udp(7).recvfrom()"),
    "wait": (NET, "net.wait(lambda: False, None)"),
    "turn for ever": (LOOP, "while True: loop.turn(None)"),
    "turn for long": (LOOP, "while True: loop.turn(3600)"),
}


def interrupted(program):
    """Runs it, sends SIGINT once it says that it is ready, and looks at how it ends."""
    words = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line == "ready\n", line + process.stderr.read()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == "closed\n", err
    assert process.returncode == -signal.SIGINT, err
    assert err.endswith("KeyboardInterrupt\n"), err
    for word in ("Warning", "never", "Exception ignored", "destroyed"):
        assert word not in err, err


@pytest.mark.parametrize("name", WAITS)
def test_asyncio(name):
    interrupted(textwrap.dedent(AIO).replace("{wait}", WAITS[name]))


@pytest.mark.parametrize("name", BLOCKED)
def test_blocking(name):
    block, wait = BLOCKED[name]
    interrupted(BLOCKING.replace("{with}", block).replace("{wait}", wait))

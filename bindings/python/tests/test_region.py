"""Memory of the program, sent where it lies."""

import errno
import gc

import pytest

import iip
from iip import EventType


def received(loop, other, total):
    data = b""
    for _ in range(200):
        other.turn()
        for event in loop.turn(0.01):
            if event.type == EventType.DATA:
                data += loop.take(event)
        if len(data) == total:
            return data
    raise AssertionError(f"{len(data)} bytes came")


def test_sent_in_place_and_done(talk):
    server, accepted, client, conn = talk
    memory = bytearray(range(256)) * 40
    with client.engine.register(memory) as region:
        client.send_region(conn, region, 100, 5000, user=77)
        client.turn()
        with pytest.raises(iip.Error) as caught:
            region.close()
        assert caught.value.errno == errno.EBUSY
        with pytest.raises(BufferError):
            memory.append(1)  # it is held
        assert received(server, client, 5000) == memory[100:5100]
        done = None
        for _ in range(200):
            server.turn()
            done = done or next((e for e in client.turn(0.01) if e.type == EventType.TX_DONE), None)
            if done:
                break
        assert (done.user, done.len) == (77, 5000)
    memory.append(1)


def test_forgotten_regions_outlive_their_sends(talk):
    server, accepted, client, conn = talk
    client.send_region(conn, client.engine.register(b"only the engine knows it" * 100))
    client.turn()
    gc.collect()
    assert received(server, client, 2400) == b"only the engine knows it" * 100

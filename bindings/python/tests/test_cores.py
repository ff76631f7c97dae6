"""Two threads a loop: one does the networking, the other turns it."""

import errno
import threading

import pytest

import iip
from iip import Cores, EventType

MESSAGE = bytes(range(256)) * 64


class Networker(threading.Thread):
    def __init__(self, loop):
        super().__init__()
        self.loop, self.stop, self.error = loop, threading.Event(), None

    def run(self):
        try:
            self.loop.network(self.stop)
        except OSError as error:
            self.error = error

    def end(self):
        self.stop.set()
        self.loop.wake()
        self.join(100)
        assert not self.is_alive()
        if self.error:
            raise self.error


def echo_until(loop, stop, listens):
    with loop:
        loop.listen(("", 7))
        listens.set()
        while not stop.is_set():
            for event in loop.turn(1):
                if event.type == EventType.DATA:
                    loop.send(event.src, loop.take(event))


def answer_to(loop, message):
    got = bytearray()
    loop.connect(("10.0.0.2", 7))
    for _ in range(1000):
        for event in loop.turn(1):
            if event.type == EventType.CONNECTED:
                loop.send(event.src, message)
            elif event.type == EventType.DATA:
                got += loop.take(event)
        if len(got) >= len(message):
            break
    return bytes(got)


@pytest.mark.parametrize("cores", [Cores.SPLIT, Cores.MERGE])
def test_an_echo_whose_networking_has_threads_of_its_own(cores):
    with (
        iip.Engine("pair:cores", "10.0.0.2/24", cores=cores) as far,
        iip.Engine("pair:cores", "10.0.0.1/24", cores=cores) as near,
    ):
        networkers = [Networker(engine.loop()) for engine in (far, near)]
        for networker in networkers:
            networker.start()
        stop = threading.Event()
        listens = threading.Event()
        server = threading.Thread(target=echo_until, args=(far.loop(), stop, listens))
        server.start()
        assert listens.wait(100)
        try:
            with near.loop() as loop:
                assert answer_to(loop, MESSAGE) == MESSAGE
                with pytest.raises(iip.Error) as caught:  # a thread does it already
                    loop.network(stop)
                assert caught.value.errno == errno.EBUSY
        finally:
            stop.set()
            far.loop().wake()
            server.join(100)
            for networker in networkers:
                networker.end()
        assert not server.is_alive()


def test_a_unified_loop_has_no_networking_of_its_own(ends):
    server, _ = ends
    with pytest.raises(iip.Error) as caught:
        server.network(threading.Event())
    assert caught.value.errno == errno.EOPNOTSUPP
    server.turn()  # the thread owns it still

"""Blocking sockets. The other side of the wire is a thread with a Net of its own."""

import errno
import hashlib
import signal
import threading
import time

import pytest

import iip
from iip.sock import Net

SERVER, CLIENT = "10.0.0.2", "10.0.0.1"


class Peer(threading.Thread):
    """Runs `work(net)` beside the test; `join` raises what it raised."""

    def __init__(self, work, port="pair:sock", address=f"{SERVER}/24"):
        super().__init__(daemon=True)
        self.work, self.port, self.address = work, port, address
        self.ready = threading.Event()
        self.error = None
        self.start()
        assert self.ready.wait(60)

    def run(self):
        try:
            with Net(self.port, self.address) as net:
                self.work(net, self.ready)
        except BaseException as error:
            self.error = error
        finally:
            self.ready.set()

    def join(self, timeout=100):
        super().join(timeout)
        assert not self.is_alive()
        if self.error:
            raise self.error


@pytest.fixture
def net():
    with Net("pair:sock", f"{CLIENT}/24") as net:
        yield net


def echo(net, ready):
    with net.listen(7, timeout=60) as server:
        ready.set()
        sock, _ = server.accept()
        with sock:
            for data in sock:
                sock.sendall(data)


def test_bulk_both_ways_with_half_close(net):
    peer = Peer(echo)
    data = bytes(range(256)) * 4096
    received = hashlib.sha256()
    with net.connect((SERVER, 7), timeout=60) as sock:
        assert sock.peer == (SERVER, 7)
        sock.sendall(data)
        sock.shutdown()
        for part in sock:
            received.update(part)
    assert received.digest() == hashlib.sha256(data).digest()
    peer.join()


def test_recv_into_and_views(net):
    peer = Peer(echo)
    with net.connect((SERVER, 7), timeout=60) as sock:
        sock.sendall(b"abcdefgh")
        small = bytearray(3)
        assert sock.recv_into(small) == 3
        assert small == b"abc"
        with pytest.raises(ValueError, match="read already"):
            sock.recv_view()
        assert sock.recv(100) == b"defgh"
        sock.sendall(b"in place")
        with sock.recv_view() as view:
            assert view == b"in place"
            assert view.readonly
    peer.join()


def test_refused(net):
    def nobody(net, ready):
        ready.set()
        for _ in range(6000):
            net.turn(0.01)
            if net.loop.counters()["tcp_rst_sent"]:
                break

    peer = Peer(nobody)
    with pytest.raises(ConnectionRefusedError) as caught:
        net.connect((SERVER, 81), timeout=60)
    assert caught.value.errno == errno.ECONNREFUSED
    assert caught.value.name == "IIP_E_REFUSED"
    peer.join()


def test_timeouts(net):
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        net.connect((SERVER, 7), timeout=0.2)
    with net.listen(9, timeout=0.1) as server, pytest.raises(TimeoutError):
        server.accept()
    with net.udp(9, timeout=0.1) as udp, pytest.raises(TimeoutError):
        udp.recvfrom()
    assert time.monotonic() - begin >= 0.4


def test_reset_while_reading(net):
    def rude(net, ready):
        with net.listen(7, timeout=60) as server:
            ready.set()
            sock, _ = server.accept()
            sock.abort()
            net.turn(0)

    peer = Peer(rude)
    sock = net.connect((SERVER, 7), timeout=60)
    with pytest.raises(ConnectionResetError):
        sock.recv(10)
    with pytest.raises(ConnectionResetError):
        sock.sendall(b"too late")
    peer.join()


def test_udp(net):
    def echo(net, ready):
        with net.udp(7, timeout=60) as sock:
            ready.set()
            for _ in range(3):
                data, peer = sock.recvfrom()
                sock.sendto(data, peer)

    peer = Peer(echo)
    with net.udp(timeout=60) as sock:
        for data in (b"one", b"", bytes(range(250)) * 12):  # nothing at all, and more than a packet
            sock.sendto(data, (SERVER, 7))
            assert sock.recvfrom() == (data, (SERVER, 7))
    peer.join()


def test_who_connected_need_not_turn_for_the_peer_to_accept(net):
    accepted = threading.Event()

    def accept(net, ready):
        with net.listen(7, timeout=60) as server:
            ready.set()
            with server.accept()[0]:
                accepted.set()

    peer = Peer(accept)
    with net.connect((SERVER, 7), timeout=60):
        assert accepted.wait(50)
    peer.join()


def test_closed_socket_says_so(net):
    server = net.listen(7)
    server.close()
    with pytest.raises(iip.Error, match="closed"):
        server.accept()


def test_ctrl_c_ends_a_wait(net):
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with net.listen(9) as server, pytest.raises(KeyboardInterrupt):
            server.accept()
    finally:
        signal.signal(signal.SIGALRM, previous)

"""The same calls on a socket of the kernel over loopback, and on one of ours: what they answer must be the same."""

import array
import http.client
import io
import queue
import socket
import threading
import time

import pytest
from test_sock import CLIENT, SERVER, Peer

from iip.sock import Net

PORT = 7


class Far:
    """The other end of a connection of ours, in a thread of its own: `do` runs a call there."""

    def __init__(self):
        self.asked, self.answers, self.near = queue.Queue(), queue.Queue(), None
        self.thread = Peer(self._run)

    def _run(self, net, ready):
        with net.listen(PORT, timeout=60) as server:
            ready.set()
            sock, _ = server.accept()
            sock.timeout = 60
            while True:
                net.turn(0.001)
                if not self.asked.empty():
                    call = self.asked.get()
                    if call is None:
                        break
                    self.answers.put(call(sock))
            sock.close()

    def do(self, call, net=None):
        """Turns our end meanwhile, as the kernel turns its own."""
        self.asked.put(call)
        until = time.monotonic() + 60
        while self.answers.empty() and time.monotonic() < until:
            (net or self.near).turn(0.001)
        return self.answers.get_nowait()

    def end(self):
        self.asked.put(None)
        while self.near and self.thread.is_alive():
            self.near.turn(0.001)
        self.thread.join()


class FarOfKernel:
    def __init__(self, sock):
        self.sock = sock

    def do(self, call):
        return call(self.sock)


def same(program):
    """What the program sees, on either: it is given a connected socket with a timeout of 60 s, and the far end."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as near:
        far, _ = server.accept()
        with far:
            near.settimeout(60)
            kernel = program(near, FarOfKernel(far))
    far = Far()
    with Net("pair:sock", f"{CLIENT}/24") as net:
        try:
            far.near = net
            with net.connect((SERVER, PORT), timeout=60) as near:
                ours = program(near, far)
        finally:
            far.end()
    assert kernel == ours
    return ours


def outcome(call, *args):
    """What it returns; or the error's class of Python's own and, but for a timeout, its errno."""
    try:
        return call(*args)
    except Exception as error:
        kind = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
        return kind.__name__, None if kind is TimeoutError else getattr(error, "errno", None)


def test_arguments():
    def program(near, far):
        seen = [outcome(near.sendall, data) for data in (5, "text", None, [1], array.array("I", [1, 2]), b"")]
        seen += [outcome(near.send, data) for data in (5, "text", b"abc", memoryview(b"abcdef")[2:])]
        seen += [outcome(near.recv, 0), outcome(near.recv, -1), outcome(near.recv, "1"), outcome(near.recv_into, b"xx")]
        seen += [outcome(near.recv_into, bytearray()), outcome(near.recv_into, bytearray(2), -1)]
        seen += [outcome(near.settimeout, seconds) for seconds in (-1, "1", 0.5)]
        return [*seen, near.gettimeout()]

    same(program)


def test_timeouts():
    def program(near, far):
        near.settimeout(0.05)
        seen = [outcome(near.recv, 1), outcome(near.recv_into, bytearray(1)), outcome(near.sendall, bytes(60 << 20))]
        near.settimeout(0)
        seen += [outcome(near.recv, 1), outcome(near.recv_into, bytearray(1))]
        near.setblocking(True)
        return [*seen, near.gettimeout()]

    same(program)


def test_closed():
    def program(near, far):
        near.close()
        calls = [(near.recv, 1), (near.recv_into, bytearray(1)), (near.sendall, b"x"), (near.send, b"x")]
        seen = [outcome(*call) for call in [*calls, (near.shutdown, socket.SHUT_WR)]]
        return seen, near.close(), far.do(lambda sock: outcome(sock.recv, 1))

    same(program)


def test_shut_down():
    def program(near, far):
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        seen = [outcome(near.sendall, b"more"), outcome(near.send, b"more"), outcome(near.shutdown, socket.SHUT_WR)]
        seen += [far.do(lambda sock: [sock.recv(8), sock.recv(8), sock.sendall(b"answer")])]
        into = bytearray(10)
        return [*seen, near.recv(3), near.recv_into(into, 2), into, outcome(near.shutdown, 7), near.recv(10)]

    same(program)


def test_no_more_to_receive():
    def program(near, far):
        near.shutdown(socket.SHUT_RD)
        return near.recv(1), near.recv_into(bytearray(1)), near.sendall(b"x"), far.do(lambda sock: sock.recv(1))

    same(program)


def test_the_peer_closes():
    def program(near, far):
        far.do(lambda sock: sock.sendall(b"all"))
        far.do(lambda sock: sock.close())
        return near.recv(2), near.recv(2), near.recv(2), near.recv(2)

    assert same(program) == (b"al", b"l", b"", b"")


@pytest.mark.parametrize("mode", ["rb", "r", "rwb", "rw", "wb", "w"])
@pytest.mark.parametrize("buffering", [None, 0, 2, 100])
def test_files(mode, buffering):
    def program(near, far):
        far.do(lambda sock: sock.sendall(b"line one\nline two\r\nrest" if "r" in mode else b""))
        far.do(lambda sock: sock.shutdown(socket.SHUT_WR))
        try:
            file = near.makefile(mode, buffering)
        except ValueError as error:
            return str(error)
        near.close()  # the file lives on
        seen = [file.readable(), file.writable(), file.seekable()]
        if "w" in mode:
            data = b"to the peer\n"
            seen += [file.write(data if "b" in mode else data.decode()), file.flush()]
            seen += [far.do(lambda sock: sock.recv(20))]
        if "r" in mode:
            seen += [file.readline(), file.read(3), file.readlines(), file.read()]
        else:
            seen += [outcome(file.read, 1)[0]]
        file.close()
        return [*seen, outcome(file.readline), far.do(lambda sock: outcome(sock.recv, 1))]

    same(program)


def test_modes_that_are_none():
    same(lambda near, far: outcome(near.makefile, "a"))


def test_a_file_that_timed_out():
    def program(near, far):
        near.settimeout(0.05)
        with near.makefile("rb") as file:
            return outcome(file.read, 1), outcome(file.read, 1)

    same(program)


def test_a_client_of_the_standard_library():
    """http.client closes its socket, and reads from its file."""

    def program(near, far):
        client = http.client.HTTPConnection("iip.test")
        client.sock = near
        client.request("GET", "/")
        asked = far.do(lambda sock: sock.recv(1000))
        far.do(lambda sock: sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
        return asked, client.getresponse().read()

    assert same(program)[1] == b"hello"


def test_another_thread_is_refused_and_nothing_is_done():
    far, seen = Far(), []
    with Net("pair:sock", f"{CLIENT}/24") as net, net.connect((SERVER, PORT), timeout=60) as near, net.udp() as udp:

        def other():
            calls = (
                near.close,
                near.shutdown,
                lambda: near.sendall(b"no"),
                lambda: near.recv(1),
                udp.close,
                udp.recvfrom,
            )
            seen.extend(outcome(call) for call in calls)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        near.sendall(b"yes")
        assert far.do(lambda sock: sock.recv(10), net) == b"yes"
    far.end()
    assert seen == [("OSError", 1)] * 6


def test_a_long_wait_to_send_keeps_the_queue_short():
    """What a sendall that timed out did not get rid of is not kept, however often one tries."""
    far = Far()
    with Net("pair:sock", f"{CLIENT}/24") as net, net.connect((SERVER, PORT), timeout=60) as near:
        near.settimeout(0.01)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                near.sendall(bytes(20 << 20))
        assert near.queued <= 1 << 20
        near.abort()
        net.turn()
    far.end()


def test_datagrams_and_a_server():
    def kernel():
        with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.05)
            yield udp, server, ("127.0.0.1", 9)

    def ours():
        with Net("pair:sock", f"{CLIENT}/24") as net, net.udp() as udp, net.listen(PORT) as server:
            server.settimeout(0.05)
            yield udp, server, (SERVER, 9)

    seen = []
    for ends in (kernel, ours):
        for udp, server, peer in ends():
            udp.settimeout(0.05)
            found = [outcome(udp.recvfrom, 10), outcome(server.accept), outcome(udp.sendto, "text", peer)]
            found += [outcome(udp.sendto, data, peer) for data in (5, None, bytes(70000))]
            udp.settimeout(0)
            server.settimeout(0)
            found += [outcome(udp.recvfrom, 10), outcome(udp.recvfrom, -1), outcome(server.accept)]
            found += [outcome(udp.sendto, b"x", (peer[0], 65536))]
            for one in (udp, server):
                one.close()
                one.close()
            seen.append([*found, outcome(udp.sendto, b"x", peer), outcome(udp.recvfrom, 1), outcome(server.accept)])
    assert seen[0] == seen[1]


def test_raw_files_know_their_mode():
    far = Far()
    with Net("pair:sock", f"{CLIENT}/24") as net, net.connect((SERVER, PORT), timeout=60) as near:
        with near.makefile("rb", 0) as file:
            assert isinstance(file, io.RawIOBase)
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")
        assert near.files == 0
    far.end()

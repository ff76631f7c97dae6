"""What asyncio promises of loops, servers and transports, as programs use it."""

import asyncio
import contextlib
import os
import signal
import socket

import pytest
from test_aio_ports import CLIENT, SERVER, Ours, both, connected, echo, run, until


def test_half_close_leaves_the_other_direction_open():
    async def answers_late(reader, writer):
        question = await reader.read()  # to the end
        await asyncio.sleep(0.01)
        for part in (b"you said ", question):
            writer.write(part)
            await writer.drain()
        writer.close()

    async def main():
        async with await asyncio.start_server(answers_late, SERVER, 7):
            reader, writer = await asyncio.open_connection(SERVER, 7)
            writer.write(b"hello")
            assert writer.can_write_eof()
            writer.write_eof()
            with pytest.raises(RuntimeError, match="after write_eof"):
                writer.write(b"more")
            assert await reader.read() == b"you said hello"
            writer.close()
            await writer.wait_closed()

    run(main())


@pytest.mark.parametrize("keeps", [True, False])
def test_eof_received_decides_whether_the_transport_closes(keeps):
    class Eof(Ours):
        def eof_received(self):
            return keeps

    async def main():
        async with connected(Eof) as (client, server):
            client.transport.write_eof()
            if keeps:
                await asyncio.sleep(0.05)
                assert not server.transport.is_closing()
                server.transport.write(b"still here")
                await until(lambda: client.data == b"still here")
            else:
                assert await server.lost is None

    run(main())


@pytest.mark.parametrize("then", ["resume_reading", "close", "abort"])
def test_bytes_that_wait_outlive_their_connection(then):
    """Both ends said all they had to say, and the connection is over, before the reader goes on."""

    async def main():
        async with connected() as (client, server):
            client.transport.pause_reading()
            server.transport.write(bytes(range(250)) * 1000)
            server.transport.close()
            client.transport.write_eof()
            await until(lambda: not client.transport.handle)
            assert not client.lost.done()
            assert not client.transport.is_closing()
            getattr(client.transport, then)()
            assert await client.lost is None
            assert client.data == (bytes(range(250)) * 1000 if then == "resume_reading" else b"")

    run(main())


@pytest.mark.parametrize("then", ["resume_reading", "write", "close"])
def test_bytes_that_wait_outlive_a_reset(then):
    """As with the kernel: the reader hears of it behind them, and who writes at once."""

    async def main():
        async with connected() as (client, server):
            client.transport.pause_reading()
            server.transport.write(bytes(100_000))
            await until(lambda: sum(map(len, client.transport._backlog)) == 100_000)
            server.transport.abort()
            await until(lambda: not client.transport.handle)
            assert not client.lost.done()
            getattr(client.transport, then)(*[b"x"] if then == "write" else [])
            assert (await client.lost is None) == (then == "close")
            assert len(client.data) == (100_000 if then == "resume_reading" else 0)

    run(main())


def test_a_reset_after_close_is_no_error_any_more():
    """As with the kernel: all that was written is on its way, and what the peer does then is not waited for."""

    async def main():
        for _ in range(3):
            async with connected() as (client, server):
                client.transport.write(b"last words")
                client.transport.close()
                server.transport.abort()
                assert await client.lost is None

    run(main())


def test_a_datagram_endpoint_is_opened_to_a_name(monkeypatch):
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, peer):
            self.transport.sendto(data, peer)

    async def getaddrinfo(host, port, **_):
        assert host == "somewhere.test"
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (SERVER, int(port)))]

    async def main():
        loop, got = asyncio.get_running_loop(), asyncio.Queue()
        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        there, _ = await loop.create_datagram_endpoint(Echo, local_addr=(SERVER, 7))
        receives = type(
            "Receives", (asyncio.DatagramProtocol,), {"datagram_received": lambda _, *it: got.put_nowait(it)}
        )
        here, _ = await loop.create_datagram_endpoint(receives, remote_addr=("somewhere.test", "7"))
        here.sendto(b"by name")
        assert await got.get() == (b"by name", (SERVER, 7))
        for transport in (here, there):
            transport.close()

    run(main())


def test_a_failing_connection_made_is_told_and_the_connection_stands():
    class Fails(Ours):
        def connection_made(self, transport):
            super().connection_made(transport)
            raise ZeroDivisionError

    async def main():
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(type(context["exception"])))
        async with connected(Fails) as (client, server):
            client.transport.write(b"all the same")
            await until(lambda: server.data == b"all the same")
            assert told == [ZeroDivisionError] * 2

    run(main())


def test_arguments_that_do_not_go_together():
    async def main():
        loop = asyncio.get_running_loop()
        for mistaken in ({"server_hostname": "x"}, {"ssl_handshake_timeout": 1}, {"ssl_shutdown_timeout": 1}):
            with pytest.raises(ValueError, match="ssl"):
                await loop.create_connection(Ours, SERVER, 7, **mistaken)
        with pytest.raises(TypeError, match="SSLContext"):
            await loop.create_server(Ours, SERVER, 7, ssl=True)
        with pytest.raises(ValueError, match="ssl"):
            await loop.create_server(Ours, SERVER, 7, ssl_handshake_timeout=1)
        with pytest.raises(ValueError, match="host/port"):
            await loop.create_server(Ours)

    run(main())


def test_a_port_by_the_name_of_its_service():
    async def main():
        async with await asyncio.start_server(echo, SERVER, "http") as server:
            assert server.sockets[0].getsockname() == (SERVER, 80)
            assert (server.sockets[0].family, server.sockets[0].type) == (socket.AF_INET, socket.SOCK_STREAM)
            _, writer = await asyncio.open_connection(SERVER, "http")
            writer.close()

    run(main())


def test_a_datagram_endpoint_says_which_port_it_got():
    class Datagrams(asyncio.DatagramProtocol):
        def __init__(self):
            self.got = []

        def datagram_received(self, data, peer):
            self.got.append((data, peer))

    async def main():
        loop = asyncio.get_running_loop()
        here, there = [
            await loop.create_datagram_endpoint(Datagrams, local_addr=(host, 0)) for host in (CLIENT, SERVER)
        ]
        names = [transport.get_extra_info("sockname") for transport, _ in (here, there)]
        assert all(name[1] for name in names)
        here[0].sendto(b"to there", names[1])
        await until(lambda: there[1].got)
        assert there[1].got == [(b"to there", names[0])]
        for transport, _ in (here, there):
            transport.close()

    run(main())


def test_extra_info():
    async def main():
        async with connected() as (client, server):
            ends = [transport.get_extra_info for transport in (client.transport, server.transport)]
            assert ends[0]("peername") == ends[1]("sockname") == (SERVER, 7)
            assert ends[0]("sockname") == ends[1]("peername")
            assert ends[0]("sockname")[0] == CLIENT
            assert ends[0]("iip_info")["state"] == 4
            assert ends[0]("socket") is None  # there is none
            assert ends[0]("ssl_object", "nothing") == "nothing"

    run(main())


@pytest.mark.parametrize("how", ["close_clients", "abort_clients"])
def test_clients_of_a_server(how):
    async def main():
        loop, accepted = asyncio.get_running_loop(), []

        def accept():
            accepted.append(Ours())
            return accepted[-1]

        server = await loop.create_server(accept, SERVER, 7)
        clients = [(await loop.create_connection(Ours, SERVER, 7))[1] for _ in range(3)]
        await until(lambda: len(accepted) == 3)
        for one in accepted:
            one.transport.write(b"bye")
        getattr(server, how)()
        server.close()
        await server.wait_closed()
        errors = [await client.lost for client in clients]
        if how == "close_clients":
            assert errors == [None] * 3
            assert [bytes(client.data) for client in clients] == [b"bye"] * 3
        else:
            assert all(isinstance(error, ConnectionResetError) for error in errors)

    run(main())


def test_a_port_that_is_free():
    async def main():
        first = await asyncio.start_server(echo, SERVER, 0)
        second = await asyncio.start_server(echo, [SERVER, CLIENT], 0, reuse_port=True, reuse_address=True)
        names = [sock.getsockname() for server in (first, second) for sock in server.sockets]
        assert len({port for _, port in names}) == len(names) == 3
        for host, port in names:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            writer.close()
        for server in (first, second):
            server.close()
            await server.wait_closed()

    run(main())


def test_an_address_is_free_once_its_server_is_closed():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(3):
            server = await asyncio.start_server(echo, SERVER, 7)
            server.close()
            transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(SERVER, 7))
            transport.close()

    run(main())


def test_a_server_that_starts_later():
    async def main():
        server = await asyncio.start_server(echo, SERVER, 7, start_serving=False)
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(SERVER, 7)
        await server.start_serving()
        assert server.is_serving()
        _, writer = await asyncio.open_connection(SERVER, 7)
        writer.close()
        server.close()
        await server.wait_closed()
        with pytest.raises(RuntimeError, match="closed"):
            await server.start_serving()

    run(main())


def test_where_a_connection_comes_from():
    async def main():
        async with await asyncio.start_server(echo, SERVER, 7):
            _, writer = await asyncio.open_connection(SERVER, 7, local_addr=(CLIENT, 4567))
            assert writer.get_extra_info("sockname") == (CLIENT, 4567)
            writer.close()

    run(main())


# ---- the kernel's part of the loop ----


def test_sockets_of_the_kernel():
    """sock= and the loop's sock_ methods are for the kernel's sockets, as ever."""

    async def main():
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as asking:
            listening.setblocking(False)
            asking.setblocking(False)
            connecting = asyncio.create_task(loop.sock_connect(asking, listening.getsockname()))
            accepted, _ = await loop.sock_accept(listening)
            with accepted:
                await connecting
                await loop.sock_sendall(asking, b"by hand")
                assert await loop.sock_recv(accepted, 100) == b"by hand"
                into = bytearray(10)
                await loop.sock_sendall(accepted, b"back")
                assert await loop.sock_recv_into(asking, into) == 4
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        peer_reader, peer_writer = await asyncio.open_connection(sock=theirs)
        peer_writer.write(b"a pair")
        assert await reader.readexactly(6) == b"a pair"
        assert isinstance(writer.get_extra_info("socket").fileno(), int)
        for one in (writer, peer_writer):
            one.close()
            await one.wait_closed()

    run(main())


def test_pipes_and_signals():
    async def main():
        loop, signalled = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, signalled.set)
        os.kill(os.getpid(), signal.SIGUSR1)
        await signalled.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
        r, w = os.pipe()
        reader = asyncio.StreamReader()
        with contextlib.ExitStack() as stack:
            source, sink = (stack.enter_context(os.fdopen(fd, mode)) for fd, mode in ((r, "rb"), (w, "wb")))
            reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
            writing, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sink)
            writing.write(b"through a pipe")
            assert await reader.readexactly(14) == b"through a pipe"
            writing.close()
            reading.close()
            await asyncio.sleep(0)

    run(main())


def test_a_thread_wakes_a_loop_that_is_parked():
    async def main():
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        await loop.run_in_executor(None, loop.call_soon_threadsafe, woken.set_result, 42)
        assert await woken == 42

    run(main())


def test_a_closed_loop():
    loop = both()
    loop.close()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.add_port("pair:ports", "10.0.0.3/24")

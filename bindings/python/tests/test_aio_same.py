"""The same program on asyncio's own loop over loopback, and on ours: what it sees must be the same."""

import asyncio
import contextlib
import contextvars
import gc
import logging
import sys
import threading
import time

import pytest
from test_aio_ports import SERVER, Ours, both, until

WHO = contextvars.ContextVar("WHO", default="nobody")


def same(program):
    """What the program returns, on either loop; it is given the address to serve on."""
    seen = []
    for factory, host in ((asyncio.SelectorEventLoop, "127.0.0.1"), (both, SERVER)):
        with asyncio.Runner(loop_factory=factory) as runner:
            seen.append(runner.run(to_the_end(program(host))))
    assert seen[0] == seen[1]
    return seen[0]


async def to_the_end(work):
    """And until no connection and no endpoint of it is left."""
    result = await asyncio.wait_for(work, 60)
    loop = asyncio.get_running_loop()
    await until(lambda: all(transport._sock is None for transport in loop._transports.values()))
    await until(lambda: not any(port.engine.conns for port in getattr(loop, "ports", ())))
    return result


def complaints():
    """What the exception handler hears from now on: keys, and what is exact about it."""
    heard = []

    def handler(_, context):
        keys = sorted(context.keys() - {"source_traceback"})
        call = "" if "handle" in keys else context["message"]
        heard.append((keys, call, type(context["exception"]).__name__))

    asyncio.get_running_loop().set_exception_handler(handler)
    return heard


@contextlib.asynccontextmanager
async def pair(host, accept, connect):
    """(client's protocol, port) of a connection to a new server."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(accept, host, 0)
    port = server.sockets[0].getsockname()[1]
    transport, protocol = await loop.create_connection(connect, host, port)
    try:
        yield protocol, port
    finally:
        transport.abort()
        server.close()


# ---- contexts ----


class Notes(Ours):
    """Notes what it is told, and in which context; each call changes what the context says."""

    def __init__(self, notes, name):
        super().__init__()
        self.notes, self.name = notes, name
        self.note("factory")

    def note(self, what):
        self.notes.append((self.name, what, WHO.get()))
        WHO.set(f"{what} of the {self.name}")

    def connection_made(self, transport):
        super().connection_made(transport)
        self.note("connection_made")

    def data_received(self, data):
        super().data_received(data)
        self.note("data_received")

    def eof_received(self):
        self.note("eof_received")

    def connection_lost(self, error):
        self.note("connection_lost")
        super().connection_lost(error)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_protocols_run_in_the_context_of_their_server_or_connection(how):
    async def program(host):
        notes = []
        WHO.set("who serves")
        server = await asyncio.get_running_loop().create_server(lambda: Notes(notes, "server"), host, 0)
        WHO.set("who connects")
        address = server.sockets[0].getsockname()
        transport, client = await asyncio.get_running_loop().create_connection(lambda: Notes(notes, "client"), *address)
        WHO.set("who goes on")
        for n in range(1, 3):
            transport.write(b"x")
            await until(lambda n=n: sum(note[1] == "data_received" for note in notes) == n)
        getattr(transport, how)()
        WHO.set("who is done")
        await client.lost
        await until(lambda: ("server", "connection_lost") in [note[:2] for note in notes])
        server.close()
        seen = [[note for note in notes if note[0] == name] for name in ("server", "client")]
        return [seen[0][: None if how == "close" else 4], seen[1]]  # an abort is another end for the peer

    server, client = same(program)
    assert [note[2] for note in server[:3]] == ["who serves", "factory of the server", "factory of the server"]
    assert client[-1] == ("client", "connection_lost", "who goes on")


def test_handlers_of_streams_run_in_the_context_of_their_server():
    async def program(host):
        seen = []

        async def handler(reader, writer):
            seen.append(WHO.get())
            WHO.set("a handler")
            await reader.read(1)
            seen.append(WHO.get())
            writer.close()

        WHO.set("who serves")
        server = await asyncio.start_server(handler, host, 0)
        WHO.set("who connects")
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x")
            assert await reader.read() == b""
            writer.close()
        server.close()
        return seen, WHO.get()

    assert same(program) == (["who serves", "a handler"] * 2, "who connects")


def test_datagrams_are_received_in_the_context_of_their_endpoint():
    async def program(host):
        loop, seen = asyncio.get_running_loop(), []

        class Endpoint(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                seen.append(("made", WHO.get()))

            def datagram_received(self, data, peer):
                seen.append(("received", WHO.get()))

            def connection_lost(self, error):
                seen.append(("lost", WHO.get()))

        WHO.set("who opens")
        transport, _ = await loop.create_datagram_endpoint(Endpoint, (host, 0))
        WHO.set("who asks")
        asking, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=transport.get_extra_info("sockname")
        )
        asking.sendto(b"x")
        await until(lambda: len(seen) == 2)
        transport.close()
        asking.close()
        await until(lambda: len(seen) == 3)
        return seen

    assert [who for _, who in same(program)] == ["who opens", "who opens", "who asks"]


# ---- callbacks that fail ----


def raising(error):
    def fails(*_):
        raise error("on purpose")

    return fails


def tcp_failing(method, error, base=Ours):
    """What is heard of it, and whether the connection lives."""
    failing = type("Failing", (base,), {method: raising(error)})

    async def program(host):
        heard, accepted = complaints(), []

        def accept():
            accepted.append(failing())
            return accepted[-1]

        async with pair(host, accept, Ours) as (client, _):
            client.transport.write(b"x")
            if method in ("eof_received", "connection_lost"):
                client.transport.write_eof()
            quiet = error is OSError and method in ("data_received", "eof_received")
            await (client.lost if quiet else until(lambda: heard))
            if method != "connection_made":  # the connection stands
                await client.lost
            return heard, client.lost.done()

    return program


class Buffers(asyncio.BufferedProtocol):
    def __init__(self):
        self.buffer = bytearray(10)

    def get_buffer(self, hint):
        return self.buffer

    def buffer_updated(self, n):
        pass


class EmptyBuffers(Buffers):
    def get_buffer(self, hint):
        return b""


@pytest.mark.parametrize("method", ["connection_made", "data_received", "eof_received", "connection_lost"])
@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, asyncio.CancelledError])
def test_a_failing_protocol(method, error):
    same(tcp_failing(method, error))


@pytest.mark.parametrize("method", ["get_buffer", "buffer_updated"])
def test_a_failing_buffered_protocol(method):
    same(tcp_failing(method, ZeroDivisionError, Buffers))


def test_a_buffer_without_room():
    same(tcp_failing("pause_writing", ZeroDivisionError, EmptyBuffers))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # asyncio's own leaves the socket to the collector
@pytest.mark.parametrize("debug", [False, True])
def test_a_failing_factory_loses_its_connection_and_nothing_else(debug):
    async def program(host):
        asyncio.get_running_loop().set_debug(debug)
        heard, made = complaints(), []

        def accept():
            made.append(len(made))
            if len(made) == 1:
                raise ZeroDivisionError("on purpose")
            return Ours()

        async with pair(host, accept, Ours) as (client, port):
            await until(lambda: made)
            _, other = await asyncio.get_running_loop().create_connection(Ours, host, port)
            await until(lambda: len(made) == 2)
            await asyncio.sleep(0.05)
            alive = not other.lost.done()
            other.transport.abort()
        return heard, alive

    heard, alive = same(program)
    gc.collect()
    assert alive
    assert len(heard) == debug


@pytest.mark.parametrize("method", ["connection_made", "datagram_received", "connection_lost"])
@pytest.mark.parametrize("error", [ZeroDivisionError, OSError])
def test_a_failing_datagram_protocol(method, error):
    failing = type("Failing", (asyncio.DatagramProtocol,), {method: raising(error)})

    async def program(host):
        loop, heard = asyncio.get_running_loop(), complaints()
        transport, _ = await loop.create_datagram_endpoint(failing, (host, 0))
        asking, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=transport.get_extra_info("sockname")
        )
        if method == "datagram_received":
            for n in range(1, 3):  # the endpoint stays
                asking.sendto(b"x")
                await until(lambda n=n: len(heard) == n)
        lives = not transport.is_closing()
        transport.close()
        asking.close()
        await until(lambda: heard)
        return heard, lives

    same(program)


def test_a_failing_error_received():
    class Fails(asyncio.DatagramProtocol):
        def error_received(self, error):
            raise ZeroDivisionError(error)

    async def program(host):
        heard = complaints()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Fails, remote_addr=(host, 9))
        transport.sendto(b"nobody is there")
        await until(lambda: heard)
        lives = not transport.is_closing()
        transport.close()
        return heard, lives

    same(program)


# ---- tasks ----


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of Python 3.12")
def test_eager_tasks():
    async def program(host):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        seen = []

        async def echo(reader, writer):
            seen.append("accepted")
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def ask(address, text):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(text)
            answer = await reader.readexactly(len(text))
            writer.close()
            await writer.wait_closed()
            return answer

        async with await asyncio.start_server(echo, host, 0) as server:
            address = server.sockets[0].getsockname()
            answers = await asyncio.gather(*(ask(address, b"%03d" % i) for i in range(20)))
        return answers, seen

    same(program)


# ---- debug mode ----


def test_slow_callbacks_are_named_in_debug_mode(caplog):
    class Slow(Ours):
        def data_received(self, data):
            super().data_received(data)
            time.sleep(0.02)

    async def program(host):
        loop, made = asyncio.get_running_loop(), []
        loop.set_debug(True)

        def accept():
            made.append(Slow())
            return made[-1]

        async with pair(host, accept, Ours) as (client, _):
            await until(lambda: made and made[0].transport)
            loop.slow_callback_duration = 0.02
            with caplog.at_level(logging.WARNING, "asyncio"):
                caplog.clear()
                client.transport.write(b"x")
                await until(lambda: any("Executing" in record.getMessage() for record in caplog.records))
            loop.slow_callback_duration = 60
        return True

    same(program)
    assert "data_received" in caplog.text


def test_a_thread_that_must_not_is_told_so_in_debug_mode():
    async def program(host):
        loop, told = asyncio.get_running_loop(), []
        loop.set_debug(True)

        def other():
            for schedule in (loop.call_soon, lambda call: loop.call_later(1, call)):
                with pytest.raises(RuntimeError) as caught:
                    schedule(print)
                told.append(str(caught.value))

        thread = threading.Thread(target=other)
        thread.start()
        await asyncio.to_thread(thread.join)
        return told

    same(program)


# ---- arguments ----


def outcome(error):
    """The error's class of Python's own, and its errno."""
    kind = next(one.__name__ for one in type(error).__mro__ if one.__module__ in ("builtins", "socket"))
    return kind, getattr(error, "errno", None)


@pytest.mark.parametrize("port", [65536, -1, "65536", "-1", "no such service"])
def test_ports_that_are_none(port):
    async def program(host):
        loop, seen = asyncio.get_running_loop(), []
        for asked in (
            loop.create_connection(asyncio.Protocol, host, port),
            loop.create_server(asyncio.Protocol, host, port),
            loop.create_datagram_endpoint(asyncio.DatagramProtocol, (host, port)),
            loop.create_datagram_endpoint(asyncio.DatagramProtocol, None, (host, port)),
            loop.create_connection(asyncio.Protocol, host, 7, local_addr=(host, port)),
        ):
            with pytest.raises((OverflowError, OSError)) as caught:
                await asked
            seen.append(outcome(caught.value))
        return seen

    same(program)


@pytest.mark.parametrize("port", ["0", b"0", b"", "", None, 0])
def test_ports_in_other_words(port):
    async def program(host):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, (host, port))
        bound = [transport.get_extra_info("sockname")[1]]
        transport.close()
        if port is not None:
            server = await loop.create_server(asyncio.Protocol, host, port)
            bound.append(server.sockets[0].getsockname()[1])
            server.close()
        return [number > 0 for number in bound]

    assert all(same(program))


def test_a_server_that_starts_later_has_its_port():
    async def program(host):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Ours, host, 0, start_serving=False)
        port = server.sockets[0].getsockname()[1]
        serving = server.is_serving()
        await server.start_serving()
        transport, _ = await loop.create_connection(Ours, host, port)
        transport.abort()
        again = server.sockets[0].getsockname()[1] == port
        server.close()
        return serving, again

    assert same(program) == (False, True)


# ---- datagrams ----


class Received(asyncio.DatagramProtocol):
    def __init__(self):
        self.data, self.lost = [], False

    def datagram_received(self, data, peer):
        self.data.append(data)

    def connection_lost(self, error):
        self.lost = True


@contextlib.asynccontextmanager
async def endpoints(host):
    """(transport that asks, protocol that is asked, its address)."""
    loop = asyncio.get_running_loop()
    asked, protocol = await loop.create_datagram_endpoint(Received, (host, 0))
    address = asked.get_extra_info("sockname")
    asking, _ = await loop.create_datagram_endpoint(Received, remote_addr=address)
    yield asking, protocol, address
    asking.close()
    asked.close()
    await until(lambda: protocol.lost)


def test_what_is_no_datagram():
    async def program(host):
        said = []
        async with endpoints(host) as (asking, protocol, address):
            for data in (5, "text", [1], None):
                with pytest.raises(TypeError) as caught:
                    asking.sendto(data)
                said.append(str(caught.value))
            with pytest.raises(ValueError, match="must be None or"):
                asking.sendto(b"x", (host, 1))
            for data in (b"bytes", bytearray(b"array"), memoryview(b"view")):
                asking.sendto(data)
            asking.sendto(b"to whom it is connected", address)
            await until(lambda: len(protocol.data) == 4)
            return said, protocol.data, asking.get_write_buffer_size(), asking.get_write_buffer_limits()

    same(program)


def test_as_many_datagrams_as_one_likes():
    """None is refused: those for which there is no room in a turn wait."""

    async def program(host):
        async with endpoints(host) as (asking, protocol, address):
            for _ in range(5000):
                asking.sendto(b"one of many")
            while b"the last" not in protocol.data:
                asking.sendto(b"the last")
                await asyncio.sleep(0.001)
            return not asking.is_closing()

    assert same(program)


def test_a_datagram_just_before_the_end():
    async def program(host):
        async with endpoints(host) as (asking, protocol, _):
            asking.sendto(b"last")
            asking.close()
            asking.sendto(b"too late") if host == SERVER else None
            await until(lambda: protocol.data)
            return protocol.data

    assert same(program) == [b"last"]


def test_a_protocol_is_whatever_has_its_methods():
    class Duck:
        def connection_made(self, transport):
            self.got = []

        def datagram_received(self, data, peer):
            self.got.append(data)

        def connection_lost(self, error): ...

    async def program(host):
        loop = asyncio.get_running_loop()
        transport, duck = await loop.create_datagram_endpoint(Duck, (host, 0))
        asking, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=transport.get_extra_info("sockname")
        )
        asking.sendto(b"quack")
        await until(lambda: duck.got)
        asking.close()
        transport.close()
        return duck.got

    same(program)


# ---- reading ----


def test_a_buffered_protocol_that_pauses_gets_no_more():
    class Pauses(Ours, asyncio.BufferedProtocol):
        def get_buffer(self, hint):
            self.buffer = bytearray(3)
            return self.buffer

        def buffer_updated(self, n):
            assert self.transport.is_reading()
            self.data += self.buffer[:n]
            self.transport.pause_reading()

    async def program(host):
        made = []

        def accept():
            made.append(Pauses())
            return made[-1]

        async with pair(host, accept, Ours) as (client, _):
            client.transport.write(b"abcdefgh")
            steps = []
            for n in (3, 6, 8):
                await until(lambda n=n: made and len(made[0].data) == n)
                await asyncio.sleep(0.01)
                steps.append(bytes(made[0].data))
                made[0].transport.resume_reading()
            return steps

    assert same(program) == [b"abc", b"abcdef", b"abcdefgh"]


def test_bytes_that_another_protocol_gets():
    """A buffered protocol that gives way in the midst of what came: the next one has the rest."""

    async def program(host):
        made, then = [], Ours()

        class First(Ours, asyncio.BufferedProtocol):
            def get_buffer(self, hint):
                self.buffer = bytearray(3)
                return self.buffer

            def buffer_updated(self, n):
                self.data += self.buffer[:n]
                self.transport.set_protocol(then)

        def accept():
            made.append(First())
            return made[-1]

        async with pair(host, accept, Ours) as (client, _):
            client.transport.write(b"abcdefgh")
            await until(lambda: len(then.data) == 5)
            return bytes(made[0].data), bytes(then.data)

    assert same(program) == (b"abc", b"defgh")

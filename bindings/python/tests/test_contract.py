"""What every binding must keep: wrong handles, threads and releases are errors, never a crash; any end is safe."""

import contextlib
import itertools
import os
import random
import threading
import time
import warnings
from array import array
from collections import Counter

import pytest
from conftest import next_event

import iip
from iip import EventType, OpCode, Option
from iip.constants import State, Status


def delivered(client, conn, server, data):
    """The event of those bytes at the server."""
    client.set(conn, Option.NODELAY, 1)
    client.send(conn, data)
    client.turn()
    return next_event(server, client, EventType.DATA)


ODD_HANDLES = (1, 2**22, 2**43, 2**52, 2**53 - 1, 2**53, 2**64 - 1)


def results_of(loop, asked):
    loop.turn()
    return [loop.result(i)[1] for i in asked]


# ---- handles ----


def test_numbers_that_name_nothing_are_stale(ends):
    loop, _ = ends
    dice = random.Random(4)
    for handle in (*ODD_HANDLES, *(dice.getrandbits(dice.randrange(1, 65)) for _ in range(200))):
        with pytest.raises(iip.StaleHandleError):
            loop.conn_info(handle)
        with pytest.raises(iip.StaleHandleError):
            loop.retain(handle)
    codes = (OpCode.SHUTDOWN, OpCode.CLOSE, OpCode.ABORT, OpCode.USER, OpCode.CREDIT)
    asked = [loop.op(code, handle) for code in codes for handle in ODD_HANDLES]
    assert set(results_of(loop, asked)) == {Status.E_STALE}


def test_a_handle_of_another_kind_is_stale(talk):
    server, accepted, client, conn = talk
    timer, endpoint = client.timer(1000), client.udp(("", 5000))
    buf, _ = client.buffer()
    for handle in (timer, endpoint, buf):
        with pytest.raises(iip.StaleHandleError):
            client.conn_info(handle)
        assert results_of(client, [client.send(handle, b"x")]) == [Status.E_STALE]
    with pytest.raises(iip.StaleHandleError):
        client.retain(conn)
    client.release(conn)
    assert client.turn().release_failed == 1
    client.release(buf)
    assert results_of(client, [client.close(timer), client.close(endpoint)]) == [Status.OK, Status.OK]
    assert results_of(client, [client.close(timer), client.close(endpoint)]) == [Status.E_STALE, Status.E_STALE]


def test_a_handle_of_another_loop_is_refused(talk):
    """The other end's handle names a connection, though not one of this loop."""
    server, accepted, client, conn = talk
    asked = [client.send(accepted, b"not mine"), client.close(accepted), client.abort(accepted)]
    assert all(status < 0 for status in results_of(client, asked))
    event = delivered(client, conn, server, b"still there")
    assert server.take(event) == b"still there"
    server.turn()


def test_handles_of_a_closed_engine_stay_stale():
    with iip.Engine("pair:gone", "10.0.0.1/24") as engine, engine.loop() as loop:
        endpoint, timer = loop.udp(("", 7)), loop.timer(100)
        loop.close(endpoint)
        loop.close(timer)
        loop.turn()
    with iip.Engine("pair:gone", "10.0.0.1/24") as engine, engine.loop() as loop:
        loop.close(loop.udp(("", 7)))
        for handle in (endpoint, timer):
            assert results_of(loop, [loop.close(handle)]) == [Status.E_STALE]


# ---- threads ----


def test_what_belongs_to_the_owner_is_refused_elsewhere(talk):
    server, accepted, client, conn = talk
    calls = [
        client.turn,
        client.attach,
        client.detach,
        client.buffer,
        lambda: client.listen(("", 9)),
        lambda: client.connect(("10.0.0.2", 9)),
        lambda: client.udp(("", 9)),
        lambda: client.timer(1),
        lambda: list(client.end()),
        client.engine.close,
        lambda: client.send(conn, b"x"),
        lambda: client.send(conn, bytes(5000)),
        lambda: client.send_to(conn, b"x", ("10.0.0.2", 9)),
        lambda: client.send_each([conn], [b"x"]),
        lambda: client.send_columns(memoryview(array("Q", [conn])), b"x"),
        lambda: client.forward_columns(client.turn().columns),
        lambda: client.close(conn),
        lambda: client.release(conn),
        lambda: client.release_columns(memoryview(array("Q", [conn]))),
        lambda: client.result(0),
        lambda: client.take_all(1, {}),
    ]
    caught = []

    def other():
        for call in calls:
            try:
                call()
                caught.append(None)
            except iip.Error as error:
                caught.append(error.name)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert set(caught) == {"IIP_E_WRONG_THREAD", "IIP_E_BUSY"}
    assert caught.count("IIP_E_BUSY") == 2  # attach, close
    assert server.take(delivered(client, conn, server, b"unharmed")) == b"unharmed"
    server.turn()


def test_threads_that_do_not_own_a_loop_cannot_spoil_its_turns(talk):
    """They ask for all that they can while the owner sends, whose bytes arrive as they are and in order."""
    server, _, client, conn = talk
    over, refused = threading.Event(), Counter()

    def other():
        while not over.is_set():
            for ask in (
                lambda: client.send(conn, b"wrong" * 10),
                lambda: client.send(conn, bytearray(5000)),
                lambda: client.turn(0.0, event_max=1),
                lambda: client.abort(conn),
                lambda: client.release(conn),
                client.buffer,
            ):
                with contextlib.suppress(iip.WrongThreadError):
                    ask()
                    refused["not"] += 1
                refused["asked"] += 1

    threads = [threading.Thread(target=other) for _ in range(3)]
    for thread in threads:
        thread.start()
    sent, got = b"", bytearray()

    def receive():
        for event in server.turn():
            if event.type == EventType.DATA:
                got.extend(server.take(event))

    try:
        for i in range(0, 300, 6):
            sent += (piece := bytes([i % 256]) * (i * 7 + 1))
            while (n := client.send(conn, piece)) is not None and client.turn().op_short:
                piece = piece[client.result(n)[0] :]
                receive()
            receive()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    until = time.monotonic() + 60
    while len(got) < len(sent) and time.monotonic() < until:
        client.turn()
        receive()
    server.turn()
    assert got == sent
    assert refused["asked"] > 0
    assert refused["not"] == 0
    assert client.stats()["stale_handles"] == client.stats()["bufs_held"] == server.stats()["bufs_held"] == 0


def test_a_loop_changes_its_owner():
    with iip.Engine("pair:owner", "10.0.0.1/24") as engine:
        loop, turns = engine.loop(), []

        def own():
            with loop:
                turns.append(loop.turn())

        for _ in range(3):
            thread = threading.Thread(target=own)
            thread.start()
            thread.join()
        own()
        assert len(turns) == 4


# ---- releases ----


def test_double_releases_are_counted_and_harm_nobody(talk):
    server, accepted, client, conn = talk
    event = delivered(client, conn, server, b"once")
    server.release(event.buf)
    server.release(event.buf)
    assert server.turn().release_failed == 1
    with pytest.raises(iip.StaleHandleError):
        server.view(event).release()
    thread = threading.Thread(target=server.view(event).give_back)
    thread.start()
    thread.join()
    assert server.stats()["bufs_held"] == 0
    assert server.take(delivered(client, conn, server, b"again")) == b"again"
    server.turn()


def test_a_storm_of_releases_from_other_threads(talk):
    """Each buffer has many references, given back by many threads at once, while the owner turns."""
    server, accepted, client, conn = talk
    threads_n, refs, rounds = 8, 16, 40
    for round_ in range(rounds):
        event = delivered(client, conn, server, b"%08d" % round_)
        views = [server.view(event)]
        for _ in range(threads_n * refs - 1):
            server.retain(event.buf)
            views.append(server.view(event))
        gate, wrong = threading.Barrier(threads_n + 1), []

        def let_go(mine, gate=gate, wrong=wrong, want=b"%08d" % round_):
            gate.wait()
            for i, view in enumerate(mine):
                if bytes(view) != want:
                    wrong.append(i)
                if i % 2:
                    view.release()
            mine.clear()  # the others by the collector

        threads = [threading.Thread(target=let_go, args=(views[i::threads_n],)) for i in range(threads_n)]
        views.clear()
        for thread in threads:
            thread.start()
        gate.wait()
        while any(thread.is_alive() for thread in threads):
            server.turn()
        for thread in threads:
            thread.join()
        del threads
        assert not wrong
    assert server.turn().release_failed == 0
    assert server.stats()["bufs_held"] == 0


# ---- the end ----


def test_an_engine_closes_with_work_in_flight():
    """Connections that send, a region, timers, endpoints, queued operations, posts of other threads: all at once."""
    for _ in range(10):
        server, client = iip.Engine("pair:busy", "10.0.0.2/24"), iip.Engine("pair:busy", "10.0.0.1/24")
        s, c = server.loop(), client.loop()
        s.attach()
        c.attach()
        s.listen(("", 7))
        region = client.register(bytes(100_000))
        conns = [c.connect(("10.0.0.2", 7)) for _ in range(20)]
        over = threading.Event()

        def post(loop=c, conn=conns[0], over=over):
            while not over.is_set():
                try:
                    loop.post(OpCode.USER, conn, user=1)
                    loop.wake()
                except iip.Error:
                    over.wait(0.001)

        poster = threading.Thread(target=post)
        poster.start()
        for _ in range(20):
            for event in c.turn():
                if event.type == EventType.CONNECTED:
                    c.send_region(event.src, region)
            for event in s.turn():
                if event.buf:
                    s.release(event.buf)
        c.timer(10)
        c.udp(("", 53))
        for conn in conns:
            c.send(conn, b"never sent")
        over.set()
        poster.join()
        left = client.close()
        assert left["conns"] == 20
        with pytest.raises(iip.Error, match="closed"):
            _ = client.mtu
        server.close()


def test_operations_on_the_loop_of_a_closed_engine_are_errors():
    engine = iip.Engine("pair:after", "10.0.0.1/24")
    loop = engine.loop()
    with loop:
        loop.turn()
    engine.close()
    for call in (loop.turn, loop.attach, loop.wake, loop.stats, loop.now, lambda: loop.post(OpCode.NOP)):
        with pytest.raises(iip.Error):
            call()


def test_a_forked_child_opens_its_own_and_leaves_the_parents_alone(talk):
    server, accepted, client, conn = talk
    view = server.view(delivered(client, conn, server, b"before the fork"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for call in (server.turn, client.wake, view.release, lambda: client.post(OpCode.NOP), server.engine.close):
                with pytest.raises(iip.ForkedError):
                    call()
            with iip.Engine("pair:child", "10.0.0.1/24") as engine, engine.loop() as loop:
                loop.turn()
            code = 42
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    with view as data:
        assert data == b"before the fork"
    assert server.take(delivered(client, conn, server, b"after it")) == b"after it"
    server.turn()


def test_a_loop_whose_port_takes_nothing_any_more_ends(talk):
    _, _, client, _ = talk
    udp = client.udp(("", 0))
    for _ in range(100_000):  # the other end does not turn
        client.send_to(udp, bytes(1000), ("10.0.0.2", 9))
        if client.turn().state & State.TX_PENDING:
            break
    else:
        pytest.fail("the port never was full")
    assert not list(client.end())[-1].state & State.CLOSED


def test_the_end_is_told_whole_by_a_thread_that_has_to_wait_for_its_processor(talk, monkeypatch):
    """Seconds go by between any two of its steps."""
    server, _, client, conn = talk
    clock = itertools.count(step=5.0)
    monkeypatch.setattr("iip.loop.time.monotonic", lambda: next(clock))
    batches = list(client.end())
    assert conn in [event.src for batch in batches for event in batch if event.type == EventType.CLOSED]
    assert batches[-1].state & State.CLOSED

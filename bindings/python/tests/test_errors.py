"""Mistakes get a clear exception."""

import errno
import gc
import os
import threading
import warnings

import pytest
from conftest import next_event

import iip
from iip import EventType, errors
from iip.constants import Status


def test_every_status_is_an_oserror_of_pythons_class():
    for status in Status:
        if status in (Status.OK, Status.E_LAST):
            continue
        error = errors.error_of(status)
        assert isinstance(error, iip.Error)
        assert error.status == status
        assert error.name == f"IIP_{status.name}"
        assert error.errno in errno.errorcode
    assert isinstance(errors.error_of(Status.E_RESET), ConnectionResetError)
    assert isinstance(errors.error_of(Status.E_REFUSED), ConnectionRefusedError)
    assert isinstance(errors.error_of(Status.E_TIMEOUT), TimeoutError)
    assert isinstance(errors.error_of(Status.E_STALE), RuntimeError)


@pytest.mark.parametrize(
    ("port", "what"),
    [("nonsense:x", "nonsense"), ("sim:w,loss=200%", "loss"), ("pcap:missing.pcap", "missing.pcap"), ("", "port")],
)
def test_a_port_that_cannot_be_opened_says_why(port, what):
    with pytest.raises(iip.Error, match=what):
        iip.Engine(port, "10.0.0.1/24")


def test_arguments():
    with pytest.raises(iip.Error, match=r"10\.0\.0\.999"):
        iip.Engine("pair:x", "10.0.0.999/24")
    with pytest.raises(TypeError, match="lops"):
        iip.Engine("pair:x", "10.0.0.1/24", lops=2)
    with pytest.raises(ValueError, match="16"):
        iip.Engine("pair:x", "10.0.0.1/24", key=b"short")
    with pytest.raises(iip.Error, match=r"tcp\.nonsense"):
        iip.Engine("pair:x", "10.0.0.1/24", tunables={"tcp.nonsense": 1})


def test_stale_handles(talk):
    server, accepted, client, conn = talk
    client.abort(conn)
    client.turn()
    next_event(server, client, EventType.CLOSED)
    with pytest.raises(iip.StaleHandleError):
        client.conn_info(conn)
    i = client.send(conn, b"too late")
    batch = client.turn()
    assert batch.op_short == 1
    assert client.result(i) == (0, Status.E_STALE)


def test_another_thread_may_only_post_wake_and_release(talk):
    server, accepted, client, conn = talk
    caught = []

    def other():
        try:
            client.turn()
        except iip.WrongThreadError as error:
            caught.append(error)
        client.post(iip.OpCode.ABORT, conn)
        client.wake()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert caught[0].name == "IIP_E_WRONG_THREAD"
    assert [event.type for event in client.turn(1)] == [EventType.CLOSED]


def test_wake_ends_a_wait_for_ever():
    with iip.Engine("pair:wake", "10.0.0.1/24") as engine:
        loop = engine.loop()
        waits = threading.Event()

        def owner():
            with loop:
                while list(loop.turn()):
                    pass  # the link comes up
                waits.set()
                loop.turn(None)

        thread = threading.Thread(target=owner, daemon=True)
        thread.start()
        waits.wait(100)
        loop.wake()
        thread.join(100)
        assert not thread.is_alive()


def test_engine_that_is_never_closed_is_reported():
    engine = iip.Engine("pair:leak", "10.0.0.1/24")
    with pytest.warns(ResourceWarning, match="never closed"):
        del engine
        gc.collect()


def test_a_closed_engine_says_so():
    engine = iip.Engine("pair:closed", "10.0.0.1/24")
    assert engine.close()["conns"] == 0
    assert engine.close() == {}
    with pytest.raises(iip.Error, match="closed"):
        _ = engine.loops


def test_busy_while_another_thread_owns_a_loop():
    engine = iip.Engine("pair:busy", "10.0.0.1/24")
    go, done = threading.Event(), threading.Event()

    def other():
        with engine.loop():
            go.set()
            done.wait(100)

    thread = threading.Thread(target=other)
    thread.start()
    assert go.wait(100)
    with pytest.raises(iip.Error) as caught:
        engine.close()
    assert caught.value.errno == errno.EBUSY
    done.set()
    thread.join()
    engine.close()


def test_a_forked_child_is_told(ends):
    server, _ = ends
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        try:
            server.turn()
        except iip.ForkedError:
            os._exit(42)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def test_too_many_operations_in_a_turn():
    with iip.Engine("pair:ops", "10.0.0.1/24", op_cap=4) as engine, engine.loop() as loop:
        for _ in range(4):
            loop.op(iip.OpCode.NOP)
        with pytest.raises(BlockingIOError, match="op_cap"):
            loop.op(iip.OpCode.NOP)
        loop.turn()
        loop.op(iip.OpCode.NOP)


def test_a_refused_close_leaves_the_owners_releases_alone(talk):
    """Releases that wait for the owner's next turn are the owner's, whoever tries to close the engine meanwhile."""
    server, accepted, client, conn = talk
    client.send(conn, b"held")
    client.turn()
    event = next_event(server, client, EventType.DATA)
    server.release(event.buf)
    caught = []

    def other():
        try:
            server.engine.close()
        except iip.Error as error:
            caught.append(error.errno)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert caught == [errno.EBUSY]
    assert server.stats()["bufs_held"] == 1
    assert server.turn().release_failed == 0
    stats = server.stats()
    assert (stats["bufs_held"], stats["foreign_releases"]) == (0, 0)

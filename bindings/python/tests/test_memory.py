"""Memory of the stack that a program still has a name for when it is gone: an exception, or harmless; never a crash."""

import gc
import subprocess
import sys
import threading

import pytest
from conftest import next_event

import iip
from iip import EventType


def sent(talk, data=b"some bytes"):
    """The batch that brought them to the server, and its event."""
    server, _, client, conn = talk
    client.send(conn, data)
    client.turn()
    batch = server.turn()
    return batch, next(iter(batch))


def test_a_batch_outlives_its_engine():
    numpy = pytest.importorskip("numpy")
    with (
        iip.Engine("pair:outlives", "10.0.0.2/24", event_cap=8192) as far,
        iip.Engine("pair:outlives", "10.0.0.1/24") as near,
        far.loop() as server,
        near.loop() as client,
    ):
        server.listen(("", 7))
        conn = client.connect(("10.0.0.2", 7))
        while not any(event.type == EventType.CONNECTED for event in client.turn()):
            server.turn()
        client.turn()
        assert [event.type for event in server.turn()] == [EventType.ACCEPT]
        client.send(conn, b"12345")
        client.turn()
        batch = server.turn()
        columns, array, lengths, event = batch.columns, batch.columns.numpy(), batch.columns.len, batch[0]
        server.release(event.buf)
        server.turn()
    more = [bytearray(1 << 19) for _ in range(64)]  # where the engine's arrays were
    assert list(batch) == [event]
    assert list(lengths) == list(columns.len) == list(array["len"]) == [5]
    assert [kind for kind, _ in columns.runs()] == [EventType.DATA]
    assert isinstance(array, numpy.ndarray)
    del more


def test_a_loop_whose_engine_is_closed():
    with iip.Engine("pair:closed", "10.0.0.1/24", op_cap=8192, event_cap=8192) as engine, engine.loop() as loop:
        event = iip.Event(*[0] * 13)
        columns = loop.turn().columns
    for ask in (
        lambda: loop.op(1),
        lambda: loop.send(1, b"x"),
        lambda: loop.send(1, bytes(5000)),
        lambda: loop.send_to(1, b"x", ("10.0.0.2", 7)),
        lambda: loop.send_buffer(1, 2, 3),
        lambda: loop.send_each([1], [b"x"]),
        lambda: loop.send_columns(columns.src, b"x"),
        lambda: loop.forward_columns(columns),
        lambda: loop.forward(1, event),
        lambda: loop.release(1),
        lambda: loop.release_columns(columns.buf),
        lambda: loop.listen(("", 7)),
        lambda: loop.connect(("10.0.0.2", 7)),
        lambda: loop.timer(1),
        lambda: loop.close_now(1),
        lambda: loop.take(event),
        lambda: loop.take_all(1000, {}),
        lambda: loop.ends(event),
        lambda: loop.result(0),
        lambda: loop.result(8191),
        loop.turn,
        loop.buffer,
        loop.attach,
        loop.detach,
        loop.wake,
        loop.fileno,
        loop.now,
        loop.stats,
        loop.counters,
        loop.conns,
        lambda: list(loop.end()),
        lambda: loop.post(1),
        lambda: loop.network(threading.Event()),
        engine.regions,
        engine.log,
        lambda: engine.register(b"x"),
        lambda: engine.listen(("", 7)),
        lambda: engine.advance(1),
        lambda: engine.inject(b"x"),
    ):
        with pytest.raises(iip.Error, match="IIP_E_CLOSED"):
            ask()
    assert engine.close() == {}


def test_take_all_takes_no_more_than_arrived(talk):
    server = talk[0]
    _, event = sent(talk)
    assert server.take_all(1 << 40, {}) == [(0, None)]
    server.release(event.buf)
    server.turn()


@pytest.mark.parametrize("i", [-1, 1 << 20])
def test_a_result_that_there_is_not(talk, i):
    with pytest.raises(IndexError):
        talk[0].result(i)


def test_bytes_to_write_into_are_gone_when_the_buffer_is(talk):
    server, accepted, client, conn = talk
    buf, memory = client.buffer()
    memory[:5] = b"hello"
    part = memory[:3]
    with pytest.raises(BufferError):
        client.engine.close()
    client.send_buffer(conn, buf, 5)
    with pytest.raises(ValueError, match="released"):
        memory[:5] = b"jello"
    with pytest.raises(BufferError, match="1 memoryviews"):
        client.engine.close()
    part.release()
    client.turn()
    event = next_event(server, client, EventType.DATA)
    assert server.take(event) == b"hello"
    server.turn()
    buf, memory = client.buffer()
    client.release(buf)
    with pytest.raises(ValueError, match="released"):
        bytes(memory)
    client.turn()
    assert client.stats()["bufs_held"] == 0


def test_bytes_to_write_into_with_an_array_over_them(talk):
    numpy = pytest.importorskip("numpy")
    _, _, client, conn = talk
    buf, memory = client.buffer()
    array = numpy.frombuffer(memory, dtype="u1")
    assert array.flags.writeable
    array[:] = 7
    client.release(buf)
    with pytest.raises(BufferError):
        client.engine.close()
    assert set(array) == {7}
    del array
    client.turn()


def test_bytes_to_write_into_that_were_forgotten():
    """A name that is still there when the with block ends is no reason not to close."""
    engine = iip.Engine("pair:forgotten", "10.0.0.1/24")
    with engine.loop() as loop:
        _, memory = loop.buffer()
    with pytest.warns(ResourceWarning, match="1 buffers"):
        engine.close()
    with pytest.raises(ValueError, match="released"):
        memory[:1] = b"x"


AT_THE_END = """
import atexit, threading, sys
import iip
from iip import EventType

far, near = iip.Engine("pair:end", "10.0.0.2/24"), iip.Engine("pair:end", "10.0.0.1/24")
server, client = far.loop().__enter__(), near.loop().__enter__()
server.listen(("", 7))
conn = client.connect(("10.0.0.2", 7))
views = []
while len(views) < 4:
    for event in client.turn():
        if event.type == EventType.CONNECTED:
            for i in range(4):
                client.send(conn, b"%d" % i * 1000)
                client.turn()
    for event in server.turn():
        if event.type == EventType.DATA:
            views.append(server.view(event))

class Late:
    def __init__(self, view): self.view, self.look, self.copy = view, memoryview(view)[1:], bytes(view)[1:]
    def __del__(self):
        assert self.look == self.copy
        self.look.release()
        self.view.release()
        print("late", flush=True)

late, views[0] = Late(views[0]), None
slices = memoryview(views[1])[10:20].cast("H"), memoryview(views[1])
sys.modules["kept"] = Late(views[2])           # goes when the interpreter does
buf, memory = server.buffer()
part = memory[5:]
atexit.register(lambda: print(len(bytes(slices[0])), flush=True))
def go_on():
    look = memoryview(views[3])
    while True: bytes(look)
threading.Thread(target=go_on, daemon=True).start()
cycle = [memoryview(views[3])]; cycle.append(cycle)
print("end", flush=True)
"""


def test_views_at_the_end_of_the_interpreter():
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-X", "faulthandler", "-c", AT_THE_END],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == "end"
        assert len(lines) >= 2
        assert "AssertionError" not in done.stderr


def test_memoryviews_cannot_be_pickled_or_written(talk):
    import pickle

    server, _, _, _ = talk
    _, event = sent(talk)
    view = server.view(event)
    with pytest.raises(TypeError):
        pickle.dumps(view)
    with pytest.raises(TypeError):
        pickle.dumps(memoryview(view))
    with pytest.raises(TypeError, match="read-only"):
        memoryview(view)[0] = 1
    with pytest.raises(TypeError):
        memoryview(view).cast("B")[:2] = b"xx"
    buffer = pickle.PickleBuffer(view)
    with pytest.raises(BufferError):
        view.release()
    assert bytes(buffer) == b"some bytes"
    buffer.release()
    view.release()
    with pytest.raises(ValueError, match="released"):
        memoryview(view)
    gc.collect()

"""Bytes in place: who looks at them keeps them."""

import gc
import threading
import time

import pytest
from conftest import next_event

import iip
from iip import Columns, EventType


@pytest.fixture
def event(talk):
    server, accepted, client, conn = talk
    client.send(conn, b"in place")
    client.turn()
    return server, next_event(server, client, EventType.DATA)


def test_read_only_and_released_at_the_end(event):
    loop, event = event
    with loop.view(event) as data:
        assert data == b"in place"
        with pytest.raises(TypeError):
            data[0] = 1
        assert loop.stats()["bufs_held"] == 1
    assert loop.stats()["bufs_held"] == 0
    with pytest.raises(ValueError, match="released"):
        data[0]


def test_early_release_is_refused(event):
    loop, event = event
    view = loop.view(event)
    part = memoryview(view)[3:]
    with pytest.raises(BufferError, match="1 memoryviews"):
        view.release()
    assert part == b"place"
    part.release()
    view.release()
    view.release()  # a second time is harmless
    with pytest.raises(ValueError, match="released"):
        memoryview(view)


def test_a_slice_keeps_the_buffer_after_the_block(event):
    loop, event = event
    view = loop.view(event)
    kept = []
    with pytest.raises(BufferError):  # noqa: SIM117
        with view as data:
            kept.append(data[:2])
    assert kept[0] == b"in"
    kept.clear()
    view.release()
    assert loop.stats()["bufs_held"] == 0


def test_dropped_views_go_home(event):
    loop, event = event
    view = loop.view(event)
    assert bytes(view) == b"in place"
    thread = threading.Thread(target=lambda held: held.clear(), args=([view],))
    del view
    thread.start()
    thread.join()
    gc.collect()
    loop.turn()
    assert loop.stats()["bufs_held"] == 0
    assert loop.stats()["foreign_releases"] >= 0


def test_engine_is_kept_open_by_a_memoryview():
    server, client = iip.Engine("pair:v", "10.0.0.2/24"), iip.Engine("pair:v", "10.0.0.1/24")
    s, c = server.loop(), client.loop()
    s.attach(), c.attach()
    s.listen(("", 7))
    conn = c.connect(("10.0.0.2", 7))
    data = None
    for _ in range(100):
        for event in c.turn():
            if event.type == EventType.CONNECTED:
                c.send(conn, b"held")
        for event in s.turn():
            if event.type == EventType.DATA:
                data = s.view(event)
        if data:
            break
    look = memoryview(data)
    with pytest.raises(BufferError, match="memoryviews of the engine"):
        server.close()
    assert look == b"held"
    look.release()
    with pytest.warns(ResourceWarning, match="1 buffers were not released"):
        assert server.close()["bufs"] == 1
    with pytest.raises(ValueError, match="closed"):
        memoryview(data)
    client.close()


def test_regions_name_the_same_bytes(event):
    loop, event = event
    regions = loop.engine.regions()
    with memoryview(regions[event.region]) as region:
        assert region[event.offset : event.offset + event.len] == b"in place"
    loop.release(event.buf)


def test_columns_name_the_same(talk):
    server, accepted, client, conn = talk
    numpy = pytest.importorskip("numpy")
    client.send(conn, b"columns")
    client.turn()
    batch = server.turn()
    objects = list(batch)
    columns = batch.columns
    assert len(columns) == len(objects) == 1
    for name in iip.Event._fields:
        assert list(getattr(columns, name)) == [getattr(event, name) for event in objects]
    array = columns.numpy()
    assert array["len"][0] == 7
    assert array["src"][0] == accepted
    assert numpy.shares_memory(array, columns.numpy())
    server.release(objects[0].buf)


def test_columns_in_and_out(ends):
    """A whole turn's answers without an object or a call for each; what is not DATA comes in runs of its own."""
    server, client = ends
    server.listen(("", 7))
    conns = [client.connect(("10.0.0.2", 7)) for _ in range(20)]
    answered, kinds = [], []
    until = time.monotonic() + 30  # nothing takes that long; it only keeps a mistake from hanging the test
    while len(answered) < 20 and time.monotonic() < until:
        for kind, events in server.turn().columns.runs():
            kinds += [kind] * len(events)
            if kind == EventType.DATA:
                assert list(server.forward_columns(events)) == list(range(len(events)))
        for kind, events in client.turn(0.001).columns.runs():
            if kind == EventType.CONNECTED:
                client.send_columns(events.src, b"columns")
            elif kind == EventType.DATA:
                assert set(events.len) == {7}
                answered += events.src
                client.release_columns(events.buf)
    assert sorted(answered) == sorted(conns)
    assert kinds.count(EventType.ACCEPT) == kinds.count(EventType.DATA) == 20
    client.turn()
    server.turn()
    assert client.stats()["bufs_held"] == server.stats()["bufs_held"] == 0


def test_runs_of_mixed_types():
    record = bytearray(64 * 4)
    for i, kind in enumerate((EventType.DATA, EventType.DATA, EventType.FIN, EventType.DATA)):
        record[64 * i + 16] = kind
        record[64 * i] = i
    runs = [(kind, list(events.src)) for kind, events in Columns(memoryview(record), 4).runs()]
    assert runs == [(EventType.DATA, [0, 1]), (EventType.FIN, [2]), (EventType.DATA, [3])]
    with pytest.raises(ValueError, match="step 2"):
        Columns(memoryview(record), 4)[::2]


def test_more_columns_than_a_turn_takes(talk):
    server, accepted, client, conn = talk
    many = memoryview(bytes(8 * (client.op_room + 1))).cast("Q")
    with pytest.raises(BlockingIOError, match="turn first"):
        client.send_columns(many, b"x")
    assert list(client.send_columns(many[:2], b"x")) == [0, 1]
    assert client.turn().op_short == 2  # 0 names nothing
    client.release_columns(memoryview(bytes(8 * 2000)).cast("Q")[:3])
    assert client.turn().release_failed == 3


def test_double_release_is_counted_and_named(event):
    loop, event = event
    view = loop.view(event)
    loop.release(event.buf)  # a mistake: the view owns it
    loop.turn()
    with pytest.raises(iip.StaleHandleError) as caught:
        view.release()
    assert caught.value.name == "IIP_E_STALE"

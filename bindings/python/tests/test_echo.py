"""Two engines in one process, at the two ends of an in-memory wire."""

import pytest

from iip import EventType

PING = b"ping over a pair"


def test_echo_crosses_once_a_turn(ends):
    server, client = ends
    server.listen(("", 7))
    for i in range(32):
        client.connect(("10.0.0.2", 7), user=i)
    answers = 0
    for _ in range(10000):
        for event in server.turn():
            if event.type == EventType.DATA:
                server.forward(event.src, event)
        for event in client.turn():
            if event.type == EventType.CONNECTED:
                client.send(event.src, PING)
            elif event.type == EventType.DATA:
                with client.view(event) as data:
                    assert data == PING
                answers += 1
                client.send(event.src, PING)
        if answers >= 3200:
            return
    pytest.fail(f"{answers} answers")

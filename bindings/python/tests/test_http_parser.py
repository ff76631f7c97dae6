"""The HTTP example's parser, on the cases of c/tests/examples/http_parser_test.c, which are read from there."""

import ast
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
CASES = (ROOT / "c/tests/examples/http_parser_test.c").read_text()
STRING = r'"(?:[^"\\]|\\.)*"'
sys.path.insert(0, str(ROOT / "examples/python"))

from http_parser import Chunks, Refused, head_end, origin, path_of, read_request  # noqa: E402


def unquoted(text):
    return b"".join(ast.literal_eval("b" + part) for part in re.findall(STRING, text))


def within(function):
    return re.search(rf"^static void {function}\(void\)\n{{.*?^}}", CASES, flags=re.S | re.M)[0]


def list_of(function):
    return [unquoted(text) for text in re.findall(STRING, re.search(r"bad\[\] = {(.*?)};", within(function), re.S)[1])]


def status_of(head):
    try:
        read_request(head)
    except Refused as refused:
        return refused.status
    return 0


HEADS = [(int(status), unquoted(text)) for status, text in re.findall(rf"{{(\d+), ({STRING})}}", CASES)]
PATHS = [
    (unquoted(target), int(length)) for target, length in re.findall(rf"path_of\(({STRING}), out\), (-?\d+)\)", CASES)
]


@pytest.mark.parametrize(("status", "head"), HEADS)
def test_refuses_what_is_unclear(status, head):
    assert status_of(head) == status


def test_the_cases_are_there():
    assert len(HEADS) > 40
    assert len(PATHS) > 12
    assert len(list_of("paths_do_not_go_up")) > 15
    assert len(list_of("chunked_bodies_that_are_broken")) > 20


def test_reads_a_request():
    head = b"GET /a%20b?q HTTP/1.1\r\nHost: x\r\nX-Y:  v \r\nConnection: a , CLOSE\r\nContent-Length: 7\r\n\r\n"
    assert head_end(bytearray(head + b"body")) == len(head)
    assert not any(head_end(bytearray(head[:n])) for n in range(len(head)))
    request = read_request(head)
    assert (request.method, request.minor, request.keep_alive, request.length) == (b"GET", 1, False, 7)
    assert path_of(request.target) == b"/a b"
    assert read_request(b"GET / HTTP/1.0\nConnection: keep-alive\n\n").keep_alive
    assert not read_request(b"GET / HTTP/1.0\n\n").keep_alive


def test_an_end_that_comes_in_pieces_is_found():
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for cut in range(1, len(head)):
        data = bytearray(head[:cut])
        assert head_end(data) == 0
        data += head[cut:]
        assert head_end(data, scanned=cut) == len(head), cut


@pytest.mark.parametrize(("target", "length"), PATHS)
def test_paths(target, length):
    found = path_of(target)
    assert (-1 if found is None else len(found)) == length


@pytest.mark.parametrize("target", list_of("paths_do_not_go_up"))
def test_paths_do_not_go_up(target):
    assert path_of(target) is None


def test_origin():
    assert origin(b"http://h/a?b") == b"/a?b"
    assert origin(b"http:///a") == b""
    assert origin(b"/http://h") == b"/http://h"


def read_chunks(data, step):
    """(the body, what follows it)"""
    chunks, came, out = Chunks(), bytearray(), b""
    for at in range(0, len(data), step):
        came += data[at : at + step]
        while piece := chunks.read(came):
            out += piece
    assert chunks.done
    return out, bytes(came)


def test_chunked_bodies_at_every_split():
    text = unquoted(re.search(r"body\[\] = (.*?);\n", within("chunked_bodies_at_every_split"))[1])
    for step in range(1, len(text) + 1):
        assert read_chunks(text, step) == (b"Wikipedia in\r\n\r\nchunks.", b"next"), step


@pytest.mark.parametrize("data", list_of("chunked_bodies_that_are_broken"))
def test_broken_chunks_are_refused_before_the_line_ends(data):
    with pytest.raises(Refused) as caught:
        read_chunks(data, 1)
    assert caught.value.status == 400


def test_trailers_and_extensions_are_not_endless():
    for data in (b"0\r\n" + b"a: b\r\n" * 20000, b"1;" + b"x" * 20000, b"1;xxxxxxxx\r\nx\r\n" * 2000):
        with pytest.raises(Refused):
            read_chunks(data, 1000)

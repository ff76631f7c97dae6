"""The soak run (soak.py) in short: it passes, and it notices what it is there to notice."""

import pathlib
import re
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("soak.py")
LAST = re.compile(r"soak: seconds=2 connections=100 opened=(\d+) bytes=(\d+) kept_max=(\d+) stale=(\d+) leaks=(\d+)")


def soak(*flags):
    """(exit code, numbers of the last line, all output)"""
    command = [sys.executable, "-X", "dev", PROGRAM, "--seconds", "2", "--connections", "100", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    found = LAST.fullmatch(done.stdout.splitlines()[-1])
    assert found, done
    return done.returncode, [int(number) for number in found.groups()], done.stdout + done.stderr


def test_nothing_is_stale_and_nothing_leaks():
    code, (opened, got, kept_max, stale, leaks), said = soak()
    assert (code, stale, leaks) == (0, 0, 0), said
    assert opened >= 100
    assert got
    assert kept_max
    assert "Warning" not in said


@pytest.mark.parametrize(
    ("mistake", "words"),
    [  # of a buffer that was let go of too early: what is noticed first, by its bytes or by its handle, is chance
        ("stale", "are not what they were|StaleHandleError"),
        ("lost", "buffers are still held"),
        ("double", "StaleHandleError"),
    ],
)
def test_a_mistake_is_noticed(mistake, words):
    code, _, said = soak("--break", mistake)
    assert code == 1, said
    assert re.search(words, said), said

"""The program that type checkers check runs as well."""

import pathlib

from conftest import run_strictly


def test_the_typed_program_runs():
    program = pathlib.Path(__file__).with_name("typed_program.py")
    done = run_strictly(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "IIP_E_NO_DEVICE\nb'typed'\n", "")

"""The program that type checkers check runs as well."""

import pathlib
import subprocess
import sys


def test_the_typed_program_runs():
    program = pathlib.Path(__file__).with_name("typed_program.py")
    command = [sys.executable, "-X", "dev", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "IIP_E_NO_DEVICE\nb'typed'\n", "")

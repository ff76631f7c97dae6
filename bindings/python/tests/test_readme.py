"""What the README shows runs as written."""

import pathlib
import re
import subprocess
import sys

from conftest import run_strictly

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_the_quick_start_is_the_readmes():
    shown = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert shown
    assert shown[1] == (ROOT / "examples/quickstart.py").read_text()


def test_the_quick_start_runs():
    done = run_strictly(ROOT / "examples/quickstart.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'hello'\n", "")


def test_generated_files_are_what_the_headers_say():
    subprocess.run([sys.executable, ROOT / "tools/header.py", "check"], check=True)

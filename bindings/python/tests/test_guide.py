"""Every block of docs/guide/python.md runs as written and prints what the guide says."""

import pathlib
import re

import pytest
from conftest import run_strictly

GUIDE = (pathlib.Path(__file__).resolve().parents[3] / "docs/guide/python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```output\n(.*?)```", GUIDE, flags=re.S)


def test_each_block_has_its_output():
    assert len(BLOCKS) == GUIDE.count("```python\n") >= 7


@pytest.mark.parametrize(("program", "output"), BLOCKS)
def test_runs_as_written(program, output):
    done = run_strictly("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")

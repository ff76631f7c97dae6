#!/usr/bin/env python3
"""Runs the commands of README.md as they are written, in an empty directory, and compares the program that it shows."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def main():
    text = (HERE / "README.md").read_text()
    for name, shown in re.findall(r"<!-- readme_test\.py: (\S+\.go) -->\n```go\n(.*?)```", text, re.S):
        if (HERE / name).read_text() != shown:
            sys.exit(f"README.md shows another {name} than there is")
    block = re.search(r"<!-- readme_test\.py: commands -->\n((?:    .*\n)+)", text).group(1)
    commands = "".join(line[4:] + "\n" for line in block.splitlines())
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ, IIP=str(HERE.parent.parent), GOFLAGS="-buildvcs=false -mod=mod")
        done = subprocess.run(["bash", "-ec", commands], cwd=directory, env=env, capture_output=True, text=True, timeout=200)
    wanted = re.search(r"prints `([^`]*)`", text).group(1)
    print(commands + done.stderr + done.stdout, end="")
    if done.returncode or done.stdout != wanted + "\n":
        sys.exit(f"the commands of README.md ended with {done.returncode}, and do not print {wanted!r}")


if __name__ == "__main__":
    main()

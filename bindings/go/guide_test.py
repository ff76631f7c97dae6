#!/usr/bin/env python3
"""Builds and runs the programs of docs/guide/go.md as they stand there, and compares what they print with what it says."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GUIDE = HERE.parent.parent / "docs/guide/go.md"
LIMIT_S = 300


def main():
    text = GUIDE.read_text()
    programs = re.findall(r"```go\n(.*?)```\n(?:\nIt prints (.*?)\.\n)?", text, re.S)
    if not programs:
        sys.exit(f"{GUIDE} shows no program")
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ, GOFLAGS="-buildvcs=false -mod=mod", GOWORK="off")

        def go(*args):
            return subprocess.run(["go", *args], cwd=directory, env=env, capture_output=True, text=True, timeout=LIMIT_S)

        module = re.search(r"go get (\S+)", text).group(1)
        for args in (("mod", "init", "guide"), ("mod", "edit", "-replace", f"{module}={HERE}"), ("get", module)):
            if (done := go(*args)).returncode:
                sys.exit(f"go {' '.join(args)}: {done.stderr}")
        for i, (program, prints) in enumerate(programs):
            place = pathlib.Path(directory) / f"program{i}"
            place.mkdir()
            (place / "main.go").write_text(program)
            wanted = "".join(line + "\n" for line in re.findall(r"`([^`]*)`", prints))
            vet, run = go("vet", f"./{place.name}"), go("run", f"./{place.name}")
            right = wanted and not vet.returncode and not run.returncode and run.stdout == wanted
            wrong += not right
            print("ok  " if right else "FAIL", f"program {i + 1} of {GUIDE.name}:", run.stdout.strip().replace("\n", " | "))
            if not right:
                print(vet.stderr + run.stderr + f"should print {wanted!r}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

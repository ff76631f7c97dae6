"""Runs a program under callgrind and reads what it wrote."""

import os
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass

COMMAND = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--quiet"]


@dataclass
class Counts:
    total: int
    functions: Counter  # (file, function) -> own instructions
    calls: Counter  # (caller, called) -> how often

    def harness(self) -> int:
        """Instructions of the benchmark itself: wire, frames, application."""
        return sum(n for (file, _), n in self.functions.items() if "/c/bench/" in file)


def read(path: str) -> Counts:
    """Own cost of each function from a callgrind profile. Names are compressed: (number) name, then (number) alone."""
    names: dict[tuple[str, str], str] = {}
    functions: Counter = Counter()
    calls: Counter = Counter()
    file = function = called = ""
    skip = False

    def expand(kind: str, text: str) -> str:
        match = re.match(r"\((\d+)\)(?: (.*))?$", text)
        if not match:
            return text
        if match.group(2):
            names[kind, match.group(1)] = match.group(2)
        return names.get((kind, match.group(1)), "?")

    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if "=" in line and not line[:1].isdigit():
                key, text = line.split("=", 1)
                if key in ("fl", "fi", "fe"):
                    file = expand("fl", text)
                elif key == "fn":
                    function = expand("fn", text)
                elif key in ("cfi", "cfl"):
                    expand("fl", text)
                elif key == "cfn":
                    called = expand("fn", text)
                elif key == "calls":
                    calls[function, called] += int(text.split()[0])
                    skip = True  # the next line is the cost of what was called
            elif line[:1].isdigit() or line[:1] in "+-*":
                if skip:
                    skip = False
                    continue
                fields = line.split()
                if len(fields) > 1:
                    functions[file, function] += int(fields[1])
    return Counts(sum(functions.values()), functions, calls)


def run(command: list[str], timeout: float, valgrind: list[str] = COMMAND) -> tuple[str, Counts]:
    """The program's output and what it cost in its counted region."""
    handle, path = tempfile.mkstemp(prefix="iip-bench-")
    os.close(handle)
    try:
        done = subprocess.run(
            [*valgrind, f"--callgrind-out-file={path}", *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout, read(path)
    finally:
        os.unlink(path)

#!/usr/bin/env python3
"""Measures the table of the bindings: runs the ffi-bench of each and prints its rows beside their targets.

    c/bench/bindings.py [--python PYTHON] [--go PROGRAM [--gonet PROGRAM]] [--rust PROGRAM] [--skipped NAME=WHY]...

What is not given is skipped, with the reason of --skipped. ci/bench bindings builds all of it and calls this. Exit code 1:
a bench failed, or did not write a row that is wanted; a target that is missed is no failure.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import callgrind  # noqa: E402
import run  # noqa: E402

DOC_BEGIN = "<!-- written by ci/bench bindings --doc -->"
DOC_END = "<!-- end of the bindings -->"
TIMEOUT_S = 900.0
RUST_UNITS = 32000
RUST_REPS = 3
RUST_COUNTED = ["valgrind", "--tool=callgrind", "--toggle-collect=*ffi_bench*measured*", "--quiet"]
NAMES = ("python", "go", "rust")


@dataclass(frozen=True)
class Wanted:
    """A row of the table, and which of the rows of a binding's bench it is: by name, and by peer where it is a ratio."""

    binding: str
    row: str
    peer: str | None
    title: str
    target: float
    at_most: bool = False
    beside: str = ""  # the peer, shortly

    @property
    def needs(self) -> str:
        return "gonet" if self.peer == "gonet" else self.binding


WANTED = (
    Wanted("rust", "native loop", "C", "Rust, native loop: instructions", 1.03, True, "C's pingpong through libiip"),
    Wanted("go", "native loops", "C", "Go, native loops: rate", 0.85, beside="C, `iip_load --self`"),
    Wanted("go", "iipnet net.Conn", "gonet", "Go, `net.Conn`: rate", 2.0, beside="gVisor's gonet in memory"),
    Wanted("go", "iipnet net.Conn", "loopback", "Go, `net.Conn`: rate", 3.0, beside="Go's `net` over loopback"),
    Wanted("python", "native loop, columns", "C", "Python, columns: rate", 0.15, beside="C, `iip_load --self`"),
    Wanted("python", "native loop, objects", "C", "Python, objects: rate", 0.10, beside="C, `iip_load --self`"),
    Wanted("python", "asyncio streams", "asyncio", "Python, asyncio streams: rate", 2.0, beside="asyncio over loopback"),
    Wanted("rust", "crossings per turn", None, "Rust: crossings per turn, counted", 1, True),
    Wanted("go", "crossings per turn", None, "Go: crossings per turn, counted", 1, True),
    Wanted("python", "crossings per turn", None, "Python: crossings per turn, counted", 1, True),
)


class Failed(Exception):
    """A bench that did not do what it should, and what it said."""


# ---- the benches ----


def bench(words: list[str]) -> list[dict]:
    """The rows that a bench writes to the FILE behind its last argument."""
    with tempfile.TemporaryDirectory(prefix="iip-bench-") as top:
        path = os.path.join(top, "rows.json")
        try:
            done = subprocess.run([*words, path], check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{' '.join(words)}: not done after {TIMEOUT_S:.0f} s") from error
        if done.returncode:
            said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
            raise Failed(f"{' '.join(words)}: exit code {done.returncode}\n{said}")
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def counted(words: list[str], valgrind: list[str]) -> tuple[float, callgrind.Counts]:
    """Instructions of one unit."""
    out, counts = callgrind.run(words, TIMEOUT_S, valgrind)
    return counts.total / json.loads(out)["units"], counts


def crossings(counts: callgrind.Counts) -> float:
    """Calls from elsewhere into libiip, for each turn."""
    entered = {called: 0 for _, called in counts.calls}
    for (caller, called), n in counts.calls.items():
        if called.startswith("iip_") and "::" in caller:
            entered[called] += n
    if not entered.get("iip_loop_turn"):
        raise Failed("Rust's ffi-bench: no turn was counted")
    return sum(entered.values()) / entered["iip_loop_turn"]


def rust_counted(program: str, programs: str) -> list[dict]:
    """The ping-pong of ffi-bench and that of c/bench/loop.c under callgrind, by turns, both on a virtual clock."""
    units, pairs = str(RUST_UNITS), []
    clock = os.path.abspath(os.path.join(programs, "libiip_bench_clock.so"))
    if not os.path.exists(clock):
        raise Failed(f"{clock} is not built: cmake --build BUILD --target iip_benchmarks")
    loop = os.path.join(programs, "iip_bench_loop")
    for _ in range(RUST_REPS):
        ours, counts = counted([program, "pingpong", units], ["env", f"LD_PRELOAD={clock}", *RUST_COUNTED])
        theirs, _ = counted([loop, "pingpong", "--units", units], callgrind.COMMAND)
        pairs.append((ours, ours / theirs))
    value, ratio = sorted(pairs, key=lambda pair: pair[1])[len(pairs) // 2]
    ratios = [pair[1] for pair in pairs]
    return [
        {"row": "native loop", "value": value, "unit": "instructions", "ratio": ratio, "peer": "C, c/bench/loop.c",
         "low": min(ratios), "high": max(ratios)},
        {"row": "crossings per turn", "value": crossings(counts), "unit": "calls", "ratio": None, "peer": None},
    ]  # fmt: skip


def measure(args: argparse.Namespace) -> dict[str, list[dict]]:
    """The rows of each bench that can be run here."""
    load = os.path.join(args.build, "examples", "c", "iip_load")
    found = {}
    if args.rust:
        print("Rust: ffi-bench, and under callgrind beside C", flush=True)
        found["rust"] = bench([args.rust, "--json"])
        found["rust"] += rust_counted(args.rust, os.path.join(args.build, "c", "bench"))
    if args.go:
        print("Go: ffi-bench beside C, gonet and net", flush=True)
        found["go"] = bench([args.go, "-c", load, *(["-gonet", args.gonet] if args.gonet else []), "-json"])
    if args.python:
        print("Python: ffi-bench beside C and asyncio", flush=True)
        found["python"] = bench([args.python, "-m", "iip", "ffi-bench", "--c", load, "--json"])
    return found


# ---- the table ----


def pick(wanted: Wanted, rows: list[dict]) -> dict:
    """The row of a bench that this one of the table is made from."""
    for row in rows:
        if row["row"] != wanted.row:
            continue
        if not wanted.peer or (row["ratio"] is not None and wanted.peer in row["peer"]):
            return row
    against = f" against {wanted.peer}" if wanted.peer else ""
    raise Failed(f"{wanted.binding}: its ffi-bench wrote no row '{wanted.row}'{against}")


def line(wanted: Wanted, row: dict) -> dict:
    """A row of the table."""
    figure = row["ratio"] if wanted.peer else row["value"]
    good = figure <= wanted.target if wanted.at_most else figure >= wanted.target
    return {"title": wanted.title, "binding": wanted.binding, "ours": figure, "low": row.get("low"), "high": row.get("high"),
            "target": wanted.target, "at_most": wanted.at_most, "peer": wanted.beside, "value": row["value"],
            "unit": row["unit"], "verdict": "reached" if good else "missed"}  # fmt: skip


def collect(found: dict[str, list[dict]], skipped: dict[str, str]) -> list[dict]:
    """The whole table. What was skipped is in it, with the reason."""
    table = []
    for wanted in WANTED:
        why = skipped.get(wanted.binding) or skipped.get(wanted.needs)
        if why:
            table.append({"title": wanted.title, "binding": wanted.binding, "ours": None, "target": wanted.target,
                          "at_most": wanted.at_most, "peer": wanted.beside, "verdict": f"skipped: {why}"})  # fmt: skip
        else:
            table.append(line(wanted, pick(wanted, found.get(wanted.binding, []))))
    return table


def number(value: float) -> str:
    return f"{value:.3f}" if value < 1.5 else f"{value:.2f}"


def cells(row: dict) -> list[str]:
    """What is printed of a row: title, ours, target, peer, verdict."""
    times = "× " if row["peer"] else ""
    ours = "-"
    if row["ours"] is not None:
        ours = times + number(row["ours"])
        if row.get("low") is not None:
            ours += f" ({number(row['low'])} to {number(row['high'])})"
        if row["peer"]:
            ours += f"; {row['value']:,.0f} {row['unit']}"
    return [row["title"], ours, f"{'≤' if row['at_most'] else '≥'} {times}{row['target']:g}", row["peer"] or "-", row["verdict"]]


def show(table: list[dict]) -> None:
    lines = [["row", "ours", "target", "peer", ""], *map(cells, table)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    print()
    for words in lines:
        print("  ".join(word.ljust(width) for word, width in zip(words, widths)).rstrip())
    count = {word: sum(row["verdict"].startswith(word) for row in table) for word in ("reached", "missed", "skipped")}
    print(f"\n{len(table)} rows: {count['reached']} reached, {count['missed']} missed, {count['skipped']} skipped")


def markdown(table: list[dict]) -> str:
    lines = ["| row | ours | target | peer, same run | |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(cells(row)) + " |" for row in table)])


def reasons(args: argparse.Namespace) -> dict[str, str]:
    """Why what is not given is not there."""
    given = dict(word.partition("=")[::2] for word in args.skipped)
    return {name: given.get(name) or "not given" for name in (*NAMES, "gonet") if not getattr(args, name)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="CMake build directory with iip_load and iip_bench_loop")
    parser.add_argument("--python", help="an interpreter that has the package")
    for name in ("go", "gonet", "rust"):
        parser.add_argument(f"--{name}", metavar="PROGRAM")
    parser.add_argument("--skipped", metavar="NAME=WHY", action="append", default=[])
    parser.add_argument("--json", metavar="FILE", help="write the table and the rows of the benches there")
    parser.add_argument("--doc", action="store_true", help="write the table into docs/reference/benchmarks.md")
    args = parser.parse_args()
    skipped = reasons(args)
    for name, why in skipped.items():
        print(f"SKIPPED {name}: {why}", flush=True)
    try:
        found = measure(args)
        table = collect(found, skipped)
        show(table)
        if args.json:
            with open(args.json, "w", encoding="utf-8") as file:
                json.dump({"table": table, "rows": found}, file, indent=1)
                file.write("\n")
        if args.doc and skipped:
            raise Failed(f"--doc writes the whole table, and there is no {', '.join(skipped)}: the page stays as it is")
        if args.doc:
            run.write_doc(markdown(table), DOC_BEGIN, DOC_END)
    except (Failed, RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

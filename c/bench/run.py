#!/usr/bin/env python3
"""Measures the rows of "the stack alone" and prints them beside their targets, lwIP and the original.

    c/bench/run.py --build DIR [ROW ...]       the table; --json FILE writes it, --quick leaves out the large points
    c/bench/run.py --build DIR --check         compares instruction counts with baseline.json: 3 % more fails
    c/bench/run.py --build DIR --write-baseline
    c/bench/run.py --build DIR --doc           the table, and into docs/reference/benchmarks.md
    c/bench/run.py --build DIR --profile ROW   which functions the instructions of a row are in

DIR is a CMake build directory in which the target iip_benchmarks was built.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import callgrind  # noqa: E402
from table import ORIGINAL, ROWS, TIMED_UNITS, Point, Row  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.json")
DOC = os.path.join(HERE, "..", "..", "docs", "reference", "benchmarks.md")
DOC_BEGIN = "<!-- written by c/bench/run.py --doc -->"
DOC_END = "<!-- end -->"
WORSE = 1.03
TIMEOUT_S = 900.0
RATE_REPS = 40  # short ones; the fastest counts, since others use the machine too


class Bench:
    def __init__(self, build: str, reps: int) -> None:
        self.directory = os.path.join(build, "c", "bench")
        self.reps = reps
        self.seen: dict[str, dict] = {}  # a point that two rows share is measured once

    def program(self, name: str) -> str | None:
        path = os.path.join(self.directory, name)
        return path if os.access(path, os.X_OK) else None

    def command(self, row: Row, point: Point, lwip: bool) -> list[str] | None:
        name = row.program
        if lwip:
            name = "iip_bench_lwip_offload" if point.offload else "iip_bench_lwip"
        path = self.program(name)
        args = point.lwip if lwip else point.ours
        return [path, *args.split()] if path and args else None

    def time(self, command: list[str], reps: int) -> dict:
        """One run by the clock: nanoseconds per unit of each repetition."""
        command = [*command, "--reps", str(reps)]
        if command[1] in TIMED_UNITS and "--units" not in command:
            command += ["--units", str(TIMED_UNITS[command[1]])]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return json.loads(done.stdout)

    def count(self, command: list[str]) -> dict:
        """One run under callgrind: instructions per unit, and how many of them are the harness's own."""
        out, counts = callgrind.run(command, TIMEOUT_S)
        result = json.loads(out)
        result["instructions"] = counts.total / result["units"]
        result["harness"] = counts.harness() / result["units"]
        result["counts"] = counts
        return result

    def measure(self, row: Row, point: Point, lwip: bool, timed: bool) -> dict | None:
        command = self.command(row, point, lwip)
        if not command:
            return None
        key = " ".join(command)
        result = self.seen.get(key)
        if result is None:
            result = self.count(command) if row.kind in ("instructions", "sweep") else {}
            result.pop("ns", None)  # under callgrind it means nothing
            result["command"] = " ".join([os.path.basename(command[0]), *command[1:]])
            self.seen[key] = result
        if "ns" not in result and (timed or row.kind in ("bytes", "rate")):
            result.update({**self.time(command, self.reps if row.kind != "rate" else RATE_REPS), **result})
        return result


def figure(row: Row, result: dict | None) -> float | None:
    """What the row shows of one point."""
    if result is None:
        return None
    if row.kind == "bytes":
        return result["bytes"]
    if row.kind == "rate":
        return result["bytes"] / min(result["ns"])  # the fastest: memory and machine allow it
    return result["instructions"] / row.scale


def target_of(bench: Bench, row: Row) -> float:
    """The target as a figure; some are so many times what another row needs."""
    if not row.relative_to:
        return row.target
    other = next(r for r in ROWS if r.name == row.relative_to)
    return row.target * figure(other, bench.measure(other, other.points[0], False, False))


def verdict(row: Row, target: float, values: list[float]) -> tuple[float, bool]:
    """The figure that is compared with the target, and whether it holds."""
    if row.kind == "sweep":
        worst = max(values) / values[0]
        return worst, worst <= target
    if row.kind == "rate":
        return values[0], values[0] >= target
    return values[0], values[0] <= target


def show(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}{unit}"
    return f"{value:.3g}{' ' + unit if unit else ''}"


def run_row(bench: Bench, row: Row, quick: bool, timed: bool, lwip: bool) -> dict:
    points = []
    for point in row.points:
        if quick and point.slow:
            continue
        ours = bench.measure(row, point, False, timed)
        if ours is None:
            raise RuntimeError(f"{row.program} is not built: cmake --build BUILD --target iip_benchmarks")
        theirs = bench.measure(row, point, True, timed) if lwip else None
        points.append({"label": point.label, "ours": ours, "lwip": theirs})
    values = [figure(row, p["ours"]) for p in points]
    target = target_of(bench, row)
    worst, good = verdict(row, target, values)
    their_values = [figure(row, p["lwip"]) for p in points]
    known = [v for v in their_values if v is not None]
    return {
        "name": row.name,
        "title": row.title,
        "kind": row.kind,
        "unit": row.unit,
        "target": target,
        "value": worst,
        "good": good,
        "values": values,
        "lwip_values": their_values,
        "lwip_value": (max(known) / known[0] if row.kind == "sweep" else known[0]) if known else None,
        "lwip_note": row.lwip_note,
        "original": row.original,
        "points": points,
    }


def describe(row: Row, done: dict) -> list[str]:
    """A row as lines of text."""
    ahead = ""
    if done["lwip_value"] is not None and row.kind != "sweep":
        ahead = f", lwIP/ours {done['lwip_value'] / done['value']:.2f}"
    elif done["lwip_value"] is not None:
        pairs = [t / o for o, t in zip(done["values"], done["lwip_values"]) if t is not None]
        ahead = f", lwIP/ours {min(pairs):.2f} to {max(pairs):.2f}"
    sign = ">=" if row.kind == "rate" else "<="
    prefix = "x " if row.kind == "sweep" else ""
    lines = [
        f"{'ok    ' if done['good'] else 'MISSED'} {row.name}: {row.title}",
        f"       ours {prefix}{show(done['value'], row.unit)}  target {sign} {prefix}{show(done['target'], row.unit)}"
        f"  lwIP {prefix if done['lwip_value'] else ''}{show(done['lwip_value'], row.unit)}"
        f"{' (' + row.lwip_note + ')' if row.lwip_note else ''}  original {row.original or '-'}{ahead}",
    ]
    for point, value, theirs in zip(done["points"], done["values"], done["lwip_values"]):
        lines.append("       " + describe_point(row, point, value, theirs))
    return lines


def describe_point(row: Row, point: dict, value: float, theirs: float | None) -> str:
    text = f"  {point['label']:>7}  ours {show(value, row.unit)}" if point["label"] else "  "
    if point["label"] and theirs is not None:
        text += f", lwIP {show(theirs, row.unit)}"
    ours = point["ours"]
    if "harness" in ours:
        text += f"  [harness {show(ours['harness'] / row.scale, row.unit)}"
        text += f", packets {ours['packets_per_unit']:.4g}]" if "packets_per_unit" in ours else "]"
    for who in ("ours", "lwip"):
        result = point[who]
        if result and result.get("ns") and len(result["ns"]) > 1:
            ns = result["ns"]
            text += f"  {who} {show(statistics.median(ns))} ns ({show(min(ns))} to {show(max(ns))})"
    for key in ("unsent", "unacked", "bytes_client"):
        if key in ours:
            text += f"  {key} {show(ours[key])}"
    return text


def chosen(names: list[str]) -> list[Row]:
    known = {row.name: row for row in ROWS}
    for name in names:
        if name not in known:
            print(f"{name}: no such row; there are {' '.join(known)}", file=sys.stderr)
            raise SystemExit(2)
    return [known[name] for name in names] if names else list(ROWS)


def table(bench: Bench, args: argparse.Namespace) -> int:
    results = []
    print(f"The stack alone: both ends counted, harness included. Original: {ORIGINAL}. Times are information only.\n")
    for row in chosen(args.rows):
        done = run_row(bench, row, args.quick, not args.no_time, not args.no_peers)
        print("\n".join(describe(row, done)), flush=True)
        results.append(done)
    missed = [r["name"] for r in results if not r["good"]]
    print(f"\n{len(results) - len(missed)} of {len(results)} rows reach their target" + (f"; missed: {' '.join(missed)}" if missed else ""))
    if args.json:
        write_json(args.json, results)
    if args.doc:
        write_doc(markdown(chosen(args.rows), results))
    return 0


def write_json(path: str, results: list[dict]) -> None:
    for row in results:
        for point in row["points"]:
            for who in ("ours", "lwip"):
                if point[who]:
                    point[who] = {k: v for k, v in point[who].items() if k != "counts"}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"original": ORIGINAL, "rows": results}, file, indent=1)
        file.write("\n")


def markdown(rows: list[Row], results: list[dict]) -> str:
    """The table of the reference page."""
    lines = ["| row | ours | target | | lwIP | the original, before |", "|---|---|---|---|---|---|"]
    for row, done in zip(rows, results):
        prefix = "× " if row.kind == "sweep" else "≥ " if row.kind == "rate" else ""
        ours = ("× " if row.kind == "sweep" else "") + show(done["value"], row.unit)
        if row.kind == "sweep":
            ours += f" ({', '.join(p['label'] + ': ' + show(v) for p, v in zip(done['points'], done['values']))})"
        theirs = show(done["lwip_value"], row.unit)
        if row.kind == "sweep" and done["lwip_value"]:
            theirs = ", ".join(
                f"{p['label']}: {show(v)}" for p, v in zip(done["points"], done["lwip_values"]) if v is not None
            )
        target = prefix + show(done["target"], row.unit)
        good = "reached" if done["good"] else f"{abs(done['value'] / done['target'] - 1):.0%} off"
        lines.append(f"| `{row.name}` | {ours} | {target} | {good} | {theirs} | {row.original or '-'} |")
    return "\n".join(lines)


def write_doc(text: str, marker: str = DOC_BEGIN, closing: str = DOC_END) -> None:
    with open(DOC, encoding="utf-8") as file:
        page = file.read()
    begin = page.index(marker) + len(marker)
    end = page.index(closing, begin)
    with open(DOC, "w", encoding="utf-8") as file:
        file.write(page[:begin] + "\n\n" + text + "\n\n" + page[end:])


def counts_now(bench: Bench) -> tuple[dict[str, float], str]:
    """The instruction counts that the baseline is about: quick points, ours alone."""
    counts: dict[str, float] = {}
    compiler = ""
    for row in ROWS:
        for point in row.points:
            if not row.check or point.slow:
                continue
            result = bench.measure(row, point, False, False)
            if result is None:
                raise RuntimeError(f"{row.program} is not built: cmake --build BUILD --target iip_benchmarks")
            counts[" ".join(filter(None, [row.name, point.label]))] = round(result["instructions"], 1)
            compiler = result["compiler"]
    return counts, compiler


def check(bench: Bench) -> int:
    with open(BASELINE, encoding="utf-8") as file:
        baseline = json.load(file)
    counts, compiler = counts_now(bench)
    if compiler != baseline["compiler"]:
        print(f"not compared: the baseline is of {baseline['compiler']}, this build of {compiler}")
        return 0
    bad = 0
    for name, count in counts.items():
        before = baseline["instructions"].get(name)
        if before is None:
            print(f"  new    {name}: {count:,.1f}; add it with --write-baseline")
            bad += 1
            continue
        ratio = count / before
        word = "WORSE" if ratio > WORSE else "better" if ratio < 1 / WORSE else "same"
        bad += word == "WORSE"
        print(f"  {word:6} {name}: {count:,.1f}, baseline {before:,.1f} ({100 * (ratio - 1):+.1f} %)")
    for name in baseline["instructions"].keys() - counts.keys():
        print(f"  gone   {name}: write the baseline anew")
        bad += 1
    if bad:
        print("Instruction counts grew by more than 3 %. If that is meant, say why in the commit and run --write-baseline.")
    return 1 if bad else 0


def write_baseline(bench: Bench) -> int:
    counts, compiler = counts_now(bench)
    with open(BASELINE, "w", encoding="utf-8") as file:
        json.dump({"compiler": compiler, "instructions": counts}, file, indent=1)
        file.write("\n")
    print(f"{len(counts)} counts written to {os.path.relpath(BASELINE)}")
    return 0


def profile(bench: Bench, names: list[str], lwip: bool) -> int:
    for row in chosen(names):
        for point in row.points[:1]:
            result = bench.measure(row, point, lwip, False)
            if not result or "counts" not in result:
                continue
            print(f"\n{row.name} {point.label}: {result['instructions']:,.1f} instructions a unit, per function:")
            for (file, function), n in result["counts"].functions.most_common(45):
                print(f"  {n / result['units']:12,.1f}  {function}  ({os.path.basename(file)})")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="CMake build directory")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="without the points that take long to set up")
    parser.add_argument("--no-time", action="store_true", help="instruction counts only")
    parser.add_argument("--no-peers", action="store_true", help="without lwIP")
    parser.add_argument("--reps", type=int, default=7, help="repetitions by the clock")
    parser.add_argument("--doc", action="store_true", help="write the table into docs/reference/benchmarks.md")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write-baseline", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--lwip", action="store_true", help="with --profile: of lwIP")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    args = parser.parse_args()
    if args.doc and (args.rows or args.quick):
        parser.error("--doc writes the whole table: leave out ROW and --quick")
    bench = Bench(args.build, args.reps)
    try:
        if args.check:
            return check(bench)
        if args.write_baseline:
            return write_baseline(bench)
        if args.profile:
            return profile(bench, args.rows, args.lwip)
        return table(bench, args)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes docs/conformance.md: each requirement, and the tests that show it or the reason why we deviate.

    conformance.py            writes it
    conformance.py --check    exit code 1 when what is committed differs, or when a test names a requirement that is not there

Requirements stand in docs/conformance/*.csv. A test says which of them it shows with a line `covers: ID, ID` in a
comment; a deviation is a line of docs/conformance/deviations.csv.
"""

import csv
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOME = ROOT / "docs" / "conformance"
OUT = ROOT / "docs" / "conformance.md"
COVERS = re.compile(r"covers:([ \t]*[A-Z0-9]+-?[A-Z0-9]*(?:[ \t]*,[ \t]*[A-Z0-9]+-?[A-Z0-9]*)*)")

HEAD = """\
# Conformance

<!-- Made by c/tools/conformance.py from docs/conformance/*.csv and the `covers:` lines of the tests; change those, then run the tool. -->

What the RFCs ask of a host, in our words, and which tests show it. A requirement that we leave out on purpose has its
reason here; one with neither is open. `.scn` files are the scripts of `c/tests/scenario`, `sim` is the simulator.

{summary}
"""


def rows(name):
    with open(HOME / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tests():
    found = {}
    for path in sorted((ROOT / "c" / "tests").rglob("*")):
        if path.suffix not in (".scn", ".c", ".h", ".sh", ".py"):
            continue
        for match in COVERS.finditer(path.read_text(encoding="utf-8", errors="replace")):
            for name in match.group(1).split(","):
                files = found.setdefault(name.strip(), [])
                if path not in files:
                    files.append(path)
    return found


def shown(path):
    return f"[{path.stem}](../{path.relative_to(ROOT)})"


def table(title, name, found, deviations, head):
    lines = [f"## {title}", "", head, "|" + "---|" * (head.count("|") - 1)]
    counts = {}
    for row in rows(name):
        level = row.get("level", "attack")
        files = found.get(row["id"], [])
        state = "tested" if files else "deviation" if row["id"] in deviations else "open"
        counts.setdefault(level, {}).setdefault(state, 0)
        counts[level][state] += 1
        answer = ", ".join(shown(path) for path in files)
        if row["id"] in deviations:
            answer += ("; " if answer else "") + "deviation: " + deviations[row["id"]]
        cells = [row[key] for key in row] + [answer or "**open**"]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n", counts


def summary(title, counts):
    lines = []
    for level, states in counts.items():
        total = sum(states.values())
        lines.append(f"| {title} | {level} | {total} | {states.get('tested', 0)} | {states.get('deviation', 0)} | {states.get('open', 0)} |")
    return lines


def main():
    found = tests()
    deviations = {row["id"]: row["why"] for row in rows("deviations.csv")}
    parts = [
        ("RFC 9293", "rfc9293.csv", "| id | level | section | requirement | shown by |"),
        ("Other RFCs", "rfc_other.csv", "| id | RFC | level | section | requirement | shown by |"),
        ("Attacks", "attacks.csv", "| id | attack | what must hold | shown by |"),
    ]
    known = {row["id"] for _, name, _ in parts for row in rows(name)}
    unknown = sorted((set(found) | set(deviations)) - known)
    for name in unknown:
        print(f"{', '.join(str(p.relative_to(ROOT)) for p in found.get(name, [HOME / 'deviations.csv']))}: no requirement is called {name}")
    bodies = []
    totals = ["| | level | rows | tested | deviations | open |", "|---|---|---:|---:|---:|---:|"]
    for title, name, head in parts:
        body, counts = table(title, name, found, deviations, head)
        bodies.append(body)
        totals += summary(title, counts)
    text = HEAD.format(summary="\n".join(totals)) + "\n" + "\n".join(bodies)
    if "--check" in sys.argv[1:]:
        if not OUT.exists() or OUT.read_text(encoding="utf-8") != text:
            print("docs/conformance.md is not what c/tools/conformance.py would write: run it and commit the result")
            return 1
        return 1 if unknown else 0
    OUT.write_text(text, encoding="utf-8")
    print("\n".join(totals))
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

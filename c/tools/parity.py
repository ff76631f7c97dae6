#!/usr/bin/env python3
"""Writes docs/reference/parity.md: how each function of <iip/iip.h> is reached in each language.

    parity.py            writes it
    parity.py --check    exit code 1 when the page is stale, or a map names a function twice or one that is not there

The functions come from the header; the rest from docs/parity/LANGUAGE.csv, one line a function: its name, and how it is
reached, or in parentheses why the language does without. A language whose map lacks a function is an error.
"""

import csv
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADER = ROOT / "c" / "sdk" / "include" / "iip" / "iip.h"
MAPS = ROOT / "docs" / "parity"
PAGE = ROOT / "docs" / "reference" / "parity.md"
LANGUAGES = {"python": "Python", "rust": "Rust", "go": "Go", "lua": "Lua", "java": "Java"}

TEXT = """\
# How each function is reached

<!-- Made by c/tools/parity.py from <iip/iip.h> and docs/parity/; change those, then run the tool. -->

C calls each function by its name. In parentheses: the language does without the function, and why it can.

| language | reached | done without |
|---|---:|---:|
{counts}
{tables}"""


def functions():
    """(section, name) of each function, in the order of the header."""
    section, found = "", []
    for line in HEADER.read_text().splitlines():
        if match := re.match(r"/\* -{4} (.*?) -+ \*/", line):
            section = match.group(1)
        elif match := re.match(r"(?:const )?\w+ \*?(iip_\w+)\(", line):
            found.append((section, match.group(1)))
    return found


def read_map(language, known):
    path, rows = MAPS / f"{language}.csv", {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            where = f"{path.relative_to(ROOT)}:{number}"
            if len(row) != 2 or not row[1]:
                sys.exit(f"{where}: give a function and how it is reached")
            if row[0] not in known:
                sys.exit(f"{where}: <iip/iip.h> has no function {row[0]}")
            if row[0] in rows:
                sys.exit(f"{where}: {row[0]} stands here twice")
            rows[row[0]] = row[1]
    if missing := [name for name in known if name not in rows]:
        sys.exit(f"{path.relative_to(ROOT)}: say how each of these is reached, or why not: {', '.join(missing)}")
    return rows


def cell(how):
    return how if how.startswith("(") else f"`{how}`"


def count(name, rows):
    left_out = sum(how.startswith("(") for how in rows.values())
    return f"| {name} | {len(rows) - left_out} | {left_out} |\n"


def page():
    found = functions()
    if len(found) < 50:
        sys.exit(f"parity.py: only {len(found)} functions found in {HEADER.relative_to(ROOT)}: mend the pattern")
    maps = {language: read_map(language, [name for _, name in found]) for language in LANGUAGES}
    tables, section = "", None
    for title, function in found:
        if title != section:
            section = title
            heads = " | ".join(["function", *LANGUAGES.values()])
            tables += f"\n## {title[0].upper()}{title[1:]}\n\n| {heads} |\n|{'---|' * (len(maps) + 1)}\n"
        tables += "| " + " | ".join([f"`{function}`", *(cell(rows[function]) for rows in maps.values())]) + " |\n"
    counts = f"| C | {len(found)} | 0 |\n"
    counts += "".join(count(LANGUAGES[language], rows) for language, rows in maps.items())
    return TEXT.format(counts=counts, tables=tables[1:])


def main():
    text = page()
    if PAGE.is_file() and PAGE.read_text() == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.relative_to(ROOT)} is stale: run c/tools/parity.py")
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

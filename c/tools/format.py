#!/usr/bin/env python3
"""Checks the layout of C code with clang-format, leaving to people what people do better.

    format.py [--fix] [FILE...]     all C files of the repository without arguments; prints the changes to make

--fix makes those changes that touch no comment.

Comments behind code are lined up by hand, and so are enums, tables and X-macros; clang-format decides everything else
(.clang-format). So it is shown each file without trailing comments, and told to leave tables alone.
"""

import concurrent.futures
import difflib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OFF = "/* clang-format off */"
ON = "/* clang-format on */"
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def sources():
    for top in ("c", "examples/c", "bindings/swig/flat", "bindings/swig/tests"):
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            yield path


def without_trailing_comments(text):
    """The lines without comments that stand behind code, and for each the original line at which it starts."""

    def replace(match):
        piece = match.group(0)
        if not piece.startswith(("/*", "//")):
            return piece
        begin = text.rfind("\n", 0, match.start()) + 1
        before = text[begin:match.start()].strip()
        end = text.find("\n", match.end())
        after = text[match.end():end if end >= 0 else len(text)].strip()
        return "\0" * piece.count("\n") if before and not after else piece

    lines = []
    starts = []
    number = 0
    for line in TOKEN.sub(replace, text).split("\n"):
        lines.append(line.replace("\0", "").rstrip())
        starts.append(number)
        number += 1 + line.count("\0")
    return lines, starts + [number]


def with_tables_off(lines):
    """Encloses enums, initialisers and macros of several lines in clang-format off/on."""
    out = []
    end = None
    for line in lines:
        if end is None:
            if re.match(r"\s*(typedef )?enum( \w+)? \{$", line) or re.search(r"= \{$", line):
                end = re.compile(r"\s*\}.*;$")
                out.append(OFF)
            elif line.startswith("#define") and (line.endswith("\\") or "{" in line):
                end = re.compile(r".*[^\\]$|^$")
                out.append(OFF)
        out.append(line)
        if end is not None and end.match(line):
            end = None
            out.append(ON)
    return "\n".join(out)


def formatted(path, lines):
    run = subprocess.run(["clang-format", f"--style=file:{ROOT / '.clang-format'}", f"--assume-filename={path}"], input=with_tables_off(lines),
                         capture_output=True, text=True, check=True, cwd=ROOT)
    return [line for line in run.stdout.split("\n") if line.strip() not in (OFF, ON)]


def check(path):
    have, _ = without_trailing_comments(path.read_text())
    want = formatted(path, have)
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    return list(difflib.unified_diff(have, want, name, name + " (as it should be)", "", "", 1, lineterm=""))


def fix(path):
    """Applies every change whose lines have no comment behind them; the others stay for people."""
    text = path.read_text()
    original = text.split("\n")
    have, starts = without_trailing_comments(text)
    want = formatted(path, have)
    out = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, have, want, autojunk=False).get_opcodes():
        piece = original[starts[i1]:starts[i2]]
        out += want[j1:j2] if tag != "equal" and piece == have[i1:i2] else piece
    path.write_text("\n".join(out))


def main():
    names = [name for name in sys.argv[1:] if name != "--fix"]
    paths = [pathlib.Path(name).resolve() for name in names] or list(sources())
    if "--fix" in sys.argv[1:]:
        for path in paths:
            fix(path)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for diff in pool.map(check, paths):
            if diff:
                bad += 1
                print("\n".join(diff))
    print(f"format: {len(paths)} files, {bad} to change")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

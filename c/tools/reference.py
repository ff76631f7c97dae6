#!/usr/bin/env python3
"""Writes docs/reference/tunables.md and counters.md from the lists in the core, the only place where they stand.

    reference.py            writes both
    reference.py --check    exit code 1 when what is committed differs from what would be written
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STACK = ROOT / "c" / "core" / "src" / "stack"
DOCS = ROOT / "docs" / "reference"
MADE = "<!-- Made by c/tools/reference.py from {}; change that, then run the tool. -->\n"

TUNABLES = """\
# Tunables

{made}
Numbers that change how a stack behaves, each with a name. They are set

- in C on the core: `iip_stack_set(stk, "tcp.mss", 1400)`;
- in every language on an engine: `tunables = "tcp.mss=1400,tcp.sack=0"`;
- on the command line of every example: `--set tcp.mss=1400`.

Set them before the first connection; a later change holds for later connections. An unknown name is
`IIP_E_NOT_FOUND`, a value outside the range `IIP_E_RANGE`. Names that end in `_us` are microseconds.

| name | default | from | to | meaning |
|---|---:|---:|---:|---|
{rows}
## What waits for a neighbour

The latest `neigh.queue` packets wait until a neighbour's address is known, or until it counts as gone: connections
that are opened at once lose no SYN. All neighbours together hold `neigh.queue_all` packets; while more than half as many
wait, no neighbour that does not answer gets more than 16 places, so that others find room. Each packet holds a frame, and
frames are needed to ask and to hear the answer: a loop of few frames begins with about a tenth of them for each of the two.

## The order of the SYN's options

`tcp.syn_options` is a number read in hexadecimal, lowest digit first; each digit places one option: 1 NOP, 2 MSS,
3 window scale, 4 SACK-permitted, 8 timestamps, 0 nothing; other digits are `IIP_E_RANGE`, as are shifts from 16 to 254.
An option that is switched off is left out, one that has no place is not offered, and the header is padded to a multiple
of four bytes.
"""

COUNTERS = """\
# Counters

{made}
Every stack counts what it does. Counters only grow, but for `rx_held`, which is a level. They are read

- in C on the core: `iip_stack_counters`, names by `iip_stack_counter_name`;
- in every language on a loop: `iip_loop_counters`, names by `iip_counter_name`;
- from every example: `--stats-json FILE`.

Each received packet ends in exactly one of these, so at any time, between calls,

    rx_packets = rx_delivered + rx_held + the sum of all drop_… counters

## Packets and resources

| name | what is counted |
|---|---|
{totals}
## Why a received packet was dropped

| name | reason |
|---|---|
{drops}
## What else happened

| name | what is counted |
|---|---|
{events}"""


def split_arguments(text):
    """Splits at commas outside of parentheses and strings."""
    parts, depth, string, start = [], 0, False, 0
    for i, char in enumerate(text):
        if char == '"' and text[i - 1] != "\\":
            string = not string
        elif not string:
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                parts.append(text[start:i].strip())
                start = i + 1
    return parts + [text[start:].strip()]


def rows_of(path, macro):
    """The arguments of each X(...) of one list macro."""
    text = path.read_text()
    match = re.search(r"#define " + macro + r"\(X\)(.*?[^\\])\n", text, re.S)
    if not match:
        sys.exit(f"reference.py: {path}: no list {macro}")
    body = match.group(1).replace("\\\n", "\n")
    rows, i = [], 0
    while True:
        found = re.compile(r"\bX\(").search(body, i)
        if not found:
            return rows
        depth, string, j = 1, False, found.end()
        while depth:
            char = body[j]
            if char == '"' and body[j - 1] != "\\":
                string = not string
            elif not string:
                depth += (char == "(") - (char == ")")
            j += 1
        rows.append(split_arguments(body[found.end():j - 1]))
        i = j


def number(text):
    """A C constant expression as a number."""
    text = re.sub(r"IIP_U64\(([^,]+),([^)]+)\)", r"((\1) << 32 | (\2))", text)
    return eval(re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]*", r"\1", text), {"__builtins__": {}})


def show_number(value, name):
    if name == "tcp.syn_options":
        return hex(value)
    return str(value)


def unquote(text):
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', text)).replace("|", "\\|")


def table(rows):
    return "".join("| " + " | ".join(cells) + " |\n" for cells in rows)


def tunables():
    source = STACK / "tune.h"
    rows = []
    for _, name, low, high, default, doc in rows_of(source, "IIP_TUNABLES"):
        name = unquote(name)
        cells = [show_number(number(text), name) for text in (default, low, high)]
        rows.append([f"`{name}`", *cells, unquote(doc)])
    return TUNABLES.format(made=MADE.format(source.relative_to(ROOT)), rows=table(rows))


def counters():
    source = STACK / "counters.h"
    parts = {}
    for key, macro in (("totals", "IIP_COUNTERS"), ("drops", "IIP_DROPS"), ("events", "IIP_EVENTS")):
        parts[key] = table([f"`{unquote(name)}`", unquote(doc)] for _, name, doc in rows_of(source, macro))
    return COUNTERS.format(made=MADE.format(source.relative_to(ROOT)), **parts)


def main():
    stale = 0
    for name, text in (("tunables.md", tunables()), ("counters.md", counters())):
        path = DOCS / name
        if path.is_file() and path.read_text() == text:
            continue
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} is stale: run c/tools/reference.py")
            stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""docs/parity/lua.csv and java.csv from <iip/iip.h> and what iip.i says in place of each function.

    parity.py            writes them
    parity.py --check    exit code 1 when one is stale
"""
import csv
import io
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
HEADER = (ROOT / "c/sdk/include/iip/iip.h").read_text()
INTERFACE = (ROOT / "bindings/swig/iip.i").read_text()
REPLACED = dict(re.findall(r'^REPLACED\((\w+), "(.*)"\)', INTERFACE, re.M))


def lua(name):
    return name if "." in name else f"iip.{name}"


def java(name):
    first, _, last = name.rpartition(".")
    words = last.split("_")
    return (first or "Iip") + "." + words[0] + "".join(word.capitalize() for word in words[1:])


def table(spell):
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for function in re.findall(r"^(?:const )?\w+ \*?(iip_\w+)\(", HEADER, re.M):
        by = REPLACED.get(function, function.removeprefix("iip_"))
        rows.writerow((function, f"({by[3:]})" if by.startswith("-: ") else spell(by)))
    return out.getvalue()


stale = 0
for language, spell in (("lua", lua), ("java", java)):
    path, text = ROOT / f"docs/parity/{language}.csv", table(spell)
    if path.is_file() and path.read_text() == text:
        continue
    if "--check" in sys.argv[1:]:
        print(f"{path.relative_to(ROOT)} is stale: run bindings/swig/flat/parity.py")
        stale = 1
    else:
        path.write_text(text)
sys.exit(stale)

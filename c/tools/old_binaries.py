#!/usr/bin/env python3
"""Programs built for an older libiip run with a new one: old_binaries.py --library FILE [--work DIR] [VERSION...]

For each baseline below c/sdk/abi/ (all of them without VERSION), which holds what a version of libiip was (its headers,
its symbols as abidw told them, programs that use all of it):

    links     a library without code is made of the baseline's symbols; the programs are compiled with the baseline's
              headers and linked with it, so that they are what they would have been then
    runs      they run with FILE, all their symbols bound at the start
    numbers   each constant of the baseline's headers has the same value in today's
    sources   the programs still compile with today's headers

    old_binaries.py --write VERSION     writes headers and fields of a baseline, as they are now

Exit code 1, and what was found, when anything of that is not so.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASELINES = ROOT / "c" / "sdk" / "abi"
HEADERS = [ROOT / "c/sdk/include/iip" / name for name in ("iip.h", "begin.h", "end.h")] + [
    ROOT / "c/core/include/iip/status.h"
]
TODAY = [f"-I{ROOT / 'c/sdk/include'}", f"-I{ROOT / 'c/core/include'}"]
CC = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Werror"]


class Broken(Exception):
    """What an older program would meet."""


def run(*command: object, env: dict[str, str] | None = None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, **(env or {})})
    if done.returncode:
        raise Broken(f"{pathlib.Path(words[0]).name}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def symbols(baseline: pathlib.Path) -> tuple[str, dict[str, list[str]]]:
    """The name that programs look for, and the functions of each node of the version map."""
    corpus = ElementTree.parse(baseline / "libiip.abi").getroot()
    nodes: dict[str, list[str]] = {}
    for symbol in corpus.iter("elf-symbol"):
        nodes.setdefault(symbol.attrib["version"], []).append(symbol.attrib["name"])
    return corpus.attrib["soname"], nodes


def stub(baseline: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
    """A library without code, for the linker."""
    soname, nodes = symbols(baseline)
    names = [name for node in nodes.values() for name in node]
    (work / "stub.c").write_text("".join(f"void {name}(void);\nvoid {name}(void) {{}}\n" for name in names))
    parts = [f"{node} {{ global: {'; '.join(named)}; }};\n" for node, named in nodes.items()]
    (work / "stub.map").write_text("".join(parts))
    run(*CC[:1], "-shared", "-fPIC", work / "stub.c", f"-Wl,-soname,{soname}",
        f"-Wl,--version-script={work / 'stub.map'}", "-o", work / soname)  # fmt: skip
    return work / soname


def programs(baseline: pathlib.Path, library: pathlib.Path, work: pathlib.Path) -> int:
    linked, used = stub(baseline, work), set()
    run_path = work / "run"
    run_path.mkdir()
    (run_path / linked.name).symlink_to(library.resolve())
    sources = sorted(baseline.glob("programs/*.c"))
    for source in sources:
        program = work / source.stem
        run(*CC, f"-I{baseline / 'include'}", source, linked, "-o", program)
        run(program, env={"LD_LIBRARY_PATH": str(run_path), "LD_BIND_NOW": "1"})
        run(*CC, *TODAY, "-fsyntax-only", source)
        used |= set(re.findall(r"\biip_\w+(?=\()", source.read_text() + (source.parent / "world.h").read_text()))
    if missed := {name for node in symbols(baseline)[1].values() for name in node} - used:
        raise Broken(f"no program calls {', '.join(sorted(missed))}")
    return len(sources)


def values(include: list[str], names: list[str], work: pathlib.Path) -> dict[str, int]:
    rows = "".join(f'    printf("{name} %lld\\n", (long long){name});\n' for name in names)
    head = "#include <stdio.h>\n#include <iip/iip.h>\nint main(void)\n{\n"
    (work / "values.c").write_text(f"{head}{rows}    return 0;\n}}\n")
    run(*CC, *include, work / "values.c", "-o", work / "values")
    return {name: int(value) for name, value in (line.split() for line in run(work / "values").splitlines())}


def constants(baseline: pathlib.Path, work: pathlib.Path) -> int:
    names: list[str] = []
    for header in (baseline / "include").glob("iip/*.h"):
        for body in re.findall(r"enum \{(.*?)\};", re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S), re.S):
            names += re.findall(r"\b(IIP_\w+)\b\s*(?:=[^,]*)?(?:,|$)", body.strip())
    names = [name for name in names if name not in ("IIP_ABI_MINOR", "IIP_E_LAST")]  # these go on
    old, new = values([f"-I{baseline / 'include'}"], names, work), values(TODAY, names, work)
    if wrong := [f"{name} was {old[name]}, and is {new[name]}" for name in names if old[name] != new[name]]:
        raise Broken("\n".join(wrong))
    return len(names)


def check(baseline: pathlib.Path, library: pathlib.Path, work: pathlib.Path) -> bool:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        numbers = constants(baseline, work)
        ran = programs(baseline, library, work)
    except Broken as broken:
        print(f"FAILED  {baseline.name}: {broken}")
        return False
    print(f"ok      {baseline.name}: {ran} programs run, {numbers} constants are what they were")
    return True


def write(baseline: pathlib.Path) -> None:
    (baseline / "include/iip").mkdir(parents=True, exist_ok=True)
    for header in HEADERS:
        shutil.copy(header, baseline / "include/iip")
    rows = re.findall(r"^    ((?:TYPE|FIELD)\(.*\)),$", (ROOT / "c/sdk/src/layout.c").read_text(), re.M)
    (baseline / "programs/fields.inc").write_text("".join(f"{row}\n" for row in rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=pathlib.Path, help="the new libiip.so")
    parser.add_argument("--work", type=pathlib.Path, help="where to build; a directory that is removed, without it")
    parser.add_argument("--write", action="store_true", help="write the baseline instead")
    parser.add_argument("version", nargs="*")
    args = parser.parse_args()
    baselines = [BASELINES / version for version in args.version] or sorted(BASELINES.glob("[0-9]*"))
    for baseline in baselines:
        if not baseline.is_dir():
            parser.error(f"{baseline.name}: there is no such baseline below c/sdk/abi")
    if args.write:
        for baseline in baselines:
            write(baseline)
        return 0
    if not args.library or not args.library.is_file() or not baselines:
        parser.error("--library FILE: name the new libiip.so, and have a baseline below c/sdk/abi")
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or pathlib.Path(scratch)
        good = [check(baseline, args.library, work / baseline.name) for baseline in baselines]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

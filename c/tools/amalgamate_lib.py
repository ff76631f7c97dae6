#!/usr/bin/env python3
"""Makes libiip as four files, for build systems that take C sources as they lie in one directory (cgo, cc ...).

    amalgamate_lib.py OUTDIR [--first-line TEXT] [--check]

iip_core.h and iip_core.c are those of amalgamate.py; iip.h is the public header whole; iip_lib.c is c/io (without the
DPDK plug-in) and c/sdk. --first-line puts a line before the sources, a build constraint for example. --check writes
nothing and tells, by exit code 1, that the files in OUTDIR are not those of the sources.
"""

import argparse
import hashlib
import pathlib
import re
import sys

import amalgamate

ROOT = amalgamate.ROOT
SEARCH = [ROOT / "c" / name for name in ("core/include", "sdk/include", "sdk/src", "io")]
PUBLIC = {"iip/core.h": "iip_core.h", "iip/status.h": "iip_core.h", "iip/types.h": "iip_core.h", "iip/iip.h": "iip.h"}
# As in c/tools/cmake/iip.cmake: libiip and its plug-ins agree on these.
PRIVATE = ["c/core/include/iip/types.h", "c/core/include/iip/status.h", "c/core/include/iip/core.h", "c/io/port.h",
           "c/io/plugin.h"]

HEAD = """\
/*
 * {name} - {what}
 *
 * Made by c/tools/amalgamate_lib.py from the sources of libiip; change those, not this one.
 */
"""


def version():
    return re.search(r"\n +VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def build_id(compiler):
    text = f"{compiler} 8"
    for name in PRIVATE:
        text += " " + hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
    return f"{version()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def find_header(name, includer):
    for directory in (includer.parent, *SEARCH):
        if (directory / name).is_file():
            return (directory / name).resolve()
    amalgamate.fail(f"{includer}: header {name!r} was not found")


class Writer:
    """Collects files; inlines private headers where they are first included."""

    def __init__(self, public):
        self.public, self.seen, self.out = public, set(), []

    def add(self, path):
        self.out.append(f"\n/* ==== {path.relative_to(ROOT)} ==== */")
        for line in path.read_text().splitlines():
            match = amalgamate.INCLUDE.match(line)
            if not match or match.group(1) == "<":
                self.out.append(line)
            elif match.group(2) in self.public:
                self.out.append(f'#include "{self.public[match.group(2)]}"')
            else:
                self.include(find_header(match.group(2), path))

    def include(self, header):
        if header in self.seen:
            return
        if header.name not in ("begin.h", "end.h"):  # those two are included once for each other
            self.seen.add(header)
        self.add(header)

    def text(self, head):
        return head + "\n".join(self.out) + "\n"


def make_header():
    writer = Writer({})
    writer.add(ROOT / "c/sdk/include/iip/iip.h")
    return writer.text(HEAD.format(name="iip.h", what="<iip/iip.h> in one file: the interface of libiip"))


def lib_sources():
    io = [path for path in sorted((ROOT / "c/io").rglob("*.c")) if "dpdk" not in path.parts]
    return io + sorted((ROOT / "c/sdk/src").glob("*.c"))


def make_lib():
    writer = Writer(PUBLIC)
    for path in lib_sources():
        writer.add(path)
    head = HEAD.format(name="iip_lib.c", what="the ports of libiip and its interface in one file; the core is iip_core.c")
    return writer.text(head + f"""
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define IIP_VERSION "{version()}"
/* Names the release, the private interface and the compiler, as CMake's: a plug-in of another build is refused. */
#if defined(__clang__)
#define IIP_BUILD_ID "{build_id("Clang")}"
#else
#define IIP_BUILD_ID "{build_id("GNU")}"
#endif
""")


def make_all(first_line):
    first = first_line + "\n\n" if first_line else ""
    return {"iip.h": make_header(), "iip_core.h": amalgamate.make_header(False),
            "iip_core.c": first + amalgamate.make_source(False), "iip_lib.c": first + make_lib()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--first-line", default="")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    files = make_all(args.first_line)
    if args.check:
        stale = [name for name, text in files.items()
                 if not (args.outdir / name).is_file() or (args.outdir / name).read_text() != text]
        sys.exit(f"{args.outdir}: {', '.join(stale)}: not those of the sources; run c/tools/amalgamate_lib.py" if stale else 0)
    args.outdir.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        amalgamate.write_changed(args.outdir / name, text)


if __name__ == "__main__":
    main()

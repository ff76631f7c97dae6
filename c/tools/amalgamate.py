#!/usr/bin/env python3
"""Makes one header and one source of the core: iip_core.h and iip_core.c.

    amalgamate.py OUTDIR [--lines]

The header is c/core/include/iip/{types,status,core}.h; the source is every file that c/core/order.txt names, in that
order, each header of the core inlined where it is first included. Functions that the files share become static.
--lines adds #line directives, so that debuggers and profilers show the files of the repository.
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "c" / "core"
ROOMS = ["base", "wire", "stack", "net", "tcp"]
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
GUARD = re.compile(r"#ifndef (IIP_[A-Z0-9_]+_H)\n#define \1\n(.*)\n#endif\n*\Z", re.S)

HEAD = """\
/*
 * {name} - {what}
 *
 * Made by c/tools/amalgamate.py from the files of c/core; change those, not this one.
 */
"""

LOCAL = """\
#ifndef IIP_LOCAL
#if defined(__GNUC__)
#define IIP_LOCAL static __attribute__((unused))
#else
#define IIP_LOCAL static
#endif
#endif
"""

# What one file does not use of a header's inline functions is no mistake; clang warns of those in a .c file.
INLINE = """
#if defined(__GNUC__)
#undef IIP_INLINE
#define IIP_INLINE static __inline__ __attribute__((unused))
#endif
"""


def fail(text):
    sys.exit(f"amalgamate.py: {text}")


def read_order():
    """The files of order.txt; one that it does not name yet comes last of its room, with a warning."""
    lines = (CORE / "order.txt").read_text().splitlines()
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    there = sorted(str(path.relative_to(CORE)) for path in (CORE / "src").rglob("*.c"))
    for name in sorted(set(names) ^ set(there)):
        print(f"amalgamate.py: c/core/order.txt and the files differ: {name}", file=sys.stderr)
    names = [name for name in names if name in there] + [name for name in there if name not in names]
    return sorted(names, key=lambda name: ROOMS.index(name.split("/")[1]))


def find_header(name, includer):
    for directory in (CORE / "include", CORE / "src", includer.parent):
        if (directory / name).is_file():
            return (directory / name).resolve()
    fail(f"{includer}: header {name!r} is not one of the core's own")


class Writer:
    """Collects text; knows which headers it has inlined."""

    def __init__(self, lines):
        self.lines = lines
        self.seen = set()
        self.out = []

    def mark(self, path, number):
        if self.lines:
            self.out.append(f'#line {number} "{path}"')

    def add(self, path, keep_guard):
        text = path.read_text()
        first = 1
        if not keep_guard and path.suffix == ".h":
            text, first = self.without_guard(path, text)
        self.out.append(f"\n/* ==== {path.relative_to(CORE)} ==== */")
        self.mark(path, first)
        for number, line in enumerate(text.splitlines(), first):
            match = INCLUDE.match(line)
            if not match:
                self.out.append(line)
                continue
            if match.group(1) == "<":
                fail(f"{path}:{number}: the core includes no header but its own: {line.strip()}")
            header = find_header(match.group(2), path)
            if header not in self.seen:
                self.seen.add(header)
                self.add(header, keep_guard)
                self.mark(path, number + 1)

    @staticmethod
    def without_guard(path, text):
        match = GUARD.search(text)
        if not match:
            fail(f"{path}: no include guard of the form #ifndef IIP_..._H")
        body = text[: match.start()] + "\n\n" + match.group(2)
        return body, 1


def make_header(lines):
    writer = Writer(lines)
    writer.out.append(HEAD.format(name="iip_core.h", what="the interface of the iip core in one file"))
    public = (CORE / "include" / "iip" / "core.h").resolve()
    writer.seen.add(public)
    writer.add(public, keep_guard=True)
    return "\n".join(writer.out) + "\n"


def make_source(lines):
    writer = Writer(lines)
    writer.out.append(HEAD.format(name="iip_core.c", what="the iip core in one file (C89 and C++98, no libc)"))
    writer.out.append(LOCAL)
    writer.out.append('#include "iip_core.h"')
    writer.out.append(INLINE)
    for header in sorted((CORE / "include" / "iip").glob("*.h")):
        writer.seen.add(header.resolve())
    for name in read_order():
        writer.add(CORE / name, keep_guard=False)
    return "\n".join(writer.out) + "\n"


def write_changed(path, text):
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--lines", action="store_true", help="add #line directives")
    args = parser.parse_args()
    args.outdir.mkdir(parents=True, exist_ok=True)
    write_changed(args.outdir / "iip_core.h", make_header(args.lines))
    write_changed(args.outdir / "iip_core.c", make_source(args.lines))


if __name__ == "__main__":
    main()

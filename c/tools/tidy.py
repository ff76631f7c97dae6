#!/usr/bin/env python3
"""Rules of the house that no compiler knows, checked over the C sources.

    tidy.py [RULE...]        all rules without arguments; --list names them

Each finding is one line: file:line: rule: what and why. Exit code 1 when there are any.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORE = ROOT / "c" / "core"
ROOMS = ["base", "wire", "stack", "net", "tcp"]
FUNCTION_LINES = 60
FILE_LINES = 600
LINE_COLUMNS = 160

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# Addresses (struct iip_ip.b) are no headers.
WIRE_GET = re.compile(r"\biip_get(16|32)\s*\((?!\w+(->|\.)([\w.]+\.)?b\b)|->(data|l3)\[")
FUNCTION = re.compile(r"^(?:[A-Za-z_][\w\s\*]*?[\s\*])?([A-Za-z_]\w*)\s*\([^;]*$")


def c_files(*tops, suffixes=(".c", ".h")):
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def core_files():
    return c_files("c/core")


def own_files():
    return c_files("c", "examples/c", "bindings/swig/flat", "bindings/swig/tests")


def say(findings, path, line, rule, text):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {rule}: {text}")


def strip_comments(text):
    """Comments and string contents become blanks; lines stay where they are."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        piece = match.group(0)
        if piece[0] in "\"'":
            return piece[0] + " " * (len(piece) - 2) + piece[-1]
        return re.sub(r"[^\n]", " ", piece)

    return pattern.sub(blank, text)


def functions(path):
    """Yields (name, first line, last line, is_static) of each function definition that starts in column 0."""
    lines = strip_comments(path.read_text()).splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if line == "{" and number:
            start = number - 1
            while start > 0 and lines[start - 1].strip() and not lines[start - 1].rstrip().endswith((";", "}", "*/")) \
                    and not lines[start - 1].startswith("#"):
                start -= 1
            head = " ".join(part.strip() for part in lines[start:number])
            end = number
            while end < len(lines) and lines[end] != "}":
                end += 1
            match = re.search(r"\b([A-Za-z_]\w*)\s*\(", re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head))
            if match:
                yield match.group(1), start + 1, end + 1, bool(re.match(r"(static|IIP_INLINE)\b", head))
            number = end
        number += 1


# ---- rules ----

def rule_order(findings):
    """c/core/order.txt lists exactly the files of the core, each once, rooms in order."""
    order = CORE / "order.txt"
    listed = [line.strip() for line in order.read_text().splitlines() if line.strip() and not line.startswith("#")]
    there = {str(path.relative_to(CORE)) for path in (CORE / "src").rglob("*.c")}
    for name in sorted(there - set(listed)):
        say(findings, order, 1, "order", f"{name} is not listed: add it in its room's place")
    for number, name in enumerate(listed, 1):
        if name not in there:
            say(findings, order, number, "order", f"{name} is listed and not there")
    for name in sorted({name for name in listed if listed.count(name) > 1}):
        say(findings, order, 1, "order", f"{name} is listed twice")
    rooms = [name.split("/")[1] for name in listed]
    if rooms != sorted(rooms, key=ROOMS.index):
        say(findings, order, 1, "order", "rooms are not in the order " + ", ".join(ROOMS))


def rule_layers(findings):
    """Within the core, includes point from a higher room to a lower one; nothing else is included."""
    for path in core_files():
        room = path.parent.name
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            if match.group(1) == "<":
                say(findings, path, number, "layers", f"the core includes only its own headers, not <{match.group(2)}>")
                continue
            target = match.group(2).split("/")[0]
            if target == "iip":
                continue
            if room == "iip" or target not in ROOMS:
                say(findings, path, number, "layers", f"{match.group(2)} is not a header that this file may see")
            elif ROOMS.index(target) > ROOMS.index(room):
                say(findings, path, number, "layers", f"{room} is below {target}: it may not include {match.group(2)}")


def rule_directions(findings):
    """core knows nothing of io and sdk, io nothing of sdk, examples nothing but <iip/iip.h> or the core's interface."""
    forbidden = {"c/core": r"sdk/|port\.h|iip/iip\.h", "c/io": r"sdk|iip/iip\.h|^(base|wire|stack|net|tcp)/",
                 "c/sdk": r"^(base|wire|stack|net|tcp)/", "examples/c": r"sdk\.h|port\.h|^(base|wire|stack|net|tcp)/"}
    for top, pattern in forbidden.items():
        for path in c_files(top):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match and match.group(1) == '"' and re.search(pattern, match.group(2)):
                    say(findings, path, number, "directions", f"{top} may not include {match.group(2)}")


def rule_wire(findings):
    """Only wire/ (and base/) reads header bytes."""
    for path in c_files("c/core/src"):
        if path.parent.name in ("base", "wire"):
            continue
        for number, line in enumerate(strip_comments(path.read_text()).splitlines(), 1):
            if WIRE_GET.search(line):
                say(findings, path, number, "wire", f"only wire/ touches header fields: {line.strip()}")


def rule_function_length(findings):
    """A function is at most 60 lines, from its name to its closing brace."""
    for path in own_files():
        for name, first, last, _ in functions(path):
            if last - first + 1 > FUNCTION_LINES:
                say(findings, path, first, "function-length", f"{name} has {last - first + 1} lines, more than {FUNCTION_LINES}")


def rule_file_length(findings):
    """A C source is at most 600 lines; public headers, which are the documentation, may be longer."""
    for path in own_files():
        lines = path.read_text().count("\n")
        if lines > FILE_LINES and "include" not in path.parts:
            say(findings, path, 1, "file-length", f"{lines} lines, more than {FILE_LINES}: split it by concern")


def rule_statics(findings):
    """Names of static functions are unique across the core, so that the amalgamation compiles and readers find them."""
    seen = {}
    for path in core_files():
        for name, first, _, static in functions(path):
            if static and name in seen and seen[name][0] != path:
                other, line = seen[name]
                say(findings, path, first, "statics", f"{name} is also in {other.relative_to(ROOT)}:{line}")
            if static:
                seen[name] = (path, first)


def rule_names(findings):
    """Every function of the core begins with iip_; no name begins with an underscore."""
    for path in core_files():
        for name, first, _, _ in functions(path):
            if not name.startswith("iip_"):
                say(findings, path, first, "names", f"{name}: functions of the core begin with iip_")
    for path in own_files():
        for name, first, _, _ in functions(path):
            if name.startswith("_"):
                say(findings, path, first, "names", f"{name}: no leading underscores")


def rule_comments(findings):
    """No // comments in the core (C89)."""
    for path in core_files():
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), path.read_text(), flags=re.S)
        text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
        for number, line in enumerate(text.splitlines(), 1):
            if "//" in line:
                say(findings, path, number, "comments", "// is not C89")


def rule_text(findings):
    """No tabs, no trailing blanks, a newline at the end, ASCII."""
    for path in own_files():
        text = path.read_text()
        if not text.endswith("\n") or text.endswith("\n\n"):
            say(findings, path, text.count("\n"), "text", "a file ends with one newline")
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                say(findings, path, number, "text", "tab")
            if line != line.rstrip():
                say(findings, path, number, "text", "blanks at the end of the line")
            if not line.isascii():
                say(findings, path, number, "text", "not ASCII")
            if len(line) > LINE_COLUMNS and "X(" not in line and "..." not in line:
                say(findings, path, number, "text", f"{len(line)} columns: break the line")


def rule_guards(findings):
    """Headers have guards named for their place."""
    for path in own_files():
        if path.suffix != ".h" or path.name in ("begin.h", "end.h"):
            continue
        if not re.search(r"^#ifndef ([A-Z0-9_]+_H)\n#define \1\n", path.read_text(), re.M):
            say(findings, path, 1, "guards", "no include guard of the form #ifndef ..._H")


def rule_tagged_leftovers(findings):
    """No notes to oneself."""
    for path in own_files():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                say(findings, path, number, "leftovers", line.strip())


RULES = {name[5:].replace("_", "-"): rule for name, rule in list(globals().items()) if name.startswith("rule_")}


def main():
    names = sys.argv[1:]
    if names == ["--list"]:
        for name, rule in RULES.items():
            print(f"{name:18} {rule.__doc__.splitlines()[0]}")
        return 0
    unknown = [name for name in names if name not in RULES]
    if unknown:
        sys.exit(f"tidy.py: no rule {unknown[0]!r}; --list names them")
    findings = []
    for name in names or RULES:
        RULES[name](findings)
    print("\n".join(findings + [f"tidy: {len(names or RULES)} rules, {len(findings)} findings"]))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

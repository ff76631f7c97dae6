#!/usr/bin/env python3
"""The one reader of <iip/iip.h> for Python: nothing of the C interface is written down a second time.

header.py source FILE    C source of cffi's module, made when the package is built
header.py write          src/iip/constants.py and src/iip/_ffi.pyi, which are committed
header.py check          exit code 1 when what is committed is not what the headers say
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
HEADERS = (ROOT / "c/core/include/iip/status.h", ROOT / "c/sdk/include/iip/iip.h")
PACKAGE = HERE / "src/iip"

# First member of an anonymous enum -> the Python enum that it becomes: name, prefix that its members lose, base.
ENUMS = {
    "IIP_OK": ("Status", "IIP_", "IntEnum"),
    "IIP_ABI_MAJOR": ("Abi", "IIP_ABI_", "IntEnum"),
    "IIP_CLASS_OK": ("StatusClass", "IIP_CLASS_", "IntEnum"),
    "IIP_KIND_CONN": ("Kind", "IIP_KIND_", "IntEnum"),
    "IIP_CORES_UNIFIED": ("Cores", "IIP_CORES_", "IntEnum"),
    "IIP_PORT_IP_CSUM": ("PortCap", "IIP_PORT_", "IntFlag"),
    "IIP_EVENT_NONE": ("EventType", "IIP_EVENT_", "IntEnum"),
    "IIP_EVENT_MORE": ("EventFlag", "IIP_EVENT_", "IntFlag"),
    "IIP_OP_NOP": ("OpCode", "IIP_OP_", "IntEnum"),
    "IIP_OP_REPLY": ("OpFlag", "IIP_OP_", "IntFlag"),
    "IIP_OPT_NODELAY": ("Option", "IIP_OPT_", "IntEnum"),
    "IIP_TURN_WAIT": ("TurnFlag", "IIP_TURN_", "IntFlag"),
    "IIP_STATE_MORE": ("State", "IIP_STATE_", "IntFlag"),
    "IIP_CONN_CLOSED": ("ConnState", "IIP_CONN_", "IntEnum"),
    "IIP_LOG_ERROR": ("LogLevel", "IIP_LOG_", "IntEnum"),
}


def declarations() -> str:
    """The headers without their lines that start with #: what cffi reads."""
    lines = [line for path in HEADERS for line in path.read_text().split("\n") if not line.startswith("#")]
    return "\n".join(lines)


def without_comments() -> str:
    return re.sub(r"/\*.*?\*/", "", declarations(), flags=re.S)


def source(target: str) -> None:
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(declarations())
    ffi.set_source("iip._ffi", "#include <iip/iip.h>")
    ffi.emit_c_code(target)


def enums() -> list[tuple[str, str, list[tuple[str, int]]]]:
    """(Python name, base, members) of every anonymous enum, in the header's order."""
    out = []
    for body in re.findall(r"enum\s*\{(.*?)\}", without_comments(), flags=re.S):
        pairs = re.findall(r"(IIP_\w+)\s*=\s*(-?\d+)|(IIP_\w+)", body)
        members, value = [], -1
        for named, number, bare in pairs:
            value = int(number) if named else value + 1
            members.append((named or bare, value))
        name, prefix, base = ENUMS[members[0][0]]
        out.append((name, base, [(member.removeprefix(prefix), value) for member, value in members]))
    return out


def constants() -> str:
    text = ['"""Constants of <iip/iip.h> and <iip/status.h>. Written by tools/header.py; do not edit."""', ""]
    text += ["from enum import IntEnum, IntFlag", ""]
    names = []
    for name, base, members in enums():
        names.append(name)
        text += ["", f"class {name}({base}):"]
        text += [f"    {member} = {value}" for member, value in members] + [""]
    return "\n".join([*text, "", "__all__ = [", *[f'    "{name}",' for name in sorted(names)], "]", ""])


def functions() -> list[tuple[str, str, list[str]]]:
    """(name, return type, parameters) of every function."""
    text = re.sub(r"\{[^{}]*\}", "", without_comments())
    pattern = r"^([a-z][\w ]*?\*?)\s*(iip_\w+)\(([^)]*)\);"
    return [
        (name, result.strip(), [p.strip() for p in params.split(",")])
        for result, name, params in re.findall(pattern, text, flags=re.M)
    ]


def python_type(c_type: str) -> str:
    return "Any" if "*" in c_type or "[" in c_type else "int"


def parameter(text: str) -> str:
    """One C parameter as one of Python: its name and type."""
    name = re.sub(r"\[.*", "", text).replace("*", " ").split()[-1]
    return f"{name}: {python_type(text)}"


def stub() -> str:
    text = ['"""What cffi makes of <iip/iip.h>. Written by tools/header.py; do not edit."""', ""]
    text += ["from typing import Any", "", "ffi: Any", "", "class _Lib:"]
    for name, result, params in functions():
        listed = ", ".join(["self", *[parameter(p) for p in params if p != "void"], "/"])
        text.append(f"    def {name}({listed}) -> {python_type(result)}: ...")
    return "\n".join([*text, "", "lib: _Lib", ""])


def outputs() -> dict[pathlib.Path, str]:
    return {PACKAGE / "constants.py": constants(), PACKAGE / "_ffi.pyi": stub()}


def main(words: list[str]) -> int:
    if words[:1] == ["source"] and len(words) == 2:
        source(words[1])
    elif words == ["write"]:
        for path, text in outputs().items():
            path.write_text(text)
    elif words == ["check"]:
        stale = [path for path, text in outputs().items() if not path.exists() or path.read_text() != text]
        for path in stale:
            print(f"{path}: not what the headers say; run tools/header.py write", file=sys.stderr)
        return 1 if stale else 0
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

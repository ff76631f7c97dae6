#!/usr/bin/env python3
"""The version of the project: CMakeLists.txt says it, and all other places must say the same.

    version.py                 prints it
    version.py --check         exit code 1, and a line for each place that says another, or none
    version.py --set 1.2.3     writes it to all places

Places that ask for it when they are built (the Python package, the Go module) are not in the list, nor what is
generated from these files: the tools that generate it check it.
"""

from __future__ import annotations

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOME = ("CMakeLists.txt", r"project\(iip\n    VERSION ([0-9.]+)")
ALL, FIRST, LAST = slice(None), slice(0, 1), slice(-1, None)
PLACES = [  # file, what stands there: the group says the third; which of the places that match
    (*HOME, "{version}", ALL),
    ("c/sdk/include/iip/iip.h", r"IIP_ABI_MAJOR = (\d+)", "{major}", ALL),
    ("c/sdk/include/iip/iip.h", r"IIP_ABI_MINOR = (\d+)", "{minor}", ALL),
    ("c/sdk/abi/libiip.map", r"^IIP_([0-9.]+) \{", "{abi}", LAST),
    ("bindings/swig/CMakeLists.txt", r"project\(iip_swig VERSION ([0-9.]+)", "{version}", ALL),
    ("bindings/swig/iip-{version}-1.rockspec", r'^version = "([0-9.]+)-1"', "{version}", ALL),
    ("bindings/swig/java/pom.xml", r"<version>([0-9.]+)</version>", "{version}", ALL),
    ("bindings/swig/tests/maven/pom.xml", r"<artifactId>iip</artifactId>\n +<version>([0-9.]+)", "{version}", ALL),
    ("bindings/rust/Cargo.toml", r'^version = "([0-9.]+)"', "{version}", ALL),
    ("bindings/rust/iip/Cargo.toml", r'path = "\.\./iip-sys", version = "([0-9.]+)"', "{version}", ALL),
    ("bindings/rust/Cargo.lock", r'"(?:iip[a-z-]*|compile-fail|ffi-bench)"\nversion = "([0-9.]+)"', "{version}", ALL),
    ("examples/rust/Cargo.toml", r'^version = "([0-9.]+)"', "{version}", ALL),
    ("docs/guide/go.md", r"iip\.example/iip@v([0-9.]+)", "{version}", ALL),
    ("bindings/go/README.md", r"iip\.example/iip@v([0-9.]+)", "{version}", ALL),
    ("examples/c/README.md", r'"version": "([0-9.]+)"', "{version}", ALL),
    ("CHANGELOG.md", r"^## \[([0-9.]+)\]", "{version}", FIRST),
]  # fmt: skip


def names(version: str) -> dict[str, str]:
    major, minor, _ = version.split(".")
    return {"version": version, "major": major, "minor": minor, "abi": f"{major}.{minor}"}


def current() -> str:
    found = re.search(HOME[1], (ROOT / HOME[0]).read_text())
    if not found or found[1].count(".") != 2:
        sys.exit(f"{HOME[0]} says no version: project(iip VERSION 1.2.3)")
    return found[1]


def check(version: str) -> list[str]:
    wrong = []
    for file, pattern, form, which in PLACES:
        path, wanted = ROOT / file.format(**names(version)), form.format(**names(version))
        found = list(re.finditer(pattern, path.read_text(), re.M))[which] if path.is_file() else []
        if not found:
            wrong.append(f"{file.format(**names(version))}: says no version, or is not there")
        for match in found:
            if match[1] != wanted:
                line = match.string.count("\n", 0, match.start(1)) + 1
                wrong.append(f"{file}:{line}: {match[1]}, and should be {wanted}")
    return wrong


def write(old: str, new: str) -> None:
    for file, pattern, form, which in PLACES:
        path, to = ROOT / file.format(**names(old)), ROOT / file.format(**names(new))
        text, wanted = path.read_text(), form.format(**names(new))
        for match in reversed(list(re.finditer(pattern, text, re.M))[which]):
            text = text[: match.start(1)] + wanted + text[match.end(1) :]
        path.rename(to).write_text(text)


def main() -> int:
    match sys.argv[1:]:
        case []:
            print(current())
        case ["--set", new] if re.fullmatch(r"\d+\.\d+\.\d+", new):
            write(current(), new)
        case ["--check"]:
            wrong = check(current())
            print("\n".join(wrong) if wrong else f"version: {current()} in {len(PLACES)} places")
            return bool(wrong)
        case _:
            sys.exit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(main())

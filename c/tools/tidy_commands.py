#!/usr/bin/env python3
"""Prepares the compile commands of a build for clang-tidy, and prints the files to look at.

    tidy_commands.py BUILD OUTDIR

Files that CMake puts together into one unit get commands of their own. Generated files are left out, and so are tests:
they do on purpose what clang-tidy warns of.
"""

import json
import pathlib
import re
import sys


def files_of(entry):
    path = pathlib.Path(entry["file"])
    if "Unity" not in path.parts:
        return [str(path)]
    return re.findall(r'#include "(/[^"]+)"', path.read_text())


def main():
    build, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        for name in files_of(entry):
            command = entry["command"].replace(entry["file"], name)
            entries[name] = {"directory": entry["directory"], "file": name, "command": command}
    out.mkdir(exist_ok=True)
    (out / "compile_commands.json").write_text(json.dumps(list(entries.values()), indent=1))
    generated = str(build.resolve()) + "/"
    print("\n".join(sorted(name for name in entries if not name.startswith(generated) and "/c/tests/" not in name)))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes a module proxy of files from this checkout, as GOPROXY=file://DIRECTORY takes it.

    goproxy.py DIRECTORY [--version v0.9.0]

With it `go get iip.example/iip@v0.9.0` does what it will do once that version is published. What a tag of the repository
would not have is not in it either: modules below this one, and files that git does not know.
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys
import zipfile

MODULE = pathlib.Path(__file__).resolve().parent.parent
PATH = re.search(r"^module (\S+)", (MODULE / "go.mod").read_text()).group(1)


def release():
    tool = MODULE.parent.parent / "c/tools/version.py"
    return "v" + subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True).stdout.strip()


def files():
    """Those of the module, relative to it."""
    known = subprocess.run(["git", "ls-files", "-z"], cwd=MODULE, capture_output=True, text=True)
    if known.returncode == 0:
        names = [pathlib.PurePath(n) for n in known.stdout.split("\0") if n]
    else:  # not from git: all there is
        names = [p.relative_to(MODULE) for p in MODULE.rglob("*") if p.is_file()]
    names = [n for n in names if (MODULE / n).is_file()]
    others = [n.parent for n in names if n.name == "go.mod" and n.parent != pathlib.PurePath(".")]
    return sorted(n for n in names if not any(n.is_relative_to(other) for other in others))


def write(directory, version):
    versions = pathlib.Path(directory) / PATH / "@v"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / "list").write_text(version + "\n")
    time = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).isoformat()
    (versions / f"{version}.info").write_text(json.dumps({"Version": version, "Time": time}) + "\n")
    (versions / f"{version}.mod").write_text((MODULE / "go.mod").read_text())
    with zipfile.ZipFile(versions / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for name in files():
            out.write(MODULE / name, f"{PATH}@{version}/{name}")
    return versions


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory")
    parser.add_argument("--version", default=release())
    args = parser.parse_args()
    print(write(args.directory, args.version))


if __name__ == "__main__":
    main()

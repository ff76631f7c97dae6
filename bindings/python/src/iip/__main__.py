"""python -m iip: what the library can do here, and what it costs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import __version__, bench, probe
from ._ffi import ffi, lib


def capabilities() -> dict[str, object]:
    """Ports and features by name."""
    kinds: list[str] = []
    while (name := lib.iip_engine_kind(len(kinds))) != ffi.NULL:
        kinds.append(ffi.string(name).decode())
    features: list[str] = []
    while (name := lib.iip_feature_name(len(features))) != ffi.NULL:
        features.append(ffi.string(name).decode())
    return {
        "version": __version__,
        "ports": {kind: probe(f"port.{kind}") for kind in kinds},
        "features": {feature: probe(feature) for feature in features},
    }


def _bench(args: argparse.Namespace) -> int:
    rows = bench.run(args.c)
    if args.json:
        text = json.dumps([row._asdict() for row in rows], indent=2)
        if args.json == "-":
            print(text)
            return 0
        Path(args.json).write_text(text + "\n", encoding="utf-8")
    for row in rows:
        beside = f"   {row.ratio:.2f} of {row.peer}" if row.ratio is not None else ""
        print(f"{row.row:28} {row.value:14,.1f} {row.unit}{beside}")
    return 0


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m iip", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    caps = commands.add_parser("caps", help="ports and features")
    caps.add_argument("--json", action="store_true", help="on one line")
    costs = commands.add_parser("ffi-bench", help="what a crossing costs, and what the layers reach")
    costs.add_argument("--json", metavar="FILE", help="the rows as a JSON array, too; -: that alone, shown")
    costs.add_argument("--c", metavar="FILE", help="iip_load in C (build/release/examples/c), for ratios")
    args = parser.parse_args(words)
    if args.command == "ffi-bench":
        return _bench(args)
    print(json.dumps(capabilities(), indent=None if args.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

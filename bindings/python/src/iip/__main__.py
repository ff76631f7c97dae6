"""python -m iip: what the library can do here, and what it costs."""

from __future__ import annotations

import argparse
import json
import sys

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


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m iip", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (("caps", "ports and features"), ("ffi-bench", "what a crossing costs")):
        commands.add_parser(name, help=about).add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args(words)
    result = capabilities() if args.command == "caps" else bench.run()
    if args.json:
        print(json.dumps(result))
    elif args.command == "caps":
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:44} {value:12,.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""`go get` as if this version were published: from a module proxy of files, into a fresh module outside of the checkout.

    module_test.py                        the libiip that the module carries
    module_test.py --system PREFIX        the one that is installed below PREFIX, by -tags iip_system
    ... --plugins DIRECTORY               libiip_dpdk lies there, and must be found

The program that it builds is the quick-start; a second one says whose libiip it has, and whether that opens dpdk: ports.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "tools"))
import goproxy  # noqa: E402

LIMIT_S = 400
WHOSE = """package main

import (
	"fmt"

	iip "iip.example/iip"
)

func main() { fmt.Println(iip.Version(), iip.Vendored, iip.Probe("port.dpdk")) }
"""


def environment(directory, prefix, plugins):
    """Modules of its own, so that none of an earlier checkout is taken; others come from the usual places."""
    go = lambda name: subprocess.run(["go", "env", name], capture_output=True, text=True, check=True).stdout.strip()  # noqa: E731
    places = [f"file://{directory}/proxy", f"file://{go('GOMODCACHE')}/cache/download", go("GOPROXY") or "direct"]
    env = dict(os.environ, GOPROXY=",".join(places), GONOSUMDB=goproxy.PATH, GOFLAGS="-mod=mod -modcacherw -buildvcs=false",
               GOMODCACHE=f"{directory}/modules", GOWORK="off", IIP_PLUGIN_PATH=plugins)
    if prefix:
        lib = next(pathlib.Path(prefix).resolve().rglob("iip.pc")).parent.parent
        env |= {"PKG_CONFIG_PATH": f"{lib}/pkgconfig", "LD_LIBRARY_PATH": str(lib)}
    return env


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--system", metavar="PREFIX")
    parser.add_argument("--plugins", metavar="DIRECTORY", default="")
    args = parser.parse_args()
    prefix = args.system
    version = goproxy.release()
    tags = ["-tags", "iip_system"] if prefix else []
    with tempfile.TemporaryDirectory() as directory:
        env = environment(directory, prefix, args.plugins)
        goproxy.write(f"{directory}/proxy", version)
        app = pathlib.Path(directory) / "app"
        shutil.copytree(HERE / "quickstart", app)
        (app / "whose").mkdir()
        (app / "whose/main.go").write_text(WHOSE)

        def go(*args):
            done = subprocess.run(["go", *args], cwd=app, env=env, capture_output=True, text=True, timeout=LIMIT_S)
            print("go", *args, "\n" + done.stderr + done.stdout, end="")
            if done.returncode:
                sys.exit(f"it ended with {done.returncode}")
            return done.stdout

        go("mod", "init", "example")
        go("get", f"{goproxy.PATH}@{version}")
        whose = go("run", *tags, "./whose").split()
        if whose[:2] != [version[1:], "false" if prefix else "true"]:
            sys.exit(f"{whose}: the program has another libiip than it should have")
        if args.plugins and whose[2] != "true":
            sys.exit(f"the plug-in in {args.plugins} was not found")
        if "200 OK: hello" not in go("run", *tags, "."):
            sys.exit("the quick-start says something else")


if __name__ == "__main__":
    main()

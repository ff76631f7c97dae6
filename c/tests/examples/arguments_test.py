#!/usr/bin/env python3
"""What the examples say to arguments that cannot be understood: exit code 2 and one line with the value and the remedy.

    arguments_test.py DIRECTORY      where the programs are, in whichever language; iip_embed is one of C only
"""

import pathlib
import subprocess
import sys

LIMIT_S = 30
ADDR = ("--addr", "10.0.0.2/24", "--port", "pair:arguments", "--duration", "0.1")
CONNECT = (*ADDR, "--connect", "10.0.0.1:7")

# program, the words that the line must have, arguments
WRONG = (
    ("iip_echo", ("-xy", "--help"), ("-xy",)),
    ("iip_echo", ("-x:", "--help"), ("--addr", "10.0.0.2/24", "-x:")),
    ("iip_echo", ("--bogus", "--help"), ("--bogus=3",)),
    ("iip_echo", ("bogus", "--help"), ("bogus",)),
    ("iip_echo", ("--addr", "needs a value"), ("--addr",)),
    ("iip_echo", ("--add", "--help"), ("--add", "10.0.0.2/24")),  # names are taken whole
    ("iip_echo", ("'0x10'", "seconds"), (*ADDR, "--duration", "0x10")),
    ("iip_echo", ("--help=1", "takes no value"), ("--help=1",)),
    ("iip_http", ("--self-test=1", "takes no value"), (*ADDR, "--self-test=1")),
    ("iip_http", ("--self-test", "tap:x", "pair:"), ("--self-test", "--port", "tap:x")),
    ("iip_load", ("--self", "tap:x", "pair:"), ("--self", "--port", "tap:x")),
    ("iip_http", ("--listen", "' 80'", "65535"), (*ADDR, "--listen", " 80")),
    ("iip_load", ("--count", "' -5'", "number"), (*CONNECT, "--count", " -5")),
    ("iip_load", ("--path", "'a b'", "/bytes/1000"), (*CONNECT, "--mode", "http", "--path", "a b")),
    ("iip_load", ("--path", "'/a\n'", "/bytes/1000"), (*CONNECT, "--mode", "http", "--path", "/a\n")),
    ("iip_echo", ("--stats-json", "'/nonexistent/x'", "No such"), (*ADDR, "--stats-json", "/nonexistent/x")),
    ("iip_echo", ("--stats-json", "''"), (*ADDR, "--stats-json", "")),
    ("iip_echo", ("aaa", "no kind of port", "tap:iip0"), ("--addr", "10.0.0.2/24", "--port", "a" * 100000)),
    ("iip_echo", ("aaa", "at most 15"), ("--addr", "10.0.0.2/24", "--port", "tap:" + "a" * 100000)),
    ("iip_echo", ("aaa", "is not key=value"), ("--addr", "10.0.0.2/24", "--port", "tap:x," + "a" * 100000)),
    ("iip_echo", ("aaa", "is not key=value"), ("--addr", "10.0.0.2/24", "--port", "tap:x,mtu=" + "a" * 100000)),
    ("iip_echo", ("aaa", "use at most"), ("--addr", "10.0.0.2/24", "--port", "pcap:" + "/aaa" * 800)),
    ("iip_echo", ("111", "write 10.0.0.1/24"), ("--port", "pair:arguments", "--addr", "1" * 5000)),
    ("iip_embed", ("toolongnameofadevice",), ("toolongnameofadevice", "10.0.0.2")),
    *(("iip_echo", (f"tap:{name}", "an interface name has no"), ("--addr", "10.0.0.2/24", "--port", f"tap:{name}"))
      for name in (".", "..", "a:b", "a/b", "a b", "a\tb", "a\nb", "%d", "%s%n")),
)


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    here = [case for case in WRONG if case[0] != "iip_embed" or (programs / "iip_embed").exists()]
    for program, words, args in here:
        try:
            done = subprocess.run([programs / program, *args], capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            print("FAIL", program, [a[:40] for a in args], "did not end")
            failed += 1
            continue
        line = done.stderr
        quoted = [w.strip("'") if w.strip("'") in line else w for w in words]
        if done.returncode != 2 or len(line) > 600 or any(w not in line for w in quoted) or done.stdout:
            print("FAIL", program, [a[:40] for a in args], done.returncode, done.stdout, line[:300])
            failed += 1
    print(f"{len(here) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

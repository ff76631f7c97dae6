#!/usr/bin/env python3
"""The flags of the examples in C and in another language are the same: --help, what is taken, and what is said to mistakes.

    flags_test.py C_DIRECTORY OTHER_DIRECTORY      where the programs are

What is tried is made from --help: each flag with good, odd and wrong values, with none, with one that it does not take,
shortened, twice. Where C refuses, the other has to say the same on standard error, with exit code 2; where C runs, it runs.
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

LIMIT_S = 60
SOON = ("--addr", "10.0.0.2/24", "--duration", "0.2")
RUN = {
    "iip_load": ("--self", "--count", "2", *SOON),
    "iip_echo": ("--port", "pair:flags", *SOON),
    "iip_udp_echo": ("--port", "pair:flags", *SOON),
    "iip_http": ("--self-test", "--requests", "2", *SOON),
}
NUMBERS = ("1", "01", "0", "-1", "+1", " 1", "1 ", "", "x", "1x", "0x10", "1_0", "1e3", "1.0", "65", "65535", "65536",
           "18446744073709551615", "18446744073709551616", "99999999999999999999999999", "١")
SECONDS = ("1", "0", "-0", "22.5", ".5", "55.", "5e1", "1e-3", "1E0", "+1", "-1", " 1", "1 ", "", "x", "1x", "1,5", "0x10",
           "0x1p-2", "inf", "Infinity", "nan", "NaN", "1_0", "1e9", "1e400", "1e-400", "999999999.5", "1e")
TEXTS = {
    "port": ("", "pair", "pair:", ":", "nonsense:x", "tap:" + "x" * 40, "tap:a/b", "sim:seed=x", "sim:none=1"),
    "addr": ("", "x", "10.0.0.2", "10.0.0.2/33", "10.0.0.2/", "fd00::2/129", "10.0.0.256/24", "10.0.0.2/24 "),
    "gateway": ("", "x", "10.9.9.9", "fd00::1", "10.0.0.1"),
    "set": ("", "x", "=", "none=1", "tcp.mss=", "tcp.mss=x", "tcp.mss=1000", "tcp.mss=1000000000"),
    "stats-json": ("", "/nonexistent/x", ".", "/dev/null/x"),
    "pcap": ("", "/nonexistent/x", "."),
    "model": ("", "x", "Unified", "unified", "split", "merge", "unified "),
    "root": ("", "/nonexistent/x", "/dev/null", "/"),
    "connect": ("", "x", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", ":7", "[fd00::1]:", "name:7", "10.0.0.1:7x"),
    "mode": ("", "x", "pp", "send", "PP", "http"),
    "path": ("", "x", "/", "/a b", "/" + "x" * 400),
    "conns": ("", "0", "1", "1000001", "x"),
}


def options(help_text):
    """[(name, placeholder or "")]"""
    return re.findall(r"^  --(\S+)(?: (\S+))? {2,}\S", help_text, re.M)


def values(name, placeholder):
    if name in TEXTS:
        return TEXTS[name]
    if name.endswith("-timeout"):  # so much time that the program can run
        return [text for text in SECONDS if text not in ("0", "-0", "1e-3", "1e-400", ".5", "1E0", "1", "+1")]
    return SECONDS if placeholder == "S" else NUMBERS


def attempts(program, flags, tried):
    """What is tried: the words of a command line. The values of a flag that all programs have are tried in one of them."""
    run = RUN[program]
    yield from (("-h",), ("--help",), ("--help=1",), ("--help", "x"), ("-x",), ("-hx",), ("-h=1",), ("--",), ("-",), ("---",),
                ("--=",), ("--=1",), ("x",), ("-1",), ("",), ("--", "--addr"), ("--", "x"), (*run, "--"), (*run, "x"), ())
    for name, placeholder in flags:
        flag, also = f"--{name}", () if name == "port" else ("--port", "pair:flags")
        shorter = (flag[:-1], flag[:-1] + "=1", flag.upper(), f"-{name}", f" {flag}", f"{flag} 1", f"--no-{name}", f"{flag}x")
        yield from ((*also, word, "1") for word in shorter)
        yield from ((*also, flag), (*run, flag), (*also, f"{flag}="))
        if not placeholder:
            yield from ((f"{flag}=1",), (flag, flag, "x"))
            continue
        yield (*also, flag, "--addr", "10.0.0.2/24")
        for value in values(name, placeholder) if name not in tried else ():
            if name in ("connect", "mode", "path"):
                yield (*also, *SOON, "--mode", "http", flag, value)
            yield (f"{flag}={value}", *(run if name != "root" else RUN["iip_echo"]))


def run_one(directory, program, words):
    with tempfile.TemporaryDirectory(prefix="iip-flags-") as here:  # --pcap and --stats-json may make a file
        try:
            done = subprocess.run([directory / program, *words], capture_output=True, text=True, timeout=LIMIT_S, cwd=here)
        except subprocess.TimeoutExpired:
            return "it did not end", "", ""
    return done.returncode, done.stderr, done.stdout


def compare(c, other, program, words):
    """None, or what is not the same."""
    ours, theirs = (run_one(directory, program, words) for directory in (c, other))
    told = ours[0] == 2 or words in (("--help",), ("-h",))
    if ours[0] not in (0, 1, 2) or ours[0] != theirs[0] or told and ours != theirs:
        return f"{program} {[w[:60] for w in words]}:\n    C: {ours!r}\n    not: {theirs!r}"
    return None


def main():
    c, other = (pathlib.Path(d).resolve() for d in sys.argv[1:3])
    passed, failed, known = 0, 0, set()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for program in RUN:
            flags = options(run_one(c, program, ("--help",))[2])
            assert len(flags) > 10, flags
            every = list(dict.fromkeys(attempts(program, flags, known)))
            known.update(name for name, _ in flags)
            for said in pool.map(lambda words: compare(c, other, program, words), every):
                if said:
                    print("FAIL", said)
                failed += bool(said)
                passed += not said
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

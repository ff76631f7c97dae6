#!/usr/bin/env python3
"""Breaks each defence of the core on purpose, and sees a test fail.

    attacks.py [--list] [ATTACK...]     all, or those named: A17 A25

Defences stand in c/tests/attacks.txt. Each is broken in a copy of the core below build/attacks, which is built with
AddressSanitizer and UndefinedBehaviorSanitizer; then the tests that say `covers:` of the attack run, and one of them has
to fail. So what docs/conformance.md says about an attack is true. About ten seconds a defence; exit code 1 when a test is
missing, or when a line of attacks.txt is no longer in its file.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import conformance  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "attacks"
TABLE = ROOT / "c" / "tests" / "attacks.txt"
PARTS = ("CMakeLists.txt", "c", "docs/conformance")
TEST_S = 120  # no test takes that long; a broken core may hang
COMMENT = r"/\*.*?\*/"


class Defence:
    def __init__(self, attack, file, what):
        self.attack, self.file, self.what = attack, file, what
        self.old = self.new = ""

    def __str__(self):
        return f"{self.attack} {self.file}: {self.what}"

    def broken(self, text):
        """The file without the defence; None: the line is not there, or more than once."""
        words = re.sub(COMMENT, " ", self.old).split()
        found = list(re.finditer(rf"(?:\s|{COMMENT})+".join(map(re.escape, words)), text, re.S))
        if len(found) != 1:
            return None
        return text[:found[0].start()] + self.new + text[found[0].end():]


def read_table():
    defences = []
    for number, line in enumerate(TABLE.read_text(encoding="utf-8").splitlines(), 1):
        head = re.fullmatch(r"(A\d\d) (\S+): (.+)", line)
        if head:
            defences.append(Defence(*head.groups()))
        elif line[:2] == "- ":
            defences[-1].old = line[2:]
        elif line[:2] == "+ ":
            defences[-1].new = line[2:]
        elif line and line[0] != "#":
            sys.exit(f"{TABLE.name}:{number}: neither a defence nor a line of one: {line}")
    return defences


# ---- the copy ----


def copy_sources():
    """Files that are as they were stay, so that little is built anew."""
    for part in PARTS:
        for path in [ROOT / part] if (ROOT / part).is_file() else sorted((ROOT / part).rglob("*")):
            to = WORK / "src" / path.relative_to(ROOT)
            if path.is_file() and "__pycache__" not in path.parts:
                if not to.exists() or to.read_bytes() != path.read_bytes():
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, to)


def configure():
    subprocess.run(["cmake", "-G", "Ninja", "-S", WORK / "src", "-B", WORK / "build", "-DIIP_CORE_ONLY=ON",
                    "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS=-O1", "-DIIP_SANITIZE=address,undefined"],
                   check=True, stdout=subprocess.DEVNULL)


def build(targets=()):
    """What the compiler says if it does not compile."""
    run = subprocess.run(["cmake", "--build", WORK / "build", "-j", str(os.cpu_count()),
                          *(["--target", *targets] if targets else [])],
                         capture_output=True, text=True)
    return None if run.returncode == 0 else run.stdout[-3000:]


# ---- the tests ----


def all_tests():
    """Name to the program that runs it."""
    text = subprocess.run(["ctest", "--test-dir", WORK / "build", "--show-only=json-v1"], check=True,
                          capture_output=True, text=True).stdout
    return {test["name"]: pathlib.Path(test["command"][0]).name for test in json.loads(text)["tests"]
            if test.get("command") and not re.search(r"^sim\.twice$", test["name"])}


def name_of(path):
    """The test that a file of c/tests is."""
    parts = path.relative_to(ROOT / "c" / "tests").with_suffix("").parts
    if parts[0] == "sim":
        return "sim.seeds"
    return ".".join(parts).removesuffix("_test")


def failing(tests):
    report = WORK / "report.xml"
    report.unlink(missing_ok=True)
    subprocess.run(["ctest", "--test-dir", WORK / "build", "-R", "^(" + "|".join(map(re.escape, tests)) + ")$", "-j",
                    str(os.cpu_count()), "--timeout", str(TEST_S), "--output-junit", report], capture_output=True)
    cases = xml.etree.ElementTree.parse(report).getroot().iter("testcase")
    return sorted(case.get("name") for case in cases if case.get("status") != "run")


def try_defence(defence, tests, covering):
    """Whether a test fails without it."""
    path = WORK / "src" / "c" / "core" / "src" / defence.file
    text = path.read_text(encoding="utf-8")
    broken = defence.broken(text)
    if broken is None:
        print(f"STALE {defence}: the line does not stand once in the file")
        return False
    path.write_text(broken, encoding="utf-8")
    try:
        why = build(sorted({tests[name] for name in covering}))
        if why:
            print(f"STALE {defence}: does not compile\n{why}")
            return False
        failed = failing(covering)
        if failed:
            print(f"ok    {defence}: {', '.join(failed)}", flush=True)
            return True
        build(sorted(set(tests.values())))
        print(f"FAIL  {defence}: no test of {defence.attack} fails; others: {', '.join(failing(list(tests))) or 'none'}",
              flush=True)
        return False
    finally:
        path.write_text(text, encoding="utf-8")


# ---- all ----


def missing(defences):
    """Attacks without a defence that could be broken, but for those that are deviations."""
    with open(ROOT / "docs" / "conformance" / "deviations.csv", newline="", encoding="utf-8") as file:
        excused = {row["id"] for row in csv.DictReader(file)}
    known = {row["id"] for row in conformance.rows("attacks.csv")}
    return sorted(known - excused - {defence.attack for defence in defences})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("attacks", nargs="*", metavar="ATTACK")
    args = parser.parse_args()
    defences = read_table()
    unknown = set(args.attacks) - {defence.attack for defence in defences}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: no such attack; --list says which there are")
    without = missing(defences)
    for attack in without:
        print(f"FAIL  {attack}: no defence is named in {TABLE.name}")
    chosen = [defence for defence in defences if not args.attacks or defence.attack in args.attacks]
    if args.list:
        print(*chosen, sep="\n")
        return 1 if without else 0
    copy_sources()
    configure()
    why = build()
    tests, covers = all_tests(), conformance.tests()
    bad = why or failing(list(tests))
    if bad:
        print(f"nothing can be shown: without any change this fails: {bad}")
        return 1
    good = 0
    for defence in chosen:
        covering = [name for name in map(name_of, covers.get(defence.attack, [])) if name in tests]
        good += bool(covering) and try_defence(defence, tests, covering)
        if not covering:
            print(f"FAIL  {defence}: no test of the core covers {defence.attack}")
    print(f"{good} passed, {len(chosen) - good + len(without)} failed")
    return 0 if good == len(chosen) and not without else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""
Of a ctest report (--output-junit FILE):

    junit.py FILE                how many tests passed, failed and were skipped
    junit.py FILE --failed STEP  what those that failed said, of which step: the last lines of each

Skipped is a test that said so by its exit code, or that is disabled; one whose program is missing failed.
"""

import sys
import xml.etree.ElementTree

LINES = 60  # of each test


def outcome(case):
    reason = case.find("skipped")
    if case.get("status") == "run":
        return "passed"
    if case.get("status") == "disabled" or (reason is not None and reason.get("message", "").startswith("SKIP_")):
        return "skipped"
    return "failed"


def main():
    cases = list(xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
    if sys.argv[2:3] != ["--failed"]:
        print(*(sum(outcome(case) == which for case in cases) for which in ("passed", "failed", "skipped")))
        return
    for case in cases:
        if outcome(case) == "failed":
            print(f"-- {sys.argv[3]}: {case.get('name')}, after {float(case.get('time')):.1f} s:")
            print("\n".join((case.findtext("system-out") or "(it said nothing)").splitlines()[-LINES:]))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Prints how many tests of a ctest report (--output-junit FILE) passed, failed and were skipped."""

import sys
import xml.etree.ElementTree


def main():
    cases = list(xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"))
    passed = sum(case.get("status") == "run" for case in cases)
    skipped = sum(case.get("status") in ("notrun", "disabled") for case in cases)
    print(passed, len(cases) - passed - skipped, skipped)


if __name__ == "__main__":
    main()

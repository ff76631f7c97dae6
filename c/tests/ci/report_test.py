#!/usr/bin/env python3
"""c/tools/junit.py: what ci/test counts, and what it repeats at its end, of tests of every outcome."""

import pathlib
import subprocess
import sys
import tempfile

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "junit.py"
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(outcomes NONE)
enable_testing()
add_test(NAME passes COMMAND sh -c "echo fine")
add_test(NAME fails COMMAND sh -c "seq 1 100; exit 1")
add_test(NAME says_nothing COMMAND sh -c "exit 1")
add_test(NAME skips COMMAND sh -c "echo cannot; exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME has_no_program COMMAND /nonexistent/program)
"""


def main():
    with tempfile.TemporaryDirectory() as top:
        (pathlib.Path(top) / "CMakeLists.txt").write_text(PROJECT)
        subprocess.run(["cmake", "-S", top, "-B", f"{top}/build"], check=True, capture_output=True)
        subprocess.run(["ctest", "--test-dir", f"{top}/build", "--output-junit", "report.xml"], capture_output=True)
        counts, failed = (subprocess.run([sys.executable, TOOL, f"{top}/build/report.xml", *flags], check=True,
                                         capture_output=True, text=True).stdout for flags in ((), ("--failed", "step")))
    assert counts == "1 3 1\n", counts
    lines = failed.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("--")] == [
        "-- step: fails", "-- step: says_nothing", "-- step: has_no_program"], failed
    assert lines[1:61] == [str(n) for n in range(41, 101)], failed
    assert "(it said nothing)" in lines and "fine" not in lines and "cannot" not in lines, failed
    assert "/nonexistent/program" in lines[-1], failed
    print("counts and output: as they were")


if __name__ == "__main__":
    sys.exit(main())

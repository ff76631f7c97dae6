#!/usr/bin/env python3
"""c/bench/bindings.py: the table from a sample of what the benches write; what it says of rows that are not there."""

import copy
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench"))

import bindings  # noqa: E402
import callgrind  # noqa: E402

SAMPLE = json.loads("""{
"rust": [{"row": "nop (iip_abi_version)", "value": 2.6, "unit": "ns", "ratio": null, "peer": null},
    {"row": "native loop", "value": 3400, "unit": "instructions", "ratio": 1.02, "peer": "C, c/bench/loop.c",
        "low": 1.01, "high": 1.04},
    {"row": "crossings per turn", "value": 1, "unit": "calls", "ratio": null, "peer": null}],
"go": [{"row": "native loops", "value": 9e5, "unit": "answers/s", "ratio": null, "peer": null},
    {"row": "native loops", "value": 9e5, "unit": "answers/s", "ratio": 0.84, "peer": "C"},
    {"row": "iipnet net.Conn", "value": 2e5, "unit": "answers/s", "ratio": 2.5, "peer": "gonet"},
    {"row": "iipnet net.Conn", "value": 2e5, "unit": "answers/s", "ratio": 3.5, "peer": "Go's net over loopback"},
    {"row": "crossings per turn", "value": 1.5, "unit": "crossings", "ratio": null, "peer": null}],
"python": [{"row": "native loop, columns", "value": 4e5, "unit": "requests/s", "ratio": 0.2, "peer": "the C example"},
    {"row": "native loop, objects", "value": 2e5, "unit": "requests/s", "ratio": 0.1, "peer": "the C example"},
    {"row": "asyncio streams", "value": 5e4, "unit": "requests/s", "ratio": 2.1, "peer": "asyncio over loopback"},
    {"row": "crossings per turn", "value": 1, "unit": "calls", "ratio": null, "peer": null}]
}""")


def failure(found, skipped=()):
    try:
        bindings.collect(found, dict(skipped))
    except bindings.Failed as error:
        return str(error)
    return ""


def verdicts():
    table = bindings.collect(SAMPLE, {})
    words = [(row["binding"], row["ours"], row["verdict"]) for row in table]
    assert words == [
        ("rust", 1.02, "reached"), ("go", 0.84, "missed"), ("go", 2.5, "reached"), ("go", 3.5, "reached"),
        ("python", 0.2, "reached"), ("python", 0.1, "reached"), ("python", 2.1, "reached"),
        ("rust", 1, "reached"), ("go", 1.5, "missed"), ("python", 1, "reached")], words  # fmt: skip
    lines = bindings.markdown(table).splitlines()
    assert len(lines) == 2 + len(table) and {text.count("|") for text in lines} == {6}, lines
    assert "| × 1.020 (1.010 to 1.040); 3,400 instructions | ≤ × 1.03 |" in lines[2], lines[2]


def missing():
    """Each row that is wanted, left out: an error that names it. Not so when the binding was skipped."""
    for wanted in bindings.WANTED:
        found = copy.deepcopy(SAMPLE)
        found[wanted.binding].remove(bindings.pick(wanted, found[wanted.binding]))
        said = failure(found)
        assert wanted.binding in said and wanted.row in said, said
    assert "rust" in failure({name: rows for name, rows in SAMPLE.items() if name != "rust"})
    rest = {name: rows for name, rows in SAMPLE.items() if name != "go"}
    table = bindings.collect(rest, {"go": "no Go was found", "gonet": "not given"})
    assert [row["verdict"] for row in table if row["binding"] == "go"] == ["skipped: no Go was found"] * 4, table
    rest["go"] = [row for row in SAMPLE["go"] if row["peer"] != "gonet"]
    table = bindings.collect(rest, {"gonet": "no proxy"})
    assert [row["verdict"] for row in table if row["verdict"].startswith("skipped")] == ["skipped: no proxy"], table


def benches():
    """What a bench writes is read; one that fails is an error with what it said."""
    script = "import sys; open(sys.argv[1], 'w').write('[{\"row\": \"nop\"}]')"
    assert bindings.bench([sys.executable, "-c", script]) == [{"row": "nop"}]
    try:
        bindings.bench([sys.executable, "-c", "import sys; sys.exit('wrong bytes')"])
    except bindings.Failed as error:
        assert "exit code 1" in str(error) and "wrong bytes" in str(error), error
    else:
        raise AssertionError("a bench that fails is no error")


def calls():
    """Crossings are calls from the language; those within libiip are none."""
    seen = {("iip::turn::Loop::turn", "iip_loop_turn"): 10, ("iip::x", "iip_stack_y"): 5, ("iip_loop_turn", "iip_tcp"): 99}
    assert bindings.crossings(callgrind.Counts(0, {}, seen)) == 1.5


def main():
    for check in (verdicts, missing, benches, calls):
        check()
    print("the table of the bindings: as it should be")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs what README.md says: the program that it shows is the one that its commands run, and they print what it says.

    readme.py README.md [SECTION...]     from the root of the checkout; all sections with commands without arguments

    readme.py --write README.md          puts the programs into README.md
"""
import pathlib
import re
import subprocess
import sys

BLOCK = re.compile(r"```(lua|java|perl)\n(.*?)```\n", re.S)


def program(section):
    name = re.search(r"\[quickstart/([\w.]+)\]", section).group(1)
    return (readme.parent / "quickstart" / name).read_text()


def run(title, section):
    assert BLOCK.search(section).group(2) == program(section), f"{title}: the program is not the one that is run"
    commands = re.search(r"```sh\n(.*?)```", section, re.S).group(1).strip().split("\n")
    says = re.search(r"It prints `(.*?)`", section).group(1)
    for command in commands:
        done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{title}: {command}\n{done.stdout}"
    assert done.stdout.strip() == says, f"{title}: printed {done.stdout!r}"
    print(f"{title}: {len(commands)} commands, printed {says}")


arguments = [a for a in sys.argv[1:] if a != "--write"]
readme = pathlib.Path(arguments[0])
sections = re.split(r"^## ", readme.read_text(), flags=re.M)
if "--write" in sys.argv:
    sections = [BLOCK.sub(lambda m: f"```{m[1]}\n{program(s)}```\n", s) for s in sections]
    readme.write_text("## ".join(sections))
else:
    for section in sections[1:]:
        title = section.split("\n")[0]
        if "```sh" in section and (not arguments[1:] or title in arguments[1:]):
            run(title, section)

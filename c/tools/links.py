#!/usr/bin/env python3
"""Every link in a page leads somewhere, and every page of docs/ can be reached from docs/README.md.

    links.py    exit code 1, and a line for each link that leads nowhere and each page that none leads to
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START = pathlib.Path("docs/README.md")
BUILT = {"build", "target", "node_modules", ".git"}  # what is below them is not ours
ELSEWHERE = ("https://", "http://", "mailto:")


def prose(page):
    return re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.S | re.M)


def anchors(page):
    """The names that the headings of a page have, as they are shown on the web."""
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def links(page):
    """(link, file it names, heading it names) of each link within the project."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not link.startswith(ELSEWHERE):
            file, _, heading = link.partition("#")
            yield link, (ROOT / page.parent / file).resolve() if file else ROOT / page, heading


def problems(pages):
    reached, ahead = set(), [START]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead += [to for _, file, _ in links(page) if (to := relative(file)) in pages and to not in reached]
    for page in pages:
        for link, file, heading in links(page):
            if not file.exists():
                yield f"{page}: {link}: there is no such file"
            elif heading and heading not in anchors(relative(file)):
                yield f"{page}: {link}: there is no such heading"
        if page.parts[0] == "docs" and page not in reached and page.name != "0000-template.md":
            yield f"{page}: no link from {START} leads to it"


def relative(file):
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def main():
    found = [file.relative_to(ROOT) for file in ROOT.rglob("*.md")]
    pages = {page for page in found if not BUILT.intersection(page.parts)}
    found = sorted(problems(pages))
    print("\n".join(found) or f"{len(pages)} pages: every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The fields of the structures of <iip/iip.h> as rows that the C compiler fills with their offsets and sizes.

    layout.py IIP.H layout_rows.inc
"""
import pathlib
import re
import sys

text = re.sub(r"/\*.*?\*/", "", pathlib.Path(sys.argv[1]).read_text(), flags=re.S)
rows = []
for name, body in re.findall(r"^struct (iip_\w+) \{(.*?)^\};", text, flags=re.S | re.M):
    rows.append(f'    {{"{name}", NULL, 0, sizeof(struct {name})}},\n')
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        for item in declaration.split(","):
            field = re.sub(r"\[.*", "", item).split()[-1].lstrip("*")
            size = f"sizeof(((struct {name} *)0)->{field})"
            rows.append(f'    {{"{name}", "{field}", offsetof(struct {name}, {field}), {size}}},\n')
pathlib.Path(sys.argv[2]).write_text("".join(rows))

#!/usr/bin/env python3
"""Prints the layout table of iip-sys: a row for each structure in bindgen's output and for each of its fields."""

import re
import sys


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    print("// Generated from bindings.rs by bindings/rust/tools/layout.py. Do not edit.")
    print("use crate::{bindings as b, Layout};")
    print("const fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize { core::mem::size_of::<F>() }")
    print("pub(crate) static ROWS: &[Layout] = &[")
    for name, body in re.findall(r"pub struct (iip_\w+) \{(.*?)\n\}", text, re.S):
        if "_unused" in body:
            continue
        print(f'Layout {{ name: "{name}", field: None, offset: 0, size: core::mem::size_of::<b::{name}>() }},')
        for field in re.findall(r"pub (\w+):", body):
            print(f'Layout {{ name: "{name}", field: Some("{field.rstrip("_")}"), '
                  f"offset: core::mem::offset_of!(b::{name}, {field}), "
                  f"size: size_of_field(|s: &b::{name}| &s.{field}) }},")
    print("];")


if __name__ == "__main__":
    main()

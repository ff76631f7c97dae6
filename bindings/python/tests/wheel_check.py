#!/usr/bin/env python3
"""
Run by ci/test-python with the interpreter of a fresh environment, away from the checkout: all comes from the wheel.

    wheel_check.py ENVIRONMENT      77: the wheel was built without DPDK, all else is right
"""

import os
import pathlib
import sys

import iip
from iip import EventType


def mapped(name: str) -> list[pathlib.Path]:
    """Where the library of that name, which this process has loaded, is."""
    lines = pathlib.Path("/proc/self/maps").read_text().split("\n")
    return sorted({pathlib.Path(line.split(maxsplit=5)[5]) for line in lines if f"/{name}" in line})


def all_from(environment: pathlib.Path, name: str) -> None:
    found = mapped(name)
    assert found, f"{name} is not loaded"
    assert all(path.is_relative_to(environment) for path in found), f"{name} comes from {found}"


def sends_and_receives(port: str) -> None:
    """A ring in DPDK gives back what was sent: our own question for the neighbour's address, at least."""
    with iip.Engine(port, "10.0.0.1/24") as engine, engine.loop() as loop:
        loop.connect(("10.0.0.2", 7))
        for _ in range(1000):
            assert not any(event.type == EventType.CONNECTED for event in loop.turn(0.01))
            if loop.stats()["rx_packets"] and loop.stats()["tx_packets"]:
                return
    raise AssertionError(f"{port}: nothing came back")


def main() -> int:
    environment = pathlib.Path(sys.argv[1]).resolve()
    assert pathlib.Path(iip.__file__).is_relative_to(environment), iip.__file__
    assert "IIP_PLUGIN_PATH" not in os.environ
    all_from(environment, "libiip.so")
    if not (pathlib.Path(iip.__file__).parent / "libiip_dpdk.so").exists():
        print("the wheel is without the DPDK plug-in: libdpdk-dev was not there when it was built")
        return 77
    sends_and_receives("dpdk:net_ring0")
    all_from(environment, "libiip_dpdk.so")
    print("libiip and the DPDK plug-in are those of the wheel")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Prints the table at the end of ci/demo and checks the account of packets; exit code 1 when it does not close."""

import argparse
import json
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stats")
    parser.add_argument("--port", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--kernel-rx", type=int, required=True, help="packets that the kernel received from us")
    args = parser.parse_args()
    with open(args.stats) as file:
        stats = json.load(file)
    counters = stats["counters"]
    drops = {name: n for name, n in counters.items() if name.startswith("drop_") and n}
    rows = [
        ("port", stats.get("port", args.port)),
        ("address", args.address),
        ("requests", stats["requests"]),
        ("requests/s", args.rate),
        ("retransmits", counters["tcp_retrans"]),
        ("drops", ", ".join(f"{name[5:]} {n}" for name, n in sorted(drops.items())) or "none"),
    ]
    received, delivered, held = counters["rx_packets"], counters["rx_delivered"], counters["rx_held"]
    dropped = sum(drops.values())
    sent = counters["tx_packets"]
    lost = sent - args.kernel_rx
    rows.append(("received", f"{received} = {delivered} delivered + {dropped} dropped + {held} held"))
    rows.append(("sent", f"{sent} = {args.kernel_rx} received by the kernel + {lost} lost on the wire"))
    print()
    for name, value in rows:
        print(f"{name:12} {value}")
    closed = received == delivered + dropped + held and lost == 0
    print(f"{'account':12} {'closes' if closed else 'DOES NOT CLOSE'}")
    return 0 if closed else 1


if __name__ == "__main__":
    sys.exit(main())

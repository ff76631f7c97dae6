#!/usr/bin/env python3
"""UDP echo server: each datagram goes back to where it came from, from the address that it was sent to."""

import iip
from iip import EventFlag, EventType

from iip_example import Parser, Run, run, say_ready


def main() -> int:
    parser = Parser("iip_udp_echo", "UDP echo server", listen=7)
    args = parser.parse_args()
    counted = Run("iip_udp_echo", args)
    with iip.Engine(**parser.engine_options(args)) as engine, engine.loop() as loop:
        endpoint = loop.udp(("", args.listen))
        say_ready(args.addr[0] if args.addr else "*", args.listen)
        counted.count("refused", 0)
        pieces: list[bytes] = []
        sent: list[int] = []
        while counted.goes_on(loop):
            batch = loop.turn(0.1)
            counted.count("refused", sum(loop.result(i)[1] < 0 for i in sent) if batch.op_short else 0)
            sent.clear()
            for event in batch:
                if event.type != EventType.UDP:
                    continue
                pieces.append(loop.take(event))
                if event.flags & EventFlag.MORE:
                    continue
                local, peer = loop.ends(event)
                datagram = b"".join(pieces)
                pieces.clear()
                sent.append(loop.send_to(endpoint, datagram, peer, local))
                counted.count("requests")
                counted.count("bytes", len(datagram))
        counted.write_stats(loop)
    return 0


if __name__ == "__main__":
    run("iip_udp_echo", main)

#!/usr/bin/env python3
"""UDP echo server: each datagram goes back to where it came from, from the address that it was sent to."""

from collections import Counter

import iip
from iip import EventFlag, EventType

from iip_example import Native, run
from iip_options import Options


class Echo:
    """One loop's endpoint."""

    def __init__(self, loop: iip.Loop, counts: Counter[str], port: int) -> None:
        self.loop, self.counts = loop, counts
        self.endpoint = loop.udp(("", port))
        self.pieces: list[bytes] = []
        self.sent: list[int] = []

    def account(self, short: int) -> None:
        """What was not taken is lost, as on any network: UDP promises nothing."""
        if short:
            self.counts["refused"] += sum(self.loop.result(i)[1] < 0 for i in self.sent)
        self.sent.clear()

    def handle(self, event: iip.Event) -> None:
        if event.type != EventType.UDP:
            return
        self.pieces.append(self.loop.take(event))
        if event.flags & EventFlag.MORE:
            return
        datagram = b"".join(self.pieces)
        self.pieces.clear()
        self.counts["datagrams"] += 1
        self.counts["bytes"] += len(datagram)
        local, peer = self.loop.ends(event)
        try:
            self.sent.append(self.loop.send_to(self.endpoint, datagram, peer, local))
        except BlockingIOError:
            self.counts["refused"] += 1


def main() -> int:
    options = Options("iip_udp_echo", "a UDP echo server", listen=7)
    args = options.parse()
    server = Native("iip_udp_echo", args, ("datagrams", "bytes", "refused"))

    def worker(loop: iip.Loop, counts: Counter[str]) -> None:
        echo = Echo(loop, counts, args.listen)
        server.ready()
        while server.goes_on():
            batch = loop.turn(None)
            echo.account(batch.op_short)
            for event in batch:
                echo.handle(event)
        for _ in loop.end():
            pass

    return server.serve(options.engine(args), worker)


if __name__ == "__main__":
    run("iip_udp_echo", main)

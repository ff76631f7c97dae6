#!/usr/bin/env python3
"""Writes the vectors whose peer is made of injected frames: hostile.py RUNNER, where RUNNER is the runner in C.

Frames that acknowledge what the stack sent need its initial sequence number, which is the same in each run: the
runner is asked for it.
"""

from __future__ import annotations

import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
OUR_MAC, MAC = bytes.fromhex("0273696d0001"), bytes.fromhex("020000000009")
OUR_IP, IP = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 9])
START = 1000  # the peer's initial sequence number
NEXT = START + 1
HEAD = [
    "# The peer is 10.0.0.9, all of whose frames are injected. Written by hostile.py.",
    "engine a sim:w,clock=virtual 10.0.0.1/24 list",
    "engine b sim:w,clock=virtual 10.0.0.2/24",
    "a listen L :80",
]


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def eth(payload: bytes, kind: int = 0x800, to: bytes = OUR_MAC) -> bytes:
    return to + MAC + struct.pack(">H", kind) + payload


def arp() -> bytes:
    """Who has 10.0.0.1? It makes the peer known."""
    return eth(struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + MAC + IP + bytes(6) + OUR_IP, 0x806, b"\xff" * 6)


def ip(payload: bytes, proto: int = 6, length: int | None = None, spoil: int = 0, first: int = 0x45) -> bytes:
    """`spoil` is flipped in the checksum; length and first byte may lie."""
    length = 20 + len(payload) if length is None else length
    header = struct.pack(">BBHHHBBH", first, 0, length, 0, 0, 64, proto, 0) + IP + OUR_IP
    return header[:10] + struct.pack(">H", checksum(header) ^ spoil) + header[12:] + payload


def segment(
    flags: int, seq: int, ack: int = 0, data: bytes = b"", options: bytes = b"", spoil: int = 0, words: int = 5
) -> bytes:
    words += len(options) // 4
    head = (
        struct.pack(">HHIIBBHHH", 7000, 80, seq % 2**32, ack % 2**32, words << 4, flags, 65535, 0, 0) + options + data
    )
    total = checksum(IP + OUR_IP + struct.pack(">HH", 6, len(head)) + head) ^ spoil
    return head[:16] + struct.pack(">H", total) + head[18:]


def tcp(*args: int | bytes, **more: int | bytes) -> bytes:
    return eth(ip(segment(*args, **more)))  # type: ignore[arg-type]


def udp(data: bytes, spoil: int = 0, length: int | None = None) -> bytes:
    head = struct.pack(">HHHH", 7000, 53, 8 + len(data) if length is None else length, 0) + data
    total = checksum(IP + OUR_IP + struct.pack(">HH", 17, len(head)) + head) ^ spoil
    return eth(ip(head[:6] + struct.pack(">H", total) + head[8:], 17))


def inject(*frames: bytes) -> list[str]:
    return [f"a inject {frame.hex()}" for frame in frames] + ["run"]


def each(*frames: bytes) -> list[str]:
    return [line for frame in frames for line in inject(frame)]


def counts(*names: str) -> list[str]:
    return [f"a count {name}" for name in names]


def write(name: str, lines: list[str]) -> None:
    (HERE / f"{name}.vec").write_text("\n".join(lines) + "\n")


def handshake(runner: str, what: str) -> tuple[list[str], int]:
    """The lines up to an accepted connection L.1, and the next sequence number of the stack."""
    mss = b"\x02\x04\x05\xb4"
    lines = [f"# {what}", *HEAD, "run", "# ARP, SYN, ACK", *inject(arp(), tcp(SYN, START, options=mss))]
    with tempfile.TemporaryDirectory() as scratch:
        vector = pathlib.Path(scratch, "handshake.vec")
        vector.write_text("\n".join(lines) + "\n")
        subprocess.run([runner, scratch, str(vector)], check=True, stdout=subprocess.DEVNULL)
        capture = pathlib.Path(scratch, "a.pcap").read_bytes()[24:]
    while True:
        size = struct.unpack("=I", capture[8:12])[0]
        frame, capture = capture[16 : 16 + size], capture[16 + size :]
        if frame[12:14] == b"\x08\x00" and frame[47] == SYN | ACK:
            after = struct.unpack(">I", frame[38:42])[0] + 1
            return lines + inject(tcp(ACK, NEXT, after)), after


def hostile_tcp(runner: str) -> None:
    lines, after = handshake(
        runner, "Segments of a hostile peer: each is dropped or challenged, and the stream goes on."
    )
    lines += ["# data: bad checksum, header longer than the packet, shorter than a header"]
    lines += inject(
        tcp(ACK | PSH, NEXT, after, b"evil", spoil=0x55),
        tcp(ACK | PSH, NEXT, after, b"evil", words=15),
        tcp(ACK | PSH, NEXT, after, b"evil", words=4),
    )
    lines += counts("drop_tcp_csum", "drop_tcp_header")
    lines += ["# RST left and right of the window; within, but not at its edge; SYN; an ACK of what was never sent"]
    lines += each(tcp(RST, NEXT - 1), tcp(RST, NEXT + 2**30), tcp(RST, NEXT + 100), tcp(SYN, NEXT + 5))
    lines += each(tcp(ACK, NEXT, after + 1000000))
    lines += counts("tcp_challenge", "drop_tcp_rst", "drop_tcp_syn", "drop_tcp_ack")
    lines += ["# data in order; again; overlapping, with another byte where one is known"]
    lines += each(tcp(ACK | PSH, NEXT, after, b"good"), tcp(ACK | PSH, NEXT, after, b"good"))
    lines += each(tcp(ACK | PSH, NEXT + 3, after, b"Xmore"))
    lines += ["a send L.1 20", "run", "a sum L.1", "# RST at the edge of the window", *inject(tcp(RST, NEXT + 8))]
    write("hostile_tcp", [*lines, "a close L", "run"])


def hostile_frames() -> None:
    syn = tcp(SYN, START)
    packet = segment(SYN, START)
    lines = ["# Frames that are cut short or lie about themselves: none is answered, each is counted once."]
    lines += [*HEAD, "a udp u :53", "run", *inject(arp())]
    lines += ["# cut within the link header, behind it, within the IP header, within the TCP header"]
    lines += inject(syn[:6], syn[:13], syn[:24], syn[:44])
    lines += ["# IP: checksum, length beyond the frame, header longer than the packet, version 7"]
    lines += inject(
        eth(ip(packet, spoil=1)), eth(ip(packet, length=400)), eth(ip(packet, first=0x4F)), eth(ip(packet, first=0x75))
    )
    lines += ["# SYN: checksum, with FIN, to a group, to another card; an ARP cut short"]
    lines += inject(
        tcp(SYN, START, spoil=1),
        tcp(SYN | FIN, START),
        eth(ip(packet), to=b"\x01\x00\x5e\x00\x00\x01"),
        eth(ip(packet), to=MAC),
        arp()[:30],
    )
    lines += ["# UDP: checksum, lengths that lie; and a good one"]
    lines += inject(udp(b"bad", spoil=3), udp(b"lie", length=100), udp(b"lie", length=4), udp(b"good"))
    lines += counts("drop_eth_short", "drop_eth_dst", "drop_arp", "drop_ip_header", "drop_ip_csum", "drop_tcp_csum")
    lines += counts("drop_tcp_listen", "drop_udp_header", "drop_udp_csum", "rx_packets", "rx_delivered")
    write("hostile_frames", [*lines, "a close L", "a close u", "run"])


def silent(runner: str) -> None:
    lines, _ = handshake(runner, "A peer that answers no keep-alive any more: the connection ends with a timeout.")
    lines += ["a set L.1 KEEPALIVE 1", "a set L.1 KEEPIDLE_US 2000000", "a set L.1 KEEPINTVL_US 500000"]
    write("keepalive_gone", [*lines, "a set L.1 KEEPCNT 3", "run 5000000 100000", "a close L", "run"])
    lines, _ = handshake(runner, "Bytes that nobody acknowledges end a connection after its user timeout.")
    lines += ["a set L.1 USER_TIMEOUT_US 5000000", "run", "a send L.1 100", "run 10000000 100000"]
    write("user_timeout", [*lines, "a send L.1 1", "a close L", "run"])


if __name__ == "__main__":
    hostile_tcp(sys.argv[1])
    hostile_frames()
    silent(sys.argv[1])

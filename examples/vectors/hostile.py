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
OUR_IP6, IP6 = bytes.fromhex("fd" + "00" * 14 + "01"), bytes.fromhex("fd" + "00" * 14 + "09")
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


def ip(
    payload: bytes, proto: int = 6, length: int | None = None, spoil: int = 0, first: int = 0x45,
    fragment: tuple[int, int] = (0, 0),
) -> bytes:  # fmt: skip
    """`spoil` is flipped in the checksum; length and first byte may lie. Of a fragment: its id and offset."""
    length = 20 + len(payload) if length is None else length
    header = struct.pack(">BBHHHBBH", first, 0, length, *fragment, 64, proto, 0) + IP + OUR_IP
    return header[:10] + struct.pack(">H", checksum(header) ^ spoil) + header[12:] + payload


def segment(
    flags: int, seq: int, ack: int = 0, data: bytes = b"", options: bytes = b"", spoil: int = 0, words: int = 5,
    ports: tuple[int, int] = (7000, 80),
) -> bytes:  # fmt: skip
    words += len(options) // 4
    head = struct.pack(">HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, words << 4, flags, 65535, 0, 0) + options + data
    total = checksum(IP + OUR_IP + struct.pack(">HH", 6, len(head)) + head) ^ spoil
    return head[:16] + struct.pack(">H", total) + head[18:]


def tcp(*args: int | bytes, **more: int | bytes) -> bytes:
    return eth(ip(segment(*args, **more)))  # type: ignore[arg-type]


def datagram(data: bytes, spoil: int = 0, length: int | None = None) -> bytes:
    head = struct.pack(">HHHH", 7000, 53, 8 + len(data) if length is None else length, 0) + data
    total = checksum(IP + OUR_IP + struct.pack(">HH", 17, len(head)) + head) ^ spoil
    return head[:6] + struct.pack(">H", total) + head[8:]


def udp(data: bytes, spoil: int = 0, length: int | None = None) -> bytes:
    return eth(ip(datagram(data, spoil, length), 17))


def icmp(kind: int, code: int, rest: int, data: bytes, spoil: int = 0) -> bytes:
    text = struct.pack(">BBHI", kind, code, 0, rest) + data
    return eth(ip(text[:2] + struct.pack(">H", checksum(text) ^ spoil) + text[4:], 1))


def part(ident: int, of: bytes, first: int, end: int, more: bool = True) -> bytes:
    """A fragment: bytes `first` to `end` of a datagram."""
    return eth(ip(of[first:end], 17, fragment=(ident, first // 8 | (0x2000 if more else 0))))


def ip6(payload: bytes, proto: int, hops: int = 64, length: int | None = None, to: bytes = OUR_IP6) -> bytes:
    length = len(payload) if length is None else length
    return eth(struct.pack(">IHBB", 6 << 28, length, proto, hops) + IP6 + to + payload, 0x86DD)


def icmp6(kind: int, code: int, data: bytes, hops: int = 255, before: bytes = b"") -> bytes:
    """`before` is a chain of extension headers that begins with its type and ends with 58."""
    text = struct.pack(">BBH", kind, code, 0) + data
    total = checksum(IP6 + OUR_IP6 + struct.pack(">II", len(text), 58) + text)
    text = text[:2] + struct.pack(">H", total) + text[4:]
    return ip6(before[1:] + text, before[0], hops) if before else ip6(text, 58, hops)


def inject(*frames: bytes) -> list[str]:
    return [f"a inject {frame.hex()}" for frame in frames] + ["run"]


def each(*frames: bytes) -> list[str]:
    return [line for frame in frames for line in inject(frame)]


def counts(*names: str) -> list[str]:
    return [f"a count {name}" for name in names]


def write(name: str, lines: list[str]) -> None:
    (HERE / f"{name}.vec").write_text("\n".join(lines) + "\n")


def sent(runner: str, lines: list[str], flags: int) -> bytes:
    """The last segment with these flags that the stack sends when it plays the lines, from its IP header on."""
    found = b""
    with tempfile.TemporaryDirectory() as scratch:
        vector = pathlib.Path(scratch, "so_far.vec")
        vector.write_text("\n".join(lines) + "\n")
        subprocess.run([runner, scratch, str(vector)], check=True, stdout=subprocess.DEVNULL)
        capture = pathlib.Path(scratch, "a.pcap").read_bytes()[24:]
    while capture:
        size = struct.unpack("=I", capture[8:12])[0]
        frame, capture = capture[16 : 16 + size], capture[16 + size :]
        if frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[26:30] == OUR_IP and frame[47] == flags:
            found = frame[14:]
    assert found, lines[0]
    return found


def number(packet: bytes) -> int:
    """The sequence number of a segment."""
    return int(struct.unpack(">I", packet[24:28])[0])


def handshake(runner: str, what: str) -> tuple[list[str], int]:
    """The lines up to an accepted connection L.1, and the next sequence number of the stack."""
    mss = b"\x02\x04\x05\xb4"
    lines = [f"# {what}", *HEAD, "run", "# ARP, SYN, ACK", *inject(arp(), tcp(SYN, START, options=mss))]
    after = number(sent(runner, lines, SYN | ACK)) + 1
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


def hostile_icmp(runner: str) -> None:
    lines, _ = handshake(runner, "ICMP about a connection: a soft error, a smaller path, or not believed at all.")
    lines += ["# an echo, and one whose checksum is wrong; timestamp, redirect, source quench: not answered"]
    lines += each(icmp(8, 0, 0x00010001, b"ping"), icmp(8, 0, 0x00010002, b"pong", spoil=1))
    lines += each(icmp(13, 0, 0, bytes(12)), icmp(5, 1, 0x0A000063, bytes(28)), icmp(4, 0, 0, bytes(28)))
    lines += ["a send L.1 1460", "run"]
    about = sent(runner, lines, ACK | PSH)
    strange = about[:20] + b"\x00\x51" + about[22:]
    beyond = about[:24] + struct.pack(">I", (number(about) + 2**30) % 2**32) + about[28:]
    lines += ["# host, port, protocol unreachable, time exceeded; of another connection; never sent; cut short"]
    lines += each(icmp(3, 1, 0, about[:28]), icmp(3, 3, 0, about[:28]), icmp(3, 2, 0, about[:28]))
    lines += each(icmp(11, 0, 0, about[:28]))
    lines += each(icmp(3, 1, 0, strange[:28]), icmp(3, 1, 0, beyond[:28]), icmp(3, 1, 0, about[:20]))
    lines += ["# too large for the path: 1000 bytes; less than any path; more than was sent; never sent"]
    lines += each(icmp(3, 4, 1000, about[:28]), icmp(3, 4, 0, about[:28]), icmp(3, 4, 100, about[:28]))
    lines += each(icmp(3, 4, 9000, about[:28]), icmp(3, 4, 600, beyond[:28]))
    lines += counts("drop_icmp", "tcp_retrans", "rx_delivered")
    write("hostile_icmp", [*lines, "a abort L.1", "a close L", "run"])


def hostile_connect(runner: str) -> None:
    """What can come in answer to a SYN."""
    lines = ["# A peer answers a SYN as it should not: wrong acknowledgements, RST, a SYN of its own, ICMP.", *HEAD]
    lines += ["run", *inject(arp()), "a connect one 10.0.0.9:7000", "run"]
    syn = sent(runner, lines, SYN)
    ports, after = (7000, int.from_bytes(syn[20:22], "big")), number(syn) + 1
    lines += ["# an ACK and a SYN, ACK of what was never sent; RST without and with a wrong ACK; data"]
    lines += each(tcp(ACK, START, after + 1, ports=ports), tcp(SYN | ACK, START, after + 1, ports=ports))
    lines += each(tcp(RST, START, ports=ports), tcp(RST | ACK, START, after - 1, ports=ports))
    lines += each(tcp(ACK | PSH, START, after, b"early", ports=ports))
    lines += ["# both open at once"]
    lines += inject(tcp(SYN, START, ports=ports)) + inject(tcp(SYN | ACK, START, after, ports=ports))
    lines += ["a send one 10", *inject(tcp(ACK | PSH, NEXT, after + 10, b"late", ports=ports)), "a abort one", "run"]
    lines += ["# ICMP ends an attempt, and RST does", "a connect two 10.0.0.9:7000", "run"]
    lines += inject(icmp(3, 3, 0, sent(runner, lines, SYN)[:28]))
    lines += ["a connect three 10.0.0.9:7000", "run"]
    syn = sent(runner, lines, SYN)
    ports, after = (7000, int.from_bytes(syn[20:22], "big")), number(syn) + 1
    lines += [*inject(tcp(RST | ACK, 0, after, ports=ports)), "run 3000000 500000", "a abort two", "a close L", "run"]
    write("hostile_connect", lines)


def hostile_open(runner: str) -> None:
    """What can come in the place of the last part of a handshake."""
    lines = ["# SYNs without an end: the answers are repeated, then forgotten; an ACK must fit.", *HEAD]
    lines += ["a listen M :81 1", "run", *inject(arp(), *(tcp(SYN, START, ports=(7000 + i, 81)) for i in range(4)))]
    lines += inject(tcp(ACK, NEXT, 1, ports=(7000, 81)), tcp(ACK, NEXT, 1, ports=(7009, 80)))
    lines += ["# again the same SYN, another one, RST", *each(tcp(SYN, START), tcp(SYN, START), tcp(SYN, START + 99))]
    lines += each(tcp(RST, START + 98), tcp(RST, START + 1))
    lines += ["# an ACK of the answer with a wrong number, with data and FIN"]
    lines += inject(tcp(SYN, START + 5000))
    after = number(sent(runner, lines, SYN | ACK)) + 1
    lines += each(tcp(ACK, START + 5001, after + 7), tcp(ACK | PSH | FIN, START + 5001, after, b"all at once"))
    lines += ["a close L.1", "run 200000000 1000000", *counts("drop_tcp_backlog", "drop_tcp_listen", "drop_tcp_closed")]
    write("hostile_open", [*lines, "a close L", "a close M", "run"])


def hostile_fragments() -> None:
    whole = datagram(bytes(range(64)))
    lines = ["# Fragments: out of order, twice, overlapping, beyond the end, and without an end.", *HEAD, "a udp u :53"]
    lines += ["run", *inject(arp()), "# out of order, the first one twice"]
    lines += inject(part(1, whole, 48, 72, more=False), part(1, whole, 0, 24), part(1, whole, 0, 24))
    lines += inject(part(1, whole, 24, 48))
    lines += ["# with another text where one is known: all of it goes, what comes later too"]
    lines += inject(part(2, whole, 0, 24), part(2, bytes(72), 16, 48), part(2, whole, 48, 72, more=False))
    lines += inject(part(2, whole, 24, 48))
    lines += ["# two ends; a piece behind the end; not a multiple of 8; beyond 65535"]
    lines += inject(part(3, whole, 48, 72, more=False), part(3, whole, 24, 48, more=False))
    lines += inject(part(4, whole, 0, 48, more=False), part(4, whole, 48, 72))
    lines += inject(part(5, whole, 0, 21), eth(ip(bytes(40), 17, fragment=(6, 0x1FFF))))
    lines += ["# never whole: forgotten, and told if the first piece was there"]
    lines += inject(part(7, whole, 0, 24), part(8, whole, 24, 48))
    lines += ["a count rx_held", "run 70000000 1000000"]
    lines += counts("drop_fragment", "drop_fragment_limit", "drop_fragment_timeout", "rx_held", "rx_delivered")
    write("hostile_fragments", [*lines, "a sum u", "a close u", "a close L", "run"])


def hostile_ipv6() -> None:
    ask = bytes(4) + OUR_IP6 + b"\x01\x01" + MAC  # a solicitation, with the asker's link address
    echo = struct.pack(">HH", 1, 1) + b"ping"
    many = b"\x3c" + b"\x3c\x00\x01\x04\0\0\0\0" * 20 + b"\x3a\x00\x01\x04\0\0\0\0"
    lines = ["# IPv6: neighbours from beyond the link, echoes behind extension headers, lengths that lie.", *HEAD]
    lines[2] = lines[2].replace("10.0.0.1/24", "fd00::1/64")
    lines += ["run 2000000 100000", "# a solicitation that came through a router, a good one, a good one again"]
    lines += each(icmp6(135, 0, ask, hops=254), icmp6(135, 0, ask), icmp6(135, 0, ask))
    lines += ["# echo: as it is, behind options, behind too many, behind one that says discard, one that says tell"]
    lines += each(icmp6(128, 0, echo), icmp6(128, 0, echo, before=b"\x3c\x3a\x00\x01\x04\0\0\0\0"))
    lines += each(icmp6(128, 0, echo, before=many), icmp6(128, 0, echo, before=b"\x3c\x3a\x00\x41\x04\0\0\0\0"))
    lines += each(icmp6(128, 0, echo, before=b"\x3c\x3a\x00\x81\x04\0\0\0\0"))
    lines += ["# shorter than a header, longer than the frame, a protocol that nobody speaks, not ours"]
    lines += each(ip6(bytes(4), 58)[:40], ip6(bytes(8), 58, length=400), ip6(bytes(8), 200))
    lines += each(ip6(bytes(8), 58, to=IP6), ip6(bytes(20), 6))
    lines += counts("drop_ip_header", "drop_ip_ext", "drop_ip_option", "drop_ip_proto", "drop_ip_dst", "drop_ndp")
    write("hostile_ipv6", [*lines, "a close L", "run"])


if __name__ == "__main__":
    hostile_tcp(sys.argv[1])
    hostile_frames()
    silent(sys.argv[1])
    hostile_icmp(sys.argv[1])
    hostile_connect(sys.argv[1])
    hostile_open(sys.argv[1])
    hostile_fragments()
    hostile_ipv6()

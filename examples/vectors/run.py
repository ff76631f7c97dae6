"""Plays a vector (README.md) on the package `iip` and prints its trace: run.py DIR FILE.vec; DIR takes the captures."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Any

import iip
from iip._ffi import ffi, lib  # for what the package does not offer: see docs/reference/parity.md

PATTERN = bytes((i * 31 + (i >> 8) * 17) & 255 for i in range(2 << 20))
PUMP = 65536
START = 0xCBF29CE484222325
SENDS = (iip.OpCode.SEND_BUF, iip.OpCode.SEND_EXTERN, iip.OpCode.SEND_COPY)

# Operations, and what the words behind the object's name are; those in MAKES make the object.
VERBS = {
    "connect": (iip.OpCode.CONNECT, "P"),
    "listen": (iip.OpCode.LISTEN, "LN"),
    "udp": (iip.OpCode.UDP_OPEN, "LP"),
    "timer": (iip.OpCode.TIMER, "A"),
    "timerat": (iip.OpCode.TIMER, "W"),
    "send": (iip.OpCode.SEND_COPY, "NS"),
    "sendbuf": (iip.OpCode.SEND_BUF, "N"),
    "forward": (iip.OpCode.SEND_BUF, "B"),
    "extern": (iip.OpCode.SEND_EXTERN, "RAN"),
    "udpsend": (iip.OpCode.UDP_SEND_COPY, "PN"),
    "udpforward": (iip.OpCode.UDP_SEND, "PB"),
    "credit": (iip.OpCode.CREDIT, "N"),
    "shutdown": (iip.OpCode.SHUTDOWN, ""),
    "close": (iip.OpCode.CLOSE, ""),
    "abort": (iip.OpCode.ABORT, ""),
    "cancel": (iip.OpCode.CANCEL, ""),
    "set": (iip.OpCode.SET, "OA"),
    "user": (iip.OpCode.USER, "U"),
    "urgent": (iip.OpCode.URGENT, ""),
}
MAKES = ("connect", "listen", "udp", "timer", "timerat")


def fnv(data: bytes, h: int = START) -> int:
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def name_of(status: int) -> str:
    return str(ffi.string(lib.iip_status_name(status)).decode())


def pointer(data: Any) -> int:
    return int(ffi.cast("uintptr_t", data))


BYTES = ffi.from_buffer(PATTERN)  # what is sent: byte i of a stream is byte i of the pattern


@dataclass
class Object:
    """What a vector has a name for."""

    at: Player
    name: str
    handle: int = 0
    tx: int = 0
    goal: int = 0
    rx: int = 0
    rx_hash: int = START
    children: int = 0
    blocked: bool = False


@dataclass
class Pending:
    line: str
    verb: str
    about: Object
    code: int
    length: int
    addrs: Any


class Player:
    """One engine of a vector."""

    def __init__(self, world: World, words: list[str], line: str) -> None:
        self.world, self.name, self.state = world, words[0], 0
        self.pcap = f"{world.dir}/{self.name}.pcap"
        self.hold, self.mute, self.list = (word in words[3:] for word in ("hold", "mute", "list"))
        more = dict(word.split("=", 1) for word in words[3:] if "=" in word)
        tunables = dict(pair.split("=") for pair in more["tunables"].split(",")) if "tunables" in more else None
        seed, status = ord(self.name[0]), 0
        self.pending: list[Pending] = []
        self.engine: iip.Engine | None = None
        try:
            self.engine = iip.Engine(
                words[1], words[2], tunables=tunables, pcap=self.pcap, key=bytes([seed] * 16), seed=seed,
                spill_bytes=int(more.get("spill", 0)),
            )  # fmt: skip
            self.loop = self.engine.loop()
            self.loop.attach()
        except iip.Error as error:
            status = error.status
        print(f"> {line} -> {name_of(status)}")

    # ---- operations ----

    def fields(self, code: int, args: str, words: list[str], about: Object) -> tuple[dict[str, int], Any]:
        """What the words say, as arguments of Loop.op; and the addresses, to be kept until the turn."""
        f, addrs = {"length": 0}, ffi.new("struct iip_addrs *")
        for what, word in zip(args, words, strict=False):
            if what in "LP":
                end = ffi.addressof(addrs, "local" if what == "L" else "peer")
                if word != "-":
                    iip.errors.check(lib.iip_addr_parse(word.encode(), end))
            elif what == "N":
                f["length"] = int(word)
            elif what == "A":
                f["arg"] = int(word)
            elif what == "W":
                f["arg"], f["flags"] = int(word), iip.OpFlag.ABSOLUTE
            elif what == "U":
                f["user"] = int(word)
            elif what == "B":
                f["buf"], f["length"] = self.world.held[int(word[1:])]
            elif what == "R":
                f["buf"] = self.world.objects[word].handle
            elif what == "O":
                f["offset"] = iip.Option[word]
            elif what == "S":
                f["flags"] = iip.OpFlag.SHUT
        if "L" in args or "P" in args:
            f["arg"] = pointer(addrs)
        if code == iip.OpCode.SEND_COPY:
            f["arg"] = pointer(BYTES) + about.tx
        if code == iip.OpCode.UDP_SEND_COPY:
            f["buf"] = pointer(BYTES)
        return f, addrs

    def operation(self, words: list[str], line: str, post: bool = False) -> None:
        verb = words[0]
        code, args = VERBS[verb]
        about = self.world.add(self, words[1]) if verb in MAKES else self.world.objects[words[1]]
        f, addrs = self.fields(code, args, words[2:], about)
        if verb == "sendbuf":
            f["buf"], room = self.loop.buffer()
            room[: f["length"]] = PATTERN[about.tx : about.tx + f["length"]]
        if post:
            op = ffi.new("struct iip_op *", {"code": code, "flags": iip.OpFlag.REPLY, "len": f["length"]})
            op.obj, op.offset, op.arg = about.handle, f.get("offset", 0), f.get("arg", 0)
            print(f"> {line} -> {name_of(lib.iip_loop_post(self.loop.c, op, 1))}")
            return
        if verb in MAKES:
            f["user"] = len(self.world.all)
        self.loop.op(code, 0 if verb in MAKES else about.handle, **f)
        self.pending.append(Pending(line, verb, about, code, f["length"], addrs))

    def tell_operation(self, i: int, p: Pending) -> None:
        out, status = self.loop.result(i)
        print(f"> {p.line} -> {name_of(status)}" + (f" {out}" if out and p.verb not in MAKES else ""))
        if p.verb in MAKES:
            self.world.name(p.about, out)
        if p.code not in SENDS:
            return
        p.about.tx += out
        p.about.blocked |= out < p.length
        if status < 0 and status != iip.Status.E_AGAIN:
            p.about.goal = 0

    # ---- a turn, and what it tells ----

    def subject(self, event: iip.Event) -> Object | None:
        if event.type != iip.EventType.ACCEPT:
            return self.world.handles.get(event.src)
        listener = self.world.handles[event.value]
        listener.children += 1
        about = self.world.add(self, f"{listener.name}.{listener.children}")
        self.world.name(about, event.src)
        return about

    def tell_event(self, event: iip.Event, now_us: int) -> None:
        about, data = self.subject(event), b""
        if about and event.type == iip.EventType.WRITABLE:
            about.blocked = False
        if event.buf and about:
            data = ffi.buffer(ffi.cast("char *", event.addr), event.len)[:]
            about.rx, about.rx_hash = about.rx + event.len, fnv(data, about.rx_hash)
            self.world.held.append((event.buf, event.len))
            if not self.hold:
                self.loop.release(event.buf)
        if event.buf and self.mute:
            return
        name = about.name if about else "-"
        line = f"{now_us} {self.name} {name} {iip.EventType(event.type).name} {name_of(event.status)}"
        line += f" user={event.user}" if event.user else ""
        line += f" flags={event.flags}" if event.flags else ""
        line += f" len={event.len}" if event.len else ""
        line += f" hash={fnv(data):016x} buf=@{len(self.world.held) - 1}" if event.buf else ""
        handle = event.type == iip.EventType.ACCEPT or event.value == event.src
        line += f" value={event.value}" if event.value and not handle else ""
        if event.aux:
            local, peer = (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port in self.loop.ends(event))
            line += f" local={local} peer={peer}"
        print(line)

    def turn(self, flags: int = 0) -> bool:
        """Whether something happened."""
        for about in self.world.all:
            if about.at is self and about.goal > about.tx and not about.blocked:
                n = min(PUMP, about.goal - about.tx)
                self.operation(["send", about.name, str(n)], f"{self.name} send {about.name} {n}")
        pending, self.pending = self.pending, []
        batch = self.loop.turn(flags=flags)
        for i, p in enumerate(pending):
            self.tell_operation(i, p)
        if batch.release_failed:
            print(f"{batch.now_us} {self.name} release_failed={batch.release_failed}")
        for event in batch:
            self.tell_event(event, batch.now_us)
        state = batch.state & ~iip.State.MORE
        if state != self.state:
            print(f"{batch.now_us} {self.name} state={int(state)}")
        self.state = state
        return bool(pending or batch.n or batch.rx_packets or batch.state & iip.State.MORE)

    # ---- steps that are no operations ----

    def listen_all(self, name: str, local: str, backlog: str = "0") -> int:
        assert self.engine
        about, addr, out = self.world.add(self, name), ffi.new("struct iip_addr *"), ffi.new("uint64_t *")
        iip.errors.check(lib.iip_addr_parse(local.encode(), addr))
        status = int(lib.iip_engine_listen(self.engine.c, addr, int(backlog), len(self.world.all), out))
        self.world.name(about, out[0])
        return status

    def at_once(self, words: list[str]) -> int:
        assert self.engine
        verb, args = words[0], words[1:]
        if verb == "inject":
            frame = bytes.fromhex(args[0])
            return int(lib.iip_engine_inject(self.engine.c, frame, len(frame)))
        if verb == "mtu":
            return int(lib.iip_engine_mtu_set(self.engine.c, int(args[0])))
        if verb == "retain":
            return int(lib.iip_buf_retain(self.world.held[int(args[0][1:])][0]))
        if verb == "free":
            return int(lib.iip_buf_release(self.world.held[int(args[0][1:])][0]))
        if verb == "listenall":
            return self.listen_all(*args)
        if verb == "unlistenall":
            return int(lib.iip_engine_unlisten(self.engine.c, self.world.objects[args[0]].handle))
        if verb == "attach":
            return int(lib.iip_loop_attach(self.loop.c))
        if verb == "detach":
            return int(lib.iip_loop_detach(self.loop.c))
        if verb == "region":
            out = ffi.new("uint64_t *")
            status = int(lib.iip_region_add(self.engine.c, BYTES, int(args[1]), out))
            self.world.name(self.world.add(self, args[0]), out[0])
            return status
        if verb == "unregion":
            return int(lib.iip_region_remove(self.world.objects[args[0]].handle))
        if verb == "loopclose":
            return int(lib.iip_loop_close(self.loop.c))
        raise ValueError(f"no such step: {verb}")

    def step(self, words: list[str], line: str) -> None:
        verb, args = words[0], words[1:]
        if verb in VERBS:
            self.operation(words, line)
        elif verb == "post":
            self.operation(args, line, post=True)
        elif verb == "release":
            first, last = int(args[0][1:]), int(args[-1][1:])
            for buf, _ in self.world.held[first : last + 1]:
                self.loop.release(buf)
        elif verb == "turn":
            self.turn(iip.TurnFlag.FLUSH if args else 0)
        elif verb == "pump":
            self.world.objects[args[0]].goal = int(args[1])
        elif verb == "count":
            print(f"> {line} -> {self.loop.counters()[args[0]]}")
        elif verb == "sum":
            o = self.world.objects[args[0]]
            print(f"> {line} -> rx={o.rx} {o.rx_hash:016x} tx={o.tx} {fnv(PATTERN[: o.tx]):016x}")
        elif verb == "end":
            self.end(line)
        else:
            print(f"> {line} -> {name_of(self.at_once(words))}")

    def end(self, line: str) -> None:
        assert self.engine
        leaks = " ".join(f"{kind}={n}" for kind, n in self.engine.close().items())
        print(f"> {line} -> IIP_OK {leaks}")
        self.engine = None
        with open(self.pcap, "rb") as file:
            capture = file.read()[24:]
        total, n = START, 0
        while capture:
            seconds, us, size, _ = struct.unpack("=4I", capture[:16])
            text = f"{seconds * 1000000 + us} {size} {fnv(capture[16 : 16 + size]):016x}\n"
            total, n, capture = fnv(text.encode(), total), n + 1, capture[16 + size :]
            if self.list:
                print(f"{self.name} frame {text}", end="")
        print(f"{self.name} frames={n} hash={total:016x}")


class World:
    """What a vector has made so far."""

    def __init__(self, directory: str) -> None:
        self.dir = directory
        self.players: dict[str, Player] = {}
        self.all: list[Object] = []
        self.objects: dict[str, Object] = {}
        self.handles: dict[int, Object] = {}
        self.held: list[tuple[int, int]] = []

    def add(self, at: Player, name: str) -> Object:
        self.all.append(Object(at, name))
        self.objects[name] = self.all[-1]
        return self.all[-1]

    def name(self, about: Object, handle: int) -> None:
        about.handle = handle
        if handle:
            self.handles[handle] = about

    def advance(self, us: int) -> int:
        return next((player.engine.advance(us) for player in self.players.values() if player.engine), 0)

    def turn_all(self) -> None:
        """Until nothing happens."""
        while any([player.turn() for player in self.players.values() if player.engine]):
            pass

    def play(self, line: str) -> None:
        words = line.split()
        if not words or line.startswith("#"):
            return
        if words[0] == "engine":
            self.players[words[1]] = Player(self, words[1:], line)
        elif words[0] == "run":
            self.turn_all()
            left = int(words[1]) if len(words) > 1 else 0
            step = int(words[2]) if len(words) > 2 else left
            while left:
                self.advance(min(step, left))
                left -= min(step, left)
                self.turn_all()
            print(f"> {line} -> {self.advance(0)}")
        else:
            self.players[words[0]].step(words[1:], line)


def main() -> None:
    world = World(sys.argv[1])
    with open(sys.argv[2]) as file:
        for line in file:
            world.play(line.rstrip("\n"))
    for player in world.players.values():
        if player.engine:
            player.end("end")


if __name__ == "__main__":
    main()

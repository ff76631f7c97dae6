#!/usr/bin/env python3
"""Proof that <iip/iip.h> suffices for Python: an echo over an in-memory pair that crosses into C once a turn.

    echo.py LIBIIP.SO INCLUDE_DIR...      (the directories that hold iip/iip.h and iip/status.h)

cffi reads the header itself, without its lines that start with #. The layout table is compared before anything else.
"""

import pathlib
import sys

try:
    import cffi
except ImportError:
    print("skipped: Python has no cffi: pip install cffi")
    sys.exit(77)

CONNS, ROUNDS, PING = 32, 200, b"ping over a pair"


def load(library, dirs):
    header = ""
    for name in ("iip/status.h", "iip/iip.h"):
        path = next(p for d in dirs if (p := pathlib.Path(d, name)).exists())
        header += "".join(line + "\n" for line in path.read_text().split("\n") if not line.startswith("#"))
    ffi = cffi.FFI()
    ffi.cdef(header)
    return ffi, ffi.dlopen(library)


def check_layout():
    row, i = ffi.new("struct iip_layout *"), 0
    while lib.iip_layout_get(i, row) == 0:
        kind = "struct " + ffi.string(row.type).decode()
        if row.field:
            assert ffi.offsetof(kind, ffi.string(row.field).decode()) == row.offset, (kind, ffi.string(row.field))
        else:
            assert ffi.sizeof(kind) == row.size, kind
        i += 1
    print(f"layout: {i} rows agree")


def ok(status):
    assert status >= 0, ffi.string(lib.iip_status_name(status)).decode()
    return status


class Side:
    def __init__(self, address):
        self.keep = [ffi.new("char[]", text) for text in (b"pair:python", address)]
        cfg = ffi.new("struct iip_engine_cfg *", {"size": ffi.sizeof("struct iip_engine_cfg")})
        cfg.port, cfg.addresses = self.keep
        engine, loop, why = ffi.new("struct iip_engine **"), ffi.new("struct iip_loop **"), ffi.new("char[256]")
        assert lib.iip_engine_open(cfg, engine, why, 256) == 0, ffi.string(why)
        self.engine, self.crossings = engine[0], 0
        ok(lib.iip_engine_loop(self.engine, 0, loop))
        self.loop = loop[0]
        ok(lib.iip_loop_attach(self.loop))
        self.area = ffi.new("struct iip_area *", {"size": ffi.sizeof("struct iip_area")})
        ok(lib.iip_loop_area(self.loop, self.area))
        regions = ffi.new("struct iip_region_info[16]")
        count = ok(lib.iip_engine_regions(self.engine, regions, 16))
        self.views = [memoryview(ffi.buffer(ffi.cast("char *", r.base), r.len)) for r in regions[0:count]]

    def turn(self):
        """The only crossing on the data path."""
        self.crossings += 1
        return self.area.events[0 : ok(lib.iip_loop_turn(self.loop, self.area.turn))]

    def send(self, conn, buf, length):
        turn = self.area.turn
        op = self.area.ops[turn.op_n]
        ffi.memmove(ffi.addressof(op), ffi.new("struct iip_op *"), ffi.sizeof("struct iip_op"))
        op.code, op.obj, op.buf, op.len = lib.IIP_OP_SEND_BUF, conn, buf, length
        turn.op_n += 1

    def release(self, buf):
        self.area.releases[self.area.turn.release_n] = buf
        self.area.turn.release_n += 1

    def ping(self, conn):
        span = self.area.tx_free[self.area.turn.tx_taken]
        self.views[span.region][span.offset : span.offset + len(PING)] = PING
        self.area.turn.tx_taken += 1
        self.send(conn, span.buf, len(PING))


ffi, lib = load(sys.argv[1], sys.argv[2:])
ok(lib.iip_abi_require(lib.IIP_ABI_MAJOR, lib.IIP_ABI_MINOR))
check_layout()
server, client = Side(b"10.0.0.2/24"), Side(b"10.0.0.1/24")
handle, answered, turns = ffi.new("uint64_t *"), 0, 0
ok(lib.iip_loop_listen(server.loop, b":7", 0, handle))
for i in range(CONNS):
    ok(lib.iip_loop_connect(client.loop, b"10.0.0.2:7", i, handle))
while answered < CONNS * ROUNDS:
    turns += 2
    for ev in server.turn():
        if ev.type == lib.IIP_EVENT_DATA:
            server.send(ev.src, ev.buf, ev.len)  # the buffer itself goes back: not a byte is copied
    for ev in client.turn():
        if ev.type == lib.IIP_EVENT_CONNECTED:
            client.ping(ev.src)
        elif ev.type == lib.IIP_EVENT_DATA:
            assert client.views[ev.region][ev.offset : ev.offset + ev.len] == PING
            client.release(ev.buf)
            client.ping(ev.src)
            answered += 1
print(f"{answered} answers on {CONNS} connections, {turns} turns, {server.crossings + client.crossings} crossings")
assert turns == server.crossings + client.crossings
for side in (client, server):
    ok(lib.iip_engine_close(side.engine, ffi.NULL))

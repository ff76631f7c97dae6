"""The table: what is measured, what is asked for, and what others need.

One entry a row of docs/reference/benchmarks.md. A point is one run of a program; a row with several points is a sweep,
and its figure is the largest cost among them over the first one's.
"""

from dataclasses import dataclass

ORIGINAL = "original iip (measured before, not in this run)"
# Units of one timed repetition: some 20 ms. Counting needs far fewer.
TIMED_UNITS = {"pingpong": 50000, "churn": 9600, "bulk": 64, "queue": 100000}


@dataclass(frozen=True)
class Point:
    """One run: what distinguishes it, and the arguments of each program (None: it cannot do this)."""

    label: str
    ours: str
    lwip: str | None = None
    offload: bool = False  # which of the two lwIP programs
    slow: bool = False  # only in a full run


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    kind: str  # instructions | sweep | bytes | rate
    target: float
    points: tuple[Point, ...]
    original: str = ""
    lwip_note: str = ""  # why lwIP has no figure, or what is odd about it
    scale: float = 1.0  # printed figure = instructions per unit / scale
    unit: str = ""
    check: bool = True  # compared with the baseline
    program: str = "iip_bench"
    relative_to: str = ""  # target is this many times the figure of another row


def pingpong(label: str, args: str, lwip: bool, slow: bool = False) -> Point:
    ours = f"pingpong --offload 1 --addrs 64 {args}"
    return Point(label, ours, f"pingpong {args}" if lwip else None, offload=True, slow=slow)


ROWS = (
    Row(
        "pingpong_offload",
        "instructions per 1-byte request+reply, 32 connections, checksums offloaded",
        "instructions",
        1100,
        (Point("", "pingpong --offload 1", "pingpong", offload=True),),
        "3,274",
    ),
    Row(
        "pingpong_software",
        "the same, software checksums",
        "instructions",
        1400,
        (Point("", "pingpong", "pingpong"),),
        "6,294",
    ),
    Row(
        "churn",
        "instructions per connect, accept, close, closed (and the end of its TIME-WAIT)",
        "instructions",
        4500,
        (Point("", "churn --offload 1", "churn --waiting 200", offload=True),),
        "10,279",
        "with 200 in TIME-WAIT, ours with 1,000: lwIP's cost grows with them",
    ),
    Row(
        "bulk_software",
        "M instructions per MB, MSS segments, software checksums both ends (portable C alone)",
        "instructions",
        1.35,
        (Point("", "bulk", "bulk"),),
        "21.3 (its wire copies)",
        "MSS 1,460, no timestamps",
        scale=1e6,
        unit="M",
    ),
    Row(
        "bulk_offload",
        "the same, checksums offloaded",
        "instructions",
        0.40,
        (Point("", "bulk --offload 1", "bulk", offload=True),),
        "1.15",
        "MSS 1,460, no timestamps",
        scale=1e6,
        unit="M",
    ),
    Row(
        "idle",
        "instructions per request with 0, 10 k, 50 k, 1 M idle connections beside 32 active (64 source addresses)",
        "sweep",
        1.10,
        (
            pingpong("0", "--idle 0", True),
            pingpong("10 k", "--idle 10000", True),
            pingpong("50 k", "--idle 50000", True, slow=True),
            pingpong("1 M", "--idle 1000000", False, slow=True),
        ),
        "x15 at 10 k, x113 at 50 k (time)",
        "at most 64,000: one address",
    ),
    Row(
        "queue",
        "instructions per packet with 16, 1,024, 16,384 packets waiting to be sent",
        "sweep",
        1.10,
        (
            Point("16", "queue --offload 1 --depth 16"),
            Point("1,024", "queue --offload 1 --depth 1024"),
            Point("16,384", "queue --offload 1 --depth 16384"),
        ),
        "93 ns to 149 us",
        "its send buffer ends at 44 packets",
    ),
    Row(
        "queue_inflight",
        "the same, all of them sent and not yet acknowledged",
        "sweep",
        1.10,
        (
            Point("16", "queue --offload 1 --inflight 1 --depth 16"),
            Point("1,024", "queue --offload 1 --inflight 1 --depth 1024"),
            Point("16,384", "queue --offload 1 --inflight 1 --depth 16384"),
        ),
        "",
        "its window ends at 44 packets",
    ),
    Row(
        "time_wait",
        "instructions per connection with 0 (64), 10 k, 100 k, 1 M in TIME-WAIT, 64 source addresses",
        "sweep",
        1.10,
        (
            Point("64", "churn --offload 1 --addrs 64 --waiting 64", "churn --waiting 64", offload=True),
            Point("10 k", "churn --offload 1 --addrs 64 --waiting 10000", "churn --waiting 10000", offload=True),
            Point("100 k", "churn --offload 1 --addrs 64 --waiting 100000", slow=True),
            Point("1 M", "churn --offload 1 --addrs 64 --waiting 1000000", slow=True),
        ),
        "1.7 us to 187 us at 20 k",
        "at most 14,000: one address",
    ),
    Row(
        "mem_idle",
        "bytes of an idle established connection (100,000 of them; hash and timer included)",
        "bytes",
        320,
        (Point("", "mem_idle --addrs 64 --units 100000", "mem --units 10000"),),
        "320 + 752 a packet",
        "from its heap",
        check=False,
    ),
    Row(
        "mem_time_wait",
        "bytes of a connection in TIME-WAIT",
        "bytes",
        64,
        (Point("", "mem_time_wait --addrs 64 --units 100000"),),
        "320",
        "a whole pcb, as mem_idle",
        check=False,
    ),
    Row(
        "mem_half_open",
        "bytes of a half-open connection",
        "bytes",
        64,
        (Point("", "mem_half_open --units 50000"),),
        "320",
        "a whole pcb, as mem_idle",
        check=False,
    ),
    Row(
        "loop_mem",
        "bytes of an idle established connection of libiip, slot of its handle included (heap, 100,000 of them)",
        "bytes",
        320,
        (Point("", "mem --addrs 64 --units 100000"),),
        "320 + 752 a packet",
        check=False,
        program="iip_bench_loop",
    ),
    Row(
        "csum",
        "GB/s of the checksum, portable C, 1,460 B",
        "rate",
        20,
        (Point("", "csum --units 20000"),),
        "3.0",
        check=False,
    ),
    Row(
        "loop_pingpong_offload",
        "pingpong_offload through iip_loop_turn on pair",
        "instructions",
        1.4,
        (Point("", "pingpong --offload 1"),),
        program="iip_bench_loop",
        relative_to="pingpong_offload",
    ),
    Row(
        "loop_pingpong_software",
        "pingpong_software through iip_loop_turn on pair",
        "instructions",
        1.4,
        (Point("", "pingpong"),),
        program="iip_bench_loop",
        relative_to="pingpong_software",
    ),
    Row(
        "loop_churn",
        "churn through iip_loop_turn on pair",
        "instructions",
        1.4,
        (Point("", "churn --offload 1"),),
        program="iip_bench_loop",
        relative_to="churn",
    ),
    Row(
        "loop_bulk_software",
        "bulk_software through iip_loop_turn on pair",
        "instructions",
        1.4,
        (Point("", "bulk"),),
        scale=1e6,
        unit="M",
        program="iip_bench_loop",
        relative_to="bulk_software",
    ),
    Row(
        "loop_bulk_offload",
        "bulk_offload through iip_loop_turn on pair",
        "instructions",
        1.4,
        (Point("", "bulk --offload 1"),),
        scale=1e6,
        unit="M",
        program="iip_bench_loop",
        relative_to="bulk_offload",
    ),
    Row(
        "loop_idle",
        "instructions per request through iip_loop_turn with 0, 100 k idle connections beside 32 active",
        "sweep",
        1.10,
        (
            Point("0", "pingpong --offload 1 --addrs 64 --idle 0"),
            Point("100 k", "pingpong --offload 1 --addrs 64 --idle 100000", slow=True),
        ),
        program="iip_bench_loop",
    ),
)

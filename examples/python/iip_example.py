"""What the examples share: bytes that can be verified, threads, signals, statistics, as examples/c/README.md says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import iip
from iip.aio import loop_factory

try:
    import numpy
except ImportError:  # slower, that is all
    numpy = None  # type: ignore[assignment]

_MASK = (1 << 64) - 1
_TURNS = ("turns", "events", "ops", "ops_failed", "stale_handles", "spill_copies", "bufs_held", "mem_used")
_PORTS = (
    "rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_refused", "tx_pending", "wire_lost",
    "wire_duplicated", "handed_over", "handed_lost",
)  # fmt: skip


def word(i: int) -> bytes:
    """Bytes 8 i to 8 i + 7 of the stream that anybody can compute."""
    x = (i + 1) * 0x9E3779B97F4A7C15 & _MASK
    return (x ^ x >> 32).to_bytes(8, "little")


def pattern(offset: int, length: int) -> bytes:
    """Bytes of that stream."""
    first, last = offset // 8, (offset + length + 7) // 8
    if numpy is None or length < 256:
        words = b"".join(map(word, range(first, last)))
    else:
        x = numpy.arange(first + 1, last + 1, dtype="<u8") * numpy.uint64(0x9E3779B97F4A7C15)
        words = (x ^ x >> numpy.uint64(32)).tobytes()
    return words[offset % 8 :][:length]


def say_ready(addresses: Iterable[str], port: int) -> None:
    host = next(iter(addresses)).replace(",", " ").split()[0].split("/")[0]
    print(f"ready [{host}]:{port}" if ":" in host else f"ready {host}:{port}", flush=True)


class Networking:
    """With --model split and merge, a second thread for each loop, which does its networking; else nothing."""

    def __init__(self, loops: Iterable[iip.Loop], model: str) -> None:
        self._stop = threading.Event()
        self._loops = list(loops) if model != "unified" else []
        self._threads = [threading.Thread(target=self._run, args=(loop, model)) for loop in self._loops]

    def _run(self, loop: iip.Loop, model: str) -> None:
        pin(loop.index, model)
        loop.network(self._stop)

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for loop, thread in zip(self._loops, self._threads, strict=True):
            loop.wake()
            thread.join()


def pin(index: int, model: str) -> None:
    """With --model merge both threads of a loop share one core."""
    cores = sorted(os.sched_getaffinity(0))
    if model == "merge":
        os.sched_setaffinity(0, {cores[index % len(cores)]})


class Run:
    """A run of a server: when it ends, and what it counted."""

    def __init__(self, program: str, args: SimpleNamespace, names: Iterable[str]) -> None:
        self.program, self.args = program, args
        self.began = time.monotonic()
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self._names = tuple(names)
        self._counts: list[Counter[str]] = []
        self._news = threading.Event()
        self._report = False

    def counter(self) -> Counter[str]:
        """One for each thread that counts."""
        self._counts.append(Counter(dict.fromkeys(self._names, 0)))
        return self._counts[-1]

    def end(self, *_: object) -> None:
        self.over.set()
        self._news.set()

    def _ask(self, *_: object) -> None:
        self._report = True
        self._news.set()

    def wait(self, loops: list[iip.Loop]) -> None:
        """In the main thread, until a signal, the end of --duration or of a loop. Writes statistics when asked to."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.end)
        signal.signal(signal.SIGUSR1, self._ask)
        until = self.began + self.args.duration if self.args.duration else float("inf")
        while not self.over.is_set() and time.monotonic() < until:
            self._news.wait(min(3600.0, max(0.0, until - time.monotonic())))
            self._news.clear()
            if self._report:
                self._report = False
                self.write_stats(loops)
        self.end()

    def write_stats(self, loops: list[iip.Loop]) -> None:
        """Whole: to a temporary name beside it, then renamed."""
        if not self.args.stats_json:
            return
        counters: Counter[str] = Counter()
        stats: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for loop in loops:
            counters.update(loop.counters())
            stats.update(loop.stats())
        for one in self._counts:
            counts.update(one)
        report: dict[str, Any] = {
            "program": self.program,
            "version": iip.__version__,
            "port": self.args.port or "tap:iip0",
            "addresses": " ".join(self.args.addr),
            "listen": self.args.listen,
            "seconds": round(time.monotonic() - self.began, 6),
            **{name: counts[name] for name in self._names},
            "counters": counters,
            "conns": stats["conns"],
            "turns": {name: stats[name] for name in _TURNS},
            "ports": {name: stats[name] for name in _PORTS},
        }
        temporary = f"{self.args.stats_json}.new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
        os.replace(temporary, self.args.stats_json)


def loops_of(engine: iip.Engine, program: str, args: SimpleNamespace) -> list[iip.Loop]:
    if engine.loops < args.loops:
        had = f"the port has {engine.loops} queues, going on with as many"
        print(f"{program}: --loops {args.loops}: {had}", file=sys.stderr)
    return [engine.loop(i) for i in range(engine.loops)]


class Native(Run):
    """One thread a loop, each runs `worker(loop, counts)` as long as `goes_on`."""

    def serve(self, options: dict[str, Any], worker: Callable[[iip.Loop, Counter[str]], None]) -> int:
        with iip.Engine(**options) as engine:
            loops = loops_of(engine, self.program, self.args)
            self._not_ready = len(loops)
            self._lock = threading.Lock()
            threads = [threading.Thread(target=self._work, args=(loop, worker)) for loop in loops]
            with Networking(loops, self.args.model):
                for thread in threads:
                    thread.start()
                self.wait(loops)
                self.write_stats(loops)  # while the connections still live
                for loop, thread in zip(loops, threads, strict=True):
                    loop.wake()
                    thread.join()
            self.write_stats(loops)
        if self.failure:
            raise self.failure
        return 0

    def _work(self, loop: iip.Loop, worker: Callable[[iip.Loop, Counter[str]], None]) -> None:
        try:
            pin(loop.index, self.args.model)
            with loop:
                worker(loop, self.counter())
        except BaseException as error:
            self.failure = error
            self.end()

    def goes_on(self) -> bool:
        return not self.over.is_set()

    def ready(self) -> None:
        """This loop serves now; the last one says so."""
        with self._lock:
            self._not_ready -= 1
        if not self._not_ready:
            say_ready(self.args.addr, self.args.listen)


class Work:
    """What one loop of an Aio does, in its own thread. Override `begin` and `finish`."""

    def __init__(self, run: Aio, index: int) -> None:
        self.run, self.args, self.index = run, run.args, index
        self.counts = run.counter()
        self.loop = asyncio.get_running_loop()
        self.stop = asyncio.Event()

    async def begin(self) -> None:
        """Serves, or starts to do what there is to do."""

    async def finish(self) -> None:
        """The end has come."""

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def ask_to_stop(self) -> None:
        """From another thread."""
        with contextlib.suppress(RuntimeError):  # it ended by itself
            self.loop.call_soon_threadsafe(self.stop.set)


class Aio(Run):
    """asyncio, a loop and its `Work` in each of --loops threads; the main thread has the signals."""

    def __init__(
        self,
        program: str,
        args: SimpleNamespace,
        names: Iterable[str],
        options: dict[str, Any],
        work: Callable[[Aio, int], Work],
    ) -> None:
        super().__init__(program, args, names)
        self.stacks: list[iip.Loop] = []
        self.works: list[Work] = []
        self._make_work = work
        self._options = options
        self._begun = threading.Semaphore(0)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """All loops at work, as long as the block lasts."""
        with iip.Engine(**self._options) as engine:
            self.stacks = loops_of(engine, self.program, self.args)
            threads = [threading.Thread(target=self._work, args=(stack,)) for stack in self.stacks]
            with Networking(self.stacks, self.args.model):
                for thread in threads:
                    thread.start()
                try:
                    for _ in threads:
                        self._begun.acquire()
                    self._raise()
                    yield
                finally:
                    self._end_all(threads)
            self.write_stats(self.stacks)
            self._raise()
            self.ended()

    def ended(self) -> None:
        """All loops are at rest; the engine is still open."""

    def _end_all(self, threads: list[threading.Thread]) -> None:
        self.write_stats(self.stacks)  # while the connections still live
        for work in self.works:
            work.ask_to_stop()
        for thread in threads:
            thread.join()

    def _work(self, stack: iip.Loop) -> None:
        try:
            pin(stack.index, self.args.model)
            with asyncio.Runner(loop_factory=loop_factory(stack)) as runner:
                runner.run(self._work_on(stack))
        except BaseException as error:
            self.failure = error
        self._begun.release()  # if it did not even begin
        self.end()

    async def _work_on(self, stack: iip.Loop) -> None:
        work = self._make_work(self, stack.index)
        self.works.append(work)
        await work.begin()
        self._begun.release()
        await work.stop.wait()
        await work.finish()

    def _raise(self) -> None:
        if self.failure:
            raise self.failure

    def main(self, announce: bool = True) -> int:
        with self.serving():
            if announce:
                say_ready(self._options["addresses"], self.args.listen)
            self.wait(self.stacks)
        return 0


def run(program: str, main: Callable[[], int]) -> NoReturn:
    """Exit code 2 for a port that cannot be opened and the like, 1 for any other failure."""
    try:
        sys.exit(main())
    except iip.Error as error:
        print(f"{program}: {error.strerror}", file=sys.stderr)
        sys.exit(2 if error.kind == iip.StatusClass.USAGE else 1)

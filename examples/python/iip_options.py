"""The command line of the examples: one table to parse, to check and for --help, as examples/c/README.md says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NoReturn

import iip

MODELS = {"unified": iip.Cores.UNIFIED, "split": iip.Cores.SPLIT, "merge": iip.Cores.MERGE}


class WrongValue(Exception):
    """What to give instead."""


@dataclass
class Option:
    name: str
    value: str  # "PORT": for --help; "": a flag
    help: str
    default: Any = None
    read: Callable[[str], Any] = str
    repeats: bool = False


def number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text[:30]) <= most:
            raise WrongValue(f"give a number from {least} to {most}")
        return int(text)

    return read


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise WrongValue("give seconds, for example 2.5")
    return value


def one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise WrongValue(f"give {', '.join(names[:-1])} or {names[-1]}")
        return text

    return read


def not_empty(text: str) -> str:
    if not text:
        raise WrongValue("is empty; see --help")
    return text


def tunable(text: str) -> str:
    if "=" not in text:
        raise WrongValue("give name=value, for example tcp.mss=1400")
    return text


def writable(name: str) -> str:
    """What cannot be written at the end is said at the beginning."""
    if not name:
        raise WrongValue("is empty; name a file")
    try:
        with open(f"{name}.new", "w", encoding="utf-8"):
            pass
        os.unlink(f"{name}.new")
    except OSError as error:
        raise WrongValue(os.strerror(error.errno or 0)) from None
    return name


def _common(listen: int) -> list[Option]:
    return [
        Option("port", "STRING", "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)"),
        Option("addr", "A/PLEN", "our own address; repeatable", read=not_empty, repeats=True),
        Option("gateway", "G", "default gateway; repeatable (IPv4, IPv6)", read=not_empty, repeats=True),
        Option("listen", "PORT", "port that is served", listen, number(1, 65535)),
        Option("pcap", "FILE", "record all packets"),
        Option("set", "NAME=VALUE", "a tunable of the stack; repeatable", read=tunable, repeats=True),
        Option("stats-json", "FILE", "statistics, at the end and on SIGUSR1", read=writable),
        Option("duration", "S", "end after S seconds", 0.0, seconds),
        Option(
            "loops", "N", "loops, one thread each (also --threads); Python code runs in one at a time", 1, number(1, 64)
        ),
        Option(
            "model", "MODEL", "unified; split, merge: networking in a thread of its own", "unified", one_of(*MODELS)
        ),
        Option("threads", "N", "the same as --loops", None, number(1, 64)),
    ]


class Options:
    """Those that all examples take, and an example's own."""

    def __init__(self, program: str, about: str, listen: int, own: Sequence[Option] = ()) -> None:
        self.program, self.about = program, about
        self._all = {option.name: option for option in (*_common(listen), *own)}

    def parse(self, words: Sequence[str] | None = None) -> SimpleNamespace:
        """Ends the program for --help, and with exit code 2 for what it cannot understand."""
        args = SimpleNamespace(
            **{name.replace("-", "_"): [] if o.repeats else o.default for name, o in self._all.items()}
        )
        rest = list(sys.argv[1:] if words is None else words)
        while rest:
            self._take(args, rest)
        args.loops = args.threads or args.loops
        return args

    def _take(self, args: SimpleNamespace, rest: list[str]) -> None:
        word = rest.pop(0)
        if word in ("--help", "-h"):
            self._help()
        name, has_value, text = word.removeprefix("--").partition("=")
        option = self._all.get(name) if word.startswith("--") else None
        if word.startswith("--help=") or (option and not option.value and has_value):
            self.fail(f"{word}: takes no value; --help lists what there is")
        if option is None:
            self.fail(f"{word}: {'no such option' if word[:1] == '-' else 'unexpected'}; --help lists what there is")
        key = name.replace("-", "_")
        if not option.value:
            setattr(args, key, True)
            return
        if not has_value and not rest:
            self.fail(f"{word}: needs a value; --help lists what there is")
        value = self._read(option, text if has_value else rest.pop(0))
        setattr(args, key, [*getattr(args, key), value] if option.repeats else value)

    def _read(self, option: Option, text: str) -> Any:
        try:
            return option.read(text)
        except WrongValue as wrong:
            self.usage(option.name, text, str(wrong))

    def _help(self) -> NoReturn:
        print(f"{self.program}: {self.about}\n")
        for option in self._all.values():
            left = f"--{option.name} {option.value}".rstrip()
            print(f"  {left:24} {option.help}")
        print(f"  {'--help':24} this text")
        sys.exit(0)

    def fail(self, line: str) -> NoReturn:
        print(f"{self.program}: {line}", file=sys.stderr)
        sys.exit(2)

    def usage(self, name: str, value: str | None, remedy: str) -> NoReturn:
        """For what only the example itself can judge."""
        self.fail(f"--{name}{'' if value is None else f' {value}'}: {remedy}")

    def engine(self, args: SimpleNamespace, addresses: Sequence[str] = ()) -> dict[str, Any]:
        """Keyword arguments of iip.Engine."""
        port = args.port or "tap:iip0"
        if "clock=virtual" in port:
            self.usage("port", port, "a virtual clock stands still here; use clock=real")
        if not args.addr and not addresses:
            self.usage("addr", None, "missing; give our own address and prefix length, for example 10.0.0.2/24")
        return {
            "port": port,
            "addresses": list(addresses) or args.addr,
            "routes": [f"default via {gateway}" for gateway in args.gateway],
            "pcap": args.pcap,
            "tunables": dict(text.split("=", 1) for text in args.set),
            "loops": args.loops,
            "cores": int(MODELS[args.model]),
        }

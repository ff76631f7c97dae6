"""How a client and a server share one in-memory port in one process: --self and --self-test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from iip_options import Options

SERVER, CLIENT = ["10.9.0.1/24", "fd09::1/64"], ["10.9.0.2/24", "fd09::2/64"]


def two_ends(options: Options, args: SimpleNamespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the server's engine and of the client's."""
    args.port = args.port or "pair:self-test"
    if not args.port.startswith(("pair:", "sim:")):
        options.usage("port", args.port, "has one end; for --self and --self-test give pair:NAME or sim:NAME")
    args.addr = SERVER
    client = {**options.engine(args, CLIENT), "pcap": None}  # the server's record has all packets too
    return options.engine(args, SERVER), client

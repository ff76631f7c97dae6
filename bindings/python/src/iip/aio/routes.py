"""Which addresses are the stack's business, and which are the kernel's."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address, ip_interface, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WILDCARDS = frozenset((None, "", "*", "0.0.0.0", "::"))
_EVERYWHERE = ("0.0.0.0/0", "::/0")


def _words(value: str | Iterable[str]) -> list[str]:
    return value.replace(",", " ").split() if isinstance(value, str) else list(value)


def _route_networks(routes: str | Iterable[str]) -> Iterable[str]:
    """The destinations of "default via 10.0.0.254, 10.9.0.0/16 via ..."."""
    for route in routes.split(",") if isinstance(routes, str) else routes:
        words = route.split()
        if words[:1] == ["default"]:
            yield _EVERYWHERE[":" in words[-1]]
        elif words:
            yield words[0]


class Routes:
    """Own addresses, the networks that they are in, and those behind gateways."""

    def __init__(self, addresses: str | Iterable[str], routes: str | Iterable[str]) -> None:
        own: list[IPv4Interface | IPv6Interface] = [ip_interface(text) for text in _words(addresses)]
        self._own = {interface.ip for interface in own}
        self._networks: list[IPv4Network | IPv6Network] = [interface.network for interface in own]
        self._networks += [ip_network(text, strict=False) for text in _route_networks(routes)]

    def is_own(self, host: str | None) -> bool:
        """An address to listen on: one of ours, or all of them."""
        if host in WILDCARDS:
            return True
        try:
            return ip_address(host or "") in self._own
        except ValueError:
            return False

    def reaches(self, host: str) -> bool:
        """An address to connect to."""
        try:
            ip = ip_address(host)
        except ValueError:
            return False
        return not ip.is_loopback and any(ip in network for network in self._networks)

"""Which addresses a URL may lead to. A definition must not reach what only this machine can reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""The addresses of a host as texts. Raises OSError when there are none."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# What ipaddress calls global, or did in some version of Python, and is nobody's public server: documentation,
# benchmarks, relays, segment routing, translation within a site, and the metadata address of Azure.
_REFUSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
        "64:ff9b:1::/48", "100::/63", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip


class Forbidden(ValueError):
    """The host leads to an address that only the operator may open."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator listed: ``host``, ``host:port``, ``10.0.0.5``, ``10.0.0.0/8``, ``[::1]:8080``."""

    entries: tuple[str, ...]

    def host(self, host: str, port: int) -> bool:
        """Whatever the name leads to."""
        wanted = normal(host)
        for entry in self.entries:
            name, number = _split(entry)
            if normal(name) == wanted and number in (None, port):
                return True
        return False

    def address(self, address: Address) -> bool:
        return any(
            address.version == network.version and address in network
            for network in map(_network, self.entries)
            if network is not None
        )


def checked(host: str, port: int, allowed: Allowed, resolve: Resolver) -> Sequence[str]:
    """The host's addresses, looked up once; connect to these and to no others.

    Raises:
        Forbidden: one of them is not public and not listed. One is enough: the next look could choose it.
        OSError: the host is not known.
    """
    addresses = list(dict.fromkeys(resolve(host, port)))
    if not addresses:
        raise OSError(f"{host} has no address")
    if allowed.host(host, port):
        return addresses
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not public(address) and not allowed.address(address):
            raise Forbidden(refusal(host, text))
    return addresses


def forbidden_literal(host: str, port: int, allowed: Allowed) -> str | None:
    """What can be said without asking anybody: of addresses however written, and of localhost."""
    if allowed.host(host, port):
        return None
    address = literal(host)
    if address is not None:
        refused = not public(address) and not allowed.address(address)
        return refusal(host, str(address)) if refused else None
    name = normal(host)
    if name == "localhost" or name.endswith(".localhost"):
        loopback = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
        if not any(allowed.address(one) for one in loopback):
            return refusal(host, "this machine")
    return None


def refusal(host: str, address: str) -> str:
    where = host if host == address else f"{host} ({address})"
    return (
        f"{where} is not a public address; whoever operates this server may permit it with"
        f" NOONDAY_HTTP_ALLOW={host}"
    )


def public(address: Address) -> bool:
    """Whether everybody can reach it. What carries an IPv4 address is judged by that, too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return public(inner)
    if any(address.version == network.version and address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """IPv4-mapped, 6to4, NAT64 and the old IPv4-compatible form (:: and ::1 stay what they are)."""
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def literal(host: str) -> Address | None:
    """An address in any of the forms that the system's resolver takes: 127.1, 0x7f000001, 2130706433."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, UnicodeError):
        return None


def system_resolver(host: str, port: int) -> Sequence[str]:
    """All addresses, in the order in which they should be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def normal(host: str) -> str:
    """Hosts are compared without case and without the dot that ends a full name."""
    return host.strip("[]").rstrip(".").lower()


def _split(entry: str) -> tuple[str, int | None]:
    """Host and port; an IPv6 address carries a port only in brackets."""
    head, colon, tail = entry.rpartition(":")
    if colon and tail.isdigit() and (":" not in head or head.endswith("]")):
        return head, int(tail)
    return entry, None


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None

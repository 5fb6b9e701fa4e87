"""Calls to addresses that callers chose: notifications.

Such an address must not lead into our own network (server-side request forgery). A name is resolved once; what it
resolves to is checked, and exactly that is connected to. No redirects, no proxy, no throttle, one attempt a call.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import msgspec

from sms_connector.errors import ErrorKind

from .http import WireError
from .settings import TransportSettings

Resolved = tuple[int, tuple[Any, ...]]
# Host and port to address families with addresses, best first.
Resolver = Callable[[str, int], Sequence[Resolved]]

OUTGOING = TransportSettings(
    read_timeout=10.0, total_timeout=15.0, attempts=1, pool_size=16, max_idle=10.0, max_response_bytes=1024 * 1024
)
# Their last four bytes are the IPv4 address that is reached: NAT64 (RFC 6052), compatible (4291), translated (2765).
_EMBEDDING = tuple(map(IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
# Not reachable by the public, and called global by some of the Python versions we run on. From IANA's registries of
# special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry, …-ipv6-special-registry):
# site-local, the local NAT64 prefix (RFC 8215), segment routing (RFC 9602), documentation (RFC 9637), protocol
# assignments, former 6to4 relays. The last two are Google's endpoints in a VPC ({private,restricted}.googleapis.com).
_RESERVED_6 = ("fec0::/10", "64:ff9b:1::/48", "5f00::/16", "3fff::/20")
_RESERVED_4 = ("192.0.0.0/24", "192.88.99.0/24", "199.36.153.8/30", "199.36.153.4/30")
_RESERVED = tuple(map(ip_network, (*_RESERVED_6, *_RESERVED_4)))


def resolve_by_system(host: str, port: int) -> list[Resolved]:
    return [(found[0], found[4]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class GuardedResolver(msgspec.Struct, frozen=True):
    """A `Resolver` of public addresses, and of the private hosts in `allowed`: names, `*.suffix`, networks."""

    allowed: Sequence[str]
    resolve: Resolver = resolve_by_system

    def __call__(self, host: str, port: int) -> Sequence[Resolved]:
        """Resolve a host. Raises WireError (NOT_PERMITTED) where the host has no address that may be called."""
        found, name = self.resolve(host, port), host.lower().rstrip(".")
        if any(name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in self.allowed):
            return found
        networks = [network for each in self.allowed if (network := _network(each))]
        permitted = [each for each in found if _permits(ip_address(str(each[1][0]).partition("%")[0]), networks)]
        if not permitted:
            what = "the address is in a private network: name its host in SMS_CALLBACK_PRIVATE_HOSTS to allow it"
            raise WireError(what, written=False, kind=ErrorKind.NOT_PERMITTED, again=False)
        return permitted


def _permits(address: IPv4Address | IPv6Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return is_public(address) or any(address in network for network in networks)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return False for private, loopback, link-local (metadata servers), shared, reserved, multicast addresses."""
    if isinstance(address, IPv6Address) and (embedded := _embedded(address)) is not None:
        return is_public(embedded)
    return address.is_global and not address.is_multicast and not any(address in network for network in _RESERVED)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that it stands for."""
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _network(host: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(host, strict=False)
    except ValueError:
        return None

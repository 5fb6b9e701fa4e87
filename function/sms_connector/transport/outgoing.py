"""Calls to addresses that callers chose: results posted to a callback URL.

Such an address must not lead into our own network (server-side request forgery). A name is resolved once; what it resolves
to is checked, and exactly that is connected to: a name that changes its answer between check and connection gains nothing.
Redirects are not followed, the provider's proxy and throttle have no part in it, and one call is one attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock, SecretSource

from .dial import Resolved, Resolver, resolve_by_system
from .failures import WireError
from .http import Lane
from .session import HttpTransport
from .settings import TransportSettings

Address = IPv4Address | IPv6Address
# Networks whose last four bytes are the IPv4 address that is reached: NAT64 (RFC 6052), IPv4-compatible addresses (RFC 4291,
# 2.5.5.1) and IPv4-translated ones (RFC 2765, 2.1).
_EMBEDDING = tuple(map(IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
# Not reachable by the public, and called global by some of the Python versions we run on. From IANA's registries of
# special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry, …-ipv6-special-registry): site-local
# addresses, the local NAT64 prefix (RFC 8215), segment routing (RFC 9602), documentation (RFC 9637), protocol assignments and the
# former 6to4 relays. The last two are Google's own endpoints inside a VPC (private.googleapis.com, restricted.googleapis.com).
_RESERVED = tuple(
    map(
        ip_network,
        (
            "fec0::/10",
            "64:ff9b:1::/48",
            "5f00::/16",
            "3fff::/20",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "199.36.153.8/30",
            "199.36.153.4/30",
        ),
    )
)


class AllowedHosts(msgspec.Struct, frozen=True):
    """Private hosts that may be called all the same: names, `*.suffix`, addresses and networks."""

    names: frozenset[str]
    suffixes: tuple[str, ...]
    networks: tuple[str, ...]

    @classmethod
    def of(cls, hosts: Iterable[str]) -> AllowedHosts:
        names: set[str] = set()
        suffixes: list[str] = []
        networks: list[str] = []
        for host in hosts:
            if host.startswith("*."):
                suffixes.append(host[1:])
            elif _is_network(host):
                networks.append(host)
            else:
                names.add(host)
        return cls(frozenset(names), tuple(suffixes), tuple(networks))

    def has_name(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return name in self.names or name.endswith(self.suffixes)

    def has_address(self, address: Address) -> bool:
        return any(address in ip_network(network, strict=False) for network in self.networks)


class GuardedResolver(msgspec.Struct, frozen=True):
    """A `dial.Resolver` that knows public addresses only, and those that are allowed."""

    allowed: AllowedHosts
    resolve: Resolver = resolve_by_system

    def __call__(self, host: str, port: int) -> Sequence[Resolved]:
        """Raises WireError (NOT_PERMITTED) where the host has no address that may be called."""
        found = self.resolve(host, port)
        if self.allowed.has_name(host):
            return found
        permitted = [each for each in found if self._permits(each)]
        if not permitted:
            raise WireError(
                "the address leads into a private network: name its host in SMS_CALLBACK_PRIVATE_HOSTS if it may be called",
                written=False,
                kind=ErrorKind.NOT_PERMITTED,
                again=False,
            )
        return permitted

    def _permits(self, found: Resolved) -> bool:
        address = ip_address(str(found[1][0]).partition("%")[0])
        return self.allowed.has_address(address) or is_public(address)


def is_public(address: Address) -> bool:
    """Reachable for anybody: not private, loopback, link-local (where metadata servers are), shared, reserved, multicast."""
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(embedded)
    return address.is_global and not address.is_multicast and not any(address in network for network in _RESERVED)


def make_outgoing(
    settings: TransportSettings, *, clock: Clock, secrets: SecretSource, resolve: Resolver
) -> HttpTransport:
    """The transport for such calls. `secrets` are the proxy's, which `settings` names none of."""
    return HttpTransport(settings, clock=clock, gate=_no_gate, secrets=secrets, resolve=resolve)


OUTGOING = TransportSettings(
    connect_timeout=5.0,
    read_timeout=10.0,
    total_timeout=15.0,
    attempts=1,
    pool_size=16,
    max_idle=10.0,
    max_response_bytes=1024 * 1024,
)


def _no_gate(_lane: Lane) -> None:
    """The throttle counts calls to the provider."""


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _is_network(host: str) -> bool:
    try:
        ip_network(host, strict=False)
    except ValueError:
        return False
    return True

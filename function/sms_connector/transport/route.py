"""From a URL and the proxy settings to the hops a connection takes. Pure: nothing is opened here."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from sms_connector.errors import ErrorKind

from .failures import WireError
from .settings import ProxySettings, ProxySsl, unsafe_route

_PORTS = {"http": 80, "https": 443}


class Route(msgspec.Struct, frozen=True):
    """The hops of a connection.

    `first_hop`  whom we connect to, over TLS where `first_tls`
    `tunnel`     the authority of a CONNECT to the first hop
    `inner_tls`  the host to whom TLS is spoken inside the tunnel
    `forwarded`  the first hop is a proxy that reads the request and passes it on
    """

    first_hop: tuple[str, int]
    first_tls: bool
    tunnel: str | None = None
    inner_tls: str | None = None
    forwarded: bool = False


class Target(msgspec.Struct, frozen=True):
    """Where a request goes: `key` names its connections, `authority` is the Host header, `path` has the query."""

    key: tuple[str, str]
    authority: str
    path: str

    @property
    def absolute(self) -> str:
        """The form a forwarding proxy wants (RFC 9112, 3.2.2)."""
        return f"{self.key[0]}://{self.authority}{self.path}"


def parse_target(url: str) -> Target:
    """Raises WireError where the URL can't be put on the wire as it is. The message never repeats the URL."""
    # urlsplit drops tabs and line ends in silence, so the whole is looked at first.
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise _unusable("percent-encode what is not printable ASCII in its path, and write its host in punycode")
    scheme, authority, path, query, _ = urlsplit(url)
    if scheme not in _PORTS or not authority:
        raise _unusable("it has to begin with https:// or http:// and a host")
    if "@" in authority:
        raise _unusable("leave user and password out of it: credentials are secrets")
    return Target((scheme, authority), authority, (path or "/") + (f"?{query}" if query else ""))


def find_route(key: tuple[str, str], proxy: ProxySettings | None) -> Route:
    """The hops to the destination of `key`. Raises WireError where the proxy's mode would not be safe."""
    scheme, authority = key
    host, port = _host_and_port(scheme, authority)
    secure = scheme == "https"
    if proxy is None:
        return Route((host, port), first_tls=secure)
    if problem := unsafe_route(proxy, scheme):
        raise WireError(problem, written=False, kind=ErrorKind.UNSUPPORTED, again=False)
    first_hop, first_tls = (proxy.host, proxy.port), proxy.ssl is ProxySsl.ALWAYS
    if not secure and proxy.ssl is not ProxySsl.TUNNEL:
        return Route(first_hop, first_tls, forwarded=True)
    tunnel = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Route(first_hop, first_tls, tunnel=tunnel, inner_tls=host if secure else None)


def _host_and_port(scheme: str, authority: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise _unusable("its host and port can't be read")
    return host, port or _PORTS[scheme]


def _unusable(fix: str) -> WireError:
    return WireError(f"the URL can't be used: {fix}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)

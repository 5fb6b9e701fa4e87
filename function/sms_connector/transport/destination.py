"""Where a request goes: a URL, checked so that it can be written as it stands."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from sms_connector.errors import ErrorKind

from .failures import WireError

_PORTS = {"http": 80, "https": 443}


class Destination(msgspec.Struct, frozen=True):
    """`authority` is the Host header, `path` has the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def key(self) -> tuple[str, str]:
        return self.scheme, self.authority

    @property
    def absolute(self) -> str:
        """The form a forwarding proxy wants (RFC 9112, 3.2.2)."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def host_and_port(self) -> str:
        """The form that CONNECT wants (RFC 9112, 3.2.3)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_destination(url: str) -> Destination:
    """Raise WireError where the URL can't be put on the wire as it is. The message never repeats the URL."""
    # urlsplit drops tabs and line ends silently, so the whole is checked first.
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise _unusable("percent-encode what is not printable ASCII in its path, and write its host in punycode")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.netloc:
        raise _unusable("it has to begin with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise _unusable("leave user and password out of it: credentials are secrets")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise _unusable("its host and port can't be read")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port or _PORTS[parts.scheme], parts.netloc, path)


def _unusable(fix: str) -> WireError:
    return WireError(f"the URL can't be used: {fix}", written=False, kind=ErrorKind.INVALID_REQUEST, again=False)

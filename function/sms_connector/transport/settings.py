"""The transport's settings. What each SSL mode of a proxy does: docs/settings.md."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ProxyAuth(StrEnum):
    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"


class ProxySsl(StrEnum):
    """As Google's Integration Connectors name them, and mean `auto`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"
    TUNNEL = "tunnel"


class ProxySettings(msgspec.Struct, frozen=True):
    """The proxy between us and the provider. Its credentials are the secrets `proxy-username` and `proxy-password`."""

    host: str
    port: int
    auth: ProxyAuth = ProxyAuth.NONE
    ssl: ProxySsl = ProxySsl.AUTO

    @property
    def url(self) -> str:
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def forwards(self, scheme: str) -> bool:
        """Return whether it passes on requests to destinations of this scheme, instead of opening a tunnel."""
        return scheme == "http" and self.ssl is not ProxySsl.TUNNEL


class TransportSettings(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in bytes. Why `max_idle` and `rest`: docs/decisions/0002-transport.md.

    `connect_timeout` bounds TCP, the proxy's tunnel and TLS, `read_timeout` silence, both together an attempt,
    `total_timeout` one `send` with its pauses: no attempt starts whose own two timeouts don't fit in. `pool_size`
    connections are kept for each of the `max_pools` destinations used last. Repetitions are at most `retry_ratio` of a
    node's calls, and `retry_reserve` beyond it.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 15.0
    total_timeout: float = 45.0
    attempts: int = 4
    backoff_base: float = 0.5
    backoff_cap: float = 8.0
    retry_ratio: float = 0.1
    retry_reserve: int = 10
    pool_size: int = 64
    max_pools: int = 32
    max_idle: float = 50.0
    rest: float = 0.005
    max_response_bytes: int = 16 * 1024 * 1024
    user_agent: str = "sms-connector"
    proxy: ProxySettings | None = None
    ca_file: str | None = None


def unsafe_route(proxy: ProxySettings | None, scheme: str) -> str | None:
    """Return why this proxy must not be used for a destination of this scheme; None if it may."""
    if proxy is None or proxy.ssl is not ProxySsl.NEVER or scheme != "https":
        return None
    return (
        "SMS_PROXY_SSL=never would hand credentials and messages for an https destination to the proxy in clear text: "
        "use auto or tunnel (or always, when the proxy itself speaks TLS)"
    )

"""How the transport behaves, as values. What each SSL mode of a proxy does: docs/settings.md."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class ProxyAuth(StrEnum):
    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"


class ProxySsl(StrEnum):
    """Names and meaning of `auto` are Google Integration Connectors'."""

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
        """Does it read requests to destinations of this scheme and pass them on, where it could open a tunnel?"""
        return scheme == "http" and self.ssl is not ProxySsl.TUNNEL


class TransportSettings(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in bytes.

    `connect_timeout` bounds everything until the request may be written: TCP, the proxy's tunnel, TLS. (A name is looked up by the
    system's resolver, which has its own limit.) `read_timeout` is the longest silence while we write or wait. Both together bound
    an attempt, however steadily its answer drips. `total_timeout` bounds one `send` from its first attempt on, pauses included: no
    attempt starts whose own two timeouts don't fit in, so that a hurry never turns a send into an unknown one.

    `max_idle`: an idle connection older than this is not used again: load balancers commonly close after 60 s, and a request that
    crosses the close on the wire has an unknown outcome. `rest`: nor is one that has just answered: some servers close after an
    answer without having announced it, and a moment later that can be seen. `pool_size` connections are kept for each of the
    `max_pools` destinations used last: callers choose where notifications go.

    `retry_ratio`, `retry_reserve`: repetitions are at most this share of calls, and this many beyond it, per node.
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
    """Why this proxy must not be used for a destination of this scheme; None when it may."""
    if proxy is None or proxy.ssl is not ProxySsl.NEVER or scheme != "https":
        return None
    return (
        "SMS_PROXY_SSL=never would hand credentials and messages for an https destination to the proxy in clear text: "
        "use auto or tunnel (or always, when the proxy itself speaks TLS)"
    )

"""Opens connections: TCP, TLS to the proxy, the proxy's tunnel, TLS to the destination. All within one connect timeout.

Whatever fails here failed before the request could be written.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import certifi

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock

from .failures import WireError
from .proxy_auth import Handshake, ProxyAuthenticator
from .route import Route
from .settings import TransportSettings
from .wire import Reply, Wire, describe

if TYPE_CHECKING:
    from .wire import Socket

Resolved = tuple[int, tuple[Any, ...]]
# Host and port to address families with addresses, best first.
Resolver = Callable[[str, int], Sequence[Resolved]]


def resolve_by_system(host: str, port: int) -> list[Resolved]:
    """What the system's resolver says; raises its errors."""
    return [(found[0], found[4]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Dialer:
    """Opens a connection along a route."""

    def __init__(
        self, settings: TransportSettings, *, clock: Clock, authenticator: ProxyAuthenticator, resolve: Resolver
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._authenticator = authenticator
        self._resolve = resolve

    def open(self, route: Route) -> Wire:
        """A connection on which the request may be written. Raises WireError with `written` false."""
        deadline = self._clock.monotonic() + self._settings.connect_timeout
        if route.tunnel is None:
            return self._first_hop(route, deadline)
        wire = self._tunnel(route, deadline)
        if route.inner_tls is None:
            return self._wrap(wire.detach())
        return self._wrap(self._secure(wire.detach(), route.inner_tls, deadline=deadline))

    def _first_hop(self, route: Route, deadline: float) -> Wire:
        host = route.first_hop[0]
        is_proxy = route.forwarded or route.tunnel is not None
        sock: Socket = self._connect(route.first_hop, deadline, is_proxy=is_proxy)
        return self._wrap(self._secure(sock, host, deadline=deadline) if route.first_tls else sock)

    def _connect(self, address: tuple[str, int], deadline: float, *, is_proxy: bool) -> socket.socket:
        place = f"{address[0]}:{address[1]}"
        with _failing(f"to the proxy {place} (SMS_PROXY_URL)" if is_proxy else f"to {place}"):
            found = self._resolve(*address)
            for left in range(len(found), 1, -1):
                # One address that swallows packets (often IPv6) leaves the others their share of the time.
                try:
                    return self._connect_one(found[-left], self._remaining(deadline) / left)
                except OSError:
                    continue
            return self._connect_one(found[-1], self._remaining(deadline))

    def _connect_one(self, found: Resolved, timeout: float) -> socket.socket:
        family, address = found
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return sock

    def _secure(self, sock: Socket, host: str, *, deadline: float) -> Socket:
        try:
            with _failing(f"to {host} over TLS"):
                sock.settimeout(self._remaining(deadline))
                if isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket):
                    return self._tls.wrap_socket(sock, server_hostname=host)
                return self._secure_twice(sock, host)
        except BaseException:
            sock.close()
            raise

    def _secure_twice(self, sock: Socket, host: str) -> Socket:
        # TLS in TLS, which the ssl module's sockets can't do; imported here, since few have a proxy that speaks TLS.
        from urllib3.util.ssltransport import SSLTransport

        return SSLTransport(sock, self._tls, server_hostname=host)  # type: ignore[arg-type]  # it takes any socket

    def _tunnel(self, route: Route, deadline: float) -> Wire:
        """A connection to the proxy whose CONNECT was granted, with as many tries as its handshake needs."""
        handshake = self._authenticator.begin()
        wire = self._first_hop(route, deadline)
        try:
            while True:
                reply = self._ask(wire, route, handshake=handshake, deadline=deadline)
                if reply.status < 300:
                    handshake.settle()
                    return wire
                _raise_unless_challenge(reply)
                handshake.answer(challenges_of(reply))
                if not reply.reusable:
                    wire.close()
                    wire = self._first_hop(route, deadline)
        except BaseException:
            wire.close()
            raise

    def _ask(self, wire: Wire, route: Route, *, handshake: Handshake, deadline: float) -> Reply:
        authority = route.tunnel or ""
        header = handshake.header("CONNECT", authority)
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {self._settings.user_agent}\r\n"
        if header is not None:
            head += f"Proxy-Authorization: {header}\r\n"
        try:
            return wire.exchange(f"{head}\r\n".encode("latin-1"), method="CONNECT", deadline=deadline)
        except WireError as failure:
            # What the proxy did or did not read was no request of ours.
            raise WireError(f"the proxy opened no tunnel: {failure.what}", written=False, kind=failure.kind) from None

    def _wrap(self, sock: Socket) -> Wire:
        settings = self._settings
        return Wire(
            sock,
            read_timeout=settings.read_timeout,
            max_bytes=settings.max_response_bytes,
            monotonic=self._clock.monotonic,
        )

    def _remaining(self, deadline: float) -> float:
        remaining = deadline - self._clock.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made at the first https connection: reading the authorities takes some 20 ms.
        return make_tls_context(self._settings.ca_file)


def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trusts the public authorities and those of the extra file; TLS 1.2 at least."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def challenges_of(reply: Reply) -> list[str]:
    """The values of Proxy-Authenticate, one per header line."""
    return [value.decode("latin-1") for name, value in reply.headers if name.lower() == b"proxy-authenticate"]


def _raise_unless_challenge(reply: Reply) -> None:
    if reply.status == 407:
        return
    # 5xx and 429: the proxy could not reach the destination now. Other answers are its rules, which don't change by
    # asking.
    passing = reply.status >= 500 or reply.status == 429
    fix = "" if passing else ": it has to allow CONNECT to this host and port (SMS_PROXY_SSL says when we ask for one)"
    raise WireError(f"the proxy opened no tunnel, its answer was {reply.status}{fix}", written=False, again=passing)


@contextmanager
def _failing(whither: str) -> Iterator[None]:
    """Turns what the operating system and TLS raise into a WireError that says what could not be reached, and why."""
    try:
        yield
    except TimeoutError:
        raise WireError(f"no connection {whither} in time", written=False, kind=ErrorKind.TIMEOUT) from None
    except socket.gaierror as error:
        raise WireError(f"the name of {whither[3:]} was not found ({error.strerror})", written=False) from None
    except ssl.SSLCertVerificationError as error:
        fix = "a private authority has to be named by SMS_CA_FILE"
        raise WireError(f"no connection {whither}: {describe(error)}; {fix}", written=False, again=False) from None
    except (OSError, UnicodeError, OverflowError) as error:
        what = describe(error) if isinstance(error, OSError) else "the host's name is not usable"
        raise WireError(f"no connection {whither}: {what}", written=False) from None

"""Opens connections: TCP, TLS to the proxy, the proxy's tunnel, TLS to the destination. All within one connect timeout.

Whatever fails here failed before the request could be written.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPException

import certifi
from urllib3.util.ssltransport import SSLTransport

from sms_connector.errors import ErrorKind
from sms_connector.ports import Clock

from .connection import Answer, Bounds, Connection, Destination, Socket, frame
from .failures import WireError, describe
from .outgoing import Resolved, Resolver
from .proxy_auth import ProxyAuthenticator
from .settings import ProxySettings, ProxySsl, TransportSettings, unsafe_route


class Dialer:
    """Makes connections to destinations, through the proxy where there is one."""

    def __init__(
        self, settings: TransportSettings, clock: Clock, authenticator: ProxyAuthenticator, resolve: Resolver
    ) -> None:
        self._settings, self._clock = settings, clock
        self._authenticator, self._resolve = authenticator, resolve

    def connect(self, destination: Destination) -> Connection:
        """Return a connection on which the request may be written. Raises WireError with `written` false."""
        return Connection(self._open(destination), Bounds(self._settings, self._clock.monotonic))

    def _open(self, destination: Destination) -> Socket:
        proxy, secure = self._settings.proxy, destination.scheme == "https"
        deadline = self._clock.monotonic() + self._settings.connect_timeout
        if proxy is None:
            sock: Socket = self._connect(destination.host, destination.port, deadline)
        elif problem := unsafe_route(proxy, destination.scheme):
            raise WireError(problem, written=False, kind=ErrorKind.UNSUPPORTED, again=False)
        elif proxy.forwards(destination.scheme):
            return self._open_proxy(proxy, deadline)
        else:
            host = f"[{destination.host}]" if ":" in destination.host else destination.host
            sock = self._tunnel(proxy, f"{host}:{destination.port}", deadline)
        return self._secure(sock, destination.host, deadline) if secure else sock

    def _open_proxy(self, proxy: ProxySettings, deadline: float) -> Socket:
        sock = self._connect(proxy.host, proxy.port, deadline, "the proxy {} (SMS_PROXY_URL)")
        return self._secure(sock, proxy.host, deadline) if proxy.ssl is ProxySsl.ALWAYS else sock

    def _connect(self, host: str, port: int, deadline: float, place: str = "{}") -> socket.socket:
        with _failing(place.format(f"{host}:{port}")):
            found = self._resolve(host, port)
            for left in range(len(found), 1, -1):
                # One address that swallows packets (often IPv6) leaves the others their share of the time.
                try:
                    return _connect_one(found[-left], self._remaining(deadline) / left)
                except OSError:
                    continue
            return _connect_one(found[-1], self._remaining(deadline))

    def _secure(self, sock: Socket, host: str, deadline: float) -> Socket:
        try:
            with _failing(f"{host} over TLS"):
                sock.settimeout(self._remaining(deadline))
                if isinstance(sock, ssl.SSLSocket):  # TLS in TLS, which the ssl module's sockets can't do
                    return SSLTransport(sock, self._tls, server_hostname=host)
                return self._tls.wrap_socket(sock, server_hostname=host)  # type: ignore[arg-type]  # a plain one by now
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, proxy: ProxySettings, authority: str, deadline: float) -> Socket:
        """Return a connection to the proxy whose CONNECT was granted; each try of the handshake gets one of its own."""

        def ask(authorization: str | None) -> tuple[Socket, str | None]:
            sock = self._open_proxy(proxy, deadline)
            try:
                answer = self._ask(sock, authority, authorization, deadline)
                if answer.status < 300:
                    return sock, None
                if answer.status != 407:
                    raise _refused_tunnel(answer.status)
                sock.close()
                return sock, answer.getheader("proxy-authenticate", "")
            except BaseException:
                sock.close()
                raise

        return self._authenticator.exchange("CONNECT", authority, ask)

    def _ask(self, sock: Socket, authority: str, authorization: str | None, deadline: float) -> Answer:
        headers = {"Host": authority, "User-Agent": self._settings.user_agent}
        if authorization is not None:
            headers["Proxy-Authorization"] = authorization
        connection = Connection(sock, Bounds(self._settings, self._clock.monotonic, deadline))
        try:
            with connection.exchange(frame(f"CONNECT {authority} HTTP/1.1", headers), "CONNECT") as answer:
                return answer
        except WireError as failure:
            # What the proxy did or did not read was no request of ours.
            raise WireError(f"the proxy opened no tunnel: {failure.what}", written=False, kind=failure.kind) from None
        except HTTPException:
            raise WireError("the proxy opened no tunnel: its answer is not readable as HTTP", written=False) from None

    def _remaining(self, deadline: float) -> float:
        if (remaining := deadline - self._clock.monotonic()) <= 0:
            raise TimeoutError
        return remaining

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made at the first https connection: reading the authorities takes some 20 ms.
        return make_tls_context(self._settings.ca_file)


def make_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the public authorities and those of the extra file; TLS 1.2 at least."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _connect_one(found: Resolved, timeout: float) -> socket.socket:
    """Exactly this address: a numeric one, which is asked of no resolver again."""
    sock = socket.create_connection(found[1][:2], timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _refused_tunnel(status: int) -> WireError:
    # 5xx and 429: the proxy could not reach the destination now. Other answers are its rules: asking changes none of them.
    passing = status >= 500 or status == 429
    fix = "" if passing else ": it has to allow CONNECT to this host and port (SMS_PROXY_SSL says when we ask for one)"
    return WireError(f"the proxy opened no tunnel, its answer was {status}{fix}", written=False, again=passing)


@contextmanager
def _failing(place: str) -> Iterator[None]:
    """Turn what the operating system and TLS raise into a WireError that says what could not be reached, and why."""
    try:
        yield
    except TimeoutError:
        raise WireError(f"no connection to {place} in time", written=False, kind=ErrorKind.TIMEOUT) from None
    except socket.gaierror as error:
        raise WireError(f"the name of {place} was not found ({error.strerror})", written=False) from None
    except (OSError, UnicodeError, OverflowError) as error:
        what = describe(error) if isinstance(error, OSError) else "the host's name is not usable"
        untrusted = isinstance(error, ssl.SSLCertVerificationError)
        fix = "; a private authority has to be named by SMS_CA_FILE" if untrusted else ""
        raise WireError(f"no connection to {place}: {what}{fix}", written=False, again=not untrusted) from None

"""Authentication at the proxy: none, basic, or digest (RFC 7616), for forwarded requests and for CONNECT alike.

Credentials are read when used, and again when the proxy refused them, for a rotation. Digest counts the uses of a
nonce, and proxies (squid) take a late count for a replay: one exchange at a time uses a nonce.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar

from requests.auth import HTTPDigestAuth
from requests.utils import parse_dict_header

from sms_connector.errors import ErrorKind
from sms_connector.ports import Secret, SecretSource

from .http import WireError
from .settings import ProxyAuth, ProxySettings

T = TypeVar("T")
Credentials = tuple[Secret, Secret]

_USERNAME, _PASSWORD = "proxy-username", "proxy-password"  # names of secrets
_TRIES = 4  # no nonce, a stale one and a password just rotated, all in one exchange
_ALGORITHMS = ("MD5", "MD5-SESS", "SHA", "SHA-256", "SHA-512")  # what requests computes
# Challenges come as a list: a new one begins with a scheme, a space and a first parameter.
_BETWEEN_CHALLENGES = re.compile(r"\s*,\s*(?=[A-Za-z][\w-]*\s+[\w-]+\s*=)")


class ProxyAuthenticator:
    """Authenticate exchanges with the proxy; keep the nonces that none of them uses."""

    def __init__(self, proxy: ProxySettings | None, secrets: SecretSource) -> None:
        self._scheme = proxy.auth if proxy is not None else ProxyAuth.NONE
        self._secrets, self._places = secrets, f"{secrets.where(_USERNAME)} and {secrets.where(_PASSWORD)}"
        self._nonces: deque[_Nonce] = deque(maxlen=64)

    def exchange(self, method: str, target: str, ask: Callable[[str | None], tuple[T, str | None]]) -> T:
        """Return the result of `ask`, which takes Proxy-Authorization and also returns a 407's Proxy-Authenticate
        values, or None. Raises WireError where another try is pointless."""
        if self._scheme is ProxyAuth.DIGEST:
            return self._exchange_digest(method, target, ask)
        while True:
            credentials = self._read() if self._scheme is ProxyAuth.BASIC else None
            # Basic is sent without being asked for (RFC 7617).
            got, challenges = ask(
                f"Basic {b64encode(':'.join(credentials).encode()).decode()}" if credentials else None
            )
            if challenges is None:
                return got
            offered = _schemes(challenges)
            if credentials is None:
                raise _refused(f"it asks for credentials ({offered}): set SMS_PROXY_AUTH and the proxy's secrets")
            if "basic" not in offered.lower().split(", "):
                raise _refused(f"it asks for {offered}, not basic: set SMS_PROXY_AUTH accordingly")
            self._read_again(credentials)

    def _exchange_digest(self, method: str, target: str, ask: Callable[[str | None], tuple[T, str | None]]) -> T:
        nonce, challenged = self._nonces.pop() if self._nonces else None, False
        for _ in range(_TRIES):
            got, challenges = ask(nonce.authorize(method, target) if nonce else None)
            if challenges is None:
                if nonce is not None:
                    self._nonces.append(nonce)
                return got
            challenge, credentials = _find_digest(challenges), self._read()
            if nonce is not None and challenged and challenge.get("stale", "").lower() != "true":
                credentials = self._read_again(nonce.credentials)
            nonce, challenged = _Nonce(credentials, challenge), True
        raise _refused("it calls each of its own nonces stale: its clock or its nonce settings are wrong")

    def _read(self) -> Credentials:
        secrets = self._secrets
        username, password = secrets.get(_USERNAME), secrets.get(_PASSWORD)
        if username is not None and (not username.isprintable() or ":" in username):
            where = secrets.where(_USERNAME)
            raise _refused(f"a user name can't hold a colon or a line end (RFC 7617): correct {where}")
        if username is None or password is None:
            raise _refused(f"it needs credentials: put them at {self._places}")
        return username, password

    def _read_again(self, refused: Credentials) -> Credentials:
        """Read the credentials after a rotation. Raises WireError for the refused ones: proxies lock accounts."""
        self._secrets.refresh()
        if (credentials := self._read()) == refused:
            raise _refused(f"it does not accept the credentials at {self._places}")
        return credentials


class _Nonce:
    def __init__(self, credentials: Credentials, challenge: dict[str, str]) -> None:
        self.credentials, self._challenge = credentials, challenge
        self._digest = HTTPDigestAuth(str(credentials[0]), str(credentials[1]))
        # requests keeps nonce and count per thread. Ours go from thread to thread, one at a time.
        state = SimpleNamespace(init=True, chal=challenge, last_nonce="", nonce_count=0, pos=None, num_401_calls=None)
        self._digest._thread_local = state  # type: ignore[attr-defined]  # the one way to hand it a challenge

    def authorize(self, method: str, target: str) -> str:
        # requests signs the path of a URL; a target (host:port, a whole URL) is the path of an unknown scheme.
        header = self._digest.build_digest_header(method, f"x:{target}")  # type: ignore[no-untyped-call]  # bare stub
        if header is None:
            raise _refused("it asks for a digest we don't speak")
        # A quoted string escapes these two (RFC 7616, 3.4; RFC 9110, 5.6.4), which requests leaves out. The hash stays.
        for name, value in (("username", str(self.credentials[0])), *self._challenge.items()):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            header = header.replace(f'{name}="{value}"', f'{name}="{escaped}"', 1)
        # The hash is made from UTF-8; Latin-1 on the wire would be another name.
        return str(header).encode().decode("latin-1")


def _find_digest(challenges: str) -> dict[str, str]:
    """Return the parameters of the first digest we can answer: the proxy prefers the first (RFC 7616, 3.7)."""
    for challenge in _BETWEEN_CHALLENGES.split(challenges.strip()):
        scheme, _, parameters = challenge.partition(" ")
        parsed = parse_dict_header(parameters)  # type: ignore[no-untyped-call]  # bare stub
        found = {name.strip().lower(): str(value) for name, value in parsed.items() if value is not None}
        found["qop"] = ",".join(quality.strip().lower() for quality in found.get("qop", "").split(","))
        known = found.get("algorithm", "MD5").upper() in _ALGORITHMS and found["qop"] != "auth-int"
        if scheme.lower() == "digest" and known and "realm" in found and "nonce" in found:
            return found
    raise _refused(f"it asks for {_schemes(challenges)}, none a digest we speak: set SMS_PROXY_AUTH accordingly")


def _schemes(challenges: str) -> str:
    return (
        ", ".join(part.partition(" ")[0] for part in _BETWEEN_CHALLENGES.split(challenges.strip()))
        or "a scheme it does not name"
    )


def _refused(why: str) -> WireError:
    return WireError(f"the proxy refused us: {why}", written=False, kind=ErrorKind.AUTHENTICATION, again=False)

"""Who we are to the proxy: nothing, basic, or digest (RFC 7616), for forwarded requests and for CONNECT alike.

A handshake is the conversation about one exchange: `header()` before each try, `answer()` when the proxy said 407.
It gives up by raising; the credentials are read when used, and read anew once when the proxy refused them, so a
rotation needs no restart.

Digest counts how often a nonce was used, and proxies (squid) take a count that comes late for a replay. So a nonce
is used by one exchange at a time and handed back afterwards: always in order, whatever the number of threads, and
known beforehand the next time.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Protocol

from sms_connector.errors import ErrorKind
from sms_connector.ports import Secret, SecretSource

from .failures import WireError
from .settings import ProxyAuth

if TYPE_CHECKING:
    from requests.auth import HTTPDigestAuth

_USERNAME, _PASSWORD = "proxy-username", "proxy-password"  # names of secrets
# No nonce, a stale one, a password just rotated: four tries hold them all in one exchange.
_TRIES = 4
# A list of challenges can come in one header line: a new one begins with a scheme, a space and a first parameter.
_BETWEEN_CHALLENGES = re.compile(r",\s*(?=[A-Za-z][\w-]*\s+[\w-]+\s*=)")

Credentials = tuple[Secret, Secret]


class Handshake(Protocol):
    def header(self, method: str, target: str, /) -> str | None:
        """The value of Proxy-Authorization for the next try."""

    def answer(self, challenges: Sequence[str]) -> None:
        """The proxy said 407 with these Proxy-Authenticate values. Raises WireError where another try is pointless."""

    def settle(self) -> None:
        """The proxy let us through."""


class ProxyAuthenticator(Protocol):
    def begin(self) -> Handshake:
        """A new exchange with the proxy."""


class NoAuthenticator:
    """`SMS_PROXY_AUTH=none`."""

    def begin(self) -> Handshake:
        return _NoHandshake()


class BasicAuthenticator:
    """`SMS_PROXY_AUTH=basic`: told at once, without being asked (RFC 7617)."""

    def __init__(self, secrets: SecretSource) -> None:
        self._secrets = secrets

    def begin(self) -> Handshake:
        return _BasicHandshake(self._secrets)


class DigestAuthenticator:
    """`SMS_PROXY_AUTH=digest`: keeps the nonces that are at rest."""

    def __init__(self, secrets: SecretSource) -> None:
        self._secrets = secrets
        self._at_rest: deque[_Nonce] = deque(maxlen=64)

    def begin(self) -> Handshake:
        return _DigestHandshake(self._secrets, self._at_rest)


def make_authenticator(scheme: ProxyAuth, secrets: SecretSource) -> ProxyAuthenticator:
    if scheme is ProxyAuth.BASIC:
        return BasicAuthenticator(secrets)
    return DigestAuthenticator(secrets) if scheme is ProxyAuth.DIGEST else NoAuthenticator()


class _NoHandshake:
    def header(self, _method: str, _target: str, /) -> None:
        return None

    def answer(self, challenges: Sequence[str]) -> None:
        raise _refused(f"it asks for credentials ({_schemes(challenges)}): set SMS_PROXY_AUTH and the proxy's secrets")

    def settle(self) -> None:
        return


class _BasicHandshake:
    def __init__(self, secrets: SecretSource) -> None:
        self._secrets = secrets
        self._credentials: Credentials | None = None

    def header(self, _method: str, _target: str, /) -> str:
        username, password = self._credentials = _read(self._secrets)
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")

    def answer(self, challenges: Sequence[str]) -> None:
        if "basic" not in _schemes(challenges).lower().split(", "):
            raise _refused(f"it asks for {_schemes(challenges)}, not basic: set SMS_PROXY_AUTH accordingly")
        _read_anew(self._secrets, refused=self._credentials)

    def settle(self) -> None:
        return


class _DigestHandshake:
    def __init__(self, secrets: SecretSource, at_rest: deque[_Nonce]) -> None:
        self._secrets = secrets
        self._at_rest = at_rest
        self._nonce = at_rest.pop() if at_rest else None
        self._challenged = False
        self._tries = 0

    def header(self, method: str, target: str, /) -> str | None:
        return None if self._nonce is None else self._nonce.authorize(method, target)

    def answer(self, challenges: Sequence[str]) -> None:
        self._tries += 1
        challenge = _find_digest(challenges)
        credentials = _read(self._secrets)
        if self._nonce is not None and self._challenged and challenge.get("stale", "").lower() != "true":
            credentials = _read_anew(self._secrets, refused=self._nonce.credentials)
        if self._tries >= _TRIES:
            raise _refused("it calls each of its own nonces stale: its clock or its nonce settings are wrong")
        self._nonce, self._challenged = _Nonce(credentials, challenge), True

    def settle(self) -> None:
        if self._nonce is not None:
            self._at_rest.append(self._nonce)
            self._nonce = None


class _Nonce:
    """One nonce of the proxy with its count; the arithmetic is requests'."""

    def __init__(self, credentials: Credentials, challenge: dict[str, str]) -> None:
        self.credentials = credentials
        self._challenge = challenge
        self._digest = _make_digest(credentials, challenge)

    def authorize(self, method: str, target: str) -> str:
        # requests takes a URL and signs its path; the target of CONNECT (host:port) and of a forwarded request (a whole
        # URL) has to be signed as it stands, which is what the path of a URL with an unknown scheme is.
        header = self._digest.build_digest_header(method, f"x:{target}")  # type: ignore[no-untyped-call]  # bare stub
        if header is None:
            raise _refused("it asks for a digest we don't speak")
        # The hash is made from UTF-8; Latin-1 on the wire would be another name.
        return self._quoted(str(header)).encode().decode("latin-1")

    def _quoted(self, header: str) -> str:
        """Escape what a quoted string must not hold as it is (RFC 7616, 3.4; RFC 9110, 5.6.4): requests escapes nothing.

        The hash is made of the values themselves, so only the header changes.
        """
        for name, value in (("username", str(self.credentials[0])), *self._challenge.items()):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            if escaped != value:
                header = header.replace(f'{name}="{value}"', f'{name}="{escaped}"', 1)
        return header


def _make_digest(credentials: Credentials, challenge: dict[str, str]) -> HTTPDigestAuth:
    # Imported here: only a connection with a digest proxy pays for it.
    from requests.auth import HTTPDigestAuth

    digest = HTTPDigestAuth(str(credentials[0]), str(credentials[1]))
    # requests keeps nonce and count per thread. Ours go from thread to thread, one at a time.
    state = SimpleNamespace(init=True, chal=challenge, last_nonce="", nonce_count=0, pos=None, num_401_calls=None)
    digest._thread_local = state  # type: ignore[attr-defined]  # the one way to hand it a challenge
    return digest


def _find_digest(challenges: Sequence[str]) -> dict[str, str]:
    """The parameters of the first digest we can answer: the proxy lists what it likes best first (RFC 7616, 3.7)."""
    from requests.utils import parse_dict_header

    for challenge in _split(challenges):
        scheme, _, parameters = challenge.partition(" ")
        if scheme.lower() != "digest":
            continue
        parsed = parse_dict_header(parameters)  # type: ignore[no-untyped-call]  # bare stub
        found = {name.strip().lower(): str(value) for name, value in parsed.items() if value is not None}
        found["qop"] = ",".join(quality.strip().lower() for quality in found.get("qop", "").split(","))
        if _is_known(found):
            return found
    raise _refused(f"it asks for {_schemes(challenges)}, none a digest we speak: set SMS_PROXY_AUTH accordingly")


def _is_known(challenge: dict[str, str]) -> bool:
    algorithm = challenge.get("algorithm", "MD5").upper()
    known = algorithm in ("MD5", "MD5-SESS", "SHA", "SHA-256", "SHA-512")
    return known and "realm" in challenge and "nonce" in challenge and challenge["qop"] != "auth-int"


def _split(challenges: Sequence[str]) -> list[str]:
    return [part.strip() for value in challenges for part in _BETWEEN_CHALLENGES.split(value)]


def _schemes(challenges: Sequence[str]) -> str:
    return ", ".join(part.partition(" ")[0] for part in _split(challenges)) or "a scheme it does not name"


def _read(secrets: SecretSource) -> Credentials:
    username, password = secrets.get(_USERNAME), secrets.get(_PASSWORD)
    if username is not None and (not username.isprintable() or ":" in username):
        raise _refused(f"a user name can't hold a colon or a line end (RFC 7617): correct {secrets.where(_USERNAME)}")
    if username is None or password is None:
        places = f"{secrets.where(_USERNAME)} and {secrets.where(_PASSWORD)}"
        raise _refused(f"it needs credentials: put them at {places}")
    return username, password


def _read_anew(secrets: SecretSource, *, refused: Credentials | None) -> Credentials:
    """The credentials after a rotation; gives up when they are the refused ones still: proxies lock accounts."""
    secrets.refresh()
    credentials = _read(secrets)
    if credentials == refused:
        places = f"{secrets.where(_USERNAME)} and {secrets.where(_PASSWORD)}"
        raise _refused(f"it does not accept the credentials at {places}")
    return credentials


def _refused(why: str) -> WireError:
    return WireError(f"the proxy refused us: {why}", written=False, kind=ErrorKind.AUTHENTICATION, again=False)

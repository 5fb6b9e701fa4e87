"""What providers that are called over HTTP have in common."""

from __future__ import annotations

import hmac
import re
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from sms_connector.errors import (
    CallError,
    ConnectorError,
    CredentialsMissing,
    ErrorKind,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    RefusedOnTheWay,
    RetrySafety,
    Throttled,
)
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.delivery_report import FailureReason
from sms_connector.ports import Clock, Secret, SecretSource
from sms_connector.provider import Provider, ProviderSettings, RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport

T = TypeVar("T")
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

# HTTP Basic on callbacks, where a user name and a password are entered at the provider. These are names, not values.
WEBHOOK_USERNAME, WEBHOOK_PASSWORD = "webhook-username", "webhook-password"
WEBHOOK_PASSWORD_PREVIOUS = "webhook-password-previous"  # noqa: S105
WEBHOOK_SECRETS = (WEBHOOK_USERNAME, WEBHOOK_PASSWORD, WEBHOOK_PASSWORD_PREVIOUS)

_OUR_ID = re.compile(r"msg_[A-Za-z0-9_-]{1,64}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:-]+(?![^/?#])")

# Statuses by which a server or a proxy says that it did not carry the request out (RFC 9110 section 15.5; 421 and 425
# expressly). 408 and 409 are not among them: gateways use them for requests they passed on.
REFUSING = frozenset((*range(400, 408), 410, 411, 413, 414, 415, 417, 421, 425, 426, 428, 431, 451))

# A refusal of a whole call that the provider's own code does not explain better, by its HTTP status.
HTTP_KINDS: Mapping[int, ErrorKind] = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.AUTHENTICATION,
    403: ErrorKind.NOT_PERMITTED,
    404: ErrorKind.NOT_FOUND,
    429: ErrorKind.RATE_LIMITED,
}
# What an operator fixes, or what passes: nothing was sent, and the same may be sent then.
PASSING = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE})


class HttpProvider(Provider):
    """A provider behind an HTTP API."""

    def __init__(
        self, settings: ProviderSettings, *, secrets: SecretSource, transport: Transport, clock: Clock
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._transport = transport
        self._clock = clock
        self._base_url = (settings.base_url or self.default_url or "").rstrip("/")

    def problems(self, *, callbacks: bool = False) -> list[str]:  # noqa: ARG002 - by default callbacks need no secret
        return [missing(self._secrets, name) for name in self._needed_secrets() if not self._secrets.get(name)]

    def check_connection(self) -> ConnectionStatus:
        """Report what `_check` finds; refused credentials are AUTH_ERROR, any other failure ERROR."""
        try:
            return self._check()
        except ProviderRefused as error:
            return self._refused(error)
        except CallError as error:
            refused = error.kind is ErrorKind.AUTHENTICATION
            return ConnectionStatus(ConnectionState.AUTH_ERROR if refused else ConnectionState.ERROR, str(error))
        except Throttled as error:
            return ConnectionStatus(ConnectionState.ERROR, f"not asked: {error}")

    def _needed_secrets(self) -> Sequence[str]:
        """Return the secrets without which no call can be made."""
        return self.secret_names

    @abstractmethod
    def _check(self) -> ConnectionStatus:
        """Query the provider. Raises what a call raises."""

    def _refused(self, error: ProviderRefused) -> ConnectionStatus:
        """Return what the provider's own error means for the connection."""
        said = f"{self.name} answered {error.status}, code {error.code}: {error}"
        if error.kind not in (ErrorKind.AUTHENTICATION, ErrorKind.NOT_PERMITTED):
            return ConnectionStatus(ConnectionState.ERROR, said)
        fix = f"check the secrets {', '.join(self._needed_secrets())}"
        return ConnectionStatus(ConnectionState.AUTH_ERROR, f"{said}; {fix}")

    def _option(self, name: str) -> str | None:
        """Return an option's value, else its default."""
        return self._settings.options.get(name, self.options[name].default)

    def _exchange(self, make_request: Callable[[], HttpRequest]) -> HttpResponse:
        """Send a request, made and signed anew for each attempt; after a 401 (not processed) once more where the
        secrets have changed meanwhile."""

        def secrets() -> list[Secret | None]:
            return [self._secrets.get(name) for name in self.secret_names]

        def send() -> HttpResponse:
            return self._transport.send(replace(make_request(), renew=make_request))

        used = secrets()
        response = send()
        if response.status == 401:
            self._secrets.refresh()
            if secrets() != used:
                response = send()
        return response


def missing(secrets: SecretSource, name: str) -> str:
    return f"secret {name!r} is missing (looked at {secrets.where(name)}); write its value there"


def required(secrets: SecretSource, name: str) -> Secret:
    """Return a secret that a call needs. Raises CredentialsMissing."""
    value = secrets.get(name)
    if not value:
        raise CredentialsMissing(missing(secrets, name))
    return value


def basic(user: str, password: str) -> Secret:
    """Return the header value of HTTP Basic (RFC 7617)."""
    return Secret("Basic " + b64encode(f"{user}:{password}".encode()).decode())


def accepts_webhook_basic(secrets: SecretSource, callback: RawCallback) -> bool:
    """Check a callback's HTTP Basic credentials (the current password and the one before) in constant time. Without a
    user name in the secrets no credentials are required."""
    name = secrets.get(WEBHOOK_USERNAME)
    if not name:
        return True
    given = callback.headers.get("authorization", "").encode()
    passwords = (secrets.get(WEBHOOK_PASSWORD), secrets.get(WEBHOOK_PASSWORD_PREVIOUS))
    known = [hmac.compare_digest(basic(name, value).encode(), given) for value in passwords if value]
    return any(known)


def webhook_basic_problems(secrets: SecretSource) -> list[str]:
    """Return what is missing of a pair of which one is there: neither of them is needed."""
    pair = (WEBHOOK_USERNAME, WEBHOOK_PASSWORD)
    absent = [name for name in pair if not secrets.get(name)]
    if len(absent) != 1:
        return []
    (present,) = set(pair) - set(absent)
    return [f"{missing(secrets, absent[0])}; {present!r} is of no use without it"]


def echoed_id(value: object) -> str | None:
    """Return our id of a message that a provider echoes. Another system's messages may be reported to the same address,
    with references of their own."""
    return value if isinstance(value, str) and _OUR_ID.fullmatch(value) else None


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Read JSON; None where it is anything else. The decoder is a module's, made before any thread uses it (why:
    `model/typed.py`)."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_time(text: str | None) -> datetime | None:
    """Return an ISO 8601 time, which is UTC where it names no zone; None where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def call_refused(kind: ErrorKind, message: str, code: int | str | None, more_info: str | None = None) -> FailureReason:
    """Return the reason of a call that the provider refused whole, verbatim."""
    retry = RetrySafety.SAFE if kind in PASSING else RetrySafety.NEVER
    return FailureReason("provider", kind, message, code, more_info, retry)


def query_error(
    name: str, response: HttpResponse, refused: FailureReason | None, *, repeatable: bool = True
) -> ConnectorError:
    """Return the error of a call that the provider refused for this reason; None: the answer is not the provider's."""
    if refused is None:
        return not_from_provider(name, response, repeatable=repeatable)
    kind, code, link = refused.kind, refused.code, refused.more_info
    return ProviderRefused(refused.message, kind=kind, code=code, more_info=link, status=response.status)


def not_from_provider(name: str, response: HttpResponse, *, repeatable: bool) -> CallError:
    """Return the error for an answer that is neither a 2xx nor the provider's own error: of something in between, or
    another server.

    Its body is not quoted: it may echo the request.
    """
    status, headers = response.status, response.headers
    if 300 <= status < 400 and status != 303:  # 303 is the answer to a POST that was carried out
        target = _ORIGIN.match(headers.get("location", ""))
        where = f" to {target[0]}" if target else ""
        return RefusedOnTheWay(f"the provider URL answered {status}, a redirect{where}; set it to the API itself")
    content, server = headers.get("content-type", "none"), headers.get("server", "not named")
    said = f"{status} without {name}'s error document (content type {content!r}, server {server!r})"
    if status == 407:
        return NotSent(
            f"the proxy answered {said}; check the proxy's user name and password", kind=ErrorKind.AUTHENTICATION
        )
    if repeatable or status in REFUSING:
        message = f"a server on the way, not the provider, answered {said}; check the provider URL and the proxy"
        return NotSent(message, kind=ErrorKind.AUTHENTICATION) if status == 401 else RefusedOnTheWay(message)
    return OutcomeUnknown(f"the answer was {said}")


def split_array(callback: RawCallback, most_bytes: int, *, key: str | None = None) -> Sequence[RawCallback]:
    """Spread a JSON array (the body, or its member `key`) over callbacks of at most `most_bytes` where one element
    fits. The elements stay byte for byte as they came; what is no such array stays whole."""
    if len(callback.body) <= most_bytes:
        return [callback]
    array = callback.body if key is None else bytes((decode(_OBJECT, callback.body) or {}).get(key, b""))
    items = decode(_ARRAY, array)
    if not items:
        return [callback]
    parts: list[list[bytes]] = [[]]
    size = 0
    for item in map(bytes, items):
        if parts[-1] and size + len(item) > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item) + 1
    head, tail = (b"[", b"]") if key is None else (b'{"%s":[' % key.encode(), b"]}")
    return [replace(callback, body=head + b",".join(part) + tail) for part in parts]

"""What providers that are called over HTTP have in common."""

from __future__ import annotations

import hmac
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from sms_connector.errors import CallError, CredentialsMissing, ErrorKind, ProviderRefused, Throttled
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.ports import Clock, Secret, SecretSource
from sms_connector.provider import Provider, ProviderSettings, RawCallback
from sms_connector.transport.http import HttpRequest, HttpResponse, Transport

T = TypeVar("T")
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


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
        """Send a request, signed anew at each call of `make_request`; after a 401 (not processed) once more where the
        secrets have changed meanwhile."""

        def secrets() -> list[Secret | None]:
            return [self._secrets.get(name) for name in self.secret_names]

        used = secrets()
        response = self._transport.send(make_request())
        if response.status == 401:
            self._secrets.refresh()
            if secrets() != used:
                response = self._transport.send(make_request())
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


def accepts_basic(secrets: SecretSource, callback: RawCallback, *, user: str, passwords: Sequence[str]) -> bool:
    """Check a callback's HTTP Basic credentials against the secrets of these names (the current password and the one
    before), in constant time. Where the user's name is not set, nothing is asked for."""
    name = secrets.get(user)
    if not name:
        return True
    given = callback.headers.get("authorization", "").encode()
    values = [value for each in passwords if (value := secrets.get(each))]
    known = [hmac.compare_digest(basic(name, value).encode(), given) for value in values]
    return any(known)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Read JSON; None where it is anything else. The decoder is a module's, made before any thread uses it (why:
    `model/typed.py`)."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


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

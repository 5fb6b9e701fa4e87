"""The connector's API over HTTP: JSON in, JSON out, and patience where asking again is safe.

Asked again: what the connector refused before doing anything (429), what is still running under the same key (409), what
the platform had no instance for (503 with Retry-After), and, where the same request twice has one effect, a lost connection.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from cli.errors import CliError, ConnectionLost, Refused, Unavailable, is_unknown
from cli.identity import IdentityToken, check_url, is_loopback, token_source

KEY_HEADER = "Idempotency-Key"
CONNECT_SECONDS, READ_SECONDS = 10.0, 900.0
PAGE_SIZE = 200
_CONNECTIONS = 32
_NOT_LET_IN = {
    401: "the connector does not know us: the identity token is missing or wrong (SMS_CLI_TOKEN, or `gcloud auth login`)",
    403: "the connector does not let us in: this identity needs the role roles/run.invoker on the function",
}

_PIECE = 256 * 1024
# What the libraries below say, with the fix.
_CAUSES = {
    "CERTIFICATE_VERIFY_FAILED": "this machine does not trust its certificate (REQUESTS_CA_BUNDLE names a private authority)",
    "WRONG_VERSION_NUMBER": "it does not speak https there: is it http://?",
    "SSLError": "no secure connection could be made",
    "NameResolutionError": "no host has that name",
    "ProxyError": "the proxy does not answer (HTTPS_PROXY)",
    "Connection refused": "connection refused",
}

Notify = Callable[[str], None]
Read = Callable[[requests.Response], Any]


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries of a request, and the seconds waited between tries altogether."""

    tries: int = 20
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class _Wait:
    """Why this try failed; `pause` None: another try is useless, or not safe."""

    failure: CliError
    pause: float | None = None


class Client:
    """`call` and its shorthands raise Refused (the connector's 4xx) and Unavailable (every other failure).

    `notify` gets, in a few words, why it takes longer.
    """

    def __init__(
        self,
        url: str,
        session: requests.Session,
        *,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        notify: Notify = lambda _: None,
    ) -> None:
        self.url = url
        self._session = session
        self._patience = patience or Patience()
        self._sleep = sleep
        self._notify = notify

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, document: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        return self.call("POST", path, document=document or {}, key=key)

    def pages(self, path: str, member: str, *, limit: int, **query: Any) -> Iterator[Any]:
        """Return the entries of a list, page by page, at most `limit`."""
        left, token = limit, None
        while left > 0:
            page = self.get(path, pageSize=min(left, PAGE_SIZE), pageToken=token, **query)
            yield from page[member][:left]
            left -= len(page[member])
            token = page.get("nextPageToken")
            if not token:
                return

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        document: Mapping[str, Any] | None = None,
        key: str | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Return the answer's document. `query` entries that are None are left out. `repeatable`: the same request
        twice has one effect and one answer; by default so of GET, PUT and DELETE, and with a key."""
        request = requests.Request(method, self.url + path, params=_given(query), json=document)
        return self._ask(request, key=key, repeatable=repeatable)

    def upload(
        self, path: str, file: BinaryIO, *, headers: Mapping[str, str], query: Mapping[str, Any], key: str | None = None
    ) -> Any:
        """POST a file; each try reads it from its beginning."""
        url, params = self.url + path, _given(query)
        return self._ask(requests.Request("POST", url, params=params, data=file, headers=dict(headers)), key=key)

    def download(self, path: str, accept: str, into: BinaryIO, **query: Any) -> None:
        """Read an answer of any size; each try starts `into` again."""

        def copy(response: requests.Response) -> None:
            into.seek(0)
            into.truncate()
            for piece in response.iter_content(_PIECE):
                into.write(piece)

        request = requests.Request("GET", self.url + path, headers={"Accept": accept}, params=_given(query))
        self._ask(request, read=copy)

    def _ask(
        self,
        request: requests.Request,
        *,
        key: str | None = None,
        repeatable: bool | None = None,
        read: Read | None = None,
    ) -> Any:
        """Return what `read` makes of the answer, else its document."""
        if key is not None:
            request.headers[KEY_HEADER] = key
        if repeatable is None:
            repeatable = request.method not in ("POST", "PATCH") or key is not None
        left = self._patience.seconds
        for tried in range(1, self._patience.tries + 1):
            outcome = self._try(request, tried=tried, repeatable=repeatable, read=read)
            if not isinstance(outcome, _Wait):
                return outcome
            if outcome.pause is None or outcome.pause > left or tried == self._patience.tries:
                raise outcome.failure
            if outcome.pause:
                self._notify(f"{outcome.failure} – asking again in {outcome.pause:.0f} s")
                self._sleep(outcome.pause)
            left -= outcome.pause
        raise AssertionError("the last try returns or raises")

    def _try(self, request: requests.Request, *, tried: int, repeatable: bool, read: Read | None) -> Any | _Wait:
        try:
            with self._send(request, stream=read is not None) as response:
                if response.ok:
                    return (read or _read_document)(response)
                problem = _read_problem(response)
        except requests.RequestException as error:
            return self._explain_loss(error, tried=tried, repeatable=repeatable)
        if response.status_code == 401 and tried == 1 and isinstance(self._session.auth, IdentityToken):
            self._session.auth.forget()
            return _Wait(problem, 0.0)
        if isinstance(problem, ConnectionLost):
            return _Wait(problem)
        return _Wait(problem, _asked_pause(response, repeatable=repeatable))

    def _send(self, request: requests.Request, *, stream: bool) -> requests.Response:
        if isinstance(request.data, io.IOBase):
            request.data.seek(0)
        prepared = self._session.prepare_request(request)
        settings = self._session.merge_environment_settings(prepared.url, {}, stream, None, None)
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        return self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings)

    def _explain_loss(self, error: requests.RequestException, *, tried: int, repeatable: bool) -> _Wait:
        """A refused first try is an answer; a later one may be a restart."""
        began = not (isinstance(error, requests.ConnectTimeout) or _is_refusal(error))
        if not began and tried == 1:
            return _Wait(
                Unavailable(
                    f"no answer from {self.url}: is the address (--url, SMS_CLI_URL) right? {explain_cause(error)}"
                )
            )
        lost = ConnectionLost(f"the connection to {self.url} broke before the answer came: {explain_cause(error)}")
        return _Wait(lost, min(2.0 ** (tried - 1), 30.0) if repeatable else None)


def open_client(url: str, environ: Mapping[str, str], notify: Notify = lambda _: None) -> Client:
    """Return a client of the connector at `url`, with an identity token where it is on another machine."""
    return Client(check_url(url), open_session(url, environ), notify=notify)


def open_session(url: str, environ: Mapping[str, str]) -> requests.Session:
    """Connections to `url`, with the identity they need. Raises Misused where a token would travel in the clear."""
    base = check_url(url)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
    session.mount("https://", HTTPAdapter(pool_maxsize=_CONNECTIONS))
    if is_loopback(base):
        session.trust_env = False  # no proxy stands between this machine and itself
    else:
        session.auth = IdentityToken(token_source(base, environ))
    return session


def in_path(value: str) -> str:
    """Return a value as one part of a path: numbers begin with a plus, channel addresses hold a colon."""
    return quote(value, safe="")


def _given(query: Mapping[str, Any] | None) -> dict[str, Any]:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}


def _read_document(response: requests.Response) -> Any:
    try:
        return response.json()
    except requests.JSONDecodeError:
        raise Unavailable(f"{response.url} answers, but not in JSON: is it the connector?") from None


def _read_problem(response: requests.Response) -> CliError:
    """Return the connector's own words; where something else answered (the platform's door), what that means."""
    try:
        document = response.json()
        message = document["error"]["message"]
    except (requests.JSONDecodeError, KeyError, TypeError):
        known = _NOT_LET_IN.get(response.status_code)
        return Unavailable(
            known or f"{response.url} answers {response.status_code} {response.reason}: is it the connector?"
        )
    if response.status_code >= 500:
        return Unavailable(message, document)
    if is_unknown(document):
        return ConnectionLost(message, document)
    return Refused(response.status_code, document)


def _asked_pause(response: requests.Response, *, repeatable: bool) -> float | None:
    """Seconds until asking again makes sense; None where it does not, or may do something twice."""
    asked = response.headers.get("Retry-After", "")
    safe = response.status_code == 429 or (repeatable and response.status_code in (409, 503))
    if not safe or (response.status_code == 503 and not asked):
        return None
    return float(asked) if asked.isdecimal() else 1.0


def _is_refusal(error: requests.RequestException) -> bool:
    """Return True if not even a connection was made."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "SSLError")


def explain_cause(error: requests.RequestException) -> str:
    """Return why a connection failed, without the address that was asked for."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    text = str(reason)
    known = next((words for sign, words in _CAUSES.items() if sign in text or sign in type(reason).__name__), None)
    return known or text.rpartition(": ")[2] or type(error).__name__

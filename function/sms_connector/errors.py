"""Every error the connector raises, with its consequence.

    ConnectorError
    ├── StartError                the settings or secrets are wrong; lists every problem at once
    ├── RequestError              the caller's to fix; nothing was sent
    │   ├── InvalidRequest        400  a field is wrong; names every field
    │   ├── Forbidden             403  the caller may not do this
    │   ├── NotFound              404
    │   ├── KeyInProgress         409  the same idempotency key is still running
    │   ├── VersionMismatch       412  the object has changed since the caller read it
    │   ├── PreconditionFailed    422  key reused for another request, suspended, not supported by the provider
    │   │   └── UnsupportedOperation  422  the provider can't do that; no call was made
    │   ├── TooLarge              413  the body is over the limit
    │   └── Throttled             429  could not start within the queue limit
    ├── CallError                 a call to the provider did not give an answer of its own
    │   ├── NotSent               the provider did not accept it; safe to repeat
    │   │   ├── CredentialsMissing  our secret for it is missing: no call was made
    │   │   └── RefusedOnTheWay     a server that is not the provider refused this request: a firewall, a gateway
    │   └── OutcomeUnknown        it may have been accepted; never repeated blindly
    ├── BackendUnavailable        503  ledger or queue is unavailable; the request may be repeated
    │   ├── LedgerUnavailable     a write may or may not be stored
    │   └── QueueUnavailable      a task could not be enqueued; enqueue it again, or let a sweep find its work
    ├── StoreMisconfigured        500  the ledger refuses us until an operator acts; names the fix
    ├── ProviderRefused           502  the provider answered with its own error; final
    │   └── StateRefused          422  that error says that the message's state does not allow it
    └── Conflict                  a ledger document has changed meanwhile; read it again

`kind` is contract (programs branch on it), `message` is for people and may change. A message tells the fix and never
holds a secret, a message body or, but for the value the caller just sent (`records[3].to: '0123' is not …`), a whole
phone number; the log masks that too.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RetrySafety(StrEnum):
    """The effect of repeating the same thing."""

    NEVER = "never"
    SAFE = "safe"
    UNKNOWN_OUTCOME = "unknown_outcome"


class ErrorKind(StrEnum):
    """Why a message or a field was refused, by the provider or by us. The same for every provider."""

    INVALID_REQUEST = "INVALID_REQUEST"
    INVALID_RECIPIENT = "INVALID_RECIPIENT"
    INVALID_SENDER = "INVALID_SENDER"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    MISSING_VALUE = "MISSING_VALUE"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    LOOKALIKE = "LOOKALIKE"
    DUPLICATE = "DUPLICATE"
    DEFAULT_COUNTRY = "DEFAULT_COUNTRY"
    UNREACHABLE = "UNREACHABLE"
    LANDLINE = "LANDLINE"
    OPTED_OUT = "OPTED_OUT"
    BLOCKED = "BLOCKED"
    NOT_PERMITTED = "NOT_PERMITTED"
    AUTHENTICATION = "AUTHENTICATION"
    ACCOUNT = "ACCOUNT"
    RATE_LIMITED = "RATE_LIMITED"
    QUEUE_FULL = "QUEUE_FULL"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
    NOT_SENT = "NOT_SENT"
    IN_PROGRESS = "IN_PROGRESS"
    KEY_REUSED = "KEY_REUSED"
    CHANGED = "CHANGED"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_FOUND = "NOT_FOUND"
    SUSPENDED = "SUSPENDED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    DELIVERY = "DELIVERY"
    OTHER = "OTHER"


class FieldProblem(msgspec.Struct, frozen=True):
    """One thing wrong with one field: `field` is its path as the caller wrote it, e.g. `records[3].to`, and `line`
    where the record begins in the caller's file."""

    field: str
    message: str
    kind: ErrorKind = ErrorKind.INVALID_REQUEST
    line: int | None = None

    @property
    def place(self) -> str:
        return f"{self.field} (line {self.line})" if self.line else self.field


class ConnectorError(Exception):
    """Root of the tree. `retry` is what the caller may conclude, `kind` the class's own unless another is given."""

    retry = RetrySafety.NEVER
    kind = ErrorKind.OTHER
    http_status = 500
    rpc_status = "INTERNAL"

    def __init__(self, message: str = "", *, kind: ErrorKind | None = None) -> None:
        super().__init__(message)
        self.kind = kind or self.kind


class StartError(ConnectorError):
    """The function can't start. The message lists every problem, where it was looked for and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the connector can't start:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


class RequestError(ConnectorError):
    """The request was refused by us; nothing was sent."""

    kind = ErrorKind.INVALID_REQUEST
    problems: tuple[FieldProblem, ...] = ()

    def __init__(self, message: str, *, kind: ErrorKind | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, kind=kind)
        self.retry_after = retry_after


class InvalidRequest(RequestError):
    http_status, rpc_status = 400, "INVALID_ARGUMENT"

    def __init__(self, *problems: FieldProblem) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more, see details)" if len(problems) > 1 else ""
        super().__init__(
            f"{first.place}: {first.message}{more}" if first.field else first.message + more, kind=first.kind
        )
        self.problems = problems


class Forbidden(RequestError):
    http_status, rpc_status = 403, "PERMISSION_DENIED"


class NotFound(RequestError):
    http_status, rpc_status, kind = 404, "NOT_FOUND", ErrorKind.NOT_FOUND


class KeyInProgress(RequestError):
    """409. The first request with this key is still running; ask again after `retry_after` seconds."""

    http_status, rpc_status, retry = 409, "ABORTED", RetrySafety.SAFE


class VersionMismatch(RequestError):
    http_status, rpc_status = 412, "FAILED_PRECONDITION"


class TooLarge(RequestError):
    http_status, rpc_status = 413, "INVALID_ARGUMENT"


class PreconditionFailed(RequestError):
    http_status, rpc_status = 422, "FAILED_PRECONDITION"


class UnsupportedOperation(PreconditionFailed):
    kind = ErrorKind.UNSUPPORTED


class Throttled(RequestError):
    """429. It could not start within the queue limit; it would, `retry_after` seconds from now."""

    http_status, rpc_status, retry = 429, "RESOURCE_EXHAUSTED", RetrySafety.SAFE
    kind = ErrorKind.RATE_LIMITED


class CallError(ConnectorError):
    """A call to the provider gave no answer of the provider's own. `message` says what happened on the wire."""

    http_status, rpc_status, kind = 502, "UNAVAILABLE", ErrorKind.UNAVAILABLE

    def __init__(self, message: str, *, kind: ErrorKind | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, kind=kind)
        self.retry_after = retry_after


class NotSent(CallError):
    """The provider did not process it: refused connection, name or TLS failure before the request was written, 429, or
    503 with Retry-After."""

    retry = RetrySafety.SAFE


class CredentialsMissing(NotSent):
    """A secret that the provider needs is missing: for the message the same as a refused one."""

    kind = ErrorKind.AUTHENTICATION


class RefusedOnTheWay(NotSent):
    """A server between us and the provider refused this request, perhaps for its content; another may pass."""


class OutcomeUnknown(CallError):
    """The request may have been processed: read timeout, connection lost after the write, 5xx, an unreadable 2xx."""

    retry, kind = RetrySafety.UNKNOWN_OUTCOME, ErrorKind.UNKNOWN_OUTCOME


class ProviderRefused(ConnectorError):
    """The provider's own error, verbatim. `code` is theirs, `kind` ours."""

    http_status, rpc_status = 502, "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        code: int | str | None = None,
        more_info: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(message, kind=kind)
        self.code = code
        self.more_info = more_info
        self.status = status


class StateRefused(ProviderRefused):
    """422. The provider refuses a change because of the message's state: the request is right, but too late or too
    early."""

    http_status, rpc_status = 422, "FAILED_PRECONDITION"


class BackendUnavailable(ConnectorError):
    """503. Ledger or queue did not answer for as long as its adapter tried: repeat in `retry_after` seconds.

    A request to the API may be repeated; a send or a campaign only with its idempotency key. Without one the same
    request may send twice: `retry` is then UNKNOWN_OUTCOME, and there is no `retry_after`.

    It is neither a RequestError (something may have been done) nor a CallError (it is not the provider's): it is never
    a message's outcome.
    """

    http_status, rpc_status = 503, "UNAVAILABLE"
    kind = ErrorKind.UNAVAILABLE
    what = "what surrounds us is out of reach just now"

    def __init__(
        self, message: str | None = None, *, retry: RetrySafety = RetrySafety.SAFE, retry_after: float | None = 2.0
    ) -> None:
        super().__init__(message or f"{self.what}; ask again as you did, with the same idempotency key if you gave one")
        self.retry = retry
        self.retry_after = retry_after


class LedgerUnavailable(BackendUnavailable):
    """A commit may be stored, since only the answer may be lost: this never means "nothing was written" (`Conflict`
    does). It may be repeated all the same: it expects versions, or writes the same twice."""

    what = "the ledger is out of reach or too busy just now"


class QueueUnavailable(BackendUnavailable):
    """Of several tasks, some may have been put."""

    what = "the queue is out of reach or too busy just now"


class StoreMisconfigured(ConnectorError):
    """The ledger refuses us: a permission, the database or an index is missing. The message names the fix, and is for
    the log: the caller can't act on it."""


class Conflict(ConnectorError):
    """A ledger write met a document that is not as expected; nothing of its commit was written."""

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(f"{collection}/{document_id} changed since it was read")
        self.collection = collection
        self.document_id = document_id

"""Test, suspension and limits of the connection."""

from __future__ import annotations

from math import inf

import msgspec

from sms_connector.campaigns.stop_monitor import new_stop_version
from sms_connector.errors import ErrorKind, PreconditionFailed, RetrySafety
from sms_connector.model.connection_status import ConnectionState
from sms_connector.ports import Clock, Ledger, Write
from sms_connector.provider import Provider
from sms_connector.rate_limit.throttle import Throttle, ThrottleState

COLLECTION, DOCUMENT = "state", "connection"
_BY_CONFIGURATION = (
    "the connection is suspended by its configuration (SMS_SUSPENDED): nothing is sent; set SMS_SUSPENDED=false, in "
    "the stack "
    "configuration 'suspended: false', and deploy"
)
# How long another node may go on sending after a suspension: the answer is cached so that a send costs no read of its
# own.
CACHE_SECONDS = 1.0


class ConnectionTest(msgspec.Struct, frozen=True):
    """The result of a test."""

    state: ConnectionState
    description: str
    latency_millis: int


class Suspension(msgspec.Struct, frozen=True):
    """Why nothing is sent, and since when (epoch seconds)."""

    reason: str | None
    since: float


class Limits(msgspec.Struct, frozen=True):
    """The node's throttle, and the connection's rate and this node's share of it where one is set."""

    node: ThrottleState
    connection_rate: int | None = None
    share: int | None = None


class ConnectionControl(msgspec.Struct, eq=False):
    """Tests, suspends and resumes. `configured_suspension` (a setting) holds until the setting changes."""

    provider: Provider
    ledger: Ledger
    throttle: Throttle
    clock: Clock
    configured_suspension: bool = False
    connection_rate: int | None = None
    _read_at: float = -inf
    _suspension: Suspension | None = None

    def test(self) -> ConnectionTest:
        begun = self.clock.monotonic()
        status = self.provider.check_connection()
        return ConnectionTest(status.state, status.description, round((self.clock.monotonic() - begun) * 1000))

    def suspend(self, reason: str | None = None) -> Suspension:
        suspension = self._read() or Suspension(reason, self.clock.time())
        data = {"suspended": True, "reason": suspension.reason, "since": suspension.since}
        self.ledger.commit([Write(COLLECTION, DOCUMENT, data), new_stop_version()])
        self._suspension, self._read_at = suspension, self.clock.monotonic()
        return suspension

    def resume(self) -> None:
        """Raises PreconditionFailed where the suspension is a setting of the deployment."""
        if self.configured_suspension:
            raise PreconditionFailed(_BY_CONFIGURATION, kind=ErrorKind.SUSPENDED)
        self.ledger.commit([Write(COLLECTION, DOCUMENT, {"suspended": False})])
        self._suspension, self._read_at = None, self.clock.monotonic()

    def suspended(self, *, fresh: bool = False) -> Suspension | None:
        """Return the suspension as of a second ago at most; `fresh`: as of now."""
        if self.configured_suspension:
            return Suspension("suspended by configuration", 0.0)
        if fresh:
            return self._read()
        if self.clock.monotonic() - self._read_at < CACHE_SECONDS:
            return self._suspension
        before = self._read_at
        found = self._read()
        if self._read_at == before:  # else it was suspended or resumed during the read
            self._suspension, self._read_at = found, self.clock.monotonic()
        return self._suspension

    def is_suspended_now(self) -> bool:
        """Return whether the connection is suspended, read from the ledger at this moment."""
        return self.suspended(fresh=True) is not None

    def require_active(self) -> None:
        """Raises PreconditionFailed (422) while suspended."""
        why = self.why_suspended()
        if why is not None:
            suspended = PreconditionFailed(why, kind=ErrorKind.SUSPENDED)
            suspended.retry = RetrySafety.SAFE
            raise suspended

    def why_suspended(self) -> str | None:
        """Return why nothing is sent, and the fix; None while messages are sent."""
        suspension = self.suspended()
        if suspension is None:
            return None
        if self.configured_suspension:
            return _BY_CONFIGURATION
        why = f" ({suspension.reason})" if suspension.reason else ""
        return f"the connection is suspended{why}: nothing is sent; resume it with POST /v1/connection:resume"

    def limits(self) -> Limits:
        state = self.throttle.state()
        share = state.rate if state.leased else 0
        return Limits(state, self.connection_rate, share if self.connection_rate else None)

    def _read(self) -> Suspension | None:
        [document] = self.ledger.get(COLLECTION, [DOCUMENT])
        if document is None or not document.data["suspended"]:
            return None
        return Suspension(document.data.get("reason"), document.data["since"])

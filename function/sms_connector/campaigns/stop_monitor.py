"""Check whether a node's workers may go on with a campaign.

Every pause, cancellation and suspension writes a new stop version in the same commit (`new_stop_version`). While that
version is the one read before the campaign was, the campaign is still running, so that a check is one read. A check is
due after some calls, and within seconds on a slow node.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec

from sms_connector.ports import Clock, Ledger, Write
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.store.campaign_record import CAMPAIGNS, CampaignState

STATE, DOCUMENT = "state", "stopVersion"
CHECK_AFTER_CALLS = 8
SOONEST, LATEST = 0.8, 4.0


def new_stop_version() -> Write:
    """Return the write that each commit which stops something includes."""
    return Write(STATE, DOCUMENT, {"version": uuid.uuid4().hex})


class StopCheck(msgspec.Struct, frozen=True):
    """`at` (monotonic) and `version` were read before the campaign."""

    at: float
    version: str | None
    stopped: bool = True


class StopMonitor(msgspec.Struct, eq=False):
    """One check serves all chunks of a campaign on this node. `is_suspended` reads from the ledger. Thread-safe: two
    checks at the same moment are harmless."""

    ledger: Ledger
    is_suspended: Callable[[], bool]
    throttle: Throttle
    clock: Clock
    _checks: dict[str, StopCheck] = msgspec.field(default_factory=dict)

    def begin(self) -> StopCheck:
        """Begin a check, before the campaign is read; `end` completes it."""
        at = self.clock.monotonic()
        [document] = self.ledger.get(STATE, [DOCUMENT])
        return StopCheck(at, document.data["version"] if document is not None else None)

    def end(self, campaign_id: str, begun: StopCheck, *, running: bool) -> bool:
        """Return whether it is stopped."""
        return self._keep(campaign_id, StopCheck(begun.at, begun.version, not running or self.is_suspended()))

    def must_stop(self, campaign_id: str) -> bool:
        last = self._checks.get(campaign_id)
        if last is not None and self.clock.monotonic() - last.at < seconds_between_checks(self.throttle.rate):
            return last.stopped
        begun = self.begin()
        if last is not None and not last.stopped and last.version == begun.version:
            return self._keep(campaign_id, StopCheck(begun.at, begun.version, stopped=False))
        [document] = self.ledger.get(CAMPAIGNS, [campaign_id])
        running = document is not None and document.data["state"] == CampaignState.RUNNING
        return self.end(campaign_id, begun, running=running)

    def _keep(self, campaign_id: str, check: StopCheck) -> bool:
        if self._checks.get(campaign_id, check).at <= check.at:
            recent = {id_: each for id_, each in list(self._checks.items()) if each.at >= check.at - LATEST}
            self._checks = {**recent, campaign_id: check}
        return check.stopped


def seconds_between_checks(rate: int | None) -> float:
    return SOONEST if not rate else min(LATEST, max(SOONEST, CHECK_AFTER_CALLS / rate))

"""Send a campaign's messages: the steps of any new message, a block at a time, for as long as the campaign may go
on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from sms_connector.campaigns.chunk_store import ChunkStore
from sms_connector.errors import (
    CallError,
    ConnectorError,
    ErrorKind,
    NotSent,
    ProviderRefused,
    RefusedOnTheWay,
    RequestError,
    RetrySafety,
    Throttled,
)
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import BeforeAttempt
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.sending.send import Job, SendService, SendSteps
from sms_connector.store.campaign_record import Campaign
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import Changes

Outcome = tuple[Job, SendOutcome | ConnectorError]

# Intents are written for this many calls at once: a write is of a whole block, so a block takes two.
AHEAD = 13
# This many refusals on the way, without an answer of the provider in between, are about the way and not about these
# messages.
ON_THE_WAY = 20
# Refusals that are about the account or the moment, not about the message: the next attempt may go through.
_UNTIL_FIXED = {
    ErrorKind.AUTHENTICATION: "our credentials were refused",
    ErrorKind.ACCOUNT: "the provider refused the account",
}
_NOT_THE_MESSAGE = frozenset({*_UNTIL_FIXED, ErrorKind.RATE_LIMITED, ErrorKind.QUEUE_FULL})


class ChunkSend:
    """The steps of a chunk's new messages, `jobs` in their order. `must_stop` says that the campaign may not go on."""

    def __init__(
        self,
        send: SendService,
        campaign: Campaign,
        jobs: Sequence[Job],
        *,
        store: ChunkStore,
        must_stop: Callable[[], bool],
    ) -> None:
        self._send = send
        self._steps = SendSteps(send, campaign.options, self._intend)
        self._store = store
        self._must_stop = must_stop
        self._jobs = jobs
        self._waiting = {job.record.id: job for job in jobs}
        self._held: list[Outcome] = []
        self._held_lock = threading.Lock()
        self._written: dict[str, str | None] = {}  # intents, and under whose lease
        self.stopped_by_campaign = False
        self.refused_by_provider = False
        self.to_fix: str | None = None  # why no message is accepted until an operator acts

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        return [] if self._is_stopped() else self._steps.prepare(block)

    def before_attempt(self, group: list[Job], attempt: int) -> None:
        if self._is_stopped():
            raise NotSent("the campaign was stopped: nothing was sent")
        self._steps.before_attempt(group, attempt)

    def call(self, group: list[Job], before_attempt: BeforeAttempt) -> Changes:
        outcomes = self._sort_out(list(zip(group, self._steps.outcomes(group, before_attempt), strict=True)))
        for job, outcome in outcomes:
            if _is_about_now(outcome):
                self.refused_by_provider = True
                self.to_fix = self.to_fix or _describe_fix(outcome)
                self._store.withdraw(job.record)
        with self._store.changing():
            return self._steps.apply_outcomes(pair for pair in outcomes if not _is_about_now(pair[1]))

    def save(self, changes: Changes) -> None:
        self._store.save(changes)

    def _sort_out(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Hold back what was refused on the way, until the provider itself answers another call.

        Then those records end by themselves; a way that refuses everything ends the attempt instead of the campaign's
        records.
        """
        refused = [pair for pair in outcomes if isinstance(pair[1], RefusedOnTheWay)]
        others = [pair for pair in outcomes if not isinstance(pair[1], RefusedOnTheWay)]
        with self._held_lock:
            self._held += refused
            if any(isinstance(outcome, SendReceipt | FailureReason | ProviderRefused) for _, outcome in others):
                others, self._held = [*self._held, *others], []
            elif len(self._held) >= ON_THE_WAY:
                self.refused_by_provider = True
        return others

    def _end_held(self) -> None:
        """Test whether the provider can be reached, if the last refusals on the way had no call after them."""
        held, self._held = self._held, []
        if not held or len(held) >= ON_THE_WAY:
            return
        if self._is_reachable():
            with self._store.changing():
                changes = self._steps.apply_outcomes(held)
            self.save(changes)
        else:
            self.refused_by_provider = True

    def _is_reachable(self) -> bool:
        try:
            return self._send.provider.check_connection().state is ConnectionState.ACTIVE
        except (CallError, ProviderRefused, RequestError):
            return False

    def withdraw_uncalled(self) -> None:
        """Withdraw intents that were written ahead and never called: every call that was begun has its outcome."""
        self._end_held()
        for job in self._jobs:
            if job.record.id in self._written and job.record.phase == Phase.CALLING:
                self._store.withdraw(job.record)

    def _is_stopped(self) -> bool:
        self.stopped_by_campaign = self.stopped_by_campaign or self._must_stop()
        return self.stopped_by_campaign or self.refused_by_provider

    # --- intents ------------------------------------------------------------------------------------------------------

    def _intend(self, jobs: Sequence[Job]) -> list[Job]:
        """Write the intents of these jobs and of some that follow together; those written with earlier ones cost a
        write only for recipients who have opted out since, and where the lease is another by now."""
        self._date(jobs)
        opted_out = self._steps.opted_out(jobs)
        with self._store.changing():
            self._steps.refuse(opted_out)
        begun = [job.record for job in jobs if job.record.id in self._written]
        if any(record.holder not in (None, self._written[record.id]) for record in begun):
            self._store.rewrite(begun)
        self._store.save([(record, _keep) for record in begun if record.phase == Phase.DONE])
        new = [job for job in jobs if job.record.id in self._waiting]
        if new:
            self._write_intents(new)
        return [job for job in jobs if job.record.phase == Phase.CALLING]

    def _date(self, jobs: Sequence[Job]) -> None:
        with self._store.changing():  # one may have been refused already, for its key
            self._steps.date(job for job in jobs if job.record.phase == Phase.CALLING)

    def _write_intents(self, new: list[Job]) -> None:
        for job in new:
            del self._waiting[job.record.id]
        ahead = [self._waiting.pop(id_) for id_ in list(self._waiting)[: max(0, AHEAD - len(new))]]
        self._date(ahead)
        for together in _without_repeated_keys([*new, *ahead]):
            self._claim_keys(together)
            self._store.create([job.record for job in together])
            self._written |= {job.record.id: job.record.holder for job in together}

    def _claim_keys(self, jobs: Sequence[Job]) -> None:
        """Make a record whose key belongs to another message a reference to it; it is not sent."""
        claimed = [(job.draft, replace(job.record, history=[], evidence=[])) for job in jobs]
        for job, (_, copy), is_fresh in zip(jobs, claimed, self._send.record_keys.claim(claimed), strict=True):
            if not is_fresh:
                _make_reference(job.record, copy, at=self._send.context.clock.time())


def _keep(record: MessageRecord) -> None:
    """Change nothing: the record was changed already."""


def _without_repeated_keys(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Yield the jobs in one part, as a rule; a repeated key begins another, so that it meets the first one's
    message."""
    part: list[Job] = []
    keys: set[str] = set()
    for job in jobs:
        if job.draft.key is not None and job.draft.key in keys:
            yield part
            part, keys = [], set()
        part.append(job)
        keys |= {job.draft.key} if job.draft.key is not None else set()
    yield part


def _make_reference(record: MessageRecord, found: MessageRecord, *, at: float) -> None:
    """Refer to `found`: the message that has the record's key, or the record itself with the reason why there is
    none."""
    if found.id == record.id and found.failure is not None:
        return record.refuse(found.failure, at=at)
    if found.provider_message_id is None and not found.final:
        message = f"the message with this key is {found.id}, whose outcome is not known yet"
        return record.refuse(FailureReason("connector", ErrorKind.IN_PROGRESS, message, retry=RetrySafety.SAFE), at=at)
    record.same_as = found.id
    record.mirror(found)
    record.note(at, "connector", f"the message with this key is {found.id}")
    return None


def _is_about_now(outcome: SendOutcome | ConnectorError) -> bool:
    """Return whether the refusal is about the account or the moment: the message may be sent later."""
    about_now = isinstance(outcome, FailureReason | ProviderRefused) and outcome.kind in _NOT_THE_MESSAGE
    return about_now or (isinstance(outcome, NotSent | Throttled) and not isinstance(outcome, RefusedOnTheWay))


def _describe_fix(outcome: SendOutcome | ConnectorError) -> str | None:
    """Describe what an operator has to fix: a wrong or missing secret, an account that is closed or out of credit."""
    if not isinstance(outcome, FailureReason | ProviderRefused | NotSent) or outcome.kind not in _UNTIL_FIXED:
        return None
    said = outcome.message if isinstance(outcome, FailureReason) else str(outcome)
    code = None if isinstance(outcome, NotSent) else outcome.code
    problem = f"{said} ({code})" if code is not None else said
    return f"{_UNTIL_FIXED[outcome.kind]}: {problem}; fix it, check it with POST /v1/connection:test, then resume"

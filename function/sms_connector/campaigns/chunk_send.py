"""The steps of a campaign's message (`runner`): those of any new message, a block at a time, for as long as they may go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import cast

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
from sms_connector.sending.send import FirstCall, Job, SendTools
from sms_connector.store.campaign_record import Campaign
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import Changes

Outcome = tuple[Job, SendOutcome | ConnectorError]

# Intents are written for so many calls at once: each write is of a whole block, and so a block takes two.
AHEAD = 13
# So many refusals on the way without an answer of the provider's own in between are about the way, not about these messages.
ON_THE_WAY = 20
# Refusals that are about the account or the moment, not about the message: the next attempt may go through.
_UNTIL_MENDED = {
    ErrorKind.AUTHENTICATION: "our credentials were refused",
    ErrorKind.ACCOUNT: "the provider refused the account",
}
_NOT_THE_MESSAGE = frozenset({*_UNTIL_MENDED, ErrorKind.RATE_LIMITED, ErrorKind.QUEUE_FULL})


class ChunkSend(FirstCall):
    """`jobs` in their order. `stopped` says whether to stop."""

    def __init__(
        self, tools: SendTools, campaign: Campaign, jobs: Sequence[Job], *, stopped: Callable[[], bool]
    ) -> None:
        super().__init__(tools, campaign.options)
        self.options = campaign.options
        self.store = cast(ChunkStore, tools.store)
        self._stopped = stopped
        self._jobs = jobs
        self._waiting = {job.record.id: job for job in jobs}
        self._held: list[Outcome] = []
        self._held_lock = threading.Lock()
        self._written: dict[str, str | None] = {}  # intents, and under whose lease
        self.stopped_by_campaign = False
        self.refused_by_provider = False
        self.to_fix: str | None = None  # why no message of ours is taken until somebody has done something about it

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        return [] if self._must_stop() else super().prepare(block)

    def before_attempt(self, group: list[Job], attempt: int) -> None:
        if self._must_stop():
            raise NotSent("the campaign was halted: nothing was sent")
        super().before_attempt(group, attempt)

    def call(self, group: list[Job], before_attempt: BeforeAttempt) -> Changes:
        outcomes = self._sort_out(list(zip(group, self._outcomes(group, before_attempt), strict=True)))
        for job, outcome in outcomes:
            if _takes_nothing(outcome):
                self.refused_by_provider = True
                self.to_fix = self.to_fix or _needs_fix(outcome)
                self.store.withdraw(job.record)
        taken = [pair for pair in outcomes if not _takes_nothing(pair[1])]
        with self.store.changing():
            return self._note_outcomes([job for job, _ in taken], [outcome for _, outcome in taken])

    def _sort_out(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Hold back what was refused on the way, until the provider itself answers another call.

        Then those records end by themselves; a way that refuses everything ends the attempt instead of the campaign's records.
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
        """Of few refusals on the way the last ones had no call after them: the provider is asked whether it can be reached."""
        held, self._held = self._held, []
        if not held or len(held) >= ON_THE_WAY:
            return
        if self._is_reachable():
            with self.store.changing():
                changes = self._note_outcomes([job for job, _ in held], [outcome for _, outcome in held])
            self.save(changes)
        else:
            self.refused_by_provider = True

    def _is_reachable(self) -> bool:
        try:
            return self._tools.provider.check_connection().state is ConnectionState.ACTIVE
        except (CallError, ProviderRefused, RequestError):
            return False

    def withdraw_uncalled(self) -> None:
        """Every call that was begun has its outcome: intents that are left were written ahead, and never called."""
        self._end_held()
        for job in self._jobs:
            if job.record.id in self._written and job.record.phase == Phase.CALLING:
                self.store.withdraw(job.record)

    def _must_stop(self) -> bool:
        self.stopped_by_campaign = self.stopped_by_campaign or self._stopped()
        return self.stopped_by_campaign or self.refused_by_provider

    # --- intents ------------------------------------------------------------------------------------------------------

    def _date(self, jobs: Sequence[Job]) -> None:
        with self.store.changing():  # one may have been refused already, for its key
            super()._date([job for job in jobs if job.record.phase == Phase.CALLING])

    def _refuse(self, jobs: Sequence[Job]) -> None:
        with self.store.changing():
            super()._refuse(jobs)

    def _create(self, jobs: Sequence[Job]) -> list[Job]:
        """The intents of these, and of some that follow, are one write; those that were written with earlier ones cost none, but
        for recipients who have opted out since, and where the lease is another by now."""
        begun = [job.record for job in jobs if job.record.id in self._written]
        if any(record.holder not in (None, self._written[record.id]) for record in begun):
            self.store.rewrite(begun)
        self.store.save([(record, _as_it_is) for record in begun if record.phase == Phase.DONE])
        new = [job for job in jobs if job.record.id in self._waiting]
        if new:
            self._write_intents(new)
        return list(jobs)

    def _write_intents(self, new: list[Job]) -> None:
        for job in new:
            del self._waiting[job.record.id]
        ahead = [self._waiting.pop(id_) for id_ in list(self._waiting)[: max(0, AHEAD - len(new))]]
        self._date(ahead)
        for together in _without_repeated_keys([*new, *ahead]):
            self._claim_keys(together)
            self.store.create([job.record for job in together])
            self._written |= {job.record.id: job.record.holder for job in together}

    def _claim_keys(self, jobs: Sequence[Job]) -> None:
        """A record whose key belongs to another message is not sent: it shows what became of that one."""
        claimed = [(job.draft, replace(job.record, history=[], evidence=[])) for job in jobs]
        for job, (_, copy), is_fresh in zip(jobs, claimed, self._tools.record_keys.claim(claimed), strict=True):
            if not is_fresh:
                _reference_to(job.record, copy, at=self._tools.context.clock.time())


def _as_it_is(record: MessageRecord) -> None:
    """The record was changed already."""


def _without_repeated_keys(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """One part, as a rule; a key that comes again begins another, so that it meets the first one's message."""
    part: list[Job] = []
    keys: set[str] = set()
    for job in jobs:
        if job.draft.key is not None and job.draft.key in keys:
            yield part
            part, keys = [], set()
        part.append(job)
        keys |= {job.draft.key} if job.draft.key is not None else set()
    yield part


def _reference_to(record: MessageRecord, found: MessageRecord, *, at: float) -> None:
    """`found` is the message that has the record's key, or the record with the reason why there is none."""
    if found.id == record.id and found.failure is not None:
        return record.refuse(found.failure, at=at)
    if found.provider_message_id is None and not found.final:
        message = f"the message with this key is {found.id}, whose outcome is not known yet"
        return record.refuse(FailureReason("connector", ErrorKind.IN_PROGRESS, message, retry=RetrySafety.SAFE), at=at)
    record.same_as = found.id
    record.mirror(found)
    record.note(at, "connector", f"the message with this key is {found.id}")
    return None


def _takes_nothing(outcome: SendOutcome | ConnectorError) -> bool:
    about_now = isinstance(outcome, FailureReason | ProviderRefused) and outcome.kind in _NOT_THE_MESSAGE
    return about_now or (isinstance(outcome, NotSent | Throttled) and not isinstance(outcome, RefusedOnTheWay))


def _needs_fix(outcome: SendOutcome | ConnectorError) -> str | None:
    """Repeating it would bring the same answer: a wrong or missing secret, an account that is closed or has no money."""
    if not isinstance(outcome, FailureReason | ProviderRefused | NotSent) or outcome.kind not in _UNTIL_MENDED:
        return None
    said = outcome.message if isinstance(outcome, FailureReason) else str(outcome)
    code = None if isinstance(outcome, NotSent) else outcome.code
    told = f"{said} ({code})" if code is not None else said
    return f"{_UNTIL_MENDED[outcome.kind]}: {told}; mend it, check it with POST /v1/connection:test, then resume"

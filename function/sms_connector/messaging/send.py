"""Sending: intent, lease, turn, call, outcome, in that order, for one record or a thousand (sending.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sms_connector.errors import (
    CallError,
    Conflict,
    ConnectorError,
    Kind,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    Retry,
)
from sms_connector.messaging.batch import Batch, Changes, Steps, Workshop
from sms_connector.messaging.callback_address import CallbackAddress
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.idempotency import message_id
from sms_connector.messaging.message_store import MessageStore
from sms_connector.messaging.node_lease import NodeLease
from sms_connector.messaging.reconcile import Reconciler
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.messaging.record_keys import RecordKeys
from sms_connector.messaging.requests import Draft, OnUnknown, SendOptions, SendRequest
from sms_connector.messaging.tracking import Tracker
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage, text_digest
from sms_connector.provider import Provider, SendOutcome, SendReceipt

OPTED_OUT = FailureReason(
    source="connector",
    kind=Kind.OPTED_OUT,
    message="the recipient has opted out: no call was made; DELETE /v1/optOuts/{number} once consent is given again",
)


@dataclass(slots=True)
class Job:
    """One record on its way: what to send, and what the ledger knows of it. The text lives here only, never in the ledger."""

    draft: Draft
    record: MessageRecord


@dataclass(frozen=True, slots=True)
class SendTools:
    """What a send needs; made once by the composition root."""

    provider: Provider
    store: MessageStore
    opt_outs: OptOuts
    record_keys: RecordKeys
    lease: NodeLease
    reconciler: Reconciler
    tracker: Tracker
    workshop: Workshop
    callbacks: CallbackAddress | None = None


class Sender:
    """`send` is the one way out for messages."""

    def __init__(self, tools: SendTools) -> None:
        self._tools = tools

    def send(self, request: SendRequest) -> list[MessageRecord]:
        """One record a draft, in order. Raises Throttled before anything is written or sent."""
        tools, options = self._tools, request.options
        jobs = [Job(draft, self._new_record(draft, request)) for draft in request.drafts]
        with tools.lease.held():
            self.carry_out(jobs, FirstCall(tools, options))
            self._settle_unknown(jobs, options)
            if options.tracking.wait:
                tools.tracker.follow([job.record for job in jobs], options.tracking)
        return [job.record for job in jobs]

    def _new_record(self, draft: Draft, request: SendRequest) -> MessageRecord:
        now = self._tools.workshop.clock.time()
        options = request.options
        return MessageRecord(
            id=message_id(request.nonce, draft.index),
            to=draft.to,
            sender=options.sender,
            text_digest=text_digest(draft.text),
            created_at=now,
            updated_at=now,
            index=draft.index,
            segments=draft.segments.count,
            encoding=str(draft.segments.encoding),
            interval=options.tracking.interval,
            attempts_allowed=options.tracking.attempts,
            callback_url=options.callback_url,
        )

    def carry_out(self, jobs: Sequence[Job], steps: Steps[list[Job]]) -> None:
        """Carry out the calls for these jobs, step by step; inside `lease.held()`. Raises Throttled before the first step."""
        workshop = self._tools.workshop
        groups = list(self._groups(jobs))
        if groups:
            with workshop.throttle.place(len(groups)) as place:
                Batch(groups, steps, workshop=workshop, place=place).run()

    def _groups(self, jobs: Sequence[Job]) -> Iterable[list[Job]]:
        """What one call of the provider's takes."""
        capabilities = self._tools.provider.capabilities
        group: list[Job] = []
        for job in jobs:
            other_text = group and capabilities.same_text_per_call and group[0].draft.text != job.draft.text
            if len(group) == capabilities.recipients_per_call or other_text:
                yield group
                group = []
            group.append(job)
        if group:
            yield group

    def _settle_unknown(self, jobs: Sequence[Job], options: SendOptions) -> None:
        """Resolve what is unknown; where the caller prefers twice to never, send again what the provider doesn't have."""
        tools = self._tools
        records = [job.record for job in jobs]
        tools.tracker.mark_abandoned(records)
        tools.reconciler.resolve(records)
        rounds = tools.workshop.policy.resends if options.on_unknown is OnUnknown.RESEND else 0
        for _ in range(rounds):
            again = [job for job in jobs if job.record.phase == Phase.UNKNOWN]
            self.carry_out(again, CallAgain(tools, options))
            tools.reconciler.resolve([job.record for job in again])


class FirstCall:
    """The steps of a new message."""

    def __init__(self, tools: SendTools, options: SendOptions) -> None:
        self._tools = tools
        self._options = options

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        jobs = [job for group in block for job in group]
        self._date(jobs)
        wanted = self._without_opted_out(self._create(jobs))
        return [left for group in block if (left := [job for job in group if id(job) in wanted])]

    def call(self, group: list[Job]) -> Changes:
        return self._note_outcomes(group, self._outcomes(group))

    def _note_outcomes(self, group: Sequence[Job], outcomes: Sequence[SendOutcome | ConnectorError]) -> Changes:
        at = self._tools.workshop.clock.time()
        changes = [(job.record, OutcomeChange(outcome, at, self)) for job, outcome in zip(group, outcomes, strict=True)]
        for record, change in changes:
            change(record)
            if isinstance(change.outcome, FailureReason) and change.outcome.kind is Kind.OPTED_OUT:
                self._tools.opt_outs.put(record.to, "provider", f"refused with {change.outcome.code}")
        return changes

    def save(self, changes: Changes) -> None:
        self._tools.store.save(changes)

    def next_check(self, record: MessageRecord, at: float) -> float | None:
        """When somebody should ask after the message, if nothing is heard of it."""
        return None if record.final else at + self._options.tracking.interval

    @property
    def unknown_window(self) -> float:
        """An outcome can become known for as long as the provider may still send the message."""
        window = self._tools.workshop.policy.unknown_window
        return min(window, self._options.validity_seconds or window)

    # --- intents ------------------------------------------------------------------------------------------------------

    def _date(self, jobs: Sequence[Job]) -> None:
        holder, now = self._tools.lease.name(), self._tools.workshop.clock.time()
        for job in jobs:
            record = job.record
            record.holder, record.created_at, record.updated_at = holder, now, now
            record.next_check_at = now + self._tools.workshop.policy.lease_seconds

    def _create(self, jobs: Sequence[Job]) -> list[Job]:
        """Make the intents durable; what another request has sent or is sending already is left out."""
        tools = self._tools
        fresh = tools.record_keys.claim([(job.draft, job.record) for job in jobs])
        wanted = [job for job, is_fresh in zip(jobs, fresh, strict=True) if is_fresh]
        try:
            tools.store.create([job.record for job in wanted])
        except Conflict:
            wanted = self._create_missing(wanted)
        return wanted

    def _create_missing(self, jobs: Sequence[Job]) -> list[Job]:
        """A request carried on after a crash: what has an outcome keeps it, what was being called is looked into, the rest is new."""
        found = self._tools.store.get([job.record.id for job in jobs])
        missing = [job for job, record in zip(jobs, found, strict=True) if record is None]
        for job, record in zip(jobs, found, strict=True):
            if record is not None:
                job.record = record
        self._tools.store.create([job.record for job in missing])
        return missing

    def _without_opted_out(self, jobs: Sequence[Job]) -> set[int]:
        opted_out = self._tools.opt_outs.among(job.draft.to for job in jobs)
        refusal = OutcomeChange(OPTED_OUT, self._tools.workshop.clock.time(), self)
        refused = [job for job in jobs if job.draft.to in opted_out]
        for job in refused:
            refusal(job.record)
        self._tools.store.save([(job.record, refusal) for job in refused])
        return {id(job) for job in jobs} - {id(job) for job in refused}

    # --- the call -----------------------------------------------------------------------------------------------------

    def _outcomes(self, group: Sequence[Job]) -> Sequence[SendOutcome | ConnectorError]:
        try:
            return self._tools.provider.send([self._outbound(job) for job in group])
        except (CallError, ProviderRefused) as error:
            return [error] * len(group)

    def _outbound(self, job: Job) -> OutboundMessage:
        options = self._options
        return OutboundMessage(
            id=job.record.id,
            to=job.draft.to,
            sender=options.sender,
            text=job.draft.text,
            media_urls=options.media_urls,
            validity_seconds=options.validity_seconds,
            send_at=options.send_at,
            callback_url=self._callback_url(job.record.id),
        )

    def _callback_url(self, message_id: str) -> str | None:
        callbacks = self._tools.callbacks
        if callbacks is None or not self._tools.provider.capabilities.callback_per_message:
            return None
        return callbacks.of_message(message_id)


class CallAgain(FirstCall):
    """The steps of a message that is sent again because its caller prefers twice to never."""

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        again = Resend(self._tools.lease.name(), self._tools.workshop.clock.time())
        jobs = [job for group in block for job in group]
        for job in jobs:
            again(job.record)
        self._tools.store.save([(job.record, again) for job in jobs])
        return [left for group in block if (left := [job for job in group if job.record.phase == Phase.CALLING])]


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """What a call brought, as a change that can be applied to any state of the record."""

    outcome: SendOutcome | ConnectorError
    at: float
    steps: FirstCall

    def __call__(self, record: MessageRecord) -> None:
        outcome = self.outcome
        if isinstance(outcome, SendReceipt):
            record.take_receipt(outcome.provider_message_id, outcome.status, outcome.raw_status, at=self.at)
            record.segments = outcome.segments or record.segments
        elif isinstance(outcome, FailureReason):
            record.refuse(outcome, at=self.at)
        elif isinstance(outcome, OutcomeUnknown):
            record.lose_track(str(outcome), at=self.at, window=self.steps.unknown_window)
        else:
            record.refuse(_failure_of(outcome), at=self.at)
        record.next_check_at = self.steps.next_check(record, self.at)


@dataclass(frozen=True, slots=True)
class Resend:
    """The caller asked for at least once: the message is called again."""

    holder: str
    at: float

    def __call__(self, record: MessageRecord) -> None:
        if record.phase == Phase.UNKNOWN:
            record.phase, record.holder = Phase.CALLING, self.holder
            record.resends += 1
            record.note(self.at, "connector", "resend")


def _failure_of(error: ConnectorError) -> FailureReason:
    if isinstance(error, ProviderRefused):
        return FailureReason("provider", error.kind, str(error), error.code, error.more_info)
    kind = error.kind if isinstance(error, NotSent) else Kind.UNAVAILABLE
    return FailureReason("transport", kind, str(error), retry=Retry.SAFE)

"""Sending: intent, lease, turn, call, outcome, in that order, for one record or a thousand (sending.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.errors import (
    CallError,
    Conflict,
    ConnectorError,
    ErrorKind,
    NotSent,
    OutcomeUnknown,
    PreconditionFailed,
    ProviderRefused,
    RequestError,
)
from sms_connector.model.message import BeforeAttempt, OutboundMessage, text_digest
from sms_connector.model.send_request import Draft, OnUnknown, SendOptions, SendRequest
from sms_connector.provider import Provider, SendOutcome
from sms_connector.sending.batch import Batch, SendContext, Steps
from sms_connector.sending.idempotency import message_id
from sms_connector.sending.record_keys import RecordKeys
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import COMMIT_LIMIT, Changes, MessageStore
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.outcome import OPTED_OUT, ApplyOutcome, Resend, failure_of
from sms_connector.tracking.poller import Poller
from sms_connector.tracking.reconciler import Reconciler
from sms_connector.tracking.schedule import MaintenanceSchedule


class Job(msgspec.Struct):
    """One record on its way: what to send, and what the ledger knows of it. The text lives here only, never in the ledger."""

    draft: Draft
    record: MessageRecord


class SendTools(msgspec.Struct, frozen=True):
    """What a send needs; made once by the composition root. `require_active` raises RequestError while the connection is suspended.
    (A suspension halts a campaign's chunk, and refuses none of its messages.)"""

    provider: Provider
    store: MessageStore
    opt_outs: OptOuts
    record_keys: RecordKeys
    lease: NodeLease
    reconciler: Reconciler
    poller: Poller
    context: SendContext
    planner: MaintenanceSchedule | None = None
    callbacks: CallbackAddress | None = None
    require_active: Callable[[], None] | None = None


class SendService:
    """`send` is the one way out for messages."""

    def __init__(self, tools: SendTools) -> None:
        self._tools = tools

    def send(self, request: SendRequest) -> list[MessageRecord]:
        """One record a draft, in order. Raises Throttled before anything is sent."""
        tools, options, now = self._tools, request.options, self._tools.context.clock.time()
        jobs = [
            Job(draft, new_record(draft, options, message_id(request.nonce, draft.index), at=now))
            for draft in request.drafts
        ]
        with tools.lease.held():
            self.carry_out(jobs, FirstCall(tools, options))
            self.settle_unknown(jobs, options)
            records = [job.record for job in jobs]
            if options.tracking.wait:
                tools.poller.follow(records, options.tracking)
                self._release([record for record in records if record.follower and not record.final])
            times = [record.next_check_at for record in records if not record.final and record.next_check_at]
            if tools.planner is not None and times:
                tools.planner.plan(min(times))
        return records

    def _release(self, records: Sequence[MessageRecord]) -> None:
        """What is still open when its request is answered is asked for by maintenance runs."""
        hand_over = _Release(self._tools.context.clock.time())
        for record in records:
            hand_over(record)
        self._tools.store.save([(record, hand_over) for record in records])

    def carry_out(self, jobs: Sequence[Job], steps: Steps[list[Job]], *, patient: bool = False) -> None:
        """Carry out the calls for these jobs, step by step; inside `lease.held()`.

        Raises Throttled before the first step, unless `patient`."""
        context = self._tools.context
        groups = list(self._groups(jobs))
        if groups:
            with context.throttle.reservation(len(groups), patient=patient) as reservation:
                Batch(groups, steps, context=context, reservation=reservation).run()

    def _groups(self, jobs: Iterable[Job]) -> Iterable[list[Job]]:
        """What one call of the provider's takes."""
        capabilities = self._tools.provider.capabilities
        alike: dict[str, list[Job]] = {}
        for job in jobs:
            alike.setdefault(job.draft.text if capabilities.same_text_per_call else "", []).append(job)
        size = capabilities.recipients_per_call
        return (part[start : start + size] for part in alike.values() for start in range(0, len(part), size))

    def settle_unknown(self, jobs: Sequence[Job], options: SendOptions) -> None:
        """Resolve what is unknown; where the caller prefers twice to never, send again what the provider doesn't have."""
        tools, records = self._tools, [job.record for job in jobs]
        tools.poller.mark_abandoned(records)
        tools.reconciler.resolve(records)
        if options.on_unknown is OnUnknown.RESEND:
            self._send_again([job for job in jobs if not job.record.replayed], options)

    def _send_again(self, jobs: Sequence[Job], options: SendOptions) -> None:
        """Never in haste: the provider's list may show a message some seconds late."""
        tools, policy = self._tools, self._tools.context.policy
        for _ in range(policy.resends):
            jobs = [job for job in jobs if job.record.phase == Phase.UNKNOWN and job.record.resends < policy.resends]
            if not jobs:
                return
            tools.context.clock.sleep(policy.resend_after)
            absent = tools.reconciler.resolve([job.record for job in jobs])
            again = [job for job in jobs if job.record.id in absent]
            self.carry_out(again, CallAgain(tools, options), patient=True)
        tools.reconciler.resolve([job.record for job in jobs])


def new_record(
    draft: Draft, options: SendOptions, message_id: str, *, at: float, campaign: str | None = None
) -> MessageRecord:
    """A message that nobody has begun to send."""
    return MessageRecord(
        id=message_id,
        to=draft.to,
        sender=options.sender,
        text_digest=text_digest(draft.text),
        created_at=at,
        updated_at=at,
        index=draft.index,
        segments=draft.segments.count,
        encoding=str(draft.segments.encoding),
        interval=options.tracking.interval,
        attempts_allowed=options.tracking.attempts,
        media=len(options.media_urls),
        validity_seconds=options.validity_seconds,
        send_at=options.send_at.timestamp() if options.send_at else None,
        callback_url=options.callback_url,
        template=options.template,
        campaign=campaign,
        key=draft.key,
        reference=draft.reference,
        line=draft.line,
    )


class _Release(msgspec.Struct, frozen=True):
    at: float

    def __call__(self, record: MessageRecord) -> None:
        record.follower = None
        record.plan_check(self.at)


class FirstCall:
    """The steps of a new message."""

    def __init__(self, tools: SendTools, options: SendOptions) -> None:
        self._tools = tools
        self._options = options

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        """Recipients who have opted out are refused in the same write that makes the others' intents durable."""
        jobs = [job for group in block for job in group]
        self._date(jobs)
        self._refuse_suspended(jobs)
        self._refuse_opted_out(jobs)
        created = {id(job) for job in self._create(jobs) if job.record.phase == Phase.CALLING}
        return [left for group in block if (left := [job for job in group if id(job) in created])]

    def before_attempt(self, group: list[Job], attempt: int) -> None:
        """Look at consent again before a repetition, which may come many seconds after the first attempt.

        Only the holder of a fresh lease may call. One that was held up for longer than its lease writes its intents again: that
        fails where another node has called them dead.
        """
        if attempt > 1 and self._tools.opt_outs.among([job.record.to for job in group]):
            raise PreconditionFailed(OPTED_OUT.message, kind=ErrorKind.OPTED_OUT)
        policy, lease = self._tools.context.policy, self._tools.lease
        holder = group[0].record.holder
        if lease.covers(holder, policy.call_seconds):
            return
        fresh = lease.name()
        if fresh != holder:
            self._move([job.record for job in group], fresh)
        if not lease.covers(fresh, policy.call_seconds):
            raise NotSent("the ledger is too slow to keep this node's lease: nothing was sent")

    def call(self, group: list[Job], before_attempt: BeforeAttempt) -> Changes:
        return self._note_outcomes(group, self._outcomes(group, before_attempt))

    def save(self, changes: Changes) -> None:
        self._tools.store.save(changes)

    # --- intents ------------------------------------------------------------------------------------------------------

    def _date(self, jobs: Sequence[Job]) -> None:
        holder, now = self._tools.lease.name(), self._tools.context.clock.time()
        for job in jobs:
            record = job.record
            record.holder, record.created_at, record.updated_at = holder, now, now
            record.next_check_at = now + self._tools.context.policy.lease_seconds
            record.follower = holder if self._options.tracking.wait else None

    def _refuse_suspended(self, jobs: Sequence[Job]) -> None:
        """What a suspension meets before its turn has come is not sent."""
        try:
            self._require_active()
        except RequestError as error:
            for job in jobs:
                job.record.refuse(failure_of(error), at=self._tools.context.clock.time())

    def _require_active(self) -> None:
        if self._tools.require_active is not None:
            self._tools.require_active()

    def _refuse_opted_out(self, jobs: Sequence[Job]) -> None:
        opted_out = self._tools.opt_outs.among(job.draft.to for job in jobs)
        self._refuse([job for job in jobs if job.draft.to in opted_out])

    def _refuse(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.record.refuse(OPTED_OUT, at=self._tools.context.clock.time())

    def _create(self, jobs: Sequence[Job]) -> list[Job]:
        """Make the intents durable; what another request has sent or is sending already is left out."""
        pairs = [(job.draft, job.record) for job in jobs]
        fresh = self._tools.record_keys.claim(pairs, attachment=" ".join(self._options.media_urls))
        wanted = [job for job, is_fresh in zip(jobs, fresh, strict=True) if is_fresh]
        parts = [wanted[start : start + COMMIT_LIMIT] for start in range(0, len(wanted), COMMIT_LIMIT)]
        return [job for part in parts for job in self._create_part(part)]

    def _create_part(self, jobs: Sequence[Job]) -> Sequence[Job]:
        while jobs:
            try:
                self._tools.store.create([job.record for job in jobs])
                break
            except Conflict:
                missing = self._without_existing(jobs)
                if len(missing) == len(jobs):
                    raise
                jobs = missing
        return jobs

    def _without_existing(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """A request carried on after a crash: what has an outcome keeps it, what was being called is looked into, the rest is new."""
        found = self._tools.store.get([job.record.id for job in jobs])
        for job, record in zip(jobs, found, strict=True):
            if record is not None:
                job.record, record.index = record, job.draft.index
        return [job for job, record in zip(jobs, found, strict=True) if record is None]

    def _move(self, records: Sequence[MessageRecord], holder: str) -> None:
        before = records[0].holder
        try:
            for record in records:
                record.holder = holder
            self._tools.store.rewrite(records)
        except Conflict:
            for record in records:
                record.holder = before
            raise NotSent("this node was held up for longer than its lease: nothing was sent") from None

    # --- the call -----------------------------------------------------------------------------------------------------

    def _outcomes(self, group: Sequence[Job], before_attempt: BeforeAttempt) -> Sequence[SendOutcome | ConnectorError]:
        try:
            outcomes = self._tools.provider.send([self._outbound(job) for job in group], before_attempt)
        except (CallError, ProviderRefused, RequestError) as error:
            return [error] * len(group)
        if len(outcomes) != len(group):
            return [OutcomeUnknown(f"the answer was about {len(outcomes)} of {len(group)} messages")] * len(group)
        return outcomes

    def _note_outcomes(self, group: Sequence[Job], outcomes: Sequence[SendOutcome | ConnectorError]) -> Changes:
        context = self._tools.context
        at, window = context.clock.time(), context.policy.unknown_window
        changes = [
            (job.record, ApplyOutcome(outcome, at, window, job.record.holder, job.record.resends))
            for job, outcome in zip(group, outcomes, strict=True)
        ]
        for record, change in changes:
            change(record)
        return changes

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
        policy, now = self._tools.context.policy, self._tools.context.clock.time()
        holder = self._tools.lease.name()
        jobs = [job for group in block for job in group]
        opted_out = self._tools.opt_outs.among(job.draft.to for job in jobs)
        resends = {id(job): Resend(holder, now, policy.resends) for job in jobs if job.draft.to not in opted_out}
        changes = [(job.record, resends[id(job)]) for job in jobs if id(job) in resends]
        for record, change in changes:
            change(record)
        self._tools.store.save(changes)
        taken = {key for key, resend in resends.items() if resend.taken}
        return [left for group in block if (left := [job for job in group if id(job) in taken])]

"""Send messages: intent, lease, turn, call, outcome, in that order (sending.md sections 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

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
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import BeforeAttempt, OutboundMessage, text_digest
from sms_connector.model.send_request import Draft, OnUnknown, SendOptions, SendRequest
from sms_connector.provider import Provider, SendOutcome
from sms_connector.sending.batch import Batch, SendContext, Steps
from sms_connector.sending.idempotency import RecordKeys, message_id
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.store.message_store import COMMIT_LIMIT, Changes, MessageStore
from sms_connector.store.node_lease import NodeLease
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.outcome import OPTED_OUT, ApplyOutcome, Resend, failure_of
from sms_connector.tracking.poller import Poller
from sms_connector.tracking.reconciler import Reconciler
from sms_connector.tracking.schedule import MaintenanceSchedule


class Job(msgspec.Struct, eq=False):
    """One record on its way: what to send, and what the ledger knows of it. The text lives here only, never in the
    ledger."""

    draft: Draft
    record: MessageRecord


class SendService(msgspec.Struct, frozen=True):
    """Sends every message. `require_active` raises RequestError while the connection is suspended; a campaign's chunk
    checks by itself: a suspension stops it and refuses none of its messages."""

    provider: Provider
    store: MessageStore
    opt_outs: OptOuts
    record_keys: RecordKeys
    lease: NodeLease
    reconciler: Reconciler
    poller: Poller
    context: SendContext
    planner: MaintenanceSchedule
    callbacks: CallbackAddress | None = None
    require_active: Callable[[], None] | None = None

    def send(self, request: SendRequest) -> list[MessageRecord]:
        """Return one record a draft, in order. Raises Throttled before anything is sent."""
        options, now = request.options, self.context.clock.time()
        jobs = [
            Job(draft, new_record(draft, options, message_id(request.nonce, draft.index), at=now))
            for draft in request.drafts
        ]
        with self.lease.held():
            self.carry_out(jobs, SendSteps(self, options))
            self.settle_unknown(jobs, options)
            records = [job.record for job in jobs]
            if options.tracking.wait:
                self.poller.follow(records, options.tracking)
                self._release([record for record in records if record.follower and not record.final])
            times = [record.next_check_at for record in records if not record.final and record.next_check_at]
            if times:
                self.planner.plan(min(times))
        return records

    def _release(self, records: Sequence[MessageRecord]) -> None:
        """Leave what is still open when its request is answered to maintenance runs."""
        now = self.context.clock.time()

        def release(record: MessageRecord) -> None:
            record.follower = None
            record.plan_check(now)

        self.store.apply_all([(record, release) for record in records])

    def carry_out(self, jobs: Sequence[Job], steps: Steps[list[Job]], *, patient: bool = False) -> None:
        """Carry out the calls for these jobs, step by step; inside `lease.held()`.

        Raises Throttled before the first step, unless `patient`."""
        groups = list(self._groups(jobs))
        if groups:
            with self.context.throttle.reservation(len(groups), patient=patient) as reservation:
                Batch(groups, steps, context=self.context, reservation=reservation).run()

    def _groups(self, jobs: Iterable[Job]) -> Iterable[list[Job]]:
        """Yield groups of jobs that one call of the provider takes."""
        capabilities = self.provider.capabilities
        alike: dict[tuple[str, ...], list[Job]] = {}
        for job in jobs:
            same = (job.record.sender, job.draft.text) if capabilities.same_text_per_call else ()
            alike.setdefault(same, []).append(job)
        size = capabilities.recipients_per_call
        return (part[start : start + size] for part in alike.values() for start in range(0, len(part), size))

    def settle_unknown(self, jobs: Sequence[Job], options: SendOptions) -> None:
        """Resolve unknown outcomes: by a repeat where the provider takes a message once only; with `onUnknown:
        "resend"`, send again what the provider does not have."""
        records = [job.record for job in jobs]
        self.poller.mark_abandoned(records)
        harmless = self.provider.capabilities.idempotent_send
        self.reconciler.resolve(records, close=not harmless)
        if options.on_unknown is OnUnknown.RESEND or harmless:
            self._resend([job for job in jobs if not job.record.replayed], options)

    def _resend(self, jobs: Sequence[Job], options: SendOptions) -> None:
        """Wait before each attempt: the provider's list may show a message some seconds late, and a provider that gave
        no answer may need them to recover."""
        policy = self.context.policy
        for _ in range(policy.resends):
            resend = self._make_resend()
            jobs = [job for job in jobs if resend.is_due(job.record)]
            if not jobs:
                return
            self.context.clock.sleep(policy.resend_after)
            absent = self.reconciler.resolve([job.record for job in jobs], close=not resend.harmless)
            again = [job for job in jobs if job.record.id in absent or (resend.harmless and resend.is_due(job.record))]
            self.carry_out(again, SendSteps(self, options, intend=self._renew_intents), patient=True)
        self.reconciler.resolve([job.record for job in jobs])

    def _make_resend(self) -> Resend:
        harmless = self.provider.capabilities.idempotent_send
        return Resend(self.lease.name(), self.context.clock.time(), self.context.policy.resends, harmless)

    def _renew_intents(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs whose messages this node may send again."""
        opted_out = self.opt_outs.among(job.draft.to for job in jobs)
        jobs = [job for job in jobs if job.draft.to not in opted_out]
        changes = [(job.record, self._make_resend()) for job in jobs]
        self.store.apply_all(changes)
        return [job for job, (_, resend) in zip(jobs, changes, strict=True) if resend.taken]


class OptedOutMeanwhile(PreconditionFailed):
    """Recipients opted out after the first attempt of their call."""

    def __init__(self, recipients: Container[str]) -> None:
        super().__init__(OPTED_OUT.message, kind=ErrorKind.OPTED_OUT)
        self.recipients = recipients


class SendSteps:
    """The steps of a send. `intend` makes the intents of a block durable and returns the jobs to be called; by default
    those of new messages."""

    def __init__(
        self, send: SendService, options: SendOptions, intend: Callable[[Sequence[Job]], Iterable[Job]] | None = None
    ) -> None:
        self._send = send
        self._options = options
        self._intend = intend or self._create_intents
        self._left_out: set[str] = set()  # messages whose recipients opted out while their call was tried

    def prepare(self, block: Sequence[list[Job]]) -> list[list[Job]]:
        intended = set(self._intend([job for group in block for job in group]))
        return [left for group in block if (left := [job for job in group if job in intended])]

    def before_attempt(self, group: list[Job], attempt: int) -> None:
        """Check consent again before a repetition, which may come many seconds after the first attempt.

        Only the holder of a fresh lease may call. One that was held up for longer than its lease writes its intents
        again: that fails where another node has marked them abandoned.
        """
        send = self._send
        if attempt > 1:
            opted_out = send.opt_outs.among([job.record.to for job in group if job.record.id not in self._left_out])
            if opted_out:
                raise OptedOutMeanwhile(opted_out)
        lease, seconds, holder = send.lease, send.context.policy.call_seconds, group[0].record.holder
        if lease.covers(holder, seconds):
            return
        fresh = lease.name()
        if fresh != holder:
            self._move([job.record for job in group], fresh)
        if not lease.covers(fresh, seconds):
            raise NotSent("the ledger is too slow to keep this node's lease: nothing was sent")

    def call(self, group: list[Job], before_attempt: BeforeAttempt) -> Changes:
        return self.apply_outcomes(zip(group, self.outcomes(group, before_attempt), strict=True))

    def save(self, changes: Changes) -> None:
        self._send.store.save(changes)

    # --- intents ------------------------------------------------------------------------------------------------------

    def _create_intents(self, jobs: Sequence[Job]) -> list[Job]:
        """Write intents; recipients who have opted out are refused in the same write."""
        self.date(jobs)
        self._refuse_suspended(jobs)
        self.refuse(self.opted_out(jobs))
        return [job for job in self._create(jobs) if job.record.phase == Phase.CALLING]

    def date(self, jobs: Iterable[Job]) -> None:
        """Give intents their time and this node's lease."""
        holder, now = self._send.lease.name(), self._send.context.clock.time()
        for job in jobs:
            record = job.record
            record.holder, record.created_at, record.updated_at = holder, now, now
            record.next_check_at = now + self._send.context.policy.lease_seconds
            record.follower = holder if self._options.tracking.wait else None

    def _refuse_suspended(self, jobs: Sequence[Job]) -> None:
        """Refuse messages that meet a suspension before their turn."""
        try:
            if self._send.require_active is not None:
                self._send.require_active()
        except RequestError as error:
            self.refuse(jobs, failure_of(error))

    def opted_out(self, jobs: Sequence[Job]) -> list[Job]:
        recipients = self._send.opt_outs.among(job.draft.to for job in jobs)
        return [job for job in jobs if job.draft.to in recipients]

    def refuse(self, jobs: Sequence[Job], reason: FailureReason = OPTED_OUT) -> None:
        for job in jobs:
            job.record.refuse(reason, at=self._send.context.clock.time())

    def _create(self, jobs: Sequence[Job]) -> list[Job]:
        """Store intents; leave out what another request has sent or is sending already."""
        pairs = [(job.draft, job.record) for job in jobs]
        fresh = self._send.record_keys.claim(pairs, attachment=" ".join(self._options.media_urls))
        wanted = [job for job, is_fresh in zip(jobs, fresh, strict=True) if is_fresh]
        parts = [wanted[start : start + COMMIT_LIMIT] for start in range(0, len(wanted), COMMIT_LIMIT)]
        return [job for part in parts for job in self._create_part(part)]

    def _create_part(self, jobs: Sequence[Job]) -> Sequence[Job]:
        while jobs:
            try:
                self._send.store.create([job.record for job in jobs])
                break
            except Conflict:
                missing = self._without_existing(jobs)
                if len(missing) == len(jobs):
                    raise
                jobs = missing
        return jobs

    def _without_existing(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Return the new ones of a request carried on after a crash: others keep their outcome, or are reconciled."""
        found = self._send.store.get([job.record.id for job in jobs])
        for job, record in zip(jobs, found, strict=True):
            if record is not None:
                job.record, record.index = record, job.draft.index
        return [job for job, record in zip(jobs, found, strict=True) if record is None]

    def _move(self, records: Sequence[MessageRecord], holder: str) -> None:
        before = records[0].holder
        try:
            for record in records:
                record.holder = holder
            self._send.store.rewrite(records)
        except Conflict:
            for record in records:
                record.holder = before
            raise NotSent("this node was held up for longer than its lease: nothing was sent") from None

    # --- the call -----------------------------------------------------------------------------------------------------

    def outcomes(self, group: Sequence[Job], before_attempt: BeforeAttempt) -> Sequence[SendOutcome | ConnectorError]:
        """Make the call and return an outcome for each job. One whose recipient opts out between two attempts stops no
        other: the call is made without it."""
        try:
            outcomes = self._send.provider.send([self._outbound(job) for job in group], before_attempt)
        except OptedOutMeanwhile as error:
            self._left_out |= {job.record.id for job in group if job.draft.to in error.recipients}
            rest = [job for job in group if job.record.id not in self._left_out]
            others = iter(self.outcomes(rest, before_attempt) if rest else ())
            return [error if job.record.id in self._left_out else next(others) for job in group]
        except (CallError, ProviderRefused, RequestError) as error:
            return [error] * len(group)
        if len(outcomes) != len(group):
            return [OutcomeUnknown(f"the answer was about {len(outcomes)} of {len(group)} messages")] * len(group)
        return outcomes

    def apply_outcomes(self, outcomes: Iterable[tuple[Job, SendOutcome | ConnectorError]]) -> Changes:
        context = self._send.context
        at, window = context.clock.time(), context.policy.unknown_window
        changes = [
            (job.record, ApplyOutcome(outcome, at, window, job.record.holder, job.record.resends))
            for job, outcome in outcomes
        ]
        for record, change in changes:
            change(record)
        return changes

    def _outbound(self, job: Job) -> OutboundMessage:
        options, callbacks = self._options, self._send.callbacks
        if not self._send.provider.capabilities.callback_per_message:
            callbacks = None
        return OutboundMessage(
            id=job.record.id,
            to=job.draft.to,
            sender=job.record.sender,
            text=job.draft.text,
            media_urls=options.media_urls,
            validity_seconds=options.validity_seconds,
            send_at=options.send_at,
            callback_url=callbacks.of_message(job.record.id) if callbacks is not None else None,
            intended_at=job.record.created_at,
        )


def new_record(
    draft: Draft, options: SendOptions, message_id: str, *, at: float, campaign: str | None = None
) -> MessageRecord:
    """Return the record of a message that was not called yet."""
    return MessageRecord(
        id=message_id,
        to=draft.to,
        sender=draft.sender,
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
        channel=options.channel,
        campaign=campaign,
        key=draft.key,
        reference=draft.reference,
        line=draft.line,
    )

"""A message as the ledger stores it: intent, lease, outcome, history. Its fields are those of the document."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.person import person_key
from sms_connector.model.status import MessageStatus, advance
from sms_connector.ports import Absent, Json, Version, Write
from sms_connector.ports.ledger_access import document_data

COLLECTION = "messages"
RETENTION_SECONDS = 30 * 24 * 3600.0
HISTORY_LIMIT = 50
EVIDENCE_LIMIT = 10
# Sources of history entries that are not a provider's status: our own notes, and refusals, which have a code instead.
_NOTES = frozenset({"transport", "connector", "provider"})
# How often a message is checked whose attempts are used up: for late callbacks, and for its end after 72 h.
SLOW_CHECK_SECONDS = 3600.0
# How often an unknown outcome is looked up then, until its window ends.
UNKNOWN_CHECK_SECONDS = 60.0
# The least time between the last call and the proof of absence (or the whole window, where a policy has a shorter one):
# a list that does not show the message after that proves that it was not sent.
ABSENCE_SECONDS = 60.0
# When a campaign's message that ended as unknown is first checked for late events; then the interval grows.
LATE_CHECK_SECONDS = 60.0
# A waiting request polls its messages itself; a maintenance run checks after this time whether it still does.
FOLLOWED_CHECK_SECONDS = 90.0

# Fields that a record shows of the message it refers to (`MessageRecord.same_as`).
_MIRRORED = (
    *("status", "failure", "provider_message_id", "segments", "attempts", "sent_at", "send_at", "updated_at"),
    *("evidence", "redacted", "unknown_until"),
)
NOT_SENT = FailureReason(
    source="transport",
    kind=ErrorKind.NOT_SENT,
    message="no answer came, and the provider's list of messages shows that it was not sent",
    retry=RetrySafety.SAFE,
)


class Phase:
    """The progress of a message's call. Only CALLING can leave an outcome unknown."""

    CALLING = "calling"  # the intent is durable; the holder of the lease may be calling
    UNKNOWN = "unknown"  # the call began, and its outcome is unknown
    DONE = "done"  # the provider took or refused it, or no call was made


class MessageRecord(msgspec.Struct, rename="camel", omit_defaults=True):
    """Mutable: one holder at a time works on it, and the ledger's version guards the rest. Times are epoch seconds."""

    id: str
    to: str
    sender: str = msgspec.field(name="from")
    text_digest: str = msgspec.field(name="digest")
    created_at: float
    updated_at: float
    status: MessageStatus = MessageStatus.ACCEPTED
    phase: str = Phase.CALLING
    index: int = 0
    segments: int = 0
    media: int = 0
    encoding: str = ""
    holder: str | None = None
    provider_message_id: str | None = None
    failure: FailureReason | None = None
    attempts: int = 0  # polls since its outcome was settled
    asked_at: float | None = None  # when it was last polled
    follower: str | None = None  # the lease of the waiting request that polls it
    sent_at: float | None = None
    next_check_at: float | None = None
    interval: float = 10.0
    attempts_allowed: int = 6
    unknown_until: float | None = None
    validity_seconds: int | None = None
    send_at: float | None = None
    resends: int = 0
    parts: dict[str, str] = msgspec.field(default_factory=dict)  # the status of each part that was reported
    evidence: list[str] = msgspec.field(default_factory=list)
    callback_url: str | None = None
    campaign: str | None = None
    key: str | None = None
    reference: str | None = None
    template: str | None = None
    channel: str | None = None  # the channel definition of Journeys that it came by
    same_as: str | None = None  # the message that was sent under the same key, whose outcome is shown
    line: int | None = None
    redacted: bool = False
    announced: str | None = None  # the final status that the last notification was written for
    # Time, status, source, raw status.
    history: list[tuple[float, str, str, str]] = msgspec.field(default_factory=list)
    version: Version | Absent | None = None
    replayed: bool = False

    @property
    def final(self) -> bool:
        """Return whether the status is final. An unknown outcome is final only when its window has ended (phase
        DONE)."""
        return self.status.final and self.phase == Phase.DONE

    @property
    def begins_at(self) -> float:
        """Return when it may leave: at `sendAt`, else at its intent. Waiting times and retention count from then."""
        return self.send_at or self.created_at

    @property
    def due_at(self) -> float:
        """Return when the next poll is due: an interval after the last update or poll, or after `sendAt` while the
        provider holds it."""
        last = max(self.updated_at, self.asked_at or 0.0)
        return (self.begins_at if self._is_for_later(last) else last) + self.interval

    def note(self, at: float, source: str, detail: str = "") -> None:
        """Add an entry to the history. A full history keeps its beginning and the latest entry."""
        self.updated_at = at
        if len(self.history) >= HISTORY_LIMIT:
            self.history.pop()
        self.history.append((at, str(self.status), source, detail))

    def apply_report(self, report: DeliveryReport, *, at: float, source: str) -> bool:
        """Apply a provider's report. Return whether it changed the record; a repeated report does not.

        It settles an open outcome: the provider has the message. A report about another provider id (the message was
        sent again) is kept in the history only.
        """
        known = self.provider_message_id
        if known and report.provider_message_id and known != report.provider_message_id:
            return self._record_double(report, at=at, source=source)
        if report.part is not None:
            report = self._combine_parts(report, report.part)
        settles = self.is_unsettled
        if not settles and self._knows(report):
            return False
        self.failure = None if settles else self.failure
        self.attempts = 0 if settles else self.attempts
        self.phase, self.holder = Phase.DONE, None
        self.provider_message_id = report.provider_message_id or known
        if not self._is_for_later(at):
            self.sent_at = self.sent_at or at
        self.status = advance(self.status, report.status)
        self.segments = report.segments or self.segments
        if report.failure is not None and self.status is report.status:
            self.failure = report.failure
        self.note(at, source, report.raw_status)
        self.plan_check(at)
        return True

    def _combine_parts(self, report: DeliveryReport, part: str) -> DeliveryReport:
        """Return the report of one part as one of the message: delivered with the last part, failed with the first that
        fails. Its raw status names the part, so that the parts' reports are never taken for repeated ones."""
        known = MessageStatus(self.parts.get(part, MessageStatus.ACCEPTED))
        self.parts[part] = str(advance(known, report.status))
        arrived = sum(status in (MessageStatus.DELIVERED, MessageStatus.READ) for status in self.parts.values())
        is_partial = report.status is MessageStatus.DELIVERED and arrived < (report.parts or self.segments)
        status = MessageStatus.SENT if is_partial else report.status
        return replace(report, status=status, raw_status=f"{report.raw_status} ({part})", segments=report.parts)

    def refuse(self, failure: FailureReason, *, at: float) -> None:
        """End a message that was not called or that the provider refused. A settled outcome stays."""
        if self.provider_message_id is None and not self.final:
            self.phase, self.holder, self.next_check_at = Phase.DONE, None, None
            self.status, self.failure = MessageStatus.ERROR, failure
            self.note(at, failure.source, str(failure.code or failure.kind))

    def mark_unknown(self, evidence: str, *, at: float, window: float) -> None:
        """Mark an outcome unknown: nothing is repeated, and it is looked up for `window` seconds, at most the message's
        validity. A settled outcome stays."""
        if self.phase == Phase.DONE:
            return
        self.phase, self.holder, self.status = Phase.UNKNOWN, None, MessageStatus.UNKNOWN
        until = self.unknown_until or at + min(window, self.validity_seconds or window)
        self.unknown_until = max(until, at + min(ABSENCE_SECONDS, window))
        self.failure = FailureReason(
            source="transport", kind=ErrorKind.UNKNOWN_OUTCOME, message=evidence, retry=RetrySafety.UNKNOWN_OUTCOME
        )
        if self.add_evidence(evidence):
            self.note(at, "transport")
        self.plan_check(at)

    @property
    def is_unsettled(self) -> bool:
        """Return whether it is unknown if the provider has the message."""
        return self.phase != Phase.DONE or self.status is MessageStatus.UNKNOWN

    @property
    def is_used_up(self) -> bool:
        """Return whether no attempt is left."""
        return self.attempts >= self.attempts_allowed

    @property
    def lacks_id(self) -> bool:
        """Return whether the next poll is the last one, and could ask only by an id that a report has to tell first."""
        accepted = self.phase == Phase.DONE and not self.final and self.provider_message_id is None
        return accepted and self.same_as is None and self.attempts + 1 >= self.attempts_allowed

    @property
    def may_yield(self) -> bool:
        """Return whether a report can still change it: it is open, or final as unknown."""
        return not self.final or self.status is MessageStatus.UNKNOWN

    def mirror(self, first: MessageRecord) -> None:
        """Copy the outcome of the message it refers to; an open outcome does not end it."""
        for name in _MIRRORED:
            setattr(self, name, getattr(first, name))
        self.phase, self.holder = Phase.DONE, None
        if first.phase != Phase.DONE:
            self.status, self.failure = MessageStatus.ACCEPTED, None
        self.next_check_at = None if self.final else first.next_check_at or first.updated_at + SLOW_CHECK_SECONDS

    def close_unresolved(self, *, at: float) -> None:
        """End an unknown outcome at the end of its window: final, with the evidence, unless a report comes later. Late
        events of a campaign's message are checked for."""
        if self.phase == Phase.UNKNOWN:
            self.phase = Phase.DONE
            self.next_check_at = None if self.campaign is None else at + LATE_CHECK_SECONDS
            self.note(at, "connector", "window ended")

    def prove_absent(self, *, at: float) -> None:
        """End a message as not sent: the provider's list, read to its end after the window, does not show it."""
        if self.phase == Phase.UNKNOWN:
            self.refuse(NOT_SENT, at=at)

    def expire(self, *, at: float) -> None:
        """End a message that had no update for too long; the last known status stays in the history."""
        if not self.final:
            self.note(at, "connector", f"no update since {self.status}")
            self.status, self.phase = MessageStatus.EXPIRED, Phase.DONE
            self.holder = self.next_check_at = None

    def add_evidence(self, evidence: str) -> bool:
        """Return whether the evidence is new."""
        is_new = evidence not in self.evidence
        if is_new and len(self.evidence) < EVIDENCE_LIMIT:
            self.evidence.append(evidence)
        return is_new

    def _knows(self, report: DeliveryReport) -> bool:
        explains = report.failure is not None and self.failure is None
        return not explains and self._has_seen(report.raw_status)

    def _has_seen(self, raw_status: str) -> bool:
        return any(entry[3] == raw_status and entry[2] not in _NOTES for entry in self.history)

    def _record_double(self, report: DeliveryReport, *, at: float, source: str) -> bool:
        raw_status = f"{report.raw_status} ({report.provider_message_id})"
        if self._has_seen(raw_status):
            return False
        self.note(at, source, raw_status)
        return True

    def plan_check(self, at: float) -> None:
        """Plan the next poll: an interval after the last update, or after `sendAt` while the provider holds it."""
        since = self.begins_at if self._is_for_later(at) else at
        pause = self.interval if self.follower is None else max(self.interval, FOLLOWED_CHECK_SECONDS)
        self.next_check_at = None if self.final else since + pause

    def _is_for_later(self, at: float) -> bool:
        """Return whether the provider holds it until `sendAt`."""
        return self.phase == Phase.DONE and self.begins_at > max(at, self.created_at)

    def back_off_checks(self, *, at: float, limit: float) -> None:
        """Plan the next check after polling has stopped, at growing intervals, until `limit` seconds after it was due
        to leave."""
        age, end = at - self.begins_at, self.begins_at + limit
        if self.follower is not None and not self.final:
            self.next_check_at = at + FOLLOWED_CHECK_SECONDS
        elif not self.final:
            self.next_check_at = min(end, at + max(SLOW_CHECK_SECONDS, -age, age / 2))
        elif self.next_check_at is not None:
            pause = max(LATE_CHECK_SECONDS, (at - self.created_at) / 4)
            self.next_check_at = min(end, at + pause) if at < end else None

    def asked(self, at: float, *, counts: bool = True) -> None:
        """Plan the next check after a poll: an interval later, or far later once the attempts are used up.

        A poll is an attempt if the provider has the message and does not hold it for later.
        """
        self.asked_at = at
        settled = self.phase == Phase.DONE
        if self._is_for_later(at):
            self.attempts = 0
        elif counts and settled and not (self.same_as and self.provider_message_id is None):
            self.attempts += 1
        if self.final:
            return
        if settled and self.is_used_up:
            self.follower, self.next_check_at = None, at + SLOW_CHECK_SECONDS
        elif self.phase == Phase.UNKNOWN:
            self.next_check_at = self._next_lookup(at)
        else:
            self.plan_check(at)

    def _next_lookup(self, at: float) -> float:
        """Return when an unknown outcome is looked up next: at the poll interval, then each minute, and at the end of
        the window. After that, while the provider's list can't be read, at growing intervals."""
        left = (self.unknown_until or at) - at
        if left > 0:
            early = at - self.created_at < self.interval * self.attempts_allowed
            return at + min(self.interval if early else UNKNOWN_CHECK_SECONDS, left)
        return at + min(SLOW_CHECK_SECONDS, max(UNKNOWN_CHECK_SECONDS, -left / 4))

    def to_data(self) -> Json:
        """Return the document. Defaults are left out: a plain message takes about 400 bytes."""
        data = document_data(self)
        data.pop("replayed", None)
        if self.final:
            data.pop("follower", None)
        return data | {"status": str(self.status), "expiresAt": self.begins_at + RETENTION_SECONDS}

    def to_write(self) -> Write:
        data = self.to_data() | {"person": person_key(self.to)}
        return Write(COLLECTION, self.id, data, self.version)

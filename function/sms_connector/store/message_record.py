"""A message as the ledger keeps it: intent, lease, outcome, history. The one place that knows the document's field names."""

from __future__ import annotations

import msgspec

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
# Who says what is no provider's word of a status: our own notes, and refusals, which are told by their code.
_NOTES = frozenset({"transport", "connector", "provider"})
# A message whose attempts are used up is looked at this seldom: for late callbacks, and for its end after 72 h.
SLOW_CHECK_SECONDS = 3600.0
# One whose outcome is unknown is looked for this often then, until its window ends.
UNKNOWN_CHECK_SECONDS = 60.0
# An open outcome is looked into for so long at least after the last call for it (or for the whole window, where a policy has a
# shorter one): a list that shows nothing then is proof.
ABSENCE_SECONDS = 60.0
# A campaign's message that ended as unknown may still be told of: looked for first after so long, then ever more seldom.
LATE_CHECK_SECONDS = 60.0
# A message that a waiting request follows is left to that request; a maintenance run checks after this long whether it still does.
FOLLOWED_CHECK_SECONDS = 90.0

# What a record shows of the message it stands for (`MessageRecord.same_as`).
_MIRRORED = (
    *(
        "status",
        "failure",
        "provider_message_id",
        "segments",
        "attempts",
        "sent_at",
        "send_at",
        "updated_at",
        "evidence",
    ),
    *("redacted", "unknown_until"),
)


NOT_SENT = FailureReason(
    source="transport",
    kind=ErrorKind.NOT_SENT,
    message="no answer came, and the provider's list of messages shows that it was not sent",
    retry=RetrySafety.SAFE,
)


class Phase:
    """How far the one call of a message has come. Only CALLING can leave an outcome unknown."""

    CALLING = "calling"  # the intent is durable; the holder of the lease may be calling
    UNKNOWN = "unknown"  # the call began and nobody can say what became of it
    DONE = "done"  # the provider took or refused it, or no call was made


class MessageRecord(msgspec.Struct, rename="camel", omit_defaults=True):
    """Mutable on purpose: one holder at a time works on it, and the ledger's version guards the rest. Times are epoch seconds."""

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
    attempts: int = 0  # questions asked since its outcome is settled
    asked_at: float | None = None  # when the last question was asked
    follower: str | None = None  # the lease of the request that waits for it and asks by itself
    sent_at: float | None = None
    next_check_at: float | None = None
    interval: float = 10.0
    attempts_allowed: int = 6
    unknown_until: float | None = None
    validity_seconds: int | None = None
    send_at: float | None = None
    resends: int = 0
    evidence: list[str] = msgspec.field(default_factory=list)
    callback_url: str | None = None
    campaign: str | None = None
    key: str | None = None
    reference: str | None = None
    template: str | None = None
    same_as: str | None = None  # the message that was sent under its key: what became of that one is shown
    line: int | None = None
    redacted: bool = False
    announced: str | None = None  # the final status its caller's callback was last noted for
    # When, status, source, the provider's word.
    history: list[tuple[float, str, str, str]] = msgspec.field(default_factory=list)
    version: Version | Absent | None = None
    replayed: bool = False

    @property
    def final(self) -> bool:
        """Nothing more is expected. An unknown outcome is final only when its window has ended (phase DONE)."""
        return self.status.final and self.phase == Phase.DONE

    @property
    def begins_at(self) -> float:
        """From when on it may be on its way: it is waited for and kept from then. Later than the intent where that was asked for."""
        return self.send_at or self.created_at

    @property
    def due_at(self) -> float:
        """An interval after its last update or question; where the provider holds it for later, after its time has come."""
        last = max(self.updated_at, self.asked_at or 0.0)
        return (self.begins_at if self._is_for_later(last) else last) + self.interval

    def note(self, at: float, source: str, word: str = "") -> None:
        """Keep what was heard, whether or not it changed the status. A full history keeps its beginning and the latest."""
        self.updated_at = at
        if len(self.history) >= HISTORY_LIMIT:
            self.history.pop()
        self.history.append((at, str(self.status), source, word))

    def apply_report(self, report: DeliveryReport, *, at: float, source: str) -> bool:
        """Apply news from the provider, however it came. True where it was news: a word heard before is none.

        It settles an open outcome: the provider has the message. News of another message of the provider's (ours was sent again)
        is kept in the history only.
        """
        if self.provider_message_id not in (None, report.provider_message_id):
            return self._record_double(report, at=at, source=source)
        settles = self.is_unsettled
        if not settles and self._knows(report):
            return False
        self.failure = None if settles else self.failure
        self.attempts = 0 if settles else self.attempts
        self.phase, self.holder = Phase.DONE, None
        self.provider_message_id = report.provider_message_id
        if not self._is_for_later(at):
            self.sent_at = self.sent_at or at
        self.status = advance(self.status, report.status)
        self.segments = report.segments or self.segments
        if report.failure is not None and self.status is report.status:
            self.failure = report.failure
        self.note(at, source, report.raw_status)
        self.plan_check(at)
        return True

    def refuse(self, failure: FailureReason, *, at: float) -> None:
        """No call was made, or the provider refused: final. What is settled already stays."""
        if self.provider_message_id is None and not self.final:
            self.phase, self.holder, self.next_check_at = Phase.DONE, None, None
            self.status, self.failure = MessageStatus.ERROR, failure
            self.note(at, failure.source, str(failure.code or failure.kind))

    def mark_unknown(self, evidence: str, *, at: float, window: float) -> None:
        """The call may have been processed: nothing is repeated, and for `window` seconds (at most as long as the message is
        valid) it is looked into. What is settled already stays."""
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
        """Whether the provider has it is not known (yet)."""
        return self.phase != Phase.DONE or self.status is MessageStatus.UNKNOWN

    @property
    def may_yield(self) -> bool:
        """Any news changes it: it is open, or final because nothing was known."""
        return not self.final or self.status is MessageStatus.UNKNOWN

    def mirror(self, first: MessageRecord) -> None:
        """Take over what became of the message it stands for; an outcome that is still open does not end it."""
        for name in _MIRRORED:
            setattr(self, name, getattr(first, name))
        self.phase, self.holder = Phase.DONE, None
        if first.phase != Phase.DONE:
            self.status, self.failure = MessageStatus.ACCEPTED, None
        self.next_check_at = None if self.final else first.next_check_at or first.updated_at + SLOW_CHECK_SECONDS

    def close_unresolved(self, *, at: float) -> None:
        """The window for looking into an unknown outcome has ended: final, with the evidence, unless news comes after all. A
        campaign's news is kept until somebody looks for it."""
        if self.phase == Phase.UNKNOWN:
            self.phase = Phase.DONE
            self.next_check_at = None if self.campaign is None else at + LATE_CHECK_SECONDS
            self.note(at, "connector", "window ended")

    def prove_absent(self, *, at: float) -> None:
        """The provider's list, read to its end after the window, does not have it: it was not sent."""
        if self.phase == Phase.UNKNOWN:
            self.refuse(NOT_SENT, at=at)

    def expire(self, *, at: float) -> None:
        """No news for too long: final, the last known status stays in the history."""
        if not self.final:
            self.note(at, "connector", f"no news since {self.status}")
            self.status, self.phase = MessageStatus.EXPIRED, Phase.DONE
            self.holder = self.next_check_at = None

    def add_evidence(self, evidence: str) -> bool:
        """True where it is new."""
        is_new = evidence not in self.evidence
        if is_new and len(self.evidence) < EVIDENCE_LIMIT:
            self.evidence.append(evidence)
        return is_new

    def _knows(self, report: DeliveryReport) -> bool:
        explains = report.failure is not None and self.failure is None
        return not explains and self._has_seen(report.raw_status)

    def _has_seen(self, word: str) -> bool:
        return any(entry[3] == word and entry[2] not in _NOTES for entry in self.history)

    def _record_double(self, report: DeliveryReport, *, at: float, source: str) -> bool:
        word = f"{report.raw_status} ({report.provider_message_id})"
        if self._has_seen(word):
            return False
        self.note(at, source, word)
        return True

    def plan_check(self, at: float) -> None:
        """Polling is a fallback: it begins an interval after the last update, or after its time has come. Whether the provider has it
        is looked into before that."""
        since = self.begins_at if self._is_for_later(at) else at
        pause = self.interval if self.follower is None else max(self.interval, FOLLOWED_CHECK_SECONDS)
        self.next_check_at = None if self.final else since + pause

    def _is_for_later(self, at: float) -> bool:
        """The provider has it, and keeps it until its time has come."""
        return self.phase == Phase.DONE and self.begins_at > max(at, self.created_at)

    def back_off_checks(self, *, at: float, limit: float) -> None:
        """Nobody asks any more; late news is looked for ever more seldom, until `limit` seconds after it was to be sent."""
        age, end = at - self.begins_at, self.begins_at + limit
        if self.follower is not None and not self.final:
            self.next_check_at = at + FOLLOWED_CHECK_SECONDS
        elif not self.final:
            self.next_check_at = min(end, at + max(SLOW_CHECK_SECONDS, -age, age / 2))
        elif self.next_check_at is not None:
            pause = max(LATE_CHECK_SECONDS, (at - self.created_at) / 4)
            self.next_check_at = min(end, at + pause) if at < end else None

    def asked(self, at: float, *, counts: bool = True) -> None:
        """Plan the next check after a question: an interval later, or far later once the attempts are used up.

        A question is an attempt where the provider has the message and is not told to hold it for later.
        """
        self.asked_at = at
        settled = self.phase == Phase.DONE
        if self._is_for_later(at):
            self.attempts = 0
        elif counts and settled and self.provider_message_id is not None:
            self.attempts += 1
        if self.final:
            return
        if settled and self.attempts >= self.attempts_allowed:
            self.follower, self.next_check_at = None, at + SLOW_CHECK_SECONDS
        elif self.phase == Phase.UNKNOWN:
            self.next_check_at = self._next_lookup(at)
        else:
            self.plan_check(at)

    def _next_lookup(self, at: float) -> float:
        """As often as attempts would be made, then each minute, and at the end of the window; after that, for as long as the provider's
        list can't be read, ever more seldom."""
        left = (self.unknown_until or at) - at
        if left > 0:
            early = at - self.created_at < self.interval * self.attempts_allowed
            return at + min(self.interval if early else UNKNOWN_CHECK_SECONDS, left)
        return at + min(SLOW_CHECK_SECONDS, max(UNKNOWN_CHECK_SECONDS, -left / 4))

    def to_data(self) -> Json:
        """The document: what has its default is left out, so that a plain message's is about 400 bytes."""
        data = document_data(self)
        data.pop("replayed", None)
        if self.final:
            data.pop("follower", None)
        return data | {"status": str(self.status), "expiresAt": self.begins_at + RETENTION_SECONDS}

    def to_write(self, *, expect: Version | Absent | None = None) -> Write:
        data = self.to_data() | {"person": person_key(self.to)}
        return Write(COLLECTION, self.id, data, self.version if expect is None else expect)

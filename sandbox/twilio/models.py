"""Messages and the book that keeps them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.twilio.lifecycle import Plan, sent_fraction, stage_at


@dataclass(frozen=True, slots=True)
class Media:
    sid: str
    url: str
    content_type: str


@dataclass(slots=True)
class Message:
    """One message. Times are epoch seconds; its delivery begins at `start` and takes `span` seconds.

    `sequence`: the order of acceptance over all accounts. `sender`: of a messaging service's message the one that will
    be used; shown once the message has left the status accepted. `error_code`: shown once the status is a failure.
    """

    sid: str
    account_sid: str
    sequence: int
    direction: str
    to: str
    sender: str
    body: str
    accepted_at: float
    start: float
    span: float
    plan: Plan
    segments: int
    service_sid: str | None = None
    error_code: int | None = None
    callback_url: str | None = None
    media: tuple[Media, ...] = ()
    provide_feedback: bool = False
    canceled_at: float | None = None
    redacted_at: float | None = None
    deleted_at: float | None = None

    def current(self, now: float) -> tuple[str, float]:
        """Return the status and since when."""
        if self.canceled_at is not None:
            return "canceled", self.canceled_at
        if now < self.start:
            return "scheduled", self.accepted_at
        fraction, status = stage_at(self.plan, now - self.start, span=self.span)
        return status, self.start + fraction * self.span

    def first_status(self) -> str:
        """Return what the answer to the create request says, however fast the delivery is."""
        return "scheduled" if self.start > self.accepted_at else self.plan[0][1]

    def will_be_sent_at(self) -> float | None:
        fraction = sent_fraction(self.plan)
        return None if fraction is None or self.canceled_at is not None else self.start + fraction * self.span

    def sent_at(self, now: float) -> float | None:
        """Return when it was handed over, None if it was not yet."""
        at = self.will_be_sent_at()
        return at if at is not None and now >= at else None


@dataclass(slots=True)
class Shelf:
    """Messages in order of acceptance."""

    messages: list[Message] = field(default_factory=list)

    def before(self, sequence: int) -> int:
        """Return how many were accepted before this one."""
        return bisect_left(self.messages, sequence, key=lambda message: message.sequence)

    def accepted_before(self, time: float) -> int:
        return bisect_left(self.messages, time, key=lambda message: message.accepted_at)


@dataclass(slots=True)
class MessageBook:
    """Every message of every account. Deleted ones stay, for the admin API; the provider's API hides them.

    `longest_wait`: the longest time between accept and hand-over of any message: how far back a list by the time of
    sending has to look.
    """

    everything: Shelf = field(default_factory=Shelf)
    longest_wait: float = 0.0
    _by_sid: dict[str, Message] = field(default_factory=dict)
    _shelves: defaultdict[tuple[str, ...], Shelf] = field(default_factory=lambda: defaultdict(Shelf))

    def add(self, message: Message) -> None:
        account = message.account_sid
        self.everything.messages.append(message)
        self._by_sid[message.sid] = message
        for key in ((account,), (account, "to", message.to), (account, "from", message.sender)):
            self._shelves[key].messages.append(message)
        sent_at = message.will_be_sent_at()
        if sent_at is not None:
            self.longest_wait = max(self.longest_wait, sent_at - message.accepted_at)

    def next_sequence(self) -> int:
        return len(self.everything.messages) + 1

    def find(self, account_sid: str, sid: str) -> Message | None:
        message = self.ever(account_sid, sid)
        return message if message is not None and message.deleted_at is None else None

    def ever(self, account_sid: str, sid: str) -> Message | None:
        """Found even when deleted: a page that ended with it can still be turned."""
        message = self._by_sid.get(sid)
        return message if message is not None and message.account_sid == account_sid else None

    def shelf(self, account_sid: str, *, to: str | None, sender: str | None) -> Shelf:
        """Return the shortest shelf that holds all messages with this recipient and sender."""
        keys: list[tuple[str, ...]] = [(account_sid,)]
        keys += [(account_sid, "to", to)] if to is not None else []
        keys += [(account_sid, "from", sender)] if sender is not None else []
        empty = Shelf()
        return min((self._shelves.get(key, empty) for key in keys), key=lambda shelf: len(shelf.messages))

    def since(self, sequence: int) -> Iterator[Message]:
        return iter(self.everything.messages[self.everything.before(sequence + 1) :])

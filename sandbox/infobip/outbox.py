"""Makes messages: accepts or rejects each destination, puts it into the book, and has its reports posted."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sandbox.callbacks import Callbacks, Outcome, PlainPolicy, Webhook
from sandbox.clock import Clock
from sandbox.infobip import numbers, statuses
from sandbox.infobip.account import Account
from sandbox.infobip.models import Book, Bulk, Inbound, Message, Stage, inbound_document, report_document
from sandbox.infobip.validation import Draft, Envelope
from sandbox.options import Context
from sandbox.segments import segment_count
from sandbox.wire import JSON_TYPE

MOST_PARTS, MOST_BYTES = 25, 4_000
# The waits between Infobip's repeats, 1 min + 1 min * n * n, are left out; how many there are is not published.
POLICY = PlainPolicy(retries=2)


class Outbox:
    """The one place where messages come into being."""

    def __init__(self, account: Account, book: Book, *, context: Context, clock: Clock, callbacks: Callbacks) -> None:
        self._account = account
        self._book = book
        self._context = context
        self._clock = clock
        self._callbacks = callbacks

    def send(self, envelope: Envelope) -> tuple[Bulk, asyncio.Future[Any] | None]:
        """Return the bulk with its new messages, and what to wait for before the answer (None: nothing)."""
        now, settings = self._clock.now(), self._context.settings
        before_answer = envelope.send_at is None and self._callbacks.settles_first()
        spread = self._context.dice.uniform(0, settings.delivery_spread_seconds)
        span = 0.0 if before_answer else settings.delivery_seconds + spread
        # A repeat of the id is a bulk of its own: what was sent before keeps its times.
        bulk_id, send_at = (
            envelope.bulk_id or str(self._context.dice.getrandbits(62)),
            max(envelope.send_at or now, now),
        )
        bulk = Bulk(bulk_id, send_at, scheduled=envelope.send_at is not None)
        bulk.messages = [self._accept(draft, bulk, span=span, now=now) for draft in envelope.drafts]
        if before_answer:
            return bulk, self._callbacks.post_now([webhook for _, webhook in self._reports(bulk)])
        self._callbacks.plan(list(self._reports(bulk)))
        return bulk, None

    def plan_again(self, bulk: Bulk) -> None:
        """Plan the reports of a bulk whose time or status was changed, and none while it is held."""
        if not bulk.held:
            self._callbacks.plan(list(self._reports(bulk)))

    async def receive(self, *, to: str, sender: str, body: str) -> tuple[Inbound, Outcome | None]:
        """Take a message to one of our numbers, keep the blocklist, and post it."""
        number = str(self._context.dice.getrandbits(59))
        now, url = self._clock.now(), self._account.subscription.inbound_url
        inbound = Inbound(number, self._book.next_sequence(), to, sender, body, segment_count(body), now)
        self._book.everything.append(inbound)
        self._account.apply_keyword(sender, body, now=now)
        if url is None:
            return inbound, None
        document = {"results": [inbound_document(inbound)], "messageCount": 1, "pendingMessageCount": 0}
        headers = partial(_headers, self._account.subscription.headers)
        content = json.dumps(document).encode()
        return inbound, await self._callbacks.post(
            Webhook(inbound.id, "inbound", "POST", url, (), headers, POLICY, body=content)
        )

    def _accept(self, draft: Draft, bulk: Bulk, *, span: float, now: float) -> Message:
        message_id = draft.message_id or f"{self._context.dice.getrandbits(128):032x}"
        parts, to = segment_count(draft.text), numbers.plain(draft.to)
        status = self._rejection(draft, message_id, parts=parts)
        outcome = numbers.outcome_for(to) if status is None else numbers.rejection(status)
        url = draft.callback_url or self._account.subscription.delivery_url
        message = Message(
            id=message_id,
            draft=draft,
            bulk=bulk,
            sequence=self._book.next_sequence(),
            to=to,
            sender=numbers.plain(draft.sender),
            parts=parts,
            accepted_at=now,
            span=draft.validity if outcome.whole_validity else span * outcome.pace,
            plan=outcome.plan,
            rejected=status is not None,
            logged=outcome.logged,
            callback_url=url if draft.notify else None,
        )
        self._book.add(message)
        return message

    def _rejection(self, draft: Draft, message_id: str, *, parts: int) -> int | None:
        """Return the status of a destination that is rejected at once. A rejected message has used its id as well."""
        to, sender = numbers.plain(draft.to), numbers.plain(draft.sender)
        if message_id in self._book.by_id:
            return statuses.DUPLICATE
        if not draft.to:
            return statuses.MISSING_TO
        if numbers.digits(to) is None:
            return statuses.BAD_DESTINATION
        if parts > MOST_PARTS or len(draft.text.encode()) > MOST_BYTES:
            return statuses.TOO_LONG
        if sender in numbers.REFUSED_SENDERS:
            return numbers.REFUSED_SENDERS[sender]
        if sender not in self._account.numbers and not numbers.ALPHANUMERIC.fullmatch(sender):
            return statuses.SOURCE
        return numbers.REJECTED.get(to, statuses.BLOCKLISTED if to in self._account.blocklist else None)

    def _reports(self, bulk: Bulk) -> Iterator[tuple[float, Webhook]]:
        """Return the requests to make and when: reports to one address that fall due together travel together."""
        groups: defaultdict[tuple[float, int, str], list[tuple[Message, Stage]]] = defaultdict(list)
        for message in bulk.messages:
            for stage in self._reported(message) if message.callback_url else ():
                groups[stage[0], stage[1], message.callback_url or ""].append((message, stage))
        size = self._account.subscription.bucket
        for (at, status, url), found in sorted(groups.items()):
            for start in range(0, len(found), size):
                yield at, self._webhook(found[start : start + size], url=url, label=statuses.STATUSES[status][1])

    def _reported(self, message: Message) -> Iterator[Stage]:
        """Return the stages of a message that are reported: what is not pending, and the rest where it is asked for."""
        wanted = self._callbacks.behaviour.statuses
        for fraction, status, error in message.plan:
            group, name, _ = statuses.STATUSES[status]
            asked_for = statuses.STATUS_GROUPS[group] != "PENDING" or message.draft.intermediate
            if status != statuses.ACCEPTED and asked_for and (wanted is None or name in wanted):
                yield message.bulk.send_at + fraction * message.span, status, error

    def _webhook(self, found: Sequence[tuple[Message, Stage]], *, url: str, label: str) -> Webhook:
        document = {"results": [report_document(message, stage) for message, stage in found]}
        subscription = self._account.subscription
        # Only a subscription has credentials; an address that a message names is called without (UNVERIFIED).
        credentials = subscription.headers if url == subscription.delivery_url else dict
        headers, content = partial(_headers, credentials), json.dumps(document).encode()
        bulk, changes = found[0][0].bulk, found[0][0].bulk.changes
        return Webhook(
            found[0][0].id,
            label,
            "POST",
            url,
            (),
            headers,
            POLICY,
            wanted=lambda: bulk.changes == changes,
            body=content,
        )


def _headers(credentials: Any) -> Mapping[str, str]:
    return {"Content-Type": JSON_TYPE, "Accept": "*/*", **credentials()}

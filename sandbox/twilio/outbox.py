"""Makes messages: gives them ids and a plan, puts them into the book, and has their callbacks posted."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Iterable
from typing import Any

from sandbox.callbacks import Callbacks, Webhook
from sandbox.clock import Clock
from sandbox.options import Context
from sandbox.segments import segment_count
from sandbox.twilio.accounts import Account
from sandbox.twilio.lifecycle import RECEIVED, plan_for
from sandbox.twilio.models import Media, Message, MessageBook
from sandbox.twilio.numbers import Course, outcome_for
from sandbox.twilio.validation import Draft
from sandbox.twilio.webhooks import status_events, status_webhook


class Outbox:
    """The one place where messages come into being."""

    def __init__(self, book: MessageBook, *, context: Context, clock: Clock, callbacks: Callbacks) -> None:
        self._book = book
        self._context = context
        self._clock = clock
        self._callbacks = callbacks

    def accept(
        self, account: Account, draft: Draft, *, direction: str = "outbound-api", sid: str | None = None
    ) -> tuple[Message, asyncio.Future[Any] | None]:
        """Return the accepted message, and what to wait for before the answer (None: nothing)."""
        now, outcome = self._clock.now(), outcome_for(draft.to)
        url = draft.callback_url or (draft.service.status_callback if draft.service else None)
        before_answer = url is not None and draft.send_at is None and self._callbacks.settles_first()
        stuck = outcome.course is Course.STAYS_QUEUED
        message = Message(
            sid=sid or self._sid("MM" if draft.media_urls else "SM"),
            account_sid=account.sid,
            sequence=self._book.next_sequence(),
            direction=direction,
            to=draft.to,
            sender=draft.sender,
            body=draft.body,
            accepted_at=now,
            start=draft.send_at or now,
            span=0.0 if before_answer else (draft.validity if stuck else self._span() * outcome.pace),
            plan=plan_for(outcome, service=draft.service is not None),
            segments=1 if draft.media_urls else segment_count(draft.body),
            service_sid=draft.service.sid if draft.service else None,
            error_code=outcome.code,
            callback_url=url,
            media=self._media(draft.media_urls),
            provide_feedback=draft.provide_feedback,
        )
        self._book.add(message)
        return message, self._call_back(account, message, before_answer=before_answer)

    def receive(self, account: Account, *, to: str, sender: str, body: str, media_urls: Iterable[str]) -> Message:
        """Return a message from outside to one of our numbers."""
        now, media = self._clock.now(), self._media(media_urls)
        number = account.numbers[to]
        message = Message(
            sid=self._sid("MM" if media else "SM"),
            account_sid=account.sid,
            sequence=self._book.next_sequence(),
            direction="inbound",
            to=to,
            sender=sender,
            body=body,
            accepted_at=now,
            start=now,
            span=0.0,
            plan=RECEIVED,
            segments=1 if media else segment_count(body),
            service_sid=number.service_sid,
            media=media,
        )
        self._book.add(message)
        return message

    def cancel(self, account: Account, message: Message) -> None:
        now = message.canceled_at = self._clock.now()
        wanted = self._callbacks.behaviour.statuses
        if message.callback_url and (wanted is None or "canceled" in wanted):
            self._callbacks.plan([(now, status_webhook(account, message, status="canceled", due=now))])

    def _call_back(self, account: Account, message: Message, *, before_answer: bool) -> asyncio.Future[Any] | None:
        if message.callback_url is None:
            return None
        events: list[tuple[float, Webhook]] = [
            (due, status_webhook(account, message, status=status, due=due))
            for due, status in status_events(message, self._callbacks.behaviour.statuses)
        ]
        if before_answer:
            return self._callbacks.post_now([webhook for _, webhook in events])
        self._callbacks.plan(events)
        return None

    def _span(self) -> float:
        settings = self._context.settings
        spread = settings.delivery_spread_seconds
        return settings.delivery_seconds + (self._context.dice.uniform(0, spread) if spread else 0.0)

    def _media(self, urls: Iterable[str]) -> tuple[Media, ...]:
        return tuple(Media(self._sid("ME"), url, mimetypes.guess_type(url)[0] or "image/jpeg") for url in urls)

    def _sid(self, prefix: str) -> str:
        return f"{prefix}{self._context.dice.getrandbits(128):032x}"

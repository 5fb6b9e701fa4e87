"""The send request: what makes it refused as a whole (400), and what it asks for. Limits are those of the API's description."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.infobip.errors import InfobipError

SCHEDULE_SECONDS = 180 * 86_400
UNIT_SECONDS = {"SECONDS": 1, "MINUTES": 60, "HOURS": 3_600}
VALIDITY_SECONDS = 48 * 3_600


@dataclass(frozen=True, slots=True)
class Draft:
    """One destination of one message of the request."""

    to: str
    message_id: str | None
    sender: str
    text: str
    validity: float
    callback_url: str | None
    notify: bool
    intermediate: bool
    platform: dict[str, str]
    campaign: str | None
    callback_data: str | None


@dataclass(frozen=True, slots=True)
class Envelope:
    drafts: tuple[Draft, ...]
    bulk_id: str | None
    send_at: float | None
    counts_parts: bool


class Fields:
    """Reads members of a JSON object, and notes what is wrong with them by their path."""

    def __init__(self, document: Any, violations: list[tuple[str, str]], path: str = "") -> None:
        self.violations = violations
        self._path = path
        self._members: dict[str, Any] = document if isinstance(document, dict) else {}
        if not isinstance(document, dict):
            violations.append((path, "must be an object"))

    def note(self, name: str, violation: str) -> None:
        self.violations.append((self._below(name), violation))

    def text(self, name: str, *, most: int = 10_000, required: bool = False) -> str:
        """Return an empty text for one that is absent."""
        value = self._members.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str):
            self.note(name, "must not be null" if value is None else "must be a string")
            return ""
        if len(value) > most:
            self.note(name, f"size must be between 0 and {most}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._members.get(name, default)
        if not isinstance(value, bool):
            self.note(name, "must be a boolean")
        return value is True

    def number(self, name: str, *, default: int) -> int:
        value = self._members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.note(name, "must be an integer")
            return default
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._members.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.note(name, "must be a list of strings")
            return ()
        return tuple(value)

    def inner(self, name: str) -> Fields:
        return Fields(self._members.get(name, {}), self.violations, self._below(name))

    def items(self, name: str) -> Iterator[Fields]:
        value = self._members.get(name)
        if not isinstance(value, list) or not value:
            self.note(name, "must not be empty")
            return
        for index, item in enumerate(value):
            yield Fields(item, self.violations, f"{self._below(name)}[{index}]")

    def _below(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def read_fields(body: bytes) -> Fields:
    try:
        return Fields(json.loads(body), [])
    except ValueError:
        raise InfobipError(400, [("body", "must be JSON")]) from None


def read_envelope(body: bytes, *, now: float) -> Envelope:
    """Raises the 400 of Infobip with every violation."""
    fields = read_fields(body)
    drafts = [draft for message in fields.items("messages") for draft in _drafts(message)]
    options = fields.inner("options")
    schedule = options.inner("schedule")
    envelope = Envelope(
        tuple(drafts),
        schedule.text("bulkId", most=100) or None,
        read_send_at(schedule, now=now),
        options.flag("includeSmsCountInResponse", default=False),
    )
    if fields.violations:
        raise InfobipError(400, fields.violations)
    return envelope


def _drafts(message: Fields) -> Iterator[Draft]:
    options, webhooks = message.inner("options"), message.inner("webhooks")
    delivery, platform = webhooks.inner("delivery"), options.inner("platform")
    names = {name: platform.text(name, most=255) for name in ("entityId", "applicationId")}
    for destination in message.items("destinations"):
        yield Draft(
            to=destination.text("to", most=64, required=True),
            message_id=destination.text("messageId", most=200) or None,
            sender=message.text("sender"),
            text=message.inner("content").text("text", required=True),
            validity=_validity(options.inner("validityPeriod")),
            callback_url=delivery.text("url") or None,
            notify=delivery.flag("notify", default=True),
            intermediate=delivery.flag("intermediateReport", default=False),
            platform={name: value for name, value in names.items() if value},
            campaign=options.text("campaignReferenceId", most=255) or None,
            callback_data=webhooks.text("callbackData", most=4000) or None,
        )


def _validity(period: Fields) -> float:
    unit = UNIT_SECONDS.get(period.text("timeUnit") or "MINUTES")
    if unit is None:
        period.note("timeUnit", f"must be one of {', '.join(UNIT_SECONDS)}")
        return VALIDITY_SECONDS
    seconds = period.number("amount", default=VALIDITY_SECONDS // unit) * unit
    if not 0 < seconds <= VALIDITY_SECONDS:
        period.note("amount", "must be within 48 hours")
    return seconds


def read_send_at(schedule: Fields, *, now: float) -> float | None:
    given = schedule.text("sendAt")
    moment = read_date(given)
    if given and math.isnan(moment):
        schedule.note("sendAt", "must have the format yyyy-MM-dd'T'HH:mm:ss.SSSZ")
    elif moment > now + SCHEDULE_SECONDS:
        schedule.note("sendAt", "must be at most 180 days in the future")
    return moment if given else None


def read_date(text: str) -> float:
    """Return epoch seconds; not a number where it is no date with a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return moment.timestamp() if moment.tzinfo else math.nan

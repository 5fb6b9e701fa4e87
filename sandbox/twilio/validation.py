"""The create request: read, checked in Twilio's order, refused with its codes.

The order is UNVERIFIED but for one known point: a bad recipient is reported before a bad sender.
Fields that change nothing here (Attempt, MaxPrice, SmartEncoded, RiskCheck, …) are taken and ignored.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlsplit

from sandbox.segments import utf16_units
from sandbox.twilio import numbers
from sandbox.twilio.accounts import Account, MessagingService
from sandbox.twilio.exceptions import TwilioError

T = TypeVar("T")

MAX_BODY = 1600
MAX_MEDIA = 10
MAX_CALLBACK = 4000  # twilio.com/docs/api/errors/21609
VALIDITY = range(1, 36_001)
# twilio.com/docs/api/errors/35114 says 15 minutes; elsewhere 5 are mentioned.
SCHEDULE_SECONDS = (900, 35 * 86_400)
# No underscores: twilio.com/docs/api/errors/21609.
HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:]+")
TRIAL_PREFIX = "Sent from your Twilio trial account - "


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that may be sent. `send_at` is None for at once."""

    to: str
    sender: str
    service: MessagingService | None
    body: str
    media_urls: tuple[str, ...]
    callback_url: str | None
    validity: int
    send_at: float | None
    provide_feedback: bool


class Form:
    """Form fields by name. An empty value counts as absent, as Twilio takes it."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._first = {name: value for name, value in reversed(pairs) if value}

    def get(self, name: str) -> str | None:
        return self._first.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self._pairs if key == name and value)

    def has(self, name: str) -> bool:
        """Return True if the name was sent at all, even with an empty value."""
        return any(key == name for key, _ in self._pairs)


def read_draft(form: Form, account: Account, *, now: float) -> Draft:
    """Raises TwilioError with the first thing that is wrong."""
    _present(form)
    body = _body(form, account)
    to = _recipient(form)
    service = _service(form, account)
    sender = _sender(form, account, service=service, to=to)
    _pair(account, sender, to=to)
    return Draft(
        to=to,
        sender=sender,
        service=service,
        body=body,
        media_urls=_media(form),
        callback_url=_callback(form),
        validity=_validity(form),
        send_at=_send_at(form, now),
        provide_feedback=form.get("ProvideFeedback") == "true",
    )


def _present(form: Form) -> None:
    if form.get("To") is None:
        raise TwilioError(21604)
    if form.get("From") is None and form.get("MessagingServiceSid") is None:
        raise TwilioError(21603)
    content_sid = form.get("ContentSid")
    if content_sid is not None:
        # Templates are not simulated, so no account has one.
        raise TwilioError(21655, value=content_sid)
    if form.get("Body") is None and not form.all("MediaUrl"):
        raise TwilioError(21602)


def _body(form: Form, account: Account) -> str:
    body = form.get("Body") or ""
    if account.type == "Trial":
        body = TRIAL_PREFIX + body
    # Counted in UTF-16 units: "Emoji … will be counted as multiple characters" (error 21617).
    if utf16_units(body) > MAX_BODY:
        raise TwilioError(21617)
    return body


def _recipient(form: Form) -> str:
    given = form.get("To") or ""
    to = numbers.recipient(given)
    if to is None or numbers.REFUSED_RECIPIENTS.get(to) == 21211:
        raise TwilioError(21211, to=given)
    return to


def _service(form: Form, account: Account) -> MessagingService | None:
    sid = form.get("MessagingServiceSid")
    if sid is None:
        return None
    service = account.services.get(sid)
    if service is None:
        raise TwilioError(21701, sid=sid)
    if not account.pool(sid):
        raise TwilioError(21704)
    return service


def _sender(form: Form, account: Account, *, service: MessagingService | None, to: str) -> str:
    given = form.get("From")
    if given is None:
        return _from_pool(account, service, to=to)
    sender = numbers.sender(given)
    if sender in numbers.REFUSED_SENDERS:
        raise TwilioError(numbers.REFUSED_SENDERS[sender], sender=sender)
    if sender in account.numbers or numbers.ALPHANUMERIC.fullmatch(sender):
        return sender
    looks_like_number = sender.lstrip("+").isdigit() or numbers.channel(sender) != "sms"
    raise TwilioError(21606 if looks_like_number else 21212, sender=given)


def _from_pool(account: Account, service: MessagingService | None, *, to: str) -> str:
    """Choose the same sender of the pool for the same recipient each time (Twilio's sticky sender)."""
    pool = account.pool(service.sid) if service else []
    return pool[zlib.crc32(to.encode()) % len(pool)].address


def _pair(account: Account, sender: str, *, to: str) -> None:
    if numbers.channel(sender) != numbers.channel(to):
        raise TwilioError(21910)
    if account.type == "Trial" and to not in account.verified:
        raise TwilioError(21608, to=to)
    if to in numbers.REFUSED_RECIPIENTS:
        raise TwilioError(numbers.REFUSED_RECIPIENTS[to], to=to, sender=sender)
    # Alphanumeric senders are not supported in the United States and Canada.
    if numbers.ALPHANUMERIC.fullmatch(sender) and to.startswith("+1"):
        raise TwilioError(21612, to=to, sender=sender)
    if (account.opt_out_scope(sender), to) in account.opt_outs:
        raise TwilioError(21610)


def _media(form: Form) -> tuple[str, ...]:
    urls = form.all("MediaUrl")
    if len(urls) > MAX_MEDIA:
        raise TwilioError(21623)
    if not all(_is_web_address(url) for url in urls):
        raise TwilioError(21620)
    return urls


def _callback(form: Form) -> str | None:
    url = form.get("StatusCallback")
    if url is not None and not (len(url) <= MAX_CALLBACK and _is_web_address(url)):
        raise TwilioError(21609, url=url)
    return url


def _validity(form: Form) -> int:
    given = form.get("ValidityPeriod")
    seconds = _parsed(int, given) if given else VALIDITY[-1]
    if seconds is None or seconds not in VALIDITY:
        raise TwilioError(21624, value=given or "")
    return seconds


def _send_at(form: Form, now: float) -> float | None:
    kind, given = form.get("ScheduleType"), form.get("SendAt")
    if kind is None and given is None:
        return None
    if kind is None:
        raise TwilioError(35115)
    if kind != "fixed":
        raise TwilioError(35126)
    if given is None:
        raise TwilioError(35111)
    if form.get("MessagingServiceSid") is None:
        raise TwilioError(35118)
    moment = _parsed(datetime.fromisoformat, given)
    if moment is None:
        raise TwilioError(35114)
    send_at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    earliest, latest = SCHEDULE_SECONDS
    # Whole seconds on the wire: a time of exactly 15 minutes ahead must not be lost to the fraction.
    if not int(now) + earliest <= send_at <= now + latest:
        raise TwilioError(35114)
    return send_at


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Asking for the port raises when it is none.
        return parts.scheme in ("http", "https") and bool(HOST.fullmatch(parts.hostname or "")) and parts.port != 0
    except ValueError:
        return False


def _parsed(parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except ValueError:
        return None

"""The message list: filters, order, pages.

Newest first by the date of sending, as Twilio sorts; a message that was not sent yet stands by its creation (UNVERIFIED).
`PageToken` is `PA` and the id of the last message of the page before (recorded in Twilio's own example), or `PB` and the id of the
first message of the page after, so that pages do not shift when messages arrive meanwhile.
`Page` alone turns no page: it is the client's own note, as the OpenAPI document says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

from sandbox.twilio import numbers
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.models import Message, MessageBook

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 1000
TOKEN = re.compile(r"P([AB])((?:SM|MM)[0-9a-f]{32})")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
FILTERS = ("To", "From", "DateSent", "DateSent<", "DateSent>")


class Span(NamedTuple):
    """Epoch seconds, the end excluded."""

    start: float
    end: float


EVER = Span(-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty fields take everything. With a bound on `sent`, messages not sent yet are left out (UNVERIFIED)."""

    to: str | None = None
    sender: str | None = None
    sent: Span = EVER

    def takes(self, message: Message, now: float) -> bool:
        if message.deleted_at is not None or self.to not in (None, message.to):
            return False
        if self.sender is not None and self.sender != shown_sender(message, now):
            return False
        if self.sent == EVER:
            return True
        sent_at = message.sent_at(now)
        # Whole seconds: the list says when a message was sent in whole seconds, and must agree with itself.
        return sent_at is not None and self.sent.start <= math.floor(sent_at) < self.sent.end


@dataclass(frozen=True, slots=True)
class PageRequest:
    account_sid: str
    filter: Filter
    size: int
    number: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Page:
    messages: Sequence[Message]
    next_token: str | None
    previous_token: str | None


def shown_sender(message: Message, now: float) -> str | None:
    """Return the sender as the API shows it: none while a messaging service has not chosen one."""
    if message.service_sid is not None and message.current(now)[0] in ("accepted", "scheduled"):
        return None
    return message.sender


def read_page(book: MessageBook, request: PageRequest, *, now: float) -> Page:
    """Return one page. Raises TwilioError 21481 for a token that was never given."""
    forward, anchor = _anchor(book, request)
    if forward:
        found = _take(_older(book, request, anchor, now=now), request, now=now)
        messages, more = found[: request.size], len(found) > request.size
        newer = bool(messages) and anchor is not None
    else:
        found = _take(_newer(book, request, anchor, now=now), request, now=now)
        messages, more = found[: request.size][::-1], True
        newer = len(found) > request.size
    return Page(
        messages,
        next_token=f"PA{messages[-1].sid}" if messages and more else None,
        previous_token=f"PB{messages[0].sid}" if messages and newer else None,
    )


def _anchor(book: MessageBook, request: PageRequest) -> tuple[bool, Message | None]:
    """Return whether to go on to older messages, and from which one; without a token from the newest."""
    if request.token is None:
        return True, None
    match = TOKEN.fullmatch(request.token)
    anchor = book.ever(request.account_sid, match[2]) if match else None
    if match is None or anchor is None:
        raise TwilioError(21481)
    return match[1] == "A", anchor


def _take(candidates: Iterator[Message], request: PageRequest, *, now: float) -> list[Message]:
    """Return one more than fits on the page, to know whether there is another page."""
    found: list[Message] = []
    for message in candidates:
        if request.filter.takes(message, now):
            found.append(message)
            if len(found) > request.size:
                break
    return found


def _older(book: MessageBook, request: PageRequest, anchor: Message | None, *, now: float) -> Iterator[Message]:
    found = _by_date_sent(book, request, now=now)
    return (message for message in found if anchor is None or _place(message, now) < _place(anchor, now))


def _newer(book: MessageBook, request: PageRequest, anchor: Message | None, *, now: float) -> Iterator[Message]:
    found = reversed(_by_date_sent(book, request, now=now))
    return (message for message in found if anchor is None or _place(message, now) > _place(anchor, now))


def _by_date_sent(book: MessageBook, request: PageRequest, *, now: float) -> list[Message]:
    wanted = request.filter
    shelf = book.shelf(request.account_sid, to=wanted.to, sender=wanted.sender)
    # Nothing is sent before it is accepted, nor later than the longest wait after that.
    first = shelf.accepted_before(wanted.sent.start - book.longest_wait)
    found = shelf.messages[first : shelf.accepted_before(wanted.sent.end)]
    return sorted(found, key=lambda message: _place(message, now), reverse=True)


def _place(message: Message, now: float) -> tuple[int, int]:
    sent_at = message.sent_at(now)
    return math.floor(message.accepted_at if sent_at is None else sent_at), message.sequence


def parse_request(account_sid: str, query: Sequence[tuple[str, str]]) -> PageRequest:
    """Raises TwilioError for a page size or a date that cannot be read."""
    given = dict(query)
    size = read_whole("PageSize", given.get("PageSize", str(DEFAULT_PAGE_SIZE)))
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise TwilioError(20007)
    bounds = [_bounds(name, given[name]) for name in FILTERS[2:] if given.get(name)]
    sent = Span(max((b.start for b in bounds), default=-math.inf), min((b.end for b in bounds), default=math.inf))
    to, sender = given.get("To"), given.get("From")
    wanted = Filter(
        to=(numbers.recipient(to) or to) if to else None,
        sender=numbers.sender(sender) if sender else None,
        sent=sent,
    )
    return PageRequest(account_sid, wanted, size, read_whole("Page", given.get("Page", "0")), given.get("PageToken"))


def envelope(path: str, query: Sequence[tuple[str, str]], *, request: PageRequest, page: Page) -> dict[str, object]:
    """Return the links and counters of a list answer; the list itself and how far it goes are the caller's."""
    kept = [(name, value) for name, value in query if name in FILTERS]

    def uri(number: int, token: str | None) -> str:
        fields = [*kept, ("PageSize", str(request.size)), ("Page", str(number))]
        fields += [("PageToken", token)] if token else []
        return f"{path}?{urlencode(fields, quote_via=quote)}"

    before, after = page.previous_token, page.next_token
    return {
        "first_page_uri": uri(0, None),
        "next_page_uri": uri(request.number + 1, after) if after else None,
        "page": request.number,
        "page_size": request.size,
        "previous_page_uri": uri(max(request.number - 1, 0), before) if before else None,
        "uri": uri(request.number, request.token),
    }


def _bounds(name: str, text: str) -> Span:
    """Return what a date filter takes: a day means all of it, a time its second; `<` and `>` include what they name."""
    moment, whole_day = read_moment(name, text)
    start = math.floor(moment.timestamp())
    end = start + (86_400 if whole_day else 1)
    if name.endswith("<"):
        return Span(-math.inf, end)
    return Span(start, math.inf) if name.endswith(">") else Span(start, end)


def read_moment(name: str, text: str) -> tuple[datetime, bool]:
    """Return a day, an ISO date-time or an RFC 2822 date (both seen in Twilio's examples); without a zone it is UTC."""
    try:
        if DAY.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC), True
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC), False
    except (ValueError, OverflowError):
        raise TwilioError(20001, name=name, value=text) from None


def read_whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise TwilioError(20001, name=name, value=text)
    return int(text)

"""Usage: what an account's messages, calls, recordings and numbers add up to, by day and category."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.twilio.accounts import Account
from sandbox.twilio.documents import PRICE_PER_SEGMENT, VERSION, account_path
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.models import Message
from sandbox.twilio.resources.behaviour import World
from sandbox.twilio.resources.store import Row
from sandbox.twilio.resources.voice import Calls, Recordings

PERIODS = ("AllTime", "Daily", "LastMonth", "Monthly", "ThisMonth", "Today", "Yearly", "Yesterday")
# "-30days" of the parameters' descriptions.
OFFSET = re.compile(r"([+-]\d{1,4})days")


@dataclass(frozen=True, slots=True)
class Category:
    description: str
    count_unit: str
    usage_unit: str


# The categories that the simulator can fill; at Twilio there are some hundred.
CATEGORIES: Mapping[str, Category] = {
    "calls": Category("Voice Minutes", "calls", "minutes"),
    "calls-outbound": Category("Outbound Voice Minutes", "calls", "minutes"),
    "mms": Category("MMS", "messages", "messages"),
    "mms-inbound": Category("Inbound MMS", "messages", "messages"),
    "mms-outbound": Category("Outbound MMS", "messages", "messages"),
    "phonenumbers": Category("Phone Numbers", "numbers", "numbers"),
    "recordings": Category("Recordings", "recordings", "minutes"),
    "sms": Category("SMS", "messages", "segments"),
    "sms-inbound": Category("Inbound SMS", "messages", "segments"),
    "sms-outbound": Category("Outbound SMS", "messages", "segments"),
    "totalprice": Category("Total Price", "", ""),
}


@dataclass(slots=True)
class Sum:
    count: int = 0
    usage: int = 0
    price: float = 0.0

    def add(self, count: int, usage: int, price: float) -> None:
        self.count += count
        self.usage += usage
        self.price += price


@dataclass(frozen=True, slots=True)
class Window:
    """Days, the last one included."""

    first: date
    last: date


Totals = Mapping[tuple[date, str], Sum]


def records(world: World, account: Account, period: str, *, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the records of a list, newest first. Raises TwilioError for a date that can be none."""
    with_children = query.get("IncludeSubaccounts", "true").lower() != "false"
    owned = [each for each in world.accounts.accounts.values() if each.owner_sid == account.sid]
    counted = [account, *(each for each in owned if with_children and each is not account)]
    totals = _totals(world, counted)
    today = _day(world.now())
    span = Window(
        _asked_day("StartDate", query, today=today) or _day(account.created_at),
        _asked_day("EndDate", query, today=today) or today,
    )
    wanted = query.get("Category")
    return [
        _record(account, name, window, total=_sum(totals, name, window), as_of=world.now(), period=period)
        for window in windows(period, span, today=today)
        for name in CATEGORIES
        if wanted in (None, "", name)
    ]


def windows(period: str, span: Window, *, today: date) -> Sequence[Window]:
    """Return what a period's records are about, newest first."""
    month = today.replace(day=1)
    fixed = {
        "Today": Window(today, today),
        "Yesterday": Window(today - timedelta(1), today - timedelta(1)),
        "ThisMonth": Window(month, today),
        "LastMonth": Window((month - timedelta(1)).replace(day=1), month - timedelta(1)),
    }
    if period in fixed:
        return [fixed[period]]
    begins: Mapping[str, Callable[[date], date]] = {
        "Daily": lambda day: day,
        "Monthly": lambda day: day.replace(day=1),
        "Yearly": lambda day: day.replace(month=1, day=1),
    }
    return list(_cut(span, begins[period])) if period in begins else [span]


def _cut(span: Window, begin: Callable[[date], date]) -> Iterator[Window]:
    last = span.last
    while last >= span.first:
        first = max(begin(last), span.first)
        yield Window(first, last)
        last = first - timedelta(1)


def _totals(world: World, accounts: Sequence[Account]) -> Totals:
    found: defaultdict[tuple[date, str], Sum] = defaultdict(Sum)

    def add(day: date, names: Sequence[str], *, usage: int, price: float) -> None:
        for name in names:
            found[day, name].add(1, usage, price)
        found[day, "totalprice"].add(1, usage, price)

    sids = {account.sid for account in accounts}
    for message in world.messages.since(0):
        at = message.sent_at(world.now())
        if message.account_sid in sids and at is not None:
            kind = "mms" if message.media else "sms"
            way = "inbound" if message.direction == "inbound" else "outbound"
            add(_day(at), (kind, f"{kind}-{way}"), usage=_units(message), price=PRICE_PER_SEGMENT * message.segments)
    for account in accounts:
        for row in world.store.those(account.sid, "Calls", now=world.now()):
            _add_minutes(add, row, Calls(world).view(row), names=("calls", "calls-outbound"))
        for row in world.store.those(account.sid, "Recordings", now=world.now()):
            _add_minutes(add, row, Recordings(world).view(row), names=("recordings",))
        for row in world.store.those(account.sid, "IncomingPhoneNumbers", now=world.now()):
            add(_day(row.created_at), ("phonenumbers",), usage=1, price=1.0)
    return found


def _add_minutes(add: Callable[..., None], row: Row, values: Mapping[str, Any], *, names: Sequence[str]) -> None:
    if values.get("status") == "completed":
        minutes = max(-(-int(values.get("duration") or 0) // 60), 1)
        add(_day(row.created_at), names, usage=minutes, price=abs(float(values.get("price") or 0)))


def _units(message: Message) -> int:
    return 1 if message.media else message.segments


def _sum(totals: Totals, name: str, window: Window) -> Sum:
    found = Sum()
    for (day, category), each in totals.items():
        if category == name and window.first <= day <= window.last:
            found.add(each.count, each.usage, each.price)
    return found


def _record(account: Account, name: str, window: Window, *, total: Sum, as_of: float, period: str) -> dict[str, Any]:
    category, path = CATEGORIES[name], f"{account_path(account.sid)}/Usage/Records"
    days = f"Category={name}&StartDate={window.first}&EndDate={window.last}"
    below = {_snake(each): f"{path}/{each}.json?Category={name}" for each in PERIODS}
    counts = name != "totalprice"
    return {
        "account_sid": account.sid,
        "api_version": VERSION,
        "as_of": datetime.fromtimestamp(int(as_of), UTC).isoformat(),
        "category": name,
        "count": str(total.count) if counts else None,
        "count_unit": category.count_unit,
        "description": category.description,
        "end_date": window.last.isoformat(),
        "price": round(total.price, 5),
        "price_unit": "usd",
        "start_date": window.first.isoformat(),
        "subresource_uris": below,
        "uri": f"{path}{'/' + period if period else ''}.json?{days}",
        "usage": str(total.usage) if counts else f"{total.price:.5f}",
        "usage_unit": category.usage_unit if counts else "usd",
    }


def _snake(period: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", period).lower()


def _day(epoch: float) -> date:
    return datetime.fromtimestamp(epoch, UTC).date()


def _asked_day(name: str, query: Mapping[str, str], *, today: date) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        offset = OFFSET.fullmatch(text)
        return today + timedelta(int(offset[1])) if offset else date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise TwilioError(20001, name=name, value=text) from None

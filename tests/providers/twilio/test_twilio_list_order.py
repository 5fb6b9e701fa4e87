"""Twilio sorts its list by the date of sending: what was made long before may stand among the latest, and ends no list."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from sms_connector.model.policy import Policy
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions
from sms_connector.provider import ReportQuery
from sms_connector.providers.twilio.wire import read_page
from sms_connector.sending.send import new_record
from sms_connector.store.message_store import MessageStore
from sms_connector.tracking.reconciler import Reconciler
from sms_connector.transport.http import HttpRequest, HttpResponse
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.clocks import FakeClock
from tests.fixtures.memory_ledger import MemoryLedger
from tests.fixtures.providers import make_twilio
from tests.providers.twilio import twilio_wire as wire

PAGE = 2


def document(number: int, *, created: float, sent: float | None, to: str, body: str) -> dict[str, Any]:
    """`created` and `sent` are seconds from NOW."""
    dates = {"date_created": format_datetime(wire.NOW + timedelta(seconds=created))}
    if sent is not None:
        dates["date_sent"] = format_datetime(wire.NOW + timedelta(seconds=sent))
    return wire.message(wire.message_sid(number), "sent", body=body, to=to, **dates)


class PagingTwilio:
    """Serves the list in pages of two."""

    def __init__(self, listed: list[dict[str, Any]]) -> None:
        self.listed = listed
        self.pages = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        self.pages += 1
        start = int(request.url.partition("&Page=")[2] or 0) * PAGE
        more = start + PAGE < len(self.listed)
        uri = f"/2010-04-01/x.json?PageSize={PAGE}&Page={start // PAGE + 1}" if more else None
        return wire.page(self.listed[start : start + PAGE], uri)


def test_messages_behind_scheduled_ones_are_found() -> None:
    """Two were scheduled yesterday and have just been sent; ours follow on the next pages."""
    scheduled = [
        document(90 + n, created=-86_400, sent=20 - n, to=f"+1555000000{n}", body="reminder") for n in range(2)
    ]
    ours = [document(n, created=0, sent=1, to=f"+1555867000{n}", body=f"Hello {n}") for n in range(4)]
    clock = FakeClock(wire.NOW.timestamp() + 30)
    store = MessageStore(MemoryLedger(clock))
    twilio = PagingTwilio(scheduled + ours)
    provider = make_twilio(None, CannedSecrets(dict(wire.SECRETS)), twilio)
    records = []
    for n in range(4):
        draft = Draft(n, f"+1555867000{n}", wire.SENDER, f"Hello {n}", measure("x"))
        record = new_record(draft, SendOptions(wire.SENDER), f"msg_{n}", at=wire.NOW.timestamp())
        record.mark_unknown("no answer within 15 s", at=wire.NOW.timestamp() + 20, window=900)
        records.append(record)
    store.create(records)
    absent = Reconciler(provider, store, clock=clock, policy=Policy()).resolve(records)
    assert (absent, [record.provider_message_id for record in records]) == (set(), [each["sid"] for each in ours])
    assert twilio.pages == 3


@pytest.mark.parametrize(
    ("created", "sent", "ends"),
    [
        pytest.param(-60, -50, True, id="made and sent before"),
        pytest.param(-86_400, 5, False, id="made long before, just sent"),
        pytest.param(5, 6, False, id="made since"),
        pytest.param(-60, None, False, id="not sent yet: it says nothing of where the list is"),
    ],
)
def test_where_a_list_ends(created: float, sent: float | None, ends: bool) -> None:
    page = wire.page([document(1, created=created, sent=sent, to=wire.RECIPIENT, body="x")], "/x.json?Page=1")
    assert (read_page(page, ReportQuery(wire.NOW)).next_page is None) is ends

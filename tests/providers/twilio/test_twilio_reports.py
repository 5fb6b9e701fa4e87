"""What is read from Twilio's messages and lists, and what is asked to get them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, RetrySafety, StateRefused
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import text_digest
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ReportQuery
from sms_connector.providers.twilio.wire import read_page, read_time
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.fixtures.providers import make_twilio
from tests.providers.twilio import twilio_wire as wire
from tests.providers.twilio.conftest import TwilioWith

BODY = "Your order ships today – ✓"
REPORT = DeliveryReport(
    wire.SID,
    MessageStatus.SENT,
    "sent",
    to=wire.RECIPIENT,
    sender=wire.SENDER,
    text_digest=text_digest(BODY),
    segments=1,
    created_at=wire.NOW,
    updated_at=wire.NOW,
)
SINCE = wire.NOW - timedelta(minutes=5)


def unreachable(message: str) -> FailureReason:
    more_info = "https://www.twilio.com/docs/errors/30003"
    return FailureReason("provider", ErrorKind.UNREACHABLE, message, 30003, more_info, RetrySafety.SAFE)


@pytest.mark.parametrize(
    ("fields", "changes", "why"),
    [
        ({}, {}, "as it comes"),
        ({"error_code": 30003}, {}, "the status decides: a code beside `sent` is no failure"),
        (
            {"status": "undelivered", "error_code": 30003, "error_message": "Unreachable destination handset"},
            {
                "status": MessageStatus.UNDELIVERED,
                "raw_status": "undelivered",
                "failure": unreachable("Unreachable destination handset"),
            },
            "the reason in Twilio's words",
        ),
        (
            {"status": "undelivered", "error_code": "30003"},
            {
                "status": MessageStatus.UNDELIVERED,
                "raw_status": "undelivered",
                "failure": unreachable("Unreachable destination handset"),
            },
            "a code as text and no message: its documented title",
        ),
        (
            {"status": "failed"},
            {
                "status": MessageStatus.FAILED,
                "raw_status": "failed",
                "failure": FailureReason("provider", ErrorKind.DELIVERY, "Twilio gave no reason"),
            },
            "a failure without a code",
        ),
        (
            {"status": "canceled"},
            {"status": MessageStatus.CANCELED, "raw_status": "canceled"},
            "no failure: it was asked",
        ),
        ({"status": None}, {"status": MessageStatus.ACCEPTED, "raw_status": ""}, "every field is nullable"),
        ({"body": ""}, {"text_digest": None}, "a redacted text is no text to recognise"),
        ({"body": None}, {"text_digest": None}, "nor is none"),
        (
            {"body": f"Sent from your Twilio trial account - {BODY}"},
            {},
            "what a trial account puts in front is not ours",
        ),
        (
            {"num_segments": "0", "from": None, "messaging_service_sid": wire.POOL},
            {"segments": None, "sender": wire.POOL},
            "a pool has not chosen yet",
        ),
        ({"messaging_service_sid": wire.POOL}, {}, "the number it chose is the sender"),
        ({"date_created": None}, {"created_at": None}, "no date"),
        ({"date_created": "yesterday"}, {"created_at": None}, "a date that can't be read is none"),
        ({"date_updated": "Mon, 06 Jul 2026 14:00:00 +0200"}, {}, "any offset is the same moment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_as_a_report(twilio: TwilioWith, fields: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    document = wire.message(**{"status": "sent", **fields})
    assert twilio(wire.answer(200, document)).provider.fetch_reports([wire.SID]) == [replace(REPORT, **changes)], why


def test_a_strange_id_stays_one_segment_of_the_path() -> None:
    """Not valid by Twilio's document, hence not through the witness: what matters is that it can't leave its place."""
    transport = CannedTransport(wire.error(404, 20404, "not found"))
    provider = make_twilio(None, CannedSecrets(dict(wire.SECRETS)), transport)
    assert provider.fetch_reports(["../Balance"]) == []
    assert transport.requests[0].url.endswith("/Messages/..%2FBalance.json")


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (ReportQuery(SINCE), "PageSize=1000"),
        (ReportQuery(SINCE, to=wire.RECIPIENT), "PageSize=1000&To=%2B15558675310"),
        (ReportQuery(SINCE, sender="ACME & Co"), "PageSize=1000&From=ACME+%26+Co"),
        (
            ReportQuery(SINCE, to=wire.RECIPIENT, sender=wire.SENDER),
            "PageSize=1000&To=%2B15558675310&From=%2B15551234567",
        ),
        (ReportQuery(SINCE, sender=wire.POOL), "PageSize=1000"),
    ],
    ids=["all", "recipient", "sender", "both", "a pool can't be asked for"],
)
def test_what_a_list_asks_for(twilio: TwilioWith, query: ReportQuery, asked: str) -> None:
    on = twilio(wire.page([]))
    assert on.provider.list_reports(query).next_page is None
    assert on.last.url == f"https://api.twilio.com/2010-04-01/Accounts/{wire.ACCOUNT}/Messages.json?{asked}"


def test_a_list_holds_what_we_sent_and_nothing_that_came_in(twilio: TwilioWith) -> None:
    messages = [wire.message(direction="inbound"), wire.message(), wire.message(direction="outbound-reply")]
    assert len(twilio(wire.page(messages)).provider.list_reports(ReportQuery(SINCE)).reports) == 2


def test_a_pools_list_is_the_pools_and_names_it_as_the_sender(twilio: TwilioWith) -> None:
    messages = [wire.message(), wire.message(messaging_service_sid=wire.POOL)]
    (report,) = twilio(wire.page(messages)).provider.list_reports(ReportQuery(SINCE, sender=wire.POOL)).reports
    assert report.sender == wire.POOL


def test_the_next_page_is_followed_by_its_query_alone(twilio: TwilioWith) -> None:
    query = f"PageSize=1000&To=%2B15558675310&Page=1&PageToken=PA{wire.SID}"
    uri = f"https://evil.example/2010-04-01/Accounts/{wire.ACCOUNT}/Messages.json?{query}"
    on = twilio(wire.page([wire.message()], uri), wire.page([]), base_url="http://127.0.0.1:9/twilio/2010-04-01")
    page = on.provider.list_reports(ReportQuery(SINCE, to=wire.RECIPIENT))
    on.provider.list_reports(ReportQuery(SINCE, to=wire.RECIPIENT), page.next_page)
    assert on.last.url == f"http://127.0.0.1:9/twilio/2010-04-01/Accounts/{wire.ACCOUNT}/Messages.json?{query}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (wire.page([wire.message()], "/2010-04-01/Accounts/AC1/Messages.json"), "has no query string"),
        (wire.answer(200, {"messages": [{"status": "sent"}]}), "can't be read"),
        (wire.answer(200, {"Messages": []}), "can't be read"),
        (HttpResponse(200, {}, b"<html>"), "can't be read"),
        (wire.html(404), "a server on the way"),
    ],
    ids=["next page without a query", "message without a SID", "other document", "a page", "a gateway"],
)
def test_a_list_that_cannot_be_read_is_no_answer(twilio: TwilioWith, answer: HttpResponse, says: str) -> None:
    with pytest.raises(NotSent, match=says):
        twilio(answer).provider.list_reports(ReportQuery(SINCE))


@pytest.mark.parametrize(
    ("verb", "form", "repeatable", "unreadable"),
    [("cancel", b"Status=canceled", False, OutcomeUnknown), ("redact", b"Body=", True, NotSent)],
)
def test_cancel_and_redact(
    twilio: TwilioWith, verb: str, form: bytes, repeatable: bool, unreadable: type[Exception]
) -> None:
    on = twilio(wire.answer(200, wire.message(status="canceled")))
    assert getattr(on.provider, verb)(wire.SID).status is MessageStatus.CANCELED
    assert (on.last.method, on.last.body, on.last.repeatable) == ("POST", form, repeatable)
    assert on.last.url.endswith(f"/Messages/{wire.SID}.json")
    with pytest.raises(unreadable):
        getattr(twilio(HttpResponse(200, {}, b"")).provider, verb)(wire.SID)


def test_what_cannot_be_canceled_any_more_is_said_in_twilios_words(twilio: TwilioWith) -> None:
    with pytest.raises(StateRefused, match="This message cannot be canceled") as caught:
        twilio(wire.error(409, 30409, "This message cannot be canceled")).provider.cancel(wire.SID)
    error = caught.value
    assert (error.code, error.status, error.more_info) == (30409, 409, "https://www.twilio.com/docs/errors/30409")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 06 Jul 2026 12:00:00 +0000", wire.NOW),
        ("Mon, 06 Jul 2026 08:00:00 -0400", wire.NOW),
        ("Mon, 06 Jul 2026 12:00:00 -0000", wire.NOW),
        ("Mon, 06 Jul 2026 12:00:00 GMT", wire.NOW),
        ("2026-07-06T12:00:00Z", None),
        ("Fri, 31 Dec 9999 23:00:00 -2300", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(text: str | None, moment: datetime | None) -> None:
    assert read_time(text) == moment


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [+-]\d{1,6}"))
def test_no_date_stops_the_reading(text: str) -> None:
    moment = read_time(text)
    assert moment is None or moment.tzinfo is UTC


@given(st.text(max_size=60))
def test_no_name_of_a_next_page_reaches_the_request_line_as_it_is(text: str) -> None:
    page = wire.page([wire.message()], f"/2010-04-01/Accounts/AC1/Messages.json?a={text}")
    followed = read_page(page, ReportQuery(SINCE)).next_page
    assert followed
    assert followed.isascii()
    assert not set(followed) & set(" \r\n#")

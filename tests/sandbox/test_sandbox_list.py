from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import AdminClient
from sandbox.twilio.accounts import SERVICE_SID
from sandbox.twilio.lifecycle import plan_for
from sandbox.twilio.listing import EVER, Filter, Page, PageRequest, Span, parse_request, read_page
from sandbox.twilio.models import Message, MessageBook
from sandbox.twilio.numbers import USUAL
from tests.sandbox.support import BASE, FROM, TO, Api

ACCOUNT = "AC1"
NOW = 10_000.0
RECIPIENTS, SENDERS = ("+1", "+2", "+3"), ("+7", "+8")


def test_newest_first_with_twilios_envelope(api: Api) -> None:
    sids = [api.created(Body=str(n))["sid"] for n in range(3)]
    page = api.list(PageSize=2)
    assert [message["sid"] for message in page.pop("messages")] == sids[:0:-1]
    assert page == {
        "end": 1,
        "first_page_uri": f"{BASE}/Messages.json?PageSize=2&Page=0",
        "next_page_uri": f"{BASE}/Messages.json?PageSize=2&Page=1&PageToken=PA{sids[1]}",
        "page": 0,
        "page_size": 2,
        "previous_page_uri": None,
        "start": 0,
        "uri": f"{BASE}/Messages.json?PageSize=2&Page=0",
    }


def test_turning_pages_and_back(api: Api) -> None:
    sids = [api.created()["sid"] for _ in range(5)][::-1]
    first = api.list(PageSize=2)
    second = api.send("GET", first["next_page_uri"]).json()
    third = api.send("GET", second["next_page_uri"]).json()
    assert [message["sid"] for page in (first, second, third) for message in page["messages"]] == sids
    assert (third["next_page_uri"], third["page"], third["start"], third["end"]) == (None, 2, 4, 4)
    back = api.send("GET", third["previous_page_uri"]).json()
    assert back["messages"] == second["messages"]
    assert api.send("GET", back["previous_page_uri"]).json()["messages"] == first["messages"]


def test_pages_do_not_shift_when_messages_arrive(api: Api, admin: AdminClient) -> None:
    sids = [api.created()["sid"] for _ in range(4)][::-1]
    first = api.list(PageSize=2)
    api.created()
    admin.advance(200)
    api.send("DELETE", f"{BASE}/Messages/{sids[1]}.json")
    assert [m["sid"] for m in api.send("GET", first["next_page_uri"]).json()["messages"]] == sids[2:]


def test_the_links_keep_the_filters(api: Api) -> None:
    for _ in range(2):
        api.created()
    page = api.list(**{"To": TO, "From": FROM, "DateSent>": "2020-01-01", "PageSize": 1})
    assert page["uri"] == (
        f"{BASE}/Messages.json?To=%2B15558675310&From=%2B15017122661&DateSent%3E=2020-01-01&PageSize=1&Page=0"
    )


def test_a_page_without_its_token_begins_at_the_top(api: Api) -> None:
    newest = [api.created()["sid"] for _ in range(2)][-1]
    page = api.list(PageSize=1, Page=1)
    assert (page["page"], page["messages"][0]["sid"]) == (1, newest)


def test_a_thousand_in_one_page(api: Api) -> None:
    for _ in range(60):
        api.created()
    assert len(api.list()["messages"]) == 50
    assert len(api.list(PageSize=1000)["messages"]) == 60


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param({"PageSize": 0}, 20007, id="no page is empty"),
        pytest.param({"PageSize": 1001}, 20007, id="more than a page takes"),
        pytest.param({"PageSize": "ten"}, 20001, id="a size in words"),
        pytest.param({"Page": "one"}, 20001, id="a page in words"),
        pytest.param({"Page": "-1"}, 20001, id="a page before the first"),
        pytest.param({"PageToken": "PASM" + "0" * 32}, 21481, id="a token never given"),
        pytest.param({"PageToken": "x"}, 21481, id="a token that can be none"),
        pytest.param({"DateSent": "yesterday"}, 20001, id="a day in words"),
        pytest.param({"DateSent>": "2026-13-01"}, 20001, id="a day that is not in the calendar"),
    ],
)
def test_queries_that_are_refused(api: Api, query: dict[str, str], code: int) -> None:
    assert api.send("GET", f"{BASE}/Messages.json", params=query).json()["code"] == code


def test_to_and_from(api: Api) -> None:
    one = api.created()["sid"]
    other = api.created(To="+15558675311", From="+15551234567")["sid"]

    def found(**query: str) -> list[str]:
        return [message["sid"] for message in api.list(**query)["messages"]]

    assert found(To=TO) == [one]
    assert found(From="+15551234567") == [other]
    assert found(To=TO, From="+15551234567") == []
    assert found(To="5558675311") == [other]
    assert found(To="nobody") == []


def test_a_sender_not_chosen_yet_is_not_found(api: Api, admin: AdminClient) -> None:
    api.created(From=None, MessagingServiceSid=SERVICE_SID)
    assert api.list(From="+15017250604")["messages"] == []
    admin.advance(20)
    assert len(api.list(From="+15017250604")["messages"]) == 1


def test_a_name_with_a_sign_may_come_unencoded(api: Api, admin: AdminClient) -> None:
    api.created()
    admin.advance(60)
    day = datetime.now(UTC).date()
    for query, count in ((f"DateSent>={day}", 1), (f"DateSent>={day + timedelta(days=2)}", 0)):
        assert len(api.send("GET", f"{BASE}/Messages.json?{query}").json()["messages"]) == count


def test_what_is_not_sent_yet_has_no_date(api: Api, admin: AdminClient) -> None:
    api.created()
    assert api.list(**{"DateSent>": "2020-01-01"})["messages"] == []
    admin.advance(60)
    assert len(api.list(**{"DateSent>": "2020-01-01"})["messages"]) == 1


JUNE_11 = 1_560_211_200  # 2019-06-11T00:00:00Z
DAY = 86_400
EVENING = JUNE_11 + 22 * 3600 + 5 * 60 + 25


@pytest.mark.parametrize(
    ("name", "value", "span"),
    [
        pytest.param("DateSent", "2019-06-11", (JUNE_11, JUNE_11 + DAY), id="a day is all of it"),
        pytest.param("DateSent<", "2019-06-11", (-math.inf, JUNE_11 + DAY), id="until the end of the day"),
        pytest.param("DateSent>", "2019-06-11", (JUNE_11, math.inf), id="from the beginning of the day"),
        pytest.param("DateSent", "2019-06-11T22:05:25Z", (EVENING, EVENING + 1), id="a time is its second"),
        pytest.param("DateSent<", "2019-06-11T22:05:25Z", (-math.inf, EVENING + 1), id="at or before"),
        pytest.param("DateSent>", "2019-06-11 22:05:25.000", (EVENING, math.inf), id="a form of Twilio's examples"),
        pytest.param("DateSent>", "2019-06-12T00:05:25+02:00", (EVENING, math.inf), id="with an offset"),
        pytest.param("DateSent>", "Tue, 11 Jun 2019 22:05:25 -0000", (EVENING, math.inf), id="another of the examples"),
    ],
)
def test_dates_are_read_as_documented(name: str, value: str, span: tuple[float, float]) -> None:
    assert parse_request(ACCOUNT, [(name, value)]).filter.sent == span


@st.composite
def books(draw: st.DrawFn) -> MessageBook:
    """Messages whose times of sending are not in the order of acceptance."""
    book, at = MessageBook(), 0.0
    for sequence in range(1, draw(st.integers(1, 30)) + 1):
        at += draw(st.sampled_from([0.0, 0.4, 3.0, 50.0]))
        message = Message(
            sid=f"SM{sequence:032x}",
            account_sid=ACCOUNT,
            sequence=sequence,
            direction="outbound-api",
            to=draw(st.sampled_from(RECIPIENTS)),
            sender=draw(st.sampled_from(SENDERS)),
            body="",
            accepted_at=at,
            start=at + draw(st.sampled_from([0.0, 0.0, 500.0])),
            span=draw(st.sampled_from([0.0, 2.0, 40.0, NOW * 3])),
            plan=plan_for(USUAL, service=False),
            segments=1,
        )
        message.deleted_at = at if draw(st.integers(0, 9)) == 0 else None
        book.add(message)
    return book


seconds = st.integers(0, 1_500).map(float)
filters = st.builds(
    Filter,
    to=st.sampled_from([None, *RECIPIENTS]),
    sender=st.sampled_from([None, *SENDERS]),
    sent=st.one_of(
        st.just(EVER),
        st.builds(Span, seconds, seconds),
        st.builds(Span, st.just(-math.inf), seconds),
        st.builds(Span, seconds, st.just(math.inf)),
    ),
)


def pages(book: MessageBook, wanted: Filter, size: int) -> Iterator[Page]:
    token: str | None = None
    while True:
        page = read_page(book, PageRequest(ACCOUNT, wanted, size, 0, token), now=NOW)
        yield page
        if page.next_token is None:
            return
        token = page.next_token


def date_sent(message: Message) -> tuple[int, int]:
    """By the date of sending, as the API shows it; what was not sent yet stands by its creation."""
    sent_at = message.sent_at(NOW)
    return math.floor(message.accepted_at if sent_at is None else sent_at), message.sequence


@given(books(), filters, st.integers(1, 8))
def test_all_pages_together_are_what_a_plain_search_finds(book: MessageBook, wanted: Filter, size: int) -> None:
    expected = [message for message in book.everything.messages if wanted.takes(message, NOW)]
    expected.sort(key=date_sent, reverse=True)
    found = list(pages(book, wanted, size))
    assert [message for page in found for message in page.messages] == expected
    assert all(len(page.messages) == size for page in found[:-1])


@given(books(), filters, st.integers(1, 8))
def test_going_back_shows_the_page_before(book: MessageBook, wanted: Filter, size: int) -> None:
    found = list(pages(book, wanted, size))
    for before, page in pairwise(found):
        back = read_page(book, PageRequest(ACCOUNT, wanted, size, 0, page.previous_token), now=NOW)
        assert back.messages == before.messages

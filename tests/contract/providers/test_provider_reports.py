"""Every provider's reports, lists, changes and connection test mean the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from sms_connector.errors import (
    ErrorKind,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    Throttled,
)
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, ReportPage, ReportQuery
from sms_connector.transport.http import HttpResponse, Lane
from tests.contract.providers.case import NOW, Listed, ProviderCase
from tests.contract.providers.doubles import Answer, leaks
from tests.contract.providers.stage import PAGE, Stage, Staged, needs


def fetched(case: ProviderCase, on: Stage) -> DeliveryReport:
    (report,) = on.provider.fetch_reports([case.message_id(1)])
    return report


def test_every_status_word_is_understood(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_by_id")
    assert case.report
    for word, status in case.words.items():
        report = fetched(case, stage(case.report(case.message_id(1), word)))
        assert (report.provider_message_id, report.status, report.raw_status) == (case.message_id(1), status, word)


def test_a_new_word_ends_nothing_and_moves_nothing_back(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_by_id")
    assert case.report
    report = fetched(case, stage(case.report(case.message_id(1), "teleported")))
    assert (report.status, report.raw_status) == (MessageStatus.ACCEPTED, "teleported")


def test_a_message_the_provider_does_not_know_is_left_out(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_by_id")
    assert list(stage(case.not_known).provider.fetch_reports([case.message_id(1)])) == []


def test_queries_may_be_repeated_and_wait_in_the_other_lane(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_by_id")
    on = stage(case.not_known)
    on.provider.fetch_reports([case.message_id(1)])
    assert (on.last.method, on.last.repeatable, on.last.lane) == ("GET", True, Lane.POLL)


def test_a_refused_query_is_told_apart_from_no_answer(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_by_id")
    with pytest.raises(ProviderRefused) as refused:
        stage(case.unauthorized).provider.fetch_reports([case.message_id(1)])
    assert refused.value.kind is ErrorKind.AUTHENTICATION
    with pytest.raises(NotSent):
        stage(HttpResponse(502, PAGE, b"<html>")).provider.fetch_reports([case.message_id(1)])


LISTED = [Listed("", "newest", 10), Listed("", "middle", 20), Listed("", "oldest", 30)]


def listing(case: ProviderCase, next_page: str | None) -> HttpResponse:
    assert case.page
    return case.page(
        [dataclasses.replace(item, provider_message_id=case.message_id(number)) for number, item in enumerate(LISTED)],
        next_page,
    )


def listed(on: Stage, age_seconds: float, page: str | None = None) -> ReportPage:
    return on.provider.list_reports(ReportQuery(NOW - timedelta(seconds=age_seconds)), page)


@pytest.mark.parametrize(
    ("age_seconds", "found", "goes_on", "why"),
    [
        (60, 3, True, "the page is all younger, so the next may hold some"),
        (30, 3, True, "exactly as old is not older"),
        (29.5, 3, True, "the provider's clock has whole seconds"),
        (25, 2, False, "an older one ends the list: it is newest first"),
        (5, 0, False, "all are older"),
    ],
)
def test_a_list_ends_at_the_age_asked_for(
    case: ProviderCase, stage: Staged, age_seconds: float, found: int, goes_on: bool, why: str
) -> None:
    needs(case, "reports_per_page")
    page = listed(stage(listing(case, case.next_page)), age_seconds)
    assert [report.provider_message_id for report in page.reports] == [case.message_id(n) for n in range(found)], why
    assert (page.next_page is not None) is goes_on, why


def test_listed_messages_can_be_recognised(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_per_page")
    message = replace(case.messages(1)[0], text="newest")
    report = listed(stage(listing(case, None)), 60).reports[0]
    assert report.text_digest == message.digest
    assert report.created_at == NOW - timedelta(seconds=10)
    assert report.to
    assert report.sender


def test_the_next_page_is_asked_for_where_the_first_was(case: ProviderCase, stage: Staged) -> None:
    needs(case, "reports_per_page")
    for name in (case.next_page, case.foreign_page):
        on = stage(listing(case, name), listing(case, None))
        page = listed(on, 60)
        assert page.next_page
        assert listed(on, 60, page.next_page).next_page is None
        first, second = on.requests
        assert first.url.partition("?")[0] == second.url.partition("?")[0]
        assert first.url != second.url


def test_the_canned_answers_are_what_the_providers_document_describes(case: ProviderCase, stage: Staged) -> None:
    if not case.witness:
        pytest.skip(f"{case.name} has no OpenAPI document")
    asked: list[tuple[Answer, Callable[[Provider], object]]] = [
        (case.taken([case.message_id(1)]), lambda provider: provider.send(case.messages(1))),
        (case.connected, lambda provider: provider.check_connection()),
    ]
    if case.report:
        answer = case.report(case.message_id(1), next(iter(case.words)))
        asked.append((answer, lambda provider: provider.fetch_reports([case.message_id(1)])))
    if case.page:
        asked.append((listing(case, case.next_page), lambda provider: provider.list_reports(ReportQuery(NOW))))
    for answer, ask in asked:
        on = stage(answer)
        ask(on.provider)
        assert on.recorder
        assert on.recorder.flaws == []


@pytest.mark.parametrize("verb", ["cancel", "redact"])
def test_a_change_reports_the_message_or_says_why_not(case: ProviderCase, stage: Staged, verb: str) -> None:
    needs(case, verb)
    assert case.report
    done = stage(case.report(case.message_id(1), next(iter(case.words))))
    assert getattr(done.provider, verb)(case.message_id(1)).provider_message_id == case.message_id(1)
    assert done.last.lane is Lane.POLL
    refused = stage(case.not_known or case.refusal)
    with pytest.raises(ProviderRefused) as caught:
        getattr(refused.provider, verb)(case.message_id(1))
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (lambda case: case.connected, ConnectionState.ACTIVE),
        (lambda case: case.unauthorized, ConnectionState.AUTH_ERROR),
        (lambda case: NotSent("connection refused"), ConnectionState.ERROR),
        (lambda case: OutcomeUnknown("reset"), ConnectionState.ERROR),
        (lambda case: Throttled("full", retry_after=1), ConnectionState.ERROR),
        (lambda case: HttpResponse(200, PAGE, b"<html>"), ConnectionState.ERROR),
        (lambda case: HttpResponse(301, {}, b""), ConnectionState.ERROR),
        (lambda case: HttpResponse(502, PAGE, b"<html>"), ConnectionState.ERROR),
    ],
    ids=["connected", "unauthorized", "not sent", "unknown", "throttled", "a page", "a redirect", "bad gateway"],
)
def test_the_connection_test_is_a_query_and_its_answer_data(
    case: ProviderCase, stage: Staged, answer: Callable[[ProviderCase], Answer], state: ConnectionState
) -> None:
    on = stage(answer(case))
    status = on.provider.check_connection()
    assert status.state is state
    assert status.description
    assert {(request.method, request.lane) for request in on.requests} == {("GET", Lane.POLL)}
    assert leaks([status.description], on.secrets) == []

"""What every provider promises, whatever its wire. Written once; a provider supplies a case (`case.py`)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sms_connector import providers, registry
from sms_connector.errors import (
    CallError,
    ConnectorError,
    InvalidRequest,
    Kind,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    Throttled,
)
from sms_connector.model.connection import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.phone_number import SenderKind
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, ReportPage, ReportQuery, SendReceipt
from sms_connector.transport.http import HttpRequest, HttpResponse, Lane
from tests.contract.providers.case import NOW, Listed, ProviderCase
from tests.contract.providers.conftest import CASES
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport, leaks
from tests.fixtures.openapi_witness import OpenApiRecorder

URL = "https://sms.example.com/webhooks/provider/status/0123456789abcdef?m=msg_1&d=0123456789abcdef"
ROOT = Path(__file__).parents[3]


class Stage:
    """One provider with everything around it in reach."""

    def __init__(self, case: ProviderCase, *answers: Answer) -> None:
        self.case = case
        self.secrets = CannedSecrets(dict(case.secrets))
        self.transport = CannedTransport(*answers)
        self.recorder = OpenApiRecorder(self.transport, case.witness) if case.witness else None
        self.provider: Provider = case.build(self.secrets, self.recorder or self.transport)

    @property
    def requests(self) -> list[HttpRequest]:
        return self.transport.requests

    @property
    def last(self) -> HttpRequest:
        return self.requests[-1]


Staged = Callable[..., Stage]


@pytest.fixture
def stage(case: ProviderCase) -> Iterator[Staged]:
    """Builds stages. Whatever the test was about, every request has to be valid by the provider's own document."""
    stages: list[Stage] = []

    def build(*answers: Answer) -> Stage:
        stages.append(Stage(case, *answers))
        return stages[-1]

    yield build
    assert [problem for one in stages if one.recorder for problem in one.recorder.problems] == []


def needs(case: ProviderCase, capability: str) -> None:
    if not getattr(case.build(CannedSecrets({}), CannedTransport()).capabilities, capability):
        pytest.skip(f"{case.name} has no {capability}, and says so")


# --- registered ------------------------------------------------------------------------------------------------------


ROOMS = [module.name for module in pkgutil.iter_modules(providers.__path__) if module.ispkg]


def room_of(name: str) -> str:
    return name.replace("-", "_")


def test_every_room_is_registered() -> None:
    assert sorted(map(room_of, registry.PROVIDERS)) == sorted(ROOMS)


@pytest.mark.parametrize("name", registry.PROVIDERS)
class TestRegistered:
    def test_has_a_contract_case(self, name: str) -> None:
        where = f"tests/providers/{room_of(name)}/contract_case.py"
        assert name in CASES, f"write {where} and name it in tests/contract/providers/conftest.py"
        built = registry.provider_factory(name)(None, CannedSecrets({}), CannedTransport())
        assert (built.name, type(built)) == (name, type(CASES[name].build(CannedSecrets({}), CannedTransport())))

    def test_has_a_simulator_and_a_docs_page(self, name: str) -> None:
        assert (ROOT / "sandbox" / room_of(name)).is_dir()
        assert (ROOT / "docs" / "providers" / f"{name}.md").is_file()

    @pytest.mark.parametrize("module", ["credentials", "provider", "wire", "statuses", "webhooks"])
    def test_has_the_modules_every_room_has(self, name: str, module: str) -> None:
        assert importlib.import_module(f"sms_connector.providers.{room_of(name)}.{module}").__doc__


def test_capabilities_agree_with_each_other(stage: Staged) -> None:
    can = stage().provider.capabilities
    assert can.recipients_per_call >= 1
    assert can.recipients_per_call > 1 or not can.same_text_per_call
    assert can.reports_by_id >= 0 <= can.reports_per_page
    assert can.status_callbacks or not can.callback_per_message
    assert set(can.sender_rates) <= can.sender_kinds
    assert (SenderKind.CHANNEL in can.sender_kinds) == bool(can.channels)
    assert not can.schedule_window or 0 <= can.schedule_window[0] < can.schedule_window[1]
    assert can.text_limit > 0


def test_the_case_gives_an_answer_for_every_capability(case: ProviderCase, stage: Staged) -> None:
    can = stage().provider.capabilities
    assert bool(case.report and case.not_known) == bool(can.reports_by_id)
    assert bool(case.page and case.next_page and case.foreign_page) == bool(can.reports_per_page)
    assert bool(case.status_callback and case.forged) == can.status_callbacks
    assert bool(case.inbound) == can.inbound


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_complete_secrets_have_no_problems(stage: Staged) -> None:
    assert stage().provider.problems() == []
    assert stage().provider.problems(callbacks=True) == []


def test_missing_secrets_are_all_named_with_the_place(case: ProviderCase) -> None:
    secrets = CannedSecrets({})
    told = "\n".join(case.build(secrets, CannedTransport()).problems())
    for name in case.secrets:
        assert repr(name) in told
        assert secrets.where(name) in told


def test_every_secret_it_uses_is_named(case: ProviderCase, stage: Staged) -> None:
    assert {*case.secrets, *case.rotated} <= set(stage().provider.secret_names)


def test_a_secret_missing_at_use_stops_the_call(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.connected)
    on.secrets.values.clear()
    with pytest.raises(NotSent) as caught:
        on.provider.send(case.messages(1))
    assert caught.value.kind is Kind.AUTHENTICATION
    assert on.requests == []


def test_credentials_are_in_the_authorization_alone(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.taken([case.message_id(1)]))
    on.provider.send(case.messages(1))
    assert on.last.authorization
    shown = [on.last.url, repr(on.last), repr(on.last.headers), str(on.last.body)]
    secret = CannedSecrets({name: value for name, value in case.secrets.items() if name != "account-sid"})
    assert leaks(shown, secret) == []


def test_rotated_secrets_are_used_at_the_next_call(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.connected)
    on.provider.check_connection()
    on.secrets.values.update(case.rotated)
    on.provider.check_connection()
    first, second = on.requests
    assert first.authorization != second.authorization


def test_unauthorized_with_secrets_rotated_meanwhile_is_repeated_once(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.unauthorized, case.taken([case.message_id(1)]))
    on.secrets.after_refresh = dict(case.rotated)
    (outcome,) = on.provider.send(case.messages(1))
    assert isinstance(outcome, SendReceipt)
    first, second = on.requests
    assert (first.body, first.url) == (second.body, second.url)
    assert first.authorization != second.authorization


def test_unauthorized_with_the_same_secrets_is_final(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.unauthorized)
    (outcome,) = on.provider.send(case.messages(1))
    assert isinstance(outcome, FailureReason)
    assert outcome.kind is Kind.AUTHENTICATION
    assert (len(on.requests), on.secrets.refreshed) == (1, 1)


# --- send -------------------------------------------------------------------------------------------------------------


def test_one_call_takes_what_the_capability_says_and_answers_in_order(case: ProviderCase, stage: Staged) -> None:
    count = stage().provider.capabilities.recipients_per_call
    ids = [case.message_id(number) for number in range(count)]
    on = stage(case.taken(ids))
    outcomes = on.provider.send(case.messages(count))
    assert [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)] == ids
    assert all(isinstance(outcome, SendReceipt) and not outcome.status.final for outcome in outcomes)
    assert len(on.requests) == 1


def test_a_send_is_repeatable_only_where_the_provider_makes_it_so(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.taken([case.message_id(1)]))
    on.provider.send(case.messages(1))
    assert on.last.lane is Lane.SEND
    assert on.last.repeatable is on.provider.capabilities.idempotent_send
    assert on.last.method != "GET"


def test_a_refusal_is_verbatim_and_each_messages_own(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.refusal)
    count = min(2, on.provider.capabilities.recipients_per_call)
    outcomes = on.provider.send(case.messages(count))
    assert len(outcomes) == count
    for outcome in outcomes:
        assert isinstance(outcome, FailureReason)
        assert (outcome.code, outcome.message, outcome.more_info) == case.refusal_words
        assert outcome.source == "provider"


def test_an_opt_out_the_provider_knows_is_recognised(case: ProviderCase, stage: Staged) -> None:
    (outcome,) = stage(case.opted_out).provider.send(case.messages(1))
    assert isinstance(outcome, FailureReason)
    assert outcome.kind is Kind.OPTED_OUT


def test_success_without_an_outcome_is_unknown(case: ProviderCase, stage: Staged) -> None:
    for what, answer in case.unreadable.items():
        with pytest.raises(OutcomeUnknown):
            pytest.fail(f"{what} was read as {stage(answer).provider.send(case.messages(1))}")


@pytest.mark.parametrize(
    "error",
    [
        NotSent("connection refused"),
        OutcomeUnknown("read timeout", kind=Kind.TIMEOUT),
        Throttled("full", retry_after=1.5),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_transport_raises_reaches_the_engine_as_it_is(
    case: ProviderCase, stage: Staged, error: ConnectorError
) -> None:
    with pytest.raises(type(error)) as caught:
        stage(error).provider.send(case.messages(1))
    assert caught.value is error


PAGE = {"content-type": "text/html", "server": "squid"}


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (301, {"location": "https://www.example.com/login"}, NotSent),
        (302, {}, NotSent),
        (303, {"location": "/done"}, OutcomeUnknown),
        (403, PAGE, NotSent),
        (404, PAGE, NotSent),
        (407, PAGE, NotSent),
        (408, PAGE, OutcomeUnknown),
        (409, PAGE, OutcomeUnknown),
        (499, PAGE, OutcomeUnknown),
        (500, PAGE, OutcomeUnknown),
    ],
)
def test_somebody_elses_answer_is_not_the_providers_word(
    case: ProviderCase, stage: Staged, status: int, headers: dict[str, str], outcome: type[CallError]
) -> None:
    body = case.messages(1)[0].text.encode()
    with pytest.raises(outcome) as caught:
        stage(HttpResponse(status, headers, body)).provider.send(case.messages(1))
    assert case.messages(1)[0].text not in str(caught.value)
    assert str(status) in str(caught.value)


# --- reports ----------------------------------------------------------------------------------------------------------


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
    assert refused.value.kind is Kind.AUTHENTICATION
    with pytest.raises(NotSent):
        stage(HttpResponse(502, PAGE, b"<html>")).provider.fetch_reports([case.message_id(1)])


LISTED = [Listed("", "newest", 10), Listed("", "middle", 20), Listed("", "oldest", 30)]


def listing(case: ProviderCase, next_page: str | None) -> HttpResponse:
    assert case.page
    return case.page(
        [replace(item, provider_message_id=case.message_id(number)) for number, item in enumerate(LISTED)], next_page
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
    asked: list[tuple[HttpResponse, Callable[[Provider], object]]] = [
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


# --- changes ----------------------------------------------------------------------------------------------------------


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
    assert caught.value.kind is Kind.NOT_FOUND


# --- the connection ---------------------------------------------------------------------------------------------------


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


# --- callbacks --------------------------------------------------------------------------------------------------------


def callback(case: ProviderCase, kind: str) -> RawCallback:
    if kind == "status":
        assert case.status_callback
        return case.status_callback(URL, case.message_id(1), list(case.words)[-1])
    assert case.inbound
    return case.inbound(URL, "+15558675310", "Olá – ça va? 👍")


@pytest.mark.parametrize(("kind", "capability"), [("status", "status_callbacks"), ("inbound", "inbound")])
class TestCallbacks:
    def test_the_providers_own_is_accepted(self, case: ProviderCase, stage: Staged, kind: str, capability: str) -> None:
        needs(case, capability)
        assert stage().provider.verify_callback(callback(case, kind))

    def test_a_forged_one_is_not(self, case: ProviderCase, stage: Staged, kind: str, capability: str) -> None:
        needs(case, capability)
        assert case.forged
        genuine = callback(case, kind)
        for what, forged in case.forged(genuine).items():
            assert forged != genuine, what
            assert not stage().provider.verify_callback(forged), what

    def test_nor_any_without_our_secret(self, case: ProviderCase, stage: Staged, kind: str, capability: str) -> None:
        needs(case, capability)
        on = stage()
        on.secrets.values.update(case.rotated)
        assert not on.provider.verify_callback(callback(case, kind))
        on.secrets.values.clear()
        assert not on.provider.verify_callback(callback(case, kind))


def test_a_status_callback_is_read_as_it_is_polled(case: ProviderCase, stage: Staged) -> None:
    needs(case, "status_callbacks")
    assert case.status_callback
    for word, status in {**case.words, "teleported": MessageStatus.ACCEPTED}.items():
        (report,) = stage().provider.read_status_callback(case.status_callback(URL, case.message_id(1), word))
        assert (report.provider_message_id, report.status, report.raw_status) == (case.message_id(1), status, word)


def test_an_inbound_message_is_read_whole(case: ProviderCase, stage: Staged) -> None:
    needs(case, "inbound")
    (message,) = stage().provider.read_inbound(callback(case, "inbound"))
    assert (message.sender, message.text, message.received_at) == ("+15558675310", "Olá – ça va? 👍", NOW)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"a=b&c", b"[1]", b"null"])
def test_what_is_no_callback_is_refused_by_name(case: ProviderCase, stage: Staged, body: bytes) -> None:
    needs(case, "status_callbacks")
    nonsense = RawCallback("POST", URL, {}, body, NOW)
    with pytest.raises(InvalidRequest):
        stage().provider.read_status_callback(nonsense)
    if stage().provider.capabilities.inbound:
        with pytest.raises(InvalidRequest):
            stage().provider.read_inbound(nonsense)

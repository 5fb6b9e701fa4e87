"""Every provider's send has the same four honest outcomes, whatever its wire."""

from __future__ import annotations

import pytest

from sms_connector.errors import (
    CallError,
    ConnectorError,
    ErrorKind,
    NotSent,
    OutcomeUnknown,
    Throttled,
)
from sms_connector.model.delivery_report import FailureReason
from sms_connector.provider import SendReceipt
from sms_connector.transport.http import HttpResponse, Lane
from tests.contract.providers.case import ProviderCase
from tests.contract.providers.stage import PAGE, Staged


def test_one_call_takes_what_the_capability_says_and_answers_in_order(case: ProviderCase, stage: Staged) -> None:
    count = stage().provider.capabilities.recipients_per_call
    ids = [case.message_id(number) for number in range(count)]
    on = stage(case.taken(ids))
    outcomes = on.provider.send(case.messages(count))
    told = [""] * count if case.ids_come_later else ids
    assert [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, SendReceipt)] == told
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


def test_one_that_is_refused_stops_no_other_of_its_call(case: ProviderCase, stage: Staged) -> None:
    if case.some_refused is None:
        pytest.skip(f"{case.name} answers for a call as a whole")
    ids = [case.message_id(number) for number in range(3)]
    outcomes = stage(case.some_refused(ids, 1)).provider.send(case.messages(3))
    first, refused, last = outcomes
    assert isinstance(first, SendReceipt)
    assert isinstance(last, SendReceipt)
    assert [first.provider_message_id, last.provider_message_id] == [ids[0], ids[2]]
    assert isinstance(refused, FailureReason)
    assert refused.source == "provider"
    assert refused.code is not None


def test_an_opt_out_the_provider_knows_is_recognised(case: ProviderCase, stage: Staged) -> None:
    (outcome,) = stage(case.opted_out).provider.send(case.messages(1))
    assert isinstance(outcome, FailureReason)
    assert outcome.kind is ErrorKind.OPTED_OUT


def test_success_without_an_outcome_is_unknown(case: ProviderCase, stage: Staged) -> None:
    for what, answer in case.unreadable.items():
        with pytest.raises(OutcomeUnknown):
            pytest.fail(f"{what} was read as {stage(answer).provider.send(case.messages(1))}")


@pytest.mark.parametrize(
    "error",
    [
        NotSent("connection refused"),
        OutcomeUnknown("read timeout", kind=ErrorKind.TIMEOUT),
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

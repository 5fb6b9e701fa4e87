"""The base class of providers: what a provider does not state, it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from sms_connector.errors import UnsupportedOperation
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.message import OutboundMessage
from sms_connector.provider import (
    Capabilities,
    Option,
    Provider,
    ProviderSettings,
    RawCallback,
    ReportQuery,
    SendOutcome,
)
from sms_connector.transport.http import BeforeAttempt

CALLBACK = RawCallback("POST", "https://hooks.example.com", {}, b"", datetime.now(UTC))


class OnlySends(Provider):
    """The least that a provider has to say."""

    name, capabilities, consent_words = "least", Capabilities(), STANDARD_WORDS

    def problems(self, *, callbacks: bool = False) -> list[str]:
        return []

    def send(
        self, messages: Sequence[OutboundMessage], before_attempt: BeforeAttempt | None = None
    ) -> Sequence[SendOutcome]:
        return []

    def check_connection(self) -> ConnectionStatus:
        return ConnectionStatus(ConnectionState.ACTIVE, "there")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("fetch_reports", (["SM1"],)),
        ("list_reports", (ReportQuery(datetime.now(UTC)),)),
        ("cancel", ("SM1",)),
        ("redact", ("SM1",)),
        ("verify_callback", (CALLBACK,)),
        ("read_status_callback", (CALLBACK,)),
        ("read_inbound", (CALLBACK,)),
    ],
)
def test_an_optional_operation_is_refused_by_default(operation: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(UnsupportedOperation, match="least can't") as refusal:
        getattr(OnlySends(), operation)(*arguments)
    assert refusal.value.http_status == 422


def test_no_provider_asks_for_an_address_unless_it_says_so() -> None:
    assert OnlySends().handshake(CALLBACK) is None


def test_a_callback_is_what_its_address_says_and_its_answer_is_empty() -> None:
    assert [OnlySends().callback_kind(CALLBACK, kind) for kind in ("status", "inbound")] == ["status", "inbound"]
    assert (OnlySends().answer_status().status, OnlySends().answer_status().body) == (204, b"")


def test_a_callback_that_one_task_holds_is_not_spread() -> None:
    assert OnlySends().split_callback(CALLBACK, 1) == [CALLBACK]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"gate": "7"}, [], id="what is required"),
        pytest.param({"gate": "7", "way": "b"}, [], id="one of the values"),
        pytest.param({}, ["is missing gate"], id="a required one is missing"),
        pytest.param({"gate": "7", "way": "c"}, ["way: 'c' is not one of a, b"], id="another value"),
        pytest.param({"gate": "no number"}, ["gate: 'no number' is not a whole number"], id="another form"),
        pytest.param({"gate": "7", "gaet": "7"}, ["'gaet' is no option of picky; it has gate, way"], id="unknown"),
    ],
)
def test_options_are_checked_by_what_the_provider_states(options: dict[str, str], told: list[str]) -> None:
    class Picky(OnlySends):
        name, default_url = "picky", "https://picky.example"
        options: ClassVar[Mapping[str, Option]] = {
            "gate": Option(form="[0-9]+", described="a whole number", required=True),
            "way": Option(values=("a", "b"), default="a"),
        }

    problems = Picky.setting_problems(ProviderSettings(options=options))
    assert len(problems) == len(told)
    assert all(part in problem for part, problem in zip(told, problems, strict=True))


def test_a_provider_without_a_public_address_needs_the_setting() -> None:
    [problem] = OnlySends.setting_problems(ProviderSettings())
    assert problem.startswith("SMS_PROVIDER_URL is missing")
    assert OnlySends.setting_problems(ProviderSettings(base_url="https://acme.example")) == []


def test_a_provider_without_the_required_operations_can_not_be_made() -> None:
    class SaysNothing(Provider):
        name, capabilities, consent_words = "nothing", Capabilities(), STANDARD_WORDS

    with pytest.raises(TypeError, match="abstract"):
        SaysNothing()  # type: ignore[abstract]  # what is tested

"""The base class of providers: what a provider does not state, it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from sms_connector.errors import UnsupportedOperation
from sms_connector.model.connection_status import ConnectionState, ConnectionStatus
from sms_connector.model.consent_words import STANDARD_WORDS
from sms_connector.model.message import OutboundMessage
from sms_connector.provider import Capabilities, Provider, RawCallback, ReportQuery, SendOutcome
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


def test_a_provider_without_the_required_operations_can_not_be_made() -> None:
    class SaysNothing(Provider):
        name, capabilities, consent_words = "nothing", Capabilities(), STANDARD_WORDS

    with pytest.raises(TypeError, match="abstract"):
        SaysNothing()  # type: ignore[abstract]  # what is tested

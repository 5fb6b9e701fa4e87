"""A Twilio provider whose every request is held against Twilio's own OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sms_connector.provider import Provider
from sms_connector.transport.http import HttpRequest
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.openapi_witness import OpenApiRecorder
from tests.fixtures.providers import make_twilio
from tests.providers.twilio import twilio_wire as wire


@dataclass
class Twilio:
    """The provider, its secrets, and what it asked."""

    provider: Provider
    secrets: CannedSecrets
    requests: list[HttpRequest]

    @property
    def last(self) -> HttpRequest:
        return self.requests[-1]


TwilioWith = Callable[..., Twilio]


@pytest.fixture
def twilio() -> Iterator[TwilioWith]:
    """Builds a provider that gets these answers: `twilio(answer, …, secrets=…, base_url=…)`."""
    recorders: list[OpenApiRecorder] = []

    def build(*answers: Answer, secrets: dict[str, str] | None = None, base_url: str | None = None) -> Twilio:
        transport = CannedTransport(*answers)
        recorders.append(OpenApiRecorder(transport, wire.WITNESS))
        given = CannedSecrets(dict(wire.SECRETS if secrets is None else secrets))
        return Twilio(make_twilio(base_url, given, recorders[-1]), given, transport.requests)

    yield build
    assert [problem for recorder in recorders for problem in recorder.problems] == []

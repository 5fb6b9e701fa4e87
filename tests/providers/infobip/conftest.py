"""An Infobip provider with canned answers, and what it asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sms_connector.provider import Provider
from sms_connector.transport.http import HttpRequest
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.providers import make_provider
from tests.providers.infobip import infobip_wire as wire


@dataclass
class Infobip:
    """The provider, its secrets, and what it asked."""

    provider: Provider
    secrets: CannedSecrets
    requests: list[HttpRequest]

    @property
    def last(self) -> HttpRequest:
        return self.requests[-1]


InfobipWith = Callable[..., Infobip]


@pytest.fixture
def infobip() -> InfobipWith:
    """Builds a provider that gets these answers: `infobip(answer, …, secrets=…, options=…)`."""

    def build(*answers: Answer, secrets: dict[str, str] | None = None, **options: str) -> Infobip:
        transport = CannedTransport(*answers)
        given = CannedSecrets(wire.SECRETS | (secrets or {}))
        return Infobip(make_provider("infobip", given, transport, wire.BASE_URL, **options), given, transport.requests)

    return build

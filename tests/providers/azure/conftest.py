from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from sandbox import AdminClient, Sandbox
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import OutboundMessage
from sms_connector.provider import Provider, SendOutcome, SendReceipt
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.providers import live_transport, make_provider
from tests.providers.azure import azure_wire as wire

Canned = Callable[..., tuple[Provider, CannedTransport]]


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, *messages: OutboundMessage) -> Sequence[SendOutcome]:
        return self.provider.send(messages)

    def sent(self, message: OutboundMessage) -> str:
        (outcome,) = self.provider.send([message])
        assert isinstance(outcome, SendReceipt), outcome
        return outcome.provider_message_id

    def report(self, provider_message_id: str) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([provider_message_id])
        return report


@pytest.fixture
def canned() -> Canned:
    """Make the provider in front of canned answers."""

    def make(*answers: Answer) -> tuple[Provider, CannedTransport]:
        transport = CannedTransport(*answers)
        return make_provider("azure", CannedSecrets(dict(wire.SECRETS)), transport, wire.URL), transport

    return make


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    sandbox.admin.reset()
    secrets = CannedSecrets(dict(wire.SECRETS))
    with live_transport(secrets, attempts=2, read_timeout=0.5) as transport:
        yield Live(make_provider("azure", secrets, transport, sandbox.url), sandbox.admin, secrets)

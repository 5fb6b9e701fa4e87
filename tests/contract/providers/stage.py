"""A provider on its stage: canned answers in front, every request kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sms_connector.provider import Provider
from sms_connector.transport.http import HttpRequest
from tests.contract.providers.case import ProviderCase
from tests.contract.providers.doubles import Answer, CannedSecrets, CannedTransport
from tests.fixtures.openapi_witness import OpenApiRecorder

PAGE = {"content-type": "text/html", "server": "squid"}
URL = "https://sms.example.com/webhooks/provider/status/0123456789abcdef?m=msg_1&d=0123456789abcdef"


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


def needs(case: ProviderCase, capability: str) -> None:
    if not getattr(case.build(CannedSecrets({}), CannedTransport()).capabilities, capability):
        pytest.skip(f"{case.name} has no {capability}, and says so")

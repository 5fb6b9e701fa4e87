"""The READMEs, the sandbox's and those of its providers, promise what there is, and all of it."""

from __future__ import annotations

import pytest
import requests

from sandbox import Sandbox
from sandbox.faults import VARIANTS, Kind
from sandbox.options import CallbackBehaviour, Settings, settings_document
from sandbox.twilio import accounts
from sandbox.twilio.numbers import REFUSED_RECIPIENTS, REFUSED_SENDERS, RESERVED
from tests.sandbox.support import ROOT

README = "".join(path.read_text() for path in sorted((ROOT / "sandbox").rglob("README.md")))
NAMED = {
    *Kind,
    *VARIANTS,
    *REFUSED_RECIPIENTS,
    *REFUSED_SENDERS,
    *RESERVED,
    *(set(settings_document(Settings())) - {"callbacks"}),
    *(f"callbacks.{name}" for name in settings_document(CallbackBehaviour())),
    *(accounts.ACCOUNT_SID, accounts.AUTH_TOKEN, accounts.KEY_SID, accounts.KEY_SECRET),
    *(accounts.MAIN_KEY_SID, accounts.MAIN_KEY_SECRET, accounts.SERVICE_SID, accounts.SERVICE_NUMBER),
    *accounts.NUMBERS,
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_it_is_named(name: str) -> None:
    assert f"`{name}`" in README


def test_every_admin_call_is_named(sandbox: Sandbox) -> None:
    # As the sandbox itself lists them to whoever asks for one that does not exist.
    answer = requests.get(f"{sandbox.url}/_sandbox/nothing", timeout=5)
    calls = [call.replace("/_sandbox/", "") for call in answer.json()["calls"]]
    assert [call for call in calls if f"`{call}`" not in README] == []
    assert len(calls) > 15

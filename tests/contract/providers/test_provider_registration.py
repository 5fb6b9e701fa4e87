"""What is registered is whole, says truly what it can do, and knows its secrets."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

from sms_connector import providers, registry
from sms_connector.errors import (
    ErrorKind,
    NotSent,
)
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.phone_number import SenderKind
from sms_connector.provider import Capabilities, SendReceipt
from tests.contract.providers.case import ProviderCase
from tests.contract.providers.conftest import CASES
from tests.contract.providers.doubles import CannedSecrets, CannedTransport, leaks
from tests.contract.providers.stage import Staged
from tests.fixtures.providers import make_provider

ROOT = Path(__file__).parents[3]
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
        built = make_provider(name, CannedSecrets({}), CannedTransport())
        assert (built.name, type(built)) == (name, type(CASES[name].build(CannedSecrets({}), CannedTransport())))

    def test_has_a_simulator_and_a_docs_page(self, name: str) -> None:
        assert (ROOT / "sandbox" / room_of(name)).is_dir()
        assert (ROOT / "docs" / "providers" / f"{name}.md").is_file()

    @pytest.mark.parametrize("module", ["provider", "statuses"])
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
    assert not can.ids_are_ours or can.idempotent_send


def test_the_case_gives_an_answer_for_every_capability(case: ProviderCase, stage: Staged) -> None:
    can = stage().provider.capabilities
    assert bool(case.report and case.not_known) == bool(can.reports_by_id)
    assert bool(case.page and case.next_page and case.foreign_page) == bool(can.reports_per_page)
    assert bool(case.status_callback) == can.status_callbacks
    assert bool(case.many_reports) == (can.callback_bytes > Capabilities().callback_bytes)
    assert bool(case.inbound) == can.inbound


def test_complete_secrets_have_no_problems(stage: Staged) -> None:
    assert stage().provider.problems() == []
    assert stage().provider.problems(callbacks=True) == []


def test_missing_secrets_are_all_named_with_the_place(case: ProviderCase) -> None:
    secrets = CannedSecrets({})
    told = "\n".join(case.build(secrets, CannedTransport()).problems())
    for name in case.secrets.keys() - case.optional:
        assert repr(name) in told
        assert secrets.where(name) in told


def test_every_secret_it_uses_is_named(case: ProviderCase, stage: Staged) -> None:
    assert {*case.secrets, *case.rotated} <= set(stage().provider.secret_names)


def test_a_secret_missing_at_use_stops_the_call(case: ProviderCase, stage: Staged) -> None:
    on = stage(case.connected)
    on.secrets.values.clear()
    with pytest.raises(NotSent) as caught:
        on.provider.send(case.messages(1))
    assert caught.value.kind is ErrorKind.AUTHENTICATION
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
    assert outcome.kind is ErrorKind.AUTHENTICATION
    assert (len(on.requests), on.secrets.refreshed) == (1, 1)

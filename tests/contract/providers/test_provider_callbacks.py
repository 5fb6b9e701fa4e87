"""Every provider's callbacks are verified before they are read, and read as what is polled."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from sms_connector.callbacks.callback_event import CallbackEvent
from sms_connector.errors import InvalidRequest, NotSent
from sms_connector.model.status import MessageStatus
from sms_connector.ports import MAX_TASK_BYTES
from sms_connector.provider import RawCallback, is_wanted
from tests.contract.providers.case import NOW, ProviderCase
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.contract.providers.stage import URL, Staged, needs


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
        if case.forged is None:
            pytest.skip(f"{case.name} has nothing but the address's token")
        genuine = callback(case, kind)
        for what, forged in case.forged(genuine).items():
            assert forged != genuine, what
            assert not stage().provider.verify_callback(forged), what

    def test_nor_any_without_our_secret(self, case: ProviderCase, stage: Staged, kind: str, capability: str) -> None:
        needs(case, capability)
        if case.forged is None:
            pytest.skip(f"{case.name} has nothing but the address's token")
        on = stage()
        on.secrets.values.update(case.rotated)
        assert not on.provider.verify_callback(callback(case, kind))
        on.secrets.values.clear()
        with pytest.raises(NotSent):  # a secret of ours that is missing says nothing about the callback
            on.provider.verify_callback(callback(case, kind))


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


def test_the_headers_it_needs_are_named(case: ProviderCase, stage: Staged) -> None:
    """The webhook passes on these alone: what is signed has to be verifiable with them."""
    needs(case, "status_callbacks")
    genuine = callback(case, "status")
    wanted = tuple(case.build(CannedSecrets({}), CannedTransport()).callback_headers)
    assert all(name == name.lower() for name in wanted)
    kept = {name: value for name, value in genuine.headers.items() if is_wanted(name, wanted)}
    assert stage().provider.verify_callback(replace(genuine, headers=kept))


def test_a_report_that_cannot_be_read_stops_no_other(case: ProviderCase, stage: Staged) -> None:
    word, told = list(case.words)[-1], [(case.message_id(number), list(case.words)[-1]) for number in range(3)]
    if case.many_reports is None:
        pytest.skip(f"{case.name} sends one report a request")
    reports = stage().provider.read_status_callback(case.many_reports(URL, told))
    assert [(report.provider_message_id, report.raw_status) for report in reports] == told
    assert {report.status for report in reports} == {case.words[word]}


def test_a_callback_of_many_reports_is_spread_and_each_part_stands_alone(case: ProviderCase, stage: Staged) -> None:
    if case.many_reports is None:
        pytest.skip(f"{case.name} sends one report a request")
    told = [(case.message_id(number), list(case.words)[-1]) for number in range(2000)]
    whole, provider = case.many_reports(URL, told), stage().provider
    assert len(whole.body) <= provider.capabilities.callback_bytes
    parts = provider.split_callback(whole, 32 * 1024)
    assert all(provider.verify_callback(part) for part in parts)
    tasks = [CallbackEvent("status", part).to_task() for part in parts]
    assert all(len(msgspec.json.encode(task.payload)) <= MAX_TASK_BYTES for task in tasks)
    assert [CallbackEvent.of(task.payload).callback for task in tasks] == list(parts)
    read = [report.provider_message_id for part in parts for report in provider.read_status_callback(part)]
    assert read == [message_id for message_id, _ in told]


def test_a_callback_is_no_handshake(case: ProviderCase, stage: Staged) -> None:
    needs(case, "status_callbacks")
    assert stage().provider.handshake(callback(case, "status")) is None


@pytest.mark.parametrize("reply", [None, "Write to help@acme.example & <friends>"])
def test_an_inbound_callback_is_answered_without_a_secret(case: ProviderCase, reply: str | None) -> None:
    answer = case.build(CannedSecrets({}), CannedTransport()).answer_inbound(reply)
    assert (answer.status, bool(answer.content_type)) == (200, True)

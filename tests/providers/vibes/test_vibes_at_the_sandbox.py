"""The package against a simulator it shares no code with, over the real transport; its callbacks up to the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sandbox.vibes.codes import CARRIER, INTERNAL
from sandbox.vibes.service import PASSWORD, USERNAME
from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, SendOutcome, SendReceipt
from sms_connector.providers.common import basic
from sms_connector.store.message_record import Phase
from sms_connector.store.outcome import ApplyOutcome
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.callback_stage import CallbackStage
from tests.fixtures.providers import live_transport, make_provider
from tests.sandbox.support import Received, Receiver

S = MessageStatus
MESSAGE = OutboundMessage("msg_1", "+15558675310", "98765", "Olá – <b> & 50%+\r\n2 👍")
WEBHOOK = {"webhook-username": "vibes", "webhook-password": "inbound-password"}
SENDS = "/MessageApi/mt/message"


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, *messages: OutboundMessage) -> list[SendOutcome]:
        return list(self.provider.send(messages or [MESSAGE]))

    def report(self, vibes_id: str) -> DeliveryReport:
        (report,) = self.provider.fetch_reports([vibes_id])
        return report


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    sandbox.admin.reset()
    secrets = CannedSecrets({"username": USERNAME, "password": PASSWORD, **WEBHOOK})
    with live_transport(secrets) as transport:
        yield Live(make_provider("vibes", secrets, transport, sandbox.url), sandbox.admin, secrets)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


@pytest.fixture
def stage(live: Live, tmp_path: Path) -> CallbackStage:
    return CallbackStage(tmp_path, live.provider)


def many(count: int, **changes: Any) -> list[OutboundMessage]:
    return [replace(MESSAGE, id=f"msg_{n}", to=f"+1555867{n:04}", text=f"Text {n}", **changes) for n in range(count)]


def deliver(stage: CallbackStage, request: Received) -> int:
    """Hand a receipt to our own door, at the address of no message in particular."""
    return stage.post("status", request.body)


# --- sending ----------------------------------------------------------------------------------------------------------


def test_one_and_many(live: Live) -> None:
    (outcome,) = live.send()
    assert isinstance(outcome, SendReceipt)
    outcomes = live.send(*many(100))
    assert outcomes == [SendReceipt("", S.ACCEPTED, "accepted")] * 100
    seen = live.admin.messages()
    assert (seen[0]["id"], seen[0]["reference"], seen[0]["body"]) == (
        outcome.provider_message_id,
        "msg_1",
        MESSAGE.text,
    )
    assert [(m["reference"], m["to"], m["body"]) for m in seen[1:]] == [(m.id, m.to, m.text) for m in many(100)]
    assert len(live.admin.journal(path=SENDS)) == 2


def test_followed_by_id(live: Live) -> None:
    (outcome,) = live.send()
    assert isinstance(outcome, SendReceipt)
    seen = []
    for _ in range(3):
        seen.append(live.report(outcome.provider_message_id).status)
        live.admin.advance(50)
    assert seen == [S.ACCEPTED, S.SENT, S.DELIVERED]
    assert live.provider.fetch_reports(["b75fccf3-8f06-4d8f-a282-d1886a4792a2"]) == []
    (long,) = live.send(replace(MESSAGE, text="x" * 900, to="+15005540004"))
    assert isinstance(long, SendReceipt)
    live.admin.advance(100)
    assert live.report(long.provider_message_id).status is S.UNDELIVERED


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"to": "+15005550001"}, ErrorKind.INVALID_RECIPIENT, 26),
        ({"to": "+15005560009"}, ErrorKind.OPTED_OUT, 9),
        ({"sender": "12345"}, ErrorKind.INVALID_SENDER, 16),
        ({"text": "x" * 901}, ErrorKind.INVALID_REQUEST, None),
        ({"id": "msg_" + "x" * 37}, ErrorKind.INVALID_REQUEST, None),
    ],
)
def test_refused_in_the_providers_words(live: Live, changes: dict[str, str], kind: ErrorKind, code: int | None) -> None:
    (outcome,) = live.send(replace(MESSAGE, **changes))  # type: ignore[arg-type]  # a table of any field
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.source) == (kind, code, "provider")
    assert outcome.message == (INTERNAL[code] if code else outcome.message)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("fault", ["reset_after_accept", "5xx_after_accept", "unreadable_2xx", "500_before_accept"])
def test_a_lost_answer_is_unknown_and_never_repeated(live: Live, fault: str, count: int) -> None:
    live.admin.fault(fault, count=1, path=SENDS)
    with pytest.raises(OutcomeUnknown):
        live.send(*many(count))
    assert len(live.admin.journal(path=SENDS)) == 1


def test_what_is_not_processed_is_sent_again_or_not_sent(live: Live) -> None:
    live.admin.fault("429", count=2, seconds=0, path=SENDS)
    live.send()
    assert [entry["status"] for entry in live.admin.journal(path=SENDS)] == [429, 429, 200]
    live.admin.fault("503_retry_after", seconds=0, path=SENDS)
    with pytest.raises(NotSent):
        live.send()
    assert len(live.admin.messages()) == 1


def test_credentials_are_rotated_without_a_failed_send(live: Live) -> None:
    live.send()
    live.admin.post("vibes/account", {"password": "another password"})
    live.secrets.after_refresh = {"password": "another password"}
    assert isinstance(live.send()[0], SendReceipt)
    assert len(live.admin.messages()) == 2


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.secrets.values["password"] = "wrong"
    status = live.provider.check_connection()
    assert (status.state, "username, password" in status.description) == (ConnectionState.AUTH_ERROR, True)


# --- receipts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [
        ("+15558675310", S.DELIVERED, None),
        ("+15005530007", S.UNDELIVERED, 105),
        ("+15005550001", S.FAILED, 26),
        ("+15005540001", S.SENT, None),
    ],
)
def test_receipts_tell_the_ids_of_a_bundle_and_one_that_fails_stops_no_other(
    live: Live, receiver: Receiver, stage: CallbackStage, to: str, status: MessageStatus, code: int | None
) -> None:
    messages = many(3, callback_url=receiver.url)
    messages[1] = replace(messages[1], to=to)
    for message, outcome in zip(messages, live.send(*messages), strict=True):
        record = stage.message(message.id)
        change = ApplyOutcome(outcome, stage.clock.time(), 900.0, None, 0)
        stage.store.apply(record, change)
        assert (stage.read(message.id).phase, stage.read(message.id).provider_message_id) == (Phase.DONE, None)
    live.admin.advance(100)
    for request in receiver.wait_for(5 if status in (S.FAILED, S.SENT) else 6):
        assert deliver(stage, request) == 204
    records = [stage.read(message.id) for message in messages]
    assert [record.status for record in records] == [S.DELIVERED, status, S.DELIVERED]
    assert (records[1].failure and records[1].failure.code) == code
    assert [record.provider_message_id for record in records] == [m["id"] for m in live.admin.messages()]


def test_a_receipt_settles_an_outcome_that_was_lost(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    stage.message().mark_unknown("no answer", at=stage.clock.time(), window=900)
    live.admin.fault("reset_after_accept", count=1, path=SENDS)
    with pytest.raises(OutcomeUnknown):
        live.send(replace(MESSAGE, callback_url=receiver.url))
    live.admin.advance(100)
    for request in receiver.wait_for(2):
        deliver(stage, request)
    assert (stage.read().status, stage.read().provider_message_id) == (S.DELIVERED, live.admin.messages()[0]["id"])


@pytest.mark.parametrize(
    ("to", "status"), [("+15558675310", S.DELIVERED), ("+15005540004", S.UNDELIVERED), ("+15005540001", S.SENT)]
)
def test_the_receipts_of_the_parts_are_one_status(
    live: Live, receiver: Receiver, stage: CallbackStage, to: str, status: MessageStatus
) -> None:
    stage.message(segments=3)
    live.send(replace(MESSAGE, to=to, text="x" * 307, callback_url=receiver.url))
    live.admin.advance(100)
    requests = receiver.wait_for(3 if status is S.SENT else 6)
    for request in (*requests[::-1], *requests):  # in any order, and all of them again
        assert deliver(stage, request) == 204
    assert stage.read().status is status


@pytest.mark.parametrize("code", [*INTERNAL, *CARRIER])
def test_every_code_is_read(live: Live, code: int) -> None:
    prefix = "+1500557" if code in INTERNAL else "+1500559"
    (outcome,) = live.send(replace(MESSAGE, to=f"{prefix}{code:04}"))
    assert isinstance(outcome, SendReceipt)
    live.admin.advance(100)
    report = live.report(outcome.provider_message_id)
    assert report.failure
    assert (report.failure.code, report.status) == (code, S.FAILED if code in INTERNAL else S.UNDELIVERED)
    assert report.failure.message == {**INTERNAL, **CARRIER}[code]
    assert (report.failure.kind is ErrorKind.OPTED_OUT) == (code == 9)


def test_a_blocked_recipient_has_opted_out(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    stage.message()
    live.send(replace(MESSAGE, to="+15005550004", callback_url=receiver.url))
    live.admin.advance(100)
    deliver(stage, receiver.wait_for(1)[0])
    assert stage.has_opted_out()


def test_inbound_and_stop(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    credentials = {"inboundUsername": "vibes", "inboundPassword": "inbound-password"}
    live.admin.post("vibes/account", {"inboundUrl": receiver.url, **credentials})
    live.admin.inbound(provider="vibes", to="98765", from_=MESSAGE.to, body="Olá – <ça> & 👍")
    live.admin.inbound(provider="vibes", to="98765", from_=MESSAGE.to, body=" stop ")
    for request in receiver.wait_for(2):
        for _ in range(2):  # Vibes repeats what was not taken
            assert stage.post("inbound", request.body, Authorization=request.headers["Authorization"]) == 200
    assert sorted(message.text for message in stage.inbound()) == [" stop ", "Olá – <ça> & 👍"]
    assert stage.has_opted_out()


RECEIPT = b'<mtMessageResponse messageId="x" submitterMessageId="msg_1"><type>System</type>%s</mtMessageResponse>'
BLOCKED = RECEIPT % b'<status isError="true"><internalErrorCode>9</internalErrorCode></status>'
MALICIOUS = [
    b"",
    b"\xff\xfe\x00",
    b"<a>" * 10_000,
    b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + RECEIPT % b"&e;",
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + RECEIPT % b"&b;",
    RECEIPT[:60],
    b"<mtMessageResponse><type>Handset</type></mtMessageResponse>",
    b'{"messageId": "x"}',
    b'<moMessage messageId="x"><source address=""/><destination address="1"/></moMessage>',
]


@pytest.mark.parametrize("body", MALICIOUS, ids=range(len(MALICIOUS)))
@pytest.mark.parametrize("kind", ["status", "inbound"])
def test_malicious_content_changes_nothing(stage: CallbackStage, kind: str, body: bytes) -> None:
    stage.message()
    credentials = basic(WEBHOOK["webhook-username"], WEBHOOK["webhook-password"])
    assert stage.post(kind, body, Authorization=credentials) < 500
    assert (stage.read().history, stage.inbound(), stage.has_opted_out()) == ([], [], False)


def test_forged_and_oversized_callbacks_change_nothing(stage: CallbackStage) -> None:
    stage.message()
    stop = (
        b'<moMessage messageId="x"><source address="+15558675310"/><destination address="98765"/>'
        b"<message>STOP</message></moMessage>"
    )
    assert stage.post("inbound", stop) == 200
    assert stage.post("inbound", stop, Authorization=basic("vibes", "a guess")) == 200
    assert stage.post("status", BLOCKED, url=stage.address.of_kind("status")[:-1] + "x") == 404
    assert stage.post("status", BLOCKED, url=stage.address.of_kind("inbound").replace("/inbound/", "/status/")) == 404
    assert stage.post("status", BLOCKED + b" " * 70_000) == 413
    assert stage.rejected() == ["signature", "signature", "token", "token", "size"]
    assert (stage.read().history, stage.inbound(), stage.has_opted_out()) == ([], [], False)
    assert stage.post("status", BLOCKED) == 204
    assert (stage.read().status, stage.has_opted_out()) == (S.FAILED, True)

"""The package against a simulator it shares no code with, over the real transport; its callbacks up to the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sandbox import AdminClient, Sandbox
from sandbox.link_mobility.accounts import (
    CLIENT_ID,
    CLIENT_SECRET,
    INBOUND_GATE,
    PARTNER_ID,
    PASSWORD,
    PLATFORM_ID,
    REPORT_GATE,
    USERNAME,
)
from sandbox.link_mobility.codes import RESULTS
from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Provider, RawCallback, SendOutcome, SendReceipt
from sms_connector.providers.common import basic
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.callback_stage import CallbackStage
from tests.fixtures.providers import live_transport, make_provider
from tests.sandbox.support import Received, Receiver

MESSAGE = OutboundMessage("msg_1", "+15558675310", "+15551234567", "Olá – ça va? <b> & 50%+\n2")
OPTIONS = {"platformId": PLATFORM_ID, "platformPartnerId": PARTNER_ID, "gateId": REPORT_GATE}
WEBHOOK = {"webhook-username": "link", "webhook-password": "gate-password"}
SENDS = "/sms/"


@dataclass
class Live:
    """The provider, the simulator's other side, and the secrets between them."""

    provider: Provider
    admin: AdminClient
    secrets: CannedSecrets

    def send(self, *messages: OutboundMessage) -> list[SendOutcome]:
        return list(self.provider.send(messages or [MESSAGE]))

    def lead_gates(self, receiver: Receiver) -> None:
        credentials = {"username": "link", "password": "gate-password"}
        for gate in (REPORT_GATE, INBOUND_GATE):
            self.admin.post("link-mobility/gates", {"id": gate, "url": f"{receiver.url}/{gate}", **credentials})


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[Live]:
    sandbox.admin.reset()
    secrets = CannedSecrets({"username": USERNAME, "password": PASSWORD, **WEBHOOK})
    with live_transport(secrets) as transport:
        yield Live(make_provider("link-mobility", secrets, transport, sandbox.url, **OPTIONS), sandbox.admin, secrets)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened


@pytest.fixture
def stage(live: Live, tmp_path: Path) -> CallbackStage:
    return CallbackStage(tmp_path, live.provider)


def many(count: int, **changes: Any) -> list[OutboundMessage]:
    return [replace(MESSAGE, id=f"msg_{n}", to=f"+1555867{n:04}", text=f"Text {n}", **changes) for n in range(count)]


def deliver(stage: CallbackStage, kind: str, request: Received) -> int:
    """Hand what the simulator posted to our own door."""
    return stage.post(kind, request.body, Authorization=request.headers["Authorization"])


# --- sending ----------------------------------------------------------------------------------------------------------


def test_one_and_many(live: Live) -> None:
    (outcome,) = live.send()
    assert isinstance(outcome, SendReceipt)
    assert (outcome.status, outcome.segments) == (MessageStatus.QUEUED, 1)
    outcomes = live.send(*many(1000))
    assert all(isinstance(outcome, SendReceipt) for outcome in outcomes)
    seen = live.admin.messages()
    assert [(m["reference"], m["to"], m["body"]) for m in seen[1:]] == [(m.id, m.to, m.text) for m in many(1000)]
    assert [m["id"] for m in seen[1:]] == [o.provider_message_id for o in outcomes if isinstance(o, SendReceipt)]
    assert (seen[0]["body"], seen[0]["gates"]) == (MESSAGE.text, [REPORT_GATE])
    assert len(live.admin.journal(path=SENDS)) == 2


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"to": "+15005550001"}, ErrorKind.INVALID_RECIPIENT, 2106),
        ({"to": "+15005550003"}, ErrorKind.NOT_PERMITTED, 2103),
        ({"to": "+15005550004"}, ErrorKind.OPTED_OUT, 2105),
        ({"to": "+15005564001"}, ErrorKind.INVALID_MESSAGE, 4001),
        ({"sender": "+15005550006"}, ErrorKind.INVALID_SENDER, 2000),
        ({"text": "x" * 38_863}, ErrorKind.INVALID_MESSAGE, 4003),
    ],
)
def test_refused_in_the_providers_words(live: Live, changes: dict[str, str], kind: ErrorKind, code: int) -> None:
    (outcome,) = live.send(replace(MESSAGE, **changes))  # type: ignore[arg-type]  # a table of any field
    assert isinstance(outcome, FailureReason)
    assert (outcome.kind, outcome.code, outcome.source, outcome.message) == (kind, code, "provider", RESULTS[code].text)


def test_one_of_many_is_refused_and_stops_no_other(live: Live) -> None:
    messages = many(3)
    messages[1] = replace(messages[1], to="+15005550004")
    first, refused, last = live.send(*messages)
    assert isinstance(refused, FailureReason)
    assert (refused.kind, refused.code) == (ErrorKind.OPTED_OUT, 2105)
    assert isinstance(first, SendReceipt)
    assert isinstance(last, SendReceipt)
    assert [m["reference"] for m in live.admin.messages()] == ["msg_0", "msg_2"]


def test_a_refusal_of_the_whole_call_is_each_messages_own(live: Live, sandbox: Sandbox) -> None:
    with live_transport(live.secrets, attempts=1) as transport:
        wrong = make_provider("link-mobility", live.secrets, transport, sandbox.url, **{**OPTIONS, "gateId": "no-gate"})
        outcomes = wrong.send(many(2))
    assert [(o.code, o.kind) for o in outcomes if isinstance(o, FailureReason)] == [(106301, ErrorKind.ACCOUNT)] * 2


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


def test_validity_and_schedule_arrive(live: Live) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    live.send(*many(2, validity_seconds=600), replace(MESSAGE, to="+15005540003", validity_seconds=600))
    live.send(*many(2, send_at=later))
    live.admin.advance(601)
    seen = ["delivered", "delivered", "undelivered", "queued", "queued"]
    assert [m["status"] for m in live.admin.messages()] == seen


def test_by_oauth(live: Live) -> None:
    live.secrets.values = {"client-id": CLIENT_ID, "client-secret": CLIENT_SECRET}
    for _ in range(2):
        live.send()
    assert [entry["path"] for entry in live.admin.journal()] == ["/auth/token", "/sms/send", "/sms/send"]
    live.admin.advance(3601)  # the token has ended at LINK, and not by our clock
    assert isinstance(live.send()[0], SendReceipt)
    assert [(e["path"], e["status"]) for e in live.admin.journal()][3:] == [
        ("/sms/send", 401),
        ("/auth/token", 200),
        ("/sms/send", 200),
    ]


@pytest.mark.parametrize(
    ("secrets", "name", "field"),
    [
        ({"username": USERNAME, "password": PASSWORD}, "password", "password"),
        ({"client-id": CLIENT_ID, "client-secret": CLIENT_SECRET}, "client-secret", "clientSecret"),
    ],
)
def test_credentials_are_rotated_without_a_failed_send(
    live: Live, secrets: dict[str, str], name: str, field: str
) -> None:
    live.secrets.values = dict(secrets)
    live.send()
    live.admin.post("link-mobility/account", {field: "another secret"})
    live.secrets.after_refresh = {name: "another secret"}
    assert isinstance(live.send()[0], SendReceipt)
    assert len(live.admin.messages()) == 2


def test_the_connection(live: Live) -> None:
    assert live.provider.check_connection().state is ConnectionState.ACTIVE
    live.admin.post("link-mobility/account", {"gateApi": False})
    assert live.provider.check_connection().state is ConnectionState.ERROR
    live.secrets.values["password"] = "wrong"
    assert live.provider.check_connection().state is ConnectionState.AUTH_ERROR


# --- callbacks --------------------------------------------------------------------------------------------------------


def test_a_report_settles_an_outcome_that_was_lost(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    live.lead_gates(receiver)
    stage.message().mark_unknown("no answer", at=stage.clock.time(), window=900)
    live.admin.fault("reset_after_accept", count=1, path=SENDS)
    with pytest.raises(OutcomeUnknown):
        live.send()
    live.admin.advance(100)
    (request,) = receiver.wait_for(1)
    assert deliver(stage, "status", request) == 204
    record = stage.read()
    assert (record.status, record.provider_message_id) == (MessageStatus.DELIVERED, live.admin.messages()[0]["id"])


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [
        ("+15558675310", MessageStatus.DELIVERED, None),
        ("+15005540004", MessageStatus.UNDELIVERED, 1006),
        ("+15005530007", MessageStatus.UNDELIVERED, 1006),
    ],
)
def test_the_reports_of_the_parts_are_one_status(
    live: Live, receiver: Receiver, stage: CallbackStage, to: str, status: MessageStatus, code: int | None
) -> None:
    live.lead_gates(receiver)
    stage.message(segments=3)
    (receipt,) = live.send(replace(MESSAGE, to=to, text="x" * 307))
    assert isinstance(receipt, SendReceipt)
    assert receipt.segments == 3
    live.admin.advance(100)
    requests = receiver.wait_for(3)
    for request in requests[:2]:
        deliver(stage, "status", request)
    assert stage.read().status in (MessageStatus.SENT, status)
    for request in (requests[2], *requests):  # and all of them again
        assert deliver(stage, "status", request) == 204
    record = stage.read()
    assert (record.status, record.failure and record.failure.code) == (status, code)
    assert record.provider_message_id == receipt.provider_message_id


def test_a_barred_recipient_has_opted_out(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    live.lead_gates(receiver)
    stage.message()
    live.send(replace(MESSAGE, to="+15005572105"))
    live.admin.advance(100)
    deliver(stage, "status", receiver.wait_for(1)[0])
    assert stage.has_opted_out()


def test_every_result_code_is_read(live: Live, receiver: Receiver) -> None:
    live.lead_gates(receiver)
    codes = [code for code, result in RESULTS.items() if result.final]
    live.send(*(replace(MESSAGE, id=f"msg_{code}", to=f"+1500557{code:04}") for code in codes))
    live.admin.advance(100)
    callbacks = [json.loads(request.body) for request in receiver.wait_for(len(codes))]
    assert {document["resultCode"] for document in callbacks} == set(codes)
    for request in receiver.received:
        (raw,) = live.provider.read_status_callback(
            RawCallback("POST", "https://x/webhooks/link-mobility/status/t", {}, request.body, datetime.now(UTC))
        )
        wanted = RESULTS[int(raw.raw_status)].status
        assert str(raw.status) == wanted or wanted == "unknown", raw
        assert raw.status.final
        assert (raw.failure is None) == (wanted == "delivered"), raw


def test_inbound_and_stop(live: Live, receiver: Receiver, stage: CallbackStage) -> None:
    live.lead_gates(receiver)
    live.admin.inbound(provider="link-mobility", to="2333", from_=MESSAGE.to, body="Olá – ça va?")
    live.admin.inbound(provider="link-mobility", to="+15551234567", from_=MESSAGE.to, body=" stop ")
    for request in receiver.wait_for(2):
        for _ in range(2):  # LINK repeats what was not acknowledged
            assert deliver(stage, "inbound", request) == 200
    seen = sorted((message.text, message.to, message.sender) for message in stage.inbound())
    assert seen == [(" stop ", "+15551234567", MESSAGE.to), ("Olá – ça va?", "2333", MESSAGE.to)]
    assert stage.has_opted_out()


MALICIOUS = [
    b"",
    b"\xff\xfe\x00",
    b"[" * 30_000,
    b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>",
    b'{"id": "' + b"$" * 30_000 + b'", "resultCode": 1001}',
    b'{"id": "x", "resultCode": ' + b"9" * 5_000 + b"}",
    b'{"id": {"$gt": ""}, "resultCode": 1001, "refId": "msg_1"}',
    b'{"refId": "msg_1", "resultCode": 1001}',
    b'{"id": "x", "refId": "msg_1", "resultCode": {"a": 1}}',
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
    report = b'{"id": "x", "refId": "msg_1", "resultCode": 2105, "segments": 1}'
    forged = {"Authorization": basic("link", "a guess")}
    assert stage.post("status", report, **forged) == 204
    assert stage.post("status", report) == 204
    token_of_another = stage.address.of_kind("status")[:-1] + "x"
    good = {"Authorization": basic("link", "gate-password")}
    assert stage.post("status", report, url=token_of_another, **good) == 404
    assert stage.post("status", report + b" " * 70_000, **good) == 413
    assert stage.rejected() == ["signature", "signature", "token", "size"]
    assert (stage.read().history, stage.has_opted_out()) == ([], False)
    assert stage.post("status", report, **good) == 204
    assert (stage.read().status, stage.has_opted_out()) == (MessageStatus.UNDELIVERED, True)
